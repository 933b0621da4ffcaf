package main

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// reporter prints what helpers report.
type reporter struct{ section string }

func (r reporter) Error(a ...any)            { say("%s: reported %s", r.section, fmt.Sprint(a...)) }
func (r reporter) Errorf(f string, a ...any) { say("%s: reported %s", r.section, fmt.Sprintf(f, a...)) }
func (r reporter) Fatal(a ...any)            { r.Error(a...) }
func (r reporter) Fatalf(f string, a ...any) { r.Errorf(f, a...) }
func (r reporter) Helper()                   {}

// mockResponses asks each of the helpers that make responses.
func mockResponses() {
	metadata()
	offsetsAndRecords()
	groupResponses()
	securityResponses()
	adminResponses()
	sequences()
}

func metadata() {
	t := reporter{"mock metadata"}
	plain := sarama.NewMockMetadataResponse(t)
	show("metadata, nothing set", plain.For(&sarama.MetadataRequest{Version: 5, Topics: []string{"t"}}))
	m := sarama.NewMockMetadataResponse(t).SetBroker("h1:1", 1).SetBroker("h2:2", 2).SetLeader("t", 0, 1).SetLeader("t", 1, 2).
		SetLeader("u", 0, 2).SetError("bad", sarama.ErrTopicAuthorizationFailed).SetError("u", sarama.ErrLeaderNotAvailable).SetController(2)
	for _, version := range []int16{0, 1, 5, 9} {
		show(fmt.Sprintf("metadata v%d of t", version), m.For(&sarama.MetadataRequest{Version: version, Topics: []string{"t"}}))
		show(fmt.Sprintf("metadata v%d of u, bad and x", version), m.For(&sarama.MetadataRequest{Version: version, Topics: []string{"u", "bad", "x"}}))
		show(fmt.Sprintf("metadata v%d of all", version), m.For(&sarama.MetadataRequest{Version: version}))
	}
}

func offsetsAndRecords() {
	t := reporter{"mock records"}
	o := sarama.NewMockOffsetResponse(t).SetOffset("t", 0, sarama.OffsetOldest, 3).SetOffset("t", 0, sarama.OffsetNewest, 9)
	for _, version := range []sarama.KafkaVersion{sarama.V0_8_2_0, sarama.V2_0_0_0, sarama.V2_8_0_0} {
		req := sarama.NewOffsetRequest(version)
		req.AddBlock("t", 0, sarama.OffsetOldest, 1)
		show(fmt.Sprintf("offsets v%d", req.Version), o.For(req))
	}
	missing := sarama.NewOffsetRequest(sarama.V2_8_0_0)
	missing.AddBlock("t", 7, sarama.OffsetOldest, 1)
	show("offsets that are not set", o.For(missing))

	f := sarama.NewMockFetchResponse(t, 2).SetMessage("t", 0, 0, sarama.StringEncoder("a")).SetMessage("t", 0, 1, sarama.StringEncoder("b")).
		SetMessageWithKey("t", 0, 2, sarama.StringEncoder("k"), sarama.StringEncoder("c")).SetHighWaterMark("t", 0, 3)
	for _, version := range []int16{0, 4, 11} {
		for _, offset := range []int64{0, 1, 3, 9} {
			req := &sarama.FetchRequest{Version: version}
			req.AddBlock("t", 0, offset, 1000, -1)
			show(fmt.Sprintf("fetch v%d from %d", version, offset), f.For(req))
		}
	}
	other := &sarama.FetchRequest{Version: 4}
	other.AddBlock("u", 1, 0, 1000, -1)
	show("fetch of what is not set", f.For(other))

	for _, version := range []int16{0, 2, 7} {
		req := &sarama.ProduceRequest{Version: version, RequiredAcks: sarama.WaitForAll}
		if version < 3 {
			req.AddMessage("t", 0, &sarama.Message{Value: []byte("v")})
		} else {
			req.AddBatch("t", 0, &sarama.RecordBatch{Version: 2, Records: []*sarama.Record{{Value: []byte("v")}}})
		}
		show(fmt.Sprintf("produce v%d", version), sarama.NewMockProduceResponse(t).For(req))
		show(fmt.Sprintf("produce v%d with an error", version), sarama.NewMockProduceResponse(t).SetError("t", 0, sarama.ErrNotLeaderForPartition).For(req))
		show(fmt.Sprintf("produce v%d with version 3", version), sarama.NewMockProduceResponse(t).SetVersion(3).For(req))
	}
	id := "x"
	show("init producer id", sarama.NewMockInitProducerIDResponse(t).For(&sarama.InitProducerIDRequest{Version: 1}))
	show("init producer id, set", sarama.NewMockInitProducerIDResponse(t).SetProducerID(7).SetProducerEpoch(3).SetError(sarama.ErrInvalidProducerEpoch).
		For(&sarama.InitProducerIDRequest{Version: 4, TransactionalID: &id}))
}

