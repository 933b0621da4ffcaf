package fakekafka_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// A client in a bubble: whatever the cluster does takes the time that the
// configuration says, and nothing stays behind.
func TestClientInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fakekafka.New(t, three())
		conf := config(cluster)
		conf.Metadata.Retry.Max, conf.Metadata.Retry.Backoff = 3, 250*time.Millisecond
		client, err := sarama.NewClient(cluster.Addrs(), conf)
		must(t, err)
		defer client.Close()
		must(t, cluster.MoveLeader("t", 0, 3))
		must(t, client.RefreshMetadata("t"))
		leader, epoch, err := client.LeaderAndEpoch("t", 0)
		must(t, err)
		if leader.ID() != 3 || epoch != 1 {
			t.Fatalf("leader %d in epoch %d", leader.ID(), epoch)
		}
		must(t, cluster.StopBroker(3))
		go func() {
			time.Sleep(600 * time.Millisecond)
			_ = cluster.RestartBroker(3)
		}()
		start := time.Now()
		must(t, client.RefreshMetadata("t"))
		if took := time.Since(start); took != 750*time.Millisecond {
			t.Fatalf("the leader was back after %v", took)
		}
		for id := range int32(3) {
			must(t, cluster.SetNetwork(id+1, fakekafka.NetworkBlackHole))
		}
		start = time.Now()
		if err := client.RefreshMetadata("t"); !errors.Is(err, sarama.ErrOutOfBrokers) {
			t.Fatalf("metadata from a black hole: %v", err)
		}
		t.Logf("gave up after %v", time.Since(start))
	})
}

// A client whose versions are those of an older release gets by.
func TestClientOfEveryRelease(t *testing.T) {
	for _, version := range sarama.SupportedVersions {
		if !version.IsAtLeast(sarama.V0_11_0_0) {
			continue
		}
		opts := one()
		opts.Version = version
		cluster := fakekafka.New(t, opts)
		for _, own := range []sarama.KafkaVersion{version, sarama.MaxVersion} {
			conf := config(cluster)
			conf.Version = own
			client, err := sarama.NewClient(cluster.Addrs(), conf)
			if err != nil {
				t.Fatalf("client %v, cluster %v: %v", own, version, err)
			}
			if offset, err := client.GetOffset("t", 0, sarama.OffsetNewest); err != nil || offset != 0 {
				t.Errorf("client %v, cluster %v: offset %d, %v", own, version, offset, err)
			}
			if id, err := client.InitProducerID(); err != nil || id.ProducerID < 1 {
				t.Errorf("client %v, cluster %v: producer id %+v, %v", own, version, id, err)
			}
			if _, err := client.Coordinator("g"); err != nil {
				t.Errorf("client %v, cluster %v: coordinator: %v", own, version, err)
			}
			must(t, client.Close())
		}
	}
}
