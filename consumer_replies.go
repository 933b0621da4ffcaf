package sarama

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// handle applies a response to the cursors of its request, all of which are
// still here.
func (f *fetcher) handle(resp *fetchResponse, frameBytes int) {
	f.metrics.fetchResponseSize.update(int64(frameBytes))
	incremental := f.session.incremental()
	if !incremental && resp.err == ErrNoError && len(resp.topics) == 0 && resp.throttle > 0 {
		// A broker that throttles says nothing else, of a session neither
		// (KIP-219). The connection, or the broker itself, keeps the time.
		f.session.restart()
		return
	}
	if !f.session.answered(resp) {
		DebugLogger.Printf("consumer/broker/%d began another fetch session: %v\n", f.id, resp.err)
		return
	}
	if resp.err != ErrNoError {
		f.failAll(resp.err)
		return
	}
	overtaken := f.shared
	f.shared, f.brought = nil, false
	for i := range resp.topics {
		t := &resp.topics[i]
		topic, known := t.name, true
		if f.session.byID {
			topic, known = f.names[t.name]
		}
		if !known {
			continue
		}
		for j := range t.partitions {
			c := f.index[topicPartition{topic, t.partitions[j].id}]
			if c == nil || !c.asked { // or answered already
				continue
			}
			if c.asked = false; !f.apply(c, resp, &t.partitions[j], frameBytes) {
				f.remove(c)
			}
		}
	}
	f.followHints()
	f.settleUnanswered(incremental)
	if !f.brought {
		f.shared = overtaken // nothing has come that would have to be held beside it
		return
	}
	for _, c := range overtaken {
		c.overtake()
	}
}

// settleUnanswered takes what a response did not name: in a session there is
// nothing new of it, else it is missing.
func (f *fetcher) settleUnanswered(incremental bool) {
	if incremental {
		for _, c := range f.cursors {
			if c.asked {
				c.failures = 0
			}
		}
		return
	}
	f.cursors = slices.DeleteFunc(f.cursors, func(c *cursor) bool {
		if !c.asked {
			return false
		}
		f.fail(c, ErrIncompleteResponse)
		return true
	})
}

// remove takes a cursor that was given up out of cursors. It may be elsewhere
// by now, so that nothing of it is read but what is constant.
func (f *fetcher) remove(c *cursor) {
	i, _ := slices.BinarySearchFunc(f.cursors, c, compareCursors)
	for ; f.cursors[i] != c; i++ { // a closed one and its successor may stand side by side
	}
	f.cursors = slices.Delete(f.cursors, i, i+1)
}

type topicPartition struct {
	topic     string
	partition int32
}

// apply takes what a response has for one partition. It returns false when it
// has given the cursor up.
func (f *fetcher) apply(c *cursor, resp *fetchResponse, p *fetchedPartition, frameBytes int) bool {
	if c.pc.closed.Load() || c.pc.rewind.Load() != nil {
		return true // see dropGone
	}
	switch p.err {
	case ErrNoError:
		if p.diverging != nil {
			return f.diverged(c, p.diverging.Epoch, p.diverging.EndOffset)
		}
		c.failures, c.checkedEpoch = 0, c.leaderEpoch
		return f.take(c, p, frameBytes) && f.stays(c, p.preferredReadReplica)
	case ErrOffsetOutOfRange:
		f.outOfRange(c, p.err)
	case ErrNotLeaderForPartition, ErrFencedLeaderEpoch:
		if p.leader != nil && p.leader.LeaderID >= 0 {
			f.takeHint(c, p.err, p.leader, resp.endpoints)
			return true // until followHints
		}
		f.failSilently(c, p.err)
	case ErrUnknownTopicOrPartition, ErrLeaderNotAvailable, ErrReplicaNotAvailable, ErrUnknownLeaderEpoch,
		ErrUnknownTopicID, ErrInconsistentTopicID:
		f.failSilently(c, p.err)
	default:
		f.fail(c, p.err)
	}
	return false
}

// outOfRange gives up a cursor whose offset the broker does not have. A
// follower may be behind, so that the leader has the last word; after that it
// is what Consumer.Offsets.Reset says.
func (f *fetcher) outOfRange(c *cursor, err error) {
	switch {
	case c.replica != nil:
		f.leaveReplica(c, err)
	case f.conf.Consumer.Offsets.Reset == OffsetResetNone:
		Logger.Printf("consumer/%s/%d shutting down because offset %d is out of range\n", c.pc.topic, c.pc.partition, c.offset)
		c.pc.end(err)
		f.giveUp(c, leaveClosed)
	default:
		Logger.Printf("consumer/%s/%d offset %d is out of range\n", c.pc.topic, c.pc.partition, c.offset)
		c.reset = reset{pending: true, lookUp: true}
		f.giveUp(c, leaveReset)
	}
}

// takeHint notes what a broker has said of a partition's new leader (KIP-951).
func (f *fetcher) takeHint(c *cursor, why KError, leader *FetchResponseCurrentLeader, endpoints []*ProduceResponseNodeEndpoint) {
	Logger.Printf("consumer/broker/%d abandoned subscription to %s/%d because %v\n", f.id, c.pc.topic, c.pc.partition, why)
	f.hints = append(f.hints, hintOf(c.pc.topic, c.pc.partition, leader.LeaderID, leader.LeaderEpoch, endpoints))
	f.hinted = append(f.hinted, c)
}

