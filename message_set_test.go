package sarama

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama/internal/record"
)

func setOfValues(version int8, values ...string) *MessageSet {
	s := new(MessageSet)
	for i, v := range values {
		s.Messages = append(s.Messages, &MessageBlock{Offset: int64(i), Msg: &Message{Version: version, Value: []byte(v)}})
	}
	return s
}

// The bytes are those that Sarama 1.61.1 sends for the same requests.
func TestMessageSetInProduceRequests(t *testing.T) {
	const head = "0001 00000001 00000001 0001 74 00000001 00000000 " // acks, timeout, topic t, partition 0
	for _, tc := range []struct {
		name string
		fill func(r *ProduceRequest)
		want string
	}{
		{"version 0", func(r *ProduceRequest) { r.AddMessage("t", 0, &Message{Value: []byte("v")}) },
			"0000001b 0000000000000000 0000000f d20cbff5 0000 ffffffff 0000000176"},
		{"version 1 without time", func(r *ProduceRequest) { r.AddMessage("t", 0, &Message{Value: []byte("v"), Version: 1}) },
			"00000023 0000000000000000 00000017 72faf011 0100 ffffffffffffffff ffffffff 0000000176"},
		{"version 1, LogAppendTime", func(r *ProduceRequest) {
			r.AddMessage("t", 0, &Message{Value: []byte("v"), Version: 1, LogAppendTime: true, Timestamp: time.UnixMilli(3)})
		}, "00000023 0000000000000000 00000017 48075221 0108 0000000000000003 ffffffff 0000000176"},
		{"two", func(r *ProduceRequest) {
			r.AddMessage("t", 0, &Message{Value: []byte("a")})
			r.AddMessage("t", 0, &Message{Value: []byte("b")})
		}, "00000036 0000000000000000 0000000f 51df3a32 0000 ffffffff 0000000161 0000000000000000 0000000f c8d66b88 0000 ffffffff 0000000162"},
		{"a set in place of messages", func(r *ProduceRequest) {
			r.AddMessage("t", 0, &Message{Value: []byte("a")})
			r.AddSet("t", 0, &MessageSet{Messages: []*MessageBlock{{Offset: 9, Msg: &Message{Value: []byte("c")}}}})
		}, "0000001b 0000000000000009 0000000f bfd15b1e 0000 ffffffff 0000000163"},
		{"a message in place of a batch", func(r *ProduceRequest) {
			r.AddBatch("t", 0, &RecordBatch{Version: 2})
			r.AddMessage("t", 0, &Message{Value: []byte("b")})
		}, "0000001b 0000000000000000 0000000f c8d66b88 0000 ffffffff 0000000162"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for version := range int16(3) {
				r := &ProduceRequest{Version: version, RequiredAcks: WaitForLocal, Timeout: 1}
				tc.fill(r)
				raw, err := encodeBody(r)
				want := strings.ReplaceAll(head+tc.want, " ", "")
				if got := hex.EncodeToString(raw); err != nil || got != want {
					t.Errorf("version %d: %v\n got %s\nwant %s", version, err, got, want)
				}
			}
		})
	}
}

