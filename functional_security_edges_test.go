package sarama_test

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// secureEdges are further ways to log in, and further ones that a broker
// refuses.
func (k *secureKafka) secureEdges(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"users, passwords and identities", k.secureIdentities},
		{"the handshake of version 0", k.secureBare},
		{"mechanisms that are not enabled", k.secureUnknownMechanism},
		{"a user who is deleted meanwhile", k.secureDeleted},
		{"an issuer who is away for a while", k.secureIssuerAway},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t)
		})
	}
}

// saslConfig is a configuration for the listener without TLS.
func (k *secureKafka) saslConfig(t *testing.T, change func(t *testing.T, conf *sarama.Config)) *sarama.Config {
	t.Helper()
	conf := k.config()
	conf.Metadata.Retry.Max, conf.Producer.Retry.Max = 2, 2
	conf.Net.SASL.Enable = true
	change(t, conf)
	return conf
}

// secureIdentities has users and passwords with characters of all kinds, and
// identities to act as, of which Kafka takes only the user's own.
func (k *secureKafka) secureIdentities(t *testing.T) {
	const plain, sha256, sha512 = sarama.SASLTypePlaintext, sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512
	a := k.admin(t)
	commas := newSecret("a,b=c, ")
	const named = "na,me=2C=" // Kafka takes only names in ASCII for SCRAM
	mustTxn(t, "a user", upsertScram(a, named, commas))
	t.Cleanup(func() { mustTxn(t, "deleting a user", deleteScram(a, named)) })
	as := func(login func(*testing.T, *sarama.Config), change func(conf *sarama.Config)) func(*testing.T, *sarama.Config) {
		return func(t *testing.T, conf *sarama.Config) {
			login(t, conf)
			change(conf)
		}
	}
	const other = "Client requested an authorization id that is different from username"
	for _, c := range []struct {
		name    string
		change  func(*testing.T, *sarama.Config)
		refusal string
	}{
		{"PLAIN, not ASCII", userAndPassword(plain, "odd", k.odd), ""},
		{"SCRAM-SHA-256, not ASCII", userAndPassword(sha256, "odd", k.odd), ""},
		{"SCRAM-SHA-512, not ASCII", userAndPassword(sha512, "odd", k.odd), ""},
		{"SCRAM-SHA-256, a name with commas", userAndPassword(sha256, named, commas), ""},
		{"SCRAM-SHA-512, a name with commas", userAndPassword(sha512, named, commas), ""},
		{"PLAIN as oneself", as(userAndPassword(plain, "plain", k.plain), func(conf *sarama.Config) { conf.Net.SASL.AuthIdentity = "plain" }), ""},
		{"PLAIN as another", as(userAndPassword(plain, "plain", k.plain), func(conf *sarama.Config) { conf.Net.SASL.AuthIdentity = "odd" }), other},
		{"SCRAM as oneself", as(userAndPassword(sha256, "scram", k.password), func(conf *sarama.Config) { conf.Net.SASL.SCRAMAuthzID = "scram" }), ""},
		// Kafka compares it without undoing the escapes of RFC 5802.
		{"SCRAM as oneself, with commas", as(userAndPassword(sha256, named, commas), func(conf *sarama.Config) { conf.Net.SASL.SCRAMAuthzID = named }), other},
		{"SCRAM as another", as(userAndPassword(sha256, "scram", k.password), func(conf *sarama.Config) { conf.Net.SASL.SCRAMAuthzID = "odd" }), other},
		{"a client of one's own", as(userAndPassword(sha256, "odd", k.odd), ownSCRAM), ""},
		{"a client of one's own, wrong password", as(userAndPassword(sha256, "odd", newSecret("wrong-")), ownSCRAM), "invalid credentials"},
		{"a user's password for a token", as(userAndPassword(sha256, "scram", k.password), func(conf *sarama.Config) { conf.Net.SASL.SCRAMTokenAuth = true }),
			"invalid credentials"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := k.saslConfig(t, c.change)
			err := k.tryLogin(t, conf)
			if c.refusal == "" {
				if err != nil {
					eventually(t, "logging in", func() error { return k.tryLogin(t, conf) }) // once the broker has heard of the user
				}
				return
			}
			t.Log(err)
			if !errors.Is(err, sarama.ErrSASLAuthenticationFailed) || !strings.Contains(err.Error(), c.refusal) {
				t.Errorf("%v, want %q", err, c.refusal)
			}
		})
	}
}

