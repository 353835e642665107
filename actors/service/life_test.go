package service

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// act is one thing that happens in a history: a message, or time.
type act any

// TestHistories: what is shown after what has happened.
func TestHistories(t *testing.T) {
	moved := func(w *world) { w.move() }
	slow := endpoint("x")
	slow.BeatTimeoutMs, slow.DeleteTimeoutMs, slow.BeatIntervalMs = 60_000, 90_000, 1000
	patient := endpoint("x")
	patient.BeatTimeoutMs, patient.DeleteTimeoutMs = 10_000, 100_000
	dropX := &messages.DropOwner{Owner: "m/x"}
	for name, tt := range map[string]struct {
		acts []act
		want string
	}{
		"a beat-kept endpoint lives":              {[]act{beatKept("x"), 14 * time.Second}, "x"},
		"without a beat it is ill":                {[]act{beatKept("x"), 16 * time.Second}, "-x"},
		"and then gone":                           {[]act{beatKept("x", "y"), 25 * time.Second, beats("y"), 6 * time.Second}, "y"},
		"a beat makes it well at once":            {[]act{beatKept("x"), 16 * time.Second, beats("x")}, "x"},
		"and it is ill again after the same time": {[]act{beatKept("x"), 16 * time.Second, beats("x"), 16 * time.Second}, "-x"},
		"registering again is a beat":             {[]act{beatKept("x"), 29 * time.Second, beatKept("x"), 14 * time.Second}, "x"},
		"metadata make it slower":                 {[]act{&messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{slow}}, 59 * time.Second}, "x"},
		"slower, and then gone":                   {[]act{&messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{slow}}, beatKept("y"), 61 * time.Second, beatKept("z"), 14 * time.Second}, "-x z"},
		"an empty service goes":                   {[]act{beatKept("x"), 95 * time.Second}, "none"},
		"but not one that was made on purpose":    {[]act{&messages.SetService{}, 95 * time.Second}, ""},
		"deregistered":                            {[]act{beatKept("x", "y"), &messages.DeregisterEndpoints{Endpoints: keys("x", "q")}}, "y"},
		"a beat of another's does not keep":       {[]act{owned("m/x", "x"), beats("x"), 16 * time.Second}, ""},
		"an owner lives as long as its member":    {[]act{owned("m/x", "x"), 14 * time.Second, keep("m", owned("m/x", "x")), 14 * time.Second}, "x"},
		"and dies with it":                        {[]act{beatKept("y"), owned("m/x", "x"), 14 * time.Second, beats("y"), 2 * time.Second}, "y"},
		"a dropped owner has a grace":             {[]act{owned("m/x", "x", "y"), dropX, time.Second}, "x y"},
		"and is gone after it":                    {[]act{owned("m/x", "x", "y"), owned("m/z", "z"), dropX, 3 * time.Second}, "z"},
		"at once if it said so":                   {[]act{owned("m/x", "x"), owned("m/z", "z"), &messages.DropOwner{Owner: "m/x", AtOnce: true}}, "z"},
		"another owner takes over":                {[]act{owned("m/x", "x"), dropX, owned("n/y", "x"), 3 * time.Second}, "x"},
		"the same owner comes back":               {[]act{owned("m/x", "x"), dropX, owned("m/x", "x"), 5 * time.Second}, "x"},
		"with all it had":                         {[]act{owned("m/x", "x"), dropX, owned("m/x", "y"), 5 * time.Second}, "x y"},
		"its end and its member's at once": {[]act{&messages.SetService{}, owned("m/x", "x"), owned("m/y", "y"), 13500 * time.Millisecond, dropX,
			func(w *world) { w.now = w.now.Add(2500 * time.Millisecond) }, &messages.Woken{}}, ""},
		"ill twice, long before it is removed": {[]act{&messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{patient}},
			11 * time.Second, beats("x"), 11 * time.Second}, "-x"},
		"replace names all":                         {[]act{owned("m/x", "x", "y"), &messages.RegisterEndpoints{Owner: "m/x", Replace: true, Endpoints: owned("", "y", "z").Endpoints}}, "y z"},
		"replace by nothing":                        {[]act{owned("m/x", "x", "y"), owned("m/z", "z"), &messages.RegisterEndpoints{Owner: "m/x", Replace: true}}, "z"},
		"a move takes nobody offline":               {[]act{beatKept("x"), owned("m/y", "y"), 5 * time.Second, moved, 14 * time.Second}, "x y"},
		"but does not keep the dead":                {[]act{beatKept("x"), owned("m/y", "y"), &messages.SetService{}, 5 * time.Second, moved, 35 * time.Second}, ""},
		"persistent ones stay":                      {[]act{&messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{persistent("x")}}, time.Hour, moved}, "x"},
		"persistent ones are deregistered for good": {[]act{&messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{persistent("x"), persistent("y")}}, &messages.DeregisterEndpoints{Endpoints: keys("x")}, moved}, "y"},
		"an operator's change outlives a registration": {[]act{beatKept("x"), &messages.UpdateEndpoints{Keys: keys("x"), Enabled: proto.Bool(false)},
			&messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{slow}}}, "x!"},
		"and a reconnect": {[]act{owned("m/x", "x"), &messages.UpdateEndpoints{Keys: keys("x"), Enabled: proto.Bool(false)},
			dropX, owned("m/y", "x"), 3 * time.Second}, "x!"},
		"and a move": {[]act{owned("m/x", "x"), &messages.UpdateEndpoints{Keys: keys("x"), Enabled: proto.Bool(false)},
			6 * time.Second, moved, owned("m/x", "x")}, "x!"},
		"the grain was late, not the beats": {[]act{beatKept("x"), func(w *world) { w.now = w.now.Add(time.Minute) }, 5 * time.Second, beats("x"), 14 * time.Second}, "x"},
		"a late grain gives up in the end":  {[]act{beatKept("x"), &messages.SetService{}, func(w *world) { w.now = w.now.Add(time.Minute) }, 20 * time.Second}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, a := range tt.acts {
				switch a := a.(type) {
				case proto.Message:
					w.must(a)
				case time.Duration:
					w.pass(a)
				case func(*world):
					a(w)
				}
			}
			if got := w.shown(); got != tt.want {
				t.Errorf("shown is %q, want %q", got, tt.want)
			}
		})
	}
}

