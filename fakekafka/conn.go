package fakekafka

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama/internal/bridge"
	"github.com/IBM/sarama/internal/wire"
)

// conn is one connection to a broker. Its run goroutine reads a request,
// handles it and writes the answer before it reads the next one, as Kafka does.
type conn struct {
	// constant
	broker  *broker
	cluster *Cluster
	id      int64
	net     net.Conn
	gone    chan struct{} // closed by cut
	wasCut  atomic.Bool

	// owned by run
	reader  *bufio.Reader
	frame   []byte // memory for the next request, where nobody can keep the last
	codec   wire.Codec
	head    []byte
	chunks  [][]byte
	login   login
	closing bool // close after the answer in hand
}

const (
	readBufferBytes = 64 << 10
	frameKeepBytes  = 16 << 20 // a larger frame's memory is not kept
	frameStepBytes  = 1 << 20  // how much is allocated before as much has come
)

// errGone ends a connection that was cut, errSilent one that shall never answer.
var (
	errGone   = errors.New("connection was cut")
	errSilent = errors.New("connection has lost something and stays silent")
)

func newConn(b *broker, nc net.Conn, id int64) *conn {
	c := &conn{broker: b, cluster: b.cluster, id: id, net: nc, gone: make(chan struct{})}
	c.reader = bufio.NewReaderSize(gate{c}, readBufferBytes)
	c.login.required = len(b.cluster.opts.Users) > 0
	return c
}

// cut ends the connection, whatever run is doing. Any goroutine may call it.
func (c *conn) cut() {
	if c.wasCut.CompareAndSwap(false, true) {
		close(c.gone)
		_ = c.net.Close()
	}
}

// run serves the connection until either side closes it.
func (c *conn) run() {
	defer c.cluster.goroutines.Done()
	defer c.broker.detach(c)
	defer c.cut()
	err := c.serve()
	if errors.Is(err, errSilent) {
		_, err = io.Copy(io.Discard, c.net)
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errGone) && !errors.Is(err, net.ErrClosed) {
		c.cluster.logf("broker %d closes connection %d from %v: %v", c.broker.id, c.id, c.net.RemoteAddr(), err)
	}
}

func (c *conn) serve() error {
	for !c.closing {
		frame, err := c.readFrame()
		if err != nil {
			return err
		}
		if err := c.awaitNetwork(); err != nil {
			return err
		}
		if err := c.handle(frame); err != nil {
			return err
		}
	}
	return nil
}

// gate is how run reads: not at all while the network is stalled.
type gate struct{ c *conn }

func (g gate) Read(p []byte) (int, error) {
	if err := g.c.awaitNetwork(); err != nil {
		return 0, err
	}
	return g.c.net.Read(p)
}

// awaitNetwork waits while the broker's network is stalled.
func (c *conn) awaitNetwork() error {
	for {
		switch Network(c.broker.network.Load()) {
		case NetworkBlackHole:
			return errSilent
		case NetworkStalled:
		default:
			return nil
		}
		network, changed := c.broker.networkChanged()
		if network != NetworkStalled {
			continue
		}
		select {
		case <-changed:
		case <-c.gone:
			return errGone
		}
	}
}

// wait lets time pass, unless the connection is cut meanwhile.
func (c *conn) wait(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.gone:
		return errGone
	}
}

// readFrame reads a request, without its size. Its memory is used again for the
// next one, unless a hook may keep it.
func (c *conn) readFrame() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.reader, head[:]); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:])))
	if size < 0 || size > c.cluster.opts.RequestMaxBytes {
		return nil, fmt.Errorf("request of %d bytes, at most %d are taken", size, c.cluster.opts.RequestMaxBytes)
	}
	frame := c.frame[:0]
	for len(frame) < size {
		from := len(frame)
		if cap(frame) > from {
			frame = frame[:min(size, cap(frame))]
		} else {
			grown := make([]byte, min(size, max(2*from, frameStepBytes)))
			copy(grown, frame)
			frame = grown
		}
		if _, err := io.ReadFull(c.reader, frame[from:]); err != nil {
			return nil, err
		}
	}
	if c.frame = frame; cap(frame) > frameKeepBytes {
		c.frame = nil
	}
	return frame, nil
}

