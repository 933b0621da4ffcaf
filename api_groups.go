package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// GroupProtocol is one way to divide partitions that a member offers: the name
// of a strategy and the member's metadata for it.
type GroupProtocol struct {
	Name     string
	Metadata []byte
}

func (p *GroupProtocol) layout(c *wire.Codec) {
	c.String(&p.Name)
	c.Bytes(&p.Metadata)
}

// JoinGroupRequest asks a group's coordinator for a place in the group's next
// generation. It is answered when all members have asked, or the rebalance
// timeout is over.
type JoinGroupRequest struct {
	Version int16
	GroupId string
	// SessionTimeout is for how long the member may be silent, in milliseconds.
	SessionTimeout int32
	// RebalanceTimeout is how long the coordinator waits for the other
	// members, in milliseconds; from version 1 on.
	RebalanceTimeout int32
	// MemberId is empty for a member that has none yet.
	MemberId string
	// GroupInstanceId is set for a static member (KIP-345), from version 5 on.
	GroupInstanceId *string
	ProtocolType    string
	// GroupProtocols by name, or OrderedGroupProtocols, which keeps the
	// member's preference; both is an error.
	GroupProtocols        map[string][]byte
	OrderedGroupProtocols []*GroupProtocol
	// Reason to join, for the coordinator's log (KIP-800), from version 8 on.
	Reason *string

	read bool // both lists are the same, as read
}

// NewJoinGroupRequest returns an empty request at the version that belongs to
// a Kafka version.
func NewJoinGroupRequest(version KafkaVersion) *JoinGroupRequest {
	return &JoinGroupRequest{Version: apiJoinGroup.versionFor(version)}
}

// AddGroupProtocol offers a strategy; those that are added first are preferred.
func (r *JoinGroupRequest) AddGroupProtocol(name string, metadata []byte) {
	r.OrderedGroupProtocols = append(r.OrderedGroupProtocols, &GroupProtocol{Name: name, Metadata: metadata})
}

func (r *JoinGroupRequest) meta() (*api, *int16) { return apiJoinGroup, &r.Version }

// groupSlackMax is how much later than a rebalance's timeout its answer may be.
const groupSlackMax = 5 * time.Second

// answerWithin is until the last member has come.
func (r *JoinGroupRequest) answerWithin(conf *Config) time.Duration {
	wait := millis(r.RebalanceTimeout)
	if r.Version == 0 {
		wait = millis(r.SessionTimeout)
	}
	return wait + min(conf.Net.ReadTimeout, groupSlackMax)
}

func (r *JoinGroupRequest) layout(c *wire.Codec) {
	c.String(&r.GroupId)
	c.Int32(&r.SessionTimeout)
	if c.From(1) {
		c.Int32(&r.RebalanceTimeout)
	}
	c.String(&r.MemberId)
	if c.From(5) {
		c.NullableString(&r.GroupInstanceId)
	}
	c.String(&r.ProtocolType)
	r.layProtocols(c)
	if c.From(8) {
		c.NullableString(&r.Reason)
	}
}

func (r *JoinGroupRequest) layProtocols(c *wire.Codec) {
	list := r.OrderedGroupProtocols
	if c.Writing() && len(r.GroupProtocols) > 0 && !r.read {
		if len(list) > 0 {
			c.Invalid(&r.GroupProtocols, "GroupProtocols and OrderedGroupProtocols are both set")
			return
		}
		for _, name := range sortedKeys(r.GroupProtocols) {
			list = append(list, &GroupProtocol{Name: name, Metadata: r.GroupProtocols[name]})
		}
	}
	wire.Structs(c, &list, (*GroupProtocol).layout)
	if c.Writing() {
		return
	}
	r.OrderedGroupProtocols, r.GroupProtocols, r.read = list, make(map[string][]byte, len(list)), true
	for _, p := range list {
		if p != nil {
			r.GroupProtocols[p.Name] = p.Metadata
		}
	}
}

// JoinGroupResponse is the answer to a JoinGroupRequest.
type JoinGroupResponse struct {
	Version int16
	// ThrottleTime in milliseconds.
	ThrottleTime int32
	Err          KError
	GenerationId int32
	// ProtocolType from version 7 on.
	ProtocolType *string
	// GroupProtocol is the strategy that all members have in common.
	GroupProtocol string
	// LeaderId is the member that makes the plan.
	LeaderId string
	// SkipAssignment tells the leader that the plan of before is still good
	// (KIP-814), from version 9 on.
	SkipAssignment bool
	MemberId       string
	// Members of the group, for the leader only.
	Members []GroupMember
}

