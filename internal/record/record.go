// Package record reads and writes record batches of version 2 (magic 2), the
// form that Kafka has stored since 0.11 (KIP-98), and the message sets of
// versions 0 and 1 before it. A producer's batch grows in wire form as records
// are appended; a consumer's is read in place.
//
// Nothing here is safe for use by several goroutines at once, unless it says so.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/IBM/sarama/internal/compress"
)

// HeaderSize is the size in bytes of a batch's header, which all of its records
// follow.
const HeaderSize = 61

// Where the fields of a header are.
const (
	offBaseOffset      = 0
	offLength          = 8 // of what follows the length itself
	offLeaderEpoch     = 12
	offMagic           = 16
	offCRC             = 17
	offAttributes      = 21 // the CRC covers all from here
	offLastOffsetDelta = 23
	offFirstTimestamp  = 27
	offMaxTimestamp    = 35
	offProducerID      = 43
	offProducerEpoch   = 51
	offBaseSequence    = 53
	offCount           = 57
)

// minRecordSize is the size of a record with null key and value and no header:
// length, attributes, timestamp delta, offset delta, two lengths, header count.
const minRecordSize = 7

// Attributes is the bit set of a batch.
type Attributes int16

// The bits of Attributes besides the codec's, which are the lowest three.
const (
	LogAppendTime Attributes = 0x08 // the broker's time instead of the producer's (KIP-32)
	Transactional Attributes = 0x10
	Control       Attributes = 0x20

	codecMask Attributes = 0x07
)

// Codec returns the compression codec of the batch's records.
func (a Attributes) Codec() compress.Codec { return compress.Codec(a & codecMask) }

// WithCodec returns a with the codec's bits set to c.
func (a Attributes) WithCodec(c compress.Codec) Attributes {
	return a&^codecMask | Attributes(c)&codecMask
}

// ErrCorrupt is wrapped by the error about any batch that cannot be read
// because of its bytes.
var ErrCorrupt = errors.New("corrupt record batch")

// ErrOldFormat says that an entry is a message of version 0 or 1, not a batch.
var ErrOldFormat = errors.New("message set of version 0 or 1")

// Error says what is wrong with one batch.
type Error struct {
	Offset int64  // the batch's base offset
	Why    string // what is wrong, and where in the batch
	Err    error  // ErrCorrupt, or the error met while decompressing

	message bool // of version 0 or 1, not a batch
}

func (e *Error) Error() string {
	if e.message {
		return fmt.Sprintf("message at offset %d: %s", e.Offset, e.Why)
	}
	return fmt.Sprintf("record batch at offset %d: %s", e.Offset, e.Why)
}

func (e *Error) Unwrap() error { return e.Err }

// PartialError says that the bytes end before the batch does, as they may at
// the end of a fetch response.
type PartialError struct {
	Need int // bytes that would hold the batch, or its header if that is cut; 0 when unknown
	Have int
	// Overflow says that it is no batch but what a broker fills a response up
	// with that it has converted to an older format: a message that is sure to
	// be cut. It says nothing about what follows in the log.
	Overflow bool
}

func (e *PartialError) Error() string {
	if e.Overflow {
		return fmt.Sprintf("overflow message in the last %d bytes", e.Have)
	}
	return fmt.Sprintf("partial record batch: have %d of %d bytes", e.Have, e.Need)
}

var (
	be         = binary.BigEndian
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// ControlType reads the key of a control batch's record: its version, and its
// type, 0 for an abort marker and 1 for a commit marker (KIP-98).
func ControlType(key []byte) (version, typ int16, err error) {
	if len(key) < 4 {
		return 0, 0, fmt.Errorf("%w: control record key of %d bytes, want at least 4", ErrCorrupt, len(key))
	}
	return int16(be.Uint16(key)), int16(be.Uint16(key[2:])), nil
}
