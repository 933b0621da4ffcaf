package sarama

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// groupKeeper keeps a member in its group for a session. Its run goroutine
// sends heartbeats, and owns the claims; where the group rebalances
// cooperatively it also joins anew. It calls no user's code and never blocks:
// what takes time is done by goroutines that report by letter. It is woken by
// letters and by its timer, and ended by stop.
type groupKeeper struct {
	// constant
	s *consumerGroupSession
	g *consumerGroup
	// Letters are functions that run calls: of claims that have ended, of
	// requests that were answered, and of consume. There are at most as many as
	// claims, and one each of the others.
	mail    mailbox
	life    context.Context // of what run has started
	endLife context.CancelFunc
	idle    chan struct{} // closed when the session is over and no claim is left
	left    chan struct{} // closed when the member has left the group before the handlers have returned
	ended   chan struct{} // closed at the end of run

	// owned by run
	place    *joined // in the present generation
	claims   map[topicPartition]*groupClaim
	found    map[topicPartition]*partitionOffsetManager // of claims that may begin
	given    []*partitionOffsetManager                  // of claims that were revoked and have ended
	began    bool                                       // claims may run
	over     bool                                       // the session's context has ended
	gone     bool                                       // the member is out of the group, or about to be
	stopping bool                                       // run ends as soon as nothing is under way
	busy     context.CancelFunc                         // ends what the lane is taken for; nil: nothing
	joining  bool                                       // that is a join
	joinBy   time.Time                                  // when it is given up, once the session is over
	beating  bool                                       // that is a heartbeat
	handling bool                                       // offsets of claims that begin or were given up are being handled
	watching bool                                       // the client is being asked for partitions
	beatAt   time.Time                                  // when the next heartbeat is due
	beatBy   time.Time                                  // when the one under way is given up
	trouble  error                                      // why the last one has failed; nil: it has not
	answered time.Time                                  // when the coordinator last knew the member
	rejoinAs error                                      // why to join anew, as soon as nothing is in the way; nil: no need
	leaving  bool                                       // handlers are left behind
	leaveAs  error                                      // why to leave, as soon as the lane is free; nil: no need
	deadline time.Time                                  // for claims to end; zero: none has to
	said     map[string][]int32                         // in a group of the newer protocol: what the coordinator was told that the member holds
	told     bool                                       // and that everything else was said
	watchAt  time.Time                                  // when a client that is not this package's is asked for partitions
}

func newGroupKeeper(s *consumerGroupSession, j *joined) *groupKeeper {
	now := time.Now()
	k := &groupKeeper{
		s: s, g: s.group, mail: newMailbox(), idle: make(chan struct{}), left: make(chan struct{}), ended: make(chan struct{}),
		place: j, claims: make(map[topicPartition]*groupClaim), found: make(map[topicPartition]*partitionOffsetManager),
		answered: now, beatAt: now.Add(s.group.conf.Consumer.Group.Heartbeat.Interval),
	}
	if j.newer != nil {
		k.beatAt, k.told, k.said = now.Add(j.newer.every), true, map[string][]int32{}
	}
	k.life, k.endLife = context.WithCancel(context.Background())
	if every := s.group.conf.Metadata.RefreshFrequency; every > 0 {
		k.watchAt = now.Add(every)
	}
	return k
}

// do has run call a function.
func (k *groupKeeper) do(f func()) { k.mail.send(f) }

// run is the keeper's goroutine.
func (k *groupKeeper) run() {
	defer close(k.ended)
	defer k.endLife()
	var timer alarm
	defer timer.stop()
	abandon := k.g.abandon
	for {
		for l := k.mail.take(); l != nil; l = l.next {
			l.item.(func())()
		}
		wait := k.advance(time.Now())
		if k.stopping && k.busy == nil && !k.handling && !k.watching && k.leaveAs == nil {
			return
		}
		var over <-chan struct{}
		if !k.over {
			over = k.s.ctx.Done()
		}
		select {
		case <-k.mail.wake:
		case <-timer.in(wait):
		case <-over:
			k.over, k.deadline = true, time.Time{} // that was of claims that were revoked
			k.joinBy = time.Now().Add(joinPatience)
		case <-abandon:
			abandon = nil
			k.leaveBehind(errHandlersLeft)
		}
	}
}

var errHandlersLeft = errors.New("handlers were left behind")

