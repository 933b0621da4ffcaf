package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// adminSite is a ClusterAdmin and the one broker that it talks to.
type adminSite struct {
	broker *sarama.MockBroker
	admin  sarama.ClusterAdmin
	had    int
}

func newAdminSite(version sarama.KafkaVersion, more map[string]sarama.MockResponse) *adminSite {
	t := reporter{"admin"}
	s := &adminSite{broker: sarama.NewMockBroker(t, 1)}
	hidePort(s.broker.Port())
	handlers := adminHandlers(t, s.broker)
	for name, h := range more {
		handlers[name] = h
	}
	s.broker.SetHandlerByMap(handlers)
	conf := sarama.NewConfig()
	conf.Version = version
	conf.ApiVersionsRequest = false
	conf.Admin.Retry.Backoff = time.Millisecond
	conf.Net.ReadTimeout = 2 * time.Second
	admin, err := sarama.NewClusterAdmin([]string{s.broker.Addr()}, conf)
	if err != nil {
		say("NewClusterAdmin: %v", err)
		return s
	}
	s.admin = admin
	s.requests("new")
	return s
}

func (s *adminSite) close() {
	if s.admin != nil {
		say("close: %v", s.admin.Close())
	}
	s.broker.Close()
}

// requests prints what the broker has had since the last time.
func (s *adminSite) requests(what string) {
	all := s.broker.History()
	for _, rr := range all[s.had:] {
		show(what+" asks", rr.Request)
	}
	s.had = len(all)
}

// result prints what a call returns and what it asks the broker.
func (s *adminSite) result(what string, err error, values ...any) {
	s.requests(what)
	for _, v := range values {
		show(what+" returns", v)
	}
	if err != nil {
		say("%s fails: %q, %T", what, err.Error(), err)
	}
}

