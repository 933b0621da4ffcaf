package sarama_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

func aclOffsets(t *testing.T, u *aclUser) {
	topic, group := u.ownTopic(1), "acl-"+u.group(t)
	u.allow(onTopic(topic, sarama.AclOperationRead))
	conf := u.config()
	conf.Consumer.Offsets.AutoCommit.Interval = 50 * time.Millisecond
	conf.Consumer.Offsets.Retry.Max = 2
	c := u.client(t, conf)
	var om sarama.OffsetManager
	_, err := c.Coordinator(group)
	wantIs(t, "Coordinator", err, sarama.ErrGroupAuthorizationFailed)
	n := requestsSent(conf, func() {
		if om, err = sarama.NewOffsetManagerFromClient(group, c); err == nil {
			_, err = om.ManagePartition(topic, 0)
			closeIt(t, om)
		}
	})
	wantIs(t, "ManagePartition", err, sarama.ErrGroupAuthorizationFailed)
	if n > 10 {
		t.Errorf("%d requests", n)
	}

	// Whoever may describe may fetch offsets, and not commit any.
	u.allow(onGroup(group, sarama.AclOperationDescribe))
	om, err = sarama.NewOffsetManagerFromClient(group, c)
	mustTxn(t, "NewOffsetManagerFromClient", err)
	pom, err := om.ManagePartition(topic, 0)
	mustTxn(t, "ManagePartition", err)
	pom.MarkOffset(7, "")
	select {
	case err := <-pom.Errors():
		wantIs(t, "committing", err, sarama.ErrGroupAuthorizationFailed)
	case <-time.After(time.Minute):
		t.Fatal("no error of a commit")
	}
	go func() {
		for err := range pom.Errors() { // of attempts before the right is given
			wantIs(t, "committing", err, sarama.ErrGroupAuthorizationFailed)
		}
	}()
	u.allow(onGroup(group, sarama.AclOperationRead))
	eventually(t, "the commit", func() error {
		om.Commit()
		offsets, err := u.admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}})
		if err != nil {
			return err
		}
		if b := offsets.GetBlock(topic, 0); b == nil || b.Offset != 7 {
			return fmt.Errorf("%+v", b)
		}
		return nil
	})
	closeIt(t, pom)
	closeIt(t, om)
}

// aclMember counts what comes of each topic.
type aclMember struct {
	sessions atomic.Int64
	counts   map[string]*atomic.Int64 // constant
}

func (m *aclMember) Setup(sarama.ConsumerGroupSession) error {
	m.sessions.Add(1)
	return nil
}
func (m *aclMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *aclMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for msg := range claim.Messages() {
		m.counts[msg.Topic].Add(1)
		session.MarkMessage(msg, "")
	}
	return nil
}

func newACLMember(topics ...string) *aclMember {
	m := &aclMember{counts: make(map[string]*atomic.Int64)}
	for _, topic := range topics {
		m.counts[topic] = new(atomic.Int64)
	}
	return m
}

func (u *aclUser) memberConfig(kind groupKind) *sarama.Config {
	conf, own := u.groupConfig(kind), u.config()
	conf.MetricRegistry = own.MetricRegistry
	conf.Net.TLS, conf.Metadata.Retry, conf.Metadata.Full = own.Net.TLS, own.Metadata.Retry, false
	conf.Consumer.Offsets.AutoCommit.Interval = 100 * time.Millisecond
	conf.Producer.Partitioner = sarama.NewHashPartitioner
	return conf
}

var aclKinds = []groupKind{groupKinds[0], groupKinds[4]}

func aclGroup(t *testing.T, u *aclUser) {
	for _, kind := range aclKinds {
		t.Run(kind.name, func(t *testing.T) { aclGroupOf(t, u.k.newUser(t), kind) })
	}
}

