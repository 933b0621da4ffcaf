package fakekafka

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"time"
	"unicode/utf16"

	"github.com/IBM/sarama"
)

// describeProducers tells which producers the leaders of partitions know
// (KIP-664).
func (c *conn) describeProducers(r *Request) (any, error) {
	req := r.Body.(*sarama.DescribeProducersRequest)
	resp := new(sarama.DescribeProducersResponse)
	for _, asked := range req.Topics {
		topic := sarama.DescribeProducersResponseTopic{Name: asked.Name}
		t := c.cluster.catalog.Load().topic(asked.Name)
		for _, id := range asked.PartitionIndexes {
			d := sarama.DescribeProducersResponsePartition{PartitionIndex: id}
			err := error(r.errorFor(asked.Name, id))
			switch p := t.partition(id); {
			case err != sarama.ErrNoError:
			case p != nil:
				d.ActiveProducers, err = p.activeProducers(c.broker.id)
			default:
				if err = checkTopicName(asked.Name); err == nil {
					err = sarama.ErrUnknownTopicOrPartition
				}
			}
			d.ErrorCode, d.ErrorMessage = codeAndReason(err)
			topic.Partitions = append(topic.Partitions, d)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp, nil
}

// activeProducers are those of the partition, as the leader that broker takes
// itself for knows them.
func (p *partition) activeProducers(broker int32) ([]sarama.ProducerState, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkLocked(broker, -1, true); err != sarama.ErrNoError {
		return nil, err
	}
	list := make([]sarama.ProducerState, 0, len(p.mu.producers))
	for _, id := range slices.Sorted(maps.Keys(p.mu.producers)) {
		s := p.mu.producers[id]
		state := sarama.ProducerState{
			ProducerID: id, ProducerEpoch: int32(s.epoch), LastSequence: -1, LastTimestamp: s.lastTimestampMs,
			CoordinatorEpoch: -1, CurrentTxnStartOffset: -1,
		}
		if n := len(s.batches); n > 0 {
			state.LastSequence = s.batches[n-1].lastSequence
		}
		if s.marked {
			state.CoordinatorEpoch = 0
		}
		if first, open := p.mu.open[id]; open {
			state.CurrentTxnStartOffset = first
		}
		list = append(list, state)
	}
	return list, nil
}

// describeTransactions tells the states of transactional ids.
func (c *conn) describeTransactions(r *Request) (any, error) {
	req := r.Body.(*sarama.DescribeTransactionsRequest)
	resp := new(sarama.DescribeTransactionsResponse)
	for _, id := range req.TransactionalIDs {
		state := sarama.TransactionState{TransactionalID: id, ErrorCode: c.coordinates(r, id)}
		if state.ErrorCode == sarama.ErrNoError {
			c.cluster.describeTransaction(&state)
		}
		resp.TransactionStates = append(resp.TransactionStates, state)
	}
	return resp, nil
}

func (c *Cluster) describeTransaction(d *sarama.TransactionState) {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	t := c.txns.mu.byName[d.TransactionalID]
	if t == nil {
		d.ErrorCode = sarama.ErrTransactionalIDNotFound
		return
	}
	d.TransactionState, d.TransactionTimeout = txnStateNames[t.state], t.timeout
	d.ProducerID, d.ProducerEpoch, d.TransactionStartTime = t.producerID, t.epoch, -1
	if t.state != txnOngoing && !t.state.preparing() {
		return
	}
	d.TransactionStartTime = t.started.UnixMilli()
	named := make(map[string][]int32)
	for p := range t.partitions {
		named[p.topic.name] = append(named[p.topic.name], p.id)
	}
	for group := range t.groups {
		if id := offsetsPartition(group); !slices.Contains(named[offsetsTopic], id) {
			named[offsetsTopic] = append(named[offsetsTopic], id)
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(named)) {
		slices.Sort(named[topic])
		d.Topics = append(d.Topics, sarama.DescribeTransactionsResponseTopic{Topic: topic, Partitions: named[topic]})
	}
}

const (
	offsetsTopic      = "__consumer_offsets"
	offsetsPartitions = 50 // by default
)

// offsetsPartition is where Kafka has a group's offsets: a string's hash code in
// Java, over its UTF-16 units, without the sign.
func offsetsPartition(group string) int32 {
	hash := int32(0)
	for _, unit := range utf16.Encode([]rune(group)) {
		hash = 31*hash + int32(unit)
	}
	return hash & math.MaxInt32 % offsetsPartitions
}

// transactionStates are all that Kafka knows, with those that no id has here.
var transactionStates = append(txnStateNames[:], sarama.TransactionStateDead, sarama.TransactionStatePrepareEpochFence)

// listTransactions lists the transactional ids that this broker coordinates.
func (c *conn) listTransactions(r *Request) (any, error) {
	req := r.Body.(*sarama.ListTransactionsRequest)
	resp := &sarama.ListTransactionsResponse{ErrorCode: r.reply.Err}
	all := regexp.MustCompile("")
	if p := deref(req.TransactionalIDPattern); p != "" && resp.ErrorCode == sarama.ErrNoError {
		if _, err := regexp.Compile(p); err != nil {
			resp.ErrorCode = sarama.ErrInvalidRegularExpression
		} else {
			all = regexp.MustCompile("^(?:" + p + ")$")
		}
	}
	if resp.ErrorCode != sarama.ErrNoError {
		return resp, nil
	}
	for _, state := range req.StateFilters {
		if !slices.Contains(transactionStates, state) {
			resp.UnknownStateFilters = append(resp.UnknownStateFilters, state)
		}
	}
	txns := &c.cluster.txns
	txns.mu.Lock()
	defer txns.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(txns.mu.byName)) {
		t := txns.mu.byName[name]
		state := txnStateNames[t.state]
		switch {
		case c.cluster.coordinator(sarama.CoordinatorTransaction, name) != c.broker, !all.MatchString(name),
			len(req.StateFilters) > 0 && !slices.Contains(req.StateFilters, state),
			len(req.ProducerIDFilters) > 0 && !slices.Contains(req.ProducerIDFilters, t.producerID),
			req.DurationFilter >= 0 && (t.state != txnOngoing && !t.state.preparing() || time.Since(t.started).Milliseconds() <= req.DurationFilter):
			continue
		}
		resp.TransactionStates = append(resp.TransactionStates, sarama.ListTransactionsResponseTransactionState{
			TransactionalID: name, ProducerID: t.producerID, TransactionState: state,
		})
	}
	return resp, nil
}
