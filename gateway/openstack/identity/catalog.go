package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// Service is one entry of the catalog. Only what is really mounted belongs
// there: clients call every service they see.
type Service struct {
	Type string // compute, image, network, volumev3, ...
	Name string // nova, glance, ...
	Path string // below the base URL; $(project_id)s is replaced
}

// interfaces that every service has, all with one address.
var interfaces = []string{"admin", "internal", "public"}

// stableID is an id that is the same on every node and after every restart.
func stableID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// url is where a service is for a project; false where it needs a project and
// there is none.
func (s Service) url(base, project string) (string, bool) {
	const placeholder = "$(project_id)s"
	if project == "" && strings.Contains(s.Path, placeholder) {
		return "", false
	}
	return base + strings.ReplaceAll(s.Path, placeholder, project), true
}

// catalog is what a token for project shows.
func (i *Identity) catalog(r *api.Request, project string) []object {
	var entries []object
	for _, s := range i.cfg.Catalog {
		url, ok := s.url(r.Base(), project)
		if !ok {
			continue
		}
		var endpoints []object
		for _, face := range interfaces {
			endpoints = append(endpoints, object{"id": stableID(s.Type, face), "interface": face, "url": url,
				"region": i.cfg.Region, "region_id": i.cfg.Region})
		}
		entries = append(entries, object{"id": stableID(s.Type), "type": s.Type, "name": s.Name, "endpoints": endpoints})
	}
	return entries
}

func (i *Identity) showCatalog(r *api.Request) (api.Response, error) {
	if r.Principal.ProjectID == "" && r.Principal.DomainID == "" {
		return api.Response{}, forbidden("a catalog needs a scoped token")
	}
	return api.Response{Body: object{"catalog": i.catalog(r, r.Principal.ProjectID), "links": self(r)}}, nil
}

func (i *Identity) region(r *api.Request) object {
	return object{"id": i.cfg.Region, "description": "", "parent_region_id": nil, "links": link(r, "regions", i.cfg.Region)}
}

func (i *Identity) listRegions(r *api.Request) (api.Response, error) {
	return api.Response{Body: object{"regions": []object{i.region(r)}, "links": self(r)}}, nil
}

func (i *Identity) showRegion(r *api.Request) (api.Response, error) {
	if r.PathValue("id") != i.cfg.Region {
		return api.Response{}, notFound("region", r.PathValue("id"))
	}
	return api.Response{Body: object{"region": i.region(r)}}, nil
}

func (i *Identity) services(r *api.Request) []object {
	all := []object{}
	for _, s := range i.cfg.Catalog {
		id := stableID(s.Type)
		all = append(all, object{"id": id, "type": s.Type, "name": s.Name, "description": "", "enabled": true, "links": link(r, "services", id)})
	}
	return all
}

func (i *Identity) endpoints(r *api.Request) []object {
	all := []object{}
	for _, s := range i.cfg.Catalog {
		for _, face := range interfaces {
			id := stableID(s.Type, face)
			all = append(all, object{"id": id, "service_id": stableID(s.Type), "interface": face, "enabled": true,
				"url": r.Base() + s.Path, "region": i.cfg.Region, "region_id": i.cfg.Region, "links": link(r, "endpoints", id)})
		}
	}
	return all
}

func (i *Identity) listServices(r *api.Request) (api.Response, error) {
	found := filter(i.services(r), r, "type", "name")
	return api.Response{Body: object{"services": found, "links": self(r)}}, nil
}

func (i *Identity) showService(r *api.Request) (api.Response, error) {
	return oneOf(i.services(r), "service", r.PathValue("id"))
}

func (i *Identity) listEndpoints(r *api.Request) (api.Response, error) {
	found := filter(i.endpoints(r), r, "interface", "service_id", "region_id")
	return api.Response{Body: object{"endpoints": found, "links": self(r)}}, nil
}

func (i *Identity) showEndpoint(r *api.Request) (api.Response, error) {
	return oneOf(i.endpoints(r), "endpoint", r.PathValue("id"))
}

// filter keeps the objects that have what the query asks for under these keys.
func filter(all []object, r *api.Request, keys ...string) []object {
	q, kept := r.URL.Query(), []object{}
	for _, o := range all {
		ok := true
		for _, k := range keys {
			ok = ok && (q.Get(k) == "" || o[k] == q.Get(k))
		}
		if ok {
			kept = append(kept, o)
		}
	}
	return kept
}

func oneOf(all []object, what, id string) (api.Response, error) {
	for _, o := range all {
		if o["id"] == id {
			return api.Response{Body: object{what: o}}, nil
		}
	}
	return api.Response{}, notFound(what, id)
}

func notFound(what, id string) error {
	return api.Refuse(messages.NotFound, "Could not find %s: %s.", what, id)
}

func forbidden(why string) error {
	return api.Refuse(messages.Denied, "You are not authorized to perform the requested action: %s.", why)
}
