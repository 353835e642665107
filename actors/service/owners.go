package service

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// own notes that an owner has registered what is in some slots, and with replace
// that this is all it has. An owner that was dropped lives again.
func (w *edit) own(name string, named []uint32, replace bool) {
	slices.Sort(named)
	named = slices.Compact(named)
	m := w.member(name, len(named) > 0)
	if m == nil {
		return
	}
	m.last = w.now
	o := m.owner(name)
	next := &owner{name: name, h: maphash.String(seed, name), slots: named}
	if o != nil {
		next.name = o.name
		w.retract(m, o)
		if o.drop != 0 {
			w.revive(o)
		}
		if !replace {
			next.slots = slices.Compact(slices.Sorted(slices.Values(append(named, o.slots...))))
		}
	}
	for _, slot := range next.slots {
		m.sum ^= w.l.slots.get(slot).sum
	}
	m.n += len(next.slots)
	w.setOwner(m, o, next)
	if o != nil && replace {
		for _, slot := range o.slots {
			if _, kept := slices.BinarySearch(named, slot); !kept {
				w.remove(w.l.slots.get(slot))
			}
		}
		w.removed = nil // it has heard of it
	}
}

// ownerName is name as it is kept already, so that its endpoints share it.
func (l *live) ownerName(name string) string {
	node, _, _ := strings.Cut(name, "/")
	i, ok := slices.BinarySearchFunc(l.members, node, func(m *member, name string) int { return cmp.Compare(m.name, name) })
	if ok {
		if o := l.members[i].owner(name); o != nil {
			return o.name
		}
	}
	return name
}

// retract takes what an owner has off its member's sum: as it was before this step.
func (w *edit) retract(m *member, o *owner) {
	if o.drop != 0 {
		return
	}
	for _, slot := range o.slots {
		m.sum ^= w.State.live.slots.get(slot).sum
	}
	m.n -= len(o.slots)
}

func (w *edit) revive(o *owner) {
	for _, slot := range o.slots {
		w.hold(slot)
		w.disarm(slot)
	}
}

// member is the member that an owner's name begins with, to be changed; nil if it is
// unknown and not to be made.
func (w *edit) member(ownerName string, make bool) *member {
	name, _, _ := strings.Cut(ownerName, "/")
	i, ok := slices.BinarySearchFunc(w.l.members, name, func(m *member, name string) int { return cmp.Compare(m.name, name) })
	if !ok && !make {
		return nil
	}
	all := slices.Clone(w.l.members)
	if ok {
		m := *all[i]
		all[i] = &m
	} else {
		all = slices.Insert(all, i, &member{name: strings.Clone(name)})
	}
	w.l.members = all
	return all[i]
}

func (m *member) owner(name string) *owner {
	o, _ := m.owners.get(maphash.String(seed, name), func(o *owner) bool { return o.name == name })
	return o
}

// setOwner replaces an owner, by none if it has nothing left, and a member without
// owners by none.
func (w *edit) setOwner(m *member, old, next *owner) {
	is := func(o *owner) bool { return o.name == next.name }
	switch {
	case len(next.slots) > 0:
		m.owners = m.owners.set(next, is, w.by)
		if old == nil {
			m.count++
		}
	case old != nil:
		m.owners = m.owners.del(next.h, is, w.by)
		m.count--
	}
	if m.count == 0 {
		w.l.members = slices.DeleteFunc(w.l.members, func(o *member) bool { return o == m })
	}
}

// disown tells owners what was removed of theirs.
func (w *edit) disown() {
	if len(w.removed) == 0 {
		return
	}
	slices.SortStableFunc(w.removed, func(a, b *entry) int {
		return cmp.Or(strings.Compare(a.e.Owner, b.e.Owner), cmp.Compare(a.slot, b.slot))
	})
	for i := 0; i < len(w.removed); {
		j, name := i, w.removed[i].e.Owner
		for j < len(w.removed) && w.removed[j].e.Owner == name {
			j++
		}
		w.disownOne(name, w.removed[i:j])
		i = j
	}
	w.removed = nil
}

func (w *edit) disownOne(name string, gone []*entry) {
	m := w.member(name, false)
	if m == nil {
		return // it went as a whole
	}
	o := m.owner(name)
	if o == nil {
		return
	}
	next := *o
	next.slots = slices.DeleteFunc(slices.Clone(o.slots), func(slot uint32) bool {
		_, ok := slices.BinarySearchFunc(gone, slot, func(r *entry, slot uint32) int { return cmp.Compare(r.slot, slot) })
		return ok
	})
	if o.drop == 0 {
		for _, r := range gone {
			m.sum ^= r.sum
		}
		m.n -= len(gone)
	}
	w.setOwner(m, o, &next)
}

func dropOwner(s State, in actors.Input, d *messages.DropOwner) (State, []actors.Effect, error) {
	w := s.edit(in)
	m := w.member(d.Owner, false)
	if m == nil {
		return s, nil, nil
	}
	o := m.owner(d.Owner)
	switch {
	case o == nil || o.drop != 0 && !d.AtOnce:
		return s, nil, nil
	case d.AtOnce:
		for _, slot := range o.slots {
			w.remove(w.l.slots.get(slot))
		}
		return w.done()
	}
	w.retract(m, o)
	next := *o
	next.drop = w.now + OwnerGrace.Milliseconds()
	w.setOwner(m, o, &next)
	for _, slot := range o.slots {
		w.l.lease = w.l.lease.set(slot, next.drop, w.by)
		w.arm(slot, next.drop)
	}
	return w.done()
}

func keepOwners(s State, in actors.Input, k *messages.KeepOwners) (State, []actors.Effect, error) {
	w := s.edit(in)
	m := w.member(k.Member, false)
	if m == nil {
		return s, []actors.Effect{actors.Reply{Message: &messages.OwnersKept{Resend: k.Endpoints != 0}}}, nil
	}
	m.last = w.now
	kept := &messages.OwnersKept{Resend: m.sum != k.Checksum || m.n != int(k.Endpoints)}
	if kept.Resend {
		for o := range m.owners.all {
			if o.drop == 0 {
				kept.Owners = append(kept.Owners, o.name)
			}
		}
		slices.Sort(kept.Owners)
	}
	return w.done(actors.Reply{Message: kept})
}

// expireMembers removes everything of members that were silent for too long.
func (w *edit) expireMembers() {
	if w.now < w.l.grace {
		return
	}
	var living []*member
	for _, m := range w.l.members {
		if m.last+MemberTimeout.Milliseconds() > w.now {
			living = append(living, m)
			continue
		}
		for o := range m.owners.all {
			for _, slot := range o.slots {
				w.remove(w.l.slots.get(slot))
			}
		}
	}
	if len(living) < len(w.l.members) {
		w.l.members = living
	}
}
