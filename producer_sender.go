package sarama

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama/internal/compress"
	"github.com/IBM/sarama/internal/record"
)

// sender is the goroutine that writes a producer's requests to one broker. It
// holds the batches of one request from the owner's handing it over until the
// write has returned; then they wait with the connection's reader, which hands
// them to the owner when they are answered or the connection has failed. A
// request that was not written the sender hands back itself. Each is handed
// back once.
//
// It is woken by a request, and ended by stop.
type sender struct {
	// constant
	p    *producer
	slot *brokerSlot
	lane *lane
	next chan *produceCall // of capacity 1: sent to when idle says so
	quit chan struct{}

	// atomic: the owner waits for the sender to become idle
	hungry atomic.Bool

	// owned by run
	woken int // how often a wait has ended

	// owned by the owner
	ready    []*producerPartition // whose next batch may go out
	spare    []*producerPartition
	touched  bool
	progress time.Time // last answer
}

func newSender(p *producer, b *Broker) *sender {
	s := &sender{
		p: p, slot: p.slot(b.id), lane: newLane(p.conf, b), next: make(chan *produceCall, 1), quit: make(chan struct{}),
	}
	p.running.Add(1)
	go withRecover(s.run)
	return s
}

// idle reports whether the sender takes a request. Only the owner makes it
// busy.
func (s *sender) idle() bool {
	return !s.slot.writing.Load() && s.slot.flying.Load() < s.slot.inFlight
}

// idleAfterAll asks the sender to wake the owner when it becomes idle: it looks
// at hungry after that. Looking once more, now, misses nothing.
func (s *sender) idleAfterAll() bool {
	s.hungry.Store(true)
	return s.idle()
}

// stop ends the sender: its connection is closed, and what it has comes back.
func (s *sender) stop() { close(s.quit) }

// abort ends whatever the sender waits for: what it has comes back.
func (s *sender) abort() { s.lane.abort(errSilentBroker) }

var errSilentBroker = errors.New("kafka: broker made no progress in the time that Close gives it")

// run is the sender's goroutine.
func (s *sender) run() {
	defer s.p.running.Done()
	defer s.lane.close()
	for {
		select {
		case call := <-s.next:
			s.woken++
			s.handle(call)
		case <-s.quit:
			select {
			case call := <-s.next:
				s.handBack(call, errAbandoned)
			default:
			}
			return
		}
	}
}

// handle writes one request. Once it is written it is no longer the sender's.
func (s *sender) handle(call *produceCall) {
	l, err := s.lane.connect(s.quit)
	if err == nil {
		err = s.prepare(call, l)
	}
	if err != nil {
		s.handBack(call, err)
		return
	}
	if len(call.req.topics) == 0 {
		s.handBack(call, nil) // no batch could be sealed
		return
	}
	unanswered := call.req.RequiredAcks == NoResponse
	p := &call.promise
	if unanswered {
		p = nil
	}
	s.measure(call)
	wrote, err := l.send(&call.req, p, requestTimeout(s.p.conf, &call.req), s.quit)
	if err != nil || unanswered {
		call.wrote = wrote
		call.answered = err == nil
		s.handBack(call, err)
		return
	}
	s.written()
}

// written lets the next request come.
func (s *sender) written() {
	s.slot.writing.Store(false)
	if s.hungry.Load() && s.hungry.Swap(false) {
		s.p.owner.mail.nudge()
	}
	s.p.intake.released()
}

// handBack returns a request to the owner.
func (s *sender) handBack(call *produceCall, err error) {
	call.err = err
	s.slot.writing.Store(false)
	s.p.owner.mail.post(&call.letter)
}

// prepare seals what is not sealed yet, stamps each batch, and makes the
// request of them.
func (s *sender) prepare(call *produceCall, l *link) error {
	conf := s.p.conf
	req := &call.req
	req.Version = l.newest(apiProduce)
	req.RequiredAcks = conf.Producer.RequiredAcks
	req.Timeout = int32(conf.Producer.Timeout / time.Millisecond)
	if err := l.clamp(req); err != nil {
		return err
	}
	if produceMagic(req.Version) < s.p.magic {
		return errOldBroker(l.broker, req.Version, s.p.magic)
	}
	attributes, err := call.transact(s.p.txn, l)
	if err != nil {
		return err
	}
	call.nameTopics(s.p.source.snapshot())
	for i, b := range call.batches {
		if b.wire == nil {
			wire, err := b.records.Seal(compress.Codec(conf.Producer.Compression), conf.Producer.CompressionLevel, attributes)
			if err != nil {
				call.refused = append(call.refused, refusedBatch{i, PacketEncodingError{err.Error()}})
				continue
			}
			b.wire = wire
		}
		b.stamp()
		req.add(call.names[i], b.part.id, b.wire)
	}
	call.link = l
	call.promise = promise{resolve: call.resolve}
	return nil
}

// transact makes the request part of a transaction, where there is one. From
// version 12 on brokers add partitions to it (KIP-890): that goes with nothing
// else.
func (c *produceCall) transact(t *txn, l *link) (record.Attributes, error) {
	if t == nil {
		return 0, nil
	}
	c.req.TransactionalID = &t.id
	c.req.Version = l.txnVersion(apiProduce, c.implicit, produceExplicitMax)
	if c.implicit && c.req.Version <= produceExplicitMax {
		return 0, fmt.Errorf("broker %s takes Produce only up to version %d, too old for the transactions of its cluster: %w",
			l.broker.name(), c.req.Version, ErrUnsupportedVersion)
	}
	return record.Transactional, nil
}

// topicIDsFrom is the Produce version from which on topics go by their ids.
const topicIDsFrom = 13

