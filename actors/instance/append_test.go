package instance

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/encode/encodetest"
)

// TestAppendJSON: a state is written as encoding/json writes it, every field.
func TestAppendJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var s State
		encodetest.Fill(random, reflect.ValueOf(&s).Elem())
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.AppendJSON(nil); err != nil || string(got) != string(want) {
			t.Fatalf("%v\ngot  %s\nwant %s", err, got, want)
		}
	}
}

// TestReads: over a message that is said to change nothing, nothing changes,
// whatever the state is.
func TestReads(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var s State
		encodetest.Fill(random, reflect.ValueOf(&s).Elem())
		for _, m := range []actors.Message{&messages.Activated{}, &messages.Nudged{}} {
			if !reads(m) {
				t.Fatalf("%T is not among them", m)
			}
			before, _ := s.AppendJSON(nil)
			after, _, err := stepSafely(s, m)
			if err != nil {
				continue // refused: nothing changed
			}
			if now, _ := after.AppendJSON(nil); string(now) != string(before) || after.History != s.History || after.Papers != s.Papers {
				t.Fatalf("%T changed %s\nto %s", m, before, now)
			}
		}
	}
}

// stepSafely steps a state made at random, which may lack what every real one has.
func stepSafely(s State, m actors.Message) (after State, effects []actors.Effect, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return Step(s, actors.Input{ID: "i", Now: time.Unix(1, 0), Message: m})
}

// TestWhy: a decision is stored as it is, and one that an older node has stored with
// the papers is read until there is a newer one.
func TestWhy(t *testing.T) {
	s := State{}.explain(&messages.Decision{Chosen: "h2"})
	raw, _ := s.why()
	var back paper
	if err := back.ReadRow(paper(raw).RowBytes()); err != nil || string(back) != string(raw) || s.Papers.Len() != 0 {
		t.Errorf("%q is read back as %q, %v, with %d papers", raw, back, err, s.Papers.Len())
	}
	older := State{Papers: s.Papers.Set(decision, []byte("old"))}
	if raw, ok := older.why(); !ok || string(raw) != "old" {
		t.Errorf("an older node's is read as %q, %v", raw, ok)
	}
	if now, ok := older.explain(&messages.Decision{Chosen: "h2"}).why(); !ok || string(now) != string(raw) {
		t.Errorf("the newest is read as %q, %v", now, ok)
	}
}
