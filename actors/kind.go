package actors

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/encode"
)

// Spec defines a kind of grain by its state S and its Step.
type Spec[S any] struct {
	Name string

	// Step decides what a message means. It is pure: no clock, I/O, goroutine
	// or lock, and it never changes what its input points to. An error means
	// refused, and nothing has changed.
	Step func(S, Input) (S, []Effect, error)

	// Reads says of a message that is no query that Step changes nothing over it
	// either, so that nobody needs to look whether it did. Nil: of none.
	Reads func(Message) bool

	// Makes says of a message that its sender has just made up the identity that it
	// is for, so that there can hardly be a grain of it: an activation that begins
	// with it reads nothing. Its first commit checks that there is none; where there
	// is one after all, the message is done again by an activation that has read it.
	// Nil: of none.
	Makes func(Message) bool

	// Outstanding lists the effects of the work in flight; nil if the kind has
	// none. A grain with outstanding work is never passivated, is nudged until
	// it has none, and is activated again after its node died.
	Outstanding func(S) []Effect

	// Busy says whether Outstanding would list anything, where that can be told
	// more cheaply than by listing. Nil: ask Outstanding.
	Busy func(S) bool

	// Wake is when the grain wants messages.Woken at the latest, by its own clock;
	// zero: never. A grain that waits for it is not passivated. It has to be cheap:
	// it is asked after every message. Nil: never.
	Wake func(S) time.Time

	// Keep says that the grain is to be activated again after its node died, as one
	// with outstanding work is, without being nudged. Nil: it is not.
	Keep func(S) bool

	// Same says that two states do not differ in anything that is stored, so that
	// what lives in memory only costs no encoding. Nil: it cannot be told.
	Same func(before, after S) bool

	// Rebase is the durable state with what memory has beyond it: what is left when a
	// commit has failed, and what queries see while one takes long. It goes with Same:
	// what changes memory only neither waits for a commit nor is lost with one. Nil:
	// the durable state.
	Rebase func(durable, memory S) S

	// Index lists the entries that S should have. Nil: none.
	Index func(S) []Entry

	// SameIndex says that Index lists the same of two states, where that can be told
	// more cheaply than by listing. Nil: it cannot.
	SameIndex func(before, after S) bool

	// RowIndex lists the entries of one row of a table, that of an absent row
	// being none. It may look at that row alone, not at the rest of S: it is
	// asked about the rows that changed, before and after, so that an index
	// over a large table costs what changed. Nil: none.
	RowIndex func(s S, table, row string) []Entry

	// Tables names the Table and Cold fields of S. Nil: none.
	Tables func(*S) map[string]Rows

	// Table is one of Tables by its name, where a kind commits so often that naming
	// all of them each time counts. Nil: it is looked up in Tables.
	Table func(s *S, name string) Rows

	// Volatile kinds live in memory only and commit nothing.
	Volatile bool
}

// Kind is a Spec without its type parameter: what the shell and the simulator run.
type Kind interface {
	Name() string
	Volatile() bool
	HasTables() bool
	// Makes says of a message that there is hardly a grain before it.
	Makes(Message) bool
	// Open makes the state from what the store holds; a nil record is a grain
	// that was never written. Rows are keyed "table/key", escaped.
	Open(record *messages.Record, rows map[string][]byte) (State, error)
	Step(State, Input) (Turn, error)
	// Count, EachRow and Patch are for a copy; see copy.go.
	Count(State) int
	EachRow(s State, yield func(row string, value []byte) bool) error
	Patch(s State, record *messages.Record, rows map[string][]byte) (State, error)
	// Rebase is durable, and beyond it what only memory has.
	Rebase(durable, memory State) State
	// Shape says what stands in the store of a state, one line a field; see Format.
	Shape() []string
}

// Write is a key of the store and its new value; nil deletes it.
type Write struct {
	Key   string
	Value []byte
}

// Turn is the outcome of one step. Changed means there is something to commit:
// the record and Writes (parts and index entries). Memory means that the state has
// changed in what is not stored, and in nothing else.
type Turn struct {
	State   State
	Changed bool
	Memory  bool
	Writes  []Write
	Effects []Effect
}

