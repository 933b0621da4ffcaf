package sarama

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// cursor is where the consumption of one partition stands. At any moment one
// goroutine holds it, the dispatcher or one fetcher, and only the holder reads
// or writes it; posting its letter to the other's mailbox hands it over. So
// does a partition change its leader, or the replica that it is fetched from:
// the fetcher of the old one gives the cursor back, the dispatcher passes it on.
//
// That no reply is ever applied to a cursor that has moved does not depend on
// any check. A reply reaches only the fetcher that sent the request, which
// waits for it: fetcher.run gives cursors up between two exchanges alone, when
// no request is under way (answered, or its connection is dead and can answer
// no more). Between sending and applying, then, a cursor is where it was.
type cursor struct {
	// constant
	pc     *partitionConsumer
	letter letter

	// owned by the holder
	offset       int64 // to fetch next
	lastEpoch    int32 // the leader epoch that wrote the record before offset, -1 when unknown
	seeks        bool  // what is fetched next does not follow what was fetched last
	generation   int   // of the feeder's view of the offset; each rewind begins another
	leaderEpoch  int32 // -1 when unknown
	checkedEpoch int32 // under which offset was found to be in the leader's log
	topicID      Uuid  // zero when unknown
	idText       string
	fetchBytes   int32 // of the partition to ask for
	failures     int   // in a row
	halted       bool  // the feeder is about to rewind, fetching is of no use
	leaving      leave // why it is on its way to the dispatcher
	reset        reset // how it goes on, if it leaves for that
	pace         pace

	// The replica that is fetched from in place of the leader, nil for none
	// (KIP-392), until when, and until when none is to be; owned by the holder.
	replica        *Broker
	leaseEnd       time.Time
	noReplicaUntil time.Time

	// owned by the fetcher that has it
	asked bool          // the request in hand asks for it, and was not answered
	sent  sentPartition // what the session has of it

	// owned by the dispatcher
	fetcher *fetcher // that has the cursor, nil for none
	due     time.Time
}

// leave is why a cursor comes to the dispatcher.
type leave int

const (
	leaveNew    leave = iota // it was not anywhere before
	leaveFailed              // to be tried again after a backoff
	leaveMoved               // to be fetched from another broker, at once
	leaveReset               // to go on at another offset
	leaveClosed              // its partition consumer is closed or ending
)

func (c *cursor) topicPartition() topicPartition { return topicPartition{c.pc.topic, c.pc.partition} }

// wireTopic is how requests name the topic.
func (c *cursor) wireTopic(byID bool) string {
	if byID {
		return c.idText
	}
	return c.pc.topic
}

func (c *cursor) setTopicID(id Uuid) {
	if c.topicID != id {
		c.topicID, c.idText = id, id.String()
	}
}

// takeBack goes back to where the feeder could not read.
func (c *cursor) takeBack(r *rewind) {
	c.offset, c.lastEpoch, c.generation, c.failures = r.offset, r.epoch, r.generation, r.failures
}

// seek goes on at an offset that has nothing to do with the one before. The
// feeder must have nothing left.
func (c *cursor) seek(offset int64, epoch int32) {
	c.offset, c.lastEpoch, c.seeks, c.reset = offset, epoch, true, reset{}
	c.fetchBytes, c.replica = c.pc.conf.Consumer.Fetch.Default, nil
}

// isOfAnother says whether a topic of the name is known to be another one than
// the cursor's (KIP-516).
func (c *cursor) isOfAnother(t *topicInfo) bool {
	return t != nil && t.id != (Uuid{}) && c.topicID != (Uuid{}) && t.id != c.topicID
}

// dispatcher finds the leader of each partition and gives its cursor to that
// broker's fetcher. It never waits for the network: asking for metadata is done
// by goroutines that report back.
type dispatcher struct {
	// constant after newDispatcher
	consumer   *consumer
	conf       *Config
	source     metadataSource
	own        *client         // nil for a client of another type
	clientDone <-chan struct{} // nil where the client cannot tell
	done       chan struct{}   // closed by run when it begins to end
	ended      chan struct{}   // closed by run when all is over

	// Letters are cursors, of which each has one, resetOutcomes, of which the
	// same is true, and refreshOutcomes, of which there is one for each topic.
	mail mailbox

	// owned by run
	fetchers   map[int32]*fetcher // by broker id: those that cursors go to
	live       map[*fetcher]struct{}
	waiting    []*cursor            // for the end of a backoff, the next one first
	refreshing map[string][]*cursor // for metadata of a topic, which is being asked for

	fetchersEnded sync.WaitGroup
}

// refreshOutcome is what became of asking for a topic's metadata.
type refreshOutcome struct {
	topic string
	err   error
}

// untakenErrorWait is how often a partition that failed looks whether its user
// has taken the error, before it is tried again.
const untakenErrorWait = 100 * time.Millisecond

