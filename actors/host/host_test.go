package host

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	create = messages.OrderKind_ORDER_KIND_BUILD
	start  = messages.OrderKind_ORDER_KIND_START
	stop   = messages.OrderKind_ORDER_KIND_STOP
	remove = messages.OrderKind_ORDER_KIND_DELETE
	lookAt = messages.OrderKind_ORDER_KIND_LOOK

	running = messages.PowerState_POWER_STATE_RUNNING
	down    = messages.PowerState_POWER_STATE_SHUTDOWN
	crashed = messages.PowerState_POWER_STATE_CRASHED
)

func orderOf(id string, n uint64, k messages.OrderKind, ram int64) *messages.OrderHost {
	m := &messages.OrderHost{InstanceId: id, Order: n, Kind: k}
	if k == create {
		m.Spec = &messages.DomainSpec{InstanceId: id, Vcpus: 1, RamMib: ram, DiskGib: 1}
	}
	return m
}

func doneWith(id string, n uint64, k messages.OrderKind, p messages.PowerState, kind messages.ErrorKind) *messages.DriverDone {
	return &messages.DriverDone{InstanceId: id, Order: n, Kind: k, Power: p, Absent: k == remove && kind == 0, ErrorKind: kind}
}

func connect(domains ...*messages.DomainSeen) *messages.HostConnected {
	return &messages.HostConnected{Inventory: &messages.Inventory{HypervisorHostname: "hv", Vcpus: 4, RamMib: 1024, DiskGib: 10}, Domains: domains}
}

// says renders the effects of a step as one line.
func says(effects []actors.Effect) string {
	var all []string
	for _, e := range effects {
		switch e := e.(type) {
		case actors.Drive:
			all = append(all, fmt.Sprintf("drive %d %s", e.Order.Order, strings.ToLower(strings.TrimPrefix(e.Order.Kind.String(), "ORDER_KIND_"))))
		case actors.Tell:
			text := string(e.Message.ProtoReflect().Descriptor().Name())
			if r, ok := e.Message.(*messages.DomainReported); ok {
				text = fmt.Sprintf("report %d ended=%v absent=%v power=%d error=%v", r.Order, r.Ended, r.Absent, r.Power, r.ErrorKind != 0)
			}
			all = append(all, text)
		case actors.Publish:
		default:
			all = append(all, fmt.Sprintf("%T", e))
		}
	}
	return strings.Join(all, "; ")
}

// TestStory is one host's day: each row is a message and what the host does.
func TestStory(t *testing.T) {
	t.Parallel()
	var s State
	for _, tt := range []struct {
		name string
		m    actors.Message
		want string
		ram  int64 // promised afterwards
	}{
		{"before it is connected it takes nothing", orderOf("z", 1, create, 1), "OrderRefused", 0},
		{"connected", connect(), "", 0},
		{"a build", orderOf("a", 1, create, 1000), "drive 1 build", 1000},
		{"the same build while it runs", orderOf("a", 1, create, 1000), "", 1000},
		{"no room", orderOf("b", 1, create, 25), "OrderRefused", 1000},
		{"a refused order again", orderOf("b", 1, create, 25), "OrderRefused", 1000},
		{"a look at what is at work", &messages.DomainObserved{Domain: &messages.DomainSeen{InstanceId: "a"}}, "", 1000},
		{"an unknown outcome", doneWith("a", 1, create, 0, messages.ErrorKind_ERROR_KIND_UNAVAILABLE), "", 1000},
		{"is tried again", &messages.Nudged{}, "drive 1 build", 1000},
		{"built", doneWith("a", 1, create, running, 0), "report 1 ended=true absent=false power=1 error=false", 1000},
		{"asked again, it tells again", orderOf("a", 1, create, 1000), "report 1 ended=true absent=false power=1 error=false", 1000},
		{"an event that says what is known", &messages.DomainObserved{Domain: &messages.DomainSeen{InstanceId: "a", Power: running}}, "", 1000},
		{"an event is a hint to look", &messages.DomainObserved{Domain: &messages.DomainSeen{InstanceId: "a", Power: down}}, "drive 1 look", 1000},
		{"it looked: crashed", doneWith("a", 1, lookAt, crashed, 0), "report 1 ended=false absent=false power=6 error=false", 1000},
		{"not heard, told again", &messages.Nudged{}, "report 1 ended=false absent=false power=6 error=false", 1000},
		{"heard", &messages.ReportTaken{InstanceId: "a", Seq: 2}, "", 1000},
		{"nothing left to tell", &messages.Nudged{}, "", 1000},
		{"a start", orderOf("a", 2, start, 0), "drive 2 start", 1000},
		{"a newer stop takes its place", orderOf("a", 3, stop, 0), "drive 3 stop", 1000},
		{"the older one's word is late", doneWith("a", 2, start, running, 0), "", 1000},
		{"stopped", doneWith("a", 3, stop, down, 0), "report 3 ended=true absent=false power=4 error=false", 1000},
		{"an old order is stale", orderOf("a", 2, start, 0), "", 1000},
		{"a delete", orderOf("a", 4, remove, 0), "drive 4 delete", 1000},
		{"failed is not absent", doneWith("a", 4, remove, down, messages.ErrorKind_ERROR_KIND_INTERNAL), "report 4 ended=false absent=false power=4 error=true", 1000},
		{"it is tried again", &messages.Nudged{}, "drive 4 delete", 1000},
		{"gone", doneWith("a", 4, remove, 0, 0), "report 4 ended=true absent=true power=0 error=false", 0},
		{"a late build brings nothing back", orderOf("a", 1, create, 1000), "", 0},
		{"the delete again", orderOf("a", 4, remove, 0), "report 4 ended=true absent=true power=0 error=false", 0},
		{"a newer build may", orderOf("a", 5, create, 1000), "drive 5 build", 1000},
		{"a start of nobody", orderOf("n", 1, start, 0), "report 1 ended=true absent=true power=0 error=true", 1000},
		{"a delete of nobody makes sure", orderOf("m", 1, remove, 0), "drive 1 delete", 1000},
	} {
		effects := step(t, &s, tt.m)
		if got := says(effects); got != tt.want || s.RAMMiB != tt.ram {
			t.Fatalf("%s: %q with %d MiB, want %q with %d", tt.name, got, s.RAMMiB, tt.want, tt.ram)
		}
	}
}

