package sarama

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
)

// secretToken is a provider that would be printed whole.
type secretToken struct{ Secret string }

func (s secretToken) Token() (*AccessToken, error) { return &AccessToken{Token: s.Secret}, nil }

// secretDialer is a dialer that would be printed whole.
type secretDialer struct{ URL string }

func (secretDialer) Dial(string, string) (net.Conn, error)                         { return nil, nil }
func (secretDialer) DialContext(context.Context, string, string) (net.Conn, error) { return nil, nil }

// TestSecretsAreNotPrinted by any verb, at any depth.
func TestSecretsAreNotPrinted(t *testing.T) {
	const secret = "s3cr3t"
	conf := NewConfig()
	conf.Net.TLS.Config = &tls.Config{ServerName: "host"}
	conf.Net.SASL.User, conf.Net.SASL.Password = "ann", secret
	conf.Net.SASL.TokenProvider = secretToken{secret}
	conf.Net.SASL.GSSAPI.Username, conf.Net.SASL.GSSAPI.Password = "ann", secret
	conf.Net.Proxy.Dialer = secretDialer{"socks5://ann:" + secret + "@proxy"}
	upsert := AlterUserScramCredentialsUpsert{Name: "ann", Mechanism: SCRAM_MECHANISM_SHA_256, Salt: []byte(secret), Password: []byte(secret), salted: []byte(secret)}
	for _, value := range []any{
		conf, *conf, struct{ Conf *Config }{conf}, struct{ Conf Config }{*conf}, []*Config{conf}, map[string]Config{"x": *conf},
		conf.Net.SASL.GSSAPI, &conf.Net.SASL.GSSAPI, AccessToken{Token: secret}, &AccessToken{Token: secret},
		&SaslAuthenticateRequest{SaslAuthBytes: []byte(secret)}, SaslAuthenticateRequest{SaslAuthBytes: []byte(secret)},
		&SaslAuthenticateResponse{SaslAuthBytes: []byte(secret)}, upsert, &upsert,
		&AlterUserScramCredentialsRequest{Upsertions: []AlterUserScramCredentialsUpsert{upsert}},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.5v"} {
			text := fmt.Sprintf(verb, value)
			for _, form := range []string{secret, "115 51 99 114 51 116", fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("%#v", []byte(secret))} {
				if strings.Contains(text, strings.Trim(form, "[]{}")) {
					t.Errorf("%T by %s: %s", value, verb, text)
				}
			}
		}
	}
	if text := fmt.Sprintf("%+v", conf); !strings.Contains(text, "User:ann") || !strings.Contains(text, hiddenText) || !strings.Contains(text, "secretToken") || !strings.Contains(text, "ClientID:sarama") {
		t.Errorf("what is no secret is missing: %s", text)
	}
	if conf.Net.SASL.Password != secret || conf.Net.Proxy.Dialer != (secretDialer{"socks5://ann:" + secret + "@proxy"}) {
		t.Error("printing has changed the configuration")
	}
	empty := fmt.Sprintf("%+v", NewConfig())
	if strings.Contains(empty, hiddenText) {
		t.Errorf("a secret where there is none: %s", empty)
	}
	if text := fmt.Sprint((*Config)(nil)); text != "<nil>" {
		t.Errorf("nil is %s", text)
	}
}
