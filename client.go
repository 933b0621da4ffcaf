package sarama

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Client is what producers, consumers and admins share: the connections to a
// cluster's brokers, one each, and what is known of its topics. It may be used
// from any goroutine. Close it when nothing that was made from it is in use.
//
// Reading what is known takes no lock. What is not known is asked for, with
// Metadata.Retry; all who ask at the same time share a request.
type Client interface {
	// Config is the configuration that the client was made with. It must not
	// be changed.
	Config() *Config
	// Controller returns the broker that is the cluster's controller, opened.
	// It needs Config.Version 0.10 or later.
	Controller() (*Broker, error)
	// RefreshController asks anew which broker is the controller.
	RefreshController() (*Broker, error)
	// Brokers returns the brokers known from the last metadata, not opened.
	Brokers() []*Broker
	// Broker returns a known broker by its id, opened; ErrBrokerNotFound when
	// there is none.
	Broker(brokerID int32) (*Broker, error)
	// Topics returns the names of the known topics, in no order.
	Topics() ([]string, error)
	// Partitions returns the ids of a topic's partitions, sorted.
	Partitions(topic string) ([]int32, error)
	// WritablePartitions returns the ids of those that have a leader, sorted.
	WritablePartitions(topic string) ([]int32, error)
	// Leader returns the broker that leads a partition, opened.
	Leader(topic string, partitionID int32) (*Broker, error)
	// LeaderAndEpoch is Leader with the leader epoch, -1 when unknown.
	LeaderAndEpoch(topic string, partitionID int32) (*Broker, int32, error)
	// Replicas returns the ids of the brokers that have a partition.
	Replicas(topic string, partitionID int32) ([]int32, error)
	// InSyncReplicas returns the ids of those that are in sync.
	InSyncReplicas(topic string, partitionID int32) ([]int32, error)
	// OfflineReplicas returns the ids of those that are down.
	OfflineReplicas(topic string, partitionID int32) ([]int32, error)
	// RefreshBrokers closes all connections and starts again from addresses
	// that are given, which take the place of NewClient's; what is known of
	// topics stays.
	RefreshBrokers(addrs []string) error
	// RefreshMetadata asks for some topics, or without arguments for all that
	// the client deals with, and waits for the answer.
	RefreshMetadata(topics ...string) error
	// GetOffset asks a partition's leader for the offset of a time in ms since
	// the epoch, of OffsetNewest or of OffsetOldest.
	GetOffset(topic string, partitionID int32, time int64) (int64, error)
	// Coordinator returns the broker that coordinates a consumer group, opened.
	Coordinator(consumerGroup string) (*Broker, error)
	// RefreshCoordinator asks anew which broker that is.
	RefreshCoordinator(consumerGroup string) error
	// TransactionCoordinator is Coordinator for a transactional id.
	TransactionCoordinator(transactionID string) (*Broker, error)
	// RefreshTransactionCoordinator asks anew which broker that is.
	RefreshTransactionCoordinator(transactionID string) error
	// InitProducerID asks for an id for an idempotent producer.
	InitProducerID() (*InitProducerIDResponse, error)
	// LeastLoadedBroker returns the broker with the fewest requests under way,
	// opened, or nil.
	LeastLoadedBroker() *Broker
	// PartitionNotReadable reports whether a partition is unknown or without a
	// leader.
	PartitionNotReadable(topic string, partition int32) bool
	// Close closes all connections; calls that wait get ErrClosedClient.
	Close() error
	// Closed reports whether Close was called.
	Closed() bool
}

type client struct {
	// constant after NewClient
	conf           *Config
	resolver       hostResolver
	refresher      *refresher
	done           chan struct{} // closed by Close
	refresherEnded chan struct{}

	// atomic snapshot, any goroutine; replaced by the refresher, and by Close
	// once that has ended
	cluster atomic.Pointer[cluster]

	closeOnce sync.Once

	mu struct {
		sync.Mutex
		coordinators map[coordinatorKey]int32 // broker ids
	}
}

