package main

import (
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// any2 forgets the type of a response.
func any2[R any](r R, err error) (any, error) { return r, err }

// Strings that requests point to.
var x, instance, why = "x", "i", "because"

// exchanges are those of all subjects.
func exchanges() []exchange {
	return slices.Concat(recordExchanges(), offsetExchanges(), memberExchanges(), groupExchanges(), topicExchanges(), txnExchanges(), ruleExchanges(),
		partitionExchanges(), settingExchanges(), userExchanges(), clusterExchanges())
}

func batch() *sarama.RecordBatch {
	return &sarama.RecordBatch{Version: 2, FirstTimestamp: time.UnixMilli(1000), MaxTimestamp: time.UnixMilli(2000), LastOffsetDelta: 1, ProducerID: 7, ProducerEpoch: 1, FirstSequence: 3,
		Records: []*sarama.Record{{Key: []byte("k"), Value: []byte("v"), Headers: []*sarama.RecordHeader{{Key: []byte("h"), Value: []byte("1")}}}, {OffsetDelta: 1, TimestampDelta: time.Second, Value: []byte("w")}}}
}

// recordExchanges: records and where they are.
func recordExchanges() []exchange {
	return []exchange{
		{"Produce", 10, func(b *sarama.Broker, v int16) (any, error) {
			r := &sarama.ProduceRequest{Version: v, RequiredAcks: sarama.WaitForAll, Timeout: 1000}
			if v >= 3 {
				r.TransactionalID = &x
				r.AddBatch("t", 1, batch())
			} else {
				r.AddMessage("t", 1, &sarama.Message{Key: []byte("k"), Value: []byte("v"), Version: int8(min(v, 2) / 2), Timestamp: time.UnixMilli(1000)})
			}
			return any2(b.Produce(r))
		}},
		{"Fetch", 12, func(b *sarama.Broker, v int16) (any, error) {
			r := &sarama.FetchRequest{Version: v, MaxWaitTime: 500, MinBytes: 1, MaxBytes: 1 << 20, SessionEpoch: -1, RackID: "r"}
			if v >= 4 {
				r.Isolation = sarama.ReadCommitted
			}
			r.AddBlock("t", 1, 5, 1<<20, 3)
			return any2(b.Fetch(r))
		}},
		{"Offset", 6, func(b *sarama.Broker, v int16) (any, error) {
			r := &sarama.OffsetRequest{Version: v}
			r.AddBlock("t", 1, sarama.OffsetNewest, 2)
			return any2(b.GetAvailableOffsets(r))
		}},
		{"Metadata", 11, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.GetMetadata(&sarama.MetadataRequest{Version: v, Topics: []string{"t", "u"}, AllowAutoTopicCreation: true}))
		}},
	}
}

// offsetExchanges: groups' offsets and coordinators.
func offsetExchanges() []exchange {
	return []exchange{
		{"OffsetCommit", 8, func(b *sarama.Broker, v int16) (any, error) {
			r := &sarama.OffsetCommitRequest{Version: v, ConsumerGroup: "g", ConsumerGroupGeneration: 3, ConsumerID: "m", RetentionTime: 100}
			if v >= 7 {
				r.GroupInstanceId = &instance
			}
			r.AddBlockWithLeaderEpoch("t", 1, 9, 4, 1000, "meta")
			return any2(b.CommitOffset(r))
		}},
		{"OffsetFetch", 8, func(b *sarama.Broker, v int16) (any, error) {
			r := &sarama.OffsetFetchRequest{Version: v, ConsumerGroup: "g", RequireStable: v >= 7}
			if v >= 8 {
				r.AddGroupPartition("g", "t", 1)
				r.AddGroupPartition("h", "u", 2)
			} else {
				r.AddPartition("t", 1)
			}
			return any2(b.FetchOffset(r))
		}},
		{"FindCoordinator", 3, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.FindCoordinator(&sarama.FindCoordinatorRequest{Version: v, CoordinatorKey: "g", CoordinatorType: sarama.CoordinatorType(min(v, 1))}))
		}},
		{"ConsumerMetadata", 1, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.GetConsumerMetadata(&sarama.ConsumerMetadataRequest{Version: v, ConsumerGroup: "g"}))
		}},
		{"DeleteOffsets", 0, func(b *sarama.Broker, v int16) (any, error) {
			r := &sarama.DeleteOffsetsRequest{Version: v, Group: "g"}
			r.AddPartition("t", 1)
			return any2(b.DeleteOffsets(r))
		}},
	}
}

