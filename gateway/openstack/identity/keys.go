package identity

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/troupe-cloud/troupe/messages"
)

const (
	// MaxKeys is how many keys are kept. A settled one seals, all open.
	MaxKeys = 4
	// rotateAfter is the age at which a new key is made. An old one is kept for
	// several times the life of a token.
	rotateAfter = 90 * 24 * time.Hour
	// refreshAfter is when what was read is read again: other nodes rotate too.
	refreshAfter = time.Minute
	// settleAfter is the age at which a key begins to seal: by then every node
	// has read it, clocks that differ included.
	settleAfter = 3 * refreshAfter
	// missEvery is how often a token under an unknown key makes the keys be read
	// again: anybody can invent an id.
	missEvery = time.Second
	// loadTimeout bounds one look at the keys while a request waits.
	loadTimeout = 5 * time.Second

	keyIDBytes = 4
)

// Keys are the secrets that tokens are sealed with. Whoever reads them can be
// anybody. All gateways of a cluster share one KeyStore, and each sees within
// refreshAfter what another has rotated.
type Keys struct {
	store KeyStore

	mu     sync.RWMutex
	keys   []key // the oldest first
	aeads  map[string]cipher.AEAD
	loaded time.Time

	loading sync.Mutex // one reads; the others go on with what is there
}

type key struct {
	ID        string    `json:"id"` // hex
	Secret    []byte    `json:"secret"`
	CreatedAt time.Time `json:"created_at"`
}

// OpenKeys reads the keys in dir, makes the first one, and a new one when the
// newest has grown old.
func OpenKeys(dir string, now time.Time) (*Keys, error) {
	return LoadKeys(context.Background(), FileKeys(dir), now)
}

// LoadKeys reads the keys in s, makes the first one, and a new one when the
// newest has grown old.
func LoadKeys(ctx context.Context, s KeyStore, now time.Time) (*Keys, error) {
	k := &Keys{store: s}
	revision, err := k.load(ctx, now)
	for err == nil && k.old(now) {
		if err = k.add(ctx, revision, now); errors.Is(err, messages.Conflict) {
			revision, err = k.load(ctx, now) // another node was first
		}
	}
	return k, err
}

// load reads what the store has.
func (k *Keys) load(ctx context.Context, now time.Time) (revision uint64, err error) {
	raw, revision, err := k.store.Load(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the token keys: %w", err)
	}
	keys, err := parseKeys(raw)
	if err != nil {
		return 0, err
	}
	return revision, k.take(keys, now)
}

// take puts keys in force; having had some, it does not go back to none.
func (k *Keys) take(keys []key, now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(keys) == 0 && len(k.keys) > 0 {
		return fmt.Errorf("the token keys have been taken away: %w", messages.Internal)
	}
	aeads := map[string]cipher.AEAD{}
	for _, one := range keys {
		a, err := chacha20poly1305.NewX(one.Secret)
		if err != nil {
			return fmt.Errorf("the token keys are damaged: %w", messages.Internal)
		}
		aeads[one.ID] = a
	}
	k.keys, k.aeads, k.loaded = keys, aeads, now
	return nil
}

// parseKeys reads what add wrote; nothing is no keys.
func parseKeys(raw []byte) ([]key, error) {
	if raw == nil {
		return nil, nil
	}
	damaged := fmt.Errorf("the token keys are damaged (delete them to make new ones; every token ends): %w", messages.Internal)
	var keys []key
	if err := json.Unmarshal(raw, &keys); err != nil || len(keys) == 0 || len(keys) > MaxKeys {
		return nil, damaged
	}
	for _, one := range keys {
		id, err := hex.DecodeString(one.ID)
		if err != nil || len(id) != keyIDBytes || hex.EncodeToString(id) != one.ID || len(one.Secret) != chacha20poly1305.KeySize {
			return nil, damaged
		}
	}
	return keys, nil
}

// old says whether it is time for a new key.
func (k *Keys) old(now time.Time) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return len(k.keys) == 0 || now.Sub(k.keys[len(k.keys)-1].CreatedAt) > rotateAfter
}

// add makes a new key, if nobody has since the store was at revision.
func (k *Keys) add(ctx context.Context, revision uint64, now time.Time) error {
	buf := make([]byte, keyIDBytes+chacha20poly1305.KeySize)
	_, _ = rand.Read(buf) // never fails
	one := key{ID: hex.EncodeToString(buf[:keyIDBytes]), Secret: buf[keyIDBytes:], CreatedAt: now.UTC()}
	k.mu.RLock()
	keys := append(slices.Clone(k.keys), one)
	k.mu.RUnlock()
	if len(keys) > MaxKeys {
		keys = keys[len(keys)-MaxKeys:]
	}
	raw, err := json.MarshalIndent(keys, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the token keys: %w", err)
	}
	if err := k.store.Save(ctx, raw, revision); err != nil {
		return fmt.Errorf("write the token keys: %w", err)
	}
	return k.take(keys, now)
}

// Rotate makes a new key, which seals as soon as every node knows it. Tokens
// under older keys stay valid until the key is MaxKeys rotations old. Conflict
// if another node rotates at the same moment.
func (k *Keys) Rotate(ctx context.Context, now time.Time) error {
	k.loading.Lock()
	defer k.loading.Unlock()
	revision, err := k.load(ctx, now)
	if err != nil {
		return err
	}
	return k.add(ctx, revision, now)
}

// refresh reads the keys again where that is due. Errors are for who needs what
// is not here, and who waits for it; the others go on with what is.
func (k *Keys) refresh(ctx context.Context, now time.Time, after time.Duration) error {
	if k.fresh(now, after) {
		return nil
	}
	if after == missEvery {
		k.loading.Lock()
	} else if !k.loading.TryLock() {
		return nil
	}
	defer k.loading.Unlock()
	if k.fresh(now, after) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	revision, err := k.load(ctx, now)
	if err == nil && k.old(now) {
		if err = k.add(ctx, revision, now); errors.Is(err, messages.Conflict) {
			err = nil // another node did it
		}
	}
	if err != nil { // not at every request: the next look is as far away as after a good one
		k.mu.Lock()
		k.loaded = now
		k.mu.Unlock()
	}
	return err
}

func (k *Keys) fresh(now time.Time, after time.Duration) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	age := now.Sub(k.loaded)
	return age >= 0 && age < after
}

// sealing is the key that seals: the newest one that all nodes know by now.
func (k *Keys) sealing(ctx context.Context, now time.Time) (id string, a cipher.AEAD) {
	_ = k.refresh(ctx, now, refreshAfter) // what is here seals as well
	k.mu.RLock()
	defer k.mu.RUnlock()
	one := k.keys[0]
	for _, newer := range k.keys[1:] {
		if now.Sub(newer.CreatedAt) >= settleAfter {
			one = newer
		}
	}
	return one.ID, k.aeads[one.ID]
}

// find is the key that a token names. An unknown one may be another node's newest.
func (k *Keys) find(ctx context.Context, id string, now time.Time) (cipher.AEAD, error) {
	err := k.refresh(ctx, now, refreshAfter)
	if a := k.known(id); a != nil {
		return a, nil
	}
	if err == nil {
		err = k.refresh(ctx, now, missEvery)
	}
	if a := k.known(id); a != nil {
		return a, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("the token was made with a key that is not known here: %w", messages.Denied)
}

func (k *Keys) known(id string) cipher.AEAD {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.aeads[id]
}
