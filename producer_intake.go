package sarama

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// intake is the goroutine that takes messages from the user and makes batches
// of them. It alone runs the user's code: interceptors, partitioners, encoders.
// It is woken by messages, by letters, by its timer, and when a broker that it
// waits for becomes free or the budget has room. It ends when the producer has
// delivered all.
type intake struct {
	// constant
	p     *producer
	input chan *ProducerMessage // nil for a sync producer
	calls chan syncChunk        // nil for an async one
	mail  mailbox               // letters: one for each topic being resolved, for Close, for the end; two for the transaction's call in hand

	// atomic: batches are ready that the owner or a broker does not take yet
	wanting atomic.Bool

	// owned by run
	topics  map[string]*producerTopic
	last    *producerTopic // the topic of the message before
	slots   map[int32]*brokerSlot
	inUse   []*brokerSlot // the values of slots
	cluster *cluster      // the snapshot that the present burst goes by
	now     time.Time     // zero: to be read anew
	taken   budgetShare   // accepted in this burst, not yet in the budget
	room    budgetShare   // what the budget had left when the burst began
	sealed  letterChain   // batches sealed in this burst
	waiting int           // messages that wait for their topic
	shut    bool          // what comes is refused
	txnOpen bool          // messages are part of the transaction; without one they are refused, where there are transactions
	txnEnd  *txnCall      // waits for messages that wait for their topic
	txnBy   time.Time     // until when
	drained bool          // the owner was told that no more comes
	giveUp  time.Time     // after Close: when waiting messages are failed
	ended   bool
	woken   int // how often a wait has ended

	nextSweep time.Time // when batches and messages are looked at whose delivery timeout may be over
}

// burstMax is how many messages the intake takes before it looks after
// anything else.
const burstMax = 256

// released tells the intake that owner or broker may take more than before.
func (in *intake) released() {
	if in.wanting.Load() && in.wanting.Swap(false) {
		in.mail.nudge()
	}
}

func newIntake(p *producer) *intake {
	return &intake{p: p, mail: newMailbox(), topics: make(map[string]*producerTopic), slots: make(map[int32]*brokerSlot)}
}

// run is the intake's goroutine.
func (in *intake) run() {
	var timer alarm
	defer timer.stop()
	for {
		in.begin()
		in.readMail()
		if in.ended {
			return
		}
		more := in.burst()
		wait := in.endBurst()
		if more {
			continue
		}
		input, calls := in.input, in.calls
		if !in.shut && in.p.budget.full() {
			input, calls = nil, nil
		}
		select {
		case m := <-input:
			in.begin()
			in.accept(acceptedMessage{msg: m})
		case c := <-calls:
			in.begin()
			in.acceptChunk(c)
		case <-in.mail.wake:
		case <-timer.in(wait):
		}
		in.woken++
	}
}

// begin reads once, for all messages of a burst, what is known of the cluster,
// the time, and the room in the budget.
func (in *intake) begin() {
	in.cluster = in.p.source.snapshot()
	in.now = time.Now()
	in.room = in.p.budget.room()
}

// clock is the time of the burst, unless the user's code may have taken its
// own since it was read.
func (in *intake) clock() time.Time {
	if in.now.IsZero() {
		in.now = time.Now()
	}
	return in.now
}

// burst takes what is there, up to burstMax messages; more says that there may
// be more.
func (in *intake) burst() (more bool) {
	for range burstMax {
		if !in.shut && (in.taken.bytes >= in.room.bytes || in.taken.messages >= in.room.messages) {
			return false
		}
		select {
		case m := <-in.input:
			in.accept(acceptedMessage{msg: m})
			continue
		default:
		}
		select {
		case c := <-in.calls:
			in.acceptChunk(c)
		default:
			return false
		}
	}
	return true
}

// endBurst accounts for what was taken, hands over what can go, and returns
// how long there is nothing to do unless something comes.
func (in *intake) endBurst() time.Duration {
	in.p.budget.add(in.taken)
	in.taken = budgetShare{}
	wait := never
	forced := in.shut || in.p.budget.full() || in.txnEnd != nil
	for _, slot := range in.inUse {
		if forced {
			in.sealAll(slot)
		} else {
			wait = min(wait, in.flush(slot))
		}
	}
	wait = min(wait, in.sweep(), in.txnOverdue())
	in.handOver()
	if in.txnEnd != nil && in.waiting == 0 {
		in.passTxnEnd()
	}
	if in.shut && !in.drained {
		wait = min(wait, in.drain())
	}
	return wait
}

