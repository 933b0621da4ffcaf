package fakekafka

import (
	"time"

	"github.com/IBM/sarama"
)

// The APIs of group coordinators.
const (
	OffsetCommit           API = 8
	OffsetFetch            API = 9
	JoinGroup              API = 11
	Heartbeat              API = 12
	LeaveGroup             API = 13
	SyncGroup              API = 14
	DescribeGroups         API = 15
	ListGroups             API = 16
	TxnOffsetCommit        API = 28
	DeleteGroups           API = 42
	OffsetDelete           API = 47
	ConsumerGroupHeartbeat API = 68
	ConsumerGroupDescribe  API = 69
)

func groupHandlerOf(a API) handler {
	switch a {
	case OffsetCommit:
		return (*conn).offsetCommit
	case OffsetFetch:
		return (*conn).offsetFetch
	case JoinGroup:
		return (*conn).joinGroup
	case Heartbeat:
		return (*conn).heartbeat
	case LeaveGroup:
		return (*conn).leaveGroup
	case SyncGroup:
		return (*conn).syncGroup
	case DescribeGroups:
		return (*conn).describeGroups
	case ListGroups:
		return (*conn).listGroups
	case DeleteGroups:
		return (*conn).deleteGroups
	case TxnOffsetCommit:
		return (*conn).txnOffsetCommit
	case ConsumerGroupHeartbeat:
		return (*conn).consumerGroupHeartbeat
	case ConsumerGroupDescribe:
		return (*conn).consumerGroupDescribe
	case OffsetDelete:
		return (*conn).offsetDelete
	}
	return nil
}

// newerGroups says whether an API is one of the newer protocol (KIP-848).
func (a API) newerGroups() bool { return a == ConsumerGroupHeartbeat || a == ConsumerGroupDescribe }

// joinGroup answers when the group's next generation begins.
func (c *conn) joinGroup(r *Request) (any, error) {
	req := r.Body.(*sarama.JoinGroupRequest)
	groups := &c.cluster.opts.Groups
	session := time.Duration(req.SessionTimeout) * time.Millisecond
	switch {
	case r.reply.Err != sarama.ErrNoError:
		return joinRefused(req.MemberId, r.reply.Err), nil
	case req.GroupId == "":
		return joinRefused(req.MemberId, sarama.ErrInvalidGroupId), nil
	case session < groups.SessionTimeoutMin || session > groups.SessionTimeoutMax:
		return joinRefused(req.MemberId, sarama.ErrInvalidSessionTimeout), nil
	}
	g, err := c.cluster.enter(c.broker, req.GroupId, req.MemberId == "")
	if err != nil {
		return joinRefused(req.MemberId, codeOfGroup(err, sarama.ErrUnknownMemberId)), nil
	}
	if !g.becomeClassicLocked() {
		g.leave()
		return joinRefused(req.MemberId, sarama.ErrInconsistentGroupProtocol), nil
	}
	j := newJoining(r, req)
	resp := g.mu.classic.join(j)
	g.leave()
	if resp != nil {
		return resp, nil
	}
	select {
	case resp := <-j.answer:
		return resp, nil
	case <-c.gone:
		return nil, errGone
	}
}

// syncGroup answers when the group's leader has handed in a plan.
func (c *conn) syncGroup(r *Request) (any, error) {
	req := r.Body.(*sarama.SyncGroupRequest)
	switch {
	case r.reply.Err != sarama.ErrNoError:
		return syncRefused(r.reply.Err), nil
	case r.Version >= syncNamesProtocol && (req.ProtocolType == nil || req.ProtocolName == nil):
		return syncRefused(sarama.ErrInconsistentGroupProtocol), nil
	case req.GroupId == "":
		return syncRefused(sarama.ErrInvalidGroupId), nil
	}
	g, err := c.cluster.enter(c.broker, req.GroupId, false)
	if err != nil {
		return syncRefused(codeOfGroup(err, sarama.ErrUnknownMemberId)), nil
	}
	if g.mu.classic == nil {
		g.leave()
		return syncRefused(sarama.ErrUnknownMemberId), nil
	}
	answer := make(chan *sarama.SyncGroupResponse, 1)
	resp := g.mu.classic.sync(req, answer)
	g.leave()
	if resp != nil {
		return resp, nil
	}
	select {
	case resp := <-answer:
		return resp, nil
	case <-c.gone:
		return nil, errGone
	}
}

// refusal is why a request about a group is refused without a look at it: the
// hooks say so, or it names no group.
func (r *Request) refusal(group string) sarama.KError {
	if r.reply.Err == sarama.ErrNoError && group == "" {
		return sarama.ErrInvalidGroupId
	}
	return r.reply.Err
}

func (c *conn) heartbeat(r *Request) (any, error) {
	req := r.Body.(*sarama.HeartbeatRequest)
	resp := &sarama.HeartbeatResponse{Err: r.refusal(req.GroupId)}
	if resp.Err != sarama.ErrNoError {
		return resp, nil
	}
	g, err := c.cluster.enter(c.broker, req.GroupId, false)
	if err != nil {
		resp.Err = codeOfGroup(err, sarama.ErrUnknownMemberId)
		return resp, nil
	}
	defer g.leave()
	if resp.Err = sarama.ErrUnknownMemberId; g.mu.classic != nil {
		resp.Err = g.mu.classic.heartbeat(req.MemberId, req.GroupInstanceId, req.GenerationId)
	}
	return resp, nil
}

func (c *conn) leaveGroup(r *Request) (any, error) {
	req := r.Body.(*sarama.LeaveGroupRequest)
	members := req.Members
	if r.Version < leaveNamesMembers {
		members = []sarama.MemberIdentity{{MemberId: req.MemberId}}
	}
	resp := &sarama.LeaveGroupResponse{Err: r.refusal(req.GroupId), Members: []sarama.MemberResponse{}}
	if resp.Err != sarama.ErrNoError {
		return resp, nil
	}
	g, err := c.cluster.enter(c.broker, req.GroupId, false)
	switch {
	case err != nil && err != errNoGroup:
		resp.Err = codeOfGroup(err, sarama.ErrUnknown)
		return resp, nil
	case err == nil && g.mu.classic != nil:
		resp.Members = append(resp.Members, g.mu.classic.leave(members)...)
	case err == nil && g.mu.consumer != nil:
		resp.Members = append(resp.Members, g.mu.consumer.expel(members)...)
	default:
		for _, m := range members {
			resp.Members = append(resp.Members, sarama.MemberResponse{
				MemberId: m.MemberId, GroupInstanceId: m.GroupInstanceId, Err: sarama.ErrUnknownMemberId,
			})
		}
	}
	if err == nil {
		g.leave()
	}
	if r.Version < leaveNamesMembers {
		resp.Err = resp.Members[0].Err
	}
	return resp, nil
}
