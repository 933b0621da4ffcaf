package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// AddPartitionsToTxnRequest tells the coordinator of a transactional id which
// partitions its transaction is about to write to.
type AddPartitionsToTxnRequest struct {
	Version         int16
	TransactionalID string
	ProducerID      int64
	ProducerEpoch   int16
	TopicPartitions map[string][]int32
	// Transactions is the form in which brokers ask for several, from version
	// 4 on (KIP-890); where it is nil, the fields above are sent.
	Transactions []*AddPartitionsToTxnTransaction
}

// AddPartitionsToTxnTransaction is one of the transactions that a broker asks
// for.
type AddPartitionsToTxnTransaction struct {
	TransactionalID string
	ProducerID      int64
	ProducerEpoch   int16
	// VerifyOnly asks whether the partitions are in the transaction already.
	VerifyOnly      bool
	TopicPartitions map[string][]int32
}

func (t *AddPartitionsToTxnTransaction) layout(c *wire.Codec) {
	layProducer(c, &t.TransactionalID, &t.ProducerID, &t.ProducerEpoch)
	if c.From(4) {
		c.Bool(&t.VerifyOnly)
	}
	layNamedPartitionsNotNull(c, &t.TopicPartitions)
}

// layProducer lays out who has a transaction.
func layProducer(c *wire.Codec, transactionalID *string, id *int64, epoch *int16) {
	c.String(transactionalID)
	c.Int64(id)
	c.Int16(epoch)
}

func (r *AddPartitionsToTxnRequest) meta() (*api, *int16) { return apiAddPartitionsToTxn, &r.Version }

func (r *AddPartitionsToTxnRequest) layout(c *wire.Codec) {
	one := AddPartitionsToTxnTransaction{
		TransactionalID: r.TransactionalID, ProducerID: r.ProducerID, ProducerEpoch: r.ProducerEpoch, TopicPartitions: r.TopicPartitions,
	}
	if !c.From(4) {
		if c.Writing() && r.Transactions != nil {
			c.Invalid(&r.Transactions, "version %d is for one transaction", c.Version)
		}
		one.layout(c)
	} else {
		list := r.Transactions
		if c.Writing() && list == nil {
			list = []*AddPartitionsToTxnTransaction{&one}
		}
		if wire.Structs(c, &list, (*AddPartitionsToTxnTransaction).layout); !c.Writing() {
			if r.Transactions = list; len(list) > 0 && list[0] != nil {
				one = *list[0]
			}
		}
	}
	if !c.Writing() {
		r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.TopicPartitions =
			one.TransactionalID, one.ProducerID, one.ProducerEpoch, one.TopicPartitions
	}
}

// AddPartitionsToTxnResponse is the answer to an AddPartitionsToTxnRequest.
type AddPartitionsToTxnResponse struct {
	Version      int16
	ThrottleTime time.Duration
	// Err of the whole request, from version 4 on.
	Err KError
	// Errors by topic; from version 4 on those of the first of Transactions.
	Errors map[string][]*PartitionError
	// Transactions has the answer for each, from version 4 on.
	Transactions []*AddPartitionsToTxnResult
}

// AddPartitionsToTxnResult is the answer for one of several transactions.
type AddPartitionsToTxnResult struct {
	TransactionalID string
	Errors          map[string][]*PartitionError
}

// PartitionError is what became of one partition.
type PartitionError struct {
	Partition int32
	Err       KError
}

func (p *PartitionError) layout(c *wire.Codec) {
	c.Int32(&p.Partition)
	layKError(c, &p.Err)
}

// layPartitionErrors lays out errors by topic.
func layPartitionErrors(c *wire.Codec, m *map[string][]*PartitionError) {
	layMap(c, m, func(topic *string, list *[]*PartitionError) {
		c.String(topic)
		wire.Structs(c, list, (*PartitionError).layout)
	})
}

func (t *AddPartitionsToTxnResult) layout(c *wire.Codec) {
	c.String(&t.TransactionalID)
	layPartitionErrors(c, &t.Errors)
}

func (r *AddPartitionsToTxnResponse) meta() (*api, *int16) { return apiAddPartitionsToTxn, &r.Version }

func (r *AddPartitionsToTxnResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *AddPartitionsToTxnResponse) layout(c *wire.Codec) {
	layThrottle(c, 0, &r.ThrottleTime)
	if !c.From(4) {
		layPartitionErrors(c, &r.Errors)
		return
	}
	layKError(c, &r.Err)
	list := r.Transactions
	if c.Writing() && list == nil && r.Errors != nil {
		list = []*AddPartitionsToTxnResult{{Errors: r.Errors}}
	}
	if wire.Structs(c, &list, (*AddPartitionsToTxnResult).layout); !c.Writing() {
		if r.Transactions = list; len(list) > 0 && list[0] != nil {
			r.Errors = list[0].Errors
		}
	}
}

