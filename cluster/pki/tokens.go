package pki

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// Limits of join tokens.
const (
	DefaultTokenLife = time.Hour
	MaxTokenLife     = 30 * 24 * time.Hour
	MaxTokenUses     = 1000
	MaxTokens        = 1000 // at once

	tokenPrefix = "join/"
	// useTries is how often the use of a token is tried again because another
	// node has used it at the same moment.
	useTries = 16
)

// Why a token does not admit. All wrap messages.Denied. Who does not know the
// secret is told ErrToken and nothing else.
var (
	ErrToken        = fmt.Errorf("no such join token: it is mistyped, was revoked, or is another cluster's: %w", messages.Denied)
	ErrTokenExpired = fmt.Errorf("the join token has expired: %w", messages.Denied)
	ErrTokenUsed    = fmt.Errorf("the join token is used up: %w", messages.Denied)
	ErrTokenRoles   = fmt.Errorf("the join token does not allow this role: %w", messages.Denied)
)

// TokenSpec says what a new token is to allow.
type TokenSpec struct {
	Life      time.Duration // 0: DefaultTokenLife
	Uses      int           // how many nodes it admits; 0: one
	Roles     []string      // that they may have; empty: all
	Addresses []string      // host:port of nodes that can admit
}

func (t *TokenSpec) check() error {
	if t.Life == 0 {
		t.Life = DefaultTokenLife
	}
	if t.Uses == 0 {
		t.Uses = 1
	}
	if len(t.Roles) == 0 {
		t.Roles = Roles()
	}
	switch {
	case t.Life < time.Second || t.Life > MaxTokenLife:
		return fmt.Errorf("a token for %v; from a second to %v is possible: %w", t.Life, MaxTokenLife, messages.Invalid)
	case t.Uses < 0 || t.Uses > MaxTokenUses:
		return fmt.Errorf("a token for %d nodes; from 1 to %d is possible: %w", t.Uses, MaxTokenUses, messages.Invalid)
	}
	return errors.Join(CheckRoles(t.Roles), checkAddresses(t.Addresses))
}

// CreateToken makes a token. The store keeps a hash of its secret, so this is the
// only time that it can be seen.
func (a *Authority) CreateToken(ctx context.Context, spec TokenSpec) (Token, error) {
	if err := spec.check(); err != nil {
		return Token{}, err
	}
	have, err := a.Tokens(ctx)
	if err != nil {
		return Token{}, err
	}
	left, err := a.sweepTokens(ctx, have)
	if err != nil {
		return Token{}, err
	}
	if left >= MaxTokens {
		return Token{}, fmt.Errorf("there are %d tokens; revoke some: %w", left, messages.Exhausted)
	}
	now := a.cfg.Now()
	t := newToken(a.cert, spec.Addresses)
	hash := sha256.Sum256(t.Secret)
	record := &messages.JoinToken{
		Id: t.ID, SecretHash: hash[:], Roles: spec.Roles, Uses: int32(spec.Uses),
		CreatedUnixMs: now.UnixMilli(), ExpiresUnixMs: now.Add(spec.Life).UnixMilli(),
	}
	return t, a.putToken(ctx, record, 0)
}

