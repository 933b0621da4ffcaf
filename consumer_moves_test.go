package sarama

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// Leaders move all the time, replies are late, and yet each message comes once
// and in its turn.
func TestConsumerOrderSurvivesMovingLeaders(t *testing.T) {
	const moves, partitions = 1000, 4
	synctest.Test(t, func(t *testing.T) {
		cluster := newFakeTopics(2)
		for p := range int32(partitions) {
			cluster.create("t", p, 1)
		}
		refused := 0
		cluster.amend = func(r *fakeRequest, p *bridge.FetchedPartition) {
			if p.Err == int16(ErrNotLeaderForPartition) || p.Err == int16(ErrFencedLeaderEpoch) {
				cluster.with(func() { refused++ })
			}
			if len(p.Records) > 0 {
				time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond) // on its way while leaders move
			}
		}
		conf := cluster.config()
		conf.Consumer.Retry.Backoff = time.Millisecond
		conf.Consumer.Fetch.Default = 2000
		conf.ChannelBufferSize = 8
		own, err := NewClient([]string{"broker-1:9092"}, conf)
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewConsumerFromClient(&foreignClient{Client: own}) // which may refresh at any rate
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		var writer, readers sync.WaitGroup
		writer.Go(func() {
			for at := 0; !isClosed(done); at += 20 {
				for p := range int32(partitions) {
					cluster.writeValues("t", p, values(at, 20)...)
				}
				time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
			}
			for p := range int32(partitions) {
				cluster.writeValues("t", p, "end")
			}
		})
		for p := range int32(partitions) {
			pc := consume(t, c, "t", p, OffsetOldest)
			readers.Go(func() {
				for next := int64(0); ; next++ {
					m := <-pc.Messages()
					if m.Offset == next && string(m.Value) == "end" {
						break
					}
					if m.Offset != next || string(m.Value) != fmt.Sprintf("value-%d", next) {
						t.Errorf("partition %d: got offset %d, %q, want %d", p, m.Offset, m.Value, next)
						break
					}
				}
				_ = pc.Close()
			})
		}
		for range moves {
			cluster.move("t", rand.Int32N(partitions), 1+rand.Int32N(2))
			time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
		}
		close(done)
		writer.Wait()
		readers.Wait()
		if refused < moves/4 {
			t.Errorf("only %d fetches met a leader that had moved", refused)
		}
		t.Logf("%d moves, %d fetches refused", moves, refused)
		closeAll(t, c, own)
	})
}
