package consul_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
)

// fill writes n keys of several forms to all of stores.
func fill(t testing.TB, n int, stores ...store.Store) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	var txn store.Txn
	for i := range n {
		key := fmt.Sprintf("index/p1/%012x-%04x", 0x0192a7f30000+i*3, r.Uint32N(1<<16)) // as times are
		switch i % 8 {
		case 0:
			key = fmt.Sprintf("index/p2/%08x", r.Uint32()) // as random ids are
		case 1:
			key = fmt.Sprintf("index//odd/../\x00\xff%c%d", rune(i%7), r.Uint32N(1000))
		}
		txn.Writes = append(txn.Writes, store.Write{Key: key, Value: fmt.Append(nil, i)})
		if len(txn.Writes) == 60 || i == n-1 {
			for _, s := range stores {
				if _, err := s.Commit(context.Background(), txn); err != nil {
					t.Fatal(err)
				}
			}
			txn = store.Txn{}
		}
	}
}

// TestList: folders too large for one answer are read in pieces and give what a
// small store gives, page by page, whatever the page and wherever it begins.
func TestList(t *testing.T) {
	config := consul.Config{Address: sharedConsul(t).Addr(), Prefix: folder()}
	s, model := open(t, config), mem.New()
	fill(t, 2*consul.SplitAt, s, model)
	for _, prefix := range []string{"", "index/", "index/p1/", "index/p1/0192a7f3", "index/p2/", "index/p2/a", "index//", "none"} {
		fresh := open(t, config) // knows nothing of the shape
		for _, limit := range []int{0, 7} {
			want, _, err := model.List(t.Context(), prefix, "", limit)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				got, _, err := fresh.List(t.Context(), prefix, "", limit)
				compare(t, fmt.Sprintf("%q limit %d", prefix, limit), got, want)
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		compare(t, fmt.Sprintf("all of %q", prefix), all(t, fresh, prefix, 1000), all(t, model, prefix, 1000))
	}
	keys := all(t, model, "index/", 1000)
	for range 50 {
		after := keys[rand.IntN(len(keys))].Key
		after = after[:rand.IntN(len(after)+1)]
		want, wantMore, _ := model.List(t.Context(), "index/", after, 50)
		got, more, err := s.List(t.Context(), "index/", after, 50)
		if err != nil || more != wantMore {
			t.Errorf("after %q: more %v, want %v, %v", after, more, wantMore, err)
		}
		compare(t, fmt.Sprintf("after %q", after), got, want)
	}
}

func compare(t *testing.T, what string, got, want []store.Item) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b store.Item) bool { return a.Key == b.Key && string(a.Value) == string(b.Value) }) {
		t.Errorf("%s: %d items, want %d", what, len(got), len(want))
	}
}

// BenchmarkList reads pages of a folder with 100,000 entries: the first one by a
// process that knows nothing of it, the first one again, and each after another.
func BenchmarkList(b *testing.B) {
	config := consul.Config{Address: sharedConsul(b).Addr(), Prefix: folder()}
	s := open(b, config)
	fill(b, 8*100_000/6, s)
	for name, fresh := range map[string]bool{"cold": true, "first": false} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				reader := s
				if fresh {
					reader = open(b, config)
				}
				if _, more, err := reader.List(context.Background(), "index/p1/", "", 1000); err != nil || !more {
					b.Fatal(more, err)
				}
			}
		})
	}
	b.Run("next", func(b *testing.B) {
		after := ""
		for b.Loop() {
			items, more, err := s.List(context.Background(), "index/p1/", after, 1000)
			if err != nil {
				b.Fatal(err)
			}
			if after = ""; more {
				after = items[len(items)-1].Key
			}
		}
	})
}

// TestListAll: several folders at once are what they are one by one, in order; what is
// too much for one answer is not whole.
func TestListAll(t *testing.T) {
	config := consul.Config{Address: sharedConsul(t).Addr(), Prefix: folder()}
	s, model := open(t, config), mem.New()
	fill(t, 2*consul.SplitAt, s, model)
	for _, prefixes := range [][]string{{}, {"none"}, {"index/p2/"}, {"index/p2/", "index//", "none"}, {"index/p2/a", "index/p2/b"}} {
		var want []store.Item
		for _, p := range slices.Sorted(slices.Values(prefixes)) {
			want = append(want, all(t, model, p, 1000)...)
		}
		for range 2 {
			got, whole, err := s.ListAll(t.Context(), prefixes...)
			if err != nil || !whole {
				t.Fatalf("%q: whole %v, %v", prefixes, whole, err)
			}
			compare(t, fmt.Sprintf("%q", prefixes), got, want)
		}
	}
	for range 2 {
		if got, whole, err := s.ListAll(t.Context(), "index/p1/", "none"); err != nil || whole || got != nil {
			t.Errorf("a large folder: %d items, whole %v, %v", len(got), whole, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.ListAll(t.Context(), "none"); err != store.ErrClosed {
		t.Errorf("when it is closed: %v", err)
	}
}
