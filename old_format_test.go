package sarama_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
	"github.com/IBM/sarama/internal/kafkalocal"
)

// Tests of the formats before 0.11 from producer to consumer: on the embedded
// cluster and on real Kafkas, which convert them or, with an old format set for
// a topic, store them.

var oldVersions = []sarama.KafkaVersion{
	sarama.V0_8_2_0, sarama.V0_9_0_0, sarama.V0_10_0_0, sarama.V0_10_1_0, sarama.V0_10_2_0,
}

// oldCodecs are those that a configuration of this version allows.
func oldCodecs(v sarama.KafkaVersion) []sarama.CompressionCodec {
	codecs := []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy}
	if v.IsAtLeast(sarama.V0_10_0_0) {
		codecs = append(codecs, sarama.CompressionLZ4)
	}
	return codecs
}

func oldConfig(v sarama.KafkaVersion) *sarama.Config {
	conf := clusterConfig()
	conf.Version = v
	conf.Producer.Retry.Max, conf.Metadata.Retry.Max = 100, 100
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	conf.Consumer.MaxWaitTime = 50 * time.Millisecond
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	return conf
}

const oldBatch = 60 // messages sent at a time

// oldTime is the time of a message in milliseconds: it goes back and forth.
func oldTime(i int) time.Time { return time.UnixMilli(1_500_000_000_000 + int64(i^5)) }

// oldLog is what produceOld has written to a partition, and how a consumer sees
// it.
type oldLog struct {
	topic      string
	partition  int32
	sent       int  // messages
	times      bool // which have their time
	compressed bool
	legacy     bool // fetched as messages, not batches
}

// messages returns some whose fields tell their number.
func (l *oldLog) messages(from int) []*sarama.ProducerMessage {
	list := make([]*sarama.ProducerMessage, oldBatch)
	for i := range list {
		n := from + i
		m := &sarama.ProducerMessage{Topic: l.topic, Partition: l.partition, Timestamp: oldTime(n)}
		m.Value = sarama.StringEncoder(fmt.Sprintf("value %d %s", n, strings.Repeat("x", n%40)))
		if n%3 != 0 {
			m.Key = sarama.StringEncoder(fmt.Sprintf("key %d", n))
		}
		switch n % 10 {
		case 4:
			m.Value = nil
		case 5:
			m.Value = sarama.StringEncoder("")
		}
		list[i] = m
	}
	return list
}

// produce sends two batches, and one message alone.
func (l *oldLog) produce(t *testing.T, addrs []string, conf *sarama.Config) {
	t.Helper()
	p, err := sarama.NewSyncProducer(addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, p)
	l.compressed = conf.Producer.Compression != sarama.CompressionNone
	for _, n := range []int{oldBatch, oldBatch, 1} {
		list := l.messages(l.sent)[:n]
		if err := p.SendMessages(list); err != nil {
			t.Fatal(err)
		}
		for i, m := range list {
			if m.Offset != int64(l.sent+i) || !m.Timestamp.Equal(oldTime(l.sent+i)) {
				t.Fatalf("message %d got offset %d, time %v", l.sent+i, m.Offset, m.Timestamp)
			}
		}
		l.sent += n
	}
}

func closeIt(t *testing.T, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Errorf("closing %T: %v", c, err)
	}
}

// consume reads from an offset on and wants what produce has sent.
func (l oldLog) consume(t *testing.T, addrs []string, conf *sarama.Config, from int) {
	t.Helper()
	c, err := sarama.NewConsumer(addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, c)
	pc, err := c.ConsumePartition(l.topic, l.partition, int64(from))
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, pc)
	var want []*sarama.ProducerMessage
	for n := 0; n < l.sent; n += oldBatch {
		want = append(want, l.messages(n)...)
	}
	for n := from; n < l.sent; n++ {
		select {
		case m := <-pc.Messages():
			l.check(t, want, n, m)
		case err := <-pc.Errors():
			t.Fatal(err)
		}
	}
}

