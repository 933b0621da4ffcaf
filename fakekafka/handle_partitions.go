package fakekafka

import (
	"maps"
	"slices"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
)

// createPartitions adds partitions to topics (KIP-195).
func (c *conn) createPartitions(r *Request) (any, error) {
	req := r.Body.(*sarama.CreatePartitionsRequest)
	resp := &sarama.CreatePartitionsResponse{TopicPartitionErrors: make(map[string]*sarama.TopicPartitionError)}
	for _, name := range slices.Sorted(maps.Keys(req.TopicPartitions)) {
		want := req.TopicPartitions[name]
		err := error(r.errorFor(name, -1))
		if err == sarama.ErrNoError {
			err = sarama.ErrNotController
			if c.controls() {
				err = c.cluster.addPartitions(name, int(want.Count), want.Assignment, req.ValidateOnly)
			}
		}
		result := new(sarama.TopicPartitionError)
		result.Err, result.ErrMsg = codeAndReason(err)
		resp.TopicPartitionErrors[name] = result
	}
	return resp, nil
}

// codeAndReason is the code of a refusal, and what is said beside it: nothing
// where the refusal is a code.
func codeAndReason(err error) (sarama.KError, *string) {
	if code, ok := err.(sarama.KError); ok {
		return code, nil
	}
	return codeOf(err)
}

// deleteRecords moves the start of logs (KIP-107).
func (c *conn) deleteRecords(r *Request) (any, error) {
	req := r.Body.(*sarama.DeleteRecordsRequest)
	resp := &sarama.DeleteRecordsResponse{Topics: make(map[string]*sarama.DeleteRecordsResponseTopic)}
	catalog := c.cluster.catalog.Load()
	for name, topic := range req.Topics {
		t := catalog.topic(name)
		results := make(map[int32]*sarama.DeleteRecordsResponsePartition)
		for id, to := range topic.PartitionOffsets {
			result := &sarama.DeleteRecordsResponsePartition{LowWatermark: -1, Err: r.errorFor(name, id)}
			switch p := t.partition(id); {
			case result.Err != sarama.ErrNoError:
			case p == nil:
				result.Err = sarama.ErrUnknownTopicOrPartition
			case t.internal():
				result.Err = sarama.ErrInvalidTopic
			default:
				result.LowWatermark, result.Err = p.deleteRecords(c.broker.id, to)
			}
			results[id] = result
		}
		resp.Topics[name] = &sarama.DeleteRecordsResponseTopic{Partitions: results}
	}
	return resp, nil
}

// deleteRecords deletes the records below an offset, -1 for the high watermark,
// as the leader that broker takes itself for, and returns the start of the log.
func (p *partition) deleteRecords(broker int32, to int64) (start int64, err sarama.KError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkLocked(broker, -1, true); err != sarama.ErrNoError {
		return -1, err
	}
	if p.topic.settings().compactOnly {
		return -1, sarama.ErrPolicyViolation
	}
	high := p.highWatermarkLocked()
	if to == -1 {
		to = high
	}
	if to < 0 || to > high {
		return -1, sarama.ErrOffsetOutOfRange
	}
	p.mu.log.trim(to)
	return p.mu.log.start, sarama.ErrNoError
}

// electLeaders has leaders elected, of all partitions where none is named.
func (c *conn) electLeaders(r *Request) (any, error) {
	req := r.Body.(*sarama.ElectLeadersRequest)
	resp := &sarama.ElectLeadersResponse{ErrorCode: r.reply.Err, ReplicaElectionResults: make(map[string]map[int32]*sarama.PartitionResult)}
	switch {
	case resp.ErrorCode != sarama.ErrNoError:
		return resp, nil
	case !c.controls():
		resp.ErrorCode = sarama.ErrNotController
		return resp, nil
	case req.Type != sarama.PreferredElection && req.Type != sarama.UncleanElection:
		resp.ErrorCode = sarama.ErrInvalidRequest
		return resp, nil
	}
	all := req.TopicPartitions == nil
	named := req.TopicPartitions
	if all {
		named = c.cluster.catalog.Load().allPartitions()
	}
	for topic, ids := range named {
		results := make(map[int32]*sarama.PartitionResult)
		resp.ReplicaElectionResults[topic] = results
		for _, id := range ids {
			err := error(r.errorFor(topic, id))
			if err == sarama.ErrNoError {
				err = c.cluster.elect(topic, id, req.Type == sarama.UncleanElection)
			}
			result := new(sarama.PartitionResult)
			if result.ErrorCode, result.ErrorMessage = codeAndReason(err); all && result.ErrorCode == sarama.ErrElectionNotNeeded {
				continue // nobody asked for this one
			}
			results[id] = result
		}
	}
	return resp, nil
}

// allPartitions lists the partitions of all topics.
func (c *catalog) allPartitions() map[string][]int32 {
	all := make(map[string][]int32, len(c.byName))
	for name, t := range c.byName {
		for _, p := range t.partitions {
			all[name] = append(all[name], p.id)
		}
	}
	return all
}

// alterPartitionReassignments moves replicas (KIP-455).
func (c *conn) alterPartitionReassignments(r *Request) (any, error) {
	req := r.Body.(*sarama.AlterPartitionReassignmentsRequest)
	resp := &sarama.AlterPartitionReassignmentsResponse{
		ErrorCode: r.reply.Err, DisallowReplicationFactorChange: req.DisallowReplicationFactorChange,
	}
	if resp.ErrorCode == sarama.ErrNoError && !c.controls() {
		resp.ErrorCode = sarama.ErrNotController
	}
	if resp.ErrorCode != sarama.ErrNoError {
		return resp, nil
	}
	for _, want := range bridge.Reassignments(req) {
		err := error(r.errorFor(want.Topic, want.Partition))
		if err == sarama.ErrNoError {
			err = c.cluster.reassign(want.Topic, want.Partition, want.Replicas, req.DisallowReplicationFactorChange)
		}
		code, why := codeAndReason(err)
		resp.AddError(want.Topic, want.Partition, code, why)
	}
	return resp, nil
}

// listPartitionReassignments lists the moves that are under way.
func (c *conn) listPartitionReassignments(r *Request) (any, error) {
	req := r.Body.(*sarama.ListPartitionReassignmentsRequest)
	resp := &sarama.ListPartitionReassignmentsResponse{ErrorCode: r.reply.Err}
	if resp.ErrorCode == sarama.ErrNoError && !c.controls() {
		resp.ErrorCode = sarama.ErrNotController
	}
	if resp.ErrorCode != sarama.ErrNoError {
		return resp, nil
	}
	catalog := c.cluster.catalog.Load()
	named := bridge.ReassignmentsListed(req)
	if named == nil {
		named = catalog.allPartitions()
	}
	for topic, ids := range named {
		for _, id := range ids {
			p := catalog.topic(topic).partition(id)
			if p == nil {
				continue
			}
			if l := p.leadership(); l.moving != nil {
				resp.AddBlock(topic, id, l.replicas, l.moving.adding, l.moving.removing)
			}
		}
	}
	return resp, nil
}
