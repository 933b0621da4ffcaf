package sarama

import (
	"context"
	"errors"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// TestCloseContextEndsAfterAll leaves handlers behind, in odd moments: what is
// left of Close still comes to its end, and no connection stays.
func TestCloseContextEndsAfterAll(t *testing.T) {
	for _, test := range []struct {
		name    string
		lost    bool          // the coordinator does not know the member any more
		returns time.Duration // when the handler returns, from CloseContext on
	}{
		{"the handler returns later", false, 20 * time.Second},
		{"the member was out of the group already", true, 20 * time.Second},
		{"the handler returns at the same time", false, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 10 {
				synctest.Test(t, func(t *testing.T) {
					g := newGroupScript(t, 1)
					var open atomic.Int32
					g.wrap = func(_ string, c net.Conn) net.Conn { open.Add(1); return &countedConn{Conn: c, open: &open} }
					if test.lost {
						g.on("Heartbeat", func(string, bridge.Header, any) (any, error) { return &HeartbeatResponse{Err: ErrUnknownMemberId}, nil })
					}
					group := g.scriptGroup(t, g.groupConf())
					goOn := make(chan struct{})
					c := consumeInBackground(group, &scriptHandler{claim: func(ConsumerGroupSession, ConsumerGroupClaim) error { <-goOn; return nil }})
					time.Sleep(4 * time.Second)
					go func() { time.Sleep(test.returns); close(goOn) }()
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
					defer cancel()
					_ = group.(ConsumerGroupCloser).CloseContext(ctx)
					time.Sleep(8 * time.Second)
					if n := open.Load(); n != 0 {
						t.Errorf("%d connections are open", n)
					}
					if n := len(g.times("LeaveGroup")); !test.lost && n != 1 {
						t.Errorf("the member has left %d times", n)
					}
					done := make(chan struct{})
					go func() { _ = group.Close(); close(done) }()
					synctest.Wait()
					if !isClosed(done) {
						t.Fatal("Close hangs")
					}
					<-c.result
					c.cancel()
				})
				if t.Failed() {
					return
				}
			}
		})
	}
}

type countedConn struct {
	net.Conn
	open   *atomic.Int32
	closed atomic.Bool
}

func (c *countedConn) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

// TestHandlerThatEndsItsGoroutine in Setup or Cleanup, as FailNow of a test or
// a panic does, ends the session like one that returns.
func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	exit := func(ConsumerGroupSession) error { runtime.Goexit(); return nil }
	end := func(ConsumerGroupSession, ConsumerGroupClaim) error { return nil }
	for name, handler := range map[string]*scriptHandler{"Setup": {setup: exit}, "Cleanup": {claim: end, cleanup: exit}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroupScript(t, 1)
				group := g.scriptGroup(t, g.groupConf())
				defer consumeInBackground(group, handler).cancel()
				time.Sleep(10 * time.Second)
				if n := len(g.times("Heartbeat")); n != 0 {
					t.Errorf("%d heartbeats without a session", n)
				}
				c := consumeInBackground(group, &scriptHandler{claim: end})
				if err := <-c.result; err != nil {
					t.Errorf("the next Consume: %v", err)
				}
				c.cancel()
				_ = group.Close()
			})
		})
	}
}

// cooperates has the script's group rebalance cooperatively after the first
// heartbeat, with these partitions in turn for the member.
func (g *groupScript) cooperates(conf *Config, shares ...[]int32) {
	conf.Consumer.Group.Rebalance.GroupStrategies = []BalanceStrategy{NewBalanceStrategyCooperativeSticky()}
	beats, syncs := 0, 0
	g.on("Heartbeat", func(string, bridge.Header, any) (any, error) {
		if beats++; beats == 1 {
			return &HeartbeatResponse{Err: ErrRebalanceInProgress}, nil
		}
		return nil, nil
	})
	g.on("SyncGroup", func(string, bridge.Header, any) (any, error) {
		share := &ConsumerGroupMemberAssignment{Topics: map[string][]int32{"t": shares[min(syncs, len(shares)-1)]}}
		syncs++
		raw, err := encodeMemberAssignment(share)
		return &SyncGroupResponse{MemberAssignment: raw}, err
	})
}

