package record

import (
	"fmt"
	"math"
	"slices"

	"github.com/IBM/sarama/internal/compress"
)

// addMessage appends a record to a builder of message sets. Its offset is left
// to sealSet, its checksum does not cover that.
func (b *Builder) addMessage(timestampMs int64, key, value []byte) {
	magic := b.Magic()
	at := len(b.raw)
	if b.count == 0 {
		at = 0
		b.raw = b.raw[:0]
		b.firstMs, b.latestMs = timestampMs, timestampMs
	}
	b.latestMs = max(b.latestMs, timestampMs)
	if end := at + MessageOverhead(magic) + len(key) + len(value); end > cap(b.raw) {
		b.raw = slices.Grow(b.raw, max(end-at, at))
	}
	b.raw = AppendMessage(b.raw, &Message{Magic: magic, TimestampMs: timestampMs, Key: key, Value: value})
	b.count++
}

// sealSet is Seal for message sets. Messages of version 1 in a wrapper count
// from 0 (KIP-31); all others have offset 0, as brokers overwrite it.
func (b *Builder) sealSet(codec compress.Codec, level int) ([]byte, error) {
	if len(b.raw) > math.MaxInt32 {
		return nil, fmt.Errorf("message set of %d bytes is larger than the format can hold", len(b.raw))
	}
	b.number(codec != compress.None && b.Magic() > 0)
	if codec == compress.None {
		return b.raw, nil
	}
	packed, err := AppendWrapper(b.packed[:0], &Message{Magic: b.Magic(), TimestampMs: b.latestMs}, codec, level, b.raw)
	if err != nil {
		return nil, err
	}
	b.packed = packed
	return packed, nil
}

// number gives the messages their offsets.
func (b *Builder) number(counting bool) {
	next := uint64(0)
	for p := b.raw; len(p) > 0; p = p[offMessageCRC+be.Uint32(p[offLength:]):] {
		be.PutUint64(p, next)
		if counting {
			next++
		}
	}
}

func (b *Builder) eachMessage(visit func(i int, timestampMs int64, r *Rec)) {
	set := Set{Raw: b.raw}
	it := set.Open(0)
	var m Message
	for i := 0; it.Next(&m); i++ {
		visit(i, m.TimestampMs, &Rec{Key: m.Key, Value: m.Value})
	}
	if it.Err() != nil {
		panic("kafka: reading an open message set: " + it.Err().Error()) // Append wrote it
	}
}
