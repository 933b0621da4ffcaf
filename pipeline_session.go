package sarama

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// pipelineSession is the handler of one session of a Pipeline. Its goroutine,
// run, makes transactions of what the claims hand over.
type pipelineSession struct {
	// constant after Setup
	p         *Pipeline
	transform Transform
	running   context.Context // Run's
	until     context.Context // what Consume is given; derived from running
	stop      context.CancelCauseFunc
	session   ConsumerGroupSession
	work      context.Context // Transform's; derived from running
	endWork   context.CancelCauseFunc
	chunks    chan *pipelineChunk // unbuffered
	leaves    chan *pipelineClaim // unbuffered: claims that end
	quit      chan struct{}       // closed when all claims have ended
	ended     chan struct{}       // closed at the end of run

	// owned by run; by Pipeline.session when Consume has returned
	parts   []*pipelineChunk // the batch
	rest    *pipelineChunk   // what did not fit into it; nil: nothing
	size    batchSize
	full    bool
	over    bool  // the session is: nothing begins any more
	unknown bool  // whether the last transaction was committed
	stopped error // why run has ended the session although Run goes on; nil: it has not
	err     error // what ends Run; nil: nothing
}

type batchSize struct{ messages, bytes int }

// pipelineClaim is a claim that hands over messages.
type pipelineClaim struct {
	// constant
	at  topicPartition
	ctx context.Context // ends when it has to be given up
	out chan struct{}   // closed by run when it has nothing of the claim's

	// atomic: chunks that are being handed over, or in run's hands. The claim
	// raises it, run lowers it.
	held atomic.Int32
}

// pipelineChunk is messages of one claim, in order. It belongs to whoever has
// it.
type pipelineChunk struct {
	claim *pipelineClaim
	msgs  []*ConsumerMessage
	next  int64 // the offset to commit with them
	split bool  // another part of it follows
}

func newPipelineSession(p *Pipeline, running context.Context, transform Transform) *pipelineSession {
	s := &pipelineSession{
		p: p, transform: transform, running: running, chunks: make(chan *pipelineChunk), leaves: make(chan *pipelineClaim),
		quit: make(chan struct{}), ended: make(chan struct{}),
	}
	s.until, s.stop = context.WithCancelCause(running)
	s.work, s.endWork = context.WithCancelCause(running)
	return s
}

// Setup starts run.
func (s *pipelineSession) Setup(session ConsumerGroupSession) error {
	s.session = session
	context.AfterFunc(session.Context(), s.limitWork)
	go withRecover(s.run)
	return nil
}

// limitWork ends Transform's context when the session has ended: at once where
// the member is out of the group, so that it can commit nothing.
func (s *pipelineSession) limitWork() {
	if s.why() == nil {
		_ = sleepIn(s.work, s.p.conf.Consumer.Group.Rebalance.Timeout)
	}
	s.endWork(context.Cause(s.session.Context()))
}

// why is what has gone wrong so that the session has ended: nil for a
// rebalance.
func (s *pipelineSession) why() error {
	if s.session == nil {
		return nil
	}
	cause := context.Cause(s.session.Context())
	if isOneOf(cause, ErrRebalanceInProgress, ErrSessionPartitionCountChanged) {
		return nil
	}
	return cause
}

// Cleanup waits for run, which has nothing left to do.
func (s *pipelineSession) Cleanup(ConsumerGroupSession) error {
	close(s.quit)
	<-s.ended
	s.endWork(nil)
	return nil
}

// ConsumeClaim hands the claim's messages over, and returns when the
// transaction that they are in has ended.
func (s *pipelineSession) ConsumeClaim(_ ConsumerGroupSession, claim ConsumerGroupClaim) error {
	c := &pipelineClaim{at: topicPartition{claim.Topic(), claim.Partition()}, ctx: s.session.Context(), out: make(chan struct{})}
	begins := int64(-1)
	if own, ok := claim.(*groupClaim); ok {
		c.ctx = own.ctx
		if pc, ok := own.messages.(*partitionConsumer); ok && own.initial < 0 {
			begins = pc.begins
		}
	}
	defer s.leave(c)
	if begins >= 0 && !s.hand(&pipelineChunk{claim: c, next: begins}) {
		return nil
	}
	for {
		msgs, open := s.read(claim.Messages())
		if len(msgs) > 0 && !s.hand(&pipelineChunk{claim: c, msgs: msgs, next: msgs[len(msgs)-1].Offset + 1}) {
			return nil
		}
		if !open {
			return nil
		}
	}
}

// read waits for a message, and takes what else is there, as much as a batch
// may have.
func (s *pipelineSession) read(from <-chan *ConsumerMessage) (msgs []*ConsumerMessage, open bool) {
	msg, open := <-from
	if !open {
		return nil, false
	}
	msgs = make([]*ConsumerMessage, 1, min(1+len(from), s.p.opts.BatchMaxMessages))
	msgs[0] = msg
	for bytes := bytesOf(msg); len(msgs) < s.p.opts.BatchMaxMessages && bytes < s.p.opts.BatchMaxBytes; bytes += bytesOf(msg) {
		select {
		case msg, open = <-from:
			if !open {
				return msgs, false
			}
			msgs = append(msgs, msg)
		default:
			return msgs, true
		}
	}
	return msgs, true
}

