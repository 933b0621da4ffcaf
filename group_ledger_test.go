package sarama_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// groupLedger is what the members of a group tell a test of what they do, and
// where it is checked that no partition has two owners.
type groupLedger struct {
	t          *testing.T
	processing time.Duration // of a message
	lax        bool          // two owners are no error

	mu        sync.Mutex
	owners    map[topicPartition]string
	processed map[topicPartition]map[int64]int // how often, by offset
	count     int                              // different messages
	last      map[topicPartition]time.Time     // when a message was processed
	stall     time.Duration                    // the longest time between two messages of a partition
	changed   chan struct{}                    // of capacity 1
}

type topicPartition struct {
	topic     string
	partition int32
}

func newGroupLedger(t *testing.T) *groupLedger {
	return &groupLedger{
		t: t, owners: make(map[topicPartition]string), processed: make(map[topicPartition]map[int64]int),
		last: make(map[topicPartition]time.Time), changed: make(chan struct{}, 1),
	}
}

func (l *groupLedger) nudge() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *groupLedger) enter(member string, claim sarama.ConsumerGroupClaim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := topicPartition{claim.Topic(), claim.Partition()}
	if other := l.owners[at]; other != "" {
		if !l.lax {
			l.t.Errorf("%s claims %v, which %s still has", member, at, other)
		}
	}
	l.owners[at] = member
	l.nudge()
}

func (l *groupLedger) exit(member string, claim sarama.ConsumerGroupClaim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := topicPartition{claim.Topic(), claim.Partition()}
	if l.owners[at] == member {
		delete(l.owners, at)
	}
	l.nudge()
}

func (l *groupLedger) process(msg *sarama.ConsumerMessage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := topicPartition{msg.Topic, msg.Partition}
	if l.processed[at] == nil {
		l.processed[at] = make(map[int64]int)
	}
	if l.processed[at][msg.Offset]++; l.processed[at][msg.Offset] == 1 {
		l.count++
	}
	now := time.Now()
	if last, ok := l.last[at]; ok {
		l.stall = max(l.stall, now.Sub(last))
	}
	l.last[at] = now
	l.nudge()
}

// has tells whether a message was processed.
func (l *groupLedger) has(at topicPartition, offset int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.processed[at][offset] > 0
}

// owned is how many partitions each member has.
func (l *groupLedger) owned() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := make(map[string]int)
	for _, member := range l.owners {
		counts[member]++
	}
	return counts
}

// partitionsOf lists what a member has.
func (l *groupLedger) partitionsOf(member string) (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, owner := range l.owners {
		if owner == member {
			list = append(list, fmt.Sprint(at))
		}
	}
	slices.Sort(list)
	return list
}

func (l *groupLedger) ownerOf(topic string, partition int32) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owners[topicPartition{topic, partition}]
}

func (l *groupLedger) total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// await waits until something is so that the members have told.
func (l *groupLedger) await(what string, so func() error) {
	l.t.Helper()
	deadline := time.After(100 * time.Second)
	var err error
	for {
		if err = so(); err == nil {
			return
		}
		select {
		case <-l.changed:
		case <-time.After(100 * time.Millisecond):
		case <-deadline:
			l.t.Fatalf("%s: %v", what, err)
		}
	}
}

// awaitCount waits until so many different messages were processed.
func (l *groupLedger) awaitCount(n int) {
	l.t.Helper()
	l.await(fmt.Sprintf("%d messages", n), func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.count < n {
			return fmt.Errorf("%d were processed", l.count)
		}
		return nil
	})
}

// awaitShares waits until the members have these numbers of partitions, in any
// order.
func (l *groupLedger) awaitShares(want ...int) {
	l.t.Helper()
	l.await(fmt.Sprintf("shares of %v", want), func() error {
		var have []int
		for _, n := range l.owned() {
			have = append(have, n)
		}
		slices.Sort(have)
		slices.Sort(want)
		if !slices.Equal(have, want) {
			return fmt.Errorf("they have %v", have)
		}
		return nil
	})
}

// awaitQuiet waits until no partition has changed hands for a second.
func (l *groupLedger) awaitQuiet() {
	l.t.Helper()
	before := fmt.Sprint(l.snapshot())
	for range 100 {
		time.Sleep(time.Second)
		now := fmt.Sprint(l.snapshot())
		if now == before {
			return
		}
		before = now
	}
	l.t.Fatal("partitions go on changing hands")
}

func (l *groupLedger) snapshot() map[topicPartition]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.owners)
}

// duplicates is how many messages were processed more than once.
func (l *groupLedger) duplicates() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, offsets := range l.processed {
		for _, times := range offsets {
			if times > 1 {
				n++
			}
		}
	}
	return n
}

// longestStall is the longest time between two messages of a partition.
func (l *groupLedger) longestStall() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stall
}

// processedBelow is how many messages of a partition were processed, and
// whether one below an offset was not.
func (l *groupLedger) processedBelow(topic string, partition int32, end int64) (n int64, missing bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	offsets := l.processed[topicPartition{topic, partition}]
	for o := range end {
		missing = missing || offsets[o] == 0
	}
	return int64(len(offsets)), missing
}

// groupRunner is a member that consumes in a loop, as programs do.
type groupRunner struct {
	t      *testing.T
	name   string
	ledger *groupLedger
	group  sarama.ConsumerGroup
	cancel context.CancelFunc
	done   chan struct{}

	setups, cleanups atomic.Int32
}

// startMember joins a group.
func startMember(t *testing.T, l *groupLedger, name, group string, addrs []string, conf *sarama.Config, topics ...string) *groupRunner {
	t.Helper()
	g, err := sarama.NewConsumerGroup(addrs, group, conf)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &groupRunner{t: t, name: name, ledger: l, group: g, cancel: cancel, done: make(chan struct{})}
	if conf.Consumer.Return.Errors {
		go func() {
			for err := range g.Errors() {
				t.Logf("%s: %v", name, err)
			}
		}()
	}
	go func() {
		defer close(r.done)
		for {
			switch err := g.Consume(ctx, topics, r); {
			case errors.Is(err, sarama.ErrClosedConsumerGroup), ctx.Err() != nil:
				return
			case err != nil:
				t.Logf("%s: Consume: %v", name, err)
			}
		}
	}()
	t.Cleanup(r.stop)
	return r
}

// awaitAndStop leaves the group when so many messages were processed.
func (r *groupRunner) awaitAndStop(n int) {
	r.t.Helper()
	r.ledger.awaitCount(n)
	r.stop()
}

// stop leaves the group.
func (r *groupRunner) stop() {
	r.t.Helper()
	r.cancel()
	returnsWithin(r.t, "Close", func() { _ = r.group.Close() })
	returnsWithin(r.t, "Consume", func() { <-r.done })
}

func (r *groupRunner) Setup(sarama.ConsumerGroupSession) error {
	r.setups.Add(1)
	return nil
}

func (r *groupRunner) Cleanup(s sarama.ConsumerGroupSession) error {
	if owned := r.ledger.owned()[r.name]; owned != 0 {
		r.t.Errorf("%s: Cleanup is called while %d claims go on", r.name, owned)
	}
	r.cleanups.Add(1)
	return nil
}

func (r *groupRunner) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	r.ledger.enter(r.name, c)
	defer r.ledger.exit(r.name, c)
	for msg := range c.Messages() {
		if wait := r.ledger.processing; wait > 0 {
			time.Sleep(wait)
		}
		r.ledger.process(msg)
		s.MarkMessage(msg, "")
	}
	return nil
}
