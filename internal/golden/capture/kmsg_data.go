package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The topics that the walks use. None of the requests asks to create others but
// those about creation, so the missing one stays missing.
const (
	goldenTopic  = "golden"
	missingTopic = "golden-missing"
	invalidTopic = "not a topic's name"
)

// runKmsg sends every version that the broker takes of the client's requests.
func runKmsg(ctx context.Context, rec *recorder, p *proxy, saslAddr string) error {
	rec.setClient("kmsg 1.15.0")
	l, err := newLab(ctx, p.addr())
	if err != nil {
		return err
	}
	defer l.close()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = []kmsg.CreateTopicsRequestTopic{newTopic(goldenTopic, 2)}
	req.TimeoutMillis = 10000
	if _, err := l.call(req, l.nth(kmsg.CreateTopics, 99)); err != nil {
		return err
	}
	id, err := awaitTopic(l, goldenTopic)
	if err != nil {
		return err
	}
	l.apiVersions()
	l.metadata()
	l.topics()
	l.produce(id)
	l.fetch(id)
	l.offsets()
	l.coordinators()
	l.groups(id)
	l.transactions(id)
	l.admin()
	l.reports()
	l.consumerGroups()
	return runSasl(ctx, p, l, saslAddr)
}

// awaitTopic waits until the broker has the topic that the controller made.
func awaitTopic(l *lab, topic string) ([16]byte, error) {
	for {
		id, err := l.topicID(topic)
		if err == nil {
			return id, nil
		}
		select {
		case <-l.ctx.Done():
			return id, fmt.Errorf("topic %s: %w", topic, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func newTopic(name string, partitions int32) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	return t
}

func (l *lab) apiVersions() {
	request := func(int16) kmsg.Request {
		r := kmsg.NewPtrApiVersionsRequest()
		r.ClientSoftwareName, r.ClientSoftwareVersion = "kmsg", "1.15.0"
		return r
	}
	l.all(kmsg.ApiVersions, request)
	_, _ = l.call(request(0), 99)
}

// topics creates and deletes some, by name and by id, and both where it fails.
func (l *lab) topics() {
	l.each(kmsg.CreateTopics, func(v int16) error {
		value := "60000"
		plain, placed := newTopic(fmt.Sprintf("golden-plain-%d", v), 1), newTopic(fmt.Sprintf("golden-placed-%d", v), -1)
		plain.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: &value}}
		placed.ReplicationFactor = -1
		placed.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: 0, Replicas: []int32{1}}}
		for _, t := range []kmsg.CreateTopicsRequestTopic{plain, placed, newTopic(goldenTopic, 1), newTopic(invalidTopic, 1)} {
			r := kmsg.NewPtrCreateTopicsRequest()
			r.Topics, r.TimeoutMillis = []kmsg.CreateTopicsRequestTopic{t}, 10000
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		return nil
	})
	l.each(kmsg.DeleteTopics, func(v int16) error {
		for _, name := range []string{fmt.Sprintf("golden-placed-%d", v), missingTopic} {
			r := kmsg.NewPtrDeleteTopicsRequest()
			r.TopicNames, r.TimeoutMillis = []string{name}, 10000
			t := kmsg.NewDeleteTopicsRequestTopic()
			t.Topic = &name
			r.Topics = []kmsg.DeleteTopicsRequestTopic{t}
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		if v < 6 {
			return nil
		}
		id, err := l.topicID(fmt.Sprintf("golden-plain-%d", v))
		if err != nil {
			return err
		}
		for _, id := range [][16]byte{id, {1, 2, 3}} {
			r := kmsg.NewPtrDeleteTopicsRequest()
			t := kmsg.NewDeleteTopicsRequestTopic()
			t.TopicID = id
			r.Topics, r.TimeoutMillis = []kmsg.DeleteTopicsRequestTopic{t}, 10000
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *lab) metadata() {
	l.each(kmsg.Metadata, func(v int16) error {
		ask := func(topics ...kmsg.MetadataRequestTopic) error {
			r := kmsg.NewPtrMetadataRequest()
			r.Topics = topics
			r.IncludeTopicAuthorizedOperations, r.IncludeClusterAuthorizedOperations = len(topics) == 1, len(topics) == 1
			_, err := l.call(r, v)
			return err
		}
		missing := missingTopic
		if v < 4 {
			// The broker would create it.
			missing = invalidTopic
		}
		if err := ask(metadataTopic(goldenTopic)); err != nil {
			return err
		}
		if err := ask(metadataTopic(goldenTopic), metadataTopic(missing)); err != nil {
			return err
		}
		return ask()
	})
	for v := int16(12); v <= l.versions[int16(kmsg.Metadata)].highest; v++ {
		for _, topic := range []string{goldenTopic, ""} {
			t := kmsg.NewMetadataRequestTopic()
			t.TopicID = [16]byte{1, 2, 3}
			if topic != "" {
				t.TopicID, _ = l.topicID(topic)
			}
			r := kmsg.NewPtrMetadataRequest()
			r.Topics = []kmsg.MetadataRequestTopic{t}
			_, _ = l.call(r, v)
		}
	}
}

func produceRequest(topic string, id [16]byte, partition int32, records []byte) *kmsg.ProduceRequest {
	part := kmsg.NewProduceRequestTopicPartition()
	part.Partition, part.Records = partition, records
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID, t.Partitions = topic, id, []kmsg.ProduceRequestTopicPartition{part}
	r := kmsg.NewPtrProduceRequest()
	r.Acks, r.TimeoutMillis, r.Topics = -1, 10000, []kmsg.ProduceRequestTopic{t}
	return r
}

// produce sends batches that are taken and ones that are not: to a partition
// that does not exist, with damage, twice and out of order.
func (l *lab) produce(id [16]byte) {
	l.each(kmsg.Produce, func(v int16) error {
		records := recordsFor(v, noProducer)
		if _, err := l.call(produceRequest(goldenTopic, id, 0, records), v); err != nil {
			return err
		}
		damaged := append([]byte{}, records...)
		damaged[len(damaged)-1] ^= 1
		for _, r := range []*kmsg.ProduceRequest{
			produceRequest(goldenTopic, id, 7, records),
			produceRequest(goldenTopic, id, 0, damaged),
			produceRequest(missingTopic, [16]byte{1, 2, 3}, 0, records),
		} {
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		if v >= 3 {
			if err := l.produceInSequence(id, v); err != nil {
				return err
			}
		}
		// Without acks there is no response, so a request that has one follows
		// to know that it has arrived.
		silent := produceRequest(goldenTopic, id, 0, records)
		silent.Acks = 0
		if err := l.send(silent, v); err != nil {
			return err
		}
		_, err := l.call(kmsg.NewPtrApiVersionsRequest(), 0)
		return err
	})
}

func (l *lab) produceInSequence(id [16]byte, v int16) error {
	p, err := l.newProducer(nil, l.nth(kmsg.InitProducerID, 1))
	if err != nil {
		return err
	}
	for _, sequence := range []int32{0, 0, 2, 9} {
		p.sequence = sequence
		if _, err := l.call(produceRequest(goldenTopic, id, 1, recordBatch(p)), v); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) newProducer(txn *string, v int16) (producer, error) {
	r := kmsg.NewPtrInitProducerIDRequest()
	r.TransactionalID, r.TransactionTimeoutMillis = txn, 60000
	for {
		resp, err := l.call(r, v)
		if err != nil {
			return noProducer, err
		}
		ids := resp.(*kmsg.InitProducerIDResponse)
		switch {
		case ids.ErrorCode == 0:
			return producer{id: ids.ProducerID, epoch: ids.ProducerEpoch, txn: txn != nil}, nil
		case !retriable(ids.ErrorCode):
			return noProducer, fmt.Errorf("InitProducerId: error %d", ids.ErrorCode)
		}
		select {
		case <-l.ctx.Done():
			return noProducer, l.ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// retriable tells of the errors that a coordinator has while it loads:
// COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR and
// CONCURRENT_TRANSACTIONS.
func retriable(code int16) bool { return code >= 14 && code <= 16 || code == 51 }

func fetchRequest(topic string, id [16]byte, partition int32, offset int64) *kmsg.FetchRequest {
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = partition, offset, 250
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID, t.Partitions = topic, id, []kmsg.FetchRequestTopicPartition{part}
	r := kmsg.NewPtrFetchRequest()
	r.MaxWaitMillis, r.MinBytes, r.MaxBytes, r.Topics = 100, 0, 500, []kmsg.FetchRequestTopic{t}
	r.SessionEpoch = -1
	return r
}

// fetch reads records, an empty end, what does not exist, and in a session.
func (l *lab) fetch(id [16]byte) {
	l.each(kmsg.Fetch, func(v int16) error {
		stale := fetchRequest(goldenTopic, id, 0, 0)
		stale.Topics[0].Partitions[0].CurrentLeaderEpoch = 9
		for _, r := range []*kmsg.FetchRequest{
			fetchRequest(goldenTopic, id, 0, 0),
			fetchRequest(goldenTopic, id, 0, 3),
			fetchRequest(goldenTopic, id, 0, 1_000_000),
			fetchRequest(goldenTopic, id, 7, 0),
			fetchRequest(missingTopic, [16]byte{1, 2, 3}, 0, 0),
			stale,
		} {
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		if v < 7 {
			return nil
		}
		first := fetchRequest(goldenTopic, id, 1, 0)
		first.SessionEpoch = 0
		resp, err := l.call(first, v)
		if err != nil {
			return err
		}
		next := fetchRequest(goldenTopic, id, 0, 2)
		next.SessionID, next.SessionEpoch = resp.(*kmsg.FetchResponse).SessionID, 1
		forgotten := kmsg.NewFetchRequestForgottenTopic()
		forgotten.Topic, forgotten.TopicID, forgotten.Partitions = goldenTopic, id, []int32{1}
		next.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{forgotten}
		next.Rack = "rack-1"
		if _, err := l.call(next, v); err != nil {
			return err
		}
		lost := fetchRequest(goldenTopic, id, 0, 0)
		lost.SessionID, lost.SessionEpoch = 123456789, 5
		_, err = l.call(lost, v)
		return err
	})
}

func (l *lab) offsets() {
	l.each(kmsg.ListOffsets, func(v int16) error {
		for _, at := range []struct {
			topic string
			part  int32
			time  int64
		}{{goldenTopic, 0, -1}, {goldenTopic, 0, -2}, {goldenTopic, 0, recordTime + 1}, {goldenTopic, 0, -3},
			{goldenTopic, 0, -4}, {goldenTopic, 0, -5}, {goldenTopic, 7, -1}, {missingTopic, 0, -1}} {
			part := kmsg.NewListOffsetsRequestTopicPartition()
			part.Partition, part.Timestamp, part.MaxNumOffsets = at.part, at.time, 3
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic, t.Partitions = at.topic, []kmsg.ListOffsetsRequestTopicPartition{part}
			r := kmsg.NewPtrListOffsetsRequest()
			r.Topics = []kmsg.ListOffsetsRequestTopic{t}
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		return nil
	})
	l.each(kmsg.OffsetForLeaderEpoch, func(v int16) error {
		for _, at := range []struct{ part, current, epoch int32 }{{0, -1, 0}, {0, 0, 5}, {7, -1, 0}, {0, 9, 0}} {
			part := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			part.Partition, part.CurrentLeaderEpoch, part.LeaderEpoch = at.part, at.current, at.epoch
			t := kmsg.NewOffsetForLeaderEpochRequestTopic()
			t.Topic, t.Partitions = goldenTopic, []kmsg.OffsetForLeaderEpochRequestTopicPartition{part}
			r := kmsg.NewPtrOffsetForLeaderEpochRequest()
			r.ReplicaID, r.Topics = -1, []kmsg.OffsetForLeaderEpochRequestTopic{t}
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *lab) coordinators() {
	l.each(kmsg.FindCoordinator, func(v int16) error {
		for _, of := range []struct {
			kind int8
			keys []string
		}{{0, []string{"golden-group"}}, {1, []string{"golden-txn"}}, {0, []string{"a", "b"}}, {9, []string{"x"}}} {
			r := kmsg.NewPtrFindCoordinatorRequest()
			r.CoordinatorKey, r.CoordinatorType, r.CoordinatorKeys = of.keys[0], of.kind, of.keys
			if _, err := l.call(r, v); err != nil {
				return err
			}
		}
		return nil
	})
	l.each(kmsg.InitProducerID, func(v int16) error {
		txn := fmt.Sprintf("golden-init-%d", v)
		for _, id := range []*string{nil, &txn, &txn} {
			if _, err := l.newProducer(id, v); err != nil {
				return err
			}
		}
		r := kmsg.NewPtrInitProducerIDRequest()
		r.TransactionalID, r.TransactionTimeoutMillis, r.ProducerID, r.ProducerEpoch = &txn, 60000, 4711, 3
		if v < 3 {
			// Before the producer's id was part of it, a timeout above the
			// broker's limit is what it refuses.
			r.TransactionTimeoutMillis = 1 << 30
		}
		_, err := l.call(r, v)
		return err
	})
}
