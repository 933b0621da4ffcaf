package sarama

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// The iterations that a broker may ask for. RFC 7677 wants 4096 at least, so that
// who listens does not learn the password by trying; Kafka takes up to 16384.
// More than a million would be nothing but work for the client.
const (
	scramIterationsMin = 4096
	scramIterationsMax = 1_000_000
)

// scramNonceBytes is how much chance there is in a client's nonce.
const scramNonceBytes = 24

// scramClient proves that it knows a password, and has the broker prove that it
// knows what belongs to it (RFC 5802, KIP-84). As with Kafka's own client,
// names and passwords are sent as they are, without SASLprep.
type scramClient struct {
	// constant
	mechanism ScramMechanismType
	password  string
	gs2       string // how the exchange begins: no channel binding, and whom to act as
	bare      string // the first message, without gs2
	nonce     string

	// the exchange
	state     scramState
	signature []byte // what the server has to say in the end
}

type scramState int

const (
	scramBegins scramState = iota
	scramWantsSalt
	scramWantsSignature
	scramIsOver
)

func newSCRAMClient(conf *Config) *scramClient {
	var chance [scramNonceBytes]byte
	_, _ = rand.Read(chance[:]) // never fails
	return newSCRAMClientWithNonce(conf, base64.RawStdEncoding.EncodeToString(chance[:]))
}

func newSCRAMClientWithNonce(conf *Config, nonce string) *scramClient {
	sasl := &conf.Net.SASL
	c := &scramClient{mechanism: SCRAM_MECHANISM_SHA_256, password: sasl.Password, gs2: "n,,", nonce: nonce}
	if sasl.Mechanism == SASLTypeSCRAMSHA512 {
		c.mechanism = SCRAM_MECHANISM_SHA_512
	}
	if sasl.SCRAMAuthzID != "" {
		c.gs2 = "n,a=" + scramName(sasl.SCRAMAuthzID) + ","
	}
	c.bare = "n=" + scramName(sasl.User) + ",r=" + nonce
	if sasl.SCRAMTokenAuth {
		c.bare += ",tokenauth=true" // KIP-48
	}
	return c
}

// scramName writes a name so that it has no delimiter in it (RFC 5802, section
// 5.1).
func scramName(name string) string {
	return strings.NewReplacer("=", "=3D", ",", "=2C").Replace(name)
}

func (c *scramClient) step(_ context.Context, challenge []byte) ([]byte, error) {
	var answer []byte
	var err error
	switch c.state {
	case scramBegins:
		answer = []byte(c.gs2 + c.bare)
	case scramWantsSalt:
		answer, err = c.prove(string(challenge))
	case scramWantsSignature:
		err = c.verify(string(challenge))
	default:
		err = errors.New("the exchange is over")
	}
	if err != nil {
		c.state = scramIsOver
		return nil, Wrap(ErrSASLAuthenticationFailed, err)
	}
	c.state++
	return answer, nil
}

// prove answers the server's first message: salt, iterations and its part of
// the nonce.
func (c *scramClient) prove(first string) ([]byte, error) {
	salt, iterations, nonce, err := c.parseFirst(first)
	if err != nil {
		return nil, err
	}
	salted, err := c.mechanism.saltedPassword([]byte(c.password), salt, int32(iterations))
	if err != nil {
		return nil, fmt.Errorf("salting the password: %w", err)
	}
	newHash := sha256.New
	if c.mechanism == SCRAM_MECHANISM_SHA_512 {
		newHash = sha512.New
	}
	final := "c=" + base64.StdEncoding.EncodeToString([]byte(c.gs2)) + ",r=" + nonce
	said := []byte(c.bare + "," + first + "," + final)
	clientKey := sum(newHash, salted, []byte("Client Key"))
	stored := newHash()
	stored.Write(clientKey)
	proof := sum(newHash, stored.Sum(nil), said)
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	c.signature = sum(newHash, sum(newHash, salted, []byte("Server Key")), said)
	return []byte(final + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

func sum(newHash func() hash.Hash, key, message []byte) []byte {
	mac := hmac.New(newHash, key)
	mac.Write(message)
	return mac.Sum(nil)
}

// parseFirst reads the server's first message (RFC 5802, section 7).
func (c *scramClient) parseFirst(first string) (salt []byte, iterations int, nonce string, err error) {
	if reason, ok := strings.CutPrefix(first, "e="); ok {
		return nil, 0, "", fmt.Errorf("the broker says %.256q", reason)
	}
	fields := strings.Split(first, ",")
	if strings.HasPrefix(first, "m=") {
		return nil, 0, "", errors.New("the broker wants an extension that is not known")
	}
	if len(fields) < 3 || !strings.HasPrefix(fields[0], "r=") || !strings.HasPrefix(fields[1], "s=") || !strings.HasPrefix(fields[2], "i=") {
		return nil, 0, "", errors.New("the broker's first message is not nonce, salt and iterations")
	}
	nonce = fields[0][2:]
	if !strings.HasPrefix(nonce, c.nonce) || len(nonce) == len(c.nonce) {
		return nil, 0, "", errors.New("the broker's nonce does not begin with the client's, or adds nothing to it")
	}
	if salt, err = base64.StdEncoding.DecodeString(fields[1][2:]); err != nil || len(salt) == 0 {
		return nil, 0, "", errors.New("the broker's salt is none")
	}
	iterations, err = strconv.Atoi(fields[2][2:])
	switch {
	case err != nil:
		return nil, 0, "", fmt.Errorf("the broker's number of iterations is %.32q", fields[2][2:])
	case iterations < scramIterationsMin || iterations > scramIterationsMax:
		return nil, 0, "", fmt.Errorf("the broker asks for %d iterations, but %d to %d are taken", iterations, scramIterationsMin, scramIterationsMax)
	}
	return salt, iterations, nonce, nil
}

// verify reads the server's last message: its signature, which only who knows
// what belongs to the password can make.
func (c *scramClient) verify(final string) error {
	if reason, ok := strings.CutPrefix(final, "e="); ok {
		return fmt.Errorf("the broker says %.256q", reason)
	}
	value, ok := strings.CutPrefix(final, "v=")
	if !ok {
		return errors.New("the broker has not signed the exchange")
	}
	value, _, _ = strings.Cut(value, ",") // extensions may follow
	signature, err := base64.StdEncoding.DecodeString(value)
	if err != nil || !hmac.Equal(signature, c.signature) {
		return errors.New("the broker's signature is wrong: it does not know this user's password")
	}
	return nil
}

// foreignSCRAM is a user's SCRAMClient.
type foreignSCRAM struct{ client SCRAMClient }

func newForeignSCRAM(conf *Config) (saslClient, error) {
	sasl := &conf.Net.SASL
	client := sasl.SCRAMClientGeneratorFunc()
	if client == nil {
		return nil, ConfigurationError("Net.SASL.SCRAMClientGeneratorFunc has returned nil")
	}
	if err := client.Begin(sasl.User, sasl.Password, sasl.SCRAMAuthzID); err != nil {
		return nil, fmt.Errorf("failed to start SCRAM exchange with the server: %w", err)
	}
	return &foreignSCRAM{client}, nil
}

func (c *foreignSCRAM) step(_ context.Context, challenge []byte) ([]byte, error) {
	answer, err := c.client.Step(string(challenge))
	if err != nil {
		return nil, Wrap(ErrSASLAuthenticationFailed, fmt.Errorf("failed to advance the SCRAM exchange: %w", err))
	}
	if challenge != nil && c.client.Done() {
		return nil, nil
	}
	return []byte(answer), nil
}
