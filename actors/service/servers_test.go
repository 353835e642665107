package service

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// says is what server i of a project announces.
func says(i string, seq uint64, project string, ips ...string) *messages.AnnounceEndpoint {
	m := &messages.AnnounceEndpoint{InstanceId: i, ProjectId: project, Seq: seq}
	for _, ip := range ips {
		m.Endpoints = append(m.Endpoints, endpoint(ip))
	}
	return m
}

func checkedBy(m *messages.AnnounceEndpoint, kind string) *messages.AnnounceEndpoint {
	for _, e := range m.Endpoints {
		e.Check = &messages.HealthCheck{Type: kind, UseEndpointPort: true}
	}
	return m
}

// heard is what the service has told servers in the last step.
func (w *world) heard() string {
	var all []string
	for _, e := range w.last {
		if t, ok := e.(actors.Tell); ok {
			m := t.Message.(*messages.EndpointAnnounced)
			one := fmt.Sprint(t.To.ID, " ", m.Seq)
			if m.Refused != "" {
				one += " refused"
			}
			all = append(all, one)
		}
	}
	return strings.Join(all, ", ")
}

func (w *world) checked(t *testing.T) {
	t.Helper()
	if s, ok := w.state.Value().(State); ok && s.live != nil {
		if bad := s.check(); bad != "" {
			t.Error(bad)
		}
	}
}

