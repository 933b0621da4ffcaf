// Package oidclocal is an issuer of OAuth 2 tokens on this machine, for tests:
// it has a discovery document (OpenID Connect Discovery 1.0), an endpoint for
// the client credentials grant (RFC 6749, section 4.4), and the keys (RFC 7517)
// by which its tokens can be checked, which are JWTs signed by RS256 (RFC 7519).
package oidclocal

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Options says what an issuer gives to whom.
type Options struct {
	// Audience is who the tokens are for.
	Audience string
	// Lifetime is how long tokens are good; 0 is an hour.
	Lifetime time.Duration
	// Clients are those that get tokens: their secrets by their ids. The id is
	// the token's subject.
	Clients map[string]string
}

// The paths of what an issuer offers.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	KeysPath      = "/jwks"
	TokenPath     = "/token"
)

const keyID = "key-1"

// Server is an issuer that runs. Its methods may be called from any goroutine.
type Server struct {
	// constant after Start
	audience string
	clients  map[string]string
	key      *rsa.PrivateKey
	url      string
	http     *http.Server
	done     chan struct{} // closed when the server has ended

	// mu guards
	mu        sync.Mutex
	lifetime  time.Duration
	requests  map[string]int // by path
	failures  int            // how many requests for tokens are still to fail
	failureAs int            // and with which HTTP status
	issued    int64
}

// Start has an issuer listen at a port of 127.0.0.1 that the system chooses.
func Start(o Options) (*Server, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("oidclocal: key: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("oidclocal: %w", err)
	}
	s := &Server{
		audience: o.Audience, clients: maps.Clone(o.Clients), key: key, url: "http://" + l.Addr().String(), done: make(chan struct{}),
		lifetime: o.Lifetime, requests: make(map[string]int),
	}
	if s.lifetime == 0 {
		s.lifetime = time.Hour
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+DiscoveryPath, s.discovery)
	mux.HandleFunc("GET "+KeysPath, s.keys)
	mux.HandleFunc("POST "+TokenPath, s.token)
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l)
	}()
	return s, nil
}

// Close ends the issuer and all connections to it.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}

// Issuer is what tokens name as their issuer, the URL that everything is below.
func (s *Server) Issuer() string { return s.url }

// KeysURL is where the keys are.
func (s *Server) KeysURL() string { return s.url + KeysPath }

// TokenURL is where tokens are given.
func (s *Server) TokenURL() string { return s.url + TokenPath }

// SetLifetime says how long tokens are good from now on.
func (s *Server) SetLifetime(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lifetime = d
}

// Fail has the next n requests for a token fail with this HTTP status.
func (s *Server) Fail(n, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures, s.failureAs = n, status
}

// Requests is how many requests there were for a path.
func (s *Server) Requests(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[path]
}

func (s *Server) count(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[path]++
}

// Claims are what a token says, in the terms of RFC 7519.
type Claims map[string]any

// Claims are those of a token that is issued to a subject now.
func (s *Server) Claims(subject string) Claims {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued++
	now := time.Now()
	return Claims{
		"iss": s.url, "aud": s.audience, "sub": subject, "scope": "kafka", "jti": fmt.Sprint(s.issued),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(s.lifetime).Unix(),
	}
}

// Sign makes a token of what it says, whatever that is.
func (s *Server) Sign(c Claims) (string, error) {
	claims, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("oidclocal: claims: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"RS256","typ":"JWT","kid":"`+keyID+`"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("oidclocal: signing: %w", err)
	}
	return text + "." + encode(signature), nil
}

func (s *Server) discovery(w http.ResponseWriter, r *http.Request) {
	s.count(r.URL.Path)
	answer(w, http.StatusOK, map[string]any{
		"issuer": s.url, "jwks_uri": s.KeysURL(), "token_endpoint": s.TokenURL(),
		"grant_types_supported":                 []string{"client_credentials"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	s.count(r.URL.Path)
	encode := base64.RawURLEncoding.EncodeToString
	answer(w, http.StatusOK, map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": keyID,
		"n": encode(s.key.N.Bytes()), "e": encode(big.NewInt(int64(s.key.E)).Bytes()),
	}}})
}

// maxForm bounds the body of a request for a token.
const maxForm = 64 << 10

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.count(r.URL.Path)
	if status := s.failure(); status != 0 {
		answer(w, status, map[string]any{"error": "temporarily_unavailable"})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
		return
	}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		answer(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
		return
	}
	id, secret := credentials(r)
	if want, known := s.clients[id]; !known || secret != want {
		w.Header().Set("WWW-Authenticate", "Basic")
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	claims := s.Claims(id)
	signed, err := s.Sign(claims)
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]any{"error": "server_error"})
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"access_token": signed, "token_type": "Bearer", "expires_in": claims["exp"].(int64) - claims["iat"].(int64), "scope": "kafka",
	})
}

// failure is the status that a request is to fail with, or 0.
func (s *Server) failure() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures == 0 {
		return 0
	}
	s.failures--
	return s.failureAs
}

// credentials are those of the header, in which both are encoded as in a form
// (RFC 6749, section 2.3.1), or else of the form.
func credentials(r *http.Request) (id, secret string) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if plain, err := url.QueryUnescape(id); err == nil {
		id = plain
	}
	if plain, err := url.QueryUnescape(secret); err == nil {
		secret = plain
	}
	return id, secret
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whom it cannot be written to has gone
}
