package sim

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// users do what people do: create too much, change their minds, and ask again.
type users struct {
	w        *World
	network  string
	made     []string // instances that were acknowledged
	acked    map[string]bool
	projects []string
}

var flavors = []*messages.Flavor{
	{Id: "1", Name: "tiny", Vcpus: 1, RamMib: 128, DiskGib: 1},
	{Id: "2", Name: "small", Vcpus: 2, RamMib: 512, DiskGib: 4},
	{Id: "3", Name: "large", Vcpus: 4, RamMib: 1536, DiskGib: 10},
	{Id: "4", Name: "impossible", Vcpus: 1, RamMib: 1 << 20, DiskGib: 1},
}

func (u *users) act() {
	w := u.w
	if len(u.made) == 0 || w.rng.IntN(3) == 0 {
		u.create()
		return
	}
	id := u.made[w.rng.IntN(len(u.made))]
	switch w.rng.IntN(12) {
	case 0, 1:
		u.operate()
		return
	case 3:
		u.register()
		return
	case 2:
		u.ask(actors.Ref{Kind: "instance", ID: id}, &messages.UpdateInstance{ReplaceMetadata: true, Metadata: wishes[w.rng.IntN(len(wishes))]}, nil)
		return
	}
	actions := []messages.Action{
		messages.Action_ACTION_START, messages.Action_ACTION_STOP, messages.Action_ACTION_REBOOT_SOFT,
		messages.Action_ACTION_REBOOT_HARD, messages.Action_ACTION_DELETE, messages.Action_ACTION_DELETE,
	}
	u.ask(actors.Ref{Kind: "instance", ID: id}, &messages.ActOnInstance{
		Action: actions[w.rng.IntN(len(actions))], RequestId: fmt.Sprintf("req-%d", w.seq),
	}, nil)
}

// ask sends a request through the weather, where it may arrive twice.
func (u *users) ask(to actors.Ref, m actors.Message, reply func(actors.Message, error)) {
	u.w.after(u.w.delay(), func() { u.w.deliver(to, m, reply) })
	if u.w.chance(u.w.faults.Duplicate) {
		u.w.after(u.w.delay(), func() { u.w.deliver(to, m, reply) })
	}
}

func (u *users) create() {
	w := u.w
	// Of every other the id begins with a time, by which its ports go.
	id := fmt.Sprintf("%08x-0000-%d000-8000-%012x", w.rng.Uint32(), 4+3*(w.seq%2), w.seq)
	m := &messages.CreateInstance{
		Id: id, Name: "vm", ProjectId: u.projects[w.rng.IntN(len(u.projects))], UserId: "u",
		Flavor: flavors[w.rng.IntN(len(flavors))], Image: &messages.ImageRef{Id: "i", Sha256: "00", Format: "raw", VirtualBytes: 1},
		UserData: []byte("x"), Metadata: wishes[w.rng.IntN(len(wishes))], RequestId: "req-" + id,
	}
	if u.network != "" && w.rng.IntN(4) > 0 {
		m.Networks = []*messages.NetworkRequest{{NetworkId: u.network}}
	}
	if w.rng.IntN(10) == 0 {
		m.Host = w.hosts[w.rng.IntN(len(w.hosts))].name
	}
	u.ask(actors.Ref{Kind: "instance", ID: id}, m, func(_ actors.Message, err error) {
		if err == nil && !u.acked[id] {
			u.acked[id] = true
			u.made = append(u.made, id)
		}
	})
}

// busyFor has the users act for that many times, some virtual time apart.
func (u *users) busyFor(acts int) {
	for range acts {
		u.w.after(time.Duration(u.w.rng.Int64N(int64(time.Duration(acts)*400*time.Millisecond))), u.act)
	}
}

// register is a client of the registry that uses a name which servers may use too.
func (u *users) register() {
	name := []string{"web", "api"}[u.w.rng.IntN(2)]
	u.ask(service.Ref("", "", name), &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{
		{Ip: "192.0.2.1", Port: 1, Weight: 1, Enabled: true, Healthy: true},
	}}, nil)
}

// operate does what operators do: they evacuate hosts, for no reason, and declare
// them down or up.
func (u *users) operate() {
	w := u.w
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	if w.rng.IntN(12) == 0 {
		u.ask(h.ref(), &messages.SetHost{ForcedDown: proto.Bool(w.rng.IntN(2) == 0)}, nil)
		return
	}
	u.evacuate(h)
}

// evacuate moves what is on a host away, and now and then something that is not.
func (u *users) evacuate(h *hypervisor) {
	w := u.w
	for _, id := range u.made {
		if _, here := h.domains[id]; !here && w.rng.IntN(10) > 0 {
			continue
		}
		m := &messages.EvacuateInstance{RequestId: fmt.Sprintf("req-%d", w.seq), Stopped: w.rng.IntN(8) == 0}
		if w.rng.IntN(5) == 0 {
			m.Host = w.hosts[w.rng.IntN(len(w.hosts))].name
		}
		u.ask(actors.Ref{Kind: "instance", ID: id}, m, nil)
	}
}
