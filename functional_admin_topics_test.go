package sarama_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// everyAdmin has all methods of what administers a cluster.
type everyAdmin interface {
	sarama.TransactionClusterAdmin
	sarama.GroupClusterAdmin
}

func (s *site) admin(t *testing.T) everyAdmin {
	t.Helper()
	conf := s.config()
	conf.Admin.Retry.Max, conf.Admin.Retry.Backoff = 2, 50*time.Millisecond
	a, err := sarama.NewClusterAdmin(s.addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { returnsWithin(t, "Close", func() { _ = a.Close() }) })
	return a.(everyAdmin)
}

// TestFunctionalAdmin is alone with its clusters: it changes what holds for all
// that they have.
func TestFunctionalAdmin(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { functionalAdmin(t, startEmbedded(t)) })
	if os.Getenv("KAFKA_PEERS") != "" {
		t.Run("peers", func(t *testing.T) { functionalAdmin(t, peerSite(t)) })
		return
	}
	t.Run("kafka 4.3.1", func(t *testing.T) { functionalAdmin(t, sharedKafka(t)) })
	t.Run("kafka 3.9.1", func(t *testing.T) {
		s := startKafka(t, "3.9.1", 1, nil)
		t.Run("messages", func(t *testing.T) { adminMessages(t, s) })
		functionalAdmin(t, s)
	})
}

// functionalAdmin asks for everything that an administrator can ask for, and
// reads back, with another call, what has become of it.
func functionalAdmin(t *testing.T, s *site) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *site, everyAdmin)
	}{
		{"topics", adminTopics},
		{"partitions", adminPartitions},
		{"refusals about topics", adminTopicRefusals},
		{"records", adminRecords},
		{"offsets", adminOffsets},
		{"reassignments", adminReassignments},
		{"reassignments under way", adminReassignmentsUnderWay},
		{"elections", adminElections},
		{"settings of topics", adminTopicSettings},
		{"settings have an effect", adminSettingsAct},
		{"refusals about settings", adminSettingRefusals},
		{"settings of brokers", adminBrokerSettings},
		{"loggers", adminLoggers},
		{"access rules", adminACLs},
		{"quotas", adminQuotas},
		{"credentials", adminScram},
		{"features", adminFeatures},
		{"the cluster", adminCluster},
		{"log directories", adminLogDirs},
		{"classic groups", adminClassicGroup},
		{"groups of the newer protocol", adminNewerGroup},
		{"offsets of groups", adminGroupOffsets},
		{"static members", adminStaticMembers},
		{"transactions", adminTransactions},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s, s.admin(t)) })
	}
}

// refused is a call that a cluster is to refuse.
type refused struct {
	name string
	err  error
	is   []error
	as   any    // points to an error of the type that it is to have, or nil
	text string // that it is to say, or ""
}

func wantRefused(t *testing.T, list ...refused) {
	t.Helper()
	for _, r := range list {
		if r.err == nil {
			t.Errorf("%s: no error", r.name)
			continue
		}
		for _, is := range r.is {
			if !errors.Is(r.err, is) {
				t.Errorf("%s: %v is not %v", r.name, r.err, is)
			}
		}
		if r.as != nil && !errors.As(r.err, r.as) {
			t.Errorf("%s: %v is a %T", r.name, r.err, r.err)
		}
		if !strings.Contains(r.err.Error(), r.text) {
			t.Errorf("%s: %v does not say %q", r.name, r.err, r.text)
		}
	}
}

// topicName is a name that no topic has.
func (s *site) topicName() string {
	return fmt.Sprintf("functional-admin-%d-%d", time.Now().UnixNano(), topicsMade.Add(1))
}

// wantPartitions waits until brokers show a topic with these replicas.
func wantPartitions(t *testing.T, a everyAdmin, topic string, want [][]int32) {
	t.Helper()
	eventually(t, "partitions of "+topic, func() error {
		list, err := a.DescribeTopics([]string{topic})
		if err != nil {
			return err
		}
		if len(list) != 1 || list[0].Err != sarama.ErrNoError || len(list[0].Partitions) != len(want) {
			return fmt.Errorf("%+v", list)
		}
		for _, p := range list[0].Partitions {
			if p.Err != sarama.ErrNoError || !slices.Equal(p.Replicas, want[p.ID]) || !slices.Contains(p.Isr, p.Leader) || len(p.Isr) != len(want[p.ID]) {
				return fmt.Errorf("%+v, want replicas %v", p, want[p.ID])
			}
		}
		return nil
	})
}

