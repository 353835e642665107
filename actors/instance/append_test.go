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
