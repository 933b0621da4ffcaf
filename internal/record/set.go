package record

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama/internal/compress"
)

// SetDepthMax bounds how deep a message set may be nested. Kafka writes one
// wrapper around a set; some old clients wrapped twice.
const SetDepthMax = 4

// Set is a run of messages of version 0 and 1, as it was received.
type Set struct {
	Raw        []byte
	LastOffset int64 // the greatest of the outermost messages' offsets
}

// NextSet splits off the messages of version 0 and 1 that raw begins with: whole
// ones, in all about mostBytes of them (0 or less: all), but at least one. What
// follows may be more of them, a batch, or the beginning of one. The error says
// why raw does not begin with such a message, as Next does; for a batch it is
// errBatch. A message with a negative offset is a set of its own, so that what
// is wrong with it shows in LastOffset.
func NextSet(raw []byte, mostBytes int) (s Set, rest []byte, err error) {
	rest = raw
	for len(rest) > 0 && (mostBytes <= 0 || len(raw)-len(rest) < mostBytes) {
		b, after, err := Next(rest)
		if errors.Is(err, ErrOldFormat) {
			first := len(rest) == len(raw)
			if b.BaseOffset < 0 && !first {
				break
			}
			if first || b.BaseOffset > s.LastOffset {
				s.LastOffset = b.BaseOffset
			}
			rest = after
			if b.BaseOffset < 0 {
				break
			}
			continue
		}
		if len(rest) < len(raw) {
			break
		}
		if err == nil {
			err = errBatch
		}
		return Set{}, nil, err
	}
	n := len(raw) - len(rest)
	s.Raw = raw[:n:n]
	return s, rest, nil
}

var errBatch = fmt.Errorf("%w: record batch in a message set", ErrCorrupt)

// Open starts reading the messages. Compressed ones are opened as they come,
// with those in them in their place; each of the outermost may hold at most
// limit bytes (0 or less: any number).
func (s *Set) Open(limit int) SetIterator {
	it := SetIterator{limit: limit}
	it.levels[0].rest = s.Raw
	return it
}

// SetIterator reads a set's messages one after the other. The zero value has
// none.
type SetIterator struct {
	levels [SetDepthMax + 1]setLevel
	depth  int // index of the level that is being read
	limit  int // of an outermost message, decompressed
	budget int // what is left of it
	err    error
}

// setLevel is what is left of one set, and what its wrapper says of it.
type setLevel struct {
	rest    []byte
	wrapped bool

	// where wrapped
	relative   bool // offsets are relative to base
	base       int64
	appendTime bool // the wrapper's time is that of the messages
	timestamp  int64
}

// Err returns what is wrong with the set once Next has returned false, nil if
// that was its end. It is an *Error that wraps ErrCorrupt or, when a compressed
// message holds too much, compress.ErrTooLarge.
func (it *SetIterator) Err() error { return it.err }

// Fail ends the iteration with an error of the caller's.
func (it *SetIterator) Fail(err error) {
	it.err = err
	it.stop()
}

// Pending is a lower bound, counted up to most, of how many messages are still to
// come. It is 0 only when none are.
func (it *SetIterator) Pending(most int) int {
	n := 0
	for i := 0; i <= it.depth && n < most; i++ {
		n += countMessages(it.levels[i].rest, most-n)
	}
	return n
}

// countMessages walks over at most so many messages of a set.
func countMessages(p []byte, most int) (n int) {
	for len(p) >= offMessageCRC && n < most {
		size := offMessageCRC + int64(be.Uint32(p[offLength:]))
		if size > int64(len(p)) {
			break
		}
		p = p[size:]
		n++
	}
	return n
}

// Next reads the next message into m: never a compressed one, but those in it,
// with the offsets that they have in the log. It returns false at the end of
// the set and when the set is corrupt, which Err tells apart.
func (it *SetIterator) Next(m *Message) bool {
	for {
		level := &it.levels[it.depth]
		if len(level.rest) == 0 {
			if it.depth == 0 {
				return false
			}
			*level = setLevel{}
			it.depth--
			continue
		}
		if !it.read(level, m) {
			return false
		}
		if m.Attributes.Codec() == compress.None {
			return true
		}
		if !it.descend(m) {
			return false
		}
	}
}

// read reads the next message of a level.
func (it *SetIterator) read(level *setLevel, m *Message) bool {
	b, rest, err := Next(level.rest)
	if !errors.Is(err, ErrOldFormat) {
		return it.fail(level, err)
	}
	if err := readMessage(b.Raw, m); err != nil {
		if level.relative {
			err.Offset += level.base
		}
		it.err = err
		return it.stop()
	}
	level.rest = rest
	if !level.wrapped {
		return true
	}
	if level.relative {
		m.Offset += level.base
	}
	m.BlockTimestampMs = level.timestamp
	if level.appendTime {
		m.TimestampMs = level.timestamp
	}
	return true
}

// fail ends the iteration because of what Next says of an entry.
func (it *SetIterator) fail(level *setLevel, err error) bool {
	offset := level.base
	if !level.wrapped && len(level.rest) >= 8 {
		offset = int64(be.Uint64(level.rest))
	}
	if err == nil {
		err = errBatch
	}
	it.err = &Error{Offset: offset, Why: err.Error(), Err: ErrCorrupt, message: true}
	return it.stop()
}

func (it *SetIterator) stop() bool {
	*it = SetIterator{err: it.err}
	return false
}

// descend opens the set in a compressed message.
func (it *SetIterator) descend(m *Message) bool {
	if it.depth == 0 {
		it.budget = max(it.limit, 0)
	}
	set, err := it.decompress(m)
	if err != nil {
		it.err = err
		return it.stop()
	}
	level := setLevel{rest: set, wrapped: true, base: m.Offset, timestamp: m.BlockTimestampMs}
	if m.Magic > 0 {
		last, err := lastOffset(m, set)
		if err != nil {
			it.err = err
			return it.stop()
		}
		level.relative, level.base = true, m.Offset-last
		level.appendTime = m.Attributes&LogAppendTime != 0
	}
	it.depth++
	it.levels[it.depth] = level
	return true
}

func (it *SetIterator) decompress(m *Message) ([]byte, error) {
	switch {
	case it.depth == SetDepthMax:
		return nil, m.corrupt("compressed messages nested deeper than %d", SetDepthMax)
	case it.limit > 0 && it.budget <= 0:
		return nil, &Error{Offset: m.Offset, Why: compress.ErrTooLarge.Error(), Err: compress.ErrTooLarge, message: true}
	}
	set, err := Decompress(m, it.budget)
	if err == nil && it.limit > 0 {
		it.budget -= len(set)
	}
	return set, err
}

// lastOffset is the offset, in a wrapper of version 1 relative, of the last
// message of a set.
func lastOffset(m *Message, set []byte) (last int64, err error) {
	for rest := set; len(rest) > 0; {
		var b Batch
		if b, rest, err = Next(rest); !errors.Is(err, ErrOldFormat) {
			if err == nil {
				err = errBatch
			}
			return 0, m.corrupt("messages in it: %v", err)
		}
		last = b.BaseOffset
	}
	return last, nil
}
