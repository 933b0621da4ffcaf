package sarama

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// newestVersions is the answer of a broker that takes all that the codec has.
func newestVersions() *ApiVersionsResponse {
	r := new(ApiVersionsResponse)
	for _, a := range apis {
		if a != nil {
			r.ApiKeys = append(r.ApiKeys, ApiVersionsResponseKey{ApiKey: a.key, MaxVersion: a.max()})
		}
	}
	return r
}

// TestProducerFollowsALeaderHintAtOnce is about KIP-951: neither a backoff nor
// a question after the leader, unless the hint is of no use.
func TestProducerFollowsALeaderHintAtOnce(t *testing.T) {
	for _, c := range []struct {
		name   string
		leader ProduceResponseCurrentLeader
		node   string // its address, if given
		want   []string
		waits  time.Duration
	}{
		{"a known broker", ProduceResponseCurrentLeader{2, 1}, "", []string{"b1:9092", "b2:9092"}, 0},
		{"a broker that is new", ProduceResponseCurrentLeader{3, 1}, "b3", []string{"b1:9092", "b3:9092"}, 0},
		{"an older epoch", ProduceResponseCurrentLeader{2, 0}, "", []string{"b1:9092", "b1:9092"}, 100 * time.Millisecond},
		{"an unknown broker", ProduceResponseCurrentLeader{3, 1}, "", []string{"b1:9092", "b1:9092"}, 100 * time.Millisecond},
		{"itself", ProduceResponseCurrentLeader{1, 1}, "", []string{"b1:9092", "b1:9092"}, 100 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var produced []string
				var metadata int
				s := newScript(t, func(addr string, h bridge.Header, req any) (any, error) {
					switch req.(type) {
					case *ApiVersionsRequest:
						return newestVersions(), nil
					case *MetadataRequest:
						metadata++
						return simpleMetadata(2, "t", 1), nil
					}
					produced = append(produced, addr)
					if len(produced) > 1 {
						return produceAnswer(req, ErrNoError), nil
					}
					r := produceAnswer(req, ErrNotLeaderForPartition)
					r.Blocks["t"][0].CurrentLeader = &c.leader
					if c.node != "" {
						r.NodeEndpoints = []*ProduceResponseNodeEndpoint{{NodeID: c.leader.LeaderID, Host: c.node, Port: 9092}}
					}
					return r, nil
				})
				conf := s.config()
				conf.Version = V3_7_0_0
				p, err := NewSyncProducer([]string{"b1:9092"}, conf)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				if _, _, err := p.SendMessage(&ProducerMessage{Topic: "t", Value: StringEncoder("v")}); err != nil {
					t.Error(err)
				}
				asked := 1
				if c.waits > 0 {
					asked = 2
				}
				if took := time.Since(start); !slices.Equal(produced, c.want) || took != c.waits || metadata != asked {
					t.Errorf("produced to %v after %v with %d metadata requests, want %v after %v with %d", produced, took, metadata, c.want, c.waits, asked)
				}
				_ = p.Close()
				s.close()
			})
		})
	}
}

// TestProducerStopsSendersOfBrokersThatHaveLeft moves a partition away from a
// broker that then is no longer part of the cluster.
func TestProducerStopsSendersOfBrokersThatHaveLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := false
		s := newScript(t, nil)
		s.answer = func(addr string, _ bridge.Header, req any) (any, error) {
			switch req.(type) {
			case *ApiVersionsRequest:
				return allVersions(), nil
			case *MetadataRequest:
				r := &MetadataResponse{ControllerID: 1}
				r.AddBroker("b1:9092", 1)
				leader := int32(1)
				if !left {
					r.AddBroker("b2:9092", 2)
					leader = 2
				}
				r.AddTopicPartition("t", 0, leader, nil, nil, nil, ErrNoError)
				return r, nil
			}
			if left && addr == "b2:9092" {
				return produceAnswer(req, ErrNotLeaderForPartition), nil
			}
			return produceAnswer(req, ErrNoError), nil
		}
		p, err := NewSyncProducer([]string{"b1:9092"}, s.config())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			left = i > 0
			if _, _, err := p.SendMessage(&ProducerMessage{Topic: "t", Value: StringEncoder("v")}); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if o := p.(*syncProducer).producer.owner; len(o.senders) != 1 || o.senders[1] == nil { // the owner is idle
			t.Errorf("senders of %v are left", sortedKeys(o.senders))
		}
		_ = p.Close()
		s.close()
	})
}
