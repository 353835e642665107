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

func (r *ZoneAvoidance) policy() ZonePolicy {
	if r.Policy == (ZonePolicy{}) {
		return DefaultZonePolicy
	}
	return r.Policy
}

// Choose implements Rule.
func (r *ZoneAvoidance) Choose(set *Set, q *Request) *Server {
	zones := r.policy().of(set, r.Draw)
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

// of is the set of zones that calls may go to now.
func (p ZonePolicy) of(set *Set, d Draw) uint64 {
	if len(set.Zones) <= fewZones {
		var loads [fewZones]zoneLoad
		return p.ofAll(set, loads[:0], d)
	}
	var loads [maxZones]zoneLoad
	return p.ofAll(set, loads[:0], d)
}

// fewZones is how many zones there mostly are at most.
const fewZones = 6

func (p ZonePolicy) ofAll(set *Set, loads []zoneLoad, d Draw) uint64 {
	for i := range set.Zones {
		loads = append(loads, set.Zones[i].load())
	}
	return p.available(loads, d)
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
	sets  []*Set // one a zone
	rules []Rule
}

// Prepare implements Preparer.
func (r *ZoneAware) Prepare(set *Set, now int64) any {
	made := &zoneRules{}
	for _, z := range set.Zones {
		rule := Rule(&AvailabilityFiltering{})
		if r.Rule != nil {
			rule = r.Rule()
		}
		part := &Set{
			Servers: set.Servers[z.First:z.End], All: set.All, Own: -1, Panic: set.Panic,
			weights: set.weights[z.First:z.End], even: set.even, trials: set.trials,
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
	policy := r.Policy
	if policy == (ZonePolicy{}) {
		policy = DefaultZonePolicy
	}
	zones := policy.of(set, r.Draw)
	var loads [maxZones]zoneLoad
	for i := range set.Zones {
		loads[i].servers = set.Zones[i].End - set.Zones[i].First
	}
	i, ok := drawZone(loads[:len(set.Zones)], zones, r.Draw)
	if !ok {
		return nil
	}
	return made.rules[i].Choose(made.sets[i], q)
}