// advance does what is due, and returns how long it is until something else is.
func (k *groupKeeper) advance(now time.Time) time.Duration {
	if k.over {
		k.wind(now)
	} else {
		k.rebalance(now)
	}
	if k.leaveAs != nil && k.busy == nil {
		k.leave()
	}
	if k.beating && !now.Before(k.beatBy) || k.over && k.joining && !now.Before(k.joinBy) {
		k.busy()
	}
	if k.beats() && !now.Before(k.beatAt) {
		k.beatNow(now)
	}
	wait := never
	if k.beats() {
		wait = max(0, k.beatAt.Sub(now))
	}
	if k.beating && now.Before(k.beatBy) {
		wait = k.beatBy.Sub(now)
	}
	if k.over && k.joining && now.Before(k.joinBy) {
		wait = min(wait, k.joinBy.Sub(now))
	}
	if !k.deadline.IsZero() && !k.gone {
		wait = min(wait, max(0, k.deadline.Sub(now)))
	}
	return wait
}

// joinPatience is how much longer a join is waited for once the session is
// over. An answer that is on its way has the generation that the last commit
// needs; as long as the group waits for others the old one will do.
const joinPatience = time.Second

// beats reports whether heartbeats are sent.
func (k *groupKeeper) beats() bool { return !k.gone && !k.stopping && k.busy == nil }

// wind waits for the claims of a session that is over.
func (k *groupKeeper) wind(now time.Time) {
	var stuck *HandlerError
	errors.As(context.Cause(k.s.ctx), &stuck)
	switch {
	case isClosed(k.idle):
	case len(k.claims) == 0 && !k.handling:
		k.deadline = time.Time{}
		close(k.idle)
	case k.deadline.IsZero() && stuck != nil:
		k.deadline = now.Add(k.g.conf.Consumer.Group.Heartbeat.Interval) // for the others to return
	case k.deadline.IsZero():
		k.deadline = now.Add(k.g.conf.Consumer.Group.Rebalance.Timeout)
	case !k.gone && !now.Before(k.deadline):
		why := ErrRebalanceTimedOut
		if stuck != nil {
			why = stuck
		}
		k.leaveBehind(why)
	}
}

// onLane runs a conversation with the coordinator on a goroutine, and done on
// run when it has ended. One runs at a time.
func (k *groupKeeper) onLane(talk func(ctx context.Context) error, done func(error)) {
	ctx, cancel := context.WithCancel(k.life)
	k.busy = cancel
	go withRecover(func() {
		err := errCallPanicked
		defer func() {
			k.do(func() {
				cancel()
				k.busy = nil
				done(err)
			})
		}()
		err = talk(ctx)
	})
}

// sessionTimeout is for how long the coordinator may be silent. In a group of
// the newer protocol it is the coordinator that says how often it is heard.
func (k *groupKeeper) sessionTimeout() time.Duration {
	timeout := k.g.conf.Consumer.Group.Session.Timeout
	if k.place.newer != nil {
		timeout = max(timeout, 2*k.place.newer.every)
	}
	return timeout
}

// beatNow sends a heartbeat, which has the rest of the session to be answered
// in; where that is over, the next interval, unless one has failed before.
func (k *groupKeeper) beatNow(now time.Time) {
	expired := !now.Before(k.answered.Add(k.sessionTimeout()))
	if expired && k.trouble != nil {
		k.timedOut(now, k.trouble)
		return
	}
	k.watchHandlers(now)
	if k.place.newer != nil {
		k.beatNewer(now)
	} else {
		k.watch(now)
		k.beat(now)
	}
	if k.beatBy = k.answered.Add(k.sessionTimeout()); expired {
		k.beatBy = k.beatAt
	}
}

// timedOut ends the session because the coordinator was not heard.
func (k *groupKeeper) timedOut(now time.Time, err error) {
	if errors.Is(err, context.Canceled) { // by advance
		err = os.ErrDeadlineExceeded
	}
	k.lost(fmt.Errorf("kafka: group %s: the session has timed out, the coordinator was not heard for %v: %w", k.g.id, now.Sub(k.answered), err))
}

// beat sends a heartbeat.
func (k *groupKeeper) beat(now time.Time) {
	who := k.place.who
	req := &HeartbeatRequest{
		Version: apiHeartbeat.versionFor(k.g.conf.Version), GroupId: k.g.id, MemberId: who.memberID, GenerationId: who.generation,
	}
	if req.Version >= 3 {
		req.GroupInstanceId = who.instanceID
	}
	k.beatAt, k.beating = now.Add(k.g.conf.Consumer.Group.Heartbeat.Interval), true
	k.onLane(func(ctx context.Context) error {
		resp := new(HeartbeatResponse)
		if err := k.g.member.lane.ask(ctx, req, resp); err != nil {
			return err
		}
		if resp.Err != ErrNoError {
			return resp.Err
		}
		return nil
	}, k.beaten)
}