// Kind makes the spec runnable.
func (s Spec[S]) Kind() Kind {
	k := kind[S]{spec: s}
	if s.Tables != nil {
		var none S
		all := s.Tables(&none)
		k.tables = sortedKeys(all)
		for name, t := range all {
			if s.Table != nil && s.Table(&none, name) != t {
				panic(fmt.Sprintf("Table and Tables of %s differ in %s", s.Name, name))
			}
		}
	}
	return k
}

type kind[S any] struct {
	spec   Spec[S]
	tables []string // their names, in order
}

// besideRows is how many writes there usually are beside the rows of a table.
const besideRows = 6

func (k kind[S]) Name() string    { return k.spec.Name }
func (k kind[S]) Volatile() bool  { return k.spec.Volatile }
func (k kind[S]) HasTables() bool { return k.spec.Tables != nil }

func (k kind[S]) Makes(m Message) bool { return k.spec.Makes != nil && k.spec.Makes(m) }

func (k kind[S]) Open(record *messages.Record, rows map[string][]byte) (State, error) {
	b := new(box[S])
	if record != nil {
		if err := json.Unmarshal(record.State, &b.s); err != nil {
			return State{}, fmt.Errorf("state of %s: %w", k.spec.Name, err)
		}
	}
	if k.spec.Tables != nil {
		byTable := byTable(rows)
		for name, t := range k.spec.Tables(&b.s) {
			if err := t.load(byTable[name]); err != nil {
				return State{}, fmt.Errorf("table %s of %s: %w", name, k.spec.Name, err)
			}
		}
	}
	var encoded []byte
	if record != nil {
		encoded = record.State
	}
	return k.state(b, encoded), nil
}

func (k kind[S]) state(b *box[S], encoded []byte) State {
	st := State{value: b, encoded: encoded, unsettled: k.unsettled(b.s)}
	if k.spec.Wake != nil {
		st.wake = k.spec.Wake(b.s)
	}
	st.kept = st.unsettled || k.spec.Keep != nil && k.spec.Keep(b.s)
	return st
}

func (k kind[S]) unsettled(s S) bool {
	if k.spec.Busy != nil {
		return k.spec.Busy(s)
	}
	return k.spec.Outstanding != nil && len(k.spec.Outstanding(s)) > 0
}

func (k kind[S]) Rebase(durable, memory State) State {
	if k.spec.Rebase == nil {
		return durable
	}
	d, _ := of[S](durable.value)
	m, _ := of[S](memory.value)
	return k.state(&box[S]{k.spec.Rebase(d, m)}, durable.encoded)
}

func (k kind[S]) Step(st State, in Input) (Turn, error) {
	before, ok := of[S](st.value)
	if !ok && st.value != nil {
		panic(fmt.Sprintf("%s was given a state of type %T", k.spec.Name, st.value))
	}
	after, effects, err := k.spec.Step(before, in)
	if err != nil {
		return Turn{State: st}, err
	}
	if messages.IsQuery(in.Message) || k.spec.Reads != nil && k.spec.Reads(in.Message) {
		return Turn{State: st, Effects: effects}, nil
	}
	if k.spec.Volatile {
		return Turn{State: State{value: &box[S]{after}}, Effects: effects}, nil
	}
	is := &box[S]{after}
	if k.spec.Same != nil && k.spec.Same(before, after) {
		return Turn{State: k.state(is, st.encoded), Memory: k.spec.Rebase != nil, Effects: effects}, nil
	}
	encoded, err := encodeLike(&is.s, st.encoded)
	if err != nil {
		return Turn{State: st}, fmt.Errorf("encode %s: %w", k.spec.Name, err)
	}
	t := Turn{Effects: effects}
	if k.spec.Tables != nil {
		var tables map[string]Rows
		if k.spec.Table == nil {
			tables = k.spec.Tables(&is.s)
		}
		for _, name := range k.tables {
			table := tables[name]
			if k.spec.Table != nil {
				table = k.spec.Table(&is.s, name)
			}
			rows, err := table.writes()
			if err != nil {
				return Turn{State: st}, fmt.Errorf("table %s of %s: %w", name, k.spec.Name, err)
			}
			if t.Writes == nil && len(rows) > 0 {
				t.Writes = make([]Write, 0, len(rows)+besideRows)
			}
			for _, row := range rows {
				t.Writes = append(t.Writes, Write{table.key(Ref{k.spec.Name, in.ID}, name, row.Key), row.Value})
				if k.spec.RowIndex != nil {
					t.Writes = append(t.Writes, difference(k.spec.RowIndex(before, name, row.Key), k.spec.RowIndex(after, name, row.Key))...)
				}
			}
			table.settle()
		}
	}
	t.State = k.state(is, encoded)
	t.Changed = len(t.Writes) > 0 || !bytes.Equal(st.encoded, encoded)
	if len(st.encoded) == 0 && len(t.Writes) == 0 {
		// A grain that was never written stays unwritten until it differs from
		// the zero state, so that asking for what does not exist stores nothing.
		var zero S
		if z, err := json.Marshal(zero); err == nil && bytes.Equal(z, encoded) {
			t.Changed, t.State.encoded = false, nil
		}
	}
	if t.Changed {
		t.Writes = append(t.Writes, k.index(before, is.s)...)
		if st.kept != t.State.kept {
			w := Write{Key: UnsettledKey(Ref{k.spec.Name, in.ID})}
			if t.State.kept {
				w.Value = []byte{'1'}
			}
			t.Writes = append(t.Writes, w)
		}
	}
	return t, nil
}

