package sarama

import (
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/fnv"
	"math/rand/v2"
)

// Partitioner chooses the partition of a message. A producer makes one for each
// topic and calls it from one goroutine at a time, so it needs no locks.
type Partitioner interface {
	// Partition returns an index into the partitions that the message may go
	// to, of which there are numPartitions. An error fails the message.
	Partition(message *ProducerMessage, numPartitions int32) (int32, error)

	// RequiresConsistency reports whether the same message must always get the
	// same index. If so numPartitions counts all partitions of the topic, even
	// those without a leader; otherwise only those that can be written to.
	RequiresConsistency() bool
}

// DynamicConsistencyPartitioner is a Partitioner for which it depends on the
// message whether consistency is required.
type DynamicConsistencyPartitioner interface {
	Partitioner

	// MessageRequiresConsistency replaces RequiresConsistency.
	MessageRequiresConsistency(message *ProducerMessage) bool
}

// PartitionerConstructor makes the Partitioner of a topic.
type PartitionerConstructor func(topic string) Partitioner

// noPartitions is the error of a partitioner that has nothing to choose from.
// A producer finds that out before it asks.
func noPartitions(numPartitions int32) error {
	return fmt.Errorf("%w: there are %d partitions to choose from", ErrInvalidPartition, numPartitions)
}

// NewManualPartitioner makes a Partitioner that takes the Partition that the
// user set in the message.
func NewManualPartitioner(topic string) Partitioner { return manualPartitioner{} }

type manualPartitioner struct{}

func (manualPartitioner) Partition(message *ProducerMessage, _ int32) (int32, error) {
	return message.Partition, nil
}

func (manualPartitioner) RequiresConsistency() bool { return true }

// NewRandomPartitioner makes a Partitioner that chooses at random.
func NewRandomPartitioner(topic string) Partitioner { return randomPartitioner{} }

type randomPartitioner struct{}

func (randomPartitioner) Partition(_ *ProducerMessage, numPartitions int32) (int32, error) {
	if numPartitions <= 0 {
		return -1, noPartitions(numPartitions)
	}
	return rand.Int32N(numPartitions), nil
}

func (randomPartitioner) RequiresConsistency() bool { return false }

// NewRoundRobinPartitioner makes a Partitioner that takes one partition after
// the other, from the first.
func NewRoundRobinPartitioner(topic string) Partitioner { return &roundRobinPartitioner{} }

type roundRobinPartitioner struct {
	next int32
}

func (p *roundRobinPartitioner) Partition(_ *ProducerMessage, numPartitions int32) (int32, error) {
	if numPartitions <= 0 {
		return -1, noPartitions(numPartitions)
	}
	if p.next >= numPartitions { // at the end, or there are fewer than before
		p.next = 0
	}
	chosen := p.next
	p.next++
	return chosen, nil
}

func (p *roundRobinPartitioner) RequiresConsistency() bool { return false }

// keyPartitioner is all the partitioners that go by the key.
type keyPartitioner struct {
	// Constant after construction.
	hash     func(key []byte) uint32
	reduce   func(hash uint32, numPartitions int32) int32
	fallback Partitioner // for messages without a key
}

func (p *keyPartitioner) Partition(message *ProducerMessage, numPartitions int32) (int32, error) {
	if message.Key == nil {
		return p.fallback.Partition(message, numPartitions)
	}
	key, err := message.Key.Encode()
	if err != nil {
		return -1, err
	}
	if numPartitions <= 0 {
		return -1, noPartitions(numPartitions)
	}
	return p.reduce(p.hash(key), numPartitions), nil
}

func (p *keyPartitioner) RequiresConsistency() bool { return true }

// MessageRequiresConsistency is true for messages with a key: equal keys go to
// one partition.
func (p *keyPartitioner) MessageRequiresConsistency(message *ProducerMessage) bool {
	return message.Key != nil
}

// hashOf returns the hash function of h, which is used for every key in turn.
func hashOf(h hash.Hash32) func([]byte) uint32 {
	return func(key []byte) uint32 {
		h.Reset()
		h.Write(key) // a hash returns no error, by its contract
		return h.Sum32()
	}
}

// The three ways from a hash to a partition. They differ for hashes with the
// highest bit set, so a topic must stay with one.

// signedRemainder takes the hash for a signed number and drops the sign of the
// remainder. That of -2^31 has none to spare: the remainder is smaller.
func signedRemainder(hash uint32, numPartitions int32) int32 {
	partition := int32(hash) % numPartitions
	if partition < 0 {
		partition = -partition
	}
	return partition
}

// maskedRemainder drops the highest bit of the hash, as Kafka's own producer
// does.
func maskedRemainder(hash uint32, numPartitions int32) int32 {
	return int32(hash&0x7fffffff) % numPartitions
}

