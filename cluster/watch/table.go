// Package watch owns who wants to know when a grain changes: on the side of the
// grain's owner a table of nodes to tell, on the side of those who watch a hub
// that fetches once for all of them. It knows no transport, and nothing of what
// the grains are.
//
// A notice says only how new the state is; it may be lost, doubled or late. Who
// watches fetches the state itself, and asks again every few seconds whether it
// knows the newest version: so the last state is never missed.
package watch

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Limits of a Table and of what is said at once.
const (
	MaxWatched = 200_000 // grains with watchers, on one node
	MaxBatch   = 1000    // grains in one message
)

// Table knows which nodes watch the grains that live on this one. Safe for
// concurrent use.
type Table struct {
	wake  func() // told when there is something to be said
	grain atomic.Int64

	mu      sync.Mutex
	stamp   string
	touches uint64
	of      map[actors.Ref]*watched
	outbox  map[string]map[actors.Ref]struct{} // by member
}

type watched struct {
	version  uint64
	touched  uint64
	known    bool
	watchers map[string]time.Time // member id: until when
}

// NewTable makes an empty table. The stamp is unique to this membership; wake is
// called, and must not block, when Outbox has something.
func NewTable(stamp string, wake func()) *Table {
	return &Table{wake: wake, stamp: stamp, of: map[actors.Ref]*watched{}, outbox: map[string]map[actors.Ref]struct{}{}}
}

// Len is how many grains are watched.
func (t *Table) Len() int { return int(t.grain.Load()) }

// Watch notes that a member wants to hear of a grain until then, and says what
// is known of it now. Unknown means that the grain must be loaded first.
func (t *Table) Watch(member string, until time.Time, ref actors.Ref) *messages.GrainVersion {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.of[ref]
	if w == nil {
		if len(t.of) >= MaxWatched {
			return &messages.GrainVersion{Kind: ref.Kind, Id: ref.ID, Unknown: true}
		}
		// What is in memory only may have changed unnoticed: no number that was
		// given before says so.
		t.touches++
		w = &watched{touched: t.touches, watchers: map[string]time.Time{}}
		t.of[ref] = w
		t.grain.Store(int64(len(t.of)))
	}
	w.watchers[member] = until
	return t.say(ref, w)
}

func (t *Table) say(ref actors.Ref, w *watched) *messages.GrainVersion {
	if !w.known {
		return &messages.GrainVersion{Kind: ref.Kind, Id: ref.ID, Unknown: true}
	}
	return &messages.GrainVersion{Kind: ref.Kind, Id: ref.ID, Version: w.version, Stamp: t.stamp, Touched: w.touched}
}

// Changed notes that a grain was loaded or committed at a version.
func (t *Table) Changed(ref actors.Ref, version uint64) {
	if t.grain.Load() > 0 {
		t.note(ref, func(w *watched) bool {
			fresh := !w.known || version > w.version
			w.version, w.known = max(version, w.version), true
			return fresh
		})
	}
}

// Touched notes that what is in a grain's memory only has changed.
func (t *Table) Touched(ref actors.Ref) {
	if t.grain.Load() > 0 {
		t.note(ref, func(w *watched) bool {
			t.touches++
			w.touched = t.touches
			return w.known
		})
	}
}

func (t *Table) note(ref actors.Ref, change func(*watched) bool) {
	t.mu.Lock()
	w := t.of[ref]
	tell := w != nil && change(w)
	if tell {
		for member := range w.watchers {
			if t.outbox[member] == nil {
				t.outbox[member] = map[actors.Ref]struct{}{}
			}
			t.outbox[member][ref] = struct{}{}
		}
	}
	t.mu.Unlock()
	if tell {
		t.wake()
	}
}

// Outbox is what is to be said now, by member: of each grain the newest.
func (t *Table) Outbox() map[string][]*messages.GrainVersion {
	t.mu.Lock()
	defer t.mu.Unlock()
	said := make(map[string][]*messages.GrainVersion, len(t.outbox))
	for member, refs := range t.outbox {
		for ref := range refs {
			if w := t.of[ref]; w != nil {
				said[member] = append(said[member], t.say(ref, w))
			}
		}
		slices.SortFunc(said[member], func(a, b *messages.GrainVersion) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Id, b.Id))
		})
	}
	clear(t.outbox)
	return said
}

// Drop forgets the grains that which picks: they are not this node's any more.
func (t *Table) Drop(which func(actors.Ref) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ref := range t.of {
		if which(ref) {
			delete(t.of, ref)
		}
	}
	t.grain.Store(int64(len(t.of)))
}

// Restamp forgets everything: this process is another member now.
func (t *Table) Restamp(stamp string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stamp = stamp
	clear(t.of)
	clear(t.outbox)
	t.grain.Store(0)
}

// Expire forgets watchers who have not said for too long that they still are.
func (t *Table) Expire(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ref, w := range t.of {
		for member, until := range w.watchers {
			if now.After(until) {
				delete(w.watchers, member)
			}
		}
		if len(w.watchers) == 0 {
			delete(t.of, ref)
		}
	}
	t.grain.Store(int64(len(t.of)))
}
