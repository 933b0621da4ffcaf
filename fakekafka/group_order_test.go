package fakekafka_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// What scripts do is ordered by answers and by what can be seen of the group,
// never by how soon one step follows another. A timeout that is to pass is
// short enough to wait for, and long enough for what has to be done before it;
// any other never passes.
const (
	shortTimeout = 4_000 // milliseconds
	longTimeout  = 120_000
	patience     = 2 * time.Minute // for what must come
)

// await looks again and again until something holds.
func (s *script) await(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s: not in %v; so far:\n%s", what, patience, strings.Join(s.lines, "\n"))
		}
	}
}

// awaitMembers waits until the group has so many.
func (s *script) awaitMembers(n int) {
	s.t.Helper()
	s.await(fmt.Sprintf("a group of %d", n), func() bool {
		r, err := s.asker.DescribeGroups(&sarama.DescribeGroupsRequest{Version: 5, Groups: []string{s.group}})
		must(s.t, err)
		return len(r.Groups[0].Members) == n
	})
}

// conn opens one more connection.
func (s *script) conn() *sarama.Broker {
	s.t.Helper()
	b, _ := s.watchedConn()
	return b
}

// watchedConn opens one more connection, and counts the requests that are on
// the way.
func (s *script) watchedConn() (*sarama.Broker, *atomic.Int64) {
	s.t.Helper()
	sent := new(atomic.Int64)
	conf := *s.conf
	if !s.bubble {
		conf.Net.Proxy.Enable, conf.Net.Proxy.Dialer = true, frameCounter{sent}
	}
	b := sarama.NewBroker(s.addr)
	must(s.t, b.Open(&conf))
	s.t.Cleanup(func() { _ = b.Close() })
	if s.bubble {
		return b, sent
	}
	if ok, err := b.Connected(); !ok {
		s.t.Fatalf("not connected to %s: %v", s.addr, err)
	}
	return b, sent
}

// frameCounter dials connections that count the frames that are written.
type frameCounter struct{ sent *atomic.Int64 }

func (f frameCounter) Dial(network, addr string) (net.Conn, error) {
	conn, err := net.Dial(network, addr)
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: conn, sent: f.sent}, nil
}

type countedConn struct {
	net.Conn               // constant
	sent     *atomic.Int64 // whole frames

	// owned by who writes
	size []byte // of the frame that is being written, as far as it is there
	rest int    // bytes of it that are to come
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	for b = b[:n]; len(b) > 0; {
		if len(c.size) < 4 {
			if c.size, b = append(c.size, b[0]), b[1:]; len(c.size) == 4 {
				c.rest = int(binary.BigEndian.Uint32(c.size))
			}
			continue
		}
		part := min(c.rest, len(b))
		c.rest -= part
		if b = b[part:]; c.rest == 0 {
			c.size = c.size[:0]
			c.sent.Add(1)
		}
	}
	return n, err
}

// taken waits until the coordinator has dealt with a request whose answer may
// be long in coming. before is how things were until then.
func (s *script) taken(sent *atomic.Int64, before taking, answered func() bool) {
	s.t.Helper()
	if s.bubble {
		time.Sleep(30 * time.Millisecond)
		return
	}
	s.await("a request to be sent", func() bool { return sent.Load() > before.sent })
	if s.fake != nil {
		s.await("a request to be taken", func() bool { return answered() || !slices.Equal(s.waiting(), before.waiting) })
		return
	}
	// The real broker has one thread to read from connections and one that
	// hands requests on. When it answers what was sent later, it has read this
	// one, which goes before all that is sent from now on.
	for range 2 {
		_, err := s.asker.ApiVersions(&sarama.ApiVersionsRequest{})
		must(s.t, err)
	}
}

// taking is how things are before a request.
type taking struct {
	sent    int64
	waiting []string
}

func (s *script) taking(sent *atomic.Int64) taking { return taking{sent.Load(), s.waiting()} }

// waiting lists those whose requests the embedded coordinator holds.
func (s *script) waiting() (list []string) {
	if s.fake == nil {
		return nil
	}
	g, _ := s.fake.Group(s.group)
	for _, m := range g.Members {
		if m.Waiting {
			list = append(list, m.ID)
		}
	}
	slices.Sort(list)
	return list
}
