package sarama

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// TestReporter is what MockBroker and the helpers of its responses tell of what
// is wrong. *testing.T and *testing.B are such reporters.
type TestReporter interface {
	Error(...any)          // the test has failed, and goes on
	Errorf(string, ...any) // the same, with a format
	Fatal(...any)          // the test has failed, and ends
	Fatalf(string, ...any) // the same, with a format
	Helper()               // the caller's line is the one to tell
}

// RequestNotifierFunc is told of each request that was handled: the size of the
// request and that of the response, both with the four bytes of their length; 0
// for a response that was not sent.
type RequestNotifierFunc func(bytesRead, bytesWritten int)

// RequestResponse is a request that a MockBroker has had, and what it has
// answered; nil if nothing.
type RequestResponse struct {
	Request  body
	Response body
}

// MockResponse makes responses to requests. The New… functions whose names
// begin with NewMock and end with Response return such makers.
type MockResponse interface {
	// For returns the response to a request, nil for none.
	For(reqBody body) (res body)
}

// mockRequest is a request with its header.
type mockRequest struct {
	correlationID int32
	clientID      string
	version       int16
	body          body
}

// requestHandlerFunc answers requests; nil means that there is no answer.
type requestHandlerFunc func(req *mockRequest) (res body)

const (
	mockQueueMax    = 512                    // responses that Returns may have waiting
	mockPatience    = 500 * time.Millisecond // how long a request waits for a response to be queued
	mockListenTries = 20
	mockListenPause = 100 * time.Millisecond
)

// MockBroker is a broker for tests that says what it is told to: it listens on a
// TCP port, reads requests, and answers with what the test has queued
// (Returns), or with what a handler makes of the request (SetHandlerByMap). It
// knows nothing of what brokers do; fakekafka does.
//
// It answers one request at a time, over all connections, in the order of their
// arrival. A request that it has no response for gets none: its client waits
// until Net.ReadTimeout. Two exceptions spare tests that: a client that asks for
// the versions the broker has, where the test does not say, is told those that
// this package sends of its own accord; and a ProduceRequest with
// RequiredAcks NoResponse is never answered.
//
// All methods may be called from any goroutine, and from handlers.
type MockBroker struct {
	// constant
	id       int32
	t        TestReporter
	listener net.Listener
	requests chan *mockCall // from connections to run
	script   chan body      // from Returns to run
	done     chan struct{}  // closed by Close

	// atomic, any goroutine
	latency  atomic.Int64 // a time.Duration
	notifier atomic.Pointer[RequestNotifierFunc]
	handler  atomic.Pointer[requestHandlerFunc] // nil: the script
	gssapi   atomic.Pointer[GSSApiHandlerFunc]

	// owned by run; Close looks at it after run has ended
	next *body // taken from script, but not for the request in hand

	ends sync.WaitGroup // accept, run, and each connection's goroutine

	mu struct {
		sync.Mutex
		closed  bool
		conns   map[net.Conn]struct{}
		history []RequestResponse
	}
}

// mockCall is a request on its way from a connection to run and back.
type mockCall struct {
	req     *mockRequest
	resp    body
	version int16 // that resp is to be sent with
	over    chan struct{}
}

// NewMockBroker starts a broker on a free port of 127.0.0.1. It runs until
// Close.
func NewMockBroker(t TestReporter, brokerID int32) *MockBroker {
	t.Helper()
	return NewMockBrokerAddr(t, brokerID, "localhost:0")
}

// NewMockBrokerAddr starts a broker on an address, for instance that of one
// that was closed. Where it is in use, it is tried for two seconds.
func NewMockBrokerAddr(t TestReporter, brokerID int32, addr string) *MockBroker {
	t.Helper()
	for try := 1; ; try++ {
		listener, err := net.Listen("tcp", addr)
		if err == nil {
			return NewMockBrokerListener(t, brokerID, listener)
		}
		if !errors.Is(err, syscall.EADDRINUSE) || try == mockListenTries {
			t.Fatalf("mock broker %d: %v", brokerID, err)
			return nil
		}
		<-time.After(mockListenPause)
	}
}

// NewMockBrokerListener starts a broker on a listener, which it closes in the
// end.
func NewMockBrokerListener(t TestReporter, brokerID int32, listener net.Listener) *MockBroker {
	b := &MockBroker{
		id: brokerID, t: t, listener: listener,
		requests: make(chan *mockCall), script: make(chan body, mockQueueMax), done: make(chan struct{}),
	}
	b.mu.conns = make(map[net.Conn]struct{})
	b.ends.Go(func() { withRecover(b.accept) })
	b.ends.Go(func() { withRecover(b.run) })
	Logger.Printf("*** mockbroker/%d listening on %s\n", b.id, b.Addr())
	return b
}

