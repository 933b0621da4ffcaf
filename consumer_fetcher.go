package sarama

import (
	"cmp"
	"slices"
	"time"
)

// fetcher gets the records of the partitions that one broker leads, or is a
// replica of, on a connection of its own. One request is under way at a time;
// the next one leaves as soon as the records of the last one are with their
// feeders, while users still read them.
//
// Memory has a bound for each partition, not only for each response: a
// partition is asked for only while its feeder holds less than Fetch.Default
// bytes. A response is shared by the feeders of its partitions, which let go
// of it when the next one has come (see chunk), so that no more than two are
// alive, the one being read and the one on its way.
type fetcher struct {
	// constant after newFetcher
	dispatcher *dispatcher
	conf       *Config
	metrics    *consumerMetrics
	lane       *lane
	id         int32         // of the broker
	stop       chan struct{} // closed by the dispatcher, when no cursor is here or all is over

	// Letters are the cursors that the dispatcher hands over. Feeders only
	// nudge.
	mail mailbox

	// owned by run
	cursors []*cursor                  // by topic and partition
	index   map[topicPartition]*cursor // of the same
	seen    *cluster                   // in which topic ids were looked at last
	session fetchSession
	request fetchRequestBuilder
	wanted  []*cursor         // by the next request, in its order
	wait    time.Duration     // that the next request allows
	names   map[string]string // of topics, by the text form of their ids
	after   *cursor           // the last one that got records: the next request begins behind it
	burst   bool              // cursors have come in since the last request, more may follow
	shared  []*chunk          // parts of the last response that brought records
	brought bool              // the response in hand did
	hints   []leaderHint      // of the response in hand
	hinted  []*cursor         // that they are about
	answers chan fetchAnswer

	// owned by the dispatcher
	holds int // cursors on their way here, here, or on their way back
}

type fetchAnswer struct {
	frame []byte
	err   error
}

func newFetcher(d *dispatcher, leader *Broker) *fetcher {
	return &fetcher{
		dispatcher: d, conf: d.conf, metrics: d.consumer.metrics, lane: newLane(d.conf, leader), id: leader.id,
		stop: make(chan struct{}), mail: newMailbox(), answers: make(chan fetchAnswer, 1),
		index: make(map[topicPartition]*cursor), names: make(map[string]string),
	}
}

// run is the fetcher's goroutine. It owns the cursors; it is woken by cursors
// that come in, by feeders that have room again and by answers, and ended by
// the dispatcher. Whatever it waits for, stop ends the wait.
func (f *fetcher) run() {
	defer f.dispatcher.fetchersEnded.Done()
	defer f.lane.close()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for !isClosed(f.stop) {
		f.adopt()
		f.dropGone()
		if f.prepare(time.Now()) {
			f.fetch()
			continue
		}
		timer.Reset(f.idleFor())
		select {
		case <-f.mail.wake:
		case <-timer.C:
		case <-f.stop:
		}
	}
}

// adopt takes the cursors that have come in.
func (f *fetcher) adopt() {
	for l := f.mail.take(); l != nil; {
		next := l.next
		c := l.item.(*cursor)
		c.halted, c.asked, c.sent, c.pace = false, false, sentPartition{}, newPace(c.pc, f.conf)
		c.pc.fetcher.Store(f) // before its room is looked at: no nudge is missed
		i, _ := slices.BinarySearchFunc(f.cursors, c, compareCursors)
		f.cursors = slices.Insert(f.cursors, i, c)
		f.index[c.topicPartition()] = c
		f.burst, f.seen = true, nil
		Logger.Printf("consumer/broker/%d added subscription to %s/%d\n", f.id, c.pc.topic, c.pc.partition)
		l = next
	}
}

func compareCursors(a, b *cursor) int {
	return cmp.Or(cmp.Compare(a.pc.topic, b.pc.topic), cmp.Compare(a.pc.partition, b.pc.partition))
}

