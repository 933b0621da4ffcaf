package sarama_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/proxy"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
	"github.com/IBM/sarama/internal/testtls"
)

// gateway is what a proxy in a test lets through: the names of brokers, which
// nobody but the proxy can resolve, and who may ask.
type gateway struct {
	t        *testing.T
	names    map[string]string // addresses by host:port asked for
	user     string            // "": nobody has to say who he is
	password string
	tunnels  atomic.Int32
}

// pass connects both ends until one of them ends.
func (g *gateway) pass(c net.Conn, from io.Reader, target string, answer func(ok bool)) {
	to, known := g.names[target]
	if !known {
		answer(false)
		return
	}
	out, err := net.Dial("tcp", to)
	if err != nil {
		answer(false)
		return
	}
	g.tunnels.Add(1)
	answer(true)
	var both sync.WaitGroup
	copyTo := func(to net.Conn, from io.Reader) {
		_, _ = io.Copy(to, from)
		_ = c.Close()
		_ = out.Close()
	}
	both.Go(func() { copyTo(out, from) })
	both.Go(func() { copyTo(c, out) })
	both.Wait()
}

// serveSOCKS is a SOCKS 5 server (RFC 1928, RFC 1929) for CONNECT to names.
func (g *gateway) serveSOCKS(c net.Conn) {
	r := bufio.NewReader(c)
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(r, b)
		return b
	}
	head := read(2)
	methods := read(int(head[1]))
	method := byte(0)
	if g.user != "" {
		method = 2
	}
	if head[0] != 5 || !bytes.Contains(methods, []byte{method}) {
		_, _ = c.Write([]byte{5, 0xff})
		return
	}
	_, _ = c.Write([]byte{5, method})
	if g.user != "" {
		user := string(read(int(read(2)[1])))
		password := string(read(int(read(1)[0])))
		if user != g.user || password != g.password {
			_, _ = c.Write([]byte{1, 1})
			return
		}
		_, _ = c.Write([]byte{1, 0})
	}
	var host string
	switch request := read(4); request[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = net.IP(read(16)).String()
	default:
		g.t.Errorf("SOCKS request % x", request)
		return
	}
	target := net.JoinHostPort(host, fmt.Sprint(binary.BigEndian.Uint16(read(2))))
	g.pass(c, r, target, func(ok bool) {
		code := byte(0)
		if !ok {
			code = 4 // host unreachable
		}
		_, _ = c.Write([]byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0})
	})
}

// serveConnect is an HTTP proxy for CONNECT, which the standard library reads.
func (g *gateway) serveConnect(c net.Conn) {
	r := bufio.NewReader(c)
	request, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	if request.Method != http.MethodConnect || request.Host != request.RequestURI {
		g.t.Errorf("%s %s to host %s", request.Method, request.RequestURI, request.Host)
	}
	if g.user != "" {
		given, _ := strings.CutPrefix(request.Header.Get("Proxy-Authorization"), "Basic ")
		if login, _ := base64.StdEncoding.DecodeString(given); string(login) != g.user+":"+g.password {
			_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno")
			return
		}
	}
	g.pass(c, r, request.RequestURI, func(ok bool) {
		if ok {
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
		} else {
			_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		}
	})
}

// behindProxy is a cluster that is reached through a proxy only: TLS to a broker
// by a name that nothing but the proxy resolves. The brokers advertise an
// address, whose certificate is another one's but for the server name.
func behindProxy(t *testing.T, scheme string, g *gateway) (addrs []string, conf *sarama.Config, host string) {
	a := testtls.New(t, "a")
	own := a.Issue(t, "broker.internal", "127.0.0.1")
	cluster := fakekafka.New(t, fakekafka.Options{
		TLS: &tls.Config{Certificates: []tls.Certificate{own.TLS}}, Topics: []fakekafka.Topic{{Name: "t"}},
	})
	g.t, g.names = t, map[string]string{"broker.internal:9092": cluster.Addrs()[0], cluster.Addrs()[0]: cluster.Addrs()[0]}
	serve := g.serveConnect
	if strings.HasPrefix(scheme, "socks") {
		serve = g.serveSOCKS
	}
	conf = tlsOn(clusterConfig())
	conf.Metadata.Retry.Max = 0
	conf.Net.TLS.Config = &tls.Config{RootCAs: a.Pool()}
	conf.Net.Proxy.Enable = true
	return []string{"broker.internal:9092"}, conf, listen(t, serve)
}

