package sarama

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// strayCallsMax is how many calls of one of a user's functions may be under way
// for one Broker, those included that nobody waits for any more: a function that
// never returns costs no more goroutines than that.
const strayCallsMax = 4

// userCalls has a token for each call under way.
type userCalls chan struct{}

// callsOf returns one of the Broker's fields, made where it is not.
func (b *Broker) callsOf(field *userCalls) userCalls {
	b.mu.Lock()
	defer b.mu.Unlock()
	if *field == nil {
		*field = make(userCalls, strayCallsMax)
	}
	return *field
}

var errCallExited = errors.New("has ended its goroutine")

// callUser runs a function of the user's that a connection cannot be made
// without, and waits no longer than until ctx ends. The call then goes on by
// itself, and drop gets what it returns. Its errors are returned as they are;
// for a panic and the like, errors name it by what.
func callUser[T any](ctx context.Context, calls userCalls, what string, call func() (T, error), drop func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	select {
	case calls <- struct{}{}:
	default:
		select {
		case calls <- struct{}{}:
		case <-ctx.Done():
			return none, fmt.Errorf("%s: %d calls have not returned: %w", what, strayCallsMax, context.Cause(ctx))
		}
	}
	results := make(chan result) // unbuffered: who is gone takes nothing
	go func() {
		r := result{err: fmt.Errorf("%s %w", what, errCallExited)}
		defer func() {
			<-calls
			select {
			case results <- r:
			case <-ctx.Done():
				if r.err == nil && drop != nil {
					drop(r.value)
				}
			}
		}()
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("%s panicked: %v", what, p)
				Logger.Printf("%s panicked: %v\n%s", what, p, debug.Stack())
				if handler := PanicHandler; handler != nil {
					handler(p)
				}
			}
		}()
		r.value, r.err = call()
	}()
	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
		return none, fmt.Errorf("%s has not returned: %w", what, context.Cause(ctx))
	}
}
