package sarama_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
	"github.com/IBM/sarama/internal/kafkalocal"
)

// The functional tests say what a program sees of a cluster, and are the same
// for the embedded one and for real ones: Kafka 4.3.1 and 3.9.1 started here,
// where Java and Maven are installed, or the cluster whose brokers KAFKA_PEERS
// names, separated by commas. With -short there is only the embedded one.

// site is a cluster that the functional tests run against.
type site struct {
	addrs   []string
	version sarama.KafkaVersion
	brokers int

	fake *fakekafka.Cluster  // the embedded one, or nil
	real *kafkalocal.Cluster // one that was started here, or nil
}

var topicsMade atomic.Int64

// TestFunctional runs every functional test against every cluster, several at
// once.
func TestFunctional(t *testing.T) {
	t.Parallel()
	each := func(name string, start func(t *testing.T) *site) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runFunctional(t, start(t))
		})
	}
	each("embedded", startEmbedded)
	if os.Getenv("KAFKA_PEERS") != "" {
		each("peers", peerSite)
		return
	}
	each("kafka 4.3.1", sharedKafka)
	each("kafka 3.9.1", func(t *testing.T) *site { return startKafka(t, "3.9.1", 1, nil) })
}

// TestFunctionalTransactionsWhileBrokersStop is alone with its cluster.
func TestFunctionalTransactionsWhileBrokersStop(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { functionalTxnBrokers(t, startEmbedded(t)) })
	t.Run("kafka 4.3.1", func(t *testing.T) { functionalTxnBrokers(t, sharedKafka(t)) })
}

// peerSite is the cluster that KAFKA_PEERS names.
func peerSite(t *testing.T) *site {
	s := &site{addrs: strings.Split(os.Getenv("KAFKA_PEERS"), ","), version: sarama.MaxVersion}
	s.brokers = min(3, len(s.client(t, nil).Brokers()))
	return s
}

func startEmbedded(t *testing.T) *site {
	c := fakekafka.New(t, fakekafka.Options{
		Brokers: 3, Racks: []string{"rack-0", "rack-1", "rack-2"}, ReadFromRack: true,
		Groups: fakekafka.GroupOptions{HeartbeatInterval: 200 * time.Millisecond},
	})
	return &site{addrs: c.Addrs(), version: sarama.MaxVersion, brokers: 3, fake: c}
}

func skipWithoutKafka(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real Kafka, which -short leaves out")
	}
	if ok, why := kafkalocal.Available(); !ok {
		t.Skipf("no real Kafka here: %s", why)
	}
}

// shared is the cluster that tests share; TestMain closes it.
var shared struct {
	start   sync.Once
	cluster *kafkalocal.Cluster // nil if it was not started
	err     error
}

// sharedKafka is a cluster of three brokers of Kafka 4.3.1 for all tests that do
// not break it: whoever stops a broker is alone with it, and starts it again.
func sharedKafka(t *testing.T) *site {
	t.Helper()
	skipWithoutKafka(t)
	shared.start.Do(func() {
		shared.cluster, shared.err = kafkalocal.Start(context.Background(), functionalOptions("4.3.1", 3, nil))
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return siteOf(t, shared.cluster)
}

// closeSharedKafka tells whether it could.
func closeSharedKafka() bool {
	if shared.cluster == nil {
		return true
	}
	err := shared.cluster.Close()
	if err != nil {
		fmt.Fprintln(os.Stderr, "closing the shared cluster:", err)
	}
	return err == nil
}

// realKafka starts a Kafka, where one can run.
func realKafka(t *testing.T, o kafkalocal.Options) *kafkalocal.Cluster {
	t.Helper()
	skipWithoutKafka(t)
	o.Dir = t.TempDir()
	c, err := kafkalocal.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, c) })
	return c
}

// startKafka starts a cluster for functional tests, or skips them.
func startKafka(t *testing.T, release string, brokers int, properties map[string]string) *site {
	t.Helper()
	return siteOf(t, realKafka(t, functionalOptions(release, brokers, properties)))
}

func siteOf(t *testing.T, c *kafkalocal.Cluster) *site {
	t.Helper()
	version, err := sarama.ParseKafkaVersion(c.Version())
	if err != nil {
		t.Fatal(err)
	}
	return &site{addrs: c.Addrs(), version: version, brokers: len(c.Addrs()), real: c}
}

// functionalOptions are those of a cluster for functional tests.
func functionalOptions(release string, brokers int, properties map[string]string) kafkalocal.Options {
	settings := map[string]string{
		"replica.selector.class":    "org.apache.kafka.common.replica.RackAwareReplicaSelector",
		"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500",
		"auto.create.topics.enable":                "false",
		"group.consumer.min.heartbeat.interval.ms": "100", "group.consumer.heartbeat.interval.ms": "200",
		"group.consumer.min.assignment.interval.ms": "0", "group.consumer.assignment.interval.ms": "0", // else a plan a second
		"group.min.session.timeout.ms": "1000", "group.consumer.min.session.timeout.ms": "1000", // for groups that ask for it
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500", // else every ten seconds
		"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", // which stores access rules
		"super.users":           "User:ANONYMOUS", "allow.everyone.if.no.acl.found": "true",
	}
	maps.Copy(settings, properties)
	return kafkalocal.Options{
		Version: release, Brokers: brokers, Properties: settings,
		BrokerProperties: func(b kafkalocal.Broker) map[string]string {
			return map[string]string{"broker.rack": fmt.Sprintf("rack-%d", b.Index)}
		},
	}
}

