package sarama

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/IBM/sarama/internal/bridge"
	"go.uber.org/goleak"
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

// big is a value that makes a batch of one record about size bytes long.
func big(offset, size int) string {
	return fmt.Sprintf("%-*d", size-80, offset)
}

func TestFetchingGoesOnWhileTheUserReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		for i := range 100 {
			cluster.writeValues("t", 0, big(i, 400))
		}
		conf := cluster.config()
		conf.ChannelBufferSize = 0
		conf.Consumer.Fetch.Default = 1000
		c := cluster.consumer(t, conf)
		pc := consume(t, c, "t", 0, OffsetOldest)
		synctest.Wait()
		// Two batches a response. The first leaves room for the second, and
		// then there is none.
		if n := len(cluster.fetches()); n != 2 {
			t.Errorf("%d fetches before the user reads", n)
		}
		for i := range 100 {
			if m := <-pc.Messages(); m.Offset != int64(i) {
				t.Fatal(m.Offset)
			}
			synctest.Wait()
			if n := len(cluster.fetches()); i < 90 && n != 2+(i+1)/2 {
				t.Fatalf("%d fetches after %d messages", n, i+1)
			}
		}
		closeAll(t, pc)
	})
}

func TestFetchLeavesOutAPartitionWithoutRoomForAShortTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		cluster.create("t", 1, 1)
		conf := cluster.config()
		conf.ChannelBufferSize = 0
		conf.Consumer.Fetch.Default = 1000
		conf.Consumer.MaxWaitTime = time.Minute
		conf.Consumer.MaxProcessingTime = 300 * time.Millisecond
		logged := captureLogger(t)
		c := cluster.consumer(t, conf)
		slow, idle := consume(t, c, "t", 0, OffsetOldest), consume(t, c, "t", 1, OffsetOldest)
		time.Sleep(3 * time.Minute)
		fetches := cluster.fetches()
		if last := fetches[len(fetches)-1]; last.MaxWaitTime != 60000 {
			t.Errorf("waits %d ms when both have room", last.MaxWaitTime)
		}
		for i := range 20 {
			cluster.writeValues("t", 0, big(i, 400))
		}
		before := len(cluster.fetches())
		time.Sleep(10 * time.Second)
		fetches = cluster.fetches()[before:]
		for i, f := range fetches {
			asked, _ := bridge.FetchPartitions(f)
			if f.MaxWaitTime == 60000 && len(asked) == 2 {
				continue // the partition had room
			}
			if len(asked) != 1 || asked[0].Partition != 1 || f.MaxWaitTime > 300 {
				t.Fatalf("fetch %d asks for %+v and waits %d ms", i, asked, f.MaxWaitTime)
			}
		}
		if n := len(fetches); n < 10000/300 || n > 100 {
			t.Errorf("%d fetches in 10 s", n)
		}
		if n := strings.Count(logged.String(), "abandoned subscription to t/0 until it is read, because consuming was taking too long"); n != 1 {
			t.Errorf("logged %d times", n)
		}
		cluster.writeValues("t", 1, values(0, 3)...)
		start := time.Now()
		expectOffsets(t, idle, 0, 3)
		if took := time.Since(start); took > 0 {
			t.Errorf("the other partition had to wait %v", took)
		}
		start = time.Now()
		for i := range int64(20) {
			if m := <-slow.Messages(); m.Offset != i {
				t.Fatal(m.Offset)
			}
		}
		if took := time.Since(start); took > 10*300*time.Millisecond {
			t.Errorf("the slow one needs %v for what is left", took)
		}
		if !strings.Contains(logged.String(), "added subscription to t/0 again") {
			t.Error("not logged")
		}
		closeAll(t, slow, idle)
	})
}

// A feeder that is being drained gets new records about when it has room, also
// where others are idle: the wait of the fetch that leaves it out is short.
func TestFetchWaitFollowsThePaceOfTheUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		cluster.create("t", 1, 1)
		const n = 2000
		for i := range n {
			cluster.writeValues("t", 0, big(i, 400))
		}
		conf := cluster.config()
		conf.ChannelBufferSize = 0
		conf.Consumer.Fetch.Default = 10000
		c := cluster.consumer(t, conf)
		idle, busy := consume(t, c, "t", 1, OffsetOldest), consume(t, c, "t", 0, OffsetOldest)
		start := time.Now()
		for i := range int64(n) {
			if m := <-busy.Messages(); m.Offset != i {
				t.Fatal(m.Offset)
			}
			time.Sleep(200 * time.Microsecond)
		}
		// Each 20 messages or so take the user 5 ms. Were the fetches that
		// leave the partition out as long as MaxProcessingTime, they would
		// take 100 ms.
		if took := time.Since(start); took > n*400*time.Microsecond {
			t.Errorf("took %v", took)
		}
		closeAll(t, idle, busy)
	})
}

