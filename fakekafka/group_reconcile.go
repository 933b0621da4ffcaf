package fakekafka

import (
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// beating is a heartbeat on its way.
type beating struct {
	request              *sarama.ConsumerGroupHeartbeatRequest
	pattern              *regexp.Regexp // of its regular expression, nil for none
	owned                partitionSet   // what the member says that it has, nil where it says nothing
	clientID, clientHost string
}

// heartbeat takes what a member says and answers with what it is to have.
func (k *consumerGroup) heartbeat(b *beating) *sarama.ConsumerGroupHeartbeatResponse {
	req := b.request
	opts := &k.group.cluster.opts.Groups
	id := req.MemberID
	joins := req.MemberEpoch == epochJoin
	if joins && id == "" {
		id = newUUID().String()
	}
	if opts.MaxSize > 0 && len(k.members) >= opts.MaxSize && k.member(id) == nil && (req.InstanceID == nil || k.instance(*req.InstanceID) == nil) {
		return beatRefused(sarama.ErrGroupMaxSizeReached, "the group has as many members as it may have")
	}
	m, refusal := k.subscribe(b, id)
	if refusal != nil {
		return refusal
	}
	subscribed := k.update(b, m)
	if k.refresh() || subscribed {
		k.bump()
	}
	now := time.Now()
	if k.assignmentEpoch < k.epoch && (k.planned.IsZero() || now.Sub(k.planned) >= opts.AssignmentInterval) {
		k.makePlan(now)
	}
	was, phase, epoch := maps.Clone(m.assigned), m.phase, m.epoch
	k.reconcile(m, b.owned)
	m.expires = now.Add(opts.SessionTimeout)
	switch {
	case m.phase != memberUnrevoked:
		m.revokeBy = time.Time{}
	case phase != memberUnrevoked || epoch != m.epoch || m.revokeBy.IsZero():
		m.revokeBy = now.Add(m.rebalance)
	}
	resp := &sarama.ConsumerGroupHeartbeatResponse{
		MemberID: &m.id, MemberEpoch: m.epoch, HeartbeatIntervalMs: int32(opts.HeartbeatInterval.Milliseconds()),
	}
	full := req.RebalanceTimeoutMs != -1 && (req.SubscribedTopicNames != nil || req.SubscribedTopicRegex != nil) && req.TopicPartitions != nil
	if joins || full || !maps.Equal(was, m.assigned) {
		resp.Assignment = m.assigned.onWire(k.group.cluster.catalog.Load())
	}
	return resp
}

func beatRefused(err sarama.KError, why string) *sarama.ConsumerGroupHeartbeatResponse {
	return &sarama.ConsumerGroupHeartbeatResponse{Err: err, ErrMsg: &why}
}

// subscribe finds the member, or takes it in.
func (k *consumerGroup) subscribe(b *beating, id string) (m *consumerMember, refusal *sarama.ConsumerGroupHeartbeatResponse) {
	req := b.request
	joins := req.MemberEpoch == epochJoin
	if req.InstanceID != nil {
		m = k.instance(*req.InstanceID)
		switch {
		case m == nil && !joins:
			return nil, beatRefused(sarama.ErrUnknownMemberId, "no member has this instance id")
		case m != nil && m.id != id && !joins:
			return nil, beatRefused(sarama.ErrFencedInstancedId, "another member has taken the instance id over")
		case m != nil && joins && m.epoch != epochLeaveStatic:
			return nil, beatRefused(sarama.ErrUnreleasedInstanceID, "another member has the instance id and has not left")
		case m != nil && joins:
			k.replace(m, id)
			return m, nil
		}
	} else {
		m = k.member(id)
	}
	switch {
	case m != nil && joins:
		return m, nil
	case m != nil:
		return m, m.checkEpoch(req.MemberEpoch, b.owned)
	case !joins:
		return nil, beatRefused(sarama.ErrUnknownMemberId, "the group has no such member")
	}
	m = &consumerMember{id: id, instance: req.InstanceID, assigned: make(partitionSet), revoking: make(partitionSet)}
	k.members = append(k.members, m)
	return m, nil
}

// replace has a static member be back under an id that may be another one.
func (k *consumerGroup) replace(m *consumerMember, id string) {
	if m.id != id {
		k.group.departLocked(m.id, m.instance, DepartedReplaced, "")
		k.plan[id] = k.plan[m.id]
		delete(k.plan, m.id)
	}
	m.id, m.epoch, m.previous = id, epochJoin, epochJoin
}

// checkEpoch fences a member that is not up to date. One that has missed the
// answer with its new epoch, and has not been given more than it has, is let
// through.
func (m *consumerMember) checkEpoch(epoch int32, owned partitionSet) *sarama.ConsumerGroupHeartbeatResponse {
	if epoch == m.epoch || epoch < m.epoch && epoch == m.previous && owned != nil && owned.within(m.assigned) {
		return nil
	}
	return beatRefused(sarama.ErrFencedMemberEpoch, "the member's epoch is not the one that the coordinator knows: it has to join again")
}

// update has a member be what it now says it is; true where what it subscribes
// to has changed. A wish for another strategy waits for the next plan.
func (k *consumerGroup) update(b *beating, m *consumerMember) (changed bool) {
	req := b.request
	m.clientID, m.clientHost = b.clientID, b.clientHost
	if req.RackID != nil {
		m.rack = req.RackID
	}
	if req.RebalanceTimeoutMs != -1 {
		m.rebalance = time.Duration(req.RebalanceTimeoutMs) * time.Millisecond
	}
	if req.ServerAssignor != nil {
		m.assignor = *req.ServerAssignor
	}
	if req.SubscribedTopicNames != nil {
		topics := slices.Compact(slices.Sorted(slices.Values(req.SubscribedTopicNames)))
		changed = !slices.Equal(m.topics, topics)
		m.topics = topics
	}
	if req.SubscribedTopicRegex != nil && *req.SubscribedTopicRegex != m.regex {
		changed = true
		m.regex, m.pattern = *req.SubscribedTopicRegex, b.pattern
	}
	return changed
}

// makePlan works out who is to have what.
func (k *consumerGroup) makePlan(now time.Time) {
	k.assignmentEpoch, k.planned = k.epoch, now
	k.plan = planWith(k.preferred(), k.members, k.plan, k.group.cluster.catalog.Load())
}

// preferred is the strategy that most members want of those that want one.
func (k *consumerGroup) preferred() string {
	votes := make(map[string]int)
	best := assignorUniform
	for _, m := range k.members {
		if m.assignor != "" {
			votes[m.assignor]++
		}
	}
	for _, name := range assignors {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

// wants says whether a member still subscribes to the topic of a partition; the
// plan may be older than the subscription.
func (k *consumerGroup) wants(m *consumerMember, p idPartition) bool {
	t := k.group.cluster.catalog.Load().byID[p.topic]
	return t == nil || m.subscribes(t.name)
}

// reconcile moves a member towards its part of the plan: it first gives up what
// is not in it, and then gets what nobody else has any more. owned is what the
// member says that it has, nil where it says nothing.
func (k *consumerGroup) reconcile(m *consumerMember, owned partitionSet) {
	stillHas := func(p partitionSet) bool { return owned == nil || p.meets(owned) }
	unwanted := make(partitionSet)
	for p := range m.assigned {
		if !k.wants(m, p) {
			unwanted[p] = struct{}{}
			delete(m.assigned, p)
		}
	}
	if len(unwanted) > 0 && stillHas(unwanted) {
		maps.Copy(m.revoking, unwanted)
		m.phase = memberUnrevoked
		return
	}
	switch m.phase {
	case memberStable:
		if m.epoch == k.assignmentEpoch {
			return
		}
	case memberUnrevoked:
		if stillHas(m.revoking) {
			return
		}
		clear(m.revoking)
		m.setEpoch(m.epoch + 1)
	}
	target := k.plan[m.id]
	revoke := make(partitionSet)
	for p := range m.assigned {
		if !target.has(p) {
			revoke[p] = struct{}{}
		}
	}
	if len(revoke) > 0 && stillHas(revoke) {
		for p := range revoke {
			delete(m.assigned, p)
		}
		m.phase, m.revoking = memberUnrevoked, revoke
		return
	}
	for p := range revoke {
		delete(m.assigned, p)
	}
	m.phase = memberStable
	m.setEpoch(k.assignmentEpoch)
	taken := k.taken()
	for p := range target {
		switch {
		case m.assigned.has(p) || !k.wants(m, p):
		case taken.has(p):
			m.phase = memberUnreleased
		default:
			m.assigned[p] = struct{}{}
		}
	}
}

func (m *consumerMember) setEpoch(epoch int32) {
	if epoch != m.epoch {
		m.previous, m.epoch = m.epoch, epoch
	}
}

// taken are the partitions that some member has or has still to give up.
func (k *consumerGroup) taken() partitionSet {
	s := make(partitionSet)
	for _, m := range k.members {
		maps.Copy(s, m.assigned)
		maps.Copy(s, m.revoking)
	}
	return s
}

// leave takes a member out, or has a static one be away for a while.
func (k *consumerGroup) leave(req *sarama.ConsumerGroupHeartbeatRequest) *sarama.ConsumerGroupHeartbeatResponse {
	m := k.member(req.MemberID)
	if req.InstanceID != nil {
		if m = k.instance(*req.InstanceID); m != nil && m.id != req.MemberID {
			return beatRefused(sarama.ErrFencedInstancedId, "another member has taken the instance id over")
		}
	}
	if m == nil {
		return beatRefused(sarama.ErrUnknownMemberId, "the group has no such member")
	}
	if req.MemberEpoch == epochLeaveStatic && req.InstanceID != nil {
		m.epoch, m.phase, m.revokeBy = epochLeaveStatic, memberStable, time.Time{}
		clear(m.revoking)
	} else {
		k.remove(m, DepartedLeft, "")
	}
	return &sarama.ConsumerGroupHeartbeatResponse{MemberID: &req.MemberID, MemberEpoch: req.MemberEpoch}
}