// unsignedRemainder takes the hash for an unsigned number, as librdkafka does.
func unsignedRemainder(hash uint32, numPartitions int32) int32 {
	return int32(hash % uint32(numPartitions))
}

// NewHashPartitioner makes a Partitioner that sends equal keys to one
// partition, by FNV-1a of the key, and messages without a key to random ones.
// It is the default, and does not choose as the Java client does: see
// NewMurmur2Partitioner.
func NewHashPartitioner(topic string) Partitioner {
	return &keyPartitioner{hashOf(fnv.New32a()), signedRemainder, NewRandomPartitioner(topic)}
}

// NewReferenceHashPartitioner is like NewHashPartitioner but drops the sign of
// the hash, not that of the remainder: it chooses otherwise for half of the
// keys.
func NewReferenceHashPartitioner(topic string) Partitioner {
	return &keyPartitioner{hashOf(fnv.New32a()), maskedRemainder, NewRandomPartitioner(topic)}
}

// NewConsistentCRCHashPartitioner makes a Partitioner that goes by the CRC-32
// (IEEE) of the key, as consistent_random of librdkafka does, and sends
// messages without a key to random partitions.
func NewConsistentCRCHashPartitioner(topic string) Partitioner {
	return &keyPartitioner{crc32.ChecksumIEEE, unsignedRemainder, NewRandomPartitioner(topic)}
}

// NewMurmur2Partitioner makes a Partitioner that goes by the Murmur2 hash of
// the key, as the Java client does for messages with a key, and sends messages
// without a key to random partitions.
func NewMurmur2Partitioner(topic string) Partitioner {
	return &keyPartitioner{murmur2, maskedRemainder, NewRandomPartitioner(topic)}
}

// NewCustomHashPartitioner makes NewHashPartitioner with another hash. hasher
// is called once for each topic.
func NewCustomHashPartitioner(hasher func() hash.Hash32) PartitionerConstructor {
	return NewCustomPartitioner(WithCustomHashFunction(hasher))
}

// HashPartitionerOption changes what NewCustomPartitioner makes.
type HashPartitionerOption func(*hashPartitionerSettings)

type hashPartitionerSettings struct {
	hasher   func() hash.Hash32
	absFirst bool
	unsigned bool
	fallback Partitioner
}

// WithAbsFirst drops the sign of the hash before the remainder is taken, as in
// NewReferenceHashPartitioner. It goes before WithHashUnsigned.
func WithAbsFirst() HashPartitionerOption {
	return func(s *hashPartitionerSettings) { s.absFirst = true }
}

// WithHashUnsigned takes the hash for an unsigned number, as in
// NewConsistentCRCHashPartitioner.
func WithHashUnsigned() HashPartitionerOption {
	return func(s *hashPartitionerSettings) { s.unsigned = true }
}

// WithCustomHashFunction sets the hash. hasher is called once for each topic.
func WithCustomHashFunction(hasher func() hash.Hash32) HashPartitionerOption {
	return func(s *hashPartitionerSettings) { s.hasher = hasher }
}

// WithCustomFallbackPartitioner sets what chooses for messages without a key.
// All topics share it; if they belong to different producers, it must be safe
// for concurrent use.
func WithCustomFallbackPartitioner(randomHP Partitioner) HashPartitionerOption {
	return func(s *hashPartitionerSettings) { s.fallback = randomHP }
}

// NewCustomPartitioner makes NewHashPartitioner with the options, of which
// later ones override earlier ones.
func NewCustomPartitioner(options ...HashPartitionerOption) PartitionerConstructor {
	return func(topic string) Partitioner {
		settings := hashPartitionerSettings{hasher: fnv.New32a}
		for _, option := range options {
			option(&settings)
		}
		if settings.fallback == nil {
			settings.fallback = NewRandomPartitioner(topic)
		}
		reduce := signedRemainder
		switch {
		case settings.absFirst:
			reduce = maskedRemainder
		case settings.unsigned:
			reduce = unsignedRemainder
		}
		return &keyPartitioner{hashOf(settings.hasher()), reduce, settings.fallback}
	}
}

// murmur2 is the 32-bit MurmurHash2 of Austin Appleby, with the seed of Kafka's
// Java client.
func murmur2(key []byte) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
		r    = 24
	)
	h := uint32(seed) ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		k := binary.LittleEndian.Uint32(key) * m
		k ^= k >> r
		h = h*m ^ k*m
	}
	for i := len(key) - 1; i >= 0; i-- {
		h ^= uint32(key[i]) << (8 * i)
	}
	if len(key) > 0 {
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
