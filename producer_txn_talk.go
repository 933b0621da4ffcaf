package sarama

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// negotiator is the goroutine that talks to coordinators on behalf of a
// transactional producer: to that of its transactional id, and to those of the
// groups whose offsets are part of transactions. It has connections of its own
// to them. The owner gives it one job at a time and gets each back by letter.
// It ends with quit, which also ends whatever it waits for.
type negotiator struct {
	// constant
	p    *producer
	jobs chan txnJob // of capacity 1: sent to when none is out
	quit chan struct{}

	// atomic, any goroutine: the connection to the coordinator of the
	// transactional id, for what it tells of the cluster's features
	link atomic.Pointer[link]

	// owned by run; by newProducer before it starts
	own   coordination
	lanes map[string]*lane // by address
	limit time.Duration    // how long what is being asked may take in all
	until time.Time        // when that is over
}

// coordination is the way to one coordinator.
type coordination struct {
	key   coordinatorKey
	lane  *lane // nil: not known
	stale bool  // who it is has to be asked anew
}

// Jobs of the negotiator. What they have belongs to them until they are back.
type (
	txnJob interface {
		do(n *negotiator) error
	}
	// txnAdd adds partitions to the transaction.
	txnAdd struct {
		id    producerID
		parts map[string][]int32
		first bool // there are none in it yet
	}
	// txnEnd ends the transaction.
	txnEnd struct {
		id       producerID
		commit   bool
		implicit bool
		offsets  []*txnOffsets // to be committed first
		send     bool          // the coordinator may know of the transaction
		bump     bool          // another epoch is needed

		// set by the negotiator
		next    producerID // of the next transaction
		ended   bool       // nothing is left but to obtain that
		unknown bool       // whether it has ended nobody knows
	}
	// txnTold is the letter that brings a job back to the owner.
	txnTold struct {
		job txnJob
		err error
	}
)

func newNegotiator(p *producer, id string) *negotiator {
	return &negotiator{
		p: p, jobs: make(chan txnJob, 1), quit: make(chan struct{}), lanes: make(map[string]*lane),
		own: coordination{key: coordinatorKey{CoordinatorTransaction, id}},
	}
}

// run is the negotiator's goroutine.
func (n *negotiator) run() {
	defer n.p.running.Done()
	defer n.close()
	for {
		select {
		case job := <-n.jobs:
			n.p.owner.mail.send(txnTold{job, job.do(n)})
		case <-n.quit:
			select {
			case job := <-n.jobs:
				n.p.owner.mail.send(txnTold{job, errAbandoned})
			default:
			}
			return
		}
	}
}

// close ends the connections.
func (n *negotiator) close() {
	for _, l := range n.lanes {
		l.close()
	}
}

// connect returns a connection to the coordinator.
func (n *negotiator) connect(c *coordination) (*link, error) {
	if c.lane == nil || c.stale {
		b, err := n.find(c.key, c.stale)
		if err != nil {
			return nil, err
		}
		c.stale = false
		if c.lane = n.lanes[b.addr]; c.lane == nil {
			c.lane = newLane(n.p.conf, b)
			n.lanes[b.addr] = c.lane
		}
	}
	l, err := c.lane.connect(n.quit)
	if err != nil {
		c.stale = true
		return nil, err
	}
	if c == &n.own {
		n.link.Store(l)
	}
	return l, nil
}

// find asks who a coordinator is. A question that does not end in time is left
// behind: a user's Client answers when it likes.
func (n *negotiator) find(key coordinatorKey, again bool) (*Broker, error) {
	until, cancel := contextOf(n.quit)
	defer cancel()
	ctx, stop := context.WithDeadlineCause(until, n.until, &timeoutError{"the coordinator of " + key.key + " was not found", n.limit})
	defer stop()
	b, err := coordinatorOf(ctx, n.p.client, key, again)
	if err != nil && isClosed(n.quit) {
		err = errAbandoned
	}
	return b, err
}

