package sarama

import (
	"errors"
	"time"
)

// lane is a component's own connection to a broker: a Broker that nobody else
// sees. A broker answers one connection's requests one at a time, so that each
// component that may wait long, or must not, has lanes of its own. A lane is
// dialled for its first request, and again when its connection has ended, after
// the backoff that Broker keeps.
type lane struct {
	// constant
	conf   *Config
	broker *Broker
	addr   string
	kick   chan struct{} // of capacity 1: abort ends a wait between dials
}

// newLane makes a lane to a broker that a client knows.
func newLane(conf *Config, b *Broker) *lane {
	return &lane{conf: conf, addr: b.addr, kick: make(chan struct{}, 1), broker: &Broker{id: b.id, addr: b.addr, rack: b.rack}}
}

// connect returns a connection that can be written to, dialling if need be. It
// gives up, with errAbandoned, when done is closed, and with the cause when
// abort ends what it waits for.
func (l *lane) connect(done <-chan struct{}) (*link, error) {
	if k := l.broker.link.Load(); k != nil && k.err() == nil {
		return k, k.await(done)
	}
	if wait := l.broker.reconnectWait(); wait > 0 {
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
	return k, k.await(done)
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
