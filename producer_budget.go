package sarama

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	breakers "github.com/eapache/go-resiliency/breaker"
)

// budgetShare is a part of a producer's budget.
type budgetShare struct{ messages, bytes int64 }

func (s *budgetShare) add(messages, bytes int64) {
	s.messages += messages
	s.bytes += bytes
}

// budget bounds what a producer holds, from a message's acceptance until its
// result was received by the user. The intake takes from it, whoever gives a
// result to the user returns it; at the bound the intake stops.
type budget struct {
	// constant
	limit budgetShare
	wake  func() // the intake

	// atomic
	messages, bytes atomic.Int64
	wanted          atomic.Bool // the intake waits for room
}

// limitsOf are the bounds that a configuration gives. What upstream bounds its
// retry buffer by tightens them.
func limitsOf(conf *Config) budgetShare {
	limit := budgetShare{messages: math.MaxInt64, bytes: conf.producerBudgetBytes()}
	messages, bytes := conf.retryBufferLimits()
	if messages > 0 {
		limit.messages = int64(messages)
	}
	if bytes > 0 {
		limit.bytes = max(min(limit.bytes, bytes), 2*int64(conf.Producer.MaxMessageBytes))
	}
	return limit
}

func (b *budget) add(s budgetShare) {
	if s != (budgetShare{}) {
		b.messages.Add(s.messages)
		b.bytes.Add(s.bytes)
	}
}

// room is how much may still be taken.
func (b *budget) room() budgetShare {
	return budgetShare{b.limit.messages - b.messages.Load(), b.limit.bytes - b.bytes.Load()}
}

// full reports whether the bound is reached. If so the intake is woken when an
// eighth of the budget is free again.
func (b *budget) full() bool {
	if room := b.room(); room.bytes > 0 && room.messages > 0 {
		return false
	}
	b.wanted.Store(true)
	return !b.roomy()
}

func (b *budget) roomy() bool {
	room := b.room()
	return room.bytes >= b.limit.bytes/8 && room.messages >= b.limit.messages/8
}

// release returns a share.
func (b *budget) release(s budgetShare) {
	b.messages.Add(-s.messages)
	b.bytes.Add(-s.bytes)
	if b.wanted.Load() && b.roomy() && b.wanted.Swap(false) {
		b.wake()
	}
}

// A breaker fails look-ups at once for a while when they have failed several
// times in short order. Owned by the goroutine that makes the look-ups.
type breaker struct {
	failures int
	last     time.Time // of the last failure
	open     time.Time // until when look-ups fail
	probing  bool      // one failure opens it again
	cause    error
}

const (
	breakerFailures = 3
	breakerWindow   = 10 * time.Second
)

// check returns the error of a breaker that is open, with what opened it.
func (b *breaker) check(now time.Time) error {
	if now.Before(b.open) {
		return fmt.Errorf("%w: %w", breakers.ErrBreakerOpen, b.cause)
	}
	return nil
}

// record takes the outcome of a look-up.
func (b *breaker) record(now time.Time, err error) {
	if err == nil {
		b.probing = false
		return
	}
	if now.Sub(b.last) >= breakerWindow && !b.probing {
		b.failures = 0
	}
	b.failures++
	b.last, b.cause = now, err
	if b.failures >= breakerFailures || b.probing {
		b.open, b.failures, b.probing = now.Add(breakerWindow), 0, true
	}
}
