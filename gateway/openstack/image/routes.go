package image

import "github.com/troupe-cloud/troupe/gateway/openstack/api"

// routes lists every route of the dialect. What is not here, such as import,
// tasks and metadata definitions, is answered 404.
func (a *API) routes() []api.Route {
	return []api.Route{
		{Method: "GET", Pattern: "/", Handle: versions(300), Public: true},
		{Method: "GET", Pattern: "/versions", Handle: versions(200), Public: true},
		{Method: "GET", Pattern: "/v2/schemas/{name}", Handle: schema},
		{Method: "GET", Pattern: "/v2/info/import", Handle: importInfo},
		{Method: "GET", Pattern: "/v2/info/stores", Handle: storesInfo},

		{Method: "GET", Pattern: "/v2/images", Handle: a.list},
		{Method: "POST", Pattern: "/v2/images", Handle: a.create, Write: true},
		{Method: "GET", Pattern: "/v2/images/{id}", Handle: a.show},
		{Method: "PATCH", Pattern: "/v2/images/{id}", Handle: a.update, Write: true},
		{Method: "DELETE", Pattern: "/v2/images/{id}", Handle: a.remove, Write: true},
		{Method: "POST", Pattern: "/v2/images/{id}/actions/deactivate", Handle: a.setActive(false), Write: true},
		{Method: "POST", Pattern: "/v2/images/{id}/actions/reactivate", Handle: a.setActive(true), Write: true},

		{Method: "PUT", Pattern: "/v2/images/{id}/file", Handle: a.upload, Write: true, Stream: true},
		{Method: "GET", Pattern: "/v2/images/{id}/file", Handle: a.download, Stream: true},

		{Method: "PUT", Pattern: "/v2/images/{id}/tags/{tag}", Handle: a.addTag, Write: true},
		{Method: "DELETE", Pattern: "/v2/images/{id}/tags/{tag}", Handle: a.removeTag, Write: true},

		{Method: "GET", Pattern: "/v2/images/{id}/members", Handle: a.listMembers},
		{Method: "POST", Pattern: "/v2/images/{id}/members", Handle: a.addMember, Write: true},
		{Method: "GET", Pattern: "/v2/images/{id}/members/{member}", Handle: a.showMember},
		{Method: "PUT", Pattern: "/v2/images/{id}/members/{member}", Handle: a.updateMember, Write: true},
		{Method: "DELETE", Pattern: "/v2/images/{id}/members/{member}", Handle: a.removeMember, Write: true},
	}
}
