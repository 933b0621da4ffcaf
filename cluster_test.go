package sarama_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// Tests of producers and consumers together, on the embedded cluster.

func clusterConfig() *sarama.Config {
	conf := sarama.NewConfig()
	conf.ClientID = "test"
	conf.Producer.Return.Successes = true
	conf.Producer.Retry.Max, conf.Producer.Retry.Backoff = 1000, 5*time.Millisecond
	conf.Metadata.Retry.Max, conf.Metadata.Retry.Backoff = 1000, 5*time.Millisecond
	conf.Consumer.Retry.Backoff = 5 * time.Millisecond
	conf.Consumer.Return.Errors = true
	return conf
}

// returnsWithin fails the test when f has not returned after a time that no
// machine is too slow for.
func returnsWithin(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(100 * time.Second):
		t.Fatalf("%s did not return", what)
	}
}

// TestProofEveryOffsetIsSeenOnceWhilePartitionsMove is about the second of the
// five failures: a fetch reply applied to a cursor that a metadata refresh is
// moving. Leaders move every few milliseconds, partitions are added and topics
// deleted, while everything is fetched.
func TestProofEveryOffsetIsSeenOnceWhilePartitionsMove(t *testing.T) {
	const partitions, messages = 6, 3000
	cluster := fakekafka.New(t, fakekafka.Options{
		Brokers: 3, Topics: []fakekafka.Topic{{Name: "t", Partitions: partitions}, {Name: "doomed", Partitions: 3}},
	})
	conf := clusterConfig()
	conf.Metadata.RefreshFrequency = 10 * time.Millisecond
	conf.Consumer.Fetch.Default = 500 // many fetches
	conf.Consumer.MaxWaitTime = 20 * time.Millisecond
	client, err := sarama.NewClient(cluster.Addrs(), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()

	stop := make(chan struct{})
	var background, readers sync.WaitGroup
	var moves atomic.Int32
	background.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			for range 2 {
				if err := cluster.MoveLeader("t", rand.Int32N(partitions), 1+rand.Int32N(3)); err != nil {
					t.Error(err)
				}
				moves.Add(1)
			}
			switch i {
			case 5:
				if err := cluster.AddPartitions("t", partitions+2); err != nil {
					t.Error(err)
				}
			case 8:
				if err := cluster.DeleteTopic("doomed"); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for id := range int32(partitions) {
		readers.Go(func() {
			background.Go(func() { // a little at a time, so that fetches and moves meet
				for n := 0; n < messages; n += 10 {
					records := make([]fakekafka.Record, 10)
					for i := range records {
						records[i].Value = fmt.Appendf(nil, "%d", n+i)
					}
					if _, err := cluster.Append("t", id, records...); err != nil {
						t.Error(err)
						return
					}
					time.Sleep(time.Millisecond)
				}
			})
			pc, err := consumer.ConsumePartition("t", id, sarama.OffsetOldest)
			for err != nil { // the leader moved between the question and the answer
				pc, err = consumer.ConsumePartition("t", id, sarama.OffsetOldest)
			}
			for next := int64(0); next < messages; {
				select {
				case m, open := <-pc.Messages():
					if !open {
						t.Errorf("partition %d: closed at offset %d", id, next)
						return
					}
					if m.Offset != next || string(m.Value) != fmt.Sprint(next) {
						t.Errorf("partition %d: offset %d with value %s, want offset %d", id, m.Offset, m.Value, next)
						return
					}
					next++
				case e := <-pc.Errors():
					t.Logf("partition %d: %v", id, e)
				}
			}
			if err := pc.Close(); err != nil {
				t.Log(err)
			}
		})
	}
	for id := range int32(3) {
		pc, err := consumer.ConsumePartition("doomed", id, sarama.OffsetOldest)
		if err != nil {
			continue
		}
		background.Go(func() {
			for {
				select {
				case <-pc.Errors():
				case <-stop:
					_ = pc.Close()
					return
				}
			}
		})
	}
	returnsWithin(t, "reading everything", readers.Wait)
	close(stop)
	returnsWithin(t, "the rest", background.Wait)
	t.Logf("%d moves", moves.Load())
}

// TestNothingIsLostOrReorderedInAStorm produces while leaders move, brokers
// stop and come back, connections are cut and answers fail; then everything is
// read back.
func TestNothingIsLostOrReorderedInAStorm(t *testing.T) {
	for _, idempotent := range []bool{false, true} {
		for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionLZ4} {
			t.Run(fmt.Sprintf("idempotent %v, %v", idempotent, codec), func(t *testing.T) { storm(t, idempotent, codec) })
		}
	}
}

func storm(t *testing.T, idempotent bool, codec sarama.CompressionCodec) {
	const partitions, each = 6, 3000
	cluster := fakekafka.New(t, fakekafka.Options{
		Brokers: 3, Topics: []fakekafka.Topic{{Name: "t", Partitions: partitions, ReplicationFactor: 3}},
	})
	conf := clusterConfig()
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	conf.Producer.RequiredAcks = sarama.WaitForAll
	conf.Producer.Idempotent = idempotent
	conf.Producer.Compression = codec
	conf.Net.ReadTimeout, conf.Producer.Timeout = 500*time.Millisecond, 200*time.Millisecond
	p, err := sarama.NewAsyncProducer(cluster.Addrs(), conf)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(15 * time.Millisecond):
			}
			broker := int32(i%3) + 1
			switch i % 5 {
			case 0, 1:
				_ = cluster.MoveLeader("t", rand.Int32N(partitions), broker)
			case 2:
				cluster.CutConnections(broker)
			case 3:
				cluster.FailProduce("t", rand.Int32N(partitions), sarama.ErrNotEnoughReplicasAfterAppend, 1)
			case 4:
				if err := cluster.StopBroker(broker); err != nil {
					t.Error(err)
				}
				time.Sleep(10 * time.Millisecond)
				if err := cluster.RestartBroker(broker); err != nil {
					t.Error(err)
				}
			}
		}
	})
	var acked atomic.Int32
	wg.Go(func() {
		for range p.Successes() {
			acked.Add(1)
		}
	})
	wg.Go(func() {
		for e := range p.Errors() {
			t.Error(e)
		}
	})
	for n := range each {
		for id := range int32(partitions) {
			p.Input() <- &sarama.ProducerMessage{Topic: "t", Partition: id, Value: sarama.StringEncoder(fmt.Sprint(n))}
		}
		if n%20 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	p.AsyncClose()
	returnsWithin(t, "AsyncClose", func() {
		for acked.Load() < partitions*each && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		close(stop)
		wg.Wait()
	})
	for id := range int32(partitions) {
		checkLog(t, cluster, id, each, idempotent)
	}
}

