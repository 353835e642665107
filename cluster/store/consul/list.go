package consul

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	besidePieces = 2 // operations of a look: the marker and the redo entries
	listLooks    = 3 // at a list that takes several transactions, for two that agree
)

// List is store.Store's. Consul lists whole folders only, so a folder is first
// asked for its names, up to a bound; one with more is read in pieces, each a
// prefix one character longer, and this process remembers which were large. What
// fits into one Consul transaction is one moment's; a list of more pieces is read
// until two looks agree, three times at most.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, bool, error) {
	limit, err := store.ListLimit(limit)
	if err == nil {
		err = s.usable(ctx)
	}
	if err != nil {
		return nil, false, err
	}
	if after < prefix {
		after = ""
	}
	l := &lister{s: s, ctx: ctx, prefix: escape(prefix), after: escape(after), limit: limit}
	for range maxLooks {
		pairs, more, err := l.stable()
		if err != nil {
			return nil, false, err
		}
		items, whole, err := s.items(ctx, pairs)
		if err != nil || whole {
			return items, more, err
		}
	}
	return nil, false, fmt.Errorf("values under %q are replaced faster than they can be read: %w", prefix, messages.Unavailable)
}

func (s *Store) items(ctx context.Context, pairs api.KVPairs) ([]store.Item, bool, error) {
	var items []store.Item
	for _, pair := range pairs {
		item, whole, err := s.item(ctx, pair)
		if err != nil || !whole {
			return nil, false, err
		}
		items = append(items, item)
	}
	return items, true, nil
}

// lister reads one page.
type lister struct {
	s             *Store
	ctx           context.Context
	prefix, after string // escaped
	limit         int
}

// stable is one look, or more until two agree if one takes several transactions.
func (l *lister) stable() (pairs api.KVPairs, more bool, err error) {
	for n := range listLooks {
		again, rest, looks, err := l.page()
		if err != nil || looks == 1 || n > 0 && same(pairs, again) {
			return again, rest, err
		}
		pairs, more = again, rest
	}
	return pairs, more, nil
}

func same(a, b api.KVPairs) bool {
	return slices.EqualFunc(a, b, func(x, y *api.KVPair) bool { return x.Key == y.Key && x.ModifyIndex == y.ModifyIndex })
}

// page reads pieces until there are enough entries.
func (l *lister) page() (pairs api.KVPairs, more bool, looks int, err error) {
	after, last, width := l.after, false, l.s.ops()-besidePieces
	for !last && len(pairs) <= l.limit {
		var pieces []piece
		if pieces, last, err = l.pieces(after, l.limit+1-len(pairs), width); err != nil {
			return nil, false, 0, err
		}
		if len(pieces) == 0 {
			break
		}
		looks++
		found, err := l.s.lookAt(l.ctx, pieces)
		if errors.Is(err, errOversize) {
			// The folders have grown, or their values are long: smaller steps.
			if width = len(pieces) / 2; width == 0 {
				l.s.shape.learn(pieces[0].prefix, splitAt+1)
				width = 1
			}
			last = false
			continue
		}
		if err != nil {
			return nil, false, 0, err
		}
		for _, pair := range found {
			if l.s.escaped(pair) > l.after {
				pairs = append(pairs, pair)
			}
		}
		after = end(pieces[len(pieces)-1])
	}
	if len(pairs) > l.limit {
		return pairs[:l.limit], true, looks, nil
	}
	return pairs, false, looks, nil
}

// end comes after every key of p and before any other piece that follows it.
func end(p piece) string {
	if p.exact {
		return p.prefix
	}
	return p.prefix + string(rune(highest+1))
}

func (s *Store) escaped(pair *api.KVPair) string {
	return strings.TrimPrefix(pair.Key, s.root+dataFolder)
}

// pieces are the next to read: enough for need entries by what is known, at most
// width. Last says that nothing comes after them.
func (l *lister) pieces(after string, need, width int) (pieces []piece, last bool, err error) {
	expected, grew := 0, true
	for grew {
		pieces, expected, grew = nil, 0, false
		last = l.s.shape.cover(l.prefix, after, func(p piece) bool {
			if expected >= need || len(pieces) == width {
				return false
			}
			size := 1
			if !p.exact {
				if size, err = l.s.measure(l.ctx, p.prefix); err != nil {
					return false
				}
				if size > splitAt {
					grew = true
					return false
				}
			}
			pieces, expected = append(pieces, p), expected+size
			return true
		})
		if err != nil {
			return nil, false, err
		}
	}
	return pieces, last, nil
}

// measure is about how many entries prefix has. One that is not known is asked
// for its names, whose answer is cut off when it gets too long.
func (s *Store) measure(ctx context.Context, prefix string) (int, error) {
	if n := s.shape.size(prefix); n != unknownSize {
		return n, nil
	}
	folder := s.root + dataFolder
	names, err := s.names(ctx, folder+prefix)
	if err != nil {
		return 0, err
	}
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], folder)
	}
	s.shape.learnNames(prefix, names)
	return len(names), nil
}

// lookAt reads pieces as of one moment, and learns how large they are.
func (s *Store) lookAt(ctx context.Context, pieces []piece) (api.KVPairs, error) {
	// A folder that may not be read looks empty; so something is read that is there.
	ops := make(api.KVTxnOps, 0, maxOps)
	ops = append(ops, &api.KVTxnOp{Verb: api.KVGetOrEmpty, Key: s.root + markerKey})
	weight := 0
	for _, p := range pieces {
		verb := api.KVGetTree
		if p.exact {
			verb = api.KVGetOrEmpty
		}
		weight += max(s.shape.size(p.prefix), 1)
		ops = append(ops, &api.KVTxnOp{Verb: verb, Key: s.root + dataFolder + p.prefix})
	}
	pairs, err := s.look(ctx, ops, weight)
	if err != nil {
		return nil, err
	}
	pairs = slices.DeleteFunc(pairs[1:], absent)
	slices.SortFunc(pairs, func(a, b *api.KVPair) int { return cmp.Compare(a.Key, b.Key) })
	at := 0
	for _, p := range pieces {
		begin, bytes := at, 0
		for at < len(pairs) && strings.HasPrefix(s.escaped(pairs[at]), p.prefix) && (!p.exact || at == begin && s.escaped(pairs[at]) == p.prefix) {
			bytes += len(pairs[at].Value)
			at++
		}
		if !p.exact {
			s.shape.learn(p.prefix, max(at-begin, bytes/usualBytes))
		}
	}
	return pairs, nil
}