func adminHandlers(t reporter, b *sarama.MockBroker) map[string]sarama.MockResponse {
	return map[string]sarama.MockResponse{
		"MetadataRequest": sarama.NewMockMetadataResponse(t).SetBroker(b.Addr(), 1).SetController(1).SetLeader("t", 0, 1).SetLeader("t", 1, 1),
		"FindCoordinatorRequest": sarama.NewMockFindCoordinatorResponse(t).SetCoordinator(sarama.CoordinatorGroup, "g", b).
			SetCoordinator(sarama.CoordinatorGroup, "h", b).SetCoordinator(sarama.CoordinatorTransaction, "x", b).SetCoordinator(sarama.CoordinatorTransaction, "y", b),
		"CreateTopicsRequest":                sarama.NewMockCreateTopicsResponse(t),
		"DeleteTopicsRequest":                sarama.NewMockDeleteTopicsResponse(t),
		"CreatePartitionsRequest":            sarama.NewMockCreatePartitionsResponse(t),
		"AlterPartitionReassignmentsRequest": sarama.NewMockAlterPartitionReassignmentsResponse(t),
		"ListPartitionReassignmentsRequest":  sarama.NewMockListPartitionReassignmentsResponse(t),
		"ElectLeadersRequest":                sarama.NewMockElectLeadersResponse(t),
		"DeleteRecordsRequest":               sarama.NewMockDeleteRecordsResponse(t),
		"DescribeConfigsRequest":             sarama.NewMockDescribeConfigsResponse(t),
		"AlterConfigsRequest":                sarama.NewMockAlterConfigsResponse(t),
		"IncrementalAlterConfigsRequest":     sarama.NewMockIncrementalAlterConfigsResponse(t),
		"CreateAclsRequest":                  sarama.NewMockCreateAclsResponse(t),
		"DescribeAclsRequest":                sarama.NewMockListAclsResponse(t),
		"DeleteAclsRequest":                  sarama.NewMockDeleteAclsResponse(t),
		"ListGroupsRequest":                  sarama.NewMockListGroupsResponse(t).AddGroup("g", "consumer"),
		"DescribeGroupsRequest":              sarama.NewMockDescribeGroupsResponse(t).AddGroupDescription("g", &sarama.GroupDescription{GroupId: "g", State: "Stable"}),
		"OffsetFetchRequest":                 sarama.NewMockOffsetFetchResponse(t).SetOffset("g", "t", 0, 5, "m", sarama.ErrNoError),
		"OffsetCommitRequest":                sarama.NewMockOffsetCommitResponse(t),
		"OffsetRequest":                      sarama.NewMockOffsetResponse(t).SetOffset("t", 0, sarama.OffsetOldest, 3).SetOffset("t", 1, sarama.OffsetNewest, 9),
		"DeleteGroupsRequest":                sarama.NewMockDeleteGroupsRequest(t).SetDeletedGroups([]string{"g"}),
		"DeleteOffsetsRequest":               sarama.NewMockDeleteOffsetRequest(t).SetDeletedOffset(sarama.ErrNoError, "t", 0, sarama.ErrNoError),
		"DescribeLogDirsRequest":             sarama.NewMockDescribeLogDirsResponse(t).SetLogDirs("/logs", map[string]int{"t": 1}),
		"UpdateFeaturesRequest":              sarama.NewMockUpdateFeaturesResponse(t),
		"LeaveGroupRequest":                  sarama.NewMockLeaveGroupResponse(t),
		"DescribeProducersRequest":           sarama.NewMockDescribeProducersResponse(t).AddProducer("t", 0, sarama.ProducerState{ProducerID: 7}),
		"DescribeTransactionsRequest":        sarama.NewMockDescribeTransactionsResponse(t).AddTransaction("x", sarama.TransactionState{TransactionalID: "x", TransactionState: "Ongoing"}),
		"ListTransactionsRequest":            sarama.NewMockListTransactionsResponse(t).AddTransaction("x", 7, "Ongoing"),
		"DescribeClusterRequest": sarama.NewMockWrapper(&sarama.DescribeClusterResponse{ControllerID: 1, ClusterID: "c",
			Brokers: []*sarama.DescribeClusterBroker{{BrokerID: 1, Host: "h", Port: 9}}}),
		"DescribeClientQuotasRequest": sarama.NewMockWrapper(&sarama.DescribeClientQuotasResponse{Version: 1, Entries: []sarama.DescribeClientQuotasEntry{
			{Entity: []sarama.QuotaEntityComponent{{EntityType: sarama.QuotaEntityUser, Name: "u"}}, Values: map[string]float64{"producer_byte_rate": 7}}}}),
		"AlterClientQuotasRequest": sarama.NewMockWrapper(&sarama.AlterClientQuotasResponse{Version: 1, Entries: []sarama.AlterClientQuotasEntryResponse{
			{Entity: []sarama.QuotaEntityComponent{{EntityType: sarama.QuotaEntityUser, Name: "u"}}}}}),
		"DescribeUserScramCredentialsRequest": sarama.NewMockWrapper(&sarama.DescribeUserScramCredentialsResponse{Results: []*sarama.DescribeUserScramCredentialsResult{{User: "u"}}}),
		"AlterUserScramCredentialsRequest":    sarama.NewMockWrapper(&sarama.AlterUserScramCredentialsResponse{Results: []*sarama.AlterUserScramCredentialsResult{{User: "u"}}}),
	}
}

// admin calls each method of ClusterAdmin.
func admin() {
	for _, version := range []sarama.KafkaVersion{sarama.V1_0_0_0, sarama.V2_8_0_0, sarama.V3_9_0_0} {
		say("== admin at %v", version)
		s := newAdminSite(version, nil)
		s.topics()
		s.configs()
		s.acls()
		s.groups()
		s.cluster()
		s.transactions()
		s.close()
	}
	adminErrors()
	adminRetries()
}

