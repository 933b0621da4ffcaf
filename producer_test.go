package sarama

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
	"github.com/IBM/sarama/internal/record"
)

// seen is what a broker of a script got of one batch.
type seen struct {
	topic     string
	partition int32
	values    []string
	id        int64
	epoch     int16
	sequence  int32
}

// readBatches decodes and checks a Produce request.
func readBatches(t *testing.T, req any) (list []seen) {
	for _, p := range bridge.ProduceRecords(req) {
		b, rest, err := record.Next(p.Records)
		if err == nil {
			err = b.CheckCRC()
		}
		if err != nil || len(rest) != 0 {
			t.Errorf("%s/%d: %v, %d bytes behind the batch", p.Topic, p.Partition, err, len(rest))
			continue
		}
		s := seen{topic: p.Topic, partition: p.Partition, id: b.ProducerID, epoch: b.ProducerEpoch, sequence: b.BaseSequence}
		it, err := b.Open(0)
		if err != nil {
			t.Error(err)
			continue
		}
		var rec record.Rec
		for it.Next(&rec) {
			s.values = append(s.values, string(rec.Value))
		}
		if it.Err() != nil {
			t.Error(it.Err())
		}
		list = append(list, s)
	}
	return list
}

func newTestProducer(t *testing.T, s *script, set func(*Config)) AsyncProducer {
	t.Helper()
	conf := s.config()
	if set != nil {
		set(conf)
	}
	p, err := NewAsyncProducer([]string{"b1:9092"}, conf)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ledger counts the requests that a script got, by API.
type ledger struct {
	mu    sync.Mutex
	names []string
}

func (l *ledger) add(h bridge.Header) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, h.Name)
}

func (l *ledger) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.names)
}

// TestProducerSendsTheRequestsThatUpstreamSends: scripted brokers hang on one
// request too many.
func TestProducerSendsTheRequestsThatUpstreamSends(t *testing.T) {
	for _, c := range []struct {
		name    string
		set     func(*Config)
		topic   string
		fail    []KError // answers to the first Produce requests
		wantErr error
		want    []string
	}{
		{"a message", nil, "t", nil, nil, []string{"ApiVersions", "Metadata", "ApiVersions", "Produce"}},
		{"the leader has moved once", nil, "t", []KError{ErrNotLeaderForPartition}, nil,
			[]string{"ApiVersions", "Metadata", "ApiVersions", "Produce", "Metadata", "Produce"}},
		{"an unknown topic", nil, "nowhere", nil, ErrUnknownTopicOrPartition,
			[]string{"ApiVersions", "Metadata", "Metadata", "Metadata", "Metadata", "Metadata"}},
		{"idempotent", func(c *Config) { c.Producer.Idempotent, c.Producer.RequiredAcks = true, WaitForAll }, "t", nil, nil,
			[]string{"ApiVersions", "Metadata", "InitProducerId", "ApiVersions", "Produce"}},
		{"retries are used up", func(c *Config) { c.Producer.Retry.Max = 1 }, "t", []KError{ErrNotEnoughReplicas, ErrNotEnoughReplicas}, ErrNotEnoughReplicas,
			[]string{"ApiVersions", "Metadata", "ApiVersions", "Produce", "Metadata", "Produce"}},
		{"an error that no retry helps", nil, "t", []KError{ErrMessageSizeTooLarge}, ErrMessageSizeTooLarge,
			[]string{"ApiVersions", "Metadata", "ApiVersions", "Produce"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l ledger
				fail := c.fail
				s := newScript(t, nil)
				s.answer = func(_ string, h bridge.Header, req any) (any, error) {
					l.add(h)
					switch req := req.(type) {
					case *ApiVersionsRequest:
						return allVersions(), nil
					case *MetadataRequest:
						r := simpleMetadata(1, "t", 1)
						if len(req.Topics) > 0 && req.Topics[0] == "nowhere" {
							r.AddTopic("nowhere", ErrUnknownTopicOrPartition)
						}
						return r, nil
					case *InitProducerIDRequest:
						return &InitProducerIDResponse{ProducerID: 1}, nil
					}
					code := ErrNoError
					if len(fail) > 0 {
						code, fail = fail[0], fail[1:]
					}
					return produceAnswer(req, code), nil
				}
				conf := s.config()
				if c.set != nil {
					c.set(conf)
				}
				p, err := NewSyncProducer([]string{"b1:9092"}, conf)
				if err != nil {
					t.Fatal(err)
				}
				partition, offset, err := p.SendMessage(&ProducerMessage{Topic: c.topic, Value: StringEncoder("v")})
				if !errors.Is(err, c.wantErr) {
					t.Errorf("%v, want %v", err, c.wantErr)
				}
				if err != nil && (partition != -1 || offset != -1) {
					t.Errorf("a failure came with %d, %d", partition, offset)
				}
				_ = p.Close()
				if got := l.list(); !slices.Equal(dropHandshakes(got), dropHandshakes(c.want)) {
					t.Errorf("requests:\n got %v\nwant %v", got, c.want)
				}
			})
		})
	}
}

