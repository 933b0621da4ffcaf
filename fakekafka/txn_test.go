package fakekafka_test

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// txnClient asks the one broker of a cluster as a transactional producer does.
type txnClient struct {
	t     *testing.T
	b     *sarama.Broker
	id    int64
	epoch int16
	next  map[int32]int32 // numbers by partition
}

func newTxnClient(t *testing.T, cluster *fakekafka.Cluster, name string) *txnClient {
	c := &txnClient{t: t, b: dial(t, cluster, 1), next: make(map[int32]int32)}
	resp, err := c.b.InitProducerID(&sarama.InitProducerIDRequest{
		Version: 4, TransactionalID: &name, TransactionTimeout: time.Minute, ProducerID: -1, ProducerEpoch: -1,
	})
	must(t, err)
	wantErr(t, resp.Err, sarama.ErrNoError)
	c.id, c.epoch = resp.ProducerID, resp.ProducerEpoch
	return c
}

func (c *txnClient) add(name string, partitions ...int32) sarama.KError {
	resp, err := c.b.AddPartitionsToTxn(&sarama.AddPartitionsToTxnRequest{
		Version: 3, TransactionalID: name, ProducerID: c.id, ProducerEpoch: c.epoch, TopicPartitions: map[string][]int32{"t": partitions},
	})
	must(c.t, err)
	return resp.Errors["t"][0].Err
}

func (c *txnClient) produce(name string, partition int32, values ...string) sarama.KError {
	b := batch(values...)
	b.ProducerID, b.ProducerEpoch, b.FirstSequence, b.IsTransactional = c.id, c.epoch, c.next[partition], true
	c.next[partition] += int32(len(values))
	req := produceRequest("t", partition, b)
	req.TransactionalID = &name
	resp, err := c.b.Produce(req)
	must(c.t, err)
	return resp.GetBlock("t", partition).Err
}

func (c *txnClient) end(name string, commit bool) sarama.KError {
	resp, err := c.b.EndTxn(&sarama.EndTxnRequest{Version: 4, TransactionalID: name, ProducerID: c.id, ProducerEpoch: c.epoch, TransactionResult: commit})
	must(c.t, err)
	return resp.Err
}

// stable fetches committed records, and returns where the stable part of the
// log ends and which transactions of it were aborted.
func stable(t *testing.T, b *sarama.Broker, offset int64, maxBytes int32) (end int64, aborted []sarama.AbortedTransaction) {
	t.Helper()
	req := fetchRequest("t", 0, offset)
	req.Isolation = sarama.ReadCommitted
	req.AddBlock("t", 0, offset, maxBytes, -1)
	block := fetch(t, b, req).GetBlock("t", 0)
	wantErr(t, block.Err, sarama.ErrNoError)
	for _, a := range block.AbortedTransactions {
		aborted = append(aborted, *a)
	}
	return block.LastStableOffset, aborted
}

func TestStableOffsetAndAbortedTransactions(t *testing.T) {
	opts := one()
	opts.TransactionVersion = -1
	cluster := fakekafka.New(t, opts)
	a, b := newTxnClient(t, cluster, "a"), newTxnClient(t, cluster, "b")
	check := func(what string, offset, wantEnd int64, want ...sarama.AbortedTransaction) {
		t.Helper()
		end, aborted := stable(t, a.b, offset, 1<<20)
		if end != wantEnd || !slices.Equal(aborted, want) {
			t.Errorf("%s: stable to %d, aborted %v, want %d and %v", what, end, aborted, wantEnd, want)
		}
		list := &sarama.OffsetRequest{Version: 5, IsolationLevel: sarama.ReadCommitted}
		list.AddBlock("t", 0, sarama.OffsetNewest, 1)
		resp, err := a.b.GetAvailableOffsets(list)
		must(t, err)
		if got := resp.GetBlock("t", 0).Offset; got != wantEnd {
			t.Errorf("%s: the newest stable offset is %d, want %d", what, got, wantEnd)
		}
	}
	wantErr(t, a.add("a", 0), sarama.ErrNoError)
	wantErr(t, b.add("b", 0, 1), sarama.ErrNoError)
	_, err := cluster.Append("t", 0, fakekafka.Record{Value: []byte("plain")})
	must(t, err)
	check("nothing open", 0, 1)
	wantErr(t, a.produce("a", 0, "a1", "a2"), sarama.ErrNoError) // 1, 2
	wantErr(t, b.produce("b", 0, "b1"), sarama.ErrNoError)       // 3
	check("two open", 0, 1)
	wantErr(t, b.end("b", true), sarama.ErrNoError) // 4
	check("one open", 0, 1)
	wantErr(t, a.end("a", false), sarama.ErrNoError) // 5
	gone := sarama.AbortedTransaction{ProducerID: a.id, FirstOffset: 1}
	check("aborted", 0, 6, gone)
	check("within what was aborted", 3, 6, gone)
	check("behind it", 6, 6)
	if _, list := stable(t, a.b, 0, 1); list != nil {
		t.Errorf("one batch was read, aborted %v", list)
	}
	wantValues(t, stored(t, cluster, "t", 0), "plain", "a1", "a2", "b1")
	if _, end, _ := cluster.Offsets("t", 1); end != 1 {
		t.Errorf("the log of a partition without records ends at %d, want a marker", end)
	}
	must(t, cluster.TruncateLog("t", 0, 1))
	check("truncated", 0, 1)
}

