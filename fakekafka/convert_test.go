package fakekafka_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// old is a cluster of a release that takes message sets.
func old(config map[string]string) fakekafka.Options {
	opts := one()
	opts.Version = sarama.V3_9_0_0
	opts.Topics[0].Config = config
	return opts
}

// produceSet sends one message set and returns the answer for its partition.
func produceSet(t *testing.T, b *sarama.Broker, version int16, blocks ...*sarama.MessageBlock) *sarama.ProduceResponseBlock {
	t.Helper()
	req := &sarama.ProduceRequest{Version: version, RequiredAcks: sarama.WaitForAll, Timeout: 1000}
	req.AddSet("t", 0, &sarama.MessageSet{Messages: blocks})
	resp, err := b.Produce(req)
	must(t, err)
	return resp.GetBlock("t", 0)
}

func alone(m sarama.Message) *sarama.MessageBlock { return &sarama.MessageBlock{Msg: &m} }

func TestMessageSetIsRefusedWhereKafkaRefusesIt(t *testing.T) {
	v0, v1 := sarama.Message{Value: []byte("v")}, sarama.Message{Value: []byte("v"), Version: 1}
	packed := sarama.Message{Codec: sarama.CompressionGZIP, Set: &sarama.MessageSet{Messages: []*sarama.MessageBlock{alone(v0)}}}
	mixed := sarama.Message{Version: 1, Codec: sarama.CompressionGZIP, Set: packed.Set}
	empty := sarama.Message{Codec: sarama.CompressionGZIP, Value: []byte{}}
	for _, tc := range []struct {
		name    string
		version int16
		blocks  []*sarama.MessageBlock
		want    sarama.KError
	}{
		{"version 0", 0, []*sarama.MessageBlock{alone(v0), alone(v0)}, sarama.ErrNoError},
		{"version 0 in Produce 2", 2, []*sarama.MessageBlock{alone(v0)}, sarama.ErrNoError},
		{"version 1", 2, []*sarama.MessageBlock{alone(v1)}, sarama.ErrNoError},
		{"compressed", 1, []*sarama.MessageBlock{alone(packed)}, sarama.ErrNoError},
		{"no message", 1, nil, sarama.ErrInvalidRecord},
		{"version 1 in Produce 1", 1, []*sarama.MessageBlock{alone(v1)}, sarama.ErrInvalidMessage},
		{"two versions", 2, []*sarama.MessageBlock{alone(v0), alone(v1)}, sarama.ErrInvalidRecord},
		{"another version inside", 2, []*sarama.MessageBlock{alone(mixed)}, sarama.ErrInvalidRecord},
		{"compressed and another", 2, []*sarama.MessageBlock{alone(packed), alone(v0)}, sarama.ErrInvalidRecord},
		{"another and compressed", 2, []*sarama.MessageBlock{alone(v0), alone(packed)}, sarama.ErrInvalidRecord},
		{"nothing compressed", 2, []*sarama.MessageBlock{alone(empty)}, sarama.ErrInvalidRecord},
		{"the broker's time", 2, []*sarama.MessageBlock{alone(sarama.Message{Version: 1, LogAppendTime: true})}, sarama.ErrInvalidTimestamp},
		{"too large", 2, []*sarama.MessageBlock{alone(sarama.Message{Value: make([]byte, 2000)})}, sarama.ErrMessageSizeTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cluster := fakekafka.New(t, old(map[string]string{"max.message.bytes": "1000"}))
			wantErr(t, produceSet(t, dial(t, cluster, 1), tc.version, tc.blocks...).Err, tc.want)
			if n := len(stored(t, cluster, "t", 0)); (n > 0) != (tc.want == sarama.ErrNoError) {
				t.Errorf("%d records", n)
			}
		})
	}
	t.Run("of a record batch", func(t *testing.T) {
		cluster := fakekafka.New(t, old(nil))
		req := produceRequest("t", 0, batch("a"))
		req.Version = 2
		resp, err := dial(t, cluster, 1).Produce(req)
		must(t, err)
		wantErr(t, resp.GetBlock("t", 0).Err, sarama.ErrInvalidMessage)
	})
	t.Run("in Produce 3", func(t *testing.T) {
		cluster := fakekafka.New(t, old(nil))
		wantErr(t, produceSet(t, dial(t, cluster, 1), 3, alone(v1)).Err, sarama.ErrInvalidRecord)
	})
}

// describe tells of each message that a fetch brings, and whether the set ends
// in an overflow message.
func describe(set *sarama.MessageSet) (list []string, overflow bool) {
	for _, b := range set.Messages {
		for _, m := range b.Messages() {
			list = append(list, fmt.Sprintf("%d v%d %s", m.Offset, m.Msg.Version, m.Msg.Value))
		}
	}
	return list, set.OverflowMessage
}

