package sarama_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// TestOffsetsGoByMember: what members of groups have added is committed apart,
// and of the offsets of a partition the last counts.
func TestOffsetsGoByMember(t *testing.T) {
	for version, fences := range map[sarama.KafkaVersion]bool{sarama.V2_4_0_0: false, sarama.V2_5_0_0: true, sarama.MaxVersion: true} {
		for kind, implicit := range forBoth {
			t.Run(fmt.Sprint(version, ", ", kind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cluster := txnCluster(t, implicit)
					var got []string
					defer cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
						req, ok := r.Body.(*sarama.TxnOffsetCommitRequest)
						if !ok {
							return nil
						}
						answer := &sarama.TxnOffsetCommitResponse{Topics: make(map[string][]*sarama.PartitionError)}
						line := fmt.Sprint(req.GroupID, " ", req.MemberID, " ", req.GenerationID)
						if req.GroupInstanceID != nil {
							line += " " + *req.GroupInstanceID
						}
						for _, topic := range slices.Sorted(maps.Keys(req.Topics)) {
							for _, p := range req.Topics[topic] {
								line += fmt.Sprintf(" %s/%d:%d", topic, p.Partition, p.Offset)
								if p.Metadata != nil {
									line += *p.Metadata
								}
								answer.Topics[topic] = append(answer.Topics[topic], &sarama.PartitionError{Partition: p.Partition})
							}
						}
						got = append(got, line)
						return &fakekafka.Reply{Response: answer} // there are no such members
					})()
					p := newTxnProducer(t, cluster, func(conf *sarama.Config) { conf.Version = version })
					defer p.Close()
					mustTxn(t, "BeginTxn", p.BeginTxn())
					mustTxn(t, "sending", sendOne(p, 2))
					meta, instance := "m", "i"
					offsets := func(topic string, id int32, offset int64) map[string][]*sarama.PartitionOffsetMetadata {
						return map[string][]*sarama.PartitionOffsetMetadata{topic: {{Partition: id, Offset: offset, LeaderEpoch: -1}}}
					}
					member := &sarama.ConsumerGroupMetadata{GroupID: "g", MemberID: "x", GenerationID: 2}
					static := &sarama.ConsumerGroupMetadata{GroupID: "g", MemberID: "x", GenerationID: 2, GroupInstanceID: &instance}
					first := offsets("t", 0, 1)
					for _, err := range []error{
						p.AddOffsetsToTxn(first, "g"), p.AddOffsetsToTxn(offsets("t", 1, 2), "g"), p.AddOffsetsToTxn(nil, "empty"),
						p.AddMessageToTxn(&sarama.ConsumerMessage{Topic: "t", Partition: 1, Offset: 30}, "g", &meta),
						p.AddOffsetsToTxn(offsets("u", 0, 4), "g"), p.AddOffsetsToTxn(offsets("t", 0, 5), "h"),
						p.AddOffsetsToTxnWithGroupMetadata(offsets("t", 0, 6), member),
						p.AddMessageToTxnWithGroupMetadata(&sarama.ConsumerMessage{Topic: "t", Offset: 6}, static, nil),
					} {
						mustTxn(t, "adding", err)
					}
					first["t"][0].Offset, instance = 1000, "changed" // they are the caller's
					mustTxn(t, "CommitTxn", p.CommitTxn())
					want := []string{"g  -1 t/0:1 t/1:31m u/0:4", "h  -1 t/0:5", "g x 2 t/0:6", "g x 2 i t/0:7"}
					if !fences { // versions before 3 do not tell who it is
						want = []string{"g  0 t/0:1 t/1:31m u/0:4", "h  0 t/0:5", "g  0 t/0:6", "g  0 t/0:7"}
					}
					if !slices.Equal(got, want) {
						t.Errorf("got  %q\nwant %q", got, want)
					}
					got = nil
					mustTxn(t, "BeginTxn", p.BeginTxn()) // begins without them
					mustTxn(t, "CommitTxn", p.CommitTxn())
					if got != nil {
						t.Errorf("committed again: %q", got)
					}
				})
			})
		}
	}
}

func TestOffsetsThatMakeNoSense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTxnProducer(t, txnCluster(t, true), nil)
		defer p.Close()
		mustTxn(t, "BeginTxn", p.BeginTxn())
		for what, err := range map[string]error{
			"no metadata": p.AddOffsetsToTxnWithGroupMetadata(nil, nil),
			"no message":  p.AddMessageToTxn(nil, "g", nil),
			"a nil":       p.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{"t": {nil}}, "g"),
		} {
			var refused sarama.ConfigurationError
			if !errors.As(err, &refused) {
				t.Errorf("%s: %v", what, err)
			}
		}
		mustTxn(t, "CommitTxn", p.CommitTxn())
	})
}

// TestPartitionThatCannotBeAdded fails the transaction, and messages that wait
// for it are not sent.
func TestPartitionThatCannotBeAdded(t *testing.T) {
	for _, code := range []sarama.KError{
		sarama.ErrTopicAuthorizationFailed, sarama.ErrTransactionAbortable, sarama.ErrUnknownProducerID,
		sarama.ErrProducerFenced, sarama.ErrInvalidProducerIDMapping, sarama.ErrTransactionalIDAuthorizationFailed,
	} {
		t.Run(code.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := txnCluster(t, false)
				p := newTxnProducer(t, cluster, nil)
				defer p.Close()
				mustTxn(t, "BeginTxn", p.BeginTxn())
				cluster.FailRequest(fakekafka.AddPartitionsToTxn, code, 1)
				err := sendOne(p, 0)
				for _, want := range []error{sarama.ErrTransactionNotReady, sarama.ErrAddPartitionsToTxn, code} {
					if !errors.Is(err, want) {
						t.Errorf("sending: %v is not %v", err, want)
					}
				}
				if n := cluster.Requests(fakekafka.Produce); n != 0 {
					t.Errorf("%d Produce requests", n)
				}
				if err := p.CommitTxn(); !errors.Is(err, sarama.ErrAddPartitionsToTxn) || !errors.Is(err, code) {
					t.Errorf("CommitTxn: %v", err)
				}
				switch code {
				case sarama.ErrProducerFenced, sarama.ErrInvalidProducerIDMapping, sarama.ErrTransactionalIDAuthorizationFailed:
					if got := p.TxnStatus(); got != stFatal {
						t.Errorf("state %v", got)
					}
				default:
					if got := p.TxnStatus(); got != stAbortable {
						t.Errorf("state %v", got)
					}
					mustTxn(t, "AbortTxn", p.AbortTxn())
					mustTxn(t, "BeginTxn", p.BeginTxn())
					mustTxn(t, "sending", sendOne(p, 0))
					mustTxn(t, "CommitTxn", p.CommitTxn())
				}
			})
		})
	}
}