// handle answers one request. An error closes the connection.
func (c *conn) handle(frame []byte) error {
	if c.login.bare {
		return c.bareToken(frame)
	}
	h, body, err := bridge.ReadRequest(frame)
	r := &Request{
		Broker: c.broker.id, Connection: c.id, API: API(h.Key), Version: h.Version, CorrelationID: h.CorrelationID,
		ClientID: h.ClientID, Body: body, conn: c, header: h, frame: frame,
	}
	o := c.cluster.offers.of(r.API)
	if o == nil {
		return fmt.Errorf("request with API key %d version %d, which is not offered", h.Key, h.Version)
	}
	outside := h.Version < o.min || h.Version > o.max
	switch {
	case r.API == ApiVersions && (outside || body == nil):
		c.count(r)
		return c.answer(r, o, c.versionsRefused(r, o))
	case err != nil:
		return fmt.Errorf("%v request version %d, offered are %d to %d: %w", r.API, h.Version, o.min, o.max, err)
	case outside:
		return fmt.Errorf("%v request version %d, offered are %d to %d", r.API, h.Version, o.min, o.max)
	}
	c.count(r)
	if err := c.login.admit(r.API); err != nil {
		return err
	}
	if hooks := c.cluster.hooks.Load(); hooks != nil {
		c.frame = nil // the hooks may keep the request
		r.ask(*hooks)
	}
	return c.process(r, o)
}

// process does what the hooks have left of a request.
func (c *conn) process(r *Request, o *offer) error {
	defer r.release()
	if err := c.wait(r.reply.Delay); err != nil {
		return err
	}
	switch r.reply.Action {
	case CutBefore:
		return fmt.Errorf("%v request cut before it was processed", r.API)
	case Drop:
		return errSilent
	}
	response := r.reply.Response
	if response == nil {
		var err error
		if response, err = o.handle(c, r); err != nil {
			return err
		}
	}
	switch r.reply.Action {
	case CutAfter:
		return fmt.Errorf("%v request cut after it was processed", r.API)
	case DropAnswer:
		return errSilent
	}
	if err := c.wait(r.reply.AnswerDelay); err != nil {
		return err
	}
	return c.answer(r, o, response)
}

// answer writes a response, nil for none, and throttles: from a certain version
// of each API on brokers answer first and read on later (KIP-219).
func (c *conn) answer(r *Request, o *offer, response any) error {
	throttle := r.reply.Throttle
	mute := throttle
	if response != nil {
		if throttle > 0 {
			bridge.SetThrottle(response, throttle)
			if o.throttleFirst < 0 || r.Version < o.throttleFirst {
				if err := c.wait(throttle); err != nil {
					return err
				}
				mute = 0
			}
		}
		if err := c.write(r.header, response); err != nil {
			return err
		}
	}
	return c.wait(mute)
}

// write sends a response; the records in it go out from where they are.
func (c *conn) write(h bridge.Header, response any) error {
	chunks, err := bridge.ResponseChunks(&c.codec, c.head, c.chunks[:0], h, response)
	if err != nil {
		return fmt.Errorf("response to %s version %d: %w", h.Name, h.Version, err)
	}
	if c.head = c.codec.Written(); cap(c.head) > readBufferBytes {
		c.head = nil
	}
	c.chunks = chunks
	defer clear(chunks)
	if Network(c.broker.network.Load()) == NetworkBlackHole {
		return errSilent
	}
	if len(chunks) == 1 {
		_, err = c.net.Write(chunks[0])
		return err
	}
	buffers := net.Buffers(chunks)
	_, err = buffers.WriteTo(c.net)
	return err
}
