package sarama

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// mockReporter collects what would fail a test.
type mockReporter struct {
	mu    sync.Mutex
	lines []string
}

func (r *mockReporter) Error(a ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprint(a...))
}
func (r *mockReporter) Errorf(f string, a ...any) { r.Error(fmt.Sprintf(f, a...)) }
func (r *mockReporter) Fatal(a ...any)            { r.Error(a...) }
func (r *mockReporter) Fatalf(f string, a ...any) { r.Errorf(f, a...) }
func (r *mockReporter) Helper()                   {}

// only checks that there was one line, with that text, or none for "".
func (r *mockReporter) only(t *testing.T, want string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if all := strings.Join(r.lines, "\n"); want == "" && all != "" || !strings.Contains(all, want) || strings.Contains(all, "\n") {
		t.Errorf("reported %q, want one line with %q", all, want)
	}
}

// oneMock is a broker with one topic and what a program needs of it.
func oneMock(t *testing.T) *MockBroker {
	b := NewMockBroker(t, 1)
	t.Cleanup(b.Close)
	b.SetHandlerByMap(map[string]MockResponse{
		"MetadataRequest": NewMockMetadataResponse(t).SetBroker(b.Addr(), b.BrokerID()).SetLeader("t", 0, b.BrokerID()),
		"ProduceRequest":  NewMockProduceResponse(t),
		"OffsetRequest":   NewMockOffsetResponse(t).SetOffset("t", 0, OffsetOldest, 5).SetOffset("t", 0, OffsetNewest, 20),
		"FetchRequest": NewMockFetchResponse(t, 2).SetMessage("t", 0, 5, StringEncoder("five")).SetMessageWithKey("t", 0, 9, StringEncoder("k"), StringEncoder("nine")).
			SetMessage("t", 0, 19, StringEncoder("nineteen")).SetHighWaterMark("t", 0, 20),
	})
	return b
}

func TestMockBrokerServesPrograms(t *testing.T) {
	for _, version := range []KafkaVersion{V0_8_2_0, V0_11_0_0, DefaultVersion, MaxVersion} {
		t.Run(version.String(), func(t *testing.T) {
			b := oneMock(t)
			conf := NewConfig()
			conf.Version = version
			conf.Producer.Return.Successes = true
			p, err := NewSyncProducer([]string{b.Addr()}, conf)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := p.SendMessage(&ProducerMessage{Topic: "t", Value: StringEncoder("v")}); err != nil {
				t.Error(err)
			}
			_ = p.Close()
			c, err := NewConsumer([]string{b.Addr()}, conf)
			if err != nil {
				t.Fatal(err)
			}
			pc, err := c.ConsumePartition("t", 0, OffsetOldest)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"5=five", "9k=nine", "19=nineteen"} {
				m := <-pc.Messages()
				if got := fmt.Sprintf("%d%s=%s", m.Offset, m.Key, m.Value); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
			_ = pc.Close()
			_ = c.Close()
			var had []string
			for _, rr := range b.History() {
				had = append(had, mockName(rr.Request)+":"+mockName(rr.Response))
			}
			if all := strings.Join(had, " "); !strings.Contains(all, "MetadataRequest:MetadataResponse") || !strings.Contains(all, "ProduceRequest:ProduceResponse") {
				t.Errorf("history: %s", all)
			}
		})
	}
}

