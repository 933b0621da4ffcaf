package sarama

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Metadata.Timeout bounds attempts and backoffs together, and each refresh by
// itself.
func TestClientRefreshTimeouts(t *testing.T) {
	for name, test := range map[string]struct {
		timeout  time.Duration
		silent   bool
		took     time.Duration
		asked    int32
		deadline bool
	}{
		"none, silent":            {0, true, 30*time.Second + 250*time.Millisecond + 30*time.Second, 2, false},
		"bounds an attempt":       {10 * time.Second, true, 10 * time.Second, 1, true},
		"bounds the second":       {40 * time.Second, true, 40 * time.Second, 2, true},
		"none, unknown topic":     {0, false, 250 * time.Millisecond, 2, false},
		"skips a backoff":         {250 * time.Millisecond, false, 0, 1, false},
		"has time for a backoff":  {251 * time.Millisecond, false, 250 * time.Millisecond, 2, false},
		"far beyond, not reached": {time.Hour, false, 250 * time.Millisecond, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int32
				s := newScript(t, answering(byName(func() bool {
					asked.Add(1)
					return !test.silent
				}), nil))
				conf := s.config()
				conf.Metadata.Retry.Max, conf.Metadata.Timeout = 1, test.timeout
				c, err := NewClient([]string{"b1:9092"}, conf)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				err = c.RefreshMetadata("gone")
				if took := time.Since(start); took != test.took || asked.Load() != test.asked {
					t.Errorf("took %v, asked %d times: %v", took, asked.Load(), err)
				}
				want := ErrOutOfBrokers
				if !test.silent {
					want = ErrUnknownTopicOrPartition
				}
				if !errors.Is(err, want) || errors.Is(err, context.DeadlineExceeded) != test.deadline {
					t.Errorf("%v", err)
				}
				_ = c.Close()
				s.close()
			})
		})
	}
}

func TestClientWithoutSingleFlightAsksForEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		s := newScript(t, answering(slowMetadata(&asked), nil))
		conf := s.config()
		conf.Metadata.SingleFlight = false
		c, err := NewClient([]string{"b1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		asked.Store(0)
		start := time.Now()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := c.RefreshMetadata("t"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); asked.Load() != 10 || took != 10*time.Second {
			t.Errorf("%d requests in %v", asked.Load(), took)
		}
		_ = c.Close()
		s.close()
	})
}

// Those who share a request have their own time each.
func TestClientRefreshTimeoutsAreEachOnesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		s := newScript(t, answering(byName(func() bool { return !silent.Load() }), nil))
		conf := s.config()
		conf.Metadata.Retry.Max, conf.Metadata.Retry.Backoff, conf.Metadata.Timeout = 3, 4*time.Second, 10*time.Second
		c, err := NewClient([]string{"b1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, topic := range []string{"gone", "t"} {
			wg.Go(func() {
				start := time.Now()
				err := c.RefreshMetadata(topic)
				if took := time.Since(start); took != 10*time.Second || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrOutOfBrokers) {
					t.Errorf("%s: took %v, %v", topic, took, err)
				}
			})
			time.Sleep(5 * time.Second) // "gone" waits for its second retry by then
			silent.Store(true)
		}
		wg.Wait()
		_ = c.Close()
		s.close()
	})
}
