package sarama

import (
	"fmt"
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// FetchResponse is the answer to a FetchRequest, with records as values.
type FetchResponse struct {
	// Blocks by topic and partition. From version 13 on topics are named by
	// the text form of their ids.
	Blocks       map[string]map[int32]*FetchResponseBlock
	ThrottleTime time.Duration
	// ErrorCode of the whole response and SessionID, from version 7 on.
	ErrorCode int16
	SessionID int32
	Version   int16
	// LogAppendTime and Timestamp are what the Add methods give to batches.
	LogAppendTime bool
	Timestamp     time.Time
	// NodeEndpoints of the brokers that blocks name as current leaders, from
	// version 16 on (KIP-951).
	NodeEndpoints []*ProduceResponseNodeEndpoint
}

// FetchResponseBlock is the answer for one partition.
type FetchResponseBlock struct {
	Err                 KError
	HighWaterMarkOffset int64
	// LastStableOffset from version 4 on, LogStartOffset from version 5 on.
	LastStableOffset int64
	LogStartOffset   int64
	// AbortedTransactions whose records are among those here; from version 4 on.
	AbortedTransactions []*AbortedTransaction
	// PreferredReadReplica is a broker that is better asked next time, -1 for
	// none; from version 11 on (KIP-392).
	PreferredReadReplica int32
	// Records is the first of RecordsSet.
	//
	// Deprecated: use RecordsSet.
	Records    *Records
	RecordsSet []*Records
	// Partial says that the records end within the first batch, or, in formats
	// before Kafka 0.11, within any message: more bytes are to be asked for.
	Partial bool
	// CurrentLeader and DivergingEpoch, where the broker says so; from version
	// 12 on (KIP-951, KIP-320).
	CurrentLeader  *FetchResponseCurrentLeader
	DivergingEpoch *FetchResponseDivergingEpoch
}

func (r *FetchResponse) meta() (*api, *int16) { return apiFetch, &r.Version }

func (r *FetchResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *FetchResponse) layout(c *wire.Codec) {
	raw := &fetchResponse{version: r.Version}
	if c.Writing() {
		if err := r.toWire(raw); err != nil {
			c.Fail(&r.Blocks, err)
			return
		}
	}
	raw.layout(c)
	if c.Writing() || c.Err() != nil {
		return
	}
	if err := r.fromWire(raw); err != nil {
		c.Fail(&r.Blocks, err)
	}
}

func (r *FetchResponse) toWire(raw *fetchResponse) error {
	raw.throttle, raw.err, raw.sessionID, raw.endpoints = r.ThrottleTime, KError(r.ErrorCode), r.SessionID, r.NodeEndpoints
	for _, topic := range sortedKeys(r.Blocks) {
		t := fetchedTopic{name: topic}
		for _, id := range sortedKeys(r.Blocks[topic]) {
			p, err := r.Blocks[topic][id].toWire(id)
			if err != nil {
				return fmt.Errorf("%s/%d: %w", topic, id, err)
			}
			t.partitions = append(t.partitions, p)
		}
		raw.topics = append(raw.topics, t)
	}
	return nil
}

func (b *FetchResponseBlock) toWire(id int32) (p fetchedPartition, err error) {
	p = fetchedPartition{
		id: id, err: b.Err, highWatermark: b.HighWaterMarkOffset, lastStableOffset: b.LastStableOffset,
		logStartOffset: b.LogStartOffset, preferredReadReplica: b.PreferredReadReplica,
		leader: b.CurrentLeader, diverging: b.DivergingEpoch, records: []byte{},
	}
	if b.AbortedTransactions != nil {
		p.aborted = make([]AbortedTransaction, len(b.AbortedTransactions))
	}
	for i, t := range b.AbortedTransactions {
		p.aborted[i] = *t
	}
	for _, r := range b.RecordsSet {
		if p.records, err = r.append(p.records); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (r *FetchResponse) fromWire(raw *fetchResponse) error {
	r.ThrottleTime, r.ErrorCode, r.SessionID, r.NodeEndpoints = raw.throttle, int16(raw.err), raw.sessionID, raw.endpoints
	r.Blocks = make(map[string]map[int32]*FetchResponseBlock, len(raw.topics))
	for i := range raw.topics {
		t := &raw.topics[i]
		r.Blocks[t.name] = make(map[int32]*FetchResponseBlock, len(t.partitions))
		for j := range t.partitions {
			p := &t.partitions[j]
			block, err := blockOf(p)
			if err != nil {
				return fmt.Errorf("%w, in %s/%d", err, t.name, p.id)
			}
			r.Blocks[t.name][p.id] = block
		}
	}
	return nil
}

func blockOf(p *fetchedPartition) (*FetchResponseBlock, error) {
	b := &FetchResponseBlock{
		Err: p.err, HighWaterMarkOffset: p.highWatermark, LastStableOffset: p.lastStableOffset, LogStartOffset: p.logStartOffset,
		PreferredReadReplica: p.preferredReadReplica, CurrentLeader: p.leader, DivergingEpoch: p.diverging,
	}
	if p.aborted != nil {
		b.AbortedTransactions = make([]*AbortedTransaction, len(p.aborted))
	}
	for i := range p.aborted {
		b.AbortedTransactions[i] = &p.aborted[i]
	}
	var err error
	if b.RecordsSet, b.Partial, err = readRecords(p.records); err != nil {
		return nil, err
	}
	if len(b.RecordsSet) > 0 {
		b.Records = b.RecordsSet[0]
	}
	return b, nil
}

// GetBlock returns the answer for a partition, nil where there is none.
func (r *FetchResponse) GetBlock(topic string, partition int32) *FetchResponseBlock {
	return r.Blocks[topic][partition]
}

// block finds or makes the block of a partition in a response that a test
// builds.
func (r *FetchResponse) block(topic string, partition int32) *FetchResponseBlock {
	if r.Blocks == nil {
		r.Blocks = make(map[string]map[int32]*FetchResponseBlock)
	}
	if r.Blocks[topic] == nil {
		r.Blocks[topic] = make(map[int32]*FetchResponseBlock)
	}
	b := r.Blocks[topic][partition]
	if b == nil {
		b = &FetchResponseBlock{PreferredReadReplica: -1}
		r.Blocks[topic][partition] = b
	}
	return b
}

// AddError sets the error of a partition.
func (r *FetchResponse) AddError(topic string, partition int32, err KError) {
	r.block(topic, partition).Err = err
}

// SetLastStableOffset sets the last stable offset of a partition.
func (r *FetchResponse) SetLastStableOffset(topic string, partition int32, offset int64) {
	r.block(topic, partition).LastStableOffset = offset
}

// SetLastOffsetDelta sets the last offset delta of the first batch of a
// partition, for a batch that compaction has taken records from.
func (r *FetchResponse) SetLastOffsetDelta(topic string, partition int32, offset int32) {
	b := r.block(topic, partition)
	r.firstBatch(b).LastOffsetDelta = offset
}

// firstBatch is the first of a partition's batches, a new one where there is
// none.
func (r *FetchResponse) firstBatch(b *FetchResponseBlock) *RecordBatch {
	for _, records := range b.RecordsSet {
		if records.RecordBatch != nil {
			return records.RecordBatch
		}
	}
	batch := r.newBatch(0)
	b.add(batch)
	return batch
}

// AddMessage appends a message of version 0 to the message set of a partition,
// as brokers before 0.11 have it.
func (r *FetchResponse) AddMessage(topic string, partition int32, key, value Encoder, offset int64) {
	r.AddMessageWithTimestamp(topic, partition, key, value, offset, time.Time{}, 0)
}

// AddMessageWithTimestamp is AddMessage for a version of choice. The time, which
// version 0 does not have, is the response's Timestamp where LogAppendTime says
// so.
func (r *FetchResponse) AddMessageWithTimestamp(topic string, partition int32, key, value Encoder, offset int64, timestamp time.Time, version int8) {
	if r.LogAppendTime {
		timestamp = r.Timestamp
	}
	b := r.block(topic, partition)
	if n := len(b.RecordsSet); n == 0 || b.RecordsSet[n-1].MsgSet == nil {
		b.RecordsSet = append(b.RecordsSet, &Records{MsgSet: new(MessageSet)})
	}
	set := b.RecordsSet[len(b.RecordsSet)-1].MsgSet
	set.Messages = append(set.Messages, &MessageBlock{Offset: offset, Msg: &Message{
		Key: encodeOrPanic(key), Value: encodeOrPanic(value), LogAppendTime: r.LogAppendTime, Timestamp: timestamp, Version: version,
	}})
}

func (b *FetchResponseBlock) add(batch *RecordBatch) {
	b.RecordsSet = append(b.RecordsSet, &Records{RecordBatch: batch})
}

func (r *FetchResponse) newBatch(offset int64) *RecordBatch {
	return &RecordBatch{
		Version: 2, FirstOffset: offset, LogAppendTime: r.LogAppendTime, FirstTimestamp: r.Timestamp, MaxTimestamp: r.Timestamp,
		ProducerID: -1, ProducerEpoch: -1,
	}
}

// AddRecord appends a record to the one batch of a partition, which starts at
// offset 0, with the response's Timestamp.
func (r *FetchResponse) AddRecord(topic string, partition int32, key, value Encoder, offset int64) {
	r.AddRecordWithTimestamp(topic, partition, key, value, offset, r.Timestamp)
}

// AddRecordWithTimestamp is AddRecord with a time of the record's own.
func (r *FetchResponse) AddRecordWithTimestamp(topic string, partition int32, key, value Encoder, offset int64, timestamp time.Time) {
	b := r.block(topic, partition)
	batch := r.firstBatch(b)
	batch.Records = append(batch.Records, recordOf(key, value, offset, timestamp.Sub(batch.FirstTimestamp)))
	batch.LastOffsetDelta = max(batch.LastOffsetDelta, int32(offset))
}

// AddRecordBatch adds a batch of one record, as an idempotent or transactional
// producer writes it.
func (r *FetchResponse) AddRecordBatch(topic string, partition int32, key, value Encoder, offset int64, producerID int64, isTransactional bool) {
	r.AddRecordBatchWithTimestamp(topic, partition, key, value, offset, producerID, isTransactional, time.Time{})
}

// AddRecordBatchWithTimestamp is AddRecordBatch with a time of the batch's own.
func (r *FetchResponse) AddRecordBatchWithTimestamp(topic string, partition int32, key, value Encoder, offset int64, producerID int64, isTransactional bool, timestamp time.Time) {
	batch := r.newBatch(offset)
	batch.FirstTimestamp, batch.MaxTimestamp = timestamp, timestamp
	batch.ProducerID, batch.IsTransactional = producerID, isTransactional
	batch.Records = []*Record{recordOf(key, value, 0, 0)}
	r.block(topic, partition).add(batch)
}

// AddControlRecord adds a batch with the marker that ends a transaction.
func (r *FetchResponse) AddControlRecord(topic string, partition int32, offset int64, producerID int64, recordType ControlRecordType) {
	r.AddControlRecordWithTimestamp(topic, partition, offset, producerID, recordType, time.Time{})
}

// AddControlRecordWithTimestamp is AddControlRecord with a time of the batch's
// own.
func (r *FetchResponse) AddControlRecordWithTimestamp(topic string, partition int32, offset int64, producerID int64, recordType ControlRecordType, timestamp time.Time) {
	batch := r.newBatch(offset)
	batch.FirstTimestamp, batch.MaxTimestamp = timestamp, timestamp
	batch.ProducerID, batch.IsTransactional, batch.Control = producerID, true, true
	batch.Records = []*Record{(&ControlRecord{Type: recordType}).record()}
	r.block(topic, partition).add(batch)
}

// recordOf makes a record of what tests give.
func recordOf(key, value Encoder, offset int64, sinceFirst time.Duration) *Record {
	return &Record{Key: encodeOrPanic(key), Value: encodeOrPanic(value), OffsetDelta: offset, TimestampDelta: sinceFirst}
}

// encodeOrPanic runs an encoder of a response that a test builds; its error is a
// mistake in the test.
func encodeOrPanic(e Encoder) []byte {
	if e == nil {
		return nil
	}
	b, err := e.Encode()
	if err != nil {
		panic(err)
	}
	return b
}
