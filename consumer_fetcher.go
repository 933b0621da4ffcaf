package sarama

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/IBM/sarama/internal/record"
)

// fetcher gets the records of the partitions that one broker leads, on a
// connection of its own. One request is under way at a time; the next one
// leaves as soon as the records of the last one are with their feeders, while
// users still read them.
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
	cursors  []*cursor // by topic and partition
	request  fetchRequestBuilder
	inFlight []*cursor // in the order of the request; nil once answered
	after    *cursor   // the last one that got records: the next request begins behind it
	burst    bool      // cursors have come in since the last request, more may follow
	shared   []*chunk  // parts of the last response that brought records
	brought  bool      // the response in hand did
	answers  chan fetchAnswer

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
		c.halted, c.pace = false, newPace(c.pc, f.conf)
		c.pc.fetcher.Store(f) // before its room is looked at: no nudge is missed
		i, _ := slices.BinarySearchFunc(f.cursors, c, compareCursors)
		f.cursors = slices.Insert(f.cursors, i, c)
		f.burst = true
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
	f.cursors = slices.DeleteFunc(f.cursors, func(c *cursor) bool {
		if c.pc.closed.Load() {
			Logger.Printf("consumer/broker/%d closed dead subscription to %s/%d\n", f.id, c.pc.topic, c.pc.partition)
			f.giveUp(c, leaveClosed)
			return true
		}
		if r := c.pc.rewind.Swap(nil); r != nil {
			c.offset, c.generation, c.failures = r.offset, r.generation, r.failures
			Logger.Printf("consumer/broker/%d abandoned subscription to %s/%d because its records could not be read\n", f.id, c.pc.topic, c.pc.partition)
			f.giveUp(c, leaveFailed)
			return true
		}
		return false
	})
}

// giveUp sends a cursor back to the dispatcher. The fetcher has no business
// with it any more; the caller takes it out of cursors.
func (f *fetcher) giveUp(c *cursor, why leave) {
	if f.after == c {
		f.after = nil
	}
	c.leaving = why
	c.letter.item = c
	f.dispatcher.mail.post(&c.letter)
}