// beaten takes the answer to a heartbeat.
func (k *groupKeeper) beaten(err error) {
	k.beating = false
	now := time.Now()
	code := KError(0)
	errors.As(err, &code)
	k.trouble = err
	if err == nil || code == ErrRebalanceInProgress || code == ErrOffsetsLoadInProgress { // the coordinator itself says so
		k.answered, k.trouble = now, nil
	}
	switch {
	case err == nil || k.gone:
	case code == ErrRebalanceInProgress:
		if k.g.protocol == RebalanceProtocolCooperative && !k.over {
			k.rejoinAs = code
		} else {
			k.s.end(code)
		}
	case code == ErrUnknownMemberId || code == ErrIllegalGeneration || code == ErrFencedMemberEpoch:
		if k.g.member.epoch = epochJoins; k.place.newer != nil {
			k.lost(err)
			return
		}
		if code != ErrIllegalGeneration { // that one is still a member, which has to leave
			k.g.member.id = ""
		}
		if k.g.protocol == RebalanceProtocolCooperative && len(k.claims) > 0 && !k.over {
			k.s.fail(code) // others may have the claims by now
		}
		k.lost(code)
	case !errors.Is(err, ErrClosedClient) && (code == 0 || retriableJoin(code)): // the coordinator is out of reach, or elsewhere
		k.g.member.lane.stale = true
		left := k.sessionTimeout() - now.Sub(k.answered)
		if left <= 0 {
			k.timedOut(now, err)
			return
		}
		k.beatAt = now.Add(min(left, metadataBackoff(k.g.conf, 0)))
		Logger.Printf("consumergroup/session/%s/%d heartbeat failed: %v\n", k.place.who.memberID, k.place.who.generation, err)
	default:
		if code == ErrFencedInstancedId {
			k.g.member.id = ""
		}
		k.lost(err)
	}
}

// lost ends the session because the member is out of the group.
func (k *groupKeeper) lost(err error) {
	if k.gone = true; !k.over {
		k.g.report("", -1, err)
	}
	k.s.end(err)
}

// watchHandlers ends the session when a handler no longer reads.
func (k *groupKeeper) watchHandlers(now time.Time) {
	limit := k.g.conf.Consumer.Group.HandlerTimeout
	if limit == 0 || k.over {
		return
	}
	stuck := make(map[string][]int32)
	for at, c := range k.claims {
		pc := c.reading.Load()
		if pc == nil {
			c.readAt = now
			continue
		}
		taken, more := pc.taken()
		if !more || taken != c.taken || c.readAt.IsZero() {
			c.taken, c.readAt = taken, now
		} else if now.Sub(c.readAt) >= limit {
			stuck[at.topic] = append(stuck[at.topic], at.partition)
		}
	}
	if len(stuck) == 0 {
		return
	}
	err := &HandlerError{Group: k.g.id, Claims: stuck, Err: errHandlerStuck}
	k.g.report("", -1, err)
	k.s.end(err)
}

var errHandlerStuck = errors.New("nothing was read for longer than Consumer.Group.HandlerTimeout")

// watch looks whether the partitions of the group's topics are still those that
// the plan was made with; the leader's business.
func (k *groupKeeper) watch(now time.Time) {
	counts := k.place.counts
	if k.over || counts == nil || k.g.conf.Metadata.RefreshFrequency == 0 {
		return
	}
	if k.g.topicsChanged(counts) {
		k.changed(k.place)
		return
	}
	if _, own := k.g.client.(*client); own || k.watching || now.Before(k.watchAt) {
		return
	}
	k.watching, k.watchAt = true, now.Add(k.g.conf.Metadata.RefreshFrequency)
	place, life := k.place, k.life
	go withRecover(func() {
		changed := false
		defer func() {
			k.do(func() {
				if k.watching = false; changed {
					k.changed(place)
				}
			})
		}()
		for topic, n := range counts {
			partitions, err := awaitCall(life, func() ([]int32, error) { return k.g.client.Partitions(topic) }, nil)
			if err == nil && len(partitions) != n || errors.Is(err, ErrUnknownTopicOrPartition) && n > 0 {
				changed = true
			}
		}
	})
}

