package fakekafka_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// certificate makes a certificate for 127.0.0.1, and a pool that trusts it.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestConnectionsMayBeEncrypted(t *testing.T) {
	own, trusted := certificate(t)
	cluster := fakekafka.New(t, fakekafka.Options{
		Brokers: 2, TLS: &tls.Config{Certificates: []tls.Certificate{own}}, Topics: []fakekafka.Topic{{Name: "t"}},
	})
	conf := config(cluster)
	conf.Net.TLS.Enable, conf.Net.TLS.Config = true, &tls.Config{RootCAs: trusted}
	client, err := sarama.NewClient(cluster.Addrs(), conf)
	must(t, err)
	defer client.Close()
	leader, err := client.Leader("t", 0)
	must(t, err)
	wantErr(t, produce(t, leader, "t", 0, batch("a", "b")).Err, sarama.ErrNoError)
	wantValues(t, values(fetch(t, leader, fetchRequest("t", 0, 0)).GetBlock("t", 0)), "a", "b")
	// Who does not encrypt gets nothing, and the broker goes on.
	c := rawConn(t, cluster, 1)
	_, err = c.Write(frame(18, 0, 1))
	must(t, err)
	if _, err := c.Read(make([]byte, 100)); err != nil {
		t.Logf("plain connection: %v", err) // an alert or the end, as it happens
	}
	wantErr(t, produce(t, leader, "t", 0, batch("c")).Err, sarama.ErrNoError)
}
