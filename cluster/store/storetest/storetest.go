// Package storetest owns what every store.Store must do: one suite that each
// implementation runs, and a model to compare any history of operations with.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// Run checks that the stores which open makes keep the contract. Each call of
// open gives an empty store; Run closes it.
func Run(t *testing.T, open func(*testing.T) store.Store) {
	for name, check := range map[string]func(*testing.T, store.Store){
		"a missing key is NotFound":                missing,
		"what is written is read":                  roundTrip,
		"a check decides":                          checks,
		"a failed check writes nothing":            wholeOrNot,
		"the last write of a key counts":           lastWrite,
		"every write moves the revision":           revisions,
		"lists are ordered and paged":              lists,
		"a list holds what a commit before it did": listSees,
		"limits are refused":                       limits,
		"one of many rivals wins each round":       rivals,
		"readers see whole transactions":           snapshots,
		"values are copies":                        copies,
		"a load is a key and what is below it":     loads,
		"an ended context is Unavailable":          ended,
		"a closed store is Unavailable":            closed,
		"commits under way survive Close":          closing,
		"a watcher learns of every change":         watches,
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			s := open(t)
			defer func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}()
			check(t, s)
		})
	}
	t.Run("histories", func(t *testing.T) {
		for seed := range uint64(20) {
			s := open(t)
			if err := Replay(s, Random(seed, 300)); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			_ = s.Close()
		}
	})
}

// Put is a transaction of one unconditional write.
func Put(key, value string) store.Txn {
	return store.Txn{Writes: []store.Write{{Key: key, Value: []byte(value)}}}
}

func commit(t *testing.T, s store.Store, txn store.Txn) uint64 {
	t.Helper()
	rev, err := s.Commit(t.Context(), txn)
	if err != nil {
		t.Fatalf("commit: %v", err)
	}
	return rev
}

func get(t *testing.T, s store.Store, key string) store.Item {
	t.Helper()
	item, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	return item
}

func wantKind(t *testing.T, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: got %v, want %v", what, err, kind)
	}
}

func missing(t *testing.T, s store.Store) {
	_, err := s.Get(t.Context(), "a")
	wantKind(t, "get", err, messages.NotFound)
	commit(t, s, Put("a", "1"))
	commit(t, s, store.Txn{Writes: []store.Write{{Key: "a"}, {Key: "never"}}})
	_, err = s.Get(t.Context(), "a")
	wantKind(t, "get after delete", err, messages.NotFound)
}

func roundTrip(t *testing.T, s store.Store) {
	for _, value := range []string{"", "1", strings.Repeat("x", 300_000)} {
		rev := commit(t, s, Put("k", value))
		got := get(t, s, "k")
		if string(got.Value) != value || got.Revision != rev || got.Key != "k" || got.Value == nil {
			t.Errorf("wrote %d bytes at %d, read %d at %d", len(value), rev, len(got.Value), got.Revision)
		}
	}
}

func checks(t *testing.T, s store.Store) {
	rev := commit(t, s, store.Txn{Checks: []store.Check{{Key: "a"}}, Writes: Put("a", "1").Writes})
	_, err := s.Commit(t.Context(), store.Txn{Checks: []store.Check{{Key: "a"}}, Writes: Put("a", "2").Writes})
	wantKind(t, "absent", err, store.ErrStale)
	wantKind(t, "absent", err, messages.Conflict)
	_, err = s.Commit(t.Context(), store.Txn{Checks: []store.Check{{Key: "a", Revision: rev + 1}}})
	wantKind(t, "wrong revision", err, store.ErrStale)
	commit(t, s, store.Txn{Checks: []store.Check{{Key: "a", Revision: rev}, {Key: "b"}}, Writes: Put("a", "3").Writes})
	if got := get(t, s, "a"); string(got.Value) != "3" {
		t.Errorf("got %q", got.Value)
	}
}

func wholeOrNot(t *testing.T, s store.Store) {
	rev := commit(t, s, Put("a", "1"))
	_, err := s.Commit(t.Context(), store.Txn{
		Checks: []store.Check{{Key: "a", Revision: rev}, {Key: "b", Revision: 7}},
		Writes: []store.Write{{Key: "a", Value: []byte("2")}, {Key: "c", Value: []byte("2")}},
	})
	wantKind(t, "commit", err, store.ErrStale)
	if got := get(t, s, "a"); string(got.Value) != "1" || got.Revision != rev {
		t.Errorf("a is %q at %d", got.Value, got.Revision)
	}
	_, err = s.Get(t.Context(), "c")
	wantKind(t, "c", err, messages.NotFound)
}

func lastWrite(t *testing.T, s store.Store) {
	commit(t, s, store.Txn{Writes: []store.Write{{Key: "a", Value: []byte("1")}, {Key: "a"}, {Key: "a", Value: []byte("3")}}})
	if got := get(t, s, "a"); string(got.Value) != "3" {
		t.Errorf("got %q", got.Value)
	}
	commit(t, s, store.Txn{Writes: []store.Write{{Key: "a", Value: []byte("4")}, {Key: "a"}}})
	_, err := s.Get(t.Context(), "a")
	wantKind(t, "get", err, messages.NotFound)
}

func revisions(t *testing.T, s store.Store) {
	seen := map[uint64]bool{0: true}
	for range 5 {
		rev := commit(t, s, Put("a", "same"))
		if seen[rev] {
			t.Errorf("revision %d came twice", rev)
		}
		seen[rev] = true
		commit(t, s, store.Txn{Writes: []store.Write{{Key: "a"}}})
	}
}

// rivals: of many that check the same revision at once exactly one wins.
func rivals(t *testing.T, s store.Store) {
	const writers, rounds = 16, 25
	rev := commit(t, s, Put("hot", "-"))
	for round := range rounds {
		var won atomic.Int64
		var next atomic.Uint64
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				own := fmt.Sprintf("own/%d/%d", w, round)
				got, err := s.Commit(context.Background(), store.Txn{
					Checks: []store.Check{{Key: "hot", Revision: rev}},
					Writes: []store.Write{{Key: "hot", Value: []byte(own)}, {Key: own, Value: []byte("x")}},
				})
				if err == nil {
					won.Add(1)
					next.Store(got)
				} else if !errors.Is(err, store.ErrStale) {
					t.Errorf("commit: %v", err)
				}
				if _, err := s.Commit(context.Background(), Put(fmt.Sprintf("free/%d", w), own)); err != nil {
					t.Errorf("an unrelated commit failed: %v", err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("round %d: %d won", round, won.Load())
		}
		rev = next.Load()
	}
	if items, _, _ := s.List(t.Context(), "own/", "", 0); len(items) != rounds {
		t.Errorf("%d rounds left %d marks", rounds, len(items))
	}
}
