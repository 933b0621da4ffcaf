package sarama

import "slices"

// stickyMove is what became of one partition: who had it at first, who has it.
type stickyMove struct {
	topic, from, to int
}

// stickyMoves remembers what was moved, so that of two partitions of a topic
// that would change places both stay where they are: one that goes from a to b
// is as good as another that came from b to a and goes back.
type stickyMoves struct {
	g    *stickyGroup
	of   map[int]stickyMove              // of each partition that was moved
	like map[stickyMove]*movedPartitions // the partitions of each move
}

// movedPartitions are partitions that were moved alike, in order.
type movedPartitions struct {
	list     []int
	capacity int // of the hash map whose order they are looked through in
}

func newStickyMoves(g *stickyGroup) stickyMoves {
	return stickyMoves{g: g, of: make(map[int]stickyMove), like: make(map[stickyMove]*movedPartitions)}
}

// reverse returns a partition that goes back where it came from if it is moved
// in place of p, or p.
func (s *stickyMoves) reverse(p, from, to int) int {
	if before, ok := s.of[p]; ok {
		from = before.from
	}
	topic := s.g.partitions[p].topic
	moved := s.like[stickyMove{topic, to, from}]
	if moved == nil {
		return p
	}
	name := javaStringHash(s.g.topics[topic])
	first, best := p, moved.capacity
	for _, q := range moved.list {
		// The hash of Kafka's TopicPartition, which decides which one is first.
		if bucket := javaBucket(31*(31+s.g.partitions[q].number)+name, moved.capacity); bucket < best {
			first, best = q, bucket
		}
	}
	return first
}

// record notes that p goes from one member to another.
func (s *stickyMoves) record(p, from, to int) {
	if before, ok := s.of[p]; ok {
		delete(s.of, p)
		moved := s.like[before]
		moved.list = slices.DeleteFunc(moved.list, func(q int) bool { return q == p })
		if len(moved.list) == 0 {
			delete(s.like, before)
		}
		if before.from == to {
			return
		}
		from = before.from
	}
	move := stickyMove{s.g.partitions[p].topic, from, to}
	s.of[p] = move
	moved := s.like[move]
	if moved == nil {
		moved = &movedPartitions{}
		s.like[move] = moved
	}
	moved.list = append(moved.list, p)
	moved.capacity = max(moved.capacity, javaCapacity(len(moved.list)))
}
