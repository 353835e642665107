package consul

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// ListAll is store.Gatherer's: one transaction, which who asks for the same meanwhile
// shares. What is not known to be small is not whole.
func (s *Store) ListAll(ctx context.Context, prefixes ...string) (items []store.Item, whole bool, err error) {
	if err := s.usable(ctx); err != nil {
		return nil, false, err
	}
	pieces := make([]piece, len(prefixes))
	for i, prefix := range prefixes {
		pieces[i].prefix = escape(prefix)
		size, err := s.measure(ctx, pieces[i].prefix)
		if err != nil || size > splitAt/len(prefixes) {
			return nil, false, err
		}
	}
	slices.SortFunc(pieces, func(a, b piece) int { return cmp.Compare(a.prefix, b.prefix) })
	if len(pieces) > s.ops()-besidePieces {
		return nil, false, nil
	}
	for range maxLooks {
		pairs, err := s.lookAt(ctx, pieces)
		if errors.Is(err, errOversize) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		if items, whole, err = s.items(ctx, pairs); err != nil || whole {
			return items, whole, err
		}
	}
	return nil, false, fmt.Errorf("values under %q are replaced faster than they can be read: %w", prefixes, messages.Unavailable)
}
