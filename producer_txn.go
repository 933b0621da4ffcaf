package sarama

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// txn is what a producer with a transactional id has of its transactions
// (KIP-98). Its state belongs to the owner. BeginTxn, CommitTxn and AbortTxn
// are letters that pass through the intake, behind the messages that were sent
// before them, to the owner; what coordinators have to be told the negotiator
// does, one job at a time.
type txn struct {
	// constant
	id   string
	talk *negotiator
	turn chan struct{} // of capacity 1: held by the call of BeginTxn, CommitTxn or AbortTxn in hand
	over chan struct{} // closed when the intake has ended: calls are no longer answered

	// atomic, any goroutine: a ProducerTxnStatusFlag; set by the owner
	state atomic.Int32

	// owned by the owner
	serial   int64 // of the transaction, from 1
	implicit bool  // brokers add partitions by themselves (KIP-890, version 2)
	started  bool  // the coordinator may know of the transaction
	added    bool  // it has said that there are partitions in it
	pending  []*producerPartition
	adding   []*producerPartition // what the job in hand adds
	offsets  map[txnMember]*txnOffsets
	groups   []*txnOffsets // the values of offsets, in the order of their first addition
	cause    error         // why state says InError
	doomed   bool          // what is not written yet will not be
	bump     bool          // the next transaction needs another epoch
	call     *txnCall      // that ends it
	called   time.Time     // since when
	barrier  bool          // all messages before call are here
	busy     bool          // the negotiator has a job
	asked    time.Time     // since when
	expired  bool          // after Close it has taken too long
}

// ErrTransactionOutcomeUnknown means that the transaction's coordinator was
// asked to end it and has not answered: it may or may not have done so. The
// producer goes on after AbortTxn, which ends the transaction if that is still
// open. It wraps what went wrong.
var ErrTransactionOutcomeUnknown = errors.New("transaction manager: the transaction may or may not have ended as asked for")

type txnCallKind int8

const (
	txnBegin txnCallKind = iota
	txnCommit
	txnAbort
)

// txnCall is a call of BeginTxn, CommitTxn or AbortTxn. It is answered once.
type txnCall struct {
	kind  txnCallKind
	reply chan error // of capacity 1
}

// txnMember names who commits offsets.
type txnMember struct {
	group, member, instance string
	static                  bool // has an instance
	generation              int32
}

// txnOffsets are the offsets of a group, and on whose behalf they are
// committed.
type txnOffsets struct {
	group, member string
	instance      *string
	generation    int32
	topics        map[string][]*PartitionOffsetMetadata
}

// Letters to the owner, beside txnTold.
type (
	txnBegun   struct{ call *txnCall } // what was sent before BeginTxn has been refused
	txnEnding  struct{ call *txnCall } // no message is taken any more
	txnBarrier struct{ call *txnCall } // and all that were taken have come
	txnRefused struct {                // a message that is part of no batch
		msg  *ProducerMessage
		ref  syncRef
		size int64
		err  error
	}
	txnOffered struct { // AddOffsetsToTxn
		offsets *txnOffsets
		reply   chan error // of capacity 1
	}
)

// txnOpened tells the intake that messages are taken from now on.
type txnOpened struct{ call *txnCall }

func newTxn(p *producer, id string) *txn {
	t := &txn{id: id, talk: newNegotiator(p, id), turn: make(chan struct{}, 1), over: make(chan struct{})}
	t.set(ProducerTxnFlagUninitialized)
	return t
}

// start obtains the producer's numbers, before any goroutine runs.
func (t *txn) start() (producerID, error) {
	t.set(ProducerTxnFlagInitializing)
	id, err := t.talk.initProducerID(producerID{id: -1, epoch: -1})
	if err != nil {
		t.talk.close()
		return id, err
	}
	t.set(ProducerTxnFlagReady)
	return id, nil
}

func (t *txn) status() ProducerTxnStatusFlag { return ProducerTxnStatusFlag(t.state.Load()) }

