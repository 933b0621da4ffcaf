package sarama_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/kafkalocal"
	"github.com/IBM/sarama/internal/kdclocal"
)

const (
	gssPassword  = "correct horse"
	gssListener  = "KERBEROS"       // whose service principal has the address in it
	gssOtherName = "KERBEROS_NAMED" // whose service principal has another name
	gssName      = "broker.test"
)

// gssEncryptionTypes are those that session keys are tried with. The last one is
// what old domain controllers have.
var gssEncryptionTypes = []string{
	"aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192", "aes128-cts-hmac-sha256-128", "arcfour-hmac",
}

// kerberized is a broker whose clients log in at a KDC.
type kerberized struct {
	kdc     *kdclocal.KDC
	cluster *kafkalocal.Cluster
	keytab  string // of alice

	withoutHandshake bool // it takes a connection that begins with a token for one of GSSAPI
}

// startKDC starts a KDC that knows alice, or skips.
func startKDC(t *testing.T, o kdclocal.Options) *kdclocal.KDC {
	t.Helper()
	if ok, why := kdclocal.Available(); !ok {
		t.Skipf("no real KDC here: %s", why)
	}
	o.Dir = t.TempDir()
	kdc, err := kdclocal.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, kdc) })
	must(t, kdc.AddPrincipal(t.Context(), "alice", gssPassword, "+requires_preauth"))
	return kdc
}

func startKerberized(t *testing.T, release string) *kerberized {
	t.Helper()
	skipWithoutKafka(t)
	k := &kerberized{kdc: startKDC(t, kdclocal.Options{LibDefaults: []string{"allow_weak_crypto = true", "allow_rc4 = true"}})}
	ctx := t.Context()
	for _, name := range []string{"kafka/127.0.0.1", "kafka/" + gssName, "kafka/nobody"} {
		must(t, k.kdc.AddPrincipal(ctx, name, ""))
	}
	_, err := k.kdc.Kadmin(ctx, "setstr", "kafka/127.0.0.1", "session_enctypes", strings.Join(gssEncryptionTypes, ","))
	must(t, err)
	brokerKeys, err := k.kdc.Keytab(ctx, "kafka/127.0.0.1", "kafka/"+gssName)
	must(t, err)
	k.keytab, err = k.kdc.Keytab(ctx, "alice")
	must(t, err)
	listener := func(name, host string) kafkalocal.Listener {
		return kafkalocal.Listener{Name: name, Protocol: "SASL_PLAINTEXT", Properties: map[string]string{
			"sasl.enabled.mechanisms": "GSSAPI",
			"gssapi.sasl.jaas.config": fmt.Sprintf(`com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true keyTab="%s" principal="kafka/%s@%s";`,
				brokerKeys, host, k.kdc.Realm()),
			"sasl.kerberos.service.name": "kafka",
		}}
	}
	k.cluster = realKafka(t, kafkalocal.Options{
		Version:   release,
		Listeners: []kafkalocal.Listener{listener(gssListener, "127.0.0.1"), listener(gssOtherName, gssName)},
		JVMArgs:   []string{"-Djava.security.krb5.conf=" + k.kdc.ConfPath()},
	})
	return k
}

// config is that of alice with her password.
func (k *kerberized) config(t *testing.T) *sarama.Config {
	t.Helper()
	conf := sarama.NewConfig()
	version, err := sarama.ParseKafkaVersion(k.cluster.Version())
	must(t, err)
	conf.Version = version
	conf.Net.SASL.Enable, conf.Net.SASL.Mechanism = true, sarama.SASLTypeGSSAPI
	conf.Net.SASL.GSSAPI = sarama.GSSAPIConfig{
		AuthType: sarama.KRB5_USER_AUTH, Username: "alice", Password: gssPassword, Realm: k.kdc.Realm(),
		KerberosConfigPath: k.kdc.ConfPath(), ServiceName: "kafka",
	}
	conf.Producer.Return.Successes = true
	conf.Consumer.Return.Errors = true
	return conf
}

// connect opens a connection and asks something.
func (k *kerberized) connect(conf *sarama.Config, listener string) error {
	b := sarama.NewBroker(k.cluster.ListenerAddrs(listener)[0])
	if err := b.Open(conf); err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	_, err := b.GetMetadata(&sarama.MetadataRequest{Version: 1, Topics: []string{}})
	return err
}

