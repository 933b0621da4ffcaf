package sarama

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"
)

// GSSAPIKerberosAuth authenticates with brokers by Kerberos (RFC 4752). Config
// is required. A Broker that is opened with Net.SASL authenticates by itself;
// this is for tests, and for programs that send the tokens on their own. Its
// methods may be called from any goroutine if NewKerberosClientFunc may.
type GSSAPIKerberosAuth struct {
	// Config has the credentials and the name of the brokers' service.
	Config *GSSAPIConfig
	// NewKerberosClientFunc makes the client that gets the tickets; one is made
	// for each authentication, and destroyed after it. Nil is
	// NewKerberosClient.
	NewKerberosClientFunc func(config *GSSAPIConfig) (KerberosClient, error)
}

// Authorize authenticates on the broker's connection with bare tokens, each
// behind four bytes of its length, as brokers take them from clients that send
// no SaslHandshake (SASLHandshakeV0). The broker must be open, without SASL of
// its own, and no request under way; it returns ErrNotConnected where there is
// no connection. A broker that refuses the last token hangs up: the error is
// that of the next request. A connection that is dialled anew later is not
// authenticated.
func (krbAuth *GSSAPIKerberosAuth) Authorize(broker *Broker) error {
	client, err := krbAuth.client(broker)
	if err != nil {
		return err
	}
	l := broker.link.Load()
	if l == nil {
		return ErrNotConnected
	}
	if err := l.await(nil); err != nil {
		return err
	}
	return krbAuth.run(client, true, func(token []byte, answered bool) ([]byte, error) {
		challenge, err := l.exchangeToken(token, answered)
		if err != nil {
			return nil, client.identity.failed("sending a token", bareRefusal(err))
		}
		return challenge, nil
	})
}

// AuthorizeV2 authenticates with tokens that authSendReceiver sends, in
// SaslAuthenticate requests of the same connection, after a SaslHandshake
// (SASLHandshakeV1). Errors of authSendReceiver are returned as they are; an
// error code in a response is one, too. Of the broker only the address is used,
// for the service principal name.
func (krbAuth *GSSAPIKerberosAuth) AuthorizeV2(broker *Broker, authSendReceiver func(authBytes []byte) (*SaslAuthenticateResponse, error)) error {
	client, err := krbAuth.client(broker)
	if err != nil {
		return err
	}
	return krbAuth.run(client, false, func(token []byte, _ bool) ([]byte, error) {
		resp, err := authSendReceiver(token)
		switch {
		case err != nil:
			return nil, err
		case resp == nil:
			return nil, client.identity.failed("sending a token", errors.New("there is no response"))
		}
		return resp.SaslAuthBytes, resp.refusal()
	})
}

// Login logs in and returns a ticket for the service. The client is left as it
// is, for the caller to destroy.
func (krbAuth *GSSAPIKerberosAuth) Login(client KerberosClient, spn string) (*messages.Ticket, error) {
	if client == nil {
		return nil, errors.New("kafka: GSSAPI: there is no Kerberos client to log in")
	}
	var ticket messages.Ticket
	what, id := "logging in", gssIdentity{spn: spn}
	err := guarded(func() (err error) {
		id.principal = client.CName().PrincipalNameString() + "@" + client.Domain()
		if err := client.Login(); err != nil {
			return err
		}
		what = "getting a ticket"
		ticket, _, err = client.GetServiceTicket(spn)
		return err
	})
	if err != nil {
		return nil, id.failed(what, err)
	}
	return &ticket, nil
}

func (krbAuth *GSSAPIKerberosAuth) client(broker *Broker) (*gssapiClient, error) {
	switch {
	case krbAuth.Config == nil:
		return nil, ConfigurationError("GSSAPIKerberosAuth.Config is not set")
	case broker == nil:
		return nil, ErrNotConnected
	}
	newClient := krbAuth.NewKerberosClientFunc
	if newClient == nil {
		newClient = NewKerberosClient
	}
	return newGSSAPIClientWith(krbAuth.Config, broker.addr, newClient), nil
}

// run authenticates from the first message on.
func (krbAuth *GSSAPIKerberosAuth) run(client *gssapiClient, bare bool, exchange func(token []byte, answered bool) ([]byte, error)) error {
	step := func(challenge []byte) ([]byte, error) { return client.step(context.Background(), challenge) }
	token, err := step(nil)
	if err != nil {
		return err
	}
	return converse(client, token, bare, step, exchange)
}

// exchangeToken sends a bare token on a connection that is ready, and waits for
// one that answers it. It takes its place among requests, and so may be called
// as they are.
func (l *link) exchangeToken(token []byte, answered bool) ([]byte, error) {
	if err := l.enterWindow(nil); err != nil {
		return nil, err
	}
	type answer struct {
		token []byte
		err   error
	}
	got := make(chan answer, 1)
	p := &promise{api: apiSaslAuthenticate, bare: true, keep: true, resolve: func(frame []byte, err error) { got <- answer{frame, err} }}
	if !answered {
		p = nil
	}
	if err := l.sendToken(token, p); err != nil || p == nil {
		<-l.window
		return nil, err
	}
	a := <-got
	return a.token, a.err
}

// sendToken writes a token and queues its promise; p is nil where nothing
// answers it. Its caller has a place in the window.
func (l *link) sendToken(token []byte, p *promise) error {
	if err := l.takeTurn(nil, l.sessionWait); err != nil {
		return err
	}
	defer func() { <-l.turn }()
	if err := l.err(); err != nil {
		return err
	}
	_ = l.conn.SetWriteDeadline(time.Now().Add(l.conf.Net.WriteTimeout))
	if _, err := l.conn.Write(behindLength(token)); err != nil {
		l.fail(l.hangUp(fmt.Errorf("kafka: writing to broker %s: %w", l.broker.name(), err)))
		return l.err()
	}
	if p != nil {
		p.sentAt = time.Now()
		l.metrics.requestsInFlight.add(1) // as resolve takes it off
		l.inFlight.Add(1)
		p.arm(l, l.conf.Net.ReadTimeout)
		l.promises <- p // has room: the window is no wider
	}
	return nil
}
