package main

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// admin calls all of the admin client but what the other steps have called; each
// call with the first version that Sarama does not refuse it at.
func (p *saramaProgram) admin() error {
	if !p.since(sarama.V0_10_0_0) {
		return nil
	}
	admin, err := sarama.NewClusterAdmin(p.addrs, p.conf)
	if err != nil {
		return err
	}
	var errs []error
	for _, call := range p.adminCalls(admin) {
		if !p.since(call.since) {
			continue
		}
		if err := call.do(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", call.name, err))
		}
	}
	return errors.Join(append(errs, admin.Close())...)
}

type adminCall struct {
	name  string
	since sarama.KafkaVersion
	do    func() error
}

func (p *saramaProgram) adminCalls(a sarama.ClusterAdmin) []adminCall {
	return append(append(p.topicCalls(a), p.groupCalls(a)...), append(p.accessCalls(a), p.transactionCalls(a)...)...)
}

func (p *saramaProgram) topicCalls(a sarama.ClusterAdmin) []adminCall {
	value := "43200000"
	topic := sarama.ConfigResource{Type: sarama.TopicResource, Name: p.topic, ConfigNames: []string{"retention.ms"}}
	spare := p.topic + "-spare"
	return []adminCall{
		{"DescribeTopics", sarama.V0_10_0_0, func() error { _, err := a.DescribeTopics([]string{p.topic, "sarama-missing"}); return err }},
		{"DescribeCluster", sarama.V0_10_0_0, func() error { _, _, err := a.DescribeCluster(); return err }},
		{"DescribeConfig", sarama.V0_11_0_0, func() error { _, err := a.DescribeConfig(topic); return err }},
		{"AlterConfig", sarama.V0_11_0_0, func() error {
			return a.AlterConfig(sarama.TopicResource, p.topic, map[string]*string{"retention.ms": &value}, false)
		}},
		{"IncrementalAlterConfig", sarama.V2_3_0_0, func() error {
			return a.IncrementalAlterConfig(sarama.TopicResource, p.topic, map[string]sarama.IncrementalAlterConfigsEntry{
				"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}}, false)
		}},
		{"CreatePartitions", sarama.V1_0_0_0, func() error { return a.CreatePartitions(p.topic, 2, [][]int32{{1}}, false) }},
		{"DeleteRecords", sarama.V0_11_0_0, func() error { return a.DeleteRecords(p.topic, map[int32]int64{0: 1}) }},
		{"DescribeLogDirs", sarama.V1_0_0_0, func() error { _, err := a.DescribeLogDirs([]int32{1}); return err }},
		{"ElectLeaders", sarama.V2_4_0_0, func() error {
			_, err := a.ElectLeaders(sarama.PreferredElection, map[string][]int32{p.topic: {0}})
			return err
		}},
		{"AlterPartitionReassignments", sarama.V2_4_0_0, func() error { return a.AlterPartitionReassignments(p.topic, [][]int32{{1}, {1}}) }},
		{"ListPartitionReassignments", sarama.V2_4_0_0, func() error { _, err := a.ListPartitionReassignments(p.topic, []int32{0}); return err }},
		{"ListOffsets", sarama.V0_10_1_0, func() error {
			_, err := a.ListOffsets(map[string]map[int32]int64{p.topic: {0: sarama.OffsetNewest}}, nil)
			return err
		}},
		{"DeleteTopic", sarama.V0_10_1_0, func() error {
			return errors.Join(a.CreateTopic(spare, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false), a.DeleteTopic(spare))
		}},
	}
}

func (p *saramaProgram) groupCalls(a sarama.ClusterAdmin) []adminCall {
	return []adminCall{
		{"ListConsumerGroupOffsets", sarama.V0_10_2_0, func() error {
			_, err := a.ListConsumerGroupOffsets(p.group, map[string][]int32{p.topic: {0}})
			return err
		}},
		{"ListConsumerGroupOffsetsBatch", sarama.V3_0_0_0, func() error {
			_, err := a.ListConsumerGroupOffsetsBatch(map[string]map[string][]int32{p.group: {p.topic: {0}}, p.group + "-manual": nil})
			return err
		}},
		{"AlterConsumerGroupOffsets", sarama.V0_10_2_0, func() error {
			_, err := a.AlterConsumerGroupOffsets(p.group+"-manual", map[string]map[int32]sarama.OffsetAndMetadata{p.topic: {0: {Offset: 1, LeaderEpoch: -1, Metadata: "m"}}}, nil)
			return err
		}},
		{"RemoveMember", sarama.V2_4_0_0, func() error {
			_, err := a.RemoveMemberFromConsumerGroup(p.group, []string{"sarama-instance"})
			return err
		}},
		{"DeleteConsumerGroupOffset", sarama.V2_4_0_0, func() error { return a.DeleteConsumerGroupOffset(p.group, p.topic, 0) }},
		{"DeleteConsumerGroup", sarama.V1_1_0_0, func() error { return a.DeleteConsumerGroup(p.group) }},
	}
}

func (p *saramaProgram) accessCalls(a sarama.ClusterAdmin) []adminCall {
	pattern := sarama.AclPatternUnknown
	filter := sarama.AclFilter{ResourceType: sarama.AclResourceTopic, ResourceName: &p.topic, Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny}
	if p.since(sarama.V2_0_0_0) {
		filter.ResourcePatternTypeFilter, pattern = sarama.AclPatternAny, sarama.AclPatternLiteral
	}
	resource := sarama.Resource{ResourceType: sarama.AclResourceTopic, ResourceName: p.topic, ResourcePatternType: pattern}
	acl := sarama.Acl{Principal: "User:ANONYMOUS", Host: "*", Operation: sarama.AclOperationAll, PermissionType: sarama.AclPermissionAllow}
	user := []sarama.QuotaEntityComponent{{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Name: "alice"}}
	return []adminCall{
		{"CreateACL", sarama.V0_11_0_0, func() error { return a.CreateACL(resource, acl) }},
		{"CreateACLs", sarama.V0_11_0_0, func() error {
			return a.CreateACLs([]*sarama.ResourceAcls{{Resource: resource, Acls: []*sarama.Acl{&acl}}})
		}},
		{"ListAcls", sarama.V0_11_0_0, func() error { _, err := a.ListAcls(filter); return err }},
		{"DeleteACL", sarama.V0_11_0_0, func() error { _, err := a.DeleteACL(filter, false); return err }},
		{"AlterClientQuotas", sarama.V2_6_0_0, func() error {
			return a.AlterClientQuotas(user, sarama.ClientQuotasOp{Key: "producer_byte_rate", Value: 1e6}, false)
		}},
		{"DescribeClientQuotas", sarama.V2_6_0_0, func() error {
			_, err := a.DescribeClientQuotas([]sarama.QuotaFilterComponent{{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchAny}}, false)
			return err
		}},
		{"UpsertUserScramCredentials", sarama.V2_7_0_0, func() error {
			_, err := a.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{{
				Name: "alice", Mechanism: sarama.SCRAM_MECHANISM_SHA_256, Iterations: 4096, Salt: []byte("salt"), Password: []byte("pw")}})
			return err
		}},
		{"DescribeUserScramCredentials", sarama.V2_7_0_0, func() error { _, err := a.DescribeUserScramCredentials([]string{"alice", "bob"}); return err }},
		{"DeleteUserScramCredentials", sarama.V2_7_0_0, func() error {
			_, err := a.DeleteUserScramCredentials([]sarama.AlterUserScramCredentialsDelete{{Name: "alice", Mechanism: sarama.SCRAM_MECHANISM_SHA_256}})
			return err
		}},
		{"UpdateFeatures", sarama.V2_7_0_0, func() error {
			// The broker has no such feature and says so.
			_, _ = a.UpdateFeatures([]sarama.FeatureUpdate{{Feature: "golden.feature", MaxVersionLevel: 1}})
			return nil
		}},
	}
}

func (p *saramaProgram) transactionCalls(a sarama.ClusterAdmin) []adminCall {
	t, ok := a.(sarama.TransactionClusterAdmin)
	if !ok {
		return nil
	}
	return []adminCall{
		{"DescribeProducers", sarama.V2_8_0_0, func() error { _, err := t.DescribeProducers(map[string][]int32{p.topic: {0}}); return err }},
		{"DescribeTransactions", sarama.V3_0_0_0, func() error {
			_, err := t.DescribeTransactions([]string{"sarama-txn-" + p.conf.Version.String()})
			return err
		}},
		{"ListTransactions", sarama.V3_0_0_0, func() error { _, err := t.ListTransactions(nil, nil, -1); return err }},
	}
}
