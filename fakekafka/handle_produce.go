package fakekafka

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
	"github.com/IBM/sarama/internal/compress"
	"github.com/IBM/sarama/internal/record"
)

const (
	// decompressedMaxBytes bounds what a compressed batch may hold.
	decompressedMaxBytes = 256 << 20

	produceZstd         = 7  // first version that may carry zstd (KIP-110)
	produceNamesLeaders = 10 // first version whose response names new leaders (KIP-951)
)

// produce appends the batches of a request. Without acks there is no response;
// what goes wrong then closes the connection, so that the client notices.
func (c *conn) produce(r *Request) (any, error) {
	req := r.Body.(*sarama.ProduceRequest)
	resp := &sarama.ProduceResponse{Blocks: make(map[string]map[int32]*sarama.ProduceResponseBlock)}
	failed := sarama.ErrNoError
	for _, part := range bridge.ProduceRecords(req) {
		o := c.produceTo(r, req, &part)
		if o.err != sarama.ErrNoError {
			failed = o.err
		}
		if req.RequiredAcks == sarama.NoResponse {
			continue
		}
		blocks := resp.Blocks[part.Topic]
		if blocks == nil {
			blocks = make(map[int32]*sarama.ProduceResponseBlock)
			resp.Blocks[part.Topic] = blocks
		}
		blocks[part.Partition] = c.produceBlock(r, resp, &o)
	}
	if req.RequiredAcks != sarama.NoResponse {
		return resp, nil
	}
	if failed != sarama.ErrNoError {
		return nil, fmt.Errorf("produce request without acks failed: %w", failed)
	}
	return nil, nil
}

// produceBlock says what became of a batch.
func (c *conn) produceBlock(r *Request, resp *sarama.ProduceResponse, o *outcome) *sarama.ProduceResponseBlock {
	block := &sarama.ProduceResponseBlock{Err: o.err, Offset: o.baseOffset, StartOffset: o.logStart}
	if o.logAppendTime >= 0 {
		block.Timestamp = time.UnixMilli(o.logAppendTime)
	}
	if o.message != "" {
		block.ErrorMessage = &o.message
	}
	if o.err != sarama.ErrNotLeaderForPartition || r.Version < produceNamesLeaders || c.cluster.noHints.Load() {
		return block
	}
	block.CurrentLeader = &sarama.ProduceResponseCurrentLeader{LeaderID: o.leader, LeaderEpoch: o.epoch}
	if b := c.cluster.broker(o.leader); b != nil {
		for _, e := range resp.NodeEndpoints {
			if e.NodeID == b.id {
				return block
			}
		}
		resp.NodeEndpoints = append(resp.NodeEndpoints, &sarama.ProduceResponseNodeEndpoint{
			NodeID: b.id, Host: b.host, Port: b.port, Rack: b.rack,
		})
	}
	return block
}

func failure(err sarama.KError, format string, args ...any) outcome {
	o := outcome{err: err, baseOffset: -1, logAppendTime: -1, logStart: -1, leader: -1, epoch: -1}
	if format != "" {
		o.message = fmt.Sprintf(format, args...)
	}
	return o
}

// produceTo appends one partition's batch.
func (c *conn) produceTo(r *Request, req *sarama.ProduceRequest, part *bridge.PartitionRecords) outcome {
	byID := r.Version >= produceByID
	t := c.cluster.catalog.Load().named(part.Topic, byID)
	name := part.Topic
	if t != nil {
		name = t.name
	}
	p := t.partition(part.Partition)
	hooked := r.errorFor(name, part.Partition)
	switch {
	case hooked != sarama.ErrNoError:
		o := failure(hooked, "")
		if p != nil {
			_, o.leader, o.epoch = p.check(c.broker.id)
		}
		return o
	case req.RequiredAcks < sarama.WaitForAll || req.RequiredAcks > sarama.WaitForLocal:
		return failure(sarama.ErrInvalidRequiredAcks, "")
	case t == nil && byID:
		return failure(sarama.ErrUnknownTopicID, "")
	case p == nil:
		return failure(sarama.ErrUnknownTopicOrPartition, "")
	}
	if err, leader, epoch := p.check(c.broker.id); err != sarama.ErrNoError {
		o := failure(err, "")
		o.leader, o.epoch = leader, epoch
		return o
	}
	check := checkBatch
	if r.Version < produceBatches {
		check = c.checkSet
	}
	in, err := check(part.Records, r.Version, t.settings())
	if err != nil {
		code, why := codeOf(err)
		return failure(code, "%s", *why)
	}
	if in.batch.Transactional() { // its transaction does not end meanwhile
		c.cluster.txns.mu.Lock()
		defer c.cluster.txns.mu.Unlock()
		if o := c.admitLocked(r, req, p, &in.batch); o.err != sarama.ErrNoError {
			return o
		}
	}
	return p.append(c.broker.id, &in, req.RequiredAcks == sarama.WaitForAll, !c.cluster.opts.Version.IsAtLeast(sarama.V2_5_0_0))
}

