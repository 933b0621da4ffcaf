package sarama

import (
	"math"
	"runtime"
	"sync/atomic"
)

// offsetPair is what is stored for a partition of a group.
type offsetPair struct {
	offset   int64
	metadata string
}

// offsetMarks is how far the user has come with a partition. It is written on
// the path of each message, so without a lock, and without an allocation as
// long as the metadata stay what they are.
type offsetMarks struct{ current atomic.Pointer[offsetMark] }

// offsetMark is an offset with the metadata that go with it.
type offsetMark struct {
	offset   atomic.Int64 // movingMark while another mark takes the place of this one
	metadata string
}

// movingMark is no offset: it lasts for the few instructions in which one mark
// takes the place of another.
const movingMark = math.MinInt64

func newOffsetMark(p offsetPair) *offsetMark {
	m := &offsetMark{metadata: p.metadata}
	m.offset.Store(p.offset)
	return m
}

func (o *offsetMarks) init(p offsetPair) { o.current.Store(newOffsetMark(p)) }

// load returns the mark in one piece.
func (o *offsetMarks) load() offsetPair {
	for {
		m := o.current.Load()
		if offset := m.offset.Load(); offset != movingMark {
			return offsetPair{offset, m.metadata}
		}
		runtime.Gosched()
	}
}

// forward moves the mark to a higher offset; it reports whether it did.
func (o *offsetMarks) forward(offset int64, metadata string) bool {
	return o.move(offsetPair{offset, metadata}, func(now int64) bool { return offset > now })
}

// back moves the mark to the same offset or a lower one.
func (o *offsetMarks) back(offset int64, metadata string) bool {
	return o.move(offsetPair{offset, metadata}, func(now int64) bool { return offset <= now })
}

func (o *offsetMarks) move(to offsetPair, may func(now int64) bool) bool {
	for {
		m := o.current.Load()
		now := m.offset.Load()
		switch {
		case now == movingMark:
			runtime.Gosched()
		case !may(now):
			return false
		case m.metadata == to.metadata:
			if m.offset.CompareAndSwap(now, to.offset) {
				return true
			}
		case m.offset.CompareAndSwap(now, movingMark):
			o.current.Store(newOffsetMark(to))
			return true
		}
	}
}
