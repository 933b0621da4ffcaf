package fakekafka

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// groupPhase is the state of a group of the classic protocol.
type groupPhase string

// The states, by the names that Kafka has for them.
const (
	phaseEmpty      groupPhase = "Empty"
	phasePreparing  groupPhase = "PreparingRebalance"
	phaseCompleting groupPhase = "CompletingRebalance"
	phaseStable     groupPhase = "Stable"
	phaseDead       groupPhase = "Dead"
)

// newMemberWait is for how long a member that has just come waits for the
// others, whatever its timeouts.
const newMemberWait = 5 * time.Minute

// classicGroup is a group of the classic protocol, as its coordinator has it.
// The lock of its group guards it.
type classicGroup struct {
	group *group // constant

	phase        groupPhase
	wasEmpty     bool // before it was preparing
	generation   int32
	protocolType string
	protocol     string // the strategy that was chosen
	leader       string
	members      []*classicMember     // in the order in which they came
	pending      map[string]time.Time // who was told an id and has not joined with it, and for how long it is kept
	unsynced     map[string]struct{}  // who has not asked for its part of the plan
	subscribed   []string             // topics of all members, nil where that is not known

	joinDue     time.Time     // when those who have not joined again are removed
	initial     bool          // joinDue is the end of the initial delay
	initialLeft time.Duration // by how much that may be longer
	joined      bool          // someone has come during the delay
	syncDue     time.Time     // when those who have not synced are removed

	saved classicSaved
}

// classicSaved is what a coordinator has written to __consumer_offsets, which
// another one that takes over reads.
type classicSaved struct {
	generation             int32
	protocolType, protocol string
	leader                 string
	members                []classicMember
}

// classicMember is a member of a group of the classic protocol.
type classicMember struct {
	id                   string
	instance             *string
	clientID, clientHost string
	session, rebalance   time.Duration
	protocolType         string
	protocols            []sarama.GroupProtocol
	assignment           []byte
	reason               string // to join
	fresh                bool   // has joined for the first time and waits for the others

	join    chan *sarama.JoinGroupResponse // of capacity 1; nil: does not wait
	sync    chan *sarama.SyncGroupResponse // of capacity 1; nil: does not wait
	expires time.Time                      // end of the session, zero for never
}

func newClassicGroup(g *group) *classicGroup {
	return &classicGroup{group: g, phase: phaseEmpty, pending: make(map[string]time.Time), unsynced: make(map[string]struct{})}
}

