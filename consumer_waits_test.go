package sarama_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// A broker that throttles the first fetch of a session makes none, and yet is
// not one without sessions.
func TestFetchSessionIsAskedForAgainAfterAThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, fakekafka.Options{}, sarama.MaxVersion)
		b.conf.Consumer.Retry.Max = 1
		left := 2
		b.Handle(func(r *fakekafka.Request) *fakekafka.Reply {
			if r.API != fakekafka.Fetch || left == 0 {
				return nil
			}
			left--
			return &fakekafka.Reply{Response: &sarama.FetchResponse{Version: r.Version, ThrottleTime: time.Second}}
		})
		pc := b.consume(0, sarama.OffsetOldest)
		b.write(0, 0, 3)
		b.read(pc, 0, 0, 3)
		b.polls(1)
		var epochs []string
		for _, r := range b.since() {
			if strings.HasPrefix(r, "Fetch@") {
				epochs = append(epochs, strings.Fields(r)[1])
			}
		}
		if got := strings.Join(epochs, " "); !strings.HasPrefix(got, "0 0 0 1 ") {
			t.Errorf("epochs %s, want 0 0 0 1 …", got)
		}
		b.calm(pc)
	})
}

// Where to go on is looked up only when the user has all that was fetched
// before.
func TestResetWaitsForTheFeeder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, fakekafka.Options{}, sarama.MaxVersion)
		b.conf.Consumer.Offsets.Reset = sarama.OffsetResetNewest
		b.conf.ChannelBufferSize = 0
		b.write(0, 0, 1000)
		pc := b.consume(0, sarama.OffsetOldest)
		b.read(pc, 0, 0, 2)
		b.polls(2)
		b.since()
		b.Fail(fakekafka.Fetch, "t", 0, sarama.ErrOffsetOutOfRange, 1)
		b.polls(2)
		time.Sleep(time.Minute)
		looked := func() (n int) {
			for _, r := range b.since() {
				if strings.HasPrefix(r, "ListOffsets") {
					n++
				}
			}
			return n
		}
		if n := looked(); n > 0 {
			t.Errorf("looked up %d times while messages are unread", n)
		}
		b.write(0, 5000, 7)
		b.read(pc, 2, 2, 998)
		time.Sleep(time.Second)
		if n := looked(); n != 1 {
			t.Errorf("looked up %d times", n)
		}
		b.write(0, 6000, 3)
		b.read(pc, 1007, 6000, 3)
		b.calm(pc)
	})
}
