package sarama

import (
	"sync/atomic"
	"time"
)

// throttleMax bounds what a broker can make a connection wait: quota windows
// are seconds long, so that more is a broker's mistake.
const throttleMax = 5 * time.Minute

// throttle is the time before which a broker asked us to send it nothing on a
// connection (KIP-219). Any goroutine may extend it or wait for it; neither
// takes a lock. The zero value is not throttled.
type throttle struct {
	until atomic.Value // of time.Time, which keeps the monotonic clock
}

// extend moves the deadline to d from now, unless it is later already. It
// returns what it took d for: no less than 0, no more than throttleMax.
func (t *throttle) extend(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	d = min(d, throttleMax)
	until := time.Now().Add(d)
	for {
		old := t.until.Load()
		if old != nil && !old.(time.Time).Before(until) {
			return d
		}
		if t.until.CompareAndSwap(old, until) {
			return d
		}
	}
}

// remaining is how long there is to wait, at most 0 when there is not.
func (t *throttle) remaining() time.Duration {
	until, throttled := t.until.Load().(time.Time)
	if !throttled {
		return 0
	}
	return time.Until(until)
}

// waitIfThrottled returns true once the deadline has passed, also where it
// moved during the wait, and false as soon as one of the ends is closed.
func (t *throttle) waitIfThrottled(ends ...<-chan struct{}) bool {
	for {
		wait := t.remaining()
		if wait <= 0 {
			return true
		}
		timer := time.NewTimer(wait)
		ended := !sleepUntil(timer, ends)
		timer.Stop()
		if ended {
			return false
		}
	}
}

// sleepUntil waits for a timer: false when one of the at most two ends came
// first.
func sleepUntil(timer *time.Timer, ends []<-chan struct{}) bool {
	var a, b <-chan struct{}
	if len(ends) > 0 {
		a = ends[0]
	}
	if len(ends) > 1 {
		b = ends[1]
	}
	select {
	case <-timer.C:
		return true
	case <-a:
	case <-b:
	}
	return false
}
