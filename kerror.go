package sarama

import "strconv"

// KError is an error code of the Kafka protocol, as brokers put it into their
// responses. Responses carry it as a field; 0 (ErrNoError) stands for success.
// It is comparable, so both == and errors.Is find it.
//
// The numbers are those of org.apache.kafka.common.protocol.Errors in Kafka
// 4.3, whose name for the code stands behind each constant.
type KError int16

// The error codes that Sarama 1.61 names.
const (
	ErrUnknown                            KError = -1 // UNKNOWN_SERVER_ERROR
	ErrNoError                            KError = 0  // NONE
	ErrOffsetOutOfRange                   KError = 1  // OFFSET_OUT_OF_RANGE
	ErrInvalidMessage                     KError = 2  // CORRUPT_MESSAGE
	ErrUnknownTopicOrPartition            KError = 3  // UNKNOWN_TOPIC_OR_PARTITION
	ErrInvalidMessageSize                 KError = 4  // INVALID_FETCH_SIZE
	ErrLeaderNotAvailable                 KError = 5  // LEADER_NOT_AVAILABLE
	ErrNotLeaderForPartition              KError = 6  // NOT_LEADER_OR_FOLLOWER
	ErrRequestTimedOut                    KError = 7  // REQUEST_TIMED_OUT
	ErrBrokerNotAvailable                 KError = 8  // BROKER_NOT_AVAILABLE
	ErrReplicaNotAvailable                KError = 9  // REPLICA_NOT_AVAILABLE
	ErrMessageSizeTooLarge                KError = 10 // MESSAGE_TOO_LARGE
	ErrStaleControllerEpochCode           KError = 11 // STALE_CONTROLLER_EPOCH
	ErrOffsetMetadataTooLarge             KError = 12 // OFFSET_METADATA_TOO_LARGE
	ErrNetworkException                   KError = 13 // NETWORK_EXCEPTION
	ErrOffsetsLoadInProgress              KError = 14 // COORDINATOR_LOAD_IN_PROGRESS
	ErrConsumerCoordinatorNotAvailable    KError = 15 // COORDINATOR_NOT_AVAILABLE
	ErrNotCoordinatorForConsumer          KError = 16 // NOT_COORDINATOR
	ErrInvalidTopic                       KError = 17 // INVALID_TOPIC_EXCEPTION
	ErrMessageSetSizeTooLarge             KError = 18 // RECORD_LIST_TOO_LARGE
	ErrNotEnoughReplicas                  KError = 19 // NOT_ENOUGH_REPLICAS
	ErrNotEnoughReplicasAfterAppend       KError = 20 // NOT_ENOUGH_REPLICAS_AFTER_APPEND
	ErrInvalidRequiredAcks                KError = 21 // INVALID_REQUIRED_ACKS
	ErrIllegalGeneration                  KError = 22 // ILLEGAL_GENERATION
	ErrInconsistentGroupProtocol          KError = 23 // INCONSISTENT_GROUP_PROTOCOL
	ErrInvalidGroupId                     KError = 24 // INVALID_GROUP_ID
	ErrUnknownMemberId                    KError = 25 // UNKNOWN_MEMBER_ID
	ErrInvalidSessionTimeout              KError = 26 // INVALID_SESSION_TIMEOUT
	ErrRebalanceInProgress                KError = 27 // REBALANCE_IN_PROGRESS
	ErrInvalidCommitOffsetSize            KError = 28 // INVALID_COMMIT_OFFSET_SIZE
	ErrTopicAuthorizationFailed           KError = 29 // TOPIC_AUTHORIZATION_FAILED
	ErrGroupAuthorizationFailed           KError = 30 // GROUP_AUTHORIZATION_FAILED
	ErrClusterAuthorizationFailed         KError = 31 // CLUSTER_AUTHORIZATION_FAILED
	ErrInvalidTimestamp                   KError = 32 // INVALID_TIMESTAMP
	ErrUnsupportedSASLMechanism           KError = 33 // UNSUPPORTED_SASL_MECHANISM
	ErrIllegalSASLState                   KError = 34 // ILLEGAL_SASL_STATE
	ErrUnsupportedVersion                 KError = 35 // UNSUPPORTED_VERSION
	ErrTopicAlreadyExists                 KError = 36 // TOPIC_ALREADY_EXISTS
	ErrInvalidPartitions                  KError = 37 // INVALID_PARTITIONS
	ErrInvalidReplicationFactor           KError = 38 // INVALID_REPLICATION_FACTOR
	ErrInvalidReplicaAssignment           KError = 39 // INVALID_REPLICA_ASSIGNMENT
	ErrInvalidConfig                      KError = 40 // INVALID_CONFIG
	ErrNotController                      KError = 41 // NOT_CONTROLLER
	ErrInvalidRequest                     KError = 42 // INVALID_REQUEST
	ErrUnsupportedForMessageFormat        KError = 43 // UNSUPPORTED_FOR_MESSAGE_FORMAT
	ErrPolicyViolation                    KError = 44 // POLICY_VIOLATION
	ErrOutOfOrderSequenceNumber           KError = 45 // OUT_OF_ORDER_SEQUENCE_NUMBER
	ErrDuplicateSequenceNumber            KError = 46 // DUPLICATE_SEQUENCE_NUMBER
	ErrInvalidProducerEpoch               KError = 47 // INVALID_PRODUCER_EPOCH
	ErrInvalidTxnState                    KError = 48 // INVALID_TXN_STATE
	ErrInvalidProducerIDMapping           KError = 49 // INVALID_PRODUCER_ID_MAPPING
	ErrInvalidTransactionTimeout          KError = 50 // INVALID_TRANSACTION_TIMEOUT
	ErrConcurrentTransactions             KError = 51 // CONCURRENT_TRANSACTIONS
	ErrTransactionCoordinatorFenced       KError = 52 // TRANSACTION_COORDINATOR_FENCED
	ErrTransactionalIDAuthorizationFailed KError = 53 // TRANSACTIONAL_ID_AUTHORIZATION_FAILED
	ErrSecurityDisabled                   KError = 54 // SECURITY_DISABLED
	ErrOperationNotAttempted              KError = 55 // OPERATION_NOT_ATTEMPTED
	ErrKafkaStorageError                  KError = 56 // KAFKA_STORAGE_ERROR
	ErrLogDirNotFound                     KError = 57 // LOG_DIR_NOT_FOUND
	ErrSASLAuthenticationFailed           KError = 58 // SASL_AUTHENTICATION_FAILED
	ErrUnknownProducerID                  KError = 59 // UNKNOWN_PRODUCER_ID
	ErrReassignmentInProgress             KError = 60 // REASSIGNMENT_IN_PROGRESS
	ErrDelegationTokenAuthDisabled        KError = 61 // DELEGATION_TOKEN_AUTH_DISABLED
	ErrDelegationTokenNotFound            KError = 62 // DELEGATION_TOKEN_NOT_FOUND
	ErrDelegationTokenOwnerMismatch       KError = 63 // DELEGATION_TOKEN_OWNER_MISMATCH
	ErrDelegationTokenRequestNotAllowed   KError = 64 // DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
	ErrDelegationTokenAuthorizationFailed KError = 65 // DELEGATION_TOKEN_AUTHORIZATION_FAILED
	ErrDelegationTokenExpired             KError = 66 // DELEGATION_TOKEN_EXPIRED
	ErrInvalidPrincipalType               KError = 67 // INVALID_PRINCIPAL_TYPE
	ErrNonEmptyGroup                      KError = 68 // NON_EMPTY_GROUP
	ErrGroupIDNotFound                    KError = 69 // GROUP_ID_NOT_FOUND
	ErrFetchSessionIDNotFound             KError = 70 // FETCH_SESSION_ID_NOT_FOUND
	ErrInvalidFetchSessionEpoch           KError = 71 // INVALID_FETCH_SESSION_EPOCH
	ErrListenerNotFound                   KError = 72 // LISTENER_NOT_FOUND
	ErrTopicDeletionDisabled              KError = 73 // TOPIC_DELETION_DISABLED
	ErrFencedLeaderEpoch                  KError = 74 // FENCED_LEADER_EPOCH
	ErrUnknownLeaderEpoch                 KError = 75 // UNKNOWN_LEADER_EPOCH
	ErrUnsupportedCompressionType         KError = 76 // UNSUPPORTED_COMPRESSION_TYPE
	ErrStaleBrokerEpoch                   KError = 77 // STALE_BROKER_EPOCH
	ErrOffsetNotAvailable                 KError = 78 // OFFSET_NOT_AVAILABLE
	ErrMemberIdRequired                   KError = 79 // MEMBER_ID_REQUIRED
	ErrPreferredLeaderNotAvailable        KError = 80 // PREFERRED_LEADER_NOT_AVAILABLE
	ErrGroupMaxSizeReached                KError = 81 // GROUP_MAX_SIZE_REACHED
	ErrFencedInstancedId                  KError = 82 // FENCED_INSTANCE_ID
	ErrEligibleLeadersNotAvailable        KError = 83 // ELIGIBLE_LEADERS_NOT_AVAILABLE
	ErrElectionNotNeeded                  KError = 84 // ELECTION_NOT_NEEDED
	ErrNoReassignmentInProgress           KError = 85 // NO_REASSIGNMENT_IN_PROGRESS
	ErrGroupSubscribedToTopic             KError = 86 // GROUP_SUBSCRIBED_TO_TOPIC
	ErrInvalidRecord                      KError = 87 // INVALID_RECORD
	ErrUnstableOffsetCommit               KError = 88 // UNSTABLE_OFFSET_COMMIT
	ErrThrottlingQuotaExceeded            KError = 89 // THROTTLING_QUOTA_EXCEEDED
	ErrProducerFenced                     KError = 90 // PRODUCER_FENCED
	ErrInvalidUpdateVersion               KError = 95 // INVALID_UPDATE_VERSION
)

