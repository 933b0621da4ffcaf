package sarama

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// pickyClient is a Client as users write them: it embeds one and changes a
// method.
type pickyClient struct {
	Client
	only     atomic.Int32 // the one partition that may be written
	refreshs atomic.Int32
}

func (c *pickyClient) WritablePartitions(topic string) ([]int32, error) {
	if _, err := c.Client.WritablePartitions(topic); err != nil {
		return nil, err
	}
	return []int32{c.only.Load()}, nil
}

func (c *pickyClient) RefreshMetadata(topics ...string) error {
	c.refreshs.Add(1)
	return c.Client.RefreshMetadata(topics...)
}

// TestProducerAsksAClientThatIsNotItsOwn makes a producer on a client whose
// WritablePartitions differ, and change.
func TestProducerAsksAClientThatIsNotItsOwn(t *testing.T) {
	var fail atomic.Bool
	s := newScript(t, standard(3, "t", 6, func(_ string, _ bridge.Header, req any) (any, error) {
		if fail.Swap(false) {
			return produceAnswer(req, ErrNotLeaderForPartition), nil
		}
		return produceAnswer(req, ErrNoError), nil
	}))
	own, err := NewClient([]string{"b1:9092"}, s.config())
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	c := &pickyClient{Client: own}
	c.only.Store(4)
	p, err := NewSyncProducerFromClient(c)
	if err != nil {
		t.Fatal(err)
	}
	send := func() int32 {
		t.Helper()
		partition, _, err := p.SendMessage(&ProducerMessage{Topic: "t", Value: StringEncoder("v")})
		if err != nil {
			t.Fatal(err)
		}
		return partition
	}
	for range 20 {
		if got := send(); got != 4 {
			t.Fatalf("written to partition %d, the client says 4", got)
		}
	}
	c.only.Store(2)
	for got := send(); got != 2; got = send() { // seen within a moment
		time.Sleep(10 * time.Millisecond)
	}
	fail.Store(true)
	before := c.refreshs.Load()
	send()
	if c.refreshs.Load() == before {
		t.Error("after NOT_LEADER the client's RefreshMetadata was not called")
	}
	keyed := &ProducerMessage{Topic: "t", Key: StringEncoder("key"), Value: StringEncoder("v")}
	if _, _, err := p.SendMessage(keyed); err != nil || keyed.Partition == 2 {
		t.Errorf("a keyed message went to %d, %v: a hash is over all partitions", keyed.Partition, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if own.Closed() {
		t.Error("the producer closed a client that is not its own")
	}
}
