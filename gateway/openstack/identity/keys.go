package identity

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/troupe-cloud/troupe/messages"
)

const (
	// keysFile is the name of the file of token keys in the data directory.
	keysFile = "token.keys"
	// MaxKeys is how many keys are kept. The newest one seals, all open.
	MaxKeys = 4
	// rotateAfter is the age at which OpenKeys makes a new key. An old one is
	// kept for several times the life of a token.
	rotateAfter = 90 * 24 * time.Hour

	keyIDBytes = 4
)

// Keys are the secrets that tokens are sealed with, in a file that only its
// owner may read. Whoever reads it can be anybody.
type Keys struct {
	path string

	mu    sync.RWMutex
	keys  []key // the oldest first
	aeads map[string]cipher.AEAD
}

type key struct {
	ID        string    `json:"id"` // hex
	Secret    []byte    `json:"secret"`
	CreatedAt time.Time `json:"created_at"`
}

// OpenKeys reads the keys in dir, makes the first one, and a new one when the
// newest has grown old.
func OpenKeys(dir string, now time.Time) (*Keys, error) {
	k := &Keys{path: filepath.Join(dir, keysFile)}
	raw, err := readPrivate(k.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read token keys: %w", err)
	default:
		if err := json.Unmarshal(raw, &k.keys); err != nil {
			return nil, fmt.Errorf("%s is damaged (delete it to make new keys; every token ends): %w", k.path, err)
		}
	}
	if err := k.ready(); err != nil {
		return nil, err
	}
	if len(k.keys) == 0 || now.Sub(k.keys[len(k.keys)-1].CreatedAt) > rotateAfter {
		return k, k.Rotate(now)
	}
	return k, nil
}

// readPrivate reads a file that nobody but its owner may read.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s is open to other users: its mode is %v and must be 0600", path, info.Mode().Perm())
	}
	return os.ReadFile(path)
}

// ready makes the ciphers of the keys.
func (k *Keys) ready() error {
	k.aeads = map[string]cipher.AEAD{}
	for _, one := range k.keys {
		id, err := hex.DecodeString(one.ID)
		if err != nil || len(id) != keyIDBytes {
			return fmt.Errorf("%s is damaged: a key has the id %q", k.path, one.ID)
		}
		a, err := chacha20poly1305.NewX(one.Secret)
		if err != nil {
			return fmt.Errorf("%s is damaged: %w", k.path, err)
		}
		k.aeads[one.ID] = a
	}
	return nil
}

// Rotate makes a new key, which from now on seals. Tokens under older keys stay
// valid until the key is MaxKeys rotations old.
func (k *Keys) Rotate(now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	buf := make([]byte, keyIDBytes+chacha20poly1305.KeySize)
	_, _ = rand.Read(buf) // never fails
	one := key{ID: hex.EncodeToString(buf[:keyIDBytes]), Secret: buf[keyIDBytes:], CreatedAt: now.UTC()}
	keys := append(slices.Clone(k.keys), one)
	if len(keys) > MaxKeys {
		keys = keys[len(keys)-MaxKeys:]
	}
	raw, err := json.MarshalIndent(keys, "", "  ")
	if err != nil {
		return fmt.Errorf("encode token keys: %w", err)
	}
	if err := writePrivate(k.path, raw); err != nil {
		return err
	}
	k.keys = keys
	return k.ready()
}

// newest is the key that seals.
func (k *Keys) newest() (id string, a cipher.AEAD) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	id = k.keys[len(k.keys)-1].ID
	return id, k.aeads[id]
}

func (k *Keys) find(id string) (cipher.AEAD, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if a := k.aeads[id]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("the token was made with a key that is not known here: %w", messages.Denied)
}
