package console

import (
	"context"

	"github.com/troupe-cloud/troupe/actors/switches"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// Switches are what operators may change while the cloud runs, for all gateways.
type Switches struct {
	Push      bool   // changes are pushed by datagrams
	LightBeat bool   // beats may leave out what was said before
	Ephemeral bool   // endpoints that do not say what they are
	Status    string // what the servers say of themselves; empty: how they are
}

// Switches are those that hold now, on this node.
func (a *API) Switches() Switches {
	set := map[string]string{}
	if p := a.switches.Load(); p != nil {
		set = *p
	}
	return Switches{
		Push: set[switches.Push] != "false", LightBeat: set[switches.LightBeat] != "false",
		Ephemeral: set[switches.Ephemeral] != "false", Status: set[switches.Status],
	}
}

// follow keeps what is set, until ctx ends.
func (a *API) follow(ctx context.Context) error {
	changes, err := a.Cloud.Watch(ctx, switches.Ref, &messages.GetRegistrySwitches{})
	if err != nil {
		return err
	}
	go func() {
		for c := range changes {
			if v, ok := c.Answer.(*messages.RegistrySwitches); ok && c.Err == nil {
				a.switches.Store(&v.Set)
				a.first.Do(func() { close(a.heard) })
			}
		}
	}()
	return nil
}

func (a *API) showSwitches(*api.Request) (api.Answer, error) {
	return api.Answer{Data: a.switchesView()}, nil
}

// setSwitch commits a switch, and has it in force here when it answers.
func (a *API) setSwitch(r *api.Request) (api.Answer, error) {
	v := r.Values()
	entry, value := v.Need("entry"), v.Text("value")
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	if _, said := r.Params["value"]; !said {
		return api.Answer{}, api.Missing("value")
	}
	if _, err := a.Cloud.Ask(r.Context(), switches.Ref, &messages.SetRegistrySwitch{Entry: entry, Value: value}); err != nil {
		return api.Answer{}, err
	}
	now, err := a.Cloud.Ask(r.Context(), switches.Ref, &messages.GetRegistrySwitches{})
	if set, ok := now.(*messages.RegistrySwitches); ok && err == nil {
		a.switches.Store(&set.Set)
	}
	return api.Answer{Data: "ok"}, nil
}
