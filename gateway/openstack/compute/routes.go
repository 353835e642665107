package compute

import "github.com/troupe-cloud/troupe/gateway/openstack/api"

// routes lists every route, with who may use it.
func (a *API) routes() []api.Route {
	routes := []api.Route{
		{Method: "GET", Pattern: "/{$}", Handle: a.listVersions, Public: true},
		{Method: "GET", Pattern: root, Handle: a.showVersion, Public: true},
	}
	for _, table := range [][]api.Route{
		a.serverRoutes(), a.flavorRoutes(), a.keypairRoutes(), a.hostRoutes(), a.projectRoutes(), a.absentRoutes(),
	} {
		for _, r := range table {
			r.Pattern = root + r.Pattern
			routes = append(routes, r)
		}
	}
	return routes
}

func (a *API) serverRoutes() []api.Route {
	return []api.Route{
		{Method: "GET", Pattern: "/servers", Handle: a.listServers},
		{Method: "POST", Pattern: "/servers", Handle: a.createServer, Write: true},
		{Method: "GET", Pattern: "/servers/detail", Handle: a.listServersDetail},
		{Method: "GET", Pattern: "/servers/{id}", Handle: a.showServer},
		{Method: "PUT", Pattern: "/servers/{id}", Handle: a.updateServer, Write: true},
		{Method: "DELETE", Pattern: "/servers/{id}", Handle: a.deleteServer, Write: true},
		{Method: "POST", Pattern: "/servers/{id}/action", Handle: a.actOnServer, Write: true},
		{Method: "POST", Pattern: "/servers/{id}/remote-consoles", Handle: since(6, a.createConsole), Write: true},

		{Method: "GET", Pattern: "/servers/{id}/metadata", Handle: a.listMetadata},
		{Method: "POST", Pattern: "/servers/{id}/metadata", Handle: a.mergeMetadata, Write: true},
		{Method: "PUT", Pattern: "/servers/{id}/metadata", Handle: a.replaceMetadata, Write: true},
		{Method: "GET", Pattern: "/servers/{id}/metadata/{key}", Handle: a.showMetadata},
		{Method: "PUT", Pattern: "/servers/{id}/metadata/{key}", Handle: a.putMetadata, Write: true},
		{Method: "DELETE", Pattern: "/servers/{id}/metadata/{key}", Handle: a.deleteMetadata, Write: true},

		{Method: "GET", Pattern: "/servers/{id}/tags", Handle: since(26, a.listTags)},
		{Method: "PUT", Pattern: "/servers/{id}/tags", Handle: since(26, a.replaceTags), Write: true},
		{Method: "DELETE", Pattern: "/servers/{id}/tags", Handle: since(26, a.deleteTags), Write: true},
		{Method: "GET", Pattern: "/servers/{id}/tags/{tag}", Handle: since(26, a.showTag)},
		{Method: "PUT", Pattern: "/servers/{id}/tags/{tag}", Handle: since(26, a.putTag), Write: true},
		{Method: "DELETE", Pattern: "/servers/{id}/tags/{tag}", Handle: since(26, a.deleteTag), Write: true},

		{Method: "GET", Pattern: "/servers/{id}/os-instance-actions", Handle: a.listActions},
		{Method: "GET", Pattern: "/servers/{id}/os-instance-actions/{request}", Handle: a.showAction},
		{Method: "GET", Pattern: "/servers/{id}/os-interface", Handle: a.listInterfaces},
		{Method: "POST", Pattern: "/servers/{id}/os-interface", Handle: a.noInterfaceChange, Write: true},
		{Method: "GET", Pattern: "/servers/{id}/os-interface/{port}", Handle: a.showInterface},
		{Method: "DELETE", Pattern: "/servers/{id}/os-interface/{port}", Handle: a.noInterfaceChange, Write: true},
		{Method: "GET", Pattern: "/servers/{id}/ips", Handle: a.listAddresses},
		{Method: "GET", Pattern: "/servers/{id}/ips/{network}", Handle: a.showAddresses},
		{Method: "GET", Pattern: "/servers/{id}/topology", Handle: since(78, a.showTopology)},
		{Method: "GET", Pattern: "/servers/{id}/os-volume_attachments", Handle: a.listVolumes},
		{Method: "POST", Pattern: "/servers/{id}/os-volume_attachments", Handle: a.noVolumes, Write: true},
		{Method: "GET", Pattern: "/servers/{id}/troupe-decision", Handle: a.showDecision},
	}
}

