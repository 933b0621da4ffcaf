package fakekafka_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// admin is what administers a cluster.
func admin(t *testing.T, cluster *fakekafka.Cluster) sarama.TransactionClusterAdmin {
	t.Helper()
	conf := config(cluster)
	conf.Admin.Retry.Max = 0
	a, err := sarama.NewClusterAdmin(cluster.Addrs(), conf)
	must(t, err)
	t.Cleanup(func() { _ = a.Close() })
	return a.(sarama.TransactionClusterAdmin)
}

func set(key, value string) map[string]sarama.IncrementalAlterConfigsEntry {
	return map[string]sarama.IncrementalAlterConfigsEntry{key: {Value: &value}}
}

// TestAdminAPIsOfReleases checks versions against those of real brokers: 3.9.1
// and 4.3.1 were asked, others are from Kafka's definitions.
func TestAdminAPIsOfReleases(t *testing.T) {
	type r = [2]int16
	for _, test := range []struct {
		version sarama.KafkaVersion
		want    map[int16]r
		not     []int16
	}{
		{sarama.V0_10_2_0, nil, []int16{21, 29, 32, 35, 37, 43, 44, 45, 48, 50, 57, 60, 61, 65, 66}},
		{sarama.V1_0_0_0, map[int16]r{21: {0, 0}, 29: {0, 0}, 32: {0, 0}, 33: {0, 0}, 35: {0, 0}, 37: {0, 0}}, []int16{43, 44, 45, 48, 50, 57, 60}},
		{sarama.V2_2_0_0, map[int16]r{43: {0, 0}, 32: {0, 2}}, []int16{44, 45}},
		{sarama.V2_4_0_0, map[int16]r{43: {0, 2}, 44: {0, 1}, 45: {0, 0}, 46: {0, 0}}, []int16{48, 50}},
		{sarama.V2_8_0_0, map[int16]r{48: {0, 1}, 49: {0, 1}, 50: {0, 0}, 51: {0, 0}, 57: {0, 0}, 60: {0, 0}, 61: {0, 0}}, []int16{65, 66}},
		{sarama.V3_9_1_0, map[int16]r{21: {0, 2}, 29: {0, 3}, 30: {0, 3}, 31: {0, 3}, 32: {0, 4}, 33: {0, 2}, 35: {0, 4}, 37: {0, 3}, 43: {0, 2}, 44: {0, 1},
			45: {0, 0}, 46: {0, 0}, 48: {0, 1}, 49: {0, 1}, 50: {0, 0}, 51: {0, 0}, 57: {0, 1}, 60: {0, 1}, 61: {0, 0}, 65: {0, 0}, 66: {0, 1}}, nil},
		{sarama.MaxVersion, map[int16]r{21: {0, 2}, 29: {1, 3}, 30: {1, 3}, 31: {1, 3}, 32: {1, 4}, 33: {0, 2}, 35: {1, 5}, 37: {0, 3}, 43: {0, 2}, 44: {0, 1},
			45: {0, 1}, 46: {0, 0}, 48: {0, 1}, 49: {0, 1}, 50: {0, 0}, 51: {0, 0}, 57: {0, 2}, 60: {0, 2}, 61: {0, 0}, 65: {0, 0}, 66: {0, 2}}, nil},
	} {
		opts := one()
		opts.Version = test.version
		resp, err := dial(t, fakekafka.New(t, opts), 1).ApiVersions(&sarama.ApiVersionsRequest{})
		must(t, err)
		got := make(map[int16]r)
		for _, k := range resp.ApiKeys {
			got[k.ApiKey] = r{k.MinVersion, k.MaxVersion}
		}
		for key, want := range test.want {
			if got[key] != want {
				t.Errorf("%v offers %v versions %v, want %v", test.version, fakekafka.API(key), got[key], want)
			}
		}
		for _, key := range test.not {
			if _, ok := got[key]; ok {
				t.Errorf("%v offers %v", test.version, fakekafka.API(key))
			}
		}
	}
}

