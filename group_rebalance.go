package sarama

import (
	"context"
	"errors"
	"slices"
	"time"
)

// What the keeper does where the group rebalances cooperatively (KIP-429): the
// session goes on, claims that go to another member are revoked, and the member
// joins once more when they have ended, so that they can be handed on.

// rebalance does what is to be done of that.
func (k *groupKeeper) rebalance(now time.Time) {
	revoked := 0
	for _, c := range k.claims {
		if c.revoked {
			revoked++
		}
	}
	switch {
	case revoked > 0:
		if !k.gone && !k.deadline.IsZero() && !now.Before(k.deadline) {
			k.s.fail(ErrRebalanceTimedOut)
			k.leaveBehind(ErrRebalanceTimedOut)
		}
		return
	case len(k.given) > 0 && !k.handling:
		k.giveUp()
	}
	k.deadline = time.Time{}
	if k.place.newer != nil {
		k.reconcile(now)
		return
	}
	if k.rejoinAs != nil && k.began && !k.gone && !k.handling && len(k.given) == 0 && k.busy == nil {
		k.joinAnew()
	}
}

// joinAnew joins the next generation.
func (k *groupKeeper) joinAnew() {
	k.g.member.reason, k.rejoinAs, k.joining = k.rejoinAs, nil, true
	k.s.offsets.joining.Store(true)
	owned := &joined{who: k.place.who, claims: make(map[string][]int32)}
	for at := range k.claims {
		owned.claims[at.topic] = append(owned.claims[at.topic], at.partition)
	}
	var j *joined
	k.onLane(func(ctx context.Context) (err error) {
		j, err = k.g.join(ctx, k.s.sub.topics, owned)
		return err
	}, func(err error) { k.joinedAnew(j, err) })
}

// joinedAnew takes up the member's place in the next generation.
func (k *groupKeeper) joinedAnew(j *joined, err error) {
	k.joining = false
	if err == nil {
		k.s.offsets.identity.Store(j.who)
	}
	k.s.offsets.joining.Store(false)
	now := time.Now()
	if err != nil {
		if k.over { // it was given up, and the coordinator has waited for it as well
			k.answered = now
		} else {
			k.gone = isOneOf(err, ErrUnknownMemberId, ErrIllegalGeneration, ErrFencedInstancedId)
			k.s.fail(err)
		}
		return
	}
	k.place, k.answered, k.beatAt = j, now, now.Add(k.g.conf.Consumer.Group.Heartbeat.Interval)
	if k.over {
		return
	}
	kept, added := make(map[topicPartition]bool), make(map[string][]int32)
	for _, at := range partitionsOf(j.claims) {
		if kept[at] = true; k.claims[at] == nil {
			added[at.topic] = append(added[at.topic], at.partition)
		}
	}
	for at, c := range k.claims {
		if !kept[at] {
			k.revoke(c, now)
			k.rejoinAs = errGaveUp
		}
	}
	Logger.Printf("consumergroup/session/%s/%d goes on with %v, %v of them new\n", j.who.memberID, j.who.generation, j.claims, added)
	k.publish()
	if len(added) > 0 {
		k.takeOver(added)
	}
}

// revoke has a claim end.
func (k *groupKeeper) revoke(c *groupClaim, now time.Time) {
	c.revoked = true
	c.cancel()
	k.deadline = now.Add(k.g.conf.Consumer.Group.Rebalance.Timeout)
}

// errGaveUp is the reason to join that the coordinator is told.
var errGaveUp = errors.New("the member has given up partitions")

// takeOver finds out where new claims begin, and starts them.
func (k *groupKeeper) takeOver(added map[string][]int32) {
	k.handling = true
	go withRecover(func() {
		found, err := map[topicPartition]storedOffset(nil), errCallPanicked
		defer func() {
			k.do(func() {
				k.handling = false
				switch {
				case k.over:
				case err != nil:
					k.s.fail(err)
				default:
					k.take(found)
					k.start()
				}
			})
		}()
		found, err = k.s.fetchOffsets(k.s.ctx, added)
	})
}

// giveUp stores what is marked of claims that were revoked and have ended.
func (k *groupKeeper) giveUp() {
	given := k.given
	k.handling = true
	k.publish()
	go withRecover(func() {
		defer k.do(func() {
			k.handling, k.given = false, slices.DeleteFunc(k.given, func(p *partitionOffsetManager) bool { return slices.Contains(given, p) })
		})
		for _, p := range given {
			p.AsyncClose()
		}
		for _, p := range given {
			_ = p.Close()
		}
	})
}
