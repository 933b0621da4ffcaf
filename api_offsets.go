package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// OffsetRequest asks the leader of some partitions for an offset by time, or
// for the oldest or newest (the ListOffsets API).
type OffsetRequest struct {
	Version int16
	// IsolationLevel decides whether the newest offset is the high watermark
	// or the last stable offset; from version 2 on.
	IsolationLevel IsolationLevel

	replicaID int32 // one above the id, so that a new request means -1, no replica
	blocks    map[string]map[int32]*offsetRequestBlock
	timeoutMs int32 // of remote storage, from version 10 on (KIP-1075)
}

type offsetRequestBlock struct {
	leaderEpoch int32
	timestamp   int64
	maxOffsets  int32 // version 0
}

// NewOffsetRequest returns an empty request at the version that belongs to a
// Kafka version.
func NewOffsetRequest(version KafkaVersion) *OffsetRequest {
	return &OffsetRequest{Version: apiListOffsets.versionFor(version)}
}

// AddBlock asks for the offset of a partition at a time in milliseconds since
// the epoch, or at OffsetNewest or OffsetOldest. maxOffsets bounds the answer
// of version 0.
func (r *OffsetRequest) AddBlock(topic string, partitionID int32, timestamp int64, maxOffsets int32) {
	r.addBlock(topic, partitionID, timestamp, maxOffsets, -1)
}

func (r *OffsetRequest) addBlock(topic string, partition int32, timestamp int64, maxOffsets, leaderEpoch int32) {
	if r.blocks == nil {
		r.blocks = make(map[string]map[int32]*offsetRequestBlock)
	}
	if r.blocks[topic] == nil {
		r.blocks[topic] = make(map[int32]*offsetRequestBlock)
	}
	r.blocks[topic][partition] = &offsetRequestBlock{leaderEpoch: leaderEpoch, timestamp: timestamp, maxOffsets: maxOffsets}
}

// SetReplicaID says that a replica with that broker id asks; consumers don't.
func (r *OffsetRequest) SetReplicaID(id int32) { r.replicaID = id + 1 }

// ReplicaID is the id of the replica that asks, -1 for a consumer.
func (r *OffsetRequest) ReplicaID() int32 { return r.replicaID - 1 }

func (r *OffsetRequest) meta() (*api, *int16) { return apiListOffsets, &r.Version }

func (r *OffsetRequest) layout(c *wire.Codec) {
	id := r.ReplicaID()
	if c.Int32(&id); !c.Writing() {
		r.SetReplicaID(id)
	}
	if c.From(2) {
		c.Int8((*int8)(&r.IsolationLevel))
	}
	layTopicMap(c, &r.blocks, -1, func(partition *int32, p **offsetRequestBlock) {
		if *p == nil {
			*p = &offsetRequestBlock{leaderEpoch: -1, maxOffsets: 1}
		}
		b := *p
		c.Int32(partition)
		if c.From(4) {
			c.Int32(&b.leaderEpoch)
		}
		c.Int64(&b.timestamp)
		if c.Version == 0 {
			c.Int32(&b.maxOffsets)
		}
	})
	if c.From(10) {
		c.Int32(&r.timeoutMs)
	}
}

// OffsetResponse is the answer to an OffsetRequest.
type OffsetResponse struct {
	Version        int16
	ThrottleTimeMs int32
	// Blocks by topic and partition.
	Blocks map[string]map[int32]*OffsetResponseBlock
}

// OffsetResponseBlock is the answer for one partition.
type OffsetResponseBlock struct {
	Err KError
	// Offsets is the answer of version 0; later versions fill it with Offset.
	Offsets []int64
	// Offset and Timestamp (ms since the epoch, -1 for none), from version 1 on.
	Offset    int64
	Timestamp int64
	// LeaderEpoch of the offset, -1 when unknown, from version 4 on.
	LeaderEpoch int32
}

func (r *OffsetResponse) meta() (*api, *int16) { return apiListOffsets, &r.Version }

func (r *OffsetResponse) throttleTime() time.Duration {
	return time.Duration(r.ThrottleTimeMs) * time.Millisecond
}

func (r *OffsetResponse) layout(c *wire.Codec) {
	if c.From(2) {
		c.Int32(&r.ThrottleTimeMs)
	}
	layTopicMap(c, &r.Blocks, -1, func(partition *int32, p **OffsetResponseBlock) {
		if *p == nil {
			*p = &OffsetResponseBlock{LeaderEpoch: -1}
		}
		b := *p
		c.Int32(partition)
		layKError(c, &b.Err)
		if c.Version == 0 {
			c.Int64s(&b.Offsets)
			return
		}
		c.Int64(&b.Timestamp)
		c.Int64(&b.Offset)
		if !c.Writing() {
			b.Offsets = []int64{b.Offset}
		}
		if c.From(4) {
			c.Int32(&b.LeaderEpoch)
		}
	})
}

// GetBlock returns the answer for a partition, nil where there is none.
func (r *OffsetResponse) GetBlock(topic string, partition int32) *OffsetResponseBlock {
	return r.Blocks[topic][partition]
}

// AddTopicPartition adds an answer to a response that a test builds.
func (r *OffsetResponse) AddTopicPartition(topic string, partition int32, offset int64) {
	if r.Blocks == nil {
		r.Blocks = make(map[string]map[int32]*OffsetResponseBlock)
	}
	if r.Blocks[topic] == nil {
		r.Blocks[topic] = make(map[int32]*OffsetResponseBlock)
	}
	r.Blocks[topic][partition] = &OffsetResponseBlock{Offsets: []int64{offset}, Offset: offset}
}
