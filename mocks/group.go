package mocks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"

	"github.com/IBM/sarama"
)

// ConsumerGroup is a double of sarama.ConsumerGroup: one member of a group, whose
// claims and messages the test decides about, and which calls the program's real
// handler. What a test yields to a partition stays there, as in Kafka: a session
// goes on at what was committed, so messages that were not come again.
type ConsumerGroup struct {
	// constant
	t       ErrorReporter
	conf    *sarama.Config
	offsets *offsets
	errors  chan error
	turn    chan struct{} // held by one Consume at a time, then by Close
	closing chan struct{}
	closed  chan struct{} // closed when Close is done

	// mu guards
	mu struct {
		sync.Mutex
		claims     map[string][]int32 // of the next session; nil: not set
		fresh      bool               // no session has these claims yet
		logs       map[topicPartition]*partitionLog
		paused     map[topicPartition]bool
		session    *ConsumerGroupSession // the present one
		ready      bool                  // its Setup has returned
		active     map[topicPartition]*ConsumerGroupClaim
		generation int32
		failures   []error // of the next calls of Consume
		ended      bool    // Close was called
		silent     bool    // errors is closed
		closeErr   error   // the last error that was unread
	}
}

var (
	_ sarama.ConsumerGroup                = (*ConsumerGroup)(nil)
	_ sarama.ConsumerGroupCloser          = (*ConsumerGroup)(nil)
	_ sarama.ConsumerGroupPatternConsumer = (*ConsumerGroup)(nil)
)

// NewConsumerGroup returns a mock that reports to t, which usually is the test's
// *testing.T. A nil config stands for sarama.NewConfig() with
// Consumer.Return.Errors set; an invalid one is reported. Of the config it uses
// Consumer.Return.Errors, Consumer.Offsets.AutoCommit.Enable,
// Consumer.Offsets.Initial and ChannelBufferSize.
func NewConsumerGroup(t ErrorReporter, config *sarama.Config) *ConsumerGroup {
	conf := validConfig(t, config)
	if config == nil {
		conf.Consumer.Return.Errors = true
	}
	g := &ConsumerGroup{
		t: t, conf: conf, offsets: newOffsets(), errors: make(chan error, max(1, conf.ChannelBufferSize)),
		turn: make(chan struct{}, 1), closing: make(chan struct{}), closed: make(chan struct{}),
	}
	g.mu.logs = make(map[topicPartition]*partitionLog)
	g.mu.paused = make(map[topicPartition]bool)
	return g
}

// SetClaims sets the member's claims, by topic, from the next session on. Consume
// needs them; a member without partitions has an empty map.
func (g *ConsumerGroup) SetClaims(claims map[string][]int32) *ConsumerGroup {
	g.setClaims(claims)
	return g
}

// setClaims returns the session that has the claims before, nil if there is none.
func (g *ConsumerGroup) setClaims(claims map[string][]int32) *ConsumerGroupSession {
	own := cloneClaims(claims)
	g.mu.Lock()
	g.mu.claims, g.mu.fresh = own, true
	s := g.mu.session
	g.mu.Unlock()
	g.offsets.touch()
	return s
}

// Rebalance is SetClaims that ends the present session, as when another member
// has joined or left: the cause is sarama.ErrRebalanceInProgress, Consume
// returns nil, and the program has to call it again. It does not wait for that;
// see WaitSession.
func (g *ConsumerGroup) Rebalance(claims map[string][]int32) {
	if s := g.setClaims(claims); s != nil {
		s.End(sarama.ErrRebalanceInProgress)
	}
}

// YieldMessage adds a message to a partition, before the member claims it or
// later. It never waits. The handler gets a copy with topic, partition and
// offset set; offsets begin at 0, or where SetCommittedOffset says.
func (g *ConsumerGroup) YieldMessage(topic string, partition int32, msg *sarama.ConsumerMessage) *ConsumerGroup {
	g.log(topicPartition{topic, partition}).add(*msg)
	return g
}

// YieldError gives the program an error, through Errors.
func (g *ConsumerGroup) YieldError(err error) *ConsumerGroup {
	if !g.pass(err) {
		g.t.Errorf("The mock consumer group is closed, or nobody reads its errors: %v", err)
	}
	return g
}

// ExpectConsumeAndFail has one call of Consume return an error instead of
// beginning a session. Several of them are for as many calls. Close reports
// those that are left.
func (g *ConsumerGroup) ExpectConsumeAndFail(err error) *ConsumerGroup {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.failures = append(g.mu.failures, err)
	return g
}

