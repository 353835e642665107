package eureka

import (
	"net/http"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

// mux has every route below each of the prefixes that clients use.
func (a *API) mux() http.Handler {
	m := http.NewServeMux()
	for _, prefix := range []string{Prefix, Prefix + "/v1", Prefix + "/v2"} {
		for _, r := range []struct {
			method, path string
			body         int64
			handle       func(*request) (reply, error)
		}{
			{"GET", "/apps", 0, a.all},
			{"GET", "/apps/delta", 0, a.changes},
			{"GET", "/apps/{app}", 0, a.app},
			{"POST", "/apps/{app}", MaxBody, a.register},
			{"GET", "/apps/{app}/{id}", 0, a.instance},
			{"PUT", "/apps/{app}/{id}", 0, a.renew},
			{"DELETE", "/apps/{app}/{id}", 0, a.cancelLease},
			{"PUT", "/apps/{app}/{id}/status", 0, a.setStatus},
			{"DELETE", "/apps/{app}/{id}/status", 0, a.clearStatus},
			{"PUT", "/apps/{app}/{id}/metadata", 0, a.setMetadata},
			{"GET", "/instances/{id}", 0, a.instanceByID},
			{"GET", "/vips/{vip}", 0, a.vip},
			{"GET", "/svips/{vip}", 0, a.svip},
			{"PUT", "/asg/{name}/status", 0, a.scalingGroup},
			{"POST", "/peerreplication/batch", MaxBatch, a.batch},
			{"GET", "/status", 0, a.status},
			{"GET", "/serverinfo/statusoverrides", 0, a.overrides},
		} {
			m.Handle(r.method+" "+prefix+r.path, a.handle(r.body, r.handle))
		}
	}
	return m
}

// appName is the application that a path names.
func (x *request) appName() string { return strings.ToUpper(x.PathValue("app")) }

// may is what the user may read; nil: everything.
func (a *API) may(x *request) may {
	read := func(name string) bool { return x.user.May(api.Read, a.resource(name)) }
	if read("") {
		return nil
	}
	return read
}

func (a *API) resource(name string) api.Resource {
	return api.Resource{Namespace: a.cfg.Namespace, Group: a.cfg.Group, Type: api.Naming, Name: name}
}

// mayWrite refuses who may not change the instances of a service.
func (a *API) mayWrite(x *request, name string) error {
	if !x.user.May(api.Write, a.resource(name)) {
		return errForbidden
	}
	return nil
}
