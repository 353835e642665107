package config

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// world runs one key as the shell does: through its kind, over a store that is a map.
type world struct {
	t     testing.TB
	kind  actors.Kind
	ref   actors.Ref
	now   time.Time
	store map[string][]byte
	made  bool // there is a record
	state actors.State
	turn  actors.Turn // the last
}

func newWorld(t testing.TB, ns, group, dataID string) *world {
	w := &world{t: t, kind: Spec(), ref: Ref(ns, group, dataID), now: time.Unix(1_700_000_000, 0), store: map[string][]byte{}}
	w.move()
	return w
}

// move activates the key anew, from what is stored.
func (w *world) move() {
	w.t.Helper()
	rows := map[string][]byte{}
	for key, raw := range w.store {
		if row, ok := strings.CutPrefix(key, actors.RowPrefix(w.ref)); ok {
			rows[row] = raw
		}
	}
	var record *messages.Record
	if w.made {
		record = &messages.Record{State: w.store[actors.RecordKey(w.ref)]}
	}
	var err error
	if w.state, err = w.kind.Open(record, rows); err != nil {
		w.t.Fatal(err)
	}
	w.must(&messages.Activated{})
}

// say has the key take a message, and whatever it wants to be woken for.
func (w *world) say(m proto.Message) (proto.Message, error) {
	w.t.Helper()
	answer, err := w.step(m)
	for n := 0; err == nil && !w.state.Wake().IsZero() && !w.state.Wake().After(w.now); n++ {
		if n > MaxHistory/MaxRemoved {
			w.t.Fatal("it never sleeps")
		}
		if _, err := w.step(&messages.Woken{}); err != nil {
			w.t.Fatal(err)
		}
	}
	return answer, err
}

func (w *world) step(m proto.Message) (proto.Message, error) {
	w.t.Helper()
	turn, err := w.kind.Step(w.state, actors.Input{ID: w.ref.ID, Now: w.now, Message: m})
	w.turn = turn
	if err != nil {
		return nil, err
	}
	if turn.Changed {
		w.made = true
		for _, x := range turn.Writes {
			if x.Value == nil {
				delete(w.store, x.Key)
			} else {
				w.store[x.Key] = x.Value
			}
		}
		w.store[actors.RecordKey(w.ref)] = turn.State.Encoded()
	}
	w.state = turn.State
	for _, e := range turn.Effects {
		switch e := e.(type) {
		case actors.Reply:
			return e.Message, nil
		case actors.ReadCold:
			raw, ok := w.store[actors.ColdKey(w.ref, e.Table, e.Row)]
			if !ok {
				return nil, fmt.Errorf("no row %s: %w", e.Row, messages.NotFound)
			}
			m := e.As.ProtoReflect().New().Interface()
			return m, proto.Unmarshal(raw, m)
		}
	}
	return nil, nil
}

func (w *world) must(m proto.Message) proto.Message {
	w.t.Helper()
	answer, err := w.say(m)
	if err != nil {
		w.t.Fatalf("%T: %v", m, err)
	}
	return answer
}

// below is what is stored under keys that begin with prefix.
func (w *world) below(prefix string) map[string][]byte {
	found := maps.Clone(w.store)
	maps.DeleteFunc(found, func(key string, _ []byte) bool { return !strings.HasPrefix(key, prefix) })
	return found
}
