package network

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

// notFilters are the query parameters that say something else.
var notFilters = []string{"fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"}

// filter is an attribute and the values of which it has to have one.
type filter struct {
	name   string
	values []string
}

// parseFilters refuses attributes that the things listed do not have: ignoring
// one would answer with more than was asked for.
func parseFilters(values url.Values, attributes map[string]bool) ([]filter, error) {
	if v, err := strconv.ParseBool(values.Get("page_reverse")); err == nil && v {
		return nil, fmt.Errorf("page_reverse is not supported: %w", messages.Invalid)
	}
	var filters []filter
	for name, v := range values {
		switch {
		case slices.Contains(notFilters, name):
			continue
		case !attributes[name]:
			return nil, fmt.Errorf("%.80q is invalid as an attribute to filter by: %w", name, messages.Invalid)
		case len(filters) == maxFilters:
			return nil, fmt.Errorf("a query has at most %d filters: %w", maxFilters, messages.Invalid)
		}
		filters = append(filters, filter{name, v})
	}
	return filters, nil
}

func parseOrder(values url.Values, attributes map[string]bool) ([]order, error) {
	keys, dirs := values["sort_key"], values["sort_dir"]
	if len(dirs) > 0 && len(dirs) != len(keys) || len(keys) > maxFilters {
		return nil, fmt.Errorf("the number of sort_keys and of sort_dirs must be the same: %w", messages.Invalid)
	}
	var orders []order
	for i, key := range keys {
		dir := "asc"
		if len(dirs) > 0 {
			dir = dirs[i]
		}
		if !attributes[key] || (dir != "asc" && dir != "desc") {
			return nil, fmt.Errorf("cannot sort by %.80q in direction %.10q: %w", key, dir, messages.Invalid)
		}
		orders = append(orders, order{key, dir == "desc"})
	}
	return orders, nil
}

func matches(it item, filters []filter) bool {
	for _, f := range filters {
		if !slices.ContainsFunc(f.values, func(want string) bool { return equals(it[f.name], want) }) {
			return false
		}
	}
	return true
}

// equals compares a value with the text of a query parameter.
func equals(got any, want string) bool {
	switch got := got.(type) {
	case nil:
		return want == "" || want == "null"
	case string:
		return got == want
	case bool:
		b, err := strconv.ParseBool(strings.ToLower(want))
		return err == nil && got == b
	case []string:
		for part := range strings.SplitSeq(want, ",") {
			if !slices.Contains(got, part) {
				return false
			}
		}
		return true
	case []item:
		key, value, _ := strings.Cut(want, "=")
		return slices.ContainsFunc(got, func(part item) bool { return part[key] == value })
	}
	return fmt.Sprint(got) == want
}
