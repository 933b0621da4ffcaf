package sarama

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/IBM/sarama/internal/wire"
)

// SubscriptionUserDataBalanceStrategy is a strategy with something to tell the
// leader of the group each time the member joins.
type SubscriptionUserDataBalanceStrategy interface {
	BalanceStrategy

	// SubscriptionUserData returns the user data of a subscription to topics,
	// in place of what Config.Consumer.Group.Member.UserData has.
	SubscriptionUserData(topics []string) ([]byte, error)
}

// OnAssignmentBalanceStrategy is a strategy that keeps track of what the member
// it runs in was given.
type OnAssignmentBalanceStrategy interface {
	BalanceStrategy

	// OnAssignment is called after a rebalance with what the member was given
	// in that generation.
	OnAssignment(assignment *ConsumerGroupMemberAssignment, generationID int32)
}

// unknownGeneration stands for a generation that a member does not tell.
const unknownGeneration = -1

// StickyAssignorUserData is the user data of the sticky strategy: what a member
// was given in the last round, which it tells in the next one.
type StickyAssignorUserData interface {
	payload
	claim() stickyClaim
}

// StickyAssignorUserDataV0 is the older form of StickyAssignorUserData.
type StickyAssignorUserDataV0 struct {
	// Topics are the partitions of each topic.
	Topics map[string][]int32
}

func (d *StickyAssignorUserDataV0) layout(c *wire.Codec) { layPartitions(c, &d.Topics) }

func (d *StickyAssignorUserDataV0) claim() stickyClaim {
	return stickyClaim{unknownGeneration, d.Topics}
}

// StickyAssignorUserDataV1 is the newer form of StickyAssignorUserData, which
// says from when it is, so that of two members that claim a partition the one
// that missed a rebalance is known (KIP-341).
type StickyAssignorUserDataV1 struct {
	// Topics are the partitions of each topic.
	Topics map[string][]int32
	// Generation is the one in which the member was given them.
	Generation int32
}

func (d *StickyAssignorUserDataV1) layout(c *wire.Codec) {
	layPartitions(c, &d.Topics)
	c.Int32(&d.Generation)
}

func (d *StickyAssignorUserDataV1) claim() stickyClaim { return stickyClaim{d.Generation, d.Topics} }

// decodeStickyUserData reads either form. They tell themselves apart: the bytes
// of one are too many or too few for the other.
func decodeStickyUserData(src []byte) (StickyAssignorUserData, error) {
	v1 := new(StickyAssignorUserDataV1)
	errV1 := decodePayload(src, v1)
	if errV1 == nil {
		return v1, nil
	}
	v0 := new(StickyAssignorUserDataV0)
	if err := decodePayload(src, v0); err != nil {
		return nil, errors.Join(err, errV1)
	}
	return v0, nil
}

// BalanceStrategySticky is a sticky strategy.
//
// Deprecated: use NewBalanceStrategySticky.
var BalanceStrategySticky = NewBalanceStrategySticky()

// NewBalanceStrategySticky returns the strategy that divides partitions as
// evenly as subscriptions allow, and of the plans that do so makes one that
// leaves members as many of their partitions as can be, as Kafka's
// StickyAssignor does (KIP-54). Members still give up all of their partitions
// while the group rebalances: it is for what they keep about a partition, such
// as a cache. See NewBalanceStrategyCooperativeSticky for one that does not.
//
// What a member had is in its user data, as AssignmentData returned it; user
// data that is not of this form is an error. Of members that claim one
// partition the one with the highest generation had it, and of several of those
// none. One and the same input makes one and the same plan, in which every
// member has an entry.
//
// It is a RackAwareBalanceStrategy: members keep no partitions that are known
// to be in other racks than theirs, and are given those near them first.
func NewBalanceStrategySticky() BalanceStrategy { return stickyStrategy{} }

type stickyStrategy struct{}

func (stickyStrategy) Name() string { return StickyBalanceStrategyName }

func (s stickyStrategy) Plan(members map[string]ConsumerGroupMemberMetadata, topics map[string][]int32) (BalanceStrategyPlan, error) {
	return s.PlanWithRacks(members, topics, nil)
}

