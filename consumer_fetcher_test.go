package sarama

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

func TestFetchRequestSaysWhatTheConfigSays(t *testing.T) {
	for version, want := range map[KafkaVersion]int16{
		V0_11_0_0: 5, V1_0_0_0: 6, V1_1_0_0: 7, V2_0_0_0: 8, V2_1_0_0: 10, V2_3_0_0: 11, V2_7_0_0: 12, V4_0_0_0: 12,
	} {
		t.Run(version.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := newFakeTopics(1)
				cluster.create("t", 0, 1)
				cluster.move("t", 0, 1)
				conf := cluster.config()
				conf.Version, conf.RackID = version, "rack"
				conf.Consumer.Fetch.Min, conf.Consumer.Fetch.Default, conf.Consumer.Fetch.MaxBytes = 3, 1000, 5000
				conf.Consumer.MaxWaitTime, conf.Consumer.IsolationLevel = 2*time.Second, ReadCommitted
				c := cluster.consumer(t, conf)
				pc := consume(t, c, "t", 0, OffsetOldest)
				time.Sleep(10 * time.Second)
				closeAll(t, pc)
				f := cluster.fetches()[1]
				epoch, rack := int32(-1), ""
				if want >= 9 {
					epoch = 1
				}
				if want >= 11 {
					rack = "rack"
				}
				if f.Version != want || f.MinBytes != 3 || f.MaxBytes != 5000 || f.MaxWaitTime != 2000 || f.Isolation != ReadCommitted || f.RackID != rack {
					t.Errorf("%+v", f)
				}
				if want >= 7 && (f.SessionID != 0 || f.SessionEpoch != -1) {
					t.Errorf("session %d, epoch %d", f.SessionID, f.SessionEpoch)
				}
				asked, _ := bridge.FetchPartitions(f)
				if len(asked) != 1 || asked[0].MaxBytes != 1000 || asked[0].CurrentLeaderEpoch != epoch || asked[0].LastFetchedEpoch != -1 {
					t.Errorf("%+v", asked)
				}
			})
		})
	}
}

func TestFetchErrorsAreTreatedByKind(t *testing.T) {
	const silent, told, final = "silent", "told", "final"
	for _, tc := range []struct {
		err  KError
		want string
	}{
		{ErrOffsetOutOfRange, final},
		{ErrUnknownTopicOrPartition, silent}, {ErrNotLeaderForPartition, silent}, {ErrLeaderNotAvailable, silent},
		{ErrReplicaNotAvailable, silent}, {ErrFencedLeaderEpoch, silent}, {ErrUnknownLeaderEpoch, silent},
		{ErrTopicAuthorizationFailed, told}, {ErrKafkaStorageError, told}, {ErrUnknown, told}, {ErrInvalidMessage, told},
	} {
		for _, returns := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d %v", tc.err, returns), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					logged := captureLines(t)
					cluster := newFakeTopics(1)
					cluster.create("t", 0, 1)
					cluster.create("t", 1, 1)
					cluster.writeValues("t", 0, values(0, 5)...)
					conf := cluster.config()
					conf.Consumer.Return.Errors = returns
					conf.Consumer.Retry.Backoff = time.Minute
					failed := 0
					cluster.amend = func(_ *fakeRequest, p *bridge.FetchedPartition) {
						if p.Partition == 0 && len(p.Records) == 0 && failed == 0 {
							failed++
							p.Err = int16(tc.err)
						}
					}
					c := cluster.consumer(t, conf)
					other := consume(t, c, "t", 1, OffsetOldest)
					pc := consume(t, c, "t", 0, OffsetOldest)
					start := time.Now()
					expectOffsets(t, pc, 0, 5) // what came before the error comes first
					time.Sleep(time.Second)
					metadata := cluster.count("Metadata")
					cluster.writeValues("t", 0, values(5, 5)...)
					cluster.writeValues("t", 1, values(0, 5)...)
					expectOffsets(t, other, 0, 5)
					if took := time.Since(start); took > 2*time.Second {
						t.Errorf("the other partition is kept waiting for %v", took)
					}
					if tc.want == final {
						if _, open := <-pc.Messages(); open {
							t.Error("goes on")
						}
					} else {
						expectOffsets(t, pc, 5, 5)
						if took := time.Since(start); took < time.Minute || took > time.Minute+2*time.Second {
							t.Errorf("took %v", took)
						}
						if n := cluster.count("Metadata"); n != metadata+1 {
							t.Errorf("%d requests for metadata", n-metadata)
						}
					}
					var errs ConsumerErrors
					errors.As(pc.Close(), &errs)
					if want := returns && tc.want != silent; want != (len(errs) == 1 && errs[0].Err == tc.err) {
						t.Errorf("errors: %v", errs)
					}
					if inLog := strings.Contains(logged.String(), "error while consuming t/0"); inLog != (!returns && tc.want != silent) {
						t.Errorf("logged: %s", logged)
					}
					closeAll(t, other)
				})
			})
		}
	}
}