// GroupMember is a member as its group's leader sees it.
type GroupMember struct {
	MemberId        string
	GroupInstanceId *string
	// Metadata is what the member said with the strategy that was chosen.
	Metadata []byte
}

func (m *GroupMember) layout(c *wire.Codec) {
	c.String(&m.MemberId)
	if c.From(5) {
		c.NullableString(&m.GroupInstanceId)
	}
	c.Bytes(&m.Metadata)
}

func (r *JoinGroupResponse) meta() (*api, *int16) { return apiJoinGroup, &r.Version }

func (r *JoinGroupResponse) throttleTime() time.Duration { return millis(r.ThrottleTime) }

func (r *JoinGroupResponse) layout(c *wire.Codec) {
	if c.From(2) {
		c.Int32(&r.ThrottleTime)
	}
	layKError(c, &r.Err)
	c.Int32(&r.GenerationId)
	if c.From(7) {
		c.NullableString(&r.ProtocolType)
		c.StringOrNull(&r.GroupProtocol)
	} else {
		c.String(&r.GroupProtocol)
	}
	c.String(&r.LeaderId)
	if c.From(9) {
		c.Bool(&r.SkipAssignment)
	}
	c.String(&r.MemberId)
	wire.Values(c, &r.Members, (*GroupMember).layout)
}

// SyncGroupRequest hands the leader's plan to the coordinator, and asks for the
// member's own part of it.
type SyncGroupRequest struct {
	Version      int16
	GroupId      string
	GenerationId int32
	MemberId     string
	// GroupInstanceId is set for a static member, from version 3 on.
	GroupInstanceId *string
	// ProtocolType and ProtocolName are checked where they are set, from
	// version 5 on (KIP-559).
	ProtocolType *string
	ProtocolName *string
	// GroupAssignments is the plan, from the leader only.
	GroupAssignments []SyncGroupRequestAssignment
}

// SyncGroupRequestAssignment is one member's part of a plan.
type SyncGroupRequestAssignment struct {
	MemberId   string
	Assignment []byte
}

func (a *SyncGroupRequestAssignment) layout(c *wire.Codec) {
	c.String(&a.MemberId)
	c.Bytes(&a.Assignment)
}

// AddGroupAssignment adds a member's part of the plan.
func (r *SyncGroupRequest) AddGroupAssignment(memberId string, memberAssignment []byte) {
	r.GroupAssignments = append(r.GroupAssignments, SyncGroupRequestAssignment{MemberId: memberId, Assignment: memberAssignment})
}

// answerWithin is until the leader has made the plan.
func (r *SyncGroupRequest) answerWithin(conf *Config) time.Duration {
	return conf.Consumer.Group.Rebalance.Timeout + min(conf.Net.ReadTimeout, groupSlackMax)
}

func (r *SyncGroupRequest) meta() (*api, *int16) { return apiSyncGroup, &r.Version }

func (r *SyncGroupRequest) layout(c *wire.Codec) {
	c.String(&r.GroupId)
	c.Int32(&r.GenerationId)
	c.String(&r.MemberId)
	if c.From(3) {
		c.NullableString(&r.GroupInstanceId)
	}
	if c.From(5) {
		c.NullableString(&r.ProtocolType)
		c.NullableString(&r.ProtocolName)
	}
	wire.Values(c, &r.GroupAssignments, (*SyncGroupRequestAssignment).layout)
}

// SyncGroupResponse is the answer to a SyncGroupRequest.
type SyncGroupResponse struct {
	Version int16
	// ThrottleTime in milliseconds.
	ThrottleTime int32
	Err          KError
	// ProtocolType and ProtocolName from version 5 on.
	ProtocolType *string
	ProtocolName *string
	// MemberAssignment is the member's part of the plan.
	MemberAssignment []byte
}

func (r *SyncGroupResponse) meta() (*api, *int16) { return apiSyncGroup, &r.Version }

func (r *SyncGroupResponse) throttleTime() time.Duration { return millis(r.ThrottleTime) }

