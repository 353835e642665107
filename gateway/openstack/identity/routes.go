package identity

import "github.com/troupe-cloud/troupe/gateway/openstack/api"

// routes lists every route of the dialect. Where neither Admin nor Public is
// set, the handler decides by whom the subject is: users see what is theirs.
func (i *Identity) routes() []api.Route {
	return []api.Route{
		{Method: "GET", Pattern: "/", Handle: i.versions, Public: true},
		{Method: "GET", Pattern: "/v3", Handle: i.version, Public: true},

		{Method: "POST", Pattern: "/v3/auth/tokens", Handle: i.createToken, Public: true},
		{Method: "GET", Pattern: "/v3/auth/tokens", Handle: i.showToken},
		{Method: "DELETE", Pattern: "/v3/auth/tokens", Handle: i.revokeToken},
		{Method: "GET", Pattern: "/v3/auth/catalog", Handle: i.showCatalog},
		{Method: "GET", Pattern: "/v3/auth/projects", Handle: i.listOwnProjects},
		{Method: "GET", Pattern: "/v3/auth/domains", Handle: i.listOwnDomains},

		{Method: "GET", Pattern: "/v3/domains", Handle: i.listDomains, Admin: true},
		{Method: "POST", Pattern: "/v3/domains", Handle: i.createDomain, Admin: true},
		{Method: "GET", Pattern: "/v3/domains/{id}", Handle: i.showDomain},
		{Method: "PATCH", Pattern: "/v3/domains/{id}", Handle: i.updateDomain, Admin: true},
		{Method: "DELETE", Pattern: "/v3/domains/{id}", Handle: i.deleteDomain, Admin: true},

		{Method: "GET", Pattern: "/v3/projects", Handle: i.listProjects, Admin: true},
		{Method: "POST", Pattern: "/v3/projects", Handle: i.createProject, Admin: true},
		{Method: "GET", Pattern: "/v3/projects/{id}", Handle: i.showProject},
		{Method: "PATCH", Pattern: "/v3/projects/{id}", Handle: i.updateProject, Admin: true},
		{Method: "DELETE", Pattern: "/v3/projects/{id}", Handle: i.deleteProject, Admin: true},

		{Method: "GET", Pattern: "/v3/users", Handle: i.listUsers, Admin: true},
		{Method: "POST", Pattern: "/v3/users", Handle: i.createUser, Admin: true},
		{Method: "GET", Pattern: "/v3/users/{id}", Handle: i.showUser},
		{Method: "PATCH", Pattern: "/v3/users/{id}", Handle: i.updateUser, Admin: true},
		{Method: "DELETE", Pattern: "/v3/users/{id}", Handle: i.deleteUser, Admin: true},
		{Method: "POST", Pattern: "/v3/users/{id}/password", Handle: i.changePassword},
		{Method: "GET", Pattern: "/v3/users/{id}/projects", Handle: i.listUserProjects},

		{Method: "GET", Pattern: "/v3/users/{user}/application_credentials", Handle: i.listCredentials},
		{Method: "POST", Pattern: "/v3/users/{user}/application_credentials", Handle: i.createCredential},
		{Method: "GET", Pattern: "/v3/users/{user}/application_credentials/{id}", Handle: i.showCredential},
		{Method: "DELETE", Pattern: "/v3/users/{user}/application_credentials/{id}", Handle: i.deleteCredential},

		{Method: "GET", Pattern: "/v3/roles", Handle: i.listRoles},
		{Method: "POST", Pattern: "/v3/roles", Handle: i.createRole, Admin: true},
		{Method: "GET", Pattern: "/v3/roles/{id}", Handle: i.showRole},
		{Method: "PATCH", Pattern: "/v3/roles/{id}", Handle: i.updateRole, Admin: true},
		{Method: "DELETE", Pattern: "/v3/roles/{id}", Handle: i.deleteRole, Admin: true},

		{Method: "GET", Pattern: "/v3/{on}/{scope}/users/{user}/roles", Handle: i.listGranted, Admin: true},
		{Method: "PUT", Pattern: "/v3/{on}/{scope}/users/{user}/roles/{role}", Handle: i.grantRole, Admin: true},
		{Method: "GET", Pattern: "/v3/{on}/{scope}/users/{user}/roles/{role}", Handle: i.checkGranted, Admin: true},
		{Method: "DELETE", Pattern: "/v3/{on}/{scope}/users/{user}/roles/{role}", Handle: i.withdrawRole, Admin: true},
		{Method: "GET", Pattern: "/v3/role_assignments", Handle: i.listAssignments},

		{Method: "GET", Pattern: "/v3/regions", Handle: i.listRegions},
		{Method: "GET", Pattern: "/v3/regions/{id}", Handle: i.showRegion},
		{Method: "GET", Pattern: "/v3/services", Handle: i.listServices, Admin: true},
		{Method: "GET", Pattern: "/v3/services/{id}", Handle: i.showService, Admin: true},
		{Method: "GET", Pattern: "/v3/endpoints", Handle: i.listEndpoints, Admin: true},
		{Method: "GET", Pattern: "/v3/endpoints/{id}", Handle: i.showEndpoint, Admin: true},
	}
}