func (t *txn) is(flag ProducerTxnStatusFlag) bool { return t.status()&flag != 0 }

func (t *txn) set(s ProducerTxnStatusFlag) {
	if ProducerTxnStatusFlag(t.state.Swap(int32(s))) != s {
		DebugLogger.Printf("producer/txnmgr/%s state change to [%v]\n", t.id, s)
	}
}

// txnFatal reports whether a producer with a transactional id is of no use any
// more after an error; after any other the transaction can be aborted.
func txnFatal(err error) bool {
	return isOneOf(err, ErrClusterAuthorizationFailed, ErrProducerFenced, ErrUnsupportedVersion, ErrTransactionalIDAuthorizationFailed,
		ErrInvalidProducerIDMapping)
}

// txnFail takes note of an error within the transaction. One of a message
// changes nothing while it is being aborted.
func (o *owner) txnFail(err error) {
	t := o.txn
	switch {
	case t.is(ProducerTxnFlagFatalError):
	case t.is(ProducerTxnFlagInError) && !txnFatal(err):
	case t.is(ProducerTxnFlagInTransaction | ProducerTxnFlagCommittingTransaction | ProducerTxnFlagInError):
		o.txnTrouble(err)
	}
}

// txnRefused gives back a message that is part of no batch.
func (o *owner) txnRefused(l txnRefused) {
	o.txnFail(l.err)
	o.p.refused(l.msg, l.ref, l.err, l.size)
}

// txnTrouble puts the transaction into an error state.
func (o *owner) txnTrouble(err error) {
	t := o.txn
	state := ProducerTxnFlagInError | ProducerTxnFlagAbortableError
	if txnFatal(err) {
		state = ProducerTxnFlagInError | ProducerTxnFlagFatalError
	}
	t.cause, t.doomed = err, true
	t.bump = t.bump || t.started && o.p.conf.Version.IsAtLeast(V2_5_0_0)
	t.set(state)
	Logger.Printf("producer/txnmgr/%s transaction in error: %v\n", t.id, err)
}

// txnBegun opens a transaction.
func (o *owner) txnBegun(l txnBegun) {
	t := o.txn
	switch {
	case t.is(ProducerTxnFlagInError):
		l.call.reply <- Wrap(ErrTransitionNotAllowed, t.cause)
		return
	case t.status() != ProducerTxnFlagReady:
		l.call.reply <- ErrTransitionNotAllowed
		return
	}
	t.serial++
	t.implicit = o.txnImplicit()
	t.set(ProducerTxnFlagInTransaction)
	o.p.intake.mail.send(txnOpened(l))
}

// txnImplicit reports whether all that is known of the cluster lets brokers
// add partitions and offsets to a transaction by themselves (KIP-890). It is
// known from the newest connections: levels may change while brokers run.
func (o *owner) txnImplicit() bool {
	links := []*link{o.txn.talk.link.Load()}
	for _, s := range o.senders {
		links = append(links, s.lane.broker.link.Load())
	}
	latest := features{epoch: -1}
	for _, l := range links {
		if l == nil || !isClosed(l.ready) || l.versions == nil {
			continue
		}
		if l.newest(apiProduce) <= produceExplicitMax || l.newest(apiEndTxn) <= endTxnExplicitMax || l.newest(apiTxnOffsetCommit) <= txnOffsetsExplicitMax {
			return false
		}
		if l.features.epoch > latest.epoch {
			latest = l.features
		}
	}
	return latest.transaction >= 2
}

