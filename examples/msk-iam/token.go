package main

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/aws/aws-msk-iam-sasl-signer-go/signer"
)

// signTimeout bounds the signing of a token, for which credentials may have to
// be fetched.
const signTimeout = 10 * time.Second

// tokenProvider signs tokens with the AWS credentials of the environment. They
// live for 15 minutes; the client asks for one at every authentication, so that
// none is kept.
type tokenProvider struct {
	region string // constant
}

var _ sarama.AccessTokenProvider = (*tokenProvider)(nil)

// Token is that of sarama.AccessTokenProvider.
func (p *tokenProvider) Token() (*sarama.AccessToken, error) {
	return p.TokenContext(context.Background())
}

// TokenContext is Token until ctx ends, 10 s at the most.
func (p *tokenProvider) TokenContext(ctx context.Context) (*sarama.AccessToken, error) {
	ctx, cancel := context.WithTimeout(ctx, signTimeout)
	defer cancel()
	token, _, err := signer.GenerateAuthToken(ctx, p.region)
	if err != nil {
		return nil, fmt.Errorf("signing a token for region %s: %w", p.region, err)
	}
	return &sarama.AccessToken{Token: token}, nil
}
