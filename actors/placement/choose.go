package placement

import (
	"math"
	"slices"

	"github.com/troupe-cloud/troupe/messages"
)

// Choose picks the best host for r, which must be of the group's shape, and
// explains itself. Chosen is empty if no host is left.
func (g *Group) Choose(r Request) *messages.Decision {
	d := &messages.Decision{Hosts: int32(g.pool.count)}
	for _, f := range g.removed {
		if f.Hosts > 0 {
			d.Removed = append(d.Removed, f)
		}
	}
	excluded, tried := g.excluded(r)
	if tried != nil {
		d.Removed = append(d.Removed, tried)
	}
	scale := g.spread(excluded)
	best := g.best(excluded, scale, r.Instance)
	if len(best) == 0 {
		return d
	}
	d.Best = g.explain(best, scale)
	d.Chosen = d.Best[0].Host
	return d
}

// excluded are the indices of candidates that r does not want, in order, and how
// they are counted.
func (g *Group) excluded(r Request) (at []int, tried *messages.FilterCount) {
	for _, name := range r.Excluded {
		i, ok := g.pool.find(name)
		for ; ok && i < g.pool.count && g.pool.host(i).Name == name; i++ {
			if g.hosts.at(i).by == kept && !slices.Contains(at, i) {
				at = append(at, i)
			}
		}
	}
	if len(at) == 0 {
		return nil, nil
	}
	slices.Sort(at)
	last := g.pool.host(at[len(at)-1])
	return at, &messages.FilterCount{Filter: "retry", Hosts: int32(len(at)), Example: last.Name}
}

// each calls see for every candidate but the excluded, in order.
func (g *Group) each(excluded []int, see func(i int, raw *scores)) {
	i := 0
	for _, piece := range g.hosts.pieces {
		for k := range piece {
			switch {
			case len(excluded) > 0 && excluded[0] == i:
				excluded = excluded[1:]
			case piece[k].by == kept:
				see(i, &piece[k].raw)
			}
			i++
		}
	}
}

// scale is the smallest and largest raw value of each weigher: scores are
// normalised to 0..1 over the hosts that are candidates, as Nova does.
type scale struct{ low, high scores }

func (g *Group) spread(excluded []int) (s scale) {
	for w := range weighers {
		s.low[w], s.high[w] = math.Inf(1), math.Inf(-1)
	}
	g.each(excluded, func(_ int, raw *scores) {
		for w, v := range raw {
			s.low[w], s.high[w] = min(s.low[w], v), max(s.high[w], v)
		}
	})
	return s
}

func (s *scale) share(w int, v float64) float64 {
	if s.high[w] == s.low[w] {
		return 0
	}
	return weighers[w].multiplier * (v - s.low[w]) / (s.high[w] - s.low[w])
}

func (s *scale) sum(raw *scores) (score float64) {
	for w, v := range raw {
		score += s.share(w, v)
	}
	return score
}

// explained is how many of the best hosts a decision names.
const explained = 5

// equal is how much scores differ at most that count as the same.
const equal = 1e-9

// candidate is a host that may be the best.
type candidate struct {
	at    int // its index
	raw   *scores
	score float64
	draw  uint64 // decides between equals, the larger first
}

func (a *candidate) better(b *candidate) bool {
	if math.Abs(a.score-b.score) > equal {
		return a.score > b.score
	}
	return a.draw > b.draw
}

// best are the best candidates, best first. Ties break on the instance, so equal
// hosts share the load and a retry repeats itself.
func (g *Group) best(excluded []int, s scale, instance string) []candidate {
	best, from := make([]candidate, 0, explained+1), mix(fnvOffset, instance)
	var last scores // hosts that are alike often come one after the other
	var score float64
	g.each(excluded, func(i int, raw *scores) {
		if len(best) == 0 || *raw != last {
			last, score = *raw, s.sum(raw)
		}
		if len(best) == explained && best[explained-1].score-score > equal {
			return
		}
		c := candidate{i, raw, score, mix(from, g.pool.host(i).Name)}
		at := len(best)
		for at > 0 && c.better(&best[at-1]) {
			at--
		}
		if at < explained {
			best = slices.Insert(best, at, c)
			best = best[:min(len(best), explained)]
		}
	})
	return best
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

// explain are the scores of the best hosts, which are allocated together. Hosts that
// are alike share what is said of the weighers, also from one choice to the next.
func (g *Group) explain(best []candidate, scale scale) []*messages.HostScore {
	said, block := make([]*messages.HostScore, len(best)), make([]messages.HostScore, len(best))
	for i, c := range best {
		if e := &g.explained; e.shares == nil || e.raw != *c.raw || e.scale != scale {
			*e = explanation{*c.raw, scale, scale.shares(c.raw)}
		}
		s := &block[i]
		s.Host, s.Score, s.Shares = g.pool.host(c.at).Name, c.score, g.explained.shares
		said[i] = s
	}
	return said
}

// explanation is what is said of the weighers about hosts with these scores.
type explanation struct {
	raw    scores
	scale  scale
	shares []*messages.WeighShare // never changed
}

func (s *scale) shares(raw *scores) []*messages.WeighShare {
	said, block := make([]*messages.WeighShare, len(weighers)), new([len(weighers)]messages.WeighShare)
	for w, v := range raw {
		share := &block[w]
		share.Weigher, share.Raw, share.Share = weighers[w].name, v, s.share(w, v)
		said[w] = share
	}
	return said
}

// ChooseAny replaces d's choice by any of the group's candidates, by chance but
// the same for the same instance and attempt.
func (g *Group) ChooseAny(r Request, d *messages.Decision) {
	if d.Chosen == "" {
		return
	}
	var left []int
	excluded, _ := g.excluded(r)
	g.each(excluded, func(i int, _ *scores) { left = append(left, i) })
	any := left[mix(mix(fnvOffset, r.Instance), "chance")%uint64(len(left))]
	d.Chosen, d.Best = g.pool.host(any).Name, nil
}
