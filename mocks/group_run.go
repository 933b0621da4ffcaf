package mocks

import (
	"context"
	"fmt"
	"sync"

	"github.com/IBM/sarama"
)

// consume is one session of a group, on the goroutine of the caller of Consume.
func (g *ConsumerGroup) consume(ctx context.Context, asked string, wanted func(topic string) bool, handler sarama.ConsumerGroupHandler) error {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-g.closing:
		return sarama.ErrClosedConsumerGroup
	}
	defer func() { <-g.turn }()
	s, err := g.begin(ctx, asked, wanted)
	if err != nil {
		return err
	}
	defer g.leave(s)
	if err := handler.Setup(s); err != nil {
		s.End(err)
		_ = handler.Cleanup(s)
		return err
	}
	g.runClaims(s, handler)
	return handler.Cleanup(s)
}

// begin makes the next session.
func (g *ConsumerGroup) begin(ctx context.Context, asked string, wanted func(topic string) bool) (*ConsumerGroupSession, error) {
	g.mu.Lock()
	var err error
	unset := false
	switch {
	case g.mu.ended:
		err = sarama.ErrClosedConsumerGroup
	case ctx.Err() != nil:
		err = ctx.Err()
	case len(g.mu.failures) > 0:
		err = g.mu.failures[0]
		g.mu.failures = g.mu.failures[1:]
	case g.mu.claims == nil:
		unset, err = true, errOutOfExpectations
	}
	if err != nil {
		g.mu.Unlock()
		if unset {
			g.t.Errorf("Consume was called, but no claims are set. Call SetClaims first.")
		}
		return nil, err
	}
	claims, unwanted := g.claimsLocked(wanted)
	g.mu.generation++
	g.mu.fresh, g.mu.ready = false, false
	s := newSession(ctx, claims, g.mu.generation, g.offsets, g.report)
	g.mu.session = s
	g.mu.Unlock()
	if len(unwanted) > 0 {
		g.t.Errorf("Claims are set for the topics %v, but Consume was called for %s.", unwanted, asked)
	}
	return s, nil
}

// leave is the end of a session.
func (g *ConsumerGroup) leave(s *ConsumerGroupSession) {
	s.End(nil) // Setup may have panicked
	s.finish(g.conf.Consumer.Offsets.AutoCommit.Enable)
	g.mu.Lock()
	g.mu.session, g.mu.ready, g.mu.active = nil, false, nil
	g.mu.Unlock()
	g.offsets.touch()
}

// runClaims runs ConsumeClaim for each claim, until all have returned.
func (g *ConsumerGroup) runClaims(s *ConsumerGroupSession, handler sarama.ConsumerGroupHandler) {
	claims := g.activate(s)
	var running sync.WaitGroup
	for _, c := range claims {
		running.Go(func() { c.feed(s.ctx, c.messages.sent()) })
		running.Go(func() {
			err := handler.ConsumeClaim(s, c)
			at := c.messages.at
			if err != nil {
				g.report(&sarama.ConsumerError{Topic: at.topic, Partition: at.partition, Err: err})
			}
			g.mu.Lock()
			delete(g.mu.active, at)
			g.mu.Unlock()
			s.End(fmt.Errorf("%w: %v", sarama.ErrSessionConsumeClaimExited, at))
		})
	}
	<-s.ctx.Done()
	for _, c := range claims {
		c.messages.close()
	}
	running.Wait()
}

// activate makes the claims of a session, which begin at what is committed.
func (g *ConsumerGroup) activate(s *ConsumerGroupSession) (claims []*ConsumerGroupClaim) {
	active := make(map[topicPartition]*ConsumerGroupClaim)
	for topic, partitions := range s.claims {
		for _, partition := range partitions {
			at := topicPartition{topic, partition}
			c := &ConsumerGroupClaim{initial: g.offsets.stored(at), log: g.log(at)}
			c.messages = newStream(at, c.log.begin(c.initial), buffer(g.conf))
			if c.initial < 0 {
				c.initial = g.conf.Consumer.Offsets.Initial
			}
			active[at] = c
			claims = append(claims, c)
		}
	}
	g.mu.Lock()
	for _, c := range claims {
		if g.mu.paused[c.messages.at] {
			c.messages.pause()
		}
		c.messages.open()
	}
	g.mu.active, g.mu.ready = active, true
	g.mu.Unlock()
	g.offsets.touch()
	return claims
}
