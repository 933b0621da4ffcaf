package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/mocks"
)

// notes collects what a mock reports, as other goroutines than the probe's do.
type notes struct {
	mu   sync.Mutex
	list []string
}

func (n *notes) Errorf(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, fmt.Sprintf(format, args...))
}

func (n *notes) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.list)
}

// await looks again and again for what a mock's goroutine does, for a second.
func await(done func() bool) {
	for range 1000 {
		if done() {
			return
		}
		<-time.After(time.Millisecond)
	}
}

// tell prints what was reported since it was last called.
func (n *notes) tell(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.list {
		say("%s: reported %s", what, line)
	}
	n.list = nil
}

// attempt says whether f returns, panics or hangs.
func attempt(what string, f func()) {
	done := make(chan string, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Sprintf("panics: %v", r)
			}
		}()
		f()
		done <- "returns"
	}()
	select {
	case how := <-done:
		say("%s: %s", what, how)
	case <-time.After(500 * time.Millisecond):
		say("%s: hangs", what)
	}
}

// producersAndConsumers uses the package mocks.
func producersAndConsumers() {
	say("any offset %d", mocks.AnyOffset)
	c := mocks.NewTestConfig()
	say("test config: %v valid %v, retries %v %v %v %v %v", c.Version, c.Validate(), c.Producer.Retry.Backoff, c.Consumer.Retry.Backoff, c.Metadata.Retry.Backoff, c.Admin.Retry.Backoff, c.Producer.Transaction.Retry.Backoff)
	say("group retries %v, buffers %d", c.Consumer.Group.Rebalance.Retry.Backoff, c.ChannelBufferSize)
	asyncResults()
	asyncCheckers()
	asyncEnds()
	asyncTransactions()
	syncResults()
	syncBatches()
	syncCheckers()
	syncTransactions()
	consumerStarts()
	consumerYields()
	consumerPauses()
	consumerEnds()
}

// successful is a config that returns both results.
func successful() *sarama.Config {
	c := sarama.NewConfig()
	c.Producer.Return.Successes = true
	return c
}

func transactionalConfig() *sarama.Config {
	c := successful()
	c.Version = sarama.V2_8_0_0
	c.Producer.Idempotent = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Net.MaxOpenRequests = 1
	c.Producer.Transaction.ID = "x"
	return c
}

func message(topic, value string) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("key-" + value), Value: sarama.StringEncoder(value)}
}

var errProbe = errors.New("probe error")

// results prints what is left in a closed producer's channels.
func results(what string, p *mocks.AsyncProducer) {
	for m := range p.Successes() {
		say("%s: success %s/%d offset %d value %v", what, m.Topic, m.Partition, m.Offset, m.Value)
	}
	for e := range p.Errors() {
		if e.Msg == nil {
			say("%s: error %v of no message", what, e.Err)
			continue
		}
		say("%s: error %v of %s/%d offset %d value %v", what, e.Err, e.Msg.Topic, e.Msg.Partition, e.Msg.Offset, e.Msg.Value)
	}
}

