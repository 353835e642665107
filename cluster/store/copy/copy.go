// Package copy owns moving a whole installation's state from one store to
// another, and the proof that it arrived. It knows neither which stores they are
// nor what their values mean; contents of images and the like are no state.
package copy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/sync/errgroup"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	pageSize   = 256
	batchKeys  = 60        // writes of one transaction: what every store takes at once
	batchBytes = 192 << 10 // likewise
	width      = 8         // transactions under way

	// markKey stands in a destination until the copy is complete. It sorts before
	// every key of an actor, and no prefix that anybody lists holds it.
	markKey = "\x00copy"
)

// Report is what was copied.
type Report struct {
	Keys  int
	Bytes int64 // of keys and values
	// Sum is over every key and value in the order of keys; that of the
	// destination, read back, is the same.
	Sum [sha256.Size]byte
}

// Unfinished refuses, with a Conflict, a store that a copy has filled in part.
// Whoever starts a cloud on a store asks first.
func Unfinished(ctx context.Context, s store.Store) error {
	item, err := s.Get(ctx, markKey)
	switch {
	case errors.Is(err, messages.NotFound):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("a copy of %q into this store was begun and not finished; repeat it: %w", item.Value, messages.Conflict)
}

// Copy copies every key of from to to, reads all of both again and compares. To
// must be empty, or hold what an interrupted copy of the same source left, which
// is then completed. The source's name is only told to people. Progress, if any,
// is told how many keys have been written so far. Errors wrap Conflict (the
// destination is not empty; the source changed meanwhile), NotFound (the source
// is empty), or are the stores'.
func Copy(ctx context.Context, from, to store.Store, source string, progress func(keys int)) (Report, error) {
	if err := Unfinished(ctx, from); err != nil {
		return Report{}, fmt.Errorf("the source: %w", err)
	}
	if items, _, err := from.List(ctx, "", "", 1); err != nil {
		return Report{}, err
	} else if len(items) == 0 {
		return Report{}, fmt.Errorf("there is nothing in %s: %w", source, messages.NotFound)
	}
	if err := begin(ctx, to, source); err != nil {
		return Report{}, err
	}
	if err := write(ctx, from, to, progress); err != nil {
		return Report{}, err
	}
	report, err := compare(ctx, from, to)
	if err != nil {
		return Report{}, err
	}
	_, err = to.Commit(ctx, store.Txn{Writes: []store.Write{{Key: markKey}}})
	return report, err
}

// begin marks an empty destination, or finds the mark of the same copy.
func begin(ctx context.Context, to store.Store, source string) error {
	items, _, err := to.List(ctx, "", "", 1)
	switch {
	case err != nil:
		return err
	case len(items) == 0:
		_, err = to.Commit(ctx, store.Txn{
			Checks: []store.Check{{Key: markKey}}, Writes: []store.Write{{Key: markKey, Value: []byte(source)}},
		})
		return err
	case items[0].Key == markKey && string(items[0].Value) == source:
		return nil
	case items[0].Key == markKey:
		return fmt.Errorf("the destination holds a part of another source, %q: %w", items[0].Value, messages.Conflict)
	}
	return fmt.Errorf("the destination is not empty: it holds %q: %w", items[0].Key, messages.Conflict)
}

func write(ctx context.Context, from, to store.Store, progress func(keys int)) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(width)
	var batch []store.Write
	keys, size := 0, 0
	flush := func() {
		txn := store.Txn{Writes: batch}
		batch, size = nil, 0
		g.Go(func() error { _, err := to.Commit(ctx, txn); return err })
		if progress != nil {
			progress(keys)
		}
	}
	err := each(ctx, from, func(item store.Item) error {
		n := len(item.Key) + len(item.Value)
		if len(batch) > 0 && (len(batch) == batchKeys || size+n > batchBytes) {
			flush()
		}
		batch, keys, size = append(batch, store.Write{Key: item.Key, Value: item.Value}), keys+1, size+n
		return nil
	})
	if err == nil {
		flush()
	}
	return errors.Join(g.Wait(), err)
}

// each passes every item, in the order of keys.
func each(ctx context.Context, s store.Store, visit func(store.Item) error) error {
	for w := (walk{s: s, more: true}); ; {
		item, ok, err := w.next(ctx)
		if err != nil || !ok {
			return err
		}
		if err := visit(item); err != nil {
			return err
		}
	}
}

// walk reads a store item by item, without the mark.
type walk struct {
	s     store.Store
	page  []store.Item
	after string
	more  bool
}

func (w *walk) next(ctx context.Context) (item store.Item, ok bool, err error) {
	for {
		for len(w.page) == 0 {
			if !w.more {
				return item, false, nil
			}
			if w.page, w.more, err = w.s.List(ctx, "", w.after, pageSize); err != nil {
				return item, false, err
			}
			if len(w.page) > 0 {
				w.after = w.page[len(w.page)-1].Key
			}
		}
		item, w.page = w.page[0], w.page[1:]
		if item.Key != markKey {
			return item, true, nil
		}
	}
}

// compare reads both stores to their ends.
func compare(ctx context.Context, from, to store.Store) (r Report, err error) {
	a, b := walk{s: from, more: true}, walk{s: to, more: true}
	sums := [2]hash.Hash{sha256.New(), sha256.New()}
	for {
		x, okX, err := a.next(ctx)
		if err != nil {
			return r, err
		}
		y, okY, err := b.next(ctx)
		if err != nil {
			return r, err
		}
		if !okX && !okY {
			break
		}
		if okX != okY || x.Key != y.Key || !bytes.Equal(x.Value, y.Value) {
			return r, fmt.Errorf("the copy differs from the source at %q (there) and %q (here): is the source in use? %w", x.Key, y.Key, messages.Conflict)
		}
		add(sums[0], x)
		add(sums[1], y)
		r.Keys++
		r.Bytes += int64(len(x.Key) + len(x.Value))
	}
	if sums[0].Sum(r.Sum[:0]); !bytes.Equal(r.Sum[:], sums[1].Sum(nil)) {
		return r, fmt.Errorf("the sums of source and copy differ: %w", messages.Internal)
	}
	return r, nil
}

func add(h hash.Hash, item store.Item) {
	var n [8]byte
	for _, field := range [][]byte{[]byte(item.Key), item.Value} {
		binary.BigEndian.PutUint64(n[:], uint64(len(field)))
		_, _ = h.Write(n[:]) // never fails
		_, _ = h.Write(field)
	}
}
