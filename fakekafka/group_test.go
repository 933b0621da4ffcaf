package fakekafka_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// player runs the members of a group against an embedded cluster.
func player(t testing.TB, cluster *fakekafka.Cluster, broker int32, group string) *script {
	return &script{t: t, addr: cluster.Addrs()[broker-1], group: group, conf: config(cluster), bubble: true, timeout: 10_000, names: make(map[string]string)}
}

func state(t testing.TB, cluster *fakekafka.Cluster, group string) fakekafka.GroupState {
	t.Helper()
	s, ok := cluster.Group(group)
	if !ok {
		t.Fatalf("there is no group %s", group)
	}
	return s
}

func wantState(t testing.TB, cluster *fakekafka.Cluster, group, want string, generation int32) fakekafka.GroupState {
	t.Helper()
	s := state(t, cluster, group)
	if s.State != want || s.Generation != generation {
		t.Fatalf("group is %s in generation %d, want %s in %d", s.State, s.Generation, want, generation)
	}
	return s
}

// heartbeat is beat without a note.
func heartbeat(t testing.TB, b *sarama.Broker, m *member) sarama.KError {
	t.Helper()
	r, err := b.Heartbeat(&sarama.HeartbeatRequest{Version: 4, GroupId: m.s.group, GenerationId: m.generation, MemberId: m.id})
	must(t, err)
	return r.Err
}

func TestGroupSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fakekafka.New(t, one())
		m := player(t, cluster, 1, "g").member("m", 9)
		m.session = 10_000
		m.reason = new("is new")
		m.enter()
		m.sync()
		for range 3 {
			time.Sleep(9 * time.Second)
			wantErr(t, heartbeat(t, m.b, m), sarama.ErrNoError)
		}
		s := wantState(t, cluster, "g", "Stable", 1)
		if got := s.Members[0]; got.JoinReason != "is new" || !slices.Equal(got.Topics, []string{"t"}) || got.SessionTimeout != 10*time.Second {
			t.Fatalf("member %+v", got)
		}
		time.Sleep(10*time.Second - time.Millisecond)
		wantState(t, cluster, "g", "Stable", 1)
		time.Sleep(2 * time.Millisecond)
		s = wantState(t, cluster, "g", "Empty", 2)
		if len(s.Departures) != 1 || s.Departures[0].Cause != fakekafka.DepartedSession || s.Departures[0].Member != m.id {
			t.Fatalf("departures %+v", s.Departures)
		}
		wantErr(t, heartbeat(t, m.b, m), sarama.ErrUnknownMemberId)
		// Commits are signs of life, too.
		m.id = ""
		m.enter()
		m.sync()
		for offset := range int64(4) {
			time.Sleep(8 * time.Second)
			m.commit(8, offset)
		}
		s = wantState(t, cluster, "g", "Stable", 3)
		if o := s.Offsets[fakekafka.TopicPartition{Topic: "t"}]; o.Offset != 3 || o.Metadata != "m" {
			t.Fatalf("offset %+v", o)
		}
	})
}

func TestGroupInitialRebalanceDelay(t *testing.T) {
	for _, test := range []struct{ rebalance, want time.Duration }{
		{60 * time.Second, 6 * time.Second}, // as one has come during the first delay, and none during the second
		{5 * time.Second, 5 * time.Second},
		{time.Second, 3 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			opts := one()
			opts.Groups.InitialRebalanceDelay = 3 * time.Second
			cluster := fakekafka.New(t, opts)
			s := player(t, cluster, 1, "g")
			a, b := s.member("a", 3), s.member("b", 3)
			a.rebalance, b.rebalance = int32(test.rebalance.Milliseconds()), int32(test.rebalance.Milliseconds())
			start := time.Now()
			aj := a.start()
			time.Sleep(time.Second)
			bj := b.start()
			if aj().GenerationId != 1 || bj().GenerationId != 1 {
				t.Fatal("not one generation")
			}
			if took := time.Since(start); took != test.want {
				t.Fatalf("joined after %v, want %v", took, test.want)
			}
		})
	}
}

func TestGroupMovesWithItsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fakekafka.New(t, three())
		home := cluster.Coordinator(sarama.CoordinatorGroup, "g")
		next := home%3 + 1
		s := player(t, cluster, home, "g")
		a, b := s.member("a", 9), s.member("b", 9)
		a.enter()
		a.sync()
		a.commit(8, 7)
		b.join()
		bj := b.start()
		wantState(t, cluster, "g", "PreparingRebalance", 1)
		must(t, cluster.MoveCoordinator("g", next))
		wantErr(t, bj().Err, sarama.ErrNotCoordinatorForConsumer)
		wantErr(t, heartbeat(t, a.b, a), sarama.ErrNotCoordinatorForConsumer)
		found, err := a.b.FindCoordinator(&sarama.FindCoordinatorRequest{Version: 4, CoordinatorKeys: []string{"g"}})
		must(t, err)
		if id := found.Coordinators[0].Coordinator.ID(); id != next {
			t.Fatalf("coordinator %d, want %d", id, next)
		}
		// The new one has the last plan, and knows nothing of b.
		c := dial(t, cluster, next)
		wantErr(t, heartbeat(t, c, a), sarama.ErrNoError)
		if got := wantState(t, cluster, "g", "Stable", 1); got.Coordinator != next || len(got.Members) != 1 || string(got.Members[0].Assignment) != "plan of sarama<1>" {
			t.Fatalf("group %+v", got)
		}
		must(t, cluster.StopBroker(next))
		if got := wantState(t, cluster, "g", "Stable", 1); got.Coordinator != home {
			t.Fatalf("coordinator %d after the stop, want %d", got.Coordinator, home)
		}
		wantErr(t, heartbeat(t, a.b, a), sarama.ErrNoError)
		must(t, cluster.RestartBroker(next))
		wantErr(t, heartbeat(t, a.b, a), sarama.ErrNotCoordinatorForConsumer)
		must(t, cluster.MoveCoordinator("g", 0))
		wantErr(t, heartbeat(t, a.b, a), sarama.ErrNoError)
		if o := state(t, cluster, "g").Offsets[fakekafka.TopicPartition{Topic: "t"}]; o.Offset != 7 {
			t.Fatalf("offset %+v", o)
		}
		// A session begins anew at each coordinator.
		time.Sleep(9 * time.Second)
		must(t, cluster.MoveCoordinator("g", next))
		time.Sleep(9 * time.Second)
		wantState(t, cluster, "g", "Stable", 1)
		time.Sleep(2 * time.Second)
		wantState(t, cluster, "g", "Empty", 2)
		must(t, cluster.StopBroker(next))
		if cluster.MoveCoordinator("g", next) == nil || cluster.MoveCoordinator("g", 9) == nil {
			t.Fatal("moved to a broker that is not there")
		}
	})
}

func TestGroupIsLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fakekafka.New(t, one())
		m := player(t, cluster, 1, "g").member("m", 9)
		m.enter()
		m.sync()
		cluster.SetCoordinatorLoading("g", true)
		wantErr(t, heartbeat(t, m.b, m), sarama.ErrOffsetsLoadInProgress)
		wantErr(t, m.join().Err, sarama.ErrOffsetsLoadInProgress)
		r, err := m.b.FetchOffset(&sarama.OffsetFetchRequest{Version: 7, ConsumerGroup: "g"})
		must(t, err)
		wantErr(t, r.Err, sarama.ErrOffsetsLoadInProgress)
		l, err := m.b.ListGroups(&sarama.ListGroupsRequest{})
		must(t, err)
		wantErr(t, l.Err, sarama.ErrOffsetsLoadInProgress)
		time.Sleep(time.Minute) // no session ends meanwhile
		cluster.SetCoordinatorLoading("g", false)
		wantErr(t, heartbeat(t, m.b, m), sarama.ErrNoError)
		time.Sleep(11 * time.Second)
		wantState(t, cluster, "g", "Empty", 2)
	})
}

func TestGroupWaitsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fakekafka.New(t, one())
		s := player(t, cluster, 1, "g")
		a, b, c := s.member("a", 9), s.member("b", 9), s.member("c", 9)
		a.enter()
		a.sync()
		b.join()
		c.join()
		bj := b.start()
		c.start()
		// What comes after a request to join on its connection waits for it.
		beaten := make(chan error, 1)
		go func() {
			_, err := b.b.Heartbeat(&sarama.HeartbeatRequest{Version: 4, GroupId: "g", MemberId: b.id})
			beaten <- err
		}()
		synctest.Wait()
		select {
		case err := <-beaten:
			t.Fatalf("heartbeat behind the join was answered: %v", err)
		default:
		}
		if n := cluster.CutConnections(1); n < 3 {
			t.Fatalf("%d connections were cut", n)
		}
		if bj() != nil {
			t.Fatal("answered on a connection that was cut")
		}
		if <-beaten == nil {
			t.Fatal("answered on a connection that was cut")
		}
		// The coordinator goes on waiting for a, and has b and c in the group.
		if got := wantState(t, cluster, "g", "PreparingRebalance", 1); len(got.Members) != 3 {
			t.Fatalf("members %+v", got.Members)
		}
		d := s.member("d", 3)
		start := time.Now()
		dj := d.start()
		time.Sleep(time.Second)
		must(t, cluster.Close()) // and ends all waits
		if dj() != nil || time.Since(start) > 2*time.Second {
			t.Fatalf("joined a cluster that was closed, after %v", time.Since(start))
		}
		if cluster.SetOffset("other", "t", 0, 1) == nil {
			t.Fatal("stored an offset in a cluster that was closed")
		}
	})
}

func TestGroupOffsetsInTransactions(t *testing.T) {
	opts := one()
	opts.Version = sarama.V2_8_0_0 // where the coordinator of the transaction isn't asked
	cluster := fakekafka.New(t, opts)
	s := player(t, cluster, 1, "g")
	m := s.member("m", 7)
	m.enter()
	at := fakekafka.TopicPartition{Topic: "t"}
	commit := func(id int64, offset int64, version int16, member string, generation int32) sarama.KError {
		t.Helper()
		r, err := m.b.TxnOffsetCommit(&sarama.TxnOffsetCommitRequest{
			Version: version, TransactionalID: "x", GroupID: "g", ProducerID: id, MemberID: member, GenerationID: generation,
			Topics: map[string][]*sarama.PartitionOffsetMetadata{"t": {{Partition: 0, Offset: offset, LeaderEpoch: 4, Metadata: new("n")}}},
		})
		must(t, err)
		return r.Topics["t"][0].Err
	}
	fetch := func(stable bool) *sarama.OffsetFetchResponseBlock {
		t.Helper()
		req := &sarama.OffsetFetchRequest{Version: 7, ConsumerGroup: "g", RequireStable: stable}
		req.AddPartition("t", 0)
		r, err := m.b.FetchOffset(req)
		must(t, err)
		return r.GetBlock("t", 0)
	}
	// In CompletingRebalance, commits in transactions are taken (KIP-447).
	wantErr(t, commit(1, 5, 3, m.id, m.generation), sarama.ErrNoError)
	wantErr(t, commit(1, 6, 3, m.id, m.generation+1), sarama.ErrIllegalGeneration)
	wantErr(t, commit(1, 6, 3, "x", m.generation), sarama.ErrUnknownMemberId)
	wantErr(t, commit(1, 6, 2, "", 0), sarama.ErrNoError) // a version that does not say who it is
	if got := fetch(false); got.Offset != -1 || got.Err != sarama.ErrNoError {
		t.Fatalf("uncommitted offset %+v", got)
	}
	wantErr(t, fetch(true).Err, sarama.ErrUnstableOffsetCommit)
	if o := state(t, cluster, "g").PendingOffsets[at]; o.Offset != 6 {
		t.Fatalf("pending %+v", o)
	}
	cluster.EndGroupTxn("g", 2, true) // another producer's
	wantErr(t, fetch(true).Err, sarama.ErrUnstableOffsetCommit)
	cluster.EndGroupTxn("g", 1, true)
	if got := fetch(true); got.Offset != 6 || got.LeaderEpoch != 4 || got.Metadata != "n" || got.Err != sarama.ErrNoError {
		t.Fatalf("committed offset %+v", got)
	}
	wantErr(t, commit(1, 9, 3, "", -1), sarama.ErrNoError)
	cluster.EndGroupTxn("g", 1, false)
	if got := fetch(true); got.Offset != 6 {
		t.Fatalf("offset %+v after an abort", got)
	}
	cluster.EndGroupTxn("none", 1, true)
	history := cluster.Commits("g")
	if len(history) != 1 || history[0].ProducerID != 1 || history[0].Offset != 6 || history[0].Topic != "t" {
		t.Fatalf("commits %+v", history)
	}
}