func groupResponses() {
	t := reporter{"mock groups"}
	b := sarama.NewMockBroker(t, 3)
	defer b.Close()
	c := sarama.NewMockFindCoordinatorResponse(t).SetCoordinator(sarama.CoordinatorGroup, "g", b).SetError(sarama.CoordinatorTransaction, "x", sarama.ErrNotCoordinatorForConsumer)
	for _, version := range []int16{0, 1, 3} {
		hidePort(b.Port())
		show(fmt.Sprintf("coordinator v%d", version), c.For(&sarama.FindCoordinatorRequest{Version: version, CoordinatorKey: "g"}))
		show(fmt.Sprintf("coordinator v%d, error", version), c.For(&sarama.FindCoordinatorRequest{Version: version, CoordinatorKey: "x", CoordinatorType: sarama.CoordinatorTransaction}))
		show(fmt.Sprintf("coordinator v%d, unknown", version), c.For(&sarama.FindCoordinatorRequest{Version: version, CoordinatorKey: "y"}))
	}
	m := sarama.NewMockConsumerMetadataResponse(t).SetCoordinator("g", b).SetError("x", sarama.ErrNotCoordinatorForConsumer)
	show("consumer metadata", m.For(&sarama.ConsumerMetadataRequest{ConsumerGroup: "g"}))
	show("consumer metadata, error", m.For(&sarama.ConsumerMetadataRequest{ConsumerGroup: "x"}))

	commit := &sarama.OffsetCommitRequest{Version: 4, ConsumerGroup: "g"}
	commit.AddBlock("t", 0, 5, 0, "m")
	commit.AddBlock("t", 1, 5, 0, "m")
	show("commit", sarama.NewMockOffsetCommitResponse(t).SetError("g", "t", 1, sarama.ErrOffsetMetadataTooLarge).For(commit))
	o := sarama.NewMockOffsetFetchResponse(t).SetOffset("g", "t", 0, 5, "m", sarama.ErrNoError).SetOffset("g", "u", 3, 6, "", sarama.ErrRequestTimedOut)
	for _, version := range []sarama.KafkaVersion{sarama.V0_8_2_0, sarama.V1_0_0_0, sarama.V2_8_0_0, sarama.V3_0_0_0} {
		req := sarama.NewOffsetFetchRequest(version, "g", map[string][]int32{"t": {0}})
		show(fmt.Sprintf("fetch offsets v%d", req.Version), o.For(req))
	}
	show("fetch offsets, error", sarama.NewMockOffsetFetchResponse(t).SetOffset("g", "t", 0, 5, "m", sarama.ErrNoError).SetError(sarama.ErrNotCoordinatorForConsumer).
		For(sarama.NewOffsetFetchRequest(sarama.V2_8_0_0, "g", map[string][]int32{"t": {0}})))
	show("fetch offsets, other group", o.For(sarama.NewOffsetFetchRequest(sarama.V2_8_0_0, "h", map[string][]int32{"t": {0}})))

	j := sarama.NewMockJoinGroupResponse(t).SetThrottleTime(3).SetError(sarama.ErrUnknownMemberId).SetGenerationId(2).SetGroupProtocol("range").
		SetLeaderId("l").SetMemberId("m").SetMember("m", &sarama.ConsumerGroupMemberMetadata{Topics: []string{"t"}})
	show("join", sarama.NewMockJoinGroupResponse(t).For(&sarama.JoinGroupRequest{Version: 2}))
	show("join, set", j.For(&sarama.JoinGroupRequest{Version: 5}))
	show("join, set again", j.For(&sarama.JoinGroupRequest{Version: 0}))
	show("sync", sarama.NewMockSyncGroupResponse(t).For(&sarama.SyncGroupRequest{Version: 1}))
	show("sync, set", sarama.NewMockSyncGroupResponse(t).SetError(sarama.ErrRebalanceInProgress).SetMemberAssignment(&sarama.ConsumerGroupMemberAssignment{
		Version: 1, Topics: map[string][]int32{"t": {0, 1}}, UserData: []byte("u")}).For(&sarama.SyncGroupRequest{Version: 3}))
	show("leave", sarama.NewMockLeaveGroupResponse(t).SetError(sarama.ErrUnknownMemberId).For(&sarama.LeaveGroupRequest{Version: 3}))
	show("heartbeat", sarama.NewMockHeartbeatResponse(t).SetError(sarama.ErrRebalanceInProgress).For(&sarama.HeartbeatRequest{Version: 3}))
	show("list groups", sarama.NewMockListGroupsResponse(t).AddGroup("g", "consumer").For(&sarama.ListGroupsRequest{Version: 4}))
	d := sarama.NewMockDescribeGroupsResponse(t).AddGroupDescription("g", &sarama.GroupDescription{GroupId: "g", State: "Stable"})
	show("describe groups", d.For(&sarama.DescribeGroupsRequest{Version: 3, Groups: []string{"g", "h"}}))
	n := sarama.NewMockConsumerGroupDescribeResponse(t).AddGroupDescription("g", sarama.ConsumerGroupDescription{GroupID: "g", GroupState: "Stable", GroupEpoch: 4})
	show("describe newer groups", n.For(&sarama.ConsumerGroupDescribeRequest{Version: 1, GroupIDs: []string{"g", "h"}}))
	show("delete groups", sarama.NewMockDeleteGroupsRequest(t).SetDeletedGroups([]string{"g", "h"}).For(&sarama.DeleteGroupsRequest{Version: 1, Groups: []string{"g"}}))
	del := &sarama.DeleteOffsetsRequest{Group: "g"}
	del.AddPartition("t", 0)
	show("delete offsets", sarama.NewMockDeleteOffsetRequest(t).SetDeletedOffset(sarama.ErrNoError, "t", 0, sarama.ErrGroupSubscribedToTopic).For(del))
	show("delete offsets, nothing set", sarama.NewMockDeleteOffsetRequest(t).For(del))
}

