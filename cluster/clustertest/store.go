package clustertest

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// pausePoll is how often a paused node's access to the store looks whether it
// goes on.
const pausePoll = 5 * time.Millisecond

// Store is the shared store as a node reaches it: not at all once it is dead or
// while it does not reach the table, later while it is paused, and without
// commits once it is no member: they carry a check of its registration.
func (n *Net) Store(s store.Store) store.Store { return &access{s, n} }

type access struct {
	store.Store
	net *Net
}

var errAway = fmt.Errorf("the store cannot be reached: %w", messages.Unavailable)

// enter waits until the node may go on.
func (a *access) enter(ctx context.Context) error {
	w := a.net.world
	for {
		w.mu.Lock()
		paused, away := a.net.paused && !a.net.dead, a.net.dead || a.net.blind
		w.mu.Unlock()
		if away {
			return errAway
		}
		if !paused {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), messages.Unavailable)
		case <-time.After(pausePoll):
		}
	}
}

// Get is store.Store's.
func (a *access) Get(ctx context.Context, key string) (store.Item, error) {
	if err := a.enter(ctx); err != nil {
		return store.Item{}, err
	}
	return a.Store.Get(ctx, key)
}

// List is store.Store's.
func (a *access) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, bool, error) {
	if err := a.enter(ctx); err != nil {
		return nil, false, err
	}
	return a.Store.List(ctx, prefix, after, limit)
}

// Commit is store.Store's.
func (a *access) Commit(ctx context.Context, txn store.Txn) (uint64, error) {
	w := a.net.world
	w.mu.Lock()
	id := a.net.self.ID
	w.mu.Unlock()
	if err := a.enter(ctx); err != nil {
		return 0, err
	}
	w.mu.Lock() // so that nobody is evicted between the check and the commit
	defer w.mu.Unlock()
	if a.net.dead || a.net.blind {
		return 0, errAway
	}
	if !w.latest.Has(id) {
		return 0, fmt.Errorf("%s is no member any more: %w", id, store.ErrStale)
	}
	return a.Store.Commit(ctx, txn)
}
