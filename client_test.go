package sarama

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

func TestClientAsksOneSeedAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		var mu sync.Mutex
		addrs := map[string]int{}
		s := newScript(t, nil)
		s.answer = func(addr string, h bridge.Header, req any) (any, error) {
			l.add(h)
			mu.Lock()
			addrs[addr]++
			mu.Unlock()
			return standard(3, "t", 3, nil)(addr, h, req)
		}
		c, err := NewClient([]string{"s1:9092", "s2:9092", "s3:9092"}, s.config())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := l.list(), []string{"ApiVersions", "Metadata"}; !slices.Equal(got, want) || len(addrs) != 1 {
			t.Errorf("requests %v to %v", got, addrs)
		}
		if err := c.RefreshMetadata(); err != nil {
			t.Error(err)
		}
		for addr := range addrs {
			if addr[0] == 's' && addrs[addr] != 2 {
				t.Errorf("the seed %s was asked again: later refreshes go to a registered broker", addr)
			}
		}
		before := len(l.list())
		if _, err := c.Leader("t", 0); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := l.list()[before:]; !slices.Equal(dropHandshakes(got), nil) {
			t.Errorf("Leader sent %v", got)
		}
		_ = c.Close()
		s.close()
	})
}

func TestClientRacesDialsToSeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		s := newScript(t, standard(1, "t", 1, nil))
		var dialled []string
		var mu sync.Mutex
		conf := s.config()
		start := time.Now()
		conf.Net.Proxy.Dialer = addrDialer(func(addr string) (net.Conn, error) {
			mu.Lock()
			dialled = append(dialled, fmt.Sprintf("%s at %v", addr[:2], time.Since(start)))
			n := len(dialled)
			mu.Unlock()
			if n < 3 {
				<-hang
				return nil, errHangUp
			}
			return s.Dial("tcp", addr)
		})
		c, err := NewClient([]string{"s1:9092", "s2:9092", "s3:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 2*dialStagger {
			t.Errorf("took %v: %v", took, dialled)
		}
		_ = c.Close()
		close(hang)
		s.close()
	})
}

type addrDialer func(addr string) (net.Conn, error)

func (f addrDialer) Dial(_, addr string) (net.Conn, error) { return f(addr) }

func TestClientConcurrentRefreshesShareARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		s := newScript(t, answering(slowMetadata(&asked), nil))
		c, err := NewClient([]string{"b1:9092"}, s.config())
		if err != nil {
			t.Fatal(err)
		}
		asked.Store(0)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if err := c.RefreshMetadata("t"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := asked.Load(); n > 2 {
			t.Errorf("100 refreshes made %d requests", n)
		}
		_ = c.Close()
		s.close()
	})
}

func TestClientRefreshErrorsNameTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, nil)
		var asked int
		s.answer = func(addr string, h bridge.Header, req any) (any, error) {
			if _, ok := req.(*MetadataRequest); !ok {
				return standard(1, "t", 1, nil)(addr, h, req)
			}
			asked++
			r := simpleMetadata(1, "t", 1)
			r.AddTopic("gone", ErrUnknownTopicOrPartition)
			r.AddTopic("secret", ErrTopicAuthorizationFailed)
			r.AddTopicPartition("leaderless", 0, -1, nil, nil, nil, ErrLeaderNotAvailable)
			return r, nil
		}
		conf := s.config()
		conf.Metadata.Full = false
		c, err := NewClient([]string{"b1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		if asked != 0 {
			t.Error("asked before anybody wanted to know")
		}
		for _, q := range []struct {
			topics []string
			text   string
			is     error
			asks   int
		}{
			{[]string{"t"}, "", nil, 1},
			{[]string{"gone"}, "gone: " + ErrUnknownTopicOrPartition.Error(), ErrUnknownTopicOrPartition, 4},
			{[]string{"secret"}, "secret: " + ErrTopicAuthorizationFailed.Error(), ErrTopicAuthorizationFailed, 1},
			{[]string{"leaderless", "gone"}, "gone: " + ErrUnknownTopicOrPartition.Error() + "\nleaderless: " + ErrLeaderNotAvailable.Error(), ErrLeaderNotAvailable, 4},
			{[]string{""}, ErrInvalidTopic.Error(), ErrInvalidTopic, 0},
		} {
			asked = 0
			err := c.RefreshMetadata(q.topics...)
			if q.is == nil && err != nil || q.is != nil && (!errors.Is(err, q.is) || err.Error() != q.text) {
				t.Errorf("%v: %v", q.topics, err)
			}
			if asked != q.asks {
				t.Errorf("%v: asked %d times, want %d", q.topics, asked, q.asks)
			}
		}
		if _, err := c.Leader("leaderless", 0); !errors.Is(err, ErrLeaderNotAvailable) {
			t.Errorf("leader: %v", err)
		}
		if ids, err := c.Partitions("leaderless"); err != nil || len(ids) != 1 {
			t.Errorf("a topic without leaders is kept: %v, %v", ids, err)
		}
		_ = c.Close()
		s.close()
	})
}

