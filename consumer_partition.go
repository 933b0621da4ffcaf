package sarama

import (
	"sync"
	"sync/atomic"
)

// partitionConsumer is a PartitionConsumer. Its run goroutine, the feeder,
// decodes the partition's records and is the only one that sends on its
// channels, so that a slow user stalls nobody but himself.
type partitionConsumer struct {
	// constant after newPartitionConsumer
	consumer  *consumer
	conf      *Config
	topic     string
	partition int32
	begins    int64 // the offset that it was started at
	messages  chan *ConsumerMessage
	errors    chan *ConsumerError
	closing   chan struct{} // closed by AsyncClose
	closeOnce sync.Once

	// Letters are chunks, the news that these are overtaken, and troubles,
	// from whoever holds the cursor. held and troubles bound them.
	inbox mailbox

	// atomic, any goroutine
	closed        atomic.Bool // closing is closed
	paused        atomic.Bool
	highWatermark atomic.Int64
	logStart      atomic.Int64            // -1 while unknown
	lastStable    atomic.Int64            // -1 while unknown
	held          atomic.Int64            // bytes of chunks that are not finished
	troubles      atomic.Int32            // that the user has not yet taken
	delivered     atomic.Int64            // messages sent on messages, as of the last pause of the feeder's
	stall         atomic.Int64            // number of the present wait for the user, 0 for none
	fetcher       atomic.Pointer[fetcher] // that got the cursor last: whom to nudge
	rewind        atomic.Pointer[rewind]  // for the holder of the cursor

	// owned by run
	queue      letterQueue // what was taken from inbox
	decoder    decoder
	generation int   // of the chunks that count
	corrupt    int   // failures to read records, in a row
	stalls     int64 // waits for the user so far
	sent       int64 // messages sent on messages
}

// rewind tells the holder of a cursor where it has to go back to, because the
// feeder could not read what was fetched.
type rewind struct {
	offset     int64
	epoch      int32 // of the record before it, -1 when unknown
	generation int
	failures   int
}

// trouble is an error that the user shall see, in its turn behind the messages
// before it.
type trouble struct {
	letter letter
	err    error
	final  bool // the partition consumer ends with it
}

// letterQueue is a list of letters, linked by next.
type letterQueue struct{ first, last *letter }

func (q *letterQueue) push(l *letter) {
	l.next = nil
	if q.last == nil {
		q.first = l
	} else {
		q.last.next = l
	}
	q.last = l
}

// pop returns the item of the oldest letter, nil for none.
func (q *letterQueue) pop() any {
	l := q.first
	if l == nil {
		return nil
	}
	if q.first = l.next; q.first == nil {
		q.last = nil
	}
	l.next = nil
	return l.item
}

func newPartitionConsumer(c *consumer, topic string, partition int32) *partitionConsumer {
	pc := &partitionConsumer{
		consumer: c, conf: c.conf, topic: topic, partition: partition,
		messages: make(chan *ConsumerMessage, c.conf.ChannelBufferSize),
		errors:   make(chan *ConsumerError, c.conf.ChannelBufferSize),
		closing:  make(chan struct{}), inbox: newMailbox(),
		decoder: decoder{
			topic: topic, partition: partition, limit: int(MaxDecompressedBatchSize),
			readCommitted: c.conf.Consumer.IsolationLevel == ReadCommitted, epoch: -1,
		},
	}
	pc.logStart.Store(-1)
	pc.lastStable.Store(-1)
	return pc
}

func (pc *partitionConsumer) Messages() <-chan *ConsumerMessage { return pc.messages }

func (pc *partitionConsumer) Errors() <-chan *ConsumerError { return pc.errors }

func (pc *partitionConsumer) HighWaterMarkOffset() int64 { return pc.highWatermark.Load() }

func (pc *partitionConsumer) LogStartOffset() int64 { return pc.logStart.Load() }

func (pc *partitionConsumer) LastStableOffset() int64 { return pc.lastStable.Load() }

func (pc *partitionConsumer) AsyncClose() {
	pc.closeOnce.Do(func() {
		pc.closed.Store(true)
		close(pc.closing)
		pc.nudgeFetcher() // which may have nothing else to do
	})
}

