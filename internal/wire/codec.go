// Package wire holds Kafka's primitive wire types and the Codec that walks a
// message's layout in either direction.
//
// A message describes its layout once, in one method, field by field and in
// wire order. A Codec made for writing appends those fields, one made for
// reading fills them. Errors stick: the first one stops all that follows, so a
// layout has no error handling of its own. Compact lengths and tag buffers
// (KIP-482) are the Codec's business, never a layout's.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrInsufficientData means that the bytes ended before the layout did.
var ErrInsufficientData = errors.New("kafka: insufficient data to decode packet, more bytes expected")

// Invalid is what a Codec found wrong with a value, in either direction.
type Invalid struct{ Info string }

func (e *Invalid) Error() string { return "kafka: " + e.Info }

// Codec writes or reads one message. It is used by one goroutine at a time,
// and may be used again after Reset.
type Codec struct {
	Version int16 // API version of the message in hand

	writing  bool
	flexible bool // compact lengths and tag buffers (KIP-482)
	tagged   bool // the struct in hand has laid out its own tag buffer

	buf     []byte   // writing: the bytes so far; reading: the bytes still unread
	size    int      // reading: length of the whole frame, for error positions
	splices []splice // writing: bytes that go out from where they are
	spliced int      // writing: how many bytes the splices add

	ints []int32 // reading: memory from which short slices are cut
	err  error
	at   any // pointer to the field at which err arose
	pos  int // byte position at which err arose
}

// splice is a run of bytes that belongs behind the first at bytes of buf.
type splice struct {
	at    int
	bytes []byte
}

// Writer makes c write a message at the given version after dst.
func (c *Codec) Writer(dst []byte, version int16, flexible bool) {
	*c = Codec{Version: version, writing: true, flexible: flexible, buf: dst, splices: c.splices[:0]}
}

// Reader makes c read a message of the given version from src.
func (c *Codec) Reader(src []byte, version int16, flexible bool) {
	*c = Codec{Version: version, flexible: flexible, buf: src, size: len(src), splices: c.splices[:0]}
}

// Writing reports whether c writes.
func (c *Codec) Writing() bool { return c.writing }

// Flexible reports whether the version in hand has compact lengths and tags.
func (c *Codec) Flexible() bool { return c.flexible }

// From reports whether the version in hand is at least v.
func (c *Codec) From(v int16) bool { return c.Version >= v }

// Between reports whether the version in hand is lo, hi or one between.
func (c *Codec) Between(lo, hi int16) bool { return c.Version >= lo && c.Version <= hi }

// Err is the first error, or nil.
func (c *Codec) Err() error { return c.err }

// At tells where the first error arose: a pointer to the field in hand (nil
// when it is not part of the message) and the byte position.
func (c *Codec) At() (field any, pos int) { return c.at, c.pos }

// Left is how many bytes are still unread.
func (c *Codec) Left() int { return len(c.buf) }

// Rest returns all bytes still unread and uses them up.
func (c *Codec) Rest() []byte { return c.next(len(c.buf), nil) }

// Bytes written so far, without the spliced ones.
func (c *Codec) Written() []byte { return c.buf }

// Len is the number of bytes written so far, spliced ones included.
func (c *Codec) Len() int { return len(c.buf) + c.spliced }

// Fail records err unless there is one already; field points to what was wrong.
func (c *Codec) Fail(field any, err error) {
	if c.err != nil {
		return
	}
	c.err, c.at = err, field
	if c.writing {
		c.pos = c.Len()
	} else {
		c.pos, c.buf = c.size-len(c.buf), nil
	}
}

// Invalid fails with a text that says what is wrong with the field.
func (c *Codec) Invalid(field any, format string, args ...any) {
	if c.err == nil {
		c.Fail(field, &Invalid{fmt.Sprintf(format, args...)})
	}
}

// next returns the next n unread bytes; at the end of the frame it fails and
// returns nil.
func (c *Codec) next(n int, field any) []byte {
	if uint(n) > uint(len(c.buf)) {
		c.Fail(field, ErrInsufficientData)
		return nil
	}
	b := c.buf[:n:n]
	c.buf = c.buf[n:]
	return b
}