// testFetcher is a fetcher whose run is not started: a test calls its methods.
func testFetcher(t testing.TB, conf *Config) *fetcher {
	c := &consumer{conf: conf, metrics: newConsumerMetrics(conf.MetricRegistry)}
	c.mu.children = make(map[string]map[int32]*partitionConsumer)
	c.dispatcher = &dispatcher{consumer: c, conf: conf, mail: newMailbox(), done: make(chan struct{})}
	return newFetcher(c.dispatcher, &Broker{id: 1, addr: "broker-1:9092"})
}

// add starts to consume a partition with the fetcher.
func (f *fetcher) add(t testing.TB, topic string, partition int32) *cursor {
	t.Helper()
	c := f.dispatcher.consumer
	if err := c.reserve(topic, partition); err != nil {
		t.Fatal(err)
	}
	pc := newPartitionConsumer(c, topic, partition)
	c.enter(pc)
	go pc.run()
	cur := &cursor{pc: pc, fetchBytes: f.conf.Consumer.Fetch.Default}
	cur.letter.item = cur
	f.mail.post(&cur.letter)
	f.adopt()
	return cur
}

// respond handles a response whose records are parts of one frame. It returns a
// weak pointer to that.
func (f *fetcher) respond(records map[int32][]byte) weak.Pointer[byte] {
	var frame []byte
	for _, id := range slices.Sorted(maps.Keys(records)) {
		frame = append(frame, records[id]...)
	}
	f.prepare(time.Now())
	resp := &fetchResponse{topics: []fetchedTopic{{name: "t"}}}
	at := 0
	for _, c := range f.inFlight {
		id := c.pc.partition
		end := at + len(records[id])
		resp.topics[0].partitions = append(resp.topics[0].partitions, fetchedPartition{id: id, records: frame[at:end:end]})
		at = end
	}
	f.handle(resp, len(frame))
	return weak.Make(&frame[0])
}

func TestFetchedResponsesOfWhichTwoAreAlive(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	conf := NewConfig()
	conf.Consumer.Fetch.Default = 1 << 30
	conf.ChannelBufferSize = 8
	f := testFetcher(t, conf)
	const partitions, responses = 5, 6
	var cursors []*cursor
	for p := range int32(partitions) {
		cursors = append(cursors, f.add(t, "t", p))
	}
	collected := func(p weak.Pointer[byte]) bool {
		for range 100 {
			runtime.GC()
			if p.Value() == nil {
				return true
			}
			time.Sleep(time.Millisecond)
		}
		return false
	}
	// Nobody reads. Each response has, for each partition, more than what a
	// channel and a window hold.
	var frames []weak.Pointer[byte]
	next := int64(0)
	for range responses {
		records := make(map[int32][]byte)
		for p := range int32(partitions) {
			for i := range int64(100) {
				records[p] = append(records[p], rawBatch(batchOfValues(next+i, big(int(next+i), 2000)))...)
			}
		}
		next += 100
		frames = append(frames, f.respond(records))
		if n := len(frames); n > 1 && !collected(frames[n-2]) {
			t.Errorf("response %d lives on when response %d is there", n-2, n-1)
		}
	}
	if frames[responses-1].Value() == nil {
		t.Error("the last response is gone, is this a test?")
	}
	for p, c := range cursors {
		if held := c.pc.held.Load(); held < 500*2000 {
			t.Errorf("partition %d holds only %d bytes", p, held)
		}
		for i := range next {
			m := <-c.pc.Messages()
			if m.Offset != i || strings.TrimSpace(string(m.Value)) != fmt.Sprint(i) {
				t.Fatalf("partition %d: offset %d, %q", p, m.Offset, m.Value)
			}
		}
	}
	if !collected(frames[responses-1]) {
		t.Error("the last response lives on when all is read")
	}
	for _, c := range cursors {
		closeAll(t, c.pc)
	}
}

