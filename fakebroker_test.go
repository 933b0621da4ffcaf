package sarama

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama/internal/bridge"
)

// fakeNet is a network of scripted brokers in memory. It may be used inside a
// synctest bubble.
type fakeNet struct {
	mu struct {
		sync.Mutex
		brokers map[string]*fakeBroker
		conns   map[net.Conn]struct{}
		dials   map[string]int
	}
}

func newFakeNet() *fakeNet {
	n := &fakeNet{}
	n.mu.brokers = make(map[string]*fakeBroker)
	n.mu.conns = make(map[net.Conn]struct{})
	n.mu.dials = make(map[string]int)
	return n
}

// fakeBroker answers requests of each connection in turn, as handle says: with
// a body, or nil for no answer ever. A nil handle makes dials hang.
type fakeBroker struct {
	id     int32
	addr   string
	handle func(*fakeRequest) any
}

type fakeRequest struct {
	bridge.Header
	broker *fakeBroker
	body   any
	conn   net.Conn
	gone   <-chan struct{} // closed when the connection is
}

func (n *fakeNet) listen(b *fakeBroker) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.brokers[b.addr] = b
}

func (n *fakeNet) Dial(network, addr string) (net.Conn, error) {
	return n.DialContext(context.Background(), network, addr)
}

func (n *fakeNet) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.dials[addr]++
	b := n.mu.brokers[addr]
	if b == nil {
		return nil, errors.New("connection refused")
	}
	if b.handle == nil {
		n.mu.Unlock()
		<-ctx.Done()
		n.mu.Lock()
		return nil, ctx.Err()
	}
	ours, theirs := net.Pipe()
	n.mu.conns[ours] = struct{}{}
	go n.serve(b, ours)
	return theirs, nil
}

// serve is a connection's goroutine; another one reads ahead, so that the end
// of the connection is seen while a request is handled.
func (n *fakeNet) serve(b *fakeBroker, conn net.Conn) {
	gone := make(chan struct{})
	frames := make(chan []byte, 100)
	go func() {
		defer close(gone)
		defer close(frames)
		for {
			var size [4]byte
			if _, err := io.ReadFull(conn, size[:]); err != nil {
				return
			}
			frame := make([]byte, binary.BigEndian.Uint32(size[:]))
			if _, err := io.ReadFull(conn, frame); err != nil {
				return
			}
			frames <- frame
		}
	}()
	for frame := range frames {
		h, body, err := bridge.ReadRequest(frame)
		if err != nil {
			panic(err)
		}
		resp := b.handle(&fakeRequest{h, b, body, conn, gone})
		if resp == nil {
			continue
		}
		out, err := bridge.AppendResponse(nil, h, resp)
		if err != nil {
			panic(err)
		}
		if _, err := conn.Write(out); err != nil {
			break
		}
	}
	_ = conn.Close()
	<-gone
	n.mu.Lock()
	delete(n.mu.conns, conn)
	n.mu.Unlock()
}

// hangUp closes all connections.
func (n *fakeNet) hangUp() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for conn := range n.mu.conns {
		_ = conn.Close()
	}
}

// config is a configuration for clients on the network.
func (n *fakeNet) config() *Config {
	conf := NewConfig()
	conf.ClientID = "test"
	conf.Net.Proxy.Enable, conf.Net.Proxy.Dialer = true, n
	return conf
}

// fakeTopics is a cluster of brokers with partitions that can be fetched. The
// brokers' ids are 1 to n. It keeps requests in the order of their arrival.
type fakeTopics struct {
	*fakeNet
	brokers []*fakeBroker

	mu struct {
		sync.Mutex
		logs     map[topicPartition]*fakeLog
		requests []*fakeRequest
		changed  chan struct{} // closed when there is something new
	}
	// intercept may answer in the cluster's place.
	intercept func(*fakeRequest) (resp any, handled bool)
	// amend may change what is fetched of a partition.
	amend func(r *fakeRequest, p *bridge.FetchedPartition)
}

type fakeLog struct {
	leader  int32
	epoch   int32
	batches []fakeStored
	start   int64
	end     int64
	aborted []bridge.AbortedTransaction
}

type fakeStored struct {
	last int64
	raw  []byte
}

func newFakeTopics(brokers int) *fakeTopics {
	c := &fakeTopics{fakeNet: newFakeNet()}
	c.mu.logs = make(map[topicPartition]*fakeLog)
	c.mu.changed = make(chan struct{})
	for i := range brokers {
		b := &fakeBroker{id: int32(i + 1), addr: fmt.Sprintf("broker-%d:9092", i+1), handle: c.handle}
		c.brokers = append(c.brokers, b)
		c.listen(b)
	}
	return c
}

