package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// portBody is a port as a client writes it.
type portBody struct {
	NetworkID      *string           `json:"network_id"`
	Name           *string           `json:"name"`
	Description    *string           `json:"description"`
	AdminStateUp   *bool             `json:"admin_state_up"`
	FixedIPs       []fixedIP         `json:"fixed_ips"`
	ProjectID      *string           `json:"project_id"`
	TenantID       *string           `json:"tenant_id"`
	SecurityGroups []string          `json:"security_groups"`
	VNICType       *string           `json:"binding:vnic_type"`
	DeviceID       *string           `json:"device_id"`
	DeviceOwner    *string           `json:"device_owner"`
	AddressPairs   []json.RawMessage `json:"allowed_address_pairs"`
	DHCPOptions    []json.RawMessage `json:"extra_dhcp_opts"`
}

type fixedIP struct {
	IPAddress string `json:"ip_address"`
	SubnetID  string `json:"subnet_id"`
}

// check refuses what no port here can have.
func (b portBody) check(r *api.Request) error {
	switch {
	case len(b.FixedIPs) > 1:
		return fmt.Errorf("a port has one fixed IP: %w", messages.Invalid)
	case value(b.DeviceID) != "" || value(b.DeviceOwner) != "":
		return fmt.Errorf("a port is given to a server when the server is created: %w", messages.Invalid)
	case value(b.VNICType) != "" && *b.VNICType != "normal":
		return fmt.Errorf("only ports of vnic_type normal are supported: %w", messages.Invalid)
	case len(b.AddressPairs)+len(b.DHCPOptions) > 0:
		return fmt.Errorf("allowed_address_pairs and extra_dhcp_opts are not supported: %w", messages.Invalid)
	}
	for _, g := range b.SecurityGroups {
		if g != defaultGroupID(r.Principal.ProjectID) {
			return fmt.Errorf("security group %.80s does not exist: %w", g, messages.Invalid)
		}
	}
	return nil
}

func (a *API) createPort(r *api.Request) (api.Response, error) {
	return create(r, "port", func(s string, b portBody) (item, func(), error) {
		v, err := a.newPort(r, s, b)
		if err != nil {
			return nil, nil, err
		}
		return renderPort(v), a.undo(r, v.Port.NetworkId, &messages.DeletePort{PortId: v.Port.Id}), nil
	})
}

func (a *API) newPort(r *api.Request, scope string, b portBody) (*messages.PortView, error) {
	if err := b.check(r); err != nil {
		return nil, err
	}
	home := value(b.NetworkID)
	if _, err := uuid.Parse(home); err != nil {
		return nil, fmt.Errorf("attribute network_id %.80q is not a UUID: %w", home, messages.Invalid)
	}
	project, err := owner(r, scope, value(b.ProjectID), value(b.TenantID))
	if err != nil {
		return nil, err
	}
	m := &messages.CreatePort{
		Id: uuid.NewString(), ProjectId: project, Name: value(b.Name), Description: value(b.Description),
		AdminStateDown: b.AdminStateUp != nil && !*b.AdminStateUp, Scope: scope,
	}
	if len(b.FixedIPs) == 1 {
		m.FixedIp, m.SubnetId = b.FixedIPs[0].IPAddress, b.FixedIPs[0].SubnetID
	}
	return ask[*messages.PortView](a, r, home, m)
}

// onPort asks the network of the port that the path names.
func (a *API) onPort(r *api.Request, build func(scope, id string) proto.Message) (proto.Message, error) {
	s, err := scope(r)
	if err != nil {
		return nil, err
	}
	id, err := pathID(r, "port")
	if err != nil {
		return nil, err
	}
	home, err := a.home(r.Context(), network.IndexPort(id), "port", id)
	if err != nil {
		return nil, err
	}
	return ask[proto.Message](a, r, home, build(s, id))
}

