package balancer

import (
	"cmp"
	"slices"
)

// Filter drops servers before rules see them. What it leaves empty counts as not
// filtered.
type Filter interface {
	Keep(servers []*Server, v View) []*Server
}

// View is what a filter may know beyond the servers.
type View struct {
	Own string // the caller's zone; "": none
	Now int64  // on the balancer's clock, in nanoseconds
}

// ZonePreference keeps the servers of the caller's own zone, if there are any.
// Source: Spring Cloud Netflix.
type ZonePreference struct{}

// Keep implements Filter.
func (ZonePreference) Keep(servers []*Server, v View) []*Server {
	return inZone(servers, v.Own)
}

func inZone(servers []*Server, zone string) []*Server {
	if zone == "" {
		return servers
	}
	var own []*Server
	for _, s := range servers {
		if s.Zone == zone {
			own = append(own, s)
		}
	}
	return own
}

// ZoneAffinity keeps the servers of the caller's own zone as long as that can carry
// the calls. Source: Ribbon's ZoneAffinityServerListFilter; the keys are
// zoneAffinity.*.
type ZoneAffinity struct {
	Exclusive    bool    // whatever its load is
	MaxLoad      float64 // calls a server; 0: DefaultMaxLoad
	MaxBlackout  float64 // share of tripped servers; 0: DefaultMaxBlackout
	MinAvailable int     // servers; 0: DefaultMinAvailable
}

// Defaults of ZoneAffinity.
const (
	DefaultMaxLoad      = 0.6
	DefaultMaxBlackout  = 0.8
	DefaultMinAvailable = 2
)

// Keep implements Filter.
func (f ZoneAffinity) Keep(servers []*Server, v View) []*Server {
	own := inZone(servers, v.Own)
	if len(own) == 0 || f.Exclusive || v.Own == "" {
		return own
	}
	load := zoneLoad{servers: len(own)}
	for _, s := range own {
		if s.tripped.Load() > v.Now {
			load.tripped++
			continue
		}
		load.active += s.under(v.Now)
	}
	switch available := load.servers - load.tripped; {
	case available < cmp.Or(f.MinAvailable, DefaultMinAvailable),
		load.load() >= cmp.Or(f.MaxLoad, DefaultMaxLoad),
		float64(load.tripped)/float64(load.servers) >= cmp.Or(f.MaxBlackout, DefaultMaxBlackout):
		return servers
	}
	return own
}

// Subset keeps a few of many servers, so that each caller has few connections and
// each server few callers. Which ones depends on the caller's number: callers in a
// row cover all servers evenly. Source: Beyer et al., Site Reliability Engineering
// (2016), chapter 20, deterministic subsetting; Ribbon's ServerListSubsetFilter
// draws them, and calls the size 20.
type Subset struct {
	Size   int // 0: DefaultSubset
	Caller int // its number among all callers, from 0
}

// DefaultSubset is Ribbon's ServerListSubsetFilter.size.
const DefaultSubset = 20

// Keep implements Filter.
func (f Subset) Keep(servers []*Server, _ View) []*Server {
	size := cmp.Or(f.Size, DefaultSubset)
	if len(servers) <= size {
		return servers
	}
	rounds := len(servers) / size
	round := uint64(f.Caller / rounds)
	mixed := slices.Clone(servers)
	slices.SortFunc(mixed, func(a, b *Server) int {
		return cmp.Or(cmp.Compare(stir(Hash(a.id)^round), stir(Hash(b.id)^round)), cmp.Compare(a.id, b.id))
	})
	at := f.Caller % rounds * size
	return mixed[at : at+size]
}

// Filters are several, one after the other.
type Filters []Filter

// Keep implements Filter.
func (f Filters) Keep(servers []*Server, v View) []*Server {
	for _, one := range f {
		if kept := one.Keep(servers, v); len(kept) > 0 {
			servers = kept
		}
	}
	return servers
}