// nameTopics finds what the batches' topics are called on the wire: by their
// ids (KIP-516), where the version has them and all are known.
func (c *produceCall) nameTopics(now *cluster) {
	if c.req.Version >= topicIDsFrom {
		for _, b := range c.batches {
			t := now.topics[b.part.topic.name]
			if t == nil || t.id == (Uuid{}) {
				c.req.Version = topicIDsFrom - 1
				break
			}
		}
	}
	for _, b := range c.batches {
		name := b.part.topic.name
		if c.req.Version >= topicIDsFrom {
			name = now.topics[name].wireID
		}
		c.names = append(c.names, name)
	}
}

// add puts a partition's batch into the request; batches of one topic that
// come together stay together.
func (r *ProduceRequest) add(topic string, partition int32, raw []byte) {
	n := len(r.topics)
	if n == 0 || r.topics[n-1].name != topic {
		at := slices.IndexFunc(r.topics, func(t produceTopic) bool { return t.name == topic })
		if at >= 0 {
			n = at + 1
		} else {
			if n < cap(r.topics) { // keep the memory of the list that was there
				r.topics = r.topics[:n+1]
				r.topics[n].name = topic
			} else {
				r.topics = append(r.topics, produceTopic{name: topic})
			}
			n++
		}
	}
	t := &r.topics[n-1]
	t.partitions = append(t.partitions, producePartition{id: partition, raw: raw})
}

// measure updates the metrics of a request that is about to be written.
func (s *sender) measure(call *produceCall) {
	m := s.p.metrics
	total := 0
	for _, b := range call.batches {
		n := len(b.msgs)
		total += n
		t := b.part.topic.metrics
		t.recordSendRate.mark(int64(n))
		t.recordsPerRequest.update(int64(n))
		t.batchSize.update(int64(len(b.wire)))
		if len(b.wire) > 0 {
			t.compressionRatio.update(int64(b.records.Len()) * 100 / int64(len(b.wire)))
		}
	}
	m.recordsPerRequest.update(int64(total))
}

// produceCall is one Produce request on its way: with the sender, then with
// the connection's reader, then back with the owner.
type produceCall struct {
	letter  letter
	sender  *sender
	batches []*batch

	// set by the sender
	implicit bool // brokers add partitions to the transaction; set by the owner

	req     ProduceRequest
	promise promise
	link    *link
	refused []refusedBatch
	names   []string // of the batches' topics, as they are in the request
	wrote   bool

	// set by the sender or, once written, by the reader
	err      error
	answered bool
	resp     produceResponse

	// owned by the owner, when the call is back
	results []produceResult // one for each of batches
	parts   []*producerPartition
}

// refusedBatch is a batch that could not be sealed.
type refusedBatch struct {
	index int
	err   error
}

var produceCalls = sync.Pool{New: func() any {
	c := new(produceCall)
	c.letter.item = c
	return c
}}

func newProduceCall(s *sender) *produceCall {
	c := produceCalls.Get().(*produceCall)
	c.sender = s
	return c
}

// free gives the call back, when the owner has taken everything from it.
func (c *produceCall) free() {
	clear(c.batches)
	topics := c.req.topics
	for i := range topics {
		t := &topics[i]
		clear(t.partitions)
		t.partitions = t.partitions[:0]
	}
	clear(c.results)
	clear(c.parts)
	clear(c.names)
	*c = produceCall{
		batches: c.batches[:0], refused: c.refused[:0], names: c.names[:0], results: c.results[:0], parts: c.parts[:0],
	}
	c.req.topics = topics[:0]
	c.letter.item = c
	produceCalls.Put(c)
}

// resolve takes the answer, on the connection's reader: it is decoded there,
// in place, and handed to the owner.
func (c *produceCall) resolve(frame []byte, err error) {
	c.wrote = true
	if err == nil {
		err = c.link.decode(frame, &c.resp, c.promise.version)
	}
	c.err, c.answered = err, err == nil
	c.sender.p.owner.mail.post(&c.letter)
}

// match finds what became of each batch.
func (c *produceCall) match() {
	c.results = c.results[:0]
	rest := produceResult{offset: -1}
	switch {
	case c.err != nil:
		rest = produceResult{err: c.err, uncertain: c.wrote}
	case c.req.RequiredAcks != NoResponse && len(c.req.topics) > 0:
		rest = produceResult{err: ErrIncompleteResponse}
	}
	for range c.batches {
		c.results = append(c.results, rest)
	}
	for _, r := range c.refused {
		c.results[r.index] = produceResult{err: r.err}
	}
	if c.answered && len(c.resp.topics) > 0 {
		c.matchAnswers()
	}
}

// matchAnswers gives each answer to its batch. Brokers mostly answer in the
// order of the request, so the search goes on where the last one ended.
func (c *produceCall) matchAnswers() {
	next := 0
	for ti := range c.resp.topics {
		t := &c.resp.topics[ti]
		for pi := range t.partitions {
			p := &t.partitions[pi]
			for range c.batches {
				i := next
				if next++; next == len(c.batches) {
					next = 0
				}
				if c.batches[i].part.id == p.id && c.names[i] == t.name {
					c.results[i] = p.block.result()
					break
				}
			}
		}
	}
}

// result is what a broker's answer means for a batch.
func (b *ProduceResponseBlock) result() produceResult {
	r := produceResult{offset: b.Offset, timestamp: b.Timestamp}
	if b.Err != ErrNoError {
		r.err = b.Err
		r.records, r.message, r.leader = b.RecordErrors, b.ErrorMessage, b.CurrentLeader
	}
	return r
}
