package image

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// propertyCopies is the property by which an image whose content has too few
// copies says so. copiesTime bounds what finding it out may cost.
const (
	propertyCopies = "troupe_copies"
	copiesTime     = time.Second
)

func (a *API) create(r *api.Request) (api.Response, error) {
	s, err := scope(r)
	if err != nil {
		return api.Response{}, err
	}
	raw, err := api.ReadJSON(r)
	if err != nil {
		return api.Response{}, err
	}
	v, err := newImage(raw)
	if err != nil {
		return api.Response{}, err
	}
	switch {
	case v.ProjectId == "":
		v.ProjectId = r.Principal.ProjectID
	case s != "" && v.ProjectId != s:
		return api.Response{}, fmt.Errorf("you are not permitted to create images owned by '%.80s': %w", v.ProjectId, messages.Denied)
	}
	made, err := cluster.Ask[*messages.ImageView](r.Context(), a.cloud, image.Ref(v.Id), &messages.CreateImage{Scope: s, Image: v})
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{
		Status: http.StatusCreated, Body: render(made),
		Header: http.Header{"Location": {r.Base() + Prefix + "/v2/images/" + made.Id}},
	}, nil
}

func (a *API) show(r *api.Request) (api.Response, error) {
	v, err := a.get(r)
	if err != nil {
		return api.Response{}, err
	}
	body := render(v)
	if n := a.missing(r, v); n != "" {
		body[propertyCopies] = n
	}
	return api.Response{Body: body}, nil
}

// missing says how many durable copies an image's content has, if those are
// fewer than promised: "1 of 2". An operator sees by it what a failure would lose.
func (a *API) missing(r *api.Request, v *messages.ImageView) string {
	if v.Sha256 == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(r.Context(), copiesTime)
	defer cancel()
	have, want, err := a.cfg.Blobs.Copies(ctx, v.Sha256)
	if err != nil || have >= want {
		return "" // not known is not missing
	}
	return fmt.Sprintf("%d of %d", have, want)
}

func (a *API) remove(r *api.Request) (api.Response, error) {
	return a.done(r, func(scope string) proto.Message { return &messages.DeleteImage{Scope: scope} })
}

func (a *API) setActive(active bool) api.Handler {
	return func(r *api.Request) (api.Response, error) {
		return a.done(r, func(scope string) proto.Message { return &messages.SetImageActive{Scope: scope, Active: active} })
	}
}

func (a *API) addTag(r *api.Request) (api.Response, error) {
	return a.done(r, func(scope string) proto.Message {
		return &messages.UpdateImage{Scope: scope, AddTags: []string{r.PathValue("tag")}}
	})
}

func (a *API) removeTag(r *api.Request) (api.Response, error) {
	return a.done(r, func(scope string) proto.Message {
		return &messages.UpdateImage{Scope: scope, RemoveTags: []string{r.PathValue("tag")}}
	})
}

// done asks and answers 204, whatever comes back.
func (a *API) done(r *api.Request, build func(scope string) proto.Message) (api.Response, error) {
	if _, err := ask[proto.Message](a, r, build); err != nil {
		return api.Response{}, err
	}
	return api.Response{Status: http.StatusNoContent}, nil
}
