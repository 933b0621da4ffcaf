package sarama

import (
	"errors"
	"math"
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
}

// retriableCodes are answers after which a batch is sent again.
var retriableCodes = []KError{
	ErrInvalidMessage, ErrUnknownTopicOrPartition, ErrLeaderNotAvailable, ErrNotLeaderForPartition, ErrRequestTimedOut,
	ErrNotEnoughReplicas, ErrNotEnoughReplicasAfterAppend, ErrKafkaStorageError,
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
	case errors.As(err, &encoding), errors.As(err, &conf), errors.Is(err, ErrSASLAuthenticationFailed),
		errors.Is(err, ErrUnsupportedVersion), errors.Is(err, ErrIncompleteResponse):
		return false
	}
	return true // the connection failed
}

// outcome decides what follows from a batch's result.
func (o *owner) outcome(b *batch, r produceResult) {
	p := b.part
	q := &p.queue
	if r.err == ErrDuplicateSequenceNumber {
		r.err, r.offset = nil, -1 // an attempt before was written, nobody says where
	}
	if r.err == nil {
		b.offset, b.timestamp = r.offset, r.timestamp
		o.settle(b, nil)
		return
	}
	b.uncertain = b.uncertain || r.uncertain || r.err == ErrRequestTimedOut || r.err == ErrNotEnoughReplicasAfterAppend
	if o.renumber(b, r.err) {
		q.state = partFailing
		q.failed = append(q.failed, b)
		return
	}
	if r.err == errAbandoned && !r.uncertain { // its sender was stopped before it came to it
		q.state = partFailing
		q.failed = append(q.failed, b)
		return
	}
	if !retriable(r.err) {
		o.settle(b, r.err)
		return
	}
	b.attempts++
	q.state = partFailing
	switch {
	case q.expired:
		o.settle(b, ErrShuttingDown)
	case b.attempts > o.p.conf.Producer.Retry.Max:
		o.settle(b, r.err)
	default:
		Logger.Printf("producer/leader/%s/%d retrying batch of %d messages, attempt %d: %v\n", p.topic.name, p.id, len(b.msgs), b.attempts, r.err)
		q.failed = append(q.failed, b)
	}
}

// Sequence numbers (KIP-98). A partition's batches are numbered when they are
// lent for the first time. A batch that may have been written keeps its
// numbers until a broker has answered for it; to give up on one is to go on
// under the next epoch, in which every partition starts at 0.

// producerID is what an idempotent producer stamps its batches with.
type producerID struct {
	id     int64
	epoch  int16
	asking bool // another id was asked for
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
	if o.id.asking {
		return false // idAsked opens the partition again
	}
	return len(q.out) == 0 || q.id == o.id.id && q.epoch == o.id.epoch // the old epoch ends first
}

// number gives a batch its numbers, if it may have them and has none.
func (o *owner) number(q *partitionQueue, b *batch) {
	if o.numbered(b) {
		return
	}
	if q.id != o.id.id || q.epoch != o.id.epoch {
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

// abandonNumbers gives up the numbers of a batch that has failed for good: the
// broker may or may not have counted them.
func (o *owner) abandonNumbers(p *producerPartition, b *batch) {
	if b.id != o.id.id || b.epoch != o.id.epoch {
		return
	}
	if o.id.epoch < math.MaxInt16 {
		o.id.epoch++
		Logger.Printf("producer/txnmanager epoch bumped to %d after %s/%d failed: %v\n", o.id.epoch, p.topic.name, p.id, b.err)
		return
	}
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
	if l.err == nil {
		o.id.id, o.id.epoch = l.resp.ProducerID, l.resp.ProducerEpoch
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
