package identity

import (
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
)

// object is a JSON object whose keys depend on what is in it.
type object = map[string]any

// v3 is the only version there is. Its minor number says what clients may
// expect of it; 3.14 is the one without the later access rules.
func v3(r *api.Request) object {
	return object{
		"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
		"links":       []object{{"rel": "self", "href": r.Base() + Prefix + "/v3/"}},
		"media-types": []object{{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}},
	}
}

// versions answers 300, as the real service does at its root.
func (i *Identity) versions(r *api.Request) (api.Response, error) {
	return api.Response{
		Status: http.StatusMultipleChoices,
		Header: http.Header{"Location": {r.Base() + Prefix + "/v3/"}},
		Body:   object{"versions": object{"values": []object{v3(r)}}},
	}, nil
}

func (i *Identity) version(r *api.Request) (api.Response, error) {
	return api.Response{Body: object{"version": v3(r)}}, nil
}