func (a *API) flavorRoutes() []api.Route {
	return []api.Route{
		{Method: "GET", Pattern: "/flavors", Handle: a.listFlavors},
		{Method: "POST", Pattern: "/flavors", Handle: a.createFlavor, Admin: true},
		{Method: "GET", Pattern: "/flavors/detail", Handle: a.listFlavorsDetail},
		{Method: "GET", Pattern: "/flavors/{id}", Handle: a.showFlavor},
		{Method: "PUT", Pattern: "/flavors/{id}", Handle: since(55, a.updateFlavor), Admin: true},
		{Method: "DELETE", Pattern: "/flavors/{id}", Handle: a.deleteFlavor, Admin: true},
		{Method: "POST", Pattern: "/flavors/{id}/action", Handle: a.actOnFlavor, Admin: true},
		{Method: "GET", Pattern: "/flavors/{id}/os-flavor-access", Handle: a.listAccess, Admin: true},
		{Method: "GET", Pattern: "/flavors/{id}/os-extra_specs", Handle: a.listSpecs},
		{Method: "POST", Pattern: "/flavors/{id}/os-extra_specs", Handle: a.createSpecs, Admin: true},
		{Method: "GET", Pattern: "/flavors/{id}/os-extra_specs/{key}", Handle: a.showSpec},
		{Method: "PUT", Pattern: "/flavors/{id}/os-extra_specs/{key}", Handle: a.updateSpec, Admin: true},
		{Method: "DELETE", Pattern: "/flavors/{id}/os-extra_specs/{key}", Handle: a.deleteSpec, Admin: true},
	}
}

func (a *API) keypairRoutes() []api.Route {
	return []api.Route{
		{Method: "GET", Pattern: "/os-keypairs", Handle: a.listKeypairs},
		{Method: "POST", Pattern: "/os-keypairs", Handle: a.createKeypair, Write: true},
		{Method: "GET", Pattern: "/os-keypairs/{name}", Handle: a.showKeypair},
		{Method: "DELETE", Pattern: "/os-keypairs/{name}", Handle: a.deleteKeypair, Write: true},
	}
}

func (a *API) hostRoutes() []api.Route {
	return []api.Route{
		{Method: "GET", Pattern: "/os-availability-zone", Handle: a.listZones},
		{Method: "GET", Pattern: "/os-availability-zone/detail", Handle: a.listZonesDetail, Admin: true},
		{Method: "GET", Pattern: "/os-hypervisors", Handle: a.listHypervisors, Admin: true},
		{Method: "GET", Pattern: "/os-hypervisors/detail", Handle: a.listHypervisorsDetail, Admin: true},
		{Method: "GET", Pattern: "/os-hypervisors/statistics", Handle: a.hypervisorStatistics, Admin: true},
		{Method: "GET", Pattern: "/os-hypervisors/{id}", Handle: a.showHypervisor, Admin: true},
		{Method: "GET", Pattern: "/os-hypervisors/{id}/uptime", Handle: a.hypervisorUptime, Admin: true},
		{Method: "GET", Pattern: "/os-hypervisors/{id}/search", Handle: a.searchHypervisors, Admin: true},
		{Method: "GET", Pattern: "/os-hypervisors/{id}/servers", Handle: a.serversOfHypervisors, Admin: true},
		{Method: "GET", Pattern: "/os-services", Handle: a.listServices, Admin: true},
		{Method: "PUT", Pattern: "/os-services/{id}", Handle: a.putService, Admin: true},
		{Method: "DELETE", Pattern: "/os-services/{id}", Handle: a.deleteService, Admin: true},
	}
}

func (a *API) projectRoutes() []api.Route {
	return []api.Route{
		{Method: "GET", Pattern: "/limits", Handle: a.showLimits},
		{Method: "GET", Pattern: "/os-quota-sets/{project}", Handle: a.showQuota},
		{Method: "PUT", Pattern: "/os-quota-sets/{project}", Handle: a.updateQuota, Admin: true},
		{Method: "DELETE", Pattern: "/os-quota-sets/{project}", Handle: a.deleteQuota, Admin: true},
		{Method: "GET", Pattern: "/os-quota-sets/{project}/detail", Handle: a.showQuotaDetail},
		{Method: "GET", Pattern: "/os-quota-sets/{project}/defaults", Handle: a.showQuotaDefaults},
		{Method: "GET", Pattern: "/os-simple-tenant-usage", Handle: a.listUsages, Admin: true},
		{Method: "GET", Pattern: "/os-simple-tenant-usage/{project}", Handle: a.showUsage},
	}
}

// absentRoutes are of things that are not there: said so, rather than 404.
func (a *API) absentRoutes() []api.Route {
	return []api.Route{
		{Method: "GET", Pattern: "/os-aggregates", Handle: a.listAggregates, Admin: true},
		{Method: "POST", Pattern: "/os-aggregates", Handle: a.noAggregates, Admin: true},
		{Method: "GET", Pattern: "/os-aggregates/{id}", Handle: a.showAggregate, Admin: true},
		{Method: "GET", Pattern: "/os-server-groups", Handle: a.listServerGroups},
		{Method: "POST", Pattern: "/os-server-groups", Handle: a.noServerGroups, Write: true},
		{Method: "GET", Pattern: "/os-server-groups/{id}", Handle: a.showServerGroup},
		{Method: "GET", Pattern: "/os-migrations", Handle: a.listMigrations, Admin: true},
		{Method: "GET", Pattern: "/extensions", Handle: a.listExtensions},
	}
}

// since hides a route from versions that are older than it.
func since(minor int, h api.Handler) api.Handler {
	return func(r *api.Request) (api.Response, error) {
		if !r.Version.AtLeast(minor) {
			return api.Response{}, api.ErrNoRoute
		}
		return h(r)
	}
}
