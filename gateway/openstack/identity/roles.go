package identity

import (
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

func roleView(r *api.Request, role *messages.Role) object {
	return object{"id": role.Id, "name": role.Name, "domain_id": nil, "description": role.Description, "options": object{},
		"links": link(r, "roles", role.Id)}
}

// listRoles is open to every user: the names are no secret, and whoever makes
// an application credential has to choose among them.
func (i *Identity) listRoles(r *api.Request) (api.Response, error) {
	q := r.URL.Query()
	if q.Get("domain_id") != "" {
		return listed(r, "roles", nil, false), nil // roles belong to no domain
	}
	v, err := ask[*messages.RolesView](r.Context(), i, &messages.GetRoles{Name: q.Get("name")})
	if err != nil {
		return api.Response{}, err
	}
	return listed(r, "roles", views(r, v.Roles, roleView), false), nil
}

func (i *Identity) showRole(r *api.Request) (api.Response, error) {
	id := r.PathValue("id")
	v, err := ask[*messages.RolesView](r.Context(), i, &messages.GetRoles{Id: id})
	if err != nil {
		return api.Response{}, err
	}
	if len(v.Roles) == 0 {
		return api.Response{}, notFound("role", id)
	}
	return api.Response{Body: object{"role": roleView(r, v.Roles[0])}}, nil
}

func (i *Identity) createRole(r *api.Request) (api.Response, error) {
	f, err := decodeFields(r, "role")
	if err != nil {
		return api.Response{}, err
	}
	role := &messages.Role{Id: newID(), Name: or(f.text("name"), ""), Description: or(f.text("description"), "")}
	if f.refuse("options", "domain_id"); f.err != nil {
		return api.Response{}, f.err
	}
	made, err := changed[*messages.Role](r.Context(), i, &messages.CreateRole{Role: role})
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Status: http.StatusCreated, Body: object{"role": roleView(r, made)}}, nil
}

func (i *Identity) updateRole(r *api.Request) (api.Response, error) {
	f, err := decodeFields(r, "role")
	if err != nil {
		return api.Response{}, err
	}
	m := &messages.UpdateRole{Id: r.PathValue("id"), Name: f.text("name"), Description: f.text("description")}
	if f.refuse("options", "domain_id"); f.err != nil {
		return api.Response{}, f.err
	}
	role, err := changed[*messages.Role](r.Context(), i, m)
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Body: object{"role": roleView(r, role)}}, nil
}

func (i *Identity) deleteRole(r *api.Request) (api.Response, error) {
	return api.Response{Status: http.StatusNoContent}, i.change(r.Context(), &messages.DeleteRole{Id: r.PathValue("id")})
}
