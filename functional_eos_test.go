//go:build unix

package sarama_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

const eosPartitions = 12

// eosRun is one run of the test below.
type eosRun struct {
	name    string
	version sarama.KafkaVersion // before 4.0 transactions are explicit, as with transaction.version 1
	kind    groupKind
}

// TestFunctionalExactlyOnce copies a topic with two Pipelines, each a process of
// its own, which are killed with -9 and started again, and halted for as long
// as it takes others to replace them. Who reads committed messages then sees
// the input, once and in order. SARAMA_CHAOS_MESSAGES asks for ten of each
// trouble in each run.
func TestFunctionalExactlyOnce(t *testing.T) {
	_, full := chaosMessages(t)
	runs := []eosRun{
		{"newer protocol, implicit transactions", sarama.MaxVersion, groupKinds[4]},
		{"cooperative-sticky, explicit transactions", sarama.V3_9_0_0, groupKinds[3]},
		{"range, implicit transactions", sarama.MaxVersion, groupKinds[0]},
	}
	times := 10
	if !full {
		runs, times = runs[:1], 1
	}
	s := sharedKafka(t)
	for _, run := range runs {
		t.Run(run.name, func(t *testing.T) { s.exactlyOnce(t, run, times) })
	}
	if full {
		t.Run("Kafka 3.9.1", func(t *testing.T) {
			startKafka(t, "3.9.1", 3, nil).exactlyOnce(t, eosRun{"", sarama.V3_9_0_0, groupKinds[3]}, times)
		})
	}
}

// exactlyOnce makes as many kills and zombies as it is told.
func (s *site) exactlyOnce(t *testing.T, run eosRun, times int) {
	begun := time.Now()
	insync := map[string]string{"min.insync.replicas": "2"}
	job := eosJob{
		Addrs: s.addrs, Group: s.group(t), In: s.topic(t, eosPartitions, insync), Out: s.topic(t, eosPartitions, insync),
		Version: run.version.String(), Newer: run.kind.strategy == nil, Assignor: run.kind.assignor, Strategy: run.kind.name,
	}
	if job.Newer {
		s.shortSession(t, job.Group, 3*time.Second)
	}
	over := make(chan struct{})
	var sent []int
	var input sync.WaitGroup
	input.Go(func() { sent = s.eosInput(t, job.In, over) })
	members := []*eosProcess{job.start(t, "a"), job.start(t, "b")}
	for _, m := range members {
		m.await("batch", 0)
	}
	fenced := make(map[string]int)
	for i := range times {
		m := members[i%2]
		time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
		t.Logf("%v: kill -9 of %s", time.Since(begun).Round(time.Second), m.name)
		m.signal(syscall.SIGKILL)
		<-m.done
		members[i%2] = job.start(t, m.name)
		members[i%2].await("batch", 0)

		at := rand.IntN(2)
		m = members[at]
		if i%2 == 0 { // the other member takes over what it has
			m.hold()
			m.signal(syscall.SIGSTOP)
			time.Sleep(9 * time.Second) // longer than session and transaction last
			from := m.lines()
			m.signal(syscall.SIGCONT)
			line := m.await("fenced by", from)
			t.Logf("%v: zombie %s, replaced by the other member: %s", time.Since(begun).Round(time.Second), m.name, line)
			fenced[fencedBy(line)]++
			if strings.Contains(line, "ended:") { // the coordinator had aborted what was open
				<-m.done
				members[at] = job.start(t, m.name)
			}
		} else { // a successor has its transactional id
			if rand.IntN(2) == 0 {
				m.hold()
			}
			m.signal(syscall.SIGSTOP)
			members[at] = job.start(t, m.name)
			members[at].await("made", 0)
			time.Sleep(time.Duration(rand.IntN(5000)) * time.Millisecond)
			from := m.lines()
			m.signal(syscall.SIGCONT)
			line := m.await("ended:", from)
			t.Logf("%v: zombie %s, replaced by a successor: %s", time.Since(begun).Round(time.Second), m.name, line)
			if !strings.Contains(line, "ErrProducerFenced") {
				t.Errorf("the zombie was not fenced as a producer: %s", line)
			}
			fenced[fencedBy(line)]++
			<-m.done
		}
		members[at].await("batch", members[at].lines())
	}
	close(over)
	input.Wait()
	total := s.checkExactlyOnce(t, job.Out, sent)
	for _, m := range members {
		m.stop()
	}
	t.Logf("%d kills, %d zombies, fenced by %v: %d messages are there once and in order, none is lost; %v", times, times, fenced, total, time.Since(begun).Round(time.Second))
}

