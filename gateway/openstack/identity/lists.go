package identity

import (
	"maps"

	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
)

// self is the links object of a list that is whole.
func self(r *api.Request) object {
	return object{"self": r.Base() + r.URL.EscapedPath(), "previous": nil, "next": nil}
}

// link is the links object of one thing.
func link(r *api.Request, collection, id string) object {
	return object{"self": r.Base() + Prefix + "/v3/" + collection + "/" + id}
}

// listed answers a list of which more says whether it goes on after last.
func listed(r *api.Request, name string, items []object, more bool) api.Response {
	links := self(r)
	if items == nil {
		items = []object{}
	}
	if more {
		last, _ := items[len(items)-1]["id"].(string)
		links["next"] = api.NextLink(r, last)
	}
	return api.Response{Body: object{name: items, "links": links}}
}

// page is where a list is to begin and how long it may be.
func page(r *api.Request) (after string, limit int32, err error) {
	p, err := api.PageOf(r.URL.Query(), directory.MaxList)
	return p.Marker, int32(p.Limit), err
}

// with is o and the additional properties, which never hide a property of o.
func with(o object, extra map[string]string) object {
	all := make(object, len(o)+len(extra))
	for k, v := range extra {
		all[k] = v
	}
	maps.Copy(all, o)
	return all
}

func views[T any](r *api.Request, items []T, view func(*api.Request, T) object) []object {
	var all []object
	for _, item := range items {
		all = append(all, view(r, item))
	}
	return all
}
