package sarama_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// sessionWatch counts what a cluster is asked, connection by connection.
type sessionWatch struct {
	mu     sync.Mutex
	logins map[string]int // handshakes by broker and connection
}

func (w *sessionWatch) handle(r *fakekafka.Request) *fakekafka.Reply {
	if r.API == fakekafka.SaslHandshake {
		w.mu.Lock()
		w.logins[fmt.Sprint(r.Broker, "/", r.Connection)]++
		w.mu.Unlock()
	}
	return nil
}

func (w *sessionWatch) seen() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.logins)
}

func sessionConfig(cluster *fakekafka.Cluster, mechanism sarama.SASLMechanism) *sarama.Config {
	conf := sarama.NewConfig()
	conf.ClientID, conf.MetricRegistry = "sessions", nil
	conf.Net.SASL.Enable, conf.Net.SASL.Mechanism, conf.Net.SASL.User, conf.Net.SASL.Password = true, mechanism, "ann", "secret"
	conf.Producer.Return.Successes, conf.Producer.Retry.Max, conf.Metadata.Retry.Max = true, 0, 0
	conf.Producer.Flush.Frequency = time.Millisecond
	conf.Consumer.Return.Errors, conf.Consumer.Offsets.Initial = true, sarama.OffsetOldest
	cluster.Configure(conf)
	return conf
}

// TestSessionsAreRenewedUnderLoad has brokers that hang up on who does not
// authenticate again in time (KIP-368): with producers, consumers, a group and
// an admin at work all the time, nothing fails, though nothing is tried twice, and
// no connection is replaced.
func TestSessionsAreRenewedUnderLoad(t *testing.T) {
	for mechanism, lasts := range map[sarama.SASLMechanism]time.Duration{
		sarama.SASLTypePlaintext: 20 * time.Second, sarama.SASLTypeSCRAMSHA256: 5 * time.Second,
	} {
		t.Run(string(mechanism), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { sessionsUnderLoad(t, mechanism, lasts) })
		})
	}
}

