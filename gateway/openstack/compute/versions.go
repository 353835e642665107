package compute

import (
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
)

// The microversions served. microversions.md says for each what it changes here.
var (
	MinVersion = api.Version{Major: 2, Minor: 1}
	MaxVersion = api.Version{Major: 2, Minor: 96}
)

var microversions = api.NewMicroversions("compute", "X-OpenStack-Nova-API-Version", MinVersion, MaxVersion)

// negotiate chooses the microversion. The version documents have none: a
// client reads them to learn what it may ask for.
func negotiate(r *api.Request, h http.Header) error {
	if r.URL.Path == Prefix || r.URL.Path == Prefix+root {
		return nil
	}
	return microversions.Negotiate(r, h)
}

type mediaType struct {
	Base string `json:"base"`
	Type string `json:"type"`
}

type version struct {
	ID         string      `json:"id"`
	Status     string      `json:"status"`
	Version    string      `json:"version"`
	MinVersion string      `json:"min_version"`
	Updated    string      `json:"updated"`
	Links      []link      `json:"links"`
	MediaTypes []mediaType `json:"media-types,omitempty"`
}

func currentVersion(r *api.Request) version {
	return version{
		ID: "v2.1", Status: "CURRENT", Updated: "2013-07-23T11:33:21Z",
		Version: MaxVersion.String(), MinVersion: MinVersion.String(),
		Links: []link{{Rel: "self", Href: r.Base() + Prefix + root + "/"}},
	}
}

// listVersions names the one version there is; v2.0 is not served.
func (a *API) listVersions(r *api.Request) (api.Response, error) {
	return api.Response{Body: struct {
		Versions []version `json:"versions"`
	}{[]version{currentVersion(r)}}}, nil
}

func (a *API) showVersion(r *api.Request) (api.Response, error) {
	v := currentVersion(r)
	v.Links = append(v.Links, link{
		Rel: "describedby", Type: "text/html", Href: "https://docs.openstack.org/api-ref/compute/",
	})
	v.MediaTypes = []mediaType{{"application/json", "application/vnd.openstack.compute+json;version=2.1"}}
	return api.Response{Body: struct {
		Version version `json:"version"`
	}{v}}, nil
}
