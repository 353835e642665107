package naming

import "github.com/troupe-cloud/troupe/gateway/nacos/api"

// clientRoutes are v3's for applications.
func (a *API) clientRoutes() []api.Route {
	return under("/v3/client/ns", api.Result, []api.Route{
		{Method: post, Pattern: "/instance", Access: writes, Handle: a.registerOrBeat},
		{Method: del, Pattern: "/instance", Access: writes, Handle: a.deregister},
		{Method: get, Pattern: "/instance/list", Access: reads, Handle: a.hosts},
	})
}

// adminRoutes are v3's for operators.
func (a *API) adminRoutes() []api.Route {
	return under("/v3/admin/ns", api.Result, []api.Route{
		{Method: post, Pattern: "/instance", Access: writes, Handle: a.register},
		{Method: del, Pattern: "/instance", Access: writes, Handle: a.deregister},
		{Method: put, Pattern: "/instance", Access: writes, Handle: a.update},
		{Method: put, Pattern: "/instance/partial", Access: writes, Handle: a.patchWrapped},
		{Method: get, Pattern: "/instance", Access: reads, Handle: a.detailV3},
		{Method: get, Pattern: "/instance/list", Access: reads, Handle: a.instances},
		{Method: put, Pattern: "/instance/metadata/batch", Access: writes, Handle: a.batchSet},
		{Method: del, Pattern: "/instance/metadata/batch", Access: writes, Handle: a.batchRemove},
		{Method: post, Pattern: "/service", Access: writes, Handle: a.createOfKind},
		{Method: put, Pattern: "/service", Access: writes, Handle: a.changeService},
		{Method: del, Pattern: "/service", Access: writes, Handle: a.remove},
		{Method: get, Pattern: "/service", Access: reads, Handle: a.show},
		{Method: get, Pattern: "/service/list", Access: reads, Handle: a.services},
		{Method: get, Pattern: "/service/subscribers", Access: reads, Handle: a.subscribers},
		{Method: get, Pattern: "/service/selector/types", Access: known, Handle: a.selectorTypes},
		{Method: put, Pattern: "/cluster", Access: writes, Handle: a.setCluster},
		{Method: put, Pattern: "/health/instance", Access: writes, Handle: a.setHealth},
		{Method: get, Pattern: "/health/checkers", Access: known, Handle: a.checkers},
		{Method: get, Pattern: "/client/list", Handle: a.clients},
		{Method: get, Pattern: "/client", Handle: a.client},
		{Method: get, Pattern: "/client/publish/list", Handle: a.publishes(true)},
		{Method: get, Pattern: "/client/subscribe/list", Handle: a.subscribes(true)},
		{Method: get, Pattern: "/client/service/publisher/list", Handle: a.publishers(true)},
		{Method: get, Pattern: "/client/service/subscriber/list", Handle: a.listens(true)},
		{Method: get, Pattern: "/client/distro", Handle: a.responsible},
	})
}

// consoleRoutes are what v3's console asks.
func (a *API) consoleRoutes() []api.Route {
	return under("/v3/console/ns", api.Result, []api.Route{
		{Method: post, Pattern: "/service", Access: writes, Handle: a.createOfKind},
		{Method: put, Pattern: "/service", Access: writes, Handle: a.changeService},
		{Method: del, Pattern: "/service", Access: writes, Handle: a.remove},
		{Method: get, Pattern: "/service", Access: reads, Handle: a.show},
		{Method: get, Pattern: "/service/list", Access: reads, Handle: a.services},
		{Method: get, Pattern: "/service/subscribers", Access: reads, Handle: a.subscribers},
		{Method: get, Pattern: "/service/selector/types", Access: known, Handle: a.selectorTypes},
		{Method: put, Pattern: "/service/cluster", Access: writes, Handle: a.setCluster},
		{Method: put, Pattern: "/instance", Access: writes, Handle: a.update},
		{Method: get, Pattern: "/instance/list", Access: reads, Handle: a.instancesPage},
	})
}

// prometheusRoutes list targets for Prometheus.
func (a *API) prometheusRoutes() []api.Route {
	may := api.Access{Action: api.Read, Resource: prometheusResource}
	return under("/prometheus", api.Plain, []api.Route{
		{Method: get, Pattern: "", Access: admins, Handle: a.prometheus},
		{Method: get, Pattern: "/namespaceId/{namespaceId}", Access: may, Handle: a.prometheus},
		{Method: get, Pattern: "/namespaceId/{namespaceId}/service/{service}", Access: may, Handle: a.prometheus},
	})
}
