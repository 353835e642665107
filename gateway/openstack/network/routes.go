package network

import "github.com/troupe-cloud/troupe/gateway/openstack/api"

// routes lists every route of the dialect.
func (a *API) routes() []api.Route {
	return []api.Route{
		{Method: "GET", Pattern: "/", Handle: versions, Public: true},
		{Method: "GET", Pattern: root, Handle: resources},
		{Method: "GET", Pattern: root + "/extensions", Handle: listExtensions},
		{Method: "GET", Pattern: root + "/extensions/{alias}", Handle: showExtension},
		{Method: "GET", Pattern: root + "/availability_zones", Handle: none("availability_zones")},
		{Method: "GET", Pattern: root + "/agents", Handle: none("agents")},

		{Method: "GET", Pattern: root + "/networks", Handle: a.listNetworks},
		{Method: "POST", Pattern: root + "/networks", Handle: a.createNetwork, Write: true},
		{Method: "GET", Pattern: root + "/networks/{id}", Handle: a.showNetwork},
		{Method: "PUT", Pattern: root + "/networks/{id}", Handle: a.updateNetwork, Write: true},
		{Method: "DELETE", Pattern: root + "/networks/{id}", Handle: a.deleteNetwork, Write: true},

		{Method: "GET", Pattern: root + "/subnets", Handle: a.listSubnets},
		{Method: "POST", Pattern: root + "/subnets", Handle: a.createSubnet, Write: true},
		{Method: "GET", Pattern: root + "/subnets/{id}", Handle: a.showSubnet},
		{Method: "PUT", Pattern: root + "/subnets/{id}", Handle: a.updateSubnet, Write: true},
		{Method: "DELETE", Pattern: root + "/subnets/{id}", Handle: a.deleteSubnet, Write: true},

		{Method: "GET", Pattern: root + "/ports", Handle: a.listPorts},
		{Method: "POST", Pattern: root + "/ports", Handle: a.createPort, Write: true},
		{Method: "GET", Pattern: root + "/ports/{id}", Handle: a.showPort},
		{Method: "PUT", Pattern: root + "/ports/{id}", Handle: a.updatePort, Write: true},
		{Method: "DELETE", Pattern: root + "/ports/{id}", Handle: a.deletePort, Write: true},

		{Method: "GET", Pattern: root + "/security-groups", Handle: listSecurityGroups},
		{Method: "GET", Pattern: root + "/security-groups/{id}", Handle: showSecurityGroup},
		{Method: "GET", Pattern: root + "/security-group-rules", Handle: listSecurityGroupRules},
		{Method: "GET", Pattern: root + "/security-group-rules/{id}", Handle: showSecurityGroupRule},

		{Method: "GET", Pattern: root + "/quotas", Handle: none("quotas")},
		{Method: "GET", Pattern: root + "/quotas/{project}", Handle: showQuota},
		{Method: "GET", Pattern: root + "/quotas/{project}/default", Handle: showQuota},
		{Method: "GET", Pattern: root + "/quotas/{project}/details", Handle: a.quotaDetails},
		{Method: "GET", Pattern: root + "/quotas/{project}/details.json", Handle: a.quotaDetails},
	}
}
