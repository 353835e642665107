package cluster

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/troupe-cloud/troupe/cluster/view"
)

// A node that leaves owns nothing from one moment to the next, and until the last of
// its grains has let go none lives anywhere. That takes as long as there are grains,
// and one with many rows is long in coming up again. So a node prepares for it while
// everything still lives here: who is not asked leaves memory, a few at a time, and
// the rows of the large go ahead to where they will live.

const (
	fewGrains   = 256                    // so many let go in a moment
	partLook    = 250 * time.Millisecond // who is not asked for so long leaves memory
	partSlice   = 64                     // grains that are told at once,
	partPause   = 2 * time.Millisecond   // and then requests come first
	partTimeout = 4 * time.Second        // what is not ready then moves as it is
)

// parting tells a grain that it will live elsewhere soon.
type parting struct {
	to     view.Member
	ctx    context.Context
	cold   uint32        // it leaves memory if it was not used since that epoch; 0: it stays
	copied chan struct{} // closed when its rows are there, or will not be; nil: they need not
	told   atomic.Bool   // copied is set if it ever will be
}

func (*parting) IgnoreDeadLetterLogging() {}

// Drain gives everything that lives here to the other nodes, which this one stays a
// member with, and returns once they have it.
func (n *Node) Drain(ctx context.Context) error {
	n.part(ctx)
	return n.net.Drain(ctx)
}

// part prepares for this node to own nothing.
func (n *Node) part(ctx context.Context) {
	if n.net == nil {
		return
	}
	next := n.routing.Load().without()
	if next == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, partTimeout)
	defer cancel()
	all, cold := n.lookup.all(), uint32(0)
	if len(all) > fewGrains {
		cold = n.epoch.Add(1)
		sleep(ctx, partLook)
	}
	began := time.Now()
	large := n.tellParting(ctx, next, all, cold)
	for g, p := range large {
		for !p.told.Load() && n.lookup.has(g) && sleep(ctx, partPause) {
		}
		if p.told.Load() && p.copied != nil {
			select {
			case <-p.copied:
			case <-ctx.Done():
			}
		}
	}
	n.log.Info().Int("grains", len(all)).Int64("left", n.live.Load()).Dur("took", time.Since(began)).Msg("ready to hand over")
}

// tellParting tells all grains, and returns those that may have many rows.
func (n *Node) tellParting(ctx context.Context, next *routing, all []*grain, cold uint32) map[*grain]*parting {
	large := map[*grain]*parting{}
	for i, g := range all {
		to, ok := next.owner(g.ref)
		if !ok || to.ID == next.self {
			continue
		}
		p := &parting{to: to, ctx: ctx, cold: cold}
		if g.kind.kind.HasTables() {
			large[g] = p
		}
		n.system.Root.Send(g.pid, p)
		if i%partSlice == partSlice-1 && !sleep(ctx, partPause) {
			break
		}
	}
	return large
}

// without is the routing of the coming view in which this node leaves; nil if it
// does so already, or nobody else is there.
func (r *routing) without() *routing {
	members := slices.Clone(r.view.Members)
	at := slices.IndexFunc(members, func(m view.Member) bool { return m.ID == r.self })
	if at < 0 || len(members) == 1 || members[at].Leaving || r.fenced {
		return nil
	}
	members[at].Leaving = true
	return &routing{view: view.New(r.view.Index, members), self: r.self}
}

// all are the grains in memory.
func (l *lookup) all() (all []*grain) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.RLock()
		for _, g := range s.grains {
			all = append(all, g)
		}
		s.mu.RUnlock()
	}
	return all
}

// has says whether that very activation is in memory.
func (l *lookup) has(g *grain) bool {
	s := l.shard(g.ref)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.grains[g.ref] == g
}

// part prepares to live elsewhere.
func (g *grain) part(p *parting) {
	defer p.told.Store(true)
	switch {
	case g.gone != nil || g.retiring != nil || g.expelled.Load() != 0:
	case g.large():
		g.copyTo(p)
	case p.cold != 0 && g.used.Load() < p.cold && g.waiting.Load() == 0:
		g.passivate()
	}
}
