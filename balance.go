package sarama

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The protocol names of the strategies, as members offer them to a
// coordinator. They are those of Kafka's own assignors, so that members of
// different clients can be in one group.
const (
	RangeBalanceStrategyName             = "range"
	RoundRobinBalanceStrategyName        = "roundrobin"
	StickyBalanceStrategyName            = "sticky"
	CooperativeStickyBalanceStrategyName = "cooperative-sticky"
)

// BalanceStrategyPlan says which partitions each member of a group gets: member
// id, topic, partitions.
type BalanceStrategyPlan map[string]map[string][]int32

// Add gives partitions of topic to the member, in addition to what it has.
// Without partitions it does nothing.
func (p BalanceStrategyPlan) Add(memberID, topic string, partitions ...int32) {
	if len(partitions) == 0 {
		return
	}
	topics, ok := p[memberID]
	if !ok {
		topics = make(map[string][]int32, 1)
		p[memberID] = topics
	}
	topics[topic] = append(topics[topic], partitions...)
}

// BalanceStrategy divides the partitions of a group's topics among its members.
// The member that leads the group runs it at each rebalance. A strategy may be
// shared by groups only if its methods are safe for concurrent use; those
// without memory of their own, like range and roundrobin, are.
type BalanceStrategy interface {
	// Name identifies the strategy to the coordinator and the other members.
	Name() string

	// Plan assigns the partitions in topics to members. Members it leaves out
	// get nothing.
	Plan(members map[string]ConsumerGroupMemberMetadata, topics map[string][]int32) (BalanceStrategyPlan, error)

	// AssignmentData returns the user data that goes to a member along with
	// its part of the plan.
	AssignmentData(memberID string, topics map[string][]int32, generationID int32) ([]byte, error)
}

// RebalanceProtocol is how members treat the partitions they have while a group
// rebalances (KIP-429).
type RebalanceProtocol int8

const (
	// RebalanceProtocolEager gives up all partitions before joining again.
	RebalanceProtocolEager RebalanceProtocol = 0
	// RebalanceProtocolCooperative goes on with all partitions, and gives up
	// only those that go to another member.
	RebalanceProtocolCooperative RebalanceProtocol = 1
)

// String returns eager, cooperative, or unknown with the number.
func (p RebalanceProtocol) String() string {
	switch p {
	case RebalanceProtocolEager:
		return "eager"
	case RebalanceProtocolCooperative:
		return "cooperative"
	}
	return "unknown(" + strconv.Itoa(int(p)) + ")"
}

// RebalanceProtocolBalanceStrategy is a strategy that says which rebalance
// protocols it works with. One that does not say works with eager only.
type RebalanceProtocolBalanceStrategy interface {
	BalanceStrategy

	// SupportedProtocols returns the protocols, at least one.
	SupportedProtocols() []RebalanceProtocol
}

// supportedProtocols returns the protocols that strategy works with.
func supportedProtocols(strategy BalanceStrategy) []RebalanceProtocol {
	if s, ok := strategy.(RebalanceProtocolBalanceStrategy); ok {
		return s.SupportedProtocols()
	}
	return []RebalanceProtocol{RebalanceProtocolEager}
}

// commonRebalanceProtocol returns the protocol that a group with these
// strategies uses: the highest that all of them work with, as in Kafka's own
// consumer.
func commonRebalanceProtocol(strategies []BalanceStrategy) (RebalanceProtocol, error) {
	for _, protocol := range []RebalanceProtocol{RebalanceProtocolCooperative, RebalanceProtocolEager} {
		if !slices.ContainsFunc(strategies, func(s BalanceStrategy) bool {
			return !slices.Contains(supportedProtocols(s), protocol)
		}) {
			return protocol, nil
		}
	}
	names := make([]string, len(strategies))
	for i, s := range strategies {
		names[i] = fmt.Sprintf("%s %v", s.Name(), supportedProtocols(s))
	}
	return 0, fmt.Errorf("the strategies have no rebalance protocol in common: %v", names)
}

// ConsumerGroupMemberMetadata is what a member tells its group when it joins:
// the subscription of Kafka's consumer protocol.
type ConsumerGroupMemberMetadata struct {
	// Version is that of the subscription: 1 brings OwnedPartitions, 2
	// GenerationID, 3 RackID.
	Version int16
	// Topics are those that the member subscribes to.
	Topics []string
	// UserData is up to the strategy or the user.
	UserData []byte
	// OwnedPartitions are those that the member holds while it joins (KIP-429).
	OwnedPartitions []*OwnedPartition
	// GenerationID is that in which the member got OwnedPartitions (KIP-792).
	GenerationID int32
	// RackID is where the member runs (KIP-881).
	RackID *string
}

// OwnedPartition is the partitions of one topic that a member holds.
type OwnedPartition struct {
	Topic      string
	Partitions []int32
}

// BalanceStrategyRoundRobin is a round-robin strategy.
//
// Deprecated: use NewBalanceStrategyRoundRobin.
var BalanceStrategyRoundRobin = NewBalanceStrategyRoundRobin()

// NewBalanceStrategyRoundRobin returns the strategy that deals the partitions
// of all topics out to the members in turn, leaving out those that do not
// subscribe to the topic. Members are taken in the order of their ids, and
// partitions in that of the text "topic-partition", so that t-10 comes before
// t-2. Partitions that no member subscribes to stay unassigned.
func NewBalanceStrategyRoundRobin() BalanceStrategy { return roundRobinStrategy{} }

type roundRobinStrategy struct{}

func (roundRobinStrategy) Name() string { return RoundRobinBalanceStrategyName }

func (roundRobinStrategy) Plan(members map[string]ConsumerGroupMemberMetadata, topics map[string][]int32) (BalanceStrategyPlan, error) {
	if len(members) == 0 || len(topics) == 0 {
		return nil, errors.New("roundrobin: there are no members or no topics to plan for")
	}
	ids := slices.Sorted(maps.Keys(members))
	subscribed := make([]map[string]bool, len(ids))
	for i, id := range ids {
		subscribed[i] = make(map[string]bool, len(members[id].Topics))
		for _, topic := range members[id].Topics {
			subscribed[i][topic] = true
		}
	}
	plan := make(BalanceStrategyPlan, len(members))
	next := 0
	for _, p := range sortedByText(topics) {
		for range ids {
			i := next
			next = (next + 1) % len(ids)
			if subscribed[i][p.topic] {
				plan.Add(ids[i], p.topic, p.partition)
				break
			}
		}
	}
	return plan, nil
}

func (roundRobinStrategy) AssignmentData(string, map[string][]int32, int32) ([]byte, error) {
	return nil, nil
}

type textedPartition struct {
	text      string
	topic     string
	partition int32
}

// sortedByText returns the partitions of all topics in the order of
// "topic-partition" as text.
func sortedByText(topics map[string][]int32) []textedPartition {
	var all []textedPartition
	for topic, partitions := range topics {
		for _, p := range partitions {
			all = append(all, textedPartition{topic + "-" + strconv.Itoa(int(p)), topic, p})
		}
	}
	slices.SortFunc(all, func(a, b textedPartition) int { return strings.Compare(a.text, b.text) })
	return all
}
