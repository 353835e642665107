package identity

import (
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// grantOf is the grant that the path names: /v3/projects/... or /v3/domains/...
func grantOf(r *api.Request) (*messages.Grant, error) {
	g := &messages.Grant{UserId: r.PathValue("user"), RoleId: r.PathValue("role")}
	switch r.PathValue("on") {
	case "projects":
		g.ProjectId = r.PathValue("scope")
	case "domains":
		g.DomainId = r.PathValue("scope")
	default:
		return nil, api.ErrNoRoute
	}
	return g, nil
}

func (i *Identity) grantRole(r *api.Request) (api.Response, error) {
	g, err := grantOf(r)
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Status: http.StatusNoContent}, i.change(r.Context(), &messages.GrantRole{Grant: g})
}

func (i *Identity) withdrawRole(r *api.Request) (api.Response, error) {
	g, err := grantOf(r)
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Status: http.StatusNoContent}, i.change(r.Context(), &messages.WithdrawRole{Grant: g})
}

func (i *Identity) granted(r *api.Request) (*messages.GrantsView, error) {
	g, err := grantOf(r)
	if err != nil {
		return nil, err
	}
	return ask[*messages.GrantsView](r.Context(), i, &messages.GetGrants{UserId: g.UserId, RoleId: g.RoleId,
		ProjectId: g.ProjectId, DomainId: g.DomainId, Names: true})
}

func (i *Identity) checkGranted(r *api.Request) (api.Response, error) {
	v, err := i.granted(r)
	if err == nil && len(v.Grants) == 0 {
		err = notFound("role assignment with role", r.PathValue("role"))
	}
	return api.Response{Status: http.StatusNoContent}, err
}

func (i *Identity) listGranted(r *api.Request) (api.Response, error) {
	v, err := i.granted(r)
	if err != nil {
		return api.Response{}, err
	}
	var roles []object
	for _, g := range v.Grants {
		if role := v.Roles[g.RoleId]; role != nil {
			roles = append(roles, roleView(r, role))
		}
	}
	return listed(r, "roles", roles, false), nil
}

// listAssignments is for administrators, and for users who ask about themselves.
func (i *Identity) listAssignments(r *api.Request) (api.Response, error) {
	q := r.URL.Query()
	m := &messages.GetGrants{UserId: q.Get("user.id"), RoleId: q.Get("role.id"), ProjectId: q.Get("scope.project.id"),
		DomainId: q.Get("scope.domain.id"), Names: true, Effective: asked(q["effective"])}
	if err := i.owns(r, m.UserId); err != nil {
		return api.Response{}, err
	}
	// There are no groups, no inherited and no system-wide roles: lists of
	// those are empty, and truly so.
	if q.Get("group.id") != "" || q.Get("scope.system") != "" || q.Has("scope.OS-INHERIT:inherited_to") {
		return listed(r, "role_assignments", nil, false), nil
	}
	v, err := ask[*messages.GrantsView](r.Context(), i, m)
	if err != nil {
		return api.Response{}, err
	}
	var all []object
	for _, g := range v.Grants {
		all = append(all, assignmentView(r, v, g, asked(q["include_names"])))
	}
	return listed(r, "role_assignments", all, false), nil
}

// asked says whether a flag of the query is set: present, and not "0" or false.
func asked(values []string) bool {
	return len(values) > 0 && values[0] != "0" && values[0] != "false" && values[0] != "False"
}

func assignmentView(r *api.Request, v *messages.GrantsView, g *messages.Grant, names bool) object {
	user, role, scope := object{"id": g.UserId}, object{"id": g.RoleId}, object{}
	domain := func(id string) object {
		d := object{"id": id}
		if names {
			d["name"] = v.Domains[id].GetName()
		}
		return d
	}
	if names {
		u := v.Users[g.UserId]
		user["name"], user["domain"] = u.GetName(), domain(u.GetDomainId())
		role["name"] = v.Roles[g.RoleId].GetName()
	}
	on := "domains/" + g.DomainId
	if g.ProjectId == "" {
		scope["domain"] = domain(g.DomainId)
	} else {
		p := object{"id": g.ProjectId}
		if names {
			p["name"], p["domain"] = v.Projects[g.ProjectId].GetName(), domain(v.Projects[g.ProjectId].GetDomainId())
		}
		scope["project"], on = p, "projects/"+g.ProjectId
	}
	return object{"user": user, "role": role, "scope": scope,
		"links": object{"assignment": link(r, on+"/users/"+g.UserId+"/roles", g.RoleId)["self"]}}
}