func aclGroupOf(t *testing.T, u *aclUser, kind groupKind) {
	topic, group := u.ownTopic(1), "acl-"+u.group(t)
	u.k.produce(t, u.k.config(), numberedMessages(topic, 1, 5))
	conf := u.memberConfig(kind)
	g, err := sarama.NewConsumerGroup(u.addrs, group, conf)
	mustTxn(t, "NewConsumerGroup", err)
	defer closeIt(t, g)
	errs := make(chan error, 1000)
	go func() {
		for err := range g.Errors() {
			select {
			case errs <- seen(err):
			default:
			}
		}
	}()
	m := newACLMember(topic)
	consume := func(what string, want error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		var err error
		n := requestsSent(conf, func() { err = g.Consume(ctx, []string{topic}, m) })
		t.Logf("%s: Consume returned after %v, %d requests: %v", what, time.Since(begin).Round(time.Millisecond), n, err)
		wantIs(t, what, err, want)
		if n > 20 {
			t.Errorf("%s: %d requests", what, n)
		}
	}
	consume("no right to the topic", sarama.ErrTopicAuthorizationFailed)
	u.allow(onTopic(topic, sarama.AclOperationRead))
	consume("no right to the group", sarama.ErrGroupAuthorizationFailed)
	u.allow(onGroup(group, sarama.AclOperationDescribe))
	consume("no right to join the group", sarama.ErrGroupAuthorizationFailed)
	if n := m.sessions.Load(); n != 0 {
		t.Errorf("%d sessions without the right", n)
	}
	u.allow(onGroup(group, sarama.AclOperationRead))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- g.Consume(ctx, []string{topic}, m) }()
	eventually(t, "the messages", func() error {
		if n := m.counts[topic].Load(); n != 5 {
			return fmt.Errorf("%d messages", n)
		}
		return nil
	})

	// A member that may not be one any more is told so.
	u.disallow(onGroup(group, sarama.AclOperationRead))
	deadline := time.After(time.Minute)
	for told := false; !told; {
		select {
		case err := <-errs:
			told = errors.Is(err, sarama.ErrGroupAuthorizationFailed)
		case err := <-done:
			told = errors.Is(err, sarama.ErrGroupAuthorizationFailed)
			done <- err
			if !told {
				t.Fatalf("Consume returned %v", err)
			}
		case <-deadline:
			t.Fatal("a member that has lost the right to be one was not told")
		}
	}
	cancel()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("Consume does not return")
	}
}

// aclLostTopic has a member lose one of its two topics, which must not keep it
// from the other one.
func aclLostTopic(t *testing.T, u *aclUser) {
	for _, kind := range aclKinds {
		t.Run(kind.name, func(t *testing.T) { aclLostTopicOf(t, u.k.newUser(t), kind) })
	}
}

func aclLostTopicOf(t *testing.T, u *aclUser, kind groupKind) {
	kept, lost, group := u.ownTopic(1), u.ownTopic(1), "acl-"+u.group(t)
	u.allow(onTopic(kept, sarama.AclOperationRead), onTopic(lost, sarama.AclOperationRead), onTopic(lost, sarama.AclOperationDescribe),
		onGroup(group, sarama.AclOperationRead))
	conf := u.memberConfig(kind)
	g, err := sarama.NewConsumerGroup(u.addrs, group, conf)
	mustTxn(t, "NewConsumerGroup", err)
	m := newACLMember(kept, lost)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	var refusals, others atomic.Int64
	note := func(err error) {
		if errors.Is(seen(err), sarama.ErrTopicAuthorizationFailed) {
			refusals.Add(1)
		} else {
			others.Add(1)
			t.Logf("also: %v", err)
		}
	}
	go func() {
		for err := range g.Errors() {
			note(err)
		}
	}()
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{kept, lost}, m); err != nil && ctx.Err() == nil {
				note(err)
			}
		}
	}()
	sent := map[string]int64{}
	send := func(topic string, n int) {
		t.Helper()
		u.k.produce(t, u.k.config(), numberedMessages(topic, 1, n))
		sent[topic] += int64(n)
	}
	await := func(topic, what string) {
		t.Helper()
		eventually(t, what, func() error {
			if n := m.counts[topic].Load(); n != sent[topic] {
				return fmt.Errorf("%d of %d messages, %d sessions, %d refusals, %d other errors", n, sent[topic], m.sessions.Load(), refusals.Load(), others.Load())
			}
			return nil
		})
	}
	send(kept, 10)
	send(lost, 10)
	await(kept, "the first topic")
	await(lost, "the second topic")
	u.disallow(onTopic(lost, sarama.AclOperationRead))
	// A fetch that was let in before may still bring what comes meanwhile.
	eventually(t, "an error of the topic that was lost", func() error {
		if refusals.Load() == 0 {
			return errors.New("none")
		}
		return nil
	})
	time.Sleep(2 * conf.Consumer.MaxWaitTime)
	for round := range 5 {
		send(lost, 10)
		send(kept, 10)
		await(kept, fmt.Sprintf("round %d of the topic that is left", round))
	}
	const watched = 2 * time.Second
	before := refusals.Load()
	n := requestsSent(conf, func() { time.Sleep(watched) })
	t.Logf("%d sessions; in %v %d refusals and %d requests", m.sessions.Load(), watched, refusals.Load()-before, n)
	if n > 300 {
		t.Errorf("%d requests in %v", n, watched)
	}
	if n := m.counts[lost].Load(); n != 10 {
		t.Errorf("%d messages came of the topic that was lost", n)
	}
	u.allow(onTopic(lost, sarama.AclOperationRead))
	await(lost, "the second topic again")
	cancel()
	closeIt(t, g)
	returnsWithin(t, "Consume", func() { <-done })
}

