package sarama_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// TestPipelinesAreExactlyOnce has members come and go, fence each other and
// fail, requests refused or lost, brokers stop, leaders and coordinators move;
// and wants the output to be the input.
func TestPipelinesAreExactlyOnce(t *testing.T) {
	seeds := 6
	if testing.Short() {
		seeds = 4
	}
	for _, kind := range pipelineKinds {
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s/%d", kind.name, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { pipelineChaos(t, kind, uint64(seed)) })
			})
		}
	}
}

func pipelineChaos(t *testing.T, kind groupKind, seed uint64) {
	b := newPipelineBench(t, kind, fakekafka.Options{TransactionVersion: []int{2, -1}[seed%2]})
	x := &txnTrouble{random: rand.New(rand.NewPCG(seed, 11)), rate: []int{0, 10, 30}[seed%3]}
	zombies := newZombies()
	undo := b.cluster.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
		if (r.API == fakekafka.Heartbeat || r.API == fakekafka.ConsumerGroupHeartbeat) && zombies.has(r.ClientID) {
			return &fakekafka.Reply{Action: fakekafka.CutBefore}
		}
		return x.see(r)
	})
	transform := func(ctx context.Context, name string, batch []*sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
		for zombies.has(name) { // whatever ctx says
			time.Sleep(time.Second)
		}
		switch x.n(20) {
		case 0:
			return nil, errors.New("transform does not want to")
		case 1:
			select {
			case <-time.After(time.Duration(x.n(3000)) * time.Millisecond):
			case <-ctx.Done():
			}
		}
		return copyMessages(ctx, batch)
	}
	members := make([]*pipelineRunner, 3)
	begin := func(i int) {
		name := fmt.Sprint("member-", i)
		r, err := b.tryStart(func(ctx context.Context, batch []*sarama.ConsumerMessage) ([]*sarama.ProducerMessage, error) {
			return transform(ctx, name, batch)
		}, func(conf *sarama.Config, o *sarama.PipelineOptions) {
			o.Retry.Max, o.Retry.BackoffMax = 1000, time.Second
			if i < 2 { // the last has another id each time
				conf.Producer.Transaction.ID = fmt.Sprint("pipeline-", i)
			}
			conf.ClientID = name
			conf.Producer.Transaction.Retry.Max = []int{1, 50}[seed/2%2]
			conf.Producer.Retry.Max = []int{2, 20}[seed%2]
		})
		if err != nil {
			t.Logf("member %d does not start: %v", i, err)
			return
		}
		members[i] = r
	}
	for range 40 {
		b.append(1 + x.n(60))
		time.Sleep(time.Duration(x.n(1000)) * time.Millisecond)
		i, at := x.n(3), int32(1+x.n(3))
		switch x.n(9) {
		case 0:
			_ = b.cluster.MoveLeader([]string{"in", "out"}[x.n(2)], int32(x.n(pipelinePartitions)), at)
		case 1:
			_ = b.cluster.MoveCoordinator("group", at)
		case 2:
			_ = b.cluster.StopBroker(at)
			time.Sleep(time.Duration(x.n(1000)) * time.Millisecond)
			_ = b.cluster.RestartBroker(at)
		case 3:
			old := members[i]
			if old == nil {
				break
			}
			begin(i) // and so fences it, but for the last
			if members[i] == old || i == 2 {
				old.cancel()
			}
			time.Sleep(time.Duration(x.n(5000)) * time.Millisecond)
			_ = old.Close()
			if <-old.done; members[i] == old {
				members[i] = nil
			}
		case 4: // others get what it has; then it goes on
			name := fmt.Sprint("member-", i)
			zombies.set(name, true)
			time.AfterFunc(12*time.Second, func() { zombies.set(name, false) })
		default:
			switch r := members[i]; {
			case r == nil:
				begin(i)
			case isDone(r.done): // transactions have been refused for good
				t.Logf("member %d: %v", i, r.err)
				_ = r.Close()
				members[i] = nil
			case x.n(2) == 0:
				r.cancel()
				_ = r.Close()
				members[i] = nil
			}
		}
	}
	undo()
	zombies.clear()
	for i, r := range members {
		if r != nil && isDone(r.done) {
			_ = r.Close()
			r = nil
		}
		if r == nil {
			begin(i)
		}
	}
	b.wantCommitted()
	for _, r := range members {
		r.cancel()
		_ = r.Close()
	}
}

// zombies are members whose heartbeats do not arrive, and who do not notice.
type zombies struct {
	mu   sync.Mutex
	list map[string]bool
}

func newZombies() *zombies { return &zombies{list: make(map[string]bool)} }

func (z *zombies) has(name string) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.list[name]
}

func (z *zombies) set(name string, is bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.list[name] = is
}

func (z *zombies) clear() {
	z.mu.Lock()
	defer z.mu.Unlock()
	clear(z.list)
}

func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
