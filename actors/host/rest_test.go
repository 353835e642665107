package host

import (
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// TestRest: a host that builds is kept among the unsettled until it has rested for a
// while, however often it builds; one that was loaded meanwhile lets go at once.
func TestRest(t *testing.T) {
	t.Parallel()
	at := now
	turn := func(s State, m actors.Message) State {
		t.Helper()
		s, _, err := Step(s, actors.Input{ID: "h1", Now: at, Message: m})
		if err != nil {
			t.Fatalf("%T: %v", m, err)
		}
		return s
	}
	built := func(s State, id string) State {
		s = turn(s, &messages.OrderHost{
			InstanceId: id, Order: 1, Kind: messages.OrderKind_ORDER_KIND_BUILD, Spec: &messages.DomainSpec{InstanceId: id, Vcpus: 1, RamMib: 1},
		})
		if !keep(s) || !wake(s).IsZero() {
			t.Errorf("%s is being built: kept %v, woken at %v", id, keep(s), wake(s))
		}
		at = at.Add(time.Second)
		s = turn(s, &messages.DriverDone{InstanceId: id, Order: 1, Kind: messages.OrderKind_ORDER_KIND_BUILD, Power: messages.PowerState_POWER_STATE_RUNNING})
		if s.busy() || !keep(s) || !wake(s).Equal(at.Add(RestTime)) {
			t.Errorf("%s is built: kept %v, woken at %v, not after a rest", id, keep(s), wake(s))
		}
		return s
	}
	s := turn(State{}, &messages.HostConnected{Inventory: &messages.Inventory{Vcpus: 8, RamMib: 8, DiskGib: 8}})
	s = built(built(s, "a"), "b")
	if s = turn(s, &messages.Woken{}); !keep(s) {
		t.Error("woken too early, it lets go")
	}
	loaded := s
	loaded.Quiet = time.Time{}
	if loaded = turn(loaded, &messages.Woken{}); keep(loaded) || !wake(loaded).IsZero() {
		t.Error("loaded, it does not let go")
	}
	at = at.Add(RestTime)
	if s = turn(s, &messages.Woken{}); keep(s) || !wake(s).IsZero() {
		t.Error("rested, it does not let go")
	}
}
