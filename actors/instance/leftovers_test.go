package instance

import (
	"slices"
	"testing"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// TestLeftBehind: a host that is to let go of what it has, and has not done so when the
// instance is deleted, deletes it.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	taken := &messages.OrderTaken{InstanceId: "i1", Order: 3, Host: "h2"}
	done := &messages.DomainReported{InstanceId: "i1", Host: "h2", Order: 3, Ended: true, Absent: true}
	for name, tt := range map[string]struct {
		before []actors.Message
		told   bool // h2 has still to take something before the delete
		orders bool // h2 is ordered to delete
	}{
		"told":           {nil, true, true},
		"taken":          {[]actors.Message{taken}, false, true},
		"done":           {[]actors.Message{taken, done}, false, false},
		"done, and late": {[]actors.Message{done, taken}, false, false},
	} {
		s := rested(failed, idle)
		s.View.Host = "h1"
		s = s.leave(Leftover{Host: "h2", Order: 3, Kind: orderRelease})
		var effects []actors.Effect
		var err error
		for _, m := range tt.before {
			if s, _, err = Step(s, input(m)); err != nil {
				t.Fatal(err)
			}
		}
		if got := busy(s); got != tt.told {
			t.Errorf("%s: something is outstanding %v, want %v", name, got, tt.told)
		}
		s, effects, err = Step(s, input(&messages.ActOnInstance{Action: messages.Action_ACTION_DELETE}))
		if err != nil {
			t.Fatal(err)
		}
		got := slices.ContainsFunc(effects, func(e actors.Effect) bool {
			tell, ok := e.(actors.Tell)
			o, _ := tell.Message.(*messages.OrderHost)
			return ok && tell.To.ID == "h2" && o.GetKind() == orderDelete && o.Order == s.Order && o.Leftover
		})
		if got != tt.orders {
			t.Errorf("%s: h2 is ordered to delete %v, want %v: %v", name, got, tt.orders, effects)
		}
	}
}

// TestLeftIsBounded: of hosts that have taken their orders only some are kept in mind,
// of those that have not, all.
func TestLeftIsBounded(t *testing.T) {
	t.Parallel()
	s := rested(active, idle)
	for i := range 3 * maxLeft {
		s = s.leave(Leftover{Host: string(rune('a' + i)), Order: uint64(i), Kind: orderRelease, Taken: i >= 4})
	}
	if len(s.Left) != maxLeft || s.Left[3].Taken || s.Left[4].Order != 2*maxLeft+4 {
		t.Errorf("%d are kept in mind: %v", len(s.Left), s.Left)
	}
}
