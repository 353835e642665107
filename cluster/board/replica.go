package board

import (
	"slices"
	"strings"
	"sync"

	"github.com/troupe-cloud/troupe/messages"
)

// Replicas are copies of the boards of other nodes. Safe for concurrent use.
type Replicas struct {
	mu sync.Mutex
	of map[string]replica
}

type replica struct {
	board   string
	version uint64
	facts   []*messages.HostFacts // by name; replaced, never changed
}

// Known is what is to be asked of a member: what has changed since this.
func (r *Replicas) Known(member string) *messages.GetBoard {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.of[member]
	return &messages.GetBoard{Board: c.board, After: c.version}
}

// Apply takes a member's answer and returns all that is on its board now. What
// was asked earlier and comes later is seen to be old.
func (r *Replicas) Apply(member string, c *messages.BoardChanges) []*messages.HostFacts {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[string]replica{}
	}
	old := r.of[member]
	if old.board == c.GetBoard() && c.GetVersion() <= old.version {
		return old.facts
	}
	next := replica{board: c.GetBoard(), version: c.GetVersion()}
	switch {
	case c.GetFull() || old.board != c.GetBoard():
		next.facts = c.GetFacts()
	case len(c.GetFacts()) == 0 && len(c.GetRemoved()) == 0:
		next.facts = old.facts
	default:
		next.facts = merge(without(old.facts, c.GetRemoved()), c.GetFacts())
	}
	r.of[member] = next
	return next.facts
}

// Retain forgets the boards of all others.
func (r *Replicas) Retain(members map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.of {
		if !members[id] {
			delete(r.of, id)
		}
	}
}

func without(facts []*messages.HostFacts, names []string) []*messages.HostFacts {
	if len(names) == 0 {
		return facts
	}
	gone := make(map[string]bool, len(names))
	for _, n := range names {
		gone[n] = true
	}
	return slices.DeleteFunc(slices.Clone(facts), func(f *messages.HostFacts) bool { return gone[f.GetName()] })
}

// merge is both lists, which are sorted by name; of one name the newer counts.
func merge(old, newer []*messages.HostFacts) []*messages.HostFacts {
	all := make([]*messages.HostFacts, 0, len(old)+len(newer))
	for len(old) > 0 && len(newer) > 0 {
		switch c := strings.Compare(old[0].GetName(), newer[0].GetName()); {
		case c < 0:
			all, old = append(all, old[0]), old[1:]
		case c > 0:
			all, newer = append(all, newer[0]), newer[1:]
		default:
			old = old[1:]
		}
	}
	return append(append(all, old...), newer...)
}
