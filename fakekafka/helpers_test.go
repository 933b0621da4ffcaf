package fakekafka_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

// one is a cluster of one broker in memory, with topic t of two partitions.
func one() fakekafka.Options {
	return fakekafka.Options{InMemory: true, Topics: []fakekafka.Topic{{Name: "t", Partitions: 2}}}
}

func three() fakekafka.Options {
	return fakekafka.Options{
		Brokers: 3, InMemory: true, Topics: []fakekafka.Topic{{Name: "t", Partitions: 3}, {Name: "r", Partitions: 3, ReplicationFactor: 3}},
	}
}

// config is a client's configuration for a cluster: the newest versions.
func config(cluster *fakekafka.Cluster) *sarama.Config {
	conf := sarama.NewConfig()
	conf.Version = sarama.MaxVersion
	conf.MetricRegistry = nil
	cluster.Configure(conf)
	return conf
}

// dial opens a connection to a broker.
func dial(t testing.TB, cluster *fakekafka.Cluster, id int32) *sarama.Broker {
	t.Helper()
	b := sarama.NewBroker(cluster.Addrs()[id-1])
	if err := b.Open(config(cluster)); err != nil {
		t.Fatal(err)
	}
	if ok, err := b.Connected(); !ok {
		t.Fatalf("not connected to broker %d: %v", id, err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// batch is a batch of values, by a producer that is not idempotent.
func batch(values ...string) *sarama.RecordBatch {
	at := time.UnixMilli(1_000_000)
	b := &sarama.RecordBatch{
		Version: 2, ProducerID: -1, ProducerEpoch: -1, FirstTimestamp: at, MaxTimestamp: at, LastOffsetDelta: int32(len(values) - 1),
	}
	for i, v := range values {
		b.Records = append(b.Records, &sarama.Record{Value: []byte(v), OffsetDelta: int64(i)})
	}
	return b
}

func produceRequest(topic string, partition int32, b *sarama.RecordBatch) *sarama.ProduceRequest {
	req := &sarama.ProduceRequest{Version: 11, RequiredAcks: sarama.WaitForAll, Timeout: 1000}
	req.AddBatch(topic, partition, b)
	return req
}

// produce sends one batch and returns the answer for its partition.
func produce(t testing.TB, b *sarama.Broker, topic string, partition int32, records *sarama.RecordBatch) *sarama.ProduceResponseBlock {
	t.Helper()
	resp, err := b.Produce(produceRequest(topic, partition, records))
	if err != nil {
		t.Fatal(err)
	}
	block := resp.GetBlock(topic, partition)
	if block == nil {
		t.Fatalf("no answer for %s/%d", topic, partition)
	}
	return block
}

func fetchRequest(topic string, partition int32, offset int64) *sarama.FetchRequest {
	req := &sarama.FetchRequest{Version: 12, MaxBytes: 1 << 20, SessionEpoch: -1}
	req.AddBlock(topic, partition, offset, 1<<20, -1)
	return req
}

func fetch(t testing.TB, b *sarama.Broker, req *sarama.FetchRequest) *sarama.FetchResponse {
	t.Helper()
	resp, err := b.Fetch(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// values are the records of a block.
func values(block *sarama.FetchResponseBlock) (list []string) {
	for _, records := range block.RecordsSet {
		for _, r := range records.RecordBatch.Records {
			list = append(list, string(r.Value))
		}
	}
	return list
}

// stored are the values that a partition has.
func stored(t testing.TB, cluster *fakekafka.Cluster, topic string, partition int32) (list []string) {
	t.Helper()
	records, err := cluster.Records(topic, partition)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		list = append(list, string(r.Value))
	}
	return list
}

func wantValues(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got values %q, want %q", got, want)
	}
}

func wantErr(t testing.TB, got, want sarama.KError) {
	t.Helper()
	if got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rawConn is a connection without a client.
func rawConn(t testing.TB, cluster *fakekafka.Cluster, id int32) net.Conn {
	t.Helper()
	c, err := cluster.Dialer().Dial("tcp", cluster.Addrs()[id-1])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// frame is a request with a header of version 1, client id null.
func frame(key, version int16, correlation int32, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(10+len(body)))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(correlation))
	b = append(b, 0xff, 0xff)
	return append(b, body...)
}

// exchange sends a frame and returns the response after its size.
func exchange(t testing.TB, c net.Conn, request []byte) []byte {
	t.Helper()
	if _, err := c.Write(request); err != nil {
		t.Fatal(err)
	}
	return readResponse(t, c)
}

func readResponse(t testing.TB, c net.Conn) []byte {
	t.Helper()
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	return b
}

// wantClosed checks that the broker has closed the connection.
func wantClosed(t testing.TB, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("read %d bytes and %v, want the end of the connection", n, err)
	}
}