// check wants m to be the message of this number.
func (l oldLog) check(t *testing.T, want []*sarama.ProducerMessage, n int, m *sarama.ConsumerMessage) {
	t.Helper()
	if m.Offset != int64(n) || string(m.Key) != textOf(want[n].Key) || string(m.Value) != textOf(want[n].Value) ||
		(m.Key == nil) != (want[n].Key == nil) || (m.Value == nil) != (want[n].Value == nil) {
		t.Fatalf("offset %d: got offset %d, key %q, value %q", n, m.Offset, m.Key, m.Value)
	}
	if (m.Headers == nil) != l.legacy {
		t.Errorf("offset %d: headers %#v", n, m.Headers)
	}
	var at, block time.Time
	if l.times {
		at = want[n].Timestamp
	}
	if l.times && l.legacy {
		block = at
		if l.compressed { // that of the latest of its batch
			first := n / oldBatch * oldBatch
			for _, other := range want[first:min(first+oldBatch, l.sent)] {
				if other.Timestamp.After(block) {
					block = other.Timestamp
				}
			}
		}
	}
	if !m.Timestamp.Equal(at) || !m.BlockTimestamp.Equal(block) {
		t.Errorf("offset %d: time %v, block's %v, want %v, %v", n, m.Timestamp, m.BlockTimestamp, at, block)
	}
}

func textOf(e sarama.Encoder) string {
	if e == nil {
		return ""
	}
	b, _ := e.Encode()
	return string(b)
}

// tryOldFormats produces and consumes with each old version and codec. cluster
// gives a cluster for a version, the versions with which what is produced is
// consumed besides, and says whether the brokers know ApiVersions.
func tryOldFormats(t *testing.T, cluster func(t *testing.T, v sarama.KafkaVersion) (addrs []string, others []sarama.KafkaVersion, asking bool)) {
	for _, v := range oldVersions {
		t.Run(v.String(), func(t *testing.T) {
			addrs, others, asking := cluster(t, v)
			for _, codec := range oldCodecs(v) {
				t.Run(codec.String(), func(t *testing.T) {
					conf := oldConfig(v)
					conf.Producer.Compression = codec
					conf.ApiVersionsRequest = asking
					log := oldLog{topic: fmt.Sprintf("old-%v-%v", v, codec), times: v.IsAtLeast(sarama.V0_10_0_0), legacy: true}
					log.produce(t, addrs, conf)
					for _, from := range []int{0, 37, oldBatch - 1, log.sent - 1} {
						log.consume(t, addrs, conf, from)
					}
					small := oldConfig(v)
					small.ApiVersionsRequest = asking
					small.Consumer.Fetch.Default = 40 // cuts most messages
					log.consume(t, addrs, small, 0)
					for _, other := range others {
						log := log
						log.times = log.times && other.IsAtLeast(sarama.V0_10_0_0)
						log.legacy = !other.IsAtLeast(sarama.V0_11_0_0)
						log.consume(t, addrs, oldConfig(other), 41)
					}
				})
			}
		})
	}
}

func TestOldFormatsOnTheEmbeddedCluster(t *testing.T) {
	tryOldFormats(t, func(t *testing.T, v sarama.KafkaVersion) ([]string, []sarama.KafkaVersion, bool) {
		cluster := fakekafka.New(t, fakekafka.Options{Version: v, AutoCreateTopics: true, Logf: t.Logf})
		return cluster.Addrs(), nil, v.IsAtLeast(sarama.V0_10_0_0)
	})
	for _, release := range []sarama.KafkaVersion{sarama.V0_11_0_0, sarama.V3_9_0_0} {
		if testing.Short() && release == sarama.V0_11_0_0 {
			continue
		}
		t.Run("converted by "+release.String(), func(t *testing.T) {
			tryOldFormats(t, func(t *testing.T, v sarama.KafkaVersion) ([]string, []sarama.KafkaVersion, bool) {
				cluster := fakekafka.New(t, fakekafka.Options{Version: release, AutoCreateTopics: true})
				return cluster.Addrs(), []sarama.KafkaVersion{sarama.V0_9_0_0, sarama.V0_10_2_0, release}, true
			})
		})
	}
}

// TestOldFormatsOnKafka3 has a real broker convert what is produced, and what
// is fetched.
func TestOldFormatsOnKafka3(t *testing.T) {
	t.Parallel()
	cluster := realKafka(t, kafkalocal.Options{Version: "3.9.1"})
	tryOldFormats(t, func(*testing.T, sarama.KafkaVersion) ([]string, []sarama.KafkaVersion, bool) {
		return cluster.Addrs(), []sarama.KafkaVersion{sarama.V0_9_0_0, sarama.V0_10_2_0, sarama.V3_9_0_0}, true
	})
}

