package sarama

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
)

// startTLS shakes hands on a connection, under Net.DialTimeout. A configuration
// has functions of the user's, too: one that does not return is left alone when
// ctx ends, and its connection is closed by the caller.
func (l *link) startTLS(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, l.conf.Net.DialTimeout)
	defer cancel()
	conf, err := l.tlsConfig(ctx)
	if err != nil {
		return nil, err
	}
	t := tls.Client(conn, conf)
	_, err = callUser(ctx, l.broker.callsOf(&l.broker.tlsCalls), "Net.TLS.Config", func() (struct{}, error) {
		return struct{}{}, t.HandshakeContext(ctx)
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("kafka: TLS handshake with broker %s: %w%s", l.broker.name(), err, handshakeHint(err))
	}
	return t, nil
}

// tlsConfig is the configuration for this connection. A ConfigFunc that does
// not return is left alone when ctx ends.
func (l *link) tlsConfig(ctx context.Context) (*tls.Config, error) {
	conf := l.conf.Net.TLS.Config
	if f := l.conf.Net.TLS.ConfigFunc; f != nil {
		var err error
		if conf, err = callUser(ctx, l.broker.callsOf(&l.broker.tlsCalls), "Net.TLS.ConfigFunc", f, nil); err != nil {
			return nil, fmt.Errorf("kafka: TLS configuration for broker %s: %w", l.broker.name(), err)
		}
	}
	return tlsConfigFor(conf, l.broker.addr), nil
}

// tlsConfigFor is a copy of a user's configuration for one address: without a
// server name the address gives it, without a version TLS 1.2 is the least.
func tlsConfigFor(conf *tls.Config, addr string) *tls.Config {
	conf = conf.Clone() // nil of nil
	if conf == nil {
		conf = new(tls.Config)
	}
	if conf.MinVersion == 0 {
		conf.MinVersion = tls.VersionTLS12
	}
	if conf.ServerName != "" {
		return conf
	}
	if host, _, err := net.SplitHostPort(addr); err == nil {
		conf.ServerName, _, _ = strings.Cut(host, "%") // no certificate has the zone of an address
	}
	return conf
}

// handshakeHint says what may be behind a failed handshake where the error
// itself does not.
func handshakeHint(err error) string {
	switch {
	case errors.As(err, new(tls.RecordHeaderError)):
		return " (what answers does not speak TLS: the listener may be one for plain text)"
	case endedByPeer(err):
		return " (the broker hung up: the listener may be one for plain text)"
	}
	return alertHint(err)
}

// alertHint explains what a server says of a client's certificate.
func alertHint(err error) string {
	if slices.Contains(certificateAlerts, remoteAlert(err)) {
		return " (the broker does not take the client's certificate, or wants one)"
	}
	return ""
}

// endedByPeer reports whether the other side has ended the connection.
func endedByPeer(err error) bool {
	return isOneOf(err, io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE)
}

// firstHint says what may be behind the end of a connection on which nothing
// was answered.
func (l *link) firstHint(err error) string {
	if endedByPeer(err) && !l.proven && !l.conf.Net.TLS.Enable {
		return " (the listener may be one for TLS, which Net.TLS.Enable turns on)"
	}
	return alertHint(err)
}

// certificateAlerts are what a server says of a client's certificate (RFC 8446
// section 6.2), in the words of crypto/tls.
var certificateAlerts = []string{
	"tls: bad certificate", "tls: unsupported certificate", "tls: revoked certificate", "tls: expired certificate",
	"tls: unknown certificate", "tls: unknown certificate authority", "tls: certificate required", "tls: access denied",
}

// remoteAlert is the alert with which the other side has ended a connection.
func remoteAlert(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return op.Err.Error()
	}
	return ""
}

// alertWait is how long an alert is looked for after a write that has failed.
// It came before the failure, so that it is there.
const alertWait = 100 * time.Millisecond

// refusal is why a first request could not be written. With TLS 1.3 a client is
// done with the handshake before the server has seen its certificate: the alert
// of a server that refuses it can be read, though nothing can be written any
// more.
func refusal(conn net.Conn, err error) error {
	t, ok := conn.(*tls.Conn)
	if !ok || !endedByPeer(err) {
		return err
	}
	_ = t.SetReadDeadline(time.Now().Add(alertWait))
	if _, readErr := t.Read(make([]byte, 1)); remoteAlert(readErr) != "" {
		return readErr
	}
	return err
}

// isTLSAlert reports whether the first bytes of an answer are those of a TLS
// alert: type 21, a version 3.x, a length of 2 (RFC 8446 section 5.1). As a
// response's size they would be 352 MB.
func isTLSAlert(head []byte) bool {
	return len(head) >= 5 && head[0] == 21 && head[1] == 3 && head[2] <= 4 && head[3] == 0 && head[4] == 2
}

// hopeless reports whether trying again does not help: nothing is behind the
// error but brokers that refuse the client's login, certificates that were
// refused, here or there, and a faulty configuration. Where another broker was
// out of reach, that one may be better off later.
func hopeless(err error) bool {
	switch e := err.(type) {
	case *tls.CertificateVerificationError, ConfigurationError:
		return true
	case *net.OpError:
		return slices.Contains(certificateAlerts, remoteAlert(e))
	case wrappedError:
		return loginRefused(e.sentinel) || hopeless(e.causes)
	case interface{ Unwrap() error }:
		return hopeless(e.Unwrap())
	case interface{ Unwrap() []error }:
		causes := e.Unwrap()
		return len(causes) > 0 && !slices.ContainsFunc(causes, func(err error) bool { return !hopeless(err) })
	}
	return loginRefused(err)
}
