package sarama_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/certlocal"
	"github.com/IBM/sarama/internal/oidclocal"
)

// secureRow is a row of the table: a way to log in at a listener. A mechanism
// joins the table by a function that makes its rows, in secureRows.
type secureRow struct {
	name      string
	mechanism string // as errors name it; "" is TLS
	listener  string
	reauth    string // the listener that wants clients to log in again, or ""
	steps     int    // SaslAuthenticate requests of one login
	good      func(t *testing.T, conf *sarama.Config)
	wrong     []flaw // logins with what is no right secret
	expired   []flaw // and with what was one
}

// flaw is a login that fails.
type flaw struct {
	name      string
	change    func(t *testing.T, conf *sarama.Config) // after good
	listener  string                                  // another than the row's
	says      string                                  // what the error is to say
	is        func(error) bool                        // nil: ErrSASLAuthenticationFailed
	elsewhere bool                                    // what fails is not the broker's business, and may be over at the next try
}

// secureRows are the rows of the table.
func (k *secureKafka) secureRows() []secureRow {
	rows := []secureRow{k.mutualRow()}
	for _, over := range []struct {
		name, listener, reauth string
		tls                    bool
	}{
		{"SASL_PLAINTEXT", listenerSASL, listenerReauth, false},
		{"SASL_SSL", listenerSASLTLS, listenerReauthTLS, true},
	} {
		for _, row := range append(k.kerberosRows(),
			k.plainRow(), k.scramRow(sarama.SASLTypeSCRAMSHA256), k.scramRow(sarama.SASLTypeSCRAMSHA512), k.tokenRow(), k.oauthRow(),
		) {
			row.name += " over " + over.name
			row.listener, row.reauth = over.listener, over.reauth
			good := row.good
			row.good = func(t *testing.T, conf *sarama.Config) {
				if over.tls {
					conf.Net.TLS.Enable, conf.Net.TLS.Config = true, k.tls(t, nil)
				}
				conf.Net.SASL.Enable = true
				good(t, conf)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func (k *secureKafka) mutualRow() secureRow {
	use := func(c *certlocal.Certificate) func(t *testing.T, conf *sarama.Config) {
		return func(t *testing.T, conf *sarama.Config) { conf.Net.TLS.Enable, conf.Net.TLS.Config = true, k.tls(t, c) }
	}
	alert := func(err error) bool { return strings.Contains(err.Error(), "remote error: tls: ") }
	return secureRow{
		name: "mutual TLS", listener: listenerMutual, good: use(k.client),
		wrong: []flaw{
			{name: "no certificate", change: use(nil), is: alert},
			{name: "a certificate of another authority", change: use(k.unknown), is: alert},
			{name: "another authority is trusted", is: asTLS[unknownAuthority], change: func(t *testing.T, conf *sarama.Config) {
				conf.Net.TLS.Config.RootCAs = k.stranger.Pool()
			}},
			{name: "the broker has another name", listener: listenerWrongName, is: asTLS[wrongHost]},
		},
		expired: []flaw{
			{name: "the client's certificate", change: use(k.expired), is: alert},
			{name: "the broker's certificate", listener: listenerExpiredTLS, is: asTLS[invalidCertificate]},
		},
	}
}

// asTLS tells whether an error is one of crypto/x509.
func asTLS[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

func (k *secureKafka) plainRow() secureRow {
	return secureRow{
		name: "PLAIN", mechanism: "PLAIN", steps: 1, good: userAndPassword(sarama.SASLTypePlaintext, "plain", k.plain),
		wrong: []flaw{
			{name: "password", says: "Invalid username or password", change: withPassword(newSecret("wrong-"))},
			{name: "user", says: "Invalid username or password", change: userAndPassword(sarama.SASLTypePlaintext, "nobody", k.plain)},
		},
	}
}

func userAndPassword(mechanism sarama.SASLMechanism, user, password string) func(t *testing.T, conf *sarama.Config) {
	return func(_ *testing.T, conf *sarama.Config) {
		conf.Net.SASL.Mechanism, conf.Net.SASL.User, conf.Net.SASL.Password = mechanism, user, password
	}
}

func withPassword(password string) func(t *testing.T, conf *sarama.Config) {
	return func(_ *testing.T, conf *sarama.Config) { conf.Net.SASL.Password = password }
}

func (k *secureKafka) scramRow(mechanism sarama.SASLMechanism) secureRow {
	return secureRow{
		name: string(mechanism), mechanism: string(mechanism), steps: 2, good: userAndPassword(mechanism, "scram", k.password),
		wrong: []flaw{
			{name: "password", change: withPassword(newSecret("wrong-"))},
			{name: "user", change: userAndPassword(mechanism, "nobody", k.password)},
		},
		expired: []flaw{
			{name: "the user was deleted", change: func(t *testing.T, conf *sarama.Config) {
				user := k.tempUser(t, newSecret("scram-"))
				conf.Net.SASL.User, conf.Net.SASL.Password = user.name, user.password
				k.awaitLogin(t, conf)
				user.remove()
				k.awaitNoLogin(t, conf)
			}},
			{name: "the password was changed", change: func(t *testing.T, conf *sarama.Config) {
				user := k.tempUser(t, newSecret("scram-"))
				conf.Net.SASL.User, conf.Net.SASL.Password = user.name, user.password
				k.awaitLogin(t, conf)
				user.change(newSecret("scram-"))
				k.awaitNoLogin(t, conf)
			}},
		},
	}
}

func useToken(token delegationToken) func(t *testing.T, conf *sarama.Config) {
	return func(_ *testing.T, conf *sarama.Config) {
		conf.Net.SASL.User, conf.Net.SASL.Password = token.id, token.hmac
	}
}

func (k *secureKafka) tokenRow() secureRow {
	var token delegationToken // of all logins that are to succeed
	var made sync.Once
	return secureRow{
		name: "delegation token", mechanism: "SCRAM-SHA-256", steps: 2,
		good: func(t *testing.T, conf *sarama.Config) {
			conf.Net.SASL.Mechanism, conf.Net.SASL.SCRAMTokenAuth = sarama.SASLTypeSCRAMSHA256, true
			made.Do(func() { token = k.newDelegationToken(t, time.Hour) })
			useToken(token)(t, conf)
			k.awaitLogin(t, conf)
		},
		wrong: []flaw{{name: "the HMAC", change: withPassword(newSecret("wrong-"))}},
		expired: []flaw{
			{name: "it was cancelled", change: func(t *testing.T, conf *sarama.Config) {
				token := k.newDelegationToken(t, time.Hour)
				useToken(token)(t, conf)
				k.awaitLogin(t, conf)
				k.cancel(t, token)
				k.awaitNoLogin(t, conf)
			}},
			{name: "its time is over", change: func(t *testing.T, conf *sarama.Config) {
				useToken(k.newDelegationToken(t, 4*time.Second))(t, conf)
				k.awaitLogin(t, conf)
				k.awaitNoLogin(t, conf)
			}},
		},
	}
}

func (k *secureKafka) oauthRow() secureRow {
	claims := func(change func(oidclocal.Claims)) func(t *testing.T, conf *sarama.Config) {
		return func(t *testing.T, conf *sarama.Config) {
			c := k.oidc.Claims("oauth")
			change(c)
			token, err := k.oidc.Sign(c)
			mustTxn(t, "signing", err)
			conf.Net.SASL.TokenProvider = &bearer{given: watchSecret(token)}
		}
	}
	past := time.Now().Add(-time.Minute).Unix()
	return secureRow{
		name: "OAUTHBEARER", mechanism: "OAUTHBEARER", steps: 1,
		good: func(_ *testing.T, conf *sarama.Config) {
			conf.Net.SASL.Mechanism = sarama.SASLTypeOAuth
			conf.Net.SASL.TokenProvider = k.bearer(map[string]string{"traceId": "7", "logicalCluster": "lkc-1"})
		},
		wrong: []flaw{
			{name: "for another audience", change: claims(func(c oidclocal.Claims) { c["aud"] = "another" })},
			{name: "of another issuer", change: claims(func(c oidclocal.Claims) { c["iss"] = "http://elsewhere.example" })},
			{name: "not signed by the issuer", change: func(t *testing.T, conf *sarama.Config) {
				token, err := k.oidc.Sign(k.oidc.Claims("oauth"))
				mustTxn(t, "signing", err)
				conf.Net.SASL.TokenProvider = &bearer{given: watchSecret(token[:len(token)-8] + "AAAAAAAA")}
			}},
			{name: "the client's secret", says: "the issuer says 401", is: notRefused, elsewhere: true, change: func(t *testing.T, conf *sarama.Config) {
				conf.Net.SASL.TokenProvider = &bearer{url: k.oidc.TokenURL(), id: "oauth", secret: newSecret("wrong-")}
			}},
		},
		expired: []flaw{{name: "the token", change: claims(func(c oidclocal.Claims) { c["exp"], c["nbf"], c["iat"] = past, past-60, past-60 })}},
	}
}

// notRefused tells whether it was not the broker who has refused a login.
func notRefused(err error) bool { return !errors.Is(err, sarama.ErrSASLAuthenticationFailed) }

// tempUser is a user of SCRAM for one test.
type tempUser struct {
	t              *testing.T
	k              *secureKafka
	name, password string
}

func (k *secureKafka) tempUser(t *testing.T, password string) *tempUser {
	t.Helper()
	u := &tempUser{t, k, k.topicName(), password}
	a := k.admin(t)
	mustTxn(t, "a user", upsertScram(a, u.name, password))
	t.Cleanup(func() { _ = deleteScram(a, u.name) }) // which may be gone
	return u
}

func (u *tempUser) remove() {
	u.t.Helper()
	mustTxn(u.t, "deleting a user", deleteScram(u.k.admin(u.t), u.name))
}

func (u *tempUser) change(password string) {
	u.t.Helper()
	mustTxn(u.t, "changing a password", upsertScram(u.k.admin(u.t), u.name, password))
}

// tryLogin opens and closes a client that does not try again.
func (k *secureKafka) tryLogin(t *testing.T, conf *sarama.Config) error {
	t.Helper()
	c := *conf
	c.Metadata.Retry.Max = 0
	listener := listenerSASL
	if conf.Net.TLS.Enable {
		listener = listenerSASLTLS
	}
	client, err := sarama.NewClient(k.listener(t, listener).addrs, &c)
	if err != nil {
		return seen(err)
	}
	closeIt(t, client)
	return nil
}

// awaitLogin waits until the broker has heard of a user, and awaitNoLogin until
// it has forgotten one.
func (k *secureKafka) awaitLogin(t *testing.T, conf *sarama.Config) {
	t.Helper()
	eventually(t, "logging in", func() error { return k.tryLogin(t, conf) })
}

func (k *secureKafka) awaitNoLogin(t *testing.T, conf *sarama.Config) {
	t.Helper()
	eventually(t, "not logging in any more", func() error {
		if err := k.tryLogin(t, conf); !errors.Is(err, sarama.ErrSASLAuthenticationFailed) {
			return fmt.Errorf("%s is not refused: %w", conf.Net.SASL.User, err)
		}
		return nil
	})
}