func (s *adminSite) topics() {
	a := s.admin
	retention := "1"
	detail := &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &retention}}
	s.result("CreateTopic", a.CreateTopic("t", detail, false))
	s.result("CreateTopic, assigned", a.CreateTopic("t", &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {1, 2}}}, true))
	s.result("CreateTopic, no name", a.CreateTopic("", detail, false))
	s.result("CreateTopic, no detail", a.CreateTopic("t", nil, false))
	s.result("CreateTopic, refused", a.CreateTopic("_t", detail, false))
	topics, err := a.ListTopics()
	s.result("ListTopics", err, topics)
	described, err := a.DescribeTopics([]string{"t", "nope"})
	s.result("DescribeTopics", err, described)
	described, err = a.DescribeTopics(nil)
	s.result("DescribeTopics of none", err, described)
	s.result("DeleteTopic", a.DeleteTopic("t"))
	s.result("DeleteTopic, no name", a.DeleteTopic(""))
	s.result("CreatePartitions", a.CreatePartitions("t", 3, nil, false))
	s.result("CreatePartitions, assigned", a.CreatePartitions("t", 3, [][]int32{{1, 2}}, true))
	s.result("CreatePartitions, no name", a.CreatePartitions("", 3, nil, false))
	s.result("CreatePartitions, refused", a.CreatePartitions("_t", 3, nil, false))
	s.result("AlterPartitionReassignments", a.AlterPartitionReassignments("t", [][]int32{{1, 2}, nil, {3}}))
	moving, err := a.ListPartitionReassignments("t", []int32{0, 1})
	s.result("ListPartitionReassignments", err, moving)
	elected, err := a.ElectLeaders(sarama.PreferredElection, map[string][]int32{"t": {1}})
	s.result("ElectLeaders", err, elected)
	s.result("DeleteRecords", a.DeleteRecords("t", map[int32]int64{0: 5, 1: 6}))
	s.result("DeleteRecords, no topic", a.DeleteRecords("", map[int32]int64{0: 5}))
	s.result("DeleteRecords, unknown partition", a.DeleteRecords("t", map[int32]int64{9: 5}))
	offsets, err := a.ListOffsets(map[string]map[int32]int64{"t": {0: sarama.OffsetOldest, 1: sarama.OffsetNewest}}, nil)
	s.result("ListOffsets", err, offsets)
	offsets, err = a.ListOffsets(map[string]map[int32]int64{"t": {0: sarama.OffsetOldest}}, &sarama.ListOffsetsOptions{IsolationLevel: sarama.ReadCommitted})
	s.result("ListOffsets, committed", err, offsets)
	offsets, err = a.ListOffsets(map[string]map[int32]int64{"u": {0: sarama.OffsetOldest}}, nil)
	s.result("ListOffsets, unknown topic", err, offsets)
	offsets, err = a.ListOffsets(nil, nil)
	s.result("ListOffsets of none", err, offsets)
}

func (s *adminSite) configs() {
	a := s.admin
	for _, r := range []sarama.ConfigResource{
		{Type: sarama.TopicResource, Name: "t", ConfigNames: []string{"max.message.bytes"}}, {Type: sarama.BrokerResource, Name: "1"}, {Type: sarama.BrokerResource},
		{Type: sarama.BrokerLoggerResource, Name: "1"}, {Type: sarama.BrokerResource, Name: "x"}, {Type: sarama.BrokerResource, Name: "9"},
	} {
		entries, err := a.DescribeConfig(r)
		s.result(fmt.Sprintf("DescribeConfig of %v %q", r.Type, r.Name), err, entries)
	}
	results, err := a.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: "t"}, {Type: sarama.BrokerResource, Name: "1"}, {Type: sarama.TopicResource, Name: "u"}},
		sarama.DescribeConfigsOptions{IncludeSynonyms: true, IncludeDocumentation: true})
	s.result("DescribeConfigs", err, results)
	results, err = a.DescribeConfigs(nil, sarama.DescribeConfigsOptions{})
	s.result("DescribeConfigs of none", err, results)
	value := "1"
	for _, r := range []sarama.ConfigResource{{Type: sarama.TopicResource, Name: "t"}, {Type: sarama.BrokerResource, Name: "1"}, {Type: sarama.BrokerResource}, {Type: sarama.BrokerResource, Name: "x"}} {
		what := fmt.Sprintf(" of %v %q", r.Type, r.Name)
		s.result("AlterConfig"+what, a.AlterConfig(r.Type, r.Name, map[string]*string{"k": &value}, false))
		s.result("IncrementalAlterConfig"+what, a.IncrementalAlterConfig(r.Type, r.Name, map[string]sarama.IncrementalAlterConfigsEntry{"k": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}}, true))
	}
}

func (s *adminSite) acls() {
	a := s.admin
	resource := sarama.Resource{ResourceType: sarama.AclResourceTopic, ResourceName: "t", ResourcePatternType: sarama.AclPatternLiteral}
	acl := sarama.Acl{Principal: "User:p", Host: "*", Operation: sarama.AclOperationRead, PermissionType: sarama.AclPermissionAllow}
	s.result("CreateACL", a.CreateACL(resource, acl))
	s.result("CreateACLs", a.CreateACLs([]*sarama.ResourceAcls{{Resource: resource, Acls: []*sarama.Acl{&acl, &acl}}, {Resource: resource, Acls: []*sarama.Acl{&acl}}}))
	name := "t"
	filter := sarama.AclFilter{ResourceType: sarama.AclResourceTopic, ResourceName: &name, ResourcePatternTypeFilter: sarama.AclPatternAny, Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny}
	list, err := a.ListAcls(filter)
	s.result("ListAcls", err, list)
	gone, err := a.DeleteACL(filter, false)
	s.result("DeleteACL", err, gone)
}

