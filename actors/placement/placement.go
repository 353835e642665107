// Package placement decides where a virtual machine may run and where it had
// best run: filters that keep or drop a host, weighers that score what is left,
// and the claim that a choice makes. It holds no state and asks nobody; the
// scheduler and the hosts use it, so both judge by the same rules.
package placement

import (
	"cmp"
	"math"
	"slices"

	"github.com/troupe-cloud/troupe/messages"
)

// Host is what a filter or weigher may read of a hypervisor.
type Host struct{ *messages.HostFacts }

// Request is what it may read of the wish.
type Request struct {
	*messages.ScheduleShape
	Instance string
	Excluded []string // hosts that were tried
}

// Key tells shapes apart: requests of equal keys are evaluated together.
type Key struct {
	vcpus            int32
	ramMiB, diskGiB  int64
	zone, host, arch string
	storage          string
}

// KeyOf is the shape's key.
func KeyOf(s *messages.ScheduleShape) Key {
	return Key{s.Vcpus, s.RamMib, s.DiskGib, s.AvailabilityZone, s.Host, s.Arch, s.Storage}
}

// Ratios are how many times over a resource may be promised.
type Ratios struct{ CPU, RAM, Disk float64 }

// DefaultRatios are Nova's: CPU time is shared, memory and disk are not.
var DefaultRatios = Ratios{CPU: 16, RAM: 1, Disk: 1}

// FreeVCPUs, FreeRAMMiB and FreeDiskGiB are what is left after overcommit.
func (h Host) FreeVCPUs() int64 {
	return int64(float64(h.Vcpus)*DefaultRatios.CPU) - int64(h.VcpusUsed)
}

// FreeRAMMiB is the memory left after overcommit, in MiB.
func (h Host) FreeRAMMiB() int64 {
	return int64(float64(h.RamMib)*DefaultRatios.RAM) - h.RamMibUsed
}

// FreeDiskGiB is the disk left after overcommit, in GiB.
func (h Host) FreeDiskGiB() int64 {
	return int64(float64(h.DiskGib)*DefaultRatios.Disk) - h.DiskGibUsed
}

// Fits names the resource that the host lacks for the shape; "" if it fits.
func Fits(r *messages.ScheduleShape, f *messages.HostFacts) string {
	req, h := Request{ScheduleShape: r}, Host{f}
	switch {
	case !ramFilter(req, h):
		return "memory"
	case !coreFilter(req, h):
		return "vcpus"
	case !diskFilter(req, h):
		return "disk"
	}
	return ""
}

// Claimed is f after one more machine of the shape, as the next choice must see it.
func Claimed(r *messages.ScheduleShape, f *messages.HostFacts) *messages.HostFacts {
	return &messages.HostFacts{
		Name: f.Name, AvailabilityZone: f.AvailabilityZone, Up: f.Up, Disabled: f.Disabled,
		Vcpus: f.Vcpus, VcpusUsed: f.VcpusUsed + r.Vcpus,
		RamMib: f.RamMib, RamMibUsed: f.RamMibUsed + r.RamMib,
		DiskGib: f.DiskGib, DiskGibUsed: f.DiskGibUsed + r.DiskGib,
		Instances: f.Instances + 1, Building: f.Building + 1,
		Arch: f.Arch, HypervisorType: f.HypervisorType, ForcedDown: f.ForcedDown, Storage: f.Storage,
	}
}

// candidate is a host that passed, with what each weigher said of it.
type candidate struct {
	at    int // index in the pool's hosts
	raw   []float64
	score float64
}

// Pool is a set of hosts in which several requests are placed one after the
// other, each seeing the choices before it.
type Pool struct{ hosts []*messages.HostFacts }

// NewPool makes a pool of the hosts, in an order that depends on their names alone.
func NewPool(hosts []*messages.HostFacts) *Pool {
	p := &Pool{slices.Clone(hosts)}
	slices.SortFunc(p.hosts, func(a, b *messages.HostFacts) int { return cmp.Compare(a.Name, b.Name) })
	return p
}

// Group is the evaluation of one shape over a pool; it serves every request of
// that shape and is brought up to date host by host as choices are made.
type Group struct {
	pool       *Pool
	shape      *messages.ScheduleShape
	candidates []candidate
	position   []int // of a host in candidates, or -1
	removed    []*messages.FilterCount
}

// Evaluate asks every host about the shape. The exclusions of single requests
// are not part of it: Choose takes care of them.
func (p *Pool) Evaluate(shape *messages.ScheduleShape) *Group {
	g := &Group{pool: p, shape: shape, position: make([]int, len(p.hosts)), candidates: make([]candidate, 0, len(p.hosts))}
	for _, f := range filters {
		g.removed = append(g.removed, &messages.FilterCount{Filter: f.name})
	}
	backing := make([]float64, 0, len(p.hosts)*len(weighers))
	for i, h := range p.hosts {
		g.position[i] = -1
		if f := g.reject(h); f >= 0 {
			g.removed[f].Hosts++
			if g.removed[f].Example == "" {
				g.removed[f].Example = h.Name
			}
			continue
		}
		start := len(backing)
		backing = weigh(backing, g.request(), Host{h})
		g.position[i] = len(g.candidates)
		g.candidates = append(g.candidates, candidate{at: i, raw: backing[start:len(backing):len(backing)]})
	}
	return g
}

func (g *Group) request() Request { return Request{ScheduleShape: g.shape} }

// reject is the index of the filter that removes h, or -1.
func (g *Group) reject(h *messages.HostFacts) int {
	for i, f := range filters {
		if !f.keep(g.request(), Host{h}) {
			return i
		}
	}
	return -1
}

func weigh(to []float64, r Request, h Host) []float64 {
	for _, w := range weighers {
		to = append(to, w.weigh(r, h))
	}
	return to
}

