package sarama

import "github.com/IBM/sarama/internal/wire"

// SaslHandshakeRequest names the SASL mechanism that the client is about to
// use. Version 1 means that the tokens that follow are carried in
// SaslAuthenticate requests (KIP-152).
type SaslHandshakeRequest struct {
	Version   int16
	Mechanism string
}

func (r *SaslHandshakeRequest) meta() (*api, *int16) { return apiSaslHandshake, &r.Version }

func (r *SaslHandshakeRequest) layout(c *wire.Codec) { c.String(&r.Mechanism) }

// SaslHandshakeResponse is the answer to a SaslHandshakeRequest.
type SaslHandshakeResponse struct {
	Version int16
	Err     KError
	// EnabledMechanisms are those that the broker's listener takes.
	EnabledMechanisms []string
}

func (r *SaslHandshakeResponse) meta() (*api, *int16) { return apiSaslHandshake, &r.Version }

func (r *SaslHandshakeResponse) layout(c *wire.Codec) {
	layKError(c, &r.Err)
	c.Strings(&r.EnabledMechanisms)
}

// SaslAuthenticateRequest carries one token of the SASL mechanism in use.
type SaslAuthenticateRequest struct {
	Version       int16
	SaslAuthBytes []byte
}

func (r *SaslAuthenticateRequest) meta() (*api, *int16) { return apiSaslAuthenticate, &r.Version }

func (r *SaslAuthenticateRequest) layout(c *wire.Codec) { c.Bytes(&r.SaslAuthBytes) }

// SaslAuthenticateResponse is the answer to a SaslAuthenticateRequest.
type SaslAuthenticateResponse struct {
	Version       int16
	Err           KError
	ErrorMessage  *string
	SaslAuthBytes []byte
	// SessionLifetimeMs is after how many milliseconds the broker wants the
	// client to authenticate again, 0 for never; from version 1 on (KIP-368).
	SessionLifetimeMs int64
}

func (r *SaslAuthenticateResponse) meta() (*api, *int16) { return apiSaslAuthenticate, &r.Version }

func (r *SaslAuthenticateResponse) layout(c *wire.Codec) {
	layKError(c, &r.Err)
	c.NullableString(&r.ErrorMessage)
	c.Bytes(&r.SaslAuthBytes)
	if c.From(1) {
		c.Int64(&r.SessionLifetimeMs)
	}
}
