package sarama_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/certlocal"
)

// aclUser is a user without any right at first: whoever shows a certificate of
// this name.
type aclUser struct {
	*site // by the listener that wants certificates
	t     *testing.T
	k     *secureKafka
	admin everyAdmin // who may do everything
	name  string     // the principal
	cert  *certlocal.Certificate
}

func (k *secureKafka) newUser(t *testing.T) *aclUser {
	t.Helper()
	u := &aclUser{site: k.listener(t, listenerMutual), t: t, k: k, admin: k.admin(t)}
	name := k.topicName()
	u.name = "User:CN=" + name
	var err error
	u.cert, err = k.ca.Issue(certlocal.Request{CommonName: name})
	mustTxn(t, "a certificate", err)
	t.Cleanup(func() {
		_, err := u.admin.DeleteACL(sarama.AclFilter{ResourceType: sarama.AclResourceAny, ResourcePatternTypeFilter: sarama.AclPatternAny,
			Principal: &u.name, Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny}, false)
		mustTxn(t, "deleting rights", err)
	})
	return u
}

// config is what the user's clients begin with: they try little again.
func (u *aclUser) config() *sarama.Config {
	conf := u.site.config()
	conf.Net.TLS.Enable, conf.Net.TLS.Config = true, u.k.tls(u.t, u.cert)
	conf.Metadata.Retry.Max, conf.Producer.Retry.Max, conf.Admin.Retry.Max = 2, 2, 2
	conf.Metadata.Full = false
	metered(conf, allRequests) // which counts from here on
	return conf
}

// right is what somebody may do.
type right struct {
	kind sarama.AclResourceType
	name string
	op   sarama.AclOperation
}

const theCluster = "kafka-cluster"

func (u *aclUser) change(r right, permission sarama.AclPermissionType, remove bool) {
	u.t.Helper()
	resource := sarama.Resource{ResourceType: r.kind, ResourceName: r.name, ResourcePatternType: sarama.AclPatternLiteral}
	filter := sarama.AclFilter{ResourceType: r.kind, ResourceName: &r.name, ResourcePatternTypeFilter: sarama.AclPatternLiteral,
		Principal: &u.name, Operation: r.op, PermissionType: permission}
	acl := sarama.Acl{Principal: u.name, Host: "*", Operation: r.op, PermissionType: permission}
	if remove {
		_, err := u.admin.DeleteACL(filter, false)
		mustTxn(u.t, "DeleteACL", err)
		wantACLs(u.t, u.admin, filter)
		return
	}
	mustTxn(u.t, "CreateACL", u.admin.CreateACL(resource, acl))
	wantACLs(u.t, u.admin, filter, aclText(resource, acl))
}

// allow gives rights, and disallow takes them.
func (u *aclUser) allow(rights ...right) {
	u.t.Helper()
	for _, r := range rights {
		u.change(r, sarama.AclPermissionAllow, false)
	}
}

func (u *aclUser) disallow(r right) {
	u.t.Helper()
	u.change(r, sarama.AclPermissionAllow, true)
}

// ownTopic makes a topic that nobody has a right to.
func (u *aclUser) ownTopic(partitions int) string {
	u.t.Helper()
	name := "acl-" + u.k.topicName()
	u.k.create(u.t, name, partitions, nil)
	return name
}

func onTopic(topic string, op sarama.AclOperation) right {
	return right{sarama.AclResourceTopic, topic, op}
}

func onGroup(group string, op sarama.AclOperation) right {
	return right{sarama.AclResourceGroup, group, op}
}

func onID(id string, op sarama.AclOperation) right {
	return right{sarama.AclResourceTransactionalID, id, op}
}

func onCluster(op sarama.AclOperation) right {
	return right{sarama.AclResourceCluster, theCluster, op}
}

// wantIs fails the test unless an error is this one.
func wantIs(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(seen(err), want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// requestsSent counts what a client sends meanwhile.
func requestsSent(conf *sarama.Config, do func()) int64 {
	before := metered(conf, allRequests)
	do()
	return metered(conf, allRequests) - before
}

// TestFunctionalACL has users who lack a right do everything that needs it, on a
// real broker: each is told which one, at once, and goes on when it is given.
func TestFunctionalACL(t *testing.T) {
	t.Parallel()
	k := sharedSecureKafka(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *aclUser)
	}{
		{"clients", aclClient},
		{"synchronous producers", aclSyncProducer},
		{"asynchronous producers", aclAsyncProducer},
		{"idempotent producers", aclIdempotentProducer},
		{"consumers", aclConsumer},
		{"offsets", aclOffsets},
		{"groups", aclGroup},
		{"members that lose a topic", aclLostTopic},
		{"transactions", aclTransactions},
		{"administrators", aclAdmin},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, k.newUser(t))
		})
	}
}

