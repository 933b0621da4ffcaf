package sarama_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// For so long there is load at a listener that wants clients to log in again
// every reauthAfter, and for so long it may take to begin.
const (
	againFor    = 4*reauthAfter + time.Second
	againBefore = 30 * time.Second
	againRate   = 5 * time.Millisecond // a message each
)

// againLoad is all that a program does at once.
type againLoad struct {
	t      *testing.T
	site   *site
	topic  string
	client sarama.Client
	wg     sync.WaitGroup

	sent, delivered, consumed, grouped, asked atomic.Int64
}

// secureAgain has a producer, a consumer, a member of a group and an
// administrator at work while the broker wants every connection to log in again,
// several times. Nothing may be noticed of it: no error, no message that is lost
// or out of order, no connection that is not the same to the end.
func (k *secureKafka) secureAgain(t *testing.T, row secureRow) {
	conf, _ := k.secureConfig(t, row)
	conf.Producer.Idempotent, conf.Producer.Partitioner = true, sarama.NewManualPartitioner
	conf.Consumer.Group.Heartbeat.Interval, conf.Consumer.Group.Session.Timeout = 200*time.Millisecond, 10*time.Second
	conf.Consumer.Offsets.Initial, conf.Consumer.Offsets.AutoCommit.Interval = sarama.OffsetOldest, 200*time.Millisecond
	conf.Metadata.RefreshFrequency = 500 * time.Millisecond
	conf.Metadata.Retry.Max, conf.Producer.Retry.Max, conf.Admin.Retry.Max = 0, 1, 0 // an idempotent producer wants one
	dialer := watch(conf)
	metered(conf, authentications) // which counts from here on
	l := &againLoad{t: t, site: k.listener(t, row.reauth), topic: k.securityTopic(t, 1)}
	client, err := sarama.NewClient(l.site.addrs, conf)
	mustTxn(t, "NewClient", seen(err))
	l.client = client

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stopSending := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() { l.produce(stopSending) })
	l.wg.Go(func() { l.ask(ctx) })
	l.wg.Go(func() { l.consume(ctx) })
	l.wg.Go(func() { l.join(ctx, securityPrefix+k.topicName()) })

	deadline := time.Now().Add(againBefore)
	for (l.consumed.Load() == 0 || l.grouped.Load() == 0 || l.asked.Load() == 0) && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	dials, loginsBefore := dialer.dials(), metered(conf, authentications)
	time.Sleep(againFor)
	busy := l.checkConnections(row, conf, dialer, dials, loginsBefore)
	close(stopSending)
	sending.Wait()
	for (l.consumed.Load() < l.sent.Load() || l.grouped.Load() < l.sent.Load()) && time.Now().Before(deadline.Add(againFor+againBefore)) {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	l.wg.Wait()
	closeIt(t, client)
	sent := l.sent.Load()
	if l.delivered.Load() != sent || l.consumed.Load() != sent || l.grouped.Load() != sent || sent < 100 {
		t.Errorf("%d messages were sent, %d delivered, %d consumed, %d consumed in the group", sent, l.delivered.Load(), l.consumed.Load(), l.grouped.Load())
	}
	t.Logf("%d messages, %d questions, %d connections, %d of them busy, %d SaslAuthenticate requests", sent, l.asked.Load(), dialer.dials(), busy,
		metered(conf, authentications))
	if n := dialer.open(); n != 0 {
		t.Errorf("%d connections are left open", n)
	}
}

// checkConnections wants the connections to be those that there were, and to
// have logged in again at least three times, each that was at work.
func (l *againLoad) checkConnections(row secureRow, conf *sarama.Config, dialer *watchedDialer, dials int, loginsBefore int64) (busy int) {
	t := l.t
	if n := dialer.dials(); n != dials {
		t.Errorf("%d connections have become %d", dials, n)
	}
	logins := metered(conf, authentications) - loginsBefore
	if conf.Net.TLS.Enable {
		// What is on a connection cannot be seen: three are at work at least.
		if logins < int64(3*3*row.steps) {
			t.Errorf("%d SaslAuthenticate requests on all connections", logins)
		}
		return 0
	}
	for i, c := range dialer.all() {
		if c.count(-1) > 0 || c.idle() > time.Second {
			continue
		}
		busy++
		// It may be logging in right now.
		handshakes, logins := c.count(keyOfHandshake), c.count(keyOfAuthenticate)/row.steps
		if logins < 1+3 || handshakes < logins-1 || handshakes > logins+1 {
			t.Errorf("connection %d: %d handshakes and %d logins in %v", i, handshakes, logins, againFor)
		}
	}
	if busy < 3 {
		t.Errorf("only %d connections are at work", busy)
	}
	return busy
}

