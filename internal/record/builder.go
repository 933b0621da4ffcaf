package record

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/IBM/sarama/internal/compress"
)

// ErrNoRecords is what Seal says of a builder without records.
var ErrNoRecords = errors.New("record batch without records")

// Builder is one partition's open batch, in wire form from the first record on.
// The zero value is ready for use, and makes record batches; see SetMagic for
// message sets.
type Builder struct {
	older    int8   // how many versions before 2 the format is
	raw      []byte // header and records; the header is filled in by Seal
	packed   []byte // the same, compressed; only after a Seal with a codec
	count    int32
	firstMs  int64 // timestamp of the first record, which the others' are relative to
	latestMs int64 // greatest timestamp
}

// kv is the shape of a record header.
type kv = struct{ Key, Value []byte }

// NoHeader is a type of headers for records that have none.
type NoHeader = kv

// Reset empties b and keeps its memory and its format. What Seal returned is no
// longer valid.
func (b *Builder) Reset() {
	b.raw, b.packed, b.count = b.raw[:0], b.packed[:0], 0
}

// SetMagic says in which format an empty b is to write: 2, a record batch, or
// the message sets of version 1 or 0.
func (b *Builder) SetMagic(magic int8) { b.older = 2 - magic }

// Magic is the format's version.
func (b *Builder) Magic() int8 { return 2 - b.older }

// Len returns the size of the batch in bytes, uncompressed, with its header.
func (b *Builder) Len() int {
	if b.older != 0 {
		return len(b.raw)
	}
	return max(len(b.raw), HeaderSize)
}

// Count returns the number of records.
func (b *Builder) Count() int32 { return b.count }

// Cap returns the bytes of memory that b holds on to.
func (b *Builder) Cap() int { return cap(b.raw) + cap(b.packed) }

// Bytes returns the bytes of s without copying them. They must not be written
// to. Unlike a nil slice, those of an empty string stand for an empty value,
// not for null.
func Bytes[S ~string](s S) []byte {
	if len(s) == 0 {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(string(s)), len(s))
}

// Append adds a record to b. A nil key or value is null; a nil key or value of
// a header is an empty key, as the format has no null there, and a null value.
// All bytes are copied. Timestamps may go backwards. A message set has no
// headers: they are dropped; and one of version 0 no times.
func Append[H ~struct{ Key, Value []byte }](b *Builder, timestampMs int64, key, value []byte, headers []H) {
	if b.older != 0 {
		b.addMessage(timestampMs, key, value)
		return
	}
	size := 0
	if len(headers) != 0 {
		size = headersSize(headers)
	}
	p := b.add(timestampMs, key, value, len(headers), size)
	for i := range headers {
		h := kv(headers[i])
		n := putVarint(p, 0, int64(len(h.Key)))
		n += copy(p[n:], h.Key)
		p = p[putField(p, n, h.Value):]
	}
}

// RecordSize returns how many bytes Append would add to b for a record of this
// kind. keyLen and valueLen are lengths in bytes, or -1 for null.
func RecordSize[H ~struct{ Key, Value []byte }](b *Builder, timestampMs int64, keyLen, valueLen int, headers []H) int {
	if b.older != 0 {
		return MessageOverhead(b.Magic()) + max(keyLen, 0) + max(valueLen, 0)
	}
	delta := int64(0)
	if b.count > 0 {
		delta = timestampMs - b.firstMs
	}
	body := 1 + varintLen(delta) + varintLen(int64(b.count)) + fieldLen(keyLen) + fieldLen(valueLen) +
		varintLen(int64(len(headers))) + headersSize(headers)
	return varintLen(int64(body)) + body
}

func headersSize[H ~struct{ Key, Value []byte }](headers []H) int {
	n := 0
	for i := range headers {
		h := kv(headers[i])
		n += fieldLen(len(h.Key)) + fieldLen(lenOrNull(h.Value))
	}
	return n
}

// add appends a record but for its headers, and returns the headersLen bytes
// that are left for those.
func (b *Builder) add(timestampMs int64, key, value []byte, headers, headersLen int) []byte {
	at := len(b.raw)
	if b.count == 0 {
		at = HeaderSize
		b.raw = slices.Grow(b.raw[:0], HeaderSize)
		b.firstMs, b.latestMs = timestampMs, timestampMs
	}
	b.latestMs = max(b.latestMs, timestampMs)
	delta, offset := timestampMs-b.firstMs, int64(b.count)
	body := 1 + varintLen(delta) + varintLen(offset) + fieldLen(lenOrNull(key)) + fieldLen(lenOrNull(value)) +
		varintLen(int64(headers)) + headersLen
	end := at + varintLen(int64(body)) + body
	if end > cap(b.raw) {
		b.raw = slices.Grow(b.raw[:at], max(end-at, at))
	}
	b.raw = b.raw[:end]
	p := b.raw[at:end]
	i := putVarint(p, 0, int64(body))
	p[i] = 0 // attributes: none are defined
	i = putVarint(p, i+1, delta)
	i = putVarint(p, i, offset)
	i = putField(p, i, key)
	i = putField(p, i, value)
	i = putVarint(p, i, int64(headers))
	b.count++
	return p[i:]
}

