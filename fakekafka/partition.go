package fakekafka

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/record"
)

// partition is one partition of a topic: who leads it, and its log.
type partition struct {
	// constant
	topic *topic
	id    int32

	mu struct {
		sync.Mutex
		leader    int32 // -1: none
		epoch     int32
		replicas  []int32         // replaced, never changed
		isr       []int32         // replaced, never changed
		moving    *move           // replaced, never changed; nil where it stays
		preferred int32           // whom the leader names to those with a rack, 0 for whoever is in it
		ends      map[int32]int64 // up to where replicas are that lag behind
		leaderOff bool            // without leader by RemoveLeader, so that no broker's return brings it back
		deleted   bool
		log       recordLog
		producers map[int64]*producerState
		open      map[int64]int64 // where the open transactions of producers begin
		aborted   []abortedTxn
		waiters   []*waiter // replaced, never changed
	}
}

// waiter is a fetch that waits for records.
type waiter struct {
	woken chan struct{} // of capacity 1
}

func newWaiter() *waiter { return &waiter{woken: make(chan struct{}, 1)} }

func wakeAll(waiters []*waiter) {
	for _, w := range waiters {
		select {
		case w.woken <- struct{}{}:
		default: // it is about to look
		}
	}
}

// leadership is who leads a partition at one moment.
type leadership struct {
	leader, epoch int32
	replicas, isr []int32
	moving        *move
}

func (p *partition) leadership() leadership {
	p.mu.Lock()
	defer p.mu.Unlock()
	return leadership{p.mu.leader, p.mu.epoch, p.mu.replicas, p.mu.isr, p.mu.moving}
}

// change replaces what it likes of a partition's leadership and wakes those who
// fetch. A new leader, or none, is a new epoch.
func (p *partition) change(to func(l *leadership)) {
	p.mu.Lock()
	l := leadership{p.mu.leader, p.mu.epoch, p.mu.replicas, p.mu.isr, p.mu.moving}
	was := l.leader
	if to(&l); l.leader != was {
		l.epoch++
	}
	p.mu.leader, p.mu.epoch, p.mu.replicas, p.mu.isr, p.mu.moving = l.leader, l.epoch, l.replicas, l.isr, l.moving
	waiters := p.mu.waiters
	p.mu.Unlock()
	wakeAll(waiters)
}

// remove marks the partition as deleted and wakes those who fetch.
func (p *partition) remove() {
	p.mu.Lock()
	p.mu.deleted = true
	p.mu.log, p.mu.producers = recordLog{}, nil
	waiters := p.mu.waiters
	p.mu.Unlock()
	wakeAll(waiters)
}

func (p *partition) wait(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.waiters = append(slices.Clip(p.mu.waiters), w)
}

func (p *partition) unwait(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.waiters = slices.DeleteFunc(slices.Clone(p.mu.waiters), func(o *waiter) bool { return o == w })
}

// checkLocked says whether a broker may answer for the partition to someone who
// believes in a leader epoch, -1 for one who doesn't say (KIP-320); asLeader,
// whether only the leader may.
func (p *partition) checkLocked(broker, epoch int32, asLeader bool) sarama.KError {
	switch {
	case p.mu.deleted:
		return sarama.ErrUnknownTopicOrPartition
	case !slices.Contains(p.mu.replicas, broker):
		return sarama.ErrNotLeaderForPartition
	case epoch >= 0 && epoch < p.mu.epoch:
		return sarama.ErrFencedLeaderEpoch
	case epoch > p.mu.epoch:
		return sarama.ErrUnknownLeaderEpoch
	case p.mu.leader != broker && asLeader:
		return sarama.ErrNotLeaderForPartition
	}
	return sarama.ErrNoError
}

func (p *partition) check(broker int32) (err sarama.KError, leader, epoch int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.checkLocked(broker, -1, true), p.mu.leader, p.mu.epoch
}

// incoming is a batch to append, checked as far as it can be without the log.
type incoming struct {
	batch        record.Batch
	maxTimestamp int64
}

// outcome is what became of a batch.
type outcome struct {
	err           sarama.KError
	message       string
	baseOffset    int64
	logAppendTime int64 // -1 where records keep their own
	logStart      int64
	leader, epoch int32
}

