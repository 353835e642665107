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

// available is the set of zones that calls may go to, as bits.
func (p ZonePolicy) available(zones []zoneLoad, draw Draw) uint64 {
	all := uint64(1)<<len(zones) - 1
	if len(zones) == maxZones {
		all = ^uint64(0)
	}
	if len(zones) < 2 {
		return all
	}
	left, worst, limited, highest := all, uint64(0), false, 0.0
	for i, z := range zones {
		bit := uint64(1) << i
		if z.servers == 0 {
			left &^= bit
			limited = true
			continue
		}
		load := z.load()
		if load < 0 || float64(z.tripped)/float64(z.servers) >= p.Blackout {
			left &^= bit
			limited = true
			continue
		}
		switch d := load - highest; {
		case d > -sameLoad && d < sameLoad:
			worst |= bit
		case d > 0:
			highest, worst = load, bit
		}
	}
	if highest < p.TriggeringLoad && !limited {
		return all
	}
	// Ribbon may drop the last zone that is left, and then falls back to all of them.
	if drop, ok := drawZone(zones, worst, draw); ok && left&^(uint64(1)<<drop) != 0 {
		left &^= uint64(1) << drop
	}
	return left
}

// drawZone draws one of the zones of set, each as likely as it has servers.
func drawZone(zones []zoneLoad, set uint64, draw Draw) (int, bool) {
	n := 0
	for i, z := range zones {
		if set&(1<<i) != 0 {
			n += z.servers
		}
	}
	if n == 0 {
		return 0, false
	}
	at := draw.below(n)
	for i, z := range zones {
		if set&(1<<i) == 0 {
			continue
		}
		if at -= z.servers; at < 0 {
			return i, true
		}
	}
	return 0, false
}
