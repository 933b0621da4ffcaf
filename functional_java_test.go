package sarama_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/kafkalocal"
)

// Members of Kafka's own client, in processes of their own, share groups with
// members of this one. Who owns what is asked of the coordinator, at points
// where nobody comes or goes; who leads the group is seen by who makes its
// plans. What the console consumer prints is what it has processed: it commits
// on its next poll, an interval later, or when it is closed, and so after it has
// printed.

const (
	javaAssignorPrefix = "org.apache.kafka.clients.consumer."
	javaLogger         = "org.apache.kafka.clients.consumer.internals"
	javaPlanLine       = "Finished assignment for group at generation"
)

// mixedGroup is a group with members of both clients.
type mixedGroup struct {
	t      *testing.T
	site   *site
	kind   groupKind
	topic  string
	name   string
	ledger *groupLedger // of what both have processed, and who of Go owns what
	client sarama.Client
	ids    map[string]string // the instance ids of static members, nil for none

	mu      sync.Mutex
	planner string // who made the last plan
	plans   int
	printed map[topicPartition]map[int64][]printedBy
}

// printedBy is a message printed by a Java member.
type printedBy struct {
	by    string
	later bool // it had been processed before
}

func newMixedGroup(t *testing.T, s *site, kind groupKind) *mixedGroup {
	l := newGroupLedger(t)
	l.processing = 200 * time.Microsecond
	return &mixedGroup{
		t: t, site: s, kind: kind, topic: s.topic(t, stormPartitions, nil), name: s.group(t), ledger: l, client: s.client(t, nil),
		ids: make(map[string]string), printed: make(map[topicPartition]map[int64][]printedBy),
	}
}

func (g *mixedGroup) planned(by string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.planner = by
	g.plans++
}

func (g *mixedGroup) planCount() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.plans
}

// leader is the one of these that leads the group, or the first of them.
func (g *mixedGroup) leader(of ...*groupRunner) *groupRunner {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range of {
		if r.name == g.planner {
			return r
		}
	}
	return of[0]
}

// watchedPlans is a strategy that tells of each plan that is made with it.
type watchedPlans struct {
	sarama.BalanceStrategy
	planned func()
}

func (w watchedPlans) Plan(members map[string]sarama.ConsumerGroupMemberMetadata, topics map[string][]int32) (sarama.BalanceStrategyPlan, error) {
	w.planned()
	return w.BalanceStrategy.Plan(members, topics)
}

// cooperativeStrategy is what the one of this package is besides.
type cooperativeStrategy interface {
	sarama.RebalanceProtocolBalanceStrategy
	sarama.SubscriptionUserDataBalanceStrategy
	sarama.OnAssignmentBalanceStrategy
}

type watchedCooperativePlans struct {
	cooperativeStrategy
	watched watchedPlans
}

func (w watchedCooperativePlans) Plan(members map[string]sarama.ConsumerGroupMemberMetadata, topics map[string][]int32) (sarama.BalanceStrategyPlan, error) {
	return w.watched.Plan(members, topics)
}

// startGo has a member of this client join.
func (g *mixedGroup) startGo(name string) *groupRunner {
	g.t.Helper()
	conf := g.site.groupConfig(g.kind)
	conf.ClientID, conf.Consumer.Group.InstanceId = name, g.ids[name]
	if g.kind.strategy != nil {
		strategy := g.kind.strategy()
		w := watchedPlans{strategy, func() { g.planned(name) }}
		conf.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{w}
		if c, ok := strategy.(cooperativeStrategy); ok {
			conf.Consumer.Group.Rebalance.GroupStrategies[0] = watchedCooperativePlans{c, w}
		}
	}
	if g.ids[name] != "" {
		conf.Consumer.Group.Session.Timeout = 30 * time.Second
	}
	return startMember(g.t, g.ledger, name, g.name, g.site.addrs, conf, g.topic)
}

// javaMember is a console consumer.
type javaMember struct {
	g    *mixedGroup
	name string
	tool *kafkalocal.RunningTool
	log  lineWriter // what it wrote to standard error
}