func TestGroupControls(t *testing.T) {
	opts := one()
	opts.HistoryMax = 3
	cluster := fakekafka.New(t, opts)
	must(t, cluster.SetOffset("g", "t", 1, 42))
	if !errors.Is(cluster.SetOffset("g", "t", 2, 1), sarama.ErrUnknownTopicOrPartition) || !errors.Is(cluster.Rebalance("none"), sarama.ErrGroupIDNotFound) {
		t.Fatal("unknown partition or group taken")
	}
	s := player(t, cluster, 1, "g")
	m := s.member("m", 9)
	defer cluster.FailRequest(fakekafka.JoinGroup, sarama.ErrConsumerCoordinatorNotAvailable, 1)()
	wantErr(t, m.join().Err, sarama.ErrConsumerCoordinatorNotAvailable)
	defer cluster.FailGroup(fakekafka.JoinGroup, "other", sarama.ErrGroupAuthorizationFailed, -1)()
	m.enter()
	m.sync()
	undoFail := cluster.FailGroup(fakekafka.Heartbeat, "g", sarama.ErrGroupAuthorizationFailed, -1)
	wantErr(t, m.beat(), sarama.ErrGroupAuthorizationFailed)
	undoFail()
	must(t, cluster.Rebalance("g"))
	wantErr(t, m.beat(), sarama.ErrRebalanceInProgress)
	m.join()
	m.sync()
	wantState(t, cluster, "g", "Stable", 2)
	var groups []string
	remove := cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
		groups = append(groups, r.Groups()...)
		if r.API == fakekafka.OffsetCommit && !slices.Equal(r.Partitions(), []fakekafka.TopicPartition{{Topic: "t"}}) {
			t.Errorf("partitions %v", r.Partitions())
		}
		return nil
	})
	undo := cluster.Fail(fakekafka.OffsetCommit, "t", 0, sarama.ErrTopicAuthorizationFailed, 1)
	for offset := range int64(4) {
		m.commit(8, offset)
	}
	undo()
	remove()
	if !slices.Equal(groups, []string{"g", "g", "g", "g"}) {
		t.Fatalf("groups of requests %v", groups)
	}
	if got := s.lines[len(s.lines)-4]; got != "m commit: t/0 29" {
		t.Fatal(got)
	}
	var offsets []int64
	for _, c := range cluster.Commits("g") {
		if c.Member != m.id || c.Generation != 2 || c.ProducerID != -1 {
			t.Fatalf("commit %+v", c)
		}
		offsets = append(offsets, c.Offset)
	}
	if !slices.Equal(offsets, []int64{1, 2, 3}) {
		t.Fatalf("commits %v", offsets)
	}
	leave := &sarama.LeaveGroupRequest{Version: 5, GroupId: "g", Members: []sarama.MemberIdentity{{MemberId: m.id, Reason: new("has enough")}}}
	s.noteLeave("m", m.b, leave)
	got := wantState(t, cluster, "g", "Empty", 3)
	if d := got.Departures; len(d) != 1 || d[0].Cause != fakekafka.DepartedLeft || d[0].Reason != "has enough" {
		t.Fatalf("departures %+v", d)
	}
	must(t, cluster.DeleteTopic("t"))
	if got := state(t, cluster, "g").Offsets; len(got) != 0 {
		t.Fatalf("offsets of a topic that was deleted: %v", got)
	}
	if got := cluster.Groups(); !slices.Equal(got, []string{"g"}) {
		t.Fatalf("groups %v", got)
	}
}

