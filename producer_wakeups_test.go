package sarama

import (
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/IBM/sarama/internal/bridge"
)

// readCounter counts the reads of a client's end of a connection that had to
// wait for the network.
type readCounter struct {
	net.Conn
	reads *atomic.Int64
}

func (c readCounter) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.reads.Add(1)
	return n, err
}

// TestSyncSendWakesSixGoroutines counts what it takes to send one message and
// have the answer: intake, owner, sender, the connection's reader, the owner
// again, and the caller. The answer comes in one piece: the reader's buffer
// takes it with one read.
func TestSyncSendWakesSixGoroutines(t *testing.T) {
	for _, idem := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var reads atomic.Int64
			s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
				return produceAnswer(req, ErrNoError), nil
			}))
			s.wrap = func(_ string, c net.Conn) net.Conn { return readCounter{c, &reads} }
			conf := s.config()
			if idem {
				idempotent(conf)
			}
			p, err := NewSyncProducer([]string{"b1:9092"}, conf)
			if err != nil {
				t.Fatal(err)
			}
			in := p.(*syncProducer).producer
			send := func() {
				if _, _, err := p.SendMessage(&ProducerMessage{Topic: "t", Value: StringEncoder("v")}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // all have gone back to their wait
			}
			count := func() [4]int { // nobody runs
				return [4]int{in.intake.woken, in.owner.woken, in.owner.senders[1].woken, int(reads.Load())}
			}
			send()
			before := count()
			const n = 100
			for range n {
				send()
			}
			after := count()
			for i, c := range []struct {
				who  string
				want int
			}{{"intake", n}, {"owner", 2 * n}, {"sender", n}, {"reader", n}} {
				if got := after[i] - before[i]; got != c.want {
					t.Errorf("idempotent %v: the %s woke %d times for %d messages, want %d", idem, c.who, got, n, c.want)
				}
			}
			_ = p.Close()
			s.close()
		})
	}
}
