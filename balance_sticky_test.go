package sarama

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var stickyStrategies = []func() BalanceStrategy{NewBalanceStrategySticky, NewBalanceStrategyCooperativeSticky}

// owners are the members that a plan gives partitions to, by "topic/partition".
func owners(plan BalanceStrategyPlan) map[string]string {
	owners := make(map[string]string)
	for id, topics := range plan {
		for topic, numbers := range topics {
			for _, n := range numbers {
				owners[topic+"/"+strconv.Itoa(int(n))] = id
			}
		}
	}
	return owners
}

func (c *planCase) subscribes(id, partition string) bool {
	topic, _, _ := strings.Cut(partition, "/")
	m, ok := c.members[id]
	return ok && slices.Contains(m.Topics, topic)
}

// claims are who says to own each partition that exists.
func (c *planCase) claims() map[string][]string {
	claims := make(map[string][]string)
	for _, id := range slices.Sorted(maps.Keys(c.members)) {
		for _, o := range c.members[id].OwnedPartitions {
			for _, n := range o.Partitions {
				if slices.Contains(c.topics[o.Topic], n) {
					p := o.Topic + "/" + strconv.Itoa(int(n))
					claims[p] = append(claims[p], id)
				}
			}
		}
	}
	return claims
}

func planSize(topics map[string][]int32) (n int) {
	for _, numbers := range topics {
		n += len(numbers)
	}
	return n
}

// settleDown plays rounds in which nothing changes until a plan hands out all
// that the members want, and returns the last one and how many it took.
func (c *planCase) settleDown(t *testing.T) (last *planCase, rounds int) {
	t.Helper()
	var g planGroup
	last = c
	for rounds = range 10 {
		missing := false
		owned := owners(last.got)
		for topic, numbers := range c.topics {
			for _, n := range numbers {
				p := topic + "/" + strconv.Itoa(int(n))
				wanted := slices.ContainsFunc(slices.Collect(maps.Keys(c.members)), func(id string) bool { return c.subscribes(id, p) })
				missing = missing || wanted && owned[p] == ""
			}
		}
		if !missing {
			return last, rounds
		}
		next := *last
		next.members = make(map[string]ConsumerGroupMemberMetadata)
		for id, m := range last.members {
			next.members[id] = g.told(t, c.strategy, m, 1000+int32(rounds), last.got[id])
		}
		next.plan(t)
		last = &next
	}
	t.Fatalf("%s: the group comes to no rest", c.label)
	return nil, 0
}

// balanced is Kafka's definition: nobody could be given a partition of a member
// that has at least two more (KIP-54).
func (c *planCase) balanced(t *testing.T) {
	t.Helper()
	for p, owner := range owners(c.got) {
		for id := range c.members {
			if c.subscribes(id, p) && planSize(c.got[owner]) > planSize(c.got[id])+1 {
				t.Errorf("%s: %s has %d partitions, one of them %s, and %s only %d", c.label, owner, planSize(c.got[owner]), p, id, planSize(c.got[id]))
				return
			}
		}
	}
}

func TestStickyPlansKeepTheirPromises(t *testing.T) {
	plans, slowest := 0, 0
	for i, strategy := range stickyStrategies {
		for _, kind := range []planGroup{
			{name: "alike", alike: true},
			{name: "unlike"},
			{name: "alike, trouble", alike: true, missed: 20, lost: 10, twice: 30},
			{name: "unlike, trouble", missed: 20, lost: 10, twice: 30},
			{name: "alike, racks", alike: true, racks: 3},
			{name: "unlike, racks, trouble", racks: 3, missed: 20, lost: 10, twice: 30},
		} {
			kind.strategy = strategy
			for seed := range uint64(60) {
				for _, c := range kind.play(t, seed+1000, 6) {
					plans++
					if why := c.wild(c.got); why != "" {
						t.Errorf("%s: %s", c.label, why)
					}
					if len(c.got) != len(c.members) {
						t.Errorf("%s: %d members have %d entries", c.label, len(c.members), len(c.got))
					}
					for id, topics := range c.got {
						for topic, numbers := range topics {
							if !slices.IsSorted(numbers) || len(numbers) == 0 {
								t.Errorf("%s: %s gets %v of %s", c.label, id, numbers, topic)
							}
						}
					}
					if i == 1 {
						checkHandOver(t, c)
					}
					// One more where partitions have to be given up first. Those that
					// nobody is near are taken away and dealt out each time, so that
					// two more may be needed where racks matter.
					allowed := i
					if kind.racks > 0 {
						allowed = 2 * i
					}
					last, rounds := c.settleDown(t)
					if slowest = max(slowest, rounds); rounds > allowed {
						t.Errorf("%s: %d more rounds until all is assigned", c.label, rounds)
					}
					last.balanced(t)
				}
			}
		}
	}
	t.Logf("%d plans, at most %d more rounds until all was assigned", plans, slowest)
}

