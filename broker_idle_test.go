package sarama

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// hangUp closes the brokers' ends of all connections.
func (s *script) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.mu.conns {
		if _, ours := c.(*scriptConn); ours {
			_ = c.Close()
		}
	}
}

func (s *script) dialled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.dials
}

func (s *script) refuse(refused bool, addrs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range addrs {
		s.mu.refused[a] = refused
	}
}

// idleRequests are requests of each kind that a Broker sends.
func idleRequests(b *Broker) map[string]func() error {
	return map[string]func() error{
		"ApiVersions": func() error {
			_, err := b.ApiVersions(&ApiVersionsRequest{Version: 3, ClientSoftwareName: "a", ClientSoftwareVersion: "1"})
			return err
		},
		"Metadata": func() error { _, err := b.GetMetadata(&MetadataRequest{Version: 9}); return err },
		"ListOffsets": func() error {
			req := &OffsetRequest{Version: 2}
			req.AddBlock("t", 0, OffsetNewest, 1)
			_, err := b.GetAvailableOffsets(req)
			return err
		},
		"FindCoordinator": func() error {
			_, err := b.FindCoordinator(&FindCoordinatorRequest{Version: 3, CoordinatorKey: "g"})
			return err
		},
		"InitProducerId": func() error { _, err := b.InitProducerID(&InitProducerIDRequest{Version: 2}); return err },
		"InitProducerId of a transaction": func() error {
			id := "t"
			_, err := b.InitProducerID(&InitProducerIDRequest{Version: 2, TransactionalID: &id, TransactionTimeout: time.Second})
			return err
		},
		"Produce": func() error {
			req := &ProduceRequest{Version: 7, RequiredAcks: WaitForAll}
			req.AddBatch("t", 0, batchOfValues(0, "v"))
			_, err := b.Produce(req)
			return err
		},
		"Produce without acks": func() error {
			req := &ProduceRequest{Version: 7, RequiredAcks: NoResponse}
			req.AddBatch("t", 0, batchOfValues(0, "v"))
			_, err := b.Produce(req)
			return err
		},
		"AsyncProduce": func() error {
			req := &ProduceRequest{Version: 7, RequiredAcks: WaitForAll}
			req.AddBatch("t", 0, batchOfValues(0, "v"))
			done := make(chan error, 1)
			if err := b.AsyncProduce(req, func(_ *ProduceResponse, err error) { done <- err }); err != nil {
				return err
			}
			return <-done
		},
	}
}

// answerAll answers all that idleRequests sends.
func answerAll(addr string, h bridge.Header, req any) (any, error) {
	return standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
		switch req := req.(type) {
		case *OffsetRequest:
			r := &OffsetResponse{}
			r.AddTopicPartition("t", 0, 7)
			return r, nil
		case *FindCoordinatorRequest:
			return &FindCoordinatorResponse{Coordinator: &Broker{id: 1, addr: "b1:9092"}}, nil
		case *ProduceRequest:
			if req.RequiredAcks == NoResponse {
				return nil, nil
			}
			return produceAnswer(req, ErrNoError), nil
		}
		return nil, errors.New("unexpected")
	})(addr, h, req)
}

func TestBrokerDialsAnIdleConnectionAgain(t *testing.T) {
	for name := range idleRequests(nil) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, answerAll)
				b := openBroker(t, s, nil)
				if ok, err := b.Connected(); !ok {
					t.Fatal(err)
				}
				for range 3 {
					time.Sleep(10 * time.Minute)
					s.hangUp()
					synctest.Wait()
					if ok, err := b.Connected(); ok || !errors.Is(err, io.EOF) {
						t.Errorf("connected %v, %v", ok, err)
					}
					start := time.Now()
					if err := idleRequests(b)[name](); err != nil {
						t.Error(err)
					}
					if took := time.Since(start); took != 0 {
						t.Errorf("took %v", took)
					}
				}
				if n := s.dialled(); n != 4 {
					t.Errorf("dialled %d times", n)
				}
				_ = b.Close()
				if err := idleRequests(b)[name](); err != ErrNotConnected {
					t.Errorf("after Close: %v", err)
				}
				s.close()
			})
		})
	}
}

