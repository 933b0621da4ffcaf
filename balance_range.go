package sarama

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// BalanceStrategyRange is a range strategy.
//
// Deprecated: use NewBalanceStrategyRange.
var BalanceStrategyRange = NewBalanceStrategyRange()

// NewBalanceStrategyRange returns the strategy that gives each member one run
// of neighbouring partitions of each topic it subscribes to, as Kafka's
// RangeAssignor does. Members are taken in the order of their ids. Where the
// partitions do not divide evenly, the first members get one more: for
// partitions 0 to 4 and members a and b, a gets 0, 1, 2 and b gets 3, 4. Topics
// with the same number of partitions and the same subscribers are divided in
// the same way.
//
// It is a RackAwareBalanceStrategy. Where racks matter, members get as many
// partitions as without, those near them first, and topics that were divided in
// the same way still are.
func NewBalanceStrategyRange() BalanceStrategy { return rangeStrategy{} }

type rangeStrategy struct{}

func (rangeStrategy) Name() string { return RangeBalanceStrategyName }

func (s rangeStrategy) Plan(members map[string]ConsumerGroupMemberMetadata, topics map[string][]int32) (BalanceStrategyPlan, error) {
	return s.PlanWithRacks(members, topics, nil)
}

func (rangeStrategy) PlanWithRacks(members map[string]ConsumerGroupMemberMetadata, topics map[string][]int32,
	racks map[string]map[int32][]string) (BalanceStrategyPlan, error) {
	list := rangeTopics(members, topics, racks)
	if slices.ContainsFunc(list, func(t *rangeTopic) bool { return t.racks != nil && t.racks.matter }) {
		fillNear(list)
	}
	plan := make(BalanceStrategyPlan, len(members))
	for _, t := range list {
		for i, member := range t.subscribers {
			t.take(i, func(int) bool { return true })
			slices.Sort(t.got[i])
			plan.Add(member, t.name, t.got[i]...)
		}
	}
	return plan, nil
}

func (rangeStrategy) AssignmentData(string, map[string][]int32, int32) ([]byte, error) {
	return nil, nil
}

// rangeTopic is a topic that is being divided. Members and partitions are their
// places in subscribers and partitions.
type rangeTopic struct {
	name        string
	subscribers []string // sorted
	partitions  []int32
	racks       *rackMap // nil where no racks are known

	left  []int     // partitions that nobody has yet
	got   [][]int32 // of each member
	share int       // what each member gets
	rest  int       // how many members still may get one more
}

// rangeTopics returns the topics that have partitions and subscribers, sorted.
func rangeTopics(members map[string]ConsumerGroupMemberMetadata, topics map[string][]int32, racks map[string]map[int32][]string) []*rangeTopic {
	byName := make(map[string]*rangeTopic)
	for _, member := range slices.Sorted(maps.Keys(members)) {
		for _, topic := range members[member].Topics {
			if len(topics[topic]) == 0 {
				continue
			}
			t := byName[topic]
			if t == nil {
				t = &rangeTopic{name: topic, partitions: topics[topic]}
				byName[topic] = t
			}
			// Members come one after another, so a topic that a member names
			// twice finds it at the end.
			if n := len(t.subscribers); n == 0 || t.subscribers[n-1] != member {
				t.subscribers = append(t.subscribers, member)
			}
		}
	}
	list := make([]*rangeTopic, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		t := byName[name]
		n := len(t.subscribers)
		t.got, t.share, t.rest = make([][]int32, n), len(t.partitions)/n, len(t.partitions)%n
		for p := range t.partitions {
			t.left = append(t.left, p)
		}
		if len(racks) > 0 {
			t.locate(members, racks[name])
		}
		list = append(list, t)
	}
	return list
}

func (t *rangeTopic) locate(members map[string]ConsumerGroupMemberMetadata, racks map[int32][]string) {
	of, at := make([]string, len(t.subscribers)), make([][]string, len(t.partitions))
	for i, member := range t.subscribers {
		of[i] = rackOf(members[member])
	}
	for p, number := range t.partitions {
		at[p] = racks[number]
	}
	t.racks = newRackMap(of, at)
}

// room is how many more partitions member i may get.
func (t *rangeTopic) room(i int) int { return t.share + min(t.rest, 1) - len(t.got[i]) }

// take gives member i what it has room for of the partitions that fit.
func (t *rangeTopic) take(i int, fits func(p int) bool) {
	room := t.room(i)
	left := t.left[:0]
	for _, p := range t.left {
		if room <= 0 || !fits(p) {
			left = append(left, p)
			continue
		}
		room--
		t.got[i] = append(t.got[i], t.partitions[p])
		if len(t.got[i]) > t.share {
			t.rest--
		}
	}
	t.left = left
}

// fillNear gives partitions to members that are not far from them. Topics that
// divide alike are divided together, so that members keep the same partitions
// of all of them.
func fillNear(list []*rangeTopic) {
	groups := make(map[string][]*rangeTopic)
	for _, t := range list {
		key := strconv.Itoa(len(t.partitions)) + "\x00" + strings.Join(t.subscribers, "\x00")
		groups[key] = append(groups[key], t)
	}
	for _, group := range groups {
		t := group[0]
		if len(group) > 1 {
			fillNearTogether(group)
			continue
		}
		if !t.racks.matter {
			continue
		}
		for i := range t.subscribers {
			t.take(i, func(p int) bool { return !t.racks.far(i, p) })
		}
	}
}

// fillNearTogether gives the partitions of one number, of all topics of the
// group, to the first member that has room for them and is far from none.
func fillNearTogether(group []*rangeTopic) {
	for p := range group[0].partitions {
		for i := range group[0].subscribers {
			if slices.ContainsFunc(group, func(t *rangeTopic) bool { return t.room(i) <= 0 || t.racks.far(i, p) }) {
				continue
			}
			for _, t := range group {
				t.take(i, func(q int) bool { return q == p })
			}
			break
		}
	}
}
