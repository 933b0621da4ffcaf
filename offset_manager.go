package sarama

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// OffsetManager stores how far a group has come, for programs that divide
// partitions among themselves by other means than a ConsumerGroup. Its methods
// may be called from any goroutine.
type OffsetManager interface {
	// ManagePartition asks for the offset that is stored for a partition, and
	// returns what manages it from then on. Where it is managed already, the
	// error is a ConfigurationError.
	ManagePartition(topic string, partition int32) (PartitionOffsetManager, error)

	// Close stores what is marked, if Config.Consumer.Offsets.AutoCommit is on,
	// and ends all PartitionOffsetManagers. Without it the manager's goroutine
	// never ends. The client may be closed before or after. It returns nil. It
	// waits at most min(Net.ReadTimeout, 5 s) for brokers.
	Close() error

	// Commit stores what was marked before it was called, and waits until a
	// broker has answered. What goes wrong is told by the
	// PartitionOffsetManagers' Errors.
	Commit()
}

// PartitionOffsetManager stores how far a group has come with one partition.
// Its methods may be called from any goroutine.
type PartitionOffsetManager interface {
	// NextOffset returns the offset of the next message to consume, with the
	// metadata that were stored with it. Where nothing is stored or marked it
	// is Config.Consumer.Offsets.Initial.
	NextOffset() (int64, string)

	// MarkOffset says that all messages below an offset were dealt with: it is
	// the offset of the next one. A mark only moves forward; another is
	// ignored. It is stored by the next commit.
	MarkOffset(offset int64, metadata string)

	// ResetOffset moves the mark back to an offset; a higher one is ignored.
	ResetOffset(offset int64, metadata string)

	// Errors is what goes wrong with commits, if Config.Consumer.Return.Errors
	// is set; else errors are logged. Errors that nobody reads are dropped once
	// the channel is full. It is closed at the end.
	Errors() <-chan *ConsumerError

	// AsyncClose ends the manager and does not wait. What is marked is stored
	// if Config.Consumer.Offsets.AutoCommit is on, within min(Net.ReadTimeout,
	// 5 s), and else by the OffsetManager's next Commit.
	AsyncClose()

	// Close is AsyncClose that waits for the end. It returns what was unread in
	// Errors as ConsumerErrors, or nil.
	Close() error
}

// NewOffsetManagerFromClient makes an OffsetManager for a group. It uses the
// client's connection to the group's coordinator.
func NewOffsetManagerFromClient(group string, client Client) (OffsetManager, error) {
	if client.Closed() {
		return nil, ErrClosedClient
	}
	m := newOffsetManager(group, client)
	m.identity.Store(&groupIdentity{generation: GroupGenerationUndefined})
	go withRecover(m.run)
	return m, nil
}

// groupIdentity is who commits.
type groupIdentity struct {
	memberID   string
	generation int32
	instanceID *string
}

// offsetManager is an OffsetManager, and that of a group's session. Its run
// goroutine sends one commit at a time, so that none overtakes another.
type offsetManager struct {
	// constant after newOffsetManager
	group  string
	client Client
	conf   *Config
	// Letters are partitions to take up or to end, calls of commit, each of
	// whose callers waits, and the outcome of the one commit under way.
	mail mailbox
	done chan struct{} // closed at the end of run
	// report is told what goes wrong in a session; nil: each partition's Errors.
	report func(topic string, partition int32, err error)
	// newer says that the group is of the newer protocol (KIP-848).
	newer bool
	// lost is told why a session's member cannot commit any more.
	lost func(error)

	// atomic, any goroutine
	identity atomic.Pointer[groupIdentity]
	joining  atomic.Bool // the member is about to get another identity
	asleep   atomic.Bool // run has no timer: the next mark wakes it
	closing  atomic.Bool

	// mu guards
	mu struct {
		sync.Mutex
		managed map[topicPartition]bool // those that ManagePartition was called for
	}

	// owned by run
	parts   map[topicPartition]*partitionOffsetManager
	left    map[topicPartition]offsetPair // marks of partitions that ended before a commit by hand
	waiting []*commitCall                 // for the next commit; bounded by their callers, who wait
	flying  *offsetCommit                 // under way; nil: none
	autoAt  time.Time                     // when marks are stored on the manager's own account; zero: not known
	retryAt time.Time                     // no commit before, after a failure
	moved   bool                          // the coordinator has to be asked for before the next commit
	end     *offsetsClose                 // nil: not asked for
}

func newOffsetManager(group string, client Client) *offsetManager {
	m := &offsetManager{
		group: group, client: client, conf: client.Config(), mail: newMailbox(), done: make(chan struct{}),
		parts: make(map[topicPartition]*partitionOffsetManager), left: make(map[topicPartition]offsetPair),
	}
	m.mu.managed = make(map[topicPartition]bool)
	return m
}

