package mocks

import (
	"time"

	"github.com/IBM/sarama"
)

// AsyncProducer is a double of sarama.AsyncProducer. Each message that comes in
// through Input takes the oldest expectation that is left, which says what
// becomes of it. The partitioner of the config chooses its partition, among as
// many as TopicConfig says; messages that succeed get offsets from 1 on, one
// sequence for all partitions.
//
// Messages that were not expected are reported and have no result. What becomes
// of the others is to be read from Successes and Errors, as of the real one;
// results that nobody reads hold up neither Input nor transactions.
type AsyncProducer struct {
	*TopicConfig
	transactions

	// constant
	producer
	wantSuccesses bool
	wantErrors    bool
	patience      time.Duration
	input         chan *sarama.ProducerMessage
	successes     chan *sarama.ProducerMessage
	errors        chan *sarama.ProducerError
	moves         chan txnMove
	waited        chan struct{} // closed when a Close waits
	done          chan struct{} // closed when run has ended

	// owned by run: results on their way, as many as the test has messages
	written []*sarama.ProducerMessage
	failed  []*sarama.ProducerError
}

// txnMove asks run for a state of the transaction.
type txnMove struct {
	to   sarama.ProducerTxnStatusFlag
	done chan struct{}
}

var _ sarama.AsyncProducer = (*AsyncProducer)(nil)

// NewAsyncProducer returns a mock that reports to t, which usually is the
// test's *testing.T. A nil config stands for sarama.NewConfig(), which returns
// errors only; an invalid one is reported. Close the mock, or its goroutine is
// left behind.
func NewAsyncProducer(t ErrorReporter, config *sarama.Config) *AsyncProducer {
	conf := validConfig(t, config)
	size := buffer(conf)
	mp := &AsyncProducer{
		TopicConfig: NewTopicConfig(), patience: closePatience(conf),
		wantSuccesses: conf.Producer.Return.Successes, wantErrors: conf.Producer.Return.Errors,
		input: make(chan *sarama.ProducerMessage, size), successes: make(chan *sarama.ProducerMessage, size),
		errors: make(chan *sarama.ProducerError, size), moves: make(chan txnMove),
		waited: make(chan struct{}), done: make(chan struct{}),
	}
	mp.producer.init(t, conf)
	mp.transactions.init(conf)
	go mp.run()
	return mp
}

// run handles messages and hands results over. It ends when Input is closed and
// all results are in the channels, which it then closes.
func (mp *AsyncProducer) run() {
	defer close(mp.done)
	defer close(mp.errors)
	defer close(mp.successes)
	waited, patient := mp.waited, false
	for input := mp.input; input != nil || len(mp.written)+len(mp.failed) > 0; {
		var successes chan<- *sarama.ProducerMessage
		var failures chan<- *sarama.ProducerError
		var written *sarama.ProducerMessage
		var failed *sarama.ProducerError
		if len(mp.written) > 0 {
			successes, written = mp.successes, mp.written[0]
		}
		if len(mp.failed) > 0 {
			failures, failed = mp.errors, mp.failed[0]
		}
		var impatient <-chan time.Time
		if patient && input == nil {
			impatient = time.After(mp.patience)
		}
		select {
		case msg, ok := <-input:
			if ok {
				mp.handle(msg)
				continue
			}
			input = nil
			mp.reportLeft()
		case move := <-mp.moves:
			for range len(mp.input) { // what was sent before belongs to the state before
				mp.handle(<-mp.input)
			}
			mp.set(move.to)
			close(move.done)
		case successes <- written:
			mp.written = mp.written[1:]
		case failures <- failed:
			mp.failed = mp.failed[1:]
		case <-waited:
			waited, patient = nil, true
		case <-impatient:
			mp.t.Errorf("Close: nobody reads the results of %d messages.", len(mp.written)+len(mp.failed))
			return
		}
	}
}

// handle finds out what becomes of a message. Nothing of it is written once
// somebody may read the result.
func (mp *AsyncProducer) handle(msg *sarama.ProducerMessage) {
	if msg == nil {
		mp.t.Errorf("The mock producer was sent a nil message.")
		return
	}
	if err := mp.sendable(mp.t); err != nil {
		mp.fail(msg, err)
		return
	}
	taken, ok := mp.take(1)
	if !ok {
		mp.t.Errorf("No more expectation set on this mock producer to handle the input message.")
		return
	}
	if err := mp.place(mp.TopicConfig, msg); err != nil {
		mp.fail(msg, err)
		return
	}
	e := taken[0]
	refused := mp.check(e, msg)
	if e.err == nil {
		mp.number(msg)
	}
	if refused != nil {
		mp.fail(msg, refused)
	}
	switch {
	case e.err != nil:
		mp.fail(msg, e.err)
	case mp.wantSuccesses:
		mp.written = append(mp.written, msg)
	}
}

