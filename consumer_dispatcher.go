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
// does a partition change its leader: the fetcher of the old one gives the
// cursor back, the dispatcher passes it on.
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
	offset      int64 // to fetch next
	generation  int   // of the feeder's view of the offset; each rewind begins another
	leaderEpoch int32 // -1 when unknown
	fetchBytes  int32 // of the partition to ask for
	failures    int   // in a row
	halted      bool  // the feeder is about to rewind, fetching is of no use
	leaving     leave // why it is on its way to the dispatcher
	pace        pace

	// owned by the dispatcher
	fetcher *fetcher // that has the cursor, nil for none
	due     time.Time
}

// leave is why a cursor comes to the dispatcher.
type leave int

const (
	leaveNew    leave = iota // it was not anywhere before
	leaveFailed              // to be tried again after a backoff
	leaveClosed              // its partition consumer is closed or ending
)

// dispatcher finds the leader of each partition and gives its cursor to that
// broker's fetcher. It never waits for the network: asking for metadata is done
// by goroutines that report back.
type dispatcher struct {
	// constant after newDispatcher
	consumer   *consumer
	conf       *Config
	source     metadataSource
	clientDone <-chan struct{} // nil where the client cannot tell
	done       chan struct{}   // closed by run when it begins to end
	ended      chan struct{}   // closed by run when all is over

	// Letters are cursors, of which each has one, and refreshOutcomes, of
	// which there is one for each topic.
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
		d.clientDone = own.done
	}
	return d
}

// begin takes a partition consumer that has just started. Any goroutine may
// call it.
func (d *dispatcher) begin(pc *partitionConsumer, offset int64, leader *Broker, epoch int32) {
	c := &cursor{pc: pc, offset: offset, leaderEpoch: epoch, fetchBytes: d.conf.Consumer.Fetch.Default}
	d.mail.send(newCursor{c, leader})
	if isClosed(d.done) { // which may have been before pc could be seen
		pc.end(ErrClosedClient)
	}
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
	}
}

// takeBack gets a cursor from a fetcher.
func (d *dispatcher) takeBack(c *cursor) {
	f := c.fetcher
	c.fetcher = nil
	if f.holds--; f.holds == 0 {
		d.retire(f)
	}
	if c.leaving == leaveFailed {
		d.retry(c)
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
		leader, epoch, err := snapshot.leader(o.topic, c.pc.partition)
		// That other partitions of the topic have no leader is their affair.
		if o.err != nil && (err != nil || !errors.Is(o.err, ErrLeaderNotAvailable)) {
			err = o.err
		}
		switch {
		case err == nil:
			c.leaderEpoch = epoch
			d.assign(c, leader)
		case errors.Is(err, ErrClosedClient):
			c.pc.end(ErrClosedClient)
		default:
			Logger.Printf("consumer/%s/%d found no leader: %v\n", c.pc.topic, c.pc.partition, err)
			c.pc.report(err)
			d.retry(c)
		}
	}
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
