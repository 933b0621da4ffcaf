package sarama

import (
	"fmt"
	"strings"

	"golang.org/x/net/proxy"
)

// What is printed of secrets: that there is one.
const (
	hiddenText   = "[hidden]"
	hiddenFormat = "[%d bytes, hidden]"
)

func hide(secret string) string {
	if secret == "" {
		return ""
	}
	return hiddenText
}

// printPlain prints a value whose type has no Format of its own as the verb
// says.
func printPlain(s fmt.State, verb rune, v any) {
	_, _ = fmt.Fprintf(s, fmt.FormatString(s, verb), v)
}

type plainConfig Config // has no methods

// Format prints the configuration as fmt does, but for the secrets in it:
// passwords are hidden, and of token providers and dialers, which may hold
// others, only the type is printed.
func (c Config) Format(s fmt.State, verb rune) {
	sasl := &c.Net.SASL
	sasl.Password = hide(sasl.Password)
	if sasl.TokenProvider != nil {
		sasl.TokenProvider = hiddenProvider(fmt.Sprintf("%T", sasl.TokenProvider))
	}
	if c.Net.Proxy.Dialer != nil {
		c.Net.Proxy.Dialer = hiddenDialer{proxy.Direct, fmt.Sprintf("%T", c.Net.Proxy.Dialer)}
	}
	printPlain(s, verb, plainConfig(c))
}

// hiddenProvider stands for a token provider where it is printed.
type hiddenProvider string

func (hiddenProvider) Token() (*AccessToken, error) { return nil, errAbandoned }

// hiddenDialer stands for a dialer where it is printed.
type hiddenDialer struct {
	proxy.Dialer
	name string
}

func (d hiddenDialer) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(d.name)) }

type plainGSSAPIConfig GSSAPIConfig

// Format prints the configuration as fmt does, with the password hidden.
func (c GSSAPIConfig) Format(s fmt.State, verb rune) {
	c.Password = hide(c.Password)
	printPlain(s, verb, plainGSSAPIConfig(c))
}

type plainAccessToken AccessToken

// Format prints the extensions as fmt does, with the token hidden.
func (t AccessToken) Format(s fmt.State, verb rune) {
	t.Token = hide(t.Token)
	printPlain(s, verb, plainAccessToken(t))
}

// Format prints the request without the message, in which there may be a
// password.
func (r SaslAuthenticateRequest) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "{Version:%d SaslAuthBytes:"+hiddenFormat+"}", r.Version, len(r.SaslAuthBytes))
}

// Format prints the response without the server's message, which helps who wants
// to guess a password.
func (r SaslAuthenticateResponse) Format(s fmt.State, _ rune) {
	text := ""
	if r.ErrorMessage != nil {
		text = *r.ErrorMessage
	}
	_, _ = fmt.Fprintf(s, "{Version:%d Err:%d ErrorMessage:%s SaslAuthBytes:"+hiddenFormat+" SessionLifetimeMs:%d}",
		r.Version, int16(r.Err), text, len(r.SaslAuthBytes), r.SessionLifetimeMs)
}

// Format prints the change without password, salt and what is derived from them.
func (u AlterUserScramCredentialsUpsert) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "{Name:%s Mechanism:%v Iterations:%d Salt:"+hiddenFormat+" Password:%s}",
		u.Name, u.Mechanism, u.Iterations, len(u.Salt), hide(strings.Repeat("x", len(u.Password)+len(u.salted))))
}