func TestAnnounce(t *testing.T) { // table: one row, what is said, what is shown then, what the server of the last word heard
	set := func(list string) *messages.SetService {
		return &messages.SetService{Metadata: map[string]string{ProjectsKey: list}, MetadataSet: true}
	}
	for name, tt := range map[string]struct {
		said         []proto.Message
		shown, heard string
	}{
		"a first word":                     {[]proto.Message{says("i", 1, "p", "a")}, "a", "i 1"},
		"the same again":                   {[]proto.Message{says("i", 1, "p", "a"), says("i", 1, "p", "a")}, "a", "i 1"},
		"a newer one replaces all":         {[]proto.Message{says("i", 1, "p", "a", "b"), says("i", 2, "p", "b", "c")}, "b c", "i 2"},
		"an older one comes late":          {[]proto.Message{says("i", 2, "p", "b"), says("i", 1, "p", "a")}, "b", ""},
		"it leaves":                        {[]proto.Message{says("i", 1, "p", "a"), says("i", 2, "p")}, "", "i 2"},
		"it leaves twice":                  {[]proto.Message{says("i", 1, "p", "a"), says("i", 2, "p"), says("i", 2, "p")}, "", "i 2"},
		"it has left before it came":       {[]proto.Message{says("i", 2, "p"), says("i", 1, "p", "a")}, "none", ""},
		"it comes back":                    {[]proto.Message{says("i", 1, "p", "a"), says("i", 2, "p"), says("i", 3, "p", "a")}, "a", "i 3"},
		"two servers":                      {[]proto.Message{says("i", 1, "p", "a"), says("j", 1, "p", "b")}, "a b", "j 1"},
		"two at one address":               {[]proto.Message{says("i", 1, "p", "a"), says("j", 1, "p", "a"), says("j", 2, "p")}, "a", "j 2"},
		"a server of another project":      {[]proto.Message{says("i", 1, "p", "a"), says("j", 1, "q", "b")}, "a", "j 1 refused"},
		"refused again":                    {[]proto.Message{says("i", 1, "p", "a"), says("j", 1, "q", "b"), says("j", 1, "q", "b")}, "a", "j 1 refused"},
		"another project, by name":         {[]proto.Message{set("p, q"), says("i", 1, "p", "a"), says("j", 1, "q", "b")}, "a b", "j 1"},
		"any project":                      {[]proto.Message{set("*"), says("j", 1, "q", "b")}, "b", "j 1"},
		"a service of the registry":        {[]proto.Message{beatKept("a"), says("i", 1, "p", "b")}, "a", "i 1 refused"},
		"a service that somebody made":     {[]proto.Message{&messages.SetService{}, says("i", 1, "p", "b")}, "", "i 1 refused"},
		"beside beats, if it may":          {[]proto.Message{set("p"), beatKept("a"), says("i", 1, "p", "b")}, "a b", "i 1"},
		"beside a connection, if it may":   {[]proto.Message{set("p"), owned("n/1", "a"), says("i", 1, "p", "b")}, "a b", "i 1"},
		"a client takes the name":          {[]proto.Message{says("i", 1, "p", "a"), beatKept("b")}, "b", "i 1 refused"},
		"a client takes it for good":       {[]proto.Message{says("i", 1, "p", "a"), &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{persistent("b")}}}, "b", "i 1 refused"},
		"it is not admitted any more":      {[]proto.Message{set("p"), says("i", 1, "p", "a"), set("q")}, "", "i 1 refused"},
		"a service of persistent ones":     {[]proto.Message{&messages.SetService{Persistent: true, Metadata: map[string]string{ProjectsKey: "p"}}, &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{persistent("a")}}, says("i", 1, "p", "b")}, "a", "i 1 refused"},
		"nobody else takes it off":         {[]proto.Message{says("i", 1, "p", "a"), &messages.DeregisterEndpoints{Owner: "instance/i", Endpoints: keys("a")}}, "a", ""},
		"an operator disables it":          {[]proto.Message{says("i", 1, "p", "a"), &messages.UpdateEndpoints{Keys: keys("a"), Enabled: proto.Bool(false)}, says("i", 2, "p", "a")}, "a!", "i 2"},
		"with a check it is not well yet":  {[]proto.Message{checkedBy(says("i", 1, "p", "a"), CheckTCP)}, "-a", "i 1"},
		"a check that it had goes on":      {[]proto.Message{checkedBy(says("i", 1, "p", "a"), CheckTCP), probeOf("i", true, "a"), checkedBy(says("i", 2, "p", "a"), CheckTCP)}, "a", "i 2"},
		"another check begins":             {[]proto.Message{checkedBy(says("i", 1, "p", "a"), CheckTCP), probeOf("i", true, "a"), checkedBy(says("i", 2, "p", "a"), CheckHTTP)}, "-a", "i 2"},
		"one failure is none":              {[]proto.Message{checkedBy(says("i", 1, "p", "a"), CheckTCP), probeOf("i", true, "a"), probeOf("i", false, "a")}, "a", ""},
		"two failures are":                 {[]proto.Message{checkedBy(says("i", 1, "p", "a"), CheckTCP), probeOf("i", true, "a"), probeOf("i", false, "a"), probeOf("i", false, "a")}, "-a", ""},
		"of another server it says naught": {[]proto.Message{checkedBy(says("i", 1, "p", "a"), CheckTCP), probeOf("j", true, "a")}, "-a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, m := range tt.said {
				w.must(m)
				w.checked(t)
			}
			if heard := w.heard(); heard != tt.heard {
				t.Errorf("heard %q, want %q", heard, tt.heard)
			}
			if shown := w.shown(); shown != tt.shown {
				t.Errorf("shown %q, want %q", shown, tt.shown)
			}
			w.evictions(t)
			w.move() // it is stored, all of it, in the same turn
			w.checked(t)
			last, heard := tt.said[len(tt.said)-1], tt.heard
			if _, ok := last.(*messages.AnnounceEndpoint); ok {
				w.must(last)
				if w.heard() != heard {
					t.Errorf("after a move heard %q, want %q", w.heard(), heard)
				}
			}
			for _, m := range tt.said {
				if r, ok := m.(*messages.RegisterEndpoints); ok && !r.GetEndpoints()[0].Persistent {
					return // those are stored later
				}
			}
			if shown := w.shown(); shown != tt.shown {
				t.Errorf("after a move shown %q, want %q", shown, tt.shown)
			}
		})
	}
}

