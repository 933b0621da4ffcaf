package mocks

import (
	"context"

	"github.com/IBM/sarama"
)

// claimBuffer is how many messages wait in the channel of a claim.
const claimBuffer = 256

// ConsumerGroupClaim is a double of sarama.ConsumerGroupClaim, for tests of a
// handler without a group: give it messages, close it, and call the handler's
// ConsumeClaim.
type ConsumerGroupClaim struct {
	// constant
	initial  int64 // what InitialOffset says
	messages *stream
	log      *partitionLog // nil without a group
}

var _ sarama.ConsumerGroupClaim = (*ConsumerGroupClaim)(nil)

// NewConsumerGroupClaim returns a claim that begins at an offset. Messages get
// offsets from there on; from 0 on where it is sarama.OffsetOldest or
// sarama.OffsetNewest.
func NewConsumerGroupClaim(topic string, partition int32, initialOffset int64) *ConsumerGroupClaim {
	return &ConsumerGroupClaim{
		initial: initialOffset, messages: newStream(topicPartition{topic, partition}, max(0, initialOffset), claimBuffer),
	}
}

// YieldMessage gives the handler a message, whose topic, partition and offset are
// set. Before the handler asks for Messages it never waits; from then on it does
// while 256 are unread. Once the claim is closed it does nothing. The claims of a
// ConsumerGroup get their messages from that.
func (c *ConsumerGroupClaim) YieldMessage(msg *sarama.ConsumerMessage) *ConsumerGroupClaim {
	c.messages.yield(msg)
	return c
}

// Close closes Messages behind what was yielded, which can still be read. It may
// be called more than once.
func (c *ConsumerGroupClaim) Close() {
	c.messages.open() // with room for what is held
	c.messages.close()
}

// Topic is the partition's topic.
func (c *ConsumerGroupClaim) Topic() string { return c.messages.at.topic }

// Partition is the partition's id.
func (c *ConsumerGroupClaim) Partition() int32 { return c.messages.at.partition }

// InitialOffset is where the claim began.
func (c *ConsumerGroupClaim) InitialOffset() int64 { return c.initial }

// HighWaterMarkOffset is the offset behind the last message that was yielded.
func (c *ConsumerGroupClaim) HighWaterMarkOffset() int64 {
	if c.log != nil {
		return c.log.end()
	}
	return c.messages.end()
}

// Messages returns the messages.
func (c *ConsumerGroupClaim) Messages() <-chan *sarama.ConsumerMessage { return c.messages.open() }

// feed gives a claim the messages of its log from an offset on, until ctx ends.
func (c *ConsumerGroupClaim) feed(ctx context.Context, offset int64) {
	for ; ; offset++ {
		msg, more := c.log.at(offset)
		for msg == nil {
			select {
			case <-more:
				msg, more = c.log.at(offset)
			case <-ctx.Done():
				return
			}
		}
		if !c.messages.yield(msg) {
			return
		}
	}
}
