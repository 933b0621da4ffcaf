package mocks

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
)

// recorder is a handler that marks what it reads, and notes what is called.
type recorder struct {
	setup, cleanup error
	claim          func(sarama.ConsumerGroupSession, *sarama.ConsumerMessage) error // may be nil
	quiet          bool                                                             // marks nothing

	mu    sync.Mutex
	calls []string
	seen  map[int32][]int64 // offsets by partition
}

func (h *recorder) note(call string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, call)
}

func (h *recorder) Setup(sarama.ConsumerGroupSession) error { h.note("setup"); return h.setup }

func (h *recorder) Cleanup(sarama.ConsumerGroupSession) error { h.note("cleanup"); return h.cleanup }

func (h *recorder) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for m := range c.Messages() {
		h.mu.Lock()
		if h.seen == nil {
			h.seen = make(map[int32][]int64)
		}
		h.seen[m.Partition] = append(h.seen[m.Partition], m.Offset)
		h.mu.Unlock()
		if h.claim != nil {
			if err := h.claim(s, m); err != nil {
				return err
			}
		}
		if !h.quiet {
			s.MarkMessage(m, "")
		}
	}
	h.note("claim")
	return nil
}

func (h *recorder) offsets(partition int32) []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen[partition])
}

// loop calls Consume until it fails, and gives the error away.
func loop(ctx context.Context, g *ConsumerGroup, h sarama.ConsumerGroupHandler) <-chan error {
	failed := make(chan error, 1)
	go func() {
		for {
			if err := g.Consume(ctx, []string{"t"}, h); err != nil {
				failed <- err
				return
			}
		}
	}()
	return failed
}

func claims(partitions ...int32) map[string][]int32 { return map[string][]int32{"t": partitions} }

func marked(t *testing.T, g *ConsumerGroup, partition int32, offset int64) {
	t.Helper()
	if err := g.WaitMarked(t.Context(), "t", partition, offset); err != nil {
		t.Error(err)
	}
}

func session(t *testing.T, g *ConsumerGroup) *ConsumerGroupSession {
	t.Helper()
	s, err := g.WaitSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConsumerGroupRunsTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := &reports{}, &recorder{}
		g := NewConsumerGroup(r, nil).SetClaims(claims(1, 0))
		g.YieldMessage("t", 0, message()).YieldMessage("t", 0, message())
		failed := loop(t.Context(), g, h)
		s := session(t, g)
		if s != g.Session() || s.GenerationID() != 1 || s.MemberID() == "" || !reflect.DeepEqual(s.Claims(), claims(0, 1)) {
			t.Errorf("session %d of %q with %v", s.GenerationID(), s.MemberID(), s.Claims())
		}
		marked(t, g, 0, 2)
		g.YieldMessage("t", 1, message())
		marked(t, g, 1, 1)
		if s.MarkedOffset("t", 0) != 2 || s.MarkedOffset("t", 1) != 1 || g.CommittedOffset("t", 0) != -1 {
			t.Errorf("marked %d and %d, committed %d", s.MarkedOffset("t", 0), s.MarkedOffset("t", 1), g.CommittedOffset("t", 0))
		}
		for range 2 {
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-failed; err != sarama.ErrClosedConsumerGroup {
			t.Errorf("Consume: %v", err)
		}
		if cause := context.Cause(s.Context()); cause != sarama.ErrClosedConsumerGroup {
			t.Errorf("cause %v", cause)
		}
		if want := []string{"setup", "claim", "claim", "cleanup"}; !slices.Equal(h.calls, want) {
			t.Errorf("calls %v", h.calls)
		}
		if g.CommittedOffset("t", 0) != 2 || g.CommittedOffset("t", 1) != 1 || g.Session() != nil {
			t.Errorf("committed %d and %d", g.CommittedOffset("t", 0), g.CommittedOffset("t", 1))
		}
		s.MarkOffset("t", 0, 9, "")
		if s.MarkedOffset("t", 0) != 2 {
			t.Error("a mark has moved after the session")
		}
		if _, open := <-g.Errors(); open {
			t.Error("Errors is open")
		}
		r.want(t)
	})
}

