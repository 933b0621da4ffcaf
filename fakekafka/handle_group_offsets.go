package fakekafka

import (
	"slices"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/internal/bridge"
)

const (
	offsetsByID           = 10 // first version of OffsetCommit and OffsetFetch that names topics by id (KIP-848)
	offsetFetchGroupError = 2  // first version of OffsetFetch with an error for the group
	offsetFetchBatches    = 8
	commitSaysNoGroup     = 9 // first version of OffsetCommit that answers GROUP_ID_NOT_FOUND
)

// namedByClient is a partition as a request names it and as it is, or why it is
// unknown.
type namedByClient struct {
	said string
	at   TopicPartition
	err  sarama.KError
}

// resolve finds a partition that a request names, by topic id or by name; the
// hooks may refuse it. A known topic is asked for its partition only where that
// has to exist.
func (r *Request) resolve(topic string, partition int32, byID, exists bool) namedByClient {
	n := namedByClient{said: topic, at: TopicPartition{topic, partition}}
	t := r.conn.cluster.catalog.Load().named(topic, byID)
	if t != nil {
		n.at.Topic = t.name
	}
	switch hooked := r.errorFor(n.at.Topic, partition); {
	case hooked != sarama.ErrNoError:
		n.err = hooked
	case t == nil && byID:
		n.err = sarama.ErrUnknownTopicID
	case exists && t.partition(partition) == nil:
		n.err = sarama.ErrUnknownTopicOrPartition
	}
	return n
}

// storing is a commit of offsets that is to be stored.
type storing struct {
	group      string
	who        committing
	instance   *string
	version    int16
	ended      int // how many transactions of the producer had ended before this one was asked for
	partitions []storingPartition
}

type storingPartition struct {
	namedByClient
	offset CommittedOffset
	tooBig bool
}

func (c *conn) storing(r *Request, group string) *storing {
	return &storing{group: group, version: r.Version, who: committing{generation: -1, producerID: -1}}
}

func (s *storing) add(r *Request, n namedByClient, offset int64, leaderEpoch int32, metadata *string) {
	p := storingPartition{namedByClient: n, offset: CommittedOffset{
		Offset: offset, LeaderEpoch: leaderEpoch, Metadata: deref(metadata), Time: time.Now(),
	}}
	p.tooBig = len(p.offset.Metadata) > r.conn.cluster.opts.Groups.OffsetMetadataMaxBytes
	s.partitions = append(s.partitions, p)
}

// known says whether there is anything that could be stored: if not, the group
// is not looked for.
func (s *storing) known() bool {
	return slices.ContainsFunc(s.partitions, func(p storingPartition) bool { return p.err == sarama.ErrNoError })
}

// run stores what may be stored, and notes for each partition what became of
// it. missing is the error where there is no such group.
func (s *storing) run(c *conn, missing sarama.KError) {
	if !s.known() {
		return
	}
	inTransaction := s.who.producerID >= 0
	g, err := c.cluster.enter(c.broker, s.group, s.who.generation < 0)
	refusal := codeOfGroup(err, missing)
	if err == nil {
		defer g.leave()
		refusal = g.mayCommitLocked(s.who.member, s.instance, s.who.generation, s.version, inTransaction)
		switch {
		case inTransaction && refusal == sarama.ErrStaleMemberEpoch:
			refusal = sarama.ErrIllegalGeneration
		case inTransaction && c.cluster.groups.endedTxns(groupProducer{s.group, s.who.producerID}) != s.ended:
			refusal = sarama.ErrOffsetsLoadInProgress // the transaction is over already; the client asks again
		}
	}
	for i := range s.partitions {
		p := &s.partitions[i]
		switch {
		case p.err != sarama.ErrNoError:
		case refusal != sarama.ErrNoError:
			p.err = refusal
		case p.tooBig:
			p.err = sarama.ErrOffsetMetadataTooLarge
		default:
			g.storeLocked(s.who, p.at, p.offset)
		}
	}
}

func (c *conn) offsetCommit(r *Request) (any, error) {
	req := r.Body.(*sarama.OffsetCommitRequest)
	s := c.storing(r, req.ConsumerGroup)
	if r.Version >= 1 {
		s.who.member, s.who.generation, s.instance = req.ConsumerID, req.ConsumerGroupGeneration, req.GroupInstanceId
	}
	for _, p := range bridge.CommittedOffsets(req) {
		s.add(r, r.resolve(p.Topic, p.Partition, r.Version >= offsetsByID, true), p.Offset, p.LeaderEpoch, p.Metadata)
	}
	missing := sarama.ErrIllegalGeneration
	if r.Version >= commitSaysNoGroup {
		missing = sarama.ErrGroupIDNotFound
	}
	s.run(c, missing)
	resp := new(sarama.OffsetCommitResponse)
	for _, p := range s.partitions {
		resp.AddError(p.said, p.at.Partition, p.err)
	}
	return resp, nil
}

