package fakekafka_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// plans is what the members of generations were told, to be compared.
type plans struct {
	t  *testing.T
	mu sync.Mutex
	by map[int32]string // leader and protocol of a generation
}

func (p *plans) joined(r *sarama.JoinGroupResponse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	is := r.LeaderId + " " + r.GroupProtocol
	if was, ok := p.by[r.GenerationId]; ok && was != is {
		p.t.Errorf("generation %d: leader and protocol are %q and %q", r.GenerationId, was, is)
	}
	p.by[r.GenerationId] = is
}

// run has a member join, sync and heartbeat as clients do, until stop is closed.
func (m *member) run(p *plans, rnd *rand.Rand, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		r, err := m.b.JoinGroup(m.joinRequest())
		must(p.t, err)
		switch r.Err {
		case sarama.ErrNoError:
			p.joined(r)
		case sarama.ErrMemberIdRequired:
			m.id = r.MemberId
			continue
		case sarama.ErrUnknownMemberId:
			m.id = ""
			continue
		case sarama.ErrRebalanceInProgress:
			continue
		default:
			p.t.Errorf("%s joins: %v", m.label, r.Err)
			return
		}
		m.id, m.generation, m.protocol = r.MemberId, r.GenerationId, r.GroupProtocol
		sync := &sarama.SyncGroupRequest{Version: 3, GroupId: m.s.group, GenerationId: m.generation, MemberId: m.id}
		for i, o := range r.Members {
			sync.AddGroupAssignment(o.MemberId, fmt.Appendf(nil, "%d of %d", m.generation, i))
		}
		if rnd.IntN(10) == 0 {
			time.Sleep(time.Duration(rnd.IntN(5)) * time.Second)
		}
		sr, err := m.b.SyncGroup(sync)
		must(p.t, err)
		switch sr.Err {
		case sarama.ErrNoError:
			var generation, part int32
			if _, err := fmt.Sscanf(string(sr.MemberAssignment), "%d of %d", &generation, &part); err != nil || generation != m.generation {
				p.t.Errorf("%s in generation %d got the plan %q", m.label, m.generation, sr.MemberAssignment)
			}
		case sarama.ErrUnknownMemberId:
			m.id = ""
			continue
		case sarama.ErrRebalanceInProgress, sarama.ErrIllegalGeneration:
			continue
		default:
			p.t.Errorf("%s syncs: %v", m.label, sr.Err)
			return
		}
		if m.beats(rnd, stop) {
			return
		}
	}
}

// beats heartbeats until the member has to join again, or is to stop.
func (m *member) beats(rnd *rand.Rand, stop <-chan struct{}) (stopped bool) {
	for {
		select {
		case <-time.After(time.Second):
		case <-stop:
			if rnd.IntN(2) == 0 { // or it is just gone
				m.leave()
			}
			return true
		}
		switch heartbeat(m.s.t, m.b, m) {
		case sarama.ErrNoError:
		case sarama.ErrUnknownMemberId:
			m.id = ""
			return false
		default:
			return false
		}
	}
}

// Members come, go and die at random. Whoever is there in the end is in a
// stable group with everyone else.
func TestGroupStorm(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			cluster := fakekafka.New(t, one())
			p := &plans{t: t, by: make(map[int32]string)}
			running := make(map[string]chan struct{})
			var all sync.WaitGroup
			start := func(i int) {
				m := player(t, cluster, 1, "g").member(fmt.Sprint(i), int16(3+rnd.IntN(7)))
				m.session, m.rebalance = 6000, 8000
				m.protocols = [][]string{{"a=t", "b=t"}, {"b=t", "a=t"}, {"b=t"}}[rnd.IntN(3)]
				stop, own := make(chan struct{}), rand.New(rand.NewPCG(seed, uint64(i)))
				running[m.label] = stop
				all.Go(func() { m.run(p, own, stop) })
			}
			for i := range 40 {
				start(i)
				time.Sleep(time.Duration(rnd.IntN(4000)) * time.Millisecond)
				if len(running) > 6 || rnd.IntN(3) == 0 {
					label := slices.Sorted(maps.Keys(running))[rnd.IntN(len(running))]
					close(running[label])
					delete(running, label)
				}
			}
			time.Sleep(time.Minute)
			s := state(t, cluster, "g")
			if s.State != "Stable" || len(s.Members) != len(running) || len(s.Pending) != 0 {
				t.Errorf("seed %d: group is %s with %d members, want %d; pending %v", seed, s.State, len(s.Members), len(running), s.Pending)
			}
			for _, stop := range running {
				close(stop)
			}
			all.Wait()
			time.Sleep(time.Minute)
			if s := state(t, cluster, "g"); s.State != "Empty" || s.Generation <= int32(len(p.by)-1) {
				t.Errorf("seed %d: group is %s in generation %d at the end", seed, s.State, s.Generation)
			}
		})
	}
}

// consumers are members of the newer protocol, and what they use.
type consumers struct {
	t       *testing.T
	cluster *fakekafka.Cluster
	b       *sarama.Broker
	list    []*consumerMember
	users   map[string]string // of partitions
}

