package mocks_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"testing"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/mocks"
)

// A program as there are many, and its tests as they are written for Sarama's
// mocks: an access log that is written asynchronously, an audit trail that is
// written synchronously, and a counter that consumes all partitions of a topic.

type accessLog struct {
	producer sarama.AsyncProducer
	dropped  int
	done     sync.WaitGroup
}

func newAccessLog(p sarama.AsyncProducer) *accessLog {
	l := &accessLog{producer: p}
	l.done.Go(func() {
		for range p.Errors() {
			l.dropped++
		}
	})
	return l
}

func (l *accessLog) log(user, path string) {
	entry, err := json.Marshal(map[string]string{"user": user, "path": path})
	if err != nil {
		panic(err)
	}
	l.producer.Input() <- &sarama.ProducerMessage{Topic: "access", Key: sarama.StringEncoder(user), Value: sarama.ByteEncoder(entry)}
}

func (l *accessLog) close() error {
	err := l.producer.Close()
	l.done.Wait()
	return err
}

func audit(p sarama.SyncProducer, event string) error {
	if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: "audit", Value: sarama.StringEncoder(event)}); err != nil {
		return fmt.Errorf("audit of %s: %w", event, err)
	}
	return nil
}

func count(c sarama.Consumer, topic string, want int) (map[string]int, error) {
	partitions, err := c.Partitions(topic)
	if err != nil {
		return nil, err
	}
	messages := make(chan *sarama.ConsumerMessage)
	var readers sync.WaitGroup
	var open []sarama.PartitionConsumer
	for _, partition := range partitions {
		pc, err := c.ConsumePartition(topic, partition, sarama.OffsetOldest)
		if err != nil {
			return nil, err
		}
		open = append(open, pc)
		readers.Go(func() {
			for m := range pc.Messages() {
				messages <- m
			}
		})
	}
	counts := make(map[string]int)
	for range want {
		counts[string((<-messages).Key)]++
	}
	for _, pc := range open {
		if err := pc.Close(); err != nil {
			return counts, err
		}
	}
	readers.Wait()
	return counts, c.Close()
}

func TestProgramWritesItsAccessLog(t *testing.T) {
	matches := func(pattern string) mocks.ValueChecker {
		re := regexp.MustCompile(pattern)
		return func(value []byte) error {
			if !re.Match(value) {
				return fmt.Errorf("%s does not match %v", value, re)
			}
			return nil
		}
	}
	producer := mocks.NewAsyncProducer(t, mocks.NewTestConfig())
	producer.ExpectInputWithCheckerFunctionAndSucceed(matches(`"path":"/a"`))
	producer.ExpectInputWithMessageCheckerFunctionAndSucceed(func(msg *sarama.ProducerMessage) error {
		if key, err := msg.Key.Encode(); err != nil || string(key) != "eve" {
			return fmt.Errorf("key %q, %w", key, err)
		}
		return nil
	})
	producer.ExpectInputAndFail(sarama.ErrOutOfBrokers)
	log := newAccessLog(producer)
	log.log("ada", "/a")
	log.log("eve", "/b")
	log.log("ada", "/c")
	if err := log.close(); err != nil || log.dropped != 1 {
		t.Errorf("%v, %d dropped", err, log.dropped)
	}
}

func TestProgramAudits(t *testing.T) {
	producer := mocks.NewSyncProducer(t, nil)
	defer func() {
		if err := producer.Close(); err != nil {
			t.Error(err)
		}
	}()
	producer.ExpectSendMessageAndSucceed()
	producer.ExpectSendMessageAndFail(sarama.ErrNotLeaderForPartition)
	if err := audit(producer, "login"); err != nil {
		t.Error(err)
	}
	if err := audit(producer, "logout"); !errors.Is(err, sarama.ErrNotLeaderForPartition) {
		t.Errorf("got %v", err)
	}
}

func TestProgramCounts(t *testing.T) {
	consumer := mocks.NewConsumer(t, mocks.NewTestConfig())
	consumer.SetTopicMetadata(map[string][]int32{"access": {0, 1, 2}})
	for partition, keys := range map[int32][]string{0: {"ada", "ada"}, 1: {"eve"}, 2: nil} {
		pc := consumer.ExpectConsumePartition("access", partition, sarama.OffsetOldest)
		pc.ExpectMessagesDrainedOnClose()
		for _, key := range keys {
			pc.YieldMessage(&sarama.ConsumerMessage{Key: []byte(key)})
		}
	}
	counts, err := count(consumer, "access", 3)
	if err != nil || counts["ada"] != 2 || counts["eve"] != 1 {
		t.Errorf("%v, %v", counts, err)
	}
}

func TestProgramNoticesWhatGoesWrong(t *testing.T) {
	consumer := mocks.NewConsumer(t, nil)
	consumer.SetTopicMetadata(map[string][]int32{"access": {0}})
	consumer.ExpectConsumePartition("access", 0, sarama.OffsetOldest).YieldError(sarama.ErrNotLeaderForPartition).
		YieldMessage(&sarama.ConsumerMessage{Key: []byte("ada")})
	var errs sarama.ConsumerErrors
	if _, err := count(consumer, "access", 1); !errors.As(err, &errs) || len(errs) != 1 || !errors.Is(errs[0], sarama.ErrNotLeaderForPartition) {
		t.Errorf("got %v", err)
	}
	_ = consumer.Close()
	if _, err := count(consumer, "none", 0); err != sarama.ErrUnknownTopicOrPartition {
		t.Errorf("got %v", err)
	}
}
