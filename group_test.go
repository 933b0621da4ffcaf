package sarama

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// TestGroupAsksInUpstreamsOrder holds the requests of a session against what
// was recorded of upstream.
func TestGroupAsksInUpstreamsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupScript(t, 1)
		group := g.scriptGroup(t, g.groupConf())
		c := consumeInBackground(group, &scriptHandler{claim: func(s ConsumerGroupSession, c ConsumerGroupClaim) error {
			s.MarkOffset("t", 0, 17, "")
			<-s.Context().Done()
			return nil
		}})
		time.Sleep(500 * time.Millisecond)
		c.cancel()
		if err := <-c.result; err != nil {
			t.Errorf("Consume: %v", err)
		}
		if err := group.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		want := []string{
			"Metadata", "Metadata", "FindCoordinator", "JoinGroup", "JoinGroup", "Metadata", "SyncGroup", "FindCoordinator", "OffsetFetch",
			"ListOffsets", "ListOffsets", "OffsetCommit 0:17", "LeaveGroup: the consumer is being closed",
		}
		if got := g.requests("ApiVersions", "Fetch"); !slices.Equal(got, want) {
			t.Errorf("asked\n%v, want\n%v", got, want)
		}
	})
}

func TestGroupHeartbeats(t *testing.T) {
	t.Run("come at the interval, through Setup and Cleanup as well", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newGroupScript(t, 1)
			group := g.scriptGroup(t, g.groupConf())
			wait := func(ConsumerGroupSession) error { time.Sleep(10 * time.Second); return nil }
			c := consumeInBackground(group, &scriptHandler{setup: wait, cleanup: wait, claim: func(s ConsumerGroupSession, _ ConsumerGroupClaim) error {
				time.Sleep(10 * time.Second)
				return nil
			}})
			if err := <-c.result; err != nil {
				t.Error(err)
			}
			c.cancel()
			joined := g.times("SyncGroup")[0]
			var got []time.Duration
			for _, at := range g.times("Heartbeat") {
				if at-joined < 30*time.Second {
					got = append(got, at-joined)
				}
			}
			var want []time.Duration
			for at := 3 * time.Second; at < 30*time.Second; at += 3 * time.Second {
				want = append(want, at)
			}
			if !slices.Equal(got, want) {
				t.Errorf("heartbeats %v after joining, want %v", got, want)
			}
			_ = group.Close()
		})
	})
	for _, test := range []struct {
		name  string
		code  KError // of the second heartbeat on; 0: silence, -2: the connection is cut
		after time.Duration
		cause string
	}{
		{"a rebalance ends the session", ErrRebalanceInProgress, 6 * time.Second, "A rebalance for the group is in progress"},
		{"an unknown member ends it", ErrUnknownMemberId, 6 * time.Second, "not known in the current generation"},
		{"an old generation ends it", ErrIllegalGeneration, 6 * time.Second, "generation id is not the current"},
		{"a fenced static member ends it", ErrFencedInstancedId, 6 * time.Second, "static consumer"},
		{"any other error ends it", ErrGroupAuthorizationFailed, 6 * time.Second, "not authorized to access this group"},
		{"silence ends it within the session's timeout", 0, 13 * time.Second, "timeout"},
		{"a coordinator that is gone ends it within the session's timeout", -2, 13 * time.Second, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroupScript(t, 1)
				conf := g.groupConf()
				conf.Metadata.Retry.Max = 0
				group := g.scriptGroup(t, conf)
				errs := drainErrors(group)
				beats := 0
				g.on("Heartbeat", func(string, bridge.Header, any) (any, error) {
					switch beats++; {
					case beats == 1:
						return nil, nil
					case test.code == 0:
						return nil, errNoAnswer
					case test.code == -2:
						return nil, errHangUp
					}
					return &HeartbeatResponse{Err: test.code}, nil
				})
				begun := time.Now()
				var cause error
				c := consumeInBackground(group, &scriptHandler{cleanup: func(s ConsumerGroupSession) error {
					cause = context.Cause(s.Context())
					return nil
				}})
				if err := <-c.result; err != nil {
					t.Errorf("Consume: %v", err)
				}
				if took := time.Since(begun); took < test.after-time.Second || took > test.after {
					t.Errorf("the session has lasted %v, want about %v", took, test.after)
				}
				if cause == nil || !strings.Contains(cause.Error(), test.cause) || test.code > 0 && !errors.Is(cause, test.code) {
					t.Errorf("the cause is %v", cause)
				}
				synctest.Wait()
				_ = group.Close()
				if n := len(errs()); (n == 0) != (test.code == ErrRebalanceInProgress) {
					t.Errorf("Errors had %v", errs())
				}
				c.cancel()
			})
		})
	}
}

