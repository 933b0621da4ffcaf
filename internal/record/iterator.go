package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/IBM/sarama/internal/compress"
)

// Rec is one record of a batch. Its slices are parts of the batch's bytes, or of
// what those were decompressed to. Key and Value are nil when null, empty but
// not nil when empty.
type Rec struct {
	TimestampDelta int64 // ms, relative to the batch's FirstTimestampMs
	OffsetDelta    int32 // relative to the batch's BaseOffset
	Attributes     int8  // none are defined
	Key, Value     []byte
	HeaderCount    int
	headers        []byte
}

// Headers returns the record's headers, checked already. HeaderCount says how
// many there are.
func (r *Rec) Headers() Headers { return Headers{rest: r.headers, left: r.HeaderCount} }

// Headers walks over the headers of one record.
type Headers struct {
	rest []byte
	left int
}

// Next returns the next header; ok is false when there is none left. A nil key
// or value is null.
func (h *Headers) Next() (key, value []byte, ok bool) {
	if h.left <= 0 {
		return nil, nil, false
	}
	h.left--
	key, i := field(h.rest, 0)
	value, i = field(h.rest, i)
	h.rest = h.rest[i:]
	return key, value, true
}

// Iterator reads a batch's records one after the other. It allocates nothing
// but its error. The zero value has no records.
type Iterator struct {
	rest   []byte
	size   int // of all records
	left   int32
	offset int64 // of the batch, for errors
	err    error
}

// Left returns how many records are still to come, if the batch is sound.
func (it *Iterator) Left() int { return int(it.left) }

// Err returns what is wrong with the batch once Next has returned false, nil if
// that was its end. It is an *Error that wraps ErrCorrupt.
func (it *Iterator) Err() error { return it.err }

// Next reads the next record into r. It returns false at the end of the batch
// and when the batch is corrupt, which Err tells apart.
func (it *Iterator) Next(r *Rec) bool {
	if it.left <= 0 {
		if len(it.rest) > 0 {
			it.fail("%d bytes after the last record", len(it.rest))
		}
		return false
	}
	length, i := varint(it.rest, 0)
	if i < 0 || length <= 0 || length > int64(len(it.rest)-i) {
		it.fail("record has an invalid length")
		return false
	}
	end := i + int(length)
	p := it.rest[i:end]
	r.Attributes = int8(p[0])
	delta, i := varint(p, 1)
	offset, i := varint(p, i)
	var headers int64
	r.Key, i = field(p, i)
	r.Value, i = field(p, i)
	headers, i = varint(p, i)
	if i < 0 || offset < 0 || offset > math.MaxInt32 {
		it.fail("record is cut or its lengths are invalid")
		return false
	}
	r.TimestampDelta, r.OffsetDelta = delta, int32(offset)
	r.HeaderCount, r.headers = int(headers), p[i:]
	// The usual record ends here, with no headers and nothing left.
	if (headers != 0 || i != len(p)) && !it.checkHeaders(headers, r.headers) {
		return false
	}
	it.rest = it.rest[end:]
	it.left--
	return true
}

// checkHeaders reads n headers, which must be all that p holds.
func (it *Iterator) checkHeaders(n int64, p []byte) bool {
	// A header takes at least two bytes, its lengths.
	if n < 0 || n > int64(len(p)/2) {
		it.fail("%d headers cannot be in %d bytes", n, len(p))
		return false
	}
	i := 0
	for range n {
		_, i = field(p, i)
		_, i = field(p, i)
	}
	if i != len(p) {
		it.fail("headers do not end where their record does")
		return false
	}
	return true
}

// fail ends the iteration with an error.
func (it *Iterator) fail(format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	at := it.size - len(it.rest)
	it.err = &Error{Offset: it.offset, Why: fmt.Sprintf("%s (at byte %d of its records)", why, at), Err: ErrCorrupt}
	it.rest, it.left = nil, 0
}

// decompressError makes an Error of what compress.Decompress returned.
func (b *Batch) decompressError(err error) *Error {
	if !errors.Is(err, compress.ErrTooLarge) {
		return &Error{Offset: b.BaseOffset, Why: err.Error(), Err: fmt.Errorf("%w: %w", ErrCorrupt, err)}
	}
	return &Error{Offset: b.BaseOffset, Why: err.Error(), Err: err}
}

// varint reads the zigzag number at i and returns where it ends, or -1 if there
// is none. An i of -1 gives -1 again, so that a chain of reads needs one check.
func varint(p []byte, i int) (v int64, next int) {
	if i >= 0 && i+1 < len(p) {
		// Most are one or two bytes long.
		u := uint64(p[i])
		if u < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i + 1
		}
		if w := uint64(p[i+1]); w < 0x80 {
			u = u&0x7f | w<<7
			return int64(u>>1) ^ -int64(u&1), i + 2
		}
	}
	return varintSlow(p, i)
}

func varintSlow(p []byte, i int) (v int64, next int) {
	if i < 0 || i > len(p) {
		return 0, -1
	}
	v, n := binary.Varint(p[i:])
	if n <= 0 {
		return 0, -1
	}
	return v, i + n
}

// field reads the bytes at i behind their length; a length of -1 is null.
func field(p []byte, i int) (b []byte, next int) {
	n, i := varint(p, i)
	if i < 0 || n < -1 || n > int64(len(p)-i) {
		return nil, -1
	}
	if n < 0 {
		return nil, i
	}
	end := i + int(n)
	return p[i:end:end], end
}
