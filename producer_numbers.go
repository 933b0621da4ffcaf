package sarama

import (
	"fmt"
	"math"
	"slices"
)

// Sequence numbers (KIP-98). A partition's batches are numbered when they are
// lent for the first time. A batch that may have been written keeps its
// numbers until a broker has answered for it; to give up on one is to go on
// under the next epoch, in which every partition starts at 0.

// producerID is what an idempotent producer stamps its batches with.
type producerID struct {
	id     int64
	epoch  int16
	spent  bool // the last epoch was given up: another id is needed
	asking bool // it was asked for
}

// numbers are those that an answer without an error code gives.
func (r *InitProducerIDResponse) numbers() (producerID, error) {
	if r.ProducerID < 0 || r.ProducerEpoch < 0 {
		return producerID{}, fmt.Errorf("%w: InitProducerId gives the producer id %d and the epoch %d", ErrTxnUnableToParseResponse, r.ProducerID, r.ProducerEpoch)
	}
	return producerID{id: r.ProducerID, epoch: r.ProducerEpoch}, nil
}

// numbered reports whether a batch keeps the numbers that it has.
func (o *owner) numbered(b *batch) bool {
	return b.stamped && (b.uncertain || b.id == o.id.id && b.epoch == o.id.epoch)
}

// mayNumber reports whether a batch has its numbers or may be given them now.
func (o *owner) mayNumber(q *partitionQueue, b *batch) bool {
	if o.numbered(b) {
		return true
	}
	if o.id.spent {
		o.askID()
		return false // idAsked opens the partition again
	}
	// The old epoch ends first. What goes out under it once more may be refused.
	return !slices.ContainsFunc(q.out, func(b *batch) bool { return b.id != o.id.id || b.epoch != o.id.epoch })
}

// number gives a batch its numbers, if it may have them and has none.
func (o *owner) number(q *partitionQueue, b *batch) {
	if o.numbered(b) {
		return
	}
	if q.id != o.id.id || q.epoch != o.id.epoch {
		q.proven = q.proven && q.id == o.id.id
		q.id, q.epoch, q.sequence = o.id.id, o.id.epoch, 0
	}
	b.stamped, b.id, b.epoch, b.sequence = true, q.id, q.epoch, q.sequence
	q.sequence = addSequence(q.sequence, b.records.Count())
}

// addSequence counts on, from the largest number to 0.
func addSequence(s, n int32) int32 { return int32((int64(s) + int64(n)) & math.MaxInt32) }

// renumber takes a batch's numbers back when the broker has refused them
// because of a batch before it, which was given up or is sent again: then it
// was not written. It goes out again under new numbers, or the same.
func (o *owner) renumber(b *batch, err error) bool {
	if !b.stamped || err != ErrOutOfOrderSequenceNumber && err != ErrUnknownProducerID && err != ErrInvalidProducerEpoch {
		return false
	}
	q := &b.part.queue
	if b.id != o.id.id || b.epoch != o.id.epoch {
		b.stamped, b.uncertain = false, false
		return true
	}
	return len(q.failed) > 0 && err == ErrOutOfOrderSequenceNumber
}

// restart recovers from a broker that has forgotten this producer, or lost
// batches that it had acknowledged (KIP-360): the batch that it refuses, which
// nothing of its own partition is in the way of, begins under the next epoch.
// Before Kafka 2.5 that error is the user's, and in a transaction, whose batches
// are all of one epoch.
func (o *owner) restart(b *batch, err error) bool {
	if !b.stamped || err != ErrOutOfOrderSequenceNumber && err != ErrUnknownProducerID || !o.p.conf.Version.IsAtLeast(V2_5_0_0) || o.txn != nil {
		return false
	}
	o.abandonNumbers(b, err)
	b.stamped, b.uncertain = false, false
	return true
}

// abandonNumbers gives up the numbers of a batch that has failed for good: the
// broker may or may not have counted them. Those of a transaction last until it
// ends.
func (o *owner) abandonNumbers(b *batch, why error) {
	if !b.stamped || b.id != o.id.id || b.epoch != o.id.epoch {
		return
	}
	if o.txn != nil {
		o.txn.bump = true
		return
	}
	if o.id.epoch < math.MaxInt16 {
		o.id.epoch++
		Logger.Printf("producer/txnmanager epoch bumped to %d after %s/%d failed: %v\n", o.id.epoch, b.part.topic.name, b.part.id, why)
		return
	}
	o.id.spent = true
	o.askID()
}

// askID asks for another producer id: epochs have run out.
func (o *owner) askID() {
	if o.id.asking {
		return
	}
	o.id.asking = true
	o.p.resolveID(func(resp *InitProducerIDResponse, err error) { o.mail.send(idAsked{resp, err}) })
}

func (o *owner) idAsked(l idAsked) {
	o.id.asking = false
	if l.err == nil && l.resp.Err != ErrNoError {
		l.err = l.resp.Err
	}
	var next producerID
	if l.err == nil {
		next, l.err = l.resp.numbers()
	}
	if l.err == nil {
		o.id = next
		Logger.Printf("producer/txnmanager obtained new producer id %d\n", o.id.id)
	}
	for p := range o.holding {
		if l.err != nil {
			o.failWaiting(p, l.err)
			continue
		}
		o.ready(p)
	}
}