// TestWhatFailsAfterTheSessionsEnd is no result of Consume.
func TestWhatFailsAfterTheSessionsEnd(t *testing.T) {
	s := new(consumerGroupSession)
	s.ctx, s.cancel = context.WithCancelCause(t.Context())
	s.end(ErrSessionConsumeClaimExited)
	s.fail(context.Canceled) // of what the end has interrupted
	if err := s.failure(); err != nil {
		t.Errorf("Consume returns %v", err)
	}
}

// TestRevocationDuringSlowTakeOver has the stored offsets of a new claim take
// longer than Rebalance.Timeout, while a revoked claim has ended in time.
func TestRevocationDuringSlowTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupScript(t, 3)
		conf := g.groupConf()
		conf.Consumer.Group.Rebalance.Timeout = 5 * time.Second
		g.cooperates(conf, []int32{0, 2}, []int32{1, 2})
		fetches := 0
		g.on("OffsetFetch", func(string, bridge.Header, any) (any, error) {
			if fetches++; fetches > 1 {
				time.Sleep(20 * time.Second)
			}
			return nil, nil
		})
		group := g.scriptGroup(t, conf)
		c := consumeInBackground(group, &scriptHandler{claim: func(s ConsumerGroupSession, c ConsumerGroupClaim) error {
			for range c.Messages() {
			}
			if c.Partition() == 2 {
				time.Sleep(4 * time.Second)
				s.MarkOffset("t", 2, 7, "")
			}
			return nil
		}})
		time.Sleep(15 * time.Second)
		c.cancel()
		if err := <-c.result; err != nil {
			t.Errorf("Consume: %v", err)
		}
		if stored := g.storedOffset(2); stored != 7 {
			t.Errorf("stored: %d", stored)
		}
		_ = group.Close()
	})
}

// TestSessionEndsWithoutItsCoordinator has brokers answer that do not know the
// member: it cannot know whether the coordinator still keeps its partitions.
func TestSessionEndsWithoutItsCoordinator(t *testing.T) {
	for _, code := range []KError{ErrNotCoordinatorForConsumer, ErrConsumerCoordinatorNotAvailable} {
		synctest.Test(t, func(t *testing.T) {
			g := newGroupScript(t, 1)
			beats := 0
			g.on("Heartbeat", func(string, bridge.Header, any) (any, error) {
				if beats++; beats > 1 {
					return &HeartbeatResponse{Err: code}, nil
				}
				return nil, nil
			})
			group := g.scriptGroup(t, g.groupConf())
			errs := drainErrors(group)
			begun := time.Now()
			c := consumeInBackground(group, &scriptHandler{})
			defer time.AfterFunc(time.Minute, c.cancel).Stop()
			if err := <-c.result; err != nil {
				t.Errorf("Consume: %v", err)
			}
			if took := time.Since(begun); took < 12*time.Second || took > 14*time.Second {
				t.Errorf("the session has lasted %v", took)
			}
			_ = group.Close()
			synctest.Wait()
			if n := len(errs()); n != 1 || !errors.Is(errs()[0], code) {
				t.Errorf("Errors had %v", errs())
			}
		})
	}
}

// TestClientClosedUnderTheGroup ends the session, with claims and without.
func TestClientClosedUnderTheGroup(t *testing.T) {
	for _, share := range [][]int32{{0}, nil} {
		synctest.Test(t, func(t *testing.T) {
			g := newGroupScript(t, 1)
			g.on("SyncGroup", func(string, bridge.Header, any) (any, error) {
				raw, err := encodeMemberAssignment(&ConsumerGroupMemberAssignment{Topics: map[string][]int32{"t": share}})
				return &SyncGroupResponse{MemberAssignment: raw}, err
			})
			client, err := NewClient([]string{"b1:9092"}, g.groupConf())
			if err != nil {
				t.Fatal(err)
			}
			group, err := NewConsumerGroupFromClient("group", client)
			if err != nil {
				t.Fatal(err)
			}
			c := consumeInBackground(group, &scriptHandler{})
			time.Sleep(4 * time.Second)
			_ = client.Close()
			time.Sleep(20 * time.Second)
			select {
			case err := <-c.result:
				if err != nil {
					t.Errorf("Consume: %v", err)
				}
			default:
				t.Errorf("the session with %v goes on", share)
			}
			c.cancel()
			_ = group.Close()
		})
	}
}

