package sarama

import "time"

// The methods of Broker that send one request each. They return an error when
// the request could not be sent or its response not be read; error codes inside
// a response are the caller's to look at. Versions that the broker does not
// take are lowered, in the request itself; where there is none in common, or
// none that Config.Version allows, the error wraps ErrUnsupportedVersion.

// ApiVersions asks which versions of which APIs the broker takes.
func (b *Broker) ApiVersions(request *ApiVersionsRequest) (*ApiVersionsResponse, error) {
	return send[ApiVersionsResponse](b, request)
}

// GetMetadata asks for brokers, topics and partitions.
func (b *Broker) GetMetadata(request *MetadataRequest) (*MetadataResponse, error) {
	return send[MetadataResponse](b, request)
}

// GetAvailableOffsets asks for offsets by time.
func (b *Broker) GetAvailableOffsets(request *OffsetRequest) (*OffsetResponse, error) {
	return send[OffsetResponse](b, request)
}

// FindCoordinator asks for the coordinator of a group or transactional id.
func (b *Broker) FindCoordinator(request *FindCoordinatorRequest) (*FindCoordinatorResponse, error) {
	return send[FindCoordinatorResponse](b, request)
}

// InitProducerID asks for a producer id and epoch.
func (b *Broker) InitProducerID(request *InitProducerIDRequest) (*InitProducerIDResponse, error) {
	return send[InitProducerIDResponse](b, request)
}

// JoinGroup asks a group's coordinator for a place in the group; it waits for the
// other members, up to the request's rebalance timeout.
func (b *Broker) JoinGroup(request *JoinGroupRequest) (*JoinGroupResponse, error) {
	return send[JoinGroupResponse](b, request)
}

// SyncGroup hands in the plan of a group and asks for a member's part of it.
func (b *Broker) SyncGroup(request *SyncGroupRequest) (*SyncGroupResponse, error) {
	return send[SyncGroupResponse](b, request)
}

// Heartbeat tells a group's coordinator that a member is alive.
func (b *Broker) Heartbeat(request *HeartbeatRequest) (*HeartbeatResponse, error) {
	return send[HeartbeatResponse](b, request)
}

// LeaveGroup takes members out of a group.
func (b *Broker) LeaveGroup(request *LeaveGroupRequest) (*LeaveGroupResponse, error) {
	return send[LeaveGroupResponse](b, request)
}

// CommitOffset stores how far a group has come.
func (b *Broker) CommitOffset(request *OffsetCommitRequest) (*OffsetCommitResponse, error) {
	return send[OffsetCommitResponse](b, request)
}

// FetchOffset asks how far groups have come.
func (b *Broker) FetchOffset(request *OffsetFetchRequest) (*OffsetFetchResponse, error) {
	return send[OffsetFetchResponse](b, request)
}

// DescribeGroups asks what groups look like.
func (b *Broker) DescribeGroups(request *DescribeGroupsRequest) (*DescribeGroupsResponse, error) {
	return send[DescribeGroupsResponse](b, request)
}

// ListGroups asks which groups the broker coordinates.
func (b *Broker) ListGroups(request *ListGroupsRequest) (*ListGroupsResponse, error) {
	return send[ListGroupsResponse](b, request)
}

// DeleteGroups deletes groups without members.
func (b *Broker) DeleteGroups(request *DeleteGroupsRequest) (*DeleteGroupsResponse, error) {
	return send[DeleteGroupsResponse](b, request)
}

// DeleteOffsets deletes what is stored of a group's partitions.
func (b *Broker) DeleteOffsets(request *DeleteOffsetsRequest) (*DeleteOffsetsResponse, error) {
	return send[DeleteOffsetsResponse](b, request)
}

// ConsumerGroupHeartbeat is the one request of members of groups of the newer
// protocol (KIP-848).
func (b *Broker) ConsumerGroupHeartbeat(request *ConsumerGroupHeartbeatRequest) (*ConsumerGroupHeartbeatResponse, error) {
	return send[ConsumerGroupHeartbeatResponse](b, request)
}

// ConsumerGroupDescribe asks what groups of the newer protocol look like.
func (b *Broker) ConsumerGroupDescribe(request *ConsumerGroupDescribeRequest) (*ConsumerGroupDescribeResponse, error) {
	return send[ConsumerGroupDescribeResponse](b, request)
}