// checkHandOver sees to it that nobody is given what another member still has.
func checkHandOver(t *testing.T, c *planCase) {
	t.Helper()
	got := owners(c.got)
	for p, claimants := range c.claims() {
		if id := got[p]; id != "" && !slices.Contains(claimants, id) {
			t.Errorf("%s: %s gets %s, which %v still have", c.label, id, p, claimants)
		}
	}
}

// With nothing changed nothing moves, and members that go leave what the others
// have alone.
func TestStickyPlansMoveNoMoreThanTheyMust(t *testing.T) {
	for _, strategy := range stickyStrategies {
		for _, alike := range []bool{true, false} {
			kind := planGroup{name: "sticky", alike: alike, strategy: strategy}
			for seed := range uint64(60) {
				cases := kind.play(t, seed+5000, 3)
				c, _ := cases[len(cases)-1].settleDown(t)
				var g planGroup
				again := *c
				again.members = make(map[string]ConsumerGroupMemberMetadata)
				for id, m := range c.members {
					again.members[id] = g.told(t, c.strategy, m, 2000, c.got[id])
				}
				if again.plan(t); !reflect.DeepEqual(again.got, c.got) {
					t.Errorf("%s: nothing changed but the plan: %v, then %v", c.label, c.got, again.got)
				}
				if !alike || len(c.members) < 2 {
					continue
				}
				gone := slices.Sorted(maps.Keys(c.members))[0]
				delete(again.members, gone)
				again.plan(t)
				now := owners(again.got)
				for p, id := range owners(c.got) {
					if id != gone && now[p] != id {
						t.Errorf("%s: %s left, and %s went from %s to %s", c.label, gone, p, id, now[p])
					}
				}
			}
		}
	}
}

func TestStickyPlansAreDeterministic(t *testing.T) {
	for _, strategy := range stickyStrategies {
		for _, c := range (planGroup{name: "sticky", strategy: strategy, racks: 3, missed: 20, twice: 30}).play(t, 11, 12) {
			for range 5 {
				again := *c
				again.members, again.topics = make(map[string]ConsumerGroupMemberMetadata), make(map[string][]int32)
				for id, m := range c.members {
					m.Topics = slices.Clone(m.Topics)
					rand.Shuffle(len(m.Topics), func(i, j int) { m.Topics[i], m.Topics[j] = m.Topics[j], m.Topics[i] })
					again.members[id] = m
				}
				for topic, numbers := range c.topics {
					numbers = slices.Clone(numbers)
					slices.Reverse(numbers)
					again.topics[topic] = numbers
				}
				if again.plan(t); !reflect.DeepEqual(again.got, c.got) {
					t.Fatalf("%s: %v, then %v", c.label, c.got, again.got)
				}
			}
		}
	}
}

func TestStickyPlansOfNothing(t *testing.T) {
	for _, strategy := range stickyStrategies {
		s := strategy()
		if plan, err := s.Plan(nil, map[string][]int32{"t": {0}}); err != nil || plan == nil || len(plan) != 0 {
			t.Errorf("%s, nobody: %v, %v", s.Name(), plan, err)
		}
		want := BalanceStrategyPlan{"a": {}, "b": {}}
		if plan, err := s.Plan(subscribers(map[string][]string{"a": {"t"}, "b": nil}), nil); err != nil || !reflect.DeepEqual(plan, want) {
			t.Errorf("%s, nothing: %v, %v", s.Name(), plan, err)
		}
		odd := map[string]ConsumerGroupMemberMetadata{"a": {Topics: []string{"t", "t"}, OwnedPartitions: []*OwnedPartition{nil, {Topic: "t", Partitions: []int32{0, 0, 7, -1}}}}}
		want = BalanceStrategyPlan{"a": {"t": {0, 5}}}
		if plan, err := s.Plan(odd, map[string][]int32{"t": {5, 0, 5}}); err != nil || !reflect.DeepEqual(plan, want) {
			t.Errorf("%s, odd input: %v, %v", s.Name(), plan, err)
		}
	}
}

