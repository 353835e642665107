package image

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// filter says whether an image is one of those asked for.
type filter func(*messages.ImageView) bool

// noFilters are the query parameters that say something else.
var noFilters = []string{"limit", "marker", "sort", "sort_key", "sort_dir", "member_status", "visibility"}

// listFilters take in:a,b,c.
var listFilters = []string{"id", "name", "status", "container_format", "disk_format"}

func (q query) match(v *messages.ImageView) bool {
	for _, f := range q.filters {
		if !f(v) {
			return false
		}
	}
	return true
}

// parseFilters reads every other parameter; one that is no attribute is a property.
func (q *query) parseFilters() error {
	if v := q.visibility; v != "" && v != everything {
		q.filters = append(q.filters, func(i *messages.ImageView) bool { return i.Visibility == v })
	}
	if !q.values.Has("os_hidden") {
		q.filters = append(q.filters, func(i *messages.ImageView) bool { return !i.Hidden })
	}
	for name, values := range q.values {
		if slices.Contains(noFilters, name) {
			continue
		}
		if len(q.filters)+len(values) > maxFilters {
			return fmt.Errorf("a query has at most %d filters: %w", maxFilters, messages.Invalid)
		}
		for _, value := range values {
			f, err := newFilter(name, value)
			if err != nil {
				return err
			}
			q.filters = append(q.filters, f)
		}
	}
	return nil
}

func newFilter(name, value string) (filter, error) {
	switch name {
	case "tag":
		return func(v *messages.ImageView) bool { return slices.Contains(v.Tags, value) }, nil
	case "size_min", "size_max":
		return sizeFilter(name, value)
	case "protected", "os_hidden":
		return boolFilter(name, value)
	case "min_ram", "min_disk", "size", "virtual_size":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, badFilter(name, value)
		}
		return func(v *messages.ImageView) bool { got, _ := number(v, name); return got == n }, nil
	case "created_at", "updated_at":
		return timeFilter(name, value)
	}
	wanted := []string{value}
	if list, ok := strings.CutPrefix(value, "in:"); ok && slices.Contains(listFilters, name) {
		wanted = splitList(list)
	}
	return func(v *messages.ImageView) bool {
		got, ok := field(v, name)
		return ok && slices.Contains(wanted, got)
	}, nil
}

func badFilter(name, value string) error {
	return fmt.Errorf("invalid value %.80q for filter %.40s: %w", value, name, messages.Invalid)
}

func sizeFilter(name, value string) (filter, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		return nil, badFilter(name, value)
	}
	if name == "size_min" {
		return func(v *messages.ImageView) bool { return v.SizeBytes >= n }, nil
	}
	return func(v *messages.ImageView) bool { return v.SizeBytes <= n }, nil
}

func boolFilter(name, value string) (filter, error) {
	want, err := strconv.ParseBool(strings.ToLower(value))
	if err != nil {
		return nil, badFilter(name, value)
	}
	if name == "protected" {
		return func(v *messages.ImageView) bool { return v.Protected == want }, nil
	}
	return func(v *messages.ImageView) bool { return v.Hidden == want }, nil
}

// timeFilter reads "<comparison>:<time>"; without a comparison it is equality.
func timeFilter(name, value string) (filter, error) {
	op, rest := "eq", value
	if i := strings.IndexByte(value, ':'); i > 0 && i <= 3 && value[0] >= 'a' {
		op, rest = value[:i], value[i+1:]
	}
	at, err := time.Parse(time.RFC3339, rest)
	if err != nil {
		if at, err = time.Parse("2006-01-02T15:04:05", rest); err != nil {
			return nil, badFilter(name, value)
		}
	}
	holds, ok := map[string]func(a, b int64) bool{
		"eq": func(a, b int64) bool { return a == b }, "neq": func(a, b int64) bool { return a != b },
		"gt": func(a, b int64) bool { return a > b }, "gte": func(a, b int64) bool { return a >= b },
		"lt": func(a, b int64) bool { return a < b }, "lte": func(a, b int64) bool { return a <= b },
	}[op]
	if !ok {
		return nil, badFilter(name, value)
	}
	return func(v *messages.ImageView) bool {
		got, _ := number(v, name)
		return holds(got/int64(time.Second), at.Unix())
	}, nil
}

// splitList cuts a comma separated list, in which quotes protect commas.
func splitList(s string) []string {
	var list []string
	item, quoted := strings.Builder{}, false
	for _, c := range s {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			list = append(list, item.String())
			item.Reset()
		default:
			item.WriteRune(c)
		}
	}
	return append(list, item.String())
}
