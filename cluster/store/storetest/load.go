package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

func loader(t *testing.T, s store.Store) store.Loader {
	t.Helper()
	l, ok := s.(store.Loader)
	if !ok {
		t.Skip("not a store.Loader")
	}
	return l
}

// loads asks with neighbours whose keys begin alike, then while writers write and
// others ask, all at once.
func loads(t *testing.T, s store.Store) {
	l := loader(t, s)
	load := func(key string) (keys []string) {
		items, whole, err := l.Load(t.Context(), key, key+"/")
		if err != nil || !whole {
			t.Fatalf("load %q: %v, %v", key, whole, err)
		}
		for _, item := range items {
			keys = append(keys, item.Key)
			if got := get(t, s, item.Key); string(got.Value) != string(item.Value) || got.Revision != item.Revision {
				t.Errorf("loaded %v, got %v", item, got)
			}
		}
		return keys
	}
	for _, key := range []string{"l/b", "l/b/2", "l/b/1/x", "l/b-", "l/b0", "l/bb", "l/bb/1", "l/c/1", "l/a"} {
		commit(t, s, Put(key, "value of "+key))
	}
	for key, want := range map[string]string{
		"l/b": "[l/b l/b/1/x l/b/2]", "l/bb": "[l/bb l/bb/1]", "l/c": "[l/c/1]", "l/a": "[l/a]", "l/d": "[]",
	} {
		if got := fmt.Sprint(load(key)); got != want {
			t.Errorf("load %q: %s, not %s", key, got, want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := l.Load(ended, "l/b", "l/b/")
	wantKind(t, "load", err, messages.Unavailable)
	herd(t, s, l)
}

// herd: whoever asks sees what was committed before, and whole transactions.
func herd(t *testing.T, s store.Store, l store.Loader) {
	const writers, askers, rounds = 3, 16, 40
	ctx := context.Background() // a subtest's ends while they still work
	var done [writers]struct {
		sync.Mutex
		round int
	}
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			key := fmt.Sprintf("h/%d", w)
			for i := 1; i <= rounds; i++ {
				v := fmt.Append(nil, i)
				if _, err := s.Commit(ctx, store.Txn{Writes: []store.Write{{Key: key, Value: v}, {Key: key + "/a", Value: v}, {Key: key + "/b", Value: v}}}); err != nil {
					t.Errorf("commit: %v", err)
					return
				}
				done[w].Lock()
				done[w].round = i
				done[w].Unlock()
			}
		})
	}
	for a := range askers {
		all.Go(func() {
			for n := range rounds {
				w := (a + n) % writers
				done[w].Lock()
				least := done[w].round
				done[w].Unlock()
				key := fmt.Sprintf("h/%d", w)
				var items []store.Item
				var err error
				whole := true
				switch a % 3 {
				case 0:
					items, whole, err = l.Load(ctx, key, key+"/")
				case 1:
					items, _, err = s.List(ctx, key, "", 0)
				default:
					if least == 0 {
						continue
					}
					items = make([]store.Item, 1)
					items[0], err = s.Get(ctx, key)
				}
				if err != nil || !whole {
					t.Errorf("asking: %v, %v", whole, err)
					return
				}
				seen(t, items, least)
			}
		})
	}
	all.Wait()
}

func seen(t *testing.T, items []store.Item, least int) {
	for _, item := range items {
		var round int
		if _, err := fmt.Sscan(string(item.Value), &round); err != nil || round < least || item.Revision != items[0].Revision {
			t.Errorf("%v, but %d was committed before: %v", items, least, err)
			return
		}
	}
	if least > 0 && len(items) == 0 {
		t.Errorf("nothing, but %d was committed before", least)
	}
}
