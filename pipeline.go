package sarama

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Transform makes of consumed messages those to produce. A Pipeline calls it
// with one batch at a time: messages of all partitions that the member has,
// those of a partition in order. What it returns is produced in one transaction
// with the batch's offsets; it may be nothing.
//
// It is called again for messages whose transaction was aborted, so what it
// does beside its result may happen more than once. The messages must not be
// changed; the slices belong to whom they were given. ctx ends when the result
// is of no use any more: with the context of Run, with Close, and when the member
// has lost its partitions. An error fails the batch.
type Transform func(ctx context.Context, batch []*ConsumerMessage) ([]*ProducerMessage, error)

// TransformEach returns a Transform that calls a function for each message, in
// turn. It stops at the first error, which it wraps with the message's place.
func TransformEach(each func(ctx context.Context, msg *ConsumerMessage) ([]*ProducerMessage, error)) Transform {
	return func(ctx context.Context, batch []*ConsumerMessage) ([]*ProducerMessage, error) {
		out := make([]*ProducerMessage, 0, len(batch))
		for _, msg := range batch {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			made, err := each(ctx, msg)
			if err != nil {
				return nil, fmt.Errorf("%s/%d, offset %d: %w", msg.Topic, msg.Partition, msg.Offset, err)
			}
			out = append(out, made...)
		}
		return out, nil
	}
}

// TransformError is what Run returns when a batch has failed in Transform too
// often.
type TransformError struct {
	// Attempts is how often Transform was called, in a row.
	Attempts int
	// Err is what it returned last.
	Err error
}

// Error tells the attempts and what the last one returned.
func (e *TransformError) Error() string {
	return fmt.Sprintf("transform has failed (attempt %d): %v", e.Attempts, e.Err)
}

// Unwrap returns Err.
func (e *TransformError) Unwrap() error { return e.Err }

// Defaults of PipelineOptions.
const (
	defaultBatchMessages   = 1000
	defaultBatchBytes      = 1 << 20
	defaultBatchWait       = 100 * time.Millisecond
	defaultPipelineRetries = 5
	defaultPipelineBackoff = 100 * time.Millisecond
	maxPipelineBackoff     = 10 * time.Second
)

// PipelineOptions say how a Pipeline works. The zero value of each field stands
// for its default.
type PipelineOptions struct {
	// BatchMaxMessages is how many messages are in a batch at most, 1000 by
	// default.
	BatchMaxMessages int
	// BatchMaxBytes is how many bytes of keys, values and headers are in a batch
	// at most, 1 MiB by default; a message that is larger is a batch of its own.
	BatchMaxBytes int
	// BatchMaxWait is how long a batch waits to be filled after its first
	// message, 100 ms by default. Negative: not at all.
	BatchMaxWait time.Duration

	Retry struct {
		// Max is how often a batch is tried again that has failed for a reason
		// which may be in the messages or in Transform: its error, messages that
		// cannot be encoded or have no partition, or that brokers refuse. Then Run
		// returns the error. 5 by default, negative: not at all. What only time
		// can help, brokers that are away and rebalances, is tried again without
		// limit.
		Max int
		// Backoff is the wait before the first attempt after a failure, 100 ms by
		// default. It doubles with each failure in a row, up to BackoffMax, 10 s
		// by default.
		Backoff, BackoffMax time.Duration
	}

	// OnError, where it is set, is told what went wrong and is going to be tried
	// again: transactions that were aborted and why, errors of Transform, and
	// why the member has lost its place in the group. It is called by one
	// goroutine at a time, which waits for it.
	OnError func(error)
}

func (o PipelineOptions) withDefaults() (PipelineOptions, error) {
	if err := firstError(
		mustBeAtLeast(0, "PipelineOptions.BatchMaxMessages", o.BatchMaxMessages),
		mustBeAtLeast(0, "PipelineOptions.BatchMaxBytes", o.BatchMaxBytes),
		mustBeAtLeast(0, "PipelineOptions.Retry.Backoff", o.Retry.Backoff),
		mustBeAtLeast(0, "PipelineOptions.Retry.BackoffMax", o.Retry.BackoffMax),
	); err != nil {
		return o, err
	}
	setDefault(&o.BatchMaxMessages, defaultBatchMessages)
	setDefault(&o.BatchMaxBytes, defaultBatchBytes)
	setDefault(&o.BatchMaxWait, defaultBatchWait)
	setDefault(&o.Retry.Max, defaultPipelineRetries)
	setDefault(&o.Retry.Backoff, defaultPipelineBackoff)
	setDefault(&o.Retry.BackoffMax, max(o.Retry.Backoff, maxPipelineBackoff))
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	return o, nil
}

