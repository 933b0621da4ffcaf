package sarama

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// link is one connection of a Broker, from the dial to its end. Its run
// goroutine dials, shakes hands, and then reads responses until the connection
// fails or is closed; it is the only one that resolves promises.
//
// A request is written by its caller, who holds the turn meanwhile, so that
// requests leave in the order in which their callers took it. Its promise is
// queued when the write has returned, never before: whatever happens to the
// connection, nobody but the caller speaks for a request that is still being
// written.
type link struct {
	// constant after newLink
	broker  *Broker
	conf    *Config
	metrics *brokerMetrics
	life    context.Context    // ends with the link
	stop    context.CancelFunc // ends life, and so a dial in progress
	dialled net.Conn           // the connection, where it was dialled already

	ready chan struct{} // closed when the dial and the handshakes are over
	dead  chan struct{} // closed by fail
	ended chan struct{} // closed when run has returned

	window   chan struct{} // a token for each request in flight
	turn     chan struct{} // whoever has put the token in holds the turn
	promises chan *promise // in the order written; sent by who holds the turn, received by run

	// constant once ready is closed
	conn      net.Conn
	raw       net.Conn       // below TLS: closing it does not wait for a farewell
	versions  *versionRanges // nil: not known
	features  features       // of the cluster, as they were when the broker was asked
	abandoned bool           // the answer to the first request is no longer waited for
	unheard   bool           // the last request before ready was written whole, and no byte of its answer has come

	// atomic, any goroutine
	throttle throttle
	cause    atomic.Pointer[error] // why dead is closed
	inFlight atomic.Int32
	session  atomic.Pointer[session] // nil: lasts as long as the link

	// owned by who holds the turn
	codec       wire.Codec
	head        []byte
	chunks      [][]byte
	correlation int32
	answersDue  time.Time // when the last of the requests in flight is given up; where there is none, it means nothing
	unusable    int       // sessions in a row that had passed before they could be used

	// owned by run
	proven    bool        // the broker has answered something
	callbacks chan func() // to runCallbacks; nil until the first answer to an AsyncProduce
}

// promise is one request that has been written and not yet been answered.
type promise struct {
	api         *api
	version     int16
	correlation int32
	bare        bool // a SASL token, which is answered by another one, without a header
	sentAt      time.Time
	timer       *time.Timer // fails the link when the answer is late

	// resolve is called once, by the link's run goroutine. The frame is the
	// response's body; it is the callee's to keep only where keep is set.
	keep    bool
	resolve func(frame []byte, err error)

	// held is set where resolve takes over the place in the window.
	held bool
}

// timeoutError says which request was not answered in time.
type timeoutError struct {
	what  string
	after time.Duration
}

func (e *timeoutError) Error() string {
	return fmt.Sprintf("kafka: %s within %v: i/o timeout", e.what, e.after)
}
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return true }
func (e *timeoutError) Unwrap() error   { return os.ErrDeadlineExceeded }

// readBufferBytes is the size of a connection's read buffer; larger bodies are
// read past it.
const readBufferBytes = 16 << 10

func newLink(b *Broker, conf *Config) *link {
	return &link{
		broker: b, conf: conf,
		ready: make(chan struct{}), dead: make(chan struct{}), ended: make(chan struct{}),
		window:   make(chan struct{}, conf.Net.MaxOpenRequests),
		turn:     make(chan struct{}, 1),
		promises: make(chan *promise, conf.Net.MaxOpenRequests+1), // and one that authenticates
	}
}

// run is the link's goroutine. It owns the read half of the connection; it is
// woken by the network, and ended by fail, which closes the connection.
func (l *link) run() {
	defer close(l.ended)
	if err := l.connect(l.life); err != nil {
		l.fail(err)
		close(l.ready)
		l.metrics.release()
		return
	}
	if l.proven {
		l.broker.connectWorked()
	}
	close(l.ready)
	if l.err() != nil { // failed before it could see the connection
		_ = l.raw.Close()
	}
	l.fail(l.read())
	if l.hungUp() && !l.proven {
		l.broker.connectFailed()
	}
	l.finish()
	l.metrics.release()
}

// fail ends the link, with the first cause given. It may be called from any
// goroutine and does not wait.
func (l *link) fail(cause error) {
	if !l.cause.CompareAndSwap(nil, &cause) {
		return
	}
	close(l.dead)
	l.stop()
	if isClosed(l.ready) && l.raw != nil {
		_ = l.raw.Close()
	}
}