// append adds a batch to the log, as the leader that broker takes itself for.
func (p *partition) append(broker int32, in *incoming, allReplicas, refuseUnknown bool) outcome {
	now := time.Now()
	p.mu.Lock()
	o, added := p.appendLocked(broker, in, allReplicas, refuseUnknown, now)
	o.leader, o.epoch = p.mu.leader, p.mu.epoch
	waiters := p.mu.waiters
	p.mu.Unlock()
	if added {
		wakeAll(waiters)
	}
	return o
}

func (p *partition) appendLocked(broker int32, in *incoming, allReplicas, refuseUnknown bool, now time.Time) (o outcome, added bool) {
	o = outcome{baseOffset: -1, logAppendTime: -1, logStart: -1}
	if o.err = p.checkLocked(broker, -1, true); o.err != sarama.ErrNoError {
		return o, false
	}
	settings := p.topic.settings()
	// More than there are replicas are not asked for: Kafka 3.9 and 4.3 behave so.
	if least := min(settings.minInSyncReplicas, len(p.mu.replicas)); allReplicas && len(p.mu.isr) < least {
		o.err = sarama.ErrNotEnoughReplicas
		o.message = fmt.Sprintf("%d replicas are in sync, min.insync.replicas is %d", len(p.mu.isr), least)
		return o, false
	}
	b := &in.batch
	var producer *producerState
	if b.ProducerID >= 0 {
		producer = p.mu.producers[b.ProducerID]
		duplicate, err := producer.check(b, refuseUnknown)
		if _, open := p.mu.open[b.ProducerID]; open && err == sarama.ErrNoError && !b.Transactional() {
			err = sarama.ErrInvalidTxnState
		}
		switch {
		case err != sarama.ErrNoError:
			o.err = err
			o.message = fmt.Sprintf("producer %d epoch %d sequence %d", b.ProducerID, b.ProducerEpoch, b.BaseSequence)
			return o, false
		case duplicate != nil:
			o.baseOffset, o.logAppendTime, o.logStart = duplicate.baseOffset, duplicate.logAppendTime, p.mu.log.start
			return o, false
		}
	}
	if settings.logAppendTime {
		o.logAppendTime = now.UnixMilli()
	}
	o.baseOffset = p.mu.log.append(b.Raw, int64(b.Count), in.maxTimestamp, p.mu.epoch, o.logAppendTime, now)
	o.logStart = p.mu.log.start
	if b.ProducerID >= 0 {
		if producer == nil {
			producer = &producerState{epoch: b.ProducerEpoch}
			if p.mu.producers == nil {
				p.mu.producers = make(map[int64]*producerState)
			}
			p.mu.producers[b.ProducerID] = producer
		}
		producer.remember(b, o.baseOffset, o.logAppendTime)
		p.noteLocked(b, o.baseOffset)
	}
	return o, true
}

// highWatermarkLocked is the offset up to which all replicas have the log: its
// end, as replicas share it.
func (p *partition) highWatermarkLocked() int64 { return p.mu.log.end }

// endLocked is up to where a replica has the log.
func (p *partition) endLocked(broker int32) int64 {
	if end, lags := p.mu.ends[broker]; lags && broker != p.mu.leader {
		return min(end, p.mu.log.end)
	}
	return p.mu.log.end
}

// preferredLocked is the replica that the leader names to a client in a rack,
// -1 for itself: as Kafka's RackAwareReplicaSelector, one in that rack that is
// in sync and has the offset (KIP-392).
func (p *partition) preferredLocked(c *Cluster, rack string, offset int64) int32 {
	if id := p.mu.preferred; id != 0 {
		if id == p.mu.leader {
			return -1
		}
		return id
	}
	in := func(id int32) bool {
		b := c.broker(id)
		return b.isUp() && b.rack != nil && *b.rack == rack
	}
	if !c.opts.ReadFromRack || in(p.mu.leader) {
		return -1
	}
	for _, id := range p.mu.isr {
		if in(id) && offset <= p.endLocked(id) {
			return id
		}
	}
	return -1
}
