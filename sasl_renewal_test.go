package sarama

import (
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLoginLeavesAnAnswerAloneThatIsStillRead: when the link ends, its reader may
// be in the middle of an answer. The race detector is what watches.
func TestLoginLeavesAnAnswerAloneThatIsStillRead(t *testing.T) {
	conf := NewConfig()
	conf.Net.SASL.Handshake = false
	l := newLink(NewBroker("broker:9092"), conf)
	g := &saslLogin{link: l, client: &plainClient{}, message: []byte{}}
	read := make(chan struct{})
	_, _, err := g.run(t.Context(), func(_, resp body, _ func() error) error {
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

// newSessionBroker is a broker that grants sessions, and whose answers before
// makes late, or keeps back by returning false.
func newSessionBroker(t *testing.T, lifetimeMs int64, before func(req any) bool) (*saslBroker, *Broker) {
	t.Helper()
	n := newSASLBroker(func(string) *SaslAuthenticateResponse {
		return &SaslAuthenticateResponse{SaslAuthBytes: []byte{}, SessionLifetimeMs: lifetimeMs}
	}, SASLTypePlaintext)
	n.listen(&fakeBroker{id: 1, addr: "broker:9092", handle: func(r *fakeRequest) any {
		if !before(r.body) {
			return nil
		}
		if _, ok := r.body.(*JoinGroupRequest); ok {
			return &JoinGroupResponse{Version: r.Version}
		}
		return n.handle(r)
	}})
	conf := n.config()
	conf.Net.SASL.Enable, conf.Net.SASL.User, conf.Net.SASL.Password = true, "user", "pencil"
	b := NewBroker("broker:9092")
	if err := b.Open(conf); err != nil {
		t.Fatal(err)
	}
	return n, b
}

func (n *saslBroker) logins() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.said)
}

// TestSessionsShorterThanTheirRenewal never let a request be sent: it is told so
// and does not wait for ever.
func TestSessionsShorterThanTheirRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, b := newSessionBroker(t, 1, func(any) bool {
			time.Sleep(5 * time.Millisecond)
			return true
		})
		defer closeQuietly(b)
		asked := make(chan error, 1)
		go func() {
			_, err := b.GetMetadata(&MetadataRequest{Version: 9})
			asked <- err
		}()
		select {
		case err := <-asked:
			if err == nil || !strings.Contains(err.Error(), "session") || loginRefused(err) {
				t.Errorf("the request: %v", err)
			}
		case <-time.After(time.Minute):
			t.Errorf("the request still waits after %d logins", n.logins())
		}
	})
}

// TestRenewalBehindASlowAnswer: the broker counts a session from its last token
// on, not from when the client began to wait for an answer before that.
func TestRenewalBehindASlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, b := newSessionBroker(t, 60_000, func(req any) bool {
			if _, ok := req.(*JoinGroupRequest); ok {
				time.Sleep(3 * time.Minute)
			}
			return true
		})
		defer closeQuietly(b)
		joined := make(chan error, 1)
		go func() {
			_, err := b.JoinGroup(&JoinGroupRequest{Version: 1, GroupId: "g", RebalanceTimeout: 300_000})
			joined <- err
		}()
		time.Sleep(58 * time.Second)
		if _, err := b.GetMetadata(&MetadataRequest{Version: 9}); err != nil {
			t.Error(err)
		}
		if err := <-joined; err != nil {
			t.Error(err)
		}
		if got := n.logins(); got != 2 {
			t.Errorf("%d logins, wanted one and its renewal", got)
		}
	})
}

// TestRenewalThatIsNotAnswered is given up after Net.ReadTimeout, however long a
// request that was answered long ago might have taken.
func TestRenewalThatIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, b := newSessionBroker(t, 60_000, func(req any) bool {
			_, handshake := req.(*SaslHandshakeRequest)
			return !handshake || time.Since(start) == 0
		})
		defer closeQuietly(b)
		if _, err := b.JoinGroup(&JoinGroupRequest{Version: 1, GroupId: "g", RebalanceTimeout: 1_800_000}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		since := time.Now()
		var timeout net.Error
		_, err := b.GetMetadata(&MetadataRequest{Version: 9})
		if took := time.Since(since); !errors.As(err, &timeout) || !timeout.Timeout() || took != NewConfig().Net.ReadTimeout {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// closeQuietly closes a broker, and has what is at work at the other end come to
// its end.
func closeQuietly(b *Broker) {
	_ = b.Close()
	time.Sleep(time.Hour)
}