// The error codes that came later or that Sarama has no name for.
const (
	ErrResourceNotFound                KError = 91  // RESOURCE_NOT_FOUND
	ErrDuplicateResource               KError = 92  // DUPLICATE_RESOURCE
	ErrUnacceptableCredential          KError = 93  // UNACCEPTABLE_CREDENTIAL
	ErrInconsistentVoterSet            KError = 94  // INCONSISTENT_VOTER_SET
	ErrFeatureUpdateFailed             KError = 96  // FEATURE_UPDATE_FAILED
	ErrPrincipalDeserializationFailure KError = 97  // PRINCIPAL_DESERIALIZATION_FAILURE
	ErrSnapshotNotFound                KError = 98  // SNAPSHOT_NOT_FOUND
	ErrPositionOutOfRange              KError = 99  // POSITION_OUT_OF_RANGE
	ErrUnknownTopicID                  KError = 100 // UNKNOWN_TOPIC_ID
	ErrDuplicateBrokerRegistration     KError = 101 // DUPLICATE_BROKER_REGISTRATION
	ErrBrokerIDNotRegistered           KError = 102 // BROKER_ID_NOT_REGISTERED
	ErrInconsistentTopicID             KError = 103 // INCONSISTENT_TOPIC_ID
	ErrInconsistentClusterID           KError = 104 // INCONSISTENT_CLUSTER_ID
	ErrTransactionalIDNotFound         KError = 105 // TRANSACTIONAL_ID_NOT_FOUND
	ErrFetchSessionTopicIDError        KError = 106 // FETCH_SESSION_TOPIC_ID_ERROR
	ErrIneligibleReplica               KError = 107 // INELIGIBLE_REPLICA
	ErrNewLeaderElected                KError = 108 // NEW_LEADER_ELECTED
	ErrOffsetMovedToTieredStorage      KError = 109 // OFFSET_MOVED_TO_TIERED_STORAGE
	ErrFencedMemberEpoch               KError = 110 // FENCED_MEMBER_EPOCH
	ErrUnreleasedInstanceID            KError = 111 // UNRELEASED_INSTANCE_ID
	ErrUnsupportedAssignor             KError = 112 // UNSUPPORTED_ASSIGNOR
	ErrStaleMemberEpoch                KError = 113 // STALE_MEMBER_EPOCH
	ErrMismatchedEndpointType          KError = 114 // MISMATCHED_ENDPOINT_TYPE
	ErrUnsupportedEndpointType         KError = 115 // UNSUPPORTED_ENDPOINT_TYPE
	ErrUnknownControllerID             KError = 116 // UNKNOWN_CONTROLLER_ID
	ErrUnknownSubscriptionID           KError = 117 // UNKNOWN_SUBSCRIPTION_ID
	ErrTelemetryTooLarge               KError = 118 // TELEMETRY_TOO_LARGE
	ErrInvalidRegistration             KError = 119 // INVALID_REGISTRATION
	ErrTransactionAbortable            KError = 120 // TRANSACTION_ABORTABLE
	ErrInvalidRecordState              KError = 121 // INVALID_RECORD_STATE
	ErrShareSessionNotFound            KError = 122 // SHARE_SESSION_NOT_FOUND
	ErrInvalidShareSessionEpoch        KError = 123 // INVALID_SHARE_SESSION_EPOCH
	ErrFencedStateEpoch                KError = 124 // FENCED_STATE_EPOCH
	ErrInvalidVoterKey                 KError = 125 // INVALID_VOTER_KEY
	ErrDuplicateVoter                  KError = 126 // DUPLICATE_VOTER
	ErrVoterNotFound                   KError = 127 // VOTER_NOT_FOUND
	ErrInvalidRegularExpression        KError = 128 // INVALID_REGULAR_EXPRESSION
	ErrRebootstrapRequired             KError = 129 // REBOOTSTRAP_REQUIRED
	ErrStreamsInvalidTopology          KError = 130 // STREAMS_INVALID_TOPOLOGY
	ErrStreamsInvalidTopologyEpoch     KError = 131 // STREAMS_INVALID_TOPOLOGY_EPOCH
	ErrStreamsTopologyFenced           KError = 132 // STREAMS_TOPOLOGY_FENCED
	ErrShareSessionLimitReached        KError = 133 // SHARE_SESSION_LIMIT_REACHED
)