func (s *adminSite) groups() {
	a := s.admin
	groups, err := a.ListConsumerGroups()
	s.result("ListConsumerGroups", err, groups)
	described, err := a.DescribeConsumerGroups([]string{"g", "h"})
	s.result("DescribeConsumerGroups", err, described)
	offsets, err := a.ListConsumerGroupOffsets("g", map[string][]int32{"t": {0}})
	s.result("ListConsumerGroupOffsets", err, offsets)
	offsets, err = a.ListConsumerGroupOffsets("g", nil)
	s.result("ListConsumerGroupOffsets of all", err, offsets)
	batch, err := a.ListConsumerGroupOffsetsBatch(map[string]map[string][]int32{"g": {"t": {0}}, "h": nil})
	s.result("ListConsumerGroupOffsetsBatch", err, batch)
	altered, err := a.AlterConsumerGroupOffsets("g", map[string]map[int32]sarama.OffsetAndMetadata{"t": {0: {Offset: 5, Metadata: "m", LeaderEpoch: 2}}}, nil)
	s.result("AlterConsumerGroupOffsets", err, altered)
	altered, err = a.AlterConsumerGroupOffsets("g", nil, nil)
	s.result("AlterConsumerGroupOffsets of none", err, altered)
	s.result("DeleteConsumerGroup", a.DeleteConsumerGroup("g"))
	s.result("DeleteConsumerGroup, other", a.DeleteConsumerGroup("h"))
	s.result("DeleteConsumerGroupOffset", a.DeleteConsumerGroupOffset("g", "t", 0))
	s.result("DeleteConsumerGroupOffset, other", a.DeleteConsumerGroupOffset("g", "t", 1))
	left, err := a.RemoveMemberFromConsumerGroup("g", []string{"i", "j"})
	s.result("RemoveMemberFromConsumerGroup", err, left)
	b, err := a.Coordinator("g")
	s.result("Coordinator", err, b)
}

func (s *adminSite) cluster() {
	a := s.admin
	brokers, controller, err := a.DescribeCluster()
	s.result("DescribeCluster", err, brokers, controller)
	dirs, err := a.DescribeLogDirs([]int32{1, 9})
	s.result("DescribeLogDirs", err, dirs)
	users, err := a.DescribeUserScramCredentials([]string{"u"})
	s.result("DescribeUserScramCredentials", err, users)
	users, err = a.DescribeUserScramCredentials(nil)
	s.result("DescribeUserScramCredentials of all", err, users)
	altered, err := a.DeleteUserScramCredentials([]sarama.AlterUserScramCredentialsDelete{{Name: "u", Mechanism: sarama.SCRAM_MECHANISM_SHA_256}})
	s.result("DeleteUserScramCredentials", err, altered)
	altered, err = a.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{{Name: "u", Mechanism: sarama.SCRAM_MECHANISM_SHA_512, Iterations: 4096, Salt: []byte("salt"), Password: []byte("secret")}})
	s.result("UpsertUserScramCredentials", err, altered)
	altered, err = a.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{{Name: "u", Mechanism: 7, Iterations: 4096, Salt: []byte("salt"), Password: []byte("secret")}})
	s.result("UpsertUserScramCredentials, unknown mechanism", err, altered)
	features, err := a.UpdateFeatures([]sarama.FeatureUpdate{{Feature: "f", MaxVersionLevel: 2, AllowDowngrade: true}})
	s.result("UpdateFeatures", err, features)
	quotas, err := a.DescribeClientQuotas([]sarama.QuotaFilterComponent{{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Match: "u"}}, true)
	s.result("DescribeClientQuotas", err, quotas)
	s.result("AlterClientQuotas", a.AlterClientQuotas([]sarama.QuotaEntityComponent{{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Name: "u"}}, sarama.ClientQuotasOp{Key: "k", Value: 3}, true))
	b, err := a.Controller()
	s.result("Controller", err, b)
}

func (s *adminSite) transactions() {
	a, ok := s.admin.(sarama.TransactionClusterAdmin)
	if !ok {
		say("no TransactionClusterAdmin")
		return
	}
	producers, err := a.DescribeProducers(map[string][]int32{"t": {0, 1}})
	s.result("DescribeProducers", err, producers)
	states, err := a.DescribeTransactions([]string{"x", "y"})
	s.result("DescribeTransactions", err, states)
	list, err := a.ListTransactions([]string{"Ongoing"}, []int64{7}, -1)
	s.result("ListTransactions", err, list)
	list, err = a.ListTransactions(nil, nil, 5)
	s.result("ListTransactions with a duration", err, list)
	producers, err = a.DescribeProducers(map[string][]int32{"u": {0}})
	s.result("DescribeProducers, unknown topic", err, producers)
	states, err = a.DescribeTransactions([]string{"z"})
	s.result("DescribeTransactions, no coordinator", err, states)
}

