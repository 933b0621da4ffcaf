package compress

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var codecs = []Codec{Gzip, Snappy, LZ4, Zstd}

// text is the input of testdata's text-* files.
func text() []byte {
	var b bytes.Buffer
	for i := range 6000 {
		fmt.Fprintf(&b, "%d %d the quick brown fox\n", i/40, i*i%7)
	}
	return b.Bytes()
}

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	p, err := os.ReadFile(filepath.FromSlash(name))
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

func pack(t testing.TB, c Codec, src []byte) []byte {
	t.Helper()
	p, err := Append(nil, c, LevelDefault, src)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCodecNames(t *testing.T) {
	for c, want := range map[Codec]string{None: "none", Gzip: "gzip", Snappy: "snappy", LZ4: "lz4", Zstd: "zstd", 5: "codec(5)", -1: "codec(-1)"} {
		if got := c.String(); got != want {
			t.Errorf("%d: %q, want %q", c, got, want)
		}
	}
}

// The hand-made streams follow the formats' documents.
func TestDecompressReadsHandMadeStreams(t *testing.T) {
	const xerial = "82 534e41505059 00 00000001 00000001"
	for _, tt := range []struct {
		name  string
		codec Codec
		in    string
		want  string
	}{
		{"lz4 stored block", LZ4, "04224d18 60 40 82 05000080 68656c6c6f 00000000", "hello"},
		{"lz4 match", LZ4, "04224d18 60 40 82 0a000000 1061 0100 50 6161616161 00000000", "aaaaaaaaaa"},
		{"lz4 without blocks", LZ4, "04224d18 60 40 82 00000000", ""},
		{"lz4 skippable, then a frame", LZ4, "5a2a4d18 02000000 ffff 04224d18 60 40 82 01000080 78 00000000", "x"},
		{"lz4 two frames", LZ4, "04224d18 60 40 82 01000080 78 00000000 04224d18 60 40 82 01000080 79 00000000", "xy"},
		{"zstd stored block", Zstd, "28b52ffd 20 05 290000 68656c6c6f", "hello"},
		{"zstd repeated byte, no size", Zstd, "28b52ffd 00 58 530000 61", "aaaaaaaaaa"},
		{"zstd empty frame", Zstd, "28b52ffd 20 00 010000", ""},
		{"zstd skippable frame", Zstd, "502a4d18 01000000 ff 28b52ffd 20 01 090000 78", "x"},
		{"raw snappy", Snappy, "05 10 68656c6c6f", "hello"},
		{"raw snappy copy", Snappy, "0a 00 61 22 0100", "aaaaaaaaaa"},
		{"raw snappy, empty", Snappy, "00", ""},
		{"framed snappy", Snappy, xerial + "00000007 05 10 68656c6c6f 00000003 01 00 21", "hello!"},
		{"framed snappy, other version", Snappy, "82 534e41505059 00 00000002 00000001 00000003 01 00 21", "!"},
		{"framed snappy, no block", Snappy, xerial, ""},
		{"framed snappy, two streams", Snappy, xerial + "00000003 01 00 21" + xerial + "00000003 01 00 3f", "!?"},
		{"gzip stored block", Gzip, "1f8b0800 00000000 00ff 01 0500 faff 68656c6c6f 86a61036 05000000", "hello"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decompress(tt.codec, unhex(t, tt.in), 0)
			if err != nil || string(got) != tt.want {
				t.Fatalf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// The stream is from a message of version 0 that Kafka 3.9.1 has sent.
func TestLZ4OfVersion0HasAnotherHeaderChecksum(t *testing.T) {
	const kafka = "04224d18 60 40 1a 1f000000 16000100ff012e4920a94a0000ffffffff000000206101000750616161616100000000"
	want := unhex(t, "0000000000000000 0000002e 4920a94a 00 00 ffffffff 00000020")
	want = append(want, bytes.Repeat([]byte("a"), 32)...)
	if got, err := Decompress(LZ4Magic0, unhex(t, kafka), 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v", got, err)
	}
	if _, err := Decompress(LZ4, unhex(t, kafka), 0); !errors.Is(err, errLZ4HeaderChecksum) {
		t.Errorf("as of later versions: %v", err)
	}
	ours, err := Append([]byte("before"), LZ4Magic0, LevelDefault, want)
	if err != nil || !bytes.HasPrefix(ours, append([]byte("before"), unhex(t, "04224d1860401a")...)) {
		t.Errorf("%x, %v", ours, err)
	}
	right, err := Append(nil, LZ4, LevelDefault, want)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string][]byte{"own": ours[6:], "with the right checksum": right} {
		if got, err := Decompress(LZ4Magic0, p, len(want)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
		p[6] ^= 0xff
		if _, err := Decompress(LZ4Magic0, p, 0); !errors.Is(err, errLZ4HeaderChecksum) {
			t.Errorf("%s, spoiled: %v", name, err)
		}
	}
	if _, err := Decompress(LZ4Magic0, right[:0], 0); err == nil || !strings.HasPrefix(err.Error(), "kafka: decompressing lz4: ") {
		t.Error(err)
	}
}

// The files were made by zstd 1.5.4, lz4 1.9.4 (-BD linked blocks, -BX block
// checksums) and gzip; the batches by Kafka 4.3.1.
func TestDecompressReadsOtherImplementations(t *testing.T) {
	zeros := make([]byte, 3000000)
	for _, tt := range []struct {
		codec Codec
		file  string
		want  []byte
	}{
		{LZ4, "text-linked.lz4", text()},
		{LZ4, "text-checksums.lz4", text()},
		{LZ4, "text-4mib.lz4", text()},
		{Zstd, "text-size.zst", text()},
		{Zstd, "text-stream.zst", text()},
		{Zstd, "text-two.zst", text()},
		{Zstd, "zeros-size.zst", zeros},
		{Zstd, "zeros-stream.zst", zeros},
		{Gzip, "text.gz", text()},
	} {
		t.Run(tt.file, func(t *testing.T) {
			in := read(t, "testdata/"+tt.file)
			for _, limit := range []int{0, len(tt.want), len(tt.want) + 1, 1 << 30} {
				got, err := Decompress(tt.codec, in, limit)
				if err != nil || !bytes.Equal(got, tt.want) {
					t.Fatalf("limit %d: %d bytes, %v; want %d", limit, len(got), err, len(tt.want))
				}
				if spare := cap(got) - len(got); spare > len(got)/4 {
					t.Errorf("limit %d: %d bytes to spare of %d", limit, spare, len(got))
				}
			}
			if got, err := Decompress(tt.codec, in, len(tt.want)-1); !errors.Is(err, ErrTooLarge) {
				t.Errorf("limit one short: %d bytes, %v", len(got), err)
			}
		})
	}
	want := read(t, "../record/testdata/kafka-4.3.1-none.batch")[61:]
	for _, c := range codecs {
		in := read(t, fmt.Sprintf("../record/testdata/kafka-4.3.1-%s.batch", c))[61:]
		if got, err := Decompress(c, in, 0); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v; want %d", c, len(got), err, len(want))
		}
	}
}

// TestAppendIsReadByOtherReaders reads what Append writes with the libraries'
// own stream readers, and snappy's framing by hand.
func TestAppendIsReadByOtherReaders(t *testing.T) {
	readers := map[Codec]func([]byte) ([]byte, error){
		Gzip: func(p []byte) ([]byte, error) {
			r, err := stdgzip.NewReader(bytes.NewReader(p))
			if err != nil {
				return nil, err
			}
			return io.ReadAll(r)
		},
		LZ4: func(p []byte) ([]byte, error) {
			r := lz4.NewReader(bytes.NewReader(p))
			if err := r.Apply(lz4.ConcurrencyOption(1)); err != nil {
				return nil, err
			}
			return io.ReadAll(r)
		},
		Zstd: func(p []byte) ([]byte, error) {
			r, err := zstd.NewReader(bytes.NewReader(p), zstd.WithDecoderConcurrency(1))
			if err != nil {
				return nil, err
			}
			defer r.Close()
			return io.ReadAll(r)
		},
		Snappy: func(p []byte) (out []byte, err error) {
			if string(p[:16]) != "\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01" {
				return nil, fmt.Errorf("header % x", p[:16])
			}
			for p = p[16:]; len(p) > 0; {
				n := int(p[0])<<24 | int(p[1])<<16 | int(p[2])<<8 | int(p[3])
				block, err := snappy.DecodeStrict(nil, p[4:4+n])
				if err != nil || len(block) > 32<<10 {
					return nil, fmt.Errorf("%d bytes, %w", len(block), err)
				}
				out, p = append(out, block...), p[4+n:]
			}
			return out, nil
		},
	}
	for _, c := range codecs {
		for _, in := range inputs() {
			packed := pack(t, c, in)
			if got, err := readers[c](packed); err != nil || !bytes.Equal(got, in) {
				t.Errorf("%s of %d bytes: %d bytes, %v", c, len(in), len(got), err)
			}
		}
	}
	// As Kafka's own producer begins a frame.
	if p := pack(t, LZ4, []byte("hello")); !bytes.HasPrefix(p, unhex(t, "04224d18604082")) {
		t.Errorf("lz4 header % x", p[:7])
	}
}

func inputs() [][]byte {
	in := [][]byte{{}, {1}, noise(31), noise(32 << 10), noise(64<<10 + 1), noise(200_000), make([]byte, 1<<20), text()}
	for _, n := range []int{2, 100, 32<<10 - 1, 32<<10 + 1, 64<<10 - 1, 64 << 10, 128<<10 + 1} {
		in = append(in, text()[:n])
	}
	return append(in, slices.Concat(text(), noise(70_000), make([]byte, 5<<20)))
}

func TestRoundTripAllCodecsAndLevels(t *testing.T) {
	levels := map[Codec][]int{
		None:   {LevelDefault},
		Gzip:   {LevelDefault, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		Snappy: {LevelDefault, 3},
		LZ4:    {LevelDefault, 9},
		Zstd:   {LevelDefault, -5, 0, 1, 3, 6, 9, 11, 19, 22},
	}
	prefix := []byte("prefix")
	for c, ls := range levels {
		for _, level := range ls {
			all := inputs()
			if level != LevelDefault {
				all = [][]byte{{}, {1}, text(), slices.Concat(text()[:70_000], noise(70_000))}
			}
			for _, in := range all {
				packed, err := Append(slices.Clone(prefix), c, level, in)
				if err != nil || !bytes.HasPrefix(packed, prefix) {
					t.Fatalf("%s level %d of %d bytes: %v", c, level, len(in), err)
				}
				packed = packed[len(prefix):]
				got, err := Decompress(c, packed, 0)
				if err != nil || !bytes.Equal(got, in) {
					t.Fatalf("%s level %d of %d bytes: %d bytes, %v", c, level, len(in), len(got), err)
				}
				if spare := cap(got) - len(got); c != None && spare > max(len(got)/4, 16) {
					t.Errorf("%s level %d of %d bytes: %d bytes to spare", c, level, len(in), spare)
				}
			}
		}
	}
}

func TestAppendRefusesWhatItCannotDo(t *testing.T) {
	dst := []byte("kept")
	for _, tt := range []struct {
		codec Codec
		level int
		want  string
	}{
		{Gzip, 10, "kafka: gzip compression level 10 is not within -2 to 9"},
		{Gzip, -3, "kafka: gzip compression level -3 is not within -2 to 9"},
		{5, LevelDefault, "kafka: invalid compression specified (5)"},
	} {
		got, err := Append(dst, tt.codec, tt.level, []byte("x"))
		if err == nil || err.Error() != tt.want || string(got) != "kept" {
			t.Errorf("%q, %v; want %q", got, err, tt.want)
		}
	}
	if _, err := Decompress(7, []byte("x"), 0); err == nil || err.Error() != "kafka: invalid compression specified (7)" {
		t.Error(err)
	}
}

func TestDecompressStopsAtTheLimit(t *testing.T) {
	for _, c := range codecs {
		for _, in := range [][]byte{text(), make([]byte, 5<<20), noise(1000)} {
			packed := pack(t, c, in)
			for _, limit := range []int{1, 100, len(in) / 2, len(in) - 1} {
				got, err := Decompress(c, packed, limit)
				want := fmt.Sprintf("kafka: decompressed record batch is larger than the configured limit: "+
					"%s batch decompressed to more than %d bytes", c, limit)
				if !errors.Is(err, ErrTooLarge) || err.Error() != want || got != nil {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
			}
			for _, limit := range []int{len(in), len(in) + 1} {
				if got, err := Decompress(c, packed, limit); err != nil || !bytes.Equal(got, in) {
					t.Fatalf("%s limit %d of %d: %d bytes, %v", c, limit, len(in), len(got), err)
				}
			}
		}
	}
}

// A stream of zstd as Java writes it has a window of megabytes, whatever it
// holds; a limit below that is not one on the window.
func TestZstdLimitIsNotOneOnTheWindow(t *testing.T) {
	in := unhex(t, "28b52ffd 00 88 530000 61") // window 128 MiB, ten bytes
	if got, err := Decompress(Zstd, in, 10); err != nil || string(got) != "aaaaaaaaaa" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := Decompress(Zstd, in, 9); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

func TestZstdLimitHoldsForAllFramesTogether(t *testing.T) {
	one := pack(t, Zstd, text()[:1000])
	in := slices.Concat(one, one, one)
	if got, err := Decompress(Zstd, in, 3000); err != nil || len(got) != 3000 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	for _, limit := range []int{999, 1000, 1500, 2000, 2999} {
		if _, err := Decompress(Zstd, in, limit); !errors.Is(err, ErrTooLarge) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

func TestDecompressRefusesCutAndFollowedInput(t *testing.T) {
	for _, c := range codecs {
		in := text()[:100_000]
		packed := pack(t, c, in)
		if c == Zstd {
			packed = read(t, "testdata/text-two.zst")
		}
		for n := range packed {
			got, err := Decompress(c, packed[:n], 0)
			if err == nil {
				// snappy's framing has no end, zstd's frames none beyond each:
				// whole ones alone are sound. The batch's record count is not.
				if (c == Snappy && n >= 16 || c == Zstd && n > 0) && bytes.HasPrefix(in, got) {
					continue
				}
				t.Fatalf("%s cut to %d of %d bytes: %d bytes, no error", c, n, len(packed), len(got))
			}
			if !strings.Contains(err.Error(), c.String()) {
				t.Fatalf("error does not name %s: %v", c, err)
			}
		}
		for _, tail := range []string{"x", "xyz", "trailing garbage", "\x00", "\x00\x00\x00\x00\x00"} {
			if c == Snappy && len(tail) == 5 {
				continue // a zero length, and then too little
			}
			if _, err := Decompress(c, append(slices.Clone(packed), tail...), 0); err == nil || !strings.Contains(err.Error(), c.String()) {
				t.Errorf("%s followed by %q: %v", c, tail, err)
			}
		}
	}
}

func TestDecompressRefusesDamage(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"lz4", "04224d18 60 40 83 00000000", "frame header checksum does not match"},
		{"lz4", "04224d18 20 40 82 00000000", "invalid frame header"},
		{"lz4", "04224d18 60 30 82 00000000", "invalid frame header"},
		{"lz4", "02214c18 00000000", "legacy frame"},
		{"lz4", "68656c6c6f", "not a frame"},
		{"lz4", "04224d18 60 40 82 01000100 00000000", "block of 65537 bytes in a frame of 65536-byte blocks"},
		{"lz4", "04224d18 60 40 82 05000000 1061 0000 50 00000000", "block after 0 bytes"},
		{"zstd", "28b52ffd 20 06 290000 68656c6c6f", "claims 6 bytes"},
		{"zstd", "28b52ffd 20 04 290000 68656c6c6f", "frame size"},
		{"zstd", "28b52ffd 20 05 2f0000 68656c6c6f", "reserved block"},
		{"zstd", "28b52ffd 24 05 290000 68656c6c6f 00000000", "CRC"},
		{"zstd", "1f8b0800", "magic"},
		{"snappy", "00000000ff", "corrupt"},
		{"snappy", "82534e4150", "unexpected EOF"},
		{"gzip", "1f8b0800 00000000 00ff 01 0500 faff 68656c6c6f 86a61037 05000000", "checksum"},
		{"gzip", "28b52ffd", "unexpected EOF"},
	} {
		for _, c := range codecs {
			if c.String() != tt.name {
				continue
			}
			_, err := Decompress(c, unhex(t, tt.in), 0)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "kafka: decompressing "+tt.name+": ") {
				t.Errorf("%s %s: %v, want %q", tt.name, tt.in, err, tt.want)
			}
		}
	}
	// Checksums that lz4's writer adds are compared.
	good := read(t, "testdata/text-checksums.lz4")
	for _, at := range []int{30, len(good) - 1, len(good) - 10} {
		bad := slices.Clone(good)
		bad[at] ^= 1
		if _, err := Decompress(LZ4, bad, 0); err == nil {
			t.Errorf("lz4 with byte %d flipped: no error", at)
		}
	}
	// So is a content size that is taken out of the header before decoding.
	bad := read(t, "testdata/zeros-size.zst")
	bad[6]--
	if _, err := Decompress(Zstd, bad, 0); err == nil || !strings.Contains(err.Error(), "frame holds 3000000 bytes, its header says 2999999") {
		t.Errorf("zstd with a wrong content size: %v", err)
	}
	for _, c := range codecs {
		if _, err := Decompress(c, nil, 0); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), c.String()) {
			t.Errorf("%s of nothing: %v", c, err)
		}
	}
}

// TestLyingSizesDoNotAllocate gives headers that claim far more than their input
// holds. What may be allocated is what the pools' objects cost once.
func TestLyingSizesDoNotAllocate(t *testing.T) {
	zeroBlocks := bytes.Repeat(unhex(t, "140000 0000"), 20_000) // each may hold 128 KiB by its header
	const xerial = "82534e41505059 00 00000001 00000001"
	for _, tt := range []struct {
		name  string
		codec Codec
		in    []byte
	}{
		{"zstd 2 GiB, single segment", Zstd, unhex(t, "28b52ffd a0 00000080 290000 68656c6c6f")},
		{"zstd 2 GiB, window 1 GiB", Zstd, unhex(t, "28b52ffd 80 a0 00000080 150000 0000")},
		{"zstd window 512 MiB, no size", Zstd, unhex(t, "28b52ffd 00 98 150000 0000")},
		{"zstd 2 GiB, blocks to match", Zstd, slices.Concat(unhex(t, "28b52ffd a0 00000080"), zeroBlocks, unhex(t, "010000"))},
		{"zstd no size, blocks for 2 GiB", Zstd, slices.Concat(unhex(t, "28b52ffd 00 98"), zeroBlocks, unhex(t, "010000"))},
		{"zstd 2^63, single segment", Zstd, unhex(t, "28b52ffd e0 0000000000000080 290000 68656c6c6f")},
		{"raw snappy 4 GiB", Snappy, unhex(t, "ffffffff0f 00 61")},
		{"framed snappy 4 GiB", Snappy, unhex(t, xerial+"00000007 ffffffff0f 00 61")},
		{"framed snappy block of 2 GiB", Snappy, unhex(t, xerial+"7fffffff 05 10 68")},
		{"lz4 4 MiB blocks, 2^40 bytes", LZ4, lz4Header4MiB(t)},
		{"gzip ends in 4 GiB", Gzip, unhex(t, "1f8b0800 00000000 00ff 01 0500 faff 68656c6c6f 86a61036 ffffffff")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Two of them are sound: blocks that could hold gigabytes, but are empty.
			sound := strings.Contains(tt.name, "no size")
			if _, err := Decompress(tt.codec, tt.in, 0); (err == nil) != sound {
				t.Fatal(err)
			}
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
			for _, limit := range []int{0, 1 << 30} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := Decompress(tt.codec, tt.in, limit)
				runtime.ReadMemStats(&after)
				if (err == nil) != sound {
					t.Error(err)
				}
				if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
					t.Errorf("limit %d: %d bytes allocated for %d of input (%v)", limit, n, len(tt.in), err)
				}
			}
		})
	}
}

// lz4Header4MiB is a frame of 4 MiB blocks that claims a terabyte and holds 5
// bytes.
func lz4Header4MiB(t *testing.T) []byte {
	d := unhex(t, "68 70 0000000000010000")
	d = append(d, byte(xxh32(d)>>8))
	return slices.Concat(unhex(t, "04224d18"), d, unhex(t, "05000080 68656c6c6f 00000000"))
}

func TestResultsAreIndependent(t *testing.T) {
	for _, c := range codecs {
		first, err := Decompress(c, pack(t, c, text()), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decompress(c, pack(t, c, noise(len(first))), 0); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, text()) {
			t.Errorf("%s: a later call changed an earlier result", c)
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop objects under the race detector")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, c := range codecs {
		for _, in := range [][]byte{text()[:5000], text()} {
			dst := make([]byte, 0, 2*len(in))
			if n := testing.AllocsPerRun(20, func() {
				if _, err := Append(dst, c, LevelDefault, in); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s of %d bytes: %v allocations", c, len(in), n)
			}
		}
	}
}

// The vectors are those of the xxHash repository's sanity check and of widely
// used ports.
func TestXXH32(t *testing.T) {
	for in, want := range map[string]uint32{
		"": 0x02cc5d05, "a": 0x550d7456, "abc": 0x32d153ff,
		"Nobody inspects the spammish repetition":                         0xe2293b2f,
		"Call me Ishmael. Some years ago--never mind how long precisely-": 0x6f320359,
	} {
		if got := xxh32([]byte(in)); got != want {
			t.Errorf("%q: %#x, want %#x", in, got, want)
		}
	}
}

func FuzzDecompress(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		f.Fatal(err)
	}
	byExt := map[string]Codec{".gz": Gzip, ".lz4": LZ4, ".zst": Zstd}
	for _, name := range files {
		f.Add(int8(byExt[filepath.Ext(name)]), read(f, name))
	}
	for _, c := range codecs {
		f.Add(int8(c), pack(f, c, []byte("hello hello hello hello")))
		f.Add(int8(c), pack(f, c, nil))
		f.Add(int8(c), pack(f, c, text()[:40_000]))
	}
	const limit = 1 << 20
	f.Fuzz(func(t *testing.T, codec int8, src []byte) {
		c := Codec(codec)
		before := slices.Clone(src)
		got, err := Decompress(c, src, limit)
		if !bytes.Equal(src, before) {
			t.Fatal("input was changed")
		}
		if err == nil && c != None {
			if len(got) > limit {
				t.Fatalf("%d bytes for a limit of %d", len(got), limit)
			}
			// Without a limit it is the same, and it survives another round.
			free, err := Decompress(c, src, 0)
			if err != nil || !bytes.Equal(free, got) {
				t.Fatalf("without a limit: %d bytes, %v; with it %d", len(free), err, len(got))
			}
			again, err := Decompress(c, pack(t, c, got), limit)
			if err != nil || !bytes.Equal(again, got) {
				t.Fatalf("round trip: %d bytes, %v", len(again), err)
			}
		}
		// Whatever the input, it survives being compressed.
		if c >= None && c <= Zstd {
			back, err := Decompress(c, pack(t, c, src), 0)
			if err != nil || !bytes.Equal(back, src) {
				t.Fatalf("round trip of the input: %d bytes, %v", len(back), err)
			}
		}
	})
}

func BenchmarkCompress(b *testing.B) {
	in := text()
	for _, c := range codecs {
		b.Run(c.String(), func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst, _ = Append(dst[:0], c, LevelDefault, in)
			}
			b.ReportMetric(float64(len(in))/float64(len(dst)), "ratio")
		})
	}
}

func BenchmarkDecompress(b *testing.B) {
	in := text()
	for _, c := range codecs {
		b.Run(c.String(), func(b *testing.B) {
			packed := pack(b, c, in)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decompress(c, packed, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
