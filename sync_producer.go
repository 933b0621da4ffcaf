package sarama

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// SyncProducer sends messages and waits for the outcome. It may be used from
// any goroutine; messages of concurrent calls share requests. It needs
// Producer.Return.Successes and Errors to be set. What it returns also has the
// methods of ContextSyncProducer.
type SyncProducer interface {
	// SendMessage sends a message and returns where it was written, or -1, -1
	// and what went wrong.
	SendMessage(msg *ProducerMessage) (partition int32, offset int64, err error)
	// SendMessages sends several messages and returns ProducerErrors with those
	// that failed, or nil.
	SendMessages(msgs []*ProducerMessage) error
	// Close sends what was accepted, waits for it and closes the producer, as
	// AsyncProducer's Close does; it always returns nil. Calls after it return
	// ErrShuttingDown.
	Close() error
	// TxnStatus is the state of the transaction.
	TxnStatus() ProducerTxnStatusFlag
	// IsTransactional reports whether the producer has a transactional id.
	IsTransactional() bool
	// BeginTxn starts a transaction. Messages that are sent before it returns,
	// or while none is open, fail with ErrTransactionNotReady. Like CommitTxn
	// and AbortTxn it returns ErrNonTransactedProducer where there is no
	// Producer.Transaction.ID, and ErrTransitionNotAllowed where it does not fit
	// the state. Of these calls one is carried out at a time.
	BeginTxn() error
	// CommitTxn waits for all messages that were sent before it was called, and
	// commits them together with the offsets that were added. If a message has
	// failed, or something about the transaction, it returns that error, and
	// TxnStatus tells what is left: to abort the transaction
	// (ProducerTxnFlagAbortableError), or to close the producer
	// (ProducerTxnFlagFatalError). See ErrTransactionOutcomeUnknown for a
	// commit that nobody answers.
	CommitTxn() error
	// AbortTxn aborts the transaction, also one in which something has failed.
	// It may be called again when it has failed itself.
	AbortTxn() error
	// AddOffsetsToTxn adds offsets of a consumer group to the transaction. They
	// are sent when it is committed; of those of a partition the last count. It
	// returns ErrTransactionNotReady where no transaction is open.
	AddOffsetsToTxn(offsets map[string][]*PartitionOffsetMetadata, groupId string) error
	// AddOffsetsToTxnWithGroupMetadata is AddOffsetsToTxn for a member of the
	// group, whom the broker then fences (KIP-447).
	AddOffsetsToTxnWithGroupMetadata(offsets map[string][]*PartitionOffsetMetadata, groupMetadata *ConsumerGroupMetadata) error
	// AddMessageToTxn adds the offset after a consumed message.
	AddMessageToTxn(msg *ConsumerMessage, groupId string, metadata *string) error
	// AddMessageToTxnWithGroupMetadata is AddMessageToTxn for a member of the
	// group.
	AddMessageToTxnWithGroupMetadata(msg *ConsumerMessage, groupMetadata *ConsumerGroupMetadata, metadata *string) error
}

// ContextSyncProducer is what the values of NewSyncProducer and
// NewSyncProducerFromClient offer beyond SyncProducer.
//
// The calls copy the messages. When the context ends first, a message that was
// not handed over for sending yet is not sent; for any other the error wraps
// ErrOutcomeUnknown. Both wrap the context's error. Once a call has returned
// the library neither reads nor writes the message, so that a call may have to
// wait for an Encoder of its own message that is at work.
type ContextSyncProducer interface {
	SyncProducer
	// SendMessageContext is SendMessage until the context ends.
	SendMessageContext(ctx context.Context, msg *ProducerMessage) (partition int32, offset int64, err error)
	// SendMessagesContext is SendMessages until the context ends.
	SendMessagesContext(ctx context.Context, msgs []*ProducerMessage) error
}

// ErrOutcomeUnknown means that a message was handed over for sending and that
// nobody waited for the answer: it may or may not be written.
var ErrOutcomeUnknown = errors.New("kafka: message may or may not have been written")

var errCancelled = errors.New("kafka: message was not sent")

type syncProducer struct {
	*producer
	calls sync.Pool // of *syncCall; not shared, as channels belong to a synctest bubble
}

// NewSyncProducer makes a client for the given addresses and a producer on it,
// which closes the client with itself. A nil conf means NewConfig's with
// Producer.Return.Successes set.
func NewSyncProducer(addrs []string, config *Config) (SyncProducer, error) {
	if config == nil {
		config = NewConfig()
		config.Producer.Return.Successes = true
	}
	if err := verifyProducerConfig(config); err != nil {
		return nil, err
	}
	c, err := NewClient(addrs, config)
	if err != nil {
		return nil, err
	}
	p, err := newSyncProducer(c, true)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return p, nil
}