// wantNoTopic waits until brokers do not know a topic.
func wantNoTopic(t *testing.T, a everyAdmin, topic string) {
	t.Helper()
	eventually(t, "the end of "+topic, func() error {
		list, err := a.DescribeTopics([]string{topic})
		if err != nil || len(list) != 1 || list[0].Err != sarama.ErrUnknownTopicOrPartition {
			return fmt.Errorf("%+v, %w", list, err)
		}
		all, err := a.ListTopics()
		if _, ok := all[topic]; err != nil || ok {
			return fmt.Errorf("listed, %w", err)
		}
		return nil
	})
}

// spread is a list of replicas for each of n partitions, starting with another
// broker each.
func (s *site) spread(t *testing.T, a everyAdmin, n, replicas int) (assignment [][]int32) {
	t.Helper()
	brokers, _, err := a.DescribeCluster()
	mustTxn(t, "DescribeCluster", err)
	var ids []int32
	for _, b := range brokers {
		ids = append(ids, b.ID())
	}
	slices.Sort(ids)
	for i := range n {
		var list []int32
		for r := range min(replicas, len(ids)) {
			list = append(list, ids[(i+r)%len(ids)])
		}
		assignment = append(assignment, list)
	}
	return assignment
}

// createAssigned creates a topic whose partitions have these replicas.
func createAssigned(t *testing.T, a everyAdmin, assignment [][]int32, settings map[string]*string) (topic string) {
	t.Helper()
	topic = (*site)(nil).topicName()
	detail := &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: make(map[int32][]int32), ConfigEntries: settings}
	for i, replicas := range assignment {
		detail.ReplicaAssignment[int32(i)] = replicas
	}
	mustTxn(t, "CreateTopic", a.CreateTopic(topic, detail, false))
	wantPartitions(t, a, topic, assignment)
	return topic
}

func adminTopics(t *testing.T, s *site, a everyAdmin) {
	topic := s.topicName()
	settings := map[string]*string{"retention.ms": new("7200000"), "cleanup.policy": new("compact")}
	plain := &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: settings}
	mustTxn(t, "CreateTopic, only to validate", a.CreateTopic(topic, plain, true))
	wantNoTopic(t, a, topic)

	mustTxn(t, "CreateTopic", a.CreateTopic(topic, plain, false))
	assigned := createAssigned(t, a, s.spread(t, a, 3, 2), settings)
	for name, want := range map[string]sarama.TopicDetail{
		topic:    {NumPartitions: 2, ReplicationFactor: 1},
		assigned: {NumPartitions: 3, ReplicationFactor: int16(min(2, s.brokers))},
	} {
		eventually(t, "the listing of "+name, func() error {
			all, err := a.ListTopics()
			if err != nil {
				return err
			}
			got, ok := all[name]
			if !ok || got.NumPartitions != want.NumPartitions || got.ReplicationFactor != want.ReplicationFactor || len(got.ReplicaAssignment) != int(want.NumPartitions) {
				return fmt.Errorf("%v, %+v", ok, got)
			}
			for key, value := range settings {
				if got.ConfigEntries[key] == nil || *got.ConfigEntries[key] != *value {
					return fmt.Errorf("%s of %+v", key, got.ConfigEntries)
				}
			}
			if _, ok := got.ConfigEntries["segment.ms"]; ok {
				return errors.New("a default is listed")
			}
			return nil
		})
	}
	all, err := a.ListTopics()
	mustTxn(t, "ListTopics", err)
	for i, replicas := range s.spread(t, a, 3, 2) {
		if got := all[assigned].ReplicaAssignment[int32(i)]; !slices.Equal(got, replicas) {
			t.Errorf("partition %d is on %v, not %v", i, got, replicas)
		}
	}
	every, err := a.DescribeTopics(nil)
	if err != nil || len(every) < 2 {
		t.Errorf("%d topics, %v", len(every), err)
	}
	for _, name := range []string{topic, assigned} {
		mustTxn(t, "DeleteTopic", a.DeleteTopic(name))
		wantNoTopic(t, a, name)
	}
}

