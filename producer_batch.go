package sarama

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama/internal/record"
)

// batch is the records of one partition on their way to its leader. It has one
// holder at a time: the intake while it is open; then the owner; the sender
// from the owner's handing it over until it comes back, once; at last the
// deliverer. Only the holder reads or writes it.
type batch struct {
	letter letter // for the mailbox of the next holder
	part   *producerPartition
	slot   *brokerSlot // of the broker that led the partition when the batch was opened

	place int  // index in the slot's list, while it is open
	due   bool // which list that is: ready or open

	records record.Builder
	msgs    []*ProducerMessage
	calls   []syncRef   // of a sync producer: one for each of msgs
	held    budgetShare // what the batch takes of the budget
	opened  time.Time   // when the oldest message came
	wire    []byte      // sealed form, in memory of records; nil until the first hand-over

	// How the batch has fared; changed by the owner alone, between hand-overs.
	order     int64 // of the first message among the partition's
	attempts  int   // hand-overs that failed
	delays    int   // that the transaction before it has cost it
	sent      bool  // was handed over
	uncounted bool  // is no longer part of the slot's queued
	uncertain bool  // may have been written by a broker
	stamped   bool  // has the numbers below
	id        int64
	epoch     int16
	sequence  int32

	// The outcome, set by the owner before the deliverer gets the batch.
	err       error
	offset    int64     // of the first message; negative when unknown
	timestamp time.Time // not zero: given by the broker
}

var batchPool = sync.Pool{New: func() any {
	b := new(batch)
	b.letter.item = b
	return b
}}

// batchBytesPooledMax is the largest buffer that is kept for another batch.
const batchBytesPooledMax = 4 << 20

func newBatch(p *producerPartition, slot *brokerSlot, magic int8) *batch {
	b := batchPool.Get().(*batch)
	b.part, b.slot = p, slot
	b.records.SetMagic(magic)
	return b
}

// stamp writes the batch's numbers into its sealed form; a message set has none.
func (b *batch) stamp() {
	switch {
	case b.records.Magic() < 2:
	case b.stamped:
		record.Stamp(b.wire, b.id, b.epoch, b.sequence)
	default:
		record.Stamp(b.wire, -1, -1, 0)
	}
}

// uncount takes the batch out of its slot's count of those that the intake waits
// for; it reports whether it was in it.
func (b *batch) uncount() bool {
	if b.uncounted {
		return false
	}
	b.uncounted = true
	b.slot.queued.Add(-1)
	return true
}

// dropCancelled takes the messages out whose callers no longer want them sent,
// before the first hand-over; empty says that nothing is left.
func (b *batch) dropCancelled() (empty bool) {
	var gone []bool
	for i, ref := range b.calls {
		if ref.handOver() {
			continue
		}
		if gone == nil {
			gone = make([]bool, len(b.calls))
		}
		gone[i] = true
		ref.settle(errCancelled)
	}
	if gone == nil {
		return false
	}
	b.rebuild(gone)
	return len(b.msgs) == 0
}

// rebuild writes the batch anew without some of its records.
func (b *batch) rebuild(gone []bool) {
	old := b.records
	b.records, b.wire = record.Builder{}, nil
	b.records.SetMagic(old.Magic())
	msgs, calls := b.msgs[:0], b.calls[:0]
	eachRecord(&old, func(i int, timestampMs int64, key, value []byte, headers []RecordHeader) {
		if gone[i] {
			return
		}
		record.Append(&b.records, timestampMs, key, value, headers)
		msgs = append(msgs, b.msgs[i])
		if len(b.calls) > 0 {
			calls = append(calls, b.calls[i])
		}
	})
	clear(b.msgs[len(msgs):])
	clear(b.calls[len(calls):])
	b.msgs, b.calls = msgs, calls
}

// eachRecord reads the records of a batch that this producer has built, sealed
// or not. The bytes are the builder's; the headers are only good until yield
// returns.
func eachRecord(b *record.Builder, yield func(i int, timestampMs int64, key, value []byte, headers []RecordHeader)) {
	var headers []RecordHeader
	b.Each(func(i int, timestampMs int64, r *record.Rec) {
		headers = headers[:0]
		for h := r.Headers(); ; {
			key, value, ok := h.Next()
			if !ok {
				break
			}
			headers = append(headers, RecordHeader{Key: key, Value: value})
		}
		yield(i, timestampMs, r.Key, r.Value, headers)
	})
}

