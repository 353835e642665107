package compute

import (
	"net/url"
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// serverQuery is what a list of servers is asked for.
type serverQuery struct {
	page    api.Page
	project string // "": every project
	filters []func(*messages.InstanceView) bool
	sorts   []sorting
	nothing bool // what is asked for cannot be
}

// plain says that the index itself is the answer.
func (q serverQuery) plain() bool {
	return q.project != "" && len(q.filters) == 0 && len(q.sorts) == 0
}

func (q serverQuery) match(v *messages.InstanceView) bool {
	for _, f := range q.filters {
		if !f(v) {
			return false
		}
	}
	return true
}

// knownServerParams are the parameters of a server list besides the filters.
var knownServerParams = []string{"limit", "marker", "sort_key", "sort_dir", "all_tenants", "deleted", "status"}

// joined name relations of Nova's tables: refused, because they were once let
// through to its database.
var joined = []string{
	"block_device_mapping", "services", "metadata", "system_metadata", "info_cache", "security_groups", "pci_devices",
}

// serverQueryOf reads the query of r.
func serverQueryOf(r *api.Request, maxPage int) (q serverQuery, err error) {
	query, err := queryOf(r)
	if err != nil {
		return q, err
	}
	if err := checkServerParams(r, query); err != nil {
		return q, err
	}
	if q.page, err = api.PageOf(query, maxPage); err != nil {
		return q, err
	}
	if q.project, err = listedProject(r, query); err != nil {
		return q, err
	}
	if err := q.addStatus(r, query); err != nil {
		return q, err
	}
	if err := q.addFilters(r, query); err != nil {
		return q, err
	}
	if q.sorts, err = sortsOf(r, query); err != nil {
		return q, err
	}
	return q, nil
}

// queryOf reads the query string, strictly: half of a bad one is no query.
func queryOf(r *api.Request) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("The query string is malformed.")
	}
	for name, values := range q {
		for _, v := range values {
			if strings.ToValidUTF8(v, "") != v || strings.ToValidUTF8(name, "") != name {
				return nil, badRequest("Query string is not UTF-8 encoded")
			}
		}
	}
	return q, nil
}

func checkServerParams(r *api.Request, query url.Values) error {
	var unknown []string
	for name := range query {
		if slices.Contains(joined, name) || strings.HasPrefix(name, "_") {
			return badRequest("Invalid filter field: %s.", clip(name))
		}
		if f, ok := serverFilters[name]; ok && r.Version.AtLeast(f.since) || slices.Contains(knownServerParams, name) {
			continue
		}
		unknown = append(unknown, name)
	}
	if len(unknown) > 0 && r.Version.AtLeast(75) {
		return badRequest("%s", unexpected(unknown))
	}
	return nil
}

// listedProject is whose servers are listed: the caller's project, or with
// all_tenants every one, or the one asked for.
func listedProject(r *api.Request, query url.Values) (string, error) {
	all := query.Has("all_tenants")
	if v := query.Get("all_tenants"); v != "" {
		yes, err := truth(v)
		if err != nil {
			return "", err
		}
		all = yes
	}
	if !all {
		if r.Principal.ProjectID == "" {
			return "", forbidden("The token is not scoped to a project.")
		}
		return r.Principal.ProjectID, nil
	}
	if !r.Principal.Admin() {
		return "", forbidden("Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed.")
	}
	if p := query.Get("project_id"); p != "" {
		return p, nil
	}
	return query.Get("tenant_id"), nil
}

// addStatus filters by the API's word for a state. Deleted servers are in no
// list, so asking for them finds nothing.
func (q *serverQuery) addStatus(r *api.Request, query url.Values) error {
	if yes, err := truth(query.Get("deleted")); err == nil && yes && r.Principal.Admin() {
		q.nothing = true
	}
	if !query.Has("status") {
		return nil
	}
	wanted := map[string]bool{}
	for _, s := range query["status"] {
		if known, ok := knownStatus(s); ok {
			wanted[known] = true
		}
	}
	switch {
	case len(wanted) == 0 && r.Version.AtLeast(38):
		return badRequest("Invalid status value")
	case len(wanted) == 0:
		q.nothing = true
	case wanted["DELETED"] && len(wanted) == 1 && !r.Principal.Admin():
		return forbidden("Only administrators may list deleted instances")
	}
	q.filters = append(q.filters, func(v *messages.InstanceView) bool { return wanted[status(v)] })
	return nil
}

// addFilters adds a filter for each parameter that is one. Below 2.75 those that
// the caller may not use are passed over in silence, as Nova does.
func (q *serverQuery) addFilters(r *api.Request, query url.Values) error {
	for _, name := range sortedNames(query) {
		f, ok := serverFilters[name]
		if !ok || !r.Version.AtLeast(f.since) || !f.allowed(r) {
			continue
		}
		match, err := f.build(query.Get(name), name)
		if err != nil {
			return err
		}
		if match != nil {
			q.filters = append(q.filters, match)
		}
	}
	return checkPeriod(query, r)
}

func sortedNames(query url.Values) []string {
	names := make([]string, 0, len(query))
	for n := range query {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
