package sarama

import "github.com/IBM/sarama/internal/bridge"

func init() {
	bridge.CommittedOffsets = func(req any) (list []bridge.CommittedOffset) {
		blocks := req.(*OffsetCommitRequest).blocks
		for _, topic := range sortedKeys(blocks) {
			for _, id := range sortedKeys(blocks[topic]) {
				b := blocks[topic][id]
				list = append(list, bridge.CommittedOffset{
					Topic: topic, Partition: id, Offset: b.offset, LeaderEpoch: b.leaderEpoch, Metadata: b.metadata,
				})
			}
		}
		return list
	}
	bridge.OffsetsWantedOf = func(req any) (list []bridge.OffsetsWanted) {
		r := req.(*OffsetFetchRequest)
		if r.Version < 8 {
			return []bridge.OffsetsWanted{{
				Group: r.ConsumerGroup, MemberEpoch: -1, All: r.Version >= 2 && r.partitions == nil, Partitions: bridgePartitions(r.partitions),
			}}
		}
		for i := range r.Groups {
			g := &r.Groups[i]
			list = append(list, bridge.OffsetsWanted{
				Group: g.GroupId, MemberID: g.memberID, MemberEpoch: g.memberEpoch - 1,
				All: g.Partitions == nil, Partitions: bridgePartitions(g.Partitions),
			})
		}
		return list
	}
	bridge.OffsetsToDelete = func(req any) []bridge.TopicPartition {
		return bridgePartitions(req.(*DeleteOffsetsRequest).partitions)
	}
}

func bridgePartitions(m map[string][]int32) (list []bridge.TopicPartition) {
	for _, topic := range sortedKeys(m) {
		for _, id := range m[topic] {
			list = append(list, bridge.TopicPartition{Topic: topic, Partition: id})
		}
	}
	return list
}
