package sarama

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama/internal/compress"
	"github.com/IBM/sarama/internal/golden"
	"github.com/IBM/sarama/internal/record"
	"github.com/IBM/sarama/internal/wire"
)

// responseBody strips a response's header off a captured frame.
func responseBody(t testing.TB, a *api, f golden.Frame) []byte {
	t.Helper()
	raw := f.Body[4:] // the correlation id
	if !a.flexibleResponseHeader(f.Version) {
		return raw
	}
	var c wire.Codec
	c.Reader(raw, 0, true)
	if c.End(); c.Err() != nil {
		t.Fatalf("%s v%d (%s): header: %v", f.API, f.Version, f.Origin, c.Err())
	}
	return c.Rest()
}

// goldenBodies are the captured frames of APIs that the table has, decoded.
func goldenBodies(t testing.TB, each func(f golden.Frame, b body, raw []byte)) int {
	n := 0
	for _, f := range golden.Load(t) {
		if f.Key > keyMax || apis[f.Key] == nil || f.Version > apis[f.Key].max() {
			continue
		}
		a := apis[f.Key]
		var b body
		var raw []byte
		var err error
		if f.Request {
			h, req, rerr := readRequest(f.Body)
			b, err = req, rerr
			header := appendRequestHeader(nil, a, f.Version, h.CorrelationID, h.ClientID)
			raw = f.Body[len(header)-4:]
		} else {
			raw = responseBody(t, a, f)
			version := f.Version
			b = a.response()
			if a == apiFetch {
				b = new(fetchResponse)
			}
			if a == apiApiVersions && raw[1] != 0 { // a refusal has the form of version 0
				version = 0
			}
			err = readBody(raw, b, version)
		}
		if err != nil {
			t.Errorf("%s v%d request %v (%s): %v", f.API, f.Version, f.Request, f.Origin, err)
			continue
		}
		n++
		each(f, b, raw)
	}
	return n
}

// TestGoldenFramesAreReadAndWrittenBack uses frames captured between real
// brokers and other clients: what is read is written back to the same bytes,
// but for the order of what the API shows as maps.
func TestGoldenFramesAreReadAndWrittenBack(t *testing.T) {
	exact := 0
	n := goldenBodies(t, func(f golden.Frame, b body, raw []byte) {
		where := fmt.Sprintf("%s v%d request %v (%s)", f.API, f.Version, f.Request, f.Origin)
		got, err := encodeBody(b)
		if err != nil {
			t.Errorf("%s: write: %v", where, err)
			return
		}
		if bytes.Equal(got, raw) {
			exact++
			return
		}
		if !slices.Equal(sortedBytes(got), sortedBytes(raw)) && !knownLoss(f) {
			t.Errorf("%s:\nwrote %x\nwant  %x", where, got, raw)
			return
		}
		again := reflect.New(reflect.TypeOf(b).Elem()).Interface().(body)
		_, v := b.meta()
		if err := readBody(got, again, *v); err != nil {
			t.Errorf("%s: own frame: %v", where, err)
		}
	})
	t.Logf("%d frames, %d of them to the same bytes", n, exact)
	if n < 300 {
		t.Errorf("only %d frames were looked at", n)
	}
}

func sortedBytes(b []byte) []byte {
	b = bytes.Clone(b)
	slices.Sort(b)
	return b
}

// knownLoss are frames with fields that the exported types have no place for.
func knownLoss(f golden.Frame) bool {
	switch {
	case f.API == "DeleteTopics" && f.Request && f.Version >= 6: // topics named by id alone
		return true
	case f.API == "DescribeConfigs" && f.Request && strings.HasPrefix(f.Origin, "kmsg"): // no settings asked for: the API takes it for all
		return true
	}
	return false
}

// TestGoldenRecordsAreRead reads all record batches in captured frames.
func TestGoldenRecordsAreRead(t *testing.T) {
	batches, records := 0, 0
	read := func(where string, raw []byte) {
		for len(raw) > 0 {
			b, rest, err := record.Next(raw)
			if errors.Is(err, record.ErrOldFormat) {
				return // see TestGoldenMessageSets
			}
			if partial := (*record.PartialError)(nil); errors.As(err, &partial) {
				return
			}
			if err == nil {
				err = b.CheckCRC()
			}
			if err != nil {
				t.Errorf("%s: %v", where, err)
				return
			}
			value, err := recordBatchOf(&b)
			if err != nil {
				t.Errorf("%s: %v", where, err)
				return
			}
			if len(value.Records) != int(b.Count) {
				t.Errorf("%s: %d of %d records", where, len(value.Records), b.Count)
			}
			batches++
			records += len(value.Records)
			raw = rest
		}
	}
	eachGoldenRecords(t, func(f golden.Frame, raw []byte) {
		read(fmt.Sprintf("%s v%d (%s)", f.API, f.Version, f.Origin), raw)
	})
	t.Logf("%d batches, %d records", batches, records)
	if batches < 50 {
		t.Errorf("only %d batches were looked at", batches)
	}
}