// ask sends one request to a coordinator; wrote tells whether it may have
// arrived where err says that nobody answered. compose makes the request for
// the connection.
func (n *negotiator) ask(c *coordination, compose func(l *link) body, resp body) (wrote bool, err error) {
	l, err := n.connect(c)
	if err != nil {
		return false, err
	}
	if wrote, err = l.exchangeOnce(compose(l), resp, n.quit); err != nil {
		c.stale = true
	}
	return wrote, err
}

// Newest versions outside of transactions that are implicit: those above tell
// the broker that it is to work as KIP-890 says.
const (
	addPartitionsMax      = 3 // those above are for brokers
	produceExplicitMax    = 11
	txnOffsetsExplicitMax = 4
	endTxnExplicitMax     = 4
)

// txnVersion is the version of an API for a request of a transaction: the
// newest. One that is explicit has none above explicitMax. One that is implicit
// needs more than that, which brokers of its cluster have; so one that has not
// said what it takes is taken to have it.
func (l *link) txnVersion(a *api, implicit bool, explicitMax int16) int16 {
	switch {
	case !implicit:
		return min(l.newest(a), explicitMax)
	case !l.says(a):
		return explicitMax + 1
	}
	return l.newest(a)
}

// hurriedBackoff is the wait before the first partition of a transaction is
// added again, while the coordinator ends the last one: that takes it little
// time.
const hurriedBackoff = 20 * time.Millisecond

// askMin is how long coordinators are asked at least: a new cluster has to
// create the topic that they work with.
const askMin = time.Minute

// again has try called until it succeeds, with the retries of
// Producer.Transaction, or until what is wrong cannot be helped by that. It
// goes on for no longer than the transaction may last, or askMin: after that the
// coordinator has aborted it.
func (n *negotiator) again(what string, c *coordination, hurry bool, try func() error) error {
	conf := n.p.conf
	retry := &conf.Producer.Transaction.Retry
	fixed := retry.Backoff
	n.limit = max(conf.Producer.Transaction.Timeout, askMin)
	n.until = time.Now().Add(n.limit)
	for attempt := 0; ; attempt++ {
		err := try()
		if err == nil {
			return nil
		}
		again, moved := txnRetriable(err)
		c.stale = c.stale || moved
		switch {
		case isClosed(n.quit):
			return fmt.Errorf("%w: %s: %w", ErrShuttingDown, what, err)
		case !again || attempt >= retry.Max || !time.Now().Before(n.until) || n.p.client.Closed():
			return err
		}
		if hurry && errors.Is(err, ErrConcurrentTransactions) {
			fixed = hurriedBackoff
		}
		backoff := retryBackoff(conf, fixed, retry.BackoffFunc, attempt, 0, retry.Max)
		Logger.Printf("producer/txnmgr/%s retrying %s after %v: %v\n", n.own.key.key, what, backoff, err)
		timer := time.NewTimer(backoff)
		select {
		case <-timer.C:
		case <-n.quit:
			timer.Stop()
			return fmt.Errorf("%w: %s: %w", ErrShuttingDown, what, err)
		}
	}
}

// txnRetriable reports whether asking a coordinator again may help, and
// whether that is another broker now.
func txnRetriable(err error) (again, moved bool) {
	var code KError
	if errors.As(err, &code) {
		switch code {
		case ErrConsumerCoordinatorNotAvailable, ErrNotCoordinatorForConsumer:
			return true, true
		case ErrOffsetsLoadInProgress, ErrConcurrentTransactions, ErrRequestTimedOut, ErrNetworkException,
			ErrUnknownTopicOrPartition, ErrKafkaStorageError, ErrNotEnoughReplicas, ErrNotEnoughReplicasAfterAppend:
			return true, false
		}
		return false, false
	}
	if errors.Is(err, ErrClosedClient) || errors.Is(err, errAbandoned) || errors.Is(err, errUnanswered) || errors.Is(err, ErrTxnUnableToParseResponse) {
		return false, false
	}
	return retriable(err), true
}

