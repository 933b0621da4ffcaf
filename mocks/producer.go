package mocks

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"
)

// defaultPartitions is how many partitions a topic has of which nothing is said.
const defaultPartitions = 32

// TopicConfig says how many partitions topics have, for the partitioner of a
// mock producer. It may be used from any goroutine.
type TopicConfig struct {
	mu struct {
		sync.Mutex
		others int32
		topics map[string]int32
	}
}

// NewTopicConfig returns a TopicConfig in which every topic has 32 partitions.
func NewTopicConfig() *TopicConfig {
	c := &TopicConfig{}
	c.mu.others = defaultPartitions
	c.mu.topics = make(map[string]int32)
	return c
}

// SetDefaultPartitions sets the number of partitions of topics that
// SetPartitions says nothing about.
func (pc *TopicConfig) SetDefaultPartitions(n int32) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	pc.mu.others = n
}

// SetPartitions sets the numbers of partitions of some topics, from the next
// message on. Other topics keep theirs.
func (pc *TopicConfig) SetPartitions(partitions map[string]int32) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	maps.Copy(pc.mu.topics, partitions)
}

func (pc *TopicConfig) partitions(topic string) int32 {
	if pc == nil { // the field is the user's
		return defaultPartitions
	}
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if n, known := pc.mu.topics[topic]; known {
		return n
	}
	return pc.mu.others
}

// expectation is what a test says about one message.
type expectation struct {
	check MessageChecker // may be nil
	err   error          // nil: the message is written
}

// producer is what the mocks of both producers have.
type producer struct {
	// constant
	t              ErrorReporter
	newPartitioner sarama.PartitionerConstructor

	// owned by who places messages: the goroutine of an AsyncProducer, who has
	// the turn of a SyncProducer
	partitioners map[string]sarama.Partitioner

	// mu guards
	mu struct {
		sync.Mutex
		expected []expectation
		offset   int64 // of the last message that was written
	}
}

func (p *producer) init(t ErrorReporter, conf *sarama.Config) {
	p.t, p.newPartitioner, p.partitioners = t, conf.Producer.Partitioner, make(map[string]sarama.Partitioner)
	if p.newPartitioner == nil {
		p.newPartitioner = sarama.NewHashPartitioner
	}
}

func (p *producer) expect(check MessageChecker, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.expected = append(p.mu.expected, expectation{check, err})
}

// take takes the n oldest expectations, or none where there are fewer.
func (p *producer) take(n int) ([]expectation, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mu.expected) < n {
		return nil, false
	}
	taken := p.mu.expected[:n:n]
	p.mu.expected = p.mu.expected[n:]
	return taken, true
}

// reportLeft reports expectations that nothing has met.
func (p *producer) reportLeft() {
	p.mu.Lock()
	left := len(p.mu.expected)
	p.mu.Unlock()
	if left > 0 {
		p.t.Errorf("Expected to exhaust all expectations, but %d are left.", left)
	}
}

// place has the topic's partitioner choose the message's partition.
func (p *producer) place(topics *TopicConfig, msg *sarama.ProducerMessage) error {
	partitioner := p.partitioners[msg.Topic]
	if partitioner == nil {
		partitioner = p.newPartitioner(msg.Topic)
		p.partitioners[msg.Topic] = partitioner
	}
	partition, err := partitioner.Partition(msg, topics.partitions(msg.Topic))
	if err != nil {
		p.t.Errorf("Partitioner returned an error: %v", err)
		return err
	}
	msg.Partition = partition
	return nil
}

// check runs the checker of an expectation.
func (p *producer) check(e expectation, msg *sarama.ProducerMessage) error {
	if e.check == nil {
		return nil
	}
	err := e.check(msg)
	if err != nil {
		p.t.Errorf("Check function returned an error: %v", err)
	}
	return err
}

// number gives a message its offset: one sequence for all partitions, from 1.
func (p *producer) number(msg *sarama.ProducerMessage) {
	p.mu.Lock()
	p.mu.offset++
	msg.Offset = p.mu.offset
	p.mu.Unlock()
}

// ofValue makes a MessageChecker of a ValueChecker.
func ofValue(check ValueChecker) MessageChecker {
	if check == nil {
		return nil
	}
	return func(msg *sarama.ProducerMessage) error {
		if msg.Value == nil {
			return check(nil)
		}
		value, err := msg.Value.Encode()
		if err != nil {
			return fmt.Errorf("Input message encoding failed: %w", err)
		}
		return check(value)
	}
}

// errNilMessage is the result of sending nothing.
var errNilMessage = sarama.ConfigurationError("the message to send is nil")

// outsideTxnError is the error of a message that is sent while no transaction is
// open.
type outsideTxnError struct{}

func (outsideTxnError) Error() string {
	return "attempt to send message when transaction is not started or is in ending state"
}

func (outsideTxnError) Unwrap() error { return sarama.ErrTransactionNotReady }

// transactions is the transactional side of a producer. The calls change its
// state, whatever that was, and succeed; offsets are ignored.
type transactions struct {
	// constant
	transactional bool

	// atomic, any goroutine
	status atomic.Int32
}

func (x *transactions) init(conf *sarama.Config) {
	x.transactional = conf.Producer.Transaction.ID != ""
	x.set(sarama.ProducerTxnFlagReady)
}

func (x *transactions) set(status sarama.ProducerTxnStatusFlag) { x.status.Store(int32(status)) }

// sendable says whether a message may be sent; if not it has been reported.
func (x *transactions) sendable(t ErrorReporter) error {
	if !x.transactional || x.TxnStatus()&sarama.ProducerTxnFlagInTransaction != 0 {
		return nil
	}
	err := outsideTxnError{}
	t.Errorf("%v.", err)
	return err
}

// IsTransactional reports whether the config has a transactional id.
func (x *transactions) IsTransactional() bool { return x.transactional }

// TxnStatus is sarama.ProducerTxnFlagInTransaction between BeginTxn and
// CommitTxn or AbortTxn, sarama.ProducerTxnFlagReady otherwise.
func (x *transactions) TxnStatus() sarama.ProducerTxnStatusFlag {
	return sarama.ProducerTxnStatusFlag(x.status.Load())
}

// AddOffsetsToTxn does nothing.
func (x *transactions) AddOffsetsToTxn(offsets map[string][]*sarama.PartitionOffsetMetadata, groupId string) error {
	return nil
}

// AddOffsetsToTxnWithGroupMetadata does nothing.
func (x *transactions) AddOffsetsToTxnWithGroupMetadata(offsets map[string][]*sarama.PartitionOffsetMetadata, groupMetadata *sarama.ConsumerGroupMetadata) error {
	return nil
}

// AddMessageToTxn does nothing.
func (x *transactions) AddMessageToTxn(msg *sarama.ConsumerMessage, groupId string, metadata *string) error {
	return nil
}

// AddMessageToTxnWithGroupMetadata does nothing.
func (x *transactions) AddMessageToTxnWithGroupMetadata(msg *sarama.ConsumerMessage, groupMetadata *sarama.ConsumerGroupMetadata, metadata *string) error {
	return nil
}
