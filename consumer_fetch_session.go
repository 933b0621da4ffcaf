package sarama

import (
	"math"
	"time"
)

// The epochs with which a fetch names all of its partitions (KIP-227).
const (
	sessionAsked = 0  // and asks for a session
	sessionNone  = -1 // and wants none
)

// First versions of Fetch with which something of the consumer's works another
// way.
const (
	fetchHasSessions  = 7
	fetchChecksEpochs = 12 // by the epoch of the last record that was fetched (KIP-320)
	fetchNamesIDs     = 13 // of topics (KIP-516)
)

// fetchSession is what the broker remembers of a fetcher's requests, on one
// connection (KIP-227): a request names only what is new or has changed, and
// what is no longer wanted; a reply, only what there is news of.
//
// Partitions that are not to be fetched for the moment (paused, without room,
// halted) are taken out: that costs some bytes in two requests, of which the
// second has to name the partition anyway, as it is elsewhere by then. Left in,
// they would be sent records that nobody can take.
//
// A session is asked for where the broker has said that it knows them, with
// the first request of a connection. A broker that answers with session 0 is
// not asked again on that connection.
type fetchSession struct {
	link      *link
	id        int32 // 0 for none
	epoch     int32 // of the next request
	byID      bool  // topics are named by their ids
	serial    int   // of the session: cursors that are in it have it, too
	forgotten []forgottenPartition
}

// sentPartition is what a session has of a cursor.
type sentPartition struct {
	serial int // 0 for no session
	fetchPartition
}

// forgottenPartition is one that has left a session since the last request.
type forgottenPartition struct {
	topic     string // as the session names it
	partition int32
}

// begin prepares for a request on a connection.
func (s *fetchSession) begin(k *link, version int16) {
	if s.link != k {
		*s = fetchSession{link: k, epoch: sessionNone, serial: s.serial + 1}
		if version >= fetchHasSessions && k.says(apiFetch) {
			s.epoch = sessionAsked
		}
	}
	byID := version >= fetchNamesIDs
	if byID != s.byID && s.incremental() {
		s.restart()
	}
	s.byID = byID
}

// incremental says whether the next request names only what has changed.
func (s *fetchSession) incremental() bool { return s.epoch > 0 }

// restart has the next request name all partitions, and put a session with
// them in the place of the present one.
func (s *fetchSession) restart() {
	if s.epoch != sessionNone {
		s.epoch = sessionAsked
	}
	s.serial++
	s.forgotten = s.forgotten[:0]
}

// leave takes a cursor out of the session.
func (s *fetchSession) leave(c *cursor) {
	if s.incremental() && c.sent.serial == s.serial {
		s.forgotten = append(s.forgotten, forgottenPartition{c.wireTopic(s.byID), c.pc.partition})
	}
	c.sent.serial = 0
}

// enter puts a cursor into the session. It returns whether the request has to
// name it.
func (s *fetchSession) enter(c *cursor, p fetchPartition) bool {
	if s.incremental() && c.sent.serial == s.serial && c.sent.fetchPartition == p {
		return false
	}
	if c.sent.serial != s.serial {
		for i, f := range s.forgotten {
			if f.partition == p.id && f.topic == c.wireTopic(s.byID) {
				s.forgotten = append(s.forgotten[:i], s.forgotten[i+1:]...)
				break
			}
		}
	}
	c.sent = sentPartition{s.serial, p}
	return true
}

// answered takes the answer to a request. It returns false when the broker has
// no such session: then everything has to be asked for again, all partitions by
// name.
func (s *fetchSession) answered(resp *fetchResponse) bool {
	s.forgotten = s.forgotten[:0]
	if s.incremental() {
		switch resp.err {
		case ErrFetchSessionIDNotFound:
			s.id = 0
			s.restart()
			return false
		case ErrInvalidFetchSessionEpoch, ErrFetchSessionTopicIDError, ErrInconsistentTopicID:
			s.restart() // which ends what the broker has under this id
			return false
		}
	}
	switch {
	case resp.err != ErrNoError:
		s.restart()
	case s.epoch == sessionNone:
	case s.epoch == sessionAsked && resp.sessionID == 0:
		s.id, s.epoch = 0, sessionNone
	case s.epoch == sessionAsked:
		s.id, s.epoch = resp.sessionID, 1
	case resp.sessionID != s.id: // it is over
		s.id = 0
		s.restart()
	case s.epoch == math.MaxInt32:
		s.epoch = 1
	default:
		s.epoch++
	}
	return true
}

// fetchRequestBuilder makes requests one after another in the same memory.
type fetchRequestBuilder struct {
	FetchRequest
	flat   []fetchPartition // of all topics
	starts []int            // where in flat each topic's begin
}

func (b *fetchRequestBuilder) begin(conf *Config, version int16, rack string, s *fetchSession) {
	b.FetchRequest = FetchRequest{
		Version: version, MinBytes: conf.Consumer.Fetch.Min, MaxBytes: conf.Consumer.Fetch.MaxBytes,
		Isolation: conf.Consumer.IsolationLevel, SessionID: s.id, SessionEpoch: s.epoch, RackID: rack,
		topics: b.topics[:0], forgotten: b.forgotten[:0],
	}
	b.flat, b.starts = b.flat[:0], b.starts[:0]
}

// add names a partition.
func (b *fetchRequestBuilder) add(topic string, p fetchPartition) {
	if n := len(b.topics); n == 0 || b.topics[n-1].name != topic {
		b.topics = append(b.topics, fetchTopic{name: topic})
		b.starts = append(b.starts, len(b.flat))
	}
	b.flat = append(b.flat, p)
}

// forget names the partitions that have left the session.
func (b *fetchRequestBuilder) forget(list []forgottenPartition) {
	for _, f := range list {
		if n := len(b.forgotten); n == 0 || b.forgotten[n-1].name != f.topic {
			b.forgotten = append(b.forgotten, forgottenTopic{name: f.topic})
		}
		t := &b.forgotten[len(b.forgotten)-1]
		t.partitions = append(t.partitions, f.partition)
	}
}

func (b *fetchRequestBuilder) end(wait time.Duration) {
	b.MaxWaitTime = int32(max(1, wait.Milliseconds()))
	for i := range b.topics {
		end := len(b.flat)
		if i+1 < len(b.starts) {
			end = b.starts[i+1]
		}
		b.topics[i].partitions = b.flat[b.starts[i]:end:end]
	}
}
