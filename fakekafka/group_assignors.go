package fakekafka

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// The strategies of coordinators of the newer protocol, by Kafka's names.
const (
	assignorUniform = "uniform"
	assignorRange   = "range"
)

var assignors = []string{assignorUniform, assignorRange}

// planWith shares the partitions of all topics out to the members that
// subscribe to them.
func planWith(assignor string, members []*consumerMember, last map[string]partitionSet, topics *catalog) map[string]partitionSet {
	plan := make(map[string]partitionSet, len(members))
	for _, m := range members {
		plan[m.id] = make(partitionSet)
	}
	share := shareUniformly
	if assignor == assignorRange {
		share = shareByRange
	}
	byTopic := make(map[string][]*consumerMember)
	for _, m := range members {
		for name := range topics.byName {
			if m.subscribes(name) {
				byTopic[name] = append(byTopic[name], m)
			}
		}
	}
	share(plan, byTopic, last, topics)
	return plan
}

// shareByRange gives each member a range of each topic's partitions, in the
// order of instance ids, and of member ids for those without.
func shareByRange(plan map[string]partitionSet, byTopic map[string][]*consumerMember, _ map[string]partitionSet, topics *catalog) {
	for name, members := range byTopic {
		slices.SortFunc(members, func(a, b *consumerMember) int {
			switch {
			case (a.instance == nil) != (b.instance == nil):
				if a.instance != nil {
					return -1
				}
				return 1
			case a.instance != nil:
				return strings.Compare(*a.instance, *b.instance)
			}
			return strings.Compare(a.id, b.id)
		})
		t := topics.byName[name]
		least, more := len(t.partitions)/len(members), len(t.partitions)%len(members)
		next := 0
		for i, m := range members {
			n := least
			if i < more {
				n++
			}
			for range n {
				plan[m.id][idPartition{t.id, int32(next)}] = struct{}{}
				next++
			}
		}
	}
}

// shareUniformly gives all members about as many partitions, and each what it
// had, as far as possible.
func shareUniformly(plan map[string]partitionSet, byTopic map[string][]*consumerMember, last map[string]partitionSet, topics *catalog) {
	mayHave := make(map[idPartition][]*consumerMember)
	var all []idPartition
	total := make(map[string]int) // partitions that a member may have
	for _, name := range slices.Sorted(maps.Keys(byTopic)) {
		t := topics.byName[name]
		for i := range t.partitions {
			p := idPartition{t.id, int32(i)}
			all = append(all, p)
			mayHave[p] = byTopic[name]
			for _, m := range byTopic[name] {
				total[m.id]++
			}
		}
	}
	owner := make(map[idPartition]string)
	for _, p := range all {
		for _, m := range mayHave[p] {
			if last[m.id].has(p) {
				owner[p] = m.id
				plan[m.id][p] = struct{}{}
				break
			}
		}
	}
	// What nobody has goes to who has least; of those, to who may have fewest.
	for _, p := range all {
		if owner[p] != "" {
			continue
		}
		m := slices.MinFunc(mayHave[p], func(a, b *consumerMember) int {
			return cmp.Or(cmp.Compare(len(plan[a.id]), len(plan[b.id])), cmp.Compare(total[a.id], total[b.id]))
		})
		owner[p] = m.id
		plan[m.id][p] = struct{}{}
	}
	// Then partitions move, last ones first, from who has two more than another
	// to that one, until there is none: each move makes the plan more even, so
	// that this ends.
	for moved := true; moved; {
		moved = false
		for _, p := range slices.Backward(all) {
			from := owner[p]
			to := slices.MinFunc(mayHave[p], func(a, b *consumerMember) int { return cmp.Compare(len(plan[a.id]), len(plan[b.id])) })
			if len(plan[from]) > len(plan[to.id])+1 {
				delete(plan[from], p)
				plan[to.id][p] = struct{}{}
				owner[p] = to.id
				moved = true
			}
		}
	}
}
