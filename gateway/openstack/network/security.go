package network

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// groupSpace is the name space (RFC 4122) of the ids of the groups and rules
// that every project has from the start.
var groupSpace = uuid.MustParse("3d9cfd3f-2a2b-5c7e-8a51-b0b7c5a4c9b1")

func defaultGroupID(project string) string { return uuid.NewSHA1(groupSpace, []byte(project)).String() }

// defaultGroup is the one security group of a project. It says what is so:
// nothing is filtered.
func defaultGroup(project string) item {
	return item{
		"id": defaultGroupID(project), "name": "default", "project_id": project, "tenant_id": project,
		"description":          "Default security group: all traffic is allowed, filtering is not supported",
		"security_group_rules": defaultRules(project), "stateful": true, "tags": []string{},
	}
}

func defaultRules(project string) []item {
	var rules []item
	for _, direction := range []string{"egress", "ingress"} {
		rules = append(rules, item{
			"id":        uuid.NewSHA1(groupSpace, []byte(project+"/"+direction)).String(),
			"direction": direction, "ethertype": "IPv4", "security_group_id": defaultGroupID(project),
			"project_id": project, "tenant_id": project, "description": "", "protocol": nil,
			"port_range_min": nil, "port_range_max": nil, "remote_group_id": nil, "remote_ip_prefix": nil, "tags": []string{},
		})
	}
	return rules
}

// projectAsked is the project whose groups are asked for: the caller's, or for
// an operator the one that the query names.
func projectAsked(r *api.Request) (string, error) {
	if _, err := scope(r); err != nil {
		return "", err
	}
	q := r.URL.Query()
	for _, name := range []string{"project_id", "tenant_id"} {
		if p := q.Get(name); p != "" && r.Principal.Admin() {
			return p, nil
		}
	}
	return r.Principal.ProjectID, nil
}

func listSecurityGroups(r *api.Request) (api.Response, error) {
	return listOwn(r, "security_groups", func(project string) []item { return []item{defaultGroup(project)} })
}

func listSecurityGroupRules(r *api.Request) (api.Response, error) {
	return listOwn(r, "security_group_rules", defaultRules)
}

func showSecurityGroup(r *api.Request) (api.Response, error) {
	return showOwn(r, "security_group", func(project string) []item { return []item{defaultGroup(project)} })
}

func showSecurityGroupRule(r *api.Request) (api.Response, error) {
	return showOwn(r, "security_group_rule", defaultRules)
}

// listOwn lists what a project has, filtered.
func listOwn(r *api.Request, name string, make func(project string) []item) (api.Response, error) {
	project, err := projectAsked(r)
	if err != nil {
		return api.Response{}, err
	}
	list := make(project)
	filters, err := parseFilters(r.URL.Query(), keysOf(list[0]))
	if err != nil {
		return api.Response{}, err
	}
	shown := []item{}
	for _, it := range list {
		if matches(it, filters) {
			shown = append(shown, pick(it, r.URL.Query()["fields"]))
		}
	}
	return api.Response{Body: item{name: shown}}, nil
}

func showOwn(r *api.Request, name string, make func(project string) []item) (api.Response, error) {
	project, err := projectAsked(r)
	if err != nil {
		return api.Response{}, err
	}
	for _, it := range make(project) {
		if it["id"] == r.PathValue("id") {
			return show(r, name, it), nil
		}
	}
	return api.Response{}, fmt.Errorf("%s %.80s does not exist: %w", name, r.PathValue("id"), messages.NotFound)
}
