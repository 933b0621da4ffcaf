package fakekafka_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// fill appends n batches of one record each, with values "0", "1" and so on
// padded to size bytes.
func fill(t testing.TB, cluster *fakekafka.Cluster, topic string, partition int32, n, size int) {
	t.Helper()
	for i := range n {
		value := fmt.Append(nil, i)
		value = append(value, strings.Repeat(" ", max(0, size-len(value)))...)
		if _, err := cluster.Append(topic, partition, fakekafka.Record{Value: value}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFetchRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		topic     string
		partition int32
		broker    int32
		offset    int64
		epoch     int32
		version   int16
		want      sarama.KError
	}{
		"good":                  {epoch: 1, want: sarama.ErrNoError},
		"at the end":            {epoch: -1, offset: 3, want: sarama.ErrNoError},
		"past the end":          {epoch: -1, offset: 4, want: sarama.ErrOffsetOutOfRange},
		"before the start":      {epoch: -1, offset: 0, topic: "r", want: sarama.ErrOffsetOutOfRange},
		"negative":              {epoch: -1, offset: -1, want: sarama.ErrOffsetOutOfRange},
		"unknown topic":         {epoch: -1, topic: "nope", want: sarama.ErrUnknownTopicOrPartition},
		"unknown partition":     {epoch: -1, partition: 3, want: sarama.ErrUnknownTopicOrPartition},
		"old epoch":             {epoch: 0, want: sarama.ErrFencedLeaderEpoch},
		"future epoch":          {epoch: 2, want: sarama.ErrUnknownLeaderEpoch},
		"not a replica":         {epoch: -1, broker: 1, want: sarama.ErrNotLeaderForPartition},
		"follower":              {epoch: 1, topic: "r", offset: 1, broker: 3, want: sarama.ErrNoError},
		"follower, old version": {epoch: 1, topic: "r", offset: 1, broker: 3, version: 10, want: sarama.ErrNotLeaderForPartition},
		"follower, old epoch":   {epoch: 0, topic: "r", offset: 1, broker: 3, want: sarama.ErrFencedLeaderEpoch},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fakekafka.New(t, three())
			for _, topic := range []string{"t", "r"} {
				fill(t, cluster, topic, 0, 3, 1)
				must(t, cluster.MoveLeader(topic, 0, 2)) // epoch 1
			}
			must(t, cluster.TrimLog("r", 0, 1))
			if test.topic == "" {
				test.topic = "t"
			}
			if test.broker == 0 {
				test.broker = 2
			}
			req := &sarama.FetchRequest{Version: 12, MaxBytes: 1 << 20, SessionEpoch: -1, MinBytes: 1, MaxWaitTime: 1}
			if test.version != 0 {
				req.Version = test.version
			}
			req.AddBlock(test.topic, test.partition, test.offset, 1<<20, test.epoch)
			block := fetch(t, dial(t, cluster, test.broker), req).GetBlock(test.topic, test.partition)
			wantErr(t, block.Err, test.want)
			if test.want != sarama.ErrNoError && (len(block.RecordsSet) > 0 || block.HighWaterMarkOffset != -1) {
				t.Fatalf("refused with %+v", block)
			}
			if test.want == sarama.ErrNoError && block.HighWaterMarkOffset != 3 {
				t.Fatalf("high watermark is %d", block.HighWaterMarkOffset)
			}
		})
	}
}

