package mocks

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/IBM/sarama"
	"go.uber.org/goleak"
)

// TestMain fails when the tests leave a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reports collects what a mock reports.
type reports struct {
	mu   sync.Mutex
	list []string
}

func (r *reports) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, fmt.Sprintf(format, args...))
}

// want compares what was reported since it was last called.
func (r *reports) want(t *testing.T, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.list, want) {
		t.Errorf("reported %q, want %q", r.list, want)
	}
	r.list = nil
}

// Texts that programs may compare with.
const (
	reportNoExpectation = "No more expectation set on this mock producer to handle the input message."
	reportInsufficient  = "Insufficient expectations set on this mock producer to handle the input messages."
	reportOutsideTxn    = "attempt to send message when transaction is not started or is in ending state."
	reportRefused       = "Check function returned an error: refused"
)

func reportLeft(n int) string {
	return fmt.Sprintf("Expected to exhaust all expectations, but %d are left.", n)
}

var (
	errSend    = errors.New("not sent")
	errRefused = errors.New("refused")
)

func successConfig() *sarama.Config {
	conf := sarama.NewConfig()
	conf.Producer.Return.Successes = true
	return conf
}

func txnConfig() *sarama.Config {
	conf := successConfig()
	conf.Version = sarama.V2_8_0_0
	conf.Producer.Idempotent = true
	conf.Producer.RequiredAcks = sarama.WaitForAll
	conf.Net.MaxOpenRequests = 1
	conf.Producer.Transaction.ID = "x"
	return conf
}

// keyed has a key, so that its partition is always the same.
func keyed(topic, value string) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("key-" + value), Value: sarama.StringEncoder(value)}
}

// brokenEncoder is a value that cannot be encoded.
type brokenEncoder struct{}

func (brokenEncoder) Encode() ([]byte, error) { return nil, errors.New("cannot encode") }

func (brokenEncoder) Length() int { return 1 }

func TestInvalidConfigIsReported(t *testing.T) {
	conf := sarama.NewConfig()
	conf.Producer.Retry.Max = -1
	conf.Producer.Partitioner = nil
	conf.ChannelBufferSize = -1
	err := conf.Validate()
	for name, newMock := range map[string]func(ErrorReporter) func() error{
		"async":    func(r ErrorReporter) func() error { return NewAsyncProducer(r, conf).Close },
		"sync":     func(r ErrorReporter) func() error { return NewSyncProducer(r, conf).Close },
		"consumer": func(r ErrorReporter) func() error { return NewConsumer(r, conf).Close },
		"group":    func(r ErrorReporter) func() error { return NewConsumerGroup(r, conf).Close },
	} {
		t.Run(name, func(t *testing.T) {
			r := &reports{}
			closeMock := newMock(r)
			r.want(t, fmt.Sprintf("Invalid mock configuration provided: %v", err))
			if err := closeMock(); err != nil {
				t.Error(err)
			}
			r.want(t)
		})
	}
}

func TestTestConfigIsOldAndDoesNotWait(t *testing.T) {
	conf := NewTestConfig()
	if err := conf.Validate(); err != nil {
		t.Error(err)
	}
	if conf.Version != sarama.MinVersion || conf.Producer.Retry.Backoff != 0 || conf.Consumer.Retry.Backoff != 0 {
		t.Errorf("version %v, backoffs %v and %v", conf.Version, conf.Producer.Retry.Backoff, conf.Consumer.Retry.Backoff)
	}
}
