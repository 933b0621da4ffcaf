package kmsg_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// payload is what members of a group say to each other.
type payload interface {
	AppendTo(dst []byte) []byte
	ReadFrom(src []byte) error
}

// comparePayload fills, reads, compares and writes a payload of one version.
func comparePayload(t *testing.T, version int16, empty func() payload, read func(raw []byte) (any, error), write func(any) ([]byte, error)) {
	t.Helper()
	name := reflect.TypeOf(empty()).Elem().Name()
	filled := func(seed uint64, dense bool) (filled, want reflect.Value, raw []byte) {
		p, again := empty(), empty()
		v := reflect.ValueOf(p).Elem()
		newFiller(seed, dense).fields(v, name, false)
		v.FieldByName("Version").SetInt(int64(version))
		raw = p.AppendTo(nil)
		if err := again.ReadFrom(raw); err != nil {
			t.Fatal(err)
		}
		return v, reflect.ValueOf(again).Elem(), raw
	}
	present := make(presence)
	before, after, _ := filled(0, true)
	present.add(before, after, name, version)
	m := match{present: present, compared: make(map[string]int), touched: make(map[string]bool), unordered: make(map[string]bool)}
	for seed := range uint64(seeds) {
		_, want, raw := filled(seed, seed%8 == 0)
		body, err := read(raw)
		if err != nil {
			t.Fatalf("%s v%d, seed %d: this module reads: %v", name, version, seed, err)
		}
		if v := reflect.ValueOf(body).Elem().FieldByName("Version").Int(); v != int64(version) {
			t.Fatalf("%s v%d: this module reads version %d", name, version, v)
		}
		if m.structs(name, want, fieldsOf(reflect.ValueOf(body))); len(m.faults) > 0 {
			t.Fatalf("%s v%d, seed %d: reading:\n%s", name, version, seed, strings.Join(m.faults, "\n"))
		}
		back, err := write(body)
		if err != nil {
			t.Fatalf("%s v%d, seed %d: this module writes: %v", name, version, seed, err)
		}
		got := empty()
		if err := got.ReadFrom(back); err != nil {
			t.Fatalf("%s v%d, seed %d: kmsg reads what this module wrote: %v", name, version, seed, err)
		}
		m.sort(want, name)
		m.sort(reflect.ValueOf(got).Elem(), name)
		if diff := difference(want, reflect.ValueOf(got).Elem(), name); diff != "" {
			t.Fatalf("%s v%d, seed %d: writing: %s", name, version, seed, diff)
		}
	}
	t.Logf("%s v%d: %d leaves", name, version, len(m.compared))
}

func TestSubscriptionsMeanTheSameToKmsg(t *testing.T) {
	for version := range int16(4) {
		comparePayload(t, version, func() payload { p := kmsg.NewConsumerMemberMetadata(); return &p },
			func(raw []byte) (any, error) {
				list, err := (&sarama.JoinGroupResponse{Members: []sarama.GroupMember{{MemberId: "m", Metadata: raw}}}).GetMembers()
				m := list["m"]
				return &m, err
			},
			func(v any) ([]byte, error) {
				r := new(sarama.JoinGroupRequest)
				if err := r.AddGroupProtocolMetadata("p", v.(*sarama.ConsumerGroupMemberMetadata)); err != nil {
					return nil, err
				}
				return r.OrderedGroupProtocols[0].Metadata, nil
			})
	}
}

func TestAssignmentsMeanTheSameToKmsg(t *testing.T) {
	for version := range int16(3) {
		comparePayload(t, version, func() payload { p := kmsg.NewConsumerMemberAssignment(); return &p },
			func(raw []byte) (any, error) {
				return (&sarama.SyncGroupResponse{MemberAssignment: raw}).GetMemberAssignment()
			},
			func(v any) ([]byte, error) {
				r := new(sarama.SyncGroupRequest)
				if err := r.AddGroupAssignmentMember("m", v.(*sarama.ConsumerGroupMemberAssignment)); err != nil {
					return nil, err
				}
				return r.GroupAssignments[0].Assignment, nil
			})
	}
}
