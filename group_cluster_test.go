package sarama_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// memorySite is the embedded cluster with connections in memory, for tests in
// bubbles.
func memorySite(t *testing.T, opts fakekafka.Options) *site {
	t.Helper()
	opts.Brokers, opts.InMemory = 3, true
	opts.Groups.HeartbeatInterval = 200 * time.Millisecond
	c := fakekafka.New(t, opts)
	return &site{addrs: c.Addrs(), version: sarama.MaxVersion, brokers: 3, fake: c}
}

func (s *site) memoryConfig(kind groupKind) *sarama.Config {
	conf := s.groupConfig(kind)
	conf.Consumer.Group.Session.Timeout, conf.Consumer.Group.Rebalance.Timeout = 6*time.Second, 10*time.Second
	conf.MetricRegistry = nil
	conf.Metadata.RefreshFrequency = 0
	s.fake.Configure(conf)
	return conf
}

func eachGroupKind(t *testing.T, run func(t *testing.T, kind groupKind)) {
	for _, kind := range groupKinds {
		t.Run(kind.name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { run(t, kind) }) })
	}
}

// appendTo writes n messages to each partition.
func (s *site) appendTo(t *testing.T, topic string, partitions, n int) {
	t.Helper()
	for p := range partitions {
		for range n {
			if _, err := s.fake.Append(topic, int32(p), fakekafka.Record{Value: []byte("v")}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// stormSeeds is how many storms there are.
const stormSeeds = 3

// TestGroupStormInMemory has members join and leave, coordinators move, brokers
// stop, connections be cut and answers come late: no message is missed, no
// partition has two owners, no offset is stored unprocessed, and no commit
// overtakes another.
func TestGroupStormInMemory(t *testing.T) {
	seeds := uint64(stormSeeds)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			eachGroupKind(t, func(t *testing.T, kind groupKind) { stormInMemory(t, kind, seed) })
		})
	}
}

func stormInMemory(t *testing.T, kind groupKind, seed uint64) {
	const partitions = 8
	s := memorySite(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "t", Partitions: partitions, ReplicationFactor: 3}}})
	random := rand.New(rand.NewPCG(seed, 1))
	defer s.fake.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
		return &fakekafka.Reply{AnswerDelay: time.Duration(rand.IntN(5000)) * time.Microsecond}
	})()
	l := newGroupLedger(t)
	l.processing = 200 * time.Microsecond
	sent := 0
	var members []*groupRunner
	for i := range 60 {
		s.appendTo(t, "t", partitions, 5)
		sent += 5 * partitions
		switch what := random.IntN(10); {
		case len(members) == 0 || what < 3 && len(members) < 5:
			members = append(members, startMember(t, l, fmt.Sprintf("m%d", i), "g", s.addrs, s.memoryConfig(kind), "t"))
		case what < 5:
			at := random.IntN(len(members))
			m := members[at]
			members = slices.Delete(members, at, at+1)
			m.stop()
		case what < 6:
			_ = s.fake.MoveCoordinator("g", int32(1+random.IntN(3)))
		case what < 7:
			s.fake.CutConnections(int32(1 + random.IntN(3)))
		case what < 8:
			broker := int32(1 + random.IntN(3))
			if s.fake.StopBroker(broker) == nil {
				time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
				if err := s.fake.RestartBroker(broker); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
	}
	last := startMember(t, l, "last", "g", s.addrs, s.memoryConfig(kind), "t")
	l.awaitCount(sent)
	for _, m := range append(members, last) {
		m.stop()
	}
	group, _ := s.fake.Group("g")
	for p := range int32(partitions) {
		stored := group.Offsets[fakekafka.TopicPartition{Topic: "t", Partition: p}].Offset
		if processed, missing := l.processedBelow("t", p, stored); missing || processed != stored {
			t.Errorf("t/%d: %d is stored, %d messages were processed", p, stored, processed)
		}
	}
	for _, d := range group.Departures {
		if d.Cause != fakekafka.DepartedLeft {
			t.Logf("%s has departed: %s", d.Member, d.Cause)
		}
	}
}

// TestCommitsOfAGroupDoNotGoBack looks at all that was stored while a handler
// marks fast and slowly.
func TestCommitsOfAGroupDoNotGoBack(t *testing.T) {
	eachGroupKind(t, func(t *testing.T, kind groupKind) {
		s := memorySite(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "t", Partitions: 3}}})
		defer s.fake.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
			return &fakekafka.Reply{AnswerDelay: time.Duration(rand.IntN(300)) * time.Millisecond}
		})()
		conf := s.memoryConfig(kind)
		conf.Consumer.Offsets.AutoCommit.Interval = 10 * time.Millisecond
		l := newGroupLedger(t)
		l.processing = 10 * time.Millisecond
		m := startMember(t, l, "m", "g", s.addrs, conf, "t")
		s.appendTo(t, "t", 3, 100)
		l.awaitCount(300)
		m.stop()
		highest := make(map[fakekafka.TopicPartition]int64)
		commits := s.fake.Commits("g")
		for _, c := range commits {
			at := fakekafka.TopicPartition{Topic: c.Topic, Partition: c.Partition}
			if c.Offset < highest[at] {
				t.Errorf("%v: %d is stored after %d", at, c.Offset, highest[at])
			}
			highest[at] = c.Offset
		}
		for at, offset := range highest {
			if offset != 100 {
				t.Errorf("%v: %d is stored in the end", at, offset)
			}
		}
		if len(commits) < 9 {
			t.Errorf("only %d commits", len(commits))
		}
	})
}

