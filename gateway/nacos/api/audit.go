package api

import "net/http"

// audited are the parameters that say what was written to. No content, no
// description and no secret is among them.
var audited = []string{
	"namespaceId", "tenant", "customNamespaceId", "namespace", "groupName", "group", "serviceName", "dataId",
	"clusterName", "cluster", "ip", "port", "role", "resource", "action", "entry", "value", "ids", "policy", "connectionId",
}

// maxAudited bounds each value in the line.
const maxAudited = 256

// audit writes who changed what, from where, and whether it was done.
func (x *exchange) audit() {
	r := x.req.Route
	if r == nil || r.Quiet || !r.changes() {
		return
	}
	log := &x.server.audits
	if r.Access.Resource != nil && r.Access.Resource(&x.req).Type == Naming {
		log = &x.server.cfg.Log // of a storm of registrations not every line is kept
	}
	e := log.Info()
	if !e.Enabled() {
		return
	}
	name := ""
	if x.req.User != nil {
		name = x.req.User.Name
	}
	e = e.Str("user", name).Str("client", x.req.ClientIP).Str("method", r.Method).Str("route", r.Pattern).
		Int("status", x.Status).Str("request", x.req.ID)
	for _, key := range audited {
		if v := x.req.Params.Get(key); v != "" {
			e = e.Str(key, v[:min(len(v), maxAudited)])
		}
	}
	if of := x.req.Params.Get(paramUsername); of != "" && of != name {
		e = e.Str("of", of[:min(len(of), maxAudited)])
	}
	e.Msg("audit")
}

// changes says whether a request of the route is meant to change something.
func (r *Route) changes() bool {
	if r.Method == http.MethodGet {
		return false
	}
	return r.Access.Action == Write || r.Access.Action == "" && !r.Access.Public
}
