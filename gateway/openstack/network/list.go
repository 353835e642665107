package network

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

type item = map[string]any

// collection is one kind of thing that can be listed.
type collection struct {
	name       string
	attributes map[string]bool
	prefixes   []string // of the index
	render     func(actors.Entry) ([]item, error)

	// after is the index key to go on behind, given the id that the page before
	// ended with. Nil: the index has no order of its own; everything is read.
	after func(ctx context.Context, marker string) (string, error)
}

// list answers one page of c: what matches the filters, with the fields asked for.
func (a *API) list(r *api.Request, c collection) (api.Response, error) {
	values := r.URL.Query()
	page, err := api.PageOf(values, maxPage)
	if err != nil {
		return api.Response{}, err
	}
	filters, err := parseFilters(values, c.attributes)
	if err != nil {
		return api.Response{}, err
	}
	orders, err := parseOrder(values, c.attributes)
	if err != nil {
		return api.Response{}, err
	}
	q := query{page, filters, orders}
	read := a.readAll
	if c.after != nil && len(orders) == 0 {
		read = a.readOn
	}
	items, err := read(r.Context(), c, q)
	if err != nil {
		return api.Response{}, err
	}
	body := item{}
	if len(items) > page.Limit {
		items = items[:page.Limit]
		last, _ := items[len(items)-1]["id"].(string)
		body[c.name+"_links"] = []item{{"rel": "next", "href": api.NextLink(r, last)}}
	}
	shown := make([]item, len(items))
	for i, it := range items {
		shown[i] = pick(it, values["fields"])
	}
	body[c.name] = shown
	return api.Response{Body: body}, nil
}

// query is what a list request asks for.
type query struct {
	page    api.Page
	filters []filter
	orders  []order
}

// readOn reads the index from the marker on, until the page is full and one over.
func (a *API) readOn(ctx context.Context, c collection, q query) (items []item, err error) {
	after := ""
	if q.page.Marker != "" {
		if after, err = c.after(ctx, q.page.Marker); err != nil {
			return nil, err
		}
	}
	err = a.scan(ctx, c, c.prefixes[0], after, func(it item) (bool, error) {
		if matches(it, q.filters) {
			items = append(items, it)
		}
		return len(items) <= q.page.Limit, nil
	})
	return items, err
}

// readAll reads everything that matches, puts it in order and cuts the page out.
func (a *API) readAll(ctx context.Context, c collection, q query) ([]item, error) {
	var items []item
	seen := map[any]bool{}
	for _, prefix := range c.prefixes {
		err := a.scan(ctx, c, prefix, "", func(it item) (bool, error) {
			if seen[it["id"]] || !matches(it, q.filters) {
				return true, nil
			}
			if len(items) == maxSorted {
				return false, fmt.Errorf("more than %d %s cannot be sorted; ask for fewer by a filter: %w", maxSorted, c.name, messages.Invalid)
			}
			seen[it["id"]] = true
			items = append(items, it)
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(items, func(a, b item) int { return compare(a, b, q.orders) })
	if q.page.Marker != "" {
		i := slices.IndexFunc(items, func(it item) bool { return it["id"] == q.page.Marker })
		if i < 0 {
			return nil, fmt.Errorf("marker %.80s could not be found: %w", q.page.Marker, messages.Invalid)
		}
		items = items[i+1:]
	}
	return items[:min(len(items), q.page.Limit+1)], nil
}

// scan visits what the index entries below prefix stand for, from after on.
func (a *API) scan(ctx context.Context, c collection, prefix, after string, visit func(item) (bool, error)) error {
	for more := true; more; {
		var entries []actors.Entry
		var err error
		if entries, more, err = a.cloud.List(ctx, cluster.Page{Prefix: prefix, After: after}); err != nil {
			return err
		}
		for _, e := range entries {
			after = e.Key
			items, err := c.render(e)
			if err != nil {
				return err
			}
			for _, it := range items {
				if on, err := visit(it); err != nil || !on {
					return err
				}
			}
		}
		more = more && len(entries) > 0
	}
	return nil
}

// order is one key to sort by.
type order struct {
	key        string
	descending bool
}

func compare(a, b item, orders []order) int {
	for _, o := range orders {
		c := cmp.Compare(fmt.Sprint(a[o.key]), fmt.Sprint(b[o.key]))
		if o.descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(fmt.Sprint(a["id"]), fmt.Sprint(b["id"]))
}

// read makes m of an index entry's value.
func read[T proto.Message](e actors.Entry, m T) (T, error) {
	if err := proto.Unmarshal(e.Value, m); err != nil {
		return m, fmt.Errorf("index entry %s: %w: %w", e.Key, err, messages.Internal)
	}
	return m, nil
}