func TestMarkersThatAreHeld(t *testing.T) {
	opts := one()
	opts.TransactionVersion = -1
	cluster := fakekafka.New(t, opts)
	c := newTxnClient(t, cluster, "a")
	wantErr(t, c.add("a", 0), sarama.ErrNoError)
	wantErr(t, c.produce("a", 0, "v"), sarama.ErrNoError)
	first, second := cluster.HoldMarkers(), cluster.HoldMarkers()
	wantErr(t, c.end("a", true), sarama.ErrNoError)
	wantErr(t, c.end("a", true), sarama.ErrConcurrentTransactions)
	wantErr(t, c.end("a", false), sarama.ErrInvalidTxnState)
	wantErr(t, c.add("a", 0), sarama.ErrConcurrentTransactions)
	first()
	first()
	if end, _ := stable(t, c.b, 0, 1<<20); end != 0 {
		t.Errorf("stable to %d", end)
	}
	second()
	if end, _ := stable(t, c.b, 0, 1<<20); end != 2 {
		t.Errorf("stable to %d", end)
	}
	wantErr(t, c.add("a", 0), sarama.ErrNoError)
	if tx, ok := cluster.Transaction("a"); !ok || tx != (fakekafka.Transaction{ProducerID: c.id, State: "Ongoing"}) {
		t.Errorf("%+v", tx)
	}
	if _, ok := cluster.Transaction("nobody"); ok {
		t.Error("a transactional id that nobody has used is known")
	}
}

func TestTransactionTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := one()
		opts.TransactionVersion = -1
		cluster := fakekafka.New(t, opts)
		c := newTxnClient(t, cluster, "a")
		wantErr(t, c.add("a", 0), sarama.ErrNoError)
		wantErr(t, c.produce("a", 0, "v"), sarama.ErrNoError)
		time.Sleep(59 * time.Second)
		if end, _ := stable(t, c.b, 0, 1<<20); end != 0 {
			t.Errorf("stable to %d", end)
		}
		time.Sleep(2 * time.Second)
		if end, aborted := stable(t, c.b, 0, 1<<20); end != 2 || len(aborted) != 1 {
			t.Errorf("stable to %d, aborted %v", end, aborted)
		}
		wantErr(t, c.end("a", true), sarama.ErrProducerFenced)
		wantErr(t, c.produce("a", 0, "v"), sarama.ErrInvalidProducerEpoch)
		c = newTxnClient(t, cluster, "a")
		if c.epoch != 2 {
			t.Errorf("epoch %d", c.epoch)
		}
		wantErr(t, c.add("a", 0), sarama.ErrNoError)
		wantErr(t, c.end("a", true), sarama.ErrNoError)
		time.Sleep(time.Hour) // it has ended
		if tx, _ := cluster.Transaction("a"); tx.State != "CompleteCommit" || tx.ProducerEpoch != 2 {
			t.Errorf("%+v", tx)
		}
	})
}

