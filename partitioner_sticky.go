package sarama

import "math/rand/v2"

// stickyBytes is how much an adaptive partitioner gives to one partition before
// it changes to another, and a unit of the load that it looks at: the batch size
// of the Java client's default.
const stickyBytes = 16 << 10

// stickyBytesMax is how much a sticky partitioner gives to one partition at
// most, whatever becomes of its batches.
const stickyBytesMax = 256 << 10

// NewStickyPartitioner makes a Partitioner that sends equal keys to one
// partition as NewHashPartitioner does, and messages without a key to one
// partition until a batch of it is complete or 256 KiB have come together, then
// to another (KIP-480): so that batches are larger and requests fewer than with
// random choice.
func NewStickyPartitioner(topic string) Partitioner {
	return NewCustomPartitioner(WithStickyFallback())(topic)
}

// NewAdaptivePartitioner makes a Partitioner that sends equal keys to one
// partition as NewHashPartitioner does, and messages without a key to one
// partition for at least 16 KiB and the rest of a batch, 256 KiB at most, then
// to another, with a preference for those that have less to be sent (KIP-794): a slow broker
// gets less.
func NewAdaptivePartitioner(topic string) Partitioner {
	return NewCustomPartitioner(WithAdaptiveFallback())(topic)
}

// WithStickyFallback makes NewCustomPartitioner treat messages without a key as
// NewStickyPartitioner does; each topic has a partitioner of its own.
func WithStickyFallback() HashPartitionerOption {
	return func(s *hashPartitionerSettings) { s.fallback = &stickyPartitioner{current: -1} }
}

// WithAdaptiveFallback makes NewCustomPartitioner treat messages without a key
// as NewAdaptivePartitioner does; each topic has a partitioner of its own.
func WithAdaptiveFallback() HashPartitionerOption {
	return func(s *hashPartitionerSettings) { s.fallback = &stickyPartitioner{current: -1, adaptive: true} }
}

// stickyPartitioner stays with one partition for a while. A producer tells it
// when a batch is complete and how much each partition has to be sent; without
// that, as part of a partitioner of the user's own, it goes by bytes alone.
type stickyPartitioner struct {
	// constant
	adaptive bool

	// owned by the producer's intake, or who else calls it
	current int32 // index; -1: to be chosen
	count   int32 // of the partitions that it was chosen from
	bytes   int64 // given to current
	load    func(index int32) int64
}

// sticky finds the sticky partitioner in one that a producer was given, nil
// where there is none.
func sticky(p Partitioner) *stickyPartitioner {
	if k, ok := p.(*keyPartitioner); ok {
		p = k.fallback
	}
	s, _ := p.(*stickyPartitioner)
	return s
}

func (p *stickyPartitioner) Partition(message *ProducerMessage, numPartitions int32) (int32, error) {
	if numPartitions <= 0 {
		return -1, noPartitions(numPartitions)
	}
	most := int64(stickyBytesMax)
	if p.adaptive && p.load == nil {
		most = stickyBytes
	}
	if p.current < 0 || p.count != numPartitions || p.bytes >= most {
		p.change(numPartitions)
	}
	p.bytes += int64(message.ByteSize(2))
	return p.current, nil
}

func (p *stickyPartitioner) RequiresConsistency() bool { return false }

// sealed takes the news that a partition's batch is complete.
func (p *stickyPartitioner) sealed(index int32) {
	if index == p.current && (!p.adaptive || p.bytes >= stickyBytes) {
		p.change(p.count)
	}
}

// change goes on to another partition, where there is one.
func (p *stickyPartitioner) change(n int32) {
	last := p.current
	p.count, p.bytes = n, 0
	switch {
	case n == 1:
		p.current = 0
	case p.adaptive && p.load != nil:
		p.current = p.lightest(n)
	case last < 0 || last >= n:
		p.current = rand.Int32N(n)
	default:
		if p.current = rand.Int32N(n - 1); p.current >= last {
			p.current++
		}
	}
}

// lightest chooses at random, each partition in proportion to how much less
// than the fullest it has to be sent, and one more.
func (p *stickyPartitioner) lightest(n int32) int32 {
	loads := make([]int64, n)
	top, sum := int64(0), int64(0)
	for i := range n {
		loads[i] = p.load(i)
		top, sum = max(top, loads[i]), sum+loads[i]
	}
	at := rand.Int64N((top+1)*int64(n) - sum)
	for i, l := range loads {
		if at -= top + 1 - l; at < 0 {
			return int32(i)
		}
	}
	return n - 1
}
