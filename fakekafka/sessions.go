package fakekafka

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
)

// sessionEvictionAge is how long a session may be unused before a new one may
// take its place.
const sessionEvictionAge = 2 * time.Minute

// The epochs with which a fetch is a full one (KIP-227).
const (
	epochInitial = 0  // make a session
	epochFinal   = -1 // without a session, or the end of one
)

// sessions are the fetch sessions of one broker.
type sessions struct {
	max int // constant; no more than 0: none

	mu struct {
		sync.Mutex
		byID map[int32]*session
	}
}

// session is what a client fetches without naming it again. Its fields are
// guarded by the lock of its sessions.
type session struct {
	owner *sessions

	id         int32 // 0: not kept
	epoch      int32 // that the next request has to have
	full       bool  // the request in hand names all partitions, so that the response has to as well
	byID       bool  // topics are named by their ids
	lastUsed   time.Time
	partitions []*sessionPartition
	index      map[TopicPartition]*sessionPartition
}

// sessionPartition is a partition of a session, and what was last said of it.
type sessionPartition struct {
	want          bridge.FetchPartition
	highWatermark int64
	logStart      int64
}

func newSessions(most int) *sessions {
	s := &sessions{max: most}
	s.mu.byID = make(map[int32]*session)
	return s
}

func nextEpoch(epoch int32) int32 {
	if epoch == math.MaxInt32 {
		return 1
	}
	return epoch + 1
}

// begin finds or makes the session of a request, and returns what it is to
// fetch. A nil session stands for none.
func (s *sessions) begin(r *Request, req *sarama.FetchRequest) (*session, []bridge.FetchPartition, sarama.KError) {
	fetch, forget := bridge.FetchPartitions(req)
	byID := r.Version >= fetchByID
	if r.Version < 7 {
		return nil, fetch, sarama.ErrNoError
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.SessionEpoch == epochInitial || req.SessionEpoch == epochFinal {
		delete(s.mu.byID, req.SessionID)
		if req.SessionEpoch == epochFinal {
			return nil, fetch, sarama.ErrNoError
		}
		return s.makeLocked(fetch, byID), fetch, sarama.ErrNoError
	}
	own := s.mu.byID[req.SessionID]
	switch {
	case own == nil:
		return nil, nil, sarama.ErrFetchSessionIDNotFound
	case own.byID != byID:
		return nil, nil, sarama.ErrFetchSessionTopicIDError
	case own.epoch != req.SessionEpoch:
		return nil, nil, sarama.ErrInvalidFetchSessionEpoch
	}
	own.updateLocked(fetch, forget)
	if len(own.partitions) == 0 {
		delete(s.mu.byID, own.id) // what nothing is left of ends
		return nil, nil, sarama.ErrNoError
	}
	own.epoch, own.lastUsed, own.full = nextEpoch(own.epoch), time.Now(), false
	want := make([]bridge.FetchPartition, len(own.partitions))
	for i, p := range own.partitions {
		want[i] = p.want
	}
	return own, want, sarama.ErrNoError
}

// makeLocked makes a session, if there is room for it.
func (s *sessions) makeLocked(fetch []bridge.FetchPartition, byID bool) *session {
	if len(fetch) == 0 || !s.roomLocked() {
		return nil
	}
	own := &session{owner: s, epoch: 1, full: true, byID: byID, lastUsed: time.Now(), index: make(map[TopicPartition]*sessionPartition)}
	for own.id == 0 || s.mu.byID[own.id] != nil {
		own.id = rand.Int32()
	}
	own.updateLocked(fetch, nil)
	s.mu.byID[own.id] = own
	return own
}

// roomLocked makes room for a session, at the cost of the one unused for
// longest if that is long enough.
func (s *sessions) roomLocked() bool {
	if s.max <= 0 {
		return false
	}
	if len(s.mu.byID) < s.max {
		return true
	}
	var oldest *session
	for _, o := range s.mu.byID {
		if oldest == nil || o.lastUsed.Before(oldest.lastUsed) {
			oldest = o
		}
	}
	if time.Since(oldest.lastUsed) <= sessionEvictionAge {
		return false
	}
	delete(s.mu.byID, oldest.id)
	return true
}

// has reports whether a session has a partition, or, as -1, any of a topic. at
// names the topic; name gives the name of a topic as a session has it.
func (s *sessions) has(id int32, at TopicPartition, name func(topic string, byID bool) string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.mu.byID[id]
	if own == nil {
		return false
	}
	for _, p := range own.partitions {
		if (at.Partition == -1 || at.Partition == p.want.Partition) && name(p.want.Topic, own.byID) == at.Topic {
			return true
		}
	}
	return false
}

// clear ends all sessions.
func (s *sessions) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.mu.byID)
}

// updateLocked takes in what a request names.
func (own *session) updateLocked(fetch []bridge.FetchPartition, forget []bridge.TopicPartition) {
	for _, want := range fetch {
		at := TopicPartition{want.Topic, want.Partition}
		if p := own.index[at]; p != nil {
			p.want = want
			continue
		}
		p := &sessionPartition{want: want, highWatermark: -1, logStart: -1}
		own.index[at] = p
		own.partitions = append(own.partitions, p)
	}
	if len(forget) == 0 {
		return
	}
	for _, f := range forget {
		delete(own.index, TopicPartition(f))
	}
	kept := make([]*sessionPartition, 0, len(own.index))
	for _, p := range own.partitions {
		if own.index[TopicPartition{p.want.Topic, p.want.Partition}] == p {
			kept = append(kept, p)
		}
	}
	own.partitions = kept
}

// finish takes from what was found what the response has to say: all of it in
// answer to a full fetch, and else what has records, an error or news. What had
// records goes to the end of the session, so that each has its turn.
func (own *session) finish(found []bridge.FetchedPartition) (id int32, say []bridge.FetchedPartition) {
	if own == nil {
		return 0, found
	}
	own.owner.mu.Lock()
	defer own.owner.mu.Unlock()
	say = found[:0:0]
	served := make(map[*sessionPartition]bool)
	for i := range found {
		f := &found[i]
		p := own.index[TopicPartition{f.Topic, f.Partition}]
		if p == nil || own.full || p.news(f) {
			say = append(say, *f)
		}
		if p == nil {
			continue
		}
		if p.highWatermark, p.logStart = f.HighWatermark, f.LogStartOffset; f.Err != 0 {
			p.highWatermark = -1 // so that the end of the error is news
		}
		if len(f.Records) > 0 {
			served[p] = true
		}
	}
	if len(served) > 0 && !own.full {
		order := make([]*sessionPartition, 0, len(own.partitions))
		for _, last := range []bool{false, true} {
			for _, p := range own.partitions {
				if served[p] == last {
					order = append(order, p)
				}
			}
		}
		own.partitions = order
	}
	return own.id, say
}

func (p *sessionPartition) news(f *bridge.FetchedPartition) bool {
	return len(f.Records) > 0 || f.Err != 0 || f.HasDiverging || f.PreferredReadReplica >= 0 ||
		f.HighWatermark != p.highWatermark || f.LogStartOffset != p.logStart
}
