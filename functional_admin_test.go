package sarama_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// TestFunctionalAdminMessages sends what administrators ask to real brokers and
// to the embedded one, in every version that both sides have.
func TestFunctionalAdminMessages(t *testing.T) {
	for _, release := range []sarama.KafkaVersion{sarama.MaxVersion, sarama.V3_9_1_0} {
		t.Run("embedded "+release.String(), func(t *testing.T) {
			c := fakekafka.New(t, fakekafka.Options{Version: release, Racks: []string{"rack-0"}})
			adminMessages(t, &site{addrs: c.Addrs(), version: release, brokers: 1, fake: c})
		})
	}
	t.Run("kafka 4.3.1", func(t *testing.T) { adminMessages(t, startKafka(t, "4.3.1", 1, nil)) })
}

// adminMessages asks the one broker of a cluster.
func adminMessages(t *testing.T, s *site) {
	conf := s.config()
	client := s.client(t, conf)
	b, err := client.Controller()
	if err != nil {
		t.Fatal(err)
	}
	versions, err := b.ApiVersions(&sarama.ApiVersionsRequest{Version: 3, ClientSoftwareName: "test", ClientSoftwareVersion: "1"})
	if err != nil {
		t.Fatal(err)
	}
	a := &adminTalk{Broker: b, site: s, topic: s.topic(t, 1, nil), ranges: make(map[int16][2]int16)}
	for _, k := range versions.ApiKeys {
		a.ranges[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
	}
	for _, c := range []struct {
		name   string
		key    int16
		newest int16 // of those that the client has
		talk   func(t *testing.T, version int16)
	}{
		{"ConsumerMetadata", 10, 0, a.consumerMetadata},
		{"CreatePartitions", 37, 3, a.createPartitions},
		{"DescribeConfigs", 32, 4, a.describeConfigs},
		{"AlterConfigs", 33, 2, a.alterConfigs},
		{"IncrementalAlterConfigs", 44, 1, a.incrementalAlterConfigs},
		{"DeleteRecords", 21, 2, a.deleteRecords},
		{"DescribeLogDirs", 35, 5, a.describeLogDirs},
		{"CreateAcls, DescribeAcls, DeleteAcls", 29, 3, a.acls},
		{"AlterClientQuotas, DescribeClientQuotas", 48, 1, a.quotas},
		{"AlterUserScramCredentials, DescribeUserScramCredentials", 50, 0, a.scram},
		{"DescribeCluster", 60, 2, a.describeCluster},
		{"UpdateFeatures", 57, 2, a.updateFeatures},
		{"AlterPartitionReassignments", 45, 1, a.reassign},
		{"ListPartitionReassignments", 46, 0, a.listReassignments},
		{"ElectLeaders", 43, 2, a.electLeaders},
		{"DescribeProducers", 61, 0, a.describeProducers},
		{"DescribeTransactions", 65, 0, a.describeTransactions},
		{"ListTransactions", 66, 2, a.listTransactions},
	} {
		r, ok := a.ranges[c.key]
		if !ok {
			t.Errorf("the broker does not have %s", c.name)
		}
		for v := r[0]; v <= min(r[1], c.newest); v++ {
			t.Run(fmt.Sprintf("%s v%d", c.name, v), func(t *testing.T) { c.talk(t, v) })
		}
	}
}

// adminTalk asks one broker, which is all there is.
type adminTalk struct {
	*sarama.Broker
	site   *site
	topic  string
	ranges map[int16][2]int16
}

func (a *adminTalk) consumerMetadata(t *testing.T, _ int16) {
	eventually(t, "GetConsumerMetadata", func() error {
		resp, err := a.GetConsumerMetadata(&sarama.ConsumerMetadataRequest{ConsumerGroup: "g"})
		if err != nil {
			return err
		}
		if resp.Err != sarama.ErrNoError || resp.Coordinator.ID() != a.ID() || resp.CoordinatorID != a.ID() || resp.CoordinatorPort == 0 {
			return fmt.Errorf("%+v", resp)
		}
		return nil
	})
}

func (a *adminTalk) createPartitions(t *testing.T, version int16) {
	topic := a.site.topic(t, 1, nil)
	for _, c := range []struct {
		add  *sarama.TopicPartition
		want sarama.KError
	}{
		{&sarama.TopicPartition{Count: 2}, sarama.ErrNoError},
		{&sarama.TopicPartition{Count: 3, Assignment: [][]int32{{a.ID()}}}, sarama.ErrNoError},
		{&sarama.TopicPartition{Count: 4, Assignment: [][]int32{{99}}}, sarama.ErrInvalidReplicaAssignment},
		{&sarama.TopicPartition{Count: 1}, sarama.ErrInvalidPartitions},
	} {
		resp, err := a.CreatePartitions(&sarama.CreatePartitionsRequest{
			Version: version, TopicPartitions: map[string]*sarama.TopicPartition{topic: c.add}, Timeout: 10 * time.Second})
		mustTxn(t, "CreatePartitions", err)
		if got := resp.TopicPartitionErrors[topic]; got == nil || got.Err != c.want || (got.ErrMsg != nil) != (c.want != 0) {
			t.Errorf("%+v: %v, want %v", c.add, got, c.want)
		}
	}
}

// jitter is what the broker says of the topic's segment.jitter.ms.
func (a *adminTalk) jitter(t *testing.T, version int16) *sarama.ConfigEntry {
	t.Helper()
	resp, err := a.DescribeConfigs(&sarama.DescribeConfigsRequest{Version: version, IncludeSynonyms: true, IncludeDocumentation: true,
		Resources: []*sarama.ConfigResource{{Type: sarama.TopicResource, Name: a.topic, ConfigNames: []string{"segment.jitter.ms"}}}})
	mustTxn(t, "DescribeConfigs", err)
	if len(resp.Resources) != 1 || resp.Resources[0].Name != a.topic || len(resp.Resources[0].Configs) != 1 {
		t.Fatalf("%+v", resp)
	}
	return resp.Resources[0].Configs[0]
}

func (a *adminTalk) describeConfigs(t *testing.T, version int16) {
	e := a.jitter(t, version)
	// In version 0 brokers do not tell whether it is the default.
	if e.Name != "segment.jitter.ms" || e.Value != "0" || e.ReadOnly || e.Sensitive ||
		version >= 1 && (!e.Default || e.Source != sarama.SourceDefault) ||
		version >= 3 && (e.Type != sarama.LongConfigType || e.Documentation == nil) {
		t.Errorf("%+v", e)
	}
	resp, err := a.DescribeConfigs(&sarama.DescribeConfigsRequest{Version: version, Resources: []*sarama.ConfigResource{
		{Type: sarama.BrokerResource, Name: fmt.Sprint(a.ID())}, {Type: sarama.TopicResource, Name: "no-such-topic"}}})
	mustTxn(t, "DescribeConfigs", err)
	if len(resp.Resources) != 2 || len(resp.Resources[0].Configs) < 50 || sarama.KError(resp.Resources[1].ErrorCode) != sarama.ErrUnknownTopicOrPartition {
		t.Fatalf("%+v", resp)
	}
	for _, e := range resp.Resources[0].Configs {
		if e.Name == "node.id" && (e.Value != fmt.Sprint(a.ID()) || !e.ReadOnly || version >= 1 && e.Source != sarama.SourceStaticBroker) ||
			e.Name == "ssl.key.password" && !e.Sensitive {
			t.Errorf("%+v", e)
		}
	}
}

// altered checks the answer to a request that sets settings of the topic, and
// of one that there is not.
func (a *adminTalk) altered(t *testing.T, err error, results []*sarama.AlterConfigsResourceResponse) {
	t.Helper()
	mustTxn(t, "altering", err)
	if len(results) != 2 || results[0].Name != a.topic || results[0].ErrorCode != 0 ||
		sarama.KError(results[1].ErrorCode) != sarama.ErrUnknownTopicOrPartition || results[1].ErrorMsg == "" {
		t.Errorf("%+v, %+v", results[0], results[1])
	}
}

// wantJitter waits for a setting, which brokers take over a moment later.
func (a *adminTalk) wantJitter(t *testing.T, want string, source sarama.ConfigSource) {
	t.Helper()
	eventually(t, "segment.jitter.ms", func() error {
		e := a.jitter(t, 1)
		if e.Value != want || e.Source != source || source == sarama.SourceTopic && (len(e.Synonyms) == 0 || e.Synonyms[0].ConfigValue != want) {
			return fmt.Errorf("%+v", e)
		}
		return nil
	})
}

func (a *adminTalk) alterConfigs(t *testing.T, version int16) {
	set := map[string]*string{"segment.jitter.ms": new(fmt.Sprint(1000000 + int(version)))}
	for _, c := range []struct {
		entries  map[string]*string
		validate bool
		want     string
		source   sarama.ConfigSource
	}{
		{set, true, "0", sarama.SourceDefault},
		{set, false, *set["segment.jitter.ms"], sarama.SourceTopic},
		{nil, false, "0", sarama.SourceDefault},
	} {
		resp, err := a.AlterConfigs(&sarama.AlterConfigsRequest{Version: version, ValidateOnly: c.validate, Resources: []*sarama.AlterConfigsResource{
			{Type: sarama.TopicResource, Name: a.topic, ConfigEntries: c.entries},
			{Type: sarama.TopicResource, Name: "no-such-topic", ConfigEntries: c.entries}}})
		a.altered(t, err, resp.Resources)
		a.wantJitter(t, c.want, c.source)
	}
}

func (a *adminTalk) incrementalAlterConfigs(t *testing.T, version int16) {
	for _, c := range []struct {
		entry  sarama.IncrementalAlterConfigsEntry
		want   string
		source sarama.ConfigSource
	}{
		{sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: new("777777")}, "777777", sarama.SourceTopic},
		{sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationDelete}, "0", sarama.SourceDefault},
	} {
		entries := map[string]sarama.IncrementalAlterConfigsEntry{"segment.jitter.ms": c.entry}
		resp, err := a.IncrementalAlterConfigs(&sarama.IncrementalAlterConfigsRequest{Version: version, Resources: []*sarama.IncrementalAlterConfigsResource{
			{Type: sarama.TopicResource, Name: a.topic, ConfigEntries: entries}, {Type: sarama.TopicResource, Name: "no-such-topic", ConfigEntries: entries}}})
		a.altered(t, err, resp.Resources)
		a.wantJitter(t, c.want, c.source)
	}
}

