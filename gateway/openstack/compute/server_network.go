package compute

import (
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

type fixedIP struct {
	SubnetID string `json:"subnet_id"`
	Address  string `json:"ip_address"`
}

// interfaceView is one network interface of a server.
type interfaceView struct {
	PortID    string    `json:"port_id"`
	NetworkID string    `json:"net_id"`
	MAC       string    `json:"mac_addr"`
	State     string    `json:"port_state"`
	FixedIPs  []fixedIP `json:"fixed_ips"`
	Tag       any       `json:"tag,omitempty"` // from 2.70; there are no tags
}

func interfaceOf(r *api.Request, v *messages.InstanceView, p *messages.Port) interfaceView {
	i := interfaceView{
		PortID: p.Id, NetworkID: p.NetworkId, MAC: p.Mac, State: "DOWN",
		FixedIPs: []fixedIP{{p.SubnetId, p.Address}},
	}
	if v.PowerState == messages.PowerState_POWER_STATE_RUNNING {
		i.State = "ACTIVE"
	}
	if r.Version.AtLeast(70) {
		i.Tag = null
	}
	return i
}

func (a *API) listInterfaces(r *api.Request) (api.Response, error) {
	v, err := a.instance(r)
	if err != nil {
		return api.Response{}, err
	}
	out := make([]interfaceView, 0, len(v.Ports))
	for _, p := range v.Ports {
		out = append(out, interfaceOf(r, v, p))
	}
	return api.Response{Body: struct {
		Attachments []interfaceView `json:"interfaceAttachments"`
	}{out}}, nil
}

func (a *API) showInterface(r *api.Request) (api.Response, error) {
	v, err := a.instance(r)
	if err != nil {
		return api.Response{}, err
	}
	id := r.PathValue("port")
	for _, p := range v.Ports {
		if p.Id == id {
			return api.Response{Body: struct {
				Attachment interfaceView `json:"interfaceAttachment"`
			}{interfaceOf(r, v, p)}}, nil
		}
	}
	return api.Response{}, notFound("Instance %s does not have a port with id %s", v.Id, clip(id))
}

// noInterfaceChange: interfaces are given with the server and stay.
func (a *API) noInterfaceChange(r *api.Request) (api.Response, error) {
	if _, err := a.instance(r); err != nil {
		return api.Response{}, err
	}
	return api.Response{}, unsupported("Attaching and detaching interfaces is not supported.")
}

func (a *API) listAddresses(r *api.Request) (api.Response, error) {
	v, err := a.instance(r)
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Body: struct {
		Addresses map[string][]addressed `json:"addresses"`
	}{addresses(v, false)}}, nil
}

func (a *API) showAddresses(r *api.Request) (api.Response, error) {
	v, err := a.instance(r)
	if err != nil {
		return api.Response{}, err
	}
	name := r.PathValue("network")
	on, ok := addresses(v, false)[name]
	if !ok {
		return api.Response{}, notFound("Instance is not a member of specified network")
	}
	return api.Response{Body: map[string][]addressed{name: on}}, nil
}

// showTopology: no server here is bound to NUMA nodes, which the API says with
// an empty list.
func (a *API) showTopology(r *api.Request) (api.Response, error) {
	if _, err := a.instance(r); err != nil {
		return api.Response{}, err
	}
	return api.Response{Body: struct {
		Nodes    []any `json:"nodes"`
		PageSize any   `json:"pagesize_kb"`
	}{[]any{}, nil}}, nil
}

// listVolumes: there are no volumes, so none is attached.
func (a *API) listVolumes(r *api.Request) (api.Response, error) {
	if _, err := a.instance(r); err != nil {
		return api.Response{}, err
	}
	return api.Response{Body: struct {
		Attachments []any `json:"volumeAttachments"`
	}{[]any{}}}, nil
}
