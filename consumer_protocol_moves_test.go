package sarama_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// Leaders and preferred replicas move all the time, replicas lag behind, fetch
// sessions are dropped, connections cut, partitions paused, replies are late;
// and yet each message comes once and in its turn.
func TestConsumerOrderSurvivesMovesOfLeadersReplicasAndSessions(t *testing.T) {
	for _, version := range []sarama.KafkaVersion{sarama.V2_3_0_0, sarama.V2_8_0_0, sarama.MaxVersion} {
		t.Run(version.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testConsumerOrderOverMoves(t, version) })
		})
	}
}

func testConsumerOrderOverMoves(t *testing.T, version sarama.KafkaVersion) {
	const partitions, brokers = 6, 3
	moves := 1500
	if testing.Short() {
		moves = 500
	}
	cluster := fakekafka.New(t, fakekafka.Options{
		Brokers: brokers, InMemory: true, Racks: []string{"a", "b", "c"}, Version: version,
		Topics: []fakekafka.Topic{
			{Name: "t", Partitions: partitions / 2, ReplicationFactor: brokers}, {Name: "u", Partitions: partitions / 2, ReplicationFactor: brokers},
		},
	})
	var sessions, incremental, followers atomic.Int64
	cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
		req, ok := r.Body.(*sarama.FetchRequest)
		if !ok {
			return nil
		}
		switch {
		case req.SessionEpoch == 0:
			sessions.Add(1)
		case req.SessionEpoch > 0:
			incremental.Add(1)
		}
		for _, p := range r.Partitions() {
			if leader, _, err := cluster.Leader(p.Topic, p.Partition); err == nil && leader != r.Broker {
				followers.Add(1)
			}
		}
		// On its way while everything moves.
		return &fakekafka.Reply{AnswerDelay: time.Duration(rand.IntN(3000)) * time.Microsecond}
	})
	conf := sarama.NewConfig()
	conf.Version, conf.RackID, conf.MetricRegistry, conf.ClientID = version, "b", nil, "test"
	cluster.Configure(conf)
	conf.Consumer.Retry.Backoff = time.Millisecond
	conf.Metadata.RefreshFrequency = 50 * time.Millisecond // which is the lease of a replica, too
	conf.Consumer.Fetch.Default = 2000
	conf.ChannelBufferSize = 8
	c, err := sarama.NewConsumer(cluster.Addrs(), conf)
	if err != nil {
		t.Fatal(err)
	}
	at := func(i int32) (string, int32) { return []string{"t", "u"}[i%2], i / 2 }
	done := make(chan struct{})
	var writer, readers sync.WaitGroup
	writer.Go(func() {
		for n := 0; ; n += 20 {
			for i := range int32(partitions) {
				topic, partition := at(i)
				var records []fakekafka.Record
				for j := range 20 {
					records = append(records, fakekafka.Record{Value: fmt.Append(nil, n+j)})
				}
				if _, err := cluster.Append(topic, partition, records...); err != nil {
					t.Error(err)
				}
			}
			select {
			case <-done:
				return
			case <-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond):
			}
		}
	})
	var ends [partitions]atomic.Int64
	for i := range int32(partitions) {
		ends[i].Store(-1)
		topic, partition := at(i)
		pc, err := c.ConsumePartition(topic, partition, sarama.OffsetOldest)
		if err != nil {
			t.Fatal(err)
		}
		readers.Go(func() {
			defer func() { _ = pc.Close() }()
			for next := int64(0); next != ends[i].Load(); {
				select {
				case m := <-pc.Messages():
					if m == nil || m.Offset != next || string(m.Value) != fmt.Sprint(next) {
						t.Errorf("%s/%d: got %+v, want offset %d", topic, partition, m, next)
						return
					}
					next++
					if next%1000 == 0 {
						pc.Pause()
						time.Sleep(time.Millisecond)
						pc.Resume()
					}
				case <-time.After(time.Second):
				}
			}
		})
	}
	for range moves {
		topic, partition := at(rand.Int32N(partitions))
		broker := 1 + rand.Int32N(brokers)
		switch rand.IntN(8) {
		case 0, 1:
			err = cluster.MoveLeader(topic, partition, broker)
		case 2, 3, 4:
			err = cluster.PreferReplica(topic, partition, rand.Int32N(brokers+1))
		case 5:
			cluster.DropFetchSessions(broker)
		case 6:
			_, end, _ := cluster.Offsets(topic, partition)
			err = cluster.SetReplicaEnd(topic, partition, broker, max(-1, end-rand.Int64N(30)))
			time.AfterFunc(5*time.Millisecond, func() { _ = cluster.SetReplicaEnd(topic, partition, broker, -1) })
		case 7:
			if rand.IntN(10) == 0 {
				cluster.CutConnections(broker)
			}
		}
		if err != nil {
			t.Error(err)
		}
		time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
	}
	close(done)
	writer.Wait()
	for i := range int32(partitions) {
		topic, partition := at(i)
		_, end, err := cluster.Offsets(topic, partition)
		if err != nil {
			t.Error(err)
		}
		ends[i].Store(end)
	}
	readers.Wait()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if sessions.Load() < 30 || incremental.Load() < 200 || followers.Load() < 30 {
		t.Errorf("only %d sessions, %d incremental fetches, %d partitions asked of followers", sessions.Load(), incremental.Load(), followers.Load())
	}
	t.Logf("%d sessions, %d incremental fetches, %d partitions asked of followers", sessions.Load(), incremental.Load(), followers.Load())
}
