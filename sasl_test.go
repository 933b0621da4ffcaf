package sarama

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// rfc7677 is the exchange in section 3 of RFC 7677.
var rfc7677 = struct{ nonce, clientFirst, serverFirst, clientFinal, serverFinal string }{
	nonce:       "rOprNGfwEbeRWgbNEkqO",
	clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
	serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	clientFinal: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
}

func scramConfig() *Config {
	conf := NewConfig()
	conf.Net.SASL.Enable, conf.Net.SASL.Mechanism = true, SASLTypeSCRAMSHA256
	conf.Net.SASL.User, conf.Net.SASL.Password = "user", "pencil"
	return conf
}

func TestSCRAMSpeaksAsTheRFCsExample(t *testing.T) {
	c := newSCRAMClientWithNonce(scramConfig(), rfc7677.nonce)
	for _, move := range []struct{ hears, says string }{
		{"", rfc7677.clientFirst}, {rfc7677.serverFirst, rfc7677.clientFinal}, {rfc7677.serverFinal, ""},
	} {
		said, err := c.step(t.Context(), []byte(move.hears))
		if err != nil || string(said) != move.says {
			t.Fatalf("to %q it says %q, %v; want %q", move.hears, said, err, move.says)
		}
	}
	if said, err := c.step(t.Context(), nil); err == nil {
		t.Errorf("after the end it says %q", said)
	}
}

func TestSCRAMBegins(t *testing.T) {
	for _, test := range []struct {
		name string
		set  func(*Config)
		want string
	}{
		{"a user", func(*Config) {}, "n,,n=user,r=N"},
		{"delimiters", func(c *Config) { c.Net.SASL.User = "a=b,c" }, "n,,n=a=3Db=2Cc,r=N"},
		{"not ASCII", func(c *Config) { c.Net.SASL.User = "日本" }, "n,,n=日本,r=N"},
		{"as another", func(c *Config) { c.Net.SASL.SCRAMAuthzID = "o,wner" }, "n,a=o=2Cwner,n=user,r=N"},
		{"a delegation token", func(c *Config) { c.Net.SASL.SCRAMTokenAuth = true }, "n,,n=user,r=N,tokenauth=true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conf := scramConfig()
			test.set(conf)
			if said, err := newSCRAMClientWithNonce(conf, "N").step(t.Context(), nil); err != nil || string(said) != test.want {
				t.Errorf("it says %q, %v", said, err)
			}
		})
	}
	a, _ := newSCRAMClient(scramConfig()).step(t.Context(), nil)
	b, _ := newSCRAMClient(scramConfig()).step(t.Context(), nil)
	if string(a) == string(b) || len(a) < len("n,,n=user,r=")+32 {
		t.Errorf("nonces of %q and %q", a, b)
	}
}

func TestSCRAMDoesNotTrustTheServer(t *testing.T) {
	server := func(nonce, salt, iterations string) string { return "r=" + nonce + ",s=" + salt + ",i=" + iterations }
	nonce, salt := rfc7677.nonce+"more", "W22ZaJ0SNY7soEsUEjb6gQ=="
	for _, test := range []struct{ name, first, final, want string }{
		{name: "nothing", first: "", want: "not nonce, salt and iterations"},
		{name: "not a message", first: "\x00\xff", want: "not nonce, salt and iterations"},
		{name: "another order", first: "s=" + salt + ",r=" + nonce + ",i=4096", want: "not nonce, salt and iterations"},
		{name: "an extension that is mandatory", first: "m=x," + server(nonce, salt, "4096"), want: "extension"},
		{name: "another nonce", first: server("x"+nonce, salt, "4096"), want: "nonce"},
		{name: "the client's nonce alone", first: server(rfc7677.nonce, salt, "4096"), want: "nonce"},
		{name: "no salt", first: server(nonce, "", "4096"), want: "salt"},
		{name: "a salt that is not base64", first: server(nonce, "!", "4096"), want: "salt"},
		{name: "no iterations", first: server(nonce, salt, ""), want: "iterations"},
		{name: "iterations that are no number", first: server(nonce, salt, "many"), want: "iterations"},
		{name: "too few iterations", first: server(nonce, salt, "4095"), want: "4095 iterations"},
		{name: "too many iterations", first: server(nonce, salt, "1000001"), want: "1000001 iterations"},
		{name: "more iterations than any number", first: server(nonce, salt, "99999999999999999999"), want: "iterations"},
		{name: "negative iterations", first: server(nonce, salt, "-4096"), want: "iterations"},
		{name: "an error", first: "e=unknown-user", want: `the broker says "unknown-user"`},
		{name: "no signature", first: rfc7677.serverFirst, final: "", want: "not signed"},
		{name: "an error in the end", first: rfc7677.serverFirst, final: "e=invalid-proof", want: `the broker says "invalid-proof"`},
		{name: "an empty signature", first: rfc7677.serverFirst, final: "v=", want: "signature is wrong"},
		{name: "a signature cut short", first: rfc7677.serverFirst, final: rfc7677.serverFinal[:20], want: "signature is wrong"},
		{name: "another signature", first: rfc7677.serverFirst, final: "v=" + base64.StdEncoding.EncodeToString(make([]byte, 32)), want: "signature is wrong"},
		{name: "the client's proof for a signature", first: rfc7677.serverFirst, final: "v=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", want: "signature is wrong"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newSCRAMClientWithNonce(scramConfig(), rfc7677.nonce)
			_, err := c.step(t.Context(), nil)
			if err == nil {
				_, err = c.step(t.Context(), []byte(test.first))
			}
			if err == nil {
				_, err = c.step(t.Context(), []byte(test.final))
			}
			if !errors.Is(err, ErrSASLAuthenticationFailed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if _, err := c.step(t.Context(), []byte(rfc7677.serverFinal)); err == nil {
				t.Error("it went on after that")
			}
		})
	}
}

