package sarama

import (
	"fmt"
	"slices"
)

func (a *clusterAdmin) DeleteRecords(topic string, partitionOffsets map[int32]int64) error {
	if topic == "" {
		return ErrInvalidTopic
	}
	keys := partitionKeys(map[string]map[int32]int64{topic: partitionOffsets})
	answers, _ := askShards(a, a.partitionLeaders(), keys, func(b *Broker, share []topicPartition) (map[topicPartition]shardAnswer[int64], error) {
		offsets := make(map[int32]int64, len(share))
		for _, p := range share {
			offsets[p.partition] = partitionOffsets[p.partition]
		}
		resp, err := b.DeleteRecords(&DeleteRecordsRequest{
			Version: apiDeleteRecords.versionFor(a.conf.Version), Timeout: a.conf.Admin.Timeout,
			Topics: map[string]*DeleteRecordsRequestTopic{topic: {PartitionOffsets: offsets}},
		})
		if err != nil {
			return nil, err
		}
		answers := make(map[topicPartition]shardAnswer[int64], len(share))
		if t := resp.Topics[topic]; t != nil {
			for id, p := range t.Partitions {
				answers[topicPartition{topic, id}] = told(p.LowWatermark, p.Err)
			}
		}
		return answers, nil
	})
	var refused []error
	for _, p := range keys {
		if err := answers[p].err; err != nil {
			refused = append(refused, fmt.Errorf("[%s-%d]: %w", topic, p.partition, err))
		}
	}
	if len(refused) > 0 {
		return Wrap(ErrDeleteRecords, refused...)
	}
	return nil
}

// ListOffsetsOptions are the options of ClusterAdmin.ListOffsets.
type ListOffsetsOptions struct {
	// IsolationLevel ReadCommitted makes OffsetNewest the last stable offset.
	IsolationLevel IsolationLevel
}

// OffsetResult is what ClusterAdmin.ListOffsets says of a partition.
type OffsetResult struct {
	Offset int64
	// Timestamp of the record at the offset in milliseconds, -1 where the
	// question was OffsetNewest or OffsetOldest.
	Timestamp int64
	// LeaderEpoch of the record at the offset, -1 when unknown.
	LeaderEpoch int32
	// Err is ErrNoError, which is not nil, where there is none.
	Err error
}

func (a *clusterAdmin) ListOffsets(partitions map[string]map[int32]int64, options *ListOffsetsOptions) (map[string]map[int32]*OffsetResult, error) {
	keys := partitionKeys(partitions)
	if len(keys) == 0 {
		return nil, ConfigurationError("no partitions provided")
	}
	if options == nil {
		options = new(ListOffsetsOptions)
	}
	answers, failed := askShards(a, a.partitionLeaders(), keys, func(b *Broker, share []topicPartition) (map[topicPartition]shardAnswer[*OffsetResult], error) {
		req := NewOffsetRequest(a.conf.Version)
		if req.Version >= 2 {
			req.IsolationLevel = options.IsolationLevel
		}
		for _, p := range share {
			req.AddBlock(p.topic, p.partition, partitions[p.topic][p.partition], 1)
		}
		resp, err := b.GetAvailableOffsets(req)
		if err != nil {
			return nil, err
		}
		answers := make(map[topicPartition]shardAnswer[*OffsetResult], len(share))
		for _, p := range share {
			if block := resp.GetBlock(p.topic, p.partition); block != nil {
				answers[p] = told(offsetResult(block), block.Err)
			}
		}
		return answers, nil
	})
	results := make(map[string]map[int32]*OffsetResult, len(partitions))
	for _, p := range keys {
		r := answers[p].value
		if r == nil {
			r = &OffsetResult{Offset: -1, Timestamp: -1, LeaderEpoch: -1}
		}
		if r.Err = answers[p].err; r.Err == nil {
			r.Err = ErrNoError
		}
		if results[p.topic] == nil {
			results[p.topic] = make(map[int32]*OffsetResult)
		}
		results[p.topic][p.partition] = r
	}
	return results, failed
}

func offsetResult(block *OffsetResponseBlock) *OffsetResult {
	r := &OffsetResult{Offset: block.Offset, Timestamp: block.Timestamp, LeaderEpoch: block.LeaderEpoch}
	if len(block.Offsets) > 0 { // version 0 has nothing else
		r.Offset = block.Offsets[0]
	}
	return r
}

func (a *clusterAdmin) DescribeProducers(topicPartitions map[string][]int32) (map[string]map[int32]DescribeProducersResponsePartition, error) {
	var keys []topicPartition
	for _, topic := range sortedKeys(topicPartitions) {
		for _, id := range slices.Sorted(slices.Values(topicPartitions[topic])) {
			keys = append(keys, topicPartition{topic, id})
		}
	}
	keys = slices.Compact(keys)
	answers, failed := askShards(a, a.partitionLeaders(), keys, askProducers)
	found := make(map[string]map[int32]DescribeProducersResponsePartition, len(topicPartitions))
	for _, p := range keys {
		if !answers[p].told {
			continue
		}
		if found[p.topic] == nil {
			found[p.topic] = make(map[int32]DescribeProducersResponsePartition)
		}
		found[p.topic][p.partition] = answers[p].value
	}
	if err := unanswered(failed, keys, answers, func(p topicPartition) string { return fmt.Sprintf("%s/%d", p.topic, p.partition) }); err != nil {
		return found, fmt.Errorf("describe producers: %w", err)
	}
	return found, nil
}

// askProducers asks a leader for the producers of its partitions, which are
// sorted.
func askProducers(b *Broker, share []topicPartition) (map[topicPartition]shardAnswer[DescribeProducersResponsePartition], error) {
	req := new(DescribeProducersRequest)
	for _, p := range share {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Name != p.topic {
			req.Topics = append(req.Topics, DescribeProducersRequestTopic{Name: p.topic})
		}
		t := &req.Topics[len(req.Topics)-1]
		t.PartitionIndexes = append(t.PartitionIndexes, p.partition)
	}
	resp, err := b.DescribeProducers(req)
	if err != nil {
		return nil, err
	}
	answers := make(map[topicPartition]shardAnswer[DescribeProducersResponsePartition], len(share))
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			answers[topicPartition{t.Name, p.PartitionIndex}] = told(p, p.ErrorCode)
		}
	}
	return answers, nil
}
