package sarama

import (
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// FuzzSCRAMServer says anything to a SCRAM client, in as many messages as there
// are lines. It gets in only with a signature that it can't make.
func FuzzSCRAMServer(f *testing.F) {
	f.Add(false, rfc7677.serverFirst+"\n"+rfc7677.serverFinal)
	f.Add(true, rfc7677.serverFirst+"\n"+rfc7677.serverFinal)
	f.Add(false, rfc7677.serverFirst+"\nv=")
	f.Add(false, rfc7677.serverFirst+",x=y\ne=other-error")
	f.Add(true, "e=unknown-user")
	f.Add(false, "m=ext,r="+rfc7677.nonce+"1,s=QQ==,i=4096")
	f.Add(false, "r="+rfc7677.nonce+"1,s=QQ==,i=1000001\nv=QQ==")
	f.Fuzz(func(t *testing.T, larger bool, script string) {
		conf := scramConfig()
		if larger {
			conf.Net.SASL.Mechanism = SASLTypeSCRAMSHA512
		}
		c := newSCRAMClientWithNonce(conf, rfc7677.nonce)
		said, err := c.step(t.Context(), nil)
		lines := strings.Split(script, "\n")
		for _, line := range lines {
			if err != nil || said == nil {
				break
			}
			if said, err = c.step(t.Context(), []byte(line)); len(said) > 3*len(line)+200 {
				t.Errorf("%d bytes are answered by %d", len(line), len(said))
			}
		}
		if err == nil && said == nil && (larger || lines[0] != rfc7677.serverFirst || !strings.HasPrefix(lines[1], rfc7677.serverFinal)) {
			t.Errorf("took %q for the server", script)
		}
	})
}

// FuzzOAuthServer says anything to a client with a token.
func FuzzOAuthServer(f *testing.F) {
	f.Add([]byte(`{"status":"invalid_token","scope":"s","openid-configuration":"x"}`), []byte{})
	f.Add([]byte{}, []byte("x"))
	f.Add([]byte("{"), []byte{1})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		c := &oauthClient{provider: tokenOf("token", nil)}
		if _, err := c.step(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		said, err := c.step(t.Context(), first)
		switch {
		case err != nil:
			t.Fatal(err)
		case len(first) == 0:
			if said != nil {
				t.Fatalf("where the server is content it says %q", said)
			}
			return
		case string(said) != oauthGiveUp:
			t.Fatalf("to a refusal it says %q", said)
		}
		if len(c.why()) > 4000 {
			t.Errorf("a reason of %d bytes", len(c.why()))
		}
		if _, err := c.step(t.Context(), second); !loginRefused(err) {
			t.Errorf("after a refusal: %v", err)
		}
	})
}

// bytesConn is a connection on which something was received already.
type bytesConn struct {
	net.Conn
	io.Reader
}

func (c bytesConn) Read(b []byte) (int, error)       { return c.Reader.Read(b) }
func (bytesConn) Write(b []byte) (int, error)        { return len(b), nil }
func (bytesConn) SetReadDeadline(t time.Time) error  { return nil }
func (bytesConn) SetWriteDeadline(t time.Time) error { return nil }

// FuzzSASLConnection lets a broker send anything to a client that logs in, with
// and without requests around the tokens.
func FuzzSASLConnection(f *testing.F) {
	handshake := []byte{0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 5, 'P', 'L', 'A', 'I', 'N'}
	accepted := []byte{0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 0}
	f.Add(int16(0), append(bytes.Clone(handshake), 0, 0, 0, 0))
	f.Add(int16(1), append(bytes.Clone(handshake), accepted...))
	f.Add(int16(0), append(bytes.Clone(handshake), 0x7f, 0xff, 0xff, 0xff, 1))
	f.Add(int16(0), append(bytes.Clone(handshake), 0, 0x0f, 0xff, 0xff, 1))
	f.Add(int16(1), []byte{0, 0, 0, 8, 0, 0, 0, 0, 0, 33, 0, 0})
	f.Fuzz(func(t *testing.T, version int16, received []byte) {
		conf := scramConfig()
		conf.MetricRegistry = nil
		conf.Net.SASL.Mechanism, conf.Net.SASL.Version = SASLTypePlaintext, version&1
		conf.Version = V1_0_0_0
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l := newLink(NewBroker("broker:9092"), conf)
		l.life, l.stop, l.metrics = ctx, cancel, newBrokerMetrics(nil, -1)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := l.authenticate(ctx, bytesConn{Reader: bytes.NewReader(received)})
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(8<<20+64*len(received)) {
			t.Errorf("%d bytes made it allocate %d", len(received), n)
		}
		if err == nil && len(received) < len(handshake)-9+4 {
			t.Errorf("let in by %x", received)
		}
	})
}