// eosInput sends numbers to each partition until it is over, and returns how
// many.
func (s *site) eosInput(t *testing.T, topic string, over <-chan struct{}) []int {
	conf := s.config()
	conf.Producer.Partitioner, conf.Producer.Idempotent = sarama.NewManualPartitioner, true
	p, err := sarama.NewSyncProducer(s.addrs, conf)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer p.Close()
	sent := make([]int, eosPartitions)
	for !isDone(over) {
		var msgs []*sarama.ProducerMessage
		for range 40 {
			id := rand.IntN(eosPartitions)
			msgs = append(msgs, &sarama.ProducerMessage{Topic: topic, Partition: int32(id), Value: sarama.StringEncoder(strconv.Itoa(sent[id]))})
			sent[id]++
		}
		if err := p.SendMessages(msgs); err != nil {
			t.Errorf("input: %v", err)
			return sent
		}
		time.Sleep(20 * time.Millisecond)
	}
	return sent
}

// checkExactlyOnce reads what was committed, and returns how much that is.
func (s *site) checkExactlyOnce(t *testing.T, topic string, want []int) (total int) {
	t.Helper()
	conf := s.config()
	conf.Consumer.IsolationLevel = sarama.ReadCommitted
	consumer, err := sarama.NewConsumerFromClient(s.client(t, conf))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	var readers sync.WaitGroup
	var sum atomic.Int64
	for id, n := range want {
		readers.Go(func() {
			got, err := readCommitted(consumer, topic, int32(id), n)
			if err == nil {
				err = inOrder(got, n)
			}
			if err != nil {
				t.Errorf("output of partition %d: %v", id, err)
			}
			sum.Add(int64(len(got)))
		})
	}
	readers.Wait()
	return int(sum.Load())
}

// eosProcess is a process that runs a Pipeline, see TestPipelineProcess.
type eosProcess struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed when it has ended

	mu     sync.Mutex
	output []string
}

// start starts one.
func (j eosJob) start(t *testing.T, name string) *eosProcess {
	t.Helper()
	j.TransactionalID = j.Group + "-" + name
	env, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	m := &eosProcess{t: t, name: name, done: make(chan struct{})}
	m.cmd = exec.Command(os.Args[0], "-test.run=^TestPipelineProcess$", "-test.timeout=0")
	m.cmd.Env = append(os.Environ(), eosJobVariable+"="+string(env))
	if m.stdin, err = m.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	m.cmd.Stderr = m.cmd.Stdout
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = m.cmd.Process.Kill()
		<-m.done
		if t.Failed() {
			lines := m.since(0)
			t.Logf("the last lines of %s:\n%s", m.name, strings.Join(lines[max(0, len(lines)-20):], "\n"))
		}
	})
	go func() {
		defer close(m.done)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			m.mu.Lock()
			m.output = append(m.output, lines.Text())
			m.mu.Unlock()
		}
		_ = m.cmd.Wait()
	}()
	return m
}

func (m *eosProcess) lines() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.output)
}

func (m *eosProcess) since(from int) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.output[from:]...)
}

// await waits for a line that has a text.
func (m *eosProcess) await(text string, from int) (found string) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("%q from %s", text, m.name), func() error {
		ended := isDone(m.done)
		for _, line := range m.since(from) {
			if strings.Contains(line, text) {
				found = line
				return nil
			}
		}
		if ended {
			m.t.Fatalf("%s has ended without %q: %v", m.name, text, m.since(max(0, m.lines()-10)))
		}
		return errors.New("it has not come")
	})
	return found
}

// hold has the process be in the middle of a batch for half a second.
func (m *eosProcess) hold() {
	m.t.Helper()
	from := m.lines()
	if _, err := io.WriteString(m.stdin, "hold\n"); err != nil {
		m.t.Fatal(err)
	}
	m.await("holding", from)
}

func (m *eosProcess) signal(sig syscall.Signal) {
	m.t.Helper()
	if err := m.cmd.Process.Signal(sig); err != nil {
		m.t.Errorf("%v for %s: %v", sig, m.name, err)
	}
}

