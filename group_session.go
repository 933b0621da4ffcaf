package sarama

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// ConsumerGroupSession is a member's time in its group, from the call of Setup
// to that of Cleanup. Its methods may be called from any goroutine.
type ConsumerGroupSession interface {
	// Claims returns the partitions that the member consumes, by topic.
	Claims() map[string][]int32

	// MemberID is the id that the coordinator has given the member.
	MemberID() string

	// GenerationID is the group's present generation.
	GenerationID() int32

	// MarkOffset says that all messages of a claim below an offset were dealt
	// with: it is the offset of the next one, so usually that of the last
	// message plus one. A mark only moves forward; another, and one of a
	// partition that is not claimed, is ignored. It is stored by the next
	// commit.
	MarkOffset(topic string, partition int32, offset int64, metadata string)

	// Commit stores what was marked before it was called, and waits until the
	// coordinator has answered. What goes wrong is told by
	// ConsumerGroup.Errors.
	Commit()

	// ResetOffset moves the mark of a claim back to an offset; a higher one is
	// ignored.
	ResetOffset(topic string, partition int32, offset int64, metadata string)

	// MarkMessage is MarkOffset for the offset behind a message.
	MarkMessage(msg *ConsumerMessage, metadata string)

	// Context ends with the session; context.Cause tells why. It is derived
	// from the context that was given to Consume.
	Context() context.Context
}

// ConsumerGroupSessionCommitter is what a ConsumerGroupSession of this package
// has besides, to be had by a type assertion.
type ConsumerGroupSessionCommitter interface {
	// CommitContext is Commit that says what went wrong, and waits no longer
	// than until ctx ends.
	CommitContext(ctx context.Context) error
}

// NewConsumerGroupMetadataFromSession returns the metadata with which a
// transactional producer commits a session's offsets, so that a member that was
// replaced is fenced (KIP-447). groupInstanceID is that of a static member.
func NewConsumerGroupMetadataFromSession(session ConsumerGroupSession, groupID string, groupInstanceID *string) *ConsumerGroupMetadata {
	return &ConsumerGroupMetadata{
		GroupID: groupID, GenerationID: session.GenerationID(), MemberID: session.MemberID(), GroupInstanceID: groupInstanceID,
	}
}

// consumerGroupSession is a ConsumerGroupSession.
type consumerGroupSession struct {
	// constant after newGroupSession
	group   *consumerGroup
	sub     subscription
	handler ConsumerGroupHandler
	offsets *offsetManager
	keeper  *groupKeeper
	ctx     context.Context
	cancel  context.CancelCauseFunc

	// atomic snapshot, any goroutine; the keeper replaces it
	claimed atomic.Pointer[claimedPartitions]

	// mu guards
	mu struct {
		sync.Mutex
		running map[topicPartition]struct{} // whose ConsumeClaim has not returned
		failed  error                       // with which Consume returns
	}
}

// claimedPartitions are a member's claims, and where each is marked.
type claimedPartitions struct {
	claims  map[string][]int32
	offsets map[string]map[int32]*partitionOffsetManager
}

// newGroupSession begins a session: from here on the member sends heartbeats.
func newGroupSession(g *consumerGroup, until context.Context, j *joined, sub subscription, handler ConsumerGroupHandler) *consumerGroupSession {
	s := &consumerGroupSession{group: g, sub: sub, handler: handler}
	s.mu.running = make(map[topicPartition]struct{})
	s.ctx, s.cancel = context.WithCancelCause(until)
	s.claimed.Store(&claimedPartitions{claims: j.claims})
	s.offsets = newOffsetManager(g.id, g.client)
	s.offsets.report, s.offsets.lost = g.report, s.end
	s.offsets.identity.Store(j.who)
	s.offsets.newer = j.newer != nil
	s.keeper = newGroupKeeper(s, j)
	g.session.Store(s)
	Logger.Printf("consumergroup/session/%s/%d begins with %v\n", j.who.memberID, j.who.generation, j.claims)
	go withRecover(s.offsets.run)
	go withRecover(s.keeper.run)
	return s
}

// consume is the session, on the goroutine that called Consume.
func (s *consumerGroupSession) consume() (err error) {
	err = errHandlerExited
	defer func() { // also where the handler panics, and somebody recovers
		if s.finish(err); err == nil {
			err = s.failure()
		}
	}()
	return s.runHandler()
}

var errHandlerExited = errors.New("kafka: Setup or Cleanup has not returned")

