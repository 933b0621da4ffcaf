package sarama

import (
	"context"
	"errors"
	"time"
)

// sleepIn waits for d, or for the end of ctx, whose cause it returns.
func sleepIn(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// awaitCall runs a call that cannot be interrupted, and waits for it no longer
// than until ctx ends; the call then goes on by itself, and drop, if not nil,
// gets what it returns.
func awaitCall[T any](ctx context.Context, call func() (T, error), drop func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	results := make(chan result, 1)
	go withRecover(func() {
		r := result{err: errCallPanicked}
		defer func() { results <- r }()
		r.value, r.err = call()
	})
	select {
	case r := <-results:
		if r.err != nil && ctx.Err() != nil { // which may be what has ended the call
			r.err = context.Cause(ctx)
		}
		return r.value, r.err
	case <-ctx.Done():
	}
	if drop != nil {
		go withRecover(func() {
			if r := <-results; r.err == nil {
				drop(r.value)
			}
		})
	}
	return none, context.Cause(ctx)
}

var errCallPanicked = errors.New("kafka: a call of the client's panicked")

// replyOr waits for the one answer to a letter, or for the end of the goroutine
// that would give it: then the error is otherwise, unless the answer came
// before.
func replyOr(reply <-chan error, ended <-chan struct{}, otherwise error) error {
	select {
	case err := <-reply:
		return err
	case <-ended:
	}
	select {
	case err := <-reply:
		return err
	default:
		return otherwise
	}
}
