package sarama

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The newer protocol of consumer groups (KIP-848): the coordinator makes the
// plan, and one kind of request, the heartbeat, does everything. A member tells
// what it subscribes to and what it holds, and is told what it is to hold; it
// gives up first, then takes over, then tells.

// ConsumerGroupProtocol is how the members of a group and its coordinator
// agree on who consumes what.
type ConsumerGroupProtocol string

const (
	// ConsumerGroupProtocolClassic has one of the members make the plan, with a
	// strategy that all have in common.
	ConsumerGroupProtocolClassic ConsumerGroupProtocol = "classic"
	// ConsumerGroupProtocolConsumer has the coordinator make it (KIP-848). It
	// needs Kafka 4.0.
	ConsumerGroupProtocolConsumer ConsumerGroupProtocol = "consumer"
)

// ConsumerGroupPatternConsumer is what a ConsumerGroup of this package has
// besides, to be had by a type assertion.
type ConsumerGroupPatternConsumer interface {
	// ConsumePattern is Consume for the topics, now and later, whose names
	// match a regular expression in the syntax of RE2 as a whole. It needs
	// Config.Consumer.Group.Protocol to be ConsumerGroupProtocolConsumer: the
	// coordinator does the matching.
	ConsumePattern(ctx context.Context, pattern string, handler ConsumerGroupHandler) error
}

// Epochs that a member says in place of its own.
const (
	epochJoins        = 0
	epochLeaves       = -1
	epochLeavesAWhile = -2 // a static member, which will be back
)

// newerPlace is a member's place in a group of the newer protocol.
type newerPlace struct {
	every  time.Duration                  // between heartbeats, as the coordinator wants it
	target []ConsumerGroupTopicPartitions // what the member is to hold, by topic id
	names  map[Uuid]string                // of the topics that it has to do with
}

// newer reports whether the group is of the newer protocol.
func (g *consumerGroup) newer() bool {
	return g.conf.Consumer.Group.Protocol == ConsumerGroupProtocolConsumer
}

// newMemberID is a random id in the form of Kafka's Uuid.
func newMemberID() string {
	var id Uuid
	_, _ = rand.Read(id[:]) // never fails
	return id.String()
}

// subscription is what a session subscribes to.
type subscription struct {
	topics  []string
	pattern string // in place of topics, if not empty
}

// heartbeat is a request that says all that there is to say.
func (g *consumerGroup) heartbeat(sub subscription, id string, epoch int32, holds []ConsumerGroupTopicPartitions) *ConsumerGroupHeartbeatRequest {
	conf := g.conf
	req := &ConsumerGroupHeartbeatRequest{
		Version: apiConsumerGroupHeartbeat.versionFor(conf.Version), GroupID: g.id, MemberID: id, MemberEpoch: epoch, InstanceID: g.instanceID,
		RebalanceTimeoutMs: int32(conf.Consumer.Group.Rebalance.Timeout.Milliseconds()), TopicPartitions: holds,
	}
	if req.TopicPartitions == nil {
		req.TopicPartitions = []ConsumerGroupTopicPartitions{}
	}
	if req.SubscribedTopicNames = slices.Clone(sub.topics); sub.pattern != "" {
		req.SubscribedTopicNames, req.SubscribedTopicRegex = []string{}, &sub.pattern
	}
	if conf.RackID != "" {
		req.RackID = &conf.RackID
	}
	if conf.Consumer.Group.ServerAssignor != "" {
		req.ServerAssignor = &conf.Consumer.Group.ServerAssignor
	}
	return req
}

// sendHeartbeat sends one; an error code in the answer is an error, with what
// the coordinator says of it.
func (g *consumerGroup) sendHeartbeat(ctx context.Context, req *ConsumerGroupHeartbeatRequest) (*ConsumerGroupHeartbeatResponse, error) {
	newest, err := g.member.lane.newest(ctx, apiConsumerGroupHeartbeat)
	if err == nil && newest < 1 {
		err = ErrUnsupportedVersion
	}
	resp := new(ConsumerGroupHeartbeatResponse)
	if err == nil {
		g.member.unsure = true
		if err = g.member.lane.ask(ctx, req, resp); err == nil {
			g.member.unsure = false
		}
	}
	if err == nil && resp.Err != ErrNoError {
		err = resp.Err
		if resp.ErrMsg != nil && *resp.ErrMsg != "" {
			err = fmt.Errorf("%w: %s", err, *resp.ErrMsg)
		}
	}
	if errors.Is(err, ErrUnsupportedVersion) {
		err = fmt.Errorf("kafka: group %s: the coordinator does not have Consumer.Group.Protocol %q, which takes Kafka 4.0 with the protocol enabled: %w",
			g.id, ConsumerGroupProtocolConsumer, err)
	}
	return resp, err
}

