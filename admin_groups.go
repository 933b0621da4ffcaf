package sarama

import (
	"errors"
	"fmt"
)

// GroupListing is a group as its coordinator lists it.
type GroupListing struct {
	GroupID string
	// ProtocolType is "consumer" for consumers of either protocol.
	ProtocolType string
	// State, such as "Stable", from Kafka 2.6 on.
	State string
	// Type is "classic", "consumer" (KIP-848), "share" or "streams", from Kafka
	// 3.8 on.
	Type string
	// Coordinator is the id of the broker.
	Coordinator int32
}

// ListGroupsOptions limit ListGroups; empty lists match all.
type ListGroupsOptions struct {
	States []string // needs Kafka 2.6
	Types  []string // needs Kafka 3.8
}

// GroupClusterAdmin is what a ClusterAdmin of this package also is: it tells the
// groups of the classic protocol from those of the newer one (KIP-848).
type GroupClusterAdmin interface {
	ClusterAdmin

	// ListGroups lists groups with their states and types, sorted by id. With an
	// error, it has those of the brokers that answered.
	ListGroups(options ListGroupsOptions) ([]GroupListing, error)

	// DescribeConsumerProtocolGroups describes groups of the newer protocol, with
	// the epochs, subscriptions and both assignments of their members; needs
	// Kafka 3.7. The error of a group is in its description; it is
	// ErrGroupIDNotFound for one of the classic protocol.
	DescribeConsumerProtocolGroups(groups []string) ([]ConsumerGroupDescription, error)
}

func (a *clusterAdmin) ListConsumerGroups() (map[string]string, error) {
	list, err := a.ListGroups(ListGroupsOptions{})
	groups := make(map[string]string, len(list))
	for _, g := range list {
		groups[g.GroupID] = g.ProtocolType
	}
	return groups, err
}

func (a *clusterAdmin) ListGroups(options ListGroupsOptions) ([]GroupListing, error) {
	listed := make(map[string]GroupListing)
	var failed []error
	for _, s := range allAtOnce(a.allBrokers(), func(id int32) (*ListGroupsResponse, error) {
		to := a.oneBroker(id)
		to.moved = coordinatorMoved // while it loads
		return adminCall(a, to, func(b *Broker) (*ListGroupsResponse, error) {
			resp, err := b.ListGroups(&ListGroupsRequest{
				Version: apiListGroups.versionFor(a.conf.Version), StatesFilter: options.States, TypesFilter: options.Types,
			})
			if err != nil {
				return nil, err
			}
			return resp, codeOnly(resp.Err)
		})
	}) {
		if s.err != nil {
			failed = append(failed, fmt.Errorf("list groups on broker %d: %w", s.key, s.err))
		}
		if s.result == nil {
			continue
		}
		for id, protocol := range s.result.Groups {
			more := s.result.GroupsData[id]
			listed[id] = GroupListing{id, protocol, more.GroupState, more.GroupType, s.key}
		}
	}
	list := make([]GroupListing, 0, len(listed))
	for _, id := range sortedKeys(listed) {
		list = append(list, listed[id])
	}
	return list, errors.Join(failed...)
}

func (a *clusterAdmin) DescribeConsumerGroups(groups []string) ([]*GroupDescription, error) {
	answers, failed := askShards(a, a.groupCoordinators(), groups, func(b *Broker, ids []string) (map[string]shardAnswer[*GroupDescription], error) {
		resp, err := b.DescribeGroups(&DescribeGroupsRequest{Version: apiDescribeGroups.versionFor(a.conf.Version), Groups: ids})
		if err != nil {
			return nil, err
		}
		answers := make(map[string]shardAnswer[*GroupDescription], len(ids))
		for _, g := range resp.Groups {
			answers[g.GroupId] = told(g, g.Err)
		}
		return answers, nil
	})
	newer := a.describeUnknownGroups(groups, answers)
	var list []*GroupDescription
	for _, id := range groups {
		if g := newer[id]; g != nil {
			list = append(list, g)
		} else if answer := answers[id]; answer.told {
			list = append(list, answer.value)
		}
	}
	if err := unanswered(failed, groups, answers, quoted); err != nil {
		return list, fmt.Errorf("describe groups: %w", err)
	}
	return list, nil
}

