package kafkalocal

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// dyingStarter makes a test binary start a broker, print its address and wait to
// be killed.
const dyingStarter = "KAFKALOCAL_TEST_DYING_STARTER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(dyingStarter); dir != "" {
		c, err := Start(context.Background(), Options{Dir: dir})
		if err != nil {
			os.Stdout.WriteString(err.Error())
			os.Exit(1)
		}
		os.Stdout.WriteString(c.Addrs()[0] + "\n")
		select {}
	}
	// More than there are processors, as brokers also wait.
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		_ = flag.Set("test.parallel", "4")
	}
	goleak.VerifyTestMain(m)
}

// startCluster skips the test where no broker can run.
func startCluster(t *testing.T, o Options) *Cluster {
	t.Helper()
	skipWithoutKafka(t)
	o.Dir = t.TempDir()
	c, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func skipWithoutKafka(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real Kafka, which -short leaves out")
	}
	if ok, why := Available(); !ok {
		t.Skipf("no real Kafka here: %s", why)
	}
}

// await polls until the condition holds; the test binary's own limit ends it.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for !holds() {
		select {
		case <-t.Context().Done():
			t.Fatalf("gave up waiting until %s", what)
		case <-time.After(probeEvery):
		}
	}
}

func noErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func topics(t *testing.T, c *Cluster, args ...string) string {
	t.Helper()
	args = append([]string{"--bootstrap-server", c.Addrs()[0]}, args...)
	class := "org.apache.kafka.tools.TopicCommand"
	if needsZooKeeper(c.Version()) {
		class = "kafka.admin.TopicCommand"
	}
	out, err := c.Tool(t.Context(), class, nil, args...)
	noErr(t, err)
	return string(out)
}

func TestBrokerKeepsAddressAndDataOverRestart(t *testing.T) {
	for _, version := range []string{DefaultVersion, "3.9.1", "2.8.2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, Options{Version: version})
			addr := c.Addrs()[0]
			topics(t, c, "--create", "--topic", "kept", "--partitions", "2")
			noErr(t, c.Stop(t.Context(), 0))
			if err := probe(t.Context(), addr, nil); err == nil {
				t.Fatal("a stopped broker answers")
			}
			if err := c.Kill(0); err == nil {
				t.Error("Kill of a stopped broker is no error")
			}
			noErr(t, c.Restart(t.Context(), 0))
			if got := c.Addrs()[0]; got != addr {
				t.Errorf("address %s after the restart, %s before", got, addr)
			}
			if out := topics(t, c, "--list"); strings.TrimSpace(out) != "kept" {
				t.Errorf("topics after the restart: %q", out)
			}
			noErr(t, c.Close())
			if _, err := os.Stat(c.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("after Close the data is still there: %v", err)
			}
			if err := c.Restart(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "closed") {
				t.Errorf("Restart after Close: %v", err)
			}
		})
	}
}

func TestClusterOutlivesKilledAndPausedBroker(t *testing.T) {
	t.Parallel()
	c := startCluster(t, Options{Brokers: 3, Properties: map[string]string{
		"broker.heartbeat.interval.ms": "300",
		"broker.session.timeout.ms":    "5000",
	}})
	addrs := c.Addrs()
	noErr(t, c.Kill(2))
	if _, err := net.Dial("tcp", addrs[2]); err == nil {
		t.Error("a killed broker takes connections")
	}
	await(t, "the others have noticed", func() bool {
		return probe(t.Context(), addrs[0], c.nodes) != nil && probe(t.Context(), addrs[0], c.nodes[:2]) == nil
	})
	noErr(t, c.Restart(t.Context(), 2))
	for _, addr := range addrs {
		if err := probe(t.Context(), addr, c.nodes); err != nil {
			t.Errorf("%s after the restart: %v", addr, err)
		}
	}

	noErr(t, c.Pause(2))
	conn, err := net.Dial("tcp", addrs[2])
	noErr(t, err)
	defer conn.Close()
	noErr(t, conn.SetDeadline(time.Now().Add(time.Second)))
	if _, err := ask(conn, keyApiVersions, 0, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a paused broker should accept and stay silent, got %v", err)
	}
	noErr(t, c.Resume(2))
	await(t, "the broker is back", func() bool { return probe(t.Context(), addrs[2], c.nodes) == nil })

	// Restart of a paused broker needs no Resume first.
	noErr(t, c.Pause(2))
	noErr(t, c.Restart(t.Context(), 2))
}

func TestOldBrokersMeetAtAZooKeeper(t *testing.T) {
	t.Parallel()
	c := startCluster(t, Options{Brokers: 2, Version: "2.8.2"})
	noErr(t, c.Kill(1))
	noErr(t, c.Restart(t.Context(), 1))
	for _, addr := range c.Addrs() {
		if err := probe(t.Context(), addr, c.nodes); err != nil {
			t.Errorf("%s after the restart: %v", addr, err)
		}
	}
	noErr(t, c.Close())
	if conn, err := net.Dial("tcp", c.zoo.addr); err == nil {
		conn.Close()
		t.Error("after Close ZooKeeper takes connections")
	}
}

