package sarama

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
)

func subscribers(topics map[string][]string) map[string]ConsumerGroupMemberMetadata {
	members := make(map[string]ConsumerGroupMemberMetadata, len(topics))
	for id, list := range topics {
		members[id] = ConsumerGroupMemberMetadata{Topics: list}
	}
	return members
}

func TestBalanceStrategyPlans(t *testing.T) {
	type subscriptions = map[string][]string
	type partitions = map[string][]int32
	for _, c := range []struct {
		name       string
		members    subscriptions
		topics     partitions
		wantRange  BalanceStrategyPlan
		wantRobin  BalanceStrategyPlan
		robinFails bool
	}{
		{
			name:      "remainder goes to the first members",
			members:   subscriptions{"a": {"t"}, "b": {"t"}},
			topics:    partitions{"t": {0, 1, 2}},
			wantRange: BalanceStrategyPlan{"a": {"t": {0, 1}}, "b": {"t": {2}}},
			wantRobin: BalanceStrategyPlan{"a": {"t": {0, 2}}, "b": {"t": {1}}},
		},
		{
			name:      "partitions are dealt in the order of their text",
			members:   subscriptions{"a": {"t"}, "b": {"t"}},
			topics:    partitions{"t": {1, 2, 10, 20}},
			wantRange: BalanceStrategyPlan{"a": {"t": {1, 2}}, "b": {"t": {10, 20}}},
			wantRobin: BalanceStrategyPlan{"a": {"t": {1, 2}}, "b": {"t": {10, 20}}},
		},
		{
			name:      "members without partitions are left out",
			members:   subscriptions{"a": {"t"}, "b": {"t"}, "c": {"t"}, "d": nil},
			topics:    partitions{"t": {0}, "u": nil},
			wantRange: BalanceStrategyPlan{"a": {"t": {0}}},
			wantRobin: BalanceStrategyPlan{"a": {"t": {0}}},
		},
		{
			name:      "a topic named twice counts once",
			members:   subscriptions{"a": {"t", "u", "t"}, "b": {"t"}},
			topics:    partitions{"t": {0, 1, 2}},
			wantRange: BalanceStrategyPlan{"a": {"t": {0, 1}}, "b": {"t": {2}}},
			wantRobin: BalanceStrategyPlan{"a": {"t": {0, 2}}, "b": {"t": {1}}},
		},
		{
			name:      "topics of some members only",
			members:   subscriptions{"a": {"t"}, "b": {"t", "u"}, "c": {"u"}},
			topics:    partitions{"t": {0, 1, 2, 3, 4, 10}, "u": {0, 1, 2, 3}},
			wantRange: BalanceStrategyPlan{"a": {"t": {0, 1, 2}}, "b": {"t": {3, 4, 10}, "u": {0, 1}}, "c": {"u": {2, 3}}},
			wantRobin: BalanceStrategyPlan{"a": {"t": {0, 10, 3}}, "b": {"t": {1, 2, 4}, "u": {1, 3}}, "c": {"u": {0, 2}}},
		},
		{
			name:      "a topic that nobody subscribes to stays",
			members:   subscriptions{"a": {"t"}},
			topics:    partitions{"t": {0, 1}, "x": {0, 1}},
			wantRange: BalanceStrategyPlan{"a": {"t": {0, 1}}},
			wantRobin: BalanceStrategyPlan{"a": {"t": {0, 1}}},
		},
		{
			name:       "nobody",
			topics:     partitions{"t": {0}},
			wantRange:  BalanceStrategyPlan{},
			robinFails: true,
		},
		{
			name:       "nothing",
			members:    subscriptions{"a": {"t"}},
			wantRange:  BalanceStrategyPlan{},
			robinFails: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			members := subscribers(c.members)
			if plan, err := NewBalanceStrategyRange().Plan(members, c.topics); err != nil || !reflect.DeepEqual(plan, c.wantRange) {
				t.Errorf("range: got %v, %v, want %v", plan, err, c.wantRange)
			}
			plan, err := NewBalanceStrategyRoundRobin().Plan(members, c.topics)
			if (err != nil) != c.robinFails || !reflect.DeepEqual(plan, c.wantRobin) {
				t.Errorf("roundrobin: got %v, %v, want %v", plan, err, c.wantRobin)
			}
		})
	}
}

// Each partition goes to exactly one member that wants it, and members with the
// same subscriptions differ by one partition of a topic at most.
func TestBalanceStrategiesAssignEveryPartitionOnceAndEvenly(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		members, topics := map[string]ConsumerGroupMemberMetadata{}, map[string][]int32{}
		var names []string
		for i := range 1 + random.IntN(4) {
			name := "topic-" + strconv.Itoa(i)
			names = append(names, name)
			for p := range int32(random.IntN(30)) {
				topics[name] = append(topics[name], p)
			}
		}
		same := round%2 == 0
		for i := range 1 + random.IntN(8) {
			var list []string
			for _, name := range names {
				if same || random.IntN(2) == 0 {
					list = append(list, name)
				}
			}
			members["member"+strconv.Itoa(i)] = ConsumerGroupMemberMetadata{Topics: list}
		}
		for _, strategy := range []BalanceStrategy{NewBalanceStrategyRange(), NewBalanceStrategyRoundRobin()} {
			if len(topics) == 0 {
				continue
			}
			plan, err := strategy.Plan(members, topics)
			if err != nil {
				t.Fatal(err)
			}
			checkPlan(t, strategy.Name(), plan, members, topics, same)
		}
	}
}

