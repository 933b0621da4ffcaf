package fakekafka

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// groupOffsets are how far a group has come, by its commits. The lock of its
// group guards them.
type groupOffsets struct {
	committed map[TopicPartition]storedOffset
	pending   map[int64]map[TopicPartition]storedOffset // of open transactions, by producer id
	serial    int                                       // of the last commit
	history   []OffsetCommitted
}

// CommittedOffset is an offset that a group has stored for a partition.
type CommittedOffset struct {
	Offset      int64
	LeaderEpoch int32 // of the record before, -1 when unknown
	Metadata    string
	Time        time.Time // of the commit
}

// storedOffset is an offset and its place among all commits.
type storedOffset struct {
	CommittedOffset
	serial int
}

// OffsetCommitted is one offset that a coordinator has stored for a group.
type OffsetCommitted struct {
	Topic     string
	Partition int32
	CommittedOffset
	// Member and Generation are what the commit said of who sent it, "" and -1
	// for one who is no member, or for Cluster.SetOffset. Generation is the
	// member's epoch in a group of the newer protocol.
	Member     string
	Generation int32
	// ProducerID is -1 for a commit outside of transactions.
	ProducerID int64
}

// committing is a commit of offsets on its way.
type committing struct {
	member     string
	generation int32
	producerID int64 // -1: outside of transactions
}

// storeLocked stores an offset, for a transaction until it ends.
func (g *group) storeLocked(who committing, at TopicPartition, o CommittedOffset) {
	at.Topic, o.Metadata = strings.Clone(at.Topic), strings.Clone(o.Metadata)
	s := &g.mu.offsets
	s.serial++
	stored := storedOffset{o, s.serial}
	if who.producerID < 0 {
		g.commitLocked(who, at, stored)
		return
	}
	if s.pending == nil {
		s.pending = make(map[int64]map[TopicPartition]storedOffset)
	}
	if s.pending[who.producerID] == nil {
		s.pending[who.producerID] = make(map[TopicPartition]storedOffset)
	}
	s.pending[who.producerID][at] = stored
}

func (g *group) commitLocked(who committing, at TopicPartition, o storedOffset) {
	s := &g.mu.offsets
	if s.committed[at].serial > o.serial {
		return // what was committed since the transaction did goes before it
	}
	if s.committed == nil {
		s.committed = make(map[TopicPartition]storedOffset)
	}
	s.committed[at] = o
	if len(s.history) >= g.cluster.opts.HistoryMax {
		s.history = slices.Delete(s.history, 0, 1)
	}
	s.history = append(s.history, OffsetCommitted{
		Topic: at.Topic, Partition: at.Partition, CommittedOffset: o.CommittedOffset,
		Member: who.member, Generation: who.generation, ProducerID: who.producerID,
	})
}

// unstable says whether a transaction that is open may change an offset.
func (s *groupOffsets) unstable(at TopicPartition) bool {
	for _, offsets := range s.pending {
		if _, ok := offsets[at]; ok {
			return true
		}
	}
	return false
}

// partitions lists those that have an offset, in order.
func (s *groupOffsets) partitions() []TopicPartition {
	return slices.SortedFunc(maps.Keys(s.committed), compareTopicPartitions)
}

// visible are offsets as users see them.
func visible(to map[TopicPartition]CommittedOffset, offsets map[TopicPartition]storedOffset) map[TopicPartition]CommittedOffset {
	for at, o := range offsets {
		to[at] = o.CommittedOffset
	}
	return to
}

func compareTopicPartitions(a, b TopicPartition) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// forget drops what is stored for the partitions of a topic.
func (s *groupOffsets) forget(topic string) {
	of := func(at TopicPartition, _ storedOffset) bool { return at.Topic == topic }
	maps.DeleteFunc(s.committed, of)
	for id, offsets := range s.pending {
		if maps.DeleteFunc(offsets, of); len(offsets) == 0 {
			delete(s.pending, id)
		}
	}
}

// endGroupTxn makes the offsets that a transaction has committed for a group
// visible, or drops them: the transaction's marker has been written to
// __consumer_offsets.
func (c *Cluster) endGroupTxn(id string, producerID int64, commit bool) {
	c.groups.endTxn(groupProducer{id, producerID})
	g := c.groups.find(id, false)
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	offsets := g.mu.offsets.pending[producerID]
	delete(g.mu.offsets.pending, producerID)
	if !commit {
		return
	}
	for _, at := range slices.SortedFunc(maps.Keys(offsets), compareTopicPartitions) {
		g.commitLocked(committing{generation: -1, producerID: producerID}, at, offsets[at])
	}
}

// groupProducer is a producer whose transactions have offsets of a group.
type groupProducer struct {
	group string
	id    int64
}

// endTxn counts a transaction that has ended: offsets that come for it now are
// too late.
func (s *groups) endTxn(who groupProducer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.ended[who]++
}

// endedTxns is how many of a producer's transactions have ended.
func (s *groups) endedTxns(who groupProducer) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.ended[who]
}

// forgetOffsets drops the offsets that all groups have stored for a topic that
// was deleted.
func (c *Cluster) forgetOffsets(topic string) {
	for _, g := range c.groups.all() {
		g.mu.Lock()
		g.mu.offsets.forget(topic)
		g.mu.Unlock()
	}
}

// SetOffset stores an offset for a partition, as a commit does, whoever is in
// the group; the group is made if there is none.
func (c *Cluster) SetOffset(id, topic string, partition int32, offset int64) error {
	if _, err := c.partition(topic, partition); err != nil {
		return err
	}
	for {
		g := c.groups.find(id, true)
		if g == nil {
			return errClosed
		}
		g.mu.Lock()
		dead := g.mu.dead
		if !dead {
			g.storeLocked(committing{generation: -1, producerID: -1}, TopicPartition{topic, partition},
				CommittedOffset{Offset: offset, LeaderEpoch: -1, Time: time.Now()})
		}
		g.mu.Unlock()
		if !dead {
			return nil
		}
		if c.closing.Load() {
			return errClosed
		}
	}
}

// mayCommitLocked says whether someone may commit offsets.
func (g *group) mayCommitLocked(member string, instance *string, generation int32, version int16, inTransaction bool) sarama.KError {
	if g.mu.consumer != nil {
		return g.mu.consumer.mayCommit(member, instance, generation, version, inTransaction)
	}
	k := g.mu.classic
	err := k.mayCommit(member, instance, generation, inTransaction)
	if m := k.member(member); err == sarama.ErrNoError && m != nil && !inTransaction && (k.phase == phaseStable || k.phase == phasePreparing) {
		m.beat()
	}
	return err
}
