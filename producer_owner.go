package sarama

import (
	"cmp"
	"slices"
	"time"
)

// owner is the goroutine that owns what follows the intake: sealed batches in
// their partitions' queues, sequence numbers, retries, timers. It calls no
// user's code and never blocks. It is woken by letters and by its timer, and
// ends when, after Close, every batch is settled.
//
// What it lends to a sender it does not touch until it is handed back.
type owner struct {
	// constant
	p *producer
	// letters: batches, requests, metadata and ids that were asked for, Close; of
	// a transaction the call in hand, the job that is back, callers of
	// AddOffsetsToTxn, messages refused before the first failure was seen
	mail   mailbox
	window int // batches of one partition that may be out at a time

	// owned by run
	senders   map[int32]*sender
	touched   []*sender // senders that may have something to send
	holding   map[*producerPartition]struct{}
	asks      map[string]*topicAsk
	backoffs  []*producerPartition // in state partBackoff
	live      int                  // batches not settled
	nextSweep time.Time            // when batches are looked at whose delivery timeout may be over
	drained   bool                 // the intake is done
	woken     int                  // how often a wait has ended
	id        producerID
	txn       *txn // nil without a transactional id
	closing   bool
	closedAt  time.Time
	expiry    time.Time // when closing: next look for partitions without progress
}

// topicAsk is a question after a topic's leaders: which partitions it is for,
// and which came too late and wait for another one.
type topicAsk struct{ now, next []*producerPartition }

// partitionQueue is what the owner keeps for a partition.
type partitionQueue struct {
	waiting []*batch      // sealed, in order; the first is next
	out     []*batch      // lent to sender, in order
	failed  []*batch      // came back and will be sent again; until out is empty, when they go to the front of waiting
	done    []*batch      // written, while one before them is still to be: results of a partition come in order
	pause   int           // in partFailing: attempts that the backoff goes by, 0 for none
	kept    bool          // in partBackoff: what is wrong is not the leader
	rest    time.Duration // in partFailing: the backoff where what is wrong is not the leader
	moved   bool          // in partFailing: a broker has named another leader, which the snapshot has
	sender  *sender       // which has out, or had the last of it
	listed  *sender       // in whose list of ready partitions this is

	taken    int64 // messages taken from the intake so far
	state    partitionState
	at       time.Time // in partBackoff: until when
	progress time.Time // when a broker last answered for a batch, or the first one came
	trouble  error     // why the last batch that was sent again had to be; nil after a success
	lookups  int       // in a row that were answered, and the leader was gone again by then
	stale    bool      // the leader is to be asked for before the next batch
	expired  bool      // out of time after Close
	breaker  breaker

	// proven says that the last batch that came back was written, so that the
	// leader knows the producer. One that does not takes any number for the
	// first: of several batches under way it might refuse one and take the next.
	proven bool

	txn        int64 // serial number of the transaction that the partition was added to last
	txnPending bool  // it is to be added

	// numbers of the next batch of an idempotent producer
	id       int64
	epoch    int16
	sequence int32
}

type partitionState int8

const (
	partIdle    partitionState = iota // nothing is in the way of the next batch
	partFailing                       // batches came back to be sent again, and more are out
	partBackoff                       // until at
	partAsking                        // its topic is being asked for
)

// Letters to the owner, beside batches and requests.
type (
	intakeDrained struct{}
	ownerClose    struct{}
	topicAsked    struct {
		topic string
		err   error
	}
	idAsked struct {
		resp *InitProducerIDResponse
		err  error
	}
)

func newOwner(p *producer) *owner {
	o := &owner{
		p: p, mail: newMailbox(), window: 1, senders: make(map[int32]*sender),
		holding: make(map[*producerPartition]struct{}), asks: make(map[string]*topicAsk),
	}
	if p.conf.Producer.Idempotent {
		o.window = min(p.conf.Net.MaxOpenRequests, maxIdempotentRequests)
	}
	return o
}

// run is the owner's goroutine.
func (o *owner) run() {
	var timer alarm
	defer timer.stop()
	for {
		o.readMail()
		wait := o.timers(time.Now())
		if o.txn != nil {
			o.txnPurge()
		}
		o.dispatch()
		if o.txn != nil {
			o.txnStep()
		}
		if o.closing && o.drained && o.live == 0 && o.txnIdle() {
			o.end()
			return
		}
		select {
		case <-o.mail.wake:
		case <-timer.in(wait):
		}
		o.woken++
	}
}

