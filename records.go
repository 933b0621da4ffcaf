package sarama

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/IBM/sarama/internal/compress"
	"github.com/IBM/sarama/internal/record"
)

// The types below show record batches as values, for direct users of Broker
// and for tests. Producers and consumers work with the wire form instead.

// RecordBatch is a batch of records of version 2, the form that Kafka has
// stored since 0.11 (KIP-98).
type RecordBatch struct {
	// FirstOffset is the offset that deltas are relative to; 0 when producing.
	FirstOffset          int64
	PartitionLeaderEpoch int32
	// Version is 2.
	Version int8
	Codec   CompressionCodec
	// CompressionLevel as in Config.Producer; used when writing.
	CompressionLevel int
	// Control batches hold a transaction's marker, not user records.
	Control bool
	// LogAppendTime says that all records have the broker's time, MaxTimestamp.
	LogAppendTime   bool
	LastOffsetDelta int32
	FirstTimestamp  time.Time
	MaxTimestamp    time.Time
	// ProducerID and ProducerEpoch are -1 for a producer that is not
	// idempotent.
	ProducerID    int64
	ProducerEpoch int16
	FirstSequence int32
	Records       []*Record
	// PartialTrailingRecord says that the bytes read ended within the batch;
	// Records is then empty.
	PartialTrailingRecord bool
	IsTransactional       bool
}

// Record is one record of a RecordBatch.
type Record struct {
	Headers []*RecordHeader

	Attributes int8
	// TimestampDelta is relative to the batch's FirstTimestamp, in whole
	// milliseconds on the wire.
	TimestampDelta time.Duration
	OffsetDelta    int64
	Key            []byte
	Value          []byte
}

// LastOffset is the offset of the batch's last record, which compaction may
// have removed since.
func (b *RecordBatch) LastOffset() int64 { return b.FirstOffset + int64(b.LastOffsetDelta) }

// append writes the batch behind dst.
func (b *RecordBatch) append(dst []byte) ([]byte, error) {
	if b.Version != 2 {
		return dst, PacketEncodingError{fmt.Sprintf("unsupported record batch version (%d)", b.Version)}
	}
	if b.Codec < CompressionNone || b.Codec > CompressionZSTD {
		return dst, PacketEncodingError{fmt.Sprintf("unsupported compression codec (%d)", b.Codec)}
	}
	var records []byte
	for i, r := range b.Records {
		if r == nil {
			return dst, PacketEncodingError{fmt.Sprintf("record %d of the batch is nil", i)}
		}
		records = r.append(records)
	}
	from := len(dst)
	dst = append(dst, make([]byte, record.HeaderSize)...)
	dst, err := compress.Append(dst, compress.Codec(b.Codec), b.CompressionLevel, records)
	if err != nil {
		return dst[:from], PacketEncodingError{err.Error()}
	}
	raw := dst[from:]
	if len(raw) > math.MaxInt32 {
		return dst[:from], PacketEncodingError{fmt.Sprintf("record batch of %d bytes is too large", len(raw))}
	}
	be := binary.BigEndian
	be.PutUint64(raw[0:], uint64(b.FirstOffset))
	be.PutUint32(raw[8:], uint32(len(raw)-12))
	be.PutUint32(raw[12:], uint32(b.PartitionLeaderEpoch))
	raw[16] = 2
	be.PutUint16(raw[21:], uint16(b.attributes()))
	be.PutUint32(raw[23:], uint32(b.LastOffsetDelta))
	be.PutUint64(raw[27:], uint64(milliOf(b.FirstTimestamp)))
	be.PutUint64(raw[35:], uint64(milliOf(b.MaxTimestamp)))
	be.PutUint32(raw[57:], uint32(len(b.Records)))
	record.Stamp(raw, b.ProducerID, b.ProducerEpoch, b.FirstSequence)
	return dst, nil
}

func (b *RecordBatch) attributes() record.Attributes {
	a := record.Attributes(0).WithCodec(compress.Codec(b.Codec))
	if b.LogAppendTime {
		a |= record.LogAppendTime
	}
	if b.IsTransactional {
		a |= record.Transactional
	}
	if b.Control {
		a |= record.Control
	}
	return a
}

func (r *Record) append(dst []byte) []byte {
	body := []byte{byte(r.Attributes)}
	body = binary.AppendVarint(body, int64(r.TimestampDelta/time.Millisecond))
	body = binary.AppendVarint(body, r.OffsetDelta)
	body = appendVarBytes(body, r.Key)
	body = appendVarBytes(body, r.Value)
	body = binary.AppendVarint(body, int64(len(r.Headers)))
	for _, h := range r.Headers {
		body = binary.AppendVarint(body, int64(len(h.Key)))
		body = append(body, h.Key...)
		body = appendVarBytes(body, h.Value)
	}
	dst = binary.AppendVarint(dst, int64(len(body)))
	return append(dst, body...)
}

// appendVarBytes writes bytes whose nil is null.
func appendVarBytes(dst, b []byte) []byte {
	if b == nil {
		return binary.AppendVarint(dst, -1)
	}
	return append(binary.AppendVarint(dst, int64(len(b))), b...)
}

