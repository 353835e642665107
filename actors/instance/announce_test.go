package instance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/messages"
)

// day is one instance's day, told message by message.
type day struct {
	t       *testing.T
	s       State
	now     time.Time
	effects []actors.Effect
}

func (d *day) step(m actors.Message) {
	d.t.Helper()
	in := input(m)
	in.Now = d.now
	next, effects, err := Step(d.s, in)
	if err != nil {
		d.t.Fatalf("%T: %v", m, err)
	}
	d.s, d.effects = next, effects
}

// told is what services and the host were told, in one line.
func (d *day) told() string {
	var all []string
	for _, e := range d.effects {
		tell, ok := e.(actors.Tell)
		if !ok {
			continue
		}
		switch m := tell.Message.(type) {
		case *messages.AnnounceEndpoint:
			one := fmt.Sprintf("%s %d", strings.TrimPrefix(tell.To.ID, "public@@DEFAULT_GROUP@@"), m.Seq)
			for _, e := range m.Endpoints {
				one += fmt.Sprintf(" %s:%d weight %v", e.Ip, e.Port, e.Weight)
			}
			all = append(all, one)
		case *messages.OrderHost:
			all = append(all, fmt.Sprint("order ", m.Order, " ", word(m.Kind.String(), "ORDER_KIND_")))
		default:
			all = append(all, string(m.ProtoReflect().Descriptor().Name()))
		}
	}
	return strings.Join(all, "; ")
}

func reportOf(order, seq uint64, p messages.PowerState, ended, down bool) *messages.DomainReported {
	return &messages.DomainReported{InstanceId: "i1", Host: "h1", Order: order, Seq: seq, Power: p, Ended: ended, HostDown: down, Followed: true}
}

// TestDay: a server becomes an endpoint, is drained, stopped, started, reached no
// more, reached again, and deleted. Each row is a message and what it has to say.
func TestDay(t *testing.T) {
	t.Parallel()
	s := serving(idle)
	s.Said, s.Words, s.Followed = nil, 0, ""
	d := &day{t: t, s: s, now: now}
	act := func(a messages.Action) *messages.ActOnInstance { return &messages.ActOnInstance{Action: a} }
	for _, tt := range []struct {
		name  string
		after time.Duration
		m     actors.Message
		told  string
		busy  bool
	}{
		{"any message finds that it serves", 0, reportOf(3, 1, on, false, false), "ReportTaken; web 1 10.0.0.9:80 weight 1", true},
		{"until it is confirmed", 0, &messages.Nudged{}, "web 1 10.0.0.9:80 weight 1", true},
		{"by nobody else", 0, &messages.EndpointAnnounced{Service: "other", Seq: 1}, "", true},
		{"confirmed", 0, wordOf(1, ""), "", false},
		{"confirmed again", 0, wordOf(1, ""), "", false},
		{"two more ports", 0, &messages.UpdateInstance{Metadata: map[string]string{machine.ServiceKey: "web,web:81"}}, "web 2 10.0.0.9:80 weight 1 10.0.0.9:81 weight 1", true},
		{"one again", 0, &messages.UpdateInstance{Metadata: map[string]string{machine.ServiceKey: "web"}}, "web 3 10.0.0.9:80 weight 1", true},
		{"a late confirmation", 0, wordOf(2, ""), "", true},
		{"confirmed once more", 0, wordOf(3, ""), "", false},
		{"a stop drains first", 0, act(messages.Action_ACTION_STOP), "web 4 10.0.0.9:80 weight 0", true},
		{"waits for the word", time.Second, &messages.Nudged{}, "web 4 10.0.0.9:80 weight 0", true},
		{"from which it counts", time.Second, wordOf(4, ""), "", true},
		{"and is not over yet", 4 * time.Second, &messages.Woken{}, "", true},
		{"then it is ordered", time.Second, &messages.Woken{}, "order 4 stop; web 5", true},
		{"stopped", 0, reportOf(4, 1, off, true, false), "", true},
		{"gone from the list", 0, wordOf(5, ""), "", false},
		{"a start has nobody to wait for", 0, act(messages.Action_ACTION_START), "order 5 start", true},
		{"started", 0, reportOf(5, 1, on, true, false), "web 6 10.0.0.9:80 weight 1", true},
		{"listed again", 0, wordOf(6, ""), "", false},
		{"the host is lost", 0, reportOf(5, 2, on, false, true), "ReportTaken; web 7", true},
		{"and is back", 0, reportOf(5, 3, on, false, false), "ReportTaken; web 8 10.0.0.9:80 weight 1", true},
		{"which is confirmed", 0, wordOf(8, ""), "", false},
		{"a reboot drains", 0, act(messages.Action_ACTION_REBOOT_HARD), "web 9 10.0.0.9:80 weight 0", true},
		{"a delete goes on with that", time.Second, act(messages.Action_ACTION_DELETE), "web 9 10.0.0.9:80 weight 0", true},
		{"and waits for nobody", 5 * time.Second, &messages.Woken{}, "order 7 delete; web 10", true},
		{"the machine is gone, its address is not given back", 0, &messages.DomainReported{InstanceId: "i1", Host: "h1", Order: 7, Seq: 9, Ended: true, Absent: true}, "ReleaseQuota; web 10", true},
		{"before no service lists it", 0, wordOf(10, ""), "ReleasePorts; ReleaseQuota", true},
	} {
		d.now = d.now.Add(tt.after)
		d.step(tt.m)
		if got := d.told(); got != tt.told {
			t.Errorf("%s: told %q, want %q", tt.name, got, tt.told)
		}
		if got := busy(d.s); got != tt.busy {
			t.Errorf("%s: busy %v", tt.name, got)
		}
	}
}

