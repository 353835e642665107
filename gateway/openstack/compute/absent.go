package compute

import "github.com/troupe-cloud/troupe/gateway/openstack/api"

// What this cloud has none of: an empty list is the truth, and what clients
// expect when they ask in passing.

func (a *API) listAggregates(*api.Request) (api.Response, error) {
	return api.Response{Body: struct {
		Aggregates []any `json:"aggregates"`
	}{[]any{}}}, nil
}

func (a *API) showAggregate(r *api.Request) (api.Response, error) {
	return api.Response{}, notFound("Aggregate %s could not be found.", clip(r.PathValue("id")))
}

func (a *API) listServerGroups(*api.Request) (api.Response, error) {
	return api.Response{Body: struct {
		Groups []any `json:"server_groups"`
	}{[]any{}}}, nil
}

func (a *API) showServerGroup(r *api.Request) (api.Response, error) {
	return api.Response{}, notFound("Instance group %s could not be found.", clip(r.PathValue("id")))
}

func (a *API) noAggregates(*api.Request) (api.Response, error) {
	return api.Response{}, unsupported("Aggregates are not supported.")
}

func (a *API) noServerGroups(*api.Request) (api.Response, error) {
	return api.Response{}, unsupported("Server groups are not supported.")
}

func (a *API) noVolumes(r *api.Request) (api.Response, error) {
	if _, err := a.instance(r); err != nil {
		return api.Response{}, err
	}
	return api.Response{}, unsupported("Volumes are not supported.")
}

// extensions were how the API grew before microversions; some clients still ask.
func (a *API) listExtensions(*api.Request) (api.Response, error) {
	return api.Response{Body: struct {
		Extensions []any `json:"extensions"`
	}{[]any{}}}, nil
}