type tokenFunc func(ctx context.Context) (*AccessToken, error)

func (f tokenFunc) Token() (*AccessToken, error)                           { return f(context.Background()) }
func (f tokenFunc) TokenContext(ctx context.Context) (*AccessToken, error) { return f(ctx) }

func tokenOf(token string, extensions map[string]string) tokenFunc {
	return func(context.Context) (*AccessToken, error) { return &AccessToken{token, extensions}, nil }
}

func TestOAuthMessages(t *testing.T) {
	for _, test := range []struct {
		name     string
		provider AccessTokenProvider
		want     string // or the error
	}{
		{"a token", tokenOf("abc.def", nil), "n,,\x01auth=Bearer abc.def\x01\x01"},
		{"extensions in order", tokenOf("t", map[string]string{"b": "2 3", "a": "1"}), "n,,\x01auth=Bearer t\x01a=1\x01b=2 3\x01\x01"},
		{"nil", tokenFunc(func(context.Context) (*AccessToken, error) { return nil, nil }), "no token"},
		{"an empty token", tokenOf("", nil), "no token"},
		{"a token with a delimiter", tokenOf("a\x01b=c", nil), "characters in it"},
		{"the token's key", tokenOf("t", map[string]string{"auth": "x"}), `"auth" is reserved`},
		{"no key", tokenOf("t", map[string]string{"": "x"}), "not made of letters"},
		{"a bad key", tokenOf("t", map[string]string{"a=b": "x"}), "not made of letters"},
		{"a value with a delimiter", tokenOf("t", map[string]string{"a": "x\x01y"}), `value of extension "a"`},
		{"no value", tokenOf("t", map[string]string{"a": ""}), `value of extension "a"`},
		{"an error", tokenFunc(func(context.Context) (*AccessToken, error) { return nil, io.ErrClosedPipe }), "getting a token: io: read/write on closed pipe"},
	} {
		t.Run(test.name, func(t *testing.T) {
			said, err := (&oauthClient{provider: test.provider}).step(t.Context(), nil)
			if err != nil && !strings.Contains(err.Error(), test.want) || err == nil && string(said) != test.want {
				t.Errorf("it says %q, %v", said, err)
			}
			if errors.Is(err, ErrSASLAuthenticationFailed) {
				t.Errorf("%v counts as the broker's refusal", err)
			}
		})
	}
}

func TestOAuthEndsARefusalAsTheRFCSays(t *testing.T) {
	for _, test := range []struct{ says, want string }{
		{`{"status":"invalid_token"}`, `status "invalid_token"`},
		{`{"status":"insufficient_scope","scope":"kafka"}`, `scope "kafka"`},
		{"{", `"{"`},
	} {
		c := &oauthClient{provider: tokenOf("t", nil)}
		if _, err := c.step(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		said, err := c.step(t.Context(), []byte(test.says))
		if string(said) != "\x01" || err != nil || !strings.Contains(oauthReason(c.refused), test.want) {
			t.Errorf("to %s it says %q, %v, and of the reason %s", test.says, said, err, oauthReason(c.refused))
		}
		if _, err := c.step(t.Context(), []byte{}); !errors.Is(err, ErrSASLAuthenticationFailed) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("where the broker goes on: %v", err)
		}
	}
}