// BrokerID returns the id that the broker was made with.
func (b *MockBroker) BrokerID() int32 { return b.id }

// Addr returns the address that the broker listens on, as host:port.
func (b *MockBroker) Addr() string { return b.listener.Addr().String() }

// Port returns the port that the broker listens on, 0 where the listener has
// none.
func (b *MockBroker) Port() int32 {
	_, port, err := net.SplitHostPort(b.Addr())
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(port, 10, 16)
	return int32(n)
}

// Returns queues a response, for the next request whatever it is; it is sent at
// the request's version. There is room for 512. Nil stands for no answer.
// Queued responses wait while the broker has a handler.
func (b *MockBroker) Returns(e body) {
	select {
	case b.script <- e:
	case <-b.done:
	}
}

// SetHandlerByMap has the broker answer with what the map has for the name of
// the request's type, such as "MetadataRequest". What it has nothing for gets no
// answer. The map must not be changed afterwards.
func (b *MockBroker) SetHandlerByMap(handlerMap map[string]MockResponse) {
	b.handle(func(req *mockRequest) body {
		if maker := mockEntry(handlerMap, req); maker != nil {
			return maker.For(req.body)
		}
		return b.unhandled(req)
	})
}

// SetHandlerFuncByMap is SetHandlerByMap with functions.
func (b *MockBroker) SetHandlerFuncByMap(handlerMap map[string]requestHandlerFunc) {
	b.handle(func(req *mockRequest) body {
		if handler := mockEntry(handlerMap, req); handler != nil {
			return handler(req)
		}
		return b.unhandled(req)
	})
}

func (b *MockBroker) handle(f requestHandlerFunc) { b.handler.Store(&f) }

// mockEntry looks a request up. The coordinator of a group may be asked for
// under the name that its request had before Kafka 0.11.
func mockEntry[V any](m map[string]V, req *mockRequest) V {
	v, ok := m[mockName(req.body)]
	if ok {
		return v
	}
	if find, is := req.body.(*FindCoordinatorRequest); is && find.CoordinatorType == CoordinatorGroup {
		if v, ok = m["ConsumerMetadataRequest"]; ok {
			req.body = &ConsumerMetadataRequest{Version: find.Version, ConsumerGroup: find.CoordinatorKey}
		}
	}
	return v
}

// mockName is the name of a request's or response's type.
func mockName(b body) string {
	if b == nil {
		return "nothing"
	}
	return strings.TrimPrefix(reflect.TypeOf(b).String(), "*sarama.")
}

// unhandled is what a broker answers that was not told what.
func (b *MockBroker) unhandled(req *mockRequest) body {
	switch r := req.body.(type) {
	case *ApiVersionsRequest:
		return versionsOfMock(r.Version)
	case *SaslHandshakeRequest:
		if b.gssapiHandler() != nil {
			return &SaslHandshakeResponse{EnabledMechanisms: []string{SASLTypeGSSAPI}}
		}
	case *SaslAuthenticateRequest:
		if handler := b.gssapiHandler(); handler != nil {
			return gssapiOfMock(handler, r)
		}
	}
	return nil
}

// versionsOfMock lists the versions that this package's components send without
// knowing a broker, of the APIs that tests may have responses for: it would be
// no use to be asked for others.
func versionsOfMock(version int16) *ApiVersionsResponse {
	r := &ApiVersionsResponse{Version: version, FinalizedFeaturesEpoch: -1}
	for _, a := range apis {
		if a != nil && a != apiOffsetForLeaderEpoch && a != apiConsumerGroupHeartbeat {
			r.ApiKeys = append(r.ApiKeys, ApiVersionsResponseKey{Version: version, ApiKey: a.key, MaxVersion: a.sentMax})
		}
	}
	return r
}

// SetLatency has the broker wait before it handles a request.
func (b *MockBroker) SetLatency(latency time.Duration) { b.latency.Store(int64(latency)) }

// SetNotifier has a function called after each request, once its response was
// written. Nil ends that.
func (b *MockBroker) SetNotifier(notifier RequestNotifierFunc) { b.notifier.Store(&notifier) }

// SetGSSAPIHandler has the broker hand bare SASL tokens to a function, see
// GSSApiHandlerFunc and KafkaGSSAPIHandler: messages whose first byte is
// GSS_API_GENERIC_TAG, and wrap tokens. They are no requests: History does not
// have them, and a queue of Returns is left alone. Where the test does not say
// otherwise, SaslHandshake is then answered by GSSAPI, and the function answers
// the tokens in SaslAuthenticate requests, too. Nil ends that.
func (b *MockBroker) SetGSSAPIHandler(handler GSSApiHandlerFunc) { b.gssapi.Store(&handler) }

