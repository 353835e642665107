package compute

import (
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

type serverBody struct {
	Server *serverView `json:"server"`
}

// showServer renders one server, whole.
func (a *API) showServer(r *api.Request) (api.Response, error) {
	v, err := a.instance(r)
	if err != nil {
		return api.Response{}, err
	}
	return a.rendered(r, v, parts{all: true, groups: true}), nil
}

func (a *API) rendered(r *api.Request, v *messages.InstanceView, p parts) api.Response {
	s := server(r, v, p)
	if p.all && r.Principal.Admin() && r.Version.AtLeast(16) {
		s.HostStatus = a.hostStatus(r.Context(), v.Host)
	}
	return api.Response{Body: serverBody{s}}
}

// instance is the server that the path names, if the caller may see it.
func (a *API) instance(r *api.Request) (*messages.InstanceView, error) {
	id, err := serverID(r)
	if err != nil {
		return nil, err
	}
	return cluster.Ask[*messages.InstanceView](r.Context(), a.cloud, instanceRef(id),
		&messages.GetInstance{Scope: r.Principal.Scope()})
}

// serverID is the server that the path names. Clients try a name first, so what
// is no UUID is not found rather than refused.
func serverID(r *api.Request) (string, error) {
	id := r.PathValue("id")
	if !uuidLike(id) {
		return "", notFound("Instance %s could not be found.", clip(id))
	}
	return canonical(id), nil
}

// canonical is a UUID in the one form that identities have.
func canonical(id string) string {
	u, err := uuid.Parse(id)
	if err != nil {
		return id
	}
	return u.String()
}

// deleteServer answers 204 once the deletion is committed.
func (a *API) deleteServer(r *api.Request) (api.Response, error) {
	return api.Response{Status: http.StatusNoContent}, a.act(r, messages.Action_ACTION_DELETE)
}

// act has the server that the path names do something.
func (a *API) act(r *api.Request, action messages.Action) error {
	id, err := serverID(r)
	if err != nil {
		return err
	}
	_, err = a.cloud.Ask(r.Context(), instanceRef(id), &messages.ActOnInstance{
		Action: action, Scope: r.Principal.Scope(),
		UserId: r.Principal.UserID, ProjectId: r.Principal.ProjectID, RequestId: r.ID,
	})
	return err
}

type updateServerBody struct {
	Server struct {
		Name        *string         `json:"name"`
		Description json.RawMessage `json:"description"`
		AccessIPv4  *string         `json:"accessIPv4"`
		AccessIPv6  *string         `json:"accessIPv6"`
		Hostname    *string         `json:"hostname"`
		DiskConfig  *string         `json:"OS-DCF:diskConfig"`
	} `json:"server"`
}

// updateServer changes what may change while a server is there.
func (a *API) updateServer(r *api.Request) (api.Response, error) {
	body, err := decode[updateServerBody](r, updateServerSchema)
	if err != nil {
		return api.Response{}, err
	}
	s := &body.Server
	v, err := a.change(r, &messages.UpdateInstance{
		Name: s.Name, Description: cleared(s.Description), AccessIpv4: s.AccessIPv4, AccessIpv6: s.AccessIPv6,
		Hostname: s.Hostname, DiskConfig: s.DiskConfig,
	})
	if err != nil {
		return api.Response{}, err
	}
	return a.rendered(r, v, parts{all: r.Version.AtLeast(75), groups: true}), nil
}

// cleared reads a string that null takes away; nil if it was not given.
func cleared(raw json.RawMessage) *string {
	if raw == nil {
		return nil
	}
	text := ""
	_ = json.Unmarshal(raw, &text) // the schema has seen that it is a string or null
	return &text
}

// change updates the server that the path names and says what it is then.
func (a *API) change(r *api.Request, m *messages.UpdateInstance) (*messages.InstanceView, error) {
	id, err := serverID(r)
	if err != nil {
		return nil, err
	}
	m.Scope = r.Principal.Scope()
	return cluster.Ask[*messages.InstanceView](r.Context(), a.cloud, instanceRef(id), m)
}
