package sarama_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// held are the partitions of a topic that a described group's members have, by
// member; the partitions of each are sorted.
func held(g *sarama.GroupDescription, topic string) (shares [][]int32, err error) {
	for _, m := range g.Members {
		metadata, err := m.GetMemberMetadata()
		if err != nil || metadata == nil || !slices.Equal(metadata.Topics, []string{topic}) {
			return nil, fmt.Errorf("metadata %+v, %w", metadata, err)
		}
		assigned, err := m.GetMemberAssignment()
		if err != nil || assigned == nil {
			return nil, fmt.Errorf("assignment %+v, %w", assigned, err)
		}
		if m.ClientId != "test" || m.ClientHost == "" {
			return nil, fmt.Errorf("client %q at %q", m.ClientId, m.ClientHost)
		}
		shares = append(shares, slices.Sorted(slices.Values(assigned.Topics[topic])))
	}
	slices.SortFunc(shares, slices.Compare)
	return shares, nil
}

// wantGroup waits until a group is described like this.
func wantGroup(t *testing.T, a everyAdmin, group, state string, ok func(*sarama.GroupDescription) error) {
	t.Helper()
	eventually(t, "group "+group, func() error {
		list, err := a.DescribeConsumerGroups([]string{group})
		if err != nil || len(list) != 1 || list[0].GroupId != group || list[0].State != state {
			return fmt.Errorf("%+v, %w, want %s", list, err, state)
		}
		if ok == nil {
			return nil
		}
		return ok(list[0])
	})
}

// wantListed waits until a group is listed, or not, with a state and a type.
func wantListed(t *testing.T, a everyAdmin, group string, options sarama.ListGroupsOptions, want *sarama.GroupListing) {
	t.Helper()
	eventually(t, "the listing of "+group, func() error {
		list, err := a.ListGroups(options)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(g sarama.GroupListing) bool { return g.GroupID == group })
		if (i < 0) != (want == nil) {
			return fmt.Errorf("%+v: listed at %d of %d, want %+v", options, i, len(list), want)
		}
		if want == nil {
			return nil
		}
		b, err := a.Coordinator(group)
		if err != nil {
			return err
		}
		want.GroupID, want.ProtocolType, want.Coordinator = group, "consumer", b.ID()
		if list[i] != *want {
			return fmt.Errorf("%+v, want %+v", list[i], want)
		}
		return nil
	})
}

// refusedWithMembers checks what may not be done to a group that has members,
// or that subscribes to a topic.
func refusedWithMembers(t *testing.T, a everyAdmin, group, topic string, altering sarama.KError) {
	t.Helper()
	wantRefused(t,
		refused{"deleting it", a.DeleteConsumerGroup(group), []error{sarama.ErrNonEmptyGroup}, nil, ""},
		refused{"deleting an offset", a.DeleteConsumerGroupOffset(group, topic, 0), []error{sarama.ErrGroupSubscribedToTopic}, nil, ""},
	)
	resp, err := a.AlterConsumerGroupOffsets(group, map[string]map[int32]sarama.OffsetAndMetadata{topic: {0: {Offset: 1, LeaderEpoch: -1}}}, nil)
	if err != nil || resp.Errors[topic][0] != altering {
		t.Errorf("altering its offsets: %+v, %v", resp, err)
	}
}

