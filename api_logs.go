package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// DeleteRecordsRequest deletes the oldest records of partitions, up to an
// offset (KIP-107). It goes to the partitions' leader.
type DeleteRecordsRequest struct {
	Version int16
	Topics  map[string]*DeleteRecordsRequestTopic
	Timeout time.Duration
}

// DeleteRecordsRequestTopic has the partitions of one topic.
type DeleteRecordsRequestTopic struct {
	// PartitionOffsets are the offsets of the first records that stay, by
	// partition; -1 deletes up to the high watermark.
	PartitionOffsets map[int32]int64
}

func (r *DeleteRecordsRequest) meta() (*api, *int16) { return apiDeleteRecords, &r.Version }

func (r *DeleteRecordsRequest) brokerWait() time.Duration { return r.Timeout }

func (r *DeleteRecordsRequest) layout(c *wire.Codec) {
	layPointers(c, &r.Topics, func(name *string, t *DeleteRecordsRequestTopic) {
		c.String(name)
		layMap(c, &t.PartitionOffsets, func(id *int32, offset *int64) {
			c.Int32(id)
			c.Int64(offset)
		})
	})
	c.Millis(&r.Timeout)
}

// DeleteRecordsResponse is the answer to a DeleteRecordsRequest.
type DeleteRecordsResponse struct {
	Version      int16
	ThrottleTime time.Duration
	Topics       map[string]*DeleteRecordsResponseTopic
}

// DeleteRecordsResponseTopic has the partitions of one topic.
type DeleteRecordsResponseTopic struct {
	Partitions map[int32]*DeleteRecordsResponsePartition
}

// DeleteRecordsResponsePartition is what became of one partition.
type DeleteRecordsResponsePartition struct {
	// LowWatermark is the offset of the oldest record on any replica.
	LowWatermark int64
	Err          KError
}

func (r *DeleteRecordsResponse) meta() (*api, *int16) { return apiDeleteRecords, &r.Version }

func (r *DeleteRecordsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *DeleteRecordsResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	layPointers(c, &r.Topics, func(name *string, t *DeleteRecordsResponseTopic) {
		c.String(name)
		layPointers(c, &t.Partitions, func(id *int32, p *DeleteRecordsResponsePartition) {
			c.Int32(id)
			c.Int64(&p.LowWatermark)
			layKError(c, &p.Err)
		})
	})
}

// CreatePartitionsRequest asks the controller to add partitions to topics
// (KIP-195).
type CreatePartitionsRequest struct {
	Version         int16
	TopicPartitions map[string]*TopicPartition
	Timeout         time.Duration
	// ValidateOnly asks only whether it could be done.
	ValidateOnly bool
}

// TopicPartition says how many partitions a topic is to have.
type TopicPartition struct {
	// Count of all partitions, those included that there are.
	Count int32
	// Assignment lists the brokers of each new partition, the preferred leader
	// first; where it is empty, the controller chooses.
	Assignment [][]int32
}

func (r *CreatePartitionsRequest) meta() (*api, *int16) { return apiCreatePartitions, &r.Version }

func (r *CreatePartitionsRequest) brokerWait() time.Duration { return r.Timeout }

func (r *CreatePartitionsRequest) layout(c *wire.Codec) {
	layPointers(c, &r.TopicPartitions, func(name *string, t *TopicPartition) {
		c.String(name)
		c.Int32(&t.Count)
		layNullWhenEmpty(c, &t.Assignment, func(brokers *[]int32, c *wire.Codec) { c.Int32s(brokers) })
	})
	c.Millis(&r.Timeout)
	c.Bool(&r.ValidateOnly)
}

// layNullWhenEmpty lays out a list that says by null that it does not matter
// what is in it. To be empty means the same in the API.
func layNullWhenEmpty[T any](c *wire.Codec, p *[]T, layout func(*T, *wire.Codec)) {
	if c.Writing() && len(*p) == 0 {
		var null []T
		wire.NullableValues(c, &null, layout)
		return
	}
	wire.NullableValues(c, p, layout)
}

// CreatePartitionsResponse is the answer to a CreatePartitionsRequest.
type CreatePartitionsResponse struct {
	Version      int16
	ThrottleTime time.Duration
	// TopicPartitionErrors by topic; one that has its partitions has
	// ErrNoError.
	TopicPartitionErrors map[string]*TopicPartitionError
}

