package auth

import "github.com/troupe-cloud/troupe/gateway/nacos/api"

// bare makes the answer of handle one that is never wrapped: v1 wraps what was
// done, not what is listed.
func bare(handle api.Handler) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		a, err := handle(r)
		a.Bare, a.Data = a.Data, nil
		return a, err
	}
}

// Routes is every route of users, roles and permissions.
func (a *Auth) Routes() []api.Route {
	open, known, admin := api.Access{Public: true}, api.Access{Known: true}, api.Access{}
	routes := []api.Route{
		{Method: "POST", Pattern: "/v1/auth/login", Form: api.Rest, Access: open, Handle: a.login},
		{Method: "POST", Pattern: "/v1/auth/users/login", Form: api.Rest, Access: open, Handle: a.login},
		{Method: "POST", Pattern: "/v3/auth/user/login", Form: api.Result, Access: open, Handle: a.login},

		{Method: "GET", Pattern: "/v1/auth/users", Form: api.Rest, Access: admin, Handle: bare(a.listUsers)},
		{Method: "GET", Pattern: "/v1/auth/users/search", Form: api.Rest, Access: admin, Handle: bare(a.searchUsers)},
		{Method: "GET", Pattern: "/v3/auth/user/list", Form: api.Result, Access: admin, Handle: a.listUsers},
		{Method: "GET", Pattern: "/v3/auth/user/search", Form: api.Result, Access: admin, Handle: a.searchUsers},

		{Method: "GET", Pattern: "/v1/auth/roles", Form: api.Rest, Access: admin, Handle: bare(a.listRoles)},
		{Method: "GET", Pattern: "/v1/auth/roles/search", Form: api.Rest, Access: admin, Handle: bare(a.searchRoles)},
		{Method: "GET", Pattern: "/v3/auth/role/list", Form: api.Result, Access: admin, Handle: a.listRoles},
		{Method: "GET", Pattern: "/v3/auth/role/search", Form: api.Result, Access: admin, Handle: a.searchRoles},

		{Method: "GET", Pattern: "/v1/auth/permissions", Form: api.Rest, Access: admin, Handle: bare(a.listPermissions)},
		{Method: "GET", Pattern: "/v3/auth/permission/list", Form: api.Result, Access: admin, Handle: a.listPermissions},
		{Method: "GET", Pattern: "/v3/auth/permission", Form: api.Result, Access: admin, Handle: a.hasPermission},
	}
	for _, to := range []struct {
		prefix, ending string
		form           api.Form
	}{{"/v1/auth/", "s", api.Rest}, {"/v3/auth/", "", api.Result}} {
		user, role, permission := to.prefix+"user"+to.ending, to.prefix+"role"+to.ending, to.prefix+"permission"+to.ending
		routes = append(routes, []api.Route{
			{Method: "POST", Pattern: user, Form: to.form, Access: admin, Handle: a.createUser},
			{Method: "POST", Pattern: user + "/admin", Form: to.form, Access: open, Handle: a.firstAdmin},
			{Method: "PUT", Pattern: user, Form: to.form, Access: known, Handle: a.updateUser},
			{Method: "DELETE", Pattern: user, Form: to.form, Access: admin, Handle: a.deleteUser},
			{Method: "POST", Pattern: role, Form: to.form, Access: admin, Handle: a.addRole},
			{Method: "DELETE", Pattern: role, Form: to.form, Access: admin, Handle: a.deleteRole},
			{Method: "POST", Pattern: permission, Form: to.form, Access: admin, Handle: a.addPermission},
			{Method: "DELETE", Pattern: permission, Form: to.form, Access: admin, Handle: a.deletePermission},
		}...)
	}
	for i, r := range routes {
		if !r.Access.Public {
			routes[i].Handle = named(r.Handle)
		}
	}
	return routes
}

// named keeps accounts from those who have not said who they are, also where the
// registry does not ask: what is changed here holds in the whole cloud, and after
// --no-auth.
func named(handle api.Handler) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		if r.User == anonymous {
			return api.Answer{}, errNobody
		}
		return handle(r)
	}
}
