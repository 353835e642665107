package compute

import (
	"net/http"
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

type serviceView struct {
	ID             any    `json:"id"`
	Binary         string `json:"binary"`
	Host           string `json:"host"`
	Zone           string `json:"zone"`
	Status         string `json:"status"`
	State          string `json:"state"`
	Updated        any    `json:"updated_at"`
	DisabledReason any    `json:"disabled_reason"`
	ForcedDown     any    `json:"forced_down,omitempty"` // from 2.11
}

func serviceOn(r *api.Request, h *messages.HostView) serviceView {
	v := serviceView{
		ID: idOf(r, serviceSpace, h.Name), Binary: service, Host: h.Name, Zone: zoneOf(h),
		Status: enabled(h), State: upDown(h), Updated: fineStamp(h.ReportedAt), DisabledReason: orNull(h.DisabledReason),
	}
	if r.Version.AtLeast(11) {
		v.ForcedDown = h.GetFacts().GetForcedDown()
	}
	return v
}

// given is a query parameter; some clients write None for "not given".
func given(s string) string {
	if s == "None" {
		return ""
	}
	return s
}

// listServices shows one service for each host: what runs there is one process
// whatever it does.
func (a *API) listServices(r *api.Request) (api.Response, error) {
	query, err := queryOf(r)
	if err != nil {
		return api.Response{}, err
	}
	if r.Version.AtLeast(75) {
		if err := onlyParams(query, "host", "binary"); err != nil {
			return api.Response{}, err
		}
	}
	hosts, err := a.listHosts(r.Context())
	if err != nil {
		return api.Response{}, err
	}
	slices.SortFunc(hosts, func(a, b *messages.HostView) int { return strings.Compare(a.Name, b.Name) })
	out := []serviceView{}
	for _, h := range hosts {
		v := serviceOn(r, h)
		if name := given(query.Get("host")); name != "" && name != v.Host {
			continue
		}
		if binary := given(query.Get("binary")); binary != "" && binary != v.Binary {
			continue
		}
		out = append(out, v)
	}
	return api.Response{Body: struct {
		Services []serviceView `json:"services"`
	}{out}}, nil
}

var (
	putServiceSchema = constant("service", fields(object{
		"status":          object{"type": "string", "enum": list("enabled", "disabled")},
		"disabled_reason": object{"type": "string", "minLength": 1, "maxLength": maxName},
		"forced_down":     booleanType,
	}))
	oldServiceSchema = versioned("service-action", func(minor int) object {
		f := object{
			"host": fqdnType, "binary": object{"type": "string", "minLength": 1, "maxLength": maxName},
			"disabled_reason": object{"type": "string", "minLength": 1, "maxLength": maxName},
		}
		if minor >= 11 {
			f["forced_down"] = booleanType
		}
		return fields(f, "host", "binary")
	}, 11)
)

type serviceBody struct {
	Host       string    `json:"host"`
	Binary     string    `json:"binary"`
	Status     string    `json:"status"`
	Reason     string    `json:"disabled_reason"`
	ForcedDown *flexBool `json:"forced_down"`
}

// putService takes a host out of scheduling or back: from 2.53 by the service's
// id, before by an action in the path.
func (a *API) putService(r *api.Request) (api.Response, error) {
	if r.Version.AtLeast(53) {
		return a.putServiceByID(r)
	}
	return a.serviceAction(r)
}

func (a *API) putServiceByID(r *api.Request) (api.Response, error) {
	id := r.PathValue("id")
	if !uuidLike(id) {
		return api.Response{}, badRequest("Invalid uuid %s", clip(id))
	}
	body, err := decode[serviceBody](r, putServiceSchema)
	if err != nil {
		return api.Response{}, err
	}
	h, err := a.serviceOf(r, id)
	if err != nil {
		return api.Response{}, err
	}
	switch {
	case body.Status == "" && body.ForcedDown == nil:
		return api.Response{}, badRequest("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
	case body.Reason != "" && body.Status != "disabled":
		return api.Response{}, badRequest("Specifying disabled_reason requires that status is 'disabled'.")
	}
	if err := a.setService(r, h.Name, body); err != nil {
		return api.Response{}, err
	}
	return api.Response{Body: struct {
		Service serviceView `json:"service"`
	}{serviceOn(r, a.freshHost(r.Context(), h))}}, nil
}

// absentAs words an absence; other errors stay as they are.
func absentAs(err error, format string, args ...any) error {
	if api.Status(err) == http.StatusNotFound {
		return notFound(format, args...)
	}
	return err
}

func (a *API) setService(r *api.Request, host string, body serviceBody) error {
	set := &messages.SetHost{ForcedDown: (*bool)(body.ForcedDown)}
	if body.Status != "" {
		disabled := body.Status == "disabled"
		set.Disabled, set.DisabledReason = &disabled, &body.Reason
	}
	_, err := a.cloud.Ask(r.Context(), hostRef(host), set)
	a.hosts.forget(host)
	return err
}

// serviceOf is the host with the service of that id.
func (a *API) serviceOf(r *api.Request, id string) (*messages.HostView, error) {
	h, err := a.findHost(r.Context(), func(h *messages.HostView) bool {
		return idText(idOf(r, serviceSpace, h.Name)) == canonical(id)
	})
	return h, absentAs(err, "Service %s not found.", clip(id))
}

// deleteService forgets a host that is gone and has no servers.
func (a *API) deleteService(r *api.Request) (api.Response, error) {
	id := r.PathValue("id")
	if r.Version.AtLeast(53) && !uuidLike(id) {
		return api.Response{}, badRequest("Invalid uuid %s", clip(id))
	}
	h, err := a.serviceOf(r, id)
	if err != nil {
		return api.Response{}, err
	}
	on, err := a.serversOn(r, map[string]bool{h.Name: true})
	if err != nil {
		return api.Response{}, err
	}
	if len(on[h.Name]) > 0 {
		return api.Response{}, conflict("Unable to delete compute service that is hosting instances. Migrate or delete the instances first.")
	}
	_, err = a.cloud.Ask(r.Context(), hostRef(h.Name), &messages.DeleteHost{})
	a.hosts.forget(h.Name)
	return api.Response{Status: http.StatusNoContent}, err
}

// serviceAction is PUT /os-services/{enable,disable,disable-log-reason,force-down}.
func (a *API) serviceAction(r *api.Request) (api.Response, error) {
	body, err := decode[serviceBody](r, oldServiceSchema)
	if err != nil {
		return api.Response{}, err
	}
	switch action := r.PathValue("id"); {
	case action == "enable":
		body.Status, body.Reason, body.ForcedDown = "enabled", "", nil
	case action == "disable":
		body.Status, body.Reason, body.ForcedDown = "disabled", "", nil
	case action == "disable-log-reason" && body.Reason == "":
		return api.Response{}, badRequest("Missing disabled reason field")
	case action == "disable-log-reason":
		body.Status, body.ForcedDown = "disabled", nil
	case action == "force-down" && r.Version.AtLeast(11) && body.ForcedDown == nil:
		return api.Response{}, badRequest("Missing forced_down field")
	case action == "force-down" && r.Version.AtLeast(11):
		body.Status = ""
	default:
		return api.Response{}, notFound("Unknown action")
	}
	if body.Binary != service {
		return api.Response{}, badRequest("Updating a %s service is not supported. Only nova-compute services can be updated.", clip(body.Binary))
	}
	if _, err := a.findHost(r.Context(), func(h *messages.HostView) bool { return h.Name == body.Host }); err != nil {
		return api.Response{}, absentAs(err, "Could not find binary %s on host %s.", service, clip(body.Host))
	}
	if err := a.setService(r, body.Host, body); err != nil {
		return api.Response{}, err
	}
	return api.Response{Body: struct {
		Service changedService `json:"service"`
	}{changedService(body)}}, nil
}

type changedService struct {
	Host       string    `json:"host"`
	Binary     string    `json:"binary"`
	Status     string    `json:"status,omitempty"`
	Reason     string    `json:"disabled_reason,omitempty"`
	ForcedDown *flexBool `json:"forced_down,omitempty"`
}
