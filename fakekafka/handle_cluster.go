package fakekafka

import (
	"hash/fnv"
	"maps"
	"math"
	"regexp"
	"slices"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
)

// First versions that name topics by their ids (KIP-516).
const (
	produceByID      = 13
	fetchByID        = 13
	metadataByID     = 12
	deleteTopicsByID = 6
)

// What a client may do where nothing restricts it, as bits (KIP-430).
const (
	allOnTopic   = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	allOnCluster = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
	notAsked     = math.MinInt32
)

// clientSoftware is what brokers take as name and version of a client (KIP-511).
var clientSoftware = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

// apiVersions answers with all that is offered.
func (c *conn) apiVersions(r *Request) (any, error) {
	req := r.Body.(*sarama.ApiVersionsRequest)
	resp := &sarama.ApiVersionsResponse{ErrorCode: int16(r.reply.Err), FinalizedFeaturesEpoch: -1}
	if r.Version >= 3 && (!clientSoftware.MatchString(req.ClientSoftwareName) || !clientSoftware.MatchString(req.ClientSoftwareVersion)) {
		resp.ErrorCode = int16(sarama.ErrInvalidRequest)
	}
	if resp.ErrorCode != int16(sarama.ErrNoError) {
		return resp, nil
	}
	c.cluster.txns.tellLevel(resp)
	for key, o := range c.cluster.offers {
		if o.handle != nil {
			resp.ApiKeys = append(resp.ApiKeys, sarama.ApiVersionsResponseKey{ApiKey: int16(key), MinVersion: o.min, MaxVersion: o.max})
		}
	}
	return resp, nil
}

// versionsRefused answers an ApiVersions request of a version that is not
// offered: in the form of version 0, which every client can read, with the
// versions of this one API (KIP-511).
func (c *conn) versionsRefused(r *Request, o *offer) any {
	r.Version, r.header.Version = 0, 0
	resp := &sarama.ApiVersionsResponse{ErrorCode: int16(sarama.ErrUnsupportedVersion)}
	if c.cluster.opts.Version.IsAtLeast(sarama.V2_4_0_0) {
		resp.ApiKeys = []sarama.ApiVersionsResponseKey{{ApiKey: int16(ApiVersions), MinVersion: o.min, MaxVersion: o.max}}
	}
	return resp
}

// metadata answers with brokers, topics and leaders.
func (c *conn) metadata(r *Request) (any, error) {
	req := r.Body.(*sarama.MetadataRequest)
	resp := &sarama.MetadataResponse{
		ClusterID: &c.cluster.id, ControllerID: c.cluster.controller.Load(), ClusterAuthorizedOperations: notAsked,
		ErrorCode: r.reply.Err,
	}
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = allOnCluster
	}
	for _, b := range c.cluster.brokers {
		if b.isUp() {
			resp.Brokers = append(resp.Brokers, b.asBroker())
		}
	}
	refs, all, err := topicsAsked(r, req)
	if err != nil {
		return nil, err
	}
	if all {
		catalog := c.cluster.catalog.Load()
		for _, name := range slices.Sorted(maps.Keys(catalog.byName)) {
			resp.Topics = append(resp.Topics, c.topicMetadata(r, catalog.byName[name]))
		}
		return resp, nil
	}
	for _, ref := range refs {
		resp.Topics = append(resp.Topics, c.metadataOf(r, req, ref))
	}
	return resp, nil
}

// asBroker is the broker in a response.
func (b *broker) asBroker() *sarama.Broker {
	return bridge.Broker(b.id, b.addr, b.rack).(*sarama.Broker)
}

// topicsAsked lists the topics that a request wants to know of.
func topicsAsked(r *Request, req *sarama.MetadataRequest) (refs []bridge.TopicRef, all bool, err error) {
	if req.Topics == nil || r.Version == 0 && len(req.Topics) == 0 {
		return nil, true, nil
	}
	if r.Version >= metadataByID {
		refs, err = bridge.TopicRefs(r.frame)
		return refs, false, err
	}
	for _, name := range req.Topics {
		refs = append(refs, bridge.TopicRef{Name: name, Named: true})
	}
	return refs, false, nil
}