// Topics are named by their ids from version 13 on, and the leader that a
// broker is not any more is named from version 16 on.
func TestFetchByTopicID(t *testing.T) {
	cluster := fakekafka.New(t, three())
	fill(t, cluster, "t", 0, 2, 1)
	b := dial(t, cluster, 1)
	meta, err := b.GetMetadata(&sarama.MetadataRequest{Version: 12, Topics: []string{"t"}})
	must(t, err)
	id := meta.Topics[0].Uuid.String()
	byID := func(topic string) *sarama.FetchResponse {
		req := &sarama.FetchRequest{Version: 17, MaxBytes: 1 << 20, SessionEpoch: -1}
		req.AddBlock(topic, 0, 0, 1<<20, -1)
		return fetch(t, b, req)
	}
	wantValues(t, values(byID(id).GetBlock(id, 0)), "0", "1")
	unknown := sarama.Uuid{1}.String()
	wantErr(t, byID(unknown).GetBlock(unknown, 0).Err, sarama.ErrUnknownTopicID)
	must(t, cluster.MoveLeader("t", 0, 3))
	resp := byID(id)
	block := resp.GetBlock(id, 0)
	wantErr(t, block.Err, sarama.ErrNotLeaderForPartition)
	if block.CurrentLeader == nil || *block.CurrentLeader != (sarama.FetchResponseCurrentLeader{LeaderID: 3, LeaderEpoch: 1}) {
		t.Fatalf("current leader: %+v", block.CurrentLeader)
	}
	if len(resp.NodeEndpoints) != 1 || resp.NodeEndpoints[0].NodeID != 3 {
		t.Fatalf("endpoints: %+v", resp.NodeEndpoints)
	}
	// A topic made again has another id.
	must(t, cluster.DeleteTopic("t"))
	must(t, cluster.CreateTopic(fakekafka.Topic{Name: "t"}))
	wantErr(t, byID(id).GetBlock(id, 0).Err, sarama.ErrUnknownTopicID)
}

func TestFetchLimits(t *testing.T) {
	cluster := fakekafka.New(t, one())
	fill(t, cluster, "t", 0, 10, 1000)
	fill(t, cluster, "t", 1, 10, 1000)
	b := dial(t, cluster, 1)
	const size = 61 + 1000 + 9 // a batch with its one record
	for name, test := range map[string]struct {
		maxBytes, partitionMaxBytes int32
		want                        [2]int // complete batches
	}{
		"all":                            {1 << 20, 1 << 20, [2]int{10, 10}},
		"partition, to the byte":         {1 << 20, 3 * size, [2]int{3, 3}},
		"partition, within a batch":      {1 << 20, 3*size + 500, [2]int{3, 3}},
		"response ends first partition":  {4 * size, 1 << 20, [2]int{4, 0}},
		"response ends second partition": {12*size + 100, 1 << 20, [2]int{10, 2}},
		"first batch is larger":          {1 << 20, 10, [2]int{1, 0}},
		"nothing at all":                 {0, 0, [2]int{1, 0}},
		"second within first batch":      {size + 100, size, [2]int{1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			req := &sarama.FetchRequest{Version: 12, MaxBytes: test.maxBytes, SessionEpoch: -1}
			for p := range int32(2) {
				req.AddBlock("t", p, 0, test.partitionMaxBytes, -1)
			}
			resp := fetch(t, b, req)
			for p := range int32(2) {
				block := resp.GetBlock("t", p)
				got := len(block.RecordsSet)
				if got > 0 && block.RecordsSet[got-1].RecordBatch.PartialTrailingRecord {
					got--
				}
				if got != test.want[p] || block.Partial {
					t.Errorf("partition %d: %d batches, partial %v", p, got, block.Partial)
				}
			}
		})
	}
}

// Reading all of a long log, in small steps, gives each record once.
func TestFetchWalksSegments(t *testing.T) {
	cluster := fakekafka.New(t, one())
	fill(t, cluster, "t", 0, 300, 1000)
	b := dial(t, cluster, 1)
	next := int64(0)
	for next < 300 {
		req := &sarama.FetchRequest{Version: 12, MaxBytes: 1 << 20, SessionEpoch: -1, MinBytes: 1 << 20, MaxWaitTime: 1}
		req.AddBlock("t", 0, next, 20_000, -1)
		block := fetch(t, b, req).GetBlock("t", 0)
		got := values(block)
		if len(got) == 0 {
			t.Fatalf("nothing at offset %d", next)
		}
		for _, v := range got {
			if want := fmt.Sprint(next); strings.TrimSpace(v) != want {
				t.Fatalf("got record %q, want %q", strings.TrimSpace(v), want)
			}
			next++
		}
	}
}