// startJava has a member of Kafka's client join. It returns at once.
func (g *mixedGroup) startJava(name string, session time.Duration) *javaMember {
	g.t.Helper()
	m := &javaMember{g: g, name: name}
	args := []string{
		"--bootstrap-server", g.site.addrs[0], "--group", g.name, "--topic", g.topic, "--from-beginning",
		"--formatter-property", "print.partition=true", "--formatter-property", "print.offset=true",
	}
	settings := map[string]string{"client.id": name, "auto.commit.interval.ms": "500"}
	if g.kind.strategy == nil {
		settings["group.protocol"], settings["group.remote.assignor"] = "consumer", g.kind.assignor
	} else {
		settings["group.protocol"], settings["heartbeat.interval.ms"] = "classic", "200"
		settings["partition.assignment.strategy"] = javaAssignorPrefix + g.kind.assignor
		settings["session.timeout.ms"] = strconv.FormatInt(session.Milliseconds(), 10)
	}
	if id := g.ids[name]; id != "" {
		settings["group.instance.id"] = id
	}
	for k, v := range settings {
		args = append(args, "--command-property", k+"="+v)
	}
	m.log.line = func(line string) {
		if strings.Contains(line, javaPlanLine) {
			g.planned(name)
		}
	}
	tool, err := kafkalocal.StartTool(g.t.Context(), g.site.real.Version(), kafkalocal.ToolOptions{
		Class: "org.apache.kafka.tools.consumer.ConsoleConsumer", Args: args,
		JVMArgs: []string{"-Dorg.slf4j.simpleLogger.log." + javaLogger + "=info"},
		Stdout:  &lineWriter{line: m.read}, Stderr: &m.log,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	m.tool = tool
	g.t.Cleanup(func() {
		m.kill()
		if g.t.Failed() {
			g.t.Logf("%s wrote:\n%s", name, m.log.text())
		}
	})
	return m
}

// lineWriter cuts what is written to it into lines. One that is not ended is
// not told.
type lineWriter struct {
	line func(string)

	mu   sync.Mutex
	all  bytes.Buffer
	told int // bytes of all
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(b)
	for {
		rest := w.all.Bytes()[w.told:]
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			return len(b), nil
		}
		w.told += end + 1
		w.line(string(rest[:end]))
	}
}

func (w *lineWriter) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}

// awaitLog waits until the member has logged something.
func (m *javaMember) awaitLog(text string) {
	m.g.t.Helper()
	m.g.ledger.await(m.name+" to log "+text, func() error {
		if !strings.Contains(m.log.text(), text) {
			return errors.New("it has not")
		}
		return nil
	})
}

// read takes a line such as "Partition:3\tOffset:17\tvalue".
func (m *javaMember) read(line string) {
	var partition int32
	var offset int64
	if _, err := fmt.Sscanf(line, "Partition:%d\tOffset:%d\t", &partition, &offset); err != nil {
		m.g.t.Errorf("%s printed %q: %v", m.name, line, err)
		return
	}
	at := topicPartition{m.g.topic, partition}
	later := m.g.ledger.has(at, offset)
	m.g.mu.Lock()
	if m.g.printed[at] == nil {
		m.g.printed[at] = make(map[int64][]printedBy)
	}
	m.g.printed[at][offset] = append(m.g.printed[at][offset], printedBy{m.name, later})
	m.g.mu.Unlock()
	m.g.ledger.process(&sarama.ConsumerMessage{Topic: m.g.topic, Partition: partition, Offset: offset})
}

