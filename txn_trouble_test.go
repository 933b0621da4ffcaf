package sarama_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// begun returns a producer with an open transaction of one message.
func begun(t *testing.T, cluster *fakekafka.Cluster, set func(*sarama.Config)) sarama.SyncProducer {
	t.Helper()
	p := newTxnProducer(t, cluster, set)
	mustTxn(t, "BeginTxn", p.BeginTxn())
	mustTxn(t, "sending", sendOne(p, 0))
	return p
}

// wantNext fails the test unless another transaction works, in a later epoch.
func wantNext(t *testing.T, cluster *fakekafka.Cluster, p sarama.SyncProducer, before fakekafka.Transaction) {
	t.Helper()
	mustTxn(t, "BeginTxn", p.BeginTxn())
	mustTxn(t, "sending", sendOne(p, 0))
	now, _ := cluster.Transaction("tx")
	if now.ProducerID == before.ProducerID && now.ProducerEpoch <= before.ProducerEpoch {
		t.Errorf("epoch %d after %d", now.ProducerEpoch, before.ProducerEpoch)
	}
	mustTxn(t, "CommitTxn", p.CommitTxn())
	records, err := cluster.Records("t", 0)
	mustTxn(t, "Records", err)
	if last := records[len(records)-1]; last.Sequence != 0 {
		t.Errorf("the first message of an epoch has the number %d", last.Sequence)
	}
}

// TestTransactionWhoseOutcomeIsUnknown: the answer to EndTxn is lost, whether
// or not it was carried out, until attempts are used up.
func TestTransactionWhoseOutcomeIsUnknown(t *testing.T) {
	for name, action := range map[string]fakekafka.Action{
		"carried out": fakekafka.CutAfter, "not carried out": fakekafka.CutBefore, "carried out, silence": fakekafka.DropAnswer,
		"not carried out, silence": fakekafka.Drop,
	} {
		for kind, implicit := range forBoth {
			for _, version := range []sarama.KafkaVersion{sarama.V2_0_0_0, sarama.MaxVersion} {
				t.Run(fmt.Sprint(name, ", ", kind, ", ", version), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						cluster := txnCluster(t, implicit)
						p := begun(t, cluster, func(conf *sarama.Config) {
							conf.Version = version
							conf.Producer.Transaction.Retry.Max = 2
							conf.Net.ReadTimeout = 5 * time.Second
						})
						defer p.Close()
						before, _ := cluster.Transaction("tx")
						undo := cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
							if r.API != fakekafka.EndTxn {
								return nil
							}
							return &fakekafka.Reply{Action: action}
						})
						for range 2 {
							if err := p.CommitTxn(); !errors.Is(err, sarama.ErrTransactionOutcomeUnknown) {
								t.Fatal(err)
							}
							if got := p.TxnStatus(); got != stAbortable {
								t.Fatalf("state %v", got)
							}
						}
						undo()
						mustTxn(t, "AbortTxn", p.AbortTxn())
						wantNext(t, cluster, p, before)
					})
				})
			}
		}
	}
}

// TestCommitIsAskedForAgain: an answer that is lost once is no failure.
func TestCommitIsAskedForAgain(t *testing.T) {
	for kind, implicit := range forBoth {
		for _, action := range []fakekafka.Action{fakekafka.CutBefore, fakekafka.CutAfter} {
			t.Run(fmt.Sprint(kind, action), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cluster := txnCluster(t, implicit)
					p := begun(t, cluster, nil)
					defer p.Close()
					cut := false
					defer cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
						if r.API != fakekafka.EndTxn || cut {
							return nil
						}
						cut = true
						return &fakekafka.Reply{Action: action}
					})()
					mustTxn(t, "CommitTxn", p.CommitTxn())
					if got, _ := cluster.Transaction("tx"); got.State != "CompleteCommit" {
						t.Errorf("state %s", got.State)
					}
					mustTxn(t, "BeginTxn", p.BeginTxn())
					mustTxn(t, "sending", sendOne(p, 0))
					mustTxn(t, "CommitTxn", p.CommitTxn())
				})
			})
		}
	}
}

