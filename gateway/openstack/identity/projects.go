package identity

import (
	"net/http"

	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

func projectView(r *api.Request, p *messages.IdentityProject) object {
	tags := p.Tags
	if tags == nil {
		tags = []string{}
	}
	return with(object{"id": p.Id, "name": p.Name, "domain_id": p.DomainId, "parent_id": p.ParentId, "is_domain": false,
		"description": p.Description, "enabled": p.Enabled, "tags": tags, "options": object{}, "links": link(r, "projects", p.Id)}, p.Extra)
}

// projects answers a list; user confines it to where that user has a role.
func (i *Identity) projects(r *api.Request, user string, open *bool) (api.Response, error) {
	after, limit, err := page(r)
	if err != nil {
		return api.Response{}, err
	}
	q := r.URL.Query()
	m := &messages.GetProjects{Name: q.Get("name"), DomainId: q.Get("domain_id"), UserId: user, Enabled: open, After: after, Limit: limit}
	if parent := q.Get("parent_id"); parent != "" {
		m.DomainId = parent // the only parent a project can have
	}
	v, err := ask[*messages.IdentityProjectsView](r.Context(), i, m)
	if err != nil {
		return api.Response{}, err
	}
	return listed(r, "projects", views(r, v.Projects, projectView), v.More), nil
}

func (i *Identity) listProjects(r *api.Request) (api.Response, error) {
	return i.projects(r, "", enabled(r.URL.Query()))
}

// listOwnProjects is what the caller may scope a token to.
func (i *Identity) listOwnProjects(r *api.Request) (api.Response, error) {
	open := true
	return i.projects(r, r.Principal.UserID, &open)
}

func (i *Identity) listUserProjects(r *api.Request) (api.Response, error) {
	user := r.PathValue("id")
	if err := i.owns(r, user); err != nil {
		return api.Response{}, err
	}
	return i.projects(r, user, enabled(r.URL.Query()))
}

// homeDomain is the domain of what is made without naming one: the caller's.
func homeDomain(r *api.Request) string {
	for _, id := range []string{r.Principal.DomainID, r.Principal.ProjectDomainID, r.Principal.UserDomainID} {
		if id != "" {
			return id
		}
	}
	return directory.DefaultDomainID
}

func (i *Identity) createProject(r *api.Request) (api.Response, error) {
	f, err := decodeFields(r, "project")
	if err != nil {
		return api.Response{}, err
	}
	p := &messages.IdentityProject{Id: newID(), Name: or(f.text("name"), ""), Description: or(f.text("description"), ""),
		Enabled: or(f.is("enabled"), true), DomainId: or(f.text("domain_id"), homeDomain(r)), ParentId: or(f.text("parent_id"), "")}
	p.Tags, _ = f.texts("tags")
	f.refuse("options", "is_domain")
	if p.Extra = f.extra(); f.err != nil {
		return api.Response{}, f.err
	}
	made, err := changed[*messages.IdentityProject](r.Context(), i, &messages.CreateProject{Project: p})
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Status: http.StatusCreated, Body: object{"project": projectView(r, made)}}, nil
}

// showProject shows a project to those with a role on it. Others learn nothing
// of it, not even whether it exists.
func (i *Identity) showProject(r *api.Request) (api.Response, error) {
	id, m := r.PathValue("id"), &messages.GetProjects{Id: r.PathValue("id")}
	if !r.Principal.Admin() {
		m.UserId = r.Principal.UserID
	}
	v, err := ask[*messages.IdentityProjectsView](r.Context(), i, m)
	switch {
	case err != nil:
		return api.Response{}, err
	case len(v.Projects) == 0 && !r.Principal.Admin():
		return api.Response{}, forbidden("identity:get_project")
	case len(v.Projects) == 0:
		return api.Response{}, notFound("project", id)
	}
	return api.Response{Body: object{"project": projectView(r, v.Projects[0])}}, nil
}

func (i *Identity) updateProject(r *api.Request) (api.Response, error) {
	f, err := decodeFields(r, "project")
	if err != nil {
		return api.Response{}, err
	}
	m := &messages.UpdateProject{Id: r.PathValue("id"), Name: f.text("name"), Description: f.text("description"), Enabled: f.is("enabled")}
	m.Tags, m.ReplaceTags = f.texts("tags")
	f.refuse("options", "is_domain", "domain_id", "parent_id")
	if m.Extra = f.extra(); f.err != nil {
		return api.Response{}, f.err
	}
	p, err := changed[*messages.IdentityProject](r.Context(), i, m)
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Body: object{"project": projectView(r, p)}}, nil
}

func (i *Identity) deleteProject(r *api.Request) (api.Response, error) {
	return api.Response{Status: http.StatusNoContent}, i.change(r.Context(), &messages.DeleteProject{Id: r.PathValue("id")})
}