// TestStaticMemberKeepsItsPartitions over a restart that is shorter than its
// session (KIP-345).
func TestStaticMemberKeepsItsPartitions(t *testing.T) {
	eachGroupKind(t, func(t *testing.T, kind groupKind) {
		s := memorySite(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "t", Partitions: 4}}})
		l := newGroupLedger(t)
		start := func(name string) *groupRunner {
			conf := s.memoryConfig(kind)
			conf.Consumer.Group.InstanceId = name
			return startMember(t, l, name, "g", s.addrs, conf, "t")
		}
		a, b := start("a"), start("b")
		l.awaitShares(2, 2)
		time.Sleep(5 * time.Second)
		before, _ := s.fake.Group("g")
		sessions := b.setups.Load()
		held := l.partitionsOf("a")
		a.stop()
		time.Sleep(2 * time.Second)
		a = start("a")
		l.awaitShares(2, 2)
		time.Sleep(5 * time.Second)
		after, _ := s.fake.Group("g")
		if again := l.partitionsOf("a"); !slices.Equal(again, held) {
			t.Errorf("the member has %v, had %v", again, held)
		}
		if kind.strategy != nil && after.Generation != before.Generation {
			t.Errorf("generation %d, before the restart %d", after.Generation, before.Generation)
		}
		if n := b.setups.Load() - sessions; n != 0 {
			t.Errorf("the other member has begun %d sessions meanwhile", n)
		}
		s.appendTo(t, "t", 4, 10)
		l.awaitCount(40)
		a.stop()
		b.stop()
	})
}

// TestGroupFollowsItsTopics has partitions and topics come and go.
func TestGroupFollowsItsTopics(t *testing.T) {
	eachGroupKind(t, func(t *testing.T, kind groupKind) {
		s := memorySite(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "t", Partitions: 2}, {Name: "u", Partitions: 1}}})
		conf := func() *sarama.Config {
			conf := s.memoryConfig(kind)
			conf.Metadata.RefreshFrequency = time.Second
			return conf
		}
		l := newGroupLedger(t)
		startMember(t, l, "a", "g", s.addrs, conf(), "t")
		startMember(t, l, "b", "g", s.addrs, conf(), "t", "u")
		s.appendTo(t, "t", 2, 10)
		s.appendTo(t, "u", 1, 10)
		l.awaitCount(30)
		if err := s.fake.AddPartitions("t", 4); err != nil {
			t.Fatal(err)
		}
		s.appendTo(t, "t", 4, 10)
		l.awaitCount(70)
		if err := s.fake.DeleteTopic("u"); err != nil {
			t.Fatal(err)
		}
		l.await("the deleted topic to have no owner", func() error {
			if owner := l.ownerOf("u", 0); owner != "" {
				return fmt.Errorf("%s has it", owner)
			}
			return nil
		})
		s.appendTo(t, "t", 4, 10)
		l.awaitCount(110)
		if err := s.fake.CreateTopic(fakekafka.Topic{Name: "u", Partitions: 1}); err != nil {
			t.Fatal(err)
		}
		s.appendTo(t, "u", 1, 10)
		s.appendTo(t, "t", 4, 10)
		l.await("all partitions to have owners", func() error {
			if n := len(l.partitionsOf("a")) + len(l.partitionsOf("b")); n != 5 {
				return fmt.Errorf("%d have", n)
			}
			return nil
		})
	})
}

