package configs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// query is what a search asks for, in one namespace.
type query struct {
	namespace     string
	group, dataID pattern
	app           string   // empty: any
	tags, types   []string // one of them; none: any
	content       pattern
}

// looks says whether the query cannot be answered by names alone.
func (q *query) looks() bool { return q.app != "" || len(q.tags) > 0 || len(q.types) > 0 }

func (q *query) takes(e *messages.ConfigEntry) bool {
	among := func(have []string, want []string) bool {
		return len(want) == 0 || slices.ContainsFunc(want, func(w string) bool { return slices.Contains(have, w) })
	}
	return (q.app == "" || e.GetApp() == q.app) && among(e.GetTags(), q.tags) && among([]string{e.GetType()}, q.types)
}

// found is a key that a search has met; its entry is nil while nobody needs it.
type found struct {
	key   api.Key
	entry []byte
}

// walk visits the keys whose names match, and whose entries do if it has to look,
// in the order of one of the indexes: the one with the fewest to look at.
func (a *API) walk(ctx context.Context, q *query, visit func(found) error) error {
	w := q.way()
	after, looked := "", 0
	for {
		entries, more, err := a.cloud.List(ctx, cluster.Page{Prefix: w.prefix, After: after, Limit: w.limit})
		if err != nil {
			return err
		}
		if looked += len(entries); looked > maxScanned {
			return api.ParameterInvalid.Errorf("the search would look at more than %d configs: say more of the group or of the data id", maxScanned)
		}
		for _, e := range entries {
			if err := a.meet(ctx, q, w, e, visit); err != nil {
				return err
			}
		}
		if !more || len(entries) == 0 || w.limit > 0 {
			return nil
		}
		after = entries[len(entries)-1].Key
	}
}

// way is an index to go through.
type way struct {
	prefix    string
	dataFirst bool // its keys end in DATAID/GROUP, not in GROUP/DATAID
	entries   bool // it holds entries, not only keys
	limit     int  // of entries; 0: all
}

// way chooses the index with the narrowest range.
func (q *query) way() way {
	namespace := actors.Escape(q.namespace) + "/"
	group, one := q.group.literal()
	dataID, only := q.dataID.literal()
	switch {
	case one && only:
		return way{prefix: config.EntryKey(q.namespace, group, dataID), entries: true, limit: 1}
	case one:
		return way{prefix: config.IndexPrefix + namespace + actors.Escape(group) + "/" + actors.Escape(q.dataID.prefix()), entries: true}
	case len(q.tags) == 1:
		return way{prefix: config.ByTagPrefix + namespace + actors.Escape(q.tags[0]) + "/" + actors.Escape(q.group.prefix())}
	case q.dataID.prefix() != "" && q.group.prefix() == "":
		return way{prefix: config.ByDataPrefix + namespace + actors.Escape(q.dataID.prefix()), dataFirst: true}
	}
	return way{prefix: config.IndexPrefix + namespace + actors.Escape(q.group.prefix()), entries: true}
}

func (a *API) meet(ctx context.Context, q *query, w way, e actors.Entry, visit func(found) error) error {
	f := found{key: api.Key{Namespace: q.namespace}}
	if !f.read(e.Key, w.dataFirst) || !q.group.matches(f.key.Group) || !q.dataID.matches(f.key.Name) {
		return nil
	}
	if w.entries {
		f.entry = e.Value
	}
	if q.looks() {
		entry, err := a.entry(ctx, &f)
		if err != nil || entry == nil || !q.takes(entry) {
			return err
		}
	}
	return visit(f)
}

// read takes the key from the last two elements of an index entry's.
func (f *found) read(path string, dataFirst bool) bool {
	rest, last, ok := cutLast(path)
	_, before, more := cutLast(rest)
	if dataFirst {
		last, before = before, last
	}
	f.key.Group, f.key.Name = before, last
	return ok && more
}

func cutLast(s string) (rest, last string, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", s, false
	}
	last, err := url.PathUnescape(s[i+1:])
	return s[:i], last, err == nil
}

// entry is the index entry of a key that was met; nil if it has gone meanwhile.
func (a *API) entry(ctx context.Context, f *found) (*messages.ConfigEntry, error) {
	if f.entry == nil {
		key := config.EntryKey(f.key.Namespace, f.key.Group, f.key.Name)
		got, _, err := a.cloud.List(ctx, cluster.Page{Prefix: key, Limit: 1})
		if err != nil || len(got) == 0 || got[0].Key != key {
			return nil, err
		}
		f.entry = got[0].Value
	}
	e := &messages.ConfigEntry{}
	if err := proto.Unmarshal(f.entry, e); err != nil {
		return nil, fmt.Errorf("the index entry of %v cannot be read: %w", f.key, err)
	}
	return e, nil
}

// byNumber is the key that has a number; false if none has.
func (a *API) byNumber(ctx context.Context, number int64) (api.Key, bool, error) {
	at := config.NumberKey(number)
	got, _, err := a.cloud.List(ctx, cluster.Page{Prefix: at, Limit: 1})
	if err != nil || len(got) == 0 || got[0].Key != at {
		return api.Key{}, false, err
	}
	namespace, group, dataID, ok := config.Parse(string(got[0].Value))
	return api.Key{Namespace: namespace, Group: group, Name: dataID}, ok, nil
}

// read asks keys for all they hold, several at once, and keeps their order. What
// has no formal content any more is nil.
func (a *API) read(ctx context.Context, keys []api.Key) ([]*messages.Config, error) {
	all := make([]*messages.Config, len(keys))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i, key := range keys {
		g.Go(func() error {
			c, err := cluster.Ask[*messages.Config](ctx, a.cloud, ref(key), &messages.GetConfigDetail{})
			switch {
			case errors.Is(err, messages.NotFound):
				return nil
			case err == nil && c.GetFormal():
				all[i] = c
			}
			return err
		})
	}
	return all, g.Wait()
}
