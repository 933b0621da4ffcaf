package sarama

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// adminCluster is brokers 1 to n of a scripted cluster, with an admin.
type adminCluster struct {
	brokers []*MockBroker
	admin   ClusterAdmin
}

// newAdminCluster starts brokers. more has the answers of broker id (from 1 on);
// partition p of topic t has its leader on broker p%n+1, broker 1 is the
// controller and coordinates every group and transactional id of the list.
func newAdminCluster(t *testing.T, n int, change func(*Config), ids []string, more func(id int32) map[string]MockResponse) *adminCluster {
	t.Helper()
	c := &adminCluster{}
	metadata := NewMockMetadataResponse(t).SetController(1)
	coordinators := NewMockFindCoordinatorResponse(t)
	for i := range n {
		b := NewMockBroker(t, int32(i+1))
		t.Cleanup(b.Close)
		c.brokers = append(c.brokers, b)
		metadata.SetBroker(b.Addr(), b.BrokerID())
	}
	for p := range int32(4) {
		metadata.SetLeader("t", p, p%int32(n)+1)
	}
	for i, id := range ids {
		coordinators.SetCoordinator(CoordinatorGroup, id, c.brokers[i%n]).SetCoordinator(CoordinatorTransaction, id, c.brokers[i%n])
	}
	for _, b := range c.brokers {
		handlers := map[string]MockResponse{"MetadataRequest": metadata, "FindCoordinatorRequest": coordinators}
		for name, h := range more(b.BrokerID()) {
			handlers[name] = h
		}
		b.SetHandlerByMap(handlers)
	}
	conf := NewConfig()
	conf.Admin.Retry.Backoff = time.Millisecond
	if change != nil {
		change(conf)
	}
	var err error
	if c.admin, err = NewClusterAdmin([]string{c.brokers[0].Addr()}, conf); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.admin.Close() })
	return c
}

// asked lists, by broker, the requests of a type.
func asked[R body](c *adminCluster) (list [][]R) {
	for _, b := range c.brokers {
		var own []R
		for _, rr := range b.History() {
			if r, ok := rr.Request.(R); ok {
				own = append(own, r)
			}
		}
		list = append(list, own)
	}
	return list
}

