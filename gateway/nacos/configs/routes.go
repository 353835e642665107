package configs

import (
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

// Routes are all routes of this package.
func (a *API) Routes() []api.Route {
	all := a.routesV1()
	all = append(all, a.routesV2()...)
	all = append(all, a.clientRoutesV3()...)
	all = append(all, a.adminRoutesV3()...)
	return append(all, a.consoleRoutesV3()...)
}

// What routes ask for.
var (
	known      = api.Access{Known: true} // and the handler looks at each key or namespace
	admins     = api.Access{}
	everybody  = api.Access{Public: true}
	readV1     = api.Access{Action: api.Read, Resource: api.ConfigV1.Resource}
	writeV1    = api.Access{Action: api.Write, Resource: api.ConfigV1.Resource}
	readV2     = api.Access{Action: api.Read, Resource: api.ConfigV2.Resource}
	writeV2    = api.Access{Action: api.Write, Resource: api.ConfigV2.Resource}
	readV3     = api.Access{Action: api.Read, Resource: api.ConfigV3.Resource}
	writeV3    = api.Access{Action: api.Write, Resource: api.ConfigV3.Resource}
	searchesV1 = api.Access{Action: api.Read, Resource: searchResource(api.ConfigV1)}
	searchesV3 = api.Access{Action: api.Read, Resource: searchResource(api.ConfigV3)}
)

// variant is one of several things that a method and a path of v1 mean, by a
// parameter. The last one has none.
type variant struct {
	param, value string
	access       api.Access
	handle       api.Handler
}

// choose lets the first variant whose parameter has its value answer, if the user
// may do what it does. Its route is one for whoever is known.
func choose(all ...variant) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		for _, v := range all {
			if v.param != "" && r.Params.Get(v.param) != v.value {
				continue
			}
			if v.access.Action != "" && !r.User.May(v.access.Action, v.access.Resource(r)) {
				return api.Answer{}, errForbidden
			}
			return v.handle(r)
		}
		return api.Answer{}, api.ParameterInvalid.Errorf("the parameters say nothing that can be done here")
	}
}

func (a *API) routesV1() []api.Route {
	get := choose(
		variant{"show", "all", readV1, a.showAll},
		variant{"search", "accurate", searchesV1, a.searchFull(false)},
		variant{"search", "blur", searchesV1, a.searchFull(true)},
		variant{"beta", "true", readV1, a.betaV1},
		variant{"export", "true", known, a.export(api.ConfigV1, describeV1)},
		variant{"exportV2", "true", known, a.export(api.ConfigV1, describeV2)},
		variant{"", "", readV1, a.get(api.ConfigV1)},
	)
	post := choose(
		variant{"import", "true", known, a.importZip("namespace", "tenant")},
		variant{"clone", "true", known, a.clone("tenant", "namespace")},
		variant{"", "", writeV1, a.publish(api.ConfigV1)},
	)
	remove := choose(
		variant{"delType", "ids", known, a.removeByIDs},
		variant{"beta", "true", writeV1, a.stopBeta(api.ConfigV1)},
		variant{"", "", writeV1, a.remove(api.ConfigV1)},
	)
	history := choose(
		variant{"search", "accurate", readV1, a.historyList(api.ConfigV1)},
		variant{"search", "blur", readV1, a.historyList(api.ConfigV1)},
		variant{"", "", readV1, a.historyRow(api.ConfigV1, false)},
	)
	const cs = "/v1/cs"
	return []api.Route{
		{Method: http.MethodGet, Pattern: cs + "/configs", Access: known, Handle: get},
		{Method: http.MethodPost, Pattern: cs + "/configs", Access: known, Handle: post, MaxBody: maxUpload},
		{Method: http.MethodDelete, Pattern: cs + "/configs", Access: known, Handle: remove},
		{Method: http.MethodGet, Pattern: cs + "/configs/catalog", Form: api.Rest, Access: readV1, Handle: a.catalog},
		{Method: http.MethodPost, Pattern: cs + "/configs/listener", Access: known, Handle: a.listen, Hangs: true, Quiet: true, MaxBody: maxPoll},
		{Method: http.MethodGet, Pattern: cs + "/configs/listener", Access: readV1, Handle: a.whoListens(api.ConfigV1)},
		{Method: http.MethodGet, Pattern: cs + "/listener", Access: known, Handle: a.whatIsListened},
		{Method: http.MethodGet, Pattern: cs + "/history", Access: known, Handle: history},
		{Method: http.MethodGet, Pattern: cs + "/history/previous", Access: readV1, Handle: a.historyRow(api.ConfigV1, true)},
		{Method: http.MethodGet, Pattern: cs + "/history/configs", Access: readV1, Handle: a.historyConfigs(api.ConfigV1)},
		{Method: http.MethodGet, Pattern: cs + "/capacity", Form: api.Rest, Access: readV1, Handle: a.capacity("group", "tenant")},
		{Method: http.MethodPost, Pattern: cs + "/capacity", Form: api.Rest, Access: admins, Handle: a.setCapacity},
		{Method: http.MethodGet, Pattern: cs + "/health", Access: everybody, Handle: a.health},
		{Method: http.MethodGet, Pattern: cs + "/metrics/cluster", Access: admins, Handle: a.clientMetrics(api.ConfigV1)},
		{Method: http.MethodGet, Pattern: cs + "/metrics/current", Access: admins, Handle: a.clientMetrics(api.ConfigV1)},
		{Method: http.MethodPost, Pattern: cs + "/ops/localCache", Access: admins, Handle: a.refreshCache},
		{Method: http.MethodPut, Pattern: cs + "/ops/log", Access: admins, Handle: a.setLogLevel},
		{Method: http.MethodGet, Pattern: cs + "/ops/derby", Access: admins, Handle: noDatabase},
		{Method: http.MethodPost, Pattern: cs + "/ops/data/removal", Access: admins, Handle: noDatabase},
	}
}

func (a *API) routesV2() []api.Route {
	const cs = "/v2/cs"
	return results([]api.Route{
		{Method: http.MethodGet, Pattern: cs + "/config", Access: readV2, Handle: a.get(api.ConfigV2)},
		{Method: http.MethodPost, Pattern: cs + "/config", Access: writeV2, Handle: a.publish(api.ConfigV2)},
		{Method: http.MethodDelete, Pattern: cs + "/config", Access: writeV2, Handle: a.remove(api.ConfigV2)},
		{Method: http.MethodGet, Pattern: cs + "/config/searchDetail", Access: searchesV1, Handle: a.searchFull(true)},
		{Method: http.MethodGet, Pattern: cs + "/history/list", Access: readV2, Handle: a.historyList(api.ConfigV2)},
		{Method: http.MethodGet, Pattern: cs + "/history", Access: readV2, Handle: a.historyRow(api.ConfigV2, false)},
		{Method: http.MethodGet, Pattern: cs + "/history/detail", Access: readV2, Handle: a.historyChange},
		{Method: http.MethodGet, Pattern: cs + "/history/previous", Access: readV2, Handle: a.historyRow(api.ConfigV2, true)},
		{Method: http.MethodGet, Pattern: cs + "/history/configs", Access: readV2, Handle: a.historyConfigs(api.ConfigV2)},
	})
}

// results makes all routes answer in the form of v2 and v3.
func results(all []api.Route) []api.Route {
	for i := range all {
		all[i].Form = api.Result
	}
	return all
}

// noDatabase is refused: there is no SQL behind this dialect, and no way to one.
func noDatabase(*api.Request) (api.Answer, error) {
	return api.Answer{}, api.Disabled.Errorf("there is no embedded database here")
}
