package sarama

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
	"go.uber.org/goleak"
)

// values are n values with their index in them.
func values(from, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("value-%d", from+i)
	}
	return list
}

// consume starts to consume a partition.
func consume(t testing.TB, c Consumer, topic string, partition int32, offset int64) PartitionConsumer {
	t.Helper()
	pc, err := c.ConsumePartition(topic, partition, offset)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pc.AsyncClose) // for tests that fail
	return pc
}

// expectOffsets reads messages and wants these offsets, and values made by
// values.
func expectOffsets(t testing.TB, pc PartitionConsumer, from, n int64) {
	t.Helper()
	for offset := from; offset < from+n; offset++ {
		msg, open := <-pc.Messages()
		if !open {
			t.Fatalf("messages end before offset %d", offset)
		}
		if msg.Offset != offset || string(msg.Value) != fmt.Sprintf("value-%d", offset) {
			t.Fatalf("got offset %d, %q, want offset %d", msg.Offset, msg.Value, offset)
		}
	}
}

func closeAll(t testing.TB, closers ...interface{ Close() error }) {
	t.Helper()
	for _, c := range closers {
		if err := c.Close(); err != nil {
			t.Errorf("closing %T: %v", c, err)
		}
	}
}

func TestConsumePartitionStartsWhereItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		cluster.writeValues("t", 0, values(0, 10)...)
		cluster.writeValues("t", 0, values(10, 10)...)
		cluster.with(func() { cluster.mu.logs[topicPartition{"t", 0}].start = 3 })
		c := cluster.consumer(t, cluster.config())
		for _, tc := range []struct {
			offset, first int64
			err           error
		}{
			{OffsetOldest, 3, nil}, {OffsetNewest, 20, nil}, {3, 3, nil}, {12, 12, nil}, {19, 19, nil}, {20, 20, nil},
			{2, 0, ErrOffsetOutOfRange}, {21, 0, ErrOffsetOutOfRange}, {-3, 0, ErrOffsetOutOfRange},
		} {
			pc, err := c.ConsumePartition("t", 0, tc.offset)
			if err != tc.err {
				t.Errorf("offset %d: %v", tc.offset, err)
			}
			if err != nil {
				continue
			}
			if tc.first == 20 {
				synctest.Wait()
				cluster.writeValues("t", 0, "value-20")
				expectOffsets(t, pc, 20, 1)
				cluster.with(func() {
					l := cluster.mu.logs[topicPartition{"t", 0}]
					l.batches, l.end = l.batches[:len(l.batches)-1], 20
				})
			} else {
				expectOffsets(t, pc, tc.first, 20-tc.first)
			}
			closeAll(t, pc)
		}
		if _, err := c.ConsumePartition("unknown", 0, OffsetNewest); !errors.Is(err, ErrUnknownTopicOrPartition) {
			t.Error(err)
		}
	})
}

func TestConsumePartitionAsksForTwoOffsetsAndFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		cluster.writeValues("t", 0, values(0, 1)...)
		c := cluster.consumer(t, cluster.config())
		pc := consume(t, c, "t", 0, OffsetOldest)
		expectOffsets(t, pc, 0, 1)
		closeAll(t, pc)
		var got []string
		cluster.mu.Lock()
		for _, r := range cluster.mu.requests {
			what := r.Name
			for _, p := range listed(r) {
				what += fmt.Sprint(" ", p.Timestamp)
			}
			got = append(got, what)
		}
		cluster.mu.Unlock()
		want := []string{"ApiVersions", "Metadata", "ApiVersions", "ListOffsets -1", "ListOffsets -2", "ApiVersions", "Fetch"}
		if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			t.Errorf("requests: %q", got)
		}
	})
}

func listed(r *fakeRequest) []bridge.ListedPartition {
	if _, ok := r.body.(*OffsetRequest); ok {
		return bridge.ListedPartitions(r.body)
	}
	return nil
}

