package sarama

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Broker is one connection to one Kafka broker. Its methods may be called from
// any goroutine. Requests leave in the order in which the calls are made, and
// up to Net.MaxOpenRequests of them are under way at a time: a call waits for
// its own response, and for the ones before it on this connection, as a broker
// answers in order.
//
// A broker that a Client returns belongs to that client, which opens and
// closes it.
type Broker struct {
	// constant after NewBroker, or once the response that named it is read
	id   int32
	addr string
	rack *string

	// atomic snapshots, any goroutine
	link    atomic.Pointer[link]     // the connection that Open began; nil before Open and after Close
	dialled atomic.Pointer[net.Conn] // a connection that the next Open takes instead of dialing

	// mu orders Open and Close, and nothing else
	mu sync.Mutex
}

// NewBroker returns a broker for the address host:port, with id -1. It does
// not connect.
func NewBroker(addr string) *Broker { return &Broker{id: -1, addr: addr} }

// name identifies the broker in errors.
func (b *Broker) name() string {
	if b.id < 0 {
		return b.addr
	}
	return fmt.Sprintf("%d (%s)", b.id, b.addr)
}

// ID is the broker's id, -1 for one made by NewBroker.
func (b *Broker) ID() int32 { return b.id }

// Addr is the broker's address, host:port.
func (b *Broker) Addr() string { return b.addr }

// Rack is the rack that the broker says it is in, "" when unknown.
func (b *Broker) Rack() string {
	if b.rack == nil {
		return ""
	}
	return *b.rack
}

// takeDialled hands over the connection that was dialled for the broker.
func (b *Broker) takeDialled() net.Conn {
	if c := b.dialled.Swap(nil); c != nil {
		return *c
	}
	return nil
}

// Open validates conf (nil means NewConfig's) and starts to connect, in the
// background; Connected waits for the outcome. It returns ErrAlreadyConnected
// while the broker is connected or about to be. A broker whose connection has
// failed may be opened again.
func (b *Broker) Open(conf *Config) error {
	if conf == nil {
		conf = NewConfig()
	}
	if err := conf.Validate(); err != nil {
		return err
	}
	_, err := b.open(conf)
	return err
}

// open is Open with a configuration that was validated; it also returns the
// link, the old one where there is one.
func (b *Broker) open(conf *Config) (*link, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.link.Load(); old != nil && old.err() == nil {
		return old, ErrAlreadyConnected
	}
	l := newLink(b, conf)
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	l.metrics = newBrokerMetrics(conf.MetricRegistry, b.id)
	b.link.Store(l)
	go withRecover(func() { l.run(ctx) })
	return l, nil
}

// Close ends the connection; requests under way fail with ErrNotConnected. It
// returns ErrNotConnected when there is no connection. It may be called from
// anywhere, callbacks of AsyncProduce included, and does not wait for them.
func (b *Broker) Close() error {
	b.mu.Lock()
	l := b.link.Swap(nil)
	b.mu.Unlock()
	if c := b.takeDialled(); c != nil {
		_ = c.Close()
	}
	if l == nil {
		return ErrNotConnected
	}
	alive := l.err() == nil
	l.fail(ErrNotConnected)
	<-l.ended
	if !alive {
		return ErrNotConnected
	}
	DebugLogger.Printf("Closed connection to broker %s\n", b.addr)
	return nil
}

// Connected waits for the dial and the handshakes that Open began. It returns
// true while the connection is alive, or false and what became of it: nil
// before Open and after Close.
func (b *Broker) Connected() (bool, error) {
	l := b.link.Load()
	if l == nil {
		return false, nil
	}
	err := l.await(nil)
	return err == nil, err
}

// TLSConnectionState is the state of a TLS connection; ok is false when the
// broker is not connected, or without TLS.
func (b *Broker) TLSConnectionState() (state tls.ConnectionState, ok bool) {
	l := b.link.Load()
	if l == nil || l.await(nil) != nil {
		return state, false
	}
	conn, ok := l.conn.(*tls.Conn)
	if !ok {
		return state, false
	}
	return conn.ConnectionState(), true
}

// ResponseSize is how many requests wait behind the one whose response is due
// next.
func (b *Broker) ResponseSize() int { return max(0, b.load()-1) }

// load is how many requests are under way.
func (b *Broker) load() int {
	if l := b.link.Load(); l != nil {
		return int(l.inFlight.Load())
	}
	return 0
}

// live is the link that Open began, or why there is none.
func (b *Broker) live() (*link, error) {
	if l := b.link.Load(); l != nil {
		return l, nil
	}
	return nil, ErrNotConnected
}

// waiter is a request that lets the broker take its time.
type waiter interface{ brokerWait() time.Duration }

// requestTimeout is how long the response to a request may take: what the
// broker is allowed to wait, and Net.ReadTimeout for the rest.
func requestTimeout(conf *Config, req body) time.Duration {
	if w, ok := req.(waiter); ok {
		return conf.Net.ReadTimeout + w.brokerWait()
	}
	return conf.Net.ReadTimeout
}

// call sends a request on the link and waits for its response, or for done.
func (l *link) call(req, resp body, done <-chan struct{}) error {
	type answer struct {
		frame []byte
		err   error
	}
	answered := make(chan answer, 1)
	p := &promise{keep: true, resolve: func(frame []byte, err error) { answered <- answer{frame, err} }}
	if _, err := l.send(req, p, requestTimeout(l.conf, req), done); err != nil {
		return err
	}
	var a answer
	select {
	case a = <-answered:
	case <-done:
		return errUnanswered
	}
	if a.err != nil {
		return a.err
	}
	return l.decode(a.frame, resp, p.version)
}

// errUnanswered is what a caller gets who no longer waits for a response.
var errUnanswered = errors.New("kafka: request abandoned before it was answered")

// decode reads a response, and heeds the throttle time in it where the broker
// sent it before it throttles (KIP-219).
func (l *link) decode(frame []byte, resp body, version int16) error {
	if err := readBody(frame, resp, version); err != nil {
		return err
	}
	if t, ok := resp.(throttled); ok {
		l.throttleBy(resp, version, t.throttleTime())
	}
	return nil
}

func (l *link) throttleBy(resp body, version int16, d time.Duration) {
	a, _ := resp.meta()
	if d == 0 || a.throttleFirst < 0 || version < a.throttleFirst {
		return
	}
	l.metrics.throttleTime.update(d.Milliseconds())
	if took := l.throttle.extend(d); took != d {
		Logger.Printf("broker/%d %s response asks for a throttle of %v, taken for %v\n", l.broker.id, a.name, d, took)
	} else {
		DebugLogger.Printf("broker/%d %s response throttled for %v\n", l.broker.id, a.name, d)
	}
}

// request is what the exported methods do: a call within Config.Version.
func (b *Broker) request(req, resp body) error {
	l, err := b.live()
	if err != nil {
		return err
	}
	if err := l.await(nil); err != nil {
		return err
	}
	if err := l.clamp(req); err != nil {
		return err
	}
	a, version := req.meta()
	if err := a.allowed(*version, l.conf.Version); err != nil {
		return err
	}
	return l.call(req, resp, nil)
}

// send is request with a response of type R, nil when it failed.
func send[R any, P interface {
	*R
	body
}](b *Broker, req body) (*R, error) {
	resp := P(new(R))
	if err := b.request(req, resp); err != nil {
		return nil, err
	}
	return resp, nil
}
