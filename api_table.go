package sarama

const (
	keyProduce                      = 0
	keyFetch                        = 1
	keyListOffsets                  = 2
	keyMetadata                     = 3
	keyOffsetCommit                 = 8
	keyOffsetFetch                  = 9
	keyFindCoordinator              = 10
	keyJoinGroup                    = 11
	keyHeartbeat                    = 12
	keyLeaveGroup                   = 13
	keySyncGroup                    = 14
	keyDescribeGroups               = 15
	keyListGroups                   = 16
	keySaslHandshake                = 17
	keyApiVersions                  = 18
	keyCreateTopics                 = 19
	keyDeleteTopics                 = 20
	keyDeleteRecords                = 21
	keyInitProducerID               = 22
	keyOffsetForLeaderEpoch         = 23
	keyAddPartitionsToTxn           = 24
	keyAddOffsetsToTxn              = 25
	keyEndTxn                       = 26
	keyTxnOffsetCommit              = 28
	keyDescribeAcls                 = 29
	keyCreateAcls                   = 30
	keyDeleteAcls                   = 31
	keyDescribeConfigs              = 32
	keyAlterConfigs                 = 33
	keyDescribeLogDirs              = 35
	keySaslAuthenticate             = 36
	keyCreatePartitions             = 37
	keyDeleteGroups                 = 42
	keyElectLeaders                 = 43
	keyIncrementalAlterConfigs      = 44
	keyAlterPartitionReassignments  = 45
	keyListPartitionReassignments   = 46
	keyOffsetDelete                 = 47
	keyDescribeClientQuotas         = 48
	keyAlterClientQuotas            = 49
	keyDescribeUserScramCredentials = 50
	keyAlterUserScramCredentials    = 51
	keyUpdateFeatures               = 57
	keyDescribeCluster              = 60
	keyDescribeProducers            = 61
	keyDescribeTransactions         = 65
	keyListTransactions             = 66
	keyConsumerGroupHeartbeat       = 68
	keyConsumerGroupDescribe        = 69

	keyMax = 92
)

// The table. Its order is that of the keys. It is filled by init because the
// constructors' types refer back to it.
var apis [keyMax + 1]*api