// TestOldFormatsInTheLogsOfKafka2 reads messages that a broker has stored as
// such, some of them converted by it from what it was sent, and then batches
// behind them in the same partition.
func TestOldFormatsInTheLogsOfKafka2(t *testing.T) {
	t.Parallel()
	cluster := realKafka(t, kafkalocal.Options{Version: "2.8.2"})
	addrs := cluster.Addrs()
	tool := func(class string, args ...string) {
		t.Helper()
		if _, err := cluster.Tool(t.Context(), class, nil, append([]string{"--bootstrap-server", addrs[0]}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
	versions := []sarama.KafkaVersion{sarama.V0_9_0_0, sarama.V0_10_0_0, sarama.V0_10_2_0, sarama.V2_8_0_0}
	for _, format := range []string{"0.9.0", "0.10.2"} {
		t.Run(format, func(t *testing.T) {
			topic := "format-" + format
			tool("kafka.admin.TopicCommand", "--create", "--topic", topic, "--partitions", "16", "--config", "message.format.version="+format)
			var logs []*oldLog
			for _, v := range versions {
				for _, codec := range oldCodecs(v) {
					conf := oldConfig(v)
					conf.Producer.Compression = codec
					log := &oldLog{topic: topic, partition: int32(len(logs)), legacy: true}
					log.times = format == "0.10.2" && v.IsAtLeast(sarama.V0_10_0_0)
					log.produce(t, addrs, conf)
					for _, reader := range versions {
						log := *log
						log.times = log.times && reader.IsAtLeast(sarama.V0_10_0_0)
						for _, from := range []int{0, 37, log.sent - 1} {
							log.consume(t, addrs, oldConfig(reader), from)
						}
					}
					logs = append(logs, log)
				}
			}
			tool("kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", "message.format.version=2.8")
			for _, log := range logs {
				log.produceBatches(t, addrs)
			}
		})
	}
}

// produceBatches sends batches after the old messages, and consumes both.
func (l oldLog) produceBatches(t *testing.T, addrs []string) {
	t.Helper()
	conf := oldConfig(sarama.V2_8_0_0)
	conf.Producer.Idempotent, conf.Producer.RequiredAcks = true, sarama.WaitForAll
	conf.Consumer.IsolationLevel = sarama.ReadCommitted
	p, err := sarama.NewSyncProducer(addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, p)
	for range 3 {
		m := &sarama.ProducerMessage{Topic: l.topic, Partition: l.partition, Value: sarama.StringEncoder("batch"), Headers: []sarama.RecordHeader{{Key: []byte("h")}}}
		eventually(t, "producing in the new format", func() error { // the topic's setting takes effect a little later
			_, _, err := p.SendMessage(m)
			if !errors.Is(err, sarama.ErrUnsupportedForMessageFormat) && err != nil {
				t.Fatal(err)
			}
			return err
		})
	}
	c, err := sarama.NewConsumer(addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, c)
	pc, err := c.ConsumePartition(l.topic, l.partition, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, pc)
	for n := range int64(l.sent + 3) {
		select {
		case m := <-pc.Messages():
			if batch := n >= int64(l.sent); m.Offset != n || len(m.Headers) > 0 != batch || batch && string(m.Value) != "batch" || batch && !m.BlockTimestamp.IsZero() {
				t.Fatalf("offset %d: %+v", n, m)
			}
		case err := <-pc.Errors():
			t.Fatal(err)
		}
	}
}

// A producer whose format no broker of the cluster takes says so.
func TestOldFormatNeedsABrokerThatTakesIt(t *testing.T) {
	for _, tc := range []struct {
		name    string
		release sarama.KafkaVersion
		highest int16
		conf    sarama.KafkaVersion
		what    string
	}{
		{"batches and a broker before 0.11", sarama.V0_10_2_0, 2, sarama.V2_0_0_0, "only up to version 2"},
		{"messages with times and a broker before 0.10", sarama.V0_10_2_0, 1, sarama.V0_10_0_0, "only up to version 1"},
		{"message sets and Kafka 4", sarama.V4_0_0_0, 12, sarama.V0_10_2_0, "takes Produce versions 3 to 12, not 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cluster := fakekafka.New(t, fakekafka.Options{
				Version: tc.release, Topics: []fakekafka.Topic{{Name: "t"}}, MaxVersions: map[fakekafka.API]int16{fakekafka.Produce: tc.highest},
			})
			conf := oldConfig(tc.conf)
			conf.Producer.Retry.Max = 1
			p, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
			if err != nil {
				t.Fatal(err)
			}
			defer closeIt(t, p)
			_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder("v")})
			if !errors.Is(err, sarama.ErrUnsupportedVersion) || !strings.Contains(err.Error(), tc.what) {
				t.Error(err)
			}
			if n := cluster.Requests(fakekafka.Produce); n != 0 {
				t.Errorf("%d Produce requests", n)
			}
		})
	}
}

