package sarama_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/certlocal"
	"github.com/IBM/sarama/internal/kafkalocal"
	"github.com/IBM/sarama/internal/oidclocal"
)

// The listeners of the secured cluster beside PLAINTEXT, where whoever comes may
// do everything. Those that end in REAUTH want clients to log in again every few
// seconds (KIP-368).
const (
	listenerSASL       = "SASL_PLAINTEXT" // all mechanisms
	listenerSASLTLS    = "SASL_SSL"       // all mechanisms
	listenerReauth     = "SASL_PLAINTEXT_REAUTH"
	listenerReauthTLS  = "SASL_SSL_REAUTH"
	listenerMutual     = "SSL"         // clients need a certificate
	listenerExpiredTLS = "SSL_EXPIRED" // the broker's certificate has expired
	listenerWrongName  = "SSL_WRONG_NAME"
)

// reauthAfter is what the listeners of that name are told. Kafka refuses clients
// that log in again within a second.
const reauthAfter = 3 * time.Second

// tokenAudience is whom bearer tokens are for.
const tokenAudience = "kafka-of-the-test"

// secureKafka is a cluster of one broker that takes every way to log in.
type secureKafka struct {
	*site // by the PLAINTEXT listener

	// constant after startSecureKafka
	oidc                       *oidclocal.Server
	realm                      *realm // nil: no KDC on this machine
	ca, stranger               *certlocal.Authority
	client, expired, unknown   *certlocal.Certificate // of clients; the last is the stranger's
	plain, password, clientKey string                 // of the users "plain" and "scram", and of the OAuth client "oauth"
	odd                        string                 // the password of the users "odd": not ASCII

	// TestFunctionalSecurity changes it, alone
	changing string // the password of the user "changing" of PLAIN
}

// secured is the secured cluster that tests share; TestMain closes it.
var secured struct {
	start sync.Once
	kafka *secureKafka // nil if it was not started
	err   error
}

// sharedSecureKafka starts the secured cluster for whoever asks first.
func sharedSecureKafka(t *testing.T) *secureKafka {
	t.Helper()
	skipWithoutKafka(t)
	secured.start.Do(func() { secured.kafka, secured.err = startSecureKafka(context.Background()) })
	if secured.err != nil {
		t.Fatal(secured.err)
	}
	return secured.kafka
}

// closeSecureKafka tells whether it could.
func closeSecureKafka() bool {
	if secured.kafka == nil {
		return true
	}
	err := errors.Join(secured.kafka.real.Close(), secured.kafka.closeServers())
	if err != nil {
		fmt.Fprintln(os.Stderr, "closing the secured cluster:", err)
	}
	return err == nil
}

// newSecret is a secret that no log may have.
func newSecret(start string) string {
	var b [12]byte
	rand.Read(b[:])
	return watchSecret(start + hex.EncodeToString(b[:]))
}

func startSecureKafka(ctx context.Context) (*secureKafka, error) {
	k := &secureKafka{
		plain: newSecret("plain-"), password: newSecret("scram-"), clientKey: newSecret("oauth&%/+ "), odd: newSecret("pässwörd-日本-𝄞-"),
		changing: newSecret("plain-"),
	}
	var err error
	if k.oidc, err = oidclocal.Start(oidclocal.Options{Audience: tokenAudience, Clients: map[string]string{"oauth": k.clientKey}}); err != nil {
		return nil, err
	}
	if k.realm, err = startRealm(ctx); err != nil {
		return nil, errors.Join(err, k.closeServers())
	}
	options, err := k.options()
	if err != nil {
		return nil, errors.Join(err, k.closeServers())
	}
	cluster, err := kafkalocal.Start(ctx, options)
	if err != nil {
		return nil, errors.Join(err, k.closeServers())
	}
	k.site = &site{addrs: cluster.Addrs(), version: sarama.V4_3_0_0, brokers: 1, real: cluster}
	if err := k.makeUsers(); err != nil {
		return nil, errors.Join(err, cluster.Close(), k.closeServers())
	}
	return k, nil
}

// closeServers ends those that the broker and its clients ask.
func (k *secureKafka) closeServers() error {
	err := k.oidc.Close()
	if k.realm != nil {
		err = errors.Join(err, k.realm.Close())
	}
	return err
}