func (m *offsetManager) ManagePartition(topic string, partition int32) (PartitionOffsetManager, error) {
	at := topicPartition{topic, partition}
	if err := m.reserve(at); err != nil {
		return nil, err
	}
	ctx, cancel := contextOf(m.done)
	defer cancel()
	found, err := m.fetch(ctx, []topicPartition{at})
	if err != nil {
		m.forget(at)
		return nil, err
	}
	return m.take(at, found[at]), nil
}

// reserve makes sure that a partition is managed once.
func (m *offsetManager) reserve(at topicPartition) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing.Load() {
		return ErrClosedClient
	}
	if m.mu.managed[at] {
		return ConfigurationError(fmt.Sprintf("partition %s/%d is already being managed", at.topic, at.partition))
	}
	m.mu.managed[at] = true
	return nil
}

func (m *offsetManager) forget(at topicPartition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.mu.managed, at)
}

// take begins to manage a partition of which this is stored.
func (m *offsetManager) take(at topicPartition, stored storedOffset) *partitionOffsetManager {
	p := &partitionOffsetManager{
		parent: m, at: at, leaderEpoch: stored.leaderEpoch, committed: stored.offsetPair,
		errors: make(chan *ConsumerError, m.conf.ChannelBufferSize),
	}
	p.marks.init(stored.offsetPair)
	p.letter.item = p
	if m.mail.post(&p.letter); isClosed(m.done) {
		p.release() // run has ended, perhaps without having seen it
	}
	return p
}

func (m *offsetManager) Commit() { _ = m.commit(context.Background()) }

// commit stores what was marked before it was called. The error is the first
// of a partition's; what is marked later is not waited for.
func (m *offsetManager) commit(ctx context.Context) error {
	if isClosed(m.done) {
		return ErrClosedClient
	}
	call := &commitCall{answer: make(chan error, 1)}
	m.mail.send(call)
	select {
	case err := <-call.answer:
		return err
	case <-m.done:
		return replyOr(call.answer, m.done, ErrClosedClient)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *offsetManager) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience(m.conf))
	defer cancel()
	m.close(ctx)
	return nil
}

// close ends the manager; until ctx ends it stores what is marked, unless that
// is up to the user.
func (m *offsetManager) close(ctx context.Context) {
	if !m.closing.Swap(true) {
		m.mail.send(&offsetsClose{ctx: ctx})
	}
	<-m.done
}

// partitionOffsetManager is a PartitionOffsetManager.
type partitionOffsetManager struct {
	// constant
	parent      *offsetManager
	at          topicPartition
	leaderEpoch int32 // as stored when the partition was taken up
	errors      chan *ConsumerError
	letter      letter // that brings it to run
	releaseOnce sync.Once

	// atomic, any goroutine
	marks   offsetMarks
	refused atomic.Bool // marks have no effect any more
	ending  atomic.Bool // AsyncClose was called

	// owned by parent.run
	committed offsetPair  // as stored, as far as this manager knows
	rejected  *offsetPair // that a broker has refused, so that only Commit tries it again; nil: none
	failures  int         // in a row
	endBy     time.Time   // until when marks are stored after AsyncClose; zero: run has not seen that yet
}

func (p *partitionOffsetManager) NextOffset() (int64, string) {
	if at := p.marks.load(); at.offset >= 0 {
		return at.offset, at.metadata
	}
	return p.parent.conf.Consumer.Offsets.Initial, ""
}

func (p *partitionOffsetManager) MarkOffset(offset int64, metadata string) {
	if !p.refused.Load() && p.marks.forward(offset, metadata) {
		p.parent.marked()
	}
}

func (p *partitionOffsetManager) ResetOffset(offset int64, metadata string) {
	if !p.refused.Load() && p.marks.back(offset, metadata) {
		p.parent.marked()
	}
}

// marked wakes run if it has to set its timer.
func (m *offsetManager) marked() {
	if m.asleep.Load() && m.asleep.CompareAndSwap(true, false) {
		m.mail.nudge()
	}
}

func (p *partitionOffsetManager) Errors() <-chan *ConsumerError { return p.errors }

func (p *partitionOffsetManager) AsyncClose() {
	if !p.ending.Swap(true) {
		p.parent.mail.send(partitionEnd{})
	}
}

func (p *partitionOffsetManager) Close() error {
	p.AsyncClose()
	var unread ConsumerErrors
	for err := range p.errors {
		unread = append(unread, err)
	}
	if len(unread) > 0 {
		return unread
	}
	return nil
}

// release ends the manager; run calls it, and who finds that run has ended.
func (p *partitionOffsetManager) release() {
	p.releaseOnce.Do(func() {
		p.refused.Store(true)
		p.parent.forget(p.at)
		close(p.errors)
	})
}

// dirty reports whether the mark is to be stored.
func (p *partitionOffsetManager) dirty() (offsetPair, bool) {
	at := p.marks.load()
	return at, at.offset >= 0 && at != p.committed && (p.rejected == nil || at != *p.rejected)
}
