package actors

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"runtime"
	"slices"

	"github.com/benbjohnson/immutable"
)

// Table is the part of a state that may grow large: a persistent map, so a Step
// changes a copy in O(log n) and the commit writes only the rows that changed.
// The zero Table is empty and ready. Tag a Table field `json:"-"` and name it
// in Spec.Tables. Rows are stored as JSON, or, if V is a Binary and *V reads it, as
// the bytes that it says.
type Table[V any] struct {
	rows    *immutable.Map[string, V]
	changed *change // since the last commit, newest first
}

type change struct {
	key  string
	next *change
}

// Len is the number of rows.
func (t Table[V]) Len() int {
	if t.rows == nil {
		return 0
	}
	return t.rows.Len()
}

// Get is the row of key.
func (t Table[V]) Get(key string) (v V, ok bool) {
	if t.rows == nil {
		return v, false
	}
	return t.rows.Get(key)
}

// Set is the table with key's row replaced; t itself stays as it is.
func (t Table[V]) Set(key string, v V) Table[V] {
	if t.rows == nil {
		t.rows = immutable.NewMap[string, V](nil)
	}
	return Table[V]{t.rows.Set(key, v), &change{key, t.changed}}
}

// Delete is the table without key's row.
func (t Table[V]) Delete(key string) Table[V] {
	if t.rows == nil {
		return t
	}
	if _, ok := t.rows.Get(key); !ok {
		return t
	}
	return Table[V]{t.rows.Delete(key), &change{key, t.changed}}
}

// All ranges over the rows in an order that depends on what was set and deleted, and
// on nothing else.
func (t Table[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		if t.rows == nil {
			return
		}
		for it := t.rows.Iterator(); !it.Done(); {
			k, v, _ := it.Next()
			if !yield(k, v) {
				return
			}
		}
	}
}

// Binary is a row that is stored as bytes of its own, such as a content of
// megabytes. BinaryReader is its pointer; it may not keep raw.
type (
	Binary       interface{ RowBytes() []byte }
	BinaryReader interface{ ReadRow(raw []byte) error }
)

func encodeRow(v any) ([]byte, error) {
	if b, ok := v.(Binary); ok {
		if raw := b.RowBytes(); raw != nil {
			return raw, nil
		}
		return []byte{}, nil // nil would delete
	}
	return encodeJSON(v)
}

func decodeRow(raw []byte, v any) error {
	if r, ok := v.(BinaryReader); ok {
		return r.ReadRow(raw)
	}
	return json.Unmarshal(raw, v)
}

// Rows is what the runtime needs of a Table, whatever its values are.
type Rows interface {
	load(rows map[string][]byte) error
	writes() ([]Write, error) // changed rows by their own keys, in order
	settle()
	key(r Ref, table, row string) string

	// For a copy that another process makes, see Kind.Patch.
	count() int
	each(yield func(row string, value []byte) bool) (more bool, err error)
	patch(from Rows, rows map[string][]byte) error

	row() reflect.Type // of Kind.Shape
}

func (t *Table[V]) row() reflect.Type { return reflect.TypeFor[V]() }

// breath is after how many rows, of the tens of thousands that a table may have, others
// come to their turn: who waits for an answer from another grain does not wait for all.
const breath = 32

// unhurried is all, with a breath now and then.
func unhurried[K, V any](all iter.Seq2[K, V]) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		n := 0
		for k, v := range all {
			if n++; n%breath == 0 {
				runtime.Gosched()
			}
			if !yield(k, v) {
				return
			}
		}
	}
}

func (t *Table[V]) load(rows map[string][]byte) error {
	b := immutable.NewMapBuilder[string, V](nil)
	// In order: the map ranges over few rows as they were put in, and a state that was
	// loaded twice must say the same twice.
	for _, k := range unhurried(slices.All(slices.Sorted(maps.Keys(rows)))) {
		var v V
		if err := decodeRow(rows[k], &v); err != nil {
			return fmt.Errorf("row %q: %w", k, err)
		}
		b.Set(k, v)
	}
	t.rows, t.changed = b.Map(), nil
	return nil
}

func (t *Table[V]) writes() ([]Write, error) {
	n := 0
	for c := t.changed; c != nil; c = c.next {
		n++
	}
	if n == 0 {
		return nil, nil
	}
	w := make([]Write, 0, n)
	for c := t.changed; c != nil; c = c.next {
		w = append(w, Write{Key: c.key})
	}
	slices.SortFunc(w, func(a, b Write) int { return cmp.Compare(a.Key, b.Key) })
	w = slices.CompactFunc(w, func(a, b Write) bool { return a.Key == b.Key })
	for i := range w {
		v, ok := t.Get(w[i].Key)
		if !ok {
			continue // deleted
		}
		var err error
		if w[i].Value, err = encodeRow(v); err != nil {
			return nil, fmt.Errorf("row %q: %w", w[i].Key, err)
		}
	}
	return w, nil
}

func (t *Table[V]) settle() { t.changed = nil }

func (*Table[V]) key(r Ref, table, row string) string { return RowKey(r, table, row) }

func (t *Table[V]) count() int { return t.Len() }

func (t *Table[V]) each(yield func(row string, value []byte) bool) (more bool, err error) {
	for key, v := range unhurried(t.All()) {
		raw, err := encodeRow(v)
		if err != nil {
			return false, fmt.Errorf("row %q: %w", key, err)
		}
		if !yield(key, raw) {
			return false, nil
		}
	}
	return true, nil
}

// patch makes t what from is, but for some rows; nil is one that is deleted.
func (t *Table[V]) patch(from Rows, rows map[string][]byte) error {
	if older, ok := from.(*Table[V]); ok {
		*t = *older
	}
	for key, raw := range unhurried(maps.All(rows)) {
		if raw == nil {
			*t = t.Delete(key)
			continue
		}
		var v V
		if err := decodeRow(raw, &v); err != nil {
			return fmt.Errorf("row %q: %w", key, err)
		}
		*t = t.Set(key, v)
	}
	t.changed = nil
	return nil
}
