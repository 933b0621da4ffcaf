package sarama

import (
	"errors"
	"hash"
	"hash/crc32"
	"hash/fnv"
	"math/rand/v2"
	"testing"
)

func partitionOf(t *testing.T, p Partitioner, key Encoder, numPartitions int32) int32 {
	t.Helper()
	i, err := p.Partition(&ProducerMessage{Key: key}, numPartitions)
	if err != nil || i < 0 || i >= numPartitions {
		t.Fatalf("%T: got %d of %d, %v", p, i, numPartitions, err)
	}
	return i
}

// The results of Sarama 1.61.1 for 7 and 100 partitions. Programs rely on their
// keys staying where they are.
var partitionVectors = []struct {
	key                             string
	hash, reference, crc32, murmur2 [2]int32
}{
	{"", [2]int32{2, 35}, [2]int32{0, 13}, [2]int32{0, 0}, [2]int32{2, 81}},
	{"a", [2]int32{6, 76}, [2]int32{3, 72}, [2]int32{4, 7}, [2]int32{5, 24}},
	{"key", [2]int32{4, 28}, [2]int32{4, 28}, [2]int32{5, 37}, [2]int32{4, 81}},
	{"kafka", [2]int32{4, 45}, [2]int32{4, 45}, [2]int32{6, 99}, [2]int32{3, 80}},
	{"user-42", [2]int32{6, 99}, [2]int32{6, 99}, [2]int32{1, 35}, [2]int32{1, 60}},
	{"0123456789", [2]int32{1, 54}, [2]int32{1, 94}, [2]int32{3, 50}, [2]int32{1, 8}},
	{"日本", [2]int32{3, 75}, [2]int32{6, 73}, [2]int32{0, 56}, [2]int32{1, 27}},
	{"test-key-3", [2]int32{3, 51}, [2]int32{3, 51}, [2]int32{4, 95}, [2]int32{6, 35}},
}

func TestKeyPartitionersChooseAsSaramaDoes(t *testing.T) {
	newCRC := func() hash.Hash32 { return crc32.NewIEEE() }
	for _, v := range partitionVectors {
		for _, c := range []struct {
			name string
			make PartitionerConstructor
			want [2]int32
		}{
			{"NewHashPartitioner", NewHashPartitioner, v.hash},
			{"NewReferenceHashPartitioner", NewReferenceHashPartitioner, v.reference},
			{"NewConsistentCRCHashPartitioner", NewConsistentCRCHashPartitioner, v.crc32},
			{"NewMurmur2Partitioner", NewMurmur2Partitioner, v.murmur2},
			{"custom, default", NewCustomPartitioner(), v.hash},
			{"custom hash", NewCustomHashPartitioner(fnv.New32a), v.hash},
			{"custom, abs first", NewCustomPartitioner(WithAbsFirst()), v.reference},
			{"custom, abs first wins", NewCustomPartitioner(WithAbsFirst(), WithHashUnsigned()), v.reference},
			{"custom, unsigned CRC", NewCustomPartitioner(WithCustomHashFunction(newCRC), WithHashUnsigned()), v.crc32},
			{"custom, last hash wins", NewCustomPartitioner(WithCustomHashFunction(newCRC), WithCustomHashFunction(fnv.New32a)), v.hash},
		} {
			p := c.make("topic")
			for i, numPartitions := range []int32{7, 100} {
				if got := partitionOf(t, p, StringEncoder(v.key), numPartitions); got != c.want[i] {
					t.Errorf("%s of %q: partition %d of %d, want %d", c.name, v.key, got, numPartitions, c.want[i])
				}
			}
			// A nil ByteEncoder is a key, and an empty one.
			if v.key == "" {
				if got := partitionOf(t, p, ByteEncoder(nil), 100); got != c.want[1] {
					t.Errorf("%s of a nil ByteEncoder: partition %d, want %d", c.name, got, c.want[1])
				}
			}
		}
	}
}

// fixedHash is a hash with a given sum, to reach the corners of the arithmetic.
type fixedHash struct {
	hash.Hash32
	sum uint32
}

func (h fixedHash) Sum32() uint32 { return h.sum }

func TestHashesWithTheHighestBitSet(t *testing.T) {
	for _, c := range []struct {
		sum                      uint32
		signed, masked, unsigned int32 // of 7 partitions
	}{
		{0x00000000, 0, 0, 0},
		{0x7fffffff, 1, 1, 1}, // 2^31-1 = 7·306783378 + 1
		{0x80000000, 2, 0, 2},
		{0x80000001, 1, 1, 3},
		{0xffffffff, 1, 1, 3},
		{0xfffffff9, 0, 2, 4},
	} {
		hasher := WithCustomHashFunction(func() hash.Hash32 { return fixedHash{fnv.New32a(), c.sum} })
		for name, x := range map[string]struct {
			option HashPartitionerOption
			want   int32
		}{
			"signed":   {func(*hashPartitionerSettings) {}, c.signed},
			"masked":   {WithAbsFirst(), c.masked},
			"unsigned": {WithHashUnsigned(), c.unsigned},
		} {
			if got := partitionOf(t, NewCustomPartitioner(hasher, x.option)("t"), StringEncoder("k"), 7); got != x.want {
				t.Errorf("%#x %s: got %d, want %d", c.sum, name, got, x.want)
			}
		}
	}
}

