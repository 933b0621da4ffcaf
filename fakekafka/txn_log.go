package fakekafka

import (
	"encoding/binary"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
	"github.com/IBM/sarama/internal/compress"
	"github.com/IBM/sarama/internal/record"
)

// What transactions leave in the log of a partition.

// abortedTxn is a transaction that was aborted.
type abortedTxn struct {
	producerID  int64
	first, last int64 // last is the offset of the marker
}

// marker is a control batch that ends a producer's transaction.
func marker(id int64, epoch int16, commit bool, now time.Time) []byte {
	key, value := make([]byte, 4), make([]byte, 6) // versions 0, and coordinator epoch 0
	if commit {
		binary.BigEndian.PutUint16(key[2:], 1)
	}
	var b record.Builder
	record.Append(&b, now.UnixMilli(), key, value, []record.NoHeader(nil))
	raw, err := b.Seal(compress.None, compress.LevelDefault, record.Transactional|record.Control)
	if err != nil {
		panic("fakekafka: marker: " + err.Error()) // it has a record
	}
	record.Stamp(raw, id, epoch, -1)
	return raw
}

// endTransaction writes a marker, and makes known what was aborted.
func (p *partition) endTransaction(id int64, epoch int16, commit bool) {
	now := time.Now()
	p.mu.Lock()
	if p.mu.deleted {
		p.mu.Unlock()
		return
	}
	offset := p.mu.log.append(marker(id, epoch, commit, now), 1, now.UnixMilli(), p.mu.epoch, -1, now)
	first, open := p.mu.open[id]
	delete(p.mu.open, id)
	if open && !commit {
		p.mu.aborted = append(p.mu.aborted, abortedTxn{id, first, offset})
	}
	s := p.mu.producers[id]
	if s == nil {
		if p.mu.producers == nil {
			p.mu.producers = make(map[int64]*producerState)
		}
		s = &producerState{epoch: epoch}
		p.mu.producers[id] = s
	} else if s.epoch < epoch {
		s.epoch, s.batches = epoch, s.batches[:0]
	}
	s.marked, s.lastTimestampMs = true, now.UnixMilli()
	waiters := p.mu.waiters
	p.mu.Unlock()
	wakeAll(waiters)
}

// lastStableOffsetLocked is the offset of the first record of a transaction
// that is still open, or the high watermark.
func (p *partition) lastStableOffsetLocked() int64 {
	stable := p.highWatermarkLocked()
	for _, first := range p.mu.open {
		stable = min(stable, first)
	}
	return stable
}

// abortedLocked lists the aborted transactions that have records in what was
// read from an offset on.
func (p *partition) abortedLocked(from int64, data []byte) []bridge.AbortedTransaction {
	list := []bridge.AbortedTransaction{}
	if len(p.mu.aborted) == 0 {
		return list
	}
	end := from
	for rest := data; len(rest) > 0; {
		b, after, err := record.Next(rest)
		if err != nil {
			break
		}
		rest, end = after, b.LastOffset()+1
	}
	for _, a := range p.mu.aborted {
		if a.last >= from && a.first < end {
			list = append(list, bridge.AbortedTransaction{ProducerID: a.producerID, FirstOffset: a.first})
		}
	}
	return list
}

// truncateTxnsLocked forgets the transactions that begin behind the end of the
// log.
func (p *partition) truncateTxnsLocked() {
	for id, first := range p.mu.open {
		if first >= p.mu.log.end {
			delete(p.mu.open, id)
		}
	}
	kept := p.mu.aborted[:0]
	for _, a := range p.mu.aborted {
		if a.last < p.mu.log.end {
			kept = append(kept, a)
		}
	}
	p.mu.aborted = kept
}

// verifiesFrom is the release from which on leaders ask the coordinator about
// a partition's first batch in a transaction (KIP-890), and abortableFrom the
// version of Produce that may be told to abort.
var verifiesFrom = sarama.V3_6_0_0

const abortableFrom = 11

// admitLocked says whether a batch of a transaction may be appended.
func (c *conn) admitLocked(r *Request, req *sarama.ProduceRequest, p *partition, b *record.Batch) outcome {
	if req.TransactionalID == nil {
		return failure(sarama.ErrTransactionalIDAuthorizationFailed, "")
	}
	if p.hasOpen(b.ProducerID, b.ProducerEpoch) || !c.cluster.opts.Version.IsAtLeast(verifiesFrom) {
		return outcome{}
	}
	if err := c.cluster.verifyLocked(r, *req.TransactionalID, b, p); err != sarama.ErrNoError {
		return failure(err, "producer %d, epoch %d", b.ProducerID, b.ProducerEpoch)
	}
	return outcome{}
}

// verifyLocked asks the coordinator about the first batch of a partition.
func (c *Cluster) verifyLocked(r *Request, name string, b *record.Batch, p *partition) sarama.KError {
	implicit := r.Version >= produceAdds
	if implicit && c.txns.level.Load() < 2 {
		return sarama.ErrInvalidTxnState
	}
	t, err := c.txnLocked(name, b.ProducerID, b.ProducerEpoch, sarama.ErrInvalidProducerEpoch)
	switch {
	case err == sarama.ErrConcurrentTransactions && !implicit:
		return sarama.ErrNotEnoughReplicas // to be tried again
	case err != sarama.ErrNoError:
		return err
	case !implicit:
		return t.verify(p, r.Version >= abortableFrom)
	}
	t.begin(c)
	t.partitions[p] = struct{}{}
	return sarama.ErrNoError
}

// hasOpen reports whether a producer has an open transaction in the partition.
func (p *partition) hasOpen(id int64, epoch int16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, open := p.mu.open[id]
	s := p.mu.producers[id]
	return open && s != nil && s.epoch == epoch
}

// noteLocked remembers where a producer's transaction begins.
func (p *partition) noteLocked(b *record.Batch, offset int64) {
	if !b.Transactional() {
		return
	}
	if _, open := p.mu.open[b.ProducerID]; !open {
		if p.mu.open == nil {
			p.mu.open = make(map[int64]int64)
		}
		p.mu.open[b.ProducerID] = offset
	}
}

// tellLevel puts the level of transaction.version into an answer (KIP-584).
func (x *transactions) tellLevel(resp *sarama.ApiVersionsResponse) {
	level := int16(x.level.Load())
	if level == 0 && !x.levels {
		return
	}
	resp.SupportedFeatures = []sarama.SupportedFeatureKey{{Name: transactionVersion, MaxVersion: transactionVersionMax}}
	if resp.FinalizedFeaturesEpoch = x.levelEpoch.Load(); level > 0 {
		resp.FinalizedFeatures = []sarama.FinalizedFeatureKey{{Name: transactionVersion, MaxVersionLevel: level, MinVersionLevel: level}}
	}
}

// transactionVersion is the feature whose level says what transactions are.
const (
	transactionVersion    = "transaction.version"
	transactionVersionMax = 2
)

// init makes what a cluster of a release begins with.
func (x *transactions) init(o *Options) {
	x.mu.byName = make(map[string]*transactionalID)
	x.levels = o.Version.IsAtLeast(sarama.V4_0_0_0)
	level := o.TransactionVersion
	if level == 0 && x.levels {
		level = 2
	}
	x.level.Store(int64(min(max(level, 0), transactionVersionMax)))
}
