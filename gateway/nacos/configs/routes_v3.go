package configs

import (
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

func (a *API) clientRoutesV3() []api.Route {
	return results([]api.Route{
		{Method: http.MethodGet, Pattern: "/v3/client/cs/config", Access: readV3, Handle: a.query},
	})
}

func (a *API) adminRoutesV3() []api.Route {
	const cs = "/v3/admin/cs"
	return append(a.managing(cs), results([]api.Route{
		{Method: http.MethodDelete, Pattern: cs + "/config/batch", Access: known, Handle: a.removeByIDs},
		{Method: http.MethodGet, Pattern: cs + "/config/export", Access: known, Handle: a.export(api.ConfigV3, describeV2)},
		{Method: http.MethodPost, Pattern: cs + "/config/clone", Access: known, Handle: a.clone("namespaceId"), MaxBody: maxUpload},
		{Method: http.MethodGet, Pattern: cs + "/listener", Access: known, Handle: a.whatIsListened},
		{Method: http.MethodGet, Pattern: cs + "/capacity", Access: readV3, Handle: a.capacity("groupName", "namespaceId")},
		{Method: http.MethodPost, Pattern: cs + "/capacity", Access: admins, Handle: a.setCapacity},
		{Method: http.MethodGet, Pattern: cs + "/metrics/cluster", Access: admins, Handle: a.clientMetrics(api.ConfigV3)},
		{Method: http.MethodGet, Pattern: cs + "/metrics/ip", Access: admins, Handle: a.clientMetrics(api.ConfigV3)},
		{Method: http.MethodPost, Pattern: cs + "/ops/localCache", Access: admins, Handle: a.refreshCache},
		{Method: http.MethodPut, Pattern: cs + "/ops/log", Access: admins, Handle: a.setLogLevel},
		{Method: http.MethodGet, Pattern: cs + "/ops/derby", Access: admins, Handle: noDatabase},
		{Method: http.MethodPost, Pattern: cs + "/ops/derby/import", Access: admins, Handle: noDatabase},
	})...)
}

func (a *API) consoleRoutesV3() []api.Route {
	const cs = "/v3/console/cs"
	return append(a.managing(cs), results([]api.Route{
		{Method: http.MethodGet, Pattern: cs + "/config/searchDetail", Access: searchesV3, Handle: a.list},
		{Method: http.MethodDelete, Pattern: cs + "/config/batchDelete", Access: known, Handle: a.removeByIDs},
		{Method: http.MethodGet, Pattern: cs + "/config/export2", Access: known, Handle: a.export(api.ConfigV3, describeV2)},
		{Method: http.MethodPost, Pattern: cs + "/config/clone", Access: known, Handle: a.clone("targetNamespaceId", "namespaceId"), MaxBody: maxUpload},
		{Method: http.MethodGet, Pattern: cs + "/config/listener/ip", Access: known, Handle: a.whatIsListened},
	})...)
}

// managing are the routes that the admin's part and the console's share.
func (a *API) managing(cs string) []api.Route {
	return results([]api.Route{
		{Method: http.MethodGet, Pattern: cs + "/config", Access: readV3, Handle: a.detail},
		{Method: http.MethodPost, Pattern: cs + "/config", Access: writeV3, Handle: a.publish(api.ConfigV3)},
		{Method: http.MethodDelete, Pattern: cs + "/config", Access: writeV3, Handle: a.remove(api.ConfigV3)},
		{Method: http.MethodGet, Pattern: cs + "/config/list", Access: searchesV3, Handle: a.list},
		{Method: http.MethodGet, Pattern: cs + "/config/listener", Access: readV3, Handle: a.whoListens(api.ConfigV3)},
		{Method: http.MethodGet, Pattern: cs + "/config/beta", Access: readV3, Handle: a.betaV3},
		{Method: http.MethodDelete, Pattern: cs + "/config/beta", Access: writeV3, Handle: a.stopBeta(api.ConfigV3)},
		{Method: http.MethodPost, Pattern: cs + "/config/import", Access: known, Handle: a.importZip("namespaceId"), Upload: true, MaxBody: maxUpload},
		{Method: http.MethodGet, Pattern: cs + "/history/list", Access: readV3, Handle: a.historyList(api.ConfigV3)},
		{Method: http.MethodGet, Pattern: cs + "/history", Access: readV3, Handle: a.historyRow(api.ConfigV3, false)},
		{Method: http.MethodGet, Pattern: cs + "/history/previous", Access: readV3, Handle: a.historyRow(api.ConfigV3, true)},
		{Method: http.MethodGet, Pattern: cs + "/history/configs", Access: readV3, Handle: a.historyConfigs(api.ConfigV3)},
	})
}
