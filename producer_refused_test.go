package sarama

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// strictLog is one partition of a broker that checks numbers as Kafka does:
// an epoch begins with 0, a batch follows the one before, and the last five
// are known again.
type strictLog struct {
	values []string
	epoch  int16
	next   int32
	known  bool
	last   []seen
}

func (l *strictLog) append(b seen) KError {
	for _, old := range l.last {
		if old.epoch == b.epoch && old.sequence == b.sequence && len(old.values) == len(b.values) {
			return ErrDuplicateSequenceNumber
		}
	}
	switch {
	case !l.known && b.sequence != 0:
		return ErrUnknownProducerID
	case l.known && b.epoch < l.epoch:
		return ErrInvalidProducerEpoch
	case l.known && b.epoch > l.epoch && b.sequence != 0, l.known && b.epoch == l.epoch && b.sequence != l.next:
		return ErrOutOfOrderSequenceNumber
	}
	l.known, l.epoch, l.next = true, b.epoch, addSequence(b.sequence, int32(len(b.values)))
	l.values = append(l.values, b.values...)
	if l.last = append(l.last, b); len(l.last) > maxIdempotentRequests {
		l.last = l.last[1:]
	}
	return ErrNoError
}

// numbered sends messages "0" to n-1 to partition 0 of topic t, all of them
// accepted before the first result is looked at, and returns the errors.
func sendNumbered(t *testing.T, p AsyncProducer, n int) map[string]error {
	t.Helper()
	results := make(map[string]error)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range n {
			select {
			case m := <-p.Successes():
				results[string(m.Value.(StringEncoder))] = nil
			case e := <-p.Errors():
				results[string(e.Msg.Value.(StringEncoder))] = e.Err
			}
		}
	})
	for i := range n {
		p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder(fmt.Sprint(i))}
	}
	wg.Wait()
	if len(results) != n {
		t.Errorf("%d results for %d messages", len(results), n)
	}
	return results
}

// TestProducerRecoversWhenTheBrokerForgetsIt has a broker lose what it knows of
// the producer, or records that it had acknowledged, with five requests out.
func TestProducerRecoversWhenTheBrokerForgetsIt(t *testing.T) {
	const messages = 60
	for _, c := range []struct {
		name    string
		version KafkaVersion
		lose    func(*strictLog)
		want    error // of the messages that are lost
	}{
		{"unknown producer", V2_5_0_0, func(l *strictLog) { *l = strictLog{values: l.values} }, nil},
		{"lost records", V2_5_0_0, func(l *strictLog) { l.next, l.last = l.next-2, nil }, nil},
		{"unknown producer, older brokers", V2_4_0_0, func(l *strictLog) { *l = strictLog{values: l.values} }, ErrUnknownProducerID},
		{"lost records, older brokers", V2_4_0_0, func(l *strictLog) { l.next, l.last = l.next-2, nil }, ErrOutOfOrderSequenceNumber},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strictLog
				var epochs []int16
				s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
					b := readBatches(t, req)[0]
					if len(log.values) >= messages/2 && c.lose != nil {
						c.lose(&log)
						c.lose = nil
					}
					epochs = append(epochs, b.epoch)
					return produceAnswer(req, log.append(b)), nil
				}))
				p := newTestProducer(t, s, func(conf *Config) {
					idempotent(conf)
					conf.Version = c.version
					conf.Producer.Flush.MaxMessages = 3
				})
				lost := 0
				for _, err := range sendNumbered(t, p, messages) {
					if err != nil && !errors.Is(err, c.want) {
						t.Errorf("%v, want %v", err, c.want)
					}
					if err != nil {
						lost++
					}
				}
				_ = p.Close()
				s.close()
				if (lost > 0) != (c.want != nil) || lost > 3 {
					t.Errorf("%d messages failed", lost)
				}
				if !slices.IsSortedFunc(log.values, compareNumbers) || len(log.values) != messages-lost {
					t.Errorf("the log has %d records: %v", len(log.values), log.values)
				}
				if last := epochs[len(epochs)-1]; last != 1 {
					t.Errorf("the last epoch is %d, want 1", last)
				}
			})
		})
	}
}