func asyncResults() {
	n := &notes{}
	p := mocks.NewAsyncProducer(n, successful())
	say("async: caps %d %d %d", cap(p.Input()), cap(p.Successes()), cap(p.Errors()))
	p.ExpectInputAndSucceed().ExpectInputAndFail(errProbe).ExpectInputAndSucceed().ExpectInputAndFail(nil).ExpectInputAndSucceed()
	for _, m := range []*sarama.ProducerMessage{message("t", "1"), message("t", "2"), message("u", "3"), message("t", "4"), message("t", "5"), message("t", "6")} {
		p.Input() <- m
	}
	say("async: close %v", p.Close())
	n.tell("async")
	results("async", p)

	p = mocks.NewAsyncProducer(n, nil)
	p.ExpectInputAndSucceed().ExpectInputAndFail(errProbe)
	p.Input() <- message("t", "1")
	p.Input() <- message("t", "2")
	say("async, nil config: close %v", p.Close())
	n.tell("async, nil config")
	results("async, nil config", p)

	c := successful()
	c.Producer.Return.Errors = false
	p = mocks.NewAsyncProducer(n, c)
	p.ExpectInputAndFail(errProbe)
	p.Input() <- message("t", "1")
	say("async, no errors wanted: close %v", p.Close())
	n.tell("async, no errors wanted")
	results("async, no errors wanted", p)

	c = successful()
	c.Producer.Retry.Max = -1
	p = mocks.NewAsyncProducer(n, c)
	n.tell("async, bad config")
	say("async, bad config: %v", p != nil)

	c = successful()
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Interceptors = []sarama.ProducerInterceptor{renamer{}}
	p = mocks.NewAsyncProducer(n, c)
	p.SetPartitions(map[string]int32{"t": 2, "zero": 0})
	p.SetDefaultPartitions(4)
	for _, m := range []*sarama.ProducerMessage{{Topic: "t", Partition: 1}, {Topic: "t", Partition: 2}, {Topic: "u", Partition: 3}, {Topic: "u", Partition: 4}, {Topic: "zero", Partition: 0}, {Topic: "t", Partition: -1}} {
		p.ExpectInputAndSucceed()
		p.Input() <- m
	}
	say("async, manual: close %v", p.Close())
	n.tell("async, manual")
	results("async, manual", p)

	c = successful()
	c.Producer.Partitioner = func(topic string) sarama.Partitioner { return &counting{topic: topic} }
	p = mocks.NewAsyncProducer(n, c)
	for _, topic := range []string{"t", "t", "u", "fails", "t"} {
		p.ExpectInputAndSucceed()
		p.Input() <- message(topic, "v")
	}
	p.ExpectInputAndFail(errProbe)
	p.Input() <- message("fails", "v")
	p.ExpectInputAndFail(errProbe)
	p.Input() <- message("t", "w")
	say("async, partitioner: close %v", p.Close())
	n.tell("async, partitioner")
	results("async, partitioner", p)
	config := mocks.NewTopicConfig()
	config.SetDefaultPartitions(3)
}

type renamer struct{}

func (renamer) OnSend(m *sarama.ProducerMessage) { m.Topic += "!" }

// counting is a partitioner that tells how it is used.
type counting struct {
	topic string
	calls int32
}

func (p *counting) Partition(m *sarama.ProducerMessage, n int32) (int32, error) {
	p.calls++
	say("partitioner of %s: call %d, %d partitions, offset %d", p.topic, p.calls, n, m.Offset)
	if p.topic == "fails" {
		return 5, errProbe
	}
	return p.calls, nil
}

func (p *counting) RequiresConsistency() bool { return true }

func asyncCheckers() {
	n := &notes{}
	p := mocks.NewAsyncProducer(n, successful())
	bad := errors.New("bad value")
	value := func(ok bool) mocks.ValueChecker {
		return func(v []byte) error {
			n.Errorf("value checker sees %q", v)
			if ok {
				return nil
			}
			return bad
		}
	}
	whole := func(ok bool) mocks.MessageChecker {
		return func(m *sarama.ProducerMessage) error {
			n.Errorf("message checker sees %s/%d offset %d", m.Topic, m.Partition, m.Offset)
			if ok {
				return nil
			}
			return bad
		}
	}
	p.ExpectInputWithCheckerFunctionAndSucceed(value(true)).ExpectInputWithCheckerFunctionAndSucceed(value(false)).
		ExpectInputWithCheckerFunctionAndFail(value(true), errProbe).ExpectInputWithCheckerFunctionAndFail(value(false), errProbe).
		ExpectInputWithMessageCheckerFunctionAndSucceed(whole(true)).ExpectInputWithMessageCheckerFunctionAndSucceed(whole(false)).
		ExpectInputWithMessageCheckerFunctionAndFail(whole(true), errProbe).ExpectInputWithMessageCheckerFunctionAndFail(whole(false), errProbe).
		ExpectInputWithMessageCheckerFunctionAndSucceed(nil).ExpectInputWithCheckerFunctionAndSucceed(value(true))
	for i := range 9 {
		p.Input() <- message("t", fmt.Sprint(i))
	}
	p.Input() <- &sarama.ProducerMessage{Topic: "t", Key: sarama.StringEncoder("k"), Value: badEncoder{}}
	say("async, checkers: close %v", p.Close())
	n.tell("async, checkers")
	results("async, checkers", p)
}

