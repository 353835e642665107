package service

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// TestPersistentSimulation: whatever breaks down when, what was acknowledged as
// registered is there, and what was acknowledged as gone is not.
func TestPersistentSimulation(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 2))
		w := newWorld(t)
		w.crash = func() bool { return rng.IntN(4) == 0 }
		want, rev := map[string]bool{}, int64(0)
		w.must(&messages.Nudged{})
		for range 300 {
			ip := fmt.Sprintf("10.0.0.%02d", rng.IntN(30))
			var m proto.Message = &messages.DeregisterEndpoints{Endpoints: keys(ip)}
			lives := rng.IntN(3) > 0
			if lives {
				m = &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{persistent(ip)}}
			}
			for _, err := w.step(m); errors.Is(err, messages.Unavailable); {
				_, err = w.step(m)
			}
			if want[ip] = lives; !lives {
				delete(want, ip)
			}
			switch rng.IntN(4) {
			case 0:
				w.move()
			case 1:
				probeAll(w, rng)
			}
			w.now = w.now.Add(time.Duration(rng.IntN(2000)) * time.Millisecond)
			v := w.service()
			if got := ips(v); !slices.Equal(got, slices.Sorted(keysOf(want))) || v.GetRevision() < rev {
				t.Fatalf("seed %d: shown are %v, registered %v; revision %d after %d", seed, got, want, v.GetRevision(), rev)
			}
			rev = max(rev, v.GetRevision())
			if bad := w.state.Value().(State).check(); bad != "" {
				t.Fatalf("seed %d: %s", seed, bad)
			}
		}
		w.crash = nil
		w.pass(time.Minute)
		if e := w.entry(); int(e.GetEndpointCount()) != len(want) || e.GetHealthyCount() != w.service().GetHealthyCount() {
			t.Errorf("seed %d: the index says %v of %v", seed, e, want)
		}
	}
}

// probeAll wakes the service and answers what it asks for.
func probeAll(w *world, rng *rand.Rand) {
	if _, err := w.step(&messages.Woken{}); err != nil {
		return
	}
	found := &messages.EndpointsProbed{}
	for _, e := range w.last {
		if p, ok := e.(actors.Probe); ok {
			for _, target := range p.Targets {
				found.Results = append(found.Results, &messages.ProbeResult{Key: target.Key, Ok: rng.IntN(2) == 0})
			}
		}
	}
	_, _ = w.step(found)
}

func ips(v *messages.Service) []string {
	var all []string
	for _, e := range v.GetEndpoints() {
		all = append(all, e.Ip)
	}
	return all
}

// TestChecks: looks are asked for until somebody says NONE, and three that agree
// decide.
func TestChecks(t *testing.T) {
	w := newWorld(t)
	w.must(&messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{persistent("x")}})
	asked := func() []actors.ProbeTarget {
		w.now = w.state.Wake()
		w.must(&messages.Woken{})
		for _, e := range w.last {
			if p, ok := e.(actors.Probe); ok {
				return p.Targets
			}
		}
		return nil
	}
	answer := func(ok bool, want string) {
		t.Helper()
		var got []actors.ProbeTarget
		for range 3 { // a wake may have been for the snapshot
			if got = asked(); got != nil {
				break
			}
		}
		if len(got) != 1 || got[0].Key.Ip != "x" || got[0].Check.Port != 80 || got[0].Check.Type != CheckTCP {
			t.Fatalf("asked for %v", got)
		}
		w.must(&messages.EndpointsProbed{Results: []*messages.ProbeResult{{Key: got[0].Key, Ok: ok}}})
		if is := w.shown(); is != want {
			t.Errorf("shown is %q, want %q", is, want)
		}
	}
	for _, a := range []struct {
		ok   bool
		want string
	}{{true, "x"}, {false, "x"}, {false, "x"}, {true, "x"}, {false, "x"}, {false, "x"}, {false, "-x"}, {true, "-x"}, {true, "-x"}, {true, "x"}} {
		answer(a.ok, a.want)
	}
	for range probeTimes {
		w.must(&messages.EndpointsProbed{Results: []*messages.ProbeResult{{Key: keys("x")[0]}}})
	}
	if w.pass(2 * SnapshotEvery); w.shown() != "-x" || w.entry().HealthyCount != 0 {
		t.Errorf("shown is %q, the index says %v", w.shown(), w.entry())
	}
	set := &messages.UpdateEndpoints{Keys: keys("x"), Healthy: proto.Bool(false)}
	if _, err := w.step(set); !errors.Is(err, messages.Invalid) {
		t.Errorf("the health of what is checked was set: %v", err)
	}
	w.must(&messages.SetCluster{Check: &messages.HealthCheck{Type: CheckNone}})
	w.must(set)
	w.pass(10 * time.Second)
	w.move()
	if at := w.state.Wake(); w.shown() != "-x" || !at.IsZero() {
		t.Errorf("shown is %q, looked at at %v", w.shown(), at)
	}
	w.must(&messages.SetCluster{Check: &messages.HealthCheck{Type: CheckTCP}})
	answer(true, "x") // the first look of all
}

// TestSaidIsStored: what an operator says of an endpoint that beats outlives the node
// which was told, at once; what the endpoint says of itself may wait for the snapshot.
func TestSaidIsStored(t *testing.T) {
	w := newWorld(t)
	w.must(&messages.Nudged{})
	var all []*messages.Endpoint
	for i := range 100 {
		all = append(all, &messages.Endpoint{Ip: fmt.Sprintf("10.0.0.%d", i), Port: 80, Weight: 1, Enabled: true, Healthy: true})
	}
	w.must(&messages.RegisterEndpoints{Endpoints: all})
	w.pass(2 * SnapshotEvery)
	off := false
	w.must(&messages.UpdateEndpoints{
		Keys: []*messages.EndpointKey{{Ip: "10.0.0.7", Port: 80}, {Ip: "10.0.0.70", Port: 80}}, Enabled: &off, SetMetadata: map[string]string{"zone": "a"},
	})
	w.move() // the node dies
	changed := 0
	for _, e := range w.service().GetEndpoints() {
		if !e.Enabled && e.Metadata["zone"] == "a" {
			changed++
		}
	}
	if changed != 2 || len(w.service().GetEndpoints()) != 100 {
		t.Errorf("of %d endpoints %d are as they were said to be", len(w.service().GetEndpoints()), changed)
	}
	if bad := w.state.Value().(State).check(); bad != "" {
		t.Error(bad)
	}
}

// TestNoChangeWaits: who registers, and who hears of it, does not wait for a commit; the
// snapshot and the mark of revisions come after.
func TestNoChangeWaits(t *testing.T) {
	w := newWorld(t)
	w.must(owned("m/c", "a"))
	for n := range 100 { // five minutes: the mark has to move on
		w.pass(3 * time.Second)
		w.turns = 0
		m := owned("m/c", "a")
		m.Endpoints[0].Weight = float64(n + 2)
		w.must(m)
		if w.turns != 0 || !slices.Contains(w.last, actors.Effect(actors.Notify{})) {
			t.Fatalf("change %d: %d commits, effects %v", n, w.turns, w.last)
		}
	}
	w.pass(SnapshotEvery + time.Second)
	if w.turns == 0 {
		t.Error("what changed was never stored")
	}
}