// prepare makes the next request, if there is a partition to ask for.
func (f *fetcher) prepare(now time.Time) bool {
	f.inFlight = f.inFlight[:0]
	wait := f.conf.Consumer.MaxWaitTime
	if f.burst {
		// Partitions are subscribed to one after another: the next ones
		// shall not have to wait long for those that are here already.
		wait = min(wait, f.conf.Consumer.MaxProcessingTime)
		f.burst = false
	}
	f.request.begin(f.conf)
	first := 0
	if f.after != nil {
		first, _ = slices.BinarySearchFunc(f.cursors, f.after, compareCursors)
		first++
	}
	for i := range f.cursors {
		c := f.cursors[(first+i)%len(f.cursors)]
		switch {
		case c.halted || c.pc.paused.Load():
		case !c.pc.hasRoom():
			wait = min(wait, f.untilRoom(c, now))
		default:
			f.hasRoom(c)
			f.request.add(c)
			f.inFlight = append(f.inFlight, c)
		}
	}
	if len(f.inFlight) == 0 {
		return false
	}
	f.request.end(wait, f.metrics)
	return true
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

// fetch sends the request, waits for the answer and handles it.
func (f *fetcher) fetch() {
	resp, frame, err := f.exchange()
	switch {
	case err == nil:
		f.handle(resp, len(frame))
	case !isClosed(f.stop):
		f.failAll(err)
	}
}

func (f *fetcher) exchange() (*fetchResponse, []byte, error) {
	k, err := f.lane.connect(f.stop)
	if err != nil {
		return nil, nil, err
	}
	req := &f.request.FetchRequest
	p := &promise{keep: true, resolve: func(frame []byte, err error) { f.answers <- fetchAnswer{frame, err} }}
	if _, err := k.send(req, p, requestTimeout(f.conf, req), f.stop); err != nil {
		return nil, nil, err
	}
	var a fetchAnswer
	select {
	case a = <-f.answers:
	case <-f.stop:
		return nil, nil, errAbandoned // the lane is about to be closed
	}
	if a.err != nil {
		return nil, nil, a.err
	}
	resp := new(fetchResponse)
	if err := k.decode(a.frame, resp, p.version); err != nil {
		return nil, nil, err
	}
	return resp, a.frame, nil
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
	Logger.Printf("consumer/broker/%d abandoned subscription to %s/%d because %v\n", f.id, c.pc.topic, c.pc.partition, err)
	c.pc.report(err)
	f.giveUp(c, leaveFailed)
}

// handle applies a response to the cursors of its request, all of which are
// still here.
func (f *fetcher) handle(resp *fetchResponse, frameBytes int) {
	f.metrics.fetchResponseSize.update(int64(frameBytes))
	if resp.err != ErrNoError {
		f.failAll(resp.err)
		return
	}
	overtaken := f.shared
	f.shared, f.brought = nil, false
	find := f.finder()
	for i := range resp.topics {
		t := &resp.topics[i]
		for j := range t.partitions {
			if c := find(t.name, t.partitions[j].id); c != nil && !f.apply(c, &t.partitions[j], frameBytes) {
				f.remove(c)
			}
		}
	}
	for _, c := range f.inFlight {
		if c != nil {
			f.fail(c, ErrIncompleteResponse)
			f.remove(c)
		}
	}
	if !f.brought {
		f.shared = overtaken // nothing has come that would have to be held beside it
		return
	}
	for _, c := range overtaken {
		c.overtake()
	}
}

// remove takes a cursor that was given up out of cursors. It may be elsewhere
// by now, so that nothing of it is read but what is constant.
func (f *fetcher) remove(c *cursor) {
	i, _ := slices.BinarySearchFunc(f.cursors, c, compareCursors)
	for ; f.cursors[i] != c; i++ { // a closed one and its successor may stand side by side
	}
	f.cursors = slices.Delete(f.cursors, i, i+1)
}

// finder returns a function that gives out the cursor of a partition of the
// request, once. Brokers answer in the order of the request, as a rule.
func (f *fetcher) finder() func(topic string, partition int32) *cursor {
	next := 0
	var index map[topicPartition]int
	return func(topic string, partition int32) *cursor {
		if next >= len(f.inFlight) || f.inFlight[next] == nil || !f.inFlight[next].pc.is(topic, partition) {
			if index == nil {
				index = make(map[topicPartition]int, len(f.inFlight))
				for i, c := range f.inFlight {
					if c != nil {
						index[topicPartition{c.pc.topic, c.pc.partition}] = i
					}
				}
			}
			i, asked := index[topicPartition{topic, partition}]
			if !asked {
				return nil
			}
			next = i
		}
		c := f.inFlight[next]
		f.inFlight[next] = nil
		next++
		return c
	}
}

type topicPartition struct {
	topic     string
	partition int32
}

// apply takes what a response has for one partition. It returns false when it
// has given the cursor up.
func (f *fetcher) apply(c *cursor, p *fetchedPartition, frameBytes int) bool {
	if c.pc.closed.Load() || c.pc.rewind.Load() != nil {
		return true // see dropGone
	}
	switch p.err {
	case ErrNoError:
		c.failures = 0
		return f.take(c, p, frameBytes)
	case ErrOffsetOutOfRange:
		Logger.Printf("consumer/%s/%d shutting down because offset %d is out of range\n", c.pc.topic, c.pc.partition, c.offset)
		c.pc.end(p.err)
		f.giveUp(c, leaveClosed)
	case ErrUnknownTopicOrPartition, ErrNotLeaderForPartition, ErrLeaderNotAvailable, ErrReplicaNotAvailable,
		ErrFencedLeaderEpoch, ErrUnknownLeaderEpoch:
		Logger.Printf("consumer/broker/%d abandoned subscription to %s/%d because %v\n", f.id, c.pc.topic, c.pc.partition, p.err)
		f.giveUp(c, leaveFailed)
	default:
		f.fail(c, p.err)
	}
	return false
}

// take passes the records of a partition on to its feeder, and moves the
// cursor behind them. It returns false when it has given the cursor up.
func (f *fetcher) take(c *cursor, p *fetchedPartition, frameBytes int) bool {
	if len(p.records) > 0 || p.highWatermark > c.pc.highWatermark.Load() {
		c.pc.highWatermark.Store(p.highWatermark)
	}
	if len(p.records) == 0 {
		// A broker that converts to the formats before 0.11 sends nothing of a
		// batch that it may not send whole, where later versions get it.
		if f.request.Version < 3 && p.highWatermark > c.offset {
			f.enlarge(c, &record.PartialError{})
		}
		return true
	}
	f.brought = true
	s := surveyRecords(p.records, c.offset)
	if s.bytes == 0 {
		f.enlarge(c, s.partial)
		return true
	}
	c.fetchBytes = f.conf.Consumer.Fetch.Default
	if s.next == c.offset && !s.broken { // to ask again at once would be no better
		f.fail(c, fmt.Errorf("kafka: broker %s has sent no batch that reaches offset %d", f.lane.broker.name(), c.offset))
		return false
	}
	f.metrics.batchSize.update(int64(s.messages))
	// A part that is most of the response pins little else than itself.
	k := newChunk(c, p, s, 2*s.bytes < frameBytes)
	if k.shared {
		f.shared = append(f.shared, k)
	}
	c.offset, c.halted = s.next, s.broken
	c.pace.handed += int64(s.bytes)
	f.after = c
	c.pc.accept(k)
	return true
}

// enlarge asks for more next time, when not even one batch was whole.
func (f *fetcher) enlarge(c *cursor, partial *record.PartialError) {
	limit := int64(f.conf.Consumer.Fetch.Max)
	if limit == 0 {
		limit = math.MaxInt32
	}
	if int64(c.fetchBytes) >= limit {
		Logger.Printf("consumer/%s/%d skipping offset %d, %v\n", c.pc.topic, c.pc.partition, c.offset, ErrMessageTooLarge)
		c.pc.report(ErrMessageTooLarge)
		c.offset++
		c.fetchBytes = f.conf.Consumer.Fetch.Default
		return
	}
	size := 2 * int64(c.fetchBytes)
	if need := int64(partial.Need); need > int64(c.fetchBytes) {
		size = need
	}
	c.fetchBytes = int32(min(size, limit))
}

// fetchRequestBuilder makes requests one after another in the same memory.
type fetchRequestBuilder struct {
	FetchRequest
	flat   []fetchPartition // of all topics
	starts []int            // where in flat each topic's begin
}

// begin starts a request. There is no fetch session yet: each request names
// all of its partitions (id 0, epoch -1).
func (b *fetchRequestBuilder) begin(conf *Config) {
	b.FetchRequest = FetchRequest{
		Version: apiFetch.versionFor(conf.Version), MinBytes: conf.Consumer.Fetch.Min, MaxBytes: conf.Consumer.Fetch.MaxBytes,
		Isolation: conf.Consumer.IsolationLevel, SessionID: 0, SessionEpoch: -1, RackID: conf.RackID, topics: b.topics[:0],
	}
	b.flat, b.starts = b.flat[:0], b.starts[:0]
}

func (b *fetchRequestBuilder) add(c *cursor) {
	if n := len(b.topics); n == 0 || b.topics[n-1].name != c.pc.topic {
		b.topics = append(b.topics, fetchTopic{name: c.pc.topic})
		b.starts = append(b.starts, len(b.flat))
	}
	b.flat = append(b.flat, fetchPartition{
		id: c.pc.partition, currentLeaderEpoch: c.leaderEpoch, fetchOffset: c.offset, lastFetchedEpoch: -1, logStartOffset: -1,
		maxBytes: c.fetchBytes,
	})
}

func (b *fetchRequestBuilder) end(wait time.Duration, metrics *consumerMetrics) {
	b.MaxWaitTime = int32(max(1, wait.Milliseconds()))
	for i := range b.topics {
		end := len(b.flat)
		if i+1 < len(b.starts) {
			end = b.starts[i+1]
		}
		b.topics[i].partitions = b.flat[b.starts[i]:end:end]
		metrics.fetchRate(b.topics[i].name).mark(1)
	}
}

// pace is how fast the user of a partition takes its records, as its fetcher
// sees it.
type pace struct {
	handed         int64 // bytes given to the feeder since the cursor came here
	drained        int64 // of those, when measured last
	measured       time.Time
	bytesPerSecond float64

	stall      int64 // the wait for the user that was seen last
	stallSince time.Time
	slow       bool // the user takes too long
}

// firstDrain is how long a feeder is taken to need for a full load until more
// is known.
const firstDrain = 10 * time.Millisecond

func newPace(pc *partitionConsumer, conf *Config) pace {
	return pace{
		handed: pc.held.Load(), measured: time.Now(),
		bytesPerSecond: float64(conf.Consumer.Fetch.Default) / firstDrain.Seconds(),
	}
}

// untilRoom is about how long a partition will be without room. The request
// that leaves it out should not wait longer for others, and may wait no longer
// than MaxProcessingTime.
func (f *fetcher) untilRoom(c *cursor, now time.Time) time.Duration {
	p, limit := &c.pace, f.conf.Consumer.MaxProcessingTime
	held := c.pc.held.Load()
	drained := p.handed - held
	if elapsed := now.Sub(p.measured); elapsed >= time.Millisecond {
		p.bytesPerSecond = (p.bytesPerSecond + float64(drained-p.drained)/elapsed.Seconds()) / 2
		p.drained, p.measured = drained, now
	}
	if stall := c.pc.stall.Load(); stall == 0 || stall != p.stall {
		p.stall, p.stallSince = stall, now
	} else if now.Sub(p.stallSince) >= limit && !p.slow {
		p.slow = true
		Logger.Printf("consumer/broker/%d abandoned subscription to %s/%d until it is read, because consuming was taking too long\n", f.id, c.pc.topic, c.pc.partition)
	}
	seconds := float64(held-int64(f.conf.Consumer.Fetch.Default)+1) / p.bytesPerSecond
	if !(seconds < limit.Seconds()) || c.pc.troubles.Load() > 0 {
		return limit
	}
	return time.Duration(seconds * float64(time.Second))
}

// hasRoom notes that a partition can be fetched.
func (f *fetcher) hasRoom(c *cursor) {
	if c.pace.slow {
		c.pace.slow = false
		Logger.Printf("consumer/broker/%d added subscription to %s/%d again\n", f.id, c.pc.topic, c.pc.partition)
	}
}
