package sarama

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// groupScript is a script of one broker with topic "t", which coordinates a
// group of one member. Tests replace the answers that they are about.
type groupScript struct {
	*script
	partitions int32

	mu struct {
		sync.Mutex
		begin    time.Time
		asked    []string // each request's name and what matters of it
		at       []time.Duration
		override map[string]answerFunc
		joined   int32
		protocol string
		stored   map[int32]int64 // committed offsets by partition
		metadata string
		commits  int // under way
	}
}

func newGroupScript(t *testing.T, partitions int32) *groupScript {
	g := &groupScript{partitions: partitions}
	g.mu.begin = time.Now()
	g.mu.override = make(map[string]answerFunc)
	g.mu.stored = make(map[int32]int64)
	g.script = newScript(t, g.answer)
	return g
}

// on replaces the answers to an API. A nil answer of f stands for the ordinary
// one, errNoAnswer for none.
func (g *groupScript) on(name string, f answerFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.override[name] = f
}

var errNoAnswer = fmt.Errorf("no answer")

// fails answers with error codes in turn, and then as usual.
func fails[R any](codes *[]KError, resp func(KError) R) answerFunc {
	return func(string, bridge.Header, any) (any, error) {
		if len(*codes) == 0 {
			return nil, nil
		}
		code := (*codes)[0]
		*codes = (*codes)[1:]
		return resp(code), nil
	}
}

func (g *groupScript) note(h bridge.Header, req any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	name := h.Name
	switch r := req.(type) {
	case *LeaveGroupRequest:
		if len(r.Members) > 0 && r.Members[0].Reason != nil {
			name += ": " + *r.Members[0].Reason
		}
	case *JoinGroupRequest:
		if r.Reason != nil {
			name += ": " + *r.Reason
		}
	case *OffsetCommitRequest:
		for _, p := range sortedKeys(r.blocks["t"]) {
			name += fmt.Sprintf(" %d:%d", p, r.blocks["t"][p].offset)
		}
	}
	g.mu.asked = append(g.mu.asked, name)
	g.mu.at = append(g.mu.at, time.Since(g.mu.begin))
}

// requests are the names of what was asked, without those to leave out; in a
// row of the same ones the first alone.
func (g *groupScript) requests(leaveOut ...string) (list []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range g.mu.asked {
		if !slices.Contains(leaveOut, strings.Fields(strings.ReplaceAll(name, ":", " "))[0]) {
			list = append(list, name)
		}
	}
	return list
}

// times are when an API was asked, since the beginning.
func (g *groupScript) times(api string) (list []time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, name := range g.mu.asked {
		if strings.HasPrefix(name, api) {
			list = append(list, g.mu.at[i])
		}
	}
	return list
}

func (g *groupScript) answer(addr string, h bridge.Header, req any) (any, error) {
	g.note(h, req)
	g.mu.Lock()
	override := g.mu.override[h.Name]
	g.mu.Unlock()
	if override != nil {
		switch resp, err := override(addr, h, req); {
		case err == errNoAnswer:
			return nil, nil
		case resp != nil || err != nil:
			return resp, err
		}
	}
	switch r := req.(type) {
	case *ApiVersionsRequest:
		return allVersions(), nil
	case *MetadataRequest:
		return simpleMetadata(1, "t", g.partitions), nil
	case *FindCoordinatorRequest:
		return &FindCoordinatorResponse{Coordinator: &Broker{id: 1, addr: "b1:9092"}}, nil
	case *OffsetRequest:
		resp := new(OffsetResponse)
		for p, b := range r.blocks["t"] {
			resp.AddTopicPartition("t", p, map[bool]int64{true: 0, false: 1000}[b.timestamp == OffsetOldest])
		}
		return resp, nil
	case *FetchRequest:
		time.Sleep(time.Duration(r.MaxWaitTime) * time.Millisecond)
		resp := new(FetchResponse)
		partitions, _ := bridge.FetchPartitions(r)
		for _, p := range partitions {
			resp.AddError(p.Topic, p.Partition, ErrNoError)
		}
		return resp, nil
	}
	return g.answerGroup(req)
}