// stop has the member leave in order, and wants it to end by itself.
func (m *javaMember) stop(by syscall.Signal) {
	m.g.t.Helper()
	if err := m.tool.Signal(by); err != nil {
		m.g.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(m.g.t.Context(), time.Minute)
	defer cancel()
	exit := new(exec.ExitError)
	if err := m.tool.Wait(ctx); !errors.As(err, &exit) || exit.ExitCode() != 128+int(by) {
		m.g.t.Errorf("%s ended with %v after %v", m.name, err, by)
	}
}

// kill ends it without a word. All that it printed has been read then.
func (m *javaMember) kill() {
	_ = m.tool.Signal(os.Kill)
	<-m.tool.Done()
}

// described is a group as its coordinator sees it.
type described struct {
	state  string
	shares map[string][]int32 // by client id
}

// describe asks the coordinator.
func (g *mixedGroup) describe() (*described, error) {
	b, err := g.client.Coordinator(g.name)
	if err != nil {
		return nil, err
	}
	d := &described{shares: make(map[string][]int32)}
	if g.kind.strategy == nil {
		return d, g.describeNewer(b, d)
	}
	resp, err := b.DescribeGroups(&sarama.DescribeGroupsRequest{Version: 5, Groups: []string{g.name}})
	if err != nil {
		return nil, err
	}
	if resp.Groups[0].Err != sarama.ErrNoError {
		return nil, resp.Groups[0].Err
	}
	d.state = resp.Groups[0].State
	for _, m := range resp.Groups[0].Members {
		if id := g.ids[m.ClientId]; id != "" && (m.GroupInstanceId == nil || *m.GroupInstanceId != id) {
			g.t.Errorf("%s has instance id %v, want %s", m.ClientId, m.GroupInstanceId, id)
		}
		if len(m.MemberAssignment) == 0 { // the plan is being made
			d.shares[m.ClientId] = nil
			continue
		}
		share, err := m.GetMemberAssignment()
		if err != nil {
			return nil, err
		}
		d.shares[m.ClientId] = slices.Sorted(slices.Values(share.Topics[g.topic]))
	}
	return d, nil
}

func (g *mixedGroup) describeNewer(b *sarama.Broker, d *described) error {
	resp, err := b.ConsumerGroupDescribe(&sarama.ConsumerGroupDescribeRequest{Version: 1, GroupIDs: []string{g.name}})
	if err != nil {
		return err
	}
	if code := resp.Groups[0].ErrorCode; code != sarama.ErrNoError {
		return code
	}
	d.state = resp.Groups[0].GroupState
	for _, m := range resp.Groups[0].Members {
		d.shares[m.ClientID] = nil
		for _, share := range m.Assignment.TopicPartitions {
			if share.TopicName == g.topic {
				d.shares[m.ClientID] = append(d.shares[m.ClientID], share.Partitions...)
			}
		}
		slices.Sort(d.shares[m.ClientID])
	}
	return nil
}

// wrong is why this is not yet what members with these names come to: each has
// a fair share, and what Go's members consume is what the coordinator thinks.
func (g *mixedGroup) wrong(d *described, names []string) error {
	if d.state != "Stable" {
		return fmt.Errorf("the group is %s", d.state)
	}
	if have := slices.Sorted(maps.Keys(d.shares)); !slices.Equal(have, slices.Sorted(slices.Values(names))) {
		return fmt.Errorf("the members are %v", have)
	}
	total, owned := 0, make(map[string]bool)
	for name, share := range d.shares {
		total += len(share)
		if n := len(share); n < stormPartitions/len(names) || n > (stormPartitions-1)/len(names)+1 {
			return fmt.Errorf("%s has %v", name, share)
		}
		if !strings.HasPrefix(name, "go-") {
			continue
		}
		owned[name] = true
		want := make([]string, len(share))
		for i, p := range share {
			want[i] = fmt.Sprint(topicPartition{g.topic, p})
		}
		slices.Sort(want)
		if have := g.ledger.partitionsOf(name); !slices.Equal(have, want) {
			return fmt.Errorf("%s consumes %v, the coordinator says %v", name, have, want)
		}
	}
	if total != stormPartitions {
		return fmt.Errorf("%d partitions are assigned: %v", total, d.shares)
	}
	for name := range g.ledger.owned() {
		if !owned[name] {
			return fmt.Errorf("%s still consumes", name)
		}
	}
	return nil
}

// settle waits until the group has exactly these members, led by one whose name
// begins so, and checks what they have and what is committed.
func (g *mixedGroup) settle(leader string, names ...string) map[string][]int32 {
	g.t.Helper()
	var d *described
	g.ledger.await(fmt.Sprintf("%v, led by %q", names, leader), func() (err error) {
		if d, err = g.describe(); err != nil {
			return err
		}
		g.checkSingleOwners(d)
		if err := g.wrong(d, names); err != nil {
			return err
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if !strings.HasPrefix(g.planner, leader) {
			return fmt.Errorf("the last plan is by %s", g.planner)
		}
		return nil
	})
	g.checkStored()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.t.Logf("%d messages, plan %d by %q: %v", g.ledger.total(), g.plans, g.planner, d.shares)
	return d.shares
}

// checkSingleOwners wants no partition twice, which none may have however soon
// the group has been described.
func (g *mixedGroup) checkSingleOwners(d *described) {
	g.t.Helper()
	owner := make(map[int32]string)
	for name, share := range d.shares {
		for _, p := range share {
			if other, taken := owner[p]; taken {
				g.t.Fatalf("partition %d is %s's and %s's in a group that is %s", p, name, other, d.state)
			}
			owner[p] = name
		}
	}
}

// checkStored wants all below a stored offset to have been processed. What a
// Java member has printed before it committed may still be on its way here.
func (g *mixedGroup) checkStored() {
	g.t.Helper()
	stored := g.site.storedOffsets(g.t, g.name, g.topic)
	g.ledger.await("what is committed to have been processed", func() error {
		for p, end := range stored {
			if _, missing := g.ledger.processedBelow(g.topic, p, end); missing {
				return fmt.Errorf("%s/%d: offset %d is stored, but not all below it was processed", g.topic, p, end)
			}
		}
		return nil
	})
}

// checkTwice wants no message to have been processed more than once, but for
// what a Java member had that was killed. Members of Java alone may also do so
// in a cooperative rebalance: they go on while it lasts, and give up partitions
// without committing what they printed since it began.
func (g *mixedGroup) checkTwice(killed string) {
	g.t.Helper()
	g.ledger.mu.Lock()
	defer g.ledger.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	all, goOnly, unexplained := 0, 0, 0
	by := make(map[topicPartition]map[string]int)
	for at, offsets := range g.ledger.processed {
		by[at] = make(map[string]int)
		for offset, n := range offsets {
			if n < 2 {
				continue
			}
			all++
			prints := g.printed[at][offset]
			if len(prints) == 0 {
				goOnly++
			}
			if killed == "" || !slices.ContainsFunc(prints, func(p printedBy) bool { return p.by == killed }) {
				unexplained++
				by[at][fmt.Sprint(prints)]++
			}
		}
	}
	g.t.Logf("%d of %d messages were processed twice: %d by Go's members only, %d not by a member that was killed", all, g.ledger.count, goOnly, unexplained)
	if cooperative := g.kind.name == sarama.CooperativeStickyBalanceStrategyName; goOnly > 0 || unexplained > 0 && !cooperative {
		g.t.Errorf("messages were processed twice without need; who of Java's printed them, and whether after others: %v", by)
	}
}

// produceMeanwhile sends messages until stop is called, which tells how many.
func (g *mixedGroup) produceMeanwhile() (stop func() int) {
	ctx, cancel := context.WithCancel(g.t.Context())
	n, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		n = g.site.produceSteadily(ctx, g.t, g.topic)
	}()
	stop = func() int {
		cancel()
		<-done
		return n
	}
	g.t.Cleanup(func() { stop() })
	return stop
}

// TestFunctionalJavaInTheSameGroup has members of both clients come and go.
func TestFunctionalJavaInTheSameGroup(t *testing.T) {
	t.Parallel()
	// One broker, as each message is copied to all.
	s := startKafka(t, "4.3.1", 1, map[string]string{"group.consumer.session.timeout.ms": "5000"})
	for _, kind := range []groupKind{
		{"range", sarama.NewBalanceStrategyRange, "RangeAssignor"},
		{"cooperative-sticky", sarama.NewBalanceStrategyCooperativeSticky, "CooperativeStickyAssignor"},
		{"consumer", nil, "uniform"},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			comeAndGo(t, newMixedGroup(t, s, kind))
		})
	}
	for _, first := range []string{"java", "go"} {
		t.Run("static members, led by "+first, func(t *testing.T) {
			t.Parallel()
			g := newMixedGroup(t, s, groupKind{"range", sarama.NewBalanceStrategyRange, "RangeAssignor"})
			g.ids = map[string]string{"go-a": "c", "java-b": "b", "go-c": "a"}
			staticComeBack(t, g, first == "java")
		})
	}
}

