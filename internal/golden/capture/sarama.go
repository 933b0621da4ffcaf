package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/IBM/sarama"
)

// saramaVersions are the values of Config.Version at which what Sarama sends
// changes.
var saramaVersions = []string{
	"0.8.2.0", "0.9.0.1", "0.10.0.1", "0.10.1.0", "0.10.2.0", "0.11.0.0", "1.0.0", "1.1.0", "2.0.0", "2.1.0", "2.2.0",
	"2.3.0", "2.4.0", "2.5.0", "2.6.0", "2.7.0", "2.8.0", "3.0.0", "3.2.0", "3.7.0", "4.3.1",
}

// programTimeout bounds what one Config.Version does.
const programTimeout = time.Minute

// runSarama has upstream Sarama send what each Config.Version makes it send. To a
// broker of Kafka 4, which has dropped the old versions of requests, it is one
// that has not, and it asks the broker for its versions as it does by default.
func runSarama(ctx context.Context, rec *recorder, addr, kafka string) error {
	rec.setClient("sarama 1.61.1")
	versions, ask := saramaVersions, false
	if kafka >= "4" {
		versions, ask = []string{"2.1.0", "4.3.1"}, true
	}
	for _, text := range versions {
		version, err := sarama.ParseKafkaVersion(text)
		if err != nil {
			return err
		}
		p, err := newSaramaProgram(ctx, addr, version, ask)
		if err != nil {
			return err
		}
		p.run()
	}
	return nil
}

// saramaProgram is what is done at one Config.Version.
type saramaProgram struct {
	ctx    context.Context
	addrs  []string
	conf   *sarama.Config
	client sarama.Client
	topic  string
	group  string
	sent   int
}

func newSaramaProgram(ctx context.Context, addr string, version sarama.KafkaVersion, ask bool) (*saramaProgram, error) {
	p := &saramaProgram{ctx: ctx, addrs: []string{addr}, topic: "sarama-" + version.String(), group: "sarama-group-" + version.String()}
	p.conf = sarama.NewConfig()
	p.conf.ApiVersionsRequest = ask
	p.conf.Version = version
	p.conf.Producer.Return.Successes = true
	p.conf.Producer.Partitioner = sarama.NewManualPartitioner
	// As little as makes the broker send one batch at a time; before KIP-74 it
	// would send a part of one.
	p.conf.Consumer.Fetch.Default = 100
	if !p.since(sarama.V0_10_1_0) {
		p.conf.Consumer.Fetch.Default = 2000
	}
	p.conf.Consumer.MaxWaitTime = 100 * time.Millisecond
	p.conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	var err error
	if p.client, err = sarama.NewClient(p.addrs, p.conf); err != nil {
		return nil, fmt.Errorf("Config.Version %v: %w", version, err)
	}
	return p, nil
}

// run does all that this version can. What it cannot is refused by Sarama itself
// and told of in the log.
func (p *saramaProgram) run() {
	ctx, cancel := context.WithTimeout(p.ctx, programTimeout)
	defer cancel()
	p.ctx = ctx
	defer p.client.Close()
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"create", p.create}, {"produce", p.produce}, {"consume", p.consume}, {"offsets", p.offsets},
		{"idempotent", p.idempotent}, {"transactions", p.transactions}, {"group", p.consumerGroup},
		{"offset manager", p.offsetManager}, {"admin", p.admin},
	} {
		if err := step.do(); err != nil {
			log.Printf("sarama, Config.Version %v: %s: %v", p.conf.Version, step.name, err)
		}
	}
}

func (p *saramaProgram) since(v sarama.KafkaVersion) bool { return p.conf.Version.IsAtLeast(v) }

// derived is the program's configuration with a change.
func (p *saramaProgram) derived(change func(*sarama.Config)) *sarama.Config {
	c := *p.conf
	change(&c)
	return &c
}

