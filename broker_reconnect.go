package sarama

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// After failures, the attempts to connect to a broker are this far apart: twice
// as far each time, give or take a fifth (KIP-144, KIP-580).
const (
	reconnectBackoffMin = 50 * time.Millisecond
	reconnectBackoffMax = time.Second
)

// connectFailed notes that a connection could not be made or was of no use.
func (b *Broker) connectFailed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	wait := min(reconnectBackoffMax, reconnectBackoffMin<<min(b.failures, 16))
	b.failures++
	b.notBefore = time.Now().Add(time.Duration((0.8 + 0.4*rand.Float64()) * float64(wait)))
}

// connectWorked notes that the broker has answered on a connection.
func (b *Broker) connectWorked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.notBefore = 0, time.Time{}
}

// reconnectWait is how long the next attempt to connect has to wait; not
// positive: it need not.
func (b *Broker) reconnectWait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Until(b.notBefore)
}

// awaitReconnect waits for that.
func (b *Broker) awaitReconnect(ctx context.Context) error {
	if wait := b.reconnectWait(); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("kafka: waiting to dial broker %s: %w", b.addr, context.Cause(ctx))
	}
	return nil
}

// dialing is a dial of a broker that all who want one at the time share, so
// that many who ask do not dial many times. Nothing is sent on its connection
// until someone opens the Broker with it.
type dialing struct {
	// constant
	conf   *Config
	cancel context.CancelFunc
	done   chan struct{} // closed when conn or err is set

	// constant once done is closed
	err error

	// Broker.mu guards
	conn  net.Conn // nil: none, or taken
	users int
}

var errDialPanicked = errors.New("kafka: dialing a broker panicked")

// joinDial starts a dial, or joins the one that is under way with the same
// configuration. leaveDial has to follow.
func (b *Broker) joinDial(conf *Config) *dialing {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.dial
	if d == nil || d.conf != conf {
		ctx, cancel := context.WithCancel(context.Background())
		d = &dialing{conf: conf, cancel: cancel, done: make(chan struct{})}
		b.dial = d
		go withRecover(func() { d.run(ctx, b) })
	}
	d.users++
	return d
}

// run dials, after the backoff. It is ended by the last user's leaving.
func (d *dialing) run(ctx context.Context, b *Broker) {
	conn, err := net.Conn(nil), errDialPanicked
	defer func() {
		if err != nil && ctx.Err() == nil {
			b.connectFailed()
		}
		b.mu.Lock()
		d.err = err
		if d.users > 0 {
			d.conn, conn = conn, nil
		}
		if err != nil && b.dial == d {
			b.dial = nil
		}
		b.mu.Unlock()
		close(d.done)
		if conn != nil {
			_ = conn.Close()
		}
	}()
	if err = b.awaitReconnect(ctx); err == nil {
		err = errDialPanicked
		conn, err = dialBroker(ctx, d.conf, b.addr)
	}
}

// leaveDial ends the interest in a dial. The last one to leave ends it.
func (b *Broker) leaveDial(d *dialing) {
	b.mu.Lock()
	var unused net.Conn
	if d.users--; d.users == 0 {
		d.cancel()
		unused, d.conn = d.conn, nil
		if b.dial == d {
			b.dial = nil
		}
	}
	b.mu.Unlock()
	if unused != nil {
		_ = unused.Close()
	}
}

