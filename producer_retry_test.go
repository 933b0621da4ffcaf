package sarama

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
	"github.com/IBM/sarama/internal/record"
)

// TestProducerRetriesWhatFailsWhileTheLeaderIsAskedFor has two batches of a
// partition out when its leader gets lost, so that a third one has the leader
// asked for. The first batch comes back to be sent again before that is over,
// the second one after it.
func TestProducerRetriesWhatFailsWhileTheLeaderIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		asked error // what the question after the leader finds, 2 s after it
	}{{"and found", nil}, {"in vain", ErrLeaderNotAvailable}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				metadata, produce := 0, -1 // a first message makes the producer known to the leader
				s := newScript(t, nil)
				s.answer = func(_ string, _ bridge.Header, req any) (any, error) {
					switch req.(type) {
					case *ApiVersionsRequest:
						return allVersions(), nil
					case *InitProducerIDRequest:
						return &InitProducerIDResponse{ProducerID: 7}, nil
					case *MetadataRequest:
						metadata++
						r := simpleMetadata(1, "t", 1)
						if metadata == 3 {
							time.Sleep(2 * time.Second)
						}
						if metadata == 2 || metadata == 3 && c.asked != nil {
							r.AddTopicPartition("t", 0, -1, nil, nil, nil, ErrLeaderNotAvailable)
						}
						return r, nil
					}
					produce++
					switch produce {
					case 1: // written, but not confirmed in time
						time.Sleep(time.Second)
						if c.asked != nil {
							time.Sleep(1500 * time.Millisecond) // within the backoff after the question
						}
						return produceAnswer(req, ErrRequestTimedOut), nil
					case 2:
						time.Sleep(4 * time.Second)
					case 3:
						return produceAnswer(req, ErrDuplicateSequenceNumber), nil
					}
					return produceAnswer(req, ErrNoError), nil
				}
				conf := s.config()
				idempotent(conf)
				conf.Metadata.Retry.Max, conf.Producer.Retry.Backoff = 0, time.Second
				conf.Producer.Flush.MaxMessages = 1 // each goes to the owner at once
				conf.Producer.Partitioner = NewManualPartitioner
				client, err := NewClient([]string{"b1:9092"}, conf)
				if err != nil {
					t.Fatal(err)
				}
				p, err := NewAsyncProducerFromClient(client)
				if err != nil {
					t.Fatal(err)
				}
				p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder("v")}
				<-p.Successes()
				for i := range 3 {
					if i == 2 {
						if err := client.RefreshMetadata("t"); !errors.Is(err, ErrLeaderNotAvailable) {
							t.Fatal(err)
						}
					}
					p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder("v"), Metadata: i}
					synctest.Wait()
				}
				for range 3 {
					select {
					case <-p.Successes():
					case e := <-p.Errors():
						if c.asked == nil || e.Msg.Metadata != 2 || !errors.Is(e, c.asked) {
							t.Error(e.Msg.Metadata, e)
						}
					case <-time.After(time.Hour):
						t.Fatal("a message has no result")
					}
				}
				_ = p.Close()
				_ = client.Close()
				s.close()
			})
		})
	}
}

// TestProducerDropsNoMessageThatWaitsForItsNumbers has a batch wait until what
// is out under the epoch before has come back.
func TestProducerDropsNoMessageThatWaitsForItsNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, standard(2, "t", 2, func(_ string, _ bridge.Header, req any) (any, error) {
			for _, b := range readBatches(t, req) {
				switch b.values[0] {
				case "slow":
					time.Sleep(2 * time.Second)
				case "bad":
					return produceAnswer(req, ErrMessageSizeTooLarge), nil
				}
			}
			return produceAnswer(req, ErrNoError), nil
		}))
		conf := s.config()
		idempotent(conf)
		conf.Producer.Partitioner = NewManualPartitioner
		p, err := NewSyncProducer([]string{"b1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		send := func(partition int32, value string, want error) {
			wg.Go(func() {
				msg := &ProducerMessage{Topic: "t", Partition: partition, Value: StringEncoder(value)}
				_, _, err := p.(ContextSyncProducer).SendMessageContext(context.Background(), msg)
				if !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", value, err, want)
				}
			})
			synctest.Wait()
		}
		send(0, "slow", nil)
		send(1, "bad", ErrMessageSizeTooLarge)
		for range 3 {
			send(0, "next", nil)
		}
		wg.Wait()
		_ = p.Close()
		s.close()
	})
}

// changingSource is a source whose snapshot a test decides.
type changingSource struct{ now func() *cluster }

func (s changingSource) snapshot() *cluster { return s.now() }

func (s changingSource) hint([]leaderHint) {}

func (s changingSource) refresh(string, <-chan struct{}) error { return nil }