// shortSession makes the session of a group of the newer protocol short, which
// brokers have for all groups else.
func (s *site) shortSession(t *testing.T, group string, session time.Duration) {
	t.Helper()
	_, err := s.real.Tool(t.Context(), "kafka.admin.ConfigCommand", nil, "--bootstrap-server", s.addrs[0], "--alter", "--entity-type", "groups",
		"--entity-name", group, "--add-config", fmt.Sprintf("consumer.session.timeout.ms=%d", session.Milliseconds()))
	if err != nil {
		t.Fatal(err)
	}
}

// config is what tests begin with: the newest version that the cluster has.
func (s *site) config() *sarama.Config {
	conf := clusterConfig()
	conf.Version = s.version
	conf.Producer.RequiredAcks = sarama.WaitForAll
	conf.Metadata.Retry.Max = 20
	conf.Producer.Retry.Backoff, conf.Metadata.Retry.Backoff, conf.Consumer.Retry.Backoff = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	return conf
}

func (s *site) client(t *testing.T, conf *sarama.Config) sarama.Client {
	t.Helper()
	if conf == nil {
		conf = s.config()
	}
	c, err := sarama.NewClient(s.addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { returnsWithin(t, "Close", func() { _ = c.Close() }) })
	return c
}

// topic makes a topic of its own for a test, on as many brokers as there are,
// and waits until all of its partitions have a leader.
func (s *site) topic(t *testing.T, partitions int, settings map[string]string) string {
	t.Helper()
	name := fmt.Sprintf("functional-%d-%d-%d", os.Getpid(), time.Now().Unix(), topicsMade.Add(1))
	s.create(t, name, partitions, settings)
	return name
}

func (s *site) create(t *testing.T, name string, partitions int, settings map[string]string) {
	t.Helper()
	conf := s.config()
	conf.Metadata.Full = false
	c := s.client(t, conf)
	detail := &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: int16(s.brokers), ConfigEntries: make(map[string]*string)}
	for k, v := range settings {
		detail.ConfigEntries[k] = &v
	}
	req := sarama.NewCreateTopicsRequest(conf.Version, map[string]*sarama.TopicDetail{name: detail}, 30*time.Second, false)
	eventually(t, "creating "+name, func() error {
		b, err := c.RefreshController()
		if err != nil {
			return err
		}
		resp, err := b.CreateTopics(req)
		if err != nil {
			return err
		}
		if e := resp.TopicErrors[name]; e.Err != sarama.ErrNoError && e.Err != sarama.ErrTopicAlreadyExists {
			return e
		}
		return nil
	})
	eventually(t, "leaders of "+name, func() error {
		if err := c.RefreshMetadata(name); err != nil {
			return err
		}
		if w, err := c.WritablePartitions(name); err != nil || len(w) != partitions {
			return fmt.Errorf("%d of %d partitions can be written to, %w", len(w), partitions, err)
		}
		return nil
	})
}

// eventually tries something again until it succeeds, for a minute at most.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for range 600 {
		if err = try(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s: %v", what, err)
}

// produce sends messages and fails the test if one of them is not delivered.
func (s *site) produce(t *testing.T, conf *sarama.Config, msgs []*sarama.ProducerMessage) {
	t.Helper()
	p, err := sarama.NewSyncProducer(s.addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SendMessages(msgs); err != nil {
		t.Fatal(err)
	}
	returnsWithin(t, "Close", func() { _ = p.Close() })
}

// consume reads n messages of a partition.
func (s *site) consume(t *testing.T, conf *sarama.Config, topic string, partition int32, from int64, n int) []*sarama.ConsumerMessage {
	t.Helper()
	c, err := sarama.NewConsumerFromClient(s.client(t, conf))
	if err != nil {
		t.Fatal(err)
	}
	defer returnsWithin(t, "Close", func() { _ = c.Close() })
	pc := consumeEventually(t, c, topic, partition, from)
	list := readMessages(t, pc, n)
	if err := pc.Close(); err != nil {
		t.Error(err)
	}
	return list
}

// readMessages takes n messages of a partition consumer.
func readMessages(t *testing.T, pc sarama.PartitionConsumer, n int) (list []*sarama.ConsumerMessage) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for len(list) < n {
		select {
		case m, open := <-pc.Messages():
			if !open {
				t.Fatalf("the consumer has ended after %d of %d messages", len(list), n)
			}
			list = append(list, m)
		case err := <-pc.Errors():
			if err != nil {
				t.Log(err)
			}
		case <-deadline:
			t.Fatalf("%d of %d messages came", len(list), n)
		}
	}
	return list
}

// numberedMessages are for a manual partitioner: values "0" to n-1, turn by
// turn to the partitions.
func numberedMessages(topic string, partitions, n int) (list []*sarama.ProducerMessage) {
	for i := range n {
		list = append(list, &sarama.ProducerMessage{Topic: topic, Partition: int32(i % partitions), Value: sarama.StringEncoder(fmt.Sprint(i))})
	}
	return list
}