func TestGroupJoins(t *testing.T) {
	for _, test := range []struct {
		name  string
		join  []KError
		sync  []KError
		want  KError
		after time.Duration
	}{
		{"at once", nil, nil, 0, 0},
		{"again where the coordinator has moved", []KError{ErrNotCoordinatorForConsumer, ErrConsumerCoordinatorNotAvailable}, nil, 0, 4 * time.Second},
		{"again where it is loading", []KError{ErrOffsetsLoadInProgress}, nil, 0, 2 * time.Second},
		{"no more than Retry.Max times", slices.Repeat([]KError{ErrNotCoordinatorForConsumer}, 9), nil, ErrNotCoordinatorForConsumer, 8 * time.Second},
		{"as a new member when it is unknown", []KError{ErrUnknownMemberId}, nil, 0, 0},
		{"as a new member when its generation is over", nil, []KError{ErrIllegalGeneration}, 0, 0},
		{"again when others have joined meanwhile", nil, slices.Repeat([]KError{ErrRebalanceInProgress}, 20), 0, time.Second},
		{"not when another has its instance id", []KError{ErrFencedInstancedId}, nil, ErrFencedInstancedId, 0},
		{"not without a right to", []KError{ErrGroupAuthorizationFailed}, nil, ErrGroupAuthorizationFailed, 0},
		{"not with other strategies than the others", []KError{ErrInconsistentGroupProtocol}, nil, ErrInconsistentGroupProtocol, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroupScript(t, 1)
				join, sync := slices.Clone(test.join), slices.Clone(test.sync)
				g.on("JoinGroup", fails(&join, func(e KError) *JoinGroupResponse { return &JoinGroupResponse{Err: e} }))
				g.on("SyncGroup", fails(&sync, func(e KError) *SyncGroupResponse { return &SyncGroupResponse{Err: e} }))
				group := g.scriptGroup(t, g.groupConf())
				begun := time.Now()
				var joined time.Duration
				c := consumeInBackground(group, &scriptHandler{setup: func(ConsumerGroupSession) error {
					joined = time.Since(begun)
					return nil
				}, claim: func(ConsumerGroupSession, ConsumerGroupClaim) error { return nil }})
				err := <-c.result
				if test.want == 0 && err != nil || test.want != 0 && !errors.Is(err, test.want) {
					t.Errorf("Consume: %v, want %v", err, test.want)
				}
				if test.want != 0 {
					joined = time.Since(begun)
				}
				if joined != test.after {
					t.Errorf("it took %v, want %v", joined, test.after)
				}
				c.cancel()
				_ = group.Close()
			})
		})
	}
}

// TestJoinGroupHasTheRebalanceTimeout answers JoinGroup later than
// Net.ReadTimeout.
func TestJoinGroupHasTheRebalanceTimeout(t *testing.T) {
	for _, after := range []time.Duration{59 * time.Second, 70 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroupScript(t, 1)
				conf := g.groupConf()
				conf.Net.ReadTimeout = 2 * time.Second
				conf.Consumer.Group.Rebalance.Retry.Max = 0
				g.on("JoinGroup", func(_ string, _ bridge.Header, req any) (any, error) {
					if req.(*JoinGroupRequest).MemberId != "" {
						time.Sleep(after)
					}
					return nil, nil
				})
				group := g.scriptGroup(t, conf)
				begun := time.Now()
				c := consumeInBackground(group, &scriptHandler{claim: func(ConsumerGroupSession, ConsumerGroupClaim) error { return nil }})
				err := <-c.result
				var timeout interface{ Timeout() bool }
				switch took := time.Since(begun); {
				case after < time.Minute && (err != nil || took != after):
					t.Errorf("after %v: %v", took, err)
				case after > time.Minute && (!errors.As(err, &timeout) || took != 62*time.Second):
					t.Errorf("after %v: %v", took, err)
				}
				c.cancel()
				_ = group.Close()
			})
		})
	}
}

// TestGroupEndsSoon has what comes after the last handler's return be over
// within the time that the documentation says, whatever brokers do.
func TestGroupEndsSoon(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer error // to everything from the end on
		most   time.Duration
	}{
		{"with a healthy cluster", nil, time.Second},
		{"with one that is silent", errNoAnswer, 6 * time.Second},
		{"with one that hangs up", errHangUp, 6 * time.Second},
	} {
		for _, closed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, Close %v", test.name, closed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := newGroupScript(t, 3)
					group := g.scriptGroup(t, g.groupConf())
					var returned time.Time
					c := consumeInBackground(group, &scriptHandler{claim: func(s ConsumerGroupSession, c ConsumerGroupClaim) error {
						s.MarkOffset("t", c.Partition(), 5, "")
						<-s.Context().Done()
						time.Sleep(7 * time.Second)
						if c.Partition() == 0 {
							returned = time.Now()
						}
						return nil
					}})
					time.Sleep(4 * time.Second) // a heartbeat has been
					if test.answer != nil {
						for _, a := range apis {
							if a != nil {
								g.on(a.name, func(string, bridge.Header, any) (any, error) { return nil, test.answer })
							}
						}
					}
					if closed {
						go c.cancel()
						_ = group.Close()
					} else {
						c.cancel()
					}
					if err := <-c.result; err != nil {
						t.Errorf("Consume: %v", err)
					}
					most := test.most
					if closed && test.answer != nil {
						most += 5 * time.Second // to leave
					}
					if took := time.Since(returned); took > most {
						t.Errorf("it took %v, want at most %v", took, most)
					}
					_ = group.Close()
				})
			})
		}
	}
}

