package actors

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

// A grain with many rows is long in coming up. So before one moves in order, its
// rows are brought to where it will live, a few at a time, and afterwards those
// that have changed since: what was brought is a State that Patch has put together,
// and the record is still the store's.

// Count is how many rows the tables of s have together.
func (k kind[S]) Count(s State) (n int) {
	for _, t := range k.tablesOf(&s) {
		n += t.count()
	}
	return n
}

// EachRow lists the rows of all tables as they are stored, and by the names that
// Open takes, until yield says no. Any goroutine may list a State.
func (k kind[S]) EachRow(s State, yield func(row string, value []byte) bool) error {
	tables := k.tablesOf(&s)
	for _, name := range k.tables {
		more, err := tables[name].each(func(row string, value []byte) bool { return yield(name+"/"+escape(row), value) })
		if err != nil {
			return fmt.Errorf("table %s of %s: %w", name, k.spec.Name, err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

// Patch is what Open would make of the record and of s's rows with these in their
// place; nil is a row that is not there. The zero State has no rows; without a record
// the result has nothing but rows.
func (k kind[S]) Patch(s State, record *messages.Record, rows map[string][]byte) (State, error) {
	after := new(box[S])
	if record != nil {
		if err := json.Unmarshal(record.State, &after.s); err != nil {
			return State{}, fmt.Errorf("state of %s: %w", k.spec.Name, err)
		}
	}
	older, byTable := k.tablesOf(&s), byTable(rows)
	if k.spec.Tables != nil {
		for name, t := range k.spec.Tables(&after.s) {
			if err := t.patch(older[name], byTable[name]); err != nil {
				return State{}, fmt.Errorf("table %s of %s: %w", name, k.spec.Name, err)
			}
		}
	}
	if record == nil { // rows alone are nobody's state yet
		return State{value: after}, nil
	}
	return k.state(after, record.State), nil
}

// tablesOf are the tables of s, by name.
func (k kind[S]) tablesOf(s *State) map[string]Rows {
	if k.spec.Tables == nil {
		return nil
	}
	value, _ := of[S](s.value)
	return k.spec.Tables(&value)
}

// byTable sorts rows named "table/key", escaped, by table and key.
func byTable(rows map[string][]byte) map[string]map[string][]byte {
	by := map[string]map[string][]byte{}
	for key, raw := range rows {
		table, row, _ := strings.Cut(key, "/")
		if by[table] == nil {
			by[table] = map[string][]byte{}
		}
		by[table][unescape(row)] = raw
	}
	return by
}
