package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
)

// gathering is a store that lists several prefixes at once, unless it is too much.
type gathering struct {
	store.Store
	asked [][]string
	few   int
}

func (g *gathering) ListAll(ctx context.Context, prefixes ...string) (all []store.Item, whole bool, err error) {
	g.asked = append(g.asked, prefixes)
	for _, p := range prefixes {
		for after, more := "", true; more; {
			var items []store.Item
			if items, more, err = g.List(ctx, p, after, 0); err != nil {
				return nil, false, err
			}
			all, after = append(all, items...), items[len(items)-1].Key
		}
	}
	if len(all) > g.few {
		return nil, false, nil
	}
	return all, true, nil
}

// TestListAll: what is below several prefixes, whatever the store can do, and however
// much that is.
func TestListAll(t *testing.T) {
	const many = store.MaxListItems + 5
	var txn store.Txn
	var want []string
	for i := range many {
		key := fmt.Sprintf("a/%04d", i)
		want = append(want, key)
		txn.Writes = append(txn.Writes, store.Write{Key: "index/" + key, Value: []byte("x")})
	}
	want = append(want, "c/1")
	txn.Writes = append(txn.Writes, store.Write{Key: "index/b/1", Value: []byte("x")}, store.Write{Key: "index/c/1", Value: []byte("x")})
	for name, s := range map[string]store.Store{
		"one by one":       mem.New(),
		"at once":          &gathering{Store: mem.New(), few: 2 * many},
		"too much at once": &gathering{Store: mem.New(), few: 2},
	} {
		if _, err := s.Commit(t.Context(), txn); err != nil {
			t.Fatal(err)
		}
		entries, err := start(t, s).Client().ListAll(t.Context(), "c/", "a/")
		var got []string
		for _, e := range entries {
			got = append(got, e.Key)
		}
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %d entries, want %d, %v", name, len(got), len(want), err)
		}
		if g, ok := s.(*gathering); ok && len(g.asked) != 1 {
			t.Errorf("%s: the store was asked for %q", name, g.asked)
		}
	}
}
