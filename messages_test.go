package sarama

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unsafe"
)

func TestProducerMessageHasOnlyTheFieldsOfSarama(t *testing.T) {
	// Users copy the struct, and one is allocated for every message.
	var m ProducerMessage
	var c ConsumerMessage
	if p, c := unsafe.Sizeof(m), unsafe.Sizeof(c); unsafe.Sizeof(uintptr(0)) == 8 && (p != 128 || c != 152) {
		t.Errorf("a ProducerMessage has %d bytes, want 128; a ConsumerMessage %d, want 152", p, c)
	}
}

func TestProducerMessageByteSize(t *testing.T) {
	for _, c := range []struct {
		name     string
		message  ProducerMessage
		old, new int
	}{
		{"empty", ProducerMessage{Topic: "does not count"}, 26, 36},
		{"key and value", ProducerMessage{Key: StringEncoder("key"), Value: ByteEncoder("value")}, 26 + 8, 36 + 8},
		{"headers", ProducerMessage{
			Value:   StringEncoder("v"),
			Headers: []RecordHeader{{Key: []byte("k"), Value: []byte("val")}, {}},
		}, 27, 37 + 14 + 10},
		{"length in bytes", ProducerMessage{Value: StringEncoder("日本")}, 32, 42},
	} {
		for version, want := range map[int]int{0: c.old, 1: c.old, 2: c.new, 3: c.new} {
			if got := c.message.ByteSize(version); got != want {
				t.Errorf("%s, version %d: got %d, want %d", c.name, version, got, want)
			}
		}
	}
}

func TestEncodersTellEmptyFromNull(t *testing.T) {
	for _, c := range []struct {
		name string
		e    Encoder
		want []byte
	}{
		{"string", StringEncoder("ab"), []byte("ab")},
		{"empty string", StringEncoder(""), []byte{}},
		{"bytes", ByteEncoder("ab"), []byte("ab")},
		{"empty bytes", ByteEncoder{}, []byte{}},
		{"nil bytes", ByteEncoder(nil), nil},
	} {
		got, err := c.e.Encode()
		if err != nil || !bytes.Equal(got, c.want) || (got == nil) != (c.want == nil) || c.e.Length() != len(c.want) {
			t.Errorf("%s: got %#v with length %d, %v", c.name, got, c.e.Length(), err)
		}
	}
}

func TestCompressionCodecText(t *testing.T) {
	for codec, name := range map[CompressionCodec]string{
		CompressionNone: "none", CompressionGZIP: "gzip", CompressionSnappy: "snappy", CompressionLZ4: "lz4", CompressionZSTD: "zstd",
	} {
		text, err := codec.MarshalText()
		if err != nil || string(text) != name || codec.String() != name {
			t.Errorf("codec %d is %q and %q, %v", int8(codec), text, codec, err)
		}
		var back CompressionCodec = -1
		if err := back.UnmarshalText(text); err != nil || back != codec {
			t.Errorf("%q reads as %d, %v", text, int8(back), err)
		}
	}
	for _, text := range []string{"GZIP", "", " gzip", "brotli"} {
		codec := CompressionLZ4
		err := codec.UnmarshalText([]byte(text))
		if err == nil || err.Error() != `cannot parse "`+text+`" as a compression codec` || codec != CompressionLZ4 {
			t.Errorf("%q: got %v, %v", text, codec, err)
		}
	}
	for _, codec := range []CompressionCodec{-1, 5, 127} {
		if _, err := codec.MarshalText(); err == nil || !strings.HasPrefix(codec.String(), "unknown(") {
			t.Errorf("codec %d is %q, %v", int8(codec), codec, err)
		}
	}
	var settings struct{ Codec CompressionCodec }
	if err := json.Unmarshal([]byte(`{"Codec":"zstd"}`), &settings); err != nil || settings.Codec != CompressionZSTD {
		t.Errorf("JSON: got %v, %v", settings, err)
	}
}

func TestUuidString(t *testing.T) {
	// Kafka's Uuid.ZERO_UUID and METADATA_TOPIC_ID print like that.
	for want, u := range map[string]Uuid{
		"AAAAAAAAAAAAAAAAAAAAAA": {},
		"AAAAAAAAAAAAAAAAAAAAAQ": {15: 1},
		"AQL_AAAAAAAAAAAAAAAA-w": {1, 2, 0xff, 15: 0xfb},
	} {
		if u.String() != want {
			t.Errorf("got %s, want %s", u, want)
		}
	}
}

