package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// epochEndRequest asks the leader of some partitions where the records of a
// leader epoch end (the OffsetForLeaderEpoch API, KIP-320).
type epochEndRequest struct {
	version   int16
	replicaID int32 // one above the id, so that a new request means -1, a consumer
	topics    []epochEndTopic
}

type epochEndTopic struct {
	name       string
	partitions []epochEndPartition
}

type epochEndPartition struct {
	id                 int32
	currentLeaderEpoch int32 // that the asker believes in, -1 when unknown
	leaderEpoch        int32 // to look up
}

func (r *epochEndRequest) meta() (*api, *int16) { return apiOffsetForLeaderEpoch, &r.version }

func (r *epochEndRequest) layout(c *wire.Codec) {
	if c.From(3) {
		id := r.replicaID - 1
		if c.Int32(&id); !c.Writing() {
			r.replicaID = id + 1
		}
	}
	wire.Values(c, &r.topics, (*epochEndTopic).layout)
}

func (t *epochEndTopic) layout(c *wire.Codec) {
	c.String(&t.name)
	wire.Values(c, &t.partitions, (*epochEndPartition).layout)
}

func (p *epochEndPartition) layout(c *wire.Codec) {
	if !c.Writing() {
		p.currentLeaderEpoch = -1
	}
	c.Int32(&p.id)
	if c.From(2) {
		c.Int32(&p.currentLeaderEpoch)
	}
	c.Int32(&p.leaderEpoch)
}

// epochEndResponse is the answer to an epochEndRequest.
type epochEndResponse struct {
	version  int16
	throttle time.Duration
	topics   []epochEndedTopic
}

type epochEndedTopic struct {
	name       string
	partitions []epochEnd
}

// epochEnd is the largest epoch that is not above the one asked for, and the
// offset behind its last record; each -1 where there is none.
type epochEnd struct {
	id          int32
	err         KError
	leaderEpoch int32
	endOffset   int64
}

func (r *epochEndResponse) meta() (*api, *int16) { return apiOffsetForLeaderEpoch, &r.version }

func (r *epochEndResponse) throttleTime() time.Duration { return r.throttle }

func (r *epochEndResponse) layout(c *wire.Codec) {
	layThrottle(c, 2, &r.throttle)
	wire.Values(c, &r.topics, (*epochEndedTopic).layout)
}

func (t *epochEndedTopic) layout(c *wire.Codec) {
	c.String(&t.name)
	wire.Values(c, &t.partitions, (*epochEnd).layout)
}

func (p *epochEnd) layout(c *wire.Codec) {
	if !c.Writing() {
		p.leaderEpoch = -1
	}
	layKError(c, &p.err)
	c.Int32(&p.id)
	if c.From(1) {
		c.Int32(&p.leaderEpoch)
	}
	c.Int64(&p.endOffset)
}
