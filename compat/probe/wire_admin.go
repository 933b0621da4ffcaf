package main

import (
	"time"

	"github.com/IBM/sarama"
)

func filter(v int16) *sarama.AclFilter {
	f := &sarama.AclFilter{Version: int(v), ResourceType: sarama.AclResourceTopic, ResourceName: &x, Principal: &x, Operation: sarama.AclOperationRead, PermissionType: sarama.AclPermissionAllow}
	if v >= 1 {
		f.ResourcePatternTypeFilter = sarama.AclPatternPrefixed
	}
	return f
}

var rule = sarama.AclCreation{Resource: sarama.Resource{ResourceType: sarama.AclResourceGroup, ResourceName: "g", ResourcePatternType: sarama.AclPatternLiteral},
	Acl: sarama.Acl{Principal: "User:p", Host: "*", Operation: sarama.AclOperationDescribe, PermissionType: sarama.AclPermissionDeny}}

// ruleExchanges: access rules.
func ruleExchanges() []exchange {
	return []exchange{
		{"DescribeAcls", 2, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.DescribeAcls(&sarama.DescribeAclsRequest{Version: int(v), AclFilter: *filter(v)}))
		}},
		{"CreateAcls", 2, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.CreateAcls(&sarama.CreateAclsRequest{Version: v, AclCreations: []*sarama.AclCreation{&rule}}))
		}},
		{"DeleteAcls", 2, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.DeleteAcls(&sarama.DeleteAclsRequest{Version: int(v), Filters: []*sarama.AclFilter{filter(v)}}))
		}},
	}
}

// settingExchanges: settings.
func settingExchanges() []exchange {
	return []exchange{
		{"DescribeConfigs", 4, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.DescribeConfigs(&sarama.DescribeConfigsRequest{Version: v, IncludeSynonyms: v >= 1, IncludeDocumentation: v >= 3, Resources: []*sarama.ConfigResource{
				{Type: sarama.TopicResource, Name: "t", ConfigNames: []string{"a", "b"}}, {Type: sarama.BrokerResource, Name: "1"}}}))
		}},
		{"AlterConfigs", 2, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.AlterConfigs(&sarama.AlterConfigsRequest{Version: v, ValidateOnly: true, Resources: []*sarama.AlterConfigsResource{{Type: sarama.TopicResource, Name: "t", ConfigEntries: map[string]*string{"k": &x}}}}))
		}},
		{"IncrementalAlterConfigs", 1, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.IncrementalAlterConfigs(&sarama.IncrementalAlterConfigsRequest{Version: v, ValidateOnly: true, Resources: []*sarama.IncrementalAlterConfigsResource{{
				Type: sarama.TopicResource, Name: "t", ConfigEntries: map[string]sarama.IncrementalAlterConfigsEntry{"k": {Operation: sarama.IncrementalAlterConfigsOperationAppend, Value: &x}}}}}))
		}},
	}
}

// partitionExchanges: partitions and their replicas.
func partitionExchanges() []exchange {
	return []exchange{
		{"CreatePartitions", 3, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.CreatePartitions(&sarama.CreatePartitionsRequest{Version: v, Timeout: time.Second, ValidateOnly: true, TopicPartitions: map[string]*sarama.TopicPartition{"t": {Count: 3, Assignment: [][]int32{{1, 2}}}}}))
		}},
		{"DeleteRecords", 2, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.DeleteRecords(&sarama.DeleteRecordsRequest{Version: v, Timeout: time.Second, Topics: map[string]*sarama.DeleteRecordsRequestTopic{"t": {PartitionOffsets: map[int32]int64{1: 5}}}}))
		}},
		{"DescribeLogDirs", 4, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.DescribeLogDirs(&sarama.DescribeLogDirsRequest{Version: v, DescribeTopics: []sarama.DescribeLogDirsRequestTopic{{Topic: "t", PartitionIDs: []int32{0, 1}}}}))
		}},
		{"ElectLeaders", 2, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.ElectLeaders(&sarama.ElectLeadersRequest{Version: v, TimeoutMs: 1000, TopicPartitions: map[string][]int32{"t": {0, 1}}}))
		}},
		{"AlterPartitionReassignments", 0, func(b *sarama.Broker, v int16) (any, error) {
			r := &sarama.AlterPartitionReassignmentsRequest{Version: v, TimeoutMs: 1000}
			r.AddBlock("t", 0, []int32{1, 2})
			return any2(b.AlterPartitionReassignments(r))
		}},
		{"ListPartitionReassignments", 0, func(b *sarama.Broker, v int16) (any, error) {
			r := &sarama.ListPartitionReassignmentsRequest{Version: v, TimeoutMs: 1000}
			r.AddBlock("t", []int32{0, 1})
			return any2(b.ListPartitionReassignments(r))
		}},
	}
}

