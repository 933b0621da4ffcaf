package sarama_test

import (
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"testing"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/kafkalocal"
	"github.com/IBM/sarama/internal/testtls"
)

// TestFunctionalTLS: a real Kafka whose listeners are for TLS, with and without
// client certificates, and for plain text; what each of them does to a client of
// the other kind.
func TestFunctionalTLS(t *testing.T) {
	t.Parallel()
	skipWithoutKafka(t)
	ca, other := testtls.New(t, "ca"), testtls.New(t, "other")
	broker, client, stranger := ca.Issue(t, "127.0.0.1", "localhost"), ca.Issue(t), other.Issue(t)
	ssl := func(name, clientAuth string) kafkalocal.Listener {
		return kafkalocal.Listener{Name: name, Protocol: "SSL", Properties: map[string]string{
			"ssl.keystore.type": "PEM", "ssl.keystore.certificate.chain": string(broker.Cert), "ssl.keystore.key": string(broker.Key),
			"ssl.truststore.type": "PEM", "ssl.truststore.certificates": string(ca.PEM()), "ssl.client.auth": clientAuth,
		}}
	}
	cluster := realKafka(t, kafkalocal.Options{Listeners: []kafkalocal.Listener{ssl("SSL", "none"), ssl("MUTUAL", "required")}})
	plain, encrypted, mutual := cluster.Addrs(), cluster.ListenerAddrs("SSL"), cluster.ListenerAddrs("MUTUAL")

	dir := t.TempDir()
	path := func(name string, content []byte) string {
		p := filepath.Join(dir, name)
		replace(t, p, content)
		return p
	}
	load := func(f sarama.TLSFiles) func() (*tls.Config, error) {
		t.Helper()
		f.CAFile = path("ca.crt", ca.PEM())
		config, err := f.Load()
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	own := sarama.TLSFiles{CertFile: path("client.crt", client.Cert), KeyFile: path("client.key", client.Key)}
	always := func(pair testtls.Pair) *tls.Config { // whatever authorities the server names
		return &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair.TLS, nil }}
	}
	twelve := &tls.Config{MaxVersion: tls.VersionTLS12}

	for name, test := range map[string]struct {
		addrs []string
		files *sarama.TLSFiles // nil: plain text
		want  []string         // nil: it works
		as    any
	}{
		"TLS":                                 {addrs: encrypted, files: &sarama.TLSFiles{}},
		"TLS 1.2":                             {addrs: encrypted, files: &sarama.TLSFiles{Base: twelve}},
		"client certificate":                  {addrs: mutual, files: &own},
		"client certificate, TLS 1.2":         {addrs: mutual, files: &sarama.TLSFiles{CertFile: own.CertFile, KeyFile: own.KeyFile, Base: twelve}},
		"no client certificate":               {addrs: mutual, files: &sarama.TLSFiles{}, want: []string{"remote error: tls: ", mutual[0]}},
		"no client certificate, TLS 1.2":      {addrs: mutual, files: &sarama.TLSFiles{Base: twelve}, want: []string{"remote error: tls: ", mutual[0]}},
		"client certificate of a stranger":    {addrs: mutual, files: &sarama.TLSFiles{Base: always(stranger)}, want: []string{"remote error: tls: ", "client's certificate"}},
		"wrong name":                          {addrs: encrypted, files: &sarama.TLSFiles{Base: &tls.Config{ServerName: "b1"}}, want: []string{"not b1"}, as: new(*tls.CertificateVerificationError)},
		"plain text to TLS":                   {addrs: encrypted, want: []string{encrypted[0], "one for TLS, which Net.TLS.Enable turns on"}},
		"plain text to TLS with certificates": {addrs: mutual, want: []string{mutual[0], "one for TLS, which Net.TLS.Enable turns on"}},
		"TLS to plain text":                   {addrs: plain, files: &sarama.TLSFiles{}, want: []string{plain[0], "may be one for plain text"}},
		"no version in common":                {addrs: encrypted, files: &sarama.TLSFiles{Base: &tls.Config{MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11}}, want: []string{"remote error: tls: "}},
	} {
		t.Run(name, func(t *testing.T) {
			conf := clusterConfig()
			conf.Version = sarama.MaxVersion
			conf.Metadata.Retry.Max = 0
			if test.files != nil {
				conf = tlsOn(conf)
				conf.Net.TLS.ConfigFunc = load(*test.files)
			}
			c, err := sarama.NewClient(test.addrs, conf)
			t.Log(err)
			if test.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				if host, _, _ := net.SplitHostPort(c.Brokers()[0].Addr()); host != "127.0.0.1" {
					t.Error(host)
				}
				_ = c.Close()
				return
			}
			if err == nil {
				_ = c.Close()
			}
			wantNoClient(t, test.addrs, conf, test.want...)
			if test.as != nil && !errors.As(err, test.as) {
				t.Errorf("%v is no %T", err, test.as)
			}
		})
	}
}
