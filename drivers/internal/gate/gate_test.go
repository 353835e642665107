package gate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

func TestGate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "epoch")
	a, b := New(path), New(path) // as two processes
	enter := func(g *Gate, epoch uint64, want error) func() {
		t.Helper()
		leave, err := g.Enter(t.Context(), epoch)
		if !errors.Is(err, want) {
			t.Fatalf("enter with %d: got %v, want %v", epoch, err, want)
		}
		return leave
	}
	is := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
	}
	first, second := enter(a, 3, nil), enter(a, 3, nil) // several of one epoch
	enter(b, 2, drivers.ErrSuperseded)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	is("a newer one while an older is inside", b.Raise(ended, 4), messages.Unavailable)
	first()
	is("while one of two is inside", b.Raise(ended, 4), messages.Unavailable)
	second()
	is("once they have left", b.Raise(ended, 4), nil)
	enter(a, 3, drivers.ErrSuperseded)
	is("an older one", a.Raise(t.Context(), 3), drivers.ErrSuperseded)
	enter(a, 9, nil)()
	enter(b, 8, drivers.ErrSuperseded)
}

// TestRaiseIsLetIn: those of an older epoch that come and go do not keep a newer
// one out.
func TestRaiseIsLetIn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "epoch")
	busy := make(chan error, 4)
	for range cap(busy) {
		go func() {
			for {
				leave, err := New(path).Enter(t.Context(), 1)
				if err != nil {
					busy <- err
					return
				}
				leave()
			}
		}()
	}
	if err := New(path).Raise(t.Context(), 2); err != nil {
		t.Error(err)
	}
	for range cap(busy) {
		if err := <-busy; !errors.Is(err, drivers.ErrSuperseded) {
			t.Error(err)
		}
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "epoch")
	for _, text := range []string{"3", "-0000000000000000001\n", "00000000000000000001x", strings.Repeat("9", 20) + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := New(path).Raise(t.Context(), 5); !errors.Is(err, messages.Internal) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: got %v", text, err)
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != text {
			t.Errorf("%q was touched", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("00000000000000000007\n"))
	f.Add([]byte("18446744073709551616\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		if n, err := parse(text); err == nil && !strings.HasSuffix(string(text[:20]), strings.TrimLeft(string(text[:20]), "0")) {
			t.Errorf("%q is %d", text, n)
		}
	})
}
