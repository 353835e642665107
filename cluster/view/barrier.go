package view

import (
	"time"

	"github.com/troupe-cloud/troupe/actors"
)

// Barrier keeps a grain from living on two members while it changes hands.
//
// A member announces that it has *released* under a view: it holds no grain that
// is not its own under that view, will activate none, and whoever it saw go
// before has been gone for longer than any lease. A view is *stable* for a
// member that knows of all its members that they have released under exactly
// this view. (Exactly: who is at a later view may have skipped this one, and never
// have let go of what was not its own under it.)
//
// A member may activate a grain that it has owned in every view since, and
// including, the last stable one. All others wait.
type Barrier struct {
	id       string
	grace    time.Duration
	history  []*View // from the last stable view on; the last is the present one
	stable   uint64  // index of the last stable view, 0: none yet
	skipped  bool    // the history was too long: only a stable view helps
	let      uint64  // index under which the shell has let go
	said     uint64  // index that is announced
	goneTill time.Time
	heard    map[string]uint64 // announced by others
}

// NewBarrier is for the member with this id. The grace is how long somebody who
// is gone may still serve reads: lease and margin.
func NewBarrier(id string, grace time.Duration) *Barrier {
	return &Barrier{id: id, grace: grace, heard: map[string]uint64{}}
}

// Seen takes the next view.
func (b *Barrier) Seen(now time.Time, v *View) {
	old := b.present()
	switch {
	case old == nil && len(v.Members) <= 1:
		// Alone from the start: nobody can tell who has just been here.
		b.goneTill = now.Add(b.grace)
	case old != nil:
		for _, m := range old.Members {
			if !v.Has(m.ID) && !b.leftInOrder(m) {
				b.goneTill = now.Add(b.grace)
			}
		}
	}
	for id := range b.heard {
		if !v.Has(id) && (old == nil || !old.Has(id)) {
			delete(b.heard, id)
		}
	}
	if b.history = append(b.history, v); len(b.history) > maxHistory {
		b.history, b.skipped = b.history[len(b.history)-1:], true
	}
}

func (b *Barrier) present() *View {
	if len(b.history) == 0 {
		return nil
	}
	return b.history[len(b.history)-1]
}

// leftInOrder reports whether a member that is gone had said that it holds
// nothing, when it owned nothing any more.
func (b *Barrier) leftInOrder(m Member) bool {
	for _, v := range b.history {
		if was, ok := v.ByID(m.ID); ok && was.Leaving {
			return b.heard[m.ID] >= v.Index
		}
	}
	return false
}

// LetGo is the shell's word that no grain is here that is not owned under the
// view with this index.
func (b *Barrier) LetGo(index uint64) { b.let = max(b.let, index) }

// Heard takes what another member has announced.
func (b *Barrier) Heard(id string, released uint64) {
	b.heard[id] = max(b.heard[id], released)
}

// Announce is the index that this member has released under.
func (b *Barrier) Announce(now time.Time) uint64 {
	if v := b.present(); v != nil && b.let == v.Index && !now.Before(b.goneTill) {
		b.said = v.Index
	}
	return b.said
}

// Stable is the index of the newest view known to be stable, and whether that is
// the present one.
func (b *Barrier) Stable(now time.Time) (index uint64, present bool) {
	v := b.present()
	if v == nil {
		return 0, false
	}
	if b.stable != v.Index && b.Announce(now) == v.Index && len(b.Missing()) == 0 {
		b.stable, b.skipped = v.Index, false
		b.history = append(b.history[:0:0], v)
	}
	return b.stable, b.stable == v.Index
}

// Missing are the others that have not announced the present view.
func (b *Barrier) Missing() (missing []Member) {
	v := b.present()
	if v == nil || b.stable == v.Index {
		return nil
	}
	for _, m := range v.Members {
		if m.ID != b.id && b.heard[m.ID] != v.Index {
			missing = append(missing, m)
		}
	}
	return missing
}

// May reports whether this member may activate a grain now. False is either not
// mine, or mine and not yet.
func (b *Barrier) May(ref actors.Ref) bool {
	if b.stable == 0 || b.skipped {
		return false
	}
	for i := len(b.history) - 1; i >= 0; i-- {
		if !b.history[i].Owns(b.id, ref) {
			return false
		}
	}
	return true
}
