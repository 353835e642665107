package service

import (
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// lateTime is how late the grain may be woken without doubting what it has heard:
// if it comes later, beats wait behind as well, and nobody is given up before
// they had time to arrive.
const lateTime = 3 * time.Second

// woken does what is due.
func woken(s State, in actors.Input) (State, []actors.Effect, error) {
	w := s.edit(in)
	w.woken = true
	if s.live.wake != 0 && w.now-s.live.wake > lateTime.Milliseconds() {
		w.l.grace = w.now + BeatTimeout.Milliseconds()
	}
	w.expire()
	w.disown()
	w.expireMembers()
	if w.exists() && w.l.emptyAt != 0 && w.l.emptyAt <= w.now && w.l.held == 0 {
		w.bury()
	}
	return w.done()
}

// expire looks at the slots whose buckets are due. A beat does not move its slot:
// whether there was one is seen here.
func (w *edit) expire() {
	if w.l.first == 0 || w.l.first > w.now {
		return
	}
	var probes []actors.ProbeTarget
	due := w.l.buckets
	w.l.first = 0
	for it := due.Iterator(); !it.Done(); {
		at, b, _ := it.Next()
		if at > w.now {
			w.l.first = at
			break
		}
		w.l.buckets = w.l.buckets.Delete(at)
		for slot := range b.all {
			if w.l.armed.get(slot) != at {
				continue
			}
			w.l.armed = w.l.armed.set(slot, 0, w.by)
			if r := w.l.slots.get(slot); r.e.Persistent {
				probes = w.probe(probes, r)
			} else if byItself(r.e) {
				probes = w.probeAlone(probes, r)
			} else {
				w.look(r)
			}
		}
	}
	for len(probes) > 0 {
		some := probes[:min(len(probes), maxProbes)]
		probes = probes[len(some):]
		w.effects = append(w.effects, actors.Probe{Targets: some})
	}
}

// look does with an ephemeral endpoint what its lease says.
func (w *edit) look(r *entry) {
	last := w.l.lease.get(r.slot)
	if r.e.Owner != "" {
		switch {
		case last <= w.now:
			w.remove(r)
		case last < forever:
			w.arm(r.slot, last)
		}
		return
	}
	missed := w.now - last
	gone, ill := missed >= Deletion(r.e).Milliseconds(), missed >= Timeout(r.e).Milliseconds()
	switch {
	case (gone || ill && r.e.Healthy) && w.now < w.l.grace:
		w.arm(r.slot, w.l.grace)
		return
	case gone:
		w.remove(r)
		return
	case ill:
		r = w.health(r, false)
	}
	w.arm(r.slot, deadline(r.e, last))
}

// deadline is when an endpoint that beat last at that time has to be looked at.
func deadline(e *messages.Endpoint, last int64) int64 {
	in := Deletion(e)
	if e.Healthy {
		in = min(in, Timeout(e))
	}
	return last + in.Milliseconds()
}

// health shows an endpoint as healthy or not. It is not stored for that, but
// of a server: it would have to begin anew wherever the service moves.
func (w *edit) health(r *entry, healthy bool) *entry {
	if r.e.Healthy == healthy {
		return r
	}
	e := copyOf(r.e)
	e.Healthy = healthy
	next := &entry{e: e, reg: r.reg, sum: r.sum, at: r.at}
	if e.Status != "" {
		next.reg = r.registered() // which remembers what it said of its health
	}
	w.replace(r, next, false)
	if isServer(next.e) {
		w.keepRow(nil, next)
	}
	return next
}

// beat is a sign of life.
func (w *edit) beat(r *entry, healthy bool) {
	if r.e.Status != "" {
		healthy = r.said()
	}
	w.l.lease = w.l.lease.set(r.slot, w.now, w.by)
	if next := w.health(r, healthy); next != r {
		w.arm(r.slot, deadline(next.e, w.now))
	}
}

// said is how healthy an endpoint with a status is as long as it beats: as it has
// registered, unless somebody has set another status since.
func (r *entry) said() bool {
	was := r.registered()
	return r.e.Healthy || was.Healthy && r.e.Status == was.Status && r.e.StatusOverride == was.StatusOverride
}

func renew(s State, in actors.Input, m *messages.RenewEndpoints) (State, []actors.Effect, error) {
	w := s.edit(in)
	answer := &messages.EndpointsRenewed{IntervalMs: make([]int64, len(m.Keys))}
	for i, k := range m.Keys {
		p := w.l.at(k)
		if p.empty() {
			answer.Unknown = append(answer.Unknown, int32(i))
			continue
		}
		r := p.newest
		if own := p.of(k.Owner); own != nil {
			r = own
		}
		if r.e.Owner == "" && !r.e.Persistent {
			w.beat(r, true)
		}
		answer.IntervalMs[i] = Interval(r.e).Milliseconds()
	}
	return w.done(actors.Reply{Message: answer})
}

// nextWake is when there is something to do.
func (w *edit) nextWake() int64 {
	next := w.l.first
	sooner := func(at int64) {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	for _, m := range w.l.members {
		sooner(max(m.last+MemberTimeout.Milliseconds(), w.l.grace))
	}
	if w.unsaved() {
		sooner(max(w.l.saveAt, 1))
	}
	sooner(w.l.emptyAt)
	return next
}
