package sarama

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/IBM/sarama/internal/compress"
	"github.com/IBM/sarama/internal/wire"
)

// Errors of clients and broker connections.
var (
	// ErrOutOfBrokers means that no broker answered, neither the seeds nor
	// those learned from metadata. What went wrong with each is wrapped.
	ErrOutOfBrokers = errors.New("kafka: client has run out of available brokers to talk to")
	// ErrBrokerNotFound means that the metadata has no broker of that id.
	ErrBrokerNotFound = errors.New("kafka: broker for ID is not found")
	// ErrClusterIDMismatch means that a broker belongs to another cluster than
	// the one that the client works with, see ClusterIDError.
	ErrClusterIDMismatch = errors.New("kafka: broker of another cluster")
	// ErrClosedClient is returned by the methods of a closed client.
	ErrClosedClient = errors.New("kafka: tried to use a client that was closed")
	// ErrControllerNotAvailable means that the metadata names no controller.
	ErrControllerNotAvailable = errors.New("kafka: controller is not available")
	// ErrNoTopicsToUpdateMetadata means that a client with Metadata.Full off
	// was to refresh before any topic had been asked for.
	ErrNoTopicsToUpdateMetadata = errors.New("kafka: no specific topics to update metadata")
	// ErrAlreadyConnected is returned by Broker.Open when the broker is open.
	ErrAlreadyConnected = errors.New("kafka: broker connection already initiated")
	// ErrNotConnected is returned by requests to a broker that is not open.
	ErrNotConnected = errors.New("kafka: broker not connected")
)

// Errors of reading what a broker sent.
var (
	// ErrInsufficientData means that a packet ended before its last field.
	ErrInsufficientData = wire.ErrInsufficientData
	// ErrIncompleteResponse means that a response left out a topic or
	// partition that the request asked about.
	ErrIncompleteResponse = errors.New("kafka: response did not contain all the expected topic/partition blocks")
	// ErrDecompressedBatchTooLarge means that a batch would decompress to more
	// than MaxDecompressedBatchSize bytes.
	ErrDecompressedBatchTooLarge = compress.ErrTooLarge
	// ErrUnknownMessage is kept for programs that name it; nothing returns it.
	ErrUnknownMessage = errors.New("kafka: unknown protocol message key")
)

// Errors of producers.
var (
	// ErrInvalidPartition means that a Partitioner chose an index outside of
	// the partitions it was offered.
	ErrInvalidPartition = errors.New("kafka: partitioner returned an invalid partition index")
	// ErrShuttingDown means that a message came in after Close or AsyncClose.
	ErrShuttingDown = errors.New("kafka: message received by producer in process of shutting down")
	// ErrProducerRetryBufferOverflow means that more was waiting to be sent
	// again than Producer.Retry.MaxBufferLength or MaxBufferBytes allows.
	ErrProducerRetryBufferOverflow = errors.New("retry buffer full: message discarded to prevent buffer overflow")
)

// Errors of transactional producers.
var (
	// ErrNonTransactedProducer is returned by transaction methods of a
	// producer without a Producer.Transaction.ID.
	ErrNonTransactedProducer = errors.New("transaction manager: you need to add TransactionalID to producer")
	// ErrTransactionNotReady means that a message was sent or a transaction
	// ended while none was open.
	ErrTransactionNotReady = errors.New("transaction manager: transaction is not ready")
	// ErrTransitionNotAllowed means that the call does not fit the state of
	// the transaction.
	ErrTransitionNotAllowed = errors.New("transaction manager: invalid transition attempted")
	// ErrCannotTransitionNilError means that a transaction was to be put into
	// an error state without an error.
	ErrCannotTransitionNilError = errors.New("transaction manager: cannot transition with a nil error")
	// ErrTxnUnableToParseResponse means that the answer to a transaction
	// request had an unexpected content.
	ErrTxnUnableToParseResponse = errors.New("transaction manager: unable to parse response")
	// ErrTxnOffsetCommit is wrapped around the causes for which offsets could
	// not be added to a transaction.
	ErrTxnOffsetCommit = errors.New("transaction manager: failed to send offsets to transaction")
	// ErrAddPartitionsToTxn is wrapped around the causes for which partitions
	// could not be added to a transaction.
	ErrAddPartitionsToTxn = errors.New("transaction manager: failed to send partitions to transaction")
)

