package fakekafka

import (
	"time"

	"github.com/IBM/sarama"
)

// The APIs of transactions.
const (
	AddPartitionsToTxn API = 24
	AddOffsetsToTxn    API = 25
	EndTxn             API = 26
)

// First versions whose answers have PRODUCER_FENCED (KIP-588).
const (
	initFences          = 4
	addPartitionsFences = 2
	addOffsetsFences    = 2
	endTxnFences        = 2
)

// coordinates refuses what is about a transactional id that is another
// broker's.
func (c *conn) coordinates(r *Request, id string) sarama.KError {
	switch {
	case r.reply.Err != sarama.ErrNoError:
		return r.reply.Err
	case id == "":
		return sarama.ErrInvalidRequest
	case c.cluster.coordinator(sarama.CoordinatorTransaction, id) != c.broker:
		return sarama.ErrNotCoordinatorForConsumer
	}
	return sarama.ErrNoError
}

// initProducerID gives out producer ids. An idempotent producer always gets a
// new one; a transactional id keeps its own, with the next epoch each time.
func (c *conn) initProducerID(r *Request) (any, error) {
	req := r.Body.(*sarama.InitProducerIDRequest)
	resp := &sarama.InitProducerIDResponse{ProducerID: -1, ProducerEpoch: -1, Err: r.reply.Err}
	if req.TransactionalID == nil {
		if resp.Err == sarama.ErrNoError {
			resp.ProducerID, resp.ProducerEpoch = c.cluster.producerIDs.Add(1), 0
		}
		return resp, nil
	}
	resp.Err = c.coordinates(r, *req.TransactionalID)
	if resp.Err == sarama.ErrNoError && (req.TransactionTimeout <= 0 || req.TransactionTimeout > transactionTimeoutMax) {
		resp.Err = sarama.ErrInvalidTransactionTimeout
	}
	if resp.Err != sarama.ErrNoError {
		return resp, nil
	}
	id, epoch := int64(-1), int16(-1)
	if r.Version >= 3 {
		id, epoch = req.ProducerID, req.ProducerEpoch
	}
	resp.ProducerID, resp.ProducerEpoch, resp.Err = c.cluster.initTransactional(
		*req.TransactionalID, req.TransactionTimeout, id, epoch, fenced(r.Version, initFences))
	return resp, nil
}

// initTransactional is InitProducerId for a transactional id. id is that of the
// client that wants another epoch (KIP-360), -1 for one that takes over. A
// transaction that is open is aborted first, and the client has to ask again.
func (c *Cluster) initTransactional(name string, timeout time.Duration, id int64, epoch int16, fenced sarama.KError) (int64, int16, sarama.KError) {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	t := c.txns.mu.byName[name]
	if t == nil {
		t = &transactionalID{name: name, producerID: c.producerIDs.Add(1), epoch: -1, lastID: -1, lastEpoch: -1}
		c.txns.mu.byName[name] = t
	}
	switch {
	case id >= 0 && t.epoch >= 0 && id != t.producerID && id != t.lastID:
		return -1, -1, fenced
	case t.state.preparing():
		return -1, -1, sarama.ErrConcurrentTransactions
	case t.state == txnOngoing:
		if id >= 0 && epoch != t.epoch {
			return -1, -1, fenced
		}
		t.fence(c)
		c.prepareLocked(t, false)
		return -1, -1, sarama.ErrConcurrentTransactions
	}
	switch {
	case id < 0 || t.epoch < 0 || id == t.producerID && epoch == t.epoch:
		if t.renew(c); id < 0 {
			t.lastID, t.lastEpoch = -1, -1
		}
	case id == t.lastID && epoch == t.lastEpoch: // the answer was lost
	default:
		return -1, -1, fenced
	}
	t.timeout, t.state = timeout, txnEmpty
	return t.producerID, t.epoch, sarama.ErrNoError
}