// TestPauseSurvivesReassignment pauses a partition that goes to another member
// and comes back.
func TestPauseSurvivesReassignment(t *testing.T) {
	eachGroupKind(t, func(t *testing.T, kind groupKind) {
		s := memorySite(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "t", Partitions: 2}}})
		l := newGroupLedger(t)
		a := startMember(t, l, "a", "g", s.addrs, s.memoryConfig(kind), "t")
		l.awaitShares(2)
		a.group.Pause(map[string][]int32{"t": {0, 1}})
		time.Sleep(time.Second) // a fetch that was under way
		b := startMember(t, l, "b", "g", s.addrs, s.memoryConfig(kind), "t")
		l.awaitShares(1, 1)
		b.stop()
		l.awaitShares(2)
		s.appendTo(t, "t", 2, 10)
		time.Sleep(time.Minute)
		if n := l.total(); n != 0 {
			t.Errorf("%d messages came from paused partitions", n)
		}
		a.group.ResumeAll()
		l.awaitCount(20)
		a.stop()
	})
}

// TestRevokedClaimThatDoesNotEnd ends the session of a cooperative group with
// ErrRebalanceTimedOut; the others go on.
func TestRevokedClaimThatDoesNotEnd(t *testing.T) {
	eachGroupKind(t, func(t *testing.T, kind groupKind) {
		s := memorySite(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "t", Partitions: 2}}})
		l := newGroupLedger(t)
		l.lax = true
		goOn := make(chan struct{})
		group, err := sarama.NewConsumerGroup(s.addrs, "g", s.memoryConfig(kind))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for range group.Errors() {
			}
		}()
		result := make(chan error, 1)
		go func() {
			result <- group.Consume(t.Context(), []string{"t"}, claimFunc(func(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
				<-goOn
				s.MarkOffset("t", c.Partition(), 5, "")
				return nil
			}))
		}()
		time.Sleep(5 * time.Second)
		s.appendTo(t, "t", 2, 10)
		b := startMember(t, l, "b", "g", s.addrs, s.memoryConfig(kind), "t")
		l.awaitShares(2)
		l.awaitCount(20)
		close(goOn)
		err = <-result
		eager := kind.strategy != nil && kind.name != "cooperative-sticky"
		if eager != (err == nil) || !eager && !errors.Is(err, sarama.ErrRebalanceTimedOut) {
			t.Errorf("Consume: %v", err)
		}
		b.stop()
		state, _ := s.fake.Group("g")
		for p := range int32(2) {
			if at := state.Offsets[fakekafka.TopicPartition{Topic: "t", Partition: p}].Offset; at != 10 {
				t.Errorf("t/%d: %d is stored, though the handler that was left behind marked 5", p, at)
			}
		}
		_ = group.Close()
	})
}

// claimFunc is a handler of ConsumeClaim alone.
type claimFunc func(sarama.ConsumerGroupSession, sarama.ConsumerGroupClaim) error

func (claimFunc) Setup(sarama.ConsumerGroupSession) error { return nil }

func (claimFunc) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (f claimFunc) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	return f(s, c)
}