// TestFunctionalGSSAPI authenticates with a real broker, by tickets of a real
// KDC.
func TestFunctionalGSSAPI(t *testing.T) {
	t.Parallel()
	t.Run("kafka 4.3.1", func(t *testing.T) { functionalGSSAPI(t, startKerberized(t, "4.3.1")) })
	t.Run("kafka 3.9.1", func(t *testing.T) {
		k := startKerberized(t, "3.9.1")
		k.withoutHandshake = true
		functionalGSSAPI(t, k)
	})
}

func functionalGSSAPI(t *testing.T, k *kerberized) {
	gss := func(f func(*sarama.GSSAPIConfig)) func(*sarama.Config) {
		return func(conf *sarama.Config) { f(&conf.Net.SASL.GSSAPI) }
	}
	cache, err := k.kdc.CredentialCache(t.Context(), "alice", gssPassword)
	must(t, err)
	expired, err := k.kdc.CredentialCache(t.Context(), "alice", gssPassword, "-l", "1s")
	must(t, err)
	must(t, k.kdc.AddPrincipal(t.Context(), "bare", gssPassword, "-requires_preauth"))
	must(t, k.kdc.AddPrincipal(t.Context(), "late", gssPassword, "-pwexpire", "yesterday"))
	missing := filepath.Join(t.TempDir(), "missing")
	mess := filepath.Join(t.TempDir(), "mess")
	must(t, os.WriteFile(mess, []byte("\x05\x02 this is neither a keytab nor a cache"), 0o600))
	awaitExpiry(t, k.kdc, expired)

	for _, test := range []struct {
		name     string
		set      func(*sarama.Config)
		listener string
		refused  bool   // ErrSASLAuthenticationFailed
		text     string // of the error; empty: there is none
	}{
		{name: "password"},
		{name: "password without pre-authentication", set: gss(func(g *sarama.GSSAPIConfig) { g.Username = "bare" })},
		{name: "password without FAST", set: gss(func(g *sarama.GSSAPIConfig) { g.DisablePAFXFAST = true })},
		{name: "keytab", set: gss(func(g *sarama.GSSAPIConfig) { g.AuthType, g.KeyTabPath = sarama.KRB5_KEYTAB_AUTH, k.keytab })},
		{name: "credential cache", set: gss(func(g *sarama.GSSAPIConfig) { g.AuthType, g.CCachePath = sarama.KRB5_CCACHE_AUTH, cache })},
		{name: "credential cache with a prefix", set: gss(func(g *sarama.GSSAPIConfig) { g.AuthType, g.CCachePath = sarama.KRB5_CCACHE_AUTH, "FILE:"+cache })},
		{name: "another service name", listener: gssOtherName, set: gss(func(g *sarama.GSSAPIConfig) {
			g.BuildSpn = func(service, host string) string {
				if host != "127.0.0.1" {
					t.Errorf("BuildSpn got host %s", host)
				}
				return service + "/" + gssName
			}
		})},
		{name: "wrong password", refused: true, text: "alice@TEST.LOCAL", set: gss(func(g *sarama.GSSAPIConfig) { g.Password = "hunter2hunter2" })},
		{name: "wrong password without pre-authentication", refused: true, text: "bare@TEST.LOCAL", set: gss(func(g *sarama.GSSAPIConfig) {
			g.Username, g.Password = "bare", "hunter2hunter2"
		})},
		{name: "expired password", refused: true, text: "KDC_ERR_KEY_EXPIRED", set: gss(func(g *sarama.GSSAPIConfig) { g.Username = "late" })},
		{name: "unknown principal", refused: true, text: "KDC_ERR_C_PRINCIPAL_UNKNOWN", set: gss(func(g *sarama.GSSAPIConfig) { g.Username = "mallory" })},
		{name: "unknown service", refused: true, text: "KDC_ERR_S_PRINCIPAL_UNKNOWN", set: gss(func(g *sarama.GSSAPIConfig) { g.ServiceName = "kafkaesque" })},
		{name: "another's service", refused: true, text: "Authentication failed", set: gss(func(g *sarama.GSSAPIConfig) {
			g.BuildSpn = func(service, host string) string { return service + "/nobody" }
		})},
		{name: "keytab of another", refused: true, text: "no key of bare@TEST.LOCAL", set: gss(func(g *sarama.GSSAPIConfig) {
			g.AuthType, g.KeyTabPath, g.Username = sarama.KRB5_KEYTAB_AUTH, k.keytab, "bare"
		})},
		{name: "expired ticket", refused: true, text: "no valid existing session", set: gss(func(g *sarama.GSSAPIConfig) {
			g.AuthType, g.CCachePath = sarama.KRB5_CCACHE_AUTH, expired
		})},
		{name: "no keytab", text: missing, set: gss(func(g *sarama.GSSAPIConfig) { g.AuthType, g.KeyTabPath = sarama.KRB5_KEYTAB_AUTH, missing })},
		{name: "damaged keytab", text: mess, set: gss(func(g *sarama.GSSAPIConfig) { g.AuthType, g.KeyTabPath = sarama.KRB5_KEYTAB_AUTH, mess })},
		{name: "no cache", text: missing, set: gss(func(g *sarama.GSSAPIConfig) { g.AuthType, g.CCachePath = sarama.KRB5_CCACHE_AUTH, missing })},
		{name: "damaged cache", text: mess, set: gss(func(g *sarama.GSSAPIConfig) { g.AuthType, g.CCachePath = sarama.KRB5_CCACHE_AUTH, mess })},
		{name: "no configuration", text: missing, set: gss(func(g *sarama.GSSAPIConfig) { g.KerberosConfigPath = missing })},
	} {
		t.Run(test.name, func(t *testing.T) {
			conf := k.config(t)
			if test.set != nil {
				test.set(conf)
			}
			listener := test.listener
			if listener == "" {
				listener = gssListener
			}
			err := k.connect(conf, listener)
			if test.text == "" {
				if err != nil {
					t.Errorf("%v\n%s", err, k.cluster.Log(0))
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.text) || errors.Is(err, sarama.ErrSASLAuthenticationFailed) != test.refused {
				t.Errorf("refused %v: %v", errors.Is(err, sarama.ErrSASLAuthenticationFailed), err)
			}
			for _, secret := range []string{gssPassword, "hunter2hunter2", "this is neither"} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the error has %q in it: %v", secret, err)
				}
			}
		})
	}
	t.Run("messages", func(t *testing.T) { k.roundTrip(t, k.config(t)) })
	t.Run("bare tokens", func(t *testing.T) {
		k.bareTokens(t, func(conf *sarama.Config) {}, true)
		k.bareTokens(t, func(conf *sarama.Config) { conf.Net.SASL.Handshake = false }, k.withoutHandshake)
		if k.withoutHandshake {
			k.authorize(t)
		}
	})
	t.Run("encryption types", func(t *testing.T) { k.encryptionTypes(t) })
	t.Run("no KDC", func(t *testing.T) { // the last one
		k.kdc.Stop()
		err := k.connect(k.config(t), gssListener)
		if err == nil || errors.Is(err, sarama.ErrSASLAuthenticationFailed) || !strings.Contains(err.Error(), "kafka/127.0.0.1") {
			t.Errorf("without a KDC: %v", err)
		}
	})
}

