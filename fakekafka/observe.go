package fakekafka

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama/internal/record"
)

// Event is a request that a broker has received.
type Event struct {
	Time          time.Time
	Broker        int32
	Connection    int64
	API           API
	Version       int16
	CorrelationID int32
	ClientID      string
}

// history keeps the last events.
type history struct {
	size int // constant

	mu struct {
		sync.Mutex
		ring  []Event
		total int // how many there ever were
	}
}

func newHistory(size int) *history { return &history{size: size} }

func (h *history) add(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.mu.ring) < h.size {
		h.mu.ring = append(h.mu.ring, e)
	} else {
		h.mu.ring[h.mu.total%h.size] = e
	}
	h.mu.total++
}

// count notes a request.
func (c *conn) count(r *Request) {
	c.broker.requests[r.API].Add(1)
	c.cluster.events.add(Event{
		Time: time.Now(), Broker: c.broker.id, Connection: c.id, API: r.API, Version: r.Version,
		CorrelationID: r.CorrelationID, ClientID: r.ClientID,
	})
}

// History returns the last requests that the brokers have received, in order;
// Options.HistoryMax says how many.
func (c *Cluster) History() []Event {
	h := c.events
	h.mu.Lock()
	defer h.mu.Unlock()
	first := 0
	if h.mu.total > len(h.mu.ring) {
		first = h.mu.total % len(h.mu.ring)
	}
	return slices.Concat(h.mu.ring[first:], h.mu.ring[:first])
}

// Requests is how many requests of an API all brokers together have received.
func (c *Cluster) Requests(api API) (n int64) {
	if api < 0 || api >= apiLimit {
		return 0
	}
	for _, b := range c.brokers {
		n += b.requests[api].Load()
	}
	return n
}

// BrokerRequests is Requests for one broker.
func (c *Cluster) BrokerRequests(broker int32, api API) int64 {
	b := c.broker(broker)
	if b == nil || api < 0 || api >= apiLimit {
		return 0
	}
	return b.requests[api].Load()
}

// Connections is how many connections a broker has open now.
func (c *Cluster) Connections(broker int32) int {
	b := c.broker(broker)
	if b == nil {
		return 0
	}
	return len(b.openConns())
}

// Header is a header of a record.
type Header struct{ Key, Value []byte }

// Record is a record of a partition. Key and Value are nil when null.
type Record struct {
	// Offset, LeaderEpoch and what is said of the producer are the log's: Append
	// ignores them.
	Offset      int64
	LeaderEpoch int32
	// ProducerID and ProducerEpoch are -1, and Sequence is 0 or less, for a
	// producer that is not idempotent.
	ProducerID    int64
	ProducerEpoch int16
	Sequence      int32

	Timestamp  time.Time // in milliseconds
	Key, Value []byte
	Headers    []Header
}

// Records returns all records that a partition has, in order, those of
// transactions that are open or were aborted among them, but no markers. What it returns
// shares memory with the log and must not be changed.
func (c *Cluster) Records(topic string, partition int32) ([]Record, error) {
	p, err := c.partition(topic, partition)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	start := p.mu.log.start
	var stored [][]byte
	for _, s := range p.mu.log.segments {
		s.readers.Add(1) // for ever, as the records share its memory
		stored = append(stored, s.data)
	}
	p.mu.Unlock()
	var list []Record
	for _, data := range stored {
		if list, err = appendRecords(list, data, start); err != nil {
			return nil, fmt.Errorf("fakekafka: reading %s/%d: %w", topic, partition, err)
		}
	}
	return list, nil
}

// appendRecords reads the records of a segment from an offset on.
func appendRecords(list []Record, data []byte, start int64) ([]Record, error) {
	for len(data) > 0 {
		b, rest, err := record.Next(data)
		if err != nil {
			return list, err
		}
		data = rest
		if b.Control() {
			continue
		}
		it, err := b.Open(0)
		if err != nil {
			return list, err
		}
		var r record.Rec
		for it.Next(&r) {
			offset := b.BaseOffset + int64(r.OffsetDelta)
			if offset < start {
				continue
			}
			list = append(list, Record{
				Offset: offset, LeaderEpoch: b.PartitionLeaderEpoch, ProducerID: b.ProducerID, ProducerEpoch: b.ProducerEpoch,
				Sequence: sequenceOf(&b, r.OffsetDelta), Timestamp: time.UnixMilli(b.TimestampMs(&r)),
				Key: r.Key, Value: r.Value, Headers: headersOf(&r),
			})
		}
		if err := it.Err(); err != nil {
			return list, err
		}
	}
	return list, nil
}

func sequenceOf(b *record.Batch, delta int32) int32 {
	if b.ProducerID < 0 {
		return b.BaseSequence
	}
	return sequenceAfter(b.BaseSequence, delta)
}

func headersOf(r *record.Rec) (list []Header) {
	headers := r.Headers()
	for key, value, ok := headers.Next(); ok; key, value, ok = headers.Next() {
		list = append(list, Header{key, value})
	}
	return list
}

// Offsets returns where a partition's log starts and where it ends.
func (c *Cluster) Offsets(topic string, partition int32) (start, end int64, err error) {
	p, err := c.partition(topic, partition)
	if err != nil {
		return 0, 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.log.start, p.mu.log.end, nil
}

// Leader returns who leads a partition, -1 for nobody, and the leader epoch.
func (c *Cluster) Leader(topic string, partition int32) (broker, epoch int32, err error) {
	p, err := c.partition(topic, partition)
	if err != nil {
		return 0, 0, err
	}
	l := p.leadership()
	return l.leader, l.epoch, nil
}

// Topics returns the names of all topics, sorted.
func (c *Cluster) Topics() []string {
	var names []string
	for name := range c.catalog.Load().byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
