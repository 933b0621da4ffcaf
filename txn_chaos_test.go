package sarama_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// TestTransactionsAreAllOrNothing has requests refused, lost before or after
// they were carried out, brokers stop and leaders move, and looks at what those
// see who read committed messages: all of a transaction that was committed,
// once and in order; nothing of one that was not; and one or the other where
// the producer was told that nobody knows.
func TestTransactionsAreAllOrNothing(t *testing.T) {
	seeds := 20
	if testing.Short() {
		seeds = 16
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { txnChaos(t, uint64(seed)) })
		})
	}
}

const txnPartitions = 3

// txnTrouble makes a cluster's life hard.
type txnTrouble struct {
	mu     sync.Mutex
	random *rand.Rand
	rate   int // of requests in a thousand
}

func (x *txnTrouble) n(n int) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.random.IntN(n)
}

// see lets something happen to a request.
func (x *txnTrouble) see(r *fakekafka.Request) *fakekafka.Reply {
	if x.n(1000) >= x.rate {
		return nil
	}
	switch x.n(4) {
	case 0:
		return &fakekafka.Reply{Action: fakekafka.CutBefore}
	case 1:
		return &fakekafka.Reply{Action: fakekafka.CutAfter}
	case 2:
		return &fakekafka.Reply{AnswerDelay: time.Duration(x.n(2000)) * time.Millisecond}
	}
	code := map[fakekafka.API][]sarama.KError{
		fakekafka.Produce:            {sarama.ErrNotLeaderForPartition, sarama.ErrNotEnoughReplicas, sarama.ErrInvalidRecord, sarama.ErrTransactionAbortable},
		fakekafka.AddPartitionsToTxn: {sarama.ErrConcurrentTransactions, sarama.ErrNotCoordinatorForConsumer, sarama.ErrTopicAuthorizationFailed},
		fakekafka.EndTxn:             {sarama.ErrConcurrentTransactions, sarama.ErrConsumerCoordinatorNotAvailable, sarama.ErrTransactionAbortable},
		fakekafka.InitProducerID:     {sarama.ErrConcurrentTransactions, sarama.ErrOffsetsLoadInProgress, sarama.ErrProducerFenced},
	}[r.API]
	if code == nil {
		return nil
	}
	return &fakekafka.Reply{Err: code[x.n(len(code))]}
}

func txnChaos(t *testing.T, seed uint64) {
	cluster := fakekafka.New(t, fakekafka.Options{
		Brokers: 3, InMemory: true, TransactionVersion: []int{2, -1}[seed%2],
		Topics: []fakekafka.Topic{{Name: "t", Partitions: txnPartitions, ReplicationFactor: 3}},
	})
	x := &txnTrouble{random: rand.New(rand.NewPCG(seed, 3)), rate: 20 + int(seed)%7*25}
	undo := cluster.Handle(x.see)
	conf := clusterConfig()
	conf.Version = []sarama.KafkaVersion{sarama.MaxVersion, sarama.V2_8_0_0, sarama.V2_0_0_0}[seed/2%3]
	conf.Producer.Idempotent, conf.Producer.RequiredAcks = true, sarama.WaitForAll
	conf.Producer.Retry.Max = []int{1, 5, 1000}[seed/3%3]
	conf.Metadata.Retry.Max = 20
	conf.Producer.Transaction.ID = "tx"
	conf.Producer.Transaction.Retry.Max = []int{3, 50}[seed/5%2]
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	conf.Consumer.IsolationLevel = sarama.ReadCommitted
	conf.Net.ReadTimeout = time.Second
	cluster.Configure(conf)

	stop := make(chan struct{})
	var background sync.WaitGroup
	background.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(x.n(4000)) * time.Millisecond):
			}
			at := int32(1 + x.n(3))
			if x.n(3) > 0 {
				_ = cluster.MoveLeader("t", int32(x.n(txnPartitions)), at)
				continue
			}
			_ = cluster.StopBroker(at)
			time.Sleep(time.Duration(x.n(1000)) * time.Millisecond)
			_ = cluster.RestartBroker(at)
		}
	})
	fates := txnWork(t, x, cluster, conf)
	close(stop)
	background.Wait()
	undo()
	txnCheck(t, cluster, conf, fates)
}

// txnFate is what became of a transaction.
type txnFate int8