func probeOf(instance string, ok bool, ip string) *messages.EndpointsProbed {
	k := keys(ip)[0]
	k.Owner = ServerOwner(instance)
	return &messages.EndpointsProbed{Results: []*messages.ProbeResult{{Key: k, Ok: ok, TookNs: 1e6}}}
}

// evictions sees that whoever was dismissed is told until it has said something.
func (w *world) evictions(t *testing.T) {
	t.Helper()
	n := len(w.state.Value().(State).kept.Evicted)
	w.must(&messages.Nudged{})
	if heard := w.heard(); n > 0 && heard != "i 1 refused" || n == 0 && heard != "" || n > 0 != w.state.Unsettled() {
		t.Errorf("%d are evicted, heard %q, unsettled %v", n, heard, w.state.Unsettled())
	}
	if n > 0 {
		w.must(says("i", 2, "p", "z"))
		if heard := w.heard(); heard != "i 2 refused" || w.state.Unsettled() {
			t.Errorf("after that heard %q", heard)
		}
	}
}

// TestServersOwnNamespace: where a namespace is named like the project, its servers
// need nobody's leave.
func TestServersOwnNamespace(t *testing.T) {
	k := &kept{namespace: "p", Metadata: map[string]string{ProjectsKey: "q"}}
	if !k.admits("p") || !k.admits("q") || k.admits("r") || (&kept{}).admits("p") || NamesProject("", "") || !NamesProject("a, b", "b") {
		t.Error("the wrong projects are admitted")
	}
	if !TagsName([]string{"x", ProjectsKey + "=a"}, "a") || TagsName([]string{"a"}, "a") {
		t.Error("the wrong tags admit")
	}
}

// TestQuickChecks: who boots is looked at at once and often, and rarely once it is well;
// also after a move.
func TestQuickChecks(t *testing.T) {
	w := newWorld(t)
	w.must(checkedBy(says("i", 1, "p", "a"), CheckTCP))
	looks := func(d time.Duration) (n int) {
		w.t.Helper()
		for end := w.now.Add(d); ; {
			at := w.state.Wake()
			if at.IsZero() || at.After(end) {
				w.now = end
				return n
			}
			w.now = at
			w.must(&messages.Woken{})
			for _, e := range w.last {
				if p, ok := e.(actors.Probe); ok {
					n += len(p.Targets)
				}
			}
		}
	}
	probes := 0
	for _, e := range w.last {
		if p, ok := e.(actors.Probe); ok && p.Targets[0].Check.Port == 80 && p.Targets[0].Key.Owner == ServerOwner("i") {
			probes++
		}
	}
	if probes != 1 {
		t.Errorf("%d looks at once, want one", probes)
	}
	if n := looks(10 * time.Second); n < 19 || n > 21 {
		t.Errorf("%d looks in 10 s while it boots", n)
	}
	w.move()
	if n := looks(10 * time.Second); n < 19 || n > 21 {
		t.Errorf("%d looks in 10 s after a move", n)
	}
	w.must(probeOf("i", true, "a"))
	if n := looks(20 * time.Second); n < 4 || n > 11 {
		t.Errorf("%d looks in 20 s at one that is well", n)
	}
	if w.move(); w.shown() != "a" {
		t.Errorf("after a move it is %s", w.shown())
	}
	w.must(probeOf("i", false, "a"))
	w.must(probeOf("i", false, "a"))
	if n := looks(10 * time.Second); w.shown() != "-a" || n < 19 {
		t.Errorf("one that is ill is %s, and looked at %d times", w.shown(), n)
	}
	if looks(4 * time.Minute); looks(20*time.Second) > 11 {
		t.Error("one that never comes is looked at often for ever")
	}
}

// TestNoOwnerIsCalledServer: no connection can speak for a server.
func TestNoOwnerIsCalledServer(t *testing.T) {
	w := newWorld(t)
	if _, err := w.step(owned("instance/i", "a")); !errors.Is(err, messages.Invalid) {
		t.Error(err)
	}
}
