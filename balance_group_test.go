package sarama

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// planCase is one plan that is made here.
type planCase struct {
	label    string
	strategy BalanceStrategy
	members  map[string]ConsumerGroupMemberMetadata
	topics   map[string][]int32
	racks    map[string]map[int32][]string
	alike    bool
	got      BalanceStrategyPlan
}

// planGroup is a group over several rounds: members come and go, topics grow,
// subscriptions change, and each plan is what members own in the next round.
type planGroup struct {
	name     string
	strategy func() BalanceStrategy
	alike    bool // all members subscribe to all topics when they join
	racks    int  // how many racks there are

	// What goes wrong between rounds, in percent.
	missed int // of the members do not hear of the plan
	lost   int // a topic is deleted
	twice  int // members claim what others own

	random     *rand.Rand
	members    map[string]ConsumerGroupMemberMetadata
	topics     map[string][]int32
	generation int32
}

// play makes the plans of a group over several rounds.
func (kind planGroup) play(t testing.TB, seed uint64, rounds int) []*planCase {
	t.Helper()
	g := &kind
	g.random = rand.New(rand.NewPCG(seed, 7))
	g.members, g.topics = map[string]ConsumerGroupMemberMetadata{}, map[string][]int32{}
	for range 1 + g.random.IntN(5) {
		g.grow()
	}
	joins := 1 + g.random.IntN(6)
	if g.random.IntN(10) == 0 {
		joins += g.random.IntN(40)
	}
	for range joins {
		g.join()
	}
	strategy := g.strategy()
	var cases []*planCase
	for round := range rounds {
		c := &planCase{
			label: fmt.Sprintf("%s, seed %d, round %d", g.name, seed, round), strategy: strategy, alike: g.alike,
			members: maps.Clone(g.members), topics: maps.Clone(g.topics), racks: g.replicas(),
		}
		c.plan(t)
		cases = append(cases, c)
		g.apply(t, c)
		g.trouble()
		g.change()
	}
	return cases
}

func (c *planCase) plan(t testing.TB) {
	t.Helper()
	var err error
	if c.racks == nil {
		c.got, err = c.strategy.Plan(c.members, c.topics)
	} else {
		c.got, err = c.strategy.(RackAwareBalanceStrategy).PlanWithRacks(c.members, c.topics, c.racks)
	}
	if err != nil {
		t.Fatalf("%s: %v", c.label, err)
	}
}

// grow makes a topic or gives one more partitions.
func (g *planGroup) grow() {
	name := "topic-" + strconv.Itoa(g.random.IntN(6))
	for range 1 + g.random.IntN(8) {
		g.topics[name] = append(slices.Clip(g.topics[name]), int32(len(g.topics[name])))
	}
}

func (g *planGroup) subscription() []string {
	names := slices.Sorted(maps.Keys(g.topics))
	if g.alike {
		return names
	}
	list := slices.DeleteFunc(slices.Clone(names), func(string) bool { return g.random.IntN(2) == 0 })
	if len(list) == 0 {
		list = names[:1]
	}
	return list
}

func (g *planGroup) join() {
	id := fmt.Sprintf("%c%x", 'a'+g.random.IntN(26), g.random.Uint32N(1<<(g.random.Uint32N(30)+1)))
	m := ConsumerGroupMemberMetadata{Version: 3, GenerationID: -1, Topics: g.subscription()}
	if g.racks > 0 && g.random.IntN(10) > 0 {
		rack := "r" + strconv.Itoa(g.random.IntN(g.racks+1))
		m.RackID = &rack
	}
	g.members[id] = m
}

func (g *planGroup) anyone() string {
	return slices.Sorted(maps.Keys(g.members))[g.random.IntN(len(g.members))]
}

func (g *planGroup) leave() {
	if len(g.members) > 1 {
		delete(g.members, g.anyone())
	}
}

func (g *planGroup) change() {
	switch g.random.IntN(6) {
	case 0:
		g.join()
	case 1:
		g.leave()
	case 2:
		g.grow()
	case 3:
		for range g.random.IntN(4) {
			g.join()
			g.leave()
		}
	case 4:
		id := g.anyone()
		m := g.members[id]
		m.Topics = g.subscription()
		g.members[id] = m
	}
}

// replicas are the racks of all partitions, the same each time.
func (g *planGroup) replicas() map[string]map[int32][]string {
	if g.racks == 0 {
		return nil
	}
	racks := make(map[string]map[int32][]string)
	for topic, partitions := range g.topics {
		racks[topic] = make(map[int32][]string)
		for _, p := range partitions {
			random := rand.New(rand.NewPCG(uint64(p), uint64(topic[len(topic)-1])))
			for range random.IntN(3) {
				racks[topic][p] = append(racks[topic][p], "r"+strconv.Itoa(random.IntN(g.racks)))
			}
		}
	}
	return racks
}

// apply gives the members what the plan has for them.
func (g *planGroup) apply(t testing.TB, c *planCase) {
	g.generation++
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		if g.random.IntN(100) < g.missed {
			continue
		}
		m := g.members[id]
		g.members[id] = g.told(t, c.strategy, m, g.generation, c.got[id])
	}
}

// told is a member that was given these partitions.
func (g *planGroup) told(t testing.TB, s BalanceStrategy, m ConsumerGroupMemberMetadata, generation int32, topics map[string][]int32) ConsumerGroupMemberMetadata {
	m.GenerationID, m.OwnedPartitions = generation, ownedPartitions(topics)
	var err error
	if m.UserData, err = s.AssignmentData("", topics, generation); err != nil {
		t.Fatal(err)
	}
	return m
}

// trouble is what does not go as it should.
func (g *planGroup) trouble() {
	for g.random.IntN(100) < g.twice {
		from, id := g.members[g.anyone()], g.anyone()
		if len(from.OwnedPartitions) == 0 {
			break
		}
		more := from.OwnedPartitions[g.random.IntN(len(from.OwnedPartitions))]
		topics := map[string][]int32{}
		for _, o := range append(slices.Clip(g.members[id].OwnedPartitions), more) {
			both := slices.Sorted(slices.Values(append(slices.Clip(topics[o.Topic]), o.Partitions...)))
			topics[o.Topic] = slices.Compact(both)
		}
		m := g.members[id]
		m.OwnedPartitions = ownedPartitions(topics)
		g.members[id] = m
	}
	if g.random.IntN(100) < g.lost && len(g.topics) > 1 {
		delete(g.topics, slices.Sorted(maps.Keys(g.topics))[g.random.IntN(len(g.topics))])
	}
}

// wild tells what is wrong with a plan that no group could work with.
func (c *planCase) wild(plan BalanceStrategyPlan) string {
	seen := map[string]bool{}
	for id, topics := range plan {
		member, ok := c.members[id]
		if !ok {
			return "there is no member " + id
		}
		for topic, numbers := range topics {
			for _, n := range numbers {
				switch p := fmt.Sprintf("%s/%d", topic, n); {
				case !slices.Contains(c.topics[topic], n):
					return "there is no partition " + p
				case !slices.Contains(member.Topics, topic):
					return id + " does not subscribe to " + p
				case seen[p]:
					return p + " is assigned twice"
				default:
					seen[p] = true
				}
			}
		}
	}
	return ""
}