// TestMockBrokerServesAGroup is a group of one member, which reads a message and
// commits it.
func TestMockBrokerServesAGroup(t *testing.T) {
	b := oneMock(t)
	b.SetHandlerByMap(map[string]MockResponse{
		"MetadataRequest":        NewMockMetadataResponse(t).SetBroker(b.Addr(), b.BrokerID()).SetLeader("t", 0, b.BrokerID()),
		"OffsetRequest":          NewMockOffsetResponse(t).SetOffset("t", 0, OffsetOldest, 0).SetOffset("t", 0, OffsetNewest, 1),
		"FindCoordinatorRequest": NewMockFindCoordinatorResponse(t).SetCoordinator(CoordinatorGroup, "g", b),
		"JoinGroupRequest": NewMockSequence(
			NewMockJoinGroupResponse(t).SetError(ErrMemberIdRequired).SetMemberId("m"),
			NewMockJoinGroupResponse(t).SetGroupProtocol(RangeBalanceStrategyName).SetMemberId("m").SetLeaderId("other").SetGenerationId(1)),
		"SyncGroupRequest":    NewMockSyncGroupResponse(t).SetMemberAssignment(&ConsumerGroupMemberAssignment{Topics: map[string][]int32{"t": {0}}}),
		"HeartbeatRequest":    NewMockHeartbeatResponse(t),
		"LeaveGroupRequest":   NewMockLeaveGroupResponse(t),
		"OffsetFetchRequest":  NewMockOffsetFetchResponse(t).SetOffset("g", "t", 0, 0, "", ErrNoError),
		"OffsetCommitRequest": NewMockOffsetCommitResponse(t),
		"FetchRequest":        NewMockFetchResponse(t, 1).SetMessage("t", 0, 0, StringEncoder("v")).SetHighWaterMark("t", 0, 1),
	})
	g, err := NewConsumerGroup([]string{b.Addr()}, "g", NewConfig())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := &oneMessage{done: cancel}
	if err := g.Consume(ctx, []string{"t"}, h); err != nil {
		t.Error(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	committed := int64(-1)
	for _, rr := range b.History() {
		if r, ok := rr.Request.(*OffsetCommitRequest); ok {
			committed, _, _ = r.Offset("t", 0)
		}
	}
	if h.got != "v" || committed != 1 {
		t.Errorf("got %q, committed %d", h.got, committed)
	}
}

// oneMessage takes a message and is done.
type oneMessage struct {
	done func()
	got  string
}

func (h *oneMessage) Setup(ConsumerGroupSession) error   { return nil }
func (h *oneMessage) Cleanup(ConsumerGroupSession) error { return nil }
func (h *oneMessage) ConsumeClaim(s ConsumerGroupSession, c ConsumerGroupClaim) error {
	for m := range c.Messages() {
		h.got = string(m.Value)
		s.MarkMessage(m, "")
		h.done()
	}
	return nil
}

// mockClient is a connection to a broker, without any request of its own.
func mockClient(t *testing.T, b *MockBroker, change func(*Config)) *Broker {
	t.Helper()
	conf := NewConfig()
	conf.ApiVersionsRequest = false
	conf.Net.ReadTimeout = 10 * time.Second
	if change != nil {
		change(conf)
	}
	c := NewBroker(b.Addr())
	if err := c.Open(conf); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestMockBrokerAnswersInTheOrderOfReturns(t *testing.T) {
	b := NewMockBroker(t, 1)
	defer b.Close()
	c := mockClient(t, b, nil)
	b.Returns(&HeartbeatResponse{Err: ErrRebalanceInProgress})
	b.Returns(&MetadataResponse{ControllerID: 7})
	h, err := c.Heartbeat(&HeartbeatRequest{Version: 3})
	if err != nil || h.Err != ErrRebalanceInProgress || h.Version != 3 {
		t.Errorf("%+v, %v", h, err)
	}
	go func() {
		time.Sleep(10 * time.Millisecond)
		b.Returns(&HeartbeatResponse{})
	}()
	m, err := c.GetMetadata(&MetadataRequest{Version: 9})
	if err != nil || m.ControllerID != 7 {
		t.Errorf("%+v, %v", m, err)
	}
	if h, err = c.Heartbeat(&HeartbeatRequest{}); err != nil || h.Err != ErrNoError {
		t.Errorf("queued late: %+v, %v", h, err)
	}
}

// TestMockBrokerKeepsTheScriptFromQuestionsAfterVersions: scripts are made for
// the requests that a program means.
func TestMockBrokerKeepsTheScriptFromQuestionsAfterVersions(t *testing.T) {
	b := NewMockBroker(t, 1)
	defer b.Close()
	b.Returns(&HeartbeatResponse{Err: ErrUnknownMemberId})
	c := mockClient(t, b, func(conf *Config) { conf.ApiVersionsRequest = true })
	if h, err := c.Heartbeat(&HeartbeatRequest{Version: 3}); err != nil || h.Err != ErrUnknownMemberId {
		t.Errorf("%+v, %v", h, err)
	}
	b.Returns(&ApiVersionsResponse{ErrorCode: int16(ErrUnsupportedVersion)})
	if v, err := c.ApiVersions(&ApiVersionsRequest{Version: 3}); err != nil || v.ErrorCode != int16(ErrUnsupportedVersion) {
		t.Errorf("a response that was queued for it: %+v, %v", v, err)
	}
}

func TestMockBrokerReportsResponsesNobodyAskedFor(t *testing.T) {
	r := new(mockReporter)
	b := NewMockBroker(r, 1)
	b.Returns(&HeartbeatResponse{})
	b.Returns(&MetadataResponse{})
	b.Close()
	b.Close()
	b.Returns(&HeartbeatResponse{}) // is not waited for
	r.only(t, "2 responses were never asked for: HeartbeatResponse, MetadataResponse")
}

func TestMockBrokerGivesNoAnswerWhereItHasNone(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(*MockBroker)
	}{
		{"nothing queued", func(*MockBroker) {}},
		{"nil queued", func(b *MockBroker) { b.Returns(nil) }},
		{"nil pointer queued", func(b *MockBroker) { b.Returns((*HeartbeatResponse)(nil)) }},
		{"no entry", func(b *MockBroker) { b.SetHandlerByMap(map[string]MockResponse{}) }},
		{"nil entry", func(b *MockBroker) { b.SetHandlerByMap(map[string]MockResponse{"HeartbeatRequest": nil}) }},
		{"nil function", func(b *MockBroker) {
			b.SetHandlerFuncByMap(map[string]requestHandlerFunc{"HeartbeatRequest": nil})
		}},
		{"function that returns nil", func(b *MockBroker) {
			b.SetHandlerFuncByMap(map[string]requestHandlerFunc{"HeartbeatRequest": func(*mockRequest) body { return nil }})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := NewMockBroker(t, 1)
			defer b.Close()
			c.script(b)
			client := mockClient(t, b, func(conf *Config) { conf.Net.ReadTimeout = 50 * time.Millisecond })
			_, err := client.Heartbeat(&HeartbeatRequest{})
			if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("%v", err)
			}
			b.Close()
			if h := b.History(); len(h) > 0 && h[0].Response != nil {
				t.Errorf("history: %v", h[0].Response)
			}
		})
	}
}

func TestMockBrokerTellsWhatItHasHad(t *testing.T) {
	b := NewMockBroker(t, 7)
	defer b.Close()
	sizes := make(chan [2]int, 1)
	b.SetNotifier(func(read, written int) { sizes <- [2]int{read, written} })
	b.SetLatency(time.Millisecond)
	b.SetHandlerFuncByMap(map[string]requestHandlerFunc{"HeartbeatRequest": func(req *mockRequest) body {
		b.SetLatency(0) // from within a handler
		if len(b.History()) != 0 || req.clientID != NewConfig().ClientID {
			t.Errorf("history %v, client %q", b.History(), req.clientID)
		}
		return &HeartbeatResponse{Version: req.version}
	}})
	c := mockClient(t, b, nil)
	if _, err := c.Heartbeat(&HeartbeatRequest{GroupId: "g", MemberId: "m"}); err != nil {
		t.Fatal(err)
	}
	request := 4 + 2 + 2 + 4 + 2 + len(NewConfig().ClientID) + 3 + 4 + 3
	if got, want := <-sizes, [2]int{request, 4 + 4 + 2}; got != want {
		t.Errorf("sizes %v, want %v", got, want)
	}
	h := b.History()
	if len(h) != 1 || h[0].Request.(*HeartbeatRequest).GroupId != "g" || h[0].Response.(*HeartbeatResponse) == nil {
		t.Errorf("history %v", h)
	}
	if host, port, _ := net.SplitHostPort(b.Addr()); host != "127.0.0.1" || port != fmt.Sprint(b.Port()) || b.BrokerID() != 7 {
		t.Errorf("address %s, port %d, id %d", b.Addr(), b.Port(), b.BrokerID())
	}
}

func TestMockBrokerAnswersNoProduceWithoutAcks(t *testing.T) {
	b := NewMockBroker(t, 1)
	defer b.Close()
	b.SetHandlerByMap(map[string]MockResponse{"ProduceRequest": NewMockProduceResponse(t), "HeartbeatRequest": NewMockHeartbeatResponse(t)})
	c := mockClient(t, b, nil)
	req := &ProduceRequest{RequiredAcks: NoResponse}
	req.AddMessage("t", 0, &Message{Value: []byte("v")})
	if resp, err := c.Produce(req); resp != nil || err != nil {
		t.Errorf("%v, %v", resp, err)
	}
	if _, err := c.Heartbeat(&HeartbeatRequest{}); err != nil { // whose answer is not taken for another's
		t.Error(err)
	}
}

func TestMockBrokerKnowsCoordinatorsByTheirOldName(t *testing.T) {
	b := NewMockBroker(t, 1)
	defer b.Close()
	b.SetHandlerByMap(map[string]MockResponse{"ConsumerMetadataRequest": NewMockConsumerMetadataResponse(t).SetCoordinator("g", b)})
	c := mockClient(t, b, nil)
	resp, err := c.FindCoordinator(&FindCoordinatorRequest{CoordinatorKey: "g"})
	if err != nil || resp.Coordinator.Addr() != b.Addr() {
		t.Errorf("%+v, %v", resp, err)
	}
}

func TestMockBrokerRefusesWhatIsNoRequest(t *testing.T) {
	for _, c := range []struct {
		name, want string
		bytes      []byte
	}{
		{"negative length", "message of length -1 too large or too small", []byte{0xff, 0xff, 0xff, 0xff}},
		{"large length", "too large or too small", []byte{0x7f, 0xff, 0xff, 0xff}},
		{"unknown key", "unknown request key (999)", append([]byte{0, 0, 0, 12, 999 >> 8, 999 & 0xff}, make([]byte, 10)...)},
		{"cut body", "HeartbeatRequest", []byte{0, 0, 0, 11, 0, 12, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 9}},
		{"large length that never comes", "", []byte{0, 0xff, 0xff, 0xff, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := new(mockReporter)
			b := NewMockBroker(r, 1)
			conn, err := net.Dial("tcp", b.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := conn.Write(c.bytes); err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				_ = conn.(*net.TCPConn).CloseWrite()
			}
			if n, err := io.Copy(io.Discard, conn); n > 0 { // until the broker hangs up
				t.Errorf("%d bytes of answer, %v", n, err)
			}
			b.Close()
			r.only(t, c.want)
		})
	}
}

func TestMockBrokerListensAgainWhereItsPredecessorDid(t *testing.T) {
	first := NewMockBroker(t, 1)
	addr := first.Addr()
	first.Close()
	second := NewMockBrokerAddr(t, 2, addr)
	defer second.Close()
	if second.Addr() != addr {
		t.Errorf("%s, not %s", second.Addr(), addr)
	}
	r := new(mockReporter)
	if b := NewMockBrokerAddr(r, 3, "256.0.0.1:0"); b != nil {
		t.Error("there is a broker at an impossible address")
	}
	r.only(t, "mock broker 3")
}

func TestMockResponsesReportRequestsOfOthers(t *testing.T) {
	r := new(mockReporter)
	if resp := NewMockMetadataResponse(r).For(new(HeartbeatRequest)); resp != nil {
		t.Errorf("%v", resp)
	}
	r.only(t, "MockMetadataResponse is asked to answer HeartbeatRequest")
}

// TestMockResponsesMayBeChangedWhileTheyAreAsked: the race detector is the judge.
func TestMockResponsesMayBeChangedWhileTheyAreAsked(t *testing.T) {
	m := NewMockMetadataResponse(t)
	brokers := []*MockBroker{NewMockBroker(t, 1), NewMockBroker(t, 2)}
	var group sync.WaitGroup
	for i, b := range brokers {
		b.SetHandlerByMap(map[string]MockResponse{"MetadataRequest": NewMockSequence(m, m, NewMockWrapper(&MetadataResponse{Topics: []*TopicMetadata{{Name: "t"}}}))})
		c := mockClient(t, b, nil)
		group.Go(func() {
			for n := range int32(50) {
				m.SetBroker(b.Addr(), b.BrokerID()).SetLeader("t", n, int32(i))
				if _, err := c.GetMetadata(&MetadataRequest{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for _, b := range brokers {
		b.Close()
	}
}

// TestMockApiVersionsListWhatClientsAskFor: a client that is told so finds the
// broker usable.
func TestMockApiVersionsListWhatClientsAskFor(t *testing.T) {
	b := oneMock(t)
	b.SetHandlerByMap(map[string]MockResponse{
		"ApiVersionsRequest": NewMockApiVersionsResponse(t),
		"MetadataRequest":    NewMockMetadataResponse(t).SetBroker(b.Addr(), 1).SetLeader("t", 0, 1),
	})
	c, err := NewClient([]string{b.Addr()}, NewConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if topics, err := c.Topics(); err != nil || len(topics) != 1 {
		t.Errorf("%v, %v", topics, err)
	}
}

func TestMockFramesAllocateWhatComes(t *testing.T) {
	var head [4]byte
	binary.BigEndian.PutUint32(head[:], uint32(MaxRequestSize))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readMockFrame(strings.NewReader(string(head[:]) + "x"))
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; err == nil || got > 4<<20 {
		t.Errorf("%d bytes for a frame of one byte, %v", got, err)
	}
}

// TestMockBrokerClosesAfterAPanicOfItsHandler that a PanicHandler lives with.
func TestMockBrokerClosesAfterAPanicOfItsHandler(t *testing.T) {
	seen := make(chan any, 1)
	PanicHandler = func(v any) { seen <- v }
	defer func() { PanicHandler = nil }()
	b := NewMockBroker(t, 1)
	b.SetHandlerFuncByMap(map[string]requestHandlerFunc{"HeartbeatRequest": func(*mockRequest) body { panic("mistake") }})
	c := mockClient(t, b, func(conf *Config) { conf.Net.ReadTimeout = 50 * time.Millisecond })
	if _, err := c.Heartbeat(&HeartbeatRequest{}); err == nil {
		t.Error("there is an answer")
	}
	if v := <-seen; v != "mistake" {
		t.Errorf("panic of %v", v)
	}
	_ = c.Close() // before the handler is taken back
	b.Close()
}
