package network

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

var now = time.Unix(1_700_000_000, 0)

const (
	owner, other = "owner", "other"
	netID        = "0b5f3d38-6f6b-44d8-9f0e-1f0d1a7c2a11"
)

func step(s State, m proto.Message) (State, []actors.Effect, error) {
	return Step(s, actors.Input{ID: netID, Now: now, Message: m})
}

// history steps s through what comes; the first refusal ends it.
func history(s State, what ...proto.Message) (State, []actors.Effect, error) {
	var effects []actors.Effect
	for _, m := range what {
		next, e, err := step(s, m)
		if err != nil {
			return s, nil, err
		}
		s, effects = next, e
	}
	return s, effects, nil
}

func made(cidr string, more ...proto.Message) []proto.Message {
	return append([]proto.Message{
		&messages.CreateNetwork{Name: "n", ProjectId: owner},
		&messages.CreateSubnet{Subnet: &messages.Subnet{Id: "s", Cidr: cidr, Nameservers: []string{"10.0.0.53"}}},
	}, more...)
}

func must(t *testing.T, what ...proto.Message) State {
	t.Helper()
	s, _, err := history(State{}, what...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func want(instance string, requests ...*messages.NetworkRequest) *messages.AllocatePorts {
	return &messages.AllocatePorts{InstanceId: instance, ProjectId: owner, Requests: requests}
}

func fixed(ip string) *messages.NetworkRequest { return &messages.NetworkRequest{FixedIp: ip} }
func port(id string) *messages.NetworkRequest  { return &messages.NetworkRequest{PortId: id} }

// told is the fact that the effects tell an instance.
func told(t *testing.T, effects []actors.Effect) proto.Message {
	t.Helper()
	if len(effects) != 1 {
		t.Fatalf("got %v, want one Tell", effects)
	}
	return effects[0].(actors.Tell).Message
}

func TestCommands(t *testing.T) {
	cidr := func(c string) proto.Message {
		return &messages.CreateSubnet{Subnet: &messages.Subnet{Id: "x", Cidr: c}}
	}
	p := &messages.CreatePort{Id: "p", ProjectId: owner, Scope: owner}
	for name, tt := range map[string]struct {
		what []proto.Message
		want error
	}{
		"nothing there":               {[]proto.Message{&messages.GetNetwork{}}, messages.NotFound},
		"made twice":                  {made("10.0.0.0/24", &messages.CreateNetwork{}), messages.Conflict},
		"shared by a user":            {[]proto.Message{&messages.CreateNetwork{Shared: true, Scope: owner}}, messages.Denied},
		"shared later by a user":      {made("10.0.0.0/24", &messages.UpdateNetwork{Scope: owner, Shared: proto.Bool(true)}), messages.Denied},
		"someone else's":              {made("10.0.0.0/24", &messages.GetNetwork{Scope: other}), messages.NotFound},
		"someone else's, changed":     {made("10.0.0.0/24", &messages.UpdateNetwork{Scope: other}), messages.NotFound},
		"shared, seen":                {made("10.0.0.0/24", &messages.UpdateNetwork{Shared: proto.Bool(true)}, &messages.GetNetwork{Scope: other}), nil},
		"shared, changed":             {made("10.0.0.0/24", &messages.UpdateNetwork{Shared: proto.Bool(true)}, &messages.DeleteNetwork{Scope: other}), messages.Denied},
		"MTU too small":               {[]proto.Message{&messages.CreateNetwork{Mtu: 10}}, messages.Invalid},
		"deleted":                     {made("10.0.0.0/24", &messages.DeleteNetwork{Scope: owner}, &messages.GetNetwork{}), messages.NotFound},
		"made again after deletion":   {made("10.0.0.0/24", &messages.DeleteNetwork{}, &messages.CreateNetwork{}), messages.Conflict},
		"deleted with a port":         {made("10.0.0.0/24", p, &messages.DeleteNetwork{}), messages.Conflict},
		"subnet deleted with a port":  {made("10.0.0.0/24", p, &messages.DeleteSubnet{SubnetId: "s"}), messages.Conflict},
		"subnet deleted":              {made("10.0.0.0/24", p, &messages.DeletePort{PortId: "p"}, &messages.DeleteSubnet{SubnetId: "s"}), nil},
		"no such subnet":              {made("10.0.0.0/24", &messages.DeleteSubnet{SubnetId: "z"}), messages.NotFound},
		"subnets that overlap":        {made("10.0.0.0/24", cidr("10.0.0.128/25")), messages.Invalid},
		"subnets side by side":        {made("10.0.0.0/24", cidr("10.0.1.0/24")), nil},
		"IPv6":                        {made("10.0.0.0/24", cidr("fd00::/64")), messages.Invalid},
		"not a range":                 {made("10.0.0.0/24", cidr("10.0.1")), messages.Invalid},
		"range too small":             {made("10.0.0.0/24", cidr("10.0.1.0/31")), messages.Invalid},
		"gateway outside":             {made("10.0.0.0/24", &messages.CreateSubnet{Subnet: &messages.Subnet{Id: "x", Cidr: "10.0.1.0/24", Gateway: "10.0.2.1"}}), messages.Invalid},
		"gateway is the broadcast":    {made("10.0.0.0/24", &messages.CreateSubnet{Subnet: &messages.Subnet{Id: "x", Cidr: "10.0.1.0/24", Gateway: "10.0.1.255"}}), messages.Invalid},
		"pool outside":                {made("10.0.0.0/24", &messages.CreateSubnet{Subnet: &messages.Subnet{Id: "x", Cidr: "10.0.1.0/24", PoolStart: "10.0.1.9", PoolEnd: "10.0.2.9"}}), messages.Invalid},
		"pool the wrong way round":    {made("10.0.0.0/24", &messages.CreateSubnet{Subnet: &messages.Subnet{Id: "x", Cidr: "10.0.1.0/24", PoolStart: "10.0.1.9", PoolEnd: "10.0.1.5"}}), messages.Invalid},
		"nameserver is a name":        {made("10.0.0.0/24", &messages.UpdateSubnet{SubnetId: "s", SetNameservers: true, Nameservers: []string{"ns1"}}), messages.Invalid},
		"port":                        {made("10.0.0.0/24", p, p, &messages.GetPort{PortId: "p", Scope: owner}), nil},
		"port of another project":     {made("10.0.0.0/24", p, &messages.GetPort{PortId: "p", Scope: other}), messages.NotFound},
		"port by a stranger":          {made("10.0.0.0/24", &messages.CreatePort{Id: "q", ProjectId: other, Scope: other}), messages.NotFound},
		"port with an address taken":  {made("10.0.0.0/24", p, &messages.CreatePort{Id: "q", FixedIp: "10.0.0.2"}), messages.Conflict},
		"port with the gateway's":     {made("10.0.0.0/24", &messages.CreatePort{Id: "q", FixedIp: "10.0.0.1"}), messages.Invalid},
		"port with one outside":       {made("10.0.0.0/24", &messages.CreatePort{Id: "q", FixedIp: "10.0.1.9"}), messages.Invalid},
		"port on an unknown subnet":   {made("10.0.0.0/24", &messages.CreatePort{Id: "q", SubnetId: "z"}), messages.NotFound},
		"port deleted twice":          {made("10.0.0.0/24", p, &messages.DeletePort{PortId: "p"}, &messages.DeletePort{PortId: "p"}), messages.NotFound},
		"port in use deleted":         {made("10.0.0.0/24", p, want("i", port("p")), &messages.DeletePort{PortId: "p"}), messages.Conflict},
		"network full":                {made("10.0.0.0/30", p, &messages.CreatePort{Id: "q"}), messages.Exhausted},
		"network without subnets":     {[]proto.Message{&messages.CreateNetwork{}, &messages.CreatePort{Id: "q"}}, messages.Invalid},
		"a message for somebody else": {made("10.0.0.0/24", &messages.GetImage{}), messages.Invalid},
	} {
		if _, _, err := history(State{}, tt.what...); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestAllocate(t *testing.T) {
	s := must(t, made("10.0.0.0/24")...)
	s, effects, err := step(s, want("i", &messages.NetworkRequest{}, fixed("10.0.0.77")))
	if err != nil {
		t.Fatal(err)
	}
	got := told(t, effects).(*messages.PortsAllocated)
	p := got.Ports[0]
	if got.InstanceId != "i" || got.NetworkId != netID || len(got.Ports) != 2 || p.Id != PortID(netID, "i", 0) ||
		p.Address != "10.0.0.2" || p.PrefixLength != 24 || p.Gateway != "10.0.0.1" || p.Mac != "fa:16:0a:00:00:02" ||
		p.Mtu != DefaultMTU || !slices.Equal(p.Nameservers, []string{"10.0.0.53"}) || got.Ports[1].Address != "10.0.0.77" {
		t.Errorf("got %v", got)
	}
	again, effects, err := step(s, want("i", &messages.NetworkRequest{}))
	if err != nil || !proto.Equal(told(t, effects), got) || again.Ports.Len() != 2 {
		t.Errorf("asked again: %v, %v", effects, err)
	}
	s, effects, err = step(s, &messages.ReleasePorts{InstanceId: "i"})
	if err != nil || s.Ports.Len() != 0 || s.Blocks.Len() != 0 || s.Subnets[0].Ports != 0 || s.Subnets[0].Free != 253 {
		t.Errorf("released: %d ports, %d blocks, %+v, %v", s.Ports.Len(), s.Blocks.Len(), s.Subnets, err)
	}
	if _, ok := told(t, effects).(*messages.PortsReleased); !ok {
		t.Errorf("told %v", effects)
	}
	if s, effects, err = step(s, want("i")); err != nil || s.Ports.Len() != 0 || len(effects) != 0 {
		t.Errorf("a late request brought the ports back: %v, %v", effects, err)
	}
}

func TestAllocateRefuses(t *testing.T) {
	p := &messages.CreatePort{Id: "p", ProjectId: other, FixedIp: "10.0.0.9"}
	for name, tt := range map[string]struct {
		what []proto.Message
		ask  *messages.AllocatePorts
		why  string
	}{
		"no such network":       {nil, want("i"), "network " + netID + " could not be found"},
		"another's network":     {made("10.0.0.0/24"), &messages.AllocatePorts{InstanceId: "i", ProjectId: other}, "network " + netID + " could not be found"},
		"one of two is taken":   {made("10.0.0.0/24", p), want("i", &messages.NetworkRequest{}, fixed("10.0.0.9")), "IP address 10.0.0.9 is in use on network " + netID},
		"the same twice":        {made("10.0.0.0/24"), want("i", fixed("10.0.0.9"), fixed("10.0.0.9")), "IP address 10.0.0.9 is in use on network " + netID},
		"another's port":        {made("10.0.0.0/24", p), want("i", port("p")), "port p could not be found"},
		"no such port":          {made("10.0.0.0/24"), want("i", port("z")), "port z could not be found"},
		"no address":            {made("10.0.0.0/30"), want("i", &messages.NetworkRequest{}, &messages.NetworkRequest{}), "no more IP addresses available on network " + netID},
		"an address of nowhere": {made("10.0.0.0/24"), want("i", fixed("8.8.8.8")), "IP address 8.8.8.8 is not one that a port of network " + netID + " can have"},
		"nonsense":              {made("10.0.0.0/24"), want("i", fixed("x")), `"x" is not an IPv4 address`},
	} {
		s := must(t, tt.what...)
		after, effects, err := step(s, tt.ask)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, ok := told(t, effects).(*messages.PortsRefused); !ok || got.Reason != tt.why {
			t.Errorf("%s: told %v, want %q", name, effects, tt.why)
		}
		if after.Ports.Len() != s.Ports.Len() || after.Instances.Len() != 0 || after.Blocks.Len() != s.Blocks.Len() {
			t.Errorf("%s: something was kept", name)
		}
	}
}

func TestAPortOfAUserOutlivesTheInstance(t *testing.T) {
	s := must(t, made("10.0.0.0/24", &messages.CreatePort{Id: "p", ProjectId: owner}, want("i", port("p")))...)
	if p, _ := s.Ports.Get("p"); p.InstanceID != "i" {
		t.Fatalf("not handed over: %+v", p)
	}
	_, effects, err := step(s, want("j", port("p")))
	if r, ok := told(t, effects).(*messages.PortsRefused); err != nil || !ok || r.Reason != "port p is in use" {
		t.Errorf("a second instance was told %v, %v", effects, err)
	}
	s, _, err = step(s, &messages.ReleasePorts{InstanceId: "i"})
	if p, ok := s.Ports.Get("p"); err != nil || !ok || p.InstanceID != "" {
		t.Errorf("after the release: %+v, %v", p, err)
	}
}

func TestReleaseOfNothing(t *testing.T) {
	s, effects, err := step(State{}, &messages.ReleasePorts{InstanceId: "i"})
	if _, ok := told(t, effects).(*messages.PortsReleased); err != nil || !ok || s.ID != "" {
		t.Errorf("got %v, %v", effects, err)
	}
	s = must(t, made("10.0.0.0/24", &messages.ReleasePorts{InstanceId: "i"}, want("i"))...)
	if s.Ports.Len() != 0 {
		t.Error("the request that came after its release was served")
	}
}

// TestPool gives out every address of small pools, and again after some came back.
func TestPool(t *testing.T) {
	for name, tt := range map[string]struct {
		subnet *messages.Subnet
		size   int
	}{
		"/30":                     {&messages.Subnet{Cidr: "10.0.0.0/30"}, 1},
		"/24":                     {&messages.Subnet{Cidr: "10.0.0.0/24"}, 253},
		"/21, gateway in between": {&messages.Subnet{Cidr: "10.0.0.0/21", Gateway: "10.0.4.7"}, 2045},
		"/24 without a gateway":   {&messages.Subnet{Cidr: "10.0.0.0/24", NoGateway: true}, 254},
		"pool":                    {&messages.Subnet{Cidr: "10.0.0.0/16", PoolStart: "10.0.3.250", PoolEnd: "10.0.4.5"}, 12},
	} {
		tt.subnet.Id = "s"
		s := must(t, &messages.CreateNetwork{}, &messages.CreateSubnet{Subnet: tt.subnet})
		sub := s.Subnets[0]
		seen := map[uint32]bool{}
		for range tt.size {
			var offset uint32
			var err error
			if s, _, offset, err = s.take("", ""); err != nil || seen[offset] || !sub.pooled(offset) {
				t.Fatalf("%s: offset %d, seen %v, %v", name, offset, seen[offset], err)
			}
			seen[offset] = true
		}
		if _, _, _, err := s.take("", ""); !errors.Is(err, messages.Exhausted) {
			t.Errorf("%s: more than %d addresses: %v", name, tt.size, err)
		}
		for _, offset := range slices.Sorted(maps.Keys(seen))[:(tt.size+1)/2] {
			s = s.mark(0, offset, false)
			var got uint32
			var err error
			if s, _, got, err = s.take("", ""); err != nil || got != offset {
				t.Fatalf("%s: %d came back, got %d, %v", name, offset, got, err)
			}
		}
	}
}

func TestAddressesRest(t *testing.T) {
	s := must(t, made("10.0.0.0/24", want("i"), &messages.ReleasePorts{InstanceId: "i"})...)
	_, effects, err := step(s, want("j"))
	if err != nil || told(t, effects).(*messages.PortsAllocated).Ports[0].Address != "10.0.0.3" {
		t.Errorf("an address was given out again at once: %v, %v", effects, err)
	}
}

// TestCommits: what changes is written, and what the indexes need of it.
func TestCommits(t *testing.T) {
	k := Spec()
	st, err := k.Open(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	index := map[string]string{}
	run := func(m proto.Message) actors.Turn {
		turn, err := k.Step(st, actors.Input{ID: netID, Now: now, Message: m})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range turn.Writes {
			if index[w.Key] = string(w.Value); w.Value == nil {
				delete(index, w.Key)
			}
		}
		st = turn.State
		return turn
	}
	for _, m := range made("10.0.0.0/12") {
		run(m)
	}
	before := len(index)
	turn := run(want("i"))
	if len(turn.Writes) != 7 { // three rows, four entries
		t.Errorf("one port wrote %d keys: %v", len(turn.Writes), turn.Writes)
	}
	if got := index["index/"+IndexAddress(netID, "10.0.0.2")]; got != "i" {
		t.Errorf("the address is %q's", got)
	}
	if got := index["index/"+IndexPort(PortID(netID, "i", 0))]; got != netID {
		t.Errorf("the port is on %q", got)
	}
	run(&messages.ReleasePorts{InstanceId: "i"})
	if len(index) != before+2 { // the grave
		t.Errorf("after the release there are %d keys, not %d", len(index), before+2)
	}
}

func TestFlat(t *testing.T) {
	id, network, subnet := Flat(netip.MustParsePrefix(DefaultFlatCIDR), owner)
	if again, _, _ := Flat(netip.MustParsePrefix(DefaultFlatCIDR), owner); again != id || network.Id != id {
		t.Error("the id changes")
	}
	s, effects, err := history(State{}, network, subnet, &messages.GetNetwork{Scope: other})
	if err != nil || len(effects) != 1 || s.view().Subnets[0].Gateway != "10.64.0.1" {
		t.Errorf("got %v, %v", s.view(), err)
	}
}

// BenchmarkAllocate allocates on a /12 that has 100,000 ports already.
func BenchmarkAllocate(b *testing.B) {
	k := Spec()
	st, err := k.Open(nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	run := func(m proto.Message) {
		turn, err := k.Step(st, actors.Input{ID: netID, Now: now, Message: m})
		if err != nil {
			b.Fatal(err)
		}
		st = turn.State
	}
	for _, m := range made("10.64.0.0/12") {
		run(m)
	}
	for i := range 100_000 {
		run(want(fmt.Sprint(i)))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		run(want(fmt.Sprint("b", i)))
		run(&messages.ReleasePorts{InstanceId: fmt.Sprint("b", i)})
	}
}
