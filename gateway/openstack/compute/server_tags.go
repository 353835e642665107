package compute

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

type tagsBody struct {
	Tags []string `json:"tags"`
}

func shownTags(v *messages.InstanceView) tagsBody {
	if v == nil || v.Tags == nil {
		return tagsBody{[]string{}}
	}
	return tagsBody{v.Tags}
}

func (a *API) listTags(r *api.Request) (api.Response, error) {
	v, err := a.instance(r)
	return api.Response{Body: shownTags(v)}, err
}

func (a *API) showTag(r *api.Request) (api.Response, error) {
	v, err := a.instance(r)
	if err != nil {
		return api.Response{}, err
	}
	if tag := r.PathValue("tag"); !slices.Contains(v.Tags, tag) {
		return api.Response{}, notFound("Server %s has no tag '%s'", v.Id, clip(tag))
	}
	return api.Response{Status: http.StatusNoContent}, nil
}

// taggable is the server that the path names, in a state in which the API lets
// tags be changed.
func (a *API) taggable(r *api.Request, doing string) (*messages.InstanceView, error) {
	v, err := a.instance(r)
	if err != nil {
		return nil, err
	}
	switch v.VmState {
	case messages.VMState_VM_STATE_ACTIVE, messages.VMState_VM_STATE_STOPPED:
		return v, nil
	}
	return nil, conflict("Cannot '%s' instance %s while it is in vm_state %s", doing, v.Id, vmState(v))
}

// putTag answers 201 for a new tag and 204 for one that is there already.
func (a *API) putTag(r *api.Request) (api.Response, error) {
	v, err := a.taggable(r, "update tag")
	if err != nil {
		return api.Response{}, err
	}
	tag := r.PathValue("tag")
	switch {
	case tag == "" || utf8.RuneCountInString(tag) > maxTag || strings.ContainsAny(tag, ",/") || !utf8.ValidString(tag):
		return api.Response{}, badRequest("Tag '%s' is invalid. It must be a non empty string without characters '/' and ',', "+
			"with at most %d characters", clip(strings.ToValidUTF8(tag, "?")), maxTag)
	case slices.Contains(v.Tags, tag):
		return api.Response{Status: http.StatusNoContent}, nil
	case len(v.Tags) >= maxTags:
		return api.Response{}, badRequest("The number of tags exceeded the per-server limit %d", maxTags)
	}
	if _, err := a.change(r, &messages.UpdateInstance{Tags: []string{tag}}); err != nil {
		return api.Response{}, err
	}
	at := r.Base() + Prefix + root + "/servers/" + v.Id + "/tags/" + url.PathEscape(tag)
	return api.Response{Status: http.StatusCreated, Header: http.Header{"Location": {at}}}, nil
}

func (a *API) replaceTags(r *api.Request) (api.Response, error) {
	body, err := decode[tagsBody](r, putTagsSchema)
	if err != nil {
		return api.Response{}, err
	}
	if _, err := a.taggable(r, "update tags"); err != nil {
		return api.Response{}, err
	}
	v, err := a.change(r, &messages.UpdateInstance{Tags: unique(body.Tags), ReplaceTags: true})
	return api.Response{Body: shownTags(v)}, err
}

func (a *API) deleteTag(r *api.Request) (api.Response, error) {
	v, err := a.taggable(r, "delete tag")
	if err != nil {
		return api.Response{}, err
	}
	tag := r.PathValue("tag")
	if !slices.Contains(v.Tags, tag) {
		return api.Response{}, notFound("Server %s has no tag '%s'", v.Id, clip(tag))
	}
	_, err = a.change(r, &messages.UpdateInstance{RemoveTags: []string{tag}})
	return api.Response{Status: http.StatusNoContent}, err
}

func (a *API) deleteTags(r *api.Request) (api.Response, error) {
	if _, err := a.taggable(r, "delete tags"); err != nil {
		return api.Response{}, err
	}
	_, err := a.change(r, &messages.UpdateInstance{ReplaceTags: true})
	return api.Response{Status: http.StatusNoContent}, err
}
