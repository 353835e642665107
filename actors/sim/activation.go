package sim

import (
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/messages"
)

// activation is a grain in memory; a grain may have several, of which the store lets
// one commit.
type activation struct {
	ref      actors.Ref
	state    actors.State
	rev      uint64
	deferred map[string][]func(actors.Message, error)
	alarm    time.Time // when it is woken; zero: not at all
	unread   bool      // it began with nothing, and no commit has proved yet that this was right

	// Of a host: the epoch of the node it lives on, if that is the one that drives
	// its hypervisor; 0: it is in exile.
	epoch uint64
}

// activate is the activation that a message goes to: one that lives, or a new one.
func (w *World) activate(to actors.Ref, m actors.Message) *activation {
	if live := w.acts[to]; len(live) > 0 && !w.chance(w.faults.Second) {
		return live[w.rng.IntN(len(live))]
	}
	if kind := w.kinds[to.Kind]; kind != nil && kind.Makes(m) && w.rng.IntN(4) > 0 { // one in four is asked again, and reads
		return w.begin(to, kind)
	}
	return w.activation(to)
}

// begin makes an activation that reads nothing, because of the message that is its
// first.
func (w *World) begin(to actors.Ref, kind actors.Kind) *activation {
	st, err := kind.Open(nil, nil)
	if err != nil {
		w.fail("open %v: %w", to, err)
		return nil
	}
	a := &activation{ref: to, deferred: map[string][]func(actors.Message, error){}, state: st, unread: true}
	w.joined(a)
	return a
}

// joined counts a among those of its grain.
func (w *World) joined(a *activation) {
	w.acts[a.ref] = append(w.acts[a.ref], a)
	if len(w.acts[a.ref]) > 1 {
		w.after(splitTime, func() { w.dropStale(a.ref) })
	}
}

// activation makes another one.
func (w *World) activation(to actors.Ref) *activation {
	kind, ok := w.kinds[to.Kind]
	if !ok {
		w.fail("no kind %s", to.Kind)
		return nil
	}
	a := &activation{ref: to, deferred: map[string][]func(actors.Message, error){}}
	if !w.read(a, kind) {
		return nil
	}
	if to.Kind == host.Kind {
		if h := w.hypervisor(to.ID); h.home {
			a.epoch = h.epoch
		}
	}
	w.joined(a)
	w.handle(a, &messages.Activated{}, func(actors.Message, error) {})
	if !slices.Contains(w.acts[to], a) {
		return nil
	}
	return a
}

// drop forgets one: those who wait for its answers wait in vain.
func (w *World) drop(a *activation) {
	w.acts[a.ref] = slices.DeleteFunc(w.acts[a.ref], func(x *activation) bool { return x == a })
	for _, key := range sorted(a.deferred) {
		for _, r := range a.deferred[key] {
			r(nil, errLost)
		}
	}
	a.deferred = nil
	if a.ref.Kind == host.Kind {
		// The node keeps the hosts of its own hypervisors alive, and lists what is
		// there whenever one has stopped: it may have swallowed what it was told.
		w.after(100*time.Millisecond, func() {
			if h := w.hypervisor(a.ref.ID); h.connected && h.home {
				h.list()
			}
		})
	}
}
