package sarama

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
	"github.com/IBM/sarama/internal/record"
)

// TestProducerPartitionInTroubleHoldsUpNoOther has batches of one partition
// wait behind one that is sent again and again, and messages to another
// partition of the same broker.
func TestProducerPartitionInTroubleHoldsUpNoOther(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*Config)
	}{
		{"idempotent", idempotent},
		{"full batches", func(c *Config) { c.Producer.MaxMessageBytes = 200 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				recovered := false
				s := newScript(t, standard(1, "t", 2, func(_ string, _ bridge.Header, req any) (any, error) {
					code := ErrNoError
					if b := readBatches(t, req); b[0].partition == 0 && !recovered {
						code = ErrNotEnoughReplicas
					}
					return produceAnswer(req, code), nil
				}))
				p := newTestProducer(t, s, func(conf *Config) {
					c.set(conf)
					conf.Producer.Retry.Max = 1000
					conf.Producer.Partitioner = NewManualPartitioner
				})
				// The second goes to the owner while the first is out or waits.
				for range 3 {
					p.Input() <- &ProducerMessage{Topic: "t", Partition: 0, Value: ByteEncoder(make([]byte, 100))}
					synctest.Wait()
				}
				p.Input() <- &ProducerMessage{Topic: "t", Partition: 1, Value: StringEncoder("v")}
				select {
				case m := <-p.Successes():
					if m.Partition != 1 {
						t.Errorf("success of partition %d", m.Partition)
					}
				case <-time.After(10 * time.Second):
					t.Error("the other partition's message does not go")
				}
				recovered = true
				p.AsyncClose()
				for range p.Successes() {
				}
				s.close()
			})
		})
	}
}

// bareOwner is an owner of an idempotent producer without goroutines, of which
// a test calls the methods.
func bareOwner() (*owner, *producerPartition) {
	conf := NewConfig()
	idempotent(conf)
	p := &producer{conf: conf, source: changingSource{func() *cluster { return &cluster{} }}}
	p.mu.slots = make(map[int32]*brokerSlot)
	p.intake, p.owner = newIntake(p), newOwner(p)
	p.budget.limit, p.budget.wake = limitsOf(conf), p.intake.mail.nudge
	return p.owner, &producerPartition{topic: &producerTopic{name: "t"}}
}

// numberedBatch is a batch of messages that are called by their numbers, which
// a call waits for.
func numberedBatch(p *producerPartition, slot *brokerSlot, call *syncCall, from, to int) *batch {
	b := newBatch(p, slot, 2)
	for i := from; i < to; i++ {
		record.Append[RecordHeader](&b.records, 0, nil, []byte(fmt.Sprint(i)), nil)
		b.msgs = append(b.msgs, &ProducerMessage{Topic: "t", Metadata: i})
		b.calls = append(b.calls, syncRef{call, i})
	}
	b.held = budgetShare{int64(to - from), 1000}
	return b
}

// TestProducerHalvesKeepTheirOrder has the second half of a batch come back
// before the first one: it was not written, as the connection had failed, and
// the first one was still with the connection's reader.
func TestProducerHalvesKeepTheirOrder(t *testing.T) {
	o, p := bareOwner()
	q := &p.queue
	b := numberedBatch(p, o.p.slot(1), newSyncCall(5), 0, 4)
	next := numberedBatch(p, o.p.slot(1), newSyncCall(5), 4, 5)
	o.enqueue(b)
	o.enqueue(next)
	front, back := o.splitInTwo(b)
	q.waiting = nil
	q.out = []*batch{front, back, next}
	for _, b := range []*batch{next, back, front} {
		q.out = slices.DeleteFunc(q.out, func(o *batch) bool { return o == b })
		o.outcome(b, produceResult{err: errors.New("connection lost"), uncertain: b == front})
	}
	o.replay(p)
	if !slices.Equal(q.waiting, []*batch{front, back, next}) {
		t.Errorf("waiting are the messages from %v, %v and %v on",
			q.waiting[0].msgs[0].Metadata, q.waiting[1].msgs[0].Metadata, q.waiting[2].msgs[0].Metadata)
	}
}

