package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// abandon leaves the store as a crash would: nothing is checkpointed any more.
func abandon(t *testing.T, s *Store) {
	t.Helper()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	close(s.closing)
	<-s.done
	close(s.giveUp)
	close(s.checkpoints)
	for range s.checkpointed {
	}
	s.journal.close()
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	s.once.Do(func() {})
}

func put(t *testing.T, s *Store, key, value string) {
	t.Helper()
	if _, err := s.Commit(t.Context(), store.Txn{Writes: []store.Write{{Key: key, Value: []byte(value)}}}); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t *testing.T, path string, o Options) *Store {
	t.Helper()
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestCrashAfterEveryByte cuts the journal at every length: what is left is a
// prefix of the history, never a half or a mixture.
func TestCrashAfterEveryByte(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	s := mustOpen(t, path, Options{NoSync: true})
	const many = 3
	for i := range many {
		put(t, s, "last", fmt.Sprint(i))
		put(t, s, fmt.Sprint("key ", i), "there")
	}
	abandon(t, s)
	journal, err := os.ReadFile(journalPath(path, 1))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before := -1
	for cut := 0; cut <= len(journal); cut++ {
		dir := t.TempDir()
		copied := filepath.Join(dir, "db")
		if err := errors.Join(os.WriteFile(copied, file, 0o600), os.WriteFile(journalPath(copied, 1), journal[:cut], 0o600)); err != nil {
			t.Fatal(err)
		}
		s, err := Open(copied, Options{NoSync: true})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		kept := 0
		for i := range many {
			if _, err := s.Get(t.Context(), fmt.Sprint("key ", i)); err == nil {
				kept++
			} else if !errors.Is(err, messages.NotFound) {
				t.Fatal(err)
			}
		}
		if kept < before || kept > before+1 && before >= 0 {
			t.Errorf("cut at %d: %d kept, %d with less", cut, kept, before)
		}
		before = kept
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if before != many {
		t.Errorf("of the whole journal %d of %d were kept", before, many)
	}
}

// TestSegmentsTakeTurns: what an earlier segment has left in a file is never
// taken for the present, whichever way the crash falls.
func TestSegmentsTakeTurns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	for round := range 6 {
		s := mustOpen(t, path, Options{NoSync: true, CheckpointBytes: 200})
		for i := range 50 {
			put(t, s, fmt.Sprintf("%d", i%7), fmt.Sprintf("%d/%d", round, i))
		}
		abandon(t, s)
		s = mustOpen(t, path, Options{NoSync: true})
		for i := 43; i < 50; i++ {
			got, err := s.Get(t.Context(), fmt.Sprintf("%d", i%7))
			if want := fmt.Sprintf("%d/%d", round, i); err != nil || string(got.Value) != want {
				t.Errorf("round %d: key %d is %q, %v; want %q", round, i%7, got.Value, err, want)
			}
		}
		abandon(t, s)
	}
}

func TestJournalOfAnotherStoreIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	s := mustOpen(t, a, Options{NoSync: true})
	put(t, s, "k", "v")
	abandon(t, s)
	if err := mustOpen(t, b, Options{NoSync: true}).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(journalPath(a, 1), journalPath(b, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(b, Options{}); !errors.Is(err, messages.Invalid) {
		t.Errorf("got %v", err)
	}
}

// TestCloseLeavesOneFile: after an orderly end the file alone is the store.
func TestCloseLeavesOneFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	s := mustOpen(t, path, Options{CheckpointBytes: 100})
	for i := range 40 {
		put(t, s, fmt.Sprint(i), "value")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestRelease: what was given back is read again.
func TestRelease(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, filepath.Join(t.TempDir(), "db"), Options{NoSync: true, CheckpointBytes: 50})
	for i := range 100 {
		put(t, s, fmt.Sprint(i), "value")
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 {
		if got, err := s.Get(t.Context(), fmt.Sprint(i)); err != nil || string(got.Value) != "value" {
			t.Errorf("%d is %q, %v", i, got.Value, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

// FuzzJournal: whatever stands in a journal, reading it ends, with a layer or an
// error, and never with a panic.
func FuzzJournal(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed")
	j := &journal{path: path, noSync: true, id: 7}
	if err := errors.Join(j.begin(1), j.append([]write{{"key", entry{1, []byte("value")}}, {"gone", entry{2, nil}}}), j.append([]write{{"k", entry{3, []byte{}}}})); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(journalPath(path, 1))
	if err != nil {
		f.Fatal(err)
	}
	j.close()
	f.Add(seed)
	f.Add(seed[:len(seed)-3])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "db")
		if err := os.WriteFile(journalPath(path, 1), data, 0o600); err != nil {
			t.Fatal(err)
		}
		layers, err := (&journal{path: path, id: 7}).replay(0)
		if err != nil && len(layers) > 0 {
			t.Error("an error, and layers")
		}
		_ = parseBody(data, func(string, entry) {})
	})
}
