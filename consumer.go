package sarama

import (
	"fmt"
	"sync"
)

// Consumer makes PartitionConsumers. Its methods may be called from any
// goroutine. Close it when all PartitionConsumers are closed: it is not
// collected as garbage while it is open.
//
// A consumer has a connection of its own to each broker that leads one of its
// partitions, so that its fetches hold up nothing else.
type Consumer interface {
	// Topics returns the names of the known topics, as Client.Topics does.
	Topics() ([]string, error)

	// Partitions returns the ids of a topic's partitions, sorted, as
	// Client.Partitions does.
	Partitions(topic string) ([]int32, error)

	// ConsumePartition starts to consume a partition from an offset on:
	// OffsetNewest, OffsetOldest, or one that the partition has or will write
	// next. Any other is replaced as Config.Consumer.Offsets.Reset says, or the
	// error is ErrOffsetOutOfRange. It asks the partition's leader for both
	// ends, and waits for the answers. Where this consumer
	// consumes the partition already the error is a ConfigurationError. After
	// Close it is ErrClosedClient.
	ConsumePartition(topic string, partition int32, offset int64) (PartitionConsumer, error)

	// HighWaterMarks returns the high watermark of each partition that is
	// being consumed, by topic and partition: the offset that the partition's
	// next message will get, as of the last fetch.
	HighWaterMarks() map[string]map[int32]int64

	// Close ends the consumer, and the client with it if NewConsumer made that.
	// PartitionConsumers are not closed by it, but end with ErrClosedClient
	// when their client does. It may be called more than once.
	Close() error

	// Pause stops fetching some partitions, by topic; what was fetched before
	// is still delivered. It has no effect on partitions that are not being
	// consumed. A partition that was paused starts paused when it is consumed
	// again, until Resume.
	Pause(topicPartitions map[string][]int32)

	// Resume takes up fetching some partitions, by topic, after Pause.
	Resume(topicPartitions map[string][]int32)

	// PauseAll is Pause for all partitions that are being consumed.
	PauseAll()

	// ResumeAll is Resume for all partitions.
	ResumeAll()
}

// PartitionConsumer consumes one partition. Its methods may be called from any
// goroutine. Messages must be read, and Errors, too, where
// Config.Consumer.Return.Errors is set: a PartitionConsumer waits for its user,
// which holds up no other.
//
// It goes on over errors of any kind, but ends by itself after
// Config.Consumer.Retry.Max failures in a row (ErrConsumerRetriesExhausted),
// when the client is closed (ErrClosedClient) and, where
// Config.Consumer.Offsets.Reset says nothing else, when the offset that it is
// at is no longer there: the broker does not have it (ErrOffsetOutOfRange), has
// lost records below it (*LogTruncationError), or has another topic of the same
// name (*TopicRecreatedError). In any case Close or AsyncClose has to be called
// once.
type PartitionConsumer interface {
	// AsyncClose ends the PartitionConsumer and does not wait: Messages is
	// closed soon, and Errors after that. What is left in them can be read.
	AsyncClose()

	// Close is AsyncClose that waits for the end. It empties Errors, and
	// returns what was unread there as ConsumerErrors, or nil. Messages that
	// were unread stay in Messages.
	Close() error

	// Messages are the partition's messages, in order. It is closed at the
	// end.
	Messages() <-chan *ConsumerMessage

	// Errors are what went wrong, if Config.Consumer.Return.Errors is set;
	// else errors are logged. It is closed at the end, after Messages.
	Errors() <-chan *ConsumerError

	// HighWaterMarkOffset is the offset that the partition's next message
	// will get, as of the last fetch.
	HighWaterMarkOffset() int64

	// Pause stops fetching. What was fetched before, or is on its way, is
	// still delivered.
	Pause()

	// Resume takes up fetching after a Pause.
	Resume()

	// IsPaused says whether fetching is paused.
	IsPaused() bool
}

