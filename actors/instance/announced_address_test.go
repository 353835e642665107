package instance

import (
	"testing"

	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/messages"
)

// TestAnnouncedAddress: the first address that a server has, or that on the network
// which it names; none if it is not there.
func TestAnnouncedAddress(t *testing.T) { // table: one row, a wish
	ports := []*messages.Port{
		{NetworkId: "n0", NetworkName: "bare"}, {NetworkId: "n1", NetworkName: "outer", Address: "10.0.0.1"}, {NetworkId: "n2", NetworkName: "inner", Address: "10.1.0.1"},
	}
	for wish, want := range map[string]string{"": "10.0.0.1", "inner": "10.1.0.1", "n2": "10.1.0.1", "outer": "10.0.0.1", "bare": "", "other": ""} {
		s := State{View: &messages.InstanceView{
			Id: "i", VmState: active, PowerState: messages.PowerState_POWER_STATE_RUNNING, Ports: ports,
			Metadata: map[string]string{machine.ServiceKey: "web", machine.NetworkKey: wish},
		}}
		got := ""
		if said := announcement(s); len(said) > 0 {
			got = said[0].Endpoints[0].Ip
		}
		if got != want {
			t.Errorf("of network %q: %q, want %q", wish, got, want)
		}
	}
}
