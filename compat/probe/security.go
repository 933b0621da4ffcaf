package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"time"

	"github.com/IBM/sarama"
)

// security prints what clients say when they authenticate, byte for byte, to a
// server whose answers are a list, and what becomes of each answer.
func security() {
	accept := answer(0, "", "")
	handshaken := frame(0, 0, 0, 0, 0, 1, 0, 1, 'X')
	for _, version := range []sarama.KafkaVersion{sarama.V1_0_0_0, sarama.V2_2_0_0, sarama.V2_5_0_0, sarama.V4_0_0_0} {
		login("PLAIN at "+version.String(), func(c *sarama.Config) { c.Version = version }, handshaken, answerOf(version, 0, "", ""))
	}
	login("PLAIN as another", func(c *sarama.Config) { c.Net.SASL.AuthIdentity = "bob" }, handshaken, accept)
	login("PLAIN without a handshake", func(c *sarama.Config) { c.Net.SASL.Handshake = false }, accept)
	bare := func(c *sarama.Config) { c.Net.SASL.Version = sarama.SASLHandshakeV0 }
	login("PLAIN, bare", bare, handshaken, []byte{0, 0, 0, 0})
	login("PLAIN, bare, hung up on", bare, handshaken)
	login("PLAIN, hung up on", func(*sarama.Config) {}, handshaken)
	login("PLAIN, no such mechanism", func(*sarama.Config) {}, frame(0, 33, 0, 0, 0, 1, 0, 1, 'X'))
	login("PLAIN, refused without a word", func(*sarama.Config) {}, handshaken, answer(58, "", ""))
	login("PLAIN, refused with a word", func(*sarama.Config) {}, handshaken, answer(58, "go away", ""))
	login("PLAIN, another error", func(*sarama.Config) {}, handshaken, answer(34, "", ""))
	tokens := func(token *sarama.AccessToken, err error) func(*sarama.Config) {
		return func(c *sarama.Config) {
			c.Net.SASL.Mechanism, c.Net.SASL.TokenProvider = sarama.SASLTypeOAuth, provider{token, err}
		}
	}
	login("OAUTHBEARER", tokens(&sarama.AccessToken{Token: "tok"}, nil), handshaken, accept)
	login("OAUTHBEARER, extensions", tokens(&sarama.AccessToken{Token: "tok", Extensions: map[string]string{"b": "2", "a": "1"}}, nil), handshaken, accept)
	login("OAUTHBEARER, challenged", tokens(&sarama.AccessToken{Token: "tok"}, nil), handshaken, answer(0, "", `{"status":"invalid_token"}`), answer(58, "bad token", ""))
	login("OAUTHBEARER, no token", tokens(nil, nil), handshaken, accept)
	login("OAUTHBEARER, reserved extension", tokens(&sarama.AccessToken{Token: "tok", Extensions: map[string]string{"auth": "x"}}, nil), handshaken, accept)
	login("OAUTHBEARER, provider fails", tokens(nil, errors.New("no network")), handshaken, accept)
	for _, mechanism := range []sarama.SASLMechanism{sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512} {
		generated := func(client sarama.SCRAMClient) func(*sarama.Config) {
			return func(c *sarama.Config) {
				c.Net.SASL.Mechanism, c.Net.SASL.SCRAMAuthzID = mechanism, "bob"
				c.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return client }
			}
		}
		login(string(mechanism), generated(&script{says: []string{"one", "two", ""}}), handshaken, answer(0, "", "first"), answer(0, "", "final"))
		login(string(mechanism)+", bare", func(c *sarama.Config) { generated(&script{says: []string{"one", "two", ""}})(c); bare(c) },
			handshaken, bareToken("first"), bareToken("final"))
		login(string(mechanism)+", begin fails", generated(&script{begin: errors.New("bad name")}), handshaken)
		login(string(mechanism)+", step fails", generated(&script{}), handshaken)
		login(string(mechanism)+", second step fails", generated(&script{says: []string{"one"}}), handshaken, answer(0, "", "first"))
		login(string(mechanism)+", refused", generated(&script{says: []string{"one", "two", ""}}), handshaken, answer(0, "", "first"), answer(58, "wrong", ""))
	}
}