// free gives the batch back; nobody may hold it any more.
func (b *batch) free() {
	clear(b.msgs)
	clear(b.calls)
	records, msgs, calls := b.records, b.msgs[:0], b.calls[:0]
	if records.Cap() > batchBytesPooledMax {
		return
	}
	records.Reset()
	*b = batch{records: records, msgs: msgs, calls: calls}
	b.letter.item = b
	batchPool.Put(b)
}

// producerTopic is a topic that messages were sent to. It lives as long as the
// producer.
type producerTopic struct {
	// constant
	name    string
	metrics *topicMetrics

	// atomic: how large a batch may be, by what a broker refused; 0 while none
	// was. Lowered by the owner.
	batchBytesMax atomic.Int64

	// owned by the intake
	info        *topicInfo // nil: not known yet
	seen        *cluster   // where info was last looked up
	partitioner Partitioner
	dynamic     DynamicConsistencyPartitioner // the partitioner, where it is one
	sticky      *stickyPartitioner            // same
	parts       []*producerPartition          // by id, where ids are dense
	sparse      map[int32]*producerPartition  // the others
	waiting     []acceptedMessage             // messages that came before the topic was known
	resolving   bool
	breaker     breaker // of look-ups of the topic
}

// limitBatches lowers the size of the topic's batches.
func (t *producerTopic) limitBatches(n int64) {
	if now := t.batchBytesMax.Load(); now == 0 || n < now {
		t.batchBytesMax.Store(n)
	}
}

// producerPartition is a partition that messages were sent to.
type producerPartition struct {
	// constant
	topic *producerTopic
	id    int32

	// atomic: how many batches the owner takes beyond those it has; the intake
	// takes one for each batch it seals, the owner returns it when the batch is
	// settled
	credit atomic.Int32

	// owned by the intake
	open *batch

	// owned by the owner
	queue partitionQueue
}

// brokerSlot is what the intake may know of a broker without asking: whether
// it could take a request now. Flush triggers are counted per slot. The slot
// of id -1 stands for partitions without a known leader.
type brokerSlot struct {
	// constant
	id       int32
	inFlight int32 // bound of flying

	// atomic
	writing atomic.Bool  // a request was handed to the sender and is not written yet; set by the owner, cleared by the sender
	flying  atomic.Int32 // requests handed over and not answered; owner
	queued  atomic.Int32 // batches sealed and not yet handed over, which nothing of their own partition is in the way of: raised by the intake, lowered by the owner

	// owned by the intake
	open     []*batch  // open, no trigger hit
	ready    []*batch  // open, hit by a trigger: sealed as soon as owner and broker take them
	messages int       // that came since the last trigger
	bytes    int       // of these
	since    time.Time // when the oldest of open was opened
}

// takes reports whether a batch that is sealed now goes out at once.
func (s *brokerSlot) takes() bool {
	return !s.writing.Load() && s.queued.Load() == 0 && s.flying.Load() < s.inFlight
}

// list is the list that the slot keeps a batch in.
func (s *brokerSlot) list(b *batch) *[]*batch {
	if b.due {
		return &s.ready
	}
	return &s.open
}

// enter puts an open batch on its list.
func (s *brokerSlot) enter(b *batch) {
	list := s.list(b)
	b.place = len(*list)
	*list = append(*list, b)
}

// leave takes an open batch off its list.
func (s *brokerSlot) leave(b *batch) {
	list := s.list(b)
	last := len(*list) - 1
	moved := (*list)[last]
	(*list)[b.place], moved.place = moved, b.place
	(*list)[last] = nil
	*list = (*list)[:last]
}

// trigger makes all open batches ready. What goes beyond the trigger counts for
// the next one, where only that can send it off: so whoever sends n messages
// and waits for them is not left with a rest, if n is a multiple of
// Flush.Messages.
func (s *brokerSlot) trigger(conf *Config) {
	for _, b := range s.open {
		b.due = true
		s.enter(b)
	}
	clear(s.open)
	s.open = s.open[:0]
	flush := &conf.Producer.Flush
	rest := func(n, each int) int {
		if each == 0 || flush.Frequency > 0 {
			return 0
		}
		return n % each
	}
	s.messages, s.bytes = rest(s.messages, flush.Messages), rest(s.bytes, flush.Bytes)
	if s.bytes >= requestBytesMax() { // Flush.Bytes is out of reach: else each message would set off a request
		s.bytes = 0
	}
}

// acceptedMessage is a message and, for a sync producer, who waits for it.
type acceptedMessage struct {
	msg  *ProducerMessage
	ref  syncRef
	size int64 // share of the budget
	held bool  // has taken it

	since time.Time // when it began to wait for its topic; zero: it did not
}
