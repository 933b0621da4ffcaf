package sarama_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// pipelineKinds are the ways for a group to divide partitions that behave
// differently towards a Pipeline: sessions that end with each rebalance,
// sessions that go on, and those that the coordinator plans.
var pipelineKinds = []groupKind{groupKinds[0], groupKinds[3], groupKinds[4]}

const pipelinePartitions = 6

// pipelineBench is an embedded cluster in memory with a topic "in", which has
// numbers from 0 on in each partition, and a topic "out", to which pipelines
// copy them.
type pipelineBench struct {
	t       *testing.T
	cluster *fakekafka.Cluster
	kind    groupKind
	next    [pipelinePartitions]int // the number to append
}

func newPipelineBench(t *testing.T, kind groupKind, o fakekafka.Options) *pipelineBench {
	t.Helper()
	o.Brokers, o.InMemory = 3, true
	o.Groups.HeartbeatInterval, o.Groups.SessionTimeout = 200*time.Millisecond, 6*time.Second
	for _, topic := range []string{"in", "out"} {
		o.Topics = append(o.Topics, fakekafka.Topic{Name: topic, Partitions: pipelinePartitions, ReplicationFactor: 3})
	}
	return &pipelineBench{t: t, cluster: fakekafka.New(t, o), kind: kind}
}

func (b *pipelineBench) config() *sarama.Config {
	conf := clusterConfig()
	conf.Version = sarama.MaxVersion
	conf.Metadata.Retry.Max, conf.Metadata.Retry.Backoff = 20, 50*time.Millisecond
	conf.Producer.Retry.Max, conf.Producer.Retry.Backoff = 20, 50*time.Millisecond
	conf.Producer.Transaction.Timeout = 20 * time.Second
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	if b.kind.strategy != nil {
		conf.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{b.kind.strategy()}
	} else {
		conf.Consumer.Group.Protocol, conf.Consumer.Group.ServerAssignor = sarama.ConsumerGroupProtocolConsumer, b.kind.assignor
	}
	conf.Consumer.Group.Session.Timeout, conf.Consumer.Group.Heartbeat.Interval = 6*time.Second, 200*time.Millisecond
	conf.Consumer.Group.Rebalance.Timeout = 10 * time.Second
	conf.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	conf.Net.ReadTimeout = 2 * time.Second
	b.cluster.Configure(conf)
	return conf
}

// append writes numbers to each input partition.
func (b *pipelineBench) append(each int) {
	b.t.Helper()
	for id := range b.next {
		var records []fakekafka.Record
		for range each {
			records = append(records, fakekafka.Record{Value: []byte(strconv.Itoa(b.next[id]))})
			b.next[id]++
		}
		if _, err := b.cluster.Append("in", int32(id), records...); err != nil {
			b.t.Error(err)
		}
	}
}

// copyMessages is a Transform that writes each message to the same partition
// of "out".
func copyMessages(_ context.Context, batch []*sarama.ConsumerMessage) (out []*sarama.ProducerMessage, _ error) {
	for _, m := range batch {
		out = append(out, &sarama.ProducerMessage{Topic: "out", Partition: m.Partition, Key: sarama.ByteEncoder(m.Key), Value: sarama.ByteEncoder(m.Value)})
	}
	return out, nil
}

// pipelineRunner is a Pipeline that runs.
type pipelineRunner struct {
	*sarama.Pipeline
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run; constant once done is closed

	mu     sync.Mutex
	errors []error // what OnError was told
}

// start makes a pipeline and has it run.
func (b *pipelineBench) start(transform sarama.Transform, set func(*sarama.Config, *sarama.PipelineOptions)) *pipelineRunner {
	b.t.Helper()
	r, err := b.tryStart(transform, set)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *pipelineBench) tryStart(transform sarama.Transform, set func(*sarama.Config, *sarama.PipelineOptions)) (*pipelineRunner, error) {
	r := &pipelineRunner{t: b.t, done: make(chan struct{})}
	conf, o := b.config(), sarama.PipelineOptions{BatchMaxWait: 20 * time.Millisecond, BatchMaxMessages: 100}
	o.OnError = func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.errors = append(r.errors, err)
	}
	if set != nil {
		set(conf, &o)
	}
	var err error
	if r.Pipeline, err = sarama.NewPipeline(b.cluster.Addrs(), "group", conf, o); err != nil {
		return nil, err
	}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(r.done)
		r.err = r.Run(ctx, []string{"in"}, transform)
	}()
	return r, nil
}

// stop closes the pipeline, and wants Run to have returned nothing but why it
// was stopped.
func (r *pipelineRunner) stop() {
	r.t.Helper()
	r.cancel()
	returnsWithin(r.t, "Close", func() { _ = r.Close() })
	if <-r.done; r.err != nil && !errors.Is(r.err, context.Canceled) {
		r.t.Errorf("Run: %v", r.err)
	}
}

func (r *pipelineRunner) seen() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.errors)
}

// wantCommitted wants who reads committed messages to see all numbers in "out",
// once, in order, and waits for them.
func (b *pipelineBench) wantCommitted() {
	b.t.Helper()
	conf := b.config()
	conf.Consumer.IsolationLevel = sarama.ReadCommitted
	consumer, err := sarama.NewConsumer(b.cluster.Addrs(), conf)
	if err != nil {
		b.t.Fatal(err)
	}
	defer consumer.Close()
	for id, want := range b.next {
		got, err := readCommitted(consumer, "out", int32(id), want)
		if err != nil {
			b.t.Errorf("partition %d: %v", id, err)
		}
		if err := inOrder(got, want); err != nil {
			b.t.Errorf("partition %d: %v", id, err)
		}
	}
}

// wantNothingConsumed wants nothing to be committed but where the group begins.
func (b *pipelineBench) wantNothingConsumed() {
	b.t.Helper()
	for _, c := range b.cluster.Commits("group") {
		if c.Offset > 0 {
			b.t.Errorf("committed: %v", c)
		}
	}
}

// readCommitted reads values of a partition until there are n, and then until
// no more have come for a while.
func readCommitted(consumer sarama.Consumer, topic string, partition int32, n int) (values []string, err error) {
	pc, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	defer pc.Close()
	for {
		wait := 100 * time.Second
		if len(values) >= n {
			wait = 2 * time.Second
		}
		select {
		case m := <-pc.Messages():
			values = append(values, string(m.Value))
		case <-time.After(wait):
			return values, nil
		}
	}
}

// inOrder says what is wrong with values that should be the numbers 0 to n-1.
func inOrder(values []string, n int) error {
	for i, v := range values {
		if v != strconv.Itoa(i) {
			return fmt.Errorf("message %d is %s, of %d that are there and %d wanted", i, v, len(values), n)
		}
	}
	if len(values) != n {
		return fmt.Errorf("there are %d messages, want %d", len(values), n)
	}
	return nil
}
