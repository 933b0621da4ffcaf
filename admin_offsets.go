package sarama

import "fmt"

// OffsetAndMetadata is what ClusterAdmin.AlterConsumerGroupOffsets stores for a
// partition.
type OffsetAndMetadata struct {
	// Offset of the next message to consume.
	Offset   int64
	Metadata string
	// LeaderEpoch of the message before, -1 when unknown.
	LeaderEpoch int32
}

// AlterConsumerGroupOffsetsOptions are the options of
// ClusterAdmin.AlterConsumerGroupOffsets. There are none yet.
type AlterConsumerGroupOffsetsOptions struct{}

func (a *clusterAdmin) ListConsumerGroupOffsets(group string, topicPartitions map[string][]int32) (*OffsetFetchResponse, error) {
	to := a.groupCoordinator(group)
	to.reads = true
	return adminCall(a, to, func(b *Broker) (*OffsetFetchResponse, error) {
		resp, err := b.FetchOffset(NewOffsetFetchRequest(a.conf.Version, group, topicPartitions))
		if err != nil {
			return nil, err
		}
		return resp, codeOnly(resp.GroupError())
	})
}

func (a *clusterAdmin) ListConsumerGroupOffsetsBatch(groupTopics map[string]map[string][]int32) (map[string]*OffsetFetchResponseGroup, error) {
	results := make(map[string]*OffsetFetchResponseGroup, len(groupTopics))
	version := apiOffsetFetch.versionFor(a.conf.Version)
	if version < offsetFetchHasGroups {
		return results, fmt.Errorf("offsets of several groups need Kafka 3.0: %w", ErrUnsupportedVersion)
	}
	answers, failed := askShards(a, a.groupCoordinators(), sortedKeys(groupTopics), func(b *Broker, ids []string) (map[string]shardAnswer[*OffsetFetchResponseGroup], error) {
		req := &OffsetFetchRequest{Version: version}
		for _, id := range ids {
			req.Groups = append(req.Groups, OffsetFetchRequestGroup{GroupId: id, Partitions: groupTopics[id]})
		}
		resp, err := b.FetchOffset(req)
		if err != nil {
			return nil, err
		}
		answers := make(map[string]shardAnswer[*OffsetFetchResponseGroup], len(ids))
		for i := range resp.Groups {
			answers[resp.Groups[i].GroupId] = told(&resp.Groups[i], resp.Groups[i].Err)
		}
		return answers, nil
	})
	for id, answer := range answers {
		if answer.told {
			results[id] = answer.value
		}
	}
	if err := unanswered(failed, sortedKeys(groupTopics), answers, quoted); err != nil {
		return results, fmt.Errorf("offsets of groups: %w", err)
	}
	return results, nil
}

func (a *clusterAdmin) AlterConsumerGroupOffsets(group string, offsets map[string]map[int32]OffsetAndMetadata, _ *AlterConsumerGroupOffsetsOptions) (*OffsetCommitResponse, error) {
	keys := partitionKeys(offsets)
	if len(keys) == 0 {
		return nil, ConfigurationError("no offsets provided")
	}
	to := a.groupCoordinator(group)
	to.reads = true // storing the same again changes nothing
	return adminCall(a, to, func(b *Broker) (*OffsetCommitResponse, error) {
		req := &OffsetCommitRequest{
			Version: max(1, apiOffsetCommit.versionFor(a.conf.Version)), ConsumerGroup: group, ConsumerGroupGeneration: GroupGenerationUndefined,
		}
		for _, p := range keys {
			o := offsets[p.topic][p.partition]
			req.AddBlockWithLeaderEpoch(p.topic, p.partition, o.Offset, o.LeaderEpoch, ReceiveTime, o.Metadata)
		}
		resp, err := b.CommitOffset(req)
		if err != nil {
			return nil, err
		}
		for _, partitions := range resp.Errors {
			for _, code := range partitions {
				if isOneOf(code, coordinatorMoved...) {
					return resp, code
				}
			}
		}
		return resp, nil
	})
}

func (a *clusterAdmin) DeleteConsumerGroupOffset(group string, topic string, partition int32) error {
	to := a.groupCoordinator(group)
	to.reads = true // deleting again changes nothing
	return a.do(to, func(b *Broker) error {
		req := &DeleteOffsetsRequest{Group: group}
		req.AddPartition(topic, partition)
		resp, err := b.DeleteOffsets(req)
		if err != nil {
			return err
		}
		if resp.ErrorCode != ErrNoError {
			return resp.ErrorCode
		}
		code, ok := resp.Errors[topic][partition]
		if !ok {
			return fmt.Errorf("offset of %s/%d in group %s: %w", topic, partition, group, ErrIncompleteResponse)
		}
		return codeOnly(code)
	})
}