func TestChangedRetentionDropsWhatIsTooMuch(t *testing.T) {
	cluster := fakekafka.New(t, one())
	a := admin(t, cluster)
	value := []byte(strings.Repeat("x", 10_000))
	for range 100 {
		_, err := cluster.Append("t", 0, fakekafka.Record{Value: value})
		must(t, err)
	}
	must(t, a.IncrementalAlterConfig(sarama.TopicResource, "t", set("retention.bytes", "200000"), false))
	oldest := func() int64 {
		got, err := a.ListOffsets(map[string]map[int32]int64{"t": {0: sarama.OffsetOldest}}, nil)
		must(t, err)
		return got["t"][0].Offset
	}
	if n := oldest(); n == 0 || n > 80 {
		t.Errorf("the oldest record is %d", n)
	}
	must(t, a.AlterConfig(sarama.TopicResource, "t", nil, false))
	was := oldest()
	for range 100 {
		_, err := cluster.Append("t", 0, fakekafka.Record{Value: value})
		must(t, err)
	}
	if n := oldest(); n != was {
		t.Errorf("%d became %d without a bound", was, n)
	}
}

// TestBrokerSettingsAreDefaultsOfTopics: what is set of all brokers is in force
// for topics without a setting of their own, those of later included.
func TestBrokerSettingsAreDefaultsOfTopics(t *testing.T) {
	opts := one()
	opts.MessageMaxBytes = 2000
	opts.Topics = append(opts.Topics, fakekafka.Topic{Name: "own", Config: map[string]string{"max.message.bytes": "3000"}})
	cluster := fakekafka.New(t, opts)
	a := admin(t, cluster)
	b := dial(t, cluster, 1)
	send := func(topic string, bytes int, want sarama.KError) {
		t.Helper()
		wantErr(t, produce(t, b, topic, 0, batch(strings.Repeat("x", bytes))).Err, want)
	}
	send("t", 1500, sarama.ErrNoError)
	send("t", 2500, sarama.ErrMessageSizeTooLarge)
	must(t, a.IncrementalAlterConfig(sarama.BrokerResource, "", set("message.max.bytes", "1000"), false))
	must(t, cluster.CreateTopic(fakekafka.Topic{Name: "later"}))
	for _, topic := range []string{"t", "later"} {
		send(topic, 500, sarama.ErrNoError)
		send(topic, 1500, sarama.ErrMessageSizeTooLarge)
	}
	send("own", 2500, sarama.ErrNoError)
	results, err := a.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: "own", ConfigNames: []string{"max.message.bytes"}}},
		sarama.DescribeConfigsOptions{IncludeSynonyms: true})
	must(t, err)
	var got []string
	for _, s := range results[0].Configs[0].Synonyms {
		got = append(got, fmt.Sprint(s.ConfigName, "=", s.ConfigValue, " ", s.Source))
	}
	want := []string{"max.message.bytes=3000 Topic", "message.max.bytes=1000 DynamicDefaultBroker", "message.max.bytes=2000 StaticBroker", "message.max.bytes=1048588 Default"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestSettingsChangeWhileProducing is for the race detector.
func TestSettingsChangeWhileProducing(t *testing.T) {
	cluster := fakekafka.New(t, one())
	a, b := admin(t, cluster), dial(t, cluster, 1)
	var group sync.WaitGroup
	group.Go(func() {
		for range 200 {
			if r := produce(t, b, "t", 0, batch("v")); r.Err != sarama.ErrNoError {
				t.Error(r.Err)
			}
		}
	})
	for i := range 100 {
		must(t, a.IncrementalAlterConfig(sarama.TopicResource, "t", set("retention.bytes", fmt.Sprint(1000+i)), false))
		must(t, a.CreatePartitions("t", int32(3+i), nil, false))
		_, err := a.DescribeLogDirs([]int32{1})
		must(t, err)
	}
	group.Wait()
}

// TestControllerRequestsBefore40 go to the controller alone.
func TestControllerRequestsBefore40(t *testing.T) {
	opts := three()
	opts.Version = sarama.V3_9_1_0
	cluster := fakekafka.New(t, opts)
	must(t, cluster.MoveController(2))
	for id, want := range map[int32]sarama.KError{1: sarama.ErrNotController, 2: sarama.ErrNoError} {
		b := dial(t, cluster, id)
		parts, err := b.CreatePartitions(&sarama.CreatePartitionsRequest{TopicPartitions: map[string]*sarama.TopicPartition{"t": {Count: 4}}})
		must(t, err)
		wantErr(t, parts.TopicPartitionErrors["t"].Err, want)
		elected, err := b.ElectLeaders(&sarama.ElectLeadersRequest{Version: 1})
		must(t, err)
		wantErr(t, elected.ErrorCode, want)
		listed, err := b.ListPartitionReassignments(&sarama.ListPartitionReassignmentsRequest{})
		must(t, err)
		wantErr(t, listed.ErrorCode, want)
		altered, err := b.AlterPartitionReassignments(&sarama.AlterPartitionReassignmentsRequest{})
		must(t, err)
		wantErr(t, altered.ErrorCode, want)
		updated, err := b.UpdateFeatures(&sarama.UpdateFeaturesRequest{})
		must(t, err)
		wantErr(t, updated.ErrorCode, want)
		scram, err := b.AlterUserScramCredentials(&sarama.AlterUserScramCredentialsRequest{Upsertions: []sarama.AlterUserScramCredentialsUpsert{
			{Name: "u", Mechanism: sarama.SCRAM_MECHANISM_SHA_256, Iterations: 4096, Password: []byte("p")}}})
		must(t, err)
		wantErr(t, scram.Results[0].ErrorCode, want)
	}
}

func TestReassignmentWaitsForBrokers(t *testing.T) {
	cluster := fakekafka.New(t, three())
	a := admin(t, cluster)
	must(t, cluster.StopBroker(3))
	must(t, a.AlterPartitionReassignments("t", [][]int32{{2, 3}}))
	under, err := a.ListPartitionReassignments("t", []int32{0})
	must(t, err)
	if s := under["t"][0]; s == nil || !slices.Equal(s.AddingReplicas, []int32{2, 3}) || !slices.Equal(s.RemovingReplicas, []int32{1}) || !slices.Equal(s.Replicas, []int32{2, 3, 1}) {
		t.Errorf("%+v", under)
	}
	must(t, cluster.RestartBroker(3))
	topics, err := a.DescribeTopics([]string{"t"})
	must(t, err)
	if p := topics[0].Partitions[0]; !slices.Equal(p.Replicas, []int32{2, 3}) || p.Leader != 2 || len(p.Isr) != 2 || p.LeaderEpoch != 1 {
		t.Errorf("%+v", p)
	}
	wantErr(t, codeOf(a.AlterPartitionReassignments("t", [][]int32{nil})), sarama.ErrNoReassignmentInProgress)
}

func codeOf(err error) (code sarama.KError) {
	for _, c := range []sarama.KError{sarama.ErrNoReassignmentInProgress, sarama.ErrOffsetOutOfRange, sarama.ErrUnknownTopicOrPartition, sarama.ErrKafkaStorageError} {
		if errors.Is(err, c) {
			return c
		}
	}
	return sarama.ErrNoError
}

func TestReplicationFactorThatMayNotChange(t *testing.T) {
	cluster := fakekafka.New(t, three())
	b := dial(t, cluster, 1)
	for _, same := range []bool{true, false} { // in this order: afterwards the factor is another one
		want := sarama.ErrNoError
		if same {
			want = sarama.ErrInvalidReplicationFactor
		}
		req := &sarama.AlterPartitionReassignmentsRequest{Version: 1, DisallowReplicationFactorChange: same}
		req.AddBlock("t", 0, []int32{1, 2})
		resp, err := b.AlterPartitionReassignments(req)
		must(t, err)
		code := reflect.ValueOf(resp.Errors["t"][0]).Elem().FieldByName("errorCode").Int() // has no accessor
		wantErr(t, sarama.KError(code), want)
	}
}

func TestUncleanElection(t *testing.T) {
	cluster := fakekafka.New(t, three())
	must(t, cluster.MoveController(2))
	a := admin(t, cluster)
	elect := func(kind sarama.ElectionType) sarama.KError {
		results, err := a.ElectLeaders(kind, map[string][]int32{"r": {0}})
		must(t, err)
		return results["r"][0].ErrorCode
	}
	must(t, cluster.RemoveLeader("r", 0))
	must(t, cluster.StopBroker(1))
	wantErr(t, elect(sarama.PreferredElection), sarama.ErrPreferredLeaderNotAvailable)
	wantErr(t, elect(sarama.UncleanElection), sarama.ErrNoError)
	topics, err := a.DescribeTopics([]string{"r"})
	must(t, err)
	if p := topics[0].Partitions[0]; p.Leader != 2 {
		t.Errorf("%+v", p)
	}
	wantErr(t, elect(sarama.UncleanElection), sarama.ErrElectionNotNeeded)
	must(t, cluster.RestartBroker(1))
	wantErr(t, elect(sarama.PreferredElection), sarama.ErrNoError)
}

func TestStoppedBrokersAreFenced(t *testing.T) {
	cluster := fakekafka.New(t, three())
	must(t, cluster.StopBroker(3))
	b := dial(t, cluster, 1)
	for fenced, want := range map[bool]string{true: "1 false, 2 false, 3 true", false: "1 false, 2 false"} {
		resp, err := b.DescribeCluster(&sarama.DescribeClusterRequest{Version: 2, EndpointType: sarama.DescribeClusterEndpointTypeBrokers, IncludeFencedBrokers: fenced})
		must(t, err)
		var got []string
		for _, d := range resp.Brokers {
			got = append(got, fmt.Sprint(d.BrokerID, " ", d.IsFenced))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("fenced brokers %v: %q", fenced, got)
		}
	}
	for kind, want := range map[int8]sarama.KError{sarama.DescribeClusterEndpointTypeControllers: sarama.ErrMismatchedEndpointType, 3: sarama.ErrUnsupportedEndpointType} {
		resp, err := b.DescribeCluster(&sarama.DescribeClusterRequest{Version: 1, EndpointType: kind})
		must(t, err)
		wantErr(t, resp.Err, want)
	}
}

func TestLogDirsOfReplicasThatLag(t *testing.T) {
	cluster := fakekafka.New(t, three())
	for range 10 {
		_, err := cluster.Append("r", 0, fakekafka.Record{Value: []byte("0123456789")})
		must(t, err)
	}
	must(t, cluster.SetReplicaEnd("r", 0, 2, 5))
	dirs, err := admin(t, cluster).DescribeLogDirs([]int32{1, 2, 3})
	must(t, err)
	of := func(id int32) (size, lag int64) {
		for _, topic := range dirs[id][0].Topics {
			if topic.Topic == "r" {
				return topic.Partitions[0].Size, topic.Partitions[0].OffsetLag
			}
		}
		return -1, -1
	}
	size, lag := of(1)
	if behind, by := of(2); size <= 0 || lag != 0 || behind != size/2 || by != 5 {
		t.Errorf("%d bytes and %d of %d, %d behind", size, behind, size, by)
	}
	if same, lag := of(3); same != size || lag != 0 {
		t.Errorf("%d bytes of %d, %d behind", same, size, lag)
	}
}

// TestFeatureLevelIsTheTransactionVersion: an update is what
// SetTransactionVersion does.
func TestFeatureLevelIsTheTransactionVersion(t *testing.T) {
	cluster := fakekafka.New(t, one())
	b := dial(t, cluster, 1)
	update := func(level int16, way sarama.FeatureUpgradeType, validate bool) sarama.KError {
		resp, err := b.UpdateFeatures(&sarama.UpdateFeaturesRequest{Version: 1, ValidateOnly: validate,
			FeatureUpdates: []sarama.FeatureUpdate{{Feature: "transaction.version", MaxVersionLevel: level, UpgradeType: way}}})
		must(t, err)
		return resp.ErrorCode
	}
	finalized := func() []sarama.FinalizedFeatureKey {
		resp, err := dial(t, cluster, 1).ApiVersions(&sarama.ApiVersionsRequest{Version: 3, ClientSoftwareName: "x", ClientSoftwareVersion: "1"})
		must(t, err)
		if len(resp.SupportedFeatures) != 1 || resp.SupportedFeatures[0].MaxVersion != 2 {
			t.Errorf("%+v", resp.SupportedFeatures)
		}
		return resp.FinalizedFeatures
	}
	wantErr(t, update(1, sarama.FeatureUpgradeOnly, false), sarama.ErrInvalidUpdateVersion)
	wantErr(t, update(1, sarama.FeatureSafeDowngrade, true), sarama.ErrNoError)
	if f := finalized(); len(f) != 1 || f[0].MaxVersionLevel != 2 {
		t.Errorf("%+v", f)
	}
	wantErr(t, update(1, sarama.FeatureSafeDowngrade, false), sarama.ErrNoError)
	if f := finalized(); len(f) != 1 || f[0].MaxVersionLevel != 1 {
		t.Errorf("%+v", f)
	}
	wantErr(t, update(0, sarama.FeatureUnsafeDowngrade, false), sarama.ErrNoError)
	if f := finalized(); len(f) != 0 {
		t.Errorf("%+v", f)
	}
	wantErr(t, update(3, sarama.FeatureUpgradeOnly, false), sarama.ErrInvalidUpdateVersion)
	wantErr(t, update(2, sarama.FeatureUpgradeOnly, false), sarama.ErrNoError)
	if f := finalized(); len(f) != 1 || f[0].MaxVersionLevel != 2 {
		t.Errorf("%+v", f)
	}
}

func TestFailNamesWhatAdministratorsAskFor(t *testing.T) {
	cluster := fakekafka.New(t, one())
	a := admin(t, cluster)
	const code = sarama.ErrKafkaStorageError
	for api, call := range map[fakekafka.API]func() error{
		fakekafka.DeleteRecords:               func() error { return a.DeleteRecords("t", map[int32]int64{0: 0}) },
		fakekafka.CreatePartitions:            func() error { return a.CreatePartitions("t", 3, nil, true) },
		fakekafka.AlterConfigs:                func() error { return a.AlterConfig(sarama.TopicResource, "t", nil, true) },
		fakekafka.AlterPartitionReassignments: func() error { return a.AlterPartitionReassignments("t", [][]int32{{1}}) },
		fakekafka.IncrementalAlterConfigs: func() error {
			return a.IncrementalAlterConfig(sarama.TopicResource, "t", set("retention.ms", "1"), true)
		},
		fakekafka.DescribeConfigs: func() error {
			results, err := a.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: "t"}}, sarama.DescribeConfigsOptions{})
			must(t, err)
			return results[0].ErrorCode
		},
		fakekafka.ElectLeaders: func() error {
			results, err := a.ElectLeaders(sarama.PreferredElection, map[string][]int32{"t": {0}})
			if err != nil {
				return err
			}
			return results["t"][0].ErrorCode
		},
		fakekafka.DescribeProducers: func() error {
			found, err := a.DescribeProducers(map[string][]int32{"t": {0}})
			must(t, err)
			return found["t"][0].ErrorCode
		},
	} {
		cluster.Fail(api, "t", -1, code, 1)
		wantErr(t, codeOf(call()), code)
		wantErr(t, codeOf(call()), sarama.ErrNoError)
		cluster.FailRequest(api, code, 1)
		if err := call(); !errors.Is(err, code) {
			t.Errorf("%v: %v", api, err)
		}
	}
}

