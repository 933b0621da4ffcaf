package sarama

import "github.com/IBM/sarama/internal/bridge"

func init() {
	bridge.Reassignments = func(req any) (list []bridge.Reassignment) {
		blocks := req.(*AlterPartitionReassignmentsRequest).blocks
		for _, p := range partitionKeys(blocks) {
			list = append(list, bridge.Reassignment{Topic: p.topic, Partition: p.partition, Replicas: blocks[p.topic][p.partition]})
		}
		return list
	}
	bridge.ReassignmentsListed = func(req any) map[string][]int32 { return req.(*ListPartitionReassignmentsRequest).blocks }
}
