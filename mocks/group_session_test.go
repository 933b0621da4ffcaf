package mocks

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/IBM/sarama"
)

func TestConsumerGroupSessionMarks(t *testing.T) {
	mark := func(offset int64) func(*ConsumerGroupSession) {
		return func(s *ConsumerGroupSession) { s.MarkOffset("t", 0, offset, "m") }
	}
	reset := func(offset int64) func(*ConsumerGroupSession) {
		return func(s *ConsumerGroupSession) { s.ResetOffset("t", 0, offset, "") }
	}
	message := func(offset int64) func(*ConsumerGroupSession) {
		return func(s *ConsumerGroupSession) {
			s.MarkMessage(&sarama.ConsumerMessage{Topic: "t", Offset: offset}, "")
		}
	}
	for _, tc := range []struct {
		name      string
		do        []func(*ConsumerGroupSession)
		marked    int64
		committed int64
	}{
		{"nothing", nil, -1, -1},
		{"nothing, committed", []func(*ConsumerGroupSession){(*ConsumerGroupSession).Commit}, -1, -1},
		{"a message", []func(*ConsumerGroupSession){message(4)}, 5, -1},
		{"an offset, committed", []func(*ConsumerGroupSession){mark(4), (*ConsumerGroupSession).Commit, mark(6)}, 6, 4},
		{"backwards", []func(*ConsumerGroupSession){mark(4), mark(3), message(1)}, 4, -1},
		{"reset", []func(*ConsumerGroupSession){mark(4), reset(2)}, 2, -1},
		{"reset forwards", []func(*ConsumerGroupSession){mark(4), reset(5)}, 4, -1},
		{"committed, reset, committed", []func(*ConsumerGroupSession){mark(4), (*ConsumerGroupSession).Commit, reset(1), (*ConsumerGroupSession).Commit}, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := NewConsumerGroupSession(t.Context(), map[string][]int32{"t": {0}})
			for _, do := range tc.do {
				do(s)
			}
			if s.MarkedOffset("t", 0) != tc.marked || s.CommittedOffset("t", 0) != tc.committed || len(s.Calls()) != len(tc.do) {
				t.Errorf("marked %d, committed %d, calls %v", s.MarkedOffset("t", 0), s.CommittedOffset("t", 0), s.Calls())
			}
			s.End(nil)
		})
	}
}

func TestConsumerGroupSessionRecordsCalls(t *testing.T) {
	s := NewConsumerGroupSession(t.Context(), map[string][]int32{"t": {1, 0}})
	s.MarkMessage(&sarama.ConsumerMessage{Topic: "t", Partition: 1, Offset: 6}, "a")
	s.MarkOffset("unclaimed", 2, 3, "b")
	s.ResetOffset("t", 1, 4, "c")
	s.Commit()
	want := []SessionCall{{"MarkMessage", "t", 1, 7, "a"}, {"MarkOffset", "unclaimed", 2, 3, "b"}, {"ResetOffset", "t", 1, 4, "c"}, {Method: "Commit"}}
	if got := s.Calls(); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if s.MarkedOffset("unclaimed", 2) != -1 || s.CommittedOffset("unclaimed", 2) != -1 {
		t.Error("a mark of what is not claimed")
	}
	own := s.Claims()
	own["t"][0] = 9
	if got := s.Claims()["t"]; !slices.Equal(got, []int32{0, 1}) {
		t.Errorf("claims %v", got)
	}
	s.End(errRefused)
	s.End(nil)
	if cause := context.Cause(s.Context()); cause != errRefused {
		t.Errorf("cause %v", cause)
	}
}

func TestConsumerGroupSessionCommitsFail(t *testing.T) {
	s := NewConsumerGroupSession(t.Context(), map[string][]int32{"t": {0}})
	defer s.End(nil)
	s.MarkOffset("t", 0, 4, "")
	s.FailCommits(errRefused)
	s.Commit()
	if err := s.CommitContext(t.Context()); err != errRefused || s.CommittedOffset("t", 0) != -1 {
		t.Errorf("got %v, committed %d", err, s.CommittedOffset("t", 0))
	}
	s.FailCommits(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.CommitContext(ctx); !errors.Is(err, context.Canceled) || s.CommittedOffset("t", 0) != -1 {
		t.Errorf("got %v, committed %d", err, s.CommittedOffset("t", 0))
	}
	if err := s.CommitContext(t.Context()); err != nil || s.CommittedOffset("t", 0) != 4 {
		t.Errorf("got %v, committed %d", err, s.CommittedOffset("t", 0))
	}
}

// More than the channel holds is yielded and closed before anybody reads.
func TestConsumerGroupClaimHandsOverWhatWasYielded(t *testing.T) {
	for _, tc := range []struct{ initial, first int64 }{{0, 0}, {sarama.OffsetOldest, 0}, {sarama.OffsetNewest, 0}, {12, 12}} {
		c := NewConsumerGroupClaim("t", 4, tc.initial)
		for range 1000 {
			c.YieldMessage(message())
		}
		if c.Topic() != "t" || c.Partition() != 4 || c.InitialOffset() != tc.initial || c.HighWaterMarkOffset() != tc.first+1000 {
			t.Errorf("claim of %s/%d from %d to %d", c.Topic(), c.Partition(), c.InitialOffset(), c.HighWaterMarkOffset())
		}
		c.Close()
		c.Close()
		c.YieldMessage(message())
		next := tc.first
		for m := range c.Messages() {
			if m.Topic != "t" || m.Partition != 4 || m.Offset != next {
				t.Errorf("message %s/%d at %d, want %d", m.Topic, m.Partition, m.Offset, next)
			}
			next++
		}
		if next != tc.first+1000 {
			t.Errorf("up to %d", next)
		}
	}
}

func TestConsumerGroupClaimYieldsWhileItIsRead(t *testing.T) {
	c := NewConsumerGroupClaim("t", 0, 0)
	var reader sync.WaitGroup
	messages := 0
	reader.Go(func() {
		for range c.Messages() {
			messages++
		}
	})
	for range 2000 {
		c.YieldMessage(message())
	}
	c.Close()
	if reader.Wait(); messages != 2000 {
		t.Errorf("%d messages", messages)
	}
}
