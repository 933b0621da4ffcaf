package mocks

import "github.com/IBM/sarama"

// CreateTopic calls the func of this name.
func (a *ClusterAdmin) CreateTopic(topic string, detail *sarama.TopicDetail, validateOnly bool) error {
	if err := a.call("CreateTopic", a.do.CreateTopic == nil, topic, detail, validateOnly); err != nil {
		return err
	}
	return a.do.CreateTopic(topic, detail, validateOnly)
}

// ListTopics calls the func of this name.
func (a *ClusterAdmin) ListTopics() (map[string]sarama.TopicDetail, error) {
	if err := a.call("ListTopics", a.do.ListTopics == nil); err != nil {
		return nil, err
	}
	return a.do.ListTopics()
}

// DescribeTopics calls the func of this name.
func (a *ClusterAdmin) DescribeTopics(topics []string) ([]*sarama.TopicMetadata, error) {
	if err := a.call("DescribeTopics", a.do.DescribeTopics == nil, topics); err != nil {
		return nil, err
	}
	return a.do.DescribeTopics(topics)
}

// DeleteTopic calls the func of this name.
func (a *ClusterAdmin) DeleteTopic(topic string) error {
	if err := a.call("DeleteTopic", a.do.DeleteTopic == nil, topic); err != nil {
		return err
	}
	return a.do.DeleteTopic(topic)
}

// CreatePartitions calls the func of this name.
func (a *ClusterAdmin) CreatePartitions(topic string, count int32, assignment [][]int32, validateOnly bool) error {
	if err := a.call("CreatePartitions", a.do.CreatePartitions == nil, topic, count, assignment, validateOnly); err != nil {
		return err
	}
	return a.do.CreatePartitions(topic, count, assignment, validateOnly)
}

// AlterPartitionReassignments calls the func of this name.
func (a *ClusterAdmin) AlterPartitionReassignments(topic string, assignment [][]int32) error {
	if err := a.call("AlterPartitionReassignments", a.do.AlterPartitionReassignments == nil, topic, assignment); err != nil {
		return err
	}
	return a.do.AlterPartitionReassignments(topic, assignment)
}

// ListPartitionReassignments calls the func of this name.
func (a *ClusterAdmin) ListPartitionReassignments(topics string, partitions []int32) (map[string]map[int32]*sarama.PartitionReplicaReassignmentsStatus, error) {
	if err := a.call("ListPartitionReassignments", a.do.ListPartitionReassignments == nil, topics, partitions); err != nil {
		return nil, err
	}
	return a.do.ListPartitionReassignments(topics, partitions)
}

// DeleteRecords calls the func of this name.
func (a *ClusterAdmin) DeleteRecords(topic string, partitionOffsets map[int32]int64) error {
	if err := a.call("DeleteRecords", a.do.DeleteRecords == nil, topic, partitionOffsets); err != nil {
		return err
	}
	return a.do.DeleteRecords(topic, partitionOffsets)
}

// DescribeConfig calls the func of this name.
func (a *ClusterAdmin) DescribeConfig(resource sarama.ConfigResource) ([]sarama.ConfigEntry, error) {
	if err := a.call("DescribeConfig", a.do.DescribeConfig == nil, resource); err != nil {
		return nil, err
	}
	return a.do.DescribeConfig(resource)
}

// DescribeConfigs calls the func of this name.
func (a *ClusterAdmin) DescribeConfigs(resources []*sarama.ConfigResource, options sarama.DescribeConfigsOptions) ([]*sarama.ConfigResourceResult, error) {
	if err := a.call("DescribeConfigs", a.do.DescribeConfigs == nil, resources, options); err != nil {
		return nil, err
	}
	return a.do.DescribeConfigs(resources, options)
}

// AlterConfig calls the func of this name.
func (a *ClusterAdmin) AlterConfig(resourceType sarama.ConfigResourceType, name string, entries map[string]*string, validateOnly bool) error {
	if err := a.call("AlterConfig", a.do.AlterConfig == nil, resourceType, name, entries, validateOnly); err != nil {
		return err
	}
	return a.do.AlterConfig(resourceType, name, entries, validateOnly)
}

