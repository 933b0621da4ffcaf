package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// MetadataRequest asks which brokers a cluster has and where the partitions of
// some topics, or of all, are.
type MetadataRequest struct {
	// Version of the request on the wire.
	Version int16
	// Topics asked for; nil asks for all of them. An empty list asks for none,
	// from version 1 on.
	Topics []string
	// AllowAutoTopicCreation lets the broker create topics that are named here
	// and do not exist, where its own settings allow it; from version 4 on
	// (before, brokers always might).
	AllowAutoTopicCreation bool
	// IncludeClusterAuthorizedOperations asks what the client may do with the
	// cluster; versions 8 to 10 (KIP-430).
	IncludeClusterAuthorizedOperations bool
	// IncludeTopicAuthorizedOperations asks what the client may do with each
	// topic; from version 8 on (KIP-430).
	IncludeTopicAuthorizedOperations bool
}

// NewMetadataRequest returns a request for topics, nil for all, at the version
// that belongs to a Kafka version.
func NewMetadataRequest(version KafkaVersion, topics []string) *MetadataRequest {
	return &MetadataRequest{Version: apiMetadata.versionFor(version), Topics: topics}
}

func (r *MetadataRequest) meta() (*api, *int16) { return apiMetadata, &r.Version }

func (r *MetadataRequest) layout(c *wire.Codec) {
	topic := func(name *string, c *wire.Codec) {
		if c.From(10) {
			var id [16]byte // naming topics by id alone is what version 12 adds
			c.UUID(&id)
		}
		c.String(name)
	}
	if c.From(1) {
		wire.NullableValues(c, &r.Topics, topic)
	} else {
		wire.Values(c, &r.Topics, topic)
	}
	if c.From(4) {
		c.Bool(&r.AllowAutoTopicCreation)
	}
	if c.Between(8, 10) {
		c.Bool(&r.IncludeClusterAuthorizedOperations)
	}
	if c.From(8) {
		c.Bool(&r.IncludeTopicAuthorizedOperations)
	}
}

// MetadataResponse is the answer to a MetadataRequest.
type MetadataResponse struct {
	Version        int16
	ThrottleTimeMs int32
	// Brokers that are alive. They are not opened.
	Brokers      []*Broker
	ClusterID    *string
	ControllerID int32
	Topics       []*TopicMetadata
	// ClusterAuthorizedOperations is a bit field, versions 8 to 10 (KIP-430).
	ClusterAuthorizedOperations int32
	// ErrorCode of the whole response, from version 13 on (KIP-1102).
	ErrorCode KError
}

func (r *MetadataResponse) meta() (*api, *int16) { return apiMetadata, &r.Version }

func (r *MetadataResponse) throttleTime() time.Duration {
	return time.Duration(r.ThrottleTimeMs) * time.Millisecond
}

func (r *MetadataResponse) layout(c *wire.Codec) {
	if c.From(3) {
		c.Int32(&r.ThrottleTimeMs)
	}
	wire.Structs(c, &r.Brokers, (*Broker).layMetadata)
	if c.From(2) {
		c.NullableString(&r.ClusterID)
	}
	if c.From(1) {
		c.Int32(&r.ControllerID)
	}
	wire.Structs(c, &r.Topics, (*TopicMetadata).layout)
	if c.Between(8, 10) {
		c.Int32(&r.ClusterAuthorizedOperations)
	}
	if c.From(13) {
		layKError(c, &r.ErrorCode)
	}
}

func (b *Broker) layMetadata(c *wire.Codec) {
	b.layBroker(c)
	if c.From(1) {
		c.NullableString(&b.rack)
	}
}

// TopicMetadata is one topic of a MetadataResponse.
type TopicMetadata struct {
	Version int16
	Err     KError
	Name    string
	// Uuid is the topic's id, from version 10 on (KIP-516).
	Uuid       Uuid
	IsInternal bool
	Partitions []*PartitionMetadata
	// TopicAuthorizedOperations is a bit field, from version 8 on (KIP-430).
	TopicAuthorizedOperations int32
}

func (t *TopicMetadata) layout(c *wire.Codec) {
	if !c.Writing() {
		t.Version = c.Version
	}
	layKError(c, &t.Err)
	if c.From(12) {
		c.StringOrNull(&t.Name)
	} else {
		c.String(&t.Name)
	}
	if c.From(10) {
		c.UUID((*[16]byte)(&t.Uuid))
	}
	if c.From(1) {
		c.Bool(&t.IsInternal)
	}
	wire.Structs(c, &t.Partitions, (*PartitionMetadata).layout)
	if c.From(8) {
		c.Int32(&t.TopicAuthorizedOperations)
	}
}

// PartitionMetadata is one partition of a TopicMetadata. Replicas are named by
// their brokers' ids; Leader is -1 where there is none.
type PartitionMetadata struct {
	Version int16
	Err     KError
	ID      int32
	Leader  int32
	// LeaderEpoch counts leader elections, from version 7 on (KIP-320).
	LeaderEpoch     int32
	Replicas        []int32
	Isr             []int32
	OfflineReplicas []int32
}

func (p *PartitionMetadata) layout(c *wire.Codec) {
	if !c.Writing() {
		p.Version = c.Version
	}
	layKError(c, &p.Err)
	c.Int32(&p.ID)
	c.Int32(&p.Leader)
	if c.From(7) {
		c.Int32(&p.LeaderEpoch)
	} else if !c.Writing() {
		p.LeaderEpoch = -1
	}
	c.Int32s(&p.Replicas)
	c.Int32s(&p.Isr)
	if c.From(5) {
		c.Int32s(&p.OfflineReplicas)
	}
}

// AddBroker adds a broker to a response that a test builds.
func (r *MetadataResponse) AddBroker(addr string, id int32) {
	r.Brokers = append(r.Brokers, &Broker{id: id, addr: addr})
}

// AddTopic adds a topic to a response that a test builds, or sets the error of
// one that is there, and returns it.
func (r *MetadataResponse) AddTopic(topic string, err KError) *TopicMetadata {
	t := r.topic(topic)
	t.Err = err
	return t
}

func (r *MetadataResponse) topic(name string) *TopicMetadata {
	for _, t := range r.Topics {
		if t.Name == name {
			return t
		}
	}
	t := &TopicMetadata{Name: name}
	r.Topics = append(r.Topics, t)
	return t
}

// AddTopicPartition adds a partition to a response that a test builds, or
// replaces one that is there. Lists that are nil become empty ones.
func (r *MetadataResponse) AddTopicPartition(topic string, partition, brokerID int32, replicas, isr, offline []int32, err KError) {
	list := func(ids []int32) []int32 {
		if ids == nil {
			return []int32{}
		}
		return ids
	}
	p := &PartitionMetadata{
		ID: partition, Leader: brokerID, Err: err,
		Replicas: list(replicas), Isr: list(isr), OfflineReplicas: list(offline),
	}
	t := r.AddTopic(topic, ErrNoError)
	for i, old := range t.Partitions {
		if old.ID == partition {
			t.Partitions[i] = p
			return
		}
	}
	t.Partitions = append(t.Partitions, p)
}
