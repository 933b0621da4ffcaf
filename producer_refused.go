package sarama

import (
	"fmt"
	"slices"

	"github.com/IBM/sarama/internal/record"
)

// What a broker refuses as a whole, though only part of it is at fault.

// halve makes two batches of one that is too large for the broker (KIP-126).
// They take its place, with its numbers: none of these were used.
func (o *owner) halve(b *batch, cause error) {
	p := b.part
	Logger.Printf("producer/leader/%s/%d splitting batch of %d messages: %v\n", p.topic.name, p.id, len(b.msgs), cause)
	front, back := o.splitInTwo(b)
	p.topic.limitBatches(int64(max(front.records.Len(), back.records.Len())))
	o.sendAgain(front)
	o.sendAgain(back)
}

// fit splits a partition's first batch until it is no larger than what the
// topic's broker takes, as far as that is known.
func (o *owner) fit(q *partitionQueue) {
	for {
		b := q.waiting[0]
		limit := b.part.topic.batchBytesMax.Load()
		if limit == 0 || int64(b.records.Len()) <= limit || len(b.msgs) == 1 || b.uncertain {
			return
		}
		front, back := o.splitInTwo(b)
		q.waiting = slices.Replace(q.waiting, 0, 1, front, back)
	}
}

// splitInTwo splits a batch that is with the owner.
func (o *owner) splitInTwo(b *batch) (front, back *batch) {
	o.live++
	b.part.credit.Add(-1) // one more will be settled than the intake has sealed
	if !b.uncounted {
		b.slot.queued.Add(1) // and one more be lent
	}
	front, back = b.split()
	b.free()
	return front, back
}

// split makes two unsealed batches of one, of about the same size, each with
// its share of all that the batch has. There are at least two messages.
func (b *batch) split() (front, back *batch) {
	magic := b.records.Magic()
	front, back = newBatch(b.part, b.slot, magic), newBatch(b.part, b.slot, magic)
	half, last := b.records.Len()/2, len(b.msgs)-1
	old := b.records
	eachRecord(&old, func(i int, timestampMs int64, key, value []byte, headers []RecordHeader) {
		to := front
		if len(back.msgs) > 0 || i > 0 && (i == last || front.records.Len() >= half) {
			to = back
		}
		record.Append(&to.records, timestampMs, key, value, headers)
		to.take(b, i)
	})
	size := front.records.Len() + back.records.Len()
	front.held = budgetShare{int64(len(front.msgs)), b.held.bytes * int64(front.records.Len()) / int64(size)}
	back.held = budgetShare{b.held.messages - front.held.messages, b.held.bytes - front.held.bytes}
	front.inherit(b)
	back.inherit(b)
	back.order += int64(len(front.msgs))
	back.sequence = addSequence(b.sequence, front.records.Count())
	return front, back
}

// take takes a message over, and who waits for it.
func (b *batch) take(from *batch, i int) {
	b.msgs = append(b.msgs, from.msgs[i])
	if len(from.calls) > 0 {
		b.calls = append(b.calls, from.calls[i])
	}
}

// inherit takes over how a batch has fared.
func (b *batch) inherit(from *batch) {
	b.order, b.attempts, b.sent, b.uncertain = from.order, from.attempts, from.sent, from.uncertain
	b.uncounted = from.uncounted
	b.stamped, b.id, b.epoch, b.sequence = from.stamped, from.id, from.epoch, from.sequence
	b.opened = from.opened
}

// RecordError is why a broker has refused a message, in its own words
// (KIP-467). It wraps the error code.
type RecordError struct {
	// Code of the answer, such as ErrInvalidRecord.
	Code KError
	// Message is the broker's.
	Message string
}

// Error is the code's text and the broker's message.
func (e *RecordError) Error() string { return fmt.Sprintf("%v: %s", e.Code, e.Message) }

// Unwrap returns the code.
func (e *RecordError) Unwrap() error { return e.Code }

// refusal is the error of a batch's messages. Where the code says that
// something is wrong with the record of the only one, the broker's words are
// part of it.
func (b *batch) refusal(r produceResult) error {
	if code, ok := r.err.(KError); ok && r.message != nil && *r.message != "" {
		if len(b.msgs) == 1 && (code == ErrInvalidRecord || code == ErrInvalidTimestamp) {
			return &RecordError{code, *r.message}
		}
		Logger.Printf("producer/leader/%s/%d refused a batch of %d messages: %v: %s\n", b.part.topic.name, b.part.id, len(b.msgs), code, *r.message)
	}
	return r.err
}

// refuseRecords fails the messages that a broker names as the reason why it
// has refused a batch, and only those: the others are sent again without them,
// under numbers of their own. It reports whether the broker has named any. In a
// transaction, which has to be aborted anyway, the whole batch fails.
func (o *owner) refuseRecords(b *batch, r produceResult) bool {
	code, ok := r.err.(KError)
	if !ok || o.txn != nil {
		return false
	}
	gone := make([]bool, len(b.msgs))
	var named []int
	reasons := make(map[int]error, len(r.records))
	for _, e := range r.records {
		i := int(e.BatchIndex)
		if i < 0 || i >= len(gone) || gone[i] {
			continue
		}
		gone[i] = true
		named = append(named, i)
		reasons[i] = code
		message := e.BatchIndexErrorMessage
		if message == nil {
			message = r.message
		}
		if message != nil && *message != "" {
			reasons[i] = &RecordError{code, *message}
		}
	}
	if len(named) == 0 {
		return false
	}
	slices.Sort(named)
	p := b.part
	Logger.Printf("producer/leader/%s/%d refused %d of a batch of %d messages: %v\n", p.topic.name, p.id, len(named), len(gone), code)
	o.abandonNumbers(b, code)
	refused := make([]*batch, len(named))
	for at, i := range named {
		refused[at] = newBatch(p, b.slot, b.records.Magic())
		refused[at].inherit(b)
		refused[at].stamped = false
		refused[at].take(b, i)
		refused[at].held = budgetShare{1, b.held.bytes / b.held.messages}
		b.held.add(-1, -refused[at].held.bytes)
	}
	o.live += len(named)
	p.credit.Add(-int32(len(named)))
	b.stamped, b.uncertain = false, false
	if b.rebuild(gone); len(b.msgs) > 0 {
		o.sendAgain(b)
	} else {
		o.settle(b, nil) // nothing is left of it
	}
	for at, i := range named {
		o.settle(refused[at], reasons[i])
	}
	return true
}