type badEncoder struct{}

func (badEncoder) Encode() ([]byte, error) { return nil, errors.New("cannot encode") }
func (badEncoder) Length() int             { return 1 }

func asyncEnds() {
	n := &notes{}
	p := mocks.NewAsyncProducer(n, successful())
	p.ExpectInputAndSucceed().ExpectInputAndSucceed()
	p.Input() <- message("t", "1")
	say("async, unmet: close %v", p.Close())
	n.tell("async, unmet")
	results("async, unmet", p)
	attempt("async: second close", func() { _ = p.Close() })
	attempt("async: send after close", func() { p.Input() <- message("t", "1") })

	p = mocks.NewAsyncProducer(n, successful())
	p.ExpectInputAndSucceed()
	p.AsyncClose()
	results("async, async close", p)
	await(func() bool { return n.count() > 0 })
	n.tell("async, async close")

	c := successful()
	c.ChannelBufferSize = 0
	c.Net.ReadTimeout = 50 * time.Millisecond // how long this module's Close waits for readers
	p = mocks.NewAsyncProducer(n, c)
	p.ExpectInputAndSucceed()
	p.Input() <- message("t", "1")
	attempt("async, unbuffered: close with a success unread", func() { _ = p.Close() })

	p = mocks.NewAsyncProducer(n, c)
	p.ExpectInputAndFail(errProbe)
	p.Input() <- message("t", "1")
	attempt("async, unbuffered: close with an error unread", func() { _ = p.Close() })
}

func asyncTransactions() {
	n := &notes{}
	p := mocks.NewAsyncProducer(n, nil)
	status := func(what string, err error) { say("async txn: %s: %v, then %v", what, err, p.TxnStatus()) }
	group := sarama.ConsumerGroupMetadata{GroupID: "g"}
	calls := func(what string) {
		status(what+", add offsets", p.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{"t": {{Offset: 3}}}, "g"))
		status(what+", add offsets of group", p.AddOffsetsToTxnWithGroupMetadata(nil, &group))
		status(what+", add message", p.AddMessageToTxn(&sarama.ConsumerMessage{}, "g", nil))
		status(what+", add message of group", p.AddMessageToTxnWithGroupMetadata(&sarama.ConsumerMessage{}, &group, nil))
	}
	say("async txn: transactional %v", p.IsTransactional())
	calls("none")
	status("none, begin", p.BeginTxn())
	status("none, commit", p.CommitTxn())
	status("none, abort", p.AbortTxn())
	_ = p.Close()
	n.tell("async txn: none")

	p = mocks.NewAsyncProducer(n, transactionalConfig())
	say("async txn: transactional %v, %v", p.IsTransactional(), p.TxnStatus())
	calls("before")
	status("commit before", p.CommitTxn())
	status("abort before", p.AbortTxn())
	status("begin", p.BeginTxn())
	status("begin again", p.BeginTxn())
	calls("in")
	p.ExpectInputAndSucceed().ExpectInputAndFail(errProbe)
	p.Input() <- message("t", "1")
	p.Input() <- message("t", "2")
	await(func() bool { return len(p.Successes()) == 1 && len(p.Errors()) == 1 })
	status("after a failure, commit", p.CommitTxn())
	status("begin", p.BeginTxn())
	status("abort", p.AbortTxn())
	status("abort again", p.AbortTxn())
	attempt("async txn: close", func() { _ = p.Close() })
	n.tell("async txn")
	results("async txn", p)

	p = mocks.NewAsyncProducer(n, transactionalConfig())
	p.ExpectInputAndSucceed()
	attempt("async txn: send outside", func() { p.Input() <- message("t", "1") })
	await(func() bool { return n.count() > 0 })
	n.tell("async txn outside")
	select {
	case e := <-p.Errors():
		say("async txn outside: error %v of %v", e.Err, e.Msg.Value)
	case m := <-p.Successes():
		say("async txn outside: success %v", m.Value)
	case <-time.After(50 * time.Millisecond):
		say("async txn outside: no result")
	}
	attempt("async txn outside: begin", func() { status("begin", p.BeginTxn()) })
}

