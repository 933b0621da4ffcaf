package fakekafka

import (
	"encoding/binary"
	"hash/crc32"
	"sort"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama/internal/record"
)

// Where the fields that a broker writes are in a batch (KIP-98).
const (
	batchLeaderEpochAt  = 12
	batchCRCAt          = 17
	batchAttributesAt   = 21
	batchMaxTimestampAt = 35
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Segments grow fourfold from the first to the largest.
const (
	segmentMinBytes = 16 << 10
	segmentMaxBytes = 4 << 20
)

// segment is a run of batches in one piece of memory. Bytes that were written
// do not change while anybody reads, so that what was read stays valid without
// the lock.
type segment struct {
	readers      atomic.Int32 // who still use what they have read; rises under the partition's lock alone
	base         int64        // offset of the first record
	data         []byte       // never grows beyond its first capacity
	index        []indexEntry
	maxTimestamp int64
	modified     time.Time
}

// indexEntry is one batch of a segment.
type indexEntry struct {
	base         int64
	maxTimestamp int64
	at           int
}

// epochStart says from which offset on a leader epoch wrote.
type epochStart struct {
	epoch int32
	start int64
}

// recordLog is the log of a partition, guarded by the partition's lock.
type recordLog struct {
	segments       []*segment // without gaps; none when the log is empty
	start, end     int64
	size           int64 // bytes in segments
	epochs         []epochStart
	retentionBytes int64  // 0: keep all
	spare          []byte // memory of a dropped segment that nobody reads any more
}

// append copies a batch of count records to the end of the log and returns the
// offset it got. logAppendTime, unless it is negative, becomes the time of all
// its records.
func (l *recordLog) append(batch []byte, count int64, maxTimestamp int64, epoch int32, logAppendTime int64, now time.Time) int64 {
	s := l.active(len(batch))
	at := len(s.data)
	s.data = append(s.data, batch...)
	stored := s.data[at:]
	base := l.end
	binary.BigEndian.PutUint64(stored, uint64(base))
	binary.BigEndian.PutUint32(stored[batchLeaderEpochAt:], uint32(epoch))
	if logAppendTime >= 0 {
		maxTimestamp = logAppendTime
		attributes := binary.BigEndian.Uint16(stored[batchAttributesAt:]) | uint16(record.LogAppendTime)
		binary.BigEndian.PutUint16(stored[batchAttributesAt:], attributes)
		binary.BigEndian.PutUint64(stored[batchMaxTimestampAt:], uint64(maxTimestamp))
		binary.BigEndian.PutUint32(stored[batchCRCAt:], crc32.Checksum(stored[batchAttributesAt:], castagnoli))
	}
	s.index = append(s.index, indexEntry{base: base, maxTimestamp: maxTimestamp, at: at})
	s.maxTimestamp, s.modified = max(s.maxTimestamp, maxTimestamp), now
	if n := len(l.epochs); n == 0 || l.epochs[n-1].epoch < epoch {
		l.epochs = append(l.epochs, epochStart{epoch, base})
	}
	l.end += count
	l.size += int64(len(batch))
	l.retain()
	return base
}

// active returns the segment that has room for n more bytes.
func (l *recordLog) active(n int) *segment {
	capacity := segmentMinBytes
	if len(l.segments) > 0 {
		last := l.segments[len(l.segments)-1]
		if cap(last.data)-len(last.data) >= n {
			return last
		}
		capacity = min(4*cap(last.data), segmentMaxBytes)
	}
	if l.retentionBytes > 0 {
		capacity = int(min(int64(capacity), max(l.retentionBytes/4, 1<<10)))
	}
	s := &segment{base: l.end, data: l.memory(max(capacity, n)), maxTimestamp: -1}
	l.segments = append(l.segments, s)
	return s
}

// memory returns room for n bytes, at most twice as much.
func (l *recordLog) memory(n int) []byte {
	if p := l.spare; cap(p) >= n && cap(p) <= 2*n {
		l.spare = nil
		return p[:0]
	}
	return make([]byte, 0, n)
}

// retain drops the oldest segments while what is left is large enough.
func (l *recordLog) retain() {
	for l.retentionBytes > 0 && len(l.segments) > 1 && l.size-int64(len(l.segments[0].data)) >= l.retentionBytes {
		l.trim(l.segments[1].base)
	}
}

// trim moves the start of the log forward and frees the segments before it.
func (l *recordLog) trim(start int64) {
	l.start = max(l.start, start)
	for len(l.segments) > 0 {
		next := l.end
		if len(l.segments) > 1 {
			next = l.segments[1].base
		}
		if next > l.start {
			break
		}
		dropped := l.segments[0]
		l.segments[0] = nil
		l.segments = l.segments[1:]
		if l.size -= int64(len(dropped.data)); l.retentionBytes > 0 && dropped.readers.Load() == 0 {
			l.spare = dropped.data // fresh memory costs more than all else about an append
		}
	}
}

// truncate drops all batches that have a record at an offset or behind it. What
// was read of them stays valid: their memory is not written to again.
func (l *recordLog) truncate(end int64) {
	for n := len(l.segments); n > 0 && l.end > end; n = len(l.segments) {
		s := l.segments[n-1]
		kept := sort.Search(len(s.index), func(i int) bool {
			last := l.end
			if i+1 < len(s.index) {
				last = s.index[i+1].base
			}
			return last > end
		})
		if kept == len(s.index) {
			break
		}
		at := s.index[kept].at
		l.end = max(l.start, s.index[kept].base)
		l.size -= int64(len(s.data) - at)
		s.data, s.index, s.maxTimestamp = s.data[:at:at], s.index[:kept:kept], -1
		for _, e := range s.index {
			s.maxTimestamp = max(s.maxTimestamp, e.maxTimestamp)
		}
		if kept == 0 {
			l.segments = l.segments[:n-1]
		}
	}
	for n := len(l.epochs); n > 0 && l.epochs[n-1].start >= l.end; n-- {
		l.epochs = l.epochs[:n-1]
	}
}

// find returns the segment with an offset that is in the log, and the index of
// its batch there.
func (l *recordLog) find(offset int64) (segmentAt, entryAt int) {
	segmentAt = sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base > offset }) - 1
	index := l.segments[segmentAt].index
	entryAt = sort.Search(len(index), func(i int) bool { return index[i].base > offset }) - 1
	return segmentAt, entryAt
}