// checkBatch checks everything about a partition's records that can be told
// from their bytes.
func checkBatch(raw []byte, version int16, s *settings) (in incoming, err error) {
	if len(raw) == 0 {
		return in, refuse(sarama.ErrInvalidRecord, "produce requests must have at least one record batch per partition")
	}
	b, rest, err := record.Next(raw)
	switch {
	case errors.Is(err, record.ErrOldFormat):
		return in, refuse(sarama.ErrInvalidRecord, "produce requests of version %d have record batches of version 2", version)
	case err != nil:
		return in, refuse(sarama.ErrInvalidMessage, "%v", err)
	case len(rest) > 0:
		return in, refuse(sarama.ErrInvalidRecord, "produce requests must contain exactly one record batch per partition")
	case b.Codec() == compress.Zstd && version < produceZstd:
		return in, refuse(sarama.ErrUnsupportedCompressionType, "produce requests of version %d must not use zstd", version)
	case b.BaseOffset != 0:
		return in, refuse(sarama.ErrInvalidRecord, "the base offset of a batch must be 0, not %d", b.BaseOffset)
	case len(b.Raw) > s.messageMaxBytes:
		return in, refuse(sarama.ErrMessageSizeTooLarge, "the record batch has %d bytes, max.message.bytes is %d", len(b.Raw), s.messageMaxBytes)
	}
	if err := b.CheckCRC(); err != nil {
		return in, refuse(sarama.ErrInvalidMessage, "%v", err)
	}
	switch {
	case b.Count == 0 || int64(b.Count) != int64(b.LastOffsetDelta)+1:
		return in, refuse(sarama.ErrInvalidRecord, "a batch of %d records has the last offset delta %d", b.Count, b.LastOffsetDelta)
	case b.Control():
		return in, refuse(sarama.ErrInvalidRecord, "clients are not allowed to write control records")
	case b.ProducerID >= 0 && (b.ProducerEpoch < 0 || b.BaseSequence < 0):
		return in, refuse(sarama.ErrInvalidRecord, "producer %d has epoch %d and sequence %d", b.ProducerID, b.ProducerEpoch, b.BaseSequence)
	case b.LogAppendTime() && !s.logAppendTime:
		return in, refuse(sarama.ErrInvalidTimestamp, "producers must not set the timestamp type to LogAppendTime")
	}
	in.batch = b
	in.maxTimestamp, err = checkRecords(&b)
	return in, err
}

// checkRecords reads all records of a batch and returns the greatest time.
func checkRecords(b *record.Batch) (maxTimestamp int64, err error) {
	if b.Codec() == compress.None {
		if delta, ok := plainRecords(b.Records, int64(b.Count)); ok {
			return b.FirstTimestampMs + delta, nil
		}
	}
	it, err := b.Open(decompressedMaxBytes)
	if err != nil {
		return 0, refuse(sarama.ErrInvalidMessage, "%v", err)
	}
	var r record.Rec
	latest := int64(math.MinInt64)
	for next := int32(0); it.Next(&r); next++ {
		if r.OffsetDelta != next {
			return 0, refuse(sarama.ErrInvalidRecord, "record %d of the batch has the offset delta %d", next, r.OffsetDelta)
		}
		latest = max(latest, b.FirstTimestampMs+r.TimestampDelta)
	}
	if err := it.Err(); err != nil {
		return 0, refuse(sarama.ErrInvalidRecord, "%v", err)
	}
	return latest, nil
}

// plainRecords walks over records without headers, the usual ones, at a third
// of what it costs to read them. It returns the greatest timestamp delta. Where
// it is not ok the records may still be good.
func plainRecords(p []byte, count int64) (latest int64, ok bool) {
	for i := range count {
		length, p2 := plainVarint(p)
		if length < 1 || length > int64(len(p2)) {
			return 0, false
		}
		r := p2[1:length] // without the attributes
		p = p2[length:]
		delta, r := plainVarint(r)
		offset, r := plainVarint(r)
		if offset != i || len(r) == 0 {
			return 0, false
		}
		for range 2 { // key and value
			var n int64
			if n, r = plainVarint(r); n < -1 || n >= int64(len(r)) {
				return 0, false
			}
			r = r[max(n, 0):]
		}
		if len(r) != 1 || r[0] != 0 {
			return 0, false // headers, or not the end
		}
		if i == 0 || delta > latest {
			latest = delta
		}
	}
	return latest, len(p) == 0
}

// plainVarint reads a zigzag number of at most three bytes. Anything else leaves
// nothing to read on, so that the walk ends.
func plainVarint(p []byte) (int64, []byte) {
	if len(p) < 3 {
		if len(p) > 0 && p[0] < 0x80 {
			return int64(p[0]>>1) ^ -int64(p[0]&1), p[1:]
		}
		return -2, nil
	}
	u := uint64(p[0])
	if u < 0x80 {
		return int64(u>>1) ^ -int64(u&1), p[1:]
	}
	u = u&0x7f | uint64(p[1])<<7
	if u < 0x80<<7 {
		return int64(u>>1) ^ -int64(u&1), p[2:]
	}
	u = u&0x3fff | uint64(p[2])<<14
	if u < 0x80<<14 {
		return int64(u>>1) ^ -int64(u&1), p[3:]
	}
	return -2, nil
}
