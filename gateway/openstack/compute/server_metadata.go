package compute

import (
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/order"
	"github.com/troupe-cloud/troupe/messages"
)

type metadataBody struct {
	Metadata map[string]string `json:"metadata"`
}

type metaBody struct {
	Meta map[string]string `json:"meta"`
}

func (a *API) listMetadata(r *api.Request) (api.Response, error) {
	v, err := a.instance(r)
	return api.Response{Body: metadataBody{orEmpty(v.GetMetadata())}}, err
}

func (a *API) showMetadata(r *api.Request) (api.Response, error) {
	v, err := a.instance(r)
	if err != nil {
		return api.Response{}, err
	}
	key := r.PathValue("key")
	value, ok := v.Metadata[key]
	if !ok {
		return api.Response{}, notFound("Metadata item was not found")
	}
	return api.Response{Body: metaBody{map[string]string{key: value}}}, nil
}

// mergeMetadata adds to what there is; replaceMetadata puts it in its place.
func (a *API) mergeMetadata(r *api.Request) (api.Response, error) { return a.setMetadata(r, false) }

func (a *API) replaceMetadata(r *api.Request) (api.Response, error) { return a.setMetadata(r, true) }

func (a *API) setMetadata(r *api.Request, replace bool) (api.Response, error) {
	body, err := decode[metadataBody](r, putMetadataSchema)
	if err != nil {
		return api.Response{}, err
	}
	v, err := a.changeMetadata(r, body.Metadata, replace)
	return api.Response{Body: metadataBody{orEmpty(v.GetMetadata())}}, err
}

func (a *API) putMetadata(r *api.Request) (api.Response, error) {
	body, err := decode[metaBody](r, putMetaSchema)
	if err != nil {
		return api.Response{}, err
	}
	if _, ok := body.Meta[r.PathValue("key")]; !ok {
		return api.Response{}, badRequest("Request body and URI mismatch")
	}
	_, err = a.changeMetadata(r, body.Meta, false)
	return api.Response{Body: body}, err
}

// changeMetadata looks at the quota first: how many items a server may have is
// the project's to say, and the server does not know.
func (a *API) changeMetadata(r *api.Request, items map[string]string, replace bool) (*messages.InstanceView, error) {
	v, err := a.instance(r)
	if err != nil {
		return nil, err
	}
	q, err := a.quota(r, v.ProjectId)
	if err != nil {
		return nil, err
	}
	n := len(items)
	if !replace {
		for k := range v.Metadata {
			if _, again := items[k]; !again {
				n++
			}
		}
	}
	if err := order.MetadataFits(q, n); err != nil {
		return nil, err
	}
	return a.change(r, &messages.UpdateInstance{Metadata: items, ReplaceMetadata: replace})
}

func (a *API) deleteMetadata(r *api.Request) (api.Response, error) {
	v, err := a.instance(r)
	if err != nil {
		return api.Response{}, err
	}
	key := r.PathValue("key")
	if _, ok := v.Metadata[key]; !ok {
		return api.Response{}, notFound("Metadata item was not found")
	}
	_, err = a.change(r, &messages.UpdateInstance{RemoveMetadata: []string{key}})
	return api.Response{Status: http.StatusNoContent}, err
}
