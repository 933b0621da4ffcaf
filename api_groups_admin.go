package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// DescribeGroupsRequest asks what groups look like.
type DescribeGroupsRequest struct {
	Version int16
	Groups  []string
	// IncludeAuthorizedOperations asks what the caller may do with them
	// (KIP-430), from version 3 on.
	IncludeAuthorizedOperations bool
}

// AddGroup asks for one more group.
func (r *DescribeGroupsRequest) AddGroup(group string) { r.Groups = append(r.Groups, group) }

func (r *DescribeGroupsRequest) meta() (*api, *int16) { return apiDescribeGroups, &r.Version }

func (r *DescribeGroupsRequest) layout(c *wire.Codec) {
	c.Strings(&r.Groups)
	if c.From(3) {
		c.Bool(&r.IncludeAuthorizedOperations)
	}
}

// DescribeGroupsResponse is the answer to a DescribeGroupsRequest.
type DescribeGroupsResponse struct {
	Version        int16
	ThrottleTimeMs int32
	Groups         []*GroupDescription
}

func (r *DescribeGroupsResponse) meta() (*api, *int16) { return apiDescribeGroups, &r.Version }

func (r *DescribeGroupsResponse) throttleTime() time.Duration { return millis(r.ThrottleTimeMs) }

func (r *DescribeGroupsResponse) layout(c *wire.Codec) {
	if c.From(1) {
		c.Int32(&r.ThrottleTimeMs)
	}
	wire.Structs(c, &r.Groups, (*GroupDescription).layout)
}

// GroupDescription is a group as its coordinator sees it.
type GroupDescription struct {
	Version int16
	// Err and ErrorCode are the same.
	Err       KError
	ErrorCode int16
	// ErrorMessage from version 6 on.
	ErrorMessage *string
	GroupId      string
	State        string
	ProtocolType string
	// Protocol is the strategy in use.
	Protocol string
	// Members by id.
	Members map[string]*GroupMemberDescription
	// AuthorizedOperations is a bit field, the smallest int32 where it was not
	// asked for, from version 3 on.
	AuthorizedOperations int32
}

func (g *GroupDescription) layout(c *wire.Codec) {
	err := g.Err
	if c.Writing() && err == ErrNoError {
		err = KError(g.ErrorCode)
	}
	if layKError(c, &err); !c.Writing() {
		g.Version, g.Err, g.ErrorCode = c.Version, err, int16(err)
	}
	if c.From(6) {
		c.NullableString(&g.ErrorMessage)
	}
	c.String(&g.GroupId)
	c.String(&g.State)
	c.String(&g.ProtocolType)
	c.String(&g.Protocol)
	layPointers(c, &g.Members, func(id *string, m *GroupMemberDescription) {
		if c.String(id); !c.Writing() {
			m.Version, m.MemberId = c.Version, *id
		}
		m.layout(c)
	})
	if c.From(3) {
		c.Int32(&g.AuthorizedOperations)
	}
}

// GroupMemberDescription is a member as its group's coordinator sees it.
type GroupMemberDescription struct {
	Version  int16
	MemberId string
	// GroupInstanceId is set for a static member, from version 4 on.
	GroupInstanceId *string
	ClientId        string
	ClientHost      string
	// MemberMetadata is what the member said when it joined, MemberAssignment
	// its part of the plan.
	MemberMetadata   []byte
	MemberAssignment []byte
}

// layout is that of what comes after the id.
func (m *GroupMemberDescription) layout(c *wire.Codec) {
	if c.From(4) {
		c.NullableString(&m.GroupInstanceId)
	}
	c.String(&m.ClientId)
	c.String(&m.ClientHost)
	c.Bytes(&m.MemberMetadata)
	c.Bytes(&m.MemberAssignment)
}

// ListGroupsRequest asks a broker which groups it coordinates.
type ListGroupsRequest struct {
	Version int16
	// StatesFilter limits the answer to groups in these states (KIP-518), from
	// version 4 on.
	StatesFilter []string
	// TypesFilter limits the answer to groups of these types (KIP-848), from
	// version 5 on.
	TypesFilter []string
}

func (r *ListGroupsRequest) meta() (*api, *int16) { return apiListGroups, &r.Version }

func (r *ListGroupsRequest) layout(c *wire.Codec) {
	if c.From(4) {
		c.Strings(&r.StatesFilter)
	}
	if c.From(5) {
		c.Strings(&r.TypesFilter)
	}
}

