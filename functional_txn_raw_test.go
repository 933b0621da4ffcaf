package sarama_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// rawTxn asks a coordinator by single requests.
type rawTxn struct {
	t      *testing.T
	client sarama.Client
	id     string
	at     *sarama.Broker
	topic  string
	last   [2]int64 // producer id and epoch of the last answer that had some
}

// ask repeats a request for as long as the coordinator is not there or, where
// that is not what is looked for, still at work.
func (r *rawTxn) ask(patient bool, try func() (sarama.KError, error)) sarama.KError {
	r.t.Helper()
	var code sarama.KError
	eventually(r.t, "an answer of the coordinator", func() (err error) {
		if r.at, err = r.client.TransactionCoordinator(r.id); err != nil {
			return err
		}
		if code, err = try(); err != nil {
			return err
		}
		switch code {
		case sarama.ErrNotCoordinatorForConsumer, sarama.ErrConsumerCoordinatorNotAvailable, sarama.ErrOffsetsLoadInProgress:
			return errors.Join(code, r.client.RefreshTransactionCoordinator(r.id))
		case sarama.ErrConcurrentTransactions, sarama.ErrNotEnoughReplicas:
			if patient {
				return code
			}
		}
		return nil
	})
	return code
}

func (r *rawTxn) init(patient bool, version int16, id int64, epoch int16) sarama.KError {
	return r.ask(patient, func() (sarama.KError, error) {
		resp, err := r.at.InitProducerID(&sarama.InitProducerIDRequest{
			Version: version, TransactionalID: &r.id, TransactionTimeout: time.Minute, ProducerID: id, ProducerEpoch: epoch,
		})
		if err != nil {
			return 0, err
		}
		if resp.Err == 0 {
			r.last = [2]int64{resp.ProducerID, int64(resp.ProducerEpoch)}
		}
		return resp.Err, nil
	})
}

func (r *rawTxn) add(version int16, id int64, epoch int16) sarama.KError {
	return r.ask(true, func() (sarama.KError, error) {
		resp, err := r.at.AddPartitionsToTxn(&sarama.AddPartitionsToTxnRequest{
			Version: version, TransactionalID: r.id, ProducerID: id, ProducerEpoch: epoch, TopicPartitions: map[string][]int32{r.topic: {0}},
		})
		if err != nil {
			return 0, err
		}
		return resp.Errors[r.topic][0].Err, nil
	})
}

func (r *rawTxn) end(version int16, id int64, epoch int16, commit bool) sarama.KError {
	return r.ask(true, func() (sarama.KError, error) {
		resp, err := r.at.EndTxn(&sarama.EndTxnRequest{
			Version: version, TransactionalID: r.id, ProducerID: id, ProducerEpoch: epoch, TransactionResult: commit,
		})
		if err != nil {
			return 0, err
		}
		if resp.Err == 0 && version >= 5 {
			r.last = [2]int64{resp.ProducerID, int64(resp.ProducerEpoch)}
		}
		return resp.Err, nil
	})
}

func (r *rawTxn) produce(version int16, id int64, epoch int16, sequence int32, transactional bool) sarama.KError {
	return r.ask(true, func() (sarama.KError, error) {
		leader, err := r.client.Leader(r.topic, 0)
		if err != nil {
			return 0, err
		}
		now := time.Now()
		b := &sarama.RecordBatch{
			Version: 2, ProducerID: id, ProducerEpoch: epoch, FirstSequence: sequence, IsTransactional: transactional, FirstTimestamp: now, MaxTimestamp: now,
			Records: []*sarama.Record{{Value: []byte("v")}},
		}
		req := &sarama.ProduceRequest{Version: version, RequiredAcks: sarama.WaitForAll, Timeout: 10_000}
		if transactional {
			req.TransactionalID = &r.id
		}
		req.AddBatch(r.topic, 0, b)
		resp, err := leader.Produce(req)
		if err != nil {
			return 0, err
		}
		return resp.GetBlock(r.topic, 0).Err, nil
	})
}

