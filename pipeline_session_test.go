package sarama

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// sessionAlone is a session whose context ends when it is told so.
type sessionAlone struct {
	ConsumerGroupSession
	ctx context.Context
}

func (s *sessionAlone) Context() context.Context { return s.ctx }

// TestPipelineTakesNothingAfterABatchThatWasGivenUp: Run's context has ended,
// and it takes a moment until the session's and those of its claims have. What
// they hand over meanwhile must not be committed: the batch before it was not.
func TestPipelineTakesNothingAfterABatchThatWasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts, err := PipelineOptions{BatchMaxMessages: 1}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		running, stop := context.WithCancel(t.Context())
		p := &Pipeline{conf: NewConfig(), opts: opts, backoff: NewExponentialBackoff(time.Second, time.Second)}
		var got []int64
		s := newPipelineSession(p, running, func(_ context.Context, batch []*ConsumerMessage) ([]*ProducerMessage, error) {
			got = append(got, batch[0].Offset)
			stop()
			return nil, errors.New("it is over")
		})
		ctx, end := context.WithCancel(context.Background())
		if err := s.Setup(&sessionAlone{ctx: ctx}); err != nil {
			t.Fatal(err)
		}
		c := &pipelineClaim{at: topicPartition{"t", 0}, ctx: ctx, out: make(chan struct{})}
		chunk := func(offset int64) *pipelineChunk {
			return &pipelineChunk{claim: c, msgs: []*ConsumerMessage{{Topic: "t", Offset: offset}}, next: offset + 1}
		}
		if !s.hand(chunk(7)) {
			t.Fatal("the first was not taken")
		}
		synctest.Wait()
		time.AfterFunc(time.Second, end)
		if s.hand(chunk(8)) {
			t.Error("another was taken")
		}
		s.leave(c)
		if err := s.Cleanup(s.session); err != nil || len(got) != 1 {
			t.Errorf("%v; Transform was called with the offsets %v", err, got)
		}
	})
}
