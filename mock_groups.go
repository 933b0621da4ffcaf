package sarama

import (
	"slices"
	"sync"
)

// Helpers that make the responses of coordinators.

// mockCoordinator is what a helper says of a coordinator.
type mockCoordinator struct {
	broker *MockBroker
	err    KError
}

// node is the coordinator as a client sees it.
func (c mockCoordinator) node() *Broker {
	if c.broker == nil {
		return nil
	}
	return &Broker{id: c.broker.BrokerID(), addr: c.broker.Addr()}
}

type mockCoordinatorKey struct {
	kind CoordinatorType
	name string
}

// MockFindCoordinatorResponse makes responses that name coordinators.
type MockFindCoordinatorResponse struct {
	t            TestReporter
	mu           sync.Mutex
	coordinators map[mockCoordinatorKey]mockCoordinator
}

// NewMockFindCoordinatorResponse makes a helper that knows of none yet.
func NewMockFindCoordinatorResponse(t TestReporter) *MockFindCoordinatorResponse {
	return &MockFindCoordinatorResponse{t: t}
}

// SetCoordinator sets the coordinator of a group or transactional id.
func (m *MockFindCoordinatorResponse) SetCoordinator(coordinatorType CoordinatorType, group string, broker *MockBroker) *MockFindCoordinatorResponse {
	return mockWith(m, &m.mu, func() {
		mockSet(&m.coordinators, mockCoordinatorKey{coordinatorType, group}, mockCoordinator{broker: broker})
	})
}

// SetError has no coordinator be found for a group or transactional id.
func (m *MockFindCoordinatorResponse) SetError(coordinatorType CoordinatorType, group string, kerror KError) *MockFindCoordinatorResponse {
	return mockWith(m, &m.mu, func() {
		mockSet(&m.coordinators, mockCoordinatorKey{coordinatorType, group}, mockCoordinator{err: kerror})
	})
}

// For names the coordinator; where none was set, there is none, and no error.
func (m *MockFindCoordinatorResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *FindCoordinatorRequest) body {
		find := func(name string) mockCoordinator {
			return m.coordinators[mockCoordinatorKey{req.CoordinatorType, name}]
		}
		first := find(req.CoordinatorKey)
		resp := &FindCoordinatorResponse{Version: req.Version, Err: first.err, Coordinator: first.node()}
		for _, name := range req.CoordinatorKeys {
			c := find(name)
			resp.Coordinators = append(resp.Coordinators, &FoundCoordinator{Key: name, Err: c.err, Coordinator: c.node()})
		}
		return resp
	})
}

// MockConsumerMetadataResponse makes responses that name groups' coordinators,
// in the form from before Kafka 0.11.
type MockConsumerMetadataResponse struct {
	t            TestReporter
	mu           sync.Mutex
	coordinators map[string]mockCoordinator
}

// NewMockConsumerMetadataResponse makes a helper that knows of none yet.
func NewMockConsumerMetadataResponse(t TestReporter) *MockConsumerMetadataResponse {
	return &MockConsumerMetadataResponse{t: t}
}

// SetCoordinator sets the coordinator of a group.
func (m *MockConsumerMetadataResponse) SetCoordinator(group string, broker *MockBroker) *MockConsumerMetadataResponse {
	return mockWith(m, &m.mu, func() { mockSet(&m.coordinators, group, mockCoordinator{broker: broker}) })
}

// SetError has no coordinator be found for a group.
func (m *MockConsumerMetadataResponse) SetError(group string, kerror KError) *MockConsumerMetadataResponse {
	return mockWith(m, &m.mu, func() { mockSet(&m.coordinators, group, mockCoordinator{err: kerror}) })
}

// For names the coordinator; where none was set, there is none, and no error.
func (m *MockConsumerMetadataResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *ConsumerMetadataRequest) body {
		c := m.coordinators[req.ConsumerGroup]
		return &ConsumerMetadataResponse{Version: req.Version, Err: c.err, Coordinator: c.node()}
	})
}

// mockGroupPlace is a partition of a group in the maps of helpers.
type mockGroupPlace struct {
	group string
	topicPartition
}

// MockOffsetCommitResponse makes responses to offsets that are committed.
type MockOffsetCommitResponse struct {
	t      TestReporter
	mu     sync.Mutex
	errors map[mockGroupPlace]KError
}

// NewMockOffsetCommitResponse makes a helper that takes all offsets.
func NewMockOffsetCommitResponse(t TestReporter) *MockOffsetCommitResponse {
	return &MockOffsetCommitResponse{t: t}
}

