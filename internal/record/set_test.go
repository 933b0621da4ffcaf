package record

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama/internal/compress"
)

// What Sarama 1.61.1 and Kafka 3.9.1 have written, see internal/golden.
const (
	golden0 = "0000000000000000 00000024 67411c56 00 00 00000005 6b65792d30 00000011 76616c75652076616c75652076616c7565"
	golden1 = "0000000000000000 0000002c 41adc896 01 00 000001a200c133ed 00000005 6b65792d30 00000011 76616c75652076616c75652076616c7565"
	// Three of version 0 in gzip, offsets 3 to 5.
	goldenGzip0 = "0000000000000005 0000005b af1a40cb 00 01 ffffffff 0000004d 1f8b08000000000000ff636000036620564977940903f358b3532b750d" +
		"800cc1b2c49cd254052412a29c8105a4be20b3621a42bd213ef5ac20f59e8257af21d41b61550f00a274572190000000"
	// Three of version 1 in LZ4, the wrapper's offset 11, theirs 0 to 2.
	goldenLZ41 = "000000000000000b 0000007b 91dbd2ab 01 03 000001a200c133ff ffffffff 00000065 04224d186040825600000016000100" +
		"f7132cb21c94240100000001a200c133ff000000056b65792d300000001176616c7565200600033700002f00502ca534f0e4" +
		"09000a38001f313800099e020000002c9c4c5da438001c3238005076616c756500000000"
)

var oldCodecs = []compress.Codec{compress.None, compress.Gzip, compress.Snappy, compress.LZ4}

// messages reads all messages of a set.
func messages(raw []byte, limit int) (list []Message, err error) {
	for len(raw) > 0 {
		s, rest, err := NextSet(raw, 0)
		if err != nil {
			return list, err
		}
		it := s.Open(limit)
		var m Message
		for it.Next(&m) {
			list = append(list, m)
		}
		if it.Err() != nil {
			return list, it.Err()
		}
		raw = rest
	}
	return list, nil
}

// message makes one of a version.
func message(magic int8, offset, timestampMs int64, value string) Message {
	m := Message{Offset: offset, Magic: magic, TimestampMs: timestampMs, Value: []byte(value)}
	if magic == 0 {
		m.TimestampMs = -1
	}
	m.BlockTimestampMs = m.TimestampMs
	return m
}

func setOf(list ...Message) (raw []byte) {
	for i := range list {
		raw = AppendMessage(raw, &list[i])
	}
	return raw
}

// wrap compresses a set.
func wrap(t testing.TB, m Message, codec compress.Codec, set []byte) []byte {
	t.Helper()
	raw, err := AppendWrapper(nil, &m, codec, compress.LevelDefault, set)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestMessagesOfOtherPrograms(t *testing.T) {
	value := []byte("value value value")
	ms := int64(0x1a200c133ff)
	for _, tt := range []struct {
		name, hex string
		want      []Message
	}{
		{"version 0", golden0, []Message{{Magic: 0, TimestampMs: -1, BlockTimestampMs: -1, Key: []byte("key-0"), Value: value}}},
		{"version 1", golden1, []Message{{Magic: 1, TimestampMs: ms - 18, BlockTimestampMs: ms - 18, Key: []byte("key-0"), Value: value}}},
		{"version 0, gzip", goldenGzip0, []Message{
			{Offset: 3, TimestampMs: -1, BlockTimestampMs: -1, Key: []byte("key-0"), Value: value},
			{Offset: 4, TimestampMs: -1, BlockTimestampMs: -1, Key: []byte("key-1"), Value: value},
			{Offset: 5, TimestampMs: -1, BlockTimestampMs: -1, Key: []byte("key-2"), Value: value},
		}},
		{"version 1, LZ4", goldenLZ41, []Message{
			{Magic: 1, Offset: 9, TimestampMs: ms, BlockTimestampMs: ms, Key: []byte("key-0"), Value: value},
			{Magic: 1, Offset: 10, TimestampMs: ms, BlockTimestampMs: ms, Key: []byte("key-1"), Value: value},
			{Magic: 1, Offset: 11, TimestampMs: ms, BlockTimestampMs: ms, Key: []byte("key-2"), Value: value},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw := unhex(t, tt.hex)
			got, err := messages(raw, 0)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%v\n got %+v\nwant %+v", err, got, tt.want)
			}
			if len(got) == 1 && !bytes.Equal(AppendMessage(nil, &got[0]), raw) {
				t.Errorf("written as %x", AppendMessage(nil, &got[0]))
			}
		})
	}
}

