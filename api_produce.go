package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// ProduceRequest carries records to the leader of their partitions.
type ProduceRequest struct {
	// TransactionalID is nil outside a transaction; from version 3 on.
	TransactionalID *string
	// RequiredAcks says which replicas must have the records before the broker
	// answers; with NoResponse it does not answer at all.
	RequiredAcks RequiredAcks
	// Timeout in milliseconds that the broker waits for its replicas.
	Timeout int32
	// Version of the request on the wire. From version 13 on topics are named
	// by the text form of their ids (KIP-516).
	Version int16

	topics []produceTopic
}

type produceTopic struct {
	name       string
	partitions []producePartition
}

// producePartition holds the records of one partition: as a value that the
// API shows, or in wire form.
type producePartition struct {
	id      int32
	records *Records
	raw     []byte
}

// AddBatch sets the records of a partition.
func (r *ProduceRequest) AddBatch(topic string, partition int32, batch *RecordBatch) {
	*r.partition(topic, partition) = producePartition{id: partition, records: &Records{RecordBatch: batch}}
}

// AddSet sets the messages of a partition, for brokers before 0.11: versions 0
// to 2.
func (r *ProduceRequest) AddSet(topic string, partition int32, set *MessageSet) {
	*r.partition(topic, partition) = producePartition{id: partition, records: &Records{MsgSet: set}}
}

// AddMessage adds to the messages of a partition, for brokers before 0.11:
// versions 0 to 2. It takes the place of a batch there.
func (r *ProduceRequest) AddMessage(topic string, partition int32, msg *Message) {
	p := r.partition(topic, partition)
	if p.records == nil || p.records.MsgSet == nil {
		*p = producePartition{id: partition, records: &Records{MsgSet: new(MessageSet)}}
	}
	p.records.MsgSet.Messages = append(p.records.MsgSet.Messages, &MessageBlock{Msg: msg})
}

func (r *ProduceRequest) partition(topic string, partition int32) *producePartition {
	for i := range r.topics {
		if t := &r.topics[i]; t.name == topic {
			for j := range t.partitions {
				if p := &t.partitions[j]; p.id == partition {
					return p
				}
			}
			t.partitions = append(t.partitions, producePartition{id: partition})
			return &t.partitions[len(t.partitions)-1]
		}
	}
	r.topics = append(r.topics, produceTopic{name: topic})
	return r.partition(topic, partition)
}

func (r *ProduceRequest) meta() (*api, *int16) { return apiProduce, &r.Version }

func (r *ProduceRequest) layout(c *wire.Codec) {
	if c.From(3) {
		c.NullableString(&r.TransactionalID)
	}
	c.Int16((*int16)(&r.RequiredAcks))
	c.Int32(&r.Timeout)
	wire.Values(c, &r.topics, (*produceTopic).layout)
}

func (t *produceTopic) layout(c *wire.Codec) {
	layTopic(c, 13, &t.name)
	wire.Values(c, &t.partitions, (*producePartition).layout)
}

func (p *producePartition) layout(c *wire.Codec) {
	c.Int32(&p.id)
	if c.Writing() && p.records != nil {
		raw, err := p.records.append(nil)
		if err != nil {
			c.Fail(&p.records, err)
			return
		}
		p.raw = raw
	}
	c.Splice(&p.raw)
}

// ProduceResponse is the answer to a ProduceRequest.
type ProduceResponse struct {
	// Blocks by topic and partition. From version 13 on topics are named by
	// the text form of their ids.
	Blocks       map[string]map[int32]*ProduceResponseBlock
	Version      int16
	ThrottleTime time.Duration
	// NodeEndpoints of the brokers that blocks name as current leaders, from
	// version 10 on (KIP-951).
	NodeEndpoints []*ProduceResponseNodeEndpoint
}

// ProduceResponseBlock is the answer for one partition.
type ProduceResponseBlock struct {
	Err KError
	// Offset of the first record.
	Offset int64
	// Timestamp that the broker gave to the records, from version 2 on; zero
	// where they keep those of their producer.
	Timestamp time.Time
	// StartOffset of the partition's log, from version 5 on.
	StartOffset int64
	// RecordErrors and ErrorMessage say which records the broker refused and
	// why, from version 8 on (KIP-467).
	RecordErrors []ProduceResponseRecordError
	ErrorMessage *string
	// CurrentLeader where the broker that was asked no longer is, from version
	// 10 on (KIP-951); nil where nothing was said.
	CurrentLeader *ProduceResponseCurrentLeader
}

// ProduceResponseRecordError names a record by its index in the batch.
type ProduceResponseRecordError struct {
	BatchIndex             int32
	BatchIndexErrorMessage *string
}

// ProduceResponseCurrentLeader is a partition's leader and its epoch, each -1
// when unknown.
type ProduceResponseCurrentLeader struct {
	LeaderID    int32
	LeaderEpoch int32
}

// ProduceResponseNodeEndpoint is the address of a broker.
type ProduceResponseNodeEndpoint struct {
	NodeID int32
	Host   string
	Port   int32
	Rack   *string
}

