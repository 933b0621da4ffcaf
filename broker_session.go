package sarama

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"
)

// Of a session's lifetime, this much is left to pass before the client
// authenticates again, up to a tenth of it more, so that many connections do not
// all do so at once.
const sessionRenewAfter = 0.8

// saslRetryBackoffMax is between attempts to get what an authentication needs,
// while the session before still lasts; less where that is not for long.
const saslRetryBackoffMax = time.Second

// session is what a broker has granted for a time by authenticating a
// connection (KIP-368). Before its end the link authenticates again: the first
// request after due starts renew, which gets ready while requests go on, then
// takes the turn for its own exchange, as the broker takes nothing else during
// it. From hold on requests wait for the outcome, so that none reaches the broker
// after the end.
type session struct {
	// constant
	since, due, hold, end time.Time
	earliest              time.Time     // when the broker takes another authentication
	renewed               chan struct{} // closed when the link's session is another one

	// atomic, any goroutine
	renewing atomic.Bool
}

// sessionApart is how far apart a broker wants the authentications of one
// connection to begin. It takes one that comes after the end of a session.
const sessionApart = time.Second

// newSession is a session that lasts since one time at the earliest, and that the
// client knows of since another.
func newSession(since, granted time.Time, lifetime time.Duration) *session {
	due := time.Duration((sessionRenewAfter + 0.1*rand.Float64()) * float64(lifetime))
	return &session{
		since: since, due: since.Add(due), hold: since.Add((due + lifetime) / 2), end: since.Add(lifetime),
		earliest: granted.Add(sessionApart), renewed: make(chan struct{}),
	}
}

// authenticate runs the SASL exchange of a new connection.
func (l *link) authenticate(ctx context.Context, conn net.Conn) error {
	login, err := l.newLogin(ctx)
	if err != nil {
		return err
	}
	if login.version == SASLHandshakeV0 {
		return login.runBare(ctx, conn)
	}
	since, lifetime, err := login.run(ctx, l.asker(conn))
	if err != nil {
		return err
	}
	l.authenticated(since, lifetime)
	return nil
}

// asker asks on a connection that nothing else uses yet.
func (l *link) asker(conn net.Conn) asker {
	return func(req, resp body, check func() error) error {
		if err := l.exchange(conn, req, resp); err != nil {
			return err
		}
		return check()
	}
}

// authenticated notes how long the broker lets the link go on.
func (l *link) authenticated(since time.Time, lifetime time.Duration) {
	if lifetime == 0 {
		l.session.Store(nil)
		return
	}
	s := newSession(since, time.Now(), lifetime)
	l.session.Store(s)
	DebugLogger.Printf("broker/%d session of %v at %s, to be renewed in %v\n", l.broker.id, lifetime, l.broker.addr, time.Until(s.due))
}

// unusableSessionsMax is how many sessions in a row may have passed by the time
// that the client knows of them. Once, that is a slow answer; when it goes on
// like this, no request will ever be sent.
const unusableSessionsMax = 3

// checkUsable says what is wrong where sessions are too short to be of use. Who
// calls it holds the turn.
func (l *link) checkUsable() error {
	s := l.session.Load()
	if s == nil || time.Now().Before(s.hold) {
		l.unusable = 0
		return nil
	}
	if l.unusable++; l.unusable < unusableSessionsMax {
		return nil
	}
	return fmt.Errorf("the broker's sessions last for %v, which is over before a request can be sent", s.end.Sub(s.since))
}

// sessionWait is what a request has to wait for before it may be written; nil:
// for nothing. When it is time, it starts the renewal.
func (l *link) sessionWait() <-chan struct{} {
	s := l.session.Load()
	if s == nil {
		return nil
	}
	now := time.Now()
	if now.Before(s.due) {
		return nil
	}
	if s.renewing.CompareAndSwap(false, true) {
		go withRecover(func() { l.renew(s) })
	}
	if now.Before(s.hold) {
		return nil
	}
	return s.renewed
}

// renew authenticates again. It is a goroutine, at most one of a link: started
// by the first request after s.due, ended by success, or with the link, which it
// fails when it can't.
func (l *link) renew(s *session) {
	login, err := l.newLoginDuring(s)
	if err == nil {
		err = l.pause(time.Until(s.earliest))
	}
	if err == nil {
		err = l.renewBy(login, s)
	}
	if err != nil {
		l.fail(err)
	}
}

// renewBy is renew from the first message on. It takes no place in the window,
// which may be full of requests that wait for it. It fails the link before it lets
// go of the turn, so that nobody writes to a broker that wants tokens.
func (l *link) renewBy(login *saslLogin, s *session) error {
	if err := l.takeTurn(nil, func() <-chan struct{} { return nil }); err != nil {
		return err
	}
	defer func() { <-l.turn }()
	since, lifetime, err := login.run(l.life, func(req, resp body, check func() error) error { return l.askInTurn(login, req, resp, check) })
	if err == nil {
		l.authenticated(since, lifetime)
		if err = l.checkUsable(); err != nil {
			err = login.failed(err)
		}
	}
	if err != nil {
		l.fail(err)
		return err
	}
	close(s.renewed)
	return nil
}

// newLoginDuring is newLogin, tried again while the session lasts unless that
// would not help: a server that gives tokens may be away for a moment.
func (l *link) newLoginDuring(s *session) (*saslLogin, error) {
	backoff := min(saslRetryBackoffMax, s.end.Sub(s.due)/5)
	for {
		login, err := l.newLogin(l.life)
		if err == nil || l.err() != nil || loginRefused(err) || time.Until(s.end) < backoff {
			return login, err
		}
		Logger.Printf("broker/%d trying again in %v, the session at %s ends in %v: %v\n", l.broker.id, backoff, l.broker.addr, time.Until(s.end), err)
		if err := l.pause(backoff); err != nil {
			return nil, err
		}
	}
}

// pause waits, unless the link ends.
func (l *link) pause(wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-l.dead:
		return l.err()
	}
}

// askInTurn sends a request and waits for its answer without letting go of the
// turn. A refusal fails the link before its reader sees the broker hang up.
func (l *link) askInTurn(login *saslLogin, req, resp body, check func() error) error {
	if err := l.encode(req); err != nil {
		return err
	}
	answered := make(chan error, 1)
	version := l.codec.Version
	p := &promise{keep: true, held: true /* none in the window */}
	p.resolve = func(frame []byte, err error) {
		if err == nil {
			err = readBody(frame, resp, version)
		}
		if err == nil {
			err = check()
		}
		if err != nil {
			l.fail(login.failed(err))
		}
		answered <- err
	}
	timeout := l.conf.Net.ReadTimeout
	if l.inFlight.Load() > 0 { // the broker answers what was sent before first
		timeout += max(0, time.Until(l.answersDue))
	}
	if err := l.writeInTurn(req, p, timeout); err != nil {
		return err
	}
	select {
	case err := <-answered:
		return err
	case <-l.dead: // what has ended the link waits for the turn before it resolves p
		return l.err()
	}
}
