package main

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// member is one of a group, as its coordinator knows it.
type member struct {
	group, id  string
	generation int32
	instance   *string
}

// groups walks through the life of a group as often as the API with the most
// versions has some, each round with the next version of every API.
func (l *lab) groups(topic [16]byte) {
	n := l.rounds(kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.LeaveGroup, kmsg.OffsetCommit, kmsg.OffsetFetch,
		kmsg.DescribeGroups, kmsg.ListGroups, kmsg.DeleteGroups, kmsg.OffsetDelete)
	for i := range n {
		if err := l.groupRound(i, topic); err != nil {
			logRound("group", i, err)
		}
	}
}

func (l *lab) groupRound(i int, topic [16]byte) error {
	m := member{group: fmt.Sprintf("golden-group-%d", i)}
	if i%2 == 1 && l.nth(kmsg.JoinGroup, i) >= 5 {
		name := "golden-instance"
		m.instance = &name
	}
	if err := l.join(i, &m); err != nil {
		return err
	}
	for _, f := range []func(int, member, [16]byte) error{l.sync, l.beat, l.commit, l.describe, l.leave, l.deleteGroup} {
		if err := f(i, m, topic); err != nil {
			return err
		}
	}
	return nil
}

// join enters the group; from version 4 on the coordinator first gives an id.
func (l *lab) join(i int, m *member) error {
	metadata := kmsg.NewConsumerMemberMetadata()
	metadata.Version, metadata.Topics = 1, []string{goldenTopic}
	for {
		r := kmsg.NewPtrJoinGroupRequest()
		r.Group, r.MemberID, r.InstanceID, r.ProtocolType = m.group, m.id, m.instance, "consumer"
		r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 10000, 10000
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = "range", metadata.AppendTo(nil)
		r.Protocols = []kmsg.JoinGroupRequestProtocol{p}
		reason := "golden"
		r.Reason = &reason
		resp, err := step[*kmsg.JoinGroupResponse](l, i, r)
		if err != nil {
			return err
		}
		const memberIDRequired = 79
		switch {
		case resp.ErrorCode == 0:
			m.id, m.generation = resp.MemberID, resp.Generation
			return nil
		case resp.ErrorCode == memberIDRequired:
			m.id = resp.MemberID
		case !retriable(resp.ErrorCode):
			return fmt.Errorf("JoinGroup: error %d", resp.ErrorCode)
		default:
			if err := l.pause(); err != nil {
				return err
			}
		}
	}
}

