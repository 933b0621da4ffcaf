package sarama

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

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

// TestProducerSurvivesOddPartitionIDs has a broker name partitions that cannot
// be.
func TestProducerSurvivesOddPartitionIDs(t *testing.T) {
	for _, ids := range [][]int32{{-1}, {-1 << 31, 1<<31 - 1}, {5, 1<<31 - 1, 0}} {
		s := newScript(t, answering(func(*MetadataRequest) *MetadataResponse {
			r := simpleMetadata(1, "other", 1)
			for _, id := range ids {
				r.AddTopicPartition("t", id, 1, nil, nil, nil, ErrNoError)
			}
			return r
		}, func(_ string, _ bridge.Header, req any) (any, error) { return produceAnswer(req, ErrNoError), nil }))
		p := newTestProducer(t, s, func(c *Config) {
			c.Metadata.Retry.Max, c.Producer.Partitioner = 0, NewRoundRobinPartitioner
		})
		for range 2 * len(ids) {
			p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder("v")}
		}
		for range 2 * len(ids) {
			select {
			case m := <-p.Successes():
				if m.Partition < 0 {
					t.Errorf("%v: written to partition %d", ids, m.Partition)
				}
			case e := <-p.Errors():
				if ids[0] != -1 {
					t.Errorf("%v: %v", ids, e)
				}
			}
		}
		_ = p.Close()
	}
}

// TestProducerBatchesFitIntoARequest sends messages of which one is within
// MaxRequestSize, but not two.
func TestProducerBatchesFitIntoARequest(t *testing.T) {
	defer func(old int32) { MaxRequestSize = old }(MaxRequestSize)
	MaxRequestSize = 64 << 10
	s := newScript(t, standard(1, "t", 1, func(_ string, _ bridge.Header, req any) (any, error) {
		return produceAnswer(req, ErrNoError), nil
	}))
	p := newTestProducer(t, s, func(c *Config) { c.Producer.Flush.Frequency = 100 * time.Millisecond })
	for range 4 {
		p.Input() <- &ProducerMessage{Topic: "t", Value: ByteEncoder(make([]byte, 50<<10))}
	}
	for range 4 {
		select {
		case <-p.Successes():
		case e := <-p.Errors():
			t.Error(e)
		}
	}
	_ = p.Close()
	s.close()
}

// TestProducerAsksNoBrokerForATopicWithoutAName: a broker might create it, and
// a client that refreshes what was asked for would ask again and again.
func TestProducerAsksNoBrokerForATopicWithoutAName(t *testing.T) {
	var l ledger
	s := newScript(t, nil)
	rest := standard(1, "t", 1, func(string, bridge.Header, any) (any, error) { return nil, errHangUp })
	s.answer = func(addr string, h bridge.Header, req any) (any, error) {
		l.add(h)
		return rest(addr, h, req)
	}
	p := newTestProducer(t, s, nil)
	before := len(l.list())
	p.Input() <- &ProducerMessage{Value: StringEncoder("v")}
	if e := <-p.Errors(); !errors.Is(e, ErrInvalidTopic) {
		t.Error(e)
	}
	if got := l.list()[before:]; len(got) > 0 {
		t.Errorf("requests %v", got)
	}
	_ = p.Close()
}

// TestProducerGoesOnBesideAPartitionWithoutALeader: a leader has moved while
// another partition of the topic has none.
func TestProducerGoesOnBesideAPartitionWithoutALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, answering(func(*MetadataRequest) *MetadataResponse {
			r := simpleMetadata(1, "t", 1)
			r.AddTopicPartition("t", 1, -1, nil, nil, nil, ErrLeaderNotAvailable)
			return r
		}, func(_ string, h bridge.Header, req any) (any, error) {
			code := ErrNotLeaderForPartition
			if h.CorrelationID > 1 {
				code = ErrNoError
			}
			return produceAnswer(req, code), nil
		}))
		conf := s.config()
		conf.Metadata.Retry.Max, conf.Producer.Partitioner = 1, NewManualPartitioner
		p, err := NewSyncProducer([]string{"b1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.SendMessage(&ProducerMessage{Topic: "t", Value: StringEncoder("v")}); err != nil {
			t.Error(err)
		}
		if _, _, err := p.SendMessage(&ProducerMessage{Topic: "t", Partition: 1}); !errors.Is(err, ErrLeaderNotAvailable) {
			t.Errorf("to the partition without a leader: %v", err)
		}
		_ = p.Close()
		s.close()
	})
}