// changed begins a rebalance because topics have changed since a generation's
// plan was made.
func (k *groupKeeper) changed(place *joined) {
	if k.over || place != k.place || place.counts == nil {
		return
	}
	Logger.Printf("consumergroup/%s the partitions of the group's topics have changed\n", k.g.id)
	if place.counts = nil; k.g.protocol == RebalanceProtocolCooperative {
		k.rejoinAs = ErrSessionPartitionCountChanged
		return
	}
	k.s.end(ErrSessionPartitionCountChanged)
}

// adopt takes the offsets that the first claims begin at; consume calls it
// before Setup, so that Setup can reset them.
func (k *groupKeeper) adopt(stored map[topicPartition]storedOffset) {
	done := make(chan struct{})
	k.do(func() {
		k.take(stored)
		close(done)
	})
	<-done
}

// begin starts the first claims.
func (k *groupKeeper) begin() {
	k.do(func() {
		k.began = true
		k.start()
	})
}

// take makes places for marks of new claims, and shows them in the session.
func (k *groupKeeper) take(stored map[topicPartition]storedOffset) {
	for at, offset := range stored {
		k.found[at] = k.s.offsets.take(at, offset)
	}
	k.publish()
}

// publish shows the claims in the session.
func (k *groupKeeper) publish() {
	now := &claimedPartitions{claims: make(map[string][]int32), offsets: make(map[string]map[int32]*partitionOffsetManager)}
	show := func(at topicPartition, p *partitionOffsetManager) {
		now.claims[at.topic] = append(now.claims[at.topic], at.partition)
		if now.offsets[at.topic] == nil {
			now.offsets[at.topic] = make(map[int32]*partitionOffsetManager)
		}
		now.offsets[at.topic][at.partition] = p
	}
	for at, p := range k.found {
		show(at, p)
	}
	for at, c := range k.claims {
		show(at, c.offsets)
	}
	for _, partitions := range now.claims {
		slices.Sort(partitions)
	}
	k.s.claimed.Store(now)
}

// start runs the claims whose offsets are known.
func (k *groupKeeper) start() {
	if k.over || !k.began {
		return
	}
	for at, p := range k.found {
		c := &groupClaim{session: k.s, at: at, offsets: p}
		c.initial, _ = p.NextOffset()
		c.ctx, c.cancel = context.WithCancel(k.s.ctx)
		k.claims[at] = c
		k.s.setRunning(at, true)
		go withRecover(c.run)
	}
	clear(k.found)
}

// claimEnded is called by a claim's goroutine, at its end.
func (k *groupKeeper) claimEnded(c *groupClaim) {
	k.do(func() {
		c.cancel()
		delete(k.claims, c.at)
		switch {
		case c.revoked:
			k.given = append(k.given, c.offsets)
		case !k.over:
			k.s.end(ErrSessionConsumeClaimExited)
		}
	})
}

// leaveBehind takes the member out of the group while handlers are still
// running: what they mark from then on has no effect.
func (k *groupKeeper) leaveBehind(why error) {
	if k.leaving || isClosed(k.idle) {
		return
	}
	who := k.place.who
	Logger.Printf("consumergroup/session/%s/%d leaving the group, as ConsumeClaim has not returned for %v: %v\n",
		who.memberID, who.generation, k.s.runningClaims(), why)
	k.gone, k.leaving, k.leaveAs = true, true, why
	if k.busy != nil {
		k.busy()
	}
}

// leave stores what is marked, unless that is up to the user, and leaves. The
// lane ends with it: Close does not wait for the handlers to return.
func (k *groupKeeper) leave() {
	why := k.leaveAs
	k.leaveAs = nil
	k.onLane(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, closePatience(k.g.conf))
		defer cancel()
		k.s.offsets.close(ctx)
		defer k.g.member.lane.close()
		return k.g.leave(ctx, why)
	}, func(err error) {
		if err != nil {
			k.g.report("", -1, err)
		}
		close(k.left)
	})
}

// stop ends run. Until ctx ends it waits for what is under way.
func (k *groupKeeper) stop(ctx context.Context) {
	k.do(func() {
		if k.stopping = true; k.joining {
			k.busy()
		}
	})
	select {
	case <-k.ended:
	case <-ctx.Done():
		k.endLife()
		<-k.ended
	}
}
