package compute

import (
	"net/url"
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// actionView is one entry of a server's history.
type actionView struct {
	Action     string `json:"action"`
	InstanceID string `json:"instance_uuid"`
	RequestID  string `json:"request_id"`
	UserID     any    `json:"user_id"`
	ProjectID  any    `json:"project_id"`
	Started    string `json:"start_time"`
	Message    any    `json:"message"`
	Updated    any    `json:"updated_at,omitempty"` // from 2.58
	Events     any    `json:"events,omitempty"`     // with one action
}

// eventView is one step of an action.
type eventView struct {
	Event     string `json:"event"`
	Started   string `json:"start_time"`
	Finished  any    `json:"finish_time"`
	Result    any    `json:"result"`
	Traceback any    `json:"traceback,omitempty"` // administrators; there is never one to show
	Host      any    `json:"host,omitempty"`      // administrators, from 2.62
	HostID    any    `json:"hostId,omitempty"`    // from 2.62
	Details   any    `json:"details,omitempty"`   // from 2.84
}

func (a *API) history(r *api.Request) (id string, records []*messages.ActionRecord, err error) {
	if id, err = serverID(r); err != nil {
		return "", nil, err
	}
	v, err := cluster.Ask[*messages.InstanceActionsView](r.Context(), a.cloud, instanceRef(id),
		&messages.GetInstanceActions{Scope: r.Principal.Scope()})
	if err == nil && !r.Version.AtLeast(21) { // before, a deleted server had no history
		_, err = a.instance(r)
	}
	return id, v.GetActions(), err
}

// listActions shows the history of a server, the newest first.
func (a *API) listActions(r *api.Request) (api.Response, error) {
	query, page, err := a.actionsQuery(r)
	if err != nil {
		return api.Response{}, err
	}
	id, records, err := a.history(r)
	if err != nil {
		return api.Response{}, err
	}
	if records, err = period(records, query, r); err != nil {
		return api.Response{}, err
	}
	if page.Marker != "" {
		at := slices.IndexFunc(records, func(x *messages.ActionRecord) bool { return x.RequestId == page.Marker })
		if at < 0 {
			return api.Response{}, badRequest("Marker %s could not be found.", clip(page.Marker))
		}
		records = records[at+1:]
	}
	records = records[:min(len(records), page.Limit)]
	out := make([]actionView, 0, len(records))
	for _, x := range records {
		out = append(out, action(r, id, x))
	}
	body := struct {
		Actions []actionView `json:"instanceActions"`
		Links   []link       `json:"links,omitempty"`
	}{Actions: out}
	if r.Version.AtLeast(58) && len(out) > 0 {
		body.Links = nextLink(r, page, len(out), out[len(out)-1].RequestID)
	}
	return api.Response{Body: body}, nil
}

func (a *API) actionsQuery(r *api.Request) (url.Values, api.Page, error) {
	page := api.Page{Limit: a.cfg.MaxPage}
	query, err := queryOf(r)
	if err != nil || !r.Version.AtLeast(58) {
		return nil, page, err
	}
	known := []string{"limit", "marker", "changes-since"}
	if r.Version.AtLeast(66) {
		known = append(known, "changes-before")
	}
	if err := onlyParams(query, known...); err != nil { // strict from the start
		return nil, page, err
	}
	page, err = api.PageOf(query, a.cfg.MaxPage)
	return query, page, err
}

// onlyParams refuses a query that has more than these parameters.
func onlyParams(query url.Values, known ...string) error {
	var unknown []string
	for name := range query {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return badRequest("%s", unexpected(unknown))
	}
	return nil
}

// period keeps the actions that changed within what the query says.
func period(records []*messages.ActionRecord, query url.Values, r *api.Request) ([]*messages.ActionRecord, error) {
	if err := checkPeriod(query, r); err != nil {
		return nil, err
	}
	for _, name := range []string{"changes-since", "changes-before"} {
		if !query.Has(name) {
			continue
		}
		t, err := moment(query.Get(name), name)
		if err != nil {
			return nil, err
		}
		records = slices.DeleteFunc(slices.Clone(records), func(x *messages.ActionRecord) bool {
			at := time.Unix(0, x.UpdatedAt)
			if name == "changes-since" {
				return at.Before(t)
			}
			return at.After(t)
		})
	}
	return records, nil
}

// showAction shows one action by the request that began it, with its events.
func (a *API) showAction(r *api.Request) (api.Response, error) {
	id, records, err := a.history(r)
	if err != nil {
		return api.Response{}, err
	}
	wanted := r.PathValue("request")
	at := slices.IndexFunc(records, func(x *messages.ActionRecord) bool { return x.RequestId == wanted })
	if at < 0 {
		return api.Response{}, notFound("Action %s not found", clip(wanted))
	}
	v := action(r, id, records[at])
	if r.Principal.Admin() || r.Version.AtLeast(51) {
		v.Events = events(r, records[at])
	}
	return api.Response{Body: struct {
		Action actionView `json:"instanceAction"`
	}{v}}, nil
}

func action(r *api.Request, id string, x *messages.ActionRecord) actionView {
	v := actionView{
		Action: x.Action, InstanceID: id, RequestID: x.RequestId, UserID: orNull(x.UserId),
		ProjectID: orNull(x.ProjectId), Started: fineText(x.StartedAt), Message: orNull(x.Message),
	}
	if r.Version.AtLeast(58) {
		v.Updated = fineStamp(x.UpdatedAt)
	}
	return v
}

func events(r *api.Request, x *messages.ActionRecord) []eventView {
	out := make([]eventView, 0, len(x.Events))
	for _, e := range x.Events {
		v := eventView{
			Event: e.Event, Started: fineText(e.StartedAt), Finished: fineStamp(e.FinishedAt), Result: orNull(e.Result),
		}
		if r.Principal.Admin() {
			v.Traceback = null
		}
		if r.Version.AtLeast(62) {
			v.HostID = hostID(x.ProjectId, e.Host)
			if r.Principal.Admin() {
				v.Host = orNull(e.Host)
			}
		}
		if r.Version.AtLeast(84) && r.Principal.Admin() { // Nova's default policy
			v.Details = orNull(e.Details)
		}
		out = append(out, v)
	}
	return out
}
