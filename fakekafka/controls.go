package fakekafka

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/compress"
	"github.com/IBM/sarama/internal/record"
)

// CreateTopic makes a topic, whose id no topic has had before. The error wraps
// a sarama.KError.
func (c *Cluster) CreateTopic(t Topic) error {
	if _, err := c.createTopic(t, partitionsMax, false); err != nil {
		return fmt.Errorf("fakekafka: creating topic %q: %w", t.Name, err)
	}
	return nil
}

// DeleteTopic deletes a topic with all its records. Fetches that wait for it
// are answered.
func (c *Cluster) DeleteTopic(name string) error {
	t := c.catalog.Load().topic(name)
	if t == nil {
		return fmt.Errorf("fakekafka: topic %q: %w", name, sarama.ErrUnknownTopicOrPartition)
	}
	c.deleteTopic(t)
	return nil
}

// AddPartitions makes a topic have count partitions, more than it has, and
// spreads the new ones over the brokers that are up.
func (c *Cluster) AddPartitions(name string, count int) error {
	if err := c.addPartitions(name, count, nil, false); err != nil {
		return fmt.Errorf("fakekafka: adding partitions to topic %q: %w", name, err)
	}
	return nil
}

// MoveLeader makes a broker the leader of a partition, which begins another
// leader epoch. A broker that had no replica takes the place of the leader, or
// of the first replica, among the replicas.
func (c *Cluster) MoveLeader(topic string, partition, broker int32) error {
	p, err := c.partition(topic, partition)
	if err != nil {
		return err
	}
	b, err := c.brokerOrError(broker)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !b.isUp() {
		return fmt.Errorf("fakekafka: broker %d is stopped, it cannot lead %s/%d", broker, topic, partition)
	}
	p.setLeaderOff(false)
	p.change(func(l *leadership) {
		if !slices.Contains(l.replicas, broker) {
			out := l.leader
			if out < 0 {
				out = l.replicas[0]
			}
			l.replicas = replaced(l.replicas, out, broker)
			l.isr = replaced(l.isr, out, broker)
		}
		if !slices.Contains(l.isr, broker) {
			l.isr = append(slices.Clip(l.isr), broker)
		}
		l.leader = broker
	})
	return nil
}

// replaced is a list with one broker instead of another.
func replaced(list []int32, out, in int32) []int32 {
	list = slices.Clone(list)
	if i := slices.Index(list, out); i >= 0 {
		list[i] = in
	}
	return list
}

func (p *partition) setLeaderOff(off bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.leaderOff = off
}

func (p *partition) leaderOff() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.leaderOff
}

// RemoveLeader leaves a partition without a leader until MoveLeader.
func (c *Cluster) RemoveLeader(topic string, partition int32) error {
	p, err := c.partition(topic, partition)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p.setLeaderOff(true)
	p.change(func(l *leadership) { l.leader = -1 })
	return nil
}

// TrimLog moves the start of a partition's log forward to an offset, as
// retention does; -1 means its end.
func (c *Cluster) TrimLog(topic string, partition int32, start int64) error {
	p, err := c.partition(topic, partition)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if start == -1 {
		start = p.mu.log.end
	}
	if start < 0 || start > p.mu.log.end {
		return fmt.Errorf("fakekafka: log of %s/%d ends at %d, it cannot start at %d: %w",
			topic, partition, p.mu.log.end, start, sarama.ErrOffsetOutOfRange)
	}
	p.mu.log.trim(start)
	return nil
}

// TruncateLog makes a partition's log end at an offset, or before the batch
// that has it, as an unclean leader election does: records are lost, and
// another leader epoch begins. Who leads stays the same.
func (c *Cluster) TruncateLog(topic string, partition int32, end int64) error {
	p, err := c.partition(topic, partition)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p.mu.Lock()
	start, was := p.mu.log.start, p.mu.log.end
	if end < start || end > was {
		p.mu.Unlock()
		return fmt.Errorf("fakekafka: log of %s/%d is from %d to %d, it cannot end at %d: %w",
			topic, partition, start, was, end, sarama.ErrOffsetOutOfRange)
	}
	p.mu.log.truncate(end)
	for id, state := range p.mu.producers {
		if state.truncate(p.mu.log.end); len(state.batches) == 0 {
			delete(p.mu.producers, id)
		}
	}
	p.truncateTxnsLocked()
	p.mu.Unlock()
	p.change(func(l *leadership) { l.epoch++ })
	return nil
}

