package sarama

import (
	"encoding/binary"
	"errors"
	"reflect"
	"time"

	"github.com/IBM/sarama/internal/bridge"
	"github.com/IBM/sarama/internal/wire"
)

func init() {
	bridge.ReadRequest = func(frame []byte) (bridge.Header, any, error) {
		h, b, err := readRequest(frame)
		if b == nil {
			return h, nil, err // not a body that is nil
		}
		return h, b, err
	}
	bridge.AppendResponse = appendResponse
	bridge.ResponseChunks = responseChunks
	bridge.SetThrottle = setThrottle
	bridge.TopicRefs = topicRefs
	bridge.Versions = func() (list []bridge.VersionRange) {
		for _, a := range apis {
			if a != nil {
				r := bridge.VersionRange{Key: a.key, Name: a.name, Min: 0, Max: a.max(), ThrottleFirst: a.throttleFirst}
				for _, v := range a.since {
					r.Since = append(r.Since, v.String())
				}
				list = append(list, r)
			}
		}
		return list
	}
	bridge.ProduceRecords = func(req any) (list []bridge.PartitionRecords) {
		for _, t := range req.(*ProduceRequest).topics {
			for _, p := range t.partitions {
				list = append(list, bridge.PartitionRecords{Topic: t.name, Partition: p.id, Records: p.raw})
			}
		}
		return list
	}
	bridge.FetchPartitions = bridgeFetchPartitions
	bridge.FetchResponse = bridgeFetchResponse
	bridge.ListedPartitions = func(req any) (list []bridge.ListedPartition) {
		blocks := req.(*OffsetRequest).blocks
		for _, topic := range sortedKeys(blocks) {
			for _, id := range sortedKeys(blocks[topic]) {
				b := blocks[topic][id]
				list = append(list, bridge.ListedPartition{
					Topic: topic, Partition: id, CurrentLeaderEpoch: b.leaderEpoch, Timestamp: b.timestamp, MaxOffsets: b.maxOffsets,
				})
			}
		}
		return list
	}
	bridge.EpochsWanted = func(req any) (list []bridge.EpochWanted) {
		for _, t := range req.(*epochEndRequest).topics {
			for _, p := range t.partitions {
				list = append(list, bridge.EpochWanted{
					Topic: t.name, Partition: p.id, CurrentLeaderEpoch: p.currentLeaderEpoch, LeaderEpoch: p.leaderEpoch,
				})
			}
		}
		return list
	}
	bridge.EpochEnds = func(list []bridge.EpochEnd) any {
		r := new(epochEndResponse)
		for _, e := range list {
			if n := len(r.topics); n == 0 || r.topics[n-1].name != e.Topic {
				r.topics = append(r.topics, epochEndedTopic{name: e.Topic})
			}
			t := &r.topics[len(r.topics)-1]
			t.partitions = append(t.partitions, epochEnd{e.Partition, KError(e.Err), e.LeaderEpoch, e.EndOffset})
		}
		return r
	}
	bridge.Broker = func(id int32, addr string, rack *string) any { return &Broker{id: id, addr: addr, rack: rack} }
}

// readRequest reads a request's frame, without its size.
func readRequest(frame []byte) (h bridge.Header, b body, err error) {
	var c wire.Codec
	c.Reader(frame, 0, false)
	c.Int16(&h.Key)
	c.Int16(&h.Version)
	c.Int32(&h.CorrelationID)
	c.LegacyString(&h.ClientID)
	if c.Err() != nil {
		return h, nil, PacketDecodingError{"request header: " + c.Err().Error()}
	}
	a, err := apiByKey(h.Key)
	if err != nil {
		return h, nil, err
	}
	h.Name = a.name
	if err := a.checkVersion(h.Version); err != nil {
		return h, nil, err
	}
	rest := c.Rest()
	if a.isFlexible(h.Version) {
		c.Reader(rest, 0, true)
		if c.End(); c.Err() != nil {
			return h, nil, PacketDecodingError{"request header: " + c.Err().Error()}
		}
		rest = c.Rest()
	}
	b = a.request()
	return h, b, readBody(rest, b, h.Version)
}

// appendResponse writes a response behind dst: size, header, body.
func appendResponse(dst []byte, h bridge.Header, resp any) ([]byte, error) {
	var c wire.Codec
	if err := writeResponse(&c, nil, h, resp); err != nil {
		return dst, err
	}
	return c.Append(dst), nil
}

// responseChunks writes a response without copying what is spliced.
func responseChunks(c *wire.Codec, head []byte, chunks [][]byte, h bridge.Header, resp any) ([][]byte, error) {
	if err := writeResponse(c, head[:0], h, resp); err != nil {
		return chunks, err
	}
	return c.Chunks(chunks), nil
}

