package record

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama/internal/compress"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type header struct{ Key, Value []byte }

// record is one record in a form that tests can compare.
type record struct {
	timestampMs int64
	key, value  []byte
	headers     []header
}

var codecs = []compress.Codec{compress.None, compress.Gzip, compress.Snappy, compress.LZ4, compress.Zstd}

func read(t testing.TB, name string) []byte {
	t.Helper()
	p, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// build makes a sealed and stamped batch, as one that is not idempotent.
func build(t testing.TB, codec compress.Codec, records []record) []byte {
	t.Helper()
	var b Builder
	for _, r := range records {
		Append(&b, r.timestampMs, r.key, r.value, r.headers)
	}
	p, err := b.Seal(codec, compress.LevelDefault, 0)
	if err != nil {
		t.Fatal(err)
	}
	Stamp(p, -1, -1, 0)
	return p
}

// records reads all records of the one batch that raw holds.
func records(raw []byte) ([]record, error) {
	b, rest, err := Next(raw)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%d bytes behind the batch", len(rest))
	}
	if err := b.CheckCRC(); err != nil {
		return nil, err
	}
	return open(&b)
}

func open(b *Batch) ([]record, error) {
	it, err := b.Open(0)
	if err != nil {
		return nil, err
	}
	var out []record
	var r Rec
	for it.Next(&r) {
		if int(r.OffsetDelta) != len(out) {
			return nil, fmt.Errorf("record %d has offset delta %d", len(out), r.OffsetDelta)
		}
		rec := record{timestampMs: b.TimestampMs(&r), key: r.Key, value: r.Value}
		h := r.Headers()
		for k, v, ok := h.Next(); ok; k, v, ok = h.Next() {
			rec.headers = append(rec.headers, header{k, v})
		}
		if len(rec.headers) != r.HeaderCount {
			return nil, fmt.Errorf("%d headers, want %d", len(rec.headers), r.HeaderCount)
		}
		out = append(out, rec)
	}
	return out, it.Err()
}

// crc32c is the checksum by its definition, one bit at a time.
func crc32c(p []byte) uint32 {
	crc := ^uint32(0)
	for _, c := range p {
		crc ^= uint32(c)
		for range 8 {
			crc = crc>>1 ^ 0x82f63b78&-(crc&1)
		}
	}
	return ^crc
}

// The bytes are worked out by hand from the format in Kafka's documentation.
func TestBuilderWritesTheDocumentedFormat(t *testing.T) {
	got := build(t, compress.None, []record{
		{timestampMs: 1000, value: []byte("v")},
		{timestampMs: 900, key: []byte("key"), value: []byte{}, headers: []header{{[]byte("h"), nil}, {nil, []byte("xy")}}},
		{timestampMs: 1064, key: []byte{}},
	})
	want := unhex(t, "0000000000000000"+ // base offset
		"00000053"+ // length: 49 of header, 8 + 18 + 8 of records
		"00000000 02 00000000 0000"+ // leader epoch, magic, CRC, attributes
		"00000002 00000000000003e8 0000000000000428"+ // last offset delta, first and max timestamp
		"ffffffffffffffff ffff 00000000 00000003"+ // producer id and epoch, sequence, count
		"0e 00 00 00 01 02 76 00"+ // 7 bytes, deltas 0 and 0, null key, "v"
		"22 00 c701 02 06 6b6579 00 04 02 68 01 00 04 7879"+ // 17 bytes, -100 ms, offset 1
		"0e 00 8001 04 00 01 00") // 7 bytes, 64 ms, offset 2, empty key, null value
	be.PutUint32(want[17:], crc32c(want[21:]))
	if !bytes.Equal(got, want) {
		t.Errorf("\n got %x\nwant %x", got, want)
	}
}

