package oidclocal

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func noErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	noErr(t, err)
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// call returns what an endpoint says.
func call(t *testing.T, method, where string, form url.Values, id, secret string) (status int, body map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, where, strings.NewReader(form.Encode()))
	noErr(t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if id != "" {
		req.SetBasicAuth(id, secret)
	}
	resp, err := http.DefaultClient.Do(req)
	noErr(t, err)
	defer resp.Body.Close()
	noErr(t, json.NewDecoder(resp.Body).Decode(&body))
	return resp.StatusCode, body
}

// check judges a token by nothing but the keys that the issuer publishes.
func check(t *testing.T, keysURL, token string) (claims map[string]any, err error) {
	t.Helper()
	_, body := call(t, http.MethodGet, keysURL, nil, "", "")
	key := body["keys"].([]any)[0].(map[string]any)
	decode := func(text string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(text)
		noErr(t, err)
		return b
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(decode(key["n"].(string))), E: int(new(big.Int).SetBytes(decode(key["e"].(string))).Int64())}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	var header map[string]string
	noErr(t, json.Unmarshal(decode(parts[0]), &header))
	if header["alg"] != "RS256" || header["kid"] != key["kid"] {
		t.Errorf("%v", header)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	noErr(t, json.Unmarshal(decode(parts[1]), &claims))
	return claims, rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], decode(parts[2]))
}

func TestTokensAreGivenForTheRightSecret(t *testing.T) {
	s := start(t, Options{Audience: "kafka", Lifetime: 90 * time.Second, Clients: map[string]string{"me:1": "s&c%ret"}})
	form := func(more ...string) url.Values {
		v := url.Values{"grant_type": {"client_credentials"}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	for _, c := range []struct {
		name       string
		form       url.Values
		id, secret string
		status     int
		error      any
	}{
		{"header", form(), url.QueryEscape("me:1"), url.QueryEscape("s&c%ret"), 200, nil},
		{"form", form("client_id", "me:1", "client_secret", "s&c%ret"), "", "", 200, nil},
		{"a wrong secret in the header", form(), "me%3A1", "wrong", 401, "invalid_client"},
		{"a wrong secret in the form", form("client_id", "me:1", "client_secret", "wrong"), "", "", 401, "invalid_client"},
		{"nobody", form(), "", "", 401, "invalid_client"},
		{"another grant", url.Values{"grant_type": {"password"}}, "me%3A1", "s", 400, "unsupported_grant_type"},
		{"a form that is none", url.Values{"grant_type": {strings.Repeat("x", maxForm)}}, "me%3A1", "s", 400, "invalid_request"},
	} {
		before := time.Now().Unix()
		status, body := call(t, http.MethodPost, s.TokenURL(), c.form, c.id, c.secret)
		if status != c.status || body["error"] != c.error {
			t.Errorf("%s: %d %v", c.name, status, body)
		}
		if c.status != 200 || status != 200 {
			continue
		}
		claims, err := check(t, s.KeysURL(), body["access_token"].(string))
		noErr(t, err)
		exp, iat := claims["exp"].(float64), claims["iat"].(float64)
		if claims["sub"] != "me:1" || claims["aud"] != "kafka" || claims["iss"] != s.Issuer() || exp-iat != 90 || iat < float64(before) || body["expires_in"] != 90.0 {
			t.Errorf("%s: %v, %v", c.name, claims, body)
		}
	}
	if got := s.Requests(TokenPath); got != 7 {
		t.Errorf("%d requests for tokens", got)
	}
}

func TestDiscoveryLeadsToTheEndpoints(t *testing.T) {
	s := start(t, Options{})
	_, d := call(t, http.MethodGet, s.Issuer()+DiscoveryPath, nil, "", "")
	if d["issuer"] != s.Issuer() || d["jwks_uri"] != s.KeysURL() || d["token_endpoint"] != s.TokenURL() || s.Requests(DiscoveryPath) != 1 {
		t.Errorf("%v", d)
	}
}

func TestFailuresEndAfterAsManyAsWereAskedFor(t *testing.T) {
	s := start(t, Options{Clients: map[string]string{"me": "x"}})
	s.Fail(2, http.StatusServiceUnavailable)
	form := url.Values{"grant_type": {"client_credentials"}}
	for i, want := range []int{503, 503, 200} {
		if status, body := call(t, http.MethodPost, s.TokenURL(), form, "me", "x"); status != want {
			t.Errorf("request %d: %d %v", i, status, body)
		}
	}
	s.SetLifetime(-time.Minute)
	_, body := call(t, http.MethodPost, s.TokenURL(), form, "me", "x")
	if body["expires_in"] != -60.0 {
		t.Errorf("%v", body)
	}
}

func TestATokenThatWasChangedIsNone(t *testing.T) {
	s := start(t, Options{})
	token, err := s.Sign(s.Claims("me"))
	noErr(t, err)
	other, err := s.Sign(s.Claims("you"))
	noErr(t, err)
	a, b := strings.Split(token, "."), strings.Split(other, ".")
	if _, err := check(t, s.KeysURL(), a[0]+"."+b[1]+"."+a[2]); err == nil {
		t.Error("another's claims are taken")
	}
	if _, err := s.Sign(Claims{"x": make(chan int)}); err == nil {
		t.Error("a channel was signed")
	}
}

// OpenSSL checks the signature of a token, where it is installed.
func TestOpenSSLTakesTheSignature(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skipf("openssl, which checks the signature, is missing (it is a package of that name): %v", err)
	}
	s := start(t, Options{})
	token, err := s.Sign(s.Claims("me"))
	noErr(t, err)
	dot := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	noErr(t, err)
	dir := t.TempDir()
	signaturePath, publicPath := filepath.Join(dir, "signature"), filepath.Join(dir, "public")
	noErr(t, os.WriteFile(signaturePath, signature, 0o600))
	noErr(t, os.WriteFile(publicPath, publicPEM(t, s), 0o600))
	for text, want := range map[string]string{token[:dot]: "Verified OK", token[:dot-1]: "Verification failure"} {
		cmd := exec.CommandContext(t.Context(), openssl, "dgst", "-sha256", "-verify", publicPath, "-signature", signaturePath)
		cmd.Stdin = strings.NewReader(text)
		out, _ := cmd.CombinedOutput()
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("%s, want %s", out, want)
		}
	}
}

// publicPEM is the issuer's public key as OpenSSL reads it.
func publicPEM(t *testing.T, s *Server) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
	noErr(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
