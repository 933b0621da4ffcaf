package certlocal

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

func noErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func issue(t *testing.T, a *Authority, r Request) *Certificate {
	t.Helper()
	c, err := a.Issue(r)
	noErr(t, err)
	return c
}

func authority(t *testing.T, name string) *Authority {
	t.Helper()
	a, err := NewAuthority(name)
	noErr(t, err)
	return a
}

// shake has crypto/tls judge both sides.
func shake(t *testing.T, server, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	noErr(t, err)
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		s := tls.Server(conn, server)
		if err = s.Handshake(); err == nil {
			_, err = s.Write([]byte("x"))
		}
		done <- err
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	noErr(t, err)
	c := tls.Client(conn, client)
	defer c.Close()
	if clientErr = c.Handshake(); clientErr == nil {
		// With TLS 1.3 a server's refusal comes after the handshake.
		_, clientErr = c.Read(make([]byte, 1))
	}
	_ = conn.Close()
	return <-done, clientErr
}

func TestCertificatesAreTakenOnlyForWhatTheyAreGood(t *testing.T) {
	ca, other := authority(t, "ca"), authority(t, "other")
	server := func(a *Authority, r Request) *tls.Config {
		pair, err := issue(t, a, r).TLS()
		noErr(t, err)
		return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
	}
	client := func(a *Authority, host string, r Request) *tls.Config {
		pair, err := issue(t, a, r).TLS()
		noErr(t, err)
		return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: ca.Pool(), ServerName: host, MinVersion: tls.VersionTLS12}
	}
	good, me := Request{CommonName: "server", Hosts: Loopback()}, Request{CommonName: "me"}
	past := time.Now().Add(-time.Minute)
	oldServer, oldClient := good, me
	oldServer.NotAfter, oldClient.NotAfter = past, past
	for _, c := range []struct {
		name             string
		server, client   *tls.Config
		serverHas, hasAs string // what the one who refuses says; "" is nothing
	}{
		{"good, by address", server(ca, good), client(ca, "127.0.0.1", me), "", ""},
		{"good, by name", server(ca, good), client(ca, "localhost", me), "", ""},
		{"another name", server(ca, good), client(ca, "elsewhere.example", me), "", "not elsewhere.example"},
		{"an expired server", server(ca, oldServer), client(ca, "localhost", me), "", "has expired"},
		{"an expired client", server(ca, good), client(ca, "localhost", oldClient), "has expired", ""},
		{"an unknown server", server(other, good), client(ca, "localhost", me), "", "unknown authority"},
		{"an unknown client", server(ca, good), client(other, "localhost", me), "client didn't provide|unknown authority", ""},
		{"a client for a server", server(ca, me), client(ca, "localhost", me), "", "not valid"},
	} {
		serverErr, clientErr := shake(t, c.server, c.client)
		want := func(side string, err error, says string) {
			if says == "" && (c.serverHas == "") == (c.hasAs == "") && err != nil {
				t.Errorf("%s: the %s says %v", c.name, side, err)
			}
			if says == "" {
				return
			}
			for text := range strings.SplitSeq(says, "|") {
				if err != nil && strings.Contains(err.Error(), text) {
					return
				}
			}
			t.Errorf("%s: the %s says %v, want %q", c.name, side, err, says)
		}
		want("server", serverErr, c.serverHas)
		want("client", clientErr, c.hasAs)
	}
	invalid := x509.CertificateInvalidError{}
	if _, err := shake(t, server(ca, oldServer), client(ca, "localhost", me)); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("an expired server: %#v", err)
	}
}

func TestFilesAndPropertiesHoldTheCertificate(t *testing.T) {
	ca := authority(t, "ca")
	c := issue(t, ca, Request{CommonName: "me"})
	certPath, keyPath, err := c.Write(t.TempDir(), "me")
	noErr(t, err)
	pair, err := tls.LoadX509KeyPair(certPath, keyPath)
	noErr(t, err)
	if got := pair.Leaf.Subject.String(); got != "CN=me" {
		t.Errorf("the file is of %s", got)
	}
	p := KafkaProperties(c, ca)
	if _, err := tls.X509KeyPair([]byte(p["ssl.keystore.certificate.chain"]), []byte(p["ssl.keystore.key"])); err != nil {
		t.Error(err)
	}
	if p["ssl.truststore.certificates"] != string(ca.PEM()) || p["ssl.keystore.type"] != "PEM" || p["ssl.truststore.type"] != "PEM" {
		t.Errorf("%v", p)
	}
	if p := KafkaProperties(nil, ca); len(p) != 2 {
		t.Errorf("without a certificate: %v", p)
	}
	if _, _, err := c.Write(t.TempDir()+"/missing", "me"); err == nil {
		t.Error("written into a folder that is not there")
	}
}
