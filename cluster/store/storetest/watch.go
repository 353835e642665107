package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

const watchBound = 30 * time.Second // a test that waits longer has failed

// watches: who watches a prefix learns of every write and delete under it, also
// of those between two calls; nobody waits for ever.
func watches(t *testing.T, s store.Store) {
	w, ok := s.(store.Watcher)
	if !ok {
		t.Skip("not a store.Watcher")
	}
	ctx, cancel := context.WithTimeout(t.Context(), watchBound)
	defer cancel()
	now, err := w.Watch(ctx, "w/", 0)
	if err != nil || now == 0 {
		t.Fatalf("first look: %d, %v", now, err)
	}
	for n, txn := range []store.Txn{Put("w/a", "1"), Put("w/b", "1"), {Writes: []store.Write{{Key: "w/a"}}}} {
		if n == 1 { // while nobody watches
			commit(t, s, txn)
		} else {
			go func() { _, _ = s.Commit(ctx, txn) }()
		}
		if now, err = w.Watch(ctx, "w/", now); err != nil {
			t.Fatalf("change %d: %v", n, err)
		}
		for items := -1; items != []int{1, 2, 1}[n]; { // it may have woken for nothing
			list, _, err := s.List(ctx, "w/", "", 0)
			if err != nil {
				t.Fatal(err)
			}
			if items = len(list); items != []int{1, 2, 1}[n] {
				if now, err = w.Watch(ctx, "w/", now); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	ended, end := context.WithTimeout(ctx, 50*time.Millisecond)
	defer end()
	for err = nil; err == nil; { // it may wake for nothing
		now, err = w.Watch(ended, "w/", now)
	}
	wantKind(t, "watch without a change", err, messages.Unavailable)
	wait := make(chan error, 1)
	go func() {
		at, err := now, error(nil)
		for err == nil {
			at, err = w.Watch(ctx, "w/", at)
		}
		wait <- err
	}()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wantKind(t, "watch of a closed store", <-wait, messages.Unavailable)
}
