package sarama

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Letters to an offset manager's run, beside partitions that it takes up.
type (
	// commitCall is a caller who waits until what was marked is stored.
	commitCall struct {
		answer chan error // of capacity 1

		// owned by run
		tries int
	}
	// partitionEnd is the end of a partition, which was asked for.
	partitionEnd struct{}
	// offsetsClose is the end of the manager.
	offsetsClose struct {
		ctx   context.Context // until when marks may be stored
		tries int             // owned by run
	}
)

// offsetCommit is one commit. From its sending to its return by letter its
// goroutine owns it.
type offsetCommit struct {
	letter letter
	pairs  map[topicPartition]offsetPair
	req    *OffsetCommitRequest
	who    *groupIdentity
	calls  []*commitCall

	// set by its goroutine
	resp *OffsetCommitResponse
	err  error
}

// run is the goroutine of an offset manager. It is woken by letters, by its
// timer and, when that is not set, by the first mark; close ends it.
func (m *offsetManager) run() {
	defer m.finish()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(ErrClosedClient)
	var timer alarm
	defer timer.stop()
	for {
		m.readMail()
		wait := m.releaseEnded()
		if m.flying == nil {
			pairs := m.dirty()
			if m.mayEnd(pairs) {
				return
			}
			if next := m.nextCommit(pairs); next <= 0 {
				m.send(ctx, pairs)
			} else {
				wait = min(wait, next)
			}
		} else if m.end != nil && len(m.flying.calls) == 0 && len(m.waiting) == 0 && len(m.dirty()) == 0 {
			return // what is under way is of partitions that were given up
		}
		select {
		case <-m.mail.wake:
		case <-timer.in(wait):
		case <-m.endsBy():
			return
		}
	}
}

// endsBy is closed when the manager has to end whatever is left.
func (m *offsetManager) endsBy() <-chan struct{} {
	if m.end == nil {
		return nil
	}
	return m.end.ctx.Done()
}

func (m *offsetManager) readMail() {
	for l := m.mail.take(); l != nil; {
		next := l.next
		switch item := l.item.(type) {
		case *partitionOffsetManager:
			m.parts[item.at] = item
			if left, ok := m.left[item.at]; ok { // newer than what is stored
				delete(m.left, item.at)
				item.marks.forward(left.offset, left.metadata)
			}
		case partitionEnd: // looked at below
		case *commitCall:
			m.waiting = append(m.waiting, item)
			// A right may have been given meanwhile: whoever asks is to have a
			// try, and not to hear that nothing is left to store.
			for _, p := range m.parts {
				p.rejected = nil
			}
		case *offsetCommit:
			m.settle(item)
		case *offsetsClose:
			m.end = item
		}
		l = next
	}
}

func (m *offsetManager) auto() bool { return m.conf.Consumer.Offsets.AutoCommit.Enable }

// triesMax is how often something is tried that somebody waits for.
func (m *offsetManager) triesMax() int { return m.conf.Consumer.Offsets.Retry.Max + 1 }

// mayEnd reports whether the end was asked for and nothing is left to store.
func (m *offsetManager) mayEnd(pairs map[topicPartition]offsetPair) bool {
	switch {
	case m.end == nil || len(m.waiting) > 0 && len(pairs) > 0:
		return false
	}
	return len(pairs) == 0 || !m.auto() || m.end.tries >= m.triesMax()
}

// nextCommit is how long it is until the next commit.
func (m *offsetManager) nextCommit(pairs map[topicPartition]offsetPair) time.Duration {
	if len(pairs) == 0 {
		m.answer(m.waiting, nil)
		m.waiting, m.autoAt, m.retryAt = nil, time.Time{}, time.Time{}
		return m.sleep()
	}
	urgent := len(m.waiting) > 0 || m.end != nil || m.auto() && m.anyEnding()
	if urgent {
		return time.Until(m.retryAt)
	}
	if !m.auto() {
		return never
	}
	if m.autoAt.IsZero() {
		m.autoAt = time.Now().Add(m.conf.Consumer.Offsets.AutoCommit.Interval)
	}
	return max(time.Until(m.autoAt), time.Until(m.retryAt))
}

// sleep leaves it to the next mark to wake run, unless there is one already.
func (m *offsetManager) sleep() time.Duration {
	if !m.auto() {
		return never
	}
	if m.asleep.Store(true); len(m.dirty()) > 0 {
		m.asleep.Store(false)
		return m.conf.Consumer.Offsets.AutoCommit.Interval
	}
	return never
}