// SetCommittedOffset sets what the group has committed of a partition, for the
// sessions that begin from now on. Where no message was yielded to the partition
// yet, its first one gets this offset.
func (g *ConsumerGroup) SetCommittedOffset(topic string, partition int32, offset int64) *ConsumerGroup {
	at := topicPartition{topic, partition}
	g.offsets.store(at, offset)
	g.log(at).startAt(max(0, offset))
	return g
}

// FailCommits has commits fail with an error from now on, until it is called
// with nil.
func (g *ConsumerGroup) FailCommits(err error) { g.offsets.fail(err) }

// CommittedOffset is what the group has committed of a partition: the offset of
// the next message. It is -1 for nothing.
func (g *ConsumerGroup) CommittedOffset(topic string, partition int32) int64 {
	return g.offsets.stored(topicPartition{topic, partition})
}

// Session is the present session, nil if there is none.
func (g *ConsumerGroup) Session() *ConsumerGroupSession {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.session
}

// Paused returns the partitions that are paused, by topic.
func (g *ConsumerGroup) Paused() map[string][]int32 {
	g.mu.Lock()
	defer g.mu.Unlock()
	paused := make(map[string][]int32)
	for at := range g.mu.paused {
		paused[at.topic] = append(paused[at.topic], at.partition)
	}
	for _, partitions := range paused {
		slices.Sort(partitions)
	}
	return paused
}

// WaitSession waits until a session has the claims of the last SetClaims or
// Rebalance and its Setup has returned, and returns it. The error is the cause of
// ctx, or sarama.ErrClosedConsumerGroup.
func (g *ConsumerGroup) WaitSession(ctx context.Context) (session *ConsumerGroupSession, err error) {
	err = g.wait(ctx, func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.mu.ready && !g.mu.fresh && g.mu.session.ctx.Err() == nil {
			session = g.mu.session
		}
		return session != nil
	})
	return session, err
}

// WaitMarked waits until an offset of a partition, or a higher one, is or once
// was marked: after WaitMarked(ctx, topic, partition, 3) the handler has dealt
// with the messages 0 to 2. The error is the cause of ctx, or
// sarama.ErrClosedConsumerGroup.
func (g *ConsumerGroup) WaitMarked(ctx context.Context, topic string, partition int32, offset int64) error {
	return g.wait(ctx, func() bool { return g.offsets.highest(topicPartition{topic, partition}) >= offset })
}

// wait waits for a condition on what touch tells of.
func (g *ConsumerGroup) wait(ctx context.Context, until func() bool) error {
	for {
		change := g.offsets.change()
		if until() {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-g.closing:
			if until() {
				return nil
			}
			return sarama.ErrClosedConsumerGroup
		}
	}
}

func (g *ConsumerGroup) log(at topicPartition) *partitionLog {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.mu.logs[at]
	if l == nil {
		l = newPartitionLog(at)
		g.mu.logs[at] = l
	}
	return l
}

// Consume runs the handler for one session, as a real group does: Setup, a
// goroutine with ConsumeClaim for each claim, and when the last has returned,
// Cleanup. The session ends with ctx, with Rebalance, with Close, with the
// session's End, and when one ConsumeClaim returns. Then what is marked is
// committed, unless the config has AutoCommit off. Claims for topics that are not
// asked for are reported, and so is a call before SetClaims, which fails.
func (g *ConsumerGroup) Consume(ctx context.Context, topics []string, handler sarama.ConsumerGroupHandler) error {
	switch {
	case g.isClosed():
		return sarama.ErrClosedConsumerGroup
	case len(topics) == 0:
		return errors.New("no topics provided")
	}
	return g.consume(ctx, fmt.Sprint(topics), func(topic string) bool { return slices.Contains(topics, topic) }, handler)
}

// ConsumePattern is Consume for the topics whose names match a regular
// expression as a whole.
func (g *ConsumerGroup) ConsumePattern(ctx context.Context, pattern string, handler sarama.ConsumerGroupHandler) error {
	switch {
	case g.isClosed():
		return sarama.ErrClosedConsumerGroup
	case pattern == "":
		return errors.New("no pattern provided")
	}
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return fmt.Errorf("pattern %q: %w", pattern, err)
	}
	return g.consume(ctx, fmt.Sprintf("%q", pattern), re.MatchString, handler)
}

func (g *ConsumerGroup) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.ended
}

// Errors returns what ConsumeClaim returned and what went wrong with commits, if
// the config has Consumer.Return.Errors, and what YieldError gives. Errors that
// nobody reads are dropped once the channel is full.
func (g *ConsumerGroup) Errors() <-chan error { return g.errors }

