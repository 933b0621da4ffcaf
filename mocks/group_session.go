package mocks

import (
	"context"
	"slices"
	"sync"

	"github.com/IBM/sarama"
)

// SessionCall is a call that a handler made to its session.
type SessionCall struct {
	Method    string // "MarkMessage", "MarkOffset", "ResetOffset" or "Commit"
	Topic     string // empty for Commit, like what follows
	Partition int32
	Offset    int64 // of the next message: for MarkMessage, one more than the message's
	Metadata  string
}

// ConsumerGroupSession is a double of sarama.ConsumerGroupSession, for tests of
// a handler without a group, and what ConsumerGroup gives handlers. Marks behave
// as those of a real session: they only move forward, ResetOffset moves them
// back, and those of partitions that are not claimed have no effect, nor have
// any once the session is over. All calls are recorded.
type ConsumerGroupSession struct {
	// constant
	claims     map[string][]int32
	memberID   string
	generation int32
	ctx        context.Context
	cancel     context.CancelCauseFunc
	offsets    *offsets
	report     func(error)

	// mu guards
	mu struct {
		sync.Mutex
		marks map[topicPartition]int64 // of what is claimed
		calls []SessionCall
		over  bool // marks have no effect any more
	}
}

var (
	_ sarama.ConsumerGroupSession          = (*ConsumerGroupSession)(nil)
	_ sarama.ConsumerGroupSessionCommitter = (*ConsumerGroupSession)(nil)
)

// offsets is what a group has stored, and what its members have marked.
type offsets struct {
	// mu guards
	mu struct {
		sync.Mutex
		committed map[topicPartition]int64
		reached   map[topicPartition]int64 // the highest mark there ever was
		failure   error                    // of commits
		changed   chan struct{}            // closed, and replaced, when anything changes
	}
}

func newOffsets() *offsets {
	o := &offsets{}
	o.mu.committed, o.mu.reached = make(map[topicPartition]int64), make(map[topicPartition]int64)
	o.mu.changed = make(chan struct{})
	return o
}

// touch wakes those who wait for a change.
func (o *offsets) touch() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.touchLocked()
}

func (o *offsets) touchLocked() {
	close(o.mu.changed)
	o.mu.changed = make(chan struct{})
}

// change is closed when anything changes from now on.
func (o *offsets) change() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.changed
}

func (o *offsets) reach(at topicPartition, offset int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if was, known := o.mu.reached[at]; !known || offset > was {
		o.mu.reached[at] = offset
		o.touchLocked()
	}
}

// commit stores marks.
func (o *offsets) commit(marks map[topicPartition]int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.failure != nil {
		return o.mu.failure
	}
	for at, offset := range marks {
		o.mu.committed[at] = offset
	}
	o.touchLocked()
	return nil
}

// stored is what is committed of a partition, -1 for nothing.
func (o *offsets) stored(at topicPartition) int64 { return o.offset(&o.mu.committed, at) }

// highest is the highest mark that a partition ever had, -1 for none.
func (o *offsets) highest(at topicPartition) int64 { return o.offset(&o.mu.reached, at) }

func (o *offsets) offset(of *map[topicPartition]int64, at topicPartition) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if offset, known := (*of)[at]; known {
		return offset
	}
	return -1
}

func (o *offsets) store(at topicPartition, offset int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.committed[at] = offset
}

func (o *offsets) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.failure = err
}

// NewConsumerGroupSession returns a session with some claims, by topic. Its
// context is derived from ctx, and ends with End.
func NewConsumerGroupSession(ctx context.Context, claims map[string][]int32) *ConsumerGroupSession {
	return newSession(ctx, claims, 1, newOffsets(), func(error) {})
}

func newSession(ctx context.Context, claims map[string][]int32, generation int32, o *offsets, report func(error)) *ConsumerGroupSession {
	s := &ConsumerGroupSession{claims: cloneClaims(claims), memberID: "mock-member-1", generation: generation, offsets: o, report: report}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.mu.marks = make(map[topicPartition]int64)
	for topic, partitions := range s.claims {
		slices.Sort(partitions)
		for _, partition := range partitions {
			at := topicPartition{topic, partition}
			s.mu.marks[at] = o.stored(at)
		}
	}
	return s
}

