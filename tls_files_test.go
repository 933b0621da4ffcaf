package sarama

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/IBM/sarama/internal/testtls"
)

// put replaces a file in a test's folder, and returns its path.
func put(t *testing.T, dir, name string, content ...[]byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, bytes.Join(content, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLSFilesMustBeWholeAtFirst(t *testing.T) {
	a, b := testtls.New(t, "a"), testtls.New(t, "b")
	pair, other := a.Issue(t, "localhost"), a.Issue(t, "localhost")
	dir := t.TempDir()
	cert, key := put(t, dir, "good.crt", pair.Cert), put(t, dir, "good.key", pair.Key)
	ca := put(t, dir, "good.ca", a.PEM(), b.PEM())
	two := append(a.PEM(), b.PEM()...)
	for name, test := range map[string]struct {
		files TLSFiles
		err   string // "": none
	}{
		"all":               {TLSFiles{CertFile: cert, KeyFile: key, CAFile: ca}, ""},
		"nothing":           {TLSFiles{}, ""},
		"authorities alone": {TLSFiles{CAFile: ca}, ""},
		"one file for both": {func() TLSFiles {
			both := put(t, dir, "both.pem", pair.Key, pair.Cert)
			return TLSFiles{CertFile: both, KeyFile: both}
		}(), ""},
		"no key named":         {TLSFiles{CertFile: cert}, "both or none"},
		"no certificate named": {TLSFiles{KeyFile: key}, "both or none"},
		"no such file":         {TLSFiles{CAFile: filepath.Join(dir, "none.ca")}, "none.ca"},
		"empty authorities":    {TLSFiles{CAFile: put(t, dir, "empty.ca")}, "empty.ca: there is no certificate"},
		"no PEM":               {TLSFiles{CAFile: put(t, dir, "text.ca", []byte("hello"))}, "text.ca: there is no certificate"},
		"a key for authorities": {
			TLSFiles{CAFile: put(t, dir, "key.ca", pair.Key)}, "key.ca: there is no certificate",
		},
		"half of the second authority": {
			TLSFiles{CAFile: put(t, dir, "half.ca", two[:len(two)-50])}, "half.ca: certificate 2 of 2 is not whole",
		},
		"rubbish in PEM": {
			TLSFiles{CAFile: put(t, dir, "der.ca", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))},
			"der.ca: certificate 1: x509",
		},
		"another key": {
			TLSFiles{CertFile: cert, KeyFile: put(t, dir, "other.key", other.Key)}, "other.key: tls: private key does not match public key",
		},
		"half of the key": {
			TLSFiles{CertFile: cert, KeyFile: put(t, dir, "half.key", pair.Key[:100])}, "half.key: tls",
		},
		"half of the chain": {
			TLSFiles{CertFile: put(t, dir, "chain.crt", pair.Cert, two[:100]), KeyFile: key}, "chain.crt: certificate 2 of 2 is not whole",
		},
		"too large": {
			TLSFiles{CAFile: put(t, dir, "large.ca", make([]byte, tlsFileMaxBytes+1))}, "large.ca is larger than",
		},
		"a folder": {TLSFiles{CAFile: dir}, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := test.files.Load()
			if test.err == "" && err == nil {
				if _, err = f(); err == nil {
					return
				}
			}
			if err == nil || test.err == "" || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v, want %q", err, test.err)
			}
		})
	}
}

func TestTLSFilesLeaveTheBaseAlone(t *testing.T) {
	a := testtls.New(t, "a")
	pair := a.Issue(t, "localhost")
	dir := t.TempDir()
	base := &tls.Config{
		ServerName: "other", MinVersion: tls.VersionTLS13, ClientSessionCache: tls.NewLRUClientSessionCache(1),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return nil, errors.New("not used") },
	}
	files := TLSFiles{CertFile: put(t, dir, "c", pair.Cert), KeyFile: put(t, dir, "k", pair.Key), CAFile: put(t, dir, "ca", a.PEM()), Base: base}
	f, err := files.Load()
	if err != nil {
		t.Fatal(err)
	}
	first, _ := f()
	if first.ServerName != "other" || first.MinVersion != tls.VersionTLS13 || first.GetClientCertificate != nil ||
		len(first.Certificates) != 1 || !first.RootCAs.Equal(a.Pool()) || first.ClientSessionCache != base.ClientSessionCache {
		t.Errorf("%+v", first)
	}
	if base.RootCAs != nil || base.Certificates != nil || base.GetClientCertificate == nil {
		t.Errorf("the base was changed: %+v", base)
	}
	if again, _ := f(); again == first {
		t.Error("two connections have the same configuration")
	}
	put(t, dir, "ca", testtls.New(t, "b").PEM())
	changed, _ := f()
	if changed.ClientSessionCache == base.ClientSessionCache || changed.ClientSessionCache == nil {
		t.Error("sessions are resumed over a change of the authorities")
	}
	if later, _ := f(); later.ClientSessionCache != changed.ClientSessionCache {
		t.Error("sessions are never resumed")
	}
}

func TestTLSFilesKeepTheLastGoodSet(t *testing.T) {
	logged := captureLogger(t)
	a, b := testtls.New(t, "a"), testtls.New(t, "b")
	one, two := a.Issue(t, "localhost"), a.Issue(t, "localhost")
	dir := t.TempDir()
	f, err := TLSFiles{CertFile: put(t, dir, "c", one.Cert), KeyFile: put(t, dir, "k", one.Key), CAFile: put(t, dir, "ca", a.PEM())}.Load()
	if err != nil {
		t.Fatal(err)
	}
	has := func(when string, p testtls.Pair, roots *x509.CertPool, logs int) {
		t.Helper()
		for range 3 { // a bad set is logged once, not for every connection
			conf, err := f()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(conf.Certificates[0].Certificate[0], p.TLS.Certificate[0]) || !conf.RootCAs.Equal(roots) {
				t.Errorf("%s: other certificates", when)
			}
		}
		if n := bytes.Count(logged.Bytes(), []byte("\n")); n != logs {
			t.Errorf("%s: %d lines were logged: %s", when, n, logged)
		}
		logged.Reset()
	}
	has("at first", one, a.Pool(), 0)
	put(t, dir, "c", two.Cert)
	has("with the old key", one, a.Pool(), 1)
	put(t, dir, "ca", b.PEM()[:200])
	has("with half of the authority", one, a.Pool(), 0)
	put(t, dir, "k", two.Key)
	has("with the new key", one, a.Pool(), 1)
	put(t, dir, "ca", b.PEM())
	has("with all", two, b.Pool(), 1)
	if err := os.Remove(filepath.Join(dir, "ca")); err != nil {
		t.Fatal(err)
	}
	has("without a file", two, b.Pool(), 1)
	put(t, dir, "ca", b.PEM())
	has("with the file again", two, b.Pool(), 0)
	if err := os.Remove(filepath.Join(dir, "ca")); err != nil {
		t.Fatal(err)
	}
	has("without it again", two, b.Pool(), 1)
}
