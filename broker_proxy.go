package sarama

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/proxy"
)

var errNoConnection = errors.New("Net.Proxy.Dialer returned neither a connection nor an error")

// dialBroker opens a connection under Net.DialTimeout.
func dialBroker(ctx context.Context, conf *Config, b *Broker) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, conf.Net.DialTimeout)
	defer cancel()
	var conn net.Conn
	var err error
	if conf.Net.Proxy.Enable {
		conn, err = dialProxy(ctx, b.callsOf(&b.dialCalls), conf.Net.Proxy.Dialer, b.addr)
	} else {
		d := net.Dialer{KeepAlive: conf.Net.KeepAlive, LocalAddr: conf.Net.LocalAddr}
		conn, err = d.DialContext(ctx, "tcp", b.addr)
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: dialing broker %s: %w", b.addr, err)
	}
	return conn, nil
}

// dialProxy dials through a user's dialer, which may know no context, or not
// heed it.
func dialProxy(ctx context.Context, calls userCalls, d proxy.Dialer, addr string) (net.Conn, error) {
	if own, is := d.(*ProxyDialer); d == nil || is && own == nil {
		return nil, ConfigurationError("Net.Proxy.Enable is true, but Net.Proxy.Dialer is nil")
	}
	dial := d.Dial
	if c, ok := d.(proxy.ContextDialer); ok {
		dial = func(network, addr string) (net.Conn, error) { return c.DialContext(ctx, network, addr) }
	}
	return callUser(ctx, calls, "Net.Proxy.Dialer"+proxyName(d), func() (net.Conn, error) {
		conn, err := dial("tcp", addr)
		if conn == nil && err == nil {
			err = errNoConnection
		}
		return conn, err
	}, func(late net.Conn) { _ = late.Close() })
}

// ProxyDialer dials through a proxy, see NewProxyDialer.
type ProxyDialer struct {
	// constant after NewProxyDialer
	scheme   string
	host     string // host:port of the proxy
	user     string
	password string
	login    bool // user and password are to be sent
	tls      *tls.Config
	socks    proxy.ContextDialer
}

var (
	_ proxy.Dialer        = (*ProxyDialer)(nil)
	_ proxy.ContextDialer = (*ProxyDialer)(nil)
)

// proxyName names the proxy of a dialer where it is one of ours.
func proxyName(d proxy.Dialer) string {
	if p, ok := d.(*ProxyDialer); ok {
		return " (" + p.String() + ")"
	}
	return ""
}

// proxyPorts are the ports of proxies whose URL names none.
var proxyPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// errProxyURL does not have the URL, in which there may be a password.
func errProxyURL(why string) error { return ConfigurationError("the URL of the proxy " + why) }

// NewProxyDialer returns a dialer for Config.Net.Proxy.Dialer that reaches
// brokers through the proxy at a URL such as socks5://host:1080 or
// http://user:password@host:3128. The schemes are
//
//   - socks5, socks5h: SOCKS 5 (RFC 1928), with user and password (RFC 1929);
//   - http: CONNECT (RFC 9110 section 9.3.6), with basic authentication;
//   - https: the same inside TLS 1.2 or later to the proxy, whose certificate
//     must be of its host name and known to the system.
//
// With all of them it is the proxy that resolves the brokers' names. The ports
// of URLs without one are 1080, 80 and 443. TLS to the broker, where
// Config.Net.TLS says so, goes through the proxy: what it verifies is the
// broker.
//
// A dialer may be used from many goroutines. Its errors name the proxy, and
// what an HTTP proxy has answered, but never the password. A URL that cannot be
// used is a ConfigurationError, which does not show it.
func NewProxyDialer(proxyURL string) (*ProxyDialer, error) {
	u, err := url.Parse(proxyURL)
	if err != nil {
		return nil, errProxyURL("cannot be parsed; it is not shown, for there may be a password in it")
	}
	port, known := proxyPorts[u.Scheme]
	switch {
	case !known:
		return nil, errProxyURL("must begin with socks5://, socks5h://, http:// or https://")
	case u.Hostname() == "":
		return nil, errProxyURL("has no host")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, errProxyURL("has more than a scheme, a user, a host and a port")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	d := &ProxyDialer{scheme: u.Scheme, host: net.JoinHostPort(u.Hostname(), port)}
	if u.User != nil {
		d.login, d.user = true, u.User.Username()
		d.password, _ = u.User.Password()
	}
	switch {
	case d.login && d.user == "":
		return nil, errProxyURL("has a password without a user")
	case d.scheme == "https":
		d.tls = tlsConfigFor(nil, d.host)
	case d.scheme != "http":
		if err := d.useSOCKS(); err != nil {
			return nil, err
		}
		return d, nil
	}
	if strings.Contains(d.user, ":") {
		return nil, errProxyURL("has a user with a colon, which basic authentication cannot send")
	}
	return d, nil
}

func (d *ProxyDialer) useSOCKS() error {
	var auth *proxy.Auth
	if d.login {
		if len(d.user) > 255 || len(d.password) > 255 {
			return errProxyURL("has a user or a password of more than 255 bytes, which SOCKS 5 cannot send")
		}
		auth = &proxy.Auth{User: d.user, Password: d.password}
	}
	dialer, err := proxy.SOCKS5("tcp", d.host, auth, &net.Dialer{})
	if err != nil {
		return errProxyURL("cannot be used")
	}
	d.socks = dialer.(proxy.ContextDialer) // as its documentation promises
	return nil
}

// String is the URL of the proxy, without user and password.
func (d *ProxyDialer) String() string { return d.scheme + "://" + d.host }

// Format shows String with every verb: the password is not to be printed.
func (d *ProxyDialer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, d.String()) }

