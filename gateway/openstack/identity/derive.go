package identity

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// derivedBytes is the length of a key for another dialect's tokens.
const derivedBytes = 32

// Derive is a key for tokens of another form, which has the life of the token keys:
// every gateway can make it from the id, over restarts and rotations, and nobody
// else. Different purposes have keys that say nothing about each other.
func (k *Keys) Derive(ctx context.Context, purpose string) (id string, secret []byte, err error) {
	id, _ = k.sealing(ctx, time.Now())
	secret, err = k.Derived(ctx, id, purpose)
	return id, secret, err
}

// Derived is the key that Derive made under that id. Denied if there is no such key.
func (k *Keys) Derived(ctx context.Context, id, purpose string) ([]byte, error) {
	if _, err := k.find(ctx, id, time.Now()); err != nil {
		return nil, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, one := range k.keys {
		if one.ID == id {
			secret, err := hkdf.Key(sha256.New, one.Secret, nil, purpose, derivedBytes)
			if err != nil {
				return nil, fmt.Errorf("derive a key: %w", err)
			}
			return secret, nil
		}
	}
	return nil, fmt.Errorf("the key has been taken away: %w", messages.Denied)
}
