package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// namedPartitions is a topic and partitions of it, in a list that may be null.
type namedPartitions struct {
	topic      string
	partitions []int32
}

// layNamedPartitions lays out a list of topics and partitions that the API
// shows as a map; nil stands for null, which means all. idFrom is the first
// version with topic ids instead of names, negative where there is none.
func layNamedPartitions(c *wire.Codec, m *map[string][]int32, idFrom int16) {
	layPartitionLists(c, m, idFrom, wire.NullableValues[namedPartitions])
}

// layNamedPartitionsNotNull is layNamedPartitions where null can't be said.
func layNamedPartitionsNotNull(c *wire.Codec, m *map[string][]int32) {
	layPartitionLists(c, m, -1, wire.Values[namedPartitions])
}

func layPartitionLists(c *wire.Codec, m *map[string][]int32, idFrom int16,
	values func(*wire.Codec, *[]namedPartitions, func(*namedPartitions, *wire.Codec)),
) {
	var list []namedPartitions
	if c.Writing() && *m != nil {
		list = make([]namedPartitions, 0, len(*m))
		for _, topic := range sortedKeys(*m) {
			list = append(list, namedPartitions{topic, (*m)[topic]})
		}
	}
	values(c, &list, func(n *namedPartitions, c *wire.Codec) {
		if idFrom >= 0 {
			layTopic(c, idFrom, &n.topic)
		} else {
			c.String(&n.topic)
		}
		c.Int32s(&n.partitions)
	})
	if c.Writing() {
		return
	}
	if *m = nil; list != nil {
		*m = make(map[string][]int32, len(list))
		for _, n := range list {
			(*m)[n.topic] = n.partitions
		}
	}
}

// ElectionType says how a leader is elected.
type ElectionType int8

const (
	// PreferredElection makes the first replica the leader, if it is in sync.
	PreferredElection ElectionType = 0
	// UncleanElection makes any live replica the leader where none is in sync:
	// records may be lost (KIP-460).
	UncleanElection ElectionType = 1
)

// ElectLeadersRequest asks the controller to elect leaders (KIP-183, KIP-460).
type ElectLeadersRequest struct {
	Version int16
	// Type of the election, from version 1 on; preferred before.
	Type ElectionType
	// TopicPartitions by topic; nil means all.
	TopicPartitions map[string][]int32
	// TimeoutMs is how long the broker may take, in milliseconds.
	TimeoutMs int32
}

func (r *ElectLeadersRequest) meta() (*api, *int16) { return apiElectLeaders, &r.Version }

func (r *ElectLeadersRequest) layout(c *wire.Codec) {
	if c.From(1) {
		c.Int8((*int8)(&r.Type))
	}
	layNamedPartitions(c, &r.TopicPartitions, -1)
	c.Int32(&r.TimeoutMs)
}

func (r *ElectLeadersRequest) brokerWait() time.Duration { return millis(r.TimeoutMs) }

// ElectLeadersResponse is the answer to an ElectLeadersRequest.
type ElectLeadersResponse struct {
	Version        int16
	ThrottleTimeMs int32
	// ErrorCode of the whole request, from version 1 on.
	ErrorCode KError
	// ReplicaElectionResults by topic and partition.
	ReplicaElectionResults map[string]map[int32]*PartitionResult
}

// PartitionResult is what became of the election for one partition.
type PartitionResult struct {
	ErrorCode    KError
	ErrorMessage *string
}

func (r *ElectLeadersResponse) meta() (*api, *int16) { return apiElectLeaders, &r.Version }

func (r *ElectLeadersResponse) throttleTime() time.Duration { return millis(r.ThrottleTimeMs) }

func (r *ElectLeadersResponse) layout(c *wire.Codec) {
	c.Int32(&r.ThrottleTimeMs)
	if c.From(1) {
		layKError(c, &r.ErrorCode)
	}
	layTopicMap(c, &r.ReplicaElectionResults, -1, func(id *int32, p **PartitionResult) {
		if *p == nil {
			*p = new(PartitionResult)
		}
		c.Int32(id)
		layKError(c, &(*p).ErrorCode)
		c.NullableString(&(*p).ErrorMessage)
	})
}

