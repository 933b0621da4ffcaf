package fakekafka

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// First versions of requests of groups that do something more.
const (
	joinHasRebalanceTimeout = 1
	joinNeedsMemberID       = 4 // who comes without an id is told one first (KIP-394)
	joinSkipsAssignment     = 9 // a static leader is told to make no plan (KIP-814)
	syncNamesProtocol       = 5 // and has to (KIP-559)
	leaveNamesMembers       = 3
)

// joining is a member that asks for a place.
type joining struct {
	request              *sarama.JoinGroupRequest
	version              int16
	protocols            []sarama.GroupProtocol
	clientID, clientHost string
	session, rebalance   time.Duration
	answer               chan *sarama.JoinGroupResponse
}

func newJoining(r *Request, req *sarama.JoinGroupRequest) *joining {
	j := &joining{
		request: req, version: r.Version, clientID: r.ClientID, clientHost: r.clientHost(),
		session:   time.Duration(req.SessionTimeout) * time.Millisecond,
		rebalance: time.Duration(req.RebalanceTimeout) * time.Millisecond,
		answer:    make(chan *sarama.JoinGroupResponse, 1),
	}
	if r.Version < joinHasRebalanceTimeout {
		j.rebalance = j.session
	}
	for _, p := range req.OrderedGroupProtocols {
		j.protocols = append(j.protocols, sarama.GroupProtocol{Name: p.Name, Metadata: orEmpty(bytes.Clone(p.Metadata))})
	}
	return j
}

// clientHost is where a client is, as Kafka prints it.
func (r *Request) clientHost() string {
	addr := r.RemoteAddr().String()
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		addr = addr[:i]
	}
	return "/" + addr
}

// join gives a member its place; a nil answer comes later.
func (k *classicGroup) join(j *joining) *sarama.JoinGroupResponse {
	id := j.request.MemberId
	switch {
	case !k.hasRoom(id):
		k.remove(id)
		return joinRefused("", sarama.ErrGroupMaxSizeReached)
	case !k.supports(j.request.ProtocolType, j.protocols):
		return joinRefused(id, sarama.ErrInconsistentGroupProtocol)
	case id == "":
		return k.joinNew(j)
	}
	if _, ok := k.pending[id]; ok {
		if j.request.GroupInstanceId != nil {
			return joinRefused("", sarama.ErrUnknown) // a static member never gets such an id
		}
		k.add(j, id)
		return nil
	}
	if err := k.check(id, j.request.GroupInstanceId); err != sarama.ErrNoError {
		return joinRefused(id, err)
	}
	return k.joinAgain(j, k.member(id))
}

// hasRoom says whether one more member may be in the group.
func (k *classicGroup) hasRoom(id string) bool {
	most := k.group.cluster.opts.Groups.MaxSize
	switch m := k.member(id); {
	case most <= 0 || k.phase == phaseEmpty:
		return true
	case k.phase == phasePreparing:
		return m != nil && m.join != nil || k.waiting() < most
	default:
		return m != nil || len(k.members) < most
	}
}

// joinNew is for who comes without an id.
func (k *classicGroup) joinNew(j *joining) *sarama.JoinGroupResponse {
	instance := j.request.GroupInstanceId
	id := newMemberID(j.clientID, instance)
	if instance != nil {
		if m := k.instance(*instance); m != nil {
			return k.replace(j, m, id)
		}
		k.add(j, id)
		return nil
	}
	if j.version >= joinNeedsMemberID {
		k.pending[id] = time.Now().Add(j.session)
		return joinRefused(id, sarama.ErrMemberIdRequired)
	}
	k.add(j, id)
	return nil
}

// joinAgain is for who is a member already.
func (k *classicGroup) joinAgain(j *joining, m *classicMember) *sarama.JoinGroupResponse {
	same := m.offers(j.protocols)
	switch k.phase {
	case phasePreparing:
		k.update(j, m)
		k.maybeJoined()
		return nil
	case phaseCompleting:
		if same { // it has not got the answer
			return k.joinAnswer(m)
		}
	case phaseStable:
		if same && m.id != k.leader {
			return k.joinAnswer(m)
		}
	default:
		return joinRefused(m.id, sarama.ErrUnknownMemberId)
	}
	k.update(j, m)
	k.rebalance()
	return nil
}

// add takes a member in.
func (k *classicGroup) add(j *joining, id string) {
	delete(k.pending, id)
	m := &classicMember{id: id, fresh: true, instance: j.request.GroupInstanceId}
	if len(k.members) == 0 {
		k.protocolType = j.request.ProtocolType
	}
	if k.leader == "" {
		k.leader = id
	}
	k.members = append(k.members, m)
	k.update(j, m)
	m.expires = time.Now().Add(newMemberWait)
	if k.phase == phasePreparing && k.wasEmpty {
		k.joined = true
	}
	k.rebalance()
}

// update has a member be what it now says it is, and wait.
func (k *classicGroup) update(j *joining, m *classicMember) {
	m.clientID, m.clientHost = j.clientID, j.clientHost
	m.session, m.rebalance = j.session, j.rebalance
	m.protocolType, m.protocols, m.reason = j.request.ProtocolType, j.protocols, deref(j.request.Reason)
	m.join = j.answer // one who waits already is never answered, as by Kafka
}

