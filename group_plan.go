package sarama

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// groupPlan is what a group's leader has worked out.
type groupPlan struct {
	shares map[string][]byte // by member id, as they go to the members
	counts map[string]int    // partitions by topic, 0 for a topic that is not there
}

// planError is what is wrong with a plan; another try would not mend it.
type planError struct{ error }

func (e *planError) Unwrap() error { return e.error }

// plan divides the partitions of all topics that members subscribe to.
func (g *consumerGroup) plan(ctx context.Context, strategy BalanceStrategy, resp *JoinGroupResponse) (*groupPlan, error) {
	members, err := resp.GetMembers()
	if err != nil {
		return nil, &planError{fmt.Errorf("kafka: group %s: %w", g.id, err)}
	}
	if resp.SkipAssignment { // a static leader is back, and its plan still good (KIP-814)
		counts, err := g.countPartitions(ctx, members)
		if err != nil {
			return nil, err
		}
		return &groupPlan{counts: partitionCounts(counts)}, nil
	}
	topics, err := g.countPartitions(ctx, members)
	if err != nil {
		return nil, err
	}
	counts := partitionCounts(topics)
	maps.DeleteFunc(topics, func(_ string, partitions []int32) bool { return partitions == nil })
	back := make(map[string]string)
	if _, ok := strategy.(rangeStrategy); ok {
		members, back = byInstance(members, resp.Members)
	}
	plan, err := g.divide(strategy, members, topics)
	if err != nil {
		return nil, &planError{fmt.Errorf("kafka: group %s, strategy %s: %w", g.id, strategy.Name(), err)}
	}
	shares := make(map[string][]byte, len(members))
	for name := range members {
		id := cmp.Or(back[name], name)
		share := &ConsumerGroupMemberAssignment{Topics: plan[name]}
		if share.UserData, err = strategy.AssignmentData(id, plan[name], resp.GenerationId); err != nil {
			return nil, &planError{fmt.Errorf("kafka: group %s, strategy %s: %w", g.id, strategy.Name(), err)}
		}
		if shares[id], err = encodeMemberAssignment(share); err != nil {
			return nil, &planError{fmt.Errorf("kafka: group %s, the share of member %s: %w", g.id, id, err)}
		}
	}
	return &groupPlan{shares: shares, counts: counts}, nil
}

// byInstance names members so that static ones come first, in the order of their
// instance ids, as for Kafka's RangeAssignor: a static member that is back has
// another id, and shall have the same partitions. back has the ids by name.
func byInstance(members map[string]ConsumerGroupMemberMetadata, list []GroupMember) (named map[string]ConsumerGroupMemberMetadata, back map[string]string) {
	named, back = make(map[string]ConsumerGroupMemberMetadata, len(members)), make(map[string]string, len(members))
	for _, m := range list {
		name := "dynamic " + m.MemberId
		if m.GroupInstanceId != nil {
			name = "a static " + *m.GroupInstanceId
		}
		named[name], back[name] = members[m.MemberId], m.MemberId
	}
	return named, back
}

// divide runs a strategy, with the racks of replicas where it heeds them and a
// member says where it is (KIP-881).
func (g *consumerGroup) divide(strategy BalanceStrategy, members map[string]ConsumerGroupMemberMetadata, topics map[string][]int32) (BalanceStrategyPlan, error) {
	heeds, ok := strategy.(RackAwareBalanceStrategy)
	if !ok {
		return strategy.Plan(members, topics)
	}
	for _, m := range members {
		if m.RackID != nil && *m.RackID != "" {
			return heeds.PlanWithRacks(members, topics, g.racks(topics))
		}
	}
	return strategy.Plan(members, topics)
}

// racks looks up in which racks partitions have replicas.
func (g *consumerGroup) racks(topics map[string][]int32) map[string]map[int32][]string {
	of := make(map[int32]string)
	for _, b := range g.client.Brokers() {
		if rack := b.Rack(); rack != "" {
			of[b.ID()] = rack
		}
	}
	racks := make(map[string]map[int32][]string, len(topics))
	for topic, partitions := range topics {
		racks[topic] = make(map[int32][]string, len(partitions))
		for _, p := range partitions {
			replicas, _ := g.client.Replicas(topic, p) // known, as its topic was just asked for
			for _, id := range replicas {
				if rack, known := of[id]; known {
					racks[topic][p] = append(racks[topic][p], rack)
				}
			}
		}
	}
	return racks
}

// countPartitions looks up the partitions of all topics that members subscribe
// to; nil for a topic that is not there.
func (g *consumerGroup) countPartitions(ctx context.Context, members map[string]ConsumerGroupMemberMetadata) (map[string][]int32, error) {
	wanted := make(map[string]bool)
	for _, m := range members {
		for _, topic := range m.Topics {
			wanted[topic] = true
		}
	}
	if len(wanted) == 0 {
		return map[string][]int32{}, nil
	}
	names := slices.Sorted(maps.Keys(wanted))
	if err := g.refreshTopics(ctx, names); err != nil {
		// One that is missing, or has no leader, must not keep the group from the others.
		if code := KError(0); !errors.As(err, &code) && !errors.Is(err, ErrUnknownTopicOrPartition) && !errors.Is(err, ErrLeaderNotAvailable) {
			return nil, err
		}
		Logger.Printf("consumergroup/%s metadata of the group's topics: %v\n", g.id, err)
	}
	topics := make(map[string][]int32, len(names))
	for _, name := range names {
		partitions, err := awaitCall(ctx, func() ([]int32, error) { return g.client.Partitions(name) }, nil)
		switch {
		case errors.Is(err, ErrUnknownTopicOrPartition):
			Logger.Printf("consumergroup/%s a member subscribes to topic %s, which does not exist\n", g.id, name)
			topics[name] = nil
		case err != nil:
			return nil, err
		default:
			topics[name] = slices.Clone(partitions)
		}
	}
	return topics, nil
}

func partitionCounts(topics map[string][]int32) map[string]int {
	counts := make(map[string]int, len(topics))
	for topic, partitions := range topics {
		counts[topic] = len(partitions)
	}
	return counts
}

// topicsChanged reports whether topics have come, gone or grown since a plan
// was made. It looks at what the client knows, and asks nobody.
func (g *consumerGroup) topicsChanged(counts map[string]int) bool {
	own, ok := g.client.(*client)
	if !ok {
		return false // see keeper.watch
	}
	topics := own.cluster.Load().topics
	for topic, n := range counts {
		now := 0
		if t := topics[topic]; t != nil {
			now = len(t.all)
		}
		if now != n {
			return true
		}
	}
	return false
}