func securityResponses() {
	t := reporter{"mock security"}
	show("handshake", sarama.NewMockSaslHandshakeResponse(t).For(&sarama.SaslHandshakeRequest{Version: 1, Mechanism: "PLAIN"}))
	show("handshake, set", sarama.NewMockSaslHandshakeResponse(t).SetEnabledMechanisms([]string{"A", "B"}).SetError(sarama.ErrUnsupportedSASLMechanism).For(&sarama.SaslHandshakeRequest{Version: 1}))
	show("authenticate", sarama.NewMockSaslAuthenticateResponse(t).For(&sarama.SaslAuthenticateRequest{Version: 1}))
	show("authenticate, set", sarama.NewMockSaslAuthenticateResponse(t).SetAuthBytes([]byte("x")).SetError(sarama.ErrSASLAuthenticationFailed).SetSessionLifetimeMs(9).For(&sarama.SaslAuthenticateRequest{Version: 2}))
	show("versions, set", sarama.NewMockApiVersionsResponse(t).SetApiKeys([]sarama.ApiVersionsResponseKey{{ApiKey: 3, MinVersion: 1, MaxVersion: 5}}).For(&sarama.ApiVersionsRequest{Version: 3}))
	acl := sarama.AclCreation{Resource: sarama.Resource{ResourceType: sarama.AclResourceTopic, ResourceName: "t", ResourcePatternType: sarama.AclPatternLiteral},
		Acl: sarama.Acl{Principal: "User:p", Host: "*", Operation: sarama.AclOperationRead, PermissionType: sarama.AclPermissionAllow}}
	create := &sarama.CreateAclsRequest{Version: 1, AclCreations: []*sarama.AclCreation{&acl, &acl}}
	show("create acls", sarama.NewMockCreateAclsResponse(t).For(create))
	show("create acls, error", sarama.NewMockCreateAclsResponseWithError(t).For(create))
	name, principal, host := "t", "User:p", "h"
	filter := sarama.AclFilter{Version: 1, ResourceType: sarama.AclResourceTopic, ResourceName: &name, ResourcePatternTypeFilter: sarama.AclPatternLiteral,
		Principal: &principal, Host: &host, Operation: sarama.AclOperationRead, PermissionType: sarama.AclPermissionAllow}
	show("list acls", sarama.NewMockListAclsResponse(t).For(&sarama.DescribeAclsRequest{Version: 1, AclFilter: filter}))
	show("list acls, no names", sarama.NewMockListAclsResponse(t).For(&sarama.DescribeAclsRequest{Version: 1, AclFilter: sarama.AclFilter{Version: 1}}))
	show("delete acls", sarama.NewMockDeleteAclsResponse(t).For(&sarama.DeleteAclsRequest{Version: 1, Filters: []*sarama.AclFilter{&filter}}))
}