func checkPlan(t *testing.T, name string, plan BalanceStrategyPlan, members map[string]ConsumerGroupMemberMetadata, topics map[string][]int32, even bool) {
	t.Helper()
	for topic, partitions := range topics {
		subscribers, owners, least, most := 0, map[int32]string{}, len(partitions), 0
		for id, member := range members {
			got := plan[id][topic]
			if !slices.Contains(member.Topics, topic) {
				if got != nil {
					t.Errorf("%s: %s gets %s, which it does not want", name, id, topic)
				}
				continue
			}
			subscribers++
			least, most = min(least, len(got)), max(most, len(got))
			for _, p := range got {
				if other, ok := owners[p]; ok {
					t.Errorf("%s: %s/%d goes to %s and %s", name, topic, p, other, id)
				}
				owners[p] = id
			}
			if name == "range" && len(got) > 0 && int(got[len(got)-1]-got[0]) != len(got)-1 {
				t.Errorf("range: %s has gaps: %v", id, got)
			}
		}
		if subscribers > 0 && len(owners) != len(partitions) {
			t.Errorf("%s: %d of %d partitions of %s are assigned", name, len(owners), len(partitions), topic)
		}
		if subscribers > 0 && (even || name == "range") && most-least > 1 {
			t.Errorf("%s: between %d and %d partitions of %s", name, least, most, topic)
		}
	}
}

func TestPlansDoNotShareTheirPartitions(t *testing.T) {
	topics := map[string][]int32{"t": {0, 1, 2, 3}}
	plan, err := NewBalanceStrategyRange().Plan(subscribers(map[string][]string{"a": {"t"}, "b": {"t"}}), topics)
	if err != nil {
		t.Fatal(err)
	}
	plan.Add("a", "t", 9)
	if !slices.Equal(topics["t"], []int32{0, 1, 2, 3}) || !slices.Equal(plan["b"]["t"], []int32{2, 3}) {
		t.Errorf("adding to a changed %v or %v", topics, plan)
	}
}

func TestPlanAdd(t *testing.T) {
	plan := BalanceStrategyPlan{}
	plan.Add("a", "t")
	if len(plan) != 0 {
		t.Errorf("no partitions make an entry: %v", plan)
	}
	plan.Add("a", "t", 1)
	plan.Add("a", "t", 0, 2)
	plan.Add("a", "u", 5)
	if want := (BalanceStrategyPlan{"a": {"t": {1, 0, 2}, "u": {5}}}); !reflect.DeepEqual(plan, want) {
		t.Errorf("got %v, want %v", plan, want)
	}
}

func TestStrategyNamesAreThoseOfKafka(t *testing.T) {
	for want, strategy := range map[string]BalanceStrategy{
		"range": BalanceStrategyRange, "roundrobin": BalanceStrategyRoundRobin,
		"sticky": BalanceStrategySticky, "cooperative-sticky": NewBalanceStrategyCooperativeSticky(),
	} {
		if strategy.Name() != want {
			t.Errorf("got %q, want %q", strategy.Name(), want)
		}
		if data, err := strategy.AssignmentData("a", nil, 1); err != nil || want != "sticky" && data != nil {
			t.Errorf("%s has user data: %v, %v", want, data, err)
		}
	}
}

func TestCommonRebalanceProtocol(t *testing.T) {
	eager := NewBalanceStrategyRange()
	for _, c := range []struct {
		name       string
		strategies []BalanceStrategy
		want       RebalanceProtocol
		fails      bool
	}{
		{"one that does not say", []BalanceStrategy{eager}, RebalanceProtocolEager, false},
		{"one for both", []BalanceStrategy{eitherProtocol}, RebalanceProtocolCooperative, false},
		{"both and cooperative", []BalanceStrategy{eitherProtocol, cooperativeOnly}, RebalanceProtocolCooperative, false},
		{"both and eager", []BalanceStrategy{eitherProtocol, eager}, RebalanceProtocolEager, false},
		{"cooperative and eager", []BalanceStrategy{cooperativeOnly, eager}, 0, true},
		{"none", []BalanceStrategy{protocolStrategy{eager, nil}}, 0, true},
		{"cooperative-sticky", []BalanceStrategy{NewBalanceStrategyCooperativeSticky()}, RebalanceProtocolCooperative, false},
		{"cooperative-sticky and sticky", []BalanceStrategy{NewBalanceStrategyCooperativeSticky(), NewBalanceStrategySticky()}, RebalanceProtocolEager, false},
	} {
		got, err := commonRebalanceProtocol(c.strategies)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: got %v, %v", c.name, got, err)
		}
	}
	for p, want := range map[RebalanceProtocol]string{0: "eager", 1: "cooperative", 7: "unknown(7)"} {
		if p.String() != want {
			t.Errorf("got %q, want %q", p, want)
		}
	}
}
