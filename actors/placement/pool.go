package placement

import (
	"cmp"
	"maps"
	"slices"
	"sort"

	"github.com/troupe-cloud/troupe/messages"
)

// maxKept is how many shapes' evaluations a fork takes over. Each of them costs
// time whenever a host is taken.
const maxKept = 16

// Pool is a set of hosts in which several requests are placed one after the
// other, each seeing the choices before it.
type Pool struct {
	count  int
	hosts  column[*messages.HostFacts]
	groups map[Key]*Group
}

// NewPool makes a pool of the hosts, in an order that depends on their names alone.
func NewPool(hosts []*messages.HostFacts) *Pool {
	byName := func(a, b *messages.HostFacts) int { return cmp.Compare(a.Name, b.Name) }
	hosts = slices.Clone(hosts)
	slices.SortFunc(hosts, byName)
	return &Pool{len(hosts), newColumn(hosts), map[Key]*Group{}}
}

// Fork is the pool as it is, with what is known of it. Choices in the fork do
// not show in p, from which nothing may be taken any more.
func (p *Pool) Fork() *Pool {
	f := &Pool{p.count, p.hosts.fork(), make(map[Key]*Group, len(p.groups)+1)}
	if len(p.groups) > maxKept {
		return f
	}
	for key, g := range p.groups {
		f.groups[key] = &Group{pool: f, shape: g.shape, hosts: g.hosts.fork(), removed: slices.Clone(g.removed)}
	}
	return f
}

// Len is the number of hosts.
func (p *Pool) Len() int { return p.count }

// Group is the evaluation of the shape over the pool, made when it is first
// asked for.
func (p *Pool) Group(shape *messages.ScheduleShape) *Group {
	key := KeyOf(shape)
	g, ok := p.groups[key]
	if !ok {
		g = p.evaluate(shape)
		p.groups[key] = g
	}
	return g
}

func (p *Pool) host(i int) *messages.HostFacts { return *p.hosts.at(i) }

func (p *Pool) find(name string) (int, bool) {
	return sort.Find(p.count, func(i int) int { return cmp.Compare(name, p.host(i).Name) })
}

// Zone is the availability zone of a host; "" if it is not in the pool.
func (p *Pool) Zone(host string) string {
	if i, ok := p.find(host); ok {
		return p.host(i).AvailabilityZone
	}
	return ""
}

// Take records that a machine of the shape goes to host, and brings every
// evaluation up to date about it.
func (p *Pool) Take(host string, shape *messages.ScheduleShape) {
	i, ok := p.find(host)
	if !ok {
		return
	}
	p.hosts.set(i, Claimed(shape, p.host(i)))
	for g := range maps.Values(p.groups) {
		g.refresh(i)
	}
}
