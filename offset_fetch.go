package sarama

import (
	"context"
	"errors"
	"fmt"
)

// storedOffset is what a group's coordinator has of a partition.
type storedOffset struct {
	offsetPair
	leaderEpoch int32
}

// fetch asks for what is stored of partitions, in one request, with the retries
// of Metadata.
func (m *offsetManager) fetch(ctx context.Context, partitions []topicPartition) (map[topicPartition]storedOffset, error) {
	conf := m.conf
	for attempt := 0; ; attempt++ {
		found, again, err := m.fetchOnce(ctx, partitions)
		if err == nil {
			return found, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !again || attempt >= conf.Metadata.Retry.Max {
			return nil, err
		}
		backoff := metadataBackoff(conf, attempt)
		Logger.Printf("offsetmanager/%s asking for stored offsets again after %v: %v\n", m.group, backoff, err)
		if err := sleepIn(ctx, backoff); err != nil {
			return nil, err
		}
	}
}

// fetchOnce is one attempt. Each asks for the coordinator first, as upstream
// does for each partition.
func (m *offsetManager) fetchOnce(ctx context.Context, partitions []topicPartition) (found map[topicPartition]storedOffset, again bool, err error) {
	b, err := groupCoordinator(ctx, m.client, m.group, true)
	if err != nil {
		return nil, retriableLookup(err), err
	}
	req := NewOffsetFetchRequest(m.conf.Version, m.group, nil)
	req.RequireStable = req.Version >= 7 && m.conf.Consumer.IsolationLevel == ReadCommitted
	for _, at := range partitions {
		req.AddPartition(at.topic, at.partition)
	}
	if m.newer {
		who := m.identity.Load()
		group := OffsetFetchRequestGroup{GroupId: m.group, Partitions: req.partitions}
		group.SetMember(who.memberID, who.generation)
		req.Version, req.Groups = newerOffsetsVersion, []OffsetFetchRequestGroup{group}
	}
	resp := new(OffsetFetchResponse)
	if err := b.requestUntil(ctx, req, resp); err != nil {
		return nil, !errors.Is(err, ErrUnsupportedVersion), err
	}
	if err := resp.GroupError(); err != ErrNoError {
		return nil, retriableFetch(err), err
	}
	found = make(map[topicPartition]storedOffset, len(partitions))
	for _, at := range partitions {
		block := resp.GetBlock(at.topic, at.partition)
		switch {
		case block == nil:
			return nil, false, fmt.Errorf("kafka: the stored offset of %s/%d for group %s: %w", at.topic, at.partition, m.group, ErrIncompleteResponse)
		case block.Err != ErrNoError:
			return nil, retriableFetch(block.Err), block.Err
		}
		found[at] = storedOffset{offsetPair{block.Offset, block.Metadata}, block.LeaderEpoch}
	}
	return found, false, nil
}

// retriableFetch reports whether stored offsets may be had a little later.
func retriableFetch(err KError) bool {
	switch err {
	case ErrOffsetsLoadInProgress, ErrNotCoordinatorForConsumer, ErrConsumerCoordinatorNotAvailable, ErrUnstableOffsetCommit, ErrRequestTimedOut,
		ErrStaleMemberEpoch: // the next heartbeat brings the new one
		return true
	}
	return false
}

// retriableLookup reports whether a coordinator may be found a little later.
func retriableLookup(err error) bool {
	return !errors.Is(err, ErrClosedClient) && !errors.Is(err, ErrGroupAuthorizationFailed)
}
