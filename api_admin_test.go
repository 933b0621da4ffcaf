package sarama

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama/internal/golden"
)

// TestAdminRequestsGoOutAsFromUpstream has what Sarama 1.61.1 was seen to send
// for the same structs, without headers.
func TestAdminRequestsGoOutAsFromUpstream(t *testing.T) {
	rule := func(pattern AclResourcePatternType) []*AclCreation {
		return []*AclCreation{{Resource{AclResourceTopic, "r", pattern}, Acl{"p", "*", AclOperationRead, AclPermissionAllow}}}
	}
	filter := func(pattern AclResourcePatternType) AclFilter {
		return AclFilter{ResourceType: AclResourceTopic, ResourceName: new("r"), ResourcePatternTypeFilter: pattern,
			Operation: AclOperationAny, PermissionType: AclPermissionAny}
	}
	deleteAcls := func(version int, pattern AclResourcePatternType) *DeleteAclsRequest {
		f := filter(pattern)
		return &DeleteAclsRequest{version, []*AclFilter{&f}}
	}
	configs := func(version int16, names []string) *DescribeConfigsRequest {
		return &DescribeConfigsRequest{version, []*ConfigResource{{TopicResource, "t", names}}, true, true}
	}
	upsert := func(mechanism ScramMechanismType) *AlterUserScramCredentialsRequest {
		return &AlterUserScramCredentialsRequest{Upsertions: []AlterUserScramCredentialsUpsert{
			{Name: "u", Mechanism: mechanism, Iterations: 4096, Salt: []byte("salt"), Password: []byte("secret")}}}
	}
	quotas := func(version int16) *DescribeClientQuotasRequest {
		return &DescribeClientQuotasRequest{version, []QuotaFilterComponent{
			{QuotaEntityUser, QuotaMatchExact, "alice"}, {QuotaEntityUser, QuotaMatchExact, ""}, {QuotaEntityUser, QuotaMatchDefault, "x"},
			{QuotaEntityUser, QuotaMatchAny, "y"}, {QuotaEntityIP, 7, "z"}}, true}
	}
	partitions := func(assignment [][]int32) *CreatePartitionsRequest {
		return &CreatePartitionsRequest{TopicPartitions: map[string]*TopicPartition{"t": {3, assignment}}, Timeout: time.Second}
	}
	for i, c := range []struct {
		request body
		want    string
	}{
		{&CreateAclsRequest{0, rule(AclPatternUnknown)}, "000000010200017200017000012a0303"},
		{&CreateAclsRequest{0, rule(AclPatternLiteral)}, "000000010200017200017000012a0303"},
		{&CreateAclsRequest{1, rule(AclPatternUnknown)}, "00000001020001720300017000012a0303"},
		{&CreateAclsRequest{1, rule(AclPatternPrefixed)}, "00000001020001720400017000012a0303"},
		{&CreateAclsRequest{2, rule(AclPatternUnknown)}, "02020272030270022a03030000"},
		{&DescribeAclsRequest{0, filter(AclPatternUnknown)}, "02000172ffffffff0101"},
		{&DescribeAclsRequest{0, filter(AclPatternAny)}, "02000172ffffffff0101"},
		{&DescribeAclsRequest{1, filter(AclPatternUnknown)}, "0200017200ffffffff0101"},
		{&DescribeAclsRequest{2, filter(AclPatternMatch)}, "020272020000010100"},
		{deleteAcls(0, AclPatternLiteral), "0000000102000172ffffffff0101"},
		{deleteAcls(1, AclPatternUnknown), "000000010200017200ffffffff0101"},
		{deleteAcls(2, AclPatternPrefixed), "0202027204000001010000"},
		{configs(0, nil), "0000000102000174ffffffff"},
		{configs(0, []string{}), "0000000102000174ffffffff"},
		{configs(2, []string{"a"}), "00000001020001740000000100016101"},
		{configs(3, nil), "0000000102000174ffffffff0101"},
		{configs(4, []string{"a"}), "0202027402026100010100"},
		{&AlterConfigsRequest{Resources: []*AlterConfigsResource{
			{TopicResource, "t", map[string]*string{"b": new("x"), "a": nil}}, {Type: BrokerResource}}},
			"000000020200017400000002000161ffff0001620001780400000000000000"},
		{&IncrementalAlterConfigsRequest{Resources: []*IncrementalAlterConfigsResource{{TopicResource, "t", map[string]IncrementalAlterConfigsEntry{
			"a": {Operation: IncrementalAlterConfigsOperationDelete}, "b": {Value: new("x")}}}}},
			"00000001020001740000000200016101ffff0001620000017800"},
		{upsert(SCRAM_MECHANISM_SHA_256), "0102027501000010000573616c7421609a62b5b687ba6592b12a552c79fe3bf19e4e145a167b795b7acab5e89fa0f60000"},
		{upsert(SCRAM_MECHANISM_SHA_512), "0102027502000010000573616c744101ca241fa5d243c54d014ccbbc7374a1dcc205dff2a67ed7d3c5fdaf8319" +
			"11da808760d85a0c61310737b19e410766903b202388ebbcc737f59e0995648d04f00000"},
		{&DescribeUserScramCredentialsRequest{0, []DescribeUserScramCredentialsRequestUser{}}, "0100"},
		{&DescribeUserScramCredentialsRequest{0, []DescribeUserScramCredentialsRequestUser{{"u"}}}, "0202750000"},
		{quotas(0), "00000005000475736572000005616c69636500047573657200000000047573657201ffff00047573657202ffff000269700700017a01"},
		{quotas(1), "0605757365720006616c6963650005757365720001000575736572010000057573657202000003697007027a000100"},
		{&AlterClientQuotasRequest{Entries: []AlterClientQuotasEntry{{[]QuotaEntityComponent{
			{QuotaEntityUser, QuotaMatchExact, "a"}, {QuotaEntityUser, QuotaMatchExact, ""}, {QuotaEntityUser, QuotaMatchDefault, "b"},
			{QuotaEntityUser, QuotaMatchAny, "c"}}, []ClientQuotasOp{{"k", 1, true}}}}},
			"00000001000000040004757365720001610004757365720000000475736572ffff0004757365720001630000000100016b3ff00000000000000100"},
		{partitions(nil), "0000000100017400000003ffffffff000003e800"},
		{partitions([][]int32{}), "0000000100017400000003ffffffff000003e800"},
		{partitions([][]int32{{1, 2}, nil}), "00000001000174000000030000000200000002000000010000000200000000000003e800"},
		{&DescribeLogDirsRequest{}, "ffffffff"},
		{&DescribeLogDirsRequest{2, []DescribeLogDirsRequestTopic{}}, "0000"},
		{&DescribeLogDirsRequest{0, []DescribeLogDirsRequestTopic{{"t", nil}}}, "0000000100017400000000"},
		{&DescribeClusterRequest{}, "0000"},
		{&DescribeClusterRequest{Version: 2}, "00000000"},
		{NewDescribeClusterRequest(MaxVersion), "00010100"},
		{&ListTransactionsRequest{Version: 1}, "0101000000000000000000"},
		{&DescribeTransactionsRequest{}, "0100"},
		{&UpdateFeaturesRequest{Timeout: time.Second, FeatureUpdates: []FeatureUpdate{{Feature: "f", MaxVersionLevel: 1, AllowDowngrade: true}}},
			"000003e80202660001010000"},
		{&DeleteRecordsRequest{Timeout: time.Second, Topics: map[string]*DeleteRecordsRequestTopic{"t": {map[int32]int64{1: 2}}}},
			"00000001000174000000010000000100000000000000020000" + "03e8"},
		{&ConsumerMetadataRequest{ConsumerGroup: "g"}, "000167"},
	} {
		got, err := encodeBody(c.request)
		if err != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("case %d, %T: %v\nwrote %x\nwant  %s", i, c.request, err, got, c.want)
		}
	}
}

