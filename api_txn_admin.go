package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// DescribeProducersRequest asks the leader of partitions who produces to them
// (KIP-664).
type DescribeProducersRequest struct {
	Version int16
	Topics  []DescribeProducersRequestTopic
}

// DescribeProducersRequestTopic has partitions of one topic.
type DescribeProducersRequestTopic struct {
	Name             string
	PartitionIndexes []int32
}

func (r *DescribeProducersRequest) meta() (*api, *int16) { return apiDescribeProducers, &r.Version }

func (r *DescribeProducersRequest) layout(c *wire.Codec) {
	wire.Values(c, &r.Topics, func(t *DescribeProducersRequestTopic, c *wire.Codec) {
		c.String(&t.Name)
		c.Int32s(&t.PartitionIndexes)
	})
}

// DescribeProducersResponse is the answer to a DescribeProducersRequest.
type DescribeProducersResponse struct {
	Version      int16
	ThrottleTime time.Duration
	Topics       []DescribeProducersResponseTopic
}

// DescribeProducersResponseTopic has the partitions of one topic.
type DescribeProducersResponseTopic struct {
	Name       string
	Partitions []DescribeProducersResponsePartition
}

// DescribeProducersResponsePartition has the idempotent and transactional
// producers of one partition.
type DescribeProducersResponsePartition struct {
	PartitionIndex  int32
	ErrorCode       KError
	ErrorMessage    *string
	ActiveProducers []ProducerState
}

// ProducerState is what a partition's leader knows of a producer.
type ProducerState struct {
	ProducerID    int64
	ProducerEpoch int32
	// LastSequence and LastTimestamp, in milliseconds since 1970, are those of
	// the last batch, -1 where there is none.
	LastSequence  int32
	LastTimestamp int64
	// CoordinatorEpoch is that of the transaction's last marker.
	CoordinatorEpoch int32
	// CurrentTxnStartOffset is where the open transaction begins, -1 where none
	// is open.
	CurrentTxnStartOffset int64
}

func (p *ProducerState) layout(c *wire.Codec) {
	c.Int64(&p.ProducerID)
	c.Int32(&p.ProducerEpoch)
	c.Int32(&p.LastSequence)
	c.Int64(&p.LastTimestamp)
	c.Int32(&p.CoordinatorEpoch)
	c.Int64(&p.CurrentTxnStartOffset)
}

func (r *DescribeProducersResponse) meta() (*api, *int16) { return apiDescribeProducers, &r.Version }

func (r *DescribeProducersResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *DescribeProducersResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	wire.Values(c, &r.Topics, func(t *DescribeProducersResponseTopic, c *wire.Codec) {
		c.String(&t.Name)
		wire.Values(c, &t.Partitions, (*DescribeProducersResponsePartition).layout)
	})
}

func (p *DescribeProducersResponsePartition) layout(c *wire.Codec) {
	c.Int32(&p.PartitionIndex)
	layKError(c, &p.ErrorCode)
	c.NullableString(&p.ErrorMessage)
	wire.Values(c, &p.ActiveProducers, (*ProducerState).layout)
}

// The states of a transactional id.
const (
	TransactionStateEmpty             = "Empty"
	TransactionStateOngoing           = "Ongoing"
	TransactionStatePrepareCommit     = "PrepareCommit"
	TransactionStatePrepareAbort      = "PrepareAbort"
	TransactionStateCompleteCommit    = "CompleteCommit"
	TransactionStateCompleteAbort     = "CompleteAbort"
	TransactionStateDead              = "Dead"
	TransactionStatePrepareEpochFence = "PrepareEpochFence"
)

// DescribeTransactionsRequest asks the coordinator of transactional ids for
// their state (KIP-664).
type DescribeTransactionsRequest struct {
	Version          int16
	TransactionalIDs []string
}

func (r *DescribeTransactionsRequest) meta() (*api, *int16) {
	return apiDescribeTransactions, &r.Version
}

func (r *DescribeTransactionsRequest) layout(c *wire.Codec) { c.Strings(&r.TransactionalIDs) }

// DescribeTransactionsResponse is the answer to a DescribeTransactionsRequest.
type DescribeTransactionsResponse struct {
	Version           int16
	ThrottleTime      time.Duration
	TransactionStates []TransactionState
}