func TestConsumerGroupRebalances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := &reports{}, &recorder{}
		g := NewConsumerGroup(r, nil).SetClaims(claims(0))
		g.YieldMessage("t", 0, message()).YieldMessage("t", 1, message())
		failed := loop(t.Context(), g, h)
		first := session(t, g)
		marked(t, g, 0, 1)
		g.Rebalance(claims(1))
		second := session(t, g)
		if cause := context.Cause(first.Context()); cause != sarama.ErrRebalanceInProgress {
			t.Errorf("cause %v", cause)
		}
		if second.GenerationID() != 2 || !reflect.DeepEqual(second.Claims(), claims(1)) {
			t.Errorf("session %d with %v", second.GenerationID(), second.Claims())
		}
		marked(t, g, 1, 1)
		g.YieldMessage("t", 0, message()) // for later
		g.Rebalance(claims(0, 1))
		marked(t, g, 0, 2)
		_ = g.Close()
		<-failed
		if !slices.Equal(h.offsets(0), []int64{0, 1}) || !slices.Equal(h.offsets(1), []int64{0}) {
			t.Errorf("seen %v", h.seen)
		}
		r.want(t)
	})
}

// What is not committed comes again.
func TestConsumerGroupDeliversAgain(t *testing.T) {
	for _, tc := range []struct {
		name   string
		auto   bool
		quiet  bool
		claim  func(s sarama.ConsumerGroupSession, m *sarama.ConsumerMessage) error
		seen   []int64
		stored int64
	}{
		{"marked, committed in the end", true, false, nil, []int64{5, 6}, 7},
		{"marked, never committed", false, false, nil, []int64{5, 6, 5, 6}, 5},
		{"not marked", true, true, nil, []int64{5, 6, 5, 6}, 5},
		{"committed by the handler", false, true, func(s sarama.ConsumerGroupSession, m *sarama.ConsumerMessage) error {
			if m.Offset == 5 {
				s.MarkMessage(m, "")
				s.Commit()
			}
			return nil
		}, []int64{5, 6, 6}, 6},
		{"reset", true, true, func(s sarama.ConsumerGroupSession, m *sarama.ConsumerMessage) error {
			s.MarkMessage(m, "")
			s.ResetOffset("t", 0, 6, "")
			return nil
		}, []int64{5, 6, 6}, 6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conf := sarama.NewConfig()
				conf.Consumer.Offsets.AutoCommit.Enable = tc.auto
				h := &recorder{quiet: tc.quiet, claim: tc.claim}
				g := NewConsumerGroup(t, conf).SetClaims(claims(0)).SetCommittedOffset("t", 0, 5)
				g.YieldMessage("t", 0, message()).YieldMessage("t", 0, message())
				failed := loop(t.Context(), g, h)
				synctest.Wait()
				g.Rebalance(claims(0))
				synctest.Wait()
				_ = g.Close()
				<-failed
				if got := h.offsets(0); !slices.Equal(got, tc.seen) {
					t.Errorf("seen %v, want %v", got, tc.seen)
				}
				if got := g.CommittedOffset("t", 0); got != tc.stored {
					t.Errorf("committed %d, want %d", got, tc.stored)
				}
			})
		})
	}
}

func TestConsumerGroupClaimsBeginWhereTheyAreSaidTo(t *testing.T) {
	type begin struct{ initial, mark int64 }
	conf := sarama.NewConfig()
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	g := NewConsumerGroup(t, conf).SetClaims(claims(0, 1)).SetCommittedOffset("t", 1, 40)
	g.YieldMessage("t", 1, message())
	var mu sync.Mutex
	got := make(map[int32]begin)
	h := claimFunc(func(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
		mu.Lock()
		got[c.Partition()] = begin{c.InitialOffset(), c.HighWaterMarkOffset()}
		mu.Unlock()
		if c.Topic() != "t" {
			t.Errorf("topic %s", c.Topic())
		}
		return nil
	})
	if err := g.Consume(t.Context(), []string{"t"}, h); err != nil {
		t.Error(err)
	}
	if want := map[int32]begin{0: {sarama.OffsetOldest, 0}, 1: {40, 41}}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	_ = g.Close()
}