// dropHandshakes leaves out the one ApiVersions of each connection.
func dropHandshakes(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "ApiVersions" })
}

func TestProducerFlushTriggersCountPerBroker(t *testing.T) {
	for _, c := range []struct {
		name     string
		set      func(*Config)
		messages int
		want     []int // messages of each request, in order
	}{
		{"Messages", func(c *Config) { c.Producer.Flush.Messages = 10 }, 30, []int{10, 10, 10}},
		{"Bytes", func(c *Config) { c.Producer.Flush.Bytes = 600 }, 10, []int{5, 5}}, // of 126 bytes, as ByteSize counts
		{"Frequency", func(c *Config) { c.Producer.Flush.Frequency = time.Second }, 25, []int{25}},
		{"MaxMessages", func(c *Config) { c.Producer.Flush.MaxMessages, c.Producer.Flush.Frequency = 4, time.Second }, 10, []int{4, 4, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var got []int
				s := newScript(t, standard(1, "t", 5, func(_ string, _ bridge.Header, req any) (any, error) {
					n := 0
					for _, b := range readBatches(t, req) {
						n += len(b.values)
					}
					mu.Lock()
					got = append(got, n)
					mu.Unlock()
					return produceAnswer(req, ErrNoError), nil
				}))
				p := newTestProducer(t, s, func(conf *Config) {
					conf.Producer.Partitioner = NewRoundRobinPartitioner
					c.set(conf)
				})
				var wg sync.WaitGroup
				wg.Go(func() {
					for range c.messages {
						<-p.Successes()
					}
				})
				for range c.messages {
					p.Input() <- &ProducerMessage{Topic: "t", Value: ByteEncoder(make([]byte, 90))}
					synctest.Wait() // one message at a time: what goes together is the trigger's doing
				}
				wg.Wait()
				if err := p.Close(); err != nil {
					t.Error(err)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("requests of %v messages, want %v", got, c.want)
				}
			})
		})
	}
}

func TestProducerCloseFlushesWhatNoTriggerWould(t *testing.T) {
	s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) { return produceAnswer(req, ErrNoError), nil }))
	p := newTestProducer(t, s, func(c *Config) { c.Producer.Flush.Messages = 1000 })
	for range 10 {
		p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder("v")}
	}
	within(t, "Close", func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestProducerRetriesKeepOrder fails batches at random, in every way there is,
// and wants each partition's messages once, in order.
func TestProducerRetriesKeepOrder(t *testing.T) {
	for _, idempotent := range []bool{false, true} {
		t.Run(fmt.Sprint("idempotent ", idempotent), func(t *testing.T) {
			var mu sync.Mutex
			var n atomic.Int32
			logs := map[int32][]string{}
			next := map[int32]int32{} // sequence
			s := newScript(t, standard(2, "t", 4, func(_ string, _ bridge.Header, req any) (any, error) {
				mu.Lock()
				defer mu.Unlock()
				r := &ProduceResponse{}
				hangUp := n.Add(1)%7 == 0
				for i, b := range readBatches(t, req) {
					code := ErrNoError
					switch {
					case idempotent && b.sequence < next[b.partition]:
						code = ErrDuplicateSequenceNumber
					case idempotent && b.sequence > next[b.partition]:
						code = ErrOutOfOrderSequenceNumber
					case hangUp && !idempotent:
					case (int(n.Load())+i)%3 == 0:
						code = []KError{ErrNotLeaderForPartition, ErrNotEnoughReplicas, ErrRequestTimedOut}[i%3]
					default:
						logs[b.partition] = append(logs[b.partition], b.values...)
						next[b.partition] += int32(len(b.values))
					}
					r.AddTopicPartition(b.topic, b.partition, code)
				}
				if hangUp {
					return nil, errHangUp
				}
				return r, nil
			}))
			p := newTestProducer(t, s, func(c *Config) {
				c.Producer.Partitioner = NewManualPartitioner
				c.Producer.Retry.Max, c.Producer.Retry.Backoff = 1000, time.Millisecond
				if idempotent {
					c.Producer.Idempotent, c.Producer.RequiredAcks = true, WaitForAll
				}
			})
			const each = 500
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range 4 * each {
					select {
					case <-p.Successes():
					case e := <-p.Errors():
						t.Error(e)
					}
				}
			}()
			for i := range each {
				for id := range int32(4) {
					p.Input() <- &ProducerMessage{Topic: "t", Partition: id, Value: StringEncoder(fmt.Sprint(i))}
				}
				if i%50 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			within(t, "the producer", func() { <-done })
			_ = p.Close()
			for id := range int32(4) {
				want := make([]string, each)
				for i := range want {
					want[i] = fmt.Sprint(i)
				}
				if !slices.Equal(logs[id], want) {
					t.Errorf("partition %d has %d messages, first ones %v", id, len(logs[id]), logs[id][:min(20, len(logs[id]))])
				}
			}
		})
	}
}

func TestProducerResultsAreThoseOfTheBroker(t *testing.T) {
	appended := time.UnixMilli(1234567890123)
	s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
		r := produceAnswer(req, ErrNoError)
		r.Blocks["t"][0].Offset, r.Blocks["t"][0].Timestamp = 41, appended
		return r, nil
	}))
	p := newTestProducer(t, s, func(c *Config) { c.Producer.Flush.Messages = 3 })
	sent := []*ProducerMessage{}
	for i := range 3 {
		m := &ProducerMessage{Topic: "t", Value: StringEncoder("v"), Metadata: i}
		sent = append(sent, m)
		p.Input() <- m
	}
	for i := range 3 {
		m := <-p.Successes()
		if m != sent[i] || m.Offset != int64(41+i) || !m.Timestamp.Equal(appended) || m.Metadata != i {
			t.Errorf("message %d: %+v", i, m)
		}
	}
	_ = p.Close()
}

