package fakekafka_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/IBM/sarama"
)

// beater is a member of a group of the newer protocol, as a test plays it.
type beater struct {
	s      *script
	b      *sarama.Broker
	label  string
	id     string
	epoch  int32
	topics map[sarama.Uuid]string
	given  []sarama.ConsumerGroupTopicPartitions // last assignment
	owned  []sarama.ConsumerGroupTopicPartitions // what it says that it has
}

// topicIDs asks for the topics' ids.
func (s *script) topicIDs(b *sarama.Broker) map[sarama.Uuid]string {
	s.t.Helper()
	r, err := b.GetMetadata(&sarama.MetadataRequest{Version: 10})
	must(s.t, err)
	m := make(map[sarama.Uuid]string)
	for _, t := range r.Topics {
		m[t.Uuid] = t.Name
	}
	return m
}

func (s *script) beater(label string) *beater {
	s.t.Helper()
	b := &beater{s: s, b: s.conn(), label: label, id: fmt.Sprintf("member-%s-0123456789012345678901234567890", label)[:36]}
	b.topics = s.topicIDs(b.b)
	b.s.names[b.id] = label
	return b
}

// full is a request that says all: what a member sends first.
func (b *beater) full(topics ...string) *sarama.ConsumerGroupHeartbeatRequest {
	if b.owned == nil {
		b.owned = []sarama.ConsumerGroupTopicPartitions{}
	}
	return &sarama.ConsumerGroupHeartbeatRequest{
		Version: 1, GroupID: b.s.group, MemberID: b.id, MemberEpoch: b.epoch, RebalanceTimeoutMs: b.s.timeout,
		SubscribedTopicNames: topics, TopicPartitions: b.owned,
	}
}

// short is a request that says nothing but that the member is there.
func (b *beater) short() *sarama.ConsumerGroupHeartbeatRequest {
	return &sarama.ConsumerGroupHeartbeatRequest{Version: 1, GroupID: b.s.group, MemberID: b.id, MemberEpoch: b.epoch, RebalanceTimeoutMs: -1}
}

// owns is short with what the member has.
func (b *beater) owns() *sarama.ConsumerGroupHeartbeatRequest {
	req := b.short()
	req.TopicPartitions = b.owned
	return req
}

