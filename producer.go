package sarama

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// producer is what AsyncProducer and SyncProducer have in common: an intake
// and an owner, a sender for each broker, and with AsyncProducer a deliverer.
//
// Its end: Close tells the intake, which takes what was sent before and tells
// the owner; when all batches are settled the owner stops the senders and
// tells the deliverer; when the user has received all results it tells the
// intake, which closes Input; then the deliverer closes Errors and Successes.
type producer struct {
	// constant after newProducer
	conf      *Config
	client    Client
	ownClient bool // to be closed with the producer
	source    metadataSource
	metrics   *producerMetrics
	intake    *intake
	owner     *owner
	txn       *txn       // nil without a transactional id
	deliverer *deliverer // nil for a sync producer
	budget    budget
	magic     int8          // version of the records' format
	closing   chan struct{} // closed by Close
	quit      chan struct{} // closed when nothing is left to look up
	done      chan struct{} // closed last

	closeOnce sync.Once
	running   sync.WaitGroup // senders and look-ups

	// mu guards slots, which intake and owner share
	mu struct {
		sync.Mutex
		slots map[int32]*brokerSlot
	}
}

// newProducer checks what is needed and makes a producer that does not run
// yet; it takes the client over only when it succeeds.
func newProducer(c Client) (*producer, error) {
	if c.Closed() {
		return nil, ErrClosedClient
	}
	conf := c.Config()
	p := &producer{
		conf: conf, client: c, source: sourceOf(c), metrics: newProducerMetrics(conf.MetricRegistry), magic: magicFor(conf.Version),
		closing: make(chan struct{}), quit: make(chan struct{}), done: make(chan struct{}),
	}
	p.mu.slots = make(map[int32]*brokerSlot)
	p.intake = newIntake(p)
	p.owner = newOwner(p)
	p.budget.limit, p.budget.wake = limitsOf(conf), p.intake.mail.nudge
	if err := p.initNumbers(); err != nil {
		p.metrics.release()
		return nil, err
	}
	return p, nil
}

// initNumbers obtains what an idempotent or transactional producer stamps its
// batches with.
func (p *producer) initNumbers() error {
	switch conf := &p.conf.Producer; {
	case conf.Transaction.ID != "":
		t := newTxn(p, conf.Transaction.ID)
		id, err := t.start()
		if err != nil {
			return fmt.Errorf("kafka: obtaining a producer id for the transactional id %s: %w", t.id, err)
		}
		p.txn, p.owner.txn, p.owner.id = t, t, id
	case conf.Idempotent:
		id, err := p.initProducerID()
		if err != nil {
			return err
		}
		p.owner.id = *id
	}
	return nil
}

func (p *producer) start() {
	go withRecover(p.intake.run)
	go withRecover(p.owner.run)
	if p.txn != nil {
		p.running.Add(1)
		go withRecover(p.txn.talk.run)
	}
}

// initProducerID obtains the numbers of an idempotent producer, with the
// retries of Producer.Transaction.
func (p *producer) initProducerID() (*producerID, error) {
	retry := &p.conf.Producer.Transaction.Retry
	for attempt := 0; ; attempt++ {
		resp, err := p.client.InitProducerID()
		if err == nil && resp.Err != ErrNoError {
			err = resp.Err
		}
		var id producerID
		if err == nil {
			id, err = resp.numbers()
		}
		if err == nil {
			DebugLogger.Printf("producer/txnmanager obtained a producer id: %d and epoch %d\n", id.id, id.epoch)
			return &id, nil
		}
		if !mayInitAgain(err) || attempt >= retry.Max || p.client.Closed() {
			return nil, fmt.Errorf("kafka: obtaining a producer id: %w", err)
		}
		backoff := retryBackoff(p.conf, retry.Backoff, retry.BackoffFunc, attempt, 0, retry.Max)
		Logger.Printf("producer/txnmanager retrying InitProducerID after %v: %v\n", backoff, err)
		timer := time.NewTimer(backoff)
		<-timer.C
	}
}

// mayInitAgain reports whether asking again for a producer id may help.
func mayInitAgain(err error) bool {
	return isOneOf(err, ErrConsumerCoordinatorNotAvailable, ErrNotCoordinatorForConsumer, ErrOffsetsLoadInProgress, ErrConcurrentTransactions,
		ErrRequestTimedOut, ErrUnknown) ||
		errors.Is(err, ErrOutOfBrokers) && !errors.Is(err, ErrUnsupportedVersion) && !loginRefused(err)
}