// end stops the senders, which have nothing left to do.
func (o *owner) end() {
	for _, s := range o.senders {
		s.stop()
	}
	if o.txn != nil {
		o.txnClose()
	}
	o.p.ownerGone()
}

func (o *owner) readMail() {
	for l := o.mail.take(); l != nil; {
		next := l.next // what the letter brought may be posted again at once
		switch item := l.item.(type) {
		case *batch:
			o.enqueue(item)
		case *produceCall:
			o.handedBack(item)
		case topicAsked:
			o.topicAsked(item)
		case idAsked:
			o.idAsked(item)
		case hintsTaken:
			o.hintsTaken(item)
		case txnTold:
			o.txnTold(item)
		case txnBegun:
			o.txnBegun(item)
		case txnEnding:
			o.txnEnding(item)
		case txnBarrier:
			o.txn.barrier = item.call == o.txn.call
		case txnRefused:
			o.txnRefused(item)
		case txnOffered:
			o.txnOffered(item)
		case intakeDrained:
			o.drained = true
		case ownerClose:
			o.closing, o.closedAt = true, time.Now()
			o.expiry = o.closedAt
		}
		l = next
	}
}

// enqueue takes a batch from the intake.
func (o *owner) enqueue(b *batch) {
	p := b.part
	q := &p.queue
	o.live++
	if _, held := o.holding[p]; !held {
		o.holding[p] = struct{}{}
		now := time.Now()
		if now.Sub(q.progress) > provenFor {
			q.proven = false
		}
		q.progress = now
	}
	b.order = q.taken
	q.taken += int64(len(b.msgs))
	o.sweepFor(b)
	q.waiting = append(q.waiting, b)
	if o.txn != nil {
		o.txnNeeds(p)
	}
	o.ready(p)
	switch { // what waits for its own partition, the intake does not wait for
	case q.listed == nil:
		o.uncount(q)
	case len(q.waiting) > 1 && b.uncount():
		o.p.intake.released()
	}
}

// ready lists a partition with the sender of its leader, if its next batch may
// go there now.
func (o *owner) ready(p *producerPartition) {
	q := &p.queue
	if q.listed != nil || !o.open(q) {
		return
	}
	if q.expired {
		o.failWaiting(p, ErrShuttingDown)
		return
	}
	if q.stale {
		o.ask(p)
		return
	}
	leader, _, err := o.p.source.snapshot().leader(p.topic.name, p.id)
	if err != nil {
		o.findLeader(p)
		return
	}
	s := o.sender(leader)
	if !o.mayGo(s, p) {
		return
	}
	q.listed = s
	s.ready = append(s.ready, p)
	o.touch(s)
}

// open reports whether a partition has a batch that nothing of its own is in
// the way of.
func (o *owner) open(q *partitionQueue) bool {
	if len(q.waiting) == 0 || q.state != partIdle || o.txn != nil && !o.txnHas(q) {
		return false
	}
	if len(q.out) == 0 {
		return true
	}
	return q.proven && !q.inDoubt() && len(q.out)+len(q.done) < o.window
}

// inDoubt reports whether the next batch, or one that is out, may have been
// written by an attempt before. It goes alone: leaders know a producer's last
// five batches again, so that no more may be written behind one in doubt than
// the window has; done counts for it too, as an answer on a new connection may
// be here before the news that the old one has failed.
func (q *partitionQueue) inDoubt() bool {
	return q.waiting[0].uncertain || slices.ContainsFunc(q.out, func(b *batch) bool { return b.uncertain })
}

// provenFor is how long an idle partition's leader is taken to remember the
// producer. Brokers forget it after a day, unless they are told to do so sooner
// (producer.id.expiration.ms).
const provenFor = 5 * time.Minute

// mayGo reports whether a partition's first batch may go to a sender: what is
// out at the old leader comes back first.
func (o *owner) mayGo(s *sender, p *producerPartition) bool {
	q := &p.queue
	return o.open(q) && (len(q.out) == 0 || q.sender == s)
}

