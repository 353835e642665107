package view

import "slices"

// Successors are the next n members on the ring after the one with this id,
// itself left out; all others if there are no more than n. Of an id that is no
// member there are none.
func (v *View) Successors(id string, n int) []Member {
	self, ok := v.byID[id]
	if !ok {
		return nil
	}
	at := slices.Index(v.ring, self)
	n = min(n, len(v.ring)-1)
	next := make([]Member, 0, max(n, 0))
	for i := 1; i <= n; i++ {
		next = append(next, v.Members[v.ring[(at+i)%len(v.ring)]])
	}
	return next
}

// Change is what differs between two views.
type Change struct {
	Joined  []Member // in the new view only
	Gone    []Member // in the old view only, as they stood there
	Altered []Member // the same start in both, with another record: as it stands now
}

// Empty reports whether nothing differs.
func (c Change) Empty() bool { return len(c.Joined)+len(c.Gone)+len(c.Altered) == 0 }

// Diff tells what a new view changes. A node that has started again is one who
// has gone and one who has joined. The old view may be nil.
func Diff(old, new *View) (c Change) {
	if old == nil {
		old = New(0, nil)
	}
	for _, m := range new.Members {
		switch was, ok := old.ByID(m.ID); {
		case !ok:
			c.Joined = append(c.Joined, m)
		case !was.Equal(m):
			c.Altered = append(c.Altered, m)
		}
	}
	for _, m := range old.Members {
		if !new.Has(m.ID) {
			c.Gone = append(c.Gone, m)
		}
	}
	return c
}
