package sarama

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"
)

// candidate is a broker that is connected and may be asked.
type candidate struct {
	broker *Broker
	link   *link
}

// ask sends a request, see Broker.ask.
func (at candidate) ask(req, resp body, done <-chan struct{}) error {
	return at.broker.ask(at.link, req, resp, done)
}

// tryBrokers yields connected brokers one after another: those that are
// connected already, the least loaded first; then the other registered ones and
// seeds, whose dials are raced in this order. Those that have not answered the
// first question on their connection, after its versions, come last: they are
// likely to stay silent for another Net.ReadTimeout. What goes wrong on the way
// is added to causes. It ends when each was tried or ctx is done.
func (c *client) tryBrokers(ctx context.Context, causes *[]error) iter.Seq[candidate] {
	return func(yield func(candidate) bool) {
		snapshot := c.cluster.Load()
		var silent []candidate
		use := yield
		yield = func(at candidate) bool {
			defer c.closeIfGone(at.broker)
			return use(at)
		}
		defer func() {
			for _, at := range silent {
				c.closeIfGone(at.broker)
			}
		}()
		ask := func(at candidate) bool {
			if isClosed(at.link.ready) && at.link.abandoned {
				silent = append(silent, at)
				return true
			}
			return yield(at)
		}
		connected, others := snapshot.byConnection()
		for _, b := range connected {
			if l := b.link.Load(); l != nil && ctx.Err() == nil && !ask(candidate{b, l}) {
				return
			}
		}
		tried := make(map[string]bool)
		for _, b := range snapshot.brokers {
			tried[b.addr] = true
		}
		group := append(others, untried(snapshot.seeds, tried)...)
		if !c.tryGroup(ctx, group, causes, ask) {
			return
		}
		if ctx.Err() == nil && !c.tryGroup(ctx, untried(c.seedsNow(ctx, snapshot), tried), causes, ask) {
			return
		}
		for _, at := range silent {
			if ctx.Err() == nil && !yield(at) {
				return
			}
		}
		if err := ctx.Err(); err != nil && len(*causes) == 0 {
			*causes = append(*causes, context.Cause(ctx))
		}
	}
}

// byConnection are the registered brokers that are connected, in the order in
// which to ask them, and the others, in no order.
func (c *cluster) byConnection() (connected, others []*Broker) {
	for _, b := range c.brokers {
		if b.connectedNow() {
			connected = append(connected, b)
		} else {
			others = append(others, b)
		}
	}
	slices.SortFunc(connected, func(a, b *Broker) int {
		return cmp.Or(cmp.Compare(a.load(), b.load()), cmp.Compare(a.id, b.id))
	})
	shuffle(others)
	return connected, others
}

// untried are the brokers at addresses that were not tried, which they are now.
func untried(list []*Broker, tried map[string]bool) (rest []*Broker) {
	for _, b := range list {
		if !tried[b.addr] {
			tried[b.addr] = true
			rest = append(rest, b)
		}
	}
	return rest
}

// tryGroup yields those of a group that can be connected; false: that is enough.
func (c *client) tryGroup(ctx context.Context, group []*Broker, causes *[]error, yield func(candidate) bool) bool {
	for len(group) > 0 && ctx.Err() == nil {
		b, l, rest := c.connectOne(ctx, group, causes)
		group = rest
		if l != nil && !yield(candidate{b, l}) {
			return false
		}
	}
	return true
}

// connectedNow reports whether the broker could be written to at once.
func (b *Broker) connectedNow() bool {
	l := b.link.Load()
	return l != nil && isClosed(l.ready) && l.err() == nil
}

func shuffle(list []*Broker) {
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// connectOne races the dials of a group and completes the first connection.
// rest are those that have not failed.
func (c *client) connectOne(ctx context.Context, group []*Broker, causes *[]error) (b *Broker, l *link, rest []*Broker) {
	group = byBackoff(group)
	winner, l, failures := raceDials(ctx, c.conf, group)
	for i, b := range group {
		if err := failures[i]; err != nil {
			Logger.Printf("client/brokers failed to connect to %s: %v\n", b.addr, err)
			*causes = append(*causes, err)
		} else if i != winner {
			rest = append(rest, b)
		}
	}
	if l == nil {
		return nil, nil, nil
	}
	return c.finishConnect(ctx, group[winner], l, rest, causes)
}

// byBackoff puts the brokers that have to wait before they are dialled again
// behind the others.
func byBackoff(group []*Broker) []*Broker {
	waits := make(map[*Broker]time.Duration, len(group))
	for _, b := range group {
		waits[b] = max(0, b.reconnectWait())
	}
	group = slices.Clone(group)
	slices.SortStableFunc(group, func(a, b *Broker) int { return cmp.Compare(waits[a], waits[b]) })
	return group
}

func (c *client) finishConnect(ctx context.Context, b *Broker, l *link, rest []*Broker, causes *[]error) (*Broker, *link, []*Broker) {
	if err := l.await(ctx.Done()); err != nil {
		if errors.Is(err, errAbandoned) {
			err = fmt.Errorf("kafka: connecting to broker %s: %w", b.name(), context.Cause(ctx))
		}
		Logger.Printf("client/brokers failed to connect to %s: %v\n", b.addr, err)
		*causes = append(*causes, err)
		c.closeIfGone(b)
		return b, nil, rest
	}
	return b, l, rest
}

// closeIfGone closes a broker that the client has given up, or that was opened
// behind the back of Close. Who gives brokers up takes them out of the cluster
// before it closes them: so one of the two closes it.
func (c *client) closeIfGone(b *Broker) {
	if now := c.cluster.Load(); now.brokers[b.id] != b && !slices.Contains(now.seeds, b) {
		_ = b.Close()
	}
}