func sessionsUnderLoad(t *testing.T, mechanism sarama.SASLMechanism, lasts time.Duration) {
	const every, lifetime = 10 * time.Millisecond, time.Second
	cluster := fakekafka.New(t, fakekafka.Options{
		InMemory: true, Brokers: 3, Users: map[string]string{"ann": "secret"}, SessionLifetime: lifetime,
		Topics: []fakekafka.Topic{{Name: "t", Partitions: 3}}, Logf: t.Logf,
	})
	watch := &sessionWatch{logins: make(map[string]int)}
	conf := sessionConfig(cluster, mechanism)
	client, err := sarama.NewClient(cluster.Addrs(), conf)
	must(t, err)
	producer, err := sarama.NewAsyncProducerFromClient(client)
	must(t, err)
	consumer, err := sarama.NewConsumerFromClient(client)
	must(t, err)
	group, err := sarama.NewConsumerGroupFromClient("g", client)
	must(t, err)
	admin, err := sarama.NewClusterAdminFromClient(client)
	must(t, err)
	undo := cluster.Handle(watch.handle)
	defer undo()

	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	var consumed, grouped atomic.Int64
	var wg sync.WaitGroup
	produced := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			producer.Input() <- &sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder("v")}
			produced++
			time.Sleep(every)
		}
	})
	for id := range int32(3) {
		pc, err := consumer.ConsumePartition("t", id, sarama.OffsetOldest)
		must(t, err)
		wg.Go(func() {
			for m := range pc.Messages() {
				consumed.Add(1)
				_ = m
			}
		})
		wg.Go(func() {
			for err := range pc.Errors() {
				t.Error(err)
			}
		})
		context.AfterFunc(ctx, func() {
			time.Sleep(time.Second)
			pc.AsyncClose()
		})
	}
	wg.Go(func() {
		for err := range group.Errors() {
			t.Error(err)
		}
	})
	wg.Go(func() {
		late, stop := context.WithTimeout(context.Background(), lasts+time.Second)
		defer stop()
		for late.Err() == nil {
			if err := group.Consume(late, []string{"t"}, countingHandler{&grouped}); err != nil {
				t.Error(err)
			}
		}
		must(t, group.Close())
	})
	wg.Go(func() {
		for ctx.Err() == nil {
			if _, err := admin.ListTopics(); err != nil {
				t.Error(err)
			}
			if _, err := client.GetOffset("t", 0, sarama.OffsetNewest); err != nil {
				t.Error(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	time.Sleep(lifetime) // all are connected, and have renewed their session once
	before := watch.seen()
	<-ctx.Done()
	after := watch.seen()
	producer.AsyncClose()
	acknowledged := 0
	wg.Go(func() {
		for err := range producer.Errors() {
			t.Error(err)
		}
	})
	for range producer.Successes() {
		acknowledged++
	}
	wg.Wait()
	if acknowledged != produced || int(consumed.Load()) != produced || int(grouped.Load()) != produced {
		t.Errorf("%d produced, %d acknowledged, %d consumed, %d consumed by the group", produced, acknowledged, consumed.Load(), grouped.Load())
	}
	for conn := range after {
		if before[conn] == 0 {
			t.Errorf("connection %s was opened under way", conn)
		}
		// Some send no more than a heartbeat every three seconds.
		if n := after[conn] - before[conn]; n < int((lasts-lifetime)/(3*time.Second))-1 {
			t.Errorf("connection %s has authenticated %d times again", conn, n)
		}
	}
	must(t, client.Close())
}

type countingHandler struct{ n *atomic.Int64 }

func (countingHandler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (countingHandler) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (h countingHandler) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for m := range c.Messages() {
		h.n.Add(1)
		s.MarkMessage(m, "")
	}
	return nil
}

// sessionOfASecond is a broker whose sessions last that long, and that was asked
// something just now.
func sessionOfASecond(t *testing.T, mechanism sarama.SASLMechanism, watch func(*fakekafka.Request) *fakekafka.Reply) (*fakekafka.Cluster, *sarama.Broker) {
	t.Helper()
	cluster := fakekafka.New(t, fakekafka.Options{InMemory: true, Users: map[string]string{"ann": "secret"}, SessionLifetime: time.Second})
	if watch != nil {
		cluster.Handle(watch)
	}
	b := sarama.NewBroker(cluster.Addrs()[0])
	must(t, b.Open(sessionConfig(cluster, mechanism)))
	_, err := b.GetMetadata(&sarama.MetadataRequest{Version: 9})
	must(t, err)
	return cluster, b
}

// TestIdleSessionsAreRenewedByTheNextRequest: nobody authenticates again for
// nobody's sake; a request long after the session's end does.
func TestIdleSessionsAreRenewedByTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watch := &sessionWatch{logins: make(map[string]int)}
		_, b := sessionOfASecond(t, sarama.SASLTypeSCRAMSHA256, watch.handle)
		time.Sleep(time.Minute)
		for n := 2; n <= 4; n++ {
			if _, err := b.GetMetadata(&sarama.MetadataRequest{Version: 9}); err != nil {
				t.Fatal(err)
			}
			seen := watch.seen()
			if len(seen) != 1 {
				t.Fatalf("connections %v", seen)
			}
			for _, logins := range seen {
				if logins != n {
					t.Errorf("authenticated %d times, want %d", logins, n)
				}
			}
			time.Sleep(time.Minute)
		}
		must(t, b.Close())
	})
}

// TestSessionThatIsNotRenewed ends the link with the reason, once; a request is
// neither written nor left waiting.
func TestSessionThatIsNotRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster, b := sessionOfASecond(t, sarama.SASLTypePlaintext, nil)
		var metadata atomic.Int32
		undo := cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
			switch r.API {
			case fakekafka.SaslAuthenticate:
				return &fakekafka.Reply{Err: sarama.ErrSASLAuthenticationFailed}
			case fakekafka.Metadata:
				metadata.Add(1)
			}
			return nil
		})
		defer undo()
		time.Sleep(2 * time.Second)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := b.GetMetadata(&sarama.MetadataRequest{Version: 9}); !errors.Is(err, sarama.ErrSASLAuthenticationFailed) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := metadata.Load(); n != 0 {
			t.Errorf("%d requests were sent", n)
		}
		_ = b.Close()
	})
}

// TestRenewalWaitsForNobodyWhoIsGone closes a broker that does not answer while
// a request waits for the renewal.
func TestRenewalWaitsForNobodyWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster, b := sessionOfASecond(t, sarama.SASLTypePlaintext, nil)
		undo := cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
			if r.API == fakekafka.SaslHandshake {
				return &fakekafka.Reply{Action: fakekafka.Drop}
			}
			return nil
		})
		defer undo()
		time.Sleep(2 * time.Second)
		asked := make(chan error, 1)
		go func() {
			_, err := b.GetMetadata(&sarama.MetadataRequest{Version: 9})
			asked <- err
		}()
		synctest.Wait() // it waits for the renewal
		start := time.Now()
		must(t, b.Close())
		if err := <-asked; !errors.Is(err, sarama.ErrNotConnected) {
			t.Error(err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("Close took %v", took)
		}
	})
}
