package consul_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/messages"
)

// wide writes value to n keys; the first is checked.
func wide(n int, revision uint64, value []byte) store.Txn {
	txn := store.Txn{Checks: []store.Check{{Key: "w/0000", Revision: revision}}}
	for i := range n {
		txn.Writes = append(txn.Writes, store.Write{Key: fmt.Sprintf("w/%04d", i), Value: value})
	}
	return txn
}

func mustCommit(t *testing.T, s store.Store, txn store.Txn) uint64 {
	t.Helper()
	rev, err := s.Commit(t.Context(), txn)
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// all reads everything under prefix, page by page.
func all(t *testing.T, s store.Store, prefix string, limit int) (items []store.Item) {
	t.Helper()
	after := ""
	for {
		page, more, err := s.List(t.Context(), prefix, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, page...)
		if !more {
			return items
		}
		if len(page) == 0 {
			t.Fatalf("an empty page after %q, and more", after)
		}
		after = page[len(page)-1].Key
	}
}

// leftOver are the names under a folder of the store's.
func leftOver(t *testing.T, prefix string, folders ...string) (names []string) {
	t.Helper()
	for _, f := range folders {
		keys, _, err := sharedConsul(t).Client(0).KV().Keys(prefix+"/"+f, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, keys...)
	}
	return names
}

// Transactions of every size around Consul's limits are written whole, checked,
// of one revision, and leave nothing behind.
func TestLarge(t *testing.T) {
	for name, tt := range map[string]struct{ writes, bytes int }{
		"just fits":        {consul.MaxPayload, 10},
		"fits an older":    {consul.FewPayload, 10},
		"one more":         {consul.MaxPayload + 1, 10},
		"few but long":     {30, 20_000},
		"longer":           {3, consul.MaxInline + 1},
		"the longest":      {1, store.MaxValueBytes},
		"most writes":      {store.MaxTxnWrites, 10},
		"many long values": {40, consul.MaxInline},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			prefix := folder()
			s := open(t, consul.Config{Address: sharedConsul(t).Addr(), Prefix: prefix})
			rev := uint64(0)
			for round := range 2 {
				value := bytes.Repeat([]byte{'a' + byte(round)}, tt.bytes)
				before := rev
				rev = mustCommit(t, s, wide(tt.writes, rev, value))
				if _, err := s.Commit(t.Context(), wide(tt.writes, before, []byte("late"))); !errors.Is(err, store.ErrStale) {
					t.Errorf("a stale one: %v", err)
				}
				items := all(t, s, "w/", 1000)
				if len(items) != tt.writes {
					t.Fatalf("%d items", len(items))
				}
				for _, item := range items {
					if !bytes.Equal(item.Value, value) || item.Revision != rev {
						t.Fatalf("%s has %d bytes at %d, want %d at %d", item.Key, len(item.Value), item.Revision, len(value), rev)
					}
				}
			}
			last := items1(t, s, fmt.Sprintf("w/%04d", tt.writes-1))
			mustCommit(t, s, store.Txn{Checks: []store.Check{{Key: last.Key, Revision: last.Revision}}, Writes: []store.Write{{Key: last.Key, Value: []byte("x")}}})
			mustCommit(t, s, wide(tt.writes, items1(t, s, "w/0000").Revision, nil))
			if items := all(t, s, "", 0); len(items) != 0 {
				t.Errorf("%d items are left", len(items))
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			again := open(t, consul.Config{Address: sharedConsul(t).Addr(), Prefix: prefix})
			if _, err := again.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
			if names := leftOver(t, prefix, "v/", "p/", "r/", "d/"); len(names) != 0 {
				t.Errorf("left behind: %d, the first %s", len(names), names[0])
			}
		})
	}
}

func items1(t *testing.T, s store.Store, key string) store.Item {
	t.Helper()
	var item store.Item
	atLast(t, func() (err error) {
		item, err = s.Get(t.Context(), key)
		return err
	})
	return item
}

// Readers of another process see a large transaction whole or not at all.
func TestLargeIsSeenWhole(t *testing.T) {
	c := consul.Config{Address: sharedConsul(t).Addr(), Prefix: folder()}
	s, other := open(t, c), open(t, c)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		defer stop()
		rev := uint64(0)
		for i := range 20 {
			var err error
			if rev, err = s.Commit(context.Background(), wide(150, rev, fmt.Append(nil, i))); err != nil {
				t.Error(err)
			}
		}
	})
	for ctx.Err() == nil {
		items, _, err := other.List(context.Background(), "w/", "", 0)
		if err != nil || len(items) != 0 && len(items) != 150 {
			t.Fatalf("%d items, %v", len(items), err)
		}
		for _, item := range items {
			if !bytes.Equal(item.Value, items[0].Value) || item.Revision != items[0].Revision {
				t.Fatalf("%s is %q at %d, %s is %q at %d", item.Key, item.Value, item.Revision, items[0].Key, items[0].Value, items[0].Revision)
			}
		}
	}
	wg.Wait()
}

// A writer that dies after its decision has decided; one that dies before has not,
// and what it left is collected.
func TestLargeWriterDies(t *testing.T) {
	for _, decided := range []bool{false, true} {
		t.Run(fmt.Sprint(decided), func(t *testing.T) {
			c := consul.Config{Address: sharedConsul(t).Addr(), Prefix: folder()}
			s := open(t, c)
			rev := mustCommit(t, s, wide(150, 0, []byte("old")))
			txn := wide(150, rev, []byte("new"))
			txn.Writes[50].Value = bytes.Repeat([]byte("n"), consul.MaxInline+1)
			if err := s.DieDeciding(txn, decided); err != nil {
				t.Fatal(err)
			}
			other := open(t, c)
			want := map[bool]string{false: "old", true: "new"}[decided]
			for _, key := range []string{"w/0099", "w/0000", "w/0001"} {
				if item := items1(t, other, key); string(item.Value) != want || decided != (item.Revision != rev) {
					t.Errorf("%s is %q at %d", key, item.Value, item.Revision)
				}
			}
			if _, err := other.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := len(items1(t, other, "w/0050").Value) > 10; got != decided {
				t.Errorf("the long value is new: %v", got)
			}
			if names := leftOver(t, c.Prefix, "p/", "r/"); len(names) != 0 {
				t.Errorf("left behind: %q", names)
			}
			if names := leftOver(t, c.Prefix, "v/"); decided == (len(names) == 0) {
				t.Errorf("parts: %q", names)
			}
		})
	}
}

// What cannot be committed whole is refused.
func TestTooLarge(t *testing.T) {
	s := open(t, consul.Config{Address: sharedConsul(t).Addr(), Prefix: folder()})
	foreign := wide(consul.MaxPayload+1, 0, []byte("x"))
	foreign.Checks[0].Key = "elsewhere"
	many := wide(consul.MaxPayload+1, 0, []byte("x"))
	for i := range consul.MaxLargeChecks {
		many.Checks = append(many.Checks, store.Check{Key: many.Writes[i+1].Key})
	}
	for name, txn := range map[string]store.Txn{"checks what it does not write": foreign, "many checks": many} {
		if _, err := s.Commit(t.Context(), txn); !errors.Is(err, messages.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
