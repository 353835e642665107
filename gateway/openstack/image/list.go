package image

import (
	"errors"
	"fmt"

	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

func (a *API) list(r *api.Request) (api.Response, error) {
	q, err := parseQuery(r)
	if err != nil {
		return api.Response{}, err
	}
	images, err := a.page(r, q)
	if err != nil {
		return api.Response{}, err
	}
	more := len(images) > q.limit
	if more {
		images = images[:q.limit]
	}
	list := make([]map[string]any, 0, len(images))
	for _, v := range images {
		list = append(list, render(v))
	}
	body := map[string]any{"images": list, "schema": "/v2/schemas/images", "first": q.link("")}
	if more && len(images) > 0 {
		body["next"] = q.link(images[len(images)-1].Id)
	}
	return api.Response{Body: body}, nil
}

// page is the images that the query asks for, and one more if there is one.
func (a *API) page(r *api.Request, q query) ([]*messages.ImageView, error) {
	marker, err := a.marker(r, q)
	if err != nil {
		return nil, err
	}
	if q.sorted() {
		return a.sortedPage(r, q, marker)
	}
	after := ""
	if marker != nil {
		after = image.Newest(marker.CreatedAt, marker.Id)
	}
	var found []*messages.ImageView
	err = a.scan(r, q, after, func(v *messages.ImageView) (bool, error) {
		found = append(found, v)
		return len(found) <= q.limit, nil
	})
	return found, err
}

// sortedPage is page in an order that no index has.
func (a *API) sortedPage(r *api.Request, q query, marker *messages.ImageView) ([]*messages.ImageView, error) {
	var all []*messages.ImageView
	err := a.scan(r, q, "", func(v *messages.ImageView) (bool, error) {
		if len(all) == maxSorted {
			return false, fmt.Errorf("more than %d images cannot be sorted; ask for fewer by a filter: %w", maxSorted, messages.Invalid)
		}
		all = append(all, v)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	q.sort(all)
	if marker != nil {
		for len(all) > 0 && q.compare(all[0], marker) <= 0 {
			all = all[1:]
		}
	}
	return all[:min(len(all), q.limit+1)], nil
}

// marker is the image that the page before ended with; nil if there was none.
func (a *API) marker(r *api.Request, q query) (*messages.ImageView, error) {
	if q.marker == "" {
		return nil, nil
	}
	if !isUUID(q.marker) {
		return nil, fmt.Errorf("invalid marker: there is no image %.80s: %w", q.marker, messages.Invalid)
	}
	v, err := cluster.Ask[*messages.ImageView](r.Context(), a.cloud, image.Ref(q.marker), &messages.GetImage{Scope: q.scope})
	if errors.Is(err, messages.NotFound) {
		return nil, fmt.Errorf("invalid marker: there is no image %s: %w", q.marker, messages.Invalid)
	}
	return v, err
}
