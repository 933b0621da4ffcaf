package mocks

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/IBM/sarama"
)

// outcomes lists what is in the channels of a producer that is closed.
func outcomes(p *AsyncProducer) (list []string) {
	for m := range p.Successes() {
		list = append(list, fmt.Sprintf("%v at %d", m.Value, m.Offset))
	}
	for e := range p.Errors() {
		list = append(list, fmt.Sprintf("%v: %v", e.Msg.Value, e.Err))
	}
	return list
}

func TestAsyncProducerDoesWhatIsExpected(t *testing.T) {
	value := func(err error) ValueChecker {
		return func(v []byte) error {
			if len(v) != 1 {
				return fmt.Errorf("value %q", v)
			}
			return err
		}
	}
	whole := func(err error) MessageChecker {
		return func(m *sarama.ProducerMessage) error {
			if m.Offset != 0 || m.Partition < 0 || m.Partition >= 32 {
				return fmt.Errorf("%d at %d", m.Partition, m.Offset)
			}
			return err
		}
	}
	for _, tc := range []struct {
		name     string
		expect   func(p *AsyncProducer)
		messages int
		outcomes []string
		reports  []string
	}{
		{"successes and failures", func(p *AsyncProducer) {
			p.ExpectInputAndSucceed().ExpectInputAndFail(errSend).ExpectInputAndFail(nil).ExpectInputAndSucceed()
		}, 4, []string{"0 at 1", "2 at 2", "3 at 3", "1: not sent"}, nil},
		{"more messages", func(p *AsyncProducer) { p.ExpectInputAndSucceed() }, 3, []string{"0 at 1"}, []string{reportNoExpectation, reportNoExpectation}},
		{"fewer messages", func(p *AsyncProducer) { p.ExpectInputAndSucceed().ExpectInputAndSucceed() }, 0, nil, []string{reportLeft(2)}},
		{"checkers that are content", func(p *AsyncProducer) {
			p.ExpectInputWithCheckerFunctionAndSucceed(value(nil)).ExpectInputWithCheckerFunctionAndFail(value(nil), errSend)
			p.ExpectInputWithMessageCheckerFunctionAndSucceed(whole(nil)).ExpectInputWithMessageCheckerFunctionAndFail(whole(nil), errSend)
			p.ExpectInputWithCheckerFunctionAndSucceed(nil)
		}, 5, []string{"0 at 1", "2 at 2", "4 at 3", "1: not sent", "3: not sent"}, nil},
		{"checkers that refuse", func(p *AsyncProducer) {
			p.ExpectInputWithCheckerFunctionAndSucceed(value(errRefused)).ExpectInputWithCheckerFunctionAndFail(value(errRefused), errSend)
			p.ExpectInputWithMessageCheckerFunctionAndSucceed(whole(errRefused)).ExpectInputWithMessageCheckerFunctionAndFail(whole(errRefused), errSend)
		}, 4, []string{"0 at 1", "2 at 2", "0: refused", "1: refused", "1: not sent", "2: refused", "3: refused", "3: not sent"},
			[]string{reportRefused, reportRefused, reportRefused, reportRefused}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &reports{}
			p := NewAsyncProducer(r, successConfig())
			tc.expect(p)
			for i := range tc.messages {
				p.Input() <- keyed("t", fmt.Sprint(i))
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			r.want(t, tc.reports...)
			if got := outcomes(p); !slices.Equal(got, tc.outcomes) {
				t.Errorf("got %q, want %q", got, tc.outcomes)
			}
		})
	}
}

func TestAsyncProducerReturnsWhatTheConfigWants(t *testing.T) {
	for _, tc := range []struct {
		successes, errors bool
		want              []string
	}{
		{false, false, nil}, {true, false, []string{"a at 1"}}, {false, true, []string{"b: not sent"}}, {true, true, []string{"a at 1", "b: not sent"}},
	} {
		r, conf := &reports{}, sarama.NewConfig()
		conf.Producer.Return.Successes, conf.Producer.Return.Errors = tc.successes, tc.errors
		p := NewAsyncProducer(r, conf)
		p.ExpectInputAndSucceed().ExpectInputAndFail(errSend)
		p.Input() <- keyed("t", "a")
		p.Input() <- keyed("t", "b")
		p.AsyncClose()
		if got := outcomes(p); !slices.Equal(got, tc.want) {
			t.Errorf("successes %v, errors %v: got %q", tc.successes, tc.errors, got)
		}
		<-p.done
		r.want(t)
	}
}

// modulo is a partitioner that tells how many partitions it sees, and refuses
// some topics.
type modulo struct{}

