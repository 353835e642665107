package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// subnetBody is a subnet as a client writes it.
type subnetBody struct {
	NetworkID   *string           `json:"network_id"`
	Name        *string           `json:"name"`
	Description *string           `json:"description"`
	CIDR        *string           `json:"cidr"`
	IPVersion   *int              `json:"ip_version"`
	GatewayIP   json.RawMessage   `json:"gateway_ip"` // null: none; absent: the first address
	Pools       []pool            `json:"allocation_pools"`
	Nameservers *[]string         `json:"dns_nameservers"`
	HostRoutes  []json.RawMessage `json:"host_routes"`
	EnableDHCP  *bool             `json:"enable_dhcp"`
	ProjectID   *string           `json:"project_id"`
	TenantID    *string           `json:"tenant_id"`
	SubnetPool  *string           `json:"subnetpool_id"`
}

type pool struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

// check refuses what no subnet here can have.
func (b subnetBody) check() error {
	switch {
	case b.IPVersion != nil && *b.IPVersion != 4:
		return fmt.Errorf("only subnets of IP version 4 are supported: %w", messages.Invalid)
	case len(b.HostRoutes) > 0 || value(b.SubnetPool) != "":
		return fmt.Errorf("host routes and subnet pools are not supported: %w", messages.Invalid)
	case len(b.Pools) > 1:
		return fmt.Errorf("a subnet has one allocation pool: %w", messages.Invalid)
	}
	return nil
}

func (a *API) createSubnet(r *api.Request) (api.Response, error) {
	return create(r, "subnet", func(s string, b subnetBody) (item, func(), error) {
		sub, err := newSubnet(b)
		if err != nil {
			return nil, nil, err
		}
		v, err := ask[*messages.NetworkView](a, r, sub.NetworkId, &messages.CreateSubnet{Scope: s, Subnet: sub})
		if err != nil {
			return nil, nil, err
		}
		it, err := subnetOf(v, sub.Id)
		return it, a.undo(r, v.Id, &messages.DeleteSubnet{SubnetId: sub.Id}), err
	})
}

func newSubnet(b subnetBody) (*messages.Subnet, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	if _, err := uuid.Parse(value(b.NetworkID)); err != nil {
		return nil, fmt.Errorf("attribute network_id %.80q is not a UUID: %w", value(b.NetworkID), messages.Invalid)
	}
	sub := &messages.Subnet{
		Id: uuid.NewString(), Name: value(b.Name), NetworkId: *b.NetworkID, Cidr: value(b.CIDR),
		Nameservers: value(b.Nameservers), Dhcp: b.EnableDHCP == nil || *b.EnableDHCP, Description: value(b.Description),
	}
	switch {
	case string(b.GatewayIP) == "null":
		sub.NoGateway = true
	case b.GatewayIP != nil && json.Unmarshal(b.GatewayIP, &sub.Gateway) != nil:
		return nil, fmt.Errorf("gateway_ip is an address or null: %w", messages.Invalid)
	}
	if len(b.Pools) == 1 {
		sub.PoolStart, sub.PoolEnd = b.Pools[0].Start, b.Pools[0].End
	}
	return sub, nil
}

// subnetOf is one subnet of a network as the API shows it.
func subnetOf(v *messages.NetworkView, id string) (item, error) {
	for _, sub := range v.Subnets {
		if sub.Id == id {
			return renderSubnet(v, sub), nil
		}
	}
	return nil, fmt.Errorf("subnet %s could not be found: %w", id, messages.NotFound)
}

// onSubnet asks the network of the subnet that the path names.
func (a *API) onSubnet(r *api.Request, build func(scope, id string) proto.Message) (proto.Message, string, error) {
	s, err := scope(r)
	if err != nil {
		return nil, "", err
	}
	id, err := pathID(r, "subnet")
	if err != nil {
		return nil, "", err
	}
	home, err := a.home(r.Context(), network.IndexSubnet(id), "subnet", id)
	if err != nil {
		return nil, "", err
	}
	m, err := ask[proto.Message](a, r, home, build(s, id))
	if errors.Is(err, messages.NotFound) { // of the network nothing is said
		err = fmt.Errorf("subnet %s could not be found: %w", id, messages.NotFound)
	}
	return m, id, err
}

func (a *API) oneSubnet(r *api.Request, build func(scope, id string) proto.Message) (api.Response, error) {
	m, id, err := a.onSubnet(r, build)
	if err != nil {
		return api.Response{}, err
	}
	v, ok := m.(*messages.NetworkView)
	if !ok {
		return api.Response{}, fmt.Errorf("a network answered %T: %w", m, messages.Internal)
	}
	it, err := subnetOf(v, id)
	if err != nil {
		return api.Response{}, err
	}
	return show(r, "subnet", it), nil
}

func (a *API) showSubnet(r *api.Request) (api.Response, error) {
	return a.oneSubnet(r, func(scope, _ string) proto.Message { return &messages.GetNetwork{Scope: scope} })
}

func (a *API) updateSubnet(r *api.Request) (api.Response, error) {
	b, err := decodeOne[subnetBody](r, "subnet")
	if err != nil {
		return api.Response{}, err
	}
	if err := b.check(); err != nil {
		return api.Response{}, err
	}
	if b.NetworkID != nil || b.CIDR != nil || b.IPVersion != nil || b.GatewayIP != nil || b.Pools != nil || b.ProjectID != nil || b.TenantID != nil {
		return api.Response{}, fmt.Errorf("cannot update read-only attributes: name, description, dns_nameservers and enable_dhcp can be changed: %w", messages.Invalid)
	}
	return a.oneSubnet(r, func(scope, id string) proto.Message {
		return &messages.UpdateSubnet{
			Scope: scope, SubnetId: id, Name: b.Name, Description: b.Description, Dhcp: b.EnableDHCP,
			SetNameservers: b.Nameservers != nil, Nameservers: value(b.Nameservers),
		}
	})
}

func (a *API) deleteSubnet(r *api.Request) (api.Response, error) {
	_, _, err := a.onSubnet(r, func(scope, id string) proto.Message {
		return &messages.DeleteSubnet{Scope: scope, SubnetId: id}
	})
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Status: http.StatusNoContent}, nil
}

// listSubnets reads them from their networks, of which there are few.
func (a *API) listSubnets(r *api.Request) (api.Response, error) {
	s, err := scope(r)
	if err != nil {
		return api.Response{}, err
	}
	return a.list(r, collection{
		name: "subnets", attributes: subnetAttributes, prefixes: networkPrefixes(s),
		render: func(e actors.Entry) ([]item, error) {
			v, err := read(e, &messages.NetworkView{})
			var items []item
			for _, sub := range v.GetSubnets() {
				items = append(items, renderSubnet(v, sub))
			}
			return items, err
		},
	})
}
