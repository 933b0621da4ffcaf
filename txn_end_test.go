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

// TestMessagesBelongToTheTransactionTheyWereSentIn: those whose sending was
// complete are part of it, whatever they wait for.
func TestMessagesBelongToTheTransactionTheyWereSentIn(t *testing.T) {
	eachTxnKind(t, func(t *testing.T, implicit bool) {
		cluster := txnCluster(t, implicit)
		conf := txnConf(cluster)
		conf.Metadata.Full = false // topics are asked for when messages come
		conf.Producer.Flush.Messages = 1000
		undo := cluster.Delay(fakekafka.Metadata, 700*time.Millisecond)
		p, err := sarama.NewAsyncProducer(cluster.Addrs(), conf)
		mustTxn(t, "NewAsyncProducer", err)
		for i := range 3 {
			p.Input() <- &sarama.ProducerMessage{Topic: "t", Metadata: "too early", Partition: int32(i)}
		}
		mustTxn(t, "BeginTxn", p.BeginTxn())
		for i := range 30 {
			p.Input() <- &sarama.ProducerMessage{Topic: "t", Partition: int32(i % 3), Metadata: "in time"}
		}
		mustTxn(t, "CommitTxn", p.CommitTxn())
		undo()
		stored := 0
		for id := range int32(3) {
			records, _ := cluster.Records("t", id)
			stored += len(records)
		}
		if tx, _ := cluster.Transaction("tx"); stored != 30 || tx.State != "CompleteCommit" {
			t.Errorf("committed are %d messages, state %s", stored, tx.State)
		}
		p.Input() <- &sarama.ProducerMessage{Topic: "t", Metadata: "too late"}
		early, late, written := 0, 0, 0
		p.AsyncClose()
		for e := range p.Errors() {
			if !errors.Is(e.Err, sarama.ErrTransactionNotReady) {
				t.Error(e.Err)
			}
			if e.Msg.Metadata == "too early" {
				early++
			} else {
				late++
			}
		}
		for m := range p.Successes() {
			if m.Metadata != "in time" {
				t.Errorf("written: %v", m.Metadata)
			}
			written++
		}
		if early != 3 || late != 1 || written != 30 {
			t.Errorf("%d too early, %d too late, %d written", early, late, written)
		}
	})
}

// wrapped is a Client as users make them: it has the methods of another one.
type wrapped struct{ sarama.Client }

// TestTransactionsOnAClientOfTheUsers: coordinators are asked for through its
// methods.
func TestTransactionsOnAClientOfTheUsers(t *testing.T) {
	eachTxnKind(t, func(t *testing.T, implicit bool) {
		cluster := txnCluster(t, implicit)
		client, err := sarama.NewClient(cluster.Addrs(), txnConf(cluster))
		mustTxn(t, "NewClient", err)
		defer client.Close()
		p, err := sarama.NewSyncProducerFromClient(wrapped{client})
		mustTxn(t, "NewSyncProducerFromClient", err)
		defer p.Close()
		for i, call := range []string{"begin", "send", "offsets", "commit", "begin", "send", "offsets", "commit", "begin", "send", "abort"} {
			if i == 6 {
				mustTxn(t, "StopBroker", cluster.StopBroker(cluster.Coordinator(sarama.CoordinatorTransaction, "tx")))
			}
			mustTxn(t, call, (txnStep{call: call}).do(cluster, p))
		}
	})
}

// TestCoordinatorsOfManyGroupsTakeFewConnections: whatever groups
// there are, a producer has one connection for coordinators to a broker.
func TestCoordinatorsOfManyGroupsTakeFewConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := txnCluster(t, true)
		p := newTxnProducer(t, cluster, nil)
		defer p.Close()
		mustTxn(t, "BeginTxn", p.BeginTxn())
		for i := range 50 {
			mustTxn(t, "AddMessageToTxn", p.AddMessageToTxn(&sarama.ConsumerMessage{Topic: "t", Offset: int64(i)}, fmt.Sprint("group", i), nil))
		}
		mustTxn(t, "CommitTxn", p.CommitTxn())
		for _, id := range cluster.BrokerIDs() {
			if n := cluster.Connections(id); n > 2 { // the client's is one
				t.Errorf("%d connections to broker %d", n, id)
			}
		}
		if n := cluster.Requests(fakekafka.TxnOffsetCommit); n != 50 {
			t.Errorf("%d requests", n)
		}
	})
}

// TestCloseEndsWhatTheCoordinatorIsAskedFor: a coordinator that is silent holds
// up no Close, and its callers are told.
func TestCloseEndsWhatTheCoordinatorIsAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		api     fakekafka.API
		unknown bool
	}{
		"the end is not answered":       {fakekafka.EndTxn, true},
		"partitions are not answered":   {fakekafka.AddPartitionsToTxn, false},
		"the coordinator is not found":  {fakekafka.FindCoordinator, false},
		"the coordinator is busy":       {fakekafka.AddOffsetsToTxn, false},
		"the group's one is not found ": {fakekafka.TxnOffsetCommit, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := txnCluster(t, false)
				p := begun(t, cluster, func(conf *sarama.Config) { conf.Producer.Transaction.Retry.Max = 1000 })
				mustTxn(t, "AddMessageToTxn", p.AddMessageToTxn(&sarama.ConsumerMessage{Topic: "t"}, "g", nil))
				defer cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
					switch {
					case r.API == fakekafka.AddOffsetsToTxn && c.api == r.API:
						return &fakekafka.Reply{Err: sarama.ErrConcurrentTransactions}
					case r.API == c.api:
						return &fakekafka.Reply{Action: fakekafka.Drop}
					}
					return nil
				})()
				sent, ended := make(chan error, 1), make(chan error, 1)
				go func() { sent <- sendOne(p, 1) }()
				synctest.Wait()
				go func() { ended <- p.CommitTxn() }()
				time.Sleep(time.Second)
				began := time.Now()
				_ = p.Close()
				if took := time.Since(began); took > 11*time.Second {
					t.Errorf("Close took %v", took)
				}
				err := <-ended
				if !errors.Is(err, sarama.ErrShuttingDown) || errors.Is(err, sarama.ErrTransactionOutcomeUnknown) != c.unknown {
					t.Errorf("CommitTxn: %v", err)
				}
				if err := <-sent; (err != nil) != (c.api == fakekafka.AddPartitionsToTxn) {
					t.Errorf("sending: %v", err)
				}
			})
		})
	}
}
