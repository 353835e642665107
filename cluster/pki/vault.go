package pki

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// secretPrefix is where the vault's secrets stand in the store.
const secretPrefix = "secret/"

// MaxSecretBytes is the largest secret that the vault takes.
const MaxSecretBytes = 64 << 10

// Vault keeps named secrets in the store, sealed with the cluster's key.
type Vault struct {
	store store.Store
	key   *ClusterKey
}

// NewVault uses what others own: closing the store is theirs.
func NewVault(s store.Store, key *ClusterKey) *Vault { return &Vault{s, key} }

// Open reads a secret, with the revision that Seal wants to replace it. NotFound
// if there is none; ErrOtherKey or ErrForged if it cannot be believed.
func (v *Vault) Open(ctx context.Context, name string) (plain []byte, revision uint64, err error) {
	return v.get(ctx, secretPrefix+name)
}

// Seal writes a secret if it still stands at revision; 0 means that there is
// none yet. store.ErrStale if somebody else has written since; Unavailable if
// nobody knows whether it was written.
func (v *Vault) Seal(ctx context.Context, name string, plain []byte, revision uint64) (uint64, error) {
	return v.put(ctx, secretPrefix+name, plain, revision)
}

// Secret is one name of a vault as a value that can be loaded and saved.
type Secret struct {
	vault *Vault
	name  string
}

// Secret is the secret of that name, whether there is one yet or not.
func (v *Vault) Secret(name string) Secret { return Secret{v, name} }

// Load is the secret and its revision; nil and 0 if there is none yet.
func (s Secret) Load(ctx context.Context) ([]byte, uint64, error) {
	plain, revision, err := s.vault.Open(ctx, s.name)
	if errors.Is(err, messages.NotFound) {
		return nil, 0, nil
	}
	return plain, revision, err
}

// Save writes it, as Seal does.
func (s Secret) Save(ctx context.Context, plain []byte, revision uint64) error {
	_, err := s.vault.Seal(ctx, s.name, plain, revision)
	return err
}

func (v *Vault) get(ctx context.Context, key string) ([]byte, uint64, error) {
	item, err := v.store.Get(ctx, key)
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", key, err)
	}
	plain, err := v.key.open(key, item.Value)
	return plain, item.Revision, err
}

func (v *Vault) put(ctx context.Context, key string, plain []byte, revision uint64) (uint64, error) {
	if len(plain) > MaxSecretBytes {
		return 0, fmt.Errorf("a secret of %d bytes; the limit is %d: %w", len(plain), MaxSecretBytes, messages.Invalid)
	}
	// Sealing the same twice gives different bytes, so what stands there tells
	// whose write it was.
	sealed := v.key.seal(key, plain)
	rev, err := v.store.Commit(ctx, store.Txn{
		Checks: []store.Check{{Key: key, Revision: revision}},
		Writes: []store.Write{{Key: key, Value: sealed}},
	})
	if errors.Is(err, messages.Unavailable) {
		if item, e := v.store.Get(ctx, key); e == nil && bytes.Equal(item.Value, sealed) {
			return item.Revision, nil
		}
	}
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", key, err)
	}
	return rev, nil
}

func (v *Vault) remove(ctx context.Context, key string) error {
	if _, err := v.store.Commit(ctx, store.Txn{Writes: []store.Write{{Key: key}}}); err != nil {
		return fmt.Errorf("remove %s: %w", key, err)
	}
	return nil
}
