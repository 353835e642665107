package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/bolt"
	"github.com/troupe-cloud/troupe/messages"
)

// TestDiskFull fills a real file system: a commit that finds no room says so and
// changes nothing, what was acknowledged stays readable, and once there is room
// the store goes on, without having been opened again.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("may not mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 3584<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "db")
	s := open(t, path, bolt.Options{})
	value := bytes.Repeat([]byte("v"), 10_000)
	put := func(i int) error {
		_, err := s.Commit(t.Context(), store.Txn{Writes: []store.Write{{Key: fmt.Sprintf("%04d", i), Value: value}}})
		return err
	}
	kept := 0
	var err error
	for ; err == nil && kept < 1000; kept++ {
		err = put(kept)
	}
	kept-- // the last one
	if !errors.Is(err, messages.Unavailable) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("after %d values: %v", kept, err)
	}
	holds := func(want int) {
		t.Helper()
		items, _, err := s.List(t.Context(), "", "", 0)
		if err != nil || len(items) != want {
			t.Errorf("%d values, want %d: %v", len(items), want, err)
		}
	}
	holds(kept)
	for range 5 {
		if err := put(kept); err == nil {
			t.Error("there was room all the same")
		}
	}
	holds(kept)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := put(kept + i); err != nil {
			t.Errorf("there is room again, but: %v", err)
		}
	}
	holds(kept + 5)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, bolt.Options{})
	holds(kept + 5)
}