// addPartitionsToTxn adds partitions to transactions, or says whether they are
// in them.
func (c *conn) addPartitionsToTxn(r *Request) (any, error) {
	req := r.Body.(*sarama.AddPartitionsToTxnRequest)
	resp := new(sarama.AddPartitionsToTxnResponse)
	if r.Version < 4 {
		one := sarama.AddPartitionsToTxnTransaction{
			TransactionalID: req.TransactionalID, ProducerID: req.ProducerID, ProducerEpoch: req.ProducerEpoch, TopicPartitions: req.TopicPartitions,
		}
		resp.Errors = c.addPartitions(r, &one)
		return resp, nil
	}
	resp.Err = r.reply.Err
	for _, t := range req.Transactions {
		resp.Transactions = append(resp.Transactions, &sarama.AddPartitionsToTxnResult{TransactionalID: t.TransactionalID, Errors: c.addPartitions(r, t)})
	}
	return resp, nil
}

// addPartitions does so for one transaction: all partitions, or none.
func (c *conn) addPartitions(r *Request, one *sarama.AddPartitionsToTxnTransaction) map[string][]*sarama.PartitionError {
	answers := make(map[string][]*sarama.PartitionError)
	each := func(say func(topic string, id int32) sarama.KError) (refused bool) {
		clear(answers)
		for topic, ids := range one.TopicPartitions {
			for _, id := range ids {
				err := say(topic, id)
				answers[topic] = append(answers[topic], &sarama.PartitionError{Partition: id, Err: err})
				refused = refused || err != sarama.ErrNoError
			}
		}
		return refused
	}
	all := func(err sarama.KError) map[string][]*sarama.PartitionError {
		each(func(string, int32) sarama.KError { return err })
		return answers
	}
	if err := c.coordinates(r, one.TransactionalID); err != sarama.ErrNoError {
		return all(err)
	}
	catalog := c.cluster.catalog.Load()
	wrong := func(topic string, id int32) sarama.KError {
		if err := r.errorFor(topic, id); err != sarama.ErrNoError {
			return err
		}
		if catalog.topic(topic).partition(id) == nil {
			return sarama.ErrUnknownTopicOrPartition
		}
		return sarama.ErrNoError
	}
	if each(wrong) {
		each(func(topic string, id int32) sarama.KError {
			if err := wrong(topic, id); err != sarama.ErrNoError {
				return err
			}
			return sarama.ErrOperationNotAttempted
		})
		return answers
	}
	c.cluster.txns.mu.Lock()
	defer c.cluster.txns.mu.Unlock()
	t, err := c.cluster.txnLocked(one.TransactionalID, one.ProducerID, one.ProducerEpoch, fenced(r.Version, addPartitionsFences))
	if err != sarama.ErrNoError {
		return all(err)
	}
	each(func(topic string, id int32) sarama.KError {
		p := catalog.topic(topic).partition(id)
		if one.VerifyOnly {
			return t.verify(p, r.Version >= 5)
		}
		t.begin(c.cluster)
		t.partitions[p] = struct{}{}
		return sarama.ErrNoError
	})
	return answers
}

// verify says whether a partition is in the transaction.
func (t *transactionalID) verify(p *partition, abortable bool) sarama.KError {
	if _, in := t.partitions[p]; t.state == txnOngoing && in {
		return sarama.ErrNoError
	}
	if abortable {
		return sarama.ErrTransactionAbortable
	}
	return sarama.ErrInvalidTxnState
}

// addOffsetsToTxn adds a group to a transaction.
func (c *conn) addOffsetsToTxn(r *Request) (any, error) {
	req := r.Body.(*sarama.AddOffsetsToTxnRequest)
	resp := &sarama.AddOffsetsToTxnResponse{Err: c.coordinates(r, req.TransactionalID)}
	if resp.Err == sarama.ErrNoError {
		resp.Err = c.cluster.addGroup(req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.GroupID, fenced(r.Version, addOffsetsFences))
	}
	return resp, nil
}

// addGroup makes a group's offsets part of a transaction.
func (c *Cluster) addGroup(name string, id int64, epoch int16, group string, fenced sarama.KError) sarama.KError {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	t, err := c.txnLocked(name, id, epoch, fenced)
	if err == sarama.ErrNoError {
		t.begin(c)
		t.groups[group] = struct{}{}
	}
	return err
}

// hasGroup says whether a group's offsets are part of a transaction.
func (c *Cluster) hasGroup(name string, id int64, epoch int16, group string) sarama.KError {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	t, err := c.txnLocked(name, id, epoch, sarama.ErrInvalidProducerEpoch)
	if err != sarama.ErrNoError {
		return err
	}
	if _, in := t.groups[group]; t.state != txnOngoing || !in {
		return sarama.ErrInvalidTxnState
	}
	return sarama.ErrNoError
}