func (b *MockBroker) gssapiHandler() GSSApiHandlerFunc {
	if handler := b.gssapi.Load(); handler != nil {
		return *handler
	}
	return nil
}

// History returns what the broker has had until now, in order.
func (b *MockBroker) History() []RequestResponse {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]RequestResponse(nil), b.mu.history...)
}

// Close ends the broker, and returns when its goroutines have ended. Responses
// that were queued and that nobody has asked for are an error of the test. A
// second Close does nothing.
func (b *MockBroker) Close() {
	b.t.Helper()
	if !b.stop() {
		return
	}
	b.ends.Wait()
	var left []string
	if b.next != nil {
		left = append(left, mockName(*b.next))
	}
	for len(b.script) > 0 {
		left = append(left, mockName(<-b.script))
	}
	if len(left) > 0 {
		b.t.Error(fmt.Sprintf("mock broker %d: %d responses were never asked for: %s", b.id, len(left), strings.Join(left, ", ")))
	}
	Logger.Printf("*** mockbroker/%d closed\n", b.id)
}

// stop ends everything, once.
func (b *MockBroker) stop() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.closed {
		return false
	}
	b.mu.closed = true
	close(b.done)
	_ = b.listener.Close()
	for conn := range b.mu.conns {
		_ = conn.Close()
	}
	return true
}

// run is the goroutine that answers requests, one after the other. It ends with
// Close.
func (b *MockBroker) run() {
	for {
		select {
		case <-b.done:
			return
		case call := <-b.requests:
			b.handleOne(call)
		}
	}
}

// handleOne answers a request, keeps it, and lets its connection go on, also
// where a handler panics and a PanicHandler lives with that.
func (b *MockBroker) handleOne(call *mockCall) {
	defer close(call.over)
	b.answer(call)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.history = append(b.mu.history, RequestResponse{call.req.body, call.resp})
}

// answer fills in the response to a request.
func (b *MockBroker) answer(call *mockCall) {
	if handler := b.handler.Load(); handler != nil {
		if call.resp = mockBody((*handler)(call.req)); call.resp != nil {
			_, version := call.resp.meta()
			call.version = *version
		}
		return
	}
	if call.resp = mockBody(b.scripted(call.req)); call.resp == nil {
		return
	}
	a, version := call.resp.meta()
	if asked, _ := call.req.body.meta(); a != asked {
		Logger.Printf("*** mockbroker/%d answers %s with %s\n", b.id, mockName(call.req.body), mockName(call.resp))
	}
	call.version = min(call.req.version, a.max())
	if *version != call.version { // what is not changed may be shared
		*version = call.version
	}
}

// mockBody is the body, or nil for one that is a nil pointer.
func mockBody(b body) body {
	if b == nil || reflect.ValueOf(b).IsNil() {
		return nil
	}
	return b
}

// scripted takes the next response from the queue, and waits for it for a
// while. Where it is not meant for a request that tests need not care about, it
// stays for the next one.
func (b *MockBroker) scripted(req *mockRequest) body {
	produce, _ := req.body.(*ProduceRequest)
	silent := produce != nil && produce.RequiredAcks == NoResponse
	if b.next == nil && !b.awaitNext(silent) {
		return b.unhandled(req)
	}
	next := *b.next
	switch req.body.(type) {
	case *ApiVersionsRequest:
		if _, ok := next.(*ApiVersionsResponse); !ok {
			return b.unhandled(req)
		}
	case *SaslHandshakeRequest:
		if _, ok := next.(*SaslHandshakeResponse); !ok && b.gssapiHandler() != nil {
			return b.unhandled(req)
		}
	case *SaslAuthenticateRequest:
		if _, ok := next.(*SaslAuthenticateResponse); !ok && b.gssapiHandler() != nil {
			return b.unhandled(req)
		}
	}
	b.next = nil
	return next
}

// awaitNext takes the next response from the queue; it reports whether there
// was one.
func (b *MockBroker) awaitNext(atOnce bool) bool {
	select {
	case next := <-b.script:
		b.next = &next
		return true
	default:
		if atOnce {
			return false
		}
	}
	timer := time.NewTimer(mockPatience)
	defer timer.Stop()
	select {
	case next := <-b.script:
		b.next = &next
		return true
	case <-timer.C:
	case <-b.done:
	}
	return false
}