func TestMessageSetThatCannotBeWritten(t *testing.T) {
	deep := setOfValues(0, "deep")
	for range record.SetDepthMax + 1 {
		deep = &MessageSet{Messages: []*MessageBlock{{Msg: &Message{Codec: CompressionGZIP, Set: deep}}}}
	}
	of := func(m *Message) *MessageSet { return &MessageSet{Messages: []*MessageBlock{{Msg: m}}} }
	for _, tc := range []struct {
		name string
		set  *MessageSet
		want string
	}{
		{"nil block", &MessageSet{Messages: []*MessageBlock{nil}}, "message 0 of the set is nil"},
		{"nil message", of(nil), "message 0 of the set is nil"},
		{"version 2", of(&Message{Version: 2}), "unsupported message version (2)"},
		{"version -1", of(&Message{Version: -1}), "unsupported message version (-1)"},
		{"codec 9", of(&Message{Codec: 9}), "unsupported compression codec (9)"},
		{"zstd", of(&Message{Codec: CompressionZSTD, Value: []byte("v")}), "zstd needs record batches"},
		{"compressed nothing", of(&Message{Codec: CompressionGZIP}), "compressed message without value"},
		{"time", of(&Message{Version: 1, Timestamp: time.UnixMilli(-5)}), "invalid timestamp (1969-12-31 23:59:59.995"},
		{"gzip level", of(&Message{Codec: CompressionGZIP, CompressionLevel: 77, Value: []byte("v")}), "gzip compression level 77"},
		{"depth", deep, "nested deeper than 4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.name == "time" {
				tc.set.Messages[0].Msg.Timestamp = tc.set.Messages[0].Msg.Timestamp.UTC()
			}
			r := new(ProduceRequest)
			r.AddSet("t", 0, tc.set)
			_, err := encodeBody(r)
			if bad := (PacketEncodingError{}); !errors.As(err, &bad) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
	r := &ProduceRequest{topics: []produceTopic{{name: "t", partitions: []producePartition{{
		records: &Records{MsgSet: new(MessageSet), RecordBatch: &RecordBatch{Version: 2}},
	}}}}}
	if _, err := encodeBody(r); err == nil || !strings.Contains(err.Error(), "both a message set and a record batch") {
		t.Errorf("both: %v", err)
	}
}

// What is read is shown as Sarama 1.61.1 shows it: a compressed message has the
// set in it, and that set's bytes as its value.
func TestMessageSetInFetchResponses(t *testing.T) {
	at := time.UnixMilli(1_600_000_000_000)
	for version := range int16(12) {
		for _, codec := range []CompressionCodec{CompressionGZIP, CompressionSnappy, CompressionLZ4} {
			inner := setOfValues(1, "c", "d")
			wrapper := &Message{Version: 1, Codec: codec, CompressionLevel: CompressionLevelDefault, Timestamp: at, Set: inner}
			sent := &FetchResponse{Version: version}
			sent.AddMessage("t", 0, nil, StringEncoder("a"), 5)
			sent.AddMessageWithTimestamp("t", 0, StringEncoder("k"), nil, 6, at, 1)
			set := sent.GetBlock("t", 0).RecordsSet[0].MsgSet
			set.Messages = append(set.Messages, &MessageBlock{Offset: 8, Msg: wrapper})
			sent.GetBlock("t", 0).add(batchOfValues(9, "e"))
			sent.AddMessage("t", 0, nil, StringEncoder("f"), 10)
			raw, err := encodeBody(sent)
			if err != nil {
				t.Fatal(err)
			}
			got := new(FetchResponse)
			if err := readBody(raw, got, version); err != nil {
				t.Fatalf("version %d: %v", version, err)
			}
			block := got.GetBlock("t", 0)
			if len(block.RecordsSet) != 3 || block.Partial || block.Records != block.RecordsSet[0] {
				t.Fatalf("version %d: %+v", version, block)
			}
			if block.RecordsSet[1].RecordBatch == nil || len(block.RecordsSet[2].MsgSet.Messages) != 1 {
				t.Errorf("version %d: %+v", version, block.RecordsSet)
			}
			first := block.RecordsSet[0].MsgSet
			var text []string
			for _, b := range first.Messages {
				for _, m := range b.Messages() {
					text = append(text, fmt.Sprintf("%d %d %q %q %d", m.Offset, m.Msg.Version, m.Msg.Key, m.Msg.Value, milliOf(m.Msg.Timestamp)))
				}
			}
			want := []string{`5 0 "" "a" -1`, `6 1 "k" "" 1600000000000`, `0 1 "" "c" -1`, `1 1 "" "d" -1`}
			if !reflect.DeepEqual(text, want) {
				t.Errorf("version %d: got %q", version, text)
			}
			if m := first.Messages[2].Msg; m.Codec != codec || !m.Timestamp.Equal(at) || len(m.Value) != 2*35 || m.Key != nil {
				t.Errorf("version %d: wrapper %+v", version, m)
			}
			// It is written back, from the value, to the same.
			again, err := encodeBody(got)
			if err != nil || hex.EncodeToString(again) != hex.EncodeToString(raw) {
				t.Errorf("version %d: %v\nwrote %x\nwant  %x", version, err, again, raw)
			}
		}
	}
}

func TestMessageSetCutAtEveryByte(t *testing.T) {
	raw, err := setOfValues(1, "first", "second").append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	const first = 34 + 5 // size of the first message
	for n := range len(raw) + 1 {
		list, partial, err := readRecords(raw[:n])
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		whole := 0
		if n >= first {
			whole++
		}
		if n == len(raw) {
			whole++
		}
		if cut := n != 0 && n != first && n != len(raw); partial != cut {
			t.Errorf("%d bytes: partial %v", n, partial)
		}
		got := 0
		if len(list) > 0 && list[0].MsgSet != nil {
			got = len(list[0].MsgSet.Messages)
			if list[0].MsgSet.PartialTrailingMessage != partial {
				t.Errorf("%d bytes: %+v", n, list[0].MsgSet)
			}
		}
		if got != whole {
			t.Errorf("%d bytes: %d messages", n, got)
		}
	}
}

func TestMessageSetThatCannotBeRead(t *testing.T) {
	sound := func(m *Message) []byte {
		raw, err := (&MessageBlock{Offset: 7, Msg: m}).append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	flip := sound(&Message{Value: []byte("v")})
	flip[len(flip)-1] ^= 1
	cut := sound(&Message{Codec: CompressionSnappy, Value: sound(&Message{Value: []byte("v")})[:20]})
	stranger := record.AppendMessage(nil, &record.Message{Offset: 7, Attributes: 1, Value: []byte("not gzip")})
	for name, raw := range map[string][]byte{
		"CRC didn't match": flip, "no whole message set": cut, "decompressing gzip": stranger,
	} {
		list, _, err := readRecords(raw)
		if bad := (PacketDecodingError{}); !errors.As(err, &bad) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "offset 7") || len(list) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	limit := MaxDecompressedBatchSize
	defer func() { MaxDecompressedBatchSize = limit }()
	MaxDecompressedBatchSize = 100
	big := sound(&Message{Codec: CompressionGZIP, Set: setOfValues(0, strings.Repeat("x", 100))})
	if _, _, err := readRecords(big); !errors.Is(err, ErrDecompressedBatchTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func TestFetchResponseAddsMessagesAndBatches(t *testing.T) {
	r := &FetchResponse{Version: 2, LogAppendTime: true, Timestamp: time.UnixMilli(77)}
	r.AddMessage("t", 0, nil, StringEncoder("v"), 5)
	r.AddMessageWithTimestamp("t", 0, StringEncoder("k"), nil, 6, time.UnixMilli(99), 1)
	set := r.GetBlock("t", 0).RecordsSet[0].MsgSet
	for i, m := range set.Messages {
		if m.Offset != int64(5+i) || !m.Msg.LogAppendTime || m.Msg.Version != int8(i) || m.Msg.Timestamp.UnixMilli() != 77 {
			t.Errorf("%+v", m.Msg)
		}
	}
	r.SetLastOffsetDelta("t", 0, 3) // makes a batch, where upstream panics
	r.AddRecord("t", 0, nil, StringEncoder("r"), 4)
	if sets := r.GetBlock("t", 0).RecordsSet; len(sets) != 2 || len(sets[1].RecordBatch.Records) != 1 || sets[1].RecordBatch.LastOffsetDelta != 4 {
		t.Errorf("%+v", sets)
	}
}