// report tells of an error as a real group does.
func (g *ConsumerGroup) report(err error) {
	if !g.conf.Consumer.Return.Errors || !g.pass(err) {
		sarama.Logger.Println(err)
	}
}

// pass puts an error into the channel, if there is room. It never waits, so the
// lock, which keeps Close from closing the channel meanwhile, is held for a
// moment only.
func (g *ConsumerGroup) pass(err error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.silent {
		return false
	}
	select {
	case g.errors <- err:
		return true
	default:
		return false
	}
}

// Pause holds the messages of some claimed partitions, by topic. A partition that
// was paused starts paused when it is claimed again, until Resume.
func (g *ConsumerGroup) Pause(partitions map[string][]int32) { g.setPaused(partitions, true) }

// Resume lets go of the messages of some partitions, by topic.
func (g *ConsumerGroup) Resume(partitions map[string][]int32) { g.setPaused(partitions, false) }

// PauseAll is Pause for all claimed partitions.
func (g *ConsumerGroup) PauseAll() {
	if s := g.Session(); s != nil {
		g.setPaused(s.claims, true)
	}
}

// ResumeAll is Resume for all partitions that are paused.
func (g *ConsumerGroup) ResumeAll() { g.setPaused(g.Paused(), false) }

// setPaused holds the lock throughout, so that of two calls one is the later one
// for the streams, too. What these do does not wait.
func (g *ConsumerGroup) setPaused(partitions map[string][]int32, paused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for topic, list := range partitions {
		for _, partition := range list {
			at := topicPartition{topic, partition}
			c := g.mu.active[at]
			switch {
			case !paused:
				delete(g.mu.paused, at)
				if c != nil {
					c.messages.resume()
				}
			case c != nil:
				g.mu.paused[at] = true
				c.messages.pause()
			}
		}
	}
}

// Close ends the session, waits for Consume to return, and closes Errors. It
// returns the last error that was unread there, and reports failures of Consume
// that are left. Later calls return nil. As with a real group, a handler that
// calls it waits for itself.
func (g *ConsumerGroup) Close() error { return g.CloseContext(context.Background()) }

// CloseContext is Close that waits until ctx ends; then the error is a
// *sarama.HandlerError that names the claims whose ConsumeClaim has not returned,
// or the cause of ctx if it is Setup or Cleanup that has not.
// The group is closed when they have and Close or CloseContext is called again.
func (g *ConsumerGroup) CloseContext(ctx context.Context) error {
	g.end()
	select {
	case g.turn <- struct{}{}: // kept
		return g.finish()
	default:
	}
	select {
	case g.turn <- struct{}{}:
		return g.finish()
	case <-g.closed: // by another call
		return nil
	case <-ctx.Done():
		g.mu.Lock()
		running := make(map[string][]int32)
		for at := range g.mu.active {
			running[at.topic] = append(running[at.topic], at.partition)
		}
		g.mu.Unlock()
		if len(running) == 0 {
			return context.Cause(ctx)
		}
		for _, partitions := range running {
			slices.Sort(partitions)
		}
		return &sarama.HandlerError{Group: "mock", Claims: running, Err: context.Cause(ctx)}
	}
}

// end has sessions end, and none begin.
func (g *ConsumerGroup) end() {
	g.mu.Lock()
	first, s := !g.mu.ended, g.mu.session
	g.mu.ended = true
	g.mu.Unlock()
	if s != nil {
		s.End(sarama.ErrClosedConsumerGroup)
	}
	if first {
		close(g.closing)
	}
}

// finish closes Errors. The caller has the turn for good.
func (g *ConsumerGroup) finish() (err error) {
	g.mu.Lock()
	left := len(g.mu.failures)
	g.mu.silent = true
	close(g.errors)
	g.mu.Unlock()
	for e := range g.errors {
		err = e
	}
	if left > 0 {
		g.t.Errorf("Expected to exhaust all expectations, but %d are left.", left)
	}
	close(g.closed)
	return err
}

// claimsLocked are the claims of a session for what the program asks for, and the
// topics of the others.
func (g *ConsumerGroup) claimsLocked(wanted func(topic string) bool) (claims map[string][]int32, unwanted []string) {
	claims = cloneClaims(g.mu.claims)
	for _, topic := range slices.Sorted(maps.Keys(claims)) {
		if !wanted(topic) {
			unwanted = append(unwanted, topic)
			delete(claims, topic)
		}
	}
	return claims, unwanted
}