func text1(s string) *string { return &s }

// adminErrors has brokers refuse.
func adminErrors() {
	say("== admin, refused")
	t := reporter{"admin"}
	group := &sarama.OffsetFetchResponse{Version: 7, Err: sarama.ErrGroupAuthorizationFailed}
	scram := &sarama.DescribeUserScramCredentialsResponse{ErrorCode: sarama.ErrClusterAuthorizationFailed, ErrorMessage: text1("no")}
	reassign := &sarama.AlterPartitionReassignmentsResponse{}
	reassign.AddError("t", 0, sarama.ErrInvalidReplicaAssignment, text1("why"))
	reassign.AddError("t", 1, sarama.ErrNoError, nil)
	s := newAdminSite(sarama.V2_8_0_0, map[string]sarama.MockResponse{
		"CreateTopicsRequest":                 sarama.NewMockWrapper(&sarama.CreateTopicsResponse{Version: 7}),
		"DeleteTopicsRequest":                 sarama.NewMockDeleteTopicsResponse(t).SetError(sarama.ErrTopicDeletionDisabled),
		"AlterPartitionReassignmentsRequest":  sarama.NewMockWrapper(reassign),
		"ListPartitionReassignmentsRequest":   sarama.NewMockWrapper(&sarama.ListPartitionReassignmentsResponse{ErrorCode: sarama.ErrClusterAuthorizationFailed}),
		"ElectLeadersRequest":                 sarama.NewMockWrapper(&sarama.ElectLeadersResponse{Version: 2, ErrorCode: sarama.ErrClusterAuthorizationFailed}),
		"DescribeConfigsRequest":              sarama.NewMockDescribeConfigsResponseWithErrorCode(t),
		"AlterConfigsRequest":                 sarama.NewMockAlterConfigsResponseWithErrorCode(t),
		"IncrementalAlterConfigsRequest":      sarama.NewMockIncrementalAlterConfigsResponseWithErrorCode(t),
		"CreateAclsRequest":                   sarama.NewMockCreateAclsResponseWithError(t),
		"DescribeAclsRequest":                 sarama.NewMockWrapper(&sarama.DescribeAclsResponse{Version: 2, Err: sarama.ErrSecurityDisabled, ErrMsg: text1("none")}),
		"DeleteAclsRequest":                   sarama.NewMockWrapper(&sarama.DeleteAclsResponse{Version: 2, FilterResponses: []*sarama.FilterResponse{{Err: sarama.ErrSecurityDisabled}}}),
		"ListGroupsRequest":                   sarama.NewMockWrapper(&sarama.ListGroupsResponse{Version: 4, Err: sarama.ErrClusterAuthorizationFailed}),
		"OffsetFetchRequest":                  sarama.NewMockWrapper(group),
		"OffsetCommitRequest":                 sarama.NewMockOffsetCommitResponse(t).SetError("g", "t", 0, sarama.ErrUnknownMemberId),
		"DeleteGroupsRequest":                 sarama.NewMockWrapper(&sarama.DeleteGroupsResponse{Version: 2, GroupErrorCodes: map[string]sarama.KError{"g": sarama.ErrNonEmptyGroup}}),
		"DeleteOffsetsRequest":                sarama.NewMockDeleteOffsetRequest(t).SetDeletedOffset(sarama.ErrNoError, "t", 0, sarama.ErrGroupSubscribedToTopic),
		"DescribeUserScramCredentialsRequest": sarama.NewMockWrapper(scram),
		"AlterUserScramCredentialsRequest":    sarama.NewMockWrapper(&sarama.AlterUserScramCredentialsResponse{Results: []*sarama.AlterUserScramCredentialsResult{{User: "u", ErrorCode: sarama.KError(93)}}}),
		"UpdateFeaturesRequest":               sarama.NewMockWrapper(&sarama.UpdateFeaturesResponse{ErrorCode: sarama.KError(96), ErrorMessage: text1("bad")}),
		"DescribeClientQuotasRequest":         sarama.NewMockWrapper(&sarama.DescribeClientQuotasResponse{Version: 1, ErrorCode: sarama.ErrClusterAuthorizationFailed}),
		"AlterClientQuotasRequest":            sarama.NewMockWrapper(&sarama.AlterClientQuotasResponse{Version: 1, Entries: []sarama.AlterClientQuotasEntryResponse{{ErrorCode: sarama.ErrInvalidRequest, ErrorMsg: text1("bad key")}}}),
		"LeaveGroupRequest":                   sarama.NewMockWrapper(&sarama.LeaveGroupResponse{Version: 3, Err: sarama.ErrGroupAuthorizationFailed}),
		"DescribeClusterRequest":              sarama.NewMockWrapper(&sarama.DescribeClusterResponse{Err: sarama.ErrClusterAuthorizationFailed, ErrorMessage: text1("no")}),
		"DescribeLogDirsRequest":              sarama.NewMockWrapper(&sarama.DescribeLogDirsResponse{Version: 2, ErrorCode: sarama.ErrClusterAuthorizationFailed}),
		"DeleteRecordsRequest": sarama.NewMockWrapper(&sarama.DeleteRecordsResponse{Version: 2, Topics: map[string]*sarama.DeleteRecordsResponseTopic{
			"t": {Partitions: map[int32]*sarama.DeleteRecordsResponsePartition{0: {Err: sarama.ErrOffsetOutOfRange}, 1: {}}}}}),
	})
	s.topics()
	s.configs()
	s.acls()
	s.groups()
	s.cluster()
	s.close()
}