// IncrementalAlterConfig calls the func of this name.
func (a *ClusterAdmin) IncrementalAlterConfig(resourceType sarama.ConfigResourceType, name string, entries map[string]sarama.IncrementalAlterConfigsEntry, validateOnly bool) error {
	if err := a.call("IncrementalAlterConfig", a.do.IncrementalAlterConfig == nil, resourceType, name, entries, validateOnly); err != nil {
		return err
	}
	return a.do.IncrementalAlterConfig(resourceType, name, entries, validateOnly)
}

// CreateACL calls the func of this name.
func (a *ClusterAdmin) CreateACL(resource sarama.Resource, acl sarama.Acl) error {
	if err := a.call("CreateACL", a.do.CreateACL == nil, resource, acl); err != nil {
		return err
	}
	return a.do.CreateACL(resource, acl)
}

// CreateACLs calls the func of this name.
func (a *ClusterAdmin) CreateACLs(acls []*sarama.ResourceAcls) error {
	if err := a.call("CreateACLs", a.do.CreateACLs == nil, acls); err != nil {
		return err
	}
	return a.do.CreateACLs(acls)
}

// ListAcls calls the func of this name.
func (a *ClusterAdmin) ListAcls(filter sarama.AclFilter) ([]sarama.ResourceAcls, error) {
	if err := a.call("ListAcls", a.do.ListAcls == nil, filter); err != nil {
		return nil, err
	}
	return a.do.ListAcls(filter)
}

// DeleteACL calls the func of this name.
func (a *ClusterAdmin) DeleteACL(filter sarama.AclFilter, validateOnly bool) ([]sarama.MatchingAcl, error) {
	if err := a.call("DeleteACL", a.do.DeleteACL == nil, filter, validateOnly); err != nil {
		return nil, err
	}
	return a.do.DeleteACL(filter, validateOnly)
}

// ElectLeaders calls the func of this name.
func (a *ClusterAdmin) ElectLeaders(electionType sarama.ElectionType, partitions map[string][]int32) (map[string]map[int32]*sarama.PartitionResult, error) {
	if err := a.call("ElectLeaders", a.do.ElectLeaders == nil, electionType, partitions); err != nil {
		return nil, err
	}
	return a.do.ElectLeaders(electionType, partitions)
}

// ListConsumerGroups calls the func of this name.
func (a *ClusterAdmin) ListConsumerGroups() (map[string]string, error) {
	if err := a.call("ListConsumerGroups", a.do.ListConsumerGroups == nil); err != nil {
		return nil, err
	}
	return a.do.ListConsumerGroups()
}

// DescribeConsumerGroups calls the func of this name.
func (a *ClusterAdmin) DescribeConsumerGroups(groups []string) ([]*sarama.GroupDescription, error) {
	if err := a.call("DescribeConsumerGroups", a.do.DescribeConsumerGroups == nil, groups); err != nil {
		return nil, err
	}
	return a.do.DescribeConsumerGroups(groups)
}

// ListConsumerGroupOffsets calls the func of this name.
func (a *ClusterAdmin) ListConsumerGroupOffsets(group string, topicPartitions map[string][]int32) (*sarama.OffsetFetchResponse, error) {
	if err := a.call("ListConsumerGroupOffsets", a.do.ListConsumerGroupOffsets == nil, group, topicPartitions); err != nil {
		return nil, err
	}
	return a.do.ListConsumerGroupOffsets(group, topicPartitions)
}

// ListConsumerGroupOffsetsBatch calls the func of this name.
func (a *ClusterAdmin) ListConsumerGroupOffsetsBatch(groupTopics map[string]map[string][]int32) (map[string]*sarama.OffsetFetchResponseGroup, error) {
	if err := a.call("ListConsumerGroupOffsetsBatch", a.do.ListConsumerGroupOffsetsBatch == nil, groupTopics); err != nil {
		return nil, err
	}
	return a.do.ListConsumerGroupOffsetsBatch(groupTopics)
}

