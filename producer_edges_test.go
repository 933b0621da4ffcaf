package sarama

import (
	"testing"

	"github.com/IBM/sarama/internal/bridge"
)

// TestProducerReportsOnlyOffsetsThatABrokerGave: where there is none, Offset
// stays as it was.
func TestProducerReportsOnlyOffsetsThatABrokerGave(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*Config)
		code KError
	}{
		{"no acknowledgement", func(c *Config) { c.Producer.RequiredAcks = NoResponse }, ErrNoError},
		{"written before", idempotent, ErrDuplicateSequenceNumber},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
				if c.code == ErrNoError {
					return nil, nil
				}
				r := produceAnswer(req, c.code)
				r.Blocks["t"][0].Offset = -1
				return r, nil
			}))
			p := newTestProducer(t, s, func(conf *Config) {
				c.set(conf)
				conf.Producer.Flush.Messages = 3
			})
			for range 3 {
				p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder("v")}
			}
			for range 3 {
				if m := <-p.Successes(); m.Offset != 0 {
					t.Errorf("offset %d", m.Offset)
				}
			}
			_ = p.Close()
		})
	}
}
