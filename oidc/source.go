package oidc

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// source asks for tokens, again and again where that may help.
type source struct {
	// constant
	conf Config

	// atomic snapshots, any goroutine
	endpoint atomic.Pointer[string] // that discovery has found
}

// backoff is the wait after a number of failures before.
func (c Config) backoff(failures int) time.Duration {
	wait := min(c.RetryBackoffMax, c.RetryBackoff<<min(failures, 20))
	if wait <= 0 { // shifted out
		wait = c.RetryBackoffMax
	}
	return time.Duration((0.8 + 0.4*rand.Float64()) * float64(wait))
}

// fetch asks until there is a token, an error that another attempt does not
// help against, or the end of ctx.
func (s *source) fetch(ctx context.Context) (token, error) {
	for failures := 0; ; failures++ {
		t, err := s.attempt(ctx)
		if err == nil {
			return t, nil
		}
		if ctx.Err() != nil {
			return token{}, fmt.Errorf("%w (the last attempt: %w)", context.Cause(ctx), err)
		}
		if !temporary(err) {
			return token{}, err
		}
		wait := s.conf.backoff(failures)
		if e := (*Error)(nil); errors.As(err, &e) {
			wait = max(wait, e.retryAfter)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return token{}, fmt.Errorf("%w (the last attempt: %w)", context.Cause(ctx), err)
		}
	}
}

// permanentError is one that another attempt does not help against.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// temporary reports whether another attempt may help.
func temporary(err error) bool {
	var answered *Error
	if errors.As(err, &answered) {
		return answered.Temporary()
	}
	return !errors.As(err, new(permanentError)) && !errors.As(err, new(*tls.CertificateVerificationError)) && !errors.Is(err, errAnswerTooLarge)
}

// attempt asks once.
func (s *source) attempt(ctx context.Context) (token, error) {
	ctx, cancel := context.WithTimeout(ctx, s.conf.Timeout)
	defer cancel()
	endpoint, err := s.tokenURL(ctx)
	if err != nil {
		return token{}, err
	}
	style := oauth2.AuthStyleInHeader
	if s.conf.CredentialsInBody {
		style = oauth2.AuthStyleInParams
	}
	grant := clientcredentials.Config{
		ClientID: s.conf.ClientID, ClientSecret: s.conf.ClientSecret, TokenURL: endpoint, Scopes: s.conf.Scopes,
		EndpointParams: s.conf.EndpointParams, AuthStyle: style,
	}
	asked := time.Now()
	got, err := grant.Token(s.conf.withClient(ctx))
	if err != nil {
		return token{}, s.explain(err, endpoint)
	}
	if !strings.EqualFold(got.Type(), "Bearer") {
		return token{}, permanentError{fmt.Errorf("the provider gave a token of type %q, not Bearer", s.conf.clean(got.Type()))}
	}
	t := timed(got.AccessToken, asked, got.Expiry)
	if !t.valid(time.Now()) {
		return token{}, permanentError{errors.New("the provider gave a token that has expired already")}
	}
	return t, nil
}

// explain is an error of package oauth2 without what should not be shown.
func (s *source) explain(err error, endpoint string) error {
	at := redactURL(endpoint)
	var answered *oauth2.RetrieveError
	if errors.As(err, &answered) {
		return fmt.Errorf("%s: %w", at, s.conf.errorOf(answered))
	}
	var request *url.Error
	if errors.As(err, &request) {
		return fmt.Errorf("%s: %w", at, request.Err) // without its URL
	}
	return fmt.Errorf("%s: %w", at, permanentError{errors.New(s.conf.clean(err.Error()))})
}

// A token is not served any more in the last twentieth of its life, 10 s at the
// most: it has to reach the broker, whose clock may be ahead.
const (
	refreshAt       = 0.8
	expiryMarginMax = 10 * time.Second
)

// timed is a token with its times, from when it was asked for and when it
// expires; where the answer says nothing of that, the token may (RFC 7519
// section 4.1.4). One of which nothing is known is served for a second.
func timed(value string, asked, expiry time.Time) token {
	if expiry.IsZero() {
		expiry = expiryOf(value)
	}
	if expiry.IsZero() {
		soon := time.Now().Add(time.Second)
		return token{value, soon, soon}
	}
	life := expiry.Sub(asked)
	return token{value, asked.Add(time.Duration(refreshAt * float64(life))), expiry.Add(-min(life/20, expiryMarginMax))}
}

// expiryOf is the expiry that a JWT has in it, zero where there is none.
func expiryOf(value string) time.Time {
	parts := strings.Split(value, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Expiry float64 `json:"exp"`
	}
	if err := json.Unmarshal(raw, &claims); err != nil || claims.Expiry <= 0 || claims.Expiry > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Expiry), 0)
}

// tokenURL is where to ask: as configured, or as the issuer's discovery document
// says, which is asked for once.
func (s *source) tokenURL(ctx context.Context) (string, error) {
	if s.conf.TokenURL != "" {
		return s.conf.TokenURL, nil
	}
	if found := s.endpoint.Load(); found != nil {
		return *found, nil
	}
	at := strings.TrimSuffix(s.conf.IssuerURL, "/") + "/.well-known/openid-configuration"
	found, err := s.discover(ctx, at)
	if err != nil {
		return "", fmt.Errorf("discovery at %s: %w", redactURL(at), err)
	}
	s.endpoint.Store(&found)
	return found, nil
}

// discover reads the discovery document. Its issuer must be the one that it was
// asked for (OpenID Connect Discovery 1.0 section 4.3).
func (s *source) discover(ctx context.Context, at string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return "", permanentError{err}
	}
	resp, err := s.conf.HTTPClient.Do(request)
	if err != nil {
		if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return "", &Error{Status: resp.StatusCode}
	}
	raw, err := io.ReadAll(resp.Body) // wholeAnswers bounds it
	if err != nil {
		return "", err
	}
	var document struct {
		Issuer        string `json:"issuer"`
		TokenEndpoint string `json:"token_endpoint"`
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		return "", permanentError{fmt.Errorf("the answer is no discovery document: %w", err)}
	}
	if document.Issuer != s.conf.IssuerURL {
		return "", permanentError{fmt.Errorf("the document is of issuer %q, not %q", s.conf.clean(document.Issuer), s.conf.IssuerURL)}
	}
	if err := s.conf.checkURL(document.TokenEndpoint); err != nil {
		return "", permanentError{fmt.Errorf("the token_endpoint %w", err)}
	}
	return document.TokenEndpoint, nil
}
