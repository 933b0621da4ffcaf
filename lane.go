package sarama

import (
	"errors"
	"math/rand/v2"
	"time"
)

// lane is a component's own connection to a broker: a Broker that nobody else
// sees. A broker answers one connection's requests one at a time, so that each
// component that may wait long, or must not, has lanes of its own. A lane is
// dialled for its first request, and again when its connection has ended; after
// failures it waits a little longer each time.
type lane struct {
	// constant
	conf   *Config
	broker *Broker
	addr   string
	kick   chan struct{} // of capacity 1: abort ends a wait between dials

	// owned by the one goroutine that calls connect
	failures int
	notUntil time.Time
}

// A lane's dials after failures are this far apart: twice as far each time,
// give or take a fifth.
const (
	reconnectBackoffMin = 50 * time.Millisecond
	reconnectBackoffMax = time.Second
)

// newLane makes a lane to a broker that a client knows.
func newLane(conf *Config, b *Broker) *lane {
	return &lane{conf: conf, addr: b.addr, kick: make(chan struct{}, 1), broker: &Broker{id: b.id, addr: b.addr, rack: b.rack}}
}

// connect returns a connection that can be written to, dialling if need be. It
// gives up, with errAbandoned, when done is closed, and with the cause when
// abort ends what it waits for.
func (l *lane) connect(done <-chan struct{}) (*link, error) {
	if k := l.broker.link.Load(); k != nil && k.err() == nil {
		return k, l.await(k, done)
	}
	if wait := time.Until(l.notUntil); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.kick:
			return nil, errLaneAborted
		case <-done:
			return nil, errAbandoned
		}
	}
	k, err := l.broker.open(l.conf)
	if k == nil {
		return nil, err
	}
	return k, l.await(k, done)
}

// await waits for the dial and the handshakes, and counts failures.
func (l *lane) await(k *link, done <-chan struct{}) error {
	err := k.await(done)
	switch {
	case err == nil:
		l.failures = 0
	case err != errAbandoned:
		backoff := min(reconnectBackoffMax, reconnectBackoffMin<<min(l.failures, 16))
		backoff += time.Duration((rand.Float64() - 0.5) * 0.4 * float64(backoff))
		l.failures++
		l.notUntil = time.Now().Add(backoff)
	}
	return err
}

// abort ends the present connection, and with it whatever waits for it; the
// next connect dials again. Any goroutine may call it.
func (l *lane) abort(cause error) {
	select {
	case l.kick <- struct{}{}:
	default:
	}
	if k := l.broker.link.Load(); k != nil {
		k.fail(cause)
	}
}

var errLaneAborted = errors.New("kafka: waiting to reconnect was given up")

// close ends the lane. Nobody may call connect any more.
func (l *lane) close() { _ = l.broker.Close() }
