package directory

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

func grantRole(s State, m *messages.GrantRole) (State, proto.Message, error) {
	g := m.GetGrant()
	if err := s.checkGrant(g); err != nil {
		return s, nil, err
	}
	grants, _ := s.Grants.Get(g.UserId)
	if findGrant(grants, g) >= 0 {
		return s, nil, nil
	}
	if err := room("grants of one user", len(grants), MaxGrantsPerUser); err != nil {
		return s, nil, err
	}
	s.Grants = s.Grants.Set(g.UserId, append(slices.Clone(grants), proto.CloneOf(g)))
	return s, nil, nil
}

// checkGrant refuses a grant of, to or on something that does not exist.
func (s State) checkGrant(g *messages.Grant) error {
	if _, ok := s.Users.Get(g.GetUserId()); !ok {
		return absent("user", g.GetUserId())
	}
	if _, ok := s.Roles.Get(g.GetRoleId()); !ok {
		return absent("role", g.GetRoleId())
	}
	if (g.GetProjectId() == "") == (g.GetDomainId() == "") {
		return fmt.Errorf("a role is granted either on a project or on a domain: %w", messages.Invalid)
	}
	if g.GetDomainId() != "" {
		return s.hasDomain(g.GetDomainId())
	}
	if _, ok := s.Projects.Get(g.GetProjectId()); !ok {
		return absent("project", g.GetProjectId())
	}
	return nil
}

func findGrant(grants []*messages.Grant, g *messages.Grant) int {
	return slices.IndexFunc(grants, func(h *messages.Grant) bool { return proto.Equal(g, h) })
}

// withdrawRole also ends the credentials that stood on the right: one made
// with a role that its user has lost would otherwise keep it.
func withdrawRole(s State, m *messages.WithdrawRole) (State, proto.Message, error) {
	g := m.GetGrant()
	grants, _ := s.Grants.Get(g.GetUserId())
	i := findGrant(grants, g)
	if i < 0 {
		return s, nil, fmt.Errorf("user %s has not been granted role %s there: %w", g.GetUserId(), g.GetRoleId(), messages.NotFound)
	}
	s.Grants = s.Grants.Set(g.UserId, slices.Delete(slices.Clone(grants), i, i+1))
	if g.ProjectId != "" {
		s = s.dropCredentials(func(c *messages.ApplicationCredential) bool {
			return c.UserId == g.UserId && c.ProjectId == g.ProjectId
		})
	}
	return s, nil, nil
}

// withdraw takes every grant that gone names.
func (s State) withdraw(gone func(*messages.Grant) bool) State {
	for user, grants := range s.Grants.All() {
		if !slices.ContainsFunc(grants, gone) {
			continue
		}
		s.Grants = s.Grants.Set(user, slices.DeleteFunc(slices.Clone(grants), gone))
	}
	return s
}

// rolesOn lists the ids of the roles that user has on exactly this scope,
// without those implied.
func (s State) rolesOn(user, project, domain string) []string {
	grants, _ := s.Grants.Get(user)
	var ids []string
	for _, g := range grants {
		if g.ProjectId == project && g.DomainId == domain {
			ids = append(ids, g.RoleId)
		}
	}
	return ids
}

// getGrants has no pages, for the API has none: who asks for too many at once is
// told to ask for fewer.
func getGrants(s State, m *messages.GetGrants) (*messages.GrantsView, error) {
	v := &messages.GrantsView{}
	add := func(grants []*messages.Grant) {
		if m.Effective {
			grants = s.effective(grants)
		}
		for _, g := range grants {
			if is(m.RoleId, g.RoleId) && is(m.ProjectId, g.ProjectId) && is(m.DomainId, g.DomainId) {
				v.Grants = append(v.Grants, proto.CloneOf(g))
			}
		}
	}
	if m.UserId != "" {
		grants, _ := s.Grants.Get(m.UserId)
		add(grants)
	} else {
		for _, grants := range s.Grants.All() {
			if add(grants); len(v.Grants) > MaxGrantList {
				return nil, fmt.Errorf("more than %d role assignments: name a user, a role or a project: %w", MaxGrantList, messages.Exhausted)
			}
		}
	}
	slices.SortFunc(v.Grants, compareGrants)
	if m.Names {
		s.name(v)
	}
	return v, nil
}
