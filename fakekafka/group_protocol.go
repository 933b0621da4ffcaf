package fakekafka

import (
	"github.com/IBM/sarama/internal/wire"
)

// consumerProtocolType is the protocol type of groups of consumers.
const consumerProtocolType = "consumer"

// subscribedTopics are the topics in the metadata of a consumer, which begins
// with them in all versions.
func subscribedTopics(metadata []byte) (topics []string, ok bool) {
	var c wire.Codec
	var version int16
	c.Reader(metadata, 0, false)
	c.Int16(&version)
	c.Strings(&topics)
	if topics == nil {
		topics = []string{}
	}
	return topics, c.Err() == nil && version >= 0
}

// assignedPartitions are those in the assignment of a consumer, nil where it is
// none.
func assignedPartitions(assignment []byte) (list []TopicPartition) {
	var c wire.Codec
	var version int16
	type named struct {
		topic string
		ids   []int32
	}
	var topics []named
	c.Reader(assignment, 0, false)
	c.Int16(&version)
	wire.Values(&c, &topics, func(n *named, c *wire.Codec) {
		c.String(&n.topic)
		c.Int32s(&n.ids)
	})
	if c.Err() != nil {
		return nil
	}
	for _, n := range topics {
		for _, id := range n.ids {
			list = append(list, TopicPartition{n.topic, id})
		}
	}
	return list
}
