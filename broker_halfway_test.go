package sarama

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// halfConn is a connection whose first write, or whose first answer, is cut
// short by its deadline.
type halfConn struct {
	net.Conn
	write, read int // bytes until then; negative: all
}

func (c *halfConn) Write(b []byte) (int, error) {
	if c.write < 0 {
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(b[:min(c.write, len(b))])
	if c.write = -1; err == nil {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

func (c *halfConn) Read(b []byte) (int, error) {
	if c.read < 0 {
		return c.Conn.Read(b)
	}
	if c.read == 0 {
		c.read = -1
		return 0, os.ErrDeadlineExceeded
	}
	n, err := c.Conn.Read(b[:min(c.read, len(b))])
	c.read -= n
	return n, err
}

// TestBrokerThatStopsHalfwayIsNotUsed has the first exchange of a connection
// run out of time. A broker that has answered nothing at all is used without
// limits; a connection on which half a frame went is of no use.
func TestBrokerThatStopsHalfwayIsNotUsed(t *testing.T) {
	for _, test := range []struct {
		name        string
		write, read int
		used        bool
	}{
		{"all is well", -1, -1, true},
		{"no answer", -1, 0, true},
		{"half a request", 20, -1, false},
		{"half an answer's head", -1, 3, false},
		{"half an answer", -1, 15, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, standard(1, "t", 1, func(string, bridge.Header, any) (any, error) { return nil, nil }))
			s.wrap = func(_ string, c net.Conn) net.Conn { return &halfConn{c, test.write, test.read} }
			conf := s.config()
			conf.Net.ReadTimeout = 10 * time.Second
			b := NewBroker("b1:9092")
			if err := b.Open(conf); err != nil {
				t.Fatal(err)
			}
			used, err := b.Connected()
			if used != test.used || !used && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("connected: %v, %v", used, err)
			}
			if used {
				if _, err := b.GetMetadata(NewMetadataRequest(conf.Version, nil)); err != nil {
					t.Error(err)
				}
			}
			_ = b.Close()
		})
	}
}
