package fakekafka

import (
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
)

const (
	// fetchMaxBytes bounds a response's records, whatever a client asks for:
	// Kafka's fetch.max.bytes.
	fetchMaxBytes = 55 << 20

	fetchBounded       = 3  // first version that bounds the response, and has one batch whole (KIP-74)
	fetchFromFollowers = 11 // first version with which a consumer may ask any replica (KIP-392)
	fetchNamesLeaders  = 16 // first version whose response names new leaders (KIP-951)
)

// fetching is one fetch request on its way.
type fetching struct {
	conn     *conn
	request  *Request
	want     []bridge.FetchPartition
	maxBytes int
	minBytes int
	stable   bool // read_committed

	// what the last look found
	found   []bridge.FetchedPartition
	size    int
	now     bool // to be answered without waiting for more
	leaders []bridge.Endpoint
}

// fetch answers with what the log has, once there are MinBytes of it or MaxWait
// has passed.
func (c *conn) fetch(r *Request) (any, error) {
	req := r.Body.(*sarama.FetchRequest)
	if r.reply.Err != sarama.ErrNoError {
		return bridge.FetchResponse(0, int16(r.reply.Err), 0, nil, nil), nil
	}
	session, want, sessionErr := c.broker.sessions.begin(r, req)
	if sessionErr != sarama.ErrNoError {
		return bridge.FetchResponse(0, int16(sessionErr), 0, nil, nil), nil
	}
	f := &fetching{
		conn: c, request: r, want: want, stable: req.Isolation == sarama.ReadCommitted,
		maxBytes: int(min(max(req.MaxBytes, 0), fetchMaxBytes)),
	}
	if r.Version < fetchBounded {
		f.maxBytes = fetchMaxBytes
	}
	f.minBytes = min(int(req.MinBytes), f.maxBytes)
	if err := f.await(time.Duration(req.MaxWaitTime) * time.Millisecond); err != nil {
		return nil, err
	}
	id, found := session.finish(f.found)
	return bridge.FetchResponse(0, 0, id, found, f.leaders), nil
}

// await looks until there is enough, or the time is over.
func (f *fetching) await(maxWait time.Duration) error {
	f.look()
	if f.now || maxWait <= 0 || len(f.want) == 0 {
		return nil
	}
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	w := newWaiter()
	catalog := f.conn.cluster.catalog.Load()
	for i := range f.want {
		if p := catalog.named(f.want[i].Topic, f.byID()).partition(f.want[i].Partition); p != nil {
			p.wait(w)
			defer p.unwait(w)
		}
	}
	for {
		if f.look(); f.now {
			return nil
		}
		select {
		case <-w.woken:
		case <-timer.C:
			f.look()
			return nil
		case <-f.conn.gone:
			return errGone
		}
	}
}

func (f *fetching) byID() bool { return f.request.Version >= fetchByID }

// look reads all partitions, in order, until the response is full.
func (f *fetching) look() {
	f.request.release()
	f.found, f.leaders, f.size = f.found[:0], f.leaders[:0], 0
	f.now = f.minBytes <= 0
	left := f.maxBytes
	for i := range f.want {
		got := f.lookAt(&f.want[i], left)
		left = max(0, left-len(got.Records))
		f.size += len(got.Records)
		f.found = append(f.found, got)
	}
	f.now = f.now || f.size >= f.minBytes
}

// lookAt reads one partition, with room for left bytes in the response.
func (f *fetching) lookAt(want *bridge.FetchPartition, left int) bridge.FetchedPartition {
	got := bridge.FetchedPartition{
		Topic: want.Topic, Partition: want.Partition,
		HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1, PreferredReadReplica: -1,
		Records: []byte{}, // Kafka never sends null
	}
	t := f.conn.cluster.catalog.Load().named(want.Topic, f.byID())
	p := t.partition(want.Partition)
	name := want.Topic
	if t != nil {
		name = t.name // a request by id names none
	}
	err := f.request.errorFor(name, want.Partition)
	switch {
	case err != sarama.ErrNoError:
	case t == nil && f.byID():
		err = sarama.ErrUnknownTopicID
	case p == nil:
		err = sarama.ErrUnknownTopicOrPartition
	default:
		if err = f.read(p, want, left, &got); f.request.Version < fetchBatches && len(got.Records) > 0 {
			err = f.convert(want, &got)
		}
	}
	if err != sarama.ErrNoError {
		f.now = true
		got.Err = int16(err)
	}
	if p != nil && f.request.Version >= fetchNamesLeaders && !f.conn.cluster.noHints.Load() && (err == sarama.ErrNotLeaderForPartition || err == sarama.ErrFencedLeaderEpoch) {
		f.nameLeader(p, &got)
	}
	return got
}

