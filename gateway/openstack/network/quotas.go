package network

import (
	"context"
	"fmt"

	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// quotas are what a project may have: as many networks, subnets and ports as it
// likes, one security group with its two rules, and none of what is not served.
var quotas = map[string]int{
	"network": -1, "subnet": -1, "port": -1, "security_group": 1, "security_group_rule": 2,
	"router": 0, "floatingip": 0, "subnetpool": 0, "rbac_policy": 0,
}

// quotaProject is the project that the path names, if the caller may ask about it.
func quotaProject(r *api.Request) (string, error) {
	s, err := scope(r)
	if err != nil {
		return "", err
	}
	project := r.PathValue("project")
	if s != "" && project != s {
		return "", fmt.Errorf("the quota of project %.80s is not yours to see: %w", project, messages.Denied)
	}
	return project, nil
}

func showQuota(r *api.Request) (api.Response, error) {
	if _, err := quotaProject(r); err != nil {
		return api.Response{}, err
	}
	return api.Response{Body: item{"quota": quotas}}, nil
}

// quotaDetails adds what is in use.
func (a *API) quotaDetails(r *api.Request) (api.Response, error) {
	project, err := quotaProject(r)
	if err != nil {
		return api.Response{}, err
	}
	used := map[string]int{"security_group": 1, "security_group_rule": 2}
	if used["network"], used["subnet"], err = a.countNetworks(r.Context(), project); err != nil {
		return api.Response{}, err
	}
	if used["port"], err = a.count(r.Context(), network.IndexProjectPorts(project)); err != nil {
		return api.Response{}, err
	}
	body := item{}
	for name, limit := range quotas {
		body[name] = item{"limit": limit, "used": used[name], "reserved": 0}
	}
	return api.Response{Body: item{"quota": body}}, nil
}

func (a *API) countNetworks(ctx context.Context, project string) (networks, subnets int, err error) {
	page := cluster.Page{Prefix: network.IndexProject(project)}
	for {
		entries, more, err := a.cloud.List(ctx, page)
		if err != nil {
			return 0, 0, err
		}
		for _, e := range entries {
			v, err := read(e, &messages.NetworkView{})
			if err != nil {
				return 0, 0, err
			}
			networks, subnets, page.After = networks+1, subnets+len(v.Subnets), e.Key
		}
		if !more || len(entries) == 0 {
			return networks, subnets, nil
		}
	}
}

func (a *API) count(ctx context.Context, prefix string) (n int, err error) {
	page := cluster.Page{Prefix: prefix}
	for {
		entries, more, err := a.cloud.List(ctx, page)
		if err != nil {
			return 0, err
		}
		n += len(entries)
		if !more || len(entries) == 0 {
			return n, nil
		}
		page.After = entries[len(entries)-1].Key
	}
}
