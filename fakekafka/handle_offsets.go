package fakekafka

import (
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
)

// Times that stand for something else in ListOffsets.
const (
	listLatest        = -1
	listEarliest      = -2
	listMaxTimestamp  = -3 // KIP-734
	listEarliestLocal = -4 // KIP-405
	listLatestTiered  = -5 // KIP-1005
	listPendingUpload = -6 // KIP-1023
)

// listNeeds is the first version with which such a time may be asked for.
func listNeeds(timestamp int64) int16 {
	switch timestamp {
	case listMaxTimestamp:
		return 7
	case listEarliestLocal:
		return 8
	case listLatestTiered:
		return 9
	case listPendingUpload:
		return 11
	}
	return 0
}

func (c *conn) listOffsets(r *Request) (any, error) {
	req := r.Body.(*sarama.OffsetRequest)
	resp := &sarama.OffsetResponse{Blocks: make(map[string]map[int32]*sarama.OffsetResponseBlock)}
	for _, want := range bridge.ListedPartitions(req) {
		if resp.Blocks[want.Topic] == nil {
			resp.Blocks[want.Topic] = make(map[int32]*sarama.OffsetResponseBlock)
		}
		block := &sarama.OffsetResponseBlock{Offsets: []int64{}, Offset: -1, Timestamp: -1, LeaderEpoch: -1}
		block.Err = c.listOffset(r, req, &want, block)
		resp.Blocks[want.Topic][want.Partition] = block
	}
	return resp, nil
}

func (c *conn) listOffset(r *Request, req *sarama.OffsetRequest, want *bridge.ListedPartition, block *sarama.OffsetResponseBlock) sarama.KError {
	p := c.cluster.catalog.Load().topic(want.Topic).partition(want.Partition)
	if err := r.errorFor(want.Topic, want.Partition); err != sarama.ErrNoError {
		return err
	}
	switch {
	case r.Version < listNeeds(want.Timestamp):
		return sarama.ErrUnsupportedVersion
	case p == nil:
		return sarama.ErrUnknownTopicOrPartition
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkLocked(c.broker.id, want.CurrentLeaderEpoch, true); err != sarama.ErrNoError {
		return err
	}
	if r.Version == 0 {
		block.Offsets = p.mu.log.before(want.Timestamp, int(max(want.MaxOffsets, 0)), time.Now())
		return sarama.ErrNoError
	}
	p.findLocked(want.Timestamp, req.IsolationLevel == sarama.ReadCommitted, block)
	return sarama.ErrNoError
}

// offsetForLeaderEpoch answers where leader epochs end (KIP-320).
func (c *conn) offsetForLeaderEpoch(r *Request) (any, error) {
	var list []bridge.EpochEnd
	for _, want := range bridge.EpochsWanted(r.Body) {
		end := bridge.EpochEnd{Topic: want.Topic, Partition: want.Partition, LeaderEpoch: -1, EndOffset: -1}
		end.Err = int16(c.epochEnd(r, &want, &end))
		list = append(list, end)
	}
	return bridge.EpochEnds(list), nil
}

func (c *conn) epochEnd(r *Request, want *bridge.EpochWanted, end *bridge.EpochEnd) sarama.KError {
	if err := r.errorFor(want.Topic, want.Partition); err != sarama.ErrNoError {
		return err
	}
	p := c.cluster.catalog.Load().topic(want.Topic).partition(want.Partition)
	if p == nil {
		return sarama.ErrUnknownTopicOrPartition
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkLocked(c.broker.id, want.CurrentLeaderEpoch, true); err != sarama.ErrNoError {
		return err
	}
	if want.LeaderEpoch <= p.mu.epoch { // of a later one nothing is known
		end.LeaderEpoch, end.EndOffset = p.mu.log.epochEnd(want.LeaderEpoch, p.mu.epoch)
	}
	return sarama.ErrNoError
}

// findLocked finds the offset of a time.
func (p *partition) findLocked(timestamp int64, stable bool, block *sarama.OffsetResponseBlock) {
	log := &p.mu.log
	end := p.highWatermarkLocked()
	if stable {
		end = p.lastStableOffsetLocked()
	}
	found := timestamped{-1, -1, -1}
	ok := true
	switch timestamp {
	case listLatest:
		found = timestamped{end, -1, p.mu.epoch}
	case listEarliest, listEarliestLocal, listPendingUpload:
		found = timestamped{log.start, -1, p.mu.epoch}
		if log.start < log.end {
			i, j := log.find(log.start)
			b := log.segments[i].batchAt(j)
			found.epoch = b.PartitionLeaderEpoch
		}
	case listLatestTiered: // nothing is tiered
	case listMaxTimestamp:
		found, ok = log.latest()
	default:
		found, ok = log.byTime(timestamp)
	}
	if ok && found.offset <= end {
		block.Offset, block.Timestamp, block.LeaderEpoch = found.offset, found.timestamp, found.epoch
	}
}
