package compute

import (
	"maps"
	"net/http"
	"slices"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

func projectRef(id string) actors.Ref { return actors.Ref{Kind: "project", ID: id} }

// quota is what a project may have, and has.
func (a *API) quota(r *api.Request, project string) (*messages.QuotaView, error) {
	return cluster.Ask[*messages.QuotaView](r.Context(), a.cloud, projectRef(project), &messages.GetQuota{})
}

// Quotas that the API showed once and that were never ours to limit: they are
// shown as unlimited until the version that took them away.
var (
	networkQuotas = []string{"fixed_ips", "floating_ips", "security_groups", "security_group_rules"}
	fileQuotas    = []string{"injected_files", "injected_file_content_bytes", "injected_file_path_bytes"}
)

const unlimited = -1

// shownQuotas are the names of the quotas at the version of r.
func shownQuotas(r *api.Request, limits map[string]int64) []string {
	names := slices.Sorted(maps.Keys(limits))
	if r.Version.AtLeast(57) {
		names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(fileQuotas, n) })
	}
	if !r.Version.AtLeast(36) {
		names = append(names, networkQuotas...)
	}
	return names
}

func limitOf(limits map[string]int64, name string) int64 {
	if l, ok := limits[name]; ok {
		return l
	}
	return unlimited
}

type quotaUse struct {
	InUse    int64 `json:"in_use"`
	Limit    int64 `json:"limit"`
	Reserved int64 `json:"reserved"`
}

// quotaProject is the project that the path names, if the caller may ask of it.
func quotaProject(r *api.Request) (string, error) {
	id := r.PathValue("project")
	if id != r.Principal.ProjectID && !r.Principal.Admin() {
		return "", forbidden("Policy doesn't allow os_compute_api:os-quota-sets:show to be performed.")
	}
	if !r.Version.AtLeast(75) {
		return id, nil
	}
	query, err := queryOf(r)
	if err != nil {
		return "", err
	}
	return id, onlyParams(query, "user_id")
}

// quotaSet renders limits, with the project's id unless that is empty.
func quotaSet(r *api.Request, id string, limits map[string]int64) api.Response {
	set := map[string]any{}
	if id != "" {
		set["id"] = id
	}
	for _, name := range shownQuotas(r, limits) {
		set[name] = limitOf(limits, name)
	}
	return api.Response{Body: map[string]any{"quota_set": set}}
}

func (a *API) askedQuota(r *api.Request) (string, *messages.QuotaView, error) {
	id, err := quotaProject(r)
	if err != nil {
		return "", nil, err
	}
	q, err := a.quota(r, id)
	return id, q, err
}

func (a *API) showQuota(r *api.Request) (api.Response, error) {
	id, q, err := a.askedQuota(r)
	if err != nil {
		return api.Response{}, err
	}
	return quotaSet(r, id, q.Limits), nil
}

func (a *API) showQuotaDefaults(r *api.Request) (api.Response, error) {
	id, q, err := a.askedQuota(r)
	if err != nil {
		return api.Response{}, err
	}
	return quotaSet(r, id, q.Defaults), nil
}

func (a *API) showQuotaDetail(r *api.Request) (api.Response, error) {
	id, q, err := a.askedQuota(r)
	if err != nil {
		return api.Response{}, err
	}
	set := map[string]any{"id": id}
	for _, name := range shownQuotas(r, q.Limits) {
		set[name] = quotaUse{InUse: q.Used[name], Limit: limitOf(q.Limits, name)}
	}
	return api.Response{Body: map[string]any{"quota_set": set}}, nil
}

var updateQuotaSchema = versioned("quota-set", func(minor int) object {
	names := []string{"instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members"}
	if minor < 36 {
		names = append(names, networkQuotas...)
	}
	if minor < 57 {
		names = append(names, fileQuotas...)
	}
	f := object{"force": booleanType}
	for _, n := range names {
		f[n] = quotaLimit
	}
	return wrapped("quota_set", fields(f))
}, 36, 57)

func (a *API) updateQuota(r *api.Request) (api.Response, error) {
	body, err := decode[struct {
		Set map[string]flexString `json:"quota_set"`
	}](r, updateQuotaSchema)
	if err != nil {
		return api.Response{}, err
	}
	id := r.PathValue("project")
	change := &messages.SetQuota{Limits: map[string]int64{}}
	for name, value := range body.Set {
		if name == "force" {
			change.Force, _ = truth(string(value)) // the schema has seen that it is a boolean
			continue
		}
		var limit flexInt
		if err := limit.UnmarshalJSON([]byte(value)); err != nil {
			return api.Response{}, badRequest("Invalid input for field/attribute %s. Value: %s.", name, clip(string(value)))
		}
		if slices.Contains(networkQuotas, name) {
			if limit != unlimited {
				return api.Response{}, badRequest("The quota %s is not limited here: see the network API.", name)
			}
			continue
		}
		change.Limits[name] = int64(limit)
	}
	if _, err := a.cloud.Ask(r.Context(), projectRef(id), change); err != nil {
		return api.Response{}, err
	}
	q, err := a.quota(r, id)
	if err != nil {
		return api.Response{}, err
	}
	return quotaSet(r, "", q.Limits), nil
}

func (a *API) deleteQuota(r *api.Request) (api.Response, error) {
	_, err := a.cloud.Ask(r.Context(), projectRef(r.PathValue("project")), &messages.ResetQuota{})
	return api.Response{Status: http.StatusAccepted}, err
}
