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
	conf.Consumer.Group.Session.Timeout, conf.Consumer.Group.Heartbeat.Interval = 6*time.Second, 100*time.Millisecond
	conf.Consumer.Group.Rebalance.Timeout = 10 * time.Second
	conf.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	return conf
}

func (s *site) group(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("group-%d-%d", time.Now().UnixNano(), topicsMade.Add(1))
}

// functionalGroup has members of a group come and go, with each strategy.
func functionalGroup(t *testing.T, s *site) {
	for _, kind := range groupKinds {
		t.Run(kind.name, func(t *testing.T) {
			if kind.strategy == nil && !s.version.IsAtLeast(sarama.V4_0_0_0) {
				t.Skip("needs Kafka 4.0")
			}
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
}
