package sarama

import (
	"testing"
)

// TestLoginLeavesAnAnswerAloneThatIsStillRead: when the link ends, its reader may
// be in the middle of an answer. The race detector is what watches.
func TestLoginLeavesAnAnswerAloneThatIsStillRead(t *testing.T) {
	conf := NewConfig()
	conf.Net.SASL.Handshake = false
	l := newLink(NewBroker("broker:9092"), conf)
	g := &saslLogin{link: l, client: &plainClient{}, message: []byte{}}
	read := make(chan struct{})
	_, err := g.run(t.Context(), func(_, resp body, _ func() error) error {
		go func() {
			defer close(read)
			*resp.(*SaslAuthenticateResponse) = SaslAuthenticateResponse{SessionLifetimeMs: 1, SaslAuthBytes: []byte{1}}
		}()
		return ErrNotConnected
	})
	<-read
	if err == nil {
		t.Error("the end of the link is not told")
	}
}
