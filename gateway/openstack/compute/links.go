package compute

import "github.com/troupe-cloud/troupe/gateway/openstack/api"

type link struct {
	Rel  string `json:"rel"`
	Href string `json:"href"`
	Type string `json:"type,omitempty"`
}

// links are the two addresses of a resource: with the API's version, and
// without it, to be kept.
func links(r *api.Request, collection, id string) []link {
	return []link{
		{Rel: "self", Href: r.Base() + Prefix + root + "/" + collection + "/" + id},
		bookmark(r, collection, id),
	}
}

func bookmark(r *api.Request, collection, id string) link {
	return link{Rel: "bookmark", Href: r.Base() + Prefix + "/" + collection + "/" + id}
}

// nextLink is the link to the page after the one that ends with last, where
// the page is full; as in Nova, the page after may turn out to be empty.
func nextLink(r *api.Request, page api.Page, n int, last string) []link {
	if n == 0 || n < page.Limit {
		return nil
	}
	return []link{{Rel: "next", Href: api.NextLink(r, last)}}
}