// dropGone gives up the cursors that are no longer wanted here. No request is
// under way.
func (f *fetcher) dropGone() {
	now, news := time.Now(), f.news()
	f.cursors = slices.DeleteFunc(f.cursors, func(c *cursor) bool {
		if c.pc.closed.Load() {
			Logger.Printf("consumer/broker/%d closed dead subscription to %s/%d\n", f.id, c.pc.topic, c.pc.partition)
			f.giveUp(c, leaveClosed)
			return true
		}
		if r := c.pc.rewind.Swap(nil); r != nil {
			c.takeBack(r)
			Logger.Printf("consumer/broker/%d abandoned subscription to %s/%d because its records could not be read\n", f.id, c.pc.topic, c.pc.partition)
			f.giveUp(c, leaveFailed)
			return true
		}
		if news != nil && c.isOfAnother(news.topics[c.pc.topic]) {
			f.giveUp(c, leaveMoved)
			return true
		}
		if c.replica != nil && now.After(c.leaseEnd) {
			DebugLogger.Printf("consumer/broker/%d has served %s/%d for long enough, the leader is asked again\n", f.id, c.pc.topic, c.pc.partition)
			c.replica = nil
			f.giveUp(c, leaveMoved)
			return true
		}
		return false
	})
}

// news is the client's snapshot, if it is another one than when it was asked
// for last.
func (f *fetcher) news() *cluster {
	now := f.dispatcher.known()
	if now == f.seen {
		return nil
	}
	f.seen = now
	return now
}

// giveUp sends a cursor back to the dispatcher. The fetcher has no business
// with it any more; the caller takes it out of cursors.
func (f *fetcher) giveUp(c *cursor, why leave) {
	if f.after == c {
		f.after = nil
	}
	if at := c.topicPartition(); f.index[at] == c { // and not that of a successor
		delete(f.index, at)
	}
	f.session.leave(c)
	c.leaving = why
	c.letter.item = c
	f.dispatcher.mail.post(&c.letter)
}

// prepare decides what the next request is to get. It returns false when that
// is nothing.
func (f *fetcher) prepare(now time.Time) bool {
	f.wanted = f.wanted[:0]
	f.wait = f.conf.Consumer.MaxWaitTime
	if f.burst {
		// Partitions are subscribed to one after another: the next ones
		// shall not have to wait long for those that are here already.
		f.wait = min(f.wait, f.conf.Consumer.MaxProcessingTime)
	}
	first := 0
	if f.after != nil {
		first, _ = slices.BinarySearchFunc(f.cursors, f.after, compareCursors)
		first++
	}
	for i := range f.cursors {
		c := f.cursors[(first+i)%len(f.cursors)]
		c.asked = false
		switch {
		case c.halted || c.pc.paused.Load():
		case !c.pc.hasRoom():
			f.wait = min(f.wait, f.untilRoom(c, now))
		default:
			f.hasRoom(c)
			c.asked = true
			f.wanted = append(f.wanted, c)
		}
	}
	f.burst = false
	return len(f.wanted) > 0
}

// idleFor is how long nothing has to be looked at when there is nothing to
// fetch and nothing happens.
func (f *fetcher) idleFor() time.Duration {
	for _, c := range f.cursors {
		if !c.pace.slow && !c.halted && !c.pc.hasRoom() {
			return f.conf.Consumer.MaxProcessingTime
		}
	}
	return time.Hour
}

// fetch makes the request, sends it, waits for the answer and handles it.
func (f *fetcher) fetch() {
	k, err := f.lane.connect(f.stop)
	if err == nil {
		version := f.version(k)
		if version < fetchChecksEpochs && k.says(apiOffsetForLeaderEpoch) {
			if list := f.unchecked(); len(list) > 0 {
				f.checkEpochs(k, list)
				return
			}
		}
		f.build(k, version)
		var bytes int
		resp := new(fetchResponse)
		if bytes, err = f.exchange(k, &f.request.FetchRequest, resp); err == nil {
			f.handle(resp, bytes)
			return
		}
	}
	f.failed(err)
}