func (l *lab) pause() error {
	select {
	case <-l.ctx.Done():
		return l.ctx.Err()
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}

func (l *lab) sync(i int, m member, _ [16]byte) error {
	assignment := kmsg.NewConsumerMemberAssignment()
	t := kmsg.NewConsumerMemberAssignmentTopic()
	t.Topic, t.Partitions = goldenTopic, []int32{0, 1}
	assignment.Topics = []kmsg.ConsumerMemberAssignmentTopic{t}
	for _, generation := range []int32{m.generation + 5, m.generation} {
		r := kmsg.NewPtrSyncGroupRequest()
		r.Group, r.Generation, r.MemberID, r.InstanceID = m.group, generation, m.id, m.instance
		kind, protocol := "consumer", "range"
		r.ProtocolType, r.Protocol = &kind, &protocol
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = m.id, assignment.AppendTo(nil)
		r.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{a}
		if _, err := step[*kmsg.SyncGroupResponse](l, i, r); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) beat(i int, m member, _ [16]byte) error {
	for _, id := range []string{m.id, "golden-stranger"} {
		r := kmsg.NewPtrHeartbeatRequest()
		r.Group, r.Generation, r.MemberID = m.group, m.generation, id
		if id == m.id {
			r.InstanceID = m.instance
		}
		if _, err := step[*kmsg.HeartbeatResponse](l, i, r); err != nil {
			return err
		}
	}
	return nil
}

// commit commits and fetches offsets, of a partition that there is and of one
// that there is not.
func (l *lab) commit(i int, m member, topic [16]byte) error {
	for _, partition := range []int32{0, 7} {
		metadata := "golden"
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Partition, part.Offset, part.LeaderEpoch, part.Metadata = partition, 2, 0, &metadata
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic, t.TopicID, t.Partitions = goldenTopic, topic, []kmsg.OffsetCommitRequestTopicPartition{part}
		r := kmsg.NewPtrOffsetCommitRequest()
		r.Group, r.Generation, r.MemberID, r.InstanceID = m.group, m.generation, m.id, m.instance
		r.Topics = []kmsg.OffsetCommitRequestTopic{t}
		if _, err := step[*kmsg.OffsetCommitResponse](l, i, r); err != nil {
			return err
		}
	}
	for _, all := range []bool{false, true} {
		r := kmsg.NewPtrOffsetFetchRequest()
		g := kmsg.NewOffsetFetchRequestGroup()
		r.Group, g.Group = m.group, m.group
		if !all || l.nth(kmsg.OffsetFetch, i) < 2 {
			r.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: goldenTopic, Partitions: []int32{0, 1}}}
			t := kmsg.NewOffsetFetchRequestGroupTopic()
			t.Topic, t.TopicID, t.Partitions = goldenTopic, topic, []int32{0, 1}
			g.Topics = []kmsg.OffsetFetchRequestGroupTopic{t}
		}
		r.Groups = []kmsg.OffsetFetchRequestGroup{g}
		if _, err := step[*kmsg.OffsetFetchResponse](l, i, r); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) describe(i int, m member, _ [16]byte) error {
	r := kmsg.NewPtrDescribeGroupsRequest()
	r.Groups, r.IncludeAuthorizedOperations = []string{m.group, "golden-no-group"}, true
	if _, err := step[*kmsg.DescribeGroupsResponse](l, i, r); err != nil {
		return err
	}
	list := kmsg.NewPtrListGroupsRequest()
	list.StatesFilter = []string{"Stable"}
	_, err := step[*kmsg.ListGroupsResponse](l, i, list)
	return err
}

func (l *lab) leave(i int, m member, _ [16]byte) error {
	reason := "golden"
	for _, id := range []string{"golden-stranger", m.id} {
		r := kmsg.NewPtrLeaveGroupRequest()
		r.Group, r.MemberID = m.group, id
		who := kmsg.NewLeaveGroupRequestMember()
		who.MemberID, who.Reason = id, &reason
		if id == m.id {
			who.InstanceID = m.instance
		}
		r.Members = []kmsg.LeaveGroupRequestMember{who}
		if _, err := step[*kmsg.LeaveGroupResponse](l, i, r); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) deleteGroup(i int, m member, _ [16]byte) error {
	r := kmsg.NewPtrOffsetDeleteRequest()
	t := kmsg.NewOffsetDeleteRequestTopic()
	t.Topic, t.Partitions = goldenTopic, []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}, {Partition: 7}}
	r.Group, r.Topics = m.group, []kmsg.OffsetDeleteRequestTopic{t}
	if _, err := step[*kmsg.OffsetDeleteResponse](l, i, r); err != nil {
		return err
	}
	d := kmsg.NewPtrDeleteGroupsRequest()
	d.Groups = []string{m.group, "golden-no-group"}
	_, err := step[*kmsg.DeleteGroupsResponse](l, i, d)
	return err
}

// transactions walks through one that ends and one that goes wrong, each round
// with the next version of every API.
func (l *lab) transactions(topic [16]byte) {
	n := l.rounds(kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn)
	for i := range n {
		if err := l.transactionRound(i, topic); err != nil {
			logRound("transaction", i, err)
		}
	}
}

func (l *lab) transactionRound(i int, topic [16]byte) error {
	txn := fmt.Sprintf("golden-txn-%d", i)
	p, err := l.newProducer(&txn, l.nth(kmsg.InitProducerID, i))
	if err != nil {
		return err
	}
	stranger := p
	stranger.epoch += 7
	for _, who := range []producer{stranger, p} {
		if err := l.addToTransaction(i, txn, who, topic); err != nil {
			return err
		}
	}
	if _, err := l.call(produceRequestOf(txn, p, topic), l.nth(kmsg.Produce, i+3)); err != nil {
		return err
	}
	for _, who := range []producer{stranger, p} {
		r := kmsg.NewPtrEndTxnRequest()
		r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Commit = txn, who.id, who.epoch, i%2 == 0
		if _, err := step[*kmsg.EndTxnResponse](l, i, r); err != nil {
			return err
		}
	}
	return nil
}

