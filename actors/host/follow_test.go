package host

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// TestFollowers: whoever follows hears, until it has taken it, that the host is down
// and that it is back; nobody else does.
func TestFollowers(t *testing.T) {
	var s State
	var effects []actors.Effect
	step := func(m actors.Message) {
		t.Helper()
		var err error
		if s, effects, err = Step(s, input(m)); err != nil {
			t.Fatal(err)
		}
	}
	told := func() (n int, down bool) {
		for _, e := range effects {
			if tell, ok := e.(actors.Tell); ok {
				if r, ok := tell.Message.(*messages.DomainReported); ok && tell.To.ID == "a" {
					n, down = n+1, r.HostDown
					if !r.Followed || r.Ended {
						t.Errorf("told %v", r)
					}
				} else if ok {
					t.Errorf("%s was told %v", tell.To.ID, r)
				}
			}
		}
		return n, down
	}
	step(connect())
	for _, id := range []string{"a", "b"} {
		step(orderOf(id, 1, create, 1))
		step(doneWith(id, 1, create, running, 0))
	}
	for _, tt := range []struct {
		name string
		m    actors.Message
		told int
		down bool
	}{
		{"it begins to follow", &messages.FollowHost{InstanceId: "a"}, 1, false},
		{"asked again", &messages.FollowHost{InstanceId: "a"}, 1, false},
		{"taken", &messages.ReportTaken{InstanceId: "a", Seq: 2}, 0, false},
		{"lost", &messages.HostLost{}, 1, true},
		{"lost again", &messages.HostLost{}, 0, false},
		{"until it is taken", &messages.Nudged{}, 1, true},
		{"taken, that it is down", &messages.ReportTaken{InstanceId: "a", Seq: 3}, 0, false},
		{"nothing is left", &messages.Nudged{}, 0, false},
		{"declared down as well", &messages.SetHost{ForcedDown: proto.Bool(true)}, 0, false},
		{"back, and declared down", connect(running1("a"), running1("b")), 0, false},
		{"not declared down any more", &messages.SetHost{ForcedDown: proto.Bool(false)}, 1, false},
		{"nobody follows who is not here", &messages.FollowHost{InstanceId: "c"}, 0, false},
	} {
		step(tt.m)
		if n, down := told(); n != tt.told || down != tt.down {
			t.Errorf("%s: told %d times, down %v", tt.name, n, down)
		}
	}
	if s.Followers != 1 {
		t.Errorf("%d follow", s.Followers)
	}
	step(orderOf("a", 2, remove, 0))
	step(doneWith("a", 2, remove, 0, 0))
	if s.Followers != 0 {
		t.Errorf("%d follow and are gone", s.Followers)
	}
}

func running1(id string) *messages.DomainSeen {
	return &messages.DomainSeen{InstanceId: id, Power: running, Order: 1}
}

// TestBuildFollows: an order may say so at once.
func TestBuildFollows(t *testing.T) {
	var s State
	o := orderOf("a", 1, create, 1)
	o.Follow = true
	var effects []actors.Effect
	for _, m := range []actors.Message{connect(), o, doneWith("a", 1, create, running, 0)} {
		var err error
		if s, effects, err = Step(s, input(m)); err != nil {
			t.Fatal(err)
		}
	}
	if r := effects[0].(actors.Tell).Message.(*messages.DomainReported); !r.Followed || r.HostDown || !r.Ended {
		t.Error(r)
	}
}

func input(m actors.Message) actors.Input {
	return actors.Input{ID: "h", Now: time.Unix(1, 0), Message: m}
}
