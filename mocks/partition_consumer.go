package mocks

import (
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"
)

// PartitionConsumer is a double of sarama.PartitionConsumer, which Consumer
// hands out. The test fills it with YieldMessage and YieldError, before the
// program consumes the partition or while it does.
type PartitionConsumer struct {
	// constant
	t         ErrorReporter
	offset    int64 // that is expected
	begins    int64 // the first message's
	messages  *stream
	errors    chan *sarama.ConsumerError
	closeOnce sync.Once

	// turn is held by who sends on errors. AsyncClose keeps it.
	turn chan struct{}

	// atomic, any goroutine
	started       atomic.Bool
	wantsMessages atomic.Bool // to be drained
	wantsErrors   atomic.Bool
}

var (
	_ sarama.PartitionConsumer = (*PartitionConsumer)(nil)
	_ sarama.PartitionOffsets  = (*PartitionConsumer)(nil)
)

func newPartitionConsumer(t ErrorReporter, at topicPartition, offset int64, size int) *PartitionConsumer {
	begins := max(0, offset)
	pc := &PartitionConsumer{
		t: t, offset: offset, begins: begins, messages: newStream(at, begins, size),
		errors: make(chan *sarama.ConsumerError, size), turn: make(chan struct{}, 1),
	}
	pc.messages.open()
	return pc
}

// YieldMessage gives the program a message. Its topic, partition and offset are
// set: offsets follow one another. While the channel is full, which holds as
// many as Config.ChannelBufferSize says, it waits; while the partition is
// paused, it holds the message until Resume. Once the PartitionConsumer is
// closed it does nothing.
func (pc *PartitionConsumer) YieldMessage(msg *sarama.ConsumerMessage) *PartitionConsumer {
	pc.messages.yield(msg)
	return pc
}

// YieldError gives the program an error, as a *sarama.ConsumerError, whatever
// Config.Consumer.Return.Errors says. While the channel is full it waits; once
// the PartitionConsumer is closed it does nothing.
func (pc *PartitionConsumer) YieldError(err error) *PartitionConsumer {
	at := pc.messages.at
	select {
	case <-pc.messages.closing: // has the turn for good, or is about to
		return pc
	case pc.turn <- struct{}{}:
	}
	defer func() { <-pc.turn }()
	select {
	case pc.errors <- &sarama.ConsumerError{Topic: at.topic, Partition: at.partition, Err: err}:
	case <-pc.messages.closing:
	}
	return pc
}

// ExpectMessagesDrainedOnClose has Close report messages that the program has
// not read. Those that are held because of a pause do not count.
func (pc *PartitionConsumer) ExpectMessagesDrainedOnClose() *PartitionConsumer {
	pc.wantsMessages.Store(true)
	return pc
}

// ExpectErrorsDrainedOnClose has Close report errors that the program has not
// read.
func (pc *PartitionConsumer) ExpectErrorsDrainedOnClose() *PartitionConsumer {
	pc.wantsErrors.Store(true)
	return pc
}

// Messages returns the messages that the test yields.
func (pc *PartitionConsumer) Messages() <-chan *sarama.ConsumerMessage { return pc.messages.open() }

// Errors returns the errors that the test yields.
func (pc *PartitionConsumer) Errors() <-chan *sarama.ConsumerError { return pc.errors }

// AsyncClose closes Messages and then Errors; what is in them can be read. It
// may be called more than once.
func (pc *PartitionConsumer) AsyncClose() {
	pc.closeOnce.Do(func() {
		pc.messages.close()
		pc.turn <- struct{}{}
		close(pc.errors)
	})
}

// Close is AsyncClose that reads what is left, and returns the errors among it
// as sarama.ConsumerErrors, or nil. That the program has never consumed the
// partition is reported, and an error. It may be called more than once.
func (pc *PartitionConsumer) Close() error {
	pc.AsyncClose()
	at := pc.messages.at
	if !pc.started.Load() {
		pc.t.Errorf("Expectations set on %v, but no partition consumer was started.", at)
		return errNeverStarted
	}
	var errs sarama.ConsumerErrors
	for err := range pc.errors {
		errs = append(errs, err)
	}
	messages := 0
	for range pc.Messages() {
		messages++
	}
	if pc.wantsErrors.Load() && len(errs) > 0 {
		pc.t.Errorf("Expected the errors channel for %v to be drained on close, but found %d errors.", at, len(errs))
	}
	if pc.wantsMessages.Load() && messages > 0 {
		pc.t.Errorf("Expected the messages channel for %v to be drained on close, but found %d messages.", at, messages)
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// Pause holds what is yielded from now on. What was yielded before can be read.
func (pc *PartitionConsumer) Pause() { pc.messages.pause() }

// Resume lets go of what was held.
func (pc *PartitionConsumer) Resume() { pc.messages.resume() }

// IsPaused says whether the partition is paused.
func (pc *PartitionConsumer) IsPaused() bool { return pc.messages.isPaused() }

// HighWaterMarkOffset is the offset that the next message will get. Messages
// that are held do not count.
func (pc *PartitionConsumer) HighWaterMarkOffset() int64 { return pc.messages.sent() }

// LogStartOffset is the offset of the first message.
func (pc *PartitionConsumer) LogStartOffset() int64 { return pc.begins }

// LastStableOffset is the high watermark.
func (pc *PartitionConsumer) LastStableOffset() int64 { return pc.messages.sent() }