// PreferReplica has the leader of a partition name a broker to all clients that
// say in which rack they are, as the one to fetch from (KIP-392), whether or not
// that broker can serve them; 0 leaves it to Options.ReadFromRack again.
func (c *Cluster) PreferReplica(topic string, partition, broker int32) error {
	p, err := c.partition(topic, partition)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.mu.preferred = broker
	waiters := p.mu.waiters
	p.mu.Unlock()
	wakeAll(waiters)
	return nil
}

// SetReplicaEnd has a replica of a partition lag behind: it has the log up to
// an offset only, until it is set anew or, with -1, has all of it again. It has
// no effect on the leader.
func (c *Cluster) SetReplicaEnd(topic string, partition, broker int32, end int64) error {
	p, err := c.partition(topic, partition)
	if err != nil {
		return err
	}
	if _, err := c.brokerOrError(broker); err != nil {
		return err
	}
	p.mu.Lock()
	if p.mu.ends == nil {
		p.mu.ends = make(map[int32]int64)
	}
	if p.mu.ends[broker] = end; end < 0 {
		delete(p.mu.ends, broker)
	}
	waiters := p.mu.waiters
	p.mu.Unlock()
	wakeAll(waiters)
	return nil
}

// Append writes records to a partition, in one batch without a producer id, as
// if its leader had received them. A zero Timestamp means now. It returns the
// offset of the first one.
func (c *Cluster) Append(topic string, partition int32, records ...Record) (int64, error) {
	p, err := c.partition(topic, partition)
	if err != nil {
		return -1, err
	}
	var b record.Builder
	for _, r := range records {
		if r.Timestamp.IsZero() {
			r.Timestamp = time.Now()
		}
		record.Append(&b, r.Timestamp.UnixMilli(), r.Key, r.Value, r.Headers)
	}
	raw, err := b.Seal(compress.None, compress.LevelDefault, 0)
	if err != nil {
		return -1, fmt.Errorf("fakekafka: appending to %s/%d: %w", topic, partition, err)
	}
	record.Stamp(raw, -1, -1, 0)
	in, err := checkBatch(raw, produceByID, p.topic.settings())
	if err != nil {
		return -1, fmt.Errorf("fakekafka: appending to %s/%d: %w", topic, partition, err)
	}
	// Whoever leads takes it: the leader may move between the look and the
	// append, which says whom it found.
	o := p.append(p.leadership().leader, &in, false, false)
	for o.err == sarama.ErrNotLeaderForPartition && o.leader >= 0 {
		o = p.append(o.leader, &in, false, false)
	}
	if o.err != sarama.ErrNoError {
		return -1, fmt.Errorf("fakekafka: appending to %s/%d: %w", topic, partition, o.err)
	}
	return o.baseOffset, nil
}

// StopBroker stops a broker as a crash does: its connections are cut, its port
// is closed but kept for it, and other replicas in sync take over what it led.
// Partitions without any have no leader until it is back. A broker that is
// stopped already stays so.
func (c *Cluster) StopBroker(broker int32) error {
	b, err := c.brokerOrError(broker)
	if err != nil {
		return err
	}
	defer b.takeTurn()()
	if !b.isUp() {
		return nil
	}
	b.shut(false)
	b.sessions.clear()
	c.groups.changed()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.catalog.Load().byName {
		for _, p := range t.partitions {
			p.change(func(l *leadership) { l.withoutBroker(broker) })
		}
	}
	if c.controller.Load() == broker {
		for _, other := range c.brokers {
			if other.isUp() {
				c.controller.Store(other.id)
				break
			}
		}
	}
	return nil
}

