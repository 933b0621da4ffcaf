package fakekafka

import (
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/IBM/sarama/internal/compress"
	"github.com/IBM/sarama/internal/record"
)

// benchBatch is a batch of n records with values of size bytes.
func benchBatch(n, size int) []byte {
	var b record.Builder
	for range n {
		record.Append[struct{ Key, Value []byte }](&b, time.Now().UnixMilli(), nil, make([]byte, size), nil)
	}
	raw, err := b.Seal(compress.None, compress.LevelDefault, 0)
	if err != nil {
		panic(err)
	}
	record.Stamp(raw, -1, -1, 0)
	return raw
}

// repeated gives the same bytes n times.
type repeated struct {
	frame []byte
	at, n int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.n == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.frame[r.at:])
	if r.at += n; r.at == len(r.frame) {
		r.at, r.n = 0, r.n-1
	}
	return n, nil
}

// BenchmarkProduce is what a broker costs per message of 100 bytes, without the
// network: requests of 6 partitions with 500 messages each.
func BenchmarkProduce(b *testing.B) {
	const partitions, messages = 6, 500
	cluster := New(b, Options{InMemory: true, RetentionBytes: 32 << 20, Topics: []Topic{{Name: "t", Partitions: partitions}}})
	batch := benchBatch(messages, 100)
	body := []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, partitions}
	for p := range uint32(partitions) {
		body = binary.BigEndian.AppendUint32(body, p)
		body = binary.BigEndian.AppendUint32(body, uint32(len(batch)))
		body = append(body, batch...)
	}
	frame := request(Produce, 7, body...)
	b.SetBytes(100)
	b.ReportAllocs()
	b.ResetTimer()
	if err := serveScript(cluster, &repeated{frame: frame, n: b.N/partitions/messages + 1}); err != io.EOF {
		b.Fatal(err)
	}
}

// BenchmarkFetch is what a broker costs per message of 100 bytes, without the
// network, in responses of up to 1 MiB.
func BenchmarkFetch(b *testing.B) {
	const messages = 10_000
	cluster := New(b, Options{InMemory: true, MessageMaxBytes: 2 << 20, Topics: []Topic{{Name: "t"}}})
	p, err := cluster.partition("t", 0)
	if err != nil {
		b.Fatal(err)
	}
	raw := benchBatch(messages/10, 100)
	in, err := checkBatch(raw, produceByID, p.topic.settings())
	if err != nil {
		b.Fatal(err)
	}
	for range 10 {
		p.append(1, &in, false, false)
	}
	body := []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0}
	body = append(body, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x10, 0, 0)
	b.SetBytes(100)
	b.ReportAllocs()
	b.ResetTimer()
	if err := serveScript(cluster, &repeated{frame: request(Fetch, 4, body...), n: b.N/messages + 1}); err != io.EOF {
		b.Fatal(err)
	}
}
