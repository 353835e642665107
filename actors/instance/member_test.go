package instance

import (
	"strings"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// TestMemberTellsItsGroup: of each change of what it is, and of nothing else.
func TestMemberTellsItsGroup(t *testing.T) {
	for name, tt := range map[string]struct {
		group string
		m     actors.Message
		want  int
	}{
		"it changes":          {"g", &messages.QuotaGranted{InstanceId: "i"}, 1},
		"nothing changes":     {"g", &messages.Nudged{}, 0},
		"it is only shown":    {"g", &messages.GetInstance{}, 0},
		"of no group":         {"", &messages.QuotaGranted{InstanceId: "i"}, 0},
		"it is not let exist": {"g", &messages.QuotaRefused{InstanceId: "i"}, 1},
	} {
		in := func(m actors.Message) actors.Input { return actors.Input{ID: "i", Now: time.Unix(1, 0), Message: m} }
		s, _, err := stepMember(State{}, in(&messages.CreateInstance{
			Id: "i", Name: "n", ProjectId: "p", GroupId: tt.group,
			Flavor: &messages.Flavor{Vcpus: 1, RamMib: 1}, Image: &messages.ImageRef{Sha256: strings.Repeat("a", 64)},
		}))
		if err != nil {
			t.Fatal(err)
		}
		_, effects, _ := stepMember(s, in(tt.m))
		told := 0
		for _, e := range effects {
			if e, ok := e.(actors.Tell); ok && e.To == (actors.Ref{Kind: "group", ID: "g"}) && e.Message.(*messages.MemberChanged).InstanceId == "i" {
				told++
			}
		}
		if told != tt.want {
			t.Errorf("%s: told %d times, want %d", name, told, tt.want)
		}
	}
}
