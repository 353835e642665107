package compute

import (
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

var (
	createSpecsSchema = constant("create-extra-specs", wrapped("extra_specs", extraSpecsType))
	updateSpecSchema  = constant("update-extra-spec", object{
		"type": "object", "patternProperties": extraSpecsType["patternProperties"],
		"additionalProperties": false, "minProperties": 1, "maxProperties": 1,
	})
)

type specsBody struct {
	Specs map[string]flexString `json:"extra_specs"`
}

func (a *API) listSpecs(r *api.Request) (api.Response, error) {
	f, err := a.askFlavor(r, r.PathValue("id"))
	return api.Response{Body: struct {
		Specs map[string]string `json:"extra_specs"`
	}{orEmpty(f.GetExtraSpecs())}}, err
}

func (a *API) showSpec(r *api.Request) (api.Response, error) {
	f, err := a.askFlavor(r, r.PathValue("id"))
	if err != nil {
		return api.Response{}, err
	}
	key := r.PathValue("key")
	value, ok := f.ExtraSpecs[key]
	if !ok {
		return api.Response{}, notFound("Flavor %s has no extra specs with key %s.", f.Id, clip(key))
	}
	return api.Response{Body: map[string]string{key: value}}, nil
}

func (a *API) createSpecs(r *api.Request) (api.Response, error) {
	body, err := decode[specsBody](r, createSpecsSchema)
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Body: body}, a.setSpecs(r, body.Specs)
}

func (a *API) updateSpec(r *api.Request) (api.Response, error) {
	body, err := decode[map[string]flexString](r, updateSpecSchema)
	if err != nil {
		return api.Response{}, err
	}
	if _, ok := body[r.PathValue("key")]; !ok {
		return api.Response{}, badRequest("Request body and URI mismatch")
	}
	return api.Response{Body: body}, a.setSpecs(r, body)
}

func (a *API) setSpecs(r *api.Request, specs map[string]flexString) error {
	set := make(map[string]string, len(specs))
	for k, v := range specs {
		if r.Version.AtLeast(86) {
			if err := checkSpec(k, string(v)); err != nil {
				return err
			}
		}
		set[k] = string(v)
	}
	_, err := cluster.Ask[*messages.Flavor](r.Context(), a.cloud, flavorRef(r.PathValue("id")), &messages.SetExtraSpecs{Set: set})
	return err
}

func (a *API) deleteSpec(r *api.Request) (api.Response, error) {
	_, err := a.cloud.Ask(r.Context(), flavorRef(r.PathValue("id")), &messages.SetExtraSpecs{Remove: []string{r.PathValue("key")}})
	return api.Response{}, err
}