// adminRetries has the controller and the coordinator move.
func adminRetries() {
	say("== admin, moved")
	t := reporter{"admin"}
	moved := &sarama.TopicError{Err: sarama.ErrNotController}
	s := newAdminSite(sarama.V2_8_0_0, map[string]sarama.MockResponse{
		"CreateTopicsRequest":     sarama.NewMockSequence(&sarama.CreateTopicsResponse{Version: 7, TopicErrors: map[string]*sarama.TopicError{"t": moved}}, sarama.NewMockCreateTopicsResponse(t)),
		"DeleteTopicsRequest":     sarama.NewMockDeleteTopicsResponse(t).SetError(sarama.ErrNotController),
		"ElectLeadersRequest":     sarama.NewMockSequence(&sarama.ElectLeadersResponse{Version: 2, ErrorCode: sarama.ErrNotController}, sarama.NewMockElectLeadersResponse(t)),
		"OffsetFetchRequest":      sarama.NewMockSequence(&sarama.OffsetFetchResponse{Version: 7, Err: sarama.ErrNotCoordinatorForConsumer}, sarama.NewMockOffsetFetchResponse(t)),
		"DescribeGroupsRequest":   sarama.NewMockWrapper(&sarama.DescribeGroupsResponse{Version: 5, Groups: []*sarama.GroupDescription{{GroupId: "g", Err: sarama.ErrNotCoordinatorForConsumer, ErrorCode: 16}}}),
		"DeleteGroupsRequest":     sarama.NewMockSequence(&sarama.DeleteGroupsResponse{Version: 2, GroupErrorCodes: map[string]sarama.KError{"g": sarama.ErrNotCoordinatorForConsumer}}, sarama.NewMockDeleteGroupsRequest(t).SetDeletedGroups([]string{"g"})),
		"CreatePartitionsRequest": sarama.NewMockSequence(&sarama.CreatePartitionsResponse{Version: 3, TopicPartitionErrors: map[string]*sarama.TopicPartitionError{"t": {Err: sarama.ErrNotController}}}, sarama.NewMockCreatePartitionsResponse(t)),
	})
	a := s.admin
	s.result("CreateTopic", a.CreateTopic("t", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false))
	s.result("CreatePartitions", a.CreatePartitions("t", 1, nil, false))
	err := a.DeleteTopic("t")
	s.result("DeleteTopic", err)
	say("is NOT_CONTROLLER: %v", errors.Is(err, sarama.ErrNotController))
	_, err = a.ElectLeaders(sarama.PreferredElection, map[string][]int32{"t": {0}})
	s.result("ElectLeaders", err)
	_, err = a.ListConsumerGroupOffsets("g", nil)
	s.result("ListConsumerGroupOffsets", err)
	d, err := a.DescribeConsumerGroups([]string{"g"})
	s.result("DescribeConsumerGroups", err, d)
	s.result("DeleteConsumerGroup", a.DeleteConsumerGroup("g"))
	s.close()
}
