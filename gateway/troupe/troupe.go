// Package troupe owns the cloud's own small API, for what no OpenStack API has a
// word for: why a server is where it is, and how much the process logs. Only
// administrators may ask.
package troupe

import (
	"encoding/json"
	"fmt"
	"net/http"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
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

// Config is what the dialect depends on.
type Config struct {
	Client cluster.Asker
	Levels Levels
}

// Dialect makes the dialect.
func Dialect(cfg Config) api.Dialect {
	a := handlers{cfg}
	return api.Dialect{
		Name: "troupe", Prefix: Prefix, MaxBody: maxBody, WriteError: api.WriteKeystoneError,
		Routes: []api.Route{
			{Method: http.MethodGet, Pattern: "/servers/{id}/decision", Handle: a.decision, Admin: true},
			{Method: http.MethodGet, Pattern: "/log-level", Handle: a.level, Admin: true},
			{Method: http.MethodPut, Pattern: "/log-level", Handle: a.setLevel, Admin: true, Write: true},
		},
	}
}

type handlers struct{ cfg Config }

// decision answers why the scheduler chose the host of a server.
func (a handlers) decision(r *api.Request) (api.Response, error) {
	to := actors.Ref{Kind: "instance", ID: r.PathValue("id")}
	d, err := cluster.Ask[*messages.Decision](r.Context(), a.cfg.Client, to, &messages.GetDecision{Scope: r.Principal.Scope()})
	if err != nil {
		return api.Response{}, err
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(d)
	if err != nil {
		return api.Response{}, fmt.Errorf("render the decision: %w", err)
	}
	return api.Response{Body: map[string]any{"decision": json.RawMessage(raw)}}, nil
}

type levelBody struct {
	Level string `json:"level"`
}

func (a handlers) level(*api.Request) (api.Response, error) {
	return api.Response{Body: levelBody{a.cfg.Levels.Level()}}, nil
}

func (a handlers) setLevel(r *api.Request) (api.Response, error) {
	var body levelBody
	if err := api.DecodeStrict(r, &body); err != nil {
		return api.Response{}, err
	}
	if err := a.cfg.Levels.SetLevel(body.Level); err != nil {
		return api.Response{}, err
	}
	return a.level(r)
}