func (stickyStrategy) PlanWithRacks(members map[string]ConsumerGroupMemberMetadata, topics map[string][]int32,
	racks map[string]map[int32][]string) (BalanceStrategyPlan, error) {
	claims := make(map[string]stickyClaim, len(members))
	for id, member := range members {
		if member.UserData == nil {
			claims[id] = stickyClaim{generation: unknownGeneration}
			continue
		}
		data, err := decodeStickyUserData(member.UserData)
		if err != nil {
			return nil, fmt.Errorf("sticky: user data of member %s: %w", id, err)
		}
		claims[id] = data.claim()
	}
	g := newStickyGroup(members, topics, racks, claims)
	return g.plan(g.assign()), nil
}

// AssignmentData returns what the member tells when it joins again.
func (stickyStrategy) AssignmentData(_ string, topics map[string][]int32, generationID int32) ([]byte, error) {
	return encodePayload(&StickyAssignorUserDataV1{Topics: topics, Generation: generationID})
}

// NewBalanceStrategyCooperativeSticky returns the strategy that plans as the
// sticky one does, for members that go on with their partitions while the group
// rebalances (KIP-429), as Kafka's CooperativeStickyAssignor does. A partition
// that goes from one member to another is in no plan until the first one has
// given it up; that takes one more round.
//
// What a member has is in OwnedPartitions, and since when in GenerationID or,
// before version 2 of the subscription, in user data of four bytes; user data
// that is not of this form is passed over.
//
// It is a RackAwareBalanceStrategy like the sticky one. It keeps the generation
// of the member it runs in, so each group needs one of its own.
func NewBalanceStrategyCooperativeSticky() BalanceStrategy {
	s := new(cooperativeStickyStrategy)
	s.generation.Store(unknownGeneration)
	return s
}

type cooperativeStickyStrategy struct {
	// atomic, any goroutine
	generation atomic.Int32 // of the last assignment
}

func (*cooperativeStickyStrategy) Name() string { return CooperativeStickyBalanceStrategyName }

// SupportedProtocols returns both: plans are right for members that give up
// everything, too.
func (*cooperativeStickyStrategy) SupportedProtocols() []RebalanceProtocol {
	return []RebalanceProtocol{RebalanceProtocolCooperative, RebalanceProtocolEager}
}

func (s *cooperativeStickyStrategy) Plan(members map[string]ConsumerGroupMemberMetadata, topics map[string][]int32) (BalanceStrategyPlan, error) {
	return s.PlanWithRacks(members, topics, nil)
}

func (*cooperativeStickyStrategy) PlanWithRacks(members map[string]ConsumerGroupMemberMetadata, topics map[string][]int32,
	racks map[string]map[int32][]string) (BalanceStrategyPlan, error) {
	claims := make(map[string]stickyClaim, len(members))
	for id, member := range members {
		claim := stickyClaim{cooperativeGeneration(id, member), make(map[string][]int32, len(member.OwnedPartitions))}
		for _, owned := range member.OwnedPartitions {
			if owned != nil {
				claim.topics[owned.Topic] = append(claim.topics[owned.Topic], owned.Partitions...)
			}
		}
		claims[id] = claim
	}
	g := newStickyGroup(members, topics, racks, claims)
	assigned := g.assign()
	g.withhold(assigned)
	return g.plan(assigned), nil
}

// cooperativeGeneration is the generation in which a member was given what it
// owns.
func cooperativeGeneration(id string, member ConsumerGroupMemberMetadata) int32 {
	switch {
	case member.Version >= 2 && member.GenerationID >= 0:
		return member.GenerationID
	case len(member.UserData) == 4:
		return int32(binary.BigEndian.Uint32(member.UserData))
	case len(member.UserData) > 0:
		Logger.Printf("cooperative-sticky: user data of member %s has %d bytes, a generation has 4: passed over\n", id, len(member.UserData))
	}
	return unknownGeneration
}

// AssignmentData returns nil: members know what they own.
func (*cooperativeStickyStrategy) AssignmentData(string, map[string][]int32, int32) ([]byte, error) {
	return nil, nil
}

// SubscriptionUserData returns the generation, for leaders that look for it
// there.
func (s *cooperativeStickyStrategy) SubscriptionUserData([]string) ([]byte, error) {
	return binary.BigEndian.AppendUint32(nil, uint32(s.generation.Load())), nil
}

// OnAssignment keeps the generation.
func (s *cooperativeStickyStrategy) OnAssignment(_ *ConsumerGroupMemberAssignment, generationID int32) {
	s.generation.Store(generationID)
}