// withoutBroker is what a broker's end makes of a partition. The last replica
// in sync stays in the list, as in Kafka.
func (l *leadership) withoutBroker(id int32) {
	rest := slices.DeleteFunc(slices.Clone(l.isr), func(r int32) bool { return r == id })
	if len(rest) > 0 {
		l.isr = rest
	}
	if l.leader != id {
		return
	}
	l.leader = -1
	if len(rest) > 0 {
		l.leader = rest[0]
	}
}

// RestartBroker starts a stopped broker again, at the same address. It is in
// sync at once, and leads the partitions that have been without a leader for
// want of it; the others stay with whoever leads them.
func (c *Cluster) RestartBroker(broker int32) error {
	b, err := c.brokerOrError(broker)
	if err != nil {
		return err
	}
	defer b.takeTurn()()
	if b.isUp() {
		return nil
	}
	if !b.setUp() {
		return errors.New("fakekafka: the cluster is closed")
	}
	c.mu.Lock()
	if !c.broker(c.controller.Load()).isUp() {
		c.controller.Store(broker)
	}
	for _, t := range c.catalog.Load().byName {
		for _, p := range t.partitions {
			p.withBroker(broker)
			c.arriveLocked(p)
		}
	}
	c.mu.Unlock()
	c.groups.changed()
	return b.listen()
}

// withBroker is what a broker's return makes of a partition.
func (p *partition) withBroker(id int32) {
	off := p.leaderOff()
	p.change(func(l *leadership) {
		if !slices.Contains(l.replicas, id) {
			return
		}
		if l.leader < 0 && !off {
			l.leader = id
		}
		if !slices.Contains(l.isr, id) {
			l.isr = append(slices.Clip(l.isr), id)
		}
	})
}

// setUp marks a broker as running; false when its cluster is closed.
func (b *broker) setUp() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up.Store(!b.mu.closed)
	return !b.mu.closed
}

// SetLeaderHints says whether brokers that refuse a partition as they do not
// lead it, or as the client's leader epoch is old, name its leader and where
// that is, as Kafka does from 3.7 on (KIP-951): in answers to Produce from
// version 10 on and to Fetch from version 16 on. They do unless it is turned
// off.
func (c *Cluster) SetLeaderHints(on bool) { c.noHints.Store(!on) }

// Controller is the id of the broker that is the controller.
func (c *Cluster) Controller() int32 { return c.controller.Load() }

// MoveController makes a broker the controller.
func (c *Cluster) MoveController(broker int32) error {
	b, err := c.brokerOrError(broker)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !b.isUp() {
		return fmt.Errorf("fakekafka: broker %d is stopped, it cannot be the controller", broker)
	}
	c.controller.Store(broker)
	return nil
}

// Coordinator is the id of the broker that coordinates a consumer group or a
// transactional id, -1 when all are stopped.
func (c *Cluster) Coordinator(kind sarama.CoordinatorType, key string) int32 {
	if b := c.coordinator(kind, key); b != nil {
		return b.id
	}
	return -1
}

// SetNetwork changes how the network treats a broker, which goes on running.
func (c *Cluster) SetNetwork(broker int32, to Network) error {
	b, err := c.brokerOrError(broker)
	if err != nil {
		return err
	}
	if to < NetworkGood || to > NetworkHangUp {
		return fmt.Errorf("fakekafka: there is no Network %d", to)
	}
	defer b.takeTurn()()
	return b.setNetwork(to)
}

// CutConnections cuts all connections that a broker has open, and returns how
// many. Requests that are being handled are not answered.
func (c *Cluster) CutConnections(broker int32) int {
	b := c.broker(broker)
	if b == nil {
		return 0
	}
	conns := b.openConns()
	for _, conn := range conns {
		conn.cut()
	}
	return len(conns)
}

// DropFetchSessions makes a broker forget all fetch sessions, so that their next
// requests get FETCH_SESSION_ID_NOT_FOUND.
func (c *Cluster) DropFetchSessions(broker int32) {
	if b := c.broker(broker); b != nil {
		b.sessions.clear()
	}
}

