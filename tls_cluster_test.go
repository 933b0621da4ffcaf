package sarama_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
	"github.com/IBM/sarama/internal/testtls"
)

// server is the TLS side of a cluster that can change while it runs.
type server struct {
	conf atomic.Pointer[tls.Config]

	mu   sync.Mutex
	seen map[string]int // handshakes by the serial number of the client's certificate
}

// set has connections from now on use a certificate, and want clients' from an
// authority if it is not nil.
func (s *server) set(own testtls.Pair, clients *x509.CertPool) {
	conf := &tls.Config{Certificates: []tls.Certificate{own.TLS}, ClientCAs: clients}
	if clients != nil {
		conf.ClientAuth = tls.RequireAndVerifyClientCert
	}
	conf.VerifyConnection = func(state tls.ConnectionState) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.seen == nil {
			s.seen = make(map[string]int)
		}
		for _, c := range state.PeerCertificates[:min(1, len(state.PeerCertificates))] {
			s.seen[c.SerialNumber.String()]++
		}
		return nil
	}
	s.conf.Store(conf)
}

func (s *server) config() *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.conf.Load(), nil }}
}

func (s *server) handshakes(p testtls.Pair) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[p.Serial]
}

// replace puts files into place at once, as tools that renew certificates do.
func replace(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func tlsOn(conf *sarama.Config) *sarama.Config {
	conf.Net.TLS.Enable = true
	conf.Metadata.Retry.Max, conf.Metadata.Retry.Backoff = 3, time.Millisecond
	return conf
}

// connectOnce opens and closes a connection.
func connectOnce(addr string, conf *sarama.Config) error {
	b := sarama.NewBroker(addr)
	if err := b.Open(conf); err != nil {
		return err
	}
	_, err := b.Connected()
	_ = b.Close()
	return err
}

// Certificates of both sides and the authority are replaced, step by step as
// one does it, while connections are made all the time: each of them works.
func TestCertificatesChangeUnderConnections(t *testing.T) {
	before, after := testtls.New(t, "before"), testtls.New(t, "after")
	first, second := before.Issue(t), after.Issue(t)
	both := before.Pool()
	both.AppendCertsFromPEM(after.PEM())
	var s server
	s.set(before.Issue(t, "127.0.0.1"), both)
	cluster := fakekafka.New(t, fakekafka.Options{TLS: s.config()})

	dir := t.TempDir()
	cert, key, ca := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), filepath.Join(dir, "ca.crt")
	replace(t, cert, first.Cert)
	replace(t, key, first.Key)
	replace(t, ca, before.PEM())
	conf := tlsOn(clusterConfig())
	var err error
	if conf.Net.TLS.ConfigFunc, err = (sarama.TLSFiles{CertFile: cert, KeyFile: key, CAFile: ca}).Load(); err != nil {
		t.Fatal(err)
	}
	addr := cluster.Addrs()[0]
	var connections atomic.Int64
	stop := make(chan struct{})
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for {
				if err := connectOnce(addr, conf); err != nil {
					t.Error(err)
					return
				}
				connections.Add(1)
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	step := func(change func()) { // lets connections be made before and after it
		t.Helper()
		for n := connections.Load() + 8; connections.Load() < n && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		change()
	}
	step(func() { replace(t, ca, before.PEM()[:100]) })
	step(func() { replace(t, ca, append(before.PEM(), after.PEM()...)) })
	step(func() { s.set(after.Issue(t, "127.0.0.1"), both) })
	step(func() { replace(t, cert, second.Cert) }) // with the old key for now
	step(func() { replace(t, key, second.Key) })
	step(func() { replace(t, ca, after.PEM()) })
	step(func() { s.set(after.Issue(t, "127.0.0.1"), after.Pool()) })
	step(func() { close(stop) })
	running.Wait()
	if s.handshakes(first) == 0 || s.handshakes(second) == 0 {
		t.Errorf("handshakes with the first certificate: %d, with the second: %d", s.handshakes(first), s.handshakes(second))
	}
	s.set(before.Issue(t, "127.0.0.1"), after.Pool())
	if err := connectOnce(addr, conf); !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("a broker of the authority that was taken away: %v", err)
	}
}

