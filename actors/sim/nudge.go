package sim

import (
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// nudge wakes whoever has work outstanding, and activates whoever wants to be kept, as
// the shell and its sweep do.
func (w *World) nudge() {
	for _, key := range w.rowKeys(actors.UnsettledPrefix) {
		ref, ok := actors.ParseUnsettledKey(key)
		switch {
		case !ok:
		case w.unsettled(ref):
			w.dropStale(ref)
			w.deliver(ref, &messages.Nudged{}, nil)
		case len(w.acts[ref]) == 0: // it wants to be kept
			w.activate(ref, nil)
		}
	}
	w.after(time.Second, w.nudge)
}

// splitTime is how long two nodes may both think that a grain is theirs.
const splitTime = 5 * time.Second

// dropStale is what the shell does before every nudge and when a split heals: it
// compares its revision with the store's, and an activation that is stale stops.
// Else it would go on asking for what was done long ago, or deaf to what is new,
// changing nothing and so losing no race.
func (w *World) dropStale(ref actors.Ref) {
	for _, a := range slices.Clone(w.acts[ref]) {
		if a.rev != w.store[actors.RecordKey(ref)].rev {
			w.drop(a)
		}
	}
}
