package sarama

import "time"

// hintsTaken tells the owner that the snapshot has what a broker said of new
// leaders (KIP-951).
type hintsTaken struct {
	from  *sender
	parts []*producerPartition
}

// movedCode tells the answers that may come with the leader's name.
func movedCode(err error) bool { return err == ErrNotLeaderForPartition || err == ErrFencedLeaderEpoch }

// takeHints passes on what the answer to a request says of new leaders.
func (o *owner) takeHints(call *produceCall) {
	var hints []leaderHint
	var parts []*producerPartition
	for i := range call.results {
		at := call.results[i].leader
		if at == nil || at.LeaderID < 0 || !movedCode(call.results[i].err) {
			continue
		}
		p := call.parts[i]
		hints = append(hints, hintOf(p.topic.name, p.id, at.LeaderID, at.LeaderEpoch, call.resp.endpoints))
		parts = append(parts, p)
	}
	if len(hints) > 0 {
		from := call.sender
		o.p.lookUp(func() {
			o.p.source.hint(hints)
			o.mail.send(hintsTaken{from, parts})
		})
	}
}

// hintsTaken lets partitions that wait for their backoff go on at once, where
// the leader is now another broker than the one that has refused them.
func (o *owner) hintsTaken(l hintsTaken) {
	now := o.p.source.snapshot()
	for _, p := range l.parts {
		leader, _, err := now.leader(p.topic.name, p.id)
		if err != nil || leader.id == l.from.lane.broker.id {
			continue
		}
		switch q := &p.queue; q.state {
		case partFailing:
			q.moved = true
		case partBackoff:
			q.state, q.at = partIdle, time.Time{}
			o.ready(p)
		}
	}
}
