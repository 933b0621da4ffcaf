package sarama

import "unicode/utf16"

// Where Kafka's own assignors go through a hash map, its order decides which of
// two equally good plans they make. A group whose leader may be a Java consumer
// at one time and one of this package at another keeps its partitions where
// they are only if both plan alike, so that order is followed here: that of
// java.util.HashMap, in which hashes are specified for strings (String.hashCode)
// and the rest has been as it is since Java 8.

// javaStringHash is Java's String.hashCode.
func javaStringHash(s string) int32 {
	var h int32
	for _, unit := range utf16.Encode([]rune(s)) {
		h = 31*h + int32(unit)
	}
	return h
}

// javaCapacity is the size of the table of a hash map that has grown to n
// entries one by one.
func javaCapacity(n int) int {
	capacity := 16
	for 4*n > 3*capacity {
		capacity *= 2
	}
	return capacity
}

// javaBucket is the place of a hash in a table of this size.
func javaBucket(hash int32, capacity int) int {
	return int(uint32(hash)^uint32(hash)>>16) & (capacity - 1)
}

// javaMapOrder returns the indexes of keys in the order in which a hash map
// that they were put into one after another lists them.
func javaMapOrder(keys []string) []int {
	capacity := javaCapacity(len(keys))
	heads := make([]int, capacity+1)
	buckets := make([]int, len(keys))
	for i, key := range keys {
		buckets[i] = javaBucket(javaStringHash(key), capacity)
		heads[buckets[i]+1]++
	}
	for b := range capacity {
		heads[b+1] += heads[b]
	}
	order := make([]int, len(keys))
	for i, b := range buckets {
		order[heads[b]] = i
		heads[b]++
	}
	return order
}
