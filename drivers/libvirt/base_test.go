package libvirt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestTheBaseOutlivesTheImage: deleting an image takes nothing from its servers.
func TestTheBaseOutlivesTheImage(t *testing.T) {
	for name, take := range map[string]func(context.Context, string, string) error{"adopted": adopt, "copied": copyFile} {
		dir := t.TempDir()
		image, own := filepath.Join(dir, "image"), filepath.Join(dir, "base")
		if err := os.WriteFile(image, []byte("content"), baseMode); err != nil {
			t.Fatal(err)
		}
		if err := take(t.Context(), image, own); err != nil {
			t.Fatal(name, err)
		}
		if err := os.Remove(image); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(own); err != nil || string(b) != "content" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

func TestAdoptNothing(t *testing.T) {
	if err := adopt(t.Context(), filepath.Join(t.TempDir(), "none"), filepath.Join(t.TempDir(), "base")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	from := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(from, []byte("x"), baseMode); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(ended, from, filepath.Join(t.TempDir(), "base")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