func TestFetchLooksForDivergence(t *testing.T) {
	cluster := fakekafka.New(t, three())
	fill(t, cluster, "r", 0, 3, 1) // epoch 0 ends at 3
	must(t, cluster.MoveLeader("r", 0, 2))
	must(t, cluster.MoveLeader("r", 0, 3))
	fill(t, cluster, "r", 0, 2, 1) // epoch 2 ends at 5
	c := rawConn(t, cluster, 3)
	for _, test := range []struct {
		lastEpoch int32
		offset    int64
		epoch     int32
		end       int64
	}{{0, 3, -1, -1}, {0, 4, 0, 3}, {1, 4, 0, 3}, {2, 5, -1, -1}, {2, 6, 2, 5}} {
		body := []byte{0} // the header's tags
		body = binary.BigEndian.AppendUint32(body, ^uint32(0))
		body = append(body, make([]byte, 4+4)...) // wait, min bytes
		body = binary.BigEndian.AppendUint32(body, 1<<20)
		body = append(body, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff) // isolation, session
		body = append(body, 2, 2, 'r', 2)
		body = append(body, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
		body = binary.BigEndian.AppendUint64(body, uint64(test.offset))
		body = binary.BigEndian.AppendUint32(body, uint32(test.lastEpoch))
		body = binary.BigEndian.AppendUint64(body, ^uint64(0))
		body = binary.BigEndian.AppendUint32(body, 1<<20)
		body = append(body, 0, 0, 1, 1, 0) // tags, tags, nothing forgotten, no rack, tags
		got := exchange(t, c, frame(1, 12, 1, body...))
		// correlation, tags, throttle, error, session, topics, name, partitions, id, error, three offsets, aborted, replica
		rest := got[4+1+4+2+4+1+2+1+4+2+24+1+4:]
		length := int(rest[0])
		if length > 0x7f {
			length = length&0x7f | int(rest[1])<<7
			rest = rest[1:]
		}
		tags := rest[1+max(0, length-1):]
		if test.epoch < 0 {
			if tags[0] != 0 {
				t.Fatalf("%+v: tags %v", test, tags)
			}
			continue
		}
		if tags[0] != 1 || tags[1] != 0 || int32(binary.BigEndian.Uint32(tags[3:])) != test.epoch || int64(binary.BigEndian.Uint64(tags[7:])) != test.end {
			t.Fatalf("%+v: tags %v", test, tags)
		}
	}
}

func TestFetchWaits(t *testing.T) {
	const wait = 10 * time.Second
	for name, test := range map[string]struct {
		minBytes int32
		event    func(t *testing.T, cluster *fakekafka.Cluster) // after one second
		want     time.Duration
		err      sarama.KError
		values   []string
	}{
		"until the time is over":     {minBytes: 1, want: wait},
		"not at all without minimum": {minBytes: 0, want: 0},
		"until there is a record": {minBytes: 1, want: time.Second, values: []string{"0"},
			event: func(t *testing.T, c *fakekafka.Cluster) { fill(t, c, "t", 0, 1, 1) }},
		"for more than there is": {minBytes: 100_000, want: wait, values: []string{"0"},
			event: func(t *testing.T, c *fakekafka.Cluster) { fill(t, c, "t", 0, 1, 1) }},
		"not for another partition": {minBytes: 1, want: wait,
			event: func(t *testing.T, c *fakekafka.Cluster) { fill(t, c, "t", 1, 1, 1) }},
		"until the leader moves": {minBytes: 1, want: time.Second, err: sarama.ErrNotLeaderForPartition,
			event: func(t *testing.T, c *fakekafka.Cluster) { must(t, c.MoveLeader("t", 0, 2)) }},
		"until the leader is gone": {minBytes: 1, want: time.Second, err: sarama.ErrFencedLeaderEpoch,
			event: func(t *testing.T, c *fakekafka.Cluster) { must(t, c.RemoveLeader("t", 0)) }},
		"until the topic is deleted": {minBytes: 1, want: time.Second, err: sarama.ErrUnknownTopicOrPartition,
			event: func(t *testing.T, c *fakekafka.Cluster) { must(t, c.DeleteTopic("t")) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := fakekafka.New(t, three())
				b := dial(t, cluster, 1)
				start := time.Now()
				if test.event != nil {
					go func() {
						time.Sleep(time.Second)
						test.event(t, cluster)
					}()
				}
				req := &sarama.FetchRequest{Version: 12, MaxBytes: 1 << 20, SessionEpoch: -1, MinBytes: test.minBytes, MaxWaitTime: int32(wait.Milliseconds())}
				epoch := int32(-1)
				if test.err == sarama.ErrFencedLeaderEpoch {
					epoch = 0
				}
				req.AddBlock("t", 0, 0, 1<<20, epoch)
				block := fetch(t, b, req).GetBlock("t", 0)
				if took := time.Since(start); took != test.want {
					t.Fatalf("answered after %v, want %v", took, test.want)
				}
				wantErr(t, block.Err, test.err)
				wantValues(t, values(block), test.values...)
			})
		})
	}
}

