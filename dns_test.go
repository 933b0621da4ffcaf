package sarama_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
	"github.com/IBM/sarama/internal/testtls"
)

// nameServer is a DNS server on the loopback interface that this process's
// names are resolved by.
type nameServer struct {
	mu    sync.Mutex
	addrs map[string][]string // of host names
	names map[string]string   // of addresses in the form of the reverse zone
}

// useNames makes net.DefaultResolver ask a server of the test's own.
func useNames(t *testing.T, addrs map[string][]string, names map[string]string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{addrs: addrs, names: names}
	var serving sync.WaitGroup
	serving.Go(func() { s.serve(conn) })
	old := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = old
		_ = conn.Close()
		serving.Wait()
	})
}

func (s *nameServer) serve(conn net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var question dnsmessage.Message
		if question.Unpack(buf[:n]) != nil || len(question.Questions) != 1 {
			continue
		}
		if answer, err := s.answer(question); err == nil {
			_, _ = conn.WriteTo(answer, from)
		}
	}
}

func (s *nameServer) answer(m dnsmessage.Message) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := m.Questions[0]
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	name := strings.TrimSuffix(q.Name.String(), ".")
	head := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}
	for _, addr := range s.addrs[name] {
		ip := net.ParseIP(addr)
		switch v4 := ip.To4(); {
		case v4 != nil && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: [4]byte(v4)}})
		case v4 == nil && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: [16]byte(ip)}})
		}
	}
	if to, ok := s.names[name]; ok && q.Type == dnsmessage.TypePTR {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(to + ".")}})
	}
	if len(s.addrs[name]) == 0 && s.names[name] == "" {
		m.RCode = dnsmessage.RCodeNameError
	}
	return m.Pack()
}

// A name has several addresses, and the first ones are of no use: one refuses,
// one does not answer at all.
func TestBootstrapNameWithDeadAddresses(t *testing.T) {
	a := testtls.New(t, "a")
	own := a.Issue(t, "kafka.test", "127.0.0.1")
	cluster := fakekafka.New(t, fakekafka.Options{TLS: &tls.Config{Certificates: []tls.Certificate{own.TLS}}})
	_, port, err := net.SplitHostPort(cluster.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	silent(t, "127.0.0.3", port)
	useNames(t, map[string][]string{
		"kafka.test": {"127.0.0.2", "127.0.0.3", "127.0.0.1"}, "dead.test": {"127.0.0.2", "127.0.0.4"},
	}, nil)
	conf := tlsOn(clusterConfig())
	conf.Metadata.Retry.Max = 0
	conf.Net.TLS.Config = &tls.Config{RootCAs: a.Pool()}
	conf.Net.DialTimeout = 6 * time.Second // of which the silent address gets a part
	c, err := sarama.NewClient([]string{"kafka.test:" + port}, conf)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	wantNoClient(t, []string{"dead.test:" + port}, conf, "dead.test:"+port, "connection refused")
	wantNoClient(t, []string{"nowhere.test:" + port}, conf, "dialing broker nowhere.test:"+port, "no such host")
	c, err = sarama.NewClient([]string{"nowhere.test:" + port, "dead.test:" + port, "kafka.test:" + port}, conf)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

// With canonical names, it is these that brokers' certificates must be of; what
// has no name is verified by its address, also of IPv6.
func TestCanonicalNamesAreThoseOfCertificates(t *testing.T) {
	a := testtls.New(t, "a")
	var s server
	cluster := fakekafka.New(t, fakekafka.Options{TLS: s.config()})
	useNames(t, map[string][]string{"kafka.test": {"127.0.0.6"}, "b1.test": {"127.0.0.6"}, "numbers.test": {"127.0.0.5"}},
		map[string]string{"6.0.0.127.in-addr.arpa": "b1.test"})
	l, err := net.Listen("tcp", "127.0.0.6:0") // 127.0.0.1 has a name already
	if err != nil {
		t.Skipf("the loopback interface has one address only: %v", err)
	}
	g := &gateway{t: t, names: map[string]string{"broker": cluster.Addrs()[0]}}
	_, port, err := net.SplitHostPort(serveOn(t, l, func(c net.Conn) { g.pass(c, c, "broker", func(bool) {}) }))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		cert  []string // names of the broker's
		given []string
		want  string // in the error; "": none
	}{
		"canonical":        {[]string{"b1.test", "127.0.0.1"}, []string{"kafka.test"}, ""},
		"by address":       {[]string{"b1.test", "127.0.0.1"}, []string{"127.0.0.6"}, ""},
		"alias alone":      {[]string{"kafka.test"}, []string{"kafka.test"}, "not b1.test"},
		"one unknown":      {[]string{"b1.test", "127.0.0.1"}, []string{"nowhere.test", "kafka.test"}, ""},
		"all unknown":      {[]string{"b1.test"}, []string{"nowhere.test", "nothing.test"}, "nowhere.test"},
		"no name, refused": {[]string{"b1.test"}, []string{"numbers.test"}, "127.0.0.5:" + port},
	} {
		t.Run(name, func(t *testing.T) {
			s.set(a.Issue(t, test.cert...), nil)
			conf := tlsOn(clusterConfig())
			conf.Metadata.Retry.Max = 0
			conf.Net.ResolveCanonicalBootstrapServers = true
			conf.Net.TLS.Config = &tls.Config{RootCAs: a.Pool()}
			var addrs []string
			for _, host := range test.given {
				addrs = append(addrs, net.JoinHostPort(host, port))
			}
			if test.want != "" {
				wantNoClient(t, addrs, conf, test.want)
				return
			}
			c, err := sarama.NewClient(addrs, conf)
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
		})
	}
}

// An IPv6 literal is taken with and without canonical names, and its certificate
// is of the address.
func TestIPv6LiteralsAreVerifiedByAddress(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	a := testtls.New(t, "a")
	var s server
	s.set(a.Issue(t, "::1", "127.0.0.1"), nil)
	cluster := fakekafka.New(t, fakekafka.Options{TLS: s.config()})
	g := &gateway{t: t, names: map[string]string{"broker": cluster.Addrs()[0]}}
	useNames(t, nil, nil)
	addr := serveOn(t, l, func(c net.Conn) { g.pass(c, c, "broker", func(bool) {}) })
	for _, canonical := range []bool{false, true} {
		conf := tlsOn(clusterConfig())
		conf.Metadata.Retry.Max = 0
		conf.Net.ResolveCanonicalBootstrapServers = canonical
		conf.Net.TLS.Config = &tls.Config{RootCAs: a.Pool()}
		s.set(a.Issue(t, "::1", "127.0.0.1"), nil)
		c, err := sarama.NewClient([]string{addr}, conf)
		if err != nil {
			t.Fatalf("canonical %v: %v", canonical, err)
		}
		_ = c.Close()
		s.set(a.Issue(t, "::2"), nil)
		_, err = sarama.NewClient([]string{addr}, conf)
		if !errors.As(err, new(*tls.CertificateVerificationError)) || !strings.Contains(err.Error(), "not ::1") {
			t.Errorf("canonical %v: %v", canonical, err)
		}
	}
}
