package actors

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

// copied has rows of both kinds, and one table that is never in memory.
type copied struct {
	Name  string
	Rows  Table[string] `json:"-"`
	Blobs Table[blob]   `json:"-"`
	Old   Cold          `json:"-"`
}

type blob struct{ raw string }

func (b blob) RowBytes() []byte { return []byte(b.raw) }

func (b *blob) ReadRow(raw []byte) error {
	if string(raw) == "broken" {
		return fmt.Errorf("it is broken: %w", messages.Invalid)
	}
	b.raw = string(raw)
	return nil
}

func copiedKind() Kind {
	return Spec[copied]{
		Name: "copied",
		Step: func(s copied, _ Input) (copied, []Effect, error) { return s, nil, nil },
		Wake: nil,
		Tables: func(s *copied) map[string]Rows {
			return map[string]Rows{"rows": &s.Rows, "blobs": &s.Blobs, "old": &s.Old}
		},
	}.Kind()
}

// TestCopy: rows that are listed and brought in pieces, with what has changed since,
// make what Open makes of the store.
func TestCopy(t *testing.T) {
	t.Parallel()
	k, random := copiedKind(), rand.New(rand.NewPCG(1, 2))
	for range 200 {
		stored := map[string][]byte{}
		change := func() (name string) {
			name = []string{"rows/", "blobs/"}[random.IntN(2)] + escape(fmt.Sprintf("k/%d", random.IntN(30)))
			switch {
			case random.IntN(4) == 0:
				delete(stored, name)
			case strings.HasPrefix(name, "rows/"):
				stored[name] = fmt.Appendf(nil, "%q", fmt.Sprint(random.IntN(100)))
			default:
				stored[name] = []byte(strings.Repeat("b", random.IntN(3)))
			}
			return name
		}
		for range random.IntN(60) {
			change()
		}
		record := &messages.Record{State: []byte(`{"Name":"before"}`)}
		source, err := k.Open(record, stored)
		if err != nil {
			t.Fatal(err)
		}
		if k.Count(source) != len(stored) {
			t.Fatalf("%d rows of %d", k.Count(source), len(stored))
		}
		// Listed a few at a time, while they go on changing.
		var copy State
		piece := map[string][]byte{}
		flush := func() {
			if copy, err = k.Patch(copy, nil, piece); err != nil {
				t.Fatal(err)
			}
			piece = map[string][]byte{}
		}
		if err := k.EachRow(source, func(row string, value []byte) bool {
			if piece[row] = value; len(piece) == 7 {
				flush()
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		flush()
		for range random.IntN(20) {
			name := change()
			piece[name] = stored[name] // nil: it was deleted
		}
		flush()
		record = &messages.Record{State: []byte(`{"Name":"after"}`)}
		got, err := k.Patch(copy, record, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := k.Open(record, stored)
		if err != nil {
			t.Fatal(err)
		}
		a, b := got.Value().(copied), want.Value().(copied)
		if a.Name != "after" || string(got.Encoded()) != string(want.Encoded()) ||
			!maps.Equal(maps.Collect(a.Rows.All()), maps.Collect(b.Rows.All())) ||
			!maps.Equal(maps.Collect(a.Blobs.All()), maps.Collect(b.Blobs.All())) {
			t.Fatalf("copied %+v, opened %+v", a, b)
		}
		if w, err := a.Rows.writes(); err != nil || len(w) > 0 {
			t.Fatalf("what was copied would be written again: %v, %v", w, err)
		}
	}
}

// TestCopyEnds: a listing ends when nobody wants more, and what cannot be read is an
// error that says where.
func TestCopyEnds(t *testing.T) {
	t.Parallel()
	k, listed := copiedKind(), 0
	s, err := k.Open(nil, map[string][]byte{"rows/a": []byte(`"1"`), "rows/b": []byte(`"2"`), "blobs/c": []byte("3")})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.EachRow(s, func(string, []byte) bool { listed++; return false }); err != nil || listed != 1 {
		t.Errorf("%d rows after the first no, %v", listed, err)
	}
	for name, raw := range map[string]string{"rows/x": "{", "blobs/x": "broken"} {
		table, _, _ := strings.Cut(name, "/")
		if _, err := k.Patch(s, nil, map[string][]byte{name: []byte(raw)}); err == nil || !strings.Contains(err.Error(), table) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := k.Patch(s, &messages.Record{State: []byte("{")}, nil); err == nil {
		t.Error("a record that cannot be read makes a state")
	}
}