func aclClient(t *testing.T, u *aclUser) {
	topic, other := u.ownTopic(1), u.ownTopic(2)
	u.allow(onTopic(other, sarama.AclOperationDescribe))
	conf := u.config()
	conf.Metadata.Full = true
	c := u.client(t, conf)
	topics, err := c.Topics()
	mustTxn(t, "Topics", err)
	if len(topics) != 1 || topics[0] != other {
		t.Errorf("%q are listed, of which the user may see %s", topics, other)
	}
	n := requestsSent(conf, func() {
		_, err := c.Partitions(topic)
		wantIs(t, "Partitions", err, sarama.ErrTopicAuthorizationFailed)
		wantIs(t, "RefreshMetadata", c.RefreshMetadata(topic), sarama.ErrTopicAuthorizationFailed)
		wantIs(t, "RefreshMetadata of both", c.RefreshMetadata(topic, other), sarama.ErrTopicAuthorizationFailed)
		_, err = c.Leader(topic, 0)
		wantIs(t, "Leader", err, sarama.ErrTopicAuthorizationFailed)
		_, err = c.GetOffset(topic, 0, sarama.OffsetNewest)
		wantIs(t, "GetOffset", err, sarama.ErrTopicAuthorizationFailed)
	})
	if n > 15 {
		t.Errorf("%d requests for five refusals", n)
	}
	if p, err := c.Partitions(other); err != nil || len(p) != 2 {
		t.Errorf("the other topic: %v, %v", p, err)
	}
	t.Logf("%d requests for five refusals", n)
	u.allow(onTopic(topic, sarama.AclOperationDescribe))
	if p, err := c.Partitions(topic); err != nil || len(p) != 1 {
		t.Errorf("with the right: %v, %v", p, err)
	}
	if at, err := c.GetOffset(topic, 0, sarama.OffsetNewest); err != nil || at != 0 {
		t.Errorf("with the right: %d, %v", at, err)
	}
}

// aclMessages is how many messages are refused.
const aclMessages = 300

func aclSyncProducer(t *testing.T, u *aclUser) {
	topic := u.ownTopic(2)
	conf := u.config()
	p, err := sarama.NewSyncProducer(u.addrs, conf)
	mustTxn(t, "NewSyncProducer", err)
	defer closeIt(t, p)
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	refuse := func(what string, most int64) {
		t.Helper()
		begin := time.Now()
		n := requestsSent(conf, func() {
			_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("one")})
			wantIs(t, what, err, sarama.ErrTopicAuthorizationFailed)
			err = p.SendMessages(numberedMessages(topic, 2, aclMessages))
			all := sarama.ProducerErrors(nil)
			if !errors.As(seen(err), &all) || len(all) != aclMessages {
				t.Fatalf("%s: %d errors: %v", what, len(all), err)
			}
			for _, e := range all {
				wantIs(t, what, e, sarama.ErrTopicAuthorizationFailed)
			}
		})
		t.Logf("%s: %d messages refused after %v, %d requests", what, aclMessages+1, time.Since(begin).Round(time.Millisecond), n)
		if n > most {
			t.Errorf("%s: %d requests", what, n)
		}
	}
	refuse("not to be seen", 30)
	u.allow(onTopic(topic, sarama.AclOperationDescribe))
	refuse("not to be written to", 30)
	u.allow(onTopic(topic, sarama.AclOperationWrite))
	if _, at, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("one")}); err != nil || at != 0 {
		t.Errorf("with the right: %d, %v", at, err)
	}
}