// PartitionOffsets is what a PartitionConsumer of this package has besides, to
// be had by a type assertion. The methods may be called from any goroutine.
type PartitionOffsets interface {
	// LogStartOffset is the offset of the oldest message there is, as of the
	// last fetch or, until then, of ConsumePartition.
	LogStartOffset() int64

	// LastStableOffset is the offset below which all transactions have ended,
	// as of the last fetch: what a consumer gets up to whose
	// Config.Consumer.IsolationLevel is ReadCommitted. -1 while it is unknown,
	// as it always is with brokers before 0.11.
	LastStableOffset() int64
}

// consumer is the Consumer of this package. Three kinds of goroutines work for
// it: the dispatcher, which finds the leaders of partitions; for each broker a
// fetcher; for each partition a feeder, which is partitionConsumer.run.
type consumer struct {
	// constant after newConsumer
	conf       *Config
	client     Client
	ownsClient bool
	dispatcher *dispatcher
	metrics    *consumerMetrics

	mu struct {
		sync.Mutex
		closed   bool
		count    int                                     // of children
		children map[string]map[int32]*partitionConsumer // nil while it is being started
		paused   map[string]map[int32]struct{}           // what starts paused
	}
}

// NewConsumer makes a consumer and a client for it, see NewClient. Closing the
// consumer closes the client.
func NewConsumer(addrs []string, config *Config) (Consumer, error) {
	client, err := newClient(addrs, config)
	if err != nil {
		return nil, err
	}
	return newConsumer(client, true), nil
}

// NewConsumerFromClient makes a consumer that uses a client, which has to be
// closed after the consumer. The error is ErrClosedClient when it is closed
// already.
func NewConsumerFromClient(client Client) (Consumer, error) {
	if client.Closed() {
		return nil, ErrClosedClient
	}
	return newConsumer(client, false), nil
}

func newConsumer(client Client, owns bool) *consumer {
	conf := client.Config()
	c := &consumer{conf: conf, client: client, ownsClient: owns, metrics: newConsumerMetrics(conf.MetricRegistry)}
	c.mu.children = make(map[string]map[int32]*partitionConsumer)
	c.mu.paused = make(map[string]map[int32]struct{})
	c.dispatcher = newDispatcher(c)
	go withRecover(c.dispatcher.run)
	return c
}

func (c *consumer) Topics() ([]string, error) {
	if c.isClosed() {
		return nil, ErrClosedClient
	}
	return c.client.Topics()
}

func (c *consumer) Partitions(topic string) ([]int32, error) {
	if c.isClosed() {
		return nil, ErrClosedClient
	}
	return c.client.Partitions(topic)
}

func (c *consumer) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.closed
}

func (c *consumer) Close() error {
	c.mu.Lock()
	c.mu.closed = true
	ends := c.mu.count == 0
	c.mu.Unlock()
	c.dispatcher.mail.nudge()
	var err error
	if c.ownsClient {
		err, ends = c.client.Close(), true // which ends the dispatcher
	}
	if ends {
		<-c.dispatcher.ended
	}
	return err
}

// finished says whether the consumer is closed and nothing is left to do.
func (c *consumer) finished() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.closed && c.mu.count == 0
}

func (c *consumer) ConsumePartition(topic string, partition int32, offset int64) (PartitionConsumer, error) {
	if err := c.reserve(topic, partition); err != nil {
		return nil, err
	}
	pc, err := c.start(topic, partition, offset)
	if err != nil {
		c.forget(topic, partition)
		return nil, err
	}
	return pc, nil
}

// reserve makes sure that a partition is consumed once.
func (c *consumer) reserve(topic string, partition int32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return ErrClosedClient
	}
	children := c.mu.children[topic]
	if children == nil {
		children = make(map[int32]*partitionConsumer)
		c.mu.children[topic] = children
	}
	if _, taken := children[partition]; taken {
		return ConfigurationError(fmt.Sprintf("partition %s/%d is already being consumed", topic, partition))
	}
	children[partition] = nil
	c.mu.count++
	return nil
}

// forget gives a partition free.
func (c *consumer) forget(topic string, partition int32) {
	c.mu.Lock()
	delete(c.mu.children[topic], partition)
	if len(c.mu.children[topic]) == 0 {
		delete(c.mu.children, topic)
	}
	c.mu.count--
	c.mu.Unlock()
	c.dispatcher.mail.nudge() // it may have been the last
}