func adminPartitions(t *testing.T, s *site, a everyAdmin) {
	assignment := s.spread(t, a, 3, 2)
	topic := createAssigned(t, a, assignment[:1], nil)
	mustTxn(t, "CreatePartitions, only to validate", a.CreatePartitions(topic, 2, nil, true))
	wantPartitions(t, a, topic, assignment[:1])
	mustTxn(t, "CreatePartitions", a.CreatePartitions(topic, 3, assignment[1:], false))
	wantPartitions(t, a, topic, assignment)
	mustTxn(t, "CreatePartitions", a.CreatePartitions(topic, 4, nil, false))
	eventually(t, "the fourth partition", func() error {
		list, err := a.DescribeTopics([]string{topic})
		if err != nil || len(list[0].Partitions) != 4 {
			return fmt.Errorf("%+v, %w", list, err)
		}
		return nil
	})
	var why *sarama.TopicPartitionError
	wantRefused(t,
		refused{"fewer partitions", a.CreatePartitions(topic, 1, nil, false), []error{sarama.ErrInvalidPartitions}, &why, "would not be an increase"},
		refused{"as many partitions", a.CreatePartitions(topic, 4, nil, false), []error{sarama.ErrInvalidPartitions}, &why, "already has 4 partition(s)"},
		refused{"too short an assignment", a.CreatePartitions(topic, 6, assignment[:1], false), []error{sarama.ErrInvalidReplicaAssignment}, &why, "additional partition(s)"},
		refused{"an unknown broker", a.CreatePartitions(topic, 5, [][]int32{{99}}, false), []error{sarama.ErrInvalidReplicaAssignment}, &why, "no such broker is registered"},
		refused{"no replicas", a.CreatePartitions(topic, 5, [][]int32{{}}, false), []error{sarama.ErrInvalidReplicaAssignment}, &why, "empty replica list"},
		refused{"an unknown topic", a.CreatePartitions("no-such-topic", 5, nil, false), []error{sarama.ErrUnknownTopicOrPartition}, &why, ""},
		refused{"no name", a.CreatePartitions("", 5, nil, false), []error{sarama.ErrInvalidTopic}, nil, ""},
	)
}

func adminTopicRefusals(t *testing.T, s *site, a everyAdmin) {
	topic := createAssigned(t, a, s.spread(t, a, 1, 1), nil)
	var why *sarama.TopicError
	create := func(name string, detail sarama.TopicDetail) error { return a.CreateTopic(name, &detail, false) }
	one := sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}
	with := func(key, value string) sarama.TopicDetail {
		d := one
		d.ConfigEntries = map[string]*string{key: &value}
		return d
	}
	on := func(replicas ...int32) sarama.TopicDetail {
		return sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: replicas}}
	}
	name := s.topicName()
	wantRefused(t,
		refused{"a topic that exists", create(topic, one), []error{sarama.ErrTopicAlreadyExists}, &why, "already exists"},
		refused{"too many replicas", create(name, sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 50}), []error{sarama.ErrInvalidReplicationFactor}, &why, "Unable to replicate the partition 50 time(s)"},
		refused{"no partitions", create(name, sarama.TopicDetail{ReplicationFactor: 1}), []error{sarama.ErrInvalidPartitions}, &why, "non-positive"},
		refused{"a bad name", create("no good name", one), []error{sarama.ErrInvalidTopic}, &why, "ASCII alphanumerics"},
		refused{"no name", create("", one), []error{sarama.ErrInvalidTopic}, nil, ""},
		refused{"an unknown setting", create(name, with("colour", "red")), []error{sarama.ErrInvalidConfig}, &why, "Unknown topic config name: colour"},
		refused{"a bad value", create(name, with("retention.ms", "x")), []error{sarama.ErrInvalidConfig}, &why, "Not a number of type LONG"},
		refused{"an unknown broker", create(name, on(99)), []error{sarama.ErrInvalidReplicaAssignment}, &why, "no such broker is registered"},
		refused{"to delete what does not exist", a.DeleteTopic(name), []error{sarama.ErrUnknownTopicOrPartition}, nil, ""},
		refused{"to delete nothing", a.DeleteTopic(""), []error{sarama.ErrInvalidTopic}, nil, ""},
	)
	wantNoTopic(t, a, name)
}