func TestConsumePartitionTwiceIsAConfigurationError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		cluster.writeValues("t", 0, values(0, 5)...)
		c := cluster.consumer(t, cluster.config())
		pc := consume(t, c, "t", 0, OffsetOldest)
		_, err := c.ConsumePartition("t", 0, OffsetOldest)
		if conf := ConfigurationError(""); !errors.As(err, &conf) || !strings.HasSuffix(string(conf), "is already being consumed") {
			t.Errorf("got %v", err)
		}
		if _, err := c.ConsumePartition("t", 0, 77); err == nil {
			t.Error("no error")
		}
		for range 50 { // at once after Close it is free
			closeAll(t, pc)
			pc = consume(t, c, "t", 0, 2)
			expectOffsets(t, pc, 2, 3)
		}
		closeAll(t, pc)
	})
}

func TestConsumerPausesAndResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		for p := range int32(3) {
			cluster.create("t", p, 1)
		}
		c := cluster.consumer(t, cluster.config())
		pcs := make([]PartitionConsumer, 3)
		for p := range int32(3) {
			pcs[p] = consume(t, c, "t", p, OffsetOldest)
		}
		silent := func(pc PartitionConsumer) {
			t.Helper()
			time.Sleep(10 * time.Second)
			if n := len(pc.Messages()); n != 0 {
				t.Errorf("%d messages while paused", n)
			}
		}
		// What was fetched before is delivered.
		cluster.writeValues("t", 0, values(0, 2)...)
		synctest.Wait()
		pcs[0].Pause()
		if !pcs[0].IsPaused() || pcs[1].IsPaused() {
			t.Error("IsPaused is wrong")
		}
		time.Sleep(time.Second) // the fetch under way is over
		cluster.writeValues("t", 0, values(2, 2)...)
		expectOffsets(t, pcs[0], 0, 2)
		silent(pcs[0])
		pcs[0].Resume()
		expectOffsets(t, pcs[0], 2, 2)

		c.Pause(map[string][]int32{"t": {1, 2, 9}, "other": {0}})
		time.Sleep(time.Second)
		for p := range int32(3) {
			cluster.writeValues("t", p, values(int(4-4*min(p, 1)), 3)...)
		}
		expectOffsets(t, pcs[0], 4, 3)
		silent(pcs[1])
		silent(pcs[2])
		// A paused partition stays paused when it is consumed again.
		closeAll(t, pcs[1])
		pcs[1] = consume(t, c, "t", 1, OffsetOldest)
		if !pcs[1].IsPaused() {
			t.Error("not paused again")
		}
		silent(pcs[1])
		c.Resume(map[string][]int32{"t": {1}, "other": {0}})
		expectOffsets(t, pcs[1], 0, 3)
		silent(pcs[2])

		c.PauseAll()
		time.Sleep(time.Second)
		before := len(cluster.fetches())
		time.Sleep(time.Minute)
		if n := len(cluster.fetches()); n != before {
			t.Errorf("%d fetches while all is paused", n-before)
		}
		closeAll(t, pcs[0])
		c.Resume(map[string][]int32{"t": {0}}) // not consumed at the time
		pcs[0] = consume(t, c, "t", 0, 4)
		expectOffsets(t, pcs[0], 4, 3)
		c.ResumeAll()
		expectOffsets(t, pcs[2], 0, 3)
		closeAll(t, pcs[0], pcs[1], pcs[2])
	})
}

func TestConsumerHighWaterMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		for p := range int32(2) {
			cluster.create("t", p, 1)
			cluster.writeValues("t", p, values(0, 5)...)
		}
		c := cluster.consumer(t, cluster.config())
		if len(c.HighWaterMarks()) != 0 {
			t.Error(c.HighWaterMarks())
		}
		a, b := consume(t, c, "t", 0, OffsetNewest), consume(t, c, "t", 1, OffsetOldest)
		b.Pause()
		if a.HighWaterMarkOffset() != 5 || b.HighWaterMarkOffset() != 5 {
			t.Error("not the newest offset at the start")
		}
		cluster.writeValues("t", 0, values(5, 3)...)
		expectOffsets(t, a, 5, 3)
		if m := c.HighWaterMarks(); len(m) != 1 || len(m["t"]) != 2 || m["t"][0] != 8 || m["t"][1] != 5 {
			t.Error(m)
		}
		closeAll(t, a, b)
		if len(c.HighWaterMarks()) != 0 {
			t.Error(c.HighWaterMarks())
		}
	})
}

