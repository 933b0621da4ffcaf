package fakekafka_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/fakekafka"
)

func TestProduceStoresRecordsAsTheyCame(t *testing.T) {
	for _, codec := range []sarama.CompressionCodec{
		sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD,
	} {
		t.Run(codec.String(), func(t *testing.T) {
			cluster := fakekafka.New(t, one())
			b := dial(t, cluster, 1)
			records := batch("a", "b", "c")
			records.Codec = codec
			records.Records[1].Key = []byte("key")
			records.Records[1].TimestampDelta = 5 * time.Millisecond
			records.Records[2].Headers = []*sarama.RecordHeader{{Key: []byte("h"), Value: []byte("1")}, {Key: []byte("n")}}
			for i := range int64(3) {
				block := produce(t, b, "t", 1, records)
				wantErr(t, block.Err, sarama.ErrNoError)
				if block.Offset != 3*i || block.StartOffset != 0 || !block.Timestamp.IsZero() {
					t.Fatalf("answer %d: %+v", i, block)
				}
			}
			got, err := cluster.Records("t", 1)
			must(t, err)
			if len(got) != 9 {
				t.Fatalf("%d records", len(got))
			}
			for i, r := range got {
				if r.Offset != int64(i) || string(r.Value) != string("abc"[i%3]) || r.ProducerID != -1 {
					t.Fatalf("record %d: %+v", i, r)
				}
			}
			if r := got[4]; string(r.Key) != "key" || !r.Timestamp.Equal(time.UnixMilli(1_000_005)) {
				t.Fatalf("record 4: %+v", r)
			}
			if r := got[5]; len(r.Headers) != 2 || string(r.Headers[0].Value) != "1" || r.Headers[1].Value != nil {
				t.Fatalf("record 5: %+v", r)
			}
			block := fetch(t, b, fetchRequest("t", 1, 0)).GetBlock("t", 1)
			wantValues(t, values(block), "a", "b", "c", "a", "b", "c", "a", "b", "c")
			if block.HighWaterMarkOffset != 9 || block.RecordsSet[2].RecordBatch.FirstOffset != 6 {
				t.Fatalf("fetched %+v", block)
			}
		})
	}
}