// End ends the session: its context ends with this cause. Of a session of a
// ConsumerGroup, the claims are closed then.
func (s *ConsumerGroupSession) End(cause error) { s.cancel(cause) }

// FailCommits has commits fail with an error from now on, until it is called
// with nil. In a ConsumerGroup that goes for later sessions, too.
func (s *ConsumerGroupSession) FailCommits(err error) { s.offsets.fail(err) }

// MarkedOffset is the mark of a claimed partition: the offset of the next
// message. It is -1 where nothing is marked, nor was committed before.
func (s *ConsumerGroupSession) MarkedOffset(topic string, partition int32) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mark, claimed := s.mu.marks[topicPartition{topic, partition}]; claimed {
		return mark
	}
	return -1
}

// CommittedOffset is what is committed of a partition, -1 for nothing.
func (s *ConsumerGroupSession) CommittedOffset(topic string, partition int32) int64 {
	return s.offsets.stored(topicPartition{topic, partition})
}

// Calls returns the marks, resets and commits so far, in order.
func (s *ConsumerGroupSession) Calls() []SessionCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mu.calls)
}

// Claims returns the claims, by topic.
func (s *ConsumerGroupSession) Claims() map[string][]int32 { return cloneClaims(s.claims) }

// MemberID is "mock-member-1".
func (s *ConsumerGroupSession) MemberID() string { return s.memberID }

// GenerationID counts the sessions of a ConsumerGroup, from 1 on.
func (s *ConsumerGroupSession) GenerationID() int32 { return s.generation }

// Context ends with the session; context.Cause tells why.
func (s *ConsumerGroupSession) Context() context.Context { return s.ctx }

// MarkMessage marks the offset behind a message.
func (s *ConsumerGroupSession) MarkMessage(msg *sarama.ConsumerMessage, metadata string) {
	s.move(SessionCall{"MarkMessage", msg.Topic, msg.Partition, msg.Offset + 1, metadata}, func(mark int64) bool { return msg.Offset+1 > mark })
}

// MarkOffset moves a mark forward.
func (s *ConsumerGroupSession) MarkOffset(topic string, partition int32, offset int64, metadata string) {
	s.move(SessionCall{"MarkOffset", topic, partition, offset, metadata}, func(mark int64) bool { return offset > mark })
}

// ResetOffset moves a mark back.
func (s *ConsumerGroupSession) ResetOffset(topic string, partition int32, offset int64, metadata string) {
	s.move(SessionCall{"ResetOffset", topic, partition, offset, metadata}, func(mark int64) bool { return offset <= mark })
}

// move records a call, and moves the mark if it may be.
func (s *ConsumerGroupSession) move(call SessionCall, may func(mark int64) bool) {
	at := topicPartition{call.Topic, call.Partition}
	s.mu.Lock()
	s.mu.calls = append(s.mu.calls, call)
	mark, claimed := s.mu.marks[at]
	moved := claimed && !s.mu.over && may(mark)
	if moved {
		s.mu.marks[at] = call.Offset
	}
	s.mu.Unlock()
	if moved {
		s.offsets.reach(at, call.Offset)
	}
}

// Commit stores the marks. The error of FailCommits goes to the group's Errors.
func (s *ConsumerGroupSession) Commit() {
	if err := s.CommitContext(context.Background()); err != nil {
		s.report(err)
	}
}

// CommitContext stores the marks, unless ctx has ended. It returns the error of
// FailCommits.
func (s *ConsumerGroupSession) CommitContext(ctx context.Context) error {
	s.mu.Lock()
	s.mu.calls = append(s.mu.calls, SessionCall{Method: "Commit"})
	s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.store()
}

// store commits what is marked.
func (s *ConsumerGroupSession) store() error {
	s.mu.Lock()
	marks := make(map[topicPartition]int64)
	for at, mark := range s.mu.marks {
		if mark >= 0 && !s.mu.over {
			marks[at] = mark
		}
	}
	s.mu.Unlock()
	return s.offsets.commit(marks)
}

// finish is the end of the session's marks, which are stored for the last time
// where that is done by itself.
func (s *ConsumerGroupSession) finish(commit bool) {
	if commit {
		if err := s.store(); err != nil {
			s.report(err)
		}
	}
	s.mu.Lock()
	s.mu.over = true
	s.mu.Unlock()
}