// TestProducerHandsARequestOverBeforeItsSenderMayBeStopped lets a broker change
// its address while a request for it is made. A request that is given to a
// sender that was stopped before is lost.
func TestProducerHandsARequestOverBeforeItsSenderMayBeStopped(t *testing.T) {
	conf := NewConfig()
	idempotent(conf)
	conf.Producer.Flush.MaxMessages = 1 // one batch a request
	topic := &topicInfo{name: "t", dense: true, all: []int32{0, 1}, partitions: []partitionInfo{{id: 0, leader: 1}, {id: 1, leader: 1}}}
	at := func(addr string) *cluster {
		return &cluster{topics: map[string]*topicInfo{"t": topic}, brokers: map[int32]*Broker{1: {id: 1, addr: addr}}}
	}
	snapshot, looks := at("old:9092"), 0
	var s *sender
	p := &producer{conf: conf, source: changingSource{func() *cluster {
		if s != nil {
			if looks++; len(s.next) == 0 {
				t.Error("the cluster is looked at while a request is not yet with its sender")
			}
		}
		return snapshot
	}}}
	p.mu.slots = make(map[int32]*brokerSlot)
	p.intake, p.owner = newIntake(p), newOwner(p)
	o := p.owner
	old := &sender{p: p, slot: p.slot(1), lane: newLane(conf, snapshot.brokers[1]), next: make(chan *produceCall, 1), quit: make(chan struct{})}
	o.senders[1] = old
	var parts [2]*producerPartition
	for id := range parts {
		parts[id] = &producerPartition{topic: &producerTopic{name: "t"}, id: int32(id)}
		parts[id].queue.proven, parts[id].queue.progress = true, time.Now()
	}
	for i := range 4 {
		b := newBatch(parts[i%2], old.slot, 2)
		record.Append[RecordHeader](&b.records, 0, nil, []byte("v"), nil)
		b.msgs = append(b.msgs, &ProducerMessage{Topic: "t"})
		o.enqueue(b)
	}
	snapshot, s = at("new:9092"), old
	o.lend(old)
	if looks == 0 || !isClosed(old.quit) {
		t.Fatal("the change of the address was not seen")
	}
	moved := o.senders[1]
	if parts[1].queue.listed != moved || !slices.Contains(o.touched, moved) {
		t.Error("what waits for the new address is not looked at")
	}
	close(o.senders[1].quit)
	p.running.Wait()
}

// TestProducerTopicIsKnownWhenItsAnswerComes: the answer may come between the
// intake's look at the cluster and its look at its mail.
func TestProducerTopicIsKnownWhenItsAnswerComes(t *testing.T) {
	conf := NewConfig()
	snapshot := &cluster{}
	p := &producer{conf: conf, source: changingSource{func() *cluster { return snapshot }}, metrics: newProducerMetrics(nil)}
	p.mu.slots = make(map[int32]*brokerSlot)
	p.intake, p.owner = newIntake(p), newOwner(p)
	p.budget.limit, p.budget.wake = limitsOf(conf), p.intake.mail.nudge
	in := p.intake
	call := newSyncCall(1)
	in.begin()
	in.accept(acceptedMessage{msg: &ProducerMessage{Topic: "t"}, ref: syncRef{call, 0}})
	in.begin()
	snapshot = &cluster{topics: map[string]*topicInfo{
		"t": {name: "t", dense: true, all: []int32{0}, writable: []int32{0}, partitions: []partitionInfo{{id: 0, leader: -1}}},
	}}
	in.resolved(in.topics["t"], nil)
	if err := call.errs[0]; err != nil {
		t.Errorf("the message failed: %v", err)
	}
	if len(in.inUse) != 1 || in.waiting != 0 {
		t.Errorf("the message is in none of %d slots, %d wait", len(in.inUse), in.waiting)
	}
	p.running.Wait()
}

// TestProducerResultsOfAPartitionComeInOrder has a batch written whose answer
// is that its replicas were too slow, while the next ones are acknowledged. The
// first one is known by its numbers when it is sent again.
func TestProducerResultsOfAPartitionComeInOrder(t *testing.T) {
	for _, c := range []struct {
		name  string
		again KError // the answer to the second attempt
	}{{"duplicate", ErrDuplicateSequenceNumber}, {"refused for good", ErrInvalidTimestamp}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts := make(map[string]int)
				s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
					value := readBatches(t, req)[0].values[0]
					attempts[value]++
					if value == "2" {
						switch attempts[value] {
						case 1:
							time.Sleep(time.Second) // until five are out
							return produceAnswer(req, ErrNotEnoughReplicasAfterAppend), nil
						case 2:
							return produceAnswer(req, c.again), nil
						}
					}
					return produceAnswer(req, ErrNoError), nil
				}))
				p := newTestProducer(t, s, func(conf *Config) {
					idempotent(conf)
					conf.Producer.Flush.MaxMessages = 1
				})
				for i := range 10 {
					p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder(strconv.Itoa(i)), Metadata: i}
					synctest.Wait()
				}
				p.AsyncClose()
				next := 0
				for m := range p.Successes() {
					if next == 2 && c.again == ErrInvalidTimestamp {
						next++
					}
					if m.Metadata != next {
						t.Errorf("success of %v, want %d", m.Metadata, next)
					}
					next++
				}
				for e := range p.Errors() {
					if e.Msg.Metadata != 2 || e.Err != c.again {
						t.Errorf("%v: %v", e.Msg.Metadata, e.Err)
					}
				}
				if attempts["2"] != 2 || attempts["3"] != 1 {
					t.Errorf("attempts: %v", attempts)
				}
				s.close()
			})
		})
	}
}
