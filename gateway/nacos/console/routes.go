package console

import (
	"fmt"
	"slices"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

var (
	open   = api.Access{Public: true}
	known  = api.Access{Known: true}
	admins = api.Access{}
)

// Routes is every route of this package.
func (a *API) Routes() []api.Route {
	return slices.Concat(a.namespaceRoutes(), a.stateRoutes(), a.nodeRoutes(), a.loaderRoutes(), a.operatorRoutes(), missingRoutes())
}

func (a *API) namespaceRoutes() []api.Route {
	const v1, v2, admin, console = "/v1/console/namespaces", "/v2/console/namespace", "/v3/admin/core/namespace", "/v3/console/core/namespace"
	routes := []api.Route{
		{Method: "GET", Pattern: v1, Form: api.Rest, Access: known, Handle: a.namespacesV1},
		{Method: "POST", Pattern: v1, Form: api.Rest, Access: admins, Handle: a.createNamespaceV1},
		{Method: "PUT", Pattern: v1, Form: api.Rest, Access: admins, Handle: a.updateNamespaceV1},
		{Method: "DELETE", Pattern: v1, Form: api.Rest, Access: admins, Handle: a.deleteNamespaceV1},
		{Method: "GET", Pattern: admin + "/check", Form: api.Result, Access: known, Handle: a.checkNamespace},
		{Method: "GET", Pattern: console + "/exist", Form: api.Result, Access: known, Handle: a.namespaceExists},
	}
	for path, d := range map[string]dialect{v2: before3, admin: since3, console: since3} {
		routes = append(routes, []api.Route{
			{Method: "GET", Pattern: path + "/list", Form: api.Result, Access: known, Handle: a.listNamespaces(d)},
			{Method: "GET", Pattern: path, Form: api.Result, Access: known, Handle: a.showNamespace(d)},
			{Method: "POST", Pattern: path, Form: api.Result, Access: admins, Handle: a.createNamespace},
			{Method: "PUT", Pattern: path, Form: api.Result, Access: admins, Handle: a.updateNamespace},
			{Method: "DELETE", Pattern: path, Form: api.Result, Access: admins, Handle: a.deleteNamespace},
		}...)
	}
	return routes
}

func (a *API) stateRoutes() []api.Route {
	routes := []api.Route{
		{Method: "GET", Pattern: "/v1/console/server/state", Form: api.Rest, Access: open, Handle: bare(a.showState)},
		{Method: "GET", Pattern: "/v2/console/server/state", Form: api.Result, Access: open, Handle: a.showState},
		{Method: "GET", Pattern: "/v3/admin/core/state", Form: api.Result, Access: open, Handle: a.showState},
		{Method: "GET", Pattern: "/v3/console/server/state", Form: api.Result, Access: open, Handle: a.showState},
		{Method: "GET", Pattern: "/v1/console/health/liveness", Form: api.Plain, Access: open, Handle: say("OK")},
		{Method: "GET", Pattern: "/v1/console/health/readiness", Form: api.Plain, Access: open, Handle: a.readiness("OK")},
	}
	for _, path := range []string{"/v2/console/health", "/v3/console/health", "/v3/admin/core/state"} {
		routes = append(routes,
			api.Route{Method: "GET", Pattern: path + "/liveness", Form: api.Result, Access: open, Handle: say("ok")},
			api.Route{Method: "GET", Pattern: path + "/readiness", Form: api.Result, Access: open, Handle: a.readiness("ok")})
	}
	for path, form := range map[string]api.Form{"/v1/console/server": api.Rest, "/v2/console/server": api.Result, "/v3/console/server": api.Result} {
		routes = append(routes,
			api.Route{Method: "GET", Pattern: path + "/announcement", Form: form, Access: open, Handle: a.announcement},
			api.Route{Method: "GET", Pattern: path + "/guide", Form: form, Access: open, Handle: a.guide})
	}
	return routes
}

func (a *API) nodeRoutes() []api.Route {
	return []api.Route{
		{Method: "GET", Pattern: "/v1/core/cluster/nodes", Form: api.Rest, Access: known, Handle: a.listNodes},
		{Method: "GET", Pattern: "/v1/core/cluster/simple/nodes", Form: api.Rest, Access: known, Handle: a.simpleNodes},
		{Method: "GET", Pattern: "/v1/core/cluster/self", Form: api.Rest, Access: known, Handle: a.selfNode},
		{Method: "GET", Pattern: "/v1/core/cluster/health", Form: api.Rest, Access: open, Handle: a.selfHealth},
		{Method: "GET", Pattern: "/v2/core/cluster/node/list", Form: api.Result, Access: known, Handle: a.listNodes},
		{Method: "GET", Pattern: "/v2/core/cluster/node/self", Form: api.Result, Access: known, Handle: a.selfNode},
		{Method: "GET", Pattern: "/v2/core/cluster/node/self/health", Form: api.Result, Access: open, Handle: a.selfHealth},
		{Method: "GET", Pattern: "/v3/admin/core/cluster/node/list", Form: api.Result, Access: known, Handle: a.listNodes},
		{Method: "GET", Pattern: "/v3/admin/core/cluster/node/self", Form: api.Result, Access: known, Handle: a.selfNode},
		{Method: "GET", Pattern: "/v3/admin/core/cluster/node/self/health", Form: api.Result, Access: open, Handle: a.selfHealth},
		{Method: "GET", Pattern: "/v3/console/core/cluster/nodes", Form: api.Result, Access: known, Handle: a.listNodes},
		{Method: "GET", Pattern: "/serverlist", Form: api.Plain, Access: open, Handle: a.serverList},
	}
}

func (a *API) loaderRoutes() []api.Route {
	const v2, v3 = "/v2/core/loader", "/v3/admin/core/loader"
	return []api.Route{
		{Method: "GET", Pattern: v2 + "/current", Form: api.Plain, Access: admins, Handle: a.currentConnections},
		{Method: "GET", Pattern: v2 + "/cluster", Form: api.Plain, Access: admins, Handle: a.clusterLoad},
		{Method: "GET", Pattern: v2 + "/reloadCurrent", Form: api.Plain, Access: admins, Handle: a.reloadCurrent},
		{Method: "GET", Pattern: v2 + "/reloadClient", Form: api.Plain, Access: admins, Handle: a.reloadClient},
		{Method: "GET", Pattern: v2 + "/smartReloadCluster", Form: api.Plain, Access: admins, Handle: a.smartReload},
		{Method: "GET", Pattern: v3 + "/current", Form: api.Result, Access: admins, Handle: a.currentConnections},
		{Method: "GET", Pattern: v3 + "/cluster", Form: api.Result, Access: admins, Handle: a.clusterLoad},
		{Method: "POST", Pattern: v3 + "/reloadCurrent", Form: api.Result, Access: admins, Handle: a.reloadCurrent},
		{Method: "POST", Pattern: v3 + "/reloadClient", Form: api.Result, Access: admins, Handle: a.reloadClient},
		{Method: "POST", Pattern: v3 + "/smartReloadCluster", Form: api.Result, Access: admins, Handle: a.smartReload},
	}
}

func (a *API) operatorRoutes() []api.Route {
	routes := []api.Route{
		{Method: "GET", Pattern: "/actuator/prometheus", Form: api.Plain, Access: open, Handle: a.prometheus},
		{Method: "PUT", Pattern: "/v1/core/ops/log", Form: api.Rest, Access: admins, Handle: a.setLevel(nil)},
		{Method: "PUT", Pattern: "/v2/core/ops/log", Form: api.Rest, Access: admins, Handle: a.setLevel(nil)},
		{Method: "PUT", Pattern: "/v3/admin/core/ops/log", Form: api.Result, Access: admins, Handle: a.setLevel(nil)},
	}
	for _, at := range []struct {
		path string
		form api.Form
	}{
		{"/v1/ns/operator", api.Plain}, {"/v1/ns/ops", api.Plain},
		{"/v2/ns/operator", api.Result}, {"/v2/ns/ops", api.Result}, {"/v3/admin/ns/ops", api.Result},
	} {
		routes = append(routes,
			api.Route{Method: "GET", Pattern: at.path + "/switches", Form: at.form, Access: known, Handle: a.showSwitches},
			api.Route{Method: "PUT", Pattern: at.path + "/switches", Form: at.form, Access: admins, Handle: a.setSwitch},
			api.Route{Method: "GET", Pattern: at.path + "/metrics", Form: at.form, Access: open, Handle: a.metrics},
			api.Route{Method: "PUT", Pattern: at.path + "/log", Form: at.form, Access: admins, Handle: a.setLevel("ok")})
	}
	return routes
}

// threshold is the number of connections from which a server has too many.
func threshold(avg, factor float64) string { return fmt.Sprintf("%.1f", avg*(1+factor)) }