// TestAdminAsksAgainWhoeverAnswersNow has the controller or coordinator move.
func TestAdminAsksAgainWhoeverAnswersNow(t *testing.T) {
	detail := &TopicDetail{NumPartitions: 1, ReplicationFactor: 1}
	for _, c := range []struct {
		name    string
		handler string
		moved   body
		then    func(*testing.T) MockResponse
		call    func(ClusterAdmin) error
	}{
		{"create topic", "CreateTopicsRequest", &CreateTopicsResponse{Version: 7, TopicErrors: map[string]*TopicError{"t": {Err: ErrNotController}}, TopicResults: map[string]*CreatableTopicResult{}},
			func(t *testing.T) MockResponse { return NewMockCreateTopicsResponse(t) },
			func(a ClusterAdmin) error { return a.CreateTopic("t", detail, false) }},
		{"delete topic", "DeleteTopicsRequest", &DeleteTopicsResponse{Version: 6, TopicErrorCodes: map[string]KError{"t": ErrNotController}},
			func(t *testing.T) MockResponse { return NewMockDeleteTopicsResponse(t) },
			func(a ClusterAdmin) error { return a.DeleteTopic("t") }},
		{"create partitions", "CreatePartitionsRequest", &CreatePartitionsResponse{Version: 3, TopicPartitionErrors: map[string]*TopicPartitionError{"t": {Err: ErrNotController}}},
			func(t *testing.T) MockResponse { return NewMockCreatePartitionsResponse(t) },
			func(a ClusterAdmin) error { return a.CreatePartitions("t", 3, nil, false) }},
		{"elect leaders", "ElectLeadersRequest", &ElectLeadersResponse{Version: 2, ErrorCode: ErrNotController},
			func(t *testing.T) MockResponse { return NewMockElectLeadersResponse(t) },
			func(a ClusterAdmin) error {
				_, err := a.ElectLeaders(PreferredElection, map[string][]int32{"t": {0}})
				return err
			}},
		{"reassign", "AlterPartitionReassignmentsRequest", &AlterPartitionReassignmentsResponse{ErrorCode: ErrNotController},
			func(t *testing.T) MockResponse { return NewMockAlterPartitionReassignmentsResponse(t) },
			func(a ClusterAdmin) error { return a.AlterPartitionReassignments("t", [][]int32{{1}}) }},
		{"list reassignments", "ListPartitionReassignmentsRequest", &ListPartitionReassignmentsResponse{ErrorCode: ErrNotController},
			func(t *testing.T) MockResponse { return NewMockListPartitionReassignmentsResponse(t) },
			func(a ClusterAdmin) error {
				_, err := a.ListPartitionReassignments("t", []int32{0})
				return err
			}},
		{"delete rules", "DeleteAclsRequest", &DeleteAclsResponse{Version: 2, FilterResponses: []*FilterResponse{{Err: ErrNotController}}},
			func(t *testing.T) MockResponse { return NewMockDeleteAclsResponse(t) },
			func(a ClusterAdmin) error {
				_, err := a.DeleteACL(AclFilter{}, false)
				return err
			}},
		{"create rules", "CreateAclsRequest", &CreateAclsResponse{Version: 2, AclCreationResponses: []*AclCreationResponse{{Err: ErrNotController}}},
			func(t *testing.T) MockResponse { return NewMockCreateAclsResponse(t) },
			func(a ClusterAdmin) error { return a.CreateACL(Resource{ResourceType: AclResourceTopic}, Acl{}) }},
		{"users", "AlterUserScramCredentialsRequest", &AlterUserScramCredentialsResponse{Results: []*AlterUserScramCredentialsResult{{User: "u", ErrorCode: ErrNotController}}},
			func(t *testing.T) MockResponse { return NewMockWrapper(&AlterUserScramCredentialsResponse{}) },
			func(a ClusterAdmin) error {
				_, err := a.DeleteUserScramCredentials([]AlterUserScramCredentialsDelete{{Name: "u", Mechanism: SCRAM_MECHANISM_SHA_256}})
				return err
			}},
		{"offsets", "OffsetFetchRequest", &OffsetFetchResponse{Version: 7, Err: ErrNotCoordinatorForConsumer},
			func(t *testing.T) MockResponse { return NewMockOffsetFetchResponse(t) },
			func(a ClusterAdmin) error {
				_, err := a.ListConsumerGroupOffsets("g", nil)
				return err
			}},
		{"alter offsets", "OffsetCommitRequest", &OffsetCommitResponse{Version: 8, Errors: map[string]map[int32]KError{"t": {0: ErrNotCoordinatorForConsumer}}},
			func(t *testing.T) MockResponse { return NewMockOffsetCommitResponse(t) },
			func(a ClusterAdmin) error {
				_, err := a.AlterConsumerGroupOffsets("g", map[string]map[int32]OffsetAndMetadata{"t": {0: {Offset: 1}}}, nil)
				return err
			}},
		{"delete group", "DeleteGroupsRequest", &DeleteGroupsResponse{Version: 2, GroupErrorCodes: map[string]KError{"g": ErrConsumerCoordinatorNotAvailable}},
			func(t *testing.T) MockResponse {
				return NewMockDeleteGroupsRequest(t).SetDeletedGroups([]string{"g"})
			},
			func(a ClusterAdmin) error { return a.DeleteConsumerGroup("g") }},
		{"delete offset", "DeleteOffsetsRequest", &DeleteOffsetsResponse{ErrorCode: ErrOffsetsLoadInProgress},
			func(t *testing.T) MockResponse { return NewMockDeleteOffsetRequest(t) },
			func(a ClusterAdmin) error { return a.DeleteConsumerGroupOffset("g", "t", 0) }},
		{"describe groups", "DescribeGroupsRequest", &DescribeGroupsResponse{Version: 5, Groups: []*GroupDescription{{GroupId: "g", ErrorCode: int16(ErrNotCoordinatorForConsumer)}}},
			func(t *testing.T) MockResponse { return NewMockDescribeGroupsResponse(t) },
			func(a ClusterAdmin) error {
				list, err := a.DescribeConsumerGroups([]string{"g"})
				if err == nil && list[0].Err != ErrNoError {
					err = list[0].Err
				}
				return err
			}},
		{"delete records", "DeleteRecordsRequest", &DeleteRecordsResponse{Version: 2, Topics: map[string]*DeleteRecordsResponseTopic{"t": {Partitions: map[int32]*DeleteRecordsResponsePartition{0: {Err: ErrNotLeaderForPartition}}}}},
			func(t *testing.T) MockResponse { return NewMockDeleteRecordsResponse(t) },
			func(a ClusterAdmin) error { return a.DeleteRecords("t", map[int32]int64{0: 1}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := newAdminCluster(t, 1, nil, []string{"g"}, func(int32) map[string]MockResponse {
				return map[string]MockResponse{c.handler: NewMockSequence(c.moved, c.then(t))}
			})
			if err := c.call(cluster.admin); err != nil {
				t.Error(err)
			}
			cluster = newAdminCluster(t, 1, func(conf *Config) { conf.Admin.Retry.Max = 2 }, []string{"g"}, func(int32) map[string]MockResponse {
				return map[string]MockResponse{c.handler: NewMockWrapper(c.moved)}
			})
			if err := c.call(cluster.admin); err == nil {
				t.Error("moved for good: no error")
			}
			n := 0
			for _, rr := range cluster.brokers[0].History() {
				if mockName(rr.Request) == c.handler {
					n++
				}
			}
			if n != 3 {
				t.Errorf("moved for good: asked %d times", n)
			}
		})
	}
}

// TestAdminAsksAgainWhereTheConnectionFails: what was lost is asked for again;
// what was refused, or cannot be read, is not.
func TestAdminAsksAgainWhereTheConnectionFails(t *testing.T) {
	to := adminTarget{moved: []error{ErrNotController}}
	reads := to
	reads.reads = true
	timeout := fmt.Errorf("reading: %w", os.ErrDeadlineExceeded)
	for _, c := range []struct {
		to   adminTarget
		err  error
		want bool
	}{
		{to, io.EOF, true}, {to, fmt.Errorf("writing: %w", io.ErrUnexpectedEOF), true}, {to, ErrNotConnected, true},
		{to, timeout, false}, {reads, timeout, true},
		{to, ErrNotController, true}, {to, Wrap(ErrReassignPartitions, ErrNotController), true}, {to, &TopicError{Err: ErrNotController}, true},
		{to, ErrThrottlingQuotaExceeded, true},
		{to, ErrTopicAlreadyExists, false}, {to, ErrUnsupportedVersion, false}, {to, ErrClosedClient, false},
		{to, PacketDecodingError{"x"}, false}, {to, fmt.Errorf("%w: x", ErrInsufficientData), false}, {to, ConfigurationError("x"), false},
	} {
		if got := c.to.again(c.err); got != c.want {
			t.Errorf("%v, reads %v: %v", c.err, c.to.reads, got)
		}
	}
}

func TestAdminCloseEndsItsBackoff(t *testing.T) {
	c := newAdminCluster(t, 1, func(conf *Config) { conf.Admin.Retry.Backoff = time.Hour }, nil, func(int32) map[string]MockResponse {
		return map[string]MockResponse{"DeleteTopicsRequest": NewMockDeleteTopicsResponse(t).SetError(ErrNotController)}
	})
	done := make(chan error)
	go func() { done <- c.admin.DeleteTopic("t") }()
	for len(asked[*DeleteTopicsRequest](c)[0]) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := c.admin.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !isOneOf(err, ErrNotController, ErrNotConnected, ErrClosedClient) { // Close may come before the answer
		t.Error(err)
	}
	if err := c.admin.Close(); !errors.Is(err, ErrClosedClient) {
		t.Errorf("second Close: %v", err)
	}
	if err := c.admin.DeleteTopic("t"); !errors.Is(err, ErrClosedClient) {
		t.Errorf("after Close: %v", err)
	}
}

// TestAdminAsksEachBrokerForItsShare: one request a broker, with all that it
// answers for.
func TestAdminAsksEachBrokerForItsShare(t *testing.T) {
	c := newAdminCluster(t, 2, func(conf *Config) { conf.Version = V3_8_0_0 }, []string{"a", "b", "c"}, func(id int32) map[string]MockResponse {
		offsets := NewMockOffsetResponse(t)
		for p := range int32(4) {
			offsets.SetOffset("t", p, OffsetNewest, int64(10*id)+int64(p))
		}
		describe := NewMockDescribeConfigsResponse(t)
		groups := NewMockOffsetFetchResponse(t)
		for _, g := range []string{"a", "b", "c"} {
			groups.SetOffset(g, "t", 0, int64(id), "", ErrNoError)
		}
		return map[string]MockResponse{
			"OffsetRequest": offsets, "DeleteRecordsRequest": NewMockDeleteRecordsResponse(t), "DescribeConfigsRequest": describe,
			"OffsetFetchRequest":          groups,
			"DescribeProducersRequest":    NewMockDescribeProducersResponse(t).AddProducer("t", 0, ProducerState{ProducerID: int64(id)}),
			"DescribeTransactionsRequest": NewMockDescribeTransactionsResponse(t),
			"ListTransactionsRequest":     NewMockListTransactionsResponse(t).AddTransaction(fmt.Sprint("x", id), int64(id), TransactionStateOngoing),
			"ListGroupsRequest":           NewMockListGroupsResponse(t).AddGroup(fmt.Sprint("g", id), "consumer"),
			"DescribeGroupsRequest":       NewMockDescribeGroupsResponse(t).AddGroupDescription("c", &GroupDescription{GroupId: "c", State: "Stable"}),
			"DescribeLogDirsRequest":      NewMockDescribeLogDirsResponse(t).SetLogDirs(fmt.Sprint("/logs", id), nil),
		}
	})
	a := c.admin.(interface {
		TransactionClusterAdmin
		GroupClusterAdmin
	})
	times := map[int32]int64{0: OffsetNewest, 1: OffsetNewest, 2: OffsetNewest, 3: OffsetNewest}
	offsets, err := a.ListOffsets(map[string]map[int32]int64{"t": times}, nil)
	for p, want := range []int64{10, 21, 12, 23} {
		if r := offsets["t"][int32(p)]; err != nil || r.Offset != want || r.Err != ErrNoError {
			t.Errorf("offset of %d: %+v, %v", p, r, err)
		}
	}
	if err := a.DeleteRecords("t", times); err != nil {
		t.Error(err)
	}
	for i, had := range asked[*DeleteRecordsRequest](c) {
		if len(had) != 1 || len(had[0].Topics["t"].PartitionOffsets) != 2 {
			t.Errorf("broker %d: %d requests to delete records", i+1, len(had))
		}
	}
	configs, err := a.DescribeConfigs([]*ConfigResource{
		{Type: BrokerResource, Name: "2"}, {Type: TopicResource, Name: "t"}, {Type: BrokerLoggerResource, Name: "1"}, {Type: TopicResource, Name: "u"},
	}, DescribeConfigsOptions{})
	var order []string
	for _, r := range configs {
		order = append(order, r.Name)
	}
	if err != nil || !slices.Equal(order, []string{"2", "t", "1", "u"}) {
		t.Errorf("configs: %v, %v", order, err)
	}
	groups, err := a.ListConsumerGroupOffsetsBatch(map[string]map[string][]int32{"a": nil, "b": nil, "c": nil})
	for id, want := range map[string]int64{"a": 1, "b": 2, "c": 1} {
		if err != nil || groups[id].GetBlock("t", 0).Offset != want {
			t.Errorf("group %s: %+v, %v", id, groups[id], err)
		}
	}
	for i, had := range asked[*OffsetFetchRequest](c) {
		if len(had) != 1 {
			t.Errorf("broker %d: %d requests for offsets", i+1, len(had))
		}
	}
	described, err := a.DescribeConsumerGroups([]string{"c", "b", "a"})
	if err != nil || len(described) != 3 || described[0].GroupId != "c" || described[0].State != "Stable" || described[2].State != "Dead" {
		t.Errorf("described: %v, %v", described, err)
	}
	listed, err := a.ListConsumerGroups()
	if err != nil || len(listed) != 2 || listed["g1"] != "consumer" {
		t.Errorf("listed: %v, %v", listed, err)
	}
	with, err := a.ListGroups(ListGroupsOptions{States: []string{"Stable"}, Types: []string{"classic"}})
	if err != nil || len(with) != 2 || with[1].GroupID != "g2" || with[1].Coordinator != 2 {
		t.Errorf("listed: %+v, %v", with, err)
	}
	producers, err := a.DescribeProducers(map[string][]int32{"t": {3, 0, 1}})
	if err != nil || len(producers["t"]) != 3 || producers["t"][0].ActiveProducers[0].ProducerID != 1 {
		t.Errorf("producers: %v, %v", producers, err)
	}
	states, err := a.DescribeTransactions([]string{"a", "b"})
	if err != nil || len(states) != 2 || states["b"].TransactionalID != "b" {
		t.Errorf("transactions: %v, %v", states, err)
	}
	list, err := a.ListTransactions(nil, nil, -1)
	if err != nil || len(list) != 2 {
		t.Errorf("transactions: %v, %v", list, err)
	}
	dirs, err := a.DescribeLogDirs([]int32{1, 2, 77})
	if err != nil || len(dirs) != 2 || dirs[2][0].Path != "/logs2" {
		t.Errorf("log directories: %v, %v", dirs, err)
	}
}

// TestAdminAsksNoOtherBrokerForABrokersSettings: also where any broker would do
// for the rest of what is asked.
func TestAdminAsksNoOtherBrokerForABrokersSettings(t *testing.T) {
	c := newAdminCluster(t, 3, func(conf *Config) { conf.Version = V3_8_0_0 }, nil, func(int32) map[string]MockResponse {
		return map[string]MockResponse{"DescribeConfigsRequest": NewMockDescribeConfigsResponse(t)}
	})
	for range 20 {
		_, err := c.admin.DescribeConfigs([]*ConfigResource{
			{Type: TopicResource, Name: "t"}, {Type: BrokerResource, Name: "1"}, {Type: BrokerResource, Name: "2"}, {Type: BrokerLoggerResource, Name: "3"},
		}, DescribeConfigsOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, had := range asked[*DescribeConfigsRequest](c) {
		for _, r := range had {
			for _, of := range r.Resources {
				if of.Type != TopicResource && of.Name != fmt.Sprint(i+1) {
					t.Fatalf("broker %d was asked for the settings of broker %s", i+1, of.Name)
				}
			}
		}
	}
}

// TestAdminReturnsWhatItHasBesideAnError: one of two brokers refuses.
func TestAdminReturnsWhatItHasBesideAnError(t *testing.T) {
	c := newAdminCluster(t, 2, func(conf *Config) { conf.Version = V3_8_0_0 }, []string{"a", "b"}, func(id int32) map[string]MockResponse {
		if id == 1 {
			return map[string]MockResponse{
				"ListGroupsRequest":           NewMockListGroupsResponse(t).AddGroup("g1", "consumer"),
				"ListTransactionsRequest":     NewMockListTransactionsResponse(t).AddTransaction("x", 1, TransactionStateOngoing),
				"DescribeLogDirsRequest":      NewMockDescribeLogDirsResponse(t).SetLogDirs("/logs1", nil),
				"DescribeTransactionsRequest": NewMockDescribeTransactionsResponse(t),
				"DescribeProducersRequest":    NewMockDescribeProducersResponse(t).SetError("t", 0, ErrTopicAuthorizationFailed),
			}
		}
		return map[string]MockResponse{
			"ListGroupsRequest":           NewMockWrapper(&ListGroupsResponse{Version: 5, Err: ErrClusterAuthorizationFailed}),
			"ListTransactionsRequest":     NewMockListTransactionsResponse(t).SetError(ErrClusterAuthorizationFailed),
			"DescribeLogDirsRequest":      NewMockWrapper(&DescribeLogDirsResponse{Version: 4, ErrorCode: ErrClusterAuthorizationFailed}),
			"DescribeTransactionsRequest": NewMockWrapper(&DescribeTransactionsResponse{}), // says nothing of what was asked
			"DescribeProducersRequest":    NewMockWrapper(&DescribeProducersResponse{}),
		}
	})
	a := c.admin.(TransactionClusterAdmin)
	for name, call := range map[string]func() (int, error){
		"groups": func() (int, error) { m, err := a.ListConsumerGroups(); return len(m), err },
		"transactions": func() (int, error) {
			l, err := a.ListTransactions(nil, nil, -1)
			return len(l), err
		},
		"log directories": func() (int, error) { m, err := a.DescribeLogDirs([]int32{1, 2}); return len(m), err },
	} {
		n, err := call()
		if n != 1 || !errors.Is(err, ErrClusterAuthorizationFailed) || !strings.Contains(err.Error(), "broker 2") {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	states, err := a.DescribeTransactions([]string{"a", "b"})
	if len(states) != 1 || !errors.Is(err, ErrIncompleteResponse) || !strings.Contains(err.Error(), `"b": `) {
		t.Errorf("%v, %v", states, err)
	}
	producers, err := a.DescribeProducers(map[string][]int32{"t": {0, 1}})
	if len(producers["t"]) != 1 || producers["t"][0].ErrorCode != ErrTopicAuthorizationFailed || !errors.Is(err, ErrIncompleteResponse) || !strings.Contains(err.Error(), "t/1") {
		t.Errorf("%v, %v", producers, err)
	}
}

// TestAdminTellsTheErrorsOfSingleItems checks shape and text of refusals.
func TestAdminTellsTheErrorsOfSingleItems(t *testing.T) {
	why := "why"
	refused := &AlterPartitionReassignmentsResponse{}
	refused.AddError("t", 0, ErrInvalidReplicaAssignment, &why)
	refused.AddError("t", 1, ErrNoError, nil)
	c := newAdminCluster(t, 1, nil, []string{"g"}, func(int32) map[string]MockResponse {
		return map[string]MockResponse{
			"CreateTopicsRequest":                NewMockCreateTopicsResponse(t),
			"AlterPartitionReassignmentsRequest": NewMockWrapper(refused),
			"IncrementalAlterConfigsRequest":     NewMockIncrementalAlterConfigsResponseWithErrorCode(t),
			"AlterConfigsRequest":                NewMockAlterConfigsResponseWithErrorCode(t),
			"DescribeConfigsRequest":             NewMockDescribeConfigsResponseWithErrorCode(t),
			"CreateAclsRequest":                  NewMockCreateAclsResponseWithError(t),
			"AlterClientQuotasRequest":           NewMockWrapper(&AlterClientQuotasResponse{Version: 1, Entries: []AlterClientQuotasEntryResponse{{ErrorCode: ErrInvalidRequest, ErrorMsg: &why}}}),
			"DeleteRecordsRequest": NewMockWrapper(&DeleteRecordsResponse{Version: 2, Topics: map[string]*DeleteRecordsResponseTopic{
				"t": {Partitions: map[int32]*DeleteRecordsResponsePartition{0: {Err: ErrOffsetOutOfRange}, 1: {}}}}}),
		}
	})
	a := c.admin
	detail := &TopicDetail{NumPartitions: 1, ReplicationFactor: 1}
	for _, c := range []struct {
		name string
		err  error
		is   []error
		text string
	}{
		{"create", a.CreateTopic("_t", detail, false), []error{ErrTopicAuthorizationFailed}, "reserved prefix"},
		{"create without a name", a.CreateTopic("", detail, false), []error{ErrInvalidTopic}, ""},
		{"create without a detail", a.CreateTopic("t", nil, false), nil, `"t"`},
		{"reassign", a.AlterPartitionReassignments("t", [][]int32{{1}, {1}}), []error{ErrReassignPartitions, ErrInvalidReplicaAssignment}, "[t-0]: "},
		{"incremental", a.IncrementalAlterConfig(TopicResource, "t", nil, false), []error{ErrInvalidConfig}, ": Invalid value xyz"},
		{"rules", a.CreateACLs([]*ResourceAcls{{Resource{ResourceType: AclResourceTopic}, []*Acl{{}}}}), []error{ErrCreateACLs, ErrInvalidRequest}, ""},
		{"quotas", a.AlterClientQuotas(nil, ClientQuotasOp{Key: "k"}, false), []error{ErrInvalidRequest}, "why"},
		{"records", a.DeleteRecords("t", map[int32]int64{0: 1, 1: 1, 2: 1}), []error{ErrDeleteRecords, ErrOffsetOutOfRange, ErrIncompleteResponse}, "[t-2]: "},
		{"settings of no broker", a.AlterConfig(BrokerResource, "x", nil, false), nil, `"x"`},
		{"settings of an unknown broker", a.AlterConfig(BrokerResource, "9", nil, false), []error{ErrBrokerNotFound}, "broker 9"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.text) {
			t.Errorf("%s: %v", c.name, c.err)
		}
		for _, is := range c.is {
			if !errors.Is(c.err, is) {
				t.Errorf("%s: %v is not %v", c.name, c.err, is)
			}
		}
	}
	topic, alter, describe := (*TopicError)(nil), (*AlterConfigError)(nil), (*DescribeConfigError)(nil)
	_, err := a.DescribeConfig(ConfigResource{Type: TopicResource, Name: "t"})
	if !errors.As(a.CreateTopic("_t", detail, false), &topic) || !errors.As(a.AlterConfig(TopicResource, "t", nil, false), &alter) || !errors.As(err, &describe) {
		t.Error("errors have lost their types")
	}
}

// TestAdminShowsGroupsOfTheNewerProtocolInTheClassicForm: brokers do not know
// them as classic groups.
func TestAdminShowsGroupsOfTheNewerProtocolInTheClassicForm(t *testing.T) {
	instance := "i"
	newer := ConsumerGroupDescription{
		GroupID: "new", GroupState: "Stable", AssignorName: "uniform", AuthorizedOperations: 8,
		Members: []ConsumerGroupMemberDescription{{
			MemberID: "m", InstanceID: &instance, ClientID: "c", ClientHost: "/h", SubscribedTopicNames: []string{"t"},
			Assignment: ConsumerGroupAssignment{TopicPartitions: []ConsumerGroupTopicPartitions{{TopicName: "t", Partitions: []int32{2, 3}}}},
		}},
	}
	c := newAdminCluster(t, 1, func(conf *Config) { conf.Version = MaxVersion }, []string{"old", "new", "none"}, func(int32) map[string]MockResponse {
		return map[string]MockResponse{
			"DescribeGroupsRequest":        NewMockDescribeGroupsResponse(t).AddGroupDescription("old", &GroupDescription{GroupId: "old", State: "Empty"}),
			"ConsumerGroupDescribeRequest": NewMockConsumerGroupDescribeResponse(t).AddGroupDescription("new", newer),
		}
	})
	list, err := c.admin.DescribeConsumerGroups([]string{"none", "new", "old"})
	if err != nil || len(list) != 3 || list[0].State != "Dead" || list[2].State != "Empty" {
		t.Fatalf("%v, %v", list, err)
	}
	g := list[1]
	m := g.Members["m"]
	if g.State != "Stable" || g.ProtocolType != "consumer" || g.Protocol != "uniform" || g.AuthorizedOperations != 8 || m == nil || *m.GroupInstanceId != instance {
		t.Fatalf("%+v", g)
	}
	metadata, err := m.GetMemberMetadata()
	if err != nil || !slices.Equal(metadata.Topics, []string{"t"}) {
		t.Errorf("%+v, %v", metadata, err)
	}
	assigned, err := m.GetMemberAssignment()
	if err != nil || !slices.Equal(assigned.Topics["t"], []int32{2, 3}) {
		t.Errorf("%+v, %v", assigned, err)
	}
}

func TestAdminDescribesTheClusterOfOlderBrokers(t *testing.T) {
	c := newAdminCluster(t, 2, func(conf *Config) { conf.Version = V2_0_0_0 }, nil, func(int32) map[string]MockResponse { return nil })
	brokers, controller, err := c.admin.DescribeCluster()
	if err != nil || controller != 1 || len(brokers) != 2 {
		t.Fatalf("%v, %d, %v", brokers, controller, err)
	}
	if ok, _ := brokers[0].Connected(); ok {
		t.Error("a broker is open")
	}
	if b, err := c.admin.Controller(); err != nil || b.ID() != 1 {
		t.Errorf("%v, %v", b, err)
	}
}

// TestAdminCallsEndWithTheirContext: a broker that does not answer, and a backoff.
func TestAdminCallsEndWithTheirContext(t *testing.T) {
	cause := errors.New("enough")
	for _, c := range []struct {
		name string
		call func(ClusterAdmin) error
	}{
		{"controller", func(a ClusterAdmin) error { return a.DeleteTopic("t") }},
		{"leaders", func(a ClusterAdmin) error {
			_, err := a.ListOffsets(map[string]map[int32]int64{"t": {0: OffsetNewest}}, nil)
			return err
		}},
		{"coordinators", func(a ClusterAdmin) error {
			_, err := a.DescribeConsumerGroups([]string{"g"})
			return err
		}},
		{"all brokers", func(a ClusterAdmin) error {
			_, err := a.ListConsumerGroups()
			return err
		}},
		{"settings", func(a ClusterAdmin) error {
			_, err := a.DescribeConfigs([]*ConfigResource{{Type: TopicResource, Name: "t"}}, DescribeConfigsOptions{})
			return err
		}},
		{"backoff", func(a ClusterAdmin) error { return a.CreatePartitions("t", 1, nil, false) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := newAdminCluster(t, 1, func(conf *Config) { conf.Admin.Retry.Backoff = time.Hour }, []string{"g"}, func(int32) map[string]MockResponse {
				return map[string]MockResponse{"CreatePartitionsRequest": NewMockWrapper(&CreatePartitionsResponse{
					Version: 3, TopicPartitionErrors: map[string]*TopicPartitionError{"t": {Err: ErrNotController}}})}
			})
			ctx, cancel := context.WithCancelCause(t.Context())
			before := len(cluster.brokers[0].History())
			go func() {
				for len(cluster.brokers[0].History()) == before {
					time.Sleep(time.Millisecond)
				}
				cancel(cause)
			}()
			err := c.call(cluster.admin.(ContextClusterAdmin).WithContext(ctx))
			if !errors.Is(err, cause) {
				t.Errorf("%v", err)
			}
			if err := c.call(cluster.admin.(ContextClusterAdmin).WithContext(ctx)); !errors.Is(err, cause) {
				t.Errorf("a context that has ended: %v", err)
			}
		})
	}
}

// TestAdminLooksForManyCoordinatorsAtOnce where the broker says that it takes
// that (KIP-699), and for what it does not find one by one.
func TestAdminLooksForManyCoordinatorsAtOnce(t *testing.T) {
	for _, c := range []struct {
		name    string
		version KafkaVersion
		max     int16
		want    int // requests after coordinators
	}{
		{"several at once", V3_8_0_0, 4, 1}, {"an older broker", V3_8_0_0, 3, 4}, {"an older Config.Version", V2_8_0_0, 4, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			ids := []string{"a", "b", "c", "d"}
			cluster := newAdminCluster(t, 2, func(conf *Config) { conf.Version = c.version }, ids, func(int32) map[string]MockResponse {
				keys := versionsOfMock(0).ApiKeys
				for i := range keys {
					if keys[i].ApiKey == keyFindCoordinator {
						keys[i].MaxVersion = c.max
					}
				}
				return map[string]MockResponse{
					"ApiVersionsRequest":    NewMockApiVersionsResponse(t).SetApiKeys(keys),
					"DescribeGroupsRequest": NewMockDescribeGroupsResponse(t),
				}
			})
			for range 2 { // the second time they are known
				list, err := cluster.admin.DescribeConsumerGroups(ids)
				if err != nil || len(list) != len(ids) {
					t.Errorf("%v, %v", list, err)
				}
			}
			n := 0
			for _, had := range asked[*FindCoordinatorRequest](cluster) {
				n += len(had)
			}
			if n != c.want {
				t.Errorf("%d requests after coordinators", n)
			}
			for i, had := range asked[*DescribeGroupsRequest](cluster) {
				if len(had) != 2 || len(had[0].Groups) != 2 {
					t.Errorf("broker %d: %d requests", i+1, len(had))
				}
			}
		})
	}
}

// TestAdminTellsAFailedRequestOnce, and what single keys lack by their names.
func TestAdminTellsAFailedRequestOnce(t *testing.T) {
	failed := errors.New("broker 1 is lost")
	answers := map[string]shardAnswer[int]{
		"a": told(1, ErrTopicAuthorizationFailed), "b": {err: failed, whole: true}, "c": {err: failed, whole: true}, "d": {err: ErrIncompleteResponse},
	}
	err := unanswered(failed, []string{"a", "b", "c", "d"}, answers, quoted)
	if want := "broker 1 is lost\n\"d\": " + ErrIncompleteResponse.Error(); err == nil || err.Error() != want || !errors.Is(err, ErrIncompleteResponse) {
		t.Errorf("%v", err)
	}
	if err := unanswered(nil, []string{"a"}, answers, quoted); err != nil {
		t.Errorf("all is answered for: %v", err)
	}
}