// ListOffsets calls the func of this name.
func (a *ClusterAdmin) ListOffsets(partitions map[string]map[int32]int64, options *sarama.ListOffsetsOptions) (map[string]map[int32]*sarama.OffsetResult, error) {
	if err := a.call("ListOffsets", a.do.ListOffsets == nil, partitions, options); err != nil {
		return nil, err
	}
	return a.do.ListOffsets(partitions, options)
}

// AlterConsumerGroupOffsets calls the func of this name.
func (a *ClusterAdmin) AlterConsumerGroupOffsets(group string, offsets map[string]map[int32]sarama.OffsetAndMetadata, options *sarama.AlterConsumerGroupOffsetsOptions) (*sarama.OffsetCommitResponse, error) {
	if err := a.call("AlterConsumerGroupOffsets", a.do.AlterConsumerGroupOffsets == nil, group, offsets, options); err != nil {
		return nil, err
	}
	return a.do.AlterConsumerGroupOffsets(group, offsets, options)
}

// DeleteConsumerGroupOffset calls the func of this name.
func (a *ClusterAdmin) DeleteConsumerGroupOffset(group string, topic string, partition int32) error {
	if err := a.call("DeleteConsumerGroupOffset", a.do.DeleteConsumerGroupOffset == nil, group, topic, partition); err != nil {
		return err
	}
	return a.do.DeleteConsumerGroupOffset(group, topic, partition)
}

// DeleteConsumerGroup calls the func of this name.
func (a *ClusterAdmin) DeleteConsumerGroup(group string) error {
	if err := a.call("DeleteConsumerGroup", a.do.DeleteConsumerGroup == nil, group); err != nil {
		return err
	}
	return a.do.DeleteConsumerGroup(group)
}

// DescribeCluster calls the func of this name.
func (a *ClusterAdmin) DescribeCluster() ([]*sarama.Broker, int32, error) {
	if err := a.call("DescribeCluster", a.do.DescribeCluster == nil); err != nil {
		return nil, 0, err
	}
	return a.do.DescribeCluster()
}

// DescribeLogDirs calls the func of this name.
func (a *ClusterAdmin) DescribeLogDirs(brokers []int32) (map[int32][]sarama.DescribeLogDirsResponseDirMetadata, error) {
	if err := a.call("DescribeLogDirs", a.do.DescribeLogDirs == nil, brokers); err != nil {
		return nil, err
	}
	return a.do.DescribeLogDirs(brokers)
}

// DescribeUserScramCredentials calls the func of this name.
func (a *ClusterAdmin) DescribeUserScramCredentials(users []string) ([]*sarama.DescribeUserScramCredentialsResult, error) {
	if err := a.call("DescribeUserScramCredentials", a.do.DescribeUserScramCredentials == nil, users); err != nil {
		return nil, err
	}
	return a.do.DescribeUserScramCredentials(users)
}

// DeleteUserScramCredentials calls the func of this name.
func (a *ClusterAdmin) DeleteUserScramCredentials(deletions []sarama.AlterUserScramCredentialsDelete) ([]*sarama.AlterUserScramCredentialsResult, error) {
	if err := a.call("DeleteUserScramCredentials", a.do.DeleteUserScramCredentials == nil, deletions); err != nil {
		return nil, err
	}
	return a.do.DeleteUserScramCredentials(deletions)
}

// UpsertUserScramCredentials calls the func of this name.
func (a *ClusterAdmin) UpsertUserScramCredentials(upsertions []sarama.AlterUserScramCredentialsUpsert) ([]*sarama.AlterUserScramCredentialsResult, error) {
	if err := a.call("UpsertUserScramCredentials", a.do.UpsertUserScramCredentials == nil, upsertions); err != nil {
		return nil, err
	}
	return a.do.UpsertUserScramCredentials(upsertions)
}

// UpdateFeatures calls the func of this name.
func (a *ClusterAdmin) UpdateFeatures(featureUpdates []sarama.FeatureUpdate) ([]sarama.UpdatableFeatureResult, error) {
	if err := a.call("UpdateFeatures", a.do.UpdateFeatures == nil, featureUpdates); err != nil {
		return nil, err
	}
	return a.do.UpdateFeatures(featureUpdates)
}