// txnEnding begins to end the transaction: nothing more is taken.
func (o *owner) txnEnding(l txnEnding) {
	t := o.txn
	commit := l.call.kind == txnCommit
	switch {
	case t.is(ProducerTxnFlagFatalError), commit && t.is(ProducerTxnFlagInError):
		l.call.reply <- t.cause
	case !t.is(ProducerTxnFlagInTransaction | ProducerTxnFlagAbortableError):
		l.call.reply <- ErrTransitionNotAllowed
	case commit:
		t.call, t.called = l.call, time.Now()
		t.set(ProducerTxnFlagEndTransaction | ProducerTxnFlagCommittingTransaction)
	default:
		t.call, t.called = l.call, time.Now()
		t.set(ProducerTxnFlagEndTransaction | ProducerTxnFlagAbortingTransaction)
	}
}

// txnOffered records offsets that are to be committed with the transaction. Of
// those of a partition the last count.
func (o *owner) txnOffered(l txnOffered) {
	t, add := o.txn, l.offsets
	if !t.is(ProducerTxnFlagInTransaction) {
		l.reply <- ErrTransactionNotReady
		return
	}
	if len(add.topics) == 0 {
		l.reply <- nil
		return
	}
	key := txnMember{group: add.group, member: add.member, generation: add.generation}
	if add.instance != nil {
		key.static, key.instance = true, *add.instance
	}
	if have := t.offsets[key]; have == nil {
		if t.offsets == nil {
			t.offsets = make(map[txnMember]*txnOffsets)
		}
		t.offsets[key] = add
		t.groups = append(t.groups, add)
	} else {
		have.merge(add.topics)
	}
	l.reply <- nil
}

// merge takes over offsets in place of those of the same partitions.
func (t *txnOffsets) merge(topics map[string][]*PartitionOffsetMetadata) {
	for topic, list := range topics {
		at := make(map[int32]int)
		for i, p := range t.topics[topic] {
			at[p.Partition] = i
		}
		for _, p := range list {
			if i, known := at[p.Partition]; known {
				t.topics[topic][i] = p
				continue
			}
			at[p.Partition] = len(t.topics[topic])
			t.topics[topic] = append(t.topics[topic], p)
		}
	}
}

// txnHas reports whether a partition's batches may be sent as far as the
// transaction goes.
func (o *owner) txnHas(q *partitionQueue) bool { return o.txn.implicit || q.txn == o.txn.serial }

// txnNeeds sees to it that a partition is added to the transaction, before its
// first batch is sent.
func (o *owner) txnNeeds(p *producerPartition) {
	if q := &p.queue; !o.txnHas(q) && !q.txnPending {
		q.txnPending = true
		o.txn.pending = append(o.txn.pending, p)
	}
}

// txnDoom has what is not written yet fail; the transaction's state stays.
func (o *owner) txnDoom(why error) {
	if t := o.txn; !t.doomed {
		t.cause, t.doomed = why, true
	}
}

// txnOverdue gives up on messages that have kept the end of the transaction
// waiting for as long as the coordinator would leave it open. It returns how
// long there is until then.
func (o *owner) txnOverdue(now time.Time) time.Duration {
	t := o.txn
	if t.call == nil || t.doomed || o.live == 0 {
		return never
	}
	limit := o.p.conf.Producer.Transaction.Timeout
	if left := t.called.Add(limit).Sub(now); left > 0 {
		return left
	}
	err := &timeoutError{"messages of the transaction were not delivered", limit}
	o.txnFail(err)
	o.txnDoom(err)
	return never
}

// txnPurge fails what is not to be written any more.
func (o *owner) txnPurge() {
	t := o.txn
	if !t.doomed || o.live == 0 {
		return
	}
	err := Wrap(ErrTransactionNotReady, t.cause)
	for p := range o.holding {
		o.failHeld(p, err)
	}
}

// failHeld fails all that a partition has that is not out.
func (o *owner) failHeld(p *producerPartition, err error) {
	q := &p.queue
	slices.SortFunc(q.failed, byOrder)
	for len(q.failed) > 0 { // one by one: settle looks at what is left
		b := q.failed[0]
		q.failed = q.failed[1:]
		o.settle(b, err)
	}
	q.failed = nil
	o.failWaiting(p, err)
}