// comeAndGo has Java lead, then Go, then Java, then Go, as far as there is a
// leader.
func comeAndGo(t *testing.T, g *mixedGroup) {
	leader := func(name string) string {
		if g.kind.strategy == nil {
			return ""
		}
		return name
	}
	stop := g.produceMeanwhile()
	java1 := g.startJava("java-1", 6*time.Second)
	g.settle(leader("java-1"), "java-1")
	go1 := g.startGo("go-1")
	g.settle(leader("java-1"), "java-1", "go-1")
	go2 := g.startGo("go-2")
	g.settle(leader("java-1"), "java-1", "go-1", "go-2")
	java1.stop(syscall.SIGTERM)
	g.settle(leader("go-"), "go-1", "go-2")

	java2, java3 := g.startJava("java-2", 3*time.Second), g.startJava("java-3", 6*time.Second)
	g.settle(leader("go-"), "go-1", "go-2", "java-2", "java-3")
	g.checkTwice("java-2") // whose session is short, on a machine that may be slow
	java2.kill()
	g.settle(leader("go-"), "go-1", "go-2", "java-3")
	leads := g.leader(go1, go2)
	if leads == go1 { // whoever leaves: without its leader, the group may choose any
		go2.stop()
	} else {
		go1.stop()
	}
	g.settle(leader(leads.name), leads.name, "java-3")
	leads.stop()
	g.settle(leader("java-3"), "java-3")
	go3 := g.startGo("go-3")
	g.settle(leader("java-3"), "java-3", "go-3")
	java3.stop(syscall.SIGINT)
	g.settle(leader("go-3"), "go-3")

	n := stop()
	g.ledger.awaitCount(n)
	go3.stop()
	g.site.checkCommits(t, g.ledger, g.name, g.topic, true)
	g.checkTwice("java-2")
}