// TestProducerGivesUpInOrder: what is given up is settled in order, and no
// batch is looked at after it was.
func TestProducerGivesUpInOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		giveUp func(*owner)
	}{
		{"expired", func(o *owner) { o.expire(time.Now().Add(time.Hour)) }},
		{"overdue", func(o *owner) {
			o.p.conf.Producer.DeliveryTimeout = time.Second
			o.nextSweep = time.Time{}
			o.sweep(time.Now().Add(time.Hour))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, p := bareOwner()
			o.p.deliverer = &deliverer{mail: newMailbox()}
			q := &p.queue
			var list []*batch
			for i := range 6 {
				b := numberedBatch(p, o.p.slot(1), nil, i, i+1)
				b.opened = time.Now()
				o.enqueue(b)
				list = append(list, b)
			}
			q.state = partFailing
			q.failed, q.done = []*batch{list[2], list[0]}, []*batch{list[1], list[3]}
			q.waiting, q.out = []*batch{list[4]}, []*batch{list[5]}
			q.sender = &sender{lane: newLane(o.p.conf, &Broker{addr: "b1:9092"})}
			c.giveUp(o)
			var got []any
			for l := o.p.deliverer.mail.take(); l != nil; l = l.next {
				got = append(got, l.item.(*batch).msgs[0].Metadata)
			}
			if want := []any{0, 1, 2, 3, 4}; !slices.Equal(got, want) {
				t.Errorf("settled %v, want %v", got, want)
			}
		})
	}
}

// TestProducerNewNumbersWaitForOldOnes: a batch that may have been written goes
// out under the old epoch again, behind one under the new epoch. The next one
// has to wait, as that one may be refused.
func TestProducerNewNumbersWaitForOldOnes(t *testing.T) {
	o, p := bareOwner()
	q := &p.queue
	o.id = producerID{id: 7, epoch: 1}
	q.id, q.epoch, q.sequence = 7, 1, 1
	old := numberedBatch(p, o.p.slot(1), nil, 0, 1)
	old.stamped, old.uncertain, old.id, old.epoch, old.sequence = true, true, 7, 0, 1
	next := numberedBatch(p, o.p.slot(1), nil, 1, 2)
	q.out = []*batch{old}
	if o.mayNumber(q, next) {
		t.Error("the next batch may overtake one of the old epoch")
	}
	old.epoch = 1
	if !o.mayNumber(q, next) {
		t.Error("the next batch waits though all that is out is of its epoch")
	}
}

// TestProducerKeepsTheNumbersOfWhatALostLeaderMayHaveWritten: a leader that
// loses its partition while it waits for replicas says that it is not the
// leader, of a batch that the next leader may have.
func TestProducerKeepsTheNumbersOfWhatALostLeaderMayHaveWritten(t *testing.T) {
	for _, code := range []KError{ErrNotLeaderForPartition, ErrUnknownTopicOrPartition, ErrKafkaStorageError} {
		t.Run(code.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strictLog
				s := newScript(t, standard(1, "t", 2, func(_ string, _ bridge.Header, req any) (any, error) {
					b := readBatches(t, req)[0]
					if b.partition == 1 {
						return produceAnswer(req, ErrInvalidTimestamp), nil // which ends the epoch
					}
					if answer := log.append(b); len(log.last) > 1 || answer != ErrNoError {
						return produceAnswer(req, answer), nil
					}
					return produceAnswer(req, code), nil
				}))
				p := newTestProducer(t, s, func(conf *Config) {
					idempotent(conf)
					conf.Producer.Retry.Backoff = time.Second
					conf.Producer.Partitioner = NewManualPartitioner
				})
				p.Input() <- &ProducerMessage{Topic: "t", Partition: 0, Value: StringEncoder("v")}
				synctest.Wait()
				p.Input() <- &ProducerMessage{Topic: "t", Partition: 1, Value: StringEncoder("bad")}
				if e := <-p.Errors(); e.Err != ErrInvalidTimestamp {
					t.Error(e)
				}
				<-p.Successes()
				_ = p.Close()
				s.close()
				if len(log.values) != 1 {
					t.Errorf("written: %v", log.values)
				}
			})
		})
	}
}

// TestProducerBatchInDoubtStaysAmongTheLastFive: a leader has written a batch
// without saying so, and refuses it several times before it looks at it again,
// as it does while it comes and goes. It knows the last five batches; if others
// went on being written meanwhile, it would no longer know this one.
func TestProducerBatchInDoubtStaysAmongTheLastFive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strictLog
		refusals := 8
		s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
			b := readBatches(t, req)[0]
			again := b.values[0] == "1" && slices.Contains(log.values, "1")
			if again && refusals > 0 {
				refusals--
				return produceAnswer(req, ErrNotLeaderForPartition), nil
			}
			answer := log.append(b)
			if b.values[0] == "1" && answer == ErrNoError {
				return produceAnswer(req, ErrNotEnoughReplicasAfterAppend), nil
			}
			return produceAnswer(req, answer), nil
		}))
		const messages = 60
		p := newTestProducer(t, s, func(conf *Config) {
			idempotent(conf)
			conf.Producer.Flush.MaxMessages = 1
			conf.Producer.Retry.Max = 100
		})
		if got := sendNumbered(t, p, messages); !allSucceeded(got) {
			t.Errorf("results: %v", got)
		}
		_ = p.Close()
		s.close()
		for i := range messages {
			if i >= len(log.values) || log.values[i] != fmt.Sprint(i) {
				t.Fatalf("written: %v", log.values)
			}
		}
		if refusals > 0 || len(log.values) != messages {
			t.Errorf("%d records for %d messages; %d more refusals", len(log.values), messages, refusals)
		}
	})
}