func TestTLSErrorsSayWhatIsWrong(t *testing.T) {
	good, other := testtls.New(t, "good"), testtls.New(t, "other")
	host := "127.0.0.1"
	known, foreign := good.Issue(t, host), other.Issue(t, host)
	for name, test := range map[string]struct {
		server  testtls.Pair
		clients *x509.CertPool
		change  func(*tls.Config)
		want    []string
		as      any
		tries   int
	}{
		"expired": {
			server: good.IssueExpired(t, host), tries: 1, as: new(x509.CertificateInvalidError), want: []string{"x509: certificate has expired"},
		},
		"unknown authority": {server: foreign, tries: 1, as: new(x509.UnknownAuthorityError), want: []string{"signed by unknown authority"}},
		"wrong name": {
			server: good.Issue(t, "b1.example.com"), tries: 1, as: new(x509.HostnameError), want: []string{"doesn't contain any IP SANs"},
		},
		"another name asked for": {
			server: known, change: func(c *tls.Config) { c.ServerName = "b2.example.com" }, tries: 1, as: new(x509.HostnameError),
			want: []string{"b2.example.com"},
		},
		"no client certificate": {
			server: known, clients: good.Pool(), tries: 1, want: []string{"remote error: tls: certificate required", "client's certificate"},
		},
		"no client certificate, TLS 1.2": {
			server: known, clients: good.Pool(), change: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, tries: 4,
			want: []string{"remote error: tls: "},
		},
		"a client certificate of another authority": {
			server: known, clients: good.Pool(), tries: 1, want: []string{"remote error: tls: unknown certificate authority", "client's certificate"},
			change: func(c *tls.Config) {
				c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &foreign.TLS, nil }
			},
		},
		"no version in common": {server: known, change: func(c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
		}, tries: 4, want: []string{"remote error: tls: protocol version not supported"}},
	} {
		t.Run(name, func(t *testing.T) {
			var s server
			s.set(test.server, test.clients)
			cluster := fakekafka.New(t, fakekafka.Options{TLS: s.config()})
			conf := tlsOn(clusterConfig())
			conf.Net.TLS.Config = &tls.Config{RootCAs: good.Pool()}
			if test.change != nil {
				test.change(conf.Net.TLS.Config)
			}
			tries := count(conf)
			wantNoClient(t, cluster.Addrs(), conf, append(test.want, cluster.Addrs()[0])...)
			if test.as != nil {
				_, err := sarama.NewClient(cluster.Addrs(), conf)
				if !errors.As(err, test.as) || !errors.As(err, new(*tls.CertificateVerificationError)) {
					t.Errorf("%v is neither %T nor a CertificateVerificationError", err, test.as)
				}
				test.tries *= 2
			}
			if n := int(tries.Load()); n != test.tries {
				t.Errorf("%d connections, want %d", n, test.tries)
			}
		})
	}
}

// count counts the dials.
func count(conf *sarama.Config) *atomic.Int64 {
	var n atomic.Int64
	conf.Net.Proxy.Enable = true
	conf.Net.Proxy.Dialer = dialWith(func(network, addr string) (net.Conn, error) {
		n.Add(1)
		return net.Dial(network, addr)
	})
	return &n
}

type dialWith func(network, addr string) (net.Conn, error)

func (f dialWith) Dial(network, addr string) (net.Conn, error) { return f(network, addr) }

func wantNoClient(t *testing.T, addrs []string, conf *sarama.Config, want ...string) {
	t.Helper()
	c, err := sarama.NewClient(addrs, conf)
	if err == nil {
		_ = c.Close()
		t.Fatal("there is a client")
	}
	if !errors.Is(err, sarama.ErrOutOfBrokers) {
		t.Errorf("%v does not wrap ErrOutOfBrokers", err)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v\ndoes not say %q", err, part)
		}
	}
}

// The listener is one for TLS and the client speaks plain text, or the other
// way round; with and without a first request that asks for versions.
func TestListenersOfTheOtherKindAreTold(t *testing.T) {
	var s server
	s.set(testtls.New(t, "a").Issue(t, "127.0.0.1"), nil)
	encrypted := fakekafka.New(t, fakekafka.Options{TLS: s.config()})
	plain := fakekafka.New(t, fakekafka.Options{})
	alert := listen(t, func(c net.Conn) { // as many servers say it, but not Go's
		_, _ = c.Read(make([]byte, 1000))
		_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 40})
	})
	echo := listen(t, func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.9\r\n")) })
	for _, asks := range []bool{true, false} {
		t.Run(fmt.Sprintf("versions asked for %v", asks), func(t *testing.T) {
			conf := clusterConfig()
			conf.ApiVersionsRequest = asks
			conf.Metadata.Retry.Max = 0
			wantNoClient(t, encrypted.Addrs(), conf, encrypted.Addrs()[0], "may be one for TLS, which Net.TLS.Enable turns on")
			wantNoClient(t, []string{alert}, conf, alert, "is a TLS alert", "the listener is one for TLS, which Net.TLS.Enable turns on")
			wantNoClient(t, plain.Addrs(), tlsOn(conf), "TLS handshake with broker "+plain.Addrs()[0], "may be one for plain text")
			wantNoClient(t, []string{echo}, conf, "first record does not look like a TLS handshake (what answers does not speak TLS")
		})
	}
}

