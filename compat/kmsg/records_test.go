package kmsg_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"reflect"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Records are compared with kmsg's headers of batches, records and messages.

// records makes what a partition may have: batches, messages, or nothing.
func (f *filler) records() (raw []byte) {
	raw = []byte{}
	magic := int8(f.rnd.IntN(3))
	for range f.rnd.IntN(3) {
		if magic == 2 {
			b, list := f.batch()
			raw = appendBatch(raw, b, list)
			continue
		}
		raw = f.appendMessage(raw, magic)
	}
	return raw
}

// packed makes one batch, or one message with others in it, with gzip.
func (f *filler) packed(magic int8) []byte {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if magic == 2 {
		b, list := f.batch()
		b.Attributes |= 1
		_, _ = w.Write(appendRecords(nil, list))
		_ = w.Close()
		b.Records, b.NumRecords = zipped.Bytes(), int32(len(list))
		return appendSealed(nil, b)
	}
	for range 1 + f.rnd.IntN(3) {
		_, _ = w.Write(f.appendMessage(nil, magic))
	}
	_ = w.Close()
	return sealed(kmsg.MessageV1{Offset: int64(f.rnd.Uint64() >> 2), Magic: magic, Attributes: 1 | 8*magic,
		Timestamp: f.timestamp(), Value: zipped.Bytes()})
}

// batch makes a batch with up to three records.
func (f *filler) batch() (b kmsg.RecordBatch, list []kmsg.Record) {
	f.value(reflect.ValueOf(&b).Elem(), "RecordBatch", true)
	b.Magic, b.Records = 2, nil
	b.FirstTimestamp, b.MaxTimestamp = f.timestamp(), f.timestamp()
	b.Attributes &= 0x38 // time, transaction, control; no codec
	b.FirstOffset, b.LastOffsetDelta = abs(b.FirstOffset)>>1, int32(abs(int64(b.LastOffsetDelta)))
	list = make([]kmsg.Record, f.rnd.IntN(4))
	for i := range list {
		r := &list[i]
		f.value(reflect.ValueOf(r).Elem(), "Record", false)
		r.TimestampDelta = int32(r.TimestampDelta64 >> 32)
		r.TimestampDelta64 = int64(r.TimestampDelta)
		r.OffsetDelta = int32(abs(int64(r.OffsetDelta)))
	}
	return b, list
}

// abs is n, or where that is negative all that it does not have.
func abs(n int64) int64 { return max(n, ^n) }

func (f *filler) timestamp() int64 { return max(-1, int64(f.rnd.Uint64())>>20) }

// appendBatch writes a batch with the lengths, the count and the checksum that
// belong to it.
func appendBatch(dst []byte, b kmsg.RecordBatch, list []kmsg.Record) []byte {
	b.Records, b.NumRecords = appendRecords(nil, list), int32(len(list))
	return appendSealed(dst, b)
}

func appendRecords(dst []byte, list []kmsg.Record) []byte {
	for _, r := range list {
		r.Length = 0 // of one byte
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		dst = r.AppendTo(dst)
	}
	return dst
}

func appendSealed(dst []byte, b kmsg.RecordBatch) []byte {
	b.Length = int32(49 + len(b.Records))
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return append(dst, raw...)
}

// appendMessage writes a message of version 0 or 1.
func (f *filler) appendMessage(dst []byte, magic int8) []byte {
	m := kmsg.NewMessageV1()
	f.value(reflect.ValueOf(&m).Elem(), "MessageV1", false)
	m.Attributes, m.Timestamp = m.Attributes&8, f.timestamp()
	if m.Magic = magic; magic == 0 {
		m.Attributes = 0
	}
	return append(dst, sealed(m)...)
}

// sealed is a message with the size and the checksum that belong to it.
func sealed(m kmsg.MessageV1) []byte {
	raw := m.AppendTo(nil)
	if m.Magic == 0 {
		raw = (&kmsg.MessageV0{Offset: m.Offset, Attributes: m.Attributes, Key: m.Key, Value: m.Value}).AppendTo(nil)
	}
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[12:], crc32.ChecksumIEEE(raw[16:]))
	return raw
}

// sameRecords compares records as values with what kmsg reads of raw.
func sameRecords(raw []byte, list []*sarama.Records) error {
	for _, r := range list {
		if r.RecordBatch != nil {
			n := 12 + int(binary.BigEndian.Uint32(raw[8:]))
			if err := sameBatch(raw[:n], r.RecordBatch); err != nil {
				return err
			}
			raw = raw[n:]
			continue
		}
		for _, m := range r.MsgSet.Messages {
			n := 12 + int(binary.BigEndian.Uint32(raw[8:]))
			if err := sameMessage(raw[:n], m); err != nil {
				return err
			}
			raw = raw[n:]
		}
	}
	if len(raw) > 0 {
		return fmt.Errorf("this module has nothing of %x", raw)
	}
	return nil
}

// same compares what has a name and two values each.
func same(what string, pairs ...any) error {
	for ; len(pairs) > 0; pairs = pairs[3:] {
		if !reflect.DeepEqual(pairs[1], pairs[2]) {
			return fmt.Errorf("%s, %s: kmsg has %#v, this module %#v", what, pairs[0], pairs[1], pairs[2])
		}
	}
	return nil
}

