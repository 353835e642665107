package sim

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// wishes are what servers of the simulation ask for, with the port of each that runs
// them apart. Both projects want the name web: one of them is refused.
var wishes = []map[string]string{
	nil,
	{machine.ServiceKey: "web"},
	{machine.ServiceKey: "web:81,api", machine.DrainKey: "1"},
	{machine.ServiceKey: "api", machine.CheckKey: "tcp", machine.DrainKey: "0"},
	{machine.ServiceKey: "api:81", machine.NamespaceKey: "p2", machine.CheckKey: "http:/"},
}

// services are the states of all that the store has, by identity.
func (w *World) services() map[string]service.State {
	all := map[string]service.State{}
	for _, key := range w.rowKeys("grain/") {
		if ref, ok := actors.ParseUnsettledKey(actors.UnsettledPrefix + key[len("grain/"):]); ok && ref.Kind == service.Kind {
			all[ref.ID] = read[service.State](w, ref)
		}
	}
	return all
}

// checkListed: whoever is listed has the address that is listed; it is nobody else's
// before every service has let go of it.
func (w *World) checkListed() {
	has := map[string]string{}
	for _, p := range read[network.State](w, network.Ref(w.users.network)).Ports.All() {
		has[p.Address.String()] = p.InstanceID
	}
	for id, s := range w.services() {
		for server, endpoints := range s.Announced() {
			for _, e := range endpoints {
				if has[e.Ip] != server {
					w.fail("%s lists %s of %s, which has it no more", id, e.Ip, server)
				}
			}
		}
	}
}

// settledListed: services list exactly the servers that run and name them, and who is
// checked is as well as its machine.
func (w *World) settledListed() {
	services := w.services()
	for _, key := range w.rowKeys("grain/") {
		ref, ok := actors.ParseUnsettledKey(actors.UnsettledPrefix + key[len("grain/"):])
		if !ok || ref.Kind != instance.Kind {
			continue
		}
		s := read[instance.State](w, ref)
		runs := s.View.VmState == messages.VMState_VM_STATE_ACTIVE && s.View.PowerState == messages.PowerState_POWER_STATE_RUNNING
		hasAddress := slices.ContainsFunc(s.View.Ports, func(p *messages.Port) bool { return p.Address != "" })
		want, _ := machine.Parse(s.View.Metadata, s.View.Tags)
		if !runs || !hasAddress || w.declaredDown(s.View.Host) {
			want.Services = nil
		}
		if len(want.Services) != len(s.Said) {
			w.fail("%s runs %v, wants %v and has said %+v", ref.ID, runs, want.Services, s.Said)
		}
		for _, d := range s.Said {
			on := services[d.Service]
			endpoints := on.Announced()[ref.ID]
			if !d.Heard {
				continue // it asks again just now
			}
			if d.Refused != "" {
				if len(endpoints) > 0 {
					w.fail("%s is refused by %s, and listed", ref.ID, d.Service)
				}
				continue
			}
			same := slices.EqualFunc(endpoints, d.Endpoints, func(a, b *messages.Endpoint) bool {
				return a.Ip == b.Ip && a.Port == b.Port && a.Weight == b.Weight && proto.Equal(a.Check, b.Check)
			})
			if !same || endpoints[0].Weight == 0 {
				w.fail("%s lists %v of %s, which has said %v", d.Service, endpoints, ref.ID, d.Endpoints)
			}
			for _, e := range endpoints {
				if !e.Healthy {
					w.fail("%s shows %s of %s as ill", d.Service, e.Ip, ref.ID)
				}
			}
		}
	}
	w.nobodyElse(services)
}

// nobodyElse is listed than who says so.
func (w *World) nobodyElse(services map[string]service.State) {
	for id, s := range services {
		for server := range s.Announced() {
			i := read[instance.State](w, actors.Ref{Kind: instance.Kind, ID: server})
			if !slices.ContainsFunc(i.Said, func(d instance.Said) bool { return d.Service == id && d.Refused == "" }) {
				w.fail("%s lists %s, which does not say so", id, server)
			}
		}
	}
}

// runs says whether the machine that a key is about answers.
func (w *World) runs(key *messages.EndpointKey) bool {
	for _, h := range w.hosts {
		for id, d := range h.domains {
			if service.ServerOwner(id) == key.Owner && d.power == messages.PowerState_POWER_STATE_RUNNING {
				return true
			}
		}
	}
	return false
}
