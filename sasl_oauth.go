package sarama

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// oauthClient sends a bearer token (RFC 7628, KIP-255).
type oauthClient struct {
	provider AccessTokenProvider
	refused  []byte // what the broker has said against the token
}

// oauthGiveUp is what a client says to a broker that does not take its token,
// whereupon the broker ends the exchange (RFC 7628, section 3.2.3).
const oauthGiveUp = "\x01"

func (c *oauthClient) step(ctx context.Context, challenge []byte) ([]byte, error) {
	switch {
	case c.refused != nil:
		return nil, Wrap(ErrSASLAuthenticationFailed, fmt.Errorf("the broker has refused the token (%s), but not the client", oauthReason(c.refused)))
	case len(challenge) > 0:
		c.refused = challenge
		return []byte(oauthGiveUp), nil
	case challenge != nil:
		return nil, nil
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, fmt.Errorf("getting a token: %w", err)
	}
	return oauthMessage(token)
}

func (c *oauthClient) token(ctx context.Context) (*AccessToken, error) {
	if p, ok := c.provider.(ContextAccessTokenProvider); ok {
		return p.TokenContext(ctx)
	}
	return c.provider.Token()
}

// why is the broker's reason for its refusal, where it has given one.
func (c *oauthClient) why() string {
	if c.refused == nil {
		return ""
	}
	return oauthReason(c.refused)
}

// oauthReason reads what a broker says of a token that it does not take.
func oauthReason(challenge []byte) string {
	var reason struct{ Status, Scope string }
	if json.Unmarshal(challenge, &reason) != nil || reason.Status == "" {
		return fmt.Sprintf("%.256q", challenge)
	}
	text := fmt.Sprintf("status %.256q", reason.Status)
	if reason.Scope != "" {
		text += fmt.Sprintf(", scope %.256q", reason.Scope)
	}
	return text
}

// oauthMessage is the client's message for a token and its extensions
// (KIP-342), those in the order of their keys.
func oauthMessage(token *AccessToken) ([]byte, error) {
	switch {
	case token == nil || token.Token == "":
		return nil, errors.New("the token provider has returned no token")
	case strings.ContainsFunc(token.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the token provider's token has characters in it that are not of tokens")
	}
	message := []byte("n,,\x01" + SASLExtKeyAuth + "=Bearer " + token.Token)
	for _, key := range slices.Sorted(maps.Keys(token.Extensions)) {
		value := token.Extensions[key]
		switch {
		case key == SASLExtKeyAuth:
			return nil, fmt.Errorf("the extension key %q is reserved for the token", SASLExtKeyAuth)
		case key == "" || strings.ContainsFunc(key, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }):
			return nil, fmt.Errorf("the extension key %q is not made of letters", key)
		case value == "" || strings.ContainsFunc(value, func(r rune) bool { return (r < ' ' || r > '~') && !strings.ContainsRune("\t\r\n", r) }):
			return nil, fmt.Errorf("the value of extension %q is empty or has characters in it that can't be sent", key)
		}
		message = append(message, "\x01"+key+"="+value...)
	}
	return append(message, "\x01\x01"...), nil
}
