package fakekafka_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

func TestHandleSeesRequests(t *testing.T) {
	cluster := fakekafka.New(t, three())
	var mu sync.Mutex
	var seen []string
	remove := cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprint(r.Broker, " ", r.API, " ", r.Version, " ", r.ClientID, " ", r.Partitions()))
		if req, ok := r.Body.(*sarama.ProduceRequest); ok && req.Timeout != 1000 {
			t.Errorf("body %+v", req)
		}
		return nil
	})
	b := dial(t, cluster, 2)
	produce(t, b, "t", 1, batch("a"))
	remove()
	produce(t, b, "t", 1, batch("b"))
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 2 || seen[1] != "2 Produce 11 sarama [{t 1}]" {
		t.Fatalf("seen %q", seen)
	}
	events := cluster.History()
	if len(events) != 3 || events[0].API != fakekafka.ApiVersions || events[2].Broker != 2 || events[2].CorrelationID != 2 || events[1].Connection != events[2].Connection {
		t.Fatalf("history %+v", events)
	}
	if cluster.Requests(fakekafka.Produce) != 2 || cluster.BrokerRequests(1, fakekafka.Produce) != 0 || cluster.BrokerRequests(2, fakekafka.Produce) != 2 {
		t.Fatal("wrong counts")
	}
}

func TestHistoryKeepsTheLast(t *testing.T) {
	opts := one()
	opts.HistoryMax = 3
	cluster := fakekafka.New(t, opts)
	c := rawConn(t, cluster, 1)
	for i := range int32(8) {
		exchange(t, c, frame(18, 0, i))
	}
	events := cluster.History()
	if len(events) != 3 || events[0].CorrelationID != 5 || events[2].CorrelationID != 7 {
		t.Fatalf("history %+v", events)
	}
}

func TestHandleActions(t *testing.T) {
	for name, test := range map[string]struct {
		action   fakekafka.Action
		silent   bool // the connection stays open and nothing comes
		appended bool
	}{
		"drop":        {fakekafka.Drop, true, false},
		"drop answer": {fakekafka.DropAnswer, true, true},
		"cut before":  {fakekafka.CutBefore, false, false},
		"cut after":   {fakekafka.CutAfter, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := fakekafka.New(t, one())
				cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply { return &fakekafka.Reply{Action: test.action} })
				c := rawConn(t, cluster, 1)
				_, err := c.Write(rawProduce(1, -1, goldenBatch()))
				must(t, err)
				must(t, c.SetReadDeadline(time.Now().Add(time.Hour)))
				_, err = c.Read(make([]byte, 1))
				if got := errors.Is(err, os.ErrDeadlineExceeded); got != test.silent {
					t.Fatalf("read: %v", err)
				}
				if got := len(stored(t, cluster, "t", 0)) == 1; got != test.appended {
					t.Fatalf("appended: %v", got)
				}
				if test.silent { // writes are still taken
					for range 100 {
						_, err := c.Write(make([]byte, 10_000))
						must(t, err)
					}
				}
			})
		})
	}
}

func TestHandleAnswersItself(t *testing.T) {
	cluster := fakekafka.New(t, one())
	cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
		if r.API != fakekafka.ListOffsets {
			return nil
		}
		resp := new(sarama.OffsetResponse)
		resp.AddTopicPartition("t", 0, 77)
		return &fakekafka.Reply{Response: resp}
	})
	req := &sarama.OffsetRequest{Version: 5}
	req.AddBlock("t", 0, sarama.OffsetNewest, 1)
	resp, err := dial(t, cluster, 1).GetAvailableOffsets(req)
	must(t, err)
	if got := resp.GetBlock("t", 0).Offset; got != 77 {
		t.Fatalf("offset %d", got)
	}
}

