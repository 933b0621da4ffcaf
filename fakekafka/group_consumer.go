package fakekafka

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// The member epochs of a heartbeat that mean something else (KIP-848).
const (
	epochJoin        = 0
	epochLeave       = -1
	epochLeaveStatic = -2 // a static member leaves for a while
)

// consumerGroup is a group of the newer protocol, as its coordinator has it.
// The lock of its group guards it.
type consumerGroup struct {
	group *group // constant

	epoch           int32             // grows when members, subscriptions or topics change
	assignmentEpoch int32             // of the plan
	members         []*consumerMember // in the order in which they came
	plan            map[string]partitionSet
	planned         time.Time // when the plan was made
	topics          string    // a picture of the topics that members subscribe to
}

// memberPhase says what stands between a member and its part of the plan.
type memberPhase int

const (
	memberStable     memberPhase = iota
	memberUnrevoked              // it has partitions to give up
	memberUnreleased             // others have not given up what it is to get
)

// consumerMember is a member of a group of the newer protocol.
type consumerMember struct {
	id                   string
	instance, rack       *string
	clientID, clientHost string
	rebalance            time.Duration
	topics               []string
	regex                string
	pattern              *regexp.Regexp
	assignor             string // "" for no preference

	epoch, previous int32
	phase           memberPhase
	assigned        partitionSet
	revoking        partitionSet // given up by the coordinator, and not yet by the member

	expires  time.Time // end of the session
	revokeBy time.Time // zero: nothing has to be given up
}

// idPartition is a partition by the id of its topic.
type idPartition struct {
	topic     sarama.Uuid
	partition int32
}

type partitionSet map[idPartition]struct{}

func (s partitionSet) has(p idPartition) bool {
	_, ok := s[p]
	return ok
}

// within says whether all of s is in o.
func (s partitionSet) within(o partitionSet) bool {
	for p := range s {
		if !o.has(p) {
			return false
		}
	}
	return true
}

func (s partitionSet) meets(o partitionSet) bool {
	for p := range s {
		if o.has(p) {
			return true
		}
	}
	return false
}

// sorted lists the partitions, those of a topic together.
func (s partitionSet) sorted() []idPartition {
	return slices.SortedFunc(maps.Keys(s), func(a, b idPartition) int {
		if c := strings.Compare(string(a.topic[:]), string(b.topic[:])); c != 0 {
			return c
		}
		return int(a.partition) - int(b.partition)
	})
}

func setOf(list []sarama.ConsumerGroupTopicPartitions) partitionSet {
	s := make(partitionSet)
	for _, t := range list {
		for _, id := range t.Partitions {
			s[idPartition{t.TopicID, id}] = struct{}{}
		}
	}
	return s
}

// onWire is the set as messages have it.
func (s partitionSet) onWire(c *catalog) *sarama.ConsumerGroupAssignment {
	a := &sarama.ConsumerGroupAssignment{TopicPartitions: []sarama.ConsumerGroupTopicPartitions{}}
	for _, p := range s.sorted() {
		if n := len(a.TopicPartitions); n == 0 || a.TopicPartitions[n-1].TopicID != p.topic {
			name := ""
			if t := c.byID[p.topic]; t != nil {
				name = t.name
			}
			a.TopicPartitions = append(a.TopicPartitions, sarama.ConsumerGroupTopicPartitions{TopicID: p.topic, TopicName: name})
		}
		t := &a.TopicPartitions[len(a.TopicPartitions)-1]
		t.Partitions = append(t.Partitions, p.partition)
	}
	return a
}

// named is the set by the names of the topics, in order.
func (s partitionSet) named(c *catalog) (list []TopicPartition) {
	for p := range s {
		if t := c.byID[p.topic]; t != nil {
			list = append(list, TopicPartition{t.name, p.partition})
		}
	}
	slices.SortFunc(list, compareTopicPartitions)
	return list
}

func newConsumerGroup(g *group) *consumerGroup {
	// Both epochs begin at 1, with an empty plan.
	return &consumerGroup{group: g, epoch: 1, assignmentEpoch: 1, plan: make(map[string]partitionSet)}
}