// Int8 lays out one byte, signed.
func (c *Codec) Int8(p *int8) {
	if c.writing {
		c.buf = append(c.buf, byte(*p))
	} else if b := c.next(1, p); b != nil {
		*p = int8(b[0])
	}
}

// Bool lays out one byte; any but zero is true.
func (c *Codec) Bool(p *bool) {
	if c.writing {
		var b byte
		if *p {
			b = 1
		}
		c.buf = append(c.buf, b)
	} else if b := c.next(1, p); b != nil {
		*p = b[0] != 0
	}
}

// Int16 lays out two bytes.
func (c *Codec) Int16(p *int16) {
	if c.writing {
		c.buf = binary.BigEndian.AppendUint16(c.buf, uint16(*p))
	} else if b := c.next(2, p); b != nil {
		*p = int16(binary.BigEndian.Uint16(b))
	}
}

// Int32 lays out four bytes.
func (c *Codec) Int32(p *int32) {
	if c.writing {
		c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(*p))
	} else if b := c.next(4, p); b != nil {
		*p = int32(binary.BigEndian.Uint32(b))
	}
}

// Int64 lays out eight bytes.
func (c *Codec) Int64(p *int64) {
	if c.writing {
		c.buf = binary.BigEndian.AppendUint64(c.buf, uint64(*p))
	} else if b := c.next(8, p); b != nil {
		*p = int64(binary.BigEndian.Uint64(b))
	}
}

// Float64 lays out eight bytes, IEEE 754.
func (c *Codec) Float64(p *float64) {
	v := int64(math.Float64bits(*p))
	if c.Int64(&v); !c.writing {
		*p = math.Float64frombits(uint64(v))
	}
}

// Millis lays out a duration as int32 milliseconds.
func (c *Codec) Millis(p *time.Duration) {
	ms := *p / time.Millisecond
	if c.writing && ms != time.Duration(int32(ms)) {
		c.Invalid(p, "duration %v does not fit in 32 bits of milliseconds", *p)
	}
	v := int32(ms)
	if c.Int32(&v); !c.writing {
		*p = time.Duration(v) * time.Millisecond
	}
}

// UUID lays out sixteen bytes (KIP-516).
func (c *Codec) UUID(p *[16]byte) {
	if c.writing {
		c.buf = append(c.buf, p[:]...)
	} else {
		copy(p[:], c.next(16, p))
	}
}

func (c *Codec) putUvarint(n uint64) { c.buf = binary.AppendUvarint(c.buf, n) }

func (c *Codec) uvarint(field any) uint64 {
	if len(c.buf) > 0 && c.buf[0] < 0x80 { // almost always one byte
		n := uint64(c.buf[0])
		c.buf = c.buf[1:]
		return n
	}
	n, w := binary.Uvarint(c.buf)
	if w == 0 {
		c.Fail(field, ErrInsufficientData)
		return 0
	}
	if w < 0 || n > math.MaxUint32 {
		c.Invalid(field, "invalid varint")
		return 0
	}
	c.buf = c.buf[w:]
	return n
}

// putLength writes the length before a collection or bytes: -1 is null.
func (c *Codec) putLength(n int) {
	if c.flexible {
		c.putUvarint(uint64(n + 1))
		return
	}
	c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(int32(n)))
}

// length reads what putLength writes.
func (c *Codec) length(field any) int {
	if c.flexible {
		return int(c.uvarint(field)) - 1
	}
	b := c.next(4, field)
	if b == nil {
		return 0
	}
	n := int(int32(binary.BigEndian.Uint32(b)))
	if n < -1 {
		c.Invalid(field, "invalid array length")
		return 0
	}
	return n
}

// count is length for a collection: each element takes at least one byte, so
// that no count above the bytes left can be right.
func (c *Codec) count(field any) int {
	n := c.length(field)
	if n > len(c.buf) {
		if c.err == nil {
			c.Invalid(field, "invalid array length %d with %d bytes left", n, len(c.buf))
		}
		return 0
	}
	return n
}

