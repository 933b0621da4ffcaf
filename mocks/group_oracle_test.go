package mocks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
	"github.com/IBM/sarama/mocks"
)

var errOracle = errors.New("as the test wants it")

// script is a handler that writes down what happens to it.
type script struct {
	setup, cleanup error
	message        func(s sarama.ConsumerGroupSession, m *sarama.ConsumerMessage) (done bool, err error)
	lines          []string
}

func (h *script) line(format string, args ...any) {
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
}

func (h *script) Setup(s sarama.ConsumerGroupSession) error {
	h.line("setup with %v", s.Claims())
	return h.setup
}

func (h *script) Cleanup(s sarama.ConsumerGroupSession) error {
	cause := context.Cause(s.Context())
	for _, known := range []error{sarama.ErrSessionConsumeClaimExited, context.Canceled, errOracle} {
		if errors.Is(cause, known) {
			h.line("cleanup, cause %v", known)
			return h.cleanup
		}
	}
	h.line("cleanup, cause %v", cause)
	return h.cleanup
}

func (h *script) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	h.line("claim of %s/%d from %d", c.Topic(), c.Partition(), c.InitialOffset())
	for m := range c.Messages() {
		h.line("message %s at %d of %d", m.Value, m.Offset, c.HighWaterMarkOffset())
		if done, err := h.message(s, m); done {
			return err
		}
	}
	h.line("no more messages")
	return nil
}

// TestConsumerGroupDoesWhatARealOneDoes has the same handlers called by a mock
// and by a group on the embedded cluster.
func TestConsumerGroupDoesWhatARealOneDoes(t *testing.T) {
	type session = sarama.ConsumerGroupSession
	type message = *sarama.ConsumerMessage
	for _, tc := range []struct {
		name   string
		topics []string
		manual bool
		script func(cancel func()) *script
	}{
		{"the context ends", []string{"t"}, false, func(cancel func()) *script {
			return &script{message: func(s session, m message) (bool, error) {
				if s.MarkMessage(m, ""); m.Offset == 3 {
					cancel()
					<-s.Context().Done()
				}
				return false, nil
			}}
		}},
		{"the claim returns", []string{"t"}, false, func(func()) *script {
			return &script{message: func(s session, m message) (bool, error) { s.MarkMessage(m, ""); return m.Offset == 2, nil }}
		}},
		{"the claim fails", []string{"t"}, false, func(func()) *script {
			return &script{message: func(session, message) (bool, error) { return true, errOracle }}
		}},
		{"Setup fails", []string{"t"}, false, func(func()) *script { return &script{setup: errOracle} }},
		{"Cleanup fails", []string{"t"}, false, func(func()) *script {
			return &script{cleanup: errOracle, message: func(s session, m message) (bool, error) { s.MarkMessage(m, ""); return true, nil }}
		}},
		{"marks move forward, and back by a reset", []string{"t"}, false, func(func()) *script {
			return &script{message: func(s session, m message) (bool, error) {
				s.MarkOffset("t", 0, 4, "")
				s.MarkOffset("t", 0, 2, "")
				s.MarkOffset("t", 7, 9, "")
				s.MarkOffset("u", 0, 9, "")
				s.ResetOffset("t", 0, 5, "")
				s.ResetOffset("t", 0, 3, "")
				return true, nil
			}}
		}},
		{"nothing is marked", []string{"t"}, false, func(func()) *script {
			return &script{message: func(session, message) (bool, error) { return true, nil }}
		}},
		{"committed by hand", []string{"t"}, true, func(func()) *script {
			return &script{message: func(s session, m message) (bool, error) {
				if s.MarkMessage(m, ""); m.Offset == 2 {
					s.Commit()
				}
				return m.Offset == 3, nil
			}}
		}},
		{"no topics", nil, false, func(func()) *script { return &script{} }},
		{"the context has ended", []string{"t"}, false, func(cancel func()) *script { cancel(); return &script{} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			run := func(g sarama.ConsumerGroup, committed func() int64) []string {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				h := tc.script(cancel)
				h.line("Consume: %v", g.Consume(ctx, tc.topics, h))
				h.line("committed %d", committed())
				h.line("Close: %v", g.Close())
				h.line("Consume: %v", g.Consume(ctx, tc.topics, h))
				return h.lines
			}
			conf := sarama.NewConfig()
			conf.Version = sarama.V2_8_0_0
			conf.Consumer.Return.Errors = true
			conf.Consumer.Offsets.Initial = sarama.OffsetOldest
			conf.Consumer.Offsets.AutoCommit.Enable = !tc.manual
			mock := mocks.NewConsumerGroup(t, conf).SetClaims(map[string][]int32{"t": {0}}).SetCommittedOffset("t", 0, 1)
			cluster := fakekafka.New(t, fakekafka.Options{InMemory: true, Topics: []fakekafka.Topic{{Name: "t"}}})
			for i := range 4 {
				if _, err := cluster.Append("t", 0, fakekafka.Record{Value: fmt.Append(nil, i)}); err != nil {
					t.Fatal(err)
				}
				if i > 0 {
					mock.YieldMessage("t", 0, &sarama.ConsumerMessage{Value: fmt.Append(nil, i)})
				}
			}
			if err := cluster.SetOffset("g", "t", 0, 1); err != nil {
				t.Fatal(err)
			}
			got := run(mock, func() int64 { return mock.CommittedOffset("t", 0) })
			cluster.Configure(conf)
			group, err := sarama.NewConsumerGroup(cluster.Addrs(), "g", conf)
			if err != nil {
				t.Fatal(err)
			}
			want := run(group, func() int64 {
				offset := int64(1)
				for _, c := range cluster.Commits("g") {
					offset = c.Offset
				}
				return offset
			})
			if !slices.Equal(got, want) {
				t.Errorf("the mock\n%q\nthe real group\n%q", got, want)
			}
		})
	}
}