// AlterPartitionReassignmentsRequest asks the controller to move partitions to
// other brokers (KIP-455).
type AlterPartitionReassignmentsRequest struct {
	// TimeoutMs is how long the broker may take, in milliseconds.
	TimeoutMs int32
	Version   int16
	// DisallowReplicationFactorChange refuses what would change the number of
	// replicas (KIP-860); it needs version 1.
	DisallowReplicationFactorChange bool

	blocks map[string]map[int32][]int32
}

// AddBlock asks for a partition's replicas, the preferred leader first; nil
// cancels what is under way.
func (r *AlterPartitionReassignmentsRequest) AddBlock(topic string, partitionID int32, replicas []int32) {
	if r.blocks == nil {
		r.blocks = make(map[string]map[int32][]int32)
	}
	if r.blocks[topic] == nil {
		r.blocks[topic] = make(map[int32][]int32)
	}
	r.blocks[topic][partitionID] = replicas
}

func (r *AlterPartitionReassignmentsRequest) meta() (*api, *int16) {
	return apiAlterPartitionReassignments, &r.Version
}

func (r *AlterPartitionReassignmentsRequest) layout(c *wire.Codec) {
	c.Int32(&r.TimeoutMs)
	needs(c, 1, &r.DisallowReplicationFactorChange, r.DisallowReplicationFactorChange)
	if c.From(1) {
		layNot(c, &r.DisallowReplicationFactorChange)
	}
	layTopicMap(c, &r.blocks, -1, func(id *int32, replicas *[]int32) {
		c.Int32(id)
		c.NullableInt32s(replicas)
	})
}

// layNot lays out a flag whose default is true.
func layNot(c *wire.Codec, p *bool) {
	v := !*p
	if c.Bool(&v); !c.Writing() {
		*p = !v
	}
}

func (r *AlterPartitionReassignmentsRequest) brokerWait() time.Duration { return millis(r.TimeoutMs) }

// AlterPartitionReassignmentsResponse is the answer to an
// AlterPartitionReassignmentsRequest.
type AlterPartitionReassignmentsResponse struct {
	Version        int16
	ThrottleTimeMs int32
	// ErrorCode and ErrorMessage of the whole request.
	ErrorCode    KError
	ErrorMessage *string
	// DisallowReplicationFactorChange is as the request had it, from version 1
	// on.
	DisallowReplicationFactorChange bool
	// Errors by topic and partition.
	Errors map[string]map[int32]*alterPartitionReassignmentsErrorBlock
}

type alterPartitionReassignmentsErrorBlock struct {
	errorCode    KError
	errorMessage *string
}

// AddError sets what is said of one partition.
func (r *AlterPartitionReassignmentsResponse) AddError(topic string, partition int32, kerror KError, message *string) {
	if r.Errors == nil {
		r.Errors = make(map[string]map[int32]*alterPartitionReassignmentsErrorBlock)
	}
	if r.Errors[topic] == nil {
		r.Errors[topic] = make(map[int32]*alterPartitionReassignmentsErrorBlock)
	}
	r.Errors[topic][partition] = &alterPartitionReassignmentsErrorBlock{kerror, message}
}

func (r *AlterPartitionReassignmentsResponse) meta() (*api, *int16) {
	return apiAlterPartitionReassignments, &r.Version
}

func (r *AlterPartitionReassignmentsResponse) throttleTime() time.Duration {
	return millis(r.ThrottleTimeMs)
}

