package record

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/IBM/sarama/internal/compress"
)

// Before 0.11, Kafka stored messages one behind the other, a message set. A
// compressed set is the value of one more message, the wrapper, which has no
// key. Version 0 has no time; version 1 has one in each message, and offsets
// relative to each other inside a wrapper, whose own is that of its last
// message (KIP-31, KIP-32).

// Where the fields of a message are, and what it takes besides key and value.
const (
	offMessageCRC        = 12 // CRC-32 (IEEE) of all that follows it
	offMessageAttributes = 17
	offMessageTimestamp  = 18 // version 1

	messageOverhead0 = 26
	messageOverhead1 = 34
)

// MessageOverhead is what a message of a version, 0 or 1, takes in bytes besides
// its key and value.
func MessageOverhead(magic int8) int {
	if magic == 0 {
		return messageOverhead0
	}
	return messageOverhead1
}

// Message is one message of version 0 or 1.
type Message struct {
	Offset int64
	// BlockTimestampMs is the time of the wrapper that the message came in, or
	// its own where it came in none.
	BlockTimestampMs int64
	TimestampMs      int64 // since 1970; negative for none, as always in version 0
	Magic            int8
	Attributes       Attributes // the codec of its value, and LogAppendTime in version 1
	Key, Value       []byte     // nil when null
}

// AppendMessage writes m behind dst, with its value as it is. Key and value
// together must be less than 2 GiB.
func AppendMessage(dst []byte, m *Message) []byte {
	from := len(dst)
	dst = be.AppendUint64(dst, uint64(m.Offset))
	dst = be.AppendUint32(dst, uint32(MessageOverhead(m.Magic)-offMessageCRC+len(m.Key)+len(m.Value)))
	dst = append(dst, 0, 0, 0, 0, byte(m.Magic), byte(m.Attributes))
	if m.Magic > 0 {
		dst = be.AppendUint64(dst, uint64(m.TimestampMs))
	}
	dst = appendNullable(dst, m.Key)
	dst = appendNullable(dst, m.Value)
	sumMessage(dst[from:])
	return dst
}

// AppendWrapper compresses a set behind dst, into one message like m, whose key
// and value are not looked at. Its codec's bits are set from codec, of which
// compress.Zstd is refused: it needs batches.
func AppendWrapper(dst []byte, m *Message, codec compress.Codec, level int, set []byte) ([]byte, error) {
	from := len(dst)
	if codec == compress.Zstd {
		return dst, fmt.Errorf("zstd needs record batches, messages of version %d cannot have it", m.Magic)
	}
	wrapper := *m
	wrapper.Key, wrapper.Value = nil, []byte{}
	wrapper.Attributes = m.Attributes.WithCodec(codec)
	packed, err := compress.Append(AppendMessage(dst, &wrapper), codecOf(codec, m.Magic), level, set)
	if err != nil {
		return dst, err
	}
	p := packed[from:]
	if len(p) > math.MaxInt32 {
		return dst, fmt.Errorf("message set of %d bytes is larger than the format can hold", len(p))
	}
	at := MessageOverhead(m.Magic)
	be.PutUint32(p[offLength:], uint32(len(p)-offMessageCRC))
	be.PutUint32(p[at-4:], uint32(len(p)-at))
	sumMessage(p)
	return packed, nil
}

// codecOf is how a codec's bits are to be read in a version of messages.
func codecOf(codec compress.Codec, magic int8) compress.Codec {
	if codec == compress.LZ4 && magic == 0 {
		return compress.LZ4Magic0
	}
	return codec
}

// sumMessage writes the checksum into a message.
func sumMessage(p []byte) {
	be.PutUint32(p[offMessageCRC:], crc32.ChecksumIEEE(p[offMagic:]))
}

func appendNullable(dst, field []byte) []byte {
	if field == nil {
		return be.AppendUint32(dst, math.MaxUint32)
	}
	return append(be.AppendUint32(dst, uint32(len(field))), field...)
}

// ReadMessage reads the message of version 0 or 1 that raw consists of: Raw of
// what Next has found. A compressed one is not opened.
func ReadMessage(raw []byte, m *Message) error {
	if err := readMessage(raw, m); err != nil {
		return err
	}
	return nil
}

func readMessage(raw []byte, m *Message) *Error {
	m.Offset = int64(be.Uint64(raw))
	m.Magic = int8(raw[offMagic])
	m.Attributes = Attributes(raw[offMessageAttributes])
	if want, got := be.Uint32(raw[offMessageCRC:]), crc32.ChecksumIEEE(raw[offMagic:]); want != got {
		return m.corrupt("CRC didn't match expected 0x%x got 0x%x", want, got)
	}
	at := offMessageTimestamp
	m.TimestampMs = -1
	if m.Magic > 0 {
		if len(raw) < messageOverhead1 {
			return m.corrupt("%d bytes, the least of version 1 is %d", len(raw), messageOverhead1)
		}
		m.TimestampMs = int64(be.Uint64(raw[at:]))
		at += 8
	}
	m.BlockTimestampMs = m.TimestampMs
	var ok bool
	if m.Key, at, ok = nullable(raw, at); !ok {
		return m.corrupt("key does not fit into %d bytes", len(raw))
	}
	if m.Value, at, ok = nullable(raw, at); !ok {
		return m.corrupt("value does not fit into %d bytes", len(raw))
	}
	if at != len(raw) {
		return m.corrupt("%d bytes after the value", len(raw)-at)
	}
	return nil
}

// nullable reads the bytes at i behind their length; a length of -1 is null.
func nullable(p []byte, i int) (field []byte, next int, ok bool) {
	if len(p)-i < 4 {
		return nil, i, false
	}
	n := int64(int32(be.Uint32(p[i:])))
	i += 4
	if n < -1 || n > int64(len(p)-i) {
		return nil, i, false
	}
	if n < 0 {
		return nil, i, true
	}
	end := i + int(n)
	return p[i:end:end], end, true
}

// Decompress returns what is in a compressed message, in at most limit bytes (0
// or less: any number). The error is an *Error that wraps ErrCorrupt or, when it
// holds too much, compress.ErrTooLarge.
func Decompress(m *Message, limit int) ([]byte, error) {
	codec := m.Attributes.Codec()
	switch {
	case m.Value == nil:
		return nil, m.corrupt("compressed message without value")
	case codec > compress.LZ4:
		return nil, m.corrupt("codec %v in a message of version %d", codec, m.Magic)
	}
	set, err := compress.Decompress(codecOf(codec, m.Magic), m.Value, limit)
	if errors.Is(err, compress.ErrTooLarge) {
		return nil, &Error{Offset: m.Offset, Why: err.Error(), Err: err, message: true}
	}
	if err != nil {
		return nil, &Error{Offset: m.Offset, Why: err.Error(), Err: fmt.Errorf("%w: %w", ErrCorrupt, err), message: true}
	}
	return set, nil
}

func (m *Message) corrupt(format string, args ...any) *Error {
	return &Error{Offset: m.Offset, Why: fmt.Sprintf(format, args...), Err: ErrCorrupt, message: true}
}