// TestAbortAfterFailureBeginsAnEpoch (KIP-360).
func TestAbortAfterFailureBeginsAnEpoch(t *testing.T) {
	for kind, implicit := range forBoth {
		for version, bumps := range map[sarama.KafkaVersion]bool{sarama.V2_4_0_0: false, sarama.V2_5_0_0: true, sarama.MaxVersion: true} {
			t.Run(fmt.Sprint(kind, ", ", version), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cluster := txnCluster(t, implicit)
					p := begun(t, cluster, func(conf *sarama.Config) { conf.Version = version })
					defer p.Close()
					before, _ := cluster.Transaction("tx")
					large := &sarama.ProducerMessage{Topic: "t", Value: sarama.ByteEncoder(make([]byte, 2<<20))} // gets no numbers
					var refused sarama.ConfigurationError
					if _, _, err := p.SendMessage(large); !errors.As(err, &refused) {
						t.Fatal(err)
					}
					var named []int64 // the ids with which another epoch was asked for
					undo := cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
						if req, ok := r.Body.(*sarama.InitProducerIDRequest); ok {
							named = append(named, req.ProducerID, int64(req.ProducerEpoch))
						}
						return nil
					})
					mustTxn(t, "AbortTxn", p.AbortTxn())
					undo()
					asks := bumps && (!implicit || !version.IsAtLeast(sarama.V4_0_0_0)) // else the answer to EndTxn has it
					if asks && !slices.Equal(named, []int64{before.ProducerID, int64(before.ProducerEpoch)}) || !asks && named != nil {
						t.Errorf("InitProducerId for %v", named)
					}
					if after, _ := cluster.Transaction("tx"); bumps != (after.ProducerEpoch > before.ProducerEpoch) {
						t.Errorf("epoch %d after %d", after.ProducerEpoch, before.ProducerEpoch)
					}
					if bumps {
						wantNext(t, cluster, p, before)
					}
				})
			})
		}
	}
	t.Run("numbers were given up, before KIP-360", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			cluster := txnCluster(t, false)
			p := begun(t, cluster, func(conf *sarama.Config) { conf.Version, conf.Producer.Retry.Max = sarama.V2_0_0_0, 1 })
			defer p.Close()
			before, _ := cluster.Transaction("tx")
			cluster.FailProduce("t", 0, sarama.ErrNotEnoughReplicasAfterAppend, 2)
			if err := sendOne(p, 0); !errors.Is(err, sarama.ErrNotEnoughReplicasAfterAppend) {
				t.Fatal(err)
			}
			mustTxn(t, "AbortTxn", p.AbortTxn())
			wantNext(t, cluster, p, before)
		})
	})
}

// TestEpochThatCannotBeHad: the transaction is aborted, but there are no
// numbers for the next one until AbortTxn is called again.
func TestEpochThatCannotBeHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := txnCluster(t, false)
		p := begun(t, cluster, func(conf *sarama.Config) { conf.Producer.Transaction.Retry.Max = 2 })
		defer p.Close()
		before, _ := cluster.Transaction("tx")
		cluster.FailProduce("t", 0, sarama.ErrInvalidRecord, 1)
		if err := sendOne(p, 0); !errors.Is(err, sarama.ErrInvalidRecord) {
			t.Fatal(err)
		}
		cluster.FailRequest(fakekafka.InitProducerID, sarama.ErrOffsetsLoadInProgress, 3)
		from := len(cluster.History())
		if err := p.AbortTxn(); !errors.Is(err, sarama.ErrOffsetsLoadInProgress) || p.TxnStatus() != stAbortable {
			t.Fatalf("%v, state %v", err, p.TxnStatus())
		}
		mustTxn(t, "AbortTxn", p.AbortTxn())
		if got, want := requests(cluster, from), []string{"EndTxn 4", "InitProducerId 5", "InitProducerId 5", "InitProducerId 5", "InitProducerId 5"}; !slices.Equal(got, want) {
			t.Errorf("requests %v, want %v", got, want)
		}
		wantNext(t, cluster, p, before)
	})
}

// TestAbortDoesNotTryHard: messages that cannot be delivered at once are not
// worth waiting for.
func TestAbortDoesNotTryHard(t *testing.T) {
	eachTxnKind(t, func(t *testing.T, implicit bool) {
		cluster := txnCluster(t, implicit)
		conf := txnConf(cluster)
		conf.Producer.Retry.Max = 1000
		p, err := sarama.NewAsyncProducer(cluster.Addrs(), conf)
		mustTxn(t, "NewAsyncProducer", err)
		mustTxn(t, "BeginTxn", p.BeginTxn())
		undo := cluster.FailProduce("t", 0, sarama.ErrNotEnoughReplicas, -1)
		p.Input() <- &sarama.ProducerMessage{Topic: "t"}
		time.Sleep(time.Second)
		began := time.Now()
		mustTxn(t, "AbortTxn", p.AbortTxn())
		if took := time.Since(began); took > time.Second {
			t.Errorf("AbortTxn took %v", took)
		}
		undo()
		p.AsyncClose()
		if e := <-p.Errors(); e == nil || !errors.Is(e.Err, sarama.ErrNotEnoughReplicas) {
			t.Errorf("the message: %v", e)
		}
	})
}