func TestTimestampIsATime(t *testing.T) {
	now := time.Unix(1, 5e6).UTC()
	if ts := (Timestamp{&now}); ts.UnixMilli() != 1005 || ts.String() != now.String() {
		t.Errorf("got %v", ts)
	}
}

func TestExponentialBackoff(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		backoff, max time.Duration
		retries      int
		least, most  time.Duration
	}{
		{100 * ms, time.Second, -1, 100 * ms, 100 * ms},
		{100 * ms, time.Second, 0, 100 * ms, 100 * ms},
		{100 * ms, time.Second, 1, 80 * ms, 120 * ms},
		{100 * ms, time.Second, 2, 160 * ms, 240 * ms},
		{100 * ms, time.Second, 4, 640 * ms, 960 * ms},
		{100 * ms, time.Second, 5, time.Second, time.Second},
		{100 * ms, time.Second, math.MaxInt, time.Second, time.Second},
		{0, 0, 1, 80 * ms, 120 * ms},
		{-1, -1, 70, time.Second, time.Second},
		{5 * time.Second, time.Second, 0, time.Second, time.Second},
		{5 * time.Second, time.Second, 3, time.Second, time.Second},
		{1, 1 << 62, 100, 1 << 62, 1 << 62},
		{time.Second, time.Second, 1, 800 * ms, time.Second},
	} {
		wait := NewExponentialBackoff(c.backoff, c.max)
		lowest, highest := time.Duration(1<<63-1), time.Duration(0)
		for range 2000 {
			d := wait(c.retries, 3)
			lowest, highest = min(lowest, d), max(highest, d)
		}
		if lowest < c.least || highest > c.most {
			t.Errorf("%v up to %v, retry %d: %v to %v, want %v to %v", c.backoff, c.max, c.retries, lowest, highest, c.least, c.most)
		}
		if spread := c.most - c.least; highest-lowest < spread/2 {
			t.Errorf("%v up to %v, retry %d: only %v to %v", c.backoff, c.max, c.retries, lowest, highest)
		}
	}
}

func TestDebugLoggerFollowsLogger(t *testing.T) {
	logged := captureLogger(t)
	DebugLogger.Print("a", "b")
	DebugLogger.Printf("%d", 5)
	DebugLogger.Println("c", "d")
	if got := logged.String(); got != "ab\n5\nc d\n" {
		t.Errorf("logged %q", got)
	}
}

func TestWithRecover(t *testing.T) {
	old := PanicHandler
	t.Cleanup(func() { PanicHandler = old })

	var got any
	PanicHandler = func(v any) { got = v }
	ran := false
	withRecover(func() { ran = true })
	if !ran || got != nil {
		t.Errorf("ran %v, handled %v", ran, got)
	}
	withRecover(func() { panic("no") })
	if got != "no" {
		t.Errorf("handled %v", got)
	}

	PanicHandler = nil
	defer func() {
		if r := recover(); r != "loud" {
			t.Errorf("without a handler the panic became %v", r)
		}
	}()
	withRecover(func() { panic("loud") })
}

type testInterceptor struct{ fail bool }

func (i testInterceptor) OnSend(m *ProducerMessage) {
	m.Metadata = "seen"
	if i.fail {
		panic(errors.New("bad day"))
	}
}

func (i testInterceptor) OnConsume(m *ConsumerMessage) {
	m.Key = []byte("seen")
	if i.fail {
		panic("bad day")
	}
}

func TestPanicsOfInterceptorsAreLogged(t *testing.T) {
	logged := captureLogger(t)
	p, c := &ProducerMessage{Topic: "orders"}, &ConsumerMessage{Topic: "orders", Partition: 3, Offset: 42}
	p.safelyOnSend(testInterceptor{})
	c.safelyOnConsume(testInterceptor{})
	if logged.Len() > 0 || p.Metadata != "seen" || string(c.Key) != "seen" {
		t.Errorf("without a panic: %q, %v, %s", logged, p.Metadata, c.Key)
	}
	p.safelyOnSend(testInterceptor{fail: true})
	c.safelyOnConsume(testInterceptor{fail: true})
	for _, want := range []string{"testInterceptor panicked in OnSend", "orders", "OnConsume", "orders/3 offset 42", "bad day"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("%q lacks %q", logged, want)
		}
	}
}