// txnStep gives the negotiator its next job, if there is one.
func (o *owner) txnStep() {
	t := o.txn
	if t.busy {
		return
	}
	if len(t.pending) > 0 {
		o.txnAddPending()
	}
	if t.busy || t.call == nil || !t.barrier || o.live > 0 {
		return
	}
	commit := t.call.kind == txnCommit
	if t.is(ProducerTxnFlagInError) { // while it was to be committed
		o.txnAnswer(t.cause)
		return
	}
	j := &txnEnd{id: o.id, commit: commit, implicit: t.implicit, send: t.started, bump: t.bump}
	if commit {
		j.offsets = t.groups
		j.send = j.send || len(j.offsets) > 0
		t.started = j.send
	}
	if !j.send && !j.bump {
		o.txnComplete(o.id)
		return
	}
	o.txnDo(j)
}

// txnDo hands the negotiator a job.
func (o *owner) txnDo(j txnJob) {
	t := o.txn
	t.busy, t.asked = true, time.Now()
	if t.expired {
		o.mail.send(txnTold{j, ErrShuttingDown})
		return
	}
	t.talk.jobs <- j // has room: it is idle
}

// txnAddPending has the partitions that wait added to the transaction.
func (o *owner) txnAddPending() {
	t := o.txn
	parts := make(map[string][]int32)
	for _, p := range t.pending {
		p.queue.txnPending = false
		parts[p.topic.name] = append(parts[p.topic.name], p.id)
	}
	t.adding, t.pending = t.pending, nil
	if t.doomed { // what they have is failed
		t.adding = nil
		return
	}
	t.started = true
	o.txnDo(txnAdd{id: o.id, parts: parts, first: !t.added})
}

// txnTold takes a job back from the negotiator.
func (o *owner) txnTold(l txnTold) {
	t := o.txn
	t.busy = false
	j, end := l.job.(*txnEnd)
	if end {
		o.txnEnded(j, l.err)
		return
	}
	list := t.adding
	t.adding = nil
	if l.err != nil {
		o.txnFail(l.err)
		o.txnDoom(l.err) // while it is being aborted, too
		return
	}
	t.added = true
	for _, p := range list {
		p.queue.txn = t.serial
		o.ready(p)
	}
}

// txnEnded takes the outcome of a transaction.
func (o *owner) txnEnded(j *txnEnd, err error) {
	t := o.txn
	if err == nil {
		o.txnComplete(j.next)
		return
	}
	if err == errAbandoned { // it was not begun
		err = ErrShuttingDown
	}
	o.txnTrouble(err)
	t.bump = t.bump || j.unknown
	if j.ended { // but the producer has no epoch for the next one
		t.started, t.bump = false, true
	}
	o.txnAnswer(err)
}

// txnComplete is the end of the transaction.
func (o *owner) txnComplete(next producerID) {
	t := o.txn
	o.id = next
	t.started, t.added, t.doomed, t.bump, t.cause = false, false, false, false, nil
	t.offsets, t.groups = nil, nil
	t.set(ProducerTxnFlagReady)
	o.txnAnswer(nil)
}

// txnAnswer answers the call that ends the transaction.
func (o *owner) txnAnswer(err error) {
	t := o.txn
	t.call.reply <- err
	t.call, t.barrier = nil, false
}

// txnIdle reports whether nothing is under way that the owner's end waits for.
func (o *owner) txnIdle() bool { return o.txn == nil || !o.txn.busy && o.txn.call == nil }

// txnExpire gives up, after Close, on a job that takes too long.
func (o *owner) txnExpire(now time.Time, patience time.Duration) {
	t := o.txn
	if !t.busy || t.expired || o.patient(t.asked, now, patience) {
		return
	}
	t.expired = true
	close(t.talk.quit)
}

// txnClose ends the negotiator.
func (o *owner) txnClose() {
	if !o.txn.expired {
		close(o.txn.talk.quit)
	}
}
