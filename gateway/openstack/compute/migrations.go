package compute

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// migrationView is a change of a server's host.
type migrationView struct {
	ID        int64  `json:"id"`
	UUID      any    `json:"uuid,omitempty"` // from 2.59
	Created   string `json:"created_at"`
	Updated   any    `json:"updated_at"`
	Status    string `json:"status"`
	Server    string `json:"instance_uuid"`
	Source    any    `json:"source_compute"`
	SourceHV  any    `json:"source_node"`
	Target    any    `json:"dest_compute"`
	TargetHV  any    `json:"dest_node"`
	TargetIP  any    `json:"dest_host"`
	OldFlavor int64  `json:"old_instance_type_id"`
	NewFlavor int64  `json:"new_instance_type_id"`
	Kind      any    `json:"migration_type,omitempty"` // from 2.23
	UserID    any    `json:"user_id,omitempty"`        // from 2.80
	ProjectID any    `json:"project_id,omitempty"`
}

// migrationSpace and flavorSpace are the name spaces of the numbers that migrations
// and flavors have where the API wants numbers.
var (
	migrationSpace = uuid.MustParse("7a1e6f52-3f4e-5b1d-8c0e-2f6b9a0d4c11")
	flavorSpace    = uuid.MustParse("9c3b2f10-5d6e-5f7a-9b8c-1d2e3f4a5b6c")
)

const migrationIndex = "migration/"

func migration(r *api.Request, m *messages.Migration) migrationView {
	flavor := numberID(flavorSpace, m.FlavorId)
	v := migrationView{
		ID: numberID(migrationSpace, m.Id), Created: fineText(m.CreatedAt), Updated: fineStamp(m.UpdatedAt),
		Status: m.Status, Server: m.InstanceId, Source: orNull(m.SourceHost), SourceHV: orNull(m.SourceHypervisor),
		Target: orNull(m.TargetHost), TargetHV: orNull(m.TargetHypervisor), TargetIP: null,
		OldFlavor: flavor, NewFlavor: flavor,
	}
	if r.Version.AtLeast(23) {
		v.Kind = m.Kind
	}
	if r.Version.AtLeast(59) {
		v.UUID = m.Id
	}
	if r.Version.AtLeast(80) {
		v.UserID, v.ProjectID = orNull(m.UserId), orNull(m.ProjectId)
	}
	return v
}

// listMigrations shows the changes of host that there were, the newest first.
func (a *API) listMigrations(r *api.Request) (api.Response, error) {
	query, page, err := a.migrationsQuery(r)
	if err != nil {
		return api.Response{}, err
	}
	keep, err := migrationFilter(r, query)
	if err != nil {
		return api.Response{}, err
	}
	out, seen := []migrationView{}, page.Marker == ""
	err = a.each(r.Context(), migrationIndex, func(e actors.Entry) (bool, error) {
		m, err := read(e, &messages.Migration{})
		switch {
		case err != nil:
			return false, err
		case !seen:
			seen = m.Id == canonical(page.Marker)
		case keep(m):
			out = append(out, migration(r, m))
		}
		return len(out) < page.Limit, nil
	})
	if err != nil {
		return api.Response{}, err
	}
	if !seen {
		return api.Response{}, noMarker(page.Marker)
	}
	body := struct {
		Migrations []migrationView `json:"migrations"`
		Links      []link          `json:"migrations_links,omitempty"`
	}{Migrations: out}
	if n := len(out); r.Version.AtLeast(59) && n > 0 {
		body.Links = nextLink(r, page, n, out[n-1].UUID.(string))
	}
	return api.Response{Body: body}, nil
}

func (a *API) migrationsQuery(r *api.Request) (url.Values, api.Page, error) {
	page := api.Page{Limit: a.cfg.MaxPage}
	query, err := queryOf(r)
	if err != nil || !r.Version.AtLeast(59) {
		return query, page, err
	}
	known := []string{"hidden", "host", "instance_uuid", "source_compute", "status", "migration_type", "limit", "marker", "changes-since"}
	if r.Version.AtLeast(66) {
		known = append(known, "changes-before")
	}
	if r.Version.AtLeast(80) {
		known = append(known, "user_id", "project_id")
	}
	if err := onlyParams(query, known...); err != nil {
		return query, page, err
	}
	if id := query.Get("instance_uuid"); id != "" && !uuidLike(id) {
		return query, page, badRequest("Invalid input for query parameters instance_uuid. Value: %s.", clip(id))
	}
	page, err = api.PageOf(query, a.cfg.MaxPage)
	return query, page, err
}

// migrationFilter is what the query asks for. A host is either end.
func migrationFilter(r *api.Request, query url.Values) (keep func(*messages.Migration) bool, err error) {
	var since, before time.Time
	if r.Version.AtLeast(59) && query.Has("changes-since") {
		if since, err = moment(query.Get("changes-since"), "changes-since"); err != nil {
			return nil, err
		}
	}
	if r.Version.AtLeast(66) && query.Has("changes-before") {
		if before, err = moment(query.Get("changes-before"), "changes-before"); err != nil {
			return nil, err
		}
		if before.Before(since) {
			return nil, badRequest("The value of changes-since must be less than or equal to changes-before.")
		}
	}
	is := func(name string, values ...string) bool {
		wanted := query.Get(name)
		return wanted == "" || slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, wanted) })
	}
	return func(m *messages.Migration) bool {
		at := time.Unix(0, m.UpdatedAt)
		return is("host", m.SourceHost, m.TargetHost) && is("source_compute", m.SourceHost) && is("instance_uuid", m.InstanceId) &&
			is("status", m.Status) && is("migration_type", m.Kind) && is("user_id", m.UserId) && is("project_id", m.ProjectId) &&
			!at.Before(since) && (before.IsZero() || !at.After(before))
	}, nil
}