func TestZooKeeperIsForVersionsBeforeKRaft(t *testing.T) {
	for version, want := range map[string]bool{"2.8.2": true, "1.0.0": true, "3.2.3": true, "3.3.0": false, "3.9.1": false, "4.3.1": false} {
		if got := needsZooKeeper(version); got != want {
			t.Errorf("%s: %v", version, got)
		}
	}
}

func TestTwoBrokersRunWithOneController(t *testing.T) {
	t.Parallel()
	c := startCluster(t, Options{Brokers: 2})
	noErr(t, c.Kill(1))
	noErr(t, c.Restart(t.Context(), 1))
}

func TestListenersAndBrokerPropertiesReachTheBroker(t *testing.T) {
	t.Parallel()
	var told []Broker
	const jaas = `org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="b\\c" user_alice="pw";`
	c := startCluster(t, Options{
		Listeners: []Listener{{Name: "SASL_PLAINTEXT", Properties: map[string]string{
			"sasl.enabled.mechanisms": "PLAIN", "plain.sasl.jaas.config": jaas,
		}}},
		Properties: map[string]string{"num.partitions": "7"},
		BrokerProperties: func(b Broker) map[string]string {
			told = append(told, b)
			return map[string]string{"broker.rack": "r1"}
		},
		Advertise: func(_ int, listener, addr string) string {
			if listener == mainListener {
				return addr
			}
			return "elsewhere.example:99"
		},
	})
	if len(told) != 1 || told[0].NodeID != 1 || told[0].Addrs[mainListener] != c.Addrs()[0] {
		t.Errorf("BrokerProperties was told %+v", told)
	}
	addr := c.ListenerAddrs("SASL_PLAINTEXT")[0]
	properties := filepath.Join(c.nodes[0].Dir, "client.properties")
	noErr(t, os.WriteFile(properties, []byte("security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n"+
		"sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=\"alice\" password=\"pw\";\n"), 0o600))
	out, err := c.Tool(t.Context(), "org.apache.kafka.tools.BrokerApiVersionsCommand", nil,
		"--bootstrap-server", addr, "--command-config", properties)
	if !strings.Contains(string(out)+errText(err), "elsewhere.example:99 (id: 1 rack: r1") {
		t.Errorf("the SASL listener says:\n%s%v", out, err)
	}
	topics(t, c, "--create", "--topic", "t")
	if out := topics(t, c, "--describe", "--topic", "t"); !strings.Contains(out, "PartitionCount: 7") {
		t.Errorf("num.partitions did not reach the broker:\n%s", out)
	}
}

func TestSettingsChangeWithTheNextStart(t *testing.T) {
	t.Parallel()
	c := startCluster(t, Options{Properties: map[string]string{"num.partitions": "7"}})
	noErr(t, c.SetProperties(0, map[string]string{"num.partitions": "5"}))
	topics(t, c, "--create", "--topic", "before")
	noErr(t, c.Restart(t.Context(), 0))
	topics(t, c, "--create", "--topic", "after")
	for topic, want := range map[string]string{"before": "PartitionCount: 7", "after": "PartitionCount: 5"} {
		if out := topics(t, c, "--describe", "--topic", topic); !strings.Contains(out, want) {
			t.Errorf("want %s:\n%s", want, out)
		}
	}
	if err := c.SetProperties(1, nil); err == nil {
		t.Error("settings of a broker that is not there are no error")
	}
	if err := c.SetProperties(0, map[string]string{"a b": ""}); err == nil {
		t.Error("a name that is none is no error")
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestStartTellsWhyBrokerFailed(t *testing.T) {
	t.Parallel()
	skipWithoutKafka(t)
	dir := t.TempDir()
	_, err := Start(t.Context(), Options{Dir: dir, Properties: map[string]string{"num.network.threads": "none"}})
	if err == nil || !strings.Contains(err.Error(), "Invalid value none for configuration num.network.threads") {
		t.Errorf("error %v does not say what the log does", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestStartEndsWithContext(t *testing.T) {
	skipWithoutKafka(t)
	_, err := Install(t.Context(), DefaultVersion)
	noErr(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := Start(ctx, Options{Dir: t.TempDir()}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Start returned %v", err)
	}
}

func TestBrokerDiesWithItsStarter(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties a child's life to its parent's")
	}
	t.Parallel()
	skipWithoutKafka(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), dyingStarter+"="+t.TempDir())
	out, err := cmd.StdoutPipe()
	noErr(t, err)
	noErr(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	addr := strings.TrimSpace(line)
	if err != nil || probe(t.Context(), addr, nil) != nil {
		t.Errorf("no broker: %q, %v", line, err)
	}
	noErr(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if err == nil {
		await(t, "the broker is gone", func() bool { return probe(t.Context(), addr, nil) != nil })
	}
}
