package sarama

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/IBM/sarama/internal/golden"
	"github.com/IBM/sarama/internal/record"
	"github.com/IBM/sarama/internal/wire"
)

// responseBody strips a response's header off a captured frame.
func responseBody(t *testing.T, a *api, f golden.Frame) []byte {
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
func goldenBodies(t *testing.T, each func(f golden.Frame, b body, raw []byte)) int {
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
	return f.API == "DeleteTopics" && f.Request && f.Version >= 6 // topics named by id alone
}

// TestGoldenRecordsAreRead reads all record batches in captured frames.
func TestGoldenRecordsAreRead(t *testing.T) {
	batches, records := 0, 0
	read := func(where string, raw []byte) {
		for len(raw) > 0 {
			b, rest, err := record.Next(raw)
			if errors.Is(err, record.ErrOldFormat) {
				return // message sets
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
	goldenBodies(t, func(f golden.Frame, b body, _ []byte) {
		where := fmt.Sprintf("%s v%d (%s)", f.API, f.Version, f.Origin)
		switch b := b.(type) {
		case *ProduceRequest:
			for _, topic := range b.topics {
				for _, p := range topic.partitions {
					read(where, p.raw)
				}
			}
		case *fetchResponse:
			for _, topic := range b.topics {
				for _, p := range topic.partitions {
					read(where, p.records)
				}
			}
		}
	})
	t.Logf("%d batches, %d records", batches, records)
	if batches < 50 {
		t.Errorf("only %d batches were looked at", batches)
	}
}