// TestTransactionOutlivesItsCoordinator has the coordinator's broker stop at
// each point of a transaction.
func TestTransactionOutlivesItsCoordinator(t *testing.T) {
	calls := []string{"begin", "send", "offsets", "commit", "begin", "send", "abort"}
	for kind, implicit := range forBoth {
		for at := range calls {
			t.Run(fmt.Sprintf("%s, before call %d, %s", kind, at, calls[at]), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cluster := txnCluster(t, implicit)
					p := newTxnProducer(t, cluster, func(conf *sarama.Config) { conf.Producer.Retry.Max = 20 })
					defer p.Close()
					for i, call := range calls {
						if i == at {
							mustTxn(t, "StopBroker", cluster.StopBroker(cluster.Coordinator(sarama.CoordinatorTransaction, "tx")))
						}
						mustTxn(t, call, (txnStep{call: call}).do(cluster, p))
					}
				})
			})
		}
	}
}

// TestFencedProducerIsToldSo by each request that a second producer with the
// same id makes fail.
func TestFencedProducerIsToldSo(t *testing.T) {
	eachTxnKind(t, func(t *testing.T, implicit bool) {
		cluster := txnCluster(t, implicit)
		first := begun(t, cluster, nil)
		defer first.Close()
		second := begun(t, cluster, nil)
		defer second.Close()
		if err := sendOne(first, 0); !errors.Is(err, sarama.ErrInvalidProducerEpoch) {
			t.Errorf("sending: %v", err)
		}
		if err := first.AbortTxn(); !errors.Is(err, sarama.ErrProducerFenced) {
			t.Errorf("AbortTxn: %v", err)
		}
		if got := first.TxnStatus(); got != stFatal {
			t.Errorf("state %v", got)
		}
		mustTxn(t, "CommitTxn of the second", second.CommitTxn())
		third := newTxnProducer(t, cluster, nil)
		defer third.Close()
		mustTxn(t, "BeginTxn", second.BeginTxn())
		if err := sendOne(second, 1); err == nil {
			t.Error("a fenced producer has sent")
		}
		_ = second.AbortTxn()
		if got := second.TxnStatus(); got != stFatal {
			t.Errorf("state %v", got)
		}
	})
}

// TestTransactionCallsReturnWhateverBrokersDo: nothing waits for ever, neither
// on dead brokers nor on results that nobody reads, and Close ends what is left.
func TestTransactionCallsReturnWhateverBrokersDo(t *testing.T) {
	cuts := map[string]func(c *fakekafka.Cluster, id int32) error{
		"stopped":      func(c *fakekafka.Cluster, id int32) error { return c.StopBroker(id) },
		"black hole":   func(c *fakekafka.Cluster, id int32) error { return c.SetNetwork(id, fakekafka.NetworkBlackHole) },
		"stalled":      func(c *fakekafka.Cluster, id int32) error { return c.SetNetwork(id, fakekafka.NetworkStalled) },
		"without them": func(*fakekafka.Cluster, int32) error { return nil },
	}
	for cut, do := range cuts {
		for _, call := range []string{"commit", "abort", "close", "close meanwhile"} {
			for kind, implicit := range forBoth {
				t.Run(fmt.Sprint(cut, ", ", call, ", ", kind), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						cluster := txnCluster(t, implicit)
						callsReturn(t, cluster, call, func() {
							for _, id := range cluster.BrokerIDs() {
								mustTxn(t, "cutting", do(cluster, id))
							}
						})
					})
				})
			}
		}
	}
}

func callsReturn(t *testing.T, cluster *fakekafka.Cluster, call string, cut func()) {
	conf := txnConf(cluster)
	conf.Producer.MaxBufferedBytes = 64 << 10
	conf.Producer.MaxMessageBytes = 20_000
	conf.ChannelBufferSize = 2
	conf.Producer.Transaction.Retry.Max = 3
	conf.Metadata.Retry.Max = 1
	p, err := sarama.NewAsyncProducer(cluster.Addrs(), conf)
	mustTxn(t, "NewAsyncProducer", err)
	mustTxn(t, "BeginTxn", p.BeginTxn())
	var sending sync.WaitGroup
	full := make(chan struct{})
	sending.Go(func() { // more than the budget takes; nobody reads results
		for i := range 200 {
			select {
			case p.Input() <- &sarama.ProducerMessage{Topic: "t", Partition: int32(i % 3), Value: sarama.ByteEncoder(make([]byte, 10_000))}:
			case <-full:
				return
			}
		}
	})
	synctest.Wait()
	cut()
	begun := time.Now()
	switch call {
	case "commit":
		err = p.CommitTxn()
	case "abort":
		err = p.AbortTxn()
	case "close meanwhile":
		ended := make(chan error, 1)
		go func() { ended <- p.CommitTxn() }()
		time.Sleep(time.Second)
		p.AsyncClose()
		err = <-ended
	}
	if took := time.Since(begun); took > 5*time.Minute {
		t.Errorf("%s took %v", call, took)
	}
	t.Logf("%s: %v after %v, %v", call, err, time.Since(begun), p.TxnStatus())
	close(full)
	sending.Wait()
	begun = time.Now()
	_ = p.Close()
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("Close took %v", took)
	}
}

