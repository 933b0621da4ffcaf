package sarama

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
)

// candidate is a broker that is connected and may be asked.
type candidate struct {
	broker *Broker
	link   *link
}

// tryBrokers yields connected brokers one after another: those that are
// connected already, the least loaded first; then the other registered ones,
// then seeds, whose dials are raced. What goes wrong on the way is added to
// causes. It ends when each was tried or ctx is done.
func (c *client) tryBrokers(ctx context.Context, causes *[]error) iter.Seq[candidate] {
	return func(yield func(candidate) bool) {
		snapshot := c.cluster.Load()
		var connected, others []*Broker
		for _, b := range snapshot.brokers {
			if b.connectedNow() {
				connected = append(connected, b)
			} else {
				others = append(others, b)
			}
		}
		slices.SortFunc(connected, func(a, b *Broker) int {
			return cmp.Or(cmp.Compare(a.load(), b.load()), cmp.Compare(a.id, b.id))
		})
		for _, b := range connected {
			if l := b.link.Load(); l != nil && ctx.Err() == nil && !yield(candidate{b, l}) {
				return
			}
		}
		shuffle(others)
		tried := make(map[string]bool)
		for _, b := range snapshot.brokers {
			tried[b.addr] = true
		}
		seeds := slices.DeleteFunc(slices.Clone(snapshot.seeds), func(b *Broker) bool { return tried[b.addr] })
		for _, group := range [][]*Broker{others, seeds} {
			for len(group) > 0 && ctx.Err() == nil {
				b, l, rest := c.connectOne(ctx, group, causes)
				group = rest
				if l != nil && !yield(candidate{b, l}) {
					return
				}
			}
		}
		if err := ctx.Err(); err != nil && len(*causes) == 0 {
			*causes = append(*causes, context.Cause(ctx))
		}
	}
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
	// A broker that is about to connect, for someone else, is simply awaited.
	for i, b := range group {
		if l := b.link.Load(); l != nil && l.err() == nil {
			return c.finishConnect(ctx, b, l, slices.Delete(slices.Clone(group), i, i+1), causes)
		}
	}
	addrs := make([]string, len(group))
	for i, b := range group {
		addrs[i] = b.addr
	}
	winner, conn, failures := raceDials(ctx, c.conf, addrs)
	for i, b := range group {
		if err := failures[i]; err != nil {
			Logger.Printf("client/brokers failed to connect to %s: %v\n", b.addr, err)
			*causes = append(*causes, err)
		} else if i != winner {
			rest = append(rest, b)
		}
	}
	if conn == nil {
		return nil, nil, nil
	}
	b = group[winner]
	b.dialled.Store(&conn)
	l, err := b.open(c.conf)
	if l == nil {
		_ = b.takeDialled().Close()
		*causes = append(*causes, err)
		return nil, nil, rest
	}
	return c.finishConnect(ctx, b, l, rest, causes)
}

func (c *client) finishConnect(ctx context.Context, b *Broker, l *link, rest []*Broker, causes *[]error) (*Broker, *link, []*Broker) {
	if err := l.await(ctx.Done()); err != nil {
		if errors.Is(err, errAbandoned) {
			err = fmt.Errorf("kafka: connecting to broker %s: %w", b.name(), context.Cause(ctx))
		}
		Logger.Printf("client/brokers failed to connect to %s: %v\n", b.addr, err)
		*causes = append(*causes, err)
		return b, nil, rest
	}
	return b, l, rest
}
