package network

import (
	"fmt"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

func versions(r *api.Request) (api.Response, error) {
	return api.Response{Body: item{"versions": []item{{
		"id": "v2.0", "status": "CURRENT", "links": []item{{"rel": "self", "href": r.Base() + Prefix + root + "/"}},
	}}}}, nil
}

// resources lists what is served below the root.
func resources(r *api.Request) (api.Response, error) {
	var list []item
	for _, name := range []string{"network", "subnet", "port"} {
		list = append(list, item{"name": name, "collection": name + "s",
			"links": []item{{"rel": "self", "href": r.Base() + Prefix + root + "/" + name + "s"}}})
	}
	return api.Response{Body: item{"resources": list}}, nil
}

// extensions are those of which everything a client may do is served here.
var extensions = []item{
	extension("net-mtu", "Network MTU", "Provides MTU attribute for a network resource."),
	extension("standard-attr-description", "standard-attr-description", "Extension to add descriptions to standard attributes"),
	extension("standard-attr-timestamp", "Resource timestamps", "Adds created_at and updated_at fields to all Neutron resources that have Neutron standard attributes."),
	extension("project-id", "project_id field enabled", "Extension that indicates that project_id field is enabled."),
	extension("pagination", "Pagination support", "Extension that indicates that pagination is enabled."),
	extension("sorting", "Sorting support", "Extension that indicates that sorting is enabled."),
	extension("filter-validation", "Filter parameters validation", "Provides validation on filter parameters."),
	extension("quota_details", "Quota details management support", "Expose functions for quotas usage statistics per project"),
	extension("availability_zone", "Availability Zone", "The availability zone extension."),
	extension("agent", "agent", "The agent management extension."),
}

func extension(alias, name, description string) item {
	return item{"alias": alias, "name": name, "description": description, "links": []item{}, "updated": "2026-01-01T00:00:00-00:00"}
}

func listExtensions(*api.Request) (api.Response, error) {
	return api.Response{Body: item{"extensions": extensions}}, nil
}

func showExtension(r *api.Request) (api.Response, error) {
	for _, e := range extensions {
		if e["alias"] == r.PathValue("alias") {
			return api.Response{Body: item{"extension": e}}, nil
		}
	}
	return api.Response{}, fmt.Errorf("extension with alias %.80s does not exist: %w", r.PathValue("alias"), messages.NotFound)
}

// none answers an empty list: of this there is nothing here.
func none(name string) api.Handler {
	return func(*api.Request) (api.Response, error) {
		return api.Response{Body: item{name: []item{}}}, nil
	}
}
