package sarama

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// TestRefusedLoginsAreHopelessWhereAllBrokersRefuse: one that is out of reach may
// let the client in once it is back.
func TestRefusedLoginsAreHopelessWhereAllBrokersRefuse(t *testing.T) {
	refused := fmt.Errorf("broker 1: %w", Wrap(ErrSASLAuthenticationFailed, errors.New("no such user")))
	hungUp := fmt.Errorf("broker 2: %w", bareRefusal(io.EOF))
	cert := ConfigurationError("no dialer")
	down := fmt.Errorf("broker 3: %w", io.EOF)
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"one":                    {refused, true},
		"the bare code":          {ErrUnsupportedSASLMechanism, true},
		"another code":           {ErrUnknownTopicOrPartition, false},
		"all":                    {Wrap(ErrOutOfBrokers, refused, hungUp, cert), true},
		"one is down":            {Wrap(ErrOutOfBrokers, refused, down), false},
		"another one is down":    {Wrap(ErrOutOfBrokers, down, refused), false},
		"wrapped, one is down":   {fmt.Errorf("client: %w", Wrap(ErrOutOfBrokers, hungUp, down)), false},
		"wrapped, all":           {fmt.Errorf("client: %w", Wrap(ErrOutOfBrokers, hungUp, refused)), true},
		"with the same sentinel": {Wrap(ErrSASLAuthenticationFailed, down), true},
	} {
		if got := hopeless(test.err); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestClientWaitsForABrokerThatIsDown where another one refuses its login.
func TestClientWaitsForABrokerThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newSASLBroker(func(string) *SaslAuthenticateResponse { return refused("no such user") }, SASLTypePlaintext)
		up := newSASLBroker(func(string) *SaslAuthenticateResponse { return &SaslAuthenticateResponse{SaslAuthBytes: []byte{}} }, SASLTypePlaintext)
		conf := n.config()
		conf.Net.SASL.Enable, conf.Net.SASL.User, conf.Net.SASL.Password = true, "user", "pencil"
		time.AfterFunc(conf.Metadata.Retry.Backoff/2, func() {
			n.listen(&fakeBroker{id: 2, addr: "other:9092", handle: up.handle})
		})
		client, err := NewClient([]string{"broker:9092", "other:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		_ = client.Close()
	})
}
