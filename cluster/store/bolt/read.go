package bolt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strings"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// Get is store.Store's.
func (s *Store) Get(ctx context.Context, key string) (item store.Item, err error) {
	if err := s.usable(ctx); err != nil {
		return store.Item{}, err
	}
	s.state.RLock()
	e, ok := find(key, s.active, s.frozen)
	s.state.RUnlock()
	switch {
	case ok && e.value == nil:
		return store.Item{}, absent(key)
	case ok:
		return e.item(key), nil
	}
	err = s.look(func(b *bbolt.Bucket) error {
		raw := b.Get([]byte(key))
		if raw == nil {
			return absent(key)
		}
		item, err = decode(key, raw)
		return err
	})
	return item, err
}

func absent(key string) error { return fmt.Errorf("no key %q: %w", key, messages.NotFound) }

// item copies: what is given out is the caller's.
func (e entry) item(key string) store.Item {
	return store.Item{Key: key, Value: append([]byte{}, e.value...), Revision: e.revision}
}

// List is store.Store's.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) (items []store.Item, more bool, err error) {
	limit, err = store.ListLimit(limit)
	if err == nil {
		err = s.usable(ctx)
	}
	if err != nil {
		return nil, false, err
	}
	read := func(visits int) func(*bbolt.Bucket, []*layer) error {
		return func(b *bbolt.Bucket, layers []*layer) (err error) {
			items, more, err = list(newMerge(b, layers, max(prefix, after)), prefix, after, limit, visits)
			return err
		}
	}
	if err = s.glance(read(glanceVisits)); errors.Is(err, errLong) {
		err = s.snapshot(read(math.MaxInt))
	}
	if err != nil {
		return nil, false, err
	}
	return items, more, nil
}

// list reads a page from m; errLong if it would have to visit more keys than that.
func list(m *merge, prefix, after string, limit, visits int) (items []store.Item, more bool, err error) {
	for ; m.valid() && strings.HasPrefix(m.key, prefix); m.next() {
		if visits--; visits < 0 {
			return nil, false, errLong
		}
		item, err := m.item()
		switch {
		case err != nil:
			return nil, false, err
		case item.Revision == 0 || m.key == after:
			continue // deleted, or seen
		case len(items) == limit:
			return items, true, nil
		}
		items = append(items, item)
	}
	return items, false, nil
}

// glanceVisits is how many keys a list may visit while commits wait for it.
const glanceVisits = 32

var errLong = errors.New("the list is long")

// glance is snapshot for a short look, during which nothing is committed. A
// snapshot makes the commits that follow copy what they change of the tree, which
// costs many times what a short list does; one is read at every POST /servers.
func (s *Store) glance(read func(*bbolt.Bucket, []*layer) error) error {
	return s.guarded(func() error {
		s.state.RLock()
		defer s.state.RUnlock()
		layers := make([]*layer, 0, 2)
		for _, l := range []*layer{s.active, s.frozen} {
			if l != nil {
				layers = append(layers, l)
			}
		}
		return s.db.View(func(tx *bbolt.Tx) error { return read(tx.Bucket(bucketName), layers) })
	})
}

// Watch is store.Watcher's.
func (s *Store) Watch(ctx context.Context, prefix string, since uint64) (uint64, error) {
	return s.feed.Watch(ctx, prefix, since)
}

// snapshot reads the file and the layers as they are at one moment.
func (s *Store) snapshot(read func(*bbolt.Bucket, []*layer) error) error {
	return s.guarded(func() error {
		s.state.Lock() // copying a tree marks it
		layers := make([]*layer, 0, 2)
		if s.active.bytes > 0 {
			layers = append(layers, &layer{tree: *s.active.tree.Copy()})
		}
		if s.frozen != nil {
			layers = append(layers, s.frozen)
		}
		tx, err := s.db.Begin(false)
		s.state.Unlock()
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		return read(tx.Bucket(bucketName), layers)
	})
}

// look reads the file alone.
func (s *Store) look(read func(*bbolt.Bucket) error) error {
	return s.guarded(func() error {
		return s.db.View(func(tx *bbolt.Tx) error { return read(tx.Bucket(bucketName)) })
	})
}

// guarded turns a damaged page into an error, not a crash.
func (s *Store) guarded(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read the store: %w: %v: %w", errDamaged, p, messages.Internal)
		}
	}()
	err = read()
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return store.ErrClosed
	}
	return err
}