// checkLog wants a partition to have the messages 0 to n-1 in order; a batch
// that was written twice may be there again, as a whole, where the producer is
// not idempotent.
func checkLog(t *testing.T, cluster *fakekafka.Cluster, id int32, n int, exactlyOnce bool) {
	records, err := cluster.Records("t", id)
	if err != nil {
		t.Fatal(err)
	}
	next, repeats := 0, 0
	for _, r := range records {
		var got int
		if _, err := fmt.Sscan(string(r.Value), &got); err != nil {
			t.Fatal(err)
		}
		switch {
		case got == next:
			next++
		case got < next && !exactlyOnce:
			repeats++
			next = got + 1 // the batch again: what follows must follow
		default:
			t.Fatalf("partition %d, offset %d: message %d, want %d", id, r.Offset, got, next)
		}
	}
	if next != n {
		t.Errorf("partition %d ends at message %d of %d", id, next, n)
	}
	if repeats > 0 {
		t.Logf("partition %d: %d batches twice", id, repeats)
	}
}

func TestEveryCodecIsReadBack(t *testing.T) {
	cluster := fakekafka.New(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "t", Partitions: 1}}})
	offset := int64(0)
	for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD} {
		conf := clusterConfig()
		conf.Producer.Compression = codec
		p, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
		if err != nil {
			t.Fatal(err)
		}
		sent := time.UnixMilli(1700000000123)
		headers := []sarama.RecordHeader{{Key: []byte("h"), Value: []byte("1")}, {Key: []byte("empty"), Value: nil}}
		var msgs []*sarama.ProducerMessage
		for i := range 50 {
			msgs = append(msgs, &sarama.ProducerMessage{
				Topic: "t", Key: sarama.StringEncoder(fmt.Sprint("key", i)), Value: sarama.StringEncoder(fmt.Sprint("value", i)), Headers: headers, Timestamp: sent,
			})
		}
		msgs = append(msgs, &sarama.ProducerMessage{Topic: "t", Key: sarama.StringEncoder("tombstone")})
		if err := p.SendMessages(msgs); err != nil {
			t.Fatal(err)
		}
		_ = p.Close()
		c, err := sarama.NewConsumer(cluster.Addrs(), conf)
		if err != nil {
			t.Fatal(err)
		}
		pc, err := c.ConsumePartition("t", 0, offset)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range msgs {
			m := <-pc.Messages()
			key, _ := want.Key.Encode()
			if m.Offset != offset || string(m.Key) != string(key) || want.Offset != offset {
				t.Fatalf("%v, message %d: offset %d (sent as %d), key %s", codec, i, m.Offset, want.Offset, m.Key)
			}
			offset++
			if want.Value == nil {
				if m.Value != nil || len(m.Headers) != 0 {
					t.Errorf("%v: the tombstone is %q with %v", codec, m.Value, m.Headers)
				}
				continue
			}
			if string(m.Value) != fmt.Sprint("value", i) || !m.Timestamp.Equal(sent) || len(m.Headers) != 2 ||
				string(m.Headers[0].Value) != "1" || m.Headers[1].Value != nil {
				t.Errorf("%v, message %d: %+v", codec, i, m)
			}
		}
		_ = pc.Close()
		_ = c.Close()
	}
}

