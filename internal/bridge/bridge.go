// Package bridge lets the embedded cluster use what package sarama keeps to
// itself: the codec of whole frames, and the parts of messages that the
// exported types hide. Package sarama fills it in when it is initialised.
//
// Bodies are pointers to package sarama's exported request and response
// structs, but for fetch responses, which FetchResponse makes, and for the two
// of OffsetForLeaderEpoch.
package bridge

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// Header is that of a request.
type Header struct {
	Key           int16
	Version       int16
	CorrelationID int32
	ClientID      string
	Name          string // of the API, as in Kafka's definitions
}

// VersionRange is what the codec has of one API.
type VersionRange struct {
	Key      int16
	Name     string
	Min, Max int16
	// Since has the first Kafka release of each version from 0, in the form
	// that ParseKafkaVersion reads.
	Since []string
	// ThrottleFirst is the first version that brokers answer before they
	// throttle (KIP-219), negative where there is none.
	ThrottleFirst int16
}

// TopicRef names a topic by name or by id; Named says which.
type TopicRef struct {
	Name  string
	Named bool
	ID    [16]byte
}

// Endpoint is the address of a broker.
type Endpoint struct {
	ID   int32
	Host string
	Port int32
	Rack *string
}

// PartitionRecords is what a produce request has for one partition; Records
// shares the frame's memory.
type PartitionRecords struct {
	Topic     string
	Partition int32
	Records   []byte
}

// FetchPartition is what a fetch request asks of one partition.
type FetchPartition struct {
	Topic              string
	Partition          int32
	CurrentLeaderEpoch int32 // -1: not said
	Offset             int64
	LastFetchedEpoch   int32 // -1: not said
	MaxBytes           int32
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// FetchedPartition is what a fetch response has for one partition.
type FetchedPartition struct {
	Topic                string
	Partition            int32
	Err                  int16
	HighWatermark        int64
	LastStableOffset     int64
	LogStartOffset       int64
	PreferredReadReplica int32 // -1: none
	Aborted              []AbortedTransaction
	Records              []byte
	CurrentLeaderID      int32 // with CurrentLeaderEpoch, where HasLeader
	CurrentLeaderEpoch   int32
	HasLeader            bool
	DivergingEpoch       int32 // with DivergingOffset, where HasDiverging
	DivergingOffset      int64
	HasDiverging         bool
}

// AbortedTransaction names an aborted transaction of a partition.
type AbortedTransaction struct{ ProducerID, FirstOffset int64 }

// ListedPartition is what a list offsets request asks of one partition.
type ListedPartition struct {
	Topic              string
	Partition          int32
	CurrentLeaderEpoch int32 // -1: not said
	Timestamp          int64
	MaxOffsets         int32 // version 0
}

// EpochWanted is what an offset for leader epoch request asks of one partition.
type EpochWanted struct {
	Topic              string
	Partition          int32
	CurrentLeaderEpoch int32 // -1: not said
	LeaderEpoch        int32
}

// EpochEnd is what an offset for leader epoch response has for one partition.
type EpochEnd struct {
	Topic       string
	Partition   int32
	Err         int16
	LeaderEpoch int32 // -1: unknown
	EndOffset   int64 // -1: unknown
}

// What package sarama fills in.
var (
	// ReadRequest reads a request's frame, without its size. With an API or
	// version that the codec does not have, the header is still good.
	ReadRequest func(frame []byte) (Header, any, error)
	// AppendResponse writes a response behind dst: size, header, body. The
	// body's version is set to the header's.
	AppendResponse func(dst []byte, h Header, body any) ([]byte, error)
	// ResponseChunks is AppendResponse that copies no records: it lays the
	// response out in c, whose buffer starts at head, and appends the pieces,
	// in order, to chunks.
	ResponseChunks func(c *wire.Codec, head []byte, chunks [][]byte, h Header, body any) ([][]byte, error)
	// SetThrottle sets a response's throttle time; false where it has none.
	SetThrottle func(body any, d time.Duration) bool
	// TopicRefs lists the topics that a request's frame names by name or id:
	// Metadata from version 10 and DeleteTopics from version 6 on.
	TopicRefs func(frame []byte) ([]TopicRef, error)

	// Versions lists all APIs of the codec.
	Versions func() []VersionRange

	// ProduceRecords lists a *ProduceRequest's partitions.
	ProduceRecords func(req any) []PartitionRecords
	// FetchPartitions lists what a *FetchRequest asks for, and what it no
	// longer wants in its session.
	FetchPartitions func(req any) (fetch []FetchPartition, forget []TopicPartition)
	// FetchResponse makes the body of a fetch response. Partitions of one
	// topic stand together.
	FetchResponse func(throttle time.Duration, err int16, sessionID int32, partitions []FetchedPartition, leaders []Endpoint) any
	// ListedPartitions lists what an *OffsetRequest asks for.
	ListedPartitions func(req any) []ListedPartition
	// EpochsWanted lists what an offset for leader epoch request asks for, and
	// EpochEnds makes the answer. Partitions of one topic stand together.
	EpochsWanted func(req any) []EpochWanted
	EpochEnds    func(list []EpochEnd) any
	// Broker makes a *Broker for a response.
	Broker func(id int32, addr string, rack *string) any
)
