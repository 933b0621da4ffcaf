package kmsg_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
	"github.com/IBM/sarama/internal/compress"
	"github.com/IBM/sarama/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	produceKey = 0
	fetchKey   = 1
)

// fetched is what this module reads of the records of a partition.
func fetched(t *testing.T, version int16, raw []byte) []*sarama.Records {
	t.Helper()
	m := newMessage(fetchKey, true, version).(*kmsg.FetchResponse)
	m.Topics = []kmsg.FetchResponseTopic{{Topic: "t", Partitions: []kmsg.FetchResponseTopicPartition{{RecordBatches: raw}}}}
	r := new(sarama.FetchResponse)
	if err := bridge.ReadBody(m.AppendTo(nil), r, version); err != nil {
		t.Fatalf("this module reads: %v", err)
	}
	return r.GetBlock("t", 0).RecordsSet
}

// produced is what kmsg reads of the records that this module writes.
func produced(t *testing.T, r *sarama.ProduceRequest) []byte {
	t.Helper()
	raw, err := bridge.AppendBody(nil, r)
	if err != nil {
		t.Fatalf("this module writes: %v", err)
	}
	m := newMessage(produceKey, false, r.Version).(*kmsg.ProduceRequest)
	if err := m.ReadFrom(raw); err != nil {
		t.Fatalf("kmsg reads: %v", err)
	}
	return m.Topics[0].Partitions[0].Records
}

// TestRecordsWrittenMeanTheSameToKmsg reads compressed batches and messages,
// whose values it then writes, with the codec and without.
func TestRecordsWrittenMeanTheSameToKmsg(t *testing.T) {
	for magic := range int8(3) {
		for seed := range uint64(seeds) {
			raw := newFiller(seed, false).packed(magic)
			list := fetched(t, 4, raw)
			if err := sameRecords(raw, list); err != nil {
				t.Fatalf("magic %d, seed %d: reading: %v", magic, seed, err)
			}
			for _, codec := range []sarama.CompressionCodec{sarama.CompressionGZIP, sarama.CompressionNone} {
				r := &sarama.ProduceRequest{Version: 2}
				if magic < 2 {
					set := list[0].MsgSet
					if codec == sarama.CompressionNone {
						set = set.Messages[0].Msg.Set
					}
					list = []*sarama.Records{{MsgSet: set}}
					r.AddSet("t", 0, set)
				} else {
					list[0].RecordBatch.Codec = codec
					r.Version = 3
					r.AddBatch("t", 0, list[0].RecordBatch)
				}
				if err := sameRecords(produced(t, r), list); err != nil {
					t.Fatalf("magic %d, seed %d, %v: writing: %v", magic, seed, codec, err)
				}
			}
		}
	}
}

// given is a record as a producer has it.
type given struct {
	timestampMs int64
	key, value  []byte
	headers     []record.NoHeader
}

func (f *filler) given() (list []given) {
	for range 1 + f.rnd.IntN(4) {
		g := given{timestampMs: int64(f.rnd.Uint64() >> 20), key: f.bytes(), value: f.bytes()}
		for range f.rnd.IntN(3) {
			g.headers = append(g.headers, record.NoHeader{Key: append(f.bytes(), 'k'), Value: f.bytes()})
		}
		list = append(list, g)
	}
	return list
}

func (f *filler) bytes() []byte {
	if f.rnd.IntN(4) == 0 {
		return nil
	}
	b := make([]byte, f.rnd.IntN(150))
	for i := range b {
		b[i] = byte(f.rnd.IntN(256))
	}
	return b
}

// TestBatchesOfProducersMeanTheSameToKmsg is about the batches that a producer
// fills record by record, with each codec's number in their headers.
func TestBatchesOfProducersMeanTheSameToKmsg(t *testing.T) {
	for seed := range uint64(seeds) {
		f := newFiller(seed, false)
		codec := compress.Codec(seed % 5)
		list := f.given()
		var b record.Builder
		first, latest := list[0].timestampMs, int64(0)
		for _, g := range list {
			record.Append(&b, g.timestampMs, g.key, g.value, g.headers)
			latest = max(latest, g.timestampMs)
		}
		raw, err := b.Seal(codec, compress.LevelDefault, record.Transactional)
		if err != nil {
			t.Fatal(err)
		}
		record.Stamp(raw, 1<<40+int64(seed), 12, 345)
		k := new(kmsg.RecordBatch)
		if err := k.ReadFrom(raw); err != nil {
			t.Fatal(err)
		}
		err = same("batch",
			"CRC", uint32(k.CRC), crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)),
			"Length", int(k.Length), len(raw)-12,
			"FirstOffset", k.FirstOffset, int64(0),
			"PartitionLeaderEpoch", k.PartitionLeaderEpoch, int32(0), // the broker sets it
			"Magic", k.Magic, int8(2),
			"Attributes", k.Attributes, int16(codec)|16,
			"LastOffsetDelta", int(k.LastOffsetDelta), len(list)-1,
			"FirstTimestamp", k.FirstTimestamp, first,
			"MaxTimestamp", k.MaxTimestamp, latest,
			"ProducerID", k.ProducerID, 1<<40+int64(seed),
			"ProducerEpoch", k.ProducerEpoch, int16(12),
			"FirstSequence", k.FirstSequence, int32(345),
			"NumRecords", int(k.NumRecords), len(list))
		if err == nil && codec < 2 {
			var plain []byte
			if plain, err = plainBytes(sarama.CompressionCodec(codec), k.Records); err == nil {
				err = sameGiven(plain, first, list)
			}
		}
		if err != nil {
			t.Fatalf("seed %d, codec %d: %v", seed, codec, err)
		}
	}
}

// sameGiven compares records with what a producer was given.
func sameGiven(raw []byte, firstMs int64, list []given) error {
	for i, g := range list {
		length, n := binary.Varint(raw)
		if n <= 0 || int(length) > len(raw)-n {
			return fmt.Errorf("records end within one: %x", raw)
		}
		k := new(kmsg.Record)
		if err := k.ReadFrom(raw[:n+int(length)]); err != nil {
			return err
		}
		raw = raw[n+int(length):]
		err := same("record",
			"Attributes", k.Attributes, int8(0),
			"TimestampDelta", k.TimestampDelta64, g.timestampMs-firstMs,
			"OffsetDelta", int(k.OffsetDelta), i,
			"Key", k.Key, g.key,
			"Value", k.Value, g.value,
			"headers", len(k.Headers), len(g.headers))
		for j := 0; err == nil && j < len(g.headers); j++ {
			err = same("header", "Key", k.Headers[j].Key, string(g.headers[j].Key), "Value", k.Headers[j].Value, g.headers[j].Value)
		}
		if err != nil {
			return err
		}
	}
	return same("batch", "rest", len(raw), 0)
}
