package sarama

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// The fifth of the five failures: a throttle deadline that a response's
// goroutine sets while a producer waits on it.

// TestProofThrottledProducersWaitAsLongAsTold has brokers throttle some
// answers, for times that differ, while many producers send to all of them:
// after an answer with a throttle no Produce request comes on that connection
// for as long as it said, and then one comes within 100 ms. Connections to
// other brokers, and of other producers, go on.
func TestProofThrottledProducersWaitAsLongAsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const producers, brokers, each = 20, 3, 30
		type connection struct {
			client, addr string
		}
		var mu sync.Mutex
		until := map[connection]time.Time{}
		counts := map[connection]int{}
		throttled := 0
		s := newScript(t, nil)
		s.answer = func(addr string, h bridge.Header, req any) (any, error) {
			switch req.(type) {
			case *ApiVersionsRequest:
				return allVersions(), nil
			case *MetadataRequest:
				return simpleMetadata(brokers, "t", brokers), nil
			}
			mu.Lock()
			defer mu.Unlock()
			c := connection{h.ClientID, addr}
			now := time.Now()
			if u, ok := until[c]; ok {
				if now.Before(u) {
					t.Errorf("%v: a request came %v too early", c, u.Sub(now))
				}
				if late := now.Sub(u); late > 100*time.Millisecond {
					t.Errorf("%v: the next request came %v late", c, late)
				}
				delete(until, c)
			}
			counts[c]++
			r := produceAnswer(req, ErrNoError)
			if n := counts[c]; addr != "b3:9092" && n%5 == 0 { // the third broker never throttles
				r.ThrottleTime = time.Duration(n*100) * time.Millisecond
				until[c] = now.Add(r.ThrottleTime)
				throttled++
			}
			return r, nil
		}
		var wg sync.WaitGroup
		for i := range producers {
			conf := s.config()
			conf.ClientID = fmt.Sprint("p", i)
			conf.Producer.Partitioner = NewManualPartitioner
			conf.Net.MaxOpenRequests = 1
			p, err := NewSyncProducer([]string{"b1:9092"}, conf)
			if err != nil {
				t.Fatal(err)
			}
			var sends sync.WaitGroup
			for b := range int32(brokers) {
				sends.Go(func() {
					start := time.Now()
					for range each {
						if _, _, err := p.SendMessage(&ProducerMessage{Topic: "t", Partition: b, Value: StringEncoder("v")}); err != nil {
							t.Error(err)
						}
					}
					if took := time.Since(start); b == 2 && took != 0 {
						t.Errorf("sends to a broker that does not throttle took %v", took)
					}
				})
			}
			wg.Go(func() {
				sends.Wait()
				_ = p.Close()
			})
		}
		wg.Wait()
		if throttled == 0 {
			t.Error("nothing was throttled")
		}
		s.close()
	})
}

// TestProofThrottleBeyondReason has brokers name times that no quota has.
func TestProofThrottleBeyondReason(t *testing.T) {
	for _, c := range []struct{ told, want time.Duration }{
		{-time.Second, 0},
		{-(1 << 31) * time.Millisecond, 0},
		{12 * time.Hour, throttleMax},
		{(1<<31 - 1) * time.Millisecond, throttleMax}, // 24.8 days
	} {
		t.Run(c.told.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
					r := produceAnswer(req, ErrNoError)
					r.ThrottleTime = c.told
					return r, nil
				}))
				p, err := NewSyncProducer([]string{"b1:9092"}, s.config())
				if err != nil {
					t.Fatal(err)
				}
				send := func() {
					if _, _, err := p.SendMessage(&ProducerMessage{Topic: "t", Value: StringEncoder("v")}); err != nil {
						t.Error(err)
					}
				}
				send()
				start := time.Now()
				send()
				if took := time.Since(start); took != c.want {
					t.Errorf("the second send took %v, want %v", took, c.want)
				}
				_ = p.Close()
				s.close()
			})
		})
	}
}

// TestProofCloseDuringAThrottle closes while requests wait for hours.
func TestProofCloseDuringAThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, answering(func(*MetadataRequest) *MetadataResponse {
			r := simpleMetadata(1, "t", 1)
			r.ThrottleTimeMs = int32((12 * time.Hour).Milliseconds())
			return r
		}, func(_ string, _ bridge.Header, req any) (any, error) {
			r := produceAnswer(req, ErrNoError)
			r.ThrottleTime = 12 * time.Hour
			return r, nil
		}))
		c, err := NewClient([]string{"b1:9092"}, s.config())
		if err != nil {
			t.Fatal(err)
		}
		p, err := NewSyncProducerFromClient(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.SendMessage(&ProducerMessage{Topic: "t", Value: StringEncoder("v")}); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { _, _, _ = p.SendMessage(&ProducerMessage{Topic: "t", Value: StringEncoder("v")}) })
		wg.Go(func() {
			_ = c.RefreshMetadata() // through the connection of the seed, or a new one
			_ = c.RefreshMetadata() // throttled
		})
		synctest.Wait()
		start := time.Now()
		_ = p.Close()
		if took, most := time.Since(start), 5*time.Second; took > most {
			t.Errorf("a producer's Close took %v, %v is the most", took, most)
		}
		start = time.Now()
		_ = c.Close()
		wg.Wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("a client's Close took %v", took)
		}
		s.close()
	})
}