// sweep hands batches to the owner whose delivery timeout is over, for it to
// fail them, and fails messages that have waited that long for their topic. It
// returns when the next look is due.
func (in *intake) sweep() time.Duration {
	limit := in.p.conf.Producer.DeliveryTimeout
	if limit <= 0 {
		return never
	}
	now := in.clock()
	if now.Before(in.nextSweep) {
		return in.nextSweep.Sub(now)
	}
	in.nextSweep = now.Add(limit) // of what comes from now on
	pending := false
	late := func(since time.Time) bool {
		due := since.Add(limit)
		if !now.Before(due) {
			return true
		}
		if pending = true; due.Before(in.nextSweep) {
			in.nextSweep = due
		}
		return false
	}
	for _, slot := range in.inUse {
		for _, b := range slices.Concat(slot.open, slot.ready) {
			if late(b.opened) {
				in.seal(b)
			}
		}
	}
	for _, t := range in.topics {
		n := 0
		for n < len(t.waiting) && late(t.waiting[n].since) {
			in.refuse(t.waiting[n], ErrDeliveryTimeout)
			n++
		}
		in.waiting -= n
		t.waiting = slices.Delete(t.waiting, 0, n)
	}
	if !pending {
		return never
	}
	return in.nextSweep.Sub(now)
}

func (in *intake) handOver() {
	if in.sealed.newest != nil {
		in.p.owner.mail.postChain(in.sealed)
		in.sealed = letterChain{}
	}
}

// drain tells the owner, after Close, once nothing more can come. Messages
// whose topic is still not known when their time is up are failed.
func (in *intake) drain() time.Duration {
	if wait := time.Until(in.giveUp); in.waiting > 0 && wait > 0 {
		return wait
	}
	for _, t := range in.topics {
		in.failWaiting(t, ErrShuttingDown)
	}
	in.passTxnEnd()
	in.drained = true
	in.p.owner.mail.send(intakeDrained{})
	return never
}

// flush looks at a slot's triggers, seals what is ready and can go, and returns
// when the next trigger is due.
func (in *intake) flush(slot *brokerSlot) time.Duration {
	wait := never
	if len(slot.open) > 0 {
		if wait = in.untilTrigger(slot); wait <= 0 {
			slot.trigger(in.p.conf)
			wait = never
		}
	}
	// What cannot go now goes when the owner or a sender changes that: they read
	// wanting after the change, and we look again after setting it.
	for range 2 {
		if len(slot.ready) == 0 {
			break
		}
		if slot.takes() {
			in.sealReady(slot)
		}
		if len(slot.ready) > 0 {
			in.wanting.Store(true)
		}
	}
	return wait
}

// untilTrigger is how long the open batches of a slot may wait for more.
func (in *intake) untilTrigger(slot *brokerSlot) time.Duration {
	flush := &in.p.conf.Producer.Flush
	switch {
	case flush.Messages == 0 && flush.Bytes == 0 && flush.Frequency == 0,
		flush.Messages > 0 && slot.messages >= flush.Messages,
		flush.Bytes > 0 && slot.bytes >= flush.Bytes:
		return 0
	case flush.Frequency > 0:
		return flush.Frequency - in.clock().Sub(slot.since)
	}
	return never
}

// accept takes one message over from the user. With a PanicHandler, a panic in
// the user's code fails the message that it was about.
func (in *intake) accept(a acceptedMessage) {
	if handler := PanicHandler; handler != nil {
		defer in.catch(handler, a)
	}
	m := a.msg
	if m == nil {
		if a.ref.call != nil {
			a.ref.settle(errNilMessage)
		}
		Logger.Println("producer/intake nil message ignored")
		return
	}
	if in.shut {
		in.refuse(a, ErrShuttingDown)
		return
	}
	if in.p.txn != nil && (!in.txnOpen || !in.p.txn.is(ProducerTxnFlagInTransaction)) {
		Logger.Printf("producer/txnmgr/%s message for %s refused, no transaction is open\n", in.p.txn.id, m.Topic)
		in.refuse(a, ErrTransactionNotReady)
		return
	}
	if err := a.ref.claim(); err != nil {
		in.refuse(a, err)
		return
	}
	conf := in.p.conf
	for _, interceptor := range conf.Producer.Interceptors {
		m.safelyOnSend(interceptor)
		in.now = time.Time{}
	}
	if in.p.magic < 2 && len(m.Headers) > 0 {
		in.refuse(a, ConfigurationError("Producing headers requires Kafka at least v0.11"))
		return
	}
	size := m.ByteSize(int(in.p.magic))
	if size > conf.Producer.MaxMessageBytes {
		in.refuse(a, ConfigurationError(fmt.Sprintf("Attempt to produce message larger than configured Producer.MaxMessageBytes: %d > %d",
			size, conf.Producer.MaxMessageBytes)))
		return
	}
	a.size = int64(size) + messageOverhead
	t := in.topic(m.Topic)
	if t.info == nil || len(t.waiting) > 0 {
		in.wait(t, a)
		return
	}
	in.place(t, a, false)
}