func mustEncode(t testing.TB, d StickyAssignorUserData) []byte {
	t.Helper()
	data, err := encodePayload(d)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestStickyUserDataForms(t *testing.T) {
	v0 := &StickyAssignorUserDataV0{Topics: map[string][]int32{"t": {1, 2}}}
	v1 := &StickyAssignorUserDataV1{Topics: map[string][]int32{"t": {1, 2}}, Generation: 7}
	wire0 := "\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x02"
	for _, c := range []struct {
		data StickyAssignorUserData
		wire string
	}{{v0, wire0}, {v1, wire0 + "\x00\x00\x00\x07"}} {
		if got := mustEncode(t, c.data); string(got) != c.wire {
			t.Errorf("got %q, want %q", got, c.wire)
		}
		if got, err := decodeStickyUserData([]byte(c.wire)); err != nil || !reflect.DeepEqual(got, c.data) {
			t.Errorf("got %#v, %v, want %#v", got, err, c.data)
		}
	}
	got, err := NewBalanceStrategySticky().AssignmentData("m", map[string][]int32{"b": {3, 1}, "a": {2}}, 9)
	want := "\x00\x00\x00\x02\x00\x01a\x00\x00\x00\x01\x00\x00\x00\x02\x00\x01b\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00\x09"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for _, bad := range []string{"", "\x01\x02\x03", wire0[:10], wire0 + "\x00", wire0 + "\x00\x00\x00\x07\x00", "\x7f\xff\xff\xff"} {
		members := map[string]ConsumerGroupMemberMetadata{"m1": {Topics: []string{"t"}, UserData: []byte(bad)}}
		_, err := NewBalanceStrategySticky().Plan(members, map[string][]int32{"t": {0}})
		decoding := PacketDecodingError{}
		if err == nil || !strings.Contains(err.Error(), "m1") || !errors.Is(err, ErrInsufficientData) && !errors.As(err, &decoding) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestStickyClaims(t *testing.T) {
	topics := map[string][]int32{"t": {0, 1, 2, 3}}
	had := func(numbers ...int32) map[string][]int32 { return map[string][]int32{"t": numbers} }
	for _, c := range []struct {
		name string
		data map[string]StickyAssignorUserData
		want BalanceStrategyPlan
	}{
		{"a newer claim wins", map[string]StickyAssignorUserData{
			"a": &StickyAssignorUserDataV1{had(2, 3), 5}, "b": &StickyAssignorUserDataV1{had(0, 1, 2, 3), 4},
		}, BalanceStrategyPlan{"a": {"t": {2, 3}}, "b": {"t": {0, 1}}}},
		{"a claim without generation is older than all", map[string]StickyAssignorUserData{
			"a": &StickyAssignorUserDataV0{had(0, 1, 2, 3)}, "b": &StickyAssignorUserDataV1{had(0, 1), 0},
		}, BalanceStrategyPlan{"a": {"t": {2, 3}}, "b": {"t": {0, 1}}}},
		{"without generations what one claims is kept", map[string]StickyAssignorUserData{
			"a": &StickyAssignorUserDataV0{had(2, 3)}, "b": &StickyAssignorUserDataV0{had(0, 1)},
		}, BalanceStrategyPlan{"a": {"t": {2, 3}}, "b": {"t": {0, 1}}}},
		{"what both claim neither had", map[string]StickyAssignorUserData{
			"a": &StickyAssignorUserDataV1{had(3, 0), 5}, "b": &StickyAssignorUserDataV1{had(0, 1), 5},
		}, BalanceStrategyPlan{"a": {"t": {0, 3}}, "b": {"t": {1, 2}}}},
	} {
		members := map[string]ConsumerGroupMemberMetadata{}
		for id, data := range c.data {
			members[id] = ConsumerGroupMemberMetadata{Topics: []string{"t"}, UserData: mustEncode(t, data)}
		}
		if plan, err := NewBalanceStrategySticky().Plan(members, topics); err != nil || !reflect.DeepEqual(plan, c.want) {
			t.Errorf("%s: got %v, %v, want %v", c.name, plan, err, c.want)
		}
	}
}

func TestCooperativeStickyTellsItsGeneration(t *testing.T) {
	s := NewBalanceStrategyCooperativeSticky()
	if got := s.(RebalanceProtocolBalanceStrategy).SupportedProtocols(); !slices.Equal(got, []RebalanceProtocol{RebalanceProtocolCooperative, RebalanceProtocolEager}) {
		t.Errorf("protocols: %v", got)
	}
	for _, generation := range []int32{-1, 9, 10} {
		if generation >= 0 {
			s.(OnAssignmentBalanceStrategy).OnAssignment(&ConsumerGroupMemberAssignment{}, generation)
		}
		got, err := s.(SubscriptionUserDataBalanceStrategy).SubscriptionUserData([]string{"t"})
		if want := binary.BigEndian.AppendUint32(nil, uint32(generation)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("generation %d: %v, %v", generation, got, err)
		}
	}
}

// Both claim all; whose generation is newer keeps its share.
func TestCooperativeStickyFindsTheGeneration(t *testing.T) {
	owned := []*OwnedPartition{{Topic: "t", Partitions: []int32{0, 1}}}
	generation := func(n byte) []byte { return []byte{0, 0, 0, n} }
	for _, c := range []struct {
		name       string
		a, b       ConsumerGroupMemberMetadata
		aGets, bIs []int32
	}{
		{"metadata", ConsumerGroupMemberMetadata{Version: 2, GenerationID: 5}, ConsumerGroupMemberMetadata{Version: 3, GenerationID: 4}, []int32{0}, nil},
		{"user data", ConsumerGroupMemberMetadata{Version: 1, UserData: generation(5)}, ConsumerGroupMemberMetadata{UserData: generation(4)}, []int32{0}, nil},
		{"metadata goes before user data", ConsumerGroupMemberMetadata{Version: 2, GenerationID: 5, UserData: generation(1)}, ConsumerGroupMemberMetadata{Version: 1, GenerationID: 9, UserData: generation(4)}, []int32{0}, nil},
		{"no generation in metadata", ConsumerGroupMemberMetadata{Version: 2, GenerationID: -1, UserData: generation(5)}, ConsumerGroupMemberMetadata{Version: 2, GenerationID: 4}, []int32{0}, nil},
		{"user data of another form", ConsumerGroupMemberMetadata{Version: 2, GenerationID: 0}, ConsumerGroupMemberMetadata{UserData: []byte("other")}, []int32{0}, nil},
		{"the same", ConsumerGroupMemberMetadata{Version: 2, GenerationID: 5}, ConsumerGroupMemberMetadata{UserData: generation(5)}, nil, nil},
	} {
		c.a.Topics, c.b.Topics, c.a.OwnedPartitions, c.b.OwnedPartitions = []string{"t"}, []string{"t"}, owned, owned
		plan, err := NewBalanceStrategyCooperativeSticky().Plan(map[string]ConsumerGroupMemberMetadata{"a": c.a, "b": c.b}, map[string][]int32{"t": {0, 1}})
		if err != nil || !slices.Equal(plan["a"]["t"], c.aGets) || !slices.Equal(plan["b"]["t"], c.bIs) {
			t.Errorf("%s: %v, %v", c.name, plan, err)
		}
	}
}

func TestCooperativeStickyWithholdsWhatMoves(t *testing.T) {
	member := func(generation int32, owned ...int32) ConsumerGroupMemberMetadata {
		return ConsumerGroupMemberMetadata{
			Version: 2, Topics: []string{"t"}, GenerationID: generation, OwnedPartitions: ownedPartitions(map[string][]int32{"t": owned}),
		}
	}
	topics := map[string][]int32{"t": {0, 1, 2, 3}}
	for _, c := range []struct {
		name    string
		members map[string]ConsumerGroupMemberMetadata
		want    BalanceStrategyPlan
	}{
		{"b joins", map[string]ConsumerGroupMemberMetadata{"a": member(1, 0, 1, 2, 3), "b": member(-1)}, BalanceStrategyPlan{"a": {"t": {0, 1}}, "b": {}}},
		{"a has given up", map[string]ConsumerGroupMemberMetadata{"a": member(2, 0, 1), "b": member(2)}, BalanceStrategyPlan{"a": {"t": {0, 1}}, "b": {"t": {2, 3}}}},
		{"b is gone", map[string]ConsumerGroupMemberMetadata{"a": member(3, 0, 1)}, BalanceStrategyPlan{"a": {"t": {0, 1, 2, 3}}}},
	} {
		if plan, err := NewBalanceStrategyCooperativeSticky().Plan(c.members, topics); err != nil || !reflect.DeepEqual(plan, c.want) {
			t.Errorf("%s: got %v, %v, want %v", c.name, plan, err, c.want)
		}
	}
}

func TestStickyStrategiesLogWhatTheyPassOver(t *testing.T) {
	owned := []*OwnedPartition{{Topic: "t", Partitions: []int32{0, 1}}}
	members := map[string]ConsumerGroupMemberMetadata{
		"a": {Version: 2, GenerationID: 3, Topics: []string{"t"}, OwnedPartitions: owned},
		"b": {Version: 2, GenerationID: 3, Topics: []string{"t"}, OwnedPartitions: owned},
		"c": {Topics: []string{"t"}, UserData: []byte("other")},
	}
	logged := captureLogger(t)
	if _, err := NewBalanceStrategyCooperativeSticky().Plan(members, map[string][]int32{"t": {0, 1, 2}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 partitions, the first t/0", "member c has 5 bytes"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log does not say %q: %s", want, logged)
		}
	}
}

// Members of unequal size could otherwise exchange one partition for ever.
func TestStickyPlansEndWhateverMembersClaim(t *testing.T) {
	for seed := range uint64(300) {
		kind := planGroup{name: "confused", strategy: NewBalanceStrategyCooperativeSticky, missed: 40, twice: 60, lost: 15}
		kind.play(t, seed+9000, 8)
	}
}

func FuzzStickyUserData(f *testing.F) {
	f.Add(mustEncode(f, &StickyAssignorUserDataV0{Topics: map[string][]int32{"t": {1, 2}}}))
	f.Add(mustEncode(f, &StickyAssignorUserDataV1{Topics: map[string][]int32{"t": {1, 2}, "u": {}}, Generation: 7}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		members := map[string]ConsumerGroupMemberMetadata{"a": {Topics: []string{"t"}, UserData: raw}, "b": {Topics: []string{"t"}}}
		plan, err := NewBalanceStrategySticky().Plan(members, map[string][]int32{"t": {0, 1, 2}})
		if (err == nil) != (len(owners(plan)) == 3) {
			t.Fatalf("%v, %v", plan, err)
		}
		if data, err := decodeStickyUserData(raw); err == nil {
			first := mustEncode(t, data)
			again, err := decodeStickyUserData(first)
			if err != nil || !bytes.Equal(mustEncode(t, again), first) {
				t.Fatalf("%#v, then %#v, %v", data, again, err)
			}
		}
	})
}

func BenchmarkStickyPlan(b *testing.B) {
	for _, unlike := range []bool{false, true} {
		members, topics := map[string]ConsumerGroupMemberMetadata{}, map[string][]int32{}
		for t := range 20 {
			for p := range int32(100) {
				topics[fmt.Sprintf("topic-%d", t)] = append(topics[fmt.Sprintf("topic-%d", t)], p)
			}
		}
		names := slices.Sorted(maps.Keys(topics))
		for m := range 1000 {
			list := names
			if unlike {
				list = names[m%10 : m%10+10]
			}
			members[fmt.Sprintf("member-%d", m)] = ConsumerGroupMemberMetadata{Version: 2, GenerationID: -1, Topics: list}
		}
		s := NewBalanceStrategyCooperativeSticky()
		fresh, err := s.Plan(members, topics)
		if err != nil {
			b.Fatal(err)
		}
		again := make(map[string]ConsumerGroupMemberMetadata)
		for id, m := range members {
			m.GenerationID, m.OwnedPartitions = 1, ownedPartitions(fresh[id])
			again[id] = m
		}
		for i := range 50 {
			delete(again, fmt.Sprintf("member-%d", 7*i))
		}
		for name, members := range map[string]map[string]ConsumerGroupMemberMetadata{"fresh": members, "50 gone": again} {
			b.Run(fmt.Sprintf("1000x2000/unlike=%v/%s", unlike, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Plan(members, topics); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
