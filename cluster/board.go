package cluster

import (
	"slices"
	"strings"
	"sync"

	"github.com/troupe-cloud/troupe/messages"
)

// board holds the last facts of every host of this node, sorted by name.
type board struct {
	mu    sync.RWMutex
	facts []*messages.HostFacts
}

func (b *board) find(name string) (int, bool) {
	return slices.BinarySearchFunc(b.facts, name, func(f *messages.HostFacts, name string) int {
		return strings.Compare(f.Name, name)
	})
}

func (b *board) publish(f *messages.HostFacts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i, ok := b.find(f.GetName()); ok {
		b.facts[i] = f
	} else {
		b.facts = slices.Insert(b.facts, i, f)
	}
}

// withdraw takes the facts of a host away, whose grain has left this node.
func (b *board) withdraw(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i, ok := b.find(name); ok {
		b.facts = slices.Delete(slices.Clone(b.facts), i, i+1)
	}
}

// read is a copy of the list; the facts themselves are shared and never change.
func (b *board) read() []*messages.HostFacts {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Clone(b.facts)
}