// The captured requests hold 100 records a batch, of a 16-byte key and a
// 100-byte value of zeros.
func TestBuilderWritesTheSameBytesAsCapturedProduceRequests(t *testing.T) {
	want := read(t, "captured-produce-v7.batch")
	b, rest, err := Next(want)
	if err != nil || len(rest) != 0 {
		t.Fatal(err, len(rest))
	}
	var bld Builder
	it, err := b.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	var r Rec
	for it.Next(&r) {
		Append[header](&bld, b.TimestampMs(&r), make([]byte, 16), make([]byte, 100), nil)
	}
	got, err := bld.Seal(compress.None, compress.LevelDefault, 0)
	if err != nil || bld.Count() != 100 {
		t.Fatal(err, bld.Count())
	}
	Stamp(got, -1, 0, 0)
	if !bytes.Equal(got, want) {
		t.Error("bytes differ")
	}
	fetched, err := records(read(t, "captured-fetch-v11.batch"))
	if err != nil || len(fetched) != 100 {
		t.Fatal(err, len(fetched))
	}
}

// kafkaRecords are those of testdata's kafka-4.3.1-*.batch, written by Kafka's own
// classes, at offset 42 with leader epoch 5, in a transaction of producer 7000,
// epoch 3, from sequence 11.
func kafkaRecords() []record {
	rs := []record{
		{1700000000000, []byte("k0"), []byte("hello"), nil},
		{1699999999000, nil, []byte("earlier"), nil},
		{1700000000500, []byte("tombstone"), nil, nil},
		{1700000001000, []byte{}, []byte{}, []header{{[]byte("h1"), []byte("v1")}, {[]byte{}, []byte{}}, {[]byte("nil"), nil}}},
	}
	for i := range int64(60) {
		rs = append(rs, record{1700000002000 + i, fmt.Appendf(nil, "key-%d", i),
			fmt.Appendf(nil, `{"id":%d,"name":"customer %d","active":true}`, i, i*7919%1000), nil})
	}
	return rs
}

func TestReadsBatchesOfKafka(t *testing.T) {
	for _, codec := range codecs {
		raw := read(t, fmt.Sprintf("kafka-4.3.1-%s.batch", codec))
		b, rest, err := Next(raw)
		if err != nil || len(rest) != 0 {
			t.Fatal(codec, err, len(rest))
		}
		want := Batch{BaseOffset: 42, PartitionLeaderEpoch: 5, Magic: 2, CRC: crc32c(raw[21:]),
			Attributes: Transactional.WithCodec(codec), LastOffsetDelta: 63, FirstTimestampMs: 1700000000000,
			MaxTimestampMs: 1700000002059, ProducerID: 7000, ProducerEpoch: 3, BaseSequence: 11, Count: 64,
			Raw: raw, Records: raw[61:]}
		if !reflect.DeepEqual(b, want) {
			t.Errorf("%s: %+v", codec, b)
		}
		if b.Codec() != codec || !b.Transactional() || b.Control() || b.LogAppendTime() || b.LastOffset() != 105 {
			t.Errorf("%s: attributes %#x, last offset %d", codec, b.Attributes, b.LastOffset())
		}
		got, err := records(raw)
		if err != nil || !reflect.DeepEqual(got, kafkaRecords()) {
			t.Errorf("%s: %v\n%v", codec, err, got)
		}
	}
}

func TestBuilderWritesTheSameBytesAsKafka(t *testing.T) {
	var b Builder
	for _, r := range kafkaRecords() {
		Append(&b, r.timestampMs, r.key, r.value, r.headers)
	}
	got, err := b.Seal(compress.None, compress.LevelDefault, Transactional)
	if err != nil {
		t.Fatal(err)
	}
	Stamp(got, 7000, 3, 11)
	want := read(t, "kafka-4.3.1-none.batch")
	be.PutUint64(want, 0)      // the base offset and
	be.PutUint32(want[12:], 0) // the leader epoch are not for a producer to say
	if !bytes.Equal(got, want) {
		t.Errorf("\n got %x\nwant %x", got, want)
	}
}

func TestReadsControlBatches(t *testing.T) {
	for name, want := range map[string]int16{"kafka-4.3.1-abort.batch": 0, "kafka-4.3.1-control.batch": 1} {
		b, _, err := Next(read(t, name))
		if err != nil || !b.Control() || !b.Transactional() || b.ProducerID != 7000 {
			t.Fatalf("%s: %v %+v", name, err, b)
		}
		rs, err := open(&b)
		if err != nil || len(rs) != 1 {
			t.Fatal(name, err, len(rs))
		}
		if version, typ, err := ControlType(rs[0].key); err != nil || version != 0 || typ != want {
			t.Errorf("%s: version %d, type %d, %v", name, version, typ, err)
		}
	}
	for n := range 4 {
		if _, _, err := ControlType(make([]byte, n)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("key of %d bytes: %v", n, err)
		}
	}
	if version, typ, err := ControlType([]byte{0xff, 0xfe, 1, 2, 3}); version != -2 || typ != 258 || err != nil {
		t.Error(version, typ, err)
	}
}

