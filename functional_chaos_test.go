package sarama_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// chaosMessages is how many messages the chaos test sends at least:
// SARAMA_CHAOS_MESSAGES, or what fits into a run of all tests, with an
// idempotent producer alone.
func chaosMessages(t *testing.T) (n int, full bool) {
	v := os.Getenv("SARAMA_CHAOS_MESSAGES")
	if v == "" {
		return 30_000, false
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatal(err)
	}
	return n, true
}

const chaosPartitions = 12

// TestFunctionalChaos produces to a real cluster of three brokers, and consumes
// at the same time, while brokers are killed, paused for longer than requests
// last, and leaders moved by reassignment. What was acknowledged must be there,
// in order, and once if the producer is idempotent.
func TestFunctionalChaos(t *testing.T) {
	messages, full := chaosMessages(t)
	for _, idempotent := range []bool{true, false} {
		if !idempotent && !full {
			continue
		}
		t.Run(fmt.Sprintf("idempotent %v", idempotent), func(t *testing.T) {
			s := startKafka(t, "4.3.1", 3, map[string]string{"min.insync.replicas": "2", "unclean.leader.election.enable": "false"})
			topic := s.topic(t, chaosPartitions, nil)
			read := s.follow(t, topic)
			stop := make(chan struct{})
			var troubled sync.WaitGroup
			troubled.Go(func() {
				defer close(stop)
				s.trouble(t, topic, full)
			})
			pause := 12 * time.Millisecond
			if !full {
				pause *= 4 // what is sent while there is trouble is enough
			}
			acked := s.chaosProduce(t, topic, idempotent, messages, pause, stop)
			troubled.Wait()
			first := read(acked)
			again := make([][]uint64, chaosPartitions)
			conf := s.config()
			client := s.client(t, conf)
			for id := range again {
				end, err := client.GetOffset(topic, int32(id), sarama.OffsetNewest)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range s.consume(t, conf, topic, int32(id), sarama.OffsetOldest, int(end)) {
					again[id] = append(again[id], binary.BigEndian.Uint64(m.Value))
				}
				if !slices.Equal(first[id], again[id][:len(first[id])]) {
					t.Errorf("partition %d was not read the same the second time", id)
				}
			}
			checkChaos(t, again, acked, idempotent)
		})
	}
}

// checkChaos compares what is in the partitions with what was acknowledged: in
// each partition the numbers 0 to acked-1.
func checkChaos(t *testing.T, logs [][]uint64, acked []uint64, idempotent bool) {
	t.Helper()
	lost, duplicates, reordered, total := 0, 0, 0, 0
	for id, log := range logs {
		next := uint64(0)
		for _, n := range log {
			switch {
			case n == next:
				next++
			case n < next:
				duplicates++
			default:
				reordered++
				next = n + 1
			}
		}
		seen := make(map[uint64]bool, len(log))
		for _, n := range log {
			seen[n] = true
		}
		for n := range acked[id] {
			if !seen[n] {
				lost++
			}
		}
		total += len(log)
	}
	t.Logf("%d records: %d acknowledged lost, %d duplicates, %d reordered", total, lost, duplicates, reordered)
	if lost > 0 || reordered > 0 || idempotent && duplicates > 0 {
		t.Errorf("%d acknowledged messages lost, %d duplicates, %d reordered", lost, duplicates, reordered)
	}
}