// NewSyncProducerFromClient makes a producer on a client, which stays open
// when the producer is closed, and must stay so until then.
func NewSyncProducerFromClient(client Client) (SyncProducer, error) {
	if err := verifyProducerConfig(client.Config()); err != nil {
		return nil, err
	}
	return newSyncProducer(client, false)
}

func newSyncProducer(c Client, own bool) (SyncProducer, error) {
	p, err := newProducer(c)
	if err != nil {
		return nil, err
	}
	p.ownClient = own
	p.intake.calls = make(chan syncChunk)
	p.start()
	return &syncProducer{producer: p}, nil
}

func (p *syncProducer) Close() error {
	p.beginClose()
	<-p.done
	return nil
}

// syncCall is a caller who waits for messages to be settled.
type syncCall struct {
	pending atomic.Int32 // messages not settled
	done    chan struct{}
	errs    []error // by message; written before pending is lowered
	marks   bool    // errors of the user's code are to be messageErrors; constant
	one     [1]*ProducerMessage
	oneErr  [1]error

	// for calls with a context
	states []atomic.Int32 // by message
	moved  chan struct{}  // a message has left stateWorking
}

// States of a message whose call has a context.
const (
	stateWaiting   int32 = iota // with the intake, or on the way there
	stateWorking                // the user's code is at work on it
	stateAccepted               // in a batch
	stateHanded                 // in a batch that was handed to a sender
	stateSettled                // errs has the outcome
	stateCancelled              // the caller is gone
)

// syncRef is one message of a call; the zero value stands for none.
type syncRef struct {
	call  *syncCall
	index int
}

// messageError is an error of the user's code about a message: of its Encoders,
// or of the Partitioner.
type messageError struct{ error }

func (e *messageError) Unwrap() error { return e.error }

// ofMessage makes a messageError of an error, where the call wants that.
func (r syncRef) ofMessage(err error) error {
	if r.call != nil && r.call.marks {
		return &messageError{err}
	}
	return err
}

// syncChunk is messages of a call on their way to the intake.
type syncChunk struct {
	call *syncCall
	msgs []*ProducerMessage
	from int // index of the first
}

// syncChunkMax is how many messages of a call go to the intake at a time: the
// budget is looked at in between.
const syncChunkMax = 64

// claim keeps the message of a call from being cancelled while the user's code
// is at work on it; it fails when it is cancelled already.
func (r syncRef) claim() error {
	if r.call == nil || r.call.states == nil || r.call.states[r.index].CompareAndSwap(stateWaiting, stateWorking) {
		return nil
	}
	return errCancelled
}

// leave ends the claim.
func (r syncRef) leave(state int32) {
	if r.call == nil || r.call.states == nil {
		return
	}
	r.call.states[r.index].Store(state)
	select {
	case r.call.moved <- struct{}{}:
	default:
	}
}

// handOver reports whether the message is still wanted; from then on its
// caller can no longer keep it from being sent.
func (r syncRef) handOver() bool {
	return r.call.states == nil || r.call.states[r.index].CompareAndSwap(stateAccepted, stateHanded)
}

// settle tells the caller what became of a message.
func (r syncRef) settle(err error) {
	c := r.call
	if err != nil {
		c.errs[r.index] = err
	}
	if c.states != nil {
		if s := &c.states[r.index]; s.Load() != stateCancelled {
			// A caller who cancels now finds it settled, or has been first.
			for old := s.Load(); old != stateCancelled && !s.CompareAndSwap(old, stateSettled); old = s.Load() {
			}
		}
		select {
		case c.moved <- struct{}{}:
		default:
		}
	}
	if c.pending.Add(-1) == 0 {
		c.done <- struct{}{}
	}
}

// acceptChunk takes messages of a sync producer's caller.
func (in *intake) acceptChunk(c syncChunk) {
	for i, m := range c.msgs {
		in.accept(acceptedMessage{msg: m, ref: syncRef{c.call, c.from + i}})
	}
}

var errNilMessage = ConfigurationError("the message to send is nil")

func (p *syncProducer) SendMessage(msg *ProducerMessage) (partition int32, offset int64, err error) {
	if msg == nil {
		return -1, -1, errNilMessage
	}
	c, _ := p.calls.Get().(*syncCall)
	if c == nil {
		c = &syncCall{done: make(chan struct{}, 1)}
	}
	c.one[0] = msg
	c.errs = c.oneErr[:]
	c.pending.Store(1)
	select {
	case p.intake.calls <- syncChunk{call: c, msgs: c.one[:]}:
		<-c.done
		err = c.oneErr[0]
	case <-p.closing:
		err = ErrShuttingDown
	}
	c.one[0], c.oneErr[0] = nil, nil
	p.calls.Put(c)
	if err != nil {
		return -1, -1, err
	}
	return msg.Partition, msg.Offset, nil
}

