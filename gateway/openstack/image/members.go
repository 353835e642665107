package image

import (
	"fmt"
	"net/http"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// members are those of a shared image that the caller may know of: all for its
// owner, oneself for a member.
func (a *API) members(r *api.Request) (*messages.ImageView, []*messages.ImageMember, error) {
	v, err := a.get(r)
	if err != nil {
		return nil, nil, err
	}
	if v.Visibility != image.Shared {
		return nil, nil, fmt.Errorf("only shared images have members: %w", messages.Denied)
	}
	s, err := scope(r)
	if err != nil || s == "" || s == v.ProjectId {
		return v, v.Members, err
	}
	others := func(m *messages.ImageMember) bool { return m.ProjectId != s }
	return v, slices.DeleteFunc(slices.Clone(v.Members), others), nil
}

func (a *API) listMembers(r *api.Request) (api.Response, error) {
	v, members, err := a.members(r)
	if err != nil {
		return api.Response{}, err
	}
	list := make([]map[string]any, 0, len(members))
	for _, m := range members {
		list = append(list, renderMember(v.Id, m))
	}
	return api.Response{Body: map[string]any{"members": list, "schema": "/v2/schemas/members"}}, nil
}

func (a *API) showMember(r *api.Request) (api.Response, error) {
	v, members, err := a.members(r)
	if err != nil {
		return api.Response{}, err
	}
	return memberOf(v.Id, members, r.PathValue("member"))
}

func (a *API) addMember(r *api.Request) (api.Response, error) {
	var body struct{ Member string }
	if err := api.DecodeJSON(r, &body); err != nil {
		return api.Response{}, err
	}
	return a.changeMember(r, body.Member, func(scope string) proto.Message {
		return &messages.AddImageMember{Scope: scope, ProjectId: body.Member}
	})
}

func (a *API) updateMember(r *api.Request) (api.Response, error) {
	var body struct{ Status string }
	if err := api.DecodeJSON(r, &body); err != nil {
		return api.Response{}, err
	}
	return a.changeMember(r, r.PathValue("member"), func(scope string) proto.Message {
		return &messages.UpdateImageMember{Scope: scope, ProjectId: r.PathValue("member"), Status: body.Status}
	})
}

func (a *API) removeMember(r *api.Request) (api.Response, error) {
	return a.done(r, func(scope string) proto.Message {
		return &messages.RemoveImageMember{Scope: scope, ProjectId: r.PathValue("member")}
	})
}

func (a *API) changeMember(r *api.Request, member string, build func(string) proto.Message) (api.Response, error) {
	v, err := ask[*messages.ImageView](a, r, build)
	if err != nil {
		return api.Response{}, err
	}
	return memberOf(v.Id, v.Members, member)
}

func memberOf(id string, members []*messages.ImageMember, project string) (api.Response, error) {
	for _, m := range members {
		if m.ProjectId == project {
			return api.Response{Status: http.StatusOK, Body: renderMember(id, m)}, nil
		}
	}
	return api.Response{}, fmt.Errorf("project %.80s is not a member of image %s: %w", project, id, messages.NotFound)
}

func renderMember(id string, m *messages.ImageMember) map[string]any {
	return map[string]any{
		"member_id": m.ProjectId, "image_id": id, "status": m.Status, "schema": "/v2/schemas/member",
		"created_at": stamp(m.CreatedAt), "updated_at": stamp(m.UpdatedAt),
	}
}