// AddPartitionsToTxn adds partitions to a transaction.
func (b *Broker) AddPartitionsToTxn(request *AddPartitionsToTxnRequest) (*AddPartitionsToTxnResponse, error) {
	return send[AddPartitionsToTxnResponse](b, request)
}

// AddOffsetsToTxn adds a group's offsets to a transaction.
func (b *Broker) AddOffsetsToTxn(request *AddOffsetsToTxnRequest) (*AddOffsetsToTxnResponse, error) {
	return send[AddOffsetsToTxnResponse](b, request)
}

// EndTxn commits or aborts a transaction.
func (b *Broker) EndTxn(request *EndTxnRequest) (*EndTxnResponse, error) {
	return send[EndTxnResponse](b, request)
}

// TxnOffsetCommit stores how far a group has come as part of a transaction.
func (b *Broker) TxnOffsetCommit(request *TxnOffsetCommitRequest) (*TxnOffsetCommitResponse, error) {
	return send[TxnOffsetCommitResponse](b, request)
}

// CreateTopics asks the controller to create topics.
func (b *Broker) CreateTopics(request *CreateTopicsRequest) (*CreateTopicsResponse, error) {
	return send[CreateTopicsResponse](b, request)
}

// DeleteTopics asks the controller to delete topics.
func (b *Broker) DeleteTopics(request *DeleteTopicsRequest) (*DeleteTopicsResponse, error) {
	return send[DeleteTopicsResponse](b, request)
}

// ElectLeaders asks the controller to elect leaders.
func (b *Broker) ElectLeaders(request *ElectLeadersRequest) (*ElectLeadersResponse, error) {
	return send[ElectLeadersResponse](b, request)
}

// AlterPartitionReassignments asks the controller to move partitions.
func (b *Broker) AlterPartitionReassignments(request *AlterPartitionReassignmentsRequest) (*AlterPartitionReassignmentsResponse, error) {
	return send[AlterPartitionReassignmentsResponse](b, request)
}

// ListPartitionReassignments asks the controller what is being moved.
func (b *Broker) ListPartitionReassignments(request *ListPartitionReassignmentsRequest) (*ListPartitionReassignmentsResponse, error) {
	return send[ListPartitionReassignmentsResponse](b, request)
}

// Fetch asks for records.
func (b *Broker) Fetch(request *FetchRequest) (*FetchResponse, error) {
	return send[FetchResponse](b, request)
}

func (r *FetchRequest) brokerWait() time.Duration {
	return time.Duration(max(0, r.MaxWaitTime)) * time.Millisecond
}

func (r *ProduceRequest) brokerWait() time.Duration {
	return time.Duration(max(0, r.Timeout)) * time.Millisecond
}

// Produce sends records and waits for the answer; there is none, and the
// response is nil, when RequiredAcks is NoResponse.
func (b *Broker) Produce(request *ProduceRequest) (*ProduceResponse, error) {
	if request.RequiredAcks != NoResponse {
		return send[ProduceResponse](b, request)
	}
	return nil, b.AsyncProduce(request, nil)
}

// ProduceCallback takes what became of an AsyncProduce.
type ProduceCallback func(*ProduceResponse, error)

// AsyncProduce sends records and returns once they are written; it blocks
// while Net.MaxOpenRequests are under way or the broker throttles. The callback
// is called once, with the answer or what went wrong, in the order of the
// requests, on a goroutine of the broker's own; it may call the broker, Close
// included. It is not called when AsyncProduce returns an error, nor when
// RequiredAcks is NoResponse.
func (b *Broker) AsyncProduce(request *ProduceRequest, cb ProduceCallback) error {
	l, err := b.ready(nil)
	if err != nil {
		return err
	}
	if err := l.clamp(request); err != nil {
		return err
	}
	if err := apiProduce.allowed(request.Version, l.conf.Version); err != nil {
		return err
	}
	if request.RequiredAcks == NoResponse {
		_, err := l.send(request, nil, 0, nil)
		return err
	}
	p := &promise{keep: true, held: true}
	p.resolve = func(frame []byte, err error) {
		l.callbackQueue() <- func() {
			if cb == nil {
				return
			}
			resp := new(ProduceResponse)
			if err == nil {
				err = l.decode(frame, resp, p.version)
			}
			if err != nil {
				resp = nil
			}
			cb(resp, err)
		}
	}
	_, err = l.send(request, p, requestTimeout(l.conf, request), nil)
	return err
}
