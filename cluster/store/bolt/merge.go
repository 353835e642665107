package bolt

import (
	"github.com/tidwall/btree"
	"go.etcd.io/bbolt"

	"github.com/troupe-cloud/troupe/cluster/store"
)

// merge walks the layers and the file at once, in the order of the keys. Where
// several have a key, the newest counts.
type merge struct {
	key    string // where it stands
	layers []walk // newest first
	cursor *bbolt.Cursor
	file   []byte // the file's next key; nil at its end
	raw    []byte
}

type walk struct {
	at btree.MapIter[string, entry]
	ok bool
}

func newMerge(b *bbolt.Bucket, layers []*layer, from string) *merge {
	m := &merge{cursor: b.Cursor(), layers: make([]walk, 0, len(layers))}
	for _, l := range layers {
		w := walk{at: l.tree.Iter()}
		w.ok = w.at.Seek(from)
		m.layers = append(m.layers, w)
	}
	m.file, m.raw = m.cursor.Seek([]byte(from))
	m.settle()
	return m
}

// settle finds the smallest key that is next anywhere.
func (m *merge) settle() {
	m.key = ""
	if m.file != nil {
		m.key = string(m.file)
	}
	for i := range m.layers {
		if w := &m.layers[i]; w.ok && (m.key == "" || w.at.Key() < m.key) {
			m.key = w.at.Key()
		}
	}
}

// valid says whether there is a key; the empty one is never stored.
func (m *merge) valid() bool { return m.key != "" }

// next leaves the key, everywhere.
func (m *merge) next() {
	for i := range m.layers {
		if w := &m.layers[i]; w.ok && w.at.Key() == m.key {
			w.ok = w.at.Next()
		}
	}
	if string(m.file) == m.key {
		m.file, m.raw = m.cursor.Next()
	}
	m.settle()
}

// item is the newest version of the key; without a revision it is deleted.
func (m *merge) item() (store.Item, error) {
	for i := range m.layers {
		if w := &m.layers[i]; w.ok && w.at.Key() == m.key {
			if e := w.at.Value(); e.value != nil {
				return e.item(m.key), nil
			}
			return store.Item{}, nil
		}
	}
	return decode(m.key, m.raw)
}
