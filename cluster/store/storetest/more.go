package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

func lists(t *testing.T, s store.Store) {
	txn := store.Txn{}
	for i := range 25 {
		txn.Writes = append(txn.Writes, store.Write{Key: fmt.Sprintf("p/%02d", (i*7)%25), Value: []byte{byte(i)}})
	}
	txn.Writes = append(txn.Writes, Put("o", "").Writes[0], Put("p", "").Writes[0], Put("p0", "").Writes[0])
	commit(t, s, txn)
	var keys []string
	after, pages := "", 0
	for more := true; more; pages++ {
		var items []store.Item
		var err error
		items, more, err = s.List(t.Context(), "p/", after, 10)
		if err != nil || more != (pages < 2) {
			t.Fatalf("page %d: more %v, %v", pages, more, err)
		}
		for _, i := range items {
			keys = append(keys, i.Key)
		}
		after = keys[len(keys)-1]
	}
	for i, k := range keys {
		if k != fmt.Sprintf("p/%02d", i) {
			t.Errorf("at %d: %s", i, k)
		}
	}
	if len(keys) != 25 || pages != 3 {
		t.Errorf("%d keys in %d pages", len(keys), pages)
	}
	for _, tt := range []struct {
		prefix, after string
		want          int
	}{{"p", "", 27}, {"", "", 28}, {"p/", "p/24", 0}, {"p/", "a", 25}, {"p/", "z", 0}, {"q", "", 0}, {"p/", "p/045", 20}} {
		items, more, err := s.List(t.Context(), tt.prefix, tt.after, 0)
		if len(items) != tt.want || more || err != nil {
			t.Errorf("prefix %q after %q: %d, want %d; more %v, %v", tt.prefix, tt.after, len(items), tt.want, more, err)
		}
	}
}

func listSees(t *testing.T, s store.Store) {
	for i := range 50 {
		key := fmt.Sprintf("k/%03d", i)
		rev := commit(t, s, Put(key, "v"))
		items, _, err := s.List(t.Context(), "k/", "", 0)
		if err != nil || len(items) != i+1 || items[i].Key != key || items[i].Revision != rev || string(items[i].Value) != "v" {
			t.Fatalf("after %s the list has %d items, %v", key, len(items), err)
		}
	}
}

func limits(t *testing.T, s store.Store) {
	for name, txn := range map[string]store.Txn{
		"empty key":       Put("", "x"),
		"long key":        Put(strings.Repeat("k", store.MaxKeyBytes+1), "x"),
		"large value":     {Writes: []store.Write{{Key: "k", Value: make([]byte, store.MaxValueBytes+1)}}},
		"many writes":     {Writes: make([]store.Write, store.MaxTxnWrites+1)},
		"empty check key": {Checks: []store.Check{{}}},
	} {
		_, err := s.Commit(t.Context(), txn)
		wantKind(t, name, err, messages.Invalid)
	}
	commit(t, s, Put(strings.Repeat("k", store.MaxKeyBytes), "x"))
	_, _, err := s.List(t.Context(), "", "", store.MaxListItems+1)
	wantKind(t, "long list", err, messages.Invalid)
	_, _, err = s.List(t.Context(), "", "", -1)
	wantKind(t, "negative list", err, messages.Invalid)
}

// snapshots: two keys that are always written together are never seen apart.
func snapshots(t *testing.T, s store.Store) {
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		defer stop()
		for i := range 200 {
			v := fmt.Append(nil, i)
			if _, err := s.Commit(context.Background(), store.Txn{Writes: []store.Write{{Key: "s/a", Value: v}, {Key: "s/b", Value: v}}}); err != nil {
				t.Errorf("commit: %v", err)
				return
			}
		}
	})
	for ctx.Err() == nil {
		items, _, err := s.List(context.Background(), "s/", "", 0)
		if err != nil || len(items) == 1 || len(items) == 2 && (string(items[0].Value) != string(items[1].Value) || items[0].Revision != items[1].Revision) {
			t.Errorf("torn list %v, %v", items, err)
			break
		}
	}
	wg.Wait()
}

func copies(t *testing.T, s store.Store) {
	commit(t, s, Put("a", "good"))
	got := get(t, s, "a")
	copy(got.Value, "evil")
	items, _, _ := s.List(t.Context(), "a", "", 0)
	copy(items[0].Value, "evil")
	if again := get(t, s, "a"); string(again.Value) != "good" {
		t.Errorf("a reader changed the value to %q", again.Value)
	}
}

func ended(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.Get(ctx, "a")
	wantKind(t, "get", err, messages.Unavailable)
	_, err = s.Commit(ctx, Put("a", "1"))
	wantKind(t, "commit", err, messages.Unavailable)
	_, _, err = s.List(ctx, "", "", 0)
	wantKind(t, "list", err, messages.Unavailable)
}

func closed(t *testing.T, s store.Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), "a")
	wantKind(t, "get", err, messages.Unavailable)
	_, err = s.Commit(t.Context(), Put("a", "1"))
	wantKind(t, "commit", err, messages.Unavailable)
	_, _, err = s.List(t.Context(), "", "", 0)
	wantKind(t, "list", err, messages.Unavailable)
}

// closing: every commit that raced with Close either counts or says it does not.
func closing(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				_, err := s.Commit(context.Background(), Put(fmt.Sprintf("%d/%d", w, i), "x"))
				if err != nil {
					wantKind(t, "commit", err, messages.Unavailable)
					return
				}
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}
