package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// FetchRequest asks a broker for the records of some partitions.
type FetchRequest struct {
	Version     int16
	MaxWaitTime int32 // ms that the broker may wait for MinBytes
	MinBytes    int32
	MaxBytes    int32 // of the whole response, from version 3 on
	Isolation   IsolationLevel
	// SessionID and SessionEpoch of an incremental fetch, from version 7 on
	// (KIP-227); 0 and -1 for a fetch without session.
	SessionID    int32
	SessionEpoch int32
	// RackID lets the broker name a replica that is closer, from version 11 on
	// (KIP-392).
	RackID string

	topics    []fetchTopic
	forgotten []forgottenTopic
}

type fetchTopic struct {
	name       string // from version 13 on the text form of the topic's id
	partitions []fetchPartition
}

type fetchPartition struct {
	id                 int32
	currentLeaderEpoch int32
	fetchOffset        int64
	lastFetchedEpoch   int32
	logStartOffset     int64 // of a follower, -1 for consumers
	maxBytes           int32
}

type forgottenTopic struct {
	name       string
	partitions []int32
}

// AddBlock asks for the records of a partition from an offset on, at most
// maxBytes of them (one batch comes whole whatever its size).
func (r *FetchRequest) AddBlock(topic string, partitionID int32, fetchOffset int64, maxBytes int32, leaderEpoch int32) {
	p := fetchPartition{
		id: partitionID, currentLeaderEpoch: -1, fetchOffset: fetchOffset, lastFetchedEpoch: -1, logStartOffset: -1, maxBytes: maxBytes,
	}
	if r.Version >= 9 {
		p.currentLeaderEpoch = leaderEpoch
	}
	for i := range r.topics {
		if t := &r.topics[i]; t.name == topic {
			for j := range t.partitions {
				if t.partitions[j].id == partitionID {
					t.partitions[j] = p
					return
				}
			}
			t.partitions = append(t.partitions, p)
			return
		}
	}
	r.topics = append(r.topics, fetchTopic{name: topic, partitions: []fetchPartition{p}})
}

func (r *FetchRequest) meta() (*api, *int16) { return apiFetch, &r.Version }

func (r *FetchRequest) layout(c *wire.Codec) {
	if !c.From(15) {
		replica := int32(-1) // a consumer
		c.Int32(&replica)
	}
	c.Int32(&r.MaxWaitTime)
	c.Int32(&r.MinBytes)
	if c.From(3) {
		c.Int32(&r.MaxBytes)
	}
	if c.From(4) {
		c.Int8((*int8)(&r.Isolation))
	}
	if c.From(7) {
		c.Int32(&r.SessionID)
		c.Int32(&r.SessionEpoch)
	}
	wire.Values(c, &r.topics, (*fetchTopic).layout)
	if c.From(7) {
		wire.Values(c, &r.forgotten, (*forgottenTopic).layout)
	}
	if c.From(11) {
		c.String(&r.RackID)
	}
}

func (t *fetchTopic) layout(c *wire.Codec) {
	layTopic(c, 13, &t.name)
	wire.Values(c, &t.partitions, (*fetchPartition).layout)
}

func (p *fetchPartition) layout(c *wire.Codec) {
	if !c.Writing() {
		p.currentLeaderEpoch, p.lastFetchedEpoch, p.logStartOffset = -1, -1, -1
	}
	c.Int32(&p.id)
	if c.From(9) {
		c.Int32(&p.currentLeaderEpoch)
	}
	c.Int64(&p.fetchOffset)
	if c.From(12) {
		c.Int32(&p.lastFetchedEpoch)
	}
	if c.From(5) {
		c.Int64(&p.logStartOffset)
	}
	c.Int32(&p.maxBytes)
}

func (t *forgottenTopic) layout(c *wire.Codec) {
	layTopic(c, 13, &t.name)
	c.Int32s(&t.partitions)
}

// fetchResponse is a FetchResponse as the consumer works with it: in wire
// order, records in wire form.
type fetchResponse struct {
	version   int16
	throttle  time.Duration
	err       KError
	sessionID int32
	topics    []fetchedTopic
	endpoints []*ProduceResponseNodeEndpoint
}

type fetchedTopic struct {
	name       string // from version 13 on the text form of the topic's id
	partitions []fetchedPartition
}

type fetchedPartition struct {
	id                   int32
	err                  KError
	highWatermark        int64
	lastStableOffset     int64
	logStartOffset       int64
	preferredReadReplica int32
	aborted              []AbortedTransaction
	leader               *FetchResponseCurrentLeader
	diverging            *FetchResponseDivergingEpoch
	records              []byte // shares the frame's memory
}

func (r *fetchResponse) meta() (*api, *int16) { return apiFetch, &r.version }

func (r *fetchResponse) throttleTime() time.Duration { return r.throttle }

func (r *fetchResponse) layout(c *wire.Codec) {
	layThrottle(c, 1, &r.throttle)
	if c.From(7) {
		layKError(c, &r.err)
		c.Int32(&r.sessionID)
	}
	wire.Values(c, &r.topics, (*fetchedTopic).layout)
	if c.From(16) {
		c.Tags(tagNodeEndpoints(&r.endpoints))
	}
}

func (t *fetchedTopic) layout(c *wire.Codec) {
	layTopic(c, 13, &t.name)
	wire.Values(c, &t.partitions, (*fetchedPartition).layout)
}

func (p *fetchedPartition) layout(c *wire.Codec) {
	if !c.Writing() {
		p.lastStableOffset, p.logStartOffset, p.preferredReadReplica = -1, -1, -1
	}
	c.Int32(&p.id)
	layKError(c, &p.err)
	c.Int64(&p.highWatermark)
	if c.From(4) {
		c.Int64(&p.lastStableOffset)
		if c.From(5) {
			c.Int64(&p.logStartOffset)
		}
		wire.NullableValues(c, &p.aborted, (*AbortedTransaction).layout)
	}
	if c.From(11) {
		c.Int32(&p.preferredReadReplica)
	}
	c.Splice(&p.records)
	if c.From(12) {
		c.Tags(
			wire.Tag{ID: 0, Set: p.diverging != nil, Layout: func(c *wire.Codec) {
				if p.diverging == nil {
					p.diverging = new(FetchResponseDivergingEpoch)
				}
				c.Int32(&p.diverging.Epoch)
				c.Int64(&p.diverging.EndOffset)
				c.End()
			}},
			wire.Tag{ID: 1, Set: p.leader != nil, Layout: func(c *wire.Codec) {
				if p.leader == nil {
					p.leader = new(FetchResponseCurrentLeader)
				}
				layLeader(c, &p.leader.LeaderID, &p.leader.LeaderEpoch)
				c.End()
			}},
		)
	}
}

// AbortedTransaction says that what a producer wrote from FirstOffset on, up
// to the next abort marker of the same producer, is not committed.
type AbortedTransaction struct {
	ProducerID  int64
	FirstOffset int64
}

func (t *AbortedTransaction) layout(c *wire.Codec) {
	c.Int64(&t.ProducerID)
	c.Int64(&t.FirstOffset)
}

// FetchResponseCurrentLeader is a partition's leader and its epoch, each -1
// when unknown.
type FetchResponseCurrentLeader struct {
	LeaderID    int32
	LeaderEpoch int32
}

// FetchResponseDivergingEpoch is the largest epoch that the broker shares with
// the one who fetches, and the offset at which it ends there.
type FetchResponseDivergingEpoch struct {
	Epoch     int32
	EndOffset int64
}