// count is how many requests of an API have come in.
func (c *fakeTopics) count(name string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.mu.requests {
		if r.Name == name {
			n++
		}
	}
	return n
}

func TestConsumerRetryBacksOffAndGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		cluster.writeValues("t", 0, values(0, 1)...)
		var failing atomic.Int32
		failing.Store(3)
		cluster.amend = func(_ *fakeRequest, p *bridge.FetchedPartition) {
			if failing.Load() > 0 {
				p.Err = int16(ErrNotLeaderForPartition)
				p.Records = nil
				failing.Add(-1)
			}
		}
		conf := cluster.config()
		conf.Consumer.Return.Errors = true
		conf.Consumer.Retry.Max = 3
		var asked []int
		conf.Consumer.Retry.BackoffFunc = func(retries int) time.Duration {
			asked = append(asked, retries)
			return time.Duration(retries) * time.Second
		}
		c := cluster.consumer(t, conf)
		start := time.Now()
		pc := consume(t, c, "t", 0, OffsetOldest)
		expectOffsets(t, pc, 0, 1)
		if took := time.Since(start); took != 6*time.Second {
			t.Errorf("took %v", took)
		}
		failing.Store(100)
		cluster.writeValues("t", 0, values(1, 1)...) // so that a fetch ends
		if _, open := <-pc.Messages(); open {
			t.Fatal("a message")
		}
		if e := <-pc.Errors(); e == nil || e.Err != ErrConsumerRetriesExhausted {
			t.Error(e)
		}
		if !slices.Equal(asked, []int{1, 2, 3, 1, 2, 3}) {
			t.Error(asked)
		}
		closeAll(t, pc)
		failing.Store(0)
		pc = consume(t, c, "t", 0, OffsetOldest)
		expectOffsets(t, pc, 0, 2)
		closeAll(t, pc)
	})
}

func TestConsumerGoesOnAfterItsConnectionFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(2)
		for p := range int32(4) {
			cluster.create("t", p, 1+p/2)
		}
		conf := cluster.config()
		conf.Consumer.Return.Errors = true
		c := cluster.consumer(t, conf)
		var pcs []PartitionConsumer
		for p := range int32(4) {
			pcs = append(pcs, consume(t, c, "t", p, OffsetOldest))
		}
		time.Sleep(1234 * time.Millisecond)
		for round := range 3 {
			synctest.Wait() // fetches are under way
			start := time.Now()
			cluster.hangUp()
			for p, pc := range pcs {
				cluster.writeValues("t", int32(p), values(2*round, 2)...)
				expectOffsets(t, pc, int64(2*round), 2)
				if e := <-pc.Errors(); !errors.Is(e, io.EOF) {
					t.Errorf("partition %d: %v", p, e)
				}
			}
			if took := time.Since(start); took < 2*time.Second || took > 3*time.Second {
				t.Errorf("took %v", took)
			}
		}
		for _, pc := range pcs {
			closeAll(t, pc)
		}
	})
}

func TestConsumerReportsAMissingLeaderAndFindsTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(2)
		cluster.create("t", 0, 1)
		cluster.create("t", 1, 1)
		conf := cluster.config()
		conf.Consumer.Return.Errors = true
		c := cluster.consumer(t, conf)
		a, b := consume(t, c, "t", 0, OffsetOldest), consume(t, c, "t", 1, OffsetOldest)
		cluster.move("t", 0, -1)
		cluster.move("t", 1, 2) // that the other has no leader is not its trouble
		if e := <-a.Errors(); !errors.Is(e, ErrLeaderNotAvailable) {
			t.Error(e)
		}
		cluster.writeValues("t", 1, values(0, 2)...)
		expectOffsets(t, b, 0, 2)
		cluster.move("t", 0, 2)
		cluster.writeValues("t", 0, values(0, 2)...)
		expectOffsets(t, a, 0, 2)
		_ = a.Close()
		closeAll(t, b)
	})
}

