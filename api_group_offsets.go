package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// ReceiveTime is the commit timestamp that stands for the time at which the
// coordinator receives the commit.
const ReceiveTime int64 = -1

// OffsetCommitRequest stores how far a group has come. From version 10 on
// topics are named by the text form of their ids.
type OffsetCommitRequest struct {
	Version       int16
	ConsumerGroup string
	// ConsumerGroupGeneration is GroupGenerationUndefined for who is no member,
	// and the member's epoch in a group of the newer protocol (KIP-848); from
	// version 1 on, as ConsumerID.
	ConsumerGroupGeneration int32
	ConsumerID              string
	// GroupInstanceId is set for a static member, from version 7 on.
	GroupInstanceId *string
	// RetentionTime is for how long the offsets are kept, in milliseconds, 0
	// for as long as the broker is set up to; in versions 2 to 4.
	RetentionTime int64

	blocks map[string]map[int32]*offsetCommitBlock
}

type offsetCommitBlock struct {
	offset, timestamp int64
	leaderEpoch       int32
	metadata          *string
}

// NewOffsetCommitRequest returns a request of a group without offsets yet, at
// the version and with the retention that conf says.
func NewOffsetCommitRequest(conf *Config, group string) *OffsetCommitRequest {
	r := &OffsetCommitRequest{
		Version: apiOffsetCommit.versionFor(conf.Version), ConsumerGroup: group, ConsumerGroupGeneration: GroupGenerationUndefined,
	}
	if r.Version >= 2 && r.Version < 5 {
		r.RetentionTime = conf.Consumer.Offsets.Retention.Milliseconds()
	}
	return r
}

// AddBlock commits an offset, that of the next message to consume. timestamp is
// ReceiveTime or milliseconds since the epoch; version 1 alone sends it.
func (r *OffsetCommitRequest) AddBlock(topic string, partitionID int32, offset, timestamp int64, metadata string) {
	r.AddBlockWithLeaderEpoch(topic, partitionID, offset, -1, timestamp, metadata)
}

// AddBlockWithLeaderEpoch is AddBlock with the leader epoch of the message
// before, from version 6 on (KIP-320).
func (r *OffsetCommitRequest) AddBlockWithLeaderEpoch(topic string, partitionID int32, offset int64, leaderEpoch int32, timestamp int64, metadata string) {
	if r.blocks == nil {
		r.blocks = make(map[string]map[int32]*offsetCommitBlock)
	}
	if r.blocks[topic] == nil {
		r.blocks[topic] = make(map[int32]*offsetCommitBlock)
	}
	r.blocks[topic][partitionID] = &offsetCommitBlock{offset, timestamp, leaderEpoch, &metadata}
}

// Offset returns what the request commits for a partition, or
// ErrUnknownTopicOrPartition.
func (r *OffsetCommitRequest) Offset(topic string, partitionID int32) (int64, string, error) {
	b := r.blocks[topic][partitionID]
	if b == nil {
		return 0, "", ErrUnknownTopicOrPartition
	}
	if b.metadata == nil {
		return b.offset, "", nil
	}
	return b.offset, *b.metadata, nil
}

func (r *OffsetCommitRequest) meta() (*api, *int16) { return apiOffsetCommit, &r.Version }

func (r *OffsetCommitRequest) layout(c *wire.Codec) {
	c.String(&r.ConsumerGroup)
	if c.From(1) {
		c.Int32(&r.ConsumerGroupGeneration)
		c.String(&r.ConsumerID)
	}
	if c.From(7) {
		c.NullableString(&r.GroupInstanceId)
	}
	if c.Between(2, 4) {
		retention := r.RetentionTime
		if c.Writing() && retention == 0 {
			retention = -1
		}
		if c.Int64(&retention); !c.Writing() {
			r.RetentionTime = retention
		}
	}
	layTopicMap(c, &r.blocks, 10, func(partition *int32, p **offsetCommitBlock) {
		if *p == nil {
			*p = &offsetCommitBlock{leaderEpoch: -1, timestamp: ReceiveTime}
		}
		b := *p
		c.Int32(partition)
		c.Int64(&b.offset)
		if c.From(6) {
			c.Int32(&b.leaderEpoch)
		}
		if c.Version == 1 {
			c.Int64(&b.timestamp)
		}
		c.NullableString(&b.metadata)
	})
}

