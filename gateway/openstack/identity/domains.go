package identity

import (
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

func domainView(r *api.Request, d *messages.Domain) object {
	return with(object{"id": d.Id, "name": d.Name, "description": d.Description, "enabled": d.Enabled, "tags": []string{},
		"options": object{}, "links": link(r, "domains", d.Id)}, d.Extra)
}

func (i *Identity) listDomains(r *api.Request) (api.Response, error) {
	after, limit, err := page(r)
	if err != nil {
		return api.Response{}, err
	}
	q := r.URL.Query()
	v, err := ask[*messages.DomainsView](r.Context(), i, &messages.GetDomains{Name: q.Get("name"), Enabled: enabled(q), After: after, Limit: limit})
	if err != nil {
		return api.Response{}, err
	}
	return listed(r, "domains", views(r, v.Domains, domainView), v.More), nil
}

// listOwnDomains lists those on which the caller has a role.
func (i *Identity) listOwnDomains(r *api.Request) (api.Response, error) {
	v, err := ask[*messages.GrantsView](r.Context(), i, &messages.GetGrants{UserId: r.Principal.UserID, Names: true})
	if err != nil {
		return api.Response{}, err
	}
	var own []object
	seen := map[string]bool{}
	for _, g := range v.Grants {
		if d := v.Domains[g.DomainId]; d != nil && d.Enabled && !seen[d.Id] {
			seen[d.Id] = true
			own = append(own, domainView(r, d))
		}
	}
	return listed(r, "domains", own, false), nil
}

func (i *Identity) createDomain(r *api.Request) (api.Response, error) {
	f, err := decodeFields(r, "domain")
	if err != nil {
		return api.Response{}, err
	}
	d := &messages.Domain{Id: newID(), Name: or(f.text("name"), ""), Description: or(f.text("description"), ""), Enabled: or(f.is("enabled"), true)}
	f.refuse("options", "tags")
	if d.Extra = f.extra(); f.err != nil {
		return api.Response{}, f.err
	}
	made, err := changed[*messages.Domain](r.Context(), i, &messages.CreateDomain{Domain: d})
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Status: http.StatusCreated, Body: object{"domain": domainView(r, made)}}, nil
}

func (i *Identity) showDomain(r *api.Request) (api.Response, error) {
	id, p := r.PathValue("id"), r.Principal
	if !p.Admin() && id != p.UserDomainID && id != p.ProjectDomainID && id != p.DomainID {
		return api.Response{}, forbidden("identity:get_domain")
	}
	v, err := ask[*messages.DomainsView](r.Context(), i, &messages.GetDomains{Id: id})
	if err != nil {
		return api.Response{}, err
	}
	if len(v.Domains) == 0 {
		return api.Response{}, notFound("domain", id)
	}
	return api.Response{Body: object{"domain": domainView(r, v.Domains[0])}}, nil
}

func (i *Identity) updateDomain(r *api.Request) (api.Response, error) {
	f, err := decodeFields(r, "domain")
	if err != nil {
		return api.Response{}, err
	}
	m := &messages.UpdateDomain{Id: r.PathValue("id"), Name: f.text("name"), Description: f.text("description"), Enabled: f.is("enabled")}
	f.refuse("options", "tags")
	if m.Extra = f.extra(); f.err != nil {
		return api.Response{}, f.err
	}
	d, err := changed[*messages.Domain](r.Context(), i, m)
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Body: object{"domain": domainView(r, d)}}, nil
}

func (i *Identity) deleteDomain(r *api.Request) (api.Response, error) {
	return api.Response{Status: http.StatusNoContent}, i.change(r.Context(), &messages.DeleteDomain{Id: r.PathValue("id")})
}
