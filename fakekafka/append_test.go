package fakekafka_test

import (
	"sync"
	"testing"

	"github.com/IBM/sarama/fakekafka"
)

// TestAppendFollowsAMovingLeader appends while the leader moves all the time:
// the control has no client's business of asking again.
func TestAppendFollowsAMovingLeader(t *testing.T) {
	cluster := fakekafka.New(t, fakekafka.Options{Brokers: 3, Topics: []fakekafka.Topic{{Name: "t", Partitions: 1}}})
	const n = 2000
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := int32(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := cluster.MoveLeader("t", 0, 1+i%3); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range n {
		offset, err := cluster.Append("t", 0, fakekafka.Record{Value: []byte("v")})
		if err != nil || offset != int64(i) {
			t.Errorf("append %d: offset %d, %v", i, offset, err)
			break
		}
	}
	close(stop)
	wg.Wait()
}