var (
	apiProduce = &api{
		key: keyProduce, name: "Produce", flexible: 9, throttleFirst: 6, sentMax: 10,
		since: []KafkaVersion{V0_8_2_0, V0_10_0_0, V0_10_0_0, V0_11_0_0, V1_0_0_0, V1_0_0_0, V2_0_0_0, V2_1_0_0,
			V2_4_0_0, V2_8_0_0, V3_7_0_0, V3_8_0_0, V4_0_0_0, V4_1_0_0},
	}
	apiFetch = &api{
		key: keyFetch, name: "Fetch", flexible: 12, throttleFirst: 8, sentMax: 12,
		since: []KafkaVersion{V0_8_2_0, V0_9_0_0, V0_10_0_0, V0_10_1_0, V0_11_0_0, V0_11_0_0, V1_0_0_0, V1_1_0_0,
			V2_0_0_0, V2_1_0_0, V2_1_0_0, V2_3_0_0, V2_7_0_0, V3_1_0_0, V3_5_0_0, V3_5_0_0, V3_7_0_0, V3_9_0_0, V4_1_0_0},
	}
	apiListOffsets = &api{
		key: keyListOffsets, name: "ListOffsets", flexible: 6, throttleFirst: 3, sentMax: 6,
		since: []KafkaVersion{V0_8_2_0, V0_10_1_0, V0_11_0_0, V2_0_0_0, V2_1_0_0, V2_2_0_0, V2_8_0_0, V3_0_0_0,
			V3_6_0_0, V3_9_0_0, V4_0_0_0, V4_2_0_0},
	}
	apiMetadata = &api{
		key: keyMetadata, name: "Metadata", flexible: 9, throttleFirst: 6, sentMax: 11,
		since: []KafkaVersion{V0_8_2_0, V0_10_0_0, V0_10_1_0, V0_11_0_0, V0_11_0_0, V1_0_0_0, V2_0_0_0, V2_1_0_0,
			V2_3_0_0, V2_4_0_0, V2_8_0_0, V2_8_0_0, V3_1_0_0, V4_0_0_0},
	}
	apiOffsetCommit = &api{
		key: keyOffsetCommit, name: "OffsetCommit", flexible: 8, throttleFirst: 4, sentMax: 8,
		since: []KafkaVersion{V0_8_2_0, V0_8_2_0, V0_9_0_0, V0_11_0_0, V2_0_0_0, V2_1_0_0, V2_1_0_0, V2_3_0_0, V2_4_0_0,
			V3_7_0_0, V4_2_0_0},
	}
	apiOffsetFetch = &api{
		key: keyOffsetFetch, name: "OffsetFetch", flexible: 6, throttleFirst: 4, sentMax: 8,
		since: []KafkaVersion{V0_8_2_0, V0_8_2_0, V0_10_2_0, V0_11_0_0, V2_0_0_0, V2_1_0_0, V2_4_0_0, V2_5_0_0, V3_0_0_0,
			V3_7_0_0, V4_2_0_0},
	}
	apiFindCoordinator = &api{
		key: keyFindCoordinator, name: "FindCoordinator", flexible: 3, throttleFirst: 2, sentMax: 3,
		since: []KafkaVersion{V0_8_2_0, V0_11_0_0, V2_0_0_0, V2_4_0_0, V3_0_0_0, V3_8_0_0, V3_9_0_0},
	}
	apiJoinGroup = &api{
		key: keyJoinGroup, name: "JoinGroup", flexible: 6, throttleFirst: 3, sentMax: 8,
		since: []KafkaVersion{V0_9_0_0, V0_10_1_0, V0_11_0_0, V2_0_0_0, V2_2_0_0, V2_3_0_0, V2_4_0_0, V2_5_0_0, V3_2_0_0, V3_2_0_0},
	}
	apiHeartbeat = &api{
		key: keyHeartbeat, name: "Heartbeat", flexible: 4, throttleFirst: 2, sentMax: 4,
		since: []KafkaVersion{V0_9_0_0, V0_11_0_0, V2_0_0_0, V2_3_0_0, V2_4_0_0},
	}
	apiLeaveGroup = &api{
		key: keyLeaveGroup, name: "LeaveGroup", flexible: 4, throttleFirst: 2, sentMax: 5,
		since: []KafkaVersion{V0_9_0_0, V0_11_0_0, V2_0_0_0, V2_4_0_0, V2_4_0_0, V3_2_0_0},
	}
	apiSyncGroup = &api{
		key: keySyncGroup, name: "SyncGroup", flexible: 4, throttleFirst: 2, sentMax: 5,
		since: []KafkaVersion{V0_9_0_0, V0_11_0_0, V2_0_0_0, V2_3_0_0, V2_4_0_0, V2_5_0_0},
	}
	apiDescribeGroups = &api{
		key: keyDescribeGroups, name: "DescribeGroups", flexible: 5, throttleFirst: 2, sentMax: 5,
		since: []KafkaVersion{V0_9_0_0, V1_1_0_0, V2_0_0_0, V2_3_0_0, V2_4_0_0, V2_4_0_0, V4_0_0_0},
	}
	apiListGroups = &api{
		key: keyListGroups, name: "ListGroups", flexible: 3, throttleFirst: 2, sentMax: 5,
		since: []KafkaVersion{V0_9_0_0, V0_11_0_0, V2_0_0_0, V2_4_0_0, V2_6_0_0, V3_8_0_0},
	}
	apiSaslHandshake = &api{
		key: keySaslHandshake, name: "SaslHandshake", flexible: -1, throttleFirst: -1, sentMax: 1,
		since: []KafkaVersion{V0_8_2_0, V0_8_2_0}, // Net.SASL.Version chooses
	}
	apiApiVersions = &api{
		key: keyApiVersions, name: "ApiVersions", flexible: 3, throttleFirst: 2, sentMax: 4,
		// Asked before anything is known of the broker, so never gated.
		since: []KafkaVersion{V0_8_2_0, V0_8_2_0, V0_8_2_0, V0_8_2_0, V3_9_0_0},
	}
	apiCreateTopics = &api{
		key: keyCreateTopics, name: "CreateTopics", flexible: 5, throttleFirst: 3, sentMax: 7,
		since: []KafkaVersion{V0_10_1_0, V0_10_2_0, V0_11_0_0, V2_0_0_0, V2_4_0_0, V2_4_0_0, V2_7_0_0, V2_8_0_0},
	}
	apiDeleteTopics = &api{
		key: keyDeleteTopics, name: "DeleteTopics", flexible: 4, throttleFirst: 2, sentMax: 6,
		since: []KafkaVersion{V0_10_1_0, V0_11_0_0, V2_0_0_0, V2_1_0_0, V2_4_0_0, V2_7_0_0, V2_8_0_0},
	}
	apiDeleteRecords = &api{
		key: keyDeleteRecords, name: "DeleteRecords", flexible: 2, throttleFirst: 1, sentMax: 2,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_6_0_0},
	}
	apiInitProducerID = &api{
		key: keyInitProducerID, name: "InitProducerId", flexible: 2, throttleFirst: 1, sentMax: 4,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_4_0_0, V2_5_0_0, V2_7_0_0, V3_8_0_0},
	}
	apiOffsetForLeaderEpoch = &api{
		key: keyOffsetForLeaderEpoch, name: "OffsetForLeaderEpoch", flexible: 4, throttleFirst: -1, sentMax: 4,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_1_0_0, V2_3_0_0, V2_7_0_0},
	}
	apiAddPartitionsToTxn = &api{
		// Versions from 4 on are for brokers.
		key: keyAddPartitionsToTxn, name: "AddPartitionsToTxn", flexible: 3, throttleFirst: 1, sentMax: 3,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_7_0_0, V2_8_0_0, V3_5_0_0, V4_0_0_0},
	}
	apiAddOffsetsToTxn = &api{
		key: keyAddOffsetsToTxn, name: "AddOffsetsToTxn", flexible: 3, throttleFirst: 1, sentMax: 3,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_7_0_0, V2_8_0_0, V3_8_0_0},
	}
	apiEndTxn = &api{
		key: keyEndTxn, name: "EndTxn", flexible: 3, throttleFirst: 1, sentMax: 3,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_7_0_0, V2_8_0_0, V3_8_0_0, V4_0_0_0},
	}
	apiTxnOffsetCommit = &api{
		key: keyTxnOffsetCommit, name: "TxnOffsetCommit", flexible: 3, throttleFirst: 1, sentMax: 3,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_1_0_0, V2_5_0_0, V3_8_0_0, V4_0_0_0},
	}
	apiDescribeAcls = &api{
		key: keyDescribeAcls, name: "DescribeAcls", flexible: 2, throttleFirst: 1, sentMax: 2,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_5_0_0, V3_3_0_0},
	}
	apiCreateAcls = &api{
		key: keyCreateAcls, name: "CreateAcls", flexible: 2, throttleFirst: 1, sentMax: 2,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_5_0_0, V3_3_0_0},
	}
	apiDeleteAcls = &api{
		key: keyDeleteAcls, name: "DeleteAcls", flexible: 2, throttleFirst: 1, sentMax: 2,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_5_0_0, V3_3_0_0},
	}
	apiDescribeConfigs = &api{
		key: keyDescribeConfigs, name: "DescribeConfigs", flexible: 4, throttleFirst: 2, sentMax: 4,
		since: []KafkaVersion{V0_11_0_0, V1_1_0_0, V2_0_0_0, V2_6_0_0, V2_8_0_0},
	}
	apiAlterConfigs = &api{
		key: keyAlterConfigs, name: "AlterConfigs", flexible: 2, throttleFirst: 1, sentMax: 2,
		since: []KafkaVersion{V0_11_0_0, V2_0_0_0, V2_8_0_0},
	}
	apiDescribeLogDirs = &api{
		key: keyDescribeLogDirs, name: "DescribeLogDirs", flexible: 2, throttleFirst: 1, sentMax: 4,
		since: []KafkaVersion{V1_0_0_0, V2_0_0_0, V2_6_0_0, V3_2_0_0, V3_3_0_0, V4_3_0_0},
	}
	apiSaslAuthenticate = &api{
		key: keySaslAuthenticate, name: "SaslAuthenticate", flexible: 2, throttleFirst: -1, sentMax: 2,
		since: []KafkaVersion{V1_0_0_0, V2_2_0_0, V2_5_0_0},
	}
	apiCreatePartitions = &api{
		key: keyCreatePartitions, name: "CreatePartitions", flexible: 2, throttleFirst: 1, sentMax: 3,
		since: []KafkaVersion{V1_0_0_0, V2_0_0_0, V2_5_0_0, V2_7_0_0},
	}
	apiDeleteGroups = &api{
		key: keyDeleteGroups, name: "DeleteGroups", flexible: 2, throttleFirst: 1, sentMax: 2,
		since: []KafkaVersion{V1_1_0_0, V2_0_0_0, V2_4_0_0},
	}
	apiElectLeaders = &api{
		key: keyElectLeaders, name: "ElectLeaders", flexible: 2, throttleFirst: 0, sentMax: 2,
		since: []KafkaVersion{V0_10_0_0, V0_11_0_0, V2_4_0_0},
	}
	apiIncrementalAlterConfigs = &api{
		key: keyIncrementalAlterConfigs, name: "IncrementalAlterConfigs", flexible: 1, throttleFirst: 0, sentMax: 1,
		since: []KafkaVersion{V2_3_0_0, V2_4_0_0},
	}
	apiAlterPartitionReassignments = &api{
		key: keyAlterPartitionReassignments, name: "AlterPartitionReassignments", flexible: 0, throttleFirst: 0, sentMax: 0,
		since: []KafkaVersion{V2_4_0_0, V4_1_0_0},
	}
	apiListPartitionReassignments = &api{
		key: keyListPartitionReassignments, name: "ListPartitionReassignments", flexible: 0, throttleFirst: 0, sentMax: 0,
		since: []KafkaVersion{V2_4_0_0},
	}
	apiOffsetDelete = &api{
		key: keyOffsetDelete, name: "OffsetDelete", flexible: -1, throttleFirst: 0, sentMax: 0,
		since: []KafkaVersion{V2_4_0_0},
	}
	apiDescribeClientQuotas = &api{
		key: keyDescribeClientQuotas, name: "DescribeClientQuotas", flexible: 1, throttleFirst: 0, sentMax: 1,
		since: []KafkaVersion{V2_6_0_0, V2_8_0_0},
	}
	apiAlterClientQuotas = &api{
		key: keyAlterClientQuotas, name: "AlterClientQuotas", flexible: 1, throttleFirst: 0, sentMax: 1,
		since: []KafkaVersion{V2_6_0_0, V2_8_0_0},
	}
	apiDescribeUserScramCredentials = &api{
		key: keyDescribeUserScramCredentials, name: "DescribeUserScramCredentials", flexible: 0, throttleFirst: 0, sentMax: 0,
		since: []KafkaVersion{V2_7_0_0},
	}
	apiAlterUserScramCredentials = &api{
		key: keyAlterUserScramCredentials, name: "AlterUserScramCredentials", flexible: 0, throttleFirst: 0, sentMax: 0,
		since: []KafkaVersion{V2_7_0_0},
	}
	apiUpdateFeatures = &api{
		key: keyUpdateFeatures, name: "UpdateFeatures", flexible: 0, throttleFirst: 0, sentMax: 0,
		since: []KafkaVersion{V2_7_0_0, V3_3_0_0, V4_0_0_0},
	}
	apiDescribeCluster = &api{
		key: keyDescribeCluster, name: "DescribeCluster", flexible: 0, throttleFirst: 0, sentMax: 2,
		since: []KafkaVersion{V2_8_0_0, V3_7_0_0, V4_0_0_0},
	}
	apiDescribeProducers = &api{
		key: keyDescribeProducers, name: "DescribeProducers", flexible: 0, throttleFirst: 0, sentMax: 0,
		since: []KafkaVersion{V2_8_0_0},
	}
	apiDescribeTransactions = &api{
		key: keyDescribeTransactions, name: "DescribeTransactions", flexible: 0, throttleFirst: 0, sentMax: 0,
		since: []KafkaVersion{V3_0_0_0},
	}
	apiListTransactions = &api{
		key: keyListTransactions, name: "ListTransactions", flexible: 0, throttleFirst: 0, sentMax: 1,
		since: []KafkaVersion{V3_0_0_0, V3_8_0_0, V4_1_0_0},
	}
	apiConsumerGroupHeartbeat = &api{
		key: keyConsumerGroupHeartbeat, name: "ConsumerGroupHeartbeat", flexible: 0, throttleFirst: 0, sentMax: 1,
		since: []KafkaVersion{V3_7_0_0, V4_0_0_0},
	}
	apiConsumerGroupDescribe = &api{
		key: keyConsumerGroupDescribe, name: "ConsumerGroupDescribe", flexible: 0, throttleFirst: 0, sentMax: 1,
		since: []KafkaVersion{V3_7_0_0, V4_0_0_0},
	}
)

