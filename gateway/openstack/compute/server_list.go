package compute

import (
	"errors"
	"slices"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

type basicServer struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Links []link `json:"links"`
}

func (a *API) listServers(r *api.Request) (api.Response, error) {
	found, next, err := a.servers(r)
	if err != nil {
		return api.Response{}, err
	}
	out := make([]basicServer, 0, len(found))
	for _, v := range found {
		out = append(out, basicServer{v.Id, v.Name, links(r, "servers", v.Id)})
	}
	return api.Response{Body: struct {
		Servers []basicServer `json:"servers"`
		Links   []link        `json:"servers_links,omitempty"`
	}{out, next}}, nil
}

func (a *API) listServersDetail(r *api.Request) (api.Response, error) {
	found, next, err := a.servers(r)
	if err != nil {
		return api.Response{}, err
	}
	var statuses map[string]string
	if r.Principal.Admin() && r.Version.AtLeast(16) {
		statuses = a.hostStatuses(r.Context(), found)
	}
	out := make([]*serverView, 0, len(found))
	for _, v := range found {
		s := server(r, v, parts{all: true})
		if statuses != nil {
			s.HostStatus = statuses[v.Host]
		}
		out = append(out, s)
	}
	return api.Response{Body: serversBody{out, next}}, nil
}

// serversBody is the body of a list in full.
type serversBody struct {
	Servers []*serverView `json:"servers"`
	Links   []link        `json:"servers_links,omitempty"`
}

// servers are those the request asks for, and the link to more of them.
func (a *API) servers(r *api.Request) ([]*messages.InstanceView, []link, error) {
	q, err := serverQueryOf(r, a.cfg.MaxPage)
	if err != nil {
		return nil, nil, err
	}
	found, err := a.find(r, q)
	if err != nil || len(found) == 0 {
		return nil, nil, err
	}
	return found, nextLink(r, q.page, len(found), found[len(found)-1].Id), nil
}

func (a *API) find(r *api.Request, q serverQuery) ([]*messages.InstanceView, error) {
	switch {
	case q.nothing:
		return nil, nil
	case q.plain():
		return a.indexPage(r, q)
	}
	found, err := a.search(r, q)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, q.compare)
	if q.page.Marker != "" {
		at := slices.IndexFunc(found, func(v *messages.InstanceView) bool { return v.Id == q.page.Marker })
		if at < 0 {
			return nil, noMarker(q.page.Marker)
		}
		found = found[at+1:]
	}
	return found[:min(len(found), q.page.Limit)], nil
}

func noMarker(id string) error { return badRequest("marker [%s] not found", clip(id)) }

// indexPage reads one page as it stands in the index: the project's servers,
// the newest first. Reading more than the page would cost more than the page.
func (a *API) indexPage(r *api.Request, q serverQuery) ([]*messages.InstanceView, error) {
	page := cluster.Page{Prefix: instance.IndexPrefix(q.project), Limit: q.page.Limit}
	if q.page.Marker != "" {
		if !uuidLike(q.page.Marker) {
			return nil, noMarker(q.page.Marker)
		}
		last, err := cluster.Ask[*messages.InstanceView](r.Context(), a.cloud, instanceRef(canonical(q.page.Marker)),
			&messages.GetInstance{Scope: q.project})
		if errors.Is(err, messages.NotFound) {
			return nil, noMarker(q.page.Marker)
		} else if err != nil {
			return nil, err
		}
		page.After = instance.IndexKey(last)
	}
	found := make([]*messages.InstanceView, 0, q.page.Limit)
	for len(found) < q.page.Limit {
		page.Limit = q.page.Limit - len(found)
		entries, more, err := a.cloud.List(r.Context(), page)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			v, err := read(e, &messages.InstanceView{})
			if err != nil {
				return nil, err
			}
			found = append(found, v)
		}
		if !more || len(entries) == 0 {
			break
		}
		page.After = entries[len(entries)-1].Key
	}
	return found, nil
}

// search reads every server that the caller may list and keeps what is asked for.
func (a *API) search(r *api.Request, q serverQuery) (found []*messages.InstanceView, err error) {
	err = a.each(r.Context(), instance.IndexPrefix(q.project), func(e actors.Entry) (bool, error) {
		v, err := read(e, &messages.InstanceView{})
		if err == nil && q.match(v) {
			found = append(found, v)
		}
		return true, err
	})
	return found, err
}

// serversOn are the servers of every project on these hosts, by host.
func (a *API) serversOn(r *api.Request, hosts map[string]bool) (map[string][]hostedServer, error) {
	on := map[string][]hostedServer{}
	err := a.each(r.Context(), instance.IndexPrefix(""), func(e actors.Entry) (bool, error) {
		v, err := read(e, &messages.InstanceView{})
		if err == nil && hosts[v.Host] {
			on[v.Host] = append(on[v.Host], hostedServer{v.Name, v.Id})
		}
		return true, err
	})
	return on, err
}

// hostedServer is a server as the hypervisor lists show it.
type hostedServer struct {
	Name string `json:"name"`
	UUID string `json:"uuid"`
}
