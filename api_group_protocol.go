package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// ConsumerGroupHeartbeatRequest is all that a member of a group of the newer
// protocol (KIP-848) tells its coordinator: that it is alive, what it
// subscribes to, and which partitions it holds.
type ConsumerGroupHeartbeatRequest struct {
	Version int16
	GroupID string
	// MemberID is made by the member, from version 1 on.
	MemberID string
	// MemberEpoch is 0 to join, -1 to leave and -2 for a static member that
	// leaves for a while.
	MemberEpoch int32
	InstanceID  *string
	RackID      *string
	// RebalanceTimeoutMs is how long the member may take to give partitions
	// up, -1 where that has not changed since the last heartbeat; so has what
	// is nil below.
	RebalanceTimeoutMs   int32
	SubscribedTopicNames []string
	// SubscribedTopicRegex is in the syntax of RE2, from version 1 on.
	SubscribedTopicRegex *string
	// ServerAssignor is the strategy that the coordinator is to use.
	ServerAssignor *string
	// TopicPartitions are those that the member holds; topics are named by id
	// alone.
	TopicPartitions []ConsumerGroupTopicPartitions
}

func (r *ConsumerGroupHeartbeatRequest) meta() (*api, *int16) {
	return apiConsumerGroupHeartbeat, &r.Version
}

func (r *ConsumerGroupHeartbeatRequest) answerWithin(conf *Config) time.Duration {
	return min(conf.Net.ReadTimeout, conf.Consumer.Group.Session.Timeout)
}

func (r *ConsumerGroupHeartbeatRequest) layout(c *wire.Codec) {
	c.String(&r.GroupID)
	c.String(&r.MemberID)
	c.Int32(&r.MemberEpoch)
	c.NullableString(&r.InstanceID)
	c.NullableString(&r.RackID)
	c.Int32(&r.RebalanceTimeoutMs)
	c.NullableStrings(&r.SubscribedTopicNames)
	if c.From(1) {
		c.NullableString(&r.SubscribedTopicRegex)
	}
	c.NullableString(&r.ServerAssignor)
	wire.NullableValues(c, &r.TopicPartitions, (*ConsumerGroupTopicPartitions).layByID)
}

// ConsumerGroupHeartbeatResponse is the answer to a
// ConsumerGroupHeartbeatRequest.
type ConsumerGroupHeartbeatResponse struct {
	Version      int16
	ThrottleTime time.Duration
	Err          KError
	ErrMsg       *string
	MemberID     *string
	MemberEpoch  int32
	// HeartbeatIntervalMs is when the coordinator expects the next heartbeat.
	HeartbeatIntervalMs int32
	// Assignment is what the member is to hold, nil where that has not changed;
	// topics are named by id alone.
	Assignment *ConsumerGroupAssignment
}

func (r *ConsumerGroupHeartbeatResponse) meta() (*api, *int16) {
	return apiConsumerGroupHeartbeat, &r.Version
}

func (r *ConsumerGroupHeartbeatResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *ConsumerGroupHeartbeatResponse) layout(c *wire.Codec) {
	layThrottle(c, 0, &r.ThrottleTime)
	layKError(c, &r.Err)
	c.NullableString(&r.ErrMsg)
	c.NullableString(&r.MemberID)
	c.Int32(&r.MemberEpoch)
	c.Int32(&r.HeartbeatIntervalMs)
	wire.NullableStruct(c, &r.Assignment, (*ConsumerGroupAssignment).layByID)
}

// ConsumerGroupDescribeRequest asks what groups of the newer protocol
// (KIP-848) look like.
type ConsumerGroupDescribeRequest struct {
	Version  int16
	GroupIDs []string
	// IncludeAuthorizedOperations asks what the caller may do with them.
	IncludeAuthorizedOperations bool
}

// NewConsumerGroupDescribeRequest returns an empty request at the version that
// belongs to a Kafka version.
func NewConsumerGroupDescribeRequest(version KafkaVersion) *ConsumerGroupDescribeRequest {
	return &ConsumerGroupDescribeRequest{Version: apiConsumerGroupDescribe.versionFor(version)}
}

func (r *ConsumerGroupDescribeRequest) meta() (*api, *int16) {
	return apiConsumerGroupDescribe, &r.Version
}

func (r *ConsumerGroupDescribeRequest) layout(c *wire.Codec) {
	c.Strings(&r.GroupIDs)
	c.Bool(&r.IncludeAuthorizedOperations)
}