// start begins to consume a partition that is reserved.
func (c *consumer) start(topic string, partition int32, offset int64) (*partitionConsumer, error) {
	newest, err := c.client.GetOffset(topic, partition, OffsetNewest)
	if err != nil {
		return nil, err
	}
	oldest, err := c.client.GetOffset(topic, partition, OffsetOldest)
	if err != nil {
		return nil, err
	}
	switch {
	case offset == OffsetNewest:
		offset = newest
	case offset == OffsetOldest:
		offset = oldest
	case offset < oldest || offset > newest:
		if offset < 0 {
			return nil, ErrOffsetOutOfRange // by no means an offset
		}
		asked := offset
		if offset, err = c.resetOffset(topic, partition); err != nil {
			return nil, err
		}
		Logger.Printf("consumer/%s/%d starts at offset %d: %d is not there, and Consumer.Offsets.Reset is %v\n",
			topic, partition, offset, asked, c.conf.Consumer.Offsets.Reset)
	}
	leader, epoch, err := c.client.LeaderAndEpoch(topic, partition)
	if err != nil {
		return nil, err
	}
	pc := newPartitionConsumer(c, topic, partition)
	pc.begins = offset
	pc.highWatermark.Store(newest)
	pc.logStart.Store(oldest)
	if !c.enter(pc) {
		return nil, ErrClosedClient
	}
	go withRecover(pc.run)
	c.dispatcher.begin(pc, offset, leader, epoch)
	return pc, nil
}

// enter puts a partition consumer in its reserved place, unless the consumer
// was closed meanwhile.
func (c *consumer) enter(pc *partitionConsumer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return false
	}
	c.mu.children[pc.topic][pc.partition] = pc
	_, paused := c.mu.paused[pc.topic][pc.partition]
	pc.paused.Store(paused)
	return true
}

func (c *consumer) HighWaterMarks() map[string]map[int32]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	marks := make(map[string]map[int32]int64, len(c.mu.children))
	for topic, children := range c.mu.children {
		m := make(map[int32]int64, len(children))
		for partition, pc := range children {
			if pc != nil {
				m[partition] = pc.HighWaterMarkOffset()
			}
		}
		if len(m) > 0 {
			marks[topic] = m
		}
	}
	return marks
}

func (c *consumer) Pause(topicPartitions map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, partitions := range topicPartitions {
		for _, partition := range partitions {
			if pc := c.mu.children[topic][partition]; pc != nil {
				c.pauseLocked(pc)
			}
		}
	}
}

func (c *consumer) PauseAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, children := range c.mu.children {
		for _, pc := range children {
			if pc != nil {
				c.pauseLocked(pc)
			}
		}
	}
}

func (c *consumer) pauseLocked(pc *partitionConsumer) {
	paused := c.mu.paused[pc.topic]
	if paused == nil {
		paused = make(map[int32]struct{})
		c.mu.paused[pc.topic] = paused
	}
	paused[pc.partition] = struct{}{}
	pc.paused.Store(true)
}

func (c *consumer) Resume(topicPartitions map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, partitions := range topicPartitions {
		for _, partition := range partitions {
			delete(c.mu.paused[topic], partition)
			if pc := c.mu.children[topic][partition]; pc != nil {
				pc.resume()
			}
		}
		if len(c.mu.paused[topic]) == 0 {
			delete(c.mu.paused, topic)
		}
	}
}

func (c *consumer) ResumeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.mu.paused)
	for _, children := range c.mu.children {
		for _, pc := range children {
			if pc != nil {
				pc.resume()
			}
		}
	}
}

// resumed forgets that a partition starts paused.
func (c *consumer) resumed(pc *partitionConsumer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mu.paused[pc.topic], pc.partition)
}

// running are the partition consumers that there are.
func (c *consumer) running() (list []*partitionConsumer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, children := range c.mu.children {
		for _, pc := range children {
			if pc != nil {
				list = append(list, pc)
			}
		}
	}
	return list
}
