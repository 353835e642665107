package service

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/benbjohnson/immutable"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// edit is one Step on its way: a copy of the state that it may change, and what it
// has come to so far.
type edit struct {
	State
	was     *kept
	l       *live // its own until it is done
	by      *token
	in      actors.Input
	now     int64
	effects []actors.Effect
	visible bool                 // what subscribers see has changed
	woken   bool                 // nobody waits for what comes of it
	tallied bool                 // l.clusters is a copy
	touched []*messages.Endpoint // of whose addresses something was replaced
	arms    []arm
	removed []*entry // of owners that have not heard of it
}

type arm struct {
	at   int64
	slot uint32
}

func (s State) edit(in actors.Input) *edit {
	l := *s.live
	return &edit{State: s, was: s.kept, l: &l, by: &token{}, in: in, now: in.Now.UnixMilli()}
}

// revisionAhead is how far the committed mark is ahead of the revisions, in
// milliseconds: a service that changes all the time commits it once in that time.
const revisionAhead = 60_000

// done is the state that came of it.
func (w *edit) done(effects ...actors.Effect) (State, []actors.Effect, error) {
	w.disown()
	if len(w.touched) > 0 || w.visible {
		w.l.memo = w.State.live.memo.changed(w.touched)
	}
	if w.visible {
		w.l.rev = max(w.now, w.l.rev+1)
		if w.exists() && w.l.rev >= w.kept.High {
			w.store().High = w.l.rev + revisionAhead
		}
	}
	if w.woken || w.was != w.kept {
		w.save()
	} else {
		w.saveSoon()
	}
	if rev := max(w.now, w.l.rev); w.was != w.kept && w.exists() && w.kept.High < rev+revisionAhead/2 {
		w.kept.High = rev + revisionAhead // as something is stored anyway: so no change waits for that
	}
	w.flush()
	if w.was != w.kept {
		w.kept.Endpoints, w.kept.Healthy = int32(w.l.shown), int32(w.l.healthy)
		w.kept.ClusterCount = int32(len(w.l.clusters))
		w.kept.settle()
	} else if w.visible {
		w.effects = append(w.effects, actors.Notify{})
	}
	w.emptied()
	w.l.wake = w.nextWake()
	w.State.live = w.l
	if len(w.effects) == 0 {
		return w.State, effects, nil
	}
	return w.State, append(w.effects, effects...), nil
}

// store is what is stored, to be changed: it will be committed.
func (w *edit) store() *kept {
	if w.kept == w.was {
		w.kept = w.kept.change()
	}
	return w.kept
}

// emptied starts and stops the time after which an empty service goes.
func (w *edit) emptied() {
	switch {
	case !w.exists() || !w.kept.Auto || w.l.held > 0:
		w.l.emptyAt = 0
	case w.l.emptyAt == 0:
		w.l.emptyAt = w.now + EmptyTime.Milliseconds()
	}
}

// add makes room for a registration and returns it with its slot.
func (w *edit) add(r *entry) *entry {
	if f := w.l.free; f != nil {
		w.l.free, r.slot = f.next, f.slot
	} else {
		r.slot = w.l.used
		w.l.used++
	}
	w.l.held++
	w.insert(r)
	w.keepRow(nil, r)
	return r
}

// insert puts a registration that has its slot at the head of its place.
func (w *edit) insert(r *entry) {
	e := r.e
	p := w.l.place(e.Ip, e.Port, e.Cluster)
	if p.empty() {
		w.tally(e.Cluster, 1)
		w.setPlace(p, place{newest: r})
	} else {
		w.setPlace(p, joint(slices.AppendSeq([]*entry{r}, p.all)))
	}
	w.l.slots = w.l.slots.set(r.slot, r, w.by)
}

// replace puts r in the place of old, of the same owner and address. Newest: at the
// head.
func (w *edit) replace(old, r *entry, newest bool) {
	r.slot = old.slot
	p := w.l.place(old.e.Ip, old.e.Port, old.e.Cluster)
	if p.alone() {
		w.setPlace(p, place{newest: r})
	} else {
		all := slices.Collect(p.all)
		i := slices.Index(all, old)
		all[i] = r
		if newest && i > 0 {
			copy(all[1:], all[:i])
			all[0] = r
		}
		w.setPlace(p, joint(all))
	}
	w.l.slots = w.l.slots.set(r.slot, r, w.by)
}

// remove takes a registration out; its owner hears of it at the end.
func (w *edit) remove(r *entry) {
	p := w.l.place(r.e.Ip, r.e.Port, r.e.Cluster)
	if p.alone() {
		w.setPlace(p, place{})
		w.tally(r.e.Cluster, -1)
	} else {
		w.setPlace(p, joint(slices.DeleteFunc(slices.Collect(p.all), func(o *entry) bool { return o == r })))
	}
	w.l.slots = w.l.slots.set(r.slot, nil, w.by)
	w.disarm(r.slot)
	w.l.free = &freeSlot{r.slot, w.l.free}
	w.l.held--
	w.keepRow(r, nil)
	if r.e.Owner != "" && !isServer(r.e) {
		w.removed = append(w.removed, r)
	}
}

