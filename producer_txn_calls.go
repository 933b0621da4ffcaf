package sarama

import (
	"errors"
	"slices"
	"time"
)

// The methods of producers that are about transactions, and what the intake
// does for them.

// IsTransactional reports whether the producer has a transactional id.
func (p *producer) IsTransactional() bool { return p.txn != nil }

// TxnStatus is the state of the transaction.
func (p *producer) TxnStatus() ProducerTxnStatusFlag {
	if p.txn == nil {
		return ProducerTxnFlagUninitialized
	}
	return p.txn.status()
}

// BeginTxn starts a transaction.
func (p *producer) BeginTxn() error { return p.callTxn(txnBegin) }

// CommitTxn commits the transaction.
func (p *producer) CommitTxn() error { return p.callTxn(txnCommit) }

// AbortTxn aborts the transaction.
func (p *producer) AbortTxn() error { return p.callTxn(txnAbort) }

// callTxn makes a call and waits for its answer. There is one at a time; Close
// ends the wait.
func (p *producer) callTxn(kind txnCallKind) error {
	t := p.txn
	if t == nil {
		return ErrNonTransactedProducer
	}
	select {
	case t.turn <- struct{}{}:
	case <-p.closing:
		return ErrShuttingDown
	}
	defer func() { <-t.turn }()
	c := &txnCall{kind: kind, reply: make(chan error, 1)}
	p.intake.mail.send(c)
	return replyOr(c.reply, t.over, ErrShuttingDown)
}

// AddOffsetsToTxn adds offsets of a consumer group to the transaction.
func (p *producer) AddOffsetsToTxn(offsets map[string][]*PartitionOffsetMetadata, groupId string) error {
	return p.AddOffsetsToTxnWithGroupMetadata(offsets, NewConsumerGroupMetadata(groupId))
}

var (
	errNilGroupMetadata = ConfigurationError("the group metadata to add offsets for is nil")
	errNilOffset        = ConfigurationError("an offset to add is nil")
	errNilConsumed      = ConfigurationError("the consumed message to add is nil")
)

// AddOffsetsToTxnWithGroupMetadata is AddOffsetsToTxn for a member of the
// group, whom the broker then fences (KIP-447).
func (p *producer) AddOffsetsToTxnWithGroupMetadata(offsets map[string][]*PartitionOffsetMetadata, groupMetadata *ConsumerGroupMetadata) error {
	t := p.txn
	switch {
	case t == nil:
		return ErrNonTransactedProducer
	case groupMetadata == nil:
		return errNilGroupMetadata
	}
	add := &txnOffsets{
		group: groupMetadata.GroupID, member: groupMetadata.MemberID, generation: groupMetadata.GenerationID,
		topics: make(map[string][]*PartitionOffsetMetadata, len(offsets)),
	}
	if id := groupMetadata.GroupInstanceID; id != nil {
		instance := *id
		add.instance = &instance
	}
	given := make(map[string][]*PartitionOffsetMetadata, len(offsets))
	for topic, list := range offsets {
		if slices.Contains(list, nil) {
			return errNilOffset
		}
		for _, at := range list { // copies: the user may change his
			own := *at
			if at.Metadata != nil {
				text := *at.Metadata
				own.Metadata = &text
			}
			given[topic] = append(given[topic], &own)
		}
	}
	add.merge(given)
	reply := make(chan error, 1)
	p.owner.mail.send(txnOffered{add, reply})
	return replyOr(reply, p.quit, ErrShuttingDown)
}

// AddMessageToTxn adds the offset after a consumed message.
func (p *producer) AddMessageToTxn(msg *ConsumerMessage, groupId string, metadata *string) error {
	return p.AddMessageToTxnWithGroupMetadata(msg, NewConsumerGroupMetadata(groupId), metadata)
}

// AddMessageToTxnWithGroupMetadata is AddMessageToTxn for a member of the
// group.
func (p *producer) AddMessageToTxnWithGroupMetadata(msg *ConsumerMessage, groupMetadata *ConsumerGroupMetadata, metadata *string) error {
	switch {
	case p.txn == nil:
		return ErrNonTransactedProducer
	case msg == nil:
		return errNilConsumed
	}
	return p.AddOffsetsToTxnWithGroupMetadata(map[string][]*PartitionOffsetMetadata{
		msg.Topic: {{Partition: msg.Partition, Offset: msg.Offset + 1, LeaderEpoch: -1, Metadata: metadata}},
	}, groupMetadata)
}

// txnCalled takes a call behind the messages whose sending was complete when
// it was made.
func (in *intake) txnCalled(c *txnCall) {
	if in.shut {
		c.reply <- ErrShuttingDown
		return
	}
	for range len(in.input) {
		in.accept(acceptedMessage{msg: <-in.input})
	}
	if c.kind == txnBegin {
		in.p.owner.mail.send(txnBegun{c})
		return
	}
	in.txnOpen, in.txnEnd = false, c
	in.txnBy = time.Now().Add(in.p.conf.Producer.Transaction.Timeout)
	in.p.owner.mail.send(txnEnding{c})
}

// txnOverdue gives up on messages whose topic has kept the end of the
// transaction waiting for as long as the coordinator would leave it open. It
// returns how long there is until then.
func (in *intake) txnOverdue() time.Duration {
	if in.txnEnd == nil || in.waiting == 0 {
		return never
	}
	if left := time.Until(in.txnBy); left > 0 {
		return left
	}
	for _, t := range in.topics {
		in.failWaiting(t, &timeoutError{"topic " + t.name + " was not found for the transaction", in.p.conf.Producer.Transaction.Timeout})
	}
	return never
}

// passTxnEnd tells the owner that it has all messages of the transaction.
func (in *intake) passTxnEnd() {
	if in.txnEnd != nil {
		in.p.owner.mail.send(txnBarrier{in.txnEnd})
		in.txnEnd = nil
	}
}

// txnRefused gives a message of the transaction that has failed before it was
// part of a batch to the owner: it gives it back once the state says so. It
// reports false where that is no failure of the transaction: where its caller
// has given up on the message, or it was never part of it.
func (in *intake) txnRefused(a *acceptedMessage, err error) bool {
	if !in.txnOpen && in.txnEnd == nil || errors.Is(err, ErrTransactionNotReady) || errors.Is(err, errCancelled) {
		return false
	}
	if in.shut && !a.held {
		return false
	}
	in.p.owner.mail.send(txnRefused{a.msg, a.ref, a.size, err})
	return true
}