// claimFunc is a handler with ConsumeClaim alone.
type claimFunc func(sarama.ConsumerGroupSession, sarama.ConsumerGroupClaim) error

func (f claimFunc) Setup(sarama.ConsumerGroupSession) error { return nil }

func (f claimFunc) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (f claimFunc) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	return f(s, c)
}

func TestConsumerGroupErrorsOfTheHandler(t *testing.T) {
	boom := errors.New("boom")
	fails := func(sarama.ConsumerGroupSession, *sarama.ConsumerMessage) error { return boom }
	for _, tc := range []struct {
		name    string
		handler *recorder
		err     error
		calls   []string
		cause   error
		told    bool
	}{
		{"Setup", &recorder{setup: boom}, boom, []string{"setup", "cleanup"}, boom, false},
		{"Cleanup", &recorder{claim: fails, cleanup: boom}, boom, []string{"setup", "cleanup"}, sarama.ErrSessionConsumeClaimExited, true},
		{"ConsumeClaim", &recorder{claim: fails}, nil, []string{"setup", "cleanup"}, sarama.ErrSessionConsumeClaimExited, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &reports{}
			g := NewConsumerGroup(r, nil).SetClaims(claims(3)).YieldMessage("t", 3, message())
			var s sarama.ConsumerGroupSession
			h := &sessionGrabber{ConsumerGroupHandler: tc.handler, s: &s}
			if err := g.Consume(t.Context(), []string{"t"}, h); err != tc.err {
				t.Errorf("Consume: %v", err)
			}
			if !slices.Equal(tc.handler.calls, tc.calls) || !errors.Is(context.Cause(s.Context()), tc.cause) {
				t.Errorf("calls %v, cause %v", tc.handler.calls, context.Cause(s.Context()))
			}
			err := g.Close()
			var told *sarama.ConsumerError
			if errors.As(err, &told) != tc.told || tc.told && (told.Topic != "t" || told.Partition != 3 || told.Err != boom) {
				t.Errorf("Close: %v", err)
			}
			r.want(t)
		})
	}
}

// sessionGrabber shows the session of a handler.
type sessionGrabber struct {
	sarama.ConsumerGroupHandler
	s *sarama.ConsumerGroupSession
}

func (h *sessionGrabber) Setup(s sarama.ConsumerGroupSession) error {
	*h.s = s
	return h.ConsumerGroupHandler.Setup(s)
}

func TestConsumerGroupConsumeFails(t *testing.T) {
	boom := errors.New("boom")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tc := range []struct {
		name   string
		do     func(g *ConsumerGroup)
		ctx    context.Context
		topics []string
		err    string
		report []string
	}{
		{"no topics", func(*ConsumerGroup) {}, t.Context(), nil, "no topics provided", nil},
		{"no claims", func(*ConsumerGroup) {}, t.Context(), []string{"t"}, errOutOfExpectations.Error(),
			[]string{"Consume was called, but no claims are set. Call SetClaims first."}},
		{"as expected", func(g *ConsumerGroup) { g.ExpectConsumeAndFail(boom).ExpectConsumeAndFail(boom) }, t.Context(), []string{"t"}, "boom", []string{reportLeft(1)}},
		{"the context has ended", func(g *ConsumerGroup) { g.SetClaims(claims(0)) }, ended, []string{"t"}, context.Canceled.Error(), nil},
		{"closed", func(g *ConsumerGroup) { _ = g.Close() }, t.Context(), nil, sarama.ErrClosedConsumerGroup.Error(), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &reports{}
			g := NewConsumerGroup(r, nil)
			tc.do(g)
			if err := g.Consume(tc.ctx, tc.topics, &recorder{}); err == nil || err.Error() != tc.err {
				t.Errorf("got %v", err)
			}
			_ = g.Close()
			r.want(t, tc.report...)
		})
	}
}