func syncResults() {
	n := &notes{}
	p := mocks.NewSyncProducer(n, nil)
	send := func(m *sarama.ProducerMessage) {
		partition, offset, err := p.SendMessage(m)
		say("sync: %v: %d %d %v; message has %d %d", m.Value, partition, offset, err, m.Partition, m.Offset)
		n.tell("sync")
	}
	p.ExpectSendMessageAndSucceed().ExpectSendMessageAndFail(errProbe).ExpectSendMessageAndSucceed().ExpectSendMessageAndFail(nil).ExpectSendMessageAndSucceed()
	for i, topic := range []string{"t", "t", "u", "t", "t", "t"} {
		send(message(topic, fmt.Sprint(i)))
	}
	p.ExpectSendMessageAndSucceed()
	say("sync: close %v", p.Close())
	n.tell("sync, close")
	say("sync: close again %v", p.Close())
	n.tell("sync, close again")
	send(message("t", "after"))

	c := successful()
	c.Producer.Retry.Max = -1
	p = mocks.NewSyncProducer(n, c)
	n.tell("sync, bad config")

	c = successful()
	c.Producer.Partitioner = func(topic string) sarama.Partitioner { return &counting{topic: topic} }
	p = mocks.NewSyncProducer(n, c)
	p.ExpectSendMessageAndSucceed().ExpectSendMessageAndSucceed().ExpectSendMessageAndFail(errProbe).ExpectSendMessageAndFail(errProbe)
	p.SetPartitions(map[string]int32{"t": 2})
	for _, topic := range []string{"t", "fails", "fails", "t"} {
		send(message(topic, "p"))
	}
	c.Producer.Partitioner = sarama.NewManualPartitioner
	p = mocks.NewSyncProducer(n, c)
	p.ExpectSendMessageAndSucceed()
	send(&sarama.ProducerMessage{Topic: "t", Partition: 99})
}

func syncBatches() {
	n := &notes{}
	bad := errors.New("bad value")
	for _, tc := range []struct {
		what   string
		expect func(p *mocks.SyncProducer)
		n      int
	}{
		{"nothing", func(*mocks.SyncProducer) {}, 0},
		{"nothing, one left", func(p *mocks.SyncProducer) { p.ExpectSendMessageAndSucceed() }, 0},
		{"all", func(p *mocks.SyncProducer) { p.ExpectSendMessageAndSucceed().ExpectSendMessageAndSucceed() }, 2},
		{"too few", func(p *mocks.SyncProducer) { p.ExpectSendMessageAndSucceed() }, 2},
		{"second fails", func(p *mocks.SyncProducer) {
			p.ExpectSendMessageAndSucceed().ExpectSendMessageAndFail(errProbe).ExpectSendMessageAndSucceed().ExpectSendMessageAndSucceed()
		}, 3},
		{"checker fails", func(p *mocks.SyncProducer) {
			p.ExpectSendMessageWithCheckerFunctionAndSucceed(func([]byte) error { return bad }).ExpectSendMessageAndFail(errProbe)
		}, 2},
	} {
		p := mocks.NewSyncProducer(n, nil)
		tc.expect(p)
		var list []*sarama.ProducerMessage
		for i := range tc.n {
			list = append(list, message("t", fmt.Sprint(i)))
		}
		err := p.SendMessages(list)
		say("sync batch, %s: %T %v", tc.what, err, err)
		for _, m := range list {
			say("sync batch, %s: message at %d %d", tc.what, m.Partition, m.Offset)
		}
		_ = p.Close()
		n.tell("sync batch, " + tc.what)
	}
}