func (a *adminTalk) deleteRecords(t *testing.T, version int16) {
	topic := a.site.topic(t, 1, nil)
	var msgs []*sarama.ProducerMessage
	for range 5 {
		msgs = append(msgs, &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("v")})
	}
	a.site.produce(t, a.site.config(), msgs)
	for _, c := range []struct {
		to   int64
		want sarama.DeleteRecordsResponsePartition
	}{
		{3, sarama.DeleteRecordsResponsePartition{LowWatermark: 3}},
		{-1, sarama.DeleteRecordsResponsePartition{LowWatermark: 5}},
		{9, sarama.DeleteRecordsResponsePartition{LowWatermark: -1, Err: sarama.ErrOffsetOutOfRange}},
	} {
		resp, err := a.DeleteRecords(&sarama.DeleteRecordsRequest{Version: version, Timeout: 10 * time.Second,
			Topics: map[string]*sarama.DeleteRecordsRequestTopic{topic: {PartitionOffsets: map[int32]int64{0: c.to}}}})
		mustTxn(t, "DeleteRecords", err)
		if got := resp.Topics[topic]; got == nil || got.Partitions[0] == nil || *got.Partitions[0] != c.want {
			t.Errorf("up to %d: %+v", c.to, got)
		}
	}
}

func (a *adminTalk) describeLogDirs(t *testing.T, version int16) {
	a.site.produce(t, a.site.config(), []*sarama.ProducerMessage{{Topic: a.topic, Value: sarama.StringEncoder("v")}})
	for _, topics := range [][]sarama.DescribeLogDirsRequestTopic{nil, {{Topic: a.topic, PartitionIDs: []int32{0}}}} {
		resp, err := a.DescribeLogDirs(&sarama.DescribeLogDirsRequest{Version: version, DescribeTopics: topics})
		mustTxn(t, "DescribeLogDirs", err)
		if resp.ErrorCode != sarama.ErrNoError || len(resp.LogDirs) != 1 {
			t.Fatalf("%+v", resp)
		}
		dir := resp.LogDirs[0]
		i := slices.IndexFunc(dir.Topics, func(d sarama.DescribeLogDirsResponseTopic) bool { return d.Topic == a.topic })
		if dir.Path == "" || i < 0 || (topics != nil) != (len(dir.Topics) == 1) || version >= 4 && a.site.fake == nil && (dir.TotalBytes <= 0 || dir.UsableBytes <= 0) {
			t.Fatalf("%+v", dir)
		}
		if p := dir.Topics[i].Partitions; len(p) != 1 || p[0].PartitionID != 0 || p[0].Size == 0 || p[0].IsTemporary {
			t.Errorf("%+v", p)
		}
	}
}

