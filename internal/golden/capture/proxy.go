package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"sync"
)

// frameMax is more than any frame of the programs that are recorded.
const frameMax = 16 << 20

// proxy forwards connections to a broker and tells the recorder of each frame.
type proxy struct {
	// constant after newProxy
	rec      *recorder
	listener net.Listener
	done     chan struct{} // closed when the listener is

	// mu guards
	mu     sync.Mutex
	target string
	conns  map[net.Conn]bool
}

func newProxy(rec *recorder) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &proxy{rec: rec, listener: l, done: make(chan struct{}), conns: map[net.Conn]bool{}}
	go p.accept()
	return p, nil
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) setTarget(addr string) {
	p.retarget(addr)
}

// retarget is setTarget that returns the target before.
func (p *proxy) retarget(addr string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.target
	p.target = addr
	return old
}

func (p *proxy) close() {
	p.listener.Close()
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) accept() {
	defer close(p.done)
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target := p.target
		p.mu.Unlock()
		broker, err := net.Dial("tcp", target)
		if err != nil {
			log.Printf("proxy: %v", err)
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[broker] = true, true
		p.mu.Unlock()
		p.forward(client, broker)
	}
}

// forward splits both directions into frames. When either ends, both do.
func (p *proxy) forward(client, broker net.Conn) {
	s := &stream{rec: p.rec, pending: map[int32]*exchange{}}
	finish := func(err error) {
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
			log.Printf("proxy: %v", err)
		}
		client.Close()
		broker.Close()
		p.mu.Lock()
		delete(p.conns, client)
		delete(p.conns, broker)
		p.mu.Unlock()
	}
	go func() { finish(copyFrames(broker, client, s.request)) }()
	go func() { finish(copyFrames(client, broker, s.response)) }()
}

// copyFrames shows each frame before it sends it on, so that a response is never
// seen before its request.
func copyFrames(dst io.Writer, src io.Reader, show func([]byte) error) error {
	for {
		var size [4]byte
		if _, err := io.ReadFull(src, size[:]); err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(size[:])
		if n > frameMax {
			return fmt.Errorf("frame of %d bytes", n)
		}
		frame := make([]byte, 4+n)
		copy(frame, size[:])
		if _, err := io.ReadFull(src, frame[4:]); err != nil {
			return err
		}
		if err := show(frame[4:]); err != nil {
			return err
		}
		if _, err := dst.Write(frame); err != nil {
			return err
		}
	}
}

// stream pairs the frames of one connection.
type stream struct {
	rec *recorder

	// mu guards
	mu      sync.Mutex
	pending map[int32]*exchange
}

func (s *stream) request(frame []byte) error {
	if len(frame) < 8 {
		return fmt.Errorf("request of %d bytes", len(frame))
	}
	x := &exchange{
		key:     int16(binary.BigEndian.Uint16(frame)),
		version: int16(binary.BigEndian.Uint16(frame[2:])),
		request: frame,
	}
	s.rec.add(x)
	s.mu.Lock()
	s.pending[int32(binary.BigEndian.Uint32(frame[4:]))] = x
	s.mu.Unlock()
	return nil
}

func (s *stream) response(frame []byte) error {
	if len(frame) < 4 {
		return fmt.Errorf("response of %d bytes", len(frame))
	}
	id := int32(binary.BigEndian.Uint32(frame))
	s.mu.Lock()
	x := s.pending[id]
	delete(s.pending, id)
	s.mu.Unlock()
	if x == nil {
		return fmt.Errorf("response to no request, correlation id %d", id)
	}
	s.rec.answer(x, frame)
	return nil
}
