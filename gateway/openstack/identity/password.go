package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/crypto/bcrypt"

	"github.com/troupe-cloud/troupe/messages"
)

const (
	// DefaultHashCost takes about 60 ms of one core.
	DefaultHashCost = 10
	// MaxPasswordBytes bounds passwords and secrets.
	MaxPasswordBytes = 1024
	// maxHashing is how many may wait for their hash; more are told to try again.
	maxHashing = 256
)

// hasher makes and checks hashes of passwords. Half the processors at most are
// busy with it, so that logins, which anybody may attempt, leave room for work.
type hasher struct {
	cost    int
	slots   chan struct{}
	waiting atomic.Int64
	nobody  string // a hash that no password has
}

func newHasher(cost int) (*hasher, error) {
	if cost == 0 {
		cost = DefaultHashCost
	}
	h := &hasher{cost: cost, slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
	hash, err := bcrypt.GenerateFromPassword(random(32), cost)
	if err != nil {
		return nil, fmt.Errorf("hash cost %d: %w", cost, err)
	}
	h.nobody = string(hash)
	return h, nil
}

// enter waits for a processor.
func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	if h.waiting.Add(1) > maxHashing {
		h.waiting.Add(-1)
		return nil, fmt.Errorf("too many logins at once: try again later: %w", messages.Unavailable)
	}
	defer h.waiting.Add(-1)
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// digest makes any password short enough for bcrypt, which reads 72 bytes.
func digest(password string) []byte {
	sum := sha256.Sum256([]byte(password))
	return []byte(base64.StdEncoding.EncodeToString(sum[:]))
}

// hash makes the hash of a new password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if password == "" || len(password) > MaxPasswordBytes {
		return "", fmt.Errorf("a password has 1 to %d bytes: %w", MaxPasswordBytes, messages.Invalid)
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	hash, err := bcrypt.GenerateFromPassword(digest(password), h.cost)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return string(hash), nil
}

// check says whether password is the one of hash. An empty hash, for a user who
// has no password or does not exist, takes as long as any other.
func (h *hasher) check(ctx context.Context, hash, password string) (bool, error) {
	if len(password) > MaxPasswordBytes {
		return false, nil
	}
	if hash == "" {
		hash = h.nobody
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	return bcrypt.CompareHashAndPassword([]byte(hash), digest(password)) == nil, nil
}
