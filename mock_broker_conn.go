package sarama

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// A MockBroker's side of its connections.

const mockFrameStepBytes = 1 << 20 // how much is allocated before as much has come

// accept is the goroutine that waits for connections. It ends with the
// listener.
func (b *MockBroker) accept() {
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			if !b.stopped() {
				b.t.Errorf("mock broker %d: %v", b.id, err)
			}
			return
		}
		b.mu.Lock()
		if b.mu.closed {
			b.mu.Unlock()
			_ = conn.Close()
			return
		}
		b.mu.conns[conn] = struct{}{}
		b.ends.Go(func() { withRecover(func() { b.serve(conn) }) })
		b.mu.Unlock()
	}
}

func (b *MockBroker) stopped() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

// serve is a connection's goroutine: it reads a request, has it answered, and
// writes the response. It ends with the connection, which Close closes.
func (b *MockBroker) serve(conn net.Conn) {
	defer func() {
		_ = conn.Close()
		b.mu.Lock()
		delete(b.mu.conns, conn)
		b.mu.Unlock()
	}()
	for {
		frame, err := readMockFrame(conn)
		if err != nil {
			b.lost(conn, err)
			return
		}
		var out []byte
		var ok bool
		if handler := b.gssapiHandler(); handler != nil && isBareToken(frame) {
			out, ok = b.answerToken(handler, frame)
		} else {
			out, ok = b.exchange(conn, frame)
		}
		if !ok {
			return
		}
		if _, err := conn.Write(out); err != nil {
			b.lost(conn, err)
			return
		}
		if notify := b.notifier.Load(); notify != nil && *notify != nil {
			(*notify)(len(frame)+4, len(out))
		}
	}
}

// lost ends a connection. Only a client that breaks the protocol is an error of
// the test.
func (b *MockBroker) lost(conn net.Conn, err error) {
	var bad PacketDecodingError
	switch {
	case b.stopped() || errors.Is(err, io.EOF):
	case errors.As(err, &bad):
		b.t.Errorf("mock broker %d: request from %v: %v", b.id, conn.RemoteAddr(), err)
	default:
		Logger.Printf("*** mockbroker/%d connection from %v: %v\n", b.id, conn.RemoteAddr(), err)
	}
}

// exchange answers a request; it reports whether the connection goes on.
func (b *MockBroker) exchange(conn net.Conn, frame []byte) (out []byte, ok bool) {
	h, request, err := readRequest(frame)
	if err != nil {
		b.t.Errorf("mock broker %d: request from %v: %v", b.id, conn.RemoteAddr(), err)
		return nil, false
	}
	if !b.wait(time.Duration(b.latency.Load())) {
		return nil, false
	}
	call := &mockCall{over: make(chan struct{}), req: &mockRequest{
		correlationID: h.CorrelationID, clientID: h.ClientID, version: h.Version, body: request,
	}}
	select {
	case b.requests <- call:
		<-call.over // run comes to its end with it, also when Close is called meanwhile
	case <-b.done:
		return nil, false
	}
	if produce, is := request.(*ProduceRequest); call.resp == nil || is && produce.RequiredAcks == NoResponse {
		return nil, true
	}
	out, err = appendResponse(nil, bridge.Header{Version: call.version, CorrelationID: h.CorrelationID}, call.resp)
	if err != nil {
		b.t.Errorf("mock broker %d: response to %s v%d: %v", b.id, mockName(request), h.Version, err)
		return nil, false
	}
	return out, true
}

// isBareToken reports whether a message is a token of GSSAPI: as the key of an
// API, its first two bytes would be far above any.
func isBareToken(frame []byte) bool { return frame[0] == GSS_API_GENERIC_TAG || isWrapToken(frame) }

// answerToken has a token answered; it reports whether the connection goes on.
func (b *MockBroker) answerToken(handler GSSApiHandlerFunc, frame []byte) (out []byte, ok bool) {
	if !b.wait(time.Duration(b.latency.Load())) {
		return nil, false
	}
	return handler(behindLength(frame)), true
}

// gssapiOfMock has a handler of bare tokens answer one in a request. A refusal
// is an error code.
func gssapiOfMock(handler GSSApiHandlerFunc, req *SaslAuthenticateRequest) *SaslAuthenticateResponse {
	resp := &SaslAuthenticateResponse{Version: req.Version, SaslAuthBytes: []byte{}}
	answer := handler(behindLength(req.SaslAuthBytes))
	if len(answer) > 4 {
		resp.SaslAuthBytes = answer[4:]
	}
	if id, _, err := readGSSToken(resp.SaslAuthBytes); err == nil && id == gssTokenKRBError {
		why := foreignTokenError(resp.SaslAuthBytes).Error()
		resp.Err, resp.ErrorMessage, resp.SaslAuthBytes = ErrSASLAuthenticationFailed, &why, []byte{}
	}
	return resp
}

// wait waits, unless the broker is closed.
func (b *MockBroker) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-b.done:
		return false
	}
}

// readMockFrame reads a request without its length. Memory is allocated as its
// bytes come.
func readMockFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := int32(binary.BigEndian.Uint32(head[:]))
	if size <= 4 || size > MaxRequestSize {
		return nil, PacketDecodingError{fmt.Sprintf("message of length %d too large or too small", size)}
	}
	frame := make([]byte, 0, min(int(size), mockFrameStepBytes))
	for len(frame) < int(size) {
		step := min(int(size)-len(frame), max(len(frame), mockFrameStepBytes))
		from := len(frame)
		frame = append(frame, make([]byte, step)...)
		if _, err := io.ReadFull(r, frame[from:]); err != nil {
			return nil, fmt.Errorf("after %d bytes of a request of %d: %w", from, size, err)
		}
	}
	return frame, nil
}
