package sarama

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama/internal/record"
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
	mail  mailbox               // letters: one for each topic being resolved, for Close, for the end

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
	forced := in.shut || in.p.budget.full()
	for _, slot := range in.inUse {
		if forced {
			in.sealAll(slot)
		} else {
			wait = min(wait, in.flush(slot))
		}
	}
	wait = min(wait, in.sweep())
	in.handOver()
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
			slot.trigger()
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
		in.refuse(a, fmt.Errorf("kafka: panic while the message was taken: %v", r))
	}
}

// messageOverhead is what a message takes of memory beside its own bytes.
const messageOverhead = 128

// refuse gives a message back that is part of no batch.
func (in *intake) refuse(a acceptedMessage, err error) {
	if a.ref.call == nil {
		if !a.held {
			in.hold(&a)
		}
		in.p.deliverer.fail(a.msg, err, a.size)
		return
	}
	a.ref.settle(err)
	if a.held {
		in.taken.add(-1, -a.size)
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
	in.giveUp = time.Now().Add(in.p.closePatience())
}

// end is the last thing that the intake does: whoever still sends on Input is
// told by Go.
func (in *intake) end() {
	in.ended = true
	if in.input != nil {
		close(in.input)
		for m := range in.input {
			in.accept(acceptedMessage{msg: m})
		}
	}
	in.p.intakeGone()
}

// place chooses a message's partition and appends it to the open batch there.
// fresh says that the topic was asked for since the message came.
func (in *intake) place(t *producerTopic, a acceptedMessage, fresh bool) {
	ids := t.info.writable
	if t.dynamic != nil && t.dynamic.MessageRequiresConsistency(a.msg) || t.dynamic == nil && t.partitioner.RequiresConsistency() {
		ids = t.info.all
	}
	if len(ids) == 0 && !fresh {
		in.wait(t, a)
		return
	}
	if len(ids) == 0 {
		in.refuse(a, ErrLeaderNotAvailable)
		return
	}
	if err := in.choose(t, a.msg, ids); err != nil {
		in.refuse(a, err)
		return
	}
	key, err := in.encode(a.msg.Key)
	var value []byte
	if err == nil {
		value, err = in.encode(a.msg.Value)
	}
	if err != nil {
		in.refuse(a, err)
		return
	}
	in.add(t, a, key, value)
	a.ref.leave(stateAccepted)
}

// choose has the partitioner choose a message's partition.
func (in *intake) choose(t *producerTopic, m *ProducerMessage, ids []int32) error {
	choice, err := t.partitioner.Partition(m, int32(len(ids)))
	if err == nil && (choice < 0 || int(choice) >= len(ids)) {
		err = ErrInvalidPartition
	}
	if err == nil {
		m.Partition = ids[choice]
	}
	return err
}

// load is what a partition has to be sent, in stickyBytes: its open batch, and
// one for each batch that is not settled.
func (in *intake) load(t *producerTopic, index int32) int64 {
	if int(index) >= len(t.info.writable) {
		return 0
	}
	p := in.partition(t, t.info.writable[index])
	n := int64(max(0, int32(in.p.owner.window)-p.credit.Load()))
	if p.open != nil {
		n += int64(p.open.records.Len() / stickyBytes)
	}
	return n
}

// encode runs a user's encoder; those of this package need no copy.
func (in *intake) encode(e Encoder) ([]byte, error) {
	switch e := e.(type) {
	case nil:
		return nil, nil
	case ByteEncoder:
		return e, nil
	case StringEncoder:
		return record.Bytes(e), nil
	}
	in.now = time.Time{}
	return e.Encode()
}

// add appends a record to its partition's open batch.
func (in *intake) add(t *producerTopic, a acceptedMessage, key, value []byte) {
	in.hold(&a)
	p := in.partition(t, a.msg.Partition)
	size := recordSizeMax(a.msg, key, value)
	if in.isFull(p, size) {
		in.seal(p.open)
		if t.sticky != nil && a.msg.Key == nil && in.choose(t, a.msg, t.info.writable) == nil {
			// It would begin a batch that nothing follows in.
			if p = in.partition(t, a.msg.Partition); in.isFull(p, size) {
				in.seal(p.open)
			}
		}
	}
	timestamp := a.msg.Timestamp
	if timestamp.IsZero() {
		timestamp = in.clock()
	}
	b := in.openBatch(p)
	if !a.since.IsZero() && a.since.Before(b.opened) {
		b.opened = a.since
	}
	slot := b.slot
	record.Append(&b.records, timestamp.UnixMilli(), key, value, a.msg.Headers)
	b.msgs = append(b.msgs, a.msg)
	if a.ref.call != nil {
		b.calls = append(b.calls, a.ref)
	}
	b.held.add(1, a.size)
	if !b.due {
		slot.messages++
		b.counted += int(a.size - messageOverhead)
		slot.bytes += int(a.size - messageOverhead)
	}
	if most := in.p.conf.Producer.Flush.MaxMessages; most > 0 && (slot.messages >= most || len(b.msgs) >= most) ||
		slot.bytes >= int(MaxRequestSize)-requestMargin {
		in.sealAll(slot)
	}
}

// isFull reports whether a partition has an open batch that takes no more of
// this size.
func (in *intake) isFull(p *producerPartition, size int) bool {
	if p.open == nil {
		return false
	}
	most := min(in.p.conf.Producer.MaxMessageBytes, int(MaxRequestSize)-requestMargin)
	if learned := p.topic.batchBytesMax.Load(); learned > 0 {
		most = min(most, int(learned))
	}
	return p.open.records.Len()+size > most
}

// requestMargin is what a request may need beside its batches.
const requestMargin = 10 << 10

// recordSizeMax is no less than what the record takes in a batch.
func recordSizeMax(m *ProducerMessage, key, value []byte) int {
	n := 36 + len(key) + len(value)
	for i := range m.Headers {
		n += 10 + len(m.Headers[i].Key) + len(m.Headers[i].Value)
	}
	return n
}

// openBatch returns the partition's open batch, a new one where there is none.
func (in *intake) openBatch(p *producerPartition) *batch {
	if p.open != nil {
		return p.open
	}
	leader := int32(-1)
	if info := p.topic.info.partition(p.id); info != nil && info.leader >= 0 {
		leader = info.leader
	}
	slot := in.slots[leader]
	if slot == nil {
		slot = in.p.slot(leader)
		in.slots[leader] = slot
		in.inUse = append(in.inUse, slot)
	}
	if len(slot.open) == 0 {
		slot.since = in.clock()
	}
	p.open = newBatch(p, slot, in.p.magic)
	p.open.opened = in.clock()
	slot.enter(p.open)
	return p.open
}

// partition finds or makes the state of a partition.
func (in *intake) partition(t *producerTopic, id int32) *producerPartition {
	if id >= 0 && int(id) < len(t.parts) && t.parts[id] != nil {
		return t.parts[id]
	}
	if p := t.sparse[id]; p != nil {
		return p
	}
	p := &producerPartition{topic: t, id: id}
	p.credit.Store(int32(in.p.owner.window))
	if !t.info.dense || t.info.partition(id) == nil { // a user's Client may name what is not there
		if t.sparse == nil {
			t.sparse = make(map[int32]*producerPartition)
		}
		t.sparse[id] = p
		return p
	}
	for int(id) >= len(t.parts) {
		t.parts = append(t.parts, nil)
	}
	t.parts[id] = p
	return p
}

// seal closes an open batch; the owner gets it at the end of the burst.
func (in *intake) seal(b *batch) {
	if b.slot.leave(b); !b.due {
		b.slot.messages -= len(b.msgs)
		b.slot.bytes -= b.counted
	}
	b.part.open = nil
	if t := b.part.topic; t.sticky != nil && t.info != nil {
		if at, ok := slices.BinarySearch(t.info.writable, b.part.id); ok {
			t.sticky.sealed(int32(at))
		}
	}
	b.part.credit.Add(-1)
	b.slot.queued.Add(1)
	in.sealed.add(&b.letter)
}

// sealAll closes all open batches of a slot, whatever the owner still has.
func (in *intake) sealAll(slot *brokerSlot) {
	slot.trigger()
	for len(slot.ready) > 0 {
		in.seal(slot.ready[len(slot.ready)-1])
	}
}

// sealReady closes those of the ready batches whose partition the owner takes
// more of.
func (in *intake) sealReady(slot *brokerSlot) {
	for i := 0; i < len(slot.ready); {
		if b := slot.ready[i]; b.part.credit.Load() > 0 {
			in.seal(b) // another one moves to its place
		} else {
			i++
		}
	}
}
