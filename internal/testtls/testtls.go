// Package testtls makes the authorities and certificates of certlocal for one
// test, which fails where they can't be made.
package testtls

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/IBM/sarama/internal/certlocal"
)

// Authority issues certificates.
type Authority struct{ *certlocal.Authority }

// New makes an authority.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	a, err := certlocal.NewAuthority(name)
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{a}
}

// Pair is a certificate with its key, for use and as files have them.
type Pair struct {
	TLS       tls.Certificate
	Cert, Key []byte
	Serial    string
}

// Issue makes a certificate of a server at these hosts, without any of a client.
func (a *Authority) Issue(t testing.TB, hosts ...string) Pair {
	t.Helper()
	return a.issue(t, certlocal.Request{CommonName: "test", Hosts: hosts})
}

// IssueExpired makes one that was valid until an hour ago.
func (a *Authority) IssueExpired(t testing.TB, hosts ...string) Pair {
	t.Helper()
	return a.issue(t, certlocal.Request{CommonName: "test", Hosts: hosts, NotAfter: time.Now().Add(-time.Hour)})
}

func (a *Authority) issue(t testing.TB, r certlocal.Request) Pair {
	t.Helper()
	c, err := a.Authority.Issue(r)
	if err != nil {
		t.Fatal(err)
	}
	p := Pair{Cert: c.ChainPEM, Key: c.KeyPEM}
	if p.TLS, err = c.TLS(); err != nil {
		t.Fatal(err)
	}
	p.Serial = p.TLS.Leaf.SerialNumber.String()
	return p
}
