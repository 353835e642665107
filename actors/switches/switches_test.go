package switches

import (
	"errors"
	"maps"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

func TestStep(t *testing.T) {
	off := map[string]string{Push: "false"}
	for name, tt := range map[string]struct {
		before  map[string]string
		message proto.Message
		after   map[string]string
		err     error
	}{
		"one is set":           {nil, &messages.SetRegistrySwitch{Entry: Push, Value: "false"}, off, nil},
		"beside another":       {off, &messages.SetRegistrySwitch{Entry: Status, Value: "DOWN"}, map[string]string{Push: "false", Status: "DOWN"}, nil},
		"and taken back":       {off, &messages.SetRegistrySwitch{Entry: Push}, map[string]string{}, nil},
		"no such switch":       {off, &messages.SetRegistrySwitch{Entry: "distroThreshold", Value: "1"}, off, messages.Invalid},
		"no such value":        {off, &messages.SetRegistrySwitch{Entry: Push, Value: "maybe"}, off, messages.Invalid},
		"it says what is set":  {off, &messages.GetRegistrySwitches{}, off, nil},
		"nothing else is said": {off, &messages.GetService{}, off, messages.Invalid},
		"nothing to be done":   {off, &messages.Activated{}, off, nil},
	} {
		before := maps.Clone(tt.before)
		s, effects, err := Step(State{Set: tt.before}, actors.Input{ID: MainID, Message: tt.message})
		if !errors.Is(err, tt.err) || !maps.Equal(s.Set, tt.after) {
			t.Errorf("%s: %v, %v", name, s.Set, err)
		}
		if !maps.Equal(before, tt.before) {
			t.Errorf("%s: the state before was changed", name)
		}
		if _, asks := tt.message.(*messages.GetRegistrySwitches); asks && !maps.Equal(effects[0].(actors.Reply).Message.(*messages.RegistrySwitches).Set, off) {
			t.Errorf("%s: %v", name, effects)
		}
	}
}