func setDefault[N number](field *N, value N) {
	if *field == 0 {
		*field = value
	}
}

// Pipeline consumes messages as a member of a group, has them transformed, and
// produces the results, exactly once: who reads committed messages sees the
// results of each message once, and those of a partition in order, whatever
// fails, as long as all members of the group are Pipelines. Results and offsets
// are written in one transaction (KIP-98), and a member that was replaced is
// fenced by its place in the group (KIP-447), so that members may come and go.
//
// Each Pipeline has a transactional id of its own. Where
// Config.Producer.Transaction.ID is not set, it is made of the group's and, for
// a static member, Config.Consumer.Group.InstanceId; else it is random, and what
// a process that died has left open ends after Config.Producer.Transaction.Timeout.
// An id that is given, or that of a static member, belongs to one process at a
// time: who comes later ends what the one before has left, and fences it.
//
// Its methods may be called from any goroutine.
type Pipeline struct {
	// constant after newPipeline
	groupID    string
	client     Client
	ownsClient bool
	conf       *Config
	opts       PipelineOptions
	backoff    func(retries, maxRetries int) time.Duration
	group      ConsumerGroup
	producer   *syncProducer
	life       context.Context // ends when Close is called
	end        context.CancelFunc
	ran        chan struct{} // closed when Run has returned
	closed     chan struct{} // closed when Close is done
	closeErr   error         // constant once closed is closed

	// atomic, any goroutine
	running atomic.Bool // Run was called
	closing sync.Once

	// owned by Run, by a session's run while there is one
	failures int // in a row, that count for Retry.Max
	troubles int // in a row, of any kind
}

// ErrPipelineUsed is returned by a second call of Pipeline.Run.
var ErrPipelineUsed = errors.New("kafka: a Pipeline runs once")

// NewPipeline makes a client, a member of a group and a transactional producer.
// From here on the transactional id belongs to it.
//
// It works with a copy of config, nil standing for NewConfig's, in which it sets
// what it needs: Producer.Idempotent, RequiredAcks WaitForAll,
// Return.Successes and Errors and no Flush, a Transaction.ID; and
// Consumer.IsolationLevel ReadCommitted, no Offsets.AutoCommit and no
// Return.Errors, as errors are logged. Where config contradicts that, has a
// Version before 2.5 or is not valid, the error is a ConfigurationError.
//
// Consumer.Offsets.Initial is where the group begins with a partition of which
// nothing was ever committed.
func NewPipeline(addrs []string, groupID string, config *Config, options PipelineOptions) (*Pipeline, error) {
	conf, err := pipelineConfig(groupID, config)
	if err != nil {
		return nil, err
	}
	options, err = options.withDefaults()
	if err != nil {
		return nil, err
	}
	client, err := newClient(addrs, conf)
	if err != nil {
		return nil, err
	}
	p, err := newPipeline(groupID, client, options)
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	p.ownsClient = true
	return p, nil
}

// NewPipelineFromClient is NewPipeline on a client, which has to be closed after
// it. The client's Config has to have what NewPipeline would set, a
// Producer.Transaction.ID among it, which no other producer of the client may
// use meanwhile; else the error is a ConfigurationError.
func NewPipelineFromClient(groupID string, client Client, options PipelineOptions) (*Pipeline, error) {
	if client.Closed() {
		return nil, ErrClosedClient
	}
	if err := checkPipelineConfig(client.Config()); err != nil {
		return nil, err
	}
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	return newPipeline(groupID, client, options)
}

func newPipeline(groupID string, client Client, options PipelineOptions) (*Pipeline, error) {
	group, err := NewConsumerGroupFromClient(groupID, client)
	if err != nil {
		return nil, err
	}
	producer, err := NewSyncProducerFromClient(client)
	if err != nil {
		_ = group.Close()
		return nil, err
	}
	p := &Pipeline{
		groupID: groupID, client: client, conf: client.Config(), opts: options,
		backoff: NewExponentialBackoff(options.Retry.Backoff, options.Retry.BackoffMax),
		group:   group, producer: producer.(*syncProducer), ran: make(chan struct{}), closed: make(chan struct{}),
	}
	p.life, p.end = context.WithCancel(context.Background())
	return p, nil
}

