package main

import (
	"context"
	"encoding/base64"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// static has the AWS SDK find credentials in the environment, and nothing else.
func static(t *testing.T, id, secret string) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
	} {
		t.Setenv(name, value)
	}
}

// A token is a signed URL of the cluster's region (Signature Version 4 in the
// query), in base64.
func TestTokenIsASignedURLOfTheRegion(t *testing.T) {
	static(t, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
	token, err := configFor("eu-west-1").Net.SASL.TokenProvider.Token()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(token.Token)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Scheme != "https" || u.Host != "kafka.eu-west-1.amazonaws.com" || q.Get("Action") != "kafka-cluster:Connect" {
		t.Errorf("%s", u)
	}
	scope := strings.Split(q.Get("X-Amz-Credential"), "/")
	if len(scope) != 5 || scope[0] != "AKIDEXAMPLE" || scope[2] != "eu-west-1" || scope[3] != "kafka-cluster" {
		t.Errorf("signed for %v", scope)
	}
	if q.Get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" || len(q.Get("X-Amz-Signature")) != 64 || q.Get("X-Amz-Expires") != "900" {
		t.Errorf("signature %v", q)
	}
	if strings.Contains(string(raw), "wJalr") {
		t.Error("the secret is in the token")
	}
}

func TestNoCredentialsAreAnError(t *testing.T) {
	static(t, "", "")
	if token, err := (&tokenProvider{"eu-west-1"}).Token(); err == nil || !strings.Contains(err.Error(), "region eu-west-1") {
		t.Errorf("%v, %v", token, err)
	}
}

func TestTokenEndsWithItsContext(t *testing.T) {
	static(t, "", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if token, err := (&tokenProvider{"eu-west-1"}).TokenContext(ctx); err == nil {
		t.Errorf("%v", token)
	}
}

func TestConfigurationIsValid(t *testing.T) {
	if err := configFor("eu-west-1").Validate(); err != nil {
		t.Error(err)
	}
	if err := run(nil, nil); err == nil {
		t.Error("it runs without brokers")
	}
}