// ownSCRAM has a client of the test's do what the module's own does.
func ownSCRAM(conf *sarama.Config) {
	conf.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return new(scramOfTest) }
}

// scramOfTest is a client of SCRAM-SHA-256 (RFC 5802), for users whose names need
// no escapes.
type scramOfTest struct {
	user, password, nonce string
	serverSignature       []byte
	steps                 int
}

func (c *scramOfTest) Begin(user, password, _ string) error {
	c.user, c.password, c.nonce = user, password, rand.Text()
	return nil
}

func (c *scramOfTest) Done() bool { return c.steps == 3 }

func (c *scramOfTest) Step(challenge string) (string, error) {
	c.steps++
	first := "n=" + c.user + ",r=" + c.nonce
	switch c.steps {
	case 1:
		return "n,," + first, nil
	case 2:
		return c.proof(first, challenge)
	}
	signature, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(challenge, "v="))
	if err != nil || !hmac.Equal(signature, c.serverSignature) {
		return "", fmt.Errorf("the server does not know the password: %q, %w", challenge, err)
	}
	return "", nil
}

func (c *scramOfTest) proof(first, challenge string) (string, error) {
	parts := strings.Split(challenge, ",")
	if len(parts) != 3 || !strings.HasPrefix(parts[0], "r="+c.nonce) {
		return "", fmt.Errorf("the server says %q", challenge)
	}
	salt, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(parts[1], "s="))
	if err != nil {
		return "", err
	}
	iterations, err := strconv.Atoi(strings.TrimPrefix(parts[2], "i="))
	if err != nil {
		return "", err
	}
	salted, err := pbkdf2.Key(sha256.New, c.password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	last := "c=biws," + parts[0]
	auth := first + "," + challenge + "," + last
	clientKey := mac(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	proof := mac(stored[:], auth)
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	c.serverSignature = mac(mac(salted, "Server Key"), auth)
	return last + ",p=" + base64.StdEncoding.EncodeToString(proof), nil
}

// secureBare has tokens sent bare after a handshake of version 0, as brokers
// before 1.0 want it and Kafka 4 still takes it.
func (k *secureKafka) secureBare(t *testing.T) {
	topic := k.securityTopic(t, 1)
	s := k.listener(t, listenerSASL)
	bare := func(conf *sarama.Config) {
		conf.Net.SASL.Version, conf.ApiVersionsRequest = sarama.SASLHandshakeV0, false
	}
	sent := 0
	for _, login := range []func(*testing.T, *sarama.Config){
		userAndPassword(sarama.SASLTypePlaintext, "plain", k.plain),
		userAndPassword(sarama.SASLTypeSCRAMSHA256, "scram", k.password),
		userAndPassword(sarama.SASLTypeSCRAMSHA512, "scram", k.password),
		func(t *testing.T, conf *sarama.Config) { // which knows no version 0, so that the client takes 1
			conf.Net.SASL.Mechanism, conf.Net.SASL.TokenProvider = sarama.SASLTypeOAuth, k.bearer(nil)
		},
	} {
		conf := k.saslConfig(t, login)
		bare(conf)
		t.Run(string(conf.Net.SASL.Mechanism), func(t *testing.T) {
			s.produce(t, conf, numberedMessages(topic, 1, 100))
			for i, m := range s.consume(t, conf, topic, 0, int64(sent), 100) {
				if string(m.Value) != fmt.Sprint(i) {
					t.Fatalf("message %d is %q", i, m.Value)
				}
			}
			sent += 100
			if conf.Net.SASL.Mechanism == sarama.SASLTypeOAuth {
				return
			}
			wrong := k.saslConfig(t, login)
			bare(wrong)
			wrong.Net.SASL.Password = newSecret("wrong-")
			dialer := watch(wrong)
			_, err := sarama.NewClient(s.addrs, wrong)
			t.Logf("%d connections: %v", dialer.dials(), err)
			if !errors.Is(seen(err), sarama.ErrSASLAuthenticationFailed) || !strings.Contains(err.Error(), string(wrong.Net.SASL.Mechanism)) || dialer.dials() > 2 {
				t.Errorf("%d connections: %v", dialer.dials(), err)
			}
		})
	}
}

func (k *secureKafka) secureUnknownMechanism(t *testing.T) {
	conf := k.saslConfig(t, userAndPassword(sarama.SASLTypePlaintext, "plain", k.plain))
	// A listener without SASL knows none.
	dialer := watch(conf)
	_, err := sarama.NewClient(k.addrs, conf)
	t.Logf("%d connections: %v", dialer.dials(), err)
	if seen(err) == nil || dialer.dials() > 2 || !errors.Is(err, sarama.ErrIllegalSASLState) {
		t.Fatalf("%d connections: %v", dialer.dials(), err)
	}
	for _, part := range []string{"PLAIN", k.addrs[0]} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not name %s", err, part)
		}
	}
}