// putString writes a string's length and bytes. Lengths had two bytes before
// KIP-482.
func (c *Codec) putString(field any, s string) {
	switch {
	case c.flexible:
		c.putUvarint(uint64(len(s) + 1))
	case len(s) > math.MaxInt16:
		c.Invalid(field, "string of %d bytes is longer than %d", len(s), math.MaxInt16)
		return
	default:
		c.buf = binary.BigEndian.AppendUint16(c.buf, uint16(len(s)))
	}
	c.buf = append(c.buf, s...)
}

func (c *Codec) putNullString() {
	if c.flexible {
		c.buf = append(c.buf, 0)
	} else {
		c.buf = append(c.buf, 0xff, 0xff)
	}
}

// stringBytes reads a string in place; ok is false for null.
func (c *Codec) stringBytes(field any) (b []byte, ok bool) {
	n := 0
	if c.flexible {
		n = int(c.uvarint(field)) - 1
	} else if b := c.next(2, field); b != nil {
		n = int(int16(binary.BigEndian.Uint16(b)))
	}
	if c.err != nil || n == -1 {
		return nil, false
	}
	if n < -1 {
		c.Invalid(field, "invalid string length")
		return nil, false
	}
	return c.next(n, field), true
}

// String lays out a string; a null is read as an empty one.
func (c *Codec) String(p *string) {
	if c.writing {
		c.putString(p, *p)
	} else {
		b, _ := c.stringBytes(p)
		*p = string(b)
	}
}

// NullableString lays out a string whose nil is null.
func (c *Codec) NullableString(p **string) {
	switch {
	case !c.writing:
		*p = nil
		if b, ok := c.stringBytes(p); ok {
			s := string(b)
			*p = &s
		}
	case *p == nil:
		c.putNullString()
	default:
		c.putString(p, **p)
	}
}

// StringOrNull lays out a string whose empty value is null on the wire.
func (c *Codec) StringOrNull(p *string) {
	if c.writing && *p == "" {
		c.putNullString()
		return
	}
	c.String(p)
}

// LegacyString lays out a nullable string with a two-byte length in every
// version: the client id of a request header is the one such field.
func (c *Codec) LegacyString(p *string) {
	flexible := c.flexible
	c.flexible = false
	c.String(p)
	c.flexible = flexible
}

// Bytes lays out bytes whose nil is null. They are read in place: they share
// the frame's memory.
func (c *Codec) Bytes(p *[]byte) {
	if c.writing {
		c.putBytesLength(*p)
		c.buf = append(c.buf, *p...)
		return
	}
	*p = nil
	if n := c.length(p); n >= 0 {
		*p = c.next(n, p)
	}
}

func (c *Codec) putBytesLength(b []byte) {
	if b == nil {
		c.putLength(-1)
	} else {
		c.putLength(len(b))
	}
}

// Splice is Bytes for what is large: written, the bytes are not copied but go
// out from where they are, so they must not change until then.
func (c *Codec) Splice(p *[]byte) {
	if !c.writing {
		c.Bytes(p)
		return
	}
	c.putBytesLength(*p)
	if len(*p) > 0 {
		c.splices = append(c.splices, splice{len(c.buf), *p})
		c.spliced += len(*p)
	}
}

// Chunks appends the message written, in order and without copying, to dst.
func (c *Codec) Chunks(dst [][]byte) [][]byte {
	from := 0
	for _, s := range c.splices {
		dst = append(dst, c.buf[from:s.at], s.bytes)
		from = s.at
	}
	if from < len(c.buf) {
		dst = append(dst, c.buf[from:])
	}
	return dst
}

// Bytes of the message written, in one piece, behind dst.
func (c *Codec) Append(dst []byte) []byte {
	from := 0
	for _, s := range c.splices {
		dst = append(append(dst, c.buf[from:s.at]...), s.bytes...)
		from = s.at
	}
	return append(dst, c.buf[from:]...)
}
