package main

import (
	"context"
	"fmt"
	"log"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func logRound(walk string, i int, err error) { log.Printf("kmsg: %s, round %d: %v", walk, i, err) }

// Access rules as Kafka numbers them: reading is allowed.
const aclRead = kmsg.ACLOperation(3)

// admin sends what changes something.
func (l *lab) admin() {
	l.each(kmsg.CreatePartitions, func(v int16) error {
		topic := fmt.Sprintf("golden-grow-%d", v)
		create := kmsg.NewPtrCreateTopicsRequest()
		create.Topics, create.TimeoutMillis = []kmsg.CreateTopicsRequestTopic{newTopic(topic, 1)}, 10000
		if _, err := l.call(create, l.nth(kmsg.CreateTopics, 99)); err != nil {
			return err
		}
		for _, to := range []string{topic, missingTopic} {
			t := kmsg.NewCreatePartitionsRequestTopic()
			t.Topic, t.Count = to, 2
			t.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{1}}}
			r := kmsg.NewPtrCreatePartitionsRequest()
			r.Topics, r.TimeoutMillis = []kmsg.CreatePartitionsRequestTopic{t}, 10000
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		return nil
	})
	l.all(kmsg.DeleteRecords, func(int16) kmsg.Request {
		r := kmsg.NewPtrDeleteRecordsRequest()
		t := kmsg.NewDeleteRecordsRequestTopic()
		t.Topic = goldenTopic
		t.Partitions = []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: 1}, {Partition: 1, Offset: 1_000_000}}
		r.Topics, r.TimeoutMillis = []kmsg.DeleteRecordsRequestTopic{t}, 10000
		return r
	})
	l.configs()
	l.acls()
	l.quotas()
	l.placement()
}

