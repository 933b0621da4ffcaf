package sarama_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rcrowley/go-metrics"

	"github.com/IBM/sarama"
)

// runFunctional runs all functional tests against one cluster.
func runFunctional(t *testing.T, s *site) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *site)
	}{
		{"what was produced is consumed", functionalRoundTrip},
		{"every version of Kafka", functionalVersions},
		{"without acknowledgement", functionalNoAcks},
		{"order and offsets of many messages", functionalOrder},
		{"batches that are too large", functionalTooLarge},
		{"leaders that move", functionalMovingLeaders},
		{"offsets", functionalOffsets},
		{"where to begin", functionalBegin},
		{"metadata", functionalMetadata},
		{"topics that are created again", functionalAgain},
		{"sticky partitioners", functionalSticky},
		{"the closest replica", functionalReplica},
		{"a consumer of a topic that is created again", functionalConsumeAgain},
		{"offsets that the log does not have", functionalReset},
		{"consumer groups", functionalGroup},
		{"consumer groups of every version of Kafka", functionalGroupVersions},
		{"static members", functionalStaticMember},
		{"offset management", functionalOffsetManager},
		{"transactions", functionalTxn},
		{"transactions of many messages", functionalTxnAsync},
		{"a transactional id that another producer takes over", functionalTxnFencing},
		{"transactions in which a message fails", functionalTxnFailure},
		{"transactions that time out", functionalTxnTimeout},
		{"offsets in transactions", functionalTxnOffsets},
		{"transactions while brokers stop", functionalTxnBrokers},
		{"what coordinators of transactions answer", functionalTxnCoordinator},
		{"admin", functionalAdmin},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

var allCodecs = []sarama.CompressionCodec{
	sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD,
}

// functionalRoundTrip has every kind of record come back as it was, with each
// codec, idempotent and not.
func functionalRoundTrip(t *testing.T, s *site) {
	long := strings.Repeat("compressible ", 20_000)
	when := time.UnixMilli(1_700_000_000_123)
	for _, codec := range allCodecs {
		for _, idempotent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, idempotent %v", codec, idempotent), func(t *testing.T) {
				conf := s.config()
				conf.Producer.Compression, conf.Producer.Idempotent = codec, idempotent
				topic := s.topic(t, 1, nil)
				sent := []*sarama.ProducerMessage{
					{Key: sarama.StringEncoder("key"), Value: sarama.StringEncoder("value"), Timestamp: when},
					{Key: sarama.StringEncoder("tombstone"), Timestamp: when.Add(-time.Hour)},
					{Key: sarama.StringEncoder(""), Value: sarama.StringEncoder(""), Timestamp: when},
					{Value: sarama.StringEncoder(long), Timestamp: when.Add(time.Second)},
					{Value: sarama.StringEncoder("headers"), Timestamp: when, Headers: []sarama.RecordHeader{
						{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("a"), Value: []byte{}}, {Key: []byte("\xff\x00"), Value: []byte("2")},
					}},
				}
				for _, m := range sent {
					m.Topic = topic
				}
				s.produce(t, conf, sent)
				for i, got := range s.consume(t, conf, topic, 0, sarama.OffsetOldest, len(sent)) {
					want := sent[i]
					if want.Offset != int64(i) || got.Offset != want.Offset || got.Partition != 0 || got.Topic != topic || !got.Timestamp.Equal(want.Timestamp) {
						t.Errorf("message %d: sent to %d, read from %s/%d/%d of %v", i, want.Offset, got.Topic, got.Partition, got.Offset, got.Timestamp)
					}
					if !sameBytes(want.Key, got.Key) || !sameBytes(want.Value, got.Value) {
						t.Errorf("message %d: key %q, %d bytes of value", i, got.Key, len(got.Value))
					}
					if !slices.EqualFunc(want.Headers, got.Headers, func(a sarama.RecordHeader, b *sarama.RecordHeader) bool {
						return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value)
					}) {
						t.Errorf("message %d: headers %v", i, got.Headers)
					}
				}
			})
		}
	}
}

func sameBytes(e sarama.Encoder, got []byte) bool {
	if e == nil {
		return got == nil
	}
	want, err := e.Encode()
	return err == nil && got != nil && bytes.Equal(want, got)
}

