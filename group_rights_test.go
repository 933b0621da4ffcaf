package sarama_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

type rightsHandler struct{ read atomic.Int64 }

func (*rightsHandler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*rightsHandler) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (h *rightsHandler) ConsumeClaim(_ sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for range claim.Messages() {
		h.read.Add(1)
	}
	return nil
}

// A program that calls Consume in a loop does not ask, and does not have the
// whole group rebalance, more often than every Rebalance.Retry.Backoff while a
// right is wanting. It is told which at once, and goes on when it is given.
func TestConsumeInALoopWithoutRights(t *testing.T) {
	const (
		lacking = time.Minute
		joining = fakekafka.API(11)
		beating = fakekafka.API(68)
		stored  = fakekafka.API(9)
	)
	topic, group := sarama.ErrTopicAuthorizationFailed, sarama.ErrGroupAuthorizationFailed
	classic, newer := sarama.ConsumerGroupProtocolClassic, sarama.ConsumerGroupProtocolConsumer
	for _, test := range []struct {
		name     string
		protocol sarama.ConsumerGroupProtocol
		want     sarama.KError
		deny     func(*fakekafka.Cluster) (undo func())
	}{
		{"to see the topic", classic, topic, func(c *fakekafka.Cluster) func() { return c.Fail(fakekafka.Metadata, "t", -1, topic, -1) }},
		{"to find the group", classic, group, func(c *fakekafka.Cluster) func() { return c.FailRequest(fakekafka.FindCoordinator, group, -1) }},
		{"to join", classic, group, func(c *fakekafka.Cluster) func() { return c.FailRequest(joining, group, -1) }},
		{"to join, newer", newer, group, func(c *fakekafka.Cluster) func() { return c.FailRequest(beating, group, -1) }},
		{"to see the topic, newer", newer, topic, func(c *fakekafka.Cluster) func() { return c.FailRequest(beating, topic, -1) }},
		{"to know offsets", classic, group, func(c *fakekafka.Cluster) func() { return c.FailRequest(stored, group, -1) }},
		{"to know offsets, newer", newer, group, func(c *fakekafka.Cluster) func() { return c.FailRequest(stored, group, -1) }},
		{"to read", classic, topic, func(c *fakekafka.Cluster) func() { return c.Fail(fakekafka.ListOffsets, "t", 0, topic, -1) }},
		{"to read, newer", newer, topic, func(c *fakekafka.Cluster) func() { return c.Fail(fakekafka.ListOffsets, "t", 0, topic, -1) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := fakekafka.New(t, fakekafka.Options{InMemory: true, Topics: []fakekafka.Topic{{Name: "t", Partitions: 1}}})
				if _, err := cluster.Append("t", 0, fakekafka.Record{Value: []byte("x")}); err != nil {
					t.Fatal(err)
				}
				conf := clusterConfig()
				cluster.Configure(conf)
				conf.Version, conf.Consumer.Offsets.Initial = sarama.MaxVersion, sarama.OffsetOldest
				conf.Consumer.Group.Protocol = test.protocol
				var asked, refused atomic.Int64
				cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
					asked.Add(1)
					return nil
				})
				undo := test.deny(cluster)
				g, err := sarama.NewConsumerGroup(cluster.Addrs(), "g", conf)
				if err != nil {
					t.Fatal(err)
				}
				note := func(err error) {
					if refused.Add(1); !errors.Is(err, test.want) {
						t.Errorf("%v, want %v", err, test.want)
					}
				}
				told := make(chan struct{})
				go func() {
					defer close(told)
					for err := range g.Errors() {
						note(err)
					}
				}()
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				h := new(rightsHandler)
				go func() {
					defer close(done)
					for ctx.Err() == nil && asked.Load() < 1e5 {
						if err := g.Consume(ctx, []string{"t"}, h); err != nil && ctx.Err() == nil {
							note(err)
						}
					}
				}()
				time.Sleep(conf.Consumer.Group.Rebalance.Retry.Backoff / 2)
				if refused.Load() == 0 {
					t.Error("the first refusal is not told at once")
				}
				time.Sleep(lacking)
				rounds := int64(lacking/conf.Consumer.Group.Rebalance.Retry.Backoff) + 2
				if n := asked.Load(); n > 20*rounds || refused.Load() > rounds {
					t.Errorf("%d requests and %d refusals in %v", n, refused.Load(), lacking)
				}
				undo()
				time.Sleep(lacking / 4)
				if n := h.read.Load(); n != 1 {
					t.Errorf("with the right %d messages were read", n)
				}
				cancel()
				<-done
				if err := g.Close(); err != nil {
					t.Error(err)
				}
				<-told
			})
		})
	}
}

// The wait for a right ends with the context, and with the group.
func TestConsumeThatWaitsForARightEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fakekafka.New(t, fakekafka.Options{InMemory: true, Topics: []fakekafka.Topic{{Name: "t", Partitions: 1}}})
		conf := clusterConfig()
		cluster.Configure(conf)
		conf.Consumer.Group.Rebalance.Retry.Backoff = time.Hour
		cluster.Fail(fakekafka.Metadata, "t", -1, sarama.ErrTopicAuthorizationFailed, -1)
		g, err := sarama.NewConsumerGroup(cluster.Addrs(), "g", conf)
		if err != nil {
			t.Fatal(err)
		}
		begin, h := time.Now(), new(rightsHandler)
		if err := g.Consume(t.Context(), []string{"t"}, h); !errors.Is(err, sarama.ErrTopicAuthorizationFailed) {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Consume(ctx, []string{"t"}, h); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.AfterFunc(time.Second, func() { _ = g.Close() })
		if err := g.Consume(t.Context(), []string{"t"}, h); !errors.Is(err, sarama.ErrClosedConsumerGroup) {
			t.Error(err)
		}
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		_ = g.Close()
	})
}
