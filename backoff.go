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

// retryBackoff is the wait before a retry: what a BackoffFunc says or, without
// one, the fixed wait, from which Config.ExponentialBackoff may go up. attempt
// is the number of the retry as a BackoffFunc of that kind is given it, and
// first the one that it begins with.
func retryBackoff(conf *Config, fixed time.Duration, f func(retries, maxRetries int) time.Duration, attempt, first, maxRetries int) time.Duration {
	switch exponential := &conf.ExponentialBackoff; {
	case f != nil:
		return f(attempt, maxRetries)
	case exponential.Enable && fixed > 0:
		limit := exponential.Max
		if limit == 0 {
			limit = defaultBackoffMax
		}
		return NewExponentialBackoff(fixed, max(limit, fixed))(attempt-first+1, maxRetries)
	}
	return fixed
}

// metadataBackoff is the wait of Metadata.Retry after so many retries.
func metadataBackoff(conf *Config, retries int) time.Duration {
	retry := &conf.Metadata.Retry
	return retryBackoff(conf, retry.Backoff, retry.BackoffFunc, retries, 0, retry.Max)
}

// defaultBackoffMax is what Config.ExponentialBackoff.Max is by default.
const defaultBackoffMax = time.Second

// withoutMax is a BackoffFunc for one that is not given the maximum.
func withoutMax(f func(retries int) time.Duration) func(retries, maxRetries int) time.Duration {
	if f == nil {
		return nil
	}
	return func(retries, _ int) time.Duration { return f(retries) }
}