// TestRevisions: what nobody can see moves no revision; what one can see does, and
// says so when no commit does.
func TestRevisions(t *testing.T) {
	w := newWorld(t)
	w.must(owned("m/x", "x"))
	for name, tt := range map[string]struct {
		do   proto.Message
		grow bool
	}{
		"the same again":         {owned("m/x", "x"), false},
		"kept":                   {keep("m", owned("m/x", "x")), false},
		"dropped, in its grace":  {&messages.DropOwner{Owner: "m/x"}, false},
		"somebody else's":        {owned("m/y", "x"), false},
		"another address":        {owned("m/z", "z"), true},
		"an update":              {&messages.UpdateEndpoints{Keys: keys("x"), Weight: proto.Float64(5)}, true},
		"an update that is none": {&messages.UpdateEndpoints{Keys: keys("x"), Weight: proto.Float64(1)}, false},
		"the threshold":          {&messages.SetService{ProtectThreshold: proto.Float64(0.5)}, true},
		"a probe of nothing":     {&messages.EndpointsProbed{Results: []*messages.ProbeResult{{Key: keys("x")[0]}}}, false},
	} {
		v := *w
		v.store = cloneStore(w.store)
		before, turns := v.service().Revision, v.turns
		v.must(tt.do)
		after := v.service().Revision
		if after < before || (after > before) != tt.grow {
			t.Errorf("%s: %d became %d", name, before, after)
		}
		v.must(tt.do)
		_ = turns
	}
	w.pass(10 * time.Second)
	w.must(owned("m/x", "y")) // stored at once: nothing was for long
	w.pass(time.Second)
	before := w.service()
	w.turns = 0
	w.must(owned("m/z", "z"))
	if len(w.last) != 2 || w.turns != 0 {
		t.Errorf("a change in memory: %d commits, effects %v", w.turns, w.last)
	}
	if _, ok := w.last[0].(actors.Notify); !ok {
		t.Errorf("nobody is told: %v", w.last)
	}
	if rev := w.service().Revision; rev != w.now.UnixMilli() {
		t.Errorf("revision %d at %d", rev, w.now.UnixMilli())
	}
	if after := w.service(); after == before || after != w.service() {
		t.Error("an answer is made once a revision")
	}
}

// TestGoneBeforeStored: who comes and goes between two snapshots leaves nothing to
// store, and all the same everybody hears of it.
func TestGoneBeforeStored(t *testing.T) {
	w := newWorld(t)
	w.must(&messages.SetService{})
	w.must(owned("m/x", "x")) // stored at once
	w.must(&messages.DropOwner{Owner: "m/x", AtOnce: true})
	w.pass(SnapshotEvery + time.Second) // gone, and stored as gone
	w.must(owned("m/y", "y"))
	w.now, w.turns = w.now.Add(SnapshotEvery), 0 // it is time to store, and nobody was woken
	rev := w.service().Revision
	w.must(&messages.DropOwner{Owner: "m/y", AtOnce: true})
	told := len(w.last) == 1 && w.last[0] == actors.Effect(actors.Notify{})
	if v := w.service(); v.Revision == rev || w.turns != 0 || !told {
		t.Errorf("revision %d after %d, %d commits, told %v", v.Revision, rev, w.turns, told)
	}
}

// TestKeepOwners: what differs is asked for again.
func TestKeepOwners(t *testing.T) {
	w := newWorld(t)
	x, y := owned("m/x", "x", "y"), owned("m/y", "z")
	ask := func(k *messages.KeepOwners, resend bool, owners int) {
		t.Helper()
		got := w.must(k).(*messages.OwnersKept)
		if got.Resend != resend || len(got.Owners) != owners {
			t.Errorf("kept %v", got)
		}
	}
	ask(keep("m"), false, 0)
	ask(keep("m", x), true, 0)
	w.must(x)
	w.must(y)
	w.must(&messages.UpdateEndpoints{Enabled: proto.Bool(false)})
	ask(keep("m", x, y), false, 0)
	ask(keep("m", x), true, 2)
	w.must(&messages.DropOwner{Owner: "m/y"})
	ask(keep("m", x), false, 0)
	ask(keep("m", x, y), true, 1)
	w.pass(3 * time.Second)
	ask(keep("m", x), false, 0)
	w.pass(5 * time.Second)
	w.move()
	ask(keep("m", x), false, 0)
	w.must(&messages.DeregisterEndpoints{Owner: "m/x", Endpoints: keys("x")})
	ask(keep("m", owned("m/x", "y")), false, 0)
	w.must(&messages.DropOwner{Owner: "m/x", AtOnce: true})
	ask(keep("m"), false, 0)
}

func TestRenewAnswers(t *testing.T) {
	w := newWorld(t)
	fast := endpoint("x")
	fast.BeatIntervalMs = 1000
	w.must(&messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{fast, endpoint("y")}})
	got := w.must(beats("y", "q", "x")).(*messages.EndpointsRenewed)
	if len(got.Unknown) != 1 || got.Unknown[0] != 1 || got.IntervalMs[0] != 5000 || got.IntervalMs[1] != 0 || got.IntervalMs[2] != 1000 {
		t.Errorf("renewed %v", got)
	}
}