func aclTransactions(t *testing.T, u *aclUser) {
	topic, id, group := u.ownTopic(1), "acl-"+u.group(t), "acl-"+u.group(t)
	conf := u.config()
	conf.Producer.Idempotent, conf.Producer.Transaction.ID, conf.Net.MaxOpenRequests = true, id, 1
	conf.Producer.Transaction.Retry.Max = 2
	begin := time.Now()
	var err error
	n := requestsSent(conf, func() { _, err = sarama.NewSyncProducer(u.addrs, conf) })
	t.Logf("NewSyncProducer: after %v, %d requests: %v", time.Since(begin).Round(time.Millisecond), n, err)
	wantIs(t, "no right to the id", err, sarama.ErrTransactionalIDAuthorizationFailed)
	if n > 10 {
		t.Errorf("%d requests", n)
	}
	u.allow(onID(id, sarama.AclOperationDescribe))
	_, err = sarama.NewSyncProducer(u.addrs, conf)
	wantIs(t, "no right to write by the id", err, sarama.ErrTransactionalIDAuthorizationFailed)

	u.allow(onID(id, sarama.AclOperationWrite), onTopic(topic, sarama.AclOperationDescribe))
	p, err := sarama.NewSyncProducer(u.addrs, conf)
	mustTxn(t, "NewSyncProducer", err)
	mustTxn(t, "BeginTxn", p.BeginTxn())
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("refused")})
	wantIs(t, "no right to the topic", err, sarama.ErrTopicAuthorizationFailed)
	if err := p.CommitTxn(); seen(err) == nil {
		t.Error("a transaction whose message was refused was committed")
	}
	mustTxn(t, "AbortTxn", p.AbortTxn())

	u.allow(onTopic(topic, sarama.AclOperationWrite), onTopic(topic, sarama.AclOperationRead))
	mustTxn(t, "BeginTxn", p.BeginTxn())
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("aborted")})
	mustTxn(t, "with the right", err)
	offsets := map[string][]*sarama.PartitionOffsetMetadata{topic: {{Partition: 0, Offset: 1}}}
	mustTxn(t, "AddOffsetsToTxn, which sends nothing yet", p.AddOffsetsToTxn(offsets, group))
	wantIs(t, "no right to the group", p.CommitTxn(), sarama.ErrGroupAuthorizationFailed)
	mustTxn(t, "AbortTxn", p.AbortTxn())

	u.allow(onGroup(group, sarama.AclOperationRead))
	mustTxn(t, "BeginTxn", p.BeginTxn())
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("committed")})
	mustTxn(t, "with the right", err)
	mustTxn(t, "AddOffsetsToTxn", p.AddOffsetsToTxn(offsets, group))
	mustTxn(t, "CommitTxn", p.CommitTxn())
	closeIt(t, p)
	read := u.k.config()
	read.Consumer.IsolationLevel = sarama.ReadCommitted
	if m := u.k.consume(t, read, topic, 0, 0, 1)[0]; string(m.Value) != "committed" {
		t.Errorf("%q was committed", m.Value)
	}
}
