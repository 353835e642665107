package pki

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

func newStore(t testing.TB) store.Store {
	t.Helper()
	s := mem.New()
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestVault(t *testing.T) {
	ctx, db := t.Context(), newStore(t)
	v := NewVault(db, NewClusterKey())
	if _, _, err := v.Open(ctx, "keys"); !errors.Is(err, messages.NotFound) {
		t.Errorf("none yet: %v", err)
	}
	first, err := v.Seal(ctx, "keys", []byte("one"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Seal(ctx, "keys", []byte("two"), 0); !errors.Is(err, store.ErrStale) {
		t.Errorf("made twice: %v", err)
	}
	if _, err := v.Seal(ctx, "keys", []byte("two"), first); err != nil {
		t.Error(err)
	}
	if _, err := v.Seal(ctx, "keys", []byte("three"), first); !errors.Is(err, store.ErrStale) {
		t.Errorf("replaced what is no longer there: %v", err)
	}
	plain, _, err := v.Open(ctx, "keys")
	if err != nil || string(plain) != "two" {
		t.Errorf("%q, %v", plain, err)
	}
	if _, _, err := NewVault(db, NewClusterKey()).Open(ctx, "keys"); !errors.Is(err, ErrOtherKey) || !errors.Is(err, messages.Denied) {
		t.Errorf("with another key: %v", err)
	}
	item, err := db.Get(ctx, "secret/keys")
	if err != nil || bytes.Contains(item.Value, []byte("two")) {
		t.Errorf("in the store: %q, %v", item.Value, err)
	}
	// Under another name, or changed by hand, it is worth nothing.
	damaged := bytes.Clone(item.Value)
	damaged[len(damaged)-1] ^= 1
	for name, value := range map[string][]byte{"other": item.Value, "keys": damaged, "short": {1, 2}, "empty": {}} {
		if _, err := db.Commit(ctx, store.Txn{Writes: []store.Write{{Key: "secret/" + name, Value: value}}}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := v.Open(ctx, name); !errors.Is(err, ErrForged) || !strings.Contains(err.Error(), "secret/"+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := v.Seal(ctx, "large", make([]byte, MaxSecretBytes+1), 0); !errors.Is(err, messages.Invalid) {
		t.Errorf("too large: %v", err)
	}
	if s := fmt.Sprintf("%v %+v %#v", v.key, v.key, v.key); strings.Contains(s, fmt.Sprintf("%x", v.key.secret)) || strings.Contains(s, fmt.Sprint(v.key.secret)) {
		t.Error("printing a key shows it")
	}
}

// torn is a store that loses the answers of commits.
type torn struct{ store.Store }

func (s torn) Commit(ctx context.Context, txn store.Txn) (uint64, error) {
	_, _ = s.Store.Commit(ctx, txn)
	return 0, fmt.Errorf("no answer: %w", messages.Unavailable)
}

func TestSealWithoutAnswer(t *testing.T) {
	ctx, db := t.Context(), newStore(t)
	v := NewVault(torn{db}, NewClusterKey())
	rev, err := v.Seal(ctx, "keys", []byte("one"), 0)
	if err != nil {
		t.Fatalf("written, but: %v", err)
	}
	if _, err := v.Seal(ctx, "keys", []byte("one"), rev+1); !errors.Is(err, messages.Unavailable) {
		t.Errorf("the same again is not the same: %v", err)
	}
}

func TestSecret(t *testing.T) {
	ctx := t.Context()
	s := NewVault(newStore(t), NewClusterKey()).Secret("token-keys")
	plain, revision, err := s.Load(ctx)
	if plain != nil || revision != 0 || err != nil {
		t.Fatalf("none yet: %q, %d, %v", plain, revision, err)
	}
	if err := s.Save(ctx, []byte("one"), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(ctx, []byte("two"), 0); !errors.Is(err, messages.Conflict) {
		t.Errorf("written over: %v", err)
	}
	if plain, _, err = s.Load(ctx); err != nil || string(plain) != "one" {
		t.Errorf("%q, %v", plain, err)
	}
}