// encryptionTypes authenticates with session keys of every type.
func (k *kerberized) encryptionTypes(t *testing.T) {
	text, err := os.ReadFile(k.kdc.ConfPath())
	must(t, err)
	for _, name := range gssEncryptionTypes {
		conf := k.config(t)
		conf.Net.SASL.GSSAPI.KerberosConfigPath = filepath.Join(t.TempDir(), "krb5.conf")
		only := strings.Replace(string(text), "[realms]", "default_tgs_enctypes = "+name+"\n[realms]", 1)
		must(t, os.WriteFile(conf.Net.SASL.GSSAPI.KerberosConfigPath, []byte(only), 0o600))
		if err := k.connect(conf, gssListener); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var last string
		for line := range strings.Lines(k.kdc.Log()) {
			if strings.Contains(line, "TGS_REQ") {
				last = line
			}
		}
		if used := regexp.MustCompile(`ses=[^,}]*`).FindString(last); !strings.Contains(used, name) {
			t.Errorf("%s: the session key is %s", name, used)
		}
	}
}

// bareTokens authenticates without SaslAuthenticate.
func (k *kerberized) bareTokens(t *testing.T, set func(*sarama.Config), works bool) {
	t.Helper()
	conf := k.config(t)
	conf.Net.SASL.Version, conf.ApiVersionsRequest = sarama.SASLHandshakeV0, false
	set(conf)
	if err := k.connect(conf, gssListener); (err == nil) != works {
		t.Errorf("handshake %v: %v\n%s", conf.Net.SASL.Handshake, err, k.cluster.Log(0))
	}
}

