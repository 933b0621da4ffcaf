package sarama

import (
	"cmp"
	"slices"
)

// unlikePlan divides partitions among members whose subscriptions differ. It
// deals out what nobody owns to who has the fewest, and then moves partitions,
// one at a time, from members to others that want the topic and have at least
// two fewer, until there is nothing left to move.
type unlikePlan struct {
	g        *stickyGroup
	assigned []int // of each partition, its member
	size     []int // of each member, how many partitions it has
	ranking  []int // the members that take part, those with the fewest partitions first
	rank     []int // of each member, its place in ranking, none for those who take no part
	moves    stickyMoves
	// How many moves may still be made that bring no two sizes closer together.
	// Kafka's assignors make such when they take moves back, without a bound,
	// so that some claims keep them at it for ever.
	detours int
}

func (g *stickyGroup) assignUnlike() []int {
	u := &unlikePlan{
		g: g, assigned: slices.Repeat([]int{none}, len(g.partitions)), size: make([]int, len(g.ids)),
		rank: slices.Repeat([]int{none}, len(g.ids)), moves: newStickyMoves(g), detours: len(g.partitions),
	}
	revoked := u.keep()
	fresh := slices.Max(u.size) == 0
	all := u.dealingOrder()
	unassigned := slices.Clone(all)
	unassigned = slices.DeleteFunc(unassigned, func(p int) bool { return u.assigned[p] != none })
	u.deal(unassigned)

	u.retire()
	contended := func(p int) bool { return len(g.wantedBy[g.partitions[p].topic]) < 2 }
	all = slices.DeleteFunc(all, contended)
	unassigned = slices.DeleteFunc(unassigned, contended)
	before, unevenness := slices.Clone(u.assigned), u.unevenness()
	moved := false
	if !revoked {
		moved = u.level(unassigned)
	}
	moved = u.level(all) || moved
	if moved && !fresh && u.unevenness() >= unevenness {
		return before // what was moved made nothing better
	}
	return u.assigned
}

// keep leaves members what they owned. Revoked tells whether some of it had to
// be taken from them.
func (u *unlikePlan) keep() (revoked bool) {
	for p, m := range u.g.owner {
		switch {
		case m == none:
		case !u.g.wanted(m, p) || u.g.racks.far(m, p):
			revoked = true
		default:
			u.assigned[p] = m
			u.size[m]++
		}
	}
	for m := range u.g.ids {
		u.ranking = append(u.ranking, m)
	}
	u.sortRanking()
	return revoked
}

// dealingOrder returns all partitions, those that the fewest members want first.
func (u *unlikePlan) dealingOrder() []int {
	all := make([]int, len(u.g.partitions))
	for p := range all {
		all[p] = p
	}
	slices.SortStableFunc(all, func(p, q int) int {
		return cmp.Compare(len(u.g.wantedBy[u.g.partitions[p].topic]), len(u.g.wantedBy[u.g.partitions[q].topic]))
	})
	return all
}

// deal gives each partition to who has the fewest, first to members that are
// not far from it.
func (u *unlikePlan) deal(unassigned []int) {
	if u.g.racks != nil {
		for _, p := range unassigned {
			if m := u.poorest(p, u.g.racks); m != none {
				u.give(m, p)
			}
		}
	}
	for _, p := range unassigned {
		if u.assigned[p] == none {
			u.give(u.poorest(p, nil), p) // every topic here has subscribers
		}
	}
}

// poorest is the member with the fewest partitions of those that want p and are
// not far from it, or none.
func (u *unlikePlan) poorest(p int, racks *rackMap) int {
	for _, m := range u.ranking {
		if u.g.wanted(m, p) && !racks.far(m, p) {
			return m
		}
	}
	return none
}

// retire takes members out of the ranking that can neither gain nor lose: they
// have all that they want, and nobody else wants any of it.
func (u *unlikePlan) retire() {
	busy := make([]bool, len(u.g.ids))
	for m, topics := range u.g.wants {
		wanted := 0
		for _, t := range topics {
			wanted += u.g.from[t+1] - u.g.from[t]
			busy[m] = busy[m] || len(u.g.wantedBy[t]) > 1
		}
		busy[m] = busy[m] || u.size[m] < wanted
	}
	u.ranking = slices.DeleteFunc(u.ranking, func(m int) bool { return !busy[m] })
	u.rank = slices.Repeat([]int{none}, len(u.g.ids))
	u.sortRanking()
}

// level moves partitions of the list until none can be moved. Each move but for
// a bounded number of detours brings the sizes of two members closer together,
// so that it ends.
func (u *unlikePlan) level(list []int) (moved bool) {
	for again := true; again; {
		again = false
		for _, p := range list {
			if u.even() {
				return moved
			}
			to := u.poorest(p, nil)
			// Who had it before is asked first: its state may still be there.
			if f := u.g.former[p]; f != none && u.rank[f] != none && u.g.wanted(f, p) && u.gains(p, f) {
				to = f
			}
			if to != none && u.gains(p, to) {
				u.move(p, to)
				again, moved = true, true
			}
		}
	}
	return moved
}

// gains tells whether p makes the plan more even when m gets it.
func (u *unlikePlan) gains(p, m int) bool { return u.size[u.assigned[p]] > u.size[m]+1 }

// even tells whether all members that take part have about as much.
func (u *unlikePlan) even() bool {
	n := len(u.ranking)
	return n == 0 || u.size[u.ranking[0]]+1 >= u.size[u.ranking[n-1]]
}

// unevenness is the sum of the differences between any two members.
func (u *unlikePlan) unevenness() int {
	sum, n := 0, len(u.ranking)
	for i, m := range u.ranking {
		sum += u.size[m] * (2*i - n + 1)
	}
	return sum
}

// move gives p to a member, or another partition of its topic that undoes a
// move made before.
func (u *unlikePlan) move(p, to int) {
	if q := u.moves.reverse(p, u.assigned[p], to); u.gains(q, to) {
		p = q
	} else if u.detours > 0 && u.assigned[q] != to {
		p = q
		u.detours--
	}
	from := u.assigned[p]
	u.moves.record(p, from, to)
	u.size[from]--
	for i := u.rank[from]; i > 0 && u.compare(u.ranking[i-1], from) > 0; i-- {
		u.swap(i - 1)
	}
	u.give(to, p)
}

func (u *unlikePlan) give(m, p int) {
	u.assigned[p] = m
	u.size[m]++
	for i := u.rank[m]; i+1 < len(u.ranking) && u.compare(m, u.ranking[i+1]) > 0; i++ {
		u.swap(i)
	}
}

// compare is the order of the ranking.
func (u *unlikePlan) compare(a, b int) int {
	return cmp.Or(cmp.Compare(u.size[a], u.size[b]), cmp.Compare(a, b))
}

func (u *unlikePlan) sortRanking() {
	slices.SortFunc(u.ranking, u.compare)
	for i, m := range u.ranking {
		u.rank[m] = i
	}
}

// swap exchanges the members at places i and i+1 of the ranking.
func (u *unlikePlan) swap(i int) {
	r := u.ranking
	r[i], r[i+1] = r[i+1], r[i]
	u.rank[r[i]], u.rank[r[i+1]] = i, i+1
}