// functionalVersions produces and consumes as programs do that were configured
// for some version of Kafka since 0.11.
func functionalVersions(t *testing.T, s *site) {
	topic := s.topic(t, 1, nil)
	from := int64(0)
	for _, version := range sarama.SupportedVersions {
		if !version.IsAtLeast(sarama.V0_11_0_0) {
			continue
		}
		conf := s.config()
		conf.Version = version
		conf.Producer.Idempotent = true
		value := version.String()
		s.produce(t, conf, []*sarama.ProducerMessage{{Topic: topic, Value: sarama.StringEncoder(value)}})
		if m := s.consume(t, conf, topic, 0, from, 1)[0]; string(m.Value) != value {
			t.Errorf("%s: read %s", value, m.Value)
		}
		from++
	}
}

func functionalNoAcks(t *testing.T, s *site) {
	topic := s.topic(t, 1, nil)
	conf := s.config()
	conf.Producer.RequiredAcks = sarama.NoResponse
	s.produce(t, conf, numberedMessages(topic, 1, 100))
	for i, m := range s.consume(t, conf, topic, 0, sarama.OffsetOldest, 100) {
		if string(m.Value) != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, m.Value)
		}
	}
}

// functionalOrder sends messages to several partitions through the channels of
// an AsyncProducer.
func functionalOrder(t *testing.T, s *site) {
	const partitions, messages = 6, 20_000
	topic := s.topic(t, partitions, nil)
	conf := s.config()
	conf.Producer.Partitioner, conf.Producer.Idempotent = sarama.NewManualPartitioner, true
	conf.Producer.Compression = sarama.CompressionZSTD
	p, err := sarama.NewAsyncProducer(s.addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for _, m := range numberedMessages(topic, partitions, messages) {
			p.Input() <- m
		}
		p.AsyncClose()
	}()
	n := 0
	var next [partitions]int64
	for m := range p.Successes() {
		if m.Offset != next[m.Partition] {
			t.Fatalf("partition %d: offset %d, want %d", m.Partition, m.Offset, next[m.Partition])
		}
		next[m.Partition]++
		n++
	}
	for e := range p.Errors() {
		t.Error(e)
	}
	if n != messages {
		t.Errorf("%d successes", n)
	}
	for id := range int32(partitions) {
		for i, m := range s.consume(t, conf, topic, id, sarama.OffsetOldest, int(next[id])) {
			if want := fmt.Sprint(i*partitions + int(id)); string(m.Value) != want {
				t.Fatalf("partition %d: message %d is %s, want %s", id, i, m.Value, want)
			}
		}
	}
}

// functionalTooLarge sends batches that are larger than the topic takes, and
// one message that is.
func functionalTooLarge(t *testing.T, s *site) {
	for _, idempotent := range []bool{false, true} {
		topic := s.topic(t, 1, map[string]string{"max.message.bytes": "2000"})
		conf := s.config()
		conf.Producer.Idempotent = idempotent
		conf.Producer.Flush.Messages = 250
		msgs := numberedMessages(topic, 1, 1000)
		msgs[300].Value = sarama.StringEncoder(strings.Repeat("x", 3000))
		p, err := sarama.NewSyncProducer(s.addrs, conf)
		if err != nil {
			t.Fatal(err)
		}
		var failed sarama.ProducerErrors
		if err := p.SendMessages(msgs); !errors.As(err, &failed) || len(failed) != 1 || failed[0].Msg != msgs[300] || !errors.Is(failed[0], sarama.ErrMessageSizeTooLarge) {
			t.Errorf("idempotent %v: %v", idempotent, err)
		}
		returnsWithin(t, "Close", func() { _ = p.Close() })
		for i, m := range s.consume(t, conf, topic, 0, sarama.OffsetOldest, 999) {
			if i >= 300 {
				i++
			}
			if string(m.Value) != fmt.Sprint(i) {
				t.Fatalf("idempotent %v: message %d is %.20s", idempotent, i, m.Value)
			}
		}
	}
}

// functionalMovingLeaders produces and consumes while leaders move.
func functionalMovingLeaders(t *testing.T, s *site) {
	if s.brokers == 1 {
		t.Skip("there is one broker")
	}
	const messages = 3000
	topic := s.topic(t, chaosPartitions, nil)
	conf := s.config()
	conf.Producer.Partitioner, conf.Producer.Idempotent = sarama.NewManualPartitioner, true
	consumer, err := sarama.NewConsumerFromClient(s.client(t, conf))
	if err != nil {
		t.Fatal(err)
	}
	pc := consumeEventually(t, consumer, topic, 0, sarama.OffsetOldest)
	p, err := sarama.NewSyncProducer(s.addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		if i%500 == 250 {
			s.moveLeaders(t, topic, i/500)
		}
		if _, offset, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprint(i))}); err != nil || offset != int64(i) {
			t.Fatalf("message %d: offset %d, %v", i, offset, err)
		}
	}
	for i, m := range readMessages(t, pc, messages) {
		if string(m.Value) != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, m.Value)
		}
	}
	returnsWithin(t, "Close", func() {
		_ = pc.Close()
		_ = consumer.Close()
		_ = p.Close()
	})
}

