package sarama_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/kdclocal"
)

type (
	unknownAuthority   = x509.UnknownAuthorityError
	wrongHost          = x509.HostnameError
	invalidCertificate = x509.CertificateInvalidError
)

// securityMessages is how many messages each row of the table sends and reads.
const securityMessages = 10_000

// TestFunctionalSecurity has every way to log in at a real broker, and with each
// what is to work and what is to be refused. Nothing that is logged meanwhile,
// no error and no configuration that is printed may tell a secret.
func TestFunctionalSecurity(t *testing.T) {
	k := sharedSecureKafka(t)
	t.Run("table with GSSAPI", func(t *testing.T) {
		if ok, why := kdclocal.Available(); !ok {
			t.Skipf("the table has no row with GSSAPI: no real KDC here: %s", why)
		}
	})
	t.Run("table", func(t *testing.T) {
		for _, row := range k.secureRows() {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				k.secureCells(t, row)
			})
		}
	})
	t.Run("edges", func(t *testing.T) { k.secureEdges(t) })
	t.Run("a password that changes", func(t *testing.T) { k.securePasswordChange(t) }) // alone: the broker starts anew
	t.Run("secrets", checkSecrets)
}

// secureConfig is the configuration of a row, without patience.
func (k *secureKafka) secureConfig(t *testing.T, row secureRow) (*sarama.Config, *watchedDialer) {
	t.Helper()
	conf := k.config()
	conf.Metadata.Retry.Max, conf.Producer.Retry.Max = 3, 3
	row.good(t, conf)
	return conf, watch(conf)
}

// securePrinted wants what is printed of a configuration to keep its secrets.
func (k *secureKafka) securePrinted(t *testing.T, row secureRow) {
	conf, _ := k.secureConfig(t, row)
	for _, format := range []string{"%v", "%+v", "%#v"} {
		for what, value := range map[string]any{"a pointer": conf, "a value": reflect.ValueOf(conf).Elem().Interface()} {
			if hasSecret(fmt.Sprintf(format, value)) {
				t.Errorf("%s of a configuration by %s has a secret in it", format, what)
			}
		}
	}
}

func (k *secureKafka) secureCells(t *testing.T, row secureRow) {
	conf, _ := k.secureConfig(t, row)
	topic := k.securityTopic(t, 1)
	s := k.listener(t, row.listener)
	if !t.Run("connect", func(t *testing.T) { k.secureConnect(t, s, row) }) {
		return
	}
	t.Run("printed", func(t *testing.T) { k.securePrinted(t, row) })
	t.Run("produce and consume", func(t *testing.T) {
		begin := time.Now()
		s.produce(t, conf, numberedMessages(topic, 1, securityMessages))
		produced := time.Since(begin)
		for i, m := range s.consume(t, conf, topic, 0, sarama.OffsetOldest, securityMessages) {
			if m.Offset != int64(i) || string(m.Value) != fmt.Sprint(i) {
				t.Fatalf("message %d has offset %d and value %q", i, m.Offset, m.Value)
			}
		}
		t.Logf("%d messages: %v to produce, %v to consume", securityMessages, produced.Round(time.Millisecond), (time.Since(begin) - produced).Round(time.Millisecond))
	})
	for _, f := range row.wrong {
		t.Run("wrong: "+f.name, func(t *testing.T) { k.secureRefused(t, row, f) })
	}
	for _, f := range row.expired {
		t.Run("expired: "+f.name, func(t *testing.T) { k.secureRefused(t, row, f) })
	}
	if row.reauth != "" {
		t.Run("log in again under load", func(t *testing.T) { k.secureAgain(t, row) })
	}
}

// secureConnect wants a client to need few connections.
func (k *secureKafka) secureConnect(t *testing.T, s *site, row secureRow) {
	conf, dialer := k.secureConfig(t, row)
	begin := time.Now()
	client, err := sarama.NewClient(s.addrs, conf)
	if seen(err) != nil {
		t.Fatal(err)
	}
	if n := dialer.dials(); n > 2 {
		t.Errorf("%d connections for one client", n)
	}
	if _, err := client.Controller(); seen(err) != nil {
		t.Error(err)
	}
	t.Logf("after %v, %d connections", time.Since(begin).Round(time.Millisecond), dialer.dials())
	closeIt(t, client)
	if n := dialer.open(); n != 0 {
		t.Errorf("%d connections are left open", n)
	}
}

// secureRefused wants a client that cannot log in to say so at once, what it
// tried and where, and not to try again as if the network were to blame.
func (k *secureKafka) secureRefused(t *testing.T, row secureRow, f flaw) {
	conf, _ := k.secureConfig(t, row)
	if f.change != nil {
		f.change(t, conf)
	}
	dialer := watch(conf)
	listener := row.listener
	if f.listener != "" {
		listener = f.listener
	}
	addrs := k.listener(t, listener).addrs
	for _, c := range []struct {
		name string
		open func() error
	}{
		{"NewClient", func() error { _, err := sarama.NewClient(addrs, conf); return err }},
		{"NewAsyncProducer", func() error { _, err := sarama.NewAsyncProducer(addrs, conf); return err }},
		{"NewConsumerGroup", func() error { _, err := sarama.NewConsumerGroup(addrs, "group", conf); return err }},
	} {
		before, begin := dialer.dials(), time.Now()
		err := seen(c.open())
		took, dials := time.Since(begin), dialer.dials()-before
		if err == nil {
			t.Fatalf("%s has let it in", c.name)
		}
		t.Logf("%s: after %v, %d connections: %v", c.name, took.Round(time.Millisecond), dials, err)
		if f.is == nil && !errors.Is(err, sarama.ErrSASLAuthenticationFailed) || f.is != nil && !f.is(err) {
			t.Errorf("%s: %T: %v", c.name, err, err)
		}
		for _, part := range []string{row.mechanism, addrs[0], f.says} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error does not name %q: %v", c.name, part, err)
			}
		}
		most := 2
		if f.elsewhere {
			most = 1 + conf.Metadata.Retry.Max
		}
		if dials > most {
			t.Errorf("%s: %d connections, want %d at most", c.name, dials, most)
		}
	}
	if n := dialer.open(); n != 0 {
		t.Errorf("%d connections are left open", n)
	}
}

// checkSecrets wants that no secret was seen in what was looked at, and that the
// looking works.
func checkSecrets(t *testing.T) {
	t.Logf("%d secrets were looked for in %d texts", secretWatch.secrets.Load(), secretWatch.texts.Load())
	secretWatch.mu.Lock()
	for i, text := range secretWatch.found {
		if i < 3 {
			t.Errorf("a secret was told: %.800s", text)
		}
	}
	t.Logf("%d had one", len(secretWatch.found))
	secretWatch.mu.Unlock()
	if secretWatch.texts.Load() < 100 {
		t.Error("so few texts cannot be all")
	}
}