// catch turns a panic in the user's code into the failure of its message.
func (in *intake) catch(handler func(any), a acceptedMessage) {
	if r := recover(); r != nil {
		handler(r)
		in.refuse(a, a.ref.ofMessage(fmt.Errorf("kafka: panic while the message was taken: %v", r)))
	}
}

// messageOverhead is what a message takes of memory beside its own bytes.
const messageOverhead = 128

// refuse gives a message back that is part of no batch.
func (in *intake) refuse(a acceptedMessage, err error) {
	switch {
	case a.ref.call == nil && !a.held:
		in.hold(&a)
	case a.ref.call != nil && a.held:
		in.taken.add(-1, -a.size)
	}
	if in.p.txn == nil || !in.txnRefused(&a, err) {
		in.p.refused(a.msg, a.ref, err, a.size)
	}
}

// topic finds or makes the state of a topic, and brings its info up to date.
func (in *intake) topic(name string) *producerTopic {
	t := in.last
	if t == nil || t.name != name {
		if t = in.topics[name]; t == nil {
			t = &producerTopic{name: name, metrics: in.p.metrics.forTopic(name)}
			t.partitioner = in.p.conf.Producer.Partitioner(name)
			t.dynamic, _ = t.partitioner.(DynamicConsistencyPartitioner)
			if t.sticky = sticky(t.partitioner); t.sticky != nil {
				t.sticky.load = func(index int32) int64 { return in.load(t, index) }
			}
			in.topics[name] = t
		}
		in.last = t
	}
	if t.seen != in.cluster {
		t.seen = in.cluster
		if info := in.cluster.topics[name]; info != nil {
			t.info = info
		}
	}
	return t
}

// wait keeps a message until its topic has been asked for.
func (in *intake) wait(t *producerTopic, a acceptedMessage) {
	a.ref.leave(stateWaiting)
	in.hold(&a)
	if a.since.IsZero() {
		a.since = in.clock()
	}
	t.waiting = append(t.waiting, a)
	in.waiting++
	if t.resolving {
		return
	}
	if err := t.breaker.check(in.clock()); err != nil {
		in.failWaiting(t, err)
		return
	}
	t.resolving = true
	in.p.resolve(t.name, func(err error) { in.mail.send(topicResolved{t, err}) })
}

// hold takes a message's share of the budget, once.
func (in *intake) hold(a *acceptedMessage) {
	if !a.held {
		a.held = true
		in.taken.add(1, a.size)
	}
}

func (in *intake) failWaiting(t *producerTopic, err error) {
	for _, a := range t.waiting {
		in.refuse(a, err)
	}
	in.waiting -= len(t.waiting)
	t.waiting = nil
}

// Letters to the intake.
type (
	// topicResolved says that a topic was asked for.
	topicResolved struct {
		topic *producerTopic
		err   error
	}
	intakeClose struct{} // Close was called
	intakeEnd   struct{} // all was delivered
)

func (in *intake) readMail() {
	for l := in.mail.take(); l != nil; l = l.next {
		switch l := l.item.(type) {
		case topicResolved:
			in.resolved(l.topic, l.err)
		case *txnCall:
			in.txnCalled(l)
		case txnOpened:
			in.txnOpen = true
			l.call.reply <- nil
		case intakeClose:
			in.close()
		case intakeEnd:
			in.end()
		}
	}
}

// resolved places the messages that waited for a topic, in order.
func (in *intake) resolved(t *producerTopic, err error) {
	t.resolving = false
	in.last = nil
	in.cluster = in.p.source.snapshot() // that of the burst may be from before the answer
	in.topic(t.name)
	if err == nil && t.info == nil {
		err = ErrUnknownTopicOrPartition
	}
	if t.breaker.record(in.clock(), err); err != nil && t.info == nil {
		in.failWaiting(t, err)
		return
	}
	list := t.waiting
	in.waiting -= len(list)
	t.waiting = nil
	for _, a := range list {
		if err := a.ref.claim(); err != nil {
			in.refuse(a, err)
			continue
		}
		in.placeAgain(t, a)
	}
}

func (in *intake) placeAgain(t *producerTopic, a acceptedMessage) {
	if handler := PanicHandler; handler != nil {
		defer in.catch(handler, a)
	}
	in.place(t, a, true)
}

// close takes what was sent before Close was called, and from then on refuses.
func (in *intake) close() {
	if in.shut {
		return
	}
	for range len(in.input) {
		in.accept(acceptedMessage{msg: <-in.input})
	}
	in.shut = true
	in.giveUp = time.Now().Add(closePatience(in.p.conf))
}

// end is the last thing that the intake does: whoever still sends on Input is
// told by Go.
func (in *intake) end() {
	in.ended = true
	if in.p.txn != nil {
		close(in.p.txn.over)
	}
	if in.input != nil {
		close(in.input)
		for m := range in.input {
			in.accept(acceptedMessage{msg: m})
		}
	}
	in.p.intakeGone()
}