func (b *beater) partitions(list []sarama.ConsumerGroupTopicPartitions) string {
	var out []string
	for _, t := range list {
		name := b.topics[t.TopicID]
		if name == "" {
			b.topics = b.s.topicIDs(b.b)
			name = b.topics[t.TopicID]
		}
		for _, p := range t.Partitions {
			out = append(out, fmt.Sprintf("%s/%d", name, p))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// send sends a heartbeat and notes the answer.
func (b *beater) send(what string, req *sarama.ConsumerGroupHeartbeatRequest) *sarama.ConsumerGroupHeartbeatResponse {
	b.s.t.Helper()
	r := b.quiet(what, req)
	if r != nil {
		b.s.say("%s", b.text(what, r))
	}
	return r
}

func (b *beater) text(what string, r *sarama.ConsumerGroupHeartbeatResponse) string {
	given := "unchanged"
	if r.Assignment != nil {
		given = "[" + b.partitions(r.Assignment.TopicPartitions) + "]"
	}
	id := "null"
	if r.MemberID != nil {
		id = b.s.name(*r.MemberID)
	}
	return fmt.Sprintf("%s %s: %s %s epoch %d every %d %s", b.label, what, code(r.Err), id, r.MemberEpoch, r.HeartbeatIntervalMs, given)
}

func (b *beater) quiet(what string, req *sarama.ConsumerGroupHeartbeatRequest) *sarama.ConsumerGroupHeartbeatResponse {
	b.s.t.Helper()
	r, err := b.b.ConsumerGroupHeartbeat(req)
	if err != nil {
		b.s.say("%s %s: %v", b.label, what, err)
		return nil
	}
	if r.Err == sarama.ErrNoError && req.MemberEpoch >= 0 {
		b.id, b.epoch = *r.MemberID, r.MemberEpoch
		if r.Assignment != nil {
			b.given = r.Assignment.TopicPartitions
		}
	}
	return r
}

// settle has a member do what it is told, and heartbeat until nothing changes,
// noting only what it has then: Kafka works plans out in its own time.
func (b *beater) settle(others ...*beater) {
	b.s.t.Helper()
	all, failed := append([]*beater{b}, others...), false
	b.s.await("an end of what members are told", func() bool {
		quiet := true
		for _, m := range all {
			before, epoch := b.partitions(m.owned), m.epoch
			m.owned = m.given
			if m.owned == nil {
				m.owned = []sarama.ConsumerGroupTopicPartitions{}
			}
			r := m.quiet("settle", m.owns())
			if r == nil || r.Err != sarama.ErrNoError {
				b.s.say("%s settle: %v", m.label, r)
				failed = true
				return true
			}
			quiet = quiet && before == b.partitions(m.given) && epoch == m.epoch
		}
		r := b.s.describeConsumers(b, true)
		return quiet && r == "Stable"
	})
	if failed {
		return
	}
	for _, m := range all {
		b.s.say("%s settles with %d partitions", m.label, len(strings.Fields(b.partitions(m.given))))
	}
}

// awaitPlan waits until the group's plan is for those who are in it now.
func (b *beater) awaitPlan() {
	b.s.t.Helper()
	b.s.await("a plan", func() bool {
		r, err := b.b.ConsumerGroupDescribe(&sarama.ConsumerGroupDescribeRequest{Version: 1, GroupIDs: []string{b.s.group}})
		must(b.s.t, err)
		return r.Groups[0].GroupEpoch == r.Groups[0].AssignmentEpoch
	})
}

// settleAnew is settle after a change that the coordinator finds out in its own
// time, and that gives the member another epoch.
func (b *beater) settleAnew(epoch int32, others ...*beater) {
	b.s.t.Helper()
	b.s.await("another epoch", func() bool {
		if b.given != nil {
			b.owned = b.given // it gives up what it is told to, without which its epoch stays
		}
		for _, m := range others {
			m.quiet("beats", m.short())
		}
		r := b.quiet("beats", b.owns())
		return r == nil || r.Err != sarama.ErrNoError || r.MemberEpoch != epoch
	})
	b.settle(others...)
}

// settleWithOthers is settle after a change that gives the member other
// partitions.
func (b *beater) settleWithOthers(had string) {
	b.s.t.Helper()
	b.s.await("other partitions than "+had, func() bool {
		r := b.quiet("beats", b.owns())
		return r == nil || r.Err != sarama.ErrNoError || b.partitions(b.given) != had
	})
	b.settle()
}

// describeConsumers notes the group's state.
func (s *script) describeConsumers(b *beater, quiet bool) string {
	s.t.Helper()
	r, err := b.b.ConsumerGroupDescribe(&sarama.ConsumerGroupDescribeRequest{Version: 1, GroupIDs: []string{s.group}, IncludeAuthorizedOperations: true})
	must(s.t, err)
	g := r.Groups[0]
	if quiet {
		return g.GroupState
	}
	var list []string
	for _, m := range g.Members {
		null := func(s *string) string {
			if s == nil {
				return "null"
			}
			return *s
		}
		list = append(list, fmt.Sprintf("%s %s %s epoch %d %s %q %s has [%s] is to have [%s] type %d", s.name(m.MemberID), null(m.InstanceID),
			null(m.RackID), m.MemberEpoch, m.ClientID, m.SubscribedTopicNames, null(m.SubscribedTopicRegex),
			b.partitions(m.Assignment.TopicPartitions), b.partitions(m.TargetAssignment.TopicPartitions), m.MemberType))
	}
	slices.Sort(list)
	s.say("group: %s %s epoch %d plan %d %s operations %x", code(g.ErrorCode), g.GroupState, g.GroupEpoch, g.AssignmentEpoch, g.AssignorName, uint32(g.AuthorizedOperations))
	for _, l := range list {
		s.say("    %s", l)
	}
	return g.GroupState
}

func init() {
	groupScripts = append(groupScripts, []groupScript{
		{"consumer-refusals", true, func(s *script) {
			a := s.beater("a")
			req := a.full("t")
			req.Version, req.MemberID = 0, ""
			a.send("v0 without id", req)
			a.send("again", a.short())
			req = a.short()
			req.MemberEpoch = -1
			a.send("leaves", req)
			a = s.beater("a")
			for i := range refusedBeats {
				req := a.full("t")
				refusedBeats[i](req)
				a.epoch = 0
				a.send(fmt.Sprint(i), req)
			}
			s.describeConsumers(a, false)
		}},
		{"consumer-one", true, func(s *script) {
			a := s.beater("a")
			a.send("joins", a.full("t"))
			s.describeConsumers(a, false)
			a.settle()
			s.describeConsumers(a, false)
			a.send("full", a.full("t"))
			a.send("short", a.short())
			epoch := a.epoch
			req := a.short()
			req.MemberEpoch = epoch + 1
			a.send("greater epoch", req)
			req = a.short()
			req.MemberEpoch = epoch - 1
			a.send("smaller epoch", req)
			req = a.owns()
			req.MemberEpoch = epoch - 1
			a.send("smaller epoch, with partitions", req)
			req.MemberEpoch = epoch - 2
			a.send("much smaller epoch", req)
			a.send("other topics", a.full("t", "u"))
			a.settle()
			s.describeConsumers(a, false)
			a.send("no topics", a.full())
			req = a.full("none")
			a.send("unknown topic", req)
			a.settle()
			s.describeConsumers(a, false)
			a.epoch = 0
			a.owned = nil
			a.send("joins again", a.full("u"))
			a.settle()
			req = a.short()
			req.MemberEpoch = -1
			a.send("leaves", req)
			s.describeConsumers(a, false)
			a.send("short", a.short())
			r, err := a.b.DescribeGroups(&sarama.DescribeGroupsRequest{Version: 6, Groups: []string{s.group, "none"}})
			must(s.t, err)
			for _, g := range r.Groups {
				s.say("described: %s %s", code(g.Err), g.State)
			}
		}},
		{"consumer-two", true, func(s *script) {
			a, b := s.beater("a"), s.beater("b")
			a.send("joins", a.full("t"))
			a.settle()
			b.send("joins", b.full("t"))
			s.describeConsumers(a, false)
			a.awaitPlan()
			b.send("short", b.short())
			a.send("short", a.short())
			s.describeConsumers(a, false)
			a.send("short", a.short())
			a.send("still has them", a.owns())
			b.send("short", b.short())
			a.owned = a.given
			a.send("has given up", a.owns())
			b.send("short", b.short())
			s.describeConsumers(a, false)
			a.settle(b)
			s.describeConsumers(a, false)
			req := b.short()
			req.MemberEpoch = -1
			b.send("leaves", req)
			s.describeConsumers(a, false)
			a.settle()
			s.describeConsumers(a, false)
		}},
		{"consumer-static", true, func(s *script) {
			a, b, c := s.beater("a"), s.beater("b"), s.beater("c")
			static := func(req *sarama.ConsumerGroupHeartbeatRequest) *sarama.ConsumerGroupHeartbeatRequest {
				req.InstanceID = new("i")
				return req
			}
			a.send("joins", static(a.full("t")))
			a.settle()
			b.send("joins with the same instance", static(b.full("t")))
			epoch := a.epoch
			a.epoch, a.owned = 0, nil
			a.send("joins again", static(a.full("t")))
			a.epoch = epoch
			req := static(b.short())
			req.MemberEpoch = a.epoch
			b.send("beats as another", req)
			req.MemberEpoch = -1
			b.send("leaves as another", req)
			req = static(a.short())
			req.MemberEpoch = -2
			a.send("leaves for a while", req)
			s.describeConsumers(a, false)
			b.send("takes over", static(b.full("t")))
			s.describeConsumers(a, false)
			req = static(a.short())
			a.send("beats", req)
			a.send("beats without instance", a.short())
			req = static(b.short())
			b.send("beats", req)
			req.MemberEpoch = -1
			b.send("leaves", req)
			s.describeConsumers(a, false)
			c.send("joins", static(c.full("t")))
			c.settle()
		}},
		{"consumer-timeouts", true, func(s *script) {
			a, b := s.beater("a"), s.beater("b")
			req := a.full("t")
			req.RebalanceTimeoutMs = shortTimeout
			a.send("joins", req)
			a.settle()
			b.send("joins", b.full("t"))
			b.settle0()
			s.await("the end of a, who does not give up what it is to give up", func() bool {
				b.quiet("beats", b.short())
				r := a.quiet("beats", a.short())
				return r == nil || r.Err != sarama.ErrNoError
			})
			a.send("beats", a.short())
			b.settle()
			s.describeConsumers(b, false)
			s.await("the end of b, who is silent", func() bool { return s.describeConsumers(b, true) == "Empty" })
			b.send("beats", b.short())
			s.describeConsumers(b, false)
		}},
		{"consumer-commits", true, func(s *script) {
			a, b := s.beater("a"), s.beater("b")
			a.send("joins", a.full("t"))
			a.settle()
			commit := func(what string, version int16, id string, epoch int32) {
				req := &sarama.OffsetCommitRequest{Version: version, ConsumerGroup: s.group, ConsumerID: id, ConsumerGroupGeneration: epoch}
				topic := "t"
				if version >= 10 {
					for id, name := range a.topics {
						if name == "t" {
							topic = id.String()
						}
					}
					req.AddBlock("AAAAAAAAAAAAAAAAAAAABg", 0, 7, -1, "")
				}
				req.AddBlock(topic, 0, int64(version), -1, "m")
				req.AddBlock(topic, 1, int64(version), -1, "m")
				s.noteCommit(what, a.b, req)
			}
			commit("good", 9, a.id, a.epoch)
			commit("good 10", 10, a.id, a.epoch)
			commit("old version", 8, a.id, a.epoch)
			commit("stranger", 9, "x", 1)
			commit("nobody", 9, "", -1)
			commit("smaller", 9, a.id, a.epoch-1)
			commit("greater", 9, a.id, a.epoch+1)
			commit("none", 9, a.id, -1)
			commit("smaller 10", 10, a.id, a.epoch-1)
			fetch := func(id string, epoch int32) {
				req := &sarama.OffsetFetchRequest{Version: 9, Groups: []sarama.OffsetFetchRequestGroup{{GroupId: s.group}}}
				if id != "" {
					req.Groups[0].SetMember(id, epoch)
				}
				s.fetch(a.b, req)
			}
			fetch("", 0)
			fetch(a.id, a.epoch)
			fetch(a.id, a.epoch-1)
			fetch(a.id, a.epoch+1)
			fetch(a.id, -1)
			fetch("x", 1)
			ten := &sarama.OffsetFetchRequest{Version: 10, Groups: []sarama.OffsetFetchRequestGroup{{GroupId: s.group}}}
			s.fetch(a.b, ten)
			ten.AddGroupPartition(s.group, "AAAAAAAAAAAAAAAAAAAABg", 0)
			s.fetch(a.b, ten)
			// A member whose epoch has moved on, and the partitions that it keeps.
			before := a.epoch
			b.send("joins", b.full("t"))
			a.settle(b)
			s.say("epoch has moved: %v", a.epoch > before)
			commit("epoch before", 9, a.id, before)
			commit("epoch long before", 9, a.id, before-1)
			del := &sarama.DeleteOffsetsRequest{Group: s.group}
			del.AddPartition("t", 0)
			del.AddPartition("u", 0)
			r, err := a.b.DeleteOffsets(del)
			must(s.t, err)
			s.say("delete: %s %s", code(r.ErrorCode), partitionCodes(r.Errors))
			dg, err := a.b.DeleteGroups(&sarama.DeleteGroupsRequest{Version: 2, Groups: []string{s.group}})
			must(s.t, err)
			s.say("delete group: %s", code(dg.GroupErrorCodes[s.group]))
			s.noteLeave("admin", a.b, &sarama.LeaveGroupRequest{Version: 5, GroupId: s.group, Members: []sarama.MemberIdentity{
				{MemberId: b.id}, {MemberId: "x"}, {GroupInstanceId: new("x")}, {MemberId: a.id, GroupInstanceId: new("x")},
			}})
		}},
		{"consumer-and-classic", true, func(s *script) {
			m := s.member("m", 9)
			m.enter()
			m.sync()
			m.commit(9, 5)
			a := s.beater("a")
			a.send("joins a classic group", a.full("t"))
			req := a.short()
			req.MemberEpoch = 3
			a.send("beats in a classic group", req)
			req.MemberEpoch = -1
			a.send("leaves a classic group", req)
			s.describeConsumers(a, false)
			m.leave()
			a.send("beats in an empty group", func() *sarama.ConsumerGroupHeartbeatRequest { r := a.short(); r.MemberEpoch = 3; return r }())
			a.send("joins an empty group", a.full("t"))
			a.settle()
			s.fetchAll(a.b)
			s.describe(a.b)
			m.id = ""
			m.join()
			m.protocols = []string{"x=t"}
			m.kind = "connect"
			m.join()
			m.kind = "consumer"
			m.beat()
			m.sync()
			m.leave()
			list := func(states, types []string) {
				r, err := a.b.ListGroups(&sarama.ListGroupsRequest{Version: 5, StatesFilter: states, TypesFilter: types})
				must(s.t, err)
				s.say("list %v %v: %s %q %v", states, types, code(r.Err), r.Groups[s.group], r.GroupsData[s.group])
			}
			list(nil, nil)
			list([]string{"stable"}, []string{"Consumer"})
			list([]string{"Stable", "Empty"}, []string{"classic"})
			list([]string{"Dead"}, nil)
			list(nil, []string{"other"})
			req = a.short()
			req.MemberEpoch = -1
			a.send("leaves", req)
			list([]string{"Empty"}, nil)
			m.protocols = []string{"range=t"}
			m.id = ""
			m.enter()
			m.sync()
			list(nil, []string{"classic"})
			s.fetchAll(a.b)
			m.leave()
			dg, err := a.b.DeleteGroups(&sarama.DeleteGroupsRequest{Version: 2, Groups: []string{s.group, "none"}})
			must(s.t, err)
			s.say("delete groups: %s %s", code(dg.GroupErrorCodes[s.group]), code(dg.GroupErrorCodes["none"]))
			s.fetchAll(a.b)
			list(nil, nil)
		}},
		{"consumer-topics", true, func(s *script) {
			a, b := s.beater("a"), s.beater("b")
			topic := "topic-of-" + s.group
			a.send("joins without topics", a.full([]string{}...))
			req := a.full()
			req.SubscribedTopicNames = []string{}
			a.send("joins without topics", req)
			s.describeConsumers(a, false)
			b.send("joins", b.full("u"))
			a.settle(b)
			req = a.short()
			req.SubscribedTopicNames = []string{topic}
			a.send("changes", req)
			a.settle(b)
			epoch := a.epoch
			_, err := a.b.CreateTopics(&sarama.CreateTopicsRequest{Version: 4, Timeout: patience, TopicDetails: map[string]*sarama.TopicDetail{
				topic: {NumPartitions: 3, ReplicationFactor: 1},
			}})
			must(s.t, err)
			a.settleAnew(epoch, b)
			s.say("epochs since: %d", a.epoch-epoch)
			commit := &sarama.OffsetCommitRequest{Version: 9, ConsumerGroup: s.group, ConsumerID: a.id, ConsumerGroupGeneration: a.epoch}
			commit.AddBlock(topic, 0, 5, -1, "")
			r, err := a.b.CommitOffset(commit)
			must(s.t, err)
			s.say("commit: %s", code(r.Errors[topic][0]))
			epoch = a.epoch
			_, err = a.b.DeleteTopics(&sarama.DeleteTopicsRequest{Version: 4, Timeout: patience, Topics: []string{topic}})
			must(s.t, err)
			a.settleAnew(epoch, b)
			s.say("epochs since: %d", a.epoch-epoch)
			s.fetchAll(a.b)
			req = a.short()
			req.SubscribedTopicNames = []string{"t", "u"}
			a.send("changes", req)
			a.settle(b)
		}},
		{"consumer-full", true, func(s *script) {
			for i := range 5 {
				b := s.beater(fmt.Sprint(i))
				r := b.quiet("joins", b.full("u"))
				s.say("%d joins: %s", i, code(r.Err))
			}
		}},
		{"consumer-assignors", true, func(s *script) {
			a, b, c := s.beater("a"), s.beater("b"), s.beater("c")
			req := a.full("t", "u")
			req.ServerAssignor = new("range")
			a.send("joins", req)
			a.settle()
			b.send("joins", b.full("t", "u"))
			a.settle(b)
			s.describeConsumers(a, false)
			c.send("joins", c.full("u"))
			a.settle(b, c)
			req = a.full("t", "u")
			req.ServerAssignor = new("uniform")
			a.send("changes", req)
			a.settle(b, c)
		}},
		{"consumer-regex", true, func(s *script) {
			a := s.beater("a")
			req := a.full()
			req.SubscribedTopicNames, req.SubscribedTopicRegex = nil, new("t|z")
			a.quiet("joins", req)
			a.settleWithOthers("")
			req = a.full()
			req.SubscribedTopicNames, req.SubscribedTopicRegex = nil, new("(")
			a.send("bad", req)
			req.SubscribedTopicRegex = new("[tu]")
			had := a.partitions(a.given)
			a.quiet("changes", req)
			a.settleWithOthers(had)
			req.MemberEpoch, req.TopicPartitions = a.epoch, a.owned
			req.SubscribedTopicRegex, req.SubscribedTopicNames = new(""), []string{"t"}
			had = a.partitions(a.given)
			a.quiet("changes", req)
			a.settleWithOthers(had)
		}},
	}...)
}

// settle0 says what a member has, without more heartbeats.
func (b *beater) settle0() { b.s.say("%s has [%s]", b.label, b.partitions(b.given)) }

// refusedBeats are what is wrong with heartbeats.
var refusedBeats = []func(r *sarama.ConsumerGroupHeartbeatRequest){
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.MemberID = "" },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.GroupID = "" },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.InstanceID = new("") },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.RackID = new("") },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.RebalanceTimeoutMs = -1 },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.TopicPartitions = nil },
	func(r *sarama.ConsumerGroupHeartbeatRequest) {
		r.TopicPartitions = []sarama.ConsumerGroupTopicPartitions{{Partitions: []int32{1}}}
	},
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = nil },
	func(r *sarama.ConsumerGroupHeartbeatRequest) {
		r.Version, r.SubscribedTopicNames = 0, []string{}
	},
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -2 },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -3 },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.ServerAssignor = new("sticky") },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicRegex = new("(") },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = 7 },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -1 },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.GroupID, r.MemberEpoch = "none", 7 },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.GroupID, r.MemberEpoch = "none", -1 },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.MemberEpoch, r.InstanceID = 5, new("i") },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.MemberEpoch, r.InstanceID = -1, new("i") },
	func(r *sarama.ConsumerGroupHeartbeatRequest) { r.MemberEpoch, r.InstanceID = -2, new("i") },
}
