package bolt

import (
	"github.com/tidwall/btree"
)

// layer is what was committed and is not in the file yet: the newest version of
// each key, in order. The one that commits go into is changed under Store.state;
// a frozen one never.
type layer struct {
	tree    btree.Map[string, entry]
	bytes   int    // keys and values, with those that were replaced
	segment uint64 // of the journal, that holds it
	last    uint64 // newest revision
}

// entry is one version of a key; a nil value is a deletion.
type entry struct {
	revision uint64
	value    []byte
}

func (l *layer) set(key string, e entry) {
	l.tree.Set(key, e)
	l.bytes += len(key) + len(e.value)
	l.last = max(l.last, e.revision)
}

// find is key's version in the newest of the layers that has one. Layers may be nil.
func find(key string, layers ...*layer) (entry, bool) {
	for _, l := range layers {
		if l == nil {
			continue
		}
		if e, ok := l.tree.Get(key); ok {
			return e, true
		}
	}
	return entry{}, false
}