// connection waits for a connection to the broker, which is the caller's.
func (b *Broker) connection(ctx context.Context, conf *Config) (net.Conn, error) {
	d := b.joinDial(conf)
	defer b.leaveDial(d)
	select {
	case <-d.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("kafka: dialing broker %s: %w", b.addr, context.Cause(ctx))
	}
	if d.err != nil {
		return nil, d.err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.takeLocked(d)
}

// takeLocked takes the connection of a dial that has worked.
func (b *Broker) takeLocked(d *dialing) (net.Conn, error) {
	conn := d.conn
	if conn == nil {
		return nil, fmt.Errorf("kafka: the connection to broker %s did not last: %w", b.name(), ErrNotConnected)
	}
	d.conn = nil
	if b.dial == d {
		b.dial = nil
	}
	return conn, nil
}

// openDialled opens the broker with the connection of a dial that has worked,
// unless it is open already, be it with that very connection.
func (b *Broker) openDialled(d *dialing, conf *Config) (*link, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.link.Load(); l != nil && l.err() == nil {
		return l, nil
	}
	conn, err := b.takeLocked(d)
	if err != nil {
		return nil, err
	}
	return b.startLocked(conf, conn), nil
}

// reopen connects again in place of a link that has ended, unless someone has
// done so or the broker was closed.
func (b *Broker) reopen(ended *link) (*link, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch now := b.link.Load(); {
	case now == nil:
		return nil, ErrNotConnected
	case now != ended:
		return now, nil
	}
	DebugLogger.Printf("Broker %s has closed an idle connection, connecting again\n", b.addr)
	return b.startLocked(ended.conf, nil), nil
}

// startLocked begins a link, on a connection or, where that is nil, with a dial.
func (b *Broker) startLocked(conf *Config, conn net.Conn) *link {
	l := newLink(b, conf)
	l.life, l.stop = context.WithCancel(context.Background())
	l.dialled = conn
	l.metrics = newBrokerMetrics(conf.MetricRegistry, b.id)
	b.link.Store(l)
	go withRecover(func() { l.run() })
	return l
}

// racer is one of the brokers that raceDials tries.
type racer struct {
	broker *Broker
	link   *link    // that is about to connect for someone else; nil: none
	dial   *dialing // otherwise
	done   <-chan struct{}
}

func newRacer(b *Broker, conf *Config) racer {
	if l := b.link.Load(); l != nil && l.err() == nil {
		return racer{broker: b, link: l, done: l.ready}
	}
	d := b.joinDial(conf)
	return racer{broker: b, dial: d, done: d.done}
}

// open is what has come of it: a link, or why there is none.
func (r *racer) open(conf *Config) (*link, error) {
	switch {
	case r.link != nil:
		return r.link, r.link.err()
	case r.dial.err != nil:
		return nil, r.dial.err
	}
	return r.broker.openDialled(r.dial, conf)
}

func (r *racer) leave() {
	if r.dial != nil {
		r.broker.leaveDial(r.dial)
	}
}

// raceDials dials several brokers, the next one whenever 250 ms have passed or
// one has failed, and opens the first that is reached; nothing is sent to the
// others. Those that have failed lately come last, after their backoff.
// failures has the errors by index.
func raceDials(ctx context.Context, conf *Config, group []*Broker) (winner int, l *link, failures map[int]error) {
	var racers []racer
	stop := make(chan struct{})
	defer func() {
		close(stop)
		for i := range racers {
			racers[i].leave()
		}
	}()
	results := make(chan int, len(group))
	failures = make(map[int]error)
	start := func() {
		i, r := len(racers), newRacer(group[len(racers)], conf)
		racers = append(racers, r)
		go func() {
			select {
			case <-r.done:
				results <- i
			case <-stop:
			}
		}()
	}
	stagger := time.NewTicker(dialStagger)
	defer stagger.Stop()
	for len(failures) < len(group) {
		if len(failures) == len(racers) {
			start()
		}
		select {
		case i := <-results:
			l, err := racers[i].open(conf)
			if err == nil {
				return i, l, failures
			}
			failures[i] = err
		case <-stagger.C:
			if len(racers) < len(group) {
				start()
			}
		case <-ctx.Done():
			return -1, nil, failures
		}
	}
	return -1, nil, failures
}

// dialStagger is how long a dial may go on alone before the next address is
// dialled beside it.
const dialStagger = 250 * time.Millisecond
