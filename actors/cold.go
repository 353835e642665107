package actors

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"google.golang.org/protobuf/proto"
)

// Cold is the part of a state that is written and hardly ever read, such as a
// history: its rows are messages that stand in the store alone. A Step sets and
// deletes rows, and has them read by ReadCold; an activation does not load them.
// The zero Cold is ready. Tag a Cold field `json:"-"` and name it in Spec.Tables.
type Cold struct{ changed *coldChange }

type coldChange struct {
	key   string
	value proto.Message // nil: deleted
	next  *coldChange
}

// Set is c with key's row replaced. Value is not to be changed any more.
func (c Cold) Set(key string, value proto.Message) Cold {
	return Cold{&coldChange{key, value, c.changed}}
}

func (c *Cold) row() reflect.Type { return reflect.TypeFor[proto.Message]() }

// Delete is c without key's row.
func (c Cold) Delete(key string) Cold { return Cold{&coldChange{key, nil, c.changed}} }

// Changed is what the last Set of key since the last commit said, for tests.
func (c Cold) Changed(key string) (value proto.Message, ok bool) {
	for at := c.changed; at != nil; at = at.next {
		if at.key == key {
			return at.value, true
		}
	}
	return nil, false
}

func (c *Cold) load(map[string][]byte) error { return nil }

func (c *Cold) writes() ([]Write, error) {
	if c.changed == nil {
		return nil, nil
	}
	var changes []*coldChange
	for at := c.changed; at != nil; at = at.next {
		changes = append(changes, at)
	}
	slices.SortStableFunc(changes, func(a, b *coldChange) int { return cmp.Compare(a.key, b.key) }) // of one key the newest stays first
	changes = slices.CompactFunc(changes, func(a, b *coldChange) bool { return a.key == b.key })
	w := make([]Write, len(changes))
	for i, at := range changes {
		if w[i].Key = at.key; at.value == nil {
			continue // deleted
		}
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(at.value)
		if err != nil {
			return nil, fmt.Errorf("row %q: %w", at.key, err)
		}
		if raw == nil {
			raw = []byte{} // a message of default values is no delete
		}
		w[i].Value = raw
	}
	return w, nil
}

func (c *Cold) settle() { c.changed = nil }

func (*Cold) key(r Ref, table, row string) string { return ColdKey(r, table, row) }

func (*Cold) count() int { return 0 }

func (*Cold) each(func(string, []byte) bool) (bool, error) { return true, nil }

func (*Cold) patch(Rows, map[string][]byte) error { return nil }
