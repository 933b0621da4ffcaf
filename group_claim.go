package sarama

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// groupClaim is a ConsumerGroupClaim. Its goroutine, run, finds the partition's
// messages and runs ConsumeClaim.
type groupClaim struct {
	// constant
	session *consumerGroupSession
	at      topicPartition
	ctx     context.Context // ends when the claim has to be given up
	cancel  context.CancelFunc
	offsets *partitionOffsetManager

	// owned by run until ConsumeClaim, constant from then on
	initial  int64
	messages PartitionConsumer

	// atomic: set by run for the time of ConsumeClaim
	reading atomic.Pointer[partitionConsumer]

	// owned by the keeper
	revoked bool
	taken   int64     // messages, when last looked at
	readAt  time.Time // when that was last more than before, or nothing to be read
}

func (c *groupClaim) Topic() string { return c.at.topic }

func (c *groupClaim) Partition() int32 { return c.at.partition }

func (c *groupClaim) InitialOffset() int64 { return c.initial }

func (c *groupClaim) HighWaterMarkOffset() int64 { return c.messages.HighWaterMarkOffset() }

func (c *groupClaim) Messages() <-chan *ConsumerMessage { return c.messages.Messages() }

// run is the claim's goroutine. It ends when ConsumeClaim has returned, and
// tells the keeper.
func (c *groupClaim) run() {
	s := c.session
	defer s.keeper.claimEnded(c)
	defer s.setRunning(c.at, false)
	pc, err := c.open()
	if err != nil {
		if c.ctx.Err() == nil {
			s.group.report(c.at.topic, c.at.partition, err)
			s.end(fmt.Errorf("%w: %s/%d cannot be consumed: %w", ErrSessionConsumeClaimExited, c.at.topic, c.at.partition, err))
		}
		return
	}
	c.messages = pc
	forwarded := make(chan struct{})
	if s.group.conf.Consumer.Return.Errors {
		go withRecover(func() {
			defer close(forwarded)
			for err := range pc.Errors() {
				s.group.report(c.at.topic, c.at.partition, err)
			}
		})
	} else {
		close(forwarded)
	}
	defer func() {
		_ = pc.Close() // so that the partition can be claimed again
		<-forwarded
	}()
	defer context.AfterFunc(c.ctx, pc.AsyncClose)()
	if own, ok := pc.(*partitionConsumer); ok {
		c.reading.Store(own)
		defer c.reading.Store(nil)
	}
	if err := s.handler.ConsumeClaim(s, c); err != nil {
		s.group.report(c.at.topic, c.at.partition, err)
	}
}

// unreadablePoll is how often a partition without a leader is asked for.
const unreadablePoll = 5 * time.Second

// open begins to consume the partition. It waits for a leader as long as the
// claim lasts.
func (c *groupClaim) open() (PartitionConsumer, error) {
	g := c.session.group
	for g.client.PartitionNotReadable(c.at.topic, c.at.partition) {
		if err := g.refreshTopics(c.ctx, []string{c.at.topic}); err == nil && !g.client.PartitionNotReadable(c.at.topic, c.at.partition) {
			break // it was new to the client
		}
		Logger.Printf("consumergroup/%s partition %s/%d is not readable, looking again in %v\n", g.id, c.at.topic, c.at.partition, unreadablePoll)
		if err := sleepIn(c.ctx, unreadablePoll); err != nil {
			return nil, err
		}
	}
	conf := g.conf
	offset := c.initial
	for attempt := 0; ; attempt++ {
		pc, err := awaitCall(c.ctx, func() (PartitionConsumer, error) {
			return g.consumer.ConsumePartition(c.at.topic, c.at.partition, offset)
		}, func(late PartitionConsumer) { _ = late.Close() })
		switch {
		case err == nil:
			return pc, nil
		case c.ctx.Err() != nil:
			return nil, context.Cause(c.ctx)
		case errors.Is(err, ErrOffsetOutOfRange) && conf.Consumer.Group.ResetInvalidOffsets && offset != conf.Consumer.Offsets.Initial:
			Logger.Printf("consumergroup/%s offset %d of %s/%d is out of range, starting at Consumer.Offsets.Initial\n",
				g.id, offset, c.at.topic, c.at.partition)
			offset = conf.Consumer.Offsets.Initial
			c.initial = offset
			continue
		case !retriableClaim(err):
			return nil, err
		case attempt == conf.Metadata.Retry.Max:
			g.report(c.at.topic, c.at.partition, err)
		}
		backoff := metadataBackoff(conf, attempt)
		if attempt > conf.Metadata.Retry.Max {
			backoff = max(backoff, conf.Consumer.Retry.Backoff)
		}
		if err := sleepIn(c.ctx, backoff); err != nil {
			return nil, err
		}
	}
}

// retriableClaim reports whether a partition may be consumed a little later;
// so it is where it is still consumed for an earlier claim.
func retriableClaim(err error) bool {
	return !isOneOf(err, ErrOffsetOutOfRange, ErrClosedClient, ErrTopicAuthorizationFailed, ErrUnsupportedVersion) && !loginRefused(err)
}