// TransactionState is the state of a transactional id and of its transaction.
type TransactionState struct {
	ErrorCode       KError
	TransactionalID string
	// TransactionState is one of the constants of that name.
	TransactionState   string
	TransactionTimeout time.Duration
	// TransactionStartTime in milliseconds since 1970, -1 where none is open.
	TransactionStartTime int64
	ProducerID           int64
	ProducerEpoch        int16
	// Topics that the transaction has written to.
	Topics []DescribeTransactionsResponseTopic
}

// DescribeTransactionsResponseTopic has partitions of one topic.
type DescribeTransactionsResponseTopic struct {
	Topic      string
	Partitions []int32
}

func (t *TransactionState) layout(c *wire.Codec) {
	layKError(c, &t.ErrorCode)
	c.String(&t.TransactionalID)
	c.String(&t.TransactionState)
	c.Millis(&t.TransactionTimeout)
	c.Int64(&t.TransactionStartTime)
	c.Int64(&t.ProducerID)
	c.Int16(&t.ProducerEpoch)
	wire.Values(c, &t.Topics, func(t *DescribeTransactionsResponseTopic, c *wire.Codec) {
		c.String(&t.Topic)
		c.Int32s(&t.Partitions)
	})
}

func (r *DescribeTransactionsResponse) meta() (*api, *int16) {
	return apiDescribeTransactions, &r.Version
}

func (r *DescribeTransactionsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *DescribeTransactionsResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	wire.Values(c, &r.TransactionStates, (*TransactionState).layout)
}

// ListTransactionsRequest asks a broker which transactional ids it coordinates
// (KIP-664).
type ListTransactionsRequest struct {
	Version int16
	// StateFilters and ProducerIDFilters limit the answer to these states and
	// producers; none is for all.
	StateFilters      []string
	ProducerIDFilters []int64
	// DurationFilter limits the answer to transactions that have been open for
	// longer, in milliseconds (KIP-994), from version 1 on; negative is for all.
	DurationFilter int64
	// TransactionalIDPattern is a regular expression of RE2 that limits the
	// answer to ids that match as a whole (KIP-1152); it needs version 2.
	TransactionalIDPattern *string
}

// NewListTransactionsRequest returns a request at the version that belongs to a
// Kafka version, for all transactional ids.
func NewListTransactionsRequest(version KafkaVersion) *ListTransactionsRequest {
	return &ListTransactionsRequest{Version: apiListTransactions.versionFor(version), DurationFilter: -1}
}

func (r *ListTransactionsRequest) meta() (*api, *int16) { return apiListTransactions, &r.Version }

func (r *ListTransactionsRequest) layout(c *wire.Codec) {
	c.Strings(&r.StateFilters)
	c.Int64s(&r.ProducerIDFilters)
	needs(c, 1, &r.DurationFilter, r.DurationFilter > 0)
	if c.From(1) {
		c.Int64(&r.DurationFilter)
	} else if !c.Writing() {
		r.DurationFilter = -1
	}
	needs(c, 2, &r.TransactionalIDPattern, r.TransactionalIDPattern != nil)
	if c.From(2) {
		c.NullableString(&r.TransactionalIDPattern)
	}
}

// ListTransactionsResponse is the answer to a ListTransactionsRequest.
type ListTransactionsResponse struct {
	Version      int16
	ThrottleTime time.Duration
	ErrorCode    KError
	// UnknownStateFilters are those that the broker does not know.
	UnknownStateFilters []string
	TransactionStates   []ListTransactionsResponseTransactionState
}

// ListTransactionsResponseTransactionState is one transactional id.
type ListTransactionsResponseTransactionState struct {
	TransactionalID  string
	ProducerID       int64
	TransactionState string
}

func (r *ListTransactionsResponse) meta() (*api, *int16) { return apiListTransactions, &r.Version }

func (r *ListTransactionsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *ListTransactionsResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	layKError(c, &r.ErrorCode)
	c.Strings(&r.UnknownStateFilters)
	wire.Values(c, &r.TransactionStates, func(t *ListTransactionsResponseTransactionState, c *wire.Codec) {
		c.String(&t.TransactionalID)
		c.Int64(&t.ProducerID)
		c.String(&t.TransactionState)
	})
}
