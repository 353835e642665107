package cluster

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// TestUrges: what is told on the way to an answer that somebody waits for is urgent,
// and nothing else is; and it stays so on its way to another node.
func TestUrges(t *testing.T) {
	t.Parallel()
	urgent := func() *call { return &call{urgent: true} }
	tell, wait, answer := actors.Tell{}, actors.Defer{Key: "k"}, actors.Answer{Key: "k"}
	for name, tt := range map[string]struct {
		call    *call
		effects []actors.Effect
		want    bool
	}{
		"asked, and answered at once":       {asked(""), []actors.Effect{tell, actors.Reply{}}, false},
		"asked, and done":                   {asked(""), []actors.Effect{tell}, false},
		"asked, and answered later":         {asked(""), []actors.Effect{tell, wait}, true},
		"told by who must answer":           {urgent(), []actors.Effect{tell}, true},
		"told, and it gives the answer":     {urgent(), []actors.Effect{tell, answer}, false},
		"told":                              {told(""), []actors.Effect{tell}, false},
		"the node asks, which has time":     {&call{answer: func(proto.Message, error) {}, patient: true}, []actors.Effect{tell, wait}, false},
		"told by the node, gives an answer": {told(""), []actors.Effect{answer, tell}, false},
	} {
		if got := (outcome{call: tt.call, effects: tt.effects}).urges(); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	c := urgent()
	c.message = &messages.Done{}
	e, err := c.envelope()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := fromEnvelope(e); err != nil || !back.awaited() || !isAsked(e) {
		t.Errorf("another node is not told that it is urgent: %v, %v", back, err)
	}
}
