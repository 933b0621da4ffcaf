package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// CoordinatorType tells what a FindCoordinatorRequest looks for.
type CoordinatorType int8

// The kinds of coordinator that Kafka has.
const (
	CoordinatorGroup CoordinatorType = iota
	CoordinatorTransaction
)

// FindCoordinatorRequest asks which broker coordinates a consumer group or a
// transactional id.
type FindCoordinatorRequest struct {
	Version         int16
	CoordinatorKey  string
	CoordinatorType CoordinatorType
	// CoordinatorKeys asks for several at once, from version 4 on (KIP-699);
	// where it is nil, CoordinatorKey is asked for.
	CoordinatorKeys []string
}

func (r *FindCoordinatorRequest) meta() (*api, *int16) { return apiFindCoordinator, &r.Version }

func (r *FindCoordinatorRequest) layout(c *wire.Codec) {
	if !c.From(4) {
		c.String(&r.CoordinatorKey)
	}
	if c.From(1) {
		c.Int8((*int8)(&r.CoordinatorType))
	}
	if !c.From(4) {
		return
	}
	if c.Writing() && r.CoordinatorKeys == nil {
		one := []string{r.CoordinatorKey}
		c.Strings(&one)
		return
	}
	if c.Strings(&r.CoordinatorKeys); !c.Writing() && len(r.CoordinatorKeys) > 0 {
		r.CoordinatorKey = r.CoordinatorKeys[0]
	}
}

// FindCoordinatorResponse is the answer to a FindCoordinatorRequest.
type FindCoordinatorResponse struct {
	Version      int16
	ThrottleTime time.Duration
	// Err, ErrMsg and Coordinator are the answer for one key; from version 4
	// on the first of Coordinators. Coordinator is nil where there is none.
	Err         KError
	ErrMsg      *string
	Coordinator *Broker
	// Coordinators has an answer for each key asked for, from version 4 on.
	Coordinators []*FoundCoordinator
}

// FoundCoordinator is the answer for one key of a FindCoordinatorRequest.
type FoundCoordinator struct {
	Key         string
	Err         KError
	ErrMsg      *string
	Coordinator *Broker // nil where there is none
}

func (r *FindCoordinatorResponse) meta() (*api, *int16) { return apiFindCoordinator, &r.Version }

func (r *FindCoordinatorResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *FindCoordinatorResponse) layout(c *wire.Codec) {
	layThrottle(c, 1, &r.ThrottleTime)
	if c.From(4) {
		r.layBatch(c)
		return
	}
	layKError(c, &r.Err)
	if c.From(1) {
		c.NullableString(&r.ErrMsg)
	}
	layCoordinator(c, &r.Coordinator)
}

// layBatch lays out the form that answers for several keys (KIP-699).
func (r *FindCoordinatorResponse) layBatch(c *wire.Codec) {
	list := r.Coordinators
	if c.Writing() && list == nil {
		list = []*FoundCoordinator{{Err: r.Err, ErrMsg: r.ErrMsg, Coordinator: r.Coordinator}}
	}
	wire.Structs(c, &list, (*FoundCoordinator).layout)
	if !c.Writing() {
		if r.Coordinators = list; len(list) > 0 {
			r.Err, r.ErrMsg, r.Coordinator = list[0].Err, list[0].ErrMsg, list[0].Coordinator
		}
	}
}

func (f *FoundCoordinator) layout(c *wire.Codec) {
	c.String(&f.Key)
	layCoordinator(c, &f.Coordinator)
	layKError(c, &f.Err)
	c.NullableString(&f.ErrMsg)
}

// layCoordinator lays out a broker that may be missing: then its id is -1.
func layCoordinator(c *wire.Codec, p **Broker) {
	b := *p
	if b == nil {
		b = NoNode
	}
	if !c.Writing() {
		b = new(Broker)
	}
	if b.layBroker(c); c.Writing() {
		return
	}
	if *p = b; b.id < 0 {
		*p = nil
	}
}

// InitProducerIDRequest asks for a producer id and epoch, with which a broker
// tells a producer's batches apart.
type InitProducerIDRequest struct {
	Version int16
	// TransactionalID is nil for a producer that is idempotent only.
	TransactionalID    *string
	TransactionTimeout time.Duration
	// ProducerID and ProducerEpoch are those in use, -1 for none, from version
	// 3 on (KIP-360): the broker then bumps the epoch.
	ProducerID    int64
	ProducerEpoch int16
}

func (r *InitProducerIDRequest) meta() (*api, *int16) { return apiInitProducerID, &r.Version }

func (r *InitProducerIDRequest) layout(c *wire.Codec) {
	c.NullableString(&r.TransactionalID)
	c.Millis(&r.TransactionTimeout)
	if c.From(3) {
		c.Int64(&r.ProducerID)
		c.Int16(&r.ProducerEpoch)
	}
}

// InitProducerIDResponse is the answer to an InitProducerIDRequest.
type InitProducerIDResponse struct {
	Version       int16
	ThrottleTime  time.Duration
	Err           KError
	ProducerID    int64
	ProducerEpoch int16
}

func (r *InitProducerIDResponse) meta() (*api, *int16) { return apiInitProducerID, &r.Version }

func (r *InitProducerIDResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *InitProducerIDResponse) layout(c *wire.Codec) {
	layThrottle(c, 0, &r.ThrottleTime)
	layKError(c, &r.Err)
	c.Int64(&r.ProducerID)
	c.Int16(&r.ProducerEpoch)
}