func (pc *partitionConsumer) Close() error {
	pc.AsyncClose()
	var unread ConsumerErrors
	for err := range pc.errors {
		unread = append(unread, err)
	}
	if len(unread) > 0 {
		return unread
	}
	return nil
}

func (pc *partitionConsumer) Pause() { pc.paused.Store(true) }

func (pc *partitionConsumer) Resume() {
	pc.consumer.resumed(pc)
	pc.resume()
}

func (pc *partitionConsumer) resume() {
	pc.paused.Store(false)
	pc.nudgeFetcher()
}

func (pc *partitionConsumer) IsPaused() bool { return pc.paused.Load() }

func (pc *partitionConsumer) nudgeFetcher() {
	if f := pc.fetcher.Load(); f != nil {
		f.mail.nudge()
	}
}

// hasRoom says whether the feeder can take another response: it holds less than
// one, and the user has taken the last error.
func (pc *partitionConsumer) hasRoom() bool {
	return pc.held.Load() < int64(pc.conf.Consumer.Fetch.Default) && pc.troubles.Load() == 0
}

// accept takes a chunk from the fetcher that holds the cursor.
func (pc *partitionConsumer) accept(k *chunk) {
	pc.held.Add(int64(k.size()))
	k.letter.item = k
	pc.inbox.post(&k.letter)
}

// release takes back what accept has added, and tells the fetcher when there is
// room again.
func (pc *partitionConsumer) release(bytes int) {
	limit := int64(pc.conf.Consumer.Fetch.Default)
	if after := pc.held.Add(-int64(bytes)); after < limit && after+int64(bytes) >= limit {
		pc.nudgeFetcher()
	}
}

// report puts an error on Errors, or logs it if the user does not want that.
// The holder of the cursor calls it.
func (pc *partitionConsumer) report(err error) {
	if !pc.conf.Consumer.Return.Errors {
		Logger.Println(pc.errorOf(err))
		return
	}
	pc.post(&trouble{err: err})
}

// end ends the partition consumer with an error, in its turn.
func (pc *partitionConsumer) end(err error) { pc.post(&trouble{err: err, final: true}) }

func (pc *partitionConsumer) post(t *trouble) {
	pc.troubles.Add(1)
	t.letter.item = t
	pc.inbox.post(&t.letter)
}

func (pc *partitionConsumer) errorOf(err error) *ConsumerError {
	return &ConsumerError{Topic: pc.topic, Partition: pc.partition, Err: err}
}

// run is the feeder. It owns the two channels and what it has taken from its
// inbox; it is woken by letters and by the user who reads, and ended by
// AsyncClose or a final error.
func (pc *partitionConsumer) run() {
	defer pc.finish()
	for !pc.closed.Load() {
		pc.takeMail()
		alive := true
		switch item := pc.queue.pop().(type) {
		case nil:
			select {
			case <-pc.inbox.wake:
			case <-pc.closing:
			}
		case *chunk:
			alive = pc.feed(item)
		case *trouble:
			alive = pc.raise(item)
		}
		if !alive {
			return
		}
	}
}

// takeMail queues what has come in. Chunks whose response is overtaken are
// copied at once.
func (pc *partitionConsumer) takeMail() {
	for l := pc.inbox.take(); l != nil; {
		next := l.next
		if k, overtaken := l.item.(overtakenChunk); overtaken {
			k.unshare()
		} else {
			pc.queue.push(l)
		}
		l = next
	}
}

// finish is the end of run: the partition can be consumed anew, then the user
// is told.
func (pc *partitionConsumer) finish() {
	pc.AsyncClose() // if it ended by itself
	pc.takeMail()
	for item := pc.queue.pop(); item != nil; item = pc.queue.pop() {
		if t, ok := item.(*trouble); ok {
			pc.raiseLast(t)
		}
	}
	pc.consumer.forget(pc.topic, pc.partition)
	close(pc.messages)
	close(pc.errors)
}