func TestConsumerSeeksNoLeaderWhileErrorsAreUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(2)
		cluster.create("t", 0, 1)
		conf := cluster.config()
		conf.Consumer.Return.Errors, conf.ChannelBufferSize = true, 1
		conf.Metadata.Retry.Max, conf.Metadata.RefreshFrequency = 0, 0
		conf.Consumer.Retry.Backoff = 0
		c := cluster.consumer(t, conf)
		pc := consume(t, c, "t", 0, OffsetOldest)
		cluster.move("t", 0, -1)
		time.Sleep(time.Hour)
		if n := cluster.count("Metadata"); n > 4 {
			t.Errorf("%d requests for metadata, while nobody took their errors", n)
		}
		cluster.move("t", 0, 2)
		cluster.writeValues("t", 0, values(0, 2)...)
		for range 2 {
			if e := <-pc.Errors(); !errors.Is(e, ErrLeaderNotAvailable) {
				t.Error(e)
			}
		}
		expectOffsets(t, pc, 0, 2)
		_ = pc.Close()
	})
}

func TestFetchSizeGrowsForALargeBatch(t *testing.T) {
	const size = 5000 // of the one batch
	for _, tc := range []struct {
		name   string
		max    int32
		cut    int // the broker sends no more than this
		sizes  []int32
		missed bool
	}{
		{"to the size that the header tells", 0, 1 << 20, []int32{1000, size, 1000}, false},
		{"doubled", 0, 10, []int32{1000, 2000, 4000, 8000, 1000}, false},
		{"up to Fetch.Max", 6000, 10, []int32{1000, 2000, 4000, 6000, 1000}, false},
		{"but not beyond", 4500, 1 << 20, []int32{1000, 4500, 1000}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := newFakeTopics(1)
				cluster.create("t", 0, 1)
				b := batchOfValues(0, "")
				b.Records[0].Value = make([]byte, size-len(rawBatch(b))-2) // its length takes a byte more
				cluster.write("t", 0, b)
				if n := len(rawBatch(b)); n != size {
					t.Fatal(n)
				}
				cluster.writeValues("t", 0, values(1, 1)...)
				cluster.amend = func(r *fakeRequest, p *bridge.FetchedPartition) {
					asked, _ := bridge.FetchPartitions(r.body)
					if n := int(asked[0].MaxBytes); n < len(p.Records) && asked[0].Offset == 0 {
						p.Records = p.Records[:min(n, tc.cut)] // as brokers before 0.10.1 do
					}
				}
				conf := cluster.config()
				conf.Consumer.Return.Errors = true
				conf.Consumer.Fetch.Default, conf.Consumer.Fetch.Max = 1000, tc.max
				c := cluster.consumer(t, conf)
				pc := consume(t, c, "t", 0, OffsetOldest)
				if tc.missed {
					if e := <-pc.Errors(); e.Err != ErrMessageTooLarge {
						t.Error(e)
					}
				} else if m := <-pc.Messages(); m.Offset != 0 {
					t.Error(m.Offset)
				}
				expectOffsets(t, pc, 1, 1)
				synctest.Wait()
				closeAll(t, pc)
				var sizes []int32
				for _, f := range cluster.fetches() {
					asked, _ := bridge.FetchPartitions(f)
					sizes = append(sizes, asked[0].MaxBytes)
				}
				if !slices.Equal(sizes[:len(tc.sizes)], tc.sizes) {
					t.Errorf("asked for %d bytes", sizes)
				}
			})
		})
	}
}

func TestFetchOfAResponseThatIsIncomplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		for p := range int32(3) {
			cluster.create("t", p, 1)
		}
		broken := true
		cluster.intercept = func(r *fakeRequest) (any, bool) {
			asked, _ := []bridge.FetchPartition(nil), 0
			if r.Name == "Fetch" {
				asked, _ = bridge.FetchPartitions(r.body)
			}
			if !broken || len(asked) < 3 {
				return nil, false
			}
			broken = false
			cluster.writeValues("t", 0, values(0, 2)...)
			return bridge.FetchResponse(0, 0, 0, []bridge.FetchedPartition{ // out of order, one twice, one that nobody wants
				{Topic: "t", Partition: 2, PreferredReadReplica: -1},
				{Topic: "t", Partition: 9, PreferredReadReplica: -1, Records: rawBatch(batchOfValues(0, "no"))},
				{Topic: "t", Partition: 0, PreferredReadReplica: -1, Records: rawBatch(batchOfValues(0, values(0, 2)...))},
				{Topic: "t", Partition: 0, PreferredReadReplica: -1, Records: rawBatch(batchOfValues(0, "no", "no", "no"))},
			}, nil), true
		}
		conf := cluster.config()
		conf.Consumer.Return.Errors = true
		c := cluster.consumer(t, conf)
		var pcs []PartitionConsumer
		for p := range int32(3) {
			pcs = append(pcs, consume(t, c, "t", p, OffsetOldest))
		}
		if e := <-pcs[1].Errors(); e.Err != ErrIncompleteResponse {
			t.Error(e)
		}
		expectOffsets(t, pcs[0], 0, 2)
		for p, pc := range pcs {
			from := []int{2, 0, 0}[p]
			cluster.writeValues("t", int32(p), values(from, 5)...)
			expectOffsets(t, pc, int64(from), 5)
			closeAll(t, pc)
		}
	})
}

func TestFetchWithoutProgressIsNotRepeatedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		cluster.writeValues("t", 0, values(0, 10)...)
		cluster.writeValues("t", 0, values(10, 10)...)
		var freed atomic.Bool
		cluster.amend = func(_ *fakeRequest, p *bridge.FetchedPartition) {
			if !freed.Load() {
				p.Records = rawBatch(batchOfValues(0, values(0, 10)...))
			}
		}
		conf := cluster.config()
		conf.Consumer.Return.Errors = true
		c := cluster.consumer(t, conf)
		pc := consume(t, c, "t", 0, 15)
		time.Sleep(time.Minute - time.Second) // between two fetches, which are two seconds apart
		synctest.Wait()
		if n := len(cluster.fetches()); n != 30 {
			t.Errorf("%d fetches in a minute", n)
		}
		if e := <-pc.Errors(); !strings.Contains(e.Error(), "no batch that reaches offset 15") {
			t.Error(e)
		}
		freed.Store(true)
		expectOffsets(t, pc, 15, 5)
		_ = pc.Close()
	})
}

func TestFetchGivesEachPartitionItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		const topics, partitions, batches = 3, 4, 30
		for i := range int32(topics * partitions) {
			topic := fmt.Sprint("t", i/partitions)
			cluster.create(topic, i%partitions, 1)
		}
		conf := cluster.config()
		conf.Consumer.Fetch.MaxBytes = 1200 // two batches a response
		c := cluster.consumer(t, conf)
		var mu sync.Mutex
		var first []string // the two partitions that each request names first, which get records
		cluster.intercept = func(r *fakeRequest) (any, bool) {
			if r.Name != "Fetch" {
				return nil, false
			}
			if asked, _ := bridge.FetchPartitions(r.body); len(asked) == topics*partitions {
				mu.Lock()
				defer mu.Unlock()
				for _, p := range asked[:2] {
					first = append(first, fmt.Sprint(p.Topic, p.Partition))
				}
			}
			return nil, false
		}
		var wg sync.WaitGroup
		var pcs []PartitionConsumer
		for i := range int32(topics * partitions) {
			pc := consume(t, c, fmt.Sprint("t", i/partitions), i%partitions, OffsetOldest)
			pcs = append(pcs, pc)
			wg.Go(func() {
				for range batches {
					<-pc.Messages()
				}
			})
		}
		c.PauseAll()
		time.Sleep(time.Second)
		for i := range int32(topics * partitions) {
			for j := range batches {
				cluster.writeValues(fmt.Sprint("t", i/partitions), i%partitions, big(j, 500))
			}
		}
		mu.Lock()
		first = nil
		mu.Unlock()
		c.ResumeAll()
		wg.Wait()
		// All get about the same: while there is something for everybody, no
		// partition is far ahead.
		mu.Lock()
		defer mu.Unlock()
		seen := make(map[string]int)
		for _, name := range first[:topics*partitions*10] {
			seen[name]++
		}
		for name, n := range seen {
			if n < 5 || n > 15 {
				t.Errorf("%s was served %d times, want about 10", name, n)
			}
		}
		if len(seen) != topics*partitions {
			t.Errorf("only %d partitions got anything", len(seen))
		}
		for _, pc := range pcs {
			closeAll(t, pc)
		}
	})
}

func TestConsumerOfAThousandPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		cluster := newFakeTopics(2)
		for p := range int32(n) {
			cluster.create("t", p, 1+p%2)
			cluster.writeValues("t", p, values(0, 3)...)
		}
		c := cluster.consumer(t, cluster.config())
		pcs := make([]PartitionConsumer, n)
		for p := range int32(n) {
			pcs[p] = consume(t, c, "t", p, OffsetOldest)
		}
		for _, pc := range pcs {
			expectOffsets(t, pc, 0, 3)
		}
		before := len(cluster.fetches())
		for p := range int32(n) {
			cluster.writeValues("t", p, values(3, 3)...)
		}
		for _, pc := range pcs {
			expectOffsets(t, pc, 3, 3)
		}
		t.Logf("%d fetches", len(cluster.fetches())-before)
		for _, f := range cluster.fetches() {
			if asked, _ := bridge.FetchPartitions(f); len(asked) > n/2 {
				t.Fatalf("a fetch names %d partitions", len(asked))
			}
		}
		var wg sync.WaitGroup
		for _, pc := range pcs {
			wg.Go(func() { _ = pc.Close() })
		}
		wg.Wait()
	})
}

func TestConsumerMetricsOfFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("a.b", 0, 1)
		cluster.writeValues("a.b", 0, values(0, 7)...)
		conf := cluster.config()
		c := cluster.consumer(t, conf)
		pc := consume(t, c, "a.b", 0, OffsetOldest)
		expectOffsets(t, pc, 0, 7)
		time.Sleep(2345 * time.Millisecond) // a fetch is under way
		batch := getHistogram(t, conf, "consumer-batch-size")
		if batch.Count() != 1 || batch.Max() != 7 {
			t.Error(batch.Count(), batch.Max())
		}
		size := getHistogram(t, conf, "consumer-fetch-response-size")
		if n := int64(len(cluster.fetches())) - 1; size.Count() != n || size.Max() < 7*10 || size.Min() <= 0 {
			t.Error(size.Count(), n, size.Max())
		}
		if conf.MetricRegistry.Get("consumer-fetch-rate-for-topic-a_b") == nil {
			t.Error("no rate for the topic")
		}
		closeAll(t, pc, c)
		for name := range conf.MetricRegistry.GetAll() {
			t.Errorf("%s is left", name)
		}
	})
}

func getHistogram(t *testing.T, conf *Config, name string) *histogram {
	t.Helper()
	h, ok := conf.MetricRegistry.Get(name).(*histogram)
	if !ok {
		t.Fatalf("no %s", name)
	}
	return h
}

// A leader may be named without its address, from Fetch 12 on.
func TestFetchFollowsALeaderThatIsNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		leader, epoch int32
		backoff       bool
	}{
		"newer": {2, 1, false}, "not newer": {2, 0, true}, "nobody": {-1, 5, true}, "a broker that is not known": {9, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := newFakeTopics(2)
				cluster.create("t", 0, 1)
				cluster.amend = func(_ *fakeRequest, p *bridge.FetchedPartition) {
					if p.Err == int16(ErrNotLeaderForPartition) {
						p.HasLeader, p.CurrentLeaderID, p.CurrentLeaderEpoch = true, tc.leader, tc.epoch
					}
				}
				conf := cluster.config()
				conf.Consumer.Return.Errors = true
				c := cluster.consumer(t, conf)
				pc := consume(t, c, "t", 0, OffsetOldest)
				time.Sleep(time.Second)
				metadata, start := cluster.count("Metadata"), time.Now()
				cluster.move("t", 0, 2)
				cluster.writeValues("t", 0, values(0, 3)...)
				expectOffsets(t, pc, 0, 3)
				if took := time.Since(start); tc.backoff != (took >= conf.Consumer.Retry.Backoff) {
					t.Errorf("took %v", took)
				}
				if asked := cluster.count("Metadata") > metadata; asked != tc.backoff {
					t.Errorf("metadata was asked for: %v", asked)
				}
				closeAll(t, pc)
			})
		})
	}
}
