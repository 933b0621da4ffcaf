package sarama

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
	"github.com/IBM/sarama/internal/record"
)

// decodeAll decodes what a response has for a partition, in one go.
func decodeAll(raw []byte, offset int64, aborted []AbortedTransaction, d *decoder) (list []*ConsumerMessage, err error) {
	s := surveyRecords(raw, offset)
	c := &cursor{pc: &partitionConsumer{}, offset: offset}
	d.start(newChunk(c, &fetchedPartition{records: raw, aborted: aborted}, s, true))
	left := d.unfinished
	for {
		messages, finished, err := d.decode()
		left -= finished
		for i := range messages {
			list = append(list, &messages[i])
		}
		if err == nil && len(messages) > 0 {
			continue
		}
		if err == nil && (d.next != s.next || left != 0 || d.unfinished != 0) {
			return list, fmt.Errorf("ends at offset %d with %d bytes left, want offset %d", d.next, left, s.next)
		}
		return list, err
	}
}

func offsetsOf(list []*ConsumerMessage) []int64 {
	offsets := []int64{}
	for _, m := range list {
		offsets = append(offsets, m.Offset)
	}
	return offsets
}

func TestConsumedMessagesAreWhatWasWritten(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	records := []*Record{
		{Key: []byte("k"), Value: []byte("v"), OffsetDelta: 0, Headers: []*RecordHeader{
			{Key: []byte("a"), Value: []byte("1")}, {Key: []byte{}, Value: nil}, {Key: []byte("a"), Value: []byte{}}}},
		{Key: nil, Value: []byte{}, OffsetDelta: 1, TimestampDelta: -time.Second},
		{Key: []byte{}, Value: nil, OffsetDelta: 5, TimestampDelta: 7 * time.Millisecond},
	}
	for i := range 500 {
		records = append(records, &Record{Value: []byte(strings.Repeat("x", i)), OffsetDelta: int64(6 + i)})
	}
	for _, codec := range []CompressionCodec{CompressionNone, CompressionGZIP, CompressionSnappy, CompressionLZ4, CompressionZSTD} {
		for _, logAppend := range []bool{false, true} {
			b := &RecordBatch{
				Version: 2, Codec: codec, CompressionLevel: CompressionLevelDefault, FirstOffset: 42, LastOffsetDelta: 600, ProducerID: -1,
				FirstTimestamp: at, MaxTimestamp: at.Add(time.Hour), LogAppendTime: logAppend, Records: records,
			}
			d := &decoder{topic: "t", partition: 3}
			got, err := decodeAll(rawBatch(b), 42, nil, d)
			if err != nil || len(got) != len(records) {
				t.Fatal(codec, err, len(got))
			}
			for i, m := range got {
				r := records[i]
				want := &ConsumerMessage{
					Topic: "t", Partition: 3, Offset: 42 + r.OffsetDelta, Key: r.Key, Value: r.Value, Timestamp: at.Add(r.TimestampDelta),
					Headers: []*RecordHeader{},
				}
				if logAppend {
					want.Timestamp = at.Add(time.Hour)
				}
				if r.Headers != nil {
					want.Headers = r.Headers
				}
				if !reflect.DeepEqual(m, want) {
					t.Fatalf("%v: got %+v, want %+v", codec, m, want)
				}
			}
			if d.next != 643 {
				t.Errorf("%v: next offset %d", codec, d.next)
			}
		}
	}
}

