package fakekafka

import (
	"fmt"
	"time"
)

// GroupOptions say how the coordinators of consumer groups are set up. The zero
// value is what Kafka has by default, but for the shortest session: tests need
// members that are missed soon.
type GroupOptions struct {
	// SessionTimeoutMin and SessionTimeoutMax bound what members of the classic
	// protocol may ask for: 1 ms and 30 minutes by default, where Kafka has 6 s
	// for the former.
	SessionTimeoutMin, SessionTimeoutMax time.Duration
	// InitialRebalanceDelay is for how long an empty group of the classic
	// protocol waits for more members to come; 0, the default, does not wait,
	// where Kafka waits for 3 s.
	InitialRebalanceDelay time.Duration
	// MaxSize is how many members a group may have, 0 for any number.
	MaxSize int
	// OffsetMetadataMaxBytes is how long the metadata of a committed offset may
	// be, 4096 by default.
	OffsetMetadataMaxBytes int

	// ClassicOnly switches the newer protocol of groups (KIP-848) off, which is
	// offered otherwise where Options.Version is 4.0 or later.
	ClassicOnly bool
	// SessionTimeout and HeartbeatInterval are what members of the newer
	// protocol are told, 45 s and 5 s by default.
	SessionTimeout, HeartbeatInterval time.Duration
	// AssignmentInterval is how long at least lies between two plans of a group
	// of the newer protocol, as Kafka has it from 4.3 on: until then, members go
	// on with the plan before, in which new ones have nothing. 0, the default,
	// makes a plan at once.
	AssignmentInterval time.Duration
}

const (
	defaultSessionTimeoutMin      = time.Millisecond
	defaultSessionTimeoutMax      = 30 * time.Minute
	defaultOffsetMetadataMaxBytes = 4096
	defaultSessionTimeout         = 45 * time.Second
	defaultHeartbeatInterval      = 5 * time.Second
)

func (o *GroupOptions) withDefaults() error {
	for _, d := range []struct {
		name string
		p    *time.Duration
		to   time.Duration
	}{
		{"SessionTimeoutMin", &o.SessionTimeoutMin, defaultSessionTimeoutMin},
		{"SessionTimeoutMax", &o.SessionTimeoutMax, defaultSessionTimeoutMax},
		{"InitialRebalanceDelay", &o.InitialRebalanceDelay, 0},
		{"SessionTimeout", &o.SessionTimeout, defaultSessionTimeout},
		{"AssignmentInterval", &o.AssignmentInterval, 0},
		{"HeartbeatInterval", &o.HeartbeatInterval, defaultHeartbeatInterval},
	} {
		if *d.p < 0 {
			return fmt.Errorf("fakekafka: Options.Groups.%s is %v, must not be negative", d.name, *d.p)
		}
		if *d.p == 0 {
			*d.p = d.to
		}
	}
	if o.OffsetMetadataMaxBytes == 0 {
		o.OffsetMetadataMaxBytes = defaultOffsetMetadataMaxBytes
	}
	switch {
	case o.SessionTimeoutMin > o.SessionTimeoutMax:
		return fmt.Errorf("fakekafka: Options.Groups.SessionTimeoutMin %v is above SessionTimeoutMax %v", o.SessionTimeoutMin, o.SessionTimeoutMax)
	case o.MaxSize < 0:
		return fmt.Errorf("fakekafka: Options.Groups.MaxSize is %d, must not be negative", o.MaxSize)
	case o.OffsetMetadataMaxBytes < 0:
		return fmt.Errorf("fakekafka: Options.Groups.OffsetMetadataMaxBytes is %d, must not be negative", o.OffsetMetadataMaxBytes)
	}
	return nil
}
