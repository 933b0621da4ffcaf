package sarama_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// TestCommitThatABrokerMayHaveCarriedOut: coordinators give these answers, too,
// when the end of the transaction is in their log already, whose next owner
// then carries it out.
func TestCommitThatABrokerMayHaveCarriedOut(t *testing.T) {
	for code, unknown := range map[sarama.KError]bool{
		sarama.ErrConsumerCoordinatorNotAvailable: true,
		sarama.ErrNotCoordinatorForConsumer:       true,
		sarama.ErrRequestTimedOut:                 true,
		sarama.ErrUnknown:                         true,
		sarama.ErrConcurrentTransactions:          false,
		sarama.ErrOffsetsLoadInProgress:           false,
		sarama.ErrInvalidTxnState:                 false,
		sarama.ErrTransactionAbortable:            false,
	} {
		for kind, implicit := range forBoth {
			t.Run(fmt.Sprint(int(code), ", ", kind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cluster := txnCluster(t, implicit)
					p := begun(t, cluster, func(conf *sarama.Config) { conf.Producer.Transaction.Retry.Max = 2 })
					defer p.Close()
					before, _ := cluster.Transaction("tx")
					undo := cluster.FailRequest(fakekafka.EndTxn, code, -1)
					err := p.CommitTxn()
					if !errors.Is(err, code) || errors.Is(err, sarama.ErrTransactionOutcomeUnknown) != unknown {
						t.Errorf("CommitTxn: %v", err)
					}
					if got := p.TxnStatus(); got != stAbortable {
						t.Errorf("state %v", got)
					}
					undo()
					mustTxn(t, "AbortTxn", p.AbortTxn())
					wantNext(t, cluster, p, before)
				})
			})
		}
	}
}

// TestCloseDuringTheSecondAttemptToCommit: the first was carried out and its
// answer lost, so that nobody may be told that nothing is committed.
func TestCloseDuringTheSecondAttemptToCommit(t *testing.T) {
	eachTxnKind(t, func(t *testing.T, implicit bool) {
		cluster := txnCluster(t, implicit)
		p := begun(t, cluster, nil)
		at := cluster.Coordinator(sarama.CoordinatorTransaction, "tx")
		cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
			if r.API != fakekafka.EndTxn {
				return nil
			}
			mustTxn(t, "SetNetwork", cluster.SetNetwork(at, fakekafka.NetworkBlackHole))
			return &fakekafka.Reply{Action: fakekafka.CutAfter}
		})
		ended := make(chan error, 1)
		go func() { ended <- p.CommitTxn() }()
		time.Sleep(time.Second)
		_ = p.Close()
		if err := <-ended; !errors.Is(err, sarama.ErrTransactionOutcomeUnknown) || !errors.Is(err, sarama.ErrShuttingDown) {
			t.Errorf("CommitTxn: %v", err)
		}
		if tx, _ := cluster.Transaction("tx"); tx.State != "CompleteCommit" {
			t.Errorf("state %s", tx.State)
		}
	})
}

// TestCommitWithoutAnEpochForTheNext: the transaction is committed, but the
// answer has no epoch, nor can another be had.
func TestCommitWithoutAnEpochForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := txnCluster(t, true)
		p := begun(t, cluster, func(conf *sarama.Config) { conf.Producer.Transaction.Retry.Max = 1 })
		defer p.Close()
		undo := cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
			switch r.API {
			case fakekafka.EndTxn:
				return &fakekafka.Reply{Response: &sarama.EndTxnResponse{ProducerID: -1, ProducerEpoch: -1}}
			case fakekafka.InitProducerID:
				return &fakekafka.Reply{Err: sarama.ErrOffsetsLoadInProgress}
			}
			return nil
		})
		if err := p.CommitTxn(); !errors.Is(err, sarama.ErrTransactionOutcomeUnknown) || !errors.Is(err, sarama.ErrOffsetsLoadInProgress) {
			t.Errorf("CommitTxn: %v", err)
		}
		undo()
		mustTxn(t, "AbortTxn", p.AbortTxn())
	})
}

// TestProducerIDThatIsNone: a coordinator that gives none gives an error.
func TestProducerIDThatIsNone(t *testing.T) {
	for _, got := range []sarama.InitProducerIDResponse{
		{ProducerID: -1, ProducerEpoch: 0}, {ProducerID: 1, ProducerEpoch: -1}, {ProducerID: -1, ProducerEpoch: -1},
	} {
		for _, id := range []string{"tx", ""} {
			t.Run(fmt.Sprint(got.ProducerID, got.ProducerEpoch, id), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cluster := txnCluster(t, true)
					cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
						if r.API == fakekafka.InitProducerID {
							answer := got
							answer.Version = r.Version
							return &fakekafka.Reply{Response: &answer}
						}
						return nil
					})
					conf := txnConf(cluster)
					conf.Producer.Transaction.ID = id
					p, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
					if err == nil {
						_ = p.Close()
					}
					if !errors.Is(err, sarama.ErrTxnUnableToParseResponse) {
						t.Errorf("NewSyncProducer: %v", err)
					}
				})
			})
		}
	}
}

