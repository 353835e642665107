package group

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

const groupID = "6f1c1c1e-0b7a-4f63-8a55-2f1df0a2f001"

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func template(image string) *messages.CreateInstance {
	return &messages.CreateInstance{
		Flavor: &messages.Flavor{Id: "1", Vcpus: 1, RamMib: 64}, Image: &messages.ImageRef{Id: image, Sha256: image}, Hostname: "web",
	}
}

func creation(desired int32, p *messages.GroupPolicy) *messages.CreateGroup {
	return &messages.CreateGroup{Name: "web", ProjectId: "p", UserId: "u", Desired: desired, Policy: p, Template: template("v1")}
}

func TestGroup(t *testing.T) { // table: one row, one short life
	for name, tt := range map[string]struct {
		policy *messages.GroupPolicy
		live   func(*rig)
		want   string
	}{
		"as created": {nil, func(*rig) {}, "settled map[in-use/1:3]"},
		"created twice": {nil, func(b *rig) {
			b.say(creation(3, nil))
			if len(b.asked) != 0 {
				b.t.Error("asked again")
			}
		}, "settled map[in-use/1:3]"},
		"scaled up": {nil, func(b *rig) {
			b.say(&messages.UpdateGroup{Desired: proto.Int32(5)})
			b.serve()
		}, "settled map[in-use/1:5]"},
		"scaled down": {nil, func(b *rig) {
			b.say(&messages.UpdateGroup{Desired: proto.Int32(1)})
			b.serve()
		}, "settled map[in-use/1:1]"},
		"scaled down, the deletes under way": {nil, func(b *rig) {
			b.say(&messages.UpdateGroup{Desired: proto.Int32(1)})
		}, "changing map[in-use/1:1 leaving/1:2]"},
		"one in error is replaced": {nil, func(b *rig) {
			id, _ := b.first()
			b.answer(askView(b.s, id).(actors.Ask), member(id, "1", failed), nil)
			b.serve()
		}, "settled map[in-use/1:3]"},
		"one that somebody deleted is replaced": {nil, func(b *rig) {
			id, _ := b.first()
			b.answer(askView(b.s, id).(actors.Ask), nil, messages.NotFound)
			b.serve()
			if _, ok := b.s.Members.Get(id); ok {
				b.t.Error("it is still there")
			}
		}, "settled map[in-use/1:3]"},
		"one that is stopped is sick": {nil, func(b *rig) {
			id, _ := b.first()
			b.answer(askView(b.s, id).(actors.Ask), member(id, "1", stopped), nil)
		}, "changing map[in-use/1:2 sick/1:1]"},
		"one that stays stopped is replaced": {nil, func(b *rig) {
			id, _ := b.first()
			b.answer(askView(b.s, id).(actors.Ask), member(id, "1", stopped), nil)
			b.pass(DefaultUnhealthy + 5*time.Second)
			if _, ok := b.s.Members.Get(id); ok {
				b.t.Error("it is still there")
			}
		}, "settled map[in-use/1:3]"},
		"an instance that nobody can ask stays": {nil, func(b *rig) {
			id, _ := b.first()
			b.answer(askView(b.s, id).(actors.Ask), nil, messages.Unavailable)
			b.serve()
		}, "settled map[in-use/1:3]"},
		"rolled with one above": {&messages.GroupPolicy{MaxSurge: 1, MinHealthy: 3}, func(b *rig) {
			b.say(&messages.RollGroup{Template: template("v2"), FromRevision: 1})
			b.serve()
		}, "settled map[in-use/2:3]"},
		"rolled with one below": {&messages.GroupPolicy{MaxUnavailable: 1}, func(b *rig) {
			b.say(&messages.RollGroup{Template: template("v2")})
			b.serve()
		}, "settled map[in-use/2:3]"},
		"rolled to what it is": {nil, func(b *rig) {
			b.say(&messages.RollGroup{Template: template("v1")})
		}, "settled map[in-use/1:3]"},
		"rolled to the same with a mark": {nil, func(b *rig) {
			b.say(&messages.RollGroup{Template: template("v1"), Mark: "again"})
			b.serve()
		}, "settled map[in-use/2:3]"},
		"a roll begins with one": {nil, func(b *rig) {
			b.say(&messages.RollGroup{Template: template("v2")})
		}, "rolling map[creating/2:1 in-use/1:3]"},
		"a roll that fails stops, and nothing is lost": {&messages.GroupPolicy{MaxUnavailable: 1}, func(b *rig) {
			b.say(&messages.RollGroup{Template: template("bad")})
			b.serve()
			b.pass(20 * time.Second)
		}, "stopped map[in-use/1:3]"},
		"a stopped roll goes on if it is asked to": {&messages.GroupPolicy{MaxUnavailable: 1}, func(b *rig) {
			b.say(&messages.RollGroup{Template: template("bad")})
			b.serve()
			b.pass(20 * time.Second)
			b.say(&messages.RollGroup{Template: template("bad")})
		}, "rolling map[in-use/1:2 leaving/1:1]"},
		"a stopped roll is rolled back": {nil, func(b *rig) {
			b.say(&messages.RollGroup{Template: template("bad")})
			b.serve()
			b.say(&messages.RollbackGroup{FromRevision: 2})
			b.pass(20 * time.Second)
		}, "settled map[in-use/1:3]"},
		"a roll that is done is rolled back": {nil, func(b *rig) {
			b.say(&messages.RollGroup{Template: template("v2")})
			b.serve()
			b.say(&messages.RollbackGroup{FromRevision: 2})
			b.say(&messages.RollbackGroup{FromRevision: 2}) // delivered twice
			b.serve()
		}, "settled map[in-use/1:3]"},
		"deleting": {nil, func(b *rig) {
			b.say(&messages.DeleteGroup{})
		}, "deleting map[leaving/1:3]"},
	} {
		t.Run(name, func(t *testing.T) {
			b := grown(t, 3, tt.policy)
			b.t = t
			tt.live(b)
			b.want(name, tt.want)
		})
	}
}