func randomBytes(r *rand.Rand, n int) []byte {
	switch r.IntN(8) {
	case 0:
		return nil
	case 1:
		return []byte{}
	}
	p := make([]byte, r.IntN(n))
	for i := range p {
		p[i] = byte(r.IntN(4)) // so that it compresses, or not, by its length
	}
	return p
}

func randomRecords(r *rand.Rand) []record {
	rs := make([]record, 1+r.IntN(60))
	base := r.Int64N(1 << 41)
	for i := range rs {
		rs[i] = record{timestampMs: base + r.Int64N(20000) - 10000, key: randomBytes(r, 100), value: randomBytes(r, 3000)}
		if r.IntN(20) == 0 {
			rs[i].timestampMs = int64(r.Uint64())
		}
		if r.IntN(3) == 0 {
			for range r.IntN(70) {
				h := header{randomBytes(r, 70), randomBytes(r, 200)}
				if h.Key == nil {
					h.Key = []byte{} // as it is written
				}
				rs[i].headers = append(rs[i].headers, h)
			}
		}
	}
	return rs
}

func TestRandomBatchesSurviveARoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	levels := map[compress.Codec][]int{
		compress.None: {0}, compress.Gzip: {compress.LevelDefault, -2, 0, 9}, compress.Snappy: {compress.LevelDefault},
		compress.LZ4: {compress.LevelDefault}, compress.Zstd: {compress.LevelDefault, 1, 3, 9, 22},
	}
	var b Builder
	for _, codec := range codecs {
		for _, level := range levels[codec] {
			for range 4 {
				want := randomRecords(r)
				b.Reset()
				first, latest := want[0].timestampMs, int64(math.MinInt64)
				for _, rec := range want {
					Append(&b, rec.timestampMs, rec.key, rec.value, rec.headers)
					latest = max(latest, rec.timestampMs)
				}
				raw, err := b.Seal(codec, level, Control)
				if err != nil {
					t.Fatal(err)
				}
				Stamp(raw, 1<<40, 7, math.MaxInt32)
				batch, _, err := Next(raw)
				if err != nil || batch.FirstTimestampMs != first || batch.MaxTimestampMs != latest || !batch.Control() ||
					batch.ProducerID != 1<<40 || batch.ProducerEpoch != 7 || batch.BaseSequence != math.MaxInt32 || batch.CRC != crc32c(raw[21:]) {
					t.Fatalf("%v %+v", err, batch)
				}
				got, err := records(raw)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("%s level %d: %v", codec, level, err)
				}
			}
		}
	}
}

func TestRecordSizeIsWhatAppendAdds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var b Builder
	if b.Len() != HeaderSize || b.Count() != 0 {
		t.Fatal(b.Len(), b.Count())
	}
	for range 50 {
		for i, rec := range randomRecords(r) {
			before := b.Len()
			size := RecordSize(&b, rec.timestampMs, lenOrNull(rec.key), lenOrNull(rec.value), rec.headers)
			Append(&b, rec.timestampMs, rec.key, rec.value, rec.headers)
			if b.Len()-before != size {
				t.Fatalf("record %d: %d bytes added, %d announced", i, b.Len()-before, size)
			}
		}
		b.Reset()
	}
}

func TestBytesOfAStringAreNotNull(t *testing.T) {
	type named string
	if p := Bytes(named("")); p == nil || len(p) != 0 {
		t.Errorf("%v", p)
	}
	if p := Bytes(named("abc")); string(p) != "abc" {
		t.Errorf("%q", p)
	}
}