func TestSetOfEveryKindReadsBack(t *testing.T) {
	for magic := range int8(2) {
		plain := []Message{message(magic, 40, 5, "a"), message(magic, 41, 3, ""), message(magic, 45, 9, "ccc")}
		plain[0].Key, plain[1].Value = []byte{}, nil
		got, err := messages(setOf(plain...), 0)
		if err != nil || !reflect.DeepEqual(got, plain) {
			t.Errorf("magic %d: %v\n got %+v\nwant %+v", magic, err, got, plain)
		}
		for _, codec := range oldCodecs[1:] {
			inner, want := slices.Clone(plain), slices.Clone(plain)
			if magic > 0 { // relative, and not from 0 on: compaction takes the first away
				for i := range inner {
					inner[i].Offset -= 38
					want[i].BlockTimestampMs = 9
				}
			}
			wrapper := message(magic, 45, 9, "")
			raw := slices.Concat(wrap(t, wrapper, codec, setOf(inner...)), setOf(message(magic, 46, 10, "after")))
			want = append(want, message(magic, 46, 10, "after"))
			if got, err := messages(raw, 1000); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("magic %d, %v: %v\n got %+v\nwant %+v", magic, codec, err, got, want)
			}
		}
	}
}

// KIP-32: where the topic says so, the wrapper's time is that of all in it.
func TestWrapperWithTheBrokersTime(t *testing.T) {
	inner := setOf(message(1, 0, 5, "a"), message(1, 1, 6, "b"))
	wrapper := message(1, 11, 77, "")
	wrapper.Attributes = LogAppendTime
	got, err := messages(wrap(t, wrapper, compress.Snappy, inner), 0)
	if err != nil || len(got) != 2 || got[0].Offset != 10 || got[1].Offset != 11 {
		t.Fatalf("%v %+v", err, got)
	}
	for _, m := range got {
		if m.TimestampMs != 77 || m.BlockTimestampMs != 77 {
			t.Errorf("%+v", m)
		}
	}
}

func TestNestedSetsHaveABound(t *testing.T) {
	for magic := range int8(2) {
		raw := setOf(message(magic, 0, 1, "deep"))
		for depth := 1; depth <= SetDepthMax+1; depth++ {
			raw = wrap(t, message(magic, 0, 1, ""), compress.Gzip, raw)
			got, err := messages(raw, 1<<20)
			if ok := depth <= SetDepthMax; (err == nil) != ok || ok && (len(got) != 1 || string(got[0].Value) != "deep") {
				t.Errorf("magic %d, depth %d: %v, %+v", magic, depth, err, got)
			}
		}
	}
}

func TestCompressedMessagesHaveALimit(t *testing.T) {
	big := setOf(message(1, 0, 1, strings.Repeat("x", 10000)))
	for _, codec := range oldCodecs[1:] {
		one := wrap(t, message(1, 7, 1, ""), codec, big)
		if _, err := messages(one, len(big)); err != nil {
			t.Errorf("%v: %v", codec, err)
		}
		_, err := messages(one, len(big)-1)
		if e := (*Error)(nil); !errors.As(err, &e) || !errors.Is(err, compress.ErrTooLarge) || e.Offset != 7 {
			t.Errorf("%v: %v", codec, err)
		}
		// Each of the outermost has the limit to itself, what is nested shares it.
		if _, err := messages(slices.Concat(one, one, one), len(big)); err != nil {
			t.Errorf("%v: three: %v", codec, err)
		}
		nested := wrap(t, message(1, 7, 1, ""), codec, slices.Concat(one, one))
		if _, err := messages(nested, len(big)+len(one)*2); !errors.Is(err, compress.ErrTooLarge) {
			t.Errorf("%v: nested: %v", codec, err)
		}
	}
}