// with runs f with the lock held, and wakes fetches.
func (c *fakeTopics) with(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.mu.changed)
	c.mu.changed = make(chan struct{})
}

func (c *fakeTopics) create(topic string, partition, leader int32) {
	c.with(func() { c.mu.logs[topicPartition{topic, partition}] = &fakeLog{leader: leader} })
}

// move gives a partition to another leader, with a new epoch.
func (c *fakeTopics) move(topic string, partition, leader int32) {
	c.with(func() {
		l := c.mu.logs[topicPartition{topic, partition}]
		l.leader = leader
		l.epoch++
	})
}

// write appends a batch, which FirstOffset and LastOffsetDelta place.
func (c *fakeTopics) write(topic string, partition int32, b *RecordBatch) {
	raw := rawBatch(b)
	c.with(func() {
		l := c.mu.logs[topicPartition{topic, partition}]
		l.end = b.LastOffset() + 1
		l.batches = append(l.batches, fakeStored{b.LastOffset(), raw})
	})
}

// writeValues appends one batch with these values.
func (c *fakeTopics) writeValues(topic string, partition int32, values ...string) {
	c.mu.Lock()
	end := c.mu.logs[topicPartition{topic, partition}].end
	c.mu.Unlock()
	c.write(topic, partition, batchOfValues(end, values...))
}

// batchOfValues is a batch of records without keys, 1 ms apart.
func batchOfValues(offset int64, values ...string) *RecordBatch {
	b := &RecordBatch{
		Version: 2, FirstOffset: offset, LastOffsetDelta: int32(len(values) - 1), ProducerID: -1, ProducerEpoch: -1,
		FirstTimestamp: time.UnixMilli(1000), MaxTimestamp: time.UnixMilli(1000 + int64(len(values))),
	}
	for i, v := range values {
		b.Records = append(b.Records, &Record{Value: []byte(v), OffsetDelta: int64(i), TimestampDelta: time.Duration(i) * time.Millisecond})
	}
	return b
}

func rawBatch(b *RecordBatch) []byte {
	raw, err := b.append(nil)
	if err != nil {
		panic(err)
	}
	return raw
}

func (c *fakeTopics) handle(r *fakeRequest) any {
	c.mu.Lock()
	c.mu.requests = append(c.mu.requests, r)
	c.mu.Unlock()
	if c.intercept != nil {
		if resp, handled := c.intercept(r); handled {
			return resp
		}
	}
	switch body := r.body.(type) {
	case *ApiVersionsRequest:
		return c.apiVersions()
	case *MetadataRequest:
		return c.metadata(body)
	case *OffsetRequest:
		return c.offsets(r)
	case *FetchRequest:
		return c.fetch(r)
	}
	panic("unexpected request " + r.Name)
}

func (c *fakeTopics) apiVersions() any {
	resp := &ApiVersionsResponse{}
	for _, v := range bridge.Versions() {
		resp.ApiKeys = append(resp.ApiKeys, ApiVersionsResponseKey{ApiKey: v.Key, MinVersion: v.Min, MaxVersion: v.Max})
	}
	return resp
}

func (c *fakeTopics) metadata(req *MetadataRequest) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp := &MetadataResponse{ControllerID: 1}
	for _, b := range c.brokers {
		resp.Brokers = append(resp.Brokers, bridge.Broker(b.id, b.addr, nil).(*Broker))
	}
	topics := make(map[string]*TopicMetadata)
	for _, name := range req.Topics {
		topics[name] = &TopicMetadata{Name: name, Err: ErrUnknownTopicOrPartition}
	}
	for tp, l := range c.mu.logs {
		if req.Topics != nil && topics[tp.topic] == nil {
			continue
		}
		if t := topics[tp.topic]; t == nil || t.Err != ErrNoError {
			topics[tp.topic] = &TopicMetadata{Name: tp.topic}
		}
		p := &PartitionMetadata{ID: tp.partition, Leader: l.leader, LeaderEpoch: l.epoch}
		if l.leader < 0 {
			p.Err = ErrLeaderNotAvailable
		}
		topics[tp.topic].Partitions = append(topics[tp.topic].Partitions, p)
	}
	resp.Topics = slices.Collect(maps.Values(topics))
	return resp
}

