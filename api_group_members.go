package sarama

import "fmt"

// What the coordinator passes on between the members of a group without
// looking into it, as members see it.

// AddGroupProtocolMetadata offers a strategy; those that are added first are
// preferred.
func (r *JoinGroupRequest) AddGroupProtocolMetadata(name string, metadata *ConsumerGroupMemberMetadata) error {
	raw, err := encodeMemberMetadata(metadata)
	if err != nil {
		return err
	}
	r.AddGroupProtocol(name, raw)
	return nil
}

// GetMembers reads what all members have said of themselves, by member id.
func (r *JoinGroupResponse) GetMembers() (map[string]ConsumerGroupMemberMetadata, error) {
	members := make(map[string]ConsumerGroupMemberMetadata, len(r.Members))
	for _, m := range r.Members {
		metadata, err := decodeMemberMetadata(m.Metadata)
		if err != nil {
			return nil, fmt.Errorf("what member %s says: %w", m.MemberId, err)
		}
		members[m.MemberId] = *metadata
	}
	return members, nil
}

// AddGroupAssignmentMember adds a member's part of the plan.
func (r *SyncGroupRequest) AddGroupAssignmentMember(memberId string, memberAssignment *ConsumerGroupMemberAssignment) error {
	raw, err := encodeMemberAssignment(memberAssignment)
	if err != nil {
		return err
	}
	r.AddGroupAssignment(memberId, raw)
	return nil
}

// GetMemberAssignment reads the member's part of the plan, which is empty where
// there is none.
func (r *SyncGroupResponse) GetMemberAssignment() (*ConsumerGroupMemberAssignment, error) {
	return decodeMemberAssignment(r.MemberAssignment)
}

// GetMemberAssignment reads the member's part of the plan, nil where there is
// none.
func (m *GroupMemberDescription) GetMemberAssignment() (*ConsumerGroupMemberAssignment, error) {
	if len(m.MemberAssignment) == 0 {
		return nil, nil
	}
	return decodeMemberAssignment(m.MemberAssignment)
}

// GetMemberMetadata reads what the member has said of itself, nil where there
// is nothing.
func (m *GroupMemberDescription) GetMemberMetadata() (*ConsumerGroupMemberMetadata, error) {
	if len(m.MemberMetadata) == 0 {
		return nil, nil
	}
	return decodeMemberMetadata(m.MemberMetadata)
}