// admitTxnOffsets asks the coordinator of the transaction whether a group's
// offsets may be committed in it.
func (c *Cluster) admitTxnOffsets(r *Request, req *sarama.TxnOffsetCommitRequest) sarama.KError {
	if r.Version < offsetsAdd {
		if !c.opts.Version.IsAtLeast(verifiesFrom) {
			return sarama.ErrNoError
		}
		return c.hasGroup(req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.GroupID)
	}
	if c.txns.level.Load() < 2 {
		return sarama.ErrInvalidTxnState
	}
	return c.addGroup(req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.GroupID, sarama.ErrInvalidProducerEpoch)
}

// endTxn commits or aborts a transaction.
func (c *conn) endTxn(r *Request) (any, error) {
	req := r.Body.(*sarama.EndTxnRequest)
	resp := &sarama.EndTxnResponse{Err: c.coordinates(r, req.TransactionalID), ProducerID: -1, ProducerEpoch: -1}
	if resp.Err != sarama.ErrNoError {
		return resp, nil
	}
	x := &c.cluster.txns
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.mu.byName[req.TransactionalID]
	bumps := r.Version >= endTxnBumps && x.level.Load() >= 2
	if bumps {
		resp.Err = c.cluster.endBumping(t, req)
	} else {
		resp.Err = c.cluster.endPlain(t, req, fenced(r.Version, endTxnFences))
	}
	if bumps && resp.Err == sarama.ErrNoError {
		resp.ProducerID, resp.ProducerEpoch = t.producerID, t.epoch
	}
	return resp, nil
}

// endPlain is EndTxn where the epoch stays.
func (c *Cluster) endPlain(t *transactionalID, req *sarama.EndTxnRequest, fenced sarama.KError) sarama.KError {
	switch {
	case t == nil || t.producerID != req.ProducerID:
		return sarama.ErrInvalidProducerIDMapping
	case t.epoch != req.ProducerEpoch:
		return fenced
	case t.state == txnOngoing:
		c.prepareLocked(t, req.TransactionResult)
		return sarama.ErrNoError
	}
	return t.endedAlready(req.TransactionResult)
}

// endedAlready is what is said of a transaction that is not open.
func (t *transactionalID) endedAlready(commit bool) sarama.KError {
	switch {
	case commit && t.state == txnCompleteCommit, !commit && t.state == txnCompleteAbort:
		return sarama.ErrNoError
	case commit && t.state == txnPrepareCommit, !commit && t.state == txnPrepareAbort:
		return sarama.ErrConcurrentTransactions
	}
	return sarama.ErrInvalidTxnState
}

// endBumping is EndTxn that begins the next epoch (KIP-890): a client that asks
// again, with the epoch before, is told how it has ended, and one that has
// nothing to abort gets its epoch, too.
func (c *Cluster) endBumping(t *transactionalID, req *sarama.EndTxnRequest) sarama.KError {
	if t == nil {
		return sarama.ErrInvalidProducerIDMapping
	}
	again := t.lastID == req.ProducerID && t.lastEpoch == req.ProducerEpoch && t.state != txnOngoing && t.state != txnEmpty
	switch {
	case again:
		return t.endedAlready(req.TransactionResult)
	case t.producerID != req.ProducerID:
		return sarama.ErrInvalidProducerIDMapping
	case t.epoch != req.ProducerEpoch:
		return sarama.ErrProducerFenced
	case t.state.preparing():
		return sarama.ErrConcurrentTransactions
	case t.state != txnOngoing && req.TransactionResult:
		return sarama.ErrInvalidTxnState
	}
	// Markers have the next epoch, so that nothing of this one can follow them;
	// if there is none, the last one of the id.
	id := t.producerID
	t.renew(c)
	next, epoch := t.producerID, t.epoch
	if next != id {
		t.producerID, t.epoch = id, exhausted+1
	}
	c.prepareLocked(t, req.TransactionResult)
	t.producerID, t.epoch = next, epoch
	return sarama.ErrNoError
}
