// Package troupe owns the cloud's own small API, for what no OpenStack API has a
// word for: how much the process logs, which nodes there are, and on which of
// them an actor lives. Only administrators may ask.
package troupe

import (
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
)

// Prefix is where the dialect is mounted.
const Prefix = "/troupe/v1"

// maxBody limits request bodies, in bytes: they carry one word.
const maxBody = 4 << 10

// Levels changes how much is logged.
type Levels interface {
	Level() string
	SetLevel(level string) error // Invalid if there is no such level
}

// Dialect makes the dialect.
func Dialect(levels Levels, nodes Nodes) api.Dialect {
	a := handlers{levels, nodes}
	return api.Dialect{
		Name: "troupe", Prefix: Prefix, MaxBody: maxBody, WriteError: api.WriteKeystoneError,
		Routes: []api.Route{
			{Method: http.MethodGet, Pattern: "/log-level", Handle: a.level, Admin: true},
			{Method: http.MethodPut, Pattern: "/log-level", Handle: a.setLevel, Admin: true, Write: true},
			{Method: http.MethodGet, Pattern: "/nodes", Handle: a.listNodes, Admin: true},
			{Method: http.MethodPost, Pattern: "/nodes/{name}/drain", Handle: a.drainNode, Admin: true, Write: true},
			{Method: http.MethodPost, Pattern: "/nodes/{name}/leave", Handle: a.leaveNode, Admin: true, Write: true},
			{Method: http.MethodGet, Pattern: "/actors/{kind}/{id...}", Handle: a.where, Admin: true},
		},
	}
}

type handlers struct {
	levels Levels
	nodes  Nodes
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
