package image

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// everything as visibility asks for community images too.
const everything = "all"

// maxFilters bounds how many filters and sort keys one query has.
const maxFilters = 64

// query is what a list request asks for.
type query struct {
	values       url.Values
	scope        string
	limit        int
	marker       string
	visibility   string
	memberStatus []string
	filters      []filter
	order        []order
}

type order struct {
	key        string
	descending bool
}

// newestFirst is the order that the index has.
var newestFirst = []order{{"created_at", true}, {"id", true}}

// sortKeys are the attributes to sort by.
var sortKeys = []string{
	"name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at",
	"owner", "visibility", "min_disk", "min_ram", "virtual_size",
}

func parseQuery(r *api.Request) (query, error) {
	s, err := scope(r)
	if err != nil {
		return query{}, err
	}
	values := r.URL.Query()
	q := query{values: values, scope: s, marker: values.Get("marker"), visibility: values.Get("visibility")}
	if err := q.parsePage(); err != nil {
		return q, err
	}
	if err := q.parseMember(); err != nil {
		return q, err
	}
	if err := q.parseOrder(); err != nil {
		return q, err
	}
	return q, q.parseFilters()
}

func (q *query) parsePage() error {
	q.limit = defaultPage
	s := q.values.Get("limit")
	if s == "" {
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return fmt.Errorf("limit %.40q is not a number of images: %w", s, messages.Invalid)
	}
	q.limit = min(int(n), maxPage)
	return nil
}

func (q *query) parseMember() error {
	if v := q.visibility; v != "" && !slices.Contains([]string{image.Public, image.Private, image.Shared, image.Community, everything}, v) {
		return fmt.Errorf("invalid visibility value: %.40s: %w", v, messages.Invalid)
	}
	switch s := q.values.Get("member_status"); s {
	case "", image.Accepted:
		q.memberStatus = []string{image.Accepted}
	case image.Pending, image.Rejected:
		q.memberStatus = []string{s}
	case everything:
		q.memberStatus = []string{image.Pending, image.Accepted, image.Rejected}
	default:
		return fmt.Errorf("invalid member status: %.40s: %w", s, messages.Invalid)
	}
	return nil
}

// parseOrder reads sort=key:dir,key:dir or any number of sort_key and sort_dir.
func (q *query) parseOrder() error {
	keys, dirs := q.values["sort_key"], q.values["sort_dir"]
	if s := q.values.Get("sort"); s != "" {
		if len(keys)+len(dirs) > 0 {
			return fmt.Errorf("sort is not combined with sort_key and sort_dir: %w", messages.Invalid)
		}
		for part := range strings.SplitSeq(s, ",") {
			key, dir, _ := strings.Cut(part, ":")
			keys, dirs = append(keys, strings.TrimSpace(key)), append(dirs, cmp.Or(strings.TrimSpace(dir), "desc"))
		}
	}
	if len(keys) > maxFilters || len(dirs) > max(1, len(keys)) {
		return fmt.Errorf("number of sort dirs does not match the number of sort keys: %w", messages.Invalid)
	}
	if len(keys) == 0 && len(dirs) == 1 {
		keys = []string{"created_at"}
	}
	for i, key := range keys {
		dir := "desc"
		if len(dirs) == 1 {
			dir = dirs[0]
		} else if i < len(dirs) {
			dir = dirs[i]
		}
		if !slices.Contains(sortKeys, key) || (dir != "asc" && dir != "desc") {
			return fmt.Errorf("cannot sort by %.40q in direction %.10q: %w", key, dir, messages.Invalid)
		}
		q.order = append(q.order, order{key, dir == "desc"})
	}
	if len(q.order) == 0 {
		q.order = newestFirst
	}
	return nil
}

// sorted says whether the images have to be sorted, as the index has another order.
func (q query) sorted() bool {
	return !slices.Equal(q.order, newestFirst) && !slices.Equal(q.order, newestFirst[:1])
}

func (q query) sort(images []*messages.ImageView) { slices.SortFunc(images, q.compare) }

// compare puts images into the order asked for; ties are broken by id.
func (q query) compare(a, b *messages.ImageView) int {
	for _, o := range q.order {
		c := compareBy(o.key, a, b)
		if o.descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(a.Id, b.Id)
}

func compareBy(key string, a, b *messages.ImageView) int {
	if x, ok := number(a, key); ok {
		y, _ := number(b, key)
		return cmp.Compare(x, y)
	}
	x, _ := field(a, key)
	y, _ := field(b, key)
	return cmp.Compare(x, y)
}

// link is the address of this list from the given marker on.
func (q query) link(marker string) string {
	values := url.Values{}
	for key, v := range q.values {
		if key != "marker" {
			values[key] = v
		}
	}
	if marker != "" {
		values.Set("marker", marker)
	}
	if len(values) == 0 {
		return "/v2/images"
	}
	return "/v2/images?" + values.Encode()
}