// ListGroupsResponse is the answer to a ListGroupsRequest.
type ListGroupsResponse struct {
	Version int16
	// ThrottleTime in milliseconds.
	ThrottleTime int32
	Err          KError
	// Groups has the protocol type by group id.
	Groups map[string]string
	// GroupsData has more of each group, from version 4 on.
	GroupsData map[string]GroupData
}

// GroupData is what is said of a listed group.
type GroupData struct {
	// GroupState from version 4 on, GroupType (classic, consumer, …) from
	// version 5 on.
	GroupState string
	GroupType  string
}

func (r *ListGroupsResponse) meta() (*api, *int16) { return apiListGroups, &r.Version }

func (r *ListGroupsResponse) throttleTime() time.Duration { return millis(r.ThrottleTime) }

func (r *ListGroupsResponse) layout(c *wire.Codec) {
	if c.From(1) {
		c.Int32(&r.ThrottleTime)
	}
	layKError(c, &r.Err)
	layMap(c, &r.Groups, func(id, protocolType *string) {
		c.String(id)
		c.String(protocolType)
		data := r.GroupsData[*id]
		if c.From(4) {
			c.String(&data.GroupState)
		}
		if c.From(5) {
			c.String(&data.GroupType)
		}
		if c.From(4) && !c.Writing() && c.Err() == nil {
			if r.GroupsData == nil {
				r.GroupsData = make(map[string]GroupData)
			}
			r.GroupsData[*id] = data
		}
	})
}

// DeleteGroupsRequest deletes groups that have no members.
type DeleteGroupsRequest struct {
	Version int16
	Groups  []string
}

// AddGroup deletes one more group.
func (r *DeleteGroupsRequest) AddGroup(group string) { r.Groups = append(r.Groups, group) }

func (r *DeleteGroupsRequest) meta() (*api, *int16) { return apiDeleteGroups, &r.Version }

func (r *DeleteGroupsRequest) layout(c *wire.Codec) { c.Strings(&r.Groups) }

// DeleteGroupsResponse is the answer to a DeleteGroupsRequest.
type DeleteGroupsResponse struct {
	Version         int16
	ThrottleTime    time.Duration
	GroupErrorCodes map[string]KError
}

func (r *DeleteGroupsResponse) meta() (*api, *int16) { return apiDeleteGroups, &r.Version }

func (r *DeleteGroupsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *DeleteGroupsResponse) layout(c *wire.Codec) {
	layThrottle(c, 0, &r.ThrottleTime)
	layMap(c, &r.GroupErrorCodes, func(id *string, err *KError) {
		c.String(id)
		layKError(c, err)
	})
}

// DeleteOffsetsRequest deletes what is stored of partitions that no member of
// the group subscribes to (KIP-496).
type DeleteOffsetsRequest struct {
	Version int16
	Group   string

	partitions map[string][]int32
}

// AddPartition deletes the offset of one more partition.
func (r *DeleteOffsetsRequest) AddPartition(topic string, partitionID int32) {
	if r.partitions == nil {
		r.partitions = make(map[string][]int32)
	}
	r.partitions[topic] = append(r.partitions[topic], partitionID)
}

func (r *DeleteOffsetsRequest) meta() (*api, *int16) { return apiOffsetDelete, &r.Version }

func (r *DeleteOffsetsRequest) layout(c *wire.Codec) {
	c.String(&r.Group)
	layNamedPartitionsNotNull(c, &r.partitions)
}

// DeleteOffsetsResponse is the answer to a DeleteOffsetsRequest.
type DeleteOffsetsResponse struct {
	Version int16
	// ErrorCode of the whole request.
	ErrorCode    KError
	ThrottleTime time.Duration
	// Errors by topic and partition.
	Errors map[string]map[int32]KError
}

// AddError sets what became of a partition.
func (r *DeleteOffsetsResponse) AddError(topic string, partition int32, errorCode KError) {
	if r.Errors == nil {
		r.Errors = make(map[string]map[int32]KError)
	}
	if r.Errors[topic] == nil {
		r.Errors[topic] = make(map[int32]KError)
	}
	r.Errors[topic][partition] = errorCode
}

func (r *DeleteOffsetsResponse) meta() (*api, *int16) { return apiOffsetDelete, &r.Version }

func (r *DeleteOffsetsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *DeleteOffsetsResponse) layout(c *wire.Codec) {
	layKError(c, &r.ErrorCode)
	c.Millis(&r.ThrottleTime)
	layTopicMap(c, &r.Errors, -1, func(partition *int32, err *KError) {
		c.Int32(partition)
		layKError(c, err)
	})
}