// Errors of consumers and consumer groups.
var (
	// ErrMessageTooLarge means that a message is skipped because it does not
	// fit into Consumer.Fetch.Max bytes.
	ErrMessageTooLarge = errors.New("kafka: message is larger than Consumer.Fetch.Max")
	// ErrConsumerOffsetNotAdvanced is kept for programs that name it; nothing
	// returns it.
	ErrConsumerOffsetNotAdvanced = errors.New("kafka: consumer offset was not advanced after a RecordBatch")
	// ErrConsumerRetriesExhausted means that a partition failed more than
	// Consumer.Retry.Max times in a row; its consumer closes.
	ErrConsumerRetriesExhausted = errors.New("kafka: partition consumer giving up after consecutive failures")
	// ErrClosedConsumerGroup is returned by the methods of a closed group.
	ErrClosedConsumerGroup = errors.New("kafka: tried to use a consumer group that was closed")
	// ErrSessionConsumeClaimExited is the cause of a session that ended as one
	// of its ConsumeClaim calls returned.
	ErrSessionConsumeClaimExited = errors.New("kafka: ConsumeClaim goroutine exited")
	// ErrSessionPartitionCountChanged is the cause of a session that ended as
	// a subscribed topic got more partitions.
	ErrSessionPartitionCountChanged = errors.New("kafka: partition count changed for subscribed topic")
	// ErrSessionHeartbeatFailed is the cause of a session that ended with its
	// heartbeats and has no more precise cause.
	ErrSessionHeartbeatFailed = errors.New("kafka: heartbeat loop failed")
	// ErrRebalanceTimedOut means that a ConsumeClaim call whose partition was
	// revoked went on for longer than Consumer.Group.Rebalance.Timeout.
	ErrRebalanceTimedOut = errors.New("kafka: ConsumeClaim did not exit within Consumer.Group.Rebalance.Timeout of being revoked")
)

// Errors of the cluster admin, each wrapped around the causes.
var (
	// ErrDeleteRecords means that records of some partition were not deleted.
	ErrDeleteRecords = errors.New("kafka server: failed to delete records")
	// ErrCreateACLs means that some access rule was not created.
	ErrCreateACLs = errors.New("kafka server: failed to create one or more ACL rules")
	// ErrReassignPartitions means that some partition was not reassigned.
	ErrReassignPartitions = errors.New("failed to reassign partitions for topic")
	// ErrUnknownScramMechanism means that a SCRAM credential names neither
	// SCRAM-SHA-256 nor SCRAM-SHA-512.
	ErrUnknownScramMechanism = errors.New("kafka: unknown SCRAM mechanism provided")
)

// ConfigurationError says what is wrong with a Config or with an argument: the
// field or argument, and its value.
type ConfigurationError string

// Error returns "kafka: invalid configuration (" with the text in it.
func (err ConfigurationError) Error() string {
	return "kafka: invalid configuration (" + string(err) + ")"
}

// PacketEncodingError means that a request cannot be put into wire form, so
// that nothing of it was sent.
type PacketEncodingError struct {
	// Info says what cannot be encoded, and why.
	Info string
}

// Error returns "kafka: error encoding packet: " and Info.
func (err PacketEncodingError) Error() string {
	return "kafka: error encoding packet: " + err.Info
}

// PacketDecodingError means that bytes received are not what the protocol
// says.
type PacketDecodingError struct {
	// Info says what is wrong with the bytes.
	Info string
}

// Error returns "kafka: error decoding packet: " and Info.
func (err PacketDecodingError) Error() string {
	return "kafka: error decoding packet: " + err.Info
}

// wrappedError is what Wrap returns. Only Is sees the sentinel; As and Unwrap
// go to the causes alone, as programs written for Sarama rely on it when they
// look for the KError beneath.
type wrappedError struct {
	sentinel error
	causes   error
}

// Wrap returns an error that is sentinel for errors.Is and has errs for its
// causes: errors.Is and errors.As look through those, too. Nil causes are left
// out. Its text is that of sentinel, a colon and the causes' texts, one a line.
func Wrap(sentinel error, errs ...error) wrappedError {
	return wrappedError{sentinel: sentinel, causes: errors.Join(errs...)}
}

// Error returns the text of the sentinel, followed by that of the causes.
func (err wrappedError) Error() string {
	if err.causes == nil {
		return err.sentinel.Error()
	}
	return err.sentinel.Error() + ": " + err.causes.Error()
}

// Is reports whether target is the sentinel, directly or in its chain.
func (err wrappedError) Is(target error) bool {
	return errors.Is(err.sentinel, target)
}

// Unwrap returns the joined causes, or nil.
func (err wrappedError) Unwrap() error {
	return err.causes
}

// MultiErrorFormat joins the texts of errs: a single one as it is, several as
// a count and a list with one line for each.
func MultiErrorFormat(errs []error) string {
	if len(errs) == 1 {
		return errs[0].Error()
	}
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = "* " + err.Error()
	}
	return fmt.Sprintf("%d errors occurred:\n\t%s\n", len(errs), strings.Join(texts, "\n\t"))
}

// TopicError is the answer to a request about one topic: a code and, where the
// broker gave one, a message.
type TopicError struct {
	Err    KError
	ErrMsg *string
}

// Error returns the text of the code, and the message if there is one.
func (t *TopicError) Error() string { return codeWithMessage(t.Err, t.ErrMsg) }

// Unwrap returns the code.
func (t *TopicError) Unwrap() error { return t.Err }

// TopicPartitionError is the answer to a request about one partition: a code
// and, where the broker gave one, a message.
type TopicPartitionError struct {
	Err    KError
	ErrMsg *string
}

// Error returns the text of the code, and the message if there is one.
func (t *TopicPartitionError) Error() string { return codeWithMessage(t.Err, t.ErrMsg) }

// Unwrap returns the code.
func (t *TopicPartitionError) Unwrap() error { return t.Err }

