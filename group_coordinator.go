package sarama

import (
	"context"
	"errors"
	"time"
)

// closePatience is how long the end of something may wait for brokers that do
// not answer.
func closePatience(conf *Config) time.Duration { return min(conf.Net.ReadTimeout, closePatienceMax) }

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

// coordinatorOf is the client's connection to a group's coordinator, which is
// asked for anew if refresh is set.
func coordinatorOf(ctx context.Context, c Client, group string, refresh bool) (*Broker, error) {
	return awaitCall(ctx, func() (*Broker, error) {
		if refresh {
			if err := c.RefreshCoordinator(group); err != nil {
				return nil, err
			}
		}
		return c.Coordinator(group)
	}, nil)
}

// requestUntil is request that is given up when ctx ends.
func (b *Broker) requestUntil(ctx context.Context, req, resp body) error {
	err := b.requestWithin(ctx.Done(), req, resp)
	if ctx.Err() != nil && (errors.Is(err, errAbandoned) || errors.Is(err, errUnanswered)) {
		return context.Cause(ctx)
	}
	return err
}

// memberLane is a group member's own connection to its coordinator, on which
// nothing waits behind other requests. It is used by one goroutine at a time.
type memberLane struct {
	client Client
	conf   *Config
	group  string
	lane   *lane // nil: not looked up
	stale  bool  // the coordinator has to be asked for before the next request
}

// ask sends a request. When ctx ends meanwhile, the connection is given up with
// it: nothing sent later may wait behind a JoinGroup that nobody waits for.
func (m *memberLane) ask(ctx context.Context, req, resp body) error {
	k, err := m.connect(ctx)
	if err == nil {
		err = m.lane.broker.ask(k, req, resp, ctx.Done())
	}
	if err != nil && ctx.Err() != nil {
		m.close()
		return context.Cause(ctx)
	}
	return err
}

// connect returns a connection to the coordinator, which it looks up if need be.
func (m *memberLane) connect(ctx context.Context) (*link, error) {
	if m.lane == nil || m.stale {
		b, err := coordinatorOf(ctx, m.client, m.group, m.stale)
		if err != nil {
			return nil, err
		}
		if m.stale = false; m.lane == nil || m.lane.addr != b.Addr() {
			m.close()
			m.lane = newLane(m.conf, b)
		}
	}
	return m.lane.connect(ctx.Done())
}

// newest is the newest version of an API that the coordinator may be sent.
func (m *memberLane) newest(ctx context.Context, a *api) (int16, error) {
	k, err := m.connect(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case err != nil:
		return 0, err
	case k.versions != nil && !k.says(a):
		return -1, nil
	}
	return k.newest(a), nil
}

// close ends the connection.
func (m *memberLane) close() {
	if m.lane != nil {
		m.lane.close()
		m.lane = nil
	}
}