// describeUnknownGroups describes the groups of the newer protocol among those
// that brokers do not know as classic ones. That there are none is no error.
func (a *clusterAdmin) describeUnknownGroups(groups []string, answers map[string]shardAnswer[*GroupDescription]) map[string]*GroupDescription {
	if !a.conf.Version.IsAtLeast(V4_0_0_0) {
		return nil
	}
	var unknown []string
	for _, id := range groups {
		if g := answers[id].value; g != nil && (g.Err == ErrGroupIDNotFound || g.Err == ErrNoError && g.State == "Dead") {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	of := a.groupCoordinators()
	of.once = true // most likely they do not exist, and not every broker can say
	found, err := a.describeConsumerProtocolGroups(of, unknown)
	if err != nil {
		Logger.Printf("admin/request %d groups may be of the newer protocol: %v\n", len(unknown), err)
	}
	newer := make(map[string]*GroupDescription, len(found))
	for i := range found {
		if found[i].ErrorCode == ErrNoError {
			newer[found[i].GroupID] = found[i].classic()
		}
	}
	return newer
}

func (a *clusterAdmin) DescribeConsumerProtocolGroups(groups []string) ([]ConsumerGroupDescription, error) {
	return a.describeConsumerProtocolGroups(a.groupCoordinators(), groups)
}

func (a *clusterAdmin) describeConsumerProtocolGroups(of shards[string], groups []string) ([]ConsumerGroupDescription, error) {
	answers, failed := askShards(a, of, groups, func(b *Broker, ids []string) (map[string]shardAnswer[ConsumerGroupDescription], error) {
		req := NewConsumerGroupDescribeRequest(a.conf.Version)
		req.GroupIDs = ids
		resp, err := b.ConsumerGroupDescribe(req)
		if err != nil {
			return nil, err
		}
		answers := make(map[string]shardAnswer[ConsumerGroupDescription], len(ids))
		for _, g := range resp.Groups {
			answers[g.GroupID] = told(g, g.ErrorCode)
		}
		return answers, nil
	})
	var list []ConsumerGroupDescription
	for _, id := range groups {
		if answer := answers[id]; answer.told {
			list = append(list, answer.value)
		}
	}
	if err := unanswered(failed, groups, answers, quoted); err != nil {
		return list, fmt.Errorf("describe groups: %w", err)
	}
	return list, nil
}

// classic puts a description into the form that groups of the classic protocol
// have: what members subscribe to and what they have is encoded as they would
// encode it.
func (g *ConsumerGroupDescription) classic() *GroupDescription {
	d := &GroupDescription{
		Err: g.ErrorCode, ErrorCode: int16(g.ErrorCode), ErrorMessage: g.ErrorMessage, GroupId: g.GroupID, State: g.GroupState,
		ProtocolType: groupProtocolType, Protocol: g.AssignorName, AuthorizedOperations: g.AuthorizedOperations,
		Members: make(map[string]*GroupMemberDescription, len(g.Members)),
	}
	for _, m := range g.Members {
		member := &GroupMemberDescription{MemberId: m.MemberID, GroupInstanceId: m.InstanceID, ClientId: m.ClientID, ClientHost: m.ClientHost}
		assigned := make(map[string][]int32)
		for _, t := range m.Assignment.TopicPartitions {
			assigned[t.TopicName] = append(assigned[t.TopicName], t.Partitions...)
		}
		// Neither can fail but for names longer than a broker can have.
		member.MemberMetadata, _ = encodeMemberMetadata(&ConsumerGroupMemberMetadata{Topics: m.SubscribedTopicNames})
		member.MemberAssignment, _ = encodeMemberAssignment(&ConsumerGroupMemberAssignment{Topics: assigned})
		d.Members[m.MemberID] = member
	}
	return d
}

func (a *clusterAdmin) DeleteConsumerGroup(group string) error {
	return a.do(a.groupCoordinator(group), func(b *Broker) error {
		resp, err := b.DeleteGroups(&DeleteGroupsRequest{Version: apiDeleteGroups.versionFor(a.conf.Version), Groups: []string{group}})
		if err != nil {
			return err
		}
		code, ok := resp.GroupErrorCodes[group]
		if !ok {
			return ErrIncompleteResponse
		}
		return codeOnly(code)
	})
}

func (a *clusterAdmin) RemoveMemberFromConsumerGroup(groupId string, groupInstanceIds []string) (*LeaveGroupResponse, error) {
	if !a.conf.Version.IsAtLeast(V2_4_0_0) {
		return nil, ConfigurationError("removing static members from a group requires Version >= V2_4_0_0")
	}
	return adminCall(a, a.groupCoordinator(groupId), func(b *Broker) (*LeaveGroupResponse, error) {
		req := &LeaveGroupRequest{Version: leaveGroupHasMembers, GroupId: groupId}
		for _, id := range groupInstanceIds {
			req.Members = append(req.Members, MemberIdentity{GroupInstanceId: &id})
		}
		resp, err := b.LeaveGroup(req)
		if err != nil {
			return nil, err
		}
		return resp, codeOnly(resp.Err)
	})
}