// slot finds or makes what intake and owner share about a broker.
func (p *producer) slot(id int32) *brokerSlot {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.mu.slots[id]
	if s == nil {
		s = &brokerSlot{id: id, inFlight: int32(p.conf.Net.MaxOpenRequests)}
		p.mu.slots[id] = s
	}
	return s
}

// resolve asks for a topic in the background.
func (p *producer) resolve(topic string, then func(error)) {
	p.lookUp(func() { then(p.source.refresh(topic, p.quit)) })
}

// resolveID asks for another producer id in the background.
func (p *producer) resolveID(then func(*InitProducerIDResponse, error)) {
	go withRecover(func() { then(p.client.InitProducerID()) })
}

// lookUp runs a question that may take long. Those through this package's own
// client end with quit; others end when the user's Client answers.
func (p *producer) lookUp(ask func()) {
	if _, own := p.source.(ownSource); !own {
		go withRecover(ask)
		return
	}
	p.running.Add(1)
	go withRecover(func() {
		defer p.running.Done()
		ask()
	})
}

// closePatienceMax bounds how long Close waits for a broker that is silent.
const closePatienceMax = 5 * time.Second

// closePatience is how long the end of something may wait for brokers that do
// not answer: after Close of a producer, how long a partition may go without
// progress before its messages are failed.
func closePatience(conf *Config) time.Duration { return min(conf.Net.ReadTimeout, closePatienceMax) }

// beginClose starts the end; it does not wait.
func (p *producer) beginClose() {
	p.closeOnce.Do(func() {
		Logger.Println("Producer shutting down.")
		close(p.closing)
		p.owner.mail.send(ownerClose{})
		p.intake.mail.send(intakeClose{})
	})
}

// ownerGone is called by the owner at its end: everything is settled.
func (p *producer) ownerGone() {
	close(p.quit)
	if p.deliverer != nil {
		p.deliverer.mail.send(deliverAll{})
		return
	}
	p.intake.mail.send(intakeEnd{})
}

// intakeGone is called by the intake at its end: nothing comes any more.
func (p *producer) intakeGone() {
	if p.deliverer != nil {
		p.deliverer.mail.send(deliverEnd{})
		return
	}
	p.finish()
}

// finish is the last step, on the last goroutine.
func (p *producer) finish() {
	p.running.Wait()
	if p.ownClient {
		if err := p.client.Close(); err != nil {
			Logger.Println("producer/shutdown failed to close the embedded client:", err)
		}
	}
	p.metrics.release()
	close(p.done)
}

// settled takes a batch from the owner whose outcome is known.
func (p *producer) settled(b *batch) {
	if p.deliverer != nil {
		p.deliverer.mail.post(&b.letter)
		return
	}
	for i, m := range b.msgs {
		if b.err == nil {
			b.deliverTo(m, i)
		}
		b.calls[i].settle(b.err)
	}
	p.budget.release(b.held)
	b.free()
}

// refused gives a message back that is part of no batch; for an async producer
// it has size of the budget.
func (p *producer) refused(m *ProducerMessage, ref syncRef, err error, size int64) {
	if ref.call != nil {
		ref.settle(err)
		return
	}
	p.deliverer.fail(m, err, size)
}

// deliverTo writes a success into its message.
func (b *batch) deliverTo(m *ProducerMessage, i int) {
	if b.offset >= 0 {
		m.Offset = b.offset + int64(i)
	}
	if !b.timestamp.IsZero() {
		m.Timestamp = b.timestamp
	}
}

// magicFor is the version of the format in which records go to brokers of a
// Config.Version.
func magicFor(v KafkaVersion) int8 {
	switch {
	case v.IsAtLeast(V0_11_0_0):
		return 2
	case v.IsAtLeast(V0_10_0_0):
		return 1
	}
	return 0
}

// produceMagic is the newest format that a version of Produce takes.
func produceMagic(version int16) int8 {
	switch {
	case version >= 3:
		return 2
	case version == 2:
		return 1
	}
	return 0
}

// errOldBroker says that a broker does not take records of the format that
// Config.Version calls for.
func errOldBroker(b *Broker, version int16, magic int8) error {
	return fmt.Errorf("broker %s takes Produce only up to version %d, whose records are of version %d, not %d as Config.Version has them: %w",
		b.name(), version, produceMagic(version), magic, ErrUnsupportedVersion)
}