// coordinatorError is what a code in a coordinator's answer means. Those that
// do not know PRODUCER_FENCED say that the epoch is invalid (KIP-588).
func coordinatorError(code KError) error {
	switch code {
	case ErrNoError:
		return nil
	case ErrInvalidProducerEpoch:
		return fmt.Errorf("%w: %w", ErrProducerFenced, code)
	}
	return code
}

// initProducerID obtains the producer id of the transactional id, with the
// epoch after the present one, which ends a transaction that is open there. A
// producer that has numbers names them, where that is possible, so that it
// does not fence one that has come after it (KIP-360).
func (n *negotiator) initProducerID(now producerID) (next producerID, err error) {
	err = n.again("InitProducerID", &n.own, false, func() error {
		resp := new(InitProducerIDResponse)
		_, err := n.ask(&n.own, func(l *link) body {
			req := &InitProducerIDRequest{
				Version: l.newest(apiInitProducerID), TransactionalID: &n.own.key.key,
				TransactionTimeout: n.p.conf.Producer.Transaction.Timeout, ProducerID: -1, ProducerEpoch: -1,
			}
			if req.Version >= 3 {
				req.ProducerID, req.ProducerEpoch = now.id, now.epoch
			}
			return req
		}, resp)
		if err == nil {
			err = coordinatorError(resp.Err)
		}
		if err != nil {
			return err
		}
		next, err = resp.numbers()
		return err
	})
	if err == nil {
		DebugLogger.Printf("producer/txnmgr/%s obtained producer id %d and epoch %d\n", n.own.key.key, next.id, next.epoch)
	}
	return next, err
}

// do tells the coordinator of partitions that are about to be written to.
func (j txnAdd) do(n *negotiator) error {
	err := n.again("AddPartitionsToTxn", &n.own, j.first, func() error {
		resp := new(AddPartitionsToTxnResponse)
		_, err := n.ask(&n.own, func(l *link) body {
			return &AddPartitionsToTxnRequest{
				Version: min(l.newest(apiAddPartitionsToTxn), addPartitionsMax), TransactionalID: n.own.key.key,
				ProducerID: j.id.id, ProducerEpoch: j.id.epoch, TopicPartitions: j.parts,
			}
		}, resp)
		if err != nil {
			return err
		}
		return errorOf(j.parts, resp.Errors)
	})
	if err != nil {
		return Wrap(ErrAddPartitionsToTxn, err)
	}
	return nil
}

// errorOf is what an answer by partition says in all: the worst of its errors,
// and that it has one for each partition.
func errorOf(asked map[string][]int32, answers map[string][]*PartitionError) (worst error) {
	for topic, ids := range asked {
		for _, id := range ids {
			at := slices.IndexFunc(answers[topic], func(e *PartitionError) bool { return e.Partition == id })
			if at < 0 {
				return fmt.Errorf("%w: it has nothing about %s/%d", ErrTxnUnableToParseResponse, topic, id)
			}
			err := coordinatorError(answers[topic][at].Err)
			if err != nil && (worst == nil || severity(err) > severity(worst)) {
				worst = err
			}
		}
	}
	return worst
}

// severity orders the errors of one answer: one that follows from another's
// says the least, one that nothing helps the most.
func severity(err error) int {
	again, _ := txnRetriable(err)
	switch {
	case errors.Is(err, ErrOperationNotAttempted):
		return 0
	case again:
		return 1
	case !txnFatal(err):
		return 2
	}
	return 3
}

// do commits offsets and ends the transaction.
func (j *txnEnd) do(n *negotiator) error {
	j.next = j.id
	for _, o := range j.offsets {
		if err := j.commitOffsets(n, o); err != nil {
			return Wrap(ErrTxnOffsetCommit, err)
		}
	}
	if j.send {
		renewed, err := j.end(n)
		if !j.commit && errors.Is(err, ErrInvalidTxnState) {
			// Nothing of it had come there, or its end had.
			Logger.Printf("producer/txnmgr/%s no transaction is open at its coordinator\n", n.own.key.key)
			j.bump, err = true, nil
		}
		if err != nil {
			return err
		}
		j.bump = (j.bump || j.implicit) && !renewed
	}
	j.ended = true
	if !j.bump {
		return nil
	}
	next, err := n.initProducerID(j.id)
	switch {
	case err == nil:
		j.next = next
	case j.commit: // it was carried out, whatever there is no epoch for
		err = fmt.Errorf("%w: %w", ErrTransactionOutcomeUnknown, err)
	}
	return err
}

