package mocks

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/IBM/sarama"
)

// SyncProducer is a double of sarama.SyncProducer, and of
// sarama.ContextSyncProducer. Each message takes the oldest expectation that is
// left, which says what becomes of it; see AsyncProducer for partitions and
// offsets. It has no goroutine: a test that expects nothing need not close it.
type SyncProducer struct {
	*TopicConfig
	transactions

	// constant
	producer
	turn chan struct{} // held by who places a message: a partitioner is for one at a time

	// atomic, any goroutine
	closed atomic.Bool
}

var _ sarama.ContextSyncProducer = (*SyncProducer)(nil)

// NewSyncProducer returns a mock that reports to t, which usually is the test's
// *testing.T. A nil config stands for sarama.NewConfig(); an invalid one is
// reported.
func NewSyncProducer(t ErrorReporter, config *sarama.Config) *SyncProducer {
	conf := validConfig(t, config)
	sp := &SyncProducer{TopicConfig: NewTopicConfig(), turn: make(chan struct{}, 1)}
	sp.producer.init(t, conf)
	sp.transactions.init(conf)
	return sp
}

// SendMessage does with a message what is expected. A message that nothing is
// expected of is reported, and fails. A failed message has no place: the result
// is -1, -1 and the error.
func (sp *SyncProducer) SendMessage(msg *sarama.ProducerMessage) (partition int32, offset int64, err error) {
	return sp.SendMessageContext(context.Background(), msg)
}

// SendMessageContext is SendMessage until ctx ends. A message that is not sent
// for that reason takes no expectation, and its error wraps that of ctx.
func (sp *SyncProducer) SendMessageContext(ctx context.Context, msg *sarama.ProducerMessage) (partition int32, offset int64, err error) {
	if err = sp.sendable(sp.t); err != nil {
		return -1, -1, err
	}
	if err = sp.sendAll(ctx, []*sarama.ProducerMessage{msg}, "No more expectation set on this mock producer to handle the input message."); err != nil {
		return -1, -1, err
	}
	return msg.Partition, msg.Offset, nil
}

// SendMessages does with several messages what is expected, in their order, up
// to the first that fails, whose error it returns: no sarama.ProducerErrors, as
// the real one does. It takes an expectation for each message, also for those
// behind the one that failed; where there are too few, that is reported, and
// nothing is sent. Transactions make no difference to it.
func (sp *SyncProducer) SendMessages(msgs []*sarama.ProducerMessage) error {
	return sp.SendMessagesContext(context.Background(), msgs)
}

// SendMessagesContext is SendMessages until ctx ends.
func (sp *SyncProducer) SendMessagesContext(ctx context.Context, msgs []*sarama.ProducerMessage) error {
	return sp.sendAll(ctx, msgs, "Insufficient expectations set on this mock producer to handle the input messages.")
}

// sendAll sends messages, or reports that they are not expected.
func (sp *SyncProducer) sendAll(ctx context.Context, msgs []*sarama.ProducerMessage, unexpected string) error {
	for _, msg := range msgs {
		if msg == nil {
			sp.t.Errorf("The mock producer was sent a nil message.")
			return errNilMessage
		}
	}
	if err := ctx.Err(); err != nil {
		return notSent(err)
	}
	taken, ok := sp.take(len(msgs))
	if !ok {
		sp.t.Errorf("%s", unexpected)
		return errOutOfExpectations
	}
	for i, msg := range msgs {
		if err := sp.send(ctx, taken[i], msg); err != nil {
			return err
		}
	}
	return nil
}

func (sp *SyncProducer) send(ctx context.Context, e expectation, msg *sarama.ProducerMessage) error {
	select {
	case sp.turn <- struct{}{}:
	case <-ctx.Done():
		return notSent(ctx.Err())
	}
	err := func() error {
		defer func() { <-sp.turn }()
		return sp.place(sp.TopicConfig, msg)
	}()
	if err == nil {
		err = sp.check(e, msg)
	}
	if err == nil {
		err = e.err
	}
	if err == nil {
		sp.number(msg)
	}
	return err
}

func notSent(err error) error { return fmt.Errorf("kafka: message was not sent: %w", err) }

// Close reports the expectations that are left. The result is always nil. It may
// be called more than once.
func (sp *SyncProducer) Close() error {
	if sp.closed.CompareAndSwap(false, true) {
		sp.reportLeft()
	}
	return nil
}

// BeginTxn opens a transaction. It succeeds whatever the state is. With a
// transactional id, SendMessage outside a transaction fails with an error that
// wraps sarama.ErrTransactionNotReady.
func (sp *SyncProducer) BeginTxn() error {
	sp.set(sarama.ProducerTxnFlagInTransaction)
	return nil
}

// CommitTxn ends the transaction.
func (sp *SyncProducer) CommitTxn() error {
	sp.set(sarama.ProducerTxnFlagReady)
	return nil
}

// AbortTxn ends the transaction.
func (sp *SyncProducer) AbortTxn() error { return sp.CommitTxn() }

// ExpectSendMessageAndSucceed expects a message, which then is written.
func (sp *SyncProducer) ExpectSendMessageAndSucceed() *SyncProducer {
	return sp.ExpectSendMessageWithMessageCheckerFunctionAndSucceed(nil)
}

// ExpectSendMessageAndFail expects a message, which then fails with err.
func (sp *SyncProducer) ExpectSendMessageAndFail(err error) *SyncProducer {
	return sp.ExpectSendMessageWithMessageCheckerFunctionAndFail(nil, err)
}

// ExpectSendMessageWithCheckerFunctionAndSucceed expects a message whose value
// cf looks at, and which then is written. An error of cf is reported, and the
// message fails with it.
func (sp *SyncProducer) ExpectSendMessageWithCheckerFunctionAndSucceed(cf ValueChecker) *SyncProducer {
	return sp.ExpectSendMessageWithMessageCheckerFunctionAndSucceed(ofValue(cf))
}

// ExpectSendMessageWithCheckerFunctionAndFail expects a message whose value cf
// looks at, and which then fails with err. An error of cf is reported, and the
// message fails with it instead.
func (sp *SyncProducer) ExpectSendMessageWithCheckerFunctionAndFail(cf ValueChecker, err error) *SyncProducer {
	return sp.ExpectSendMessageWithMessageCheckerFunctionAndFail(ofValue(cf), err)
}

// ExpectSendMessageWithMessageCheckerFunctionAndSucceed is
// ExpectSendMessageWithCheckerFunctionAndSucceed with a checker of the whole
// message.
func (sp *SyncProducer) ExpectSendMessageWithMessageCheckerFunctionAndSucceed(cf MessageChecker) *SyncProducer {
	sp.expect(cf, nil)
	return sp
}

// ExpectSendMessageWithMessageCheckerFunctionAndFail is
// ExpectSendMessageWithCheckerFunctionAndFail with a checker of the whole
// message.
func (sp *SyncProducer) ExpectSendMessageWithMessageCheckerFunctionAndFail(cf MessageChecker, err error) *SyncProducer {
	sp.expect(cf, err)
	return sp
}