// TestReconcile: what the hypervisor has and what the claims say are compared at
// every connection; what nobody claims is asked about, never killed unasked.
func TestReconcile(t *testing.T) {
	t.Parallel()
	var s State
	step(t, &s, connect())
	step(t, &s, orderOf("a", 1, create, 100))
	step(t, &s, doneWith("a", 1, create, running, 0))
	step(t, &s, orderOf("g", 1, create, 100))
	step(t, &s, doneWith("g", 1, create, running, 0))
	effects := step(t, &s, connect(
		&messages.DomainSeen{InstanceId: "a", Power: crashed, Order: 1}, &messages.DomainSeen{InstanceId: "stray", Power: running, Order: 7},
	))
	got := says(effects)
	for _, want := range []string{"absent=false power=6", "absent=true power=0", "DomainFound"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if got := says(step(t, &s, &messages.DisownDomain{InstanceId: "stray", Order: 9})); got != "drive 9 delete" {
		t.Errorf("disowned: %q", got)
	}
	if got := says(step(t, &s, doneWith("stray", 9, remove, 0, 0))); !strings.Contains(got, "absent=true") || s.Instances != 2 {
		t.Errorf("%q, %d claims", got, s.Instances)
	}
	step(t, &s, connect(&messages.DomainSeen{InstanceId: "mine", Power: running, Order: 3}))
	step(t, &s, &messages.AdoptDomain{InstanceId: "mine", Order: 4, Vcpus: 1, RamMib: 50, DiskGib: 1})
	if c, _ := s.Claims.Get("mine"); c.RAMMiB != 50 || c.Order != 4 || c.Stray {
		t.Errorf("adopted: %+v", c)
	}
	step(t, &s, connect(&messages.DomainSeen{InstanceId: "alien", Power: running}))
	step(t, &s, &messages.DomainUnknown{InstanceId: "alien"})
	if got := says(step(t, &s, &messages.Nudged{})); strings.Contains(got, "drive") {
		t.Errorf("a machine that nobody knows is left alone, but: %q", got)
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	var s State
	in := actors.Input{ID: "h", Now: now, Message: &messages.GetHost{}}
	if _, _, err := Step(s, in); messages.KindOf(err) != messages.ErrorKind_ERROR_KIND_NOT_FOUND {
		t.Errorf("a host that never was: %v", err)
	}
	step(t, &s, connect())
	step(t, &s, &messages.SetHost{Disabled: proto.Bool(true), DisabledReason: proto.String("upgrade")})
	v := step(t, &s, &messages.GetHost{})[0].(actors.Reply).Message.(*messages.HostView)
	if !v.Facts.Disabled || !v.Facts.Up || v.DisabledReason != "upgrade" {
		t.Errorf("got %v", v)
	}
	if _, _, err := Step(s, actors.Input{ID: "h", Message: &messages.GetConsole{InstanceId: "x"}}); messages.KindOf(err) != messages.ErrorKind_ERROR_KIND_NOT_FOUND {
		t.Errorf("the console of nobody: %v", err)
	}
	step(t, &s, &messages.HostLost{Reason: "gone"})
	if got := says(step(t, &s, orderOf("a", 1, create, 1))); got != "OrderRefused" {
		t.Errorf("a lost host took a build: %q", got)
	}
}

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func step(t *testing.T, s *State, m actors.Message) []actors.Effect {
	t.Helper()
	next, effects, err := Step(*s, actors.Input{ID: "h", Now: now, Message: m})
	if err != nil {
		t.Fatal(err)
	}
	*s = next
	return effects
}

// TestYield: a host that is down promises to let go of a machine, and keeps the
// promise when it is back; one that is up refuses and looks.
func TestYield(t *testing.T) {
	t.Parallel()
	const yield, release = messages.OrderKind_ORDER_KIND_YIELD, messages.OrderKind_ORDER_KIND_RELEASE
	leftover := func(n uint64, k messages.OrderKind) *messages.OrderHost {
		m := orderOf("a", n, k, 0)
		m.Leftover = true
		return m
	}
	onIt := &messages.DomainSeen{InstanceId: "a", Power: running, Order: 1}
	var s State
	for _, tt := range []struct {
		name string
		m    actors.Message
		want string
	}{
		{"connected", connect(), ""},
		{"a build", orderOf("a", 1, create, 10), "drive 1 build"},
		{"built", doneWith("a", 1, create, running, 0), "report 1 ended=true absent=false power=1 error=false"},
		{"up, it does not yield, but looks", orderOf("a", 2, yield, 0), "drive 2 look"},
		{"and says why not, and what it is", doneWith("a", 2, lookAt, running, 0), "report 2 ended=true absent=false power=1 error=true"},
		{"asked again", orderOf("a", 2, yield, 0), "report 2 ended=true absent=false power=1 error=true"},
		{"its node dies", &messages.HostLost{Reason: "dead"}, ""},
		{"down, it yields", orderOf("a", 3, yield, 0), "InstanceYielded"},
		{"asked again", orderOf("a", 3, yield, 0), "InstanceYielded"},
		{"what is not here is yielded too", orderOf("b", 1, yield, 0), "InstanceYielded"},
		{"and again", orderOf("b", 1, yield, 0), "InstanceYielded"},
		{"back, it powers off", connect(onIt), "drive 3 yield"},
		{"which failed", doneWith("a", 3, yield, running, messages.ErrorKind_ERROR_KIND_INTERNAL), ""},
		{"and is tried again", &messages.Nudged{}, "drive 3 yield"},
		{"off", doneWith("a", 3, yield, down, 0), "InstanceYielded"},
		{"somebody starts it behind our back", connect(onIt), "drive 3 yield"},
		{"off again", doneWith("a", 3, yield, down, 0), "InstanceYielded"},
		{"no build over it", orderOf("a", 4, create, 10), "OrderRefused"},
		{"nor the same again", orderOf("a", 4, create, 10), "OrderRefused"},
		{"released", leftover(5, release), "drive 5 release; OrderTaken"},
		{"told once more", leftover(5, release), "OrderTaken"},
		{"still no build", orderOf("a", 6, create, 10), "OrderRefused"},
		{"gone", doneWith("a", 5, release, 0, 0), "report 5 ended=true absent=true power=0 error=false"},
		{"the refused build is too late", orderOf("a", 6, create, 10), "report 6 ended=true absent=true power=0 error=false"},
		{"a newer one may", orderOf("a", 7, create, 10), "drive 7 build"},
		{"built", doneWith("a", 7, create, running, 0), "report 7 ended=true absent=false power=1 error=false"},
		{"declared down", &messages.SetHost{ForcedDown: proto.Bool(true)}, "actors.Reply"},
		{"connected all the same, it powers off first", orderOf("a", 8, yield, 0), "drive 8 yield"},
		{"and yields then", doneWith("a", 8, yield, down, 0), "InstanceYielded"},
		{"nothing new for a host that is declared down", orderOf("c", 1, create, 1), "OrderRefused"},
		{"it is its own again", leftover(9, lookAt), "drive 9 look; OrderTaken"},
		{"and says what it is", doneWith("a", 9, lookAt, down, 0), "report 9 ended=true absent=false power=4 error=false"},
	} {
		if got := says(step(t, &s, tt.m)); got != tt.want {
			t.Fatalf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestNotKnownYet: a host that was activated anew does not know whether it is down.
func TestNotKnownYet(t *testing.T) {
	t.Parallel()
	var s State
	step(t, &s, connect())
	step(t, &s, orderOf("a", 1, create, 10))
	step(t, &s, doneWith("a", 1, create, running, 0))
	s.Up = false // as after a move
	const yield = messages.OrderKind_ORDER_KIND_YIELD
	for _, id := range []string{"a", "b"} {
		if got := says(step(t, &s, orderOf(id, 2, yield, 0))); got != "" {
			t.Errorf("%s: it answered %q", id, got)
		}
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	var s State
	refused := func(what string) {
		t.Helper()
		if _, _, err := Step(s, actors.Input{ID: "h", Now: now, Message: &messages.DeleteHost{}}); err == nil {
			t.Errorf("%s it was forgotten", what)
		}
	}
	refused("before it was there")
	step(t, &s, connect())
	refused("while it is up")
	step(t, &s, orderOf("a", 1, create, 10))
	step(t, &s, &messages.HostLost{})
	refused("with a machine")
	step(t, &s, orderOf("a", 2, messages.OrderKind_ORDER_KIND_YIELD, 0))
	refused("with a machine that may come back")
	step(t, &s, orderOf("a", 3, messages.OrderKind_ORDER_KIND_RELEASE, 0))
	step(t, &s, &messages.DeleteHost{})
	if len(index(s)) != 0 || s.Instances != 0 || s.RAMMiB != 0 || s.Working != 0 {
		t.Errorf("of a forgotten host is left %+v", s)
	}
}
