package balancer

import "math/bits"

// AvailabilityFiltering takes servers in turn, but passes over those with too many
// calls under way: Ribbon's AvailabilityFilteringRule. That tripped ones get no
// calls is so with every rule here.
type AvailabilityFiltering struct {
	Limit int64 // calls under way on one server; 0: no limit
	turn  turn
}

// availabilityDraws is how many servers are looked at before all are: Ribbon's.
const availabilityDraws = 11

// Choose implements Rule.
func (r *AvailabilityFiltering) Choose(set *Set, q *Request) *Server {
	n := len(set.Servers)
	if r.Limit <= 0 {
		return set.Servers[r.turn.next(n)]
	}
	for range availabilityDraws {
		if s := set.Servers[r.turn.next(n)]; s.under(q.Time()) < r.Limit {
			return s
		}
	}
	start := r.turn.next(n)
	for i := range n {
		if s := set.Servers[(start+i)%n]; s.under(q.Time()) < r.Limit {
			return s
		}
	}
	return set.Servers[start]
}

// ZoneAvoidance takes servers in turn, of the zones that are neither overloaded nor
// mostly dead, and of them those that are available; if that leaves none, of those
// that are available; else of all: Ribbon's ZoneAvoidanceRule, a composition of two
// predicates.
type ZoneAvoidance struct {
	Policy ZonePolicy // zero: DefaultZonePolicy
	Limit  int64      // as of AvailabilityFiltering
	Draw   Draw
	turn   turn
}

// Prepare implements Preparer.
func (r *ZoneAvoidance) Prepare(set *Set, _ int64) any { return newZoneTable(set, r.Policy) }

// Choose implements Rule.
func (r *ZoneAvoidance) Choose(set *Set, q *Request) *Server {
	table, _ := set.table.(*zoneTable)
	if table == nil {
		return nil
	}
	zones := table.available(r.Draw)
	if zones == table.all && r.Limit <= 0 {
		return set.Servers[r.turn.next(len(set.Servers))]
	}
	count := 0
	for left := zones; left != 0; left &= left - 1 {
		z := &set.Zones[bits.TrailingZeros64(left)]
		count += z.End - z.First
	}
	if count == 0 {
		return set.Servers[r.turn.next(len(set.Servers))]
	}
	for range availabilityDraws {
		s := set.at(zones, r.turn.next(count))
		if r.Limit <= 0 || s.under(q.Time()) < r.Limit {
			return s
		}
	}
	return (&AvailabilityFiltering{Limit: r.Limit}).Choose(set, q)
}

// at is the i-th server of some zones.
func (s *Set) at(zones uint64, i int) *Server {
	for left := zones; left != 0; left &= left - 1 {
		z := &s.Zones[bits.TrailingZeros64(left)]
		if n := z.End - z.First; i >= n {
			i -= n
			continue
		}
		return s.Servers[z.First+i]
	}
	return s.Servers[0]
}

// ZoneAware first draws one of the zones that are well, each as likely as it has
// servers, and then asks a rule that is that zone's own: Ribbon's
// ZoneAwareLoadBalancer.
type ZoneAware struct {
	Policy ZonePolicy  // zero: DefaultZonePolicy
	Rule   func() Rule // makes a zone's; nil: AvailabilityFiltering
	Draw   Draw
}

type zoneRules struct {
	table *zoneTable
	sets  []*Set // one a zone
	rules []Rule
}

// Prepare implements Preparer.
func (r *ZoneAware) Prepare(set *Set, now int64) any {
	made := &zoneRules{table: newZoneTable(set, r.Policy)}
	for _, z := range set.Zones {
		// It begins anywhere: sets may follow each other so fast that only their first
		// servers would ever be chosen.
		own := &AvailabilityFiltering{}
		own.turn.n.Store(uint64(r.Draw.below(1 << 16)))
		rule := Rule(own)
		if r.Rule != nil {
			rule = r.Rule()
		}
		part := &Set{
			Servers: set.Servers[z.First:z.End], All: set.All, Own: -1, Panic: set.Panic,
			weights: set.weights[z.First:z.End], hot: set.hot[z.First:z.End], even: set.even, trials: set.trials,
		}
		if p, ok := rule.(Preparer); ok && len(part.Servers) > 0 {
			part.table = p.Prepare(part, now)
		}
		made.sets, made.rules = append(made.sets, part), append(made.rules, rule)
	}
	return made
}

// Choose implements Rule.
func (r *ZoneAware) Choose(set *Set, q *Request) *Server {
	made, _ := set.table.(*zoneRules)
	if made == nil {
		return nil
	}
	zones, n := made.table.available(r.Draw), 0
	for left := zones; left != 0; left &= left - 1 {
		n += len(made.sets[bits.TrailingZeros64(left)].Servers)
	}
	if n == 0 {
		return nil
	}
	at := r.Draw.below(n)
	for left := zones; left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		if at -= len(made.sets[i].Servers); at < 0 {
			return made.rules[i].Choose(made.sets[i], q)
		}
	}
	return nil
}