// ConsumerGroupDescribeResponse is the answer to a
// ConsumerGroupDescribeRequest.
type ConsumerGroupDescribeResponse struct {
	Version      int16
	ThrottleTime time.Duration
	Groups       []ConsumerGroupDescription
}

func (r *ConsumerGroupDescribeResponse) meta() (*api, *int16) {
	return apiConsumerGroupDescribe, &r.Version
}

func (r *ConsumerGroupDescribeResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *ConsumerGroupDescribeResponse) layout(c *wire.Codec) {
	layThrottle(c, 0, &r.ThrottleTime)
	wire.Values(c, &r.Groups, (*ConsumerGroupDescription).layout)
}

// ConsumerGroupDescription is a group of the newer protocol.
type ConsumerGroupDescription struct {
	ErrorCode    KError
	ErrorMessage *string
	GroupID      string
	GroupState   string
	// GroupEpoch grows whenever members, subscriptions or topics change;
	// AssignmentEpoch is that of the last plan.
	GroupEpoch      int32
	AssignmentEpoch int32
	AssignorName    string
	Members         []ConsumerGroupMemberDescription
	// AuthorizedOperations is a bit field, the smallest int32 where it was not
	// asked for.
	AuthorizedOperations int32
}

func (g *ConsumerGroupDescription) layout(c *wire.Codec) {
	layKError(c, &g.ErrorCode)
	c.NullableString(&g.ErrorMessage)
	c.String(&g.GroupID)
	c.String(&g.GroupState)
	c.Int32(&g.GroupEpoch)
	c.Int32(&g.AssignmentEpoch)
	c.String(&g.AssignorName)
	wire.Values(c, &g.Members, (*ConsumerGroupMemberDescription).layout)
	c.Int32(&g.AuthorizedOperations)
}

// ConsumerGroupMemberDescription is a member of a group of the newer protocol.
type ConsumerGroupMemberDescription struct {
	MemberID             string
	InstanceID           *string
	RackID               *string
	MemberEpoch          int32
	ClientID             string
	ClientHost           string
	SubscribedTopicNames []string
	SubscribedTopicRegex *string
	// Assignment is what the member holds, TargetAssignment what it is to hold.
	Assignment       ConsumerGroupAssignment
	TargetAssignment ConsumerGroupAssignment
	// MemberType is 0 for a member of the classic protocol, 1 for one of the
	// newer, -1 when unknown; from version 1 on.
	MemberType int8
}

func (m *ConsumerGroupMemberDescription) layout(c *wire.Codec) {
	c.String(&m.MemberID)
	c.NullableString(&m.InstanceID)
	c.NullableString(&m.RackID)
	c.Int32(&m.MemberEpoch)
	c.String(&m.ClientID)
	c.String(&m.ClientHost)
	c.Strings(&m.SubscribedTopicNames)
	c.NullableString(&m.SubscribedTopicRegex)
	wire.Struct(c, &m.Assignment, (*ConsumerGroupAssignment).layout)
	wire.Struct(c, &m.TargetAssignment, (*ConsumerGroupAssignment).layout)
	if c.From(1) {
		c.Int8(&m.MemberType)
	} else if !c.Writing() {
		m.MemberType = -1
	}
}

// ConsumerGroupAssignment is a set of partitions.
type ConsumerGroupAssignment struct {
	TopicPartitions []ConsumerGroupTopicPartitions
}

func (a *ConsumerGroupAssignment) layout(c *wire.Codec) {
	wire.Values(c, &a.TopicPartitions, (*ConsumerGroupTopicPartitions).layout)
}

func (a *ConsumerGroupAssignment) layByID(c *wire.Codec) {
	wire.Values(c, &a.TopicPartitions, (*ConsumerGroupTopicPartitions).layByID)
}

// ConsumerGroupTopicPartitions are partitions of one topic.
type ConsumerGroupTopicPartitions struct {
	TopicID    Uuid
	TopicName  string
	Partitions []int32
}

func (t *ConsumerGroupTopicPartitions) layout(c *wire.Codec) {
	c.UUID((*[16]byte)(&t.TopicID))
	c.String(&t.TopicName)
	c.Int32s(&t.Partitions)
}

// layByID is the form of heartbeats, which names topics by id alone.
func (t *ConsumerGroupTopicPartitions) layByID(c *wire.Codec) {
	c.UUID((*[16]byte)(&t.TopicID))
	c.Int32s(&t.Partitions)
}
