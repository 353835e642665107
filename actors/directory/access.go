package directory

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// getAccess is asked when a token is made and whenever one is looked at anew,
// so taking away a role, a user or a project ends what stood on it.
func getAccess(s State, in actors.Input, m *messages.GetAccess) (*messages.AccessView, error) {
	u, err := s.user(&messages.UserRef{Id: m.UserId})
	if err != nil {
		return nil, denied("user")
	}
	if s.revoked(m) {
		return nil, denied("token")
	}
	home, _ := s.Domains.Get(u.DomainId)
	v := &messages.AccessView{User: shown(u), UserDomain: proto.CloneOf(home)}
	scope := m.Scope
	if scope == nil && m.DefaultScope && len(s.rolesOn(u.Id, u.DefaultProjectId, "")) > 0 {
		scope = &messages.ScopeRef{ProjectId: u.DefaultProjectId}
	}
	var c *messages.ApplicationCredential
	if m.CredentialId != "" {
		if c, err = s.credential(in, &messages.GetLogin{CredentialId: m.CredentialId}); err != nil || c.UserId != u.Id {
			return nil, denied("application credential")
		}
		v.Credential, scope = bare(c), &messages.ScopeRef{ProjectId: c.ProjectId}
	}
	if scope == nil {
		return v, nil
	}
	if err := s.resolve(v, scope); err != nil {
		if m.DefaultScope && m.Scope == nil {
			return v, nil // a default project that is closed: unscoped, as without one
		}
		return nil, err
	}
	return v, s.grantTo(v, c)
}

// resolve finds the project or domain that scope names.
func (s State) resolve(v *messages.AccessView, scope *messages.ScopeRef) error {
	domain := s.domainID(scope.DomainId, scope.DomainName)
	project := scope.ProjectId
	if scope.ProjectName != "" {
		project, _ = s.named(ofProject, domain, scope.ProjectName)
	}
	if scope.ProjectId != "" || scope.ProjectName != "" {
		p, ok := s.Projects.Get(project)
		if !ok || !p.Enabled {
			return denied("project")
		}
		v.Project, domain = proto.CloneOf(p), p.DomainId
	}
	d, ok := s.Domains.Get(domain)
	if !ok || !d.Enabled {
		return denied("domain")
	}
	v.Domain = proto.CloneOf(d)
	return nil
}

// grantTo puts the user's roles on the scope into v, no more than c allows.
func (s State) grantTo(v *messages.AccessView, c *messages.ApplicationCredential) error {
	domain := v.Domain.Id
	if v.Project != nil {
		domain = ""
	}
	ids := s.withImplied(s.rolesOn(v.User.Id, v.Project.GetId(), domain))
	if c != nil {
		limit := s.withImplied(c.RoleIds)
		ids = slices.DeleteFunc(ids, func(id string) bool { return !slices.Contains(limit, id) })
	}
	for _, id := range ids {
		if r, ok := s.Roles.Get(id); ok {
			v.Roles = append(v.Roles, proto.CloneOf(r))
		}
	}
	if len(v.Roles) == 0 {
		return denied("role on the scope")
	}
	return nil
}

func denied(what string) error {
	return fmt.Errorf("there is no such %s, or it has ended: %w", what, messages.Denied)
}
