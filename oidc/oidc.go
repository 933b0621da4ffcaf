// Package oidc gets the tokens for SASL/OAUTHBEARER from an OpenID Connect
// provider, by the grant "client credentials" (RFC 6749 section 4.4), as KIP-768
// has it for other clients.
//
//	tokens, err := oidc.New(oidc.Config{
//		TokenURL:     "https://login.example.com/oauth2/token",
//		ClientID:     "orders",
//		ClientSecret: os.Getenv("CLIENT_SECRET"),
//		Scopes:       []string{"kafka"},
//	})
//	...
//	defer tokens.Close()
//	config.Net.SASL.Enable = true
//	config.Net.SASL.Mechanism = sarama.SASLTypeOAuth
//	config.Net.SASL.TokenProvider = tokens
package oidc

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Config says where tokens come from and for whom. Its secret is not shown by
// package fmt, nor by encoders.
type Config struct {
	// ClientID and ClientSecret are the credentials of the program.
	ClientID     string
	ClientSecret string `json:"-" yaml:"-" xml:"-"`

	// TokenURL is where tokens are asked for. Without it, IssuerURL must be
	// set: its discovery document (OpenID Connect Discovery 1.0) names it.
	TokenURL  string
	IssuerURL string
	// AllowHTTP lets the secret go over connections without TLS. They are
	// always allowed to this machine (localhost, 127.0.0.1, ::1).
	AllowHTTP bool
	// CredentialsInBody sends id and secret in the request's body. By default
	// they go into its header, as RFC 6749 section 2.3.1 wants it.
	CredentialsInBody bool

	// Scopes and Audience are what the token is to be for; empty leaves them
	// out. EndpointParams are further parameters of the request.
	Scopes         []string
	Audience       string
	EndpointParams url.Values

	// Extensions are SASL extensions that brokers get with the token (KIP-342).
	Extensions map[string]string

	// HTTPClient does the requests; nil is a client of its own. Redirects are
	// not followed, unless its CheckRedirect is set: the secret would go along.
	// Connections that it keeps are its own affair.
	HTTPClient *http.Client

	// Timeout bounds one request with its answer, 10 s by default; RetryTimeout
	// all attempts to get one token, 30 s by default.
	Timeout      time.Duration
	RetryTimeout time.Duration
	// RetryBackoff is the wait after the first temporary failure, which doubles
	// with each, up to RetryBackoffMax; each is made up to a fifth longer or
	// shorter. By default 100 ms and 10 s.
	RetryBackoff    time.Duration
	RetryBackoffMax time.Duration
}

// Format shows the configuration without its secret, with every verb.
func (c Config) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, c.String())
}

// String shows the configuration without its secret.
func (c Config) String() string {
	at := c.TokenURL
	if at == "" {
		at = c.IssuerURL
	}
	return fmt.Sprintf("oidc client %q at %q", c.ClientID, redactURL(at))
}

// redactURL is a URL without what may be secret in it.
func redactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(a malformed URL)"
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment = nil, "", false, ""
	return u.String()
}

// complete checks a configuration and returns it with its defaults, sharing
// nothing with the caller's.
func (c Config) complete() (Config, error) {
	c.Scopes, c.Extensions = slices.Clone(c.Scopes), maps.Clone(c.Extensions)
	params := make(url.Values, len(c.EndpointParams)+1)
	for name, values := range c.EndpointParams {
		params[name] = slices.Clone(values)
	}
	c.EndpointParams = params
	if c.Audience != "" {
		params.Set("audience", c.Audience)
	}
	for _, d := range []struct {
		field *time.Duration
		name  string
		value time.Duration
	}{
		{&c.Timeout, "Timeout", 10 * time.Second}, {&c.RetryTimeout, "RetryTimeout", 30 * time.Second},
		{&c.RetryBackoff, "RetryBackoff", 100 * time.Millisecond}, {&c.RetryBackoffMax, "RetryBackoffMax", 10 * time.Second},
	} {
		if *d.field < 0 {
			return c, fmt.Errorf("oidc: Config.%s is %v, but must not be negative", d.name, *d.field)
		}
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	switch {
	case c.ClientID == "":
		return c, errors.New("oidc: Config.ClientID is not set")
	case c.ClientSecret == "":
		return c, errors.New("oidc: Config.ClientSecret is not set")
	case c.TokenURL == "" && c.IssuerURL == "":
		return c, errors.New("oidc: neither Config.TokenURL nor Config.IssuerURL is set")
	case c.Extensions["auth"] != "":
		return c, errors.New(`oidc: Config.Extensions has "auth", which is the token itself (RFC 7628)`)
	}
	client := http.Client{Transport: ownTransport()}
	if c.HTTPClient != nil {
		client = *c.HTTPClient
	}
	if client.CheckRedirect == nil {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	client.Transport = &wholeAnswers{client.Transport}
	c.HTTPClient = &client
	for name, raw := range map[string]string{"TokenURL": c.TokenURL, "IssuerURL": c.IssuerURL} {
		if raw == "" {
			continue
		}
		if err := c.checkURL(raw); err != nil {
			return c, fmt.Errorf("oidc: Config.%s %w", name, err)
		}
	}
	return c, nil
}

// ownTransport is the default one, but that no connection, and so no goroutine,
// is kept for the next token.
func ownTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil // somebody has replaced it, for a reason
	}
	t = t.Clone()
	t.DisableKeepAlives = true
	return t
}

