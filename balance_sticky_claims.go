package sarama

import "slices"

// settle finds out who owned what. Of several members that claim a partition
// the one with the highest generation owned it, as the others missed a
// rebalance. When there are two of those nobody did: both may be reading it,
// and neither is known to be right.
func (g *stickyGroup) settle() {
	g.owner = slices.Repeat([]int{none}, len(g.partitions))
	g.former = slices.Repeat([]int{none}, len(g.partitions))
	g.contested = make([]bool, len(g.partitions))
	newest := int32(unknownGeneration)
	for _, claim := range g.claims {
		newest = max(newest, claim.generation)
	}
	for _, m := range g.order {
		g.claimed(m, func(p int) {
			g.settleClaim(m, p)
			if g.claims[m].generation < newest {
				g.displace(m, p)
			}
		})
	}
	first, count := none, 0
	for p, contested := range g.contested {
		if !contested {
			continue
		}
		if g.owner[p] = none; count == 0 {
			first = p
		}
		count++
	}
	if count > 0 {
		Logger.Printf("balance: %d partitions, the first %s/%d, are claimed by several members for one generation: nobody is taken to own them\n",
			count, g.topics[g.partitions[first].topic], g.partitions[first].number)
	}
}

// settleClaim compares the claim of m to that of who owns p so far.
func (g *stickyGroup) settleClaim(m, p int) {
	other := g.owner[p]
	if other == none {
		g.owner[p] = m
	}
	if other == none || other == m {
		return
	}
	mine, its := g.claims[m].generation, g.claims[other].generation
	switch {
	case mine == its:
		g.owner[p], g.contested[p] = m, true
	case mine > its:
		g.displace(other, p)
		g.owner[p], g.contested[p] = m, false
	default:
		g.displace(m, p)
	}
}

// displace notes that m had p in an older generation.
func (g *stickyGroup) displace(m, p int) {
	if f := g.former[p]; f == none || g.claims[f].generation < g.claims[m].generation {
		g.former[p] = m
	}
}

// withhold takes partitions that another member must give up first out of a
// plan: whoever gets them does so in the next round, when they are free
// (KIP-429).
func (g *stickyGroup) withhold(assigned []int) {
	if g.alike {
		for p, m := range assigned {
			if g.contested[p] || g.owner[p] != none && g.owner[p] != m {
				assigned[p] = none
			}
		}
		return
	}
	// With subscriptions that differ, who claims a partition and gets it keeps
	// it, whoever else claims it: it goes to nobody new.
	claimed := make([]bool, len(assigned))
	keeps := make([]bool, len(assigned))
	for m := range g.ids {
		g.claimed(m, func(p int) {
			claimed[p] = true
			keeps[p] = keeps[p] || assigned[p] == m
		})
	}
	for p := range assigned {
		if claimed[p] && !keeps[p] {
			assigned[p] = none
		}
	}
}
