package sarama

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// TestProducerRetriesWhatFailsWhileTheLeaderIsAskedFor has two batches of a
// partition out when its leader gets lost, so that a third one has the leader
// asked for. The first batch comes back to be sent again before that is over,
// the second one after it.
func TestProducerRetriesWhatFailsWhileTheLeaderIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		asked error // what the question after the leader finds, 2 s after it
	}{{"and found", nil}, {"in vain", ErrLeaderNotAvailable}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				metadata, produce := 0, 0
				s := newScript(t, nil)
				s.answer = func(_ string, _ bridge.Header, req any) (any, error) {
					switch req.(type) {
					case *ApiVersionsRequest:
						return allVersions(), nil
					case *InitProducerIDRequest:
						return &InitProducerIDResponse{ProducerID: 7}, nil
					case *MetadataRequest:
						metadata++
						r := simpleMetadata(1, "t", 1)
						if metadata == 3 {
							time.Sleep(2 * time.Second)
						}
						if metadata == 2 || metadata == 3 && c.asked != nil {
							r.AddTopicPartition("t", 0, -1, nil, nil, nil, ErrLeaderNotAvailable)
						}
						return r, nil
					}
					produce++
					switch produce {
					case 1: // written, but not confirmed in time
						time.Sleep(time.Second)
						if c.asked != nil {
							time.Sleep(1500 * time.Millisecond) // within the backoff after the question
						}
						return produceAnswer(req, ErrRequestTimedOut), nil
					case 2:
						time.Sleep(4 * time.Second)
					case 3:
						return produceAnswer(req, ErrDuplicateSequenceNumber), nil
					}
					return produceAnswer(req, ErrNoError), nil
				}
				conf := s.config()
				idempotent(conf)
				conf.Metadata.Retry.Max, conf.Producer.Retry.Backoff = 0, time.Second
				conf.Producer.Flush.MaxMessages = 1 // each goes to the owner at once
				conf.Producer.Partitioner = NewManualPartitioner
				client, err := NewClient([]string{"b1:9092"}, conf)
				if err != nil {
					t.Fatal(err)
				}
				p, err := NewAsyncProducerFromClient(client)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 3 {
					if i == 2 {
						if err := client.RefreshMetadata("t"); !errors.Is(err, ErrLeaderNotAvailable) {
							t.Fatal(err)
						}
					}
					p.Input() <- &ProducerMessage{Topic: "t", Value: StringEncoder("v"), Metadata: i}
					synctest.Wait()
				}
				for range 3 {
					select {
					case <-p.Successes():
					case e := <-p.Errors():
						if c.asked == nil || e.Msg.Metadata != 2 || !errors.Is(e, c.asked) {
							t.Error(e.Msg.Metadata, e)
						}
					case <-time.After(time.Hour):
						t.Fatal("a message has no result")
					}
				}
				_ = p.Close()
				_ = client.Close()
				s.close()
			})
		})
	}
}

// TestProducerDropsNoMessageThatWaitsForItsNumbers has a batch wait until what
// is out under the epoch before has come back.
func TestProducerDropsNoMessageThatWaitsForItsNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, standard(2, "t", 2, func(_ string, _ bridge.Header, req any) (any, error) {
			for _, b := range readBatches(t, req) {
				switch b.values[0] {
				case "slow":
					time.Sleep(2 * time.Second)
				case "bad":
					return produceAnswer(req, ErrMessageSizeTooLarge), nil
				}
			}
			return produceAnswer(req, ErrNoError), nil
		}))
		conf := s.config()
		idempotent(conf)
		conf.Producer.Partitioner = NewManualPartitioner
		p, err := NewSyncProducer([]string{"b1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		send := func(partition int32, value string, want error) {
			wg.Go(func() {
				msg := &ProducerMessage{Topic: "t", Partition: partition, Value: StringEncoder(value)}
				_, _, err := p.(ContextSyncProducer).SendMessageContext(context.Background(), msg)
				if !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", value, err, want)
				}
			})
			synctest.Wait()
		}
		send(0, "slow", nil)
		send(1, "bad", ErrMessageSizeTooLarge)
		for range 3 {
			send(0, "next", nil)
		}
		wg.Wait()
		_ = p.Close()
		s.close()
	})
}
