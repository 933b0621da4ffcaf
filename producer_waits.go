package sarama

import (
	"errors"
	"slices"
	"time"
)

// What the owner waits for: backoffs, leaders that are asked for, and after
// Close the end of patience.

// backOff keeps a partition closed for the time of a retry; before its next
// batch goes out its leader is asked for.
func (o *owner) backOff(p *producerPartition, attempt int) {
	conf := &o.p.conf.Producer.Retry
	o.backOffFor(p, retryBackoff(o.p.conf, conf.Backoff, conf.BackoffFunc, attempt, 1, conf.Max))
}

func (o *owner) backOffFor(p *producerPartition, backoff time.Duration) {
	q := &p.queue
	if q.state != partBackoff {
		o.backoffs = append(o.backoffs, p)
	}
	q.state, q.at = partBackoff, time.Now().Add(backoff)
	o.uncount(q)
}

// timers does what is due and returns how long there is nothing more.
func (o *owner) timers(now time.Time) time.Duration {
	wait := never
	due := o.backoffs
	o.backoffs = nil
	for _, p := range due {
		if p.queue.state != partBackoff {
			continue // more has come back since, to be sent again
		}
		if left := p.queue.at.Sub(now); left > 0 {
			wait = min(wait, left)
			o.backoffs = append(o.backoffs, p)
			continue
		}
		p.queue.state, p.queue.stale = partIdle, !p.queue.kept
		p.queue.kept = false
		o.ready(p)
	}
	wait = min(wait, o.sweep(now))
	if o.txn != nil {
		wait = min(wait, o.txnOverdue(now))
	}
	if o.closing {
		if !now.Before(o.expiry) {
			o.expire(now)
		}
		wait = min(wait, o.expiry.Sub(now))
	}
	return wait
}

// findLeader asks for the leader of a partition that has none, unless that
// has failed too often.
func (o *owner) findLeader(p *producerPartition) {
	if err := p.queue.breaker.check(time.Now()); err != nil {
		o.failWaiting(p, err)
		return
	}
	o.ask(p)
}

// ask asks for a partition's topic. A question that is under way already may
// be about the time before the partition's trouble: then another one follows.
func (o *owner) ask(p *producerPartition) {
	p.queue.state, p.queue.stale = partAsking, false
	o.uncount(&p.queue)
	topic := p.topic.name
	if a := o.asks[topic]; a != nil {
		a.now = slices.DeleteFunc(a.now, func(q *producerPartition) bool { return q == p })
		a.next = append(a.next, p)
		return
	}
	o.asks[topic] = &topicAsk{next: []*producerPartition{p}}
	o.mail.send(topicAsked{topic, errAskNow}) // with all that is in trouble at the same time
}

// startAsk sends the question.
func (o *owner) startAsk(topic string, a *topicAsk) {
	a.now, a.next = a.next, nil
	o.p.resolve(topic, func(err error) { o.mail.send(topicAsked{topic, err}) })
}

// topicAsked opens the partitions again that waited for a topic's leaders, or
// fails what they have.
func (o *owner) topicAsked(l topicAsked) {
	a := o.asks[l.topic]
	if l.err == errAskNow {
		o.startAsk(l.topic, a)
		return
	}
	o.reap()
	answered := a.now
	if a.now = nil; len(a.next) > 0 {
		o.startAsk(l.topic, a)
	} else {
		delete(o.asks, l.topic)
	}
	for _, p := range answered {
		if p.queue.state != partAsking {
			continue // a batch has come back since, and the leader will be asked for again
		}
		p.queue.state = partIdle
		err := l.err
		_, _, lookup := o.p.source.snapshot().leader(p.topic.name, p.id)
		if err == nil || lookup == nil && errors.Is(err, ErrLeaderNotAvailable) { // that is about another partition
			err = lookup
		}
		if l.err == nil && err == ErrLeaderNotAvailable && p.queue.lookups < o.p.conf.Metadata.Retry.Max {
			p.queue.lookups++ // it was there and is gone again
			o.backOff(p, p.queue.lookups)
			continue
		}
		p.queue.lookups = 0
		p.queue.breaker.record(time.Now(), err)
		if err != nil {
			Logger.Printf("producer/leader/%s/%d abandoning, no leader: %v\n", p.topic.name, p.id, err)
			o.failWaiting(p, err)
			o.backOff(p, 1)
			continue
		}
		DebugLogger.Printf("producer/leader/%s/%d selected broker\n", p.topic.name, p.id)
		o.ready(p)
	}
}

// expire gives up, after Close, on partitions that have made no progress for
// too long while their broker was silent.
func (o *owner) expire(now time.Time) {
	patience := closePatience(o.p.conf)
	o.expiry = now.Add(patience)
	if o.txn != nil {
		o.txnExpire(now, patience)
	}
	for p := range o.holding {
		q := &p.queue
		last := q.progress
		if s := q.listed; s != nil && s.progress.After(last) {
			last = s.progress
		}
		if s := q.sender; s != nil && len(q.out) > 0 && s.progress.After(last) {
			last = s.progress
		}
		if o.patient(last, now, patience) {
			continue
		}
		q.expired = true
		o.failHeld(p, ErrShuttingDown)
		if len(q.out) > 0 {
			q.sender.abort()
		}
	}
}

// patient reports whether, after Close, something is still waited for that has
// gone without progress since; it sees to it that the owner looks again.
func (o *owner) patient(since, now time.Time, patience time.Duration) bool {
	if o.closedAt.After(since) {
		since = o.closedAt
	}
	until := since.Add(patience)
	if !until.After(now) {
		return false
	}
	if until.Before(o.expiry) {
		o.expiry = until
	}
	return true
}
