package sarama

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestThrottleWaitsAsLongAsTold(t *testing.T) {
	for _, c := range []struct {
		name string
		set  []time.Duration // extended at once, in this order
		want time.Duration
	}{
		{"never throttled", nil, 0},
		{"zero", []time.Duration{0}, 0},
		{"negative", []time.Duration{-time.Hour}, 0},
		{"once", []time.Duration{time.Second}, time.Second},
		{"a shorter one does not shorten", []time.Duration{time.Second, time.Millisecond}, time.Second},
		{"a longer one lengthens", []time.Duration{time.Millisecond, time.Second}, time.Second},
		{"at the bound", []time.Duration{throttleMax}, throttleMax},
		{"12 hours", []time.Duration{12 * time.Hour}, throttleMax},
		{"24.8 days, the most that 32 bits of milliseconds hold", []time.Duration{(1<<31 - 1) * time.Millisecond}, throttleMax},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var th throttle
				for _, d := range c.set {
					th.extend(d)
				}
				start := time.Now()
				var wg sync.WaitGroup
				for range 8 {
					wg.Go(func() {
						if !th.waitIfThrottled() {
							t.Error("ended early")
						}
					})
				}
				wg.Wait()
				if got := time.Since(start); got != c.want {
					t.Errorf("waited %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestThrottleIsReadAgainAfterAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var th throttle
		th.extend(time.Second)
		go func() {
			time.Sleep(900 * time.Millisecond)
			th.extend(time.Second)
		}()
		start := time.Now()
		th.waitIfThrottled()
		if got := time.Since(start); got != 1900*time.Millisecond {
			t.Errorf("waited %v", got)
		}
	})
}

func TestThrottleEndsAtOnceWithEitherEnd(t *testing.T) {
	for i := range 2 {
		synctest.Test(t, func(t *testing.T) {
			var th throttle
			th.extend(time.Minute)
			ends := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
			start := time.Now()
			go func() {
				time.Sleep(time.Second)
				close(ends[i])
			}()
			if th.waitIfThrottled(ends[0], ends[1]) {
				t.Error("the wait was not ended")
			}
			if got := time.Since(start); got != time.Second {
				t.Errorf("ended after %v", got)
			}
		})
	}
}

// TestThrottleConcurrentExtendsKeepTheLatest has many responses set the
// deadline while many producers wait: each waits until the latest, no longer.
func TestThrottleConcurrentExtendsKeepTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var th throttle
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				th.extend(time.Duration(100-i) * 5 * time.Millisecond)
			})
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				th.waitIfThrottled()
			})
		}
		wg.Wait()
		// The latest deadline is the first one's: 0 + 500 ms.
		if got := time.Since(start); got != 500*time.Millisecond {
			t.Errorf("the last of them waited until %v", got)
		}
	})
}

func TestThrottleUnusedCostsNoAllocation(t *testing.T) {
	var th throttle
	if n := testing.AllocsPerRun(100, func() { th.waitIfThrottled() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