// staticComeBack has static members end and come back, the leader too, and
// wants each to have what it had, without a plan being made anew.
func staticComeBack(t *testing.T, g *mixedGroup, javaLeads bool) {
	stop := g.produceMeanwhile()
	var java *javaMember
	var goA *groupRunner
	leader := "go-a"
	if javaLeads {
		leader = "java-b"
		java = g.startJava("java-b", 30*time.Second)
		g.settle(leader, "java-b")
		goA = g.startGo("go-a")
	} else {
		goA = g.startGo("go-a")
		g.settle(leader, "go-a")
		java = g.startJava("java-b", 30*time.Second)
	}
	g.settle(leader, "go-a", "java-b")
	goC := g.startGo("go-c")
	had := g.settle(leader, "go-a", "java-b", "go-c")
	want := map[string][]int32{"go-c": {0, 1, 2, 3}, "java-b": {4, 5, 6, 7}, "go-a": {8, 9, 10, 11}} // in the order of the instance ids
	if !maps.EqualFunc(had, want, slices.Equal) {
		t.Errorf("the shares are %v, want %v", had, want)
	}
	plans := g.planCount()
	returned := func() {
		t.Helper()
		if have := g.settle(leader, "go-a", "java-b", "go-c"); !maps.EqualFunc(have, had, slices.Equal) {
			t.Errorf("the shares are %v, were %v", have, had)
		}
	}
	goA.stop()
	goA = g.startGo("go-a")
	returned()
	if javaLeads { // else it is spared, as it takes seconds
		java.stop(syscall.SIGTERM)
		java = g.startJava("java-b", 30*time.Second)
		java.awaitLog("Successfully synced group")
		returned()
	}
	goC.stop()
	goC = g.startGo("go-c")
	returned()
	if n := g.planCount(); n != plans {
		t.Errorf("%d plans were made for static members that came back", n-plans)
	}
	n := stop()
	g.ledger.awaitCount(n)
	java.stop(syscall.SIGTERM)
	goA.stop()
	goC.stop()
	g.site.checkCommits(t, g.ledger, g.name, g.topic, true)
	g.checkTwice("")
}