// Fail refuses a partition in the next so many requests of an API that name it,
// or in all until undo is called if times is negative. Partition -1 stands for
// all partitions of the topic, and is what Metadata, CreateTopics, DeleteTopics,
// CreatePartitions and the requests about settings name. An incremental fetch is one that names it, too: Fail then
// counts the requests of a session that has it.
func (c *Cluster) Fail(api API, topic string, partition int32, err sarama.KError, times int) (undo func()) {
	at := TopicPartition{topic, partition}
	return c.handleTimes(times, func(r *Request) *Reply {
		if r.API != api || !r.names(at) {
			return nil
		}
		return &Reply{Errors: map[TopicPartition]sarama.KError{at: err}}
	})
}

// FailProduce is Fail for Produce.
func (c *Cluster) FailProduce(topic string, partition int32, err sarama.KError, times int) (undo func()) {
	return c.Fail(Produce, topic, partition, err, times)
}

// FailRequest refuses the next so many requests of an API as a whole, or all
// until undo is called if times is negative.
func (c *Cluster) FailRequest(api API, err sarama.KError, times int) (undo func()) {
	return c.handleTimes(times, func(r *Request) *Reply {
		if r.API != api {
			return nil
		}
		return &Reply{Err: err}
	})
}

// Throttle throttles all requests of an API for d, until undo is called.
func (c *Cluster) Throttle(api API, d time.Duration) (undo func()) {
	return c.handleTimes(-1, func(r *Request) *Reply {
		if r.API != api {
			return nil
		}
		return &Reply{Throttle: d}
	})
}

// Delay has all requests of an API wait for d before they are processed, until
// undo is called.
func (c *Cluster) Delay(api API, d time.Duration) (undo func()) {
	return c.handleTimes(-1, func(r *Request) *Reply {
		if r.API != api {
			return nil
		}
		return &Reply{Delay: d}
	})
}

// handleTimes is Handle for a hook that counts the requests it wants something
// of, and ends after so many; negative: never.
func (c *Cluster) handleTimes(times int, see func(*Request) *Reply) (undo func()) {
	if times < 0 {
		return c.Handle(see)
	}
	if times == 0 {
		return func() {}
	}
	var left atomic.Int64
	left.Store(int64(times))
	ready := make(chan struct{})
	var remove func()
	remove = c.Handle(func(r *Request) *Reply {
		reply := see(r)
		if reply == nil {
			return nil
		}
		n := left.Add(-1)
		if n < 0 {
			return nil
		}
		if n == 0 {
			<-ready // closed as soon as Handle has returned
			remove()
		}
		return reply
	})
	close(ready)
	return remove
}

// names reports whether a request is about a partition, or, as -1, about any of
// a topic.
func (r *Request) names(at TopicPartition) bool {
	switch body := r.Body.(type) {
	case *sarama.MetadataRequest:
		return body.Topics == nil || slices.Contains(body.Topics, at.Topic)
	case *sarama.CreateTopicsRequest:
		return body.TopicDetails[at.Topic] != nil
	case *sarama.DeleteTopicsRequest:
		return slices.Contains(body.Topics, at.Topic)
	case *sarama.CreatePartitionsRequest:
		return body.TopicPartitions[at.Topic] != nil
	case *sarama.DescribeConfigsRequest:
		return slices.ContainsFunc(body.Resources, func(r *sarama.ConfigResource) bool { return r.Name == at.Topic })
	case *sarama.AlterConfigsRequest:
		return slices.ContainsFunc(body.Resources, func(r *sarama.AlterConfigsResource) bool { return r.Name == at.Topic })
	case *sarama.IncrementalAlterConfigsRequest:
		return slices.ContainsFunc(body.Resources, func(r *sarama.IncrementalAlterConfigsResource) bool { return r.Name == at.Topic })
	case *sarama.FetchRequest:
		if r.conn.broker.sessions.has(body.SessionID, at, r.conn.cluster.topicName) {
			return true
		}
	}
	return slices.ContainsFunc(r.Partitions(), func(p TopicPartition) bool {
		return p.Topic == at.Topic && (at.Partition == -1 || p.Partition == at.Partition)
	})
}