func TestFailRefusesPartitions(t *testing.T) {
	cluster := fakekafka.New(t, one())
	b := dial(t, cluster, 1)
	cluster.FailProduce("t", 0, sarama.ErrRequestTimedOut, 2)
	cluster.FailProduce("t", 1, sarama.ErrNotEnoughReplicas, 0)
	undo := cluster.FailRequest(fakekafka.InitProducerID, sarama.ErrOffsetsLoadInProgress, -1)
	wantErr(t, produce(t, b, "t", 1, batch("x")).Err, sarama.ErrNoError)
	for range 2 {
		wantErr(t, produce(t, b, "t", 0, batch("a")).Err, sarama.ErrRequestTimedOut)
	}
	wantErr(t, produce(t, b, "t", 0, batch("b")).Err, sarama.ErrNoError)
	wantValues(t, stored(t, cluster, "t", 0), "b")
	for _, want := range []sarama.KError{sarama.ErrOffsetsLoadInProgress, sarama.ErrNoError} {
		resp, err := b.InitProducerID(&sarama.InitProducerIDRequest{Version: 4, ProducerID: -1, ProducerEpoch: -1})
		must(t, err)
		wantErr(t, resp.Err, want)
		undo()
	}
	undo = cluster.Fail(fakekafka.Metadata, "t", -1, sarama.ErrTopicAuthorizationFailed, -1)
	resp, err := b.GetMetadata(&sarama.MetadataRequest{Version: 9})
	must(t, err)
	wantErr(t, resp.Topics[0].Err, sarama.ErrTopicAuthorizationFailed)
	undo()
	cluster.Fail(fakekafka.Fetch, "t", 0, sarama.ErrKafkaStorageError, 1)
	wantErr(t, fetch(t, b, fetchRequest("t", 0, 0)).GetBlock("t", 0).Err, sarama.ErrKafkaStorageError)
	wantErr(t, fetch(t, b, fetchRequest("t", 0, 0)).GetBlock("t", 0).Err, sarama.ErrNoError)
}

func TestDelayAndThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fakekafka.New(t, one())
		c := rawConn(t, cluster, 1)
		timed := func(request []byte) ([]byte, time.Duration) {
			start := time.Now()
			b := exchange(t, c, request)
			return b, time.Since(start)
		}
		undo := cluster.Delay(fakekafka.ApiVersions, time.Second)
		if _, took := timed(frame(18, 0, 1)); took != time.Second {
			t.Fatalf("delayed by %v", took)
		}
		undo()
		undo = cluster.Throttle(fakekafka.ApiVersions, 3*time.Second)
		// Version 1 is answered after the throttle time, version 2 before it.
		old, took := timed(frame(18, 1, 1))
		if ms := old[len(old)-4:]; took != 3*time.Second || string(ms) != "\x00\x00\x0b\xb8" {
			t.Fatalf("version 1: throttle time % x after %v", ms, took)
		}
		recent, took := timed(frame(18, 2, 1))
		if ms := recent[len(recent)-4:]; took != 0 || string(ms) != "\x00\x00\x0b\xb8" {
			t.Fatalf("version 2: throttle time % x after %v", ms, took)
		}
		undo()
		if _, took := timed(frame(18, 2, 1)); took != 3*time.Second {
			t.Fatalf("the connection was read again after %v", took)
		}
		if _, took := timed(frame(18, 2, 1)); took != 0 {
			t.Fatalf("still throttled, by %v", took)
		}
	})
}

func TestThrottleIsInEveryResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fakekafka.New(t, one())
		for _, api := range []fakekafka.API{fakekafka.Produce, fakekafka.Fetch, fakekafka.Metadata, fakekafka.ListOffsets} {
			cluster.Throttle(api, time.Second)
		}
		b := dial(t, cluster, 1)
		produced, err := b.Produce(produceRequest("t", 0, batch("a")))
		must(t, err)
		fetched := fetch(t, b, fetchRequest("t", 0, 0))
		meta, err := b.GetMetadata(&sarama.MetadataRequest{Version: 9})
		must(t, err)
		req := &sarama.OffsetRequest{Version: 5}
		req.AddBlock("t", 0, sarama.OffsetNewest, 1)
		listed, err := b.GetAvailableOffsets(req)
		must(t, err)
		for i, d := range []time.Duration{
			produced.ThrottleTime, fetched.ThrottleTime, time.Duration(meta.ThrottleTimeMs) * time.Millisecond, time.Duration(listed.ThrottleTimeMs) * time.Millisecond,
		} {
			if d != time.Second {
				t.Errorf("response %d has throttle time %v", i, d)
			}
		}
	})
}

func TestNetworkBlackHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fakekafka.New(t, three())
		open, waits := rawConn(t, cluster, 1), rawConn(t, cluster, 1)
		cluster.Delay(fakekafka.Metadata, time.Minute)
		_, err := waits.Write(frame(3, 1, 1, 0, 0, 0, 0))
		must(t, err)
		synctest.Wait()
		must(t, cluster.SetNetwork(1, fakekafka.NetworkBlackHole))
		silent := func(c net.Conn) {
			t.Helper()
			must(t, c.SetReadDeadline(time.Now().Add(time.Hour)))
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("read: %v", err)
			}
		}
		fresh := rawConn(t, cluster, 1)
		for _, c := range []net.Conn{open, fresh} {
			for range 50 {
				_, err := c.Write(make([]byte, 5000))
				must(t, err)
			}
			silent(c)
		}
		silent(waits)
		exchange(t, rawConn(t, cluster, 2), frame(18, 0, 1)) // the others are well
		must(t, cluster.SetNetwork(1, fakekafka.NetworkGood))
		exchange(t, rawConn(t, cluster, 1), frame(18, 0, 1))
		silent(open)
	})
}

func TestNetworkStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fakekafka.New(t, one())
		c := rawConn(t, cluster, 1)
		must(t, cluster.SetNetwork(1, fakekafka.NetworkStalled))
		must(t, c.SetWriteDeadline(time.Now().Add(time.Hour)))
		sent := 0
		request := frame(18, 0, 1)
		for {
			n, err := c.Write(request)
			if sent += n; errors.Is(err, os.ErrDeadlineExceeded) {
				request = request[n:] // the rest of what was cut
				break
			}
			must(t, err)
			if sent > 1<<20 {
				t.Fatal("writes never block")
			}
		}
		must(t, cluster.SetNetwork(1, fakekafka.NetworkGood))
		must(t, c.SetWriteDeadline(time.Time{}))
		go func() { // the cluster may have to get rid of answers first
			if _, err := c.Write(request); err != nil {
				t.Error(err)
			}
		}()
		for range (sent + len(request)) / len(frame(18, 0, 1)) {
			readResponse(t, c)
		}
	})
}

func TestNetworkRefusesAndHangsUp(t *testing.T) {
	for _, inMemory := range []bool{false, true} {
		t.Run(fmt.Sprintf("inMemory=%v", inMemory), func(t *testing.T) {
			opts := one()
			opts.InMemory = inMemory
			cluster := fakekafka.New(t, opts)
			open := rawConn(t, cluster, 1)
			exchange(t, open, frame(18, 0, 1))
			must(t, cluster.SetNetwork(1, fakekafka.NetworkRefuse))
			if _, err := cluster.Dialer().Dial("tcp", cluster.Addrs()[0]); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatalf("dialled: %v", err)
			}
			exchange(t, open, frame(18, 0, 1))
			must(t, cluster.SetNetwork(1, fakekafka.NetworkHangUp))
			wantClosed(t, rawConn(t, cluster, 1))
			exchange(t, open, frame(18, 0, 1))
			must(t, cluster.SetNetwork(1, fakekafka.NetworkRefuse))
			must(t, cluster.StopBroker(1))
			must(t, cluster.RestartBroker(1))
			if _, err := cluster.Dialer().Dial("tcp", cluster.Addrs()[0]); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatalf("dialled: %v", err)
			}
			must(t, cluster.SetNetwork(1, fakekafka.NetworkGood))
			exchange(t, rawConn(t, cluster, 1), frame(18, 0, 1))
			if err := cluster.SetNetwork(1, 99); err == nil {
				t.Fatal("an unknown network was set")
			}
		})
	}
}