func TestProduceRefusals(t *testing.T) {
	edit := func(change func(*sarama.RecordBatch)) *sarama.RecordBatch {
		b := batch("a", "b")
		change(b)
		return b
	}
	for name, test := range map[string]struct {
		topic     string
		partition int32
		broker    int32
		acks      sarama.RequiredAcks
		version   int16
		batch     *sarama.RecordBatch
		want      sarama.KError
	}{
		"good":              {batch: batch("a"), want: sarama.ErrNoError},
		"unknown topic":     {topic: "nope", batch: batch("a"), want: sarama.ErrUnknownTopicOrPartition},
		"unknown partition": {partition: 9, batch: batch("a"), want: sarama.ErrUnknownTopicOrPartition},
		"negative":          {partition: -1, batch: batch("a"), want: sarama.ErrUnknownTopicOrPartition},
		"wrong broker":      {broker: 2, batch: batch("a"), want: sarama.ErrNotLeaderForPartition},
		"follower":          {topic: "r", broker: 2, batch: batch("a"), want: sarama.ErrNotLeaderForPartition},
		"acks":              {acks: 2, batch: batch("a"), want: sarama.ErrInvalidRequiredAcks},
		"too large":         {batch: batch(strings.Repeat("x", 1<<20+100)), want: sarama.ErrMessageSizeTooLarge},
		"base offset":       {batch: edit(func(b *sarama.RecordBatch) { b.FirstOffset = 1 }), want: sarama.ErrInvalidRecord},
		"count":             {batch: edit(func(b *sarama.RecordBatch) { b.LastOffsetDelta = 5 }), want: sarama.ErrInvalidRecord},
		"no records":        {batch: edit(func(b *sarama.RecordBatch) { b.Records, b.LastOffsetDelta = nil, 0 }), want: sarama.ErrInvalidRecord},
		"offset gap":        {batch: edit(func(b *sarama.RecordBatch) { b.Records[1].OffsetDelta = 0 }), want: sarama.ErrInvalidRecord},
		"control":           {batch: edit(func(b *sarama.RecordBatch) { b.Control = true }), want: sarama.ErrInvalidRecord},
		"sequence":          {batch: edit(func(b *sarama.RecordBatch) { b.ProducerID, b.ProducerEpoch, b.FirstSequence = 7, 0, -1 }), want: sarama.ErrInvalidRecord},
		"producer epoch":    {batch: edit(func(b *sarama.RecordBatch) { b.ProducerID, b.ProducerEpoch = 7, -1 }), want: sarama.ErrInvalidRecord},
		"transactional":     {batch: edit(func(b *sarama.RecordBatch) { b.IsTransactional = true }), want: sarama.ErrTransactionalIDAuthorizationFailed},
		"log append time":   {batch: edit(func(b *sarama.RecordBatch) { b.LogAppendTime = true }), want: sarama.ErrInvalidTimestamp},
		"zstd before 2.1":   {version: 3, batch: edit(func(b *sarama.RecordBatch) { b.Codec = sarama.CompressionZSTD }), want: sarama.ErrUnsupportedCompressionType},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fakekafka.New(t, three())
			if test.topic == "" {
				test.topic = "t"
			}
			req := produceRequest(test.topic, test.partition, test.batch)
			req.RequiredAcks = sarama.WaitForAll
			if test.acks != 0 {
				req.RequiredAcks = test.acks
			}
			if test.version != 0 {
				req.Version = test.version
			}
			resp, err := dial(t, cluster, max(test.broker, 1)).Produce(req)
			must(t, err)
			block := resp.GetBlock(test.topic, test.partition)
			wantErr(t, block.Err, test.want)
			if test.want == sarama.ErrNoError {
				return
			}
			if block.Offset != -1 {
				t.Fatalf("refused with offset %d", block.Offset)
			}
			for _, topic := range []string{"t", "r"} {
				wantValues(t, stored(t, cluster, topic, 0))
			}
			if test.want == sarama.ErrNotLeaderForPartition {
				if block.CurrentLeader == nil || block.CurrentLeader.LeaderID != 1 || len(resp.NodeEndpoints) != 1 || resp.NodeEndpoints[0].NodeID != 1 {
					t.Fatalf("new leader: %+v, %+v", block.CurrentLeader, resp.NodeEndpoints)
				}
			}
		})
	}
}

// rawProduce is a Produce request of version 3 for t/0 with any bytes as records.
func rawProduce(correlation int32, acks int16, records []byte) []byte {
	body := []byte{0xff, 0xff} // no transactional id
	body = binary.BigEndian.AppendUint16(body, uint16(acks))
	body = binary.BigEndian.AppendUint32(body, 1000)
	body = binary.BigEndian.AppendUint32(body, 1)
	body = append(body, 0, 1, 't')
	body = binary.BigEndian.AppendUint32(body, 1)
	body = binary.BigEndian.AppendUint32(body, 0)
	body = binary.BigEndian.AppendUint32(body, uint32(len(records)))
	return frame(0, 3, correlation, append(body, records...)...)
}

// goldenBatch is a batch of one record, value "a", as Kafka's Java producer
// would write it; the CRC was worked out apart from this module's code.
func goldenBatch() []byte {
	const header = 61
	record := []byte{14, 0, 0, 0, 1, 2, 'a', 0}
	b := make([]byte, header+len(record))
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	b[16] = 2
	for i := 43; i < 57; i++ {
		b[i] = 0xff // no producer
	}
	binary.BigEndian.PutUint32(b[57:], 1)
	copy(b[header:], record)
	binary.BigEndian.PutUint32(b[17:], crc32c(b[21:]))
	return b
}

// crc32c is CRC-32C (RFC 3720), bit by bit.
func crc32c(p []byte) uint32 {
	crc := ^uint32(0)
	for _, b := range p {
		crc ^= uint32(b)
		for range 8 {
			crc = crc>>1 ^ 0x82f63b78&-(crc&1)
		}
	}
	return ^crc
}

// The answer's error code stands behind correlation id, topic and partition.
func produceErr(response []byte) sarama.KError {
	return sarama.KError(binary.BigEndian.Uint16(response[4+4+3+4+4:]))
}