func TestProducerRefusesWhatItCannotSend(t *testing.T) {
	s := newScript(t, standard(1, "t", 2, func(_ string, _ bridge.Header, req any) (any, error) { return produceAnswer(req, ErrNoError), nil }))
	bad := errors.New("cannot encode")
	for _, c := range []struct {
		name string
		msg  *ProducerMessage
		set  func(*Config)
		want func(error) bool
	}{
		{"too large", &ProducerMessage{Topic: "t", Value: ByteEncoder(make([]byte, 2000))}, func(c *Config) { c.Producer.MaxMessageBytes = 1000 },
			func(err error) bool { e := ConfigurationError(""); return errors.As(err, &e) }},
		{"key encoder fails", &ProducerMessage{Topic: "t", Key: badEncoder{bad}}, func(c *Config) { c.Producer.Partitioner = NewRoundRobinPartitioner },
			func(err error) bool { return errors.Is(err, bad) }},
		{"value encoder fails", &ProducerMessage{Topic: "t", Value: badEncoder{bad}}, nil, func(err error) bool { return errors.Is(err, bad) }},
		{"partition out of range", &ProducerMessage{Topic: "t", Partition: 2}, func(c *Config) { c.Producer.Partitioner = NewManualPartitioner },
			func(err error) bool { return errors.Is(err, ErrInvalidPartition) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newTestProducer(t, s, c.set)
			p.Input() <- nil // ignored
			p.Input() <- c.msg
			p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder("good")}
			e := <-p.Errors()
			if e.Msg != c.msg || !c.want(e.Err) {
				t.Errorf("%v", e)
			}
			if m := <-p.Successes(); m.Value != StringEncoder("good") {
				t.Errorf("the good one: %+v", m)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestProducerInterceptorsRunOncePerMessage(t *testing.T) {
	var calls atomic.Int32
	fail := 3
	s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
		if fail--; fail > 0 {
			return produceAnswer(req, ErrNotLeaderForPartition), nil
		}
		return produceAnswer(req, ErrNoError), nil
	}))
	p := newTestProducer(t, s, func(c *Config) {
		c.Producer.Retry.Backoff = 0
		c.Producer.Interceptors = []ProducerInterceptor{onSend(func(m *ProducerMessage) {
			calls.Add(1)
			m.Value = StringEncoder("changed")
		}), onSend(func(*ProducerMessage) { panic("in an interceptor") })}
	})
	p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder("v")}
	if m := <-p.Successes(); m.Value != StringEncoder("changed") {
		t.Errorf("value %v", m.Value)
	}
	_ = p.Close()
	if calls.Load() != 1 {
		t.Errorf("called %d times", calls.Load())
	}
}

