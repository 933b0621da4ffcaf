package fakekafka

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// groups are the consumer groups of a cluster, and where they are coordinated.
type groups struct {
	cluster *Cluster // constant

	// mu is taken with or without the lock of a group, and nothing with it.
	mu struct {
		sync.Mutex
		byID    map[string]*group
		moved   map[string]int32    // to which brokers, by MoveCoordinator
		loading map[string]struct{} // by SetCoordinatorLoading
		ended   map[groupProducer]int
		closed  bool
	}
}

func newGroups(c *Cluster) *groups {
	s := &groups{cluster: c}
	s.mu.byID, s.mu.moved, s.mu.loading = make(map[string]*group), make(map[string]int32), make(map[string]struct{})
	s.mu.ended = make(map[groupProducer]int)
	return s
}

// group is what the coordinator knows of one group id: its members, in the
// older or the newer protocol, and its offsets.
type group struct {
	// constant
	cluster *Cluster
	id      string

	mu struct {
		sync.Mutex
		home    int32 // the broker that coordinates it
		loading bool
		dead    bool // deleted, or the cluster is closed
		timer   *time.Timer
		armed   time.Time // when the timer fires, zero for never

		classic  *classicGroup // what a group is at first
		consumer *consumerGroup
		offsets  groupOffsets

		departures []GroupDeparture
	}
}

// find returns a group, and makes it where it may; nil where there is none.
func (s *groups) find(id string, create bool) *group {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.mu.byID[id]
	if g == nil && create && !s.mu.closed {
		g = &group{cluster: s.cluster, id: id}
		g.mu.classic = newClassicGroup(g)
		s.mu.byID[id] = g
	}
	return g
}

// all lists the groups by their ids.
func (s *groups) all() []*group {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*group, 0, len(s.mu.byID))
	for _, id := range slices.Sorted(maps.Keys(s.mu.byID)) {
		list = append(list, s.mu.byID[id])
	}
	return list
}

// place is where a group is coordinated.
func (s *groups) place(id string) (moved int32, loading bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, loading = s.mu.loading[id]
	return s.mu.moved[id], loading
}

// changed has every group look who coordinates it now.
func (s *groups) changed() {
	for _, g := range s.all() {
		g.mu.Lock()
		if !g.mu.dead {
			g.settleLocked()
			g.armLocked()
		}
		g.mu.Unlock()
	}
}

// close stops all timers, for good.
func (s *groups) close() {
	s.mu.Lock()
	s.mu.closed = true
	s.mu.Unlock()
	for _, g := range s.all() {
		g.mu.Lock()
		g.mu.dead = true
		g.disarmLocked()
		g.mu.Unlock()
	}
}

// errNoGroup tells that a group does not exist; it is never on the wire.
var errNoGroup = errors.New("there is no such group")

// enter finds a group for a request to a broker, and returns it locked: leave
// has to follow. The error is a sarama.KError, or errNoGroup where the group
// does not exist and is not to be made.
func (c *Cluster) enter(b *broker, id string, create bool) (*group, error) {
	for {
		if c.coordinator(sarama.CoordinatorGroup, id) != b {
			return nil, sarama.ErrNotCoordinatorForConsumer
		}
		if _, loading := c.groups.place(id); loading {
			return nil, sarama.ErrOffsetsLoadInProgress
		}
		g := c.groups.find(id, create)
		if g == nil {
			if create {
				return nil, sarama.ErrConsumerCoordinatorNotAvailable // the cluster is being closed
			}
			return nil, errNoGroup
		}
		g.mu.Lock()
		if g.mu.dead {
			g.mu.Unlock()
			if g = c.groups.find(id, false); g != nil && c.closing.Load() {
				return nil, sarama.ErrConsumerCoordinatorNotAvailable
			}
			continue // it was deleted meanwhile
		}
		g.settleLocked()
		switch {
		case g.mu.home != b.id:
			g.mu.Unlock()
			return nil, sarama.ErrNotCoordinatorForConsumer
		case g.mu.loading:
			g.mu.Unlock()
			return nil, sarama.ErrOffsetsLoadInProgress
		}
		return g, nil
	}
}

// leave ends what enter began.
func (g *group) leave() {
	g.armLocked()
	g.mu.Unlock()
}

