package sarama

import "context"

// saslClient is the client's side of one authentication by some mechanism
// (RFC 4422). One goroutine at a time uses it.
type saslClient interface {
	// step takes the server's last message, nil at first, and returns the
	// client's next one (may be empty but then not nil); nil where the
	// authentication is over.
	step(ctx context.Context, challenge []byte) ([]byte, error)
}