// Tokens lists what there is, also what has expired less than a day ago.
func (a *Authority) Tokens(ctx context.Context) ([]*messages.JoinToken, error) {
	items, _, err := a.cfg.Store.List(ctx, tokenPrefix, "", MaxTokens)
	if err != nil {
		return nil, fmt.Errorf("list the join tokens: %w", err)
	}
	var all []*messages.JoinToken
	for _, item := range items {
		t, err := a.parseToken(item)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// RevokeToken ends a token; one that is gone is success.
func (a *Authority) RevokeToken(ctx context.Context, id string) error {
	if err := checkTokenID(id); err != nil {
		return err
	}
	return a.vault.remove(ctx, tokenPrefix+id)
}

// shownExpired is for how long a list shows a token that has expired.
const shownExpired = 24 * time.Hour

// sweepTokens removes those that nobody wants to see any more, and says how many
// are left.
func (a *Authority) sweepTokens(ctx context.Context, tokens []*messages.JoinToken) (left int, err error) {
	left = len(tokens)
	for _, t := range tokens {
		if a.cfg.Now().Sub(time.UnixMilli(t.ExpiresUnixMs)) <= shownExpired {
			continue
		}
		if err := a.RevokeToken(ctx, t.Id); err != nil {
			return left, err
		}
		left--
	}
	return left, nil
}

func (a *Authority) parseToken(item store.Item) (*messages.JoinToken, error) {
	plain, err := a.cfg.Key.open(item.Key, item.Value)
	if err != nil {
		return nil, err
	}
	t := &messages.JoinToken{}
	if err := proto.Unmarshal(plain, t); err != nil || tokenPrefix+t.Id != item.Key {
		return nil, fmt.Errorf("%s holds no join token: %w", item.Key, messages.Invalid)
	}
	return t, nil
}

func (a *Authority) putToken(ctx context.Context, t *messages.JoinToken, revision uint64) error {
	plain, err := proto.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode a join token: %w", err)
	}
	_, err = a.vault.put(ctx, tokenPrefix+t.Id, plain, revision)
	return err
}

// findToken is the token that id and secret name. Who guesses learns nothing.
func (a *Authority) findToken(ctx context.Context, id string, secret []byte) (*messages.JoinToken, uint64, error) {
	if checkTokenID(id) != nil {
		return nil, 0, ErrToken
	}
	item, err := a.cfg.Store.Get(ctx, tokenPrefix+id)
	if errors.Is(err, messages.NotFound) {
		return nil, 0, ErrToken
	}
	if err != nil {
		return nil, 0, fmt.Errorf("look for the join token: %w", err)
	}
	t, err := a.parseToken(item)
	if err != nil {
		return nil, 0, err
	}
	hash := sha256.Sum256(secret)
	if subtle.ConstantTimeCompare(hash[:], t.SecretHash) != 1 {
		return nil, 0, ErrToken
	}
	return t, item.Revision, nil
}

// allows says whether the token admits this node with these roles, and whether
// it has done so before.
func allows(t *messages.JoinToken, who *messages.Admitted, roles []string, now time.Time) (again bool, err error) {
	if end := time.UnixMilli(t.ExpiresUnixMs); !now.Before(end) {
		return false, refuse(ErrTokenExpired, "join token %s has expired at %s, and here it is %s", t.Id, stamp(end), stamp(now))
	}
	for _, r := range roles {
		if !slices.Contains(t.Roles, r) {
			return false, refuse(ErrTokenRoles, "join token %s admits nodes with the roles %s, not %s", t.Id, strings.Join(t.Roles, ","), r)
		}
	}
	for _, one := range t.Admitted {
		if one.Name == who.Name && subtle.ConstantTimeCompare(one.KeyHash, who.KeyHash) == 1 {
			return true, nil
		}
	}
	if len(t.Admitted) >= int(t.Uses) {
		return false, refuse(ErrTokenUsed, "join token %s is used up: it has admitted %d of %d nodes", t.Id, len(t.Admitted), t.Uses)
	}
	return false, nil
}

// useToken writes into the token that it has admitted who. Of several nodes that
// come at once with a token for one, one gets in.
func (a *Authority) useToken(ctx context.Context, r *messages.JoinRequest, who *messages.Admitted) (roles []string, err error) {
	for range useTries {
		t, revision, err := a.findToken(ctx, r.TokenId, r.TokenSecret)
		if err != nil {
			return nil, err
		}
		roles = r.Roles
		if len(roles) == 0 {
			roles = t.Roles
		}
		again, err := allows(t, who, roles, a.cfg.Now())
		if err != nil || again {
			return roles, err
		}
		t.Admitted = append(t.Admitted, who)
		err = a.putToken(ctx, t, revision)
		if !errors.Is(err, store.ErrStale) {
			return roles, err
		}
	}
	return nil, fmt.Errorf("join token %s is being used by too many at once: %w", r.TokenId, messages.Unavailable)
}