func TestProduceChecksBytes(t *testing.T) {
	cluster := fakekafka.New(t, one())
	c := rawConn(t, cluster, 1)
	wantErr(t, produceErr(exchange(t, c, rawProduce(1, -1, goldenBatch()))), sarama.ErrNoError)
	wantValues(t, stored(t, cluster, "t", 0), "a")
	good := goldenBatch()
	for i := range good {
		bad := goldenBatch()
		bad[i] ^= 0x10
		got := produceErr(exchange(t, c, rawProduce(1, -1, bad)))
		switch {
		case i < 8: // base offset
			wantErr(t, got, sarama.ErrInvalidRecord)
		case i >= 12 && i < 16: // the leader epoch is the broker's to write
			wantErr(t, got, sarama.ErrNoError)
		default:
			wantErr(t, got, sarama.ErrInvalidMessage)
		}
	}
	for i := range good {
		want := sarama.ErrInvalidMessage
		if i == 0 {
			want = sarama.ErrInvalidRecord
		}
		wantErr(t, produceErr(exchange(t, c, rawProduce(1, -1, good[:i]))), want)
	}
	wantErr(t, produceErr(exchange(t, c, rawProduce(1, -1, append(good, good...)))), sarama.ErrInvalidRecord)
	old := goldenBatch()
	old[16] = 1
	wantErr(t, produceErr(exchange(t, c, rawProduce(1, -1, old))), sarama.ErrInvalidRecord)
	wantValues(t, stored(t, cluster, "t", 0), "a", "a", "a", "a", "a")
}

func TestProduceWithoutAcks(t *testing.T) {
	cluster := fakekafka.New(t, one())
	c := rawConn(t, cluster, 1)
	_, err := c.Write(rawProduce(1, 0, goldenBatch()))
	must(t, err)
	// The next answer is that of the next request.
	if got := exchange(t, c, frame(18, 0, 2)); binary.BigEndian.Uint32(got) != 2 {
		t.Fatalf("got an answer to request %d", binary.BigEndian.Uint32(got))
	}
	wantValues(t, stored(t, cluster, "t", 0), "a")
	_, err = c.Write(rawProduce(3, 0, nil))
	must(t, err)
	wantClosed(t, c)
}

func TestProduceGivesLogAppendTime(t *testing.T) {
	opts := one()
	opts.Topics[0].Config = map[string]string{"message.timestamp.type": "LogAppendTime"}
	cluster := fakekafka.New(t, opts)
	b := dial(t, cluster, 1)
	before := time.Now().Truncate(time.Millisecond)
	records := batch("a", "b")
	records.Codec = sarama.CompressionGZIP
	block := produce(t, b, "t", 0, records)
	if block.Timestamp.Before(before) {
		t.Fatalf("append time %v is before %v", block.Timestamp, before)
	}
	got := fetch(t, b, fetchRequest("t", 0, 0)).GetBlock("t", 0).RecordsSet[0].RecordBatch // checks the CRC
	if !got.LogAppendTime || !got.MaxTimestamp.Equal(block.Timestamp) {
		t.Fatalf("stored %+v, answered %v", got, block.Timestamp)
	}
}

func TestProduceNeedsReplicasInSync(t *testing.T) {
	opts := three()
	opts.Topics[1].Config = map[string]string{"min.insync.replicas": "2"}
	cluster := fakekafka.New(t, opts)
	must(t, cluster.StopBroker(2))
	b := dial(t, cluster, 1)
	wantErr(t, produce(t, b, "r", 0, batch("a")).Err, sarama.ErrNoError)
	must(t, cluster.StopBroker(3))
	wantErr(t, produce(t, b, "r", 0, batch("b")).Err, sarama.ErrNotEnoughReplicas)
	req := produceRequest("r", 0, batch("c"))
	req.RequiredAcks = sarama.WaitForLocal
	resp, err := b.Produce(req)
	must(t, err)
	wantErr(t, resp.GetBlock("r", 0).Err, sarama.ErrNoError)
	wantValues(t, stored(t, cluster, "r", 0), "a", "c")
}

// step is a batch of an idempotent producer and what is to become of it.
type step struct {
	id       int64
	epoch    int16
	sequence int32
	count    int
	want     sarama.KError
	offset   int64
}