// consumeEventually consumes a partition of a topic that is new: brokers learn
// of its leader one after another.
func consumeEventually(t *testing.T, c sarama.Consumer, topic string, partition int32, offset int64) (pc sarama.PartitionConsumer) {
	t.Helper()
	eventually(t, "consuming "+topic, func() (err error) {
		pc, err = c.ConsumePartition(topic, partition, offset)
		return err
	})
	return pc
}

// moveLeaders makes another broker lead each partition.
func (s *site) moveLeaders(t *testing.T, topic string, turn int) {
	t.Helper()
	if s.fake == nil {
		s.reassign(t, topic, turn)
		return
	}
	for id := range int32(chaosPartitions) {
		if err := s.fake.MoveLeader(topic, id, 1+(int32(turn)+id)%int32(s.brokers)); err != nil {
			t.Error(err)
		}
	}
}

func functionalOffsets(t *testing.T, s *site) {
	topic := s.topic(t, 2, nil)
	conf := s.config()
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	start := time.UnixMilli(1_700_000_000_000)
	msgs := numberedMessages(topic, 1, 10)
	for i, m := range msgs {
		m.Timestamp = start.Add(time.Duration(i) * time.Minute)
	}
	s.produce(t, conf, msgs)
	c := s.client(t, conf)
	for _, q := range []struct {
		name      string
		partition int32
		at        int64
		want      int64
	}{
		{"oldest", 0, sarama.OffsetOldest, 0},
		{"newest", 0, sarama.OffsetNewest, 10},
		{"newest of an empty one", 1, sarama.OffsetNewest, 0},
		{"at a message's time", 0, start.Add(4 * time.Minute).UnixMilli(), 4},
		{"between two", 0, start.Add(4*time.Minute + 1).Add(time.Second).UnixMilli(), 5},
		{"before all", 0, start.Add(-time.Hour).UnixMilli(), 0},
		{"after all", 0, start.Add(time.Hour).UnixMilli(), -1},
	} {
		if got, err := c.GetOffset(topic, q.partition, q.at); err != nil || got != q.want {
			t.Errorf("%s: %d, %v, want %d", q.name, got, err, q.want)
		}
	}
}

// functionalBegin consumes from each kind of offset.
func functionalBegin(t *testing.T, s *site) {
	topic := s.topic(t, 1, nil)
	conf := s.config()
	s.produce(t, conf, numberedMessages(topic, 1, 10))
	consumer, err := sarama.NewConsumerFromClient(s.client(t, conf))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	for _, from := range []struct {
		offset int64
		want   string
		later  bool // it comes when the partition is consumed already
	}{
		{sarama.OffsetOldest, "0", false}, {4, "4", false}, {9, "9", false},
		{sarama.OffsetNewest, "10", true}, {10, "10", false}, {11, "11", true},
	} {
		pc := consumeEventually(t, consumer, topic, 0, from.offset)
		if _, err := consumer.ConsumePartition(topic, 0, from.offset); err == nil {
			t.Error("a partition was consumed twice")
		}
		if from.later {
			s.produce(t, conf, []*sarama.ProducerMessage{{Topic: topic, Value: sarama.StringEncoder(from.want)}})
		}
		if m := readMessages(t, pc, 1)[0]; string(m.Value) != from.want {
			t.Errorf("offset %d: read %s, want %s", from.offset, m.Value, from.want)
		}
		if err := pc.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, offset := range []int64{13, 1000, -3} {
		if _, err := consumer.ConsumePartition(topic, 0, offset); !errors.Is(err, sarama.ErrOffsetOutOfRange) {
			t.Errorf("offset %d: %v", offset, err)
		}
	}
	if _, err := consumer.ConsumePartition(topic, 7, 0); err == nil {
		t.Error("a partition that is not there was consumed")
	}
}

func functionalMetadata(t *testing.T, s *site) {
	topic := s.topic(t, 5, nil)
	c := s.client(t, nil)
	eventually(t, "listing the topic", func() error {
		if err := c.RefreshMetadata(); err != nil {
			return err
		}
		topics, err := c.Topics()
		if err != nil || !slices.Contains(topics, topic) {
			return fmt.Errorf("topics %v, %w", topics, err)
		}
		return nil
	})
	if ids, err := c.Partitions(topic); err != nil || !slices.Equal(ids, []int32{0, 1, 2, 3, 4}) {
		t.Errorf("partitions %v, %v", ids, err)
	}
	for id := range int32(5) {
		leader, err := c.Leader(topic, id)
		if err != nil {
			t.Error(err)
			continue
		}
		replicas, err := c.Replicas(topic, id)
		if err != nil || len(replicas) != s.brokers || !slices.Contains(replicas, leader.ID()) {
			t.Errorf("partition %d: leader %d, replicas %v, %v", id, leader.ID(), replicas, err)
		}
		if ok, err := leader.Connected(); !ok || err != nil {
			t.Errorf("partition %d: leader is not connected: %v", id, err)
		}
	}
	if b, err := c.Controller(); err != nil || b == nil {
		t.Errorf("controller %v, %v", b, err)
	}
	if n := len(c.Brokers()); n != s.brokers {
		t.Errorf("%d brokers", n)
	}
	if _, err := c.Partitions("no-such-topic"); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		t.Error(err)
	}
	if err := c.RefreshMetadata("not a topic"); !errors.Is(err, sarama.ErrInvalidTopic) && !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		t.Error(err)
	}
}