func TestConsumerSkipsWhatIsNotForTheUser(t *testing.T) {
	type b = RecordBatch
	batch := func(offset int64, n int, change func(*b)) []byte {
		r := batchOfValues(offset, values(int(offset), n)...)
		if change != nil {
			change(r)
		}
		return rawBatch(r)
	}
	transactional := func(id int64) func(*b) {
		return func(r *b) { r.ProducerID, r.ProducerEpoch, r.IsTransactional = id, 0, true }
	}
	marker := func(offset, id int64, typ ControlRecordType) []byte {
		return batch(offset, 1, func(r *b) {
			transactional(id)(r)
			r.Control = true
			r.Records = []*Record{(&ControlRecord{Type: typ}).record()}
		})
	}
	emptied := func(offset int64, last int32) []byte {
		return batch(offset, 0, func(r *b) { r.LastOffsetDelta = last })
	}
	// Producer 7 aborts, 8 commits, 7 commits what follows.
	txns := slices.Concat(batch(0, 2, transactional(7)), batch(2, 2, transactional(8)), batch(4, 2, nil), marker(6, 7, ControlRecordAbort),
		batch(7, 1, transactional(7)), marker(8, 8, ControlRecordCommit), marker(9, 7, ControlRecordCommit), batch(10, 2, transactional(9)))
	aborted := []AbortedTransaction{{9, 10}, {7, 0}} // in no order
	for _, tc := range []struct {
		name    string
		raw     []byte
		offset  int64
		aborted []AbortedTransaction
		commit  bool
		want    []int64
		next    int64
	}{
		{"below the fetch offset", batch(0, 10, nil), 7, nil, false, []int64{7, 8, 9}, 10},
		{"whole batches below it", slices.Concat(batch(0, 3, nil), batch(3, 3, nil)), 3, nil, false, []int64{3, 4, 5}, 6},
		{"gaps", batch(0, 5, func(r *b) { r.Records = slices.Delete(r.Records, 1, 4) }), 0, nil, false, []int64{0, 4}, 5},
		{"a last record that is gone", batch(0, 5, func(r *b) { r.Records = r.Records[:2] }), 0, nil, false, []int64{0, 1}, 5},
		{"all records gone", slices.Concat(emptied(0, 9), emptied(10, 4)), 3, nil, false, []int64{}, 15},
		{"a gap between batches", slices.Concat(batch(0, 1, nil), batch(100, 1, nil)), 0, nil, false, []int64{0, 100}, 101},
		{"markers", txns, 0, nil, false, []int64{0, 1, 2, 3, 4, 5, 7, 10, 11}, 12},
		{"aborted transactions", txns, 0, aborted, true, []int64{2, 3, 4, 5, 7}, 12},
		{"an abort that began before", slices.Concat(batch(20, 2, transactional(7)), marker(22, 7, ControlRecordAbort), batch(23, 1, transactional(7))),
			20, []AbortedTransaction{{7, 3}}, true, []int64{23}, 24},
		{"aborts of read_uncommitted", txns, 0, aborted, false, []int64{0, 1, 2, 3, 4, 5, 7, 10, 11}, 12},
		{"marker of an unknown type", slices.Concat(batch(0, 1, transactional(7)), marker(1, 7, 5), batch(2, 1, transactional(7))), 0,
			[]AbortedTransaction{{7, 0}}, true, []int64{}, 3},
		{"an emptied marker", slices.Concat(batch(0, 1, transactional(7)), batch(1, 0, func(r *b) {
			transactional(7)(r)
			r.Control, r.LastOffsetDelta = true, 0
		})), 0, []AbortedTransaction{{7, 0}}, true, []int64{}, 2},
		{"a batch that is cut", slices.Concat(batch(0, 2, nil), batch(2, 2, nil)[:70]), 0, nil, false, []int64{0, 1}, 2},
	} {
		d := &decoder{readCommitted: tc.commit}
		got, err := decodeAll(tc.raw, tc.offset, tc.aborted, d)
		if err != nil || !slices.Equal(offsetsOf(got), tc.want) || d.next != tc.next {
			t.Errorf("%s: got %d, next %d, %v, want %d, next %d", tc.name, offsetsOf(got), d.next, err, tc.want, tc.next)
		}
	}
}

func TestConsumerReadsCommittedMessagesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		txn := batchOfValues(0, values(0, 3)...)
		txn.IsTransactional, txn.ProducerID = true, 7
		cluster.write("t", 0, txn)
		marker := &RecordBatch{Version: 2, FirstOffset: 3, Control: true, IsTransactional: true, ProducerID: 7,
			Records: []*Record{(&ControlRecord{Type: ControlRecordAbort}).record()}}
		cluster.write("t", 0, marker)
		cluster.writeValues("t", 0, values(4, 2)...)
		cluster.with(func() {
			cluster.mu.logs[topicPartition{"t", 0}].aborted = []bridge.AbortedTransaction{{ProducerID: 7, FirstOffset: 0}}
		})
		for level, from := range map[IsolationLevel]int64{ReadCommitted: 4, ReadUncommitted: 0} {
			conf := cluster.config()
			conf.Consumer.IsolationLevel = level
			c := cluster.consumer(t, conf)
			pc := consume(t, c, "t", 0, OffsetOldest)
			expectOffsets(t, pc, from, 3-from/2-from/4)
			if from == 0 {
				expectOffsets(t, pc, 4, 2)
			}
			closeAll(t, pc)
		}
	})
}

