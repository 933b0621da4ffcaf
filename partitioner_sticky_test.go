package sarama

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/IBM/sarama/internal/bridge"
)

func TestStickyPartitionersStayAndThenChange(t *testing.T) {
	message := &ProducerMessage{Value: ByteEncoder(make([]byte, 1000))}
	for _, c := range []struct {
		name     string
		make     PartitionerConstructor
		feedback bool
		sealed   int // messages from one complete batch to the next
		turn     int // messages from one change to the next
	}{
		{"sticky, at each batch", NewStickyPartitioner, true, 5, 5},
		{"sticky, without batches", NewStickyPartitioner, false, 0, stickyBytesMax/1036 + 1},
		{"adaptive, small batches", NewAdaptivePartitioner, true, 5, 20},
		{"adaptive, large batches", NewAdaptivePartitioner, true, 50, 50},
		{"adaptive, without batches", NewAdaptivePartitioner, false, 0, stickyBytes/1036 + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.make("t")
			s := sticky(p)
			if c.feedback {
				s.load = func(i int32) int64 { // that of the current one is full
					if i == s.current {
						return 1 << 30
					}
					return 0
				}
			}
			last, turn, changes := int32(-1), 0, 0
			for i := 1; changes < 50; i++ {
				at, err := p.Partition(message, 5)
				if err != nil {
					t.Fatal(err)
				}
				if last >= 0 && at != last {
					if changes++; turn != c.turn {
						t.Fatalf("change after %d messages, want %d", turn, c.turn)
					}
					turn = 0
				}
				turn++
				if last = at; c.sealed > 0 && i%c.sealed == 0 {
					s.sealed((at + 1) % 5) // somebody else's
					s.sealed(at)
				}
			}
		})
	}
}

func TestStickyPartitionersTakeEveryPartitionAndNoOther(t *testing.T) {
	for name, constructor := range map[string]PartitionerConstructor{"sticky": NewStickyPartitioner, "adaptive": NewAdaptivePartitioner} {
		p := constructor("t")
		if _, err := p.Partition(&ProducerMessage{}, 0); err == nil {
			t.Errorf("%s: chose from nothing", name)
		}
		for _, n := range []int32{1, 4, 2, 7} { // the topic changes
			seen := map[int32]bool{}
			for range 500 {
				at, err := p.Partition(&ProducerMessage{}, n)
				if err != nil || at < 0 || at >= n {
					t.Fatalf("%s: %d of %d, %v", name, at, n, err)
				}
				seen[at] = true
				sticky(p).bytes = stickyBytesMax
				sticky(p).sealed(at)
			}
			if len(seen) != int(n) {
				t.Errorf("%s: only %v of %d", name, seen, n)
			}
		}
		if a, b := partitionOf(t, p, StringEncoder("k"), 9), partitionOf(t, NewHashPartitioner("t"), StringEncoder("k"), 9); a != b {
			t.Errorf("%s: a key goes to %d, with the hash partitioner to %d", name, a, b)
		}
	}
}

// TestAdaptivePartitionerGivesLessToAFullPartition compares what three
// partitions get of which one has nine times as much to be sent already.
func TestAdaptivePartitionerGivesLessToAFullPartition(t *testing.T) {
	p := NewAdaptivePartitioner("t")
	s := sticky(p)
	loads := []int64{9, 1, 1}
	s.load = func(i int32) int64 { return loads[i] }
	var got [3]int
	for range 19000 { // shares of 1, 9 and 9: (9+1)-9, (9+1)-1, (9+1)-1
		s.change(3)
		got[s.current]++
	}
	if got[0] < 800 || got[0] > 1200 || got[1] < 8500 || got[2] < 8500 {
		t.Errorf("chosen %v times, want about 1000, 9000, 9000", got)
	}
}

// TestProducerMakesLargerBatchesWithAStickyPartitioner sends small messages
// without keys to many partitions of a broker that is busy, so that batches
// are as large as Flush.MaxMessages says only where they fill.
func TestProducerMakesLargerBatchesWithAStickyPartitioner(t *testing.T) {
	batches := func(t *testing.T, partitioner PartitionerConstructor, size int) (n int64) {
		synctest.Test(t, func(t *testing.T) {
			var batches, records atomic.Int64
			s := newScript(t, standard(1, "t", 20, func(_ string, _ bridge.Header, req any) (any, error) {
				for _, b := range readBatches(t, req) {
					batches.Add(1)
					records.Add(int64(len(b.values)))
				}
				return produceAnswer(req, ErrNoError), nil
			}))
			p := newTestProducer(t, s, func(conf *Config) {
				conf.Producer.Partitioner = partitioner
				conf.Producer.MaxMessageBytes = 20000
				conf.Producer.Flush.Messages = 1 << 20 // batches go when they are full, and at the end
			})
			value := StringEncoder(strings.Repeat("v", size))
			const messages = 2000
			for range messages {
				p.Input() <- &ProducerMessage{Topic: "t", Value: value}
			}
			p.AsyncClose()
			for range p.Successes() {
			}
			for e := range p.Errors() {
				t.Error(e)
			}
			s.close()
			if records.Load() != messages {
				t.Errorf("%d records", records.Load())
			}
			n = batches.Load()
		})
		return n
	}
	for _, size := range []int{1, 100, 1000, 9000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			full := int64(2000/((20000-61)/(size+10)+1)) + 1
			if n := batches(t, NewStickyPartitioner, size); n > 2*full {
				t.Errorf("sticky: %d batches, %d are enough", n, full)
			}
			if n := batches(t, NewAdaptivePartitioner, size); n > 2*full {
				t.Errorf("adaptive: %d batches, %d are enough", n, full)
			}
			if n := batches(t, NewHashPartitioner, size); n < 20 {
				t.Errorf("random: %d batches", n)
			}
		})
	}
}
