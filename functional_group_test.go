package sarama_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// groupKind is a way for a group to agree on who consumes what.
type groupKind struct {
	name     string
	strategy func() sarama.BalanceStrategy // nil: the newer protocol
	assignor string
}

// groupKinds are those that groups are tested with.
var groupKinds = []groupKind{
	{"range", sarama.NewBalanceStrategyRange, ""},
	{"roundrobin", sarama.NewBalanceStrategyRoundRobin, ""},
	{"sticky", sarama.NewBalanceStrategySticky, ""},
	{"cooperative-sticky", sarama.NewBalanceStrategyCooperativeSticky, ""},
	{"consumer, uniform", nil, "uniform"},
	{"consumer, range", nil, "range"},
}

func (s *site) groupConfig(kind groupKind) *sarama.Config {
	conf := s.config()
	if kind.strategy != nil {
		conf.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{kind.strategy()}
	} else {
		conf.Consumer.Group.Protocol, conf.Consumer.Group.ServerAssignor = sarama.ConsumerGroupProtocolConsumer, kind.assignor
	}
	conf.Consumer.Group.Session.Timeout, conf.Consumer.Group.Heartbeat.Interval = 20*time.Second, 100*time.Millisecond
	conf.Consumer.Group.Rebalance.Timeout = 30 * time.Second
	conf.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	return conf
}

func (s *site) group(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("group-%d-%d", time.Now().UnixNano(), topicsMade.Add(1))
}

// eachGroupKind runs a test for each kind of group that the cluster has.
func (s *site) eachGroupKind(t *testing.T, run func(t *testing.T, kind groupKind)) {
	for _, kind := range groupKinds {
		t.Run(kind.name, func(t *testing.T) {
			if kind.strategy == nil && !s.version.IsAtLeast(sarama.V4_0_0_0) {
				t.Skip("needs Kafka 4.0")
			}
			run(t, kind)
		})
	}
}

// functionalGroup has members of a group come and go, with each strategy.
func functionalGroup(t *testing.T, s *site) {
	s.eachGroupKind(t, func(t *testing.T, kind groupKind) {
		topic, group, l := s.topic(t, 6, nil), s.group(t), newGroupLedger(t)
		s.produce(t, s.groupConfig(kind), numberedMessages(topic, 6, 600))

		first := startMember(t, l, "first", group, s.addrs, s.groupConfig(kind), topic)
		l.awaitCount(600)
		l.awaitShares(6)
		second := startMember(t, l, "second", group, s.addrs, s.groupConfig(kind), topic)
		l.awaitShares(3, 3)
		s.produce(t, s.groupConfig(kind), numberedMessages(topic, 6, 600))
		l.awaitCount(1200)
		third := startMember(t, l, "third", group, s.addrs, s.groupConfig(kind), topic)
		l.awaitShares(2, 2, 2)
		first.stop()
		l.awaitShares(3, 3)
		s.produce(t, s.groupConfig(kind), numberedMessages(topic, 6, 600))
		l.awaitCount(1800)
		second.stop()
		third.stop()
		if n := l.duplicates(); n != 0 {
			t.Errorf("%d messages were processed twice, though every member left in order", n)
		}
	})
}

// functionalGroupVersions has a member of every Config.Version consume, and
// another one go on where it has ended.
func functionalGroupVersions(t *testing.T, s *site) {
	for _, version := range []sarama.KafkaVersion{
		sarama.V0_10_2_0, sarama.V0_11_0_0, sarama.V1_0_0_0, sarama.V2_0_0_0, sarama.V2_2_0_0, sarama.V2_3_0_0, sarama.V2_4_0_0, sarama.V2_5_0_0,
		sarama.V2_8_0_0, sarama.V3_0_0_0, sarama.V3_2_0_0, sarama.V3_5_0_0, sarama.V3_9_0_0, sarama.V4_0_0_0, sarama.MaxVersion,
	} {
		if !s.version.IsAtLeast(version) || s.version.IsAtLeast(sarama.V4_0_0_0) && !version.IsAtLeast(sarama.V0_11_0_0) {
			continue // brokers since 4.0 do not take what clients of before 0.11 send
		}
		t.Run(version.String(), func(t *testing.T) {
			topic, group, l := s.topic(t, 2, nil), s.group(t), newGroupLedger(t)
			conf := s.groupConfig(groupKinds[0])
			s.produce(t, conf, numberedMessages(topic, 2, 40))
			conf.Version = version
			startMember(t, l, "first", group, s.addrs, conf, topic).awaitAndStop(40)
			s.produce(t, s.groupConfig(groupKinds[0]), numberedMessages(topic, 2, 40))
			startMember(t, l, "second", group, s.addrs, conf, topic).awaitAndStop(80)
			if n := l.duplicates(); n != 0 {
				t.Errorf("%d messages were processed twice", n)
			}
		})
	}
}

// functionalOffsetManager stores offsets without a group's session.
func functionalOffsetManager(t *testing.T, s *site) {
	topic, group := s.topic(t, 2, nil), s.group(t)
	conf := s.config()
	for _, version := range []sarama.KafkaVersion{sarama.V0_11_0_0, sarama.V2_8_0_0, s.version} {
		conf.Version = version
		client := s.client(t, conf)
		m, err := sarama.NewOffsetManagerFromClient(group, client)
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.ManagePartition(topic, 0)
		if err != nil {
			t.Fatal(err)
		}
		q, err := m.ManagePartition(topic, 1)
		if err != nil {
			t.Fatal(err)
		}
		begin, metadata := p.NextOffset()
		if version == sarama.V0_11_0_0 {
			if begin != sarama.OffsetNewest || metadata != "" {
				t.Errorf("nothing is stored: %d, %q", begin, metadata)
			}
			begin = 0
		}
		if other, _ := q.NextOffset(); other != sarama.OffsetNewest {
			t.Errorf("nothing is stored of the other partition: %d", other)
		}
		p.MarkOffset(begin+7, "mark "+version.String())
		m.Commit()
		p.ResetOffset(begin+5, "reset "+version.String())
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if p, err = m.ManagePartition(topic, 0); err != nil {
			t.Fatal(err)
		}
		if offset, metadata := p.NextOffset(); offset != begin+5 || metadata != "reset "+version.String() {
			t.Errorf("%v: stored: %d, %q", version, offset, metadata)
		}
		returnsWithin(t, "Close", func() { _ = m.Close() })
	}
}

// functionalStaticMember has a static member come back within its session.
func functionalStaticMember(t *testing.T, s *site) {
	s.eachGroupKind(t, func(t *testing.T, kind groupKind) {
		topic, group, l := s.topic(t, 4, nil), s.group(t), newGroupLedger(t)
		start := func(name string) *groupRunner {
			conf := s.groupConfig(kind)
			conf.Consumer.Group.InstanceId = name
			return startMember(t, l, name, group, s.addrs, conf, topic)
		}
		a, b := start("a"), start("b")
		l.awaitShares(2, 2)
		l.awaitQuiet()
		held, sessions := l.partitionsOf("a"), b.setups.Load()
		a.stop()
		start("a")
		l.awaitShares(2, 2)
		if again := l.partitionsOf("a"); fmt.Sprint(again) != fmt.Sprint(held) {
			t.Errorf("the member has %v, had %v", again, held)
		}
		if n := b.setups.Load() - sessions; n != 0 {
			t.Errorf("the other member has begun %d sessions meanwhile", n)
		}
		s.produce(t, s.groupConfig(kind), numberedMessages(topic, 4, 100))
		l.awaitCount(100)
	})
}