func (l *lab) configs() {
	value, wrong := "86400000", "soon"
	l.each(kmsg.AlterConfigs, func(v int16) error {
		for _, to := range []*string{&value, &wrong} {
			r := kmsg.NewPtrAlterConfigsRequest()
			c := kmsg.NewAlterConfigsRequestResource()
			c.ResourceType, c.ResourceName = kmsg.ConfigResourceTypeTopic, goldenTopic
			c.Configs = []kmsg.AlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: to}}
			r.Resources = []kmsg.AlterConfigsRequestResource{c}
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		return nil
	})
	l.each(kmsg.IncrementalAlterConfigs, func(v int16) error {
		for _, to := range []*string{&value, &wrong} {
			r := kmsg.NewPtrIncrementalAlterConfigsRequest()
			c := kmsg.NewIncrementalAlterConfigsRequestResource()
			c.ResourceType, c.ResourceName = kmsg.ConfigResourceTypeTopic, goldenTopic
			c.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{
				{Name: "retention.ms", Op: kmsg.IncrementalAlterConfigOpSet, Value: to},
				{Name: "segment.bytes", Op: kmsg.IncrementalAlterConfigOpDelete},
			}
			r.Resources = []kmsg.IncrementalAlterConfigsRequestResource{c}
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		return nil
	})
	l.each(kmsg.DescribeConfigs, func(v int16) error {
		for _, of := range []struct {
			kind kmsg.ConfigResourceType
			name string
			keys []string
		}{
			{kmsg.ConfigResourceTypeTopic, goldenTopic, []string{"retention.ms", "cleanup.policy"}},
			{kmsg.ConfigResourceTypeBroker, "1", []string{"num.partitions", "ssl.key.password"}},
			{kmsg.ConfigResourceTypeTopic, missingTopic, []string{}},
		} {
			r := kmsg.NewPtrDescribeConfigsRequest()
			r.IncludeSynonyms, r.IncludeDocumentation = true, of.name == goldenTopic
			r.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: of.kind, ResourceName: of.name, ConfigNames: of.keys}}
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *lab) acls() {
	l.each(kmsg.CreateACLs, func(v int16) error {
		for _, principal := range []string{"User:alice", "nobody"} {
			c := kmsg.NewCreateACLsRequestCreation()
			c.ResourceType, c.ResourceName = kmsg.ACLResourceTypeTopic, "golden-acl"
			if v > 0 {
				c.ResourcePatternType = kmsg.ACLResourcePatternTypePrefixed
			}
			c.Principal, c.Host, c.Operation, c.PermissionType = principal, "*", aclRead, kmsg.ACLPermissionTypeAllow
			r := kmsg.NewPtrCreateACLsRequest()
			r.Creations = []kmsg.CreateACLsRequestCreation{c}
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		return nil
	})
	name := "golden-acl"
	l.all(kmsg.DescribeACLs, func(v int16) kmsg.Request {
		r := kmsg.NewPtrDescribeACLsRequest()
		r.ResourceType, r.Operation, r.PermissionType = kmsg.ACLResourceTypeTopic, aclRead, kmsg.ACLPermissionTypeAny
		r.ResourceName = &name
		if v > 0 {
			r.ResourcePatternType = kmsg.ACLResourcePatternTypeAny
		}
		return r
	})
	l.all(kmsg.DeleteACLs, func(v int16) kmsg.Request {
		f := kmsg.NewDeleteACLsRequestFilter()
		f.ResourceType, f.Operation, f.PermissionType = kmsg.ACLResourceTypeTopic, aclRead, kmsg.ACLPermissionTypeAny
		f.ResourceName = &name
		if v > 0 {
			f.ResourcePatternType = kmsg.ACLResourcePatternTypeAny
		}
		r := kmsg.NewPtrDeleteACLsRequest()
		r.Filters = []kmsg.DeleteACLsRequestFilter{f}
		return r
	})
}

func (l *lab) quotas() {
	user := "alice"
	l.all(kmsg.AlterClientQuotas, func(int16) kmsg.Request {
		e := kmsg.NewAlterClientQuotasRequestEntry()
		e.Entity = []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "user", Name: &user}, {Type: "client-id"}}
		e.Ops = []kmsg.AlterClientQuotasRequestEntryOp{{Key: "producer_byte_rate", Value: 1e6}, {Key: "request_percentage", Remove: true}}
		r := kmsg.NewPtrAlterClientQuotasRequest()
		r.Entries = []kmsg.AlterClientQuotasRequestEntry{e}
		return r
	})
	l.all(kmsg.DescribeClientQuotas, func(int16) kmsg.Request {
		r := kmsg.NewPtrDescribeClientQuotasRequest()
		r.Components = []kmsg.DescribeClientQuotasRequestComponent{{EntityType: "user", MatchType: kmsg.QuotasMatchTypeExact, Match: &user}}
		return r
	})
	l.all(kmsg.AlterUserSCRAMCredentials, func(int16) kmsg.Request {
		r := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
		r.Upsertions = []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{{
			Name: user, Mechanism: 1, Iterations: 4096, Salt: []byte("sixteen bytes it"), SaltedPassword: make([]byte, 32),
		}}
		r.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "golden-stranger", Mechanism: 2}}
		return r
	})
	l.all(kmsg.DescribeUserSCRAMCredentials, func(int16) kmsg.Request {
		r := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
		r.Users = []kmsg.DescribeUserSCRAMCredentialsRequestUser{{Name: user}, {Name: "golden-stranger"}}
		return r
	})
	l.all(kmsg.CreateDelegationToken, func(int16) kmsg.Request {
		r := kmsg.NewPtrCreateDelegationTokenRequest()
		r.MaxLifetimeMillis = 1000
		return r
	})
	l.all(kmsg.UpdateFeatures, func(int16) kmsg.Request {
		r := kmsg.NewPtrUpdateFeaturesRequest()
		f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		f.Feature, f.MaxVersionLevel, f.UpgradeType = "golden.feature", 1, 1
		r.FeatureUpdates, r.TimeoutMillis = []kmsg.UpdateFeaturesRequestFeatureUpdate{f}, 10000
		return r
	})
}

// placement sends what moves leaders and replicas.
func (l *lab) placement() {
	l.each(kmsg.ElectLeaders, func(v int16) error {
		for _, partitions := range [][]int32{{0}, {7}} {
			r := kmsg.NewPtrElectLeadersRequest()
			r.Topics, r.TimeoutMillis = []kmsg.ElectLeadersRequestTopic{{Topic: goldenTopic, Partitions: partitions}}, 10000
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		return nil
	})
	l.each(kmsg.AlterPartitionAssignments, func(v int16) error {
		for _, replicas := range [][]int32{{1}, {1, 7}, nil} {
			t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
			t.Topic = goldenTopic
			t.Partitions = []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: 0, Replicas: replicas}}
			r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
			r.Topics, r.TimeoutMillis = []kmsg.AlterPartitionAssignmentsRequestTopic{t}, 10000
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		return nil
	})
	l.all(kmsg.ListPartitionReassignments, func(int16) kmsg.Request {
		r := kmsg.NewPtrListPartitionReassignmentsRequest()
		r.TimeoutMillis = 10000
		r.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: goldenTopic, Partitions: []int32{0, 1}}}
		return r
	})
}