// listen serves each connection, on one goroutine, until the test is over.
func listen(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, serve)
}

func serveOn(t *testing.T, l net.Listener, serve func(net.Conn)) (addr string) {
	var running sync.WaitGroup
	var mu sync.Mutex
	open := make(map[net.Conn]bool)
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			running.Go(func() {
				serve(c)
				_ = c.Close()
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return l.Addr().String()
}

// One broker whose certificate is refused does not keep the client from the
// others, whatever is wrong with these for the time being.
func TestOneUntrustedBrokerAmongOthers(t *testing.T) {
	good := testtls.New(t, "good")
	var bad, fine server
	bad.set(testtls.New(t, "bad").Issue(t, "127.0.0.1"), nil)
	fine.set(good.Issue(t, "127.0.0.1"), nil)
	stranger := fakekafka.New(t, fakekafka.Options{TLS: bad.config()})
	cluster := fakekafka.New(t, fakekafka.Options{TLS: fine.config()})
	conf := tlsOn(clusterConfig())
	conf.Net.TLS.Config = &tls.Config{RootCAs: good.Pool()}
	addrs := append(stranger.Addrs(), cluster.Addrs()...)
	for range 10 { // in no order
		c, err := sarama.NewClient(addrs, conf)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	if err := cluster.StopBroker(1); err != nil {
		t.Fatal(err)
	}
	retries := 0
	conf.Metadata.Retry.BackoffFunc = func(int, int) time.Duration {
		if retries++; retries == 2 {
			if err := cluster.RestartBroker(1); err != nil {
				t.Error(err)
			}
		}
		return time.Millisecond
	}
	c, err := sarama.NewClient(addrs, conf)
	if err != nil || retries != 2 {
		t.Fatalf("after %d retries: %v", retries, err)
	}
	_ = c.Close()
}

// A leader that is not trusted fails messages at once, as one that refuses the
// login does.
func TestProducerFailsFastWithoutTrust(t *testing.T) {
	good := testtls.New(t, "good")
	var s server
	s.set(good.Issue(t, "127.0.0.1"), nil)
	cluster := fakekafka.New(t, fakekafka.Options{TLS: s.config(), Topics: []fakekafka.Topic{{Name: "t"}}})
	conf := tlsOn(clusterConfig())
	conf.Net.TLS.Config = &tls.Config{RootCAs: good.Pool()}
	conf.Producer.Return.Successes = true
	conf.Producer.Retry.Backoff = time.Hour
	p, err := sarama.NewSyncProducer(cluster.Addrs(), conf)
	if err != nil {
		t.Fatal(err)
	}
	s.set(testtls.New(t, "bad").Issue(t, "127.0.0.1"), nil)
	cluster.CutConnections(1)
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder("v")})
	if !errors.As(err, new(*tls.CertificateVerificationError)) {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestConfigFuncThatFails(t *testing.T) {
	cause := errors.New("the vault is sealed")
	for name, test := range map[string]struct {
		f    func() (*tls.Config, error)
		want string
	}{
		"errors":             {func() (*tls.Config, error) { return nil, cause }, "TLS configuration for broker ADDR: the vault is sealed"},
		"panics":             {func() (*tls.Config, error) { panic("no vault") }, "TLS configuration for broker ADDR: Net.TLS.ConfigFunc panicked: no vault"},
		"ends its goroutine": {func() (*tls.Config, error) { runtime.Goexit(); return nil, nil }, "Net.TLS.ConfigFunc has ended its goroutine"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fakekafka.New(t, fakekafka.Options{})
			conf := tlsOn(clusterConfig())
			conf.Metadata.Retry.Max = 0
			conf.Net.TLS.ConfigFunc = test.f
			wantNoClient(t, cluster.Addrs(), conf, strings.ReplaceAll(test.want, "ADDR", cluster.Addrs()[0]))
			if err := connectOnce(cluster.Addrs()[0], conf); name == "errors" && !errors.Is(err, cause) {
				t.Error(err)
			}
		})
	}
}

// A ConfigFunc that does not return fails the connection after DialTimeout, is
// called no more often than a few times, and does not hold up Close.
func TestConfigFuncThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := testtls.New(t, "a")
		var s server
		s.set(a.Issue(t, "b1.example.com"), nil)
		cluster := fakekafka.New(t, fakekafka.Options{InMemory: true, TLS: s.config()})
		conf := tlsOn(clusterConfig())
		cluster.Configure(conf)
		conf.Metadata.Retry.Max = 20
		release := make(chan struct{})
		var calls atomic.Int32
		conf.Net.TLS.ConfigFunc = func() (*tls.Config, error) {
			calls.Add(1)
			<-release
			return &tls.Config{RootCAs: a.Pool(), ServerName: "b1.example.com"}, nil
		}
		start := time.Now()
		wantNoClient(t, cluster.Addrs(), conf, "TLS configuration for broker "+cluster.Addrs()[0]+": Net.TLS.ConfigFunc", "have not returned: context deadline exceeded")
		if took := time.Since(start); took < 21*conf.Net.DialTimeout || took > 22*conf.Net.DialTimeout {
			t.Errorf("21 connections failed after %v", took)
		}
		if n := calls.Load(); n != 4 {
			t.Errorf("%d calls are under way", n)
		}
		b := sarama.NewBroker(cluster.Addrs()[0])
		if err := b.Open(conf); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start = time.Now()
		_ = b.Close()
		if took := time.Since(start); took > 0 {
			t.Errorf("Close took %v", took)
		}
		close(release)
		if err := connectOnce(cluster.Addrs()[0], conf); err != nil {
			t.Error(err)
		}
		_ = cluster.Close()
	})
}