// failed takes the failure of an exchange: what the broker knows of the session
// is uncertain.
func (f *fetcher) failed(err error) {
	f.session.restart()
	if !isClosed(f.stop) {
		f.failAll(err)
	}
}

// version is that of the next request on a connection: the newest, as long as
// it says by name which topics it is about where an id is not known.
func (f *fetcher) version(k *link) int16 {
	version := k.newest(apiFetch)
	if version >= fetchNamesIDs {
		for _, c := range f.cursors {
			if c.idText == "" {
				return fetchNamesIDs - 1
			}
		}
	}
	return version
}

// build makes the request for what is wanted.
func (f *fetcher) build(k *link, version int16) {
	s := &f.session
	s.begin(k, version)
	if !s.incremental() {
		clear(f.names)
	}
	for _, c := range f.cursors {
		if !c.asked {
			s.leave(c)
		}
	}
	f.request.begin(f.conf, version, f.rack(), s)
	last := ""
	for _, c := range f.wanted {
		if c.pc.topic != last {
			last = c.pc.topic
			f.metrics.fetchRate(last).mark(1)
		}
		p := fetchPartition{
			id: c.pc.partition, currentLeaderEpoch: c.leaderEpoch, fetchOffset: c.offset, lastFetchedEpoch: c.lastEpoch,
			logStartOffset: -1, maxBytes: c.fetchBytes,
		}
		if !s.enter(c, p) {
			continue
		}
		topic := c.wireTopic(s.byID)
		if s.byID {
			f.names[topic] = c.pc.topic
		}
		f.request.add(topic, p)
	}
	f.request.forget(s.forgotten)
	f.request.end(f.wait)
}

// rack is the client's, or none while a partition is to be had from its leader:
// one that is told a rack may say which replica to ask, and nothing else.
func (f *fetcher) rack() string {
	if f.conf.RackID == "" {
		return ""
	}
	now := time.Now()
	for _, c := range f.wanted {
		if now.Before(c.noReplicaUntil) {
			return ""
		}
	}
	return f.conf.RackID
}

// exchange sends a request, and waits for its answer or for stop. It returns
// how many bytes the answer had.
func (f *fetcher) exchange(k *link, req, resp body) (bytes int, err error) {
	p := &promise{keep: true, resolve: func(frame []byte, err error) { f.answers <- fetchAnswer{frame, err} }}
	if _, err := k.send(req, p, requestTimeout(f.conf, req), f.stop); err != nil {
		return 0, err
	}
	var a fetchAnswer
	select {
	case a = <-f.answers:
	case <-f.stop:
		return 0, errAbandoned // the lane is about to be closed
	}
	if a.err != nil {
		return 0, a.err
	}
	return len(a.frame), k.decode(a.frame, resp, p.version)
}

// failAll gives up all cursors when the broker could not be asked.
func (f *fetcher) failAll(err error) {
	Logger.Printf("consumer/broker/%d disconnecting due to error processing FetchRequest: %v\n", f.id, err)
	err = fetchError(f.lane.broker, err)
	for _, c := range f.cursors {
		f.fail(c, err)
	}
	f.cursors = f.cursors[:0]
}

// fail reports an error and gives the cursor up. The caller takes it out of
// cursors.
func (f *fetcher) fail(c *cursor, err error) {
	if c.pc.closed.Load() {
		f.giveUp(c, leaveClosed)
		return
	}
	if c.replica != nil {
		f.leaveReplica(c, err)
		return
	}
	Logger.Printf("consumer/broker/%d abandoned subscription to %s/%d because %v\n", f.id, c.pc.topic, c.pc.partition, err)
	c.pc.report(err)
	f.giveUp(c, leaveFailed)
}

// failSilently is fail for what is not worth telling the user: a leader has
// moved, say.
func (f *fetcher) failSilently(c *cursor, err error) {
	if c.replica != nil {
		f.leaveReplica(c, err)
		return
	}
	Logger.Printf("consumer/broker/%d abandoned subscription to %s/%d because %v\n", f.id, c.pc.topic, c.pc.partition, err)
	f.giveUp(c, leaveFailed)
}
