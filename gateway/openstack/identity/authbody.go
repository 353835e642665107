package identity

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// Methods of authentication.
const (
	byPassword   = "password"
	byToken      = "token"
	byCredential = "application_credential"
)

// maxMethods is how many methods one request may name.
const maxMethods = 3

// login is the body of POST /v3/auth/tokens, understood.
type login struct {
	methods  []string
	password struct {
		user     *messages.UserRef
		password string
	}
	token      string
	credential struct {
		find   *messages.GetLogin
		secret string
	}
	scope    *messages.ScopeRef // nil: none asked for
	unscoped bool               // "unscoped" was asked for
}

type domainBody struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type userBody struct {
	ID       string      `json:"id"`
	Name     string      `json:"name"`
	Domain   *domainBody `json:"domain"`
	Password string      `json:"password"`
}

type authBody struct {
	Auth *struct {
		Identity *struct {
			Methods  []string `json:"methods"`
			Password *struct {
				User *userBody `json:"user"`
			} `json:"password"`
			Token *struct {
				ID string `json:"id"`
			} `json:"token"`
			Credential *struct {
				ID     string    `json:"id"`
				Name   string    `json:"name"`
				Secret string    `json:"secret"`
				User   *userBody `json:"user"`
			} `json:"application_credential"`
		} `json:"identity"`
		Scope json.RawMessage `json:"scope"`
	} `json:"auth"`
}

// missing is a body that lacks, or has in another form, what it must have.
func missing(what, where string) error {
	return api.Refuse(messages.Invalid, "Expecting to find %s in %s. The request is malformed or incorrect.", what, where)
}

// parseLogin understands raw, which is JSON. Errors wrap messages.Invalid,
// or Denied for a method that does not exist.
func parseLogin(raw []byte) (*login, error) {
	var b authBody
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, api.Refuse(messages.Invalid, "The authentication request has a value of the wrong type.")
	}
	switch {
	case b.Auth == nil:
		return nil, missing("auth", "the request body")
	case b.Auth.Identity == nil:
		return nil, missing("identity", "auth")
	case len(b.Auth.Identity.Methods) == 0:
		return nil, missing("methods", "identity")
	case len(b.Auth.Identity.Methods) > maxMethods:
		return nil, api.Refuse(messages.Invalid, "At most %d methods of authentication are possible.", maxMethods)
	}
	l := &login{}
	for _, method := range b.Auth.Identity.Methods {
		if slices.Contains(l.methods, method) {
			continue
		}
		l.methods = append(l.methods, method)
		if err := l.method(method, &b); err != nil {
			return nil, err
		}
	}
	return l, l.parseScope(b.Auth.Scope)
}

func (l *login) method(method string, b *authBody) error {
	id := b.Auth.Identity
	switch method {
	case byPassword:
		if id.Password == nil || id.Password.User == nil {
			return missing("user", "password")
		}
		l.password.password = id.Password.User.Password
		var err error
		l.password.user, err = userRef(id.Password.User)
		return err
	case byToken:
		if id.Token == nil || id.Token.ID == "" {
			return missing("id", "token")
		}
		l.token = id.Token.ID
		return nil
	case byCredential:
		c := id.Credential
		if c == nil || (c.ID == "" && (c.Name == "" || c.User == nil)) || c.Secret == "" {
			return missing("id or name and user, and secret", "application_credential")
		}
		l.credential.secret = c.Secret
		l.credential.find = &messages.GetLogin{CredentialId: c.ID}
		if c.ID != "" {
			return nil
		}
		user, err := userRef(c.User)
		l.credential.find = &messages.GetLogin{CredentialName: c.Name, User: user}
		return err
	}
	return api.WithStatus(401, api.Refuse(messages.Denied, "Attempted to authenticate with an unsupported method."))
}

func userRef(u *userBody) (*messages.UserRef, error) {
	switch {
	case u.ID != "":
		return &messages.UserRef{Id: u.ID}, nil
	case u.Name == "":
		return nil, missing("id or name", "user")
	case u.Domain == nil || (u.Domain.ID == "" && u.Domain.Name == ""):
		return nil, missing("domain", "user")
	}
	return &messages.UserRef{Name: u.Name, DomainId: u.Domain.ID, DomainName: u.Domain.Name}, nil
}

func (l *login) parseScope(raw json.RawMessage) error {
	raw = bytes.TrimSpace(raw)
	switch string(raw) {
	case "", "null":
		return nil
	case `"unscoped"`:
		l.unscoped = true
		return nil
	}
	var s struct {
		Project *struct {
			ID     string      `json:"id"`
			Name   string      `json:"name"`
			Domain *domainBody `json:"domain"`
		} `json:"project"`
		Domain   *domainBody      `json:"domain"`
		Unscoped *json.RawMessage `json:"unscoped"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return missing("project, domain or unscoped", "scope")
	}
	switch p := s.Project; {
	case p != nil && p.ID != "":
		l.scope = &messages.ScopeRef{ProjectId: p.ID}
	case p != nil && p.Name != "" && p.Domain != nil && (p.Domain.ID != "" || p.Domain.Name != ""):
		l.scope = &messages.ScopeRef{ProjectName: p.Name, DomainId: p.Domain.ID, DomainName: p.Domain.Name}
	case p != nil:
		return missing("id, or name and domain", "project")
	case s.Domain != nil && (s.Domain.ID != "" || s.Domain.Name != ""):
		l.scope = &messages.ScopeRef{DomainId: s.Domain.ID, DomainName: s.Domain.Name}
	case s.Unscoped != nil:
		l.unscoped = true
	default:
		return missing("project, domain or unscoped", "scope")
	}
	return nil
}