func TestKeylessMessagesGoToTheFallback(t *testing.T) {
	for name, p := range map[string]Partitioner{
		"hash": NewHashPartitioner("t"), "reference": NewReferenceHashPartitioner("t"), "crc": NewConsistentCRCHashPartitioner("t"),
		"murmur2": NewMurmur2Partitioner("t"), "custom": NewCustomPartitioner()("t"), "random": NewRandomPartitioner("t"),
	} {
		seen := map[int32]bool{}
		for range 500 { // misses one of five with a probability of 5·0.8^500
			seen[partitionOf(t, p, nil, 5)] = true
		}
		if len(seen) != 5 {
			t.Errorf("%s: only %v", name, seen)
		}
	}
	p := NewCustomPartitioner(WithCustomFallbackPartitioner(NewRoundRobinPartitioner("")))("t")
	for want := range int32(3) {
		if got := partitionOf(t, p, nil, 3); got != want {
			t.Errorf("own fallback: got %d, want %d", got, want)
		}
	}
}

func TestRoundRobinPartitionerStartsAgain(t *testing.T) {
	p := NewRoundRobinPartitioner("t")
	counts, wants := []int32{3, 3, 3, 3, 2, 2, 5, 5}, []int32{0, 1, 2, 0, 1, 0, 1, 2}
	for i, n := range counts {
		if got := partitionOf(t, p, StringEncoder("k"), n); got != wants[i] {
			t.Errorf("call %d with %d partitions: got %d, want %d", i, n, got, wants[i])
		}
	}
}

func TestManualPartitionerTakesThePartitionOfTheMessage(t *testing.T) {
	for _, partition := range []int32{0, 3, 99, -1} { // the producer checks the range
		if got, err := NewManualPartitioner("t").Partition(&ProducerMessage{Partition: partition}, 5); got != partition || err != nil {
			t.Errorf("got %d, %v, want %d", got, err, partition)
		}
	}
}

func TestWhichPartitionersRequireConsistency(t *testing.T) {
	for _, c := range []struct {
		p                      Partitioner
		always, dynamic, keyed bool
	}{
		{p: NewManualPartitioner("t"), always: true},
		{p: NewRandomPartitioner("t")},
		{p: NewRoundRobinPartitioner("t")},
		{p: NewHashPartitioner("t"), always: true, dynamic: true},
		{p: NewReferenceHashPartitioner("t"), always: true, dynamic: true},
		{p: NewConsistentCRCHashPartitioner("t"), always: true, dynamic: true},
		{p: NewMurmur2Partitioner("t"), always: true, dynamic: true},
	} {
		if c.p.RequiresConsistency() != c.always {
			t.Errorf("%T: RequiresConsistency is %v", c.p, !c.always)
		}
		dynamic, ok := c.p.(DynamicConsistencyPartitioner)
		if ok != c.dynamic {
			t.Errorf("%T: dynamic is %v", c.p, ok)
		}
		if ok && (dynamic.MessageRequiresConsistency(&ProducerMessage{}) || !dynamic.MessageRequiresConsistency(&ProducerMessage{Key: StringEncoder("")})) {
			t.Errorf("%T does not go by the key", c.p)
		}
	}
}

type badEncoder struct{ err error }

func (e badEncoder) Encode() ([]byte, error) { return nil, e.err }
func (e badEncoder) Length() int             { return 1 }

func TestPartitionerErrors(t *testing.T) {
	cause := errors.New("no key today")
	for _, construct := range []PartitionerConstructor{NewHashPartitioner, NewMurmur2Partitioner, NewConsistentCRCHashPartitioner} {
		if i, err := construct("t").Partition(&ProducerMessage{Key: badEncoder{cause}}, 5); i != -1 || !errors.Is(err, cause) {
			t.Errorf("got %d, %v", i, err)
		}
	}
	for _, construct := range []PartitionerConstructor{NewHashPartitioner, NewMurmur2Partitioner, NewRandomPartitioner, NewRoundRobinPartitioner} {
		for _, n := range []int32{0, -1} {
			for _, key := range []Encoder{nil, StringEncoder("k")} {
				if i, err := construct("t").Partition(&ProducerMessage{Key: key}, n); i != -1 || !errors.Is(err, ErrInvalidPartition) {
					t.Errorf("%d partitions: got %d, %v", n, i, err)
				}
			}
		}
	}
}

// The values of org.apache.kafka.common.utils.Utils.murmur2, printed by
// kafka-clients 4.3.1, for lengths with and without a tail.
func TestMurmur2IsThatOfTheJavaClient(t *testing.T) {
	for key, want := range map[string]int32{
		"":                         275646681,
		"a":                        -1563381124,
		"ab":                       316155434,
		"abc":                      479470107,
		"abcd":                     -1323649548,
		"21":                       -973932308,
		"foobar":                   -790332482,
		"a-little-bit-long-string": -985981536,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"日本":           -700811021,
		"\x00\x00\x00": 1013532917,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("%q: got %d, want %d", key, got, want)
		}
	}
}

func FuzzPartitionersStayInRange(f *testing.F) {
	f.Add([]byte("key"), int32(7))
	f.Add([]byte{}, int32(1))
	f.Fuzz(func(t *testing.T, key []byte, numPartitions int32) {
		if numPartitions <= 0 {
			return
		}
		for _, construct := range []PartitionerConstructor{
			NewHashPartitioner, NewReferenceHashPartitioner, NewConsistentCRCHashPartitioner, NewMurmur2Partitioner,
			NewCustomPartitioner(WithHashUnsigned()),
		} {
			p := construct("t")
			first := partitionOf(t, p, ByteEncoder(key), numPartitions)
			partitionOf(t, p, ByteEncoder([]byte{byte(rand.Uint32())}), numPartitions)
			if again := partitionOf(t, p, ByteEncoder(key), numPartitions); again != first {
				t.Errorf("%v went to %d and %d", key, first, again)
			}
		}
	})
}
