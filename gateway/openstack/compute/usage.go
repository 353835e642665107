package compute

import (
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// usageView is what a project used in a period, multiplied by hours.
type usageView struct {
	TenantID string        `json:"tenant_id"`
	Start    string        `json:"start"`
	Stop     string        `json:"stop"`
	Hours    float64       `json:"total_hours"`
	VCPUs    float64       `json:"total_vcpus_usage"`
	RAM      float64       `json:"total_memory_mb_usage"`
	Disk     float64       `json:"total_local_gb_usage"`
	Servers  []serverUsage `json:"server_usages,omitempty"`
}

type serverUsage struct {
	ID       string  `json:"instance_id"`
	Name     string  `json:"name"`
	TenantID string  `json:"tenant_id"`
	Flavor   string  `json:"flavor"`
	Hours    float64 `json:"hours"`
	VCPUs    int32   `json:"vcpus"`
	RAM      int64   `json:"memory_mb"`
	Disk     int64   `json:"local_gb"`
	Started  any     `json:"started_at"`
	Ended    any     `json:"ended_at"`
	State    string  `json:"state"`
	Uptime   int64   `json:"uptime"`
}

// span is a period of time.
type span struct{ start, stop time.Time }

// spanOf reads start and end; each of them is now if it is not given.
func spanOf(query url.Values, now time.Time) (span, error) {
	s := span{now, now}
	for _, f := range []struct {
		name string
		at   *time.Time
	}{{"start", &s.start}, {"end", &s.stop}} {
		if v := query.Get(f.name); v != "" {
			t, err := moment(v, f.name)
			if err != nil {
				return s, badRequest("Invalid datetime string: Datetime is in invalid format")
			}
			*f.at = t
		}
	}
	if !s.start.Before(s.stop) {
		return s, badRequest("Invalid start time. The start time cannot occur after the end time.")
	}
	if s.stop.After(now) {
		s.stop = now
	}
	return s, nil
}

// hours is how long v ran within s. A server that was never launched costs nothing.
func (s span) hours(v *messages.InstanceView) float64 {
	if v.LaunchedAt == 0 {
		return 0
	}
	from, to := time.Unix(0, v.LaunchedAt), s.stop
	if from.Before(s.start) {
		from = s.start
	}
	if v.DeletedAt != 0 {
		if end := time.Unix(0, v.DeletedAt); end.Before(to) {
			to = end
		}
	}
	return max(0, to.Sub(from).Hours())
}

func (u *usageView) add(x serverUsage) {
	u.Hours += x.Hours
	u.VCPUs += x.Hours * float64(x.VCPUs)
	u.RAM += x.Hours * float64(x.RAM)
	u.Disk += x.Hours * float64(x.Disk)
	u.Servers = append(u.Servers, x)
}

func usageOf(v *messages.InstanceView, s span, now time.Time) serverUsage {
	f := v.Flavor
	u := serverUsage{
		ID: v.Id, Name: v.Name, TenantID: v.ProjectId, Flavor: f.GetName(), Hours: s.hours(v),
		VCPUs: f.GetVcpus(), RAM: f.GetRamMib(), Disk: f.GetDiskGib() + f.GetEphemeralGib(),
		Started: fineStamp(v.LaunchedAt), Ended: fineStamp(v.DeletedAt), State: vmState(v),
	}
	end := now
	if v.DeletedAt != 0 {
		end, u.State = time.Unix(0, v.DeletedAt), "terminated"
	}
	if v.LaunchedAt != 0 {
		u.Uptime = int64(end.Sub(time.Unix(0, v.LaunchedAt)).Seconds())
	}
	return u
}

// showUsage is the usage of one project. Of servers that are deleted nothing is
// counted: they are in no list any more.
func (a *API) showUsage(r *api.Request) (api.Response, error) {
	project := r.PathValue("project")
	if project != r.Principal.ProjectID && !r.Principal.Admin() {
		return api.Response{}, forbidden("Policy doesn't allow os_compute_api:os-simple-tenant-usage:show to be performed.")
	}
	usages, next, err := a.usages(r, project)
	if err != nil {
		return api.Response{}, err
	}
	body := struct {
		Usage any    `json:"tenant_usage"`
		Links []link `json:"tenant_usage_links,omitempty"`
	}{struct{}{}, next}
	if len(usages) > 0 {
		body.Usage = usages[0]
	}
	return api.Response{Body: body}, nil
}

// listUsages is the usage of every project that has some.
func (a *API) listUsages(r *api.Request) (api.Response, error) {
	usages, next, err := a.usages(r, "")
	if err != nil {
		return api.Response{}, err
	}
	if r.URL.Query().Get("detailed") != "1" {
		for i := range usages {
			usages[i].Servers = nil
		}
	}
	return api.Response{Body: struct {
		Usages []usageView `json:"tenant_usages"`
		Links  []link      `json:"tenant_usages_links,omitempty"`
	}{usages, next}}, nil
}

// usages adds up the servers of a page: from 2.40 a client may ask for pages,
// of servers, and add up what it gets.
func (a *API) usages(r *api.Request, project string) ([]usageView, []link, error) {
	query, err := queryOf(r)
	if err != nil {
		return nil, nil, err
	}
	if r.Version.AtLeast(75) {
		if err := onlyParams(query, "start", "end", "detailed", "limit", "marker"); err != nil {
			return nil, nil, err
		}
	}
	now := time.Now()
	s, err := spanOf(query, now)
	if err != nil {
		return nil, nil, err
	}
	page := api.Page{Limit: a.cfg.MaxPage}
	if r.Version.AtLeast(40) {
		if page, err = api.PageOf(query, a.cfg.MaxPage); err != nil {
			return nil, nil, err
		}
	}
	servers, err := a.launched(r, project, s, page)
	if err != nil {
		return nil, nil, err
	}
	byProject := map[string]*usageView{}
	for _, v := range servers {
		u := byProject[v.ProjectId]
		if u == nil {
			u = &usageView{TenantID: v.ProjectId, Start: s.start.UTC().Format(fineLayout), Stop: s.stop.UTC().Format(fineLayout)}
			byProject[v.ProjectId] = u
		}
		u.add(usageOf(v, s, now))
	}
	out := []usageView{}
	for _, p := range slices.Sorted(maps.Keys(byProject)) {
		out = append(out, *byProject[p])
	}
	if n := len(servers); n > 0 && r.Version.AtLeast(40) {
		return out, nextLink(r, page, n, servers[n-1].Id), nil
	}
	return out, nil, nil
}

// launched are the servers of one page that ran at some time within s.
func (a *API) launched(r *api.Request, project string, s span, page api.Page) (found []*messages.InstanceView, err error) {
	behind := page.Marker == ""
	err = a.each(r.Context(), instance.IndexPrefix(project), func(e actors.Entry) (bool, error) {
		v, err := read(e, &messages.InstanceView{})
		if err != nil {
			return false, err
		}
		if behind && v.LaunchedAt != 0 && !time.Unix(0, v.LaunchedAt).After(s.stop) {
			found = append(found, v)
		}
		behind = behind || v.Id == page.Marker
		return len(found) < page.Limit, nil
	})
	if err == nil && !behind {
		err = badRequest("Marker %s could not be found.", clip(page.Marker))
	}
	return found, err
}
