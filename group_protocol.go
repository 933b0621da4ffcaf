package sarama

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/IBM/sarama/internal/wire"
)

// The two payloads of Kafka's consumer protocol, which coordinators hand
// through without looking: what a member tells the group when it joins, and
// what the leader gives it. Both start with a version, and newer versions only
// add fields at the end: one that is not known is read as the newest known, and
// what is left of it is passed over.

// groupProtocolVersion is the newest known version of both payloads (KIP-881).
const groupProtocolVersion = 3

// ConsumerGroupMemberAssignment is what the leader of a group gives to a
// member: the assignment of Kafka's consumer protocol.
type ConsumerGroupMemberAssignment struct {
	// Version is that of the assignment; all versions have the same fields.
	Version int16
	// Topics are the partitions of each topic that the member gets.
	Topics map[string][]int32
	// UserData is what the strategy's AssignmentData returned.
	UserData []byte
}

// groupProtocolVersions lays out the version that a payload starts with, and
// makes it the codec's.
func groupProtocolVersions(c *wire.Codec, version *int16) {
	if c.Writing() && *version < 0 {
		c.Invalid(version, "there is no version %d", *version)
	}
	c.Int16(version)
	if !c.Writing() && *version < 0 {
		c.Invalid(version, "there is no version %d", *version)
	}
	c.Version = *version
}

// groupProtocolEnd passes over what versions that are not known have more.
func groupProtocolEnd(c *wire.Codec, version int16) {
	if !c.Writing() && version > groupProtocolVersion {
		c.Rest()
	}
}

func (m *ConsumerGroupMemberMetadata) layout(c *wire.Codec) {
	groupProtocolVersions(c, &m.Version)
	c.Strings(&m.Topics)
	c.Bytes(&m.UserData)
	// Members that have no more to say, of old clients, end here whatever
	// version they name.
	if !c.From(1) || !c.Writing() && c.Left() == 0 {
		return
	}
	wire.Structs(c, &m.OwnedPartitions, (*OwnedPartition).layout)
	if c.From(2) {
		c.Int32(&m.GenerationID)
	}
	if c.From(3) {
		c.NullableString(&m.RackID)
	}
	groupProtocolEnd(c, m.Version)
}

func (o *OwnedPartition) layout(c *wire.Codec) {
	c.String(&o.Topic)
	c.Int32s(&o.Partitions)
}

func (a *ConsumerGroupMemberAssignment) layout(c *wire.Codec) {
	groupProtocolVersions(c, &a.Version)
	layPartitions(c, &a.Topics)
	c.Bytes(&a.UserData)
	groupProtocolEnd(c, a.Version)
}

// layPartitions lays out a list of topics with their partitions.
func layPartitions(c *wire.Codec, topics *map[string][]int32) {
	layMap(c, topics, func(topic *string, partitions *[]int32) {
		c.String(topic)
		c.Int32s(partitions)
	})
}

// payload is what requests and responses carry as bytes.
type payload interface{ layout(c *wire.Codec) }

// encodePayload writes p, whose version, if it has one, is its own business.
func encodePayload(p payload) ([]byte, error) {
	var c wire.Codec
	c.Writer(nil, 0, false)
	p.layout(&c)
	if err := payloadError(&c, p); err != nil {
		return nil, err
	}
	return c.Written(), nil
}

// decodePayload reads p from all of src.
func decodePayload(src []byte, p payload) error {
	var c wire.Codec
	c.Reader(src, 0, false)
	p.layout(&c)
	c.Finish()
	return payloadError(&c, p)
}

// payloadError is bodyError for a payload.
func payloadError(c *wire.Codec, p payload) error {
	if c.Err() == nil {
		return nil
	}
	v := reflect.ValueOf(p).Elem()
	return codecError(c, v, v.Type().Name())
}

// encodeMemberMetadata returns a subscription in wire form. The owned
// partitions go out in the order they are in: see ownedPartitions.
func encodeMemberMetadata(m *ConsumerGroupMemberMetadata) ([]byte, error) { return encodePayload(m) }

// decodeMemberMetadata reads a subscription, whose user data shares memory with
// src. It keeps the version that src names.
func decodeMemberMetadata(src []byte) (*ConsumerGroupMemberMetadata, error) {
	m := new(ConsumerGroupMemberMetadata)
	if err := decodePayload(src, m); err != nil {
		return nil, err
	}
	return m, nil
}

// encodeMemberAssignment returns an assignment in wire form, topics sorted.
func encodeMemberAssignment(a *ConsumerGroupMemberAssignment) ([]byte, error) {
	return encodePayload(a)
}

// decodeMemberAssignment reads an assignment, whose user data shares memory
// with src. A coordinator sends nil to members that the leader left out, which
// makes an empty assignment.
func decodeMemberAssignment(src []byte) (*ConsumerGroupMemberAssignment, error) {
	a := new(ConsumerGroupMemberAssignment)
	if src == nil {
		return a, nil
	}
	if err := decodePayload(src, a); err != nil {
		return nil, err
	}
	if a.Topics == nil {
		a.Topics = map[string][]int32{}
	}
	return a, nil
}

// ownedPartitions returns what a member owns in the form and order of a
// subscription: sorted by topic, then by partition. Topics without partitions
// are left out.
func ownedPartitions(topics map[string][]int32) []*OwnedPartition {
	var owned []*OwnedPartition
	for topic, partitions := range topics {
		if len(partitions) > 0 {
			owned = append(owned, &OwnedPartition{Topic: topic, Partitions: slices.Sorted(slices.Values(partitions))})
		}
	}
	slices.SortFunc(owned, func(a, b *OwnedPartition) int { return cmp.Compare(a.Topic, b.Topic) })
	return owned
}