func writeResponse(c *wire.Codec, head []byte, h bridge.Header, resp any) error {
	b, ok := resp.(body)
	if !ok {
		return errors.New("kafka: not a response")
	}
	a, version := b.meta()
	if *version != h.Version { // what is not changed may be shared
		*version = h.Version
	}
	head = append(head, 0, 0, 0, 0)
	head = binary.BigEndian.AppendUint32(head, uint32(h.CorrelationID))
	if a.flexibleResponseHeader(h.Version) {
		head = append(head, 0) // no tags
	}
	if err := writeBody(c, head, b); err != nil {
		return err
	}
	binary.BigEndian.PutUint32(c.Written(), uint32(c.Len()-4))
	return nil
}

// setThrottle sets the throttle time, under whichever of its names a response
// has it.
func setThrottle(resp any, d time.Duration) bool {
	switch r := resp.(type) {
	case *fetchResponse:
		r.throttle = d
		return true
	case *epochEndResponse:
		r.throttle = d
		return true
	}
	if _, ok := resp.(throttled); !ok {
		return false
	}
	v := reflect.ValueOf(resp).Elem()
	if f := v.FieldByName("ThrottleTime"); f.IsValid() && f.Type() == reflect.TypeFor[time.Duration]() {
		f.SetInt(int64(d))
		return true
	}
	f := v.FieldByName("ThrottleTimeMs")
	if !f.IsValid() {
		return false
	}
	f.SetInt(d.Milliseconds())
	return true
}

// topicRefs reads the list of topics at the start of a request, with the ids
// that the exported types have no place for.
func topicRefs(frame []byte) (list []bridge.TopicRef, err error) {
	var c wire.Codec
	var h bridge.Header
	c.Reader(frame, 0, false)
	c.Int16(&h.Key)
	c.Int16(&h.Version)
	c.Int32(&h.CorrelationID)
	c.LegacyString(&h.ClientID)
	rest := c.Rest()
	if err := c.Err(); err != nil {
		return nil, err
	}
	c.Reader(rest, 0, true)
	c.End() // the header's tags
	rest = c.Rest()
	if err := c.Err(); err != nil {
		return nil, err
	}
	c.Reader(rest, h.Version, true)
	wire.NullableValues(&c, &list, func(t *bridge.TopicRef, c *wire.Codec) {
		if h.Key == keyMetadata {
			c.UUID(&t.ID)
		}
		var name *string
		if c.NullableString(&name); name != nil {
			t.Name, t.Named = *name, true
		}
		if h.Key == keyDeleteTopics {
			c.UUID(&t.ID)
		}
	})
	return list, c.Err()
}

func bridgeFetchPartitions(req any) (fetch []bridge.FetchPartition, forget []bridge.TopicPartition) {
	r := req.(*FetchRequest)
	for _, t := range r.topics {
		for _, p := range t.partitions {
			fetch = append(fetch, bridge.FetchPartition{
				Topic: t.name, Partition: p.id, CurrentLeaderEpoch: p.currentLeaderEpoch, Offset: p.fetchOffset,
				LastFetchedEpoch: p.lastFetchedEpoch, MaxBytes: p.maxBytes,
			})
		}
	}
	for _, t := range r.forgotten {
		for _, id := range t.partitions {
			forget = append(forget, bridge.TopicPartition{Topic: t.name, Partition: id})
		}
	}
	return fetch, forget
}

func bridgeFetchResponse(throttle time.Duration, err int16, sessionID int32, partitions []bridge.FetchedPartition, leaders []bridge.Endpoint) any {
	r := &fetchResponse{throttle: throttle, err: KError(err), sessionID: sessionID}
	for _, e := range leaders {
		r.endpoints = append(r.endpoints, &ProduceResponseNodeEndpoint{NodeID: e.ID, Host: e.Host, Port: e.Port, Rack: e.Rack})
	}
	for _, p := range partitions {
		if n := len(r.topics); n == 0 || r.topics[n-1].name != p.Topic {
			r.topics = append(r.topics, fetchedTopic{name: p.Topic})
		}
		t := &r.topics[len(r.topics)-1]
		raw := fetchedPartition{
			id: p.Partition, err: KError(p.Err), highWatermark: p.HighWatermark, lastStableOffset: p.LastStableOffset,
			logStartOffset: p.LogStartOffset, preferredReadReplica: p.PreferredReadReplica, records: p.Records,
		}
		if p.Aborted != nil {
			raw.aborted = make([]AbortedTransaction, 0, len(p.Aborted))
		}
		for _, a := range p.Aborted {
			raw.aborted = append(raw.aborted, AbortedTransaction{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
		}
		if p.HasLeader {
			raw.leader = &FetchResponseCurrentLeader{LeaderID: p.CurrentLeaderID, LeaderEpoch: p.CurrentLeaderEpoch}
		}
		if p.HasDiverging {
			raw.diverging = &FetchResponseDivergingEpoch{Epoch: p.DivergingEpoch, EndOffset: p.DivergingOffset}
		}
		t.partitions = append(t.partitions, raw)
	}
	return r
}