// hangUpError is why a link is dead that its broker has closed between two
// answers.
type hangUpError struct {
	error
	idle bool // nothing was under way
}

func (e *hangUpError) Unwrap() error { return e.error }

func (l *link) hangUp(err error) error { return &hangUpError{err, l.inFlight.Load() == 0} }

// hungUp reports whether the broker has closed the connection.
func (l *link) hungUp() bool {
	_, is := l.err().(*hangUpError)
	return is
}

// idle reports whether the link is, or was until its broker closed it, without
// a request under way.
func (l *link) idle() bool {
	if !isClosed(l.ready) || l.inFlight.Load() > 0 {
		return false
	}
	err := l.err()
	e, is := err.(*hangUpError)
	return err == nil || is && e.idle
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// err is why the link is dead, nil while it lives.
func (l *link) err() error {
	if p := l.cause.Load(); p != nil {
		return *p
	}
	return nil
}

// await waits until the link can be written to.
func (l *link) await(done <-chan struct{}) error {
	select {
	case <-l.ready:
		return l.err()
	default:
	}
	select {
	case <-l.ready:
		return l.err()
	case <-done:
		return errAbandoned
	}
}

// errAbandoned is what a caller gets who no longer waits.
var errAbandoned = errors.New("kafka: request abandoned before it was sent")

// send writes a request and queues its promise; p is nil for a request that is
// not answered. When it fails, wrote tells whether any byte may have reached
// the broker, and resolve is not called.
func (l *link) send(req body, p *promise, timeout time.Duration, done <-chan struct{}) (wrote bool, err error) {
	if err := l.await(done); err != nil {
		return false, err
	}
	if err := l.clamp(req); err != nil {
		return false, err
	}
	if err := l.enterWindow(done); err != nil {
		return false, err
	}
	if wrote, err = l.sendInWindow(req, p, timeout, done); err != nil || p == nil {
		<-l.window
	}
	return wrote, err
}

// enterWindow waits for a place among the requests in flight.
func (l *link) enterWindow(done <-chan struct{}) error {
	select {
	case l.window <- struct{}{}:
		return nil
	default:
	}
	select {
	case l.window <- struct{}{}:
		return nil
	case <-l.dead:
		return l.err()
	case <-done:
		return errAbandoned
	}
}

func (l *link) sendInWindow(req body, p *promise, timeout time.Duration, done <-chan struct{}) (wrote bool, err error) {
	if err := l.takeTurn(done, l.sessionWait); err != nil {
		return false, err
	}
	defer func() { <-l.turn }()
	if err := l.err(); err != nil {
		return false, err
	}
	if err := l.encode(req); err != nil {
		return false, err
	}
	return true, l.writeInTurn(req, p, timeout)
}

// takeTurn waits for the turn, and until the broker may be written to: until it
// does not throttle the client, and until session has nothing to wait for.
func (l *link) takeTurn(done <-chan struct{}, session func() <-chan struct{}) error {
	for {
		if !l.throttle.waitIfThrottled(l.dead, done) {
			return l.errOr(errAbandoned)
		}
		if renewed := session(); renewed != nil {
			select {
			case <-renewed:
			case <-l.dead:
				return l.err()
			case <-done:
				return errAbandoned
			}
		}
		select {
		case l.turn <- struct{}{}:
		case <-l.dead:
			return l.err()
		case <-done:
			return errAbandoned
		}
		if l.throttle.remaining() <= 0 && session() == nil {
			return nil
		}
		<-l.turn // throttled, or the session about to end, while it waited
	}
}

// writeInTurn writes what encode laid out and queues its promise.
func (l *link) writeInTurn(req body, p *promise, timeout time.Duration) error {
	if p != nil {
		p.api, _ = req.meta()
		p.version, p.correlation, p.sentAt = l.codec.Version, l.correlation, time.Now()
		if due := p.sentAt.Add(timeout); due.After(l.answersDue) || l.inFlight.Load() == 0 {
			l.answersDue = due
		}
	}
	l.correlation++
	size, err := l.write(l.conn)
	if err != nil {
		timedOut := errors.Is(err, os.ErrDeadlineExceeded)
		if err = fmt.Errorf("kafka: writing to broker %s: %w", l.broker.name(), err); !timedOut {
			err = l.hangUp(err)
		}
		l.fail(err)
		return l.err()
	}
	l.sent(p, req, size)
	if p == nil {
		return nil
	}
	l.inFlight.Add(1)
	p.arm(l, timeout)
	l.promises <- p // has room: the window is no wider
	return nil
}

// sent measures a request that was written; p is nil when nothing answers it.
func (l *link) sent(p *promise, req body, size int) {
	a, _ := req.meta()
	l.metrics.requestSent(a.key, size)
	if a == apiFetch {
		l.metrics.fetchRate.mark(1)
	}
	if p != nil {
		l.metrics.requestsInFlight.add(1)
	}
}

// errOr is the link's own error, or err while it lives.
func (l *link) errOr(err error) error {
	if own := l.err(); own != nil {
		return own
	}
	return err
}

// arm starts the clock of a request that has just been written.
func (p *promise) arm(l *link, timeout time.Duration) {
	name, version := p.api.name, p.version // when it fires, p may be gone
	p.timer = time.AfterFunc(timeout, func() {
		l.fail(&timeoutError{fmt.Sprintf("no response to %s v%d from broker %s", name, version, l.broker.name()), timeout})
	})
}

// encode lays out header and body in the buffers of who holds the turn.
func (l *link) encode(req body) error {
	a, version := req.meta()
	if err := a.checkVersion(*version); err != nil {
		return err
	}
	l.codec.Writer(appendRequestHeader(l.head[:0], a, *version, l.correlation, l.conf.ClientID), *version, a.isFlexible(*version))
	req.layout(&l.codec)
	l.codec.End()
	if err := bodyError(&l.codec, req); err != nil {
		return err
	}
	size := l.codec.Len() - 4
	if size > int(MaxRequestSize) {
		return PacketEncodingError{fmt.Sprintf("invalid request size (%d): %s is larger than MaxRequestSize %d", size, a.name, MaxRequestSize)}
	}
	l.head = l.codec.Written()
	binary.BigEndian.PutUint32(l.head, uint32(size))
	return nil
}

// write sends what encode laid out.
func (l *link) write(conn net.Conn) (int, error) {
	_ = conn.SetWriteDeadline(time.Now().Add(l.conf.Net.WriteTimeout))
	l.chunks = l.codec.Chunks(l.chunks[:0])
	var n int64
	var err error
	if len(l.chunks) == 1 {
		var w int
		w, err = conn.Write(l.chunks[0])
		n = int64(w)
	} else {
		buffers := net.Buffers(l.chunks)
		n, err = buffers.WriteTo(conn)
	}
	clear(l.chunks[:cap(l.chunks)]) // batches are freed by their owner, not by us
	if cap(l.head) > 64<<10 {
		l.head = nil // one large request does not pin its memory
	}
	return int(n), err
}

// appendRequestHeader writes the size, still zero, and the header of a request.
func appendRequestHeader(dst []byte, a *api, version int16, correlation int32, clientID string) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(a.key))
	dst = binary.BigEndian.AppendUint16(dst, uint16(version))
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlation))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(clientID)))
	dst = append(dst, clientID...)
	if a.isFlexible(version) {
		dst = append(dst, 0) // no tags
	}
	return dst
}

