package balancer

// zoneLoad is what is known of one zone at one moment.
type zoneLoad struct {
	servers int   // in all
	tripped int   // of them that get no calls for now
	active  int64 // calls under way on those that do
}

// load is the calls under way on each server that gets calls; negative: none does.
func (z zoneLoad) load() float64 {
	if z.tripped >= z.servers {
		return -1
	}
	return float64(z.active) / float64(z.servers-z.tripped)
}

// ZonePolicy says when a zone is left. Source: Ribbon's ZoneAvoidanceRule and
// ZoneAwareLoadBalancer.
type ZonePolicy struct {
	TriggeringLoad float64 // calls a server, at which the worst zone is dropped
	Blackout       float64 // share of servers without calls, at which a zone is dropped
}

// DefaultZonePolicy is Ribbon's.
var DefaultZonePolicy = ZonePolicy{TriggeringLoad: 0.2, Blackout: 0.99999}

// sameLoad is how near two loads count as equal.
const sameLoad = 0.000001

// maxZones bounds the zones that are told apart: the sets of them are bits.
const maxZones = 64

// zoneTable is what stands firm of the choice of zones while a set does: only the
// calls under way change meanwhile.
type zoneTable struct {
	policy  ZonePolicy
	zones   []zoneEntry
	all     uint64
	left    uint64 // all but those with nobody who gets calls
	limited bool   // there are such
}

type zoneEntry struct {
	active  *zoneCounter
	bit     uint64
	share   float64 // of a call that each server bears
	servers int
}

func newZoneTable(set *Set, p ZonePolicy) *zoneTable {
	if p == (ZonePolicy{}) {
		p = DefaultZonePolicy
	}
	t := &zoneTable{policy: p}
	for i := range set.Zones {
		z, bit := &set.Zones[i], uint64(1)<<i
		t.all |= bit
		if z.All == 0 || z.Absent >= z.All || float64(z.Absent)/float64(z.All) >= p.Blackout {
			t.limited = true
			continue
		}
		t.left |= bit
		t.zones = append(t.zones, zoneEntry{z.active, bit, 1 / float64(z.All-z.Absent), z.All})
	}
	if len(set.Zones) < 2 {
		t.left, t.limited, t.zones = t.all, false, nil
	}
	return t
}

// available is the set of zones that calls may go to now, as bits. Of the zones in
// which anybody gets calls one of the busiest is left, unless that is not much, or
// the last one.
func (t *zoneTable) available(draw Draw) uint64 {
	worst, highest := uint64(0), 0.0
	for i := range t.zones {
		z := &t.zones[i]
		load := float64(max(z.active.Load(), 0)) * z.share
		switch d := load - highest; {
		case d > -sameLoad && d < sameLoad:
			worst |= z.bit
		case d > 0:
			highest, worst = load, z.bit
		}
	}
	if worst == 0 || highest < t.policy.TriggeringLoad && !t.limited {
		return t.left
	}
	if left := t.left &^ t.drop(worst, draw); left != 0 {
		return left
	}
	return t.left // Ribbon may drop the last one, and then falls back to all of them
}

// drop draws one of the worst zones, each as likely as it has servers.
func (t *zoneTable) drop(worst uint64, draw Draw) uint64 {
	if worst&(worst-1) == 0 {
		return worst
	}
	n := 0
	for i := range t.zones {
		if t.zones[i].bit&worst != 0 {
			n += t.zones[i].servers
		}
	}
	at := draw.below(n)
	for i := range t.zones {
		if z := &t.zones[i]; z.bit&worst != 0 {
			if at -= z.servers; at < 0 {
				return z.bit
			}
		}
	}
	return worst
}