const (
	txnLost  txnFate = iota // nobody knows
	txnGone                 // aborted, or never committed
	txnThere                // committed
)

// txnDone is a transaction of so many messages.
type txnDone struct {
	fate     txnFate
	messages int
}

// txnWork runs transactions and notes what becomes of them.
func txnWork(t *testing.T, x *txnTrouble, cluster *fakekafka.Cluster, conf *sarama.Config) (fates []txnDone) {
	var p sarama.AsyncProducer
	closeIt := func() {
		if p != nil {
			p.AsyncClose()
			p = nil
		}
	}
	for len(fates) < 40 {
		if p == nil {
			var err error
			if p, err = sarama.NewAsyncProducer(cluster.Addrs(), conf); err != nil {
				p = nil
				continue
			}
			successes, failures := p.Successes(), p.Errors()
			go func() {
				for range successes {
				}
			}()
			go func() {
				for range failures {
				}
			}()
		}
		if err := p.BeginTxn(); err != nil {
			t.Fatalf("BeginTxn in state %v: %v", p.TxnStatus(), err)
		}
		n, messages := len(fates), x.n(30)
		for i := range messages {
			p.Input() <- &sarama.ProducerMessage{Topic: "t", Partition: int32(i % txnPartitions), Value: sarama.StringEncoder(fmt.Sprintf("%d.%d", n, i))}
			if x.n(10) == 0 {
				time.Sleep(time.Duration(x.n(200)) * time.Millisecond)
			}
		}
		fate := txnGone
		if x.n(4) > 0 {
			err := p.CommitTxn()
			switch {
			case err == nil:
				fate = txnThere
			case errors.Is(err, sarama.ErrTransactionOutcomeUnknown):
				fate = txnLost
			}
			t.Logf("%d commit: %v, %v", n, err, p.TxnStatus())
		}
		fates = append(fates, txnDone{fate, messages})
		for try := 0; p.TxnStatus()&sarama.ProducerTxnFlagReady == 0; try++ {
			err := p.AbortTxn()
			t.Logf("%d abort: %v, %v", n, err, p.TxnStatus())
			if try == 5 || p.TxnStatus()&sarama.ProducerTxnFlagFatalError != 0 {
				closeIt()
				break
			}
		}
	}
	closeIt()
	return fates
}

// txnCheck reads what was committed.
func txnCheck(t *testing.T, cluster *fakekafka.Cluster, conf *sarama.Config, fates []txnDone) {
	time.Sleep(time.Hour) // what is left open times out
	client, err := sarama.NewClient(cluster.Addrs(), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	got := make(map[int]map[int]int) // by transaction and number
	for id := range int32(txnPartitions) {
		_, end, err := cluster.Offsets("t", id)
		if err != nil {
			t.Fatal(err)
		}
		pc, err := consumer.ConsumePartition("t", id, sarama.OffsetOldest)
		if err != nil {
			t.Fatal(err)
		}
		last, lastN := -1, -1
		for pc.HighWaterMarkOffset() < end {
			time.Sleep(10 * time.Millisecond)
		}
		for {
			select {
			case m := <-pc.Messages():
				var txn, n int
				if _, err := fmt.Sscanf(string(m.Value), "%d.%d", &txn, &n); err != nil {
					t.Fatal(err)
				}
				if txn < last || txn == last && n <= lastN {
					t.Errorf("partition %d: %d.%d comes after %d.%d", id, txn, n, last, lastN)
				}
				last, lastN = txn, n
				if got[txn] == nil {
					got[txn] = make(map[int]int)
				}
				got[txn][n]++
				continue
			case <-time.After(10 * time.Second):
			}
			break
		}
		_ = pc.Close()
	}
	committed := 0
	for n, done := range fates {
		if done.fate == txnThere {
			committed++
		}
		if have := len(got[n]); have != done.messages && (done.fate == txnThere || have > 0) || have > 0 && done.fate == txnGone {
			t.Errorf("transaction %d of fate %d has %d of %d messages", n, done.fate, have, done.messages)
		}
		for i, times := range got[n] {
			if times != 1 {
				t.Errorf("transaction %d: message %d is there %d times", n, i, times)
			}
		}
	}
	t.Logf("%d of %d transactions were committed", committed, len(fates))
}