func (c *conn) metadataOf(r *Request, req *sarama.MetadataRequest, ref bridge.TopicRef) *sarama.TopicMetadata {
	catalog := c.cluster.catalog.Load()
	if !ref.Named {
		t := catalog.byID[ref.ID]
		if t == nil {
			return &sarama.TopicMetadata{Err: sarama.ErrUnknownTopicID, Uuid: ref.ID, TopicAuthorizedOperations: notAsked}
		}
		return c.topicMetadata(r, t)
	}
	t := catalog.topic(ref.Name)
	var err error
	if t == nil {
		err = checkTopicName(ref.Name)
	}
	if t == nil && err == nil {
		err = sarama.ErrUnknownTopicOrPartition
		if c.cluster.opts.AutoCreateTopics && (r.Version < 4 || req.AllowAutoTopicCreation) && r.errorFor(ref.Name, -1) == sarama.ErrNoError {
			if t, err = c.cluster.createTopic(Topic{Name: ref.Name}, partitionsMax, false); t == nil {
				t = c.cluster.catalog.Load().topic(ref.Name) // another request was faster
			}
		}
	}
	if t != nil {
		return c.topicMetadata(r, t)
	}
	code, _ := codeOf(err)
	if hooked := r.errorFor(ref.Name, -1); hooked != sarama.ErrNoError {
		code = hooked
	}
	return &sarama.TopicMetadata{Err: code, Name: ref.Name, TopicAuthorizedOperations: notAsked}
}

func (c *conn) topicMetadata(r *Request, t *topic) *sarama.TopicMetadata {
	m := &sarama.TopicMetadata{Name: t.name, Uuid: t.id, IsInternal: t.internal(), TopicAuthorizedOperations: notAsked}
	if r.Body.(*sarama.MetadataRequest).IncludeTopicAuthorizedOperations {
		m.TopicAuthorizedOperations = allOnTopic
	}
	if err := r.errorFor(t.name, -1); err != sarama.ErrNoError {
		m.Err = err
		return m
	}
	for _, p := range t.partitions {
		l := p.leadership()
		pm := &sarama.PartitionMetadata{
			ID: p.id, Leader: l.leader, LeaderEpoch: l.epoch, Replicas: l.replicas, Isr: l.isr,
			Err: r.errorFor(t.name, p.id),
		}
		for _, id := range l.replicas {
			if !c.cluster.broker(id).isUp() {
				pm.OfflineReplicas = append(pm.OfflineReplicas, id)
			}
		}
		if pm.Err == sarama.ErrNoError && l.leader < 0 {
			pm.Err = sarama.ErrLeaderNotAvailable
		}
		m.Partitions = append(m.Partitions, pm)
	}
	return m
}

// coordinator is the broker that coordinates a group or a transactional id: the
// same for as long as it is up, and again when it is back; nil when no broker
// is.
func (c *Cluster) coordinator(kind sarama.CoordinatorType, key string) *broker {
	if kind == sarama.CoordinatorGroup {
		if moved, _ := c.groups.place(key); moved != 0 && c.broker(moved).isUp() {
			return c.broker(moved)
		}
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte{byte(kind)})
	_, _ = hash.Write([]byte(key))
	first := int(hash.Sum32() % uint32(len(c.brokers)))
	for i := range c.brokers {
		if b := c.brokers[(first+i)%len(c.brokers)]; b.isUp() {
			return b
		}
	}
	return nil
}

func (c *conn) findCoordinator(r *Request) (any, error) {
	req := r.Body.(*sarama.FindCoordinatorRequest)
	keys := []string{req.CoordinatorKey}
	if r.Version >= 4 {
		keys = req.CoordinatorKeys
	}
	resp := &sarama.FindCoordinatorResponse{Coordinators: []*sarama.FoundCoordinator{}}
	for _, key := range keys {
		f := &sarama.FoundCoordinator{Key: key, Err: r.reply.Err}
		switch {
		case f.Err != sarama.ErrNoError:
		case req.CoordinatorType != sarama.CoordinatorGroup && req.CoordinatorType != sarama.CoordinatorTransaction:
			f.Err = sarama.ErrInvalidRequest
		default:
			if b := c.cluster.coordinator(req.CoordinatorType, key); b != nil {
				f.Coordinator = b.asBroker()
			} else {
				f.Err = sarama.ErrConsumerCoordinatorNotAvailable
			}
		}
		if f.Err != sarama.ErrNoError {
			why := f.Err.Error()
			f.ErrMsg = &why
		}
		resp.Coordinators = append(resp.Coordinators, f)
	}
	if r.Version < 4 {
		f := resp.Coordinators[0]
		resp.Err, resp.ErrMsg, resp.Coordinator, resp.Coordinators = f.Err, f.ErrMsg, f.Coordinator, nil
	}
	return resp, nil
}