// OffsetCommitResponse is the answer to an OffsetCommitRequest.
type OffsetCommitResponse struct {
	Version        int16
	ThrottleTimeMs int32
	// Errors by topic and partition; ErrNoError where the offset was stored.
	Errors map[string]map[int32]KError
}

// AddError sets what became of a partition's offset.
func (r *OffsetCommitResponse) AddError(topic string, partition int32, kerror KError) {
	if r.Errors == nil {
		r.Errors = make(map[string]map[int32]KError)
	}
	if r.Errors[topic] == nil {
		r.Errors[topic] = make(map[int32]KError)
	}
	r.Errors[topic][partition] = kerror
}

func (r *OffsetCommitResponse) meta() (*api, *int16) { return apiOffsetCommit, &r.Version }

func (r *OffsetCommitResponse) throttleTime() time.Duration { return millis(r.ThrottleTimeMs) }

func (r *OffsetCommitResponse) layout(c *wire.Codec) {
	if c.From(3) {
		c.Int32(&r.ThrottleTimeMs)
	}
	layTopicMap(c, &r.Errors, 10, func(partition *int32, err *KError) {
		c.Int32(partition)
		layKError(c, err)
	})
}

// offsetFetchHasGroups is the first version of OffsetFetch that asks for several
// groups (KIP-709).
const offsetFetchHasGroups = 8

// OffsetFetchRequest asks how far groups have come. From version 10 on topics
// are named by the text form of their ids.
type OffsetFetchRequest struct {
	Version       int16
	ConsumerGroup string
	// RequireStable keeps the answer back while a transaction may still change
	// it (KIP-447), from version 7 on.
	RequireStable bool
	// Groups to ask for at once, from version 8 on (KIP-709); where it is nil,
	// ConsumerGroup and its partitions are asked for.
	Groups []OffsetFetchRequestGroup

	partitions map[string][]int32 // nil: all
}

// OffsetFetchRequestGroup is one of several groups that are asked for.
type OffsetFetchRequestGroup struct {
	GroupId string
	// Partitions by topic; nil means all that have an offset.
	Partitions map[string][]int32

	memberID    *string // from version 9 on (KIP-848), as the epoch
	memberEpoch int32   // one above, so that a new group means -1, none
}

// NewOffsetFetchRequest returns a request for a group's offsets, at the version
// that belongs to a Kafka version. Nil partitions mean all that have an offset,
// which takes version 2.
func NewOffsetFetchRequest(version KafkaVersion, group string, partitions map[string][]int32) *OffsetFetchRequest {
	return &OffsetFetchRequest{Version: apiOffsetFetch.versionFor(version), ConsumerGroup: group, partitions: partitions}
}

// ZeroPartitions makes a request that names no partition ask for none, where
// it would ask for all.
func (r *OffsetFetchRequest) ZeroPartitions() {
	if r.partitions == nil {
		r.partitions = make(map[string][]int32)
	}
}

// AddPartition asks for a partition of ConsumerGroup.
func (r *OffsetFetchRequest) AddPartition(topic string, partitionID int32) {
	if r.partitions == nil {
		r.partitions = make(map[string][]int32)
	}
	r.partitions[topic] = append(r.partitions[topic], partitionID)
}

// AddGroupPartition asks for a partition of one of several groups.
func (r *OffsetFetchRequest) AddGroupPartition(group, topic string, partitionID int32) {
	for i := range r.Groups {
		if r.Groups[i].GroupId == group {
			r.Groups[i].AddPartition(topic, partitionID)
			return
		}
	}
	r.Groups = append(r.Groups, OffsetFetchRequestGroup{GroupId: group})
	r.Groups[len(r.Groups)-1].AddPartition(topic, partitionID)
}

// AddPartition asks for a partition of the group.
func (g *OffsetFetchRequestGroup) AddPartition(topic string, partitionID int32) {
	if g.Partitions == nil {
		g.Partitions = make(map[string][]int32)
	}
	g.Partitions[topic] = append(g.Partitions[topic], partitionID)
}