// read returns what is stored from the batch with offset on, up to the record
// at limit: at most maxBytes, where the last batch may be cut; but a first batch
// that is larger comes whole if atLeastOne, and else not at all. What is read
// ends with its segment, which the caller becomes a reader of if there are any
// data; more says that there is a further one.
func (l *recordLog) read(offset, limit int64, maxBytes int, atLeastOne bool) (data []byte, from *segment, more bool) {
	if offset >= min(limit, l.end) {
		return nil, nil, false
	}
	i, j := l.find(offset)
	s := l.segments[i]
	data, more = l.readSegment(i, j, limit, maxBytes, atLeastOne)
	if len(data) > 0 {
		s.readers.Add(1)
	}
	return data, s, more
}

func (l *recordLog) readSegment(i, j int, limit int64, maxBytes int, atLeastOne bool) (data []byte, more bool) {
	s := l.segments[i]
	from, to := s.index[j].at, len(s.data)
	if limit < l.end {
		past := sort.Search(len(s.index), func(i int) bool { return s.index[i].base >= limit })
		if past < len(s.index) {
			to = s.index[past].at
		}
	}
	first := len(s.data)
	if j+1 < len(s.index) {
		first = s.index[j+1].at
	}
	more = i+1 < len(l.segments) && to == len(s.data) && l.segments[i+1].base < limit
	switch {
	case first-from > maxBytes && !atLeastOne:
		return nil, more
	case first-from > maxBytes:
		to = first
	default:
		to = min(to, from+max(maxBytes, 0))
	}
	return s.data[from:to:to], more
}

// batchAt reads the header of a stored batch.
func (s *segment) batchAt(entry int) record.Batch {
	b, _, err := record.Next(s.data[s.index[entry].at:])
	if err != nil {
		panic("fakekafka: stored batch: " + err.Error()) // it was checked when it was appended
	}
	return b
}

// byTime finds the first record from the start of the log on that is of a time
// or later.
func (l *recordLog) byTime(timestamp int64) (found timestamped, ok bool) {
	for _, s := range l.segments {
		if s.maxTimestamp < timestamp {
			continue
		}
		for i, e := range s.index {
			if e.maxTimestamp < timestamp {
				continue
			}
			b := s.batchAt(i)
			if found, ok = firstOf(&b, l.start, timestamp); ok {
				return found, true
			}
		}
	}
	return found, false
}

// latest finds the first of the records with the greatest time.
func (l *recordLog) latest() (found timestamped, ok bool) {
	greatest := int64(-1)
	for _, s := range l.segments {
		greatest = max(greatest, s.maxTimestamp)
	}
	if greatest < 0 {
		return found, false
	}
	return l.byTime(greatest)
}

// timestamped is a record's offset and time, and the leader epoch that wrote it.
type timestamped struct {
	offset, timestamp int64
	epoch             int32
}

// firstOf finds the first record of a batch that is of a time or later.
func firstOf(b *record.Batch, start, timestamp int64) (timestamped, bool) {
	it, err := b.Open(0)
	if err != nil {
		return timestamped{}, false
	}
	var r record.Rec
	for it.Next(&r) {
		offset := b.BaseOffset + int64(r.OffsetDelta)
		if t := b.TimestampMs(&r); t >= timestamp && offset >= start {
			return timestamped{offset, t, b.PartitionLeaderEpoch}, true
		}
	}
	return timestamped{}, false
}

// before is what ListOffsets version 0 answers: where segments start whose last
// change is not later than a time, the newest first.
func (l *recordLog) before(timestamp int64, count int, now time.Time) []int64 {
	type mark struct{ offset, at int64 }
	var marks []mark
	for _, s := range l.segments {
		marks = append(marks, mark{max(s.base, l.start), s.modified.UnixMilli()})
	}
	if len(marks) == 0 || l.end > marks[len(marks)-1].offset {
		marks = append(marks, mark{l.end, now.UnixMilli()})
	}
	last := -1
	switch timestamp {
	case listLatest:
		last = len(marks) - 1
	case listEarliest:
		last = 0
	default:
		for i, m := range marks {
			if m.at <= timestamp {
				last = i
			}
		}
	}
	offsets := []int64{}
	for i := last; i >= 0 && len(offsets) < count; i-- {
		offsets = append(offsets, marks[i].offset)
	}
	return offsets
}

// epochEnd returns the largest epoch that is not above the one asked for, and
// the offset at which it ended (KIP-320); -1, -1 where there is none.
func (l *recordLog) epochEnd(epoch, current int32) (int32, int64) {
	if epoch == current {
		return epoch, l.end
	}
	i := sort.Search(len(l.epochs), func(i int) bool { return l.epochs[i].epoch > epoch }) - 1
	switch {
	case i < 0:
		return -1, -1
	case i+1 < len(l.epochs):
		return l.epochs[i].epoch, l.epochs[i+1].start
	}
	return l.epochs[i].epoch, l.end
}