func compareNumbers(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// TestProducerGetsAnotherIDWhenEpochsRunOut begins at the last epoch. The first
// question after another id fails.
func TestProducerGetsAnotherIDWhenEpochsRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := 0
		logs := make(map[int64]*strictLog)
		var all []string
		s := newScript(t, nil)
		s.answer = standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
			b := readBatches(t, req)[0]
			if b.values[0] == "3" || b.values[0] == "7" {
				return produceAnswer(req, ErrInvalidTimestamp), nil
			}
			if logs[b.id] == nil {
				logs[b.id] = &strictLog{epoch: b.epoch, known: true}
			}
			code := logs[b.id].append(b)
			if code == ErrNoError {
				all = append(all, b.values...)
			}
			return produceAnswer(req, code), nil
		})
		ask := s.answer
		s.answer = func(addr string, h bridge.Header, req any) (any, error) {
			if _, ok := req.(*InitProducerIDRequest); !ok {
				return ask(addr, h, req)
			}
			if ids++; ids == 2 || ids == 3 {
				return &InitProducerIDResponse{Err: ErrClusterAuthorizationFailed}, nil
			}
			return &InitProducerIDResponse{ProducerID: int64(ids), ProducerEpoch: math.MaxInt16}, nil
		}
		conf := s.config()
		idempotent(conf)
		p, err := NewSyncProducer([]string{"b1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			_, _, err := p.SendMessage(&ProducerMessage{Topic: "t", Value: StringEncoder(fmt.Sprint(i))})
			var want error
			switch i {
			case 3, 7:
				want = ErrInvalidTimestamp
			case 4: // has no number until another id is there
				want = ErrClusterAuthorizationFailed
			}
			if !errors.Is(err, want) {
				t.Errorf("message %d: %v, want %v", i, err, want)
			}
			synctest.Wait()
		}
		_ = p.Close()
		s.close()
		if want := []string{"0", "1", "2", "5", "6", "8", "9"}; !slices.Equal(all, want) || ids != 5 {
			t.Errorf("records %v, want %v; asked for an id %d times", all, want, ids)
		}
	})
}

// TestProducerSplitsBatchesThatAreTooLarge has a broker take five messages at a
// time, and none with more than 100 bytes.
func TestProducerSplitsBatchesThatAreTooLarge(t *testing.T) {
	for _, idem := range []bool{false, true} {
		t.Run(fmt.Sprintf("idempotent %v", idem), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &strictLog{}
				refused, asked := 0, 0
				s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
					b := readBatches(t, req)[0]
					asked++
					if len(b.values) > 5 || slices.ContainsFunc(b.values, func(v string) bool { return len(v) > 100 }) {
						refused++
						return produceAnswer(req, ErrMessageSizeTooLarge), nil
					}
					if !idem {
						log.values = append(log.values, b.values...)
						return produceAnswer(req, ErrNoError), nil
					}
					return produceAnswer(req, log.append(b)), nil
				}))
				p := newTestProducer(t, s, func(conf *Config) {
					if idem {
						idempotent(conf)
					}
					conf.Producer.Flush.Messages = 40
				})
				const big = 17
				for i := range 400 {
					v := fmt.Sprint(i)
					if i == big {
						v += strings.Repeat(" ", 200)
					}
					p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder(v), Metadata: i}
				}
				p.AsyncClose()
				next := 0
				for m := range p.Successes() {
					if next == big {
						next++
					}
					if m.Metadata != next {
						t.Fatalf("success of %v, want %d", m.Metadata, next)
					}
					next++
				}
				failed := 0
				for e := range p.Errors() {
					if failed++; e.Msg.Metadata != big || e.Err != ErrMessageSizeTooLarge {
						t.Error(e.Msg.Metadata, e.Err)
					}
				}
				s.close()
				if next != 400 || failed != 1 || len(log.values) != 399 || !slices.IsSortedFunc(log.values, compareNumbers) {
					t.Errorf("%d successes, %d failures, %d records", next, failed, len(log.values))
				}
				if refused*4 > asked { // later batches are made smaller
					t.Errorf("%d of %d requests refused", refused, asked)
				}
			})
		})
	}
}

