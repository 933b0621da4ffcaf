package sarama_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/IBM/sarama"
)

func mockKerberosAuth() *sarama.GSSAPIKerberosAuth {
	return &sarama.GSSAPIKerberosAuth{
		Config: &sarama.GSSAPIConfig{ServiceName: "kafka", Username: "alice", Realm: "R"},
		NewKerberosClientFunc: func(*sarama.GSSAPIConfig) (sarama.KerberosClient, error) {
			return new(sarama.MockKerberosClient), nil
		},
	}
}

// openWithoutSASL opens a connection to a mock broker, for tokens.
func openWithoutSASL(t *testing.T, addr string) *sarama.Broker {
	t.Helper()
	conf := sarama.NewConfig()
	conf.ApiVersionsRequest = false
	b := sarama.NewBroker(addr)
	must(t, b.Open(conf))
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// Bare tokens and requests go over one connection, whatever answers the
// requests.
func TestGSSAPIMockBrokerTakesBareTokens(t *testing.T) {
	for _, scripted := range []bool{true, false} {
		mock := sarama.NewMockBroker(t, 1)
		mock.SetGSSAPIHandler(new(sarama.KafkaGSSAPIHandler).MockKafkaGSSAPI)
		answers := sarama.NewMockMetadataResponse(t).SetBroker(mock.Addr(), 1)
		if scripted {
			mock.Returns(&sarama.MetadataResponse{})
			mock.Returns(&sarama.MetadataResponse{})
		} else {
			mock.SetHandlerByMap(map[string]sarama.MockResponse{"MetadataRequest": answers})
		}
		b := openWithoutSASL(t, mock.Addr())
		for range 2 {
			if err := mockKerberosAuth().Authorize(b); err != nil {
				t.Fatal(err)
			}
			if _, err := b.GetMetadata(&sarama.MetadataRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(mock.History()); n != 2 {
			t.Errorf("%d requests", n)
		}
		mock.Close()
	}
}

func TestGSSAPIOneMockHandlerForManyConnections(t *testing.T) {
	mock := sarama.NewMockBroker(t, 1)
	defer mock.Close()
	mock.SetGSSAPIHandler(new(sarama.KafkaGSSAPIHandler).MockKafkaGSSAPI)
	mock.SetHandlerByMap(map[string]sarama.MockResponse{"MetadataRequest": sarama.NewMockMetadataResponse(t).SetBroker(mock.Addr(), 1)})
	var all sync.WaitGroup
	for range 8 {
		b := openWithoutSASL(t, mock.Addr())
		all.Go(func() {
			if err := mockKerberosAuth().Authorize(b); err != nil {
				t.Error(err)
			}
			if _, err := b.GetMetadata(&sarama.MetadataRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestGSSAPIAuthorizeWithoutConnection(t *testing.T) {
	auth := mockKerberosAuth()
	for _, b := range []*sarama.Broker{nil, sarama.NewBroker("127.0.0.1:1")} {
		if err := auth.Authorize(b); !errors.Is(err, sarama.ErrNotConnected) {
			t.Errorf("%v", err)
		}
	}
	var conf sarama.ConfigurationError
	if err := new(sarama.GSSAPIKerberosAuth).Authorize(sarama.NewBroker("h:1")); !errors.As(err, &conf) {
		t.Errorf("without a Config: %v", err)
	}
	if err := new(sarama.GSSAPIKerberosAuth).AuthorizeV2(sarama.NewBroker("h:1"), nil); !errors.As(err, &conf) {
		t.Errorf("without a Config: %v", err)
	}
}

// A broker that answers bare tokens in some other way fails the authentication,
// and nothing else.
func TestGSSAPIAuthorizeFailures(t *testing.T) {
	frame := func(token []byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(token))), token...)
	}
	for name, test := range map[string]struct {
		handler sarama.GSSApiHandlerFunc
		text    string
		refused bool
	}{
		"no wrap token":   {func([]byte) []byte { return frame([]byte("certainly not")) }, "no token", false},
		"an empty token":  {func([]byte) []byte { return frame([]byte{}) }, "no response to SaslAuthenticate", false}, // the reader waits for eight bytes
		"a short token":   {func([]byte) []byte { return append(frame([]byte{5}), 1, 2, 3) }, "too large or too small", false},
		"a negative size": {func([]byte) []byte { return []byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4} }, "too large or too small", false},
		"a foreign ticket": {func([]byte) []byte {
			return new(sarama.KafkaGSSAPIHandler).MockKafkaGSSAPI(frame([]byte{0x60, 2, 1, 2}))
		}, "KRB_AP_ERR_MODIFIED", true},
	} {
		t.Run(name, func(t *testing.T) {
			mock := sarama.NewMockBroker(t, 1)
			defer mock.Close()
			mock.SetGSSAPIHandler(test.handler)
			conf := sarama.NewConfig()
			conf.ApiVersionsRequest = false
			conf.Net.ReadTimeout = 200 * time.Millisecond
			b := sarama.NewBroker(mock.Addr())
			must(t, b.Open(conf))
			defer func() { _ = b.Close() }()
			err := mockKerberosAuth().Authorize(b)
			if err == nil || !strings.Contains(err.Error(), test.text) || errors.Is(err, sarama.ErrSASLAuthenticationFailed) != test.refused {
				t.Errorf("refused %v: %v", errors.Is(err, sarama.ErrSASLAuthenticationFailed), err)
			}
		})
	}
}

// How brokers refuse bare tokens: they hang up.
func TestGSSAPIAuthorizeIsHungUpOn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var server sync.WaitGroup
	server.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.ReadAtLeast(conn, make([]byte, 4096), 100)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	})
	defer server.Wait()
	defer func() { _ = l.Close() }()
	b := openWithoutSASL(t, l.Addr().String())
	defer func() { _ = b.Close() }()
	if err := mockKerberosAuth().Authorize(b); !errors.Is(err, sarama.ErrSASLAuthenticationFailed) || !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

// sendWith is what AuthorizeV2 sends tokens with: the handler of a mock.
func sendWith(handler sarama.GSSApiHandlerFunc) func([]byte) (*sarama.SaslAuthenticateResponse, error) {
	return func(token []byte) (*sarama.SaslAuthenticateResponse, error) {
		answer := handler(append(binary.BigEndian.AppendUint32(nil, uint32(len(token))), token...))
		if len(answer) > 4 {
			answer = answer[4:]
		}
		return &sarama.SaslAuthenticateResponse{SaslAuthBytes: answer}, nil
	}
}

func TestGSSAPIAuthorizeV2(t *testing.T) {
	b := sarama.NewBroker("h:9092")
	if err := mockKerberosAuth().AuthorizeV2(b, sendWith(new(sarama.KafkaGSSAPIHandler).MockKafkaGSSAPI)); err != nil {
		t.Error(err)
	}
	words := "not you"
	for name, test := range map[string]struct {
		resp *sarama.SaslAuthenticateResponse
		err  error
		is   error
		text string
	}{
		"error":               {err: io.ErrUnexpectedEOF, is: io.ErrUnexpectedEOF},
		"no response":         {text: "there is no response"},
		"code":                {resp: &sarama.SaslAuthenticateResponse{Err: sarama.ErrSASLAuthenticationFailed}, is: sarama.ErrSASLAuthenticationFailed},
		"code with a message": {resp: &sarama.SaslAuthenticateResponse{Err: sarama.ErrSASLAuthenticationFailed, ErrorMessage: &words}, is: sarama.ErrSASLAuthenticationFailed, text: words},
		"no token":            {resp: &sarama.SaslAuthenticateResponse{}, text: "no token"},
	} {
		err := mockKerberosAuth().AuthorizeV2(b, func([]byte) (*sarama.SaslAuthenticateResponse, error) { return test.resp, test.err })
		if err == nil || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A client that is told to use Kerberos, and a broker of a test: SaslHandshake
// and SaslAuthenticate go to the handler, where nothing else answers them.
func TestGSSAPIMockBrokerTakesTokensInRequests(t *testing.T) {
	mock := sarama.NewMockBroker(t, 1)
	defer mock.Close()
	mock.SetGSSAPIHandler(new(sarama.KafkaGSSAPIHandler).MockKafkaGSSAPI)
	mock.SetHandlerByMap(map[string]sarama.MockResponse{"MetadataRequest": sarama.NewMockMetadataResponse(t).SetBroker(mock.Addr(), 1)})
	conf := sarama.NewConfig()
	conf.Net.SASL.Enable, conf.Net.SASL.User, conf.Net.SASL.Password = true, "u", "p"
	b := sarama.NewBroker(mock.Addr())
	must(t, b.Open(conf))
	defer func() { _ = b.Close() }()
	// A token of another mechanism is what the handler refuses.
	if _, err := b.Connected(); !errors.Is(err, sarama.ErrSASLAuthenticationFailed) || !strings.Contains(err.Error(), "KRB_AP_ERR_MODIFIED") {
		t.Errorf("%v", err)
	}
	var got []string
	for _, r := range mock.History() {
		got = append(got, fmt.Sprintf("%T", r.Request))
	}
	if want := []string{"*sarama.ApiVersionsRequest", "*sarama.SaslHandshakeRequest", "*sarama.SaslAuthenticateRequest"}; !slices.Equal(got, want) {
		t.Errorf("requests %v", got)
	}
}

// A handler that users have written in the way that upstream's is used: it is
// given tokens with their length, and so are its answers.
func TestGSSAPIMockHandlersSeeTokensBehindTheirLength(t *testing.T) {
	mock := sarama.NewMockBroker(t, 1)
	defer mock.Close()
	var seen [][]byte
	mock.SetGSSAPIHandler(func(b []byte) []byte {
		seen = append(seen, bytes.Clone(b))
		return []byte("answer")
	})
	conn, err := net.Dial("tcp", mock.Addr())
	must(t, err)
	defer func() { _ = conn.Close() }()
	must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	sent := [][]byte{{0, 0, 0, 6, 0x60, 1, 2, 3, 4, 5}, {0, 0, 0, 6, 5, 4, 2, 3, 4, 5}}
	for _, message := range sent {
		_, err := conn.Write(message)
		must(t, err)
		answer := make([]byte, 6)
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "answer" {
			t.Fatalf("%q, %v", answer, err)
		}
	}
	if !slices.EqualFunc(seen, sent, bytes.Equal) || len(mock.History()) != 0 {
		t.Errorf("seen %x, %d requests", seen, len(mock.History()))
	}
}

func TestGSSAPIMockHandlerRefusesAnything(t *testing.T) {
	handler := new(sarama.KafkaGSSAPIHandler)
	for _, message := range [][]byte{
		nil, {0}, {0, 0, 0, 0}, {0, 0, 0, 1, 0x60}, {0, 0, 0, 9, 0x60}, {0xff, 0xff, 0xff, 0xff, 5, 4}, {0, 0, 0, 4, 5, 4, 0, 0xff}, {0, 0, 0, 2, 5, 4},
		append([]byte{0, 0, 0, 15, 0x60, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2}, 1, 0),
		append([]byte{0, 0, 0, 17, 0x60, 15, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2}, 1, 0, 0x6e, 0),
	} {
		answer := handler.MockKafkaGSSAPI(message)
		if len(answer) < 20 || int(binary.BigEndian.Uint32(answer)) != len(answer)-4 || !bytes.Equal(answer[17:19], []byte{3, 0}) && !bytes.Contains(answer, []byte{3, 0, 0x7e}) {
			t.Errorf("%x: %x", message, answer)
		}
	}
}

// What MockKerberosClient says is what upstream's says, as far as its names and
// types go.
func TestMockKerberosClient(t *testing.T) {
	c := new(sarama.MockKerberosClient)
	if ticket, key, err := c.GetServiceTicket("kafka/x"); err != nil || len(ticket.SName.NameString) != 0 || len(key.KeyValue) != 0 {
		t.Errorf("before Login: %+v, %+v, %v", ticket, key, err)
	}
	must(t, c.Login())
	ticket, key, err := c.GetServiceTicket("kafka/x")
	if err != nil || ticket.SName.PrincipalNameString() != "krbtgt/EXAMPLE.COM" || ticket.Realm != "EXAMPLE.COM" || ticket.TktVNO != 5 ||
		ticket.EncPart.EType != 18 || ticket.EncPart.KVNO != 1 || key.KeyType != 18 || len(key.KeyValue) != 32 {
		t.Errorf("%+v, %+v, %v", ticket, key, err)
	}
	if r := c.ASRep; r.PVNO != 5 || r.MsgType != 11 || r.CRealm != "EXAMPLE.COM" || r.CName.PrincipalNameString() != "client" || !bytes.Equal(r.DecryptedEncPart.Key.KeyValue, key.KeyValue) {
		t.Errorf("%+v", r)
	}
	if name := c.CName(); name.NameType != 1 || !slices.Equal(name.NameString, []string{"kafka", "kafka"}) || c.Domain() != "EXAMPLE.COM" {
		t.Errorf("%+v@%s", name, c.Domain())
	}
	c.Destroy()
	c.Destroy()
	if got, err := mockKerberosAuth().Login(c, "kafka/x"); err != nil || got.SName.PrincipalNameString() != "krbtgt/EXAMPLE.COM" {
		t.Errorf("Login: %+v, %v", got, err)
	}
	if _, err := mockKerberosAuth().Login(nil, "kafka/x"); err == nil {
		t.Error("Login without a client")
	}
	if _, err := mockKerberosAuth().Login(unknownToTheKDC{c}, "kafka/x"); !errors.Is(err, sarama.ErrSASLAuthenticationFailed) || !strings.Contains(err.Error(), "kafka/kafka@EXAMPLE.COM, service kafka/x") {
		t.Errorf("Login of an unknown principal: %v", err)
	}
}

type unknownToTheKDC struct{ *sarama.MockKerberosClient }

func (unknownToTheKDC) Login() error {
	return messages.NewKRBError(types.PrincipalName{}, "EXAMPLE.COM", 6, "")
}

// A handler that knows the session key alone, as with upstream's client, makes
// an offer that proves nothing about this connection.
func TestGSSAPIOfferUnderTheSessionKeyIsRefused(t *testing.T) {
	c := new(sarama.MockKerberosClient)
	must(t, c.Login())
	_, key, err := c.GetServiceTicket("kafka/x")
	must(t, err)
	offer := gssapi.WrapToken{Flags: 1, EC: 12, Payload: []byte{1, 0, 0, 0}}
	must(t, offer.SetCheckSum(key, 22))
	raw, err := offer.Marshal()
	must(t, err)
	auth := mockKerberosAuth()
	auth.NewKerberosClientFunc = func(*sarama.GSSAPIConfig) (sarama.KerberosClient, error) { return loggedIn{c}, nil }
	err = auth.AuthorizeV2(sarama.NewBroker("h:1"), func([]byte) (*sarama.SaslAuthenticateResponse, error) {
		return &sarama.SaslAuthenticateResponse{SaslAuthBytes: raw}, nil
	})
	if err == nil || !strings.Contains(err.Error(), "wrong checksum") {
		t.Errorf("%v", err)
	}
}

// loggedIn keeps its ticket.
type loggedIn struct{ *sarama.MockKerberosClient }

func (loggedIn) Login() error { return nil }

const krb5Conf = "[libdefaults]\n default_realm = R\n dns_lookup_kdc = false\n udp_preference_limit = 1\n[realms]\n R = {\n  kdc = 127.0.0.1:1\n }\n"

// A KDC that takes connections and says nothing does not keep Close waiting.
func TestGSSAPICloseDoesNotWaitForTheKDC(t *testing.T) {
	kdc, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = kdc.Close() }()
	mock := sarama.NewMockBroker(t, 1)
	defer mock.Close()
	mock.SetGSSAPIHandler(new(sarama.KafkaGSSAPIHandler).MockKafkaGSSAPI)
	path := filepath.Join(t.TempDir(), "krb5.conf")
	must(t, os.WriteFile(path, []byte(strings.Replace(krb5Conf, "127.0.0.1:1", kdc.Addr().String(), 1)), 0o600))
	for _, version := range []int16{sarama.SASLHandshakeV0, sarama.SASLHandshakeV1} {
		conf := sarama.NewConfig()
		conf.ApiVersionsRequest = false
		conf.Net.SASL.Enable, conf.Net.SASL.Mechanism, conf.Net.SASL.Version = true, sarama.SASLTypeGSSAPI, version
		conf.Net.SASL.GSSAPI = sarama.GSSAPIConfig{
			AuthType: sarama.KRB5_USER_AUTH, Username: "alice", Password: "hunter2", Realm: "R", ServiceName: "kafka", KerberosConfigPath: path,
		}
		b := sarama.NewBroker(mock.Addr())
		must(t, b.Open(conf))
		asked, err := kdc.Accept()
		must(t, err)
		returnsWithin(t, "Close", func() { _ = b.Close() })
		_ = asked.Close()
	}
}

// What NewKerberosClient cannot read is named, and its bytes, which may be keys,
// are not.
func TestKerberosClientFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	conf := file("krb5.conf", krb5Conf)
	withIncludes := file("includes.conf", "includedir /somewhere\n"+krb5Conf+"[logging]\n default = FILE:/x\n")
	withOld := file("old.conf", strings.Replace(krb5Conf, "  kdc =", "  v4_instance_convert = {\n   x = y\n  }\n  kdc =", 1))
	broken := file("broken.conf", "[libdefaults]\n ticket_lifetime = forever and a day\n")
	secret := file("secret", "\x05\x02\x00\x00\x10\x00topsecretkey")
	for _, test := range []struct {
		name string
		conf sarama.GSSAPIConfig
		text string // of the error; empty: there is none
	}{
		{"password", sarama.GSSAPIConfig{AuthType: sarama.KRB5_USER_AUTH, KerberosConfigPath: conf}, ""},
		{"configuration with includes", sarama.GSSAPIConfig{AuthType: sarama.KRB5_USER_AUTH, KerberosConfigPath: withIncludes}, ""},
		{"configuration with parts for Kerberos 4", sarama.GSSAPIConfig{AuthType: sarama.KRB5_USER_AUTH, KerberosConfigPath: withOld}, ""},
		{"no configuration", sarama.GSSAPIConfig{KerberosConfigPath: filepath.Join(dir, "none")}, filepath.Join(dir, "none")},
		{"broken configuration", sarama.GSSAPIConfig{KerberosConfigPath: broken}, broken},
		{"damaged keytab", sarama.GSSAPIConfig{AuthType: sarama.KRB5_KEYTAB_AUTH, KerberosConfigPath: conf, KeyTabPath: secret}, secret},
		{"damaged cache", sarama.GSSAPIConfig{AuthType: sarama.KRB5_CCACHE_AUTH, KerberosConfigPath: conf, CCachePath: secret}, secret},
		{"empty cache", sarama.GSSAPIConfig{AuthType: sarama.KRB5_CCACHE_AUTH, KerberosConfigPath: conf, CCachePath: file("empty", "")}, filepath.Join(dir, "empty")},
		{"folder as keytab", sarama.GSSAPIConfig{AuthType: sarama.KRB5_KEYTAB_AUTH, KerberosConfigPath: conf, KeyTabPath: dir}, dir},
	} {
		test.conf.Username, test.conf.Realm, test.conf.Password = "alice", "R", "hunter2"
		c, err := sarama.NewKerberosClient(&test.conf)
		switch {
		case test.text == "" && err == nil:
			if c.Domain() != "R" || c.CName().PrincipalNameString() != "alice" {
				t.Errorf("%s: %s@%s", test.name, c.CName().PrincipalNameString(), c.Domain())
			}
			c.Destroy()
		case test.text == "" || err == nil || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "topsecret") || strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if _, err := sarama.NewKerberosClient(nil); err == nil {
		t.Error("a client without a configuration")
	}
}