func (c *fakeTopics) offsets(r *fakeRequest) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp := &OffsetResponse{}
	for _, p := range bridge.ListedPartitions(r.body) {
		l := c.mu.logs[topicPartition{p.Topic, p.Partition}]
		offset := l.start
		if p.Timestamp == OffsetNewest {
			offset = l.end
		}
		resp.AddTopicPartition(p.Topic, p.Partition, offset)
		if l.leader != r.broker.id {
			resp.GetBlock(p.Topic, p.Partition).Err = ErrNotLeaderForPartition
		}
	}
	return resp
}

// fetch answers as a broker does: at once when there are records or errors,
// else after MaxWaitTime.
func (c *fakeTopics) fetch(r *fakeRequest) any {
	req := r.body.(*FetchRequest)
	timer := time.NewTimer(time.Duration(req.MaxWaitTime) * time.Millisecond)
	defer timer.Stop()
	for waited := false; ; {
		c.mu.Lock()
		changed := c.mu.changed
		c.mu.Unlock()
		resp, ready := c.read(r)
		if ready || waited {
			return resp
		}
		select {
		case <-changed:
		case <-timer.C:
			waited = true
		case <-r.gone:
			return nil
		}
	}
}

func (c *fakeTopics) read(r *fakeRequest) (resp any, ready bool) {
	maxBytes := int(r.body.(*FetchRequest).MaxBytes)
	left := maxBytes
	asked, _ := bridge.FetchPartitions(r.body)
	var list []bridge.FetchedPartition
	for _, a := range asked {
		c.mu.Lock()
		p := c.readPartition(r.broker.id, a, &left, left < maxBytes)
		c.mu.Unlock()
		if c.amend != nil {
			c.amend(r, &p)
		}
		ready = ready || p.Err != 0 || len(p.Records) > 0
		list = append(list, p)
	}
	return bridge.FetchResponse(0, 0, 0, list, nil), ready
}

// readPartition takes whole batches up to the bounds, or one beyond them if
// the response has nothing else (KIP-74).
func (c *fakeTopics) readPartition(broker int32, a bridge.FetchPartition, left *int, others bool) bridge.FetchedPartition {
	p := bridge.FetchedPartition{
		Topic: a.Topic, Partition: a.Partition, PreferredReadReplica: -1, LastStableOffset: -1, LogStartOffset: -1, HighWatermark: -1,
	}
	l := c.mu.logs[topicPartition{a.Topic, a.Partition}]
	switch {
	case l == nil:
		p.Err = int16(ErrUnknownTopicOrPartition)
		return p
	case l.leader != broker:
		p.Err = int16(ErrNotLeaderForPartition)
		return p
	case a.CurrentLeaderEpoch >= 0 && a.CurrentLeaderEpoch < l.epoch:
		p.Err = int16(ErrFencedLeaderEpoch)
		return p
	case a.CurrentLeaderEpoch > l.epoch:
		p.Err = int16(ErrUnknownLeaderEpoch)
		return p
	case a.Offset < l.start || a.Offset > l.end:
		p.Err = int16(ErrOffsetOutOfRange)
		return p
	}
	p.HighWatermark, p.LastStableOffset, p.LogStartOffset, p.Aborted = l.end, l.end, l.start, l.aborted
	first, _ := slices.BinarySearchFunc(l.batches, a.Offset, func(s fakeStored, offset int64) int { return int(s.last - offset) })
	for _, s := range l.batches[first:] {
		if (len(p.Records) > 0 || others) && (len(p.Records)+len(s.raw) > int(a.MaxBytes) || len(s.raw) > *left) {
			break
		}
		p.Records = append(p.Records, s.raw...)
		*left -= len(s.raw)
	}
	return p
}

// fetches are the Fetch requests that have come in.
func (c *fakeTopics) fetches() (list []*FetchRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.mu.requests {
		if f, ok := r.body.(*FetchRequest); ok {
			list = append(list, f)
		}
	}
	return list
}

// consumer makes a consumer that is closed at the end of the test.
func (c *fakeTopics) consumer(t testing.TB, conf *Config) Consumer {
	t.Helper()
	cons, err := NewConsumer([]string{c.brokers[0].addr}, conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cons.Close() })
	return cons
}

// logLines is what was logged so far; any goroutine may log meanwhile.
type logLines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// captureLines sends Logger to memory until the end of the test.
func captureLines(t testing.TB) *logLines {
	old, lines := Logger, &logLines{}
	Logger = log.New(lines, "", 0)
	t.Cleanup(func() { Logger = old })
	return lines
}