// wantOffsetsAt waits until partitions have these offsets at a time.
func wantOffsetsAt(t *testing.T, a everyAdmin, topic string, at int64, options *sarama.ListOffsetsOptions, want ...int64) {
	t.Helper()
	asked := make(map[int32]int64)
	for i := range want {
		asked[int32(i)] = at
	}
	eventually(t, fmt.Sprintf("offsets at %d", at), func() error {
		got, err := a.ListOffsets(map[string]map[int32]int64{topic: asked}, options)
		if err != nil {
			return err
		}
		for i, offset := range want {
			if r := got[topic][int32(i)]; r == nil || r.Err != sarama.ErrNoError || r.Offset != offset {
				return fmt.Errorf("partition %d: %+v, want %d", i, r, offset)
			}
		}
		return nil
	})
}

func adminRecords(t *testing.T, s *site, a everyAdmin) {
	topic := s.topic(t, 2, nil)
	conf := s.config()
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	s.produce(t, conf, numberedMessages(topic, 2, 20))
	wantOffsetsAt(t, a, topic, sarama.OffsetOldest, nil, 0, 0)
	mustTxn(t, "DeleteRecords", a.DeleteRecords(topic, map[int32]int64{0: 4, 1: -1}))
	wantOffsetsAt(t, a, topic, sarama.OffsetOldest, nil, 4, 10)
	wantOffsetsAt(t, a, topic, sarama.OffsetNewest, nil, 10, 10)
	if m := s.consume(t, conf, topic, 0, sarama.OffsetOldest, 1)[0]; m.Offset != 4 || string(m.Value) != "8" {
		t.Errorf("the oldest message is %s at %d", m.Value, m.Offset)
	}
	mustTxn(t, "DeleteRecords of what is gone", a.DeleteRecords(topic, map[int32]int64{0: 2}))
	wantOffsetsAt(t, a, topic, sarama.OffsetOldest, nil, 4, 10)

	kept := s.topic(t, 1, map[string]string{"cleanup.policy": "compact"})
	wantRefused(t,
		refused{"beyond the end", a.DeleteRecords(topic, map[int32]int64{0: 11, 1: 5}), []error{sarama.ErrDeleteRecords, sarama.ErrOffsetOutOfRange}, nil, topic + "-0"},
		refused{"an unknown partition", a.DeleteRecords(topic, map[int32]int64{7: 1}), []error{sarama.ErrDeleteRecords, sarama.ErrUnknownTopicOrPartition}, nil, topic + "-7"},
		refused{"an unknown topic", a.DeleteRecords("no-such-topic", map[int32]int64{0: 1}), []error{sarama.ErrDeleteRecords, sarama.ErrUnknownTopicOrPartition}, nil, ""},
		refused{"a topic that is only compacted", a.DeleteRecords(kept, map[int32]int64{0: 0}), []error{sarama.ErrDeleteRecords, sarama.ErrPolicyViolation}, nil, ""},
	)
}