const (
	on  = messages.PowerState_POWER_STATE_RUNNING
	off = messages.PowerState_POWER_STATE_SHUTDOWN
)

// TestFollowsWhoWasDown: what a host that was down has said of itself may be long over
// when a server first wants to be listed: the host is asked.
func TestFollowsWhoWasDown(t *testing.T) {
	t.Parallel()
	s := serving(idle)
	s.Said, s.Words, s.Followed, s.HostDown = nil, 0, "", true
	v := s.View.Copy()
	v.Metadata = nil
	s.View = v
	d := &day{t: t, s: s, now: now}
	back, down := reportOf(3, 3, on, false, false), reportOf(3, 2, on, false, true)
	for _, tt := range []struct {
		name string
		m    actors.Message
		told string
		busy bool
	}{
		{"it wants nothing of it", &messages.Nudged{}, "", false},
		{"it wants to be listed", &messages.UpdateInstance{Metadata: map[string]string{machine.ServiceKey: "web"}}, "", true},
		{"the host is asked", &messages.Nudged{}, "FollowHost", true},
		{"it is down still, and will say more", down, "ReportTaken", false},
		{"it is back", back, "ReportTaken; web 1 10.0.0.9:80 weight 1", true},
	} {
		d.step(tt.m)
		if got := d.told(); got != tt.told || busy(d.s) != tt.busy {
			t.Errorf("%s: told %q, want %q; busy %v", tt.name, got, tt.told, busy(d.s))
		}
	}
}

// TestRefused: the history says so once, and the service is asked again later.
func TestRefused(t *testing.T) {
	t.Parallel()
	d := &day{t: t, s: serving(idle), now: now}
	d.s.Said[0].Heard = false
	for seq := uint64(1); seq < 4; seq++ {
		d.step(wordOf(seq, "not yours"))
		if busy(d.s) || !wake(d.s).Equal(d.now.Add(RetryRefused)) {
			t.Fatalf("busy %v, wakes at %v", busy(d.s), wake(d.s))
		}
		d.now = d.now.Add(RetryRefused)
		d.step(&messages.Woken{})
		if want := fmt.Sprintf("web %d 10.0.0.9:80 weight 1", seq+1); d.told() != want {
			t.Errorf("told %q, want %q", d.told(), want)
		}
	}
	a := history(d.s).Actions
	if len(a) != 2 || !strings.Contains(a[0].Message, "not yours") {
		t.Errorf("the history is %v", a)
	}
	d.step(wordOf(4, "not yours"))
	d.step(&messages.ActOnInstance{Action: messages.Action_ACTION_STOP})
	if d.told() != "order 4 stop" || d.s.Said != nil {
		t.Errorf("told %q", d.told())
	}
}

// TestEvicted: a word that stands no more is said again, and what comes of that counts.
func TestEvicted(t *testing.T) {
	t.Parallel()
	d := &day{t: t, s: serving(idle), now: now}
	for _, tt := range []struct {
		m    actors.Message
		told string
	}{
		{wordOf(1, "taken"), "web 2 10.0.0.9:80 weight 1"},
		{wordOf(1, "taken"), ""},
		{wordOf(2, "taken"), ""},
		{wordOf(2, "taken"), ""},
		{&messages.UpdateInstance{RemoveMetadata: []string{machine.ServiceKey}}, ""},
		{wordOf(2, "taken"), "web 3"}, // it is told until it says something
	} {
		d.step(tt.m)
		if d.told() != tt.told {
			t.Errorf("%v: told %q, want %q", tt.m, d.told(), tt.told)
		}
	}
}

// TestWrongWishes: a server whose metadata ask for nonsense, from before it was
// refused, runs all the same; its history says so.
func TestWrongWishes(t *testing.T) {
	t.Parallel()
	s := rested(stopped, idle)
	s.View.Metadata = map[string]string{machine.ServiceKey: "web:x"}
	d := &day{t: t, s: s, now: now}
	d.step(&messages.ActOnInstance{Action: messages.Action_ACTION_START})
	d.step(reportOf(4, 1, on, true, false))
	a := history(d.s).Actions[0]
	if e := a.Events[len(a.Events)-1]; a.Message != "" || e.Event != announceAction || e.Result != "Error" || d.s.View.VmState != active {
		t.Errorf("%v", a)
	}
	d.step(&messages.UpdateInstance{Metadata: map[string]string{"unrelated": "x"}}) // it may be mended piece by piece
}
