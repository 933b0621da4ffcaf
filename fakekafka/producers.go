package fakekafka

import (
	"math"
	"slices"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/record"
)

// batchesRemembered is how many of a producer's last batches a partition can
// tell to be duplicates: as many as may be in flight.
const batchesRemembered = 5

// producerState is what a partition knows of one producer id.
type producerState struct {
	epoch   int16
	batches []appended // at most batchesRemembered, oldest first
	// lastTimestampMs is that of the last batch, marked says that a marker was
	// written.
	lastTimestampMs int64
	marked          bool
}

// appended is a batch in the log.
type appended struct {
	firstSequence, lastSequence int32
	baseOffset                  int64
	logAppendTime               int64 // -1 where records keep their own
}

// truncate forgets the batches from an offset on.
func (s *producerState) truncate(end int64) {
	s.batches = slices.DeleteFunc(s.batches, func(b appended) bool { return b.baseOffset >= end })
}

// sequenceAfter is the sequence number n after first. After the largest comes 0.
func sequenceAfter(first, n int32) int32 {
	if first > math.MaxInt32-n {
		return n - (math.MaxInt32 - first) - 1
	}
	return first + n
}

// check says whether a batch of an idempotent producer may be appended, is one
// that was appended before (duplicate), or is refused. The state is nil for a
// producer that the partition does not know.
//
// The rules are Kafka's: an older epoch is INVALID_PRODUCER_EPOCH; a newer one
// has to start at sequence 0, else OUT_OF_ORDER_SEQUENCE_NUMBER; within an epoch
// the sequence has to follow on, unless the range is exactly that of one of the
// last five batches. A producer that the partition does not know may start
// anywhere, since its state may be gone with its records (KIP-360); before Kafka
// 2.5, refuseUnknown, it had to start at 0, else UNKNOWN_PRODUCER_ID.
func (s *producerState) check(b *record.Batch, refuseUnknown bool) (duplicate *appended, err sarama.KError) {
	last := sequenceAfter(b.BaseSequence, b.LastOffsetDelta)
	if s == nil {
		if refuseUnknown && b.BaseSequence != 0 {
			return nil, sarama.ErrUnknownProducerID
		}
		return nil, sarama.ErrNoError
	}
	switch {
	case b.ProducerEpoch < s.epoch:
		return nil, sarama.ErrInvalidProducerEpoch
	case b.ProducerEpoch > s.epoch:
		if b.BaseSequence != 0 {
			return nil, sarama.ErrOutOfOrderSequenceNumber
		}
		return nil, sarama.ErrNoError
	}
	for i := range s.batches {
		if a := &s.batches[i]; a.firstSequence == b.BaseSequence && a.lastSequence == last {
			return a, sarama.ErrNoError
		}
	}
	if n := len(s.batches); n > 0 && b.BaseSequence != sequenceAfter(s.batches[n-1].lastSequence, 1) {
		return nil, sarama.ErrOutOfOrderSequenceNumber
	}
	return nil, sarama.ErrNoError
}

// remember notes a batch that was appended; check has let it pass.
func (s *producerState) remember(b *record.Batch, baseOffset, logAppendTime int64) {
	if s.epoch != b.ProducerEpoch {
		s.epoch, s.batches = b.ProducerEpoch, s.batches[:0]
	}
	if s.lastTimestampMs = b.MaxTimestampMs; logAppendTime >= 0 {
		s.lastTimestampMs = logAppendTime
	}
	if len(s.batches) == batchesRemembered {
		s.batches = append(s.batches[:0], s.batches[1:]...)
	}
	s.batches = append(s.batches, appended{
		firstSequence: b.BaseSequence, lastSequence: sequenceAfter(b.BaseSequence, b.LastOffsetDelta),
		baseOffset: baseOffset, logAppendTime: logAppendTime,
	})
}
