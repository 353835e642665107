package naming

import (
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

// Who may use a route.
var (
	reads  = api.Access{Action: api.Read, Resource: api.ServiceResource}
	writes = api.Access{Action: api.Write, Resource: api.ServiceResource}
	known  = api.Access{Known: true}
	anyone = api.Access{Public: true}
	admins = api.Access{}
)

const (
	get   = http.MethodGet
	post  = http.MethodPost
	put   = http.MethodPut
	patch = http.MethodPatch
	del   = http.MethodDelete
)

// Routes are those of all versions.
func (a *API) Routes() []api.Route {
	var all []api.Route
	for _, part := range [][]api.Route{
		a.routesV1(), a.routesV2(), a.clientRoutes(), a.adminRoutes(), a.consoleRoutes(), a.prometheusRoutes(),
	} {
		all = append(all, part...)
	}
	return all
}

func (a *API) routesV1() []api.Route {
	statuses := api.Access{Action: api.Read, Resource: statusesResource}
	return under("/v1/ns", api.Plain, []api.Route{
		{Method: post, Pattern: "/instance", Access: writes, Handle: a.register},
		{Method: del, Pattern: "/instance", Access: writes, Handle: a.deregister},
		{Method: put, Pattern: "/instance", Access: writes, Handle: a.update},
		{Method: patch, Pattern: "/instance", Access: writes, Handle: a.patchWrapped},
		{Method: get, Pattern: "/instance", Access: reads, Handle: a.detailV1},
		{Method: get, Pattern: "/instance/list", Access: reads, Handle: a.listV1},
		{Method: put, Pattern: "/instance/beat", Access: writes, Handle: a.beat, Quiet: true},
		{Method: put, Pattern: "/instance/metadata/batch", Access: writes, Handle: a.batchSet},
		{Method: del, Pattern: "/instance/metadata/batch", Access: writes, Handle: a.batchRemove},
		{Method: get, Pattern: "/instance/statuses", Access: statuses, Handle: a.statuses},
		{Method: get, Pattern: "/instance/statuses/{key}", Access: statuses, Handle: a.statuses},
		{Method: post, Pattern: "/service", Access: writes, Handle: a.create},
		{Method: put, Pattern: "/service", Access: writes, Handle: a.changeService},
		{Method: del, Pattern: "/service", Access: writes, Handle: a.remove},
		{Method: get, Pattern: "/service", Access: reads, Handle: a.showV1},
		{Method: get, Pattern: "/service/list", Access: reads, Handle: a.namesV1},
		{Method: get, Pattern: "/service/names", Access: admins, Handle: a.search},
		{Method: get, Pattern: "/service/subscribers", Access: reads, Handle: a.subscribersV1},
		{Method: get, Pattern: "/service/selector/types", Access: known, Handle: a.selectorTypes},
		{Method: get, Pattern: "/catalog/service", Access: reads, Handle: a.catalogService},
		{Method: get, Pattern: "/catalog/instances", Access: reads, Handle: a.catalogV1},
		{Method: get, Pattern: "/catalog/services", Access: reads, Handle: a.servicesV1},
		{Method: put, Pattern: "/cluster", Access: writes, Handle: a.setCluster},
		{Method: put, Pattern: "/health", Access: writes, Handle: a.setHealth},
		{Method: put, Pattern: "/health/instance", Access: writes, Handle: a.setHealth},
		{Method: get, Pattern: "/health/server", Access: anyone, Handle: a.healthServer},
		{Method: get, Pattern: "/health/checkers", Access: known, Handle: a.checkers},
	})
}

func (a *API) routesV2() []api.Route {
	statuses := api.Access{Action: api.Read, Resource: statusesResource}
	return under("/v2/ns", api.Result, []api.Route{
		{Method: post, Pattern: "/instance", Access: writes, Handle: a.register},
		{Method: del, Pattern: "/instance", Access: writes, Handle: a.deregister},
		{Method: put, Pattern: "/instance", Access: writes, Handle: a.update},
		{Method: patch, Pattern: "/instance", Access: writes, Handle: a.patchPlain},
		{Method: get, Pattern: "/instance", Access: reads, Handle: a.detailV2},
		{Method: get, Pattern: "/instance/list", Access: reads, Handle: a.listV2},
		{Method: put, Pattern: "/instance/beat", Access: writes, Handle: a.beat, Quiet: true},
		{Method: put, Pattern: "/instance/metadata/batch", Access: writes, Handle: a.batchSet},
		{Method: del, Pattern: "/instance/metadata/batch", Access: writes, Handle: a.batchRemove},
		{Method: get, Pattern: "/instance/statuses/{key}", Access: statuses, Handle: a.statuses},
		{Method: post, Pattern: "/service", Access: writes, Handle: a.createOfKind},
		{Method: put, Pattern: "/service", Access: writes, Handle: a.changeService},
		{Method: del, Pattern: "/service", Access: writes, Handle: a.remove},
		{Method: get, Pattern: "/service", Access: reads, Handle: a.show},
		{Method: get, Pattern: "/service/list", Access: reads, Handle: a.namesV2},
		{Method: put, Pattern: "/health", Access: writes, Handle: a.setHealth},
		{Method: put, Pattern: "/health/instance", Access: writes, Handle: a.setHealth},
		{Method: get, Pattern: "/catalog/instances", Access: reads, Handle: a.catalogV2},
		{Method: get, Pattern: "/client/list", Handle: a.clients},
		{Method: get, Pattern: "/client", Handle: a.client},
		{Method: get, Pattern: "/client/publish/list", Handle: a.publishes(false)},
		{Method: get, Pattern: "/client/subscribe/list", Handle: a.subscribes(false)},
		{Method: get, Pattern: "/client/service/publisher/list", Handle: a.publishers(false)},
		{Method: get, Pattern: "/client/service/subscriber/list", Handle: a.listens(false)},
	})
}

// under puts routes below a path and gives them their form.
func under(path string, form api.Form, routes []api.Route) []api.Route {
	for i := range routes {
		routes[i].Pattern, routes[i].Form = path+routes[i].Pattern, form
	}
	return routes
}
