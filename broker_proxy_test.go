package sarama

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/IBM/sarama/internal/testtls"
)

// A proxy with TLS has to have a certificate of its name that is known.
func TestHTTPSProxiesAreVerified(t *testing.T) {
	ca := testtls.New(t, "ca")
	for name, test := range map[string]struct {
		own   testtls.Pair
		known *x509.CertPool
		as    any // nil: it works
	}{
		"known":         {ca.Issue(t, "127.0.0.1"), ca.Pool(), nil},
		"unknown":       {ca.Issue(t, "127.0.0.1"), testtls.New(t, "other").Pool(), new(x509.UnknownAuthorityError)},
		"to the system": {ca.Issue(t, "127.0.0.1"), nil, new(x509.UnknownAuthorityError)},
		"another name":  {ca.Issue(t, "proxy.example.com"), ca.Pool(), new(x509.HostnameError)},
		"expired":       {ca.IssueExpired(t, "127.0.0.1"), ca.Pool(), new(x509.CertificateInvalidError)},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var serving sync.WaitGroup
			serving.Go(func() {
				raw, err := l.Accept()
				if err != nil {
					return
				}
				c := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{test.own.TLS}})
				if request, err := http.ReadRequest(bufio.NewReader(c)); err == nil && request.RequestURI == "b:9092" {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nhello")
				}
				_ = c.Close()
			})
			defer serving.Wait()
			defer l.Close()
			d, err := NewProxyDialer("https://" + l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if d.tls.MinVersion != tls.VersionTLS12 || d.tls.InsecureSkipVerify {
				t.Errorf("%x, %v", d.tls.MinVersion, d.tls.InsecureSkipVerify)
			}
			d.tls.RootCAs = test.known
			conn, err := d.DialContext(t.Context(), "tcp", "b:9092")
			if test.as != nil {
				if err == nil || !errors.As(err, test.as) || !strings.Contains(err.Error(), d.String()+": TLS handshake with the proxy") {
					t.Errorf("%v is no %T", err, test.as)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// FuzzProxyResponse: whatever a proxy answers, what is read is bounded, and what
// is taken for a tunnel begins with a status line of HTTP/1 that says so.
func FuzzProxyResponse(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\n\r\nrest", "HTTP/1.0 407 \r\nA: b\r\n\r\n", "HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200 OK\n\n", "SSH-2.0\r\n\r\n", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := strings.NewReader(string(raw))
		head, err := readResponseHead(r)
		if read := len(raw) - r.Len(); read > responseHeadMaxBytes || err == nil && read != len(head) {
			t.Fatalf("%d bytes were read of %d, %v", read, len(head), err)
		}
		if err != nil {
			return
		}
		status, code, ok := parseResponseHead(head)
		line, _, _ := strings.Cut(string(head), "\r\n")
		if status != line {
			t.Errorf("status %q of %q", status, head)
		}
		version := strings.HasPrefix(line, "HTTP/1.1 ") || strings.HasPrefix(line, "HTTP/1.0 ")
		if ok && (!version || line[9:12] != strconv.Itoa(code)) {
			t.Errorf("%q has code %d", line, code)
		}
	})
}