func TestConsumerGroupReportsTopicsThatAreNotAskedFor(t *testing.T) {
	r := &reports{}
	g := NewConsumerGroup(r, nil).SetClaims(map[string][]int32{"t": {0}, "typo": {0}, "other": {1}})
	returns := claimFunc(func(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
		if c.Topic() != "t" {
			t.Errorf("claim of %s", c.Topic())
		}
		return nil
	})
	if err := g.Consume(t.Context(), []string{"t"}, returns); err != nil {
		t.Error(err)
	}
	r.want(t, "Claims are set for the topics [other typo], but Consume was called for [t].")
	if err := g.ConsumePattern(t.Context(), "t", returns); err != nil {
		t.Error(err)
	}
	r.want(t, `Claims are set for the topics [other typo], but Consume was called for "t".`)
	for _, pattern := range []string{"", "("} {
		if err := g.ConsumePattern(t.Context(), pattern, returns); err == nil {
			t.Errorf("pattern %q: no error", pattern)
		}
	}
	_ = g.Close()
	r.want(t)
}

func TestConsumerGroupPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &recorder{}
		g := NewConsumerGroup(t, nil).SetClaims(claims(0, 1))
		g.PauseAll() // of nothing
		failed := loop(t.Context(), g, h)
		synctest.Wait()
		want := func(paused map[string][]int32, seen0, seen1 int) {
			t.Helper()
			g.YieldMessage("t", 0, message()).YieldMessage("t", 1, message())
			synctest.Wait()
			if !reflect.DeepEqual(g.Paused(), paused) || len(h.offsets(0)) != seen0 || len(h.offsets(1)) != seen1 {
				t.Errorf("paused %v, seen %v", g.Paused(), h.seen)
			}
		}
		none := map[string][]int32{}
		want(none, 1, 1)
		g.Pause(map[string][]int32{"t": {1, 7}, "none": {0}})
		want(claims(1), 2, 1)
		g.Rebalance(claims(0, 1)) // starts paused
		synctest.Wait()
		want(claims(1), 3, 1)
		g.Resume(claims(1))
		want(none, 4, 4)
		g.PauseAll()
		want(claims(0, 1), 4, 4)
		g.ResumeAll()
		want(none, 6, 6)
		_ = g.Close()
		<-failed
	})
}

func TestConsumerGroupCommitsFail(t *testing.T) {
	boom := errors.New("boom")
	r, h := &reports{}, &recorder{quiet: true}
	h.claim = func(s sarama.ConsumerGroupSession, m *sarama.ConsumerMessage) error {
		s.MarkMessage(m, "meta")
		s.Commit()
		if err := s.(sarama.ConsumerGroupSessionCommitter).CommitContext(s.Context()); err != boom {
			t.Errorf("CommitContext: %v", err)
		}
		return errRefused
	}
	g := NewConsumerGroup(r, nil).SetClaims(claims(0)).YieldMessage("t", 0, message())
	g.FailCommits(boom)
	if err := g.Consume(t.Context(), []string{"t"}, h); err != nil {
		t.Error(err)
	}
	if first, second := <-g.Errors(), <-g.Errors(); first != boom || !errors.Is(second, errRefused) {
		t.Errorf("errors %v, %v", first, second)
	}
	if err := g.Close(); err != boom { // of the last commit
		t.Errorf("Close: %v", err)
	}
	if g.CommittedOffset("t", 0) != -1 {
		t.Errorf("committed %d", g.CommittedOffset("t", 0))
	}
	r.want(t)
}

func TestConsumerGroupErrorsThatNobodyReads(t *testing.T) {
	r, conf := &reports{}, sarama.NewConfig()
	conf.ChannelBufferSize = 1
	g := NewConsumerGroup(r, conf)
	g.YieldError(errYielded).YieldError(errRefused)
	r.want(t, "The mock consumer group is closed, or nobody reads its errors: refused")
	if err := <-g.Errors(); err != errYielded {
		t.Errorf("got %v", err)
	}
	_ = g.Close()
	g.YieldError(errSend)
	r.want(t, "The mock consumer group is closed, or nobody reads its errors: not sent")
}