func TestLeaderMoves(t *testing.T) {
	cluster := fakekafka.New(t, three())
	wantErr(t, produce(t, dial(t, cluster, 1), "t", 0, batch("a")).Err, sarama.ErrNoError)
	must(t, cluster.MoveLeader("t", 0, 2))
	wantErr(t, produce(t, dial(t, cluster, 1), "t", 0, batch("b")).Err, sarama.ErrNotLeaderForPartition)
	wantErr(t, produce(t, dial(t, cluster, 2), "t", 0, batch("c")).Err, sarama.ErrNoError)
	must(t, cluster.RemoveLeader("t", 0))
	wantErr(t, produce(t, dial(t, cluster, 2), "t", 0, batch("d")).Err, sarama.ErrNotLeaderForPartition)
	must(t, cluster.StopBroker(2))
	must(t, cluster.RestartBroker(2)) // does not bring it back
	if leader, epoch, _ := cluster.Leader("t", 0); leader != -1 || epoch != 2 {
		t.Fatalf("led by %d in epoch %d", leader, epoch)
	}
	must(t, cluster.MoveLeader("t", 0, 2))
	wantErr(t, produce(t, dial(t, cluster, 2), "t", 0, batch("e")).Err, sarama.ErrNoError)
	wantValues(t, stored(t, cluster, "t", 0), "a", "c", "e")
	for _, err := range []error{cluster.MoveLeader("t", 9, 1), cluster.MoveLeader("nope", 0, 1), cluster.MoveLeader("t", 0, 9)} {
		if err == nil {
			t.Fatal("moved")
		}
	}
}

func TestPartitionsAreAdded(t *testing.T) {
	cluster := fakekafka.New(t, three())
	produce(t, dial(t, cluster, 1), "r", 0, batch("a"))
	must(t, cluster.AddPartitions("r", 5))
	if err := cluster.AddPartitions("r", 5); !errors.Is(err, sarama.ErrInvalidPartitions) {
		t.Fatalf("added: %v", err)
	}
	resp, err := dial(t, cluster, 1).GetMetadata(&sarama.MetadataRequest{Version: 9, Topics: []string{"r"}})
	must(t, err)
	if parts := resp.Topics[0].Partitions; len(parts) != 5 || len(parts[4].Replicas) != 3 {
		t.Fatalf("partitions %+v", parts)
	}
	wantValues(t, stored(t, cluster, "r", 0), "a")
	leader, _, err := cluster.Leader("r", 4)
	must(t, err)
	wantErr(t, produce(t, dial(t, cluster, leader), "r", 4, batch("b")).Err, sarama.ErrNoError)
}

// Everything may be done to a cluster while it is in use: what was answered is
// in the log, once, whatever happened meanwhile.
func TestControlsWhileRequestsRun(t *testing.T) {
	cluster := fakekafka.New(t, three())
	const writers = 4
	var acked atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				leader, _, err := cluster.Leader("r", 0)
				if err != nil || leader < 0 {
					continue
				}
				b := sarama.NewBroker(cluster.Addrs()[leader-1])
				_ = b.Open(config(cluster))
				req := produceRequest("r", 0, batch(fmt.Sprint(w, "/", n)))
				if resp, err := b.Produce(req); err == nil && resp.GetBlock("r", 0).Err == sarama.ErrNoError {
					acked.Add(1)
				}
				_ = b.Close()
			}
		})
	}
	for i := range 30 {
		broker := int32(i%3 + 1)
		must(t, cluster.StopBroker(broker))
		must(t, cluster.RestartBroker(broker))
		_ = cluster.MoveLeader("r", 0, int32((i+1)%3+1))
		cluster.CutConnections(broker)
		must(t, cluster.SetNetwork(broker, fakekafka.NetworkStalled))
		undo := cluster.Delay(fakekafka.Produce, time.Millisecond)
		must(t, cluster.CreateTopic(fakekafka.Topic{Name: fmt.Sprint("n", i)}))
		must(t, cluster.SetNetwork(broker, fakekafka.NetworkGood))
		undo()
	}
	close(stop)
	wg.Wait()
	seen := make(map[string]bool)
	for _, v := range stored(t, cluster, "r", 0) {
		if seen[v] {
			t.Fatalf("%s is there twice", v)
		}
		seen[v] = true
	}
	if int64(len(seen)) < acked.Load() {
		t.Fatalf("%d batches were acknowledged, %d are there", acked.Load(), len(seen))
	}
}
