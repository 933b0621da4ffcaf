package sarama

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// metadataSource is where producers and consumers learn of topics and leaders.
type metadataSource interface {
	// snapshot is what is known; it never waits.
	snapshot() *cluster
	// refresh asks for a topic and returns when the snapshot has the answer,
	// or why there is none, or when done is closed. It may wait long.
	refresh(topic string, done <-chan struct{}) error
	// hint takes what brokers have said of new leaders; when it returns the
	// snapshot has what is of use. It waits for nothing but the refresher.
	hint(hints []leaderHint)
}

// sourceOf is the source that a client is. Only this package's own client
// shows its snapshot; users embed a Client and override methods, so that for
// any other value the methods are asked.
func sourceOf(c Client) metadataSource {
	if own, ok := c.(*client); ok {
		return ownSource{own}
	}
	s := &foreignSource{client: c}
	s.current.Store(&cluster{controllerID: -1})
	return s
}

type ownSource struct{ client *client }

func (s ownSource) snapshot() *cluster { return s.client.cluster.Load() }

func (s ownSource) refresh(topic string, done <-chan struct{}) error {
	if topic == "" {
		return ErrInvalidTopic // as RefreshMetadata says
	}
	return s.client.refreshMetadata([]string{topic}, true, done)
}

func (s ownSource) hint(hints []leaderHint) { s.client.hint(hints) }

// foreignSource builds a snapshot from the methods of a Client that is not
// this package's own. Upstream asks such a client for every message; here its
// answers are read again, on a goroutine of their own, when they are older
// than foreignAgeMax and somebody looks at them.
type foreignSource struct {
	// constant
	client Client

	// atomic, any goroutine
	current atomic.Pointer[cluster] // replaced with mu held
	loaded  atomic.Int64            // when the answers were last read, in ns since 1970
	loading atomic.Bool             // they are being read again

	// mu orders replacements; it is not held over a call of the client's
	mu sync.Mutex
}

// foreignAgeMax is how old the answers of a foreign client may be.
const foreignAgeMax = 100 * time.Millisecond

func (s *foreignSource) snapshot() *cluster {
	now := s.current.Load()
	if age := time.Now().UnixNano() - s.loaded.Load(); age > int64(foreignAgeMax) && len(now.topics) > 0 && s.loading.CompareAndSwap(false, true) {
		go withRecover(func() {
			defer s.loading.Store(false)
			defer func() { s.loaded.Store(time.Now().UnixNano()) }()
			for topic := range now.topics {
				if s.client.Closed() {
					return
				}
				if err := s.load(topic); err != nil {
					DebugLogger.Printf("client/metadata reading topic %s from a foreign client: %v\n", topic, err)
				}
			}
		})
	}
	return now
}

func (s *foreignSource) refresh(topic string, _ <-chan struct{}) error {
	if s.client.Closed() {
		return ErrClosedClient
	}
	if s.current.Load().topics[topic] != nil {
		if err := s.client.RefreshMetadata(topic); err != nil {
			return err
		}
	}
	return s.load(topic)
}

// hint does nothing: the client whose answers are asked for is the one to know.
func (s *foreignSource) hint([]leaderHint) {}

// load reads what the client says of a topic now, as upstream asks: all
// partitions, writable ones, the leader of each.
func (s *foreignSource) load(topic string) error {
	all, err := s.client.Partitions(topic)
	if err != nil {
		return err
	}
	writable, err := s.client.WritablePartitions(topic)
	if err != nil {
		return err
	}
	all = slices.Sorted(slices.Values(all)) // a copy: the list is the client's
	t := &topicInfo{name: topic, all: all, writable: writable, dense: true}
	brokers := make(map[int32]*Broker)
	var failed error
	for i, id := range all {
		p := partitionInfo{id: id, leader: -1, epoch: -1}
		b, epoch, err := s.client.LeaderAndEpoch(topic, id)
		if err != nil {
			failed = err
		} else {
			p.leader, p.epoch = b.ID(), epoch
			brokers[b.ID()] = b
		}
		t.partitions = append(t.partitions, p)
		t.dense = t.dense && int(id) == i
	}
	if len(brokers) == 0 && failed != nil {
		return failed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := *s.current.Load()
	next.topics, next.brokers = maps.Clone(next.topics), maps.Clone(next.brokers)
	if next.topics == nil {
		next.topics, next.brokers = make(map[string]*topicInfo), make(map[int32]*Broker)
	}
	if old := next.topics[topic]; old == nil || !old.equal(t) || !slices.Equal(old.writable, t.writable) {
		next.topics[topic] = t
	}
	maps.Copy(next.brokers, brokers)
	s.current.Store(&next)
	s.loaded.Store(time.Now().UnixNano())
	return nil
}