func produceRequestOf(txn string, p producer, topic [16]byte) *kmsg.ProduceRequest {
	r := produceRequest(goldenTopic, topic, 1, recordBatch(p))
	r.TransactionID = &txn
	return r
}

func (l *lab) addToTransaction(i int, txn string, p producer, topic [16]byte) error {
	group := "golden-txn-group"
	add := kmsg.NewPtrAddPartitionsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch = txn, p.id, p.epoch
	add.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: goldenTopic, Partitions: []int32{0, 1}}}
	t := kmsg.NewAddPartitionsToTxnRequestTransaction()
	t.TransactionalID, t.ProducerID, t.ProducerEpoch = txn, p.id, p.epoch
	t.Topics = []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: goldenTopic, Partitions: []int32{0, 1}}}
	add.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{t}
	if _, err := step[*kmsg.AddPartitionsToTxnResponse](l, i, add); err != nil {
		return err
	}
	offsets := kmsg.NewPtrAddOffsetsToTxnRequest()
	offsets.TransactionalID, offsets.ProducerID, offsets.ProducerEpoch, offsets.Group = txn, p.id, p.epoch, group
	if _, err := step[*kmsg.AddOffsetsToTxnResponse](l, i, offsets); err != nil {
		return err
	}
	metadata := "golden"
	part := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	part.Partition, part.Offset, part.Metadata = 0, 2, &metadata
	of := kmsg.NewTxnOffsetCommitRequestTopic()
	of.Topic, of.TopicID, of.Partitions = goldenTopic, topic, []kmsg.TxnOffsetCommitRequestTopicPartition{part}
	commit := kmsg.NewPtrTxnOffsetCommitRequest()
	commit.TransactionalID, commit.Group, commit.ProducerID, commit.ProducerEpoch = txn, group, p.id, p.epoch
	commit.Generation, commit.Topics = -1, []kmsg.TxnOffsetCommitRequestTopic{of}
	_, err := step[*kmsg.TxnOffsetCommitResponse](l, i, commit)
	return err
}

// consumerGroups walks through the life of a group of KIP-848.
func (l *lab) consumerGroups() {
	const group = "golden-consumer-group"
	l.each(kmsg.ConsumerGroupHeartbeat, func(v int16) error {
		beat := func(id string, epoch int32, topics []string) (*kmsg.ConsumerGroupHeartbeatResponse, error) {
			r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
			r.Group, r.MemberID, r.MemberEpoch, r.SubscribedTopicNames = group, id, epoch, topics
			if epoch == 0 {
				r.RebalanceTimeoutMillis, r.Topics = 10000, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			}
			resp, err := l.call(r, v)
			if err != nil {
				return nil, err
			}
			return resp.(*kmsg.ConsumerGroupHeartbeatResponse), nil
		}
		id := ""
		if v > 0 {
			id = "AQIDBAUGBwgJCgsMDQ4PEA"
		}
		joined, err := beat(id, 0, []string{goldenTopic})
		if err != nil {
			return err
		}
		if joined.MemberID != nil {
			id = *joined.MemberID
		}
		if _, err := beat(id, joined.MemberEpoch, nil); err != nil {
			return err
		}
		if _, err := beat("golden-stranger", 3, nil); err != nil {
			return err
		}
		l.all(kmsg.ConsumerGroupDescribe, func(int16) kmsg.Request {
			r := kmsg.NewPtrConsumerGroupDescribeRequest()
			r.Groups, r.IncludeAuthorizedOperations = []string{group, "golden-no-group"}, true
			return r
		})
		_, err = beat(id, -1, nil)
		return err
	})
}