// read reads from a partition's log.
func (f *fetching) read(p *partition, want *bridge.FetchPartition, left int, got *bridge.FetchedPartition) sarama.KError {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkLocked(f.conn.broker.id, want.CurrentLeaderEpoch, f.request.Version < fetchFromFollowers); err != sarama.ErrNoError {
		return err
	}
	log := &p.mu.log
	have := p.endLocked(f.conn.broker.id)
	end := min(have, p.highWatermarkLocked())
	if want.LastFetchedEpoch >= 0 {
		epoch, offset := log.epochEnd(want.LastFetchedEpoch, p.mu.epoch)
		offset = min(offset, have)
		if epoch >= 0 && (epoch < want.LastFetchedEpoch || offset < want.Offset) {
			got.HasDiverging, got.DivergingEpoch, got.DivergingOffset = true, epoch, offset
			f.now = true
		}
	}
	if !got.HasDiverging && (want.Offset < log.start || want.Offset > have) {
		return sarama.ErrOffsetOutOfRange
	}
	got.HighWatermark, got.LastStableOffset, got.LogStartOffset = end, min(have, p.lastStableOffsetLocked()), log.start
	if f.stable {
		end = got.LastStableOffset
	}
	if f.stable {
		got.Aborted = []bridge.AbortedTransaction{}
	}
	if got.HasDiverging {
		return sarama.ErrNoError
	}
	if rack := f.request.Body.(*sarama.FetchRequest).RackID; rack != "" && f.request.Version >= fetchFromFollowers && p.mu.leader == f.conn.broker.id {
		if id := p.preferredLocked(f.conn.cluster, rack, want.Offset); id >= 0 {
			got.PreferredReadReplica, f.now = id, true
			return sarama.ErrNoError
		}
	}
	maxBytes := min(int(want.MaxBytes), left)
	data, from, more := log.read(want.Offset, end, maxBytes, f.size == 0 || f.request.Version < fetchBounded)
	if f.request.Version < fetchBounded && len(data) > maxBytes {
		data = data[:max(maxBytes, 0)] // cut, as every batch may be
		f.now = true
	}
	if f.stable {
		got.Aborted = p.abortedLocked(want.Offset, data)
	}
	if len(data) > 0 {
		got.Records = data
		f.request.held = append(f.request.held, from)
		f.now = f.now || more // what follows is there, in another segment
	}
	return sarama.ErrNoError
}

// convert makes message sets of what was read.
func (f *fetching) convert(want *bridge.FetchPartition, got *bridge.FetchedPartition) sarama.KError {
	magic := int8(0)
	if f.request.Version >= fetchMessages1 {
		magic = 1
	}
	set, err := downConvert(got.Records, magic, want.Offset)
	if err != nil {
		got.Records = []byte{}
		return sarama.ErrUnsupportedCompressionType // zstd: stored batches are sound
	}
	got.Records = set
	return sarama.ErrNoError
}

// nameLeader adds to a refusal who the leader is.
func (f *fetching) nameLeader(p *partition, got *bridge.FetchedPartition) {
	l := p.leadership()
	got.HasLeader, got.CurrentLeaderID, got.CurrentLeaderEpoch = true, l.leader, l.epoch
	b := f.conn.cluster.broker(l.leader)
	if b == nil {
		return
	}
	for _, e := range f.leaders {
		if e.ID == b.id {
			return
		}
	}
	f.leaders = append(f.leaders, bridge.Endpoint{ID: b.id, Host: b.host, Port: b.port, Rack: b.rack})
}
