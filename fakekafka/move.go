package fakekafka

import (
	"slices"
	"sync"

	"github.com/IBM/sarama"
)

// move is where a partition's replicas are to go (KIP-455); it never changes.
type move struct {
	target           []int32
	adding, removing []int32
}

// without is a list without the elements of another.
func without(list, out []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(list), func(id int32) bool { return slices.Contains(out, id) })
}

// origin are the replicas without those that a move was to add.
func (l *leadership) origin() []int32 {
	if l.moving == nil {
		return l.replicas
	}
	return without(l.replicas, l.moving.adding)
}

// moveTo begins a move.
func (l *leadership) moveTo(target []int32) {
	origin := l.origin()
	m := &move{target: slices.Clone(target), adding: without(target, origin), removing: without(origin, target)}
	l.replicas = append(slices.Clone(target), m.removing...)
	l.settle(l.isr)
	l.moving = m
}

// cancelMove takes a partition back to where it was.
func (l *leadership) cancelMove() {
	l.replicas = l.origin()
	l.moving = nil
	l.settle(l.isr)
}

// settle leaves those of isr in it that are replicas. If the leader is none,
// another one leads.
func (l *leadership) settle(isr []int32) {
	kept := slices.DeleteFunc(slices.Clone(isr), func(id int32) bool { return !slices.Contains(l.replicas, id) })
	if len(kept) == 0 {
		kept = l.replicas[:1]
	}
	l.isr = kept
	if l.leader < 0 || slices.Contains(l.replicas, l.leader) {
		return
	}
	l.leader = -1
	for _, id := range l.replicas {
		if slices.Contains(isr, id) {
			l.leader = id
			return
		}
	}
}

// arriveLocked ends a partition's move, if it may: the replicas to add have to
// be up, and are then in sync at once.
func (c *Cluster) arriveLocked(p *partition) {
	if c.mu.movesHeld > 0 {
		return
	}
	p.change(func(l *leadership) {
		if l.moving == nil {
			return
		}
		isr := slices.Clone(l.isr)
		for _, id := range l.moving.adding {
			if !c.broker(id).isUp() {
				return
			}
			if !slices.Contains(isr, id) {
				isr = append(isr, id)
			}
		}
		if !slices.ContainsFunc(l.moving.target, func(id int32) bool { return slices.Contains(isr, id) && c.broker(id).isUp() }) {
			return
		}
		l.replicas, l.moving = l.moving.target, nil
		l.settle(isr)
	})
}

// HoldReassignments keeps the moves of partitions to other brokers under way:
// until release is called, those that are asked for begin and do not end.
func (c *Cluster) HoldReassignments() (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.movesHeld++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.mu.movesHeld--
		for _, t := range c.catalog.Load().byName {
			for _, p := range t.partitions {
				c.arriveLocked(p)
			}
		}
	})
}

// reassign moves a partition's replicas; nil cancels a move.
func (c *Cluster) reassign(topic string, id int32, target []int32, sameCount bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.catalog.Load().topic(topic)
	if t == nil {
		return refuse(sarama.ErrUnknownTopicOrPartition, "Unable to find a topic named %s.", topic)
	}
	p := t.partition(id)
	if p == nil {
		return refuse(sarama.ErrUnknownTopicOrPartition, "Unable to find partition %s:%d.", topic, id)
	}
	now := p.leadership()
	if target == nil {
		if now.moving == nil {
			return sarama.ErrNoReassignmentInProgress
		}
		p.change((*leadership).cancelMove)
		return nil
	}
	if err := c.checkAssignment([][]int32{target}, 0); err != nil {
		return err
	}
	if n := len(now.origin()); sameCount && n != len(target) {
		return refuse(sarama.ErrInvalidReplicationFactor, "The replication factor is changed from %d to %d", n, len(target))
	}
	p.change(func(l *leadership) { l.moveTo(target) })
	c.arriveLocked(p)
	return nil
}

// elect has a partition's leader elected (KIP-460).
func (c *Cluster) elect(topic string, id int32, unclean bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.catalog.Load().topic(topic)
	if t == nil {
		return refuse(sarama.ErrUnknownTopicOrPartition, "No such topic as %s", topic)
	}
	p := t.partition(id)
	if p == nil {
		return refuse(sarama.ErrUnknownTopicOrPartition, "No such partition as %s-%d", topic, id)
	}
	l := p.leadership()
	isUp := func(id int32) bool { return c.broker(id).isUp() }
	next := l.replicas[0]
	switch {
	case unclean && l.leader >= 0, l.leader == next:
		return refuse(sarama.ErrElectionNotNeeded, "Leader election not needed for topic partition.")
	case unclean:
		i := slices.IndexFunc(l.replicas, isUp)
		if i < 0 {
			return refuse(sarama.ErrEligibleLeadersNotAvailable, "Eligible topic partition leaders are not available.")
		}
		next = l.replicas[i]
	case !isUp(next) || !slices.Contains(l.isr, next):
		return refuse(sarama.ErrPreferredLeaderNotAvailable, "The preferred leader was not available.")
	}
	p.setLeaderOff(false)
	p.change(func(l *leadership) {
		if l.leader = next; !slices.Contains(l.isr, next) {
			l.isr = []int32{next} // what the others have is not asked for
		}
	})
	return nil
}

// addPartitions makes a topic have count partitions, or only checks whether it
// could. Where there is no assignment, the new ones are spread over the brokers
// that are up.
func (c *Cluster) addPartitions(name string, count int, assignment [][]int32, validateOnly bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.catalog.Load().topic(name)
	if old == nil {
		return sarama.ErrUnknownTopicOrPartition
	}
	have := len(old.partitions)
	first := old.partitions[0].leadership()
	replicas := len(first.origin())
	var err error
	switch more := count - have; {
	case more == 0:
		err = refuse(sarama.ErrInvalidPartitions, "Topic already has %d partition(s).", have)
	case more < 0:
		err = refuse(sarama.ErrInvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", name, have, count)
	case more > partitionsMax:
		err = refuse(sarama.ErrInvalidPartitions, "Excessively large number of partitions per request, at most %d are created at once.", partitionsMax)
	case assignment == nil:
		assignment, err = c.assign(have, more, replicas)
	case len(assignment) != more:
		err = refuse(sarama.ErrInvalidReplicaAssignment, "Attempted to add %d additional partition(s), but only %d assignment(s) were specified.",
			more, len(assignment))
	default:
		err = c.checkAssignment(assignment, replicas)
	}
	if err != nil || validateOnly {
		return err
	}
	t := *old
	t.partitions = t.with(assignment, c)
	c.replaceLocked(old, &t)
	return nil
}