func (a *API) onePort(r *api.Request, build func(scope, id string) proto.Message) (api.Response, error) {
	m, err := a.onPort(r, build)
	if err != nil {
		return api.Response{}, err
	}
	v, ok := m.(*messages.PortView)
	if !ok {
		return api.Response{}, fmt.Errorf("a network answered %T: %w", m, messages.Internal)
	}
	return show(r, "port", renderPort(v)), nil
}

func (a *API) showPort(r *api.Request) (api.Response, error) {
	return a.onePort(r, func(scope, id string) proto.Message { return &messages.GetPort{Scope: scope, PortId: id} })
}

func (a *API) updatePort(r *api.Request) (api.Response, error) {
	b, err := decodeOne[portBody](r, "port")
	if err != nil {
		return api.Response{}, err
	}
	if err := b.check(r); err != nil {
		return api.Response{}, err
	}
	if b.NetworkID != nil || b.FixedIPs != nil || b.ProjectID != nil || b.TenantID != nil {
		return api.Response{}, fmt.Errorf("cannot update read-only attributes: name, description and admin_state_up can be changed: %w", messages.Invalid)
	}
	return a.onePort(r, func(scope, id string) proto.Message {
		return &messages.UpdatePort{
			Scope: scope, PortId: id, Name: b.Name, Description: b.Description, AdminStateDown: not(b.AdminStateUp),
		}
	})
}

func (a *API) deletePort(r *api.Request) (api.Response, error) {
	_, err := a.onPort(r, func(scope, id string) proto.Message { return &messages.DeletePort{Scope: scope, PortId: id} })
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Status: http.StatusNoContent}, nil
}

// listPorts reads the part of the index that has the fewest of the ports asked for.
func (a *API) listPorts(r *api.Request) (api.Response, error) {
	s, err := scope(r)
	if err != nil {
		return api.Response{}, err
	}
	c := collection{name: "ports", attributes: portAttributes, render: renderPorts(s)}
	devices := r.URL.Query()["device_id"]
	switch {
	case len(devices) == 1 && devices[0] != "":
		if c.prefixes, err = a.portsOf(r.Context(), s, devices[0]); err != nil {
			return api.Response{}, err
		}
		return a.list(r, c)
	case s != "":
		c.prefixes = []string{network.IndexProjectPorts(s)}
	default:
		c.prefixes = []string{network.IndexPorts}
		c.after = a.afterPort
		return a.list(r, c)
	}
	c.after = func(_ context.Context, marker string) (string, error) {
		return c.prefixes[0] + actors.Escape(marker), nil
	}
	return a.list(r, c)
}

// portsOf is where a server's ports stand in the index; there may be others beside them.
func (a *API) portsOf(ctx context.Context, scope, server string) ([]string, error) {
	prefixes := []string{network.IndexInstancePorts(server)}
	if network.IndexMomentPorts(scope, server) == "" {
		return prefixes, nil
	}
	if scope == "" { // an operator asks: of whose project is it?
		v, err := cluster.Ask[*messages.InstanceView](ctx, a.cloud, actors.Ref{Kind: "instance", ID: server}, &messages.GetInstance{})
		switch {
		case errors.Is(err, messages.NotFound):
			return prefixes, nil
		case err != nil:
			return nil, err
		}
		scope = v.ProjectId
	}
	return append(prefixes, network.IndexMomentPorts(scope, server)), nil
}

// afterPort is where the port stands among those of all projects.
func (a *API) afterPort(ctx context.Context, marker string) (string, error) {
	home, err := a.home(ctx, network.IndexPort(marker), "port", marker)
	if err != nil {
		return "", err
	}
	v, err := cluster.Ask[*messages.PortView](ctx, a.cloud, network.Ref(home), &messages.GetPort{PortId: marker})
	if err != nil {
		return "", err
	}
	return network.IndexProjectPorts(v.ProjectId) + actors.Escape(marker), nil
}

func renderPorts(scope string) func(actors.Entry) ([]item, error) {
	return func(e actors.Entry) ([]item, error) {
		v, err := read(e, &messages.PortView{})
		if err != nil || (scope != "" && v.ProjectId != scope) {
			return nil, err
		}
		return []item{renderPort(v)}, nil
	}
}
