package balancer

import (
	"cmp"
	"slices"
	"time"
)

// Set is what a rule chooses from at one moment: the servers that calls may go to.
// It is never changed; another one takes its place.
type Set struct {
	// Servers get calls, in the order of their zones, and of their ids in each.
	Servers []*Server
	// All are on the list, whether they get calls or not, in the same order.
	All []*Server
	// Zones are those of Servers and All; Own is the caller's among them, or -1.
	Zones []Zone
	Own   int
	// Panic says that so many servers answer badly that this is not looked at.
	Panic bool

	weights []float64 // of Servers, with slow start
	even    bool      // weights are all the same
	trials  bool      // some of Servers get one call only, to see whether they are back
	table   any       // what the rule has prepared
	rule    Rule
	hot     []*stats // of Servers: what rules look at, without a detour
}

// Zone is the part of a Set that is in one zone.
type Zone struct {
	Name        string
	First, End  int // Servers[First:End]
	All, Absent int // servers on the list, and those of them that get no calls
	active      *zoneCounter
}

// Weight is the weight of Servers[i] now, as slow start has it.
func (s *Set) Weight(i int) float64 { return s.weights[i] }

// SlowStart lets a server that is new, or back, come up to its weight in a while.
// Source: Envoy.
type SlowStart struct {
	Window     time.Duration // 0: it has its weight at once
	Aggression float64       // 1: linear; higher: faster at first
	Least      float64       // share of the weight that it begins with
}

// DefaultSlowStart is off, and Envoy's if a Window is given.
var DefaultSlowStart = SlowStart{Aggression: 1, Least: 0.1}

// plan is what a Set is built by.
type plan struct {
	slow     SlowStart
	panicAt  float64 // share of good servers below which badness is ignored
	ownZone  string
	filter   Filter
	counters func(zone string) *zoneCounter
}

// build makes the set of now, and says when it has to be built again at the
// latest; 0: only when something happens.
func (p *plan) build(list []*Server, now int64) (set *Set, again int64) {
	all := slices.Clone(list)
	slices.SortFunc(all, func(a, b *Server) int {
		return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.id, b.id))
	})
	set = &Set{All: all, Own: -1}
	later := func(at int64) {
		if at > now && (again == 0 || at < again) {
			again = at
		}
	}
	var good, bad, broken []*Server
	for _, s := range all {
		ok, trial := s.usable(now)
		switch {
		case ok:
			good = append(good, s)
			set.trials = set.trials || trial
		case s.Weight <= 0 || s.Down:
		case s.tripped.Load() > now:
			broken = append(broken, s)
		default:
			bad = append(bad, s)
		}
		later(s.returns(now))
	}
	// Those that cannot be reached or that the registry has taken out do not count:
	// ignoring that would help nobody.
	if n := len(good) + len(bad); n > 0 && float64(len(good)) < p.panicAt*float64(n) {
		good, set.Panic = append(good, bad...), true
	}
	for _, rest := range [][]*Server{bad, broken} {
		if len(good) == 0 {
			good, set.Panic = rest, true
		}
	}
	if p.filter != nil {
		if kept := p.filter.Keep(good, View{Own: p.ownZone, Now: now}); len(kept) > 0 {
			good = kept
		}
	}
	set.Servers = good
	slices.SortFunc(set.Servers, func(a, b *Server) int {
		return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.id, b.id))
	})
	p.divide(set)
	later(p.weigh(set, now))
	return set, again
}

// divide finds the zones of a set.
func (p *plan) divide(set *Set) {
	for _, s := range set.All {
		if n := len(set.Zones); n == 0 || set.Zones[n-1].Name != s.Zone {
			if n == maxZones {
				set.Zones[n-1].All++ // more zones than can be told apart: the rest is one
				continue
			}
			set.Zones = append(set.Zones, Zone{Name: s.Zone, active: p.counters(s.Zone)})
		}
		set.Zones[len(set.Zones)-1].All++
	}
	at := 0
	for i := range set.Zones {
		z := &set.Zones[i]
		z.First = at
		for at < len(set.Servers) && (set.Servers[at].Zone == z.Name || i == len(set.Zones)-1) {
			at++
		}
		z.End = at
		z.Absent = z.All - (z.End - z.First)
		if z.Name == p.ownZone && p.ownZone != "" {
			set.Own = i
		}
	}
}

// rampStep is how often weights are looked at while a server comes up.
const rampStep = int64(time.Second)

// weigh works out weights, and says when they will have changed.
func (p *plan) weigh(set *Set, now int64) (again int64) {
	set.weights, set.hot = make([]float64, len(set.Servers)), make([]*stats, len(set.Servers))
	set.even = true
	for i, s := range set.Servers {
		set.hot[i] = &s.stats
		share := p.slow.share(now - max(s.added, s.healed.Load()))
		if share < 1 {
			again = now + rampStep
		}
		set.weights[i] = max(s.Weight, 0) * share
		if set.Panic && set.weights[i] == 0 {
			set.weights[i] = 1
		}
		set.even = set.even && set.weights[i] == set.weights[0]
	}
	return again
}

// share is which part of its weight a server has after age nanoseconds in use.
func (s SlowStart) share(age int64) float64 {
	if s.Window <= 0 || age >= int64(s.Window) {
		return 1
	}
	return max(s.Least, power(float64(max(age, 0))/float64(s.Window), 1/max(s.Aggression, 0.01)))
}