// functionalAgain deletes a topic and creates it again while a producer goes
// on.
func functionalAgain(t *testing.T, s *site) {
	for _, idempotent := range []bool{false, true} {
		topic := s.topic(t, 1, nil)
		conf := s.config()
		conf.Producer.Idempotent = idempotent
		conf.Producer.Retry.Max, conf.Metadata.Retry.Max = 100, 100
		p, err := sarama.NewSyncProducer(s.addrs, conf)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.SendMessages(numberedMessages(topic, 1, 10)); err != nil {
			t.Fatal(err)
		}
		c := s.client(t, nil)
		b, err := c.Controller()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.DeleteTopics(sarama.NewDeleteTopicsRequest(conf.Version, []string{topic}, 30*time.Second))
		if err != nil || resp.TopicErrorCodes[topic] != sarama.ErrNoError {
			t.Fatal(resp, err)
		}
		eventually(t, "deleting "+topic, func() error {
			if err := c.RefreshMetadata(topic); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
				return fmt.Errorf("still there: %w", err)
			}
			return nil
		})
		s.create(t, topic, 1, nil)
		if err := p.SendMessages(numberedMessages(topic, 1, 20)); err != nil {
			t.Errorf("idempotent %v: %v", idempotent, err)
		}
		returnsWithin(t, "Close", func() { _ = p.Close() })
		for i, m := range s.consume(t, nil, topic, 0, sarama.OffsetOldest, 20) {
			if string(m.Value) != fmt.Sprint(i) {
				t.Fatalf("idempotent %v: message %d is %s", idempotent, i, m.Value)
			}
		}
	}
}

// createAgain deletes a topic and creates it again.
func (s *site) createAgain(t *testing.T, topic string) {
	t.Helper()
	c := s.client(t, nil)
	b, err := c.Controller()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.DeleteTopics(sarama.NewDeleteTopicsRequest(s.version, []string{topic}, 30*time.Second))
	if err != nil || resp.TopicErrorCodes[topic] != sarama.ErrNoError {
		t.Fatal(resp, err)
	}
	eventually(t, "deleting "+topic, func() error {
		if err := c.RefreshMetadata(topic); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			return errors.Join(errors.New("still there"), err)
		}
		return nil
	})
	s.create(t, topic, 1, nil)
}

// functionalSticky checks that every partition gets something.
func functionalSticky(t *testing.T, s *site) {
	for name, constructor := range map[string]sarama.PartitionerConstructor{"sticky": sarama.NewStickyPartitioner, "adaptive": sarama.NewAdaptivePartitioner} {
		const partitions, messages = 4, 100_000
		topic := s.topic(t, partitions, nil)
		conf := s.config()
		conf.Producer.Partitioner = constructor
		var msgs []*sarama.ProducerMessage
		for range messages {
			msgs = append(msgs, &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(strings.Repeat("v", 100))})
		}
		s.produce(t, conf, msgs)
		c := s.client(t, nil)
		sum := int64(0)
		for id := range int32(partitions) {
			n, err := c.GetOffset(topic, id, sarama.OffsetNewest)
			if err != nil || n == 0 {
				t.Errorf("%s: partition %d has %d messages, %v", name, id, n, err)
			}
			sum += n
		}
		if sum != messages {
			t.Errorf("%s: %d messages", name, sum)
		}
	}
}