var errRefreshPanicked = errors.New("kafka: asking the client for metadata panicked")

func newDispatcher(c *consumer) *dispatcher {
	d := &dispatcher{
		consumer: c, conf: c.conf, source: sourceOf(c.client),
		done: make(chan struct{}), ended: make(chan struct{}), mail: newMailbox(),
		fetchers: make(map[int32]*fetcher), live: make(map[*fetcher]struct{}), refreshing: make(map[string][]*cursor),
	}
	if own, ok := c.client.(*client); ok {
		d.own, d.clientDone = own, own.done
	}
	return d
}

// begin takes a partition consumer that has just started. Any goroutine may
// call it.
func (d *dispatcher) begin(pc *partitionConsumer, offset int64, leader *Broker, epoch int32) {
	c := &cursor{
		pc: pc, offset: offset, lastEpoch: -1, leaderEpoch: epoch, checkedEpoch: epoch,
		fetchBytes: d.conf.Consumer.Fetch.Default,
	}
	if snapshot := d.known(); snapshot != nil {
		if t := snapshot.topics[pc.topic]; t != nil && t.id != (Uuid{}) {
			c.setTopicID(t.id)
		}
	}
	d.mail.send(newCursor{c, leader})
	if isClosed(d.done) { // which may have been before pc could be seen
		pc.end(ErrClosedClient)
	}
}

// known is the snapshot of a client of this package's own. (To look at that of
// another makes it ask its client.) Any goroutine may call it.
func (d *dispatcher) known() *cluster {
	if d.own == nil {
		return nil
	}
	return d.own.cluster.Load()
}

// broker finds a broker by its id, nil for one that the client does not know.
// A client that is not this package's own is asked. Fetchers call it.
func (d *dispatcher) broker(id int32) *Broker {
	if d.own != nil {
		return d.own.cluster.Load().brokers[id]
	}
	b, err := d.consumer.client.Broker(id)
	if err != nil {
		return nil
	}
	return b
}

// newCursor is a cursor whose leader is known already.
type newCursor struct {
	*cursor
	leader *Broker
}