// stop has the process end in order.
func (m *eosProcess) stop() {
	m.t.Helper()
	_ = m.stdin.Close()
	returnsWithin(m.t, "the end of "+m.name, func() { <-m.done })
	if code := m.cmd.ProcessState.ExitCode(); code != 0 {
		m.t.Errorf("%s has ended with code %d", m.name, code)
	}
}

// eosFences are the errors by which one may learn that it was replaced.
var eosFences = []struct {
	name string
	err  error
}{
	{"ErrProducerFenced", sarama.ErrProducerFenced},
	{"ErrInvalidProducerEpoch", sarama.ErrInvalidProducerEpoch},
	{"ErrUnknownMemberId", sarama.ErrUnknownMemberId},
	{"ErrIllegalGeneration", sarama.ErrIllegalGeneration},
	{"ErrFencedMemberEpoch", sarama.ErrFencedMemberEpoch},
	{"ErrStaleMemberEpoch", sarama.ErrStaleMemberEpoch},
}

// fencedBy is the name in a line of a process.
func fencedBy(line string) string {
	_, rest, _ := strings.Cut(line, "fenced by ")
	name, _, _ := strings.Cut(rest, ":")
	return name
}

// eosJob is what a process is to do, in the variable eosJobVariable.
type eosJob struct {
	Addrs                           []string
	Group, In, Out, TransactionalID string
	Version, Strategy, Assignor     string
	Newer                           bool
}

const eosJobVariable = "SARAMA_PIPELINE_PROCESS"

// TestPipelineProcess is the program of the test above: a Pipeline that copies a
// topic. It writes a line for each batch and each error, and ends with its
// standard input.
func TestPipelineProcess(t *testing.T) {
	text := os.Getenv(eosJobVariable)
	if text == "" {
		t.Skip("is run by TestFunctionalExactlyOnce")
	}
	var job eosJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var hold atomic.Bool
	go func() {
		defer cancel()
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			hold.Store(true)
		}
	}()
	say := func(kind string, err error) {
		for _, f := range eosFences {
			if errors.Is(err, f.err) {
				kind += " fenced by " + f.name + ":"
				break
			}
		}
		fmt.Println(kind, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	conf, err := job.config()
	if err != nil {
		t.Fatal(err)
	}
	p, err := sarama.NewPipeline(job.Addrs, job.Group, conf, sarama.PipelineOptions{
		BatchMaxWait: 20 * time.Millisecond, OnError: func(err error) { say("again:", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("made")
	err = p.Run(ctx, []string{job.In}, func(_ context.Context, batch []*sarama.ConsumerMessage) (out []*sarama.ProducerMessage, _ error) {
		fmt.Println("batch")
		if hold.Swap(false) {
			fmt.Println("holding")
			time.Sleep(500 * time.Millisecond)
		}
		for _, m := range batch {
			out = append(out, &sarama.ProducerMessage{Topic: job.Out, Partition: m.Partition, Value: sarama.ByteEncoder(m.Value)})
		}
		return out, nil
	})
	closed := p.Close()
	say("ended:", err)
	if !errors.Is(err, context.Canceled) || closed != nil {
		t.Errorf("Run: %v, Close: %v", err, closed)
	}
}

func (j eosJob) config() (*sarama.Config, error) {
	conf := clusterConfig()
	var err error
	if conf.Version, err = sarama.ParseKafkaVersion(j.Version); err != nil {
		return nil, err
	}
	conf.Metadata.Retry.Max, conf.Metadata.Retry.Backoff = 40, 50*time.Millisecond
	conf.Producer.Retry.Max, conf.Producer.Retry.Backoff = 40, 50*time.Millisecond
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	conf.Producer.Transaction.ID, conf.Producer.Transaction.Timeout = j.TransactionalID, 5*time.Second
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	conf.Consumer.Group.Session.Timeout, conf.Consumer.Group.Heartbeat.Interval = 3*time.Second, 200*time.Millisecond
	conf.Consumer.Group.Rebalance.Timeout, conf.Consumer.Group.Rebalance.Retry.Backoff = 5*time.Second, 200*time.Millisecond
	if j.Newer {
		conf.Consumer.Group.Protocol, conf.Consumer.Group.ServerAssignor = sarama.ConsumerGroupProtocolConsumer, j.Assignor
		return conf, nil
	}
	for _, kind := range groupKinds {
		if kind.name == j.Strategy {
			conf.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{kind.strategy()}
		}
	}
	return conf, nil
}
