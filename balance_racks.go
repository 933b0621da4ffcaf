package sarama

import "slices"

// RackAwareBalanceStrategy is a strategy that gives partitions to members in
// the rack of a replica where that makes the plan no less even (KIP-881). Of
// the strategies here range, sticky and cooperative-sticky are.
type RackAwareBalanceStrategy interface {
	BalanceStrategy

	// PlanWithRacks is Plan with the racks of each partition's replicas: topic,
	// partition, racks. Members say where they are in RackID. Partitions that
	// racks leaves out are in none.
	PlanWithRacks(members map[string]ConsumerGroupMemberMetadata, topics map[string][]int32,
		racks map[string]map[int32][]string) (BalanceStrategyPlan, error)
}

// rackMap is where members and partitions, which are numbers here, are.
type rackMap struct {
	members    []string   // empty for members that do not say
	partitions [][]string // each sorted, without repetition
	matter     bool       // they can make a plan better
}

// newRackMap makes the map of members and partitions, whose lists it sorts.
func newRackMap(members []string, partitions [][]string) *rackMap {
	var all []string
	for p, racks := range partitions {
		racks = slices.Compact(slices.Sorted(slices.Values(racks)))
		racks = slices.DeleteFunc(racks, func(rack string) bool { return rack == "" })
		partitions[p] = racks
		for _, rack := range racks {
			if i, ok := slices.BinarySearch(all, rack); !ok {
				all = slices.Insert(all, i, rack)
			}
		}
	}
	someNear := slices.ContainsFunc(members, func(rack string) bool {
		_, ok := slices.BinarySearch(all, rack)
		return ok
	})
	someFar := slices.ContainsFunc(partitions, func(racks []string) bool { return len(racks) < len(all) })
	return &rackMap{members, partitions, someNear && someFar}
}

// near tells whether member m is known to be in a rack of partition p.
func (r *rackMap) near(m, p int) bool {
	return slices.Contains(r.partitions[p], r.members[m])
}

// far tells whether member m is known to be in another rack than partition p.
// Nobody is far from anything where there is no map.
func (r *rackMap) far(m, p int) bool {
	return r != nil && r.members[m] != "" && !slices.Contains(r.partitions[p], r.members[m])
}

// nearby returns how many members are near each partition.
func (r *rackMap) nearby() []int {
	count := make(map[string]int)
	for _, rack := range r.members {
		count[rack]++
	}
	nearby := make([]int, len(r.partitions))
	for p, racks := range r.partitions {
		for _, rack := range racks {
			nearby[p] += count[rack]
		}
	}
	return nearby
}

// rackOf is the rack of a member, empty where it does not say.
func rackOf(m ConsumerGroupMemberMetadata) string {
	if m.RackID == nil {
		return ""
	}
	return *m.RackID
}
