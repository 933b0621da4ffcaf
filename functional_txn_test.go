package sarama_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// txnConfig is the configuration of a transactional producer. What its topics
// have is read by those who see committed messages alone.
func (s *site) txnConfig(id string) *sarama.Config {
	conf := s.config()
	conf.Producer.Idempotent, conf.Producer.Transaction.ID = true, id
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	conf.Consumer.IsolationLevel = sarama.ReadCommitted
	return conf
}

func (s *site) txnProducer(t *testing.T, conf *sarama.Config) sarama.SyncProducer {
	t.Helper()
	p, err := sarama.NewSyncProducer(s.addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { returnsWithin(t, "Close", func() { _ = p.Close() }) })
	return p
}

// must fails the test on an error.
func mustTxn(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func sendAll(t *testing.T, p sarama.SyncProducer, topic string, partitions int, values ...string) {
	t.Helper()
	var msgs []*sarama.ProducerMessage
	for i, v := range values {
		msgs = append(msgs, &sarama.ProducerMessage{Topic: topic, Partition: int32(i % partitions), Value: sarama.StringEncoder(v)})
	}
	mustTxn(t, "sending", p.SendMessages(msgs))
}

// wantCommitted reads so many messages as are wanted, and then those of a
// further transaction, so that none in between is missed.
func (s *site) wantCommitted(t *testing.T, conf *sarama.Config, topic string, want ...string) {
	t.Helper()
	p := s.txnProducer(t, conf)
	mustTxn(t, "BeginTxn", p.BeginTxn())
	sendAll(t, p, topic, 1, "last")
	mustTxn(t, "CommitTxn", p.CommitTxn())
	want = append(want, "last")
	var got []string
	for _, m := range s.consume(t, conf, topic, 0, sarama.OffsetOldest, len(want)) {
		got = append(got, string(m.Value))
	}
	if !slices.Equal(got, want) {
		t.Errorf("committed are %v, want %v", got, want)
	}
}

// functionalTxn commits and aborts transactions, explicit ones and, where the
// cluster has them, such that brokers add partitions to (KIP-890).
func functionalTxn(t *testing.T, s *site) {
	for _, version := range []sarama.KafkaVersion{sarama.V0_11_0_0, sarama.V2_4_0_0, sarama.V2_8_0_0, sarama.V3_9_0_0, s.version} {
		t.Run(version.String(), func(t *testing.T) {
			const partitions = 3
			topic := s.topic(t, partitions, nil)
			conf := s.txnConfig(topic)
			conf.Version = version
			p := s.txnProducer(t, conf)
			for i := range 3 {
				mustTxn(t, "BeginTxn", p.BeginTxn())
				sendAll(t, p, topic, partitions, fmt.Sprint("a", i), fmt.Sprint("b", i), fmt.Sprint("c", i), fmt.Sprint("d", i))
				mustTxn(t, "CommitTxn", p.CommitTxn())
				mustTxn(t, "BeginTxn", p.BeginTxn())
				sendAll(t, p, topic, partitions, "aborted", "aborted", "aborted")
				mustTxn(t, "AbortTxn", p.AbortTxn())
				mustTxn(t, "BeginTxn", p.BeginTxn()) // an empty one
				mustTxn(t, "CommitTxn", p.CommitTxn())
				mustTxn(t, "BeginTxn", p.BeginTxn())
				mustTxn(t, "AbortTxn", p.AbortTxn())
			}
			if got := p.TxnStatus(); got != sarama.ProducerTxnFlagReady {
				t.Errorf("state %v", got)
			}
			s.wantCommitted(t, conf, topic, "a0", "d0", "a1", "d1", "a2", "d2")
		})
	}
}

// functionalTxnFencing has a second producer of the same id take over.
func functionalTxnFencing(t *testing.T, s *site) {
	for _, version := range []sarama.KafkaVersion{sarama.V2_4_0_0, sarama.V2_8_0_0, s.version} {
		t.Run(version.String(), func(t *testing.T) {
			topic := s.topic(t, 1, nil)
			conf := s.txnConfig(topic)
			conf.Version = version
			first := s.txnProducer(t, conf)
			mustTxn(t, "BeginTxn", first.BeginTxn())
			sendAll(t, first, topic, 1, "of the first")
			second := s.txnProducer(t, conf) // aborts that
			mustTxn(t, "BeginTxn", second.BeginTxn())
			sendAll(t, second, topic, 1, "of the second")
			if err := first.CommitTxn(); !errors.Is(err, sarama.ErrProducerFenced) {
				t.Errorf("CommitTxn of the first: %v", err)
			}
			if got := first.TxnStatus(); got != sarama.ProducerTxnFlagInError|sarama.ProducerTxnFlagFatalError {
				t.Errorf("state of the first: %v", got)
			}
			if err := first.AbortTxn(); !errors.Is(err, sarama.ErrProducerFenced) {
				t.Errorf("AbortTxn of the first: %v", err)
			}
			mustTxn(t, "CommitTxn", second.CommitTxn())
			s.wantCommitted(t, conf, topic, "of the second")
		})
	}
}

// functionalTxnFailure aborts a transaction in which a message has failed.
func functionalTxnFailure(t *testing.T, s *site) {
	for _, version := range []sarama.KafkaVersion{sarama.V2_4_0_0, sarama.V2_8_0_0, s.version} {
		t.Run(version.String(), func(t *testing.T) {
			topic := s.topic(t, 1, map[string]string{"max.message.bytes": "2000"})
			conf := s.txnConfig(topic)
			conf.Version = version
			p := s.txnProducer(t, conf)
			for range 2 {
				mustTxn(t, "BeginTxn", p.BeginTxn())
				sendAll(t, p, topic, 1, "aborted")
				large := make([]byte, 3000)
				if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(large)}); !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
					t.Fatal(err)
				}
				if err := p.CommitTxn(); !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
					t.Errorf("CommitTxn: %v", err)
				}
				if got := p.TxnStatus(); got != sarama.ProducerTxnFlagInError|sarama.ProducerTxnFlagAbortableError {
					t.Errorf("state %v", got)
				}
				if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic}); !errors.Is(err, sarama.ErrTransactionNotReady) {
					t.Errorf("a message in a failed transaction: %v", err)
				}
				mustTxn(t, "AbortTxn", p.AbortTxn())
				mustTxn(t, "BeginTxn", p.BeginTxn())
				sendAll(t, p, topic, 1, "committed")
				mustTxn(t, "CommitTxn", p.CommitTxn())
			}
			s.wantCommitted(t, conf, topic, "committed", "committed")
		})
	}
}

