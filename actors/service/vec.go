package service

import "slices"

// token marks the nodes that one Step has made itself: those it may change in
// place, all others it copies first. So a batch copies each node once.
type token struct{ _ byte }

const (
	vecBits = 5
	vecMask = 1<<vecBits - 1
)

// vec is a persistent vector of three levels; the first leaf, which is all that most
// have, stands by itself. The zero vec is empty; what was never set is zero.
type vec[T any] struct {
	first *vecLeaf[T]
	by    *token
	top   []*vecMid[T]
}

type vecMid[T any] struct {
	by   *token
	kids []*vecLeaf[T]
}

type vecLeaf[T any] struct {
	by *token
	v  []T
}

func (a vec[T]) get(i uint32) (v T) {
	if l := a.leaf(i); l != nil && i&vecMask < uint32(len(l.v)) {
		return l.v[i&vecMask]
	}
	return v
}

func (a vec[T]) leaf(i uint32) *vecLeaf[T] {
	if i <= vecMask {
		return a.first
	}
	if t := int(i >> (2 * vecBits)); t < len(a.top) && a.top[t] != nil {
		if m := int(i >> vecBits & vecMask); m < len(a.top[t].kids) {
			return a.top[t].kids[m]
		}
	}
	return nil
}

// set is a with v at i.
func (a vec[T]) set(i uint32, v T, by *token) vec[T] {
	if i <= vecMask {
		a.first = a.first.set(i, v, by)
		return a
	}
	t, m := int(i>>(2*vecBits)), int(i>>vecBits&vecMask)
	if a.by != by {
		a.by, a.top = by, slices.Clone(a.top)
	}
	for len(a.top) <= t {
		a.top = append(a.top, nil)
	}
	mid := a.top[t]
	if mid == nil {
		mid = &vecMid[T]{by: by}
	} else if mid.by != by {
		mid = &vecMid[T]{by, slices.Clone(mid.kids)}
	}
	a.top[t] = mid
	for len(mid.kids) <= m {
		mid.kids = append(mid.kids, nil)
	}
	mid.kids[m] = mid.kids[m].set(i, v, by)
	return a
}

// set is l with v at i, of which the last bits count.
func (l *vecLeaf[T]) set(i uint32, v T, by *token) *vecLeaf[T] {
	at := int(i & vecMask)
	switch {
	case l == nil:
		l = &vecLeaf[T]{by, make([]T, at+1)}
	case l.by != by:
		c := &vecLeaf[T]{by, make([]T, max(len(l.v), at+1))}
		copy(c.v, l.v)
		l = c
	}
	for len(l.v) <= at {
		var zero T
		l.v = append(l.v, zero)
	}
	l.v[at] = v
	return l
}