// functionalTxnCoordinator says what coordinators and leaders answer to single
// requests, in and out of order.
func functionalTxnCoordinator(t *testing.T, s *site) {
	conf := s.txnConfig("unused")
	conf.Producer.Transaction.ID = ""
	client := s.client(t, conf)
	topic := s.topic(t, 1, nil)
	n := 0
	begin := func(t *testing.T) *rawTxn {
		n++
		r := &rawTxn{t: t, client: client, id: fmt.Sprint(topic, "-", n), topic: topic}
		r.want("the first epoch", r.init(true, 4, -1, -1), 0)
		return r
	}
	t.Run("epochs", func(t *testing.T) {
		r := begin(t)
		id, epoch := r.last[0], int16(r.last[1])
		if epoch != 0 {
			t.Errorf("epoch %d", epoch)
		}
		r.want("another id", r.init(true, 4, id+1000, 0), sarama.ErrProducerFenced)
		r.want("a later epoch", r.init(true, 4, id, 5), sarama.ErrProducerFenced)
		r.want("the next epoch", r.init(true, 4, id, 0), 0)
		r.wantLast(id, 1)
		r.want("asked again", r.init(true, 4, id, 0), 0)
		r.wantLast(id, 1)
		r.want("taken over", r.init(true, 4, -1, -1), 0)
		r.wantLast(id, 2)
		r.want("an old one", r.init(true, 4, id, 1), sarama.ErrProducerFenced)
		r.want("an old one, before KIP-588", r.init(true, 3, id, 1), sarama.ErrInvalidProducerEpoch)
	})
	t.Run("without a transaction", func(t *testing.T) {
		r := begin(t)
		id := r.last[0]
		r.want("commit", r.end(3, id, 0, true), sarama.ErrInvalidTxnState)
		r.want("abort", r.end(3, id, 0, false), sarama.ErrInvalidTxnState)
		r.want("abort with another epoch", r.end(3, id, 3, false), sarama.ErrProducerFenced)
		r.want("abort with another epoch, before KIP-588", r.end(1, id, 3, false), sarama.ErrInvalidProducerEpoch)
		r.want("abort with another id", r.end(3, id+1000, 0, false), sarama.ErrInvalidProducerIDMapping)
		r.want("add with another id", r.add(3, id+1000, 0), sarama.ErrInvalidProducerIDMapping)
		r.want("add with another epoch", r.add(3, id, 3), sarama.ErrProducerFenced)
		r.want("add with another epoch, before KIP-588", r.add(1, id, 3), sarama.ErrInvalidProducerEpoch)
		r.want("produce", r.produce(9, id, 0, 0, true), sarama.ErrInvalidTxnState)
		r.want("produce, where that can be aborted", r.produce(11, id, 0, 0, true), sarama.ErrTransactionAbortable)
	})
	t.Run("explicit", func(t *testing.T) {
		r := begin(t)
		id := r.last[0]
		r.want("add", r.add(3, id, 0), 0)
		r.want("add again", r.add(3, id, 0), 0)
		r.want("produce", r.produce(9, id, 0, 0, true), 0)
		r.want("produce outside of the transaction", r.produce(9, id, 0, 1, false), sarama.ErrInvalidTxnState)
		r.want("commit", r.end(3, id, 0, true), 0)
		r.want("commit again", r.end(3, id, 0, true), 0)
		r.want("abort after commit", r.end(3, id, 0, false), sarama.ErrInvalidTxnState)
		r.want("add to the next", r.add(3, id, 0), 0)
		r.want("produce in the next", r.produce(9, id, 0, 1, true), 0)
		r.want("abort", r.end(3, id, 0, false), 0)
		r.want("abort again", r.end(3, id, 0, false), 0)
		r.want("commit after abort", r.end(3, id, 0, true), sarama.ErrInvalidTxnState)
	})
	t.Run("another epoch while a transaction is open", func(t *testing.T) {
		r := begin(t)
		id := r.last[0]
		r.want("add", r.add(3, id, 0), 0)
		r.want("produce", r.produce(9, id, 0, 0, true), 0)
		r.want("the next epoch", r.init(false, 4, id, 0), sarama.ErrConcurrentTransactions)
		again := sarama.ErrProducerFenced // Kafka before 4.0 forgets whom it has fenced
		if s.version.IsAtLeast(sarama.V4_0_0_0) {
			again = sarama.ErrNoError
		}
		r.want("asked again", r.init(true, 4, id, 0), again)
		r.want("commit", r.end(3, id, 0, true), sarama.ErrProducerFenced)
		r.want("produce", r.produce(9, id, 0, 1, true), sarama.ErrInvalidProducerEpoch)
		r.want("taken over", r.init(true, 4, -1, -1), 0)
		r.wantLast(id, 2)
	})
	if !s.version.IsAtLeast(sarama.V4_0_0_0) {
		return
	}
	t.Run("implicit", func(t *testing.T) {
		r := begin(t)
		id := r.last[0]
		r.want("commit of nothing", r.end(5, id, 0, true), sarama.ErrInvalidTxnState)
		r.want("abort of nothing", r.end(5, id, 0, false), 0)
		r.wantLast(id, 1)
		r.want("again", r.end(5, id, 0, false), 0)
		r.wantLast(id, 1)
		r.want("produce", r.produce(12, id, 1, 0, true), 0)
		r.want("commit", r.end(5, id, 1, true), 0)
		r.wantLast(id, 2)
		r.want("commit again", r.end(5, id, 1, true), 0)
		r.wantLast(id, 2)
		r.want("abort after commit", r.end(5, id, 1, false), sarama.ErrInvalidTxnState)
		r.want("produce in the old epoch", r.produce(12, id, 1, 1, true), sarama.ErrInvalidProducerEpoch)
		r.want("the next epoch, by the old one", r.init(true, 4, id, 1), 0)
		r.wantLast(id, 2)
		r.want("produce in the next", r.produce(12, id, 2, 0, true), 0)
		r.want("abort", r.end(5, id, 2, false), 0)
		r.wantLast(id, 3)
		r.want("commit after abort", r.end(5, id, 2, true), sarama.ErrInvalidTxnState)
		r.want("an epoch long ago", r.end(5, id, 0, true), sarama.ErrProducerFenced)
	})
}

func (r *rawTxn) want(what string, got, want sarama.KError) {
	r.t.Helper()
	if got != want {
		r.t.Errorf("%s: %d (%v), want %d", what, got, got, want)
	}
}

func (r *rawTxn) wantLast(id int64, epoch int64) {
	r.t.Helper()
	if r.last != [2]int64{id, epoch} {
		r.t.Errorf("producer id and epoch %v, want %d and %d", r.last, id, epoch)
	}
}