func TestUnknownElementsOfRulesEndTheConnection(t *testing.T) {
	cluster := fakekafka.New(t, one())
	ok := sarama.AclFilter{ResourceType: sarama.AclResourceAny, ResourcePatternTypeFilter: sarama.AclPatternAny, Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny}
	for _, change := range []func(*sarama.AclFilter){
		func(f *sarama.AclFilter) { f.ResourceType = 0 }, func(f *sarama.AclFilter) { f.Operation = 99 }, func(f *sarama.AclFilter) { f.PermissionType = 0 },
	} {
		f := ok
		change(&f)
		if _, err := dial(t, cluster, 1).DescribeAcls(&sarama.DescribeAclsRequest{Version: 1, AclFilter: f}); err == nil {
			t.Errorf("%+v was answered", f)
		}
		if _, err := dial(t, cluster, 1).DeleteAcls(&sarama.DeleteAclsRequest{Version: 1, Filters: []*sarama.AclFilter{&ok, &f}}); err == nil {
			t.Errorf("%+v was answered", f)
		}
	}
}

// TestTransactionsAreDescribedWhileTheyEnd includes the group's offsets, at
// the partition where Kafka would have them.
func TestTransactionsAreDescribedWhileTheyEnd(t *testing.T) {
	cluster := fakekafka.New(t, one())
	conf := config(cluster)
	conf.Producer.Idempotent, conf.Producer.Transaction.ID = true, "id"
	conf.Producer.RequiredAcks, conf.Producer.Return.Successes, conf.Net.MaxOpenRequests = sarama.WaitForAll, true, 1
	p, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
	must(t, err)
	defer func() { _ = p.Close() }()
	a := admin(t, cluster)
	must(t, p.BeginTxn())
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder("v"), Partition: 1})
	must(t, err)
	must(t, p.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{"t": {{Partition: 0, Offset: 1}}}, "group"))
	release := cluster.HoldMarkers()
	done := make(chan error, 1)
	go func() { done <- p.CommitTxn() }()
	var state sarama.TransactionState
	for state.TransactionState != sarama.TransactionStatePrepareCommit {
		states, err := a.DescribeTransactions([]string{"id"})
		must(t, err)
		state = states["id"]
	}
	named := make(map[string][]int32)
	for _, topic := range state.Topics {
		named[topic.Topic] = topic.Partitions
	}
	// "group".hashCode() is 98629247 in Java.
	if len(named["t"]) != 1 || !maps.EqualFunc(named, map[string][]int32{"t": named["t"], "__consumer_offsets": {98629247 % 50}}, slices.Equal) ||
		time.Since(time.UnixMilli(state.TransactionStartTime)).Abs() > time.Hour {
		t.Errorf("%+v", state)
	}
	release()
	must(t, <-done)
	for pattern, want := range map[string][]string{"i.*": {"id"}, "i": nil, "x|id": {"id"}} {
		resp, err := dial(t, cluster, 1).ListTransactions(&sarama.ListTransactionsRequest{Version: 2, DurationFilter: -1, TransactionalIDPattern: &pattern})
		must(t, err)
		var got []string
		for _, s := range resp.TransactionStates {
			got = append(got, s.TransactionalID)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q", pattern, got)
		}
	}
	bad := "("
	resp, err := dial(t, cluster, 1).ListTransactions(&sarama.ListTransactionsRequest{Version: 2, DurationFilter: -1, TransactionalIDPattern: &bad})
	must(t, err)
	wantErr(t, resp.ErrorCode, sarama.ErrInvalidRegularExpression)
}
