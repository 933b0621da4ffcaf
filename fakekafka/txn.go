package fakekafka

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// txnState is where a transactional id's transaction is (KIP-98).
type txnState int8

const (
	txnEmpty txnState = iota
	txnOngoing
	txnPrepareCommit
	txnPrepareAbort
	txnCompleteCommit
	txnCompleteAbort
)

// preparing says that markers are outstanding.
func (s txnState) preparing() bool { return s == txnPrepareCommit || s == txnPrepareAbort }

// transactions are what the coordinators of transactional ids know. They share
// it, as the log of transactions that it stands for is never lost.
type transactions struct {
	levels bool // constant: the release has levels of transaction.version

	// atomic: the finalized level of transaction.version, and the epoch of that
	level, levelEpoch atomic.Int64

	// mu is taken before the lock of a partition
	mu struct {
		sync.Mutex
		byName map[string]*transactionalID
		held   int // markers are not written
		closed bool
	}
}

// transactionalID is what is known of one transactional id.
type transactionalID struct {
	name       string
	producerID int64
	epoch      int16
	lastID     int64 // producer id and epoch before they were changed by the client's wish, -1 for none
	lastEpoch  int16
	timeout    time.Duration

	state      txnState
	partitions map[*partition]struct{}
	groups     map[string]struct{}
	timer      *time.Timer
	serial     int // of the transaction
	started    time.Time

	// of the markers to write
	markerID    int64
	markerEpoch int16
}

const (
	transactionTimeoutMax = 15 * time.Minute
	// endTxnBumps is the first version of EndTxn that answers with the epoch of
	// the next transaction, produceAdds the first of Produce that adds
	// partitions to the transaction, offsetsAdd the first of TxnOffsetCommit
	// that does so with groups (KIP-890).
	endTxnBumps = 5
	produceAdds = 12
	offsetsAdd  = 5
)

// exhausted is the epoch after which a producer id is not used any more.
const exhausted = math.MaxInt16 - 1

func (t *transactionalID) begin(c *Cluster) {
	if t.state == txnOngoing {
		return
	}
	t.state = txnOngoing
	t.started = time.Now()
	t.serial++
	t.partitions, t.groups = make(map[*partition]struct{}), make(map[string]struct{})
	serial := t.serial
	t.timer = time.AfterFunc(t.timeout, func() { c.transactionTimedOut(t, serial) })
}

// transactionTimedOut aborts a transaction whose time is over, and fences its
// producer.
func (c *Cluster) transactionTimedOut(t *transactionalID, serial int) {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	if c.txns.mu.closed || t.serial != serial || t.state != txnOngoing {
		return
	}
	t.fence(c)
	c.prepareLocked(t, false)
}

// fence gives a transactional id the next epoch. The client of the one before
// may learn of it where transactions are those of KIP-890, and never before.
func (t *transactionalID) fence(c *Cluster) {
	t.lastID, t.lastEpoch = -1, -1
	if c.txns.level.Load() >= 2 {
		t.lastID, t.lastEpoch = t.producerID, t.epoch
	}
	t.epoch++
}

// renew gives it the next epoch, or id, for the client that has the present
// one.
func (t *transactionalID) renew(c *Cluster) {
	t.lastID, t.lastEpoch = t.producerID, t.epoch
	if t.epoch >= exhausted {
		t.producerID, t.epoch = c.producerIDs.Add(1), -1
	}
	t.epoch++
}

// prepareLocked decides about the transaction; markers follow.
func (c *Cluster) prepareLocked(t *transactionalID, commit bool) {
	t.markerID, t.markerEpoch = t.producerID, t.epoch
	if t.timer != nil {
		t.timer.Stop()
	}
	if t.state = txnPrepareAbort; commit {
		t.state = txnPrepareCommit
	}
	if c.txns.mu.held == 0 {
		c.completeLocked(t)
	}
}

// completeLocked writes the markers.
func (c *Cluster) completeLocked(t *transactionalID) {
	commit := t.state == txnPrepareCommit
	for p := range t.partitions {
		p.endTransaction(t.markerID, t.markerEpoch, commit)
	}
	for group := range t.groups {
		c.endGroupTxn(group, t.markerID, commit)
	}
	t.partitions, t.groups = nil, nil
	if t.state = txnCompleteAbort; commit {
		t.state = txnCompleteCommit
	}
}

// HoldMarkers keeps transactions from ending: until release is called, those
// that are committed or aborted wait for their markers to be written, and
// coordinators answer CONCURRENT_TRANSACTIONS.
func (c *Cluster) HoldMarkers() (release func()) {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	c.txns.mu.held++
	return sync.OnceFunc(func() {
		c.txns.mu.Lock()
		defer c.txns.mu.Unlock()
		if c.txns.mu.held--; c.txns.mu.held > 0 {
			return
		}
		for _, t := range c.txns.mu.byName {
			if t.state.preparing() {
				c.completeLocked(t)
			}
		}
	})
}

// SetTransactionVersion changes the finalized level of transaction.version, 0
// to 2, as an upgrade of the cluster does; brokers tell it to those who connect
// from then on.
func (c *Cluster) SetTransactionVersion(level int) {
	c.txns.level.Store(int64(min(max(level, 0), transactionVersionMax)))
	c.txns.levelEpoch.Add(1)
}

// Transaction describes what is known of a transactional id.
type Transaction struct {
	ProducerID    int64
	ProducerEpoch int16
	// State has Kafka's name: Empty, Ongoing, PrepareCommit and so on.
	State string
}

var txnStateNames = [...]string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort"}

// Transaction returns what is known of a transactional id; ok is false for one
// that is not known.
func (c *Cluster) Transaction(id string) (tx Transaction, ok bool) {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	t := c.txns.mu.byName[id]
	if t == nil {
		return tx, false
	}
	return Transaction{t.producerID, t.epoch, txnStateNames[t.state]}, true
}

// close stops all timers.
func (x *transactions) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mu.closed = true
	for _, t := range x.mu.byName {
		if t.timer != nil {
			t.timer.Stop()
		}
	}
}

// fenced is how a version says that a producer was replaced (KIP-588).
func fenced(version, knows int16) sarama.KError {
	if version < knows {
		return sarama.ErrInvalidProducerEpoch
	}
	return sarama.ErrProducerFenced
}

// txnLocked finds a transactional id for a client that says which producer it
// is.
func (c *Cluster) txnLocked(name string, id int64, epoch int16, fenced sarama.KError) (*transactionalID, sarama.KError) {
	t := c.txns.mu.byName[name]
	switch {
	case t == nil || t.producerID != id:
		return nil, sarama.ErrInvalidProducerIDMapping
	case t.epoch != epoch:
		return nil, fenced
	case t.state.preparing():
		return nil, sarama.ErrConcurrentTransactions
	}
	return t, sarama.ErrNoError
}
