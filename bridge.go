package sarama

import (
	"encoding/binary"
	"errors"
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
	bridge.Versions = func() (list []bridge.VersionRange) {
		for _, a := range apis {
			if a != nil {
				list = append(list, bridge.VersionRange{Key: a.key, Name: a.name, Min: 0, Max: a.max()})
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
	b, ok := resp.(body)
	if !ok {
		return dst, errors.New("kafka: not a response")
	}
	a, version := b.meta()
	*version = h.Version
	from := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.CorrelationID))
	if a.flexibleResponseHeader(h.Version) {
		dst = append(dst, 0) // no tags
	}
	dst, err := appendBody(dst, b)
	if err != nil {
		return dst[:from], err
	}
	binary.BigEndian.PutUint32(dst[from:], uint32(len(dst)-from-4))
	return dst, nil
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

func bridgeFetchResponse(throttle time.Duration, err int16, sessionID int32, partitions []bridge.FetchedPartition) any {
	r := &fetchResponse{throttle: throttle, err: KError(err), sessionID: sessionID}
	for _, p := range partitions {
		if n := len(r.topics); n == 0 || r.topics[n-1].name != p.Topic {
			r.topics = append(r.topics, fetchedTopic{name: p.Topic})
		}
		t := &r.topics[len(r.topics)-1]
		raw := fetchedPartition{
			id: p.Partition, err: KError(p.Err), highWatermark: p.HighWatermark, lastStableOffset: p.LastStableOffset,
			logStartOffset: p.LogStartOffset, preferredReadReplica: p.PreferredReadReplica, records: p.Records,
		}
		for _, a := range p.Aborted {
			raw.aborted = append(raw.aborted, AbortedTransaction{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
		}
		if p.HasLeader {
			raw.leader = &FetchResponseCurrentLeader{LeaderID: p.CurrentLeaderID, LeaderEpoch: p.CurrentLeaderEpoch}
		}
		t.partitions = append(t.partitions, raw)
	}
	return r
}