func (a *adminTalk) acls(t *testing.T, version int16) {
	pattern := sarama.AclPatternLiteral
	if version >= 1 {
		pattern = sarama.AclPatternPrefixed
	}
	resource := sarama.Resource{ResourceType: sarama.AclResourceTopic, ResourceName: "rules", ResourcePatternType: pattern}
	rule := sarama.Acl{Principal: "User:alice", Host: "*", Operation: sarama.AclOperationRead, PermissionType: sarama.AclPermissionAllow}
	wrong := rule
	wrong.Principal = "nobody"
	resp, err := a.CreateAcls(&sarama.CreateAclsRequest{Version: version, AclCreations: []*sarama.AclCreation{
		{Resource: resource, Acl: rule}, {Resource: resource, Acl: wrong}}})
	if !errors.Is(err, sarama.ErrCreateACLs) || len(resp.AclCreationResponses) != 2 || resp.AclCreationResponses[0].Err != 0 ||
		resp.AclCreationResponses[1].Err == 0 || resp.AclCreationResponses[1].ErrMsg == nil {
		t.Fatalf("%+v, %v", resp, err)
	}
	filter := sarama.AclFilter{ResourceType: sarama.AclResourceTopic, ResourceName: new("rules"), ResourcePatternTypeFilter: sarama.AclPatternAny,
		Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny}
	if version < 1 {
		resource.ResourcePatternType = 0 // not told
	}
	eventually(t, "DescribeAcls", func() error { // the controller knows first
		found, err := a.DescribeAcls(&sarama.DescribeAclsRequest{Version: int(version), AclFilter: filter})
		if err == nil && (len(found.ResourceAcls) != 1 || found.ResourceAcls[0].Resource != resource || len(found.ResourceAcls[0].Acls) != 1 || *found.ResourceAcls[0].Acls[0] != rule) {
			err = fmt.Errorf("%+v", found)
		}
		return err
	})
	nothing := sarama.AclFilter{ResourceType: sarama.AclResourceGroup, ResourcePatternTypeFilter: sarama.AclPatternLiteral, Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny}
	gone, err := a.DeleteAcls(&sarama.DeleteAclsRequest{Version: int(version), Filters: []*sarama.AclFilter{&nothing, &filter}})
	mustTxn(t, "DeleteAcls", err)
	if f := gone.FilterResponses; len(f) != 2 || len(f[0].MatchingAcls) != 0 || len(f[1].MatchingAcls) != 1 ||
		f[1].MatchingAcls[0].Resource != resource || f[1].MatchingAcls[0].Acl != rule || f[1].MatchingAcls[0].Err != 0 {
		t.Errorf("%+v", f)
	}
}