func syncCheckers() {
	n := &notes{}
	p := mocks.NewSyncProducer(n, nil)
	bad := errors.New("bad value")
	send := func(m *sarama.ProducerMessage) {
		partition, offset, err := p.SendMessage(m)
		say("sync, checkers: %d %d %v; message has %d %d", partition, offset, err, m.Partition, m.Offset)
		n.tell("sync, checkers")
	}
	p.ExpectSendMessageWithCheckerFunctionAndSucceed(func(v []byte) error { say("sees %q", v); return nil }).
		ExpectSendMessageWithCheckerFunctionAndSucceed(func([]byte) error { return bad }).
		ExpectSendMessageWithCheckerFunctionAndFail(func([]byte) error { return nil }, errProbe).
		ExpectSendMessageWithCheckerFunctionAndFail(func([]byte) error { return bad }, errProbe).
		ExpectSendMessageWithMessageCheckerFunctionAndSucceed(func(m *sarama.ProducerMessage) error {
			say("sees %s/%d offset %d", m.Topic, m.Partition, m.Offset)
			return nil
		}).
		ExpectSendMessageWithMessageCheckerFunctionAndSucceed(func(*sarama.ProducerMessage) error { return bad }).
		ExpectSendMessageWithMessageCheckerFunctionAndFail(func(*sarama.ProducerMessage) error { return nil }, errProbe).
		ExpectSendMessageWithMessageCheckerFunctionAndFail(func(*sarama.ProducerMessage) error { return bad }, errProbe).
		ExpectSendMessageWithCheckerFunctionAndSucceed(func([]byte) error { return nil })
	for i := range 8 {
		send(message("t", fmt.Sprint(i)))
	}
	send(&sarama.ProducerMessage{Topic: "t", Key: sarama.StringEncoder("k"), Value: badEncoder{}})
	p.ExpectSendMessageWithCheckerFunctionAndSucceed(func([]byte) error { return nil })
	attempt("sync, checkers: nil value", func() { send(&sarama.ProducerMessage{Topic: "t", Key: sarama.StringEncoder("k")}) })
}

func syncTransactions() {
	n := &notes{}
	p := mocks.NewSyncProducer(n, nil)
	status := func(what string, err error) { say("sync txn: %s: %v, then %v", what, err, p.TxnStatus()) }
	send := func(what string) {
		p.ExpectSendMessageAndSucceed()
		_, _, err := p.SendMessage(message("t", "1"))
		status(what+", send", err)
	}
	say("sync txn: transactional %v", p.IsTransactional())
	status("none, begin", p.BeginTxn())
	status("none, add", p.AddOffsetsToTxn(nil, "g"))
	status("none, commit", p.CommitTxn())
	status("none, abort", p.AbortTxn())
	send("none")

	p = mocks.NewSyncProducer(n, transactionalConfig())
	say("sync txn: transactional %v, %v", p.IsTransactional(), p.TxnStatus())
	send("before")
	n.tell("sync txn: before")
	_ = p.Close()
	n.tell("sync txn: closed before")
	p = mocks.NewSyncProducer(n, transactionalConfig())
	p.ExpectSendMessageAndSucceed()
	status("before, batch", p.SendMessages([]*sarama.ProducerMessage{message("t", "1")}))
	status("commit before", p.CommitTxn())
	status("abort before", p.AbortTxn())
	status("add before", p.AddMessageToTxn(&sarama.ConsumerMessage{}, "g", nil))
	status("begin", p.BeginTxn())
	status("begin again", p.BeginTxn())
	send("in")
	p.ExpectSendMessageAndFail(errProbe)
	_, _, err := p.SendMessage(message("t", "1"))
	status("in, failed", err)
	status("add in", p.AddMessageToTxn(&sarama.ConsumerMessage{}, "g", nil))
	status("commit", p.CommitTxn())
	status("begin", p.BeginTxn())
	status("abort", p.AbortTxn())
	_ = p.Close()
	n.tell("sync txn")
}
