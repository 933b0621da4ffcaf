package mocks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/IBM/sarama"
)

func TestSyncProducerDoesWhatIsExpected(t *testing.T) {
	refuses := func([]byte) error { return errRefused }
	refusesMessage := func(*sarama.ProducerMessage) error { return errRefused }
	contentMessage := func(m *sarama.ProducerMessage) error {
		if m.Topic != "t" || m.Offset != 0 {
			return fmt.Errorf("%s at %d", m.Topic, m.Offset)
		}
		return nil
	}
	content := func(v []byte) error {
		if string(v) != "v" {
			return fmt.Errorf("value %q", v)
		}
		return nil
	}
	for _, tc := range []struct {
		name   string
		expect func(p *SyncProducer)
		err    error
		report []string
	}{
		{"nothing", func(*SyncProducer) {}, errOutOfExpectations, []string{reportNoExpectation}},
		{"success", func(p *SyncProducer) { p.ExpectSendMessageAndSucceed() }, nil, nil},
		{"failure", func(p *SyncProducer) { p.ExpectSendMessageAndFail(errSend) }, errSend, nil},
		{"failure of nothing", func(p *SyncProducer) { p.ExpectSendMessageAndFail(nil) }, nil, nil},
		{"value, success", func(p *SyncProducer) { p.ExpectSendMessageWithCheckerFunctionAndSucceed(content) }, nil, nil},
		{"value, failure", func(p *SyncProducer) { p.ExpectSendMessageWithCheckerFunctionAndFail(content, errSend) }, errSend, nil},
		{"value refused", func(p *SyncProducer) { p.ExpectSendMessageWithCheckerFunctionAndSucceed(refuses) }, errRefused, []string{reportRefused}},
		{"value refused, failure", func(p *SyncProducer) { p.ExpectSendMessageWithCheckerFunctionAndFail(refuses, errSend) }, errRefused, []string{reportRefused}},
		{"message, success", func(p *SyncProducer) { p.ExpectSendMessageWithMessageCheckerFunctionAndSucceed(contentMessage) }, nil, nil},
		{"message, failure", func(p *SyncProducer) { p.ExpectSendMessageWithMessageCheckerFunctionAndFail(contentMessage, errSend) }, errSend, nil},
		{"message refused", func(p *SyncProducer) { p.ExpectSendMessageWithMessageCheckerFunctionAndSucceed(refusesMessage) }, errRefused, []string{reportRefused}},
		{"one too many", func(p *SyncProducer) { p.ExpectSendMessageAndSucceed().ExpectSendMessageAndFail(errSend) }, nil, []string{reportLeft(1)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &reports{}
			p := NewSyncProducer(r, nil)
			tc.expect(p)
			msg := keyed("t", "v")
			partition, offset, err := p.SendMessage(msg)
			if err != tc.err {
				t.Errorf("got %v, want %v", err, tc.err)
			}
			if err == nil && (offset != 1 || partition != msg.Partition || offset != msg.Offset) || err != nil && (partition != -1 || offset != -1) {
				t.Errorf("at %d, %d; the message has %d, %d", partition, offset, msg.Partition, msg.Offset)
			}
			for range 2 {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			}
			r.want(t, tc.report...)
		})
	}
}

func TestSyncProducerCountsOffsetsOverAllTopics(t *testing.T) {
	p := NewSyncProducer(t, nil)
	var want int64
	for i, topic := range []string{"a", "b", "a", "b", "a"} {
		if i == 2 {
			p.ExpectSendMessageAndFail(errSend)
		} else {
			p.ExpectSendMessageAndSucceed()
			want++
		}
		if _, offset, err := p.SendMessage(keyed(topic, "v")); err == nil && offset != want {
			t.Errorf("message %d at %d, want %d", i, offset, want)
		}
	}
}

func TestSyncProducerSendsMessagesUpToTheFirstFailure(t *testing.T) {
	for _, tc := range []struct {
		name    string
		expect  func(p *SyncProducer)
		n       int
		err     error
		offsets []int64
		report  []string
	}{
		{"none", func(*SyncProducer) {}, 0, nil, nil, nil},
		{"all", func(p *SyncProducer) { p.ExpectSendMessageAndSucceed().ExpectSendMessageAndSucceed() }, 2, nil, []int64{1, 2}, nil},
		{"too few expectations", func(p *SyncProducer) { p.ExpectSendMessageAndSucceed() }, 2, errOutOfExpectations, []int64{0, 0}, []string{reportInsufficient, reportLeft(1)}},
		{"second fails", func(p *SyncProducer) {
			p.ExpectSendMessageAndSucceed().ExpectSendMessageAndFail(errSend).ExpectSendMessageAndSucceed().ExpectSendMessageAndSucceed()
		}, 3, errSend, []int64{1, 0, 0}, []string{reportLeft(1)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &reports{}
			p := NewSyncProducer(r, txnConfig())
			tc.expect(p)
			var msgs []*sarama.ProducerMessage
			for range tc.n {
				msgs = append(msgs, keyed("t", "v"))
			}
			if err := p.SendMessages(msgs); err != tc.err {
				t.Errorf("got %v, want %v", err, tc.err)
			}
			for i, m := range msgs {
				if m.Offset != tc.offsets[i] {
					t.Errorf("message %d at %d", i, m.Offset)
				}
			}
			_ = p.Close()
			r.want(t, tc.report...)
		})
	}
}

