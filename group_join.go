package sarama

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// groupProtocolType is that of consumers, as opposed to Connect's workers.
	groupProtocolType = "consumer"
	// rejoinBackoff is the wait before joining again when others have joined
	// while the plan was being made.
	rejoinBackoff = 50 * time.Millisecond
)

// joined is a member's place in a generation of its group.
type joined struct {
	who      *groupIdentity
	strategy BalanceStrategy
	claims   map[string][]int32
	// counts has the number of partitions of each topic of the group, as the
	// plan was made with; nil where another member made it.
	counts map[string]int
	newer  *newerPlace // in a group of the newer protocol; nil in others
}

// join takes the member into the group's next generation, with the retries of
// Rebalance. owned are the partitions that it holds meanwhile.
func (g *consumerGroup) join(ctx context.Context, topics []string, owned *joined) (*joined, error) {
	for tries := 0; ; {
		j, err := g.joinOnce(ctx, topics, owned)
		if err == nil {
			return j, nil
		}
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, errGenerationOver):
			err = sleepIn(ctx, rejoinBackoff)
		case isOneOf(err, ErrUnknownMemberId, ErrIllegalGeneration):
			if g.member.id = ""; owned != nil && len(owned.claims) > 0 {
				return nil, err // others may have them by now
			}
			if tries++; tries <= g.conf.Consumer.Group.Rebalance.Retry.Max {
				err = nil
			}
		default:
			err = g.awaitRetry(ctx, &tries, err)
		}
		if err != nil {
			return nil, err
		}
	}
}

// awaitRetry waits before joining is tried again, by way of whatever is the
// coordinator then. It returns why it is not.
func (g *consumerGroup) awaitRetry(ctx context.Context, tries *int, why error) error {
	retry := &g.conf.Consumer.Group.Rebalance.Retry
	if *tries++; !retriableJoin(why) || *tries > retry.Max {
		return why
	}
	g.member.lane.stale = true
	backoff := retryBackoff(g.conf, retry.Backoff, nil, *tries, 1, retry.Max)
	Logger.Printf("consumergroup/%s joining again after %v (%d attempts remaining): %v\n", g.id, backoff, retry.Max-*tries, why)
	return sleepIn(ctx, backoff)
}

// errGenerationOver says that a generation was over before its plan was there.
var errGenerationOver = errors.New("kafka: the group has begun another rebalance")

// retriableJoin reports whether joining may work a little later, or by way of
// another coordinator.
func retriableJoin(err error) bool {
	code := KError(0)
	if !errors.As(err, &code) {
		return !isOneOf(err, ErrClosedClient, ErrUnsupportedVersion, errNoStrategy) &&
			!errors.As(err, new(ConfigurationError)) && !errors.As(err, new(*planError))
	}
	switch code {
	case ErrNotCoordinatorForConsumer, ErrConsumerCoordinatorNotAvailable, ErrOffsetsLoadInProgress, ErrRebalanceInProgress,
		ErrRequestTimedOut, ErrNetworkException:
		return true
	}
	return false
}

// joinOnce is one attempt: JoinGroup, the plan where this member is the leader,
// SyncGroup.
func (g *consumerGroup) joinOnce(ctx context.Context, topics []string, owned *joined) (*joined, error) {
	resp, err := g.sendJoin(ctx, topics, owned)
	if err != nil {
		return nil, err
	}
	j := &joined{who: &groupIdentity{memberID: resp.MemberId, generation: resp.GenerationId, instanceID: g.instanceID}}
	if j.strategy, err = g.strategyNamed(resp.GroupProtocol); err != nil {
		return nil, err
	}
	var plan *groupPlan
	if resp.LeaderId == resp.MemberId {
		if plan, err = g.plan(ctx, j.strategy, resp); err != nil {
			return nil, err
		}
		j.counts = plan.counts
	}
	return j, g.sync(ctx, j, plan)
}