// functionalTxnTimeout lets the coordinator abort a transaction by itself. That
// fences the producer; where brokers add partitions (KIP-890) it can go on.
func functionalTxnTimeout(t *testing.T, s *site) {
	for _, version := range []sarama.KafkaVersion{sarama.V2_8_0_0, s.version} {
		t.Run(version.String(), func(t *testing.T) {
			topic := s.topic(t, 1, nil)
			conf := s.txnConfig(topic)
			conf.Version = version
			conf.Producer.Transaction.Timeout = 2 * time.Second // in which the message is to be sent
			p := s.txnProducer(t, conf)
			mustTxn(t, "BeginTxn", p.BeginTxn())
			sendAll(t, p, topic, 1, "too late")
			client := s.client(t, s.txnConfig(topic+"-other"))
			eventually(t, "the end of the transaction", func() error {
				if end, err := client.GetOffset(topic, 0, sarama.OffsetNewest); err != nil || end != 2 {
					return fmt.Errorf("the log ends at %d, %w", end, err)
				}
				return nil
			})
			if version.IsAtLeast(sarama.V4_0_0_0) {
				if err := p.CommitTxn(); !errors.Is(err, sarama.ErrInvalidTxnState) {
					t.Errorf("CommitTxn: %v", err)
				}
				mustTxn(t, "AbortTxn", p.AbortTxn())
				mustTxn(t, "BeginTxn", p.BeginTxn())
				sendAll(t, p, topic, 1, "in time")
				mustTxn(t, "CommitTxn", p.CommitTxn())
				s.wantCommitted(t, s.txnConfig(topic+"-other"), topic, "in time")
				return
			}
			if err := p.CommitTxn(); !errors.Is(err, sarama.ErrProducerFenced) {
				t.Errorf("CommitTxn: %v", err)
			}
			s.wantCommitted(t, s.txnConfig(topic+"-other"), topic)
		})
	}
}