// joinNewer joins a group of the newer protocol, with the retries of Rebalance.
// A member that was in the group before goes on as that.
func (g *consumerGroup) joinNewer(ctx context.Context, sub subscription) (*joined, error) {
	for tries := 0; ; {
		j, err := g.joinNewerOnce(ctx, sub)
		code := KError(0)
		errors.As(err, &code)
		switch {
		case err == nil:
			return j, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case (code == ErrUnknownMemberId || code == ErrFencedMemberEpoch) && g.member.epoch != epochJoins:
			g.member.epoch = epochJoins // it was out of the group for too long
			continue
		}
		if err := g.awaitRetry(ctx, &tries, err); err != nil {
			return nil, err
		}
	}
}

func (g *consumerGroup) joinNewerOnce(ctx context.Context, sub subscription) (*joined, error) {
	if g.member.id == "" {
		g.member.id, g.member.epoch = newMemberID(), epochJoins
	}
	g.metrics.joinTotal.add(1)
	resp, err := g.sendHeartbeat(ctx, g.heartbeat(sub, g.member.id, g.member.epoch, nil))
	if err != nil {
		g.metrics.joinFailed.add(1)
		return nil, err
	}
	if resp.MemberID != nil && *resp.MemberID != "" {
		g.member.id = *resp.MemberID
	}
	g.member.epoch = resp.MemberEpoch
	j := &joined{
		who:   &groupIdentity{memberID: g.member.id, generation: resp.MemberEpoch, instanceID: g.instanceID},
		newer: &newerPlace{every: g.heartbeatEvery(resp), names: make(map[Uuid]string)},
	}
	if resp.Assignment != nil {
		j.newer.target = resp.Assignment.TopicPartitions
	}
	names, err := g.topicNames(ctx, sub, j.newer)
	if err != nil {
		return nil, err
	}
	j.newer.names = names
	j.claims = j.newer.claims()
	return j, nil
}

// heartbeatEvery is how often the coordinator wants to hear of the member.
func (g *consumerGroup) heartbeatEvery(resp *ConsumerGroupHeartbeatResponse) time.Duration {
	if every := millis(resp.HeartbeatIntervalMs); every > 0 {
		return every
	}
	return g.conf.Consumer.Group.Heartbeat.Interval
}

// claims are the partitions of the target, by name. Those of topics whose names
// are not known yet come with a later heartbeat.
func (n *newerPlace) claims() map[string][]int32 {
	claims := make(map[string][]int32)
	for _, t := range n.target {
		if name, known := n.names[t.TopicID]; known && len(t.Partitions) > 0 {
			claims[name] = slices.Sorted(slices.Values(t.Partitions))
		}
	}
	return claims
}

// byID is what the member holds in the form of a heartbeat.
func (n *newerPlace) byID(claims map[string][]int32) []ConsumerGroupTopicPartitions {
	ids := make(map[string]Uuid, len(n.names))
	for id, name := range n.names {
		ids[name] = id
	}
	list := make([]ConsumerGroupTopicPartitions, 0, len(claims))
	for _, topic := range sortedKeys(claims) {
		if len(claims[topic]) > 0 {
			list = append(list, ConsumerGroupTopicPartitions{TopicID: ids[topic], Partitions: claims[topic]})
		}
	}
	return list
}

// topicNames is the place's names with those that are missing, where they can
// be had. The answer comes from the group's coordinator.
func (g *consumerGroup) topicNames(ctx context.Context, sub subscription, place *newerPlace) (map[Uuid]string, error) {
	names := make(map[Uuid]string, len(place.target))
	missing := false
	for _, t := range place.target {
		name, known := place.names[t.TopicID]
		if missing = missing || !known; known {
			names[t.TopicID] = name
		}
	}
	if !missing {
		return names, nil
	}
	b, err := groupCoordinator(ctx, g.client, g.id, false)
	if err != nil {
		return nil, err
	}
	topics := sub.topics
	if sub.pattern != "" {
		topics = nil // all
	}
	req, resp := NewMetadataRequest(g.conf.Version, topics), new(MetadataResponse)
	if err := b.requestUntil(ctx, req, resp); err != nil {
		return nil, err
	}
	for _, t := range resp.Topics {
		if t.Uuid != (Uuid{}) {
			for _, w := range place.target {
				if w.TopicID == t.Uuid {
					names[t.Uuid] = t.Name
				}
			}
		}
	}
	return names, nil
}

// leaveNewer takes the member out of a group of the newer protocol; a static
// one for a while.
func (g *consumerGroup) leaveNewer(ctx context.Context) error {
	id := g.member.id
	if id == "" || g.member.epoch == epochJoins && !g.member.unsure {
		return nil
	}
	epoch := int32(epochLeaves)
	if g.instanceID != nil {
		epoch = epochLeavesAWhile
	}
	g.member.id, g.member.epoch = "", epochJoins
	req := &ConsumerGroupHeartbeatRequest{
		Version: apiConsumerGroupHeartbeat.versionFor(g.conf.Version), GroupID: g.id, MemberID: id, MemberEpoch: epoch,
		InstanceID: g.instanceID, RebalanceTimeoutMs: -1,
	}
	_, err := g.sendHeartbeat(ctx, req)
	if code := KError(0); errors.As(err, &code) && (code == ErrUnknownMemberId || code == ErrFencedMemberEpoch || code == ErrGroupIDNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("kafka: leaving group %s: %w", g.id, err)
	}
	return nil
}