// memberExchanges: members of groups.
func memberExchanges() []exchange {
	return []exchange{
		{"JoinGroup", 8, func(b *sarama.Broker, v int16) (any, error) {
			r := &sarama.JoinGroupRequest{Version: v, GroupId: "g", SessionTimeout: 10000, RebalanceTimeout: 20000, MemberId: "m", ProtocolType: "consumer"}
			if v >= 5 {
				r.GroupInstanceId = &instance
			}
			if v >= 8 {
				r.Reason = &why
			}
			if err := r.AddGroupProtocolMetadata("range", &sarama.ConsumerGroupMemberMetadata{Version: 1, Topics: []string{"t"}, UserData: []byte("u")}); err != nil {
				return nil, err
			}
			return any2(b.JoinGroup(r))
		}},
		{"Heartbeat", 4, func(b *sarama.Broker, v int16) (any, error) {
			r := &sarama.HeartbeatRequest{Version: v, GroupId: "g", GenerationId: 3, MemberId: "m"}
			if v >= 3 {
				r.GroupInstanceId = &instance
			}
			return any2(b.Heartbeat(r))
		}},
		{"LeaveGroup", 5, func(b *sarama.Broker, v int16) (any, error) {
			r := &sarama.LeaveGroupRequest{Version: v, GroupId: "g", MemberId: "m"}
			if v >= 3 {
				r.Members = []sarama.MemberIdentity{{MemberId: "m", GroupInstanceId: &instance}}
			}
			return any2(b.LeaveGroup(r))
		}},
		{"SyncGroup", 5, func(b *sarama.Broker, v int16) (any, error) {
			r := &sarama.SyncGroupRequest{Version: v, GroupId: "g", GenerationId: 3, MemberId: "m", GroupAssignments: []sarama.SyncGroupRequestAssignment{{MemberId: "m", Assignment: []byte("a")}}}
			if v >= 3 {
				r.GroupInstanceId = &instance
			}
			return any2(b.SyncGroup(r))
		}},
	}
}

// groupExchanges: groups.
func groupExchanges() []exchange {
	return []exchange{
		{"DescribeGroups", 5, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.DescribeGroups(&sarama.DescribeGroupsRequest{Version: v, Groups: []string{"g", "h"}, IncludeAuthorizedOperations: v >= 3}))
		}},
		{"ListGroups", 5, func(b *sarama.Broker, v int16) (any, error) {
			r := &sarama.ListGroupsRequest{Version: v}
			if v >= 4 {
				r.StatesFilter = []string{"Stable"}
			}
			if v >= 5 {
				r.TypesFilter = []string{"classic"}
			}
			return any2(b.ListGroups(r))
		}},
		{"ConsumerGroupDescribe", 1, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.ConsumerGroupDescribe(&sarama.ConsumerGroupDescribeRequest{Version: v, GroupIDs: []string{"g"}, IncludeAuthorizedOperations: true}))
		}},
		{"DeleteGroups", 2, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.DeleteGroups(&sarama.DeleteGroupsRequest{Version: v, Groups: []string{"g", "h"}}))
		}},
	}
}

// topicExchanges: topics, and the versions of all APIs.
func topicExchanges() []exchange {
	return []exchange{
		{"ApiVersions", 4, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.ApiVersions(&sarama.ApiVersionsRequest{Version: v, ClientSoftwareName: "n", ClientSoftwareVersion: "1"}))
		}},
		{"CreateTopics", 7, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.CreateTopics(&sarama.CreateTopicsRequest{Version: v, Timeout: time.Second, ValidateOnly: v >= 1, TopicDetails: map[string]*sarama.TopicDetail{
				"t": {NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"k": &x}}}}))
		}},
		{"CreateTopics, assigned", 7, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.CreateTopics(&sarama.CreateTopicsRequest{Version: v, Timeout: time.Second, TopicDetails: map[string]*sarama.TopicDetail{
				"u": {NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {1, 2}}}}}))
		}},
		{"DeleteTopics", 6, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.DeleteTopics(&sarama.DeleteTopicsRequest{Version: v, Timeout: time.Second, Topics: []string{"t", "u"}}))
		}},
	}
}

// txnExchanges: transactions.
func txnExchanges() []exchange {
	return []exchange{
		{"InitProducerID", 4, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.InitProducerID(&sarama.InitProducerIDRequest{Version: v, TransactionalID: &x, TransactionTimeout: time.Second, ProducerID: 7, ProducerEpoch: 1}))
		}},
		{"AddPartitionsToTxn", 3, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.AddPartitionsToTxn(&sarama.AddPartitionsToTxnRequest{Version: v, TransactionalID: x, ProducerID: 7, ProducerEpoch: 1, TopicPartitions: map[string][]int32{"t": {0, 1}}}))
		}},
		{"AddOffsetsToTxn", 3, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.AddOffsetsToTxn(&sarama.AddOffsetsToTxnRequest{Version: v, TransactionalID: x, ProducerID: 7, ProducerEpoch: 1, GroupID: "g"}))
		}},
		{"EndTxn", 3, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.EndTxn(&sarama.EndTxnRequest{Version: v, TransactionalID: x, ProducerID: 7, ProducerEpoch: 1, TransactionResult: true}))
		}},
		{"TxnOffsetCommit", 3, func(b *sarama.Broker, v int16) (any, error) {
			return any2(b.TxnOffsetCommit(&sarama.TxnOffsetCommitRequest{Version: v, TransactionalID: x, GroupID: "g", ProducerID: 7, ProducerEpoch: 1, GenerationID: 2, MemberID: "m",
				Topics: map[string][]*sarama.PartitionOffsetMetadata{"t": {{Partition: 1, Offset: 9, LeaderEpoch: 3, Metadata: &x}}}}))
		}},
	}
}
