package sarama

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ConsumerGroup is one member of a group whose members divide the partitions
// of some topics among themselves. Its methods may be called from any
// goroutine.
type ConsumerGroup interface {
	// Consume joins the group, and blocks for as long as its session lasts:
	//
	//  1. The member joins; one of the members divides the partitions. The
	//     member's share are its claims.
	//  2. handler.Setup is called.
	//  3. For each claim handler.ConsumeClaim is called, on a goroutine of its
	//     own.
	//  4. The session ends when ctx does, when one ConsumeClaim returns, or when
	//     the group has to divide the partitions anew. Then the session's
	//     context is cancelled and each claim's Messages closed; every
	//     ConsumeClaim has to return within Config.Consumer.Group.Rebalance.Timeout.
	//  5. When the last one has returned, handler.Cleanup is called, and what is
	//     marked is stored once more.
	//
	// So Consume is to be called in a loop, until ctx ends. With a strategy that
	// rebalances cooperatively (NewBalanceStrategyCooperativeSticky) the session
	// goes on over rebalances: claims that go to another member are closed one by
	// one, and new ones begin.
	//
	// A second call waits until the first has returned. The result is nil where
	// the session has ended, whatever the reason, which
	// context.Cause(session.Context()) tells; ctx.Err() where ctx ended before
	// it began; ErrClosedConsumerGroup after Close; and what went wrong before
	// it began, in Setup or in Cleanup. A handler that does not return holds
	// Consume up, but not the group: after Rebalance.Timeout the member leaves,
	// and what the handler marks from then on has no effect.
	Consume(ctx context.Context, topics []string, handler ConsumerGroupHandler) error

	// Errors is what goes wrong meanwhile, handlers' errors included, if
	// Config.Consumer.Return.Errors is set; else errors are logged. Where they
	// concern a partition they are of type *ConsumerError. Errors that nobody
	// reads are dropped once the channel is full. It is closed by Close.
	Errors() <-chan error

	// Close ends the session, leaves the group, unless the member is a static
	// one, and closes the client if NewConsumerGroup made that. It waits for
	// Consume to return. The result is the last error that was unread in Errors.
	Close() error

	// Pause stops fetching some of the claims' partitions, by topic; what was
	// fetched before is still delivered. A partition that was paused starts
	// paused when it is claimed again, until Resume.
	Pause(partitions map[string][]int32)

	// Resume takes up fetching some partitions, by topic, after Pause.
	Resume(partitions map[string][]int32)

	// PauseAll is Pause for all partitions that are claimed.
	PauseAll()

	// ResumeAll is Resume for all partitions.
	ResumeAll()
}

// ConsumerGroupCloser is what a ConsumerGroup of this package has besides, to
// be had by a type assertion.
type ConsumerGroupCloser interface {
	// CloseContext is Close that waits for handlers until ctx ends. If there
	// are any left by then, the member leaves the group without them, and the
	// error is a *HandlerError that names them and wraps ctx's cause; what they
	// mark from then on has no effect. Consume still returns when they do.
	CloseContext(ctx context.Context) error
}

// ConsumerGroupHandler is the user's part of a session. Its ConsumeClaim runs
// on many goroutines at a time.
type ConsumerGroupHandler interface {
	// Setup is called before the claims, when the session begins.
	Setup(ConsumerGroupSession) error

	// Cleanup is called when every ConsumeClaim has returned, before what is
	// marked is stored for the last time.
	Cleanup(ConsumerGroupSession) error

	// ConsumeClaim reads the messages of a claim. It must return when Messages
	// is closed or the session's context ends; if it does earlier, the session
	// ends. Its error is told by ConsumerGroup.Errors.
	ConsumeClaim(ConsumerGroupSession, ConsumerGroupClaim) error
}

