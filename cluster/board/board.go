// Package board owns what the hosts of one node have last said about themselves,
// and how another node keeps a copy of it with little traffic. It judges no host
// and asks nobody.
package board

import (
	"slices"
	"strings"
	"sync"

	"github.com/troupe-cloud/troupe/messages"
)

// MaxRemovals is how many removals a board remembers; who has missed more than
// these gets everything.
const MaxRemovals = 1024

// Board holds the last facts of every host of a node. The facts themselves are
// shared and never change. Safe for concurrent use.
type Board struct {
	id string

	mu      sync.RWMutex
	version uint64
	entries []entry   // by name
	removed []removal // oldest first
	floor   uint64    // removals up to this version are forgotten
}

type entry struct {
	facts   *messages.HostFacts
	version uint64
}

type removal struct {
	name    string
	version uint64
}

// New makes an empty board. No other may ever have had the id.
func New(id string) *Board { return &Board{id: id} }

func (b *Board) find(name string) (int, bool) {
	return slices.BinarySearchFunc(b.entries, name, func(e entry, name string) int {
		return strings.Compare(e.facts.GetName(), name)
	})
}

// Publish puts up what a host says.
func (b *Board) Publish(f *messages.HostFacts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.version++
	e := entry{f, b.version}
	if i, ok := b.find(f.GetName()); ok {
		b.entries[i] = e
	} else {
		b.entries = slices.Insert(b.entries, i, e)
	}
}

// Remove takes a host off.
func (b *Board) Remove(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, ok := b.find(name)
	if !ok {
		return
	}
	b.entries = slices.Delete(b.entries, i, i+1)
	b.version++
	if b.removed = append(b.removed, removal{name, b.version}); len(b.removed) > MaxRemovals {
		half := len(b.removed) / 2
		b.floor, b.removed = b.removed[half-1].version, slices.Clone(b.removed[half:])
	}
}

// Read is all that is on the board, by name.
func (b *Board) Read() []*messages.HostFacts {
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := make([]*messages.HostFacts, len(b.entries))
	for i, e := range b.entries {
		all[i] = e.facts
	}
	return all
}

// Since is what has changed since a version of the board of that id; everything,
// if that is not this one or too long ago.
func (b *Board) Since(id string, after uint64) *messages.BoardChanges {
	b.mu.RLock()
	defer b.mu.RUnlock()
	c := &messages.BoardChanges{Board: b.id, Version: b.version}
	if id != b.id || after < b.floor {
		after = 0
		c.Full = true
	}
	for _, e := range b.entries {
		if e.version > after {
			c.Facts = append(c.Facts, e.facts)
		}
	}
	if c.Full {
		return c
	}
	for _, r := range b.removed {
		if _, back := b.find(r.name); r.version > after && !back {
			c.Removed = append(c.Removed, r.name)
		}
	}
	return c
}