// TestHeartbeatsAfterAJoinThatWasGivenUp go on while handlers return: it took
// longer than the session's timeout, but the coordinator knew of the member.
func TestHeartbeatsAfterAJoinThatWasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupScript(t, 2)
		conf := g.groupConf()
		g.cooperates(conf, []int32{0, 1})
		joins := 0
		g.on("JoinGroup", func(_ string, _ bridge.Header, req any) (any, error) {
			if joins++; joins > 2 {
				return nil, errNoAnswer
			}
			return nil, nil
		})
		group := g.scriptGroup(t, conf)
		c := consumeInBackground(group, &scriptHandler{claim: func(s ConsumerGroupSession, c ConsumerGroupClaim) error {
			<-s.Context().Done()
			if c.Partition() == 1 {
				time.Sleep(30 * time.Second)
			}
			return nil
		}})
		time.Sleep(20 * time.Second)
		g.on("Heartbeat", func(string, bridge.Header, any) (any, error) { time.Sleep(time.Second); return nil, nil })
		before := len(g.times("Heartbeat"))
		c.cancel()
		if err := <-c.result; err != nil {
			t.Errorf("Consume: %v", err)
		}
		if n := len(g.times("Heartbeat")) - before; n < 9 {
			t.Errorf("%d heartbeats while a handler took 30 s to return", n)
		}
		_ = group.Close()
	})
}

// TestMemberOfAnOldGenerationLeaves though a heartbeat was refused: the
// coordinator still counts on it.
func TestMemberOfAnOldGenerationLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupScript(t, 1)
		g.on("Heartbeat", func(string, bridge.Header, any) (any, error) {
			return &HeartbeatResponse{Err: ErrIllegalGeneration}, nil
		})
		group := g.scriptGroup(t, g.groupConf())
		c := consumeInBackground(group, &scriptHandler{})
		if err := <-c.result; err != nil {
			t.Errorf("Consume: %v", err)
		}
		c.cancel()
		_ = group.Close()
		if n := len(g.times("LeaveGroup")); n != 1 {
			t.Errorf("the member has left %d times", n)
		}
	})
}

// TestClaimsHaveTheRebalanceTimeoutFromTheSessionsEnd, though another claim was
// revoked before.
func TestClaimsHaveTheRebalanceTimeoutFromTheSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupScript(t, 2)
		conf := g.groupConf()
		g.cooperates(conf, []int32{0, 1}, []int32{1})
		group := g.scriptGroup(t, conf)
		c := consumeInBackground(group, &scriptHandler{claim: func(s ConsumerGroupSession, c ConsumerGroupClaim) error {
			for range c.Messages() {
			}
			time.Sleep(55 * time.Second)
			s.MarkOffset("t", c.Partition(), 7, "")
			return nil
		}})
		time.Sleep(50 * time.Second) // revoked at 3 s
		c.cancel()
		if err := <-c.result; err != nil {
			t.Errorf("Consume: %v", err)
		}
		if stored := g.storedOffset(1); stored != 7 {
			t.Errorf("stored: %d, though the handler took less than Rebalance.Timeout", stored)
		}
		_ = group.Close()
	})
}

// newNewerScript is a script whose group is of the newer protocol: its member has
// all partitions.
func newNewerScript(t *testing.T, partitions int32, every time.Duration) (*groupScript, *Config) {
	g := newGroupScript(t, partitions)
	id := Uuid{1}
	all := make([]int32, partitions)
	for p := range partitions {
		all[p] = p
	}
	g.on("Metadata", func(string, bridge.Header, any) (any, error) {
		resp := simpleMetadata(1, "t", partitions)
		resp.Topics[0].Uuid = id
		return resp, nil
	})
	g.on("ConsumerGroupHeartbeat", func(_ string, _ bridge.Header, req any) (any, error) {
		r := req.(*ConsumerGroupHeartbeatRequest)
		resp := &ConsumerGroupHeartbeatResponse{MemberID: &r.MemberID, MemberEpoch: 1, HeartbeatIntervalMs: int32(every.Milliseconds())}
		if r.MemberEpoch == epochJoins {
			resp.Assignment = &ConsumerGroupAssignment{TopicPartitions: []ConsumerGroupTopicPartitions{{TopicID: id, Partitions: all}}}
		}
		return resp, nil
	})
	g.on("OffsetFetch", func(_ string, _ bridge.Header, req any) (any, error) {
		return newerOffsets(req.(*OffsetFetchRequest)), nil
	})
	conf := g.groupConf()
	conf.Consumer.Group.Protocol = ConsumerGroupProtocolConsumer
	return g, conf
}