// TestBackoffOfTransactions: 20 ms while the transaction before is being ended
// and nothing is in this one, the configured one else.
func TestBackoffOfTransactions(t *testing.T) {
	ms := func(list ...int) (waits []time.Duration) {
		for _, n := range list {
			waits = append(waits, time.Duration(n)*time.Millisecond)
		}
		return waits
	}
	var retries []int
	backoff := func(n, most int) time.Duration {
		retries = append(retries, n, most)
		return 300 * time.Millisecond
	}
	for name, c := range map[string]struct {
		implicit bool
		api      fakekafka.API
		code     sarama.KError
		set      func(*sarama.Config)
		sent     bool // something is in the transaction
		want     []time.Duration
	}{
		"the first partition":        {false, fakekafka.AddPartitionsToTxn, sarama.ErrConcurrentTransactions, nil, false, ms(20, 20, 20)},
		"another partition":          {false, fakekafka.AddPartitionsToTxn, sarama.ErrConcurrentTransactions, nil, true, ms(100, 100, 100)},
		"the first, another trouble": {false, fakekafka.AddPartitionsToTxn, sarama.ErrOffsetsLoadInProgress, nil, false, ms(100, 100, 100)},
		"the first, with a BackoffFunc": {false, fakekafka.AddPartitionsToTxn, sarama.ErrConcurrentTransactions,
			func(c *sarama.Config) { c.Producer.Transaction.Retry.BackoffFunc = backoff }, false, ms(300, 300, 300)},
		"the first message, implicit": {true, fakekafka.Produce, sarama.ErrConcurrentTransactions, nil, false, ms(20, 20, 20)},
		"the end":                     {false, fakekafka.EndTxn, sarama.ErrConcurrentTransactions, nil, true, ms(100, 100, 100)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := txnCluster(t, c.implicit)
				p := newTxnProducer(t, cluster, c.set)
				defer p.Close()
				mustTxn(t, "BeginTxn", p.BeginTxn())
				if c.sent {
					mustTxn(t, "sending", sendOne(p, 0))
				}
				cluster.FailRequest(c.api, c.code, 3)
				from := len(cluster.History())
				retries = nil
				if c.api == fakekafka.EndTxn {
					mustTxn(t, "CommitTxn", p.CommitTxn())
				} else {
					mustTxn(t, "sending", sendOne(p, 1))
				}
				var waits []time.Duration
				var last time.Time
				for _, e := range cluster.History()[from:] {
					if e.API != c.api {
						continue
					}
					if !last.IsZero() {
						waits = append(waits, e.Time.Sub(last))
					}
					last = e.Time
				}
				if len(waits) > 3 {
					waits = waits[:3]
				}
				if !slices.Equal(waits, c.want) {
					t.Errorf("waits %v, want %v", waits, c.want)
				}
				if c.set != nil && !slices.Equal(retries, []int{0, 50, 1, 50, 2, 50}) {
					t.Errorf("the BackoffFunc got %v", retries)
				}
			})
		})
	}
}

// TestTransactionWaitsForTheOneBefore: its markers are being written.
func TestTransactionWaitsForTheOneBefore(t *testing.T) {
	eachTxnKind(t, func(t *testing.T, implicit bool) {
		cluster := txnCluster(t, implicit)
		p := begun(t, cluster, nil)
		defer p.Close()
		release := cluster.HoldMarkers()
		mustTxn(t, "CommitTxn", p.CommitTxn())
		mustTxn(t, "BeginTxn", p.BeginTxn())
		sent := make(chan error, 1)
		go func() { sent <- sendOne(p, 0) }()
		time.Sleep(500 * time.Millisecond)
		select {
		case err := <-sent:
			t.Fatalf("sent while markers are held: %v", err)
		default:
		}
		release()
		mustTxn(t, "sending", <-sent)
		mustTxn(t, "CommitTxn", p.CommitTxn())
		if n := cluster.Requests(fakekafka.Metadata); n > 3 {
			t.Errorf("%d requests for metadata", n)
		}
	})
}
