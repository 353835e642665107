package compute

import (
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
)

// limitNames are what GET /limits calls the quotas.
var limitNames = []struct {
	name, quota string
	until       int // the minor version that took it away; 0: still there
}{
	{"maxTotalInstances", "instances", 0},
	{"maxTotalCores", "cores", 0},
	{"maxTotalRAMSize", "ram", 0},
	{"maxTotalKeypairs", "key_pairs", 0},
	{"maxServerMeta", "metadata_items", 0},
	{"maxServerGroups", "server_groups", 0},
	{"maxServerGroupMembers", "server_group_members", 0},
	{"maxImageMeta", "metadata_items", 39},
	{"maxPersonality", "injected_files", 57},
	{"maxPersonalitySize", "injected_file_content_bytes", 57},
	{"maxTotalFloatingIps", "floating_ips", 36},
	{"maxSecurityGroups", "security_groups", 36},
	{"maxSecurityGroupRules", "security_group_rules", 36},
}

// usedNames are what it calls the use made of them.
var usedNames = []struct {
	name, quota string
	until       int
}{
	{"totalInstancesUsed", "instances", 0},
	{"totalCoresUsed", "cores", 0},
	{"totalRAMUsed", "ram", 0},
	{"totalServerGroupsUsed", "server_groups", 0},
	{"totalFloatingIpsUsed", "floating_ips", 36},
	{"totalSecurityGroupsUsed", "security_groups", 36},
}

// showLimits shows what the project may have and has. Administrators may ask
// of another project.
func (a *API) showLimits(r *api.Request) (api.Response, error) {
	query, err := queryOf(r)
	if err != nil {
		return api.Response{}, err
	}
	if r.Version.AtLeast(75) {
		if err := onlyParams(query, "reserved", "tenant_id"); err != nil {
			return api.Response{}, err
		}
	}
	project := r.Principal.ProjectID
	if other := query.Get("tenant_id"); other != "" && other != project {
		if !r.Principal.Admin() {
			return api.Response{}, forbidden("Policy doesn't allow os_compute_api:limits:other_project to be performed.")
		}
		project = other
	}
	q, err := a.quota(r, project)
	if err != nil {
		return api.Response{}, err
	}
	absolute := map[string]int64{}
	for _, l := range limitNames {
		if l.until == 0 || !r.Version.AtLeast(l.until) {
			absolute[l.name] = limitOf(q.Limits, l.quota)
		}
	}
	for _, u := range usedNames {
		if u.until == 0 || !r.Version.AtLeast(u.until) {
			absolute[u.name] = q.Used[u.quota]
		}
	}
	return api.Response{Body: struct {
		Limits limitsView `json:"limits"`
	}{limitsView{[]any{}, absolute}}}, nil
}

type limitsView struct {
	Rate     []any            `json:"rate"`
	Absolute map[string]int64 `json:"absolute"`
}
