package sarama

import (
	"slices"
	"time"

	"github.com/IBM/sarama/internal/record"
)

// The second half of the intake's work: from a message whose topic is known to
// the open batch of its partition, and to the owner.

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
		in.refuse(a, a.ref.ofMessage(err))
		return
	}
	key, err := in.encode(a.msg.Key)
	var value []byte
	if err == nil {
		value, err = in.encode(a.msg.Value)
	}
	if err != nil {
		in.refuse(a, a.ref.ofMessage(err))
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
	// A message counts for the next trigger even where the last one has sent its
	// batch off: so n messages set off one trigger for each Flush.Messages.
	slot.messages++
	slot.bytes += int(a.size - messageOverhead)
	if most := in.p.conf.Producer.Flush.MaxMessages; most > 0 && (slot.messages >= most || len(b.msgs) >= most) ||
		slot.bytes >= requestBytesMax() {
		in.sealAll(slot)
	}
}

// isFull reports whether a partition has an open batch that takes no more of
// this size.
func (in *intake) isFull(p *producerPartition, size int) bool {
	if p.open == nil {
		return false
	}
	most := min(in.p.conf.Producer.MaxMessageBytes, requestBytesMax())
	if learned := p.topic.batchBytesMax.Load(); learned > 0 {
		most = min(most, int(learned))
	}
	return p.open.records.Len()+size > most
}

// requestMargin is what a request may need beside its batches.
const requestMargin = 10 << 10

// requestBytesMax is how many bytes of messages make a full request.
func requestBytesMax() int { return int(MaxRequestSize) - requestMargin }

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

// seal closes an open batch; the owner gets it at the end of the burst. What was
// in it goes on counting for the next flush trigger: else messages that the user
// has counted on to set it off would wait for more.
func (in *intake) seal(b *batch) {
	b.slot.leave(b)
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
	slot.trigger(in.p.conf)
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