func adminClassicGroup(t *testing.T, s *site, a everyAdmin) {
	topic, group, l := s.topic(t, 4, nil), s.group(t), newGroupLedger(t)
	kind := groupKinds[0]
	s.produce(t, s.groupConfig(kind), numberedMessages(topic, 4, 40))
	first := startMember(t, l, "first", group, s.addrs, s.groupConfig(kind), topic)
	second := startMember(t, l, "second", group, s.addrs, s.groupConfig(kind), topic)
	l.awaitCount(40)
	l.awaitShares(2, 2)
	wantGroup(t, a, group, "Stable", func(g *sarama.GroupDescription) error {
		shares, err := held(g, topic)
		if err != nil || g.ProtocolType != "consumer" || g.Protocol != "range" || !reflect.DeepEqual(shares, [][]int32{{0, 1}, {2, 3}}) {
			return fmt.Errorf("%v of %+v, %w", shares, g, err)
		}
		return nil
	})
	if all, err := a.ListConsumerGroups(); err != nil || all[group] != "consumer" {
		t.Errorf("%q of %d groups, %v", all[group], len(all), err)
	}
	stable := &sarama.GroupListing{State: "Stable", Type: "classic"}
	wantListed(t, a, group, sarama.ListGroupsOptions{}, stable)
	wantListed(t, a, group, sarama.ListGroupsOptions{States: []string{"Stable"}, Types: []string{"classic"}}, stable)
	wantListed(t, a, group, sarama.ListGroupsOptions{States: []string{"Empty", "Dead"}}, nil)
	wantListed(t, a, group, sarama.ListGroupsOptions{Types: []string{"consumer"}}, nil)
	refusedWithMembers(t, a, group, topic, sarama.ErrUnknownMemberId)
	first.stop()
	second.stop()
	wantGroup(t, a, group, "Empty", nil)
	wantListed(t, a, group, sarama.ListGroupsOptions{States: []string{"Empty"}}, &sarama.GroupListing{State: "Empty", Type: "classic"})
	wantOffsets := map[string][]int32{topic: {0, 1, 2, 3}}
	resp, err := a.ListConsumerGroupOffsets(group, wantOffsets)
	for id := range int32(4) {
		if err != nil || resp.GetBlock(topic, id) == nil || resp.GetBlock(topic, id).Offset != 10 {
			t.Errorf("partition %d: %+v, %v", id, resp, err)
		}
	}
	deleteGroup(t, a, group)
}

// deleteGroup deletes a group that exists, and looks for what is left.
func deleteGroup(t *testing.T, a everyAdmin, group string) {
	t.Helper()
	mustTxn(t, "DeleteConsumerGroup", a.DeleteConsumerGroup(group))
	wantGroup(t, a, group, "Dead", nil)
	wantListed(t, a, group, sarama.ListGroupsOptions{}, nil)
	resp, err := a.ListConsumerGroupOffsets(group, nil)
	if err != nil || len(resp.Blocks) != 0 {
		t.Errorf("a deleted group has %+v, %v", resp, err)
	}
	wantRefused(t, refused{"deleting it again", a.DeleteConsumerGroup(group), []error{sarama.ErrGroupIDNotFound}, nil, ""})
}

