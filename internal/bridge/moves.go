package bridge

// Reassignment is where a partition is to go; Replicas is nil where it is to
// stay.
type Reassignment struct {
	Topic     string
	Partition int32
	Replicas  []int32
}

// What package sarama fills in.
var (
	// Reassignments lists what an *AlterPartitionReassignmentsRequest asks for,
	// by topic and partition.
	Reassignments func(req any) []Reassignment
	// ReassignmentsListed are the partitions that a
	// *ListPartitionReassignmentsRequest names, nil for all.
	ReassignmentsListed func(req any) map[string][]int32
)
