package sarama

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// TestSyncProducerKeepsItsWordUntilItIsClosed has brokers fall silent at random,
// callers who do not wait for them, and a Close in between: a message that was
// cancelled is not written, one that succeeded is, and nothing is left over.
func TestSyncProducerKeepsItsWordUntilItIsClosed(t *testing.T) {
	for seed := range 40 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { keepsItsWord(t, uint64(seed)) })
		})
	}
}

func keepsItsWord(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	open := time.Duration(r.IntN(5000)) * time.Millisecond
	var mu sync.Mutex // guards r and written
	written := map[string]int{}
	s := newScript(t, standard(2, "t", 4, func(addr string, _ bridge.Header, req any) (any, error) {
		mu.Lock()
		n := r.IntN(100)
		d := time.Duration(r.IntN(400)) * time.Millisecond
		mu.Unlock()
		switch {
		case n < 4:
			time.Sleep(time.Minute)
			return nil, errHangUp
		case n < 8:
			return nil, errHangUp
		case n < 20:
			return produceAnswer(req, ErrNotEnoughReplicas), nil
		}
		mu.Lock()
		for _, b := range readBatches(t, req) {
			for _, v := range b.values {
				written[v]++
			}
		}
		mu.Unlock()
		time.Sleep(d)
		return produceAnswer(req, ErrNoError), nil
	}))
	conf := s.config()
	if seed%2 == 0 {
		idempotent(conf)
	}
	conf.Producer.Retry.Max = 20
	conf.Producer.Return.Successes = true
	conf.Producer.Partitioner = NewAdaptivePartitioner
	if seed%3 == 0 {
		conf.Producer.Flush.Frequency = 50 * time.Millisecond
	}
	p, err := NewSyncProducer([]string{"b1:9092"}, conf)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 20 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(100+g)))
			for i := range 20 {
				v := fmt.Sprintf("%d-%d", g, i)
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(500))*time.Millisecond)
				_, _, err := p.(ContextSyncProducer).SendMessageContext(ctx, &ProducerMessage{Topic: "t", Value: StringEncoder(v)})
				cancel()
				mu.Lock()
				n := written[v]
				mu.Unlock()
				switch {
				case err == nil && n == 0:
					t.Error("success, not written")
				case errors.Is(err, errCancelled):
					wg.Go(func() {
						time.Sleep(2 * time.Minute)
						mu.Lock()
						if written[v] > 0 {
							t.Error("cancelled, written", v)
						}
						mu.Unlock()
					})
				}
			}
		})
	}
	time.Sleep(open)
	begin := time.Now()
	_ = p.Close()
	if d := time.Since(begin); d > 90*time.Second {
		t.Errorf("Close took %v", d)
	}
	whole := p.(*syncProducer).producer
	if n, m := whole.budget.messages.Load(), whole.budget.bytes.Load(); n != 0 || m != 0 {
		t.Errorf("the budget has %d messages, %d bytes", n, m)
	}
	for id, slot := range whole.mu.slots {
		if slot.queued.Load() != 0 || slot.flying.Load() != 0 {
			t.Errorf("broker %d: %d queued, %d flying", id, slot.queued.Load(), slot.flying.Load())
		}
	}
	wg.Wait()
	s.close()
}
