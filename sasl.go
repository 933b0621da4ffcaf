package sarama

import "context"

// SASLMechanism is the name of a way to authenticate, as the SASL handshake
// sends it.
type SASLMechanism string

// The mechanisms for Config.Net.SASL.Mechanism.
const (
	// SASLTypeOAuth sends a bearer token (RFC 7628, KIP-255).
	SASLTypeOAuth = "OAUTHBEARER"
	// SASLTypePlaintext sends user and password as they are (RFC 4616).
	SASLTypePlaintext = "PLAIN"
	// SASLTypeSCRAMSHA256 proves the password by SCRAM with SHA-256 (RFC 5802,
	// KIP-84).
	SASLTypeSCRAMSHA256 = "SCRAM-SHA-256"
	// SASLTypeSCRAMSHA512 proves the password by SCRAM with SHA-512.
	SASLTypeSCRAMSHA512 = "SCRAM-SHA-512"
	// SASLTypeGSSAPI uses Kerberos 5 (RFC 4752).
	SASLTypeGSSAPI = "GSSAPI"
)

const (
	// SASLHandshakeV0 sends the SASL tokens bare after the handshake, as
	// brokers before 1.0 want it.
	SASLHandshakeV0 = int16(0)
	// SASLHandshakeV1 puts the SASL tokens into SaslAuthenticate requests, so
	// that the broker can say why it refuses (KIP-152).
	SASLHandshakeV1 = int16(1)

	// SASLExtKeyAuth is the key under which OAUTHBEARER sends the token, and so
	// the one that no extension may have.
	SASLExtKeyAuth = "auth"
)

// AccessToken is what an AccessTokenProvider gives for one authentication.
type AccessToken struct {
	// Token is the bearer token.
	Token string
	// Extensions are sent along, in the order of their keys (KIP-342).
	Extensions map[string]string
}

// AccessTokenProvider gives the token for OAUTHBEARER.
type AccessTokenProvider interface {
	// Token is called for every authentication of every connection, from many
	// goroutines. It should return a token that is still valid for a while.
	// Its error fails the connection; requests are then retried as after a
	// network failure, unless it is ErrSASLAuthenticationFailed for errors.Is.
	// Who waits for a connection waits for Token no longer than
	// Net.ReadTimeout, nor after Close.
	Token() (*AccessToken, error)
}

// ContextAccessTokenProvider is an AccessTokenProvider whose fetches can be
// ended. Where a provider has it, TokenContext is called in place of Token.
type ContextAccessTokenProvider interface {
	AccessTokenProvider
	// TokenContext is Token under a context, which ends with the connection that
	// the token is for, and after Net.ReadTimeout.
	TokenContext(ctx context.Context) (*AccessToken, error)
}

// SCRAMClient is the client's side of one SCRAM authentication. One is made
// for each, and used by one goroutine.
type SCRAMClient interface {
	// Begin readies the client for an exchange with these credentials.
	Begin(userName, password, authzID string) error
	// Step takes the broker's message, which is empty at first, and returns
	// the client's next one.
	Step(challenge string) (response string, err error)
	// Done reports whether the exchange is over.
	Done() bool
}

// How GSSAPIConfig.AuthType gets at the Kerberos credentials.
const (
	// KRB5_USER_AUTH logs in with Username and Password.
	KRB5_USER_AUTH = 1
	// KRB5_KEYTAB_AUTH logs in with Username and the key in KeyTabPath.
	KRB5_KEYTAB_AUTH = 2
	// KRB5_CCACHE_AUTH takes the tickets in CCachePath.
	KRB5_CCACHE_AUTH = 3
)

// BuildSpnFunc returns the service principal name of a broker for the service
// name of the configuration and the broker's host.
type BuildSpnFunc func(serviceName, host string) string

// GSSAPIConfig says how to authenticate by Kerberos.
type GSSAPIConfig struct {
	// AuthType is KRB5_USER_AUTH, KRB5_KEYTAB_AUTH or KRB5_CCACHE_AUTH.
	AuthType int
	// KeyTabPath is the keytab file, for KRB5_KEYTAB_AUTH.
	KeyTabPath string
	// CCachePath is the credential cache file, for KRB5_CCACHE_AUTH.
	CCachePath string
	// KerberosConfigPath is the configuration file of Kerberos, often
	// /etc/krb5.conf. Required.
	KerberosConfigPath string
	// ServiceName is the first part of the brokers' principal, often "kafka".
	// Required.
	ServiceName string
	// Username is the principal of the client, without realm. Required.
	Username string
	// Password belongs to Username, for KRB5_USER_AUTH.
	Password string
	// Realm is the client's realm. Required.
	Realm string
	// DisablePAFXFAST turns off FAST pre-authentication, which Active
	// Directory may not know.
	DisablePAFXFAST bool
	// BuildSpn makes the brokers' principal. Nil means "ServiceName/host".
	BuildSpn BuildSpnFunc
}