// TestConsumePattern has the coordinator find the topics.
func TestConsumePattern(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memorySite(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "orders-1"}, {Name: "orders-2"}, {Name: "other"}}})
		group, err := sarama.NewConsumerGroup(s.addrs, "g", s.memoryConfig(groupKind{"", nil, ""}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string, 10)
		result := make(chan error, 1)
		go func() {
			result <- group.(sarama.ConsumerGroupPatternConsumer).ConsumePattern(ctx, "orders-.*", claimFunc(func(_ sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
				got <- c.Topic()
				for range c.Messages() {
				}
				return nil
			}))
		}()
		names := []string{<-got, <-got}
		if err := s.fake.CreateTopic(fakekafka.Topic{Name: "orders-3"}); err != nil {
			t.Fatal(err)
		}
		names = append(names, <-got)
		slices.Sort(names)
		if want := []string{"orders-1", "orders-2", "orders-3"}; !slices.Equal(names, want) {
			t.Errorf("claims of %v, want %v", names, want)
		}
		cancel()
		if err := <-result; err != nil {
			t.Error(err)
		}
		err = group.(sarama.ConsumerGroupPatternConsumer).ConsumePattern(t.Context(), "orders-(", claimFunc(nil))
		if !errors.Is(err, sarama.ErrInvalidRegularExpression) {
			t.Errorf("a pattern that is none: %v", err)
		}
		_ = group.Close()
		classic, err := sarama.NewConsumerGroup(s.addrs, "h", s.memoryConfig(groupKinds[0]))
		if err != nil {
			t.Fatal(err)
		}
		err = classic.(sarama.ConsumerGroupPatternConsumer).ConsumePattern(t.Context(), "orders-.*", claimFunc(nil))
		if !errors.As(err, new(sarama.ConfigurationError)) {
			t.Errorf("a pattern in a classic group: %v", err)
		}
		_ = classic.Close()
	})
}

// TestNewerProtocolOnBrokersWithoutIt is a clear error.
func TestNewerProtocolOnBrokersWithoutIt(t *testing.T) {
	for _, opts := range []fakekafka.Options{
		{Groups: fakekafka.GroupOptions{ClassicOnly: true}}, {Version: sarama.V3_9_0_0}, {Version: sarama.V2_8_0_0},
	} {
		t.Run(fmt.Sprint(opts.Version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts.Topics = []fakekafka.Topic{{Name: "t"}}
				s := memorySite(t, opts)
				group, err := sarama.NewConsumerGroup(s.addrs, "g", s.memoryConfig(groupKind{"", nil, ""}))
				if err != nil {
					t.Fatal(err)
				}
				err = group.Consume(t.Context(), []string{"t"}, claimFunc(nil))
				if !errors.Is(err, sarama.ErrUnsupportedVersion) || !strings.Contains(err.Error(), "Consumer.Group.Protocol") {
					t.Errorf("Consume: %v", err)
				}
				_ = group.Close()
			})
		})
	}
}

// TestMemberThatWasExpelled joins again, and what it marked meanwhile does not
// count.
func TestMemberThatWasExpelled(t *testing.T) {
	eachGroupKind(t, func(t *testing.T, kind groupKind) {
		s := memorySite(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "t", Partitions: 2}}, Groups: fakekafka.GroupOptions{SessionTimeout: 6 * time.Second}})
		l := newGroupLedger(t)
		a := startMember(t, l, "a", "g", s.addrs, s.memoryConfig(kind), "t")
		l.awaitShares(2)
		undo := s.fake.Delay(fakekafka.Heartbeat, time.Minute)
		undo2 := s.fake.Delay(fakekafka.ConsumerGroupHeartbeat, time.Minute)
		time.Sleep(20 * time.Second)
		if n := a.cleanups.Load(); n == 0 {
			t.Error("the session has not ended though the coordinator was silent for longer than it lasts")
		}
		undo()
		undo2()
		l.awaitShares(2)
		s.appendTo(t, "t", 2, 10)
		l.awaitCount(20)
		a.stop()
		state, _ := s.fake.Group("g")
		expelled := slices.ContainsFunc(state.Departures, func(d fakekafka.GroupDeparture) bool { return d.Cause == fakekafka.DepartedSession })
		if !expelled {
			t.Errorf("departures: %v", state.Departures)
		}
	})
}