func (a *adminTalk) quotas(t *testing.T, version int16) {
	entity := []sarama.QuotaEntityComponent{
		{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Name: "alice"},
		{EntityType: sarama.QuotaEntityClientID, MatchType: sarama.QuotaMatchDefault},
	}
	filter := []sarama.QuotaFilterComponent{
		{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Match: "alice"},
		{EntityType: sarama.QuotaEntityClientID, MatchType: sarama.QuotaMatchAny},
	}
	for _, op := range []sarama.ClientQuotasOp{{Key: "request_percentage", Value: 50.5}, {Key: "request_percentage", Remove: true}} {
		resp, err := a.AlterClientQuotas(&sarama.AlterClientQuotasRequest{Version: version, Entries: []sarama.AlterClientQuotasEntry{{Entity: entity, Ops: []sarama.ClientQuotasOp{op}}}})
		mustTxn(t, "AlterClientQuotas", err)
		if len(resp.Entries) != 1 || resp.Entries[0].ErrorCode != 0 || len(resp.Entries[0].Entity) != 2 || !slices.Contains(resp.Entries[0].Entity, entity[1]) {
			t.Fatalf("%+v", resp)
		}
		eventually(t, "DescribeClientQuotas", func() error {
			found, err := a.DescribeClientQuotas(&sarama.DescribeClientQuotasRequest{Version: version, Components: filter, Strict: true})
			if err != nil {
				return err
			}
			switch e := found.Entries; {
			case op.Remove && len(e) == 0:
				return nil
			case !op.Remove && len(e) == 1 && slices.Contains(e[0].Entity, entity[0]) && slices.Contains(e[0].Entity, entity[1]) &&
				reflect.DeepEqual(e[0].Values, map[string]float64{op.Key: op.Value}):
				return nil
			}
			return fmt.Errorf("after %+v: %+v", op, found)
		})
	}
}

