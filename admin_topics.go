package sarama

import "fmt"

func (a *clusterAdmin) CreateTopic(topic string, detail *TopicDetail, validateOnly bool) error {
	if topic == "" {
		return ErrInvalidTopic
	}
	if detail == nil {
		return fmt.Errorf("kafka: topic %q cannot be created without a TopicDetail", topic)
	}
	return a.do(a.controller(), func(b *Broker) error {
		req := NewCreateTopicsRequest(a.conf.Version, map[string]*TopicDetail{topic: detail}, a.conf.Admin.Timeout, validateOnly)
		resp, err := b.CreateTopics(req)
		if err != nil {
			return err
		}
		result := resp.TopicErrors[topic]
		if result == nil {
			return ErrIncompleteResponse
		}
		if result.Err != ErrNoError {
			return result
		}
		return nil
	})
}

func (a *clusterAdmin) DeleteTopic(topic string) error {
	if topic == "" {
		return ErrInvalidTopic
	}
	return a.do(a.controller(), func(b *Broker) error {
		resp, err := b.DeleteTopics(NewDeleteTopicsRequest(a.conf.Version, []string{topic}, a.conf.Admin.Timeout))
		if err != nil {
			return err
		}
		code, ok := resp.TopicErrorCodes[topic]
		if !ok {
			return ErrIncompleteResponse
		}
		return codeOnly(code)
	})
}

func (a *clusterAdmin) CreatePartitions(topic string, count int32, assignment [][]int32, validateOnly bool) error {
	if topic == "" {
		return ErrInvalidTopic
	}
	return a.do(a.controller(), func(b *Broker) error {
		resp, err := b.CreatePartitions(&CreatePartitionsRequest{
			Version:         apiCreatePartitions.versionFor(a.conf.Version),
			TopicPartitions: map[string]*TopicPartition{topic: {Count: count, Assignment: assignment}},
			Timeout:         a.conf.Admin.Timeout, ValidateOnly: validateOnly,
		})
		if err != nil {
			return err
		}
		result := resp.TopicPartitionErrors[topic]
		if result == nil {
			return ErrIncompleteResponse
		}
		if result.Err != ErrNoError {
			return result
		}
		return nil
	})
}

// describeTopics asks for topics' metadata, of all where there are none.
func (a *clusterAdmin) describeTopics(to adminTarget, topics []string) ([]*TopicMetadata, error) {
	if len(topics) == 0 {
		topics = nil
	}
	return adminCall(a, to, func(b *Broker) ([]*TopicMetadata, error) {
		resp, err := b.GetMetadata(NewMetadataRequest(a.conf.Version, topics))
		if err != nil {
			return nil, err
		}
		return resp.Topics, codeOnly(resp.ErrorCode)
	})
}

func (a *clusterAdmin) DescribeTopics(topics []string) ([]*TopicMetadata, error) {
	to := a.controller()
	to.reads = true
	return a.describeTopics(to, topics)
}

func (a *clusterAdmin) ListTopics() (map[string]TopicDetail, error) {
	list, err := a.describeTopics(a.anyBroker(), nil)
	if err != nil {
		return nil, err
	}
	topics := make(map[string]TopicDetail, len(list))
	resources := make([]*ConfigResource, 0, len(list))
	for _, t := range list {
		d := TopicDetail{NumPartitions: int32(len(t.Partitions))}
		if len(t.Partitions) > 0 {
			d.ReplicationFactor = int16(len(t.Partitions[0].Replicas))
			d.ReplicaAssignment = make(map[int32][]int32, len(t.Partitions))
		}
		for _, p := range t.Partitions {
			d.ReplicaAssignment[p.ID] = p.Replicas
		}
		topics[t.Name] = d
		resources = append(resources, &ConfigResource{Type: TopicResource, Name: t.Name})
	}
	if len(resources) == 0 {
		return topics, nil
	}
	described, err := a.describeConfigs(a.anyBroker(), resources, DescribeConfigsOptions{})
	if err != nil {
		return nil, err
	}
	for _, r := range described {
		d, ok := topics[r.Name]
		if !ok {
			continue
		}
		d.ConfigEntries = make(map[string]*string)
		for _, entry := range r.Configs {
			if !entry.Default && entry.Source != SourceDefault && !entry.Sensitive {
				d.ConfigEntries[entry.Name] = &entry.Value
			}
		}
		topics[r.Name] = d
	}
	return topics, nil
}

func (a *clusterAdmin) AlterPartitionReassignments(topic string, assignment [][]int32) error {
	if topic == "" {
		return ErrInvalidTopic
	}
	return a.do(a.controller(), func(b *Broker) error {
		req := &AlterPartitionReassignmentsRequest{TimeoutMs: int32(adminTimeout.Milliseconds())}
		for partition, replicas := range assignment {
			req.AddBlock(topic, int32(partition), replicas)
		}
		resp, err := b.AlterPartitionReassignments(req)
		if err != nil {
			return err
		}
		var refused []error
		if err := codeError(resp.ErrorCode, resp.ErrorMessage); err != nil {
			refused = append(refused, err)
		}
		for _, t := range sortedKeys(resp.Errors) {
			for _, id := range sortedKeys(resp.Errors[t]) {
				if e := resp.Errors[t][id]; e.errorCode != ErrNoError {
					refused = append(refused, fmt.Errorf("[%s-%d]: %w", t, id, codeError(e.errorCode, e.errorMessage)))
				}
			}
		}
		if len(refused) > 0 {
			return Wrap(ErrReassignPartitions, refused...)
		}
		return nil
	})
}

func (a *clusterAdmin) ListPartitionReassignments(topic string, partitions []int32) (map[string]map[int32]*PartitionReplicaReassignmentsStatus, error) {
	if topic == "" {
		return nil, ErrInvalidTopic
	}
	to := a.controller()
	to.reads = true
	return adminCall(a, to, func(b *Broker) (map[string]map[int32]*PartitionReplicaReassignmentsStatus, error) {
		req := &ListPartitionReassignmentsRequest{TimeoutMs: int32(adminTimeout.Milliseconds())}
		req.AddBlock(topic, partitions)
		resp, err := b.ListPartitionReassignments(req)
		if err != nil {
			return nil, err
		}
		return resp.TopicStatus, codeError(resp.ErrorCode, resp.ErrorMessage)
	})
}

func (a *clusterAdmin) ElectLeaders(electionType ElectionType, partitions map[string][]int32) (map[string]map[int32]*PartitionResult, error) {
	return adminCall(a, a.controller(), func(b *Broker) (map[string]map[int32]*PartitionResult, error) {
		resp, err := b.ElectLeaders(&ElectLeadersRequest{
			Version: apiElectLeaders.versionFor(a.conf.Version), Type: electionType, TopicPartitions: partitions,
			TimeoutMs: int32(adminTimeout.Milliseconds()),
		})
		if err != nil {
			return nil, err
		}
		if resp.ErrorCode != ErrNoError {
			return nil, resp.ErrorCode
		}
		return resp.ReplicaElectionResults, nil
	})
}
