package mocks

import (
	"maps"
	"slices"
	"sync"

	"github.com/IBM/sarama"
)

// Consumer is a double of sarama.Consumer. Say with ExpectConsumePartition which
// partitions the program is to consume, and give what that returns the messages
// and errors that it is to read.
type Consumer struct {
	// constant
	t    ErrorReporter
	size int // of channels

	// mu guards
	mu struct {
		sync.Mutex
		expected map[topicPartition]*PartitionConsumer
		order    []*PartitionConsumer
		metadata map[string][]int32 // nil: not set
	}
}

var _ sarama.Consumer = (*Consumer)(nil)

// NewConsumer returns a mock that reports to t, which usually is the test's
// *testing.T. A nil config stands for sarama.NewConfig(); an invalid one is
// reported.
func NewConsumer(t ErrorReporter, config *sarama.Config) *Consumer {
	c := &Consumer{t: t, size: buffer(validConfig(t, config))}
	c.mu.expected = make(map[topicPartition]*PartitionConsumer)
	return c
}

// ExpectConsumePartition expects that the program consumes a partition from an
// offset on, or from any if that is AnyOffset. That it does not is reported by
// Close. The messages get offsets from the given one on; from 0 on where it is
// AnyOffset, sarama.OffsetOldest or sarama.OffsetNewest. For a partition that is
// expected already it returns the same PartitionConsumer again, and changes
// nothing.
func (c *Consumer) ExpectConsumePartition(topic string, partition int32, offset int64) *PartitionConsumer {
	at := topicPartition{topic, partition}
	c.mu.Lock()
	defer c.mu.Unlock()
	pc := c.mu.expected[at]
	if pc == nil {
		pc = newPartitionConsumer(c.t, at, offset, c.size)
		c.mu.expected[at] = pc
		c.mu.order = append(c.mu.order, pc)
	}
	return pc
}

// ConsumePartition returns the PartitionConsumer that was set up with
// ExpectConsumePartition. One that was not is reported, and an error; another
// offset than the expected one is reported. A partition can be consumed once:
// the second time the error is a sarama.ConfigurationError.
func (c *Consumer) ConsumePartition(topic string, partition int32, offset int64) (sarama.PartitionConsumer, error) {
	at := topicPartition{topic, partition}
	c.mu.Lock()
	pc := c.mu.expected[at]
	c.mu.Unlock()
	if pc == nil {
		c.t.Errorf("No expectations set for %v", at)
		return nil, errOutOfExpectations
	}
	if !pc.started.CompareAndSwap(false, true) {
		return nil, sarama.ConfigurationError("The topic/partition is already being consumed")
	}
	if pc.offset != AnyOffset && pc.offset != offset {
		c.t.Errorf("Unexpected offset when calling ConsumePartition for %v. Expected %d, got %d.", at, pc.offset, offset)
	}
	return pc, nil
}

// SetTopicMetadata says which topics there are, and their partitions, for Topics
// and Partitions.
func (c *Consumer) SetTopicMetadata(metadata map[string][]int32) {
	own := cloneClaims(metadata)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.metadata = own
}

// cloneClaims copies lists of partitions; the result is not nil.
func cloneClaims(lists map[string][]int32) map[string][]int32 {
	own := make(map[string][]int32, len(lists))
	for topic, partitions := range lists {
		own[topic] = slices.Clone(partitions)
	}
	return own
}

// Topics returns the topics of SetTopicMetadata, sorted. Without it, the call is
// reported, and fails with sarama.ErrOutOfBrokers.
func (c *Consumer) Topics() ([]string, error) {
	c.mu.Lock()
	set, topics := c.mu.metadata != nil, slices.Sorted(maps.Keys(c.mu.metadata))
	c.mu.Unlock()
	if !set {
		c.t.Errorf("Unexpected call to Topics. Initialize the mock's topic metadata with SetTopicMetadata.")
		return nil, sarama.ErrOutOfBrokers
	}
	return topics, nil
}

// Partitions returns the partitions of a topic as SetTopicMetadata gives them.
// The error of another topic is sarama.ErrUnknownTopicOrPartition. Without
// metadata the call is reported, and fails with sarama.ErrOutOfBrokers.
func (c *Consumer) Partitions(topic string) ([]int32, error) {
	c.mu.Lock()
	partitions, known := c.mu.metadata[topic]
	set := c.mu.metadata != nil
	c.mu.Unlock()
	switch {
	case !set:
		c.t.Errorf("Unexpected call to Partitions. Initialize the mock's topic metadata with SetTopicMetadata.")
		return nil, sarama.ErrOutOfBrokers
	case !known:
		return nil, sarama.ErrUnknownTopicOrPartition
	}
	return slices.Clone(partitions), nil
}

// all are the expected partitions, in the order in which they were first
// expected.
func (c *Consumer) all() []*PartitionConsumer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.mu.order)
}

// some are those of the given partitions that are expected.
func (c *Consumer) some(topicPartitions map[string][]int32) (list []*PartitionConsumer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, partitions := range topicPartitions {
		for _, partition := range partitions {
			if pc := c.mu.expected[topicPartition{topic, partition}]; pc != nil {
				list = append(list, pc)
			}
		}
	}
	return list
}

// HighWaterMarks returns the high watermarks of all partitions that are expected.
func (c *Consumer) HighWaterMarks() map[string]map[int32]int64 {
	marks := make(map[string]map[int32]int64)
	for _, pc := range c.all() {
		at := pc.messages.at
		if marks[at.topic] == nil {
			marks[at.topic] = make(map[int32]int64)
		}
		marks[at.topic][at.partition] = pc.HighWaterMarkOffset()
	}
	return marks
}

// Pause pauses some partitions. Those that are not expected are ignored.
func (c *Consumer) Pause(topicPartitions map[string][]int32) {
	for _, pc := range c.some(topicPartitions) {
		pc.Pause()
	}
}

// Resume resumes some partitions. Those that are not expected are ignored.
func (c *Consumer) Resume(topicPartitions map[string][]int32) {
	for _, pc := range c.some(topicPartitions) {
		pc.Resume()
	}
}

// PauseAll pauses all partitions that are expected.
func (c *Consumer) PauseAll() {
	for _, pc := range c.all() {
		pc.Pause()
	}
}

// ResumeAll resumes all partitions that are expected.
func (c *Consumer) ResumeAll() {
	for _, pc := range c.all() {
		pc.Resume()
	}
}

// Close closes all PartitionConsumers, which report what is amiss with them. The
// result is always nil. It may be called more than once.
func (c *Consumer) Close() error {
	for _, pc := range c.all() {
		_ = pc.Close()
	}
	return nil
}