// Choose picks the best host for r, which must be of the group's shape, and
// explains itself. Chosen is empty if no host is left.
func (g *Group) Choose(r Request) *messages.Decision {
	d := &messages.Decision{Hosts: int32(len(g.pool.hosts))}
	for _, f := range g.removed {
		if f.Hosts > 0 {
			d.Removed = append(d.Removed, f)
		}
	}
	tried := &messages.FilterCount{Filter: "retry"}
	live := make([]int, 0, len(g.candidates))
	for i, c := range g.candidates {
		switch {
		case c.raw == nil: // filled up by an earlier choice
		case slices.Contains(r.Excluded, g.pool.hosts[c.at].Name):
			tried.Hosts++
			tried.Example = g.pool.hosts[c.at].Name
		default:
			live = append(live, i)
		}
	}
	if tried.Hosts > 0 {
		d.Removed = append(d.Removed, tried)
	}
	if len(live) == 0 {
		return d
	}
	low, high := g.spread(live)
	best := g.score(live, low, high, r.Instance)
	for _, i := range best {
		d.Best = append(d.Best, g.explain(g.candidates[i], low, high))
	}
	d.Chosen = d.Best[0].Host
	return d
}

// spread is the smallest and largest raw value of each weigher: scores are
// normalised to 0..1 over the hosts that are candidates, as Nova does.
func (g *Group) spread(live []int) (low, high []float64) {
	low, high = make([]float64, len(weighers)), make([]float64, len(weighers))
	for w := range weighers {
		low[w], high[w] = math.Inf(1), math.Inf(-1)
	}
	for _, i := range live {
		for w, v := range g.candidates[i].raw {
			low[w], high[w] = min(low[w], v), max(high[w], v)
		}
	}
	return low, high
}

func share(w int, v float64, low, high []float64) float64 {
	if high[w] == low[w] {
		return 0
	}
	return weighers[w].multiplier * (v - low[w]) / (high[w] - low[w])
}

// explained is how many of the best hosts a decision names.
const explained = 5

// score sets every live candidate's score and returns the best, best first. Ties
// break on the instance, so equal hosts share the load and a retry repeats itself.
func (g *Group) score(live []int, low, high []float64, instance string) []int {
	best, from := make([]int, 0, explained+1), mix(fnvOffset, instance)
	for _, i := range live {
		c := &g.candidates[i]
		c.score = 0
		for w, v := range c.raw {
			c.score += share(w, v, low, high)
		}
		at := len(best)
		for at > 0 && g.better(i, best[at-1], from) {
			at--
		}
		if at < explained {
			best = slices.Insert(best, at, i)
			if len(best) > explained {
				best = best[:explained]
			}
		}
	}
	return best
}

func (g *Group) better(a, b int, from uint64) bool {
	x, y := &g.candidates[a], &g.candidates[b]
	if math.Abs(x.score-y.score) > 1e-9 {
		return x.score > y.score
	}
	return mix(from, g.pool.hosts[x.at].Name) > mix(from, g.pool.hosts[y.at].Name)
}

// FNV-1a with 64 bits, as hash/fnv has it: here it goes on from what is the same
// for every host, which matters where many hosts are equally good.
const (
	fnvOffset uint64 = 14695981039346656037
	fnvPrime  uint64 = 1099511628211
)

func mix(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return h
}

func (g *Group) explain(c candidate, low, high []float64) *messages.HostScore {
	s := &messages.HostScore{Host: g.pool.hosts[c.at].Name, Score: c.score}
	for w, v := range c.raw {
		s.Shares = append(s.Shares, &messages.WeighShare{Weigher: weighers[w].name, Raw: v, Share: share(w, v, low, high)})
	}
	return s
}

func (p *Pool) find(host string) (int, bool) {
	return slices.BinarySearchFunc(p.hosts, host, func(h *messages.HostFacts, name string) int { return cmp.Compare(h.Name, name) })
}

// Zone is the availability zone of a host; "" if it is not in the pool.
func (p *Pool) Zone(host string) string {
	if i, ok := p.find(host); ok {
		return p.hosts[i].AvailabilityZone
	}
	return ""
}

// Take records in the pool that a machine of the shape goes to host, and brings
// every group of the pool up to date about it.
func (p *Pool) Take(host string, shape *messages.ScheduleShape, groups ...*Group) {
	i, ok := p.find(host)
	if !ok {
		return
	}
	p.hosts[i] = Claimed(shape, p.hosts[i])
	for _, g := range groups {
		g.refresh(i)
	}
}

func (g *Group) refresh(i int) {
	at := g.position[i]
	if at < 0 {
		return
	}
	h := g.pool.hosts[i]
	if f := g.reject(h); f >= 0 {
		g.position[i], g.candidates[at].raw = -1, nil
		g.removed[f] = &messages.FilterCount{Filter: filters[f].name, Hosts: g.removed[f].Hosts + 1, Example: h.Name}
		return
	}
	g.candidates[at].raw = weigh(g.candidates[at].raw[:0:len(weighers)], g.request(), Host{h})
}

// Hosts is the pool with the choices made so far.
func (p *Pool) Hosts() []*messages.HostFacts { return p.hosts }

// ChooseAny replaces d's choice by any of the group's candidates, by chance but
// the same for the same instance and attempt.
func (g *Group) ChooseAny(r Request, d *messages.Decision) {
	if d.Chosen == "" {
		return
	}
	var names []string
	for _, c := range g.candidates {
		if name := g.pool.hosts[c.at].Name; c.raw != nil && !slices.Contains(r.Excluded, name) {
			names = append(names, name)
		}
	}
	d.Chosen, d.Best = names[mix(mix(fnvOffset, r.Instance), "chance")%uint64(len(names))], nil
}