// Dial is DialContext without a context: nothing bounds it.
func (d *ProxyDialer) Dial(network, addr string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, addr)
}

// DialContext opens a connection to addr, host:port, through the proxy, until
// ctx ends. network must be "tcp", "tcp4" or "tcp6"; the latter two are taken
// for tcp, as the proxy is the one that dials.
func (d *ProxyDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, addr)
	if err != nil {
		return nil, fmt.Errorf("through the proxy %s: %w", d, err)
	}
	return conn, nil
}

func (d *ProxyDialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, net.UnknownNetworkError(network)
	}
	if err := checkTarget(addr); err != nil {
		return nil, err
	}
	if d.socks != nil {
		return d.socks.DialContext(ctx, "tcp", addr)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", d.host)
	if err != nil {
		return nil, err
	}
	tunnel, err := d.connect(ctx, conn, addr)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return tunnel, nil
}

// checkTarget keeps out what would not be one word of a request: addresses come
// from brokers, too.
func checkTarget(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if host == "" || port == "" || strings.ContainsFunc(addr, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("the address is not of the form host:port")
	}
	return nil
}

// connect has the proxy make a tunnel on a connection to it. It is interrupted
// when ctx ends.
func (d *ProxyDialer) connect(ctx context.Context, conn net.Conn, addr string) (net.Conn, error) {
	raw := conn
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var err error
	if d.tls != nil {
		t := tls.Client(conn, d.tls)
		if err = t.HandshakeContext(ctx); err != nil {
			err = fmt.Errorf("TLS handshake with the proxy: %w", err)
		}
		conn = t
	}
	if err == nil {
		err = d.askConnect(conn, addr)
	}
	if !stop() {
		err = cmp.Or(context.Cause(ctx), err)
	}
	return conn, err
}

// askConnect asks for the tunnel. No byte behind the answer is read.
func (d *ProxyDialer) askConnect(conn net.Conn, addr string) error {
	request := "CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if d.login {
		request += "Proxy-Authorization: Basic " + d.basic() + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return err
	}
	for range interimMax {
		head, err := readResponseHead(conn)
		if err != nil {
			return fmt.Errorf("reading the proxy's answer to CONNECT: %w", err)
		}
		status, code, ok := parseResponseHead(head)
		switch {
		case !ok:
			return fmt.Errorf("the proxy's answer to CONNECT is not HTTP/1: %s", d.withoutSecrets(status))
		case code/100 == 2: // whatever it says of a body: there is none
			return nil
		case code/100 == 1 && code != 101: // an interim answer, the last one follows
			continue
		}
		return fmt.Errorf("the proxy refused CONNECT: %s", d.withoutSecrets(status))
	}
	return fmt.Errorf("the proxy's answer to CONNECT: %d interim answers and no end", interimMax)
}

const (
	interimMax           = 5
	responseHeadMaxBytes = 16 << 10
)

// readResponseHead reads up to the empty line behind an answer's header, and no
// byte more: what follows is the broker's.
func readResponseHead(conn io.Reader) ([]byte, error) {
	var head []byte
	var b [1]byte
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		if len(head) == responseHeadMaxBytes {
			return nil, fmt.Errorf("its header is longer than %d bytes", responseHeadMaxBytes)
		}
		if _, err := io.ReadFull(conn, b[:]); err != nil {
			if err == io.EOF && len(head) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if head = append(head, b[0]); b[0] == '\n' && !bytes.HasSuffix(head, []byte("\r\n")) {
			return nil, errors.New("a line of its header does not end with CR LF")
		}
	}
	return head, nil
}

// parseResponseHead takes an answer's header apart (RFC 9112 section 4): its
// status line, and the code in it.
func parseResponseHead(head []byte) (status string, code int, ok bool) {
	line, fields, _ := bytes.Cut(head, []byte("\r\n"))
	status = string(line)
	m := statusLine.FindSubmatch(line)
	if m == nil {
		return status, 0, false
	}
	if _, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(fields))).ReadMIMEHeader(); err != nil {
		return status, 0, false
	}
	code, err := strconv.Atoi(string(m[1]))
	return status, code, err == nil
}

var statusLine = regexp.MustCompile(`\AHTTP/1\.[01] ([1-5][0-9][0-9])( [^\x00-\x08\x0a-\x1f\x7f]*)?\z`)

const shownMaxBytes = 200

// withoutSecrets is what a proxy has said, as it goes into an error: on one
// line, not too long, and not at all where it repeats the password.
func (d *ProxyDialer) withoutSecrets(line string) string {
	if d.password != "" && (strings.Contains(line, d.password) || strings.Contains(line, d.basic())) {
		return "(its answer is not shown, as it repeats the password)"
	}
	more := ""
	if len(line) > shownMaxBytes {
		line, more = line[:shownMaxBytes], "..."
	}
	return strconv.QuoteToGraphic(line) + more
}

// basic are the credentials of basic authentication (RFC 7617).
func (d *ProxyDialer) basic() string {
	return base64.StdEncoding.EncodeToString([]byte(d.user + ":" + d.password))
}