// DescribeClientQuotas calls the func of this name.
func (a *ClusterAdmin) DescribeClientQuotas(components []sarama.QuotaFilterComponent, strict bool) ([]sarama.DescribeClientQuotasEntry, error) {
	if err := a.call("DescribeClientQuotas", a.do.DescribeClientQuotas == nil, components, strict); err != nil {
		return nil, err
	}
	return a.do.DescribeClientQuotas(components, strict)
}

// AlterClientQuotas calls the func of this name.
func (a *ClusterAdmin) AlterClientQuotas(entity []sarama.QuotaEntityComponent, op sarama.ClientQuotasOp, validateOnly bool) error {
	if err := a.call("AlterClientQuotas", a.do.AlterClientQuotas == nil, entity, op, validateOnly); err != nil {
		return err
	}
	return a.do.AlterClientQuotas(entity, op, validateOnly)
}

// Controller calls the func of this name.
func (a *ClusterAdmin) Controller() (*sarama.Broker, error) {
	if err := a.call("Controller", a.do.Controller == nil); err != nil {
		return nil, err
	}
	return a.do.Controller()
}

// Coordinator calls the func of this name.
func (a *ClusterAdmin) Coordinator(group string) (*sarama.Broker, error) {
	if err := a.call("Coordinator", a.do.Coordinator == nil, group); err != nil {
		return nil, err
	}
	return a.do.Coordinator(group)
}

// RemoveMemberFromConsumerGroup calls the func of this name.
func (a *ClusterAdmin) RemoveMemberFromConsumerGroup(groupId string, groupInstanceIds []string) (*sarama.LeaveGroupResponse, error) {
	if err := a.call("RemoveMemberFromConsumerGroup", a.do.RemoveMemberFromConsumerGroup == nil, groupId, groupInstanceIds); err != nil {
		return nil, err
	}
	return a.do.RemoveMemberFromConsumerGroup(groupId, groupInstanceIds)
}

// Close calls the func of this name, if there is one. Without, it succeeds, and
// is no unexpected call.
func (a *ClusterAdmin) Close() error {
	if _ = a.call("Close", false); a.do.Close == nil {
		return nil
	}
	return a.do.Close()
}

// DescribeProducers calls the func of this name.
func (a *ClusterAdmin) DescribeProducers(topicPartitions map[string][]int32) (map[string]map[int32]sarama.DescribeProducersResponsePartition, error) {
	if err := a.call("DescribeProducers", a.do.DescribeProducers == nil, topicPartitions); err != nil {
		return nil, err
	}
	return a.do.DescribeProducers(topicPartitions)
}

// DescribeTransactions calls the func of this name.
func (a *ClusterAdmin) DescribeTransactions(transactionalIDs []string) (map[string]sarama.TransactionState, error) {
	if err := a.call("DescribeTransactions", a.do.DescribeTransactions == nil, transactionalIDs); err != nil {
		return nil, err
	}
	return a.do.DescribeTransactions(transactionalIDs)
}

// ListTransactions calls the func of this name.
func (a *ClusterAdmin) ListTransactions(stateFilters []string, producerIDFilters []int64, durationFilterMs int64) ([]sarama.ListTransactionsResponseTransactionState, error) {
	if err := a.call("ListTransactions", a.do.ListTransactions == nil, stateFilters, producerIDFilters, durationFilterMs); err != nil {
		return nil, err
	}
	return a.do.ListTransactions(stateFilters, producerIDFilters, durationFilterMs)
}

// ListGroups calls the func of this name.
func (a *ClusterAdmin) ListGroups(options sarama.ListGroupsOptions) ([]sarama.GroupListing, error) {
	if err := a.call("ListGroups", a.do.ListGroups == nil, options); err != nil {
		return nil, err
	}
	return a.do.ListGroups(options)
}

// DescribeConsumerProtocolGroups calls the func of this name.
func (a *ClusterAdmin) DescribeConsumerProtocolGroups(groups []string) ([]sarama.ConsumerGroupDescription, error) {
	if err := a.call("DescribeConsumerProtocolGroups", a.do.DescribeConsumerProtocolGroups == nil, groups); err != nil {
		return nil, err
	}
	return a.do.DescribeConsumerProtocolGroups(groups)
}