// TestAdminResponsesReadAsUpstreamDoes has what Sarama 1.61.1 made of the same
// bytes.
func TestAdminResponsesReadAsUpstreamDoes(t *testing.T) {
	const topic = "00000000" + "00000001" + "0000ffff" + "02000174" + "00000001" + "000161ffff00"
	configs := func(version int16, e ConfigEntry) *DescribeConfigsResponse {
		e.Name = "a"
		return &DescribeConfigsResponse{Version: version, Resources: []*ResourceResponse{{Type: TopicResource, Name: "t", Configs: []*ConfigEntry{&e}}}}
	}
	for i, c := range []struct {
		version int16
		frame   string
		want    body
	}{
		{0, topic + "0100", configs(0, ConfigEntry{Default: true, Source: SourceDefault})},
		{0, topic + "0001", configs(0, ConfigEntry{Sensitive: true})},
		{1, topic + "050000000000", configs(1, ConfigEntry{Default: true, Source: SourceDefault, Synonyms: []*ConfigSynonym{}})},
		{2, topic + "060100000000", configs(2, ConfigEntry{Sensitive: true, Source: SourceDynamicBrokerLogger, Synonyms: []*ConfigSynonym{}})},
		{3, topic + "02000000000100" + "0162ffff05" + "03ffff", configs(3, ConfigEntry{
			Source: SourceDynamicBroker, Synonyms: []*ConfigSynonym{{"b", "", SourceDefault}}, Type: IntConfigType})},
		{0, "00000007" + "0000ffff" + "00000001" + "02000172" + "00000001" + "000170" + "00012a" + "0303", &DescribeAclsResponse{
			ThrottleTime: 7 * time.Millisecond, ResourceAcls: []*ResourceAcls{{
				Resource{AclResourceTopic, "r", AclPatternUnknown}, []*Acl{{"p", "*", AclOperationRead, AclPermissionAllow}}}}}},
		{0, "00000007" + "00000001" + "0000ffff" + "00000001" + "0000ffff" + "02000172" + "000170" + "00012a" + "0303", &DeleteAclsResponse{
			ThrottleTime: 7 * time.Millisecond, FilterResponses: []*FilterResponse{{MatchingAcls: []*MatchingAcl{{
				Resource: Resource{AclResourceTopic, "r", AclPatternUnknown}, Acl: Acl{"p", "*", AclOperationRead, AclPermissionAllow}}}}}}},
		{0, "00000000" + "00000002" + "0000ffff02000174" + "0028ffff02000174", &AlterConfigsResponse{Resources: []*AlterConfigsResourceResponse{
			{Type: TopicResource, Name: "t"}, {ErrorCode: 40, Type: TopicResource, Name: "t"}}}},
		{0, "00000000" + "0000ffff" + "00000001" + "00000002" + "000475736572ffff" + "0004757365720000" + "00000001" + "00016b" + "3ff0000000000000",
			&DescribeClientQuotasResponse{Entries: []DescribeClientQuotasEntry{{[]QuotaEntityComponent{
				{EntityType: QuotaEntityUser, MatchType: QuotaMatchDefault}, {EntityType: QuotaEntityUser}}, map[string]float64{"k": 1}}}}},
		{0, "00000000" + "00000001" + "0000ffff" + "00000002" + "000475736572ffff" + "000475736572000161", &AlterClientQuotasResponse{
			Entries: []AlterClientQuotasEntryResponse{{Entity: []QuotaEntityComponent{
				{EntityType: QuotaEntityUser, MatchType: QuotaMatchDefault}, {EntityType: QuotaEntityUser, Name: "a"}}}}}},
		{0, "00000000" + "00000001" + "000174" + "0025ffff", &CreatePartitionsResponse{
			TopicPartitionErrors: map[string]*TopicPartitionError{"t": {Err: ErrInvalidPartitions}}}},
		{0, "00000000" + "00000001" + "0000" + "00012f" + "00000000", &DescribeLogDirsResponse{
			LogDirs: []DescribeLogDirsResponseDirMetadata{{Path: "/", Topics: []DescribeLogDirsResponseTopic{}}}}},
		{0, "00000000" + "00000001" + "000174" + "00000001" + "00000001" + "0000000000000002" + "0003", &DeleteRecordsResponse{
			Topics: map[string]*DeleteRecordsResponseTopic{"t": {map[int32]*DeleteRecordsResponsePartition{1: {2, ErrUnknownTopicOrPartition}}}}}},
		{0, "00000000" + "0000" + "00" + "01" + "00000001" + "02" + "00000001" + "0268" + "00002384" + "00" + "00" + "80000000" + "00",
			&DescribeClusterResponse{ControllerID: 1, Brokers: []*DescribeClusterBroker{{BrokerID: 1, Host: "h", Port: 9092}},
				ClusterAuthorizedOperations: -1 << 31}},
		{2, "00000000" + "0000" + "00" + "01" + "01" + "00000001" + "01" + "80000000" + "00", &DescribeClusterResponse{
			Version: 2, EndpointType: 1, ControllerID: 1, Brokers: []*DescribeClusterBroker{}, ClusterAuthorizedOperations: -1 << 31}},
		{0, "00000000" + "02" + "0000" + "0278" + "0250" + "0000ea60" + "0000000000000005" + "0000000000000006" + "0007" + "02" + "0274" + "0200000009" + "00" + "00" + "00",
			&DescribeTransactionsResponse{TransactionStates: []TransactionState{{TransactionalID: "x", TransactionState: "P",
				TransactionTimeout: time.Minute, TransactionStartTime: 5, ProducerID: 6, ProducerEpoch: 7,
				Topics: []DescribeTransactionsResponseTopic{{"t", []int32{9}}}}}}},
		{0, "0000" + "00000003" + "000168" + "00002384", &ConsumerMetadataResponse{
			Coordinator: &Broker{id: 3, addr: "h:9092"}, CoordinatorID: 3, CoordinatorHost: "h", CoordinatorPort: 9092}},
		{0, "000f" + "ffffffff" + "0000" + "ffffffff", &ConsumerMetadataResponse{Err: ErrConsumerCoordinatorNotAvailable,
			Coordinator: &Broker{id: -1, addr: ":-1"}, CoordinatorID: -1, CoordinatorPort: -1}},
	} {
		raw, err := hex.DecodeString(c.frame)
		if err != nil {
			t.Fatal(i, err)
		}
		got := reflect.New(reflect.TypeOf(c.want).Elem()).Interface().(body)
		if err := readBody(raw, got, c.version); err != nil {
			t.Errorf("case %d, %T: %v", i, c.want, err)
			continue
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("case %d: got\n%+v, want\n%+v", i, got, c.want)
		}
	}
}