// checkURL keeps the secret from going where it should not. The URL itself is
// not in the error: there may be a password in it.
func (c Config) checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("cannot be parsed as a URL")
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("is not of the form https://host/path")
	case u.User != nil:
		return errors.New("has a user or password in it; ClientID and ClientSecret are for that")
	case u.Scheme == "http" && !c.AllowHTTP && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()):
		return errors.New("is for plain http, over which anybody could read the secret; Config.AllowHTTP lets it")
	}
	return nil
}

// Error is what a provider has answered instead of a token.
type Error struct {
	// Status is the HTTP status, such as 401.
	Status int
	// Code and Description are the provider's (RFC 6749 section 5.2), "" where
	// it gave none; they are shortened, and without secrets.
	Code, Description string

	retryAfter time.Duration
}

// Error says what the provider has answered.
func (e *Error) Error() string {
	text := fmt.Sprintf("the provider answered %d", e.Status)
	if e.Code != "" {
		text += fmt.Sprintf(" %q", e.Code)
	}
	if e.Description != "" {
		text += fmt.Sprintf(": %q", e.Description)
	}
	return text
}

// Temporary reports whether the same request may succeed later.
func (e *Error) Temporary() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout
}

// errorOf is an Error of what package oauth2 has found.
func (c Config) errorOf(e *oauth2.RetrieveError) *Error {
	found := &Error{Code: c.clean(e.ErrorCode), Description: c.clean(e.ErrorDescription)}
	if e.Response != nil {
		found.Status = e.Response.StatusCode
		if seconds, err := time.ParseDuration(e.Response.Header.Get("Retry-After") + "s"); err == nil && seconds > 0 {
			found.retryAfter = seconds
		}
	}
	return found
}

const cleanMaxBytes = 300

// clean is what a provider says, without the secret, should it repeat it, be it
// as the request has it.
func (c Config) clean(text string) string {
	inHeader := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(c.ClientID) + ":" + url.QueryEscape(c.ClientSecret)))
	for _, secret := range []string{inHeader, c.ClientSecret, url.QueryEscape(c.ClientSecret)} {
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	if len(text) > cleanMaxBytes {
		text = text[:cleanMaxBytes] + "..."
	}
	return text
}

// answerMaxBytes is how much of an answer is read.
const answerMaxBytes = 1 << 20

// wholeAnswers reads answers as a part of the request, so that a connection that
// breaks in the middle is told from an answer that is wrong.
type wholeAnswers struct{ next http.RoundTripper }

// RoundTrip is that of http.RoundTripper.
func (w *wholeAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	next := w.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerMaxBytes+1))
	closeErr := resp.Body.Close()
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the answer: %w", err)
	case closeErr != nil:
		return nil, fmt.Errorf("reading the answer: %w", closeErr)
	case len(body) > answerMaxBytes:
		return nil, errAnswerTooLarge
	}
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	return resp, nil
}

var errAnswerTooLarge = fmt.Errorf("the answer is larger than %d bytes", answerMaxBytes)

// withClient is a context from which package oauth2 takes the HTTP client.
func (c Config) withClient(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, c.HTTPClient)
}