func (c *conn) txnOffsetCommit(r *Request) (any, error) {
	req := r.Body.(*sarama.TxnOffsetCommitRequest)
	s := c.storing(r, req.GroupID)
	s.who.producerID = req.ProducerID
	if r.Version >= 3 {
		s.who.member, s.who.generation, s.instance = req.MemberID, req.GenerationID, req.GroupInstanceID
	}
	for topic, partitions := range req.Topics {
		for _, p := range partitions {
			s.add(r, r.resolve(topic, p.Partition, false, true), p.Offset, p.LeaderEpoch, p.Metadata)
		}
	}
	if s.known() && c.cluster.coordinator(sarama.CoordinatorGroup, req.GroupID) == c.broker {
		s.ended = c.cluster.groups.endedTxns(groupProducer{req.GroupID, req.ProducerID})
		if err := c.cluster.admitTxnOffsets(r, req); err != sarama.ErrNoError {
			for i := range s.partitions {
				if p := &s.partitions[i]; p.err == sarama.ErrNoError {
					p.err = err
				}
			}
		}
	}
	s.run(c, sarama.ErrIllegalGeneration)
	resp := &sarama.TxnOffsetCommitResponse{Topics: make(map[string][]*sarama.PartitionError)}
	for _, p := range s.partitions {
		resp.Topics[p.said] = append(resp.Topics[p.said], &sarama.PartitionError{Partition: p.at.Partition, Err: p.err})
	}
	return resp, nil
}

func (c *conn) offsetFetch(r *Request) (any, error) {
	req := r.Body.(*sarama.OffsetFetchRequest)
	resp := &sarama.OffsetFetchResponse{Groups: []sarama.OffsetFetchResponseGroup{}}
	for _, want := range bridge.OffsetsWantedOf(req) {
		found := c.fetchOffsets(r, &want, req.RequireStable)
		if r.Version >= offsetFetchBatches {
			resp.Groups = append(resp.Groups, found)
			continue
		}
		resp.Blocks, resp.Err = found.Blocks, found.Err
	}
	return resp, nil
}

// fetchOffsets looks one group's offsets up.
func (c *conn) fetchOffsets(r *Request, want *bridge.OffsetsWanted, stable bool) sarama.OffsetFetchResponseGroup {
	byID := r.Version >= offsetsByID
	found := sarama.OffsetFetchResponseGroup{GroupId: want.Group, Err: r.reply.Err}
	var g *group
	if found.Err == sarama.ErrNoError {
		var err error
		g, err = c.cluster.enter(c.broker, want.Group, false)
		if found.Err = codeOfGroup(err, sarama.ErrNoError); err == nil {
			defer g.leave()
			if g.mu.consumer != nil {
				found.Err = g.mu.consumer.mayFetch(want.MemberID, want.MemberEpoch)
			}
		}
	}
	if found.Err != sarama.ErrNoError {
		if r.Version < offsetFetchGroupError {
			for _, p := range want.Partitions {
				found.AddBlock(p.Topic, p.Partition, &sarama.OffsetFetchResponseBlock{Offset: -1, LeaderEpoch: -1, Err: found.Err})
			}
		}
		return found
	}
	partitions := want.Partitions
	if want.All && g != nil {
		for _, at := range g.mu.offsets.partitions() {
			name := at.Topic
			if byID {
				t := c.cluster.catalog.Load().topic(name)
				if t == nil {
					continue
				}
				name = t.id.String()
			}
			partitions = append(partitions, bridge.TopicPartition{Topic: name, Partition: at.Partition})
		}
	}
	for _, p := range partitions {
		n := r.resolve(p.Topic, p.Partition, byID, false)
		found.AddBlock(p.Topic, p.Partition, g.offsetBlock(n, stable))
	}
	return found
}

// offsetBlock is what is said of one partition's offset; the group may be nil.
func (g *group) offsetBlock(n namedByClient, stable bool) *sarama.OffsetFetchResponseBlock {
	block := &sarama.OffsetFetchResponseBlock{Offset: -1, LeaderEpoch: -1, Err: n.err}
	if g == nil || n.err != sarama.ErrNoError {
		return block
	}
	if stable && g.mu.offsets.unstable(n.at) {
		block.Err = sarama.ErrUnstableOffsetCommit
		return block
	}
	if o, ok := g.mu.offsets.committed[n.at]; ok {
		block.Offset, block.LeaderEpoch, block.Metadata = o.Offset, o.LeaderEpoch, o.Metadata
	}
	return block
}

func (c *conn) offsetDelete(r *Request) (any, error) {
	req := r.Body.(*sarama.DeleteOffsetsRequest)
	resp := &sarama.DeleteOffsetsResponse{ErrorCode: r.reply.Err}
	if resp.ErrorCode != sarama.ErrNoError {
		return resp, nil
	}
	g, err := c.cluster.enter(c.broker, req.Group, false)
	if err != nil {
		resp.ErrorCode = codeOfGroup(err, sarama.ErrGroupIDNotFound)
		return resp, nil
	}
	defer g.leave()
	if k := g.mu.classic; k != nil && k.phase != phaseEmpty && k.protocolType != consumerProtocolType {
		resp.ErrorCode = sarama.ErrNonEmptyGroup
		return resp, nil
	}
	for _, p := range bridge.OffsetsToDelete(req) {
		n := r.resolve(p.Topic, p.Partition, false, true)
		switch {
		case n.err != sarama.ErrNoError:
		case g.consumesLocked(p.Topic):
			n.err = sarama.ErrGroupSubscribedToTopic
		default:
			delete(g.mu.offsets.committed, n.at)
		}
		resp.AddError(p.Topic, p.Partition, n.err)
	}
	return resp, nil
}

// consumesLocked says whether a member consumes a topic, as far as is known.
func (g *group) consumesLocked(topic string) bool {
	if g.mu.consumer != nil {
		return g.mu.consumer.consumes(topic)
	}
	return g.mu.classic.consumes(topic)
}
