package fakekafka

import (
	"encoding/binary"
	"errors"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/compress"
	"github.com/IBM/sarama/internal/record"
)

// The log has batches of version 2 alone. Message sets are converted when they
// come in, and batches when someone fetches who knows nothing newer than
// message sets, as brokers of Kafka 0.11 to 3 do with topics of that format.

// First versions that carry batches, and messages of version 1 (KIP-98, KIP-32).
const (
	produceBatches   = 3
	produceMessages1 = 2
	fetchBatches     = 4
	fetchMessages1   = 2
)

// checkSet checks a partition's messages of version 0 or 1 and makes a batch of
// them, compressed as they are. Releases before 0.11 would have kept them, so
// there the size of the batch does not count.
func (c *conn) checkSet(raw []byte, version int16, s *settings) (in incoming, err error) {
	if len(raw) == 0 {
		return in, refuse(sarama.ErrInvalidRecord, "produce requests must have at least one message per partition")
	}
	set, rest, err := record.NextSet(raw, 0)
	if err == nil && len(rest) > 0 {
		_, _, err = record.Next(rest)
	}
	if err != nil || len(rest) > 0 {
		return in, refuse(sarama.ErrInvalidMessage, "no whole message set: %v", err)
	}
	codec, magic, err := checkMessages(&set, version, s)
	if err != nil {
		return in, err
	}
	var b record.Builder
	it := set.Open(decompressedMaxBytes)
	var m record.Message
	for it.Next(&m) {
		if m.Magic != magic {
			return in, refuse(sarama.ErrInvalidRecord, "message of version %d among those of version %d", m.Magic, magic)
		}
		record.Append[record.NoHeader](&b, max(m.TimestampMs, -1), m.Key, m.Value, nil)
	}
	if err := it.Err(); err != nil {
		return in, refuse(sarama.ErrInvalidMessage, "%v", err)
	}
	if b.Count() == 0 {
		return in, refuse(sarama.ErrInvalidRecord, "a compressed message has no messages in it")
	}
	sealed, err := b.Seal(codec, compress.LevelDefault, 0)
	if err != nil {
		return in, err
	}
	record.Stamp(sealed, -1, -1, 0)
	if in.batch, _, err = record.Next(sealed); err != nil {
		return in, err
	}
	if c.cluster.opts.Version.IsAtLeast(sarama.V0_11_0_0) && len(sealed) > s.messageMaxBytes {
		return in, refuse(sarama.ErrMessageSizeTooLarge, "the record batch has %d bytes, max.message.bytes is %d", len(sealed), s.messageMaxBytes)
	}
	in.maxTimestamp = in.batch.MaxTimestampMs
	return in, nil
}

// checkMessages checks the outermost messages of a set, and returns the codec
// and the version that they have.
func checkMessages(set *record.Set, version int16, s *settings) (codec compress.Codec, magic int8, err error) {
	n := 0
	for rest := set.Raw; len(rest) > 0; n++ {
		var b record.Batch
		if b, rest, err = record.Next(rest); !errors.Is(err, record.ErrOldFormat) {
			return codec, magic, refuse(sarama.ErrInvalidMessage, "%v", err)
		}
		var m record.Message
		if err := record.ReadMessage(b.Raw, &m); err != nil {
			return codec, magic, refuse(sarama.ErrInvalidMessage, "%v", err)
		}
		if n == 0 {
			magic = m.Magic
		}
		if m.Attributes.Codec() != compress.None {
			codec = m.Attributes.Codec()
		}
		switch {
		case m.Magic != magic:
			return codec, magic, refuse(sarama.ErrInvalidRecord, "messages of versions %d and %d in one set", magic, m.Magic)
		case m.Magic > 0 && version < produceMessages1:
			return codec, magic, refuse(sarama.ErrInvalidMessage, "produce requests of version %d have messages of version 0, not %d", version, m.Magic)
		case m.Attributes.Codec() > compress.LZ4:
			return codec, magic, refuse(sarama.ErrUnsupportedCompressionType, "messages of version %d must not use codec %v", m.Magic, m.Attributes.Codec())
		case codec != compress.None && n > 0:
			return codec, magic, refuse(sarama.ErrInvalidRecord, "a compressed message must be the only one of its set")
		case len(b.Raw) > s.messageMaxBytes:
			return codec, magic, refuse(sarama.ErrMessageSizeTooLarge, "the message has %d bytes, max.message.bytes is %d", len(b.Raw), s.messageMaxBytes)
		case m.Magic > 0 && m.Attributes&record.LogAppendTime != 0 && !s.logAppendTime:
			return codec, magic, refuse(sarama.ErrInvalidTimestamp, "producers must not set the timestamp type to LogAppendTime")
		}
	}
	return codec, magic, nil
}

// downConvert writes what was read from the log anew as messages of version 0
// or 1. Those before offset are left out, unless they are in a compressed batch.
// The size is that of data, or of the first batch where that has become larger:
// what does not fit is cut off, and what is left is an overflow message, which
// clients take for one that is cut. Nothing is made of data without a whole batch.
func downConvert(data []byte, magic int8, offset int64) ([]byte, error) {
	var out []byte
	size := len(data)
	for rest := data; len(rest) > 0 && len(out) < size; {
		b, after, err := record.Next(rest)
		if err != nil {
			break // cut, as the last one may be
		}
		rest = after
		first := len(out) == 0
		if out, err = appendMessages(out, &b, magic, offset); err != nil {
			return nil, err
		}
		if first {
			size = max(size, len(out))
		}
	}
	if len(out) == 0 {
		return []byte{}, nil
	}
	if len(out) < size {
		left := size - len(out)
		overflow := binary.BigEndian.AppendUint64(nil, 1<<64-1)
		overflow = binary.BigEndian.AppendUint32(overflow, uint32(max(left+1, record.HeaderSize)))
		out = append(out, append(overflow, make([]byte, left)...)[:left]...)
	}
	return out[:size], nil
}

// appendMessages writes one batch as messages.
func appendMessages(out []byte, b *record.Batch, magic int8, offset int64) ([]byte, error) {
	if b.Control() {
		return out, nil
	}
	it, err := b.Open(decompressedMaxBytes)
	if err != nil {
		return out, err
	}
	var attributes record.Attributes
	if magic > 0 && b.LogAppendTime() {
		attributes = record.LogAppendTime
	}
	plain := b.Codec() == compress.None
	set := out
	if !plain {
		set = nil
	}
	first := int64(-1)
	var last int64
	var r record.Rec
	for it.Next(&r) {
		last = b.BaseOffset + int64(r.OffsetDelta)
		if plain && last < offset {
			continue
		}
		m := record.Message{Offset: last, Magic: magic, Attributes: attributes, TimestampMs: b.TimestampMs(&r), Key: r.Key, Value: r.Value}
		if first < 0 {
			first = last
		}
		if !plain && magic > 0 {
			m.Offset -= first
		}
		set = record.AppendMessage(set, &m)
	}
	if err := it.Err(); err != nil || plain {
		return set, err
	}
	wrapper := record.Message{Offset: last, Magic: magic, Attributes: attributes, TimestampMs: b.MaxTimestampMs}
	return record.AppendWrapper(out, &wrapper, b.Codec(), compress.LevelDefault, set)
}