func TestConfigFuncIsCalledForEveryConnection(t *testing.T) {
	a := testtls.New(t, "a")
	var s server
	s.set(a.Issue(t, "127.0.0.1"), nil)
	cluster := fakekafka.New(t, fakekafka.Options{TLS: s.config()})
	conf := tlsOn(clusterConfig())
	given := &tls.Config{RootCAs: a.Pool()}
	var calls atomic.Int32
	conf.Net.TLS.ConfigFunc = func() (*tls.Config, error) {
		calls.Add(1)
		return given, nil
	}
	for i := range int32(3) {
		if err := connectOnce(cluster.Addrs()[0], conf); err != nil || calls.Load() != i+1 {
			t.Errorf("connection %d: %d calls, %v", i, calls.Load(), err)
		}
	}
	if given.ServerName != "" || given.MinVersion != 0 {
		t.Errorf("the user's configuration was changed: %q, %x", given.ServerName, given.MinVersion)
	}
	conf.Net.TLS.ConfigFunc = func() (*tls.Config, error) { return nil, nil } // the default: an unknown authority
	if err := connectOnce(cluster.Addrs()[0], conf); !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Error(err)
	}
}

// TestTLSCallbacksThatBlockOrPanic hold up nobody: Close does not wait for them,
// and who waits for the connection is told.
func TestTLSCallbacksThatBlockOrPanic(t *testing.T) {
	own := testtls.New(t, "a").Issue(t, "127.0.0.1")
	cluster := fakekafka.New(t, fakekafka.Options{TLS: &tls.Config{Certificates: []tls.Certificate{own.TLS}}})
	open := func(verify func(tls.ConnectionState) error) *sarama.Broker {
		conf := tlsOn(clusterConfig())
		conf.Net.TLS.Config = &tls.Config{InsecureSkipVerify: true, VerifyConnection: verify} //nolint:gosec // what verifies is under test
		b := sarama.NewBroker(cluster.Addrs()[0])
		must(t, b.Open(conf))
		return b
	}
	t.Run("block", func(t *testing.T) {
		called, released := make(chan struct{}), make(chan struct{})
		defer close(released)
		b := open(func(tls.ConnectionState) error {
			close(called)
			<-released
			return nil
		})
		<-called
		must(t, b.Close())
	})
	t.Run("panic", func(t *testing.T) {
		handler := sarama.PanicHandler
		defer func() { sarama.PanicHandler = handler }()
		sarama.PanicHandler = func(any) {}
		b := open(func(tls.ConnectionState) error { panic("verifying") })
		if ok, err := b.Connected(); ok || err == nil || !strings.Contains(err.Error(), "panicked: verifying") {
			t.Errorf("connected: %v, %v", ok, err)
		}
		_ = b.Close()
	})
}