// read resolves promises in order until the connection fails; it returns why.
func (l *link) read() error {
	r := bufio.NewReaderSize(l.conn, readBufferBytes)
	var scratch []byte
	for {
		if _, err := r.Peek(1); err != nil {
			hint := ""
			if !l.proven {
				hint = l.firstHint(err)
			}
			return l.hangUp(fmt.Errorf("kafka: reading from broker %s: %w%s", l.broker.name(), err, hint))
		}
		if !l.proven {
			l.proven = true
			l.broker.connectWorked()
		}
		size, correlation, err := readFrameStart(r)
		if err != nil {
			return fmt.Errorf("kafka: reading from broker %s: %w", l.broker.name(), err)
		}
		if l.abandoned && correlation == 0 {
			if _, err := io.CopyN(io.Discard, r, int64(size)); err != nil {
				return err
			}
			continue
		}
		var p *promise
		select {
		case p = <-l.promises:
		case <-l.dead:
			return l.err()
		}
		frame, err := l.readFrame(r, p, size, correlation, &scratch)
		if err != nil {
			l.fail(err)
			l.resolve(p, nil, l.err())
			return err
		}
		l.resolve(p, frame, nil)
	}
}

// readFrameStart reads a response's size, without what it has read itself, and
// its correlation id.
func readFrameStart(r io.Reader) (size int, correlation int32, err error) {
	var head [8]byte
	got, err := io.ReadFull(r, head[:])
	n := int32(binary.BigEndian.Uint32(head[:]))
	switch bad := n < 4 || n > MaxResponseSize; {
	case got == 0:
		return 0, 0, err
	case (bad || err != nil) && isTLSAlert(head[:got]):
		return 0, 0, PacketDecodingError{"the answer is a TLS alert, not a Kafka response: the listener is one for TLS, which Net.TLS.Enable turns on"}
	case err != nil:
		return 0, 0, err
	case bad:
		return 0, 0, PacketDecodingError{fmt.Sprintf("message of length %d too large or too small", n)}
	}
	return int(n) - 4, int32(binary.BigEndian.Uint32(head[4:])), nil
}

