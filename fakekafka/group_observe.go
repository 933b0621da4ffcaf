package fakekafka

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// GroupType says which protocol a group's members speak.
type GroupType string

// The types of groups, by the names that Kafka has for them.
const (
	GroupClassic  GroupType = "classic"
	GroupConsumer GroupType = "consumer" // the newer protocol (KIP-848)
)

// GroupState is what the coordinator knows of a group at one moment.
type GroupState struct {
	ID          string
	Type        GroupType
	Coordinator int32 // the broker, -1 when all are stopped
	// State by Kafka's name: Empty, PreparingRebalance, CompletingRebalance or
	// Stable; Empty, Assigning, Reconciling or Stable in the newer protocol.
	State string
	// Generation is the group's epoch in the newer protocol, where
	// AssignmentEpoch is that of the last plan.
	Generation      int32
	AssignmentEpoch int32
	ProtocolType    string
	// Protocol is the strategy in use.
	Protocol string
	Leader   string // of the classic protocol
	// Members in the order in which they came. Pending are the ids of those who
	// were told to join with them and have not (KIP-394).
	Members []GroupMember
	Pending []string
	Offsets map[TopicPartition]CommittedOffset
	// PendingOffsets are those that open transactions have committed.
	PendingOffsets map[TopicPartition]CommittedOffset
	// Departures are those of the last members that left or were removed, in
	// order; Options.HistoryMax says how many.
	Departures []GroupDeparture
}

// GroupMember is a member of a group.
type GroupMember struct {
	ID         string
	Instance   string // "" for a member that is not static
	ClientID   string
	ClientHost string
	Rack       string // of the newer protocol
	// Epoch is the member's own, in the newer protocol.
	Epoch int32
	// SessionTimeout and RebalanceTimeout are what the member asked for; the
	// former is the cluster's in the newer protocol.
	SessionTimeout, RebalanceTimeout time.Duration
	// Protocols are the strategies that a member of the classic protocol
	// offers, or the one that a member of the newer wants, if any; Metadata is
	// what the former said with the strategy that was chosen, and Assignment its
	// part of the plan, as it is on the wire.
	Protocols  []string
	Metadata   []byte
	Assignment []byte
	// Topics that the member subscribes to, and Regex of the newer protocol.
	Topics []string
	Regex  string
	// Partitions are those that it is assigned; Revoking those that it has been
	// told to give up, and Target those that it is to have in the end, both in
	// the newer protocol.
	Partitions, Revoking, Target []TopicPartition
	// JoinReason is the member's own (KIP-800).
	JoinReason string
	// Waiting is whether a request to join, or to sync, waits for the others.
	Waiting bool
}

// DepartureCause is why a member is no longer in its group.
type DepartureCause string

// The causes.
const (
	DepartedLeft      DepartureCause = "left"              // or was removed by an administrator
	DepartedSession   DepartureCause = "session timeout"   // was silent for too long
	DepartedRebalance DepartureCause = "rebalance timeout" // has not joined again, or given up partitions, in time
	DepartedSync      DepartureCause = "sync timeout"      // has not asked for its part of the plan in time
	DepartedReplaced  DepartureCause = "replaced"          // another with its instance id has come
)

// GroupDeparture is the end of a membership.
type GroupDeparture struct {
	Time     time.Time
	Member   string
	Instance string
	Cause    DepartureCause
	Reason   string // the member's own (KIP-800)
}

var errClosed = errors.New("fakekafka: the cluster is closed")

// Group returns what is known of a group; false where there is none.
func (c *Cluster) Group(id string) (GroupState, bool) {
	g := c.groups.find(id, false)
	if g == nil {
		return GroupState{}, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.dead {
		return GroupState{}, false
	}
	g.settleLocked()
	defer g.armLocked()
	s := GroupState{
		ID: id, Coordinator: g.mu.home, Offsets: visible(make(map[TopicPartition]CommittedOffset), g.mu.offsets.committed),
		PendingOffsets: make(map[TopicPartition]CommittedOffset), Departures: slices.Clone(g.mu.departures),
	}
	for _, offsets := range g.mu.offsets.pending {
		visible(s.PendingOffsets, offsets)
	}
	if g.mu.consumer != nil {
		g.mu.consumer.describe(&s)
	} else {
		g.mu.classic.describe(&s)
	}
	return s, true
}

func (k *classicGroup) describe(s *GroupState) {
	s.Type, s.State, s.Generation, s.ProtocolType, s.Protocol, s.Leader = GroupClassic, string(k.phase), k.generation, k.protocolType, k.protocol, k.leader
	s.Pending = slices.Sorted(maps.Keys(k.pending))
	for _, m := range k.members {
		member := GroupMember{
			ID: m.id, Instance: deref(m.instance), ClientID: m.clientID, ClientHost: m.clientHost,
			SessionTimeout: m.session, RebalanceTimeout: m.rebalance,
			Metadata: bytes.Clone(m.metadata(k.protocol)), Assignment: bytes.Clone(m.assignment),
			JoinReason: m.reason, Waiting: m.join != nil || m.sync != nil,
		}
		for _, p := range m.protocols {
			member.Protocols = append(member.Protocols, p.Name)
		}
		if k.protocolType == consumerProtocolType {
			member.Topics, _ = subscribedTopics(member.Metadata)
			member.Partitions = assignedPartitions(m.assignment)
		}
		s.Members = append(s.Members, member)
	}
}

// Groups returns the ids of all groups, sorted.
func (c *Cluster) Groups() (ids []string) {
	for _, g := range c.groups.all() {
		ids = append(ids, g.id)
	}
	return ids
}

// Commits returns the last offsets that the coordinators have stored for a
// group, in order; Options.HistoryMax says how many. Those of a transaction are
// stored when it is committed.
func (c *Cluster) Commits(id string) []OffsetCommitted {
	g := c.groups.find(id, false)
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.mu.offsets.history)
}

// FailGroup refuses the next so many requests of an API that name a group, as a
// whole, or all until undo is called if times is negative.
func (c *Cluster) FailGroup(api API, group string, err sarama.KError, times int) (undo func()) {
	return c.handleTimes(times, func(r *Request) *Reply {
		if r.API != api || !slices.Contains(r.Groups(), group) {
			return nil
		}
		return &Reply{Err: err}
	})
}

// Rebalance has the members of a group join again, or, in the newer protocol,
// makes a new plan in another epoch.
func (c *Cluster) Rebalance(id string) error {
	g := c.groups.find(id, false)
	if g == nil {
		return fmt.Errorf("fakekafka: group %q: %w", id, sarama.ErrGroupIDNotFound)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.dead {
		return fmt.Errorf("fakekafka: group %q: %w", id, sarama.ErrGroupIDNotFound)
	}
	g.settleLocked()
	defer g.armLocked()
	if k := g.mu.classic; k != nil && len(k.members) > 0 {
		k.rebalance()
	}
	if k := g.mu.consumer; k != nil {
		k.bump()
	}
	return nil
}
