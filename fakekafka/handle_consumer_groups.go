package fakekafka

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/IBM/sarama"
)

// beatMakesMemberID is the first version of ConsumerGroupHeartbeat in which
// members make their own ids.
const beatMakesMemberID = 1

// checkHeartbeat says what is wrong with a heartbeat as such, nil for nothing.
func checkHeartbeat(r *Request, req *sarama.ConsumerGroupHeartbeatRequest) *sarama.ConsumerGroupHeartbeatResponse {
	empty := func(s *string) bool { return s != nil && *s == "" }
	why := ""
	switch {
	case req.GroupID == "":
		why = "GroupId is empty"
	case empty(req.InstanceID):
		why = "InstanceId is empty"
	case empty(req.RackID):
		why = "RackId is empty"
	case req.MemberID == "" && (r.Version >= beatMakesMemberID || req.MemberEpoch != epochJoin):
		why = "MemberId is empty"
	case req.MemberEpoch < epochLeaveStatic:
		why = "MemberEpoch is not valid"
	case req.MemberEpoch == epochLeaveStatic && req.InstanceID == nil:
		why = "InstanceId is null"
	case req.MemberEpoch != epochJoin:
	case req.RebalanceTimeoutMs == -1:
		why = "RebalanceTimeoutMs is needed to join"
	case req.TopicPartitions == nil || len(req.TopicPartitions) > 0:
		why = "TopicPartitions has to be empty to join"
	case req.SubscribedTopicNames == nil && req.SubscribedTopicRegex == nil:
		why = "a subscription is needed to join"
	}
	if why != "" {
		return beatRefused(sarama.ErrInvalidRequest, why)
	}
	if a := req.ServerAssignor; a != nil && !slices.Contains(assignors, *a) {
		return beatRefused(sarama.ErrUnsupportedAssignor, fmt.Sprintf("assignor %s is none of %v", *a, assignors))
	}
	return nil
}

// consumerGroupHeartbeat is all that members of the newer protocol send.
func (c *conn) consumerGroupHeartbeat(r *Request) (any, error) {
	req := r.Body.(*sarama.ConsumerGroupHeartbeatRequest)
	if r.reply.Err != sarama.ErrNoError {
		return beatRefused(r.reply.Err, r.reply.Err.Error()), nil
	}
	if resp := checkHeartbeat(r, req); resp != nil {
		return resp, nil
	}
	b := &beating{request: req, clientID: r.ClientID, clientHost: r.clientHost()}
	if req.TopicPartitions != nil {
		b.owned = setOf(req.TopicPartitions)
	}
	if regex := deref(req.SubscribedTopicRegex); regex != "" {
		var err error
		// A topic is meant whose whole name matches.
		if b.pattern, err = regexp.Compile("^(?:" + regex + ")$"); err != nil {
			return beatRefused(sarama.ErrInvalidRegularExpression, err.Error()), nil
		}
	}
	g, err := c.cluster.enter(c.broker, req.GroupID, req.MemberEpoch == epochJoin)
	if err != nil {
		code := codeOfGroup(err, sarama.ErrGroupIDNotFound)
		return beatRefused(code, code.Error()), nil
	}
	defer g.leave()
	switch {
	case g.mu.consumer == nil && (req.MemberEpoch != epochJoin || !g.becomeConsumerLocked()):
		return beatRefused(sarama.ErrGroupIDNotFound, "the group is one of the classic protocol"), nil
	case req.MemberEpoch < epochJoin:
		return g.mu.consumer.leave(req), nil
	}
	return g.mu.consumer.heartbeat(b), nil
}

func (c *conn) consumerGroupDescribe(r *Request) (any, error) {
	req := r.Body.(*sarama.ConsumerGroupDescribeRequest)
	resp := &sarama.ConsumerGroupDescribeResponse{Groups: []sarama.ConsumerGroupDescription{}}
	for _, id := range req.GroupIDs {
		d := sarama.ConsumerGroupDescription{GroupID: id, ErrorCode: r.reply.Err, AuthorizedOperations: notAsked}
		if d.ErrorCode == sarama.ErrNoError {
			c.describeConsumerGroup(&d, req.IncludeAuthorizedOperations)
		}
		resp.Groups = append(resp.Groups, d)
	}
	return resp, nil
}

func (c *conn) describeConsumerGroup(d *sarama.ConsumerGroupDescription, operations bool) {
	refuse := func(code sarama.KError, why string) { d.ErrorCode, d.ErrorMessage = code, &why }
	if d.GroupID == "" {
		refuse(sarama.ErrInvalidGroupId, "the group id is empty")
		return
	}
	g, err := c.cluster.enter(c.broker, d.GroupID, false)
	if err != nil {
		refuse(codeOfGroup(err, sarama.ErrGroupIDNotFound), fmt.Sprintf("Group %s not found.", d.GroupID))
		return
	}
	defer g.leave()
	k := g.mu.consumer
	if k == nil {
		refuse(sarama.ErrGroupIDNotFound, fmt.Sprintf("Group %s is not a consumer group.", d.GroupID))
		return
	}
	topics := c.cluster.catalog.Load()
	d.GroupState, d.GroupEpoch, d.AssignmentEpoch, d.AssignorName = k.state(), k.epoch, k.assignmentEpoch, k.preferred()
	d.AuthorizedOperations = c.groupOperations(operations)
	for _, m := range k.members {
		has := maps.Clone(m.assigned)
		maps.Copy(has, m.revoking)
		o := sarama.ConsumerGroupMemberDescription{
			MemberID: m.id, InstanceID: m.instance, RackID: m.rack, MemberEpoch: m.epoch, ClientID: m.clientID, ClientHost: m.clientHost,
			SubscribedTopicNames: append([]string{}, m.topics...),
			SubscribedTopicRegex: &m.regex,
			Assignment:           *has.onWire(topics), TargetAssignment: *k.plan[m.id].onWire(topics), MemberType: 1,
		}
		d.Members = append(d.Members, o)
	}
}