func TestAdminConstructors(t *testing.T) {
	for _, c := range []struct {
		version              KafkaVersion
		cluster              DescribeClusterRequest
		transactions, quotas int16
	}{
		{V0_11_0_0, DescribeClusterRequest{}, 0, 0},
		{V2_8_0_0, DescribeClusterRequest{}, 0, 1},
		{V3_7_0_0, DescribeClusterRequest{Version: 1, EndpointType: 1}, 0, 1},
		{V3_8_0_0, DescribeClusterRequest{Version: 1, EndpointType: 1}, 1, 1},
		{V4_0_0_0, DescribeClusterRequest{Version: 2, EndpointType: 1, IncludeFencedBrokers: true}, 1, 1},
		{MaxVersion, DescribeClusterRequest{Version: 2, EndpointType: 1, IncludeFencedBrokers: true}, 1, 1},
	} {
		if got := *NewDescribeClusterRequest(c.version); got != c.cluster {
			t.Errorf("%v: %+v, want %+v", c.version, got, c.cluster)
		}
		if got := NewListTransactionsRequest(c.version); got.Version != c.transactions || got.DurationFilter != -1 || got.StateFilters != nil {
			t.Errorf("%v: %+v", c.version, got)
		}
		components := []QuotaFilterComponent{{EntityType: QuotaEntityIP}}
		if got := NewDescribeClientQuotasRequest(c.version, components, true); got.Version != c.quotas || !got.Strict || len(got.Components) != 1 {
			t.Errorf("%v: %+v", c.version, got)
		}
	}
}

