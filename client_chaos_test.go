package sarama

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Brokers come and go, fall silent, hang up, move, want a rebootstrap and are
// mistaken for others, while many ask for this and that. When all is well again
// the client is, too; nobody waits for ever, and nothing stays behind.
func TestClientGetsOverWhateverHappensToItsBrokers(t *testing.T) {
	runs := uint64(20)
	if testing.Short() {
		runs = 4
	}
	for seed := range runs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				s, c := startSites(t, func(conf *Config) {
					conf.Net.ReadTimeout, conf.Net.DialTimeout = 3*time.Second, 3*time.Second
					conf.Metadata.RebootstrapTrigger = 20 * time.Second
					conf.Metadata.RefreshFrequency = 700 * time.Millisecond
				}, "s1:9092", "s2:9092")
				rest := func(req any) any {
					switch req.(type) {
					case *FindCoordinatorRequest:
						return &FindCoordinatorResponse{Coordinator: &Broker{id: 1, addr: oldBrokers[0]}}
					case *InitProducerIDRequest:
						return &InitProducerIDResponse{ProducerID: 7}
					}
					r := &OffsetResponse{}
					r.AddTopicPartition("t", 0, 7)
					return r
				}
				well := site{id: "A", brokers: oldBrokers, rest: rest}
				addrs := slices.Concat(oldBrokers, newBrokers, []string{"s1:9092", "s2:9092"})
				s.say(well, addrs...)
				end := time.Now().Add(time.Minute)
				var wg sync.WaitGroup
				for i := range 5 {
					for _, call := range []func(){
						func() { _ = c.RefreshMetadata() },
						func() { _ = c.RefreshMetadata("t", "nowhere") },
						func() { _, _ = c.Coordinator(fmt.Sprint(i)) },
						func() { _, _ = c.InitProducerID() },
						func() { _, _ = c.GetOffset("t", 0, OffsetNewest) },
						func() {
							if b, err := c.Leader("t", 1); err == nil {
								_, _ = b.Connected()
							}
						},
					} {
						wg.Go(func() {
							for time.Now().Before(end) {
								call()
								time.Sleep(100 * time.Millisecond)
							}
						})
					}
				}
				for time.Now().Before(end) {
					addr := addrs[random.IntN(len(addrs))]
					switch random.IntN(8) {
					case 0:
						s.refuse(true, addr)
					case 1, 2:
						s.refuse(false, addr)
						s.say(well, addr)
					case 3:
						s.say(site{}, addr)
					case 4:
						s.say(site{id: "A", brokers: newBrokers, rest: rest}, addr)
					case 5:
						s.say(site{id: "B", brokers: newBrokers, rest: rest}, addr)
					case 6:
						s.say(site{id: "A", brokers: oldBrokers, code: ErrRebootstrapRequired, rest: rest}, addr)
					case 7:
						if random.IntN(4) == 0 {
							if err := c.RefreshBrokers([]string{"s1:9092", addr}); err != nil {
								t.Error(err)
							}
						}
						s.hangUp()
					}
					time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
				}
				wg.Wait()
				s.refuse(false, addrs...)
				s.say(well, addrs...)
				s.hangUp()
				healed := time.Now()
				for c.RefreshMetadata("t") != nil || !slices.Equal(addrsOf(c), oldBrokers) {
					if time.Since(healed) > time.Minute {
						t.Fatalf("not well again: %v, %v", addrsOf(c), c.RefreshMetadata("t"))
					}
				}
				for p := range int32(3) {
					if b, err := c.Leader("t", p); err != nil || b.Addr() != oldBrokers[p] {
						t.Errorf("leader of %d: %v, %v", p, b, err)
					}
				}
				_ = c.Close()
				s.close()
			})
		})
	}
}
