package sarama

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// cluster is what a client knows of a Kafka cluster at one moment. It and all
// that is reached from it never changes; the client's refresher replaces it as
// a whole. (A Broker has a life of its own: which Broker stands for an id is
// what never changes here.)
type cluster struct {
	closed bool

	// where to begin
	addrs      []string // as they were given
	seeds      []*Broker
	resolved   time.Time // when the names of seeds were found; of use where these are canonical ones
	bootstraps int       // how often it began there; what was asked before does not count
	anew       bool      // it has begun there, and has learned nothing since
	moved      bool      // so it did as the user gave other addresses, of whatever cluster

	// what metadata says
	brokers      map[int32]*Broker
	controllerID int32
	clusterID    string
	topics       map[string]*topicInfo
}

// topicInfo is one topic of a cluster. An unchanged topic keeps its topicInfo
// when the cluster is replaced, so that users can compare pointers.
type topicInfo struct {
	name       string
	id         Uuid
	wireID     string          // text form of id
	partitions []partitionInfo // in the order of their ids
	all        []int32         // ids of all partitions
	writable   []int32         // ids of those that have a leader
	dense      bool            // ids are 0 to n-1
}

type partitionInfo struct {
	id       int32
	err      KError
	leader   int32 // -1 for none
	epoch    int32 // -1 when unknown
	replicas []int32
	isr      []int32
	offline  []int32
}

// partition finds a partition, nil where there is none.
func (t *topicInfo) partition(id int32) *partitionInfo {
	if t == nil || id < 0 {
		return nil
	}
	if t.dense {
		if int(id) < len(t.partitions) {
			return &t.partitions[id]
		}
		return nil
	}
	i, ok := slices.BinarySearch(t.all, id)
	if !ok {
		return nil
	}
	return &t.partitions[i]
}

// leader is the broker that leads a partition, and the leader epoch.
func (c *cluster) leader(topic string, partition int32) (*Broker, int32, error) {
	t := c.topics[topic]
	if t == nil {
		return nil, -1, ErrUnknownTopicOrPartition
	}
	p := t.partition(partition)
	if p == nil {
		return nil, -1, ErrUnknownTopicOrPartition
	}
	if p.err == ErrLeaderNotAvailable || p.leader < 0 {
		return nil, -1, ErrLeaderNotAvailable
	}
	b := c.brokers[p.leader]
	if b == nil {
		return nil, -1, ErrLeaderNotAvailable
	}
	return b, p.epoch, nil
}

// newTopicInfo takes a topic from a response. An answer that is older than
// what is known of a partition does not replace it: brokers learn of leaders
// one after another, and epochs tell which is newer (KIP-320).
func newTopicInfo(m *TopicMetadata, old *topicInfo) *topicInfo {
	t := &topicInfo{name: strings.Clone(m.Name), id: m.Uuid, wireID: m.Uuid.String()}
	for _, p := range m.Partitions {
		if p.ID < 0 {
			Logger.Printf("client/metadata ignored partition %d of topic %s: ids are not negative\n", p.ID, t.name)
			continue
		}
		info := partitionInfo{
			id: p.ID, err: p.Err, leader: p.Leader, epoch: p.LeaderEpoch,
			replicas: p.Replicas, isr: p.Isr, offline: p.OfflineReplicas,
		}
		if was := old.partition(p.ID); was != nil && old.id == t.id && info.epoch >= 0 && info.epoch < was.epoch {
			info = *was
		}
		t.partitions = append(t.partitions, info)
	}
	slices.SortFunc(t.partitions, func(a, b partitionInfo) int { return int(a.id) - int(b.id) })
	t.partitions = slices.CompactFunc(t.partitions, func(a, b partitionInfo) bool { return a.id == b.id })
	t.dense = true
	for i := range t.partitions {
		p := &t.partitions[i]
		t.all = append(t.all, p.id)
		if p.err != ErrLeaderNotAvailable && p.leader >= 0 {
			t.writable = append(t.writable, p.id)
		}
		t.dense = t.dense && int(p.id) == i
	}
	if old != nil && old.equal(t) {
		return old
	}
	return t
}

func (t *topicInfo) equal(o *topicInfo) bool {
	return t.name == o.name && t.id == o.id && slices.EqualFunc(t.partitions, o.partitions, func(a, b partitionInfo) bool {
		return a.id == b.id && a.err == b.err && a.leader == b.leader && a.epoch == b.epoch &&
			slices.Equal(a.replicas, b.replicas) && slices.Equal(a.isr, b.isr) && slices.Equal(a.offline, b.offline)
	})
}

// with returns the cluster that a response makes of c. all says that the
// response is about every topic.
func (c *cluster) with(r *MetadataResponse, all bool) *cluster {
	next := &cluster{
		addrs: c.addrs, seeds: c.seeds, resolved: c.resolved, bootstraps: c.bootstraps, brokers: make(map[int32]*Broker, len(r.Brokers)),
		controllerID: r.ControllerID, clusterID: c.clusterID,
	}
	if r.Version < 1 {
		next.controllerID = -1
	}
	if r.ClusterID != nil && *r.ClusterID != "" {
		next.clusterID = strings.Clone(*r.ClusterID)
	}
	for _, b := range r.Brokers {
		if old := c.brokers[b.id]; old != nil && old.addr == b.addr && old.Rack() == b.Rack() {
			next.brokers[b.id] = old
		} else {
			next.brokers[b.id] = &Broker{id: b.id, addr: b.addr, rack: b.rack} // b pins the response's memory
		}
	}
	next.topics = make(map[string]*topicInfo, len(r.Topics))
	if !all {
		maps.Copy(next.topics, c.topics)
	}
	for _, m := range r.Topics {
		switch m.Err {
		case ErrNoError, ErrLeaderNotAvailable:
			t := newTopicInfo(m, c.topics[m.Name])
			next.topics[t.name] = t
		default:
			delete(next.topics, m.Name)
		}
	}
	return next
}

// withBroker returns the cluster with one broker added or replaced.
func (c *cluster) withBroker(b *Broker) *cluster {
	next := *c
	next.brokers = make(map[int32]*Broker, len(c.brokers)+1)
	maps.Copy(next.brokers, c.brokers)
	next.brokers[b.id] = b
	return &next
}