// TestHandlerThatIgnoresItsContext holds Consume up, but not the group.
func TestHandlerThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupScript(t, 2)
		group := g.scriptGroup(t, g.groupConf())
		goOn := make(chan struct{})
		cleaned := false
		c := consumeInBackground(group, &scriptHandler{
			cleanup: func(ConsumerGroupSession) error { cleaned = true; return nil },
			claim: func(s ConsumerGroupSession, c ConsumerGroupClaim) error {
				s.MarkOffset("t", c.Partition(), 5, "")
				if c.Partition() == 1 {
					<-goOn
					s.MarkOffset("t", c.Partition(), 9, "")
				}
				<-s.Context().Done()
				return nil
			},
		})
		time.Sleep(4 * time.Second)
		c.cancel()
		time.Sleep(59 * time.Second)
		if n := len(g.times("LeaveGroup")); n != 0 {
			t.Error("the member has left before Rebalance.Timeout")
		}
		time.Sleep(2 * time.Second)
		if n := len(g.times("LeaveGroup")); n != 1 {
			t.Errorf("the member has left %d times after Rebalance.Timeout", n)
		}
		if g.storedOffset(1) != 5 {
			t.Errorf("stored: %d", g.storedOffset(1))
		}
		beats := len(g.times("Heartbeat"))
		time.Sleep(time.Minute)
		if len(g.times("Heartbeat")) != beats {
			t.Error("the member that has left sends heartbeats")
		}
		select {
		case err := <-c.result:
			t.Errorf("Consume has returned %v before the handler", err)
		default:
		}
		if cleaned {
			t.Error("Cleanup came before the last handler's return")
		}
		close(goOn)
		if err := <-c.result; err != nil || !cleaned {
			t.Errorf("Consume: %v, Cleanup %v", err, cleaned)
		}
		if g.storedOffset(1) != 5 {
			t.Errorf("a mark from after the end was stored: %d", g.storedOffset(1))
		}
		if err := group.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseContextLeavesHandlersBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupScript(t, 2)
		group := g.scriptGroup(t, g.groupConf())
		goOn := make(chan struct{})
		c := consumeInBackground(group, &scriptHandler{claim: func(s ConsumerGroupSession, c ConsumerGroupClaim) error {
			if c.Partition() == 1 {
				<-goOn
			}
			<-s.Context().Done()
			return nil
		}})
		time.Sleep(4 * time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		begun := time.Now()
		err := group.(ConsumerGroupCloser).CloseContext(ctx)
		var left *HandlerError
		if !errors.As(err, &left) || !errors.Is(err, context.DeadlineExceeded) || len(left.Claims) != 1 || !slices.Equal(left.Claims["t"], []int32{1}) {
			t.Errorf("CloseContext: %v", err)
		}
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
		time.Sleep(time.Second)
		if n := len(g.times("LeaveGroup")); n != 1 {
			t.Errorf("the member has left %d times", n)
		}
		if err := group.Consume(context.Background(), []string{"t"}, &scriptHandler{}); !errors.Is(err, ErrClosedConsumerGroup) {
			t.Errorf("Consume after Close: %v", err)
		}
		close(goOn)
		if err := <-c.result; err != nil {
			t.Errorf("Consume: %v", err)
		}
		c.cancel()
		if err := group.Close(); err != nil {
			t.Errorf("Close once more: %v", err)
		}
	})
}

// TestRangeGoesByInstanceIds has static members keep their partitions though
// their member ids change.
func TestRangeGoesByInstanceIds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupScript(t, 6)
		group := g.scriptGroup(t, g.groupConf()).(*consumerGroup)
		raw, err := encodeMemberMetadata(&ConsumerGroupMemberMetadata{Topics: []string{"t"}})
		if err != nil {
			t.Fatal(err)
		}
		instance := func(s string) *string { return &s }
		resp := &JoinGroupResponse{Members: []GroupMember{
			{MemberId: "a", Metadata: raw}, {MemberId: "z", GroupInstanceId: instance("i1"), Metadata: raw},
			{MemberId: "b", GroupInstanceId: instance("i2"), Metadata: raw},
		}}
		plan, err := group.plan(context.Background(), NewBalanceStrategyRange(), resp)
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string][]int32{"z": {0, 1}, "b": {2, 3}, "a": {4, 5}} {
			share, err := decodeMemberAssignment(plan.shares[id])
			if err != nil || !slices.Equal(share.Topics["t"], want) {
				t.Errorf("%s gets %v, want %v, %v", id, share, want, err)
			}
		}
		_ = group.Close()
	})
}
