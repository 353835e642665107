package troupe

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/group"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/order"
	"github.com/troupe-cloud/troupe/gateway/troupe/shape"
	"github.com/troupe-cloud/troupe/messages"
)

// MaxGroups is how many scaling groups a project may have.
const MaxGroups = 100

// maxGroupsListed is how many groups one list shows; marker goes on after the last.
const maxGroupsListed = 500

// createGroup answers 201 once the group is committed; its servers come after.
func (h handlers) createGroup(r *api.Request) (api.Response, error) {
	var body struct {
		Group newGroupBody `json:"group"`
	}
	if err := api.DecodeStrict(r, &body); err != nil {
		return api.Response{}, err
	}
	p := r.Principal
	if p.ProjectID == "" {
		return api.Response{}, api.Refuse(messages.Invalid, "A group belongs to a project: ask with a token of one.")
	}
	if err := h.roomForGroup(r.Context(), p.ProjectID); err != nil {
		return api.Response{}, err
	}
	b := &body.Group
	template := &messages.CreateInstance{Hostname: order.Hostname(b.Name, "group")}
	order.Complete(template)
	template.AdminPassword = "" // not one for all
	if err := h.resolve(r, template, b.templateBody, true); err != nil {
		return api.Response{}, err
	}
	return h.askGroup(r, http.StatusCreated, uuid.NewString(), &messages.CreateGroup{
		Name: b.Name, ProjectId: p.ProjectID, UserId: p.UserID, RequestId: r.ID,
		Desired: b.Desired, Policy: b.policy(), Template: template,
	})
}

// roomForGroup refuses one group too many. Two at the same moment may both be let in.
func (h handlers) roomForGroup(ctx context.Context, project string) error {
	entries, _, err := h.cloud.List(ctx, cluster.Page{Prefix: group.IndexPrefix(project), Limit: MaxGroups})
	if err == nil && len(entries) >= MaxGroups {
		err = api.Refuse(messages.Exhausted, "A project may have %d groups.", MaxGroups)
	}
	return err
}

// listGroups lists the project's groups, the newest first; for administrators who
// ask for all_projects, those of all.
func (h handlers) listGroups(r *api.Request) (api.Response, error) {
	prefix := group.IndexPrefix(r.Principal.ProjectID)
	switch q := r.URL.Query(); {
	case r.Principal.Admin() && (q.Get("all_projects") == "true" || q.Get("all_projects") == "1"):
		prefix = group.IndexPrefix("")
	case r.Principal.ProjectID == "":
		prefix = group.IndexPrefix(api.Nobody)
	}
	all := []shape.Group{}
	err := order.Each(r.Context(), h.cloud, prefix, func(e actors.Entry) (bool, error) {
		v, err := order.Read(e, &messages.GroupView{})
		if err == nil {
			all = append(all, newGroupView(v))
		}
		return len(all) < maxGroupsListed, err
	})
	return api.Response{Body: map[string]any{"groups": all}}, err
}

func (h handlers) showGroup(r *api.Request) (api.Response, error) {
	return h.askGroup(r, http.StatusOK, r.PathValue("id"), &messages.GetGroup{Scope: r.Principal.Scope()})
}

// updateGroup changes how many members there are, and what the group may do.
func (h handlers) updateGroup(r *api.Request) (api.Response, error) {
	var body struct {
		Group changedGroupBody `json:"group"`
	}
	if err := api.DecodeStrict(r, &body); err != nil {
		return api.Response{}, err
	}
	return h.askGroup(r, http.StatusOK, r.PathValue("id"), body.Group.command(r.Principal.Scope()))
}

// rollGroup changes the template by what the body says, and has the members follow.
func (h handlers) rollGroup(r *api.Request) (api.Response, error) {
	var body struct {
		Template templateBody `json:"template"`
		Restart  bool         `json:"restart"` // also if nothing differs
	}
	if err := api.DecodeStrict(r, &body); err != nil {
		return api.Response{}, err
	}
	id, scope := r.PathValue("id"), r.Principal.Scope()
	now, err := cluster.Ask[*messages.GroupView](r.Context(), h.cloud, group.Ref(id), &messages.GetGroup{Scope: scope})
	if err != nil {
		return api.Response{}, err
	}
	template := proto.CloneOf(now.Template)
	if err := h.resolve(r, template, body.Template, false); err != nil {
		return api.Response{}, err
	}
	roll := &messages.RollGroup{Scope: scope, Template: template, FromRevision: now.Revision, Mark: now.TemplateMark}
	if body.Restart {
		roll.Mark = r.ID
	}
	return h.askGroup(r, http.StatusAccepted, id, roll)
}

// rollbackGroup leaves the revision that the body names, or the present one.
func (h handlers) rollbackGroup(r *api.Request) (api.Response, error) {
	id, scope := r.PathValue("id"), r.Principal.Scope()
	now, err := cluster.Ask[*messages.GroupView](r.Context(), h.cloud, group.Ref(id), &messages.GetGroup{Scope: scope})
	if err != nil {
		return api.Response{}, err
	}
	return h.askGroup(r, http.StatusAccepted, id, &messages.RollbackGroup{Scope: scope, FromRevision: now.Revision})
}

// deleteGroup answers 202: the members go first.
func (h handlers) deleteGroup(r *api.Request) (api.Response, error) {
	_, err := h.cloud.Ask(r.Context(), group.Ref(r.PathValue("id")), &messages.DeleteGroup{Scope: r.Principal.Scope()})
	return api.Response{Status: http.StatusAccepted}, err
}

// askGroup answers with the group as it is after m.
func (h handlers) askGroup(r *api.Request, status int, id string, m proto.Message) (api.Response, error) {
	v, err := cluster.Ask[*messages.GroupView](r.Context(), h.cloud, group.Ref(id), m)
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Status: status, Body: map[string]any{"group": newGroupView(v)}}, nil
}
