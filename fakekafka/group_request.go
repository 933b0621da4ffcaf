package fakekafka

import (
	"maps"
	"slices"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
)

// groupPartitions lists the partitions that a request about a group names.
func (r *Request) groupPartitions(add func(topic string, byID bool, id int32)) {
	switch body := r.Body.(type) {
	case *sarama.OffsetCommitRequest:
		for _, p := range bridge.CommittedOffsets(body) {
			add(p.Topic, r.Version >= offsetsByID, p.Partition)
		}
	case *sarama.OffsetFetchRequest:
		for _, g := range bridge.OffsetsWantedOf(body) {
			for _, p := range g.Partitions {
				add(p.Topic, r.Version >= offsetsByID, p.Partition)
			}
		}
	case *sarama.TxnOffsetCommitRequest:
		for _, topic := range slices.Sorted(maps.Keys(body.Topics)) {
			for _, p := range body.Topics[topic] {
				add(topic, false, p.Partition)
			}
		}
	case *sarama.DeleteOffsetsRequest:
		for _, p := range bridge.OffsetsToDelete(body) {
			add(p.Topic, false, p.Partition)
		}
	}
}

// Groups are those that a request to a group coordinator names, in its order;
// nil for other requests.
func (r *Request) Groups() (ids []string) {
	switch body := r.Body.(type) {
	case *sarama.JoinGroupRequest:
		ids = []string{body.GroupId}
	case *sarama.SyncGroupRequest:
		ids = []string{body.GroupId}
	case *sarama.HeartbeatRequest:
		ids = []string{body.GroupId}
	case *sarama.LeaveGroupRequest:
		ids = []string{body.GroupId}
	case *sarama.OffsetCommitRequest:
		ids = []string{body.ConsumerGroup}
	case *sarama.OffsetFetchRequest:
		for _, g := range bridge.OffsetsWantedOf(body) {
			ids = append(ids, g.Group)
		}
	case *sarama.TxnOffsetCommitRequest:
		ids = []string{body.GroupID}
	case *sarama.AddOffsetsToTxnRequest:
		ids = []string{body.GroupID}
	case *sarama.DeleteOffsetsRequest:
		ids = []string{body.Group}
	case *sarama.DescribeGroupsRequest:
		ids = slices.Clone(body.Groups)
	case *sarama.DeleteGroupsRequest:
		ids = slices.Clone(body.Groups)
	case *sarama.ConsumerGroupHeartbeatRequest:
		ids = []string{body.GroupID}
	case *sarama.ConsumerGroupDescribeRequest:
		ids = slices.Clone(body.GroupIDs)
	}
	return ids
}