func adminResponses() {
	t := reporter{"mock admin"}
	details := map[string]*sarama.TopicDetail{"t": {NumPartitions: 1, ReplicationFactor: 1}, "_internal": {NumPartitions: 1}}
	show("create topics", sarama.NewMockCreateTopicsResponse(t).For(&sarama.CreateTopicsRequest{Version: 2, TopicDetails: details}))
	show("delete topics", sarama.NewMockDeleteTopicsResponse(t).For(&sarama.DeleteTopicsRequest{Version: 2, Topics: []string{"t", "u"}}))
	show("delete topics, error", sarama.NewMockDeleteTopicsResponse(t).SetError(sarama.ErrTopicDeletionDisabled).For(&sarama.DeleteTopicsRequest{Version: 2, Topics: []string{"t"}}))
	show("create partitions", sarama.NewMockCreatePartitionsResponse(t).For(&sarama.CreatePartitionsRequest{Version: 1, TopicPartitions: map[string]*sarama.TopicPartition{"t": {Count: 3}, "_internal": {Count: 2}}}))
	show("reassign", sarama.NewMockAlterPartitionReassignmentsResponse(t).For(&sarama.AlterPartitionReassignmentsRequest{}))
	list := &sarama.ListPartitionReassignmentsRequest{}
	list.AddBlock("t", []int32{0, 1})
	show("list reassignments", sarama.NewMockListPartitionReassignmentsResponse(t).For(list))
	show("elect", sarama.NewMockElectLeadersResponse(t).For(&sarama.ElectLeadersRequest{Version: 2, TopicPartitions: map[string][]int32{"t": {0, 1}}}))
	show("delete records", sarama.NewMockDeleteRecordsResponse(t).For(&sarama.DeleteRecordsRequest{Version: 1, Topics: map[string]*sarama.DeleteRecordsRequestTopic{"t": {PartitionOffsets: map[int32]int64{0: 5, 1: 6}}}}))
	for _, kind := range []sarama.ConfigResourceType{sarama.TopicResource, sarama.BrokerResource, sarama.BrokerLoggerResource} {
		for _, version := range []int16{0, 1, 2} {
			req := &sarama.DescribeConfigsRequest{Version: version, IncludeSynonyms: true, Resources: []*sarama.ConfigResource{{Type: kind, Name: "n", ConfigNames: []string{"max.message.bytes", "segment.bytes"}}}}
			show(fmt.Sprintf("describe configs v%d of %v", version, kind), sarama.NewMockDescribeConfigsResponse(t).For(req))
			show(fmt.Sprintf("describe configs v%d of %v, error", version, kind), sarama.NewMockDescribeConfigsResponseWithErrorCode(t).For(req))
		}
		alter := &sarama.AlterConfigsRequest{Version: 1, Resources: []*sarama.AlterConfigsResource{{Type: kind, Name: "n"}}}
		show(fmt.Sprintf("alter configs of %v", kind), sarama.NewMockAlterConfigsResponse(t).For(alter))
		show(fmt.Sprintf("alter configs of %v, error", kind), sarama.NewMockAlterConfigsResponseWithErrorCode(t).For(alter))
		incremental := &sarama.IncrementalAlterConfigsRequest{Version: 1, Resources: []*sarama.IncrementalAlterConfigsResource{{Type: kind, Name: "n"}}}
		show(fmt.Sprintf("alter configs one by one of %v", kind), sarama.NewMockIncrementalAlterConfigsResponse(t).For(incremental))
		show(fmt.Sprintf("alter configs one by one of %v, error", kind), sarama.NewMockIncrementalAlterConfigsResponseWithErrorCode(t).For(incremental))
	}
	logs := &sarama.DescribeLogDirsRequest{Version: 1}
	show("log dirs", sarama.NewMockDescribeLogDirsResponse(t).SetLogDirs("/tmp/logs", map[string]int{"t": 2}).For(logs))
	show("features", sarama.NewMockUpdateFeaturesResponse(t).For(&sarama.UpdateFeaturesRequest{FeatureUpdates: []sarama.FeatureUpdate{{Feature: "f", MaxVersionLevel: 2}}}))
	transactional()
}