// breakBatch makes a batch with a wrong byte in its records.
func breakBatch(raw []byte) []byte {
	raw = bytes.Clone(raw)
	raw[len(raw)-1] ^= 1
	return raw
}

// breakMessage makes a message of version 1, of a batch of five records, with a
// wrong checksum.
func breakMessage(raw []byte) []byte {
	m := record.Message{Magic: 1, Offset: int64(binary.BigEndian.Uint64(raw)) + 4, Value: []byte("value")}
	return patch(12, 0, 0, 0, 0)(record.AppendMessage(nil, &m))
}

func patch(at int, b ...byte) func([]byte) []byte {
	return func(raw []byte) []byte {
		raw = bytes.Clone(raw)
		copy(raw[at:], b)
		return raw
	}
}

// stamped puts the checksum right after a change.
func stamped(change func([]byte) []byte) func([]byte) []byte {
	return func(raw []byte) []byte {
		raw = change(raw)
		record.Stamp(raw, -1, -1, 0)
		return raw
	}
}

var spoiledBatches = []struct {
	name   string
	spoil  func([]byte) []byte
	before int64 // messages that come before the error
	what   string
}{
	{"CRC", breakBatch, 5, "CRC didn't match"},
	{"count", stamped(patch(57, 0, 0, 0, 3)), 8, "bytes after the last record"},
	{"length", patch(8, 0, 0, 0, 1), 5, "length of 1 bytes"},
	{"magic", patch(16, 9), 5, "unknown magic byte (9)"},
	{"message", breakMessage, 5, "message at offset 9: CRC didn't match"},
	{"codec", stamped(patch(22, 7)), 5, "invalid compression"},
	{"offset", patch(0, 0xff), 5, "invalid base offset"},
}

func TestConsumerReportsRecordsThatCannotBeReadAndTriesAgain(t *testing.T) {
	for _, tc := range spoiledBatches {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := newFakeTopics(1)
				cluster.create("t", 0, 1)
				cluster.create("t", 1, 1)
				for i := range 4 {
					cluster.writeValues("t", 0, values(5*i, 5)...)
				}
				var sound []byte
				cluster.with(func() {
					l := cluster.mu.logs[topicPartition{"t", 0}]
					sound = l.batches[1].raw
					l.batches[1].raw = tc.spoil(sound)
				})
				conf := cluster.config()
				conf.Consumer.Return.Errors = true
				conf.Consumer.Fetch.Default = 150 // one batch, and the next is fetched ahead
				var asked []int
				conf.Consumer.Retry.BackoffFunc = func(retries int) time.Duration {
					asked = append(asked, retries)
					return time.Duration(retries) * 10 * time.Second
				}
				c := cluster.consumer(t, conf)
				pc := consume(t, c, "t", 0, OffsetOldest)
				other := consume(t, c, "t", 1, OffsetOldest)
				expectOffsets(t, pc, 0, tc.before)
				start := time.Now()
				for i := range 3 {
					e := <-pc.Errors()
					if e.Topic != "t" || e.Partition != 0 || !strings.Contains(e.Error(), tc.what) ||
						!strings.Contains(e.Error(), fmt.Sprintf("records from offset %d on", tc.before)) {
						t.Errorf("got %v", e)
					}
					decoding := PacketDecodingError{}
					if !errors.As(e, &decoding) {
						t.Errorf("%v is no PacketDecodingError", e)
					}
					if i == 2 {
						cluster.with(func() { cluster.mu.logs[topicPartition{"t", 0}].batches[1].raw = sound })
					}
				}
				if took := time.Since(start); took < 30*time.Second || took > 33*time.Second {
					t.Errorf("three attempts took %v", took)
				}
				expectOffsets(t, pc, tc.before, 20-tc.before)
				cluster.writeValues("t", 1, values(0, 2)...)
				expectOffsets(t, other, 0, 2)
				if !slices.Equal(asked, []int{1, 2, 3}) {
					t.Error(asked)
				}
				closeAll(t, pc, other)
			})
		})
	}
}