// options makes the certificates, and the listeners that have them.
func (k *secureKafka) options() (kafkalocal.Options, error) {
	o := functionalOptions(kafkalocal.DefaultVersion, 1, map[string]string{
		"allow.everyone.if.no.acl.found": "false",
		"delegation.token.secret.key":    newSecret("tokens-"), "delegation.token.expiry.check.interval.ms": "1000",
		"sasl.oauthbearer.jwks.endpoint.url": k.oidc.KeysURL(), "sasl.oauthbearer.expected.issuer": k.oidc.Issuer(),
		"sasl.oauthbearer.expected.audience": tokenAudience, "sasl.oauthbearer.clock.skew.seconds": "0",
		"num.network.threads": "1", "num.io.threads": "4", "connection.failed.authentication.delay.ms": "100",
	})
	o.JVMArgs = []string{"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=" + k.oidc.KeysURL()}
	if k.realm != nil {
		o.JVMArgs = append(o.JVMArgs, "-Djava.security.krb5.conf="+k.realm.ConfPath())
	}
	var err error
	if k.ca, err = certlocal.NewAuthority("authority of the test"); err != nil {
		return o, err
	}
	if k.stranger, err = certlocal.NewAuthority("another authority"); err != nil {
		return o, err
	}
	past := time.Now().Add(-time.Hour)
	var server, oldServer, wrongName *certlocal.Certificate
	for _, c := range []struct {
		to   **certlocal.Certificate
		by   *certlocal.Authority
		what certlocal.Request
	}{
		{&server, k.ca, certlocal.Request{CommonName: "broker", Hosts: certlocal.Loopback()}},
		{&oldServer, k.ca, certlocal.Request{CommonName: "broker", Hosts: certlocal.Loopback(), NotAfter: past}},
		{&wrongName, k.ca, certlocal.Request{CommonName: "broker", Hosts: []string{"elsewhere.example"}}},
		{&k.client, k.ca, certlocal.Request{CommonName: "mutual"}},
		{&k.expired, k.ca, certlocal.Request{CommonName: "mutual", NotAfter: past}},
		{&k.unknown, k.stranger, certlocal.Request{CommonName: "mutual"}},
	} {
		if *c.to, err = c.by.Issue(c.what); err != nil {
			return o, err
		}
	}
	mutual := func(c *certlocal.Certificate) map[string]string {
		p := certlocal.KafkaProperties(c, k.ca)
		p["ssl.client.auth"] = "required"
		return p
	}
	k.saslListeners(&o, certlocal.KafkaProperties(server, k.ca))
	o.Listeners = append(o.Listeners,
		kafkalocal.Listener{Name: listenerMutual, Properties: mutual(server)},
		kafkalocal.Listener{Name: listenerExpiredTLS, Protocol: "SSL", Properties: mutual(oldServer)},
		kafkalocal.Listener{Name: listenerWrongName, Protocol: "SSL", Properties: mutual(wrongName)},
	)
	return o, nil
}

// saslListeners adds the listeners that take all mechanisms.
func (k *secureKafka) saslListeners(o *kafkalocal.Options, tlsProperties map[string]string) {
	const modules = "org.apache.kafka.common.security."
	for _, name := range []string{listenerSASL, listenerSASLTLS, listenerReauth, listenerReauthTLS} {
		p := map[string]string{
			"sasl.enabled.mechanisms":                        "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
			"plain.sasl.jaas.config":                         k.plainUsers(),
			"scram-sha-256.sasl.jaas.config":                 modules + "scram.ScramLoginModule required;",
			"scram-sha-512.sasl.jaas.config":                 modules + "scram.ScramLoginModule required;",
			"oauthbearer.sasl.jaas.config":                   modules + "oauthbearer.OAuthBearerLoginModule required;",
			"oauthbearer.sasl.server.callback.handler.class": modules + "oauthbearer.OAuthBearerValidatorCallbackHandler",
		}
		protocol := "SASL_PLAINTEXT"
		if strings.HasPrefix(name, "SASL_SSL") {
			protocol = "SASL_SSL"
			maps.Copy(p, tlsProperties)
		}
		if strings.HasSuffix(name, "_REAUTH") {
			p["connections.max.reauth.ms"] = strconv.FormatInt(reauthAfter.Milliseconds(), 10)
		}
		l := kafkalocal.Listener{Name: name, Protocol: protocol, Properties: p}
		if k.realm != nil {
			k.realm.addTo(&l)
		}
		o.Listeners = append(o.Listeners, l)
	}
}