// end sends EndTxn; renewed says that the answer had the epoch of the next
// transaction.
func (j *txnEnd) end(n *negotiator) (renewed bool, err error) {
	resp := new(EndTxnResponse)
	uncertain := false
	err = n.again("EndTxn", &n.own, false, func() error {
		wrote, err := n.ask(&n.own, func(l *link) body {
			return &EndTxnRequest{
				Version: l.txnVersion(apiEndTxn, j.implicit, endTxnExplicitMax), TransactionalID: n.own.key.key,
				ProducerID: j.id.id, ProducerEpoch: j.id.epoch, TransactionResult: j.commit,
			}
		}, resp)
		if err != nil {
			uncertain = uncertain || wrote
			return err
		}
		uncertain = uncertain || mayHaveEnded(resp.Err)
		return coordinatorError(resp.Err)
	})
	if err != nil {
		if j.unknown = uncertain; j.unknown { // whatever a later attempt was told
			err = fmt.Errorf("%w: %w", ErrTransactionOutcomeUnknown, err)
		}
		return false, err
	}
	if resp.ProducerID >= 0 && resp.ProducerEpoch >= 0 {
		j.next = producerID{id: resp.ProducerID, epoch: resp.ProducerEpoch}
		return true, nil
	}
	return false, nil
}

// mayHaveEnded tells the answers that a coordinator also gives where the end of
// a transaction is in its log: replicas were too slow, or it has lost the log
// meanwhile. The next coordinator may carry it out.
func mayHaveEnded(code KError) bool {
	switch code {
	case ErrConsumerCoordinatorNotAvailable, ErrNotCoordinatorForConsumer, ErrUnknown, ErrNetworkException,
		ErrRequestTimedOut, ErrNotEnoughReplicasAfterAppend, ErrUnknownTopicOrPartition, ErrNotLeaderForPartition, ErrKafkaStorageError:
		return true
	}
	return false
}

// commitOffsets makes a group's offsets part of the transaction: its
// coordinator is told of the group, unless it learns that by itself, and then
// that of the group of the offsets.
func (j *txnEnd) commitOffsets(n *negotiator, o *txnOffsets) error {
	if !j.implicit {
		err := n.again("AddOffsetsToTxn", &n.own, false, func() error {
			resp := new(AddOffsetsToTxnResponse)
			_, err := n.ask(&n.own, func(l *link) body {
				return &AddOffsetsToTxnRequest{
					Version: l.newest(apiAddOffsetsToTxn), TransactionalID: n.own.key.key,
					ProducerID: j.id.id, ProducerEpoch: j.id.epoch, GroupID: o.group,
				}
			}, resp)
			if err == nil {
				err = coordinatorError(resp.Err)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	c := &coordination{key: coordinatorKey{CoordinatorGroup, o.group}} // the client remembers whom that is
	asked := make(map[string][]int32, len(o.topics))
	for topic, list := range o.topics {
		for _, p := range list {
			asked[topic] = append(asked[topic], p.Partition)
		}
	}
	return n.again("TxnOffsetCommit", c, false, func() error {
		resp := new(TxnOffsetCommitResponse)
		_, err := n.ask(c, func(l *link) body {
			return &TxnOffsetCommitRequest{
				Version:         l.txnVersion(apiTxnOffsetCommit, j.implicit, txnOffsetsExplicitMax),
				TransactionalID: n.own.key.key, GroupID: o.group, ProducerID: j.id.id, ProducerEpoch: j.id.epoch,
				GenerationID: o.generation, MemberID: o.member, GroupInstanceID: o.instance, Topics: o.topics,
			}
		}, resp)
		if err != nil {
			return err
		}
		return errorOf(asked, resp.Topics)
	})
}