// SetMember says who asks, in a group of the newer protocol (KIP-848): a
// member that was replaced is refused. From version 9 on.
func (g *OffsetFetchRequestGroup) SetMember(id string, epoch int32) {
	g.memberID, g.memberEpoch = &id, epoch+1
}

func (g *OffsetFetchRequestGroup) layout(c *wire.Codec) {
	c.String(&g.GroupId)
	if c.From(9) {
		c.NullableString(&g.memberID)
		epoch := g.memberEpoch - 1
		if c.Int32(&epoch); !c.Writing() {
			g.memberEpoch = epoch + 1
		}
	}
	layNamedPartitions(c, &g.Partitions, 10)
}

func (r *OffsetFetchRequest) meta() (*api, *int16) { return apiOffsetFetch, &r.Version }

func (r *OffsetFetchRequest) layout(c *wire.Codec) {
	switch {
	case c.From(offsetFetchHasGroups):
		r.layGroups(c)
	case c.Writing() && len(r.Groups) > 0:
		c.Invalid(&r.Groups, "version %d has no groups, only ConsumerGroup", c.Version)
	default:
		c.String(&r.ConsumerGroup)
		if !c.From(2) {
			if c.Writing() && r.partitions == nil {
				c.Invalid(&r.partitions, "version %d cannot ask for all partitions", c.Version)
			}
			layNamedPartitionsNotNull(c, &r.partitions)
		} else {
			layNamedPartitions(c, &r.partitions, -1)
		}
	}
	if c.From(7) {
		c.Bool(&r.RequireStable)
	}
}

func (r *OffsetFetchRequest) layGroups(c *wire.Codec) {
	list := r.Groups
	if c.Writing() && list == nil {
		list = []OffsetFetchRequestGroup{{GroupId: r.ConsumerGroup, Partitions: r.partitions}}
	}
	if wire.Values(c, &list, (*OffsetFetchRequestGroup).layout); c.Writing() {
		return
	}
	if r.Groups = list; len(list) > 0 {
		r.ConsumerGroup, r.partitions = list[0].GroupId, list[0].Partitions
	}
}

// OffsetFetchResponse is the answer to an OffsetFetchRequest.
type OffsetFetchResponse struct {
	Version        int16
	ThrottleTimeMs int32
	// Blocks by topic and partition; from version 8 on those of the first of
	// Groups.
	Blocks map[string]map[int32]*OffsetFetchResponseBlock
	// Err of the group, in versions 2 to 7; GroupError knows them all.
	Err KError
	// Groups has the answer for each group, from version 8 on.
	Groups []OffsetFetchResponseGroup
}

// OffsetFetchResponseGroup is the answer for one of several groups.
type OffsetFetchResponseGroup struct {
	GroupId string
	Blocks  map[string]map[int32]*OffsetFetchResponseBlock
	Err     KError
}

// OffsetFetchResponseBlock is what is stored for a partition.
type OffsetFetchResponseBlock struct {
	// Offset of the next message to consume, -1 where none is stored.
	Offset int64
	// LeaderEpoch of the message before, -1 when unknown, from version 5 on.
	LeaderEpoch int32
	Metadata    string
	Err         KError
}

// GetBlock returns what is stored for a partition, from version 8 on for the
// first group; nil where the answer says nothing of it.
func (r *OffsetFetchResponse) GetBlock(topic string, partition int32) *OffsetFetchResponseBlock {
	if r.Version >= offsetFetchHasGroups && len(r.Groups) > 0 {
		return r.Groups[0].GetBlock(topic, partition)
	}
	return r.Blocks[topic][partition]
}

// GetGroup returns the answer for a group, nil where there is none.
func (r *OffsetFetchResponse) GetGroup(group string) *OffsetFetchResponseGroup {
	for i := range r.Groups {
		if r.Groups[i].GroupId == group {
			return &r.Groups[i]
		}
	}
	return nil
}

// GetGroupBlock returns what is stored for a partition of a group, nil where
// the answer says nothing of it.
func (r *OffsetFetchResponse) GetGroupBlock(group, topic string, partition int32) *OffsetFetchResponseBlock {
	if g := r.GetGroup(group); g != nil {
		return g.GetBlock(topic, partition)
	}
	return nil
}