// A request behind a fetch that waits is answered after it, as by Kafka.
func TestConnectionAnswersInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fakekafka.New(t, one())
		b := dial(t, cluster, 1)
		start := time.Now()
		done := make(chan time.Duration)
		go func() {
			req := fetchRequest("t", 0, 0)
			req.MinBytes, req.MaxWaitTime = 1, 5000
			_, _ = b.Fetch(req)
			done <- time.Since(start)
		}()
		synctest.Wait()
		_, err := b.GetMetadata(&sarama.MetadataRequest{Version: 9})
		must(t, err)
		if took := time.Since(start); took != 5*time.Second {
			t.Fatalf("metadata was answered after %v", took)
		}
		if took := <-done; took != 5*time.Second {
			t.Fatalf("fetch was answered after %v", took)
		}
	})
}

// sessionFetch is a fetch of version 7 in a session, with and without names.
type sessionFetch struct {
	id, epoch int32
	want      []int32 // partitions of t, from offset 0
	offset    int64
	forget    []int32
}

// exchange sends it raw, as the exported request cannot forget partitions, and
// returns error, session id and partitions.
func (f sessionFetch) exchange(t testing.TB, c interface {
	Write([]byte) (int, error)
	Read([]byte) (int, error)
}) (sarama.KError, int32, []int32) {
	t.Helper()
	be := binary.BigEndian
	body := be.AppendUint32(nil, ^uint32(0))
	body = append(body, make([]byte, 8)...)
	body = be.AppendUint32(body, 1<<20)
	body = append(body, 0)
	body = be.AppendUint32(body, uint32(f.id))
	body = be.AppendUint32(body, uint32(f.epoch))
	list := func(ids []int32, more func()) {
		if len(ids) == 0 {
			body = be.AppendUint32(body, 0)
			return
		}
		body = be.AppendUint32(body, 1)
		body = append(body, 0, 1, 't')
		body = be.AppendUint32(body, uint32(len(ids)))
		for _, id := range ids {
			body = be.AppendUint32(body, uint32(id))
			more()
		}
	}
	list(f.want, func() {
		body = be.AppendUint64(body, uint64(f.offset))
		body = be.AppendUint64(body, ^uint64(0))
		body = be.AppendUint32(body, 1<<20)
	})
	list(f.forget, func() {})
	request := frame(1, 7, 1, body...)
	if _, err := c.Write(request); err != nil {
		t.Fatal(err)
	}
	var size [4]byte
	readFull(t, c, size[:])
	got := make([]byte, be.Uint32(size[:]))
	readFull(t, c, got)
	got = got[8:] // correlation, throttle
	err, id := sarama.KError(be.Uint16(got)), int32(be.Uint32(got[2:]))
	topics := be.Uint32(got[6:])
	got = got[10:]
	var partitions []int32
	for range topics {
		got = got[3:]
		n := be.Uint32(got)
		got = got[4:]
		for range n {
			partitions = append(partitions, int32(be.Uint32(got)))
			got = got[4+2+24+4:]
			got = got[4+be.Uint32(got):]
		}
	}
	return err, id, partitions
}

