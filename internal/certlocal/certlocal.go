// Package certlocal makes certificates for tests: an authority of its own, and
// what that issues to servers and clients, also what nobody should take. Kafka
// reads them as PEM (KIP-651).
package certlocal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Lifetime is how long certificates are good, unless they are made otherwise:
// from as long ago on, since clocks of other machines may be late.
const Lifetime = 24 * time.Hour

// Authority issues certificates. Its methods may be called from any goroutine.
type Authority struct {
	// constant after NewAuthority
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// Certificate is a key and what an authority has put its name under. It does
// not change.
type Certificate struct {
	// ChainPEM is the certificate alone, as its authority has issued it itself.
	ChainPEM []byte
	// KeyPEM is the key, in the form of PKCS #8, not encrypted.
	KeyPEM []byte
}

// Request says what a certificate is for.
type Request struct {
	// CommonName is the whole of the subject.
	CommonName string
	// Hosts are names and addresses that a server is to be reached by; without
	// any it is a client's certificate.
	Hosts []string
	// NotBefore and NotAfter bound the time that it is good for. Zero is a
	// Lifetime before and after now.
	NotBefore, NotAfter time.Time
}

// Loopback are the hosts of a server on this machine.
func Loopback() []string { return []string{"127.0.0.1", "localhost"} }

// NewAuthority makes an authority that nobody trusts yet.
func NewAuthority(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certlocal: key of %s: %w", name, err)
	}
	template, err := newTemplate(Request{CommonName: name})
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature, nil
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("certlocal: certificate of %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certlocal: certificate of %s: %w", name, err)
	}
	return &Authority{cert: cert, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// newTemplate is what a certificate begins with.
func newTemplate(r Request) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("certlocal: serial number: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: r.CommonName}, NotBefore: r.NotBefore, NotAfter: r.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if t.NotBefore.IsZero() {
		t.NotBefore = time.Now().Add(-Lifetime)
	}
	if t.NotAfter.IsZero() {
		t.NotAfter = time.Now().Add(Lifetime)
	}
	if len(r.Hosts) > 0 {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	for _, host := range r.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, host)
		}
	}
	return t, nil
}

// Issue makes a key and a certificate for it.
func (a *Authority) Issue(r Request) (*Certificate, error) {
	template, err := newTemplate(r)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certlocal: key of %s: %w", r.CommonName, err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("certlocal: certificate of %s: %w", r.CommonName, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("certlocal: key of %s: %w", r.CommonName, err)
	}
	return &Certificate{
		ChainPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		KeyPEM:   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}, nil
}

// PEM is the authority's own certificate.
func (a *Authority) PEM() []byte { return a.pem }

// Pool has the authority as the only one.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// TLS is the certificate as crypto/tls takes it.
func (c *Certificate) TLS() (tls.Certificate, error) {
	pair, err := tls.X509KeyPair(c.ChainPEM, c.KeyPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certlocal: %w", err)
	}
	return pair, nil
}

// KafkaProperties are the settings of a broker's listener, or of a Java client,
// that presents this certificate (nil is none) and trusts this authority.
func KafkaProperties(c *Certificate, trusted *Authority) map[string]string {
	p := map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.certificates": string(trusted.pem)}
	if c != nil {
		p["ssl.keystore.type"] = "PEM"
		p["ssl.keystore.certificate.chain"], p["ssl.keystore.key"] = string(c.ChainPEM), string(c.KeyPEM)
	}
	return p
}

// Write writes the certificate to dir/name.pem and its key to dir/name.key.
func (c *Certificate) Write(dir, name string) (certPath, keyPath string, err error) {
	certPath, keyPath = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	if err := os.WriteFile(certPath, c.ChainPEM, 0o600); err != nil {
		return "", "", fmt.Errorf("certlocal: %w", err)
	}
	if err := os.WriteFile(keyPath, c.KeyPEM, 0o600); err != nil {
		return "", "", fmt.Errorf("certlocal: %w", err)
	}
	return certPath, keyPath, nil
}
