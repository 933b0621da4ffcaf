package sarama

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/IBM/sarama/internal/compress"
	"github.com/IBM/sarama/internal/record"
)

// chunk is what one response has for one partition. Whole batches go from the
// fetcher to the feeder, which decodes them when it comes to them.
//
// A chunk that is but a small part of its response shares memory with it until
// its turn comes: no message aliases it, as batches are copied before they are
// decoded, a few at a time. What is still unread when the next response has
// come is copied at once. So neither a slow user nor one who keeps a message
// holds on to the parts of others.
type chunk struct {
	// constant once posted
	pc         *partitionConsumer
	offset     int64 // that was asked for: batches may begin before it
	generation int   // of the cursor
	messages   int   // about so many are in it
	aborted    []AbortedTransaction

	letter    letter // carries the chunk
	overtaken letter // carries the news that the next response is there

	// atomic, any goroutine
	done atomic.Bool // nothing is unread, or nothing is shared

	// owned by the fetcher, and by the feeder once posted
	shared bool   // rest is part of a response
	rest   []byte // unread batches
	window []byte // the next of them, which messages may alias
}

// overtakenChunk is what the second letter of a chunk carries.
type overtakenChunk struct{ *chunk }

// newChunk makes a chunk of what was surveyed.
func newChunk(c *cursor, p *fetchedPartition, s survey, shared bool) *chunk {
	k := &chunk{
		pc: c.pc, offset: c.offset, generation: c.generation, messages: s.messages, aborted: p.aborted,
		shared: shared, rest: p.records[:s.bytes:s.bytes],
	}
	slices.SortFunc(k.aborted, func(a, b AbortedTransaction) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	return k
}

// overtake tells the feeder that the next response has come. The fetcher calls
// it, once.
func (k *chunk) overtake() {
	if !k.done.Load() {
		k.overtaken.item = overtakenChunk{k}
		k.pc.inbox.post(&k.overtaken)
	}
}

// unshare copies what is unread out of the response.
func (k *chunk) unshare() {
	if k.shared {
		k.rest = bytes.Clone(k.rest)
		k.shared = false
		k.done.Store(true)
	}
}

// drop lets go of what is unread.
func (k *chunk) drop() {
	k.rest, k.window = nil, nil
	k.done.Store(true)
}

// size is how many bytes are unread.
func (k *chunk) size() int { return len(k.rest) + len(k.window) }

// windowBytes is how much of a shared chunk is copied at a time, or one batch
// where that is larger.
const windowBytes = 64 << 10

// next splits off the first batch; its memory is the messages' to keep. With
// record.ErrOldFormat it is a run of messages of version 0 or 1: set, as far as
// the window goes, and b stands for it with its size and last offset.
func (k *chunk) next() (b record.Batch, set record.Set, err error) {
	if len(k.window) == 0 {
		k.slide()
	}
	var rest []byte
	b, rest, err = record.Next(k.window)
	if errors.Is(err, record.ErrOldFormat) {
		if set, rest, err = record.NextSet(k.window, windowBytes); err == nil {
			b.BaseOffset, b.Raw, err = set.LastOffset, set.Raw, record.ErrOldFormat
		}
	}
	k.window = rest
	return b, set, err
}

// slide makes the next window. Batches that cannot be told apart are in it
// together.
func (k *chunk) slide() {
	n := len(k.rest)
	if !k.shared {
		k.window, k.rest = k.rest, nil
		return
	}
	for at := 0; at < len(k.rest); {
		_, rest, err := record.Next(k.rest[at:])
		if err != nil && !errors.Is(err, record.ErrOldFormat) {
			break
		}
		at = len(k.rest) - len(rest)
		if at >= windowBytes {
			n = at
			break
		}
	}
	k.window, k.rest = bytes.Clone(k.rest[:n]), k.rest[n:]
	if len(k.rest) == 0 {
		k.rest = nil
		k.done.Store(true)
	}
}

// survey is what the headers of a partition's batches tell.
type survey struct {
	bytes    int   // of what the feeder can use: whole batches, and what is broken
	next     int64 // offset behind the last whole batch, or the one asked for
	messages int
	broken   bool                 // the last of the bytes are no batch
	partial  *record.PartialError // what follows is the beginning of a batch
}

// surveyRecords walks over batches without opening them.
func surveyRecords(raw []byte, offset int64) survey {
	s := survey{next: offset}
	for rest := raw; len(rest) > 0; {
		b, after, err := record.Next(rest)
		if errors.As(err, &s.partial) {
			return s
		}
		old := errors.Is(err, record.ErrOldFormat)
		if err != nil && !old || checkOffset(&b) != nil { // the feeder will say what it is
			s.bytes, s.broken = len(raw), true
			return s
		}
		rest = after
		s.bytes = len(raw) - len(rest)
		s.next = max(s.next, b.LastOffset()+1)
		switch {
		case old: // or more, if it is compressed
			s.messages++
		case !b.Control():
			s.messages += int(b.Count)
		}
	}
	return s
}

// checkOffset says whether sums with a batch's offset are sure not to overflow.
func checkOffset(b *record.Batch) error {
	if b.BaseOffset < 0 || b.BaseOffset > math.MaxInt64-1<<32 {
		return &record.Error{Offset: b.BaseOffset, Why: "invalid base offset", Err: record.ErrCorrupt}
	}
	return nil
}

// decoder makes messages of chunks, a few at a time, and decides which of them
// the user gets. Everything in it is owned by the feeder.
type decoder struct {
	topic         string
	partition     int32
	readCommitted bool
	limit         int // of a decompressed batch, 0 for none

	// next is the offset behind all that was decoded or passed over. It only
	// grows, but for a rewind.
	next int64

	chunk      *chunk
	unfinished int                  // bytes of it
	aborted    []AbortedTransaction // of the chunk, those not yet reached
	aborting   map[int64]struct{}   // producers whose transaction will abort

	open  bool // a batch is being read, or a run of messages of version 0 or 1
	batch record.Batch
	it    record.Iterator    // of the batch
	set   record.SetIterator // of the messages

	slab    []ConsumerMessage // memory for messages
	left    int               // messages that the chunk may still have
	headers []RecordHeader    // memory for headers
	refs    []*RecordHeader
}

// slabMessages is how many messages are decoded, and allocated, at a time: as
// many as fit in 32 KiB, above which allocation gets more expensive.
const slabMessages = 215

// noHeaders are the headers of a message of version 2 that has none.
var noHeaders = []*RecordHeader{}

// start takes the next chunk.
func (d *decoder) start(k *chunk) {
	d.chunk, d.aborted, d.left, d.unfinished = k, k.aborted, k.messages, k.size()
	d.next = max(d.next, k.offset)
	clear(d.aborting)
}

// decode returns the next messages, none at the end of the chunk, and how many
// bytes of batches it has finished. An error comes after the messages before
// it, when these were returned.
func (d *decoder) decode() (list []ConsumerMessage, finished int, err error) {
	before := d.unfinished
	for len(list) == 0 {
		if !d.open && d.chunk.size() == 0 {
			break
		}
		if !d.open {
			skip, err := d.openBatch()
			if err != nil {
				return nil, before - d.unfinished, err
			}
			if skip {
				d.endBatch()
				continue
			}
		}
		var ended bool
		if d.batch.Magic < 2 {
			list, ended, err = d.readSet()
		} else {
			list, ended = d.read()
			err = d.it.Err()
		}
		if !ended {
			continue
		}
		if err == nil {
			d.endBatch()
		} else if len(list) == 0 {
			return nil, before - d.unfinished, err
		}
	}
	return list, before - d.unfinished, nil
}

// openBatch begins the chunk's next batch, or run of older messages. It says
// whether there is nothing in it for the user.
func (d *decoder) openBatch() (skip bool, err error) {
	var set record.Set
	d.batch, set, err = d.chunk.next()
	if errors.Is(err, record.ErrOldFormat) {
		// No transaction has such messages.
		d.open, d.set = true, set.Open(d.limit)
		return d.batch.LastOffset() < d.next, checkOffset(&d.batch)
	}
	if err != nil {
		return false, err
	}
	d.open = true
	b := &d.batch
	if err := cmp.Or(checkOffset(b), b.CheckCRC()); err != nil {
		return false, err
	}
	if d.readCommitted {
		skip, err = d.isAborted(b)
		if err != nil {
			return false, err
		}
	}
	if skip || b.Control() || b.LastOffset() < d.next {
		return true, nil
	}
	d.it, err = b.Open(d.limit)
	return false, err
}

// endBatch leaves the batch behind.
func (d *decoder) endBatch() {
	d.next = max(d.next, d.batch.LastOffset()+1)
	d.unfinished -= len(d.batch.Raw)
	d.open, d.batch, d.it, d.set = false, record.Batch{}, record.Iterator{}, record.SetIterator{}
}

// isAborted says whether a batch belongs to a transaction that was aborted. A
// broker lists those that have something in the chunk by their first offset;
// each ends at the abort marker of its producer (KIP-98).
func (d *decoder) isAborted(b *record.Batch) (bool, error) {
	for len(d.aborted) > 0 && d.aborted[0].FirstOffset <= b.LastOffset() {
		if d.aborting == nil {
			d.aborting = make(map[int64]struct{})
		}
		d.aborting[d.aborted[0].ProducerID] = struct{}{}
		d.aborted = d.aborted[1:]
	}
	if !b.Transactional() || len(d.aborting) == 0 {
		return false, nil
	}
	if !b.Control() {
		_, aborted := d.aborting[b.ProducerID]
		return aborted, nil
	}
	it, err := b.Open(d.limit)
	if err != nil {
		return false, err
	}
	var r record.Rec
	if !it.Next(&r) {
		return true, it.Err() // a marker that compaction has removed
	}
	_, typ, err := record.ControlType(r.Key)
	if err != nil {
		return false, &record.Error{Offset: b.BaseOffset, Why: err.Error(), Err: err}
	}
	if ControlRecordType(typ) == ControlRecordAbort {
		delete(d.aborting, b.ProducerID)
	}
	return true, nil
}

// read decodes records of the open batch, as many as there is memory for at
// hand. ended says that it has come to the end, or an error.
func (d *decoder) read() (list []ConsumerMessage, ended bool) {
	var r record.Rec
	if len(d.slab) == 0 {
		if d.it.Left() == 0 {
			return nil, !d.it.Next(&r)
		}
		d.slab = make([]ConsumerMessage, min(slabMessages, max(d.left, d.it.Left())))
	}
	n := 0
	for n < len(d.slab) {
		if !d.it.Next(&r) {
			ended = true
			break
		}
		d.left--
		offset := d.batch.BaseOffset + int64(r.OffsetDelta)
		if offset < d.next {
			continue
		}
		d.next = offset + 1
		m := &d.slab[n]
		n++
		m.Topic, m.Partition, m.Offset = d.topic, d.partition, offset
		m.Timestamp = unixMilli(d.batch.TimestampMs(&r))
		m.Key, m.Value = r.Key, r.Value
		m.Headers = noHeaders
		if r.HeaderCount > 0 {
			m.Headers = d.readHeaders(&r)
		}
	}
	list, d.slab = d.slab[:n:n], d.slab[n:]
	return list, ended
}

// readSet is read for messages of version 0 and 1. A message's own error comes
// when those before it were returned, as does the set's end.
func (d *decoder) readSet() (list []ConsumerMessage, ended bool, err error) {
	var r record.Message
	if len(d.slab) == 0 {
		pending := d.set.Pending(slabMessages)
		if pending == 0 {
			return nil, !d.set.Next(&r), d.set.Err()
		}
		d.slab = make([]ConsumerMessage, min(slabMessages, max(d.left, pending)))
	}
	n := 0
	for n < len(d.slab) {
		if !d.set.Next(&r) {
			ended, err = true, d.set.Err()
			break
		}
		d.left--
		if r.Offset > d.batch.LastOffset() {
			d.set.Fail(&record.Error{Offset: r.Offset, Why: "message behind the last of its set", Err: record.ErrCorrupt})
			continue
		}
		if r.Offset < d.next {
			continue
		}
		d.next = r.Offset + 1
		m := &d.slab[n]
		n++
		m.Topic, m.Partition, m.Offset = d.topic, d.partition, r.Offset
		m.Timestamp, m.BlockTimestamp = unixMilli(r.TimestampMs), unixMilli(r.BlockTimestampMs)
		m.Key, m.Value = r.Key, r.Value
	}
	list, d.slab = d.slab[:n:n], d.slab[n:]
	return list, ended, err
}

// headersMax bounds how many headers are allocated at a time, but for a message
// that has more.
const headersMax = 512

func (d *decoder) readHeaders(r *record.Rec) []*RecordHeader {
	n := r.HeaderCount
	if n > len(d.headers) {
		// Messages of one batch are alike, as a rule.
		size := max(n, min(headersMax, n*(1+d.it.Left())))
		d.headers, d.refs = make([]RecordHeader, size), make([]*RecordHeader, size)
	}
	slab, refs := d.headers[:n:n], d.refs[:n:n]
	d.headers, d.refs = d.headers[n:], d.refs[n:]
	headers := r.Headers()
	for i := range slab {
		slab[i].Key, slab[i].Value, _ = headers.Next()
		refs[i] = &slab[i]
	}
	return refs
}

// drop lets go of the chunk; decoding may go on at next. It returns how many
// bytes of it were not finished.
func (d *decoder) drop() int {
	n := d.unfinished
	d.chunk.drop()
	d.unfinished, d.open, d.batch, d.it, d.set = 0, false, record.Batch{}, record.Iterator{}, record.SetIterator{}
	return n
}

// recordsError says from which offset on records could not be read.
func recordsError(offset int64, err error) error {
	if !errors.Is(err, compress.ErrTooLarge) {
		err = PacketDecodingError{err.Error()}
	}
	return fmt.Errorf("kafka: records from offset %d on: %w", offset, err)
}
