package sarama_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/kafkalocal"
	"github.com/IBM/sarama/internal/kdclocal"
)

// realm is the KDC of the secured cluster, and what its clients have of it.
type realm struct {
	*kdclocal.KDC

	// constant after startRealm
	password         string // of kerberos
	keytab, otherTab string // of kerberos, and of another principal
	cache, expired   string // of kerberos, the latter with a ticket of a second
	brokerKeys       string
}

const (
	kerberosUser   = "kerberos"
	kerberosBroker = "kafka/127.0.0.1"
)

// startRealm starts a KDC with a client and a broker; nil where this machine has
// no KDC.
func startRealm(ctx context.Context) (r *realm, err error) {
	if ok, _ := kdclocal.Available(); !ok {
		return nil, nil
	}
	r = &realm{password: newSecret("kerberos-")}
	if r.KDC, err = kdclocal.Start(ctx, kdclocal.Options{}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	for name, password := range map[string]string{kerberosUser: r.password, "other": newSecret("other-"), kerberosBroker: ""} {
		if err = r.AddPrincipal(ctx, name, password); err != nil {
			return nil, err
		}
	}
	for to, principal := range map[*string]string{&r.keytab: kerberosUser, &r.otherTab: "other", &r.brokerKeys: kerberosBroker} {
		if *to, err = r.Keytab(ctx, principal); err != nil {
			return nil, err
		}
	}
	if r.cache, err = r.CredentialCache(ctx, kerberosUser, r.password); err != nil {
		return nil, err
	}
	r.expired, err = r.CredentialCache(ctx, kerberosUser, r.password, "-l", "1s")
	return r, err
}

// addTo has a listener take tickets.
func (r *realm) addTo(l *kafkalocal.Listener) {
	l.Properties["sasl.enabled.mechanisms"] += ",GSSAPI"
	l.Properties["sasl.kerberos.service.name"] = "kafka"
	l.Properties["gssapi.sasl.jaas.config"] = fmt.Sprintf(
		`com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true keyTab="%s" principal="%s@%s";`,
		r.brokerKeys, kerberosBroker, r.Realm())
}

// kerberosRows are those of the credentials that GSSAPI takes.
func (k *secureKafka) kerberosRows() []secureRow {
	if k.realm == nil {
		return nil
	}
	r := k.realm
	gss := func(change func(*sarama.GSSAPIConfig)) func(*testing.T, *sarama.Config) {
		return func(_ *testing.T, conf *sarama.Config) { change(&conf.Net.SASL.GSSAPI) }
	}
	row := func(name string, change func(*sarama.GSSAPIConfig), wrong, expired []flaw) secureRow {
		return secureRow{
			name: "GSSAPI with a " + name, mechanism: "GSSAPI", steps: 2, wrong: wrong, expired: expired,
			good: func(_ *testing.T, conf *sarama.Config) {
				conf.Net.SASL.Mechanism = sarama.SASLTypeGSSAPI
				conf.Net.SASL.GSSAPI = sarama.GSSAPIConfig{
					ServiceName: "kafka", Username: kerberosUser, Realm: r.Realm(), KerberosConfigPath: r.ConfPath(),
				}
				change(&conf.Net.SASL.GSSAPI)
			},
		}
	}
	unknown := flaw{name: "user", change: gss(func(c *sarama.GSSAPIConfig) { c.Username = "nobody" })}
	service := flaw{name: "service", change: gss(func(c *sarama.GSSAPIConfig) { c.ServiceName = "zookeeper" })}
	return []secureRow{
		row("password", func(c *sarama.GSSAPIConfig) { c.AuthType, c.Password = sarama.KRB5_USER_AUTH, r.password },
			[]flaw{unknown, service, {name: "password", change: gss(func(c *sarama.GSSAPIConfig) { c.Password = newSecret("wrong-") })}}, nil),
		row("keytab", func(c *sarama.GSSAPIConfig) { c.AuthType, c.KeyTabPath = sarama.KRB5_KEYTAB_AUTH, r.keytab },
			[]flaw{unknown, service, {name: "keytab", change: gss(func(c *sarama.GSSAPIConfig) { c.KeyTabPath = r.otherTab })}}, nil),
		row("credential cache", func(c *sarama.GSSAPIConfig) { c.AuthType, c.CCachePath = sarama.KRB5_CCACHE_AUTH, r.cache },
			[]flaw{service}, []flaw{{name: "the ticket", change: func(t *testing.T, conf *sarama.Config) {
				awaitExpiry(t, r.KDC, r.expired)
				conf.Net.SASL.GSSAPI.CCachePath = r.expired
			}}}),
	}
}
