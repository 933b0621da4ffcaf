package sarama

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/IBM/sarama/internal/testtls"
)

func TestTLSConfigIsCompletedOnACopy(t *testing.T) {
	for name, test := range map[string]struct {
		given *tls.Config
		addr  string
		host  string
		least uint16
	}{
		"nothing":       {nil, "b1.example.com:9092", "b1.example.com", tls.VersionTLS12},
		"empty":         {&tls.Config{}, "b1:9092", "b1", tls.VersionTLS12},
		"own name":      {&tls.Config{ServerName: "n"}, "b1:9092", "n", tls.VersionTLS12},
		"old version":   {&tls.Config{MinVersion: tls.VersionTLS10}, "b1:9092", "b1", tls.VersionTLS10},
		"new version":   {&tls.Config{MinVersion: tls.VersionTLS13}, "b1:9092", "b1", tls.VersionTLS13},
		"IPv6":          {nil, "[::1]:9092", "::1", tls.VersionTLS12},
		"IPv6 and zone": {nil, "[fe80::1%eth0]:9092", "fe80::1", tls.VersionTLS12},
		"no port":       {nil, "b1", "", tls.VersionTLS12},
	} {
		t.Run(name, func(t *testing.T) {
			var before *tls.Config
			if test.given != nil {
				before = test.given.Clone()
			}
			got := tlsConfigFor(test.given, test.addr)
			if got.ServerName != test.host || got.MinVersion != test.least {
				t.Errorf("%q, %x", got.ServerName, got.MinVersion)
			}
			if g := test.given; g != nil && (got == g || g.ServerName != before.ServerName || g.MinVersion != before.MinVersion) {
				t.Error("the user's configuration was changed")
			}
		})
	}
}

func TestHopelessIsWhatIsWrongWithEveryBroker(t *testing.T) {
	cert := fmt.Errorf("broker 1: %w", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}})
	conf := fmt.Errorf("broker 2: %w", ConfigurationError("no dialer"))
	down := fmt.Errorf("broker 3: %w", io.EOF)
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"nothing":              {nil, false},
		"the network":          {down, false},
		"a certificate":        {cert, true},
		"a configuration":      {conf, true},
		"all":                  {Wrap(ErrOutOfBrokers, cert, conf, cert), true},
		"one of two":           {Wrap(ErrOutOfBrokers, cert, down), false},
		"the other of two":     {Wrap(ErrOutOfBrokers, down, cert), false},
		"no broker":            {Wrap(ErrOutOfBrokers), false},
		"wrapped":              {fmt.Errorf("client: %w", Wrap(ErrOutOfBrokers, cert)), true},
		"wrapped, one of many": {fmt.Errorf("client: %w", errors.Join(Wrap(ErrOutOfBrokers, cert), down)), false},
	} {
		if got := hopeless(test.err); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The bytes are those of alerts as RFC 8446 section 5.1 and RFC 5246 section
// 7.2 lay them out.
func TestTLSAlertsAreToldFromResponses(t *testing.T) {
	for name, test := range map[string]struct {
		answer []byte
		want   string
	}{
		"handshake failure, TLS 1.2": {[]byte{21, 3, 3, 0, 2, 2, 40}, "listener is one for TLS"},
		"unexpected, TLS 1.0":        {[]byte{21, 3, 1, 0, 2, 2, 10}, "listener is one for TLS"},
		"alert and more":             {[]byte{21, 3, 3, 0, 2, 2, 40, 1, 2, 3}, "listener is one for TLS"},
		"cut alert":                  {[]byte{21, 3, 3}, "unexpected EOF"},
		"large":                      {[]byte{21, 3, 3, 0, 3, 0, 0, 0}, "message of length 352518912 too large"},
		"negative":                   {binary.BigEndian.AppendUint64(nil, 1<<63), "message of length -2147483648 too large or too small"},
		"nothing":                    {nil, "EOF"},
		"a response":                 {[]byte{0, 0, 0, 4, 0, 0, 0, 7}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			size, correlation, err := readFrameStart(iotest.OneByteReader(strings.NewReader(string(test.answer))))
			if test.want == "" {
				if err != nil || size != 0 || correlation != 7 {
					t.Errorf("%d, %d, %v", size, correlation, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// With TLS 1.3 a client may write before it hears that its certificate was
// refused, and the write may fail: the alert is what says why.
func TestRefusedCertificateIsToldThoughTheWriteFailed(t *testing.T) {
	a := testtls.New(t, "a")
	own := a.Issue(t, "127.0.0.1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{own.TLS}, ClientAuth: tls.RequireAnyClientCert}).HandshakeContext(t.Context())
		_ = c.Close()
	})
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := tls.Client(raw, &tls.Config{RootCAs: a.Pool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13})
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	serving.Wait()
	broken := &net.OpError{Op: "write", Err: syscall.EPIPE}
	if err := refusal(c, broken); remoteAlert(err) != "tls: certificate required" || alertHint(err) == "" {
		t.Errorf("%v", err)
	}
	if err := refusal(raw, broken); err != error(broken) {
		t.Errorf("without TLS: %v", err)
	}
	if err := refusal(c, io.ErrShortWrite); err != io.ErrShortWrite {
		t.Errorf("a write that failed for another reason: %v", err)
	}
}
