package blobs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

var _ drivers.Images = (*Store)(nil)

const (
	hello       = "hello"
	helloSHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	helloMD5    = "5d41402abc4b2a76b9719d911017c592"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// files lists everything in the store's directory, uploads included.
func files(t *testing.T, s *Store) []string {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func always(yes bool) Referenced {
	return func(context.Context, string) (bool, error) { return yes, nil }
}

func TestPut(t *testing.T) {
	s, ctx := open(t), t.Context()
	for range 2 { // the same content is stored once
		info, err := s.Put(ctx, strings.NewReader(hello), 5)
		if err != nil || info.SHA256 != helloSHA256 || info.MD5 != helloMD5 || len(info.SHA512) != 128 || info.Size != 5 {
			t.Fatalf("got %+v, %v", info, err)
		}
	}
	path, err := s.Path(ctx, helloSHA256)
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode() != blobMode || len(files(t, s)) != 1 {
		t.Errorf("stored as %v, %v, among %v", st, err, files(t, s))
	}
	f, err := s.Open(ctx, helloSHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := s.Delete(ctx, helloSHA256); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(io.NewSectionReader(f, 0, 5)); err != nil || string(b) != hello {
		t.Errorf("an open content was lost: %q, %v", b, err)
	}
	if _, err := s.Path(ctx, helloSHA256); !errors.Is(err, messages.NotFound) {
		t.Errorf("after Delete: %v", err)
	}
}

func TestPutLeavesNothingBehind(t *testing.T) {
	broken := errors.New("connection reset")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, tt := range map[string]struct {
		ctx  context.Context
		r    io.Reader
		want error
	}{
		"too large":       {context.Background(), strings.NewReader("hello!"), ErrTooLarge},
		"client is gone":  {context.Background(), io.MultiReader(strings.NewReader("hel"), iotest.ErrReader(broken)), broken},
		"request is over": {ended, strings.NewReader(hello), context.Canceled},
	} {
		s := open(t)
		if _, err := s.Put(tt.ctx, tt.r, 5); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
		if left := files(t, s); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

// TestDiskFull fills a real file system of 64 KiB.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("may not mount a small file system: %v", err)
	}
	defer syscall.Unmount(dir, 0)
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), bytes.NewReader(make([]byte, 1<<20)), 1<<30); !errors.Is(err, messages.Exhausted) {
		t.Errorf("got %v, want Exhausted", err)
	}
	if left := files(t, s); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if _, err := s.Put(t.Context(), strings.NewReader(hello), 5); err != nil {
		t.Errorf("there is room again, but: %v", err)
	}
}

func TestFull(t *testing.T) {
	err := full(&os.PathError{Op: "write", Err: syscall.ENOSPC})
	if !errors.Is(err, messages.Exhausted) || messages.Sentence(err) != "there is no room left in the image store" {
		t.Error(err)
	}
	if err := full(syscall.EIO); errors.Is(err, messages.Exhausted) {
		t.Error(err)
	}
}

func TestOpenRemovesWhatACrashLeft(t *testing.T) {
	s := open(t)
	if _, err := s.Put(t.Context(), strings.NewReader(hello), 5); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, stagePrefix+"123"), []byte("half"), stageMode); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.dir); err != nil {
		t.Fatal(err)
	}
	if left := files(t, s); len(left) != 1 || left[0] != helloSHA256 {
		t.Errorf("left %v", left)
	}
}

func TestNamesStayInside(t *testing.T) {
	s := open(t)
	for _, name := range []string{"", "../../etc/passwd", strings.Repeat("A", 64), strings.Repeat("/", 64), stagePrefix} {
		if _, err := s.Path(t.Context(), name); !errors.Is(err, messages.NotFound) {
			t.Errorf("Path(%q): %v", name, err)
		}
		if _, err := s.Open(t.Context(), name); !errors.Is(err, messages.NotFound) {
			t.Errorf("Open(%q): %v", name, err)
		}
		if err := s.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete(%q): %v", name, err)
		}
	}
}

func TestHeldContentStays(t *testing.T) {
	s, ctx := open(t), t.Context()
	st, err := s.Stage(ctx, strings.NewReader(hello), 5)
	if err != nil {
		t.Fatal(err)
	}
	first, err := st.Keep(ctx)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Hold(ctx, helloSHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, helloSHA256); !errors.Is(err, messages.Conflict) {
		t.Errorf("Delete while held: %v", err)
	}
	if err := s.Discard(ctx, helloSHA256, always(false)); err != nil {
		t.Error(err)
	}
	for _, release := range []func(context.Context) error{first, first, second} {
		if _, err := s.Path(ctx, helloSHA256); err != nil {
			t.Fatalf("lost while held: %v", err)
		}
		if err := release(ctx); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Path(ctx, helloSHA256); !errors.Is(err, messages.NotFound) {
		t.Errorf("not removed after the last hold: %v", err)
	}
}

func TestDiscardAsksFirst(t *testing.T) {
	s, ctx := open(t), t.Context()
	if _, err := s.Put(ctx, strings.NewReader(hello), 5); err != nil {
		t.Fatal(err)
	}
	down := func(context.Context, string) (bool, error) { return false, messages.Unavailable }
	if err := s.Discard(ctx, helloSHA256, down); !errors.Is(err, messages.Unavailable) {
		t.Error(err)
	}
	if n, err := s.Sweep(ctx, always(true)); n != 0 || err != nil {
		t.Error(n, err)
	}
	if _, err := s.Path(ctx, helloSHA256); err != nil {
		t.Fatalf("removed although wanted: %v", err)
	}
	if n, err := s.Sweep(ctx, always(false)); n != 1 || err != nil {
		t.Error(n, err)
	}
}