// SetError sets the error of a partition.
func (m *MockOffsetCommitResponse) SetError(group, topic string, partition int32, kerror KError) *MockOffsetCommitResponse {
	return mockWith(m, &m.mu, func() { mockSet(&m.errors, mockGroupPlace{group, topicPartition{topic, partition}}, kerror) })
}

// For answers for each partition of the request.
func (m *MockOffsetCommitResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *OffsetCommitRequest) body {
		resp := &OffsetCommitResponse{Version: req.Version}
		for topic, partitions := range req.blocks {
			for partition := range partitions {
				resp.AddError(topic, partition, m.errors[mockGroupPlace{req.ConsumerGroup, topicPartition{topic, partition}}])
			}
		}
		return resp
	})
}

// MockOffsetFetchResponse makes responses that say how far groups have come.
type MockOffsetFetchResponse struct {
	t       TestReporter
	mu      sync.Mutex
	err     KError
	offsets map[string]map[topicPartition]OffsetFetchResponseBlock // by group
}

// NewMockOffsetFetchResponse makes a helper that knows of no offset yet.
func NewMockOffsetFetchResponse(t TestReporter) *MockOffsetFetchResponse {
	return &MockOffsetFetchResponse{t: t}
}

// SetOffset sets what is stored for a partition.
func (m *MockOffsetFetchResponse) SetOffset(group, topic string, partition int32, offset int64, metadata string, kerror KError) *MockOffsetFetchResponse {
	return mockWith(m, &m.mu, func() {
		places := m.offsets[group]
		mockSet(&places, topicPartition{topic, partition}, OffsetFetchResponseBlock{Offset: offset, Metadata: metadata, Err: kerror})
		mockSet(&m.offsets, group, places)
	})
}

// SetError sets the error of all groups.
func (m *MockOffsetFetchResponse) SetError(kerror KError) *MockOffsetFetchResponse {
	return mockWith(m, &m.mu, func() { m.err = kerror })
}

// For returns all that was set for the groups asked for, whether their
// partitions were asked for or not.
func (m *MockOffsetFetchResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *OffsetFetchRequest) body {
		resp := &OffsetFetchResponse{Version: req.Version}
		if req.Version < offsetFetchHasGroups {
			resp.Err = m.err
			m.eachOffset(req.ConsumerGroup, resp.AddBlock)
			return resp
		}
		groups := []string{req.ConsumerGroup}
		if len(req.Groups) > 0 {
			groups = nil
		}
		for i := range req.Groups {
			groups = append(groups, req.Groups[i].GroupId)
		}
		for _, id := range groups {
			resp.Groups = append(resp.Groups, OffsetFetchResponseGroup{GroupId: id, Err: m.err})
			m.eachOffset(id, resp.Groups[len(resp.Groups)-1].AddBlock)
		}
		return resp
	})
}

func (m *MockOffsetFetchResponse) eachOffset(group string, add func(string, int32, *OffsetFetchResponseBlock)) {
	for at, block := range m.offsets[group] {
		add(at.topic, at.partition, &block)
	}
}

// MockJoinGroupResponse makes responses to members that join a group.
type MockJoinGroupResponse struct {
	t  TestReporter
	mu sync.Mutex

	// mu guards the setters' use of these. They may be set directly before the
	// broker is asked.

	ThrottleTime  int32 // in milliseconds
	Err           KError
	GenerationId  int32
	GroupProtocol string
	LeaderId      string
	MemberId      string
	Members       []GroupMember
}

// NewMockJoinGroupResponse makes a helper that says nothing yet.
func NewMockJoinGroupResponse(t TestReporter) *MockJoinGroupResponse {
	return &MockJoinGroupResponse{t: t, Members: []GroupMember{}}
}

// SetThrottleTime sets for how many milliseconds clients are to wait.
func (m *MockJoinGroupResponse) SetThrottleTime(t int32) *MockJoinGroupResponse {
	return mockWith(m, &m.mu, func() { m.ThrottleTime = t })
}

// SetError sets the error.
func (m *MockJoinGroupResponse) SetError(kerr KError) *MockJoinGroupResponse {
	return mockWith(m, &m.mu, func() { m.Err = kerr })
}

// SetGenerationId sets the group's generation.
func (m *MockJoinGroupResponse) SetGenerationId(id int32) *MockJoinGroupResponse {
	return mockWith(m, &m.mu, func() { m.GenerationId = id })
}

