package configs

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// queryOf reads what a search asks for; blur: stars count.
func queryOf(r *api.Request, names api.ConfigNames, blur bool) (*query, error) {
	v := r.Values()
	q := &query{
		namespace: api.Namespace(v.Text(names.Namespace)), app: v.Text("appName"),
		tags: splitTags(v.Text("config_tags", "configTags")), types: splitTags(strings.ToLower(v.Text("types", "type"))),
	}
	var bad [3]error
	q.group, bad[0] = parsePattern(v.Text(names.Group), blur)
	q.dataID, bad[1] = parsePattern(v.Text("dataId"), blur)
	q.content, bad[2] = contentPattern(v.Text("config_detail", "configDetail"))
	return q, first(api.CheckNamespace(q.namespace), bad[0], bad[1], bad[2])
}

// contentPattern is about a part of a content, wherever it stands.
func contentPattern(s string) (pattern, error) {
	if s == "" {
		return pattern{}, nil
	}
	return parsePattern("*"+s+"*", true)
}

// searchResource is what a search needs permission for: the names it says without
// a star; otherwise the group or the namespace as a whole.
func searchResource(names api.ConfigNames) func(*api.Request) api.Resource {
	return func(r *api.Request) api.Resource {
		v := r.Values()
		what := api.Resource{Namespace: api.Namespace(v.Text(names.Namespace)), Type: api.Config}
		if group := strings.TrimSpace(v.Text(names.Group)); !strings.Contains(group, "*") {
			what.Group = group
		}
		if dataID := strings.TrimSpace(v.Text("dataId")); what.Group != "" && !strings.Contains(dataID, "*") {
			what.Name = dataID
		}
		return what
	}
}

// find is one page of what a query finds, and how many there are in all.
func (a *API) find(ctx context.Context, q *query, page api.Page) (keys []found, total int, err error) {
	if q.content.said {
		return a.findContent(ctx, q, page)
	}
	from := page.First()
	err = a.walk(ctx, q, func(f found) error {
		if total >= from && total < from+page.Size {
			keys = append(keys, f)
		}
		total++
		return nil
	})
	return keys, total, err
}

// findContent reads the content of every key that the rest of the query leaves.
func (a *API) findContent(ctx context.Context, q *query, page api.Page) ([]found, int, error) {
	var all []found
	err := a.walk(ctx, q, func(f found) error {
		if len(all) == maxRead {
			return api.ParameterInvalid.Errorf("a search in contents reads at most %d of them: say more of the group or of the data id", maxRead)
		}
		all = append(all, f)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	hit := make([]bool, len(all))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i := range all {
		g.Go(func() error {
			c, err := cluster.Ask[*messages.ConfigContent](ctx, a.cloud, ref(all[i].key), &messages.GetConfig{Formal: true})
			if errors.Is(err, messages.NotFound) {
				return nil
			}
			hit[i] = err == nil && q.content.matches(c.GetContent())
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, 0, err
	}
	var hits []found
	for i, f := range all {
		if hit[i] {
			hits = append(hits, f)
		}
	}
	from := min(page.First(), len(hits))
	return hits[from:min(from+page.Size, len(hits))], len(hits), nil
}

// entries are the index entries of keys; what has gone meanwhile is left out.
func (a *API) entries(ctx context.Context, keys []found) ([]*messages.ConfigEntry, error) {
	all := make([]*messages.ConfigEntry, 0, len(keys))
	for i := range keys {
		e, err := a.entry(ctx, &keys[i])
		if err != nil {
			return nil, err
		}
		if e != nil {
			all = append(all, e)
		}
	}
	return all, nil
}

// searchFull answers a search with contents, as v1 and v2 do.
func (a *API) searchFull(blur bool) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		v := r.Values()
		page := v.Page(0)
		q, err := queryOf(r, api.ConfigV1, blur && v.Or("blur", "search") != "accurate")
		if err := first(v.Err(), err); err != nil {
			return api.Answer{}, err
		}
		keys, total, err := a.find(r.Context(), q, page)
		if err != nil {
			return api.Answer{}, err
		}
		rows, err := a.rows(r.Context(), keys, tenant(r, api.ConfigV1))
		if err != nil {
			return api.Answer{}, err
		}
		return api.Answer{Bare: api.PagedOf(rows, total, page)}, nil
	}
}

// rows are keys with their contents.
func (a *API) rows(ctx context.Context, found []found, tenant string) ([]wire.ConfigInfo, error) {
	entries, err := a.entries(ctx, found)
	if err != nil {
		return nil, err
	}
	keys, size := make([]api.Key, len(entries)), int64(0)
	for i, e := range entries {
		keys[i], size = api.Key{Namespace: e.GetNamespace(), Group: e.GetGroup(), Name: e.GetDataId()}, size+e.GetSize()
	}
	if size > maxPageBytes {
		return nil, api.ParameterInvalid.Errorf("the page would hold %d bytes, more than %d: ask for a smaller pageSize", size, maxPageBytes)
	}
	all, err := a.read(ctx, keys)
	if err != nil {
		return nil, err
	}
	rows := make([]wire.ConfigInfo, 0, len(all))
	for _, c := range all {
		if c != nil {
			rows = append(rows, fullInfo(c, tenant))
		}
	}
	return rows, nil
}

// list answers a search without contents, as v3 does.
func (a *API) list(r *api.Request) (api.Answer, error) {
	v := r.Values()
	page := v.Page(defaultPage)
	q, err := queryOf(r, api.ConfigV3, v.Or("blur", "search") != "accurate")
	if err := first(v.Err(), err); err != nil {
		return api.Answer{}, err
	}
	keys, total, err := a.find(r.Context(), q, page)
	if err != nil {
		return api.Answer{}, err
	}
	entries, err := a.entries(r.Context(), keys)
	if err != nil {
		return api.Answer{}, err
	}
	rows := make([]wire.ConfigBasicInfo, len(entries))
	for i, e := range entries {
		rows[i] = basicInfo(e, tenant(r, api.ConfigV3))
	}
	return api.Answer{Data: api.PagedOf(rows, total, page)}, nil
}

// defaultPage is the size of pages of which none is said, in v2's history and v3.
const defaultPage = 100
