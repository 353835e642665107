package console

import (
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

// missing is what Nacos has and this cloud has not, or does by itself.
var missing = []struct {
	form     api.Form
	why      string
	patterns []string
}{
	{api.Rest, "servers talk to each other in another way here: ask troupe admin", []string{
		"/v1/core/cluster/server/leave", "/v1/core/cluster/switch/lookup", "/v1/core/cluster/report", "/v1/core/ops/raft", "/v1/core/ops/idInfo",
	}},
	{api.Result, "servers talk to each other in another way here: ask troupe admin", []string{
		"/v2/core/cluster/lookup", "/v2/core/cluster/nodes", "/v2/core/ops/raft", "/v2/core/ops/ids",
		"/v3/admin/core/cluster/lookup", "/v3/admin/core/ops/raft", "/v3/admin/core/ops/ids",
	}},
	{api.Result, "there is no registry of MCP servers or agents here", []string{
		"/v3/admin/ai/{rest...}", "/v3/console/ai/{rest...}", "/v3/client/ai/{rest...}",
	}},
	{api.Plain, "there is no CMDB here", []string{"/v1/cmdb/{rest...}"}},
}

// missingRoutes say so, to whoever has said who he is.
func missingRoutes() []api.Route {
	var routes []api.Route
	for _, path := range []string{"/v2", "/v3/admin"} { // that list is made by the members themselves
		routes = append(routes, api.Route{Method: http.MethodPut, Pattern: path + "/core/cluster/node/list", Form: api.Result, Access: known, Handle: notOffered(missing[1].why)})
	}
	for _, m := range missing {
		for _, pattern := range m.patterns {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
				routes = append(routes, api.Route{Method: method, Pattern: pattern, Form: m.form, Access: known, Handle: notOffered(m.why)})
			}
		}
	}
	return routes
}

func notOffered(why string) api.Handler {
	return func(*api.Request) (api.Answer, error) { return api.Answer{}, api.Disabled.Errorf("%s", why) }
}