// TestEpochsRunOut: the next producer id begins at 0, however the epoch was
// asked for.
func TestEpochsRunOut(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		cluster := fakekafka.New(t, one())
		c := newTxnClient(t, cluster, "a")
		name := "a"
		first, last := c.id, int16(0)
		for range math.MaxInt16 {
			if implicit {
				resp, err := c.b.EndTxn(&sarama.EndTxnRequest{Version: 5, TransactionalID: name, ProducerID: c.id, ProducerEpoch: c.epoch})
				must(t, err)
				wantErr(t, resp.Err, sarama.ErrNoError)
				c.id, c.epoch = resp.ProducerID, resp.ProducerEpoch
			} else {
				resp, err := c.b.InitProducerID(&sarama.InitProducerIDRequest{
					Version: 4, TransactionalID: &name, TransactionTimeout: time.Minute, ProducerID: c.id, ProducerEpoch: c.epoch,
				})
				must(t, err)
				wantErr(t, resp.Err, sarama.ErrNoError)
				c.id, c.epoch = resp.ProducerID, resp.ProducerEpoch
			}
			if c.id != first {
				break
			}
			last = c.epoch
		}
		if c.id == first || c.epoch != 0 || last != math.MaxInt16-1 {
			t.Errorf("implicit %v: id %d after %d, epoch %d after %d", implicit, c.id, first, c.epoch, last)
		}
	}
}

func TestAddPartitionsToTxn(t *testing.T) {
	opts := one()
	opts.TransactionVersion = -1
	cluster := fakekafka.New(t, opts)
	c := newTxnClient(t, cluster, "a")
	resp, err := c.b.AddPartitionsToTxn(&sarama.AddPartitionsToTxnRequest{
		Version: 3, TransactionalID: "a", ProducerID: c.id, ProducerEpoch: c.epoch, TopicPartitions: map[string][]int32{"t": {0, 9}, "nowhere": {0}},
	})
	must(t, err)
	for _, p := range resp.Errors["t"] {
		wantErr(t, p.Err, map[int32]sarama.KError{0: sarama.ErrOperationNotAttempted, 9: sarama.ErrUnknownTopicOrPartition}[p.Partition])
	}
	wantErr(t, resp.Errors["nowhere"][0].Err, sarama.ErrUnknownTopicOrPartition)
	batched := func(version int16, verify bool, partition int32) sarama.KError {
		resp, err := c.b.AddPartitionsToTxn(&sarama.AddPartitionsToTxnRequest{Version: version, Transactions: []*sarama.AddPartitionsToTxnTransaction{
			{TransactionalID: "a", ProducerID: c.id, ProducerEpoch: c.epoch, VerifyOnly: verify, TopicPartitions: map[string][]int32{"t": {partition}}},
		}})
		must(t, err)
		wantErr(t, resp.Err, sarama.ErrNoError)
		return resp.Transactions[0].Errors["t"][0].Err
	}
	wantErr(t, batched(4, true, 0), sarama.ErrInvalidTxnState)
	wantErr(t, batched(5, true, 0), sarama.ErrTransactionAbortable)
	wantErr(t, batched(4, false, 0), sarama.ErrNoError)
	wantErr(t, batched(5, true, 0), sarama.ErrNoError)
	wantErr(t, batched(5, true, 1), sarama.ErrTransactionAbortable)
}

func TestTransactionVersionIsTold(t *testing.T) {
	level := func(cluster *fakekafka.Cluster, version int16) int16 {
		resp, err := dial(t, cluster, 1).ApiVersions(&sarama.ApiVersionsRequest{Version: version, ClientSoftwareName: "x", ClientSoftwareVersion: "1"})
		must(t, err)
		for _, f := range resp.FinalizedFeatures {
			if f.Name == "transaction.version" {
				return f.MaxVersionLevel
			}
		}
		return 0
	}
	for _, c := range []struct {
		release sarama.KafkaVersion
		option  int
		want    int16
	}{{sarama.V4_3_0_0, 0, 2}, {sarama.V4_0_0_0, 0, 2}, {sarama.V3_9_0_0, 0, 0}, {sarama.V4_3_0_0, 1, 1}, {sarama.V4_3_0_0, -1, 0}} {
		opts := one()
		opts.Version, opts.TransactionVersion = c.release, c.option
		cluster := fakekafka.New(t, opts)
		if got := level(cluster, 3); got != c.want {
			t.Errorf("Kafka %v, option %d: %d", c.release, c.option, got)
		}
		if got := level(cluster, 2); got != 0 {
			t.Errorf("ApiVersions 2 tells of level %d", got)
		}
		cluster.SetTransactionVersion(2)
		if got := level(cluster, 3); got != 2 {
			t.Errorf("after an upgrade: %d", got)
		}
	}
}