func (r *SyncGroupResponse) layout(c *wire.Codec) {
	if c.From(1) {
		c.Int32(&r.ThrottleTime)
	}
	layKError(c, &r.Err)
	if c.From(5) {
		c.NullableString(&r.ProtocolType)
		c.NullableString(&r.ProtocolName)
	}
	c.Bytes(&r.MemberAssignment)
}

// HeartbeatRequest tells the coordinator that a member is alive.
type HeartbeatRequest struct {
	Version      int16
	GroupId      string
	GenerationId int32
	MemberId     string
	// GroupInstanceId is set for a static member, from version 3 on.
	GroupInstanceId *string
}

// answerWithin is until the coordinator takes the member for dead.
func (r *HeartbeatRequest) answerWithin(conf *Config) time.Duration {
	return min(conf.Net.ReadTimeout, conf.Consumer.Group.Session.Timeout)
}

func (r *HeartbeatRequest) meta() (*api, *int16) { return apiHeartbeat, &r.Version }

func (r *HeartbeatRequest) layout(c *wire.Codec) {
	c.String(&r.GroupId)
	c.Int32(&r.GenerationId)
	c.String(&r.MemberId)
	if c.From(3) {
		c.NullableString(&r.GroupInstanceId)
	}
}

// HeartbeatResponse is the answer to a HeartbeatRequest.
type HeartbeatResponse struct {
	Version int16
	// ThrottleTime in milliseconds.
	ThrottleTime int32
	// Err is ErrRebalanceInProgress when the members have to join again.
	Err KError
}

func (r *HeartbeatResponse) meta() (*api, *int16) { return apiHeartbeat, &r.Version }

func (r *HeartbeatResponse) throttleTime() time.Duration { return millis(r.ThrottleTime) }

func (r *HeartbeatResponse) layout(c *wire.Codec) {
	if c.From(1) {
		c.Int32(&r.ThrottleTime)
	}
	layKError(c, &r.Err)
}

// leaveGroupHasMembers is the first version of LeaveGroup that takes several
// members, static ones included (KIP-345).
const leaveGroupHasMembers = 3

// LeaveGroupRequest takes members out of a group.
type LeaveGroupRequest struct {
	Version int16
	GroupId string
	// MemberId is the one that leaves, up to version 2.
	MemberId string
	// Members are those that leave, from version 3 on.
	Members []MemberIdentity
}

// MemberIdentity names a member that leaves a group.
type MemberIdentity struct {
	MemberId string
	// GroupInstanceId names a static member.
	GroupInstanceId *string
	// Reason to leave, for the coordinator's log (KIP-800), from version 5 on.
	Reason *string
}

func (m *MemberIdentity) layout(c *wire.Codec) {
	c.String(&m.MemberId)
	c.NullableString(&m.GroupInstanceId)
	if c.From(5) {
		c.NullableString(&m.Reason)
	}
}

func (r *LeaveGroupRequest) meta() (*api, *int16) { return apiLeaveGroup, &r.Version }

func (r *LeaveGroupRequest) layout(c *wire.Codec) {
	c.String(&r.GroupId)
	if !c.From(leaveGroupHasMembers) {
		c.String(&r.MemberId)
		return
	}
	wire.Values(c, &r.Members, (*MemberIdentity).layout)
}

// LeaveGroupResponse is the answer to a LeaveGroupRequest.
type LeaveGroupResponse struct {
	Version int16
	// ThrottleTime in milliseconds.
	ThrottleTime int32
	Err          KError
	// Members has what became of each, from version 3 on.
	Members []MemberResponse
}

// MemberResponse is what became of a member that was to leave.
type MemberResponse struct {
	MemberId        string
	GroupInstanceId *string
	Err             KError
}

func (m *MemberResponse) layout(c *wire.Codec) {
	c.String(&m.MemberId)
	c.NullableString(&m.GroupInstanceId)
	layKError(c, &m.Err)
}

func (r *LeaveGroupResponse) meta() (*api, *int16) { return apiLeaveGroup, &r.Version }

func (r *LeaveGroupResponse) throttleTime() time.Duration { return millis(r.ThrottleTime) }

func (r *LeaveGroupResponse) layout(c *wire.Codec) {
	if c.From(1) {
		c.Int32(&r.ThrottleTime)
	}
	layKError(c, &r.Err)
	if c.From(leaveGroupHasMembers) {
		wire.Values(c, &r.Members, (*MemberResponse).layout)
	}
}
