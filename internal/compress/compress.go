// Package compress holds the four compression codecs of Kafka's record
// batches and message sets, in the formats that Kafka's own clients write.
//
// All functions may be called from any goroutine. The coders behind them are
// pooled, run on the caller's goroutine and leave no goroutine behind.
package compress

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// Codec is a compression codec, numbered as in the attributes of a batch.
type Codec int8

// The codecs of Kafka. LZ4 needs Kafka 0.10 or later, Zstd needs 2.1 or
// later (KIP-110).
const (
	None   Codec = 0
	Gzip   Codec = 1
	Snappy Codec = 2
	LZ4    Codec = 3
	Zstd   Codec = 4

	// LZ4Magic0 is LZ4 as it is in message sets of version 0. Kafka before 0.10
	// computed the checksum of the frame's header over too many bytes, and has
	// kept doing so in that version alone (KIP-57). It is written like that, and
	// read with that checksum or the right one. On the wire its number is LZ4's.
	LZ4Magic0 Codec = -3
)

// LevelDefault asks for a codec's default level.
const LevelDefault = -1000

// ErrTooLarge says that a batch holds more than the limit given to Decompress.
var ErrTooLarge = errors.New("kafka: decompressed record batch is larger than the configured limit")

// String returns the name that Kafka's configuration uses: "none", "gzip",
// "snappy", "lz4" or "zstd".
func (c Codec) String() string {
	switch c {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Snappy:
		return "snappy"
	case LZ4, LZ4Magic0:
		return "lz4"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("codec(%d)", int8(c))
}

// Append compresses src after dst and returns the extended slice. It allocates
// nothing in the long run when dst has room for the result.
//
// level is LevelDefault or the codec's own: -2 to 9 for gzip (-2 is Huffman
// coding alone, -1 the default), 1 to 22 for zstd, of which the library tells
// four apart. snappy and lz4 have no level and ignore it. On an error dst is
// returned as it was.
func Append(dst []byte, codec Codec, level int, src []byte) ([]byte, error) {
	switch codec {
	case None:
		return append(dst, src...), nil
	case Gzip:
		return appendGzip(dst, level, src)
	case Snappy:
		return appendSnappy(dst, src)
	case LZ4:
		return appendLZ4(dst, lz4Header, src), nil
	case LZ4Magic0:
		return appendLZ4(dst, lz4HeaderMagic0, src), nil
	case Zstd:
		return appendZstd(dst, level, src)
	}
	return dst, unknown(codec)
}

// Decompress returns what src holds, in a slice of its own with little or no
// spare capacity; for None that is src itself. limit bounds the size of the
// result in bytes, 0 or less means no bound: a larger result is an error that
// wraps ErrTooLarge. What src claims about its size is never believed further
// than the size of src can justify, so memory grows only as output appears.
//
// Input that is empty, cut short, damaged or followed by anything else is an
// error that names the codec.
func Decompress(codec Codec, src []byte, limit int) ([]byte, error) {
	var out []byte
	var err error
	switch codec {
	case None:
		return src, nil
	case Gzip, Snappy, LZ4, LZ4Magic0, Zstd:
		if len(src) == 0 {
			err = fmt.Errorf("no input: %w", io.ErrUnexpectedEOF)
			break
		}
		switch codec {
		case Gzip:
			out, err = decompressGzip(src, limit)
		case Snappy:
			out, err = decompressSnappy(src, limit)
		case LZ4:
			out, err = decompressLZ4(src, limit, false)
		case LZ4Magic0:
			out, err = decompressLZ4(src, limit, true)
		default:
			out, err = decompressZstd(src, limit)
		}
	default:
		return nil, unknown(codec)
	}
	if err == errLimit || (err == nil && limit > 0 && len(out) > limit) {
		return nil, fmt.Errorf("%w: %s batch decompressed to more than %d bytes", ErrTooLarge, codec, limit)
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: decompressing %s: %w", codec, err)
	}
	return out, nil
}

// errLimit is how a codec says that the output went over the limit; Decompress
// turns it into ErrTooLarge.
var errLimit = errors.New("limit exceeded")

func unknown(codec Codec) error {
	return fmt.Errorf("kafka: invalid compression specified (%d)", int8(codec))
}

func overLimit(n, limit int) bool { return limit > 0 && n > limit }

// scratch is a pooled buffer for output whose size is known only once all of it
// is there. The result is then one exact allocation and one copy, where growing
// the result itself would cost several of both.
type scratch struct{ b []byte }

const (
	scratchSizeBytes    = 256 << 10 // zstd's fast path wants more than one 128 KiB block of room
	scratchMaxSizeBytes = 4 << 20   // larger ones are left to the garbage collector
)

var scratches = sync.Pool{New: func() any { return &scratch{b: make([]byte, 0, scratchSizeBytes)} }}

func getScratch() *scratch { return scratches.Get().(*scratch) }

// grow makes room for n more bytes, at least doubling.
func (s *scratch) grow(n int) {
	if cap(s.b)-len(s.b) < n {
		s.b = slices.Grow(s.b, max(n, len(s.b)))
	}
}

// release puts s back into the pool.
func (s *scratch) release() {
	if cap(s.b) > scratchMaxSizeBytes {
		return
	}
	s.b = s.b[:0]
	scratches.Put(s)
}

// take returns the contents as a slice of their own. s must not be used
// afterwards other than to release it.
func (s *scratch) take() []byte {
	if cap(s.b) > scratchMaxSizeBytes && cap(s.b)-len(s.b) <= len(s.b)/4 {
		return s.b
	}
	return append(make([]byte, 0, len(s.b)), s.b...)
}
