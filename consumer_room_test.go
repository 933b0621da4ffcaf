package sarama

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/IBM/sarama/internal/bridge"
	"go.uber.org/goleak"
)

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
		logged := captureLines(t)
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
	for _, c := range f.wanted {
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