func TestSendsWithAContext(t *testing.T) {
	cluster := fakekafka.New(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "t", Partitions: 1}}})
	conf := clusterConfig()
	conf.Net.MaxOpenRequests = 1
	p, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	cp, ok := p.(sarama.ContextSyncProducer)
	if !ok {
		t.Fatal("a SyncProducer has no sends with a context")
	}
	msg := &sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder("v")}
	if partition, offset, err := cp.SendMessageContext(t.Context(), msg); partition != 0 || offset != 0 || err != nil || msg.Offset != 0 {
		t.Errorf("%d, %d, %v", partition, offset, err)
	}
	if err := cp.SendMessagesContext(t.Context(), []*sarama.ProducerMessage{msg, msg}); err != nil {
		t.Error(err)
	}
	undo := cluster.Delay(fakekafka.Produce, time.Hour)
	defer undo()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The first is handed to the sender and its outcome is not known; what is
	// sent while that one is out is not handed over, and is not sent.
	var unknown, unsent atomic.Int32
	var wg sync.WaitGroup
	send := func() {
		_, _, err := cp.SendMessageContext(ctx, &sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder("late")})
		switch {
		case !errors.Is(err, context.Canceled):
			t.Errorf("%v does not wrap %v", err, context.Canceled)
		case errors.Is(err, sarama.ErrOutcomeUnknown):
			unknown.Add(1)
		default:
			unsent.Add(1)
		}
	}
	before := cluster.Requests(fakekafka.Produce)
	wg.Go(send)
	returnsWithin(t, "the first request", func() {
		for cluster.Requests(fakekafka.Produce) == before {
			time.Sleep(time.Millisecond)
		}
	})
	for range 19 {
		wg.Go(send)
	}
	time.Sleep(20 * time.Millisecond) // for most to be waiting
	cancel()
	returnsWithin(t, "sends whose context has ended", wg.Wait)
	if unknown.Load() != 1 || unsent.Load() != 19 {
		t.Errorf("%d of unknown outcome, %d not sent", unknown.Load(), unsent.Load())
	}
	undo()
	cluster.CutConnections(1) // the answer that was delayed
	if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder("last")}); err != nil {
		t.Error(err)
	}
	records, err := cluster.Records("t", 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(records) - 4; n > 2*int(unknown.Load()) || n < int(unknown.Load()) {
		t.Errorf("%d late messages were written, %d were of unknown outcome", n, unknown.Load())
	}
}

func TestAnIdleConnectionThatWasClosedIsDialledAgain(t *testing.T) {
	cluster := fakekafka.New(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "t", Partitions: 1}}})
	conf := clusterConfig()
	conf.Producer.Retry.Max = 0 // a failure would be seen
	p, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := range 20 {
		if _, offset, err := p.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder("v")}); err != nil || offset != int64(i) {
			t.Fatalf("send %d: offset %d, %v", i, offset, err)
		}
		cluster.CutConnections(1)
		time.Sleep(20 * time.Millisecond) // idle for long enough to be told
	}
}

func TestMetricsHaveTheNamesOfUpstreamAndGoWithTheirOwners(t *testing.T) {
	cluster := fakekafka.New(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "a.topic", Partitions: 1}}})
	conf := clusterConfig()
	p, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: "a.topic", Value: sarama.StringEncoder("v")}); err != nil {
			t.Fatal(err)
		}
	}
	c, err := sarama.NewConsumer(cluster.Addrs(), conf)
	if err != nil {
		t.Fatal(err)
	}
	pc, err := c.ConsumePartition("a.topic", 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		<-pc.Messages()
	}
	for _, name := range []string{
		"incoming-byte-rate", "outgoing-byte-rate", "request-rate", "response-rate", "request-size", "response-size",
		"request-latency-in-ms", "requests-in-flight", "incoming-byte-rate-for-broker-1", "request-rate-for-broker-1",
		"protocol-requests-rate-0", "protocol-requests-rate-1", "throttle-time-in-ms-for-broker-1", "consumer-fetch-rate",
		"record-send-rate", "record-send-rate-for-topic-a_topic", "batch-size", "batch-size-for-topic-a_topic", "records-per-request",
		"compression-ratio", "compression-ratio-for-topic-a_topic", "consumer-batch-size", "consumer-fetch-response-size",
		"consumer-fetch-rate-for-topic-a_topic",
	} {
		if conf.MetricRegistry.Get(name) == nil {
			t.Errorf("%s is not registered", name)
		}
	}
	if m, ok := conf.MetricRegistry.Get("record-send-rate-for-topic-a_topic").(interface{ Count() int64 }); !ok || m.Count() != 10 {
		t.Errorf("record-send-rate counts %v", m)
	}
	_ = pc.Close()
	_ = c.Close()
	_ = p.Close()
	conf.MetricRegistry.Each(func(name string, _ any) { t.Errorf("%s is still registered", name) })
}