func adminNewerGroup(t *testing.T, s *site, a everyAdmin) {
	if !s.version.IsAtLeast(sarama.V4_0_0_0) {
		t.Skip("needs Kafka 4.0")
	}
	topic, group, classic, l := s.topic(t, 4, nil), s.group(t), s.group(t), newGroupLedger(t)
	kind := groupKinds[len(groupKinds)-1]
	conf := s.groupConfig(kind)
	conf.Consumer.Group.InstanceId = "instance"
	member := startMember(t, l, "first", group, s.addrs, conf, topic)
	l.awaitShares(4)
	old := startMember(t, newGroupLedger(t), "old", classic, s.addrs, s.groupConfig(groupKinds[0]), topic)
	old.ledger.awaitShares(4)
	wantGroup(t, a, group, "Stable", func(g *sarama.GroupDescription) error {
		shares, err := held(g, topic)
		if err != nil || g.ProtocolType != "consumer" || g.Protocol != kind.assignor || !reflect.DeepEqual(shares, [][]int32{{0, 1, 2, 3}}) {
			return fmt.Errorf("%v of %+v, %w", shares, g, err)
		}
		for _, m := range g.Members {
			if m.GroupInstanceId == nil || *m.GroupInstanceId != "instance" {
				return fmt.Errorf("%+v", m)
			}
		}
		return nil
	})
	stable := &sarama.GroupListing{State: "Stable", Type: "consumer"}
	wantListed(t, a, group, sarama.ListGroupsOptions{Types: []string{"consumer"}}, stable)
	wantListed(t, a, group, sarama.ListGroupsOptions{Types: []string{"classic"}}, nil)
	wantListed(t, a, classic, sarama.ListGroupsOptions{Types: []string{"classic"}}, &sarama.GroupListing{State: "Stable", Type: "classic"})
	list, err := a.DescribeConsumerProtocolGroups([]string{group, classic})
	if err != nil || len(list) != 2 || list[1].ErrorCode != sarama.ErrGroupIDNotFound {
		t.Fatalf("%+v, %v", list, err)
	}
	g := list[0]
	if g.ErrorCode != sarama.ErrNoError || g.GroupID != group || g.GroupState != "Stable" || g.GroupEpoch < 1 || g.AssignmentEpoch != g.GroupEpoch || len(g.Members) != 1 {
		t.Fatalf("%+v", g)
	}
	m := g.Members[0]
	if m.MemberEpoch != g.GroupEpoch || !slices.Equal(m.SubscribedTopicNames, []string{topic}) || m.ClientID != "test" || m.InstanceID == nil ||
		len(m.Assignment.TopicPartitions) != 1 || m.Assignment.TopicPartitions[0].TopicName != topic || len(m.Assignment.TopicPartitions[0].Partitions) != 4 ||
		!reflect.DeepEqual(m.Assignment, m.TargetAssignment) {
		t.Errorf("%+v", m)
	}
	refusedWithMembers(t, a, group, topic, sarama.ErrUnknownMemberId)
	old.stop()
	member.stop()
	left, err := a.RemoveMemberFromConsumerGroup(group, []string{"instance"})
	if err != nil || len(left.Members) != 1 || left.Members[0].Err != sarama.ErrNoError {
		t.Errorf("%+v, %v", left, err)
	}
	wantGroup(t, a, group, "Empty", nil)
	deleteGroup(t, a, group)
	deleteGroup(t, a, classic)
}

func adminGroupOffsets(t *testing.T, s *site, a everyAdmin) {
	topic, group, other := s.topic(t, 3, nil), s.group(t), s.group(t)
	store := func(group string, offsets map[int32]sarama.OffsetAndMetadata) {
		t.Helper()
		eventually(t, "storing offsets", func() error { // the coordinator may be new
			resp, err := a.AlterConsumerGroupOffsets(group, map[string]map[int32]sarama.OffsetAndMetadata{topic: offsets}, nil)
			if err != nil {
				return err
			}
			for id := range offsets {
				if code, ok := resp.Errors[topic][id]; !ok || code != sarama.ErrNoError {
					return fmt.Errorf("%+v", resp)
				}
			}
			return nil
		})
	}
	store(group, map[int32]sarama.OffsetAndMetadata{0: {Offset: 5, Metadata: "five", LeaderEpoch: 0}, 1: {Offset: 7, LeaderEpoch: -1}})
	store(other, map[int32]sarama.OffsetAndMetadata{2: {Offset: 9, LeaderEpoch: -1}})
	want := func(blocks map[string]map[int32]*sarama.OffsetFetchResponseBlock, offsets map[int32]int64) {
		t.Helper()
		if len(blocks[topic]) != len(offsets) {
			t.Errorf("%d partitions, want %v", len(blocks[topic]), offsets)
			return
		}
		for id, offset := range offsets {
			if b := blocks[topic][id]; b == nil || b.Offset != offset || b.Err != sarama.ErrNoError || offset == 5 && b.Metadata != "five" {
				t.Errorf("partition %d: %+v, want %d", id, b, offset)
			}
		}
	}
	read := func(group string, partitions map[string][]int32) map[string]map[int32]*sarama.OffsetFetchResponseBlock {
		t.Helper()
		resp, err := a.ListConsumerGroupOffsets(group, partitions)
		mustTxn(t, "ListConsumerGroupOffsets", err)
		if len(resp.Groups) > 0 {
			return resp.Groups[0].Blocks
		}
		return resp.Blocks
	}
	want(read(group, nil), map[int32]int64{0: 5, 1: 7})
	want(read(group, map[string][]int32{topic: {0, 2}}), map[int32]int64{0: 5, 2: -1})
	none := s.group(t)
	batch, err := a.ListConsumerGroupOffsetsBatch(map[string]map[string][]int32{group: nil, other: {topic: {1, 2}}, none: nil})
	if err != nil || len(batch) != 3 || batch[group].Err != sarama.ErrNoError || len(batch[none].Blocks) != 0 {
		t.Fatalf("%+v, %v", batch, err)
	}
	want(batch[group].Blocks, map[int32]int64{0: 5, 1: 7})
	want(batch[other].Blocks, map[int32]int64{1: -1, 2: 9})

	mustTxn(t, "DeleteConsumerGroupOffset", a.DeleteConsumerGroupOffset(group, topic, 0))
	want(read(group, nil), map[int32]int64{1: 7})
	store(group, map[int32]sarama.OffsetAndMetadata{1: {Offset: 3, LeaderEpoch: -1}})
	want(read(group, nil), map[int32]int64{1: 3})
	wantRefused(t,
		refused{"an unknown partition", a.DeleteConsumerGroupOffset(group, topic, 9), []error{sarama.ErrUnknownTopicOrPartition}, nil, ""},
		refused{"an unknown group", a.DeleteConsumerGroupOffset(none, topic, 0), []error{sarama.ErrGroupIDNotFound}, nil, ""},
	)
	if _, err := a.AlterConsumerGroupOffsets(group, nil, nil); err == nil {
		t.Error("no offsets are none to store")
	}
	all, err := a.ListConsumerGroups()
	if protocol, ok := all[group]; err != nil || !ok || protocol != "" {
		t.Errorf("a group that never had members: %v, %q, %v", ok, protocol, err)
	}
	wantGroup(t, a, group, "Empty", nil)
	deleteGroup(t, a, group)
	deleteGroup(t, a, other)
}