// followHints hands on what the response has said of leaders, and gives up the
// cursors that it is about. Those whose new leader is known then need not wait
// before they are fetched again.
func (f *fetcher) followHints() {
	if len(f.hints) == 0 {
		return
	}
	source := f.dispatcher.source
	source.hint(f.hints)
	snapshot := source.snapshot()
	for _, c := range f.hinted {
		_, epoch, err := snapshot.leader(c.pc.topic, c.pc.partition)
		moved := err == nil && epoch > c.leaderEpoch
		switch {
		case moved:
			c.replica = nil
			f.giveUp(c, leaveMoved)
		case c.replica != nil: // the leader may name it again
			f.leaveReplica(c, ErrNotLeaderForPartition)
		default:
			f.giveUp(c, leaveFailed)
		}
		f.remove(c)
	}
	clear(f.hinted)
	f.hints, f.hinted = nil, f.hinted[:0]
}

// replicaAvoided is for how long a partition is fetched from its leader after
// a replica has failed: Kafka needs about that long to find a replica dead.
const replicaAvoided = 30 * time.Second

// defaultLease is for how long a replica is fetched from where metadata is not
// refreshed from time to time.
const defaultLease = 10 * time.Minute

// stays returns false when it has given the cursor up because its leader wants
// another replica to be asked (KIP-392). Where the client has no rack nobody
// has been asked about replicas.
func (f *fetcher) stays(c *cursor, preferred int32) bool {
	now := time.Now()
	if preferred < 0 || f.conf.RackID == "" || c.replica != nil || preferred == f.id || now.Before(c.noReplicaUntil) {
		return true
	}
	replica := f.dispatcher.broker(preferred)
	if replica == nil {
		DebugLogger.Printf("consumer/broker/%d prefers broker %d for %s/%d, which is not known\n", f.id, preferred, c.pc.topic, c.pc.partition)
		c.noReplicaUntil = now.Add(replicaAvoided)
		return true
	}
	lease := f.conf.Metadata.RefreshFrequency
	if lease == 0 {
		lease = defaultLease
	}
	Logger.Printf("consumer/broker/%d abandoned in favor of preferred replica broker/%d: %s/%d\n", f.id, preferred, c.pc.topic, c.pc.partition)
	c.replica, c.leaseEnd = replica, now.Add(lease)
	f.giveUp(c, leaveMoved)
	return false
}

// leaveReplica sends a cursor back to its leader, at once.
func (f *fetcher) leaveReplica(c *cursor, why error) {
	Logger.Printf("consumer/broker/%d abandoned subscription to %s/%d in favor of the leader because %v\n", f.id, c.pc.topic, c.pc.partition, why)
	c.replica, c.noReplicaUntil = nil, time.Now().Add(replicaAvoided)
	f.giveUp(c, leaveMoved)
}

// take passes the records of a partition on to its feeder, and moves the
// cursor behind them. It returns false when it has given the cursor up.
func (f *fetcher) take(c *cursor, p *fetchedPartition, frameBytes int) bool {
	if len(p.records) > 0 || p.highWatermark > c.pc.highWatermark.Load() {
		c.pc.highWatermark.Store(p.highWatermark)
	}
	if p.logStartOffset >= 0 {
		c.pc.logStart.Store(p.logStartOffset)
	}
	if p.lastStableOffset >= 0 {
		c.pc.lastStable.Store(p.lastStableOffset)
	}
	if len(p.records) == 0 {
		// A broker that converts to the formats before 0.11 sends nothing of a
		// batch that it may not send whole, where later versions get it.
		if f.request.Version < 3 && p.highWatermark > c.offset {
			f.enlarge(c, 0)
		}
		return true
	}
	f.brought = true
	s := surveyRecords(p.records, c.offset)
	if s.bytes == 0 {
		f.enlarge(c, s.partial.Need)
		return true
	}
	c.fetchBytes = f.conf.Consumer.Fetch.Default
	if s.next == c.offset && !s.broken { // to ask again at once would be no better
		f.fail(c, fmt.Errorf("kafka: broker %s has sent no batch that reaches offset %d", f.lane.broker.name(), c.offset))
		return false
	}
	f.metrics.batchSize.update(int64(s.messages))
	// A part that is most of the response pins little else than itself.
	k := newChunk(c, p, s, 2*s.bytes < frameBytes)
	if k.shared {
		f.shared = append(f.shared, k)
	}
	if s.next > c.offset {
		c.offset, c.lastEpoch = s.next, s.epoch
	}
	c.halted, c.seeks = s.broken, false
	c.pace.handed += int64(s.bytes)
	f.after = c
	c.pc.accept(k)
	return true
}

// enlarge asks for more next time, when not even one batch was whole: for what
// it needs, or twice as much where that is not known.
func (f *fetcher) enlarge(c *cursor, need int) {
	limit := int64(f.conf.Consumer.Fetch.Max)
	if limit == 0 {
		limit = math.MaxInt32
	}
	if int64(c.fetchBytes) >= limit {
		Logger.Printf("consumer/%s/%d skipping offset %d, %v\n", c.pc.topic, c.pc.partition, c.offset, ErrMessageTooLarge)
		c.pc.report(ErrMessageTooLarge)
		c.offset++
		c.fetchBytes = f.conf.Consumer.Fetch.Default
		return
	}
	size := 2 * int64(c.fetchBytes)
	if need > int(c.fetchBytes) {
		size = int64(need)
	}
	c.fetchBytes = int32(min(size, limit))
}
