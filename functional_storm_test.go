package sarama_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

const (
	stormPartitions = 12
	stormRate       = 500 // messages a second
	stormMembersMax = 6
)

// stormSeconds is how long each storm lasts: SARAMA_STORM_SECONDS, for the
// figures, or what fits into a run of all tests.
func stormSeconds(t *testing.T) (seconds int, full bool) {
	v := os.Getenv("SARAMA_STORM_SECONDS")
	if v == "" {
		return 5, false
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatal(err)
	}
	return n, true
}

// TestFunctionalStorm has a member join or leave each second while messages
// arrive: none may be missed, or committed without having been processed, and
// no partition may have two owners. How long a partition stood still and how
// long it took to leave is logged and, in a full run, bounded.
func TestFunctionalStorm(t *testing.T) {
	seconds, full := stormSeconds(t)
	s := sharedKafka(t)
	for _, kind := range groupKinds {
		if !full && kind.name != "cooperative-sticky" && kind.assignor != "uniform" {
			continue // two kinds fit into a run of all tests
		}
		t.Run(kind.name, func(t *testing.T) {
			topic, group, l := s.topic(t, stormPartitions, nil), s.group(t), newGroupLedger(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(seconds)*time.Second)
			defer cancel()
			sent := make(chan int)
			go func() { sent <- s.produceSteadily(ctx, t, topic) }()
			leave := s.storm(ctx, t, l, kind, group, topic)
			n := <-sent
			last := startMember(t, l, "last", group, s.addrs, s.groupConfig(kind), topic)
			l.awaitCount(n)
			last.stop()
			s.checkCommits(t, l, group, topic, true)
			stall := l.longestStall()
			t.Logf("%d messages, %d of them processed again, longest stall %v, longest leave %v", n, l.duplicates(), stall, leave)
			if full && (stall > time.Second || leave > time.Second) {
				t.Errorf("longest stall %v, longest leave %v, want at most 1s each", stall, leave)
			}
		})
	}
}

// storm lets members come and go, and returns how long the slowest took to
// leave. One stays in the end, until the test ends.
func (s *site) storm(ctx context.Context, t *testing.T, l *groupLedger, kind groupKind, group, topic string) (slowest time.Duration) {
	random := rand.New(rand.NewPCG(3, 8))
	var members []*groupRunner
	start := func(i int) {
		members = append(members, startMember(t, l, fmt.Sprintf("member-%d", i), group, s.addrs, s.groupConfig(kind), topic))
	}
	start(0)
	l.awaitShares(stormPartitions)
	start(1)
	for i := 2; ; i++ {
		select {
		case <-ctx.Done():
			for _, m := range members {
				m.stop()
			}
			return slowest
		case <-time.After(time.Second):
		}
		if len(members) == 1 || len(members) < stormMembersMax && random.IntN(2) == 0 {
			start(i)
			continue
		}
		at := random.IntN(len(members))
		leaves := members[at]
		members = append(members[:at], members[at+1:]...)
		begun := time.Now()
		leaves.stop()
		slowest = max(slowest, time.Since(begun))
		s.checkCommits(t, l, group, topic, false)
	}
}

// produceSteadily sends messages until ctx ends, and returns how many.
func (s *site) produceSteadily(ctx context.Context, t *testing.T, topic string) (n int) {
	conf := s.config()
	conf.Producer.Partitioner = sarama.NewManualPartitioner
	conf.Producer.Return.Successes = false
	p, err := sarama.NewAsyncProducer(s.addrs, conf)
	if err != nil {
		t.Error(err)
		return 0
	}
	failed := make(chan struct{})
	go func() {
		defer close(failed)
		for err := range p.Errors() {
			t.Error(err)
		}
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		for range stormRate / 100 {
			p.Input() <- &sarama.ProducerMessage{Topic: topic, Partition: int32(n % stormPartitions), Value: sarama.StringEncoder(strconv.Itoa(n))}
			n++
		}
	}
	p.AsyncClose()
	<-failed
	return n
}

// storedOffsets are the offsets that a group has committed, 0 where it has none.
func (s *site) storedOffsets(t *testing.T, group, topic string) map[int32]int64 {
	t.Helper()
	client := s.client(t, nil)
	defer client.Close()
	partitions := make([]int32, stormPartitions)
	for p := range partitions {
		partitions[p] = int32(p)
	}
	var resp *sarama.OffsetFetchResponse
	eventually(t, "stored offsets", func() error {
		b, err := client.Coordinator(group)
		if err != nil {
			return err
		}
		resp, err = b.FetchOffset(sarama.NewOffsetFetchRequest(sarama.V2_8_0_0, group, map[string][]int32{topic: partitions}))
		if err == nil && resp.GroupError() != sarama.ErrNoError {
			err = resp.GroupError()
		}
		return err
	})
	stored := make(map[int32]int64)
	for _, p := range partitions {
		stored[p] = max(0, resp.GetBlock(topic, p).Offset)
	}
	return stored
}

// checkCommits wants every message below a stored offset to have been
// processed; at the end also every message to be below one.
func (s *site) checkCommits(t *testing.T, l *groupLedger, group, topic string, end bool) {
	t.Helper()
	for p, stored := range s.storedOffsets(t, group, topic) {
		processed, missing := l.processedBelow(topic, p, stored)
		if missing {
			t.Errorf("%s/%d: offset %d is stored, but not all below it was processed", topic, p, stored)
		}
		if end && processed != stored {
			t.Errorf("%s/%d: offset %d is stored, %d messages were processed", topic, p, stored, processed)
		}
	}
}