func (k *classicGroup) member(id string) *classicMember {
	for _, m := range k.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

// instance finds a static member.
func (k *classicGroup) instance(id string) *classicMember {
	for _, m := range k.members {
		if m.instance != nil && *m.instance == id {
			return m
		}
	}
	return nil
}

// check says whether a member is who it says it is: the one whose instance id
// was taken over by another is fenced (KIP-345).
func (k *classicGroup) check(id string, instance *string) sarama.KError {
	if instance != nil {
		m := k.instance(*instance)
		switch {
		case m == nil:
			return sarama.ErrUnknownMemberId
		case m.id != id:
			return sarama.ErrFencedInstancedId
		}
	}
	if k.member(id) == nil {
		return sarama.ErrUnknownMemberId
	}
	return sarama.ErrNoError
}

// waiting is how many members wait for the rebalance.
func (k *classicGroup) waiting() (n int) {
	for _, m := range k.members {
		if m.join != nil {
			n++
		}
	}
	return n
}

func (k *classicGroup) allJoined() bool {
	return len(k.pending) == 0 && k.waiting() == len(k.members)
}

// common lists the strategies that all members have, as the first of them
// prefers them.
func (k *classicGroup) common() (names []string) {
	if len(k.members) == 0 {
		return nil
	}
	for _, p := range k.members[0].protocols {
		if !slices.Contains(names, p.Name) && !slices.ContainsFunc(k.members, func(m *classicMember) bool { return m.metadata(p.Name) == nil }) {
			names = append(names, p.Name)
		}
	}
	return names
}

// supports says whether one who offers these strategies can be in the group.
func (k *classicGroup) supports(protocolType string, protocols []sarama.GroupProtocol) bool {
	if k.phase == phaseEmpty {
		return protocolType != "" && len(protocols) > 0
	}
	common := k.common()
	return protocolType == k.protocolType && slices.ContainsFunc(protocols, func(p sarama.GroupProtocol) bool {
		return slices.Contains(common, p.Name)
	})
}

// elect chooses the strategy that most members like best of those that all
// have.
func (k *classicGroup) elect() string {
	common := k.common()
	votes := make(map[string]int)
	for _, m := range k.members {
		for _, p := range m.protocols {
			if slices.Contains(common, p.Name) {
				votes[p.Name]++
				break
			}
		}
	}
	best := ""
	for _, name := range common {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

// metadata is what a member said with a strategy, nil where it does not have
// it.
func (m *classicMember) metadata(protocol string) []byte {
	for _, p := range m.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

// offers says whether these are the strategies that the member has.
func (m *classicMember) offers(protocols []sarama.GroupProtocol) bool {
	return slices.EqualFunc(m.protocols, protocols, func(a, b sarama.GroupProtocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// beat begins the member's session anew.
func (m *classicMember) beat() { m.expires = time.Now().Add(m.session) }

// roster is the group as its leader is told.
func (k *classicGroup) roster() []sarama.GroupMember {
	list := make([]sarama.GroupMember, 0, len(k.members))
	for _, m := range k.members {
		list = append(list, sarama.GroupMember{MemberId: m.id, GroupInstanceId: m.instance, Metadata: m.metadata(k.protocol)})
	}
	return list
}

// joinAnswer is what a member is told of the generation.
func (k *classicGroup) joinAnswer(m *classicMember) *sarama.JoinGroupResponse {
	resp := &sarama.JoinGroupResponse{
		GenerationId: k.generation, ProtocolType: new(k.protocolType), GroupProtocol: k.protocol, LeaderId: k.leader, MemberId: m.id,
	}
	if m.id == k.leader {
		resp.Members = k.roster()
	}
	return resp
}

func joinRefused(member string, err sarama.KError) *sarama.JoinGroupResponse {
	return &sarama.JoinGroupResponse{Err: err, GenerationId: -1, MemberId: member}
}

// answerJoin ends a member's wait for the others.
func (m *classicMember) answerJoin(resp *sarama.JoinGroupResponse) {
	if m.join != nil {
		m.join <- resp
		m.join = nil
	}
}

// answerSync ends a member's wait for the plan; false where it did not wait.
func (m *classicMember) answerSync(resp *sarama.SyncGroupResponse) bool {
	if m.sync == nil {
		return false
	}
	m.sync <- resp
	m.sync = nil
	return true
}

func syncRefused(err sarama.KError) *sarama.SyncGroupResponse {
	return &sarama.SyncGroupResponse{Err: err, MemberAssignment: []byte{}}
}

func (k *classicGroup) syncAnswer(m *classicMember) *sarama.SyncGroupResponse {
	return &sarama.SyncGroupResponse{ProtocolType: new(k.protocolType), ProtocolName: new(k.protocol), MemberAssignment: orEmpty(m.assignment)}
}

func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// newMemberID makes an id for a member, as Kafka does.
func newMemberID(clientID string, instance *string) string {
	prefix := clientID
	if instance != nil {
		prefix = *instance
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%s-%x-%x-%x-%x-%x", prefix, b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// remove takes a member out, without a look at what follows from it. The
// member that has been there for longest leads after the leader.
func (k *classicGroup) remove(id string) {
	delete(k.pending, id)
	delete(k.unsynced, id)
	k.members = slices.DeleteFunc(k.members, func(m *classicMember) bool { return m.id == id })
	if k.leader == id {
		k.leader = ""
		if len(k.members) > 0 {
			k.leader = k.members[0].id
		}
	}
}

// rebalance is what has the members join again.
func (k *classicGroup) rebalance() {
	switch k.phase {
	case phasePreparing:
		k.maybeJoined()
		return
	case phaseCompleting:
		for _, m := range k.members {
			m.assignment = nil
			if m.answerSync(syncRefused(sarama.ErrRebalanceInProgress)) {
				m.beat()
			}
		}
	}
	k.syncDue, k.wasEmpty = time.Time{}, k.phase == phaseEmpty
	k.phase = phasePreparing
	now := time.Now()
	if !k.wasEmpty {
		if k.allJoined() {
			k.complete()
			return
		}
		k.joinDue, k.initial = now.Add(k.patience()), false
		return
	}
	delay := k.group.cluster.opts.Groups.InitialRebalanceDelay
	if delay <= 0 {
		k.complete()
		return
	}
	k.joinDue, k.initial, k.joined, k.initialLeft = now.Add(delay), true, false, max(0, k.patience()-delay)
}

// patience is for how long members may take to join again.
func (k *classicGroup) patience() (d time.Duration) {
	for _, m := range k.members {
		d = max(d, m.rebalance)
	}
	return d
}

// maybeJoined goes on when all members have joined; the initial delay has to
// be over first.
func (k *classicGroup) maybeJoined() {
	if k.phase == phasePreparing && !k.wasEmpty && k.allJoined() {
		k.complete()
	}
}

// complete begins a generation with those who have joined. Static members that
// have not stay, until their session is over.
func (k *classicGroup) complete() {
	k.joinDue, k.initial = time.Time{}, false
	for _, m := range slices.Clone(k.members) {
		if m.join == nil && m.instance == nil {
			k.remove(m.id)
			k.group.departLocked(m.id, m.instance, DepartedRebalance, "")
		}
	}
	if m := k.member(k.leader); m != nil && m.join == nil {
		i := slices.IndexFunc(k.members, func(m *classicMember) bool { return m.join != nil })
		if i < 0 { // nobody is there to make a plan
			k.joinDue = time.Now().Add(k.patience())
			return
		}
		k.leader = k.members[i].id
	}
	k.generation++
	clear(k.unsynced)
	if len(k.members) == 0 {
		k.phase, k.protocol, k.leader, k.subscribed = phaseEmpty, "", "", nil
		k.save()
		return
	}
	k.phase, k.protocol = phaseCompleting, k.elect()
	k.subscribed = k.subscriptions()
	for _, m := range k.members {
		m.answerJoin(k.joinAnswer(m))
		m.beat()
		m.fresh = false
		k.unsynced[m.id] = struct{}{}
	}
	k.syncDue = time.Now().Add(k.patience())
}

// subscriptions are the topics of all members, nil where one does not say.
func (k *classicGroup) subscriptions() []string {
	topics := []string{}
	if k.protocolType != consumerProtocolType {
		return nil
	}
	for _, m := range k.members {
		list, ok := subscribedTopics(m.metadata(k.protocol))
		if !ok {
			return nil
		}
		topics = append(topics, list...)
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// save writes the group as it is for a coordinator that takes over.
func (k *classicGroup) save() {
	k.saved = classicSaved{generation: k.generation, protocolType: k.protocolType, protocol: k.protocol, leader: k.leader}
	for _, m := range k.members {
		c := *m
		c.join, c.sync = nil, nil
		k.saved.members = append(k.saved.members, c)
	}
}

// reload is what a coordinator knows that has taken over. Those who wait at
// the last one are told.
func (k *classicGroup) reload(now time.Time) {
	for _, m := range k.members {
		m.answerJoin(joinRefused(m.id, sarama.ErrNotCoordinatorForConsumer))
		m.answerSync(syncRefused(sarama.ErrNotCoordinatorForConsumer))
	}
	s := k.saved
	*k = *newClassicGroup(k.group)
	k.saved = s
	k.generation, k.protocolType, k.protocol, k.leader = s.generation, s.protocolType, s.protocol, s.leader
	for i := range s.members {
		m := s.members[i]
		m.fresh, m.expires = false, now.Add(m.session)
		k.members = append(k.members, &m)
	}
	if len(k.members) > 0 {
		k.phase = phaseStable
		k.subscribed = k.subscriptions()
	}
}

// next is when something is due.
func (k *classicGroup) next() time.Time {
	next := earlier(k.joinDue, k.syncDue)
	for _, at := range k.pending {
		next = earlier(next, at)
	}
	for _, m := range k.members {
		next = earlier(next, m.expires)
	}
	return next
}

// due does what is due: sessions end, and rebalances that took too long.
func (k *classicGroup) due(now time.Time) {
	for id, at := range k.pending {
		if due(at, now) {
			k.remove(id)
			k.group.departLocked(id, nil, DepartedSession, "")
			k.maybeJoined()
		}
	}
	for _, m := range slices.Clone(k.members) {
		switch {
		case !due(m.expires, now):
		case !m.fresh && (m.join != nil || m.sync != nil):
			m.expires = time.Time{} // who waits is alive; it has a session again afterwards
		default:
			k.expel(m, DepartedSession, "")
			k.afterLeaving()
		}
	}
	if due(k.joinDue, now) {
		k.endJoining(now)
	}
	if due(k.syncDue, now) {
		k.syncDue = time.Time{}
		missing := len(k.unsynced) > 0
		for _, m := range slices.Clone(k.members) {
			if _, ok := k.unsynced[m.id]; ok {
				k.expel(m, DepartedSync, "")
			}
		}
		if missing {
			k.rebalance()
		}
	}
}

// endJoining ends a wait for members to join. The initial delay begins anew as
// long as more of them come, up to the rebalance timeout.
func (k *classicGroup) endJoining(now time.Time) {
	if k.initial && k.joined && k.initialLeft > 0 {
		delay := min(k.group.cluster.opts.Groups.InitialRebalanceDelay, k.initialLeft)
		k.joined, k.joinDue, k.initialLeft = false, now.Add(delay), k.initialLeft-delay
		return
	}
	k.complete()
}

// expel takes a member out, and ends its waits.
func (k *classicGroup) expel(m *classicMember, cause DepartureCause, reason string) {
	m.answerJoin(joinRefused("", sarama.ErrUnknownMemberId))
	m.answerSync(syncRefused(sarama.ErrUnknownMemberId))
	k.remove(m.id)
	k.group.departLocked(m.id, m.instance, cause, reason)
}

// afterLeaving has the others go on without who has left.
func (k *classicGroup) afterLeaving() {
	switch k.phase {
	case phaseStable, phaseCompleting:
		k.rebalance()
	case phasePreparing:
		k.maybeJoined()
	}
}