func TestHostDown(t *testing.T) {
	b := grown(t, 2, nil)
	id, _ := b.first()
	b.answer(askView(b.s, id).(actors.Ask), member(id, "9", active), nil)
	down := func() {
		b.answer(actors.Ask{To: actors.Ref{Kind: "host", ID: "9"}, Message: &messages.GetHost{}}, nil, messages.Unavailable)
	}
	down()
	b.want("its host is down", "changing map[in-use/1:1 sick/1:1]")
	b.now = b.now.Add(DefaultHostGrace)
	down()
	b.want("for as long as may be", "changing map[in-use/1:1 sick/1:1]")
	b.now = b.now.Add(time.Second)
	down()
	b.want("for longer", "changing map[creating/1:1 in-use/1:1 leaving/1:1]")
}

// TestLost: who waits for a dead host to be deleted there is in nobody's way, also if
// the host died after the decision, and the view says so.
func TestLost(t *testing.T) {
	host := func(b *rig, up bool) {
		b.answer(actors.Ask{To: actors.Ref{Kind: "host", ID: "9"}, Message: &messages.GetHost{}}, &messages.HostView{Facts: &messages.HostFacts{Up: up}}, nil)
	}
	b := grown(t, 2, nil)
	id, _ := b.first()
	b.answer(askView(b.s, id).(actors.Ask), member(id, "9", active), nil)
	b.say(&messages.RollGroup{Template: template("v2")})
	for m, _ := b.s.Members.Get(id); m.Phase != Leaving; m, _ = b.s.Members.Get(id) {
		if len(b.asked) == 0 {
			b.t.Fatal("it does not leave")
		}
		e := b.asked[0]
		b.asked = b.asked[1:]
		switch m := e.Message.(type) {
		case *messages.CreateInstance:
			b.answer(e, member(m.Id, "1", active), nil)
		case *messages.ActOnInstance:
			b.answer(e, nil, messages.NotFound)
		}
	}
	host(b, false)
	b.asked = nil
	b.now = b.now.Add(DefaultHostGrace)
	host(b, false)
	v := full(b.s)
	if v.Lost != 0 || v.Members[0].State != "leaving" {
		t.Errorf("within the grace: %d, %v", v.Lost, v.Members[0])
	}
	b.now = b.now.Add(time.Second)
	b.say(&messages.Nudged{})
	b.serveAll(func(e actors.Ask) bool { return e.To.ID == id || e.To.Kind == "host" })
	v = full(b.s)
	if v.Status != StatusSettled || v.Lost != 1 || v.MembersCount != 2 || v.Healthy != 2 || len(v.Members) != 3 {
		t.Errorf("%s, %d lost of %d and %d, %d in use", v.Status, v.Lost, v.MembersCount, len(v.Members), v.Healthy)
	}
	if m := v.Members[0]; m.InstanceId != id || m.State != "lost" || !strings.Contains(m.Reason, "host 9 is back") {
		t.Errorf("it is shown as %v", m)
	}
	host(b, true)
	if v = full(b.s); v.Lost != 0 || v.Members[0].State != "leaving" || v.Status != StatusSettled {
		t.Errorf("its host is back: %v", v)
	}
	b.answer(askView(b.s, id).(actors.Ask), nil, messages.NotFound)
	b.want("it is deleted", "settled map[in-use/2:2]")
}

