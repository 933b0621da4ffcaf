package sarama

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// saslClient is the client's side of one authentication by some mechanism
// (RFC 4422). One goroutine at a time uses it.
type saslClient interface {
	// step takes what the server has said, nil before it has said anything, and
	// returns the client's next message, which may be empty; nil means that
	// the authentication is over, and that the server is whom it should be. What
	// it returns as an error is ErrSASLAuthenticationFailed where trying
	// again would not help.
	step(ctx context.Context, challenge []byte) ([]byte, error)
}

// lastWord is a saslClient whose mechanism ends with the client's message, so
// that no token answers it. A request is answered all the same.
type lastWord interface {
	// silent tells whether nothing answers the message that step has returned.
	silent() bool
}

// newSASLClient begins an authentication by the configured mechanism.
func newSASLClient(conf *Config, addr string) (saslClient, error) {
	sasl := &conf.Net.SASL
	switch sasl.Mechanism {
	case "", SASLTypePlaintext:
		return &plainClient{sasl.AuthIdentity, sasl.User, sasl.Password}, nil
	case SASLTypeSCRAMSHA256, SASLTypeSCRAMSHA512:
		if sasl.SCRAMClientGeneratorFunc != nil {
			return newForeignSCRAM(conf)
		}
		return newSCRAMClient(conf), nil
	case SASLTypeOAuth:
		return &oauthClient{provider: sasl.TokenProvider}, nil
	case SASLTypeGSSAPI:
		return newGSSAPIClient(&sasl.GSSAPI, addr), nil
	}
	return nil, configErrorf("Net.SASL.Mechanism %q is none that is known", sasl.Mechanism)
}

// saslLogin is one authentication of a link: what the mechanism says, and how
// that gets to the broker. One goroutine at a time uses it.
type saslLogin struct {
	// constant after newLogin
	link      *link
	mechanism string
	version   int16 // of the handshake

	client  saslClient
	message []byte // the client's first one
}

// newLogin readies an authentication up to its first message, for which user's
// code may run and other servers may be asked. Nothing is sent to the broker.
func (l *link) newLogin(ctx context.Context) (*saslLogin, error) {
	sasl := &l.conf.Net.SASL
	g := &saslLogin{link: l, mechanism: string(sasl.Mechanism), version: sasl.Version}
	switch g.mechanism {
	case "":
		g.mechanism = SASLTypePlaintext
	case SASLTypeOAuth:
		g.version = SASLHandshakeV1 // there is none without
	}
	type beginning struct {
		client  saslClient
		message []byte
	}
	begun, err := unhurried(ctx, g, func(ctx context.Context) (b beginning, err error) {
		if b.client, err = newSASLClient(l.conf, l.broker.addr); err == nil {
			b.message, err = b.client.step(ctx, nil)
		}
		return b, err
	})
	if err == nil && begun.message == nil {
		err = errors.New("the client has nothing to say")
	}
	if err != nil {
		return nil, g.failed(err)
	}
	g.client, g.message = begun.client, begun.message
	return g, nil
}

// unhurried runs a part of the mechanism, in which user's code may block, apart
// from the goroutine that waits for it, until the context ends or
// Net.ReadTimeout has passed. What comes later is dropped with the login.
func unhurried[T any](ctx context.Context, g *saslLogin, part func(context.Context) (T, error)) (T, error) {
	timeout := g.link.conf.Net.ReadTimeout
	what := "the " + g.mechanism + " client"
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, &timeoutError{what + " not done", timeout})
	defer cancel()
	b := g.link.broker
	return callUser(ctx, b.callsOf(&b.saslCalls), what, func() (T, error) { return part(ctx) }, nil)
}

// loginRefused reports whether a broker has refused to let the client in, so that
// trying again would not help. ErrIllegalSASLState is what it says of any login
// where it wants none.
func loginRefused(err error) bool {
	return isOneOf(err, ErrSASLAuthenticationFailed, ErrUnsupportedSASLMechanism, ErrIllegalSASLState)
}

// failed is an error of this login, which says of what broker and mechanism.
func (g *saslLogin) failed(err error) error {
	return fmt.Errorf("kafka: authenticating with broker %s by %s: %w", g.link.broker.name(), g.mechanism, err)
}

// stepper gives the mechanism what the broker has said.
func (g *saslLogin) stepper(ctx context.Context) func(challenge []byte) ([]byte, error) {
	return func(challenge []byte) ([]byte, error) {
		return unhurried(ctx, g, func(ctx context.Context) ([]byte, error) { return g.client.step(ctx, challenge) })
	}
}

// saslRoundsMax bounds the messages of an authentication. No mechanism needs
// more than four.
const saslRoundsMax = 16

var errTooManyRounds = fmt.Errorf("still not done after %d messages", saslRoundsMax)

// converse goes on with an authentication from a message of the client's until it
// is over. exchange sends a message and returns what the broker says to it;
// nothing, where answered is false.
func converse(client saslClient, message []byte, bare bool, step func(challenge []byte) ([]byte, error),
	exchange func(message []byte, answered bool) ([]byte, error),
) error {
	for range saslRoundsMax {
		last, ok := client.(lastWord)
		answered := !bare || !ok || !last.silent()
		challenge, err := exchange(message, answered)
		if err != nil || !answered {
			return err
		}
		if challenge == nil {
			challenge = []byte{} // nil is for the beginning
		}
		if message, err = step(challenge); err != nil || message == nil {
			return err
		}
	}
	return Wrap(ErrSASLAuthenticationFailed, errTooManyRounds)
}

// asker sends a request and reads its answer; check says what is wrong with it.
type asker func(req, resp body, check func() error) error