func (r *CreatePartitionsResponse) meta() (*api, *int16) { return apiCreatePartitions, &r.Version }

func (r *CreatePartitionsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *CreatePartitionsResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	layPointers(c, &r.TopicPartitionErrors, func(name *string, e *TopicPartitionError) {
		c.String(name)
		layKError(c, &e.Err)
		c.NullableString(&e.ErrMsg)
	})
}

// DescribeLogDirsRequest asks a broker what is in its log directories
// (KIP-113).
type DescribeLogDirsRequest struct {
	Version int16
	// DescribeTopics limits the answer to these partitions; where it is empty,
	// all are told.
	DescribeTopics []DescribeLogDirsRequestTopic
}

// DescribeLogDirsRequestTopic has partitions of one topic.
type DescribeLogDirsRequestTopic struct {
	Topic        string
	PartitionIDs []int32
}

func (t *DescribeLogDirsRequestTopic) layout(c *wire.Codec) {
	c.String(&t.Topic)
	c.Int32s(&t.PartitionIDs)
}

func (r *DescribeLogDirsRequest) meta() (*api, *int16) { return apiDescribeLogDirs, &r.Version }

func (r *DescribeLogDirsRequest) layout(c *wire.Codec) {
	layNullWhenEmpty(c, &r.DescribeTopics, (*DescribeLogDirsRequestTopic).layout)
}

// DescribeLogDirsResponse is the answer to a DescribeLogDirsRequest.
type DescribeLogDirsResponse struct {
	ThrottleTime time.Duration
	Version      int16
	LogDirs      []DescribeLogDirsResponseDirMetadata
	// ErrorCode of the whole request, from version 3 on.
	ErrorCode KError
}

// DescribeLogDirsResponseDirMetadata is one log directory.
type DescribeLogDirsResponseDirMetadata struct {
	ErrorCode KError
	// Path is absolute.
	Path   string
	Topics []DescribeLogDirsResponseTopic
	// TotalBytes and UsableBytes are those of the volume that the directory is
	// on, from version 4 on (KIP-827); -1 where the broker can't tell.
	TotalBytes  int64
	UsableBytes int64
	// IsCordoned tells that no new partition is put here, from version 5 on
	// (KIP-1066).
	IsCordoned bool
}

// DescribeLogDirsResponseTopic has the partitions of one topic.
type DescribeLogDirsResponseTopic struct {
	Topic      string
	Partitions []DescribeLogDirsResponsePartition
}

// DescribeLogDirsResponsePartition is the log of one partition.
type DescribeLogDirsResponsePartition struct {
	PartitionID int32
	// Size in bytes.
	Size int64
	// OffsetLag is by how many records the log is behind the high watermark or,
	// if IsTemporary, behind the log that it will take the place of.
	OffsetLag   int64
	IsTemporary bool
}

func (r *DescribeLogDirsResponse) meta() (*api, *int16) { return apiDescribeLogDirs, &r.Version }

func (r *DescribeLogDirsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *DescribeLogDirsResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	if c.From(3) {
		layKError(c, &r.ErrorCode)
	}
	wire.Values(c, &r.LogDirs, (*DescribeLogDirsResponseDirMetadata).layout)
}

func (d *DescribeLogDirsResponseDirMetadata) layout(c *wire.Codec) {
	layKError(c, &d.ErrorCode)
	c.String(&d.Path)
	wire.Values(c, &d.Topics, func(t *DescribeLogDirsResponseTopic, c *wire.Codec) {
		c.String(&t.Topic)
		wire.Values(c, &t.Partitions, (*DescribeLogDirsResponsePartition).layout)
	})
	if c.From(4) {
		c.Int64(&d.TotalBytes)
		c.Int64(&d.UsableBytes)
	}
	if c.From(5) {
		c.Bool(&d.IsCordoned)
	}
}

func (p *DescribeLogDirsResponsePartition) layout(c *wire.Codec) {
	c.Int32(&p.PartitionID)
	c.Int64(&p.Size)
	c.Int64(&p.OffsetLag)
	c.Bool(&p.IsTemporary)
}