func adminOffsets(t *testing.T, s *site, a everyAdmin) {
	topic := s.topic(t, 2, nil)
	conf := s.config()
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	start := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	msgs := numberedMessages(topic, 2, 20)
	for i, m := range msgs {
		m.Timestamp = start.Add(time.Duration(i/2) * time.Minute)
	}
	s.produce(t, conf, msgs)
	at := start.Add(150 * time.Second).UnixMilli() // between the third and the fourth
	wantOffsetsAt(t, a, topic, at, nil, 3, 3)
	got, err := a.ListOffsets(map[string]map[int32]int64{topic: {0: at, 1: start.Add(time.Hour).UnixMilli()}}, nil)
	if r := got[topic][0]; err != nil || r.Timestamp != start.Add(3*time.Minute).UnixMilli() {
		t.Errorf("%+v, %v", r, err)
	}
	if r := got[topic][1]; r.Err != sarama.ErrNoError || r.Offset != -1 {
		t.Errorf("no record is as new: %+v", r)
	}
	got, err = a.ListOffsets(map[string]map[int32]int64{topic: {0: sarama.OffsetNewest, 9: sarama.OffsetNewest}, "no-such-topic": {0: sarama.OffsetNewest}}, nil)
	if err != nil || got[topic][0].Offset != 10 || !errors.Is(got[topic][9].Err, sarama.ErrUnknownTopicOrPartition) ||
		!errors.Is(got["no-such-topic"][0].Err, sarama.ErrUnknownTopicOrPartition) {
		t.Errorf("%+v, %v", got, err)
	}
	p := s.txnProducer(t, s.txnConfig("id-"+topic))
	mustTxn(t, "BeginTxn", p.BeginTxn())
	sendAll(t, p, topic, 1, "a", "b")
	wantOffsetsAt(t, a, topic, sarama.OffsetNewest, nil, 12, 10)
	committed := &sarama.ListOffsetsOptions{IsolationLevel: sarama.ReadCommitted}
	wantOffsetsAt(t, a, topic, sarama.OffsetNewest, committed, 10, 10)
	mustTxn(t, "CommitTxn", p.CommitTxn())
	wantOffsetsAt(t, a, topic, sarama.OffsetNewest, committed, 13, 10) // with the marker
}

// wantNoReassignment waits until a topic's partitions stay where they are.
func wantNoReassignment(t *testing.T, a everyAdmin, topic string) {
	t.Helper()
	eventually(t, "the end of reassignments", func() error {
		under, err := a.ListPartitionReassignments(topic, []int32{0, 1})
		if err != nil || len(under) != 0 {
			return fmt.Errorf("%v, %w", under, err)
		}
		return nil
	})
}

func adminReassignments(t *testing.T, s *site, a everyAdmin) {
	assignment := s.spread(t, a, 2, 2)
	topic := createAssigned(t, a, assignment, nil)
	conf := s.config()
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	s.produce(t, conf, numberedMessages(topic, 2, 20))
	moved := [][]int32{assignment[1], assignment[0]}
	if s.brokers > 2 {
		moved = [][]int32{s.spread(t, a, 3, 2)[2], assignment[0][:1]}
	}
	mustTxn(t, "AlterPartitionReassignments", a.AlterPartitionReassignments(topic, moved))
	wantPartitions(t, a, topic, moved)
	wantNoReassignment(t, a, topic)
	for id := range int32(2) {
		for i, m := range s.consume(t, conf, topic, id, sarama.OffsetOldest, 10) {
			if string(m.Value) != fmt.Sprint(2*i+int(id)) {
				t.Fatalf("partition %d: message %d is %s", id, i, m.Value)
			}
		}
	}
	first := moved[0]
	wantRefused(t,
		refused{"an unknown broker", a.AlterPartitionReassignments(topic, [][]int32{{99}}), []error{sarama.ErrReassignPartitions, sarama.ErrInvalidReplicaAssignment}, nil, topic + "-0"},
		refused{"a broker twice", a.AlterPartitionReassignments(topic, [][]int32{{first[0], first[0]}}), []error{sarama.ErrReassignPartitions, sarama.ErrInvalidReplicaAssignment}, nil, "more than once"},
		refused{"nothing to cancel", a.AlterPartitionReassignments(topic, [][]int32{nil}), []error{sarama.ErrReassignPartitions, sarama.ErrNoReassignmentInProgress}, nil, ""},
		refused{"an unknown partition", a.AlterPartitionReassignments(topic, [][]int32{first, first[:1], first}), []error{sarama.ErrReassignPartitions, sarama.ErrUnknownTopicOrPartition}, nil, topic + "-2"},
		refused{"no name", a.AlterPartitionReassignments("", nil), []error{sarama.ErrInvalidTopic}, nil, ""},
	)
	if _, err := a.ListPartitionReassignments("", nil); !errors.Is(err, sarama.ErrInvalidTopic) {
		t.Error(err)
	}
}