// reports sends what only asks.
func (l *lab) reports() {
	l.all(kmsg.DescribeLogDirs, func(int16) kmsg.Request {
		r := kmsg.NewPtrDescribeLogDirsRequest()
		r.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: goldenTopic, Partitions: []int32{0, 1}}}
		return r
	})
	l.all(kmsg.DescribeCluster, func(int16) kmsg.Request {
		r := kmsg.NewPtrDescribeClusterRequest()
		r.IncludeClusterAuthorizedOperations, r.EndpointType = true, 1
		return r
	})
	l.all(kmsg.DescribeProducers, func(int16) kmsg.Request {
		r := kmsg.NewPtrDescribeProducersRequest()
		r.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: goldenTopic, Partitions: []int32{1, 7}}}
		return r
	})
	l.all(kmsg.DescribeTransactions, func(int16) kmsg.Request {
		r := kmsg.NewPtrDescribeTransactionsRequest()
		r.TransactionalIDs = []string{"golden-txn-0", "golden-no-txn"}
		return r
	})
	l.all(kmsg.ListTransactions, func(int16) kmsg.Request {
		r := kmsg.NewPtrListTransactionsRequest()
		r.StateFilters, r.DurationFilterMillis = []string{"CompleteCommit", "NoSuchState"}, -1
		return r
	})
	l.all(kmsg.DescribeTopicPartitions, func(int16) kmsg.Request {
		r := kmsg.NewPtrDescribeTopicPartitionsRequest()
		r.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: goldenTopic}, {Topic: missingTopic}}
		return r
	})
	l.all(kmsg.DescribeQuorum, func(int16) kmsg.Request {
		r := kmsg.NewPtrDescribeQuorumRequest()
		t := kmsg.NewDescribeQuorumRequestTopic()
		t.Topic, t.Partitions = "__cluster_metadata", []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}}
		r.Topics = []kmsg.DescribeQuorumRequestTopic{t}
		return r
	})
	l.all(kmsg.DescribeDelegationToken, func(int16) kmsg.Request { return kmsg.NewPtrDescribeDelegationTokenRequest() })
	l.all(kmsg.ListConfigResources, func(int16) kmsg.Request { return kmsg.NewPtrListConfigResourcesRequest() })
	l.all(kmsg.GetTelemetrySubscriptions, func(int16) kmsg.Request { return kmsg.NewPtrGetTelemetrySubscriptionsRequest() })
}

// runSasl authenticates: on the listener that wants it, with a right and a wrong
// password and a mechanism that is not there, and on the one that does not.
func runSasl(ctx context.Context, p *proxy, plain *lab, saslAddr string) error {
	handshake := func(mechanism string) *kmsg.SASLHandshakeRequest {
		r := kmsg.NewPtrSASLHandshakeRequest()
		r.Mechanism = mechanism
		return r
	}
	plain.all(kmsg.SASLHandshake, func(int16) kmsg.Request { return handshake("PLAIN") })
	plain.all(kmsg.SASLAuthenticate, func(int16) kmsg.Request {
		r := kmsg.NewPtrSASLAuthenticateRequest()
		r.SASLAuthBytes = []byte("\x00golden\x00frames")
		return r
	})
	plain.close()
	brokerAddr := p.retarget(saslAddr)
	defer p.setTarget(brokerAddr)
	for v := int16(0); v <= 2; v++ {
		for _, password := range []string{saslPassword, "wrong"} {
			l := &lab{ctx: ctx, addr: p.addr(), formatter: plain.formatter}
			if _, err := l.call(handshake("GOLDEN"), min(v, 1)); err != nil {
				return err
			}
			l.close()
			// Version 0 of the handshake is followed by tokens that are no
			// frames of Kafka's, so only version 1 goes on.
			if _, err := l.call(handshake("PLAIN"), min(v, 1)); err != nil {
				return err
			}
			if v == 0 {
				l.close()
				if _, err := l.call(handshake("PLAIN"), 1); err != nil {
					return err
				}
			}
			r := kmsg.NewPtrSASLAuthenticateRequest()
			r.SASLAuthBytes = []byte("\x00" + saslUser + "\x00" + password)
			if _, err := l.call(r, v); err != nil {
				return err
			}
			l.close()
		}
	}
	return nil
}
