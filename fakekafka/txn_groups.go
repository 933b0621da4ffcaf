package fakekafka

import (
	"sync"

	"github.com/IBM/sarama"
)

// TxnOffsetCommit commits offsets of a group as part of a transaction.
const TxnOffsetCommit API = 28

// groupOffsets are the offsets that groups have committed in transactions, and
// those of transactions that are still open.
type groupOffsets struct {
	mu struct {
		sync.Mutex
		pending   map[pendingOffsets]map[TopicPartition]int64
		committed map[string]map[TopicPartition]int64
	}
}

type pendingOffsets struct {
	group      string
	producerID int64
}

// txnOffsetCommit keeps offsets until the transaction has ended.
func (c *conn) txnOffsetCommit(r *Request) (any, error) {
	req := r.Body.(*sarama.TxnOffsetCommitRequest)
	code := r.reply.Err
	if code == sarama.ErrNoError && c.cluster.coordinator(sarama.CoordinatorGroup, req.GroupID) != c.broker {
		code = sarama.ErrNotCoordinatorForConsumer
	}
	if code == sarama.ErrNoError {
		code = c.cluster.admitTxnOffsets(r, req)
	}
	resp := &sarama.TxnOffsetCommitResponse{Topics: make(map[string][]*sarama.PartitionError)}
	at := make(map[TopicPartition]int64)
	for topic, list := range req.Topics {
		for _, p := range list {
			err := code
			if err == sarama.ErrNoError {
				err = r.errorFor(topic, p.Partition)
			}
			if err == sarama.ErrNoError {
				at[TopicPartition{topic, p.Partition}] = p.Offset
			}
			resp.Topics[topic] = append(resp.Topics[topic], &sarama.PartitionError{Partition: p.Partition, Err: err})
		}
	}
	c.cluster.groupOffsets.keep(pendingOffsets{req.GroupID, req.ProducerID}, at)
	return resp, nil
}

func (g *groupOffsets) keep(key pendingOffsets, at map[TopicPartition]int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.pending == nil {
		g.mu.pending = make(map[pendingOffsets]map[TopicPartition]int64)
		g.mu.committed = make(map[string]map[TopicPartition]int64)
	}
	if g.mu.pending[key] == nil {
		g.mu.pending[key] = make(map[TopicPartition]int64)
	}
	for tp, offset := range at {
		g.mu.pending[key][tp] = offset
	}
}

// endGroupTxn makes the offsets of a transaction the group's, or drops them.
func (c *Cluster) endGroupTxn(group string, producerID int64, commit bool) {
	g := &c.groupOffsets
	g.mu.Lock()
	defer g.mu.Unlock()
	key := pendingOffsets{group, producerID}
	if commit {
		if g.mu.committed[group] == nil && g.mu.committed != nil {
			g.mu.committed[group] = make(map[TopicPartition]int64)
		}
		for tp, offset := range g.mu.pending[key] {
			g.mu.committed[group][tp] = offset
		}
	}
	delete(g.mu.pending, key)
}

// TxnCommittedOffset is the offset that a group has committed for a partition
// in a transaction, -1 for none.
func (c *Cluster) TxnCommittedOffset(group, topic string, partition int32) int64 {
	g := &c.groupOffsets
	g.mu.Lock()
	defer g.mu.Unlock()
	if offset, ok := g.mu.committed[group][TopicPartition{topic, partition}]; ok {
		return offset
	}
	return -1
}
