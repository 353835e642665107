package network

import (
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// networkBody is a network as a client writes it.
type networkBody struct {
	Name         *string  `json:"name"`
	Description  *string  `json:"description"`
	AdminStateUp *bool    `json:"admin_state_up"`
	Shared       *bool    `json:"shared"`
	MTU          *int32   `json:"mtu"`
	ProjectID    *string  `json:"project_id"`
	TenantID     *string  `json:"tenant_id"`
	External     *bool    `json:"router:external"`
	ZoneHints    []string `json:"availability_zone_hints"`
}

// check refuses what no network here can be.
func (b networkBody) check() error {
	if value(b.External) || len(b.ZoneHints) > 0 {
		return fmt.Errorf("there are no external networks and no zones of networks here: %w", messages.Invalid)
	}
	return nil
}

func (a *API) createNetwork(r *api.Request) (api.Response, error) {
	return create(r, "network", func(s string, b networkBody) (item, func(), error) {
		v, err := a.newNetwork(r, s, b)
		if err != nil {
			return nil, nil, err
		}
		return renderNetwork(v), a.undo(r, v.Id, &messages.DeleteNetwork{}), nil
	})
}

func (a *API) newNetwork(r *api.Request, scope string, b networkBody) (*messages.NetworkView, error) {
	project, err := owner(r, scope, value(b.ProjectID), value(b.TenantID))
	if err == nil {
		err = b.check()
	}
	if err != nil {
		return nil, err
	}
	id := uuid.NewString()
	return ask[*messages.NetworkView](a, r, id, &messages.CreateNetwork{
		Id: id, Name: value(b.Name), ProjectId: project, Shared: value(b.Shared), Mtu: value(b.MTU),
		Description: value(b.Description), AdminStateDown: b.AdminStateUp != nil && !*b.AdminStateUp, Scope: scope,
	})
}

func (a *API) showNetwork(r *api.Request) (api.Response, error) {
	return a.onNetwork(r, func(scope string) proto.Message { return &messages.GetNetwork{Scope: scope} })
}

func (a *API) updateNetwork(r *api.Request) (api.Response, error) {
	b, err := decodeOne[networkBody](r, "network")
	if err != nil {
		return api.Response{}, err
	}
	if err := b.check(); err != nil {
		return api.Response{}, err
	}
	if b.MTU != nil || b.ProjectID != nil || b.TenantID != nil {
		return api.Response{}, fmt.Errorf("cannot update read-only attributes: mtu, project_id and tenant_id stay as they were made: %w", messages.Invalid)
	}
	return a.onNetwork(r, func(scope string) proto.Message {
		return &messages.UpdateNetwork{
			Scope: scope, Name: b.Name, Description: b.Description, Shared: b.Shared, AdminStateDown: not(b.AdminStateUp),
		}
	})
}

func not(b *bool) *bool {
	if b == nil {
		return nil
	}
	return proto.Bool(!*b)
}

func (a *API) onNetwork(r *api.Request, build func(scope string) proto.Message) (api.Response, error) {
	s, err := scope(r)
	if err != nil {
		return api.Response{}, err
	}
	id, err := pathID(r, "network")
	if err != nil {
		return api.Response{}, err
	}
	v, err := ask[*messages.NetworkView](a, r, id, build(s))
	if err != nil {
		return api.Response{}, err
	}
	return show(r, "network", renderNetwork(v)), nil
}

func (a *API) deleteNetwork(r *api.Request) (api.Response, error) {
	s, err := scope(r)
	if err != nil {
		return api.Response{}, err
	}
	id, err := pathID(r, "network")
	if err != nil {
		return api.Response{}, err
	}
	if _, err := ask[proto.Message](a, r, id, &messages.DeleteNetwork{Scope: s}); err != nil {
		return api.Response{}, err
	}
	return api.Response{Status: http.StatusNoContent}, nil
}

func (a *API) listNetworks(r *api.Request) (api.Response, error) {
	s, err := scope(r)
	if err != nil {
		return api.Response{}, err
	}
	return a.list(r, collection{
		name: "networks", attributes: networkAttributes, prefixes: networkPrefixes(s),
		render: func(e actors.Entry) ([]item, error) {
			v, err := read(e, &messages.NetworkView{})
			return []item{renderNetwork(v)}, err
		},
	})
}

// networkPrefixes are where the networks are listed that scope sees.
func networkPrefixes(scope string) []string {
	if scope == "" {
		return []string{network.IndexAll}
	}
	return []string{network.IndexProject(scope), network.IndexShared}
}