type consumerMember struct {
	id, instance string
	epoch        int32
	topics       []string
	assignor     *string
	using        map[sarama.Uuid][]int32
	told         map[sarama.Uuid][]int32 // what it is to use once it has given up the rest
}

func (m *consumerMember) owned() []sarama.ConsumerGroupTopicPartitions {
	list := []sarama.ConsumerGroupTopicPartitions{}
	for id, partitions := range m.using {
		list = append(list, sarama.ConsumerGroupTopicPartitions{TopicID: id, Partitions: partitions})
	}
	return list
}

// drop has a member use nothing any more.
func (c *consumers) drop(m *consumerMember) {
	for id, partitions := range m.using {
		for _, p := range partitions {
			delete(c.users, fmt.Sprint(id, p))
		}
	}
	m.using, m.told = make(map[sarama.Uuid][]int32), make(map[sarama.Uuid][]int32)
}

// release has a member give up what it has been told to.
func (c *consumers) release(m *consumerMember) {
	told := m.told
	c.drop(m)
	for id, partitions := range told {
		for _, p := range partitions {
			c.users[fmt.Sprint(id, p)] = m.id
		}
	}
	m.using, m.told = maps.Clone(told), told
}

// beat sends a heartbeat, and takes up what it is given: only one member at a
// time uses a partition. What it is to give up it goes on using until release.
func (c *consumers) beat(m *consumerMember) {
	req := &sarama.ConsumerGroupHeartbeatRequest{
		Version: 1, GroupID: "g", MemberID: m.id, MemberEpoch: m.epoch, RebalanceTimeoutMs: -1, TopicPartitions: m.owned(),
		SubscribedTopicNames: m.topics, ServerAssignor: m.assignor,
	}
	if m.instance != "" {
		req.InstanceID = &m.instance
	}
	if m.epoch == 0 {
		req.RebalanceTimeoutMs = 40_000
	}
	r, err := c.b.ConsumerGroupHeartbeat(req)
	must(c.t, err)
	switch r.Err {
	case sarama.ErrNoError:
	case sarama.ErrFencedMemberEpoch, sarama.ErrUnknownMemberId:
		c.drop(m)
		m.epoch = 0
		return
	default:
		c.t.Fatalf("heartbeat of %s: %v", m.id, r.Err)
	}
	m.epoch = r.MemberEpoch
	if r.Assignment == nil {
		return
	}
	m.told = make(map[sarama.Uuid][]int32)
	for _, t := range r.Assignment.TopicPartitions {
		m.told[t.TopicID] = t.Partitions
		for _, p := range t.Partitions {
			if slices.Contains(m.using[t.TopicID], p) {
				continue
			}
			at := fmt.Sprint(t.TopicID, p)
			if user := c.users[at]; user != "" {
				c.t.Fatalf("partition %s of %s is given to %s while %s uses it", at, t.TopicName, m.id, user)
			}
			c.users[at] = m.id
			m.using[t.TopicID] = append(slices.Clip(m.using[t.TopicID]), p)
		}
	}
}

func (c *consumers) leave(m *consumerMember, epoch int32) {
	req := &sarama.ConsumerGroupHeartbeatRequest{Version: 1, GroupID: "g", MemberID: m.id, MemberEpoch: epoch, RebalanceTimeoutMs: -1}
	if m.instance != "" {
		req.InstanceID = &m.instance
	}
	r, err := c.b.ConsumerGroupHeartbeat(req)
	must(c.t, err)
	if m.epoch != 0 {
		wantErr(c.t, r.Err, sarama.ErrNoError)
	}
	c.drop(m)
}

// even checks that no member has two partitions more than another that could
// have one of them, and that all are used by who subscribes to them.
func (c *consumers) even() {
	c.t.Helper()
	s := state(c.t, c.cluster, "g")
	subscribed := make(map[string]bool)
	total := 0
	for _, m := range s.Members {
		total += len(m.Partitions)
		for _, topic := range m.Topics {
			subscribed[topic] = true
		}
		for _, p := range m.Partitions {
			if !slices.Contains(m.Topics, p.Topic) {
				c.t.Fatalf("%s has %v and does not subscribe to it", m.ID, p)
			}
			for _, o := range s.Members {
				if slices.Contains(o.Topics, p.Topic) && len(o.Partitions)+1 < len(m.Partitions) && s.Protocol == "uniform" {
					c.t.Fatalf("%s has %d partitions, %s has %d and could have %v", m.ID, len(m.Partitions), o.ID, len(o.Partitions), p)
				}
			}
		}
	}
	want := 0
	for topic, n := range map[string]int{"x": 7, "y": 4, "z": 12} {
		if subscribed[topic] {
			want += n
		}
	}
	if s.State != "Stable" && len(s.Members) > 0 || total != want || len(c.users) != want {
		c.t.Fatalf("group is %s, %d partitions of %d have a member, %d a user", s.State, total, want, len(c.users))
	}
}

