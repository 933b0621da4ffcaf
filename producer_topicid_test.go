package sarama_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// TestProducerNamesTopicsByIDWhereTheBrokerTakesThat looks at the versions of
// Produce requests, and produces to a topic that is created again meanwhile.
func TestProducerNamesTopicsByIDWhereTheBrokerTakesThat(t *testing.T) {
	for _, c := range []struct {
		name    string
		version sarama.KafkaVersion
		lower   map[fakekafka.API]int16
		want    int16
	}{
		{"4.1", sarama.V4_1_0_0, nil, 13},
		{"4.0", sarama.V4_0_0_0, nil, 12},
		{"a broker without them", sarama.V4_1_0_0, map[fakekafka.API]int16{fakekafka.Produce: 12}, 12},
		{"metadata without ids", sarama.V4_1_0_0, map[fakekafka.API]int16{fakekafka.Metadata: 9}, 12},
	} {
		for _, idem := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, idempotent %v", c.name, idem), func(t *testing.T) {
				topics := []fakekafka.Topic{{Name: "t"}, {Name: "u", Partitions: 2}}
				cluster := fakekafka.New(t, fakekafka.Options{Topics: topics, MaxVersions: c.lower})
				conf := clusterConfig()
				conf.Version = c.version
				if conf.Producer.Idempotent = idem; idem {
					conf.Producer.RequiredAcks = sarama.WaitForAll
				}
				p, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				send := func(from, to int) {
					t.Helper()
					var list []*sarama.ProducerMessage
					for i := from; i < to; i++ {
						for _, topic := range topics {
							list = append(list, &sarama.ProducerMessage{Topic: topic.Name, Value: sarama.StringEncoder(fmt.Sprint(i))})
						}
					}
					if err := p.SendMessages(list); err != nil {
						t.Error(err)
					}
				}
				send(0, 20)
				if err := cluster.DeleteTopic("t"); err != nil {
					t.Fatal(err)
				}
				if err := cluster.CreateTopic(topics[0]); err != nil {
					t.Fatal(err)
				}
				send(20, 30)
				records, err := cluster.Records("t", 0)
				if err != nil {
					t.Fatal(err)
				}
				var values []string
				for _, r := range records {
					values = append(values, string(r.Value))
				}
				if want := "20 21 22 23 24 25 26 27 28 29"; strings.Join(values, " ") != want {
					t.Errorf("the new topic has %v, want %s", values, want)
				}
				history := cluster.History()
				history = slices.DeleteFunc(history, func(e fakekafka.Event) bool { return e.API != fakekafka.Produce })
				for _, e := range history {
					if e.Version != c.want {
						t.Errorf("Produce version %d, want %d", e.Version, c.want)
					}
				}
				if len(history) == 0 {
					t.Error("nothing was produced")
				}
			})
		}
	}
}

// TestProducerFitsItsBatchesToTheTopic has a topic take batches that are
// smaller than Producer.MaxMessageBytes.
func TestProducerFitsItsBatchesToTheTopic(t *testing.T) {
	for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionZSTD} {
		t.Run(codec.String(), func(t *testing.T) {
			cluster := fakekafka.New(t, fakekafka.Options{
				Brokers: 2,
				Topics:  []fakekafka.Topic{{Name: "t", Partitions: 3, Config: map[string]string{"max.message.bytes": "1000"}}},
			})
			conf := clusterConfig()
			conf.Producer.Idempotent, conf.Producer.RequiredAcks = true, sarama.WaitForAll
			conf.Producer.Compression = codec
			conf.Producer.Flush.Messages = 500
			conf.Producer.Partitioner = sarama.NewRoundRobinPartitioner
			p, err := sarama.NewAsyncProducer(cluster.Addrs(), conf)
			if err != nil {
				t.Fatal(err)
			}
			const messages = 6000
			go func() {
				for i := range messages {
					p.Input() <- &sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder(fmt.Sprintf("%020d", i))}
				}
				p.AsyncClose()
			}()
			n := 0
			for range p.Successes() {
				n++
			}
			for e := range p.Errors() {
				t.Error(e)
			}
			for id := range int32(3) {
				records, err := cluster.Records("t", id)
				if err != nil {
					t.Fatal(err)
				}
				for i, r := range records {
					if want := fmt.Sprintf("%020d", 3*i+int(id)); string(r.Value) != want {
						t.Fatalf("partition %d: record %d is %s, want %s", id, i, r.Value, want)
					}
				}
				n -= len(records)
			}
			if n != 0 {
				t.Errorf("%d more successes than records", n)
			}
		})
	}
}
