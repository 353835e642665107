package placement

import "github.com/troupe-cloud/troupe/messages"

// Group is the evaluation of one shape over a pool; it serves every request of
// that shape and is brought up to date host by host as choices are made. The
// exclusions of single requests are not part of it: Choose takes care of them.
type Group struct {
	pool    *Pool
	shape   *messages.ScheduleShape
	hosts   column[judged]
	removed []*messages.FilterCount // by filter; replaced, never changed

	explained explanation // the last
}

// judged is what filters and weighers said of one host.
type judged struct {
	raw scores
	by  int8 // the filter that removed it; kept: none
}

const kept int8 = -1

// scores are one number of each weigher.
type scores [len(weighers)]float64

// evaluate asks every host about the shape.
func (p *Pool) evaluate(shape *messages.ScheduleShape) *Group {
	g := &Group{pool: p, shape: shape}
	for _, f := range filters {
		g.removed = append(g.removed, &messages.FilterCount{Filter: f.name})
	}
	r, rows, at := Request{ScheduleShape: shape}, make([]judged, p.count), 0
	for _, piece := range p.hosts.pieces {
		for _, h := range piece {
			rows[at] = judge(r, Host{h})
			if f := rows[at].by; f != kept {
				if g.removed[f].Hosts++; g.removed[f].Hosts == 1 {
					g.removed[f].Example = h.Name
				}
			}
			at++
		}
	}
	g.hosts = newColumn(rows)
	return g
}

func judge(r Request, h Host) (j judged) {
	for i := range filters {
		if !filters[i].keep(r, h) {
			j.by = int8(i)
			return j
		}
	}
	j.by = kept
	for i := range weighers {
		j.raw[i] = weighers[i].weigh(r, h)
	}
	return j
}

// refresh looks again at a host that has become fuller. What it leaves is what
// an evaluation of its own would have found.
func (g *Group) refresh(i int) {
	was, now := g.hosts.at(i).by, judge(Request{ScheduleShape: g.shape}, Host{g.pool.host(i)})
	g.hosts.set(i, now)
	if was == now.by {
		return
	}
	for _, f := range []int8{was, now.by} {
		if f != kept {
			g.recount(f)
		}
	}
}

// recount counts what a filter removes.
func (g *Group) recount(f int8) {
	c := &messages.FilterCount{Filter: filters[f].name}
	for i := range g.pool.count {
		if g.hosts.at(i).by != f {
			continue
		}
		if c.Hosts++; c.Hosts == 1 {
			c.Example = g.pool.host(i).Name
		}
	}
	g.removed[f] = c
}
