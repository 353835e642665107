// Package auth owns who somebody is and what he may do, as the Nacos dialect sees
// it: logins, tokens, and the users, roles and permissions that its API shows and
// changes. Users are the directory's, of its Default domain, so whoever has an
// account of the cloud has one here; rights in the registry are the access actor's.
// It makes no hashes and keeps no key: package identity does.
//
// Source: Nacos' auth API of v1 and v3.
package auth

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/singleflight"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
	"github.com/troupe-cloud/troupe/messages"
)

// Times of logins.
const (
	// TokenLife is how long a token is good, over restarts and on every node:
	// clients do not log in again before.
	TokenLife = 18000 * time.Second
	// DefaultRecheck is how long what somebody may do is believed before it is asked
	// for anew. What this gateway changes counts at once, and so do roles and
	// permissions that another one changes.
	DefaultRecheck = 5 * time.Second
	// proofLife is how long a name and a password that were right, and come with
	// every call, are not hashed again. A new password ends that at once.
	proofLife = 10 * time.Minute

	checkTimeout = 10 * time.Second
)

// Config is what the package depends on.
type Config struct {
	Client   cluster.Asker
	Identity *identity.Identity
	Keys     *identity.Keys
	Log      zerolog.Logger
	Recheck  time.Duration    // 0: DefaultRecheck
	Now      func() time.Time // nil: time.Now
}

// Auth is the Authenticator of the dialect, over HTTP and over gRPC.
type Auth struct {
	cfg      Config
	secret   []byte // of the marks under which passwords are remembered
	sessions cache[string, *session]
	proofs   cache[string, claims]
	flight   singleflight.Group
	changes  atomic.Uint64          // of rights, as heard of here: sessions before the last are checked again
	project  atomic.Pointer[string] // the administrators' project, once it is known
}

var _ api.Authenticator = (*Auth)(nil)

// New makes the authenticator.
func New(cfg Config) (*Auth, error) {
	if cfg.Client == nil || cfg.Identity == nil || cfg.Keys == nil {
		return nil, fmt.Errorf("auth needs a client, an identity and keys: %w", messages.Invalid)
	}
	if cfg.Recheck == 0 {
		cfg.Recheck = DefaultRecheck
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Auth{cfg: cfg, secret: make([]byte, 32)}
	_, _ = rand.Read(a.secret) // never fails
	return a, a.follow()
}

// Identify finds out who asks.
func (a *Auth) Identify(ctx context.Context, c api.Credentials) (*api.User, error) {
	s, err := a.identify(ctx, c)
	if err != nil {
		return nil, err
	}
	return s.user, nil
}

func (a *Auth) identify(ctx context.Context, c api.Credentials) (*session, error) {
	switch {
	case c.Token != "":
		return a.byToken(ctx, c.Token)
	case c.Username != "" || c.Password != "":
		return a.byPassword(ctx, c.Username, c.Password)
	}
	return nil, errNobody
}

var (
	errNobody = api.AccessDenied.Errorf("user not found!")
	errToken  = api.AccessDenied.Errorf("token invalid!")
	errEnded  = api.AccessDenied.Errorf("token expired!")
)

// Anybody is the Authenticator of --no-auth: everybody may do everything in the
// registry, whatever he says of himself. Accounts are the cloud's: for those one has
// to be an administrator still.
type Anybody struct{ *Auth }

// Identify is api.Authenticator's.
func (a Anybody) Identify(ctx context.Context, c api.Credentials) (*api.User, error) {
	if c != (api.Credentials{}) {
		if u, err := a.Auth.Identify(ctx, c); err == nil && u.Admin {
			return u, nil
		}
	}
	return anonymous, nil
}

// anonymous is everybody who is no administrator where nobody is asked.
var anonymous = api.NewUser("anonymous", true, nil)
