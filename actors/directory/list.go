package directory

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
)

// list is what of a table passes keep, in order of key, after a key; limit 0
// means MaxList. The rows are copies.
func list[M proto.Message](t actors.Table[M], after string, limit int32, keep func(M) bool) (found []M, more bool) {
	if limit <= 0 || limit > MaxList {
		limit = MaxList
	}
	var keys []string
	for k, row := range t.All() {
		if k > after && keep(row) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, strings.Compare)
	if len(keys) > int(limit) {
		keys, more = keys[:limit], true
	}
	for _, k := range keys {
		row, _ := t.Get(k)
		found = append(found, proto.CloneOf(row))
	}
	return found, more
}

// is says whether a filter lets a value pass; an empty one lets all.
func is(filter, value string) bool { return filter == "" || filter == value }

// same is is for a filter that may be absent.
func same(filter *bool, value bool) bool { return filter == nil || *filter == value }
