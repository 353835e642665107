package scheduler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func step(t *testing.T, s State, at time.Time, m actors.Message) (State, []actors.Effect) {
	t.Helper()
	s, effects, err := Step(s, actors.Input{ID: "main", Now: at, Message: m})
	if err != nil {
		t.Fatal(err)
	}
	return s, effects
}

func wish(n int) *messages.ScheduleInstance {
	return &messages.ScheduleInstance{InstanceId: fmt.Sprintf("i%d", n), Attempt: 1, Shape: &messages.ScheduleShape{Vcpus: 1, RamMib: 512}}
}

func answer1(round uint64, ram int64) *messages.HostsAnswered {
	return &messages.HostsAnswered{Round: round, Hosts: []*messages.HostFacts{{Name: "h", Up: true, Vcpus: 4, RamMib: ram, DiskGib: 10}}}
}

// TestOneQueryServesMany: who comes while the hosts are asked is decided with
// the rest, each seeing the choices before it.
func TestOneQueryServesMany(t *testing.T) {
	t.Parallel()
	s, asked := step(t, State{Mode: Filter}, now, wish(1))
	for n := 2; n <= 3; n++ {
		var more []actors.Effect
		if s, more = step(t, s, now, wish(n)); len(more) > 0 {
			t.Errorf("asked again: %v", more)
		}
	}
	if len(asked) != 1 || asked[0] != (actors.QueryHosts{Round: 1}) {
		t.Fatalf("asked %v", asked)
	}
	s, told := step(t, s, now, answer1(1, 1024))
	if len(told) != 3 || s.Waiting.len() != 0 {
		t.Fatalf("told %v, waiting %v", told, s.Waiting)
	}
	for n, want := range []string{"h", "h", ""} {
		got := ""
		if m, ok := told[n].(actors.Tell).Message.(*messages.HostChosen); ok {
			got = m.Host
		}
		if got != want {
			t.Errorf("i%d got %q, want %q", n+1, got, want)
		}
	}
	no := told[2].(actors.Tell).Message.(*messages.NoHostFound)
	if !strings.Contains(no.Reason, "ram removed 1") {
		t.Errorf("the refusal does not say why: %s", no.Reason)
	}
}

func TestRounds(t *testing.T) {
	t.Parallel()
	s, _ := step(t, State{Mode: Filter}, now, wish(1))
	if _, e := step(t, s, now.Add(RoundTime), wish(2)); len(e) != 1 || e[0] != (actors.QueryHosts{Round: 2}) {
		t.Errorf("a lost query is not asked again: %v", e)
	}
	if s, e := step(t, s, now, answer1(7, 1024)); len(e) != 0 || s.Waiting.len() != 1 {
		t.Errorf("an answer to another round was taken: %v", e)
	}
	if s, _ := step(t, s, now, wish(1)); s.Waiting.len() != 1 {
		t.Errorf("asking twice waits twice: %v", s.Waiting)
	}
}

func TestNoHostsAtAll(t *testing.T) {
	t.Parallel()
	s, _ := step(t, State{Mode: Filter}, now, wish(1))
	_, e := step(t, s, now, &messages.HostsAnswered{Round: 1})
	if m := e[0].(actors.Tell).Message.(*messages.NoHostFound); !strings.Contains(m.Reason, "There are no hosts") {
		t.Errorf("got %v", m)
	}
}

// TestModes: caching decides from the last answer with its own choices counted,
// until the answer is too old; chance takes any host that passes.
func TestModes(t *testing.T) {
	t.Parallel()
	s, _ := step(t, State{Mode: Caching}, now, wish(1))
	s, _ = step(t, s, now, answer1(1, 1024))
	s, e := step(t, s, now.Add(CacheTime/2), wish(2))
	if _, ok := e[0].(actors.Tell).Message.(*messages.HostChosen); !ok {
		t.Errorf("from the cache: %v", e)
	}
	s, e = step(t, s, now.Add(CacheTime/2), wish(3))
	if _, ok := e[0].(actors.Tell).Message.(*messages.NoHostFound); !ok {
		t.Errorf("the cache forgot its own choices: %v", e)
	}
	if _, e = step(t, s, now.Add(2*CacheTime), wish(4)); e[0] != (actors.QueryHosts{Round: 2}) {
		t.Errorf("an old answer was used: %v", e)
	}
	s, _ = step(t, State{Mode: Chance}, now, wish(1))
	_, e = step(t, s, now, answer1(1, 1024))
	if m, ok := e[0].(actors.Tell).Message.(*messages.HostChosen); !ok || m.Host != "h" || m.Decision.Mode != "chance" {
		t.Errorf("by chance: %v", e)
	}
}
