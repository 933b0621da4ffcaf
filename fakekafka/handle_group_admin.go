package fakekafka

import (
	"fmt"
	"slices"
	"strings"

	"github.com/IBM/sarama"
)

const (
	describeSaysNoGroup = 6 // first version of DescribeGroups that answers GROUP_ID_NOT_FOUND (KIP-1043)
	listGroupsTypes     = 5
	listGroupsStates    = 4

	// What a client may do with a group where nothing restricts it, as bits
	// (KIP-430); 4.0 has added the last two.
	allOnGroup  = 1<<3 | 1<<6 | 1<<8
	allOnGroup4 = allOnGroup | 1<<10 | 1<<11
)

func (c *conn) groupOperations(asked bool) int32 {
	switch {
	case !asked:
		return notAsked
	case c.cluster.opts.Version.IsAtLeast(sarama.V4_0_0_0):
		return allOnGroup4
	}
	return allOnGroup
}

func (c *conn) describeGroups(r *Request) (any, error) {
	req := r.Body.(*sarama.DescribeGroupsRequest)
	resp := &sarama.DescribeGroupsResponse{Groups: []*sarama.GroupDescription{}}
	for _, id := range req.Groups {
		d := &sarama.GroupDescription{GroupId: id, Err: r.reply.Err, AuthorizedOperations: notAsked}
		resp.Groups = append(resp.Groups, d)
		if d.Err != sarama.ErrNoError {
			continue
		}
		g, err := c.cluster.enter(c.broker, id, false)
		why := ""
		switch {
		case err == errNoGroup:
			why = fmt.Sprintf("Group %s not found.", id)
		case err != nil:
			d.Err = codeOfGroup(err, sarama.ErrUnknown)
			continue
		case g.mu.classic == nil:
			why = fmt.Sprintf("Group %s is not a classic group.", id)
		default:
			g.mu.classic.describeTo(d)
		}
		if err == nil {
			g.leave()
		}
		if why != "" {
			if d.State = string(phaseDead); r.Version >= describeSaysNoGroup {
				d.Err, d.ErrorMessage = sarama.ErrGroupIDNotFound, &why
				continue
			}
		}
		d.AuthorizedOperations = c.groupOperations(req.IncludeAuthorizedOperations)
	}
	return resp, nil
}

// describeTo describes the group as an administrator sees it: what members said
// only while it is stable, and so, before 4.0, what they were given.
func (k *classicGroup) describeTo(d *sarama.GroupDescription) {
	showsAssignment := k.phase == phaseStable || k.group.cluster.opts.Version.IsAtLeast(sarama.V4_0_0_0)
	d.State, d.ProtocolType = string(k.phase), k.protocolType
	d.Members = make(map[string]*sarama.GroupMemberDescription, len(k.members))
	stable := k.phase == phaseStable
	if stable {
		d.Protocol = k.protocol
	}
	for _, m := range k.members {
		o := &sarama.GroupMemberDescription{
			MemberId: m.id, GroupInstanceId: m.instance, ClientId: m.clientID, ClientHost: m.clientHost,
			MemberMetadata: []byte{}, MemberAssignment: []byte{},
		}
		if showsAssignment {
			o.MemberAssignment = orEmpty(m.assignment)
		}
		if stable {
			o.MemberMetadata = orEmpty(m.metadata(k.protocol))
		}
		d.Members[m.id] = o
	}
}

// kind is what ListGroups says of a group.
func (g *group) kindLocked() (kind GroupType, protocolType, state string) {
	if k := g.mu.consumer; k != nil {
		return GroupConsumer, consumerProtocolType, k.state()
	}
	return GroupClassic, g.mu.classic.protocolType, string(g.mu.classic.phase)
}

// listGroups lists the groups that this broker coordinates.
func (c *conn) listGroups(r *Request) (any, error) {
	req := r.Body.(*sarama.ListGroupsRequest)
	resp := &sarama.ListGroupsResponse{Err: r.reply.Err, Groups: make(map[string]string), GroupsData: make(map[string]sarama.GroupData)}
	if resp.Err != sarama.ErrNoError {
		return resp, nil
	}
	wanted := func(filter []string, s string) bool {
		return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, s) })
	}
	for _, known := range c.cluster.groups.all() {
		g, err := c.cluster.enter(c.broker, known.id, false)
		if err == sarama.ErrOffsetsLoadInProgress {
			return &sarama.ListGroupsResponse{Err: sarama.ErrOffsetsLoadInProgress}, nil
		}
		if err != nil {
			continue
		}
		kind, protocolType, state := g.kindLocked()
		g.leave()
		if r.Version >= listGroupsStates && !wanted(req.StatesFilter, state) || r.Version >= listGroupsTypes && !wanted(req.TypesFilter, string(kind)) {
			continue
		}
		resp.Groups[g.id], resp.GroupsData[g.id] = protocolType, sarama.GroupData{GroupState: state, GroupType: string(kind)}
	}
	return resp, nil
}

func (c *conn) deleteGroups(r *Request) (any, error) {
	req := r.Body.(*sarama.DeleteGroupsRequest)
	resp := &sarama.DeleteGroupsResponse{GroupErrorCodes: make(map[string]sarama.KError)}
	for _, id := range req.Groups {
		if _, again := resp.GroupErrorCodes[id]; again {
			continue
		}
		resp.GroupErrorCodes[id] = r.reply.Err
		if r.reply.Err != sarama.ErrNoError {
			continue
		}
		g, err := c.cluster.enter(c.broker, id, false)
		if err != nil {
			resp.GroupErrorCodes[id] = codeOfGroup(err, sarama.ErrGroupIDNotFound)
			continue
		}
		if _, _, state := g.kindLocked(); state == string(phaseEmpty) {
			g.removeLocked()
		} else {
			resp.GroupErrorCodes[id] = sarama.ErrNonEmptyGroup
		}
		g.leave()
	}
	return resp, nil
}