// TestMetadataOfOffsetsIsTheCallers: he may change it once it was added.
func TestMetadataOfOffsetsIsTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := txnCluster(t, true)
		p := newTxnProducer(t, cluster, nil)
		defer p.Close()
		mustTxn(t, "BeginTxn", p.BeginTxn())
		metadata := "first"
		mustTxn(t, "AddMessageToTxn", p.AddMessageToTxn(&sarama.ConsumerMessage{Topic: "t"}, "g", &metadata))
		metadata = "second"
		mustTxn(t, "AddMessageToTxn", p.AddMessageToTxn(&sarama.ConsumerMessage{Topic: "t", Partition: 1}, "g", &metadata))
		mustTxn(t, "CommitTxn", p.CommitTxn())
		state, _ := cluster.Group("g")
		for id, want := range map[int32]string{0: "first", 1: "second"} {
			if got := state.Offsets[fakekafka.TopicPartition{Topic: "t", Partition: id}]; got.Metadata != want {
				t.Errorf("partition %d has %q, want %q", id, got.Metadata, want)
			}
		}
	})
}

// TestRefusedMessageIsInTheStateBeforeItComesBack: who hears of the failure can
// go by TxnStatus.
func TestRefusedMessageIsInTheStateBeforeItComesBack(t *testing.T) {
	cluster := fakekafka.New(t, fakekafka.Options{Topics: []fakekafka.Topic{{Name: "t", Partitions: 1}}})
	conf := txnConf(cluster)
	sync, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
	mustTxn(t, "NewSyncProducer", err)
	defer sync.Close()
	conf = txnConf(cluster)
	conf.Producer.Transaction.ID = "other"
	async, err := sarama.NewAsyncProducer(cluster.Addrs(), conf)
	mustTxn(t, "NewAsyncProducer", err)
	defer async.Close()
	for range 300 {
		large := &sarama.ProducerMessage{Topic: "t", Value: sarama.ByteEncoder(make([]byte, 2<<20))}
		mustTxn(t, "BeginTxn", sync.BeginTxn())
		if _, _, err := sync.SendMessage(large); err == nil || sync.TxnStatus() != stAbortable {
			t.Fatalf("%v, state %v", err, sync.TxnStatus())
		}
		mustTxn(t, "AbortTxn", sync.AbortTxn())
		mustTxn(t, "BeginTxn", async.BeginTxn())
		async.Input() <- large
		if e := <-async.Errors(); async.TxnStatus() != stAbortable {
			t.Fatalf("%v, state %v", e, async.TxnStatus())
		}
		mustTxn(t, "AbortTxn", async.AbortTxn())
	}
}

// TestTransactionEndsThoughATopicIsAskedForMuchLonger than the coordinator would
// leave it open.
func TestTransactionEndsThoughATopicIsAskedForMuchLonger(t *testing.T) {
	for _, commits := range []bool{true, false} {
		t.Run(fmt.Sprint(commits), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := txnCluster(t, false)
				conf := txnConf(cluster)
				conf.Metadata.Retry.Max = 10_000
				p, err := sarama.NewAsyncProducer(cluster.Addrs(), conf)
				mustTxn(t, "NewAsyncProducer", err)
				mustTxn(t, "BeginTxn", p.BeginTxn())
				p.Input() <- &sarama.ProducerMessage{Topic: "nowhere"}
				cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
					if r.API == fakekafka.Metadata {
						return &fakekafka.Reply{Errors: map[fakekafka.TopicPartition]sarama.KError{{Topic: "nowhere", Partition: -1}: sarama.ErrLeaderNotAvailable}}
					}
					return nil
				})
				begun := time.Now()
				if commits {
					if err = p.CommitTxn(); err == nil || p.TxnStatus() != stAbortable {
						t.Errorf("CommitTxn: %v, %v", err, p.TxnStatus())
					}
				}
				mustTxn(t, "AbortTxn", p.AbortTxn())
				if took := time.Since(begun); took > 2*conf.Producer.Transaction.Timeout {
					t.Errorf("it took %v", took)
				}
				p.AsyncClose()
				if e := <-p.Errors(); e == nil || e.Err == nil {
					t.Errorf("the message: %v", e)
				}
				for range p.Errors() {
				}
			})
		})
	}
}