// NewClient connects to a cluster through one of the given addresses and, with
// Metadata.Full, learns all of its topics. A nil conf means NewConfig's. The
// error is a ConfigurationError, or wraps ErrOutOfBrokers and what went wrong
// with each address.
func NewClient(addrs []string, conf *Config) (Client, error) {
	c, err := newClient(addrs, conf)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func newClient(addrs []string, conf *Config) (*client, error) {
	return newClientWith(addrs, conf, net.DefaultResolver)
}

func newClientWith(addrs []string, conf *Config, resolver hostResolver) (*client, error) {
	DebugLogger.Println("Initializing new client")
	if conf == nil {
		conf = NewConfig()
	}
	if err := conf.Validate(); err != nil {
		return nil, err
	}
	if len(addrs) < 1 {
		return nil, ConfigurationError("You must provide at least one broker address")
	}
	if strings.Contains(addrs[0], ".servicebus.windows.net") && (!conf.Version.IsAtLeast(V0_11_0_0) || conf.Version.IsAtLeast(V1_1_0_0)) {
		Logger.Println("Connecting to Azure Event Hubs, forcing version to V1_0_0_0 for compatibility")
		conf.Version = V1_0_0_0
	}
	c := &client{conf: conf, resolver: resolver, done: make(chan struct{}), refresherEnded: make(chan struct{})}
	c.mu.coordinators = make(map[coordinatorKey]int32)
	resolved, err := c.bootstrapAddrs(context.Background(), addrs)
	if err != nil {
		return nil, err
	}
	c.cluster.Store(&cluster{addrs: slices.Clone(addrs), seeds: seedBrokers(resolved, nil), resolved: time.Now(), controllerID: -1})
	c.refresher = newRefresher(c)
	go withRecover(c.refresher.run)
	if conf.Metadata.Full {
		if err := c.learnAll(); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	DebugLogger.Println("Successfully initialized new client")
	return c, nil
}

// learnAll asks for all topics once. What is wrong with single topics, or with
// what this client may see, does not keep the client from being of use.
func (c *client) learnAll() error {
	err := c.refreshMetadata(nil, false, nil)
	if isOneOf(err, ErrLeaderNotAvailable, ErrReplicaNotAvailable, ErrTopicAuthorizationFailed, ErrClusterAuthorizationFailed) {
		Logger.Println(err)
		err = nil
	}
	return err
}

func (c *client) Config() *Config { return c.conf }

func (c *client) Closed() bool { return isClosed(c.done) }

func (c *client) Close() error {
	err := ErrClosedClient
	c.closeOnce.Do(func() {
		err = nil
		DebugLogger.Println("Closing Client")
		close(c.done)
		<-c.refresherEnded
		last := c.cluster.Swap(&cluster{closed: true, controllerID: -1})
		for _, b := range last.all() {
			_ = b.Close()
		}
	})
	if err != nil {
		Logger.Printf("Close() called on already closed client")
	}
	return err
}

// open opens a broker of the client's, in the background.
func (c *client) open(b *Broker) *Broker {
	_, _ = b.open(c.conf)
	c.closeIfGone(b)
	return b
}

func (c *client) Brokers() []*Broker {
	return slices.Collect(maps.Values(c.cluster.Load().brokers))
}

func (c *client) Broker(brokerID int32) (*Broker, error) {
	b := c.cluster.Load().brokers[brokerID]
	if b == nil {
		return nil, ErrBrokerNotFound
	}
	return c.open(b), nil
}

func (c *client) LeastLoadedBroker() *Broker {
	snapshot := c.cluster.Load()
	var best *Broker
	for _, b := range snapshot.brokers {
		if best == nil || b.preferredTo(best) {
			best = b
		}
	}
	if best == nil && len(snapshot.seeds) > 0 {
		best = snapshot.seeds[0]
	}
	if best == nil {
		return nil
	}
	return c.open(best)
}

// preferredTo orders brokers by how soon they are likely to answer: one whose
// connection has failed comes last, then the number of requests decides.
func (b *Broker) preferredTo(o *Broker) bool {
	failed := func(b *Broker) bool {
		l := b.link.Load()
		return l != nil && l.err() != nil
	}
	if bf, of := failed(b), failed(o); bf != of {
		return of
	}
	return b.load() < o.load()
}

func (c *client) Topics() ([]string, error) {
	snapshot := c.cluster.Load()
	if snapshot.closed {
		return nil, ErrClosedClient
	}
	return slices.Collect(maps.Keys(snapshot.topics)), nil
}

// topic returns what is known of a topic, asking once if usable says that
// that is not enough.
func (c *client) topic(name string, usable func(*topicInfo) bool) (*topicInfo, error) {
	t := c.cluster.Load().topics[name]
	var err error
	if t == nil || !usable(t) {
		if c.Closed() {
			return nil, ErrClosedClient
		}
		err = c.RefreshMetadata(name)
		t = c.cluster.Load().topics[name]
	}
	if c.Closed() {
		return nil, ErrClosedClient
	}
	if t != nil && usable(t) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, ErrUnknownTopicOrPartition
	}
	return t, nil
}

func (c *client) Partitions(topic string) ([]int32, error) {
	t, err := c.topic(topic, func(t *topicInfo) bool { return len(t.all) > 0 })
	if err != nil {
		return nil, err
	}
	return t.all, nil
}

func (c *client) WritablePartitions(topic string) ([]int32, error) {
	t, err := c.topic(topic, func(t *topicInfo) bool { return len(t.writable) > 0 })
	if err != nil {
		return nil, err
	}
	return t.writable, nil
}

// replicas picks one of a partition's lists of brokers.
func (c *client) replicas(topic string, partition int32, pick func(*partitionInfo) []int32) ([]int32, error) {
	t, err := c.topic(topic, func(t *topicInfo) bool { return t.partition(partition) != nil })
	if err != nil {
		return nil, err
	}
	p := t.partition(partition)
	if p == nil {
		return nil, ErrUnknownTopicOrPartition
	}
	ids := append([]int32{}, pick(p)...)
	if p.err == ErrReplicaNotAvailable {
		return ids, p.err
	}
	return ids, nil
}

func (c *client) Replicas(topic string, partitionID int32) ([]int32, error) {
	return c.replicas(topic, partitionID, func(p *partitionInfo) []int32 { return p.replicas })
}

func (c *client) InSyncReplicas(topic string, partitionID int32) ([]int32, error) {
	return c.replicas(topic, partitionID, func(p *partitionInfo) []int32 { return p.isr })
}

func (c *client) OfflineReplicas(topic string, partitionID int32) ([]int32, error) {
	return c.replicas(topic, partitionID, func(p *partitionInfo) []int32 { return p.offline })
}

func (c *client) Leader(topic string, partitionID int32) (*Broker, error) {
	b, _, err := c.LeaderAndEpoch(topic, partitionID)
	return b, err
}

func (c *client) LeaderAndEpoch(topic string, partitionID int32) (*Broker, int32, error) {
	if c.Closed() {
		return nil, -1, ErrClosedClient
	}
	b, epoch, err := c.cluster.Load().leader(topic, partitionID)
	if err != nil {
		if err := c.RefreshMetadata(topic); err != nil {
			return nil, -1, err
		}
		if b, epoch, err = c.cluster.Load().leader(topic, partitionID); err != nil {
			return nil, -1, err
		}
	}
	return c.open(b), epoch, nil
}

func (c *client) PartitionNotReadable(topic string, partition int32) bool {
	p := c.cluster.Load().topics[topic].partition(partition)
	return p == nil || p.leader < 0
}

func (c *client) RefreshMetadata(topics ...string) error {
	if c.Closed() {
		return ErrClosedClient
	}
	if slices.Contains(topics, "") {
		return ErrInvalidTopic // the broker would take it for a topic to create
	}
	if len(topics) == 0 {
		topics = nil
	}
	return c.refreshMetadata(topics, false, nil)
}

func (c *client) RefreshBrokers(addrs []string) error {
	if c.Closed() {
		return ErrClosedClient
	}
	ctx, cancel := contextOf(c.done)
	defer cancel()
	resolved, err := c.bootstrapAddrs(ctx, addrs)
	if err != nil {
		return err
	}
	c.changeBrokers(func(now *cluster) *cluster {
		next := now.atSeeds(slices.Clone(addrs), seedBrokers(resolved, nil), time.Now())
		next.moved = true
		return next
	})
	return nil
}

func (c *client) GetOffset(topic string, partitionID int32, timestamp int64) (int64, error) {
	if c.Closed() {
		return -1, ErrClosedClient
	}
	offset, err := c.askOffset(topic, partitionID, timestamp)
	if err == nil {
		return offset, nil
	}
	if err := c.RefreshMetadata(topic); err != nil {
		return -1, err
	}
	return c.askOffset(topic, partitionID, timestamp)
}

func (c *client) askOffset(topic string, partition int32, timestamp int64) (int64, error) {
	b, err := c.Leader(topic, partition)
	if err != nil {
		return -1, err
	}
	req := NewOffsetRequest(c.conf.Version)
	req.AddBlock(topic, partition, timestamp, 1)
	resp, err := b.GetAvailableOffsets(req)
	if err != nil {
		return -1, err
	}
	block := resp.GetBlock(topic, partition)
	switch {
	case block == nil:
		return -1, ErrIncompleteResponse
	case block.Err != ErrNoError:
		return -1, block.Err
	case len(block.Offsets) != 1:
		return -1, ErrOffsetOutOfRange
	}
	return block.Offsets[0], nil
}

func (c *client) Controller() (*Broker, error) {
	if c.Closed() {
		return nil, ErrClosedClient
	}
	if !c.conf.Version.IsAtLeast(V0_10_0_0) {
		return nil, ErrUnsupportedVersion
	}
	if b := c.knownController(); b != nil {
		return c.open(b), nil
	}
	return c.askController()
}

func (c *client) knownController() *Broker {
	snapshot := c.cluster.Load()
	return snapshot.brokers[snapshot.controllerID]
}

// askController refreshes the brokers, or all where that is how the client
// works, and returns the controller.
func (c *client) askController() (*Broker, error) {
	var topics []string
	if !c.conf.Metadata.Full {
		topics = []string{}
	}
	if err := c.refreshMetadata(topics, false, nil); err != nil && c.knownController() == nil {
		return nil, err
	}
	b := c.knownController()
	if b == nil {
		return nil, ErrControllerNotAvailable
	}
	return c.open(b), nil
}

func (c *client) RefreshController() (*Broker, error) {
	if c.Closed() {
		return nil, ErrClosedClient
	}
	if b := c.knownController(); b != nil {
		_ = b.Close()
		c.apply(func(now *cluster) *cluster {
			next := *now
			next.controllerID = -1
			return &next
		})
	}
	return c.askController()
}

func (c *client) InitProducerID() (*InitProducerIDResponse, error) {
	req := &InitProducerIDRequest{Version: apiInitProducerID.versionFor(c.conf.Version), ProducerID: -1, ProducerEpoch: -1}
	return c.initProducerID(req)
}

// initProducerID asks one broker after another until one answers.
func (c *client) initProducerID(req *InitProducerIDRequest) (*InitProducerIDResponse, error) {
	ctx, cancel := contextOf(c.done)
	defer cancel()
	var causes []error
	for at := range c.tryMembers(ctx, &causes) {
		attempt, resp := *req, new(InitProducerIDResponse)
		err := at.ask(&attempt, resp, c.done)
		if err == nil {
			return resp, nil
		}
		Logger.Printf("Client got error from broker %d when issuing InitProducerID : %v\n", at.broker.ID(), err)
		causes = append(causes, fmt.Errorf("broker %s: %w", at.broker.name(), err))
	}
	return nil, Wrap(ErrOutOfBrokers, causes...)
}

// sleep waits for d, for the client's end, or for quit.
func (c *client) sleep(d time.Duration, quit <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.done:
		return ErrClosedClient
	case <-quit:
		return errAbandoned
	}
}