// saslBroker is a scripted broker that clients log in to.
type saslBroker struct {
	*fakeNet
	mu       sync.Mutex
	said     []string // by clients
	answer   func(said string) *SaslAuthenticateResponse
	offered  []string
	metadata atomic.Int32
}

func newSASLBroker(answer func(said string) *SaslAuthenticateResponse, offered ...string) *saslBroker {
	n := &saslBroker{fakeNet: newFakeNet(), answer: answer, offered: offered}
	n.listen(&fakeBroker{id: 1, addr: "broker:9092", handle: n.handle})
	return n
}

func (n *saslBroker) handle(r *fakeRequest) any {
	switch req := r.body.(type) {
	case *ApiVersionsRequest:
		return allVersions()
	case *SaslHandshakeRequest:
		resp := &SaslHandshakeResponse{EnabledMechanisms: n.offered}
		if !slices.Contains(n.offered, req.Mechanism) {
			resp.Err = ErrUnsupportedSASLMechanism
		}
		return resp
	case *SaslAuthenticateRequest:
		n.mu.Lock()
		n.said = append(n.said, string(req.SaslAuthBytes))
		n.mu.Unlock()
		return n.answer(string(req.SaslAuthBytes))
	case *MetadataRequest:
		n.metadata.Add(1)
		return &MetadataResponse{Version: r.Version, Brokers: []*Broker{{id: 1, addr: r.broker.addr}}, ControllerID: 1}
	}
	return nil
}

func refused(text string) *SaslAuthenticateResponse {
	return &SaslAuthenticateResponse{Err: ErrSASLAuthenticationFailed, ErrorMessage: &text, SaslAuthBytes: []byte{}}
}

// TestWrongCredentialsFailFast: one attempt, an error that says who and how.
func TestWrongCredentialsFailFast(t *testing.T) {
	for _, test := range []struct {
		name   string
		set    func(*Config)
		answer func(string) *SaslAuthenticateResponse
		offers []string
		is     error
		want   []string
	}{
		{
			"PLAIN", func(c *Config) { c.Net.SASL.Mechanism = SASLTypePlaintext },
			func(string) *SaslAuthenticateResponse { return refused("Invalid username or password") }, []string{"PLAIN"},
			ErrSASLAuthenticationFailed, []string{"by PLAIN", "Invalid username"},
		},
		{
			"SCRAM", func(*Config) {},
			func(string) *SaslAuthenticateResponse { return refused("no such user") }, []string{"SCRAM-SHA-256"},
			ErrSASLAuthenticationFailed, []string{"by SCRAM-SHA-256", "no such user"},
		},
		{
			"a SCRAM server that does not know the password", func(*Config) {},
			func(said string) *SaslAuthenticateResponse {
				if _, nonce, ok := strings.Cut(said, "n,,n=user,r="); ok {
					return &SaslAuthenticateResponse{SaslAuthBytes: []byte("r=" + nonce + "x,s=QUJD,i=4096")}
				}
				return &SaslAuthenticateResponse{SaslAuthBytes: []byte("v=QUJD")}
			}, []string{"SCRAM-SHA-256"},
			ErrSASLAuthenticationFailed, []string{"by SCRAM-SHA-256", "signature is wrong"},
		},
		{
			"OAUTHBEARER", func(c *Config) {
				c.Net.SASL.Mechanism, c.Net.SASL.TokenProvider = SASLTypeOAuth, tokenOf("token", nil)
			},
			func(said string) *SaslAuthenticateResponse {
				if said == "\x01" {
					return &SaslAuthenticateResponse{Err: ErrSASLAuthenticationFailed, SaslAuthBytes: []byte{}}
				}
				return &SaslAuthenticateResponse{SaslAuthBytes: []byte(`{"status":"invalid_token"}`)}
			}, []string{"OAUTHBEARER"},
			ErrSASLAuthenticationFailed, []string{"by OAUTHBEARER", "invalid_token"},
		},
		{
			"a mechanism that is not there", func(*Config) {}, nil, []string{"GSSAPI", "PLAIN"},
			ErrUnsupportedSASLMechanism, []string{"by SCRAM-SHA-256", "GSSAPI, PLAIN"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newSASLBroker(test.answer, test.offers...)
				conf := n.config()
				conf.Net.SASL = scramConfig().Net.SASL
				test.set(conf)
				start := time.Now()
				_, err := NewClient([]string{"broker:9092"}, conf)
				if !errors.Is(err, test.is) {
					t.Fatal(err)
				}
				for _, part := range append(test.want, "broker broker:9092") {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("no %q in %v", part, err)
					}
				}
				for _, secret := range []string{"pencil", "token\x01", "Bearer token"} {
					if strings.Contains(err.Error(), secret) {
						t.Errorf("the secret is in %v", err)
					}
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("it took %v", took)
				}
				n.fakeNet.mu.Lock()
				defer n.fakeNet.mu.Unlock()
				if dials := n.fakeNet.mu.dials["broker:9092"]; dials != 1 {
					t.Errorf("%d dials", dials)
				}
			})
		})
	}
}

