package fakekafka_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
	"github.com/IBM/sarama/internal/kafkalocal"
)

// script is a run of requests to one broker, and what was answered, with names
// in place of what is made at random.
type script struct {
	t     testing.TB
	addr  string
	group string
	conf  *sarama.Config
	fake  *fakekafka.Cluster // the embedded one, or nil
	asker *sarama.Broker     // a connection of which no request waits for other members
	old   bool               // the broker is before 4.0

	bubble  bool  // the cluster is in memory, and time passes when all is still
	timeout int32 // of sessions and rebalances, in milliseconds, where nothing else is said

	lines []string
	names map[string]string
}

func (s *script) say(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

// name is what the script calls a member.
func (s *script) name(id string) string {
	if id == "" {
		return "-"
	}
	if s.names[id] == "" {
		if len(id) == 22 { // of the newer protocol
			s.names[id] = fmt.Sprintf("<%d>", len(s.names)+1)
			return s.names[id]
		}
		if len(id) < 36 { // not one that a broker has made
			return id
		}
		s.names[id] = fmt.Sprintf("%s<%d>", strings.TrimRight(id[:len(id)-36], "-"), len(s.names)+1)
	}
	return s.names[id]
}

// code is the name of an error.
func code(err sarama.KError) string {
	if err == sarama.ErrNoError {
		return "ok"
	}
	return fmt.Sprintf("%d", int16(err))
}

// member is a member of a group of the classic protocol, as a test plays it.
type member struct {
	s          *script
	b          *sarama.Broker
	sent       *atomic.Int64 // requests
	label      string
	version    int16
	id         string
	instance   *string
	generation int32
	session    int32
	rebalance  int32
	kind       string
	protocols  []string // name=topics
	leader     bool
	roster     []string
	protocol   string
	reason     *string
}

func (s *script) member(label string, version int16) *member {
	b, sent := s.watchedConn()
	return &member{
		s: s, b: b, sent: sent, label: label, version: version, generation: -1, session: s.timeout, rebalance: s.timeout,
		kind: "consumer", protocols: []string{"range=t"},
	}
}

func (m *member) static(instance string) *member {
	m.instance = &instance
	return m
}

// subscription is the metadata of a consumer.
func subscription(topics ...string) []byte {
	b := []byte{0, 0, 0, 0, 0, byte(len(topics))}
	for _, t := range topics {
		b = append(append(b, 0, byte(len(t))), t...)
	}
	return append(b, 0xff, 0xff, 0xff, 0xff)
}

func (m *member) joinRequest() *sarama.JoinGroupRequest {
	req := &sarama.JoinGroupRequest{
		Version: m.version, GroupId: m.s.group, SessionTimeout: m.session, RebalanceTimeout: m.rebalance,
		MemberId: m.id, GroupInstanceId: m.instance, ProtocolType: m.kind, Reason: m.reason,
	}
	for _, p := range m.protocols {
		name, topics, _ := strings.Cut(p, "=")
		req.AddGroupProtocol(name, subscription(strings.Split(topics, ",")...))
	}
	return req
}

// start asks for a place; the answer is noted when wait is called.
func (m *member) start() (wait func() *sarama.JoinGroupResponse) {
	type answer struct {
		resp *sarama.JoinGroupResponse
		err  error
	}
	done := make(chan answer, 1)
	req, before := m.joinRequest(), m.s.taking(m.sent)
	go func() {
		resp, err := m.b.JoinGroup(req)
		done <- answer{resp, err}
	}()
	m.s.taken(m.sent, before, func() bool { return len(done) > 0 })
	return func() *sarama.JoinGroupResponse {
		m.s.t.Helper()
		var a answer
		select {
		case a = <-done:
		case <-time.After(2 * patience):
			m.s.t.Fatalf("%s: join is not answered; so far:\n%s", m.label, strings.Join(m.s.lines, "\n"))
		}
		if a.err != nil {
			m.s.say("%s join: %v", m.label, a.err)
			return nil
		}
		m.note(a.resp)
		return a.resp
	}
}

func (m *member) note(r *sarama.JoinGroupResponse) {
	if r.Err == sarama.ErrNoError || r.Err == sarama.ErrMemberIdRequired {
		m.id = r.MemberId
	}
	if r.Err == sarama.ErrNoError {
		m.generation, m.protocol = r.GenerationId, r.GroupProtocol
	}
	m.leader, m.roster = r.LeaderId == r.MemberId && r.LeaderId != "", nil
	var members []string
	slices.SortStableFunc(r.Members, func(a, b sarama.GroupMember) int { // Kafka's order is none
		return strings.Compare(a.MemberId[:min(3, len(a.MemberId))], b.MemberId[:min(3, len(b.MemberId))])
	})
	for _, o := range r.Members {
		m.roster = append(m.roster, o.MemberId)
		instance := ""
		if o.GroupInstanceId != nil {
			instance = "/" + *o.GroupInstanceId
		}
		members = append(members, fmt.Sprintf("%s%s %x", m.s.name(o.MemberId), instance, o.Metadata))
	}
	slices.Sort(members)
	kind := "null"
	if r.ProtocolType != nil {
		kind = *r.ProtocolType
	}
	m.s.say("%s join: %s generation %d type %s protocol %q leader %s member %s skip %v members %q", m.label, code(r.Err), r.GenerationId,
		kind, r.GroupProtocol, m.s.name(r.LeaderId), m.s.name(r.MemberId), r.SkipAssignment, members)
}

func (m *member) join() *sarama.JoinGroupResponse { m.s.t.Helper(); return m.start()() }

// enter joins, with the id that it is told first where it has to be.
func (m *member) enter() *sarama.JoinGroupResponse {
	m.s.t.Helper()
	r := m.join()
	if r != nil && r.Err == sarama.ErrMemberIdRequired {
		r = m.join()
	}
	return r
}

// startSync asks for the plan, and hands one in if the member leads.
func (m *member) startSync() (wait func() *sarama.SyncGroupResponse) {
	req := &sarama.SyncGroupRequest{Version: m.version, GroupId: m.s.group, GenerationId: m.generation, MemberId: m.id, GroupInstanceId: m.instance}
	req.Version = min(req.Version, 5)
	if req.Version >= 5 {
		req.ProtocolType, req.ProtocolName = &m.kind, &m.protocol
	}
	for _, id := range m.roster {
		req.AddGroupAssignment(id, []byte("plan of "+m.s.name(id)))
	}
	type answer struct {
		resp *sarama.SyncGroupResponse
		err  error
	}
	done, before := make(chan answer, 1), m.s.taking(m.sent)
	go func() {
		resp, err := m.b.SyncGroup(req)
		done <- answer{resp, err}
	}()
	m.s.taken(m.sent, before, func() bool { return len(done) > 0 })
	return func() *sarama.SyncGroupResponse {
		m.s.t.Helper()
		var a answer
		select {
		case a = <-done:
		case <-time.After(2 * patience):
			m.s.t.Fatalf("%s: sync is not answered; so far:\n%s", m.label, strings.Join(m.s.lines, "\n"))
		}
		if a.err != nil {
			m.s.say("%s sync: %v", m.label, a.err)
			return nil
		}
		null := func(s *string) string {
			if s == nil {
				return "null"
			}
			return *s
		}
		m.s.say("%s sync: %s %s %s %q", m.label, code(a.resp.Err), null(a.resp.ProtocolType), null(a.resp.ProtocolName), a.resp.MemberAssignment)
		return a.resp
	}
}

func (m *member) sync() *sarama.SyncGroupResponse { m.s.t.Helper(); return m.startSync()() }

func (m *member) beat() sarama.KError {
	m.s.t.Helper()
	r, err := m.b.Heartbeat(&sarama.HeartbeatRequest{Version: min(m.version, 4), GroupId: m.s.group, GenerationId: m.generation, MemberId: m.id, GroupInstanceId: m.instance})
	must(m.s.t, err)
	m.s.say("%s heartbeat: %s", m.label, code(r.Err))
	return r.Err
}

func (m *member) leave() {
	m.s.t.Helper()
	req := &sarama.LeaveGroupRequest{Version: min(m.version, 5), GroupId: m.s.group, MemberId: m.id}
	if req.Version >= 3 {
		req.Members = []sarama.MemberIdentity{{MemberId: m.id, GroupInstanceId: m.instance}}
	}
	m.s.noteLeave(m.label, m.b, req)
}

func (s *script) noteLeave(label string, b *sarama.Broker, req *sarama.LeaveGroupRequest) {
	s.t.Helper()
	r, err := b.LeaveGroup(req)
	must(s.t, err)
	var members []string
	for _, o := range r.Members {
		members = append(members, fmt.Sprintf("%s %s", s.name(o.MemberId), code(o.Err)))
	}
	s.say("%s leave: %s %q", label, code(r.Err), members)
}

// commit commits an offset of t/0.
func (m *member) commit(version int16, offset int64) {
	m.s.t.Helper()
	req := &sarama.OffsetCommitRequest{
		Version: version, ConsumerGroup: m.s.group, ConsumerGroupGeneration: m.generation, ConsumerID: m.id, GroupInstanceId: m.instance,
	}
	req.AddBlock("t", 0, offset, -1, "m")
	m.s.noteCommit(m.label, m.b, req)
}

func (s *script) noteCommit(label string, b *sarama.Broker, req *sarama.OffsetCommitRequest) {
	s.t.Helper()
	r, err := b.CommitOffset(req)
	if err != nil {
		s.say("%s commit v%d: %v", label, req.Version, err)
		return
	}
	s.say("%s commit: %s", label, partitionCodes(r.Errors))
}

func partitionCodes(m map[string]map[int32]sarama.KError) string {
	var list []string
	for topic, parts := range m {
		for id, err := range parts {
			if len(topic) > 10 {
				topic = "id"
			}
			list = append(list, fmt.Sprintf("%s/%d %s", topic, id, code(err)))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// fetch asks for offsets.
func (s *script) fetch(b *sarama.Broker, req *sarama.OffsetFetchRequest) {
	s.t.Helper()
	r, err := b.FetchOffset(req)
	if err != nil {
		s.say("fetch v%d: %v", req.Version, err)
		return
	}
	groups := r.Groups
	if r.Version < 8 {
		groups = []sarama.OffsetFetchResponseGroup{{GroupId: "-", Blocks: r.Blocks, Err: r.Err}}
	}
	for _, g := range groups {
		var list []string
		for topic, parts := range g.Blocks {
			for id, o := range parts {
				if len(topic) > 10 {
					topic = "id"
				}
				list = append(list, fmt.Sprintf("%s/%d: %s %d %d %q", topic, id, code(o.Err), o.Offset, o.LeaderEpoch, o.Metadata))
			}
		}
		slices.Sort(list)
		s.say("fetch v%d %s: %s", req.Version, code(g.Err), strings.Join(list, ", "))
	}
}

func (s *script) fetchAll(b *sarama.Broker) {
	s.t.Helper()
	s.fetch(b, &sarama.OffsetFetchRequest{Version: 7, ConsumerGroup: s.group})
}

// describe notes the group's state.
func (s *script) describe(b *sarama.Broker) {
	s.t.Helper()
	r, err := b.DescribeGroups(&sarama.DescribeGroupsRequest{Version: 5, Groups: []string{s.group}})
	must(s.t, err)
	for _, g := range r.Groups {
		var list []string
		for id, m := range g.Members {
			instance := "-"
			if m.GroupInstanceId != nil {
				instance = *m.GroupInstanceId
			}
			list = append(list, fmt.Sprintf("%s %s %s %x %q", s.name(id), instance, m.ClientId, m.MemberMetadata, m.MemberAssignment))
		}
		slices.Sort(list)
		s.say("group: %s %s %q %q %q", code(g.Err), g.State, g.ProtocolType, g.Protocol, list)
	}
}

// oracleProperties are the settings of a real Kafka that the scripts expect.
var oracleProperties = map[string]string{
	"num.network.threads": "1", "num.io.threads": "1", // so that requests are handled in the order in which they come
	"group.min.session.timeout.ms": "100", "group.initial.rebalance.delay.ms": "0", "group.max.size": "4",
	"offsets.topic.num.partitions": "1", "offsets.topic.replication.factor": "1", "auto.create.topics.enable": "false",
	"transaction.state.log.num.partitions": "1", "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
}

// oracleProperties4 are those that only Kafka 4 has.
var oracleProperties4 = map[string]string{
	"group.consumer.assignment.interval.ms": "0", "group.consumer.min.assignment.interval.ms": "0",
	"group.consumer.migration.policy": "disabled", "group.consumer.max.size": "4",
	"group.consumer.min.session.timeout.ms": "1000", "group.consumer.session.timeout.ms": "8000",
	"group.consumer.min.heartbeat.interval.ms": "100", "group.consumer.heartbeat.interval.ms": "500",
}

func oracleOptions(version sarama.KafkaVersion) fakekafka.Options {
	return fakekafka.Options{Version: version, Groups: fakekafka.GroupOptions{
		MaxSize: 4, SessionTimeoutMin: 100 * time.Millisecond, SessionTimeout: 8 * time.Second, HeartbeatInterval: 500 * time.Millisecond,
	}}
}

// TestCoordinatorLikeKafka sends the same requests to a real Kafka and to the
// embedded cluster, which have to answer alike.
func TestCoordinatorLikeKafka(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real Kafka, which -short leaves out")
	}
	for _, release := range []string{"4.3.1", "3.9.1"} {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			coordinatorLike(t, release)
		})
	}
}

func coordinatorLike(t *testing.T, release string) {
	var addr string
	old := strings.HasPrefix(release, "3")
	if addr = os.Getenv("KAFKA_ORACLE_" + release[:1]); addr == "" {
		if ok, why := kafkalocal.Available(); !ok {
			t.Skipf("no real Kafka here: %s", why)
		}
		o := kafkalocal.Options{Version: release, Dir: t.TempDir(), Properties: map[string]string{}}
		for k, v := range oracleProperties {
			o.Properties[k] = v
		}
		for k, v := range oracleProperties4 {
			if !old {
				o.Properties[k] = v
			}
		}
		cluster, err := kafkalocal.Start(t.Context(), o)
		must(t, err)
		t.Cleanup(func() { _ = cluster.Close() })
		addr = cluster.Addrs()[0]
	}
	version, err := sarama.ParseKafkaVersion(release)
	if err != nil {
		version = sarama.MaxVersion
	}
	fake := fakekafka.New(t, oracleOptions(version))
	conf := sarama.NewConfig()
	conf.Version, conf.ClientID, conf.MetricRegistry = version, "test", nil
	conf.Net.ReadTimeout, conf.Consumer.Group.Rebalance.Timeout = patience, longTimeout*time.Millisecond
	run := fmt.Sprint(time.Now().UnixNano() % 1e9)
	for _, b := range []string{addr, fake.Addrs()[0]} {
		prepareOracle(t, b, conf)
	}
	for _, sc := range groupScripts {
		if sc.new && old {
			continue
		}
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel() // as most wait for timeouts, each of its own group
			var got [2][]string
			t.Run("", func(t *testing.T) {
				for i, b := range []string{addr, fake.Addrs()[0]} {
					t.Run([]string{"real", "embedded"}[i], func(t *testing.T) {
						t.Parallel()
						s := &script{t: t, addr: b, group: sc.name + "-" + run, conf: conf, old: old, timeout: longTimeout, names: make(map[string]string)}
						if i == 1 {
							s.fake = fake
						}
						s.asker = s.conn()
						defer func() { got[i] = s.lines }()
						sc.run(s)
					})
				}
			})
			for i := range max(len(got[0]), len(got[1])) {
				at := func(l []string) string {
					if i < len(l) {
						return l[i]
					}
					return "(nothing)"
				}
				if at(got[0]) != at(got[1]) {
					t.Errorf("line %d: Kafka has\n\t%s\nthe embedded cluster\n\t%s", i, at(got[0]), at(got[1]))
				}
			}
			if t.Failed() || testing.Verbose() {
				t.Logf("Kafka:\n%s", strings.Join(got[0], "\n"))
			}
		})
	}
}

// prepareOracle makes the topics t and u, waits until the coordinator is there,
// and checks that it is.
func prepareOracle(t *testing.T, addr string, conf *sarama.Config) {
	t.Helper()
	b := sarama.NewBroker(addr)
	must(t, b.Open(conf))
	defer b.Close()
	_, err := b.CreateTopics(&sarama.CreateTopicsRequest{Version: 4, Timeout: patience, TopicDetails: map[string]*sarama.TopicDetail{
		"t": {NumPartitions: 2, ReplicationFactor: 1}, "u": {NumPartitions: 3, ReplicationFactor: 1},
	}})
	must(t, err)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		r, err := b.FindCoordinator(&sarama.FindCoordinatorRequest{Version: 3, CoordinatorKey: "g"})
		must(t, err)
		f, err := b.FetchOffset(&sarama.OffsetFetchRequest{Version: 7, ConsumerGroup: "g"})
		must(t, err)
		if r.Err == sarama.ErrNoError && f.Err == sarama.ErrNoError {
			return
		}
	}
	t.Fatal("no coordinator")
}
