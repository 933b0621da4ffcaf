package fakekafka

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// mechanisms are those that a connection may authenticate by.
var mechanisms = []string{sarama.SASLTypePlaintext, sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512}

// loginsApart is how far apart a client has to begin to authenticate again, as
// Kafka wants it.
const loginsApart = time.Second

// login is how far a connection's authentication has come. It is owned by the
// connection's run.
type login struct {
	required  bool
	done      bool      // once, at least
	user      string    // who it was, once done
	mechanism string    // that the handshake has named; "": none, or over
	bare      bool      // the next frame is a token without a request around it
	scram     *scram    // under way
	ends      time.Time // of the session; zero: it does not
	again     time.Time // when the client began to authenticate again; zero: it has not
}

// admit says whether a request may be made now. Before it has authenticated, or
// while it does so again, a client may only ask for versions and authenticate;
// after the end of its session (KIP-368) it has to.
func (l *login) admit(a API) error {
	switch {
	case !l.required || a == SaslHandshake:
	case !l.done && a != ApiVersions && a != SaslAuthenticate:
		return fmt.Errorf("%v request before authentication", a)
	case l.done && l.mechanism != "" && a != SaslAuthenticate:
		return fmt.Errorf("%v request in the middle of an authentication", a)
	case l.done && l.mechanism == "" && !l.ends.IsZero() && time.Now().After(l.ends):
		return fmt.Errorf("%v request after the end of the session", a)
	}
	return nil
}

// saslHandshake answers with what mechanisms there are.
func (c *conn) saslHandshake(r *Request) (any, error) {
	req := r.Body.(*sarama.SaslHandshakeRequest)
	resp := &sarama.SaslHandshakeResponse{}
	switch {
	case r.reply.Err != sarama.ErrNoError:
		resp.Err = r.reply.Err
		return resp, nil
	case !c.login.required || c.login.done && c.login.ends.IsZero() || c.login.mechanism != "",
		c.login.done && time.Since(c.login.again) < loginsApart:
		resp.Err = sarama.ErrIllegalSASLState
		return resp, nil
	}
	if c.login.done {
		c.login.again = time.Now()
	}
	resp.EnabledMechanisms = slices.Clone(mechanisms)
	if !slices.Contains(mechanisms, req.Mechanism) {
		resp.Err = sarama.ErrUnsupportedSASLMechanism
		c.closing = true
		return resp, nil
	}
	c.login.mechanism, c.login.bare = req.Mechanism, r.Version == 0
	return resp, nil
}

// saslAuthenticate takes a token in a request (KIP-152).
func (c *conn) saslAuthenticate(r *Request) (any, error) {
	req := r.Body.(*sarama.SaslAuthenticateRequest)
	resp := &sarama.SaslAuthenticateResponse{SaslAuthBytes: []byte{}}
	fail := func(code sarama.KError, why string) (any, error) {
		resp.Err, resp.ErrorMessage = code, &why
		return resp, nil
	}
	switch {
	case r.reply.Err != sarama.ErrNoError:
		c.closing = true
		return fail(r.reply.Err, r.reply.Err.Error())
	case !c.login.required || c.login.done && c.login.mechanism == "":
		return fail(sarama.ErrIllegalSASLState, "SaslAuthenticate request received after successful authentication")
	case c.login.mechanism == "":
		c.closing = true
		return fail(sarama.ErrIllegalSASLState, "SaslAuthenticate request received before SaslHandshake")
	}
	answer, err := c.token(req.SaslAuthBytes)
	if err != nil {
		c.closing = true
		return fail(sarama.ErrSASLAuthenticationFailed, err.Error())
	}
	if resp.SaslAuthBytes = answer; c.login.mechanism == "" && !c.login.ends.IsZero() && r.Version >= 1 {
		resp.SessionLifetimeMs = c.cluster.opts.SessionLifetime.Milliseconds()
	}
	return resp, nil
}

var (
	errWrongPassword = errors.New("authentication failed: Invalid username or password")
	errOtherUser     = errors.New("cannot change principals during re-authentication")
)

// token takes a message of the mechanism and returns the answer to it. The
// last one ends the login.
func (c *conn) token(message []byte) ([]byte, error) {
	l := &c.login
	var user string
	answer, over := []byte{}, true
	if l.mechanism == sarama.SASLTypePlaintext {
		if user = c.cluster.knows(message); user == "" {
			return nil, errWrongPassword
		}
	} else {
		if l.scram == nil {
			l.scram = newSCRAM(l.mechanism, c.cluster.opts.Users)
		}
		var err error
		if answer, over, err = l.scram.answer(message); err != nil {
			return nil, err
		}
		user = l.scram.user
	}
	if !over {
		return answer, nil
	}
	if l.done && user != l.user {
		return nil, errOtherUser
	}
	l.done, l.user, l.mechanism, l.scram, l.bare = true, user, "", nil, false
	if lifetime := c.cluster.opts.SessionLifetime; lifetime > 0 {
		l.ends = time.Now().Add(lifetime)
	}
	return answer, nil
}

// bareToken takes a token without a request around it, as it follows a
// handshake of version 0. It is answered by another token, or by the end of
// the connection.
func (c *conn) bareToken(message []byte) error {
	answer, err := c.token(message)
	if err != nil {
		return err
	}
	_, err = c.net.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...))
	return err
}

// knows checks a token of PLAIN: authorization id, user and password, with a
// zero byte between (RFC 4616). It returns who it is, "" for nobody.
func (c *Cluster) knows(token []byte) string {
	parts := bytes.Split(token, []byte{0})
	if len(parts) != 3 || len(parts[1]) == 0 {
		return ""
	}
	user := string(parts[1])
	password, ok := c.opts.Users[user]
	if len(parts[0]) > 0 && string(parts[0]) != user {
		return ""
	}
	if !ok || subtle.ConstantTimeCompare(parts[2], []byte(password)) != 1 {
		return ""
	}
	return user
}