// run is the dispatcher's goroutine. It is woken by cursors that come in,
// metadata that was asked for and the end of backoffs, and ended by the end of
// the client, or of the consumer once it has no partitions.
func (d *dispatcher) run() {
	defer close(d.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for !d.consumer.finished() {
		timer.Reset(d.startDue())
		select {
		case <-d.mail.wake:
			for l := d.mail.take(); l != nil; {
				next := l.next
				d.receive(l.item)
				l = next
			}
		case <-timer.C:
		case <-d.clientDone:
			d.shutDown(ErrClosedClient)
			return
		}
	}
	d.shutDown(nil)
}

// shutDown ends the fetchers, and for a cause the partition consumers.
func (d *dispatcher) shutDown(cause error) {
	close(d.done)
	for f := range d.live {
		close(f.stop)
	}
	d.fetchersEnded.Wait()
	if cause != nil {
		for _, pc := range d.consumer.running() {
			pc.end(cause)
		}
	}
	d.consumer.metrics.release()
}

func (d *dispatcher) receive(item any) {
	switch item := item.(type) {
	case newCursor:
		if !item.pc.closed.Load() {
			d.assign(item.cursor, item.leader)
		}
	case *cursor:
		d.takeBack(item)
	case refreshOutcome:
		d.refreshed(item)
	case resetOutcome:
		d.foundReset(item)
	}
}

// takeBack gets a cursor from a fetcher.
func (d *dispatcher) takeBack(c *cursor) {
	f := c.fetcher
	c.fetcher = nil
	f.holds--
	switch c.leaving {
	case leaveFailed:
		d.retry(c)
	case leaveMoved:
		d.place(c)
	case leaveReset:
		d.beginReset(c)
	}
	if f.holds == 0 { // nor has it got it back
		d.retire(f)
	}
}

// retry lets a cursor that failed wait, if it may be tried again.
func (d *dispatcher) retry(c *cursor) {
	if c.pc.closed.Load() {
		return
	}
	c.failures++
	retry := &d.conf.Consumer.Retry
	if retry.Max > 0 && c.failures > retry.Max {
		Logger.Printf("consumer/%s/%d shutting down after %d failures in a row\n", c.pc.topic, c.pc.partition, c.failures)
		c.pc.end(ErrConsumerRetriesExhausted)
		return
	}
	d.wait(c, retryBackoff(d.conf, retry.Backoff, withoutMax(retry.BackoffFunc), c.failures, 1, retry.Max))
}

func (d *dispatcher) wait(c *cursor, backoff time.Duration) {
	c.due = time.Now().Add(backoff)
	i, _ := slices.BinarySearchFunc(d.waiting, c, func(a, b *cursor) int {
		if a.due.After(b.due) {
			return 1
		}
		return -1 // behind those of the same time
	})
	d.waiting = slices.Insert(d.waiting, i, c)
}

// startDue asks for the metadata of cursors whose backoff is over. It returns
// how long the next one takes.
func (d *dispatcher) startDue() time.Duration {
	now := time.Now()
	for len(d.waiting) > 0 && !d.waiting[0].due.After(now) {
		c := d.waiting[0]
		d.waiting = slices.Delete(d.waiting, 0, 1)
		switch {
		case c.pc.closed.Load():
		case c.pc.troubles.Load() > 0:
			// The user has not yet taken the last error: more of them would
			// tell nothing new, and have no bound.
			d.wait(c, untakenErrorWait)
		case c.reset.pending:
			d.goOnReset(c)
		default:
			d.refresh(c)
		}
	}
	if len(d.waiting) == 0 {
		return time.Hour
	}
	return d.waiting[0].due.Sub(now)
}

// refresh asks for the metadata of a cursor's topic, once for all cursors that
// want it at the time.
func (d *dispatcher) refresh(c *cursor) {
	topic := c.pc.topic
	others, underWay := d.refreshing[topic]
	d.refreshing[topic] = append(others, c)
	if underWay {
		return
	}
	DebugLogger.Printf("consumer/%s/%d finding leader\n", topic, c.pc.partition)
	go withRecover(func() {
		outcome := refreshOutcome{topic, errRefreshPanicked}
		defer func() { d.mail.send(outcome) }()
		outcome.err = d.source.refresh(topic, d.done)
	})
}

// refreshed passes on the cursors that waited for metadata.
func (d *dispatcher) refreshed(o refreshOutcome) {
	cursors := d.refreshing[o.topic]
	delete(d.refreshing, o.topic)
	snapshot := d.source.snapshot()
	for _, c := range cursors {
		if c.pc.closed.Load() {
			continue
		}
		if d.isRecreated(c, snapshot) { // maybe with fewer partitions
			continue
		}
		leader, epoch, err := snapshot.leader(o.topic, c.pc.partition)
		// That other partitions of the topic have no leader is their affair.
		if o.err != nil && (err != nil || !errors.Is(o.err, ErrLeaderNotAvailable)) {
			err = o.err
		}
		switch {
		case err == nil:
			d.placeAt(c, snapshot, leader, epoch)
		case errors.Is(err, ErrClosedClient):
			c.pc.end(ErrClosedClient)
		default:
			Logger.Printf("consumer/%s/%d found no leader: %v\n", c.pc.topic, c.pc.partition, err)
			c.pc.report(err)
			d.retry(c)
		}
	}
}

// place hands a cursor to the fetcher of the broker that it is to be fetched
// from as far as is known, or has that asked for.
func (d *dispatcher) place(c *cursor) {
	if c.pc.closed.Load() {
		return
	}
	snapshot := d.source.snapshot()
	if d.isRecreated(c, snapshot) {
		return
	}
	leader, epoch, err := snapshot.leader(c.pc.topic, c.pc.partition)
	if err != nil {
		d.refresh(c)
		return
	}
	d.placeAt(c, snapshot, leader, epoch)
}

// placeAt is place where the leader is known. A new leader is always asked
// before a replica is.
func (d *dispatcher) placeAt(c *cursor, snapshot *cluster, leader *Broker, epoch int32) {
	if t := snapshot.topics[c.pc.topic]; t != nil && c.topicID == (Uuid{}) && t.id != (Uuid{}) {
		c.setTopicID(t.id)
	}
	if c.replica != nil && epoch == c.leaderEpoch {
		d.assign(c, c.replica)
		return
	}
	c.replica, c.leaderEpoch = nil, epoch
	d.assign(c, leader)
}

// assign hands a cursor to the fetcher of a broker.
func (d *dispatcher) assign(c *cursor, leader *Broker) {
	f := d.fetchers[leader.id]
	if f == nil || f.lane.addr != leader.addr {
		f = newFetcher(d, leader)
		d.fetchers[leader.id] = f
		d.live[f] = struct{}{}
		d.fetchersEnded.Add(1)
		go withRecover(f.run)
	}
	f.holds++
	c.fetcher = f
	c.letter.item = c
	f.mail.post(&c.letter)
}

// retire ends a fetcher that has no cursors.
func (d *dispatcher) retire(f *fetcher) {
	if d.fetchers[f.id] == f {
		delete(d.fetchers, f.id)
	}
	delete(d.live, f)
	close(f.stop)
}

// fetchError says which broker could not be asked.
func fetchError(b *Broker, err error) error {
	return fmt.Errorf("kafka: fetching from broker %s: %w", b.name(), err)
}