// readFrame reads the rest of a response and returns its body.
func (l *link) readFrame(r io.Reader, p *promise, size int, correlation int32, scratch *[]byte) ([]byte, error) {
	if p.bare {
		return readBareToken(r, size, correlation)
	}
	if correlation != p.correlation {
		return nil, PacketDecodingError{fmt.Sprintf("correlation ID didn't match, wanted %d, got %d", p.correlation, correlation)}
	}
	var frame []byte
	var err error
	if p.keep || size > readBufferBytes {
		frame, err = readBytes(r, size)
	} else {
		*scratch = append((*scratch)[:0], make([]byte, size)...)
		frame = *scratch
		_, err = io.ReadFull(r, frame)
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: reading %s response from broker %s: %w", p.api.name, l.broker.name(), err)
	}
	l.metrics.responseReceived(size+8, time.Since(p.sentAt))
	if p.api.flexibleResponseHeader(p.version) {
		var c wire.Codec
		c.Reader(frame, 0, true)
		if c.End(); c.Err() != nil {
			return nil, PacketDecodingError{fmt.Sprintf("header of %s response v%d: %v", p.api.name, p.version, c.Err())}
		}
		frame = frame[len(frame)-c.Left():]
	}
	return frame, nil
}

// readBareToken reads a token whose first bytes were taken for a correlation id.
func readBareToken(r io.Reader, size int, correlation int32) ([]byte, error) {
	rest, err := readBytes(r, size)
	return append(binary.BigEndian.AppendUint32(nil, uint32(correlation)), rest...), err
}

// firstReadBytes is how much memory a response gets for its size alone; from
// there on memory grows sixteenfold as bytes arrive.
const firstReadBytes = 1 << 20

// readBytes reads size bytes into memory of their own, which is never more
// than sixteen times what has arrived.
func readBytes(r io.Reader, size int) ([]byte, error) {
	buf := make([]byte, min(size, firstReadBytes))
	n, err := io.ReadFull(r, buf)
	for err == nil && n < size {
		grown := make([]byte, min(size, 16*n))
		copy(grown, buf)
		buf = grown
		var more int
		more, err = io.ReadFull(r, buf[n:])
		n += more
	}
	return buf, err
}

// resolve hands the answer to who waits for it and gives its place free.
func (l *link) resolve(p *promise, frame []byte, err error) {
	p.timer.Stop()
	l.inFlight.Add(-1)
	l.metrics.requestsInFlight.add(-1)
	held := p.held // resolve may give the promise away
	p.resolve(frame, err)
	if !held {
		<-l.window
	}
}

// finish fails what was written and not answered. It takes the turn for good,
// so that nothing is queued behind its back.
func (l *link) finish() {
	l.turn <- struct{}{}
	for {
		select {
		case p := <-l.promises:
			l.resolve(p, nil, l.err())
		default:
			if l.callbacks != nil {
				close(l.callbacks)
			}
			return
		}
	}
}

// callbackQueue is the queue of runCallbacks, which the first use starts. Only
// run may call it, as it does when it resolves a promise.
func (l *link) callbackQueue() chan<- func() {
	if l.callbacks == nil {
		l.callbacks = make(chan func(), cap(l.window))
		go l.runCallbacks(l.callbacks)
	}
	return l.callbacks
}

// runCallbacks calls the callbacks of AsyncProduce in request order. It is
// started by the first of them, and ends when the link has ended and each
// callback has run. A request keeps its place in the window until its callback
// is taken up here, which bounds the queue.
func (l *link) runCallbacks(callbacks <-chan func()) {
	for call := range callbacks {
		<-l.window
		withRecover(call)
	}
}