// functionalReplica consumes from the replica in the client's rack (KIP-392).
func functionalReplica(t *testing.T, s *site) {
	const messages = 2000
	topic := s.topic(t, 1, nil)
	msgs := numberedMessages(topic, 1, messages)
	for i, m := range msgs {
		m.Value = sarama.StringEncoder(fmt.Sprintf("%01000d", i))
	}
	s.produce(t, s.config(), msgs)
	c := s.client(t, nil)
	leader, err := c.Leader(topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range c.Brokers() {
		if b.Rack() == "" {
			t.Skip("the brokers are in no rack")
		}
		conf := s.config()
		conf.RackID = b.Rack()
		conf.Consumer.Fetch.Default = 50_000
		consumer, err := sarama.NewConsumerFromClient(s.client(t, conf))
		if err != nil {
			t.Fatal(err)
		}
		pc := consumeEventually(t, consumer, topic, 0, sarama.OffsetOldest)
		for i, m := range readMessages(t, pc, messages) {
			if string(m.Value) != fmt.Sprintf("%01000d", i) {
				t.Fatalf("message %d is %.20s…", i, m.Value)
			}
		}
		got := int64(0)
		if m, ok := conf.MetricRegistry.Get(fmt.Sprintf("incoming-byte-rate-for-broker-%d", b.ID())).(metrics.Meter); ok {
			got = m.Count()
		}
		_ = pc.Close()
		_ = consumer.Close()
		if got < messages*1000 {
			t.Errorf("%d bytes came from broker %d of %s, the leader is %d", got, b.ID(), b.Rack(), leader.ID())
		}
	}
}

// functionalConsumeAgain has a topic deleted and created again under a consumer.
func functionalConsumeAgain(t *testing.T, s *site) {
	for _, reset := range []sarama.OffsetReset{sarama.OffsetResetNone, sarama.OffsetResetOldest} {
		t.Run(reset.String(), func(t *testing.T) {
			topic := s.topic(t, 1, nil)
			conf := s.config()
			conf.Consumer.Offsets.Reset = reset
			conf.Metadata.RefreshFrequency = time.Second
			s.produce(t, conf, numberedMessages(topic, 1, 10))
			consumer, err := sarama.NewConsumerFromClient(s.client(t, conf))
			if err != nil {
				t.Fatal(err)
			}
			defer returnsWithin(t, "Close", func() { _ = consumer.Close() })
			pc := consumeEventually(t, consumer, topic, 0, sarama.OffsetOldest)
			readMessages(t, pc, 10)
			s.createAgain(t, topic)
			s.produce(t, conf, numberedMessages(topic, 1, 20))
			if reset == sarama.OffsetResetOldest {
				for i, m := range readMessages(t, pc, 20) {
					if string(m.Value) != fmt.Sprint(i) || m.Offset != int64(i) {
						t.Fatalf("message %d is %s at %d", i, m.Value, m.Offset)
					}
				}
				_ = pc.Close()
				return
			}
			returnsWithin(t, "the consumer's end", func() {
				for m := range pc.Messages() {
					t.Errorf("read %s at %d of the new topic", m.Value, m.Offset)
				}
			})
			var last error
			for err := range pc.Errors() {
				last = err.Err
			}
			if !errors.Is(last, sarama.ErrUnknownTopicOrPartition) {
				t.Errorf("the last error is %v", last)
			}
		})
	}
}

// functionalReset consumes from offsets that the log does not have, with each
// policy.
func functionalReset(t *testing.T, s *site) {
	topic := s.topic(t, 1, nil)
	s.produce(t, s.config(), numberedMessages(topic, 1, 10))
	for reset, want := range map[sarama.OffsetReset]int64{sarama.OffsetResetOldest: 0, sarama.OffsetResetNewest: 10} {
		conf := s.config()
		conf.Consumer.Offsets.Reset = reset
		consumer, err := sarama.NewConsumerFromClient(s.client(t, conf))
		if err != nil {
			t.Fatal(err)
		}
		pc, err := consumer.ConsumePartition(topic, 0, 1000)
		if err != nil {
			t.Errorf("%v: %v", reset, err)
			continue
		}
		if reset == sarama.OffsetResetNewest {
			s.produce(t, conf, []*sarama.ProducerMessage{{Topic: topic, Value: sarama.StringEncoder("10")}})
		}
		if m := readMessages(t, pc, 1)[0]; m.Offset != want || string(m.Value) != fmt.Sprint(want) {
			t.Errorf("%v: read %s at %d, want %d", reset, m.Value, m.Offset, want)
		}
		_ = pc.Close()
		_ = consumer.Close()
	}
}
