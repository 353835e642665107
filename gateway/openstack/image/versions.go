package image

import (
	"encoding/json"
	"fmt"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
)

// newestMinor is the newest v2.x that is served whole: hidden images and
// os_hash_value came with it, several stores with the next.
const newestMinor = 7

type link struct {
	Rel  string `json:"rel"`
	Href string `json:"href"`
}

type version struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Links  []link `json:"links"`
}

// versions answers the version document: 300 at the root, as Glance does.
func versions(status int) api.Handler {
	return func(r *api.Request) (api.Response, error) {
		links := []link{{"self", r.Base() + Prefix + "/v2/"}}
		list := make([]version, 0, newestMinor+1)
		for minor := newestMinor; minor >= 0; minor-- {
			v := version{fmt.Sprintf("v2.%d", minor), "SUPPORTED", links}
			if minor == newestMinor {
				v.Status = "CURRENT"
			}
			list = append(list, v)
		}
		return api.Response{Status: status, Body: map[string]any{"versions": list}}, nil
	}
}

// importInfo: an image's data comes by upload only.
func importInfo(*api.Request) (api.Response, error) {
	return api.Response{Body: json.RawMessage(`{"import-methods":{"description":"Import methods available.","type":"array","value":[]}}`)}, nil
}

// storesInfo: there is one store, so there is none to choose from.
func storesInfo(*api.Request) (api.Response, error) {
	return api.Response{}, api.ErrNoRoute
}