func (a *adminTalk) scram(t *testing.T, _ int16) {
	change := func(r *sarama.AlterUserScramCredentialsRequest) []*sarama.AlterUserScramCredentialsResult {
		resp, err := a.AlterUserScramCredentials(r)
		mustTxn(t, "AlterUserScramCredentials", err)
		return resp.Results
	}
	upsert := sarama.AlterUserScramCredentialsUpsert{Name: "alice", Mechanism: sarama.SCRAM_MECHANISM_SHA_512, Iterations: 8192,
		Salt: []byte("0123456789"), Password: []byte("secret")}
	few := upsert
	few.Name, few.Iterations = "bob", 1
	got := change(&sarama.AlterUserScramCredentialsRequest{Upsertions: []sarama.AlterUserScramCredentialsUpsert{upsert, few}})
	if len(got) != 2 || got[0].User != "alice" || got[0].ErrorCode != 0 || got[1].ErrorCode != sarama.ErrUnacceptableCredential || got[1].ErrorMessage == nil {
		t.Fatalf("%+v", got)
	}
	eventually(t, "DescribeUserScramCredentials", func() error {
		resp, err := a.DescribeUserScramCredentials(&sarama.DescribeUserScramCredentialsRequest{
			DescribeUsers: []sarama.DescribeUserScramCredentialsRequestUser{{Name: "alice"}, {Name: "nobody"}}})
		if err != nil {
			return err
		}
		if r := resp.Results; len(r) != 2 || r[0].User != "alice" || len(r[0].CredentialInfos) != 1 || r[1].ErrorCode == 0 ||
			*r[0].CredentialInfos[0] != (sarama.UserScramCredentialsResponseInfo{Mechanism: upsert.Mechanism, Iterations: 8192}) {
			return fmt.Errorf("%+v", r)
		}
		return nil
	})
	deletion := sarama.AlterUserScramCredentialsDelete{Name: "alice", Mechanism: upsert.Mechanism}
	if got := change(&sarama.AlterUserScramCredentialsRequest{Deletions: []sarama.AlterUserScramCredentialsDelete{deletion}}); len(got) != 1 || got[0].ErrorCode != 0 {
		t.Errorf("%+v", got)
	}
	eventually(t, "no user at all", func() error {
		resp, err := a.DescribeUserScramCredentials(&sarama.DescribeUserScramCredentialsRequest{})
		if err != nil || resp.ErrorCode != 0 || len(resp.Results) > 0 {
			return fmt.Errorf("%+v, %w", resp, err)
		}
		return nil
	})
}

func (a *adminTalk) describeCluster(t *testing.T, version int16) {
	r := sarama.NewDescribeClusterRequest(a.site.version)
	r.Version, r.IncludeClusterAuthorizedOperations = version, true
	resp, err := a.DescribeCluster(r)
	mustTxn(t, "DescribeCluster", err)
	if resp.Err != 0 || resp.ClusterID == "" || resp.ControllerID != a.ID() || len(resp.Brokers) != 1 || resp.Brokers[0].BrokerID != a.ID() ||
		resp.Brokers[0].Rack == nil || *resp.Brokers[0].Rack != "rack-0" || resp.Brokers[0].IsFenced || resp.ClusterAuthorizedOperations <= 0 ||
		version >= 1 && resp.EndpointType != sarama.DescribeClusterEndpointTypeBrokers {
		t.Errorf("%+v, %+v", resp, resp.Brokers)
	}
}