// adminReassignmentsUnderWay needs a cluster that lets them take their time.
func adminReassignmentsUnderWay(t *testing.T, s *site, a everyAdmin) {
	if s.fake == nil {
		t.Skip("they do not wait")
	}
	topic := createAssigned(t, a, [][]int32{{1, 2}, {2, 3}}, nil)
	release := s.fake.HoldReassignments()
	defer release()
	mustTxn(t, "AlterPartitionReassignments", a.AlterPartitionReassignments(topic, [][]int32{{3, 2}, {1}}))
	under, err := a.ListPartitionReassignments(topic, []int32{0, 1})
	want := map[string]map[int32]*sarama.PartitionReplicaReassignmentsStatus{topic: {
		0: {Replicas: []int32{3, 2, 1}, AddingReplicas: []int32{3}, RemovingReplicas: []int32{1}},
		1: {Replicas: []int32{1, 2, 3}, AddingReplicas: []int32{1}, RemovingReplicas: []int32{2, 3}},
	}}
	if err != nil || !reflect.DeepEqual(under, want) {
		t.Errorf("%v, %v", slices.Collect(maps.Values(under[topic])), err)
	}
	results, err := a.ElectLeaders(sarama.PreferredElection, map[string][]int32{topic: {0}})
	if err != nil || results[topic][0].ErrorCode != sarama.ErrPreferredLeaderNotAvailable {
		t.Errorf("%+v, %v", results, err)
	}
	mustTxn(t, "cancelling", a.AlterPartitionReassignments(topic, [][]int32{nil}))
	release()
	wantPartitions(t, a, topic, [][]int32{{2, 1}, {1}})
	wantNoReassignment(t, a, topic)
}

func adminElections(t *testing.T, s *site, a everyAdmin) {
	assignment := s.spread(t, a, 1, 2)
	topic := createAssigned(t, a, assignment, nil)
	elect := func(kind sarama.ElectionType, id int32) *sarama.PartitionResult {
		results, err := a.ElectLeaders(kind, map[string][]int32{topic: {id}})
		if err != nil || results[topic][id] == nil {
			t.Fatalf("%v, %v", results, err)
		}
		return results[topic][id]
	}
	if r := elect(sarama.PreferredElection, 0); r.ErrorCode != sarama.ErrElectionNotNeeded || r.ErrorMessage == nil {
		t.Errorf("%+v", r)
	}
	if r := elect(sarama.UncleanElection, 0); r.ErrorCode != sarama.ErrElectionNotNeeded {
		t.Errorf("%+v", r)
	}
	if r := elect(sarama.PreferredElection, 9); r.ErrorCode != sarama.ErrUnknownTopicOrPartition {
		t.Errorf("%+v", r)
	}
	if s.brokers > 1 {
		turned := [][]int32{{assignment[0][1], assignment[0][0]}}
		mustTxn(t, "AlterPartitionReassignments", a.AlterPartitionReassignments(topic, turned))
		wantPartitions(t, a, topic, turned)
		wantLeader(t, a, topic, assignment[0][0]) // stays
		if r := elect(sarama.PreferredElection, 0); r.ErrorCode != sarama.ErrNoError {
			t.Errorf("%+v", r)
		}
		wantLeader(t, a, topic, turned[0][0])
	}
	if _, err := a.ElectLeaders(sarama.PreferredElection, nil); err != nil {
		t.Error(err)
	}
	if _, err := a.ElectLeaders(7, nil); !errors.Is(err, sarama.ErrInvalidRequest) {
		t.Error(err)
	}
}

func wantLeader(t *testing.T, a everyAdmin, topic string, want int32) {
	t.Helper()
	eventually(t, "the leader", func() error {
		list, err := a.DescribeTopics([]string{topic})
		if err != nil || list[0].Partitions[0].Leader != want {
			return fmt.Errorf("%+v, %w", list, err)
		}
		return nil
	})
}