func TestSetCutAtEveryByte(t *testing.T) {
	for magic := range int8(2) {
		whole := [][]byte{
			setOf(message(magic, 4, 1, "first")), wrap(t, message(magic, 5, 1, ""), compress.Gzip, setOf(message(magic, 5, 1, "second"))),
			setOf(message(magic, 6, 1, "third")),
		}
		raw := slices.Concat(whole...)
		for n := range len(raw) + 1 {
			fits, size := 0, 0
			for _, p := range whole {
				if size+len(p) > n {
					break
				}
				size += len(p)
				fits++
			}
			s, rest, err := NextSet(raw[:n], 0)
			if fits == 0 {
				if partial := (*PartialError)(nil); n > 0 && !errors.As(err, &partial) {
					t.Fatalf("magic %d, %d bytes: %v", magic, n, err)
				}
				continue
			}
			if err != nil || len(s.Raw) != size || len(rest) != n-size || s.LastOffset != int64(3+fits) {
				t.Fatalf("magic %d, %d bytes: %v, %d in the set, %d left, last offset %d", magic, n, err, len(s.Raw), len(rest), s.LastOffset)
			}
			// What a message claims to be may end anywhere, too.
			it := (&Set{Raw: raw[:n]}).Open(0)
			var m Message
			got := 0
			for it.Next(&m) {
				got++
			}
			if whole := size == n; got != fits || (it.Err() == nil) != whole || !whole && !errors.Is(it.Err(), ErrCorrupt) {
				t.Fatalf("magic %d, %d bytes: %d messages, %v", magic, n, got, it.Err())
			}
		}
	}
}

// A message that is cut inside, with its size put right.
func TestMessageCutInside(t *testing.T) {
	for magic := range int8(2) {
		m := message(magic, 9, 1, "value")
		m.Key = []byte("key")
		raw := AppendMessage(nil, &m)
		for n := offMessageCRC; n < len(raw); n++ {
			p := bytes.Clone(raw[:n])
			be.PutUint32(p[offLength:], uint32(n-offMessageCRC))
			if n > offMagic {
				sumMessage(p)
			}
			got, err := messages(p, 0)
			partial := (*PartialError)(nil)
			e := (*Error)(nil)
			corrupt := errors.As(err, &e) && e.Offset == 9 && errors.Is(err, ErrCorrupt)
			if len(got) > 0 || !corrupt && !errors.As(err, &partial) {
				t.Fatalf("magic %d, %d bytes: %v, %+v", magic, n, err, got)
			}
		}
		p := append(bytes.Clone(raw), 0)
		be.PutUint32(p[offLength:], uint32(len(p)-offMessageCRC))
		sumMessage(p)
		if _, err := messages(p, 0); err == nil || err.Error() != "message at offset 9: 1 bytes after the value" {
			t.Error(err)
		}
	}
}

func TestMessageCRCShowsEveryFlippedBit(t *testing.T) {
	inner := wrap(t, message(1, 8, 1, ""), compress.Gzip, setOf(message(1, 3, 1, "a"), message(1, 4, 1, "b")))
	for _, raw := range [][]byte{unhex(t, golden0), unhex(t, golden1), inner} {
		for at := offMessageCRC; at < len(raw); at++ {
			for bit := range 8 {
				p := bytes.Clone(raw)
				p[at] ^= 1 << bit
				if _, err := messages(p, 0); err == nil {
					t.Fatalf("byte %d, bit %d: no error", at, bit)
				}
			}
		}
	}
	// Inside a wrapper the checksum counts as well, and the offset told is the log's.
	set := setOf(message(1, 0, 1, "a"), message(1, 1, 1, "b"))
	set[len(set)-1] ^= 1
	got, err := messages(wrap(t, message(1, 51, 1, ""), compress.LZ4, set), 0)
	e := (*Error)(nil)
	if !errors.As(err, &e) || e.Offset != 51 || !strings.HasPrefix(err.Error(), "message at offset 51: CRC didn't match expected 0x") || len(got) != 1 || got[0].Offset != 50 {
		t.Errorf("%v %+v", err, got)
	}
}

