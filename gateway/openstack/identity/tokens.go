package identity

import (
	"errors"
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	headerSubject = "X-Subject-Token"
	varyToken     = "X-Auth-Token"
)

// createToken is the login. The answer to every wrong one is the same.
func (i *Identity) createToken(r *api.Request) (api.Response, error) {
	begun := i.cfg.Now()
	raw, err := api.ReadJSON(r)
	if err != nil {
		return api.Response{}, err
	}
	l, err := parseLogin(raw)
	if err != nil {
		return api.Response{}, err
	}
	token, s, err := i.issue(r.Context(), l, begun)
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{
		Status: http.StatusCreated,
		Header: http.Header{headerSubject: {token}, "Vary": {varyToken}},
		Body:   object{"token": i.tokenView(r, s)},
	}, nil
}

// subject is the token that a request is about. Only its user and
// administrators may speak of it.
func (i *Identity) subject(r *api.Request) (string, *session, error) {
	token := r.Header.Get(headerSubject)
	if token == "" {
		return "", nil, missing(headerSubject, "the headers")
	}
	s, err := i.session(r.Context(), token)
	switch {
	case errors.Is(err, messages.Denied):
		return "", nil, api.Refuse(messages.NotFound, "Could not find the token.")
	case err != nil:
		return "", nil, err
	}
	return token, s, i.owns(r, s.claims.UserId)
}

// owns refuses who is neither user nor an administrator.
func (i *Identity) owns(r *api.Request, user string) error {
	if r.Principal.UserID == user || r.Principal.Admin() {
		return nil
	}
	return forbidden("this belongs to another user")
}

func (i *Identity) showToken(r *api.Request) (api.Response, error) {
	token, s, err := i.subject(r)
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{
		Header: http.Header{headerSubject: {token}, "Vary": {varyToken}},
		Body:   object{"token": i.tokenView(r, s)},
	}, nil
}

func (i *Identity) revokeToken(r *api.Request) (api.Response, error) {
	_, s, err := i.subject(r)
	if err != nil {
		return api.Response{}, err
	}
	err = i.change(r.Context(), &messages.RevokeTokens{AuditId: s.claims.AuditIds[0], ExpiresAt: s.claims.ExpiresAt})
	return api.Response{Status: http.StatusNoContent}, err
}

// tokenView is the body of a token.
func (i *Identity) tokenView(r *api.Request, s *session) object {
	c, a := s.claims, s.access
	t := object{
		"methods": c.Methods, "audit_ids": c.AuditIds, "issued_at": stamp(c.IssuedAt), "expires_at": stamp(c.ExpiresAt),
		"user": object{"id": a.User.Id, "name": a.User.Name, "password_expires_at": nil, "domain": domainRef(a.UserDomain)},
	}
	if a.Project != nil {
		t["project"] = object{"id": a.Project.Id, "name": a.Project.Name, "domain": domainRef(a.Domain)}
		t["is_domain"] = false
	} else if a.Domain != nil {
		t["domain"] = domainRef(a.Domain)
	}
	if cred := a.Credential; cred != nil {
		t["application_credential"] = object{"id": cred.Id, "name": cred.Name, "restricted": !cred.Unrestricted}
	}
	if a.Domain == nil {
		return t // unscoped: neither roles nor catalog
	}
	roles := []object{}
	for _, role := range a.Roles {
		roles = append(roles, object{"id": role.Id, "name": role.Name})
	}
	t["roles"] = roles
	if !r.URL.Query().Has("nocatalog") {
		t["catalog"] = i.catalog(r, a.Project.GetId())
	}
	return t
}

func domainRef(d *messages.Domain) object { return object{"id": d.GetId(), "name": d.GetName()} }
