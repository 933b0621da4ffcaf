package sarama

import (
	"math/rand/v2"
	"time"
)

// NewExponentialBackoff returns a BackoffFunc whose waits double from backoff
// on: backoff before the first retry, twice that before the second, and so on,
// each off by up to 20 % at random (KIP-580), and none above maxBackoff. Before
// any retry, with a count of 0 or less, it is backoff itself. A backoff that is
// not positive stands for 100 ms, a maxBackoff for 1 s. The function may be
// called from many goroutines.
func NewExponentialBackoff(backoff time.Duration, maxBackoff time.Duration) func(retries, maxRetries int) time.Duration {
	if backoff <= 0 {
		backoff = 100 * time.Millisecond
	}
	if maxBackoff <= 0 {
		maxBackoff = time.Second
	}
	return func(retries, _ int) time.Duration {
		wait := min(backoff, maxBackoff)
		if retries <= 0 {
			return wait
		}
		// Once twice the limit is reached no jitter brings the wait below it,
		// so doubling stops before it can overflow.
		exact := float64(backoff)
		for n := 1; n < retries && exact < 2*float64(maxBackoff); n++ {
			exact *= 2
		}
		exact *= 0.8 + 0.4*rand.Float64()
		if exact >= float64(maxBackoff) {
			return maxBackoff
		}
		return time.Duration(exact)
	}
}
