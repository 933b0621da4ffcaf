package sarama

import (
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// CreateTopicsRequest asks the controller to create topics.
type CreateTopicsRequest struct {
	Version int16
	// TopicDetails of the topics to create, by name.
	TopicDetails map[string]*TopicDetail
	Timeout      time.Duration
	// ValidateOnly asks only whether the topics could be created, from version
	// 1 on.
	ValidateOnly bool
}

// TopicDetail describes a topic to create, or one that was listed.
type TopicDetail struct {
	// NumPartitions and ReplicationFactor: -1 for the broker's default (from
	// version 4 of the request on), or where ReplicaAssignment is given.
	NumPartitions     int32
	ReplicationFactor int16
	// ReplicaAssignment lists the brokers of each partition, the preferred
	// leader first.
	ReplicaAssignment map[int32][]int32
	// ConfigEntries are settings that differ from the broker's.
	ConfigEntries map[string]*string
}

// NewCreateTopicsRequest returns a request at the version that belongs to a
// Kafka version.
func NewCreateTopicsRequest(version KafkaVersion, topicDetails map[string]*TopicDetail, timeout time.Duration, validateOnly bool) *CreateTopicsRequest {
	return &CreateTopicsRequest{
		Version: apiCreateTopics.versionFor(version), TopicDetails: topicDetails, Timeout: timeout, ValidateOnly: validateOnly,
	}
}

func (r *CreateTopicsRequest) meta() (*api, *int16) { return apiCreateTopics, &r.Version }

func (r *CreateTopicsRequest) brokerWait() time.Duration { return r.Timeout }

func (r *CreateTopicsRequest) layout(c *wire.Codec) {
	layPointers(c, &r.TopicDetails, func(name *string, d *TopicDetail) {
		c.String(name)
		d.layout(c)
	})
	c.Millis(&r.Timeout)
	if c.From(1) {
		c.Bool(&r.ValidateOnly)
	}
}

func (d *TopicDetail) layout(c *wire.Codec) {
	c.Int32(&d.NumPartitions)
	c.Int16(&d.ReplicationFactor)
	layMap(c, &d.ReplicaAssignment, func(partition *int32, brokers *[]int32) {
		c.Int32(partition)
		c.Int32s(brokers)
	})
	layMap(c, &d.ConfigEntries, func(name *string, value **string) {
		c.String(name)
		c.NullableString(value)
	})
}

// CreateTopicsResponse is the answer to a CreateTopicsRequest.
type CreateTopicsResponse struct {
	Version      int16
	ThrottleTime time.Duration
	// TopicErrors by topic; a topic that was created has ErrNoError.
	TopicErrors map[string]*TopicError
	// TopicResults by topic, from version 5 on (KIP-525).
	TopicResults map[string]*CreatableTopicResult
}

// CreatableTopicResult describes a topic as it was created.
type CreatableTopicResult struct {
	TopicID Uuid // from version 7 on
	// TopicConfigErrorCode says why Configs could not be told.
	TopicConfigErrorCode KError
	NumPartitions        int32
	ReplicationFactor    int16
	Configs              map[string]*CreatableTopicConfigs
}

// CreatableTopicConfigs is one setting of a topic as it was created.
type CreatableTopicConfigs struct {
	Value        *string
	ReadOnly     bool
	ConfigSource ConfigSource
	IsSensitive  bool
}

func (r *CreateTopicsResponse) meta() (*api, *int16) { return apiCreateTopics, &r.Version }

func (r *CreateTopicsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *CreateTopicsResponse) layout(c *wire.Codec) {
	layThrottle(c, 2, &r.ThrottleTime)
	if !c.Writing() && c.From(5) {
		r.TopicResults = make(map[string]*CreatableTopicResult)
	}
	layPointers(c, &r.TopicErrors, func(name *string, e *TopicError) {
		c.String(name)
		result := r.TopicResults[*name]
		if result == nil {
			result = &CreatableTopicResult{NumPartitions: -1, ReplicationFactor: -1}
		}
		if !c.Writing() && c.From(5) {
			r.TopicResults[*name] = result
		}
		if c.From(7) {
			c.UUID((*[16]byte)(&result.TopicID))
		}
		layKError(c, &e.Err)
		if c.From(1) {
			c.NullableString(&e.ErrMsg)
		}
		if c.From(5) {
			result.layout(c)
		}
	})
}

func (t *CreatableTopicResult) layout(c *wire.Codec) {
	c.Int32(&t.NumPartitions)
	c.Int16(&t.ReplicationFactor)
	layPointers(c, &t.Configs, func(name *string, p *CreatableTopicConfigs) {
		c.String(name)
		c.NullableString(&p.Value)
		c.Bool(&p.ReadOnly)
		c.Int8((*int8)(&p.ConfigSource))
		c.Bool(&p.IsSensitive)
	})
	c.Tags(wire.Tag{ID: 0, Set: t.TopicConfigErrorCode != ErrNoError, Layout: func(c *wire.Codec) {
		layKError(c, &t.TopicConfigErrorCode)
	}})
}

// DeleteTopicsRequest asks the controller to delete topics.
type DeleteTopicsRequest struct {
	Version int16
	Topics  []string
	Timeout time.Duration
}

// NewDeleteTopicsRequest returns a request at the version that belongs to a
// Kafka version.
func NewDeleteTopicsRequest(version KafkaVersion, topics []string, timeout time.Duration) *DeleteTopicsRequest {
	return &DeleteTopicsRequest{Version: apiDeleteTopics.versionFor(version), Topics: topics, Timeout: timeout}
}

func (r *DeleteTopicsRequest) meta() (*api, *int16) { return apiDeleteTopics, &r.Version }

func (r *DeleteTopicsRequest) brokerWait() time.Duration { return r.Timeout }

func (r *DeleteTopicsRequest) layout(c *wire.Codec) {
	if c.From(6) {
		wire.Values(c, &r.Topics, func(name *string, c *wire.Codec) {
			var id [16]byte // deleted by name
			c.StringOrNull(name)
			c.UUID(&id)
		})
	} else {
		c.Strings(&r.Topics)
	}
	c.Millis(&r.Timeout)
}

// DeleteTopicsResponse is the answer to a DeleteTopicsRequest.
type DeleteTopicsResponse struct {
	Version         int16
	ThrottleTime    time.Duration
	TopicErrorCodes map[string]KError
	// TopicErrorMessages has the topics that the broker said more about, from
	// version 5 on, TopicIDs those with an id, from version 6 on.
	TopicErrorMessages map[string]*string
	TopicIDs           map[string]Uuid
}

func (r *DeleteTopicsResponse) meta() (*api, *int16) { return apiDeleteTopics, &r.Version }

func (r *DeleteTopicsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *DeleteTopicsResponse) layout(c *wire.Codec) {
	layThrottle(c, 1, &r.ThrottleTime)
	if !c.Writing() {
		r.TopicErrorMessages, r.TopicIDs = nil, nil
		if c.From(5) {
			r.TopicErrorMessages = make(map[string]*string)
		}
		if c.From(6) {
			r.TopicIDs = make(map[string]Uuid)
		}
	}
	layMap(c, &r.TopicErrorCodes, func(name *string, e *KError) {
		id := r.TopicIDs[*name]
		if c.From(6) {
			c.StringOrNull(name)
			c.UUID((*[16]byte)(&id))
		} else {
			c.String(name)
		}
		layKError(c, e)
		msg := r.TopicErrorMessages[*name]
		if c.From(5) {
			c.NullableString(&msg)
		}
		if c.Writing() {
			return
		}
		if c.From(5) {
			r.TopicErrorMessages[*name] = msg
		}
		if c.From(6) {
			r.TopicIDs[*name] = id
		}
	})
}