// ConsumerGroupClaim is a partition that a member consumes.
type ConsumerGroupClaim interface {
	// Topic is the partition's topic.
	Topic() string
	// Partition is the partition's id.
	Partition() int32
	// InitialOffset is where the claim began: an offset, OffsetNewest or
	// OffsetOldest.
	InitialOffset() int64
	// HighWaterMarkOffset is the offset that the partition's next message will
	// get, as of the last fetch.
	HighWaterMarkOffset() int64
	// Messages are the partition's messages, in order. It is closed when the
	// claim ends; messages that are still in it need not be read.
	Messages() <-chan *ConsumerMessage
}

// HandlerError says that handlers did not return, or do not read.
type HandlerError struct {
	Group string
	// Claims whose ConsumeClaim is still running, by topic.
	Claims map[string][]int32
	// Err is why they were no longer waited for.
	Err error
}

// Error names the group, the claims and the reason.
func (e *HandlerError) Error() string {
	return fmt.Sprintf("kafka: consumer group %s: ConsumeClaim has not returned for %v: %v", e.Group, e.Claims, e.Err)
}

// Unwrap returns Err.
func (e *HandlerError) Unwrap() error { return e.Err }

// consumerGroup is a ConsumerGroup. While it consumes these goroutines work for
// it: the caller of Consume, who joins and runs Setup and Cleanup; the keeper,
// which owns the membership; the run of the session's offsetManager; and one
// for each claim, which runs ConsumeClaim.
type consumerGroup struct {
	// constant after newConsumerGroup
	id         string
	instanceID *string // nil: a dynamic member
	client     Client
	ownsClient bool
	conf       *Config
	consumer   *consumer
	strategies []BalanceStrategy
	protocol   RebalanceProtocol
	metrics    *groupMetrics
	errors     chan error
	reports    chan error      // to the reporter
	life       context.Context // ends when Close is called
	end        context.CancelCauseFunc
	abandon    chan struct{} // closed when handlers are no longer waited for
	silent     chan struct{} // closed when nothing is reported any more
	closed     chan struct{} // closed when Close is done
	closeOnce  sync.Once
	leaveOnce  sync.Once
	closeErr   error // constant once closed is closed

	// turn is held by who owns member: one Consume at a time, or Close.
	turn   chan struct{}
	member groupMember

	// atomic, any goroutine
	session atomic.Pointer[consumerGroupSession] // the present one; nil: none
}

// groupMember is what a member keeps from session to session.
type groupMember struct {
	id       string // "" before there is one
	epoch    int32  // in a group of the newer protocol
	unsure   bool   // the last heartbeat of the newer protocol was not answered: the coordinator may have the member though it has no epoch
	lane     memberLane
	userData []byte // what the last assignment brought along, for the next join
	reason   error  // why the last session ended

	notBefore time.Time // the next session, after a right was wanting; zero: at once
}

// NewConsumerGroup makes a member of a group, and a client for it, see
// NewClient. It needs Config.Version 0.10.2.
func NewConsumerGroup(addrs []string, groupID string, config *Config) (ConsumerGroup, error) {
	client, err := newClient(addrs, config)
	if err != nil {
		return nil, err
	}
	g, err := newConsumerGroup(groupID, client, true)
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	return g, nil
}

// NewConsumerGroupFromClient makes a member of a group that uses a client,
// which has to be closed after it. Several groups may use one client. It needs
// Config.Version 0.10.2.
func NewConsumerGroupFromClient(groupID string, client Client) (ConsumerGroup, error) {
	if client.Closed() {
		return nil, ErrClosedClient
	}
	g, err := newConsumerGroup(groupID, client, false)
	if err != nil {
		return nil, err
	}
	return g, nil
}