// What the keeper does in a group of the newer protocol.

// beatNewer sends a heartbeat. It says what the member holds where that has
// changed since it last said so, and everything after one that has failed.
func (k *groupKeeper) beatNewer(now time.Time) {
	g, who, place := k.g, k.place.who, k.place.newer
	held := k.held()
	req := g.heartbeat(k.s.sub, who.memberID, who.generation, place.byID(held))
	if k.told {
		req.RebalanceTimeoutMs, req.SubscribedTopicNames, req.SubscribedTopicRegex, req.ServerAssignor, req.RackID = -1, nil, nil, nil, nil
	}
	// As long as claims have not begun, or are about to end, nothing is given up.
	if !k.began || k.over || k.told && (sameClaims(held, k.said) || !k.settled()) {
		req.TopicPartitions = nil
	}
	if req.TopicPartitions != nil {
		k.said = held
	}
	k.beatAt, k.beating = now.Add(place.every), true
	var resp *ConsumerGroupHeartbeatResponse
	var names map[Uuid]string
	k.onLane(func(ctx context.Context) (err error) {
		if resp, err = g.sendHeartbeat(ctx, req); err != nil {
			return err
		}
		next := &newerPlace{target: place.target, names: place.names}
		if resp.Assignment != nil {
			next.target = resp.Assignment.TopicPartitions
		}
		if names, err = g.topicNames(ctx, k.s.sub, next); err != nil {
			Logger.Printf("consumergroup/%s names of the topics that were assigned: %v\n", g.id, err)
		}
		return nil
	}, func(err error) {
		if k.told = err == nil; err != nil {
			k.beaten(err)
			return
		}
		k.beaten(nil)
		k.heard(resp, names)
	})
}

// heard takes what the coordinator has said.
func (k *groupKeeper) heard(resp *ConsumerGroupHeartbeatResponse, names map[Uuid]string) {
	old := k.place
	next := *old.newer
	next.every = k.g.heartbeatEvery(resp)
	if resp.Assignment != nil {
		next.target = resp.Assignment.TopicPartitions
	}
	if names != nil {
		next.names = names
		for id, name := range old.newer.names { // of what is still held
			if _, known := names[id]; !known && len(k.held()[name]) > 0 {
				names[id] = name
			}
		}
	}
	j := &joined{who: old.who, newer: &next}
	if resp.MemberEpoch != old.who.generation {
		j.who = &groupIdentity{memberID: old.who.memberID, generation: resp.MemberEpoch, instanceID: old.who.instanceID}
		k.s.offsets.identity.Store(j.who)
		k.g.member.epoch = resp.MemberEpoch
	}
	j.claims = next.claims()
	k.place = j
}

// held are the claims that the member has not given up.
func (k *groupKeeper) held() map[string][]int32 {
	held := make(map[string][]int32)
	add := func(at topicPartition) { held[at.topic] = append(held[at.topic], at.partition) }
	for at := range k.claims {
		add(at)
	}
	for at := range k.found {
		add(at)
	}
	for _, p := range k.given {
		add(p.at)
	}
	for _, partitions := range held {
		slices.Sort(partitions)
	}
	return held
}

// settled reports whether no claim is about to begin or to be given up.
func (k *groupKeeper) settled() bool {
	if k.handling || len(k.given) > 0 {
		return false
	}
	for _, c := range k.claims {
		if c.revoked {
			return false
		}
	}
	return true
}

// reconcile gives up what the member is not to hold any more, then takes over
// what is new, and then has the coordinator told.
func (k *groupKeeper) reconcile(now time.Time) {
	if !k.began || k.gone || !k.settled() {
		return
	}
	target := make(map[topicPartition]bool)
	added := make(map[string][]int32)
	for _, at := range partitionsOf(k.place.claims) {
		if target[at] = true; k.claims[at] == nil {
			added[at.topic] = append(added[at.topic], at.partition)
		}
	}
	revoked := false
	for at, c := range k.claims {
		if !target[at] {
			revoked = true
			k.revoke(c, now)
		}
	}
	switch {
	case revoked:
		k.publish()
	case len(added) > 0:
		k.takeOver(added)
	case !sameClaims(k.held(), k.said):
		k.beatAt = now
	}
}

func sameClaims(a, b map[string][]int32) bool {
	if len(a) != len(b) {
		return false
	}
	for topic, partitions := range a {
		if !slices.Equal(partitions, b[topic]) {
			return false
		}
	}
	return true
}