// sender finds or makes the sender for a broker. A broker that has moved to
// another address gets a new one.
func (o *owner) sender(b *Broker) *sender {
	s := o.senders[b.id]
	if s != nil && s.lane.addr == b.addr {
		return s
	}
	var moved []*producerPartition
	if s != nil {
		moved, s.ready = s.ready, nil
		s.stop()
	}
	s = newSender(o.p, b)
	o.senders[b.id] = s
	for _, p := range moved {
		p.queue.listed = s
		s.ready = append(s.ready, p)
		o.touch(s)
	}
	return s
}

// reap stops the senders of brokers that are no longer part of the cluster and
// have nothing any more.
func (o *owner) reap() {
	brokers := o.p.source.snapshot().brokers
	for id, s := range o.senders {
		if brokers[id] == nil && len(s.ready) == 0 && s.slot.flying.Load() == 0 && !s.slot.writing.Load() {
			s.stop()
			delete(o.senders, id)
		}
	}
}

func (o *owner) touch(s *sender) {
	if !s.touched {
		s.touched = true
		o.touched = append(o.touched, s)
	}
}

// dispatch lends what may go to the senders that can take a request. Those
// that cannot yet stay on the list: when they can, they wake the owner.
func (o *owner) dispatch() {
	kept := 0
	for i := 0; i < len(o.touched); i++ {
		s := o.touched[i]
		for len(s.ready) > 0 && (s.idle() || s.idleAfterAll()) {
			o.lend(s)
		}
		if s.touched = len(s.ready) > 0; s.touched {
			o.touched[kept] = s
			kept++
		}
	}
	clear(o.touched[kept:])
	o.touched = o.touched[:kept]
}

// lend makes a request of the first batches of ready partitions and hands it
// to the sender.
func (o *owner) lend(s *sender) {
	call := newProduceCall(s)
	call.implicit = o.txn != nil && o.txn.implicit
	size, messages := requestMargin, 0
	maxMessages := o.p.conf.Producer.Flush.MaxMessages
	list := s.ready
	again := list[:0] // those whose next batch may follow
	s.ready = s.spare[:0]
	s.spare = list
	for _, p := range list {
		if !o.mayGo(s, p) { // something has come in between since it was listed
			p.queue.listed = nil
			continue
		}
		o.fit(&p.queue)
		b := p.queue.waiting[0]
		if len(call.batches) > 0 && (size+b.records.Len() > int(MaxRequestSize) || maxMessages > 0 && messages+len(b.msgs) > maxMessages) {
			s.ready = append(s.ready, p) // into the next request
			continue
		}
		p.queue.listed = nil
		taken, next := o.take(s, p)
		if next {
			again = append(again, p)
		}
		if !taken {
			continue
		}
		size += b.records.Len()
		messages += len(b.msgs)
		call.batches = append(call.batches, b)
	}
	if len(call.batches) > 0 {
		s.slot.flying.Add(1)
		s.slot.writing.Store(true)
		s.next <- call // has room: the sender was idle
	} else {
		call.free()
	}
	for _, p := range again { // only now: this may stop the sender, where its broker has moved
		o.ready(p)
	}
	clear(list)
}

// take moves a partition's first batch out, if it goes now; next says that the
// one behind it may follow.
func (o *owner) take(s *sender, p *producerPartition) (taken, next bool) {
	q := &p.queue
	b := q.waiting[0]
	idempotent := o.p.conf.Producer.Idempotent
	if idempotent && !o.mayNumber(q, b) {
		return false, false // its messages can still be cancelled
	}
	if !b.sent && b.dropCancelled() {
		q.pop()
		o.settle(b, nil)
		return false, true
	}
	if idempotent {
		o.number(q, b)
	}
	if o.txn != nil {
		o.txn.started = true
	}
	q.pop()
	q.out = append(q.out, b)
	q.sender = s
	o.lent(b)
	return true, true
}

// lent marks a batch as one that the intake need no longer wait for.
func (o *owner) lent(b *batch) {
	b.sent = true
	b.uncount()
}