// Seal returns the batch with everything in it that will not change any more:
// all but what Stamp fills in, without which it is not valid. The records are
// compressed if codec asks for it, at a level as in compress.Append. attributes
// may say Transactional or Control; the codec's bits are set from codec.
//
// Of a message set nothing is left to Stamp, and attributes are not looked at:
// it has none. Where it is compressed, its messages are numbered, and the
// wrapper is made.
//
// The bytes belong to b until Reset. After further Appends it can be sealed
// again, which overwrites what it returned before.
func (b *Builder) Seal(codec compress.Codec, level int, attributes Attributes) ([]byte, error) {
	if b.count == 0 {
		return nil, ErrNoRecords
	}
	if b.older != 0 {
		return b.sealSet(codec, level)
	}
	p := b.raw
	if codec != compress.None {
		var err error
		packed := slices.Grow(b.packed[:0], HeaderSize)[:HeaderSize]
		if packed, err = compress.Append(packed, codec, level, b.raw[HeaderSize:]); err != nil {
			return nil, err
		}
		b.packed, p = packed, packed
	}
	if len(p)-offLeaderEpoch > math.MaxInt32 {
		return nil, fmt.Errorf("record batch of %d bytes is larger than the format can hold", len(p))
	}
	clear(p[:offMagic]) // base offset and leader epoch are the broker's to fill in
	be.PutUint32(p[offLength:], uint32(len(p)-offLeaderEpoch))
	p[offMagic] = 2
	be.PutUint32(p[offCRC:], 0)
	be.PutUint16(p[offAttributes:], uint16(attributes.WithCodec(codec)))
	be.PutUint32(p[offLastOffsetDelta:], uint32(b.count-1))
	be.PutUint64(p[offFirstTimestamp:], uint64(b.firstMs))
	be.PutUint64(p[offMaxTimestamp:], uint64(b.latestMs))
	be.PutUint32(p[offCount:], uint32(b.count))
	return p, nil
}

// Each calls visit for each record appended so far, in order, sealed or not.
// The record is valid during the call.
func (b *Builder) Each(visit func(i int, timestampMs int64, r *Rec)) {
	if b.older != 0 {
		b.eachMessage(visit)
		return
	}
	if b.count == 0 {
		return
	}
	it := Iterator{rest: b.raw[HeaderSize:], left: b.count}
	var r Rec
	for i := 0; it.Next(&r); i++ {
		visit(i, b.firstMs+r.TimestampDelta, &r)
	}
	if it.Err() != nil {
		panic("kafka: reading an open batch: " + it.Err().Error()) // Append wrote it
	}
}

// Stamp writes producer id, epoch and first sequence number into a sealed batch
// and computes its checksum. A producer that is not idempotent stamps -1, -1
// and 0. It may be done again, with other numbers, for another attempt.
func Stamp(batch []byte, producerID int64, producerEpoch int16, firstSequence int32) {
	be.PutUint64(batch[offProducerID:], uint64(producerID))
	be.PutUint16(batch[offProducerEpoch:], uint16(producerEpoch))
	be.PutUint32(batch[offBaseSequence:], uint32(firstSequence))
	be.PutUint32(batch[offCRC:], crc32.Checksum(batch[offAttributes:], castagnoli))
}

// lenOrNull is the length that a field has on the wire, -1 for null.
func lenOrNull(p []byte) int {
	if p == nil {
		return -1
	}
	return len(p)
}

// fieldLen is the size of a field of n bytes, or of a null one if n is -1.
func fieldLen(n int) int {
	if n < 0 {
		return 1
	}
	return varintLen(int64(n)) + n
}

// varintLen is the size of v in zigzag encoding, 7 bits to a byte.
func varintLen(v int64) int {
	return (bits.Len64(uint64(v<<1)^uint64(v>>63)|1) + 6) / 7
}

// putVarint writes v to p at i and returns where it ends.
func putVarint(p []byte, i int, v int64) int {
	u := uint64(v<<1) ^ uint64(v>>63)
	for u >= 0x80 {
		p[i] = byte(u) | 0x80
		u >>= 7
		i++
	}
	p[i] = byte(u)
	return i + 1
}

func putField(p []byte, i int, field []byte) int {
	if field == nil {
		p[i] = 1 // -1 in zigzag
		return i + 1
	}
	i = putVarint(p, i, int64(len(field)))
	return i + copy(p[i:], field)
}
