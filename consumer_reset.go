package sarama

import (
	"errors"
	"time"
)

// OffsetReset says where a partition goes on whose offset the broker does not
// have (any more), see Config.Consumer.Offsets.Reset.
type OffsetReset int8

const (
	// OffsetResetNone goes nowhere: the partition consumer ends with the error.
	OffsetResetNone OffsetReset = iota
	// OffsetResetOldest goes on with the oldest message there is.
	OffsetResetOldest
	// OffsetResetNewest goes on with the next message that will come.
	OffsetResetNewest
	// OffsetResetByAge goes on with the first message that is no older than
	// Consumer.Offsets.ResetAge, or with the next one if all are (KIP-1106).
	OffsetResetByAge
)

// String returns the name that the constants end in, in lower case.
func (r OffsetReset) String() string {
	switch r {
	case OffsetResetNone:
		return "none"
	case OffsetResetOldest:
		return "oldest"
	case OffsetResetNewest:
		return "newest"
	case OffsetResetByAge:
		return "by age"
	}
	return "unknown"
}

// reset is how a cursor goes on at another offset. It waits until the feeder
// has nothing left of what was fetched before: so nothing that the user has not
// yet seen is passed over, and a rewind never leads back behind a reset.
type reset struct {
	pending bool
	lookUp  bool  // the offset is to be looked up
	offset  int64 // else, with the epoch of the record before it
	epoch   int32
	topicID Uuid // of the topic that has taken the place of the cursor's; zero for none
}

// resetOutcome is what was found for a cursor.
type resetOutcome struct {
	cursor *cursor
	offset int64
	err    error
}

// feederWait is how often a cursor that is to be reset looks whether its feeder
// has got there.
const feederWait = 100 * time.Millisecond

// beginReset takes a cursor that is to go on elsewhere. What is looked up again
// and again without anything fetched in between is a failure, and so is a
// truncation that leads nowhere else.
func (d *dispatcher) beginReset(c *cursor) {
	stays := !c.reset.lookUp && c.reset.offset >= c.offset && c.reset.epoch >= c.lastEpoch
	if (c.reset.lookUp || stays) && c.failures > 0 {
		d.retry(c)
		return
	}
	c.failures++
	d.goOnReset(c)
}

// goOnReset resets a cursor as far as can be for now.
func (d *dispatcher) goOnReset(c *cursor) {
	if c.pc.closed.Load() {
		return
	}
	if c.pc.held.Load() > 0 { // looked at before rewind, which is set before it sinks
		d.wait(c, feederWait)
		return
	}
	another := c.reset.topicID != (Uuid{})
	if r := c.pc.rewind.Swap(nil); r != nil {
		if another {
			c.generation = r.generation
		} else { // what cannot be read comes first; the rest will show again
			c.takeBack(r)
			c.reset = reset{}
			d.retry(c)
			return
		}
	}
	if another {
		c.setTopicID(c.reset.topicID)
	}
	if c.reset.lookUp {
		d.lookUpReset(c)
		return
	}
	c.seek(c.reset.offset, c.reset.epoch)
	d.place(c)
}

// lookUpReset asks where the policy leads.
func (d *dispatcher) lookUpReset(c *cursor) {
	go withRecover(func() {
		outcome := resetOutcome{c, -1, errRefreshPanicked}
		defer func() { d.mail.send(outcome) }()
		outcome.offset, outcome.err = d.consumer.resetOffset(c.pc.topic, c.pc.partition)
	})
}

// foundReset passes a cursor on whose offset was looked up.
func (d *dispatcher) foundReset(o resetOutcome) {
	c := o.cursor
	switch {
	case c.pc.closed.Load():
	case o.err == nil:
		Logger.Printf("consumer/%s/%d goes on at offset %d instead of %d, as Consumer.Offsets.Reset is %v\n",
			c.pc.topic, c.pc.partition, o.offset, c.offset, d.conf.Consumer.Offsets.Reset)
		c.seek(o.offset, -1)
		d.place(c)
	case errors.Is(o.err, ErrClosedClient):
		c.pc.end(ErrClosedClient)
	default:
		Logger.Printf("consumer/%s/%d could not look up where to go on: %v\n", c.pc.topic, c.pc.partition, o.err)
		c.pc.report(o.err)
		d.retry(c)
	}
}

// resetOffset looks up where Consumer.Offsets.Reset leads.
func (c *consumer) resetOffset(topic string, partition int32) (int64, error) {
	offsets := &c.conf.Consumer.Offsets
	switch offsets.Reset {
	case OffsetResetOldest:
		return c.client.GetOffset(topic, partition, OffsetOldest)
	case OffsetResetNewest:
		return c.client.GetOffset(topic, partition, OffsetNewest)
	case OffsetResetByAge:
		offset, err := c.client.GetOffset(topic, partition, time.Now().Add(-offsets.ResetAge).UnixMilli())
		if err == nil && offset < 0 { // all are older
			return c.client.GetOffset(topic, partition, OffsetNewest)
		}
		return offset, err
	}
	return -1, ErrOffsetOutOfRange
}

// isRecreated takes a cursor whose topic is gone, with another of the same name
// in its place: its offset means nothing there. It returns false for all others.
func (d *dispatcher) isRecreated(c *cursor, snapshot *cluster) bool {
	t := snapshot.topics[c.pc.topic]
	if !c.isOfAnother(t) {
		return false
	}
	err := &TopicRecreatedError{Topic: c.pc.topic, Partition: c.pc.partition, Offset: c.offset, OldID: c.topicID, NewID: t.id}
	Logger.Printf("consumer/%s/%d %v\n", c.pc.topic, c.pc.partition, err)
	if d.conf.Consumer.Offsets.Reset == OffsetResetNone {
		c.pc.end(err)
		return true
	}
	c.reset = reset{pending: true, lookUp: true, topicID: t.id}
	d.goOnReset(c)
	return true
}