func TestSealAndStampCanBeRepeated(t *testing.T) {
	var b Builder
	if _, err := b.Seal(compress.None, 0, 0); !errors.Is(err, ErrNoRecords) {
		t.Fatal(err)
	}
	var want []record
	for i := range int64(3) {
		want = append(want, record{timestampMs: i, value: []byte("v")})
		Append[header](&b, i, nil, []byte("v"), nil)
		for _, codec := range codecs {
			raw, err := b.Seal(codec, compress.LevelDefault, 0)
			if err != nil {
				t.Fatal(err)
			}
			for seq := range int32(2) {
				Stamp(raw, 9, 1, seq)
				if got, err := records(raw); err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("%s: %v %v", codec, got, err)
				}
			}
		}
	}
	if _, err := b.Seal(9, 0, 0); err == nil || err.Error() != "kafka: invalid compression specified (9)" {
		t.Error(err)
	}
	b.Reset()
	if b.Len() != HeaderSize || b.Count() != 0 || b.Cap() == 0 {
		t.Error(b.Len(), b.Count(), b.Cap())
	}
}

func TestLogAppendTimeIsTheTimeOfAllRecords(t *testing.T) {
	raw := build(t, compress.None, []record{{timestampMs: 5}, {timestampMs: 7}})
	raw[22] |= byte(LogAppendTime)
	Stamp(raw, -1, -1, 0)
	got, err := records(raw)
	if err != nil || got[0].timestampMs != 7 || got[1].timestampMs != 7 {
		t.Error(got, err)
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	// AllocsPerRun counts with one processor; coders that are left in the pool
	// of another, where warming up has put them, would be made anew.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var b Builder
	value, headers := strings.Repeat("v", 100), []header{{[]byte("k"), []byte("v")}}
	fill := func() {
		b.Reset()
		for i := range int64(500) {
			Append[header](&b, 1700000000000+i, nil, Bytes(value), nil)
			Append(&b, 1700000000000+i, Bytes("key"), Bytes(value), headers)
		}
	}
	fill()
	if n := testing.AllocsPerRun(10, fill); n != 0 {
		t.Errorf("Append: %v allocations", n)
	}
	for _, codec := range codecs {
		if raceEnabled && codec != compress.None {
			continue // pools drop objects under the race detector
		}
		seal := func() {
			raw, err := b.Seal(codec, compress.LevelDefault, 0)
			if err != nil {
				t.Fatal(err)
			}
			Stamp(raw, 1, 2, 3)
		}
		for range 20 {
			seal() // a coder's tables grow over its first few uses
		}
		if n := testing.AllocsPerRun(10, seal); n != 0 {
			t.Errorf("Seal %s: %v allocations", codec, n)
		}
	}
	raw, _ := b.Seal(compress.None, 0, 0)
	Stamp(raw, 1, 2, 3)
	if n := testing.AllocsPerRun(10, func() {
		batch, _, err := Next(raw)
		if err != nil || batch.CheckCRC() != nil {
			t.Fatal(err)
		}
		it, err := batch.Open(0)
		var r Rec
		n, bytes := 0, 0
		for it.Next(&r) {
			n++
			h := r.Headers()
			for k, v, ok := h.Next(); ok; k, v, ok = h.Next() {
				bytes += len(k) + len(v)
			}
		}
		if err != nil || it.Err() != nil || n != 1000 || bytes != 1000 {
			t.Fatal(err, it.Err(), n, bytes)
		}
	}); n != 0 {
		t.Errorf("reading: %v allocations", n)
	}
}

// allocated is the number of bytes that f allocates.
func allocated(f func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestSlicesDoNotReachIntoTheirNeighbours(t *testing.T) {
	raw := build(t, compress.None, []record{{1, []byte("k"), []byte("v"), []header{{[]byte("h"), []byte("x")}}}, {2, nil, []byte("w"), nil}})
	before := slices.Clone(raw)
	b, _, err := Next(raw)
	if err != nil {
		t.Fatal(err)
	}
	it, err := b.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	var r Rec
	for it.Next(&r) {
		_ = append(r.Key, "overwritten"...)
		_ = append(r.Value, "overwritten"...)
		h := r.Headers()
		for k, v, ok := h.Next(); ok; k, v, ok = h.Next() {
			_, _ = append(k, "overwritten"...), append(v, "overwritten"...)
		}
	}
	if !bytes.Equal(raw, before) {
		t.Error("appending to a field changed the batch")
	}
}
