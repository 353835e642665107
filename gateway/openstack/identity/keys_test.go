package identity

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// sharedStore is a KeyStore of several gateways.
type sharedStore struct {
	mu       sync.Mutex
	value    []byte
	revision uint64
	away     error
}

func (s *sharedStore) Load(context.Context) ([]byte, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value, s.revision, s.away
}

func (s *sharedStore) Save(_ context.Context, value []byte, revision uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return s.away
	}
	if revision != s.revision {
		return messages.Conflict
	}
	s.value, s.revision = value, s.revision+1
	return nil
}

func (s *sharedStore) set(value []byte, away error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value, s.away = value, away
	s.revision++
}

func loadKeys(t *testing.T, s KeyStore, now time.Time) *Keys {
	t.Helper()
	k, err := LoadKeys(t.Context(), s, now)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestGatewaysStartAtOnce: many gateways that find no keys end up with the same.
func TestGatewaysStartAtOnce(t *testing.T) {
	s, now := &sharedStore{}, time.Now()
	all := make([]*Keys, 8)
	var start sync.WaitGroup
	for i := range all {
		start.Go(func() { all[i] = loadKeys(t, s, now) })
	}
	start.Wait()
	for _, k := range all {
		if len(k.keys) != 1 || k.keys[0].ID != all[0].keys[0].ID {
			t.Fatalf("%d keys, not those of the first gateway", len(k.keys))
		}
	}
}

func TestRotationIsSeenByOthers(t *testing.T) {
	ctx, s, now := t.Context(), &sharedStore{}, time.Now()
	a, b := loadKeys(t, s, now), loadKeys(t, s, now)
	first, _ := a.sealing(ctx, now)
	if err := a.Rotate(ctx, now); err != nil {
		t.Fatal(err)
	}
	newest := a.keys[1].ID
	if id, _ := a.sealing(ctx, now); id != first {
		t.Error("seals with a key that the others may not have yet")
	}
	if _, err := b.find(ctx, newest, now.Add(missEvery)); err != nil {
		t.Errorf("an unknown key was not looked for: %v", err)
	}
	later := now.Add(settleAfter)
	for name, k := range map[string]*Keys{"a": a, "b": b} {
		if id, _ := k.sealing(ctx, later); id != newest {
			t.Errorf("%s seals with the old key for ever", name)
		}
	}
	// b forgets what a has rotated away, within refreshAfter.
	for range MaxKeys {
		if err := a.Rotate(ctx, later); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.find(ctx, first, later.Add(refreshAfter)); !errors.Is(err, messages.Denied) {
		t.Errorf("a key that is no more: %v", err)
	}
}

func TestOldKeysRotateThemselves(t *testing.T) {
	ctx, s, now := t.Context(), &sharedStore{}, time.Now()
	a, b := loadKeys(t, s, now), loadKeys(t, s, now)
	later := now.Add(rotateAfter + time.Hour)
	a.sealing(ctx, later)
	b.sealing(ctx, later)
	if len(a.keys) != 2 || len(b.keys) != 2 || a.keys[1].ID != b.keys[1].ID {
		t.Errorf("%d and %d keys", len(a.keys), len(b.keys))
	}
}

func TestKeysWithoutTheirStore(t *testing.T) {
	ctx, s, now := t.Context(), &sharedStore{}, time.Now()
	k := loadKeys(t, s, now)
	id, _ := k.sealing(ctx, now)
	good := s.value
	for name, tt := range map[string]struct {
		value []byte
		away  error
		want  error // for a key that is not known
	}{
		"away":       {good, messages.Unavailable, messages.Unavailable},
		"taken away": {nil, nil, messages.Internal},
		"nonsense":   {[]byte("[{}]"), nil, messages.Internal},
		"no keys":    {[]byte("[]"), nil, messages.Internal},
	} {
		s.set(tt.value, tt.away)
		now = now.Add(2 * refreshAfter)
		if is, a := k.sealing(ctx, now); is != id || a == nil {
			t.Errorf("%s: does not seal any more", name)
		}
		now = now.Add(2 * refreshAfter)
		if _, err := k.find(ctx, "00000000", now); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.set([]byte("[]"), nil) // the last of the table is any of them
	if _, err := LoadKeys(ctx, s, now); err == nil {
		t.Error("started on an empty list of keys")
	}
}

func TestFileKeysTwice(t *testing.T) {
	s := FileKeys(t.TempDir())
	if err := s.Save(t.Context(), []byte("a"), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), []byte("b"), 0); !errors.Is(err, messages.Conflict) {
		t.Errorf("written over: %v", err)
	}
}

func FuzzParseKeys(f *testing.F) {
	s := &sharedStore{}
	if _, err := LoadKeys(context.Background(), s, time.Now()); err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "[]", "null", "[{}]", string(s.value), `[{"id":"zz"}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, err := parseKeys(raw)
		if err == nil && raw != nil && (len(keys) == 0 || len(keys) > MaxKeys) {
			t.Errorf("%d keys of %q", len(keys), raw)
		}
		if err == nil {
			if e := (&Keys{}).take(keys, time.Now()); e != nil {
				t.Error(e)
			}
		}
	})
}