func TestFetchOfBrokenRecordsIsNotRepeatedBeforeTheUserKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		for i := range 3 {
			cluster.writeValues("t", 0, values(5*i, 5)...)
		}
		cluster.with(func() {
			b := &cluster.mu.logs[topicPartition{"t", 0}].batches[1]
			b.raw = patch(16, 9)(b.raw)
		})
		conf := cluster.config()
		conf.ChannelBufferSize, conf.Consumer.Return.Errors = 0, true
		c := cluster.consumer(t, conf)
		pc := consume(t, c, "t", 0, OffsetOldest)
		time.Sleep(time.Minute)
		if n := len(cluster.fetches()); n != 1 {
			t.Errorf("%d fetches", n)
		}
		expectOffsets(t, pc, 0, 5)
		time.Sleep(time.Minute)
		if n := len(cluster.fetches()); n != 1 {
			t.Errorf("%d fetches", n)
		}
		<-pc.Errors()
		time.Sleep(time.Minute)
		if n := len(cluster.fetches()); n != 2 {
			t.Errorf("%d fetches", n)
		}
		_ = pc.Close()
	})
}

func TestConsumerBoundsWhatABatchDecompressesTo(t *testing.T) {
	old := MaxDecompressedBatchSize
	defer func() { MaxDecompressedBatchSize = old }()
	MaxDecompressedBatchSize = 1000
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(1)
		cluster.create("t", 0, 1)
		b := batchOfValues(0, strings.Repeat("x", 2000))
		b.Codec, b.CompressionLevel = CompressionGZIP, CompressionLevelDefault
		cluster.write("t", 0, b)
		conf := cluster.config()
		conf.Consumer.Return.Errors = true
		c := cluster.consumer(t, conf)
		pc := consume(t, c, "t", 0, OffsetOldest)
		if e := <-pc.Errors(); !errors.Is(e, ErrDecompressedBatchTooLarge) {
			t.Error(e)
		}
		_ = pc.Close()
	})
}

