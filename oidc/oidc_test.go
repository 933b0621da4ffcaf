package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"go.uber.org/goleak"

	"github.com/IBM/sarama"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "s3cr3t/+ with spaces"

// endpoint is a provider in memory: its handler answers without a network, so
// that time is the test's.
type endpoint struct {
	asked  atomic.Int32
	handle func(n int, w http.ResponseWriter, r *http.Request)
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	e.handle(int(e.asked.Add(1)), w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func give(w http.ResponseWriter, name string, life time.Duration) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"bearer","expires_in":%d}`, name, int(life.Seconds()))
}

func refuse(w http.ResponseWriter, status int, code, description string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":%q,"error_description":%q}`, code, description)
}

func provider(t *testing.T, e *endpoint, change func(*Config)) *Provider {
	t.Helper()
	conf := Config{
		ClientID: "client", ClientSecret: secret, TokenURL: "https://login.example.com/token", HTTPClient: &http.Client{Transport: e},
	}
	if change != nil {
		change(&conf)
	}
	p, err := New(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func wantToken(t *testing.T, p *Provider, want string) {
	t.Helper()
	got, err := p.Token()
	if err != nil || got.Token != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
}

// The provider asks as RFC 6749 says, over a real connection with TLS.
func TestRequestIsThatOfTheStandard(t *testing.T) {
	for _, inBody := range []bool{false, true} {
		t.Run(fmt.Sprintf("in body %v", inBody), func(t *testing.T) {
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := r.ParseForm(); err != nil {
					t.Error(err)
				}
				want := url.Values{
					"grant_type": {"client_credentials"}, "scope": {"kafka read"}, "audience": {"brokers"}, "resource": {"a", "b"},
				}
				id, password, ok := r.BasicAuth()
				if inBody {
					want.Set("client_id", "client")
					want.Set("client_secret", secret)
				} else if id, _ = url.QueryUnescape(id); id != "client" || password != url.QueryEscape(secret) {
					t.Errorf("login %q %q", id, password)
				}
				if ok == inBody || r.Method != http.MethodPost || !reflect.DeepEqual(r.PostForm, want) {
					t.Errorf("%s %v, login %v", r.Method, r.PostForm, ok)
				}
				give(w, "t1", time.Hour)
			}))
			defer server.Close()
			p := provider(t, nil, func(c *Config) {
				c.TokenURL, c.HTTPClient, c.CredentialsInBody = server.URL, server.Client(), inBody
				c.Scopes, c.Audience = []string{"kafka", "read"}, "brokers"
				c.EndpointParams = url.Values{"resource": {"a", "b"}}
				c.Extensions = map[string]string{"logicalCluster": "lkc-1"}
			})
			got, err := p.Token()
			if err != nil || got.Token != "t1" || got.Extensions["logicalCluster"] != "lkc-1" {
				t.Fatalf("%v, %v", got, err)
			}
			got.Extensions["logicalCluster"] = "other"
			if again, _ := p.Token(); again.Extensions["logicalCluster"] != "lkc-1" {
				t.Error("callers share the extensions")
			}
			server.Client().CloseIdleConnections()
		})
	}
}

// An authority that is not known is no temporary failure.
func TestProvidersAreVerified(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	server.Config.ErrorLog = nil
	defer server.Close()
	p := provider(t, nil, func(c *Config) { c.TokenURL, c.HTTPClient, c.RetryTimeout = server.URL, nil, time.Hour })
	if _, err := p.Token(); err == nil || !strings.Contains(err.Error(), "x509") {
		t.Error(err)
	}
}

func TestTokensAreRefreshedBeforeTheyExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{handle: func(n int, w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Second)
			give(w, fmt.Sprint("t", n), 100*time.Second)
		}}
		p := provider(t, e, nil)
		wantToken(t, p, "t1")
		time.Sleep(78 * time.Second)
		wantToken(t, p, "t1")
		synctest.Wait()
		if n := e.asked.Load(); n != 1 {
			t.Errorf("asked %d times after 79 s", n)
		}
		time.Sleep(2 * time.Second)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { wantToken(t, p, "t2") }) // one fetch is enough for all
		}
		all.Wait()
		if n := e.asked.Load(); n != 2 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(100 * time.Second) // nobody has asked meanwhile: it is not served any more
		wantToken(t, p, "t3")
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := e.asked.Load(); n != 3 {
			t.Errorf("an idle provider has asked: %d", n)
		}
	})
}

