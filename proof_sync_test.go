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

// The third of the five failures: a sync produce, or a Close, that never
// returns.

// TestProofEverySendAndCloseReturns sends from many goroutines, some with
// contexts that end at random, to brokers that are silent, refuse, or hang up,
// with the budget at its limit, and closes. In the bubble no time passes but
// what the code waits for, and a goroutine that is left fails the test.
func TestProofEverySendAndCloseReturns(t *testing.T) {
	for _, c := range []struct {
		name    string
		answer  func(addr string, req any) (any, error)
		refused []string
	}{
		{"all answer", func(_ string, req any) (any, error) { return produceAnswer(req, ErrNoError), nil }, nil},
		{"all are silent", func(string, any) (any, error) { return nil, nil }, nil},
		{"all hang up", func(string, any) (any, error) { return nil, errHangUp }, nil},
		{"all refuse", nil, []string{"b1:9092", "b2:9092", "b3:9092"}},
		{"one is silent, one refuses, one answers", func(addr string, req any) (any, error) {
			if addr == "b1:9092" {
				return nil, nil
			}
			return produceAnswer(req, ErrNoError), nil
		}, []string{"b2:9092"}},
		{"an error each time", func(_ string, req any) (any, error) { return produceAnswer(req, ErrNotEnoughReplicas), nil }, nil},
		{"throttled for ever", func(_ string, req any) (any, error) {
			r := produceAnswer(req, ErrNoError)
			r.ThrottleTime = 24 * time.Hour
			return r, nil
		}, nil},
	} {
		for _, closeAfter := range []time.Duration{0, 3 * time.Second, time.Hour} {
			t.Run(fmt.Sprintf("%s, closed after %v", c.name, closeAfter), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { proveSendsReturn(t, c.answer, c.refused, closeAfter) })
			})
		}
	}
}

func proveSendsReturn(t *testing.T, answer func(string, any) (any, error), refused []string, closeAfter time.Duration) {
	s := newScript(t, standard(3, "t", 6, func(addr string, _ bridge.Header, req any) (any, error) { return answer(addr, req) }))
	conf := s.config()
	conf.Net.DialTimeout, conf.Net.ReadTimeout, conf.Net.WriteTimeout = 2*time.Second, 2*time.Second, 2*time.Second
	conf.Producer.Timeout = time.Second
	conf.Producer.Retry.Max = 2
	conf.Producer.MaxMessageBytes, conf.Producer.MaxBufferedBytes = 20_000, 40_000
	conf.Metadata.Retry.Max = 1
	conf.Producer.Partitioner = NewRoundRobinPartitioner
	p, err := NewSyncProducer([]string{"b1:9092"}, conf)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	for _, addr := range refused {
		s.mu.refused[addr] = true
	}
	s.mu.Unlock()
	const senders = 1000
	var wg sync.WaitGroup
	value := ByteEncoder(make([]byte, 1000))
	for i := range senders {
		wg.Go(func() {
			msg := &ProducerMessage{Topic: "t", Value: value}
			switch i % 4 {
			case 0:
				_, _, _ = p.SendMessage(msg)
			case 1:
				_ = p.SendMessages([]*ProducerMessage{msg, {Topic: "t", Value: value}, {Topic: "nowhere"}})
			default:
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(5000))*time.Millisecond)
				defer cancel()
				began := time.Now()
				_, _, err := p.(ContextSyncProducer).SendMessageContext(ctx, msg)
				deadline, _ := ctx.Deadline()
				if late := time.Since(deadline); late > 0 && time.Now().After(began) {
					t.Errorf("returned %v after its context ended: %v", late, err)
				}
				if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) && errors.Is(err, ErrOutcomeUnknown) {
					t.Errorf("%v does not wrap %v", err, ctx.Err())
				}
			}
		})
	}
	time.Sleep(closeAfter)
	closed := time.Now()
	_ = p.Close()
	wg.Wait()
	// A partition that was lent its batch just before waits for its patience,
	// and its broker may have been silent for as long before that.
	if took, most := time.Since(closed), 2*min(conf.Net.ReadTimeout, closePatienceMax)+conf.Net.DialTimeout; took > most {
		t.Errorf("Close and the last send took %v, %v is the most", took, most)
	}
	if _, _, err := p.SendMessage(&ProducerMessage{Topic: "t"}); !errors.Is(err, ErrShuttingDown) {
		t.Errorf("a send after Close: %v", err)
	}
	s.close()
}