// oldRecords are messages with offsets 0 to 11, of a version before 2: some
// alone, some compressed, some twice.
func oldRecords(t testing.TB, version int8) []byte {
	t.Helper()
	packed := func(last int64, codec CompressionCodec, in ...*MessageBlock) *MessageBlock {
		return &MessageBlock{Offset: last, Msg: &Message{
			Version: version, Codec: codec, CompressionLevel: CompressionLevelDefault, Set: &MessageSet{Messages: in},
			Timestamp: time.UnixMilli(1000 + last),
		}}
	}
	one := func(offset, base int64) *MessageBlock {
		b := &MessageBlock{Offset: offset, Msg: &Message{Version: version, Value: []byte(fmt.Sprintf("value-%d", offset)), Timestamp: time.UnixMilli(offset)}}
		if version > 0 {
			b.Offset -= base
		}
		return b
	}
	set := &MessageSet{Messages: []*MessageBlock{
		one(0, 0), one(1, 0),
		packed(4, CompressionGZIP, one(2, 2), one(3, 2), one(4, 2)),
		one(5, 0),
		packed(9, CompressionSnappy, one(6, 6), one(9, 6)),
	}}
	inner := packed(11, CompressionLZ4, one(10, 10), one(11, 10))
	if version > 0 {
		inner.Offset = 0
	}
	set.Messages = append(set.Messages, packed(11, CompressionGZIP, inner))
	raw, err := set.append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestConsumerDecodesOldFormats(t *testing.T) {
	all := []int64{0, 1, 2, 3, 4, 5, 6, 9, 10, 11}
	for version := range int8(2) {
		raw := oldRecords(t, version)
		for offset := range int64(14) {
			got, err := decodeAll(slices.Concat(raw, rawBatch(batchOfValues(12, "value-12"))), offset, nil, &decoder{readCommitted: offset%2 == 0})
			want := slices.DeleteFunc(append(slices.Clone(all), 12), func(o int64) bool { return o < offset })
			if err != nil || !slices.Equal(offsetsOf(got), want) {
				t.Fatalf("version %d from offset %d: %v, %d", version, offset, err, offsetsOf(got))
			}
			for _, m := range got {
				at, block := m.Offset, m.Offset
				switch m.Offset {
				case 2, 3, 4:
					block = 1004
				case 6, 9:
					block = 1009
				case 10, 11:
					block = 1011 // of the wrapper next to it
				}
				if version == 0 {
					at, block = -1, -1
				}
				if m.Offset == 12 {
					if len(m.Headers) != 0 || m.Headers == nil || !m.BlockTimestamp.IsZero() {
						t.Errorf("a batch's message is %+v", m)
					}
					continue
				}
				if string(m.Value) != fmt.Sprintf("value-%d", m.Offset) || milliOf(m.Timestamp) != at || milliOf(m.BlockTimestamp) != block || m.Headers != nil {
					t.Errorf("version %d: %+v", version, m)
				}
			}
		}
		// Cut anywhere, it gives what is whole.
		for n := range raw {
			got, err := decodeAll(raw[:n], 0, nil, &decoder{})
			if err != nil || !slices.Equal(offsetsOf(got), all[:len(got)]) {
				t.Fatalf("version %d, %d bytes: %v, %d", version, n, err, offsetsOf(got))
			}
		}
	}
	// A set whose messages lie behind its last is not believed.
	wrong := &MessageSet{Messages: []*MessageBlock{{Offset: 3, Msg: &Message{Codec: CompressionGZIP, Set: setOfValues(0, "a", "b", "c", "d", "e", "f")}}}}
	raw, err := wrong.append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeAll(raw, 0, nil, &decoder{})
	if !errors.Is(err, record.ErrCorrupt) || !strings.Contains(err.Error(), "offset 4: message behind the last of its set") || len(got) != 4 {
		t.Errorf("%v, %d messages", err, len(got))
	}
}

// Long runs of messages are finished piece by piece.
func TestConsumerDecodesLongRunsOfMessages(t *testing.T) {
	var set MessageSet
	const n = 20000
	for i := range n {
		set.Messages = append(set.Messages, &MessageBlock{Offset: int64(i), Msg: &Message{Version: 1, Value: []byte(fmt.Sprintf("value-%d", i))}})
	}
	raw, err := set.append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, shared := range []bool{true, false} {
		got := 0
		var finishes []int
		allocs := testing.AllocsPerRun(2, func() {
			d := &decoder{topic: "t"}
			got, finishes = 0, finishes[:0]
			d.start(newChunk(&cursor{pc: &partitionConsumer{}}, &fetchedPartition{records: raw}, surveyRecords(raw, 0), shared))
			for {
				list, finished, err := d.decode()
				if err != nil {
					t.Fatal(err)
				}
				if finished > 0 {
					finishes = append(finishes, finished)
				}
				if len(list) == 0 {
					break
				}
				for i := range list {
					if list[i].Offset != int64(got) {
						t.Fatal(list[i].Offset)
					}
					got++
				}
			}
		})
		if got != n || len(finishes) < len(raw)/windowBytes {
			t.Errorf("shared %v: %d messages, finished in %d steps", shared, got, len(finishes))
		}
		if per := allocs / n; per > 0.01 {
			t.Errorf("shared %v: %.4f allocations a message", shared, per)
		}
	}
}

func TestConsumerDecodesManySmallBatchesAndLargeOnes(t *testing.T) {
	var raw []byte
	var want []string
	r := rand.New(rand.NewPCG(1, 2))
	for len(want) < 20000 {
		n := 1
		if r.IntN(50) == 0 {
			n = 3000
		}
		list := values(len(want), n)
		if r.IntN(100) == 0 {
			list[0] = strings.Repeat("large", 30000)
		}
		raw = append(raw, rawBatch(batchOfValues(int64(len(want)), list...))...)
		want = append(want, list...)
	}
	for _, offset := range []int64{0, 1, 12345} {
		got, err := decodeAll(raw, offset, nil, &decoder{})
		if err != nil || len(got) != len(want)-int(offset) {
			t.Fatal(err, len(got))
		}
		for i, m := range got {
			if m.Offset != offset+int64(i) || string(m.Value) != want[m.Offset] {
				t.Fatal(m.Offset)
			}
		}
	}
}

func TestConsumerDecodingAllocatesLittle(t *testing.T) {
	value, header := strings.Repeat("v", 100), []*RecordHeader{{Key: []byte("k"), Value: []byte("v")}}
	build := func(batches, n int, headers []*RecordHeader) (raw []byte) {
		for i := range batches {
			b := batchOfValues(int64(i*n), slices.Repeat([]string{value}, n)...)
			for _, r := range b.Records {
				r.Headers = headers
			}
			raw = append(raw, rawBatch(b)...)
		}
		return raw
	}
	for _, tc := range []struct {
		name    string
		raw     []byte
		n       int
		shared  bool
		ceiling float64 // allocations a message
	}{
		{"batches of 64 KiB", build(16, 600, nil), 9600, false, 0.006},
		{"of a shared response", build(16, 600, nil), 9600, true, 0.008},
		{"batches of one", build(9600, 1, nil), 9600, false, 0.006},
		{"of a shared response, of one", build(9600, 1, nil), 9600, true, 0.008},
		{"with a header each", build(16, 600, header), 9600, false, 0.012},
	} {
		pc := &partitionConsumer{}
		s := surveyRecords(tc.raw, 0)
		got := 0
		allocs := testing.AllocsPerRun(5, func() {
			got = 0
			d := &decoder{topic: "t"}
			d.start(newChunk(&cursor{pc: pc}, &fetchedPartition{records: tc.raw}, s, tc.shared))
			for {
				list, _, err := d.decode()
				if err != nil {
					t.Fatal(err)
				}
				if len(list) == 0 {
					break
				}
				got += len(list)
			}
		})
		if got != tc.n {
			t.Fatalf("%s: %d messages", tc.name, got)
		}
		if per := allocs / float64(tc.n); per > tc.ceiling {
			t.Errorf("%s: %.4f allocations a message, want %.4f at most", tc.name, per, tc.ceiling)
		}
	}
}

// Whatever a broker sends, decoding ends, moves forward, and delivers what
// reading the batches as values gives.
func FuzzConsumerDecode(f *testing.F) {
	txn := batchOfValues(0, "a", "b")
	txn.IsTransactional, txn.ProducerID = true, 7
	packed := batchOfValues(2, values(2, 20)...)
	packed.Codec, packed.CompressionLevel = CompressionLZ4, CompressionLevelDefault
	f.Add(slices.Concat(rawBatch(txn), rawBatch(packed)), int64(1), int64(7), true)
	f.Add(rawBatch(batchOfValues(5, "x"))[:40], int64(0), int64(0), false)
	f.Add(breakBatch(rawBatch(batchOfValues(5, "x"))), int64(0), int64(0), false)
	for version := range int8(2) {
		old := oldRecords(f, version)
		f.Add(old, int64(1), int64(0), true)
		f.Add(slices.Concat(old, rawBatch(batchOfValues(12, "x")), old), int64(6), int64(7), false)
	}
	MaxDecompressedBatchSize = 1 << 20
	f.Fuzz(func(t *testing.T, raw []byte, offset, producer int64, shared bool) {
		if offset < 0 {
			return
		}
		if raw = bytes.Clone(raw); offset%4 != 0 {
			fixCRCs(raw)
		}
		s := surveyRecords(raw, offset)
		if s.bytes > len(raw) || s.next < offset || s.bytes < len(raw) && s.partial == nil || s.broken && s.bytes < len(raw) {
			t.Fatalf("%+v of %d bytes from offset %d", s, len(raw), offset)
		}
		d := &decoder{readCommitted: producer > 0, limit: int(MaxDecompressedBatchSize)}
		aborted := []AbortedTransaction{{ProducerID: producer}}
		before := bytes.Clone(raw)
		d.start(newChunk(&cursor{pc: &partitionConsumer{}, offset: offset}, &fetchedPartition{records: raw, aborted: aborted}, s, shared))
		var got []ConsumerMessage
		left := d.unfinished
		var failed bool
		for last := offset - 1; ; {
			list, finished, err := d.decode()
			left -= finished
			for _, m := range list {
				if m.Offset <= last {
					t.Fatalf("offset %d after %d", m.Offset, last)
				}
				last = m.Offset
			}
			got = append(got, list...)
			if failed = err != nil; failed {
				left -= d.drop()
			}
			if failed || len(list) == 0 {
				break
			}
		}
		if left != 0 || !bytes.Equal(raw, before) {
			t.Fatalf("%d bytes unaccounted for", left)
		}
		if s.broken && !failed {
			t.Fatal("no error")
		}
		want, whole := asValues(raw, offset, d.readCommitted, producer)
		if len(got) > len(want) && whole || !failed && whole && len(got) != len(want) {
			t.Fatalf("%d messages, want %d", len(got), len(want))
		}
		for i := range min(len(got), len(want)) {
			if m, r := got[i], want[i]; m.Offset != r.Offset || !bytes.Equal(m.Key, r.Key) || !bytes.Equal(m.Value, r.Value) {
				t.Fatalf("message %d is %+v, want %+v", i, m, r)
			}
		}
	})
}

// fixCRCs makes the checksums right, without which little would be looked at.
func fixCRCs(raw []byte) {
	for len(raw) > 0 {
		b, rest, err := record.Next(raw)
		if errors.Is(err, record.ErrOldFormat) {
			binary.BigEndian.PutUint32(b.Raw[12:], crc32.ChecksumIEEE(b.Raw[16:]))
			raw = rest
			continue
		}
		if err != nil {
			return
		}
		binary.BigEndian.PutUint32(b.Raw[17:], crc32.Checksum(b.Raw[21:], crc32.MakeTable(crc32.Castagnoli)))
		raw = rest
	}
}

// flattened are the messages of a set with those in compressed ones in their
// place, all with their offsets in the log.
func flattened(blocks []*MessageBlock) (list []ConsumerMessage, ok bool) {
	for _, b := range blocks {
		if b.Msg.Codec == CompressionNone {
			list = append(list, ConsumerMessage{Offset: b.Offset, Key: b.Msg.Key, Value: b.Msg.Value})
			continue
		}
		if b.Msg.Set == nil {
			return list, false
		}
		inner := b.Msg.Set.Messages
		if b.Msg.Version > 0 && len(inner) > 0 {
			base := b.Offset - inner[len(inner)-1].Offset
			for _, m := range inner {
				m.Offset += base
			}
		}
		messages, ok := flattened(inner)
		list = append(list, messages...)
		if !ok {
			return list, false
		}
	}
	return list, true
}

// asValues reads messages the other way: by RecordBatch and MessageSet. whole says that all
// could be read.
func asValues(raw []byte, offset int64, committed bool, producer int64) (list []ConsumerMessage, whole bool) {
	sets, _, err := readRecords(raw)
	open := true // the one transaction that is aborted
	for _, s := range sets {
		if s.MsgSet != nil {
			messages, ok := flattened(s.MsgSet.Messages)
			if !ok {
				return list, false
			}
			last := int64(-1)
			for _, b := range s.MsgSet.Messages {
				if b.Offset < 0 || b.Offset > 1<<62 {
					return list, false
				}
				last = max(last, b.Offset)
			}
			for _, m := range messages {
				if m.Offset >= offset {
					list = append(list, m)
					offset = m.Offset + 1
				}
			}
			offset = max(offset, last+1)
			continue
		}
		b := s.RecordBatch
		if b.PartialTrailingRecord {
			break
		}
		if b.FirstOffset < 0 || b.FirstOffset > 1<<62 {
			return list, false // not of this world
		}
		aborted := committed && b.IsTransactional && open && b.ProducerID == producer
		if b.Control {
			if aborted && len(b.Records) > 0 {
				_, marker, err := record.ControlType(b.Records[0].Key)
				if err != nil {
					return list, false
				}
				open = marker != int16(ControlRecordAbort)
			}
		}
		if b.Control || b.LastOffset() < offset {
			b.Records = nil
		}
		for _, r := range b.Records {
			if at := b.FirstOffset + r.OffsetDelta; !aborted && at >= offset {
				list = append(list, ConsumerMessage{Offset: at, Key: r.Key, Value: r.Value})
				offset = at + 1
			}
		}
		offset = max(offset, b.LastOffset()+1)
	}
	return list, err == nil
}
