package sarama

import (
	"context"
	"errors"
)

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
	if m.client.Closed() {
		return nil, ErrClosedClient // also for a lane that is open
	}
	if m.lane == nil || m.stale {
		b, err := coordinatorOf(ctx, m.client, coordinatorKey{CoordinatorGroup, m.group}, m.stale)
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
