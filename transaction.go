package sarama

import "strings"

// ProducerTxnStatusFlag is the state of a transactional producer: one or more
// of the flags below.
type ProducerTxnStatusFlag int16

// The states of a transactional producer.
const (
	ProducerTxnFlagUninitialized ProducerTxnStatusFlag = 1 << iota
	ProducerTxnFlagInitializing
	ProducerTxnFlagReady
	ProducerTxnFlagInTransaction
	ProducerTxnFlagEndTransaction
	ProducerTxnFlagInError
	ProducerTxnFlagCommittingTransaction
	ProducerTxnFlagAbortingTransaction
	ProducerTxnFlagAbortableError
	ProducerTxnFlagFatalError
)

// txnFlagNames are in the order of the flags' bits.
var txnFlagNames = [...]string{
	"ProducerTxnStateUninitialized", "ProducerTxnStateInitializing", "ProducerTxnStateReady", "ProducerTxnStateInTransaction",
	"ProducerTxnStateEndTransaction", "ProducerTxnStateInError", "ProducerTxnStateCommittingTransaction",
	"ProducerTxnStateAbortingTransaction", "ProducerTxnStateAbortableError", "ProducerTxnStateFatalError",
}

// String joins the names of the flags that are set with "|".
func (s ProducerTxnStatusFlag) String() string {
	var names []string
	for i, name := range txnFlagNames {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// PartitionOffsetMetadata is an offset of a partition to commit within a
// transaction, with the metadata to go with it.
type PartitionOffsetMetadata struct {
	Partition int32
	// Offset of the next message to consume.
	Offset int64
	// LeaderEpoch of the message before, -1 when unknown.
	LeaderEpoch int32
	Metadata    *string
}

// GroupGenerationUndefined is the generation of who is no member of a group.
const GroupGenerationUndefined = -1

// ConsumerGroupMetadata tells on whose behalf offsets are committed within a
// transaction, so that a member that was replaced is fenced (KIP-447).
type ConsumerGroupMetadata struct {
	GroupID string
	// GenerationID is GroupGenerationUndefined where nobody is to be fenced.
	GenerationID    int32
	MemberID        string
	GroupInstanceID *string
}

// NewConsumerGroupMetadata returns metadata that names the group alone, so
// that nobody is fenced.
func NewConsumerGroupMetadata(groupID string) *ConsumerGroupMetadata {
	return &ConsumerGroupMetadata{GroupID: groupID, GenerationID: GroupGenerationUndefined}
}