func aclAsyncProducer(t *testing.T, u *aclUser) {
	good, bad := u.ownTopic(1), u.ownTopic(1)
	u.allow(onTopic(good, sarama.AclOperationWrite), onTopic(bad, sarama.AclOperationDescribe))
	conf := u.config()
	p, err := sarama.NewAsyncProducer(u.addrs, conf)
	mustTxn(t, "NewAsyncProducer", err)
	// The refused topic does not hold the other one up.
	send := func() (delivered, refused int) {
		go func() {
			for i := range aclMessages {
				for _, topic := range []string{good, bad} {
					p.Input() <- &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprint(i))}
				}
			}
		}()
		for delivered+refused < 2*aclMessages {
			select {
			case <-p.Successes():
				delivered++
			case err := <-p.Errors():
				refused++
				wantIs(t, "message", err, sarama.ErrTopicAuthorizationFailed)
				if err.Msg.Topic != bad {
					t.Fatalf("a message to %s: %v", err.Msg.Topic, err)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%d messages delivered, %d refused, and no more", delivered, refused)
			}
		}
		return delivered, refused
	}
	n := requestsSent(conf, func() {
		if delivered, refused := send(); delivered != aclMessages || refused != aclMessages {
			t.Errorf("%d delivered, %d refused", delivered, refused)
		}
	})
	t.Logf("%d requests for %d messages, half of them refused", n, 2*aclMessages)
	if n > aclMessages {
		t.Errorf("%d requests for %d messages", n, 2*aclMessages)
	}
	u.allow(onTopic(bad, sarama.AclOperationWrite))
	if delivered, refused := send(); delivered != 2*aclMessages || refused != 0 {
		t.Errorf("with the right: %d delivered, %d refused", delivered, refused)
	}
	closeIt(t, p)
	for i, m := range u.k.consume(t, u.k.config(), bad, 0, 0, aclMessages) {
		if string(m.Value) != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, m.Value)
		}
	}
}

func aclIdempotentProducer(t *testing.T, u *aclUser) {
	topic := u.ownTopic(1)
	conf := u.config()
	conf.Producer.Idempotent = true
	u.allow(onTopic(topic, sarama.AclOperationDescribe))
	// Whoever may write to any topic may have an id; nobody else may, without a
	// right of its own.
	begin := time.Now()
	p, err := sarama.NewSyncProducer(u.addrs, conf)
	if err == nil {
		n := requestsSent(conf, func() {
			_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("x")})
		})
		closeIt(t, p)
		if n > 10 {
			t.Errorf("%d requests", n)
		}
	}
	t.Logf("without an id: after %v: %v", time.Since(begin).Round(time.Millisecond), err)
	wantIs(t, "without an id", err, sarama.ErrClusterAuthorizationFailed)
	u.allow(onCluster(sarama.AclOperationIdempotentWrite))
	p, err = sarama.NewSyncProducer(u.addrs, conf)
	mustTxn(t, "NewSyncProducer", err)
	defer closeIt(t, p)
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("x")})
	wantIs(t, "with an id", err, sarama.ErrTopicAuthorizationFailed)
	u.allow(onTopic(topic, sarama.AclOperationWrite))
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprint(i))}); err != nil {
				t.Errorf("with the right: %v", err)
			}
		})
	}
	wg.Wait()
	u.k.consume(t, u.k.config(), topic, 0, 0, 10)
}

func aclConsumer(t *testing.T, u *aclUser) {
	topic := u.ownTopic(1)
	u.k.produce(t, u.k.config(), numberedMessages(topic, 1, 3))
	conf := u.config()
	c, err := sarama.NewConsumer(u.addrs, conf)
	mustTxn(t, "NewConsumer", err)
	defer closeIt(t, c)
	_, err = c.ConsumePartition(topic, 0, sarama.OffsetOldest)
	wantIs(t, "not to be seen", err, sarama.ErrTopicAuthorizationFailed)
	_, err = c.Partitions(topic)
	wantIs(t, "Partitions", err, sarama.ErrTopicAuthorizationFailed)

	u.allow(onTopic(topic, sarama.AclOperationDescribe))
	pc, err := c.ConsumePartition(topic, 0, sarama.OffsetOldest)
	mustTxn(t, "ConsumePartition", err)
	defer closeIt(t, pc)
	const watched = 2 * time.Second
	refusals := 0
	n := requestsSent(conf, func() {
		for end := time.After(watched); end != nil; {
			select {
			case err := <-pc.Errors():
				refusals++
				wantIs(t, "not to be read", err, sarama.ErrTopicAuthorizationFailed)
			case m := <-pc.Messages():
				t.Fatalf("%q was read", m.Value)
			case <-end:
				end = nil
			}
		}
	})
	most := 5 * int64(watched/conf.Consumer.Retry.Backoff)
	t.Logf("%d errors, %d requests in %v, a pause of %v between attempts", refusals, n, watched, conf.Consumer.Retry.Backoff)
	if refusals == 0 || n > most {
		t.Errorf("%d errors and %d requests in %v, want one at least and %d at most", refusals, n, watched, most)
	}
	u.allow(onTopic(topic, sarama.AclOperationRead))
	for i, m := range readMessages(t, pc, 3) {
		if string(m.Value) != fmt.Sprint(i) {
			t.Errorf("message %d is %q", i, m.Value)
		}
	}
}