// eachGoldenRecords calls read with the records of each partition in captured
// Produce requests and Fetch responses.
func eachGoldenRecords(t *testing.T, read func(f golden.Frame, raw []byte)) {
	goldenBodies(t, func(f golden.Frame, b body, _ []byte) {
		switch b := b.(type) {
		case *ProduceRequest:
			for _, topic := range b.topics {
				for _, p := range topic.partitions {
					read(f, p.raw)
				}
			}
		case *fetchResponse:
			for _, topic := range b.topics {
				for _, p := range topic.partitions {
					read(f, p.records)
				}
			}
		}
	})
}

// TestGoldenMessageSetsReadAndWriteBack shows captured message sets as values
// and writes these: to the same bytes, once what is compressed was opened.
func TestGoldenMessageSetsReadAndWriteBack(t *testing.T) {
	sets, messages, overflows := 0, 0, 0
	eachGoldenRecords(t, func(f golden.Frame, raw []byte) {
		if len(raw) <= magicAt || raw[magicAt] > 1 {
			return
		}
		damaged := f.Request && raw[len(raw)-1] == 0xff // the capture's broken message
		list, _, err := readRecords(raw)
		if err != nil {
			if !damaged {
				t.Errorf("%v: %v", f, err)
			}
			return
		}
		if len(list) != 1 || list[0].MsgSet == nil || list[0].RecordBatch != nil {
			t.Errorf("%v: %d records, %+v", f, len(list), list)
			return
		}
		set := list[0].MsgSet
		sets++
		if set.OverflowMessage {
			overflows++
		}
		rest := raw
		for _, b := range set.Messages {
			one, after, err := record.Next(rest)
			if !errors.Is(err, record.ErrOldFormat) {
				t.Fatalf("%v: %v", f, err)
			}
			rest = after
			messages += len(b.Messages())
			wire, err := (&MessageSet{Messages: []*MessageBlock{b}}).append(nil, 0)
			if err != nil {
				t.Errorf("%v: %v", f, err)
				continue
			}
			if b.Msg.Codec == CompressionNone {
				if !bytes.Equal(wire, one.Raw) {
					t.Errorf("%v:\nwrote %x\nwant  %x", f, wire, one.Raw)
				}
				continue
			}
			again, _, err := readRecords(wire)
			if err != nil || !reflect.DeepEqual(again[0].MsgSet.Messages[0], b) {
				t.Errorf("%v: %v, read back %+v", f, err, again)
			}
			inner, err := b.Msg.Set.append(nil, 1)
			if err != nil || !bytes.Equal(inner, b.Msg.Value) {
				t.Errorf("%v: %v\nwrote %x\nwant  %x", f, err, inner, b.Msg.Value)
			}
		}
		if len(rest) > 0 != (set.PartialTrailingMessage || set.OverflowMessage) {
			t.Errorf("%v: %d bytes left, %+v", f, len(rest), set)
		}
	})
	t.Logf("%d sets, %d messages, %d overflow messages", sets, messages, overflows)
	if sets < 20 || messages < 80 || overflows < 3 {
		t.Errorf("only %d sets, %d messages, %d overflow messages were looked at", sets, messages, overflows)
	}
}

// TestGoldenMessageSetsAreProducedAlike builds, from the messages that Sarama
// 1.61.1 has produced, the sets that it sent: to the same bytes, once what is
// compressed was opened.
func TestGoldenMessageSetsAreProducedAlike(t *testing.T) {
	seen := map[string]int{}
	eachGoldenRecords(t, func(f golden.Frame, raw []byte) {
		if !f.Request || f.Version > 2 || !strings.HasPrefix(f.Origin, "sarama 1.61.1") {
			return
		}
		set, rest, err := record.NextSet(raw, 0)
		if err != nil || len(rest) > 0 {
			t.Fatalf("%v: %v, %d bytes left", f, err, len(rest))
		}
		var b record.Builder
		b.SetMagic(produceMagic(f.Version))
		var m record.Message
		for it := set.Open(0); it.Next(&m); {
			record.Append[RecordHeader](&b, m.TimestampMs, m.Key, m.Value, nil)
		}
		var want, got record.Message
		if err := record.ReadMessage(raw[:12+int(binary.BigEndian.Uint32(raw[8:]))], &want); err != nil {
			t.Fatal(err)
		}
		codec := want.Attributes.Codec()
		seen[fmt.Sprintf("v%d %v", want.Magic, codec)]++
		sealed, err := b.Seal(codec, compress.LevelDefault, 0)
		if err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		if codec == compress.None {
			if !bytes.Equal(sealed, raw) {
				t.Errorf("%v:\nbuilt %x\nwant  %x", f, sealed, raw)
			}
			return
		}
		if err := record.ReadMessage(sealed, &got); err != nil {
			t.Fatal(err)
		}
		gotSet, err1 := record.Decompress(&got, 0)
		wantSet, err2 := record.Decompress(&want, 0)
		if err1 != nil || err2 != nil || !bytes.Equal(gotSet, wantSet) {
			t.Errorf("%v: %v, %v\nbuilt %x\nwant  %x", f, err1, err2, gotSet, wantSet)
		}
		got.Value, want.Value = nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v: wrapper %+v, want %+v", f, got, want)
		}
	})
	t.Log(seen)
	for _, kind := range []string{"v0 none", "v0 gzip", "v0 snappy", "v1 none", "v1 gzip", "v1 snappy", "v1 lz4"} {
		if seen[kind] == 0 {
			t.Errorf("no %s", kind)
		}
	}
}
