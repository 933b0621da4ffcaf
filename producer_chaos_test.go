package sarama

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// TestProducerLosesNothingWhateverBrokersAnswer has brokers that check numbers
// write or refuse batches at random, and say something else about it.
func TestProducerLosesNothingWhateverBrokersAnswer(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 15
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { chaos(t, uint64(seed)) })
		})
	}
}

func chaos(t *testing.T, seed uint64) {
	const partitions, messages = 3, 300
	r := rand.New(rand.NewPCG(seed, 1))
	turn := make(chan struct{}, 1) // brokers share the logs
	var logs [partitions]strictLog
	refused := make(map[string]bool)
	most := 5 + r.IntN(40)
	trouble := r.IntN(30)
	leaders := [partitions]int32{1, 2, 1}
	produce := standard(2, "t", partitions, func(addr string, _ bridge.Header, req any) (any, error) {
		turn <- struct{}{}
		defer func() { <-turn }()
		if r.IntN(300) < trouble {
			p := r.IntN(partitions)
			leaders[p] = 3 - leaders[p]
		}
		answer := new(ProduceResponse)
		hangUp := r.IntN(200) < trouble
		before := hangUp && r.IntN(2) == 0
		for _, b := range readBatches(t, req) {
			if before {
				break
			}
			var code KError
			bad := slices.IndexFunc(b.values, func(v string) bool { return strings.HasPrefix(v, "bad") })
			switch {
			case addr != fmt.Sprintf("b%d:9092", leaders[b.partition]):
				code = ErrNotLeaderForPartition
			case len(b.values) > most:
				code = ErrMessageSizeTooLarge
			case r.IntN(100) < trouble:
				code = []KError{ErrNotEnoughReplicas, ErrNotLeaderForPartition, ErrFencedLeaderEpoch}[r.IntN(3)]
			case bad >= 0:
				code = []KError{ErrInvalidRecord, ErrInvalidTimestamp, ErrInvalidRecord}[r.IntN(3)]
			default:
				code = logs[b.partition].append(b)
				if code == ErrNoError && r.IntN(100) < trouble {
					code = []KError{ErrRequestTimedOut, ErrNotLeaderForPartition, ErrNotEnoughReplicasAfterAppend, ErrKafkaStorageError}[r.IntN(4)]
				}
			}
			answer.AddTopicPartition("t", b.partition, code)
			if code == ErrInvalidTimestamp {
				for _, v := range b.values {
					refused[v] = true
				}
			}
			if code == ErrInvalidRecord {
				answer.Blocks["t"][b.partition].RecordErrors = []ProduceResponseRecordError{{BatchIndex: int32(bad)}}
			}
		}
		if hangUp {
			return nil, errHangUp
		}
		if r.IntN(3) == 0 {
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
		}
		return answer, nil
	})
	s := newScript(t, func(addr string, h bridge.Header, req any) (any, error) {
		if _, ok := req.(*MetadataRequest); !ok {
			return produce(addr, h, req)
		}
		turn <- struct{}{}
		defer func() { <-turn }()
		answer := simpleMetadata(2, "t", 0)
		for p, leader := range leaders {
			answer.AddTopicPartition("t", int32(p), leader, nil, nil, nil, ErrNoError)
		}
		return answer, nil
	})
	p := newTestProducer(t, s, func(conf *Config) {
		idempotent(conf)
		conf.Version = V2_8_0_0
		conf.Producer.Retry.Max = 1000
		conf.Producer.Retry.Backoff = 20 * time.Millisecond
		conf.Producer.Partitioner = NewManualPartitioner
		conf.Producer.Flush.MaxMessages = []int{0, 10, 50}[seed%3]
		if seed%2 == 1 {
			conf.Producer.DeliveryTimeout = 2 * time.Second
		}
	})
	go func() {
		random := rand.New(rand.NewPCG(seed, 2))
		for i := range messages {
			if random.IntN(10) == 0 {
				time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
			}
			v := fmt.Sprint(i)
			if random.IntN(60) == 0 {
				v = "bad" + v
			}
			p.Input() <- &ProducerMessage{Topic: "t", Partition: int32(random.IntN(partitions)), Value: StringEncoder(v), Metadata: i}
		}
	}()
	succeeded := make(map[string]bool)
	results := make(map[any]int)
	var last [partitions]int
	for range messages {
		select {
		case m := <-p.Successes():
			succeeded[string(m.Value.(StringEncoder))] = true
			results[m.Metadata]++
			if i := m.Metadata.(int); i < last[m.Partition] {
				t.Errorf("partition %d: success of %d after that of %d", m.Partition, i, last[m.Partition])
			} else {
				last[m.Partition] = i
			}
		case e := <-p.Errors():
			results[e.Msg.Metadata]++
			turn <- struct{}{}
			if v := string(e.Msg.Value.(StringEncoder)); !strings.HasPrefix(v, "bad") && !refused[v] && seed%2 == 0 {
				t.Errorf("message %v: %v", e.Msg.Metadata, e.Err)
			}
			<-turn
		case <-time.After(time.Hour):
			t.Fatalf("%d of %d results", len(results), messages)
		}
	}
	synctest.Wait()
	whole := p.(*asyncProducer).producer
	if n, m := whole.budget.messages.Load(), whole.budget.bytes.Load(); n != 0 || m != 0 {
		t.Errorf("the budget has %d messages, %d bytes", n, m)
	}
	for id, slot := range whole.mu.slots {
		if slot.queued.Load() != 0 || slot.flying.Load() != 0 || slot.writing.Load() {
			t.Errorf("broker %d: %d queued, %d flying", id, slot.queued.Load(), slot.flying.Load())
		}
	}
	for _, part := range whole.intake.topics["t"].parts {
		if got := part.credit.Load(); got != int32(whole.owner.window) {
			t.Errorf("partition %d: credit %d", part.id, got)
		}
	}
	if whole.owner.live != 0 || len(whole.owner.holding) != 0 {
		t.Errorf("%d batches live in %d partitions", whole.owner.live, len(whole.owner.holding))
	}
	_ = p.Close()
	s.close()
	for id := range logs {
		values := logs[id].values
		for i, v := range values {
			if i > 0 && compareNumbers(values[i-1], v) >= 0 {
				t.Errorf("partition %d: %s is behind %s", id, v, values[i-1])
			}
			delete(succeeded, v)
		}
	}
	if len(succeeded) > 0 {
		t.Errorf("not written, though successful: %v", succeeded)
	}
}