// What takes longer is not waited for while there is a token, also by none who
// comes later.
func TestSlowRefreshHoldsUpNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{handle: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n > 1 {
				time.Sleep(4 * time.Second)
			}
			give(w, fmt.Sprint("t", n), 100*time.Second)
		}}
		p := provider(t, e, nil)
		wantToken(t, p, "t1")
		time.Sleep(81 * time.Second)
		for _, want := range []time.Duration{2 * time.Second, 0, 0} {
			start := time.Now()
			wantToken(t, p, "t1")
			if took := time.Since(start); took != want {
				t.Errorf("took %v, want %v", took, want)
			}
		}
		time.Sleep(3 * time.Second)
		wantToken(t, p, "t2")
	})
}

// slept is a time by whose wall clock d has passed, and by whose monotonic clock
// nothing.
func slept(t *testing.T, from time.Time, d time.Duration) time.Time {
	t.Helper()
	now := from
	(*struct{ wall uint64 })(unsafe.Pointer(&now)).wall += uint64(d/time.Second) << 30
	if now.Sub(from) != 0 || now.Round(0).Sub(from.Round(0)) != d {
		t.Fatalf("a time is not laid out as it was: %v, %v", from, now)
	}
	return now
}

// A token does not outlive the sleep of a machine, during which the monotonic
// clock stands still, nor a wall clock that is set back.
func TestTokensExpireByEitherClock(t *testing.T) {
	e := &endpoint{handle: func(n int, w http.ResponseWriter, _ *http.Request) { give(w, fmt.Sprint("t", n), time.Hour) }}
	p := provider(t, e, nil)
	wantToken(t, p, "t1")
	for name, now := range map[string]time.Time{
		"slept":    slept(t, time.Now(), 2*time.Hour),
		"set back": slept(t, time.Now().Add(2*time.Hour), -30*24*time.Hour),
	} {
		p.mu.Lock()
		if p.token.valid(now) {
			t.Errorf("%s: the token is valid at %v, though it expires at %v", name, now, p.token.expiry)
		}
		p.mu.Unlock()
	}
	if f, _, err := p.lookUp(slept(t, time.Now(), 2*time.Hour)); f == nil || err != nil {
		t.Errorf("an expired token is served: %v, %v", f, err)
	} else {
		<-f.done
		p.leave(f)
	}
	wantToken(t, p, "t2")
}

// While the provider fails, the token there is serves until it expires.
func TestRefreshThatFailsIsTriedAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{handle: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				give(w, "t1", 1000*time.Second)
			} else {
				refuse(w, http.StatusUnauthorized, "invalid_client", "rotated")
			}
		}}
		p := provider(t, e, func(c *Config) { c.RetryBackoff, c.RetryBackoffMax = time.Second, 16*time.Second })
		wantToken(t, p, "t1")
		time.Sleep(801 * time.Second)
		for range 150 {
			wantToken(t, p, "t1")
			time.Sleep(time.Second)
		}
		if n := e.asked.Load(); n < 8 || n > 20 {
			t.Errorf("asked %d times in 150 s", n)
		}
		time.Sleep(60 * time.Second)
		_, err := p.Token()
		var answered *Error
		if !errors.As(err, &answered) || answered.Code != "invalid_client" || answered.Description != "rotated" || answered.Status != 401 {
			t.Error(err)
		}
	})
}

func TestCallersShareAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		e := &endpoint{handle: func(_ int, w http.ResponseWriter, _ *http.Request) {
			<-release
			give(w, "t1", time.Hour)
		}}
		p := provider(t, e, nil)
		ctx, cancel := context.WithCancelCause(t.Context())
		var callers sync.WaitGroup
		for i := range 10 {
			callers.Go(func() {
				if i == 0 {
					if _, err := p.TokenContext(ctx); !errors.Is(err, errGone) {
						t.Error(err)
					}
					return
				}
				wantToken(t, p, "t1")
			})
		}
		synctest.Wait()
		cancel(errGone)
		synctest.Wait()
		close(release)
		callers.Wait()
		if n := e.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

