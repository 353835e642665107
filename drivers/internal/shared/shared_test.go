package shared

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

func TestDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tt := range []struct {
		what string
		do   func(*Disk) error
		want error
		of   string // whose it is afterwards; empty: nobody's
	}{
		{"nobody's is kept", func(d *Disk) error { return d.Keep("a", 1) }, nil, "a"},
		{"and again", func(d *Disk) error { return d.Keep("a", 1) }, nil, "a"},
		{"not by another", func(d *Disk) error { return d.Keep("b", 9) }, messages.Conflict, "a"},
		{"taken by an order that is not newer", func(d *Disk) error { return d.Take("b", 1) }, messages.Conflict, "a"},
		{"by a newer one", func(d *Disk) error { return d.Take("b", 2) }, nil, "b"},
		{"the first is too late", func(d *Disk) error { return d.Keep("a", 5) }, messages.Conflict, "b"},
		{"and frees nothing", func(d *Disk) error { return d.Free("a") }, nil, "b"},
		{"freed", func(d *Disk) error { return d.Free("b") }, nil, ""},
		{"the first has it again", func(d *Disk) error { return d.Keep("a", 5) }, nil, "a"},
		{"forgotten", func(d *Disk) error { return d.Forget() }, nil, ""},
		{"nobody's is taken", func(d *Disk) error { return d.Take("c", 1) }, nil, "c"},
	} {
		s, err := Open(t.Context(), dir) // each time as another process
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.Lock(t.Context(), "i")
		if err != nil {
			t.Fatal(err)
		}
		if err := tt.do(d); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.what, err, tt.want)
		}
		d.Unlock()
		if d, err = s.Lock(t.Context(), "i"); err != nil {
			t.Fatal(err)
		}
		if owner := d.owner; owner != nil && owner.Host != tt.of || owner == nil && tt.of != "" {
			t.Errorf("%s: owner is %+v", tt.what, owner)
		}
		d.Unlock()
	}
}

func TestOneStorageHasOneName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(t.Context(), dir)
	if err != nil || a.ID == "" || a.ID != b.ID {
		t.Errorf("%v and %v, %v", a, b, err)
	}
	d, err := a.Lock(t.Context(), "i")
	if err != nil {
		t.Fatal(err)
	}
	d.Unlock()
	if left, _ := filepath.Glob(filepath.Join(dir, ownersDir, "*")); len(left) > 0 {
		t.Errorf("of a disk that is nobody's is left %v", left)
	}
	if err := os.WriteFile(filepath.Join(dir, nameFile), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir); !errors.Is(err, messages.Internal) {
		t.Errorf("a storage whose name is nonsense: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"host":"a","order":3}`))
	f.Add([]byte(`{"host":"a"}`))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if o, err := parse(text); err == nil && o.Order == 0 {
			t.Errorf("%q is %+v", text, o)
		}
	})
}
