package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/bolt"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/cluster/store/storetest"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		writeUntilKilled(path)
	}
	// bbolt leaves goroutines behind where it panics over a damaged file.
	leaktest.Main(m, goleak.IgnoreAnyFunction("go.etcd.io/bbolt.(*DB).freepages.func2"))
}

func open(t testing.TB, path string, o bolt.Options) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, filepath.Join(t.TempDir(), "db"), bolt.Options{NoSync: true})
	})
}

// TestStoreBetweenCheckpoints is the same with a checkpoint after nearly every
// commit: half of what is read is in the journal, half in the file.
func TestStoreBetweenCheckpoints(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, filepath.Join(t.TempDir(), "db"), bolt.Options{NoSync: true, CheckpointBytes: 64})
	})
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, path, bolt.Options{})
	rev, err := s.Commit(t.Context(), storetest.Put("k", "v"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, bolt.Options{})
	got, err := s.Get(t.Context(), "k")
	if err != nil || string(got.Value) != "v" || got.Revision != rev {
		t.Errorf("got %v, %v", got, err)
	}
	if next, _ := s.Commit(t.Context(), storetest.Put("k", "v")); next <= rev {
		t.Errorf("revision went from %d to %d", rev, next)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	s := open(t, path, bolt.Options{NoSync: true})
	for i := range 200 {
		if _, err := s.Commit(t.Context(), storetest.Put(fmt.Sprint(i), strings.Repeat("v", 4096))); err != nil {
			t.Fatal(err)
		}
	}
	_, err := bolt.Open(path, bolt.Options{})
	if !errors.Is(err, messages.Conflict) || !strings.Contains(err.Error(), "another troupe uses "+dir) {
		t.Errorf("a second opener got %v", err)
	}
	_ = s.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	zeroed := append([]byte{}, whole...)
	clear(zeroed[2*os.Getpagesize():])
	for name, content := range map[string][]byte{
		"text":      []byte(strings.Repeat("this is no store\n", 4096)),
		"short":     whole[:100],
		"cut":       whole[:64*os.Getpagesize()],
		"meta only": whole[:2*os.Getpagesize()],
		"zeroed":    zeroed,
	} {
		damaged := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(damaged, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := bolt.Open(damaged, bolt.Options{}); !errors.Is(err, messages.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := bolt.Open(filepath.Join(dir, "absent", "db"), bolt.Options{}); err == nil {
		t.Error("opened in a directory that is not there")
	}
}

// FuzzHistory: any history ends alike in the file, in memory and in a map.
func FuzzHistory(f *testing.F) {
	f.Add([]byte("\x01\x05abcd\x00\x02\x01abc\x09\x0fxyzw"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ops := storetest.Parse(data[:min(len(data), 600)])
		if err := storetest.Replay(mem.New(), ops); err != nil {
			t.Errorf("memory: %v", err)
		}
		for name, o := range map[string]bolt.Options{"journal": {NoSync: true}, "file": {NoSync: true, CheckpointBytes: 8}} {
			if err := storetest.Replay(open(t, filepath.Join(t.TempDir(), "db"), o), ops); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// BenchmarkCommit is the raw rate: a checked write of one record with fsync.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{256, 1024, 4096} {
		for _, writers := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("%dB/%dwriters", size, writers), func(b *testing.B) {
				s := open(b, filepath.Join(b.TempDir(), "db"), bolt.Options{})
				value := make([]byte, size)
				var wg sync.WaitGroup
				b.ResetTimer()
				for w := range writers {
					wg.Go(func() {
						key, rev := fmt.Sprintf("grain/bench/%d", w), uint64(0)
						for i := w; i < b.N; i += writers {
							var err error
							rev, err = s.Commit(context.Background(), store.Txn{
								Checks: []store.Check{{Key: key, Revision: rev}},
								Writes: []store.Write{{Key: key, Value: value}},
							})
							if err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			})
		}
	}
}

// TestListLongAndShort: a list reads the same whether or not it is short enough
// to be read without a snapshot, with keys in the file, in the journal and deleted.
func TestListLongAndShort(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "db"), bolt.Options{NoSync: true, CheckpointBytes: 2048})
	const keys = 100
	for i := range keys {
		if _, err := s.Commit(t.Context(), storetest.Put(fmt.Sprintf("k/%03d", i), "v")); err != nil {
			t.Fatal(err)
		}
		if i%3 != 0 {
			continue
		}
		if _, err := s.Commit(t.Context(), store.Txn{Writes: []store.Write{{Key: fmt.Sprintf("k/%03d", i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []int{1, 5, 20, 21, 22, 30, 31, 32, 33, 66, 67, keys} {
		var got []string
		for after, more := "", true; more; {
			items, on, err := s.List(t.Context(), "k/", after, limit)
			if err != nil || len(items) > limit || on && len(items) != limit {
				t.Fatalf("limit %d: %d items, more %v, %v", limit, len(items), on, err)
			}
			for _, item := range items {
				got = append(got, item.Key)
				after = item.Key
			}
			more = on
		}
		if len(got) != keys-34 || !slices.IsSorted(got) || len(slices.Compact(got)) != keys-34 {
			t.Errorf("limit %d: %d keys: %v", limit, len(got), got)
		}
	}
}