// run speaks with the broker by requests. It returns how long the session
// lasts, 0 for as long as the connection (KIP-368), and since when at the
// earliest: the broker counts from the last message.
func (g *saslLogin) run(ctx context.Context, ask asker) (since time.Time, lifetime time.Duration, err error) {
	if g.link.conf.Net.SASL.Handshake {
		if err := g.handshake(ask); err != nil {
			return since, 0, g.failed(err)
		}
	}
	err = converse(g.client, g.message, false, g.stepper(ctx), func(message []byte, _ bool) ([]byte, error) {
		req := &SaslAuthenticateRequest{Version: apiSaslAuthenticate.versionFor(g.link.conf.Version), SaslAuthBytes: message}
		resp := new(SaslAuthenticateResponse)
		if err := g.link.clamp(req); err != nil {
			return nil, err
		}
		since = time.Now()
		if err := ask(req, resp, func() error { return g.refusal(resp) }); err != nil {
			return nil, err // the link's reader may be at work on the answer still
		}
		lifetime = sessionLifetime(resp.SessionLifetimeMs)
		return resp.SaslAuthBytes, nil
	})
	if err != nil {
		return since, 0, g.failed(err)
	}
	return since, lifetime, nil
}

// refusal is a broker's, with its reason; nil: it has not refused.
func (g *saslLogin) refusal(resp *SaslAuthenticateResponse) error {
	err := resp.refusal()
	if c, ok := g.client.(*oauthClient); ok && err == resp.Err && c.refused != nil {
		return Wrap(err, errors.New(oauthReason(c.refused)))
	}
	return err
}

// refusal is what the broker refuses with, nil where it does not.
func (r *SaslAuthenticateResponse) refusal() error {
	switch {
	case r.Err == ErrNoError:
		return nil
	case r.ErrorMessage != nil && *r.ErrorMessage != "":
		return Wrap(r.Err, errors.New(*r.ErrorMessage))
	}
	return r.Err
}

// sessionLifetime makes a duration of what a broker says in milliseconds, 0 for
// ever; what would last for more than a year does.
func sessionLifetime(ms int64) time.Duration {
	if ms <= 0 || ms > 365*24*time.Hour.Milliseconds() {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

func (g *saslLogin) handshake(ask asker) error {
	resp := new(SaslHandshakeResponse)
	return ask(&SaslHandshakeRequest{Version: g.version, Mechanism: g.mechanism}, resp, func() error {
		switch {
		case resp.Err == ErrNoError:
			return nil
		case len(resp.EnabledMechanisms) > 0:
			return Wrap(resp.Err, fmt.Errorf("the broker takes %.256q", strings.Join(resp.EnabledMechanisms, ", ")))
		}
		return resp.Err
	})
}

// runBare speaks with the broker by tokens that no request is around, as those
// before 1.0 want it: each behind its length. A broker that does not like what
// it hears hangs up. Before 0.10 there was no handshake: what began with a token
// was GSSAPI.
func (g *saslLogin) runBare(ctx context.Context, conn net.Conn) error {
	if g.link.conf.Net.SASL.Handshake && (g.mechanism != SASLTypeGSSAPI || g.link.conf.Version.IsAtLeast(V0_10_0_0)) {
		if err := g.handshake(g.link.asker(conn)); err != nil {
			return g.failed(err)
		}
	}
	err := converse(g.client, g.message, true, g.stepper(ctx), func(message []byte, answered bool) ([]byte, error) {
		return g.exchangeBare(conn, message, answered)
	})
	if err != nil {
		return g.failed(err)
	}
	return nil
}

// bareTokenBytesMax bounds a broker's token; the longest are Kerberos tickets
// of principals in many groups.
const bareTokenBytesMax = 1 << 20

// exchangeBare sends a message and returns the broker's, if there is one.
func (g *saslLogin) exchangeBare(conn net.Conn, message []byte, answered bool) ([]byte, error) {
	net := &g.link.conf.Net
	_ = conn.SetWriteDeadline(time.Now().Add(net.WriteTimeout))
	if _, err := conn.Write(behindLength(message)); err != nil || !answered {
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(net.ReadTimeout))
	defer func() { _ = conn.SetReadDeadline(time.Time{}) }()
	var head [4]byte
	_, err := io.ReadFull(conn, head[:])
	if err == nil {
		size := binary.BigEndian.Uint32(head[:])
		if size > bareTokenBytesMax {
			return nil, PacketDecodingError{fmt.Sprintf("token of %d bytes, where %d are the most", size, bareTokenBytesMax)}
		}
		var token []byte
		if token, err = readBytes(conn, int(size)); err == nil {
			return token, nil
		}
	}
	return nil, bareRefusal(err)
}

// bareRefusal tells the end of a connection, by which brokers refuse bare
// tokens, from other errors.
func bareRefusal(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return Wrap(ErrSASLAuthenticationFailed, fmt.Errorf("the broker has closed the connection: %w", err))
	}
	return err
}

// behindLength is a token as it is sent bare.
func behindLength(token []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(token))), token...)
}

// plainClient sends user and password as they are (RFC 4616).
type plainClient struct{ identity, user, password string }

func (c *plainClient) step(_ context.Context, challenge []byte) ([]byte, error) {
	switch {
	case challenge != nil:
		return nil, nil // the broker has nothing to say but whether it is content
	case strings.Contains(c.identity+c.user+c.password, "\x00"):
		return nil, ConfigurationError("Net.SASL.AuthIdentity, User or Password has a zero byte in it, which PLAIN can't send")
	}
	return []byte(c.identity + "\x00" + c.user + "\x00" + c.password), nil
}
