package sarama

import "time"

// Encoder makes the bytes of a key or value. A nil Encoder stands for null,
// which as a value is a tombstone.
type Encoder interface {
	// Encode returns the bytes, or nil for null. An error fails the message.
	Encode() ([]byte, error)
	// Length returns how many bytes Encode returns.
	Length() int
}

// StringEncoder is a string as key or value. The empty string is empty, not
// null.
type StringEncoder string

// Encode returns the bytes of the string.
func (s StringEncoder) Encode() ([]byte, error) { return []byte(s), nil }

// Length returns the number of bytes.
func (s StringEncoder) Length() int { return len(s) }

// ByteEncoder is a byte slice as key or value. It is not copied: leave the
// bytes alone until the result of the message is there. Nil is null.
type ByteEncoder []byte

// Encode returns the slice.
func (b ByteEncoder) Encode() ([]byte, error) { return b, nil }

// Length returns the number of bytes.
func (b ByteEncoder) Length() int { return len(b) }

// RecordHeader is a name and a value beside key and value of a message
// (KIP-82). The key is text, though it is given as bytes.
type RecordHeader struct {
	Key   []byte
	Value []byte
}

// ProducerMessage is a message to produce. A producer owns it from when it is
// given to it until its result comes back.
type ProducerMessage struct {
	// Topic is where the message goes. Required.
	Topic string
	// Key decides the partition, by default, and is stored with the message.
	Key Encoder
	// Value is what the message says.
	Value Encoder
	// Headers are stored with the message. They need Config.Version 0.11.
	Headers []RecordHeader

	// Metadata is the user's own: it comes back untouched and is not sent.
	Metadata any

	// Offset is set when the message was delivered, unless RequiredAcks is
	// NoResponse.
	Offset int64
	// Partition is set when the message was delivered. With the manual
	// partitioner the user sets it before.
	Partition int32
	// Timestamp is when the message came to be; zero means now. If the topic
	// has log append time, it is set to that when the message was delivered. It
	// needs Config.Version 0.10.
	Timestamp time.Time
}

// What a message takes on the wire beside key, value and headers, at most.
const (
	recordOverheadBytes  = 36 // five varints of up to 5 bytes, one of 10, attributes
	headerOverheadBytes  = 10 // two varints of 5 bytes
	messageOverheadBytes = 26 // offset, size, CRC, magic, attributes, two lengths
)

// ByteSize returns the most bytes that the message takes before compression:
// in a record batch for version 2 and above, in an older message set otherwise.
// It is what Producer.MaxMessageBytes limits.
func (m *ProducerMessage) ByteSize(version int) int {
	size := messageOverheadBytes
	if version >= 2 {
		size = recordOverheadBytes
		for _, h := range m.Headers {
			size += len(h.Key) + len(h.Value) + headerOverheadBytes
		}
	}
	if m.Key != nil {
		size += m.Key.Length()
	}
	if m.Value != nil {
		size += m.Value.Length()
	}
	return size
}