// functionalTxnAsync sends many messages of many transactions through channels.
func functionalTxnAsync(t *testing.T, s *site) {
	const partitions, transactions, each = 4, 12, 200
	topic := s.topic(t, partitions, nil)
	conf := s.txnConfig(topic)
	p, err := sarama.NewAsyncProducer(s.addrs, conf)
	mustTxn(t, "NewAsyncProducer", err)
	done := make(chan int)
	go func() {
		n := 0
		for range p.Successes() {
			n++
		}
		done <- n
	}()
	go func() {
		for e := range p.Errors() {
			t.Error(e)
		}
	}()
	var want [partitions][]string
	for i := range transactions {
		mustTxn(t, "BeginTxn", p.BeginTxn())
		for j := range each {
			m := &sarama.ProducerMessage{Topic: topic, Partition: int32(j % partitions), Value: sarama.StringEncoder(fmt.Sprint(i, ".", j))}
			if i%3 != 2 {
				want[j%partitions] = append(want[j%partitions], fmt.Sprint(i, ".", j))
			}
			p.Input() <- m
		}
		if i%3 == 2 {
			mustTxn(t, "AbortTxn", p.AbortTxn())
		} else {
			mustTxn(t, "CommitTxn", p.CommitTxn())
		}
	}
	p.AsyncClose()
	if n := <-done; n != transactions*each {
		t.Errorf("%d successes", n)
	}
	for id := range int32(partitions) {
		for i, m := range s.consume(t, conf, topic, id, sarama.OffsetOldest, len(want[id])) {
			if string(m.Value) != want[id][i] {
				t.Fatalf("partition %d: message %d is %s, want %s", id, i, m.Value, want[id][i])
			}
		}
	}
}

// functionalTxnOffsets commits offsets of a group in transactions.
func functionalTxnOffsets(t *testing.T, s *site) {
	for _, version := range []sarama.KafkaVersion{sarama.V2_0_0_0, sarama.V2_8_0_0, sarama.V3_9_0_0, s.version} {
		t.Run(version.String(), func(t *testing.T) {
			topic := s.topic(t, 2, nil)
			conf := s.txnConfig(topic)
			conf.Version = version
			p := s.txnProducer(t, conf)
			group := topic + "-group"
			meta := "where we are"
			mustTxn(t, "BeginTxn", p.BeginTxn())
			sendAll(t, p, topic, 1, "out")
			mustTxn(t, "AddOffsetsToTxn", p.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{
				topic: {{Partition: 0, Offset: 5, LeaderEpoch: -1}, {Partition: 1, Offset: 6, LeaderEpoch: -1, Metadata: &meta}},
			}, group))
			mustTxn(t, "AddMessageToTxn", p.AddMessageToTxn(&sarama.ConsumerMessage{Topic: topic, Partition: 0, Offset: 7}, group, nil))
			mustTxn(t, "CommitTxn", p.CommitTxn())
			s.wantOffsets(t, group, topic, 8, 6)
			mustTxn(t, "BeginTxn", p.BeginTxn())
			mustTxn(t, "AddMessageToTxn", p.AddMessageToTxn(&sarama.ConsumerMessage{Topic: topic, Partition: 0, Offset: 70}, group, nil))
			mustTxn(t, "AbortTxn", p.AbortTxn())
			s.wantOffsets(t, group, topic, 8, 6)
			mustTxn(t, "BeginTxn", p.BeginTxn()) // offsets alone
			mustTxn(t, "AddMessageToTxn", p.AddMessageToTxn(&sarama.ConsumerMessage{Topic: topic, Partition: 1, Offset: 9}, group, nil))
			mustTxn(t, "CommitTxn", p.CommitTxn())
			s.wantOffsets(t, group, topic, 8, 10)
			if !version.IsAtLeast(sarama.V2_5_0_0) {
				return
			}
			mustTxn(t, "BeginTxn", p.BeginTxn())
			sendAll(t, p, topic, 1, "of a member that is none")
			nobody := &sarama.ConsumerGroupMetadata{GroupID: group, GenerationID: 3, MemberID: "nobody"}
			mustTxn(t, "AddOffsets", p.AddOffsetsToTxnWithGroupMetadata(map[string][]*sarama.PartitionOffsetMetadata{
				topic: {{Partition: 0, Offset: 50, LeaderEpoch: -1}},
			}, nobody))
			err := p.CommitTxn()
			if !errors.Is(err, sarama.ErrTxnOffsetCommit) || !errors.Is(err, sarama.ErrUnknownMemberId) && !errors.Is(err, sarama.ErrIllegalGeneration) {
				t.Errorf("CommitTxn for a member that is none: %v", err)
			}
			if got := p.TxnStatus(); got != sarama.ProducerTxnFlagInError|sarama.ProducerTxnFlagAbortableError {
				t.Errorf("state %v", got)
			}
			mustTxn(t, "AbortTxn", p.AbortTxn())
			s.wantOffsets(t, group, topic, 8, 10)
			s.wantCommitted(t, conf, topic, "out")
		})
	}
}

