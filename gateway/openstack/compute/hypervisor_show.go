package compute

import (
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// hypervisorAsked is the host whose hypervisor the path names.
func (a *API) hypervisorAsked(r *api.Request) (*messages.HostView, error) {
	id := r.PathValue("id")
	if r.Version.AtLeast(53) && !uuidLike(id) {
		return nil, badRequest("Invalid uuid %s", clip(id))
	}
	h, err := a.findHost(r.Context(), func(h *messages.HostView) bool { return idText(idOf(r, hostSpace, h.Name)) == id })
	if err != nil {
		return nil, absentAs(err, "Hypervisor with ID '%s' could not be found.", clip(id))
	}
	return a.freshHost(r.Context(), h), nil
}

func (a *API) showHypervisor(r *api.Request) (api.Response, error) {
	query, err := queryOf(r)
	if err != nil {
		return api.Response{}, err
	}
	h, err := a.hypervisorAsked(r)
	if err != nil {
		return api.Response{}, err
	}
	views := []hypervisorView{hypervisor(r, h, true)}
	err = a.addServers(r, query, []*messages.HostView{h}, views)
	return api.Response{Body: struct {
		Hypervisor hypervisorView `json:"hypervisor"`
	}{views[0]}}, err
}

// hypervisorUptime was a route until 2.88; no hypervisor here reports its own.
func (a *API) hypervisorUptime(r *api.Request) (api.Response, error) {
	if r.Version.AtLeast(88) {
		return api.Response{}, api.ErrNoRoute
	}
	if _, err := a.hypervisorAsked(r); err != nil {
		return api.Response{}, err
	}
	return api.Response{}, unsupported("The hypervisor does not report its uptime.")
}

// hypervisorStatistics adds up all hypervisors; removed from the API in 2.88.
func (a *API) hypervisorStatistics(r *api.Request) (api.Response, error) {
	if r.Version.AtLeast(88) {
		return api.Response{}, api.ErrNoRoute
	}
	hosts, err := a.listHosts(r.Context())
	if err != nil {
		return api.Response{}, err
	}
	n := 0
	sum := hypervisorStatistic{Count: &n}
	for _, h := range hosts {
		if !h.GetFacts().GetDisabled() {
			n++
			sum.add(h.GetFacts())
		}
	}
	return api.Response{Body: struct {
		Statistics hypervisorStatistic `json:"hypervisor_statistics"`
	}{sum}}, nil
}

// searchHypervisors and serversOfHypervisors were routes until 2.53, in which
// the path names a part of the host name.
func (a *API) searchHypervisors(r *api.Request) (api.Response, error) { return a.searched(r, false) }

func (a *API) serversOfHypervisors(r *api.Request) (api.Response, error) { return a.searched(r, true) }

func (a *API) searched(r *api.Request, servers bool) (api.Response, error) {
	if r.Version.AtLeast(53) {
		return api.Response{}, api.ErrNoRoute
	}
	hosts, err := a.listHosts(r.Context())
	if err != nil {
		return api.Response{}, err
	}
	pattern := r.PathValue("id")
	hosts = matchingHosts(hosts, pattern)
	if len(hosts) == 0 {
		return api.Response{}, notFound("No hypervisor matching '%s' could be found.", clip(pattern))
	}
	views := make([]hypervisorView, 0, len(hosts))
	for _, h := range hosts {
		views = append(views, hypervisor(r, h, false))
	}
	if servers {
		err = a.fillServers(r, hosts, views)
	}
	return api.Response{Body: struct {
		Hypervisors []hypervisorView `json:"hypervisors"`
	}{views}}, err
}