// Error returns "kafka server: " and what the code means. A code that this
// version does not know prints its number.
func (err KError) Error() string {
	if i := int(err) + 1; i >= 0 && i < len(kerrorTexts) {
		return "kafka server: " + kerrorTexts[i]
	}
	return "Unknown error, how did this happen? Error code = " + strconv.Itoa(int(err))
}

// kerrorTexts holds the meaning of each code at index code+1, as the lowest
// code is -1.
var kerrorTexts = [...]string{
	ErrUnknown + 1:                            "Unexpected (unknown?) server error",
	ErrNoError + 1:                            "Not an error, why are you printing me?",
	ErrOffsetOutOfRange + 1:                   "The requested offset is outside the range of offsets maintained by the server for the given topic/partition",
	ErrInvalidMessage + 1:                     "Message contents does not match its CRC",
	ErrUnknownTopicOrPartition + 1:            "Request was for a topic or partition that does not exist on this broker",
	ErrInvalidMessageSize + 1:                 "The message has a negative size",
	ErrLeaderNotAvailable + 1:                 "In the middle of a leadership election, there is currently no leader for this partition and hence it is unavailable for writes",
	ErrNotLeaderForPartition + 1:              "Tried to send a message to a replica that is not the leader for some partition. Your metadata is out of date",
	ErrRequestTimedOut + 1:                    "Request exceeded the user-specified time limit in the request",
	ErrBrokerNotAvailable + 1:                 "Broker not available. Not a client facing error, we should never receive this!!!",
	ErrReplicaNotAvailable + 1:                "Replica information not available, one or more brokers are down",
	ErrMessageSizeTooLarge + 1:                "Message was too large, server rejected it to avoid allocation error",
	ErrStaleControllerEpochCode + 1:           "StaleControllerEpochCode (internal error code for broker-to-broker communication)",
	ErrOffsetMetadataTooLarge + 1:             "Specified a string larger than the configured maximum for offset metadata",
	ErrNetworkException + 1:                   "The server disconnected before a response was received",
	ErrOffsetsLoadInProgress + 1:              "The coordinator is still loading offsets and cannot currently process requests",
	ErrConsumerCoordinatorNotAvailable + 1:    "The coordinator is not available",
	ErrNotCoordinatorForConsumer + 1:          "Request was for a consumer group that is not coordinated by this broker",
	ErrInvalidTopic + 1:                       "The request attempted to perform an operation on an invalid topic",
	ErrMessageSetSizeTooLarge + 1:             "The request included message batch larger than the configured segment size on the server",
	ErrNotEnoughReplicas + 1:                  "Messages are rejected since there are fewer in-sync replicas than required",
	ErrNotEnoughReplicasAfterAppend + 1:       "Messages are written to the log, but to fewer in-sync replicas than required",
	ErrInvalidRequiredAcks + 1:                "The number of required acks is invalid (should be either -1, 0, or 1)",
	ErrIllegalGeneration + 1:                  "The provided generation id is not the current generation",
	ErrInconsistentGroupProtocol + 1:          "The provider group protocol type is incompatible with the other members",
	ErrInvalidGroupId + 1:                     "The provided group id was empty",
	ErrUnknownMemberId + 1:                    "The provided member is not known in the current generation",
	ErrInvalidSessionTimeout + 1:              "The provided session timeout is outside the allowed range",
	ErrRebalanceInProgress + 1:                "A rebalance for the group is in progress. Please re-join the group",
	ErrInvalidCommitOffsetSize + 1:            "The provided commit metadata was too large",
	ErrTopicAuthorizationFailed + 1:           "The client is not authorized to access this topic",
	ErrGroupAuthorizationFailed + 1:           "The client is not authorized to access this group",
	ErrClusterAuthorizationFailed + 1:         "The client is not authorized to send this request type",
	ErrInvalidTimestamp + 1:                   "The timestamp of the message is out of acceptable range",
	ErrUnsupportedSASLMechanism + 1:           "The broker does not support the requested SASL mechanism",
	ErrIllegalSASLState + 1:                   "Request is not valid given the current SASL state",
	ErrUnsupportedVersion + 1:                 "The version of API is not supported",
	ErrTopicAlreadyExists + 1:                 "Topic with this name already exists",
	ErrInvalidPartitions + 1:                  "Number of partitions is invalid",
	ErrInvalidReplicationFactor + 1:           "Replication-factor is invalid",
	ErrInvalidReplicaAssignment + 1:           "Replica assignment is invalid",
	ErrInvalidConfig + 1:                      "Configuration is invalid",
	ErrNotController + 1:                      "This is not the correct controller for this cluster",
	ErrInvalidRequest + 1:                     "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details",
	ErrUnsupportedForMessageFormat + 1:        "The requested operation is not supported by the message format version",
	ErrPolicyViolation + 1:                    "Request parameters do not satisfy the configured policy",
	ErrOutOfOrderSequenceNumber + 1:           "The broker received an out of order sequence number",
	ErrDuplicateSequenceNumber + 1:            "The broker received a duplicate sequence number",
	ErrInvalidProducerEpoch + 1:               "Producer attempted an operation with an old epoch",
	ErrInvalidTxnState + 1:                    "The producer attempted a transactional operation in an invalid state",
	ErrInvalidProducerIDMapping + 1:           "The producer attempted to use a producer id which is not currently assigned to its transactional id",
	ErrInvalidTransactionTimeout + 1:          "The transaction timeout is larger than the maximum value allowed by the broker (as configured by max.transaction.timeout.ms)",
	ErrConcurrentTransactions + 1:             "The producer attempted to update a transaction while another concurrent operation on the same transaction was ongoing",
	ErrTransactionCoordinatorFenced + 1:       "The transaction coordinator sending a WriteTxnMarker is no longer the current coordinator for a given producer",
	ErrTransactionalIDAuthorizationFailed + 1: "Transactional ID authorization failed",
	ErrSecurityDisabled + 1:                   "Security features are disabled",
	ErrOperationNotAttempted + 1:              "The broker did not attempt to execute this operation",
	ErrKafkaStorageError + 1:                  "Disk error when trying to access log file on the disk",
	ErrLogDirNotFound + 1:                     "The specified log directory is not found in the broker config",
	ErrSASLAuthenticationFailed + 1:           "SASL Authentication failed",
	ErrUnknownProducerID + 1:                  "The broker could not locate the producer metadata associated with the Producer ID",
	ErrReassignmentInProgress + 1:             "A partition reassignment is in progress",
	ErrDelegationTokenAuthDisabled + 1:        "Delegation Token feature is not enabled",
	ErrDelegationTokenNotFound + 1:            "Delegation Token is not found on server",
	ErrDelegationTokenOwnerMismatch + 1:       "Specified Principal is not valid Owner/Renewer",
	ErrDelegationTokenRequestNotAllowed + 1:   "Delegation Token requests are not allowed on PLAINTEXT/1-way SSL channels and on delegation token authenticated channels",
	ErrDelegationTokenAuthorizationFailed + 1: "Delegation Token authorization failed",
	ErrDelegationTokenExpired + 1:             "Delegation Token is expired",
	ErrInvalidPrincipalType + 1:               "Supplied principalType is not supported",
	ErrNonEmptyGroup + 1:                      "The group is not empty",
	ErrGroupIDNotFound + 1:                    "The group id does not exist",
	ErrFetchSessionIDNotFound + 1:             "The fetch session ID was not found",
	ErrInvalidFetchSessionEpoch + 1:           "The fetch session epoch is invalid",
	ErrListenerNotFound + 1:                   "There is no listener on the leader broker that matches the listener on which metadata request was processed",
	ErrTopicDeletionDisabled + 1:              "Topic deletion is disabled",
	ErrFencedLeaderEpoch + 1:                  "The leader epoch in the request is older than the epoch on the broker",
	ErrUnknownLeaderEpoch + 1:                 "The leader epoch in the request is newer than the epoch on the broker",
	ErrUnsupportedCompressionType + 1:         "The requesting client does not support the compression type of given partition",
	ErrStaleBrokerEpoch + 1:                   "Broker epoch has changed",
	ErrOffsetNotAvailable + 1:                 "The leader high watermark has not caught up from a recent leader election so the offsets cannot be guaranteed to be monotonically increasing",
	ErrMemberIdRequired + 1:                   "The group member needs to have a valid member id before actually entering a consumer group",
	ErrPreferredLeaderNotAvailable + 1:        "The preferred leader was not available",
	ErrGroupMaxSizeReached + 1:                "Consumer group The consumer group has reached its max size. already has the configured maximum number of members",
	ErrFencedInstancedId + 1:                  "The broker rejected this static consumer since another consumer with the same group.instance.id has registered with a different member.id",
	ErrEligibleLeadersNotAvailable + 1:        "Eligible topic partition leaders are not available",
	ErrElectionNotNeeded + 1:                  "Leader election not needed for topic partition",
	ErrNoReassignmentInProgress + 1:           "No partition reassignment is in progress",
	ErrGroupSubscribedToTopic + 1:             "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it",
	ErrInvalidRecord + 1:                      "This record has failed the validation on broker and hence will be rejected",
	ErrUnstableOffsetCommit + 1:               "There are unstable offsets that need to be cleared",
	ErrThrottlingQuotaExceeded + 1:            "The throttling quota has been exceeded",
	ErrProducerFenced + 1:                     "There is a newer producer with the same transactional id which fences the current one",
	ErrResourceNotFound + 1:                   "The request refers to a resource that does not exist",
	ErrDuplicateResource + 1:                  "The request refers to the same resource more than once",
	ErrUnacceptableCredential + 1:             "The requested credential does not meet the criteria for acceptance",
	ErrInconsistentVoterSet + 1:               "The sender or the receiver of a voter request is not in the expected set of voters",
	ErrInvalidUpdateVersion + 1:               "The given update version was invalid",
	ErrFeatureUpdateFailed + 1:                "The finalized features could not be updated because of an unexpected server error",
	ErrPrincipalDeserializationFailure + 1:    "The principal of a forwarded request could not be decoded, which points to a fault in the security setup of the brokers",
	ErrSnapshotNotFound + 1:                   "The requested snapshot was not found",
	ErrPositionOutOfRange + 1:                 "The requested position lies outside of the snapshot",
	ErrUnknownTopicID + 1:                     "This broker does not host a topic with this topic id",
	ErrDuplicateBrokerRegistration + 1:        "This broker id is already in use",
	ErrBrokerIDNotRegistered + 1:              "The given broker id is not registered",
	ErrInconsistentTopicID + 1:                "The topic id of the log is not the topic id of the request",
	ErrInconsistentClusterID + 1:              "The cluster id of the request is not the cluster id of the server",
	ErrTransactionalIDNotFound + 1:            "The transactional id was not found",
	ErrFetchSessionTopicIDError + 1:           "Topic ids were used inconsistently within the fetch session",
	ErrIneligibleReplica + 1:                  "The new set of in-sync replicas has at least one replica that may not be in it",
	ErrNewLeaderElected + 1:                   "The partition state was changed as requested, but the leader is another one now",
	ErrOffsetMovedToTieredStorage + 1:         "The requested offset has been moved to tiered storage",
	ErrFencedMemberEpoch + 1:                  "The member epoch is fenced by the group coordinator: the member must give up all its partitions and rejoin",
	ErrUnreleasedInstanceID + 1:               "The instance id is still in use by another member of the group, which must leave first",
	ErrUnsupportedAssignor + 1:                "The consumer group does not support this assignor or its range of versions",
	ErrStaleMemberEpoch + 1:                   "The member epoch is stale: the member must retry when it has learned its new epoch from a heartbeat",
	ErrMismatchedEndpointType + 1:             "The request was sent to an endpoint of the wrong type",
	ErrUnsupportedEndpointType + 1:            "This type of endpoint is not supported yet",
	ErrUnknownControllerID + 1:                "This controller id is not known",
	ErrUnknownSubscriptionID + 1:              "The telemetry was pushed with an invalid or outdated subscription id",
	ErrTelemetryTooLarge + 1:                  "The telemetry pushed is larger than the broker accepts",
	ErrInvalidRegistration + 1:                "The controller holds the registration of the broker to be invalid",
	ErrTransactionAbortable + 1:               "The transaction met an error: abort it to go on using this transactional id",
	ErrInvalidRecordState + 1:                 "The record is in a state in which its delivery cannot be acknowledged",
	ErrShareSessionNotFound + 1:               "The share session was not found",
	ErrInvalidShareSessionEpoch + 1:           "The share session epoch is invalid",
	ErrFencedStateEpoch + 1:                   "The share coordinator refused the request because its share-group state epoch does not match",
	ErrInvalidVoterKey + 1:                    "The key of the voter is not the key of the replica that received it",
	ErrDuplicateVoter + 1:                     "The voter is already in the set of voters",
	ErrVoterNotFound + 1:                      "The voter is not in the set of voters",
	ErrInvalidRegularExpression + 1:           "The regular expression is not valid",
	ErrRebootstrapRequired + 1:                "The metadata of the client is stale: it should bootstrap again",
	ErrStreamsInvalidTopology + 1:             "The given streams topology is invalid",
	ErrStreamsInvalidTopologyEpoch + 1:        "The given epoch of the streams topology is invalid",
	ErrStreamsTopologyFenced + 1:              "The given epoch of the streams topology is outdated",
	ErrShareSessionLimitReached + 1:           "The limit on the number of share sessions is reached",
}
