package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/mocks"
)

func consumerStarts() {
	n := &notes{}
	bad := sarama.NewConfig()
	bad.Consumer.Retry.Backoff = -1
	mocks.NewConsumer(n, bad)
	n.tell("consumer, bad config")
	c := mocks.NewConsumer(n, nil)
	topics, err := c.Topics()
	say("consumer: topics %v %v", topics, err)
	list, err := c.Partitions("t")
	say("consumer: partitions %v %v", list, err)
	n.tell("consumer, no metadata")
	c.SetTopicMetadata(map[string][]int32{"t": {3, 1}, "u": {0}})
	topics, err = c.Topics()
	slices.Sort(topics)
	say("consumer: topics %v %v", topics, err)
	for _, topic := range []string{"t", "none"} {
		list, err = c.Partitions(topic)
		say("consumer: partitions of %s %v %v", topic, list, err)
	}
	n.tell("consumer, metadata")
	c.SetTopicMetadata(map[string][]int32{})
	topics, err = c.Topics()
	say("consumer, empty metadata: topics %v %v", topics, err)

	consume := func(topic string, partition int32, offset int64) {
		pc, err := c.ConsumePartition(topic, partition, offset)
		if _, is := err.(sarama.ConfigurationError); is {
			say("consumer: a ConfigurationError")
		}
		say("consumer: consume %s/%d from %d: %v %v", topic, partition, offset, pc != nil && err == nil, err)
		n.tell("consumer: consume")
	}
	consume("t", 0, 0)
	first := c.ExpectConsumePartition("t", 0, sarama.OffsetOldest)
	say("consumer: the same one %v", first == c.ExpectConsumePartition("t", 0, 7))
	consume("t", 0, 7)
	consume("t", 0, sarama.OffsetOldest)
	consume("t", 1, 7)
	consume("u", 0, 7)
	c.ExpectConsumePartition("t", 1, mocks.AnyOffset)
	c.ExpectConsumePartition("t", 2, 5)
	consume("t", 1, 7)
	consume("t", 2, mocks.AnyOffset)
	say("consumer: marks %v", c.HighWaterMarks())
	c.ExpectConsumePartition("t", 4, 5)
	say("consumer: marks %v", c.HighWaterMarks())
	say("consumer: close %v", c.Close())
	n.tell("consumer, close")
	attempt("consumer: close again", func() { _ = c.Close() })
	n.tell("consumer, close again")
	consume("t", 4, 5)
}

func consumerYields() {
	n := &notes{}
	for _, offset := range []int64{0, 7, sarama.OffsetOldest, sarama.OffsetNewest, mocks.AnyOffset} {
		c := mocks.NewConsumer(n, nil)
		what := fmt.Sprintf("consumer from %d", offset)
		e := c.ExpectConsumePartition("t", 3, offset)
		say("%s: mark %d, caps %d %d", what, e.HighWaterMarkOffset(), cap(e.Messages()), cap(e.Errors()))
		e.YieldMessage(&sarama.ConsumerMessage{Value: []byte("a"), Offset: 99, Topic: "other", Partition: 9}).YieldMessage(&sarama.ConsumerMessage{})
		e.YieldError(errProbe).YieldError(sarama.ErrOutOfBrokers)
		pc, err := c.ConsumePartition("t", 3, 0)
		if err != nil {
			say("%s: %v", what, err)
			continue
		}
		for range 2 {
			m := <-pc.Messages()
			say("%s: %s/%d at %d, time %v, mark %d", what, m.Topic, m.Partition, m.Offset, m.Timestamp.IsZero(), pc.HighWaterMarkOffset())
		}
		failed := <-pc.Errors()
		say("%s: %v, of %s/%d %v", what, failed, failed.Topic, failed.Partition, failed.Err)
		e.YieldMessage(&sarama.ConsumerMessage{})
		say("%s: marks %v", what, c.HighWaterMarks())
		err = pc.Close()
		say("%s: close %T %v", what, err, err)
		m, open := <-pc.Messages()
		say("%s: after close %v %v", what, m, open)
		attempt(what+": yield after close", func() { e.YieldMessage(&sarama.ConsumerMessage{}) })
		attempt(what+": yield an error after close", func() { e.YieldError(errProbe) })
		n.tell(what)
	}
	conf := sarama.NewConfig()
	conf.ChannelBufferSize = 1
	conf.Consumer.Return.Errors = true
	c := mocks.NewConsumer(n, conf)
	e := c.ExpectConsumePartition("t", 0, 0)
	attempt("consumer, full: yield", func() { e.YieldMessage(&sarama.ConsumerMessage{}) })
	attempt("consumer, full: yield more", func() { e.YieldMessage(&sarama.ConsumerMessage{}) })
	attempt("consumer, full: yield error", func() { e.YieldError(errProbe) })
	attempt("consumer, full: yield another", func() { e.YieldError(errProbe) })
}

