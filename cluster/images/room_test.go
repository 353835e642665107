package images

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
)

// TestEviction: the least lately used goes first; a keeper's copy, one that is
// held, one that a guest's disk is linked to, and one whose keepers are not both
// sound stay.
func TestEviction(t *testing.T) {
	limits := quick()
	limits.CacheBytes = 3 * piece
	w := newWorld(t, 6, limits)
	n := w.nodes["n0"]
	var cached []string // of n0, which is no keeper of them
	for len(cached) < 6 {
		b, sum := content(piece)
		order := w.order(sum)
		if slices.Contains(order[:2], "n0") {
			continue
		}
		for _, name := range order[:2] {
			if len(cached) != 3 || name != order[0] { // one keeper of the fourth lacks it
				w.place(name, b, true)
			}
		}
		w.place("n0", b, true)
		cached = append(cached, sum)
	}
	var kept string // what it is a keeper of
	for kept == "" {
		if b, sum := content(piece); slices.Contains(w.order(sum)[:2], "n0") {
			kept = w.place("n0", b, true)
		}
	}
	release, err := n.local.Hold(t.Context(), cached[1])
	if err != nil {
		t.Fatal(err)
	}
	defer release(t.Context())
	if err := os.Link(filepath.Join(n.dir, cached[2]), filepath.Join(t.TempDir(), "disk")); err != nil {
		t.Fatal(err)
	}
	if err := n.room(t.Context(), "", 0); err != nil {
		t.Fatal(err)
	}
	if left := n.local.List(); !slices.Contains(left, kept) || !slices.Contains(left, cached[1]) ||
		!slices.Contains(left, cached[2]) || !slices.Contains(left, cached[3]) || len(left) != 4 {
		t.Errorf("kept %d: the keeper's %v, held %v, linked %v, unsound %v", len(left), slices.Contains(left, kept),
			slices.Contains(left, cached[1]), slices.Contains(left, cached[2]), slices.Contains(left, cached[3]))
	}
}

// TestLeastLatelyUsedGoesFirst.
func TestLeastLatelyUsedGoesFirst(t *testing.T) {
	limits := quick()
	limits.CacheBytes = 2 * piece
	w := newWorld(t, 3, limits)
	var all []string
	at := "n0"
	for len(all) < 3 {
		b, sum := content(piece)
		if order := w.order(sum); order[2] == at {
			for _, name := range order {
				w.place(name, b, true)
			}
			all = append(all, sum)
		}
	}
	n := w.nodes[at]
	for _, sum := range []string{all[1], all[0], all[2]} {
		if _, err := n.Path(t.Context(), sum); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.room(t.Context(), "", 0); err != nil {
		t.Fatal(err)
	}
	left := n.local.List()
	if len(left) != 2 || slices.Contains(left, all[1]) {
		t.Errorf("the wrong one went: left %v of %v", left, all)
	}
}

// TestTwoEvictAtOnce never leaves fewer than two copies.
func TestTwoEvictAtOnce(t *testing.T) {
	limits := quick()
	limits.CacheBytes = 1
	w := newWorld(t, 8, limits)
	b, _ := content(piece)
	var sum string
	for name := range w.nodes {
		sum = w.place(name, b, true)
	}
	done := make(chan error)
	for _, n := range w.nodes {
		go func() { done <- n.room(t.Context(), "", 0) }()
	}
	for range w.nodes {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	want := w.order(sum)[:2]
	got := w.holders(sum)
	if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("left on %v, keepers are %v", got, want)
	}
}

// TestDiskFull: a real file system of 256 KiB under one of two nodes.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("may not mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	w := newWorld(t, 2, quick())
	full := w.start("small", dir, nil)
	w.publish()
	big, _ := content(40 * piece)
	sum := w.place("n0", big, true)
	if _, err := full.Path(t.Context(), sum); !errors.Is(err, messages.Exhausted) {
		t.Errorf("got %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left %v, %v", entries, err)
	}
	small, _ := content(2 * piece)
	other := w.place("n0", small, true)
	w.fetched("small", other, small)
	w.upload("n0", big) // goes to the node that has room
	w.clean()
}

// TestDiskFillsUnderAFetch: somebody else takes the room that was there.
func TestDiskFillsUnderAFetch(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("may not mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	limits := quick()
	limits.Streams = 1
	w := newWorld(t, 1, limits)
	n := w.start("small", dir, nil)
	w.publish()
	b, _ := content(16 * piece)
	sum := w.place("n0", b, true)
	hog := filepath.Join(dir, "hog")
	calls := 0
	w.nodes["n0"].spoil(func(method string) error {
		if method == methodFetch {
			if calls++; calls == 4 {
				_ = os.WriteFile(hog, make([]byte, 512<<10), 0o600)
			}
		}
		return nil
	})
	if _, err := n.Path(t.Context(), sum); !errors.Is(err, messages.Exhausted) {
		t.Errorf("got %v", err)
	}
	if _, ok := n.local.Partial(sum); ok {
		t.Error("half a content takes room that others need")
	}
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	w.fetched("small", sum, b)
}

// TestCrashLeftovers are gone after the next start.
func TestCrashLeftovers(t *testing.T) {
	dir := t.TempDir()
	b, sum := content(piece)
	for _, name := range []string{".upload-123", ".fetch-" + sum, sum + ".sums"} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := blobs.Open(dir); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left %v, %v", entries, err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := Open(Config{Log: zerolog.Nop()}); !errors.Is(err, messages.Invalid) {
		t.Error(err)
	}
	if _, err := (Limits{Copies: -1}).withDefaults(); !errors.Is(err, messages.Invalid) {
		t.Error(err)
	}
	if l, err := (Limits{}).withDefaults(); err != nil || l.Copies != 2 || l.FreeBytes != DefaultFreeBytes {
		t.Errorf("%+v, %v", l, err)
	}
}

// TestUploadIntoAFullStore is refused before a byte of it is taken in.
func TestUploadIntoAFullStore(t *testing.T) {
	limits := quick()
	limits.FreeBytes = 1 << 60
	w := newWorld(t, 1, limits)
	if _, err := w.nodes["n0"].Stage(t.Context(), bytes.NewReader(nil), 1); !errors.Is(err, messages.Exhausted) {
		t.Errorf("got %v", err)
	}
}