func TestClientsReachBrokersThroughProxies(t *testing.T) {
	for _, scheme := range []string{"socks5", "socks5h", "http"} {
		for _, login := range []string{"", "us%20er:pass%3Aword%2F@"} {
			t.Run(scheme+" "+login, func(t *testing.T) {
				g := new(gateway)
				if login != "" {
					g.user, g.password = "us er", "pass:word/"
				}
				addrs, conf, host := behindProxy(t, scheme, g)
				d, err := sarama.NewProxyDialer(scheme + "://" + login + host)
				if err != nil {
					t.Fatal(err)
				}
				conf.Net.Proxy.Dialer = d
				p, err := sarama.NewSyncProducer(addrs, conf)
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder("v")}); err != nil {
					t.Error(err)
				}
				if err := p.Close(); err != nil {
					t.Error(err)
				}
				if g.tunnels.Load() < 2 { // to the bootstrap name and to the broker
					t.Errorf("%d tunnels", g.tunnels.Load())
				}
				conf.Net.TLS.Config.ServerName = "other.internal"
				wantNoClient(t, addrs, conf, "broker.internal", "not other.internal")
			})
		}
	}
}

func TestProxiesThatRefuse(t *testing.T) {
	for scheme, refused := range map[string]string{
		"socks5": "username/password authentication failed", "http": `the proxy refused CONNECT: "HTTP/1.1 407 Proxy Authentication Required"`,
	} {
		unreachable := map[string]string{"socks5": "host unreachable", "http": `"HTTP/1.1 502 Bad Gateway"`}[scheme]
		t.Run(scheme, func(t *testing.T) {
			g := &gateway{user: "user", password: "hunter2"}
			addrs, conf, host := behindProxy(t, scheme, g)
			try := func(login string, addrs []string, want ...string) {
				t.Helper()
				d, err := sarama.NewProxyDialer(scheme + "://" + login + host)
				if err != nil {
					t.Fatal(err)
				}
				conf.Net.Proxy.Dialer = d
				wantNoClient(t, addrs, conf, append(want, scheme+"://"+host, addrs[0])...)
				_, err = sarama.NewClient(addrs, conf)
				if strings.Contains(err.Error(), "hunter") {
					t.Errorf("the password is shown: %v", err)
				}
			}
			try("user:hunter3@", addrs, refused)
			try("user:hunter2@", []string{"elsewhere:9092"}, unreachable)
		})
	}
}

