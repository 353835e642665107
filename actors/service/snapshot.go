package service

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/actors"
)

// How ephemeral endpoints are stored: in chunks, of which a commit writes some of
// those that changed, and not again for SnapshotEvery.
const (
	chunkSlots    = 32
	chunksPerSave = 16
	savePause     = 50 * time.Millisecond // between two parts of a snapshot
	// saveDelay is between a change and its snapshot. Who has made the change does not wait
	// for the disk, nor do those who hear of it: they have asked by then what it is.
	saveDelay = 100 * time.Millisecond
)

// soil marks the chunk of a slot as not stored.
func (w *edit) soil(slot uint32) {
	n := int(slot / chunkSlots)
	if n/64 < len(w.l.dirty) && w.l.dirty[n/64]>>(n%64)&1 != 0 {
		return
	}
	next := make([]uint64, max(len(w.l.dirty), n/64+1))
	copy(next, w.l.dirty)
	next[n/64] |= 1 << (n % 64)
	w.l.dirty = next
	w.l.unsaved++
}

// unsaved says whether what is stored is behind: chunks, or the counts in the index.
func (w *edit) unsaved() bool { return w.l.ahead(w.kept) }

// ahead says whether what lives in memory is ahead of what is stored.
func (l *live) ahead(k *kept) bool {
	return k != nil && k.Exists && (l.unsaved > 0 || l.miscounted(k))
}

// miscounted says whether the index entry counts otherwise.
func (l *live) miscounted(k *kept) bool {
	return int(k.Endpoints) != l.shown || int(k.Healthy) != l.healthy || int(k.ClusterCount) != len(l.clusters)
}

// saveSoon has the service woken to save what changed, not before saveDelay.
func (w *edit) saveSoon() {
	if w.unsaved() && !w.State.live.ahead(w.was) {
		w.l.saveAt = max(w.l.saveAt, w.now+saveDelay.Milliseconds())
	}
}

// save stores some of the chunks that changed, if it is time.
func (w *edit) save() {
	if !w.unsaved() || w.now < w.l.saveAt {
		return
	}
	if w.l.miscounted(w.kept) {
		w.store()
	}
	w.l.dirty = slices.Clone(w.l.dirty)
	left := chunksPerSave
	for i := 0; i < len(w.l.dirty) && left > 0; i++ {
		for ; w.l.dirty[i] != 0 && left > 0; left-- {
			bit := bits.TrailingZeros64(w.l.dirty[i])
			w.l.dirty[i] &^= 1 << bit
			w.l.unsaved--
			w.saveChunk(i*64 + bit)
		}
	}
	pause := savePause
	if w.l.unsaved == 0 {
		pause = SnapshotEvery
	}
	w.l.saveAt = w.now + pause.Milliseconds()
}

// saveNow stores the chunks of some slots at once, if they are few: for what nobody
// would say again if it were lost.
func (w *edit) saveNow(slots []uint32) {
	chunks := make([]int, len(slots))
	for i, slot := range slots {
		chunks[i] = int(slot / chunkSlots)
	}
	slices.Sort(chunks)
	if chunks = slices.Compact(chunks); len(chunks) == 0 || len(chunks) > chunksPerSave {
		return
	}
	w.l.dirty = slices.Clone(w.l.dirty)
	for _, n := range chunks {
		if n/64 < len(w.l.dirty) && w.l.dirty[n/64]>>(n%64)&1 != 0 {
			w.l.dirty[n/64] &^= 1 << (n % 64)
			w.l.unsaved--
		}
		w.saveChunk(n)
	}
}

// saveChunk stores one chunk. Where nothing was and nothing is, nothing is stored:
// what is committed differs, or nobody hears of it.
func (w *edit) saveChunk(n int) {
	var c chunk
	for slot := uint32(n * chunkSlots); slot < uint32(n+1)*chunkSlots; slot++ {
		if r := w.l.slots.get(slot); r != nil && !r.e.Persistent && !isServer(r.e) {
			c.entries = append(c.entries, r)
		}
	}
	if len(c.entries) > 0 {
		w.store()
		w.Snapshot = w.Snapshot.Set(chunkKey(n), &c)
	} else if _, ok := w.Snapshot.Get(chunkKey(n)); ok {
		w.store()
		w.Snapshot = w.Snapshot.Delete(chunkKey(n))
	}
}

// restore makes what lives in memory from what is stored. Everybody is given the
// time that a beat just now would have given.
func restore(s State, in actors.Input) State {
	s.live = &live{id: in.ID, memo: &memo{whole: true}}
	if s.kept != nil {
		s.live.rev = s.kept.High
	}
	w := s.edit(in)
	all := w.stored()
	owned := map[string][]uint32{}
	for _, r := range all {
		w.insert(r)
		w.begin(r)
		if r.e.Owner != "" && !isServer(r.e) {
			owned[r.e.Owner] = append(owned[r.e.Owner], r.slot)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(owned)) {
		w.own(name, owned[name], false)
	}
	w.l.held = len(all)
	for slot := range w.l.used {
		if w.l.slots.get(slot) == nil {
			w.l.free = &freeSlot{slot, w.l.free}
		}
	}
	w.flush()
	w.emptied()
	w.l.wake = w.nextWake()
	s.live = w.l
	return s
}

// stored is every stored registration with its slot, the oldest first.
func (w *edit) stored() []*entry {
	all := make([]*entry, 0, w.Persistent.Len())
	for _, c := range w.Snapshot.All() {
		for _, r := range c.entries {
			w.l.used = max(w.l.used, r.slot+1)
			all = append(all, r)
		}
	}
	first := len(all)
	for _, r := range w.Persistent.All() {
		all = append(all, r)
	}
	for _, s := range w.Servers.All() {
		all = append(all, s.Entries...)
	}
	slices.SortFunc(all[first:], func(a, b *entry) int {
		return cmp.Or(byAddress(a.e, b.e), strings.Compare(a.e.Owner, b.e.Owner))
	})
	for i, r := range all[first:] {
		c := *r
		c.slot = w.l.used
		w.l.used++
		all[first+i] = &c
	}
	slices.SortFunc(all, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.slot, b.slot), strings.Compare(a.e.Owner, b.e.Owner))
	})
	return all
}