func bytesOf(msg *ConsumerMessage) int {
	n := len(msg.Key) + len(msg.Value)
	for _, h := range msg.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// hand gives run a chunk; false when the claim has ended before.
func (s *pipelineSession) hand(k *pipelineChunk) bool {
	c := k.claim
	if c.ctx.Err() != nil {
		return false
	}
	c.held.Add(1)
	select {
	case s.chunks <- k:
		return true
	case <-c.ctx.Done():
	case <-s.ended:
	}
	c.held.Add(-1)
	return false
}

// leave waits until run has nothing of a claim's.
func (s *pipelineSession) leave(c *pipelineClaim) {
	if c.held.Load() == 0 {
		return
	}
	select {
	case s.leaves <- c:
		<-c.out
	case <-s.ended:
	}
}

// run is the session's goroutine. It ends with Cleanup, or with an error, which
// ends the session.
func (s *pipelineSession) run() {
	defer close(s.ended)
	s.err = errCallPanicked
	defer func() {
		if s.err != nil || s.stopped != nil {
			s.stop(errors.Join(s.err, s.stopped))
		}
	}()
	s.err = s.loop()
}

// loop makes batches and has them committed. It returns what ends Run.
func (s *pipelineSession) loop() error {
	for s.collect() {
		for len(s.parts) > 0 {
			err := s.attempt()
			if err == nil {
				s.p.succeeded()
				s.settle()
				break
			}
			if s.running.Err() != nil || s.hindered(err) {
				s.end() // the session may not know of it yet: what follows would be committed without the batch
				break
			}
			if s.unknown {
				s.stopped = err
				return nil
			}
			if err := s.p.failed(err); err != nil {
				return err
			}
			s.wait(s.p.pause())
		}
	}
	return nil
}

// hindered reports whether Transform has failed because its context has ended.
func (s *pipelineSession) hindered(err error) bool {
	return s.work.Err() != nil && errors.As(err, new(*TransformError))
}

// collect gathers a batch; false when all claims have ended.
func (s *pipelineSession) collect() bool {
	var timer alarm
	defer timer.stop()
	if k := s.rest; k != nil {
		s.rest = nil
		s.add(k)
	}
	if s.session.Context().Err() != nil {
		s.end()
	}
	var due time.Time
	for {
		wait := never
		if len(s.parts) > 0 {
			if due.IsZero() {
				due = time.Now().Add(s.p.opts.BatchMaxWait)
			}
			if wait = time.Until(due); s.full || wait <= 0 {
				return true
			}
		} else {
			due = time.Time{}
		}
		if !s.listen(timer.in(wait)) {
			return false
		}
	}
}

// wait waits before the batch is tried again, unless nothing is left of it.
func (s *pipelineSession) wait(d time.Duration) {
	due := time.Now().Add(d)
	var timer alarm
	defer timer.stop()
	for len(s.parts) > 0 {
		left := time.Until(due)
		if left <= 0 || !s.listen(timer.in(left)) {
			return
		}
	}
}

// listen waits for one event between two transactions; false when all claims
// have ended.
func (s *pipelineSession) listen(timer <-chan time.Time) bool {
	chunks, over := s.chunks, s.session.Context().Done()
	if s.over {
		over = nil
	}
	if s.over || s.full || s.rest != nil {
		chunks = nil
	}
	select {
	case k := <-chunks:
		s.add(k)
	case c := <-s.leaves:
		s.drop(c)
		close(c.out)
	case <-over:
		s.end()
	case <-timer:
	case <-s.quit:
		return false
	}
	return true
}

// end is the session's: what is in hand is not begun.
func (s *pipelineSession) end() {
	s.over = true
	s.drop(nil)
}

// add takes what fits of a chunk into the batch, which is full then if that is
// not all.
func (s *pipelineSession) add(k *pipelineChunk) {
	n := 0
	for ; n < len(k.msgs); n++ {
		bytes := bytesOf(k.msgs[n])
		if s.size.messages == s.p.opts.BatchMaxMessages || s.size.messages > 0 && s.size.bytes+bytes > s.p.opts.BatchMaxBytes {
			break
		}
		s.size.messages++
		s.size.bytes += bytes
	}
	s.full = s.size.messages == s.p.opts.BatchMaxMessages || s.size.bytes >= s.p.opts.BatchMaxBytes
	switch {
	case n == len(k.msgs):
		s.parts = append(s.parts, k)
		return
	case n > 0:
		s.parts = append(s.parts, &pipelineChunk{claim: k.claim, msgs: k.msgs[:n], next: k.msgs[n-1].Offset + 1, split: true})
	}
	s.full, s.rest = true, &pipelineChunk{claim: k.claim, msgs: k.msgs[n:], next: k.next}
}

// settle lets go of a batch that was committed.
func (s *pipelineSession) settle() {
	for _, k := range s.parts {
		if !k.split {
			k.claim.held.Add(-1)
		}
	}
	s.parts, s.size, s.full = nil, batchSize{}, false
}

// drop lets go of what is there of a claim's, of all for nil. It is consumed
// again by whoever has the partition next.
func (s *pipelineSession) drop(c *pipelineClaim) {
	s.parts = slices.DeleteFunc(s.parts, func(k *pipelineChunk) bool {
		if c != nil && k.claim != c {
			return false
		}
		s.size.messages -= len(k.msgs)
		for _, msg := range k.msgs {
			s.size.bytes -= bytesOf(msg)
		}
		if !k.split {
			k.claim.held.Add(-1)
		}
		return true
	})
	if k := s.rest; k != nil && (c == nil || k.claim == c) {
		k.claim.held.Add(-1)
		s.rest = nil
	}
	s.full = s.full && s.rest != nil
}

// messages is the batch as Transform gets it.
func (s *pipelineSession) messages() []*ConsumerMessage {
	msgs := make([]*ConsumerMessage, 0, s.size.messages)
	for _, k := range s.parts {
		msgs = append(msgs, k.msgs...)
	}
	return msgs
}

// behind are the offsets to commit with chunks.
func behind(chunks []*pipelineChunk) map[string][]*PartitionOffsetMetadata {
	next := make(map[topicPartition]int64)
	for _, k := range chunks {
		next[k.claim.at] = k.next
	}
	offsets := make(map[string][]*PartitionOffsetMetadata)
	for at, offset := range next {
		offsets[at.topic] = append(offsets[at.topic], &PartitionOffsetMetadata{Partition: at.partition, Offset: offset, LeaderEpoch: -1})
	}
	return offsets
}

// attempt has the batch transformed and commits it. After an error nothing is
// open, or the producer is of no use any more.
func (s *pipelineSession) attempt() error {
	if err := s.commitBegins(); err != nil {
		return err
	}
	msgs := s.messages()
	if len(msgs) == 0 {
		return nil
	}
	out, err := s.transform(s.work, msgs)
	if err == nil && slices.Contains(out, nil) {
		err = errNilMessage
	}
	if err != nil {
		return &TransformError{Attempts: 1, Err: err}
	}
	return s.commit(out, s.parts)
}

// commitBegins commits where claims begin, before any of their messages: else
// it would be another place for the next session, if Transform fails until then.
func (s *pipelineSession) commitBegins() error {
	var begins []*pipelineChunk
	for _, k := range s.parts {
		if len(k.msgs) == 0 {
			begins = append(begins, k)
		}
	}
	if len(begins) == 0 {
		return nil
	}
	if err := s.commit(nil, begins); err != nil {
		return err
	}
	s.parts = slices.DeleteFunc(s.parts, func(k *pipelineChunk) bool { return len(k.msgs) == 0 })
	for _, k := range begins {
		k.claim.held.Add(-1)
	}
	return nil
}

// commit produces messages in a transaction with the offsets behind chunks.
func (s *pipelineSession) commit(out []*ProducerMessage, chunks []*pipelineChunk) error {
	s.unknown = false
	producer := s.p.producer
	err := producer.BeginTxn()
	if err != nil {
		return err
	}
	if len(out) > 0 {
		err = firstCause(producer.sendMarked(out))
	}
	if err == nil {
		who := NewConsumerGroupMetadataFromSession(s.session, s.p.groupID, s.instance())
		err = producer.AddOffsetsToTxnWithGroupMetadata(behind(chunks), who)
	}
	if err == nil {
		if err = producer.CommitTxn(); err == nil {
			return nil
		}
		// Offsets are committed before the coordinator is asked to end it.
		s.unknown = !errors.Is(err, ErrTxnOffsetCommit)
	}
	return s.abort(err)
}

func (s *pipelineSession) instance() *string {
	if id := s.p.conf.Consumer.Group.InstanceId; id != "" {
		return &id
	}
	return nil
}

// firstCause makes of ProducerErrors the first of them, which can be unwrapped.
func firstCause(err error) error {
	var list ProducerErrors
	if errors.As(err, &list) && len(list) > 0 {
		return list[0]
	}
	return err
}

// abort aborts the transaction, for as long as it takes while Run goes on, and
// returns why.
func (s *pipelineSession) abort(why error) error {
	for tries := 1; ; tries++ {
		err := s.p.producer.AbortTxn()
		if err == nil {
			return why
		}
		if s.p.producer.TxnStatus()&ProducerTxnFlagFatalError != 0 || errors.Is(err, ErrShuttingDown) || s.running.Err() != nil {
			return errors.Join(why, err)
		}
		Logger.Printf("pipeline/%s aborting again: %v\n", s.p.groupID, err)
		_ = sleepIn(s.running, s.p.backoff(tries, 0))
	}
}