// raiseLast is raise for an error that is left at the end: it does not wait.
func (pc *partitionConsumer) raiseLast(t *trouble) {
	if pc.conf.Consumer.Return.Errors {
		select {
		case pc.errors <- pc.errorOf(t.err):
			return
		default:
		}
	}
	Logger.Println(pc.errorOf(t.err))
}

// raise gives an error to the user. It returns false when that is the end.
func (pc *partitionConsumer) raise(t *trouble) bool {
	if t.final && !pc.conf.Consumer.Return.Errors {
		Logger.Println(pc.errorOf(t.err))
		return false
	}
	if !pc.raiseError(t.err) {
		return false
	}
	if pc.troubles.Add(-1) == 0 {
		pc.nudgeFetcher()
	}
	return !t.final
}

// raiseError sends on Errors. It returns false when the partition consumer was
// closed meanwhile.
func (pc *partitionConsumer) raiseError(err error) bool {
	e := pc.errorOf(err)
	for {
		select {
		case pc.errors <- e:
			return true
		case <-pc.inbox.wake:
			pc.takeMail()
		case <-pc.closing:
			pc.raiseLast(&trouble{err: err})
			return false
		}
	}
}

// feed delivers the messages of a chunk. It returns false when the partition
// consumer was closed.
func (pc *partitionConsumer) feed(k *chunk) bool {
	d := &pc.decoder
	if k.generation != pc.generation { // fetched before a rewind
		pc.release(k.size())
		k.drop()
		return true
	}
	d.start(k)
	for {
		list, finished, err := d.decode()
		if finished > 0 {
			pc.corrupt = 0
			pc.release(finished)
		}
		if err != nil {
			return pc.goBack(err)
		}
		if len(list) == 0 {
			pc.release(d.drop())
			return true
		}
		if !pc.deliver(list) {
			return false
		}
	}
}

// goBack reports that records could not be read, and has them fetched again.
// What was fetched behind them is dropped.
func (pc *partitionConsumer) goBack(err error) bool {
	d := &pc.decoder
	err = recordsError(d.next, err)
	unread := d.drop()
	defer func() { pc.release(unread) }() // once the rewind can be seen, see dispatcher.goOnReset
	if pc.conf.Consumer.Return.Errors {
		if !pc.raiseError(err) {
			return false
		}
	} else {
		Logger.Println(pc.errorOf(err))
	}
	pc.generation++
	pc.rewind.Store(&rewind{offset: d.next, epoch: d.epoch, generation: pc.generation, failures: pc.corrupt})
	pc.corrupt++
	pc.nudgeFetcher()
	return true
}

// deliver sends messages. It returns false when the partition consumer was
// closed.
func (pc *partitionConsumer) deliver(list []ConsumerMessage) bool {
	defer func() { pc.delivered.Store(pc.sent) }()
	interceptors := pc.conf.Consumer.Interceptors
	for i := range list {
		msg := &list[i]
		if pc.closed.Load() {
			return false
		}
		for _, interceptor := range interceptors {
			msg.safelyOnConsume(interceptor)
		}
		select {
		case pc.messages <- msg:
			pc.sent++
			continue
		default: // a select of one case and a default is much cheaper than one of many
		}
		if !pc.deliverSlowly(msg) {
			return false
		}
	}
	return true
}

// taken is how many messages the user has read, and whether more wait for him;
// exact while the feeder has nothing to do or waits.
func (pc *partitionConsumer) taken() (n int64, more bool) {
	waiting := len(pc.messages)
	return pc.delivered.Load() - int64(waiting), waiting > 0 || pc.stall.Load() != 0
}

// deliverSlowly waits for the user to take a message.
func (pc *partitionConsumer) deliverSlowly(msg *ConsumerMessage) bool {
	pc.stalls++
	pc.delivered.Store(pc.sent)
	pc.stall.Store(pc.stalls)
	defer pc.stall.Store(0)
	for {
		select {
		case pc.messages <- msg:
			pc.sent++
			return true
		case <-pc.inbox.wake:
			pc.takeMail()
		case <-pc.closing:
			return false
		}
	}
}
