package sarama

import (
	"math"
	"testing"
)

func TestFetchSessionStates(t *testing.T) {
	versions := new(versionRanges)
	versions[keyFetch].known, versions[keyFetch].max = true, 18
	knows, silent := &link{versions: versions}, &link{}
	c := &cursor{pc: &partitionConsumer{topic: "t", partition: 3}}
	c.setTopicID(Uuid{1})
	at := func(offset int64) fetchPartition { return fetchPartition{id: 3, fetchOffset: offset} }
	var s fetchSession
	state := func(where string, id, epoch int32) {
		t.Helper()
		if s.id != id || s.epoch != epoch {
			t.Fatalf("%s: session %d, epoch %d, want %d, %d", where, s.id, s.epoch, id, epoch)
		}
	}
	named := func(where string, offset int64, want bool) {
		t.Helper()
		if s.enter(c, at(offset)) != want {
			t.Fatalf("%s: named: %v", where, !want)
		}
	}
	s.begin(knows, 6)
	state("a version without sessions", 0, sessionNone)
	s.begin(silent, 12)
	state("versions not known", 0, sessionNone)
	named("without session", 5, true)
	named("without session, again", 5, true)
	s.begin(knows, 12)
	state("another connection", 0, sessionAsked)
	named("the first request", 5, true)
	s.answered(&fetchResponse{sessionID: 77})
	state("made", 77, 1)
	s.begin(knows, 12)
	named("unchanged", 5, false)
	named("moved on", 6, true)
	s.answered(&fetchResponse{sessionID: 77})
	state("gone on", 77, 2)
	s.leave(c)
	s.leave(c)
	if len(s.forgotten) != 1 || s.forgotten[0] != (forgottenPartition{"t", 3}) {
		t.Fatalf("forgotten: %v", s.forgotten)
	}
	named("back again", 6, true)
	if len(s.forgotten) != 0 {
		t.Fatalf("forgotten although wanted: %v", s.forgotten)
	}
	s.begin(knows, 13)
	state("names instead of ids", 77, sessionAsked)
	named("by id", 6, true)
	s.answered(&fetchResponse{sessionID: 78})
	s.leave(c)
	if len(s.forgotten) != 1 || s.forgotten[0].topic != c.idText {
		t.Fatalf("forgotten: %v", s.forgotten)
	}
	s.epoch = math.MaxInt32
	s.answered(&fetchResponse{sessionID: 78})
	state("after the largest epoch", 78, 1)
	if len(s.forgotten) != 0 {
		t.Fatalf("forgotten again: %v", s.forgotten)
	}
	for _, tc := range []struct {
		err  KError
		id   int32
		lost bool
	}{
		{ErrFetchSessionIDNotFound, 0, true}, {ErrInvalidFetchSessionEpoch, 78, true}, {ErrFetchSessionTopicIDError, 78, true},
		{ErrInconsistentTopicID, 78, true}, {ErrUnknown, 78, false},
	} {
		s.id, s.epoch = 78, 9
		s.enter(c, at(7))
		named("before "+tc.err.Error(), 7, false)
		if s.answered(&fetchResponse{err: tc.err}) == tc.lost {
			t.Fatalf("%v: lost: %v", tc.err, !tc.lost)
		}
		state(tc.err.Error(), tc.id, sessionAsked)
		if !s.answered(&fetchResponse{err: tc.err}) { // to the full fetch that follows
			t.Fatalf("%v: a full fetch lost its session", tc.err)
		}
		named("after "+tc.err.Error(), 7, true)
	}
	s.id, s.epoch = 78, 9
	s.answered(&fetchResponse{sessionID: 0})
	state("ended by the broker", 0, sessionAsked)
	s.answered(&fetchResponse{sessionID: 0})
	state("refused", 0, sessionNone)
	s.restart()
	state("refused for this connection", 0, sessionNone)
	s.begin(&link{versions: versions}, 13)
	state("but not for the next", 0, sessionAsked)
}