func (g *groupScript) answerGroup(req any) (any, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch r := req.(type) {
	case *JoinGroupRequest:
		if r.MemberId == "" && r.Version >= 4 {
			return &JoinGroupResponse{Err: ErrMemberIdRequired, MemberId: "member"}, nil
		}
		g.mu.joined++
		g.mu.protocol = r.OrderedGroupProtocols[0].Name
		return &JoinGroupResponse{
			GenerationId: g.mu.joined, GroupProtocol: g.mu.protocol, LeaderId: "member", MemberId: "member",
			Members: []GroupMember{{MemberId: "member", Metadata: r.OrderedGroupProtocols[0].Metadata}},
		}, nil
	case *SyncGroupRequest:
		resp := new(SyncGroupResponse)
		for _, a := range r.GroupAssignments {
			resp.MemberAssignment = a.Assignment
		}
		return resp, nil
	case *HeartbeatRequest:
		return new(HeartbeatResponse), nil
	case *LeaveGroupRequest:
		return &LeaveGroupResponse{Members: []MemberResponse{{MemberId: "member"}}}, nil
	case *OffsetFetchRequest:
		resp := &OffsetFetchResponse{Version: r.Version}
		for p := range g.partitions {
			offset, ok := g.mu.stored[p]
			if !ok {
				offset = -1
			}
			resp.AddBlock("t", p, &OffsetFetchResponseBlock{Offset: offset, LeaderEpoch: -1, Metadata: g.mu.metadata})
		}
		return resp, nil
	case *OffsetCommitRequest:
		resp := new(OffsetCommitResponse)
		for p, b := range r.blocks["t"] {
			g.mu.stored[p] = b.offset
			resp.AddError("t", p, ErrNoError)
		}
		return resp, nil
	}
	g.t.Errorf("nobody answers a %T", req)
	return nil, errHangUp
}

func (g *groupScript) storedOffset(partition int32) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.stored[partition]
}

// groupConf is a configuration with a group's timing in round numbers.
func (g *groupScript) groupConf() *Config {
	conf := g.config()
	conf.Version = MaxVersion
	conf.Consumer.Return.Errors = true
	conf.Consumer.Group.Session.Timeout, conf.Consumer.Group.Heartbeat.Interval = 10*time.Second, 3*time.Second
	conf.Consumer.Group.Rebalance.Timeout = 60 * time.Second
	return conf
}

// scriptHandler is a handler whose parts tests fill in; by default claims last
// until Messages is closed.
type scriptHandler struct {
	setup, cleanup func(ConsumerGroupSession) error
	claim          func(ConsumerGroupSession, ConsumerGroupClaim) error
}

func (h *scriptHandler) Setup(s ConsumerGroupSession) error {
	if h.setup != nil {
		return h.setup(s)
	}
	return nil
}

func (h *scriptHandler) Cleanup(s ConsumerGroupSession) error {
	if h.cleanup != nil {
		return h.cleanup(s)
	}
	return nil
}

func (h *scriptHandler) ConsumeClaim(s ConsumerGroupSession, c ConsumerGroupClaim) error {
	if h.claim != nil {
		return h.claim(s, c)
	}
	for range c.Messages() {
	}
	return nil
}

// scriptGroup makes a group of the script's. The test closes it.
func (g *groupScript) scriptGroup(t *testing.T, conf *Config) ConsumerGroup {
	t.Helper()
	group, err := NewConsumerGroup([]string{"b1:9092"}, "group", conf)
	if err != nil {
		t.Fatal(err)
	}
	return group
}

// consuming is a Consume that goes on.
type consuming struct {
	cancel context.CancelFunc
	result chan error
}

func consumeInBackground(group ConsumerGroup, handler ConsumerGroupHandler) *consuming {
	ctx, cancel := context.WithCancel(context.Background())
	c := &consuming{cancel: cancel, result: make(chan error, 1)}
	go func() { c.result <- group.Consume(ctx, []string{"t"}, handler) }()
	return c
}

// drainErrors keeps what comes on a group's Errors.
func drainErrors(group ConsumerGroup) func() []error {
	var mu sync.Mutex
	var list []error
	done := make(chan struct{})
	go func() {
		defer close(done)
		for err := range group.Errors() {
			mu.Lock()
			list = append(list, err)
			mu.Unlock()
		}
	}()
	return func() []error {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}
