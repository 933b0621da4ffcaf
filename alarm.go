package sarama

import "time"

// alarm wakes a goroutine that waits in a select: the channel of a timer, or
// none while there is nothing to wait for. Owned by that goroutine.
type alarm struct{ timer *time.Timer }

// never is longer than anything waits.
const never = time.Duration(1<<63 - 1)

// in sets the alarm, and returns what to wait on.
func (a *alarm) in(d time.Duration) <-chan time.Time {
	switch {
	case d == never:
		a.stop()
		return nil
	case a.timer == nil:
		a.timer = time.NewTimer(d)
	default:
		a.timer.Reset(d)
	}
	return a.timer.C
}

func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
