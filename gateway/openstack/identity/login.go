package identity

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// identified is who a login turned out to be.
type identified struct {
	userID       string
	credentialID string
	parent       *messages.TokenClaims // of the token method
}

// identify checks every method that l names; all must speak of one user.
func (i *Identity) identify(ctx context.Context, l *login) (identified, error) {
	var who identified
	for _, method := range l.methods {
		var one identified
		var err error
		switch method {
		case byPassword:
			one.userID, err = i.checkPassword(ctx, l.password.user, l.password.password)
		case byToken:
			one, err = i.checkToken(ctx, l.token)
		case byCredential:
			one, err = i.checkCredential(ctx, l)
		}
		if err != nil {
			return who, unauthenticated(err)
		}
		if who.userID != "" && who.userID != one.userID {
			return who, api.Unauthenticated()
		}
		who.userID = one.userID
		if one.credentialID != "" {
			who.credentialID = one.credentialID
		}
		if one.parent != nil {
			who.parent = one.parent
		}
	}
	return who, nil
}

// unauthenticated hides which part of a login was wrong.
func unauthenticated(err error) error {
	if isNobody(err) {
		return api.Unauthenticated()
	}
	return err
}

// checkPassword is the id of the user that has this password. A user that does
// not exist, or is locked out, takes as long as one whose password is another.
func (i *Identity) checkPassword(ctx context.Context, user *messages.UserRef, password string) (string, error) {
	v, err := ask[*messages.LoginView](ctx, i, &messages.GetLogin{User: user})
	if err != nil && !isNobody(err) {
		return "", err
	}
	hash := v.GetUser().GetPasswordHash()
	return v.GetUser().GetId(), i.prove(apart(ctx, byPassword), v.GetUser(), hash, password)
}

// isNobody says whether err means that nobody can log in there. The hash is
// made all the same, so that the time tells nothing.
func isNobody(err error) bool {
	return errors.Is(err, messages.NotFound) || errors.Is(err, messages.Denied)
}

func (i *Identity) checkCredential(ctx context.Context, l *login) (identified, error) {
	v, err := ask[*messages.LoginView](ctx, i, l.credential.find)
	if err != nil && !isNobody(err) {
		return identified{}, err
	}
	hash := v.GetCredential().GetSecretHash()
	who := identified{userID: v.GetUser().GetId(), credentialID: v.GetCredential().GetId()}
	return who, i.prove(apart(ctx, byCredential), v.GetUser(), hash, l.credential.secret)
}

// prove compares secret with hash and has failures counted. Denied if they
// differ, or if there is no user. ctx has a request id for this method alone,
// or a second guess in one request would pass for the first one's repetition.
func (i *Identity) prove(ctx context.Context, u *messages.User, hash, secret string) error {
	ok, err := i.hashes.check(ctx, hash, secret)
	if err != nil {
		return err
	}
	if u == nil {
		return api.Unauthenticated()
	}
	// A login is no change of rights: sessions stay as they are.
	_, err = i.cfg.Client.Ask(ctx, directory.Ref, &messages.RecordLogin{UserId: u.Id, Success: ok})
	if err == nil && !ok {
		err = api.Unauthenticated()
	}
	return err
}

func (i *Identity) checkToken(ctx context.Context, token string) (identified, error) {
	s, err := i.session(ctx, token)
	if err != nil {
		return identified{}, err
	}
	if s.claims.CredentialId != "" {
		// Its rights are fewer than its user's: it must not become another token.
		return identified{}, api.Unauthenticated()
	}
	return identified{userID: s.claims.UserId, parent: s.claims}, nil
}

// issue makes the token of a login that was begun at that time: whatever ends
// the user's tokens in the meantime ends this one too.
func (i *Identity) issue(ctx context.Context, l *login, begun time.Time) (string, *session, error) {
	who, err := i.identify(ctx, l)
	if err != nil {
		return "", nil, err
	}
	if who.credentialID != "" && (l.scope != nil || l.unscoped) {
		return "", nil, api.Refuse(messages.Invalid, "Application credentials cannot request a scope.")
	}
	access, err := ask[*messages.AccessView](ctx, i, &messages.GetAccess{
		UserId: who.userID, Scope: l.scope, CredentialId: who.credentialID,
		DefaultScope: l.scope == nil && !l.unscoped && who.parent == nil,
	})
	if err != nil {
		return "", nil, unauthenticated(err)
	}
	c := i.claims(l, who, access, begun)
	token, err := i.cfg.Keys.seal(ctx, c)
	if err != nil {
		return "", nil, err
	}
	return token, &session{claims: c, access: access, principal: principal(token, c, access)}, nil
}

func (i *Identity) claims(l *login, who identified, access *messages.AccessView, begun time.Time) *messages.TokenClaims {
	begun = begun.Truncate(time.Microsecond) // as shown
	c := &messages.TokenClaims{
		UserId: who.userID, CredentialId: who.credentialID, Methods: l.methods,
		IssuedAt: begun.UnixNano(), ExpiresAt: begun.Add(i.cfg.TokenLife).UnixNano(),
		AuditIds: []string{newAuditID()}, ProjectId: access.GetProject().GetId(),
	}
	if access.Project == nil {
		c.DomainId = access.GetDomain().GetId()
	}
	if e := access.GetCredential().GetExpiresAt(); e != 0 {
		c.ExpiresAt = min(c.ExpiresAt, e)
	}
	if p := who.parent; p != nil { // a token made of a token lives no longer
		c.ExpiresAt = min(c.ExpiresAt, p.ExpiresAt)
		c.AuditIds = append(c.AuditIds, p.AuditIds[len(p.AuditIds)-1])
		for _, m := range p.Methods {
			if !slices.Contains(c.Methods, m) {
				c.Methods = append(c.Methods, m)
			}
		}
	}
	return c
}