// DescribeConfigError is the answer to a request for the configuration of a
// resource that a broker refused.
type DescribeConfigError struct {
	Err    KError
	ErrMsg string
}

// Error returns the text of the code, and the message unless it is empty.
func (c *DescribeConfigError) Error() string {
	return codeWithMessage(c.Err, nilIfEmpty(&c.ErrMsg))
}

// Unwrap returns the code.
func (c *DescribeConfigError) Unwrap() error { return c.Err }

// AlterConfigError is the answer to a change of configuration that a broker
// refused.
type AlterConfigError struct {
	Err    KError
	ErrMsg string
}

// Error returns the text of the code, and the message unless it is empty.
func (c *AlterConfigError) Error() string {
	return codeWithMessage(c.Err, nilIfEmpty(&c.ErrMsg))
}

// Unwrap returns the code.
func (c *AlterConfigError) Unwrap() error { return c.Err }

func codeWithMessage(code KError, message *string) string {
	if message == nil {
		return code.Error()
	}
	return code.Error() + " - " + *message
}

func nilIfEmpty(s *string) *string {
	if *s == "" {
		return nil
	}
	return s
}

// ProducerError is a message that was not delivered, and why.
type ProducerError struct {
	Msg *ProducerMessage
	Err error
}

// Error names the topic of the message and the cause.
func (pe ProducerError) Error() string {
	topic := ""
	if pe.Msg != nil {
		topic = pe.Msg.Topic
	}
	return fmt.Sprintf("kafka: Failed to produce message to topic %s: %v", topic, pe.Err)
}

// Unwrap returns the cause.
func (pe ProducerError) Unwrap() error { return pe.Err }

// ProducerErrors are the messages that were not delivered, as Close and
// SendMessages return them. It does not unwrap: range over it for the causes.
type ProducerErrors []*ProducerError

// Error returns how many messages failed.
func (pe ProducerErrors) Error() string {
	return fmt.Sprintf("kafka: Failed to deliver %d messages.", len(pe))
}

// ConsumerError is an error of consuming one partition.
type ConsumerError struct {
	Topic     string
	Partition int32
	Err       error
}

// Error names the partition and the cause.
func (ce ConsumerError) Error() string {
	return fmt.Sprintf("kafka: error while consuming %s/%d: %v", ce.Topic, ce.Partition, ce.Err)
}

// Unwrap returns the cause.
func (ce ConsumerError) Unwrap() error { return ce.Err }

// ConsumerErrors are the errors that were still unread when a partition
// consumer was closed. It does not unwrap: range over it for the causes.
type ConsumerErrors []*ConsumerError

// Error returns how many errors there are.
func (ce ConsumerErrors) Error() string {
	return fmt.Sprintf("kafka: %d errors while consuming", len(ce))
}

// LogTruncationError means that a partition's log does not have any more what
// was read from it: its leader lost records, after an unclean leader election
// for one, and others may have taken their place (KIP-320). It is also an
// ErrOffsetOutOfRange for errors.Is.
type LogTruncationError struct {
	Topic     string
	Partition int32
	// Offset was to be fetched next, and LeaderEpoch is the leader epoch of the
	// record before it.
	Offset      int64
	LeaderEpoch int32
	// TruncationOffset is from where on the log is another one: what was read
	// below it is still there, as far as the epochs of leaders can tell.
	// TruncationEpoch is the leader epoch of the record before it.
	TruncationOffset int64
	TruncationEpoch  int32
}

// Error names the partition, where it was truncated and how far it was read.
func (e *LogTruncationError) Error() string {
	return fmt.Sprintf("kafka: log of %s/%d was truncated: it differs from offset %d (leader epoch %d) on, but was read up to offset %d (leader epoch %d)",
		e.Topic, e.Partition, e.TruncationOffset, e.TruncationEpoch, e.Offset, e.LeaderEpoch)
}

// Unwrap returns ErrOffsetOutOfRange.
func (e *LogTruncationError) Unwrap() error { return ErrOffsetOutOfRange }

// TopicRecreatedError means that a topic was deleted, and another one of the
// same name created, while it was consumed: offsets of the one mean nothing in
// the other. It is also an ErrUnknownTopicOrPartition for errors.Is.
type TopicRecreatedError struct {
	Topic     string
	Partition int32
	// Offset was to be fetched next.
	Offset int64
	// OldID and NewID are the ids of the two topics.
	OldID, NewID Uuid
}

// Error names the topic, its ids and how far the partition was read.
func (e *TopicRecreatedError) Error() string {
	return fmt.Sprintf("kafka: topic %s was deleted and created again (id %v, now %v), partition %d was read up to offset %d",
		e.Topic, e.OldID, e.NewID, e.Partition, e.Offset)
}

// Unwrap returns ErrUnknownTopicOrPartition.
func (e *TopicRecreatedError) Unwrap() error { return ErrUnknownTopicOrPartition }

// isOneOf reports whether err is, or wraps, one of a list.
func isOneOf(err error, list ...error) bool {
	return slices.ContainsFunc(list, func(e error) bool { return errors.Is(err, e) })
}