func TestRequestsThatAVersionCannotSayAreRefused(t *testing.T) {
	prefixed := Resource{AclResourceTopic, "t", AclPatternPrefixed}
	moves := &AlterPartitionReassignmentsRequest{DisallowReplicationFactorChange: true}
	moves.AddBlock("t", 0, []int32{1})
	for _, c := range []struct {
		request body
		says    string
		to      int16 // the version that says it
	}{
		{&CreateAclsRequest{AclCreations: []*AclCreation{{Resource: prefixed}}}, "CreateAcls v0), field AclCreations[0].Resource.ResourcePatternType", 1},
		{&DescribeAclsRequest{AclFilter: AclFilter{ResourcePatternTypeFilter: AclPatternMatch}}, "AclFilter.ResourcePatternTypeFilter", 1},
		{&DeleteAclsRequest{Filters: []*AclFilter{{ResourcePatternTypeFilter: AclPatternPrefixed}}}, "Filters[0].ResourcePatternTypeFilter", 1},
		{moves, "field DisallowReplicationFactorChange", 1},
		{&DescribeClusterRequest{EndpointType: DescribeClusterEndpointTypeControllers}, "field EndpointType", 1},
		{&UpdateFeaturesRequest{ValidateOnly: true}, "field ValidateOnly", 1},
		{&UpdateFeaturesRequest{FeatureUpdates: []FeatureUpdate{{UpgradeType: FeatureUnsafeDowngrade}}}, "field FeatureUpdates[0].UpgradeType", 1},
		{&ListTransactionsRequest{TransactionalIDPattern: new("x.*")}, "field TransactionalIDPattern", 2},
	} {
		for v := range c.to {
			setVersion(c.request, v)
			_, err := encodeBody(c.request)
			want := fmt.Sprintf("needs version %d", c.to)
			if encoding := (PacketEncodingError{}); !errors.As(err, &encoding) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%T v%d: %v", c.request, v, err)
			}
		}
		setVersion(c.request, c.to)
		if _, err := encodeBody(c.request); err != nil {
			t.Errorf("%T v%d: %v", c.request, c.to, err)
		}
	}
}

