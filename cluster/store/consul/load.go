package consul

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// usualBelow is how many entries stand below a key of which nothing is known.
const usualBelow = 16

// Load is store.Loader's: one transaction, unless values stand in parts. What Consul
// has shown to be more than one answer holds is not whole.
func (s *Store) Load(ctx context.Context, key, prefix string) (items []store.Item, whole bool, err error) {
	if err := s.usable(ctx); err != nil {
		return nil, false, err
	}
	below := escape(prefix)
	if s.shape.isLarge(below) {
		return nil, false, nil
	}
	weight := s.shape.size(below)
	if weight == unknownSize {
		weight = usualBelow
	}
	ops := api.KVTxnOps{
		{Verb: api.KVGetOrEmpty, Key: s.root + markerKey}, // else a folder that may not be read looks empty
		{Verb: api.KVGetOrEmpty, Key: s.name(key)},
		{Verb: api.KVGetTree, Key: s.root + dataFolder + below},
	}
	for range maxLooks {
		pairs, err := s.look(ctx, ops, weight)
		if errors.Is(err, errOversize) {
			s.shape.learn(below, splitAt+1)
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		pairs = slices.DeleteFunc(pairs[1:], absent)
		slices.SortStableFunc(pairs, func(a, b *api.KVPair) int { return cmp.Compare(a.Key, b.Key) })
		s.learnBelow(below, pairs)
		items, all, err := s.items(ctx, pairs)
		if err != nil || all {
			return items, all, err
		}
	}
	return nil, false, fmt.Errorf("values under %q are replaced faster than they can be read: %w", prefix, messages.Unavailable)
}

// learnBelow remembers prefixes below which there is much; most have a handful.
func (s *Store) learnBelow(prefix string, pairs api.KVPairs) {
	bytes := 0
	for _, p := range pairs {
		bytes += len(p.Value)
	}
	n := min(max(len(pairs), bytes/usualBytes), splitAt)
	if n > usualBelow || s.shape.size(prefix) != unknownSize {
		s.shape.learn(prefix, n)
	}
}
