package record

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama/internal/compress"
)

// batchOf puts a header before the bytes of records, with all that depends on
// them put right.
func batchOf(attributes Attributes, count int32, records []byte) []byte {
	p := make([]byte, HeaderSize, HeaderSize+len(records))
	p[16] = 2
	be.PutUint16(p[21:], uint16(attributes))
	be.PutUint32(p[23:], uint32(max(count-1, 0)))
	be.PutUint32(p[57:], uint32(count))
	p = append(p, records...)
	be.PutUint32(p[8:], uint32(len(p)-12))
	Stamp(p, -1, -1, 0)
	return p
}

func TestNextSplitsBatches(t *testing.T) {
	one := build(t, compress.None, []record{{timestampMs: 1, value: []byte("one")}})
	two := build(t, compress.Gzip, []record{{timestampMs: 2, value: []byte("two")}, {timestampMs: 3}})
	raw := slices.Concat(one, two, one[:len(one)-1])
	var counts []int32
	for len(raw) > 0 {
		b, rest, err := Next(raw)
		var partial *PartialError
		if errors.As(err, &partial) {
			if *partial != (PartialError{Need: len(one), Have: len(one) - 1}) {
				t.Error(err)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, b.Count)
		raw = rest
	}
	if !slices.Equal(counts, []int32{1, 2}) {
		t.Error(counts)
	}
}

func TestNextSaysHowMuchACutBatchNeeds(t *testing.T) {
	raw := read(t, "kafka-4.3.1-none.batch")
	for n := range raw {
		_, rest, err := Next(raw[:n])
		want := PartialError{Need: len(raw), Have: n}
		if n < 12 {
			want.Need = HeaderSize
		}
		var partial *PartialError
		if !errors.As(err, &partial) || *partial != want || rest != nil {
			t.Fatalf("%d bytes: %v, want %v", n, err, &want)
		}
	}
}

func TestNextLeavesOldMessagesToTheCaller(t *testing.T) {
	for magic := range int8(2) {
		raw := make([]byte, 12+14, 40)
		be.PutUint64(raw, 77)
		be.PutUint32(raw[8:], 14)
		raw[16] = byte(magic)
		b, rest, err := Next(append(raw, 1, 2, 3))
		if !errors.Is(err, ErrOldFormat) || b.Magic != magic || b.BaseOffset != 77 || len(b.Raw) != 26 || len(rest) != 3 {
			t.Errorf("magic %d: %v, %+v, %d left", magic, err, b, len(rest))
		}
		for n := range raw {
			var partial *PartialError
			if _, _, err := Next(raw[:n]); !errors.As(err, &partial) || (n >= 12 && partial.Need != len(raw)) {
				t.Errorf("magic %d cut to %d bytes: %v", magic, n, err)
			}
		}
		be.PutUint32(raw[8:], 13)
		if _, _, err := Next(raw); !errors.Is(err, ErrCorrupt) {
			t.Errorf("magic %d too short: %v", magic, err)
		}
	}
}

func TestNextRefusesBadHeaders(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(p []byte)
		want string
	}{
		{"magic 3", func(p []byte) { p[16] = 3 }, "record batch at offset 42: unknown magic byte (3)"},
		{"magic -1", func(p []byte) { p[16] = 0xff }, "record batch at offset 42: unknown magic byte (-1)"},
		{"length short of the header", func(p []byte) { be.PutUint32(p[8:], 48) }, "record batch at offset 42: length of 48 bytes, the least is 49"},
		{"negative length", func(p []byte) { be.PutUint32(p[8:], 1<<31) }, "record batch at offset 42: length of -2147483648 bytes, the least is 49"},
		{"negative count", func(p []byte) { be.PutUint32(p[57:], 1<<31) }, "record batch at offset 42: count of -2147483648 records"},
		{"negative last offset", func(p []byte) { be.PutUint32(p[23:], 0xffffffff) }, "record batch at offset 42: last offset delta of -1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw := read(t, "kafka-4.3.1-none.batch")
			tt.edit(raw)
			_, rest, err := Next(raw)
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, ErrCorrupt) || e.Offset != 42 || err.Error() != tt.want || rest != nil {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

func TestCRCShowsEveryFlippedBit(t *testing.T) {
	raw := build(t, compress.None, []record{{1700000000000, []byte("key"), []byte("value"), nil}})
	for at := offCRC; at < len(raw); at++ {
		for bit := range 8 {
			raw[at] ^= 1 << bit
			b, _, err := Next(raw)
			if err == nil {
				err = b.CheckCRC()
				want := fmt.Sprintf("record batch at offset 0: CRC didn't match expected 0x%x got 0x%x", be.Uint32(raw[17:]), crc32c(raw[21:]))
				if err != nil && err.Error() != want {
					t.Fatalf("%v, want %s", err, want)
				}
			}
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("bit %d of byte %d: %v", bit, at, err)
			}
			raw[at] ^= 1 << bit
		}
	}
}

// TestCutRecordsAreAnError cuts the records, but not the header's word on how
// many there are, at every byte.
func TestCutRecordsAreAnError(t *testing.T) {
	want := kafkaRecords()
	for _, codec := range codecs {
		raw := read(t, fmt.Sprintf("kafka-4.3.1-%s.batch", codec))
		for n := range raw[HeaderSize:] {
			cut := slices.Clone(raw[:HeaderSize+n])
			be.PutUint32(cut[offLength:], uint32(len(cut)-12))
			Stamp(cut, -1, -1, 0)
			rs, err := records(cut)
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s cut to %d bytes: %d records, %v", codec, n, len(rs), err)
			}
			// What was read until then is right.
			if !reflect.DeepEqual(rs, want[:len(rs)]) && len(rs) > 0 {
				t.Fatalf("%s cut to %d bytes: wrong records", codec, n)
			}
		}
	}
}

func TestOpenRefusesRecordsThatDoNotAddUp(t *testing.T) {
	const rec = "0e 00 00 00 01 02 76 00" // one record, its value "v"
	for _, tt := range []struct {
		name    string
		count   int32
		records string
		want    string
	}{
		{"more counted than can be", 2, rec, "2 records cannot be in 8 bytes"},
		{"far more counted than can be", math.MaxInt32, rec, "2147483647 records cannot be in 8 bytes"},
		{"fewer counted than there are", 1, rec + rec, "8 bytes after the last record (at byte 8 of its records)"},
		{"none counted", 0, rec, "8 bytes after the last record"},
		{"length 0", 1, "00 00 00 00 01 02 76 00", "invalid length"},
		{"negative length", 1, "01 00 00 00 01 02 76 00", "invalid length"},
		{"length beyond the batch", 1, "10 00 00 00 01 02 76 00", "invalid length"},
		{"length of eleven bytes", 1, "80808080808080808080 01", "invalid length"},
		{"length one short", 1, "0c 00 00 00 01 02 76 00", "cut or its lengths are invalid"},
		{"length one long", 1, "10 00 00 00 01 02 76 00 00", "headers do not end where their record does"},
		{"key longer than its record", 1, "0e 00 00 00 0a 02 76 00", "cut or its lengths are invalid"},
		{"key of length -2", 1, "0e 00 00 00 03 02 76 00", "cut or its lengths are invalid"},
		{"value longer than its record", 1, "0e 00 00 00 01 06 76 00", "cut or its lengths are invalid"},
		{"negative offset delta", 1, "0e 00 00 01 01 02 76 00", "cut or its lengths are invalid"},
		{"offset delta beyond 32 bits", 1, "14 00 00 8080808010 01 00 00", "cut or its lengths are invalid"},
		{"negative header count", 1, "0e 00 00 00 01 02 76 01", "-1 headers cannot be in 0 bytes"},
		{"more headers than can be", 1, "1c 00 00 00 01 02 76 8080808010 02 68 00", "2147483648 headers cannot be in 3 bytes"},
		{"more headers than there are", 1, "14 00 00 00 01 02 76 04 02 68 00", "2 headers cannot be in 3 bytes"},
		{"header longer than its record", 1, "12 00 00 00 01 02 76 02 02 68", "headers do not end where their record does"},
		{"header value of length -2", 1, "14 00 00 00 01 02 76 02 02 68 03", "headers do not end where their record does"},
		{"second record cut", 2, rec + "0e 00 00 00 01 02 76", "(at byte 8 of its records)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, _, err := Next(batchOf(0, tt.count, unhex(t, tt.records)))
			if err != nil {
				t.Fatal(err)
			}
			_, err = open(&b)
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestEmptyBatchesHaveNoRecords(t *testing.T) {
	// As compaction leaves them, whatever their codec was.
	for _, codec := range codecs {
		rs, err := records(batchOf(Attributes(0).WithCodec(codec), 0, nil))
		if err != nil || len(rs) != 0 {
			t.Error(codec, rs, err)
		}
	}
	if it := (Iterator{}); it.Next(new(Rec)) || it.Err() != nil || it.Left() != 0 {
		t.Error("zero iterator is not empty")
	}
}

func TestOpenKeepsToTheLimit(t *testing.T) {
	size := len(read(t, "kafka-4.3.1-none.batch")) - HeaderSize
	for _, codec := range codecs[1:] {
		b, _, err := Next(read(t, fmt.Sprintf("kafka-4.3.1-%s.batch", codec)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Open(size); err != nil {
			t.Error(err)
		}
		_, err = b.Open(size - 1)
		want := fmt.Sprintf("record batch at offset 42: kafka: decompressed record batch is larger than the configured limit: "+
			"%s batch decompressed to more than %d bytes", codec, size-1)
		if !errors.Is(err, compress.ErrTooLarge) || errors.Is(err, ErrCorrupt) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	b, _, err := Next(batchOf(Attributes(0).WithCodec(6), 1, make([]byte, 10)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = b.Open(0); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "invalid compression specified (6)") {
		t.Error(err)
	}
}

func TestLyingCountsDoNotAllocate(t *testing.T) {
	many := batchOf(0, math.MaxInt32, unhex(t, "0e 00 00 00 01 02 76 00"))
	headers := batchOf(0, 1, unhex(t, "1c 00 00 00 01 02 76 8080808010 02 68 00"))
	length := slices.Clone(many)
	be.PutUint32(length[8:], math.MaxInt32)
	for _, raw := range [][]byte{many, headers, length} {
		if n := allocated(func() {
			if rs, err := records(raw); err == nil {
				t.Errorf("%d records, no error", len(rs))
			}
		}); n > 16<<10 {
			t.Errorf("%d bytes allocated for a batch of %d", n, len(raw))
		}
	}
}

func FuzzBatch(f *testing.F) {
	files, err := filepath.Glob("testdata/*.batch")
	if err != nil || len(files) == 0 {
		f.Fatal(err, len(files))
	}
	for _, name := range files {
		f.Add(read(f, filepath.Base(name)))
	}
	f.Add(build(f, compress.None, []record{{1, []byte("k"), []byte("v"), []header{{[]byte("h"), nil}}}, {timestampMs: -5}}))
	const limit = 1 << 20
	f.Fuzz(func(t *testing.T, raw []byte) {
		for len(raw) > 0 {
			b, rest, err := Next(raw)
			if err != nil && !errors.Is(err, ErrOldFormat) {
				if b.Raw != nil && rest != nil {
					t.Fatal("an error with a rest")
				}
				return
			}
			if len(b.Raw)+len(rest) != len(raw) || len(b.Raw) == 0 {
				t.Fatalf("%d and %d of %d bytes", len(b.Raw), len(rest), len(raw))
			}
			raw = rest
			if err != nil {
				continue
			}
			_ = b.CheckCRC() // a wrong one is no reason not to look further
			checkBatch(t, &b, limit)
		}
	})
}

// checkBatch reads a batch, and if it is sound wants the builder's version of it
// to be the same.
func checkBatch(t *testing.T, b *Batch, limit int) {
	it, err := b.Open(limit)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%T: %v", err, err)
		}
		return
	}
	if it.Left() > max(limit, len(b.Raw))/minRecordSize {
		t.Fatalf("%d records in %d bytes", it.Left(), len(b.Raw))
	}
	var bld Builder
	var want []record
	canonical := true
	var r Rec
	for it.Next(&r) {
		rec := record{timestampMs: b.FirstTimestampMs + r.TimestampDelta, key: r.Key, value: r.Value}
		h := r.Headers()
		for k, v, ok := h.Next(); ok; k, v, ok = h.Next() {
			canonical = canonical && k != nil
			rec.headers = append(rec.headers, header{k, v})
		}
		if len(rec.headers) != r.HeaderCount {
			t.Fatalf("%d headers, want %d", len(rec.headers), r.HeaderCount)
		}
		want = append(want, rec)
		Append(&bld, rec.timestampMs, rec.key, rec.value, rec.headers)
	}
	if it.Err() != nil {
		if !errors.Is(it.Err(), ErrCorrupt) {
			t.Fatal(it.Err())
		}
		return
	}
	if len(want) != int(b.Count) {
		t.Fatalf("%d records, want %d", len(want), b.Count)
	}
	if len(want) == 0 || !canonical {
		return
	}
	raw, err := bld.Seal(compress.None, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	Stamp(raw, -1, -1, 0)
	if got, err := records(raw); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v\n got %v\nwant %v", err, got, want)
	}
}