// create makes the topic, or has Metadata make it where Sarama has no admin.
func (p *saramaProgram) create() error {
	if !p.since(sarama.V0_10_1_0) {
		return p.client.RefreshMetadata(p.topic)
	}
	admin, err := sarama.NewClusterAdmin(p.addrs, p.conf)
	if err != nil {
		return err
	}
	value := "86400000"
	detail := &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &value}}
	err = admin.CreateTopic(p.topic, detail, false)
	return errors.Join(err, admin.Close(), p.client.RefreshMetadata(p.topic))
}

func (p *saramaProgram) message(i int) *sarama.ProducerMessage {
	m := &sarama.ProducerMessage{Topic: p.topic, Key: sarama.StringEncoder(fmt.Sprint("key-", i)), Value: sarama.StringEncoder("value value value")}
	if p.since(sarama.V0_11_0_0) {
		m.Headers = []sarama.RecordHeader{{Key: []byte("header"), Value: []byte("x")}}
	}
	return m
}

// produce sends three messages at once with each codec.
func (p *saramaProgram) produce() error {
	codecs := []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy}
	if p.since(sarama.V0_10_0_0) {
		codecs = append(codecs, sarama.CompressionLZ4)
	}
	if p.since(sarama.V2_1_0_0) {
		codecs = append(codecs, sarama.CompressionZSTD)
	}
	var errs []error
	for _, codec := range codecs {
		conf := p.derived(func(c *sarama.Config) {
			c.Producer.Compression, c.Producer.Flush.Messages, c.Producer.Flush.Frequency = codec, 3, time.Second
		})
		producer, err := sarama.NewSyncProducer(p.addrs, conf)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		err = producer.SendMessages([]*sarama.ProducerMessage{p.message(0), p.message(1), p.message(2)})
		if err == nil {
			p.sent += 3
		}
		errs = append(errs, err, producer.Close())
	}
	return errors.Join(errs...)
}

func (p *saramaProgram) consume() error {
	errs := []error{p.consumeWith(p.conf, p.sent)}
	consumer, err := sarama.NewConsumerFromClient(p.client)
	if err != nil {
		return err
	}
	// Sarama looks at the range itself; this offset is within it.
	pc, err := consumer.ConsumePartition(p.topic, 0, int64(p.sent-1))
	if err == nil {
		errs = append(errs, receive(p.ctx, pc.Messages(), 1), pc.Close())
	}
	return errors.Join(append(errs, err, consumer.Close())...)
}

func (p *saramaProgram) consumeWith(conf *sarama.Config, n int) error {
	consumer, err := sarama.NewConsumer(p.addrs, conf)
	if err != nil {
		return err
	}
	pc, err := consumer.ConsumePartition(p.topic, 0, sarama.OffsetOldest)
	if err != nil {
		return errors.Join(err, consumer.Close())
	}
	return errors.Join(receive(p.ctx, pc.Messages(), n), pc.Close(), consumer.Close())
}

func receive(ctx context.Context, from <-chan *sarama.ConsumerMessage, n int) error {
	for i := range n {
		select {
		case m, ok := <-from:
			if !ok || m == nil {
				return fmt.Errorf("end after %d of %d messages", i, n)
			}
		case <-ctx.Done():
			return fmt.Errorf("%d of %d messages: %w", i, n, ctx.Err())
		}
	}
	return nil
}