// sendJoin sends JoinGroup, a second time where the coordinator wants the
// member to have an id first (KIP-394).
func (g *consumerGroup) sendJoin(ctx context.Context, topics []string, owned *joined) (*JoinGroupResponse, error) {
	for {
		req, err := g.joinRequest(topics, owned)
		if err != nil {
			return nil, err
		}
		given := g.member.id != ""
		resp := new(JoinGroupResponse)
		g.metrics.joinTotal.add(1)
		if err := g.member.lane.ask(ctx, req, resp); err != nil {
			g.metrics.joinFailed.add(1)
			return nil, fmt.Errorf("kafka: joining group %s: %w", g.id, err)
		}
		switch {
		case resp.Err == ErrNoError:
			g.member.id = resp.MemberId
			return resp, nil
		case resp.Err == ErrMemberIdRequired && !given && resp.MemberId != "":
			g.member.id = resp.MemberId
		default:
			g.metrics.joinFailed.add(1)
			if resp.Err == ErrFencedInstancedId {
				g.member.id = ""
			}
			return nil, resp.Err
		}
	}
}

func (g *consumerGroup) joinRequest(topics []string, owned *joined) (*JoinGroupRequest, error) {
	conf := g.conf
	req := NewJoinGroupRequest(conf.Version)
	req.GroupId, req.MemberId, req.ProtocolType = g.id, g.member.id, groupProtocolType
	req.SessionTimeout = int32(conf.Consumer.Group.Session.Timeout.Milliseconds())
	req.RebalanceTimeout = int32(conf.Consumer.Group.Rebalance.Timeout.Milliseconds())
	if req.Version >= 5 {
		req.GroupInstanceId = g.instanceID
	}
	if req.Version >= 8 && g.member.reason != nil {
		req.Reason = reasonText(g.member.reason)
	}
	for _, strategy := range g.strategies {
		raw, err := g.subscription(strategy, topics, owned)
		if err != nil {
			return nil, err
		}
		req.AddGroupProtocol(strategy.Name(), raw)
	}
	return req, nil
}

// subscription is what a member says of itself with a strategy.
func (g *consumerGroup) subscription(strategy BalanceStrategy, topics []string, owned *joined) ([]byte, error) {
	conf := g.conf
	m := &ConsumerGroupMemberMetadata{Topics: topics, UserData: g.userData(strategy, topics), GenerationID: GroupGenerationUndefined}
	switch {
	case conf.RackID != "" && conf.Version.IsAtLeast(V3_5_0_0):
		m.Version, m.RackID = 3, &conf.RackID // KIP-881
	case conf.Version.IsAtLeast(V3_2_0_0):
		m.Version = 2
	case conf.Version.IsAtLeast(V2_4_0_0):
		m.Version = 1
	}
	if owned != nil {
		m.OwnedPartitions, m.GenerationID = ownedPartitions(owned.claims), owned.who.generation
	}
	return encodeMemberMetadata(m)
}

// userData is what a strategy has to say to the leader or, where it has
// nothing to say itself, what the last assignment brought, or the user's own.
func (g *consumerGroup) userData(strategy BalanceStrategy, topics []string) []byte {
	if s, ok := strategy.(SubscriptionUserDataBalanceStrategy); ok {
		data, err := s.SubscriptionUserData(topics)
		if err == nil {
			return data
		}
		Logger.Printf("consumergroup/%s strategy %s has no user data: %v\n", g.id, strategy.Name(), err)
	}
	if len(g.member.userData) > 0 {
		return g.member.userData
	}
	return g.conf.Consumer.Group.Member.UserData
}

// reasonMax is how long a reason to join or leave may be (KIP-800).
const reasonMax = 255

// reasonText is a reason as the coordinator is told it.
func reasonText(err error) *string {
	text := err.Error()
	switch {
	case errors.Is(err, ErrRebalanceInProgress):
		text = "the group is rebalancing"
	case errors.Is(err, ErrUnknownMemberId):
		text = "the coordinator did not know the member any more"
	case errors.Is(err, ErrIllegalGeneration):
		text = "the member was of an older generation"
	case errors.Is(err, ErrFencedInstancedId):
		text = "another member has taken the group instance id"
	case errors.Is(err, ErrSessionPartitionCountChanged):
		text = "the number of partitions of a topic has changed"
	case errors.Is(err, ErrSessionConsumeClaimExited):
		text = "the consumption of a claim has ended"
	}
	if len(text) > reasonMax {
		text = text[:reasonMax]
	}
	return &text
}

