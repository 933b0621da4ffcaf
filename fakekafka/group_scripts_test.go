package fakekafka_test

import (
	"fmt"
	"strings"

	"github.com/IBM/sarama"
)

// groupScript is one run of requests.
type groupScript struct {
	name string
	new  bool // for Kafka 4 only
	run  func(*script)
}

// groupScripts are what both a real Kafka and the embedded cluster are put
// through.
var groupScripts = []groupScript{
	{"versions", false, func(s *script) {
		for version := range int16(10) {
			s.group = fmt.Sprintf("%s-%d", s.group, version)
			m := s.member("a", version)
			m.enter()
			m.beat()
			m.commit(max(2, min(version, 9)), 1)
			m.sync()
			m.beat()
			m.commit(max(2, min(version, 9)), 2)
			s.describe(m.b)
			s.fetchAll(m.b)
			m.leave()
			s.describe(m.b)
			s.fetchAll(m.b)
		}
	}},
	{"refusals", false, func(s *script) {
		m := s.member("a", 9)
		m.session = 99
		m.join()
		m.session = 1_800_001
		m.join()
		m.session = longTimeout
		m.id = "stranger"
		m.join()
		m.beat()
		m.sync()
		m.leave()
		m.commit(8, 1)
		if !s.old {
			m.generation = 5
			m.commit(8, 1)
			m.commit(9, 1)
		}
		m.id, m.generation = "", -1
		m.kind = ""
		m.join()
		m.kind = "consumer"
		m.protocols = nil
		m.join()
		m.protocols = []string{"range=t"}
		s.describe(m.b)
		m.enter()
		id := m.id
		m.id = "stranger"
		m.join()
		m.beat()
		m.sync()
		m.leave()
		m.commit(8, 1)
		m.id = id
		m.generation++
		m.beat()
		m.sync()
		m.commit(8, 1)
		m.generation--
		m.static("i")
		m.beat()
		m.sync()
		m.join()
		m.leave()
		m.instance = nil
		m.protocol = "other"
		m.sync()
		m.protocol = "range"
		m.kind = "connect"
		m.sync()
		m.kind = "consumer"
		m.sync()
		o := s.member("b", 9)
		o.kind = "connect"
		o.join()
		o.kind = "consumer"
		o.protocols = []string{"other=t"}
		o.join()
		o.id, o.generation = "", -1
		o.commit(8, 5)
		o.generation = 1
		o.commit(8, 5)
		s.fetchAll(m.b)
		s.group = ""
		m.join()
		m.beat()
		m.sync()
		m.leave()
		m.id, m.generation = "", -1
		m.commit(8, 7)
	}},
	{"rebalance", false, func(s *script) {
		a, b := s.member("a", 9), s.member("b", 7)
		a.enter()
		a.sync()
		b.join()
		a.beat()
		bj := b.start()
		s.describe(a.b)
		a.beat()
		a.commit(8, 3)
		a.sync()
		aj := a.start()
		aj()
		bj()
		s.describe(a.b)
		b.commit(8, 4)
		a.beat()
		bs := b.startSync()
		s.describe(a.b)
		a.sync()
		bs()
		s.describe(a.b)
		b.sync()
		b.join() // nothing has changed
		b.beat()
		b.protocols = []string{"range=u"}
		bj = b.start()
		a.beat()
		a.join()
		bj()
		bs = b.startSync()
		a.sync()
		bs()
		aj = a.start() // the leader has others join again
		b.beat()
		b.join()
		aj()
		bs = b.startSync()
		b2 := s.member("c", 3)
		cj := b2.start()
		bs()
		a.beat()
		bj, aj = b.start(), a.start()
		cj()
		aj()
		bj()
		a.sync()
		a.leave()
		b.beat()
		b.leave()
		b2.join()
		b2.leave()
		s.describe(b2.b)
	}},
	{"votes", false, func(s *script) {
		list := [][]string{{"x=t", "y=t", "z=t"}, {"y=t", "x=t"}, {"w=t", "y=t", "x=u"}}
		var members []*member
		for i, protocols := range list {
			m := s.member(fmt.Sprint(i), 3)
			m.protocols = protocols
			members = append(members, m)
		}
		members[0].join()
		first := members[1].start()
		again := members[0].start()
		first()
		again()
		waits := []func() *sarama.JoinGroupResponse{members[2].start(), members[1].start(), members[0].start()}
		for _, w := range waits {
			w()
		}
		o := s.member("o", 3)
		o.protocols = []string{"z=t"}
		o.join()
	}},
	{"lost-answers", false, func(s *script) {
		a := s.member("a", 9)
		a.enter()
		a.join() // in CompletingRebalance, with the same metadata
		a.protocols = []string{"range=u"}
		a.join() // and with other metadata
		a.sync()
		a.sync()
		a.join()
	}},
	{"session", false, func(s *script) {
		a, b := s.member("a", 9), s.member("b", 9)
		b.session = shortTimeout
		a.enter()
		a.sync()
		b.join()
		bj, aj := b.start(), a.start()
		aj()
		bj()
		bs := b.startSync()
		a.sync()
		bs()
		s.awaitMembers(1)
		b.beat()
		a.beat()
		s.describe(a.b)
		a.join()
		a.sync()
		s.describe(a.b)
	}},
	{"rebalance-timeout", false, func(s *script) {
		a, b := s.member("a", 9), s.member("b", 9)
		a.rebalance, b.rebalance = shortTimeout-1000, shortTimeout
		a.enter()
		a.sync()
		b.join()
		b.join() // a does not join again
		a.beat()
		a.join()
		s.describe(a.b)
		b.sync()
		s.describe(a.b)
	}},
	{"sync-timeout", false, func(s *script) {
		a, b := s.member("a", 9), s.member("b", 9)
		a.rebalance, b.rebalance = shortTimeout, shortTimeout
		a.enter()
		b.join()
		bj, aj := b.start(), a.start()
		aj()
		bj()
		b.sync() // the leader does not
		a.beat()
		b.beat()
		s.describe(a.b)
		b.join()
		b.sync()
		s.describe(a.b)
	}},
	{"pending", false, func(s *script) {
		a, b := s.member("a", 9), s.member("b", 9)
		a.join()
		s.describe(a.b)
		a.beat()
		a.sync()
		a.leave()
		a.join()
		a.id = ""
		a.enter()
		a.sync()
		b.session = shortTimeout
		b.join()
		a.protocols = []string{"range=u"}
		a.join() // waits until b's id is forgotten
		b.join()
		b.session = longTimeout
		a.sync()
		b.id = ""
		b.join()
		b.static("i")
		b.join()
		b.beat()
	}},
	{"static", false, func(s *script) {
		a, b := s.member("a", 9).static("i-a"), s.member("b", 9).static("i-b")
		a.enter()
		a.sync()
		bj, aj := b.start(), a.start()
		aj()
		bj()
		bs := b.startSync()
		a.sync()
		bs()
		// The follower comes again, under another id.
		b2 := s.member("b2", 9).static("i-b")
		b2.join()
		b2.beat()
		b.beat()
		b.sync()
		b.commit(8, 1)
		b.leave()
		b2.sync()
		b2.commit(8, 2)
		a.beat()
		// The leader does.
		a2 := s.member("a2", 9).static("i-a")
		a2.join()
		a2.sync()
		a.beat()
		a3 := s.member("a3", 8).static("i-a")
		a3.join()
		a3.beat()
		a3.sync()
		b2.beat()
		s.describe(a.b)
		// With other metadata.
		b3 := s.member("b3", 9).static("i-b")
		b3.protocols = []string{"range=u"}
		b3.join()
		b3.beat()
		a3.beat()
		s.describe(a.b)
		// With another strategy.
		b4 := s.member("b4", 9).static("i-b")
		b4.protocols = []string{"range=t", "other=t"}
		b4.join()
		b5 := s.member("b5", 9).static("i-b")
		b5.protocols = []string{"other=t"}
		b5.join()
		// Unknown to the group.
		c := s.member("c", 9).static("i-c")
		c.id = b4.id
		c.join()
		c.id = ""
		cj := c.start()
		bj, aj = b4.start(), a3.start()
		cj()
		bj()
		aj()
		d := s.member("d", 9).static("i-c")
		dj := d.start() // in CompletingRebalance
		c.beat()
		a3.beat()
		aj = a3.start()
		e := s.member("e", 9).static("i-b")
		ej := e.start() // in PreparingRebalance
		aj()
		dj()
		ej()
		b4.beat()
		s.describe(a.b)
		s.noteLeave("admin", a.b, &sarama.LeaveGroupRequest{Version: 5, GroupId: s.group, Members: []sarama.MemberIdentity{
			{GroupInstanceId: new("i-a")}, {GroupInstanceId: new("i-x")}, {MemberId: "x"}, {MemberId: e.id, GroupInstanceId: new("i-c")}, {},
		}})
		s.describe(a.b)
	}},
	{"static-waiting", false, func(s *script) {
		a, b := s.member("a", 9).static("i-a"), s.member("b", 9).static("i-b")
		a.rebalance, b.rebalance, a.session = shortTimeout, shortTimeout, 3*shortTimeout
		a.enter()
		a.sync()
		bj := b.start()
		bj() // static members stay, though they have not joined again
		b.leader = true
		s.describe(b.b)
		a.beat()
		b.sync()
		s.describe(b.b)
		c, d := s.member("c", 9).static("i-b"), s.member("d", 9).static("i-b")
		c.protocols = []string{"range=t", "x=t"}
		c.join()
		cj := c.start()
		dj := d.start() // fences c, who waits, and waits until the session of a ends
		cj()
		dj()
	}},
	{"full", false, func(s *script) {
		var list []*member
		var waits []func() *sarama.JoinGroupResponse
		for i := range 4 {
			m := s.member(fmt.Sprint(i), 3)
			list = append(list, m)
			if i == 0 {
				m.join()
				m.sync()
				continue
			}
			waits = append(waits, m.start())
		}
		o := s.member("o", 3)
		waits = append(waits, list[0].start())
		for _, w := range waits {
			w()
		}
		o.join()
		p := s.member("p", 9)
		p.join()
		p.id = "x"
		p.join()
	}},
	{"leave-waiting", false, func(s *script) {
		a, b, o := s.member("a", 9), s.member("b", 9), s.conn()
		leave := func(id string) {
			s.noteLeave("o", o, &sarama.LeaveGroupRequest{Version: 5, GroupId: s.group, Members: []sarama.MemberIdentity{{MemberId: id}}})
		}
		a.enter()
		a.sync()
		b.join()
		bj := b.start() // waits for a
		leave(b.id)
		bj()
		s.describe(o)
		a.beat()
		aj := a.start()
		aj()
		a.sync()
		b.id = ""
		b.join()
		bj, aj = b.start(), a.start()
		aj()
		bj()
		leave(a.id) // who has not made a plan
		s.describe(o)
		b.beat()
		b.sync()
		b.join()
		b.sync()
		c := s.member("c", 9)
		c.join()
		b.protocols = []string{"range=u"}
		bj = b.start() // waits for c, who only has an id
		s.describe(o)
		leave(c.id)
		bj()
		s.describe(o)
		leave(b.id)
		s.describe(o)
	}},
	{"static-leaves", false, func(s *script) {
		a, o := s.member("a", 9).static("i"), s.conn()
		a.session = shortTimeout
		a.enter()
		a.sync()
		s.awaitMembers(0)
		s.describe(o)
		a.beat()
		a.session = longTimeout
		a.id = ""
		a.enter()
		a.protocols = []string{"range=u"}
		a.join()
		a.join() // in CompletingRebalance, with the same
		a.sync()
		a.join() // the leader, in Stable
		a.leave()
		s.describe(o)
	}},
	{"admin", false, func(s *script) {
		m := s.member("m", 9)
		del := func() {
			r, err := m.b.DeleteGroups(&sarama.DeleteGroupsRequest{Version: 2, Groups: []string{s.group, "none"}})
			must(s.t, err)
			s.say("delete: %s %s", code(r.GroupErrorCodes[s.group]), code(r.GroupErrorCodes["none"]))
		}
		list := func(states, types []string) {
			r, err := m.b.ListGroups(&sarama.ListGroupsRequest{Version: 5, StatesFilter: states, TypesFilter: types})
			must(s.t, err)
			kind, ok := r.Groups[s.group]
			s.say("list %v %v: %s %v %q %v", states, types, code(r.Err), ok, kind, r.GroupsData[s.group])
		}
		describe := func() {
			for version := range int16(7) {
				if version == 6 && s.old {
					continue
				}
				r, err := m.b.DescribeGroups(&sarama.DescribeGroupsRequest{Version: version, Groups: []string{s.group, "none"}, IncludeAuthorizedOperations: version >= 3})
				must(s.t, err)
				for _, g := range r.Groups {
					s.say("described v%d: %s %s %q %q %d members %x why %v", version, code(g.Err), g.State, g.ProtocolType, g.Protocol, len(g.Members), uint32(g.AuthorizedOperations), g.ErrorMessage != nil)
				}
			}
		}
		del()
		list(nil, nil)
		describe()
		m.commit(8, 1)
		list(nil, nil)
		describe()
		del()
		s.fetchAll(m.b)
		m.join()
		list([]string{"Empty"}, nil)
		del()
		m.join()
		m.id = ""
		m.enter()
		list([]string{"CompletingRebalance"}, []string{"classic"})
		del()
		m.sync()
		list([]string{"stable", "Empty"}, []string{"Classic"})
		list([]string{"Empty"}, nil)
		list([]string{"nonsense"}, nil)
		list(nil, []string{"consumer"})
		describe()
		del()
		m.leave()
		list(nil, nil)
		del()
		describe()
		list(nil, nil)
		for version := range int16(7) {
			for _, kind := range []sarama.CoordinatorType{0, 9} {
				r, err := m.b.FindCoordinator(&sarama.FindCoordinatorRequest{Version: version, CoordinatorKey: s.group, CoordinatorType: kind})
				if err != nil {
					s.say("find v%d %d: %v", version, kind, err)
					continue
				}
				s.say("find v%d %d: %s %v", version, kind, code(r.Err), r.Coordinator != nil)
			}
		}
	}},
	{"offsets", false, func(s *script) {
		b := s.conn()
		s.fetchAll(b)
		commit := func(version int16, generation int32, metadata string, at ...string) {
			req := &sarama.OffsetCommitRequest{Version: version, ConsumerGroup: s.group, ConsumerGroupGeneration: generation}
			for i, p := range at {
				topic, id, _ := strings.Cut(p, "/")
				req.AddBlockWithLeaderEpoch(topic, int32(id[0]-'0'), int64(10*i), 3, -1, metadata)
			}
			s.noteCommit("x", b, req)
		}
		commit(8, -1, "m", "t/0", "t/1", "t/2", "nope/0")
		commit(8, -1, strings.Repeat("m", 4096), "u/0")
		commit(8, -1, strings.Repeat("m", 4097), "u/1")
		commit(8, 3, "m", "u/1")
		commit(8, 3, "m", "nope/1")
		commit(2, -1, "", "u/2")
		s.describe(b)
		for version := int16(1); version <= 7; version++ {
			req := &sarama.OffsetFetchRequest{Version: version, ConsumerGroup: s.group}
			req.AddPartition("t", 0)
			req.AddPartition("t", 7)
			req.AddPartition("nope", 0)
			s.fetch(b, req)
		}
		for version := int16(8); version <= 9; version++ {
			req := &sarama.OffsetFetchRequest{Version: version, Groups: []sarama.OffsetFetchRequestGroup{{GroupId: s.group}, {GroupId: "none"}, {GroupId: ""}}}
			req.AddGroupPartition("none", "t", 0)
			s.fetch(b, req)
		}
		del := func(at ...string) {
			req := &sarama.DeleteOffsetsRequest{Group: s.group}
			for _, p := range at {
				topic, id, _ := strings.Cut(p, "/")
				req.AddPartition(topic, int32(id[0]-'0'))
			}
			r, err := b.DeleteOffsets(req)
			must(s.t, err)
			s.say("delete: %s %s", code(r.ErrorCode), partitionCodes(r.Errors))
		}
		del("t/0", "t/5", "nope/0", "u/1")
		s.fetchAll(b)
		m := s.member("m", 9)
		m.enter()
		del("t/1", "u/0")
		m.sync()
		del("t/1", "u/1")
		m.leave()
		del("t/1")
		s.fetchAll(b)
		s.group += "-connect"
		m.kind, m.id = "connect", ""
		m.enter()
		del("t/1")
		s.group += "-none"
		del("t/1")
	}},
}