// replace has a static member take the place of the one with its instance id,
// which is fenced. In a stable group it gets that one's part of the plan, and
// nobody else notices (KIP-345).
func (k *classicGroup) replace(j *joining, m *classicMember, id string) *sarama.JoinGroupResponse {
	was, leader := m.id, k.leader
	m.answerJoin(joinRefused(was, sarama.ErrFencedInstancedId))
	m.answerSync(syncRefused(sarama.ErrFencedInstancedId))
	m.id = id
	if _, ok := k.unsynced[was]; ok {
		delete(k.unsynced, was)
		k.unsynced[id] = struct{}{}
	}
	if k.leader == was {
		k.leader = id
	}
	k.group.departLocked(was, m.instance, DepartedReplaced, "")
	m.fresh = false
	k.update(j, m)
	m.beat()
	if k.phase != phaseStable || k.elect() != k.protocol {
		k.rebalance()
		return nil
	}
	m.join = nil
	resp := k.joinAnswer(m)
	if j.version >= joinSkipsAssignment {
		resp.SkipAssignment = k.leader == id
	} else {
		// It must not take itself for the leader: it would make a plan.
		resp.LeaderId, resp.Members = leader, nil
	}
	k.save()
	return resp
}

// sync takes the leader's plan, and gives a member its part; a nil answer comes
// later.
func (k *classicGroup) sync(req *sarama.SyncGroupRequest, answer chan *sarama.SyncGroupResponse) *sarama.SyncGroupResponse {
	differs := func(said *string, is string) bool { return said != nil && *said != is }
	if err := k.check(req.MemberId, req.GroupInstanceId); err != sarama.ErrNoError {
		return syncRefused(err)
	}
	switch {
	case req.GenerationId != k.generation:
		return syncRefused(sarama.ErrIllegalGeneration)
	case differs(req.ProtocolType, k.protocolType) || k.protocol != "" && differs(req.ProtocolName, k.protocol):
		return syncRefused(sarama.ErrInconsistentGroupProtocol)
	}
	m := k.member(req.MemberId)
	switch k.phase {
	case phasePreparing:
		return syncRefused(sarama.ErrRebalanceInProgress)
	case phaseStable:
		delete(k.unsynced, m.id)
		k.maybeSynced()
		m.beat()
		return k.syncAnswer(m)
	}
	m.sync = answer
	delete(k.unsynced, m.id)
	k.maybeSynced()
	if m.id == k.leader {
		k.stable(req.GroupAssignments)
	}
	return nil
}

// maybeSynced ends the wait for those who have not synced, when all have.
func (k *classicGroup) maybeSynced() {
	if len(k.unsynced) == 0 {
		k.syncDue = time.Time{}
	}
}

// stable hands out a plan.
func (k *classicGroup) stable(plan []sarama.SyncGroupRequestAssignment) {
	parts := make(map[string][]byte, len(plan))
	for _, a := range plan {
		parts[a.MemberId] = bytes.Clone(a.Assignment)
	}
	k.phase = phaseStable
	for _, m := range k.members {
		m.assignment = parts[m.id]
		if m.answerSync(k.syncAnswer(m)) {
			m.beat()
		}
	}
	k.save()
}

// heartbeat has a member's session begin anew.
func (k *classicGroup) heartbeat(id string, instance *string, generation int32) sarama.KError {
	if err := k.check(id, instance); err != sarama.ErrNoError {
		return err
	}
	if generation != k.generation {
		return sarama.ErrIllegalGeneration
	}
	k.member(id).beat()
	if k.phase == phasePreparing {
		return sarama.ErrRebalanceInProgress
	}
	return sarama.ErrNoError
}

// leave takes members out, and says for each what became of it.
func (k *classicGroup) leave(members []sarama.MemberIdentity) (list []sarama.MemberResponse) {
	left := false
	for _, who := range members {
		resp := sarama.MemberResponse{MemberId: who.MemberId, GroupInstanceId: who.GroupInstanceId}
		id := who.MemberId
		if id == "" && who.GroupInstanceId != nil { // an administrator removes a static member
			if m := k.instance(*who.GroupInstanceId); m != nil {
				id = m.id
			}
		}
		if _, ok := k.pending[id]; ok {
			k.remove(id)
			k.group.departLocked(id, nil, DepartedLeft, deref(who.Reason))
		} else if resp.Err = k.check(id, who.GroupInstanceId); resp.Err == sarama.ErrNoError {
			k.expel(k.member(id), DepartedLeft, deref(who.Reason))
		}
		left = left || resp.Err == sarama.ErrNoError
		list = append(list, resp)
	}
	if left {
		k.afterLeaving()
	}
	return list
}

// mayCommit says whether someone may commit offsets.
func (k *classicGroup) mayCommit(id string, instance *string, generation int32, inTransaction bool) sarama.KError {
	switch {
	case generation < 0 && k.phase == phaseEmpty:
		return sarama.ErrNoError // one who only keeps offsets here
	case generation >= 0 || id != "" || instance != nil:
		if err := k.check(id, instance); err != sarama.ErrNoError {
			return err
		}
		if generation != k.generation {
			return sarama.ErrIllegalGeneration
		}
	case !inTransaction:
		return sarama.ErrUnknownMemberId
	}
	if !inTransaction && k.phase == phaseCompleting {
		return sarama.ErrRebalanceInProgress
	}
	return sarama.ErrNoError
}

// consumes says whether a member consumes a topic, as far as that is known.
func (k *classicGroup) consumes(topic string) bool {
	if k.phase == phaseEmpty || k.protocolType != consumerProtocolType {
		return false
	}
	return k.subscribed == nil || slices.Contains(k.subscribed, topic)
}
