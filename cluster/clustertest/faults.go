package clustertest

import (
	"time"
)

// Kill ends a node as kill -9 does: nothing leaves it any more, its calls break,
// and it is evicted. The Node itself must still be stopped by the test.
func (w *World) Kill(name string) {
	w.mu.Lock()
	n := w.nets[name]
	n.dead = true
	delete(w.nets, name)
	id := n.self.ID
	lost := w.lose(func(x *exchange) bool { return x.from == name || x.to == id })
	w.suspect(n, id)
	w.mu.Unlock()
	fail(lost)
}

// Pause stops a node as SIGSTOP does, as far as others can tell: nothing goes in
// or out, neither to the store (see Store), and it is evicted if it takes long.
func (w *World) Pause(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.nets[name]
	n.paused = true
	n.lapse(w.config.Timings.Lease)
	w.suspect(n, n.self.ID)
}

// Resume lets a node go on with what it was at.
func (w *World) Resume(name string) {
	w.mu.Lock()
	n := w.nets[name]
	n.paused = false
	inbox := n.inbox
	n.inbox = nil
	w.sees(n)
	w.mu.Unlock()
	for _, f := range inbox {
		f()
	}
}

// Cut breaks the way from one node to another; Mend makes it whole.
func (w *World) Cut(from, to string)  { w.set(from, to, true) }
func (w *World) Mend(from, to string) { w.set(from, to, false) }

func (w *World) set(from, to string, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts[link{from, to}] = cut
}

// Isolate cuts a node off from all others, in both directions, and from the
// table too if blind is set. The others evict it; Reunite ends it.
func (w *World) Isolate(name string, blind bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.nets[name]
	for other := range w.nets {
		if other != name {
			w.cuts[link{name, other}], w.cuts[link{other, name}] = true, true
		}
	}
	if blind {
		n.blind = true
		n.lapse(w.config.Timings.Lease)
	}
	w.suspect(n, n.self.ID)
}

// Reunite ends what Isolate has begun.
func (w *World) Reunite(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := range w.cuts {
		if l.from == name || l.to == name {
			delete(w.cuts, l)
		}
	}
	n := w.nets[name]
	n.blind = false
	w.sees(n)
}

// Evict takes a member out of the table although nothing is wrong with it.
func (w *World) Evict(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.evict(w.nets[name], w.nets[name].self.ID)
}

// suspect has n evicted if it is still out of reach after Detect. Under w.mu.
func (w *World) suspect(n *Net, id string) {
	w.later(w.config.Timings.Detect, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if n.dead || n.paused || n.blind || w.isolated(n.name) {
			w.evict(n, id)
		}
	})
}

// evict takes a member out of the table. Called under w.mu.
func (w *World) evict(n *Net, id string) {
	if !w.latest.Has(id) {
		return
	}
	t := w.config.Timings
	if until := time.Now().Add(t.Lease + t.Margin); until.After(w.grace) {
		w.grace = until
	}
	if !n.dead && n.self.ID == id {
		n.lapse(t.Lease)
	}
	w.remove(id)
}

// lapse lets n's lease run out, unless it does already. Called under w.mu.
func (n *Net) lapse(after time.Duration) {
	if n.lapses.IsZero() {
		n.lapses = time.Now().Add(after)
	}
}

// sees has n look at the table again, and its lease renewed if it is still a
// member. Called under w.mu.
func (w *World) sees(n *Net) {
	if n.paused || n.blind {
		return
	}
	if w.latest.Has(n.self.ID) {
		n.lapses = time.Time{}
	}
	w.later(0, n.look)
	close(n.changed)
	n.changed = make(chan struct{})
}

// isolated says whether a node reaches none of the others. Called under w.mu.
func (w *World) isolated(name string) bool {
	alone := len(w.nets) > 1
	for other := range w.nets {
		if other != name && !w.cuts[link{name, other}] {
			alone = false
		}
	}
	return alone
}
