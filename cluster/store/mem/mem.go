// Package mem owns the store that forgets: a Store in memory for tests and
// simulations. Every snapshot is a persistent map, so readers never wait.
package mem

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/benbjohnson/immutable"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

type items = immutable.SortedMap[string, store.Item]

// Store is a store.Store in memory. Make one with New.
type Store struct {
	mu       sync.Mutex // held by writers
	revision uint64
	now      atomic.Pointer[items] // nil once closed
	feed     store.Feed
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Watcher = (*Store)(nil)
)

// New makes an empty store.
func New() *Store {
	s := &Store{}
	s.now.Store(immutable.NewSortedMap[string, store.Item](nil))
	return s
}

func (s *Store) snapshot(ctx context.Context) (*items, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("store: %w: %w", err, messages.Unavailable)
	}
	now := s.now.Load()
	if now == nil {
		return nil, store.ErrClosed
	}
	return now, nil
}

// Get is store.Store's.
func (s *Store) Get(ctx context.Context, key string) (store.Item, error) {
	now, err := s.snapshot(ctx)
	if err != nil {
		return store.Item{}, err
	}
	item, ok := now.Get(key)
	if !ok {
		return item, fmt.Errorf("no key %q: %w", key, messages.NotFound)
	}
	item.Value = slices.Clone(item.Value)
	return item, nil
}

// Commit is store.Store's.
func (s *Store) Commit(ctx context.Context, txn store.Txn) (uint64, error) {
	if err := store.CheckTxn(txn); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := s.snapshot(ctx)
	if err != nil {
		return 0, err
	}
	for _, c := range txn.Checks {
		if item, _ := now.Get(c.Key); item.Revision != c.Revision {
			return 0, store.ErrStale
		}
	}
	s.revision++
	for _, w := range txn.Writes {
		if w.Value == nil {
			now = now.Delete(w.Key)
			continue
		}
		value := append([]byte{}, w.Value...)
		now = now.Set(w.Key, store.Item{Key: w.Key, Value: value, Revision: s.revision})
	}
	s.now.Store(now)
	s.feed.Changed(txn.Writes)
	return s.revision, nil
}

// Watch is store.Watcher's.
func (s *Store) Watch(ctx context.Context, prefix string, since uint64) (uint64, error) {
	return s.feed.Watch(ctx, prefix, since)
}

// List is store.Store's.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, bool, error) {
	limit, err := store.ListLimit(limit)
	if err != nil {
		return nil, false, err
	}
	now, err := s.snapshot(ctx)
	if err != nil {
		return nil, false, err
	}
	var found []store.Item
	it := now.Iterator()
	it.Seek(max(prefix, after))
	for !it.Done() {
		key, item, _ := it.Next()
		if !strings.HasPrefix(key, prefix) {
			return found, false, nil
		}
		if key == after {
			continue
		}
		if len(found) == limit {
			return found, true, nil
		}
		item.Value = slices.Clone(item.Value)
		found = append(found, item)
	}
	return found, false, nil
}

// Close is store.Store's.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Store(nil)
	s.feed.Close()
	return nil
}