func TestMessageSetIsWhatOldFetchesGet(t *testing.T) {
	cluster := fakekafka.New(t, old(nil))
	b := dial(t, cluster, 1)
	plain, packed := batch("a", "b", "c"), batch("d", "e")
	packed.Codec, packed.CompressionLevel = sarama.CompressionLZ4, sarama.CompressionLevelDefault
	packed.Records[1].Headers = []*sarama.RecordHeader{{Key: []byte("dropped")}}
	wantErr(t, produce(t, b, "t", 0, plain).Err, sarama.ErrNoError)
	wantErr(t, produce(t, b, "t", 0, packed).Err, sarama.ErrNoError)
	at := time.UnixMilli(1_000_000)
	for version := range int16(4) {
		req := &sarama.FetchRequest{Version: version, MinBytes: 1, MaxBytes: 1 << 20}
		req.AddBlock("t", 0, 1, 1<<20, -1)
		block := fetch(t, b, req).GetBlock("t", 0)
		magic := 0
		if version >= 2 {
			magic = 1
		}
		list, overflow := describe(block.RecordsSet[0].MsgSet)
		want := []string{"1 v%d b", "2 v%d c", "3 v%d d", "4 v%d e"}
		if magic == 1 { // those in a compressed message are relative to it
			want[2], want[3] = "0 v%d d", "1 v%d e"
		}
		for i := range want {
			want[i] = fmt.Sprintf(want[i], magic)
		}
		wantValues(t, list, want...)
		messages := block.RecordsSet[0].MsgSet.Messages
		wrapper := messages[2]
		if !overflow || wrapper.Offset != 4 || wrapper.Msg.Codec != sarama.CompressionLZ4 || len(block.RecordsSet) != 1 {
			t.Errorf("version %d: overflow %v, wrapper %+v, %+v", version, overflow, wrapper, wrapper.Msg)
		}
		for _, m := range []*sarama.MessageBlock{messages[0], wrapper} {
			if has := m.Msg.Timestamp.Equal(at); has != (magic == 1) {
				t.Errorf("version %d: time %v", version, m.Msg.Timestamp)
			}
		}
	}
	// Not even one batch fits.
	for version := range int16(4) {
		req := &sarama.FetchRequest{Version: version, MinBytes: 1, MaxBytes: 1 << 20}
		req.AddBlock("t", 0, 0, 50, -1)
		block := fetch(t, b, req).GetBlock("t", 0)
		if whole := len(block.RecordsSet) > 0; whole != (version == 3) || block.HighWaterMarkOffset != 5 {
			t.Errorf("version %d: %+v", version, block)
		}
	}
}

func TestMessageSetHasTheBrokersTime(t *testing.T) {
	cluster := fakekafka.New(t, old(map[string]string{"message.timestamp.type": "LogAppendTime"}))
	b := dial(t, cluster, 1)
	before := time.Now().Truncate(time.Millisecond)
	block := produceSet(t, b, 2, alone(sarama.Message{Version: 1, Value: []byte("v"), Timestamp: time.UnixMilli(5)}))
	wantErr(t, block.Err, sarama.ErrNoError)
	packed := &sarama.MessageSet{Messages: []*sarama.MessageBlock{alone(sarama.Message{Version: 1, Value: []byte("w")})}}
	produceSet(t, b, 2, alone(sarama.Message{Version: 1, Codec: sarama.CompressionSnappy, Set: packed}))
	if block.Timestamp.Before(before) {
		t.Fatalf("time %v", block.Timestamp)
	}
	req := &sarama.FetchRequest{Version: 2, MinBytes: 1}
	req.AddBlock("t", 0, 0, 1<<20, -1)
	set := fetch(t, b, req).GetBlock("t", 0).RecordsSet[0].MsgSet
	for _, m := range set.Messages {
		if !m.Msg.LogAppendTime || m.Msg.Timestamp.Before(before) {
			t.Errorf("offset %d: %v, %v", m.Offset, m.Msg.LogAppendTime, m.Msg.Timestamp)
		}
	}
}

func TestMessageSetOfZstdCannotBeMade(t *testing.T) {
	cluster := fakekafka.New(t, old(nil))
	b := dial(t, cluster, 1)
	packed := batch("a")
	packed.Codec, packed.CompressionLevel = sarama.CompressionZSTD, sarama.CompressionLevelDefault
	wantErr(t, produce(t, b, "t", 0, packed).Err, sarama.ErrNoError)
	req := &sarama.FetchRequest{Version: 3, MinBytes: 1, MaxBytes: 1 << 20}
	req.AddBlock("t", 0, 0, 1<<20, -1)
	wantErr(t, fetch(t, b, req).GetBlock("t", 0).Err, sarama.ErrUnsupportedCompressionType)
}

// Damage is told, whatever it is.
func TestMessageSetThatIsDamaged(t *testing.T) {
	cluster := fakekafka.New(t, old(nil))
	c := rawConn(t, cluster, 1)
	message := []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0f\xd2\x0c\xbf\xf5\x00\x00\xff\xff\xff\xff\x00\x00\x00\x01v")
	request := func(set []byte) []byte {
		body := []byte("\x00\x01\x00\x00\x03\xe8\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x01\x00\x00\x00\x00")
		body = append(body, 0, 0, byte(len(set)>>8), byte(len(set)))
		return frame(0, 0, 7, append(body, set...)...)
	}
	code := func(set []byte) int {
		answer := exchange(t, c, request(set))
		at := strings.Index(string(answer), "\x00\x01t") + 3 + 4 + 4
		return int(answer[at])<<8 | int(answer[at+1])
	}
	if got := code(message); got != 0 {
		t.Fatalf("sound: %d", got)
	}
	for at := range message {
		p := bytes.Clone(message)
		p[at] ^= 0x40
		want := int(sarama.ErrInvalidMessage)
		if at < 8 {
			want = 0 // the offset is the broker's to give
		}
		if got := code(p); got != want {
			t.Errorf("byte %d wrong: %d, want %d", at, got, want)
		}
		if at > 0 {
			if got := code(message[:at]); got != int(sarama.ErrInvalidMessage) {
				t.Errorf("cut to %d bytes: %d", at, got)
			}
		}
	}
}