func TestBadAdminRequestsAreRefused(t *testing.T) {
	for _, c := range []struct {
		request body
		says    string
	}{
		{&CreateAclsRequest{AclCreations: []*AclCreation{nil}}, "AclCreations"},
		{&CreateAclsRequest{AclCreations: []*AclCreation{{Acl: Acl{Operation: 300}}}}, "AclCreations[0].Acl.Operation"},
		{&DescribeAclsRequest{AclFilter: AclFilter{PermissionType: -129}}, "AclFilter.PermissionType"},
		{&DescribeClientQuotasRequest{Components: []QuotaFilterComponent{{MatchType: 128}}}, "Components[0].MatchType"},
		{&DeleteRecordsRequest{Topics: map[string]*DeleteRecordsRequestTopic{"t": nil}}, "the entry for t is nil"},
		{&CreatePartitionsRequest{TopicPartitions: map[string]*TopicPartition{"t": nil}}, "the entry for t is nil"},
		{&CreatePartitionsRequest{Timeout: 1 << 62}, "Timeout"},
		{&CreateTopicsRequest{TopicDetails: map[string]*TopicDetail{"t": nil}}, "the entry for t is nil"},
	} {
		_, err := encodeBody(c.request)
		if encoding := (PacketEncodingError{}); !errors.As(err, &encoding) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%T: %v, want it to say %q", c.request, err, c.says)
		}
	}
	for _, version := range []int{-1, 4, 1 << 15, 1 << 16, 1<<16 + 2, -1 << 16} {
		for _, r := range []body{&DescribeAclsRequest{Version: version}, &DeleteAclsRequest{Version: version}} {
			if _, err := encodeBody(r); !errors.Is(err, ErrUnsupportedVersion) {
				t.Errorf("%T version %d: %v", r, version, err)
			}
		}
	}
	if _, err := encodeBody(&ConsumerMetadataRequest{Version: 1}); !errors.Is(err, ErrUnsupportedVersion) {
		t.Errorf("ConsumerMetadata version 1: %v", err)
	}
}

func TestFeatureUpdatesSayWhichWay(t *testing.T) {
	for _, c := range []struct {
		update FeatureUpdate
		v0, v1 byte
	}{
		{FeatureUpdate{}, 0, 1},
		{FeatureUpdate{AllowDowngrade: true}, 1, 2},
		{FeatureUpdate{UpgradeType: FeatureUpgradeOnly}, 0, 1},
		{FeatureUpdate{UpgradeType: FeatureSafeDowngrade}, 1, 2},
		{FeatureUpdate{UpgradeType: FeatureUnsafeDowngrade, AllowDowngrade: true}, 0xff, 3},
	} {
		for version, want := range []byte{c.v0, c.v1} {
			r := &UpdateFeaturesRequest{Version: int16(version), FeatureUpdates: []FeatureUpdate{c.update}}
			got, err := encodeBody(r)
			if want == 0xff {
				if err == nil {
					t.Errorf("%+v v%d was taken", c.update, version)
				}
				continue
			}
			if err != nil || got[8] != want { // after timeout, count, name and level
				t.Errorf("%+v v%d: %x, %v, want %d", c.update, version, got, err, want)
			}
			var back UpdateFeaturesRequest
			if err := readBody(got, &back, int16(version)); err != nil {
				t.Fatal(err)
			}
			if down := want > 1 || version == 0 && want == 1; back.FeatureUpdates[0].AllowDowngrade != down {
				t.Errorf("%+v v%d reads as %+v", c.update, version, back.FeatureUpdates[0])
			}
		}
	}
}