// settleLocked notices that another broker coordinates the group now: it has
// what was written to __consumer_offsets, and knows nothing of requests that
// wait, which are answered here.
func (g *group) settleLocked() {
	home := int32(-1)
	if b := g.cluster.coordinator(sarama.CoordinatorGroup, g.id); b != nil {
		home = b.id
	}
	_, loading := g.cluster.groups.place(g.id)
	if home == g.mu.home && loading == g.mu.loading {
		return
	}
	first := g.mu.home == 0
	g.mu.home, g.mu.loading = home, loading
	if first {
		return
	}
	if k := g.mu.classic; k != nil {
		k.reload(time.Now())
	}
	if k := g.mu.consumer; k != nil {
		k.reload(time.Now())
	}
}

// removeLocked takes the group out of the cluster.
func (g *group) removeLocked() {
	g.mu.dead = true
	g.disarmLocked()
	s := g.cluster.groups
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.byID[g.id] == g {
		delete(s.mu.byID, g.id)
	}
}

// nextLocked is when the group has something to do, zero for never.
func (g *group) nextLocked() (next time.Time) {
	switch {
	case g.mu.dead || g.mu.loading || g.mu.home < 0:
	case g.mu.classic != nil:
		next = g.mu.classic.next()
	case g.mu.consumer != nil:
		next = g.mu.consumer.next()
	}
	return next
}

// armLocked sets the timer, which there is none of while nothing is due: a
// group without members keeps no bubble running.
func (g *group) armLocked() {
	next := g.nextLocked()
	if next.Equal(g.mu.armed) {
		return
	}
	g.disarmLocked()
	if next.IsZero() {
		return
	}
	g.mu.armed = next
	g.cluster.goroutines.Add(1) // until it has run or was stopped
	g.mu.timer = time.AfterFunc(max(0, time.Until(next)), g.tick)
}

func (g *group) disarmLocked() {
	if g.mu.timer != nil && g.mu.timer.Stop() {
		g.cluster.goroutines.Done()
	}
	g.mu.timer, g.mu.armed = nil, time.Time{}
}

// tick does what is due.
func (g *group) tick() {
	defer g.cluster.goroutines.Done()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.dead {
		return
	}
	g.settleLocked()
	// Another timer may have been set while this one waited for the lock: then
	// it is set anew, as what fires has to be known to have fired.
	if g.mu.armed = (time.Time{}); g.mu.timer != nil && g.mu.timer.Stop() {
		g.cluster.goroutines.Done()
	}
	g.mu.timer = nil
	if next := g.nextLocked(); !next.IsZero() && !next.After(time.Now()) {
		if g.mu.classic != nil {
			g.mu.classic.due(time.Now())
		} else {
			g.mu.consumer.due(time.Now())
		}
	}
	g.armLocked()
}

// earlier is the earlier of two times, of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// due says whether a time that is not never has come.
func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// departLocked notes that a member is no longer there.
func (g *group) departLocked(member string, instance *string, cause DepartureCause, reason string) {
	if len(g.mu.departures) >= g.cluster.opts.HistoryMax {
		g.mu.departures = slices.Delete(g.mu.departures, 0, 1)
	}
	g.mu.departures = append(g.mu.departures, GroupDeparture{
		Time: time.Now(), Member: member, Instance: deref(instance), Cause: cause, Reason: reason,
	})
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// codeOfGroup is the error code of what enter says.
func codeOfGroup(err error, missing sarama.KError) sarama.KError {
	code := sarama.KError(0)
	if errors.As(err, &code) {
		return code
	}
	return missing
}

// MoveCoordinator has a broker coordinate a group: the others answer
// NOT_COORDINATOR, and so are requests that wait at the last one. While that
// broker is stopped, it is as if there had been no move; 0 undoes it. What the
// group had written, as Kafka does to __consumer_offsets, goes along: offsets,
// and the members of the last generation that had a plan.
func (c *Cluster) MoveCoordinator(group string, broker int32) error {
	if broker != 0 {
		if _, err := c.brokerOrError(broker); err != nil {
			return err
		}
		if !c.broker(broker).isUp() {
			return fmt.Errorf("fakekafka: broker %d is stopped, it cannot coordinate group %q", broker, group)
		}
	}
	s := c.groups
	s.mu.Lock()
	if s.mu.moved[group] = broker; broker == 0 {
		delete(s.mu.moved, group)
	}
	s.mu.Unlock()
	s.changed()
	return nil
}

// SetCoordinatorLoading says whether a group's coordinator is still loading it,
// as one does that has just taken over: until it is turned off, all requests
// about the group get COORDINATOR_LOAD_IN_PROGRESS. Then the sessions of its
// members begin anew.
func (c *Cluster) SetCoordinatorLoading(group string, on bool) {
	s := c.groups
	s.mu.Lock()
	if delete(s.mu.loading, group); on {
		s.mu.loading[group] = struct{}{}
	}
	s.mu.Unlock()
	s.changed()
}