// TestConfig: a new content of a config is a revision, if the group is to see it so.
func TestConfig(t *testing.T) {
	b := newRig(t)
	m := creation(2, &messages.GroupPolicy{RollOnConfig: true})
	m.Template.Metadata = map[string]string{"troupe:config": "app.yaml"}
	b.say(m)
	b.serve()
	is, _ := b.s.Templates.Get("1")
	ask := actors.Ask{To: actors.Ref{Kind: "config", ID: is.Configs[0]}, Message: &messages.GetConfigDigest{}}
	hears := func(version int64, md5 string) {
		t.Helper()
		b.answer(ask, &messages.ConfigDigest{Md5: md5, ContentVersion: version}, nil)
		b.serve()
	}
	for _, tt := range []struct {
		name, md5 string
		version   int64
		revision  int
	}{
		{"the first that is heard", "a", 3, 1},
		{"a new one", "b", 4, 2},
		{"the old one, which comes late", "a", 3, 2},
		{"the same, of which something else has changed", "b", 5, 2},
		{"it is removed", "", 6, 2},
		{"it is back", "b", 7, 2},
		{"it is back with another content", "c", 9, 3},
	} {
		hears(tt.version, tt.md5)
		b.want(tt.name, fmt.Sprintf("settled map[in-use/%d:2]", tt.revision))
	}
	b.say(&messages.RollbackGroup{})
	b.serve()
	hears(9, "c")
	b.want("a rollback is to what was, with what the configs say now", "settled map[in-use/4:2]")
	b.say(&messages.UpdateGroup{RollOnConfig: proto.Bool(false)})
	hears(10, "d")
	b.want("it is not to", "settled map[in-use/4:2]")
	b.say(&messages.UpdateGroup{RollOnConfig: proto.Bool(true)})
	b.asked = nil
	b.now = b.now.Add(steady)
	b.say(&messages.Woken{})
	for _, e := range b.asked {
		if m, ok := e.Message.(*messages.GetConfigDigest); ok && m.Project != "p" {
			t.Errorf("asked as project %q", m.Project)
		} else if ok {
			hears(10, "d")
			b.want("it is to again", "settled map[in-use/5:2]")
			return
		}
	}
	t.Error("the config is not asked for")
}

func TestService(t *testing.T) {
	b := newRig(t)
	m := creation(1, nil)
	m.Template.Metadata = map[string]string{"troupe:service": "shop:80"}
	b.say(m)
	b.serve()
	b.want("runs, and is not known to be healthy", "changing map[starting/1:1]")
	id, _ := b.first()
	is, _ := b.s.Templates.Get("1")
	ask := actors.Ask{To: actors.Ref{Kind: "service", ID: is.Services[0]}, Message: &messages.GetService{}}
	for _, tt := range []struct {
		name string
		e    *messages.Endpoint
		want string
	}{
		{"another's", &messages.Endpoint{Ip: "10.0.0.7", Enabled: true, Healthy: true}, "starting"},
		{"its own, not healthy", &messages.Endpoint{Owner: "instance/" + id, Enabled: true}, "starting"},
		{"its own, healthy", &messages.Endpoint{Owner: "instance/" + id, Enabled: true, Healthy: true}, "in-use"},
		{"at its address", &messages.Endpoint{Ip: "10.0.0.1", Enabled: true, Healthy: true}, "in-use"},
		{"at its address, switched off", &messages.Endpoint{Ip: "10.0.0.1", Healthy: true}, "sick"},
	} {
		b.answer(ask, &messages.Service{Endpoints: []*messages.Endpoint{tt.e}}, nil)
		if _, m := b.first(); m.Phase.String() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, m.Phase, tt.want)
		}
	}
	b.answer(ask, nil, messages.NotFound)
	if _, m := b.first(); m.Phase != Sick || !strings.Contains(m.Why, "shop") {
		t.Errorf("no service: %v", m)
	}
}

func TestQuota(t *testing.T) {
	b := newRig(t)
	b.say(creation(2, nil))
	for _, e := range b.asked {
		b.answer(e, nil, fmt.Errorf("quota exceeded: %w", messages.Exhausted))
	}
	b.asked = nil
	b.want("refused", "changing map[]")
	if !strings.Contains(listed(b.s).Reason, "quota exceeded") {
		t.Errorf("reason %q", listed(b.s).Reason)
	}
	b.now = b.now.Add(time.Minute)
	b.say(&messages.Woken{})
	b.want("one is tried", "changing map[creating/1:1]")
	b.serve()
	b.want("there is room", "settled map[in-use/1:2]")
	if listed(b.s).Reason != "" {
		t.Errorf("reason %q", listed(b.s).Reason)
	}
}