// chaosProduce sends numbered messages until the trouble is over, but no fewer
// than asked for, some after each pause, and returns how many of each partition
// were acknowledged. Each must be.
func (s *site) chaosProduce(t *testing.T, topic string, idempotent bool, messages int, pause time.Duration, stop <-chan struct{}) []uint64 {
	conf := s.config()
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	conf.Producer.Idempotent = idempotent
	conf.Producer.Retry.Max, conf.Metadata.Retry.Max = 10_000, 20
	conf.Producer.Timeout, conf.Net.ReadTimeout, conf.Net.DialTimeout = time.Second, 2*time.Second, 2*time.Second // a paused broker is given up before it goes on
	p, err := sarama.NewAsyncProducer(s.addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	acked := make([]uint64, chaosPartitions)
	var results sync.WaitGroup
	results.Go(func() {
		for m := range p.Successes() {
			id := m.Partition
			if n := m.Metadata.(uint64); n != acked[id] {
				t.Errorf("partition %d: %d was acknowledged, want %d", id, n, acked[id])
			}
			acked[id]++
		}
	})
	results.Go(func() {
		for e := range p.Errors() {
			t.Errorf("a message has failed: %v", e)
		}
	})
	sent := 0
	next := make([]uint64, chaosPartitions)
	for over := false; !over || sent < messages; {
		for range 1 + rand.IntN(200) {
			id := rand.IntN(chaosPartitions)
			p.Input() <- &sarama.ProducerMessage{
				Topic: topic, Partition: int32(id), Value: sarama.ByteEncoder(binary.BigEndian.AppendUint64(nil, next[id])), Metadata: next[id],
			}
			next[id]++
			sent++
		}
		select {
		case <-stop:
			over = true
		case <-time.After(pause):
		}
	}
	p.AsyncClose()
	returnsWithin(t, "the producer's Close", results.Wait)
	if !slices.Equal(acked, next) {
		t.Errorf("sent %v messages, acknowledged %v", next, acked)
	}
	return acked
}

// follow consumes all partitions; the function that it returns waits until all
// that was acknowledged has been read and returns what was.
func (s *site) follow(t *testing.T, topic string) func(acked []uint64) [][]uint64 {
	conf := s.config()
	conf.Net.ReadTimeout, conf.Net.DialTimeout = 2*time.Second, 2*time.Second
	consumer, err := sarama.NewConsumerFromClient(s.client(t, conf))
	if err != nil {
		t.Fatal(err)
	}
	logs := make([][]uint64, chaosPartitions)
	var seen [chaosPartitions]atomic.Uint64 // the highest number so far, plus one
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for id := range logs {
		pc := consumeEventually(t, consumer, topic, int32(id), sarama.OffsetOldest)
		readers.Go(func() {
			for range pc.Errors() { // brokers are away at times
			}
		})
		readers.Go(func() {
			offset := int64(0)
			for {
				select {
				case m, open := <-pc.Messages():
					if !open {
						t.Errorf("partition %d: the consumer has ended", id)
						return
					}
					if m.Offset != offset {
						t.Errorf("partition %d: offset %d after %d", id, m.Offset, offset-1)
					}
					offset = m.Offset + 1
					n := binary.BigEndian.Uint64(m.Value)
					logs[id] = append(logs[id], n)
					seen[id].Store(max(seen[id].Load(), n+1))
				case <-stop:
					pc.AsyncClose()
					for range pc.Messages() {
					}
					return
				}
			}
		})
	}
	return func(acked []uint64) [][]uint64 {
		eventually(t, "reading what was acknowledged", func() error {
			for id := range acked {
				if n := seen[id].Load(); n < acked[id] {
					return fmt.Errorf("%d of %d messages of partition %d were read", n, acked[id], id)
				}
			}
			return nil
		})
		close(stop)
		returnsWithin(t, "the consumers' end", readers.Wait)
		_ = consumer.Close()
		return logs
	}
}

// trouble makes it: five times each if all of it is wanted, else once.
func (s *site) trouble(t *testing.T, topic string, all bool) {
	times, moves := 1, 5
	if all {
		times, moves = 5, 30
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	time.Sleep(time.Second)
	for i := range times {
		broker := i % s.brokers
		t.Logf("broker %d: kill -9", broker)
		if err := s.real.Kill(broker); err != nil {
			t.Error(err)
			return
		}
		time.Sleep(2 * time.Second)
		if err := s.real.Restart(ctx, broker); err != nil {
			t.Error(err)
			return
		}
		s.awaitInSync(t, topic)
	}
	for i := range times {
		broker := (i + 1) % s.brokers
		t.Logf("broker %d: paused for 5 s", broker)
		if err := s.real.Pause(broker); err != nil {
			t.Error(err)
			return
		}
		time.Sleep(5 * time.Second)
		if err := s.real.Resume(broker); err != nil {
			t.Error(err)
			return
		}
		s.awaitInSync(t, topic)
	}
	t.Logf("leaders are moved %d times", moves)
	for i := range moves {
		s.reassign(t, topic, i)
		time.Sleep(time.Second)
	}
}

// awaitInSync waits until every replica is in sync.
func (s *site) awaitInSync(t *testing.T, topic string) {
	c := s.client(t, nil)
	eventually(t, "replicas in sync", func() error {
		if err := c.RefreshMetadata(topic); err != nil {
			return err
		}
		for id := range int32(chaosPartitions) {
			if isr, err := c.InSyncReplicas(topic, id); err != nil || len(isr) != s.brokers {
				return fmt.Errorf("partition %d has %d replicas in sync, %w", id, len(isr), err)
			}
		}
		return nil
	})
}

// reassign makes another broker the first replica of each partition, and has
// that one elected.
func (s *site) reassign(t *testing.T, topic string, turn int) {
	conf := s.config()
	c := s.client(t, conf)
	defer c.Close()
	b, err := c.Controller()
	if err != nil {
		t.Error(err)
		return
	}
	change := &sarama.AlterPartitionReassignmentsRequest{TimeoutMs: 10_000}
	elect := &sarama.ElectLeadersRequest{Version: 2, Type: sarama.PreferredElection, TimeoutMs: 10_000, TopicPartitions: map[string][]int32{}}
	for id := range int32(chaosPartitions) {
		var replicas []int32
		for i := range s.brokers {
			replicas = append(replicas, int32(1+(turn+i+int(id))%s.brokers))
		}
		change.AddBlock(topic, id, replicas)
		elect.TopicPartitions[topic] = append(elect.TopicPartitions[topic], id)
	}
	if resp, err := b.AlterPartitionReassignments(change); err != nil || resp.ErrorCode != sarama.ErrNoError {
		t.Errorf("reassignment: %v, %v", resp, err)
	}
	if resp, err := b.ElectLeaders(elect); err != nil || resp.ErrorCode != sarama.ErrNoError {
		t.Errorf("election: %v, %v", resp, err)
	}
}