var errGone = errors.New("gone")

// A fetch that nobody waits for any more ends, and the next caller has another.
func TestFetchEndsWithItsLastCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{handle: func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				<-r.Context().Done()
				return
			}
			give(w, "t2", time.Hour)
		}}
		p := provider(t, e, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.TokenContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		wantToken(t, p, "t2")
		done, cancelled := context.WithCancel(t.Context())
		cancelled()
		if _, err := p.TokenContext(done); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestTemporaryFailuresAreRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		e := &endpoint{handle: func(n int, w http.ResponseWriter, _ *http.Request) {
			times = append(times, time.Now())
			switch n {
			case 1:
				refuse(w, http.StatusServiceUnavailable, "", "")
			case 2:
				w.Header().Set("Retry-After", "7")
				refuse(w, http.StatusTooManyRequests, "slow_down", "")
			case 3:
				half(w)
			case 4:
				refuse(w, http.StatusInternalServerError, "", "")
			default:
				give(w, "t", time.Hour)
			}
		}}
		p := provider(t, e, func(c *Config) { c.HTTPClient.Transport = &breaking{e, 3} })
		wantToken(t, p, "t")
		for i, want := range []time.Duration{100 * time.Millisecond, 7 * time.Second, 400 * time.Millisecond, 800 * time.Millisecond} {
			if got := times[i+1].Sub(times[i]); got < want*8/10 || got > want*12/10 {
				t.Errorf("wait %d is %v, want %v", i, got, want)
			}
		}
	})
}

func half(w http.ResponseWriter) { _, _ = io.WriteString(w, "{") }

// breaking is a network on which one answer breaks off.
type breaking struct {
	*endpoint
	at int32
}

func (b *breaking) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.endpoint.RoundTrip(r)
	if err == nil && b.asked.Load() == b.at {
		resp.Body = io.NopCloser(io.MultiReader(resp.Body, brokenReader{}))
	}
	return resp, err
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestRetriesHaveABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{handle: func(_ int, w http.ResponseWriter, _ *http.Request) { refuse(w, 503, "down", "") }}
		p := provider(t, e, nil)
		start := time.Now()
		_, err := p.Token()
		if took := time.Since(start); took != 30*time.Second || !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, new(*Error)) {
			t.Errorf("after %v: %v", took, err)
		}
		// A request that is not answered is given up, and made again.
		e.handle = func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		before := e.asked.Load()
		if _, err := p.Token(); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if n := e.asked.Load() - before; n != 3 {
			t.Errorf("%d requests of 10 s in 30 s", n)
		}
	})
}

func TestPermanentFailuresAreReturnedAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		handle func(w http.ResponseWriter)
		want   []string
	}{
		"wrong secret": {func(w http.ResponseWriter) { refuse(w, 401, "invalid_client", "bad credentials") },
			[]string{"401", `"invalid_client"`, "bad credentials", `client "client"`, "https://login.example.com/token"}},
		"scope":         {func(w http.ResponseWriter) { refuse(w, 400, "invalid_scope", "") }, []string{"400", "invalid_scope"}},
		"no JSON error": {func(w http.ResponseWriter) { http.Error(w, "<html>", 404) }, []string{"404"}},
		"redirect": {func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://evil.example.com/")
			w.WriteHeader(307)
		}, []string{"307"}},
		"no JSON":         {func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") }, []string{"cannot parse json"}},
		"no token":        {func(w http.ResponseWriter) { fmt.Fprint(w, `{"token_type":"bearer"}`) }, []string{"missing access_token"}},
		"another type":    {func(w http.ResponseWriter) { fmt.Fprint(w, `{"access_token":"x","token_type":"mac","expires_in":60}`) }, []string{`type "MAC"`}},
		"expired":         {func(w http.ResponseWriter) { fmt.Fprintf(w, `{"access_token":%q}`, jwt(-1)) }, []string{"expired already"}},
		"too large":       {func(w http.ResponseWriter) { fmt.Fprint(w, strings.Repeat(" ", answerMaxBytes+1)) }, []string{"larger than"}},
		"says the secret": {func(w http.ResponseWriter) { refuse(w, 401, secret, "no "+url.QueryEscape(secret)+" and "+secret) }, []string{"no [secret] and [secret]"}},
		"says the header": {func(w http.ResponseWriter) { refuse(w, 401, "x", "no Basic "+headerOf("client", secret)) }, []string{"no Basic [secret]"}},
		"a long story":    {func(w http.ResponseWriter) { refuse(w, 401, "x", strings.Repeat("y", 5000)) }, []string{"yyy..."}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &endpoint{handle: func(_ int, w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					test.handle(w)
				}}
				p := provider(t, e, nil)
				_, err := p.Token()
				if err == nil || e.asked.Load() != 1 || len(err.Error()) > 600 {
					t.Fatalf("asked %d times: %v", e.asked.Load(), err)
				}
				for _, want := range test.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%v does not say %q", err, want)
					}
				}
				wantNoSecret(t, err.Error())
			})
		})
	}
}

// headerOf is what the request's header has.
func headerOf(id, secret string) string {
	return base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id) + ":" + url.QueryEscape(secret)))
}

func wantNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)), headerOf("client", secret), fmt.Sprintf("%x", secret)} {
		if strings.Contains(text, form) {
			t.Errorf("the secret is in %q", text)
		}
	}
}

func jwt(exp int64) string {
	if exp < 0 {
		exp = time.Now().Unix() + exp
	}
	body := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, exp))
	return "e30." + body + ".sig"
}

// Without expires_in, the token itself may say how long it is good for.
func TestLifeOfATokenIsTakenFromItWhereTheAnswerHasNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		value := func() string { return jwt(time.Now().Unix() + 100) }
		e := &endpoint{}
		e.handle = func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer"}`, value())
		}
		p := provider(t, e, nil)
		for range 70 {
			_, _ = p.Token()
			time.Sleep(time.Second)
		}
		if n := e.asked.Load(); n != 1 {
			t.Errorf("asked %d times in 70 s", n)
		}
		value = func() string { return "opaque" }
		time.Sleep(time.Hour)
		for range 3 {
			wantToken(t, p, "opaque")
			time.Sleep(2 * time.Second)
		}
		if n := e.asked.Load(); n != 4 {
			t.Errorf("a token that may expire any time was kept: asked %d times", n)
		}
	})
}

func TestDiscoveryFindsTheEndpoint(t *testing.T) {
	for name, test := range map[string]struct {
		document, want string
	}{
		"good":             {`{"issuer":"https://id.example.com/realm","token_endpoint":"https://id.example.com/t"}`, ""},
		"another issuer":   {`{"issuer":"https://evil.example.com","token_endpoint":"https://id.example.com/t"}`, `issuer "https://evil.example.com"`},
		"no endpoint":      {`{"issuer":"https://id.example.com/realm"}`, "token_endpoint is not of the form"},
		"endpoint in http": {`{"issuer":"https://id.example.com/realm","token_endpoint":"http://id.example.com/t"}`, "plain http"},
		"no JSON":          {`<html>`, "no discovery document"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				discoveries := 0
				e := &endpoint{handle: func(n int, w http.ResponseWriter, r *http.Request) {
					switch at := r.URL.String(); at {
					case "https://id.example.com/realm/.well-known/openid-configuration":
						discoveries++
						if _, _, login := r.BasicAuth(); login || r.Method != http.MethodGet {
							t.Error("the secret goes to the discovery")
						}
						fmt.Fprint(w, test.document)
					case "https://id.example.com/t":
						give(w, fmt.Sprint("t", n), time.Minute)
					default:
						t.Errorf("asked %s", at)
					}
				}}
				p := provider(t, e, func(c *Config) { c.TokenURL, c.IssuerURL = "", "https://id.example.com/realm" })
				if test.want != "" {
					if _, err := p.Token(); err == nil || !strings.Contains(err.Error(), test.want) || e.asked.Load() != 1 {
						t.Errorf("%v", err)
					}
					return
				}
				wantToken(t, p, "t2")
				time.Sleep(time.Hour)
				wantToken(t, p, "t3")
				if discoveries != 1 {
					t.Errorf("%d discoveries", discoveries)
				}
			})
		})
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{handle: func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}
		p := provider(t, e, nil)
		result := make(chan error)
		go func() {
			_, err := p.Token()
			result <- err
		}()
		synctest.Wait()
		start := time.Now()
		_ = p.Close()
		if err := <-result; !errors.Is(err, ErrClosed) || time.Since(start) > 0 {
			t.Error(err)
		}
		if _, err := p.Token(); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		_ = p.Close()
	})
}