func TestPartitionConsumerClosesMessagesBeforeErrors(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	cluster := newFakeTopics(1)
	cluster.create("t", 0, 1)
	cluster.writeValues("t", 0, values(0, 5)...)
	conf := cluster.config()
	conf.Consumer.MaxWaitTime = time.Millisecond // which the next one may have to wait
	c := cluster.consumer(t, conf)
	for range 300 {
		pc := consume(t, c, "t", 0, OffsetOldest)
		<-pc.Messages()
		pc.AsyncClose()
		pc.AsyncClose()
		for open := true; open; { // with no rest, so as not to be late
			select {
			case _, open = <-pc.Errors():
			default:
			}
		}
		for open, n := true, 0; open; n++ {
			select {
			case _, open = <-pc.Messages():
			default:
				t.Fatalf("Errors was closed first, after %d messages", n)
			}
		}
	}
	closeAll(t, c)
}

func TestPartitionConsumerCloseReturnsUnreadErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		cluster.amend = func(_ *fakeRequest, p *bridge.FetchedPartition) { p.Err = int16(ErrKafkaStorageError) }
		conf := cluster.config()
		conf.Consumer.Return.Errors = true
		conf.Consumer.Retry.Backoff = time.Second
		conf.ChannelBufferSize = 3
		c := cluster.consumer(t, conf)
		pc := consume(t, c, "t", 0, OffsetOldest)
		time.Sleep(time.Hour) // three are in the channel, one waits for room; then nothing is tried any more
		err := pc.Close()
		var errs ConsumerErrors
		if !errors.As(err, &errs) || len(errs) < 3 || len(errs) > 4 { // the fourth where Close made room in time
			t.Fatalf("got %#v", err)
		}
		for _, e := range errs {
			if e.Topic != "t" || e.Partition != 0 || !errors.Is(e, ErrKafkaStorageError) {
				t.Errorf("got %v", e)
			}
		}
		if n := len(cluster.fetches()); n != 4 {
			t.Errorf("%d fetches, while nobody took their errors", n)
		}
	})
}

func TestPartitionConsumerMayBeClosedFromAnywhere(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	cluster := newFakeTopics(2)
	for p := range int32(4) {
		cluster.create("t", p, 1+p%2)
		for i := range 20 {
			cluster.writeValues("t", p, values(i*10, 10)...)
		}
	}
	conf := cluster.config()
	conf.ChannelBufferSize = 4
	c := cluster.consumer(t, conf)
	for range 30 {
		var wg sync.WaitGroup
		for p := range int32(4) {
			pc := consume(t, c, "t", p, OffsetOldest)
			for i := range 4 {
				wg.Go(func() {
					for range i * 20 {
						<-pc.Messages()
					}
					if i%2 == 0 {
						pc.AsyncClose()
					}
					_ = pc.Close()
				})
			}
		}
		wg.Wait()
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { _ = c.Close() })
	}
	wg.Wait()
}