func (a *adminTalk) updateFeatures(t *testing.T, version int16) {
	resp, err := a.UpdateFeatures(&sarama.UpdateFeaturesRequest{Version: version, Timeout: 10 * time.Second, ValidateOnly: version > 0,
		FeatureUpdates: []sarama.FeatureUpdate{{Feature: "no.such.feature", MaxVersionLevel: 1}}})
	mustTxn(t, "UpdateFeatures", err)
	code, message := resp.ErrorCode, resp.ErrorMessage
	if version < 2 && len(resp.Results) == 1 && resp.Results[0].Feature == "no.such.feature" {
		code, message = resp.Results[0].ErrorCode, resp.Results[0].ErrorMessage
	}
	if code == 0 || message == nil {
		t.Errorf("%+v", resp)
	}
}

func (a *adminTalk) reassign(t *testing.T, version int16) {
	for _, c := range []struct {
		replicas []int32
		want     sarama.KError
	}{{[]int32{a.ID()}, 0}, {[]int32{99}, sarama.ErrInvalidReplicaAssignment}, {nil, sarama.ErrNoReassignmentInProgress}} {
		r := &sarama.AlterPartitionReassignmentsRequest{Version: version, TimeoutMs: 10_000, DisallowReplicationFactorChange: version > 0}
		r.AddBlock(a.topic, 0, c.replicas)
		resp, err := a.AlterPartitionReassignments(r)
		mustTxn(t, "AlterPartitionReassignments", err)
		want := new(sarama.AlterPartitionReassignmentsResponse)
		want.AddError(a.topic, 0, c.want, nil)
		if resp.ErrorCode != 0 || resp.DisallowReplicationFactorChange != (version > 0) ||
			c.want == 0 && !reflect.DeepEqual(resp.Errors, want.Errors) || c.want != 0 && len(resp.Errors[a.topic]) != 1 {
			t.Errorf("replicas %v: %+v", c.replicas, resp)
		}
	}
}

func (a *adminTalk) listReassignments(t *testing.T, version int16) {
	for _, topics := range []string{"", a.topic} { // all, or one
		r := &sarama.ListPartitionReassignmentsRequest{Version: version, TimeoutMs: 10_000}
		if topics != "" {
			r.AddBlock(topics, []int32{0})
		}
		resp, err := a.ListPartitionReassignments(r)
		mustTxn(t, "ListPartitionReassignments", err)
		if resp.ErrorCode != 0 || len(resp.TopicStatus) != 0 {
			t.Errorf("%+v", resp)
		}
	}
}

func (a *adminTalk) electLeaders(t *testing.T, version int16) {
	for _, c := range []struct {
		topics map[string][]int32
		want   sarama.KError
	}{
		{map[string][]int32{a.topic: {0}}, sarama.ErrElectionNotNeeded}, {map[string][]int32{a.topic: {9}}, sarama.ErrUnknownTopicOrPartition}, {nil, 0},
	} {
		resp, err := a.ElectLeaders(&sarama.ElectLeadersRequest{Version: version, TopicPartitions: c.topics, TimeoutMs: 10_000})
		mustTxn(t, "ElectLeaders", err)
		n := 0
		for _, results := range resp.ReplicaElectionResults {
			n += len(results)
		}
		if resp.ErrorCode != 0 || n != len(c.topics) || len(resp.ReplicaElectionResults) == 0 {
			t.Errorf("%+v", resp)
		}
		for topic, ids := range c.topics {
			if r := resp.ReplicaElectionResults[topic][ids[0]]; r == nil || r.ErrorCode != c.want || r.ErrorMessage == nil {
				t.Errorf("%v: %+v", c.topics, r)
			}
		}
	}
}

