package images

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

// newShared is n nodes that share a folder.
func newShared(t *testing.T, n int, limits Limits) (*world, string) {
	t.Helper()
	w, dir := newWorld(t, 0, limits), t.TempDir()
	w.share(dir, n)
	return w, dir
}

// share starts n nodes that share a folder.
func (w *world) share(dir string, n int) {
	w.t.Helper()
	s := mem.New()
	for i := range n {
		shared, err := OpenShared(w.t.Context(), dir, "c1", ClaimIn(s, "images/folder"))
		if err != nil {
			w.t.Fatal(err)
		}
		w.start("n"+string(rune('0'+i)), w.t.TempDir(), shared)
	}
	w.publish()
}

// files are a folder's, without the mark.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != markerFile {
			names = append(names, e.Name())
		}
	}
	return names
}

func age(t *testing.T, path string, by time.Duration) {
	t.Helper()
	old := time.Now().Add(-by)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

func TestSharedFolder(t *testing.T) {
	w, dir := newShared(t, 3, quick())
	b, sum := content(3 * piece)
	w.upload("n0", b)
	only := func() bool { got := files(t, dir); return len(got) == 1 && got[0] == sum }
	w.until("nothing else is in the folder", only)
	w.fetched("n1", sum, b)
	c, err := w.nodes["n2"].Open(t.Context(), sum)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 10)
	if _, err := c.ReadAt(got, piece); err != nil || !bytes.Equal(got, b[piece:piece+10]) {
		t.Error(err)
	}
	_ = c.Close()
	if have, want, err := w.nodes["n2"].Copies(t.Context(), sum); have != 1 || want != 1 || err != nil {
		t.Error(have, want, err)
	}
	_, none := content(1)
	if _, err := w.nodes["n1"].Path(t.Context(), none); !errors.Is(err, messages.NotFound) {
		t.Error(err)
	}

	w.want(sum, false)
	if err := w.nodes["n2"].Discard(t.Context(), sum, w.isWanted); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(files(t, dir), sum) {
		t.Error("what was written a moment ago may be about to be announced, and was removed")
	}
	age(t, filepath.Join(dir, sum), time.Hour)
	if err := w.nodes["n2"].Discard(t.Context(), sum, w.isWanted); err != nil {
		t.Fatal(err)
	}
	if left := w.holders(sum); len(left) != 0 || slices.Contains(files(t, dir), sum) {
		t.Errorf("left on %v, in the folder %v", left, files(t, dir))
	}
}

// TestSharedDamage: a damaged file is not taken.
func TestSharedDamage(t *testing.T) {
	w, dir := newShared(t, 2, quick())
	b, sum := content(2 * piece)
	w.upload("n0", b)
	path := filepath.Join(dir, sum)
	if err := errors.Join(os.Remove(path), os.WriteFile(path, make([]byte, len(b)), 0o400)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.nodes["n1"].Path(t.Context(), sum); !errors.Is(err, messages.Unavailable) {
		t.Errorf("got %v", err)
	}
	w.clean()
}

// TestSharedUploadsAndDiscards of one content from all nodes at once: who was told
// that it is kept, and announces it, has it.
func TestSharedUploadsAndDiscards(t *testing.T) {
	w, dir := newShared(t, 3, quick())
	b, sum := content(100)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for _, name := range []string{"n0", "n1"} {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				_ = w.nodes[name].Discard(t.Context(), sum, func(context.Context, string) (bool, error) { return false, nil })
			}
		})
	}
	for range 100 {
		st, err := w.nodes["n2"].Stage(t.Context(), bytes.NewReader(b), 100)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, sum)); err == nil {
			_ = os.Chtimes(filepath.Join(dir, sum), time.Time{}, time.Now().Add(-time.Hour)) // so old that it may go
		}
		if _, err := st.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.until("it is there", func() bool { _, err := os.Stat(filepath.Join(dir, sum)); return err == nil })
	}
	close(stop)
	wg.Wait()
	w.until("nothing else is in the folder", func() bool { got := files(t, dir); return len(got) == 1 && got[0] == sum })
}

func TestSharedLeftovers(t *testing.T) {
	dir := t.TempDir()
	wanted, gone := strings.Repeat("a", 64), strings.Repeat("b", 64)
	for name, old := range map[string]time.Duration{
		sharedUpload + "new": 0, sharedUpload + "old": 2 * leftoverTime,
		sharedTrash + wanted + "-X": time.Hour, sharedTrash + gone + "-X": time.Hour,
		sharedTrash + "no-name": time.Hour, "README": time.Hour, gone: time.Hour,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		age(t, path, old)
	}
	w := newWorld(t, 0, quick())
	w.want(wanted, true)
	w.share(dir, 1)
	if _, err := w.nodes["n0"].Sweep(t.Context(), w.isWanted); err != nil {
		t.Fatal(err)
	}
	want := sharedTrash + "no-name " + sharedUpload + "new README " + wanted
	w.until(want, func() bool { return strings.Join(files(t, dir), " ") == want }) // the node sweeps by itself too
}

func TestSharedFolderIsTheSame(t *testing.T) {
	s, dir, ctx := mem.New(), t.TempDir(), t.Context()
	if _, err := OpenShared(ctx, dir, "c1", ClaimIn(s, "k")); err != nil {
		t.Fatal(err)
	}
	nonsense := t.TempDir()
	if err := os.WriteFile(filepath.Join(nonsense, markerFile), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if _, err := OpenShared(ctx, other, "c1", ClaimIn(mem.New(), "k")); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		dir, cluster string
		store        *mem.Store
		want         error
	}{
		"the same":           {dir, "c1", s, nil},
		"not mounted":        {t.TempDir(), "c1", s, messages.Conflict},
		"another cluster":    {dir, "c2", mem.New(), messages.Conflict},
		"another folder":     {other, "c1", s, messages.Conflict},
		"no folder":          {filepath.Join(dir, "none"), "c1", s, messages.Invalid},
		"a mark of nonsense": {nonsense, "c1", mem.New(), messages.Invalid},
	} {
		if _, err := OpenShared(ctx, tt.dir, tt.cluster, ClaimIn(tt.store, "k")); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// TestTwoMarkAtOnce: one folder, one mark.
func TestTwoMarkAtOnce(t *testing.T) {
	s, dir := mem.New(), t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := OpenShared(t.Context(), dir, "c1", ClaimIn(s, "k")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
