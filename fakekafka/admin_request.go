package fakekafka

import (
	"maps"
	"slices"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
)

// The APIs of administrators.
const (
	DeleteRecords                API = 21
	DescribeAcls                 API = 29
	CreateAcls                   API = 30
	DeleteAcls                   API = 31
	DescribeConfigs              API = 32
	AlterConfigs                 API = 33
	DescribeLogDirs              API = 35
	CreatePartitions             API = 37
	ElectLeaders                 API = 43
	IncrementalAlterConfigs      API = 44
	AlterPartitionReassignments  API = 45
	ListPartitionReassignments   API = 46
	DescribeClientQuotas         API = 48
	AlterClientQuotas            API = 49
	DescribeUserScramCredentials API = 50
	AlterUserScramCredentials    API = 51
	UpdateFeatures               API = 57
	DescribeCluster              API = 60
	DescribeProducers            API = 61
	DescribeTransactions         API = 65
	ListTransactions             API = 66
)

// adminHandlerOf is handlerOf for these.
func adminHandlerOf(a API) handler {
	switch a {
	case DeleteRecords:
		return (*conn).deleteRecords
	case DescribeAcls:
		return (*conn).describeAcls
	case CreateAcls:
		return (*conn).createAcls
	case DeleteAcls:
		return (*conn).deleteAcls
	case DescribeConfigs:
		return (*conn).describeConfigs
	case AlterConfigs:
		return (*conn).alterConfigs
	case DescribeLogDirs:
		return (*conn).describeLogDirs
	case CreatePartitions:
		return (*conn).createPartitions
	case ElectLeaders:
		return (*conn).electLeaders
	case IncrementalAlterConfigs:
		return (*conn).incrementalAlterConfigs
	case AlterPartitionReassignments:
		return (*conn).alterPartitionReassignments
	case ListPartitionReassignments:
		return (*conn).listPartitionReassignments
	case DescribeClientQuotas:
		return (*conn).describeClientQuotas
	case AlterClientQuotas:
		return (*conn).alterClientQuotas
	case DescribeUserScramCredentials:
		return (*conn).describeUserScramCredentials
	case AlterUserScramCredentials:
		return (*conn).alterUserScramCredentials
	case UpdateFeatures:
		return (*conn).updateFeatures
	case DescribeCluster:
		return (*conn).describeCluster
	case DescribeProducers:
		return (*conn).describeProducers
	case DescribeTransactions:
		return (*conn).describeTransactions
	case ListTransactions:
		return (*conn).listTransactions
	}
	return nil
}

// adminPartitions lists the partitions that a request of an administrator names.
func (r *Request) adminPartitions(add func(topic string, byID bool, id int32)) {
	switch body := r.Body.(type) {
	case *sarama.DeleteRecordsRequest:
		for _, topic := range slices.Sorted(maps.Keys(body.Topics)) {
			for _, id := range slices.Sorted(maps.Keys(body.Topics[topic].PartitionOffsets)) {
				add(topic, false, id)
			}
		}
	case *sarama.ElectLeadersRequest:
		for _, topic := range slices.Sorted(maps.Keys(body.TopicPartitions)) {
			for _, id := range body.TopicPartitions[topic] {
				add(topic, false, id)
			}
		}
	case *sarama.AlterPartitionReassignmentsRequest:
		for _, p := range bridge.Reassignments(body) {
			add(p.Topic, false, p.Partition)
		}
	case *sarama.DescribeProducersRequest:
		for _, t := range body.Topics {
			for _, id := range t.PartitionIndexes {
				add(t.Name, false, id)
			}
		}
	}
}