func adminStaticMembers(t *testing.T, s *site, a everyAdmin) {
	topic, group, l := s.topic(t, 2, nil), s.group(t), newGroupLedger(t)
	conf := s.groupConfig(groupKinds[0])
	conf.Consumer.Group.InstanceId = "instance"
	conf.Consumer.Group.Session.Timeout = time.Minute // it stays when it has stopped
	member := startMember(t, l, "first", group, s.addrs, conf, topic)
	l.awaitShares(2)
	member.stop()
	wantGroup(t, a, group, "Stable", func(g *sarama.GroupDescription) error {
		for _, m := range g.Members {
			if m.GroupInstanceId != nil && *m.GroupInstanceId == "instance" {
				return nil
			}
		}
		return fmt.Errorf("%+v", g)
	})
	resp, err := a.RemoveMemberFromConsumerGroup(group, []string{"instance", "nobody"})
	if err != nil || len(resp.Members) != 2 {
		t.Fatalf("%+v, %v", resp, err)
	}
	for _, m := range resp.Members {
		want := sarama.ErrNoError
		if *m.GroupInstanceId == "nobody" {
			want = sarama.ErrUnknownMemberId
		}
		if m.Err != want {
			t.Errorf("%s: %v", *m.GroupInstanceId, m.Err)
		}
	}
	wantGroup(t, a, group, "Empty", nil)
	deleteGroup(t, a, group)
}