// finish ends the session, whose handlers have returned.
func (s *consumerGroupSession) finish(err error) {
	s.end(err)
	ctx, cancel := context.WithTimeout(context.Background(), closePatience(s.group.conf))
	defer cancel()
	s.offsets.close(ctx)
	s.keeper.stop(ctx)
	s.group.session.CompareAndSwap(s, nil)
	s.group.member.reason = context.Cause(s.ctx)
	who := s.offsets.identity.Load()
	Logger.Printf("consumergroup/session/%s/%d has ended: %v\n", who.memberID, who.generation, context.Cause(s.ctx))
}

// runHandler calls Setup, has the keeper run the claims, and calls Cleanup when
// the last has ended.
func (s *consumerGroupSession) runHandler() error {
	found, err := s.fetchOffsets(s.ctx, s.claimed.Load().claims)
	if isClosed(s.ctx.Done()) {
		return nil // the session is over, whatever is stored
	}
	if err != nil {
		return fmt.Errorf("kafka: group %s: stored offsets: %w", s.group.id, err)
	}
	s.keeper.adopt(found)
	if err := s.handler.Setup(s); err != nil {
		s.end(err)
		_ = s.handler.Cleanup(s)
		return err
	}
	s.keeper.begin()
	<-s.keeper.idle
	return s.handler.Cleanup(s)
}

// fetchOffsets asks where claims begin.
func (s *consumerGroupSession) fetchOffsets(ctx context.Context, claims map[string][]int32) (map[topicPartition]storedOffset, error) {
	list := partitionsOf(claims)
	if len(list) == 0 {
		return nil, nil
	}
	return s.offsets.fetch(ctx, list)
}

// partitionsOf lists partitions in order.
func partitionsOf(claims map[string][]int32) (list []topicPartition) {
	for _, topic := range sortedKeys(claims) {
		for _, partition := range claims[topic] {
			list = append(list, topicPartition{topic, partition})
		}
	}
	return list
}

// end ends the session, for a reason that the next join tells.
func (s *consumerGroupSession) end(why error) { s.cancel(why) }

// fail ends the session, and has Consume return the error, unless the session
// has ended already: then the error may come of that.
func (s *consumerGroupSession) fail(err error) {
	s.mu.Lock()
	if s.mu.failed == nil && s.ctx.Err() == nil {
		s.mu.failed = err
	}
	s.mu.Unlock()
	s.end(err)
}

func (s *consumerGroupSession) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.failed
}

// runningClaims are those whose ConsumeClaim has not returned.
func (s *consumerGroupSession) runningClaims() map[string][]int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	claims := make(map[string][]int32)
	for at := range s.mu.running {
		claims[at.topic] = append(claims[at.topic], at.partition)
	}
	for _, partitions := range claims {
		slices.Sort(partitions)
	}
	return claims
}

func (s *consumerGroupSession) setRunning(at topicPartition, running bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if running {
		s.mu.running[at] = struct{}{}
	} else {
		delete(s.mu.running, at)
	}
}

func (s *consumerGroupSession) Claims() map[string][]int32 {
	claims := maps.Clone(s.claimed.Load().claims)
	for topic, partitions := range claims {
		claims[topic] = slices.Clone(partitions)
	}
	return claims
}

func (s *consumerGroupSession) MemberID() string { return s.offsets.identity.Load().memberID }

func (s *consumerGroupSession) GenerationID() int32 { return s.offsets.identity.Load().generation }

func (s *consumerGroupSession) Context() context.Context { return s.ctx }

func (s *consumerGroupSession) MarkMessage(msg *ConsumerMessage, metadata string) {
	s.MarkOffset(msg.Topic, msg.Partition, msg.Offset+1, metadata)
}

func (s *consumerGroupSession) MarkOffset(topic string, partition int32, offset int64, metadata string) {
	if p := s.claimed.Load().offsets[topic][partition]; p != nil {
		p.MarkOffset(offset, metadata)
	}
}

func (s *consumerGroupSession) ResetOffset(topic string, partition int32, offset int64, metadata string) {
	if p := s.claimed.Load().offsets[topic][partition]; p != nil {
		p.ResetOffset(offset, metadata)
	}
}

func (s *consumerGroupSession) Commit() { _ = s.offsets.commit(context.Background()) }

func (s *consumerGroupSession) CommitContext(ctx context.Context) error { return s.offsets.commit(ctx) }