func TestSetsThatCannotBe(t *testing.T) {
	set := setOf(message(1, 0, 1, "a"))
	null := Message{Magic: 1, Offset: 5, Attributes: Attributes(compress.Gzip)}
	strange := func(codec Attributes) []byte {
		return AppendMessage(nil, &Message{Offset: 5, Attributes: codec, Value: []byte("x")})
	}
	batch := build(t, compress.None, []record{{value: []byte("v")}})
	for _, tt := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"wrapper without value", setOf(null), "message at offset 5: compressed message without value"},
		{"zstd", strange(Attributes(compress.Zstd)), "message at offset 5: codec zstd in a message of version 0"},
		{"codec 7", strange(7), "message at offset 5: codec codec(7) in a message of version 0"},
		{"no gzip", strange(1), "message at offset 5: kafka: decompressing gzip"},
		{"cut set", wrap(t, message(1, 5, 1, ""), compress.Gzip, set[:len(set)-1]), "message at offset 5: messages in it: partial record batch: have 34 of 35 bytes"},
		{"cut set of version 0", wrap(t, message(0, 5, 1, ""), compress.Gzip, set[:len(set)-1]), "message at offset 5: partial record batch"},
		{"batch inside", wrap(t, message(1, 5, 1, ""), compress.Gzip, batch), "message at offset 5: messages in it: corrupt record batch: record batch in a message set"},
		{"batch inside version 0", wrap(t, message(0, 5, 1, ""), compress.Gzip, batch), "message at offset 5: corrupt record batch: record batch in a message set"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := messages(tt.raw, 1000)
			if !errors.Is(err, ErrCorrupt) || !strings.HasPrefix(err.Error(), tt.want) || len(got) > 0 {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
	if got, err := messages(wrap(t, message(1, 5, 1, ""), compress.Gzip, nil), 0); err != nil || len(got) != 0 {
		t.Errorf("empty wrapper: %v %v", err, got)
	}
	if _, _, err := NextSet(batch, 0); !errors.Is(err, errBatch) {
		t.Errorf("a batch: %v", err)
	}
	if s, rest, err := NextSet(append(setOf(message(0, 3, 0, "x")), batch...), 0); err != nil || len(rest) != len(batch) || s.LastOffset != 3 {
		t.Errorf("a message, then a batch: %v, %d left", err, len(rest))
	}
	if s, rest, err := NextSet(bytes.Repeat(set, 5), 2*len(set)-1); err != nil || len(s.Raw) != 2*len(set) || len(rest) != 3*len(set) {
		t.Errorf("bounded: %v, %d in the set", err, len(s.Raw))
	}
}

// Kafka fills converted responses up with it.
func TestOverflowMessageIsToldFromACutOne(t *testing.T) {
	overflow := append(be.AppendUint32(bytes.Repeat([]byte{0xff}, 8), 100), make([]byte, 70)...)
	for n := 1; n < len(overflow); n++ {
		_, _, err := Next(overflow[:n])
		partial := (*PartialError)(nil)
		if !errors.As(err, &partial) || partial.Overflow != (n >= 8) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if n >= 12 && partial.Need != 0 {
			t.Fatalf("%d bytes: %d needed", n, partial.Need)
		}
	}
}

func TestBuilderOfMessageSets(t *testing.T) {
	for magic := range int8(2) {
		for _, codec := range oldCodecs {
			var b Builder
			for round := range 2 { // the second in memory of the first
				b.SetMagic(magic)
				in := []record{{5, []byte("k"), []byte("v"), nil}, {9, nil, nil, nil}, {7, []byte{}, []byte{}, []header{{[]byte("dropped"), nil}}}}
				want := setOf(message(magic, 0, 5, ""))[:0]
				for i, r := range in {
					before := b.Len()
					size := RecordSize(&b, r.timestampMs, lenOrNull(r.key), lenOrNull(r.value), r.headers)
					Append(&b, r.timestampMs, r.key, r.value, r.headers)
					if b.Len()-before != size || b.Len() != len(want)+size {
						t.Fatalf("%d bytes added, %d announced", b.Len()-before, size)
					}
					m := Message{Magic: magic, TimestampMs: r.timestampMs, Key: r.key, Value: r.value}
					if codec != compress.None && magic > 0 {
						m.Offset = int64(i)
					}
					want = AppendMessage(want, &m)
				}
				var times []int64
				b.Each(func(i int, timestampMs int64, r *Rec) {
					if !reflect.DeepEqual(r.Key, in[i].key) || !reflect.DeepEqual(r.Value, in[i].value) {
						t.Errorf("record %d is %q, %q", i, r.Key, r.Value)
					}
					times = append(times, timestampMs)
				})
				if magic == 0 && !slices.Equal(times, []int64{-1, -1, -1}) || magic == 1 && !slices.Equal(times, []int64{5, 9, 7}) {
					t.Errorf("magic %d: times %d", magic, times)
				}
				for range 2 { // sealing again is allowed
					got, err := b.Seal(codec, compress.LevelDefault, Transactional)
					if err != nil {
						t.Fatal(err)
					}
					if codec != compress.None {
						var m Message
						if err := ReadMessage(got, &m); err != nil {
							t.Fatal(err)
						}
						if m.Offset != 0 || m.Key != nil || magic == 1 && m.TimestampMs != 9 || m.Attributes != Attributes(codec) || m.Magic != magic {
							t.Errorf("wrapper %+v", m)
						}
						if got, err = Decompress(&m, 1000); err != nil {
							t.Fatal(err)
						}
					}
					if !bytes.Equal(got, want) {
						t.Fatalf("magic %d, %v, round %d:\n got %x\nwant %x", magic, codec, round, got, want)
					}
				}
				if b.Count() != 3 || b.Magic() != magic {
					t.Errorf("%d records of version %d", b.Count(), b.Magic())
				}
				b.Reset()
			}
		}
		var b Builder
		b.SetMagic(magic)
		if _, err := b.Seal(compress.Gzip, 0, 0); !errors.Is(err, ErrNoRecords) {
			t.Error(err)
		}
		Append[header](&b, 0, nil, nil, nil)
		if _, err := b.Seal(compress.Zstd, 0, 0); err == nil || !strings.Contains(err.Error(), "zstd") {
			t.Errorf("zstd: %v", err)
		}
		b.Reset()
		b.SetMagic(2)
		Append[header](&b, 3, nil, []byte("v"), nil)
		raw, err := b.Seal(compress.None, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		Stamp(raw, -1, -1, 0)
		if got, err := records(raw); err != nil || len(got) != 1 || got[0].timestampMs != 3 {
			t.Errorf("a batch in memory of a set: %v %v", err, got)
		}
	}
}

func TestEachReadsBatches(t *testing.T) {
	var b Builder
	b.Each(func(int, int64, *Rec) { t.Error("a record of none") })
	in := []record{{5, []byte("k"), nil, []header{{[]byte("h"), []byte("x")}}}, {-9, nil, []byte{}, nil}}
	for _, r := range in {
		Append(&b, r.timestampMs, r.key, r.value, r.headers)
	}
	for range 2 {
		var got []record
		b.Each(func(_ int, timestampMs int64, r *Rec) {
			out := record{timestampMs: timestampMs, key: r.Key, value: r.Value}
			h := r.Headers()
			for k, v, ok := h.Next(); ok; k, v, ok = h.Next() {
				out.headers = append(out.headers, header{k, v})
			}
			got = append(got, out)
		})
		if !reflect.DeepEqual(got, in) {
			t.Errorf("got %v, want %v", got, in)
		}
		if _, err := b.Seal(compress.Zstd, compress.LevelDefault, 0); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzMessageSet(f *testing.F) {
	for _, s := range []string{golden0, golden1, goldenGzip0, goldenLZ41} {
		f.Add(unhex(f, s))
	}
	for magic := range int8(2) {
		for _, codec := range oldCodecs[1:] {
			set := wrap(f, message(magic, 9, 1, ""), codec, setOf(message(magic, 0, 1, "a"), message(magic, 1, 1, "b")))
			f.Add(set)
			f.Add(wrap(f, message(magic, 9, 1, ""), codec, set))
		}
	}
	const limit = 1 << 20
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, rest, err := NextSet(raw, 0)
		if err != nil {
			return
		}
		if len(s.Raw)+len(rest) != len(raw) || len(raw) > 0 && len(s.Raw) == 0 {
			t.Fatalf("%d and %d of %d bytes", len(s.Raw), len(rest), len(raw))
		}
		it := s.Open(limit)
		total := 0
		var again []byte
		var list []Message
		for {
			pending := it.Pending(math.MaxInt)
			var m Message
			if !it.Next(&m) {
				break
			}
			if pending == 0 {
				t.Fatal("a message when none was pending")
			}
			total += len(m.Key) + len(m.Value)
			if m.Attributes.Codec() != compress.None {
				t.Fatalf("a compressed message: %+v", m)
			}
			plain := m
			plain.BlockTimestampMs = m.TimestampMs
			list = append(list, plain)
			again = AppendMessage(again, &plain)
		}
		if total > (limit+1)*(1+len(raw)/messageOverhead0) {
			t.Fatalf("%d bytes from %d", total, len(raw))
		}
		if it.Err() != nil {
			if e := (*Error)(nil); !errors.As(it.Err(), &e) || !errors.Is(e, ErrCorrupt) && !errors.Is(e, compress.ErrTooLarge) {
				t.Fatalf("%T: %v", it.Err(), it.Err())
			}
			return
		}
		if got, err := messages(again, 0); err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", list) {
			t.Fatalf("%v\n got %+v\nwant %+v", err, got, list)
		}
	})
}