func adminTransactions(t *testing.T, s *site, a everyAdmin) {
	topic := s.topic(t, 2, nil)
	id := "id-" + topic
	began := time.Now().Add(-time.Minute)
	p := s.txnProducer(t, s.txnConfig(id))
	state := func() sarama.TransactionState {
		t.Helper()
		states, err := a.DescribeTransactions([]string{id, "id-nobody"})
		if err != nil || len(states) != 2 || states["id-nobody"].ErrorCode != sarama.ErrTransactionalIDNotFound || states[id].ErrorCode != sarama.ErrNoError {
			t.Fatalf("%+v, %v", states, err)
		}
		return states[id]
	}
	if st := state(); st.TransactionState != sarama.TransactionStateEmpty || st.TransactionTimeout != time.Minute || len(st.Topics) != 0 {
		t.Errorf("%+v", st)
	}
	mustTxn(t, "BeginTxn", p.BeginTxn())
	sendAll(t, p, topic, 2, "a", "b", "c")
	st := state()
	if st.TransactionState != sarama.TransactionStateOngoing || len(st.Topics) != 1 || st.Topics[0].Topic != topic || st.ProducerID < 0 ||
		!slices.Equal(slices.Sorted(slices.Values(st.Topics[0].Partitions)), []int32{0, 1}) ||
		time.UnixMilli(st.TransactionStartTime).Before(began) || time.UnixMilli(st.TransactionStartTime).After(time.Now().Add(time.Minute)) {
		t.Errorf("%+v", st)
	}
	adminListedTransaction(t, a, id, st.ProducerID)
	wantProducers(t, a, topic, st, 0, 1, 0)
	mustTxn(t, "CommitTxn", p.CommitTxn())
	eventually(t, "the transaction's end", func() error {
		if now := state(); now.TransactionState != sarama.TransactionStateCompleteCommit || len(now.Topics) != 0 {
			return fmt.Errorf("%+v", now)
		}
		return nil
	})
	wantProducers(t, a, topic, st, -1, -1, -1)
	producers, err := a.DescribeProducers(map[string][]int32{topic: {0, 9}})
	if !errors.Is(producers[topic][9].ErrorCode, sarama.ErrUnknownTopicOrPartition) && err == nil {
		t.Errorf("an unknown partition: %+v, %v", producers, err)
	}
}

// adminListedTransaction finds an open transaction with filters.
func adminListedTransaction(t *testing.T, a everyAdmin, id string, producer int64) {
	t.Helper()
	listed := func(states []string, producers []int64, duration int64) (is string) {
		t.Helper()
		list, err := a.ListTransactions(states, producers, duration)
		mustTxn(t, "ListTransactions", err)
		for _, l := range list {
			if l.TransactionalID == id {
				if is = l.TransactionState; l.ProducerID != producer {
					t.Errorf("%+v", l)
				}
			} else if len(producers) == 1 && producers[0] == producer {
				t.Errorf("another id has the producer, too: %+v", l)
			}
		}
		return is
	}
	const ongoing = sarama.TransactionStateOngoing
	for _, c := range []struct {
		states    []string
		producers []int64
		duration  int64
		want      string
	}{
		{nil, nil, -1, ongoing}, {[]string{ongoing}, nil, -1, ongoing}, {nil, []int64{producer}, -1, ongoing},
		{[]string{sarama.TransactionStateCompleteCommit, sarama.TransactionStateEmpty}, nil, -1, ""},
		{nil, []int64{producer + 1_000_000}, -1, ""}, {nil, nil, 3_600_000, ""},
	} {
		if got := listed(c.states, c.producers, c.duration); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	eventually(t, "a transaction of more than a millisecond", func() error {
		if got := listed(nil, []int64{producer}, 1); got != ongoing {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
	if _, err := a.ListTransactions([]string{"NoSuchState"}, nil, -1); err == nil {
		t.Error("an unknown state is no error")
	}
}

// wantProducers checks what the leaders of a topic's two partitions know of the
// producer of a transaction: where it begins, -1 for none.
func wantProducers(t *testing.T, a everyAdmin, topic string, st sarama.TransactionState, begin, lastOfFirst, lastOfSecond int32) {
	t.Helper()
	eventually(t, "producers", func() error {
		found, err := a.DescribeProducers(map[string][]int32{topic: {0, 1}})
		if err != nil || len(found[topic]) != 2 {
			return fmt.Errorf("%+v, %w", found, err)
		}
		for id, last := range []int32{lastOfFirst, lastOfSecond} {
			list := found[topic][int32(id)].ActiveProducers
			if len(list) != 1 || list[0].ProducerID != st.ProducerID || list[0].CurrentTxnStartOffset != int64(begin) ||
				last >= 0 && list[0].LastSequence != last || time.Since(time.UnixMilli(list[0].LastTimestamp)).Abs() > time.Hour {
				return fmt.Errorf("partition %d: %+v", id, list)
			}
		}
		return nil
	})
}