func (a *adminTalk) describeProducers(t *testing.T, _ int16) {
	topic := a.site.topic(t, 1, nil)
	conf := a.site.config()
	conf.Producer.Idempotent = true
	a.site.produce(t, conf, []*sarama.ProducerMessage{{Topic: topic, Value: sarama.StringEncoder("v")}})
	resp, err := a.DescribeProducers(&sarama.DescribeProducersRequest{Topics: []sarama.DescribeProducersRequestTopic{{Name: topic, PartitionIndexes: []int32{0, 9}}}})
	mustTxn(t, "DescribeProducers", err)
	if len(resp.Topics) != 1 || resp.Topics[0].Name != topic || len(resp.Topics[0].Partitions) != 2 {
		t.Fatalf("%+v", resp)
	}
	for _, p := range resp.Topics[0].Partitions {
		if p.PartitionIndex == 9 {
			if p.ErrorCode != sarama.ErrUnknownTopicOrPartition {
				t.Errorf("%+v", p)
			}
			continue
		}
		if len(p.ActiveProducers) != 1 || p.ActiveProducers[0].LastSequence != 0 || p.ActiveProducers[0].CurrentTxnStartOffset != -1 ||
			time.Since(time.UnixMilli(p.ActiveProducers[0].LastTimestamp)).Abs() > time.Hour {
			t.Errorf("%+v", p)
		}
	}
}

// openTxn opens a transaction that has written to a topic, and returns the id
// and what commits it.
func (a *adminTalk) openTxn(t *testing.T) (id, topic string, commit func()) {
	topic = a.site.topic(t, 1, nil)
	id = "id-" + topic
	p := a.site.txnProducer(t, a.site.txnConfig(id))
	mustTxn(t, "BeginTxn", p.BeginTxn())
	sendAll(t, p, topic, 1, "v")
	return id, topic, func() { mustTxn(t, "CommitTxn", p.CommitTxn()) }
}

func (a *adminTalk) describeTransactions(t *testing.T, _ int16) {
	id, topic, commit := a.openTxn(t)
	describe := func() sarama.TransactionState {
		resp, err := a.DescribeTransactions(&sarama.DescribeTransactionsRequest{TransactionalIDs: []string{id}})
		mustTxn(t, "DescribeTransactions", err)
		if len(resp.TransactionStates) != 1 || resp.TransactionStates[0].TransactionalID != id || resp.TransactionStates[0].ErrorCode != 0 {
			t.Fatalf("%+v", resp)
		}
		return resp.TransactionStates[0]
	}
	if s := describe(); s.TransactionState != sarama.TransactionStateOngoing || s.TransactionTimeout != time.Minute || s.TransactionStartTime <= 0 ||
		!reflect.DeepEqual(s.Topics, []sarama.DescribeTransactionsResponseTopic{{Topic: topic, Partitions: []int32{0}}}) {
		t.Errorf("%+v", s)
	}
	commit()
	eventually(t, "the transaction's end", func() error {
		if s := describe(); s.TransactionState != sarama.TransactionStateCompleteCommit {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

func (a *adminTalk) listTransactions(t *testing.T, version int16) {
	id, _, commit := a.openTxn(t)
	defer commit()
	r := sarama.NewListTransactionsRequest(a.site.version)
	r.Version, r.StateFilters = version, []string{sarama.TransactionStateOngoing, "NoSuchState"}
	if version >= 2 {
		r.TransactionalIDPattern = new("id-functional.*")
	}
	resp, err := a.ListTransactions(r)
	mustTxn(t, "ListTransactions", err)
	if s := resp.TransactionStates; len(s) != 1 || s[0].TransactionalID != id || s[0].TransactionState != sarama.TransactionStateOngoing ||
		!slices.Equal(resp.UnknownStateFilters, []string{"NoSuchState"}) {
		t.Fatalf("%+v", resp)
	}
	r.ProducerIDFilters = []int64{resp.TransactionStates[0].ProducerID + 1}
	if resp, err = a.ListTransactions(r); err != nil || len(resp.TransactionStates) != 0 {
		t.Errorf("another producer: %+v, %v", resp, err)
	}
	if r.ProducerIDFilters = nil; version >= 1 {
		r.DurationFilter = 3_600_000
		if resp, err = a.ListTransactions(r); err != nil || len(resp.TransactionStates) != 0 {
			t.Errorf("open for an hour: %+v, %v", resp, err)
		}
	}
}