// Run joins the group and works until ctx ends, whose error it then returns,
// or Close is called, when it returns nil. It may be called once. It returns
// before that
//
//   - a *TransformError, when Transform has failed Retry.Max times more than
//     once in a row;
//   - what brokers refuse messages or the group for, or what is wrong with a
//     message before it is sent, after as many attempts;
//   - at once, what nothing helps: ErrProducerFenced, when another producer has
//     the transactional id or the coordinator has aborted a transaction that
//     took longer than Producer.Transaction.Timeout; ErrFencedInstancedId, when
//     another member has the group instance id; missing rights; a
//     ConfigurationError.
//
// All of these wrap what they are about. What was not committed by then is
// consumed by other members, or by the next Pipeline of the group.
//
// When ctx ends, Run waits for Transform to return; the transaction under way
// is ended if its coordinator answers within min(Net.ReadTimeout, 5 s).
func (p *Pipeline) Run(ctx context.Context, topics []string, transform Transform) error {
	switch {
	case transform == nil:
		return ConfigurationError("the Transform to run is nil")
	case len(topics) == 0:
		return ConfigurationError("there are no topics to run with")
	}
	if p.life.Err() != nil {
		return ErrClosedConsumerGroup
	}
	if !p.running.CompareAndSwap(false, true) {
		return ErrPipelineUsed
	}
	defer close(p.ran)
	until, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	defer context.AfterFunc(until, p.hurry)()
	for {
		err := p.session(until, topics, transform)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case p.life.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("kafka: pipeline of group %s: %w", p.groupID, err)
		}
	}
}

// hurry closes the producer when Run does not return soon after its context
// has ended: what waits for it then ends.
func (p *Pipeline) hurry() {
	timer := time.NewTimer(closePatience(p.conf))
	defer timer.Stop()
	select {
	case <-p.ran:
	case <-timer.C:
		_ = p.producer.Close()
	}
}

// session is one session of the group. It returns what ends Run.
func (p *Pipeline) session(until context.Context, topics []string, transform Transform) error {
	s := newPipelineSession(p, until, transform)
	defer s.stop(nil)
	defer s.endWork(nil)
	err := p.group.Consume(s.until, topics, s)
	if s.err != nil {
		return s.err
	}
	if until.Err() != nil {
		return nil
	}
	if err == nil || s.stopped != nil {
		if err = s.stopped; err == nil {
			err = s.why()
		}
		if err == nil { // a rebalance
			return nil
		}
	}
	if err := p.failed(err); err != nil {
		return err
	}
	_ = sleepIn(until, p.pause())
	return nil
}

// pause is how long to wait after a failure.
func (p *Pipeline) pause() time.Duration { return p.backoff(p.troubles, 0) }

// failed takes note of a failure. It returns the error that ends Run, nil where
// something is tried again.
func (p *Pipeline) failed(err error) error {
	p.troubles++
	switch pipelineCure(err) {
	case cureNone:
		return err
	case cureAttempts:
		p.failures++
		if te := (*TransformError)(nil); errors.As(err, &te) {
			te.Attempts = p.failures
		}
		if p.failures > max(0, p.opts.Retry.Max) {
			return err
		}
	}
	Logger.Printf("pipeline/%s goes on after: %v\n", p.groupID, err)
	p.opts.OnError(err)
	return nil
}

// succeeded takes note of a transaction that was committed.
func (p *Pipeline) succeeded() { p.failures, p.troubles = 0, 0 }

// Close ends Run as the end of its context does, leaves the group, and closes
// the producer and what NewPipeline has made besides. It waits for Run to
// return, and so for Transform and OnError, which must not call it. Further
// calls wait for the first.
func (p *Pipeline) Close() error {
	p.closing.Do(func() {
		go withRecover(p.close)
	})
	<-p.closed
	return p.closeErr
}

func (p *Pipeline) close() {
	defer close(p.closed)
	p.end()
	if !p.running.CompareAndSwap(false, true) {
		<-p.ran
	}
	p.closeErr = errors.Join(p.group.Close(), p.producer.Close())
	if p.ownsClient {
		p.closeErr = errors.Join(p.closeErr, p.client.Close())
	}
}