func (p *saramaProgram) offsets() error {
	var errs []error
	for _, at := range []int64{sarama.OffsetOldest, sarama.OffsetNewest, time.Now().Add(-time.Minute).UnixMilli()} {
		_, err := p.client.GetOffset(p.topic, 0, at)
		errs = append(errs, err)
	}
	_, err := p.client.Coordinator(p.group)
	errs = append(errs, err)
	if p.since(sarama.V0_11_0_0) {
		_, err = p.client.InitProducerID()
		errs = append(errs, err)
		_, err = p.client.TransactionCoordinator("sarama-txn")
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (p *saramaProgram) idempotent() error {
	if !p.since(sarama.V0_11_0_0) {
		return nil
	}
	producer, err := sarama.NewSyncProducer(p.addrs, p.derived(func(c *sarama.Config) {
		c.Producer.Idempotent, c.Producer.RequiredAcks, c.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
	}))
	if err != nil {
		return err
	}
	var errs []error
	for i := range 2 {
		_, _, err := producer.SendMessage(p.message(i))
		errs = append(errs, err)
		if err == nil {
			p.sent++
		}
	}
	return errors.Join(append(errs, producer.Close())...)
}

// transactions has one that commits, with offsets of a group, and one that
// aborts, and reads what was committed.
func (p *saramaProgram) transactions() error {
	if !p.since(sarama.V0_11_0_0) {
		return nil
	}
	conf := p.derived(func(c *sarama.Config) {
		c.Producer.Idempotent, c.Producer.RequiredAcks, c.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
		c.Producer.Transaction.ID = "sarama-txn-" + p.conf.Version.String()
	})
	producer, err := sarama.NewSyncProducer(p.addrs, conf)
	if err != nil {
		return err
	}
	var errs []error
	for i, end := range []func() error{producer.AbortTxn, producer.CommitTxn} {
		errs = append(errs, producer.BeginTxn())
		_, _, err := producer.SendMessage(p.message(i))
		metadata := "sarama"
		offsets := map[string][]*sarama.PartitionOffsetMetadata{p.topic: {{Partition: 0, Offset: 1, Metadata: &metadata}}}
		errs = append(errs, err, producer.AddOffsetsToTxn(offsets, p.group+"-txn"), end())
	}
	if err := errors.Join(append(errs, producer.Close())...); err != nil {
		return err
	}
	committed := p.derived(func(c *sarama.Config) { c.Consumer.IsolationLevel = sarama.ReadCommitted })
	return p.consumeWith(committed, p.sent+1)
}

// leaver is a handler that leaves after some messages.
type leaver struct {
	n    int
	done context.CancelFunc
}

func (l leaver) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (l leaver) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (l leaver) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	defer l.done()
	for range l.n {
		select {
		case m, ok := <-c.Messages():
			if !ok {
				return nil
			}
			s.MarkMessage(m, "sarama")
		case <-s.Context().Done():
			return nil
		}
	}
	s.Commit()
	// Stay for a heartbeat.
	select {
	case <-s.Context().Done():
	case <-time.After(300 * time.Millisecond):
	}
	return nil
}

func (p *saramaProgram) consumerGroup() error {
	if !p.since(sarama.V0_10_2_0) {
		return nil
	}
	group, err := sarama.NewConsumerGroup(p.addrs, p.group, p.derived(func(c *sarama.Config) {
		c.Consumer.Group.Heartbeat.Interval = 100 * time.Millisecond
		if p.since(sarama.V2_3_0_0) {
			c.Consumer.Group.InstanceId = "sarama-instance"
		}
	}))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	err = group.Consume(ctx, []string{p.topic}, leaver{n: 3, done: cancel})
	return errors.Join(err, p.describeGroup(), group.Close())
}

// describeGroup asks about the group while it has a member.
func (p *saramaProgram) describeGroup() error {
	admin, err := sarama.NewClusterAdmin(p.addrs, p.conf)
	if err != nil {
		return err
	}
	_, err = admin.DescribeConsumerGroups([]string{p.group})
	_, err2 := admin.ListConsumerGroups()
	return errors.Join(err, err2, admin.Close())
}

func (p *saramaProgram) offsetManager() error {
	manager, err := sarama.NewOffsetManagerFromClient(p.group+"-manual", p.client)
	if err != nil {
		return err
	}
	part, err := manager.ManagePartition(p.topic, 0)
	if err != nil {
		return errors.Join(err, manager.Close())
	}
	part.MarkOffset(2, "sarama")
	manager.Commit()
	return errors.Join(part.Close(), manager.Close())
}
