package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// Get is store.Store's.
func (s *Store) Get(ctx context.Context, key string) (item store.Item, err error) {
	err = s.view(ctx, func(b *bbolt.Bucket) error {
		raw := b.Get([]byte(key))
		if raw == nil {
			return fmt.Errorf("no key %q: %w", key, messages.NotFound)
		}
		item, err = decode(key, raw)
		return err
	})
	return item, err
}

// List is store.Store's.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) (items []store.Item, more bool, err error) {
	limit, err = store.ListLimit(limit)
	if err != nil {
		return nil, false, err
	}
	err = s.view(ctx, func(b *bbolt.Bucket) error {
		c := b.Cursor()
		for k, v := c.Seek([]byte(max(prefix, after))); bytes.HasPrefix(k, []byte(prefix)); k, v = c.Next() {
			if k == nil {
				return nil
			}
			key := string(k)
			if key == after {
				continue
			}
			if len(items) == limit {
				more = true
				return nil
			}
			item, err := decode(key, v)
			if err != nil {
				return err
			}
			items = append(items, item)
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return items, more, nil
}

// view reads in one snapshot. A damaged page gives an error, not a crash.
func (s *Store) view(ctx context.Context, read func(*bbolt.Bucket) error) (err error) {
	if err := s.usable(ctx); err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read the store: %w: %v: %w", errDamaged, p, messages.Internal)
		}
	}()
	err = s.db.View(func(tx *bbolt.Tx) error { return read(tx.Bucket(bucketName)) })
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return store.ErrClosed
	}
	return err
}
