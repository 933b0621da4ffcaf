package sarama

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// slowNet is a fakeNet on which dials take their time.
type slowNet struct {
	*fakeNet
	delay time.Duration
}

func (n *slowNet) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	time.Sleep(n.delay)
	return n.fakeNet.DialContext(ctx, network, addr)
}

func (n *slowNet) Dial(network, addr string) (net.Conn, error) {
	return n.DialContext(context.Background(), network, addr)
}

// A broker that the client gives up while it is dialled does not keep its
// connection.
func TestBrokerThatIsGivenUpWhileItIsDialled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(2)
		cluster.create("t", 0, 1)
		cluster.intercept = func(r *fakeRequest) (any, bool) {
			if r.Name != "InitProducerId" {
				return nil, false
			}
			return &InitProducerIDResponse{ProducerID: 7}, true
		}
		slow := &slowNet{fakeNet: cluster.fakeNet}
		conf := cluster.config()
		conf.Net.Proxy.Dialer = slow
		c, err := NewClient([]string{"broker-1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		slow.delay = 5 * time.Second
		done := make(chan struct{})
		go func() {
			defer close(done)
			if _, err := c.InitProducerID(); err != nil {
				t.Error(err)
			}
		}()
		time.Sleep(time.Second)
		if err := c.RefreshBrokers([]string{"broker-2:9092"}); err != nil {
			t.Error(err)
		}
		<-done
		closeAll(t, c)
		time.Sleep(time.Minute)
		synctest.Wait()
		cluster.fakeNet.mu.Lock()
		n := len(cluster.fakeNet.mu.conns)
		cluster.fakeNet.mu.Unlock()
		if n > 0 {
			t.Errorf("%d connections are left", n)
			cluster.hangUp()
		}
	})
}