// TestHandlerThatStopsReading ends the session, and takes the member out of the
// group, after HandlerTimeout; others take its partitions over.
func TestHandlerThatStopsReading(t *testing.T) {
	for _, buffer := range []int{0, 256} {
		t.Run(fmt.Sprint("buffer of ", buffer), func(t *testing.T) {
			eachGroupKind(t, func(t *testing.T, kind groupKind) { handlerThatStopsReading(t, kind, buffer) })
		})
	}
}

func handlerThatStopsReading(t *testing.T, kind groupKind, buffer int) {
	s := memorySite(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "t", Partitions: 3}}})
	s.appendTo(t, "t", 2, 50) // nothing for partition 2
	conf := s.memoryConfig(kind)
	conf.ChannelBufferSize = buffer
	conf.Consumer.Group.HandlerTimeout = 20 * time.Second
	group, err := sarama.NewConsumerGroup(s.addrs, "g", conf)
	if err != nil {
		t.Fatal(err)
	}
	goOn := make(chan struct{})
	cause := make(chan error, 1)
	result := make(chan error, 1)
	begun := time.Now()
	go func() {
		result <- group.Consume(t.Context(), []string{"t"}, claimFunc(func(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
			if c.Partition() == 1 {
				<-c.Messages()
				<-s.Context().Done()
				cause <- context.Cause(s.Context())
				<-goOn
				return nil
			}
			for range c.Messages() { // slowly
				time.Sleep(5 * time.Second)
			}
			return nil
		}))
	}()
	var stuck *sarama.HandlerError
	if err := <-cause; !errors.As(err, &stuck) || len(stuck.Claims) != 1 || !slices.Equal(stuck.Claims["t"], []int32{1}) {
		t.Errorf("the cause is %v", err)
	}
	if took := time.Since(begun); took < 20*time.Second || took > 22*time.Second {
		t.Errorf("the session has ended after %v", took)
	}
	l := newGroupLedger(t)
	other := startMember(t, l, "other", "g", s.addrs, s.memoryConfig(kind), "t")
	l.awaitShares(3)
	l.awaitCount(100)
	close(goOn)
	if err := <-result; err != nil {
		t.Error(err)
	}
	other.stop()
	_ = group.Close()
}

// TestNewerHeartbeatsGiveNothingUpAtTheEnd: what is marked of claims that have
// ended is stored when all have, so that no other member may have them before.
func TestNewerHeartbeatsGiveNothingUpAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memorySite(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "t", Partitions: 2}}})
		group, err := sarama.NewConsumerGroup(s.addrs, "g", s.memoryConfig(groupKind{"", nil, ""}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() {
			result <- group.Consume(ctx, []string{"t"}, claimFunc(func(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
				<-s.Context().Done()
				time.Sleep(time.Duration(c.Partition()) * 5 * time.Second)
				return nil
			}))
		}()
		time.Sleep(5 * time.Second)
		var full, partial atomic.Int32
		defer s.fake.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
			if req, ok := r.Body.(*sarama.ConsumerGroupHeartbeatRequest); ok {
				if req.SubscribedTopicNames != nil {
					full.Add(1)
				}
				if req.TopicPartitions != nil {
					partial.Add(1)
				}
			}
			return nil
		})()
		cancel()
		time.Sleep(time.Second)
		undo := s.fake.FailRequest(fakekafka.ConsumerGroupHeartbeat, sarama.ErrOffsetsLoadInProgress, 1) // so that all is said again
		time.Sleep(2 * time.Second)
		undo()
		if err := <-result; err != nil {
			t.Error(err)
		}
		if full.Load() == 0 || partial.Load() != 0 {
			t.Errorf("%d heartbeats said everything; %d what the member holds, though it was ending", full.Load(), partial.Load())
		}
		_ = group.Close()
	})
}