// dirty is what is to be stored.
func (m *offsetManager) dirty() map[topicPartition]offsetPair {
	pairs := make(map[topicPartition]offsetPair)
	for at, pair := range m.left {
		pairs[at] = pair
	}
	for at, p := range m.parts {
		if pair, dirty := p.dirty(); dirty {
			pairs[at] = pair
		}
	}
	return pairs
}

// releaseEnded releases partitions whose end was asked for: once their marks
// are stored, have failed too often or have waited too long or, where commits
// are the user's business, at once. It returns how long it is until the next
// has waited too long.
func (m *offsetManager) releaseEnded() time.Duration {
	wait := never
	for at, p := range m.parts {
		if !p.ending.Load() {
			continue
		}
		p.refused.Store(true)
		if p.endBy.IsZero() {
			p.endBy = time.Now().Add(closePatience(m.conf))
		}
		pair, dirty := p.dirty()
		if left := time.Until(p.endBy); dirty && m.auto() && p.failures < m.triesMax() && left > 0 {
			wait = min(wait, left)
			continue
		}
		switch {
		case dirty && !m.auto() && m.report == nil:
			m.left[at] = pair
		case dirty && m.auto():
			m.unstored(at, pair)
		}
		delete(m.parts, at)
		p.release()
	}
	return wait
}

// unstored says what was lost.
func (m *offsetManager) unstored(at topicPartition, pair offsetPair) {
	Logger.Printf("offsetmanager/%s offset %d of %s/%d was not stored before the end\n", m.group, pair.offset, at.topic, at.partition)
}

func (m *offsetManager) anyEnding() bool {
	for _, p := range m.parts {
		if p.ending.Load() {
			return true
		}
	}
	return false
}

func (m *offsetManager) answer(calls []*commitCall, err error) {
	for _, c := range calls {
		c.answer <- err
	}
}

// send begins a commit.
func (m *offsetManager) send(ctx context.Context, pairs map[topicPartition]offsetPair) {
	who := m.identity.Load()
	req := NewOffsetCommitRequest(m.conf, m.group)
	req.ConsumerGroupGeneration, req.ConsumerID = who.generation, who.memberID
	if m.newer {
		req.Version = newerOffsetsVersion
	}
	if req.Version >= 7 {
		req.GroupInstanceId = who.instanceID
	}
	for at, pair := range pairs {
		epoch := int32(-1)
		if p := m.parts[at]; p != nil {
			epoch = p.leaderEpoch
		}
		req.AddBlockWithLeaderEpoch(at.topic, at.partition, pair.offset, epoch, ReceiveTime, pair.metadata)
	}
	c := &offsetCommit{pairs: pairs, req: req, who: who, calls: m.waiting}
	c.letter.item = c
	m.flying, m.waiting, m.autoAt = c, nil, time.Time{}
	for _, call := range c.calls {
		call.tries++
	}
	if m.end != nil {
		m.end.tries++
		ctx = m.end.ctx
	}
	refresh := m.moved
	m.moved = false
	go withRecover(func() {
		defer m.mail.post(&c.letter)
		c.err = errCommitPanicked
		c.err = m.exchange(ctx, refresh, c)
	})
}

// newerOffsetsVersion is the version of OffsetCommit and OffsetFetch from which
// on members of groups of the newer protocol may send them.
const newerOffsetsVersion = 9

var errCommitPanicked = errors.New("kafka: committing offsets panicked")

// exchange sends a commit to the group's coordinator.
func (m *offsetManager) exchange(ctx context.Context, refresh bool, c *offsetCommit) error {
	b, err := groupCoordinator(ctx, m.client, m.group, refresh)
	if err != nil {
		return err
	}
	c.resp = new(OffsetCommitResponse)
	return b.requestUntil(ctx, c.req, c.resp)
}