// A producer in an old format keeps its order over retries and leaves out what
// is no longer wanted, like any.
func TestOldFormatProducerSettings(t *testing.T) {
	cluster := fakekafka.New(t, fakekafka.Options{Version: sarama.V0_10_2_0, Topics: []fakekafka.Topic{{Name: "t"}}})
	conf := oldConfig(sarama.V0_10_2_0)
	conf.Producer.Idempotent = true
	conf.Producer.RequiredAcks = sarama.WaitForAll
	if _, err := sarama.NewSyncProducer(cluster.Addrs(), conf); err == nil || !strings.Contains(err.Error(), "Idempotent") {
		t.Errorf("idempotent: %v", err)
	}
	conf.Producer.Idempotent = false
	p, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, p)
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: "t", Headers: []sarama.RecordHeader{{Key: []byte("k")}}})
	if bad := sarama.ConfigurationError(""); !errors.As(err, &bad) {
		t.Errorf("headers: %v", err)
	}
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.ByteEncoder(make([]byte, conf.Producer.MaxMessageBytes-25))})
	if bad := sarama.ConfigurationError(""); !errors.As(err, &bad) {
		t.Errorf("too large: %v", err)
	}
	if _, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.ByteEncoder(make([]byte, conf.Producer.MaxMessageBytes-26))}); err != nil {
		t.Errorf("just not too large: %v", err)
	}
	versions := slices.Compact(versionsOf(cluster, fakekafka.Produce))
	if !slices.Equal(versions, []int16{2}) {
		t.Errorf("Produce versions %v", versions)
	}
}

func versionsOf(cluster *fakekafka.Cluster, api fakekafka.API) (list []int16) {
	for _, r := range cluster.History() {
		if r.API == api {
			list = append(list, r.Version)
		}
	}
	return list
}

// A producer of message sets sends again, in order, splits what is too large,
// and leaves out what is no longer wanted, as with batches.
func TestOldFormatSurvivesFailures(t *testing.T) {
	for _, v := range []sarama.KafkaVersion{sarama.V0_9_0_0, sarama.V0_10_2_0} {
		for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP} {
			t.Run(fmt.Sprint(v, codec), func(t *testing.T) {
				cluster := fakekafka.New(t, fakekafka.Options{Version: v, MessageMaxBytes: 3000, Topics: []fakekafka.Topic{{Name: "t"}}})
				conf := oldConfig(v)
				conf.ApiVersionsRequest = false
				conf.Producer.Compression = codec
				p, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
				if err != nil {
					t.Fatal(err)
				}
				defer closeIt(t, p)
				cluster.FailProduce("t", 0, sarama.ErrNotLeaderForPartition, 1)
				cluster.FailProduce("t", 0, sarama.ErrInvalidMessage, 1)
				noise := rand.NewChaCha8([32]byte{})
				var list []*sarama.ProducerMessage
				var want []string
				for range 40 { // in one batch, far above the limit when compressed
					value := make([]byte, 250)
					_, _ = noise.Read(value)
					list = append(list, &sarama.ProducerMessage{Topic: "t", Value: sarama.ByteEncoder(value)})
					want = append(want, string(value))
				}
				if err := p.SendMessages(list); err != nil {
					t.Fatal(err)
				}
				records, err := cluster.Records("t", 0)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, r := range records {
					got = append(got, string(r.Value))
				}
				if !slices.Equal(got, want) {
					t.Errorf("%d records of %d, or in another order", len(got), len(want))
				}
				for i, m := range list {
					if m.Offset != int64(i) {
						t.Errorf("message %d has offset %d", i, m.Offset)
					}
				}
			})
		}
	}
}

// Brokers before 0.10 hang up when they are asked for their versions: as with
// Sarama 1.61.1, ApiVersionsRequest has to be off.
func TestOldBrokersHangUpOnApiVersions(t *testing.T) {
	cluster := fakekafka.New(t, fakekafka.Options{Version: sarama.V0_9_0_0, Topics: []fakekafka.Topic{{Name: "t"}}})
	conf := oldConfig(sarama.V0_9_0_0)
	conf.Metadata.Retry.Max = 1
	if _, err := sarama.NewClient(cluster.Addrs(), conf); !errors.Is(err, sarama.ErrOutOfBrokers) || !errors.Is(err, io.EOF) ||
		!strings.Contains(err.Error(), "ApiVersionsRequest") {
		t.Error(err)
	}
	conf.ApiVersionsRequest = false
	client, err := sarama.NewClient(cluster.Addrs(), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, client)
	if offset, err := client.GetOffset("t", 0, sarama.OffsetNewest); err != nil || offset != 0 {
		t.Errorf("newest offset %d, %v", offset, err)
	}
}