// authorize sends bare tokens on a connection that is open already.
func (k *kerberized) authorize(t *testing.T) {
	t.Helper()
	conf := k.config(t)
	auth := &sarama.GSSAPIKerberosAuth{Config: &conf.Net.SASL.GSSAPI, NewKerberosClientFunc: sarama.NewKerberosClient}
	conf.Net.SASL.Enable, conf.ApiVersionsRequest = false, false
	b := sarama.NewBroker(k.cluster.ListenerAddrs(gssListener)[0])
	must(t, b.Open(conf))
	defer closeIt(t, b)
	must(t, auth.Authorize(b))
	if _, err := b.GetMetadata(&sarama.MetadataRequest{Version: 1, Topics: []string{}}); err != nil {
		t.Error(err)
	}
}

// awaitExpiry waits until the ticket in a cache has expired.
func awaitExpiry(t *testing.T, kdc *kdclocal.KDC, cache string) {
	t.Helper()
	eventually(t, "the end of a ticket", func() error {
		if _, err := kdc.Run(context.Background(), "klist", "-s", "-c", cache); err == nil {
			return errors.New("klist takes it for valid")
		}
		return nil
	})
}

// roundTrip produces a thousand messages and consumes them.
func (k *kerberized) roundTrip(t *testing.T, conf *sarama.Config) {
	const messages = 1000
	topic := fmt.Sprintf("kerberos-%d", time.Now().UnixNano())
	addrs := k.cluster.ListenerAddrs(gssListener)
	p, err := sarama.NewSyncProducer(addrs, conf)
	must(t, err)
	if err := p.SendMessages(numberedMessages(topic, 1, messages)); err != nil {
		t.Error(err)
	}
	must(t, p.Close())
	c, err := sarama.NewConsumer(addrs, conf)
	must(t, err)
	pc := consumeEventually(t, c, topic, 0, sarama.OffsetOldest)
	for i, m := range readMessages(t, pc, messages) {
		if string(m.Value) != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, m.Value)
		}
	}
	must(t, pc.Close())
	must(t, c.Close())
}

// Files that were cut off anywhere are an error, or what is left of them serves.
func TestKerberosFilesThatAreCutOff(t *testing.T) {
	kdc := startKDC(t, kdclocal.Options{})
	keytab, err := kdc.Keytab(t.Context(), "alice")
	must(t, err)
	cache, err := kdc.CredentialCache(t.Context(), "alice", gssPassword)
	must(t, err)
	for authType, path := range map[int]string{sarama.KRB5_KEYTAB_AUTH: keytab, sarama.KRB5_CCACHE_AUTH: cache, sarama.KRB5_USER_AUTH: kdc.ConfPath()} {
		whole, err := os.ReadFile(path)
		must(t, err)
		cut := filepath.Join(t.TempDir(), "cut")
		conf := sarama.GSSAPIConfig{
			AuthType: authType, Username: "alice", Password: gssPassword, Realm: kdc.Realm(),
			KerberosConfigPath: kdc.ConfPath(), KeyTabPath: cut, CCachePath: cut,
		}
		if authType == sarama.KRB5_USER_AUTH {
			conf.KerberosConfigPath = cut
		}
		for n := range len(whole) + 1 {
			must(t, os.WriteFile(cut, whole[:n], 0o600))
			c, err := sarama.NewKerberosClient(&conf)
			switch {
			case err == nil:
				c.Destroy()
			case !strings.Contains(err.Error(), cut):
				t.Errorf("%d of %d bytes: %v", n, len(whole), err)
			case n == len(whole):
				t.Error(err)
			}
		}
	}
}
