// Package troupe owns the cloud's own small API, for what no OpenStack API has a
// word for: how much the process logs, which nodes there are, and on which of
// them an actor lives, for administrators alone; and, for every project, scaling
// groups. It keeps no number of servers up: the groups' actors do.
package troupe

import (
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/order"
)

// Prefix is where the dialect is mounted.
const Prefix = "/troupe/v1"

// maxBody limits request bodies, in bytes: the user data and metadata of a template
// are the largest that they carry.
const maxBody = 256 << 10

// Levels changes how much is logged.
type Levels interface {
	Level() string
	SetLevel(level string) error // Invalid if there is no such level
}

// Dialect makes the dialect.
func Dialect(levels Levels, nodes Nodes, cloud order.Cloud) api.Dialect {
	a := handlers{levels, nodes, cloud}
	return api.Dialect{
		Name: "troupe", Prefix: Prefix, MaxBody: maxBody, WriteError: api.WriteKeystoneError,
		Routes: []api.Route{
			{Method: http.MethodGet, Pattern: "/log-level", Handle: a.level, Admin: true},
			{Method: http.MethodPut, Pattern: "/log-level", Handle: a.setLevel, Admin: true, Write: true},
			{Method: http.MethodGet, Pattern: "/nodes", Handle: a.listNodes, Admin: true},
			{Method: http.MethodPost, Pattern: "/nodes/{name}/drain", Handle: a.drainNode, Admin: true, Write: true},
			{Method: http.MethodPost, Pattern: "/nodes/{name}/leave", Handle: a.leaveNode, Admin: true, Write: true},
			{Method: http.MethodGet, Pattern: "/actors/{kind}/{id...}", Handle: a.where, Admin: true},

			{Method: http.MethodPost, Pattern: "/groups", Handle: a.createGroup, Write: true},
			{Method: http.MethodGet, Pattern: "/groups", Handle: a.listGroups},
			{Method: http.MethodGet, Pattern: "/groups/{id}", Handle: a.showGroup},
			{Method: http.MethodPatch, Pattern: "/groups/{id}", Handle: a.updateGroup, Write: true},
			{Method: http.MethodDelete, Pattern: "/groups/{id}", Handle: a.deleteGroup, Write: true},
			{Method: http.MethodPost, Pattern: "/groups/{id}/roll", Handle: a.rollGroup, Write: true},
			{Method: http.MethodPost, Pattern: "/groups/{id}/rollback", Handle: a.rollbackGroup, Write: true},
		},
	}
}

type handlers struct {
	levels Levels
	nodes  Nodes
	cloud  order.Cloud
}

type levelBody struct {
	Level string `json:"level"`
}

func (h handlers) level(*api.Request) (api.Response, error) {
	return api.Response{Body: levelBody{h.levels.Level()}}, nil
}

func (h handlers) setLevel(r *api.Request) (api.Response, error) {
	var body levelBody
	if err := api.DecodeStrict(r, &body); err != nil {
		return api.Response{}, err
	}
	if err := h.levels.SetLevel(body.Level); err != nil {
		return api.Response{}, err
	}
	return h.level(r)
}
