package record

import (
	"fmt"
	"hash/crc32"

	"github.com/IBM/sarama/internal/compress"
)

// Batch is one record batch as it was received, its records not yet read. All
// slices are parts of the bytes given to Next.
type Batch struct {
	BaseOffset           int64
	PartitionLeaderEpoch int32
	Magic                int8
	CRC                  uint32
	Attributes           Attributes
	LastOffsetDelta      int32
	FirstTimestampMs     int64
	MaxTimestampMs       int64
	ProducerID           int64
	ProducerEpoch        int16
	BaseSequence         int32
	Count                int32  // of records, as the header says
	Raw                  []byte // the whole batch
	Records              []byte // what follows the header, maybe compressed
}

// Codec returns the codec that the records are compressed with.
func (b *Batch) Codec() compress.Codec { return b.Attributes.Codec() }

// LogAppendTime says whether the records' time is the broker's, MaxTimestampMs.
func (b *Batch) LogAppendTime() bool { return b.Attributes&LogAppendTime != 0 }

// Transactional says whether the batch is part of a transaction.
func (b *Batch) Transactional() bool { return b.Attributes&Transactional != 0 }

// Control says whether the batch holds a transaction's marker, not user records.
func (b *Batch) Control() bool { return b.Attributes&Control != 0 }

// LastOffset returns the offset of the batch's last record, which may have been
// removed by compaction since.
func (b *Batch) LastOffset() int64 { return b.BaseOffset + int64(b.LastOffsetDelta) }

// Next splits the first batch off a partition's records. It reads the header
// alone and does not check the CRC.
//
// The end of the bytes within a batch is a *PartialError that says how many
// bytes would do; no bytes at all are one, too, so callers stop when rest is
// empty. For a message of version 0 or 1 the error is ErrOldFormat, with Magic,
// BaseOffset and Raw set: rest is then what follows that message. Everything
// else is an *Error that wraps ErrCorrupt, and rest is empty.
func Next(raw []byte) (b Batch, rest []byte, err error) {
	if len(raw) < offMagic+1 {
		overflow := len(raw) >= 8 && int64(be.Uint64(raw)) == -1
		return b, nil, &PartialError{Need: partialNeed(raw), Have: len(raw), Overflow: overflow}
	}
	b.BaseOffset = int64(be.Uint64(raw))
	b.Magic = int8(raw[offMagic])
	length := int32(be.Uint32(raw[offLength:]))
	least := int32(HeaderSize - offLeaderEpoch)
	switch {
	case b.Magic < 0 || b.Magic > 2:
		return b, nil, b.corrupt("unknown magic byte (%d)", b.Magic)
	case b.Magic < 2:
		least = 14 // CRC, magic, attributes, two lengths
	}
	if length < least {
		return b, nil, b.corrupt("length of %d bytes, the least is %d", length, least)
	}
	size := int64(length) + offLeaderEpoch
	if size > int64(len(raw)) && b.BaseOffset == -1 && b.Magic < 2 {
		return b, nil, &PartialError{Have: len(raw), Overflow: true}
	}
	if size > int64(len(raw)) {
		return b, nil, &PartialError{Need: int(min(size, maxInt)), Have: len(raw)}
	}
	b.Raw = raw[:size:size]
	rest = raw[size:]
	if b.Magic < 2 {
		return b, rest, ErrOldFormat
	}
	b.Records = b.Raw[HeaderSize:]
	b.PartitionLeaderEpoch = int32(be.Uint32(raw[offLeaderEpoch:]))
	b.CRC = be.Uint32(raw[offCRC:])
	b.Attributes = Attributes(be.Uint16(raw[offAttributes:]))
	b.LastOffsetDelta = int32(be.Uint32(raw[offLastOffsetDelta:]))
	b.FirstTimestampMs = int64(be.Uint64(raw[offFirstTimestamp:]))
	b.MaxTimestampMs = int64(be.Uint64(raw[offMaxTimestamp:]))
	b.ProducerID = int64(be.Uint64(raw[offProducerID:]))
	b.ProducerEpoch = int16(be.Uint16(raw[offProducerEpoch:]))
	b.BaseSequence = int32(be.Uint32(raw[offBaseSequence:]))
	b.Count = int32(be.Uint32(raw[offCount:]))
	if b.Count < 0 {
		return b, nil, b.corrupt("count of %d records", b.Count)
	}
	if b.LastOffsetDelta < 0 {
		return b, nil, b.corrupt("last offset delta of %d", b.LastOffsetDelta)
	}
	return b, rest, nil
}

const maxInt = int64(^uint(0) >> 1)

// partialNeed is the size of an entry cut before its magic, or enough to know it
// if the length is cut, too.
func partialNeed(raw []byte) int {
	if len(raw) < offLeaderEpoch {
		return HeaderSize
	}
	if int64(be.Uint64(raw)) == -1 {
		return 0
	}
	size := int64(int32(be.Uint32(raw[offLength:]))) + offLeaderEpoch
	return int(min(max(size, offMagic+1), maxInt))
}

func (b *Batch) corrupt(format string, args ...any) *Error {
	return &Error{Offset: b.BaseOffset, Why: fmt.Sprintf(format, args...), Err: ErrCorrupt}
}

// CheckCRC compares the batch's checksum (CRC-32C) to its bytes. The error is an
// *Error that wraps ErrCorrupt.
func (b *Batch) CheckCRC() error {
	if got := crc32.Checksum(b.Raw[offAttributes:], castagnoli); got != b.CRC {
		return b.corrupt("CRC didn't match expected 0x%x got 0x%x", b.CRC, got)
	}
	return nil
}

// TimestampMs returns the time of a record of the batch, in milliseconds since
// 1970.
func (b *Batch) TimestampMs(r *Rec) int64 {
	if b.LogAppendTime() {
		return b.MaxTimestampMs
	}
	return b.FirstTimestampMs + r.TimestampDelta
}

// Open starts reading the records, decompressed if need be to at most limit
// bytes (0 or less: any size; see compress.Decompress). The Count in the header
// is checked against the size of the records, so that a caller may allocate
// for Count records at once. Errors are an *Error, of which too large a batch
// wraps compress.ErrTooLarge and all else ErrCorrupt.
func (b *Batch) Open(limit int) (Iterator, error) {
	it := Iterator{rest: b.Records, left: b.Count, offset: b.BaseOffset}
	// A batch that compaction has emptied has no compressed stream either.
	if codec := b.Codec(); codec != compress.None && (b.Count > 0 || len(b.Records) > 0) {
		p, err := compress.Decompress(codec, b.Records, limit)
		if err != nil {
			return Iterator{}, b.decompressError(err)
		}
		it.rest = p
	}
	if int64(b.Count)*minRecordSize > int64(len(it.rest)) {
		return Iterator{}, b.corrupt("%d records cannot be in %d bytes", b.Count, len(it.rest))
	}
	it.size = len(it.rest)
	return it, nil
}