func (mp *AsyncProducer) fail(msg *sarama.ProducerMessage, err error) {
	if mp.wantErrors {
		mp.failed = append(mp.failed, &sarama.ProducerError{Msg: msg, Err: err})
	}
}

// AsyncClose says that no more messages will be sent: sending to Input panics
// from now on. When what was sent before is handled, expectations that are left
// are reported, and both channels of results are closed as soon as what does not
// fit into them is read. It panics where AsyncClose or Close was called before,
// as Sarama's mock does: tests of published programs rely on that.
func (mp *AsyncProducer) AsyncClose() { close(mp.input) }

// Close is AsyncClose that waits. It does not read results, which are left in
// Successes and Errors; where they do not fit and nobody reads them for the
// lesser of Net.ReadTimeout and 5 s, they are reported and dropped. The result
// is always nil. It panics where AsyncClose does.
func (mp *AsyncProducer) Close() error {
	mp.AsyncClose()
	close(mp.waited)
	<-mp.done
	return nil
}

// Input takes messages. Set expectations before you send.
func (mp *AsyncProducer) Input() chan<- *sarama.ProducerMessage { return mp.input }

// Successes returns the messages that succeeded, if the config has
// Producer.Return.Successes.
func (mp *AsyncProducer) Successes() <-chan *sarama.ProducerMessage { return mp.successes }

// Errors returns the messages that failed, if the config has
// Producer.Return.Errors. A message that is expected to succeed, and that a
// checker refuses, comes back on both channels.
func (mp *AsyncProducer) Errors() <-chan *sarama.ProducerError { return mp.errors }

// BeginTxn opens a transaction. It succeeds whatever the state is. With a
// transactional id, messages sent before it fail with an error that wraps
// sarama.ErrTransactionNotReady.
func (mp *AsyncProducer) BeginTxn() error { return mp.move(sarama.ProducerTxnFlagInTransaction) }

// CommitTxn ends the transaction, when all messages sent before are handled.
func (mp *AsyncProducer) CommitTxn() error { return mp.move(sarama.ProducerTxnFlagReady) }

// AbortTxn ends the transaction, when all messages sent before are handled.
func (mp *AsyncProducer) AbortTxn() error { return mp.move(sarama.ProducerTxnFlagReady) }

func (mp *AsyncProducer) move(to sarama.ProducerTxnStatusFlag) error {
	m := txnMove{to, make(chan struct{})}
	select {
	case mp.moves <- m:
		<-m.done
	case <-mp.done:
		mp.set(to)
	}
	return nil
}

// ExpectInputAndSucceed expects a message, which then is written.
func (mp *AsyncProducer) ExpectInputAndSucceed() *AsyncProducer {
	return mp.ExpectInputWithMessageCheckerFunctionAndSucceed(nil)
}

// ExpectInputAndFail expects a message, which then fails with err.
func (mp *AsyncProducer) ExpectInputAndFail(err error) *AsyncProducer {
	return mp.ExpectInputWithMessageCheckerFunctionAndFail(nil, err)
}

// ExpectInputWithCheckerFunctionAndSucceed expects a message whose value cf
// looks at, and which then is written. An error of cf is reported, and the
// message fails with it first.
func (mp *AsyncProducer) ExpectInputWithCheckerFunctionAndSucceed(cf ValueChecker) *AsyncProducer {
	return mp.ExpectInputWithMessageCheckerFunctionAndSucceed(ofValue(cf))
}

// ExpectInputWithCheckerFunctionAndFail expects a message whose value cf looks
// at, and which then fails with err. An error of cf is reported, and the message
// fails with it first.
func (mp *AsyncProducer) ExpectInputWithCheckerFunctionAndFail(cf ValueChecker, err error) *AsyncProducer {
	return mp.ExpectInputWithMessageCheckerFunctionAndFail(ofValue(cf), err)
}

// ExpectInputWithMessageCheckerFunctionAndSucceed is
// ExpectInputWithCheckerFunctionAndSucceed with a checker of the whole message.
func (mp *AsyncProducer) ExpectInputWithMessageCheckerFunctionAndSucceed(cf MessageChecker) *AsyncProducer {
	mp.expect(cf, nil)
	return mp
}

// ExpectInputWithMessageCheckerFunctionAndFail is
// ExpectInputWithCheckerFunctionAndFail with a checker of the whole message.
func (mp *AsyncProducer) ExpectInputWithMessageCheckerFunctionAndFail(cf MessageChecker, err error) *AsyncProducer {
	mp.expect(cf, err)
	return mp
}