func TestFetchedMessageDoesNotPinTheResponse(t *testing.T) {
	conf := NewConfig()
	conf.ChannelBufferSize = 0
	f := testFetcher(t, conf)
	records := make(map[int32][]byte)
	var cursors []*cursor
	for p := range int32(4) {
		cursors = append(cursors, f.add(t, "t", p))
		records[p] = rawBatch(batchOfValues(0, values(0, 1000)...))
	}
	frame := f.respond(records)
	var kept *ConsumerMessage
	for _, c := range cursors {
		for range 1000 {
			if m := <-c.pc.Messages(); m.Offset == 500 {
				kept = m
			}
		}
		closeAll(t, c.pc)
	}
	for range 100 {
		if runtime.GC(); frame.Value() == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if frame.Value() != nil {
		t.Error("the response lives on")
	}
	if string(kept.Value) != "value-500" {
		t.Error(kept)
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
					logged := captureLogger(t)
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
		time.Sleep(time.Minute)
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
		var order []string
		var wg sync.WaitGroup
		var pcs []PartitionConsumer
		for i := range int32(topics * partitions) {
			topic := fmt.Sprint("t", i/partitions)
			pc := consume(t, c, topic, i%partitions, OffsetOldest)
			pcs = append(pcs, pc)
			wg.Go(func() {
				for range batches {
					<-pc.Messages()
					mu.Lock()
					order = append(order, fmt.Sprint(topic, i%partitions))
					mu.Unlock()
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
		c.ResumeAll()
		wg.Wait()
		// All get about the same: while there is something for everybody, no
		// partition is far ahead.
		seen := make(map[string]int)
		for _, name := range order[24 : 24+topics*partitions*10] {
			seen[name]++
		}
		for name, n := range seen {
			if n < 5 || n > 15 {
				t.Errorf("%s got %d of the first batches, want about 10", name, n)
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

// Leaders move all the time, replies are late, and yet each message comes once
// and in its turn.
func TestConsumerOrderSurvivesMovingLeaders(t *testing.T) {
	const moves, partitions = 1000, 4
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(2)
		for p := range int32(partitions) {
			cluster.create("t", p, 1)
		}
		refused := 0
		cluster.amend = func(r *fakeRequest, p *bridge.FetchedPartition) {
			if p.Err == int16(ErrNotLeaderForPartition) || p.Err == int16(ErrFencedLeaderEpoch) {
				cluster.with(func() { refused++ })
			}
			if len(p.Records) > 0 {
				time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond) // on its way while leaders move
			}
		}
		conf := cluster.config()
		conf.Consumer.Retry.Backoff = time.Millisecond
		conf.Consumer.Fetch.Default = 2000
		conf.ChannelBufferSize = 8
		own, err := NewClient([]string{"broker-1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewConsumerFromClient(&foreignClient{Client: own}) // which may refresh at any rate
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		var writer, readers sync.WaitGroup
		writer.Go(func() {
			for at := 0; !isClosed(done); at += 20 {
				for p := range int32(partitions) {
					cluster.writeValues("t", p, values(at, 20)...)
				}
				time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
			}
			for p := range int32(partitions) {
				cluster.writeValues("t", p, "end")
			}
		})
		for p := range int32(partitions) {
			pc := consume(t, c, "t", p, OffsetOldest)
			readers.Go(func() {
				for next := int64(0); ; next++ {
					m := <-pc.Messages()
					if m.Offset == next && string(m.Value) == "end" {
						break
					}
					if m.Offset != next || string(m.Value) != fmt.Sprintf("value-%d", next) {
						t.Errorf("partition %d: got offset %d, %q, want %d", p, m.Offset, m.Value, next)
						break
					}
				}
				_ = pc.Close()
			})
		}
		for range moves {
			cluster.move("t", rand.Int32N(partitions), 1+rand.Int32N(2))
			time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
		}
		close(done)
		writer.Wait()
		readers.Wait()
		if refused < moves/4 {
			t.Errorf("only %d fetches met a leader that had moved", refused)
		}
		t.Logf("%d moves, %d fetches refused", moves, refused)
		closeAll(t, c, own)
	})
}
