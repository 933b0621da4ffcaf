package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// callTimeout bounds one exchange.
const callTimeout = 30 * time.Second

// lab sends requests that kmsg encodes over a connection of its own.
type lab struct {
	ctx       context.Context
	addr      string
	conn      net.Conn
	formatter *kmsg.RequestFormatter
	lastID    int32
	versions  map[int16]span
}

// span is the versions of an API that both the broker and kmsg know.
type span struct{ lowest, highest int16 }

func newLab(ctx context.Context, addr string) (*lab, error) {
	l := &lab{ctx: ctx, addr: addr, formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID("golden"))}
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "kmsg", "1.15.0"
	resp, err := l.call(req, 3)
	if err != nil {
		return nil, err
	}
	l.versions = map[int16]span{}
	for _, k := range resp.(*kmsg.ApiVersionsResponse).ApiKeys {
		if r := kmsg.RequestForKey(k.ApiKey); r != nil {
			l.versions[k.ApiKey] = span{k.MinVersion, min(k.MaxVersion, r.MaxVersion())}
		}
	}
	return l, nil
}

func (l *lab) close() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

// call sends the request in this version and reads the response. After an error
// the next call has a new connection.
func (l *lab) call(req kmsg.Request, version int16) (kmsg.Response, error) {
	resp, err := l.exchange(req, version)
	if err != nil {
		l.close()
		return nil, fmt.Errorf("%s v%d: %w", kmsg.NameForKey(req.Key()), version, err)
	}
	return resp, nil
}

func (l *lab) exchange(req kmsg.Request, version int16) (kmsg.Response, error) {
	if err := l.send(req, version); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(l.conn, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 4 || size > frameMax {
		return nil, fmt.Errorf("response of %d bytes", size)
	}
	body := make([]byte, size)
	copy(body, head[4:])
	if _, err := io.ReadFull(l.conn, body[4:]); err != nil {
		return nil, err
	}
	if id := int32(binary.BigEndian.Uint32(body)); id != l.lastID {
		return nil, fmt.Errorf("response to %d, not %d", id, l.lastID)
	}
	resp := req.ResponseKind()
	resp.SetVersion(version)
	if version > resp.MaxVersion() {
		resp.SetVersion(0)
	}
	return resp, parseAnswer(resp, body)
}

func (l *lab) send(req kmsg.Request, version int16) error {
	if l.conn == nil {
		var d net.Dialer
		conn, err := d.DialContext(l.ctx, "tcp", l.addr)
		if err != nil {
			return err
		}
		l.conn = conn
	}
	if err := l.conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return err
	}
	req.SetVersion(version)
	l.lastID++
	_, err := l.conn.Write(l.formatter.AppendRequest(nil, req, l.lastID))
	return err
}

// each runs the function for all versions that the broker takes; one that fails
// is told of and does not end the others.
func (l *lab) each(key kmsg.Key, f func(v int16) error) {
	s, ok := l.versions[int16(key)]
	if !ok {
		log.Printf("kmsg: the broker has no %s", key.Name())
		return
	}
	for v := s.lowest; v <= s.highest; v++ {
		if err := f(v); err != nil {
			log.Printf("kmsg: %s at v%d: %v", key.Name(), v, err)
		}
	}
}

// all sends what make gives in all versions of its API.
func (l *lab) all(key kmsg.Key, make func(v int16) kmsg.Request) {
	l.each(key, func(v int16) error {
		_, err := l.call(make(v), v)
		return err
	})
}

// nth is the version of the API for the i-th round of a walk through several
// APIs: the lowest first, the highest when there are no more.
func (l *lab) nth(key kmsg.Key, i int) int16 {
	s := l.versions[int16(key)]
	return min(s.lowest+int16(i), s.highest)
}

// rounds is how many rounds it takes to send all versions of all these APIs.
func (l *lab) rounds(keys ...kmsg.Key) int {
	n := 0
	for _, k := range keys {
		if s, ok := l.versions[int16(k)]; ok {
			n = max(n, int(s.highest-s.lowest)+1)
		}
	}
	return n
}

