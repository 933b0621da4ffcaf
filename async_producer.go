package sarama

import "sync/atomic"

// AsyncProducer sends messages in the background. Messages go in through
// Input() and come back on Successes() or Errors(), as Producer.Return says;
// what is returned must be read, or the producer holds at most what
// Producer.MaxBufferedBytes allows and then takes no more. It may be used from
// any goroutine. Close it, or messages and connections are lost.
//
// Messages of one partition are written in the order in which they were taken
// from Input(), retries included.
type AsyncProducer interface {
	// AsyncClose starts to close the producer and returns. What was sent before
	// is still delivered: read Successes() and Errors() until they are closed.
	// It may be called more than once.
	AsyncClose()
	// Close sends what was accepted, waits for it and closes the producer. It
	// reads both channels itself, and returns the errors found there, as
	// ProducerErrors, or nil. As long as brokers answer everything is sent;
	// what makes no progress for the lesser of Net.ReadTimeout and 5 s fails
	// with ErrShuttingDown. It may be called more than once; the first call
	// returns the errors.
	Close() error
	// Input takes messages. After Close was called they come back on Errors()
	// with ErrShuttingDown; once Errors() is closed, sending panics.
	Input() chan<- *ProducerMessage
	// Successes returns messages that were written, where
	// Producer.Return.Successes is set.
	Successes() <-chan *ProducerMessage
	// Errors returns messages that were not, where Producer.Return.Errors is
	// set.
	Errors() <-chan *ProducerError
	// IsTransactional reports whether the producer has a transactional id.
	IsTransactional() bool
	// TxnStatus is the state of the transaction.
	TxnStatus() ProducerTxnStatusFlag
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

type asyncProducer struct {
	*producer
	draining atomic.Bool // a Close reads both channels
}

// NewAsyncProducer makes a client for the given addresses and a producer on
// it, which closes the client with itself.
func NewAsyncProducer(addrs []string, conf *Config) (AsyncProducer, error) {
	c, err := NewClient(addrs, conf)
	if err != nil {
		return nil, err
	}
	p, err := newAsyncProducer(c, true)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return p, nil
}

// NewAsyncProducerFromClient makes a producer on a client, which stays open
// when the producer is closed, and must stay so until then.
func NewAsyncProducerFromClient(client Client) (AsyncProducer, error) {
	return newAsyncProducer(client, false)
}

func newAsyncProducer(c Client, own bool) (AsyncProducer, error) {
	p, err := newProducer(c)
	if err != nil {
		return nil, err
	}
	size := p.conf.ChannelBufferSize
	p.ownClient = own
	p.intake.input = make(chan *ProducerMessage, size)
	p.deliverer = &deliverer{
		p: p, mail: newMailbox(), successes: make(chan *ProducerMessage, size), errors: make(chan *ProducerError, size),
	}
	p.start()
	go withRecover(p.deliverer.run)
	return &asyncProducer{producer: p}, nil
}

func (p *asyncProducer) Input() chan<- *ProducerMessage { return p.intake.input }

func (p *asyncProducer) Successes() <-chan *ProducerMessage { return p.deliverer.successes }

func (p *asyncProducer) Errors() <-chan *ProducerError { return p.deliverer.errors }

func (p *asyncProducer) AsyncClose() { p.beginClose() }

func (p *asyncProducer) Close() error {
	p.beginClose()
	if !p.draining.CompareAndSwap(false, true) {
		<-p.done // another call reads the channels
		return nil
	}
	var errs ProducerErrors
	successes, failures := p.deliverer.successes, p.deliverer.errors
	for successes != nil || failures != nil {
		select {
		case _, ok := <-successes:
			if !ok {
				successes = nil
			}
		case e, ok := <-failures:
			if !ok {
				failures = nil
				continue
			}
			errs = append(errs, e)
		}
	}
	<-p.done
	if len(errs) > 0 {
		return errs
	}
	return nil
}
