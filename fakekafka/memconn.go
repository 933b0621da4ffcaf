package fakekafka

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// pipeMaxBytes is how much a connection in memory holds in each direction, so
// that a write need not wait for a read.
const pipeMaxBytes = 64 << 10

// pipe is one direction of a connection in memory. All waiting is on a
// condition variable, which testing/synctest knows to be durable.
type pipe struct {
	changed *sync.Cond // on mu; whenever something below changes

	mu struct {
		sync.Mutex
		buf           []byte // buf[from:] is unread
		from          int
		readerClosed  bool // writes fail
		writerClosed  bool // reads end after what is buffered
		readDeadline  time.Time
		writeDeadline time.Time
	}
}

func newPipe() *pipe {
	p := new(pipe)
	p.changed = sync.NewCond(&p.mu)
	return p
}

// waitLocked waits for a change, at most until the deadline.
func (p *pipe) waitLocked(deadline time.Time) {
	if deadline.IsZero() {
		p.changed.Wait()
		return
	}
	left := time.Until(deadline)
	if left <= 0 {
		return
	}
	timer := time.AfterFunc(left, func() {
		p.mu.Lock() // whoever looked at the clock is waiting by now
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})
	p.changed.Wait()
	timer.Stop()
}

func passed(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.mu.readerClosed:
			return 0, net.ErrClosed
		case passed(p.mu.readDeadline):
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case p.mu.from < len(p.mu.buf):
			n := copy(b, p.mu.buf[p.mu.from:])
			if p.mu.from += n; p.mu.from == len(p.mu.buf) {
				p.mu.buf, p.mu.from = p.mu.buf[:0], 0
			}
			p.changed.Broadcast()
			return n, nil
		case p.mu.writerClosed:
			return 0, io.EOF
		}
		p.waitLocked(p.mu.readDeadline)
	}
}

func (p *pipe) write(b []byte) (written int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.mu.writerClosed:
			return written, net.ErrClosed
		case p.mu.readerClosed:
			return written, syscall.EPIPE
		case passed(p.mu.writeDeadline):
			return written, os.ErrDeadlineExceeded
		case len(b) == 0:
			return written, nil
		}
		room := pipeMaxBytes - (len(p.mu.buf) - p.mu.from)
		if room == 0 {
			p.waitLocked(p.mu.writeDeadline)
			continue
		}
		n := min(room, len(b))
		if p.mu.from > 0 && len(p.mu.buf)+n > cap(p.mu.buf) {
			p.mu.buf = p.mu.buf[:copy(p.mu.buf, p.mu.buf[p.mu.from:])]
			p.mu.from = 0
		}
		p.mu.buf = append(p.mu.buf, b[:n]...)
		written, b = written+n, b[n:]
		p.changed.Broadcast()
	}
}

// set changes what mu guards and tells those who wait.
func (p *pipe) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.changed.Broadcast()
}

// memAddr is the address of an end of a connection in memory.
type memAddr string

func (memAddr) Network() string  { return "memory" }
func (a memAddr) String() string { return string(a) }

// memConn is one end of a connection in memory.
type memConn struct {
	in, out       *pipe
	local, remote memAddr
}

// newMemConns returns both ends of a connection.
func newMemConns(client, server memAddr) (*memConn, *memConn) {
	up, down := newPipe(), newPipe()
	return &memConn{in: down, out: up, local: client, remote: server}, &memConn{in: up, out: down, local: server, remote: client}
}

func (c *memConn) wrap(op string, n int, err error) (int, error) {
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

func (c *memConn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	return c.wrap("read", n, err)
}

func (c *memConn) Write(b []byte) (int, error) {
	n, err := c.out.write(b)
	return c.wrap("write", n, err)
}

func (c *memConn) Close() error {
	c.out.set(func() { c.out.mu.writerClosed = true })
	c.in.set(func() { c.in.mu.readerClosed = true })
	return nil
}

func (c *memConn) LocalAddr() net.Addr  { return c.local }
func (c *memConn) RemoteAddr() net.Addr { return c.remote }

func (c *memConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.in.set(func() { c.in.mu.readDeadline = t })
	return nil
}

func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.out.set(func() { c.out.mu.writeDeadline = t })
	return nil
}