// TestProducerAnswersOnANewConnectionWaitForTheOldOne: a batch is written over a
// new connection and answered, and only then the owner hears that the batch
// before it was lost with the old one. Its success waits for that, and it counts
// among those behind the one in doubt.
func TestProducerAnswersOnANewConnectionWaitForTheOldOne(t *testing.T) {
	o, p := bareOwner()
	o.p.deliverer = &deliverer{mail: newMailbox()}
	q := &p.queue
	q.proven = true
	var list []*batch
	for i := range 8 {
		b := numberedBatch(p, o.p.slot(1), nil, i, i+1)
		b.order, b.opened = int64(i), time.Now()
		list = append(list, b)
	}
	settled := func() (got []any) {
		for l := o.p.deliverer.mail.take(); l != nil; l = l.next {
			got = append(got, l.item.(*batch).msgs[0].Metadata)
		}
		return got
	}
	o.live = len(list)
	o.holding[p] = struct{}{}
	q.out, q.waiting = slices.Clone(list[:5]), slices.Clone(list[5:])
	answer := func(b *batch, r produceResult) {
		q.out = without(q.out, b)
		o.outcome(b, r)
	}
	for i := 1; i < 5; i++ {
		answer(list[i], produceResult{})
		if o.open(q) {
			t.Errorf("with one batch in doubt and %d written behind it, another may go", i)
		}
	}
	if got := settled(); len(got) > 0 {
		t.Errorf("successes of %v before the result of 0", got)
	}
	answer(list[0], produceResult{err: io.EOF, uncertain: true})
	q.state, q.pause = partIdle, 0 // the backoff is over
	q.waiting, q.failed = append(q.failed, q.waiting...), nil
	if q.waiting[0] != list[0] || !o.open(q) {
		t.Fatal("the one in doubt does not go again")
	}
	q.pop()
	answer(list[0], produceResult{err: ErrDuplicateSequenceNumber})
	if got, want := settled(), []any{0, 1, 2, 3, 4}; !slices.Equal(got, want) || !o.open(q) {
		t.Errorf("settled %v, want %v; open: %v", got, want, o.open(q))
	}
}

// allSucceeded reports whether no result is an error.
func allSucceeded(results map[string]error) bool {
	for _, err := range results {
		if err != nil {
			return false
		}
	}
	return true
}

// TestProducerDeliveryTimeoutOfWhatComesBack has a batch be out when the owner
// looks for what is overdue, and wait when its own time is up.
func TestProducerDeliveryTimeoutOfWhatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
			time.Sleep(2500 * time.Millisecond)
			return produceAnswer(req, ErrNotEnoughReplicas), nil
		}))
		p := newTestProducer(t, s, func(conf *Config) {
			conf.Producer.DeliveryTimeout = 3 * time.Second
			conf.Producer.Retry.Backoff, conf.Producer.Retry.Max = 2*time.Second, 10
		})
		time.Sleep(time.Second)
		start := time.Now()
		p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder("v")}
		e := <-p.Errors()
		if took := time.Since(start); !errors.Is(e, ErrDeliveryTimeout) || took != 3*time.Second {
			t.Errorf("after %v: %v", took, e)
		}
		_ = p.Close()
		s.close()
	})
}

// TestProducerFullRequestsSetOffNoTriggerEach: where Flush.Bytes is more than a
// request holds, what a full request has had does not make the next one full.
func TestProducerFullRequestsSetOffNoTriggerEach(t *testing.T) {
	conf := NewConfig()
	conf.Producer.Flush.Bytes = int(MaxRequestSize)
	slot := &brokerSlot{bytes: int(MaxRequestSize) - requestMargin}
	slot.trigger(conf)
	if slot.bytes != 0 {
		t.Errorf("%d bytes count for the next request", slot.bytes)
	}
}
