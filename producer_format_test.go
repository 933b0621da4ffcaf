package sarama

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/IBM/sarama/internal/compress"
	"github.com/IBM/sarama/internal/record"
)

// batchOfFormat is a batch of n messages in a format, with one call each.
func batchOfFormat(magic int8, n int) *batch {
	b := newBatch(&producerPartition{topic: &producerTopic{name: "t"}}, nil, magic)
	for i := range n {
		m := &ProducerMessage{Value: StringEncoder(fmt.Sprint(i))}
		record.Append[RecordHeader](&b.records, int64(1000+i), []byte("key"), record.Bytes(fmt.Sprint(i)), nil)
		b.msgs, b.calls = append(b.msgs, m), append(b.calls, syncRef{})
	}
	b.held = budgetShare{int64(n), int64(10 * n)}
	return b
}

// recordsOf reads a batch's records from its sealed form.
func recordsOf(t *testing.T, b *batch, codec compress.Codec) (values []string, times []int64) {
	t.Helper()
	wire, err := b.records.Seal(codec, compress.LevelDefault, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.wire = wire
	b.stamp()
	list, _, err := readRecords(wire)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %d records", err, len(list))
	}
	if list[0].RecordBatch != nil {
		for _, r := range list[0].RecordBatch.Records {
			values = append(values, string(r.Value))
			times = append(times, list[0].RecordBatch.FirstTimestamp.Add(r.TimestampDelta).UnixMilli())
		}
		return values, times
	}
	for _, outer := range list[0].MsgSet.Messages {
		for i, m := range outer.Messages() {
			values = append(values, string(m.Msg.Value))
			times = append(times, milliOf(m.Msg.Timestamp))
			if codec != compress.None && m.Msg.Version > 0 && m.Offset != int64(i) {
				t.Errorf("message %d has offset %d", i, m.Offset)
			}
		}
	}
	return values, times
}

func TestOldFormatBatchesAreRebuiltAndSplit(t *testing.T) {
	for magic := range int8(3) {
		for _, codec := range []compress.Codec{compress.None, compress.Gzip} {
			for _, sealed := range []bool{false, true} {
				b := batchOfFormat(magic, 6)
				msgs := slices.Clone(b.msgs)
				if sealed {
					recordsOf(t, b, codec)
				}
				b.rebuild([]bool{true, false, false, true, false, false})
				if b.records.Magic() != magic || b.wire != nil || !reflect.DeepEqual(b.msgs, []*ProducerMessage{msgs[1], msgs[2], msgs[4], msgs[5]}) {
					t.Errorf("magic %d: rebuilt as %d with %d messages", magic, b.records.Magic(), len(b.msgs))
				}
				times := []int64{1001, 1002, 1004, 1005}
				if magic == 0 {
					times = []int64{-1, -1, -1, -1}
				}
				if values, at := recordsOf(t, b, codec); !slices.Equal(values, []string{"1", "2", "4", "5"}) || !slices.Equal(at, times) {
					t.Errorf("magic %d, %v: rebuilt as %q at %d", magic, codec, values, at)
				}
				front, back := b.split()
				v1, t1 := recordsOf(t, front, codec)
				v2, t2 := recordsOf(t, back, codec)
				if len(v1) == 0 || len(v2) == 0 || !slices.Equal(slices.Concat(v1, v2), []string{"1", "2", "4", "5"}) || !slices.Equal(append(t1, t2...), times) ||
					front.records.Magic() != magic || back.records.Magic() != magic {
					t.Errorf("magic %d, %v: split into %q and %q", magic, codec, v1, v2)
				}
			}
		}
	}
}

// A batch's memory goes from one producer to another, whose format may differ.
func TestOldFormatDoesNotStickToPooledBatches(t *testing.T) {
	for range 20 {
		for magic := range int8(3) {
			b := batchOfFormat(magic, 3)
			if values, _ := recordsOf(t, b, compress.None); len(values) != 3 || b.records.Magic() != magic {
				t.Fatalf("magic %d: %d, %q", magic, b.records.Magic(), values)
			}
			b.free()
		}
	}
}