func TestSyncProducerTransactions(t *testing.T) {
	r := &reports{}
	p := NewSyncProducer(r, txnConfig())
	p.ExpectSendMessageAndSucceed()
	_, _, err := p.SendMessage(keyed("t", "v"))
	if !errors.Is(err, sarama.ErrTransactionNotReady) || err.Error()+"." != reportOutsideTxn {
		t.Errorf("outside: %v", err)
	}
	r.want(t, reportOutsideTxn)
	for _, end := range []func() error{p.CommitTxn, p.AbortTxn} {
		if err := p.BeginTxn(); err != nil || p.TxnStatus() != sarama.ProducerTxnFlagInTransaction {
			t.Errorf("begin: %v, %v", err, p.TxnStatus())
		}
		if _, _, err := p.SendMessage(keyed("t", "v")); err != nil {
			t.Error(err)
		}
		p.ExpectSendMessageAndSucceed()
		if err := end(); err != nil || p.TxnStatus() != sarama.ProducerTxnFlagReady {
			t.Errorf("end: %v, %v", err, p.TxnStatus())
		}
	}
	if plain := NewSyncProducer(r, nil); plain.IsTransactional() || !p.IsTransactional() {
		t.Error("who is transactional?")
	}
	_ = p.Close()
	r.want(t, reportLeft(1))
}

func TestSyncProducerSendsNothingWhenTheContextHasEnded(t *testing.T) {
	r := &reports{}
	p := NewSyncProducer(r, nil)
	p.ExpectSendMessageAndSucceed()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := p.SendMessageContext(ctx, keyed("t", "v")); !errors.Is(err, context.Canceled) {
		t.Errorf("message: %v", err)
	}
	if err := p.SendMessagesContext(ctx, []*sarama.ProducerMessage{keyed("t", "v")}); !errors.Is(err, context.Canceled) {
		t.Errorf("messages: %v", err)
	}
	if _, offset, err := p.SendMessageContext(t.Context(), keyed("t", "v")); offset != 1 || err != nil {
		t.Errorf("at %d, %v", offset, err)
	}
	_ = p.Close()
	r.want(t)
}

func TestSyncProducerRefusesNil(t *testing.T) {
	r := &reports{}
	p := NewSyncProducer(r, nil)
	if _, _, err := p.SendMessage(nil); !errors.As(err, new(sarama.ConfigurationError)) {
		t.Errorf("message: %v", err)
	}
	if err := p.SendMessages([]*sarama.ProducerMessage{nil}); !errors.As(err, new(sarama.ConfigurationError)) {
		t.Errorf("messages: %v", err)
	}
	const text = "The mock producer was sent a nil message."
	r.want(t, text, text)
}

// A partitioner that panics does not keep the turn, and a checker may use the
// producer.
func TestSyncProducerCallsTheUsersCodeWithoutLocks(t *testing.T) {
	conf := sarama.NewConfig()
	conf.Producer.Partitioner = func(topic string) sarama.Partitioner {
		if topic == "panics" {
			panic("no partitioner")
		}
		return sarama.NewHashPartitioner(topic)
	}
	p := NewSyncProducer(t, conf)
	p.ExpectSendMessageAndSucceed()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, _, _ = p.SendMessage(keyed("panics", "v"))
	}()
	p.ExpectSendMessageWithCheckerFunctionAndSucceed(func([]byte) error {
		p.ExpectSendMessageAndSucceed()
		_, _, err := p.SendMessage(keyed("t", "inner"))
		return err
	})
	if _, offset, err := p.SendMessage(keyed("t", "outer")); offset != 2 || err != nil {
		t.Errorf("at %d, %v", offset, err)
	}
}

func TestSyncProducerOfManyGoroutines(t *testing.T) {
	r := &reports{}
	p := NewSyncProducer(r, nil)
	var senders sync.WaitGroup
	var mu sync.Mutex
	offsets := make(map[int64]bool)
	for range 8 {
		senders.Go(func() {
			for range 50 {
				p.ExpectSendMessageAndSucceed()
				_, offset, err := p.SendMessage(keyed("t", "v"))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				offsets[offset] = true
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	_ = p.Close()
	if r.want(t); len(offsets) != 400 {
		t.Errorf("%d offsets", len(offsets))
	}
}