// TestProducerFailsOnlyTheRecordsThatABrokerNames is about KIP-467.
func TestProducerFailsOnlyTheRecordsThatABrokerNames(t *testing.T) {
	for _, c := range []struct {
		name string
		idem bool
		bad  func(i int) bool
	}{
		{"some", false, func(i int) bool { return i%7 == 3 }},
		{"some, idempotent", true, func(i int) bool { return i%7 == 3 }},
		{"all", true, func(int) bool { return true }},
		{"the first and the last", true, func(i int) bool { return i%10 == 0 || i%10 == 9 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &strictLog{}
				s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
					b := readBatches(t, req)[0]
					var named []ProduceResponseRecordError
					for at, v := range b.values {
						var i int
						fmt.Sscan(v, &i)
						if c.bad(i) {
							why := "no " + v
							e := ProduceResponseRecordError{BatchIndex: int32(at), BatchIndexErrorMessage: &why}
							if i%2 == 0 {
								e.BatchIndexErrorMessage = nil
							}
							named = append(named, e, e) // said twice
						}
					}
					if named != nil {
						named = append(named, ProduceResponseRecordError{BatchIndex: -1}, ProduceResponseRecordError{BatchIndex: 1 << 20})
						r := produceAnswer(req, ErrInvalidRecord)
						r.Blocks["t"][0].RecordErrors = named
						return r, nil
					}
					if !c.idem {
						log.values = append(log.values, b.values...)
						return produceAnswer(req, ErrNoError), nil
					}
					return produceAnswer(req, log.append(b)), nil
				}))
				p := newTestProducer(t, s, func(conf *Config) {
					if c.idem {
						idempotent(conf)
					}
					conf.Version = V2_8_0_0
					conf.Producer.Flush.MaxMessages = 10
				})
				want := 0
				for v, err := range sendNumbered(t, p, 200) {
					var i int
					fmt.Sscan(v, &i)
					var why *RecordError
					switch {
					case !c.bad(i):
						want++
						if err != nil {
							t.Errorf("%s: %v", v, err)
						}
					case i%2 == 0:
						if err != ErrInvalidRecord {
							t.Errorf("%s: %v", v, err)
						}
					case !errors.As(err, &why) || why.Message != "no "+v || !errors.Is(err, ErrInvalidRecord):
						t.Errorf("%s: %v", v, err)
					}
				}
				_ = p.Close()
				s.close()
				if len(log.values) != want || !slices.IsSortedFunc(log.values, compareNumbers) {
					t.Errorf("%d records, want %d in order", len(log.values), want)
				}
			})
		})
	}
}

// TestProducerDeliveryTimeoutEndsEveryWait has each thing that messages wait
// for never come.
func TestProducerDeliveryTimeoutEndsEveryWait(t *testing.T) {
	const limit = 3 * time.Second
	for _, c := range []struct {
		name   string
		topic  string
		leader int32
		code   KError
		hang   time.Duration // before Produce is answered
		cause  error
		within time.Duration
	}{
		{name: "a topic", topic: "nowhere", leader: 1, within: limit},
		{name: "a leader", topic: "t", leader: -1, within: limit},
		{name: "replicas", topic: "t", leader: 1, code: ErrNotEnoughReplicas, cause: ErrNotEnoughReplicas, within: limit + 250*time.Millisecond},
		{name: "the broker", topic: "t", leader: 1, code: ErrNotEnoughReplicas, hang: 20 * time.Second, within: 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, func(_ string, _ bridge.Header, req any) (any, error) {
					switch req.(type) {
					case *ApiVersionsRequest:
						return allVersions(), nil
					case *MetadataRequest:
						r := simpleMetadata(1, "t", 2)
						if c.leader < 0 { // of partition 0 alone
							r.AddTopicPartition("t", 0, -1, nil, nil, nil, ErrLeaderNotAvailable)
						}
						r.AddTopic("nowhere", ErrUnknownTopicOrPartition)
						return r, nil
					}
					time.Sleep(c.hang)
					return produceAnswer(req, c.code), nil
				})
				p := newTestProducer(t, s, func(conf *Config) {
					conf.Producer.DeliveryTimeout = limit
					conf.Producer.Retry.Max, conf.Metadata.Retry.Max = math.MaxInt32, math.MaxInt32
					conf.Metadata.Full = false
					conf.Producer.Partitioner = NewManualPartitioner
				})
				start := time.Now()
				const n = 3 // the first of them may be out while the others wait for it
				for range n {
					p.Input() <- &ProducerMessage{Topic: c.topic, Value: StringEncoder("v")}
					synctest.Wait()
				}
				for range n {
					e := <-p.Errors()
					if took := time.Since(start); !errors.Is(e, ErrDeliveryTimeout) || c.cause != nil && !errors.Is(e, c.cause) || took < limit || took > c.within {
						t.Errorf("after %v: %v", took, e)
					}
				}
				_ = p.Close()
				s.close()
			})
		})
	}
}
