package copy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/consultest"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/bolt"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/store/copy"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

func put(t *testing.T, s store.Store, key string, value []byte) {
	t.Helper()
	if _, err := s.Commit(context.Background(), store.Txn{Writes: []store.Write{{Key: key, Value: value}}}); err != nil {
		t.Fatal(err)
	}
}

func filled(t *testing.T, s store.Store) store.Store {
	t.Helper()
	for i := range 700 {
		put(t, s, fmt.Sprintf("grain/k/%d", i), fmt.Append(nil, i))
	}
	put(t, s, "empty", []byte{})
	put(t, s, "long", bytes.Repeat([]byte("l"), 400_000))
	put(t, s, "odd \x00\xff", []byte("x"))
	return s
}

// TestThereAndBack: from bbolt to Consul and back, the sums stay the same.
func TestThereAndBack(t *testing.T) {
	open := func(name string) store.Store {
		s, err := bolt.Open(filepath.Join(t.TempDir(), name), bolt.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	kv, err := consul.Open(t.Context(), consul.Config{Address: consultest.Start(t, consultest.Options{Dev: true}).Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kv.Close() })
	there, err := copy.Copy(t.Context(), filled(t, open("a")), kv, "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	back, err := copy.Copy(t.Context(), kv, open("b"), "consul", nil)
	if err != nil || back != there || there.Keys != 703 {
		t.Errorf("there %d keys, %x; back %d keys, %x; %v", there.Keys, there.Sum, back.Keys, back.Sum, err)
	}
}

// failing fails after some commits.
type failing struct {
	store.Store
	mu   sync.Mutex
	left int
}

func (f *failing) Commit(ctx context.Context, txn store.Txn) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left--; f.left < 0 {
		return 0, fmt.Errorf("no more: %w", messages.Unavailable)
	}
	return f.Store.Commit(ctx, txn)
}

// TestInterrupted: a copy that fails half way leaves a destination that says so,
// and the same copy completes it.
func TestInterrupted(t *testing.T) {
	from, to := filled(t, mem.New()), mem.New()
	if _, err := copy.Copy(t.Context(), from, &failing{Store: to, left: 5}, "a", nil); !errors.Is(err, messages.Unavailable) {
		t.Fatalf("the first try: %v", err)
	}
	if err := copy.Unfinished(t.Context(), to); !errors.Is(err, messages.Conflict) {
		t.Errorf("a half copy: %v", err)
	}
	if _, err := copy.Copy(t.Context(), to, mem.New(), "half", nil); !errors.Is(err, messages.Conflict) {
		t.Errorf("a copy of a half copy: %v", err)
	}
	if _, err := copy.Copy(t.Context(), from, to, "b", nil); !errors.Is(err, messages.Conflict) {
		t.Errorf("another source: %v", err)
	}
	if r, err := copy.Copy(t.Context(), from, to, "a", nil); err != nil || r.Keys != 703 {
		t.Errorf("again: %d keys, %v", r.Keys, err)
	}
	if err := copy.Unfinished(t.Context(), to); err != nil {
		t.Errorf("a whole copy: %v", err)
	}
}

// TestRefused: what must not be copied is not.
func TestRefused(t *testing.T) {
	full := filled(t, mem.New())
	changing := &changes{Store: filled(t, mem.New())}
	for name, tt := range map[string]struct {
		from, to store.Store
		kind     error
	}{
		"an empty source":     {mem.New(), mem.New(), messages.NotFound},
		"a full destination":  {full, filled(t, mem.New()), messages.Conflict},
		"a source that moves": {changing, mem.New(), messages.Conflict},
	} {
		if _, err := copy.Copy(t.Context(), tt.from, tt.to, "x", nil); !errors.Is(err, tt.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// changes has another key after each list.
type changes struct {
	store.Store
	n int
}

func (c *changes) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, bool, error) {
	c.n++
	_, err := c.Store.Commit(ctx, store.Txn{Writes: []store.Write{{Key: fmt.Sprintf("a%03d", c.n), Value: []byte("x")}}})
	if err != nil {
		return nil, false, err
	}
	return c.Store.List(ctx, prefix, after, limit)
}