var errNoStrategy = errors.New("unable to find selected strategy")

// strategyNamed is the strategy that the coordinator has chosen.
func (g *consumerGroup) strategyNamed(name string) (BalanceStrategy, error) {
	if only := g.conf.Consumer.Group.Rebalance.Strategy; only != nil {
		return only, nil
	}
	for _, s := range g.strategies {
		if s.Name() == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", errNoStrategy, name)
}

// sync hands in the plan, if there is one, and fills in the member's share.
func (g *consumerGroup) sync(ctx context.Context, j *joined, plan *groupPlan) error {
	req := &SyncGroupRequest{
		Version: apiSyncGroup.versionFor(g.conf.Version), GroupId: g.id, MemberId: j.who.memberID, GenerationId: j.who.generation,
	}
	if req.Version >= 3 {
		req.GroupInstanceId = g.instanceID
	}
	if req.Version >= 5 {
		kind, name := groupProtocolType, j.strategy.Name()
		req.ProtocolType, req.ProtocolName = &kind, &name
	}
	if plan != nil {
		for _, id := range slices.Sorted(maps.Keys(plan.shares)) {
			req.AddGroupAssignment(id, plan.shares[id])
		}
	}
	resp := new(SyncGroupResponse)
	g.metrics.syncTotal.add(1)
	if err := g.member.lane.ask(ctx, req, resp); err != nil {
		g.metrics.syncFailed.add(1)
		return fmt.Errorf("kafka: joining group %s: %w", g.id, err)
	}
	if resp.Err != ErrNoError {
		g.metrics.syncFailed.add(1)
		switch resp.Err {
		case ErrRebalanceInProgress:
			return errGenerationOver
		case ErrFencedInstancedId:
			g.member.id = ""
		}
		return resp.Err
	}
	return g.accept(j, resp.MemberAssignment)
}

// accept reads the member's share.
func (g *consumerGroup) accept(j *joined, raw []byte) error {
	j.claims = make(map[string][]int32)
	if len(raw) == 0 {
		return nil
	}
	share, err := decodeMemberAssignment(raw)
	if err != nil {
		return &planError{fmt.Errorf("kafka: group %s, what member %s was given: %w", g.id, j.who.memberID, err)}
	}
	g.member.userData = share.UserData
	for topic, partitions := range share.Topics {
		if len(partitions) > 0 {
			j.claims[topic] = slices.Sorted(slices.Values(partitions))
		}
	}
	if s, ok := j.strategy.(OnAssignmentBalanceStrategy); ok {
		s.OnAssignment(share, j.who.generation)
	}
	return nil
}

// leave takes a dynamic member out of the group. Static ones stay until their
// session times out, so that they can come back (KIP-345).
func (g *consumerGroup) leave(ctx context.Context, reason error) error {
	if g.newer() {
		return g.leaveNewer(ctx)
	}
	id := g.member.id
	if id == "" || g.instanceID != nil {
		return nil
	}
	g.member.id = ""
	req := &LeaveGroupRequest{Version: apiLeaveGroup.versionFor(g.conf.Version), GroupId: g.id, MemberId: id}
	if req.Version >= 3 {
		member := MemberIdentity{MemberId: id}
		if req.Version >= 5 {
			member.Reason = reasonText(reason)
		}
		req.Members = []MemberIdentity{member}
	}
	resp := new(LeaveGroupResponse)
	if err := g.member.lane.ask(ctx, req, resp); err != nil {
		return fmt.Errorf("kafka: leaving group %s: %w", g.id, err)
	}
	err := resp.Err
	if err == ErrNoError && len(resp.Members) > 0 {
		err = resp.Members[0].Err
	}
	switch err {
	case ErrNoError, ErrRebalanceInProgress, ErrUnknownMemberId:
		return nil
	}
	return err
}