// AddOffsetsToTxnRequest tells the coordinator of a transactional id that its
// transaction is about to commit offsets of a group.
type AddOffsetsToTxnRequest struct {
	Version         int16
	TransactionalID string
	ProducerID      int64
	ProducerEpoch   int16
	GroupID         string
}

func (r *AddOffsetsToTxnRequest) meta() (*api, *int16) { return apiAddOffsetsToTxn, &r.Version }

func (r *AddOffsetsToTxnRequest) layout(c *wire.Codec) {
	layProducer(c, &r.TransactionalID, &r.ProducerID, &r.ProducerEpoch)
	c.String(&r.GroupID)
}

// AddOffsetsToTxnResponse is the answer to an AddOffsetsToTxnRequest.
type AddOffsetsToTxnResponse struct {
	Version      int16
	ThrottleTime time.Duration
	Err          KError
}

func (r *AddOffsetsToTxnResponse) meta() (*api, *int16) { return apiAddOffsetsToTxn, &r.Version }

func (r *AddOffsetsToTxnResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *AddOffsetsToTxnResponse) layout(c *wire.Codec) {
	layThrottle(c, 0, &r.ThrottleTime)
	layKError(c, &r.Err)
}

// EndTxnRequest commits or aborts a transaction.
type EndTxnRequest struct {
	Version         int16
	TransactionalID string
	ProducerID      int64
	ProducerEpoch   int16
	// TransactionResult is true to commit, false to abort.
	TransactionResult bool
}

func (r *EndTxnRequest) meta() (*api, *int16) { return apiEndTxn, &r.Version }

func (r *EndTxnRequest) layout(c *wire.Codec) {
	layProducer(c, &r.TransactionalID, &r.ProducerID, &r.ProducerEpoch)
	c.Bool(&r.TransactionResult)
}

// EndTxnResponse is the answer to an EndTxnRequest.
type EndTxnResponse struct {
	Version      int16
	ThrottleTime time.Duration
	Err          KError
	// ProducerID and ProducerEpoch are those of the next transaction, -1 where
	// they stay, from version 5 on (KIP-890).
	ProducerID    int64
	ProducerEpoch int16
}

func (r *EndTxnResponse) meta() (*api, *int16) { return apiEndTxn, &r.Version }

func (r *EndTxnResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *EndTxnResponse) layout(c *wire.Codec) {
	layThrottle(c, 0, &r.ThrottleTime)
	layKError(c, &r.Err)
	if c.From(5) {
		c.Int64(&r.ProducerID)
		c.Int16(&r.ProducerEpoch)
	} else if !c.Writing() {
		r.ProducerID, r.ProducerEpoch = -1, -1
	}
}

// TxnOffsetCommitRequest stores how far a group has come, as part of a
// transaction: it counts when the transaction is committed. It goes to the
// group's coordinator.
type TxnOffsetCommitRequest struct {
	Version         int16
	TransactionalID string
	GroupID         string
	ProducerID      int64
	ProducerEpoch   int16
	// GenerationID, MemberID and GroupInstanceID fence a member that was
	// replaced (KIP-447), from version 3 on. A generation of
	// GroupGenerationUndefined fences nobody.
	GenerationID    int32
	MemberID        string
	GroupInstanceID *string
	Topics          map[string][]*PartitionOffsetMetadata
}

func (r *TxnOffsetCommitRequest) meta() (*api, *int16) { return apiTxnOffsetCommit, &r.Version }

func (r *TxnOffsetCommitRequest) layout(c *wire.Codec) {
	c.String(&r.TransactionalID)
	c.String(&r.GroupID)
	c.Int64(&r.ProducerID)
	c.Int16(&r.ProducerEpoch)
	if c.From(3) {
		c.Int32(&r.GenerationID)
		c.String(&r.MemberID)
		c.NullableString(&r.GroupInstanceID)
	}
	layMap(c, &r.Topics, func(topic *string, list *[]*PartitionOffsetMetadata) {
		c.String(topic)
		wire.Structs(c, list, (*PartitionOffsetMetadata).layout)
	})
}

func (p *PartitionOffsetMetadata) layout(c *wire.Codec) {
	c.Int32(&p.Partition)
	c.Int64(&p.Offset)
	if c.From(2) {
		c.Int32(&p.LeaderEpoch)
	} else if !c.Writing() {
		p.LeaderEpoch = -1
	}
	c.NullableString(&p.Metadata)
}

// TxnOffsetCommitResponse is the answer to a TxnOffsetCommitRequest.
type TxnOffsetCommitResponse struct {
	Version      int16
	ThrottleTime time.Duration
	// Topics has the partitions' errors.
	Topics map[string][]*PartitionError
}

func (r *TxnOffsetCommitResponse) meta() (*api, *int16) { return apiTxnOffsetCommit, &r.Version }

func (r *TxnOffsetCommitResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *TxnOffsetCommitResponse) layout(c *wire.Codec) {
	layThrottle(c, 0, &r.ThrottleTime)
	layPartitionErrors(c, &r.Topics)
}