// SetGroupProtocol sets the name of the strategy that the group has agreed on.
func (m *MockJoinGroupResponse) SetGroupProtocol(proto string) *MockJoinGroupResponse {
	return mockWith(m, &m.mu, func() { m.GroupProtocol = proto })
}

// SetLeaderId says which member makes the plan.
func (m *MockJoinGroupResponse) SetLeaderId(id string) *MockJoinGroupResponse {
	return mockWith(m, &m.mu, func() { m.LeaderId = id })
}

// SetMemberId sets the id of the member that is answered.
func (m *MockJoinGroupResponse) SetMemberId(id string) *MockJoinGroupResponse {
	return mockWith(m, &m.mu, func() { m.MemberId = id })
}

// SetMember adds a member to those that the leader is told of.
func (m *MockJoinGroupResponse) SetMember(id string, meta *ConsumerGroupMemberMetadata) *MockJoinGroupResponse {
	raw, err := encodeMemberMetadata(meta)
	if err != nil {
		m.t.Errorf("MockJoinGroupResponse: metadata of %s: %v", id, err)
		return m
	}
	return mockWith(m, &m.mu, func() { m.Members = append(m.Members, GroupMember{MemberId: id, Metadata: raw}) })
}

// For returns the response.
func (m *MockJoinGroupResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *JoinGroupRequest) body {
		return &JoinGroupResponse{
			Version: req.Version, ThrottleTime: m.ThrottleTime, Err: m.Err, GenerationId: m.GenerationId,
			GroupProtocol: m.GroupProtocol, LeaderId: m.LeaderId, MemberId: m.MemberId, Members: slices.Clone(m.Members),
		}
	})
}

// MockSyncGroupResponse makes responses that give members their partitions.
type MockSyncGroupResponse struct {
	t  TestReporter
	mu sync.Mutex

	// mu guards the setters' use of these. They may be set directly before the
	// broker is asked.

	Err              KError
	MemberAssignment []byte
}

// NewMockSyncGroupResponse makes a helper that gives nothing yet.
func NewMockSyncGroupResponse(t TestReporter) *MockSyncGroupResponse {
	return &MockSyncGroupResponse{t: t}
}

// SetError sets the error.
func (m *MockSyncGroupResponse) SetError(kerr KError) *MockSyncGroupResponse {
	return mockWith(m, &m.mu, func() { m.Err = kerr })
}

// SetMemberAssignment sets the partitions.
func (m *MockSyncGroupResponse) SetMemberAssignment(assignment *ConsumerGroupMemberAssignment) *MockSyncGroupResponse {
	raw, err := encodeMemberAssignment(assignment)
	if err != nil {
		m.t.Errorf("MockSyncGroupResponse: assignment: %v", err)
		return m
	}
	return mockWith(m, &m.mu, func() { m.MemberAssignment = raw })
}

// For returns the response.
func (m *MockSyncGroupResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *SyncGroupRequest) body {
		return &SyncGroupResponse{Version: req.Version, Err: m.Err, MemberAssignment: m.MemberAssignment}
	})
}

// MockHeartbeatResponse makes responses to heartbeats.
type MockHeartbeatResponse struct {
	t  TestReporter
	mu sync.Mutex

	Err KError // mu guards the setter's use of it
}

// NewMockHeartbeatResponse makes a helper without an error.
func NewMockHeartbeatResponse(t TestReporter) *MockHeartbeatResponse {
	return &MockHeartbeatResponse{t: t}
}

// SetError sets the error.
func (m *MockHeartbeatResponse) SetError(kerr KError) *MockHeartbeatResponse {
	return mockWith(m, &m.mu, func() { m.Err = kerr })
}

// For returns the response.
func (m *MockHeartbeatResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *HeartbeatRequest) body {
		return &HeartbeatResponse{Version: req.Version, Err: m.Err}
	})
}

// MockLeaveGroupResponse makes responses to members that leave.
type MockLeaveGroupResponse struct {
	t  TestReporter
	mu sync.Mutex

	Err KError // mu guards the setter's use of it
}

// NewMockLeaveGroupResponse makes a helper without an error.
func NewMockLeaveGroupResponse(t TestReporter) *MockLeaveGroupResponse {
	return &MockLeaveGroupResponse{t: t}
}

// SetError sets the error.
func (m *MockLeaveGroupResponse) SetError(kerr KError) *MockLeaveGroupResponse {
	return mockWith(m, &m.mu, func() { m.Err = kerr })
}

// For returns the response.
func (m *MockLeaveGroupResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *LeaveGroupRequest) body {
		return &LeaveGroupResponse{Version: req.Version, Err: m.Err}
	})
}