// recordBatchOf shows a batch as a value.
func recordBatchOf(raw *record.Batch) (*RecordBatch, error) {
	if err := raw.CheckCRC(); err != nil {
		return nil, PacketDecodingError{err.Error()}
	}
	b := &RecordBatch{
		FirstOffset: raw.BaseOffset, PartitionLeaderEpoch: raw.PartitionLeaderEpoch, Version: raw.Magic,
		Codec: CompressionCodec(raw.Codec()), CompressionLevel: CompressionLevelDefault,
		Control: raw.Control(), LogAppendTime: raw.LogAppendTime(), IsTransactional: raw.Transactional(),
		LastOffsetDelta: raw.LastOffsetDelta, FirstTimestamp: unixMilli(raw.FirstTimestampMs), MaxTimestamp: unixMilli(raw.MaxTimestampMs),
		ProducerID: raw.ProducerID, ProducerEpoch: raw.ProducerEpoch, FirstSequence: raw.BaseSequence,
	}
	it, err := raw.Open(int(MaxDecompressedBatchSize))
	if err != nil {
		return nil, batchError(err)
	}
	slab := make([]Record, it.Left())
	b.Records = make([]*Record, 0, len(slab))
	var rec record.Rec
	for it.Next(&rec) {
		r := &slab[len(b.Records)]
		*r = Record{
			Headers: headersOf(&rec), Attributes: rec.Attributes,
			TimestampDelta: time.Duration(rec.TimestampDelta) * time.Millisecond, OffsetDelta: int64(rec.OffsetDelta),
			Key: rec.Key, Value: rec.Value,
		}
		if r.Headers == nil {
			r.Headers = []*RecordHeader{}
		}
		b.Records = append(b.Records, r)
	}
	if err := it.Err(); err != nil {
		return nil, batchError(err)
	}
	return b, nil
}

// batchError is what a batch that cannot be read comes back as.
func batchError(err error) error {
	if errors.Is(err, ErrDecompressedBatchTooLarge) {
		return err
	}
	return PacketDecodingError{err.Error()}
}

// headersOf are a record's headers, nil where it has none.
func headersOf(rec *record.Rec) []*RecordHeader {
	if rec.HeaderCount == 0 {
		return nil
	}
	slab := make([]RecordHeader, rec.HeaderCount)
	list := make([]*RecordHeader, rec.HeaderCount)
	headers := rec.Headers()
	for i := range slab {
		slab[i].Key, slab[i].Value, _ = headers.Next()
		list[i] = &slab[i]
	}
	return list
}

// Records is what a partition's records are in a request or response: either
// messages of version 0 or 1, or a batch. Both are an error when written;
// neither is no bytes.
type Records struct {
	MsgSet      *MessageSet
	RecordBatch *RecordBatch
}

// append writes the records behind dst; none is null.
func (r *Records) append(dst []byte) ([]byte, error) {
	switch {
	case r == nil:
		return dst, nil
	case r.MsgSet != nil && r.RecordBatch != nil:
		return dst, PacketEncodingError{"records with both a message set and a record batch"}
	case r.MsgSet != nil:
		return r.MsgSet.append(dst, 0)
	case r.RecordBatch != nil:
		return r.RecordBatch.append(dst)
	}
	return dst, nil
}

// readRecords shows what a response has for a partition: one Records for each
// batch, and for each run of messages. partial says that the bytes end within
// the first batch, or within a message.
func readRecords(raw []byte) (list []*Records, partial bool, err error) {
	sets := messageSetReader{limit: int(MaxDecompressedBatchSize)}
	for len(raw) > 0 {
		if len(raw) > magicAt && raw[magicAt] < 2 {
			set, rest, err := sets.read(raw, 0)
			if err != nil {
				return list, false, err
			}
			if raw = rest; len(set.Messages) > 0 || len(list) == 0 {
				list = append(list, &Records{MsgSet: set})
			}
			partial = set.PartialTrailingMessage
			continue
		}
		batch, rest, err := record.Next(raw)
		if tooShort := (*record.PartialError)(nil); errors.As(err, &tooShort) {
			if len(list) > 0 {
				return list, false, nil // brokers cut off what is beyond the limit
			}
			return []*Records{{RecordBatch: &RecordBatch{PartialTrailingRecord: true}}}, true, nil
		}
		if err != nil {
			return list, false, batchError(err)
		}
		b, err := recordBatchOf(&batch)
		if err != nil {
			return list, false, err
		}
		list = append(list, &Records{RecordBatch: b})
		raw = rest
	}
	return list, partial, nil
}

// magicAt is where a batch, and a message of version 0 or 1, has its version.
const magicAt = 16

// ControlRecordType tells what a transaction's marker says.
type ControlRecordType int

// What markers say.
const (
	ControlRecordAbort ControlRecordType = iota
	ControlRecordCommit
	ControlRecordUnknown
)

// ControlRecord is the marker with which a transaction ends in a partition.
type ControlRecord struct {
	Version          int16
	CoordinatorEpoch int32
	Type             ControlRecordType
}

// record is the marker as a record.
func (c *ControlRecord) record() *Record {
	key := binary.BigEndian.AppendUint16(nil, uint16(c.Version))
	key = binary.BigEndian.AppendUint16(key, uint16(c.Type))
	value := binary.BigEndian.AppendUint16(nil, uint16(c.Version))
	value = binary.BigEndian.AppendUint32(value, uint32(c.CoordinatorEpoch))
	return &Record{Key: key, Value: value}
}
