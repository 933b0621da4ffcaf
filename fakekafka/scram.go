package fakekafka

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"hash"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
)

// scramIterations is what Kafka itself takes by default.
const scramIterations = 4096

// scram is the server's side of one exchange (RFC 5802).
type scram struct {
	// constant
	hash  func() hash.Hash
	users map[string]string

	user   string // "" before the first message
	gs2    string // the first message's beginning
	said   string // both first messages
	nonce  string
	salted []byte
}

func newSCRAM(mechanism string, users map[string]string) *scram {
	s := &scram{hash: sha256.New, users: users}
	if mechanism == sarama.SASLTypeSCRAMSHA512 {
		s.hash = sha512.New
	}
	return s
}

var errGarbledSCRAM = errors.New("authentication failed: Invalid SCRAM message")

// answer takes the client's message; over is set with the last one.
func (s *scram) answer(message []byte) (answer []byte, over bool, err error) {
	if s.user == "" {
		answer, err = s.begin(string(message))
		return answer, false, err
	}
	answer, err = s.end(string(message))
	return answer, err == nil, err
}

// begin takes user and nonce, and gives salt and iterations.
func (s *scram) begin(first string) ([]byte, error) {
	parts := strings.SplitN(first, ",", 3)
	if len(parts) < 3 || parts[0] != "n" {
		return nil, errGarbledSCRAM
	}
	fields := strings.Split(parts[2], ",")
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "n=") || !strings.HasPrefix(fields[1], "r=") {
		return nil, errGarbledSCRAM
	}
	name := func(s string) string { return strings.NewReplacer("=3D", "=", "=2C", ",").Replace(s) }
	user := name(fields[0][2:])
	if identity, ok := strings.CutPrefix(parts[1], "a="); ok && name(identity) != user {
		return nil, errors.New("authentication failed: Client requested an authorization id that is different from username")
	}
	password, ok := s.users[user]
	if !ok || user == "" {
		return nil, errors.New("authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM")
	}
	var salt, chance [16]byte
	_, _ = rand.Read(salt[:])
	_, _ = rand.Read(chance[:])
	s.nonce = fields[1][2:] + base64.RawStdEncoding.EncodeToString(chance[:])
	var err error
	if s.salted, err = pbkdf2.Key(s.hash, password, salt[:], scramIterations, s.hash().Size()); err != nil {
		return nil, err
	}
	answer := "r=" + s.nonce + ",s=" + base64.StdEncoding.EncodeToString(salt[:]) + ",i=" + strconv.Itoa(scramIterations)
	s.user, s.gs2, s.said = user, parts[0]+","+parts[1]+",", parts[2]+","+answer
	return []byte(answer), nil
}

// end checks the client's proof, and signs the exchange.
func (s *scram) end(final string) ([]byte, error) {
	fields := strings.Split(final, ",p=")
	if len(fields) != 2 || fields[0] != "c="+base64.StdEncoding.EncodeToString([]byte(s.gs2))+",r="+s.nonce {
		return nil, errGarbledSCRAM
	}
	proof, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil || len(proof) != s.hash().Size() {
		return nil, errGarbledSCRAM
	}
	said := []byte(s.said + "," + fields[0])
	want := s.mac(s.salted, []byte("Client Key"))
	stored := s.hash()
	stored.Write(want)
	for i, b := range s.mac(stored.Sum(nil), said) {
		want[i] ^= b
	}
	if !hmac.Equal(proof, want) {
		return nil, errors.New("authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM")
	}
	signature := s.mac(s.mac(s.salted, []byte("Server Key")), said)
	return []byte("v=" + base64.StdEncoding.EncodeToString(signature)), nil
}

func (s *scram) mac(key, message []byte) []byte {
	mac := hmac.New(s.hash, key)
	mac.Write(message)
	return mac.Sum(nil)
}