// uncount has the intake no longer wait for what a partition has waiting: others
// may go to the same broker meanwhile.
func (o *owner) uncount(q *partitionQueue) {
	freed := false
	for _, b := range q.waiting {
		if !b.uncount() {
			break // only the first ones are counted
		}
		freed = true
	}
	if freed {
		o.p.intake.released()
	}
}

func (q *partitionQueue) pop() {
	q.waiting[0] = nil
	if q.waiting = q.waiting[1:]; len(q.waiting) == 0 {
		q.waiting = nil
	}
}

// settle ends a batch's life with the owner.
func (o *owner) settle(b *batch, err error) {
	p := b.part
	o.live--
	o.lent(b)
	p.credit.Add(1)
	q := &p.queue
	if len(q.waiting) == 0 && len(q.out) == 0 && len(q.failed) == 0 && len(q.done) == 0 {
		delete(o.holding, p)
	}
	b.err = err
	if err != nil {
		o.abandonNumbers(b, err)
		if o.txn != nil {
			o.txnFail(err)
		}
	}
	o.p.settled(b)
	o.p.intake.released()
	if len(q.done) > 0 {
		o.settleDone(q)
	}
}

// written settles a batch, unless one before it is out or to be sent again: then
// it waits for that.
func (o *owner) written(b *batch) {
	q := &b.part.queue
	if len(q.failed) == 0 && len(q.done) == 0 && (len(q.out) == 0 || b.order < q.out[0].order) {
		o.settle(b, nil)
		return
	}
	at, _ := slices.BinarySearchFunc(q.done, b, byOrder)
	q.done = slices.Insert(q.done, at, b)
	o.settleDone(q)
}

func byOrder(a, b *batch) int { return cmp.Compare(a.order, b.order) }

// settleDone settles the written batches that have none before them any more.
func (o *owner) settleDone(q *partitionQueue) {
	for len(q.done) > 0 {
		b := q.done[0]
		before := func(a *batch) bool { return a.order < b.order }
		if slices.ContainsFunc(q.failed, before) || slices.ContainsFunc(q.out, before) || slices.ContainsFunc(q.waiting, before) {
			return
		}
		if q.done = q.done[1:]; len(q.done) == 0 {
			q.done = nil
		}
		o.settle(b, nil)
	}
}

// failWaiting settles all that a partition has waiting.
func (o *owner) failWaiting(p *producerPartition, err error) {
	q := &p.queue
	for len(q.waiting) > 0 { // one by one: settle looks at what is left
		b := q.waiting[0]
		q.pop()
		o.settle(b, err)
	}
}

// handedBack takes a request back from its sender, or from the reader of its
// connection.
func (o *owner) handedBack(call *produceCall) {
	s := call.sender
	s.slot.flying.Add(-1)
	if call.answered {
		s.progress = time.Now()
	}
	call.match()
	for i, b := range call.batches {
		q := &b.part.queue
		if at := slices.Index(q.out, b); at >= 0 {
			q.out = slices.Delete(q.out, at, at+1)
		}
		if call.answered {
			q.progress = s.progress
		}
		call.parts = append(call.parts, b.part) // when it is settled, the batch is no longer ours
		o.outcome(b, call.results[i])
	}
	o.takeHints(call)
	for _, p := range call.parts {
		o.returned(p)
	}
	call.free()
	o.touch(s)
	o.p.intake.released()
}

// returned looks after a partition of which a batch has come back.
func (o *owner) returned(p *producerPartition) {
	q := &p.queue
	if q.state == partFailing && len(q.out) == 0 {
		o.replay(p)
	}
	if len(q.waiting) > 0 {
		o.ready(p)
	}
}

// replay puts what failed back to the front, in its old order, and starts the
// backoff, where there is a reason for one, before it goes out again.
func (o *owner) replay(p *producerPartition) {
	q := &p.queue
	if len(q.failed) > 0 {
		slices.SortFunc(q.failed, byOrder)
		q.waiting = append(q.failed, q.waiting...)
		q.failed = nil
	}
	pause, moved, rest := q.pause, q.moved, q.rest
	q.pause, q.moved, q.rest = 0, false, 0
	if q.kept = pause == 0 && rest > 0; q.kept {
		o.backOffFor(p, rest)
		return
	}
	if pause == 0 || moved {
		q.state = partIdle
		return
	}
	o.backOff(p, pause)
}
