package service

import (
	"math/bits"
	"slices"
)

// hashed is what a trie holds: something that knows its hash.
type hashed interface{ hash() uint64 }

// trie is a persistent set of things found by their hash and a test of equality.
// The zero trie is empty.
type trie[T hashed] struct{ root *trieNode[T] }

// trieNode has, for each of 32 values of five bits of the hash, nothing, one item
// or one node below. Below the last bits there are items only, in any order.
type trieNode[T hashed] struct {
	by            *token
	itemAt, kidAt uint32
	items         []T
	kids          []*trieNode[T]
}

const (
	trieBits = 5
	trieEnd  = 60 // no bits are left from here
)

func (t trie[T]) get(h uint64, is func(T) bool) (item T, ok bool) {
	shift := 0
	for n := t.root; n != nil; shift += trieBits {
		if shift >= trieEnd {
			i := slices.IndexFunc(n.items, is)
			if i < 0 {
				return item, false
			}
			return n.items[i], true
		}
		bit := uint32(1) << (h >> shift & 31)
		if n.itemAt&bit != 0 {
			if found := n.items[rank(n.itemAt, bit)]; is(found) {
				return found, true
			}
			return item, false
		}
		if n.kidAt&bit == 0 {
			return item, false
		}
		n = n.kids[rank(n.kidAt, bit)]
	}
	return item, false
}

// set is t with item in the place of the one that is equal to it, if any.
func (t trie[T]) set(item T, is func(T) bool, by *token) trie[T] {
	return trie[T]{t.root.put(0, item.hash(), item, is, by)}
}

// del is t without what is has hash h and is meant; it has to be there.
func (t trie[T]) del(h uint64, is func(T) bool, by *token) trie[T] {
	n := t.root.cut(0, h, is, by)
	if len(n.items)+len(n.kids) == 0 {
		n = nil
	}
	return trie[T]{n}
}

func (t trie[T]) all(yield func(T) bool) { t.root.all(yield) }

func (n *trieNode[T]) all(yield func(T) bool) bool {
	if n == nil {
		return true
	}
	for _, item := range n.items {
		if !yield(item) {
			return false
		}
	}
	for _, k := range n.kids {
		if !k.all(yield) {
			return false
		}
	}
	return true
}

// own is n itself if this step has made it, else a copy, which has room for so many
// items more.
func (n *trieNode[T]) own(by *token, room int) *trieNode[T] {
	switch {
	case n == nil:
		return &trieNode[T]{by: by}
	case n.by == by:
		return n
	}
	c := &trieNode[T]{by: by, itemAt: n.itemAt, kidAt: n.kidAt}
	if size := len(n.items) + room; size > 0 {
		c.items = append(make([]T, 0, size), n.items...)
	}
	if len(n.kids) > 0 {
		c.kids = append(make([]*trieNode[T], 0, len(n.kids)), n.kids...)
	}
	return c
}

// room is how many items more n will have when one of that bit is put there.
func (n *trieNode[T]) room(bit uint32) int {
	if n == nil || (n.itemAt|n.kidAt)&bit != 0 {
		return 0
	}
	return 1
}

func (n *trieNode[T]) put(shift int, h uint64, item T, is func(T) bool, by *token) *trieNode[T] {
	if shift >= trieEnd {
		n = n.own(by, 1)
		if i := slices.IndexFunc(n.items, is); i >= 0 {
			n.items[i] = item
		} else {
			n.items = append(n.items, item)
		}
		return n
	}
	bit := uint32(1) << (h >> shift & 31)
	n = n.own(by, n.room(bit))
	at := rank(n.itemAt, bit)
	switch {
	case n.kidAt&bit != 0:
		k := rank(n.kidAt, bit)
		n.kids[k] = n.kids[k].put(shift+trieBits, h, item, is, by)
	case n.itemAt&bit == 0:
		n.itemAt |= bit
		n.items = slices.Insert(n.items, at, item)
	case is(n.items[at]):
		n.items[at] = item
	default:
		var below *trieNode[T]
		old := n.items[at]
		below = below.put(shift+trieBits, old.hash(), old, is, by).put(shift+trieBits, h, item, is, by)
		n.itemAt &^= bit
		n.items = slices.Delete(n.items, at, at+1)
		n.kidAt |= bit
		n.kids = slices.Insert(n.kids, rank(n.kidAt, bit), below)
	}
	return n
}

func (n *trieNode[T]) cut(shift int, h uint64, is func(T) bool, by *token) *trieNode[T] {
	n = n.own(by, 0)
	if shift >= trieEnd {
		n.items = slices.DeleteFunc(n.items, is)
		return n
	}
	bit := uint32(1) << (h >> shift & 31)
	if n.itemAt&bit != 0 {
		at := rank(n.itemAt, bit)
		n.itemAt &^= bit
		n.items = slices.Delete(n.items, at, at+1)
		return n
	}
	k := rank(n.kidAt, bit)
	below := n.kids[k].cut(shift+trieBits, h, is, by)
	n.kids[k] = below
	if len(below.kids) > 0 || len(below.items) > 1 {
		return n
	}
	n.kidAt &^= bit
	n.kids = slices.Delete(n.kids, k, k+1)
	if len(below.items) == 1 {
		n.itemAt |= bit
		n.items = slices.Insert(n.items, rank(n.itemAt, bit), below.items[0])
	}
	return n
}

// rank is how many are set below bit.
func rank(set, bit uint32) int { return bits.OnesCount32(set & (bit - 1)) }
