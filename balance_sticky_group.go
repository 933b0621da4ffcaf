package sarama

import (
	"maps"
	"slices"
)

// none stands for no member where members are numbers.
const none = -1

// stickyPartition is one partition of a group's topics.
type stickyPartition struct {
	topic  int // its place in stickyGroup.topics
	number int32
}

// stickyClaim is what a member says that it owned.
type stickyClaim struct {
	generation int32 // in which it was given that, unknownGeneration where it does not know
	topics     map[string][]int32
}

// stickyGroup is what a sticky plan is made from. Members, topics and
// partitions are numbers: their places in these lists. It is not changed once
// it is made.
type stickyGroup struct {
	ids      []string // of the members, sorted
	order    []int    // the members in the order in which claims are looked at
	topics   []string // that exist and have subscribers, sorted
	wants    [][]int  // of each member, its topics, sorted
	wantedBy [][]int  // of each topic, its subscribers, sorted
	alike    bool     // all members subscribe to the same topics

	partitions []stickyPartition // of all topics, sorted
	from       []int             // of each topic, its first partition; and the end of the last

	claims []stickyClaim // of each member
	racks  *rackMap      // nil where racks do not matter

	// Settled from the claims: see settle.
	owner     []int  // of each partition, or none
	former    []int  // of each partition, who had it in an older generation, or none
	contested []bool // partitions that members claim for one generation
}

func newStickyGroup(members map[string]ConsumerGroupMemberMetadata, topics map[string][]int32,
	racks map[string]map[int32][]string, claims map[string]stickyClaim) *stickyGroup {
	g := &stickyGroup{ids: slices.Sorted(maps.Keys(members)), alike: sameTopics(members)}
	g.order = javaMapOrder(g.ids)
	number := make(map[string]int)
	for _, id := range g.ids {
		g.claims = append(g.claims, claims[id])
		for _, topic := range members[id].Topics {
			if len(topics[topic]) > 0 {
				number[topic] = 0
			}
		}
	}
	g.topics = slices.Sorted(maps.Keys(number))
	for t, topic := range g.topics {
		number[topic] = t
		g.from = append(g.from, len(g.partitions))
		for _, p := range slices.Compact(slices.Sorted(slices.Values(topics[topic]))) {
			g.partitions = append(g.partitions, stickyPartition{t, p})
		}
	}
	g.from = append(g.from, len(g.partitions))
	g.subscribe(members, number)
	if len(racks) > 0 {
		g.locate(members, racks)
	}
	g.settle()
	return g
}

// subscribe fills in who wants what. Number has the numbers of topics.
func (g *stickyGroup) subscribe(members map[string]ConsumerGroupMemberMetadata, number map[string]int) {
	g.wants = make([][]int, len(g.ids))
	g.wantedBy = make([][]int, len(g.topics))
	for m, id := range g.ids {
		for _, topic := range members[id].Topics {
			if t, ok := number[topic]; ok {
				g.wants[m] = append(g.wants[m], t)
			}
		}
		slices.Sort(g.wants[m])
		g.wants[m] = slices.Compact(g.wants[m])
		for _, t := range g.wants[m] {
			g.wantedBy[t] = append(g.wantedBy[t], m)
		}
	}
}

// sameTopics tells whether all members subscribe to the same topics, those that
// do not exist included.
func sameTopics(members map[string]ConsumerGroupMemberMetadata) bool {
	var first map[string]bool
	for _, member := range members {
		topics := make(map[string]bool, len(member.Topics))
		for _, topic := range member.Topics {
			topics[topic] = true
		}
		if first == nil {
			first = topics
		}
		if !maps.Equal(first, topics) {
			return false
		}
	}
	return true
}

// locate fills in the racks, if they matter.
func (g *stickyGroup) locate(members map[string]ConsumerGroupMemberMetadata, racks map[string]map[int32][]string) {
	of, at := make([]string, len(g.ids)), make([][]string, len(g.partitions))
	for m, id := range g.ids {
		of[m] = rackOf(members[id])
	}
	for p, partition := range g.partitions {
		at[p] = racks[g.topics[partition.topic]][partition.number]
	}
	if r := newRackMap(of, at); r.matter {
		g.racks = r
	}
}

// wanted tells whether member m subscribes to the topic of partition p.
func (g *stickyGroup) wanted(m, p int) bool {
	_, ok := slices.BinarySearch(g.wants[m], g.partitions[p].topic)
	return ok
}

// claimed calls claim for each partition that member m says that it owned and
// that there is.
func (g *stickyGroup) claimed(m int, claim func(p int)) {
	for topic, numbers := range g.claims[m].topics {
		t, ok := slices.BinarySearch(g.topics, topic)
		if !ok {
			continue
		}
		of := g.partitions[g.from[t]:g.from[t+1]]
		for _, number := range numbers {
			i, ok := slices.BinarySearchFunc(of, number, func(p stickyPartition, number int32) int {
				return int(p.number) - int(number)
			})
			if ok {
				claim(g.from[t] + i)
			}
		}
	}
}

// assign divides the partitions: of each one, the member that gets it, or none.
func (g *stickyGroup) assign() []int {
	switch {
	case len(g.ids) == 0:
		return nil
	case g.alike:
		return g.assignAlike()
	default:
		return g.assignUnlike()
	}
}

// plan puts names to the numbers. Every member is in the plan.
func (g *stickyGroup) plan(assigned []int) BalanceStrategyPlan {
	plan := make(BalanceStrategyPlan, len(g.ids))
	for _, id := range g.ids {
		plan[id] = make(map[string][]int32)
	}
	for p, m := range assigned {
		if m != none {
			plan.Add(g.ids[m], g.topics[g.partitions[p].topic], g.partitions[p].number)
		}
	}
	return plan
}