func init() {
	enter[ProduceRequest, ProduceResponse](apiProduce)
	enter[FetchRequest, FetchResponse](apiFetch)
	enter[OffsetRequest, OffsetResponse](apiListOffsets)
	enter[MetadataRequest, MetadataResponse](apiMetadata)
	enter[OffsetCommitRequest, OffsetCommitResponse](apiOffsetCommit)
	enter[OffsetFetchRequest, OffsetFetchResponse](apiOffsetFetch)
	enter[FindCoordinatorRequest, FindCoordinatorResponse](apiFindCoordinator)
	enter[JoinGroupRequest, JoinGroupResponse](apiJoinGroup)
	enter[HeartbeatRequest, HeartbeatResponse](apiHeartbeat)
	enter[LeaveGroupRequest, LeaveGroupResponse](apiLeaveGroup)
	enter[SyncGroupRequest, SyncGroupResponse](apiSyncGroup)
	enter[DescribeGroupsRequest, DescribeGroupsResponse](apiDescribeGroups)
	enter[ListGroupsRequest, ListGroupsResponse](apiListGroups)
	enter[SaslHandshakeRequest, SaslHandshakeResponse](apiSaslHandshake)
	enter[ApiVersionsRequest, ApiVersionsResponse](apiApiVersions)
	enter[CreateTopicsRequest, CreateTopicsResponse](apiCreateTopics)
	enter[DeleteTopicsRequest, DeleteTopicsResponse](apiDeleteTopics)
	enter[DeleteRecordsRequest, DeleteRecordsResponse](apiDeleteRecords)
	enter[InitProducerIDRequest, InitProducerIDResponse](apiInitProducerID)
	enter[epochEndRequest, epochEndResponse](apiOffsetForLeaderEpoch)
	enter[AddPartitionsToTxnRequest, AddPartitionsToTxnResponse](apiAddPartitionsToTxn)
	enter[AddOffsetsToTxnRequest, AddOffsetsToTxnResponse](apiAddOffsetsToTxn)
	enter[EndTxnRequest, EndTxnResponse](apiEndTxn)
	enter[TxnOffsetCommitRequest, TxnOffsetCommitResponse](apiTxnOffsetCommit)
	enter[DescribeAclsRequest, DescribeAclsResponse](apiDescribeAcls)
	enter[CreateAclsRequest, CreateAclsResponse](apiCreateAcls)
	enter[DeleteAclsRequest, DeleteAclsResponse](apiDeleteAcls)
	enter[DescribeConfigsRequest, DescribeConfigsResponse](apiDescribeConfigs)
	enter[AlterConfigsRequest, AlterConfigsResponse](apiAlterConfigs)
	enter[DescribeLogDirsRequest, DescribeLogDirsResponse](apiDescribeLogDirs)
	enter[SaslAuthenticateRequest, SaslAuthenticateResponse](apiSaslAuthenticate)
	enter[CreatePartitionsRequest, CreatePartitionsResponse](apiCreatePartitions)
	enter[DeleteGroupsRequest, DeleteGroupsResponse](apiDeleteGroups)
	enter[ElectLeadersRequest, ElectLeadersResponse](apiElectLeaders)
	enter[IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse](apiIncrementalAlterConfigs)
	enter[AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse](apiAlterPartitionReassignments)
	enter[ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse](apiListPartitionReassignments)
	enter[DeleteOffsetsRequest, DeleteOffsetsResponse](apiOffsetDelete)
	enter[DescribeClientQuotasRequest, DescribeClientQuotasResponse](apiDescribeClientQuotas)
	enter[AlterClientQuotasRequest, AlterClientQuotasResponse](apiAlterClientQuotas)
	enter[DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse](apiDescribeUserScramCredentials)
	enter[AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse](apiAlterUserScramCredentials)
	enter[UpdateFeaturesRequest, UpdateFeaturesResponse](apiUpdateFeatures)
	enter[DescribeClusterRequest, DescribeClusterResponse](apiDescribeCluster)
	enter[DescribeProducersRequest, DescribeProducersResponse](apiDescribeProducers)
	enter[DescribeTransactionsRequest, DescribeTransactionsResponse](apiDescribeTransactions)
	enter[ListTransactionsRequest, ListTransactionsResponse](apiListTransactions)
	enter[ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse](apiConsumerGroupHeartbeat)
	enter[ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse](apiConsumerGroupDescribe)
}

// enter puts an API and the types of its messages into the table.
func enter[Q, R any, request bodyOf[Q], response bodyOf[R]](a *api) {
	a.request = func() body { return request(new(Q)) }
	a.response = func() body { return response(new(R)) }
	apis[a.key] = a
}
