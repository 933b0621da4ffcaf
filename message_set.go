package sarama

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/IBM/sarama/internal/compress"
	"github.com/IBM/sarama/internal/record"
)

// The types below show the message sets of brokers before 0.11 as values, for
// direct users of Broker and for tests.

// Message is one message of version 0 or 1, the forms that Kafka stored before
// 0.11.
type Message struct {
	// Codec that Value is compressed with on the wire.
	Codec CompressionCodec
	// CompressionLevel as in Config.Producer; used when writing.
	CompressionLevel int
	// LogAppendTime says that Timestamp is the broker's; version 1.
	LogAppendTime bool
	Key           []byte
	// Value, not compressed; of a message with a Codec, the wire form of the
	// messages in it.
	Value []byte
	// Set has the messages that were in a compressed message. A message that is
	// to be written may have it in place of Value.
	Set *MessageSet
	// Version of the format, 0 or 1.
	Version int8
	// Timestamp of version 1; zero for none.
	Timestamp time.Time
}

// MessageBlock is a message and its offset: in the log or, in a compressed
// message of version 1, relative to the others there (KIP-31).
type MessageBlock struct {
	Offset int64
	Msg    *Message
}

// Messages are those in a compressed message, or else the message itself.
func (b *MessageBlock) Messages() []*MessageBlock {
	if b.Msg != nil && b.Msg.Set != nil {
		return b.Msg.Set.Messages
	}
	return []*MessageBlock{b}
}

// MessageSet is messages one behind the other.
type MessageSet struct {
	// PartialTrailingMessage says that the bytes read ended within a message.
	PartialTrailingMessage bool
	// OverflowMessage says that the set ends in what a broker fills a response
	// up with that it has converted from a newer format.
	OverflowMessage bool
	Messages        []*MessageBlock
}

// append writes the set behind dst.
func (s *MessageSet) append(dst []byte, depth int) (_ []byte, err error) {
	if depth > record.SetDepthMax {
		return dst, PacketEncodingError{fmt.Sprintf("message sets nested deeper than %d", record.SetDepthMax)}
	}
	for i, b := range s.Messages {
		if b == nil || b.Msg == nil {
			return dst, PacketEncodingError{fmt.Sprintf("message %d of the set is nil", i)}
		}
		if dst, err = b.append(dst, depth); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (b *MessageBlock) append(dst []byte, depth int) ([]byte, error) {
	m := b.Msg
	raw := record.Message{Offset: b.Offset, Magic: m.Version, Key: m.Key, Value: m.Value}
	if m.Version < 0 || m.Version > 1 {
		return dst, PacketEncodingError{fmt.Sprintf("unsupported message version (%d)", m.Version)}
	}
	if m.Codec < CompressionNone || m.Codec > CompressionZSTD {
		return dst, PacketEncodingError{fmt.Sprintf("unsupported compression codec (%d)", m.Codec)}
	}
	if m.Version > 0 {
		raw.TimestampMs = milliOf(m.Timestamp)
		if raw.TimestampMs < 0 && !m.Timestamp.IsZero() {
			return dst, PacketEncodingError{fmt.Sprintf("invalid timestamp (%v)", m.Timestamp)}
		}
		if m.LogAppendTime {
			raw.Attributes |= record.LogAppendTime
		}
	}
	if m.Codec == CompressionNone {
		if len(m.Key)+len(m.Value) > math.MaxInt32-record.MessageOverhead(1) {
			return dst, PacketEncodingError{fmt.Sprintf("message of %d bytes is too large", len(m.Key)+len(m.Value))}
		}
		return record.AppendMessage(dst, &raw), nil
	}
	set := m.Value
	if set == nil {
		if m.Set == nil {
			return dst, PacketEncodingError{"compressed message without value"}
		}
		var err error
		if set, err = m.Set.append(nil, depth+1); err != nil {
			return dst, err
		}
	}
	dst, err := record.AppendWrapper(dst, &raw, compress.Codec(m.Codec), m.CompressionLevel, set)
	if err != nil {
		return dst, PacketEncodingError{err.Error()}
	}
	return dst, nil
}

// messageSetReader makes values of message sets.
type messageSetReader struct {
	limit  int // of bytes in a compressed message, 0 for none
	budget int // what the present one has left of it
}

// read shows the messages that raw begins with; rest is a batch, or
// nothing. The set says whether the bytes end within it.
func (r *messageSetReader) read(raw []byte, depth int) (s *MessageSet, rest []byte, err error) {
	s = new(MessageSet)
	for len(raw) > 0 {
		b, rest, err := record.Next(raw)
		if partial := (*record.PartialError)(nil); errors.As(err, &partial) {
			s.OverflowMessage, s.PartialTrailingMessage = partial.Overflow, !partial.Overflow
			return s, nil, nil
		}
		if err == nil { // a batch
			return s, raw, nil
		}
		if !errors.Is(err, record.ErrOldFormat) {
			return nil, nil, PacketDecodingError{err.Error()}
		}
		if depth == 0 {
			r.budget = r.limit
		}
		m, err := r.message(b.Raw, depth)
		if err != nil {
			return nil, nil, err
		}
		s.Messages = append(s.Messages, &MessageBlock{Offset: b.BaseOffset, Msg: m})
		raw = rest
	}
	return s, nil, nil
}

func (r *messageSetReader) message(raw []byte, depth int) (*Message, error) {
	var src record.Message
	if err := record.ReadMessage(raw, &src); err != nil {
		return nil, PacketDecodingError{err.Error()}
	}
	m := &Message{
		Codec: CompressionCodec(src.Attributes.Codec()), CompressionLevel: CompressionLevelDefault,
		LogAppendTime: src.Magic > 0 && src.Attributes&record.LogAppendTime != 0,
		Key:           src.Key, Value: src.Value, Version: src.Magic, Timestamp: unixMilli(src.TimestampMs),
	}
	if m.Codec == CompressionNone || m.Value == nil {
		return m, nil
	}
	if depth == record.SetDepthMax {
		return nil, PacketDecodingError{fmt.Sprintf("message at offset %d: nested deeper than %d", src.Offset, record.SetDepthMax)}
	}
	value, err := record.Decompress(&src, r.budget)
	if err != nil {
		return nil, batchError(err)
	}
	if r.limit > 0 {
		r.budget = max(1, r.budget-len(value)) // 0 would be no limit
	}
	m.Value = value
	set, rest, err := r.read(value, depth+1)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 || set.PartialTrailingMessage || set.OverflowMessage {
		return nil, PacketDecodingError{fmt.Sprintf("message at offset %d: what was compressed is no whole message set", src.Offset)}
	}
	m.Set = set
	return m, nil
}