func (r *AlterPartitionReassignmentsResponse) layout(c *wire.Codec) {
	c.Int32(&r.ThrottleTimeMs)
	if c.From(1) {
		layNot(c, &r.DisallowReplicationFactorChange)
	}
	layKError(c, &r.ErrorCode)
	c.NullableString(&r.ErrorMessage)
	layTopicMap(c, &r.Errors, -1, func(id *int32, p **alterPartitionReassignmentsErrorBlock) {
		if *p == nil {
			*p = new(alterPartitionReassignmentsErrorBlock)
		}
		c.Int32(id)
		layKError(c, &(*p).errorCode)
		c.NullableString(&(*p).errorMessage)
	})
}

// ListPartitionReassignmentsRequest asks the controller which partitions are
// being moved (KIP-455).
type ListPartitionReassignmentsRequest struct {
	// TimeoutMs is how long the broker may take, in milliseconds.
	TimeoutMs int32
	Version   int16

	blocks map[string][]int32 // nil: all
}

// AddBlock asks for partitions of a topic. Without any, all are asked for.
func (r *ListPartitionReassignmentsRequest) AddBlock(topic string, partitionIDs []int32) {
	if r.blocks == nil {
		r.blocks = make(map[string][]int32)
	}
	r.blocks[topic] = partitionIDs
}

func (r *ListPartitionReassignmentsRequest) meta() (*api, *int16) {
	return apiListPartitionReassignments, &r.Version
}

func (r *ListPartitionReassignmentsRequest) layout(c *wire.Codec) {
	c.Int32(&r.TimeoutMs)
	layNamedPartitions(c, &r.blocks, -1)
}

func (r *ListPartitionReassignmentsRequest) brokerWait() time.Duration { return millis(r.TimeoutMs) }

// ListPartitionReassignmentsResponse is the answer to a
// ListPartitionReassignmentsRequest.
type ListPartitionReassignmentsResponse struct {
	Version        int16
	ThrottleTimeMs int32
	// ErrorCode and ErrorMessage of the whole request.
	ErrorCode    KError
	ErrorMessage *string
	// TopicStatus by topic and partition, of those that are being moved.
	TopicStatus map[string]map[int32]*PartitionReplicaReassignmentsStatus
}

// PartitionReplicaReassignmentsStatus is where a partition's replicas are and
// where they are going.
type PartitionReplicaReassignmentsStatus struct {
	Replicas         []int32
	AddingReplicas   []int32
	RemovingReplicas []int32
}

// AddBlock sets the status of one partition.
func (r *ListPartitionReassignmentsResponse) AddBlock(topic string, partition int32, replicas, addingReplicas, removingReplicas []int32) {
	if r.TopicStatus == nil {
		r.TopicStatus = make(map[string]map[int32]*PartitionReplicaReassignmentsStatus)
	}
	if r.TopicStatus[topic] == nil {
		r.TopicStatus[topic] = make(map[int32]*PartitionReplicaReassignmentsStatus)
	}
	r.TopicStatus[topic][partition] = &PartitionReplicaReassignmentsStatus{replicas, addingReplicas, removingReplicas}
}

func (r *ListPartitionReassignmentsResponse) meta() (*api, *int16) {
	return apiListPartitionReassignments, &r.Version
}

func (r *ListPartitionReassignmentsResponse) throttleTime() time.Duration {
	return millis(r.ThrottleTimeMs)
}

func (r *ListPartitionReassignmentsResponse) layout(c *wire.Codec) {
	c.Int32(&r.ThrottleTimeMs)
	layKError(c, &r.ErrorCode)
	c.NullableString(&r.ErrorMessage)
	layTopicMap(c, &r.TopicStatus, -1, func(id *int32, p **PartitionReplicaReassignmentsStatus) {
		if *p == nil {
			*p = new(PartitionReplicaReassignmentsStatus)
		}
		c.Int32(id)
		c.Int32s(&(*p).Replicas)
		c.Int32s(&(*p).AddingReplicas)
		c.Int32s(&(*p).RemovingReplicas)
	})
}

// millis is a time that a message gives in milliseconds.
func millis(ms int32) time.Duration { return time.Duration(max(0, ms)) * time.Millisecond }