func TestProxyAnswersAreParsedStrictly(t *testing.T) {
	for name, test := range map[string]struct{ answer, want string }{
		"hangs up":             {"", "EOF"},
		"cut":                  {"HTTP/1.1 200 OK\r\nVia: x\r\n", "unexpected EOF"},
		"another protocol":     {"SSH-2.0-OpenSSH_9.9\r\n\r\n", `is not HTTP/1: "SSH-2.0-OpenSSH_9.9"`},
		"HTTP/2":               {"HTTP/2 200\r\n\r\n", `is not HTTP/1: "HTTP/2 200"`},
		"no code":              {"HTTP/1.1 OK\r\n\r\n", "is not HTTP/1"},
		"long code":            {"HTTP/1.1 2000 OK\r\n\r\n", "is not HTTP/1"},
		"bare line feeds":      {"HTTP/1.1 200 OK\n\n", "does not end with CR LF"},
		"malformed header":     {"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "is not HTTP/1"},
		"too long":             {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 20<<10), "longer than 16384 bytes"},
		"a redirect":           {"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n", `refused CONNECT: "HTTP/1.1 302 Found"`},
		"another protocol, 1":  {"HTTP/1.1 101 Switching Protocols\r\n\r\n", `refused CONNECT: "HTTP/1.1 101`},
		"no end":               {strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20), "5 interim answers"},
		"control characters":   {"HTTP/1.1 500 a\x1b[31mb\r\n\r\n", `a\x1b[31mb`},
		"long status":          {"HTTP/1.1 500 " + strings.Repeat("y", 1000) + "\r\n\r\n", `yyy"...`},
		"repeats the password": {"HTTP/1.1 500 no hunter2 here\r\n\r\n", "is not shown"},
		"repeats the login":    {"HTTP/1.1 500 dXNlcjpodW50ZXIy\r\n\r\n", "is not shown"},
	} {
		t.Run(name, func(t *testing.T) {
			host := listen(t, func(c net.Conn) {
				_, _ = http.ReadRequest(bufio.NewReader(c))
				_, _ = io.WriteString(c, test.answer)
			})
			d, err := sarama.NewProxyDialer("http://user:hunter2@" + host)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := d.Dial("tcp", "b:1")
			if err == nil {
				_ = conn.Close()
				t.Fatal("there is a connection")
			}
			text := err.Error()
			if !strings.Contains(text, test.want) || !strings.Contains(text, "http://"+host) || strings.Contains(text, "hunter2") || len(text) > 500 {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// What the broker says at once, in the same packet as the proxy's answer.
func TestProxyAnswerDoesNotSwallowWhatFollows(t *testing.T) {
	host := listen(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "HTTP/1.0 200\r\n\r\nfirst words")
	})
	d, err := sarama.NewProxyDialer("http://" + host + "/")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := d.Dial("tcp", "b:1")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); string(got) != "first words" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestProxyDialerTakesNoAddressesThatAreRequests(t *testing.T) {
	var dials atomic.Int32
	host := listen(t, func(net.Conn) { dials.Add(1) })
	for _, scheme := range []string{"http", "socks5"} {
		d, err := sarama.NewProxyDialer(scheme + "://" + host)
		if err != nil {
			t.Fatal(err)
		}
		for _, addr := range []string{"b", "b:", ":1", "b c:1", "b\r\nX: y:1", "b\x00:1", "b:1\r\n"} {
			if conn, err := d.Dial("tcp", addr); err == nil {
				_ = conn.Close()
				t.Errorf("%q was dialled", addr)
			}
		}
		if conn, err := d.Dial("udp", "b:1"); err == nil {
			_ = conn.Close()
			t.Error("udp was dialled")
		}
	}
	if n := dials.Load(); n > 0 {
		t.Errorf("the proxy was asked %d times", n)
	}
}

func TestProxyURLs(t *testing.T) {
	for given, want := range map[string]string{ // the dialer's name, or "!" and the error
		"http://proxy":                "http://proxy:80",
		"https://proxy/":              "https://proxy:443",
		"socks5://proxy":              "socks5://proxy:1080",
		"socks5h://[::1]:1081":        "socks5h://[::1]:1081",
		"HTTP://u:hunter2@proxy:3128": "http://proxy:3128",
		"":                            "!must begin with",
		"proxy:3128":                  "!must begin with",
		"ftp://u:hunter2@proxy":       "!must begin with",
		"u:hunter2@proxy:3128":        "!must begin with",
		"http://":                     "!has no host",
		"http://u:hunter2@:3128":      "!has no host",
		"http://u:hunter2@proxy:port": "!cannot be parsed",
		"http://u:hunter2%zz@proxy":   "!cannot be parsed",
		"http://u:hunter2@proxy\x7f":  "!cannot be parsed",
		"http://u:hunter2@proxy/path": "!more than a scheme",
		"http://u:hunter2@proxy?q":    "!more than a scheme",
		"http://u:hunter2@proxy#f":    "!more than a scheme",
		"http://:hunter2@proxy":       "!a password without a user",
		"http://a%3Ab:hunter2@proxy":  "!a user with a colon",
		"socks5://u:" + strings.Repeat("hunter2", 37) + "@proxy": "!more than 255 bytes",
	} {
		d, err := sarama.NewProxyDialer(given)
		if what, fails := strings.CutPrefix(want, "!"); fails {
			if err == nil || !errors.As(err, new(sarama.ConfigurationError)) || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "hunter") {
				t.Errorf("%s: %v", given, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", given, err)
			continue
		}
		for _, verb := range []string{"%v", "%+v", "%s", "%#v", "%q", "%x"} {
			if got := fmt.Sprintf(verb, d); got != want {
				t.Errorf("%s shows %s as %s", verb, given, got)
			}
		}
		var uerr *url.Error
		if errors.As(err, &uerr) {
			t.Error("the URL is in the error")
		}
	}
}

// A proxy that accepts and never answers is given up after DialTimeout, and at
// once when the client is closed or its context ends.
func TestProxyThatNeverAnswers(t *testing.T) {
	for _, scheme := range []string{"http", "https", "socks5"} {
		t.Run(scheme, func(t *testing.T) {
			asked := make(chan struct{}, 10)
			host := listen(t, func(c net.Conn) {
				_, _ = c.Read(make([]byte, 1))
				asked <- struct{}{}
				_, _ = io.Copy(io.Discard, c)
			})
			d, err := sarama.NewProxyDialer(scheme + "://" + host)
			if err != nil {
				t.Fatal(err)
			}
			conf := clusterConfig()
			conf.Metadata.Retry.Max = 0
			conf.Net.Proxy.Enable, conf.Net.Proxy.Dialer = true, d
			conf.Net.DialTimeout = 50 * time.Millisecond
			wantNoClient(t, []string{"b:9092"}, conf, "b:9092", scheme+"://"+host)
			<-asked

			conf.Net.DialTimeout = time.Hour
			b := sarama.NewBroker("b:9092")
			if err := b.Open(conf); err != nil {
				t.Fatal(err)
			}
			<-asked
			returnsWithin(t, "Close", func() { _ = b.Close() })

			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-asked
				cancel()
			}()
			returnsWithin(t, "DialContext", func() {
				if _, err := d.DialContext(ctx, "tcp", "b:9092"); err == nil || ctx.Err() == nil {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// contextDialer is a dialer that knows contexts, whatever it makes of them.
type contextDialer struct {
	dialWith
	dial func(ctx context.Context) (net.Conn, error)
}

func (d contextDialer) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	return d.dial(ctx)
}

// Dialers that block for ever, panic or return nothing are errors, in time.
func TestDialersThatMisbehave(t *testing.T) {
	type dials func() (net.Conn, error)
	kinds := map[string]func(dials) proxy.Dialer{
		"without context": func(f dials) proxy.Dialer { return dialWith(func(string, string) (net.Conn, error) { return f() }) },
		"with context": func(f dials) proxy.Dialer {
			return contextDialer{dial: func(context.Context) (net.Conn, error) { return f() }}
		},
	}
	for kind, dialer := range kinds {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conf := clusterConfig()
				conf.Metadata.Retry.Max = 9
				conf.Net.Proxy.Enable = true
				release := make(chan struct{})
				closed := make(chan struct{}, 20)
				var calls atomic.Int32
				conf.Net.Proxy.Dialer = dialer(func() (net.Conn, error) {
					calls.Add(1)
					<-release
					a, b := net.Pipe()
					go func() {
						_, _ = b.Read(make([]byte, 1))
						closed <- struct{}{}
					}()
					return a, nil
				})
				start := time.Now()
				wantNoClient(t, []string{"b:9092"}, conf, "dialing broker b:9092: Net.Proxy.Dialer", "returned: context deadline exceeded")
				if took := time.Since(start); took < 10*conf.Net.DialTimeout || took > 11*conf.Net.DialTimeout {
					t.Errorf("ten dials failed after %v", took)
				}
				b := sarama.NewBroker("b:9092")
				_ = b.Open(conf)
				synctest.Wait()
				start = time.Now()
				_ = b.Close()
				if took := time.Since(start); took > 0 {
					t.Errorf("Close took %v", took)
				}
				if n := calls.Load(); n != 5 {
					t.Errorf("%d calls are under way, want 4 of the client's Broker and 1", n)
				}
				close(release)
				for range calls.Load() { // connections that come too late are closed
					<-closed
				}
			})
		})
		for name, test := range map[string]struct {
			f    dials
			want string
		}{
			"panics":        {func() (net.Conn, error) { panic("broken dialer") }, "Net.Proxy.Dialer panicked: broken dialer"},
			"gives nothing": {func() (net.Conn, error) { return nil, nil }, "neither a connection nor an error"},
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				conf := clusterConfig()
				conf.Metadata.Retry.Max = 0
				conf.Net.Proxy.Enable, conf.Net.Proxy.Dialer = true, dialer(test.f)
				wantNoClient(t, []string{"b:9092"}, conf, "dialing broker b:9092", test.want)
			})
		}
	}
}

// So does the dialer of a URL that could not be used, where nobody looked at the
// error: there is a type in the interface and nothing else.
func TestProxyDialerThatIsNil(t *testing.T) {
	for _, url := range []string{"ftp://proxy:21", "http://us%3Aer:password@proxy:3128", "socks5://" + strings.Repeat("u", 256) + "@proxy"} {
		dialer, err := sarama.NewProxyDialer(url)
		if err == nil || dialer != nil {
			t.Errorf("%s: %v, %v", url, dialer, err)
		}
	}
	conf := clusterConfig()
	conf.Metadata.Retry.Backoff = time.Hour
	conf.Net.Proxy.Enable, conf.Net.Proxy.Dialer = true, (*sarama.ProxyDialer)(nil)
	_, err := sarama.NewClient([]string{"b:9092"}, conf)
	if !errors.As(err, new(sarama.ConfigurationError)) || !strings.Contains(err.Error(), "Net.Proxy.Dialer is nil") {
		t.Error(err)
	}
}

// A proxy without a dialer passes Validate, as it always has, and fails at the
// first dial, once.
func TestProxyWithoutADialer(t *testing.T) {
	conf := clusterConfig()
	conf.Metadata.Retry.Backoff = time.Hour
	conf.Net.Proxy.Enable = true
	if err := conf.Validate(); err != nil {
		t.Error(err)
	}
	_, err := sarama.NewClient([]string{"b:9092"}, conf)
	if !errors.As(err, new(sarama.ConfigurationError)) || !strings.Contains(err.Error(), "Net.Proxy.Dialer is nil") {
		t.Error(err)
	}
}