// secureDeleted has a user deleted whose connections live: the broker refuses
// them when they log in again, which is told, and not tried without a pause. When
// the user is there again, the client goes on.
func (k *secureKafka) secureDeleted(t *testing.T) {
	user := k.tempUser(t, newSecret("scram-"))
	s := k.listener(t, listenerReauth)
	topic := securityPrefix + k.topicName()
	k.create(t, topic, 1, nil)
	acl := sarama.Acl{Principal: "User:" + user.name, Host: "*", Operation: sarama.AclOperationAll, PermissionType: sarama.AclPermissionAllow}
	resource := sarama.Resource{ResourceType: sarama.AclResourceTopic, ResourceName: topic, ResourcePatternType: sarama.AclPatternLiteral}
	mustTxn(t, "CreateACL", k.admin(t).CreateACL(resource, acl))

	conf := k.saslConfig(t, userAndPassword(sarama.SASLTypeSCRAMSHA512, user.name, user.password))
	conf.Consumer.Retry.Backoff = 200 * time.Millisecond
	k.awaitLogin(t, conf)
	dialer := watch(conf)
	p, err := sarama.NewSyncProducer(s.addrs, conf)
	mustTxn(t, "NewSyncProducer", err)
	defer closeIt(t, p)
	send := func() error {
		_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("x")})
		return seen(err)
	}
	eventually(t, "the right", send)
	c, err := sarama.NewConsumer(s.addrs, conf)
	mustTxn(t, "NewConsumer", err)
	defer closeIt(t, c)
	pc, err := c.ConsumePartition(topic, 0, sarama.OffsetOldest)
	mustTxn(t, "ConsumePartition", err)
	defer closeIt(t, pc)
	readMessages(t, pc, 1)

	user.remove()
	begin := time.Now()
	for err = send(); err == nil && time.Since(begin) < time.Minute; err = send() {
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("the producer, after %v: %v", time.Since(begin).Round(time.Millisecond), err)
	wantIs(t, "the producer", err, sarama.ErrSASLAuthenticationFailed)
	for told := false; !told; {
		select {
		case err := <-pc.Errors():
			told = errors.Is(seen(err), sarama.ErrSASLAuthenticationFailed)
			t.Logf("the consumer, after %v: %v", time.Since(begin).Round(time.Millisecond), err)
		case <-pc.Messages():
		case <-time.After(time.Minute):
			t.Fatal("the consumer says nothing")
		}
	}
	go func() {
		for err := range pc.Errors() {
			_ = seen(err)
		}
	}()
	const watched = 2 * time.Second
	before := dialer.dials()
	time.Sleep(watched)
	dials, most := dialer.dials()-before, 2*int(watched/conf.Consumer.Retry.Backoff)
	t.Logf("%d connections in %v, a pause of %v between attempts", dials, watched, conf.Consumer.Retry.Backoff)
	if dials > most {
		t.Errorf("%d connections in %v, want %d at most", dials, watched, most)
	}
	user.change(user.password)
	eventually(t, "producing again", send)
	select {
	case m, open := <-pc.Messages():
		if !open || string(m.Value) != "x" {
			t.Errorf("%v, %v", m, open)
		}
	case <-time.After(time.Minute):
		t.Error("the consumer does not go on")
	}
}

