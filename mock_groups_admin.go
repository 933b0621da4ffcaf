package sarama

import (
	"maps"
	"slices"
	"sync"
)

// Helpers that make the responses to questions about groups.

// MockListGroupsResponse makes responses that list groups.
type MockListGroupsResponse struct {
	t      TestReporter
	mu     sync.Mutex
	groups map[string]string // types by id
}

// NewMockListGroupsResponse makes a helper that knows of no group yet.
func NewMockListGroupsResponse(t TestReporter) *MockListGroupsResponse {
	return &MockListGroupsResponse{t: t}
}

// AddGroup adds a group, with the type of its protocol, such as "consumer".
func (m *MockListGroupsResponse) AddGroup(groupID, protocolType string) *MockListGroupsResponse {
	return mockWith(m, &m.mu, func() { mockSet(&m.groups, groupID, protocolType) })
}

// For lists the groups, whatever filter the request has.
func (m *MockListGroupsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *ListGroupsRequest) body {
		return &ListGroupsResponse{Version: req.Version, Groups: maps.Clone(m.groups)}
	})
}

// MockDescribeGroupsResponse makes responses that describe groups.
type MockDescribeGroupsResponse struct {
	t      TestReporter
	mu     sync.Mutex
	groups map[string]*GroupDescription
}

// NewMockDescribeGroupsResponse makes a helper that knows of no group yet.
func NewMockDescribeGroupsResponse(t TestReporter) *MockDescribeGroupsResponse {
	return &MockDescribeGroupsResponse{t: t}
}

// AddGroupDescription adds a group. The description must not be changed
// afterwards.
func (m *MockDescribeGroupsResponse) AddGroupDescription(groupID string, description *GroupDescription) *MockDescribeGroupsResponse {
	return mockWith(m, &m.mu, func() { mockSet(&m.groups, groupID, description) })
}

// For describes the groups asked for; one that was not added is dead.
func (m *MockDescribeGroupsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *DescribeGroupsRequest) body {
		resp := &DescribeGroupsResponse{Version: req.Version}
		for _, id := range req.Groups {
			g := m.groups[id]
			if g == nil {
				g = &GroupDescription{GroupId: id, State: "Dead"}
			}
			resp.Groups = append(resp.Groups, g)
		}
		return resp
	})
}

// MockConsumerGroupDescribeResponse makes responses that describe groups of the
// newer protocol (KIP-848).
type MockConsumerGroupDescribeResponse struct {
	t      TestReporter
	mu     sync.Mutex
	groups map[string]ConsumerGroupDescription
}

// NewMockConsumerGroupDescribeResponse makes a helper that knows of no group
// yet.
func NewMockConsumerGroupDescribeResponse(t TestReporter) *MockConsumerGroupDescribeResponse {
	return &MockConsumerGroupDescribeResponse{t: t}
}

// AddGroupDescription adds a group.
func (m *MockConsumerGroupDescribeResponse) AddGroupDescription(groupID string, description ConsumerGroupDescription) *MockConsumerGroupDescribeResponse {
	if description.AuthorizedOperations == 0 {
		description.AuthorizedOperations = authorizedOperationsUnknown
	}
	return mockWith(m, &m.mu, func() { mockSet(&m.groups, groupID, description) })
}

// authorizedOperationsUnknown stands for a bit field that was not asked for
// (KIP-430).
const authorizedOperationsUnknown = -1 << 31

// For describes the groups asked for; for one that was not added there is
// ErrGroupIDNotFound.
func (m *MockConsumerGroupDescribeResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *ConsumerGroupDescribeRequest) body {
		resp := &ConsumerGroupDescribeResponse{Version: req.Version}
		for _, id := range req.GroupIDs {
			g, ok := m.groups[id]
			if !ok {
				g = ConsumerGroupDescription{GroupID: id, ErrorCode: ErrGroupIDNotFound, AuthorizedOperations: authorizedOperationsUnknown}
			}
			resp.Groups = append(resp.Groups, g)
		}
		return resp
	})
}

// MockDeleteGroupsResponse makes responses to groups that are deleted.
type MockDeleteGroupsResponse struct {
	t       TestReporter
	mu      sync.Mutex
	deleted []string
}

// NewMockDeleteGroupsRequest makes a helper that has nothing deleted yet.
// Despite its name it makes responses.
func NewMockDeleteGroupsRequest(t TestReporter) *MockDeleteGroupsResponse {
	return &MockDeleteGroupsResponse{t: t}
}

// SetDeletedGroups sets the groups that are deleted.
func (m *MockDeleteGroupsResponse) SetDeletedGroups(groups []string) *MockDeleteGroupsResponse {
	return mockWith(m, &m.mu, func() { m.deleted = slices.Clone(groups) })
}

// For says of the groups that were set that they are deleted, whichever were
// asked for.
func (m *MockDeleteGroupsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *DeleteGroupsRequest) body {
		resp := &DeleteGroupsResponse{Version: req.Version, GroupErrorCodes: make(map[string]KError, len(m.deleted))}
		for _, id := range m.deleted {
			resp.GroupErrorCodes[id] = ErrNoError
		}
		return resp
	})
}

// MockDeleteOffsetResponse makes responses to offsets that are deleted.
type MockDeleteOffsetResponse struct {
	t    TestReporter
	mu   sync.Mutex
	err  KError
	set  bool // at and code are
	at   topicPartition
	code KError
}

// NewMockDeleteOffsetRequest makes a helper that has all offsets deleted.
// Despite its name it makes responses.
func NewMockDeleteOffsetRequest(t TestReporter) *MockDeleteOffsetResponse {
	return &MockDeleteOffsetResponse{t: t}
}

// SetDeletedOffset sets the error of the response, and what it says of a
// partition, the only one in it.
func (m *MockDeleteOffsetResponse) SetDeletedOffset(errorCode KError, topic string, partition int32, errorPartition KError) *MockDeleteOffsetResponse {
	return mockWith(m, &m.mu, func() {
		m.err, m.set, m.at, m.code = errorCode, true, topicPartition{topic, partition}, errorPartition
	})
}

// For returns what was set, or answers for each partition of the request.
func (m *MockDeleteOffsetResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *DeleteOffsetsRequest) body {
		resp := &DeleteOffsetsResponse{Version: req.Version, ErrorCode: m.err}
		if m.set {
			resp.AddError(m.at.topic, m.at.partition, m.code)
			return resp
		}
		for topic, partitions := range req.partitions {
			for _, partition := range partitions {
				resp.AddError(topic, partition, ErrNoError)
			}
		}
		return resp
	})
}
