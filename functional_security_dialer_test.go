package sarama_test

import (
	"context"
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rcrowley/go-metrics"

	"github.com/IBM/sarama"
)

// The keys of the APIs that connections are counted by.
const (
	keyOfHandshake    = 17
	keyOfAuthenticate = 36
)

// watchedDialer counts connections and, where they are not encrypted, the
// requests on them.
type watchedDialer struct {
	net.Dialer

	// mu guards
	mu    sync.Mutex
	conns []*watchedConn
}

// watch has a configuration dial through a dialer that counts.
func watch(conf *sarama.Config) *watchedDialer {
	d := new(watchedDialer)
	conf.Net.Proxy.Enable, conf.Net.Proxy.Dialer = true, d
	return d
}

func (d *watchedDialer) Dial(network, addr string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, addr)
}

func (d *watchedDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.Dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &watchedConn{Conn: conn, requests: make(map[int16]int)}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns = append(d.conns, c)
	return c, nil
}

func (d *watchedDialer) all() []*watchedConn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.conns)
}

// dials is how many connections were opened.
func (d *watchedDialer) dials() int { return len(d.all()) }

// open is how many of them the client has not closed.
func (d *watchedDialer) open() (n int) {
	for _, c := range d.all() {
		if c.count(-1) == 0 {
			n++
		}
	}
	return n
}

// watchedConn is a connection whose requests are counted. What is written after
// a handshake of version 0, which is no request, is for nobody to look at.
type watchedConn struct {
	net.Conn

	// mu guards
	mu       sync.Mutex
	head     []byte        // the first bytes of a request, as far as they came
	rest     int           // bytes of a request that are still to come
	requests map[int16]int // by API key; -1: closed
	last     time.Time     // when the last request was written
}

// headBytes are a request's size and API key.
const headBytes = 6

func (c *watchedConn) Write(b []byte) (int, error) {
	c.note(b)
	return c.Conn.Write(b)
}

func (c *watchedConn) note(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(b) > 0 {
		if c.rest > 0 {
			n := min(c.rest, len(b))
			c.rest -= n
			b = b[n:]
			continue
		}
		n := min(headBytes-len(c.head), len(b))
		c.head = append(c.head, b[:n]...)
		b = b[n:]
		if len(c.head) == headBytes {
			c.requests[int16(binary.BigEndian.Uint16(c.head[4:]))]++
			c.rest = int(binary.BigEndian.Uint32(c.head)) - 2
			c.head, c.last = c.head[:0], time.Now()
		}
	}
}

func (c *watchedConn) Close() error {
	c.mu.Lock()
	c.requests[-1]++
	c.mu.Unlock()
	return c.Conn.Close()
}

func (c *watchedConn) count(key int16) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[key]
}

// idle is how long ago the last request was.
func (c *watchedConn) idle() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.last)
}

// steadyMeter counts. A meter of the client's own goes when the last connection
// that uses it does; one that was there before stays.
type steadyMeter struct{ n atomic.Int64 }

func (m *steadyMeter) Count() int64            { return m.n.Load() }
func (m *steadyMeter) Mark(n int64)            { m.n.Add(n) }
func (m *steadyMeter) Rate1() float64          { return 0 }
func (m *steadyMeter) Rate5() float64          { return 0 }
func (m *steadyMeter) Rate15() float64         { return 0 }
func (m *steadyMeter) RateMean() float64       { return 0 }
func (m *steadyMeter) Snapshot() metrics.Meter { return m }
func (m *steadyMeter) Stop()                   {}

// metered is how many requests were sent by all clients of a configuration since
// it was asked for the first time: all of them, or those of an API.
func metered(conf *sarama.Config, name string) int64 {
	return conf.MetricRegistry.GetOrRegister(name, new(steadyMeter)).(metrics.Meter).Count()
}

const (
	allRequests     = "request-rate"
	authentications = "protocol-requests-rate-36" // SaslAuthenticate
)

func TestWatchedConnCountsRequests(t *testing.T) {
	request := func(key, size byte) []byte {
		return append([]byte{0, 0, 0, size, 0, key}, make([]byte, size-2)...)
	}
	stream := slices.Concat(request(17, 9), request(36, 2), request(3, 200), request(36, 12))
	for _, step := range []int{1, 5, 7, len(stream)} {
		c := &watchedConn{requests: make(map[int16]int)}
		for part := range slices.Chunk(stream, step) {
			c.note(part)
		}
		if c.count(17) != 1 || c.count(36) != 2 || c.count(3) != 1 || len(c.requests) != 3 {
			t.Errorf("by %d bytes: %v", step, c.requests)
		}
	}
}