func TestGroupAPIsOfReleases(t *testing.T) {
	for _, test := range []struct {
		version     sarama.KafkaVersion
		classicOnly bool
		want        map[fakekafka.API][2]int16
		not         []fakekafka.API
	}{
		{sarama.V0_9_0_0, false, map[fakekafka.API][2]int16{fakekafka.JoinGroup: {0, 0}}, nil},
		{sarama.V3_9_0_0, false, map[fakekafka.API][2]int16{fakekafka.OffsetCommit: {0, 9}, fakekafka.OffsetFetch: {0, 9}, fakekafka.DescribeGroups: {0, 5}, fakekafka.TxnOffsetCommit: {0, 4}},
			[]fakekafka.API{fakekafka.ConsumerGroupHeartbeat, fakekafka.ConsumerGroupDescribe}},
		{sarama.V4_0_0_0, false, map[fakekafka.API][2]int16{fakekafka.ConsumerGroupHeartbeat: {0, 1}, fakekafka.ConsumerGroupDescribe: {0, 1}}, nil},
		{sarama.MaxVersion, false, map[fakekafka.API][2]int16{
			fakekafka.OffsetCommit: {2, 10}, fakekafka.OffsetFetch: {1, 10}, fakekafka.JoinGroup: {0, 9}, fakekafka.SyncGroup: {0, 5},
			fakekafka.Heartbeat: {0, 4}, fakekafka.LeaveGroup: {0, 5}, fakekafka.DescribeGroups: {0, 6}, fakekafka.ListGroups: {0, 5},
			fakekafka.DeleteGroups: {0, 2}, fakekafka.OffsetDelete: {0, 0}, fakekafka.TxnOffsetCommit: {0, 5},
		}, nil},
		{sarama.MaxVersion, true, nil, []fakekafka.API{fakekafka.ConsumerGroupHeartbeat, fakekafka.ConsumerGroupDescribe}},
	} {
		opts := one()
		opts.Version, opts.Groups.ClassicOnly = test.version, test.classicOnly
		cluster := fakekafka.New(t, opts)
		if !test.version.IsAtLeast(sarama.V0_10_0_0) {
			continue // it starts; what it offers cannot be asked
		}
		conf := config(cluster)
		b := sarama.NewBroker(cluster.Addrs()[0])
		must(t, b.Open(conf))
		r, err := b.ApiVersions(&sarama.ApiVersionsRequest{Version: 0})
		must(t, err)
		got := make(map[fakekafka.API][2]int16)
		for _, k := range r.ApiKeys {
			got[fakekafka.API(k.ApiKey)] = [2]int16{k.MinVersion, k.MaxVersion}
		}
		for api, want := range test.want {
			if got[api] != want {
				t.Errorf("%v offers %v versions %v, want %v", test.version, api, got[api], want)
			}
		}
		for _, api := range test.not {
			if _, ok := got[api]; ok {
				t.Errorf("%v offers %v", test.version, api)
			}
		}
		must(t, b.Close())
	}
	for _, wrong := range []fakekafka.GroupOptions{
		{SessionTimeoutMin: -1}, {SessionTimeoutMin: 2, SessionTimeoutMax: 1}, {MaxSize: -1}, {OffsetMetadataMaxBytes: -1}, {HeartbeatInterval: -1},
	} {
		if c, err := fakekafka.Start(fakekafka.Options{InMemory: true, Groups: wrong}); err == nil {
			_ = c.Close()
			t.Errorf("options %+v were taken", wrong)
		}
	}
}
