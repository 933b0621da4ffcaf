package bridge

// CommittedOffset is what an offset commit request has for one partition.
type CommittedOffset struct {
	Topic       string // from version 10 on the text form of its id
	Partition   int32
	Offset      int64
	LeaderEpoch int32 // -1: not said
	Metadata    *string
}

// OffsetsWanted is what an offset fetch request asks of one group.
type OffsetsWanted struct {
	Group       string
	MemberID    *string
	MemberEpoch int32 // -1: not said
	All         bool  // that have an offset; Partitions is empty
	Partitions  []TopicPartition
}

// What package sarama fills in.
var (
	// CommittedOffsets lists what an *OffsetCommitRequest commits, by topic and
	// partition.
	CommittedOffsets func(req any) []CommittedOffset
	// OffsetsWantedOf lists what an *OffsetFetchRequest asks for.
	OffsetsWantedOf func(req any) []OffsetsWanted
	// OffsetsToDelete lists what a *DeleteOffsetsRequest names, by topic.
	OffsetsToDelete func(req any) []TopicPartition
)
