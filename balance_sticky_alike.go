package sarama

import (
	"cmp"
	"slices"
)

// alikePlan divides partitions among members that all subscribe to the same
// topics. What they get differs by one partition at most: each gets least, and
// as many as there are extras get one more.
type alikePlan struct {
	g        *stickyGroup
	assigned []int // of each partition, its member or none
	size     []int // of each member, how many partitions it has
	least    int
	extras   int   // how many members may still get one more than least
	hungry   []int // members that have less than least, in the order they are served
	content  []int // members that have least and may get one more, in that order
}

// assignAlike leaves each member what it owned, up to its share, and deals out
// the rest.
func (g *stickyGroup) assignAlike() []int {
	n := len(g.ids)
	a := &alikePlan{
		g: g, assigned: slices.Repeat([]int{none}, len(g.partitions)), size: make([]int, n),
		least: len(g.partitions) / n, extras: len(g.partitions) % n,
	}
	owned := make([][]int, n)
	for p, m := range g.owner {
		if m != none && !g.racks.far(m, p) {
			owned[m] = append(owned[m], p)
		}
	}
	for _, m := range g.order {
		a.keep(m, owned[m])
	}
	slices.Sort(a.hungry)
	slices.Sort(a.content)
	var left []int
	for p, m := range a.assigned {
		if m == none {
			left = append(left, p)
		}
	}
	if g.racks != nil {
		left = a.dealNear(left)
	}
	a.deal(left)
	return a.assigned
}

// keep leaves member m what it owned, up to its share. What goes is taken from
// the end of all topics alike.
func (a *alikePlan) keep(m int, owned []int) {
	share := len(owned)
	switch {
	case share < a.least:
		a.hungry = append(a.hungry, m)
	case share > a.least && a.extras > 0:
		share = a.least + 1
		a.extras--
	default:
		share = a.least
		a.content = append(a.content, m)
	}
	slices.SortFunc(owned, func(p, q int) int {
		return cmp.Or(cmp.Compare(a.g.partitions[p].number, a.g.partitions[q].number), cmp.Compare(p, q))
	})
	for _, p := range owned[:share] {
		a.give(m, p)
	}
}

func (a *alikePlan) give(m, p int) {
	a.assigned[p] = m
	a.size[m]++
}

// feed gives p to the hungry member at this place, and returns the place of the
// next one.
func (a *alikePlan) feed(at, p int) (next int) {
	m := a.hungry[at]
	if a.give(m, p); a.size[m] < a.least {
		return at + 1
	}
	a.hungry = slices.Delete(a.hungry, at, at+1)
	a.content = append(a.content, m)
	return at
}

// spoil gives p to the content member at this place.
func (a *alikePlan) spoil(at, p int) {
	a.give(a.content[at], p)
	a.content = slices.Delete(a.content, at, at+1)
	a.extras--
}

// deal gives the partitions to hungry members in turn until each has least, and
// then one each to content ones.
func (a *alikePlan) deal(left []int) {
	next := 0
	for _, p := range left {
		if len(a.hungry) == 0 {
			a.spoil(0, p)
			continue
		}
		if next >= len(a.hungry) {
			next = 0
		}
		next = a.feed(next, p)
	}
}

// dealNear deals out partitions to members in their racks, those with the
// fewest such members first, and returns what found none.
func (a *alikePlan) dealNear(left []int) (rest []int) {
	nearby := a.g.racks.nearby()
	slices.SortStableFunc(left, func(p, q int) int { return cmp.Compare(nearby[p], nearby[q]) })
	next := 0
	for _, p := range left {
		near := func(m int) bool { return a.g.racks.near(m, p) }
		at := -1
		if next < len(a.hungry) {
			if at = slices.IndexFunc(a.hungry[next:], near); at >= 0 {
				at += next
			}
		}
		if at < 0 {
			at = slices.IndexFunc(a.hungry, near)
		}
		if at >= 0 {
			next = a.feed(at, p)
			continue
		}
		if at = slices.IndexFunc(a.content, near); at >= 0 && a.extras > 0 {
			a.spoil(at, p)
			continue
		}
		rest = append(rest, p)
	}
	return rest
}