func readFull(t testing.TB, c interface{ Read([]byte) (int, error) }, b []byte) {
	t.Helper()
	for len(b) > 0 {
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		b = b[n:]
	}
}

func TestFetchSessions(t *testing.T) {
	opts := one()
	opts.Topics[0].Partitions = 4
	cluster := fakekafka.New(t, opts)
	c := rawConn(t, cluster, 1)
	expect := func(f sessionFetch, wantErr sarama.KError, wantID int32, want ...int32) int32 {
		t.Helper()
		err, id, partitions := f.exchange(t, c)
		if err != wantErr || !slices.Equal(partitions, want) || (wantID >= 0 && id != wantID) {
			t.Fatalf("%+v: got %v, session %d, partitions %v; want %v, %d, %v", f, err, id, partitions, wantErr, wantID, want)
		}
		return id
	}
	id := expect(sessionFetch{want: []int32{0, 1, 2}}, 0, -1, 0, 1, 2)
	if id == 0 {
		t.Fatal("no session was made")
	}
	expect(sessionFetch{id: id, epoch: 1}, 0, id) // no news
	fill(t, cluster, "t", 1, 1, 1)
	expect(sessionFetch{id: id, epoch: 2}, 0, id, 1)
	expect(sessionFetch{id: id, epoch: 3}, 0, id, 1) // its offset has not moved
	fill(t, cluster, "t", 0, 1, 1)
	expect(sessionFetch{id: id, epoch: 4}, 0, id, 0, 1)                                              // as they stand
	expect(sessionFetch{id: id, epoch: 5, want: []int32{0, 1}, offset: 1, forget: nil}, 0, id)       // read up
	expect(sessionFetch{id: id, epoch: 5}, sarama.ErrInvalidFetchSessionEpoch, 0)                    // that was before
	expect(sessionFetch{id: id, epoch: 6, want: []int32{3}, forget: []int32{0}}, 0, id, 3)           // new to the session
	fill(t, cluster, "t", 0, 1, 1)                                                                   // forgotten
	expect(sessionFetch{id: id, epoch: 7}, 0, id)                                                    // no news
	must(t, cluster.TrimLog("t", 1, 1))                                                              // is news
	expect(sessionFetch{id: id, epoch: 8}, 0, id, 1)                                                 // once
	expect(sessionFetch{id: id, epoch: 9}, 0, id)                                                    //
	must(t, cluster.TrimLog("t", 2, 0))                                                              // changes nothing
	undo := cluster.Fail(fakekafka.Fetch, "t", 2, sarama.ErrKafkaStorageError, 2)                    //
	expect(sessionFetch{id: id, epoch: 10}, 0, id, 2)                                                // errors are always told
	expect(sessionFetch{id: id, epoch: 11}, 0, id, 2)                                                //
	expect(sessionFetch{id: id, epoch: 12}, 0, id, 2)                                                // and their end, once
	expect(sessionFetch{id: id, epoch: 13}, 0, id)                                                   //
	undo()                                                                                           //
	expect(sessionFetch{id: id + 1, epoch: 1}, sarama.ErrFetchSessionIDNotFound, 0)                  //
	other := expect(sessionFetch{id: id, epoch: 0, want: []int32{2}}, 0, -1, 2)                      // replaces it
	expect(sessionFetch{id: id, epoch: 14}, sarama.ErrFetchSessionIDNotFound, 0)                     //
	expect(sessionFetch{id: other, epoch: -1, want: []int32{2}}, 0, 0, 2)                            // ends it
	expect(sessionFetch{id: other, epoch: 1}, sarama.ErrFetchSessionIDNotFound, 0)                   //
	expect(sessionFetch{epoch: -1, want: []int32{2}}, 0, 0, 2)                                       // without
	empty := expect(sessionFetch{want: []int32{0}, offset: 2}, 0, -1, 0)                             //
	expect(sessionFetch{id: empty, epoch: 1, forget: []int32{0}}, 0, 0)                              // nothing is left of it
	expect(sessionFetch{id: empty, epoch: 2, want: []int32{0}}, sarama.ErrFetchSessionIDNotFound, 0) //
	last := expect(sessionFetch{want: []int32{0}, offset: 2}, 0, -1, 0)                              //
	cluster.DropFetchSessions(1)                                                                     //
	expect(sessionFetch{id: last, epoch: 1}, sarama.ErrFetchSessionIDNotFound, 0)                    //
}

func TestFetchSessionsAreEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := one()
		opts.FetchSessions = 2
		cluster := fakekafka.New(t, opts)
		c := rawConn(t, cluster, 1)
		fresh := func() int32 {
			_, id, _ := sessionFetch{want: []int32{0}}.exchange(t, c)
			return id
		}
		first := fresh()
		time.Sleep(time.Minute)
		second := fresh()
		if first == 0 || second == 0 || fresh() != 0 {
			t.Fatal("want two sessions and no third")
		}
		time.Sleep(time.Minute + time.Second)
		if fresh() == 0 {
			t.Fatal("a session that is not used was not replaced")
		}
		if err, _, _ := (sessionFetch{id: first, epoch: 1}).exchange(t, c); err != sarama.ErrFetchSessionIDNotFound {
			t.Fatalf("first session: %v", err)
		}
		if err, _, _ := (sessionFetch{id: second, epoch: 1}).exchange(t, c); err != sarama.ErrNoError {
			t.Fatalf("second session: %v", err)
		}
	})
}

func TestFetchSessionsCanBeSwitchedOff(t *testing.T) {
	opts := one()
	opts.FetchSessions = -1
	cluster := fakekafka.New(t, opts)
	if err, id, got := (sessionFetch{want: []int32{0}}).exchange(t, rawConn(t, cluster, 1)); err != 0 || id != 0 || len(got) != 1 {
		t.Fatalf("got %v, session %d, %v", err, id, got)
	}
}

// What had records goes behind what had none, so that each has its turn when a
// response is full.
func TestFetchSessionsServeInTurn(t *testing.T) {
	cluster := fakekafka.New(t, one())
	fill(t, cluster, "t", 0, 100, 1000)
	fill(t, cluster, "t", 1, 100, 1000)
	b := dial(t, cluster, 1)
	req := &sarama.FetchRequest{Version: 12, MaxBytes: 3000}
	req.AddBlock("t", 0, 0, 3000, -1)
	req.AddBlock("t", 1, 0, 3000, -1)
	resp := fetch(t, b, req)
	var served []int
	for epoch := range int32(4) {
		next := &sarama.FetchRequest{Version: 12, MaxBytes: 3000, SessionID: resp.SessionID, SessionEpoch: epoch + 1}
		got := fetch(t, b, next)
		for p := range int32(2) {
			if block := got.GetBlock("t", p); block != nil && len(values(block)) > 0 {
				served = append(served, int(p))
			}
		}
	}
	if !slices.Equal(served, []int{0, 1, 0, 1}) {
		t.Fatalf("partitions served: %v", served)
	}
}