// step sends a request in a walk's i-th round.
func step[R kmsg.Response](l *lab, i int, req kmsg.Request) (R, error) {
	resp, err := l.call(req, l.nth(kmsg.Key(req.Key()), i))
	if err != nil {
		var none R
		return none, err
	}
	r, ok := resp.(R)
	if !ok {
		return r, fmt.Errorf("response is a %T", resp)
	}
	return r, nil
}

// producer is who wrote a batch; the zero value of id is none.
type producer struct {
	id       int64
	epoch    int16
	sequence int32
	txn      bool
}

var noProducer = producer{id: -1, epoch: -1, sequence: -1}

// recordTime is the timestamp of all records.
const recordTime = 1_700_000_000_000

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// recordBatch is a batch of two records in the format of version 2: one with a
// key and headers, one without either.
func recordBatch(p producer) []byte {
	records := []kmsg.Record{
		{Key: []byte("key"), Value: []byte("value"), Headers: []kmsg.Header{{Key: "h1", Value: []byte("x")}, {Key: "h2"}}},
		{Value: []byte("second"), TimestampDelta64: 7, OffsetDelta: 1},
	}
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, LastOffsetDelta: 1,
		FirstTimestamp: recordTime, MaxTimestamp: recordTime + 7,
		ProducerID: p.id, ProducerEpoch: p.epoch, FirstSequence: p.sequence, NumRecords: 2,
	}
	if p.txn {
		b.Attributes |= 1 << 4
	}
	for _, r := range records {
		// A record's length is that of what follows it, one byte of varint here.
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		b.Records = r.AppendTo(b.Records)
	}
	const beforeLength, beforeCRC = 8 + 4, 8 + 4 + 4 + 1 + 4
	raw := b.AppendTo(nil)
	b.Length = int32(len(raw) - beforeLength)
	b.CRC = int32(crc32.Checksum(raw[beforeCRC:], crcTable))
	return b.AppendTo(nil)
}

// messageSet is two messages in the format of before 0.11: magic 0 or 1.
func messageSet(magic byte) []byte {
	var set []byte
	for i, m := range []struct{ key, value []byte }{{[]byte("key"), []byte("value")}, {nil, []byte("second")}} {
		body := []byte{magic, 0}
		if magic == 1 {
			body = binary.BigEndian.AppendUint64(body, recordTime)
		}
		for _, field := range [][]byte{m.key, m.value} {
			if field == nil {
				body = binary.BigEndian.AppendUint32(body, 0xffffffff)
				continue
			}
			body = binary.BigEndian.AppendUint32(body, uint32(len(field)))
			body = append(body, field...)
		}
		set = binary.BigEndian.AppendUint64(set, uint64(i))
		set = binary.BigEndian.AppendUint32(set, uint32(len(body)+4))
		set = binary.BigEndian.AppendUint32(set, crc32.ChecksumIEEE(body))
		set = append(set, body...)
	}
	return set
}

// recordsFor is what a Produce request of this version may carry.
func recordsFor(version int16, p producer) []byte {
	switch {
	case version < 2:
		return messageSet(0)
	case version < 3:
		return messageSet(1)
	default:
		return recordBatch(p)
	}
}

var errNoTopicID = errors.New("Metadata tells no topic id")

// topicID asks for the id of a topic.
func (l *lab) topicID(topic string) ([16]byte, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{metadataTopic(topic)}
	resp, err := l.call(req, 10)
	if err != nil {
		return [16]byte{}, err
	}
	for _, t := range resp.(*kmsg.MetadataResponse).Topics {
		if t.TopicID != [16]byte{} {
			return t.TopicID, nil
		}
	}
	return [16]byte{}, errNoTopicID
}

func metadataTopic(name string) kmsg.MetadataRequestTopic {
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &name
	return t
}
