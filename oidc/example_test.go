package oidc_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/oidc"
)

// A client that logs in with tokens of an OpenID Connect provider.
func Example() {
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"eyJ...","token_type":"Bearer","expires_in":3600}`)
	}))
	defer login.Close()

	tokens, err := oidc.New(oidc.Config{
		TokenURL:     login.URL, // such as https://login.example.com/oauth2/token
		ClientID:     "orders",
		ClientSecret: "secret",
		Scopes:       []string{"kafka"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tokens.Close()

	config := sarama.NewConfig()
	config.Net.TLS.Enable = true
	config.Net.SASL.Enable = true
	config.Net.SASL.Mechanism = sarama.SASLTypeOAuth
	config.Net.SASL.TokenProvider = tokens

	token, err := tokens.Token() // as the client does for each connection
	fmt.Println(token.Token, err)
	// Output: eyJ... <nil>
}
