package sarama

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

var errAskNow = errors.New("kafka: a topic is to be asked for")

// produceResult is what became of one batch of a request.
type produceResult struct {
	err       error
	uncertain bool // nobody answered, and it may have been written
	offset    int64
	timestamp time.Time
	records   []ProduceResponseRecordError  // what is wrong with single records
	message   *string                       // what the broker says beside the code
	leader    *ProduceResponseCurrentLeader // whom the broker names as leader
}

// retriableCodes are answers after which a batch is sent again.
var retriableCodes = []KError{
	ErrInvalidMessage, ErrUnknownTopicOrPartition, ErrLeaderNotAvailable, ErrNotLeaderForPartition, ErrRequestTimedOut,
	ErrNotEnoughReplicas, ErrNotEnoughReplicasAfterAppend, ErrKafkaStorageError, ErrFencedLeaderEpoch, ErrUnknownLeaderEpoch,
	ErrUnknownTopicID, ErrInconsistentTopicID,
}

// retriable reports whether sending again may help.
func retriable(err error) bool {
	var code KError
	if errors.As(err, &code) {
		return slices.Contains(retriableCodes, code)
	}
	var encoding PacketEncodingError
	var conf ConfigurationError
	switch {
	case errors.As(err, &encoding), errors.As(err, &conf), loginRefused(err),
		errors.Is(err, ErrUnsupportedVersion), errors.Is(err, ErrIncompleteResponse):
		return false
	}
	return true // the connection failed
}

// outcome decides what follows from a batch's result.
func (o *owner) outcome(b *batch, r produceResult) {
	if r.err == ErrDuplicateSequenceNumber {
		r.err, r.offset = nil, -1 // an attempt before was written, nobody says where
	}
	if r.err == nil {
		q := &b.part.queue
		q.trouble, q.proven = nil, true
		b.offset, b.timestamp = r.offset, r.timestamp
		o.written(b)
		return
	}
	b.part.queue.proven = false
	b.uncertain = b.uncertain || r.uncertain || mayBeWritten(r.err)
	switch {
	case o.renumber(b, r.err):
		o.sendAgain(b)
	case r.err == errAbandoned && !r.uncertain: // its sender was stopped before it came to it
		b.part.queue.pause = max(b.part.queue.pause, 1)
		o.sendAgain(b)
	case r.err == ErrConcurrentTransactions && o.txn != nil && b.delays < o.p.conf.Producer.Transaction.Retry.Max:
		o.delay(b)
	case (r.err == ErrMessageSizeTooLarge || r.err == ErrMessageSetSizeTooLarge) && len(b.msgs) > 1:
		o.halve(b, r.err)
	case !retriable(r.err) && o.refuseRecords(b, r):
	case retriable(r.err) || o.restart(b, r.err):
		o.retry(b, r.err)
	default:
		o.settle(b, b.refusal(r))
	}
}

// mayBeWritten tells the answers that a broker also gives for a batch that it
// has written: its replicas were too slow, or it has lost the partition while
// it waited for them. The next leader may have it.
func mayBeWritten(err error) bool {
	switch err {
	case ErrRequestTimedOut, ErrNotEnoughReplicasAfterAppend, ErrNotLeaderForPartition, ErrUnknownTopicOrPartition, ErrKafkaStorageError:
		return true
	}
	return false
}

// delay has a batch sent again that was refused because the coordinator is
// still at work on the transaction before (KIP-890): with the retries and the
// backoff of Producer.Transaction. The leader is the right one.
func (o *owner) delay(b *batch) {
	retry := &o.p.conf.Producer.Transaction.Retry
	q := &b.part.queue
	wait := retryBackoff(o.p.conf, hurriedBackoff, retry.BackoffFunc, b.delays, 0, retry.Max)
	b.delays++
	q.rest = max(q.rest, wait)
	o.sendAgain(b)
}

// sendAgain keeps a batch that has come back until nothing of its partition is
// out.
func (o *owner) sendAgain(b *batch) {
	q := &b.part.queue
	q.state = partFailing
	q.failed = append(q.failed, b)
	o.uncount(q)
	o.sweepFor(b) // none has seen it while it was out
}

// retry has a batch sent again after a backoff, unless it has come back too
// often or its time is up.
func (o *owner) retry(b *batch, cause error) {
	p := b.part
	q := &p.queue
	b.attempts++
	q.trouble = cause
	q.state = partFailing
	q.pause = max(q.pause, b.attempts)
	switch {
	case q.expired:
		o.settle(b, ErrShuttingDown)
	case o.overdue(b, time.Now()):
		o.settle(b, q.deliveryTimeout())
	case b.attempts > o.p.conf.Producer.Retry.Max:
		o.settle(b, cause)
	case o.txn != nil && o.txn.is(ProducerTxnFlagAbortingTransaction): // it is not worth the trouble
		o.txnDoom(cause)
		o.settle(b, cause)
	default:
		Logger.Printf("producer/leader/%s/%d retrying batch of %d messages, attempt %d: %v\n", p.topic.name, p.id, len(b.msgs), b.attempts, cause)
		o.sendAgain(b)
	}
}

// ErrDeliveryTimeout means that a message could not be delivered within
// Producer.DeliveryTimeout. It wraps the error of the last attempt, where there
// was one.
var ErrDeliveryTimeout = errors.New("kafka: message was not delivered within Producer.DeliveryTimeout")

func (q *partitionQueue) deliveryTimeout() error {
	if q.trouble == nil {
		return ErrDeliveryTimeout
	}
	return fmt.Errorf("%w: %w", ErrDeliveryTimeout, q.trouble)
}

// overdue reports whether the time of a batch's first message is up.
func (o *owner) overdue(b *batch, now time.Time) bool {
	limit := o.p.conf.Producer.DeliveryTimeout
	return limit > 0 && !now.Before(b.opened.Add(limit))
}

// sweepFor sees to it that a sweep is not later than a batch's time.
func (o *owner) sweepFor(b *batch) {
	if limit := o.p.conf.Producer.DeliveryTimeout; limit > 0 && b.opened.Add(limit).Before(o.nextSweep) {
		o.nextSweep = b.opened.Add(limit)
	}
}

// sweep fails what is overdue and not with a sender, and returns when the next
// look is due: no later than when the oldest batch will be overdue.
func (o *owner) sweep(now time.Time) time.Duration {
	limit := o.p.conf.Producer.DeliveryTimeout
	if limit <= 0 {
		return never
	}
	if now.Before(o.nextSweep) {
		return o.nextSweep.Sub(now)
	}
	o.nextSweep = now.Add(limit)
	for p := range o.holding {
		q := &p.queue
		var late []*batch
		for _, b := range slices.Concat(q.failed, q.waiting) {
			if o.overdue(b, now) {
				late = append(late, b)
			} else {
				o.sweepFor(b)
			}
		}
		slices.SortFunc(late, byOrder)
		for _, b := range late { // one by one: settle looks at what is left
			q.failed, q.waiting = without(q.failed, b), without(q.waiting, b)
			o.settle(b, q.deliveryTimeout())
		}
	}
	if len(o.holding) == 0 {
		return never
	}
	return o.nextSweep.Sub(now)
}

// without returns the list without one batch.
func without(list []*batch, b *batch) []*batch {
	if at := slices.Index(list, b); at >= 0 {
		return slices.Delete(list, at, at+1)
	}
	return list
}