// longWaits are what a partition consumer may be waiting for: each prepares a
// cluster in which partition t/0 is consumed.
var longWaits = map[string]func(*fakeTopics, *Config){
	"long poll": func(_ *fakeTopics, conf *Config) { conf.Consumer.MaxWaitTime = time.Hour },
	"no answer": func(c *fakeTopics, conf *Config) {
		conf.Net.ReadTimeout = time.Hour
		c.intercept = func(r *fakeRequest) (any, bool) { return nil, r.Name == "Fetch" }
	},
	"unread messages": func(c *fakeTopics, conf *Config) {
		conf.ChannelBufferSize = 0
		c.writeValues("t", 0, values(0, 10)...)
	},
	"unread errors": func(c *fakeTopics, conf *Config) {
		conf.ChannelBufferSize, conf.Consumer.Return.Errors = 0, true
		c.amend = func(_ *fakeRequest, p *bridge.FetchedPartition) { p.Err = int16(ErrKafkaStorageError) }
	},
	"backoff": func(c *fakeTopics, conf *Config) {
		conf.Consumer.Retry.Backoff = time.Hour
		c.amend = func(_ *fakeRequest, p *bridge.FetchedPartition) { p.Err = int16(ErrNotLeaderForPartition) }
	},
	"no metadata": func(c *fakeTopics, conf *Config) {
		conf.Consumer.Retry.Backoff, conf.Metadata.Retry.Backoff = 0, time.Hour
		c.intercept = func(r *fakeRequest) (any, bool) {
			if r.Name == "Fetch" {
				c.move("t", 0, -1)
			}
			return nil, false
		}
	},
	"dial": func(c *fakeTopics, conf *Config) {
		conf.Net.DialTimeout = time.Hour
		c.intercept = func(r *fakeRequest) (any, bool) {
			if r.Name == "ListOffsets" && bridge.ListedPartitions(r.body)[0].Timestamp == OffsetOldest {
				c.listen(&fakeBroker{id: 1, addr: "broker-1:9092"})
			}
			return nil, false
		}
	},
	"throttle": func(c *fakeTopics, _ *Config) {
		c.intercept = func(r *fakeRequest) (any, bool) {
			if r.Name != "Fetch" {
				return nil, false
			}
			return bridge.FetchResponse(4*time.Minute, 0, 0, []bridge.FetchedPartition{{Topic: "t", PreferredReadReplica: -1}}, nil), true
		}
	},
}

func TestPartitionConsumerCloseWaitsForNothing(t *testing.T) {
	for name, prepare := range longWaits {
		for _, consumerFirst := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, consumer first %v", name, consumerFirst), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cluster := newFakeTopics(1)
					cluster.create("t", 0, 1)
					conf := cluster.config()
					prepare(cluster, conf)
					c := cluster.consumer(t, conf)
					pc := consume(t, c, "t", 0, OffsetOldest)
					time.Sleep(30 * time.Second)
					start := time.Now()
					if consumerFirst {
						closeAll(t, c)
						_ = pc.Close()
					} else {
						_ = pc.Close()
						closeAll(t, c)
					}
					if took := time.Since(start); took != 0 {
						t.Errorf("closing took %v", took)
					}
					cluster.hangUp()
				})
			})
		}
	}
}

func TestConsumerCloseLeavesPartitionConsumersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		cluster.create("t", 1, 1)
		client, err := NewClient([]string{"broker-1:9092"}, cluster.config())
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewConsumerFromClient(client)
		if err != nil {
			t.Fatal(err)
		}
		pc := consume(t, c, "t", 0, OffsetOldest)
		closeAll(t, c, c)
		if _, err := c.ConsumePartition("t", 1, OffsetOldest); err != ErrClosedClient {
			t.Error(err)
		}
		if _, err := c.Topics(); err != ErrClosedClient {
			t.Error(err)
		}
		if _, err := c.Partitions("t"); err != ErrClosedClient {
			t.Error(err)
		}
		if client.Closed() {
			t.Error("the client was closed")
		}
		cluster.writeValues("t", 0, values(0, 5)...)
		expectOffsets(t, pc, 0, 5)
		closeAll(t, pc)
		synctest.Wait()
		select {
		case <-c.(*consumer).dispatcher.ended:
		default:
			t.Error("the dispatcher outlives the last partition")
		}
		closeAll(t, client)
		if _, err := NewConsumerFromClient(client); err != ErrClosedClient {
			t.Error(err)
		}
	})
}

func TestConsumerCloseEndsItsClientAndWhatNeedsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		cluster.writeValues("t", 0, values(0, 5)...)
		conf := cluster.config()
		conf.Consumer.Return.Errors = true
		c := cluster.consumer(t, conf)
		if topics, err := c.Topics(); err != nil || !slices.Equal(topics, []string{"t"}) {
			t.Error(topics, err)
		}
		if ids, err := c.Partitions("t"); err != nil || !slices.Equal(ids, []int32{0}) {
			t.Error(ids, err)
		}
		pc := consume(t, c, "t", 0, OffsetOldest)
		time.Sleep(time.Second)
		closeAll(t, c)
		if err := c.Close(); err != ErrClosedClient {
			t.Error(err)
		}
		expectOffsets(t, pc, 0, 5) // what is there can still be read
		if _, open := <-pc.Messages(); open {
			t.Error("another message")
		}
		if e := <-pc.Errors(); e == nil || e.Err != ErrClosedClient {
			t.Error(e)
		}
		closeAll(t, pc)
		if _, err := c.ConsumePartition("t", 0, OffsetOldest); err != ErrClosedClient {
			t.Error(err)
		}
	})
}

