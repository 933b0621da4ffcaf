package sarama_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// stormCluster has 200 partitions on three brokers, all of which have them all.
func stormCluster(t *testing.T, topics int) (*fakekafka.Cluster, *sarama.Config) {
	t.Helper()
	opts := fakekafka.Options{Brokers: 3, InMemory: true, HistoryMax: 1 << 20}
	for i := range topics {
		opts.Topics = append(opts.Topics, fakekafka.Topic{Name: fmt.Sprintf("t%d", i), Partitions: 200 / topics, ReplicationFactor: 3})
	}
	cluster := fakekafka.New(t, opts)
	conf := sarama.NewConfig()
	conf.ClientID = "storm"
	conf.Version = sarama.MaxVersion
	conf.MetricRegistry = nil
	conf.Producer.Return.Successes = true
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	conf.Consumer.Return.Errors = true
	conf.Consumer.Retry.Backoff = 500 * time.Millisecond
	cluster.Configure(conf)
	return cluster, conf
}

// stormAfter has a broker die with all its partitions, and counts what is asked
// in the next so many seconds.
func stormAfter(t *testing.T, cluster *fakekafka.Cluster, during func()) (metadata int) {
	t.Helper()
	synctest.Wait()
	before := len(cluster.History())
	if err := cluster.StopBroker(2); err != nil {
		t.Fatal(err)
	}
	during()
	for _, e := range cluster.History()[before:] {
		if e.API == fakekafka.Metadata {
			metadata++
		}
	}
	return metadata
}

// All partitions that lose their leader at the same time ask for the new ones
// together: once for those of the first refusals and once for those that came
// while that was under way, not once for each.
func TestProducerDoesNotStormMetadata(t *testing.T) {
	for _, topics := range []int{1, 20} {
		for _, hints := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d topics, hints %v", topics, hints), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cluster, conf := stormCluster(t, topics)
					cluster.SetLeaderHints(hints)
					p, err := sarama.NewAsyncProducer(cluster.Addrs(), conf)
					if err != nil {
						t.Fatal(err)
					}
					sent := 0
					send := func() {
						for i := range topics {
							for id := range int32(200 / topics) {
								p.Input() <- &sarama.ProducerMessage{Topic: fmt.Sprintf("t%d", i), Partition: id, Value: sarama.StringEncoder("v")}
								sent++
							}
						}
					}
					delivered := 0
					var wg sync.WaitGroup
					wg.Go(func() {
						for range p.Successes() {
							delivered++
						}
					})
					wg.Go(func() {
						for e := range p.Errors() {
							t.Error(e)
						}
					})
					send()
					metadata := stormAfter(t, cluster, func() {
						for range 20 {
							send()
							time.Sleep(100 * time.Millisecond)
						}
					})
					p.AsyncClose()
					wg.Wait()
					if delivered != sent {
						t.Errorf("%d of %d messages were delivered", delivered, sent)
					}
					if metadata > 5 || metadata == 0 {
						t.Errorf("67 partitions lost their leader: %d metadata requests", metadata)
					}
					t.Logf("%d metadata requests", metadata)
				})
			})
		}
	}
}

func TestConsumerDoesNotStormMetadata(t *testing.T) {
	for _, topics := range []int{1, 20} {
		t.Run(fmt.Sprintf("%d topics", topics), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster, conf := stormCluster(t, topics)
				c, err := sarama.NewConsumer(cluster.Addrs(), conf)
				if err != nil {
					t.Fatal(err)
				}
				var wg sync.WaitGroup
				var list []sarama.PartitionConsumer
				counts := make([]int, 200)
				for i := range topics {
					for id := range int32(200 / topics) {
						pc, err := c.ConsumePartition(fmt.Sprintf("t%d", i), id, sarama.OffsetOldest)
						if err != nil {
							t.Fatal(err)
						}
						n := len(list)
						list = append(list, pc)
						wg.Go(func() {
							for range pc.Messages() {
								counts[n]++
							}
						})
						wg.Go(func() {
							for range pc.Errors() { // that the broker is gone
							}
						})
					}
				}
				send := func() {
					for i := range topics {
						for id := range int32(200 / topics) {
							if _, err := cluster.Append(fmt.Sprintf("t%d", i), id, fakekafka.Record{Value: []byte("v")}); err != nil {
								t.Error(err)
							}
						}
					}
				}
				send()
				time.Sleep(time.Second)
				metadata := stormAfter(t, cluster, func() {
					for range 5 {
						send()
						time.Sleep(time.Second)
					}
				})
				for _, pc := range list {
					pc.AsyncClose()
				}
				wg.Wait()
				if slices.Min(counts) != 6 || slices.Max(counts) != 6 {
					t.Errorf("messages consumed: %v", counts)
				}
				if metadata > 5 || metadata == 0 {
					t.Errorf("67 partitions lost their leader: %d metadata requests", metadata)
				}
				t.Logf("%d metadata requests", metadata)
				_ = c.Close()
			})
		})
	}
}
