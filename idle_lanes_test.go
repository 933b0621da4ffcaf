package sarama_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// Producers and consumers have connections of their own, which brokers close
// when nothing is sent for long. That is no failure of anything.
func TestIdleConnectionsOfProducersAndConsumersAreDialledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fakekafka.New(t, fakekafka.Options{InMemory: true, Topics: []fakekafka.Topic{{Name: "t"}}})
		conf := sarama.NewConfig()
		conf.ClientID = "idle"
		conf.MetricRegistry = nil
		conf.Metadata.RefreshFrequency = 0
		conf.Metadata.Retry.Max = 0
		conf.Producer.Return.Successes = true
		conf.Producer.Retry.Max = 0
		conf.Consumer.Retry.Max = 1
		conf.Consumer.Retry.Backoff = time.Hour
		conf.Consumer.Return.Errors = true
		cluster.Configure(conf)
		producer, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
		must(t, err)
		consumer, err := sarama.NewConsumer(cluster.Addrs(), conf)
		must(t, err)
		pc, err := consumer.ConsumePartition("t", 0, sarama.OffsetOldest)
		must(t, err)
		for i := range int64(3) {
			start := time.Now()
			_, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder("v")})
			if err != nil || offset != i {
				t.Errorf("message %d: offset %d, %v", i, offset, err)
			}
			select {
			case m := <-pc.Messages():
				if m.Offset != i {
					t.Errorf("got message %d, want %d", m.Offset, i)
				}
			case err := <-pc.Errors():
				t.Fatal(err)
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("message %d took %v", i, took)
			}
			pc.Pause()
			time.Sleep(time.Hour)
			if n := cluster.CutConnections(1); n == 0 {
				t.Error("nothing was connected")
			}
			synctest.Wait()
			pc.Resume()
		}
		must(t, producer.Close())
		must(t, pc.Close())
		must(t, consumer.Close())
	})
}