func TestHTTPClientThatPanicsIsAnError(t *testing.T) {
	p := provider(t, &endpoint{handle: func(int, http.ResponseWriter, *http.Request) { panic("boom") }}, nil)
	for range 2 {
		if _, err := p.Token(); err == nil || !strings.Contains(err.Error(), "panicked: boom") {
			t.Error(err)
		}
	}
}

func TestConfigurationsThatCannotBeUsed(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"ClientID is not set":            func(c *Config) { c.ClientID = "" },
		"ClientSecret is not set":        func(c *Config) { c.ClientSecret = "" },
		"neither Config.TokenURL":        func(c *Config) { c.TokenURL = "" },
		"TokenURL is not of the form":    func(c *Config) { c.TokenURL = "login.example.com" },
		"TokenURL has a user":            func(c *Config) { c.TokenURL = "https://a:" + "pw@login.example.com" },
		"TokenURL is for plain http":     func(c *Config) { c.TokenURL = "http://login.example.com/t" },
		"TokenURL cannot be parsed":      func(c *Config) { c.TokenURL = "https://pw%zz@login.example.com" },
		"IssuerURL is for plain http":    func(c *Config) { c.IssuerURL = "http://login.example.com/t" },
		"Config.Timeout is -1ns":         func(c *Config) { c.Timeout = -1 },
		"Config.RetryBackoffMax is -1ns": func(c *Config) { c.RetryBackoffMax = -1 },
		`Extensions has "auth"`:          func(c *Config) { c.Extensions = map[string]string{"auth": "x"} },
	} {
		conf := Config{ClientID: "client", ClientSecret: secret, TokenURL: "https://login.example.com/token"}
		change(&conf)
		_, err := New(conf)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, at := range []string{"http://localhost:1/t", "http://127.0.0.1/t", "http://[::1]:8080/t"} {
		if _, err := New(Config{ClientID: "c", ClientSecret: "s", TokenURL: at}); err != nil {
			t.Error(err)
		}
	}
	if _, err := New(Config{ClientID: "c", ClientSecret: "s", TokenURL: "http://id/t", AllowHTTP: true}); err != nil {
		t.Error(err)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	e := &endpoint{handle: func(_ int, w http.ResponseWriter, _ *http.Request) { give(w, secret, time.Hour) }}
	p := provider(t, e, func(c *Config) { c.TokenURL += "?key=" + url.QueryEscape(secret) })
	_, _ = p.Token()
	whole := sarama.NewConfig()
	whole.Net.SASL.TokenProvider = p
	for _, value := range []any{p.conf, &p.conf, p, []any{p.conf}, map[string]*Provider{"p": p}, whole, *whole} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			wantNoSecret(t, fmt.Sprintf(verb, value))
		}
	}
	if raw, err := json.Marshal(Config{ClientID: "c", ClientSecret: secret}); err == nil {
		wantNoSecret(t, string(raw))
	}
}

// contextProvider is what the client looks for beside AccessTokenProvider.
type contextProvider interface {
	sarama.AccessTokenProvider
	TokenContext(ctx context.Context) (*sarama.AccessToken, error)
}

var _ contextProvider = (*Provider)(nil)
