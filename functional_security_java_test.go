package sarama_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama/internal/certlocal"
	"github.com/IBM/sarama/internal/kafkalocal"
)

// javaLogin is how Kafka's own client for Java logs in.
type javaLogin struct {
	name, listener, mechanism string
	jaas                      string // the login module with its options
	more                      map[string]string
	refused                   string // what it says when it is not let in, or ""
}

func (k *secureKafka) javaLogins(t *testing.T) []javaLogin {
	const modules = "org.apache.kafka.common.security."
	with := func(module, user, password string) string {
		return fmt.Sprintf(`%s%s required username="%s" password="%s"`, modules, module, user, password)
	}
	const plain, scram = "plain.PlainLoginModule", "scram.ScramLoginModule"
	token := k.newDelegationToken(t, time.Hour)
	oauth := map[string]string{
		"sasl.login.callback.handler.class":   modules + "oauthbearer.OAuthBearerLoginCallbackHandler",
		"sasl.oauthbearer.token.endpoint.url": k.oidc.TokenURL(), "sasl.oauthbearer.header.urlencode": "true",
	}
	bearer := func(secret string) string {
		return fmt.Sprintf(`%soauthbearer.OAuthBearerLoginModule required clientId="oauth" clientSecret="%s" extension_traceId="7"`, modules, secret)
	}
	return []javaLogin{
		{"mutual TLS", listenerMutual, "", "", certlocal.KafkaProperties(k.client, k.ca), ""},
		{"no certificate", listenerMutual, "", "", certlocal.KafkaProperties(nil, k.ca), "SslAuthenticationException"},
		{"PLAIN", listenerSASL, "PLAIN", with(plain, "plain", k.plain), nil, ""},
		{"PLAIN, not ASCII, over TLS", listenerReauthTLS, "PLAIN", with(plain, "odd", k.odd), certlocal.KafkaProperties(nil, k.ca), ""},
		{"PLAIN, wrong", listenerSASL, "PLAIN", with(plain, "plain", "wrong"), nil, "Invalid username or password"},
		{"SCRAM-SHA-256, not ASCII", listenerReauth, "SCRAM-SHA-256", with(scram, "odd", k.odd), nil, ""},
		{"SCRAM-SHA-512 over TLS", listenerSASLTLS, "SCRAM-SHA-512", with(scram, "scram", k.password), certlocal.KafkaProperties(nil, k.ca), ""},
		{"delegation token", listenerSASL, "SCRAM-SHA-256", with(scram, token.id, token.hmac) + ` tokenauth="true"`, nil, ""},
		{"OAUTHBEARER", listenerSASL, "OAUTHBEARER", bearer(k.clientKey), oauth, ""},
	}
}

// write makes the file that --command-config names.
func (j javaLogin) write(t *testing.T) (path string) {
	t.Helper()
	p := map[string]string{"security.protocol": j.listener}
	switch {
	case j.listener == listenerMutual:
	case strings.HasPrefix(j.listener, "SASL_SSL"):
		p["security.protocol"] = "SASL_SSL"
	default:
		p["security.protocol"] = "SASL_PLAINTEXT"
	}
	if j.mechanism != "" {
		p["sasl.mechanism"], p["sasl.jaas.config"] = j.mechanism, j.jaas+";"
	}
	maps.Copy(p, j.more)
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(p)) {
		value := strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(p[key])
		var ascii strings.Builder
		for _, r := range value {
			switch {
			case r < 0x80:
				ascii.WriteRune(r)
			case r > 0xffff:
				r -= 0x10000
				fmt.Fprintf(&ascii, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
			default:
				fmt.Fprintf(&ascii, `\u%04x`, r)
			}
		}
		fmt.Fprintf(&b, "%s=%s\n", key, ascii.String())
	}
	path = filepath.Join(t.TempDir(), "client.properties")
	mustTxn(t, "client.properties", os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// TestFunctionalSecurityOfJava has Kafka's own producer log in, in every way:
// what the broker lets in and what not does then not depend on this module.
func TestFunctionalSecurityOfJava(t *testing.T) {
	t.Parallel()
	k := sharedSecureKafka(t)
	topic := k.securityTopic(t, 1)
	var want []string
	t.Run("logins", func(t *testing.T) {
		for _, j := range k.javaLogins(t) {
			if j.refused == "" {
				want = append(want, j.name)
			}
			t.Run(j.name, func(t *testing.T) {
				t.Parallel()
				k.javaProduce(t, j, topic)
			})
		}
	})
	var got []string
	for _, m := range k.consume(t, k.config(), topic, 0, 0, len(want)) {
		got = append(got, string(m.Value))
	}
	slices.Sort(want)
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("%q came, want %q", got, want)
	}
}

func (k *secureKafka) javaProduce(t *testing.T, j javaLogin, topic string) {
	t.Helper()
	var out strings.Builder
	r, err := kafkalocal.StartTool(t.Context(), k.real.Version(), kafkalocal.ToolOptions{
		Class: "org.apache.kafka.tools.ConsoleProducer", JVMArgs: []string{"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=" + k.oidc.TokenURL()},
		Args: []string{"--bootstrap-server", k.listener(t, j.listener).addrs[0], "--command-config", j.write(t), "--topic", topic,
			"--command-property", "max.block.ms=60000"},
		Stdin: strings.NewReader(j.name + "\n"), Stdout: &out, Stderr: &out,
	})
	mustTxn(t, "ConsoleProducer", err)
	err = r.Wait(t.Context())
	if text := out.String(); j.refused == "" && (err != nil || strings.Contains(text, "ERROR")) || j.refused != "" && !strings.Contains(text, j.refused) {
		t.Errorf("%v, want %q: %.1500s", err, j.refused, text)
	}
}
