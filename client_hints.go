package sarama

import (
	"maps"
	"net"
	"slices"
	"strconv"
)

// leaderHint is what a broker that does not lead a partition says of who does
// (KIP-951).
type leaderHint struct {
	topic         string
	partition     int32
	leader, epoch int32
	node          *ProduceResponseNodeEndpoint // the leader's address; nil where it was not given
}

// hintOf makes a hint of what an answer says of a partition, and of brokers.
func hintOf(topic string, partition, leader, epoch int32, nodes []*ProduceResponseNodeEndpoint) leaderHint {
	h := leaderHint{topic: topic, partition: partition, leader: leader, epoch: epoch}
	if at := slices.IndexFunc(nodes, func(n *ProduceResponseNodeEndpoint) bool { return n.NodeID == leader }); at >= 0 {
		h.node = nodes[at]
	}
	return h
}

// withLeaders returns the cluster with what hints say that is newer than what
// is known, or c itself. A leader that is not known and has no address is of no
// use.
func (c *cluster) withLeaders(hints []leaderHint) *cluster {
	next := c
	for _, h := range hints {
		t := next.topics[h.topic]
		known := t.partition(h.partition)
		if known == nil || h.leader < 0 || h.epoch <= known.epoch {
			continue
		}
		broker := next.brokers[h.leader]
		if h.node != nil && h.node.NodeID == h.leader {
			broker = hintedBroker(broker, h.node)
		}
		if broker == nil {
			continue
		}
		if next == c {
			copied := *c
			next = &copied
			next.topics, next.brokers = maps.Clone(c.topics), make(map[int32]*Broker, len(c.brokers)+1)
			maps.Copy(next.brokers, c.brokers) // which may be none
		}
		next.brokers[h.leader] = broker
		next.topics[h.topic] = t.withLeader(*known, h)
	}
	return next
}

// hintedBroker is the Broker of an address: the known one, if it has it.
func hintedBroker(known *Broker, n *ProduceResponseNodeEndpoint) *Broker {
	addr := net.JoinHostPort(n.Host, strconv.Itoa(int(n.Port)))
	if known != nil && known.addr == addr {
		return known
	}
	return &Broker{id: n.NodeID, addr: addr, rack: n.Rack}
}

// withLeader returns the topic with another leader of one partition.
func (t *topicInfo) withLeader(p partitionInfo, h leaderHint) *topicInfo {
	p.leader, p.epoch, p.err = h.leader, h.epoch, ErrNoError
	next := *t
	next.partitions = slices.Clone(t.partitions)
	*next.partition(p.id) = p
	if at, found := slices.BinarySearch(t.writable, p.id); !found {
		next.writable = slices.Insert(slices.Clone(t.writable), at, p.id)
	}
	return &next
}

// hint takes what brokers have said of leaders into the snapshot. It waits for
// the refresher, which never waits long.
func (c *client) hint(hints []leaderHint) {
	var replaced []*Broker
	c.apply(func(now *cluster) *cluster {
		next := now.withLeaders(hints)
		for id, b := range now.brokers {
			if next.brokers[id] != b {
				replaced = append(replaced, b)
			}
		}
		return next
	})
	for _, b := range replaced {
		_ = b.Close()
	}
}
