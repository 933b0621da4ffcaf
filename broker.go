package sarama

import (
	"crypto/tls"
	"errors"
	"fmt"
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
	link    atomic.Pointer[link] // the connection that Open began; nil before Open and after Close
	suspect atomic.Bool          // it has answered for another cluster; of use in a client

	// mu orders Open and Close, and guards
	mu        sync.Mutex
	failures  int       // to connect, in a row
	notBefore time.Time // the next attempt to connect; zero: any time
	dial      *dialing  // that can be joined; nil: none
	dialCalls userCalls // of Net.Proxy.Dialer; nil until the first
	tlsCalls  userCalls // of Net.TLS.ConfigFunc and of what is in a configuration, likewise
	saslCalls userCalls // of mechanisms, in which user's code may run, likewise
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

// Open validates conf (nil means NewConfig's) and starts to connect, in the
// background; Connected waits for the outcome. It returns ErrAlreadyConnected
// while the broker is connected or about to be. A broker whose connection has
// failed may be opened again; attempts after failures are 50 ms to 1 s apart
// (KIP-144). A connection that the broker closes while nothing is under way is
// dialled again for the next request.
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
	return b.startLocked(conf, nil), nil
}

// Close ends the connection; requests under way fail with ErrNotConnected. It
// returns ErrNotConnected when there is no connection. It may be called from
// anywhere, callbacks of AsyncProduce included, and does not wait for them.
func (b *Broker) Close() error {
	b.mu.Lock()
	l := b.link.Swap(nil)
	b.mu.Unlock()
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

// live is the link to use, or why there is none: the one that Open began, or
// another one where the broker has closed that while nothing was under way.
func (b *Broker) live() (*link, error) {
	l := b.link.Load()
	switch {
	case l == nil:
		return nil, ErrNotConnected
	case l.err() != nil && l.idle():
		return b.reopen(l)
	}
	return l, nil
}

// ready is live that waits until the link can be written to, or done is closed.
func (b *Broker) ready(done <-chan struct{}) (*link, error) {
	l, err := b.live()
	if err != nil {
		return nil, err
	}
	if err = l.await(done); err != nil && l.idle() { // closed just now
		if l, err = b.reopen(l); err == nil {
			err = l.await(done)
		}
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// waiter is a request that lets the broker take its time.
type waiter interface{ brokerWait() time.Duration }

// deadliner is a request that has a time of its own to be answered in.
type deadliner interface {
	answerWithin(conf *Config) time.Duration
}

// requestTimeout is how long the response to a request may take: what the
// broker is allowed to wait, and Net.ReadTimeout for the rest.
func requestTimeout(conf *Config, req body) time.Duration {
	switch r := req.(type) {
	case waiter:
		return conf.Net.ReadTimeout + max(0, r.brokerWait())
	case deadliner:
		return r.answerWithin(conf)
	}
	return conf.Net.ReadTimeout
}

// call sends a request on the link and waits for its response, or for done.
func (l *link) call(req, resp body, done <-chan struct{}) error {
	_, err := l.exchangeOnce(req, resp, done)
	return err
}

// exchangeOnce is call that also tells whether any byte of the request may have
// reached the broker.
func (l *link) exchangeOnce(req, resp body, done <-chan struct{}) (wrote bool, err error) {
	type answer struct {
		frame []byte
		err   error
	}
	answered := make(chan answer, 1)
	p := &promise{keep: true, resolve: func(frame []byte, err error) { answered <- answer{frame, err} }}
	if wrote, err := l.send(req, p, requestTimeout(l.conf, req), done); err != nil {
		return wrote, err
	}
	var a answer
	select {
	case a = <-answered:
	case <-done:
		return true, errUnanswered
	}
	if a.err != nil {
		return true, a.err
	}
	return true, l.decode(a.frame, resp, p.version)
}

// ask is call for a link that may turn out to be one that the broker closes
// while it is idle, which is no fault of the request: it is sent once more, on
// a new connection. A request that may have reached the broker already is so
// only where it may be carried out twice.
func (b *Broker) ask(l *link, req, resp body, done <-chan struct{}) error {
	idle := l.idle()
	wrote, err := l.exchangeOnce(req, resp, done)
	if err == nil || !idle || !l.hungUp() || wrote && !repeatable(req) {
		return err
	}
	next, failed := b.reopen(l)
	if failed != nil {
		return err
	}
	return next.call(req, resp, done)
}

// repeatable reports whether a request has the same effect when it is carried
// out twice.
func repeatable(req body) bool {
	switch r := req.(type) {
	case *MetadataRequest, *OffsetRequest, *FindCoordinatorRequest, *ConsumerMetadataRequest, *ApiVersionsRequest,
		*DescribeGroupsRequest, *ListGroupsRequest, *ConsumerGroupDescribeRequest, *ListPartitionReassignmentsRequest,
		*DescribeAclsRequest, *DescribeConfigsRequest, *DescribeLogDirsRequest, *DescribeClientQuotasRequest,
		*DescribeUserScramCredentialsRequest, *DescribeClusterRequest, *DescribeProducersRequest,
		*DescribeTransactionsRequest, *ListTransactionsRequest:
		return true
	case *InitProducerIDRequest:
		return r.TransactionalID == nil // the first id is used by nobody
	}
	return false
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
func (b *Broker) request(req, resp body) error { return b.requestWithin(nil, req, resp) }

// requestWithin is request that is given up when done is closed.
func (b *Broker) requestWithin(done <-chan struct{}, req, resp body) error {
	l, err := b.ready(done)
	if err != nil {
		return err
	}
	if err := l.clamp(req); err != nil {
		return err
	}
	a, version := req.meta()
	if err := a.allowed(*version, l.conf.Version); err != nil {
		return err
	}
	return b.ask(l, req, resp, done)
}

// send is request with a response of type R, nil when it failed.
func send[R any, P bodyOf[R]](b *Broker, req body) (*R, error) {
	resp := P(new(R))
	if err := b.request(req, resp); err != nil {
		return nil, err
	}
	return resp, nil
}