func (modulo) Partition(m *sarama.ProducerMessage, n int32) (int32, error) {
	if m.Topic == "refused" {
		return 7, errRefused
	}
	return n - 1, nil
}

func (modulo) RequiresConsistency() bool { return true }

func TestProducersRunThePartitioner(t *testing.T) {
	conf := successConfig()
	made := 0
	conf.Producer.Partitioner = func(string) sarama.Partitioner { made++; return modulo{} }
	topics := []string{"three", "other", "three", "refused"}
	want := []int32{2, 3, 2, 0}
	set := func(c *TopicConfig) {
		c.SetDefaultPartitions(4)
		c.SetPartitions(map[string]int32{"three": 3})
	}
	t.Run("async", func(t *testing.T) {
		r := &reports{}
		p := NewAsyncProducer(r, conf)
		set(p.TopicConfig)
		var sent []*sarama.ProducerMessage
		for _, topic := range topics {
			p.ExpectInputAndSucceed()
			sent = append(sent, keyed(topic, "v"))
			p.Input() <- sent[len(sent)-1]
		}
		_ = p.Close()
		r.want(t, "Partitioner returned an error: refused")
		for i, m := range sent {
			if m.Partition != want[i] {
				t.Errorf("message %d in partition %d", i, m.Partition)
			}
		}
		if e := <-p.Errors(); e == nil || e.Msg != sent[3] || !errors.Is(e, errRefused) {
			t.Errorf("got %v", e)
		}
	})
	t.Run("sync", func(t *testing.T) {
		r := &reports{}
		p := NewSyncProducer(r, conf)
		set(p.TopicConfig)
		for i, topic := range topics {
			p.ExpectSendMessageAndSucceed()
			partition, _, err := p.SendMessage(keyed(topic, "v"))
			if i < 3 && (partition != want[i] || err != nil) || i == 3 && (partition != -1 || err != errRefused) {
				t.Errorf("message %d: partition %d, %v", i, partition, err)
			}
		}
		r.want(t, "Partitioner returned an error: refused")
	})
	if made != 6 {
		t.Errorf("%d partitioners for 2 times 3 topics", made)
	}
}

func TestProducerWithoutTopicConfigHasTheDefault(t *testing.T) {
	conf := successConfig()
	conf.Producer.Partitioner = func(string) sarama.Partitioner { return modulo{} }
	p := NewSyncProducer(t, conf)
	p.TopicConfig = nil
	p.ExpectSendMessageAndSucceed()
	if partition, _, err := p.SendMessage(keyed("t", "v")); partition != 31 || err != nil {
		t.Errorf("partition %d, %v", partition, err)
	}
}

func TestAsyncProducerChecksValuesThatCannotBeHad(t *testing.T) {
	r := &reports{}
	p := NewAsyncProducer(r, successConfig())
	var seen [][]byte
	see := func(v []byte) error { seen = append(seen, v); return nil }
	p.ExpectInputWithCheckerFunctionAndSucceed(see).ExpectInputWithCheckerFunctionAndSucceed(see)
	p.Input() <- &sarama.ProducerMessage{Topic: "t"}
	p.Input() <- &sarama.ProducerMessage{Topic: "t", Value: brokenEncoder{}}
	p.Input() <- nil
	_ = p.Close()
	r.want(t, "Check function returned an error: Input message encoding failed: cannot encode", "The mock producer was sent a nil message.")
	if len(seen) != 1 || seen[0] != nil {
		t.Errorf("the checker saw %q", seen)
	}
	if got := outcomes(p); len(got) != 3 {
		t.Errorf("got %q", got)
	}
}

// Tests of published programs want it so.
func TestAsyncProducerPanicsWhenItIsClosedAgain(t *testing.T) {
	r := &reports{}
	p := NewAsyncProducer(r, successConfig())
	p.ExpectInputAndSucceed()
	_ = p.Close()
	r.want(t, reportLeft(1))
	for name, again := range map[string]func(){"Close": func() { _ = p.Close() }, "AsyncClose": p.AsyncClose} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", name)
				}
			}()
			again()
		}()
	}
	for _, call := range []func() error{p.BeginTxn, p.AbortTxn} {
		if err := call(); err != nil {
			t.Error(err)
		}
	}
}

// Without room in the channels, and without readers.
func TestAsyncProducerCloseEndsWhenNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, conf := &reports{}, successConfig()
		conf.ChannelBufferSize = 0
		p := NewAsyncProducer(r, conf)
		p.ExpectInputAndSucceed().ExpectInputAndFail(errSend).ExpectInputAndSucceed()
		for range 3 {
			p.Input() <- keyed("t", "v")
		}
		_ = p.Close()
		r.want(t, "Close: nobody reads the results of 3 messages.")
		if got := outcomes(p); got != nil {
			t.Errorf("got %q", got)
		}
	})
}

