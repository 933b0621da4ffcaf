package sarama_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// seedDialer leads the name seed:9092 to one of a cluster's brokers.
type seedDialer struct {
	cluster *fakekafka.Cluster
	to      atomic.Int32 // a broker's id
}

func (d *seedDialer) Dial(network, addr string) (net.Conn, error) {
	if addr == "seed:9092" {
		addr = d.cluster.Addrs()[d.to.Load()-1]
	}
	return d.cluster.Dialer().Dial(network, addr)
}

// All brokers of a cluster are replaced by others, at other addresses, behind
// the same name. Producers and consumers that were idle meanwhile, or busy, go
// on with the new ones.
func TestProducerAndConsumerGoOnWithOtherBrokers(t *testing.T) {
	for name, test := range map[string]struct {
		gone func(*fakekafka.Cluster, int32) error
		busy bool
	}{
		"stopped, idle":     {(*fakekafka.Cluster).StopBroker, false},
		"stopped, busy":     {(*fakekafka.Cluster).StopBroker, true},
		"unreachable, idle": {vanish, false},
		"unreachable, busy": {vanish, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := fakekafka.New(t, fakekafka.Options{
					Brokers: 6, InMemory: true,
					Topics: []fakekafka.Topic{{Name: "t", Assignment: [][]int32{{1, 4}, {2, 5}, {3, 6}}}},
				})
				for id := int32(4); id <= 6; id++ {
					must(t, cluster.StopBroker(id))
				}
				seed := &seedDialer{cluster: cluster}
				seed.to.Store(1)
				conf := sarama.NewConfig()
				conf.ClientID = "replaced"
				conf.Version = sarama.MaxVersion
				conf.MetricRegistry = nil
				conf.Net.Proxy.Enable, conf.Net.Proxy.Dialer = true, seed
				conf.Net.DialTimeout, conf.Net.ReadTimeout = 5*time.Second, 5*time.Second
				conf.Producer.Return.Successes = true
				conf.Producer.Partitioner = sarama.NewManualPartitioner
				conf.Producer.Retry.Max = 10
				conf.Consumer.Retry.Backoff = 100 * time.Millisecond
				conf.Consumer.Return.Errors = true
				producer, err := sarama.NewSyncProducer([]string{"seed:9092"}, conf)
				must(t, err)
				consumer, err := sarama.NewConsumer([]string{"seed:9092"}, conf)
				must(t, err)
				var consumed [3]atomic.Int64
				var list []sarama.PartitionConsumer
				var wg sync.WaitGroup
				for id := range int32(3) {
					pc, err := consumer.ConsumePartition("t", id, sarama.OffsetOldest)
					must(t, err)
					list = append(list, pc)
					wg.Go(func() {
						for range pc.Messages() {
							consumed[id].Add(1)
						}
					})
					wg.Go(func() {
						for range pc.Errors() {
						}
					})
				}
				sent := int64(0)
				send := func() {
					for id := range int32(3) {
						if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "t", Partition: id, Value: sarama.StringEncoder("v")}); err != nil {
							t.Error(err)
						}
					}
					sent++
				}
				send()
				time.Sleep(time.Second)

				var writers sync.WaitGroup
				if test.busy {
					writers.Go(func() {
						for range 100 {
							send()
							time.Sleep(50 * time.Millisecond)
						}
					})
				}
				time.Sleep(500 * time.Millisecond)
				for id := int32(1); id <= 3; id++ {
					must(t, cluster.RestartBroker(id+3))
					must(t, cluster.MoveLeader("t", id-1, id+3))
				}
				seed.to.Store(4)
				for id := int32(1); id <= 3; id++ {
					must(t, test.gone(cluster, id))
				}
				writers.Wait()
				time.Sleep(time.Minute)
				send()
				time.Sleep(30 * time.Second)
				for id := range consumed {
					if n := consumed[id].Load(); n != sent {
						t.Errorf("partition %d: %d of %d messages were consumed", id, n, sent)
					}
				}
				must(t, producer.Close())
				for _, pc := range list {
					pc.AsyncClose()
				}
				wg.Wait()
				must(t, consumer.Close())
			})
		})
	}
}

// vanish has a broker take connections, and never say anything again.
func vanish(cluster *fakekafka.Cluster, id int32) error {
	return cluster.SetNetwork(id, fakekafka.NetworkBlackHole)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