// TestTokenProvidersThatBlock hold up neither Close nor anybody for longer than
// Net.ReadTimeout, be they told of the end or not.
func TestTokenProvidersThatBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newSASLBroker(nil, SASLTypeOAuth)
		conf := n.config()
		released := make(chan struct{})
		conf.Net.SASL.Enable, conf.Net.SASL.Mechanism = true, SASLTypeOAuth
		conf.Net.SASL.TokenProvider = tokenFunc(func(context.Context) (*AccessToken, error) {
			<-released
			return nil, errors.New("too late")
		})
		b := NewBroker("broker:9092")
		start := time.Now()
		if err := b.Open(conf); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := b.Close(); err != nil || time.Since(start) != 0 {
			t.Errorf("Close: %v after %v", err, time.Since(start))
		}
		b = NewBroker("broker:9092")
		_ = b.Open(conf)
		var timeout net.Error
		if _, err := b.Connected(); !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(start) != conf.Net.ReadTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		_ = b.Close()
		close(released)
	})
}

// TestTokenProviderThatIsAwayForAMoment fails an attempt, not the client.
func TestTokenProviderThatIsAwayForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newSASLBroker(func(string) *SaslAuthenticateResponse { return &SaslAuthenticateResponse{SaslAuthBytes: []byte{}} }, SASLTypeOAuth)
		conf := n.config()
		var calls atomic.Int32
		conf.Net.SASL.Enable, conf.Net.SASL.Mechanism = true, SASLTypeOAuth
		conf.Net.SASL.TokenProvider = tokenFunc(func(context.Context) (*AccessToken, error) {
			if calls.Add(1) < 3 {
				return nil, io.ErrUnexpectedEOF
			}
			return &AccessToken{Token: "t"}, nil
		})
		c, err := NewClient([]string{"broker:9092"}, conf)
		if err != nil || calls.Load() != 3 {
			t.Fatalf("after %d calls: %v", calls.Load(), err)
		}
		_ = c.Close()
	})
}

// TestCallbacksOfAuthenticationThatPanic are told to the PanicHandler; who waits
// is told, too.
func TestCallbacksOfAuthenticationThatPanic(t *testing.T) {
	handler := PanicHandler
	defer func() { PanicHandler = handler }()
	for name, set := range map[string]func(*Config){
		"a token provider": func(c *Config) {
			c.Net.SASL.Mechanism = SASLTypeOAuth
			c.Net.SASL.TokenProvider = tokenFunc(func(context.Context) (*AccessToken, error) { panic("token") })
		},
		"a SCRAM generator": func(c *Config) { c.Net.SASL.SCRAMClientGeneratorFunc = func() SCRAMClient { panic("generator") } },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				panics := make(chan any, 1)
				PanicHandler = func(what any) { panics <- what }
				n := newSASLBroker(nil, SASLTypeOAuth, SASLTypeSCRAMSHA256)
				conf := n.config()
				conf.Net.SASL = scramConfig().Net.SASL
				set(conf)
				b := NewBroker("broker:9092")
				_ = b.Open(conf)
				if ok, err := b.Connected(); ok || err == nil || !strings.Contains(err.Error(), "panicked") {
					t.Errorf("connected: %v, %v", ok, err)
				}
				<-panics
				_ = b.Close()
			})
		})
	}
}