func TestAsyncProducerCloseLeavesResultsToSlowReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, conf := &reports{}, successConfig()
		conf.ChannelBufferSize = 1
		p := NewAsyncProducer(r, conf)
		var got []string
		var reader sync.WaitGroup
		begin := make(chan struct{})
		reader.Go(func() {
			<-begin
			got = outcomes(p)
		})
		for range 20 {
			p.ExpectInputAndSucceed()
			p.Input() <- keyed("t", "v")
		}
		closed := make(chan struct{})
		go func() { _ = p.Close(); close(closed) }()
		synctest.Wait()
		close(begin)
		<-closed
		reader.Wait()
		if r.want(t); len(got) != 20 {
			t.Errorf("%d results: %q", len(got), got)
		}
	})
}

func TestAsyncProducerTransactions(t *testing.T) {
	r, conf := &reports{}, txnConfig()
	conf.ChannelBufferSize = 0 // nobody reads until the end
	p := NewAsyncProducer(r, conf)
	status := func(call func() error, want sarama.ProducerTxnStatusFlag) {
		t.Helper()
		if err := call(); err != nil || p.TxnStatus() != want {
			t.Errorf("%v, then %v, want %v", err, p.TxnStatus(), want)
		}
	}
	if !p.IsTransactional() || p.TxnStatus() != sarama.ProducerTxnFlagReady {
		t.Errorf("transactional %v, %v", p.IsTransactional(), p.TxnStatus())
	}
	p.Input() <- keyed("t", "before")
	status(p.BeginTxn, sarama.ProducerTxnFlagInTransaction)
	r.want(t, reportOutsideTxn)
	p.ExpectInputAndSucceed().ExpectInputAndFail(errSend)
	p.Input() <- keyed("t", "in")
	p.Input() <- keyed("t", "failed")
	status(func() error { return p.AddOffsetsToTxn(nil, "g") }, sarama.ProducerTxnFlagInTransaction)
	status(func() error { return p.AddOffsetsToTxnWithGroupMetadata(nil, nil) }, sarama.ProducerTxnFlagInTransaction)
	status(func() error { return p.AddMessageToTxn(nil, "g", nil) }, sarama.ProducerTxnFlagInTransaction)
	status(func() error { return p.AddMessageToTxnWithGroupMetadata(nil, nil, nil) }, sarama.ProducerTxnFlagInTransaction)
	status(p.CommitTxn, sarama.ProducerTxnFlagReady)
	p.Input() <- keyed("t", "after")
	status(p.AbortTxn, sarama.ProducerTxnFlagReady)
	r.want(t, reportOutsideTxn)
	p.AsyncClose()
	var failed []error
	for e := range p.Errors() {
		failed = append(failed, e.Err)
		if len(failed) == 3 {
			break
		}
	}
	if !errors.Is(failed[0], sarama.ErrTransactionNotReady) || failed[1] != errSend || !errors.Is(failed[2], sarama.ErrTransactionNotReady) {
		t.Errorf("errors %v", failed)
	}
	if got := outcomes(p); !slices.Equal(got, []string{"in at 1"}) {
		t.Errorf("got %q", got)
	}
	<-p.done
	r.want(t)
}

// Messages that are in Input's buffer belong to the transaction that was open
// when they were sent.
func TestAsyncProducerCommitFollowsTheMessages(t *testing.T) {
	r := &reports{}
	p := NewAsyncProducer(r, txnConfig())
	for range 50 {
		_ = p.BeginTxn()
		for range 5 {
			p.ExpectInputAndSucceed()
			p.Input() <- keyed("t", "v")
		}
		_ = p.CommitTxn()
	}
	_ = p.Close()
	if got := outcomes(p); len(got) != 250 {
		t.Errorf("%d results", len(got))
	}
	r.want(t)
}

func TestAsyncProducerOfManyGoroutines(t *testing.T) {
	r := &reports{}
	p := NewAsyncProducer(r, successConfig())
	var senders, reader sync.WaitGroup
	offsets := make(map[int64]bool)
	reader.Go(func() {
		for m := range p.Successes() {
			offsets[m.Offset] = true
		}
	})
	for range 8 {
		senders.Go(func() {
			for range 100 {
				p.ExpectInputAndSucceed()
				p.SetPartitions(map[string]int32{"t": 5})
				p.Input() <- keyed("t", "v")
				_ = p.TxnStatus()
			}
		})
	}
	senders.Wait()
	_ = p.Close()
	reader.Wait()
	if r.want(t); len(offsets) != 800 {
		t.Errorf("%d offsets", len(offsets))
	}
}
