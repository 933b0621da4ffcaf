package sarama_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// plainConn is a connection that a user has logged in on by hand, for the calls
// about delegation tokens (KIP-48), which this module does not have.
type plainConn struct {
	t    *testing.T
	conn net.Conn
}

// login logs in by PLAIN.
func (k *secureKafka) login(t *testing.T, user, password string) *plainConn {
	t.Helper()
	conn, err := net.Dial("tcp", k.listener(t, listenerSASL).addrs[0])
	mustTxn(t, "dialing", err)
	t.Cleanup(func() { _ = conn.Close() })
	mustTxn(t, "deadline", conn.SetDeadline(time.Now().Add(time.Minute)))
	c := &plainConn{t, conn}
	if resp := c.call(17, 1, appendString(nil, "PLAIN")); resp.int16() != 0 {
		t.Fatal("SaslHandshake was refused")
	}
	if resp := c.call(36, 0, appendBytes(nil, []byte("\x00"+user+"\x00"+password))); resp.int16() != 0 {
		t.Fatal("SaslAuthenticate was refused")
	}
	return c
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendBytes(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
}

// rawBody is the rest of a response.
type rawBody struct {
	t *testing.T
	b []byte
}

func (r *rawBody) next(n int) []byte {
	r.t.Helper()
	if n < 0 || n > len(r.b) {
		r.t.Fatalf("a response ends %d bytes too early", n-len(r.b))
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

func (r *rawBody) int16() int16   { return int16(binary.BigEndian.Uint16(r.next(2))) }
func (r *rawBody) int32() int32   { return int32(binary.BigEndian.Uint32(r.next(4))) }
func (r *rawBody) string() string { return string(r.next(int(r.int16()))) }

// call sends a request of a version that has a plain header.
func (c *plainConn) call(key, version int16, body []byte) *rawBody {
	c.t.Helper()
	frame := binary.BigEndian.AppendUint16(nil, uint16(key))
	frame = binary.BigEndian.AppendUint16(frame, uint16(version))
	frame = appendString(binary.BigEndian.AppendUint32(frame, 7), "test")
	_, err := c.conn.Write(appendBytes(nil, append(frame, body...)))
	mustTxn(c.t, "writing", err)
	var size [4]byte
	_, err = io.ReadFull(c.conn, size[:])
	mustTxn(c.t, "reading", err)
	resp := make([]byte, min(binary.BigEndian.Uint32(size[:]), 1<<20))
	_, err = io.ReadFull(c.conn, resp)
	mustTxn(c.t, "reading", err)
	r := &rawBody{c.t, resp}
	r.int32() // the correlation
	return r
}

// delegationToken is one of the user "plain".
type delegationToken struct{ id, hmac string }

// newDelegationToken makes a token that is good for as long.
func (k *secureKafka) newDelegationToken(t *testing.T, lifetime time.Duration) delegationToken {
	t.Helper()
	c := k.login(t, "plain", k.plain)
	resp := c.call(38, 1, binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, 0), uint64(lifetime.Milliseconds())))
	if code := sarama.KError(resp.int16()); code != sarama.ErrNoError {
		t.Fatalf("CreateDelegationToken: %v", code)
	}
	if kind, name := resp.string(), resp.string(); kind != "User" || name != "plain" {
		t.Fatalf("the token is of %s:%s", kind, name)
	}
	resp.next(3 * 8) // issued, expires, expires at the latest
	id := resp.string()
	hmac := base64.StdEncoding.EncodeToString(resp.next(int(resp.int32())))
	return delegationToken{id, watchSecret(hmac)}
}

// cancel ends a token at once.
func (k *secureKafka) cancel(t *testing.T, token delegationToken) {
	t.Helper()
	hmac, err := base64.StdEncoding.DecodeString(token.hmac)
	mustTxn(t, "the token", err)
	resp := k.login(t, "plain", k.plain).call(40, 1, binary.BigEndian.AppendUint64(appendBytes(nil, hmac), ^uint64(0)))
	if code := sarama.KError(resp.int16()); code != sarama.ErrNoError {
		t.Fatalf("ExpireDelegationToken: %v", code)
	}
}

// bearer gives the tokens of an OAuth client, fetched anew for every login.
type bearer struct {
	// constant
	url, id, secret string
	extensions      map[string]string
	given           string // a token to give in place of others, or ""

	calls atomic.Int64
}

func (b *bearer) Token() (*sarama.AccessToken, error) {
	b.calls.Add(1)
	if b.given != "" {
		return &sarama.AccessToken{Token: b.given, Extensions: b.extensions}, nil
	}
	req, err := http.NewRequest(http.MethodPost, b.url, strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(b.id), url.QueryEscape(b.secret))
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var body struct {
		Token string `json:"access_token"`
		Error string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the issuer says %s: %s", resp.Status, body.Error)
	}
	return &sarama.AccessToken{Token: watchSecret(body.Token), Extensions: b.extensions}, nil
}

// bearer is that of the client "oauth".
func (k *secureKafka) bearer(extensions map[string]string) *bearer {
	return &bearer{url: k.oidc.TokenURL(), id: "oauth", secret: k.clientKey, extensions: extensions}
}
