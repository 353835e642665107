package service

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// TestSnapshotFails: what was registered while a snapshot was under way stays when
// that fails, and stands in the next one.
func TestSnapshotFails(t *testing.T) {
	w := newWorld(t)
	w.must(&messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{endpoint("10.0.0.1")}})
	w.must(&messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{endpoint("10.0.0.2")}}) // in memory only
	before := w.state
	w.now = w.now.Add(SnapshotEvery + time.Second)
	turn := w.turn(&messages.Woken{})
	if !turn.Changed {
		t.Fatal("no snapshot was wanted")
	}
	later := w.turnOn(turn.State, &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{endpoint("10.0.0.3")}})
	if !later.Memory {
		t.Fatal("a registration waits for the snapshot")
	}
	w.state = w.kind.Rebase(before, later.State)
	if got := w.service().Endpoints; len(got) != 3 {
		t.Fatalf("after the commit has failed there are %v", got)
	}
	w.now = w.state.Wake().Add(time.Millisecond)
	w.must(&messages.Woken{})
	w.move()
	if got := w.service().Endpoints; len(got) != 3 {
		t.Errorf("after a move there are %v", got)
	}
}

// TestChangeFails: a change that can be seen and was not committed is not seen.
func TestChangeFails(t *testing.T) {
	w := newWorld(t)
	w.must(&messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{endpoint("10.0.0.1")}})
	before := w.state
	for name, m := range map[string]proto.Message{
		"a service that is set": &messages.SetService{ProtectThreshold: proto.Float64(0.5)},
		"a cluster that is set": &messages.SetCluster{Cluster: "c", Check: &messages.HealthCheck{Type: "TCP"}},
	} {
		turn := w.turnOn(before, m)
		if !turn.Changed {
			t.Fatalf("%s: nothing to commit", name)
		}
		w.state = w.kind.Rebase(before, turn.State)
		got, err := w.step(&messages.GetService{})
		if s, ok := got.(*messages.Service); err != nil || !ok || s.ProtectThreshold != 0 || len(s.Clusters) > 1 || len(s.Endpoints) != 1 {
			t.Errorf("%s and was not committed: %v, %v", name, got, err)
		}
	}
	none := newWorld(t)
	empty := none.state
	turn := none.turnOn(empty, &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{endpoint("10.0.0.1")}})
	none.state = none.kind.Rebase(empty, turn.State)
	if _, err := none.step(&messages.GetService{}); err == nil {
		t.Error("a service whose making failed is there")
	}
}

func (w *world) turn(m proto.Message) actors.Turn { return w.turnOn(w.state, m) }

func (w *world) turnOn(on actors.State, m proto.Message) actors.Turn {
	w.t.Helper()
	turn, err := w.kind.Step(on, actors.Input{ID: testID, Now: w.now, Message: m})
	if err != nil {
		w.t.Fatal(err)
	}
	return turn
}
