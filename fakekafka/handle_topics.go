package fakekafka

import (
	"maps"
	"slices"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
)

// controls says whether a broker takes requests that are the controller's.
// Since 4.0 every broker passes them on to the controller.
func (c *conn) controls() bool {
	return c.cluster.opts.Version.IsAtLeast(sarama.V4_0_0_0) || c.broker.id == c.cluster.controller.Load()
}

func (c *conn) createTopics(r *Request) (any, error) {
	req := r.Body.(*sarama.CreateTopicsRequest)
	resp := &sarama.CreateTopicsResponse{
		TopicErrors: make(map[string]*sarama.TopicError), TopicResults: make(map[string]*sarama.CreatableTopicResult),
	}
	left := partitionsMax // of one request
	for _, name := range slices.Sorted(maps.Keys(req.TopicDetails)) {
		detail := req.TopicDetails[name]
		var err error
		var t *topic
		switch hooked := r.errorFor(name, -1); {
		case hooked != sarama.ErrNoError:
			err = hooked
		case !c.controls():
			err = sarama.ErrNotController
		default:
			var spec Topic
			if spec, err = topicSpec(name, detail, r.Version); err == nil {
				if t, err = c.cluster.createTopic(spec, left, req.ValidateOnly); err == nil {
					left -= len(t.partitions)
				}
			}
		}
		result := &sarama.CreatableTopicResult{NumPartitions: -1, ReplicationFactor: -1}
		entry := &sarama.TopicError{}
		if entry.Err, entry.ErrMsg = codeOf(err); err == nil {
			result = c.cluster.result(t, c.broker.id, req.ValidateOnly)
		}
		resp.TopicErrors[name], resp.TopicResults[name] = entry, result
	}
	return resp, nil
}

// topicSpec reads what is to be created.
func topicSpec(name string, d *sarama.TopicDetail, version int16) (Topic, error) {
	spec := Topic{Name: name, Partitions: int(d.NumPartitions), ReplicationFactor: int(d.ReplicationFactor), Config: make(map[string]string)}
	for key, value := range d.ConfigEntries {
		if value == nil {
			return spec, refuse(sarama.ErrInvalidConfig, "Null value not supported for topic configs: %s", key)
		}
		spec.Config[key] = *value
	}
	if len(d.ReplicaAssignment) > 0 {
		if d.NumPartitions != -1 || d.ReplicationFactor != -1 {
			return spec, refuse(sarama.ErrInvalidRequest, "both a replica assignment and a number of partitions or a replication factor were given")
		}
		for i := range int32(len(d.ReplicaAssignment)) {
			replicas, ok := d.ReplicaAssignment[i]
			if !ok {
				return spec, refuse(sarama.ErrInvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
			}
			spec.Assignment = append(spec.Assignment, replicas)
		}
		return spec, nil
	}
	defaults := version >= 4 // -1 stands for the broker's own (KIP-464)
	switch {
	case d.NumPartitions == -1 && defaults:
		spec.Partitions = 0
	case d.NumPartitions <= 0:
		return spec, refuse(sarama.ErrInvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	switch {
	case d.ReplicationFactor == -1 && defaults:
		spec.ReplicationFactor = 0
	case d.ReplicationFactor <= 0:
		return spec, refuse(sarama.ErrInvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	}
	return spec, nil
}

// result describes a topic that was created, as a broker sees it (KIP-525).
func (c *Cluster) result(t *topic, broker int32, validateOnly bool) *sarama.CreatableTopicResult {
	result := &sarama.CreatableTopicResult{
		NumPartitions: int32(len(t.partitions)), ReplicationFactor: int16(len(t.partitions[0].leadership().replicas)),
		Configs: make(map[string]*sarama.CreatableTopicConfigs),
	}
	if !validateOnly {
		result.TopicID = t.id
	}
	given := t.config.Load().given
	for name, setting := range c.topicSettings {
		value, source := setting.valueFrom(c.topicSynonyms(setting, given, broker))
		result.Configs[name] = &sarama.CreatableTopicConfigs{Value: &value, ConfigSource: source}
	}
	return result
}

func (c *conn) deleteTopics(r *Request) (any, error) {
	req := r.Body.(*sarama.DeleteTopicsRequest)
	var refs []bridge.TopicRef
	if r.Version >= deleteTopicsByID {
		var err error
		if refs, err = bridge.TopicRefs(r.frame); err != nil {
			return nil, err
		}
	} else {
		for _, name := range req.Topics {
			refs = append(refs, bridge.TopicRef{Name: name, Named: true})
		}
	}
	resp := &sarama.DeleteTopicsResponse{
		TopicErrorCodes: make(map[string]sarama.KError), TopicErrorMessages: make(map[string]*string), TopicIDs: make(map[string]sarama.Uuid),
	}
	catalog := c.cluster.catalog.Load()
	for _, ref := range refs {
		t := catalog.topic(ref.Name)
		if !ref.Named {
			t = catalog.byID[ref.ID]
		}
		name, id := ref.Name, sarama.Uuid(ref.ID)
		if t != nil {
			name, id = t.name, t.id
		}
		var err error
		switch hooked := r.errorFor(name, -1); {
		case hooked != sarama.ErrNoError:
			err = hooked
		case !c.controls():
			err = sarama.ErrNotController
		case t == nil && ref.Named:
			err = sarama.ErrUnknownTopicOrPartition
		case t == nil:
			err = sarama.ErrUnknownTopicID
		default:
			c.cluster.deleteTopic(t)
		}
		resp.TopicErrorCodes[name], resp.TopicErrorMessages[name] = codeOf(err)
		resp.TopicIDs[name] = id
	}
	return resp, nil
}