// secureIssuerAway has the issuer of tokens fail for so short a time that the
// sessions before last.
func (k *secureKafka) secureIssuerAway(t *testing.T) {
	conf := k.saslConfig(t, func(t *testing.T, conf *sarama.Config) {
		conf.Net.SASL.Mechanism, conf.Net.SASL.TokenProvider = sarama.SASLTypeOAuth, k.bearer(nil)
	})
	s, topic := k.listener(t, listenerReauth), k.securityTopic(t, 1)
	conf.Producer.Retry.Max = 1
	dialer := watch(conf)
	p, err := sarama.NewSyncProducer(s.addrs, conf)
	mustTxn(t, "NewSyncProducer", err)
	defer closeIt(t, p)
	send := func(begin time.Time) {
		t.Helper()
		if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("x")}); seen(err) != nil {
			t.Fatalf("after %v: %v", time.Since(begin), err)
		}
	}
	begin := time.Now()
	for ; time.Since(begin) < reauthAfter/3; time.Sleep(20 * time.Millisecond) {
		send(begin)
	}
	dials := dialer.dials()
	k.oidc.Fail(1, http.StatusServiceUnavailable)
	for ; time.Since(begin) < 3*reauthAfter; time.Sleep(20 * time.Millisecond) {
		send(begin)
	}
	if n := dialer.dials(); n != dials {
		t.Errorf("%d connections have become %d", dials, n)
	}
}

// securePasswordChange has the broker start anew with another password for a user
// who is at work.
func (k *secureKafka) securePasswordChange(t *testing.T) {
	s, topic := k.listener(t, listenerSASL), k.securityTopic(t, 1)
	conf := k.saslConfig(t, userAndPassword(sarama.SASLTypePlaintext, "changing", k.changing))
	dialer := watch(conf)
	p, err := sarama.NewSyncProducer(s.addrs, conf)
	mustTxn(t, "NewSyncProducer", err)
	defer closeIt(t, p)
	send := func(p sarama.SyncProducer) error {
		_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("x")})
		return seen(err)
	}
	mustTxn(t, "before", send(p))
	k.changing = newSecret("plain-")
	changes := make(map[string]string)
	for _, name := range []string{listenerSASL, listenerSASLTLS, listenerReauth, listenerReauthTLS} {
		changes["listener.name."+strings.ToLower(name)+".plain.sasl.jaas.config"] = k.plainUsers()
	}
	mustTxn(t, "SetProperties", k.real.SetProperties(0, changes))
	mustTxn(t, "Restart", k.real.Restart(t.Context(), 0))
	// Reading its log again, Kafka 4.3.1 may forget those who were there beside a
	// user of SCRAM who was deleted.
	a := k.admin(t)
	mustTxn(t, "a user", upsertScram(a, "scram", k.password))
	mustTxn(t, "a user", upsertScram(a, "odd", k.odd))
	before, begin := dialer.dials(), time.Now()
	err = send(p)
	t.Logf("after %v, %d connections: %v", time.Since(begin).Round(time.Millisecond), dialer.dials()-before, err)
	wantIs(t, "the old password", err, sarama.ErrSASLAuthenticationFailed)
	if n := dialer.dials() - before; n > 6 {
		t.Errorf("%d connections", n)
	}
	fresh := k.saslConfig(t, userAndPassword(sarama.SASLTypePlaintext, "changing", k.changing))
	again, err := sarama.NewSyncProducer(s.addrs, fresh)
	mustTxn(t, "NewSyncProducer", err)
	defer closeIt(t, again)
	eventually(t, "the new password", func() error { return send(again) })
}