func (l *againLoad) failed(who string, err error) {
	l.t.Errorf("%s: %v", who, seen(err))
}

func (l *againLoad) produce(stop <-chan struct{}) {
	p, err := sarama.NewAsyncProducerFromClient(l.client)
	if err != nil {
		l.failed("producer", err)
		return
	}
	var outcomes sync.WaitGroup
	outcomes.Go(func() {
		for range p.Successes() {
			l.delivered.Add(1)
		}
	})
	outcomes.Go(func() {
		for err := range p.Errors() {
			l.failed("producer", err)
		}
	})
	tick := time.NewTicker(againRate)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			p.AsyncClose()
			outcomes.Wait()
			return
		case <-tick.C:
			l.sent.Add(1)
			p.Input() <- &sarama.ProducerMessage{Topic: l.topic, Value: sarama.StringEncoder(fmt.Sprint(i))}
		}
	}
}

// take wants the next of the messages.
func (l *againLoad) take(who string, m *sarama.ConsumerMessage, taken *atomic.Int64) {
	if n := taken.Load(); m.Offset != n || string(m.Value) != fmt.Sprint(n) {
		l.t.Errorf("%s: message %d has offset %d and value %q", who, n, m.Offset, m.Value)
	}
	taken.Add(1)
}

func (l *againLoad) consume(ctx context.Context) {
	c, err := sarama.NewConsumerFromClient(l.client)
	if err != nil {
		l.failed("consumer", err)
		return
	}
	defer closeIt(l.t, c)
	pc, err := c.ConsumePartition(l.topic, 0, sarama.OffsetOldest)
	if err != nil {
		l.failed("consumer", err)
		return
	}
	defer closeIt(l.t, pc)
	for {
		select {
		case m := <-pc.Messages():
			l.take("consumer", m, &l.consumed)
		case err := <-pc.Errors():
			l.failed("consumer", err)
			return
		case <-ctx.Done():
			return
		}
	}
}

// ask asks the cluster about this and that.
func (l *againLoad) ask(ctx context.Context) {
	admin, err := sarama.NewClusterAdminFromClient(l.client)
	if err != nil {
		l.failed("administrator", err)
		return
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return // the client is not the administrator's to close
		case <-tick.C:
		}
		if _, _, err := admin.DescribeCluster(); err != nil {
			l.failed("DescribeCluster", err)
		}
		if _, err := admin.DescribeTopics([]string{l.topic}); err != nil {
			l.failed("DescribeTopics", err)
		}
		if _, err := l.client.GetOffset(l.topic, 0, sarama.OffsetNewest); err != nil {
			l.failed("GetOffset", err)
		}
		l.asked.Add(1)
	}
}

func (l *againLoad) join(ctx context.Context, group string) {
	g, err := sarama.NewConsumerGroupFromClient(group, l.client)
	if err != nil {
		l.failed("member", err)
		return
	}
	var failures sync.WaitGroup
	failures.Go(func() {
		for err := range g.Errors() {
			l.failed("member", err)
		}
	})
	for sessions := 0; ctx.Err() == nil; sessions++ {
		if sessions > 0 {
			l.failed("member", errors.New("another session was needed"))
		}
		if err := g.Consume(ctx, []string{l.topic}, againMember{l}); err != nil && ctx.Err() == nil {
			l.failed("member", err)
			break
		}
	}
	closeIt(l.t, g)
	failures.Wait()
}

// againMember is the handler of the member.
type againMember struct{ l *againLoad }

func (againMember) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (againMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m againMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for msg := range claim.Messages() {
		m.l.take("member", msg, &m.l.grouped)
		session.MarkMessage(msg, "")
	}
	return nil
}
