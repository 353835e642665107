// Package identity is the dialect of OpenStack's identity API, version 3: it
// authenticates, issues and checks tokens, and shows and changes the directory
// in that API's words. It owns password hashes, the form of tokens and the keys
// they are sealed with. Who exists and who may do what is decided by the
// directory actor alone.
//
// Source: the Identity API reference v3 (OpenStack 2023.1), and what
// keystoneauth, python-openstackclient and tempest put on the wire.
package identity

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/singleflight"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// Prefix is where the dialect is mounted.
const Prefix = "/identity"

// Defaults and bounds of Config.
const (
	DefaultTokenLife = 12 * time.Hour
	MaxTokenLife     = 30 * 24 * time.Hour // the directory remembers revocations a little longer
	DefaultRecheck   = 10 * time.Second
	DefaultRegion    = "RegionOne"
)

// Config is what the dialect depends on.
type Config struct {
	Client  cluster.Asker
	Keys    *Keys
	Log     zerolog.Logger
	Catalog []Service // what tokens say is here, besides identity itself
	Region  string    // "": DefaultRegion

	TokenLife time.Duration // 0: DefaultTokenLife
	// Recheck is how long a checked token is believed before the directory is
	// asked again. What this gateway itself changes counts at once; what
	// another node's changes counts after this at the latest. 0: DefaultRecheck
	Recheck  time.Duration
	HashCost int              // of bcrypt; 0: DefaultHashCost
	Now      func() time.Time // nil: time.Now
}

// Identity is the dialect and the Authenticator of all others.
type Identity struct {
	cfg    Config
	hashes *hasher
	cache  cache
	flight singleflight.Group
	// changes counts what went from here to the directory. A session checked
	// before the last change is checked again.
	changes atomic.Uint64
}

// New checks cfg and makes the dialect.
func New(cfg Config) (*Identity, error) {
	switch {
	case cfg.Client == nil || cfg.Keys == nil:
		return nil, fmt.Errorf("identity needs a client and keys: %w", messages.Invalid)
	case cfg.TokenLife < 0 || cfg.TokenLife > MaxTokenLife:
		return nil, fmt.Errorf("a token cannot live for %v: at most %v: %w", cfg.TokenLife, MaxTokenLife, messages.Invalid)
	}
	if cfg.TokenLife == 0 {
		cfg.TokenLife = DefaultTokenLife
	}
	if cfg.Recheck == 0 {
		cfg.Recheck = DefaultRecheck
	}
	if cfg.Region == "" {
		cfg.Region = DefaultRegion
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h, err := newHasher(cfg.HashCost)
	if err != nil {
		return nil, err
	}
	cfg.Catalog = append([]Service{{Type: "identity", Name: "keystone", Path: Prefix}}, cfg.Catalog...)
	return &Identity{cfg: cfg, hashes: h}, nil
}

// session is a token that was checked, with what it stood for then.
type session struct {
	claims    *messages.TokenClaims
	access    *messages.AccessView
	principal *api.Principal
	changes   uint64
	until     time.Time // believed until then
}

// Authenticate is what every request with a token goes through.
func (i *Identity) Authenticate(ctx context.Context, token string) (*api.Principal, error) {
	s, err := i.session(ctx, token)
	if err != nil {
		return nil, err
	}
	return s.principal, nil
}

// session checks token: from memory if that was done a moment ago. Refusals
// wrap messages.Denied.
func (i *Identity) session(ctx context.Context, token string) (*session, error) {
	if s := i.cache.get(token); s != nil && s.changes == i.changes.Load() && i.cfg.Now().Before(s.until) {
		return s, nil
	}
	claims, key, err := i.cfg.Keys.open(ctx, token)
	if err != nil {
		return nil, err
	}
	if i.cfg.Now().UnixNano() >= claims.ExpiresAt {
		return nil, fmt.Errorf("the token has expired: %w", messages.Denied)
	}
	// Many requests with one token ask once. The first one's end must not be
	// the others', so it asks on with a deadline of its own.
	ch := i.flight.DoChan(token, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recheckTimeout)
		defer cancel()
		return i.check(ctx, token, claims, key)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-ch:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*session), nil
	}
}

const recheckTimeout = 10 * time.Second

// check asks the directory what the token stands for now.
func (i *Identity) check(ctx context.Context, token string, c *messages.TokenClaims, key string) (*session, error) {
	changes := i.changes.Load() // before asking: a change meanwhile makes the answer old
	access, err := ask[*messages.AccessView](ctx, i, &messages.GetAccess{
		UserId: c.UserId, Scope: scopeOf(c), CredentialId: c.CredentialId,
		AuditId: c.AuditIds[0], KeyId: key, IssuedAt: c.IssuedAt,
	})
	if err != nil {
		return nil, err
	}
	s := &session{claims: c, access: access, changes: changes, principal: principal(token, c, access)}
	s.until = i.cfg.Now().Add(i.cfg.Recheck)
	if end := time.Unix(0, c.ExpiresAt); end.Before(s.until) {
		s.until = end
	}
	i.cache.put(token, s)
	return s, nil
}

func scopeOf(c *messages.TokenClaims) *messages.ScopeRef {
	if c.ProjectId == "" && c.DomainId == "" {
		return nil
	}
	return &messages.ScopeRef{ProjectId: c.ProjectId, DomainId: c.DomainId}
}

func principal(token string, c *messages.TokenClaims, a *messages.AccessView) *api.Principal {
	p := &api.Principal{
		UserID: a.User.Id, UserName: a.User.Name, UserDomainID: a.User.DomainId,
		ExpiresAt: time.Unix(0, c.ExpiresAt).UTC(), Token: token,
	}
	if a.Project != nil {
		p.ProjectID, p.ProjectName, p.ProjectDomainID = a.Project.Id, a.Project.Name, a.Project.DomainId
	} else if a.Domain != nil {
		p.DomainID = a.Domain.Id
	}
	for _, r := range a.Roles {
		p.Roles = append(p.Roles, r.Name)
	}
	return p
}

// ask asks the directory for a view.
func ask[T proto.Message](ctx context.Context, i *Identity, m proto.Message) (T, error) {
	return cluster.Ask[T](ctx, i.cfg.Client, directory.Ref, m)
}

// change has the directory do something, after which no session checked before
// is believed, not even if the outcome is unknown.
func (i *Identity) change(ctx context.Context, m proto.Message) error {
	defer i.changes.Add(1)
	_, err := i.cfg.Client.Ask(ctx, directory.Ref, m)
	return err
}

func changed[T proto.Message](ctx context.Context, i *Identity, m proto.Message) (T, error) {
	defer i.changes.Add(1)
	return ask[T](ctx, i, m)
}

// apart gives a command a request id of its own, where one HTTP request needs
// several: the directory does what comes under one id once.
func apart(ctx context.Context, what string) context.Context {
	return cluster.WithRequest(ctx, cluster.RequestID(ctx)+"/"+what)
}

// Dialect is the identity API, to be mounted.
func (i *Identity) Dialect() api.Dialect {
	return api.Dialect{Name: "identity", Prefix: Prefix, Routes: i.routes(), WriteError: api.WriteKeystoneError, MaxBody: maxBody}
}

const maxBody = 128 << 10