func (r *ProduceResponse) meta() (*api, *int16) { return apiProduce, &r.Version }

func (r *ProduceResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *ProduceResponse) layout(c *wire.Codec) {
	raw := produceResponse{version: r.Version, throttle: r.ThrottleTime, endpoints: r.NodeEndpoints}
	if c.Writing() {
		for _, topic := range sortedKeys(r.Blocks) {
			t := producedTopic{name: topic}
			for _, id := range sortedKeys(r.Blocks[topic]) {
				t.partitions = append(t.partitions, producedPartition{id, *r.Blocks[topic][id]})
			}
			raw.topics = append(raw.topics, t)
		}
	}
	raw.layout(c)
	if c.Writing() || c.Err() != nil {
		return
	}
	r.ThrottleTime, r.NodeEndpoints = raw.throttle, raw.endpoints
	r.Blocks = make(map[string]map[int32]*ProduceResponseBlock, len(raw.topics))
	for i := range raw.topics {
		t := &raw.topics[i]
		r.Blocks[t.name] = make(map[int32]*ProduceResponseBlock, len(t.partitions))
		for j := range t.partitions {
			r.Blocks[t.name][t.partitions[j].id] = &t.partitions[j].block
		}
	}
}

// produceResponse is a ProduceResponse as the producer works with it: in wire
// order.
type produceResponse struct {
	version   int16
	topics    []producedTopic
	throttle  time.Duration
	endpoints []*ProduceResponseNodeEndpoint
}

type producedTopic struct {
	name       string
	partitions []producedPartition
}

type producedPartition struct {
	id    int32
	block ProduceResponseBlock
}

func (r *produceResponse) meta() (*api, *int16) { return apiProduce, &r.version }

func (r *produceResponse) throttleTime() time.Duration { return r.throttle }

func (r *produceResponse) layout(c *wire.Codec) {
	wire.Values(c, &r.topics, (*producedTopic).layout)
	layThrottle(c, 1, &r.throttle)
	if c.From(10) {
		c.Tags(tagNodeEndpoints(&r.endpoints))
	}
}

func (t *producedTopic) layout(c *wire.Codec) {
	layTopic(c, 13, &t.name)
	wire.Values(c, &t.partitions, (*producedPartition).layout)
}

func (p *producedPartition) layout(c *wire.Codec) {
	c.Int32(&p.id)
	p.block.layout(c)
}

func (b *ProduceResponseBlock) layout(c *wire.Codec) {
	layKError(c, &b.Err)
	c.Int64(&b.Offset)
	if c.From(2) {
		ms := milliOf(b.Timestamp)
		if c.Int64(&ms); !c.Writing() {
			b.Timestamp = unixMilli(ms)
		}
	}
	if c.From(5) {
		c.Int64(&b.StartOffset)
	}
	if c.From(8) {
		wire.Values(c, &b.RecordErrors, (*ProduceResponseRecordError).layout)
		c.NullableString(&b.ErrorMessage)
	}
	if c.From(10) {
		c.Tags(wire.Tag{ID: 0, Set: b.CurrentLeader != nil, Layout: func(c *wire.Codec) {
			if b.CurrentLeader == nil {
				b.CurrentLeader = new(ProduceResponseCurrentLeader)
			}
			layLeader(c, &b.CurrentLeader.LeaderID, &b.CurrentLeader.LeaderEpoch)
			c.End()
		}})
	}
}

func (e *ProduceResponseRecordError) layout(c *wire.Codec) {
	c.Int32(&e.BatchIndex)
	c.NullableString(&e.BatchIndexErrorMessage)
}

// tagNodeEndpoints is the optional field in which Produce and Fetch responses
// give the addresses of new leaders.
func tagNodeEndpoints(list *[]*ProduceResponseNodeEndpoint) wire.Tag {
	return wire.Tag{ID: 0, Set: len(*list) > 0, Layout: func(c *wire.Codec) {
		wire.Structs(c, list, (*ProduceResponseNodeEndpoint).layout)
	}}
}

func (n *ProduceResponseNodeEndpoint) layout(c *wire.Codec) {
	c.Int32(&n.NodeID)
	c.String(&n.Host)
	c.Int32(&n.Port)
	c.NullableString(&n.Rack)
}

// GetBlock returns the answer for a partition, nil where there is none.
func (r *ProduceResponse) GetBlock(topic string, partition int32) *ProduceResponseBlock {
	return r.Blocks[topic][partition]
}

// AddTopicPartition adds an answer to a response that a test builds.
func (r *ProduceResponse) AddTopicPartition(topic string, partition int32, err KError) {
	if r.Blocks == nil {
		r.Blocks = make(map[string]map[int32]*ProduceResponseBlock)
	}
	if r.Blocks[topic] == nil {
		r.Blocks[topic] = make(map[int32]*ProduceResponseBlock)
	}
	block := &ProduceResponseBlock{Err: err}
	if r.Version >= 2 {
		block.Timestamp = time.Now()
	}
	r.Blocks[topic][partition] = block
}