// userExchanges: quotas and credentials.
func userExchanges() []exchange {
	return []exchange{
		{"DescribeClientQuotas", 1, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.DescribeClientQuotas(&sarama.DescribeClientQuotasRequest{Version: v, Strict: true, Components: []sarama.QuotaFilterComponent{
				{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Match: "u"}, {EntityType: sarama.QuotaEntityClientID, MatchType: sarama.QuotaMatchDefault}, {EntityType: sarama.QuotaEntityIP, MatchType: sarama.QuotaMatchAny}}}))
		}},
		{"AlterClientQuotas", 1, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.AlterClientQuotas(&sarama.AlterClientQuotasRequest{Version: v, ValidateOnly: true, Entries: []sarama.AlterClientQuotasEntry{{
				Entity: []sarama.QuotaEntityComponent{{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Name: "u"}, {EntityType: sarama.QuotaEntityClientID, MatchType: sarama.QuotaMatchDefault}},
				Ops:    []sarama.ClientQuotasOp{{Key: "k", Value: 1.5}, {Key: "l", Remove: true}}}}}))
		}},
		{"DescribeUserScramCredentials", 0, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.DescribeUserScramCredentials(&sarama.DescribeUserScramCredentialsRequest{Version: v, DescribeUsers: []sarama.DescribeUserScramCredentialsRequestUser{{Name: "u"}}}))
		}},
		{"AlterUserScramCredentials", 0, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.AlterUserScramCredentials(&sarama.AlterUserScramCredentialsRequest{Version: v,
				Deletions:  []sarama.AlterUserScramCredentialsDelete{{Name: "u", Mechanism: sarama.SCRAM_MECHANISM_SHA_256}},
				Upsertions: []sarama.AlterUserScramCredentialsUpsert{{Name: "u", Mechanism: sarama.SCRAM_MECHANISM_SHA_512, Iterations: 4096, Salt: []byte("salt"), Password: []byte("secret")}}}))
		}},
	}
}

// clusterExchanges: the cluster, its producers and transactions.
func clusterExchanges() []exchange {
	return []exchange{
		{"UpdateFeatures", 0, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.UpdateFeatures(&sarama.UpdateFeaturesRequest{Version: v, Timeout: time.Second, FeatureUpdates: []sarama.FeatureUpdate{{Feature: "f", MaxVersionLevel: 2, AllowDowngrade: true}}}))
		}},
		{"DescribeCluster", 2, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.DescribeCluster(&sarama.DescribeClusterRequest{Version: v, IncludeClusterAuthorizedOperations: true, EndpointType: sarama.DescribeClusterEndpointTypeBrokers, IncludeFencedBrokers: v >= 2}))
		}},
		{"DescribeProducers", 0, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.DescribeProducers(&sarama.DescribeProducersRequest{Version: v, Topics: []sarama.DescribeProducersRequestTopic{{Name: "t", PartitionIndexes: []int32{0, 1}}}}))
		}},
		{"DescribeTransactions", 0, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.DescribeTransactions(&sarama.DescribeTransactionsRequest{Version: v, TransactionalIDs: []string{"x", "y"}}))
		}},
		{"ListTransactions", 1, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.ListTransactions(&sarama.ListTransactionsRequest{Version: v, StateFilters: []string{"Ongoing"}, ProducerIDFilters: []int64{7}, DurationFilter: 5}))
		}},
	}
}
