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

// TestCredentialsThatAreRevoked has brokers hang up on a client that works, and
// refuse it from then on: everything says so at once, nothing spins, and
// nothing hangs. Once the client may log in again, what goes on works.
func TestCredentialsThatAreRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := fakekafka.New(t, fakekafka.Options{
			InMemory: true, Brokers: 3, Users: map[string]string{"ann": "secret"}, Topics: []fakekafka.Topic{{Name: "t"}},
		})
		conf := sessionConfig(cluster, sarama.SASLTypePlaintext)
		conf.Producer.Retry.Max, conf.Metadata.Retry.Max = 10, 10
		client, err := sarama.NewClient(cluster.Addrs(), conf)
		must(t, err)
		producer, err := sarama.NewSyncProducerFromClient(client)
		must(t, err)
		consumer, err := sarama.NewConsumerFromClient(client)
		must(t, err)
		pc, err := consumer.ConsumePartition("t", 0, sarama.OffsetOldest)
		must(t, err)
		group, err := sarama.NewConsumerGroupFromClient("g", client)
		must(t, err)
		admin, err := sarama.NewClusterAdminFromClient(client)
		must(t, err)
		send := func() error {
			_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder("v")})
			return err
		}
		must(t, send())
		<-pc.Messages()
		var n atomic.Int64
		consumed := make(chan error, 1)
		go func() { consumed <- group.Consume(context.Background(), []string{"t"}, countingHandler{&n}) }()
		groupErrors := make(chan error, 1000)
		go func() {
			for err := range group.Errors() {
				groupErrors <- err
			}
			close(groupErrors)
		}()
		time.Sleep(10 * time.Second)

		var logins atomic.Int64
		refuse := cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
			if r.API != fakekafka.SaslAuthenticate {
				return nil
			}
			logins.Add(1)
			return &fakekafka.Reply{Err: sarama.ErrSASLAuthenticationFailed}
		})
		for id := range int32(3) {
			cluster.CutConnections(id + 1)
		}
		start := time.Now()
		if err := send(); !errors.Is(err, sarama.ErrSASLAuthenticationFailed) {
			t.Errorf("a message: %v", err)
		}
		if err := client.RefreshMetadata("t"); !errors.Is(err, sarama.ErrSASLAuthenticationFailed) {
			t.Errorf("metadata: %v", err)
		}
		if _, err := client.GetOffset("t", 0, sarama.OffsetNewest); !errors.Is(err, sarama.ErrSASLAuthenticationFailed) {
			t.Errorf("an offset: %v", err)
		}
		if _, err := admin.ListTopics(); !errors.Is(err, sarama.ErrSASLAuthenticationFailed) {
			t.Errorf("topics: %v", err)
		}
		if took := time.Since(start); took > 10*time.Second { // reconnects are up to a second apart (KIP-144)
			t.Errorf("the errors took %v", took)
		}
		for err := range pc.Errors() { // the first is that of the connection
			if errors.Is(err, sarama.ErrSASLAuthenticationFailed) {
				break
			}
		}
		go func() {
			for range pc.Errors() {
			}
		}()
		logins.Store(0)
		time.Sleep(time.Minute)
		if n := logins.Load(); n > 60*7 { // client, producer, consumer, group, each for the brokers it needs, once a second
			t.Errorf("%d attempts to log in, in a minute", n)
		}
		refuse()
		must(t, client.RefreshMetadata("t"))
		must(t, send())
		<-pc.Messages()
		refuse = cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
			if r.API == fakekafka.SaslAuthenticate {
				return &fakekafka.Reply{Err: sarama.ErrSASLAuthenticationFailed}
			}
			return nil
		})
		defer refuse()
		for id := range int32(3) {
			cluster.CutConnections(id + 1)
		}
		start = time.Now()
		must(t, group.Close())
		select {
		case err := <-consumed:
			if err != nil && !errors.Is(err, sarama.ErrSASLAuthenticationFailed) {
				t.Errorf("Consume: %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("Consume did not return")
		}
		told := false
		for err := range groupErrors {
			told = told || errors.Is(err, sarama.ErrSASLAuthenticationFailed)
		}
		if !told {
			t.Error("the group's errors do not say that the client was refused")
		}
		must(t, pc.Close())
		must(t, consumer.Close())
		must(t, producer.Close())
		must(t, client.Close())
		if took := time.Since(start); took > time.Minute {
			t.Errorf("closing took %v", took)
		}
	})
}