func TestScramPasswordsStayHere(t *testing.T) {
	r := &AlterUserScramCredentialsRequest{Upsertions: []AlterUserScramCredentialsUpsert{
		{Name: "u", Mechanism: SCRAM_MECHANISM_SHA_256, Iterations: 4096, Salt: []byte("salt"), Password: []byte("secret")}}}
	encode := func() []byte {
		t.Helper()
		raw, err := encodeBody(r)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	inLayout := encode()
	r.derive()
	if first := encode(); !bytes.Equal(first, inLayout) || bytes.Contains(first, []byte("secret")) {
		t.Errorf("derived before %x, in the layout %x", first, inLayout)
	}
	u := &r.Upsertions[0]
	for what, change := range map[string]func(){
		"password":   func() { u.Password = []byte("other") },
		"salt":       func() { u.Salt = []byte("pepper") },
		"iterations": func() { u.Iterations = 8192 },
		"mechanism":  func() { u.Mechanism = SCRAM_MECHANISM_SHA_512 },
	} {
		before := bytes.Clone(u.salted)
		change()
		if r.derive(); bytes.Equal(u.salted, before) {
			t.Errorf("after another %s it is still %x", what, before)
		}
	}
	var back AlterUserScramCredentialsRequest
	if err := readBody(encode(), &back, 0); err != nil || back.Upsertions[0].Password != nil {
		t.Errorf("read: %+v, %v", back, err)
	}
	r.derive()
	back.derive() // knows no password to derive from
	if raw, err := encodeBody(&back); err != nil || !bytes.Equal(raw, encode()) {
		t.Errorf("written again %x, %v, want %x", raw, err, encode())
	}
	u.Mechanism = 5
	r.derive()
	if _, err := encodeBody(r); !errors.Is(err, ErrUnknownScramMechanism) || !strings.Contains(err.Error(), "Upsertions[0].Mechanism") {
		t.Errorf("unknown mechanism: %v", err)
	}
	*u = AlterUserScramCredentialsUpsert{Name: "u", Mechanism: SCRAM_MECHANISM_SHA_256}
	if raw := encode(); raw[9] != 1 { // a length of 0, in compact form
		t.Errorf("without salt: %x", raw)
	}
}

func TestConsumerMetadataIsFindCoordinator(t *testing.T) {
	n := 0
	for _, f := range golden.Load(t) {
		if f.Key != keyFindCoordinator || f.Version != 0 {
			continue
		}
		var b body = new(ConsumerMetadataResponse)
		raw := responseBody(t, apiConsumerMetadata, f)
		if f.Request {
			h, _, err := readRequest(f.Body)
			if err != nil {
				t.Fatal(err)
			}
			b, raw = new(ConsumerMetadataRequest), f.Body[len(appendRequestHeader(nil, apiConsumerMetadata, 0, 0, h.ClientID))-4:]
		}
		if err := readBody(raw, b, 0); err != nil {
			t.Errorf("%v: %v", f, err)
			continue
		}
		if got, err := encodeBody(b); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%v: %v\nwrote %x\nwant  %x", f, err, got, raw)
		}
		n++
	}
	if n < 4 {
		t.Errorf("only %d frames were looked at", n)
	}
	for _, c := range []struct {
		response ConsumerMetadataResponse
		want     string
	}{
		{ConsumerMetadataResponse{}, "0000" + "ffffffff" + "0000" + "ffffffff"},
		{ConsumerMetadataResponse{CoordinatorID: 3, CoordinatorHost: "h", CoordinatorPort: 9092}, "0000" + "00000003" + "000168" + "00002384"},
		{ConsumerMetadataResponse{Coordinator: &Broker{id: 4, addr: "[::1]:9"}, CoordinatorID: 3, CoordinatorHost: "h"},
			"0000" + "00000004" + "0003" + "3a3a31" + "00000009"},
	} {
		if got, err := encodeBody(&c.response); err != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("%+v: %x, %v, want %s", c.response, got, err, c.want)
		}
	}
}
