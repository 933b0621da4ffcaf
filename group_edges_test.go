package sarama

import (
	"context"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// TestCloseContextEndsAfterAll leaves handlers behind, in odd moments: what is
// left of Close still comes to its end, and no connection stays.
func TestCloseContextEndsAfterAll(t *testing.T) {
	for _, test := range []struct {
		name    string
		lost    bool          // the coordinator does not know the member any more
		returns time.Duration // when the handler returns, from CloseContext on
	}{
		{"the handler returns later", false, 20 * time.Second},
		{"the member was out of the group already", true, 20 * time.Second},
		{"the handler returns at the same time", false, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 10 {
				synctest.Test(t, func(t *testing.T) {
					g := newGroupScript(t, 1)
					var open atomic.Int32
					g.wrap = func(_ string, c net.Conn) net.Conn { open.Add(1); return &countedConn{Conn: c, open: &open} }
					if test.lost {
						g.on("Heartbeat", func(string, bridge.Header, any) (any, error) { return &HeartbeatResponse{Err: ErrUnknownMemberId}, nil })
					}
					group := g.scriptGroup(t, g.groupConf())
					goOn := make(chan struct{})
					c := consumeInBackground(group, &scriptHandler{claim: func(ConsumerGroupSession, ConsumerGroupClaim) error { <-goOn; return nil }})
					time.Sleep(4 * time.Second)
					go func() { time.Sleep(test.returns); close(goOn) }()
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
					defer cancel()
					_ = group.(ConsumerGroupCloser).CloseContext(ctx)
					time.Sleep(8 * time.Second)
					if n := open.Load(); n != 0 {
						t.Errorf("%d connections are open", n)
					}
					if n := len(g.times("LeaveGroup")); !test.lost && n != 1 {
						t.Errorf("the member has left %d times", n)
					}
					done := make(chan struct{})
					go func() { _ = group.Close(); close(done) }()
					synctest.Wait()
					if !isClosed(done) {
						t.Fatal("Close hangs")
					}
					<-c.result
					c.cancel()
				})
				if t.Failed() {
					return
				}
			}
		})
	}
}

type countedConn struct {
	net.Conn
	open   *atomic.Int32
	closed atomic.Bool
}

func (c *countedConn) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

// TestHandlerThatEndsItsGoroutine in Setup or Cleanup, as FailNow of a test or
// a panic does, ends the session like one that returns.
func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	exit := func(ConsumerGroupSession) error { runtime.Goexit(); return nil }
	end := func(ConsumerGroupSession, ConsumerGroupClaim) error { return nil }
	for name, handler := range map[string]*scriptHandler{"Setup": {setup: exit}, "Cleanup": {claim: end, cleanup: exit}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroupScript(t, 1)
				group := g.scriptGroup(t, g.groupConf())
				c := consumeInBackground(group, handler)
				time.Sleep(10 * time.Second)
				if n := len(g.times("Heartbeat")); n != 0 {
					t.Errorf("%d heartbeats without a session", n)
				}
				c = consumeInBackground(group, &scriptHandler{claim: end})
				if err := <-c.result; err != nil {
					t.Errorf("the next Consume: %v", err)
				}
				c.cancel()
				_ = group.Close()
			})
		})
	}
}