func transactional() {
	t := reporter{"mock transactions"}
	p := sarama.NewMockDescribeProducersResponse(t).AddProducer("t", 0, sarama.ProducerState{ProducerID: 7, ProducerEpoch: 1}).SetError("t", 1, sarama.ErrNotLeaderForPartition)
	show("producers", p.For(&sarama.DescribeProducersRequest{Topics: []sarama.DescribeProducersRequestTopic{{Name: "t", PartitionIndexes: []int32{0, 1, 2}}, {Name: "u", PartitionIndexes: []int32{0}}}}))
	x := sarama.NewMockDescribeTransactionsResponse(t).AddTransaction("x", sarama.TransactionState{TransactionalID: "x", TransactionState: "Ongoing", ProducerID: 7, TransactionTimeout: time.Second}).
		SetError("y", sarama.ErrTransactionalIDAuthorizationFailed)
	show("transactions", x.For(&sarama.DescribeTransactionsRequest{TransactionalIDs: []string{"x", "y", "z"}}))
	l := sarama.NewMockListTransactionsResponse(t).AddTransaction("x", 7, "Ongoing").AddTransaction("y", 8, "Empty")
	show("list transactions", l.For(&sarama.ListTransactionsRequest{Version: 1, DurationFilter: 5}))
	show("list transactions, filtered", l.For(&sarama.ListTransactionsRequest{StateFilters: []string{"Empty"}}))
	show("last request", l.LastRequest())
	show("list transactions, error", sarama.NewMockListTransactionsResponse(t).SetError(sarama.ErrConsumerCoordinatorNotAvailable).For(&sarama.ListTransactionsRequest{}))
}

func sequences() {
	t := reporter{"mock sequences"}
	first := &sarama.HeartbeatResponse{Version: 2, Err: sarama.ErrRebalanceInProgress}
	s := sarama.NewMockSequence(first, sarama.NewMockHeartbeatResponse(t).SetError(sarama.ErrUnknownMemberId), sarama.NewMockWrapper(&sarama.HeartbeatResponse{}))
	for i := range 4 {
		show(fmt.Sprintf("sequence %d", i), s.For(&sarama.HeartbeatRequest{Version: 3}))
	}
	func() {
		defer func() { say("sequence of a string: panics: %v", recover() != nil) }()
		sarama.NewMockSequence("x")
	}()
}