func consumerPauses() {
	n := &notes{}
	c := mocks.NewConsumer(n, nil)
	e := c.ExpectConsumePartition("t", 0, 0)
	other := c.ExpectConsumePartition("t", 1, 0)
	pc, _ := c.ConsumePartition("t", 0, 0)
	state := func(what string) {
		say("consumer, pauses: %s: %v %v, %d messages, mark %d", what, pc.IsPaused(), other.IsPaused(), len(pc.Messages()), pc.HighWaterMarkOffset())
	}
	state("begin")
	c.PauseAll()
	e.YieldMessage(&sarama.ConsumerMessage{})
	state("all")
	c.Resume(map[string][]int32{"t": {0, 5}, "none": {0}})
	state("one resumed")
	e.YieldMessage(&sarama.ConsumerMessage{})
	c.ResumeAll()
	state("all resumed")
	c.Pause(map[string][]int32{"t": {1, 5}, "none": {0}})
	state("other")
	pc.Pause()
	pc.Pause()
	e.YieldMessage(&sarama.ConsumerMessage{}).YieldMessage(&sarama.ConsumerMessage{})
	state("paused")
	pc.Resume()
	pc.Resume()
	state("resumed")
	for range 4 {
		say("consumer, pauses: offset %d", (<-pc.Messages()).Offset)
	}
	pc.Pause()
	e.YieldMessage(&sarama.ConsumerMessage{})
	e.ExpectMessagesDrainedOnClose()
	say("consumer, pauses: close %v", pc.Close())
	n.tell("consumer, pauses")
	state("closed")
}

func consumerEnds() {
	n := &notes{}
	type setup struct {
		what string
		do   func(c *mocks.Consumer, e *mocks.PartitionConsumer)
	}
	start := func(c *mocks.Consumer) sarama.PartitionConsumer {
		pc, err := c.ConsumePartition("t", 0, 0)
		if err != nil {
			say("consumer ends: %v", err)
		}
		return pc
	}
	for _, tc := range []setup{
		{"never started", func(_ *mocks.Consumer, e *mocks.PartitionConsumer) { say("close %v", e.Close()) }},
		{"never started, asynchronously", func(_ *mocks.Consumer, e *mocks.PartitionConsumer) { e.AsyncClose() }},
		{"unread", func(c *mocks.Consumer, e *mocks.PartitionConsumer) {
			start(c)
			e.YieldMessage(&sarama.ConsumerMessage{}).YieldError(errProbe)
		}},
		{"unread, to be drained", func(c *mocks.Consumer, e *mocks.PartitionConsumer) {
			start(c)
			e.YieldMessage(&sarama.ConsumerMessage{}).YieldMessage(&sarama.ConsumerMessage{}).YieldError(errProbe).ExpectMessagesDrainedOnClose().ExpectErrorsDrainedOnClose()
		}},
		{"read, to be drained", func(c *mocks.Consumer, e *mocks.PartitionConsumer) {
			pc := start(c)
			e.YieldMessage(&sarama.ConsumerMessage{}).YieldError(errProbe).ExpectMessagesDrainedOnClose().ExpectErrorsDrainedOnClose()
			<-pc.Messages()
			<-pc.Errors()
		}},
		{"closed", func(c *mocks.Consumer, e *mocks.PartitionConsumer) {
			pc := start(c)
			e.YieldMessage(&sarama.ConsumerMessage{}).YieldError(errProbe).ExpectMessagesDrainedOnClose().ExpectErrorsDrainedOnClose()
			err := pc.Close()
			say("consumer ends: %T %v", err, err)
		}},
		{"closed twice", func(c *mocks.Consumer, e *mocks.PartitionConsumer) {
			pc := start(c)
			attempt("close", func() { _ = pc.Close() })
			attempt("close again", func() { say("%v", pc.Close()) })
			start(c)
		}},
		{"closed asynchronously", func(c *mocks.Consumer, e *mocks.PartitionConsumer) {
			pc := start(c)
			e.YieldMessage(&sarama.ConsumerMessage{}).YieldError(errProbe).ExpectMessagesDrainedOnClose()
			pc.AsyncClose()
			for m := range pc.Messages() {
				say("consumer ends: message %d", m.Offset)
			}
			for err := range pc.Errors() {
				say("consumer ends: error %v", err)
			}
			attempt("asynchronously again", pc.AsyncClose)
		}},
		{"asynchronously, then closed", func(c *mocks.Consumer, e *mocks.PartitionConsumer) {
			pc := start(c)
			e.YieldMessage(&sarama.ConsumerMessage{}).YieldError(errProbe).ExpectMessagesDrainedOnClose()
			pc.AsyncClose()
			err := pc.Close()
			say("consumer ends: %T %v", err, err)
		}},
	} {
		c := mocks.NewConsumer(n, nil)
		tc.do(c, c.ExpectConsumePartition("t", 0, 0))
		n.tell("consumer ends, " + tc.what)
		attempt("consumer ends, "+tc.what+": consumer", func() { say("%v", c.Close()) })
		n.tell("consumer ends, " + tc.what)
		say("consumer ends, %s: %v", tc.what, slices.Sorted(maps.Keys(c.HighWaterMarks())))
	}
}
