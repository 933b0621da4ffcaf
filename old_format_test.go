package sarama_test

import (
	"errors"
	"fmt"
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

// oldMessages are messages whose fields tell their number.
func oldMessages(topic string, from int) []*sarama.ProducerMessage {
	list := make([]*sarama.ProducerMessage, oldBatch)
	for i := range list {
		n := from + i
		m := &sarama.ProducerMessage{Topic: topic, Timestamp: oldTime(n), Value: sarama.StringEncoder(fmt.Sprintf("value %d %s", n, strings.Repeat("x", n%40)))}
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

// produceOld sends two batches, and one message alone.
func produceOld(t *testing.T, addrs []string, conf *sarama.Config, topic string) int {
	t.Helper()
	p, err := sarama.NewSyncProducer(addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, p)
	sent := 0
	for _, n := range []int{oldBatch, oldBatch, 1} {
		list := oldMessages(topic, sent)[:n]
		if err := p.SendMessages(list); err != nil {
			t.Fatal(err)
		}
		for i, m := range list {
			if m.Offset != int64(sent+i) || !m.Timestamp.Equal(oldTime(sent+i)) {
				t.Fatalf("message %d got offset %d, time %v", sent+i, m.Offset, m.Timestamp)
			}
		}
		sent += n
	}
	return sent
}

func closeIt(t *testing.T, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Errorf("closing %T: %v", c, err)
	}
}

// wantOld consumes from an offset on and wants what produceOld has sent; times
// says whether it was sent and is fetched with its time, legacy whether it is
// fetched as messages.
func wantOld(t *testing.T, addrs []string, conf *sarama.Config, topic string, from, sent int, times, legacy, compressed bool) {
	t.Helper()
	c, err := sarama.NewConsumer(addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, c)
	pc, err := c.ConsumePartition(topic, 0, int64(from))
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, pc)
	want := append(append(oldMessages(topic, 0), oldMessages(topic, oldBatch)...), oldMessages(topic, 2*oldBatch)...)[:sent]
	for n := from; n < sent; n++ {
		var m *sarama.ConsumerMessage
		select {
		case m = <-pc.Messages():
		case err := <-pc.Errors():
			t.Fatal(err)
		}
		if m.Offset != int64(n) || string(m.Key) != textOf(want[n].Key) || string(m.Value) != textOf(want[n].Value) ||
			(m.Key == nil) != (want[n].Key == nil) || (m.Value == nil) != (want[n].Value == nil) {
			t.Fatalf("offset %d: got offset %d, key %q, value %q", n, m.Offset, m.Key, m.Value)
		}
		if (m.Headers == nil) != legacy {
			t.Errorf("offset %d: headers %#v", n, m.Headers)
		}
		var at, block time.Time
		if times {
			at = want[n].Timestamp
		}
		if legacy && times {
			block = at
			if compressed { // that of the latest of its batch
				first := n / oldBatch * oldBatch
				for _, other := range want[first:min(first+oldBatch, sent)] {
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
}

func textOf(e sarama.Encoder) string {
	if e == nil {
		return ""
	}
	b, _ := e.Encode()
	return string(b)
}

// tryOldFormats produces and consumes with each old version and codec. topic
// makes a new topic; asking says whether the brokers know ApiVersions.
func tryOldFormats(t *testing.T, cluster func(t *testing.T, v sarama.KafkaVersion) (addrs []string, newer []sarama.KafkaVersion, asking bool)) {
	for _, v := range oldVersions {
		t.Run(v.String(), func(t *testing.T) {
			addrs, newer, asking := cluster(t, v)
			for _, codec := range oldCodecs(v) {
				t.Run(codec.String(), func(t *testing.T) {
					topic := fmt.Sprintf("old-%v-%v", v, codec)
					conf := oldConfig(v)
					conf.Producer.Compression = codec
					conf.ApiVersionsRequest = asking
					sent := produceOld(t, addrs, conf, topic)
					times := v.IsAtLeast(sarama.V0_10_0_0)
					compressed := codec != sarama.CompressionNone
					for _, from := range []int{0, 1, 37, oldBatch - 1, oldBatch, sent - 1} {
						wantOld(t, addrs, conf, topic, from, sent, times, true, compressed)
					}
					small := oldConfig(v)
					small.ApiVersionsRequest = asking
					small.Consumer.Fetch.Default = 40 // cuts most messages
					wantOld(t, addrs, small, topic, 0, sent, times, true, compressed)
					for _, other := range newer {
						conf := oldConfig(other)
						legacy := !other.IsAtLeast(sarama.V0_11_0_0)
						// A batch's block has its greatest time whatever the codec,
						// but is only told of in old messages that are compressed.
						wantOld(t, addrs, conf, topic, 41, sent, times && other.IsAtLeast(sarama.V0_10_0_0), legacy, compressed)
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
	for _, release := range []sarama.KafkaVersion{sarama.V0_11_0_0, sarama.V2_8_0_0, sarama.V3_9_0_0} {
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
	cluster := realKafka(t, kafkalocal.Options{Version: "3.9.1"})
	tryOldFormats(t, func(*testing.T, sarama.KafkaVersion) ([]string, []sarama.KafkaVersion, bool) {
		return cluster.Addrs(), []sarama.KafkaVersion{sarama.V0_9_0_0, sarama.V0_10_2_0, sarama.V3_9_0_0}, true
	})
}

// realKafka starts a Kafka, where one can run.
func realKafka(t *testing.T, o kafkalocal.Options) *kafkalocal.Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real Kafka, which -short leaves out")
	}
	if ok, why := kafkalocal.Available(); !ok {
		t.Skipf("no real Kafka here: %s", why)
	}
	o.Dir = t.TempDir()
	c, err := kafkalocal.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, c) })
	return c
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