func (k *consumerGroup) member(id string) *consumerMember {
	for _, m := range k.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

func (k *consumerGroup) instance(id string) *consumerMember {
	for _, m := range k.members {
		if m.instance != nil && *m.instance == id {
			return m
		}
	}
	return nil
}

// subscribes says whether a member consumes a topic.
func (m *consumerMember) subscribes(topic string) bool {
	return slices.Contains(m.topics, topic) || m.pattern != nil && m.pattern.MatchString(topic)
}

func (k *consumerGroup) consumes(topic string) bool {
	return slices.ContainsFunc(k.members, func(m *consumerMember) bool { return m.subscribes(topic) })
}

// becomeConsumerLocked has the group be one of the newer protocol, which one
// with members of the older can't.
func (g *group) becomeConsumerLocked() bool {
	if g.mu.consumer == nil && g.mu.classic.phase == phaseEmpty {
		g.mu.classic, g.mu.consumer = nil, newConsumerGroup(g)
	}
	return g.mu.consumer != nil
}

// becomeClassicLocked has the group be one of the older protocol, which one
// with members of the newer can't.
func (g *group) becomeClassicLocked() bool {
	if g.mu.classic == nil && len(g.mu.consumer.members) == 0 {
		g.mu.classic, g.mu.consumer = newClassicGroup(g), nil
	}
	return g.mu.classic != nil
}

// state is the group's state by Kafka's name.
func (k *consumerGroup) state() string {
	switch {
	case len(k.members) == 0:
		return string(phaseEmpty)
	case k.epoch > k.assignmentEpoch:
		return "Assigning"
	case slices.ContainsFunc(k.members, func(m *consumerMember) bool { return m.phase != memberStable || m.epoch != k.assignmentEpoch }):
		return "Reconciling"
	}
	return string(phaseStable)
}

// refresh notices changes of the topics that members subscribe to.
func (k *consumerGroup) refresh() (changed bool) {
	var b strings.Builder
	catalog := k.group.cluster.catalog.Load()
	for _, name := range slices.Sorted(maps.Keys(catalog.byName)) {
		if k.consumes(name) {
			t := catalog.byName[name]
			fmt.Fprintf(&b, "%s %x %d\n", name, t.id, len(t.partitions))
		}
	}
	changed = b.String() != k.topics
	k.topics = b.String()
	return changed
}

func (k *consumerGroup) bump() { k.epoch++ }

// remove takes a member out; the others get its partitions by the next plan.
func (k *consumerGroup) remove(m *consumerMember, cause DepartureCause, reason string) {
	k.members = slices.DeleteFunc(k.members, func(o *consumerMember) bool { return o == m })
	delete(k.plan, m.id)
	k.bump()
	k.refresh()
	k.group.departLocked(m.id, m.instance, cause, reason)
}

// next is when something is due.
func (k *consumerGroup) next() (next time.Time) {
	for _, m := range k.members {
		next = earlier(next, earlier(m.expires, m.revokeBy))
	}
	return next
}

// due removes members whose session is over, or who take too long to give up
// partitions.
func (k *consumerGroup) due(now time.Time) {
	for _, m := range slices.Clone(k.members) {
		if due(m.expires, now) {
			k.remove(m, DepartedSession, "")
		} else if due(m.revokeBy, now) {
			k.remove(m, DepartedRebalance, "")
		}
	}
}

// reload begins the sessions anew: all else was written to __consumer_offsets.
func (k *consumerGroup) reload(now time.Time) {
	for _, m := range k.members {
		m.expires = now.Add(k.group.cluster.opts.Groups.SessionTimeout)
		if !m.revokeBy.IsZero() {
			m.revokeBy = now.Add(m.rebalance)
		}
	}
}

// expel takes members out at an administrator's wish.
func (k *consumerGroup) expel(members []sarama.MemberIdentity) (list []sarama.MemberResponse) {
	for _, who := range members {
		resp := sarama.MemberResponse{MemberId: who.MemberId, GroupInstanceId: who.GroupInstanceId}
		m := k.member(who.MemberId)
		if who.GroupInstanceId != nil {
			m = k.instance(*who.GroupInstanceId)
		}
		switch {
		case m == nil:
			resp.Err = sarama.ErrUnknownMemberId
		case who.MemberId != "" && m.id != who.MemberId:
			resp.Err = sarama.ErrFencedInstancedId
		default:
			k.remove(m, DepartedLeft, deref(who.Reason))
		}
		list = append(list, resp)
	}
	return list
}

// mayFetch says whether someone may ask for offsets.
func (k *consumerGroup) mayFetch(id *string, epoch int32) sarama.KError {
	if id == nil && epoch < 0 {
		return sarama.ErrNoError // one who does not say
	}
	m := k.member(deref(id))
	switch {
	case m == nil:
		return sarama.ErrUnknownMemberId
	case m.epoch != epoch:
		return sarama.ErrStaleMemberEpoch
	}
	return sarama.ErrNoError
}

// commitByMember is the first version of OffsetCommit with which members of the
// newer protocol may commit.
const commitByMember = 9

// mayCommit says whether someone may commit offsets.
func (k *consumerGroup) mayCommit(id string, instance *string, epoch int32, version int16, inTransaction bool) sarama.KError {
	if epoch < 0 && len(k.members) == 0 || inTransaction && epoch == -1 && id == "" && instance == nil {
		return sarama.ErrNoError
	}
	m := k.member(id)
	switch {
	case m == nil:
		return sarama.ErrUnknownMemberId
	case !inTransaction && version < commitByMember:
		return sarama.ErrUnsupportedVersion
	case m.epoch != epoch:
		return sarama.ErrStaleMemberEpoch
	}
	return sarama.ErrNoError
}

func (k *consumerGroup) describe(s *GroupState) {
	c := k.group.cluster.catalog.Load()
	s.Type, s.State, s.ProtocolType, s.Protocol = GroupConsumer, k.state(), consumerProtocolType, k.preferred()
	s.Generation, s.AssignmentEpoch = k.epoch, k.assignmentEpoch
	for _, m := range k.members {
		member := GroupMember{
			ID: m.id, Instance: deref(m.instance), ClientID: m.clientID, ClientHost: m.clientHost, Rack: deref(m.rack), Epoch: m.epoch,
			SessionTimeout: k.group.cluster.opts.Groups.SessionTimeout, RebalanceTimeout: m.rebalance,
			Topics: slices.Clone(m.topics), Regex: m.regex,
			Partitions: m.assigned.named(c), Revoking: m.revoking.named(c), Target: k.plan[m.id].named(c),
		}
		if m.assignor != "" {
			member.Protocols = []string{m.assignor}
		}
		s.Members = append(s.Members, member)
	}
}
