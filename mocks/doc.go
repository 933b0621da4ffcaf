// Package mocks has test doubles for what a program gets from sarama: the two
// producers, the consumer, the consumer group with its sessions and claims, and
// the cluster admin. None of them needs a broker. A test says what a double is
// to do, hands it to the program in place of the real thing, and in the end
// closes it; what was expected and has not happened, or has happened and was
// not expected, is reported as a failure of the test.
//
//	producer := mocks.NewSyncProducer(t, nil)
//	producer.ExpectSendMessageAndSucceed()
//	producer.ExpectSendMessageAndFail(sarama.ErrNotLeaderForPartition)
//	run(producer) // the code under test
//	producer.Close()
//
// All doubles may be used from any goroutine. Those that work in the background
// stop with Close; they wait without sleeping, so they fit into the bubbles of
// testing/synctest.
//
// For tests with a protocol, brokers that fail and groups that rebalance by
// themselves, see the package fakekafka.
package mocks

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// AnyOffset, given to Consumer.ExpectConsumePartition, lets the program begin
// at whatever offset it likes.
const AnyOffset int64 = -1000

// ErrorReporter takes what violates an expectation. A *testing.T is one.
type ErrorReporter interface {
	Errorf(string, ...any) // the test has failed, and goes on
}

// ValueChecker looks at the encoded value of a message that the program sends;
// nil stands for a message without a value. An error fails the message, and the
// test.
type ValueChecker func(val []byte) error

// MessageChecker looks at a message that the program sends. Its Partition is
// set, its Offset is not. An error fails the message, and the test.
type MessageChecker func(*sarama.ProducerMessage) error

// Results of calls that a test did not provide for.
var (
	errOutOfExpectations = errors.New("no more expectations set on mock")
	errNeverStarted      = errors.New("the partition consumer was never started")
)

// NewTestConfig is sarama.NewConfig for tests with a MockBroker: of the oldest
// version, and without waits between the attempts of producers and consumers.
func NewTestConfig() *sarama.Config {
	conf := sarama.NewConfig()
	conf.Version = sarama.MinVersion
	conf.Producer.Retry.Backoff = 0
	conf.Consumer.Retry.Backoff = 0
	return conf
}

// validConfig is the config that a double works with; one that is invalid is
// reported and used nevertheless.
func validConfig(t ErrorReporter, conf *sarama.Config) *sarama.Config {
	if conf == nil {
		return sarama.NewConfig()
	}
	if err := conf.Validate(); err != nil {
		t.Errorf("Invalid mock configuration provided: %v", err)
	}
	return conf
}

// buffer is the capacity of channels.
func buffer(conf *sarama.Config) int { return max(0, conf.ChannelBufferSize) }

// closePatience is how long a Close waits for readers that make no progress, as
// the real ones do for brokers.
func closePatience(conf *sarama.Config) time.Duration {
	return min(max(0, conf.Net.ReadTimeout), 5*time.Second)
}

// topicPartition names a partition.
type topicPartition struct {
	topic     string
	partition int32
}

func (p topicPartition) String() string { return fmt.Sprintf("%s/%d", p.topic, p.partition) }
