package kmsg_test

import (
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// synonyms are the names that this module has, besides the same one, for
// fields of kmsg's. Case does not count.
var synonyms = map[string][]string{
	"ThrottleMillis":         {"ThrottleTime", "ThrottleTimeMs", "throttle"},
	"TimeoutMillis":          {"Timeout", "TimeoutMs", "TransactionTimeout"},
	"RebalanceTimeoutMillis": {"RebalanceTimeout", "RebalanceTimeoutMs"},
	"ErrorCode":              {"Err"},
	"ErrorMessage":           {"ErrMsg", "ErrorMsg"},
	"Topic":                  {"name", "TopicName"},
	"TopicID":                {"name", "Uuid"},
	"Topics":                 {"blocks", "TopicPartitions"},
	"Partition":              {"id", "PartitionID", "PartitionIndex"},
	"Partitions":             {"PartitionIDs", "PartitionIndexes", "PartitionOffsets"},
	"Brokers":                {"NodeEndpoints", "endpoints"},
	"NodeID":                 {"BrokerID"},
	"Group":                  {"GroupID", "ConsumerGroup"},
	"Generation":             {"GenerationID", "ConsumerGroupGeneration"},
	"MemberID":               {"ConsumerID"},
	"InstanceID":             {"GroupInstanceID"},
	"ResourceType":           {"Type"},
	"ResourceName":           {"Name"},
	"Configs":                {"ConfigEntries"},
	"Rack":                   {"RackID"},
	"State":                  {"GroupState", "TransactionState"},
}

// places says where a field of kmsg's is in this module, where its name does
// not: in each of those that there are, of one or several forms. Two maps have
// a part each of the entries of a list; a dot leads into a broker.
var places = map[string]string{
	"ProduceRequest.TransactionID":                                   "TransactionalID",
	"ProduceRequest.Acks":                                            "RequiredAcks",
	"ProduceRequest.Topics.Partitions.Records":                       "raw",
	"ProduceResponse.Topics":                                         "Blocks topics",
	"ProduceResponse.Topics.Partitions.BaseOffset":                   "Offset",
	"ProduceResponse.Topics.Partitions.LogAppendTime":                "Timestamp",
	"ProduceResponse.Topics.Partitions.LogStartOffset":               "StartOffset",
	"ProduceResponse.Topics.Partitions.ErrorRecords":                 "RecordErrors",
	"ProduceResponse.Topics.Partitions.ErrorRecords.RelativeOffset":  "BatchIndex",
	"ProduceResponse.Topics.Partitions.ErrorRecords.ErrorMessage":    "BatchIndexErrorMessage",
	"FetchRequest.MaxWaitMillis":                                     "MaxWaitTime",
	"FetchRequest.IsolationLevel":                                    "Isolation",
	"FetchRequest.Topics.Partitions.PartitionMaxBytes":               "maxBytes",
	"FetchRequest.ForgottenTopics":                                   "forgotten",
	"FetchResponse.Topics":                                           "Blocks topics",
	"FetchResponse.Topics.Partitions.HighWatermark":                  "HighWaterMarkOffset highWatermark",
	"FetchResponse.Topics.Partitions.AbortedTransactions":            "AbortedTransactions aborted",
	"FetchResponse.Topics.Partitions.RecordBatches":                  "RecordsSet records",
	"FetchResponse.Topics.Partitions.CurrentLeader":                  "CurrentLeader leader",
	"FetchResponse.Topics.Partitions.DivergingEpoch":                 "DivergingEpoch diverging",
	"ListOffsetsRequest.Topics.Partitions.CurrentLeaderEpoch":        "leaderEpoch",
	"ListOffsetsRequest.Topics.Partitions.MaxNumOffsets":             "maxOffsets",
	"ListOffsetsResponse.Topics":                                     "Blocks",
	"ListOffsetsResponse.Topics.Partitions.OldStyleOffsets":          "Offsets",
	"MetadataRequest.Topics.Topic":                                   "value",
	"MetadataResponse.AuthorizedOperations":                          "ClusterAuthorizedOperations",
	"MetadataResponse.Topics.TopicID":                                "Uuid",
	"MetadataResponse.Topics.AuthorizedOperations":                   "TopicAuthorizedOperations",
	"OffsetCommitRequest.RetentionTimeMillis":                        "RetentionTime",
	"OffsetCommitResponse.Topics":                                    "Errors",
	"OffsetFetchRequest.Topics":                                      "partitions",
	"OffsetFetchRequest.Groups.Topics":                               "Partitions",
	"OffsetFetchResponse.Topics":                                     "Blocks",
	"OffsetFetchResponse.Groups.Topics":                              "Blocks",
	"FindCoordinatorRequest.CoordinatorKey":                          "CoordinatorKey ConsumerGroup",
	"FindCoordinatorResponse.NodeID":                                 "Coordinator.NodeID CoordinatorID",
	"FindCoordinatorResponse.Host":                                   "Coordinator.Host CoordinatorHost",
	"FindCoordinatorResponse.Port":                                   "Coordinator.Port CoordinatorPort",
	"FindCoordinatorResponse.Coordinators.NodeID":                    "Coordinator.NodeID",
	"FindCoordinatorResponse.Coordinators.Host":                      "Coordinator.Host",
	"FindCoordinatorResponse.Coordinators.Port":                      "Coordinator.Port",
	"JoinGroupRequest.SessionTimeoutMillis":                          "SessionTimeout",
	"JoinGroupRequest.Protocols":                                     "OrderedGroupProtocols",
	"JoinGroupResponse.Protocol":                                     "GroupProtocol",
	"JoinGroupResponse.Members.ProtocolMetadata":                     "Metadata",
	"SyncGroupRequest.Protocol":                                      "ProtocolName",
	"SyncGroupRequest.GroupAssignment":                               "GroupAssignments",
	"SyncGroupRequest.GroupAssignment.MemberAssignment":              "Assignment",
	"SyncGroupResponse.Protocol":                                     "ProtocolName",
	"DescribeGroupsResponse.Groups.ErrorCode":                        "Err ErrorCode",
	"DescribeGroupsResponse.Groups.Members.ProtocolMetadata":         "MemberMetadata",
	"ListGroupsResponse.Groups":                                      "Groups GroupsData",
	"ListGroupsResponse.Groups.ProtocolType":                         "Groups",
	"SASLHandshakeResponse.SupportedMechanisms":                      "EnabledMechanisms",
	"CreateTopicsRequest.Topics":                                     "TopicDetails",
	"CreateTopicsResponse.Topics":                                    "TopicErrors TopicResults",
	"CreateTopicsResponse.Topics.ConfigErrorCode":                    "TopicConfigErrorCode",
	"CreateTopicsResponse.Topics.Configs.Source":                     "ConfigSource",
	"DeleteTopicsRequest.TopicNames":                                 "Topics",
	"DeleteTopicsRequest.Topics.Topic":                               "value",
	"DeleteTopicsResponse.Topics":                                    "TopicErrorCodes TopicErrorMessages TopicIDs",
	"DeleteTopicsResponse.Topics.ErrorCode":                          "TopicErrorCodes",
	"DeleteTopicsResponse.Topics.ErrorMessage":                       "TopicErrorMessages",
	"DeleteTopicsResponse.Topics.TopicID":                            "TopicIDs",
	"InitProducerIDRequest.TransactionTimeoutMillis":                 "TransactionTimeout",
	"AddPartitionsToTxnResponse.Topics":                              "Errors",
	"AddPartitionsToTxnResponse.Transactions.Topics":                 "Errors",
	"EndTxnRequest.Commit":                                           "TransactionResult",
	"DescribeACLsRequest.ResourcePatternType":                        "ResourcePatternTypeFilter",
	"DescribeACLsResponse.Resources":                                 "ResourceAcls",
	"CreateACLsRequest.Creations":                                    "AclCreations",
	"CreateACLsResponse.Results":                                     "AclCreationResponses",
	"DeleteACLsRequest.Filters.ResourcePatternType":                  "ResourcePatternTypeFilter",
	"DeleteACLsResponse.Results":                                     "FilterResponses",
	"DescribeConfigsResponse.Resources.Configs.IsDefault":            "Default",
	"DescribeConfigsResponse.Resources.Configs.IsSensitive":          "Sensitive",
	"DescribeConfigsResponse.Resources.Configs.ConfigType":           "Type",
	"DescribeConfigsResponse.Resources.Configs.ConfigSynonyms":       "Synonyms",
	"DescribeConfigsResponse.Resources.Configs.ConfigSynonyms.Name":  "ConfigName",
	"DescribeConfigsResponse.Resources.Configs.ConfigSynonyms.Value": "ConfigValue",
	"IncrementalAlterConfigsRequest.Resources.Configs.Op":            "Operation",
	"DescribeLogDirsRequest.Topics":                                  "DescribeTopics",
	"DescribeLogDirsResponse.Dirs":                                   "LogDirs",
	"DescribeLogDirsResponse.Dirs.Dir":                               "Path",
	"DescribeLogDirsResponse.Dirs.Topics.Partitions.IsFuture":        "IsTemporary",
	"SASLAuthenticateResponse.SessionLifetimeMillis":                 "SessionLifetimeMs",
	"CreatePartitionsRequest.Topics.Assignment.Replicas":             "value",
	"CreatePartitionsResponse.Topics":                                "TopicPartitionErrors",
	"DeleteGroupsResponse.Groups":                                    "GroupErrorCodes",
	"ElectLeadersRequest.ElectionType":                               "Type",
	"ElectLeadersResponse.Topics":                                    "ReplicaElectionResults",
	"AlterPartitionAssignmentsRequest.AllowReplicationFactorChange":  "DisallowReplicationFactorChange",
	"AlterPartitionAssignmentsResponse.AllowReplicationFactorChange": "DisallowReplicationFactorChange",
	"AlterPartitionAssignmentsResponse.Topics":                       "Errors",
	"ListPartitionReassignmentsResponse.Topics":                      "TopicStatus",
	"OffsetDeleteRequest.Topics":                                     "partitions",
	"OffsetDeleteRequest.Topics.Partitions.Partition":                "value",
	"OffsetDeleteResponse.Topics":                                    "Errors",
	"DescribeClientQuotasResponse.Entries.Entity.Type":               "EntityType",
	"AlterClientQuotasRequest.Entries.Entity.Type":                   "EntityType",
	"AlterClientQuotasResponse.Entries.Entity.Type":                  "EntityType",
	"DescribeUserSCRAMCredentialsRequest.Users":                      "DescribeUsers",
	"AlterUserSCRAMCredentialsRequest.Upsertions.SaltedPassword":     "salted",
	"DescribeTransactionsResponse.TransactionStates.StartTimestamp":  "TransactionStartTime",
	"ListTransactionsRequest.DurationFilterMillis":                   "DurationFilter",
	"ConsumerGroupHeartbeatResponse.HeartbeatIntervalMillis":         "HeartbeatIntervalMs",
	"ConsumerGroupDescribeRequest.Groups":                            "GroupIDs",
	"ConsumerGroupDescribeResponse.Groups.Epoch":                     "GroupEpoch",
	"ConsumerGroupDescribeResponse.Groups.Members.SubscribedTopics":  "SubscribedTopicNames",
}

// adapters make of a value of this module one that says the same in kmsg's way.
var adapters = map[string]func(reflect.Value) reflect.Value{
	"ListOffsetsRequest.ReplicaID":                                   oneAbove,
	"OffsetForLeaderEpochRequest.ReplicaID":                          oneAbove,
	"OffsetFetchRequest.Groups.MemberEpoch":                          oneAbove,
	"AlterPartitionAssignmentsRequest.AllowReplicationFactorChange":  not,
	"AlterPartitionAssignmentsResponse.AllowReplicationFactorChange": not,
}

// oneAbove is how this module holds what is -1 where nothing was said.
func oneAbove(s reflect.Value) reflect.Value { return reflect.ValueOf(int32(s.Int() - 1)) }

// not is a flag that says the opposite.
func not(s reflect.Value) reflect.Value { return reflect.ValueOf(!s.Bool()) }

// unexpressed are fields of kmsg's that this module has no place for, and why.
// They keep their defaults, which this module writes back.
var unexpressed = map[string]string{
	"FetchRequest.ClusterID":                            "replicas of KRaft say it",
	"FetchRequest.ReplicaID":                            "-1, a consumer: this module fetches as nothing else",
	"FetchRequest.ReplicaState":                         "replicas say it",
	"FetchRequest.Topics.Partitions.ReplicaDirectoryID": "replicas of KRaft say it",
	"FetchRequest.Topics.Partitions.HighWatermark":      "replicas of KRaft say it",
	"FetchResponse.Topics.Partitions.SnapshotID":        "for replicas of KRaft",
	"MetadataRequest.Topics.TopicID":                    "Sarama's request has names alone",
	"DeleteTopicsRequest.Topics.TopicID":                "Sarama's request has names alone",
	"ApiVersionsRequest.ClusterID":                      "version 5, which this module does not have",
	"ApiVersionsRequest.NodeID":                         "version 5, which this module does not have",
	"DeleteGroupsResponse.Groups.ErrorMessage":          "version 3, which this module does not have",
	"TxnOffsetCommitRequest.Topics.TopicID":             "version 6, which this module does not have",
	"TxnOffsetCommitResponse.Topics.TopicID":            "version 6, which this module does not have",
}

// since are the first versions with optional fields, of which kmsg writes and
// reads all in each flexible version.
var since = map[string]int16{
	"ProduceResponse.Brokers":                         10,
	"ProduceResponse.Topics.Partitions.CurrentLeader": 10,
	"FetchResponse.Brokers":                           16,
}

// notNull are fields whose null this module does not tell from an empty value,
// which it writes.
var notNull = map[string]bool{
	"CreateTopicsResponse.Topics.Configs":                            true,
	"DeleteTopicsResponse.Topics.Topic":                              true, // the key of maps
	"MetadataRequest.Topics.Topic":                                   true,
	"OffsetFetchResponse.Topics.Partitions.Metadata":                 true,
	"OffsetFetchResponse.Groups.Topics.Partitions.Metadata":          true,
	"DescribeConfigsResponse.Resources.ErrorMessage":                 true, // brokers say ""
	"DescribeConfigsResponse.Resources.Configs.Value":                true, // but where it is sensitive: see fits
	"DescribeConfigsResponse.Resources.Configs.ConfigSynonyms.Value": true,
}

// notEmpty are fields whose empty value this module takes for null, which it
// writes.
var notEmpty = map[string]bool{
	"MetadataResponse.Topics.Topic":                          true,
	"JoinGroupResponse.Protocol":                             true,
	"DescribeConfigsRequest.Resources.ConfigNames":           true,
	"AlterConfigsResponse.Resources.ErrorMessage":            true,
	"IncrementalAlterConfigsResponse.Resources.ErrorMessage": true,
	"DescribeLogDirsRequest.Topics":                          true,
	"CreatePartitionsRequest.Topics.Assignment":              true,
}

// fits makes values fit together that depend on each other, or that are of a
// kind.
var fits = map[string]func(f *filler, m message){
	"ProduceResponse": func(f *filler, m message) {
		for _, t := range m.(*kmsg.ProduceResponse).Topics {
			for i := range t.Partitions { // a time, or -1 for none
				t.Partitions[i].LogAppendTime = max(-1, t.Partitions[i].LogAppendTime>>16)
			}
		}
	},
	"FetchResponse": func(f *filler, m message) {
		for _, t := range m.(*kmsg.FetchResponse).Topics {
			for i := range t.Partitions {
				t.Partitions[i].RecordBatches = f.records()
			}
		}
	},
	"FindCoordinatorResponse": func(f *filler, m message) { // a negative id is none
		r := m.(*kmsg.FindCoordinatorResponse)
		f.coordinator(&r.NodeID, &r.Host, &r.Port)
		for i := range r.Coordinators {
			c := &r.Coordinators[i]
			f.coordinator(&c.NodeID, &c.Host, &c.Port)
		}
	},
	"ApiVersionsResponse": func(f *filler, m message) { // -1 is none, which 0 is too where there are no features
		r := m.(*kmsg.ApiVersionsResponse)
		if r.FinalizedFeaturesEpoch = max(-1, r.FinalizedFeaturesEpoch); r.FinalizedFeaturesEpoch == 0 {
			r.FinalizedFeaturesEpoch = 1
		}
	},
	"DescribeConfigsResponse": func(f *filler, m message) { // the values of sensitive settings are null
		for _, r := range m.(*kmsg.DescribeConfigsResponse).Resources {
			for i := range r.Configs {
				c := &r.Configs[i]
				if c.IsSensitive = c.IsSensitive && f.rnd.IntN(2) == 0; !c.IsSensitive {
					continue
				}
				c.Value = nil
				for j := range c.ConfigSynonyms {
					c.ConfigSynonyms[j].Value = nil
				}
			}
		}
	},
	"DescribeClientQuotasRequest": func(f *filler, m message) { // a name with "exact", null with "default" and "any"
		list := m.(*kmsg.DescribeClientQuotasRequest).Components
		for i := range list {
			c := &list[i]
			switch c.MatchType = kmsg.QuotasMatchType(f.rnd.IntN(3)); {
			case c.MatchType > 0:
				c.Match = nil
			case c.Match == nil:
				c.Match = kmsg.StringPtr("")
			}
		}
	},
	"UpdateFeaturesRequest": func(f *filler, m message) {
		list := m.(*kmsg.UpdateFeaturesRequest).FeatureUpdates
		for i := range list { // 0 is unknown
			list[i].UpgradeType = 1 + int8(f.rnd.IntN(3))
		}
	},
}

func (f *filler) coordinator(id *int32, host *string, port *int32) {
	*id = int32(abs(int64(*id)))
	if !f.dense && f.rnd.IntN(4) == 0 {
		*id, *host, *port = -1, "", -1
	}
}

// derived are fields of this module that no field of kmsg's stands for, and
// what they are.
var derived = map[string]string{
	"producePartition.records":                 "records to write, as values; see TestRecordsWrittenMeanTheSameToKmsg",
	"FetchResponseBlock.Records":               "the first of RecordsSet",
	"FetchResponseBlock.Partial":               "what is missing at the end of the records",
	"FetchResponse.LogAppendTime":              "for the methods that build a response",
	"FetchResponse.Timestamp":                  "for the methods that build a response",
	"JoinGroupRequest.GroupProtocols":          "OrderedGroupProtocols, as a map",
	"JoinGroupRequest.read":                    "that both lists are the same",
	"AlterUserScramCredentialsUpsert.Password": "what the salted password is made of",
	"QuotaEntityComponent.MatchType":           "whether Name is null, which shows when it is written back",
}
