package identity

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/durable"
)

// KeyStore keeps one secret value that several gateways may share: a file on a
// single machine, a sealed entry of the cluster's store on many.
type KeyStore interface {
	// Load is the value, nil while there is none, and the revision that Save
	// wants to replace it.
	Load(ctx context.Context) (value []byte, revision uint64, err error)
	// Save writes value if revision is still the one that is there; Conflict if
	// somebody else has written since.
	Save(ctx context.Context, value []byte, revision uint64) error
}

// keysFile is the name of the file of token keys in the data directory.
const keysFile = "token.keys"

// FileKeys keeps the token keys in a file in dir that only its owner may read.
func FileKeys(dir string) KeyStore { return fileStore(filepath.Join(dir, keysFile)) }

// fileStore is a file of one process; its revision is made of its content.
type fileStore string

// Load is KeyStore's.
func (f fileStore) Load(context.Context) ([]byte, uint64, error) {
	raw, err := readPrivate(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	sum := sha256.Sum256(raw)
	return raw, binary.BigEndian.Uint64(sum[:]) | 1, nil
}

// Save is KeyStore's.
func (f fileStore) Save(ctx context.Context, value []byte, revision uint64) error {
	_, is, err := f.Load(ctx)
	if err != nil {
		return err
	}
	if is != revision {
		return fmt.Errorf("%s has been written by somebody else: %w", string(f), messages.Conflict)
	}
	return durable.Replace(string(f), value, privateMode)
}

// privateMode is that of a file that only its owner may read.
const privateMode = 0o600

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