func newConsumerGroup(id string, client Client, owns bool) (*consumerGroup, error) {
	conf := client.Config()
	if !conf.Version.IsAtLeast(V0_10_2_0) {
		return nil, ConfigurationError("consumer groups need Config.Version 0.10.2.0 or later")
	}
	strategies := conf.groupStrategies()
	protocol, err := commonRebalanceProtocol(strategies)
	if err != nil {
		return nil, ConfigurationError(err.Error())
	}
	if conf.Consumer.Group.Protocol == ConsumerGroupProtocolConsumer {
		protocol = RebalanceProtocolCooperative // the session goes on
	}
	g := &consumerGroup{
		id: id, client: client, ownsClient: owns, conf: conf, consumer: newConsumer(client, false), strategies: strategies, protocol: protocol,
		metrics: newGroupMetrics(conf.MetricRegistry, id), errors: make(chan error, max(1, conf.ChannelBufferSize)),
		reports: make(chan error, max(1, conf.ChannelBufferSize)), abandon: make(chan struct{}), silent: make(chan struct{}),
		closed: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	if conf.Consumer.Group.InstanceId != "" {
		g.instanceID = &conf.Consumer.Group.InstanceId
	}
	g.member.lane = memberLane{client: client, conf: conf, group: id}
	g.life, g.end = context.WithCancelCause(context.Background())
	go withRecover(g.reporter)
	return g, nil
}

func (g *consumerGroup) Errors() <-chan error { return g.errors }

func (g *consumerGroup) Pause(partitions map[string][]int32) { g.consumer.Pause(partitions) }

func (g *consumerGroup) Resume(partitions map[string][]int32) { g.consumer.Resume(partitions) }

func (g *consumerGroup) PauseAll() { g.consumer.PauseAll() }

func (g *consumerGroup) ResumeAll() { g.consumer.ResumeAll() }

// reporter is the goroutine that alone sends on Errors, without waiting, and
// closes it. It ends with the group.
func (g *consumerGroup) reporter() {
	defer close(g.errors)
	for {
		select {
		case err := <-g.reports:
			g.pass(err)
		case <-g.silent:
			for {
				select {
				case err := <-g.reports:
					g.pass(err)
				default:
					return
				}
			}
		}
	}
}

func (g *consumerGroup) pass(err error) {
	select {
	case g.errors <- err:
	default:
		Logger.Printf("consumergroup/%s dropped an error that nobody reads: %v\n", g.id, err)
	}
}

// report tells the user what went wrong; topic is empty where it concerns no
// partition.
func (g *consumerGroup) report(topic string, partition int32, err error) {
	if e := (*ConsumerError)(nil); topic != "" && !errors.As(err, &e) {
		err = &ConsumerError{Topic: topic, Partition: partition, Err: err}
	}
	if !g.conf.Consumer.Return.Errors {
		Logger.Println(err)
		return
	}
	select {
	case g.reports <- err:
	default:
		Logger.Printf("consumergroup/%s dropped an error that nobody reads: %v\n", g.id, err)
	}
}

func (g *consumerGroup) Consume(ctx context.Context, topics []string, handler ConsumerGroupHandler) error {
	if g.life.Err() != nil {
		return ErrClosedConsumerGroup
	}
	if len(topics) == 0 {
		return errors.New("no topics provided")
	}
	return g.consume(ctx, subscription{topics: topics}, handler)
}

func (g *consumerGroup) ConsumePattern(ctx context.Context, pattern string, handler ConsumerGroupHandler) error {
	switch {
	case g.life.Err() != nil:
		return ErrClosedConsumerGroup
	case pattern == "":
		return errors.New("no pattern provided")
	case !g.newer():
		return ConfigurationError(fmt.Sprintf("ConsumePattern needs Consumer.Group.Protocol to be %q", ConsumerGroupProtocolConsumer))
	}
	return g.consume(ctx, subscription{pattern: pattern}, handler)
}

// consume is one session.
func (g *consumerGroup) consume(ctx context.Context, sub subscription, handler ConsumerGroupHandler) error {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-g.life.Done():
		return ErrClosedConsumerGroup
	}
	defer func() { <-g.turn }()
	if g.life.Err() != nil {
		return ErrClosedConsumerGroup
	}
	until, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(g.life, func() { cancel(ErrClosedConsumerGroup) })()
	err := g.awaitRight(until)
	if err == nil {
		var s *consumerGroupSession
		if s, err = g.begin(until, sub, handler); err == nil {
			err = s.consume()
			g.noteRefusal(g.member.reason)
			return err
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case g.life.Err() != nil:
		return ErrClosedConsumerGroup
	}
	g.noteRefusal(err)
	return err
}

// noteRefusal has the next session wait if this is what ended one, or kept it
// from beginning, and is the want of a right. Who calls Consume in a loop would
// else have the whole group rebalance as fast as brokers answer.
func (g *consumerGroup) noteRefusal(err error) {
	g.member.notBefore = time.Time{}
	if isOneOf(err, ErrTopicAuthorizationFailed, ErrGroupAuthorizationFailed, ErrClusterAuthorizationFailed) {
		retry := &g.conf.Consumer.Group.Rebalance.Retry
		g.member.notBefore = time.Now().Add(retryBackoff(g.conf, retry.Backoff, nil, 1, 1, retry.Max))
	}
}

// awaitRight waits for that.
func (g *consumerGroup) awaitRight(ctx context.Context) error {
	wait := time.Until(g.member.notBefore)
	if wait <= 0 {
		return nil
	}
	Logger.Printf("consumergroup/%s begins again in %v: the last time it lacked a right\n", g.id, wait)
	return sleepIn(ctx, wait)
}

// begin joins the group. until ends it, and the session with it.
func (g *consumerGroup) begin(until context.Context, sub subscription, handler ConsumerGroupHandler) (*consumerGroupSession, error) {
	if sub.pattern == "" {
		if err := g.refreshTopics(until, sub.topics); err != nil {
			return nil, err
		}
	}
	join := func() (*joined, error) { return g.join(until, sub.topics, nil) }
	if g.newer() {
		join = func() (*joined, error) { return g.joinNewer(until, sub) }
	}
	j, err := join()
	if err != nil {
		return nil, err
	}
	return newGroupSession(g, until, j, sub, handler), nil
}

// refreshTopics asks for the partitions of topics.
func (g *consumerGroup) refreshTopics(ctx context.Context, topics []string) error {
	_, err := awaitCall(ctx, func() (struct{}, error) { return struct{}{}, g.client.RefreshMetadata(topics...) }, nil)
	return err
}

func (g *consumerGroup) Close() error { return g.CloseContext(context.Background()) }

func (g *consumerGroup) CloseContext(ctx context.Context) error {
	first := false
	g.closeOnce.Do(func() {
		first = true
		g.end(ErrClosedConsumerGroup)
		go withRecover(g.close)
	})
	select {
	case <-g.closed:
	case <-ctx.Done():
		if s := g.session.Load(); s != nil {
			if running := s.runningClaims(); len(running) > 0 {
				g.leaveOnce.Do(func() { close(g.abandon) })
				return &HandlerError{Group: g.id, Claims: running, Err: context.Cause(ctx)}
			}
		}
		return context.Cause(ctx)
	}
	if !first {
		return nil
	}
	return g.closeErr
}

// close is what is left to do once the group has ended. It waits for Consume,
// unless handlers are left behind.
func (g *consumerGroup) close() {
	select {
	case g.turn <- struct{}{}:
		g.leaveLast()
	case <-g.abandon:
		var left chan struct{}
		if s := g.session.Load(); s != nil {
			left = s.keeper.left
		}
		select {
		case <-left: // the keeper has left the group
		case g.turn <- struct{}{}: // the handlers have returned after all
			g.leaveLast()
		}
	}
	_ = g.consumer.Close()
	if g.ownsClient {
		g.closeErr = g.client.Close()
	}
	g.metrics.release()
	close(g.silent)
	for err := range g.errors {
		g.closeErr = err
	}
	close(g.closed)
}

// leaveLast leaves the group for good. The caller has the turn, which it gives
// back.
func (g *consumerGroup) leaveLast() {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience(g.conf))
	defer cancel()
	if err := g.leave(ctx, errGroupCloses); err != nil {
		g.report("", -1, err)
	}
	g.member.lane.close()
	<-g.turn
}

// errGroupCloses is the reason to leave that the coordinator is told.
var errGroupCloses = errors.New("the consumer is being closed")