// TestRenewalSurvivesATokenServerThatIsAway gets no token for a while, but has
// one before the session ends: nothing fails.
func TestRenewalSurvivesATokenServerThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newSASLBroker(func(string) *SaslAuthenticateResponse {
			return &SaslAuthenticateResponse{SaslAuthBytes: []byte{}, SessionLifetimeMs: 60_000}
		}, SASLTypeOAuth)
		conf := n.config()
		start := time.Now()
		conf.Net.SASL.Enable, conf.Net.SASL.Mechanism = true, SASLTypeOAuth
		conf.Net.SASL.TokenProvider = tokenFunc(func(context.Context) (*AccessToken, error) {
			if since := time.Since(start); since > 40*time.Second && since < 58*time.Second {
				return nil, io.ErrUnexpectedEOF
			}
			return &AccessToken{Token: "t"}, nil
		})
		b := NewBroker("broker:9092")
		_ = b.Open(conf)
		defer func() { _ = b.Close() }()
		for time.Since(start) < 100*time.Second {
			if _, err := b.GetMetadata(&MetadataRequest{Version: 9}); err != nil {
				t.Fatalf("after %v: %v", time.Since(start), err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n.mu.Lock(); len(n.said) != 2 {
			t.Errorf("authenticated %d times", len(n.said))
		}
		n.mu.Unlock()
	})
}

func TestSessionTimes(t *testing.T) {
	for _, lifetime := range []time.Duration{time.Second, time.Minute, 24 * time.Hour} {
		t.Run(fmt.Sprint(lifetime), func(t *testing.T) {
			seen := make(map[time.Duration]bool)
			for range 100 {
				now := time.Now()
				s := newSession(now, now, lifetime)
				due, hold, end := s.due.Sub(now), s.hold.Sub(now), s.end.Sub(now)
				if due < lifetime*8/10 || due > lifetime*9/10 || hold <= due || hold > lifetime*95/100+1 || end != lifetime {
					t.Errorf("due %v, hold %v, end %v", due, hold, end)
				}
				seen[due] = true
			}
			if len(seen) < 50 {
				t.Error("connections renew their sessions all at once")
			}
		})
	}
	for ms, want := range map[int64]time.Duration{0: 0, -5: 0, 1500: 1500 * time.Millisecond, 1<<63 - 1: 0} {
		if got := sessionLifetime(ms); got != want {
			t.Errorf("%d ms are %v", ms, got)
		}
	}
}

// TestSessionsAreNotRenewedTooOften: Kafka refuses a client that begins to
// authenticate again within a second. Requests wait for the renewal of a session
// that ends sooner.
func TestSessionsAreNotRenewedTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lifetimes atomic.Int64
		lifetimes.Store(300)
		n := newSASLBroker(func(string) *SaslAuthenticateResponse {
			return &SaslAuthenticateResponse{SaslAuthBytes: []byte{}, SessionLifetimeMs: lifetimes.Load()}
		}, SASLTypeOAuth)
		conf := n.config()
		var logins []time.Time
		conf.Net.SASL.Enable, conf.Net.SASL.Mechanism = true, SASLTypeOAuth
		conf.Net.SASL.TokenProvider = tokenOf("t", nil)
		answer := n.answer
		n.answer = func(said string) *SaslAuthenticateResponse {
			n.mu.Lock()
			defer n.mu.Unlock()
			logins = append(logins, time.Now())
			return answer(said)
		}
		b := NewBroker("broker:9092")
		_ = b.Open(conf)
		defer func() { _ = b.Close() }()
		start := time.Now()
		for time.Since(start) < 20*time.Second {
			if _, err := b.GetMetadata(&MetadataRequest{Version: 9}); err != nil {
				t.Fatalf("after %v: %v", time.Since(start), err)
			}
			n.mu.Lock()
			last := logins[len(logins)-1]
			n.mu.Unlock()
			if since := time.Since(last); since > 285*time.Millisecond {
				t.Errorf("a request %v after the login", since)
			}
			time.Sleep(50 * time.Millisecond)
		}
		for i := range logins[1:] {
			if apart := logins[i+1].Sub(logins[i]); apart < time.Second || apart > 1100*time.Millisecond {
				t.Errorf("logins %v apart", apart)
			}
		}
		if len(logins) < 18 {
			t.Errorf("%d logins", len(logins))
		}
	})
}
