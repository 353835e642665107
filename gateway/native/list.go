package native

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/order"
	"github.com/troupe-cloud/troupe/messages"
)

// Limits of a page.
const (
	DefaultPage = 100
	MaxPage     = 1000
	scanChunk   = 100 // index entries read at once where not all are shown
)

// list reads one kind of thing from the index: the parts of it that the caller
// may see, one after the other.
type list[T proto.Message] struct {
	cloud    order.Cloud
	prefixes []string // in the order in which they are read
	empty    func() T
	// shows says whether a thing stands in that part of the list: each is shown in
	// one part only, and some are not shown at all.
	shows func(prefix string, v T) bool
	is    func(v T, named string) bool // has that id or name
	id    func(v T) string
}

// page is what was asked for: those named so, or all; after is where the page
// before has ended.
type page struct {
	named, after string
	limit        int32
}

// read is one page, and where it ends; "" if it is the last.
func (l list[T]) read(ctx context.Context, p page) (found []T, next string, err error) {
	limit := DefaultPage
	if p.limit > 0 {
		limit = min(int(p.limit), MaxPage)
	}
	from := 0
	if p.after != "" {
		if from = slices.IndexFunc(l.prefixes, func(prefix string) bool { return strings.HasPrefix(p.after, prefix) }); from < 0 {
			return nil, "", fmt.Errorf("there is no page after %.80q: %w", p.after, messages.Invalid)
		}
	}
	last := ""
	for _, prefix := range l.prefixes[from:] {
		err := order.EachFrom(ctx, l.cloud, cluster.Page{Prefix: prefix, After: p.after, Limit: min(scanChunk, limit+1)}, func(e actors.Entry) (bool, error) {
			v, err := order.Read(e, l.empty())
			if err != nil {
				return false, err
			}
			if !l.shows(prefix, v) || p.named != "" && !l.is(v, p.named) {
				return true, nil
			}
			if len(found) == limit {
				next = last
				return false, nil
			}
			found, last = append(found, v), e.Key
			return true, nil
		})
		if err != nil || next != "" {
			return found, next, err
		}
		p.after = ""
	}
	return found, "", nil
}

// one is the id of the thing with that id or name. What is in no list may still
// have that id. Conflict if several have the name.
func one[T proto.Message](ctx context.Context, named, what string, l list[T]) (string, error) {
	if named == "" {
		return "", fmt.Errorf("the order says no %s: %w", what, messages.Invalid)
	}
	found, _, err := l.read(ctx, page{named: named, limit: MaxPage})
	if err != nil {
		return "", err
	}
	for _, v := range found {
		if l.id(v) == named {
			return named, nil
		}
	}
	switch len(found) {
	case 0:
		return named, nil
	case 1:
		return l.id(found[0]), nil
	}
	return "", fmt.Errorf("%d have the name %.80q; say the %s's id: %w", len(found), named, what, messages.Conflict)
}