func newerOffsets(r *OffsetFetchRequest) *OffsetFetchResponse {
	group := OffsetFetchResponseGroup{GroupId: "group", Blocks: map[string]map[int32]*OffsetFetchResponseBlock{}}
	for topic, partitions := range r.Groups[0].Partitions {
		group.Blocks[topic] = make(map[int32]*OffsetFetchResponseBlock)
		for _, p := range partitions {
			group.Blocks[topic][p] = &OffsetFetchResponseBlock{Offset: -1, LeaderEpoch: -1}
		}
	}
	return &OffsetFetchResponse{Version: r.Version, Groups: []OffsetFetchResponseGroup{group}}
}

// TestNewerHeartbeatsRarerThanTheSessionTimeout are the coordinator's business.
func TestNewerHeartbeatsRarerThanTheSessionTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, conf := newNewerScript(t, 1, 15*time.Second)
		group := g.scriptGroup(t, conf)
		c := consumeInBackground(group, &scriptHandler{})
		time.Sleep(5 * time.Second)
		healthy := g.mu.override["ConsumerGroupHeartbeat"]
		for n := range 10 { // one is not answered at once
			g.on("ConsumerGroupHeartbeat", func(addr string, h bridge.Header, req any) (any, error) {
				g.on("ConsumerGroupHeartbeat", healthy)
				return nil, errHangUp
			})
			time.Sleep(time.Duration(20+n) * time.Second)
		}
		select {
		case err := <-c.result:
			t.Errorf("the session has ended: %v", err)
		default:
		}
		c.cancel()
		_ = group.Close()
	})
}

// TestNewerJoinThatWasGivenUp is followed by the member's leave: it may be in
// the group.
func TestNewerJoinThatWasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, conf := newNewerScript(t, 1, 5*time.Second)
		var mu sync.Mutex
		var epochs []int32
		g.on("ConsumerGroupHeartbeat", func(_ string, _ bridge.Header, req any) (any, error) {
			mu.Lock()
			defer mu.Unlock()
			r := req.(*ConsumerGroupHeartbeatRequest)
			if epochs = append(epochs, r.MemberEpoch); r.MemberEpoch == epochJoins {
				return nil, errNoAnswer
			}
			return &ConsumerGroupHeartbeatResponse{MemberID: &r.MemberID, MemberEpoch: r.MemberEpoch}, nil
		})
		group := g.scriptGroup(t, conf)
		c := consumeInBackground(group, &scriptHandler{})
		time.Sleep(time.Second)
		c.cancel()
		if err := <-c.result; !errors.Is(err, context.Canceled) {
			t.Errorf("Consume: %v", err)
		}
		if err := group.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		mu.Lock()
		defer mu.Unlock()
		if want := []int32{epochJoins, epochLeaves}; !slices.Equal(epochs, want) {
			t.Errorf("epochs %v, want %v", epochs, want)
		}
	})
}

// TestMarksAreStoredThoughAJoinIsUnderWay when the session ends: its answer has
// the generation that the coordinator takes commits of.
func TestMarksAreStoredThoughAJoinIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupScript(t, 1)
		conf := g.groupConf()
		g.cooperates(conf, []int32{0})
		g.on("JoinGroup", func(_ string, _ bridge.Header, req any) (any, error) {
			resp, err := g.answerGroup(req)
			time.Sleep(400 * time.Millisecond)
			return resp, err
		})
		g.on("OffsetCommit", func(_ string, _ bridge.Header, req any) (any, error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			if req.(*OffsetCommitRequest).ConsumerGroupGeneration == g.mu.joined {
				return nil, nil
			}
			resp := new(OffsetCommitResponse)
			resp.AddError("t", 0, ErrIllegalGeneration)
			return resp, nil
		})
		group := g.scriptGroup(t, conf)
		c := consumeInBackground(group, &scriptHandler{claim: func(s ConsumerGroupSession, _ ConsumerGroupClaim) error {
			<-s.Context().Done()
			s.MarkOffset("t", 0, 7, "")
			return nil
		}})
		time.Sleep(4 * time.Second) // it joins from 3.8 to 4.2 s
		c.cancel()
		if err := <-c.result; err != nil {
			t.Errorf("Consume: %v", err)
		}
		if stored := g.storedOffset(0); stored != 7 {
			t.Errorf("stored: %d", stored)
		}
		_ = group.Close()
	})
}