func TestConsumerGroupCloseContextNamesHandlersThatStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stays := claimFunc(func(_ sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
			if c.Partition() != 2 {
				<-release
			}
			return nil
		})
		g := NewConsumerGroup(t, nil).SetClaims(claims(1, 0, 2))
		failed := loop(t.Context(), g, stays)
		synctest.Wait()
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errRefused)
		var left *sarama.HandlerError
		if err := g.CloseContext(ctx); !errors.As(err, &left) || !errors.Is(err, errRefused) || !reflect.DeepEqual(left.Claims, claims(0, 1)) {
			t.Errorf("got %v", err)
		}
		close(release)
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if err := <-failed; err != sarama.ErrClosedConsumerGroup {
			t.Error(err)
		}
	})
}

// SetClaims leaves the session alone; WaitSession is for the one after it.
func TestConsumerGroupSetClaimsIsForTheNextSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewConsumerGroup(t, nil).SetClaims(claims(0))
		failed := loop(t.Context(), g, &recorder{})
		first := session(t, g)
		g.SetClaims(claims(1))
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errRefused)
		defer cancel()
		if s, err := g.WaitSession(ctx); err != errRefused || first.Context().Err() != nil {
			t.Errorf("got %v, %v", s, err)
		}
		first.End(errRefused)
		if s := session(t, g); !reflect.DeepEqual(s.Claims(), claims(1)) {
			t.Errorf("claims %v", s.Claims())
		}
		_ = g.Close()
		<-failed
	})
}

func TestConsumerGroupCloseContextEndsDuringSetup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		g := NewConsumerGroup(t, nil).SetClaims(claims(0))
		failed := loop(t.Context(), g, &slowSetup{release: release})
		synctest.Wait()
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errRefused)
		if err := g.CloseContext(ctx); err != errRefused {
			t.Errorf("got %v", err)
		}
		close(release)
		_ = g.Close()
		<-failed
	})
}

// slowSetup is a handler whose Setup waits.
type slowSetup struct {
	recorder
	release chan struct{}
}

func (h *slowSetup) Setup(sarama.ConsumerGroupSession) error { <-h.release; return nil }

func TestConsumerGroupWaitsEnd(t *testing.T) {
	g := NewConsumerGroup(t, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errRefused)
	if err := g.WaitMarked(ctx, "t", 0, 1); err != errRefused {
		t.Errorf("got %v", err)
	}
	_ = g.Close()
	if _, err := g.WaitSession(t.Context()); err != sarama.ErrClosedConsumerGroup {
		t.Errorf("got %v", err)
	}
}

// Sessions come and go while messages are yielded: each is processed.
func TestConsumerGroupOfManyGoroutines(t *testing.T) {
	h := &recorder{}
	g := NewConsumerGroup(t, nil).SetClaims(claims(0, 1, 2))
	failed := loop(t.Context(), g, h)
	var all sync.WaitGroup
	for p := range int32(3) {
		all.Go(func() {
			for range 300 {
				g.YieldMessage("t", p, message())
			}
		})
	}
	all.Go(func() {
		for i := range 30 {
			g.Rebalance(claims(0, 1, 2))
			if i%3 == 0 {
				session(t, g)
			}
			g.PauseAll()
			_ = g.Paused()
			g.ResumeAll()
		}
	})
	all.Wait()
	for p := range int32(3) {
		marked(t, g, p, 300)
	}
	_ = g.Close()
	<-failed
	for p := range int32(3) {
		seen := h.offsets(p)
		if slices.Sort(seen); len(slices.Compact(seen)) != 300 || g.CommittedOffset("t", p) != 300 {
			t.Errorf("partition %d: %d messages, committed %d", p, len(slices.Compact(seen)), g.CommittedOffset("t", p))
		}
	}
}