func TestIdempotenceFollowsKafka(t *testing.T) {
	const none, order = sarama.ErrNoError, sarama.ErrOutOfOrderSequenceNumber
	for name, test := range map[string]struct {
		version sarama.KafkaVersion
		steps   []step
	}{
		"in order":             {steps: []step{{1, 0, 0, 2, none, 0}, {1, 0, 2, 1, none, 2}, {1, 0, 3, 3, none, 3}}},
		"duplicate":            {steps: []step{{1, 0, 0, 2, none, 0}, {1, 0, 2, 1, none, 2}, {1, 0, 0, 2, none, 0}, {1, 0, 2, 1, none, 2}, {1, 0, 3, 1, none, 3}}},
		"gap":                  {steps: []step{{1, 0, 0, 2, none, 0}, {1, 0, 3, 1, order, -1}, {1, 0, 2, 1, none, 2}}},
		"overlap":              {steps: []step{{1, 0, 0, 2, none, 0}, {1, 0, 1, 2, order, -1}, {1, 0, 0, 1, order, -1}}},
		"producers are apart":  {steps: []step{{1, 0, 0, 2, none, 0}, {2, 0, 0, 1, none, 2}, {1, 0, 2, 1, none, 3}, {2, 0, 1, 1, none, 4}}},
		"five are remembered":  {steps: append(run(1, 0, 6), step{1, 0, 1, 1, none, 1}, step{1, 0, 0, 1, order, -1})},
		"newer epoch":          {steps: []step{{1, 0, 0, 2, none, 0}, {1, 1, 0, 1, none, 2}, {1, 1, 1, 1, none, 3}}},
		"newer epoch not at 0": {steps: []step{{1, 0, 0, 2, none, 0}, {1, 1, 2, 1, order, -1}, {1, 0, 2, 1, none, 2}}},
		"older epoch":          {steps: []step{{1, 1, 0, 2, none, 0}, {1, 0, 2, 1, sarama.ErrInvalidProducerEpoch, -1}}},
		"duplicate of older epoch": {steps: []step{
			{1, 0, 0, 2, none, 0}, {1, 1, 0, 2, none, 2}, {1, 0, 0, 2, sarama.ErrInvalidProducerEpoch, -1}, {1, 1, 0, 2, none, 2}}},
		"wraps between batches": {steps: []step{{1, 0, math.MaxInt32 - 1, 2, none, 0}, {1, 0, 0, 1, none, 2}, {1, 0, 1, 1, none, 3}}},
		"wraps within a batch":  {steps: []step{{1, 0, math.MaxInt32, 3, none, 0}, {1, 0, 2, 1, none, 3}, {1, 0, math.MaxInt32, 3, none, 0}, {1, 0, 1, 1, order, -1}}},
		"unknown since 2.5":     {version: sarama.V2_5_0_0, steps: []step{{1, 0, 7, 2, none, 0}, {1, 0, 9, 1, none, 2}}},
		"unknown before 2.5":    {version: sarama.V2_4_0_0, steps: []step{{1, 0, 7, 2, sarama.ErrUnknownProducerID, -1}, {1, 0, 0, 1, none, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			opts := one()
			opts.Version = test.version
			cluster := fakekafka.New(t, opts)
			b := dial(t, cluster, 1)
			total := int64(0)
			for i, s := range test.steps {
				records := batch(make([]string, s.count)...)
				records.ProducerID, records.ProducerEpoch, records.FirstSequence = s.id, s.epoch, s.sequence
				block := produce(t, b, "t", 0, records)
				if block.Err != s.want || block.Offset != s.offset {
					t.Fatalf("step %d: got %v at offset %d, want %v at %d", i, block.Err, block.Offset, s.want, s.offset)
				}
				if s.want == none {
					total = max(total, s.offset+int64(s.count))
				}
			}
			if _, end, _ := cluster.Offsets("t", 0); end != total {
				t.Fatalf("log ends at %d, want %d", end, total)
			}
		})
	}
}

// run is n batches of one record, in order.
func run(id int64, epoch int16, n int) (steps []step) {
	for i := range n {
		steps = append(steps, step{id, epoch, int32(i), 1, sarama.ErrNoError, int64(i)})
	}
	return steps
}

func TestIdempotenceSurvivesTrimAndLeaderMove(t *testing.T) {
	cluster := fakekafka.New(t, three())
	send := func(broker int32, sequence int32) *sarama.ProduceResponseBlock {
		records := batch("x")
		records.ProducerID, records.ProducerEpoch, records.FirstSequence = 1, 0, sequence
		return produce(t, dial(t, cluster, broker), "r", 0, records)
	}
	wantErr(t, send(1, 0).Err, sarama.ErrNoError)
	must(t, cluster.TrimLog("r", 0, -1))
	wantErr(t, send(1, 2).Err, sarama.ErrOutOfOrderSequenceNumber)
	must(t, cluster.MoveLeader("r", 0, 2))
	wantErr(t, send(1, 1).Err, sarama.ErrNotLeaderForPartition)
	if block := send(2, 0); block.Err != sarama.ErrNoError || block.Offset != 0 || block.StartOffset != 1 {
		t.Fatalf("duplicate at the new leader: %+v", block)
	}
	if block := send(2, 1); block.Err != sarama.ErrNoError || block.Offset != 1 {
		t.Fatalf("next at the new leader: %+v", block)
	}
	records, err := cluster.Records("r", 0)
	must(t, err)
	if len(records) != 1 || records[0].LeaderEpoch != 1 || records[0].Sequence != 1 || records[0].ProducerID != 1 {
		t.Fatalf("stored %+v", records)
	}
}

func TestRetentionDropsOldSegments(t *testing.T) {
	opts := one()
	opts.RetentionBytes = 64 << 10
	cluster := fakekafka.New(t, opts)
	b := dial(t, cluster, 1)
	value := strings.Repeat("x", 1000)
	for range 200 {
		wantErr(t, produce(t, b, "t", 0, batch(value, value)).Err, sarama.ErrNoError)
	}
	start, end, err := cluster.Offsets("t", 0)
	must(t, err)
	if kept := (end - start) * 1000; end != 400 || kept < 62<<10 || kept > 84<<10 {
		t.Fatalf("log is from %d to %d", start, end)
	}
	block := fetch(t, b, fetchRequest("t", 0, start-1)).GetBlock("t", 0)
	wantErr(t, block.Err, sarama.ErrOffsetOutOfRange)
	block = fetch(t, b, fetchRequest("t", 0, start)).GetBlock("t", 0)
	wantErr(t, block.Err, sarama.ErrNoError)
	if block.LogStartOffset != start || block.RecordsSet[0].RecordBatch.FirstOffset != start {
		t.Fatalf("fetched from %d, log starts at %d", block.RecordsSet[0].RecordBatch.FirstOffset, block.LogStartOffset)
	}
}

func TestOversizedRequestClosesConnection(t *testing.T) {
	opts := one()
	opts.RequestMaxBytes = 1000
	cluster := fakekafka.New(t, opts)
	for _, size := range []uint32{1001, math.MaxUint32, 1 << 31} {
		c := rawConn(t, cluster, 1)
		_, err := c.Write(binary.BigEndian.AppendUint32(nil, size))
		must(t, err)
		wantClosed(t, c)
	}
}

func TestAppendWritesRecords(t *testing.T) {
	cluster := fakekafka.New(t, one())
	for i := range int64(3) {
		offset, err := cluster.Append("t", 1, fakekafka.Record{Key: []byte("k"), Value: fmt.Append(nil, i), Headers: []fakekafka.Header{{Key: []byte("h")}}})
		must(t, err)
		if offset != i {
			t.Fatalf("record %d got offset %d", i, offset)
		}
	}
	wantValues(t, stored(t, cluster, "t", 1), "0", "1", "2")
	for _, err := range []error{
		second(cluster.Append("nope", 0, fakekafka.Record{})), second(cluster.Append("t", 2, fakekafka.Record{})), second(cluster.Append("t", 0)),
	} {
		if err == nil {
			t.Fatal("appended")
		}
	}
	must(t, cluster.RemoveLeader("t", 1))
	if _, err := cluster.Append("t", 1, fakekafka.Record{}); !errors.Is(err, sarama.ErrNotLeaderForPartition) {
		t.Fatalf("appended without leader: %v", err)
	}
}

func second(_ int64, err error) error { return err }