func TestClientOutOfBrokersWrapsTheCauses(t *testing.T) {
	s := newScript(t, nil)
	conf := s.config()
	conf.Metadata.Retry.Max = 0
	cause := errors.New("no route")
	conf.Net.Proxy.Dialer = addrDialer(func(string) (net.Conn, error) { return nil, cause })
	_, err := NewClient([]string{"b1:9092", "b2:9092"}, conf)
	if !errors.Is(err, ErrOutOfBrokers) || !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}

func TestClientAfterClose(t *testing.T) {
	s := newScript(t, standard(1, "t", 1, nil))
	c, err := NewClient([]string{"b1:9092"}, s.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for name, call := range map[string]func() error{
		"Close":           c.Close,
		"Topics":          func() error { _, err := c.Topics(); return err },
		"Partitions":      func() error { _, err := c.Partitions("t"); return err },
		"Leader":          func() error { _, err := c.Leader("t", 0); return err },
		"Replicas":        func() error { _, err := c.Replicas("t", 0); return err },
		"RefreshMetadata": func() error { return c.RefreshMetadata() },
		"RefreshBrokers":  func() error { return c.RefreshBrokers([]string{"b2:9092"}) },
		"GetOffset":       func() error { _, err := c.GetOffset("t", 0, OffsetNewest); return err },
		"Controller":      func() error { _, err := c.Controller(); return err },
		"Coordinator":     func() error { _, err := c.Coordinator("g"); return err },
	} {
		if err := call(); !errors.Is(err, ErrClosedClient) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Broker(1); !errors.Is(err, ErrBrokerNotFound) {
		t.Errorf("Broker: %v", err)
	}
	if _, err := c.InitProducerID(); !errors.Is(err, ErrOutOfBrokers) {
		t.Errorf("InitProducerID: %v", err)
	}
	if len(c.Brokers()) != 0 || c.LeastLoadedBroker() != nil || !c.PartitionNotReadable("t", 0) || !c.Closed() {
		t.Error("something is left")
	}
}

func TestClientCloseAnswersBlockedCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		s := newScript(t, unless(&silent, standard(1, "t", 1, nil)))
		c, err := NewClient([]string{"b1:9092"}, s.config())
		if err != nil {
			t.Fatal(err)
		}
		silent.Store(true)
		var wg sync.WaitGroup
		for _, call := range []func() error{
			func() error { return c.RefreshMetadata() },
			func() error { return c.RefreshMetadata("other") },
			func() error { _, err := c.Partitions("unknown"); return err },
			func() error { _, err := c.Coordinator("g"); return err },
			func() error { _, err := c.RefreshController(); return err },
		} {
			wg.Go(func() {
				if err := call(); !errors.Is(err, ErrClosedClient) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		_ = c.Close()
		wg.Wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
		s.close()
	})
}

func TestClientIgnoresAnOlderLeaderEpoch(t *testing.T) {
	answers := []struct {
		leader, epoch int32
		id            Uuid
	}{{1, 5, Uuid{1}}, {2, 4, Uuid{1}}, {2, 6, Uuid{1}}, {1, 0, Uuid{2}}}
	s := newScript(t, nil)
	s.answer = func(addr string, h bridge.Header, req any) (any, error) {
		if _, ok := req.(*MetadataRequest); !ok {
			return allVersions(), nil
		}
		a := answers[0]
		answers = answers[1:]
		r := simpleMetadata(2, "t", 1)
		r.Topics[0].Uuid = a.id
		r.Topics[0].Partitions[0].Leader, r.Topics[0].Partitions[0].LeaderEpoch = a.leader, a.epoch
		return r, nil
	}
	c, err := NewClient([]string{"b1:9092"}, s.config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, want := range []int32{1, 1, 2, 1} { // the second is older, the last is of a topic made anew
		if i > 0 {
			if err := c.RefreshMetadata("t"); err != nil {
				t.Fatal(err)
			}
		}
		if b, err := c.Leader("t", 0); err != nil || b.ID() != want {
			t.Errorf("answer %d: leader %v, %v; want %d", i, b.ID(), err, want)
		}
	}
}

func TestClientBrokersThatAreGoneAreClosed(t *testing.T) {
	var brokers atomic.Int32
	brokers.Store(3)
	s := newScript(t, nil)
	s.answer = func(addr string, h bridge.Header, req any) (any, error) {
		return standard(brokers.Load(), "t", 1, nil)(addr, h, req)
	}
	c, err := NewClient([]string{"b1:9092"}, s.config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	third, err := c.Broker(3)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := third.Connected(); !ok {
		t.Fatal(err)
	}
	brokers.Store(2)
	if err := c.RefreshMetadata(); err != nil {
		t.Fatal(err)
	}
	if ok, _ := third.Connected(); ok {
		t.Error("a broker that left is still connected")
	}
	if _, err := c.Broker(3); !errors.Is(err, ErrBrokerNotFound) || len(c.Brokers()) != 2 {
		t.Errorf("it is still known: %v", err)
	}
}

func TestClientGivesUpRefreshesThatNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		s := newScript(t, nil)
		s.answer = func(addr string, h bridge.Header, req any) (any, error) {
			if r, ok := req.(*MetadataRequest); ok && len(r.Topics) > 0 {
				asked.Add(1)
				resp := simpleMetadata(1, "t", 1)
				resp.AddTopic(r.Topics[0], ErrUnknownTopicOrPartition)
				return resp, nil
			}
			return standard(1, "t", 1, nil)(addr, h, req)
		}
		conf := s.config()
		conf.Metadata.Retry.Max, conf.Metadata.Retry.Backoff = 100, time.Second
		c, err := newClient([]string{"b1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		time.AfterFunc(5*time.Second+time.Millisecond, func() { close(done) })
		if err := c.refreshMetadata([]string{"nowhere"}, true, done); err != errAbandoned {
			t.Error(err)
		}
		before := asked.Load()
		time.Sleep(time.Minute)
		if n := asked.Load(); n != before {
			t.Errorf("asked %d times more after it was given up", n-before)
		}
		_ = c.Close()
		s.close()
	})
}

func TestClientPeriodicRefreshesDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		s := newScript(t, unless(&silent, standard(1, "t", 1, nil)))
		conf := s.config()
		conf.Metadata.RefreshFrequency, conf.Metadata.SingleFlight = time.Second, false
		c, err := newClient([]string{"b1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		silent.Store(true)
		time.Sleep(10*time.Minute + time.Millisecond)
		waiting := make(chan int, 1)
		c.apply(func(now *cluster) *cluster { waiting <- len(c.refresher.waiting); return now })
		if n := <-waiting; n > 1 {
			t.Errorf("%d refreshes wait", n)
		}
		_ = c.Close()
		s.close()
	})
}

// Refreshes share requests, but one for all topics says nothing of a topic that
// is not there, and does not create it.
func TestClientUnknownTopicsAreAskedForByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked [][]string
		slow := make(chan struct{})
		s := newScript(t, nil)
		s.answer = func(addr string, h bridge.Header, req any) (any, error) {
			m, ok := req.(*MetadataRequest)
			if !ok {
				return allVersions(), nil
			}
			asked = append(asked, m.Topics)
			if len(asked) == 2 {
				<-slow
			}
			resp := simpleMetadata(1, "t", 1)
			for _, topic := range m.Topics {
				switch topic {
				case "new":
					resp.AddTopicPartition("new", 0, 1, nil, nil, nil, ErrNoError)
				case "gone":
					resp.AddTopic("gone", ErrUnknownTopicOrPartition)
				}
			}
			if len(asked) <= 2 {
				resp.AddTopicPartition("deleted", 0, 1, nil, nil, nil, ErrNoError)
			}
			return resp, nil
		}
		conf := s.config()
		conf.Metadata.Retry.Max = 0
		c, err := NewClient([]string{"b1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		refresh := func(want error, topics ...string) {
			wg.Go(func() {
				if err := c.RefreshMetadata(topics...); !errors.Is(err, want) {
					t.Errorf("%v: %v, want %v", topics, err, want)
				}
			})
			synctest.Wait()
		}
		refresh(nil) // under way while the others come
		refresh(nil)
		refresh(nil, "new")
		refresh(nil, "t")
		refresh(nil)
		refresh(ErrUnknownTopicOrPartition, "gone")
		refresh(ErrUnknownTopicOrPartition, "deleted")
		close(slow)
		wg.Wait()
		if len(asked) != 4 || asked[2] != nil || !slices.Equal(asked[3], []string{"gone", "new"}) {
			t.Errorf("asked for %v", asked)
		}
		_ = c.Close()
		s.close()
	})
}

// A broker that cannot be reached holds up nobody who may ask another one, also
// while someone waits for a connection to it.
func TestClientDoesNotWaitForAnUnreachableBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, standard(3, "t", 3, nil))
		hang := make(chan struct{})
		conf := s.config()
		conf.Net.Proxy.Dialer = addrDialer(func(addr string) (net.Conn, error) {
			if addr == "b1:9092" || addr == "b2:9092" {
				<-hang
				return nil, errHangUp
			}
			return s.Dial("tcp", addr)
		})
		c, err := newClient([]string{"s:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		for p := range int32(2) {
			if _, err := c.Leader("t", p); err != nil { // which dials
				t.Fatal(err)
			}
		}
		start := time.Now()
		if err := c.RefreshMetadata(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 2*dialStagger {
			t.Errorf("took %v", took)
		}
		_ = c.Close()
		close(hang)
		s.close()
	})
}
