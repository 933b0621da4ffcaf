package fakekafka

import (
	"bytes"
	"crypto/subtle"
	"fmt"

	"github.com/IBM/sarama"
)

const saslPlain = "PLAIN"

// login is how far a connection's authentication has come. It is owned by the
// connection's run.
type login struct {
	required bool
	done     bool
	chosen   bool // the handshake has named a mechanism
	bare     bool // the next frame is a token without a request around it
}

// admit says whether a request may be made now. Before it has authenticated, a
// client may only ask for versions and authenticate.
func (l *login) admit(a API) error {
	if !l.required || l.done || a == ApiVersions || a == SaslHandshake || a == SaslAuthenticate {
		return nil
	}
	return fmt.Errorf("%v request before authentication", a)
}

// saslHandshake answers with what mechanisms there are: PLAIN.
func (c *conn) saslHandshake(r *Request) (any, error) {
	req := r.Body.(*sarama.SaslHandshakeRequest)
	resp := &sarama.SaslHandshakeResponse{}
	switch {
	case r.reply.Err != sarama.ErrNoError:
		resp.Err = r.reply.Err
		return resp, nil
	case !c.login.required || c.login.done || c.login.chosen:
		resp.Err = sarama.ErrIllegalSASLState
		return resp, nil
	}
	resp.EnabledMechanisms = []string{saslPlain}
	if req.Mechanism != saslPlain {
		resp.Err = sarama.ErrUnsupportedSASLMechanism
		c.closing = true
		return resp, nil
	}
	c.login.chosen, c.login.bare = true, r.Version == 0
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
	case !c.login.required || c.login.done:
		return fail(sarama.ErrIllegalSASLState, "SaslAuthenticate request received after successful authentication")
	case !c.login.chosen:
		c.closing = true
		return fail(sarama.ErrIllegalSASLState, "SaslAuthenticate request received before SaslHandshake")
	case !c.cluster.knows(req.SaslAuthBytes):
		c.closing = true
		return fail(sarama.ErrSASLAuthenticationFailed, "Authentication failed: Invalid username or password")
	}
	c.login.done = true
	return resp, nil
}

// bareToken takes a token without a request around it, as it follows a
// handshake of version 0. It is answered by an empty token, or by the end of
// the connection.
func (c *conn) bareToken(token []byte) error {
	if !c.cluster.knows(token) {
		return fmt.Errorf("authentication failed")
	}
	c.login.bare, c.login.done = false, true
	_, err := c.net.Write(make([]byte, 4))
	return err
}

// knows checks a token of PLAIN: authorization id, user and password, with a
// zero byte between (RFC 4616).
func (c *Cluster) knows(token []byte) bool {
	parts := bytes.Split(token, []byte{0})
	if len(parts) != 3 || len(parts[1]) == 0 {
		return false
	}
	user := string(parts[1])
	password, ok := c.opts.Users[user]
	if len(parts[0]) > 0 && string(parts[0]) != user {
		return false
	}
	return ok && subtle.ConstantTimeCompare(parts[2], []byte(password)) == 1
}