func (p *syncProducer) SendMessages(msgs []*ProducerMessage) error {
	return p.sendAll(newSyncCall(len(msgs)), msgs)
}

// sendMarked is SendMessages that tells what has gone wrong in the user's code:
// such errors are messageErrors.
func (p *syncProducer) sendMarked(msgs []*ProducerMessage) error {
	c := newSyncCall(len(msgs))
	c.marks = true
	return p.sendAll(c, msgs)
}

func (p *syncProducer) sendAll(c *syncCall, msgs []*ProducerMessage) error {
	p.feed(c, msgs, nil)
	if len(msgs) > 0 {
		<-c.done
	}
	return c.failures(msgs)
}

func newSyncCall(n int) *syncCall {
	c := &syncCall{done: make(chan struct{}, 1), errs: make([]error, n)}
	c.pending.Store(int32(n))
	return c
}

// feed hands a call's messages to the intake, in order. When the producer or
// done ends first the rest is settled, or left for its caller to cancel.
func (p *syncProducer) feed(c *syncCall, msgs []*ProducerMessage, done <-chan struct{}) {
	for fed := 0; fed < len(msgs); {
		n := min(syncChunkMax, len(msgs)-fed)
		select {
		case p.intake.calls <- syncChunk{c, msgs[fed : fed+n], fed}:
			fed += n
			continue
		case <-p.closing:
			for i := fed; i < len(msgs); i++ {
				syncRef{c, i}.settle(ErrShuttingDown)
			}
		case <-done:
		}
		return
	}
}

// failures are the messages of a call that failed.
func (c *syncCall) failures(msgs []*ProducerMessage) error {
	var errs ProducerErrors
	for i, err := range c.errs {
		if err != nil {
			errs = append(errs, &ProducerError{Msg: msgs[i], Err: err})
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

func (p *syncProducer) SendMessageContext(ctx context.Context, msg *ProducerMessage) (partition int32, offset int64, err error) {
	if msg == nil {
		return -1, -1, errNilMessage
	}
	c, copies := p.sendContext(ctx, []*ProducerMessage{msg})
	if err := c.errs[0]; err != nil {
		return -1, -1, err
	}
	msg.Partition, msg.Offset, msg.Timestamp = copies[0].Partition, copies[0].Offset, copies[0].Timestamp
	return msg.Partition, msg.Offset, nil
}

func (p *syncProducer) SendMessagesContext(ctx context.Context, msgs []*ProducerMessage) error {
	c, copies := p.sendContext(ctx, msgs)
	for i, m := range msgs {
		if c.errs[i] == nil {
			m.Partition, m.Offset, m.Timestamp = copies[i].Partition, copies[i].Offset, copies[i].Timestamp
		}
	}
	return c.failures(msgs)
}

// sendContext sends copies of messages and waits for them or for the context.
// The call it returns is the caller's alone: errs has the outcome of each.
func (p *syncProducer) sendContext(ctx context.Context, msgs []*ProducerMessage) (*syncCall, []*ProducerMessage) {
	n := len(msgs)
	slab, copies := make([]ProducerMessage, n), make([]*ProducerMessage, n)
	for i, m := range msgs {
		if m != nil {
			slab[i], copies[i] = *m, &slab[i]
		}
	}
	c := newSyncCall(n)
	c.states = make([]atomic.Int32, n)
	c.moved = make(chan struct{}, 1)
	if n == 0 {
		return c, copies
	}
	p.feed(c, copies, ctx.Done())
	select {
	case <-c.done:
		return c, copies
	case <-ctx.Done():
	}
	own := newSyncCall(n)
	for i := range msgs {
		own.errs[i] = c.cancel(i, ctx)
	}
	return own, copies
}

// cancel gives up on one message and returns its outcome as far as it is
// known.
func (c *syncCall) cancel(i int, ctx context.Context) error {
	for {
		switch state := c.states[i].Load(); state {
		case stateWaiting, stateAccepted:
			if c.states[i].CompareAndSwap(state, stateCancelled) {
				return fmt.Errorf("%w: %w", errCancelled, ctx.Err())
			}
		case stateWorking:
			<-c.moved
		case stateSettled:
			return c.errs[i]
		default:
			return fmt.Errorf("%w: %w", ErrOutcomeUnknown, ctx.Err())
		}
	}
}