type provider struct {
	token *sarama.AccessToken
	err   error
}

func (p provider) Token() (*sarama.AccessToken, error) { return p.token, p.err }

// script is a SCRAMClient that says what it was told to say, and prints what it
// hears.
type script struct {
	begin error
	says  []string
}

func (s *script) Begin(user, password, authzID string) error {
	say("  begins for %s, %s, %s", user, password, authzID)
	return s.begin
}

func (s *script) Step(challenge string) (string, error) {
	say("  hears %q", challenge)
	if len(s.says) == 0 {
		return "", errors.New("out of words")
	}
	next := s.says[0]
	s.says = s.says[1:]
	return next, nil
}

func (s *script) Done() bool { return len(s.says) == 0 }

// frame is a response whose correlation id is filled in when it is sent.
func frame(body ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), append(make([]byte, 4), body...)...)
}

func bareToken(text string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
}

// answer is a SaslAuthenticateResponse of version 0.
func answer(code int16, message, auth string) []byte {
	return answerOf(sarama.V1_0_0_0, code, message, auth)
}

func answerOf(version sarama.KafkaVersion, code int16, message, auth string) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(code))
	switch flexible := version.IsAtLeast(sarama.V2_5_0_0); {
	case flexible:
		body = append(append([]byte{0}, body...), byte(len(message)+1))
		body = append(body, message...)
		body = append(append(body, byte(len(auth)+1)), auth...)
		return frame(append(body, 0, 0, 0, 0, 0, 0, 0, 0, 0)...)
	case message == "":
		body = append(body, 0xff, 0xff)
	default:
		body = append(binary.BigEndian.AppendUint16(body, uint16(len(message))), message...)
	}
	body = append(binary.BigEndian.AppendUint32(body, uint32(len(auth))), auth...)
	if version.IsAtLeast(sarama.V2_2_0_0) {
		body = binary.BigEndian.AppendUint64(body, 0)
	}
	return frame(body...)
}

// peer is where a server listens, in errors.
var peer = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// login has a Broker authenticate with a server that answers each frame with
// the next of the answers, and hangs up behind the last.
func login(name string, set func(*sarama.Config), answers ...[]byte) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	served := make(chan [][]byte)
	go func() { served <- serveLogin(listener, answers) }()
	conf := sarama.NewConfig()
	conf.Version, conf.ClientID, conf.ApiVersionsRequest = sarama.V1_0_0_0, "probe", false
	conf.Net.SASL.Enable, conf.Net.SASL.User, conf.Net.SASL.Password = true, "ann", "secret"
	conf.Net.ReadTimeout = 2 * time.Second
	set(conf)
	say("%s:", name)
	b := sarama.NewBroker(listener.Addr().String())
	if err := b.Open(conf); err != nil {
		say("  open: %v", err)
		listener.Close()
	}
	ok, err := b.Connected()
	text := "nil"
	if err != nil {
		text = peer.ReplaceAllString(err.Error(), "ADDR")
	}
	_ = b.Close()
	for _, f := range <-served {
		say("  sends %q", f)
	}
	say("  connected %v, %s, authentication failed %v", ok, text, errors.Is(err, sarama.ErrSASLAuthenticationFailed))
}

func serveLogin(listener net.Listener, answers [][]byte) (frames [][]byte) {
	conn, err := listener.Accept()
	if err != nil {
		return nil
	}
	defer conn.Close()
	for i := 0; ; i++ {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return frames
		}
		f := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, f); err != nil {
			return append(frames, []byte(fmt.Sprint("cut: ", err)))
		}
		frames = append(frames, f)
		if i >= len(answers) {
			return frames
		}
		answer := answers[i]
		if len(f) >= 8 && len(answer) > 8 && f[0] == 0 && (f[1] == 17 || f[1] == 36) {
			copy(answer[4:], f[4:8])
		}
		if _, err := conn.Write(answer); err != nil {
			return frames
		}
	}
}