type onSend func(*ProducerMessage)

func (f onSend) OnSend(m *ProducerMessage) { f(m) }

func TestProducerUnackedIsASuccessOnceWritten(t *testing.T) {
	var got atomic.Int32
	s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
		got.Add(int32(len(readBatches(t, req)[0].values)))
		return nil, nil
	}))
	p := newTestProducer(t, s, func(c *Config) { c.Producer.RequiredAcks = NoResponse })
	for range 100 {
		p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder("v")}
		if m := <-p.Successes(); m.Offset != 0 {
			t.Errorf("offset %d", m.Offset)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	s.close()
	if got.Load() != 100 {
		t.Errorf("the broker got %d", got.Load())
	}
}

func TestProducerMemoryStaysBoundedWhenNobodyReads(t *testing.T) {
	s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) { return produceAnswer(req, ErrNoError), nil }))
	p := newTestProducer(t, s, func(conf *Config) {
		conf.Producer.MaxBufferedBytes, conf.Producer.MaxMessageBytes = 1<<20, 10_000
	})
	accepted := 0
	msg := ByteEncoder(make([]byte, 1000))
	for stuck := false; !stuck && accepted < 1_000_000; {
		select {
		case p.Input() <- &ProducerMessage{Topic: "t", Value: msg}:
			accepted++
		case <-time.After(time.Second):
			stuck = true
		}
	}
	// The budget, and the two channels.
	if most := 1<<20/1000 + 3*256; accepted > most {
		t.Errorf("%d messages of 1000 bytes were taken, %d is the most", accepted, most)
	}
	if accepted < 1<<20/1400 {
		t.Errorf("only %d messages were taken", accepted)
	}
	within(t, "reading the results", func() {
		for range accepted {
			<-p.Successes()
		}
	})
	within(t, "Close", func() { _ = p.Close() })
}

func TestProducerFlushesAtTheBudgetWhateverTheTriggersSay(t *testing.T) {
	s := newScript(t, standard(1, "t", 3, func(_ string, _ bridge.Header, req any) (any, error) { return produceAnswer(req, ErrNoError), nil }))
	p := newTestProducer(t, s, func(conf *Config) {
		conf.Producer.MaxBufferedBytes, conf.Producer.MaxMessageBytes = 1<<20, 10_000
		conf.Producer.Flush.Messages = 1 << 30
	})
	const n = 20_000 // twenty times the budget
	var got atomic.Int32
	go func() {
		for range p.Successes() {
			got.Add(1)
		}
	}()
	msg := ByteEncoder(make([]byte, 1000))
	within(t, "sending more than the budget", func() {
		for range n {
			p.Input() <- &ProducerMessage{Topic: "t", Value: msg}
		}
	})
	p.AsyncClose()
	within(t, "AsyncClose", func() {
		for range p.Errors() {
			t.Error("a message failed")
		}
	})
	for got.Load() < n {
		time.Sleep(time.Millisecond)
	}
}

func TestProducerClosedTwiceAndFromManyGoroutines(t *testing.T) {
	s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) { return produceAnswer(req, ErrNoError), nil }))
	p := newTestProducer(t, s, nil)
	for range 10 {
		p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder("v")}
	}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if i%2 == 0 {
				p.AsyncClose()
			} else if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	within(t, "Close", wg.Wait)
	within(t, "another Close", func() { _ = p.Close() })
	if _, ok := <-p.Successes(); ok {
		t.Error("Successes is open")
	}
	defer func() {
		if recover() == nil {
			t.Error("sending on a closed Input did not panic")
		}
	}()
	p.Input() <- &ProducerMessage{}
}

func TestProducerSendsDuringCloseComeBack(t *testing.T) {
	hold := make(chan struct{})
	s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
		<-hold
		return produceAnswer(req, ErrNoError), nil
	}))
	p := newTestProducer(t, s, nil)
	p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder("before")}
	p.AsyncClose()
	for refused := false; !refused; { // the first ones may still come before the close is seen
		p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder("during")}
		select {
		case e := <-p.Errors():
			if !errors.Is(e.Err, ErrShuttingDown) {
				t.Error(e)
			}
			refused = true
		case <-time.After(time.Millisecond):
		}
	}
	close(hold)
	within(t, "Close", func() {
		for range p.Successes() {
			continue
		}
		for range p.Errors() {
			continue
		}
	})
}
