package sarama

import "time"

// ConsumerMessage is a message that was consumed. Key, Value and Headers of
// neighbouring messages may share memory: keeping one keeps what came with it.
type ConsumerMessage struct {
	// Headers are what the producer put beside key and value. Nil for messages
	// stored in a format before 0.11.
	Headers []*RecordHeader
	// Timestamp is when the message was made or, if the topic has log append
	// time, stored. Zero for messages stored in a format before 0.10.
	Timestamp time.Time
	// BlockTimestamp is that of the compressed set around the message, in
	// formats before 0.11 only.
	BlockTimestamp time.Time

	Key, Value []byte
	Topic      string
	Partition  int32
	Offset     int64
}
