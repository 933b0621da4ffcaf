package sarama

// A log may be truncated: by an unclean leader election, say, which makes a
// replica the leader that did not have all records. Epochs tell (KIP-320): the
// record before a cursor's offset was written under lastEpoch, and where the
// leader's log has no more of that epoch, or less of it, that record is gone.
// Brokers with Fetch 12 look themselves. Others are asked with
// OffsetForLeaderEpoch before a new leader is fetched from.

// epochsNamed is the first version of OffsetForLeaderEpoch with which a leader
// refuses those who do not know that it is the leader.
const epochsNamed = 2

// unchecked are the wanted cursors whose leader has changed since their offset
// was known to be in its log.
func (f *fetcher) unchecked() (list []*cursor) {
	for _, c := range f.wanted {
		if c.lastEpoch >= 0 && c.leaderEpoch > c.checkedEpoch && c.replica == nil {
			list = append(list, c)
		}
	}
	return list
}

// checkEpochs asks where the epochs of cursors end, and lets those go on whose
// offset is in the log.
func (f *fetcher) checkEpochs(k *link, list []*cursor) {
	req := &epochEndRequest{version: k.newest(apiOffsetForLeaderEpoch)}
	if req.version < epochsNamed {
		for _, c := range list {
			c.checkedEpoch = c.leaderEpoch
		}
		return
	}
	waiting := make(map[topicPartition]*cursor, len(list))
	for _, c := range list {
		if n := len(req.topics); n == 0 || req.topics[n-1].name != c.pc.topic {
			req.topics = append(req.topics, epochEndTopic{name: c.pc.topic})
		}
		t := &req.topics[len(req.topics)-1]
		t.partitions = append(t.partitions, epochEndPartition{c.pc.partition, c.leaderEpoch, c.lastEpoch})
		waiting[c.topicPartition()] = c
	}
	resp := new(epochEndResponse)
	if _, err := f.exchange(k, req, resp); err != nil {
		f.failed(err)
		return
	}
	for i := range resp.topics {
		t := &resp.topics[i]
		for j := range t.partitions {
			at := topicPartition{t.name, t.partitions[j].id}
			c := waiting[at]
			if c == nil {
				continue
			}
			delete(waiting, at)
			if !f.checked(c, &t.partitions[j]) {
				f.remove(c)
			}
		}
	}
	for _, c := range waiting {
		f.fail(c, ErrIncompleteResponse)
		f.remove(c)
	}
}

// checked takes what a leader says of a cursor's epoch. It returns false when
// it has given the cursor up.
func (f *fetcher) checked(c *cursor, end *epochEnd) bool {
	if c.pc.closed.Load() || c.pc.rewind.Load() != nil {
		return true // see dropGone
	}
	switch end.err {
	case ErrNoError:
		if end.leaderEpoch < c.lastEpoch || end.endOffset < c.offset {
			return f.diverged(c, end.leaderEpoch, end.endOffset)
		}
	case ErrTopicAuthorizationFailed, ErrClusterAuthorizationFailed, ErrUnsupportedVersion:
		// Brokers before 2.3 want a right for this that consumers do not have.
		Logger.Printf("consumer/%s/%d cannot be checked for truncation: %v\n", c.pc.topic, c.pc.partition, end.err)
	case ErrUnknownTopicOrPartition, ErrNotLeaderForPartition, ErrLeaderNotAvailable, ErrReplicaNotAvailable,
		ErrFencedLeaderEpoch, ErrUnknownLeaderEpoch:
		f.failSilently(c, end.err)
		return false
	default:
		f.fail(c, end.err)
		return false
	}
	c.checkedEpoch = c.leaderEpoch
	return true
}

// diverged takes that a leader's log has the last epoch that it shares with a
// cursor, epoch, up to an offset only. With a policy for lost offsets the
// cursor goes back there; without, its partition consumer ends. It returns
// false when it has given the cursor up.
func (f *fetcher) diverged(c *cursor, epoch int32, end int64) bool {
	if c.replica != nil { // which may just be behind
		f.leaveReplica(c, ErrOffsetOutOfRange)
		return false
	}
	if epoch < 0 || end < 0 { // nothing is left of what there was
		f.outOfRange(c, ErrOffsetOutOfRange)
		return false
	}
	// A record that was replaced is at most the last one that was fetched.
	end = min(end, c.offset)
	err := &LogTruncationError{
		Topic: c.pc.topic, Partition: c.pc.partition, Offset: c.offset, LeaderEpoch: c.lastEpoch,
		TruncationOffset: end, TruncationEpoch: epoch,
	}
	if f.conf.Consumer.Offsets.Reset == OffsetResetNone {
		Logger.Printf("consumer/%s/%d shutting down: %v\n", c.pc.topic, c.pc.partition, err)
		c.pc.end(err)
		f.giveUp(c, leaveClosed)
		return false
	}
	Logger.Printf("consumer/%s/%d goes back: %v\n", c.pc.topic, c.pc.partition, err)
	c.reset = reset{pending: true, offset: end, epoch: epoch}
	f.giveUp(c, leaveReset)
	return false
}