// wantOffsets asks the group's coordinator for the offsets of two partitions.
func (s *site) wantOffsets(t *testing.T, group, topic string, want ...int64) {
	t.Helper()
	client := s.client(t, nil)
	var got []int64
	eventually(t, "the group's offsets", func() error {
		b, err := client.Coordinator(group)
		if err != nil {
			return err
		}
		got = nil
		req := &sarama.OffsetFetchRequest{Version: 7, ConsumerGroup: group, RequireStable: true}
		for id := range int32(len(want)) {
			req.AddPartition(topic, id)
		}
		resp, err := b.FetchOffset(req)
		if errors.Is(err, sarama.ErrUnsupportedVersion) {
			t.Skip("brokers of this cluster have no OffsetFetch")
		}
		if err == nil && resp.Err != sarama.ErrNoError {
			err = resp.Err
		}
		if err != nil {
			return err
		}
		for id := range int32(len(want)) {
			block := resp.GetBlock(topic, id)
			if block.Err != sarama.ErrNoError {
				return block.Err // of a transaction that is being ended
			}
			got = append(got, block.Offset)
		}
		return nil
	})
	if !slices.Equal(got, want) {
		t.Errorf("offsets %v, want %v", got, want)
	}
}

// functionalTxnBrokers goes on with transactions while brokers, coordinators
// among them, are stopped.
func functionalTxnBrokers(t *testing.T, s *site) {
	topic := s.topic(t, 1, nil)
	conf := s.txnConfig(topic)
	conf.Producer.Retry.Max = 1000
	conf.Producer.Transaction.Retry.Max = 1000
	p := s.txnProducer(t, conf)
	var want []string
	for turn := range 2 {
		coordinator := s.coordinator(t, conf, topic)
		mustTxn(t, "BeginTxn", p.BeginTxn())
		sendAll(t, p, topic, 1, fmt.Sprint("before ", turn))
		s.stop(t, coordinator)
		sendAll(t, p, topic, 1, fmt.Sprint("meanwhile ", turn))
		if turn == 0 {
			mustTxn(t, "CommitTxn", p.CommitTxn())
			want = append(want, "before 0", "meanwhile 0")
		} else {
			mustTxn(t, "AbortTxn", p.AbortTxn())
		}
		s.restart(t, coordinator)
	}
	s.wantCommitted(t, s.txnConfig(topic+"-other"), topic, want...)
}

// coordinator is the id of the broker that coordinates a transactional id.
func (s *site) coordinator(t *testing.T, conf *sarama.Config, id string) (broker int32) {
	t.Helper()
	client := s.client(t, conf)
	eventually(t, "the coordinator", func() error {
		b, err := client.TransactionCoordinator(id)
		if err == nil {
			broker = b.ID()
		}
		return err
	})
	return broker
}

func (s *site) stop(t *testing.T, broker int32) {
	t.Helper()
	if s.fake != nil {
		mustTxn(t, "stopping a broker", s.fake.StopBroker(broker))
		return
	}
	mustTxn(t, "killing a broker", s.real.Kill(int(broker)-1))
}

func (s *site) restart(t *testing.T, broker int32) {
	t.Helper()
	if s.fake != nil {
		mustTxn(t, "restarting a broker", s.fake.RestartBroker(broker))
		return
	}
	mustTxn(t, "restarting a broker", s.real.Restart(t.Context(), int(broker)-1))
}