// GroupError is the error of the group as a whole, from version 8 on of the
// first group.
func (r *OffsetFetchResponse) GroupError() KError {
	if r.Version >= offsetFetchHasGroups && len(r.Groups) > 0 {
		return r.Groups[0].Err
	}
	return r.Err
}

// AddBlock sets what is stored for a partition, from version 8 on of the first
// group.
func (r *OffsetFetchResponse) AddBlock(topic string, partition int32, block *OffsetFetchResponseBlock) {
	if r.Version < offsetFetchHasGroups {
		addOffsetBlock(&r.Blocks, topic, partition, block)
		return
	}
	if len(r.Groups) == 0 {
		r.Groups = []OffsetFetchResponseGroup{{}}
	}
	r.Groups[0].AddBlock(topic, partition, block)
}

// AddGroupBlock sets what is stored for a partition of a group.
func (r *OffsetFetchResponse) AddGroupBlock(group, topic string, partition int32, block *OffsetFetchResponseBlock) {
	g := r.GetGroup(group)
	if g == nil {
		r.Groups = append(r.Groups, OffsetFetchResponseGroup{GroupId: group})
		g = &r.Groups[len(r.Groups)-1]
	}
	g.AddBlock(topic, partition, block)
}

// AddBlock sets what is stored for a partition.
func (g *OffsetFetchResponseGroup) AddBlock(topic string, partition int32, block *OffsetFetchResponseBlock) {
	addOffsetBlock(&g.Blocks, topic, partition, block)
}

// GetBlock returns what is stored for a partition, nil where the answer says
// nothing of it.
func (g *OffsetFetchResponseGroup) GetBlock(topic string, partition int32) *OffsetFetchResponseBlock {
	return g.Blocks[topic][partition]
}

func addOffsetBlock(m *map[string]map[int32]*OffsetFetchResponseBlock, topic string, partition int32, block *OffsetFetchResponseBlock) {
	if *m == nil {
		*m = make(map[string]map[int32]*OffsetFetchResponseBlock)
	}
	if (*m)[topic] == nil {
		(*m)[topic] = make(map[int32]*OffsetFetchResponseBlock)
	}
	(*m)[topic][partition] = block
}

func layOffsetBlocks(c *wire.Codec, m *map[string]map[int32]*OffsetFetchResponseBlock) {
	layTopicMap(c, m, 10, func(partition *int32, p **OffsetFetchResponseBlock) {
		if *p == nil {
			*p = &OffsetFetchResponseBlock{LeaderEpoch: -1}
		}
		b := *p
		c.Int32(partition)
		c.Int64(&b.Offset)
		if c.From(5) {
			c.Int32(&b.LeaderEpoch)
		}
		metadata := &b.Metadata
		if c.NullableString(&metadata); !c.Writing() && metadata != nil {
			b.Metadata = *metadata
		}
		layKError(c, &b.Err)
	})
}

func (g *OffsetFetchResponseGroup) layout(c *wire.Codec) {
	c.String(&g.GroupId)
	layOffsetBlocks(c, &g.Blocks)
	layKError(c, &g.Err)
}

func (r *OffsetFetchResponse) meta() (*api, *int16) { return apiOffsetFetch, &r.Version }

func (r *OffsetFetchResponse) throttleTime() time.Duration { return millis(r.ThrottleTimeMs) }

func (r *OffsetFetchResponse) layout(c *wire.Codec) {
	if c.From(3) {
		c.Int32(&r.ThrottleTimeMs)
	}
	if c.From(offsetFetchHasGroups) {
		r.layGroups(c)
		return
	}
	layOffsetBlocks(c, &r.Blocks)
	if c.From(2) {
		layKError(c, &r.Err)
	}
}

func (r *OffsetFetchResponse) layGroups(c *wire.Codec) {
	list := r.Groups
	if c.Writing() && list == nil {
		list = []OffsetFetchResponseGroup{{Blocks: r.Blocks, Err: r.Err}}
	}
	if wire.Values(c, &list, (*OffsetFetchResponseGroup).layout); c.Writing() {
		return
	}
	if r.Groups = list; len(list) > 0 {
		r.Blocks, r.Err = list[0].Blocks, list[0].Err
	}
}