// plainUsers are the users of PLAIN, in the form of JAAS.
func (k *secureKafka) plainUsers() string {
	return fmt.Sprintf(`org.apache.kafka.common.security.plain.PlainLoginModule required user_plain="%s" user_odd="%s" user_changing="%s";`, k.plain, k.odd, k.changing)
}

// makeUsers makes those of SCRAM, and lets all use what is named "security-…".
func (k *secureKafka) makeUsers() error {
	a, err := sarama.NewClusterAdmin(k.addrs, k.config())
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	if err := upsertScram(a, "scram", k.password); err != nil {
		return err
	}
	if err := upsertScram(a, "odd", k.odd); err != nil {
		return err
	}
	var rules []*sarama.ResourceAcls
	for _, kind := range []sarama.AclResourceType{sarama.AclResourceTopic, sarama.AclResourceGroup, sarama.AclResourceTransactionalID} {
		r := &sarama.ResourceAcls{Resource: sarama.Resource{ResourceType: kind, ResourceName: securityPrefix, ResourcePatternType: sarama.AclPatternPrefixed}}
		for _, user := range []string{"plain", "odd", "changing", "scram", "oauth", kerberosUser, "CN=mutual"} {
			r.Acls = append(r.Acls, &sarama.Acl{Principal: "User:" + user, Host: "*", Operation: sarama.AclOperationAll, PermissionType: sarama.AclPermissionAllow})
		}
		rules = append(rules, r)
	}
	return a.CreateACLs(rules)
}

// securityPrefix begins the names of what the users of the table may use.
const securityPrefix = "security-"

// upsertScram gives a user this password, for both mechanisms.
func upsertScram(a sarama.ClusterAdmin, user, password string) error {
	for _, mechanism := range []sarama.ScramMechanismType{sarama.SCRAM_MECHANISM_SHA_256, sarama.SCRAM_MECHANISM_SHA_512} {
		// One at a time: Kafka refuses a user who is named twice.
		results, err := a.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{
			{Name: user, Mechanism: mechanism, Iterations: 4096, Salt: []byte("salt of " + user), Password: []byte(password)},
		})
		if err := scramRefused(results, err); err != nil {
			return fmt.Errorf("credentials of %s: %w", user, err)
		}
	}
	return nil
}

func deleteScram(a sarama.ClusterAdmin, user string) error {
	for _, mechanism := range []sarama.ScramMechanismType{sarama.SCRAM_MECHANISM_SHA_256, sarama.SCRAM_MECHANISM_SHA_512} {
		results, err := a.DeleteUserScramCredentials([]sarama.AlterUserScramCredentialsDelete{{Name: user, Mechanism: mechanism}})
		if err := scramRefused(results, err); err != nil {
			return fmt.Errorf("credentials of %s: %w", user, err)
		}
	}
	return nil
}

func scramRefused(results []*sarama.AlterUserScramCredentialsResult, err error) error {
	for _, r := range results {
		if r.ErrorCode != sarama.ErrNoError && err == nil {
			err = r.ErrorCode
		}
	}
	return err
}

// listener is the cluster as seen through one of its listeners.
func (k *secureKafka) listener(t *testing.T, name string) *site {
	t.Helper()
	addrs := k.real.ListenerAddrs(name)
	if addrs == nil {
		t.Fatalf("no listener %s", name)
	}
	return &site{addrs: addrs, version: k.version, brokers: k.brokers, real: k.real}
}

// securityTopic makes a topic that the users of the table may use.
func (k *secureKafka) securityTopic(t *testing.T, partitions int) string {
	t.Helper()
	name := securityPrefix + k.topicName()
	k.create(t, name, partitions, nil)
	return name
}

// tls is how clients reach the listeners with TLS, with one of the client
// certificates or none.
func (k *secureKafka) tls(t *testing.T, own *certlocal.Certificate) *tls.Config {
	t.Helper()
	conf := &tls.Config{RootCAs: k.ca.Pool(), MinVersion: tls.VersionTLS12}
	if own != nil {
		pair, err := own.TLS()
		if err != nil {
			t.Fatal(err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf
}