// The broker closes a connection at the very moment at which a request is
// written: what may be carried out twice is asked again, once.
func TestBrokerAsksAgainWhereTheBrokerHangsUpOnARequest(t *testing.T) {
	again := map[string]bool{"ApiVersions": true, "Metadata": true, "ListOffsets": true, "FindCoordinator": true, "InitProducerId": true}
	for name := range idleRequests(nil) {
		if name == "Produce without acks" {
			continue // nobody can tell
		}
		for hangUps := 1; hangUps <= 2; hangUps++ {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var armed atomic.Int32
					var asked atomic.Int32
					s := newScript(t, nil)
					s.answer = func(addr string, h bridge.Header, req any) (any, error) {
						if _, handshake := req.(*ApiVersionsRequest); !handshake || h.Version == 3 {
							asked.Add(1)
							if armed.Add(-1) >= 0 {
								return nil, errHangUp
							}
						}
						return answerAll(addr, h, req)
					}
					b := openBroker(t, s, func(c *Config) { c.Version = MaxVersion }) // whose handshake is version 4
					if err := idleRequests(b)["Metadata"](); err != nil {
						t.Fatal(err)
					}
					asked.Store(0)
					armed.Store(int32(hangUps))
					err := idleRequests(b)[name]()
					want := int32(1)
					if again[name] {
						want = 2
					}
					if fails := !again[name] || hangUps > 1; fails != errors.Is(err, io.EOF) || !fails && err != nil || asked.Load() != want {
						t.Errorf("%d hang-ups: asked %d times, %v", hangUps, asked.Load(), err)
					}
					_ = b.Close()
					s.close()
				})
			})
		}
	}
}

// A hang-up with other requests under way is no idle connection's end.
func TestBrokerDoesNotAskAgainOnABusyConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		s := newScript(t, nil)
		s.answer = func(addr string, h bridge.Header, req any) (any, error) {
			if _, ok := req.(*FindCoordinatorRequest); ok {
				if n.Add(1) == 2 {
					return nil, errHangUp
				}
				return nil, nil // never answered
			}
			return answerAll(addr, h, req)
		}
		b := openBroker(t, s, nil)
		if ok, err := b.Connected(); !ok {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			// Alone on the connection when it was sent: it is asked again, on
			// the new connection, which never answers it.
			if err := idleRequests(b)["FindCoordinator"](); err != ErrNotConnected {
				t.Errorf("the first: %v", err)
			}
		})
		synctest.Wait()
		if err := idleRequests(b)["FindCoordinator"](); !errors.Is(err, io.EOF) {
			t.Errorf("the second: %v", err)
		}
		synctest.Wait()
		if got := n.Load(); got != 3 {
			t.Errorf("%d requests", got)
		}
		_ = b.Close()
		wg.Wait()
		s.close()
	})
}

// An answer of which a part has come is lost with the connection: asking again
// would hide a broker that cannot answer.
func TestBrokerDoesNotAskAgainAfterPartOfAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cut atomic.Bool
		s := newScript(t, answerAll)
		s.wrap = func(_ string, c net.Conn) net.Conn { return &cutConn{Conn: c, cut: &cut} }
		b := openBroker(t, s, nil)
		if err := idleRequests(b)["Metadata"](); err != nil {
			t.Fatal(err)
		}
		cut.Store(true)
		if err := idleRequests(b)["Metadata"](); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
		if n := s.dialled(); n != 1 {
			t.Errorf("dialled %d times", n)
		}
		_ = b.Close()
		s.close()
	})
}

// cutConn ends after three bytes of the next answer.
type cutConn struct {
	net.Conn
	cut  *atomic.Bool
	left int
}

func (c *cutConn) Read(p []byte) (int, error) {
	switch {
	case c.left < 0:
		return 0, io.EOF
	case c.cut.Load() && c.left == 0:
		c.left = 3
	}
	n, err := c.Conn.Read(p)
	if c.left > 0 || c.cut.Load() { // what was waited for began before the cut
		c.left = -1
		return min(n, 3), err
	}
	return n, err
}

// The client's own requests, on connections that its brokers have closed.
func TestClientDialsIdleConnectionsAgain(t *testing.T) {
	for _, race := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var armed atomic.Bool
			s := newScript(t, nil)
			s.answer = func(addr string, h bridge.Header, req any) (any, error) {
				if _, handshake := req.(*ApiVersionsRequest); !handshake && armed.CompareAndSwap(true, false) {
					return nil, errHangUp
				}
				return answerAll(addr, h, req)
			}
			conf := s.config()
			conf.Metadata.Retry.Max = 0
			c, err := NewClient([]string{"b1:9092"}, conf)
			if err != nil {
				t.Fatal(err)
			}
			for name, call := range map[string]func() error{
				"RefreshMetadata":    func() error { return c.RefreshMetadata("t") },
				"RefreshCoordinator": func() error { return c.RefreshCoordinator("g") },
				"InitProducerID":     func() error { _, err := c.InitProducerID(); return err },
				"GetOffset":          func() error { _, err := c.GetOffset("t", 0, OffsetNewest); return err },
			} {
				if err := c.RefreshMetadata("t"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Minute)
				if race {
					armed.Store(true)
				} else {
					s.hangUp()
					synctest.Wait()
				}
				if err := call(); err != nil {
					t.Errorf("%s, race %v: %v", name, race, err)
				}
			}
			_ = c.Close()
			s.close()
		})
	}
}