// encodeLike is encodeJSON of what is often as it was: then it is like itself.
func encodeLike(v any, like []byte) ([]byte, error) {
	if v, ok := v.(encode.Appender); ok {
		return encode.MarshalLike(v, like)
	}
	return encodeJSON(v)
}

// encodeJSON is what is stored of v, which writes itself where it can.
func encodeJSON(v any) ([]byte, error) {
	switch v := v.(type) {
	case encode.Appender:
		return encode.Marshal(v)
	case []byte:
		return encode.AppendBytes(make([]byte, 0, base64.StdEncoding.EncodedLen(len(v))+len(`""`)), v), nil
	case []string:
		return encode.AppendTexts(nil, v), nil
	}
	return json.Marshal(v)
}

// index lists what has to be written to come from before's entries to after's.
func (k kind[S]) index(before, after S) []Write {
	if k.spec.Index == nil || k.spec.SameIndex != nil && k.spec.SameIndex(before, after) {
		return nil
	}
	return difference(k.spec.Index(before), k.spec.Index(after))
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// RecordKey is where a grain's record is stored.
func RecordKey(r Ref) string { return "grain/" + r.Kind + "/" + escape(r.ID) }

// RowPrefix is what the keys of all rows of a grain's tables begin with: they
// stand right behind the record, so that a commit of both touches one page.
func RowPrefix(r Ref) string { return "grain/" + r.Kind + "/" + escape(r.ID) + "/" }

// RowKey is where one row of a grain's table is stored.
func RowKey(r Ref, table, row string) string {
	return "grain/" + r.Kind + "/" + escape(r.ID) + "/" + table + "/" + escape(row)
}

// ColdKey is where one row of a grain's Cold table is stored: not below its record,
// so that an activation does not read it.
func ColdKey(r Ref, table, row string) string {
	return "cold/" + r.Kind + "/" + escape(r.ID) + "/" + table + "/" + escape(row)
}

// UnsettledPrefix is what the index of unsettled work begins with.
const UnsettledPrefix = "unsettled/"

// UnsettledKey stands in the store as long as the grain has work outstanding.
func UnsettledKey(r Ref) string { return UnsettledPrefix + r.Kind + "/" + escape(r.ID) }

// ParseUnsettledKey is the grain that key is about.
func ParseUnsettledKey(key string) (Ref, bool) {
	kind, id, ok := strings.Cut(strings.TrimPrefix(key, UnsettledPrefix), "/")
	return Ref{kind, unescape(id)}, ok
}

// Escape makes s usable as one element of an index key: it holds no slash.
func Escape(s string) string { return escape(s) }

func escape(s string) string { return url.PathEscape(s) }

func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}