// settle takes note of what has become of a commit.
func (m *offsetManager) settle(c *offsetCommit) {
	m.flying = nil
	var first error
	retry := false
	for at, pair := range c.pairs {
		err, again := m.outcome(at, c)
		p := m.parts[at]
		if m.left[at] == pair && !again {
			delete(m.left, at)
		}
		if err == nil {
			if p != nil {
				p.committed, p.failures = pair, 0
			}
			continue
		}
		if p != nil {
			p.failures++
			if !again {
				p.rejected = &pair
			}
		}
		retry = retry || again
		if first == nil {
			first = fmt.Errorf("kafka: committing offset %d of %s/%d for group %s: %w", pair.offset, at.topic, at.partition, m.group, err)
		}
		m.tell(p, at, err, again)
	}
	m.retryAt = time.Time{}
	if retry {
		m.retryAt = time.Now().Add(metadataBackoff(m.conf, 0))
	}
	for _, call := range c.calls {
		if retry && call.tries < m.triesMax() {
			m.waiting = append(m.waiting, call)
			continue
		}
		call.answer <- first
	}
}

// outcome is what a commit's answer says of one partition: nil where it is
// stored, or why not and whether another try may help.
func (m *offsetManager) outcome(at topicPartition, c *offsetCommit) (err error, again bool) {
	if c.err != nil {
		m.moved = true
		return c.err, !m.client.Closed()
	}
	code, ok := c.resp.Errors[at.topic][at.partition]
	if !ok {
		return ErrIncompleteResponse, true
	}
	switch code {
	case ErrNoError:
		return nil, false
	case ErrNotLeaderForPartition, ErrLeaderNotAvailable, ErrConsumerCoordinatorNotAvailable, ErrNotCoordinatorForConsumer, ErrRequestTimedOut:
		m.moved = true
		return code, true
	case ErrOffsetsLoadInProgress, ErrRebalanceInProgress, ErrUnstableOffsetCommit:
		return code, true
	case ErrOffsetMetadataTooLarge, ErrInvalidCommitOffsetSize:
		return code, false
	case ErrIllegalGeneration, ErrUnknownMemberId, ErrFencedInstancedId, ErrStaleMemberEpoch, ErrFencedMemberEpoch:
		if m.joining.Load() || m.identity.Load() != c.who {
			return code, true // with the member's next identity, which it gets, or has by now
		}
		if m.lost != nil {
			m.lost(code)
		}
		return code, false
	case ErrUnknownTopicOrPartition, ErrTopicAuthorizationFailed, ErrGroupAuthorizationFailed:
		return code, false
	}
	m.moved = true
	return code, true
}

// tell reports an error, unless the next try is likely to mend it.
func (m *offsetManager) tell(p *partitionOffsetManager, at topicPartition, err error, again bool) {
	if code, ok := err.(KError); ok && again {
		switch code {
		case ErrNotLeaderForPartition, ErrLeaderNotAvailable, ErrConsumerCoordinatorNotAvailable, ErrNotCoordinatorForConsumer,
			ErrOffsetsLoadInProgress, ErrRebalanceInProgress, ErrUnstableOffsetCommit, ErrIllegalGeneration, ErrUnknownMemberId,
			ErrStaleMemberEpoch, ErrFencedMemberEpoch:
			return
		}
	}
	switch {
	case m.report != nil:
		m.report(at.topic, at.partition, err)
	case p != nil:
		p.tell(err)
	default:
		Logger.Println(&ConsumerError{Topic: at.topic, Partition: at.partition, Err: err})
	}
}

// tell puts an error on Errors, or logs it if the user does not want that or
// does not read.
func (p *partitionOffsetManager) tell(err error) {
	e := &ConsumerError{Topic: p.at.topic, Partition: p.at.partition, Err: err}
	if p.parent.conf.Consumer.Return.Errors {
		select {
		case p.errors <- e:
			return
		default:
		}
	}
	Logger.Println(e)
}

// finish is the end of run: everybody who waits is answered.
func (m *offsetManager) finish() {
	m.closing.Store(true)
	err := ErrClosedClient
	if m.flying != nil {
		m.answer(m.flying.calls, err)
	}
	m.readLast(err)
	for at, p := range m.parts {
		if pair, dirty := p.dirty(); dirty && m.auto() {
			m.unstored(at, pair)
		}
		p.release()
	}
	close(m.done)
	m.readLast(err)
}

// readLast answers letters that come too late.
func (m *offsetManager) readLast(err error) {
	for l := m.mail.take(); l != nil; l = l.next {
		switch item := l.item.(type) {
		case *partitionOffsetManager:
			item.release()
		case *commitCall:
			m.waiting = append(m.waiting, item)
			// A right may have been given meanwhile: whoever asks is to have a
			// try, and not to hear that nothing is left to store.
			for _, p := range m.parts {
				p.rejected = nil
			}
		}
	}
	m.answer(m.waiting, err)
	m.waiting = nil
}