// setPlace replaces one place by another, of the same address, and counts what is shown.
func (w *edit) setPlace(old, p place) {
	var was, is *messages.Endpoint
	if !old.empty() {
		was = old.shown()
		w.count(was, -1)
	}
	if !p.empty() {
		is = p.shown()
		w.count(is, 1)
		w.l.places = w.l.places.set(p, func(o place) bool { return o.is(is.Ip, is.Port, is.Cluster) }, w.by)
	} else {
		w.l.places = w.l.places.del(old.hash(), func(o place) bool { return o.is(was.Ip, was.Port, was.Cluster) }, w.by)
	}
	if was == is {
		return
	}
	if w.touched == nil {
		w.touched = make([]*messages.Endpoint, 0, 2) // one comes and another one goes, mostly
	}
	if is != nil {
		w.touched = append(w.touched, is)
	} else {
		w.touched = append(w.touched, was)
	}
	w.visible = w.visible || was == nil || is == nil || !looksLike(was, is)
}

func (w *edit) count(e *messages.Endpoint, by int) {
	w.l.shown += by
	if e.Healthy {
		w.l.healthy += by
	}
}

// tally counts the addresses of a cluster.
func (w *edit) tally(cluster string, by int) {
	i, ok := slices.BinarySearchFunc(w.l.clusters, cluster, func(t tally, name string) int { return cmp.Compare(t.name, name) })
	all := w.l.clusters
	if !w.tallied {
		w.tallied, all = true, slices.Clone(all)
	}
	if !ok {
		all = slices.Insert(all, i, tally{name: cluster})
	}
	if all[i].n += by; all[i].n == 0 {
		all = slices.Delete(all, i, i+1)
	}
	w.l.clusters = all
}

// keepRow stores a persistent endpoint or a server's, or marks the chunk of an ephemeral one.
func (w *edit) keepRow(old, r *entry) {
	one := r
	if one == nil {
		one = old
	}
	if isServer(one.e) {
		w.keepServer(old, r)
		return
	}
	if !one.e.Persistent {
		w.soil(one.slot)
		return
	}
	w.store()
	if r == nil {
		w.Persistent = w.Persistent.Delete(addressKey(old.e))
	} else {
		w.Persistent = w.Persistent.Set(addressKey(r.e), r)
	}
}

// looksLike says whether subscribers see no difference.
func looksLike(a, b *messages.Endpoint) bool {
	return a.Weight == b.Weight && a.Enabled == b.Enabled && a.Healthy == b.Healthy && a.Persistent == b.Persistent &&
		a.Id == b.Id && a.App == b.App && a.Dialect == b.Dialect && a.StatusOverride == b.StatusOverride &&
		a.BeatIntervalMs == b.BeatIntervalMs && a.BeatTimeoutMs == b.BeatTimeoutMs && a.DeleteTimeoutMs == b.DeleteTimeoutMs &&
		a.Status == b.Status && bytes.Equal(a.Document, b.Document) && sameMap(a.Metadata, b.Metadata)
}

func sameMap(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if o, ok := b[k]; !ok || o != v {
			return false
		}
	}
	return true
}

// bucketMS is how exactly deadlines are kept.
const bucketMS = 500

// arm has a slot looked at when a time has come, and only then.
func (w *edit) arm(slot uint32, at int64) {
	at = (at + bucketMS - 1) / bucketMS * bucketMS
	if w.l.armed.get(slot) == at {
		return
	}
	w.l.armed = w.l.armed.set(slot, at, w.by)
	w.arms = append(w.arms, arm{at, slot})
}

// disarm has a slot looked at no more.
func (w *edit) disarm(slot uint32) {
	if w.l.armed.get(slot) != 0 {
		w.l.armed = w.l.armed.set(slot, 0, w.by)
	}
}

// hold gives a slot a lease without an end.
func (w *edit) hold(slot uint32) {
	if w.l.lease.get(slot) != forever {
		w.l.lease = w.l.lease.set(slot, forever, w.by)
	}
}

// flush puts what was armed into its buckets.
func (w *edit) flush() {
	if len(w.arms) == 0 {
		return
	}
	slices.SortFunc(w.arms, func(a, b arm) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.slot, b.slot)) })
	if w.l.buckets == nil {
		w.l.buckets = immutable.NewSortedMap[int64, *bucket](nil)
	}
	for i := 0; i < len(w.arms); {
		j, at := i, w.arms[i].at
		for j < len(w.arms) && w.arms[j].at == at {
			j++
		}
		old, _ := w.l.buckets.Get(at)
		b := &bucket{slot: w.arms[i].slot, next: old}
		if j > i+1 {
			b.more = make([]uint32, 0, j-i)
			for _, a := range w.arms[i:j] {
				b.more = append(b.more, a.slot)
			}
		}
		w.l.buckets = w.l.buckets.Set(at, b)
		if w.l.first == 0 || at < w.l.first {
			w.l.first = at
		}
		i = j
	}
}
