package consul

import (
	"sync"

	"github.com/hashicorp/consul/api"
)

const maxKnown = 1 << 16 // entries of each table; they are forgotten all at once

// known is what this process remembers of entries that are not plain: whose
// revision is not Consul's ModifyIndex, and whose value stands in parts.
type known struct {
	mu    sync.Mutex
	moved map[string]place
	parts map[string]mark
}

type place struct{ revision, index uint64 }

// note remembers how an entry stands; plain ones are only forgotten.
func (k *known) note(name string, h head, index uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.moved, name)
	delete(k.parts, name)
	if h.revision != 0 && h.revision != index {
		k.moved = room(k.moved)
		k.moved[name] = place{h.revision, index}
	}
	if h.parts != 0 {
		k.parts = room(k.parts)
		k.parts[name] = h.mark
	}
}

func room[V any](m map[string]V) map[string]V {
	if m == nil || len(m) >= maxKnown {
		return map[string]V{}
	}
	return m
}

// index is the ModifyIndex that stands for revision.
func (k *known) index(name string, revision uint64) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p, ok := k.moved[name]; ok && p.revision == revision {
		return p.index
	}
	return revision
}

// replaced forgets name and returns the parts that are nobody's any more.
func (k *known) replaced(name string) (old mark, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.moved, name)
	old, ok = k.parts[name]
	delete(k.parts, name)
	return old, ok
}

// overwritten removes the parts of a value that w, written at index, has
// replaced; it makes sure that w still stands, so that what goes is nobody's.
// What this process does not know of, the janitor finds.
func (s *Store) overwritten(w *write, index uint64) {
	if old, ok := s.known.replaced(w.name); ok && old != w.head.mark {
		guard := &api.KVTxnOp{Verb: api.KVCheckIndex, Key: w.name, Index: index}
		if w.gone {
			guard = &api.KVTxnOp{Verb: api.KVCheckNotExists, Key: w.name}
		}
		s.drop(s.root+valueFolder+old.String()+"/", guard)
	}
	if !w.gone && (w.head.parts != 0 || w.head.revision != 0) {
		s.known.note(w.name, w.head, index)
	}
}