func TestConsumerGroupStorm(t *testing.T) {
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			opts := one()
			opts.Topics = []fakekafka.Topic{{Name: "x", Partitions: 7}, {Name: "y", Partitions: 4}, {Name: "z", Partitions: 12}}
			if seed%2 == 1 {
				opts.Groups.AssignmentInterval = time.Second
			}
			cluster := fakekafka.New(t, opts)
			c := &consumers{t: t, cluster: cluster, b: dial(t, cluster, 1), users: make(map[string]string)}
			topics := [][]string{{"x", "y", "z"}, {"x"}, {"y", "z"}, {"none"}}
			for i := range 300 {
				switch rnd.IntN(12) {
				case 0, 1:
					if len(c.list) < 8 {
						m := &consumerMember{id: fmt.Sprint("m", i), topics: topics[0]}
						c.drop(m)
						if seed >= 2 {
							m.topics = topics[rnd.IntN(len(topics))]
						}
						if rnd.IntN(4) == 0 {
							m.instance = fmt.Sprint("i", i)
						}
						if seed >= 4 && rnd.IntN(2) == 0 {
							m.assignor = new("range")
						}
						c.list = append(c.list, m)
					}
				case 2:
					if len(c.list) > 0 {
						at := rnd.IntN(len(c.list))
						m := c.list[at]
						switch how := rnd.IntN(3); {
						case how == 0 && m.instance != "" && m.epoch != 0: // is back under another id
							c.leave(m, -2)
							m.id, m.epoch = m.id+"'", 0
							continue
						case how == 1: // is dead, and found out about before its partitions are given away
							c.drop(m)
						default:
							c.leave(m, -1)
						}
						c.list = slices.Delete(c.list, at, at+1)
					}
				case 3:
					if len(c.list) > 0 && seed >= 2 {
						c.list[rnd.IntN(len(c.list))].topics = topics[rnd.IntN(len(topics))]
					}
				default:
					for _, m := range c.list {
						if rnd.IntN(2) == 0 {
							c.release(m)
						}
						if rnd.IntN(3) > 0 {
							c.beat(m)
						}
					}
				}
				time.Sleep(time.Duration(rnd.IntN(1000)) * time.Millisecond)
			}
			for range 60 {
				time.Sleep(time.Second)
				for _, m := range c.list {
					c.release(m)
					c.beat(m)
				}
			}
			c.even()
		})
	}
}

func TestConsumerGroupTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := one()
		opts.Groups.AssignmentInterval = time.Second
		cluster := fakekafka.New(t, opts)
		s := player(t, cluster, 1, "g")
		a, b := s.beater("a"), s.beater("b")
		req := a.full("t")
		req.RebalanceTimeoutMs = 20_000
		a.send("joins", req)
		b.send("joins", b.full("t"))
		if got := wantState(t, cluster, "g", "Assigning", 3); len(got.Members) != 2 || got.AssignmentEpoch != 2 {
			t.Fatalf("group %+v", got)
		}
		time.Sleep(time.Second)
		b.send("beats", b.short())
		a.send("beats", a.short()) // and has 20 s to give a partition up
		got := wantState(t, cluster, "g", "Reconciling", 3)
		if m := got.Members[0]; len(m.Revoking) != 1 || len(m.Partitions) != 1 || !slices.Equal(m.Target, m.Partitions) {
			t.Fatalf("member %+v", m)
		}
		for range 2 {
			time.Sleep(9900 * time.Millisecond)
			a.send("beats", a.short())
			b.send("beats", b.short())
			wantState(t, cluster, "g", "Reconciling", 3)
		}
		time.Sleep(300 * time.Millisecond)
		if got = wantState(t, cluster, "g", "Assigning", 4); got.Departures[0].Cause != fakekafka.DepartedRebalance {
			t.Fatalf("departures %+v", got.Departures)
		}
		time.Sleep(45 * time.Second)
		got = wantState(t, cluster, "g", "Empty", 5)
		if got.Departures[1].Cause != fakekafka.DepartedSession {
			t.Fatalf("departures %+v", got.Departures)
		}
	})
}

// Topics that are made, and partitions that are added, are shared out.
func TestConsumerGroupFollowsTopics(t *testing.T) {
	cluster := fakekafka.New(t, fakekafka.Options{InMemory: true})
	s := player(t, cluster, 1, "g")
	a := s.beater("a")
	req := a.full()
	req.SubscribedTopicRegex = new("log-.*")
	a.send("joins", req)
	must(t, cluster.CreateTopic(fakekafka.Topic{Name: "log-a", Partitions: 2}))
	must(t, cluster.CreateTopic(fakekafka.Topic{Name: "blog-a", Partitions: 2}))
	for _, want := range []string{"log-a/0 log-a/1", "log-a/0 log-a/1 log-a/2 log-a/3", ""} {
		a.settle()
		if got := a.partitions(a.given); got != want {
			t.Fatalf("has %s, want %s", got, want)
		}
		switch want {
		case "log-a/0 log-a/1":
			must(t, cluster.AddPartitions("log-a", 4))
		default:
			if want != "" {
				must(t, cluster.DeleteTopic("log-a"))
			}
		}
	}
}
