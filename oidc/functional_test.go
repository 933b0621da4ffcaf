package oidc_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/kafkalocal"
	"github.com/IBM/sarama/internal/oidclocal"
	"github.com/IBM/sarama/oidc"
)

// TestFunctionalProvider has a real Kafka verify the tokens of a real issuer:
// tokens live for six seconds and so do sessions, which are renewed while
// messages go both ways.
func TestFunctionalProvider(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Kafka")
	}
	if ok, why := kafkalocal.Available(); !ok {
		t.Skip(why)
	}
	const secret, audience, lifetime, lasts = "s3cr3t&%/+ ", "kafka", 6 * time.Second, 20 * time.Second
	issuer, err := oidclocal.Start(oidclocal.Options{Audience: audience, Clients: map[string]string{"orders": secret}, Lifetime: lifetime})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = issuer.Close() }()
	const module = "org.apache.kafka.common.security.oauthbearer.OAuthBearer"
	cluster, err := kafkalocal.Start(t.Context(), kafkalocal.Options{
		Properties: map[string]string{
			"sasl.oauthbearer.jwks.endpoint.url": issuer.KeysURL(), "sasl.oauthbearer.expected.issuer": issuer.Issuer(),
			"sasl.oauthbearer.expected.audience": audience, "sasl.oauthbearer.clock.skew.seconds": "0",
		},
		JVMArgs: []string{"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=" + issuer.KeysURL()},
		Listeners: []kafkalocal.Listener{{Name: "OAUTH", Protocol: "SASL_PLAINTEXT", Properties: map[string]string{
			"sasl.enabled.mechanisms": "OAUTHBEARER", "oauthbearer.sasl.jaas.config": module + "LoginModule required;",
			"oauthbearer.sasl.server.callback.handler.class": module + "ValidatorCallbackHandler",
			"connections.max.reauth.ms":                      "60000", // the tokens end sooner, and the sessions with them
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cluster.Close() }()
	addrs := cluster.ListenerAddrs("OAUTH")

	login := func(secret string) *sarama.Config {
		tokens, err := oidc.New(oidc.Config{TokenURL: issuer.TokenURL(), ClientID: "orders", ClientSecret: secret})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tokens.Close() })
		conf := sarama.NewConfig()
		conf.Version = sarama.V4_0_0_0
		conf.Net.SASL.Enable, conf.Net.SASL.Mechanism, conf.Net.SASL.TokenProvider = true, sarama.SASLTypeOAuth, tokens
		conf.Producer.Return.Successes, conf.Producer.Retry.Max, conf.Metadata.Retry.Max = true, 0, 1
		conf.Consumer.Return.Errors = true
		return conf
	}
	if _, err := sarama.NewClient(addrs, login("wrong")); err == nil {
		t.Error("a wrong secret was let in")
	}
	conf := login(secret)
	admin, err := sarama.NewClusterAdmin(addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	if err := admin.CreateTopic("t", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	producer, err := sarama.NewSyncProducer(addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = producer.Close() }()
	consumer, err := sarama.NewConsumer(addrs, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = consumer.Close() }()
	messages, err := consumer.ConsumePartition("t", 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = messages.Close() }()
	begin, n := time.Now(), 0
	for ; time.Since(begin) < lasts; n++ {
		want := fmt.Sprint(n)
		if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder(want)}); err != nil {
			t.Fatalf("message %d after %v: %v", n, time.Since(begin), err)
		}
		select {
		case m := <-messages.Messages():
			if string(m.Value) != want {
				t.Fatalf("message %d is %s", n, m.Value)
			}
		case err := <-messages.Errors():
			t.Fatalf("message %d after %v: %v", n, time.Since(begin), err)
		}
		if _, err := admin.ListTopics(); err != nil {
			t.Fatalf("topics after %v: %v", time.Since(begin), err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	fetched := issuer.Requests("/token")
	t.Logf("%d messages in %v, with %d requests for tokens", n, lasts, fetched)
	if fetched < int(lasts/lifetime) {
		t.Errorf("%d requests for tokens that live for %v, in %v", fetched, lifetime, lasts)
	}
}