// milli is a time as kmsg has it.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return t.UnixMilli()
}

// sameBatch compares a batch.
func sameBatch(raw []byte, b *sarama.RecordBatch) error {
	k := new(kmsg.RecordBatch)
	if err := k.ReadFrom(raw); err != nil {
		return fmt.Errorf("kmsg reads a batch: %w", err)
	}
	if err := sameBatchHeader(raw, k, b); err != nil {
		return err
	}
	records, err := plainBytes(b.Codec, k.Records)
	if err != nil {
		return err
	}
	return sameRecordList(records, b.Records)
}

// plainBytes are what was compressed, if anything was.
func plainBytes(codec sarama.CompressionCodec, raw []byte) ([]byte, error) {
	if codec == sarama.CompressionNone {
		return raw, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func sameBatchHeader(raw []byte, k *kmsg.RecordBatch, b *sarama.RecordBatch) error {
	return same("batch",
		"CRC", uint32(k.CRC), crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)),
		"Length", int(k.Length), len(raw)-12,
		"FirstOffset", k.FirstOffset, b.FirstOffset,
		"PartitionLeaderEpoch", k.PartitionLeaderEpoch, b.PartitionLeaderEpoch,
		"Magic", k.Magic, b.Version,
		"codec", k.Attributes&7, int16(b.Codec),
		"LogAppendTime", k.Attributes&8 != 0, b.LogAppendTime,
		"transactional", k.Attributes&16 != 0, b.IsTransactional,
		"control", k.Attributes&32 != 0, b.Control,
		"LastOffsetDelta", k.LastOffsetDelta, b.LastOffsetDelta,
		"FirstTimestamp", k.FirstTimestamp, milli(b.FirstTimestamp),
		"MaxTimestamp", k.MaxTimestamp, milli(b.MaxTimestamp),
		"ProducerID", k.ProducerID, b.ProducerID,
		"ProducerEpoch", k.ProducerEpoch, b.ProducerEpoch,
		"FirstSequence", k.FirstSequence, b.FirstSequence,
		"NumRecords", int(k.NumRecords), len(b.Records),
	)
}

// sameRecordList compares records that raw has, and nothing else.
func sameRecordList(raw []byte, list []*sarama.Record) error {
	for _, r := range list {
		length, n := binary.Varint(raw)
		if n <= 0 || int(length) > len(raw)-n {
			return fmt.Errorf("records end within one: %x", raw)
		}
		k := new(kmsg.Record)
		if err := k.ReadFrom(raw[:n+int(length)]); err != nil {
			return fmt.Errorf("kmsg reads a record: %w", err)
		}
		raw = raw[n+int(length):]
		if err := sameRecord(k, r); err != nil {
			return err
		}
	}
	return same("batch", "rest", len(raw), 0)
}

func sameRecord(k *kmsg.Record, r *sarama.Record) error {
	err := same("record",
		"Attributes", k.Attributes, r.Attributes,
		"TimestampDelta", time.Duration(k.TimestampDelta64)*time.Millisecond, r.TimestampDelta,
		"OffsetDelta", int64(k.OffsetDelta), r.OffsetDelta,
		"Key", k.Key, r.Key,
		"Value", k.Value, r.Value,
		"headers", len(k.Headers), len(r.Headers),
	)
	for i := 0; err == nil && i < len(k.Headers); i++ {
		err = same("header", "Key", k.Headers[i].Key, string(r.Headers[i].Key), "Value", k.Headers[i].Value, r.Headers[i].Value)
	}
	return err
}

// sameMessage compares a message with those that are in it.
func sameMessage(raw []byte, b *sarama.MessageBlock) error {
	k := new(kmsg.MessageV1)
	var err error
	if raw[16] == 0 {
		var old kmsg.MessageV0
		err = old.ReadFrom(raw)
		*k = kmsg.MessageV1{Offset: old.Offset, MessageSize: old.MessageSize, CRC: old.CRC, Magic: old.Magic,
			Attributes: old.Attributes, Key: old.Key, Value: old.Value, Timestamp: -1}
	} else {
		err = k.ReadFrom(raw)
	}
	if err != nil {
		return fmt.Errorf("kmsg reads a message: %w", err)
	}
	m := b.Msg
	value, err := plainBytes(m.Codec, k.Value)
	if err != nil {
		return err
	}
	err = same("message",
		"CRC", uint32(k.CRC), crc32.ChecksumIEEE(raw[16:]),
		"MessageSize", int(k.MessageSize), len(raw)-12,
		"Offset", k.Offset, b.Offset,
		"Magic", k.Magic, m.Version,
		"codec", k.Attributes&7, int8(m.Codec),
		"LogAppendTime", k.Attributes&8 != 0, m.LogAppendTime,
		"Timestamp", k.Timestamp, milli(m.Timestamp),
		"Key", k.Key, m.Key,
		"Value", value, m.Value,
	)
	if err == nil && m.Set != nil {
		return sameRecords(value, []*sarama.Records{{MsgSet: m.Set}})
	}
	return err
}