// TestDeleteBeforeCreate: an instance whose create may be on its way is not
// forgotten before it has answered.
func TestDeleteBeforeCreate(t *testing.T) {
	b := newRig(t)
	b.say(creation(1, nil))
	b.say(&messages.DeleteGroup{})
	create := b.asked[0]
	b.asked = nil
	b.say(&messages.Nudged{})
	if _, ok := b.asked[0].Message.(*messages.CreateInstance); !ok || len(b.asked) != 1 {
		t.Fatalf("asked %v", b.asked)
	}
	b.asked = nil
	b.answer(create, member(create.To.ID, "1", active), nil)
	if m, ok := b.asked[0].Message.(*messages.ActOnInstance); !ok || m.Action != messages.Action_ACTION_DELETE {
		t.Fatalf("asked %v", b.asked)
	}
	b.serve()
	if b.s.exists() || len(outstanding(b.s)) != 0 || len(index(b.s)) != 0 || b.s.Templates.Len() != 0 {
		t.Errorf("left: %+v", b.s)
	}
	if err := b.try(&messages.GetGroup{}); !errors.Is(err, messages.NotFound) {
		t.Error(err)
	}
	if err := b.try(creation(1, nil)); !errors.Is(err, messages.Conflict) {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) { // table: one row, one refusal
	change := func(f func(*messages.CreateGroup)) *messages.CreateGroup {
		c := creation(3, nil)
		f(c)
		return c
	}
	for name, tt := range map[string]struct {
		m    proto.Message
		want error
	}{
		"no name":           {change(func(c *messages.CreateGroup) { c.Name = "" }), messages.Invalid},
		"too many":          {change(func(c *messages.CreateGroup) { c.Desired = MaxMembers }), messages.Invalid},
		"fewer than none":   {change(func(c *messages.CreateGroup) { c.Desired = -1 }), messages.Invalid},
		"no image":          {change(func(c *messages.CreateGroup) { c.Template.Image = nil }), messages.Invalid},
		"a port":            {change(func(c *messages.CreateGroup) { c.Template.Networks = []*messages.NetworkRequest{{PortId: "x"}} }), messages.Invalid},
		"text that is none": {change(func(c *messages.CreateGroup) { c.Template.Description = "\xff" }), messages.Invalid},
		"a bad tag":         {change(func(c *messages.CreateGroup) { c.Template.Tags = []string{""} }), messages.Invalid},
		"no such wish":      {change(func(c *messages.CreateGroup) { c.Template.Metadata = map[string]string{"troupe:service": "a:b"} }), messages.Invalid},
		"minimum too high":  {creation(3, &messages.GroupPolicy{MinHealthy: 4}), messages.Invalid},
		"no room to roll":   {creation(3, &messages.GroupPolicy{MinHealthy: 3, MaxUnavailable: 1}), messages.Invalid},
		"too patient":       {creation(3, &messages.GroupPolicy{StartMs: 1 << 62}), messages.Invalid},
		"a negative time":   {creation(3, &messages.GroupPolicy{StartMs: -1 << 62}), messages.Invalid},
		"there is none":     {&messages.GetGroup{}, messages.NotFound},
		"another kind's":    {&messages.GetHost{}, messages.NotFound},
	} {
		if err := newRig(t).try(tt.m); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	b := grown(t, 3, &messages.GroupPolicy{MinHealthy: 2})
	for name, tt := range map[string]struct {
		m    proto.Message
		want error
	}{
		"another project's":   {&messages.GetGroup{Scope: "q"}, messages.NotFound},
		"below the minimum":   {&messages.UpdateGroup{Desired: proto.Int32(1)}, messages.Invalid},
		"from an old one":     {&messages.RollGroup{Template: template("v2"), FromRevision: 7}, messages.Conflict},
		"nowhere to go back":  {&messages.RollbackGroup{}, messages.Conflict},
		"another of that id":  {&messages.CreateGroup{Name: "x", ProjectId: "q"}, messages.Conflict},
		"a message of a host": {&messages.GetHost{}, messages.Invalid},
	} {
		if err := b.try(tt.m); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestHostname(t *testing.T) {
	if got := hostname(strings.Repeat("x", 63), 12); len(got) != maxHostname || !strings.HasSuffix(got, "x-12") {
		t.Error(got)
	}
	if a, b := instanceID(groupID, 1, start), instanceID(groupID, 2, start); a == b || a[:13] != b[:13] {
		t.Error(a, b)
	}
}

// TestNobodyProvesNothing: a revision that no member ever had is not a good one.
func TestNobodyProvesNothing(t *testing.T) {
	b := grown(t, 3, nil)
	b.say(&messages.UpdateGroup{Desired: proto.Int32(0)})
	b.say(&messages.RollGroup{Template: template("bad")})
	b.serve()
	b.want("nobody is to be there", "settled map[]")
	b.say(&messages.UpdateGroup{Desired: proto.Int32(2)})
	b.serve()
	b.pass(20 * time.Second)
	b.want("the last good one", "stopped map[in-use/1:2]")
}
