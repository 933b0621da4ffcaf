package fakekafka

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/IBM/sarama/internal/record"
)

// scriptedConn is a connection that reads from memory and writes nowhere.
type scriptedConn struct {
	net.Conn
	in io.Reader
}

func (c *scriptedConn) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *scriptedConn) Write(p []byte) (int, error) { return len(p), nil }
func (c *scriptedConn) Close() error                { return nil }
func (c *scriptedConn) RemoteAddr() net.Addr        { return memAddr("script") }

// serveScript has a broker serve a connection on which those bytes come in,
// without ever waiting.
func serveScript(cluster *Cluster, in io.Reader) error {
	c := newConn(cluster.brokers[0], &scriptedConn{in: in}, 1)
	close(c.gone)
	return c.serve()
}

// request is a frame with a header of version 1, without a client id.
func request(key API, version int16, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(10+len(body)))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	return append(append(b, 0, 0, 0, 1, 0xff, 0xff), body...)
}

// FuzzConnection feeds a broker whatever bytes: it must neither panic nor take
// memory out of proportion.
func FuzzConnection(f *testing.F) {
	plain := []byte{0, 5, 'P', 'L', 'A', 'I', 'N'}
	for _, seed := range [][]byte{
		request(ApiVersions, 0), request(ApiVersions, 9), request(Metadata, 1, 0xff, 0xff, 0xff, 0xff),
		request(Metadata, 12, append([]byte{0, 2}, make([]byte, 20)...)...),
		request(SaslHandshake, 0, plain...), request(SaslHandshake, 1, plain...),
		append(request(SaslHandshake, 0, plain...), append([]byte{0, 0, 0, 4}, "\x00u\x00p"...)...),
		append(request(SaslHandshake, 1, plain...), request(SaslAuthenticate, 0, append([]byte{0, 0, 0, 4}, "\x00u\x00p"...)...)...),
		request(FindCoordinator, 0, 0, 1, 'g'), request(InitProducerID, 0, 0xff, 0xff, 0, 0, 0, 1),
		request(DeleteTopics, 1, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 0),
		request(DeleteTopics, 6, append([]byte{0, 2, 2, 't'}, make([]byte, 22)...)...),
		request(CreateTopics, 2, 0, 0, 0, 1, 0, 1, 'n', 0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		request(ListOffsets, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd),
		request(Fetch, 4, append(append(bytes.Repeat([]byte{0xff}, 4), make([]byte, 8)...),
			append([]byte{0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0}, append(make([]byte, 8), 0, 1, 0, 0)...)...)...),
		fuzzProduce(), append(fuzzProduce(), fuzzProduce()...),
		fuzzJoin(), append(fuzzJoin(), fuzzJoin()...),
		request(OffsetCommit, 2, append(append([]byte{0, 1, 'g', 0xff, 0xff, 0xff, 0xff, 0, 0}, bytes.Repeat([]byte{0xff}, 8)...),
			0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 'm')...),
		request(OffsetFetch, 1, 0, 1, 'g', 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0),
		request(SyncGroup, 0, 0, 1, 'g', 0, 0, 0, 1, 0, 1, 'm', 0, 0, 0, 1, 0, 1, 'm', 0, 0, 0, 1, 7),
		request(LeaveGroup, 0, 0, 1, 'g', 0, 1, 'm'), request(Heartbeat, 0, 0, 1, 'g', 0, 0, 0, 1, 0, 1, 'm'),
		request(DescribeGroups, 0, 0, 0, 0, 1, 0, 1, 'g'), request(ListGroups, 0), request(DeleteGroups, 0, 0, 0, 0, 1, 0, 1, 'g'),
		request(ConsumerGroupHeartbeat, 1, 0, 2, 'g', 2, 'm', 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 2, 2, 't', 0, 0, 0, 1, 0),
		request(ConsumerGroupDescribe, 1, 0, 2, 2, 'g', 1, 0),
	} {
		f.Add(false, seed)
		f.Add(true, seed)
	}
	f.Fuzz(func(t *testing.T, sasl bool, in []byte) {
		opts := Options{InMemory: true, AutoCreateTopics: true, Topics: []Topic{{Name: "t"}}}
		if sasl {
			opts.Users = map[string]string{"u": "p"}
		}
		cluster := New(t, opts)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := serveScript(cluster, bytes.NewReader(in))
		runtime.ReadMemStats(&after)
		if err == nil && len(in) == 0 {
			t.Fatal("served for ever")
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 512<<20 {
			t.Fatalf("%d bytes of input took %d bytes of memory", len(in), took)
		}
	})
}

// FuzzPlainRecords compares the quick walk over records to the complete one.
func FuzzPlainRecords(f *testing.F) {
	for _, n := range []int{1, 3, 200} {
		f.Add(benchBatch(n, n)[record.HeaderSize:], int32(n))
	}
	f.Add([]byte{16, 0, 0, 0, 1, 2, 'a', 2, 0}, int32(1))
	f.Fuzz(func(t *testing.T, p []byte, count int32) {
		if count < 1 {
			return
		}
		latest, ok := plainRecords(p, int64(count))
		b := record.Batch{Records: p, Count: count}
		it, err := b.Open(0)
		want, n := int64(math.MinInt64), int32(0)
		var r record.Rec
		plain := err == nil
		for err == nil && it.Next(&r) {
			plain = plain && r.OffsetDelta == n && r.HeaderCount == 0
			want = max(want, r.TimestampDelta)
			n++
		}
		if err == nil {
			err = it.Err()
		}
		if ok && (err != nil || !plain || n != count || latest != want) {
			t.Fatalf("walked over %d records up to %d; complete: %d up to %d, %v", count, latest, n, want, err)
		}
	})
}

func TestPlainRecordsTakesUsualBatches(t *testing.T) {
	for _, n := range []int{1, 2, 64, 5000} {
		if _, ok := plainRecords(benchBatch(n, n)[record.HeaderSize:], int64(n)); !ok {
			t.Errorf("%d records of %d bytes are read the slow way", n, n)
		}
	}
}

// fuzzJoin is a JoinGroup request without a member id, by a version that needs
// none.
func fuzzJoin() []byte {
	return request(JoinGroup, 0, 0, 1, 'g', 0, 0, 0x27, 0x10, 0, 0, 0, 8, 'c', 'o', 'n', 's', 'u', 'm', 'e', 'r',
		0, 0, 0, 1, 0, 1, 'r', 0, 0, 0, 6, 0, 0, 0, 0, 0, 0)
}

// fuzzProduce is a Produce request with one good record for t/0.
func fuzzProduce() []byte {
	body := append([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0}, 0, 0, 0, 0)
	batch := benchBatch(1, 1)
	binary.BigEndian.PutUint32(body[len(body)-4:], uint32(len(batch)))
	return request(Produce, 3, append(body, batch...)...)
}

func TestFuzzSeedsAreGood(t *testing.T) {
	cluster := New(t, Options{InMemory: true, Topics: []Topic{{Name: "t"}}})
	if err := serveScript(cluster, bytes.NewReader(append(fuzzProduce(), fuzzJoin()...))); err != io.EOF && err != errGone {
		t.Fatal(err)
	}
	if g, ok := cluster.Group("g"); !ok || g.Generation != 1 {
		t.Fatalf("group %+v, %v", g, ok)
	}
	if records, err := cluster.Records("t", 0); err != nil || len(records) != 1 || time.Since(records[0].Timestamp) > time.Hour {
		t.Fatalf("records %v, %v", records, err)
	}
}