// foreignClient is a Client that is not this package's own.
type foreignClient struct {
	Client
	refreshes atomic.Int32
}

func (c *foreignClient) RefreshMetadata(topics ...string) error {
	c.refreshes.Add(1)
	return c.Client.RefreshMetadata(topics...)
}

func TestPartitionConsumersEndWhenTheirClientDoes(t *testing.T) {
	for _, foreign := range []bool{false, true} {
		t.Run(fmt.Sprintf("foreign %v", foreign), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := newFakeTopics(2)
				cluster.create("t", 0, 1)
				cluster.writeValues("t", 0, values(0, 5)...)
				conf := cluster.config()
				conf.Consumer.Return.Errors = true
				client, err := NewClient([]string{"broker-1:9092"}, conf)
				if err != nil {
					t.Fatal(err)
				}
				if foreign {
					client = &foreignClient{Client: client}
				}
				c, err := NewConsumerFromClient(client)
				if err != nil {
					t.Fatal(err)
				}
				pc := consume(t, c, "t", 0, OffsetOldest)
				expectOffsets(t, pc, 0, 5)
				closeAll(t, client)
				if foreign { // which is noticed when the client is needed
					cluster.move("t", 0, 2)
				}
				if _, open := <-pc.Messages(); open {
					t.Error("a message")
				}
				if e := <-pc.Errors(); e == nil || !errors.Is(e, ErrClosedClient) {
					t.Error(e)
				}
				closeAll(t, pc)
				closeAll(t, c)
			})
		})
	}
}

func TestConsumerAsksAForeignClientForLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(2)
		cluster.create("t", 0, 1)
		cluster.writeValues("t", 0, values(0, 5)...)
		own, err := NewClient([]string{"broker-1:9092"}, cluster.config())
		if err != nil {
			t.Fatal(err)
		}
		client := &foreignClient{Client: own}
		c, err := NewConsumerFromClient(client)
		if err != nil {
			t.Fatal(err)
		}
		pc := consume(t, c, "t", 0, OffsetOldest)
		for i := range 5 {
			expectOffsets(t, pc, int64(5*i), 5)
			cluster.move("t", 0, int32(2-i%2))
			cluster.writeValues("t", 0, values(5*i+5, 5)...)
		}
		if client.refreshes.Load() == 0 {
			t.Error("the client's own RefreshMetadata was not called")
		}
		closeAll(t, pc, c, own)
	})
}

func TestConsumerInterceptorsSeeEachMessageOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		for i := range 10 {
			cluster.writeValues("t", 0, values(i*10, 10)...)
		}
		conf := cluster.config()
		seen := make(map[int64]int)
		conf.ChannelBufferSize = 1
		conf.Consumer.Interceptors = []ConsumerInterceptor{
			onConsume(func(m *ConsumerMessage) { panic("no") }),
			onConsume(func(m *ConsumerMessage) {
				seen[m.Offset]++
				m.Key = []byte("changed")
			}),
		}
		c := cluster.consumer(t, conf)
		pc := consume(t, c, "t", 0, OffsetOldest)
		for i := range int64(100) {
			if i%10 == 0 {
				time.Sleep(time.Second) // longer than MaxProcessingTime
			}
			if m := <-pc.Messages(); m.Offset != i || string(m.Key) != "changed" {
				t.Fatal(m)
			}
		}
		closeAll(t, pc)
		for offset, n := range seen {
			if n != 1 {
				t.Errorf("offset %d was intercepted %d times", offset, n)
			}
		}
		if len(seen) != 100 {
			t.Error(len(seen))
		}
	})
}

type onConsume func(*ConsumerMessage)

func (f onConsume) OnConsume(m *ConsumerMessage) { f(m) }
